/*-------------------------------------------------------------------------
 *
 * s3_read.c
 *	  Reads records from all objects under a prefix, one after another.
 *
 * An object's bytes go through one buffer; the records' cells point into it.
 * A batch never spans two fillings of the buffer, nor two objects.
 *
 * IDENTIFICATION
 *	  src/apps/s3_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/s3.h"
#include "codec/csv_reader.h"
#include "codec/json_reader.h"
#include "compat.h"
#include "connector/stream_buffer.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/infer.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

typedef struct S3Reader
{
	RecordReader base;
	MemoryContext context;
	ObjectStore *store;
	char	   *bucket;
	char	   *prefix;
	S3FileType	file_type;
	bool		all_fields;
	int			nasked;			/* fields that were asked for by name: columns */
	int		   *asked;

	Owned	   *json;			/* JsonReader, or NULL */
	Owned	   *csv;			/* CsvReader, or NULL */
	bool	   *unbound;		/* CSV: columns that the current object has not */

	ObjectList *list;
	TimestampTz modified_from;
	TimestampTz modified_before;
	ObjectReader *object;		/* being read; NULL: none */
	MemoryContext object_context;
	char	   *object_name;	/* s3://bucket/key */
	StreamBuffer buffer;		/* of the object's bytes */
} S3Reader;

static void
free_json(void *object)
{
	json_reader_free((JsonReader *) object);
}

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

/* ---------- objects ---------- */

static bool
open_next_object(S3Reader *reader)
{
	ObjectInfo	info;
	MemoryContext old;

	MemoryContextReset(reader->object_context);
	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!object_list_next(reader->list, &info))
			return false;
	} while (info.last_modified < reader->modified_from || info.last_modified >= reader->modified_before);
	old = MemoryContextSwitchTo(reader->object_context);
	reader->object_name = psprintf("s3://%s/%s", reader->bucket, info.key);
	reader->object = store_read(reader->store, reader->bucket, info.key);
	MemoryContextSwitchTo(old);
	reader->base.pages++;
	stream_buffer_restart(&reader->buffer);
	if (reader->json != NULL)
		json_reader_restart(reader->json->object);
	else
		csv_reader_restart(reader->csv->object);
	return true;
}

static void
close_object(S3Reader *reader)
{
	object_read_close(reader->object);
	reader->object = NULL;
}

static size_t
read_bytes(void *arg, char *to, size_t room)
{
	S3Reader   *reader = arg;
	size_t		got = object_read(reader->object, to, room);

	reader->base.bytes += got;
	return got;
}

static void
fill_buffer(S3Reader *reader)
{
	/* small batches cost more than waiting */
	if (!stream_buffer_fill(&reader->buffer, STREAM_BUFFER_FULL, read_bytes, reader))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("object \"%s\" has a record of more than %d MB", reader->object_name, STREAM_BUFFER_MAX_MB));
}

pg_noreturn static void malformed(const S3Reader *reader, const CodecError *error);

static void
malformed(const S3Reader *reader, const CodecError *error)
{
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("object \"%s\" is malformed: line " UINT64_FORMAT ", column " UINT64_FORMAT ": %s",
				   reader->object_name, (uint64) error->line, (uint64) error->column, error->message));
}

/* a field that the schema did not have; the schema outlives the reader */
static void
add_field(S3Reader *reader, Batch *batch, const char *name)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(reader->base.schema));

	(void) schema_add(reader->base.schema, name, FIELD_STRING);
	(void) batch_add_column(batch);
	MemoryContextSwitchTo(old);
}

/* ---------- JSON ---------- */

static void
add_json_field(S3Reader *reader, Batch *batch)
{
	size_t		length;
	const char *found = json_reader_new_field(reader->json->object, &length);
	char	   *name = pnstrdup(found, length);

	add_field(reader, batch, name);
	if (!json_reader_add_field(reader->json->object, name, length))
		out_of_memory();
	pfree(name);
}

/* parse what is in the buffer; true if the object is done */
static bool
read_json(S3Reader *reader, Batch *batch)
{
	StreamBuffer *buffer = &reader->buffer;
	JsonReadResult result;

	for (;;)
	{
		JsonStatus	status = json_reader_read(reader->json->object, buffer->data + buffer->start,
											  buffer->length, buffer->at_end, batch->arena,
											  batch->columns, batch->lines, BATCH_ROWS, &result);

		stream_buffer_consume(buffer, result.consumed);
		batch->nrows = result.rows;
		switch (status)
		{
			case JSON_MORE:
				buffer->starved = true;
				return buffer->at_end;
			case JSON_FULL:
				return false;
			case JSON_NEW_FIELD:
				/* rows before it go first, they have no such column */
				if (result.rows > 0)
					return false;
				add_json_field(reader, batch);
				break;
			case JSON_ERROR:
				/* what came before the error is of no use: the run fails */
				malformed(reader, json_reader_error(reader->json->object));
		}
	}
}

