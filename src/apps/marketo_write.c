/*-------------------------------------------------------------------------
 *
 * marketo_write.c
 *	  Writes records to Marketo, by requests of 300 of them.
 *
 * A request is sent when the one before has been answered: of two that come closely
 * together with the same key, Marketo makes two records.  For the same reason a request has
 * each key once, and one that inserts or updates is repeated, when its answer is lost, after a
 * while only.
 *
 * The reference gives flows to Marketo no write operation to choose: as AppFlow does,
 * they insert or update, by email or by the fields that Marketo tells records by.
 *
 * Follows the pages "Leads", "Lead database" and "Custom objects" of Adobe's REST API guide.
 *
 * IDENTIFICATION
 *	  src/apps/marketo_write.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "apps/marketo_write.h"
#include "codec/json_writer.h"
#include "codec/text.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "net/loop.h"
#include "net/net.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

/* bytes of a request; Marketo takes 1 MB */
#define LONGEST_BODY (1000 * 1000)

/* ms after which Marketo has given up a request that writes */
#define SURELY_OVER 120000

/* ms for the answer of a request that is under way when the run ends */
#define ABORT_BUDGET 5000

void
marketo_out_of_memory(void)
{
	ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
}

/* ---------- values ---------- */

void
marketo_append_value(ByteBuffer *out, const Field *field, const Cell *cell, bool json)
{
	Cell		value = *cell;

	/* seconds are all that Marketo has */
	if (value.kind == CELL_TIMESTAMP && value.integer != PG_INT64_MAX && value.integer != PG_INT64_MIN)
	{
		int64		rest = value.integer % USECS_PER_SEC;

		value.integer -= rest < 0 ? rest + USECS_PER_SEC : rest;
	}
	if (json)
		json_append_cell(out, &value, field->type);
	else if (cell_is_text(&value))
		buffer_append(out, value.data, value.length);
	else if (buffer_reserve(out, CELL_TEXT_MAX))
		out->length += text_format_cell(&value, field->type, out->data + out->length);
}

bool
marketo_append_key(const MarketoWriter *writer, ByteBuffer *out, const Cell *const *columns, uint32 row)
{
	for (int i = 0; i < writer->nkeys; i++)
	{
		const Cell *cell = &columns[writer->keys[i]][row];
		size_t		begin = out->length;

		if (cell->kind == CELL_NULL || (cell->kind == CELL_STRING && cell->length == 0))
			return false;
		marketo_append_value(out, &writer->base.schema->fields[writer->keys[i]], cell, false);
		for (size_t k = begin; k < out->length; k++)
			out->data[k] = (char) pg_tolower((unsigned char) out->data[k]);
		buffer_append_char(out, '\0');
	}
	if (out->failed)
		marketo_out_of_memory();
	return true;
}

/* {"name":value,...} */
static void
append_record(const MarketoWriter *writer, ByteBuffer *out, uint32 row)
{
	bool		first = true;

	buffer_append_char(out, '{');
	for (int i = 0; i < writer->base.schema->nfields; i++)
	{
		const Field *field = &writer->base.schema->fields[i];
		const Cell *cell = &writer->set->columns[i][row];

		if (!writer->sent[i] || (cell->kind == CELL_NULL && writer->omit_nulls))
			continue;
		if (!first)
			buffer_append_char(out, ',');
		first = false;
		json_append_string(out, field->name, strlen(field->name));
		buffer_append_char(out, ':');
		marketo_append_value(out, field, cell, true);
	}
	buffer_append_char(out, '}');
	if (out->failed)
		marketo_out_of_memory();
}

/* ---------- outcomes ---------- */

static void
reject_row(MarketoWriter *writer, uint32 row, const char *code, const char *message)
{
	MemoryContext old = MemoryContextSwitchTo(writer->caller);

	writer->outcomes->reject(writer->outcomes->arg, writer->set->batch, row, code, message);
	MemoryContextSwitchTo(old);
}

