/*-------------------------------------------------------------------------
 *
 * s3_write.c
 *	  Writes records to objects: formats, aggregation, partitions.
 *
 * Nothing is visible before finish: every object is written to the store's
 * staging and sealed when it is full, and all are published at the end.
 *
 * Files that come with records are too many and too large to be kept back: those of a
 * record are published when all of them are there, in a folder that only this run has,
 * and deleted if the run fails.
 *
 * IDENTIFICATION
 *	  src/apps/s3_write.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/s3.h"
#include "codec/csv_writer.h"
#include "codec/json_writer.h"
#include "codec/parquet_writer.h"
#include "codec/text.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* what all open files of a run may hold back together */
#define TEXT_MEMORY (8 * 1024 * 1024)
#define PARQUET_MEMORY (24 * 1024 * 1024)

/* a text file's bytes go to the store in pieces between these sizes */
#define PIECE_MIN (16 * 1024)
#define PIECE_MAX (1024 * 1024)

/* a file that comes with a record is passed on in such pieces */
#define FILE_PIECE (256 * 1024)

/* an object that is being written */
typedef struct S3File
{
	char	   *partition;		/* hash key: "Industry=Apparel/" or "" */
	List	   *values;			/* of char *: of the partition's keys */
	uint32		hash;
	char		status;
	uint64		source;			/* number of the object that the records come from */
	ObjectWriter *object;		/* NULL: nothing written since the last seal */
	Owned	   *buffer;			/* CSV, JSON: a ByteBuffer */
	Owned	   *parquet;		/* PARQUET: a ParquetWriter */
	uint64		bytes;			/* given to the object */
	uint32	   *rows;			/* rows of the current batch that belong here */
	uint32		nrows;
} S3File;

#define SH_PREFIX s3files
#define SH_ELEMENT_TYPE S3File
#define SH_KEY_TYPE char *
#define SH_KEY partition
#define SH_HASH_KEY(tb, key) hash_bytes((const unsigned char *) key, strlen(key))
#define SH_EQUAL(tb, a, b) (strcmp(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) a->hash
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

typedef struct S3Writer
{
	RecordWriter base;
	MemoryContext context;
	ObjectStore *store;
	char	   *bucket;
	S3Place    *place;
	const char *execution_id;
	TimestampTz started_at;
	S3OutputFormat format;
	char	   *files_folder;	/* of files that come with records; NULL: there are none */
	List	   *partition_keys; /* of char * */
	int		   *partition_columns;
	S3Layout	layout;			/* folders without keys */

	char	   *source_name;	/* object that the current batch comes from */
	uint64		source;			/* its number */

	s3files_hash *files;
	S3File	   *only;			/* without partitions: the one file */
	List	   *sealed;			/* of ObjectWriter * */
	int			parts;			/* objects begun */
	Owned	   *json;			/* a JsonWriter */
	StringInfoData key;			/* partition of a row, while it is made */
} S3Writer;

static const struct
{
	const char *content_type;
	const char *extension;
}			file_types[] = {
	[S3_CSV] = {"text/csv", ".csv"},
	[S3_JSON] = {"application/jsonl", ".jsonl"},
	[S3_PARQUET] = {"application/vnd.apache.parquet", ".parquet"},
};

static void
free_json(void *object)
{
	json_writer_free((JsonWriter *) object);
}

static void
free_parquet(void *object)
{
	parquet_writer_free((ParquetWriter *) object);
}

static void
out_of_memory(void)
{
	ereport(ERROR,
			errcode(ERRCODE_OUT_OF_MEMORY),
			errmsg("out of memory"));
}

static const char **
field_names(const Schema *schema)
{
	const char **names = palloc(sizeof(char *) * Max(schema->nfields, 1));

	for (int i = 0; i < schema->nfields; i++)
		names[i] = schema->fields[i].name;
	return names;
}

static FieldType *
field_types(const Schema *schema)
{
	FieldType  *types = palloc(sizeof(FieldType) * Max(schema->nfields, 1));

	for (int i = 0; i < schema->nfields; i++)
		types[i] = schema->fields[i].type;
	return types;
}

/* ---------- one file ---------- */

