/*-------------------------------------------------------------------------
 *
 * join.c
 *	  Joins along relationships.
 *
 * Applications join only where one entity refers to another: a field of the child
 * holds the key of the parent, and the parent's fields are read under the
 * relationship's name ("Account.Name" of Contact).  So a join of the child's
 * reference with the parent's key is one request about the child, in which the
 * parent is a member with a prefix.
 *
 * An inner join also asks that the parent is there.  A left join leaves null where
 * it is not, as the application does; then the parent must have no conditions of its
 * own, which would have to be checked before the join.
 *
 * IDENTIFICATION
 *	  src/fdw/join.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/fdw.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"

/* the one clause that says that a child refers to a parent */
typedef struct Link
{
	int			member;			/* of the child's request, that refers */
	char	   *relationship;
	Expr	   *reference;
	Expr	   *key;			/* of the parent */
} Link;

static const Field *
described_field(const Request *request, int member, const char *field)
{
	const Schema *described = ((Member *) list_nth(request->members, member))->described;
	int			index = described == NULL ? -1 : schema_find(described, field);

	return index < 0 ? NULL : &described->fields[index];
}

/* child = parent, in this order? */
static bool
links(PlannerInfo *root, FdwRelation *child, FdwRelation *parent, Expr *reference, Expr *key, Link *link)
{
	Pushdown	of_child = {.root = root,.relids = child->relids,.request = child->request};
	Pushdown	of_parent = {.root = root,.relids = parent->relids,.request = parent->request};
	const char *entity = ((Member *) linitial(parent->request->members))->options->entity;
	const Field *referring;
	const Field *referred;
	char	   *field;
	int			member;
	Oid			type;
	int32		typmod;

	field = pushdown_field(&of_parent, key, &member, &type, &typmod);
	referred = field == NULL ? NULL : described_field(parent->request, member, field);
	if (referred == NULL || !referred->key)
		return false;
	field = pushdown_field(&of_child, reference, &member, &type, &typmod);
	referring = field == NULL ? NULL : described_field(child->request, member, field);
	if (referring == NULL || referring->references == NULL || referring->relationship == NULL ||
		strcmp(referring->references, entity) != 0)
		return false;
	link->member = member;
	link->relationship = referring->relationship;
	link->reference = reference;
	link->key = key;
	return true;
}

/* a key of several fields is referred to by several: those are no relationship of one name */
static bool
has_one_key(const FdwRelation *parent)
{
	const Schema *described = ((Member *) linitial(parent->request->members))->described;
	int			keys = 0;

	for (int i = 0; described != NULL && i < described->nfields; i++)
		keys += described->fields[i].key;
	return keys == 1;
}

static bool
find_link(PlannerInfo *root, FdwRelation *child, FdwRelation *parent, List *clauses, Link *link, List **others)
{
	bool		found = false;
	ListCell   *lc;

	*others = NIL;
	foreach(lc, clauses)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);
		OpExpr	   *op = (OpExpr *) info->clause;

		if (!found && IsA(op, OpExpr) && list_length(op->args) == 2 &&
			op_mergejoinable(op->opno, exprType(linitial(op->args))) &&
			(links(root, child, parent, linitial(op->args), lsecond(op->args), link) ||
			 links(root, child, parent, lsecond(op->args), linitial(op->args), link)))
			found = true;
		else
			*others = lappend(*others, info);
	}
	return found;
}

/* the parent as a member of the child's request */
static Member *
make_member(const FdwRelation *child, const FdwRelation *parent, const Link *link)
{
	Member	   *member = palloc(sizeof(Member));

	*member = *(Member *) linitial(parent->request->members);
	member->prefix = psprintf("%s%s.", ((Member *) list_nth(child->request->members, link->member))->prefix,
							  link->relationship);
	return member;
}

static Expr *
is_there(Expr *key)
{
	NullTest   *test = makeNode(NullTest);

	test->arg = key;
	test->nulltesttype = IS_NOT_NULL;
	test->location = -1;
	return (Expr *) test;
}

/* conditions of both, and of the join; false: one has none in the contract's terms */
static bool
make_conditions(PlannerInfo *root, FdwRelation *joined, List *clauses)
{
	Pushdown	pushdown = {.root = root,.relids = joined->relids,.request = joined->request};
	ListCell   *lc;

	foreach(lc, clauses)
	{
		Condition  *condition = condition_make(&pushdown, lfirst(lc));

		if (condition == NULL)
			return false;
		joined->request->conditions = lappend(joined->request->conditions, condition);
		joined->pushed = lappend(joined->pushed, lfirst(lc));
	}
	return true;
}

