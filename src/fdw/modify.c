/*-------------------------------------------------------------------------
 *
 * modify.c
 *	  INSERT, UPDATE, DELETE, COPY and TRUNCATE of foreign tables.
 *
 * Rows are gathered into a batch, which one put of the connector's writer sends: as
 * many as the connector takes in a request.  Rows that must be known to be written
 * before anything else happens (RETURNING, row triggers, checks) go one at a time.
 * Updates and deletes that need no such thing are gathered too; what is left is
 * sent when the statement ends.
 *
 * Most applications keep what they have taken: a rollback does not undo it.
 *
 * IDENTIFICATION
 *	  src/fdw/modify.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "apps/apps.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "fdw/fdw.h"
#include "flow/session.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "record/errors.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* refusals that an error tells one by one: more than applications take in a request */
#define SHOWN_REFUSALS 1000

/* a column that is sent */
typedef struct Sent
{
	AttrNumber	attnum;
	AttrNumber	junk;			/* in the plan's rows: the old value of a key; 0: the new row's */
	Field		source;			/* type of the cells that the column gives */
	bool		json;			/* the value goes through to_json() */
	DatumReader reader;
	FmgrInfo	to_json;
} Sent;

typedef struct Refusal
{
	uint64		record;			/* 1-based number in the statement; 0: told late */
	char	   *where;
	char	   *code;
	char	   *message;
} Refusal;

typedef struct Modify
{
	MemoryContext home;			/* as long as the statement */
	const TableOptions *options;
	Relation	rel;
	Oid			role;
	WriteOperation operation;
	int			nsent;
	Sent	   *sent;
	List	   *id_fields;		/* of char * */
	int			limit;			/* rows of a batch */
	int			wish;			/* the option batch_size, 0: none */
	bool		copies;			/* COPY, or rows that are routed */

	/* made with the first row */
	MemoryContext context;		/* of all below */
	MemoryContext row_context;	/* of one sending */
	ConnectorSession *session;
	RecordWriter *writer;
	Batch	   *batch;
	uint32		rows[BATCH_ROWS];
	uint64		records;		/* in all batches so far */

	/* of the put that goes on */
	Outcomes	outcomes;
	List	   *refusals;		/* of Refusal * */
	uint64		refused;
	Cell	   *results;		/* of the last record that was taken, or NULL */
} Modify;

static bool warned = false;

/* ---------- what can be written ---------- */

/* Whether the connector of a session writes to entities at all. */
static bool
writes_entities(const ConnectorSession *session)
{
	return session->connector->open_writer != NULL && !session->connector->staged && session->store == NULL;
}

static bool
option_is(Oid relid, const char *name, bool otherwise)
{
	char	   *value = fdw_option_value(relid, name);
	bool		flag;

	return value == NULL || !parse_bool(value, &flag) ? otherwise : flag;
}

/*
 * The key columns: those of the option key, else those of the entity's key as far as it is
 * known and the table has them.
 */
static Bitmapset *
key_columns(Relation rel, const Schema *described)
{
	Bitmapset  *keys = NULL;

	for (AttrNumber attnum = 1; attnum <= RelationGetDescr(rel)->natts; attnum++)
	{
		if (!TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attisdropped &&
			fdw_column_is_key(RelationGetRelid(rel), attnum))
			keys = bms_add_member(keys, attnum);
	}
	if (keys != NULL || described == NULL)
		return keys;
	for (AttrNumber attnum = 1; attnum <= RelationGetDescr(rel)->natts; attnum++)
	{
		char	   *name = fdw_column_field(rel, attnum);
		int			field = name == NULL ? -1 : schema_find(described, name);

		if (field >= 0 && described->fields[field].key)
			keys = bms_add_member(keys, attnum);
	}
	return keys;
}

/* The same by what is known of the entity without asking. */
static Bitmapset *
known_keys(Relation rel, const TableOptions *options, Oid role)
{
	ConnectorSession *session = fdw_session_open(options, role);
	Bitmapset  *keys = key_columns(rel, options->entity ? session_describe(session, options->entity, true) : NULL);

	session_close(session);
	return keys;
}

