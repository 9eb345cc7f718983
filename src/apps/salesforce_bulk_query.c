/*-------------------------------------------------------------------------
 *
 * salesforce_bulk_query.c
 *	  Reads the records of a query by a job of Bulk API 2.0.
 *
 * The job is made, asked about until it is complete, and its results are read piece by
 * piece as CSV: the next piece is sent for when the headers of one have told
 * its locator.  At the end, or when reading fails, the job is deleted.
 *
 * Follows Salesforce's Bulk API 2.0 and Bulk API Developer Guide.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_bulk_query.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/salesforce.h"
#include "codec/csv_reader.h"
#include "codec/text.h"
#include "compat.h"
#include "connector/stream_buffer.h"
#include "miscadmin.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/json.h"
#include "utils/memutils.h"

#define PIECE_RECORDS 50000		/* of one answer */

/* ms between two questions about a job: at first, and at most */
#define FIRST_PAUSE 250
#define LONGEST_PAUSE 10000

/* ms that deleting a job may take after reading has failed */
#define LAST_WORDS 2000

typedef struct BulkReader
{
	RecordReader base;
	MemoryContext context;
	ConnectorSession *session;
	char	   *what;			/* for messages */
	char	   *job;			/* its path; NULL: none, any more */
	Owned	   *csv;

	/* two contexts take turns: one piece is read while the next is on its way */
	MemoryContext contexts[2];
	HttpCall   *calls[2];
	int			current;
	bool		ready;			/* the job is complete */
	uint64		piece;			/* number of the current one */
	uint64		records;		/* read from it */
	int64		promised;		/* as its headers say; -1: they do not */

	StreamBuffer buffer;		/* of the piece's bytes */
} BulkReader;

static void
free_csv(void *object)
{
	csv_reader_free((CsvReader *) object);
}

static void
out_of_memory(void)
{
	ereport(ERROR,
			errcode(ERRCODE_OUT_OF_MEMORY),
			errmsg("out of memory"));
}

/* ---------- the job ---------- */

/* false: the entity is none that Bulk API 2.0 has, and that may be so */
static bool
create_job(BulkReader *reader, const SoqlQuery *query, bool may_refuse)
{
	StringInfoData body;
	HttpCall   *call;
	Jsonb	   *answer;
	char	   *id;

	initStringInfo(&body);
	appendStringInfo(&body, "{\"operation\": \"%s\", \"contentType\": \"CSV\", \"columnDelimiter\": \"COMMA\", "
					 "\"lineEnding\": \"LF\", \"query\": ", query->all ? "queryAll" : "query");
	escape_json(&body, query->text);
	appendStringInfoChar(&body, '}');
	call = salesforce_call(reader->session, "POST", "/jobs/query", body.data);

	/* a job whose answer was lost does no harm: nobody will ask for its results */
	call->repeatable = true;
	call->whole = true;
	http_wait(call);
	if (may_refuse && call->status == 400)
	{
		char	   *code;
		char	   *message;

		salesforce_error(call, &code, &message);
		if (code != NULL && (strcmp(code, "INVALIDENTITY") == 0 ||
							 (message != NULL && strstr(message, "not supported") != NULL)))
		{
			http_close(call);
			return false;
		}
	}
	answer = salesforce_fetch(reader->session, call, reader->what);
	id = jsonb_get_text(answer, "id");
	if (id == NULL || strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != strlen(id))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Salesforce did not tell the id of the query job for %s", reader->what));
	reader->job = psprintf("/jobs/query/%s", id);
	return true;
}

/* true if the job is complete */
static bool
job_is_complete(BulkReader *reader)
{
	Jsonb	   *answer = salesforce_fetch(reader->session, salesforce_call(reader->session, "GET", reader->job, NULL),
										  reader->what);
	char	   *state = jsonb_get_text(answer, "state");
	char	   *message = jsonb_get_text(answer, "errorMessage");

	if (state != NULL && strcmp(state, "JobComplete") == 0)
		return true;
	if (state != NULL && (strcmp(state, "UploadComplete") == 0 || strcmp(state, "InProgress") == 0))
		return false;
	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "The job is %s.", reader->job),
			errmsg("Salesforce's query job for %s ended in state %s%s%s", reader->what, state == NULL ? "none" : state,
				   message == NULL ? "" : ": ", message == NULL ? "" : salesforce_one_line(message)));
}

static void
await_job(BulkReader *reader)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "appflow Salesforce job", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	int64		pause = FIRST_PAUSE;

	while (!job_is_complete(reader))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(work);
		http_pause(pause);
		pause = Min(pause * 3 / 2, LONGEST_PAUSE);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

/*
 * Delete the job, which ends it if it is not complete.  Reading has come to its end, one
 * way or the other: that the job stays is nobody's misfortune, Salesforce removes it
 * after some days.
 */
