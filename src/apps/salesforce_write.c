/*-------------------------------------------------------------------------
 *
 * salesforce_write.c
 *	  Writing records to a Salesforce object, by requests of sObject Collections.
 *
 * A request has up to 200 records and is answered at once, with an outcome for
 * each.  A request whose answer is lost is repeated where that does no harm:
 * UPSERT, UPDATE and DELETE go by a key.  An INSERT is not: its records are
 * reported as of unknown outcome.
 *
 * With AUTOMATIC, records wait until it is known whether there are as many as Bulk
 * API 2.0 (salesforce_ingest.c) is meant for.
 *
 * Follows "sObject Collections" in Salesforce's REST API Developer Guide.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_write.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "access/xact.h"
#include "apps/salesforce_write.h"
#include "codec/json_writer.h"
#include "codec/text.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "net/loop.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

/* bytes that may wait; a request has little more */
#define WAITING_BYTES (4 * 1024 * 1024)

/* ms before records that were locked are tried again; doubles */
#define LOCK_PAUSE 500

/* ms for the answer of a request that is under way when the run ends */
#define ABORT_BUDGET 5000

#define ID_LENGTH 15
#define LONG_ID_LENGTH 18

static const struct
{
	const char *word;			/* in messages */
	uint8		writes;			/* bit of Field.writes */
	const char *method;
}			operations[] = {
	[WRITE_INSERT] = {"INSERT", WRITES_INSERT, "POST"},
	[WRITE_UPSERT] = {"UPSERT", WRITES_UPSERT, "PATCH"},
	[WRITE_UPDATE] = {"UPDATE", WRITES_UPDATE, "PATCH"},
	[WRITE_DELETE] = {"DELETE", WRITES_DELETE, "DELETE"},
};

void
salesforce_out_of_memory(void)
{
	ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
}

/* ---------- values ---------- */

/* milliseconds are all that Salesforce takes */
static void
append_instant(ByteBuffer *out, int64 micros)
{
	int64		seconds = micros / USECS_PER_SEC;
	int64		rest = micros % USECS_PER_SEC;
	Cell		cell;
	char		text[CELL_TEXT_MAX];
	size_t		length;

	if (rest < 0)
	{
		rest += USECS_PER_SEC;
		seconds--;
	}
	cell = cell_integer(CELL_TIMESTAMP, seconds * USECS_PER_SEC);
	length = text_format_cell(&cell, FIELD_TIMESTAMP, text);
	buffer_append(out, text, length);
	buffer_append(out, text, snprintf(text, sizeof(text), ".%03dZ", (int) (rest / 1000)));
}

/* hh:mm:ss[.ffffff] */
static void
append_time(ByteBuffer *out, const Cell *cell)
{
	char		fraction[4] = "000";
	size_t		seconds = Min(cell->length, 8);

	for (size_t i = 9; i < cell->length && i < 12; i++)
		fraction[i - 9] = cell->data[i];
	buffer_append(out, cell->data, seconds);
	buffer_append_char(out, '.');
	buffer_append(out, fraction, 3);
	buffer_append_char(out, 'Z');
}

void
salesforce_append_value(ByteBuffer *out, const WriteColumn *column, const Cell *cell)
{
	if (cell->kind == CELL_TIMESTAMP && cell->integer != PG_INT64_MAX && cell->integer != PG_INT64_MIN)
		append_instant(out, cell->integer);
	else if (column->time && cell->kind == CELL_STRING)
		append_time(out, cell);
	else if (cell_is_text(cell))
		buffer_append(out, cell->data, cell->length);
	else if (buffer_reserve(out, CELL_TEXT_MAX))
		out->length += text_format_cell(cell, column->field->type, out->data + out->length);
}

static void
append_json_value(ByteBuffer *out, const WriteColumn *column, const Cell *cell)
{
	if (cell->kind == CELL_TIMESTAMP || (column->time && cell->kind == CELL_STRING))
	{
		buffer_append_char(out, '"');
		salesforce_append_value(out, column, cell);
		buffer_append_char(out, '"');
	}
	else
		json_append_cell(out, cell, column->field->type);
}

