/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  A table of cells, column by column, on its way from reader to writer.
 *
 * IDENTIFICATION
 *	  src/record/batch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/json_reader.h"
#include "record/record.h"
#include "utils/memutils.h"

static void
batch_free_arena(void *arena)
{
	arena_free(arena);
}

/*
 * Make a batch in the current memory context.  Everything it holds goes with
 * that context (or with batch->context, when that is deleted first).
 */
Batch *
batch_create(int ncolumns)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "appflow batch",
												  ALLOCSET_DEFAULT_SIZES);
	Batch	   *batch = MemoryContextAllocZero(context, sizeof(Batch));
	Owned	   *owned = own_in_context(context, batch_free_arena);

	batch->context = context;
	batch->arena = owned->object = arena_create();
	if (batch->arena == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	batch->capacity = Max(ncolumns, 8);
	batch->columns = MemoryContextAllocZero(context, sizeof(Cell *) * batch->capacity);
	batch->lines = MemoryContextAllocZero(context, sizeof(uint64) * BATCH_ROWS);
	for (int i = 0; i < ncolumns; i++)
		batch_add_column(batch);
	return batch;
}

/* Append a column, null in every row; returns its index. */
int
batch_add_column(Batch *batch)
{
	if (batch->ncolumns == batch->capacity)
	{
		batch->columns = repalloc(batch->columns,
								  sizeof(Cell *) * batch->capacity * 2);
		batch->capacity *= 2;
	}
	batch->columns[batch->ncolumns] =
		MemoryContextAllocZero(batch->context, sizeof(Cell) * BATCH_ROWS);
	return batch->ncolumns++;
}

void
batch_add_found(Batch *batch, Schema *schema, struct JsonReader *reader)
{
	size_t		length;
	const char *found = json_reader_new_field(reader, &length);
	char	   *name = pnstrdup(found, length);
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(schema));

	(void) schema_add(schema, name, FIELD_STRING);
	(void) batch_add_column(batch);
	MemoryContextSwitchTo(old);
	if (!json_reader_add_field(reader, name, length))
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	pfree(name);
}

/* Forget the rows and all text made for them. */
void
batch_reset(Batch *batch)
{
	arena_reset(batch->arena);
	if (batch->nrows > 0)
		memset(batch->lines, 0, sizeof(uint64) * batch->nrows);
	batch->nrows = 0;
	batch->object = NULL;
}

void *
batch_alloc(Batch *batch, size_t size)
{
	void	   *memory = arena_alloc(batch->arena, size);

	if (memory == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"),
				errdetail("Failed on request of size %zu.", size));
	return memory;
}

char *
batch_copy(Batch *batch, const char *data, size_t length)
{
	char	   *copy = batch_alloc(batch, length);

	memcpy(copy, data, length);
	return copy;
}

/* Where a row came from, in words, in the current memory context. */
char *
batch_locate(const Batch *batch, uint32 row)
{
	if (batch->object != NULL && batch->lines[row] > 0)
		return psprintf("object \"%s\", line " UINT64_FORMAT, batch->object, batch->lines[row]);
	if (batch->object != NULL)
		return psprintf("object \"%s\", record " UINT64_FORMAT, batch->object, batch->first_record + row);
	return psprintf("record " UINT64_FORMAT, batch->first_record + row);
}
