/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  Paths and plans of foreign tables.
 *
 * Planning asks nobody.  What is known of an entity is what its connector told
 * within the hour; if that is nothing, conditions are pushed when the scan begins,
 * for then the connector is asked, but order, limits, aggregates and joins,
 * which the plan has to rely on, are not.
 *
 * Which conditions the application takes is settled only when the scan begins.
 * All that can be said in the contract's terms go with the plan, as what is asked
 * for and as PostgreSQL's own expressions (fdw_recheck_quals): the scan evaluates
 * those that are not taken.
 *
 * IDENTIFICATION
 *	  src/fdw/plan.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "compat.h"
#include "fdw/fdw.h"
#include "flow/session.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* rows of a table of which nothing is known */
#define DEFAULT_ROWS 1000

/* ---------- asking without asking ---------- */

char *
fdw_ask_plan(ConnectorSession *session, const Request *request, const Operand *operands, Asking **asking)
{
	const Connector *connector = session->connector;

	*asking = request_ask(request, operands);
	if (connector->plan_read == NULL || (*asking)->never ||
		((*asking)->read->described == NULL && connector->describe_entity != NULL))
		return NULL;
	return connector->plan_read(session, (*asking)->read);
}

/* ---------- conditions ---------- */

/* Make conditions of clauses; what makes none goes to local, with the reason in the request. */
static void
classify(PlannerInfo *root, Relids relids, Request *request, List *clauses, List **pushed, List **local)
{
	Pushdown	pushdown = {.root = root,.relids = relids,.request = request};
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);
		Condition  *condition;

		/* checked once, by a node above */
		if (info->pseudoconstant)
			continue;
		condition = condition_make(&pushdown, info->clause);
		if (condition == NULL)
		{
			*local = lappend(*local, info);
			request->reasons = lappend(request->reasons, (char *) pushdown.reason);
			continue;
		}
		request->conditions = lappend(request->conditions, condition);
		*pushed = lappend(*pushed, info->clause);
	}
}

/* ---------- columns ---------- */

static void
add_column(Request *request, AttrNumber attnum, char *field)
{
	Column	   *column = palloc0(sizeof(Column));

	column->attnum = attnum;
	column->field = field;
	request->columns = lappend(request->columns, column);
}

/*
 * Where the fields that are read make the records: the columns that the statement
 * names, no matter whether the planner has found that it can do without some.  So
 * a reference to the table is one relation, whatever stands around it.
 */
static void
choose_named_columns(PlannerInfo *root, RelOptInfo *rel, Oid relid, Request *request)
{
	Relation	table = table_open(relid, NoLock);
	Bitmapset  *named = NULL;
	bool		whole;

	if (!named_columns(root->parse, planner_rt_fetch(rel->relid, root), &named))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("foreign table \"%s\" cannot be read as part of another", RelationGetRelationName(table)),
				errdetail("Its records are groups, made by the columns that a statement names of it."));
	whole = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, named);
	named = fdw_generated_inputs(table, whole, bms_copy(named));
	for (AttrNumber attnum = 1; attnum <= RelationGetDescr(table)->natts; attnum++)
	{
		char	   *field = fdw_column_field(table, attnum);

		if (field != NULL && (whole || bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, named)))
			add_column(request, attnum, field);
	}
	table_close(table, NoLock);
}

/*
 * The columns that are read: those that the query or a clause looks at.  A
 * record must have one at least.
 */
static void
choose_columns(PlannerInfo *root, RelOptInfo *rel, Oid relid, Request *request, List *clauses)
{
	Relation	table = table_open(relid, NoLock);
	TupleDesc	tupdesc = RelationGetDescr(table);
	Bitmapset  *used = NULL;
	bool		whole;
	AttrNumber	fallback = 0;
	ListCell   *lc;

	if (((FdwRelation *) rel->fdw_private)->session->connector->grouping)
	{
		table_close(table, NoLock);
		choose_named_columns(root, rel, relid, request);
		return;
	}
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	foreach(lc, clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &used);
	whole = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	used = fdw_generated_inputs(table, whole, used);
	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		char	   *field = fdw_column_field(table, attnum);

		if (field == NULL)
			continue;
		if (whole || bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, used))
			add_column(request, attnum, field);
		else if (fallback == 0 || fdw_column_is_key(relid, attnum))
			fallback = attnum;
	}
	if (request->columns == NIL && fallback != 0)
		add_column(request, fallback, fdw_column_field(table, fallback));
	table_close(table, NoLock);
}