/* Whoever asks: this says what the table can, not who may. */
static int
fdw_is_updatable(Relation rel)
{
	TableOptions *options = fdw_table_options(RelationGetRelid(rel));
	const Connector *connector;

	if (options->entity == NULL || !option_is(options->relid, "updatable", true))
		return 0;
	if (strcmp(options->profile, POSTGRESQL_LABEL) == 0)
		connector = app_find(options->connector_type, POSTGRESQL_LABEL);
	else
	{
		ProfileRow *profile = profile_get(options->profile, HOLD_NOT);

		connector = profile == NULL ? NULL : connector_of_profile(profile);
	}
	if (connector == NULL || connector->open_writer == NULL || connector->staged)
		return 0;
	return (1 << CMD_INSERT) | (1 << CMD_UPDATE) | (1 << CMD_DELETE);
}

/* ---------- planning ---------- */

static void
fdw_add_update_targets(PlannerInfo *root, Index rti, RangeTblEntry *rte, Relation rel)
{
	Oid			role = range_table_role(root, rte);
	Bitmapset  *keys = known_keys(rel, fdw_table_options(RelationGetRelid(rel)), OidIsValid(role) ? role : GetUserId());
	int			attnum = -1;

	if (keys == NULL)
		ereport(ERROR,
				errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				errmsg("foreign table \"%s\" has no key column to update or delete rows by", RelationGetRelationName(rel)),
				errhint("Give the column of the entity's id the option key 'true'."));
	while ((attnum = bms_next_member(keys, attnum)) >= 0)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
		Var		   *var = makeVar(rti, attnum, attr->atttypid, attr->atttypmod, attr->attcollation, 0);

		add_row_identity_var(root, var, rti, psprintf("appflow_%s_%u", NameStr(attr->attname), attr->atttypid));
	}
}

static List *
fdw_plan_modify(PlannerInfo *root, ModifyTable *plan, Index rti, int subplan)
{
	if (plan->onConflictAction == ONCONFLICT_NOTHING)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("ON CONFLICT DO NOTHING is not supported by foreign tables of appflow_fdw"),
				errdetail("The application decides what conflicts, and refuses such a record with an error."),
				errhint("The table option upsert 'true' makes INSERT update the record of the same key."));
	if (plan->onConflictAction != ONCONFLICT_NONE)
		elog(ERROR, "unexpected ON CONFLICT specification: %d", (int) plan->onConflictAction);
	return NIL;
}

/* ---------- beginning ---------- */

static void on_reject(void *arg, const Batch *batch, uint32 row, const char *code, const char *message);
static void on_reject_late(void *arg, const char *record, const char *where, const char *code, const char *message);
static void on_accept(void *arg, const Batch *batch, uint32 row, const Cell *result);

static void
add_sent(Modify *modify, AttrNumber attnum, AttrNumber junk)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(modify->rel), attnum - 1);
	Sent	   *sent = &modify->sent[modify->nsent++];

	memset(sent, 0, sizeof(Sent));
	sent->attnum = attnum;
	sent->junk = junk;
	sent->source.name = fdw_column_field(modify->rel, attnum);
	field_set_column_type(&sent->source, attr->atttypid, attr->atttypmod);
	sent->json = datum_reads_as_json(attr->atttypid);
	if (sent->json)
	{
		Const	   *argument = makeNullConst(attr->atttypid, attr->atttypmod, attr->attcollation);

		/* it finds the type of its argument there */
		fmgr_info(F_TO_JSON, &sent->to_json);
		fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSON, JSONOID, list_make1(argument), InvalidOid, InvalidOid,
												 COERCE_EXPLICIT_CALL), &sent->to_json);
		datum_reader_init(&sent->reader, JSONOID);
	}
	else
		datum_reader_init(&sent->reader, attr->atttypid);
}

/* Whether a column that nobody names may be sent: a trigger may have set it. */
static bool
may_be_set(const Schema *described, const char *field, uint8 operation)
{
	int			i = described == NULL ? -1 : schema_find(described, field);

	return i < 0 || described->fields[i].writes & operation;
}

