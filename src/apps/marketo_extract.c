/*-------------------------------------------------------------------------
 *
 * marketo_extract.c
 *	  Reads leads and custom objects by export jobs.
 *
 * A job exports what was created or changed within 31 days at most; what spans more is
 * read by one job after another, the next of which Marketo carries out while the file of
 * one is read.  The file comes as CSV, is gone on with where it broke off, and must
 * have the size, the checksum and the number of records that its job tells.
 *
 * Neighbouring spans share the second between them, as nobody says whether their ends
 * are exact to the millisecond: what was in the one already is left out of the other
 * (marketo_seen.c).
 *
 * Follows the pages "Bulk extract", "Bulk lead extract" and "Bulk custom object extract" of
 * Adobe's REST API guide.
 *
 * IDENTIFICATION
 *	  src/apps/marketo_extract.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/evp.h>
#include <time.h>

#include "apps/marketo.h"
#include "codec/csv_reader.h"
#include "codec/text.h"
#include "compat.h"
#include "connector/stream_buffer.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "net/net.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/json.h"
#include "utils/memutils.h"

/* seconds of one job */
#define LONGEST_SPAN (31 * SECS_PER_DAY)

/* ms between two questions about a job: at first, and at most, as its state changes once a minute */
#define FIRST_PAUSE 500
#define LONGEST_PAUSE 60000

/* ms between two tries to get into a full queue, and tries: half a day */
#define QUEUE_PAUSE 60000
#define QUEUE_TRIES 720

/* ms that cancelling a job may take after reading has ended */
#define LAST_WORDS 2000

/* bytes of a refusal at most, in the place of a file */
#define REFUSAL_MAX 8192

#define DIGEST_LENGTH 32

typedef enum JobState
{
	JOB_NONE,
	JOB_CREATED,
	JOB_QUEUED,					/* or being carried out */
	JOB_DONE
} JobState;

typedef struct ExportJob
{
	JobState	state;
	char	   *id;
	int64		from;			/* seconds, both ends included */
	int64		until;
	int64		size;			/* as told when it is done; -1: not told */
	int64		records;
	char	   *checksum;		/* in hexadecimal, or NULL */
} ExportJob;

typedef struct ExtractReader
{
	RecordReader base;
	MemoryContext context;
	MemoryContext scratch;		/* of questions about jobs */
	ConnectorSession *session;
	const MarketoPlan *plan;
	char	   *what;			/* for messages */
	bool		ahead;			/* whoever reads will read all */

	/* spans to come: from one end to the other */
	bool		descending;
	bool		all_made;		/* there is no other job to make */
	int64		place;			/* where the next begins (descending: ends) */
	int64		goal;			/* where the last ends (descending: begins); MARKETO_NO_TIME: now */

	ExportJob	jobs[2];
	int			current;
	bool		reading;		/* the file of the current job */

	/* the file */
	MemoryContext call_context;
	HttpCall   *call;			/* NULL: none is under way */
	int64		offset;			/* bytes that have come */
	uint64		records;
	Owned	   *digest;			/* EVP_MD_CTX */
	Owned	   *csv;
	StreamBuffer buffer;		/* of its bytes */

	MarketoSeen *seen;			/* records that were in spans before */
} ExtractReader;

static void
free_csv(void *object)
{
	csv_reader_free((CsvReader *) object);
}

static void
free_digest(void *object)
{
	EVP_MD_CTX_free((EVP_MD_CTX *) object);
}

static void
out_of_memory(void)
{
	ereport(ERROR,
			errcode(ERRCODE_OUT_OF_MEMORY),
			errmsg("out of memory"));
}

/* ---------- jobs ---------- */

static char *
job_path(const ExtractReader *reader, const char *id, const char *verb)
{
	return psprintf("%s/export/%s/%s.json", reader->plan->entity->bulk, id, verb);
}

static char *
creation_body(const ExtractReader *reader, const ExportJob *job)
{
	const Schema *schema = reader->base.schema;
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"format\":\"CSV\",\"fields\":[");
	for (int i = 0; i < schema->nfields; i++)
	{
		if (i > 0)
			appendStringInfoChar(&body, ',');
		escape_json(&body, schema->fields[i].name);
	}
	appendStringInfoString(&body, "],\"filter\":{");
	escape_json(&body, reader->plan->field);
	appendStringInfo(&body, ":{\"startAt\":\"%s\",\"endAt\":\"%s\"}}}", marketo_time(job->from), marketo_time(job->until));
	return body.data;
}

