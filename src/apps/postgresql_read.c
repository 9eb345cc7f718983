/*-------------------------------------------------------------------------
 *
 * postgresql_read.c
 *	  Reading tables, views and foreign tables: a query whose rows go from the
 *	  executor straight into batches.
 *
 * The query runs with the rights of the session's role, so policies and
 * column privileges apply.  It is planned once and run a batch at a time.
 *
 * A filter becomes part of the query only where SQL's meaning is exactly that
 * of AppFlow's operator; see take_filter().  All others stay with the caller.
 *
 * IDENTIFICATION
 *	  src/apps/postgresql_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "apps/postgresql.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* a batch ends early when its text passes this: long values must not add up */
#define BATCH_BYTES (1024 * 1024)

/* rows to read between looks at how much text there is */
#define BATCH_BYTES_CHECK 16

typedef struct TableReader
{
	RecordReader reader;		/* first: it is what callers hold */
	DestReceiver receiver;
	MemoryContext context;
	MemoryContext row_context;	/* detoasted values and text of output functions */
	Oid			role;
	QueryDesc  *query;
	int			ncolumns;
	DatumReader *columns;
	Batch	   *batch;			/* being filled */
	bool		full;			/* the batch ended before its rows did */
	bool		done;
} TableReader;

/* the query as it is put together */
typedef struct ReadQuery
{
	Relation	rel;
	StringInfoData where;
	int			nparams;
	Oid		   *types;
	Datum	   *values;
	Batch	   *scratch;		/* for converting operands */
} ReadQuery;

/* ---------- filters ---------- */

static int
add_parameter(ReadQuery *query, Oid type, Datum value)
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
operand_value(ReadQuery *query, const char *operand, Oid type, Datum *value)
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

static void
append_comparison(ReadQuery *query, const char *column, const char *operator, int parameter,
				  const char *collate)
{
	appendStringInfo(&query->where, "%s%s OPERATOR(pg_catalog.%s) $%d", column, collate,
					 operator, parameter);
}

/*
 * Put the filter into the query if SQL means exactly the same: null matches
 * nothing in either.  Text is equal by its bytes and ordered by them, hence the
 * collation "C" where the column's own would differ.  PostgreSQL's NaN is
 * greater than all numbers; AppFlow has none, so it matches nothing.
 */
static bool
take_filter(ReadQuery *query, Filter *filter)
{
	AttrNumber	attnum = filter->field == NULL ? 0 : get_attnum(RelationGetRelid(query->rel), filter->field);
	Form_pg_attribute attr;
	Oid			type;
	Datum	   *values;
	const char *column;
	const char *collate = "";
	bool		ordered;

	if (attnum <= 0 || filter->noperands == 0 || filter->operator > FILTER_NOT_EQUAL_TO)
		return false;
	attr = TupleDescAttr(RelationGetDescr(query->rel), attnum - 1);
	type = comparison_type(attr->atttypid, filter);
	if (!OidIsValid(type) || (filter->operator == FILTER_BETWEEN && filter->noperands != 2))
		return false;
	ordered = filter->operator != FILTER_EQUAL_TO && filter->operator != FILTER_NOT_EQUAL_TO;
	if (filter->operator == FILTER_CONTAINS ? type != TEXTOID :
		ordered && (type == BOOLOID || type == UUIDOID))
		return false;
	if (ordered && filter->operator != FILTER_BETWEEN && filter->noperands != 1)
		return false;
	values = palloc(sizeof(Datum) * filter->noperands);
	for (int i = 0; i < filter->noperands; i++)
	{
		if (!operand_value(query, filter->operands[i], type, &values[i]))
			return false;
	}

	if (type == TEXTOID && (ordered || !get_collation_isdeterministic(attr->attcollation)))
		collate = " COLLATE pg_catalog.\"C\"";
	column = quote_identifier(filter->field);
	appendStringInfoString(&query->where, query->where.len > 0 ? " AND (" : " WHERE (");
	for (int i = 0; i < filter->noperands; i++)
	{
		int			parameter = add_parameter(query, type, values[i]);

		if (i > 0)
			appendStringInfoString(&query->where,
								   filter->operator == FILTER_EQUAL_TO ? " OR " : " AND ");
		switch (filter->operator)
		{
			case FILTER_LESS_THAN:
				append_comparison(query, column, "<", parameter, collate);
				break;
			case FILTER_GREATER_THAN:
				append_comparison(query, column, ">", parameter, collate);
				break;
			case FILTER_LESS_THAN_OR_EQUAL_TO:
				append_comparison(query, column, "<=", parameter, collate);
				break;
			case FILTER_GREATER_THAN_OR_EQUAL_TO:
				append_comparison(query, column, ">=", parameter, collate);
				break;
			case FILTER_BETWEEN:
				append_comparison(query, column, i == 0 ? ">" : "<", parameter, collate);
				break;
			case FILTER_EQUAL_TO:
				append_comparison(query, column, "=", parameter, collate);
				break;
			case FILTER_NOT_EQUAL_TO:
				append_comparison(query, column, "<>", parameter, collate);
				break;
			case FILTER_CONTAINS:
				appendStringInfo(&query->where, "pg_catalog.strpos(%s%s, $%d) > 0",
								 column, collate, parameter);
				break;
			default:
				elog(ERROR, "filter operator %d for a table", filter->operator);
		}
	}
	if (type == NUMERICOID)
		appendStringInfo(&query->where, " AND %s OPERATOR(pg_catalog.<>) 'NaN'", column);
	appendStringInfoChar(&query->where, ')');
	return true;
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
take_keys(ReadQuery *query, const TableName *name, List *keys)
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
	appendStringInfo(&query->where, "%sEXISTS (SELECT 1 FROM ROWS FROM (%s) k (%s) WHERE %s)",
					 query->where.len > 0 ? " AND " : " WHERE ", arrays.data, names.data, conditions.data);
}