static Request *
create_request(RelOptInfo *rel, Oid relid, const FdwRelation *relation)
{
	Request    *request = palloc0(sizeof(Request));
	Member	   *member = palloc0(sizeof(Member));

	member->rti = rel->relid;
	member->relid = relid;
	member->prefix = "";
	member->options = ((Member *) linitial(relation->request->members))->options;
	member->described = ((Member *) linitial(relation->request->members))->described;
	request->members = list_make1(member);
	request->limit = request->offset = -1;
	request->limit_hint = -1;
	return request;
}

/* ---------- size ---------- */

/* rows that come over the network, and what is decided about conditions */
static void
estimate(PlannerInfo *root, RelOptInfo *rel, FdwRelation *relation)
{
	Asking	   *asking;
	List	   *taken = NIL;
	ListCell   *lc;
	int			i = 0;

	(void) fdw_ask_plan(relation->session, relation->request, request_constants(relation->request), &asking);
	relation->all_taken = relation->local == NIL;
	foreach(lc, relation->pushed)
	{
		if (asking_settled(asking, i++))
			taken = lappend(taken, lfirst(lc));
		else
			relation->all_taken = false;
	}
	relation->retrieved = clamp_row_est(rel->tuples * clauselist_selectivity(root, taken, rel->relid, JOIN_INNER, NULL));
}

static void
get_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	FdwRelation *relation = palloc0(sizeof(FdwRelation));
	TableOptions *options = fdw_table_options(relid);
	Member	   *member = palloc0(sizeof(Member));
	Request    *request = palloc0(sizeof(Request));
	Oid			role = OidIsValid(rel->userid) ? rel->userid : GetUserId();

	rel->fdw_private = relation;
	relation->session = fdw_session_open(options, role);
	relation->relids = rel->relids;
	relation->request = request;
	member->options = options;
	member->described = options->entity == NULL ? NULL :
		session_describe(relation->session, options->entity, true);
	request->members = list_make1(member);
	relation->request = request = create_request(rel, relid, relation);
	classify(root, rel->relids, request, rel->baserestrictinfo, &relation->pushed, &relation->local);
	choose_columns(root, rel, relid, request, rel->baserestrictinfo);

	if (options->rows >= 0)
		rel->tuples = options->rows;
	else if (rel->tuples < 0)
		rel->tuples = DEFAULT_ROWS;
	set_baserel_size_estimates(root, rel);
	estimate(root, rel, relation);
	relation->rows = rel->rows;
	relation->width = rel->reltarget->width;
}

/* ---------- paths ---------- */

void
fdw_scan_cost(PlannerInfo *root, const TableOptions *options, List *local, double retrieved,
			  Cost *startup, Cost *total)
{
	QualCost	quals = {0};

	if (local != NIL)
		cost_qual_eval(&quals, local, root);
	*startup = options->startup_cost + quals.startup;
	*total = *startup + retrieved * (options->tuple_cost + cpu_tuple_cost + quals.per_tuple);
}

/*
 * The pathkeys as an order that the connector keeps; NIL: it does not, or they
 * are not columns.
 */