static bool
code_is(const HttpCall *call, const char *code)
{
	const char *said = marketo_state(call)->code;

	return said != NULL && strcmp(said, code) == 0;
}

/* refused for want of room, which there will be; a quota of bytes is filled again tomorrow only */
static bool
queue_is_full(const HttpCall *call)
{
	const char *message = marketo_state(call)->message;

	return code_is(call, "1029") && message != NULL && strcasestr(message, "quota") == NULL;
}

/*
 * POST for a job, and its answer's result.  patient: wait for room in the queue; otherwise NULL: there
 * is none, or no quota any more.  unsupported (or NULL) is set if Marketo does not have that filter.
 */
static Jsonb *
post(ExtractReader *reader, const char *path, const char *body, bool patient, bool *unsupported)
{
	for (int try = 1;; try++)
	{
		HttpCall   *call = marketo_call(reader->session, "POST", path, body, body == NULL ? 0 : strlen(body),
										"application/json");
		Jsonb	   *result;

		/* a job made twice does no harm: it is not carried out before it is told to */
		call->repeatable = true;
		if (marketo_wait(call, reader->what))
		{
			result = marketo_first(reader->session, marketo_answer(call, reader->what), reader->what);
			http_close(call);
			return result;
		}
		if (unsupported != NULL && code_is(call, "1035"))
		{
			*unsupported = true;
			http_close(call);
			return NULL;
		}
		if (patient ? !queue_is_full(call) || try == QUEUE_TRIES : !code_is(call, "1029"))
			marketo_fail(reader->session, call, reader->what);
		http_close(call);
		if (!patient)
			return NULL;
		marketo_pause(QUEUE_PAUSE);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Take the next span; false: there is none. */
static bool
next_span(ExtractReader *reader, ExportJob *job)
{
	int64		now = (int64) time(NULL);
	int64		goal;

	if (reader->all_made)
		return false;
	memset(job, 0, sizeof(ExportJob));
	if (reader->descending)
	{
		job->until = reader->place;
		job->from = Max(job->until - LONGEST_SPAN, reader->goal);
		reader->place = job->from;
		reader->all_made = job->from <= reader->goal;
	}
	else
	{
		goal = reader->goal == MARKETO_NO_TIME ? now : Min(reader->goal, now);
		job->from = reader->place;
		job->until = Min(job->from + LONGEST_SPAN, goal);
		reader->place = job->until;
		reader->all_made = job->until >= goal;
	}
	if (job->until < job->from)
		return false;
	if (job->until == job->from)
		job->until++;
	return true;
}

/* Create the job of the next span; false: there is none, or Marketo has no such filter. */
static bool
create_job(ExtractReader *reader, ExportJob *job, bool patient, bool *unsupported)
{
	ExportJob	made;
	int64		place = reader->place;
	Jsonb	   *result;
	char	   *id;

	if (!next_span(reader, &made))
		return false;
	result = post(reader, psprintf("%s/export/create.json", reader->plan->entity->bulk), creation_body(reader, &made),
				  patient, unsupported);
	if (result == NULL)
	{
		reader->place = place;
		reader->all_made = false;
		return false;
	}
	id = jsonb_get_text(result, "exportId");
	if (id == NULL || strspn(id, "0123456789abcdefABCDEF-") != strlen(id))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Marketo did not tell the id of the export job for %s", reader->what));
	made.id = MemoryContextStrdup(reader->context, id);
	made.state = JOB_CREATED;
	*job = made;
	return true;
}

/* The queue has taken it before, and the answer was lost. */
static bool
is_queued(ExtractReader *reader, const ExportJob *job)
{
	Jsonb	   *told = marketo_first(reader->session,
									 marketo_fetch(reader->session,
												   marketo_get(reader->session, job_path(reader, job->id, "status"), ""),
												   reader->what), reader->what);
	char	   *status = jsonb_get_text(told, "status");

	return status != NULL && strcmp(status, "Created") != 0;
}

static bool
enqueue_job(ExtractReader *reader, ExportJob *job, bool patient)
{
	for (int try = 1;; try++)
	{
		HttpCall   *call = marketo_call(reader->session, "POST", job_path(reader, job->id, "enqueue"), NULL, 0, NULL);

		call->repeatable = true;
		if (marketo_wait(call, reader->what))
		{
			http_close(call);
			break;
		}
		if (code_is(call, "1029") && is_queued(reader, job))
			break;
		if (patient ? !queue_is_full(call) || try == QUEUE_TRIES : !code_is(call, "1029"))
			marketo_fail(reader->session, call, reader->what);
		http_close(call);
		if (!patient)
			return false;
		marketo_pause(QUEUE_PAUSE);
		CHECK_FOR_INTERRUPTS();
	}
	job->state = JOB_QUEUED;
	return true;
}

/* Is the job done?  Then what it tells of its file is known. */
static bool
job_is_done(ExtractReader *reader, ExportJob *job)
{
	Jsonb	   *told = marketo_first(reader->session,
									 marketo_fetch(reader->session,
												   marketo_get(reader->session, job_path(reader, job->id, "status"), ""),
												   reader->what), reader->what);
	char	   *status = jsonb_get_text(told, "status");
	char	   *message = jsonb_get_text(told, "errorMsg");
	char	   *checksum = jsonb_get_text(told, "fileChecksum");

	if (status != NULL && (strcmp(status, "Queued") == 0 || strcmp(status, "Processing") == 0))
		return false;
	if (status == NULL || strcmp(status, "Completed") != 0)
	{
		job->state = JOB_DONE;	/* there is nothing to cancel */
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "The job is %s.", job->id),
				errmsg("Marketo's export job for %s ended in state %s%s%s", reader->what,
					   status == NULL ? "none" : session_words(reader->session, status),
					   message == NULL ? "" : ": ", message == NULL ? "" : session_words(reader->session, message)));
	}
	if (!jsonb_get_int64(told, "fileSize", &job->size))
		job->size = -1;
	if (!jsonb_get_int64(told, "numberOfRecords", &job->records))
		job->records = -1;
	if (checksum != NULL && pg_strncasecmp(checksum, "sha256:", 7) == 0)
		job->checksum = MemoryContextStrdup(reader->context, checksum + 7);
	job->state = JOB_DONE;
	return true;
}