static void
create_json_reader(S3Reader *reader)
{
	JsonReaderOptions options = {.framing = JSON_FRAMING_AUTO};
	Schema	   *schema = reader->base.schema;
	const char **fields = palloc(sizeof(char *) * Max(schema->nfields, 1));

	for (int i = 0; i < schema->nfields; i++)
		fields[i] = schema->fields[i].name;
	options.fields = fields;
	options.nfields = schema->nfields;
	options.discover = reader->all_fields;
	reader->json = own_in_context(reader->context, free_json);
	reader->json->object = json_reader_create(&options);
	if (reader->json->object == NULL)
		out_of_memory();
	pfree(fields);
}

/* ---------- CSV ---------- */

/* the header row of an object has been read: find its fields in the schema */
static void
bind_header(S3Reader *reader, Batch *batch)
{
	CsvReader  *csv = reader->csv->object;
	size_t		nfields = csv_reader_nfields(csv);
	int32_t    *columns = palloc(sizeof(int32_t) * nfields);
	Schema	   *schema = reader->base.schema;

	for (size_t i = 0; i < nfields; i++)
	{
		const char *name = csv_reader_field(csv, i);

		columns[i] = schema_find(schema, name);
		if (columns[i] < 0 && reader->all_fields)
		{
			columns[i] = schema->nfields;
			add_field(reader, batch, name);
		}
	}

	reader->unbound = MemoryContextAlloc(reader->object_context, schema->nfields + 1);
	memset(reader->unbound, true, schema->nfields + 1);
	for (size_t i = 0; i < nfields; i++)
	{
		if (columns[i] >= 0)
			reader->unbound[columns[i]] = false;
	}
	for (int i = 0; i < reader->nasked; i++)
	{
		if (reader->unbound[reader->asked[i]])
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("object \"%s\" has no column \"%s\"", reader->object_name,
						   schema->fields[reader->asked[i]].name));
	}
	if (!csv_reader_bind(csv, columns))
		out_of_memory();
	pfree(columns);
}

static bool
read_csv(S3Reader *reader, Batch *batch)
{
	StreamBuffer *buffer = &reader->buffer;
	CsvReadResult result;

	for (;;)
	{
		CsvStatus	status = csv_reader_read(reader->csv->object, buffer->data + buffer->start,
											 buffer->length, buffer->at_end, batch->arena,
											 batch->columns, batch->lines, BATCH_ROWS, &result);

		stream_buffer_consume(buffer, result.consumed);
		batch->nrows = result.rows;
		switch (status)
		{
			case CSV_MORE:
				buffer->starved = true;
				break;
			case CSV_FULL:
				break;
			case CSV_HEADER:
				bind_header(reader, batch);
				continue;
			case CSV_ERROR:
				malformed(reader, csv_reader_error(reader->csv->object));
		}
		for (int column = 0; result.rows > 0 && column < reader->base.schema->nfields; column++)
		{
			if (reader->unbound[column])
				memset(batch->columns[column], 0, sizeof(Cell) * result.rows);
		}
		return status == CSV_MORE && buffer->at_end;
	}
}

/* ---------- the reader ---------- */

static bool
s3_next(RecordReader *base, Batch *batch)
{
	S3Reader   *reader = (S3Reader *) base;

	for (;;)
	{
		bool		done;

		if (reader->object == NULL && !open_next_object(reader))
			return false;
		if (reader->buffer.starved)
			fill_buffer(reader);
		batch->object = reader->object_name;
		done = reader->json != NULL ? read_json(reader, batch) : read_csv(reader, batch);
		if (done)
			close_object(reader);
		if (batch->nrows > 0)
			return true;
		arena_reset(batch->arena);
	}
}

static void
s3_close(RecordReader *base)
{
	S3Reader   *reader = (S3Reader *) base;

	if (reader->object != NULL)
		close_object(reader);
	object_list_close(reader->list);
	if (reader->json != NULL)
		own_release(reader->json);
	if (reader->csv != NULL)
		own_release(reader->csv);
	MemoryContextDelete(reader->context);
}

