/*-------------------------------------------------------------------------
 *
 * pushdown.c
 *	  PostgreSQL's expressions as conditions of the contract.
 *
 * A condition is made only of an expression that it can stand for exactly: the
 * records that satisfy it are those for which the expression is true, not false
 * or null.  NOT is driven down to the comparisons, where it has an operator of its
 * own; so of an expression that is not true, nobody needs to know whether it is
 * false or null.
 *
 * Here is decided what can be said in the contract's terms.  Whether the values of
 * the application compare as the column's do is found out by its description of
 * the field (field_compares()), and what the application evaluates by asking the
 * connector.
 *
 * IDENTIFICATION
 *	  src/fdw/pushdown.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "fdw/fdw.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "record/collation.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

static Condition *make(Pushdown *pushdown, Expr *node, bool negate);

static Condition *
refuse(Pushdown *pushdown, const char *reason)
{
	pushdown->reason = reason;
	return NULL;
}

/* ---------- columns ---------- */

static Expr *
strip_relabel(Expr *expr)
{
	while (expr != NULL && IsA(expr, RelabelType))
		expr = ((RelabelType *) expr)->arg;
	return expr;
}

char *
pushdown_field(Pushdown *pushdown, Expr *expr, int *member, Oid *type, int32 *typmod)
{
	Var		   *var = (Var *) strip_relabel(expr);
	ListCell   *lc;
	int			number = 0;

	if (var == NULL || !IsA(var, Var) || var->varlevelsup != 0 || var->varattno <= 0 ||
		!bms_is_member(var->varno, pushdown->relids))
		return NULL;
	foreach(lc, pushdown->request->members)
	{
		Member	   *candidate = lfirst(lc);

		if (candidate->rti == (Index) var->varno)
		{
			Relation	rel = table_open(candidate->relid, NoLock);
			char	   *field = fdw_column_field(rel, var->varattno);

			table_close(rel, NoLock);
			*member = number;
			*typmod = var->vartypmod;
			*type = getBaseTypeAndTypmod(var->vartype, typmod);
			return field;
		}
		number++;
	}
	return NULL;
}

/* ---------- operands ---------- */

/*
 * Whether an expression has one value for all records of a scan.  Volatile
 * functions do not.
 */
static bool
is_operand(Pushdown *pushdown, Expr *expr)
{
	return !bms_overlap(pull_varnos(pushdown->root, (Node *) expr), pushdown->relids) &&
		!contain_volatile_functions((Node *) expr) && !contain_subplans((Node *) expr);
}

static Expr *
cast_operand(Expr *expr, Oid function, Oid type)
{
	return (Expr *) makeFuncExpr(function, type, list_make1(expr), InvalidOid, InvalidOid,
								 COERCE_IMPLICIT_CAST);
}

/*
 * The operand as a value that text of the column's type can say: its own, or one
 * that is converted as its comparison with the column means it.  NULL: another.
 */
static Expr *
convert_operand(Expr *expr, Oid column)
{
	Oid			type;

	expr = strip_relabel(expr);
	type = getBaseType(exprType((Node *) expr));
	switch (column)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return type == INT2OID || type == INT4OID || type == INT8OID ? expr : NULL;
		case FLOAT8OID:
			return type == FLOAT4OID ? cast_operand(expr, F_FLOAT8_FLOAT4, FLOAT8OID) :
				type == FLOAT8OID ? expr : NULL;
		case TEXTOID:
		case VARCHAROID:
			return type == TEXTOID || type == VARCHAROID ? expr : NULL;
		case TIMESTAMPTZOID:
			return type == DATEOID ? cast_operand(expr, F_TIMESTAMPTZ_DATE, TIMESTAMPTZOID) :
				type == TIMESTAMPOID ? cast_operand(expr, F_TIMESTAMPTZ_TIMESTAMP, TIMESTAMPTZOID) :
				type == TIMESTAMPTZOID ? expr : NULL;
		case TIMESTAMPOID:
			return type == DATEOID ? cast_operand(expr, F_TIMESTAMP_DATE, TIMESTAMPOID) :
				type == TIMESTAMPOID ? expr : NULL;
		case BOOLOID:
		case FLOAT4OID:
		case NUMERICOID:
		case DATEOID:
		case UUIDOID:
			return type == column ? expr : NULL;
		default:
			return NULL;
	}
}

static int
add_operand(Pushdown *pushdown, Expr *expr)
{
	pushdown->request->exprs = lappend(pushdown->request->exprs, expr);
	return list_length(pushdown->request->exprs) - 1;
}

