/*-------------------------------------------------------------------------
 *
 * postgresql_query.c
 *	  A request to read a table as a query.
 *
 * A condition becomes part of the query only where SQL's meaning is exactly that
 * of the filter: null satisfies none, text is equal by its bytes and ordered by them
 * (hence the collation "C"), NaN is no number.  The same goes for order and
 * aggregates.  All else stays with the caller.
 *
 * IDENTIFICATION
 *	  src/apps/postgresql_query.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/postgresql.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#define C_COLLATION " COLLATE pg_catalog.\"C\""

/* ---------- operands ---------- */

static int
add_parameter(TableQuery *query, Oid type, Datum value)
{
	if (query->nparams == 0)
	{
		query->types = palloc(sizeof(Oid) * 64);
		query->values = palloc(sizeof(Datum) * 64);
	}
	else if (query->nparams % 64 == 0)
	{
		query->types = repalloc(query->types, sizeof(Oid) * (query->nparams + 64));
		query->values = repalloc(query->values, sizeof(Datum) * (query->nparams + 64));
	}
	query->types[query->nparams] = type;
	query->values[query->nparams] = value;
	return ++query->nparams;
}

/*
 * How a column compares in SQL, for the comparison a filter asks for;
 * InvalidOid: differently.  That is so for floating-point columns, which the
 * caller compares by their decimal digits.
 */
static Oid
comparison_type(Oid column, const Filter *filter)
{
	/* without a type, numbers compare by value and all else as text */
	if (!filter->typed)
		return column == INT2OID || column == INT4OID || column == INT8OID ? INT8OID :
			column == NUMERICOID ? NUMERICOID :
			column == TEXTOID || column == VARCHAROID ? TEXTOID : InvalidOid;
	switch (filter->type)
	{
		case FIELD_STRING:
			return column == TEXTOID || column == VARCHAROID ? TEXTOID : InvalidOid;
		case FIELD_BOOLEAN:
			return column == BOOLOID ? BOOLOID : InvalidOid;
		case FIELD_INTEGER:
		case FIELD_LONG:
		case FIELD_FLOAT:
		case FIELD_DOUBLE:
		case FIELD_DECIMAL:
			if (column == INT2OID || column == INT4OID || column == INT8OID)
				return INT8OID;
			return column == NUMERICOID ? NUMERICOID : InvalidOid;
		case FIELD_DATE:
			return column == DATEOID ? DATEOID : InvalidOid;
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			return column == TIMESTAMPOID || column == TIMESTAMPTZOID ? column : InvalidOid;
		case FIELD_UUID:
			return column == UUIDOID ? UUIDOID : InvalidOid;
		default:
			return InvalidOid;
	}
}

/*
 * The operand as a value of the type; false if it is none, so that the caller
 * deals with it (an integer column may well be compared with 1.5).
 */
static bool
operand_value(TableQuery *query, const char *operand, Oid type, Datum *value)
{
	Field		field = {0};
	DatumMaker	maker;
	Cell		cell;
	bool		isnull;
	int64		integer;
	char	   *end;
	MemoryContext oldcontext = CurrentMemoryContext;

	field_set_column_type(&field, type, -1);
	field.specials = false;
	cell = cell_text(CELL_STRING, operand, strlen(operand));

	/* epoch milliseconds, of whatever length */
	if (field.type == FIELD_DATETIME || field.type == FIELD_TIMESTAMP || field.type == FIELD_DATE)
	{
		errno = 0;
		integer = strtoll(operand, &end, 10);
		if (end != operand && *end == '\0' && errno == 0)
		{
			if (__builtin_mul_overflow(integer, 1000, &integer))
				return false;
			cell = cell_integer(CELL_TIMESTAMP, integer);
		}
	}
	if (cell_convert(query->scratch, &cell, &field) != NULL)
		return false;
	datum_maker_init(&maker, type, -1);

	/* beyond what the type holds nothing is equal, but the caller may say so */
	PG_TRY();
	{
		*value = datum_make(&maker, &cell, &isnull);
	}
	PG_CATCH();
	{
		/* these types' input touches nothing that needs a rollback */
		MemoryContextSwitchTo(oldcontext);
		FlushErrorState();
		return false;
	}
	PG_END_TRY();
	return true;
}

