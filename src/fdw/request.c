/*-------------------------------------------------------------------------
 *
 * request.c
 *	  What a scan asks for: kept in its plan, and said to the connector.
 *
 * In a plan a request is nothing but lists, strings and numbers, which can be
 * copied; operands are expressions beside it.  Nothing of the connector, the
 * profile or the session goes into a plan: they are looked up when it is run.
 *
 * IDENTIFICATION
 *	  src/fdw/request.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fdw/fdw.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "record/collation.h"
#include "record/jsonb_access.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* ---------- to a list and back ---------- */

/* elements that may be NULL: an empty list */
static Node *
string_node(const char *text)
{
	return text == NULL ? (Node *) list_make1_int(0) : (Node *) makeString(pstrdup(text));
}

static char *
string_of(Node *node)
{
	return IsA(node, String) ? strVal(node) : NULL;
}

static List *
condition_to_list(const Condition *condition)
{
	List	   *children = NIL;
	List	   *numbers = list_make5_int(condition->operator, condition->member, (int) condition->type,
										 condition->typmod, condition->array);
	ListCell   *lc;

	foreach(lc, condition->children)
		children = lappend(children, condition_to_list(lfirst(lc)));
	return list_make4(numbers, string_node(condition->field), condition->operands, children);
}

static Condition *
condition_from_list(List *list)
{
	Condition  *condition = palloc0(sizeof(Condition));
	List	   *numbers = linitial(list);
	ListCell   *lc;

	condition->operator = linitial_int(numbers);
	condition->member = lsecond_int(numbers);
	condition->type = (Oid) lthird_int(numbers);
	condition->typmod = lfourth_int(numbers);
	condition->array = list_nth_int(numbers, 4);
	condition->field = string_of(lsecond(list));
	condition->operands = lthird(list);
	foreach(lc, (List *) lfourth(list))
		condition->children = lappend(condition->children, condition_from_list(lfirst(lc)));
	return condition;
}

List *
request_to_list(const Request *request)
{
	List	   *members = NIL;
	List	   *columns = NIL;
	List	   *conditions = NIL;
	List	   *order = NIL;
	List	   *aggregates = NIL;
	List	   *reasons = NIL;
	ListCell   *lc;

	foreach(lc, request->members)
	{
		Member	   *member = lfirst(lc);

		members = lappend(members, list_make2(list_make1_int((int) member->relid), string_node(member->prefix)));
	}
	foreach(lc, request->columns)
	{
		Column	   *column = lfirst(lc);

		columns = lappend(columns, list_make2(list_make1_int(column->attnum), string_node(column->field)));
	}
	foreach(lc, request->conditions)
		conditions = lappend(conditions, condition_to_list(lfirst(lc)));
	foreach(lc, request->order)
	{
		Order	   *key = lfirst(lc);
		List	   *numbers = list_make5_int(key->attnum, key->member, key->descending, key->nulls_first,
											 (int) key->operator);

		numbers = lappend_int(numbers, (int) key->collation);
		order = lappend(order, list_make2(numbers, string_node(key->field)));
	}
	foreach(lc, request->aggregates)
	{
		AggregateColumn *aggregate = lfirst(lc);

		aggregates = lappend(aggregates, list_make2(list_make3_int(aggregate->group, aggregate->function,
																   aggregate->member),
													string_node(aggregate->field)));
	}
	foreach(lc, request->reasons)
		reasons = lappend(reasons, string_node(lfirst(lc)));
	return lappend(lappend(list_make5(members, columns, conditions, order,
									  list_make4_int(request->limited, request->limit, request->offset,
													 (int) Min(request->limit_hint, PG_INT32_MAX))),
						   aggregates), reasons);
}

