/*-------------------------------------------------------------------------
 *
 * upper.c
 *	  Aggregates, order and limits done by the application.
 *
 * All of them mean the same there as here only if every condition is evaluated
 * there; so they are pushed only if none is left here and the connector promises,
 * at plan time, to take them all.  When it gives one up after all (an operand that it
 * has no form for), limit, offset and order are done by the scan, and aggregates by the
 * plan below it, which is the one there would have been without us.
 *
 * IDENTIFICATION
 *	  src/fdw/upper.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "fdw/fdw.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "record/collation.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

/* the aggregates that have the same result wherever they are computed */
static const struct
{
	Oid			oid;
	AggregateFunction function;
}			known_aggregates[] = {
	{F_COUNT_, AGGREGATE_COUNT},
	{F_COUNT_ANY, AGGREGATE_COUNT},
	{F_SUM_INT2, AGGREGATE_SUM},
	{F_SUM_INT4, AGGREGATE_SUM},
	{F_SUM_INT8, AGGREGATE_SUM},
	{F_SUM_NUMERIC, AGGREGATE_SUM},
	{F_MIN_INT2, AGGREGATE_MIN},
	{F_MIN_INT4, AGGREGATE_MIN},
	{F_MIN_INT8, AGGREGATE_MIN},
	{F_MIN_FLOAT4, AGGREGATE_MIN},
	{F_MIN_FLOAT8, AGGREGATE_MIN},
	{F_MIN_NUMERIC, AGGREGATE_MIN},
	{F_MIN_DATE, AGGREGATE_MIN},
	{F_MIN_TIMESTAMP, AGGREGATE_MIN},
	{F_MIN_TIMESTAMPTZ, AGGREGATE_MIN},
	{F_MIN_TEXT, AGGREGATE_MIN},
	{F_MAX_INT2, AGGREGATE_MAX},
	{F_MAX_INT4, AGGREGATE_MAX},
	{F_MAX_INT8, AGGREGATE_MAX},
	{F_MAX_FLOAT4, AGGREGATE_MAX},
	{F_MAX_FLOAT8, AGGREGATE_MAX},
	{F_MAX_NUMERIC, AGGREGATE_MAX},
	{F_MAX_DATE, AGGREGATE_MAX},
	{F_MAX_TIMESTAMP, AGGREGATE_MAX},
	{F_MAX_TIMESTAMPTZ, AGGREGATE_MAX},
	{F_MAX_TEXT, AGGREGATE_MAX},
};

static const Field *
described_field(const Request *request, int member, const char *field)
{
	const Schema *described = ((Member *) list_nth(request->members, member))->described;
	int			index = described == NULL ? -1 : schema_find(described, field);

	return index < 0 ? NULL : &described->fields[index];
}

static Pushdown
pushdown_of(PlannerInfo *root, FdwRelation *relation)
{
	return (Pushdown) {.root = root,.relids = relation->relids,.request = relation->request};
}

static FdwRelation *
derive(const FdwRelation *below)
{
	FdwRelation *relation = palloc(sizeof(FdwRelation));
	Request    *request = palloc(sizeof(Request));

	*relation = *below;
	*request = *below->request;
	relation->request = request;
	return relation;
}

static const TableOptions *
options_of(const FdwRelation *relation)
{
	return ((Member *) linitial(relation->request->members))->options;
}

/* ---------- aggregates ---------- */

/* a column to group by, or NULL if it groups differently elsewhere */
static AggregateColumn *
make_group(Pushdown *pushdown, Expr *expr)
{
	AggregateColumn *column;
	int			member;
	Oid			type;
	int32		typmod;
	char	   *name = pushdown_field(pushdown, expr, &member, &type, &typmod);
	const Field *field = name == NULL ? NULL : described_field(pushdown->request, member, name);
	Oid			collation = exprCollation((Node *) expr);

	if (field == NULL || !field_compares(field, type, typmod, FILTER_EQUAL_TO))
		return NULL;
	if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
		return NULL;
	column = palloc0(sizeof(AggregateColumn));
	column->group = true;
	column->member = member;
	column->field = name;
	return column;
}

