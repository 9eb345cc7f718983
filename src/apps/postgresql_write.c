/*-------------------------------------------------------------------------
 *
 * postgresql_write.c
 *	  Writing to tables: opening a writer, refused records, the end of a run.
 *
 * A put is one statement to the table: statement triggers fire once for it, and
 * foreign keys are checked at its end.  It runs in a subtransaction.  When the
 * table refuses it because of a record, the subtransaction is rolled back, and
 * what is before and behind that record is written again without it; where it
 * is not known which record it was, the rows are halved until it is.  So a
 * refused record costs time in proportion to the rows around it, and every other
 * record is written exactly once.
 *
 * Which errors are a record's fault is decided by SQLSTATE, see
 * is_record_error(); all others end the run.
 *
 * IDENTIFICATION
 *	  src/apps/postgresql_write.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "apps/postgresql.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/relcache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

typedef struct WriterOptions
{
	bool		create_table;
	bool		add_columns;
	bool		truncate;
} WriterOptions;

/* ---------- errors of records ---------- */

/*
 * Is an error the fault of the record being written?  Data exceptions, violated
 * constraints, what triggers raise (P0001, and SQLSTATEs of their own making)
 * are.  Lack of rights or resources, conflicts with other transactions,
 * cancellation and internal errors are not.
 */
static bool
is_record_error(const ErrorData *error, bool converting)
{
	/* PostgreSQL's other classes: none is about one record's data */
	static const char *const other_classes[] = {
		"00", "01", "02", "03", "08", "0A", "0B", "0F", "0L", "0P", "0Z",
		"24", "25", "26", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F",
		"40", "42", "53", "54", "55", "57", "58", "72", "F0", "HV", "XX",
	};
	const char *state = unpack_sql_state(error->sqlerrcode);

	if (error->elevel != ERROR)
		return false;

	/* a row or an index entry that no page can hold */
	if (error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		return true;

	/* shares its SQLSTATE with missing privileges */
	if (error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
		return error->message_id != NULL &&
			strncmp(error->message_id, "new row violates row-level security policy", 42) == 0;

	/* input functions of some types look for objects (regclass), or take only part of a standard (xml) */
	if (converting && (strncmp(state, "42", 2) == 0 || strncmp(state, "0A", 2) == 0))
		return true;
	for (int i = 0; i < (int) lengthof(other_classes); i++)
	{
		if (strncmp(state, other_classes[i], 2) == 0)
			return false;
	}
	return true;
}

/*
 * The reason as the error file has it: the column where it is known, the message,
 * and the detail where that adds something.
 */
static char *
record_error_message(const TableAttempt *attempt, const ErrorData *error)
{
	const char *detail = error->detail;
	StringInfoData out;

	initStringInfo(&out);
	if (attempt->converting)
		appendStringInfo(&out, "column \"%s\": ", attempt->writer->columns[attempt->column].name);
	appendStringInfoString(&out, error->message);
	if (detail != NULL && detail[0] != '\0' && strncmp(detail, "Failing row contains", 20) != 0)
	{
		appendStringInfo(&out, ": %s", detail);
		if (out.data[out.len - 1] == '.')
			out.data[--out.len] = '\0';
	}
	return out.data;
}

/* ---------- attempts ---------- */

/*
 * One attempt in a subtransaction: true if it stands, false if a record was
 * refused (attempt->code and message are set, and nothing of it remains).
 * Other errors pass through.
 */
static bool
attempt_rows(TableAttempt *attempt)
{
	TableWriter *writer = attempt->writer;
	MemoryContext oldcontext = CurrentMemoryContext;
	ResourceOwner oldowner = CurrentResourceOwner;
	MemoryContext attempt_context = AllocSetContextCreate(writer->batch_context,
														  "appflow table writer attempt",
														  ALLOCSET_DEFAULT_SIZES);
	volatile bool done = false;
	TableRole	saved;

	attempt->row = -1;
	attempt->converting = false;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(attempt_context);
	PG_TRY();
	{
		/* undone by the subtransaction's abort if it comes to that */
		table_role_enter(&saved, writer->role);
		if (writer->insert != NULL)
			table_insert_attempt(writer->insert, attempt);
		else
			table_statement_attempt(writer->statement, attempt);
		table_role_leave(&saved);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldcontext);
		CurrentResourceOwner = oldowner;
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(writer->batch_context);
		error = CopyErrorData();
		FlushErrorState();

		/* whatever it is, it must not leave the subtransaction open */
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(writer->batch_context);
		CurrentResourceOwner = oldowner;
		if (!is_record_error(error, attempt->converting))
			table_rethrow_error(error);
		if (writer->insert != NULL)
			table_insert_aborted(writer->insert);
		strlcpy(attempt->code, unpack_sql_state(error->sqlerrcode), sizeof(attempt->code));
		attempt->message = record_error_message(attempt, error);
		MemoryContextSwitchTo(oldcontext);
	}
	PG_END_TRY();
	MemoryContextDelete(attempt_context);
	return done;
}

static void
reject_row(TableWriter *writer, const RecordSet *set, const Outcomes *outcomes,
		   uint32 row, const char *code, const char *message)
{
	outcomes->reject(outcomes->arg, set->batch, set->rows[row], code, message);
}

/* "column" = "value", ... of a row's id fields */
static char *
describe_ids(TableWriter *writer, const RecordSet *set, uint32 row)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < writer->ncolumns; i++)
	{
		if (!writer->columns[i].id)
			continue;
		appendStringInfo(&out, "%s\"%s\" = \"%s\"", out.len > 0 ? ", " : "",
						 writer->columns[i].name,
						 cell_text_cstring(&set->columns[i][set->rows[row]],
										   writer->writer.schema->fields[i].type));
	}
	return out.data;
}