/* the fields of the table's entity */
static const Schema *
fields_of(Modify *modify)
{
	ConnectorSession *session = fdw_session_open(modify->options, modify->role);
	MemoryContext old = MemoryContextSwitchTo(modify->home);
	const Schema *described = session_describe(session, modify->options->entity, false);

	MemoryContextSwitchTo(old);
	session_close(session);
	return described;
}

/* Columns of an INSERT: those that are named, and those with defaults. */
static void
choose_inserted(Modify *modify, ResultRelInfo *info, EState *estate)
{
	TupleDesc	tupdesc = RelationGetDescr(modify->rel);
	Bitmapset  *named = ExecGetInsertedCols(info, estate);
	bool		all = bms_is_empty(named) ||
		(modify->rel->trigdesc != NULL && modify->rel->trigdesc->trig_insert_before_row);
	const Schema *described = all ? fields_of(modify) : NULL;

	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		Form_pg_attribute attr = TupleDescAttr(tupdesc, attnum - 1);

		if (attr->attisdropped || attr->attgenerated != '\0' || fdw_column_field(modify->rel, attnum) == NULL)
			continue;
		if (attr->atthasdef || bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, named) ||
			(all && may_be_set(described, fdw_column_field(modify->rel, attnum), WRITES_INSERT)))
			add_sent(modify, attnum, 0);
	}
}

static void
choose_updated(Modify *modify, ResultRelInfo *info, EState *estate, Bitmapset *keys)
{
	TupleDesc	tupdesc = RelationGetDescr(modify->rel);
	Bitmapset  *named = ExecGetUpdatedCols(info, estate);

	/* a trigger may change any of them */
	bool		all = modify->rel->trigdesc != NULL && modify->rel->trigdesc->trig_update_before_row;
	const Schema *described = all ? fields_of(modify) : NULL;

	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		Form_pg_attribute attr = TupleDescAttr(tupdesc, attnum - 1);
		bool		is_named = bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, named);

		if (attr->attisdropped || attr->attgenerated != '\0' || fdw_column_field(modify->rel, attnum) == NULL)
			continue;
		if (bms_is_member(attnum, keys))
		{
			if (is_named)
				ereport(ERROR,
						errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("column \"%s\" of foreign table \"%s\" is its key, which cannot be changed",
							   NameStr(attr->attname), RelationGetRelationName(modify->rel)));
			continue;
		}
		if (is_named || (all && may_be_set(described, fdw_column_field(modify->rel, attnum), WRITES_UPDATE)))
			add_sent(modify, attnum, 0);
	}
}

/* the old values of the key, by the plan's rows */
static void
choose_keys(Modify *modify, Plan *subplan, Bitmapset *keys)
{
	int			attnum = -1;

	while ((attnum = bms_next_member(keys, attnum)) >= 0)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(modify->rel), attnum - 1);
		char	   *name = psprintf("appflow_%s_%u", NameStr(attr->attname), attr->atttypid);
		AttrNumber	junk = ExecFindJunkAttributeInTlist(subplan->targetlist, name);

		if (!AttributeNumberIsValid(junk))
			elog(ERROR, "could not find junk column \"%s\"", name);
		add_sent(modify, attnum, junk);
		modify->id_fields = lappend(modify->id_fields, modify->sent[modify->nsent - 1].source.name);
	}
}

static Modify *
create_modify(ResultRelInfo *info, EState *estate, WriteOperation operation)
{
	Modify	   *modify = palloc0(sizeof(Modify));
	char	   *size;

	modify->home = CurrentMemoryContext;
	modify->outcomes = (Outcomes){.reject = on_reject,.reject_late = on_reject_late,.accept = on_accept,.arg = modify};
	modify->rel = info->ri_RelationDesc;
	modify->options = fdw_table_options(RelationGetRelid(modify->rel));
	modify->operation = operation;
	modify->role = result_relation_role(info, estate);
	if (!OidIsValid(modify->role))
		modify->role = GetUserId();
	modify->sent = palloc0(sizeof(Sent) * RelationGetDescr(modify->rel)->natts);
	size = fdw_option_value(modify->options->relid, "batch_size");
	modify->wish = size == NULL ? 0 : atoi(size);
	modify->limit = -1;
	if (modify->options->entity == NULL)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("foreign table \"%s\" is over objects of a bucket, which only flows write", modify->options->table));
	if (!option_is(modify->options->relid, "updatable", true))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("foreign table \"%s\" does not allow changes", modify->options->table),
				errdetail("Its option updatable is false, or that of server \"%s\".", modify->options->server));
	return modify;
}

