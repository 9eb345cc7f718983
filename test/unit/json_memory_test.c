/*
 * json_memory_test.c
 *	  The JSON reader and writer when memory runs out: at every single
 *	  allocation in turn.  Nothing may crash or leak, and what is delivered all
 *	  the same must be right.
 *
 * The sources are built in here, with allocators that fail on demand.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static long allocations_left = -1;	/* -1: no limit */
static long outstanding;

static bool
may_allocate(void)
{
	if (allocations_left == 0)
		return false;
	if (allocations_left > 0)
		allocations_left--;
	return true;
}

static void *
test_malloc(size_t size)
{
	void	   *p = may_allocate() ? malloc(size) : NULL;

	outstanding += p != NULL;
	return p;
}

static void *
test_calloc(size_t n, size_t size)
{
	void	   *p = may_allocate() ? calloc(n, size) : NULL;

	outstanding += p != NULL;
	return p;
}

static void *
test_realloc(void *old, size_t size)
{
	void	   *p = may_allocate() ? realloc(old, size) : NULL;

	outstanding += p != NULL && old == NULL;
	return p;
}

static void
test_free(void *p)
{
	outstanding -= p != NULL;
	free(p);
}

#define malloc test_malloc
#define calloc test_calloc
#define realloc test_realloc
#define free test_free

#include "../../src/codec/arena.c"
#include "../../src/codec/json_path.c"
#include "../../src/codec/json_shape.c"
#include "../../src/codec/json_walk.c"
#include "../../src/codec/json_reader.c"
#include "../../src/codec/json_writer.c"

#define ROWS 4

static const char page[] =
"{\"next\":\"\\u0041 longer than nothing\",\"r\":{\"s\":["
"{\"a\":\"\\u00e9\",\"b\":{\"c\":[[[1]]],\"d\":2},\"\\u0065\":3},"
"{\"a\":1,\"b\":{\"c\":\"x\",\"d\":2},\"f\":\"y\"}]}}";

/* how far it gets; 0: memory was out before the end */
static int
read_page(bool *right)
{
	static const char *const fields[] = {"a", "b.c"};
	static const char *const envelope[] = {"next", "x"};
	JsonReaderOptions options = {
		.framing = JSON_FRAMING_PAGE,.record_path = "r.s",.fields = fields,.nfields = 2,
		.envelope = envelope,.nenvelope = 2,.discover = true
	};
	JsonReader *reader = json_reader_create(&options);
	Arena	   *arena = arena_create();
	Cell		cells[8][ROWS];
	Cell	   *columns[8];
	JsonReadResult result = {0};
	JsonStatus	status = JSON_ERROR;
	size_t		at = 0;
	uint32_t	rows = 0;
	int			failures = 0;
	size_t		i;

	for (i = 0; i < 8; i++)
		columns[i] = cells[i];
	if (reader != NULL && arena != NULL)
		for (;;)
		{
			status = json_reader_read(reader, page + at, strlen(page) - at, true, arena, columns, NULL, ROWS, &result);
			at += result.consumed;
			if (rows == 0 && result.rows > 0 &&
				(cells[0][0].kind != CELL_STRING || cells[0][0].length != 2 ||
				 memcmp(cells[0][0].data, "\xc3\xa9", 2) != 0 || cells[1][0].kind != CELL_JSON))
				*right = false;
			rows += result.rows;
			if (status == JSON_NEW_FIELD)
			{
				size_t		length;
				const char *name = json_reader_new_field(reader, &length);

				/* the reader must bear to be used on, whatever failed */
				if (!json_reader_add_field(reader, name, length))
					failures++;
				if (failures < 3)
					continue;
				status = JSON_ERROR;
			}
			if (status == JSON_ERROR && failures < 3 && strcmp(json_reader_error(reader)->message, "out of memory") != 0)
			{
				printf("# %s\n", json_reader_error(reader)->message);
				*right = false;
			}
			break;
		}
	if (status == JSON_MORE && (rows != 2 || at != strlen(page) || json_reader_envelope(reader, 0).length != 21))
		*right = false;
	json_reader_free(reader);
	arena_free(arena);
	return status == JSON_MORE;
}

static int
write_records(bool *right)
{
	static const char *const names[] = {"a", "b"};
	static const FieldType types[] = {FIELD_STRING, FIELD_STRING};
	JsonWriter *writer = json_writer_create(names, types, 2);
	ByteBuffer		out = {0};
	Cell		cell = cell_text(CELL_STRING, "\"quoted\"", 8);
	const Cell *columns[] = {&cell, &cell};
	int			i;
	bool		complete = false;

	if (writer != NULL)
	{
		for (i = 0; i < 200; i++)
			json_writer_record(writer, &out, columns, 0);
		complete = !out.failed;
		if (complete && out.length != 200 * 36)
		{
			printf("# %zu bytes\n", out.length);
			*right = false;
		}
	}
	json_writer_free(writer);
	buffer_free(&out);
	return complete;
}

static void
every_failure(const char *name, int (*work) (bool *right))
{
	bool		right = true;
	bool		complete = false;
	long		n;

	for (n = 0; n < 1000 && !complete; n++)
	{
		allocations_left = n;
		complete = work(&right);
		if (outstanding != 0)
		{
			printf("# %ld blocks are left with %ld allocations\n", outstanding, n);
			right = false;
			outstanding = 0;
		}
	}
	allocations_left = -1;
	ok(right && complete && n > 3, "%s: every allocation fails once (%ld)", name, n - 1);
}

int
main(void)
{
	every_failure("reader", read_page);
	every_failure("writer", write_records);
	return done_testing();
}