/* the operand in the query: a parameter, or what it is if the query is only to be shown */
static bool
append_operand(TableQuery *query, StringInfo out, const char *operand, Oid type)
{
	Datum		value;

	if (query->only_shown)
	{
		if (operand == NULL)
			appendStringInfo(out, "$%d", ++query->nparams);
		else
			appendStringInfoString(out, quote_literal_cstr(operand));
		return operand == NULL || operand_value(query, operand, type, &value);
	}
	if (!operand_value(query, operand, type, &value))
		return false;
	appendStringInfo(out, "$%d", add_parameter(query, type, value));
	return true;
}

/* ---------- conditions ---------- */

static const char *
comparison_sign(FilterOperator operator, int operand)
{
	switch (operator)
	{
		case FILTER_LESS_THAN:
			return "<";
		case FILTER_GREATER_THAN:
			return ">";
		case FILTER_LESS_THAN_OR_EQUAL_TO:
			return "<=";
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			return ">=";
		case FILTER_BETWEEN:
			return operand == 0 ? ">" : "<";
		case FILTER_EQUAL_TO:
			return "=";
		case FILTER_NOT_EQUAL_TO:
			return "<>";
		default:
			return NULL;
	}
}

static Form_pg_attribute
find_column(const TableQuery *query, const char *field)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(query->rel), field);

	return attnum <= 0 ? NULL : TupleDescAttr(RelationGetDescr(query->rel), attnum - 1);
}

/* a value that JSON calls null is no value of the column, which SQL would not know */
static bool
append_null_test(const Filter *filter, Form_pg_attribute attr, StringInfo out)
{
	Oid			base = getBaseType(attr->atttypid);

	if (base == JSONOID || base == JSONBOID)
		return false;
	appendStringInfo(out, "%s IS %sNULL", quote_identifier(filter->field),
					 filter->operator == FILTER_IS_NULL ? "" : "NOT ");
	return true;
}

static bool
append_leaf(TableQuery *query, const Filter *filter, StringInfo out)
{
	Form_pg_attribute attr = find_column(query, filter->field);
	const char *column = quote_identifier(filter->field);
	const char *collate = "";
	bool		ordered;
	Oid			type;

	if (attr == NULL)
		return false;
	if (filter->operator == FILTER_IS_NULL || filter->operator == FILTER_IS_NOT_NULL)
		return append_null_test(filter, attr, out);
	type = comparison_type(attr->atttypid, filter);
	if (filter->noperands == 0 || !OidIsValid(type) || (filter->operator == FILTER_BETWEEN && filter->noperands != 2))
		return false;
	ordered = filter->operator != FILTER_EQUAL_TO && filter->operator != FILTER_NOT_EQUAL_TO;
	if (filter->operator == FILTER_CONTAINS || filter->operator == FILTER_STARTS_WITH ? type != TEXTOID :
		ordered && (type == BOOLOID || type == UUIDOID))
		return false;
	if (ordered && filter->operator != FILTER_BETWEEN && filter->noperands != 1)
		return false;
	if (type == TEXTOID && (ordered || !get_collation_isdeterministic(attr->attcollation)))
		collate = C_COLLATION;
	appendStringInfoChar(out, '(');
	for (int i = 0; i < filter->noperands; i++)
	{
		const char *sign = comparison_sign(filter->operator, i);

		if (i > 0)
			appendStringInfoString(out, filter->operator == FILTER_EQUAL_TO ? " OR " : " AND ");
		if (sign != NULL)
			appendStringInfo(out, query->only_shown ? "%s%s %s " : "%s%s OPERATOR(pg_catalog.%s) ", column, collate, sign);
		else
			appendStringInfo(out, "pg_catalog.%s(%s%s, ", filter->operator == FILTER_CONTAINS ? "strpos" : "starts_with",
							 column, collate);
		if (!append_operand(query, out, filter->operands[i], type))
			return false;
		if (sign == NULL)
			appendStringInfoString(out, filter->operator == FILTER_CONTAINS ? ") > 0" : ")");
	}
	if (type == NUMERICOID)
		appendStringInfo(out, " AND %s OPERATOR(pg_catalog.<>) 'NaN'", column);
	appendStringInfoChar(out, ')');
	return true;
}

static bool
append_condition(TableQuery *query, const Filter *filter, StringInfo out)
{
	ListCell   *lc;

	if (filter->operator != FILTER_ANY && filter->operator != FILTER_ALL)
		return filter->field != NULL && append_leaf(query, filter, out);
	if (filter->children == NIL)
		return false;
	appendStringInfoChar(out, '(');
	foreach(lc, filter->children)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(out, filter->operator == FILTER_ANY ? " OR " : " AND ");
		if (!append_condition(query, lfirst(lc), out))
			return false;
	}
	appendStringInfoChar(out, ')');
	return true;
}