/* Have the current job carried out, and the one behind it in the queue meanwhile. */
static void
await_job(ExtractReader *reader)
{
	ExportJob  *job = &reader->jobs[reader->current];
	ExportJob  *other = &reader->jobs[1 - reader->current];
	int64		pause = FIRST_PAUSE;
	MemoryContext old = MemoryContextSwitchTo(reader->scratch);

	if (job->state == JOB_CREATED)
		(void) enqueue_job(reader, job, true);
	if (reader->ahead && other->state == JOB_NONE)
		(void) create_job(reader, other, false, NULL);
	if (other->state == JOB_CREATED)
		(void) enqueue_job(reader, other, false);
	while (job->state != JOB_DONE && !job_is_done(reader, job))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(reader->scratch);
		marketo_pause(pause);
		pause = Min(pause * 2, LONGEST_PAUSE);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(reader->scratch);
}

/*
 * Cancel what is not done: reading has come to its end, one way or the other.  A job that stays
 * is nobody's misfortune but for its place in the queue.
 */
static void
cancel_jobs(ExtractReader *reader)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext calls = AllocSetContextCreate(context, "appflow Marketo last words", ALLOCSET_SMALL_SIZES);
	HttpGuard	guard = reader->session->authenticator->guard;

	/* with the token there is: this is no time for another, nor to wait for one's turn */
	guard.renew = NULL;
	guard.limit = NULL;
	HOLD_INTERRUPTS();
	PG_TRY();
	{
		MemoryContextSwitchTo(calls);
		for (int i = 0; i < 2; i++)
		{
			ExportJob  *job = &reader->jobs[i];
			HttpCall   *call;

			if (job->state != JOB_CREATED && job->state != JOB_QUEUED)
				continue;
			job->state = JOB_NONE;
			call = marketo_call(reader->session, "POST", job_path(reader, job->id, "cancel"), NULL, 0, NULL);
			call->guard = &guard;
			call->judge = NULL;
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

/* ---------- the file ---------- */

static void
close_call(ExtractReader *reader)
{
	if (reader->call != NULL)
		http_close(reader->call);
	reader->call = NULL;
	MemoryContextReset(reader->call_context);
}

/* Bytes that the answer sends of what is there already; -1: it is not of this file. */
static int64
repeated_bytes(const ExtractReader *reader)
{
	const char *range = http_response_header(reader->call, "Content-Range");
	int64		begin;

	if (reader->call->status == 200)
		return reader->offset;
	if (reader->call->status != 206 || range == NULL || pg_strncasecmp(range, "bytes ", 6) != 0)
		return -1;
	range += 6;
	if (!text_parse_int64(range, strcspn(range, "-"), &begin) || begin > reader->offset)
		return -1;
	return reader->offset - begin;
}

/* Ask for the file, from where it broke off. */
static void
open_file(ExtractReader *reader)
{
	const ExportJob *job = &reader->jobs[reader->current];
	MemoryContext old = MemoryContextSwitchTo(reader->call_context);
	int64		repeated;

	reader->call = marketo_get(reader->session, job_path(reader, job->id, "file"), "");
	reader->call->whole = false;
	reader->call->judged = REFUSAL_MAX;
	http_header(reader->call, "Accept", "text/csv, */*");
	if (reader->offset > 0)
	{
		/* bytes of the file, not of how it is compressed on its way */
		reader->call->keep_encoding = true;
		http_header(reader->call, "Range", psprintf("bytes=" INT64_FORMAT "-", reader->offset));
	}
	http_wait(reader->call);
	if (reader->call->status == 404)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "The job is %s.", job->id),
				errmsg("the file of Marketo's export job for %s is gone", reader->what),
				errhint("Marketo keeps files for seven days."));
	if (reader->call->status >= 300 || marketo_state(reader->call)->refused)
		marketo_fail(reader->session, reader->call, reader->what);
	repeated = repeated_bytes(reader);
	if (repeated < 0)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "The job is %s.", job->id),
				errmsg("Marketo sent another part of the file of %s than was asked for", reader->what));
	while (repeated > 0)
	{
		char		dropped[8192];
		size_t		got = http_read(reader->call, dropped, Min(repeated, (int64) sizeof(dropped)));

		if (got == 0)
			ereport(ERROR,
					appflow_error_detail(WF_CONNECTOR, "The job is %s.", job->id),
					errmsg("the file of Marketo's export job for %s became shorter", reader->what));
		repeated -= got;
	}
	MemoryContextSwitchTo(old);
}