/* rows of an attempt that stands: count them, reject those whose id met nothing */
static void
settle_rows(TableAttempt *attempt, const Outcomes *outcomes)
{
	TableWriter *writer = attempt->writer;

	for (uint32 row = attempt->first; row < attempt->last; row++)
	{
		if (attempt->found == NULL || attempt->found[row])
			writer->writer.records++;
		else
			reject_row(writer, attempt->set, outcomes, row, "NotFound",
					   psprintf("table \"%s\" has no row with %s", writer->name->display,
								describe_ids(writer, attempt->set, row)));
	}
}

/* Write rows first .. last - 1, rejecting those that the table refuses. */
static void
write_rows(TableWriter *writer, const RecordSet *set, const Outcomes *outcomes,
		   bool *found, uint32 first, uint32 last)
{
	while (first < last)
	{
		TableAttempt attempt = {
			.writer = writer,.set = set,.first = first,.last = last,.found = found
		};

		CHECK_FOR_INTERRUPTS();
		if (attempt_rows(&attempt))
		{
			settle_rows(&attempt, outcomes);
			first = attempt.last;
		}
		else if (attempt.last - first == 1 || attempt.row == (int64) first)
		{
			reject_row(writer, set, outcomes, first, attempt.code, attempt.message);
			first++;
		}
		else if (attempt.row >= 0)
		{
			/*
			 * Those before it went well this far, but can still fail at their
			 * end.  Then it fails as the first of its attempt.
			 */
			write_rows(writer, set, outcomes, found, first, (uint32) attempt.row);
			first = (uint32) attempt.row;
		}
		else
		{
			uint32		middle = first + (attempt.last - first) / 2;

			write_rows(writer, set, outcomes, found, first, middle);
			first = middle;
		}
	}
}

/* a record without a value in an id field can match nothing */
static const char *
missing_id(TableWriter *writer, const RecordSet *set, uint32 row)
{
	for (int i = 0; i < writer->ncolumns; i++)
	{
		if (writer->columns[i].id && set->columns[i][set->rows[row]].kind == CELL_NULL)
			return writer->columns[i].name;
	}
	return NULL;
}

