/*-------------------------------------------------------------------------
 *
 * marketo_import.c
 *	  Writes records to Marketo by import jobs, which insert or update.
 *
 * Records gather as CSV until they fill a file, which a job imports while the next
 * one's gather; no two jobs at a time, so that what comes later stays.  A file has each key
 * once, so that a record that failed is recognized by its key.
 *
 * Follows the pages "Bulk import", "Bulk lead import" and "Bulk custom object import" of
 * Adobe's REST API guide.
 *
 * IDENTIFICATION
 *	  src/apps/marketo_import.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/marketo_write.h"
#include "codec/csv_reader.h"
#include "codec/json_writer.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* bytes of a file; Marketo takes less than 10 MB */
#define LARGEST_FILE (9 * 1000 * 1000)

/* ms between two questions about a job: at first, and at most */
#define FIRST_PAUSE 500
#define LONGEST_PAUSE 30000

/* ms between two tries to get into a full queue, and tries: six hours */
#define QUEUE_PAUSE 30000
#define QUEUE_TRIES 720

/* column of the list of failures that Marketo adds */
#define REASON "Import Failure Reason"

typedef struct SentKey
{
	uint64		hash;
	uint64		number;			/* of the record in the run */
} SentKey;

struct MarketoImports
{
	MarketoWriter *writer;
	MemoryContext context;
	char		boundary[40];
	Owned	   *file;			/* ByteBuffer: the request's body so far */
	Owned	   *key;			/* ByteBuffer */
	HTAB	   *gathering;		/* of SentKey */
	uint64		records;		/* in the file */

	/* the job that is carried out */
	char	   *id;				/* NULL: none */
	HTAB	   *running;
	uint64		sent;
};