static ParquetWriter *
create_parquet(const Schema *schema)
{
	ParquetColumn *columns = palloc0(sizeof(ParquetColumn) * Max(schema->nfields, 1));
	ParquetWriterOptions options = {.compression = PARQUET_SNAPPY};
	ParquetWriter *parquet;

	for (int i = 0; i < schema->nfields; i++)
	{
		columns[i].name = schema->fields[i].name;
		columns[i].type = schema->fields[i].type;
		columns[i].precision = schema->fields[i].precision;
		columns[i].scale = schema->fields[i].scale;
	}
	parquet = parquet_writer_create(columns, schema->nfields, &options);
	if (parquet == NULL)
		out_of_memory();
	pfree(columns);
	return parquet;
}

/* send what the file's encoder has put out */
static void
send_output(S3Writer *writer, S3File *file, ByteBuffer *out)
{
	if (out->failed)
		out_of_memory();
	if (out->length == 0)
		return;
	object_write(file->object, out->data, out->length);
	file->bytes += out->length;
	writer->base.bytes += out->length;
	buffer_reset(out);
}

static void
begin_file(S3Writer *writer, S3File *file)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	pg_time_t	seconds = timestamptz_to_time_t(writer->started_at);
	char		when[64];
	char	   *key;

	pg_strftime(when, sizeof(when), s3_portable_object_names ? "%Y-%m-%dT%H-%M-%S" : "%Y-%m-%dT%H:%M:%S",
				pg_gmtime(&seconds));
	key = psprintf("%s%s%s%d-%s%s", writer->place->folder, file->partition, writer->place->name_prefix,
				   ++writer->parts, when,
				   s3_portable_object_names ? file_types[writer->format.file_type].extension : "");
	file->object = store_write(writer->store, writer->bucket, key,
							   file_types[writer->format.file_type].content_type, writer->execution_id);
	file->bytes = 0;
	if (writer->format.file_type == S3_PARQUET)
	{
		file->parquet = own_in_context(writer->context, free_parquet);
		file->parquet->object = create_parquet(writer->base.schema);
	}
	else if (file->buffer == NULL)
		file->buffer = own_buffer(writer->context);
	if (writer->format.file_type == S3_CSV)
	{
		const char **names = field_names(writer->base.schema);

		csv_write_header(file->buffer->object, names, writer->base.schema->nfields);
		pfree(names);
	}
	MemoryContextSwitchTo(old);
}

static void
parquet_failed(const ParquetWriter *parquet, const Schema *schema)
{
	const CodecError *error = parquet_writer_error(parquet);
	const char *name = error->column > 0 && error->column <= (uint64_t) schema->nfields ?
		schema->fields[error->column - 1].name : "";

	ereport(ERROR,
			appflow_error(WF_INTERNAL),
			errmsg("could not write Parquet: column \"%s\": %s", name, error->message));
}

/* the file is complete; it becomes visible with all others */
static void
seal_file(S3Writer *writer, S3File *file)
{
	MemoryContext old;

	if (file->object == NULL)
		return;
	if (file->parquet != NULL)
	{
		ParquetWriter *parquet = file->parquet->object;

		if (!parquet_writer_finish(parquet))
			parquet_failed(parquet, writer->base.schema);
		send_output(writer, file, parquet_writer_output(parquet));
		own_release(file->parquet);
		file->parquet = NULL;
	}
	else
		send_output(writer, file, file->buffer->object);
	object_write_seal(file->object);
	old = MemoryContextSwitchTo(writer->context);
	writer->sealed = lappend(writer->sealed, file->object);
	MemoryContextSwitchTo(old);
	file->object = NULL;
}

/*
 * Has the file reached targetFileSize?  What rows of Parquet take when they are
 * compressed is known only once they are, so row groups are closed as long as
 * they might have filled the file.
 */
static bool
is_full(S3Writer *writer, S3File *file)
{
	uint64		target = writer->format.target_size;
	ParquetWriter *parquet;

	if (file->parquet == NULL)
		return file->bytes + ((ByteBuffer *) file->buffer->object)->length >= target;
	parquet = file->parquet->object;
	if (file->bytes + parquet_writer_memory(parquet) < target)
		return false;
	if (!parquet_writer_flush(parquet))
		parquet_failed(parquet, writer->base.schema);
	send_output(writer, file, parquet_writer_output(parquet));
	return file->bytes >= target - target / 10;
}

