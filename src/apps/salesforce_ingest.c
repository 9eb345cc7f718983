/*-------------------------------------------------------------------------
 *
 * salesforce_ingest.c
 *	  Writing to Salesforce by jobs of Bulk API 2.0.
 *
 * Records gather as CSV until they fill a job.  A job is created, gets its data in
 * one request, and is carried out by Salesforce while the next one's records gather;
 * no more than one is carried out at a time, so that what comes later stays.
 * Nothing is written before a job is told that its data is complete: up to there all
 * that fails is done again with another job.
 *
 * A job tells how many records failed, and lists them as CSV, in any order.  They
 * are recognized by what they hold: a hash of each record sent is kept, with its
 * number.
 *
 * Follows Salesforce's "Bulk API 2.0 and Bulk API Developer Guide".
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_ingest.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/salesforce_write.h"
#include "codec/csv_reader.h"
#include "codec/json_writer.h"
#include "codec/text.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "net/loop.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/json.h"
#include "utils/memutils.h"

/*
 * A job may have 100 MB; fewer keep memory flat.  Salesforce carries a job out in
 * batches of 10,000 records, which count for its daily limit: no job but the last
 * should leave one half empty, as far as bytes allow.
 */
#define JOB_BYTES (15 * 1024 * 1024)
#define JOB_RECORDS 100000

/* ms between questions whether a job is done: doubles up to the last */
#define FIRST_POLL 250
#define LAST_POLL 10000

/* tries to get a job its data */
#define UPLOAD_TRIES 3

/* ms for aborting a job when a run ends */
#define ABORT_BUDGET 5000

#define READ_SIZE (256 * 1024)
#define RECORD_MAX (64 * 1024 * 1024)

/* what empties a field */
#define NULL_WORD "#N/A"

/* a record that was sent */
typedef struct Sent
{
	uint64		hash;
	uint64		number;			/* in the run; 0: has been told of */
} Sent;

/* records that gather, or have been sent */
typedef struct Load
{
	Sent	   *sent;
	int64		nsent;
	int64		room;
	bool		sorted;
	int			round;			/* times that its records have been tried before */
} Load;

struct IngestJobs
{
	SalesforceWriter *writer;
	MemoryContext context;
	MemoryContext scratch;		/* of one step with a job */
	const char **names;			/* of the columns in the CSV */
	Owned	   *csv;			/* ByteBuffer: header and records that gather */
	Load		gathering;
	Owned	   *again;			/* ByteBuffer: records that were locked */
	Load		locked;
	Owned	   *key;			/* ByteBuffer: what a record's hash is made of */

	char	   *id;				/* of the job at Salesforce, or NULL */
	bool		started;		/* it has been told to begin */
	Load		running;		/* its records */
};

static const char *
job_path(const IngestJobs *jobs, const char *rest)
{
	return psprintf("/jobs/ingest/%s%s", jobs->id, rest);
}

static const char *
job_name(const IngestJobs *jobs)
{
	return psprintf("job %s, %s", jobs->id, jobs->writer->what);
}

/* ---------- records as CSV ---------- */

static void
append_quoted(ByteBuffer *out, const char *text, size_t length)
{
	const char *end = text + length;

	buffer_append_char(out, '"');
	while (text < end)
	{
		const char *quote = memchr(text, '"', end - text);
		size_t		n = quote != NULL ? quote + 1 - text : end - text;

		buffer_append(out, text, n);
		if (quote != NULL)
			buffer_append_char(out, '"');
		text += n;
	}
	buffer_append_char(out, '"');
}

static void
append_header(IngestJobs *jobs, ByteBuffer *out)
{
	bool		first = true;

	for (int i = 0; i < jobs->writer->ncolumns; i++)
	{
		if (jobs->writer->columns[i].ignored)
			continue;
		if (!first)
			buffer_append_char(out, ',');
		buffer_append_string(out, jobs->names[i]);
		first = false;
	}
	buffer_append_char(out, '\n');
}

/* a value that empties a field, or leaves it out, whichever way it is told */
static bool
is_nothing(const char *text, size_t length)
{
	return length == 0 || (length == strlen(NULL_WORD) && memcmp(text, NULL_WORD, length) == 0);
}