Request *
request_from_list(List *list)
{
	Request    *request = palloc0(sizeof(Request));
	List	   *limits = list_nth(list, 4);
	ListCell   *lc;

	foreach(lc, (List *) linitial(list))
	{
		List	   *parts = lfirst(lc);
		Member	   *member = palloc0(sizeof(Member));

		member->relid = (Oid) linitial_int(linitial(parts));
		member->prefix = string_of(lsecond(parts));
		request->members = lappend(request->members, member);
	}
	foreach(lc, (List *) lsecond(list))
	{
		List	   *parts = lfirst(lc);
		Column	   *column = palloc0(sizeof(Column));

		column->attnum = linitial_int(linitial(parts));
		column->field = string_of(lsecond(parts));
		request->columns = lappend(request->columns, column);
	}
	foreach(lc, (List *) lthird(list))
		request->conditions = lappend(request->conditions, condition_from_list(lfirst(lc)));
	foreach(lc, (List *) lfourth(list))
	{
		List	   *numbers = linitial(lfirst(lc));
		Order	   *key = palloc0(sizeof(Order));

		key->attnum = linitial_int(numbers);
		key->member = lsecond_int(numbers);
		key->descending = lthird_int(numbers);
		key->nulls_first = lfourth_int(numbers);
		key->operator = (Oid) list_nth_int(numbers, 4);
		key->collation = (Oid) list_nth_int(numbers, 5);
		key->field = string_of(lsecond(lfirst(lc)));
		request->order = lappend(request->order, key);
	}
	request->limited = linitial_int(limits);
	request->limit = lsecond_int(limits);
	request->offset = lthird_int(limits);
	request->limit_hint = lfourth_int(limits);
	foreach(lc, (List *) list_nth(list, 5))
	{
		List	   *numbers = linitial(lfirst(lc));
		AggregateColumn *aggregate = palloc0(sizeof(AggregateColumn));

		aggregate->group = linitial_int(numbers);
		aggregate->function = lsecond_int(numbers);
		aggregate->member = lthird_int(numbers);
		aggregate->field = string_of(lsecond(lfirst(lc)));
		request->aggregates = lappend(request->aggregates, aggregate);
	}
	foreach(lc, (List *) list_nth(list, 6))
		request->reasons = lappend(request->reasons, string_of(lfirst(lc)));
	return request;
}

/* ---------- operands ---------- */

Operand *
request_constants(const Request *request)
{
	Operand    *operands = palloc0(sizeof(Operand) * Max(list_length(request->exprs), 1));
	ListCell   *lc;
	int			i = 0;

	foreach(lc, request->exprs)
	{
		Expr	   *expr = lfirst(lc);

		operands[i].type = getBaseType(exprType((Node *) expr));
		if (IsA(expr, Const))
		{
			operands[i].known = true;
			operands[i].isnull = ((Const *) expr)->constisnull;
			operands[i].value = ((Const *) expr)->constvalue;
		}
		i++;
	}
	return operands;
}

/*
 * The text of a value as filters take it, in UTF-8.  NULL: it has none, as NaN
 * and infinities.
 */
static char *
operand_text(Datum value, Oid type)
{
	char		number[64];
	struct pg_tm tm;
	fsec_t		fraction;
	char	   *string;

	switch (type)
	{
		case INT2OID:
			return psprintf("%d", DatumGetInt16(value));
		case INT4OID:
			return psprintf("%d", DatumGetInt32(value));
		case INT8OID:
			return psprintf(INT64_FORMAT, DatumGetInt64(value));
		case FLOAT4OID:
			if (isnan(DatumGetFloat4(value)) || isinf(DatumGetFloat4(value)))
				return NULL;
			float_to_shortest_decimal_buf(DatumGetFloat4(value), number);
			return pstrdup(number);
		case FLOAT8OID:
			if (isnan(DatumGetFloat8(value)) || isinf(DatumGetFloat8(value)))
				return NULL;
			double_to_shortest_decimal_buf(DatumGetFloat8(value), number);
			return pstrdup(number);
		case NUMERICOID:
			if (numeric_is_nan(DatumGetNumeric(value)) || numeric_is_inf(DatumGetNumeric(value)))
				return NULL;
			return DatumGetCString(DirectFunctionCall1(numeric_out, value));
		case BOOLOID:
			return pstrdup(DatumGetBool(value) ? "true" : "false");
		case UUIDOID:
			return DatumGetCString(DirectFunctionCall1(uuid_out, value));
		case DATEOID:
			if (DATE_NOT_FINITE(DatumGetDateADT(value)))
				return NULL;
			j2date(DatumGetDateADT(value) + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
			if (tm.tm_year < 1 || tm.tm_year > 9999)
				return NULL;
			return psprintf("%04d-%02d-%02d", tm.tm_year, tm.tm_mon, tm.tm_mday);
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			/* without a zone given, a timestamptz is taken apart in UTC */
			if (TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value)) ||
				timestamp2tm(DatumGetTimestamp(value), NULL, &tm, &fraction, NULL, NULL) != 0 ||
				tm.tm_year < 1 || tm.tm_year > 9999)
				return NULL;
			return psprintf("%04d-%02d-%02dT%02d:%02d:%02d%s%s", tm.tm_year, tm.tm_mon, tm.tm_mday,
							tm.tm_hour, tm.tm_min, tm.tm_sec,
							fraction == 0 ? "" : psprintf(".%06d", (int) fraction),
							type == TIMESTAMPTZOID ? "Z" : "");
		case TEXTOID:
		case VARCHAROID:
			string = TextDatumGetCString(value);
			return GetDatabaseEncoding() == PG_UTF8 ? string :
				pg_server_to_any(string, strlen(string), PG_UTF8);
		default:
			return NULL;
	}
}