static AggregateColumn *
make_aggregate(Pushdown *pushdown, Aggref *aggref)
{
	AggregateColumn *column;
	const Field *field;
	Expr	   *argument;
	int			member = 0;
	Oid			type;
	int32		typmod;
	char	   *name;
	int			i;

	for (i = 0; i < (int) lengthof(known_aggregates); i++)
	{
		if (known_aggregates[i].oid == aggref->aggfnoid)
			break;
	}
	if (i == (int) lengthof(known_aggregates) || aggref->aggsplit != AGGSPLIT_SIMPLE || aggref->agglevelsup != 0 ||
		aggref->aggdistinct != NIL || aggref->aggorder != NIL || aggref->aggfilter != NULL)
		return NULL;
	column = palloc0(sizeof(AggregateColumn));
	column->function = known_aggregates[i].function;
	if (aggref->aggstar)
		return column;
	argument = ((TargetEntry *) linitial(aggref->args))->expr;
	if (IsA(argument, Const) && column->function == AGGREGATE_COUNT && !((Const *) argument)->constisnull)
		return column;
	name = pushdown_field(pushdown, argument, &member, &type, &typmod);
	field = name == NULL ? NULL : described_field(pushdown->request, member, name);
	if (field == NULL || !field_compares(field, type, typmod, column->function == AGGREGATE_COUNT ?
										 FILTER_IS_NOT_NULL : FILTER_GREATER_THAN))
		return NULL;
	if ((type == TEXTOID || type == VARCHAROID) && column->function != AGGREGATE_COUNT &&
		!(OidIsValid(aggref->inputcollid) && collation_is_c(aggref->inputcollid)))
		return NULL;
	column->member = member;
	column->field = name;
	return column;
}

/* every aggregate of an expression becomes a column; every other column must be one to group by */
static bool
add_aggregates(Pushdown *pushdown, Node *expr, List **tlist, List **columns)
{
	ListCell   *lc;

	foreach(lc, pull_var_clause(expr, PVC_INCLUDE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS))
	{
		Expr	   *part = lfirst(lc);
		AggregateColumn *column;

		if (tlist_member(part, *tlist) != NULL)
			continue;
		column = IsA(part, Aggref) ? make_aggregate(pushdown, (Aggref *) part) : NULL;
		if (column == NULL)
			return false;
		*tlist = add_to_flat_tlist(*tlist, list_make1(part));
		*columns = lappend(*columns, column);
	}
	return true;
}

/* the columns of the groups, groups first; false: not all can be had */
static bool
make_columns(PlannerInfo *root, FdwRelation *below, RelOptInfo *output, Node *having, List **tlist, List **columns)
{
	Pushdown	pushdown = pushdown_of(root, below);
	PathTarget *target = output->reltarget;
	ListCell   *lc;
	int			i = 0;

	foreach(lc, target->exprs)
	{
		Index		ref = get_pathtarget_sortgroupref(target, i++);
		AggregateColumn *column;
		TargetEntry *entry;

		if (ref == 0 || get_sortgroupref_clause_noerr(ref, group_clauses(root)) == NULL)
			continue;
		column = make_group(&pushdown, lfirst(lc));
		if (column == NULL)
			return false;
		entry = makeTargetEntry(lfirst(lc), list_length(*tlist) + 1, NULL, false);
		entry->ressortgroupref = ref;
		*tlist = lappend(*tlist, entry);
		*columns = lappend(*columns, column);
	}
	if (list_length(*columns) < list_length(group_clauses(root)))
		return false;
	foreach(lc, target->exprs)
	{
		if (!add_aggregates(&pushdown, lfirst(lc), tlist, columns))
			return false;
	}
	return having == NULL || add_aggregates(&pushdown, having, tlist, columns);
}