static void
append_key(ByteBuffer *out, const char *name)
{
	json_append_string(out, name, strlen(name));
	buffer_append_char(out, ':');
}

/*
 * One record of a request.  What is null is left out of an INSERT, so that it gets
 * its default; otherwise it empties the field.
 */
static void
append_record(const SalesforceWriter *writer, ByteBuffer *out, const Cell *cells)
{
	buffer_append_string(out, "{\"attributes\":{\"type\":");
	json_append_string(out, writer->entity, strlen(writer->entity));
	buffer_append_char(out, '}');
	for (int i = 0; i < writer->ncolumns; i++)
	{
		const WriteColumn *column = &writer->columns[i];
		bool		null = cells[i].kind == CELL_NULL;

		if (null && (writer->operation == WRITE_INSERT || i == writer->key))
			continue;
		buffer_append_char(out, ',');
		if (column->relationship == NULL)
		{
			append_key(out, column->name);
			append_json_value(out, column, &cells[i]);
		}
		else if (null)
		{
			append_key(out, column->reference);
			buffer_append_string(out, "null");
		}
		else
		{
			append_key(out, column->relationship);
			buffer_append_char(out, '{');
			append_key(out, column->parent_field);
			append_json_value(out, column, &cells[i]);
			buffer_append_char(out, '}');
		}
	}
	buffer_append_char(out, '}');
}

/* ---------- outcomes ---------- */

static const Cell *
cells_of(const SalesforceWriter *writer, int i)
{
	return writer->waiting + (size_t) i * writer->ncolumns;
}