static void
delete_job(BulkReader *reader)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext calls;
	char	   *job = reader->job;
	HttpGuard	guard;

	if (job == NULL)
		return;
	reader->job = NULL;
	calls = AllocSetContextCreate(context, "appflow Salesforce last words", ALLOCSET_SMALL_SIZES);

	/* with the token there is: this is no time for another, nor to wait for one's turn */
	guard = reader->session->authenticator->guard;
	guard.renew = NULL;
	guard.limit = NULL;
	HOLD_INTERRUPTS();
	PG_TRY();
	{
		static const char *const steps[][2] = {{"PATCH", "{\"state\": \"Aborted\"}"}, {"DELETE", NULL}};

		MemoryContextSwitchTo(calls);
		for (int i = reader->ready ? 1 : 0; i < (int) lengthof(steps); i++)
		{
			HttpCall   *call = salesforce_call(reader->session, steps[i][0], job, steps[i][1]);

			call->guard = &guard;
			call->whole = true;
			call->max_retries = 0;
			call->connect_timeout = call->idle_timeout = LAST_WORDS;
			(void) http_try_wait(call);
			http_close(call);
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	MemoryContextDelete(calls); /* and what of them is under way, before guard goes */
	RESUME_INTERRUPTS();
}

/* ---------- pieces of the result ---------- */

static HttpCall *
start_piece(BulkReader *reader, int which, const char *locator)
{
	MemoryContext old = MemoryContextSwitchTo(reader->contexts[which]);
	char	   *path = psprintf("%s/results?maxRecords=%d%s%s", reader->job, PIECE_RECORDS,
								locator == NULL ? "" : "&locator=", locator == NULL ? "" : url_encode(locator));

	reader->calls[which] = salesforce_call(reader->session, "GET", path, NULL);
	http_header(reader->calls[which], "Accept", "text/csv");
	http_start(reader->calls[which]);
	MemoryContextSwitchTo(old);
	return reader->calls[which];
}

/* wait for the headers of the current piece, and send for the next */
static void
begin_piece(BulkReader *reader)
{
	HttpCall   *call = reader->calls[reader->current];
	const char *locator;
	const char *number;

	http_wait(call);
	if (call->status >= 300)
		salesforce_fail(reader->session, call, reader->what);
	reader->piece++;
	reader->records = 0;
	number = http_response_header(call, "Sforce-NumberOfRecords");
	if (number == NULL || !text_parse_int64(number, strlen(number), &reader->promised))
		reader->promised = -1;
	locator = http_response_header(call, "Sforce-Locator");
	if (locator != NULL && locator[0] != '\0' && strcmp(locator, "null") != 0)
		(void) start_piece(reader, 1 - reader->current, locator);
	stream_buffer_restart(&reader->buffer);
	csv_reader_restart(reader->csv->object);
}

/* go to the next piece; false if there is none */
static bool
next_piece(BulkReader *reader)
{
	if (!reader->ready)
	{
		await_job(reader);
		reader->ready = true;
		(void) start_piece(reader, reader->current, NULL);
	}
	else
	{
		reader->current = 1 - reader->current;
		if (reader->calls[reader->current] == NULL)
			return false;
	}
	begin_piece(reader);
	return true;
}

static void
end_piece(BulkReader *reader)
{
	if (reader->promised >= 0 && (uint64) reader->promised != reader->records)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("piece " UINT64_FORMAT " of %s from Salesforce has " UINT64_FORMAT " records, but " INT64_FORMAT " were announced",
					   reader->piece, reader->what, reader->records, reader->promised));
	http_close(reader->calls[reader->current]);
	reader->calls[reader->current] = NULL;
	MemoryContextReset(reader->contexts[reader->current]);
}

/* ---------- bytes ---------- */

/* results have been seen with stray NULs */
static size_t
without_nul(char *data, size_t length)
{
	size_t		kept;

	if (memchr(data, '\0', length) == NULL)
		return length;
	kept = 0;
	for (size_t i = 0; i < length; i++)
	{
		if (data[i] != '\0')
			data[kept++] = data[i];
	}
	return kept;
}

static size_t
read_bytes(void *arg, char *to, size_t room)
{
	BulkReader *reader = arg;
	size_t		got;
	size_t		kept;

	do
	{
		got = http_read(reader->calls[reader->current], to, room);
		reader->base.bytes += got;
		kept = without_nul(to, got);
	} while (got > 0 && kept == 0);
	return kept;
}

static void
fill_buffer(BulkReader *reader)
{
	if (!stream_buffer_fill(&reader->buffer, STREAM_BUFFER_ENOUGH, read_bytes, reader))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Salesforce sent a record of %s with more than %d MB", reader->what, STREAM_BUFFER_MAX_MB));
}

/* ---------- CSV ---------- */