/* Put the filter into the query if SQL means exactly the same. */
static bool
take_filter(TableQuery *query, const Filter *filter)
{
	int			length = query->text.len;
	int			nparams = query->nparams;

	appendStringInfoString(&query->text, query->conditions > 0 ? " AND " : " WHERE ");
	if (append_condition(query, filter, &query->text))
	{
		query->conditions++;
		return true;
	}
	query->text.len = length;
	query->text.data[length] = '\0';
	query->nparams = nparams;
	return false;
}

/* ---------- keys ---------- */

/* the operator that is "=" for values of the type, as SQL writes it */
static char *
equality_of(Oid type)
{
	Oid			operator = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *text;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "no equality operator for type %u", type);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	text = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return text;
}

/* the values at one place of all keys, as text[] */
static Datum
keys_at(List *keys, int place, int ncolumns, const TableName *name)
{
	Datum	   *items = palloc(sizeof(Datum) * Max(list_length(keys), 1));
	ListCell   *cell;

	foreach(cell, keys)
	{
		Datum	   *parts;
		int			nparts;

		deconstruct_array(lfirst(cell), TEXTOID, -1, false, TYPALIGN_INT, &parts, NULL, &nparts);
		if (nparts != ncolumns)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("changes of table \"%s\" were captured while it had another primary key", name->display),
					errhint("Give the table the key that it had, or delete the flow and create it anew."));
		items[foreach_current_index(cell)] = parts[place];
	}
	return PointerGetDatum(construct_array(items, list_length(keys), TEXTOID, -1, false, TYPALIGN_INT));
}

/* leave the rows with the keys of the request */
static void
take_keys(TableQuery *query, const TableName *name, List *keys)
{
	List	   *columns = table_primary_key(query->rel);
	int			ncolumns = list_length(columns);
	StringInfoData arrays;
	StringInfoData names;
	StringInfoData conditions;
	ListCell   *cell;

	if (columns == NIL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("table \"%s\" has no primary key any more", name->display),
				errhint("Flows that changes of a table start need one."));
	initStringInfo(&arrays);
	initStringInfo(&names);
	initStringInfo(&conditions);
	foreach(cell, columns)
	{
		int			i = foreach_current_index(cell);
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(query->rel), lfirst_int(cell) - 1);

		appendStringInfo(&arrays, "%spg_catalog.unnest($%d)", i > 0 ? ", " : "",
						 add_parameter(query, TEXTARRAYOID, keys_at(keys, i, ncolumns, name)));
		appendStringInfo(&names, "%sk%d", i > 0 ? ", " : "", i);
		appendStringInfo(&conditions, "%s%s.%s %s k.k%d::%s", i > 0 ? " AND " : "",
						 name->quoted, quote_identifier(NameStr(attr->attname)), equality_of(attr->atttypid), i,
						 format_type_with_typemod(attr->atttypid, -1));
	}
	appendStringInfo(&query->text, "%sEXISTS (SELECT 1 FROM ROWS FROM (%s) k (%s) WHERE %s)",
					 query->conditions++ > 0 ? " AND " : " WHERE ", arrays.data, names.data, conditions.data);
}

/* ---------- order and aggregates ---------- */

/* how a column's values order and group as the values that are read do; NULL: differently */
static const char *
order_collation(const TableQuery *query, const char *field)
{
	Form_pg_attribute attr = find_column(query, field);

	if (attr == NULL)
		return NULL;
	switch (attr->atttypid)
	{
		case TEXTOID:
		case VARCHAROID:
			return C_COLLATION;
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case UUIDOID:
			return "";
		default:
			return NULL;
	}
}

bool
table_column_orders(Oid type)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return true;
		default:
			return false;
	}
}

static const char *const aggregate_names[] = {"count", "sum", "min", "max", "avg"};

static bool
can_aggregate(const TableQuery *query, const ReadRequest *request)
{
	ListCell   *lc;

	foreach(lc, request->group_by)
	{
		if (order_collation(query, lfirst(lc)) == NULL)
			return false;
	}
	foreach(lc, request->aggregates)
	{
		const Aggregate *aggregate = lfirst(lc);
		Form_pg_attribute attr;

		if (aggregate->field == NULL)
			continue;
		attr = find_column(query, aggregate->field);
		if (attr == NULL || order_collation(query, aggregate->field) == NULL)
			return false;
		if (aggregate->function == AGGREGATE_COUNT)
			continue;
		if (attr->atttypid == BOOLOID || attr->atttypid == UUIDOID)
			return false;
		if ((aggregate->function == AGGREGATE_SUM || aggregate->function == AGGREGATE_AVG) &&
			attr->atttypid != INT2OID && attr->atttypid != INT4OID && attr->atttypid != INT8OID &&
			attr->atttypid != NUMERICOID)
			return false;
	}
	return true;
}