/* a file has come to its end: is it what the job told? */
static void
check_file(ExtractReader *reader)
{
	const ExportJob *job = &reader->jobs[reader->current];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length;
	char		text[2 * DIGEST_LENGTH + 1];

	if (job->size >= 0 && reader->offset != job->size)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "The job is %s.", job->id),
				errmsg("the file of Marketo's export job for %s has " INT64_FORMAT " bytes, but " INT64_FORMAT " were announced",
					   reader->what, reader->offset, job->size));
	if (EVP_DigestFinal_ex(reader->digest->object, digest, &length) != 1 || length != DIGEST_LENGTH)
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("the cryptographic library failed"));
	for (unsigned int i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	if (job->checksum != NULL && pg_strcasecmp(job->checksum, text) != 0)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "The job is %s.", job->id),
				errmsg("the file of Marketo's export job for %s was changed on its way: its checksum is not the announced one",
					   reader->what));
	if (job->records >= 0 && (uint64) job->records != reader->records)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "The job is %s.", job->id),
				errmsg("the file of Marketo's export job for %s has " UINT64_FORMAT " records, but " INT64_FORMAT " were announced",
					   reader->what, reader->records, job->records));
}

/* ---------- bytes ---------- */

/* exports have been seen with stray NULs */
static size_t
without_nul(char *data, size_t length)
{
	size_t		kept = 0;

	if (memchr(data, '\0', length) == NULL)
		return length;
	for (size_t i = 0; i < length; i++)
	{
		if (data[i] != '\0')
			data[kept++] = data[i];
	}
	return kept;
}

/* Some bytes of the file, as they come; 0: its end. */
static size_t
read_file(ExtractReader *reader, char *to, size_t room)
{
	const ExportJob *job = &reader->jobs[reader->current];
	int			broken = 0;

	for (;;)
	{
		size_t		got = 0;
		bool		whole;

		if (reader->call == NULL)
			open_file(reader);
		whole = http_try_read(reader->call, to, room, &got);
		if (got > 0)
		{
			if (EVP_DigestUpdate(reader->digest->object, to, got) != 1)
				ereport(ERROR,
						appflow_error(WF_INTERNAL),
						errmsg("the cryptographic library failed"));
			reader->offset += got;
			reader->base.bytes += got;
			return got;
		}
		if (whole && (job->size < 0 || reader->offset >= job->size))
			return 0;

		/* it broke off */
		if (broken++ == net_max_retries)
		{
			if (!whole)
				http_raise(reader->call);
			return 0;
		}
		close_call(reader);
		marketo_pause(FIRST_PAUSE * broken);
	}
}