static void
table_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	TableWriter *writer = (TableWriter *) base;
	bool	   *found = NULL;
	uint32		first = 0;
	MemoryContext oldcontext;

	if (set->nrows == 0)
		return;
	oldcontext = MemoryContextSwitchTo(writer->batch_context);
	if (writer->operation == WRITE_UPDATE || writer->operation == WRITE_DELETE)
		found = palloc0(sizeof(bool) * set->nrows);
	if (writer->operation != WRITE_INSERT)
	{
		for (uint32 row = 0; row < set->nrows; row++)
		{
			const char *column = missing_id(writer, set, row);

			if (column == NULL)
				continue;
			write_rows(writer, set, outcomes, found, first, row);
			reject_row(writer, set, outcomes, row, "NullId",
					   psprintf("id field \"%s\" has no value", column));
			first = row + 1;
		}
	}
	write_rows(writer, set, outcomes, found, first, set->nrows);
	for (int i = 0; i < writer->ncolumns; i++)
	{
		for (uint32 row = 0; row < set->nrows; row++)
		{
			const Cell *cell = &set->columns[i][set->rows[row]];

			writer->writer.bytes += cell_is_text(cell) ? cell->length :
				cell->kind == CELL_NULL ? 0 : 8;
		}
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(writer->batch_context);
}

/* ---------- columns ---------- */

static void
property_flag(void *arg, const char *key, const char *value)
{
	WriterOptions *options = arg;
	bool	   *flag = NULL;

	if (strcmp(key, "createTable") == 0)
		flag = &options->create_table;
	else if (strcmp(key, "addColumns") == 0)
		flag = &options->add_columns;
	else if (strcmp(key, "truncate") == 0)
		flag = &options->truncate;
	else
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("unknown custom property \"%s\" of connector PostgreSQL", key),
				errhint("As a destination it takes createTable, addColumns and truncate."));
	if (!parse_bool(value, flag))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("custom property \"%s\" must be \"true\" or \"false\", not \"%s\"", key, value));
}

static bool
is_id_field(const TableWriter *writer, const char *name)
{
	ListCell   *cell;

	foreach(cell, writer->id_fields)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/* whether the operation stores values in the column */
static bool
column_is_written(const TableWriter *writer, const TableColumn *column)
{
	switch (writer->operation)
	{
		case WRITE_INSERT:
		case WRITE_UPSERT:
			return true;
		case WRITE_UPDATE:
			return !column->id;
		case WRITE_DELETE:
			return false;
	}
	return true;
}

/* Bind field i to its column; the column must exist. */
static void
bind_column(TableWriter *writer, Relation rel, int i)
{
	Field	   *field = &writer->writer.schema->fields[i];
	TableColumn *column = &writer->columns[i];
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), field->name);
	Form_pg_attribute attr;

	if (attnum <= 0)
	{
		const char *nearest = table_nearest_column(rel, field->name);

		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("table \"%s\" has no column \"%s\"", writer->name->display, field->name),
				nearest != NULL ? errhint("Perhaps you mean the column \"%s\".", nearest) :
				errhint("With the custom property addColumns = \"true\" missing columns are added."));
	}
	attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	memset(column, 0, sizeof(*column));
	column->attnum = attnum;
	column->type = attr->atttypid;
	column->typmod = attr->atttypmod;
	column->collation = attr->attcollation;
	column->name = pstrdup(NameStr(attr->attname));
	column->id = is_id_field(writer, field->name);
	if (column_is_written(writer, column))
	{
		if (attr->attgenerated != '\0')
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("column \"%s\" of table \"%s\" is a generated column and cannot be written",
						   column->name, writer->name->display));
		if (attr->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("column \"%s\" of table \"%s\" is an identity column defined as GENERATED ALWAYS and cannot be written",
						   column->name, writer->name->display));
	}
	datum_maker_init(&column->maker, column->type, column->typmod);
	field_set_column_type(field, column->type, column->typmod);
	field->not_null = attr->attnotnull;
}

/* does the table have a unique index over exactly the id fields? */
static bool
has_unique_index(TableWriter *writer, Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		suits = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indisunique && index->indimmediate && index->indisvalid &&
			index->indnkeyatts == list_length(writer->id_fields) &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
		{
			suits = true;
			for (int i = 0; i < index->indnkeyatts && suits; i++)
			{
				AttrNumber	attnum = index->indkey.values[i];

				suits = false;
				for (int c = 0; c < writer->ncolumns; c++)
				{
					if (writer->columns[c].id && writer->columns[c].attnum == attnum)
						suits = true;
				}
			}
		}
		ReleaseSysCache(tuple);
		if (suits)
			return true;
	}
	return false;
}