static void
append_to_key(ByteBuffer *key, const char *text, size_t length)
{
	if (!is_nothing(text, length))
		buffer_append(key, text, length);
	buffer_append_char(key, '\x1f');
}

static uint64
hash_of_key(const ByteBuffer *key)
{
	if (key->failed)
		salesforce_out_of_memory();
	return hash_bytes_extended((const unsigned char *) key->data, (int) key->length, 0);
}

static void
load_add(IngestJobs *jobs, Load *load, uint64 hash, uint64 number)
{
	if (load->nsent == load->room)
	{
		load->room = load->room == 0 ? 1024 : load->room * 2;
		load->sent = load->sent == NULL ?
			MemoryContextAllocHuge(jobs->context, sizeof(Sent) * load->room) :
			repalloc_huge(load->sent, sizeof(Sent) * load->room);
	}
	load->sent[load->nsent].hash = hash;
	load->sent[load->nsent++].number = number;
	load->sorted = false;
}

static int
compare_sent(const void *a, const void *b)
{
	const Sent *x = a;
	const Sent *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* The number of a record that was sent, each once; 0: there is none of that hash. */
static uint64
load_take(Load *load, uint64 hash)
{
	int64		low = 0;
	int64		high = load->nsent;

	if (!load->sorted)
		qsort(load->sent, load->nsent, sizeof(Sent), compare_sent);
	load->sorted = true;
	while (low < high)
	{
		int64		middle = (low + high) / 2;

		if (load->sent[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < load->nsent && load->sent[low].hash == hash; low++)
	{
		uint64		number = load->sent[low].number;

		if (number == 0)
			continue;
		load->sent[low].number = 0;
		return number;
	}
	return 0;
}

/* ---------- calls ---------- */

static Jsonb *
ask(IngestJobs *jobs, const char *method, const char *path, const char *body)
{
	HttpCall   *call = salesforce_call(jobs->writer->session, method, path, body);

	return salesforce_fetch(jobs->writer->session, call, jobs->writer->what);
}

static char *
job_state(Jsonb *info)
{
	char	   *state = jsonb_get_text(info, "state");

	return state != NULL ? state : "";
}

static const char *const operation_names[] = {
	[WRITE_INSERT] = "insert",
	[WRITE_UPSERT] = "upsert",
	[WRITE_UPDATE] = "update",
	[WRITE_DELETE] = "delete",
};

/*
 * A job that nobody gave data to does no harm, so creating one may be repeated.
 * False, if it may be refused: Bulk API 2.0 does not know the object.
 */
static bool
create_job(IngestJobs *jobs, bool may_refuse)
{
	SalesforceWriter *writer = jobs->writer;
	StringInfoData body;
	HttpCall   *call;
	Jsonb	   *info;
	char	   *id;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"object\":");
	escape_json(&body, writer->entity);
	appendStringInfo(&body, ",\"operation\":\"%s\",\"contentType\":\"CSV\",\"columnDelimiter\":\"COMMA\",\"lineEnding\":\"LF\"",
					 operation_names[writer->operation]);
	if (writer->operation == WRITE_UPSERT)
	{
		appendStringInfoString(&body, ",\"externalIdFieldName\":");
		escape_json(&body, writer->columns[writer->key].name);
	}
	appendStringInfoChar(&body, '}');
	call = salesforce_call(writer->session, "POST", "/jobs/ingest", body.data);
	call->repeatable = true;
	call->whole = true;
	http_wait(call);
	if (call->status == 400 && may_refuse)
	{
		char	   *code;
		char	   *message;

		salesforce_error(call, &code, &message);
		if (code != NULL && (strcmp(code, "INVALIDENTITY") == 0 || strcmp(code, "FEATURENOTENABLED") == 0 ||
							 (message != NULL && strstr(message, "not supported") != NULL)))
		{
			http_close(call);
			return false;
		}
	}
	info = salesforce_fetch(writer->session, call, writer->what);
	id = jsonb_get_text(info, "id");
	if (id == NULL || !salesforce_is_name(psprintf("x%s", id), false))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Salesforce created a job for %s without an id", writer->what));
	jobs->id = MemoryContextStrdup(jobs->context, id);
	jobs->started = false;
	return true;
}

/* The job is of no use any more.  What it says of itself then, if it had begun. */
static Jsonb *
abort_job(IngestJobs *jobs)
{
	HttpCall   *call = salesforce_call(jobs->writer->session, "PATCH", job_path(jobs, ""), "{\"state\":\"Aborted\"}");
	Jsonb	   *info = NULL;

	call->repeatable = true;
	call->max_retries = 1;
	call->connect_timeout = Min(call->connect_timeout, ABORT_BUDGET);
	call->idle_timeout = Min(call->idle_timeout, ABORT_BUDGET);
	call->whole = true;
	(void) http_try_wait(call);
	http_close(call);
	if (jobs->started)
		info = ask(jobs, "GET", job_path(jobs, ""), NULL);
	jobs->id = NULL;
	return info;
}

/*
 * Give the job its data.  False: that failed in a way that another job may not.
 */
static bool
upload(IngestJobs *jobs, const ByteBuffer *csv, bool last_try)
{
	SalesforceWriter *writer = jobs->writer;
	HttpCall   *call = salesforce_call(writer->session, "PUT", job_path(jobs, "/batches"), NULL);

	http_header(call, "Content-Type", "text/csv; charset=UTF-8");
	call->body = csv->data;
	call->body_length = csv->length;
	call->whole = true;

	/* a job takes data once: whether it has it, an answer that was lost does not tell */
	call->repeatable = false;
	if (!http_try_wait(call))
	{
		if (last_try || call->failure == HTTP_REFUSED || call->failure == HTTP_UNTRUSTED)
			http_raise(call);
		http_close(call);
		return false;
	}
	if (call->status >= 500 && !last_try)
	{
		http_close(call);
		return false;
	}
	if (call->status >= 300)
		salesforce_fail(writer->session, call, writer->what);
	http_close(call);
	return true;
}

/*
 * Tell the job that its data is complete.  From here on it writes.  When the answer
 * is lost, the job itself says whether it has heard.
 */
static void
start_job(IngestJobs *jobs)
{
	SalesforceWriter *writer = jobs->writer;

	for (int try = 1;; try++)
	{
		HttpCall   *call = salesforce_call(writer->session, "PATCH", job_path(jobs, ""), "{\"state\":\"UploadComplete\"}");

		call->whole = true;
		jobs->started = true;
		if (http_try_wait(call) && call->status < 500)
		{
			if (call->status >= 300)
				salesforce_fail(writer->session, call, writer->what);
			http_close(call);
			return;
		}
		if (strcmp(job_state(ask(jobs, "GET", job_path(jobs, ""), NULL)), "Open") != 0)
			return;
		if (try == UPLOAD_TRIES)
		{
			if (call->failure != HTTP_FINE)
				http_raise(call);
			salesforce_fail(writer->session, call, writer->what);
		}
		http_close(call);
	}
}

/* Make a job of the records, and have it begin. */
static void
launch(IngestJobs *jobs, const ByteBuffer *csv, Load *load)
{
	MemoryContext old = MemoryContextSwitchTo(jobs->scratch);

	if (csv->failed)
		salesforce_out_of_memory();
	for (int try = 1;; try++)
	{
		if (jobs->id == NULL)
			(void) create_job(jobs, false);
		if (upload(jobs, csv, try == UPLOAD_TRIES))
			break;
		(void) abort_job(jobs);
	}
	jobs->running = *load;
	memset(load, 0, sizeof(Load));
	start_job(jobs);
	jobs->writer->base.bytes += csv->length;
	MemoryContextSwitchTo(old);
	MemoryContextReset(jobs->scratch);
}

/* ---------- results ---------- */

/* A list of records that a job gives: failedResults, unprocessedrecords. */
typedef struct Listing
{
	IngestJobs *jobs;
	Owned	   *csv;			/* CsvReader */
	Batch	   *batch;
	int		   *columns;		/* of the writer: field of the list, or -1 */
	int			nfields;
	int			error;			/* field sf__Error, or -1 */
	const char *code;			/* of all its records, if there is no sf__Error */
	const char *message;
	uint64		count;
} Listing;

static void
free_csv_reader(void *object)
{
	csv_reader_free((CsvReader *) object);
}

static void
bind_listing(Listing *listing)
{
	SalesforceWriter *writer = listing->jobs->writer;
	CsvReader  *csv = listing->csv->object;
	int32_t    *columns;

	listing->nfields = (int) csv_reader_nfields(csv);
	columns = palloc(sizeof(int32_t) * Max(listing->nfields, 1));
	for (int i = 0; i < listing->nfields; i++)
	{
		const char *name = csv_reader_field(csv, i);

		columns[i] = i;
		if (strcmp(name, "sf__Error") == 0)
			listing->error = i;
		for (int column = 0; column < writer->ncolumns; column++)
		{
			if (pg_strcasecmp(listing->jobs->names[column], name) == 0)
				listing->columns[column] = i;
		}
	}
	listing->batch = batch_create(listing->nfields);
	if (!csv_reader_bind(csv, columns))
		salesforce_out_of_memory();
}

/* text of a field of the list, "" if there is none */
static Cell
listed(const Listing *listing, int column, uint32 row)
{
	int			field = listing->columns[column];
	Cell		cell = cell_text(CELL_STRING, "", 0);

	if (field >= 0 && listing->batch->columns[field][row].kind == CELL_STRING)
		cell = listing->batch->columns[field][row];
	return cell;
}

/* the record as it would have been given to the writer, as far as the list tells */
static char *
listed_record(const Listing *listing, uint32 row)
{
	const SalesforceWriter *writer = listing->jobs->writer;
	Cell	   *cells = palloc(sizeof(Cell) * Max(writer->ncolumns, 1));

	for (int i = 0; i < writer->ncolumns; i++)
	{
		Cell		cell = listed(listing, i, row);
		FieldType	type = writer->columns[i].field->type;

		cells[i] = cell;
		if (is_nothing(cell.data, cell.length))
			cells[i] = cell_null();
		else if (type == FIELD_BOOLEAN && (cell.length == 4 || cell.length == 5))
			cells[i] = cell_integer(CELL_BOOLEAN, cell.length == 4);
		else if ((type == FIELD_INTEGER || type == FIELD_LONG || type == FIELD_DECIMAL || type == FIELD_DOUBLE ||
				  type == FIELD_FLOAT) && text_is_number(cell.data, cell.length))
			cells[i].kind = CELL_NUMBER;
	}
	return salesforce_record_json(writer, cells);
}

/* "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --" */
static void
split_error(const Cell *cell, char **code, char **message)
{
	char	   *text = pnstrdup(cell->data, cell->length);
	size_t		n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
	size_t		length = strlen(text);

	if (length >= 3 && strcmp(text + length - 3, " --") == 0)
		text[length - 3] = '\0';
	*code = "UNKNOWN_EXCEPTION";
	*message = text;
	if (n > 0 && text[n] == ':')
	{
		*code = pnstrdup(text, n);
		*message = text + n + 1;
	}
	length = strlen(*message);
	if (length > 0 && (*message)[length - 1] == ':')
		(*message)[length - 1] = '\0';
}

/* A record that was locked goes into another job, while there is room. */
static bool
try_again(const Listing *listing, uint32 row, uint64 hash, uint64 number)
{
	IngestJobs *jobs = listing->jobs;
	ByteBuffer *again = jobs->again->object;
	bool		first = true;

	if (number == 0 || jobs->running.round + 1 >= SALESFORCE_LOCK_ROUNDS || again->length > JOB_BYTES)
		return false;
	for (int i = 0; i < jobs->writer->ncolumns; i++)
	{
		if (listing->columns[i] < 0 && !jobs->writer->columns[i].ignored)
			return false;
	}
	if (again->length == 0)
		append_header(jobs, again);
	for (int i = 0; i < jobs->writer->ncolumns; i++)
	{
		Cell		cell = listed(listing, i, row);

		if (jobs->writer->columns[i].ignored)
			continue;
		if (!first)
			buffer_append_char(again, ',');
		first = false;
		if (is_nothing(cell.data, cell.length))
			buffer_append_string(again, jobs->writer->operation == WRITE_INSERT ? "" : NULL_WORD);
		else
			append_quoted(again, cell.data, cell.length);
	}
	buffer_append_char(again, '\n');
	load_add(jobs, &jobs->locked, hash, number);
	jobs->locked.round = Max(jobs->locked.round, jobs->running.round + 1);
	return true;
}

static void
take_listed(Listing *listing, uint32 row, const Outcomes *outcomes)
{
	IngestJobs *jobs = listing->jobs;
	ByteBuffer *key = jobs->key->object;
	uint64		hash;
	uint64		number;
	char	   *code = unconstify(char *, listing->code);
	char	   *message = unconstify(char *, listing->message);

	buffer_reset(key);
	for (int i = 0; i < jobs->writer->ncolumns; i++)
	{
		Cell		cell = listed(listing, i, row);

		if (!jobs->writer->columns[i].ignored)
			append_to_key(key, cell.data, cell.length);
	}
	hash = hash_of_key(key);
	number = load_take(&jobs->running, hash);
	listing->count++;
	if (listing->error >= 0)
	{
		const Cell *cell = &listing->batch->columns[listing->error][row];

		split_error(cell->kind == CELL_STRING ? cell : &(Cell) {.data = "",.kind = CELL_STRING}, &code, &message);
		if (strcmp(code, SALESFORCE_LOCKED) == 0 && try_again(listing, row, hash, number))
			return;
	}
	outcomes->reject_late(outcomes->arg, listed_record(listing, row),
						  number != 0 ? psprintf("record " UINT64_FORMAT, number) : psprintf("a record of job %s", jobs->id),
						  code, message);
}

/*
 * Read a list of the job's, and say what became of its records.  Returns how many
 * there are.
 */
static uint64
take_list(IngestJobs *jobs, const char *list, const char *code, const char *message, const Outcomes *outcomes)
{
	SalesforceWriter *writer = jobs->writer;
	HttpCall   *call = salesforce_call(writer->session, "GET", job_path(jobs, list), NULL);
	MemoryContext rows = AllocSetContextCreate(CurrentMemoryContext, "appflow failed records", ALLOCSET_DEFAULT_SIZES);
	Listing		listing = {.jobs = jobs,.error = -1,.code = code,.message = message};
	Arena	   *arena;
	char	   *buffer = palloc(READ_SIZE);
	size_t		capacity = READ_SIZE;
	size_t		length = 0;
	bool		final = false;

	http_header(call, "Accept", "text/csv");
	http_wait(call);
	if (call->status >= 300)
		salesforce_fail(writer->session, call, job_name(jobs));
	listing.columns = palloc(sizeof(int) * Max(writer->ncolumns, 1));
	for (int i = 0; i < writer->ncolumns; i++)
		listing.columns[i] = -1;
	listing.csv = own_in_context(CurrentMemoryContext, free_csv_reader);
	listing.csv->object = csv_reader_create(',');
	listing.batch = batch_create(0);
	arena = listing.batch->arena;
	if (listing.csv->object == NULL)
		salesforce_out_of_memory();
	for (;;)
	{
		CsvReadResult result;
		CsvStatus	status;
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		status = csv_reader_read(listing.csv->object, buffer, length, final, arena, listing.batch->columns,
								 listing.batch->lines, BATCH_ROWS, &result);
		old = MemoryContextSwitchTo(rows);
		for (uint32 i = 0; i < result.rows; i++)
			take_listed(&listing, i, outcomes);
		MemoryContextSwitchTo(old);
		MemoryContextReset(rows);
		length -= result.consumed;
		memmove(buffer, buffer + result.consumed, length);
		if (status == CSV_ERROR)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("the list of records of %s is not CSV: %s", job_name(jobs),
						   csv_reader_error(listing.csv->object)->message));
		if (status == CSV_HEADER)
			bind_listing(&listing);
		if (status != CSV_MORE)
			continue;
		if (final)
			break;
		if (length == capacity)
		{
			if (capacity >= RECORD_MAX)
				ereport(ERROR,
						appflow_error(WF_CONNECTOR),
						errmsg("the list of records of %s has a record of more than %d MB", job_name(jobs),
							   RECORD_MAX / (1024 * 1024)));
			capacity *= 2;
			buffer = repalloc(buffer, capacity);
		}
		final = (result.consumed = http_read(call, buffer + length, capacity - length)) == 0;
		length += result.consumed;
	}
	http_close(call);
	return listing.count;
}

static uint64
number_of(Jsonb *info, const char *member)
{
	int64		value;

	return jsonb_get_int64(info, member, &value) && value > 0 ? (uint64) value : 0;
}

/*
 * A job has ended: say what became of its records.  Those that are in no list are
 * written.
 */
static void
take_results(IngestJobs *jobs, Jsonb *info, const Outcomes *outcomes)
{
	char	   *state = job_state(info);
	char	   *reason = jsonb_get_text(info, "errorMessage");
	uint64		processed = number_of(info, "numberRecordsProcessed");
	uint64		failed = number_of(info, "numberRecordsFailed");
	uint64		sent = (uint64) jobs->running.nsent;
	uint64		listed;

	if (processed > sent || failed > processed)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s has " UINT64_FORMAT " records, Salesforce says that it processed " UINT64_FORMAT
					   ", of which " UINT64_FORMAT " failed", job_name(jobs), sent, processed, failed));
	jobs->writer->base.records += processed - failed;
	jobs->started = false;		/* all is counted */
	listed = failed == 0 ? 0 : 
		take_list(jobs, "/failedResults/", "UNKNOWN_EXCEPTION", "Salesforce does not say why it failed", outcomes);
	if (listed != failed)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("of %s " UINT64_FORMAT " records failed, but Salesforce lists " UINT64_FORMAT, job_name(jobs),
					   failed, listed),
				errhint("Salesforce does not list records beyond its daily limit of batches."));
	listed = processed == sent ? 0 :
		take_list(jobs, "/unprocessedrecords/", "UNPROCESSED",
				  psprintf("Salesforce has not processed the record: the job %s%s%s",
						   strcmp(state, "Failed") == 0 ? "failed" : strcmp(state, "Aborted") == 0 ? "was aborted" :
						   "left it out", reason != NULL ? ": " : "", reason != NULL ? reason : ""), outcomes);
	if (processed + listed != sent)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s has " UINT64_FORMAT " records, but Salesforce tells of " UINT64_FORMAT " only", job_name(jobs),
					   sent, processed + listed));
}