/* ---------- conditions ---------- */

static Condition *
make_leaf(FilterOperator operator, int member, char *field, Oid type, int32 typmod)
{
	Condition  *condition = palloc0(sizeof(Condition));

	condition->operator = operator;
	condition->member = member;
	condition->field = field;
	condition->type = type;
	condition->typmod = typmod;
	return condition;
}

static Condition *
make_const_leaf(Pushdown *pushdown, FilterOperator operator, int member, char *field, Oid type,
				int32 typmod, Const *value)
{
	Condition  *condition = make_leaf(operator, member, field, type, typmod);

	condition->operands = list_make1_int(add_operand(pushdown, (Expr *) value));
	return condition;
}

static Condition *
make_group(FilterOperator operator, List *children)
{
	Condition  *condition;

	if (list_length(children) == 1)
		return linitial(children);
	condition = palloc0(sizeof(Condition));
	condition->operator = operator;
	condition->children = children;
	return condition;
}

static FilterOperator
opposite(FilterOperator operator)
{
	switch (operator)
	{
		case FILTER_LESS_THAN:
			return FILTER_GREATER_THAN_OR_EQUAL_TO;
		case FILTER_GREATER_THAN:
			return FILTER_LESS_THAN_OR_EQUAL_TO;
		case FILTER_LESS_THAN_OR_EQUAL_TO:
			return FILTER_GREATER_THAN;
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			return FILTER_LESS_THAN;
		case FILTER_EQUAL_TO:
			return FILTER_NOT_EQUAL_TO;
		case FILTER_NOT_EQUAL_TO:
			return FILTER_EQUAL_TO;
		case FILTER_IS_NULL:
			return FILTER_IS_NOT_NULL;
		case FILTER_IS_NOT_NULL:
			return FILTER_IS_NULL;
		default:
			elog(ERROR, "filter operator %d has no opposite", operator);
	}
}