static void
write_rows(S3Writer *writer, S3File *file, const RecordSet *set, const uint32 *rows, uint32 nrows)
{
	const Schema *schema = writer->base.schema;

	if (file->object != NULL && file->source != writer->source &&
		!writer->format.single_file && writer->format.target_size == 0)
		seal_file(writer, file);
	if (file->object == NULL)
		begin_file(writer, file);
	file->source = writer->source;

	if (file->parquet != NULL)
	{
		ParquetWriter *parquet = file->parquet->object;

		if (!parquet_writer_put(parquet, set->columns, rows, nrows))
			parquet_failed(parquet, schema);
		send_output(writer, file, parquet_writer_output(parquet));
	}
	else
	{
		ByteBuffer *out = file->buffer->object;
		size_t		piece = TEXT_MEMORY / Max(writer->files != NULL ? writer->files->members : 1, 1);

		if (writer->format.file_type == S3_JSON)
		{
			for (uint32 i = 0; i < nrows; i++)
				json_writer_record(writer->json->object, out, set->columns, rows[i]);
		}
		else
		{
			FieldType  *types = field_types(schema);

			for (uint32 i = 0; i < nrows; i++)
				csv_write_record(out, set->columns, types, schema->nfields, rows[i]);
			pfree(types);
		}
		if (out->length >= Min(Max(piece, PIECE_MIN), PIECE_MAX) || out->failed)
			send_output(writer, file, out);
	}
	if (writer->format.target_size > 0 && is_full(writer, file))
		seal_file(writer, file);
}

/* ---------- partitions ---------- */

/*
 * Append text to a path: what would end the folder or cannot be in a name is
 * percent-encoded, and '%' with it.
 */
static void
append_encoded(StringInfo path, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c == '/' || c == '%' || c < 0x20 || c == 0x7f)
			appendStringInfo(path, "%%%02X", c);
		else
			appendStringInfoChar(path, (char) c);
	}
}

/* the value of a partition key, as text */
static const char *
partition_value(const S3Writer *writer, const RecordSet *set, uint32 row, int key, char *scratch, size_t *length)
{
	int			column = writer->partition_columns[key];
	const Cell *cell = &set->columns[column][row];

	if (cell_is_text(cell))
	{
		*length = cell->length;
		return cell->data;
	}
	if (cell->kind == CELL_NULL)
		*length = strlcpy(scratch, "null", CELL_TEXT_MAX);
	else
		*length = text_format_cell(cell, writer->base.schema->fields[column].type, scratch);
	return scratch;
}

static void
make_partition(S3Writer *writer, const RecordSet *set, uint32 row)
{
	ListCell   *lc;

	resetStringInfo(&writer->key);
	if (writer->layout.folder != NULL)
		appendStringInfoString(&writer->key, writer->layout.folder(writer->layout.arg, row));
	foreach(lc, writer->partition_keys)
	{
		char		scratch[CELL_TEXT_MAX];
		size_t		length;
		const char *value = partition_value(writer, set, row, foreach_current_index(lc), scratch, &length);

		append_encoded(&writer->key, lfirst(lc), strlen(lfirst(lc)));
		appendStringInfoChar(&writer->key, '=');
		append_encoded(&writer->key, value, length);
		appendStringInfoChar(&writer->key, '/');
	}
}

/* a partition that no record has gone to yet */
static void
begin_partition(S3Writer *writer, S3File *file, const RecordSet *set, uint32 row)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	S3File		empty = {.hash = file->hash,.status = file->status};

	*file = empty;
	file->partition = pstrdup(writer->key.data);
	for (int i = 0; i < list_length(writer->partition_keys); i++)
	{
		char		scratch[CELL_TEXT_MAX];
		size_t		length;
		const char *value = partition_value(writer, set, row, i, scratch, &length);

		file->values = lappend(file->values, pnstrdup(value, length));
	}
	MemoryContextSwitchTo(old);
}