/* the plan there would be without us, for when the application gives a condition up */
static Path *
local_path(RelOptInfo *output)
{
	Path	   *best = NULL;
	Path	   *copy;
	ListCell   *lc;

	foreach(lc, output->pathlist)
	{
		Path	   *path = lfirst(lc);

		if (path->param_info != NULL || path->parallel_workers > 0)
			continue;
		if (!(IsA(path, AggPath) && ((AggPath *) path)->aggsplit == AGGSPLIT_SIMPLE) && !IsA(path, GroupPath))
			continue;
		if (best == NULL || path->total_cost < best->total_cost)
			best = path;
	}
	if (best == NULL)
		return NULL;

	/* add_path() frees those that are no use any more */
	copy = palloc(IsA(best, AggPath) ? sizeof(AggPath) : sizeof(GroupPath));
	memcpy(copy, best, IsA(best, AggPath) ? sizeof(AggPath) : sizeof(GroupPath));
	return copy;
}

static void
add_grouping_path(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, GroupPathExtraData *extra)
{
	Query	   *parse = root->parse;
	FdwRelation *below = input->fdw_private;
	FdwRelation *relation;
	Path	   *local;
	List	   *tlist = NIL;
	List	   *columns = NIL;
	List	   *having = NIL;
	Asking	   *asking;
	double		rows = 1;
	Cost		startup;
	Cost		total;

	if (parse->groupingSets != NIL || parse->hasTargetSRFs || extra->patype == PARTITIONWISE_AGGREGATE_PARTIAL)
		return;
	if (!make_columns(root, below, output, extra->havingQual, &tlist, &columns) || columns == NIL)
		return;
	local = local_path(output);
	if (local == NULL)
		return;
	if (extra->havingQual != NULL)
		having = IsA(extra->havingQual, List) ? (List *) extra->havingQual : list_make1(extra->havingQual);
	relation = derive(below);
	relation->request->aggregates = columns;
	if (fdw_ask_plan(relation->session, relation->request, request_constants(relation->request), &asking) == NULL ||
		!asking->read->aggregates_taken)
		return;
	for (int i = 0; i < list_length(relation->request->conditions); i++)
	{
		if (!asking_settled(asking, i))
			return;
	}
	relation->tlist = tlist;
	relation->having = having;
	output->fdw_private = relation;
	if (group_clauses(root) != NIL)
		rows = estimate_num_groups(root, get_sortgrouplist_exprs(group_clauses(root), tlist), below->rows, NULL, NULL);
	relation->rows = rows;
	fdw_scan_cost(root, options_of(relation), having, rows, &startup, &total);
	add_path(output, (Path *) foreign_upper_path(root, output, output->reltarget, rows, startup, total, NIL, local, NIL));
}

/* ---------- order and limits ---------- */

/* what the scan gives are columns of the table: rows as a whole and system columns are not among them */
static bool
columns_only(PlannerInfo *root, FdwRelation *relation, List *exprs)
{
	Pushdown	pushdown = pushdown_of(root, relation);
	ListCell   *lc;

	foreach(lc, pull_var_clause((Node *) exprs, PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS))
	{
		int			member;
		Oid			type;
		int32		typmod;

		if (pushdown_field(&pushdown, lfirst(lc), &member, &type, &typmod) == NULL)
			return false;
	}
	return true;
}

static void
add_ordered(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output)
{
	FdwRelation *below = input->fdw_private;
	FdwRelation *relation;
	List	   *order;

	if (root->parse->hasTargetSRFs || below->request->aggregates != NIL)
		return;
	order = fdw_order_of(root, below, root->sort_pathkeys);
	if (order == NIL)
		return;

	/* a path in that order there is already; this one is for the limit above */
	relation = derive(below);
	relation->request->order = order;
	output->fdw_private = relation;
}

/* the limit or the offset, as an operand: -1 for none */
static int
add_count(Request *request, Node *count)
{
	if (count == NULL || (IsA(count, Const) && ((Const *) count)->constisnull))
		return -1;
	request->exprs = lappend(request->exprs, count);
	return list_length(request->exprs) - 1;
}

