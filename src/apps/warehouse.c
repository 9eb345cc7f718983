/*-------------------------------------------------------------------------
 *
 * warehouse.c
 *	  Data warehouses as destinations: staging and loading.
 *
 * Objects of the intermediate bucket, <bucketPrefix>/<flow>/<execution>/<n>.json, hold a
 * JSON object a line.  They become visible when all records have come, are loaded
 * by a statement, and deleted.  Names are new for each run: warehouses remember what
 * they have loaded.
 *
 * IDENTIFICATION
 *	  src/apps/warehouse.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/warehouse.h"
#include "codec/json_writer.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

#define OBJECT_SIZE (64 * 1024 * 1024)
#define CHUNK (1024 * 1024)		/* bytes gathered before they go to the store */
#define MAX_LINE (16 * 1024 * 1024)

typedef struct WarehouseWriter
{
	RecordWriter base;
	MemoryContext context;
	ConnectorSession *session;
	const Warehouse *warehouse;
	Load		load;
	char	   *folder;
	const char *execution_id;

	Owned	   *json;			/* a JsonWriter */
	Owned	   *buffer;			/* a ByteBuffer */
	ObjectWriter *object;		/* being written; NULL: none */
	size_t		object_bytes;
	List	   *sealed;			/* of ObjectWriter * */
	bool		published;		/* the objects are visible */
} WarehouseWriter;

static void
free_json(void *object)
{
	json_writer_free((JsonWriter *) object);
}

static void
out_of_memory(void)
{
	ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
}

/* ---------- statements ---------- */

void
warehouse_stop(MemoryContext context, void (*stop) (void *arg), void *arg)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	PG_TRY();
	{
		stop(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	ReThrowError(error);
}

/* ---------- names ---------- */

char *
warehouse_value(const WarehouseRows *rows, char **row, const char *name)
{
	for (int i = 0; i < rows->ncolumns; i++)
	{
		if (pg_strcasecmp(rows->names[i], name) == 0)
			return row[i];
	}
	return NULL;
}

List *
warehouse_name_parts(const char *name, char (*fold) (char))
{
	List	   *parts = NIL;
	StringInfoData part;
	bool		quoted = false;

	initStringInfo(&part);
	for (const char *p = name;; p++)
	{
		if (*p == '"' && quoted && p[1] == '"')
			appendStringInfoChar(&part, *p++);
		else if (*p == '"')
			quoted = !quoted;
		else if (*p == '\0' || (*p == '.' && !quoted))
		{
			parts = lappend(parts, pstrdup(part.data));
			resetStringInfo(&part);
			if (*p == '\0')
				return parts;
		}
		else
			appendStringInfoChar(&part, quoted ? *p : fold(*p));
	}
}

static char *
quoted(const char *text, char quote)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, quote);
	for (; *text != '\0'; text++)
	{
		if (*text == quote || (*text == '\\' && quote == '\''))
			appendStringInfoChar(&out, *text);
		appendStringInfoChar(&out, *text);
	}
	appendStringInfoChar(&out, quote);
	return out.data;
}

char *
warehouse_identifier(const char *name)
{
	return quoted(name, '"');
}

char *
warehouse_literal(const char *text)
{
	return quoted(text, '\'');
}

/* ---------- staging ---------- */

static void
flush(WarehouseWriter *writer)
{
	ByteBuffer *buffer = writer->buffer->object;

	if (buffer->failed)
		out_of_memory();
	if (buffer->length == 0)
		return;
	object_write(writer->object, buffer->data, buffer->length);
	writer->base.bytes += buffer->length;
	writer->object_bytes += buffer->length;
	buffer_reset(buffer);
}

static void
seal_object(WarehouseWriter *writer)
{
	if (writer->object == NULL)
		return;
	flush(writer);
	object_write_seal(writer->object);
	writer->sealed = lappend(writer->sealed, writer->object);
	writer->object = NULL;
}

static void
begin_object(WarehouseWriter *writer)
{
	char	   *key = psprintf("%s%d.json", writer->folder, list_length(writer->load.keys) + 1);

	writer->object = store_write(writer->session->store, writer->load.bucket, key, "application/x-ndjson",
								 writer->execution_id);
	writer->object_bytes = 0;
	writer->load.keys = lappend(writer->load.keys, key);
}