/* what is read, as far as planning is concerned; false: something that is no field */
static bool
choose_columns(PlannerInfo *root, RelOptInfo *joinrel, FdwRelation *joined)
{
	Pushdown	pushdown = {.root = root,.relids = joined->relids,.request = joined->request};
	ListCell   *lc;

	foreach(lc, joinrel->reltarget->exprs)
	{
		Column	   *column = palloc0(sizeof(Column));
		int			member;
		Oid			type;
		int32		typmod;
		char	   *field = pushdown_field(&pushdown, lfirst(lc), &member, &type, &typmod);

		if (field == NULL)
			return false;
		column->field = psprintf("%s%s", ((Member *) list_nth(joined->request->members, member))->prefix, field);
		joined->request->columns = lappend(joined->request->columns, column);
	}
	return true;
}

/* The join as one request about the child, or NULL. */
static FdwRelation *
join_along(PlannerInfo *root, RelOptInfo *joinrel, FdwRelation *child, FdwRelation *parent, JoinType jointype,
		   List *clauses)
{
	FdwRelation *joined = palloc0(sizeof(FdwRelation));
	List	   *conditions = list_copy(child->pushed);
	List	   *others;
	Asking	   *asking;
	Link		link;
	ListCell   *lc;

	if (list_length(parent->request->members) != 1 || !has_one_key(parent) ||
		!find_link(root, child, parent, clauses, &link, &others))
		return NULL;
	if (jointype == JOIN_LEFT && (others != NIL || parent->pushed != NIL || parent->local != NIL))
		return NULL;
	if (jointype == JOIN_INNER)
	{
		conditions = list_concat(conditions, parent->pushed);
		conditions = lappend(conditions, is_there(link.reference));
		conditions = lappend(conditions, is_there(link.key));
		foreach(lc, others)
			conditions = lappend(conditions, ((RestrictInfo *) lfirst(lc))->clause);
	}
	joined->session = child->session;
	joined->relids = joinrel->relids;
	joined->request = palloc0(sizeof(Request));
	joined->request->members = lappend(list_copy(child->request->members), make_member(child, parent, &link));
	joined->request->limit = joined->request->offset = -1;
	joined->request->limit_hint = -1;
	joined->local = list_concat_copy(child->local, parent->local);
	if (!make_conditions(root, joined, conditions) || !choose_columns(root, joinrel, joined))
		return NULL;
	if (fdw_ask_plan(joined->session, joined->request, request_constants(joined->request), &asking) == NULL)
		return NULL;
	joined->all_taken = joined->local == NIL;
	for (int i = 0; i < list_length(joined->request->conditions); i++)
		joined->all_taken = joined->all_taken && asking_settled(asking, i);

	/* no record of the child has more than one parent */
	joined->rows = joined->retrieved = Min(joinrel->rows, child->rows);
	joined->width = joinrel->reltarget->width;
	return joined;
}

static void
get_join_paths(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outer, RelOptInfo *inner, JoinType jointype,
			   JoinPathExtraData *extra)
{
	FdwRelation *left = outer->fdw_private;
	FdwRelation *right = inner->fdw_private;
	FdwRelation *joined = NULL;
	List	   *order;
	List	   *quals;
	Cost		startup;
	Cost		total;

	/* rows that are locked are checked again by themselves, which a joined one cannot be */
	if (joinrel->fdw_private != NULL || left == NULL || right == NULL || root->parse->commandType != CMD_SELECT ||
		root->rowMarks != NIL || !bms_is_empty(joinrel->lateral_relids))
		return;
	if (jointype == JOIN_INNER || jointype == JOIN_LEFT)
		joined = join_along(root, joinrel, left, right, jointype, extra->restrictlist);
	if (joined == NULL && jointype == JOIN_INNER)
		joined = join_along(root, joinrel, right, left, jointype, extra->restrictlist);
	if (joined == NULL)
		return;
	joinrel->fdw_private = joined;
	joinrel->rows = joined->rows;
	quals = extract_actual_clauses(joined->local, false);
	fdw_scan_cost(root, ((Member *) linitial(joined->request->members))->options, quals, joinrel->rows, &startup, &total);
	add_path(joinrel, (Path *) foreign_join_path(root, joinrel, NULL, joinrel->rows, startup, total, NIL,
												 joinrel->lateral_relids, NULL, NIL));
	order = root->query_pathkeys == NIL ? NIL : fdw_order_of(root, joined, root->query_pathkeys);
	if (order != NIL)
		add_path(joinrel, (Path *) foreign_join_path(root, joinrel, NULL, joinrel->rows, startup, total,
													 root->query_pathkeys, joinrel->lateral_relids, NULL, list_make1(order)));
}

void
fdw_join_routine(FdwRoutine *routine)
{
	routine->GetForeignJoinPaths = get_join_paths;
}