char *
salesforce_record_json(const SalesforceWriter *writer, const Cell *cells)
{
	ByteBuffer	buffer = {0};
	char	   *text;

	buffer_append_char(&buffer, '{');
	for (int i = 0; i < writer->ncolumns; i++)
	{
		const Field *field = writer->columns[i].field;

		if (i > 0)
			buffer_append_char(&buffer, ',');
		append_key(&buffer, field->name);
		json_append_cell(&buffer, &cells[i], field->type);
	}
	buffer_append_char(&buffer, '}');
	text = buffer.failed ? NULL :
		MemoryContextAllocExtended(CurrentMemoryContext, buffer.length + 1, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
	if (text != NULL)
	{
		memcpy(text, buffer.data, buffer.length);
		text[buffer.length] = '\0';
	}
	buffer_free(&buffer);
	if (text == NULL)
		salesforce_out_of_memory();
	return text;
}

/*
 * Who wants to know of written records hears of all in the put that brought them;
 * others may hear later.
 */
static void
refuse(SalesforceWriter *writer, int i, const char *code, const char *message,
	   const RecordSet *set, const Outcomes *outcomes)
{
	if (set != NULL)
		outcomes->reject(outcomes->arg, set->batch, writer->rows[i], code, message);
	else
		outcomes->reject_late(outcomes->arg, salesforce_record_json(writer, cells_of(writer, i)), writer->where[i],
							  code, message);
}

/* created: 1, 0, or -1: not known */
static void
take_written(SalesforceWriter *writer, int i, const char *id, int created, const RecordSet *set, const Outcomes *outcomes)
{
	Cell		result[2];

	writer->base.records++;
	if (set == NULL)
		return;
	result[0] = id == NULL ? cell_null() : cell_text(CELL_STRING, id, (uint32_t) strlen(id));
	result[1] = created < 0 ? cell_null() : cell_integer(CELL_BOOLEAN, created);
	outcomes->accept(outcomes->arg, set->batch, writer->rows[i], result);
}

/* ---------- requests ---------- */

static bool
is_id(const Cell *cell)
{
	if (cell->kind != CELL_STRING || (cell->length != ID_LENGTH && cell->length != LONG_ID_LENGTH))
		return false;
	for (uint32_t i = 0; i < cell->length; i++)
	{
		if (!isalnum((unsigned char) cell->data[i]) || (unsigned char) cell->data[i] > 127)
			return false;
	}
	return true;
}

static HttpCall *
make_call(SalesforceWriter *writer, const int *which, int n)
{
	ByteBuffer *body = writer->body->object;
	HttpCall   *call;
	const char *path = "/composite/sobjects";

	buffer_reset(body);
	if (writer->operation == WRITE_DELETE)
	{
		buffer_append_string(body, "/composite/sobjects?allOrNone=false&ids=");
		for (int i = 0; i < n; i++)
		{
			const Cell *key = &cells_of(writer, which[i])[writer->key];

			if (i > 0)
				buffer_append_char(body, ',');
			buffer_append(body, key->data, key->length);
		}
		path = "";
	}
	else
	{
		buffer_append_string(body, "{\"allOrNone\":false,\"records\":[");
		for (int i = 0; i < n; i++)
		{
			if (i > 0)
				buffer_append_char(body, ',');
			append_record(writer, body, cells_of(writer, which[i]));
		}
		buffer_append_string(body, "]}");
	}
	buffer_append_char(body, '\0');
	if (body->failed)
		salesforce_out_of_memory();
	if (writer->operation == WRITE_UPSERT)
		path = psprintf("%s/%s/%s", path, writer->entity, writer->columns[writer->key].name);
	if (writer->operation == WRITE_DELETE)
		call = salesforce_call(writer->session, "DELETE", body->data, NULL);
	else
		call = salesforce_call(writer->session, operations[writer->operation].method, path, body->data);
	call->repeatable = writer->operation != WRITE_INSERT;
	call->whole = true;
	writer->base.bytes += call->body_length;
	return call;
}

/* The answer's results, of which there are n; NIL if that is not what it is. */
static List *
read_results(HttpCall *call, int n)
{
	size_t		length;
	const char *body = http_body(call, &length);
	Jsonb	   *document;
	List	   *results;

	if (call->status >= 300 || body == NULL || memchr(body, '\0', length) != NULL)
		return NIL;
	document = jsonb_parse(pnstrdup(body, length));
	if (document == NULL || !JB_ROOT_IS_ARRAY(document) || JB_ROOT_IS_SCALAR(document))
		return NIL;
	results = jsonb_array_containers(document);
	return list_length(results) == n ? results : NIL;
}

/*
 * What a result says is wrong with its record: the code of the first error, the
 * messages of all.
 */
static void
read_errors(Jsonb *result, char **code, char **message)
{
	StringInfoData text;
	ListCell   *lc;

	*code = NULL;
	initStringInfo(&text);
	foreach(lc, jsonb_array_containers(jsonb_get_container(result, "errors")))
	{
		char	   *status = jsonb_get_text(lfirst(lc), "statusCode");
		char	   *words = jsonb_get_text(lfirst(lc), "message");

		if (*code == NULL)
			*code = status;
		else if (status != NULL)
			appendStringInfo(&text, "; %s: ", status);
		appendStringInfoString(&text, words != NULL ? words : "");
	}
	if (*code == NULL)
		*code = "UNKNOWN_EXCEPTION";
	*message = text.len > 0 ? text.data : "Salesforce gave no reason";
}

/* the first request has deleted it, and its answer did not get through */
static bool
deleted_before(const SalesforceWriter *writer, const HttpCall *call, const char *code)
{
	return writer->operation == WRITE_DELETE && call->attempts > 1 && strcmp(code, "ENTITY_IS_DELETED") == 0;
}

static void send_rows(SalesforceWriter *writer, const int *which, int n, int round,
					  const RecordSet *set, const Outcomes *outcomes);

/*
 * Refusals come last: one may end the run, which then has counted all that is written.
 */
static void
take_results(SalesforceWriter *writer, HttpCall *call, List *results, const int *which, int n, int round,
			 const RecordSet *set, const Outcomes *outcomes)
{
	int		   *refused = palloc(sizeof(int) * n);
	int			nrefused = 0;
	int		   *locked = palloc(sizeof(int) * n);
	int			nlocked = 0;
	char	   *code;
	char	   *message;

	for (int i = 0; i < n; i++)
	{
		Jsonb	   *result = list_nth(results, i);
		int			created = writer->operation == WRITE_INSERT;

		if (writer->operation == WRITE_UPSERT)
			created = call->attempts > 1 ? -1 : jsonb_get_bool(result, "created", false);
		if (jsonb_get_bool(result, "success", false))
		{
			take_written(writer, which[i], jsonb_get_text(result, "id"), created, set, outcomes);
			continue;
		}
		read_errors(result, &code, &message);
		if (deleted_before(writer, call, code))
			take_written(writer, which[i], jsonb_get_text(result, "id"), 0, set, outcomes);
		else if (strcmp(code, SALESFORCE_LOCKED) == 0 && round < SALESFORCE_LOCK_ROUNDS)
			locked[nlocked++] = which[i];
		else
			refused[nrefused++] = i;
	}
	http_close(call);
	for (int i = 0; i < nrefused; i++)
	{
		read_errors(list_nth(results, refused[i]), &code, &message);
		refuse(writer, which[refused[i]], code, message, set, outcomes);
	}
	if (nlocked > 0)
	{
		http_pause((int64) LOCK_PAUSE << round);
		send_rows(writer, locked, nlocked, round + 1, set, outcomes);
	}
}

/* No answer that could be used: what has become of the records? */
static void
take_silence(SalesforceWriter *writer, HttpCall *call, const char *reason, const int *which, int n,
			 const RecordSet *set, const Outcomes *outcomes)
{
	char	   *message = psprintf("it is not known whether Salesforce has created the record: %s", reason);

	http_close(call);
	for (int i = 0; i < n; i++)
		refuse(writer, which[i], SALESFORCE_UNKNOWN, message, set, outcomes);
}

/*
 * The request as a whole was refused, so nothing of it was done.  One record that
 * cannot be read spoils it for all: it is found by halves.
 */
static void
take_refusal(SalesforceWriter *writer, HttpCall *call, const int *which, int n, int round,
			 const RecordSet *set, const Outcomes *outcomes)
{
	char	   *code;
	char	   *message;

	salesforce_error(call, &code, &message);
	if (call->status != 400 || code == NULL || strcmp(code, "JSON_PARSER_ERROR") != 0)
		salesforce_fail(writer->session, call, writer->what);
	http_close(call);
	if (n == 1)
		refuse(writer, which[0], code, message != NULL ? message : "Salesforce cannot read the record", set, outcomes);
	else
	{
		send_rows(writer, which, n / 2, round, set, outcomes);
		send_rows(writer, which + n / 2, n - n / 2, round, set, outcomes);
	}
}

static void
send_rows(SalesforceWriter *writer, const int *which, int n, int round, const RecordSet *set, const Outcomes *outcomes)
{
	bool		once = writer->operation == WRITE_INSERT;
	HttpCall   *call;
	List	   *results;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	call = make_call(writer, which, n);
	writer->flight = call;
	writer->flight_rows = n;
	if (!http_try_wait(call))
	{
		writer->flight = NULL;
		if (!once || http_silence(call) == NULL)
			http_raise(call);
		take_silence(writer, call, http_silence(call), which, n, set, outcomes);
		return;
	}
	writer->flight = NULL;
	if (call->status >= 300 && call->status < 500)
	{
		take_refusal(writer, call, which, n, round, set, outcomes);
		return;
	}
	results = read_results(call, n);
	if (results != NIL)
		take_results(writer, call, results, which, n, round, set, outcomes);
	else if (once)
		take_silence(writer, call, psprintf("the answer has status %d", call->status), which, n, set, outcomes);
	else if (call->status >= 500)
		salesforce_fail(writer->session, call, writer->what);
	else
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method,
									 http_shown_url(call->url), call->status),
				errmsg("the answer of Salesforce about %s does not have a result for each of %d records",
					   writer->what, n));
}