/* a reader of the fields in schema, which it may extend */
static S3Reader *
create_reader(ConnectorSession *session, const ReadRequest *request, Schema *schema)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow S3 reader",
												  ALLOCSET_DEFAULT_SIZES);
	S3Reader   *reader = palloc0(sizeof(S3Reader)); /* what it counts outlives its close */
	MemoryContext old = MemoryContextSwitchTo(context);
	char	   *prefix = jsonb_get_text(request->properties, "bucketPrefix");
	ListCell   *lc;

	reader->base.schema = schema;
	reader->base.next = s3_next;
	reader->base.close = s3_close;
	reader->context = context;
	reader->store = session->store;
	reader->bucket = jsonb_get_text(request->properties, "bucketName");
	reader->file_type = s3_input_is_csv(request->properties) ? S3_CSV : S3_JSON;
	reader->all_fields = request->all_fields;
	reader->modified_from = request->windowed ? request->modified_from : DT_NOBEGIN;
	reader->modified_before = request->windowed ? request->modified_before : DT_NOEND;
	reader->asked = palloc(sizeof(int) * Max(list_length(request->fields), 1));
	foreach(lc, request->fields)
	{
		int			column = schema_find(schema, lfirst(lc));

		if (column >= 0)
			reader->asked[reader->nasked++] = column;
	}

	/* a prefix is a folder: in/2026 is not the start of in/2026-old */
	if (prefix == NULL || prefix[0] == '\0')
		reader->prefix = "";
	else if (prefix[strlen(prefix) - 1] == '/')
		reader->prefix = prefix;
	else
		reader->prefix = psprintf("%s/", prefix);

	stream_buffer_init(&reader->buffer);
	reader->object_context = AllocSetContextCreate(context, "appflow S3 object", ALLOCSET_SMALL_SIZES);
	reader->list = store_list(reader->store, reader->bucket, reader->prefix);
	if (reader->file_type == S3_JSON)
		create_json_reader(reader);
	else
	{
		reader->csv = own_in_context(context, free_csv);
		reader->csv->object = csv_reader_create(',');
		if (reader->csv->object == NULL)
			out_of_memory();
	}
	MemoryContextSwitchTo(old);
	return reader;
}

/*
 * Look at the first records for the types of fields, and for the fields
 * themselves with all_fields.
 */
static void
sample(ConnectorSession *session, const ReadRequest *request, Schema *schema)
{
	S3Reader   *reader = create_reader(session, request, schema);
	Batch	   *batch = batch_create(schema->nfields);
	TypeGuess  *guesses = palloc0(sizeof(TypeGuess) * Max(schema->nfields, 1));
	int			nguesses = schema->nfields;
	uint64		records = 0;

	while (records < request->sample_records)
	{
		CHECK_FOR_INTERRUPTS();
		batch_reset(batch);
		if (!s3_next(&reader->base, batch))
			break;
		records += batch->nrows;
		if (nguesses < schema->nfields)
		{
			guesses = repalloc(guesses, sizeof(TypeGuess) * schema->nfields);
			memset(guesses + nguesses, 0, sizeof(TypeGuess) * (schema->nfields - nguesses));
			nguesses = schema->nfields;
		}
		for (int column = 0; column < schema->nfields; column++)
		{
			for (uint32 row = 0; row < batch->nrows; row++)
				type_guess_add(&guesses[column], &batch->columns[column][row], reader->file_type == S3_CSV);
		}
	}
	for (int column = 0; column < nguesses; column++)
		schema->fields[column].type = type_guess_result(&guesses[column]);
	s3_close(&reader->base);
	MemoryContextDelete(batch->context);
}

/*
 * Put the fields of the first records into schema, in their order, so that
 * those that tasks name do not come before all others.
 */
static void
discover(ConnectorSession *session, const ReadRequest *request, Schema *schema)
{
	S3Reader   *reader = create_reader(session, request, schema);
	Batch	   *batch = batch_create(0);

	(void) s3_next(&reader->base, batch);
	s3_close(&reader->base);
	MemoryContextDelete(batch->context);
}

RecordReader *
s3_open_reader(ConnectorSession *session, ReadRequest *request)
{
	Schema	   *schema = schema_create();
	S3Reader   *reader;
	ListCell   *lc;

	if (request->all_fields && request->fields != NIL)
		discover(session, request, schema);
	foreach(lc, request->fields)
	{
		Field	   *field;

		if (schema_find(schema, lfirst(lc)) >= 0)
			continue;
		field = schema_add(schema, lfirst(lc), FIELD_STRING);

		/* a path into nested objects is not one of the record's own fields */
		field->hidden = request->all_fields && !s3_input_is_csv(request->properties) &&
			strchr(field->name, '.') != NULL;
	}
	if (request->need_types)
		sample(session, request, schema);
	reader = create_reader(session, request, schema);
	return &reader->base;
}