static void
add_limited_path(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, FinalPathExtraData *extra)
{
	Query	   *parse = root->parse;
	FdwRelation *below = input->fdw_private;
	PathTarget *target = root->upper_targets[UPPERREL_FINAL];
	FdwRelation *relation;
	Asking	   *asking;
	double		rows = below->rows;
	Cost		startup;
	Cost		total;

	if (!extra->limit_needed || parse->commandType != CMD_SELECT || parse->rowMarks != NIL || parse->hasTargetSRFs ||
		parse->limitOption != LIMIT_OPTION_COUNT || below->request->aggregates != NIL || !below->all_taken)
		return;

	/* input in another order than the one that is asked for is not what is limited */
	if (root->sort_pathkeys != NIL && below->request->order == NIL)
		return;
	if (contain_volatile_functions(parse->limitCount) || contain_volatile_functions(parse->limitOffset) ||
		contain_subplans(parse->limitCount) || contain_subplans(parse->limitOffset))
		return;
	if (!columns_only(root, below, target->exprs))
		return;
	relation = derive(below);
	relation->request->limited = true;
	relation->request->limit = add_count(relation->request, parse->limitCount);
	relation->request->offset = add_count(relation->request, parse->limitOffset);
	if (fdw_ask_plan(relation->session, relation->request, request_constants(relation->request), &asking) == NULL ||
		!asking->read->limit_taken || (relation->request->order != NIL && !asking->read->order_taken))
		return;
	output->fdw_private = relation;
	fdw_scan_cost(root, options_of(relation), NIL, rows, &startup, &total);
	adjust_limit_rows_costs(&rows, &startup, &total, extra->offset_est, extra->count_est);
	total = Max(startup, options_of(relation)->startup_cost + rows * options_of(relation)->tuple_cost);
	relation->rows = rows;
	add_path(output, (Path *) foreign_upper_path(root, output, target, rows, options_of(relation)->startup_cost, total,
												 root->sort_pathkeys, NULL, NIL));
}

static void
get_upper_paths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	if (input->fdw_private == NULL || output->fdw_private != NULL ||
		((FdwRelation *) input->fdw_private)->request == NULL)
		return;
	switch (stage)
	{
		case UPPERREL_GROUP_AGG:
			if (((FdwRelation *) input->fdw_private)->all_taken)
				add_grouping_path(root, input, output, extra);
			break;
		case UPPERREL_ORDERED:
			add_ordered(root, input, output);
			break;
		case UPPERREL_FINAL:
			add_limited_path(root, input, output, extra);
			break;
		default:
			break;
	}
}

/* ---------- plans ---------- */

/* columns for every entry of a target list */
static void
add_columns(Pushdown *pushdown, Request *request, List *tlist)
{
	ListCell   *lc;

	foreach(lc, tlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		Column	   *column = palloc0(sizeof(Column));
		int			member;
		Oid			type;
		int32		typmod;

		column->attnum = entry->resno;
		if (request->aggregates == NIL)
		{
			char	   *field = pushdown_field(pushdown, entry->expr, &member, &type, &typmod);

			if (field == NULL)
				elog(ERROR, "column %d of a foreign scan is no field", entry->resno);
			column->field = psprintf("%s%s", ((Member *) list_nth(request->members, member))->prefix, field);
		}
		request->columns = lappend(request->columns, column);
	}
}

/* a record must have one field at least: the key, or the first there is */
static List *
any_column(FdwRelation *relation)
{
	Member	   *main = linitial(relation->request->members);
	Relation	rel = table_open(main->relid, NoLock);
	AttrNumber	chosen = 0;
	Form_pg_attribute attr;
	Var		   *var;

	for (AttrNumber attnum = 1; attnum <= RelationGetDescr(rel)->natts; attnum++)
	{
		if (fdw_column_field(rel, attnum) != NULL && (chosen == 0 || fdw_column_is_key(main->relid, attnum)))
			chosen = attnum;
	}
	if (chosen == 0)
	{
		table_close(rel, NoLock);
		return NIL;
	}
	attr = TupleDescAttr(RelationGetDescr(rel), chosen - 1);
	var = makeVar(main->rti, chosen, attr->atttypid, attr->atttypmod, attr->attcollation, 0);
	table_close(rel, NoLock);
	return add_to_flat_tlist(NIL, list_make1(var));
}