static void
accept_row(MarketoWriter *writer, uint32 row, const char *id)
{
	Cell		result = id == NULL ? cell_null() : cell_text(CELL_STRING, id, (uint32) strlen(id));
	MemoryContext old = MemoryContextSwitchTo(writer->caller);

	writer->base.records++;
	if (writer->outcomes->accept != NULL)
		writer->outcomes->accept(writer->outcomes->arg, writer->set->batch, row, &result);
	MemoryContextSwitchTo(old);
}

/* code of the first reason, messages of all */
static void
read_reasons(const MarketoWriter *writer, Jsonb *result, const char **code, const char **message)
{
	List	   *reasons = jsonb_array_containers(jsonb_get_container(result, "reasons"));
	StringInfoData text;
	ListCell   *lc;

	*code = NULL;
	initStringInfo(&text);
	foreach(lc, reasons)
	{
		char	   *one = jsonb_get_text(lfirst(lc), "code");
		char	   *words = jsonb_get_text(lfirst(lc), "message");

		if (*code == NULL)
			*code = one;
		appendStringInfo(&text, "%s%s", text.len > 0 ? "; " : "", words == NULL ? "" : words);
	}
	*message = text.len > 0 ? session_words(writer->session, text.data) : "Marketo gave no reason";
	*code = *code == NULL ? "SKIPPED" : session_words(writer->session, *code);
}

static bool
is_written(const char *status)
{
	return status != NULL && (strcmp(status, "created") == 0 || strcmp(status, "updated") == 0 ||
							  strcmp(status, "deleted") == 0);
}

/* deleted by an attempt whose answer did not get through */
static bool
deleted_before(const MarketoWriter *writer, const HttpCall *call, const char *code)
{
	return writer->operation == WRITE_DELETE && call->attempts - 1 > marketo_state(call)->harmless &&
		(strcmp(code, "1004") == 0 || strcmp(code, "1013") == 0);
}

/* the answer's results, of which there are n; NIL if that is not what it is */
static List *
read_results(HttpCall *call, uint32 n)
{
	size_t		length;
	const char *body = http_body(call, &length);
	Jsonb	   *document;
	List	   *results;

	if (call->status >= 300 || marketo_state(call)->refused || body == NULL || memchr(body, '\0', length) != NULL)
		return NIL;
	document = jsonb_parse(pnstrdup(body, length));
	if (document == NULL || !JB_ROOT_IS_OBJECT(document) || !jsonb_get_bool(document, "success", false))
		return NIL;
	results = jsonb_array_containers(jsonb_get_container(document, "result"));
	return list_length(results) == (int) n ? results : NIL;
}

/*
 * The record that an outcome is of: they come in order, and some tell their numbers.  One that is in
 * the wrong place is not guessed about.
 */
static bool
in_order(List *results)
{
	ListCell   *lc;

	foreach(lc, results)
	{
		int64		number;

		if (jsonb_get_int64(lfirst(lc), "seq", &number) && number != foreach_current_index(lc))
			return false;
	}
	return true;
}

/* Refusals come last: one may end the run, which then has counted all that is written. */
static void
take_results(MarketoWriter *writer, HttpCall *call, List *results, const uint32 *rows, uint32 n)
{
	bool	   *refused = palloc0(sizeof(bool) * n);
	const char *code;
	const char *message;

	for (uint32 i = 0; i < n; i++)
	{
		Jsonb	   *result = list_nth(results, i);

		refused[i] = !is_written(jsonb_get_text(result, "status"));
		if (refused[i])
		{
			read_reasons(writer, result, &code, &message);
			refused[i] = !deleted_before(writer, call, code);
		}
		if (!refused[i])
			accept_row(writer, rows[i], jsonb_get_text(result, writer->id));
	}
	http_close(call);
	for (uint32 i = 0; i < n; i++)
	{
		if (!refused[i])
			continue;
		read_reasons(writer, list_nth(results, i), &code, &message);
		reject_row(writer, rows[i], code, message);
	}
}

/* No answer that could be used: what has become of the records? */
static void
take_silence(MarketoWriter *writer, HttpCall *call, const char *reason, const uint32 *rows, uint32 n)
{
	char	   *message = psprintf("it is not known whether Marketo has created the record: %s", reason);

	http_close(call);
	for (uint32 i = 0; i < n; i++)
		reject_row(writer, rows[i], MARKETO_UNKNOWN, message);
}