/* ---------- the projection ---------- */

static bool
list_has_name(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

static void
add_projected(Schema *schema, Relation rel, const TableName *name, const Schema *all,
			  const char *field_name)
{
	int			found = schema_find(all, field_name);
	Field	   *field;

	if (found < 0)
	{
		const char *nearest = table_nearest_column(rel, field_name);

		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("table \"%s\" has no column \"%s\"", name->display, field_name),
				nearest != NULL ? errhint("Perhaps you mean the column \"%s\".", nearest) : 0);
	}
	field = schema_add(schema, field_name, all->fields[found].type);
	*field = all->fields[found];
}

static Schema *
project(Relation rel, const TableName *name, const ReadRequest *request)
{
	Schema	   *all = table_describe(rel);
	Schema	   *schema;
	ListCell   *cell;

	foreach(cell, request->exclude)
	{
		if (schema_find(all, lfirst(cell)) < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("table \"%s\" has no column \"%s\"", name->display, (char *) lfirst(cell)));
	}
	schema = schema_create();
	if (request->all_fields)
	{
		for (int i = 0; i < all->nfields; i++)
		{
			if (!list_has_name(request->exclude, all->fields[i].name))
				add_projected(schema, rel, name, all, all->fields[i].name);
		}
	}
	foreach(cell, request->fields)
	{
		if (schema_find(schema, lfirst(cell)) < 0)
			add_projected(schema, rel, name, all, lfirst(cell));
	}
	return schema;
}

/* ---------- rows ---------- */

static bool
reader_receive(TupleTableSlot *slot, DestReceiver *receiver)
{
	TableReader *reader = (TableReader *) ((char *) receiver - offsetof(TableReader, receiver));
	Batch	   *batch = reader->batch;
	uint32		row = batch->nrows;
	MemoryContext oldcontext = MemoryContextSwitchTo(reader->row_context);
	uint64		bytes = 0;

	slot_getallattrs(slot);
	for (int i = 0; i < reader->ncolumns; i++)
	{
		Cell	   *cell = &batch->columns[i][row];

		if (slot->tts_isnull[i])
		{
			*cell = cell_null();
			continue;
		}
		*cell = reader->columns[i].read(&reader->columns[i], batch, slot->tts_values[i]);
		bytes += cell_is_text(cell) ? cell->length : 8;
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(reader->row_context);
	reader->reader.bytes += bytes;
	batch->nrows = row + 1;

	reader->full = bytes >= BATCH_BYTES ||
		(batch->nrows % BATCH_BYTES_CHECK == 0 && arena_size(batch->arena) >= BATCH_BYTES);

	/* false: no more rows this time */
	return !reader->full;
}

static void
reader_startup(DestReceiver *receiver, int operation, TupleDesc tupdesc)
{
}

static void
reader_nothing(DestReceiver *receiver)
{
}

static bool
reader_next(RecordReader *base, Batch *batch)
{
	TableReader *reader = (TableReader *) base;
	MemoryContext oldcontext;
	TableRole	saved;

	if (reader->done)
		return false;
	oldcontext = MemoryContextSwitchTo(reader->context);
	reader->batch = batch;
	reader->full = false;
	table_role_enter(&saved, reader->role);
	PG_TRY();
	{
		PushActiveSnapshot(reader->query->snapshot);
		executor_run(reader->query, BATCH_ROWS);
		PopActiveSnapshot();
	}
	PG_CATCH();
	{
		table_role_leave(&saved);
		MemoryContextSwitchTo(oldcontext);
		table_rethrow();
	}
	PG_END_TRY();
	table_role_leave(&saved);
	MemoryContextSwitchTo(oldcontext);

	/* a plan that came to its end would begin anew */
	reader->done = !reader->full && batch->nrows < BATCH_ROWS;
	return batch->nrows > 0;
}

static void
reader_close(RecordReader *base)
{
	TableReader *reader = (TableReader *) base;
	TableRole	saved;

	table_role_enter(&saved, reader->role);
	PG_TRY();
	{
		PushActiveSnapshot(reader->query->snapshot);
		ExecutorFinish(reader->query);
		PopActiveSnapshot();
		ExecutorEnd(reader->query);
		FreeQueryDesc(reader->query);
	}
	PG_FINALLY();
	{
		table_role_leave(&saved);
	}
	PG_END_TRY();

	/* its memory goes with the caller's: the count of bytes is still wanted */
	MemoryContextReset(reader->row_context);
}

/* ---------- opening ---------- */

static void
property_unknown(void *arg, const char *key, const char *value)
{
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("unknown custom property \"%s\" of connector PostgreSQL", key),
			errhint("As a source it takes none."));
}