static HTAB *
make_keys(MarketoImports *imports)
{
	HASHCTL		control = {.keysize = sizeof(uint64),.entrysize = sizeof(SentKey),.hcxt = imports->context};

	return hash_create("appflow Marketo import", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* ---------- the file ---------- */

static void
append_quoted(ByteBuffer *out, const char *text, size_t length)
{
	buffer_append_char(out, '"');
	for (size_t i = 0; i < length; i++)
	{
		if (text[i] == '"')
			buffer_append_char(out, '"');
		buffer_append_char(out, text[i]);
	}
	buffer_append_char(out, '"');
}

static void
begin_file(MarketoImports *imports)
{
	const Schema *schema = imports->writer->base.schema;
	ByteBuffer *file = imports->file->object;

	buffer_reset(file);
	buffer_append_string(file, "--");
	buffer_append_string(file, imports->boundary);
	buffer_append_string(file, "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"records.csv\"\r\n"
						 "Content-Type: text/csv\r\n\r\n");
	for (int i = 0; i < schema->nfields; i++)
	{
		if (i > 0)
			buffer_append_char(file, ',');
		buffer_append_string(file, schema->fields[i].name);
	}
	buffer_append_char(file, '\n');
	imports->records = 0;
	imports->gathering = make_keys(imports);
}

static uint64
hash_of(const ByteBuffer *key)
{
	return hash_bytes_extended((const unsigned char *) key->data, (int) key->length, 0);
}

/* ---------- failures ---------- */

/* the list of a job's failures, as it is read */
typedef struct Failures
{
	MarketoImports *imports;
	Owned	   *csv;
	Batch	   *batch;
	int		   *columns;		/* of the writer's schema: field of the list */
	int			reason;
	uint64		count;
} Failures;

static void
free_csv(void *object)
{
	csv_reader_free((CsvReader *) object);
}

static void
bind_failures(Failures *failures)
{
	const Schema *schema = failures->imports->writer->base.schema;
	CsvReader  *csv = failures->csv->object;
	int			nfields = (int) csv_reader_nfields(csv);
	int32_t    *columns = palloc(sizeof(int32_t) * Max(nfields, 1));

	failures->reason = -1;
	failures->columns = palloc(sizeof(int) * Max(schema->nfields, 1));
	for (int i = 0; i < schema->nfields; i++)
		failures->columns[i] = -1;
	for (int i = 0; i < nfields; i++)
	{
		int			column = schema_find(schema, csv_reader_field(csv, i));

		columns[i] = i;
		if (strcmp(csv_reader_field(csv, i), REASON) == 0 || (column < 0 && i == nfields - 1))
			failures->reason = i;
		else if (column >= 0)
			failures->columns[column] = i;
	}
	failures->batch = batch_create(nfields);
	if (!csv_reader_bind(csv, columns))
		marketo_out_of_memory();
}

static Cell
listed(const Failures *failures, int column, uint32 row)
{
	int			field = failures->columns[column];

	if (field < 0 || failures->batch->columns[field][row].kind != CELL_STRING)
		return cell_text(CELL_STRING, "", 0);
	return failures->batch->columns[field][row];
}

/* the record as the list has it, in the types that it was given in */
static char *
listed_record(const Failures *failures, uint32 row)
{
	const Schema *schema = failures->imports->writer->base.schema;
	ByteBuffer	text = {0};
	char	   *copy;

	buffer_append_char(&text, '{');
	for (int i = 0; i < schema->nfields; i++)
	{
		Cell		cell = listed(failures, i, row);
		char	   *problem = cell.length == 0 ? NULL : cell_convert(failures->batch, &cell, &schema->fields[i]);

		if (problem != NULL)
			pfree(problem);
		if (i > 0)
			buffer_append_char(&text, ',');
		json_append_string(&text, schema->fields[i].name, strlen(schema->fields[i].name));
		buffer_append_char(&text, ':');
		json_append_cell(&text, &cell, schema->fields[i].type);
	}
	buffer_append_char(&text, '}');
	copy = text.failed ? NULL : pnstrdup(text.data, text.length);
	buffer_free(&text);
	if (copy == NULL)
		marketo_out_of_memory();
	return copy;
}

static uint64
number_of(const Failures *failures, uint32 row)
{
	MarketoImports *imports = failures->imports;
	MarketoWriter *writer = imports->writer;
	ByteBuffer *key = imports->key->object;
	uint64		hash;
	SentKey    *sent;

	buffer_reset(key);
	for (int i = 0; i < writer->nkeys; i++)
	{
		Cell		cell = listed(failures, writer->keys[i], row);

		for (uint32 k = 0; k < cell.length; k++)
			buffer_append_char(key, (char) pg_tolower((unsigned char) cell.data[k]));
		buffer_append_char(key, '\0');
	}
	if (key->failed)
		marketo_out_of_memory();
	hash = hash_of(key);
	sent = hash_search(imports->running, &hash, HASH_FIND, NULL);
	return sent == NULL ? 0 : sent->number;
}

static void
take_failure(Failures *failures, uint32 row)
{
	MarketoWriter *writer = failures->imports->writer;
	const Outcomes *outcomes = writer->outcomes;
	Cell		cell = failures->reason < 0 ? cell_null() : failures->batch->columns[failures->reason][row];
	char	   *reason = cell.kind != CELL_STRING ? "Marketo gave no reason" :
		session_words(writer->session, pnstrdup(cell.data, cell.length));
	uint64		number = number_of(failures, row);
	char	   *record = listed_record(failures, row);
	MemoryContext old = MemoryContextSwitchTo(writer->caller);

	failures->count++;
	outcomes->reject_late(outcomes->arg, record, number == 0 ? "a record" : psprintf("record " UINT64_FORMAT, number),
						  "IMPORT_FAILED", reason);
	MemoryContextSwitchTo(old);
}

static char *
job_path(const MarketoImports *imports, const char *what)
{
	const MarketoEntity *entity = imports->writer->entity;
	bool		status = strcmp(what, "status") == 0;

	if (entity->kind != MARKETO_LEADS)
		return psprintf("%s/import/%s/%s.json", entity->bulk, imports->id, what);
	return psprintf("%s/batch/%s%s%s.json", entity->bulk, imports->id, status ? "" : "/", status ? "" : what);
}

/* Tell of all records that the job has refused. */
static uint64
take_failures(MarketoImports *imports)
{
	MarketoWriter *writer = imports->writer;
	HttpCall   *call = marketo_get(writer->session, job_path(imports, "failures"), "");
	Failures	failures = {.imports = imports};
	MemoryContext rows = AllocSetContextCreate(CurrentMemoryContext, "appflow Marketo failures", ALLOCSET_SMALL_SIZES);
	size_t		length;
	const char *body;
	bool		done = false;

	http_header(call, "Accept", "text/csv, */*");
	http_wait(call);
	if (marketo_state(call)->refused || call->status >= 300)
		marketo_fail(writer->session, call, writer->what);
	body = http_body(call, &length);
	failures.csv = own_in_context(CurrentMemoryContext, free_csv);
	failures.csv->object = csv_reader_create(',');
	failures.batch = batch_create(0);
	if (failures.csv->object == NULL)
		marketo_out_of_memory();
	while (!done)
	{
		CsvReadResult result;
		CsvStatus	status;
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		status = csv_reader_read(failures.csv->object, body, length, true, failures.batch->arena, failures.batch->columns,
								 failures.batch->lines, BATCH_ROWS, &result);
		old = MemoryContextSwitchTo(rows);
		for (uint32 i = 0; i < result.rows; i++)
			take_failure(&failures, i);
		MemoryContextSwitchTo(old);
		MemoryContextReset(rows);
		arena_reset(failures.batch->arena);
		body += result.consumed;
		length -= result.consumed;
		if (status == CSV_ERROR)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("the list of failures of import job %s of Marketo is not CSV: %s", imports->id,
						   csv_reader_error(failures.csv->object)->message));
		if (status == CSV_HEADER)
			bind_failures(&failures);
		done = status == CSV_MORE;
	}
	http_close(call);
	own_release(failures.csv);
	return failures.count;
}

/* ---------- jobs ---------- */

static uint64
told_number(Jsonb *told, const char *member)
{
	int64		value;

	return jsonb_get_int64(told, member, &value) && value > 0 ? (uint64) value : 0;
}

static void
forget_job(MarketoImports *imports)
{
	pfree(imports->id);
	imports->id = NULL;
	hash_destroy(imports->running);
	imports->running = NULL;
}

/* A job has ended: say what became of its records. */
static void
take_job(MarketoImports *imports, Jsonb *told)
{
	MarketoWriter *writer = imports->writer;
	uint64		failed = told_number(told, "numOfRowsFailed");
	uint64		warned = told_number(told, "numOfRowsWithWarning");
	uint64		listed;

	if (failed > imports->sent)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("import job %s of Marketo has " UINT64_FORMAT " records, but tells of " UINT64_FORMAT " failures",
					   imports->id, imports->sent, failed));
	writer->base.records += imports->sent - failed;
	if (warned > 0)
		ereport(WARNING,
				errmsg("Marketo imported " UINT64_FORMAT " records of %s with warnings", warned, writer->what),
				errhint("Import job %s lists them: %s.", imports->id, job_path(imports, "warnings")));
	listed = failed == 0 ? 0 : take_failures(imports);
	if (listed != failed)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("of import job %s of Marketo " UINT64_FORMAT " records failed, but " UINT64_FORMAT " are listed",
					   imports->id, failed, listed));
	forget_job(imports);
}

