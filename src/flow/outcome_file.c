/*-------------------------------------------------------------------------
 *
 * outcome_file.c
 *	  An object that tells what became of records.
 *
 * IDENTIFICATION
 *	  src/flow/outcome_file.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flow/outcome_file.h"
#include "utils/memutils.h"

/* bytes gathered before they go to the store */
#define OUTCOME_CHUNK (64 * 1024)

OutcomeFile *
outcome_file_create(ObjectStore *store, const char *bucket, const char *prefix,
					const char *flow_name, const char *execution_id, const char *name)
{
	OutcomeFile *file = palloc0(sizeof(OutcomeFile));
	size_t		length = prefix ? strlen(prefix) : 0;

	file->store = store;
	file->bucket = bucket;
	file->execution_id = execution_id;
	file->key = psprintf("%s%s%s/%s/%s", length > 0 ? prefix : "",
						 length > 0 && prefix[length - 1] != '/' ? "/" : "", flow_name, execution_id, name);
	file->buffer = own_buffer(CurrentMemoryContext);
	return file;
}

static void
flush(OutcomeFile *file)
{
	ByteBuffer *buffer = file->buffer->object;

	if (buffer->failed)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	object_write(file->writer, buffer->data, buffer->length);
	buffer_reset(buffer);
}

ByteBuffer *
outcome_file_begin_line(OutcomeFile *file)
{
	if (file->writer == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(file));

		file->writer = store_write(file->store, file->bucket, file->key, "application/jsonl", file->execution_id);
		MemoryContextSwitchTo(old);
	}
	return file->buffer->object;
}

void
outcome_file_end_line(OutcomeFile *file)
{
	ByteBuffer *buffer = file->buffer->object;

	buffer_append_char(buffer, '\n');
	if (buffer->length >= OUTCOME_CHUNK || buffer->failed)
		flush(file);
}

void
outcome_file_finish(OutcomeFile *file)
{
	ObjectWriter *writer = file->writer;

	if (writer == NULL)
		return;
	flush(file);
	file->writer = NULL;
	object_write_seal(writer);
	object_write_finish(writer);
}