/* an INSERT into a table with the option upsert goes by its key */
static void
begin_insert(Modify *modify, ResultRelInfo *info, EState *estate)
{
	choose_inserted(modify, info, estate);
	if (option_is(modify->options->relid, "upsert", false))
	{
		Bitmapset  *keys = known_keys(modify->rel, modify->options, modify->role);
		int			attnum = -1;

		if (keys == NULL)
			ereport(ERROR,
					errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
					errmsg("foreign table \"%s\" has no key column to upsert by", modify->options->table),
					errhint("Give the column of the entity's id, or of an external id, the option key 'true'."));
		modify->operation = WRITE_UPSERT;
		while ((attnum = bms_next_member(keys, attnum)) >= 0)
			modify->id_fields = lappend(modify->id_fields, fdw_column_field(modify->rel, attnum));
	}
	info->ri_FdwState = modify;
}

static void
fdw_begin_modify(ModifyTableState *state, ResultRelInfo *info, List *private, int subplan, int eflags)
{
	EState	   *estate = state->ps.state;
	Modify	   *modify;
	Bitmapset  *keys;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	modify = create_modify(info, estate, state->operation == CMD_INSERT ? WRITE_INSERT :
						   state->operation == CMD_UPDATE ? WRITE_UPDATE : WRITE_DELETE);
	if (state->operation == CMD_INSERT)
	{
		begin_insert(modify, info, estate);
		return;
	}
	keys = known_keys(modify->rel, modify->options, modify->role);
	if (state->operation == CMD_UPDATE)
		choose_updated(modify, info, estate, keys);
	choose_keys(modify, outerPlanState(state)->plan, keys);
	info->ri_FdwState = modify;
}

/* COPY, and rows that are routed to a partition */
static void
fdw_begin_insert(ModifyTableState *state, ResultRelInfo *info)
{
	EState	   *estate = state->ps.state;
	ModifyTable *plan = (ModifyTable *) state->ps.plan;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	Modify	   *modify;

	if (plan != NULL && plan->operation == CMD_UPDATE && info->ri_usesFdwDirectModify)
		elog(ERROR, "unexpected direct modification");
	if (info->ri_FdwState != NULL)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("rows cannot be moved into foreign table \"%s\" while it is updated itself",
					   RelationGetRelationName(info->ri_RelationDesc)));
	if (plan != NULL && plan->onConflictAction != ONCONFLICT_NONE)
		(void) fdw_plan_modify(NULL, plan, 0, 0);
	modify = create_modify(info, estate, WRITE_INSERT);
	modify->copies = true;
	begin_insert(modify, info, estate);
	MemoryContextSwitchTo(old);
}

/* ---------- outcomes ---------- */

static void
note_refusal(Modify *modify, uint64 record, const char *where, const char *code, const char *message)
{
	MemoryContext old = MemoryContextSwitchTo(modify->row_context);
	Refusal    *refusal;

	modify->refused++;
	if (list_length(modify->refusals) < SHOWN_REFUSALS)
	{
		refusal = palloc0(sizeof(Refusal));
		refusal->record = record;
		refusal->where = where == NULL ? NULL : pstrdup(where);
		refusal->code = pstrdup(code);
		refusal->message = pstrdup(message);
		modify->refusals = lappend(modify->refusals, refusal);
	}
	MemoryContextSwitchTo(old);
}

static void
on_reject(void *arg, const Batch *batch, uint32 row, const char *code, const char *message)
{
	note_refusal(arg, batch->first_record + row, NULL, code, message);
}

static void
on_reject_late(void *arg, const char *record, const char *where, const char *code, const char *message)
{
	note_refusal(arg, 0, where, code, message);
}