/* ---------- records that wait ---------- */

static void
forget_waiting(SalesforceWriter *writer)
{
	writer->nwaiting = 0;
	writer->waiting_bytes = 0;
	MemoryContextReset(writer->waiting_context);
}

/* Keys that differ in letter case only may be the same to Salesforce. */
static uint64
key_hash(const Cell *cell)
{
	uint64		hash = 0;

	for (uint32_t i = 0; cell_is_text(cell) && i < cell->length; i++)
		hash = hash_combine64(hash, (unsigned char) pg_ascii_tolower(cell->data[i]));
	return hash;
}

/*
 * Send all that waits.  Salesforce refuses a request in which a key occurs twice:
 * the second goes with the next one, so that the last one stays.
 */
static void
flush(SalesforceWriter *writer, const RecordSet *set, const Outcomes *outcomes)
{
	int			which[SALESFORCE_COLLECTION];
	uint64		keys[SALESFORCE_COLLECTION];
	int			next = 0;

	while (next < writer->nwaiting)
	{
		MemoryContext old = MemoryContextSwitchTo(writer->scratch);
		int			n = 0;

		for (; next < writer->nwaiting && n < SALESFORCE_COLLECTION; next++)
		{
			const Cell *key = writer->key < 0 ? NULL : &cells_of(writer, next)[writer->key];
			bool		again = false;

			if (key != NULL && key->kind == CELL_NULL)
			{
				refuse(writer, next, "MISSING_ARGUMENT",
					   psprintf("%s is empty, which identifies the record", writer->columns[writer->key].name),
					   set, outcomes);
				continue;
			}
			if (key != NULL && writer->operation != WRITE_UPSERT && !is_id(key))
			{
				refuse(writer, next, "MALFORMED_ID",
					   psprintf("\"%s\" is not an id of Salesforce", cell_text_cstring(key, FIELD_STRING)),
					   set, outcomes);
				continue;
			}
			keys[n] = key != NULL ? key_hash(key) : 0;
			for (int i = 0; key != NULL && i < n; i++)
				again = again || keys[i] == keys[n];
			if (again)
				break;
			which[n++] = next;
		}
		if (n > 0)
			send_rows(writer, which, n, 0, set, outcomes);
		MemoryContextSwitchTo(old);
		MemoryContextReset(writer->scratch);
	}
	forget_waiting(writer);
}