static void
append_aggregates(TableQuery *query, const ReadRequest *request)
{
	const char *before = "";
	ListCell   *lc;

	foreach(lc, request->group_by)
	{
		appendStringInfo(&query->text, "%s%s%s", before, quote_identifier(lfirst(lc)), order_collation(query, lfirst(lc)));
		before = ", ";
	}
	foreach(lc, request->aggregates)
	{
		const Aggregate *aggregate = lfirst(lc);

		if (aggregate->field == NULL)
			appendStringInfo(&query->text, "%spg_catalog.count(*)", before);
		else
			appendStringInfo(&query->text, "%spg_catalog.%s(%s%s)", before, aggregate_names[aggregate->function],
							 quote_identifier(aggregate->field), order_collation(query, aggregate->field));
		before = ", ";
	}
}

static bool
can_order(const TableQuery *query, const ReadRequest *request)
{
	ListCell   *lc;

	foreach(lc, request->order)
	{
		Form_pg_attribute attr = find_column(query, ((OrderKey *) lfirst(lc))->field);

		if (attr == NULL || !table_column_orders(attr->atttypid))
			return false;
	}
	return request->order != NIL;
}

/* ---------- the query ---------- */

/* the conditions, and whether they are all */
static bool
append_where(TableQuery *query, ReadRequest *request)
{
	bool		all = true;
	ListCell   *lc;

	foreach(lc, request->filters)
	{
		Filter	   *filter = lfirst(lc);

		filter->taken = take_filter(query, filter);
		all = all && filter->taken;
	}
	return all;
}

static void
append_rest(TableQuery *query, ReadRequest *request, bool all_filters)
{
	StringInfo	out = &query->text;
	ListCell   *lc;

	if (request->aggregates_taken && request->group_by != NIL)
	{
		foreach(lc, request->group_by)
			appendStringInfo(out, "%s%s%s", foreach_current_index(lc) > 0 ? ", " : " GROUP BY ",
							 quote_identifier(lfirst(lc)), order_collation(query, lfirst(lc)));
	}
	request->order_taken = request->aggregates == NIL && can_order(query, request);
	if (request->order_taken)
	{
		foreach(lc, request->order)
		{
			const OrderKey *key = lfirst(lc);

			appendStringInfo(out, "%s%s%s%s%s", foreach_current_index(lc) > 0 ? ", " : " ORDER BY ",
							 quote_identifier(key->field), order_collation(query, key->field),
							 key->descending ? " DESC" : "", key->nulls_first ? " NULLS FIRST" : " NULLS LAST");
		}
	}
	request->limit_taken = all_filters && request->aggregates == NIL && (request->order == NIL || request->order_taken) &&
		(request->limit != NO_LIMIT || request->offset > 0);
	if (request->limit_taken && request->limit != NO_LIMIT)
		appendStringInfo(out, " LIMIT " INT64_FORMAT, request->limit);
	if (request->limit_taken && request->offset > 0)
		appendStringInfo(out, " OFFSET " INT64_FORMAT, request->offset);
}

void
table_query_make(TableQuery *query, const TableName *name, ReadRequest *request, const Schema *schema)
{
	StringInfoData head;
	bool		all_filters;

	query->scratch = batch_create(0);
	initStringInfo(&query->text);
	all_filters = append_where(query, request);
	if (request->keyed)
		take_keys(query, name, request->keys);
	head = query->text;
	initStringInfo(&query->text);
	request->aggregates_taken = request->aggregates != NIL && all_filters && can_aggregate(query, request);
	appendStringInfoString(&query->text, "SELECT ");
	if (request->aggregates_taken)
		append_aggregates(query, request);
	else
	{
		for (int i = 0; i < schema->nfields; i++)
		{
			Form_pg_attribute attr = find_column(query, schema->fields[i].name);

			appendStringInfo(&query->text, datum_reads_as_json(attr->atttypid) && !query->only_shown ?
							 "%spg_catalog.to_json(%s)" : "%s%s", i > 0 ? ", " : "",
							 quote_identifier(schema->fields[i].name));
		}
	}
	appendStringInfo(&query->text, " FROM %s%s", name->quoted, head.data);
	append_rest(query, request, all_filters);
}
