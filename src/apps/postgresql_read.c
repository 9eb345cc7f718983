/*-------------------------------------------------------------------------
 *
 * postgresql_read.c
 *	  Reading tables, views and foreign tables: a query whose rows go from the
 *	  executor straight into batches.
 *
 * The query runs with the rights of the session's role, so policies and
 * column privileges apply.  It is planned once and run a batch at a time.
 *
 * IDENTIFICATION
 *	  src/apps/postgresql_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "apps/postgresql.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

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

/* ---------- the projection ---------- */

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
			if (!list_has_text(request->exclude, all->fields[i].name))
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
start_query(TableReader *reader, const char *sql, const TableQuery *parts)
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

/* columns of groups are what the query says they are */
static Schema *
describe_groups(const TableReader *reader)
{
	TupleDesc	tupdesc = reader->query->tupDesc;
	Schema	   *schema = schema_create();

	for (int i = 0; i < tupdesc->natts; i++)
		field_set_column_type(schema_add(schema, psprintf("%d", i + 1), FIELD_STRING),
							  TupleDescAttr(tupdesc, i)->atttypid, TupleDescAttr(tupdesc, i)->atttypmod);
	return schema;
}

static void
open_reader_as_role(TableReader *reader, ReadRequest *request)
{
	TableName  *name = table_name_parse(request->entity);
	TableQuery	parts = {.rel = table_open_source(name)};
	Schema	   *schema;

	table_custom_properties(request->properties, property_unknown, NULL);
	schema = project(parts.rel, name, request);
	table_query_make(&parts, name, request, schema);
	start_query(reader, parts.text.data, &parts);
	if (request->aggregates_taken)
		schema = describe_groups(reader);
	reader->reader.schema = schema;
	reader->ncolumns = schema->nfields;
	reader->columns = palloc0(sizeof(DatumReader) * Max(schema->nfields, 1));
	for (int i = 0; i < schema->nfields; i++)
		datum_reader_init(&reader->columns[i], TupleDescAttr(reader->query->tupDesc, i)->atttypid);
	relation_close(parts.rel, NoLock);
}

char *
table_plan_read(ConnectorSession *session, ReadRequest *request)
{
	TableQuery	query = {.only_shown = true};
	TableName  *name = table_name_parse(request->entity);
	MemoryContext oldcontext = CurrentMemoryContext;
	TableRole	saved;

	table_role_enter(&saved, session->role);
	PG_TRY();
	{
		query.rel = table_open_source(name);
		table_query_make(&query, name, request, project(query.rel, name, request));
		relation_close(query.rel, NoLock);
	}
	PG_CATCH();
	{
		table_role_leave(&saved);
		MemoryContextSwitchTo(oldcontext);
		table_rethrow();
	}
	PG_END_TRY();
	table_role_leave(&saved);
	return query.text.data;
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