/* ---------- requests ---------- */

static void
begin_body(const MarketoWriter *writer, ByteBuffer *body)
{
	bool		lead = writer->entity->kind == MARKETO_LEADS;

	buffer_reset(body);
	buffer_append_char(body, '{');
	if (writer->action != NULL)
	{
		buffer_append_string(body, "\"action\":\"");
		buffer_append_string(body, writer->action);
		buffer_append_string(body, "\",");
	}
	if (writer->lookup != NULL && (writer->action != NULL || !lead))
	{
		buffer_append_string(body, lead ? "\"lookupField\":" : writer->action == NULL ? "\"deleteBy\":" : "\"dedupeBy\":");
		json_append_string(body, writer->lookup, strlen(writer->lookup));
		buffer_append_char(body, ',');
	}
	buffer_append_string(body, "\"input\":[");
}

/* One attempt to send what is in the body; false: nobody knows what has become of it. */
static bool
try_to_send(MarketoWriter *writer, uint32 n, HttpCall **answered)
{
	ByteBuffer *body = writer->body->object;
	HttpCall   *call = marketo_call(writer->session, "POST",
									psprintf("%s%s.json", writer->entity->path, writer->action == NULL ? "/delete" : ""),
									body->data, body->length, "application/json");
	bool		fine;

	*answered = call;
	call->repeatable = !writer->once && !writer->slow;
	marketo_state(call)->once = writer->once || writer->slow;
	call->idle_timeout = Max(call->idle_timeout, SURELY_OVER);
	writer->base.bytes += body->length;
	writer->flight = call;
	writer->flight_rows = n;
	fine = http_try_wait(call);
	writer->flight = NULL;
	if (!fine)
	{
		if (http_silence(call) == NULL)
			http_raise(call);
		return false;
	}
	return !marketo_state(call)->doubtful && call->status < 500;
}

/* what an attempt without a usable answer has to say */
static char *
doubt_in_words(const MarketoWriter *writer, const HttpCall *call)
{
	const MarketoCall *state = marketo_state(call);

	if (http_silence(call) != NULL)
		return pstrdup(http_silence(call));
	if (state->doubtful)
		return psprintf("it answered %s: %s", state->code, session_words(writer->session, state->message != NULL ? state->message : ""));
	return psprintf("the answer has status %d", call->status);
}

static void
send_records(MarketoWriter *writer, const uint32 *rows, uint32 n)
{
	ByteBuffer *body = writer->body->object;
	HttpCall   *call;
	List	   *results;

	buffer_append_string(body, "]}");
	if (body->failed)
		marketo_out_of_memory();
	writer->requested += n;
	for (int try = 1;; try++)
	{
		CHECK_FOR_INTERRUPTS();
		if (try_to_send(writer, n, &call))
			break;
		if (writer->once)
		{
			take_silence(writer, call, doubt_in_words(writer, call), rows, n);
			return;
		}
		if (!writer->slow || try > net_max_retries)
		{
			if (call->failure != HTTP_FINE)
				http_raise(call);
			marketo_fail(writer->session, call, writer->what);
		}
		http_close(call);
		http_pause(Min(SURELY_OVER, (int64) net_max_retry_delay * 6));
	}
	if (marketo_state(call)->refused || call->status >= 300)
		marketo_fail(writer->session, call, writer->what);
	results = read_results(call, n);
	if (results != NIL && in_order(results))
		take_results(writer, call, results, rows, n);
	else if (writer->once)
		take_silence(writer, call, psprintf("the answer has status %d, and no outcomes", call->status), rows, n);
	else
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method,
									 http_shown_url(call->url), call->status),
				errmsg("the answer of Marketo about %s does not have an outcome for each of %u records", writer->what, n),
				errhint("Whether they were written, nobody knows."));
}