/* ---------- Bulk API 2.0 ---------- */

static void
add_to_job(SalesforceWriter *writer, const Cell *cells, uint64 number, const Outcomes *outcomes)
{
	MemoryContext old = MemoryContextSwitchTo(writer->scratch);
	const char *problem = ingest_add(writer->jobs, cells, number, outcomes);

	if (problem != NULL)
		outcomes->reject_late(outcomes->arg, salesforce_record_json(writer, cells), psprintf("record " UINT64_FORMAT, number),
							  "NOT_EXPRESSIBLE", problem);
	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->scratch);
}

/*
 * Write by jobs from here on, beginning with what waits.  An object that Bulk
 * API 2.0 does not know is written by requests, if the choice is ours.
 */
static void
turn_to_bulk(SalesforceWriter *writer, const Outcomes *outcomes)
{
	bool		may_refuse = writer->api == SALESFORCE_AUTOMATIC;
	MemoryContext old = MemoryContextSwitchTo(writer->context);

	writer->jobs = ingest_begin(writer, may_refuse);
	MemoryContextSwitchTo(old);
	writer->api = writer->jobs != NULL ? SALESFORCE_BULK : SALESFORCE_REST;
	if (writer->api == SALESFORCE_REST)
	{
		flush(writer, NULL, outcomes);
		return;
	}
	for (int i = 0; i < writer->nwaiting; i++)
		add_to_job(writer, cells_of(writer, i), writer->numbers[i], outcomes);
	forget_waiting(writer);
}

/* ---------- the writer ---------- */

static void
wait_for_more(SalesforceWriter *writer, const RecordSet *set, uint32 row)
{
	MemoryContext old = MemoryContextSwitchTo(writer->waiting_context);
	Cell	   *cells = writer->waiting + (size_t) writer->nwaiting * writer->ncolumns;

	for (int i = 0; i < writer->ncolumns; i++)
	{
		cells[i] = set->columns[i][row];
		if (!cell_is_text(&cells[i]))
			continue;
		cells[i].data = memcpy(MemoryContextAllocHuge(CurrentMemoryContext, (Size) cells[i].length + 1),
							   cells[i].data, cells[i].length);
		writer->waiting_bytes += cells[i].length;
	}
	writer->where[writer->nwaiting] = batch_locate(set->batch, row);
	writer->numbers[writer->nwaiting] = set->batch->first_record + row;
	writer->rows[writer->nwaiting++] = row;
	MemoryContextSwitchTo(old);
}