static bool
is_one_of(const char *state, const char *a, const char *b, const char *c)
{
	return strcmp(state, a) == 0 || strcmp(state, b) == 0 || strcmp(state, c) == 0;
}

/* Wait for the job that is carried out, and say what became of its records. */
static void
await(IngestJobs *jobs, const Outcomes *outcomes)
{
	int64		pause = FIRST_POLL;

	if (jobs->id == NULL || !jobs->started)
		return;
	for (;;)
	{
		MemoryContext old = MemoryContextSwitchTo(jobs->scratch);
		Jsonb	   *info = ask(jobs, "GET", job_path(jobs, ""), NULL);
		char	   *state = job_state(info);
		bool		ended = is_one_of(state, "JobComplete", "Failed", "Aborted");

		if (!ended && !is_one_of(state, "Open", "UploadComplete", "InProgress"))
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("Salesforce says of %s that its state is \"%s\", which is not known", job_name(jobs), state));
		if (ended)
			take_results(jobs, info, outcomes);
		MemoryContextSwitchTo(old);
		MemoryContextReset(jobs->scratch);
		if (ended)
			break;
		http_pause(pause);
		pause = Min(pause * 2, LAST_POLL);
	}
	pfree(jobs->id);
	jobs->id = NULL;
	if (jobs->running.sent != NULL)
		pfree(jobs->running.sent);
	memset(&jobs->running, 0, sizeof(Load));
}