/* ---------- conditions with their values ---------- */

/* what a condition comes to once its operands are known */
typedef enum Verdict
{
	VERDICT_FILTER,				/* it depends on the record */
	VERDICT_ALWAYS,
	VERDICT_NEVER,
	VERDICT_HERE				/* applications cannot be asked for it */
} Verdict;

static void
add_filter_operand(Filter *filter, char *text)
{
	if (filter->operands == NULL)
		filter->operands = palloc(sizeof(char *));
	else
		filter->operands = repalloc(filter->operands, sizeof(char *) * (filter->noperands + 1));
	filter->operands[filter->noperands++] = text;
}

/* the elements of an array: any of them, or none */
static Verdict
add_elements(Filter *filter, const Operand *operand)
{
	Oid			type = get_element_type(operand->type);
	int16		length;
	bool		by_value;
	char		align;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	deconstruct_array(DatumGetArrayTypeP(operand->value), type, length, by_value, align, &values, &nulls, &n);

	/* nothing is equal to one of none; all things, nulls too, differ from them */
	if (n == 0)
		return filter->operator == FILTER_EQUAL_TO ? VERDICT_NEVER : VERDICT_ALWAYS;
	for (int i = 0; i < n; i++)
	{
		char	   *text;

		if (nulls[i])
		{
			/* nobody knows whether anything differs from a null */
			if (filter->operator == FILTER_NOT_EQUAL_TO)
				return VERDICT_NEVER;
			continue;
		}
		text = operand_text(values[i], getBaseType(type));
		if (text == NULL)
			return VERDICT_HERE;
		add_filter_operand(filter, text);
	}
	return filter->noperands == 0 ? VERDICT_NEVER : VERDICT_FILTER;
}

static Verdict
resolve_leaf(const Request *request, const Condition *condition, const Operand *operands, Filter **result)
{
	Member	   *member = list_nth(request->members, condition->member);
	int			index = member->described == NULL ? -1 : schema_find(member->described, condition->field);
	const Field *field;
	Filter	   *filter;
	ListCell   *lc;

	if (index < 0)
		return VERDICT_HERE;
	field = &member->described->fields[index];
	if (!field_compares(field, condition->type, condition->typmod, condition->operator))
		return VERDICT_HERE;
	filter = palloc0(sizeof(Filter));
	filter->operator = condition->operator;
	filter->field = psprintf("%s%s", member->prefix, condition->field);
	filter->typed = true;
	filter->type = field->type;
	foreach(lc, condition->operands)
	{
		const Operand *operand = &operands[lfirst_int(lc)];
		char	   *text = NULL;

		if (!operand->known)
		{
			add_filter_operand(filter, NULL);
			continue;
		}
		if (operand->isnull)
			return VERDICT_NEVER;
		if (condition->array)
		{
			Verdict		verdict = add_elements(filter, operand);

			if (verdict != VERDICT_FILTER)
				return verdict;
			continue;
		}
		text = operand_text(operand->value, operand->type);
		if (text == NULL)
			return VERDICT_HERE;
		add_filter_operand(filter, text);
	}
	*result = filter;
	return VERDICT_FILTER;
}

static Verdict
resolve(const Request *request, const Condition *condition, const Operand *operands, Filter **result)
{
	bool		all = condition->operator == FILTER_ALL;
	List	   *children = NIL;
	Verdict		verdict = VERDICT_FILTER;
	ListCell   *lc;

	if (condition->field != NULL)
		return resolve_leaf(request, condition, operands, result);
	foreach(lc, condition->children)
	{
		Filter	   *child;
		Verdict		of_child = resolve(request, lfirst(lc), operands, &child);

		if (of_child == (all ? VERDICT_NEVER : VERDICT_ALWAYS))
			return of_child;
		if (of_child == VERDICT_HERE)
			verdict = VERDICT_HERE;
		if (of_child == VERDICT_FILTER)
			children = lappend(children, child);
	}
	if (verdict == VERDICT_HERE)
		return VERDICT_HERE;
	if (children == NIL)
		return all ? VERDICT_ALWAYS : VERDICT_NEVER;
	if (list_length(children) == 1)
	{
		*result = linitial(children);
		return VERDICT_FILTER;
	}
	*result = palloc0(sizeof(Filter));
	(*result)->operator = condition->operator;
	(*result)->children = children;
	return VERDICT_FILTER;
}