/* some records of the set, from a place on, in one request; returns the place behind them */
static uint32
write_some(MarketoWriter *writer, uint32 begin)
{
	ByteBuffer *body = writer->body->object;
	ByteBuffer *record = writer->record->object;
	uint32		rows[MARKETO_PAGE];
	uint64		keys[MARKETO_PAGE];
	uint32		n = 0;
	uint32		at;

	begin_body(writer, body);
	for (at = begin; at < writer->set->nrows && n < MARKETO_PAGE; at++)
	{
		uint32		row = writer->set->rows[at];
		bool		again = false;

		buffer_reset(record);
		if (writer->nkeys > 0)
		{
			if (!marketo_append_key(writer, record, writer->set->columns, row))
			{
				reject_row(writer, row, "MISSING_ID", "a field that identifies the record is empty");
				continue;
			}
			keys[n] = hash_bytes_extended((const unsigned char *) record->data, (int) record->length, 0);
			for (uint32 i = 0; i < n; i++)
				again = again || keys[i] == keys[n];
			if (again)
				break;
			buffer_reset(record);
		}
		append_record(writer, record, row);
		if (record->length > LONGEST_BODY - 200)
		{
			reject_row(writer, row, "TOO_LARGE", psprintf("the record has %zu bytes, a request to Marketo may have 1 MB",
													  record->length));
			continue;
		}
		if (n > 0 && body->length + record->length + 3 > LONGEST_BODY)
			break;
		if (n > 0)
			buffer_append_char(body, ',');
		buffer_append(body, record->data, record->length);
		rows[n++] = row;
	}
	if (n > 0)
		send_records(writer, rows, n);
	return at;
}

/* ---------- the writer ---------- */

/* does a record of the set lack a value? */
static bool
has_nulls(const MarketoWriter *writer, uint32 row)
{
	for (int i = 0; i < writer->base.schema->nfields; i++)
	{
		if (writer->sent[i] && writer->set->columns[i][row].kind == CELL_NULL)
			return true;
	}
	return false;
}

/* Jobs do not tell what an empty place in a file does to a field: from the first one on there are none. */
static void
look_for_nulls(MarketoWriter *writer)
{
	for (uint32 i = 0; writer->may_import && i < writer->set->nrows; i++)
		writer->may_import = !has_nulls(writer, writer->set->rows[i]);
}

static void
leave_imports(MarketoWriter *writer)
{
	marketo_imports_complete(writer->imports);
	writer->imports = NULL;
	writer->may_import = false;
}

static void
marketo_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	MarketoWriter *writer = (MarketoWriter *) base;
	uint32		at = 0;

	writer->caller = MemoryContextSwitchTo(writer->scratch);
	writer->set = set;
	writer->outcomes = outcomes;

	/* jobs tell later than the caller wants to know */
	if (outcomes->accept != NULL)
		writer->may_import = false;
	if (writer->imports == NULL)
		look_for_nulls(writer);
	while (at < set->nrows)
	{
		CHECK_FOR_INTERRUPTS();
		if (writer->may_import && writer->imports == NULL && writer->requested >= MARKETO_IMPORT_FROM)
		{
			MemoryContextSwitchTo(writer->context);
			writer->imports = marketo_imports_begin(writer);
			MemoryContextSwitchTo(writer->scratch);
		}
		if (writer->imports == NULL)
			at = write_some(writer, at);
		else if (!has_nulls(writer, set->rows[at]) && marketo_imports_add(writer->imports, set->rows[at]))
		{
			at++;
			continue;
		}
		else
			leave_imports(writer);
		MemoryContextReset(writer->scratch);
	}
	MemoryContextSwitchTo(writer->caller);
	MemoryContextReset(writer->scratch);
}

static void
marketo_seal(RecordWriter *base, const Outcomes *outcomes)
{
	MarketoWriter *writer = (MarketoWriter *) base;

	if (writer->imports == NULL)
		return;
	writer->caller = MemoryContextSwitchTo(writer->scratch);
	writer->outcomes = outcomes;
	leave_imports(writer);
	MemoryContextSwitchTo(writer->caller);
}

static void
marketo_finish(RecordWriter *base)
{
}

/*
 * What the request under way has done is waited for a little, so that the run can
 * say how many records Marketo keeps.  One that has not been sent is not.
 */