static size_t
read_bytes(void *arg, char *to, size_t room)
{
	ExtractReader *reader = arg;
	size_t		got;
	size_t		kept;

	do
	{
		got = read_file(reader, to, room);
		kept = without_nul(to, got);
	} while (got > 0 && kept == 0);
	return kept;
}

static void
fill_buffer(ExtractReader *reader)
{
	if (!stream_buffer_fill(&reader->buffer, STREAM_BUFFER_ENOUGH, read_bytes, reader))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Marketo sent a record of %s with more than %d MB", reader->what, STREAM_BUFFER_MAX_MB));
}

/* ---------- CSV ---------- */

static void
bind_header(ExtractReader *reader)
{
	CsvReader  *csv = reader->csv->object;
	size_t		nfields = csv_reader_nfields(csv);
	int32_t    *columns = palloc(sizeof(int32_t) * Max(nfields, 1));
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
					errmsg("the file of Marketo's export job for %s has no column \"%s\"", reader->what,
						   schema->fields[i].name));
	}
	if (!csv_reader_bind(csv, columns))
		out_of_memory();
	pfree(columns);
	pfree(bound);
}

/* parse what is in the buffer; true if the file is done */
static bool
parse(ExtractReader *reader, Batch *batch)
{
	StreamBuffer *buffer = &reader->buffer;
	CsvReadResult result;

	for (;;)
	{
		CsvStatus	status = csv_reader_read(reader->csv->object, buffer->data + buffer->start, buffer->length,
											 buffer->at_end, batch->arena, batch->columns, batch->lines, BATCH_ROWS, &result);
		const CodecError *error;

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
				error = csv_reader_error(reader->csv->object);
				ereport(ERROR,
						appflow_error_detail(WF_CONNECTOR, "The job is %s.", reader->jobs[reader->current].id),
						errmsg("the file of Marketo's export job for %s is malformed: line " UINT64_FORMAT ", column " UINT64_FORMAT ": %s",
							   reader->what, (uint64) error->line, (uint64) error->column, error->message));
		}
	}
}

/* ---------- records ---------- */

/* a CSV has no other way to say null than a word */
static void
take_nulls(const Schema *schema, Batch *batch)
{
	for (int column = 0; column < schema->nfields; column++)
	{
		for (uint32 row = 0; row < batch->nrows; row++)
		{
			Cell	   *cell = &batch->columns[column][row];

			if (cell->kind == CELL_STRING && cell->length == 4 && memcmp(cell->data, "null", 4) == 0)
				*cell = cell_null();
		}
	}
}

/* ---------- the reader ---------- */

static void
begin_file(ExtractReader *reader)
{
	reader->reading = true;
	reader->base.pages++;
	reader->offset = 0;
	reader->records = 0;
	stream_buffer_restart(&reader->buffer);
	csv_reader_restart(reader->csv->object);
	if (EVP_DigestInit_ex(reader->digest->object, EVP_sha256(), NULL) != 1)
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("the cryptographic library failed"));
}

static void
end_job(ExtractReader *reader)
{
	ExportJob  *job = &reader->jobs[reader->current];

	reader->reading = false;
	close_call(reader);
	pfree(job->id);
	if (job->checksum != NULL)
		pfree(job->checksum);
	memset(job, 0, sizeof(ExportJob));
	marketo_seen_next_span(reader->seen);
	reader->current = 1 - reader->current;
}

/* Go to the next job that has records; false: there is none. */
static bool
next_job(ExtractReader *reader)
{
	for (;;)
	{
		ExportJob  *job = &reader->jobs[reader->current];
		MemoryContext old;
		bool		made;

		if (job->state == JOB_NONE)
		{
			old = MemoryContextSwitchTo(reader->scratch);
			made = create_job(reader, job, true, NULL);
			MemoryContextSwitchTo(old);
			MemoryContextReset(reader->scratch);
			if (!made)
				return false;
		}
		await_job(reader);
		if (job->records != 0)
		{
			begin_file(reader);
			return true;
		}
		end_job(reader);
	}
}