/* ---------- the request ---------- */

/* where objects are and what is in them */
static Jsonb *
s3_properties(const TableOptions *options)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"bucketName\": ");
	escape_json(&text, options->bucket);
	if (options->prefix != NULL)
	{
		appendStringInfoString(&text, ", \"bucketPrefix\": ");
		escape_json(&text, options->prefix);
	}
	appendStringInfo(&text, ", \"s3InputFormatConfig\": {\"s3InputFileType\": \"%s\"}}", options->format);
	return jsonb_parse(text.data);
}

static char *
whole_name(const Request *request, int member, const char *field)
{
	return psprintf("%s%s", ((Member *) list_nth(request->members, member))->prefix, field);
}

static void
ask_aggregates(ReadRequest *read, const Request *request)
{
	ListCell   *lc;

	foreach(lc, request->aggregates)
	{
		AggregateColumn *column = lfirst(lc);
		char	   *field = column->field ? whole_name(request, column->member, column->field) : NULL;
		Aggregate  *aggregate;

		if (column->group)
		{
			read->group_by = lappend(read->group_by, field);
			continue;
		}
		aggregate = palloc0(sizeof(Aggregate));
		aggregate->function = column->function;
		aggregate->field = field;
		read->aggregates = lappend(read->aggregates, aggregate);
	}
}

/* rows wanted in all: what does not fit into int64 is no limit */
static int64
known_count(const Operand *operands, int index, int64 unknown, int64 none)
{
	if (index < 0)
		return none;
	if (!operands[index].known)
		return unknown;
	return operands[index].isnull ? none : DatumGetInt64(operands[index].value);
}

Asking *
request_ask(const Request *request, const Operand *operands)
{
	Member	   *main = linitial(request->members);
	const TableOptions *options = main->options;
	Asking	   *asking = palloc0(sizeof(Asking));
	ReadRequest *read = read_request_create(options->entity);
	bool		complete = true;
	ListCell   *lc;
	int			i = 0;

	asking->read = read;
	read->described = main->described;
	read->page_size = options->page_size;
	if (options->entity == NULL)
		read->properties = s3_properties(options);
	if (request->aggregates != NIL)
		ask_aggregates(read, request);
	else
	{
		foreach(lc, request->columns)
			read->fields = lappend(read->fields, ((Column *) lfirst(lc))->field);
	}
	asking->filters = palloc0(sizeof(Filter *) * Max(list_length(request->conditions), 1));
	foreach(lc, request->conditions)
	{
		Filter	   *filter = NULL;

		switch (resolve(request, lfirst(lc), operands, &filter))
		{
			case VERDICT_FILTER:
				asking->filters[i] = filter;
				read->filters = lappend(read->filters, filter);
				break;
			case VERDICT_ALWAYS:
				/* nothing to ask or to check */
				asking->filters[i] = palloc0(sizeof(Filter));
				asking->filters[i]->taken = true;
				break;
			case VERDICT_NEVER:
				asking->never = true;
				break;
			case VERDICT_HERE:
				complete = false;
				break;
		}
		i++;
	}
	foreach(lc, request->order)
	{
		Order	   *key = lfirst(lc);
		OrderKey   *order = palloc0(sizeof(OrderKey));

		order->field = whole_name(request, key->member, key->field);
		order->descending = key->descending;
		order->nulls_first = key->nulls_first;
		read->order = lappend(read->order, order);
	}
	if (request->limited && complete)
	{
		read->limit = known_count(operands, request->limit, 1, NO_LIMIT);
		read->offset = known_count(operands, request->offset, 0, 0);
	}
	else if (request->limit_hint >= 0)
		read->limit_hint = (int64) request->limit_hint;
	return asking;
}

bool
asking_settled(const Asking *asking, int condition)
{
	return asking->never || (asking->filters[condition] != NULL && asking->filters[condition]->taken);
}

bool
request_sortable(const Request *request, int member, const char *field, Oid type, int32 typmod, Oid collation)
{
	const Schema *described = ((Member *) list_nth(request->members, member))->described;
	int			index = described == NULL ? -1 : schema_find(described, field);

	if (index < 0 || !described->fields[index].sortable)
		return false;

	/* as a comparison that has values without a number's order against it */
	if (!field_compares(&described->fields[index], type, typmod, FILTER_GREATER_THAN))
		return false;
	return (type != TEXTOID && type != VARCHAROID) || (OidIsValid(collation) && collation_is_c(collation));
}