static void
on_accept(void *arg, const Batch *batch, uint32 row, const Cell *result)
{
	Modify	   *modify = arg;
	Schema	   *schema = modify->writer->results;

	if (schema == NULL || schema->nfields == 0)
		return;
	modify->results = MemoryContextAlloc(modify->row_context, sizeof(Cell) * schema->nfields);
	for (int i = 0; i < schema->nfields; i++)
	{
		modify->results[i] = result[i];
		if (cell_is_text(&result[i]))
			modify->results[i].data = memcpy(MemoryContextAlloc(modify->row_context, result[i].length + 1),
											 result[i].data, result[i].length);
	}
}

/* Raise an error if records were refused, with the application's reason for each. */
static void
raise_refusals(Modify *modify)
{
	const TableOptions *options = modify->options;
	Refusal    *first;
	StringInfoData others;
	uint64		kept = modify->writer->irrevocable ? modify->writer->records : 0;
	ListCell   *lc;

	if (modify->refused == 0)
		return;
	first = linitial(modify->refusals);
	initStringInfo(&others);
	foreach(lc, modify->refusals)
	{
		Refusal    *refusal = lfirst(lc);

		if (others.len > 0)
			appendStringInfoString(&others, "; ");
		if (refusal->where != NULL)
			appendStringInfo(&others, "%s: ", refusal->where);
		else
			appendStringInfo(&others, "record " UINT64_FORMAT ": ", refusal->record);
		appendStringInfo(&others, "%s: %s", refusal->code, refusal->message);
	}
	if (modify->refused > (uint64) list_length(modify->refusals))
		appendStringInfo(&others, "; and " UINT64_FORMAT " more", modify->refused - list_length(modify->refusals));
	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s", others.data),
			modify->refused == 1 && modify->records == 1 ?
			errmsg("entity \"%s\" refused the record: %s: %s", options->entity, first->code, first->message) :
			errmsg("entity \"%s\" refused " UINT64_FORMAT " of " UINT64_FORMAT " records, the first: %s: %s",
				   options->entity, modify->refused, modify->records, first->code, first->message),
			kept > 0 ? errhint("It keeps the other " UINT64_FORMAT " records: a rollback does not undo them.", kept) : 0,
			errcontext("foreign table \"%s\", server \"%s\"", options->table, options->server));
}

/* ---------- sending ---------- */

/* what a rollback would not undo is said once in a session */
static void
warn_of_rollback(const Modify *modify)
{
	if (warned || !modify->writer->irrevocable || !IsTransactionBlock())
		return;
	warned = true;
	ereport(WARNING,
			errmsg("changes of foreign table \"%s\" are not undone if this transaction is rolled back", modify->options->table),
			errdetail("%s keeps what it has taken.", modify->session->connector->type),
			errhint("This is said once in a session."));
}

static void
open_writer(Modify *modify)
{
	MemoryContext old;
	WriteRequest *request;

	modify->context = AllocSetContextCreate(modify->home, "appflow_fdw modification", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(modify->context);
	modify->row_context = AllocSetContextCreate(modify->context, "appflow_fdw rows to write", ALLOCSET_DEFAULT_SIZES);
	modify->session = fdw_session_open(modify->options, modify->role);
	if (!writes_entities(modify->session))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("entities of connector %s cannot be written", modify->session->connector->type));
	request = palloc0(sizeof(WriteRequest));
	request->entity = modify->options->entity;
	request->operation = modify->operation;
	request->id_fields = modify->id_fields;
	request->batch_size = modify->wish;
	request->schema = schema_create();
	for (int i = 0; i < modify->nsent; i++)
	{
		const Field *source = &modify->sent[i].source;
		Field	   *field = schema_add(request->schema, source->name, source->type);

		field->precision = source->precision;
		field->scale = source->scale;
		field->native_type = source->native_type;
	}
	modify->writer = modify->session->connector->open_writer(modify->session, request);
	modify->batch = batch_create(modify->nsent);
	MemoryContextSwitchTo(old);
	warn_of_rollback(modify);
}