static bool
read_batch(ExtractReader *reader, Batch *batch)
{
	for (;;)
	{
		const ExportJob *job;
		bool		done;

		CHECK_FOR_INTERRUPTS();
		if (!reader->reading && !next_job(reader))
			return false;
		job = &reader->jobs[reader->current];
		if (reader->buffer.starved)
			fill_buffer(reader);
		done = parse(reader, batch);
		memset(batch->lines, 0, sizeof(uint64) * batch->nrows);
		reader->records += batch->nrows;
		take_nulls(reader->base.schema, batch);
		marketo_adapt(reader->base.schema, batch);
		marketo_seen_drop(reader->seen, batch, reader->descending ? job->until : job->from,
						  reader->descending ? job->from : job->until);
		if (done)
		{
			check_file(reader);
			end_job(reader);
		}
		if (batch->nrows > 0)
			return true;
		arena_reset(batch->arena);
	}
}

static bool
extract_next(RecordReader *base, Batch *batch)
{
	ExtractReader *reader = (ExtractReader *) base;
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
		cancel_jobs(reader);
		ReThrowError(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return more;
}

static void
extract_abort(RecordReader *base)
{
	cancel_jobs((ExtractReader *) base);
}

static void
extract_close(RecordReader *base)
{
	ExtractReader *reader = (ExtractReader *) base;
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	close_call(reader);
	cancel_jobs(reader);
	own_release(reader->csv);
	own_release(reader->digest);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(reader->context);
}

/* the spans: ascending, unless the beginning is open, when the newest come first */
static void
set_spans(ExtractReader *reader)
{
	const MarketoPlan *plan = reader->plan;
	bool		by_creation = strcmp(plan->field, "createdAt") == 0;
	int64		now = (int64) time(NULL);
	int64		from = plan->from;

	if (from == MARKETO_NO_TIME && by_creation)
	{
		/* when a record was made never changes, so none can slip from a span to come into one that is done */
		reader->descending = true;
		reader->place = plan->until == MARKETO_NO_TIME ? now : Min(plan->until, now);
		reader->goal = MARKETO_FOUNDED;
		reader->all_made = reader->place < reader->goal;
		return;
	}
	if (plan->entity->kind == MARKETO_CUSTOM)
		from = Max(from, marketo_born(reader->session, plan->entity));
	reader->place = Max(from, MARKETO_FOUNDED);
	reader->goal = plan->until;
	reader->all_made = reader->place > (plan->until == MARKETO_NO_TIME ? now : Min(plan->until, now));
}

RecordReader *
marketo_extract_reader(ConnectorSession *session, const ReadRequest *request, const MarketoPlan *plan)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow Marketo export", ALLOCSET_DEFAULT_SIZES);
	ExtractReader *reader = palloc0(sizeof(ExtractReader)); /* outlives its context: what it has counted is asked for later */
	MemoryContext old;
	bool		unsupported = false;
	bool		may_differ = plan->entity->kind == MARKETO_LEADS && strcmp(plan->field, "createdAt") != 0;

	reader->plan = plan;
	reader->session = session;
	reader->context = context;
	reader->seen = marketo_seen_create(plan, context);
	old = MemoryContextSwitchTo(context);
	reader->base.schema = plan->schema;
	reader->base.next = extract_next;
	reader->base.close = extract_close;
	reader->base.abort = extract_abort;
	reader->scratch = AllocSetContextCreate(context, "appflow Marketo job", ALLOCSET_SMALL_SIZES);
	reader->call_context = AllocSetContextCreate(context, "appflow Marketo file", ALLOCSET_SMALL_SIZES);
	reader->what = psprintf("entity \"%s\"", request->entity);
	reader->ahead = request->limit_hint == NO_LIMIT;
	stream_buffer_init(&reader->buffer);
	reader->csv = own_in_context(context, free_csv);
	reader->csv->object = csv_reader_create(',');
	reader->digest = own_in_context(context, free_digest);
	reader->digest->object = EVP_MD_CTX_new();
	if (reader->csv->object == NULL || reader->digest->object == NULL)
		out_of_memory();
	csv_reader_keep_returns(reader->csv->object);
	set_spans(reader);

	/* the first job is made now: it may be told that there is another way only */
	if (may_differ)
	{
		MemoryContextSwitchTo(reader->scratch);
		(void) create_job(reader, &reader->jobs[0], true, &unsupported);
		MemoryContextSwitchTo(context);
		MemoryContextReset(reader->scratch);
	}
	MemoryContextSwitchTo(old);
	if (unsupported)
	{
		extract_close(&reader->base);
		return NULL;
	}
	return &reader->base;
}