/* ---------- for salesforce_write.c ---------- */

IngestJobs *
ingest_begin(SalesforceWriter *writer, bool may_refuse)
{
	IngestJobs *jobs = palloc0(sizeof(IngestJobs));
	MemoryContext old;
	bool		created;

	jobs->writer = writer;
	jobs->context = CurrentMemoryContext;
	jobs->scratch = AllocSetContextCreate(CurrentMemoryContext, "appflow Salesforce job", ALLOCSET_DEFAULT_SIZES);
	jobs->csv = own_buffer(CurrentMemoryContext);
	jobs->again = own_buffer(CurrentMemoryContext);
	jobs->key = own_buffer(CurrentMemoryContext);
	jobs->names = palloc(sizeof(char *) * Max(writer->ncolumns, 1));
	for (int i = 0; i < writer->ncolumns; i++)
		jobs->names[i] = writer->columns[i].name;
	old = MemoryContextSwitchTo(jobs->scratch);
	created = create_job(jobs, may_refuse);
	MemoryContextSwitchTo(old);
	return created ? jobs : NULL;
}

/* Send what has gathered as soon as the job before is done. */
static void
send_gathered(IngestJobs *jobs, const Outcomes *outcomes)
{
	ByteBuffer *csv = jobs->csv->object;

	await(jobs, outcomes);
	launch(jobs, csv, &jobs->gathering);
	buffer_reset(csv);
}