static void
warehouse_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	WarehouseWriter *writer = (WarehouseWriter *) base;
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	ByteBuffer *buffer = writer->buffer->object;

	for (uint32 i = 0; i < set->nrows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (writer->object == NULL)
			begin_object(writer);
		json_writer_record(writer->json->object, buffer, set->columns, set->rows[i]);
		if (buffer->length >= CHUNK || buffer->failed)
			flush(writer);
		if (writer->object_bytes >= OBJECT_SIZE)
			seal_object(writer);
	}
	writer->load.records += set->nrows;
	base->records += set->nrows;
	MemoryContextSwitchTo(old);
}

/* ---------- loading ---------- */

static int
compare_errors(const ListCell *a, const ListCell *b)
{
	const LoadError *left = lfirst(a);
	const LoadError *right = lfirst(b);
	int			keys = strcmp(left->key, right->key);

	return keys != 0 ? keys : (left->line > right->line) - (left->line < right->line);
}

/*
 * The given lines of an object, read from its start: line after line of errors, which
 * are in their order, is handed to outcomes.
 */
static void
reject_lines(WarehouseWriter *writer, const char *key, List *errors, const Outcomes *outcomes)
{
	ObjectReader *reader = store_read(writer->session->store, writer->load.bucket, key);
	StringInfoData line;
	char	   *chunk = palloc(64 * 1024);
	int64		number = 1;
	ListCell   *next = list_head(errors);
	size_t		got;

	initStringInfo(&line);
	while (next != NULL && (got = object_read(reader, chunk, 64 * 1024)) > 0)
	{
		size_t		start = 0;

		CHECK_FOR_INTERRUPTS();
		for (size_t i = 0; i < got && next != NULL; i++)
		{
			LoadError  *error = lfirst(next);

			if (chunk[i] != '\n')
				continue;
			if (number == error->line)
			{
				appendBinaryStringInfo(&line, chunk + start, (int) (i - start));
				outcomes->reject_late(outcomes->arg, line.data, psprintf("line " INT64_FORMAT " of %s", number, key),
									  error->code, error->message);
				next = lnext(errors, next);
			}
			resetStringInfo(&line);
			number++;
			start = i + 1;
		}
		if (next != NULL && number == ((LoadError *) lfirst(next))->line && line.len < MAX_LINE)
			appendBinaryStringInfo(&line, chunk + start, (int) (got - start));
	}
	object_read_close(reader);
	for (; next != NULL; next = lnext(errors, next))
	{
		LoadError  *error = lfirst(next);

		outcomes->reject_late(outcomes->arg, "null", psprintf("line " INT64_FORMAT " of %s", error->line, key),
							  error->code, error->message);
	}
	pfree(chunk);
}

/* Is the end of a key what an error calls the object by, whole names of folders and all? */
static bool
is_object(const char *key, const char *name)
{
	size_t		length = strlen(key);
	size_t		name_length = strlen(name);

	return length >= name_length && strcmp(key + length - name_length, name) == 0 &&
		(length == name_length || key[length - name_length - 1] == '/' || name[0] == '/');
}

/* Tell of the records that were not loaded: those that are known, then the rest. */
static void
tell_errors(WarehouseWriter *writer, const Outcomes *outcomes)
{
	Load	   *load = &writer->load;
	uint64		failed = load->records - Min(load->loaded, load->records);
	ListCell   *lc;

	list_sort(load->errors, compare_errors);
	foreach(lc, load->keys)
	{
		char	   *key = lfirst(lc);
		List	   *errors = NIL;
		int64		last = 0;
		ListCell   *cell;

		foreach(cell, load->errors)
		{
			LoadError  *error = lfirst(cell);

			/* of several errors in one record the first counts */
			if (!is_object(key, error->key) || error->line == last || (uint64) list_length(errors) >= failed)
				continue;
			errors = lappend(errors, error);
			last = error->line;
		}
		if (errors != NIL)
			reject_lines(writer, key, errors, outcomes);
		failed -= list_length(errors);
	}
	for (; failed > 0; failed--)
		outcomes->reject_late(outcomes->arg, "null", "a record", "LoadError",
							  "the warehouse did not load it and does not say why");
}

static void
delete_objects(WarehouseWriter *writer)
{
	ListCell   *lc;

	foreach(lc, writer->load.keys)
		store_delete(writer->session->store, writer->load.bucket, lfirst(lc));
	writer->load.keys = NIL;
}

/*
 * The records are loaded, whatever becomes of the objects: a run that failed for them would
 * be repeated, and load all once more.
 */
static void
try_delete_objects(WarehouseWriter *writer)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		delete_objects(writer);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		errcontext("deleting staged objects in bucket \"%s\"", writer->load.bucket);
		EmitErrorReport();
		FlushErrorState();
	}
	PG_END_TRY();
}