/* a value as the writer wants it, in the next row of the batch */
static void
add_value(Modify *modify, int i, uint32 row, Datum value, bool isnull)
{
	Sent	   *sent = &modify->sent[i];
	Batch	   *batch = modify->batch;
	Cell	   *cell = &batch->columns[i][row];
	char	   *problem;

	if (isnull)
		*cell = cell_null();
	else if (sent->json)
		*cell = sent->reader.read(&sent->reader, batch, FunctionCall1(&sent->to_json, value));
	else
		*cell = sent->reader.read(&sent->reader, batch, value);
	if (!modify->writer->typed)
		return;
	problem = cell_convert_from(batch, cell, sent->source.type, &modify->writer->schema->fields[i]);
	if (problem != NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("column \"%s\" of foreign table \"%s\": %s",
					   NameStr(TupleDescAttr(RelationGetDescr(modify->rel), sent->attnum - 1)->attname),
					   modify->options->table, problem));
}

static void
add_row(Modify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	MemoryContext old;

	if (modify->writer == NULL)
		open_writer(modify);
	old = MemoryContextSwitchTo(modify->row_context);
	if (modify->batch->nrows == 0)
		modify->batch->first_record = modify->records + 1;
	for (int i = 0; i < modify->nsent; i++)
	{
		Sent	   *sent = &modify->sent[i];
		bool		isnull;
		Datum		value = sent->junk != 0 ? ExecGetJunkAttribute(plan_slot, sent->junk, &isnull) :
			slot_getattr(slot, sent->attnum, &isnull);

		if (sent->junk != 0 && isnull)
			ereport(ERROR,
					errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("key column \"%s\" of foreign table \"%s\" is null in a row to change", sent->source.name,
						   modify->options->table));
		add_value(modify, i, modify->batch->nrows, value, isnull);
	}
	modify->rows[modify->batch->nrows] = modify->batch->nrows;
	modify->batch->nrows++;
	modify->records++;
	MemoryContextSwitchTo(old);
}

/* Send what is gathered; raises an error if any of it is refused. */
static void
send_rows(Modify *modify)
{
	Batch	   *batch = modify->batch;
	RecordSet	set;
	MemoryContext old;

	if (modify->writer == NULL || batch->nrows == 0)
		return;
	old = MemoryContextSwitchTo(modify->row_context);
	modify->results = NULL;
	set = (RecordSet)
	{
		.batch = batch,.columns = (const Cell *const *) batch->columns,.rows = modify->rows,.nrows = batch->nrows
	};
	modify->writer->put(modify->writer, &set, &modify->outcomes);
	raise_refusals(modify);
	MemoryContextSwitchTo(old);
	batch_reset(batch);
}

/* rows of a batch, if nothing wants to see each row's fate before the next */
static int
batch_limit(Modify *modify)
{
	ConnectorSession *session;
	int			limit = modify->wish;

	if (modify->limit > 0)
		return modify->limit;
	if (limit == 0)
	{
		session = fdw_session_open(modify->options, modify->role);
		limit = session->connector->batch_size == NULL ? 1 :
			session->connector->batch_size(session, modify->options->entity, modify->operation);
		session_close(session);
	}
	modify->limit = Max(1, Min(limit, BATCH_ROWS));
	return modify->limit;
}

/* ---------- rows ---------- */

static int
fdw_insert_batch_size(ResultRelInfo *info)
{
	Modify	   *modify = info->ri_FdwState;
	TriggerDesc *triggers = info->ri_TrigDesc;

	/* EXPLAIN does not begin to modify */
	if (modify == NULL)
		return 1;
	if (info->ri_projectReturning != NULL || info->ri_WithCheckOptions != NIL ||
		(triggers != NULL && (triggers->trig_insert_before_row || triggers->trig_insert_after_row)))
		return 1;
	return batch_limit(modify);
}

