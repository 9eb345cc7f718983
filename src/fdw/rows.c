/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  Records of a reader as rows.
 *
 * IDENTIFICATION
 *	  src/fdw/rows.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "executor/executor.h"
#include "fdw/fdw.h"
#include "flow/session.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "record/errors.h"
#include "rewrite/rewriteHandler.h"
#include "utils/datum.h"
#include "utils/memutils.h"

/* ---------- generated columns ---------- */

/*
 * A generated column that names no field has no value at the application: it is
 * computed here.
 */
static bool
is_computed(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

	return !attr->attisdropped && attr->attgenerated != '\0' && fdw_column_field(rel, attnum) == NULL;
}

Bitmapset *
fdw_generated_inputs(Relation rel, bool whole, Bitmapset *used)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);

	if (tupdesc->constr == NULL || !tupdesc->constr->has_generated_stored)
		return used;
	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		if ((whole || bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, used)) &&
			is_computed(rel, attnum))
			pull_varattnos(build_column_default(rel, attnum), 1, &used);
	}
	return used;
}

/* expressions over a table's own rows */
static void
prepare_generated(Rows *rows, TupleDesc rowtype)
{
	Relation	rel = table_open(rows->options->relid, NoLock);
	TupleDesc	tupdesc = RelationGetDescr(rel);

	rows->ngenerated = 0;
	if (tupdesc->constr != NULL && tupdesc->constr->has_generated_stored && rowtype->tdtypeid == rel->rd_rel->reltype)
	{
		rows->generated = palloc(sizeof(AttrNumber) * tupdesc->natts);
		rows->expressions = palloc(sizeof(ExprState *) * tupdesc->natts);
		for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
		{
			Expr	   *expr;

			if (!is_computed(rel, attnum))
				continue;
			expr = expression_planner((Expr *) build_column_default(rel, attnum));
			rows->generated[rows->ngenerated] = attnum;
			rows->expressions[rows->ngenerated++] = ExecInitExpr(expr, NULL);
		}
	}
	table_close(rel, NoLock);
	if (rows->ngenerated > 0)
		rows->econtext = CreateStandaloneExprContext();
}

static void
compute_generated(Rows *rows, TupleTableSlot *slot)
{
	MemoryContext caller = CurrentMemoryContext;

	rows->econtext->ecxt_scantuple = slot;
	for (int i = 0; i < rows->ngenerated; i++)
	{
		AttrNumber	attnum = rows->generated[i];
		Form_pg_attribute attr = TupleDescAttr(slot->tts_tupleDescriptor, attnum - 1);
		bool		isnull;
		Datum		value = ExecEvalExprSwitchContext(rows->expressions[i], rows->econtext, &isnull);

		slot->tts_values[attnum - 1] = isnull ? (Datum) 0 :
			datumCopy(value, attr->attbyval, attr->attlen);
		slot->tts_isnull[attnum - 1] = isnull;
	}
	MemoryContextSwitchTo(caller);
	ResetExprContext(rows->econtext);
}

/* ---------- messages ---------- */

/* error context: what is being read */
static void
tell_context(void *arg)
{
	Rows	   *rows = arg;
	const TableOptions *options = rows->options;

	if (rows->converting >= 0)
		errcontext("column \"%s\", field \"%s\", %s",
				   NameStr(TupleDescAttr(rows->tupdesc, rows->columns[rows->converting].attnum - 1)->attname),
				   rows->columns[rows->converting].field, batch_locate(rows->batch, rows->row));
	errcontext("foreign table \"%s\", server \"%s\", entity \"%s\"", options->table, options->server,
			   fdw_entity_name(options));
}

/* what the application says of the records as a whole */
static void
tell_warning(Rows *rows)
{
	char	   *warning = rows->reader->warning;

	rows->reader->warning = NULL;
	if (warning != NULL)
		ereport(WARNING,
				errmsg("%s", warning),
				errcontext("foreign table \"%s\", server \"%s\", entity \"%s\"", rows->options->table,
						   rows->options->server, fdw_entity_name(rows->options)));
}

/* ---------- opening ---------- */

Rows *
rows_create(const TableOptions *options, Oid role)
{
	Rows	   *rows = palloc0(sizeof(Rows));

	rows->options = options;
	rows->role = role;
	rows->converting = -1;
	rows->home = CurrentMemoryContext;
	return rows;
}

static void
bind_column(Rows *rows, RowsColumn *column, int attnum, const char *field, int position)
{
	Form_pg_attribute attr = TupleDescAttr(rows->tupdesc, attnum - 1);

	column->attnum = attnum;
	column->field = field;
	column->column = position;
	field_set_column_type(&column->target, attr->atttypid, attr->atttypmod);
	column->target.name = NameStr(attr->attname);
	datum_maker_init(&column->maker, attr->atttypid, attr->atttypmod);
}