/* the comparison that an operator makes of values of a type, by its own order */
static bool
comparison_of(Oid operator, Oid type, FilterOperator *comparison)
{
	Oid			family = lookup_type_cache(type == VARCHAROID ? TEXTOID : type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;

	if (operator >= FirstNormalObjectId || !OidIsValid(family))
		return false;
	switch (get_op_opfamily_strategy(operator, family))
	{
		case BTLessStrategyNumber:
			*comparison = FILTER_LESS_THAN;
			return true;
		case BTLessEqualStrategyNumber:
			*comparison = FILTER_LESS_THAN_OR_EQUAL_TO;
			return true;
		case BTEqualStrategyNumber:
			*comparison = FILTER_EQUAL_TO;
			return true;
		case BTGreaterEqualStrategyNumber:
			*comparison = FILTER_GREATER_THAN_OR_EQUAL_TO;
			return true;
		case BTGreaterStrategyNumber:
			*comparison = FILTER_GREATER_THAN;
			return true;
		default:
			break;
	}
	operator = get_negator(operator);
	if (OidIsValid(operator) && get_op_opfamily_strategy(operator, family) == BTEqualStrategyNumber)
	{
		*comparison = FILTER_NOT_EQUAL_TO;
		return true;
	}
	return false;
}

/* text compares by bytes only under some collations */
static const char *
collation_problem(Oid type, Oid collation, FilterOperator operator)
{
	if (type != TEXTOID && type != VARCHAROID)
		return NULL;
	if (operator == FILTER_EQUAL_TO || operator == FILTER_NOT_EQUAL_TO ||
		operator == FILTER_CONTAINS || operator == FILTER_STARTS_WITH)
		return OidIsValid(collation) && get_collation_isdeterministic(collation) ? NULL :
			"its collation calls different texts equal";
	return OidIsValid(collation) && collation_is_c(collation) ? NULL :
		"its collation does not order text by bytes, as COLLATE \"C\" does";
}

#define NO_COLUMN "it compares no column of the entity"
#define NO_OPERATOR "its operator has no counterpart among the filters of applications"
#define NO_OPERAND "what the column is compared with is not the same for all records"
#define NO_TYPE "values of these types do not compare in the same way elsewhere"

/*
 * A LIKE pattern without wildcards within: what it looks for, and where.  False
 * for all others.
 */
static bool
parse_pattern(const char *pattern, int length, StringInfo text, FilterOperator *operator)
{
	bool		at_start = true;	/* no % before */
	bool		at_end = true;
	int			i = 0;

	while (i < length && pattern[i] == '%')
	{
		at_start = false;
		i++;
	}
	for (; i < length; i++)
	{
		if (pattern[i] == '_')
			return false;
		if (pattern[i] == '%')
		{
			for (; i < length; i++)
			{
				if (pattern[i] != '%')
					return false;
			}
			at_end = false;
			break;
		}
		if (pattern[i] == '\\' && ++i == length)
			return false;		/* an error of LIKE's own */
		appendStringInfoChar(text, pattern[i]);
	}
	if (at_start)
		*operator = at_end ? FILTER_EQUAL_TO : FILTER_STARTS_WITH;
	else if (!at_end)
		*operator = FILTER_CONTAINS;
	else
		return false;

	/* what any text satisfies has no such operator */
	return text->len > 0 || *operator == FILTER_EQUAL_TO;
}

/* column LIKE pattern, or column ^@ prefix */
static Condition *
make_match(Pushdown *pushdown, Expr *left, Expr *right, Oid collation, bool like, bool negate)
{
	StringInfoData wanted;
	FilterOperator operator = FILTER_STARTS_WITH;
	Const	   *pattern = (Const *) strip_relabel(right);
	int			member;
	Oid			type;
	int32		typmod;
	char	   *field = pushdown_field(pushdown, left, &member, &type, &typmod);
	const char *problem;

	if (field == NULL)
		return refuse(pushdown, NO_COLUMN);
	if (type != TEXTOID && type != VARCHAROID)
		return refuse(pushdown, NO_TYPE);
	if (pattern == NULL || !IsA(pattern, Const) || pattern->constisnull)
		return refuse(pushdown, "its pattern is not a constant");
	initStringInfo(&wanted);
	if (!like)
		appendStringInfoString(&wanted, TextDatumGetCString(pattern->constvalue));
	else
	{
		char	   *whole = TextDatumGetCString(pattern->constvalue);

		/* multibyte encodings of servers never have ASCII bytes within */
		if (!parse_pattern(whole, strlen(whole), &wanted, &operator))
			return refuse(pushdown, "its pattern is not of the form 'text%', '%text%' or 'text'");
	}
	if (!like && wanted.len == 0)
		return refuse(pushdown, "its prefix is empty");
	problem = collation_problem(type, collation, operator);
	if (problem != NULL)
		return refuse(pushdown, problem);
	if (negate)
	{
		if (operator != FILTER_EQUAL_TO)
			return refuse(pushdown, NO_OPERATOR);
		operator = FILTER_NOT_EQUAL_TO;
	}
	return make_const_leaf(pushdown, operator, member, field, type, typmod,
						   makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
									 CStringGetTextDatum(wanted.data), false, false));
}

static Condition *
make_comparison(Pushdown *pushdown, Expr *left, Expr *right, Oid operator, Oid collation, bool array, bool negate)
{
	FilterOperator comparison;
	Condition  *condition;
	Expr	   *operand;
	int			member;
	Oid			type;
	int32		typmod;
	char	   *field = pushdown_field(pushdown, left, &member, &type, &typmod);
	const char *problem;

	if (field == NULL && !array)
	{
		Expr	   *swap = left;

		operator = get_commutator(operator);
		left = right;
		right = swap;
		field = OidIsValid(operator) ? pushdown_field(pushdown, left, &member, &type, &typmod) : NULL;
	}
	if (field == NULL)
		return refuse(pushdown, NO_COLUMN);
	if (!comparison_of(operator, type, &comparison))
		return refuse(pushdown, NO_OPERATOR);
	if (negate)
		comparison = opposite(comparison);
	if (!is_operand(pushdown, right))
		return refuse(pushdown, NO_OPERAND);
	problem = collation_problem(type, collation, comparison);
	if (problem != NULL)
		return refuse(pushdown, problem);
	if (array)
	{
		Oid			element = get_element_type(getBaseType(exprType((Node *) strip_relabel(right))));
		CaseTestExpr *each = makeNode(CaseTestExpr);

		/* elements must do without a conversion */
		each->typeId = element;
		operand = OidIsValid(element) ? convert_operand((Expr *) each, type) : NULL;
		operand = operand == (Expr *) each ? strip_relabel(right) : NULL;
	}
	else
		operand = convert_operand(right, type);
	if (operand == NULL)
		return refuse(pushdown, NO_TYPE);
	condition = make_leaf(comparison, member, field, type, typmod);
	condition->array = array;
	condition->operands = list_make1_int(add_operand(pushdown, operand));
	return condition;
}