static void
salesforce_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	SalesforceWriter *writer = (SalesforceWriter *) base;
	const RecordSet *at_once = outcomes->accept != NULL ? set : NULL;

	/* jobs tell later than the caller wants to know */
	if (at_once != NULL && writer->jobs == NULL)
		writer->api = SALESFORCE_REST;
	if (writer->api == SALESFORCE_BULK && writer->jobs == NULL)
		turn_to_bulk(writer, outcomes);
	for (uint32 i = 0; i < set->nrows; i++)
	{
		uint32		row = set->rows[i];

		CHECK_FOR_INTERRUPTS();
		if (writer->api == SALESFORCE_BULK)
		{
			for (int column = 0; column < writer->ncolumns; column++)
				writer->waiting[column] = set->columns[column][row];
			add_to_job(writer, writer->waiting, set->batch->first_record + row, outcomes);
			continue;
		}
		wait_for_more(writer, set, row);
		if (writer->api == SALESFORCE_AUTOMATIC &&
			(writer->nwaiting == SALESFORCE_BULK_WRITE || writer->waiting_bytes > WAITING_BYTES))
			turn_to_bulk(writer, outcomes);
		else if (writer->api == SALESFORCE_REST &&
				 (writer->nwaiting == SALESFORCE_COLLECTION || writer->waiting_bytes > WAITING_BYTES))
			flush(writer, at_once, outcomes);
	}
	if (at_once != NULL)
		flush(writer, at_once, outcomes);
}

static void
salesforce_seal(RecordWriter *base, const Outcomes *outcomes)
{
	SalesforceWriter *writer = (SalesforceWriter *) base;

	if (writer->jobs != NULL)
		ingest_complete(writer->jobs, outcomes);
	else
		flush(writer, NULL, outcomes);
}

static void
salesforce_finish(RecordWriter *base)
{
}

/*
 * What the request under way has done is waited for a little, so that the run can
 * say how many records Salesforce keeps.  One that has not been sent is not.
 */
static void
count_flight(SalesforceWriter *writer)
{
	int64		limit = loop_now() + ABORT_BUDGET;
	HttpCall   *call = writer->flight;

	writer->flight = NULL;
	call->max_retries = 0;
	if (call->attempts > 0 && call->status < 400 && call->failure == HTTP_FINE)
	{
		List	   *results = NIL;
		ListCell   *lc;

		while (!http_done(call) && loop_now() < limit)
			loop_wait((long) Min(limit - loop_now(), 100));
		if (http_done(call) && http_try_wait(call))
			results = read_results(call, writer->flight_rows);
		foreach(lc, results)
		{
			if (jsonb_get_bool(lfirst(lc), "success", false))
				writer->base.records++;
		}
		if (results == NIL && call->status < 400)
			ereport(WARNING,
					errmsg("the run ended before Salesforce said what became of %d records of its last request: %s",
						   writer->flight_rows, writer->what));
	}
	http_close(call);
}