const char *
ingest_add(IngestJobs *jobs, const Cell *cells, uint64 number, const Outcomes *outcomes)
{
	SalesforceWriter *writer = jobs->writer;
	ByteBuffer *csv = jobs->csv->object;
	ByteBuffer *key = jobs->key->object;
	size_t		start;
	bool		first = true;

	if (csv->length == 0)
		append_header(jobs, csv);
	start = csv->length;
	buffer_reset(key);
	for (int i = 0; i < writer->ncolumns; i++)
	{
		const WriteColumn *column = &writer->columns[i];
		size_t		before = key->length;
		const char *text;
		size_t		length;

		if (column->ignored)
			continue;
		if (!first)
			buffer_append_char(csv, ',');
		first = false;
		if (cells[i].kind != CELL_NULL)
			salesforce_append_value(key, column, &cells[i]);
		if (key->failed)
			salesforce_out_of_memory();
		text = key->data == NULL ? "" : key->data + before;
		length = key->length - before;
		if (length == 0)
		{
			/* nothing: an INSERT leaves the field to its default, others empty it */
			if (writer->operation != WRITE_INSERT && i != writer->key)
				buffer_append_string(csv, NULL_WORD);
		}
		else if (is_nothing(text, length))
		{
			csv->length = start;
			return psprintf("field \"%s\" is the text \"" NULL_WORD "\", which means empty to Bulk API 2.0", column->name);
		}
		else
			append_quoted(csv, text, length);
		buffer_append_char(key, '\x1f');
	}
	buffer_append_char(csv, '\n');
	if (csv->failed)
		salesforce_out_of_memory();
	load_add(jobs, &jobs->gathering, hash_of_key(key), number);
	if (csv->length >= JOB_BYTES || jobs->gathering.nsent >= JOB_RECORDS)
		send_gathered(jobs, outcomes);
	return NULL;
}

void
ingest_complete(IngestJobs *jobs, const Outcomes *outcomes)
{
	ByteBuffer *again = jobs->again->object;

	if (jobs->gathering.nsent > 0)
		send_gathered(jobs, outcomes);
	await(jobs, outcomes);

	/* records that were locked, until they are not */
	while (jobs->locked.nsent > 0)
	{
		launch(jobs, again, &jobs->locked);
		buffer_reset(again);
		await(jobs, outcomes);
	}

	/* created, and never given anything */
	if (jobs->id != NULL)
		(void) abort_job(jobs);
}

void
ingest_abort(IngestJobs *jobs)
{
	Jsonb	   *info;
	uint64		processed;

	if (jobs->id == NULL)
		return;
	info = abort_job(jobs);
	if (info == NULL)
		return;
	processed = number_of(info, "numberRecordsProcessed");
	jobs->writer->base.records += processed - Min(number_of(info, "numberRecordsFailed"), processed);
}