/* keep the row groups of all files together below a limit */
static void
bound_memory(S3Writer *writer)
{
	for (;;)
	{
		s3files_iterator iterator;
		S3File	   *file;
		S3File	   *largest = NULL;
		size_t		total = 0;
		size_t		most = 0;

		s3files_start_iterate(writer->files, &iterator);
		while ((file = s3files_iterate(writer->files, &iterator)) != NULL)
		{
			size_t		memory = file->parquet ? parquet_writer_memory(file->parquet->object) : 0;

			total += memory;
			if (memory > most)
			{
				most = memory;
				largest = file;
			}
		}
		if (total <= PARQUET_MEMORY || largest == NULL)
			return;
		if (!parquet_writer_flush(largest->parquet->object))
			parquet_failed(largest->parquet->object, writer->base.schema);
		send_output(writer, largest, parquet_writer_output(largest->parquet->object));
	}
}

static void
put_partitioned(S3Writer *writer, const RecordSet *set)
{
	s3files_iterator iterator;
	S3File	   *file;

	for (uint32 i = 0; i < set->nrows; i++)
	{
		bool		found;

		make_partition(writer, set, set->rows[i]);
		file = s3files_insert(writer->files, writer->key.data, &found);
		if (!found)
			begin_partition(writer, file, set, set->rows[i]);
		if (file->rows == NULL)
			file->rows = palloc(sizeof(uint32) * set->nrows);
		file->rows[file->nrows++] = set->rows[i];
	}
	s3files_start_iterate(writer->files, &iterator);
	while ((file = s3files_iterate(writer->files, &iterator)) != NULL)
	{
		if (file->nrows == 0)
			continue;
		CHECK_FOR_INTERRUPTS();
		write_rows(writer, file, set, file->rows, file->nrows);
		pfree(file->rows);
		file->rows = NULL;
		file->nrows = 0;
	}
	if (writer->format.file_type == S3_PARQUET)
		bound_memory(writer);
}

/* ---------- files that come with records ---------- */

/* whatever the source says: no way out of the folder */
static bool
stays_inside(const char *name)
{
	while (true)
	{
		size_t		length = strcspn(name, "/");

		if (length == 0 || (length <= 2 && strncmp(name, "..", length) == 0))
			return false;
		if (name[length] == '\0')
			return true;
		name += length + 1;
	}
}

/* one file, up to its end but not visible; it goes with the current memory context */
static ObjectWriter *
stage_file(S3Writer *writer, RecordFiles *files)
{
	ObjectWriter *object = NULL;
	MemoryContext record = CurrentMemoryContext;
	MemoryContext context = NULL;
	char	   *buffer = palloc(FILE_PIECE);
	uint64		before = writer->base.bytes;

	if (!stays_inside(files->name))
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("a file cannot be put under the name \"%s\"", files->name));
	for (;;)
	{
		ssize_t		length;

		CHECK_FOR_INTERRUPTS();
		if (object == NULL)
		{
			context = AllocSetContextCreate(record, "appflow file of a record", ALLOCSET_SMALL_SIZES);
			MemoryContextSwitchTo(context);
			object = store_write(writer->store, writer->bucket, psprintf("%s%s", writer->files_folder, files->name),
								 files->content_type, writer->execution_id);
			MemoryContextSwitchTo(record);
		}
		length = files->read(files, buffer, FILE_PIECE);
		if (length == 0)
			break;
		if (length < 0)
		{
			MemoryContextDelete(context);
			object = NULL;
			writer->base.bytes = before;
			continue;
		}
		object_write(object, buffer, (size_t) length);
		writer->base.bytes += length;
		if (files->moved != NULL)
			files->moved(files->arg);
	}
	object_write_seal(object);
	pfree(buffer);
	return object;
}