/* which of the reader's columns is which of the row's */
static void
bind_columns(Rows *rows, const Request *request)
{
	Schema	   *schema = rows->reader->schema;
	ListCell   *lc;
	int			n = 0;

	rows->columns = palloc0(sizeof(RowsColumn) * Max(list_length(request->columns), 1));
	foreach(lc, request->columns)
	{
		Column	   *column = lfirst(lc);
		int			position = n;

		/* groups come in the order in which they were asked for */
		if (request->aggregates == NIL)
			position = schema_find(schema, column->field);
		if (position < 0 || position >= schema->nfields)
			ereport(ERROR,
					errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
					errmsg("entity \"%s\" has no field \"%s\"", fdw_entity_name(rows->options), column->field),
					errhint("appflow.refresh_foreign_table() makes the table follow its entity."));
		bind_column(rows, &rows->columns[n++], column->attnum, column->field ? column->field : "", position);
	}
	rows->ncolumns = n;
}

/* everything that the application does with more than single records needs all filters */
static bool
relies_on_filters(const Request *request)
{
	return request->limited || request->aggregates != NIL;
}

static bool
all_settled(const Request *request, const Asking *asking)
{
	for (int i = 0; i < list_length(request->conditions); i++)
	{
		if (!asking_settled(asking, i))
			return false;
	}
	return true;
}

static void
describe_members(Rows *rows, Request *request)
{
	ListCell   *lc;

	foreach(lc, request->members)
	{
		Member	   *member = lfirst(lc);

		if (member->options == NULL)
			member->options = fdw_table_options(member->relid);
		if (member->described == NULL && member->options->entity != NULL &&
			rows->session->connector->describe_entity != NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(rows->home);

			member->described = session_describe(rows->session, member->options->entity, false);
			MemoryContextSwitchTo(old);
		}
	}
}

static void
open_session(Rows *rows)
{
	MemoryContext old = MemoryContextSwitchTo(rows->home);

	if (rows->session == NULL)
		rows->session = fdw_session_open(rows->options, rows->role);
	MemoryContextSwitchTo(old);
}

bool
rows_plans_aggregates(Rows *rows, Request *request)
{
	Asking	   *asking;

	open_session(rows);
	describe_members(rows, request);
	return fdw_ask_plan(rows->session, request, NULL, &asking) != NULL && asking->read->aggregates_taken;
}

static void
open_reader(Rows *rows, Request *request, const Operand *operands)
{
	Asking	   *asking;

	open_session(rows);
	describe_members(rows, request);
	if (rows->session->connector->open_reader == NULL)
		ereport(ERROR,
				errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				errmsg("foreign table \"%s\" cannot be read: records can be put into %s, not taken out of it",
					   rows->options->table, session_application(rows->session)));
	asking = request_ask(request, operands);
	rows->asking = asking;

	/* aggregates over no records at all are a record */
	rows->narrowed = asking->never && request->aggregates != NIL;
	if (asking->never)
		return;
	rows->reader = rows->session->connector->open_reader(rows->session, asking->read);
	rows->narrowed = (relies_on_filters(request) && !all_settled(request, asking)) ||
		(request->aggregates != NIL && !asking->read->aggregates_taken);
}

void
rows_open(Rows *rows, Request *request, const Operand *operands, TupleDesc tupdesc)
{
	MemoryContext old;
	HttpUse    *use;
	int64		waited = http_waited();
	ErrorContextCallback callback = {.callback = tell_context,.arg = rows,.previous = error_context_stack};

	rows->context = AllocSetContextCreate(rows->home, "appflow foreign scan", ALLOCSET_DEFAULT_SIZES);
	rows->tupdesc = tupdesc;
	rows->reader = NULL;
	rows->batch = NULL;
	rows->row = 0;
	rows->records = 0;
	rows->done = rows->narrowed = false;
	old = MemoryContextSwitchTo(rows->context);
	use = http_count_into(&rows->use);
	error_context_stack = &callback;
	PG_TRY();
	{
		open_reader(rows, request, operands);
		if (rows->narrowed)
		{
			/* what is left out and how many come is decided here, or by a plan of the caller's */
			Request		unlimited = *request;

			if (rows->reader != NULL)
				rows->reader->close(rows->reader);
			rows->reader = NULL;
			unlimited.limited = false;
			if (request->aggregates == NIL)
				open_reader(rows, &unlimited, operands);
		}
	}
	PG_FINALLY();
	{
		(void) http_count_into(use);
	}
	PG_END_TRY();
	rows->done = rows->reader == NULL;
	if (!rows->done)
	{
		bind_columns(rows, request);
		prepare_generated(rows, tupdesc);
		rows->batch = batch_create(rows->reader->schema->nfields);
	}
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	rows->waited += http_waited() - waited;
}