/* What the application has made up goes into the row: a field of that name, or else the only key column. */
static void
fill_results(Modify *modify, TupleTableSlot *slot)
{
	TupleDesc	tupdesc = RelationGetDescr(modify->rel);
	Schema	   *results = modify->writer->results;
	MemoryContext old;

	if (modify->results == NULL)
		return;
	slot_getallattrs(slot);
	ExecMaterializeSlot(slot);
	old = MemoryContextSwitchTo(modify->row_context);
	for (int i = 0; i < results->nfields; i++)
	{
		AttrNumber	target = InvalidAttrNumber;

		for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
		{
			char	   *field = fdw_column_field(modify->rel, attnum);

			if (field != NULL && pg_strcasecmp(field, results->fields[i].name) == 0)
				target = attnum;
		}

		/* the id that was made comes first, whatever its name */
		if (target == InvalidAttrNumber && i == 0)
		{
			for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
			{
				if (!TupleDescAttr(tupdesc, attnum - 1)->attisdropped && fdw_column_is_key(modify->options->relid, attnum))
					target = attnum;
			}
		}
		if (target != InvalidAttrNumber && slot->tts_isnull[target - 1] && modify->results[i].kind != CELL_NULL)
		{
			Form_pg_attribute attr = TupleDescAttr(tupdesc, target - 1);
			Field		field = {.name = results->fields[i].name};
			Cell		cell = modify->results[i];
			DatumMaker	maker;

			field_set_column_type(&field, attr->atttypid, attr->atttypmod);
			datum_maker_init(&maker, attr->atttypid, attr->atttypmod);
			if (cell_convert(modify->batch, &cell, &field) == NULL)
			{
				Datum		value = datum_make(&maker, &cell, &slot->tts_isnull[target - 1]);

				/* the slot stays when the row's memory goes */
				if (!slot->tts_isnull[target - 1])
				{
					MemoryContextSwitchTo(slot->tts_mcxt);
					slot->tts_values[target - 1] = datumCopy(value, attr->attbyval, attr->attlen);
					MemoryContextSwitchTo(modify->row_context);
				}
			}
		}
	}
	MemoryContextSwitchTo(old);
}

/* Whether a row may wait for others. */
static bool
may_gather(const ResultRelInfo *info)
{
	const TriggerDesc *triggers = info->ri_TrigDesc;

	return info->ri_projectReturning == NULL && info->ri_WithCheckOptions == NIL &&
		(triggers == NULL || !(triggers->trig_insert_after_row || triggers->trig_update_after_row || triggers->trig_delete_after_row || triggers->trig_insert_after_statement ||
							   triggers->trig_update_after_statement || triggers->trig_delete_after_statement));
}

/* The executor checks a view's rows after they are written, which here is too late. */
static void
check_view(EState *estate, ResultRelInfo *info, TupleTableSlot *slot)
{
	if (info->ri_WithCheckOptions == NIL)
		return;
	slot->tts_tableOid = RelationGetRelid(info->ri_RelationDesc);
	ExecWithCheckOptions(WCO_VIEW_CHECK, info, slot, estate);
}

static TupleTableSlot *
fdw_insert(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	Modify	   *modify = info->ri_FdwState;

	check_view(estate, info, slot);
	add_row(modify, slot, plan_slot);
	/* before PostgreSQL 16 COPY hands rows over one by one */
	if (modify->copies && may_gather(info) && (int) modify->batch->nrows < batch_limit(modify))
		return slot;
	send_rows(modify);
	if (info->ri_projectReturning != NULL)
		fill_results(modify, slot);
	MemoryContextReset(modify->row_context);
	modify->results = NULL;
	return slot;
}

static TupleTableSlot **
fdw_insert_batch(EState *estate, ResultRelInfo *info, TupleTableSlot **slots, TupleTableSlot **plan_slots, int *count)
{
	Modify	   *modify = info->ri_FdwState;

	for (int i = 0; i < *count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		add_row(modify, slots[i], plan_slots == NULL ? NULL : plan_slots[i]);
	}
	send_rows(modify);
	MemoryContextReset(modify->row_context);
	return slots;
}

static void
change_row(ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	Modify	   *modify = info->ri_FdwState;

	add_row(modify, slot, plan_slot);
	if (may_gather(info) && (int) modify->batch->nrows < batch_limit(modify))
		return;
	send_rows(modify);
	MemoryContextReset(modify->row_context);
}