List *
fdw_order_of(PlannerInfo *root, FdwRelation *relation, List *pathkeys)
{
	Pushdown	pushdown = {.root = root,.relids = relation->relids,.request = relation->request};
	Request    *request = palloc(sizeof(Request));
	List	   *order = NIL;
	Asking	   *asking;
	ListCell   *lc;

	foreach(lc, pathkeys)
	{
		PathKey    *key = lfirst_node(PathKey, lc);
		Order	   *found = NULL;
		ListCell   *lm;

		if (key->pk_eclass->ec_has_volatile)
			return NIL;
		foreach(lm, key->pk_eclass->ec_members)
		{
			EquivalenceMember *em = lfirst_node(EquivalenceMember, lm);
			int			member;
			Oid			type;
			int32		typmod;
			char	   *field;

			if (em->em_is_const || em->em_is_child)
				continue;
			field = pushdown_field(&pushdown, em->em_expr, &member, &type, &typmod);
			if (field == NULL || !request_sortable(relation->request, member, field, type, typmod,
												   key->pk_eclass->ec_collation))
				continue;
			found = palloc0(sizeof(Order));
			found->member = member;
			found->field = field;
			found->descending = pathkey_descends(key);
			found->nulls_first = key->pk_nulls_first;
			found->collation = key->pk_eclass->ec_collation;
			found->operator = pathkey_operator(key, em->em_datatype);
			found->expr = em->em_expr;
			break;
		}
		if (found == NULL || !OidIsValid(found->operator))
			return NIL;
		order = lappend(order, found);
	}
	*request = *relation->request;
	request->order = order;
	if (order == NIL ||
		fdw_ask_plan(relation->session, request, request_constants(request), &asking) == NULL ||
		!asking->read->order_taken)
		return NIL;
	return order;
}

List *
fdw_place_order(List *order, List *tlist)
{
	List	   *placed = NIL;
	ListCell   *lc;

	foreach(lc, order)
	{
		Order	   *key = palloc(sizeof(Order));
		Expr	   *expr;

		*key = *(Order *) lfirst(lc);
		expr = key->expr;
		while (IsA(expr, RelabelType))
			expr = ((RelabelType *) expr)->arg;
		if (tlist == NIL)
			key->attnum = castNode(Var, expr)->varattno;
		else
		{
			TargetEntry *entry = tlist_member(expr, tlist);

			key->attnum = entry == NULL ? 0 : entry->resno;
		}
		placed = lappend(placed, key);
	}
	return placed;
}

static void
add_ordered_path(PlannerInfo *root, RelOptInfo *rel, FdwRelation *relation, const TableOptions *options)
{
	List	   *order = root->query_pathkeys == NIL ? NIL : fdw_order_of(root, relation, root->query_pathkeys);
	Cost		startup;
	Cost		total;

	if (order == NIL)
		return;
	fdw_scan_cost(root, options, relation->local, relation->retrieved, &startup, &total);
	add_path(rel, (Path *) foreign_scan_path(root, rel, NULL, rel->rows, startup, total,
											 root->query_pathkeys, rel->lateral_relids, NULL,
											 list_make1(order)));
}

/* what a callback of generate_implied_equalities_for_column() looks for */
typedef struct MemberSearch
{
	Expr	   *current;		/* the expression of this round */
	List	   *seen;
} MemberSearch;

static bool
is_searched_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em, void *arg)
{
	MemberSearch *search = arg;
	Expr	   *expr = em->em_expr;

	if (search->current != NULL)
		return equal(expr, search->current);
	if (list_member(search->seen, expr))
		return false;
	search->current = expr;
	return true;
}

/* join clauses with which the application may be asked for one row of the others at a time */
static List *
find_join_clauses(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *clauses = NIL;
	ListCell   *lc;

	foreach(lc, rel->joininfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);

		if (join_clause_is_movable_to(info, rel))
			clauses = lappend(clauses, info);
	}
	if (rel->has_eclass_joins)
	{
		MemberSearch search = {0};

		for (;;)
		{
			search.current = NULL;
			clauses = list_concat(clauses, generate_implied_equalities_for_column(root, rel, is_searched_member,
																				  &search, rel->lateral_referencers));
			if (search.current == NULL)
				break;
			search.seen = lappend(search.seen, search.current);
		}
	}
	return clauses;
}