/* parse, plan and start the query */
static void
start_query(TableReader *reader, const char *sql, const ReadQuery *parts)
{
	List	   *parsed = pg_parse_query(sql);
	List	   *queries;
	PlannedStmt *plan;
	ParamListInfo params = NULL;

	PushActiveSnapshot(GetTransactionSnapshot());
	queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, parsed), sql,
												 parts->types, parts->nparams, NULL);
	if (parts->nparams > 0)
	{
		params = makeParamList(parts->nparams);
		for (int i = 0; i < parts->nparams; i++)
		{
			params->params[i].value = parts->values[i];
			params->params[i].isnull = false;
			params->params[i].pflags = PARAM_FLAG_CONST;
			params->params[i].ptype = parts->types[i];
		}
	}

	/* no parallel plan: those cannot be run a batch at a time */
	plan = pg_plan_query(linitial_node(Query, queries), sql, 0, params);
	reader->query = CreateQueryDesc(plan, sql, GetActiveSnapshot(), InvalidSnapshot,
									&reader->receiver, params, NULL, 0);
	ExecutorStart(reader->query, 0);
	PopActiveSnapshot();
}

static void
open_reader_as_role(TableReader *reader, ReadRequest *request)
{
	TableName  *name = table_name_parse(request->entity);
	ReadQuery	parts = {0};
	StringInfoData sql;
	ListCell   *cell;
	Schema	   *schema;

	table_custom_properties(request->properties, property_unknown, NULL);
	parts.rel = table_open_source(name);
	parts.scratch = batch_create(0);
	initStringInfo(&parts.where);
	schema = project(parts.rel, name, request);
	reader->reader.schema = schema;
	reader->ncolumns = schema->nfields;
	reader->columns = palloc0(sizeof(DatumReader) * Max(schema->nfields, 1));
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < schema->nfields; i++)
	{
		const char *column = quote_identifier(schema->fields[i].name);
		AttrNumber	attnum = get_attnum(RelationGetRelid(parts.rel), schema->fields[i].name);
		Oid			type = TupleDescAttr(RelationGetDescr(parts.rel), attnum - 1)->atttypid;
		bool		as_json = datum_reads_as_json(type);

		appendStringInfo(&sql, as_json ? "%spg_catalog.to_json(%s)" : "%s%s", i > 0 ? ", " : "",
						 column);
		datum_reader_init(&reader->columns[i], as_json ? JSONOID : type);
	}
	foreach(cell, request->filters)
	{
		Filter	   *filter = lfirst(cell);

		filter->taken = take_filter(&parts, filter);
	}
	if (request->keyed)
		take_keys(&parts, name, request->keys);
	appendStringInfo(&sql, " FROM %s%s", name->quoted, parts.where.data);
	start_query(reader, sql.data, &parts);
	relation_close(parts.rel, NoLock);
}

RecordReader *
table_open_reader(ConnectorSession *session, ReadRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow table reader",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	TableReader *reader = palloc0(sizeof(TableReader));
	TableRole	saved;

	reader->context = context;
	reader->row_context = AllocSetContextCreate(context, "appflow table reader row",
												ALLOCSET_DEFAULT_SIZES);
	reader->role = session->role;
	reader->reader.next = reader_next;
	reader->reader.close = reader_close;
	reader->receiver.receiveSlot = reader_receive;
	reader->receiver.rStartup = reader_startup;
	reader->receiver.rShutdown = reader_nothing;
	reader->receiver.rDestroy = reader_nothing;
	reader->receiver.mydest = DestNone;
	table_role_enter(&saved, session->role);
	PG_TRY();
	{
		open_reader_as_role(reader, request);
	}
	PG_CATCH();
	{
		table_role_leave(&saved);
		MemoryContextSwitchTo(oldcontext);
		table_rethrow();
	}
	PG_END_TRY();
	table_role_leave(&saved);
	MemoryContextSwitchTo(oldcontext);
	return &reader->reader;
}