void
rows_close(Rows *rows)
{
	HttpUse    *use;

	if (rows->context == NULL)
		return;
	use = http_count_into(&rows->use);
	if (rows->reader != NULL)
	{
		rows->bytes += rows->reader->bytes;
		rows->pages += rows->reader->pages;
		tell_warning(rows);
		rows->reader->close(rows->reader);
	}
	(void) http_count_into(use);
	if (rows->econtext != NULL)
		FreeExprContext(rows->econtext, true);
	rows->econtext = NULL;
	rows->reader = NULL;
	MemoryContextDelete(rows->context);
	rows->context = NULL;
	rows->asking = NULL;
}

uint64
rows_bytes(const Rows *rows)
{
	return rows->bytes + (rows->reader ? rows->reader->bytes : 0);
}

uint64
rows_pages(const Rows *rows)
{
	return rows->pages + (rows->reader ? rows->reader->pages : 0);
}

/* ---------- rows ---------- */

/* the next batch that has rows; false at the end */
static bool
next_batch(Rows *rows)
{
	MemoryContext old = MemoryContextSwitchTo(rows->context);
	HttpUse    *use = http_count_into(&rows->use);
	int64		waited = http_waited();

	PG_TRY();
	{
		do
		{
			CHECK_FOR_INTERRUPTS();
			batch_reset(rows->batch);
			rows->row = 0;
			rows->batch->first_record = rows->records + 1;
			rows->done = !rows->reader->next(rows->reader, rows->batch);
		} while (!rows->done && rows->batch->nrows == 0);
	}
	PG_FINALLY();
	{
		(void) http_count_into(use);
	}
	PG_END_TRY();
	if (rows->done)
		tell_warning(rows);
	rows->records += rows->batch->nrows;
	rows->waited += http_waited() - waited;
	MemoryContextSwitchTo(old);
	return !rows->done;
}

pg_noreturn static void
refuse_value(Rows *rows, const RowsColumn *column, const char *problem)
{
	ereport(ERROR,
			errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
			errmsg("a value of field \"%s\" does not fit column \"%s\": %s", column->field,
				   column->target.name, problem));
}

static void
convert_row(Rows *rows, TupleTableSlot *slot)
{
	Batch	   *batch = rows->batch;
	uint32		row = rows->row;

	for (int i = 0; i < rows->ncolumns; i++)
	{
		RowsColumn *column = &rows->columns[i];
		Cell		cell = batch->columns[column->column][row];
		char	   *problem;

		rows->converting = i;
		problem = cell_convert_from(batch, &cell, rows->reader->schema->fields[column->column].type,
									&column->target);
		if (problem != NULL)
			refuse_value(rows, column, problem);
		slot->tts_values[column->attnum - 1] = datum_make(&column->maker, &cell,
														  &slot->tts_isnull[column->attnum - 1]);
	}
	rows->converting = -1;
}

bool
rows_next(Rows *rows, TupleTableSlot *slot)
{
	int			natts = slot->tts_tupleDescriptor->natts;
	ErrorContextCallback callback = {.callback = tell_context,.arg = rows,.previous = error_context_stack};

	ExecClearTuple(slot);
	if (rows->done)
		return false;
	error_context_stack = &callback;
	if (rows->row >= rows->batch->nrows && !next_batch(rows))
	{
		error_context_stack = callback.previous;
		return false;
	}
	memset(slot->tts_isnull, true, sizeof(bool) * natts);
	memset(slot->tts_values, 0, sizeof(Datum) * natts);
	convert_row(rows, slot);
	rows->row++;
	ExecStoreVirtualTuple(slot);
	if (rows->ngenerated > 0)
		compute_generated(rows, slot);
	error_context_stack = callback.previous;
	return true;
}

bool
rows_ready(Rows *rows)
{
	HttpUse    *use;
	MemoryContext old;
	volatile bool ready = false;
	ErrorContextCallback callback = {.callback = tell_context,.arg = rows,.previous = error_context_stack};

	if (rows->done || rows->row < rows->batch->nrows || rows->reader->ready == NULL)
		return true;
	use = http_count_into(&rows->use);
	error_context_stack = &callback;
	old = MemoryContextSwitchTo(rows->context);
	PG_TRY();
	{
		ready = rows->reader->ready(rows->reader);
	}
	PG_FINALLY();
	{
		(void) http_count_into(use);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	error_context_stack = callback.previous;
	return ready;
}