static void
check_id_fields(TableWriter *writer, Relation rel)
{
	static const char *const names[] = {"INSERT", "UPSERT", "UPDATE", "DELETE"};
	const char *operation = names[writer->operation];
	int			others = 0;
	ListCell   *cell;

	if (writer->operation == WRITE_INSERT)
		return;
	if (writer->id_fields == NIL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("operation %s on table \"%s\" needs idFieldNames", operation, writer->name->display));
	foreach(cell, writer->id_fields)
	{
		if (schema_find(writer->writer.schema, lfirst(cell)) < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("id field \"%s\" is not among the fields that are written to table \"%s\"",
						   (char *) lfirst(cell), writer->name->display),
					errhint("Map a source field to it."));
	}
	for (int i = 0; i < writer->ncolumns; i++)
		others += !writer->columns[i].id;
	if (writer->operation == WRITE_UPDATE && others == 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("operation UPDATE on table \"%s\" needs a field that is not an id field",
					   writer->name->display));
	if (writer->operation != WRITE_UPSERT)
		return;
	if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("operation UPSERT is not possible on foreign table \"%s\"", writer->name->display));
	if (rel->rd_rel->relkind != RELKIND_VIEW && !has_unique_index(writer, rel))
	{
		StringInfoData columns;

		initStringInfo(&columns);
		for (int i = 0; i < writer->ncolumns; i++)
		{
			if (writer->columns[i].id)
				appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "",
								 quote_identifier(writer->columns[i].name));
		}
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("table \"%s\" has no unique index on (%s), which UPSERT by these id fields needs",
					   writer->name->display, columns.data),
				errhint("CREATE UNIQUE INDEX ON %s (%s);", writer->name->quoted, columns.data));
	}
}