static void
warehouse_seal(RecordWriter *base, const Outcomes *outcomes)
{
	WarehouseWriter *writer = (WarehouseWriter *) base;
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	ListCell   *lc;

	seal_object(writer);
	if (writer->load.keys != NIL)
	{
		writer->published = true;
		foreach(lc, writer->sealed)
			object_write_finish(lfirst(lc));
		base->irrevocable = true;
		base->records = 0;
		base->uncertain = writer->load.records;
		PG_TRY();
		{
			writer->warehouse->load(writer->session, &writer->load);
		}
		PG_FINALLY();
		{
			base->records = writer->load.loaded;
			base->uncertain = writer->load.underway;
		}
		PG_END_TRY();
		tell_errors(writer, outcomes);
		try_delete_objects(writer);
	}
	MemoryContextSwitchTo(old);
}

static void
warehouse_finish(RecordWriter *base)
{
	/* what was loaded is there */
}

static void
warehouse_abort(RecordWriter *base)
{
	WarehouseWriter *writer = (WarehouseWriter *) base;

	/* a lost run's objects are swept, see Connector.staged */
	if (writer->published)
		try_delete_objects(writer);
	MemoryContextReset(writer->context);
}

/* "<bucketPrefix>/<flow>/<execution>/" */
static char *
folder_of(const WriteRequest *request)
{
	char	   *prefix = jsonb_get_text(request->properties, "bucketPrefix");
	size_t		length = prefix == NULL ? 0 : strlen(prefix);

	return psprintf("%s%s%s/%s/", length > 0 ? prefix : "", length > 0 && prefix[length - 1] != '/' ? "/" : "",
					request->flow_name, request->execution_id);
}

/* the destination's fields get the types of the table's columns */
static void
bind_columns(WarehouseWriter *writer, Schema *schema, const Schema *table)
{
	for (int i = 0; i < schema->nfields; i++)
	{
		Field	   *field = &schema->fields[i];
		const Field *column = NULL;

		for (int j = 0; j < table->nfields; j++)
		{
			if (strcmp(table->fields[j].name, field->name) == 0 ||
				(column == NULL && pg_strcasecmp(table->fields[j].name, field->name) == 0))
				column = &table->fields[j];
		}
		if (column == NULL)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("table \"%s\" of %s has no column \"%s\"", writer->load.table,
						   writer->session->connector->type, field->name));
		field->type = column->type;
		field->precision = column->precision;
		field->scale = column->scale;
		writer->load.columns = lappend(writer->load.columns, pstrdup(column->name));
	}
}

RecordWriter *
warehouse_open_writer(ConnectorSession *session, WriteRequest *request, const Warehouse *warehouse)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow warehouse writer", ALLOCSET_DEFAULT_SIZES);
	WarehouseWriter *writer = palloc0(sizeof(WarehouseWriter));
	MemoryContext old = MemoryContextSwitchTo(context);
	Schema	   *schema = request->schema;
	Schema	   *table;
	const char **names = palloc(sizeof(char *) * Max(schema->nfields, 1));
	FieldType  *types = palloc(sizeof(FieldType) * Max(schema->nfields, 1));

	if (session->store == NULL)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("%s is written to by flows only: they name the intermediate bucket", session->connector->type));
	writer->session = session;
	writer->warehouse = warehouse;
	writer->context = context;
	writer->execution_id = pstrdup(request->execution_id);
	writer->load.table = pstrdup(request->entity);
	writer->load.bucket = jsonb_get_text(request->properties, "intermediateBucketName");
	writer->load.all_or_none = jsonb_get_bool(jsonb_get_container(request->properties, "errorHandlingConfig"),
											  "failOnFirstDestinationError", false);
	writer->folder = folder_of(request);
	table = warehouse->describe(session, request->entity);
	if (table == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s has no table \"%s\"", session->connector->type, request->entity));
	bind_columns(writer, schema, table);
	warehouse->check(session, request, writer->folder);

	for (int i = 0; i < schema->nfields; i++)
	{
		names[i] = list_nth(writer->load.columns, i);
		types[i] = schema->fields[i].type;
	}
	writer->json = own_in_context(context, free_json);
	writer->json->object = json_writer_create(names, types, schema->nfields);
	writer->buffer = own_buffer(context);
	if (writer->json->object == NULL)
		out_of_memory();
	writer->base.schema = schema;
	writer->base.typed = true;
	writer->base.put = warehouse_put;
	writer->base.seal = warehouse_seal;
	writer->base.finish = warehouse_finish;
	writer->base.abort = warehouse_abort;
	MemoryContextSwitchTo(old);
	return &writer->base;
}