static void
salesforce_abort(RecordWriter *base)
{
	SalesforceWriter *writer = (SalesforceWriter *) base;
	MemoryContext old;

	/* calls may need transactions of their own; within one, there are no jobs */
	if (IsTransactionState())
		return;
	old = MemoryContextSwitchTo(writer->scratch);
	PG_TRY();
	{
		if (writer->flight != NULL)
			count_flight(writer);
		if (writer->jobs != NULL)
			ingest_abort(writer->jobs);
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

static const Field *
find_field(const Schema *schema, const char *name)
{
	for (int i = 0; i < schema->nfields; i++)
	{
		if (pg_strcasecmp(schema->fields[i].name, name) == 0)
			return &schema->fields[i];
	}
	return NULL;
}

pg_noreturn static void
raise_no_field(const SalesforceWriter *writer, const char *name)
{
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("Salesforce object \"%s\" has no field \"%s\"", writer->entity, name),
			errhint("Fields that the profile's user may not see are not there either."));
}

/* "Account.Code__c": the parent with that external id */
static void
bind_parent(SalesforceWriter *writer, WriteColumn *column, Field *target, const Schema *described, const char *dot)
{
	char	   *relationship = pnstrdup(target->name, dot - target->name);
	const Field *reference = NULL;
	const Field *parent = NULL;

	for (int i = 0; i < described->nfields && reference == NULL; i++)
	{
		if (described->fields[i].relationship != NULL &&
			pg_strcasecmp(described->fields[i].relationship, relationship) == 0)
			reference = &described->fields[i];
	}
	if (reference == NULL)
		raise_no_field(writer, target->name);
	if (reference->references != NULL)
	{
		parent = find_field(salesforce_describe(writer->session, reference->references), dot + 1);
		if (parent == NULL || (!parent->upsert_key && !parent->key))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("field \"%s\" cannot be written: \"%s\" does not identify a record of \"%s\"",
						   target->name, dot + 1, reference->references),
					errhint("A parent is named by one of its external ids."));
	}
	column->relationship = reference->relationship;
	column->parent_field = parent != NULL ? parent->name : pstrdup(dot + 1);
	column->reference = reference->name;
	column->name = psprintf("%s.%s", column->relationship, column->parent_field);
	target->type = parent != NULL ? parent->type : FIELD_STRING;
	for (const WriteColumn *other = writer->columns; other < column; other++)
	{
		if (other->reference != NULL && strcmp(other->reference, column->reference) == 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("fields \"%s\" and \"%s\" name the same parent", other->name, column->name));
	}
	if ((reference->writes & operations[writer->operation].writes) == 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("field \"%s\" of Salesforce object \"%s\" cannot be set by %s", reference->name,
					   writer->entity, operations[writer->operation].word));
}

static void
bind_column(SalesforceWriter *writer, WriteColumn *column, Field *target, const Schema *described, bool key)
{
	const Field *source = find_field(described, target->name);
	const char *dot = strchr(target->name, '.');

	column->field = target;
	column->name = target->name;
	if (writer->operation == WRITE_DELETE && !key)
	{
		column->ignored = true;
		return;
	}
	if (source == NULL && dot != NULL)
	{
		bind_parent(writer, column, target, described, dot);
		return;
	}
	if (source == NULL)
		raise_no_field(writer, target->name);
	if (!key && (source->key || (source->writes & operations[writer->operation].writes) == 0))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("field \"%s\" of Salesforce object \"%s\" cannot be set by %s", source->name,
					   writer->entity, operations[writer->operation].word));
	column->name = source->name;
	column->time = source->type == FIELD_TIME;
	target->type = source->type;
	target->native_type = source->native_type;
	for (const WriteColumn *other = writer->columns; other < column; other++)
	{
		if (strcmp(other->name, column->name) == 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("field \"%s\" of Salesforce object \"%s\" is written twice", column->name, writer->entity));
	}
}

/* the column that identifies a record, by request->id_fields */
static int
find_key(const SalesforceWriter *writer, const WriteRequest *request, const Schema *described)
{
	const char *word = operations[writer->operation].word;
	const char *name;
	const Field *field;

	if (writer->operation == WRITE_INSERT)
		return -1;
	if (list_length(request->id_fields) != 1)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s in Salesforce goes by one field, idFieldNames has %d", word, list_length(request->id_fields)));
	name = linitial(request->id_fields);
	field = find_field(described, name);
	if (field == NULL)
		raise_no_field(writer, name);
	if (writer->operation == WRITE_UPSERT)
	{
		bool		by_id = field->key && writer->api == SALESFORCE_BULK;

		if (!field->upsert_key && !by_id)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("field \"%s\" of Salesforce object \"%s\" is not an external id", field->name, writer->entity),
					errhint("UPSERT goes by a field with the attribute External ID%s.",
							field->key ? ", or with the dataTransferApi BULKV2 by Id" : ""));
	}
	else if (!field->key)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s in Salesforce goes by the field \"Id\", not by \"%s\"", word, name));
	for (int i = 0; i < request->schema->nfields; i++)
	{
		if (pg_strcasecmp(request->schema->fields[i].name, name) == 0)
			return i;
	}
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("field \"%s\" of idFieldNames is not mapped", name));
}

