/*-------------------------------------------------------------------------
 *
 * rejects.c
 *	  Records that did not make it.
 *
 * IDENTIFICATION
 *	  src/flow/rejects.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/json_writer.h"
#include "flow/rejects.h"
#include "record/errors.h"
#include "utils/memutils.h"

/* bytes gathered before they go to the store */
#define REJECTS_CHUNK (64 * 1024)

static void
free_buffer(void *object)
{
	buffer_free((ByteBuffer *) object);
}

Rejects *
rejects_create(const FlowPlan *plan, const char *flow_name, const char *execution_id, ObjectStore *store)
{
	Rejects    *rejects = palloc0(sizeof(Rejects));
	size_t		length = plan->error_prefix ? strlen(plan->error_prefix) : 0;

	rejects->store = store;
	rejects->bucket = plan->error_bucket;
	rejects->execution_id = execution_id;
	rejects->stop_at_first = plan->fail_on_first_error;
	rejects->key = psprintf("%s%s%s/%s/1.jsonl",
							length > 0 ? plan->error_prefix : "",
							length > 0 && plan->error_prefix[length - 1] != '/' ? "/" : "",
							flow_name, execution_id);
	rejects->buffer = own_in_context(CurrentMemoryContext, free_buffer);
	rejects->buffer->object = palloc0(sizeof(ByteBuffer));
	return rejects;
}

static void
flush(Rejects *rejects)
{
	ByteBuffer *buffer = rejects->buffer->object;

	if (buffer->failed)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	object_write(rejects->writer, buffer->data, buffer->length);
	rejects->written += buffer->length;
	buffer_reset(buffer);
}

/* the record as the destination would have got it */
static void
append_record(Rejects *rejects, ByteBuffer *out, uint32 row)
{
	Transform  *transform = rejects->transform;
	Schema	   *schema = transform->writer->schema;

	buffer_append_char(out, '{');
	for (int i = 0; i < transform->noutputs; i++)
	{
		if (i > 0)
			buffer_append_char(out, ',');
		json_append_string(out, schema->fields[i].name, strlen(schema->fields[i].name));
		buffer_append_char(out, ':');
		json_append_cell(out, &transform->columns[i][row], schema->fields[i].type);
	}
	buffer_append_char(out, '}');
}

/*
 * record: the JSON text, or NULL for a row of the batch that the transform has.
 */
static void
add(Rejects *rejects, const char *record, uint32 row, const char *where, const char *code, const char *message)
{
	ByteBuffer *out = rejects->buffer->object;
	MemoryContext home = GetMemoryChunkContext(rejects);
	MemoryContext old;

	rejects->count++;
	if (rejects->first == NULL)
	{
		old = MemoryContextSwitchTo(home);
		rejects->first = psprintf("%s: %s", where, message);
		MemoryContextSwitchTo(old);
	}
	if (rejects->store != NULL)
	{
		if (rejects->writer == NULL)
		{
			old = MemoryContextSwitchTo(home);
			rejects->writer = store_write(rejects->store, rejects->bucket, rejects->key,
										  "application/jsonl", rejects->execution_id);
			MemoryContextSwitchTo(old);
		}
		buffer_append_string(out, "{\"record\":");
		if (record != NULL)
			buffer_append_string(out, record);
		else
			append_record(rejects, out, row);
		buffer_append_string(out, ",\"errorCode\":");
		json_append_string(out, code, strlen(code));
		buffer_append_string(out, ",\"errorMessage\":");
		json_append_string(out, message, strlen(message));
		buffer_append_string(out, ",\"source\":");
		json_append_string(out, where, strlen(where));
		buffer_append_string(out, "}\n");
		if (out->length >= REJECTS_CHUNK || out->failed)
			flush(rejects);
	}
	if (rejects->stop_at_first)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "failOnFirstDestinationError stops the run"),
				errmsg("%s: %s", where, message));
}

void
rejects_add(void *arg, const Batch *batch, uint32 row, const char *code, const char *message)
{
	char	   *where = batch_locate(batch, row);

	add(arg, NULL, row, where, code, message);
	pfree(where);
}

void
rejects_add_late(void *arg, const char *record, const char *where, const char *code, const char *message)
{
	add(arg, record, 0, where, code, message);
}

void
rejects_finish(Rejects *rejects)
{
	ObjectWriter *writer = rejects->writer;

	if (writer == NULL)
		return;
	flush(rejects);
	rejects->writer = NULL;
	object_write_seal(writer);
	object_write_finish(writer);
}