/* all columns that the relation below reads, where they make its records */
static List *
add_named_columns(List *tlist, const FdwRelation *relation)
{
	const Member *main = linitial(relation->request->members);
	Relation	rel = table_open(main->relid, NoLock);
	ListCell   *lc;

	foreach(lc, relation->request->columns)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), ((Column *) lfirst(lc))->attnum - 1);

		tlist = add_to_flat_tlist(tlist, list_make1(makeVar(main->rti, attr->attnum, attr->atttypid, attr->atttypmod,
															attr->attcollation, 0)));
	}
	table_close(rel, NoLock);
	return tlist;
}

ForeignScan *
fdw_upper_plan(PlannerInfo *root, RelOptInfo *rel, ForeignPath *path, List *tlist, List *clauses, Plan *outer_plan)
{
	FdwRelation *relation = rel->fdw_private;
	Request    *request = palloc0(sizeof(Request));
	Pushdown	pushdown = {.root = root,.relids = relation->relids,.request = request};
	List	   *scan_tlist = relation->tlist;
	List	   *order = path->fdw_private != NIL ? linitial(path->fdw_private) : relation->request->order;
	ListCell   *lc;

	request->members = relation->request->members;
	request->aggregates = relation->request->aggregates;
	request->limit = request->offset = -1;
	request->limit_hint = -1;
	foreach(lc, relation->pushed)
		request->conditions = lappend(request->conditions, condition_make(&pushdown, lfirst(lc)));
	foreach(lc, relation->local)
		request->reasons = lappend(request->reasons, (char *) "it is evaluated here");
	if (request->aggregates == NIL)
	{
		int			flags = PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS;

		scan_tlist = add_to_flat_tlist(NIL, pull_var_clause((Node *) path->path.pathtarget->exprs, flags));
		scan_tlist = add_to_flat_tlist(scan_tlist, pull_var_clause((Node *) tlist, flags));
		scan_tlist = add_to_flat_tlist(scan_tlist, pull_var_clause((Node *) relation->pushed, flags));
		scan_tlist = add_to_flat_tlist(scan_tlist, pull_var_clause((Node *) extract_actual_clauses(relation->local, false), flags));
		foreach(lc, order)
			scan_tlist = add_to_flat_tlist(scan_tlist, pull_var_clause((Node *) ((Order *) lfirst(lc))->expr, flags));
		if (relation->session->connector->grouping)
			scan_tlist = add_named_columns(scan_tlist, relation);
		else if (scan_tlist == NIL)
			scan_tlist = any_column(relation);
	}
	add_columns(&pushdown, request, scan_tlist);
	request->order = fdw_place_order(order, scan_tlist);
	if (relation->request->limited)
	{
		request->limited = true;
		request->limit = add_count(request, root->parse->limitCount);
		request->offset = add_count(request, root->parse->limitOffset);
	}

	/* the plan below has to make the rows that this one makes */
	if (outer_plan != NULL)
		outer_plan = change_plan_targetlist(outer_plan, copyObject(scan_tlist), path->path.parallel_safe);
	return make_foreignscan(tlist, request->aggregates != NIL ? relation->having :
							extract_actual_clauses(relation->local, false), 0, request->exprs,
							list_make1(request_to_list(request)), scan_tlist,
							request->aggregates != NIL ? NIL : relation->pushed, outer_plan);
}

void
fdw_upper_routine(FdwRoutine *routine)
{
	routine->GetForeignUpperPaths = get_upper_paths;
}