/* Wait for the job that is carried out. */
static void
await_job(MarketoImports *imports)
{
	MarketoWriter *writer = imports->writer;
	int64		pause = FIRST_PAUSE;

	while (imports->id != NULL)
	{
		Jsonb	   *told = marketo_first(writer->session,
										 marketo_fetch(writer->session,
													   marketo_get(writer->session, job_path(imports, "status"), ""),
													   writer->what), writer->what);
		char	   *status = jsonb_get_text(told, "status");
		char	   *message = jsonb_get_text(told, "message");

		if (status != NULL && strcmp(status, "Complete") == 0)
		{
			take_job(imports, told);
			break;
		}
		if (status == NULL || (strcmp(status, "Queued") != 0 && strcmp(status, "Importing") != 0))
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("import job %s of Marketo ended in state %s%s%s", imports->id,
						   status == NULL ? "none" : session_words(writer->session, status),
						   message == NULL ? "" : ": ", message == NULL ? "" : session_words(writer->session, message)),
					errhint("Which of its " UINT64_FORMAT " records were written, only Marketo knows.", imports->sent));
		CHECK_FOR_INTERRUPTS();
		marketo_pause(pause);
		pause = Min(pause * 2, LONGEST_PAUSE);
	}
}

/* Have what has gathered imported, as soon as the job before is done. */
static void
launch(MarketoImports *imports)
{
	MarketoWriter *writer = imports->writer;
	const MarketoEntity *entity = writer->entity;
	ByteBuffer *file = imports->file->object;
	char	   *path = entity->kind == MARKETO_LEADS ? psprintf("%s.json?format=csv&lookupField=%s", entity->bulk, writer->lookup) :
		psprintf("%s/import.json?format=csv", entity->bulk);
	Jsonb	   *told;
	char	   *id;

	await_job(imports);
	buffer_append_string(file, "\r\n--");
	buffer_append_string(file, imports->boundary);
	buffer_append_string(file, "--\r\n");
	if (file->failed)
		marketo_out_of_memory();
	for (int try = 1;; try++)
	{
		HttpCall   *call = marketo_call(writer->session, "POST", path, file->data, file->length,
										psprintf("multipart/form-data; boundary=%s", imports->boundary));

		/* two jobs with the same keys might make two records of each */
		call->repeatable = false;
		marketo_state(call)->once = true;
		if (marketo_wait(call, writer->what))
		{
			told = marketo_first(writer->session, marketo_answer(call, writer->what), writer->what);
			http_close(call);
			break;
		}
		if (marketo_state(call)->code == NULL || strcmp(marketo_state(call)->code, "1016") != 0 || try == QUEUE_TRIES)
			marketo_fail(writer->session, call, writer->what);
		http_close(call);
		marketo_pause(QUEUE_PAUSE);
		CHECK_FOR_INTERRUPTS();
	}
	id = jsonb_get_text(told, "batchId");
	if (id == NULL || id[0] == '\0' || strspn(id, "0123456789") != strlen(id))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Marketo did not tell the id of the import job for %s", writer->what),
				errhint("Whether its " UINT64_FORMAT " records will be written, nobody knows.", imports->records));
	imports->id = MemoryContextStrdup(imports->context, id);
	imports->sent = imports->records;
	imports->running = imports->gathering;
	writer->base.bytes += file->length;
	begin_file(imports);
}