static Condition *
make_operator(Pushdown *pushdown, OpExpr *op, bool negate)
{
	Expr	   *left;
	Expr	   *right;

	if (list_length(op->args) != 2)
		return refuse(pushdown, NO_OPERATOR);
	left = linitial(op->args);
	right = lsecond(op->args);
	if (op->opno == OID_TEXT_LIKE_OP)
		return make_match(pushdown, left, right, op->inputcollid, true, negate);
	if (op->opfuncid == F_STARTS_WITH)
		return make_match(pushdown, left, right, op->inputcollid, false, negate);

	/* x NOT LIKE p */
	if (op->opno == get_negator(OID_TEXT_LIKE_OP))
		return make_match(pushdown, left, right, op->inputcollid, true, !negate);
	return make_comparison(pushdown, left, right, op->opno, op->inputcollid, false, negate);
}

static Condition *
make_array(Pushdown *pushdown, ScalarArrayOpExpr *op, bool negate)
{
	FilterOperator comparison;
	Expr	   *left = linitial(op->args);
	int			member;
	Oid			type;
	int32		typmod;

	if (pushdown_field(pushdown, left, &member, &type, &typmod) == NULL)
		return refuse(pushdown, NO_COLUMN);

	/* equal to any, or different from all; also when that is the opposite */
	if (!comparison_of(op->opno, type, &comparison) ||
		comparison != (op->useOr ? FILTER_EQUAL_TO : FILTER_NOT_EQUAL_TO))
		return refuse(pushdown, NO_OPERATOR);
	return make_comparison(pushdown, left, lsecond(op->args), op->opno, op->inputcollid, true, negate);
}

static Condition *
make_truth(Pushdown *pushdown, Expr *column, bool value)
{
	int			member;
	Oid			type;
	int32		typmod;
	char	   *field = pushdown_field(pushdown, column, &member, &type, &typmod);

	if (field == NULL || type != BOOLOID)
		return refuse(pushdown, NO_COLUMN);
	return make_const_leaf(pushdown, FILTER_EQUAL_TO, member, field, type, typmod,
						   (Const *) makeBoolConst(value, false));
}

static Condition *
make_null_test(Pushdown *pushdown, Expr *column, bool is_null)
{
	int			member;
	Oid			type;
	int32		typmod;
	char	   *field = pushdown_field(pushdown, column, &member, &type, &typmod);

	if (field == NULL)
		return refuse(pushdown, NO_COLUMN);
	return make_leaf(is_null ? FILTER_IS_NULL : FILTER_IS_NOT_NULL, member, field, type, typmod);
}

/* x IS TRUE and its like: never null themselves */
static Condition *
make_boolean_test(Pushdown *pushdown, BooleanTest *test, bool negate)
{
	Condition  *condition;
	Condition  *null;
	bool		value;

	switch (test->booltesttype)
	{
		case IS_UNKNOWN:
		case IS_NOT_UNKNOWN:
			return make_null_test(pushdown, test->arg, (test->booltesttype == IS_UNKNOWN) != negate);
		case IS_TRUE:
		case IS_NOT_TRUE:
			value = true;
			negate = negate != (test->booltesttype == IS_NOT_TRUE);
			break;
		default:
			value = false;
			negate = negate != (test->booltesttype == IS_NOT_FALSE);
			break;
	}
	condition = make_truth(pushdown, test->arg, value != negate);
	if (condition == NULL || !negate)
		return condition;

	/* not true: false, or null */
	null = make_null_test(pushdown, test->arg, true);
	return null == NULL ? NULL : make_group(FILTER_ANY, list_make2(condition, null));
}

/* x IS DISTINCT FROM constant */
static Condition *
make_distinct(Pushdown *pushdown, DistinctExpr *distinct, bool negate)
{
	Expr	   *left = linitial(distinct->args);
	Expr	   *right = lsecond(distinct->args);
	Condition  *condition;
	Condition  *null;

	if (IsA(left, Const))
	{
		Expr	   *swap = left;

		left = right;
		right = swap;
	}
	if (!IsA(right, Const) || ((Const *) right)->constisnull)
		return refuse(pushdown, NO_OPERATOR);

	/* the expression's operator is the equality that it denies */
	condition = make_comparison(pushdown, left, right, distinct->opno, distinct->inputcollid, false, !negate);
	if (condition == NULL || negate)
		return condition;
	null = make_null_test(pushdown, left, true);
	return null == NULL ? NULL : make_group(FILTER_ANY, list_make2(condition, null));
}