static void
count_flight(MarketoWriter *writer)
{
	int64		limit = loop_now() + ABORT_BUDGET;
	HttpCall   *call = writer->flight;
	List	   *results = NIL;
	ListCell   *lc;

	writer->flight = NULL;
	call->max_retries = 0;
	if (call->attempts > 0 && call->status < 400 && call->failure == HTTP_FINE)
	{
		while (!http_done(call) && loop_now() < limit)
			loop_wait((long) Min(limit - loop_now(), 100));
		if (http_done(call) && http_try_wait(call))
			results = read_results(call, writer->flight_rows);
		foreach(lc, results)
		{
			if (is_written(jsonb_get_text(lfirst(lc), "status")))
				writer->base.records++;
		}
		if (results == NIL && call->status < 400)
			ereport(WARNING,
					errmsg("the run ended before Marketo said what became of %u records of its last request: %s",
						   writer->flight_rows, writer->what));
	}
	http_close(call);
}

static void
marketo_abort(RecordWriter *base)
{
	MarketoWriter *writer = (MarketoWriter *) base;
	MemoryContext old;

	if (writer->imports != NULL)
		marketo_imports_abort(writer->imports);

	/* calls may need transactions of their own */
	if (IsTransactionState() || writer->flight == NULL)
		return;
	old = MemoryContextSwitchTo(writer->scratch);
	PG_TRY();
	{
		count_flight(writer);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(writer->context);
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

/* ---------- opening ---------- */

/* fields of the entity: those that dedupe records, or the one that Marketo identifies them by */
static List *
marked_fields(const Schema *described, bool id)
{
	List	   *names = NIL;

	for (int i = 0; i < described->nfields; i++)
	{
		if (id ? described->fields[i].key : described->fields[i].upsert_key)
			names = lappend(names, described->fields[i].name);
	}
	return names;
}

static bool
same_names(List *a, List *b)
{
	ListCell   *lc;

	foreach(lc, a)
	{
		if (!list_has_text(b, lfirst(lc)))
			return false;
	}
	return a != NIL && list_length(a) == list_length(b);
}

static char *
names_joined(List *names)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, names)
		appendStringInfo(&text, "%s\"%s\"", text.len > 0 ? ", " : "", (char *) lfirst(lc));
	return text.data;
}

static bool
are_mapped(const Schema *schema, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (schema_find(schema, lfirst(lc)) < 0)
			return false;
	}
	return names != NIL;
}

/* What the records are told by, and what Marketo is to do: sets action, lookup and keys' names. */
static List *
choose_action(MarketoWriter *writer, const WriteRequest *request, const Schema *described)
{
	bool		lead = writer->entity->kind == MARKETO_LEADS;
	List	   *id = marked_fields(described, true);
	List	   *dedupe = marked_fields(described, false);
	List	   *names = request->id_fields;
	bool		by_id;

	if (writer->operation == WRITE_INSERT)
	{
		by_id = writer->flow && are_mapped(request->schema, id);
		names = by_id ? id : dedupe;
		if (!are_mapped(request->schema, names))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("%s needs %s", writer->what, names_joined(names)),
					errhint("Marketo tells by it which records it has already."));
		writer->action = by_id ? "updateOnly" : writer->flow ? "createOrUpdate" : "createOnly";
		writer->lookup = lead ? linitial(names) : by_id ? "idField" : NULL;
		return names;
	}
	if (names == NIL)
		names = writer->operation == WRITE_UPSERT ? dedupe : id;
	by_id = same_names(names, id);
	if (writer->operation == WRITE_UPSERT ? by_id : writer->operation == WRITE_DELETE && lead && !by_id)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s cannot go by %s", writer->what, names_joined(names)),
				errhint("It goes by %s.", names_joined(writer->operation == WRITE_UPSERT ? dedupe : id)));
	if (lead ? list_length(names) != 1 : !by_id && !same_names(names, dedupe))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s cannot go by %s", writer->what, names_joined(names)),
				lead ? errhint("It goes by one field, \"email\" say.") :
				errhint("It goes by %s%s%s.", names_joined(dedupe), writer->operation == WRITE_UPSERT ? "" : ", or by ",
						writer->operation == WRITE_UPSERT ? "" : names_joined(id)));
	writer->action = writer->operation == WRITE_UPSERT ? "createOrUpdate" : writer->operation == WRITE_UPDATE ? "updateOnly" : NULL;
	writer->lookup = lead ? linitial(names) : by_id ? "idField" : writer->operation == WRITE_UPSERT ? NULL : "dedupeFields";
	return names;
}