static void
bind_header(BulkReader *reader)
{
	CsvReader  *csv = reader->csv->object;
	size_t		nfields = csv_reader_nfields(csv);
	int32_t    *columns = palloc(sizeof(int32_t) * nfields);
	Schema	   *schema = reader->base.schema;
	bool	   *bound = palloc0(sizeof(bool) * Max(schema->nfields, 1));

	for (size_t i = 0; i < nfields; i++)
	{
		columns[i] = schema_find(schema, csv_reader_field(csv, i));
		if (columns[i] >= 0)
			bound[columns[i]] = true;
	}
	for (int i = 0; i < schema->nfields; i++)
	{
		if (!bound[i])
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("the result of Salesforce's query job for %s has no column \"%s\"", reader->what,
						   schema->fields[i].name));
	}
	if (!csv_reader_bind(csv, columns))
		out_of_memory();
	pfree(columns);
	pfree(bound);
}

/* what is no CSV of records is likely some page for people */
pg_noreturn static void
malformed(BulkReader *reader)
{
	const CodecError *error = csv_reader_error(reader->csv->object);
	HttpCall   *call = reader->calls[reader->current];

	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method, http_shown_url(call->url),
								 call->status),
			errmsg("piece " UINT64_FORMAT " of %s from Salesforce is malformed: line " UINT64_FORMAT ", column " UINT64_FORMAT ": %s",
				   reader->piece, reader->what, (uint64) error->line, (uint64) error->column, error->message));
}

/* parse what is in the buffer; true if the piece is done */
static bool
parse(BulkReader *reader, Batch *batch)
{
	StreamBuffer *buffer = &reader->buffer;
	CsvReadResult result;

	for (;;)
	{
		CsvStatus	status = csv_reader_read(reader->csv->object, buffer->data + buffer->start, buffer->length,
											 buffer->at_end, batch->arena, batch->columns, batch->lines, BATCH_ROWS, &result);

		stream_buffer_consume(buffer, result.consumed);
		batch->nrows = result.rows;
		switch (status)
		{
			case CSV_MORE:
				buffer->starved = true;
				return buffer->at_end;
			case CSV_FULL:
				return false;
			case CSV_HEADER:
				bind_header(reader);
				break;
			case CSV_ERROR:
				malformed(reader);
		}
	}
}

/* ---------- the reader ---------- */

static bool
read_batch(BulkReader *reader, Batch *batch)
{
	for (;;)
	{
		bool		done;

		if (reader->calls[reader->current] == NULL && !next_piece(reader))
			return false;
		if (reader->buffer.starved)
			fill_buffer(reader);
		done = parse(reader, batch);
		memset(batch->lines, 0, sizeof(uint64) * batch->nrows);
		reader->records += batch->nrows;
		salesforce_adapt(reader->base.schema, batch);
		if (done)
			end_piece(reader);
		if (batch->nrows > 0)
			return true;
		arena_reset(batch->arena);
	}
}

static bool
bulk_next(RecordReader *base, Batch *batch)
{
	BulkReader *reader = (BulkReader *) base;
	MemoryContext old = MemoryContextSwitchTo(reader->context);
	volatile bool more = false;

	PG_TRY();
	{
		more = read_batch(reader, batch);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(reader->context);
		error = CopyErrorData();
		FlushErrorState();
		delete_job(reader);
		ReThrowError(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return more;
}

static void
bulk_abort(RecordReader *base)
{
	delete_job((BulkReader *) base);
}

static void
bulk_close(RecordReader *base)
{
	BulkReader *reader = (BulkReader *) base;
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	for (int i = 0; i < 2; i++)
	{
		if (reader->calls[i] != NULL)
			http_close(reader->calls[i]);
	}
	delete_job(reader);
	own_release(reader->csv);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(reader->context);
}

RecordReader *
salesforce_bulk_reader(ConnectorSession *session, const ReadRequest *request, const SoqlQuery *query, Schema *schema,
					   bool may_refuse)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow Salesforce bulk reader",
												  ALLOCSET_DEFAULT_SIZES);
	BulkReader *reader = palloc0(sizeof(BulkReader)); /* what it counts outlives its close */
	MemoryContext old = MemoryContextSwitchTo(context);
	bool		made;

	reader->base.schema = schema;
	reader->base.next = bulk_next;
	reader->base.close = bulk_close;
	reader->base.abort = bulk_abort;
	reader->context = context;
	reader->session = session;
	reader->what = psprintf("entity \"%s\"", request->entity);
	stream_buffer_init(&reader->buffer);
	for (int i = 0; i < 2; i++)
		reader->contexts[i] = AllocSetContextCreate(context, "appflow Salesforce piece", ALLOCSET_SMALL_SIZES);
	reader->csv = own_in_context(context, free_csv);
	reader->csv->object = csv_reader_create(',');
	if (reader->csv->object == NULL)
		out_of_memory();
	made = create_job(reader, query, may_refuse);
	MemoryContextSwitchTo(old);
	if (!made)
	{
		bulk_close(&reader->base);
		return NULL;
	}
	return &reader->base;
}