static TupleTableSlot *
fdw_update(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	check_view(estate, info, slot);
	change_row(info, slot, plan_slot);
	return slot;
}

/* RETURNING shows of a deleted row what the plan has read of it. */
static TupleTableSlot *
fdw_delete(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	Modify	   *modify = info->ri_FdwState;

	change_row(info, slot, plan_slot);
	if (info->ri_projectReturning != NULL)
	{
		ExecClearTuple(slot);
		memset(slot->tts_isnull, true, sizeof(bool) * slot->tts_tupleDescriptor->natts);
		for (int i = 0; i < modify->nsent; i++)
			slot->tts_values[modify->sent[i].attnum - 1] =
				ExecGetJunkAttribute(plan_slot, modify->sent[i].junk, &slot->tts_isnull[modify->sent[i].attnum - 1]);
		ExecStoreVirtualTuple(slot);
	}
	return slot;
}

/* ---------- the end ---------- */

static void
end_modify(Modify *modify)
{
	if (modify == NULL || modify->writer == NULL)
		return;
	send_rows(modify);
	modify->writer->seal(modify->writer, &modify->outcomes);
	raise_refusals(modify);
	modify->writer->finish(modify->writer);
	session_close(modify->session);
	MemoryContextDelete(modify->context);
	modify->writer = NULL;
}

static void
fdw_end_modify(EState *estate, ResultRelInfo *info)
{
	end_modify(info->ri_FdwState);
}

/* ---------- TRUNCATE ---------- */

/* All records are read for their keys, then deleted by them. */
static void
truncate_table(Relation rel)
{
	TableOptions *options = fdw_table_options(RelationGetRelid(rel));
	StringInfoData sql;
	FdwSql		access;

	if (options->entity == NULL)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("foreign table \"%s\" is over objects of a bucket, which only flows write", options->table));
	initStringInfo(&sql);
	appendStringInfo(&sql, "DELETE FROM ONLY %s", quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
																			 RelationGetRelationName(rel)));
	fdw_sql_begin(&access);
	(void) fdw_sql_execute(sql.data, 0, NULL);
	fdw_sql_end(&access);
}

static void
fdw_truncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	ListCell   *lc;

	foreach(lc, rels)
		truncate_table(lfirst(lc));
}

/* ---------- EXPLAIN ---------- */

static void
fdw_explain_modify(ModifyTableState *state, ResultRelInfo *info, List *private, int subplan, struct ExplainState *es)
{
	Modify	   *modify = info->ri_FdwState;
	TableOptions *options = fdw_table_options(RelationGetRelid(info->ri_RelationDesc));
	const char *operation = state->operation == CMD_INSERT ?
		(option_is(options->relid, "upsert", false) ? "UPSERT" : "INSERT") :
		state->operation == CMD_UPDATE ? "UPDATE" : "DELETE";
	char	   *size = fdw_option_value(options->relid, "batch_size");

	ExplainPropertyText("Remote Write", psprintf("%s %s", operation, fdw_entity_name(options)), es);
	if (size != NULL)
		ExplainPropertyText("Batch Size", size, es);
	if (es->analyze && modify != NULL)
		ExplainPropertyUInteger("Records Written", NULL, modify->records, es);
}

void
fdw_modify_routine(FdwRoutine *routine)
{
	routine->IsForeignRelUpdatable = fdw_is_updatable;
	routine->AddForeignUpdateTargets = fdw_add_update_targets;
	routine->PlanForeignModify = fdw_plan_modify;
	routine->BeginForeignModify = fdw_begin_modify;
	routine->ExecForeignInsert = fdw_insert;
	routine->ExecForeignBatchInsert = fdw_insert_batch;
	routine->GetForeignModifyBatchSize = fdw_insert_batch_size;
	routine->ExecForeignUpdate = fdw_update;
	routine->ExecForeignDelete = fdw_delete;
	routine->EndForeignModify = fdw_end_modify;
	routine->BeginForeignInsert = fdw_begin_insert;
	routine->EndForeignInsert = fdw_end_modify;
	routine->ExecForeignTruncate = fdw_truncate;
	routine->ExplainForeignModify = fdw_explain_modify;
}