static void
free_body(void *object)
{
	buffer_free((ByteBuffer *) object);
}

RecordWriter *
salesforce_open_writer(ConnectorSession *session, WriteRequest *request)
{
	SalesforceWriter *writer = palloc0(sizeof(SalesforceWriter));
	const Schema *described = salesforce_describe(session, request->entity);
	int			room = SALESFORCE_BULK_WRITE;

	writer->session = session;
	writer->context = CurrentMemoryContext;
	writer->entity = pstrdup(request->entity);
	writer->operation = request->operation;
	writer->what = psprintf("%s into object \"%s\"", operations[request->operation].word, request->entity);
	writer->api = salesforce_api(request->properties);
	writer->ncolumns = request->schema->nfields;
	writer->columns = palloc0(sizeof(WriteColumn) * Max(writer->ncolumns, 1));
	writer->key = find_key(writer, request, described);
	for (int i = 0; i < writer->ncolumns; i++)
		bind_column(writer, &writer->columns[i], &request->schema->fields[i], described, i == writer->key);

	writer->waiting_context = AllocSetContextCreate(CurrentMemoryContext, "appflow records that wait",
													ALLOCSET_DEFAULT_SIZES);
	writer->scratch = AllocSetContextCreate(CurrentMemoryContext, "appflow Salesforce request", ALLOCSET_DEFAULT_SIZES);
	writer->waiting = palloc_extended(sizeof(Cell) * room * Max(writer->ncolumns, 1), MCXT_ALLOC_HUGE);
	writer->where = palloc(sizeof(char *) * room);
	writer->numbers = palloc(sizeof(uint64) * room);
	writer->rows = palloc(sizeof(uint32) * room);
	writer->body = own_in_context(CurrentMemoryContext, free_body);
	writer->body->object = palloc0(sizeof(ByteBuffer));

	writer->base.schema = request->schema;
	writer->base.results = schema_create();
	schema_add(writer->base.results, "id", FIELD_STRING);
	schema_add(writer->base.results, "created", FIELD_BOOLEAN);
	writer->base.typed = true;
	writer->base.irrevocable = true;
	writer->base.put = salesforce_put;
	writer->base.seal = salesforce_seal;
	writer->base.finish = salesforce_finish;
	writer->base.abort = salesforce_abort;
	return &writer->base;
}

int
salesforce_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation)
{
	return SALESFORCE_COLLECTION;
}

/* an object has the fields it has: which ones are meant is known before anything is written */
bool
salesforce_needs_schema(Jsonb *properties, bool all_fields)
{
	return all_fields;
}

bool
salesforce_fixed_schema(Jsonb *properties)
{
	return true;
}

List *
salesforce_check_destination(Jsonb *properties)
{
	char	   *operation = jsonb_get_text(properties, "writeOperationType");
	List	   *names = jsonb_array_texts(jsonb_get_container(properties, "idFieldNames"));
	bool		by_id = list_length(names) == 1 && pg_strcasecmp(linitial(names), "Id") == 0;

	if (operation == NULL || names == NIL || pg_strcasecmp(operation, operations[WRITE_INSERT].word) == 0)
		return NIL;
	if (pg_strcasecmp(operation, operations[WRITE_UPSERT].word) != 0)
		return by_id ? NIL : list_make1(psprintf("idFieldNames: %s in Salesforce goes by \"Id\"", operation));
	if (list_length(names) > 1)
		return list_make1("idFieldNames: UPSERT in Salesforce goes by one field, an external id");
	if (by_id && salesforce_api(properties) != SALESFORCE_BULK)
		return list_make1("idFieldNames: UPSERT in Salesforce goes by \"Id\" only with the dataTransferApi BULKV2");
	return NIL;
}