static bool
s3_put_files(RecordWriter *base, RecordFiles *files)
{
	S3Writer   *writer = (S3Writer *) base;
	MemoryContext context = AllocSetContextCreate(writer->context, "appflow files of a record",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *staged = NIL;
	uint64		before = base->bytes;
	ListCell   *lc;

	while (files->next(files))
		staged = lappend(staged, stage_file(writer, files));
	if (files->message != NULL)
	{
		base->bytes = before;
		staged = NIL;
	}
	foreach(lc, staged)
	{
		/* before it is there: one that is there and not counted would stay */
		base->files++;
		object_write_finish(lfirst(lc));
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return files->message == NULL;
}

/* Take the files of a run that has failed away; raises no errors. */
static void
remove_files(S3Writer *writer)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow files of a failed run",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	PG_TRY();
	{
		ObjectList *list = store_list(writer->store, writer->bucket, writer->files_folder);
		List	   *keys = NIL;
		ObjectInfo	object;
		ListCell   *lc;

		while (object_list_next(list, &object))
			keys = lappend(keys, pstrdup(object.key));
		object_list_close(list);
		foreach(lc, keys)
			store_delete(writer->store, writer->bucket, lfirst(lc));
		writer->base.files = 0;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		EmitErrorReport();
		FlushErrorState();
		ereport(LOG,
				errmsg("files of a run that failed are left under \"%s\" of bucket \"%s\"", writer->files_folder,
					   writer->bucket));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ---------- the writer ---------- */

/* by name: the reader may have the names of several objects at the same address */
static void
note_source(S3Writer *writer, const char *object)
{
	if (object == NULL || (writer->source_name != NULL && strcmp(writer->source_name, object) == 0))
		return;
	if (writer->source_name != NULL)
		pfree(writer->source_name);
	writer->source_name = MemoryContextStrdup(writer->context, object);
	writer->source++;
}

static void
s3_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	S3Writer   *writer = (S3Writer *) base;

	note_source(writer, set->batch->object);
	if (writer->files != NULL)
		put_partitioned(writer, set);
	else
		write_rows(writer, writer->only, set, set->rows, set->nrows);
	writer->base.records += set->nrows;
}

static void
create_json(S3Writer *writer)
{
	const char **names = field_names(writer->base.schema);
	FieldType  *types = field_types(writer->base.schema);

	if (writer->json != NULL)
		own_release(writer->json);
	writer->json = own_in_context(writer->context, free_json);
	writer->json->object = json_writer_create(names, types, writer->base.schema->nfields);
	if (writer->json->object == NULL)
		out_of_memory();
	pfree(names);
	pfree(types);
}

static void
seal_all(S3Writer *writer)
{
	s3files_iterator iterator;
	S3File	   *file;

	if (writer->files == NULL)
	{
		seal_file(writer, writer->only);
		return;
	}
	s3files_start_iterate(writer->files, &iterator);
	while ((file = s3files_iterate(writer->files, &iterator)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		seal_file(writer, file);
	}
}

/* what a column of a file with types holds */
static void
set_column_type(const S3Writer *writer, Field *field)
{
	if (!writer->format.typed)
		field->type = FIELD_STRING;
	else if (field->type == FIELD_DECIMAL && field->precision == 0 && field->from_double)
		field->type = FIELD_DOUBLE;
}

static void
s3_add_field(RecordWriter *base)
{
	S3Writer   *writer = (S3Writer *) base;
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	Field	   *field = &base->schema->fields[base->schema->nfields - 1];

	if (writer->format.file_type == S3_JSON)
		create_json(writer);
	else
	{
		/* columns of a file are fixed: the next records begin new ones */
		if (writer->format.file_type == S3_PARQUET || !writer->format.typed)
			set_column_type(writer, field);
		seal_all(writer);
	}
	MemoryContextSwitchTo(old);
}

static void
s3_seal(RecordWriter *base, const Outcomes *outcomes)
{
	seal_all((S3Writer *) base);
}

static void
s3_finish(RecordWriter *base)
{
	S3Writer   *writer = (S3Writer *) base;

	while (writer->sealed != NIL)
	{
		ObjectWriter *object = linitial(writer->sealed);

		object_write_finish(object);
		writer->sealed = list_delete_first(writer->sealed);
	}
}

static void
s3_abort(RecordWriter *base)
{
	S3Writer   *writer = (S3Writer *) base;

	if (base->files > 0)
		remove_files(writer);

	/* the objects that are staged belong to the context */
	MemoryContextReset(writer->context);
}

/* A writer without partitions and place. */
static S3Writer *
create_writer(ConnectorSession *session, WriteRequest *request, char *bucket, const S3OutputFormat *format)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow S3 writer",
												  ALLOCSET_DEFAULT_SIZES);
	S3Writer   *writer = palloc0(sizeof(S3Writer));
	MemoryContext old = MemoryContextSwitchTo(context);
	Schema	   *schema = request->schema;

	writer->base.schema = schema;
	writer->base.put = s3_put;
	writer->base.seal = s3_seal;
	writer->base.finish = s3_finish;
	writer->base.abort = s3_abort;
	writer->context = context;
	writer->store = session->store;
	writer->bucket = pstrdup(bucket);
	writer->execution_id = request->execution_id;
	writer->started_at = request->started_at;
	writer->format = *format;
	writer->base.typed = writer->format.file_type == S3_PARQUET;
	if (!s3_schema_is_fixed(&writer->format))
		writer->base.add_field = s3_add_field;
	if (writer->format.file_type == S3_PARQUET)
	{
		for (int i = 0; i < schema->nfields; i++)
			set_column_type(writer, &schema->fields[i]);
	}
	initStringInfo(&writer->key);
	if (writer->format.file_type == S3_JSON)
		create_json(writer);
	MemoryContextSwitchTo(old);
	return writer;
}

RecordWriter *
s3_open_writer(ConnectorSession *session, WriteRequest *request)
{
	S3OutputFormat format = s3_output_format(request->properties);
	S3Writer   *writer = create_writer(session, request, jsonb_get_text(request->properties, "bucketName"), &format);
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	ListCell   *lc;

	writer->place = s3_output_place(request);
	if (request->files)
	{
		writer->files_folder = writer->place->exclusive ? writer->place->folder :
			psprintf("%s%s/", writer->place->folder, request->execution_id);
		writer->base.put_files = s3_put_files;
	}
	if (request->partition_keys != NIL)
	{
		writer->partition_keys = request->partition_keys;
		writer->partition_columns = palloc(sizeof(int) * list_length(request->partition_keys));
		foreach(lc, request->partition_keys)
		{
			int			column = schema_find(request->schema, lfirst(lc));

			if (column < 0)
				ereport(ERROR,
						appflow_error(WF_VALIDATION),
						errmsg("partition key \"%s\" is not a field of the destination", (char *) lfirst(lc)));
			writer->partition_columns[foreach_current_index(lc)] = column;
		}
		writer->files = s3files_create(writer->context, 64, NULL);
	}
	else
	{
		writer->only = palloc0(sizeof(S3File));
		writer->only->partition = "";
	}
	MemoryContextSwitchTo(old);
	return &writer->base;
}

RecordWriter *
s3_open_laid_out(ConnectorSession *session, WriteRequest *request, const S3Layout *layout)
{
	S3Writer   *writer = create_writer(session, request, layout->bucket, &layout->format);
	MemoryContext old = MemoryContextSwitchTo(writer->context);

	writer->layout = *layout;
	writer->place = palloc0(sizeof(S3Place));
	writer->place->folder = "";
	writer->place->name_prefix = pstrdup(layout->name_prefix);
	writer->files = s3files_create(writer->context, 64, NULL);
	MemoryContextSwitchTo(old);
	return &writer->base;
}

S3Written *
s3_written(const RecordWriter *base)
{
	const S3Writer *writer = (const S3Writer *) base;
	S3Written  *written = palloc0(sizeof(S3Written));
	s3files_iterator iterator;
	S3File	   *file;

	written->bucket = writer->bucket;
	written->place = writer->place;
	written->file_type = writer->format.file_type;
	written->schema = base->schema;
	written->objects = writer->parts;
	if (writer->files == NULL)
		return written;
	written->partition_keys = writer->partition_keys;
	s3files_start_iterate(writer->files, &iterator);
	while ((file = s3files_iterate(writer->files, &iterator)) != NULL)
	{
		S3Partition *partition = palloc(sizeof(S3Partition));

		partition->folder = file->partition;
		partition->values = file->values;
		written->partitions = lappend(written->partitions, partition);
	}
	return written;
}