/* ---------- for marketo_write.c ---------- */

MarketoImports *
marketo_imports_begin(MarketoWriter *writer)
{
	MarketoImports *imports = palloc0(sizeof(MarketoImports));

	imports->writer = writer;
	imports->context = CurrentMemoryContext;
	snprintf(imports->boundary, sizeof(imports->boundary), "appflow%016llx",
			 (unsigned long long) pg_prng_uint64(&pg_global_prng_state));
	imports->file = own_buffer(CurrentMemoryContext);
	imports->key = own_buffer(CurrentMemoryContext);
	begin_file(imports);
	return imports;
}

bool
marketo_imports_add(MarketoImports *imports, uint32 row)
{
	MarketoWriter *writer = imports->writer;
	const Schema *schema = writer->base.schema;
	const RecordSet *set = writer->set;
	ByteBuffer *file = imports->file->object;
	ByteBuffer *key = imports->key->object;
	SentKey    *sent;
	uint64		hash;
	bool		found;

	buffer_reset(key);
	if (!marketo_append_key(writer, key, set->columns, row))
		return false;
	hash = hash_of(key);
	sent = hash_search(imports->gathering, &hash, HASH_ENTER, &found);
	if (found)
		return false;
	sent->number = set->batch->first_record + row;
	for (int i = 0; i < schema->nfields; i++)
	{
		if (i > 0)
			buffer_append_char(file, ',');
		buffer_reset(key);
		marketo_append_value(key, &schema->fields[i], &set->columns[i][row], false);
		if (key->failed)
			marketo_out_of_memory();
		append_quoted(file, key->data == NULL ? "" : key->data, key->length);
	}
	buffer_append_char(file, '\n');
	if (file->failed)
		marketo_out_of_memory();
	imports->records++;
	if (file->length >= LARGEST_FILE)
		launch(imports);
	return true;
}

void
marketo_imports_complete(MarketoImports *imports)
{
	if (imports->records > 0)
		launch(imports);
	await_job(imports);
	hash_destroy(imports->gathering);
	own_release(imports->file);
	own_release(imports->key);
}

void
marketo_imports_abort(const MarketoImports *imports)
{
	if (imports->id != NULL)
		ereport(WARNING,
				errmsg("the run ended before import job %s of Marketo: what becomes of its " UINT64_FORMAT " records, only Marketo knows",
					   imports->id, imports->sent));
}