/* Bind every field of the schema to a column and make ready to write. */
static void
plan_writer(TableWriter *writer)
{
	Schema	   *schema = writer->writer.schema;
	Relation	rel;
	MemoryContext oldcontext;

	if (writer->statement != NULL)
		table_statement_free(writer->statement);
	writer->insert = NULL;
	writer->statement = NULL;
	if (writer->plan_context != NULL)
		MemoryContextDelete(writer->plan_context);
	writer->plan_context = AllocSetContextCreate(writer->context, "appflow table writer plan",
												 ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(writer->plan_context);
	if (writer->add_columns && writer->operation != WRITE_DELETE)
	{
		for (int i = 0; i < schema->nfields; i++)
		{
			if (get_attnum(writer->relid, schema->fields[i].name) == InvalidAttrNumber)
				table_add_column(writer->name, &schema->fields[i]);
		}
	}
	rel = relation_open(writer->relid, NoLock);
	writer->ncolumns = schema->nfields;
	writer->columns = palloc0(sizeof(TableColumn) * Max(schema->nfields, 1));
	for (int i = 0; i < schema->nfields; i++)
		bind_column(writer, rel, i);
	check_id_fields(writer, rel);
	if (table_insert_suits(writer, rel))
		writer->insert = table_insert_create(writer, rel);
	else
		writer->statement = table_statement_create(writer, rel);
	relation_close(rel, NoLock);
	MemoryContextSwitchTo(oldcontext);
}

/* ---------- the writer ---------- */

static void
table_add_field(RecordWriter *base)
{
	TableWriter *writer = (TableWriter *) base;
	MemoryContext oldcontext = CurrentMemoryContext;
	TableRole	saved;

	table_role_enter(&saved, writer->role);
	PG_TRY();
	{
		plan_writer(writer);
	}
	PG_CATCH();
	{
		table_role_leave(&saved);
		MemoryContextSwitchTo(oldcontext);
		table_rethrow();
	}
	PG_END_TRY();
	table_role_leave(&saved);
}

/*
 * Check deferred constraints and fire deferred triggers now, as the role:
 * afterwards the commit has none left that could fail, or run as someone else.
 */
static void
table_seal(RecordWriter *base, const Outcomes *outcomes)
{
	TableWriter *writer = (TableWriter *) base;
	TableRole	saved;

	table_role_enter(&saved, writer->role);
	PG_TRY();
	{
		ConstraintsSetStmt statement = {.type = T_ConstraintsSetStmt,.deferred = false};

		CommandCounterIncrement();
		AfterTriggerSetState(&statement);
	}
	PG_CATCH();
	{
		errcontext("checking deferred constraints of table \"%s\"", writer->name->display);
		table_role_leave(&saved);
		PG_RE_THROW();
	}
	PG_END_TRY();
	table_role_leave(&saved);
}

static void
table_finish(RecordWriter *base)
{
	TableWriter *writer = (TableWriter *) base;

	/* its memory goes with the caller's: the counts are still wanted */
	if (writer->statement != NULL)
		table_statement_free(writer->statement);
	writer->statement = NULL;
	MemoryContextReset(writer->batch_context);
}

/*
 * Rolling back is the caller's, whose transaction it is; it takes all else
 * with it.
 */
static void
table_abort(RecordWriter *base)
{
}

/* the destination, locked, created where asked; refuses what must not be written */
static void
open_destination(TableWriter *writer, const WriterOptions *options)
{
	Oid			namespace = get_namespace_oid(writer->name->schema, true);
	char		relkind;

	if (OidIsValid(namespace) &&
		(IsCatalogNamespace(namespace) || IsToastNamespace(namespace) ||
		 strcmp(writer->name->schema, "information_schema") == 0 ||
		 strcmp(writer->name->schema, "appflow") == 0))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("schema \"%s\" cannot be a destination", writer->name->schema));
	writer->relid = table_name_lookup(writer->name, RowExclusiveLock);
	if (!OidIsValid(writer->relid))
	{
		if (!options->create_table)
			ereport(ERROR,
					appflow_error(WF_NOT_FOUND),
					errmsg("table \"%s\" does not exist", writer->name->display),
					errhint("With the custom property createTable = \"true\" it is created."));
		if (!OidIsValid(namespace))
			ereport(ERROR,
					appflow_error(WF_NOT_FOUND),
					errmsg("schema \"%s\" does not exist", writer->name->schema));
		table_create(writer->name, writer->writer.schema, writer->id_fields);
		writer->relid = table_name_lookup(writer->name, RowExclusiveLock);
		return;
	}
	relkind = get_rel_relkind(writer->relid);
	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE &&
		relkind != RELKIND_FOREIGN_TABLE && relkind != RELKIND_VIEW)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not a table that can be written", writer->name->display));
	if (options->truncate)
		table_empty(writer->name, writer->relid);
}

static void
open_writer_as_role(TableWriter *writer, WriteRequest *request)
{
	WriterOptions options = {0};

	table_custom_properties(request->properties, property_flag, &options);
	writer->add_columns = options.add_columns;
	writer->name = table_name_parse(request->entity);
	if (request->schema->nfields == 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("no field is written to table \"%s\"", writer->name->display));
	open_destination(writer, &options);
	plan_writer(writer);
}

RecordWriter *
table_open_writer(ConnectorSession *session, WriteRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow table writer",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	TableWriter *writer = palloc0(sizeof(TableWriter));
	ListCell   *cell;
	TableRole	saved;

	writer->context = context;
	writer->batch_context = AllocSetContextCreate(context, "appflow table writer batch",
												  ALLOCSET_DEFAULT_SIZES);
	writer->role = session->role;
	writer->operation = request->operation;
	foreach(cell, request->id_fields)
		writer->id_fields = lappend(writer->id_fields, pstrdup(lfirst(cell)));
	writer->writer.schema = request->schema;
	writer->writer.typed = true;
	writer->writer.put = table_put;
	writer->writer.add_field = table_add_field;
	writer->writer.seal = table_seal;
	writer->writer.finish = table_finish;
	writer->writer.abort = table_abort;
	table_role_enter(&saved, session->role);
	PG_TRY();
	{
		open_writer_as_role(writer, request);
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
	return &writer->writer;
}
