/*-------------------------------------------------------------------------
 *
 * parquet_memory_test.c
 *	  The Parquet writer when memory runs out: the same file again and again,
 *	  and each allocation in turn fails.
 *
 * Every failure has to be reported as one, at the call that meets it, and the
 * writer freed afterwards; the sanitizer sees what leaks.  The sources are
 * built in here, with allocators that fail on demand.
 *
 * IDENTIFICATION
 *	  test/unit/parquet_memory_test.c
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static long allocations_left = -1;	/* -1: no limit */

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
	return may_allocate() ? malloc(size) : NULL;
}

static void *
test_calloc(size_t n, size_t size)
{
	return may_allocate() ? calloc(n, size) : NULL;
}

static void *
test_realloc(void *old, size_t size)
{
	return may_allocate() ? realloc(old, size) : NULL;
}

static char *
test_strdup(const char *text)
{
	return may_allocate() ? strdup(text) : NULL;
}

#define malloc test_malloc
#define calloc test_calloc
#define realloc test_realloc
#undef strdup
#define strdup test_strdup

/* *INDENT-OFF* */
#include "../../src/codec/parquet_thrift.c"
#include "../../src/codec/parquet_rle.c"
#include "../../src/codec/parquet_value.c"
#include "../../src/codec/parquet_dictionary.c"
#include "../../src/codec/parquet_statistics.c"
#include "../../src/codec/parquet_type.c"
#include "../../src/codec/parquet_cells.c"
#include "../../src/codec/parquet_page.c"
#include "../../src/codec/parquet_column.c"
#include "../../src/codec/parquet_writer.c"
/* *INDENT-ON* */

#define ROWS 3000
#define BATCHES 4

static const ParquetColumn columns[] = {
	{"unique", FIELD_STRING, 0, 0},
	{"repeated", FIELD_STRING, 0, 0},
	{"long", FIELD_LONG, 0, 0},
	{"truth", FIELD_BOOLEAN, 0, 0},
	{"decimal", FIELD_DECIMAL, 38, 0},
	{"json", FIELD_JSON, 0, 0},
	{"bytes", FIELD_BINARY, 0, 0}
};

#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

static char texts[ROWS][16];
static Cell cells[NCOLUMNS][ROWS];

/* 0: no file and no memory; 1: a file, of *length bytes; -1: neither */
static int
run(ParquetCompression compression, size_t *length)
{
	ParquetWriterOptions options = {.compression = compression,.row_group_rows = 10000};
	const Cell *batch[NCOLUMNS];
	ParquetWriter *writer = parquet_writer_create(columns, NCOLUMNS, &options);
	bool		good = true;
	int			result = -1;
	size_t		i;

	if (writer == NULL)
		return 0;
	for (i = 0; i < NCOLUMNS; i++)
		batch[i] = cells[i];
	for (i = 0; i < BATCHES && good; i++)
		good = parquet_writer_put(writer, batch, NULL, ROWS) && (i != 1 || parquet_writer_flush(writer));
	good = good && parquet_writer_finish(writer);
	*length = parquet_writer_output(writer)->length;
	if (good)
		result = 1;
	else if (strcmp(parquet_writer_error(writer)->message, "out of memory") == 0 &&
			 !parquet_writer_put(writer, batch, NULL, ROWS) && !parquet_writer_finish(writer))
		result = 0;
	parquet_writer_free(writer);
	return result;
}

static void
every_allocation(const char *name, ParquetCompression compression)
{
	size_t		expected = 0;
	size_t		length = 0;
	int			wrong = 0;
	int			result = 0;
	long		n;

	allocations_left = -1;
	is_int(run(compression, &expected), 1, "%s: with enough memory", name);
	for (n = 0; n < 5000 && result != 1; n++)
	{
		allocations_left = n;
		result = run(compression, &length);
		if (result == -1)
			wrong++;
	}
	allocations_left = -1;
	is_int(result, 1, "%s: done when no allocation fails any more", name);
	is_int(wrong, 0, "%s: each of %ld allocations fails once, and is reported", name, n - 1);
	is_int(length, expected, "%s: the file is the same at last", name);
	ok(n > 50, "%s: there was something to fail", name);
}

int
main(void)
{
	int			i;

	for (i = 0; i < ROWS; i++)
	{
		snprintf(texts[i], sizeof(texts[i]), "%d", i);
		cells[0][i] = cell_text(CELL_STRING, texts[i], (uint32_t) strlen(texts[i]));
		cells[1][i] = cell_text(CELL_STRING, "abc", (uint32_t) (i % 4));
		cells[2][i] = i % 3 ? cell_integer(CELL_INTEGER, i) : cell_null();
		cells[3][i] = cell_integer(CELL_BOOLEAN, i & 1);
		cells[4][i] = cell_text(CELL_NUMBER, texts[i], (uint32_t) strlen(texts[i]));
		cells[5][i] = cell_text(CELL_STRING, texts[i], (uint32_t) strlen(texts[i]));
		cells[6][i] = cell_text(CELL_STRING, "AAAA", 4);
	}
	every_allocation("uncompressed", PARQUET_UNCOMPRESSED);
	every_allocation("Snappy", PARQUET_SNAPPY);
	every_allocation("Zstandard", PARQUET_ZSTD);
	return done_testing();
}