static void
bind_columns(MarketoWriter *writer, const WriteRequest *request, const Schema *described, List *keys)
{
	Schema	   *schema = request->schema;
	ListCell   *lc;

	writer->sent = palloc0(sizeof(bool) * Max(schema->nfields, 1));
	for (int i = 0; i < schema->nfields; i++)
	{
		Field	   *field = &schema->fields[i];
		int			found = schema_find(described, field->name);
		const Field *theirs;
		bool		key = list_has_text(keys, field->name);

		if (found < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("Marketo has no field \"%s\" of entity \"%s\"", field->name, request->entity),
					errhint("appflow.describe_connector_entity() tells which there are."));
		theirs = &described->fields[found];
		if (!key && writer->operation != WRITE_DELETE && (theirs->writes & (1 << writer->operation)) == 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("field \"%s\" of entity \"%s\" cannot be set by %s", field->name, request->entity,
						   write_names[writer->operation]));
		field->type = theirs->type;
		field->native_type = theirs->native_type;
		writer->sent[i] = key || writer->operation != WRITE_DELETE;
	}
	writer->keys = palloc(sizeof(int) * Max(list_length(keys), 1));
	foreach(lc, keys)
	{
		int			column = schema_find(schema, lfirst(lc));

		if (column < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("%s needs its field \"%s\"", writer->what, (char *) lfirst(lc)));
		writer->keys[writer->nkeys++] = column;
	}
}

RecordWriter *
marketo_open_writer(ConnectorSession *session, WriteRequest *request)
{
	MarketoWriter *writer = palloc0(sizeof(MarketoWriter));
	const Schema *described;
	List	   *keys;
	int			id;

	writer->session = session;
	writer->context = CurrentMemoryContext;
	writer->entity = marketo_entity(request->entity);
	writer->operation = request->operation;
	writer->flow = request->flow_name != NULL;
	writer->what = psprintf("%s of entity \"%s\"", write_names[request->operation], request->entity);
	if (writer->entity->kind > MARKETO_CUSTOM)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("entity \"%s\" of Marketo cannot be written", request->entity),
				errhint("Leads, companies, opportunities, their roles, named accounts, sales persons and custom objects can."));
	described = marketo_describe(session, request->entity);
	keys = choose_action(writer, request, described);
	bind_columns(writer, request, described, keys);
	writer->once = writer->action != NULL && strcmp(writer->action, "createOnly") == 0;
	writer->slow = writer->action != NULL && strcmp(writer->action, "createOrUpdate") == 0;
	writer->omit_nulls = writer->once;
	writer->may_import = writer->flow && writer->entity->bulk != NULL && writer->action != NULL &&
		strcmp(writer->action, "createOrUpdate") == 0;
	id = schema_find(described, "marketoGUID");
	writer->id = writer->entity->kind != MARKETO_LEADS && id >= 0 && described->fields[id].key ? "marketoGUID" : "id";
	writer->scratch = AllocSetContextCreate(CurrentMemoryContext, "appflow Marketo request", ALLOCSET_DEFAULT_SIZES);
	writer->body = own_buffer(CurrentMemoryContext);
	writer->record = own_buffer(CurrentMemoryContext);

	writer->base.schema = request->schema;
	writer->base.results = schema_create();
	id = schema_find(described, writer->id);
	(void) schema_add(writer->base.results, writer->id, id >= 0 ? described->fields[id].type : FIELD_STRING);
	writer->base.typed = true;
	writer->base.irrevocable = true;
	writer->base.put = marketo_put;
	writer->base.seal = marketo_seal;
	writer->base.finish = marketo_finish;
	writer->base.abort = marketo_abort;
	return &writer->base;
}

int
marketo_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation)
{
	return MARKETO_PAGE;
}