static Condition *
make(Pushdown *pushdown, Expr *node, bool negate)
{
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_RestrictInfo:
			return make(pushdown, ((RestrictInfo *) node)->clause, negate);
		case T_Var:
		case T_RelabelType:
			return make_truth(pushdown, node, !negate);
		case T_BoolExpr:
			{
				BoolExpr   *expr = (BoolExpr *) node;
				List	   *children = NIL;
				ListCell   *lc;

				if (expr->boolop == NOT_EXPR)
					return make(pushdown, linitial(expr->args), !negate);
				foreach(lc, expr->args)
				{
					Condition  *child = make(pushdown, lfirst(lc), negate);

					if (child == NULL)
						return NULL;
					children = lappend(children, child);
				}
				return make_group((expr->boolop == AND_EXPR) != negate ? FILTER_ALL : FILTER_ANY, children);
			}
		case T_OpExpr:
			return make_operator(pushdown, (OpExpr *) node, negate);
		case T_ScalarArrayOpExpr:
			return make_array(pushdown, (ScalarArrayOpExpr *) node, negate);
		case T_NullTest:
			return make_null_test(pushdown, ((NullTest *) node)->arg,
								  (((NullTest *) node)->nulltesttype == IS_NULL) != negate);
		case T_BooleanTest:
			return make_boolean_test(pushdown, (BooleanTest *) node, negate);
		case T_DistinctExpr:
			return make_distinct(pushdown, (DistinctExpr *) node, negate);
		case T_FuncExpr:
			if (((FuncExpr *) node)->funcid == F_STARTS_WITH)
				return make_match(pushdown, linitial(((FuncExpr *) node)->args), lsecond(((FuncExpr *) node)->args),
								  ((FuncExpr *) node)->inputcollid, false, negate);
			return refuse(pushdown, "functions are evaluated here");
		case T_SubPlan:
		case T_AlternativeSubPlan:
			return refuse(pushdown, "subqueries are evaluated here");
		default:
			return refuse(pushdown, NO_OPERATOR);
	}
}

Condition *
condition_make(Pushdown *pushdown, Expr *clause)
{
	int			nexprs = list_length(pushdown->request->exprs);
	Condition  *condition;

	pushdown->reason = NULL;
	condition = make(pushdown, clause, false);
	if (condition == NULL)
		pushdown->request->exprs = list_truncate(pushdown->request->exprs, nexprs);
	return condition;
}

/* ---------- fields ---------- */

bool
field_compares(const Field *field, Oid type, int32 typmod, FilterOperator operator)
{
	/* that there is a value means the same everywhere */
	if (operator == FILTER_IS_NULL || operator == FILTER_IS_NOT_NULL)
		return !field->write_only;
	if (field->write_only)
		return false;
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
			return field->type == FIELD_STRING;
		case BOOLOID:
			return field->type == FIELD_BOOLEAN;
		case UUIDOID:
			return field->type == FIELD_UUID &&
				(operator == FILTER_EQUAL_TO || operator == FILTER_NOT_EQUAL_TO);
		case INT2OID:
		case INT4OID:
			return field->type == FIELD_INTEGER || field->type == FIELD_LONG ||
				field->type == FIELD_DOUBLE ||
				(field->type == FIELD_DECIMAL && !field->specials);
		case INT8OID:
			return field->type == FIELD_INTEGER || field->type == FIELD_LONG ||
				(field->type == FIELD_DECIMAL && !field->specials);
		case NUMERICOID:
			if (field->type != FIELD_INTEGER && field->type != FIELD_LONG && field->type != FIELD_DECIMAL)
				return false;

			/* NaN is above all numbers here, and none elsewhere */
			if (field->specials && operator != FILTER_EQUAL_TO && operator != FILTER_LESS_THAN &&
				operator != FILTER_LESS_THAN_OR_EQUAL_TO)
				return false;
			if (typmod >= (int32) VARHDRSZ && field->type == FIELD_DECIMAL)
			{
				int			scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;

				/* a column that rounds has other values */
				return field->precision > 0 && field->scale <= scale;
			}
			return true;
		case FLOAT8OID:
			return field->type == FIELD_DOUBLE;
		case FLOAT4OID:
			return field->type == FIELD_FLOAT;
		case DATEOID:
			return field->type == FIELD_DATE;
		case TIMESTAMPTZOID:
			return field->type == FIELD_DATETIME && (typmod < 0 || typmod >= 6);
		case TIMESTAMPOID:
			return field->type == FIELD_TIMESTAMP && (typmod < 0 || typmod >= 6);
		default:
			return false;
	}
}