static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel, FdwRelation *relation, const TableOptions *options)
{
	Pushdown	pushdown = {.root = root,.relids = relation->relids};
	List	   *infos = NIL;
	ListCell   *lc;

	foreach(lc, find_join_clauses(root, rel))
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);
		Request		scratch = *relation->request;
		Condition  *condition;
		Operand    *operands;
		Asking	   *asking;
		Relids		outer;

		pushdown.request = &scratch;
		condition = condition_make(&pushdown, info->clause);
		if (condition == NULL)
			continue;

		/* only if the application evaluates it is there a point in asking so often */
		scratch.conditions = list_make1(condition);
		operands = request_constants(&scratch);
		(void) fdw_ask_plan(relation->session, &scratch, operands, &asking);
		if (relation->session->connector->plan_read != NULL && !asking_settled(asking, 0))
			continue;
		if (asking->filters[0] == NULL)
			continue;
		outer = bms_union(info->clause_relids, rel->lateral_relids);
		outer = bms_del_member(outer, rel->relid);
		if (bms_is_empty(outer))
			continue;
		infos = list_append_unique_ptr(infos, get_baserel_parampathinfo(root, rel, outer));
	}
	foreach(lc, infos)
	{
		ParamPathInfo *info = lfirst(lc);
		Cost		startup;
		Cost		total;

		/* the clauses are pushed: what comes is what is wanted */
		fdw_scan_cost(root, options, relation->local, info->ppi_rows, &startup, &total);
		add_path(rel, (Path *) foreign_scan_path(root, rel, NULL, info->ppi_rows, startup, total, NIL,
												 info->ppi_req_outer, NULL, NIL));
	}
}

static void
get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	FdwRelation *relation = rel->fdw_private;
	const TableOptions *options = ((Member *) linitial(relation->request->members))->options;
	Cost		startup;
	Cost		total;

	fdw_scan_cost(root, options, relation->local, relation->retrieved, &startup, &total);
	add_path(rel, (Path *) foreign_scan_path(root, rel, NULL, rel->rows, startup, total, NIL,
											 rel->lateral_relids, NULL, NIL));
	add_ordered_path(root, rel, relation, options);
	add_parameterized_paths(root, rel, relation, options);
}

/* ---------- the plan ---------- */

/* rows after which the query needs no more, if nothing is between it and the table */
static double
limit_hint(PlannerInfo *root, RelOptInfo *rel)
{
	if (root->limit_tuples < 1 || root->limit_tuples > PG_INT32_MAX ||
		bms_membership(root->all_baserels) != BMS_SINGLETON || root->parse->groupClause != NIL ||
		root->parse->hasAggs || root->parse->distinctClause != NIL || root->parse->hasWindowFuncs)
		return -1;
	return root->limit_tuples;
}

static ForeignScan *
get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path, List *tlist, List *clauses, Plan *outer_plan)
{
	FdwRelation *relation = rel->fdw_private;
	Request    *request;
	List	   *pushed = NIL;
	List	   *local = NIL;
	bool		sorted_here;

	if (!IS_SIMPLE_REL(rel))
		return fdw_upper_plan(root, rel, path, tlist, clauses, outer_plan);
	request = create_request(rel, relid, relation);
	classify(root, rel->relids, request, clauses, &pushed, &local);
	choose_columns(root, rel, relid, request, clauses);
	if (path->fdw_private != NIL)
		request->order = fdw_place_order(linitial(path->fdw_private), NIL);

	/* a sort above reads all */
	sorted_here = root->sort_pathkeys != NIL && !pathkeys_contained_in(root->sort_pathkeys, path->path.pathkeys);
	request->limit_hint = sorted_here ? -1 : limit_hint(root, rel);
	return make_foreignscan(tlist, extract_actual_clauses(local, false), rel->relid, request->exprs,
							list_make1(request_to_list(request)), NIL, pushed, outer_plan);
}

/*
 * A scan is one process's work, but several of a query (partitions) may be several
 * processes' then.  Not unless it is asked for: each worker authenticates anew, and
 * SQL functions that are connectors may not be fit for it.
 */
static bool
is_parallel_safe(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte)
{
	char	   *value = fdw_option_value(rte->relid, "parallel_safe");
	bool		flag;

	return value != NULL && parse_bool(value, &flag) && flag;
}

void
fdw_plan_routine(FdwRoutine *routine)
{
	routine->GetForeignRelSize = get_rel_size;
	routine->GetForeignPaths = get_paths;
	routine->GetForeignPlan = get_plan;
	routine->IsForeignScanParallelSafe = is_parallel_safe;
}
