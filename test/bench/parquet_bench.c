/*-------------------------------------------------------------------------
 *
 * parquet_bench.c
 *	  How fast cells become a Parquet file.
 *
 *		parquet_bench [snappy|zstd|none] [FILE] [ROWS]
 *
 * 16 columns as a customer table has them.  All cells are made first, in
 * batches of 1,024 rows; the time is that of the writer alone, output taken
 * from it but written to FILE only once at the end.
 *
 * IDENTIFICATION
 *	  test/bench/parquet_bench.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BATCH 1024
#define NCOLUMNS 16

static const ParquetColumn columns[NCOLUMNS] = {
	{"id", FIELD_STRING, 0, 0},
	{"account_id", FIELD_STRING, 0, 0},
	{"name", FIELD_STRING, 0, 0},
	{"email", FIELD_STRING, 0, 0},
	{"stage", FIELD_STRING, 0, 0},
	{"country", FIELD_STRING, 0, 0},
	{"is_deleted", FIELD_BOOLEAN, 0, 0},
	{"is_private", FIELD_BOOLEAN, 0, 0},
	{"employees", FIELD_INTEGER, 0, 0},
	{"version", FIELD_LONG, 0, 0},
	{"amount", FIELD_DECIMAL, 18, 2},
	{"probability", FIELD_DOUBLE, 0, 0},
	{"close_date", FIELD_DATE, 0, 0},
	{"created", FIELD_DATETIME, 0, 0},
	{"modified", FIELD_DATETIME, 0, 0},
	{"description", FIELD_STRING, 0, 0}
};

static uint64_t state = 7;

static uint64_t
next(void)
{
	uint64_t	z = (state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static char *text;				/* all texts, one behind the other */
static size_t text_used;

static Cell
put_text(CellKind kind, const char *value)
{
	size_t		n = strlen(value);
	Cell		cell = cell_text(kind, text + text_used, (uint32_t) n);

	memcpy(text + text_used, value, n);
	text_used += n;
	return cell;
}

static void
make_id(char *out, const char *prefix, uint64_t number)
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	int			i;

	memcpy(out, prefix, 3);
	for (i = 17; i >= 3; i--, number /= 62)
		out[i] = letters[number % 62];
	out[18] = '\0';
}

static Cell
make_cell(int column, uint64_t row)
{
	static const char *const stages[] = {
		"Prospecting", "Qualification", "Needs Analysis", "Value Proposition",
		"Negotiation/Review", "Closed Won", "Closed Lost"
	};
	static const char *const countries[] = {
		"Germany", "France", "Japan", "United States", "United Kingdom", "Brazil", "India",
		"South Africa", "Norway", "Poland"
	};
	static const char *const firsts[] = {
		"Ada", "Grace", "Edgar", "Barbara", "Donald", "Margaret", "Niklaus", "Frances"
	};
	static const char *const lasts[] = {
		"Lovelace", "Hopper", "Codd", "Liskov", "Knuth", "Hamilton", "Wirth", "Allen", "Gray"
	};
	static const char *const words[] = {
		"customer", "asked", "about", "delivery", "of", "the", "new", "order", "and", "wants",
		"a", "call", "next", "week", "regarding", "renewal", "contract", "pricing"
	};
	char		buffer[512];
	size_t		n;

	switch (column)
	{
		case 0:
			make_id(buffer, "006", UINT64_C(0x4000000000) + row * 37);
			return put_text(CELL_STRING, buffer);
		case 1:
			make_id(buffer, "001", UINT64_C(0x8000000000) + next() % 40000);
			return put_text(CELL_STRING, buffer);
		case 2:
			snprintf(buffer, sizeof(buffer), "%s %s %u", firsts[next() % 8], lasts[next() % 9],
					 (unsigned int) (next() % 100000));
			return put_text(CELL_STRING, buffer);
		case 3:
			snprintf(buffer, sizeof(buffer), "%s.%s%" PRIu64 "@example.com", firsts[next() % 8],
					 lasts[next() % 9], row);
			return put_text(CELL_STRING, buffer);
		case 4:
			return put_text(CELL_STRING, stages[next() % 7]);
		case 5:
			return next() % 20 == 0 ? cell_null() : put_text(CELL_STRING, countries[next() % 10]);
		case 6:
			return cell_integer(CELL_BOOLEAN, next() % 50 == 0);
		case 7:
			return cell_integer(CELL_BOOLEAN, (int64_t) (next() % 2));
		case 8:
			return next() % 5 == 0 ? cell_null() : cell_integer(CELL_INTEGER, (int64_t) (next() % 5000));
		case 9:
			return cell_integer(CELL_INTEGER, (int64_t) (next() % 1000000000));
		case 10:
			snprintf(buffer, sizeof(buffer), "%u.%02u", (unsigned int) (next() % 1000000),
					 (unsigned int) (next() % 100));
			return put_text(CELL_NUMBER, buffer);
		case 11:
			return cell_double((double) (next() % 1000000) / 1000003);
		case 12:
			return cell_integer(CELL_DATE, 19000 + (int64_t) (next() % 1500));
		case 13:
			return cell_integer(CELL_TIMESTAMP, INT64_C(1700000000000000) + (int64_t) row * 1000000);
		case 14:
			return cell_integer(CELL_TIMESTAMP, INT64_C(1700000000000000) +
								(int64_t) (next() % 100000000) * 1000);
		default:
			for (n = 0; n < 330;)
			{
				const char *word = words[next() % 18];

				n += (size_t) snprintf(buffer + n, sizeof(buffer) - n, "%s%s", n ? " " : "", word);
			}
			return put_text(CELL_STRING, buffer);
	}
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	const char *compression = argc > 1 ? argv[1] : "snappy";
	uint64_t	nrows = argc > 3 ? strtoull(argv[3], NULL, 10) : 200000;
	uint64_t	nbatches = (nrows + BATCH - 1) / BATCH;
	Cell	   *cells = malloc(nbatches * BATCH * NCOLUMNS * sizeof(Cell));
	size_t		raw = 0;
	double		best = 1e9;
	Buffer		file = {0};
	uint64_t	i;
	int			column;
	int			repeat;

	text = malloc(nrows * 600);
	if (cells == NULL || text == NULL)
		return 1;
	for (i = 0; i < nrows; i++)
		for (column = 0; column < NCOLUMNS; column++)
		{
			Cell		cell = make_cell(column, i);

			/* a batch's columns one behind the other */
			cells[(i / BATCH * NCOLUMNS + (uint64_t) column) * BATCH + i % BATCH] = cell;
			raw += cell_is_text(&cell) ? cell.length : cell.kind == CELL_BOOLEAN ? 1 :
				cell.kind == CELL_NULL ? 0 : 8;
		}

	for (repeat = 0; repeat < 5; repeat++)
	{
		ParquetWriterOptions options = {
			.compression = strcmp(compression, "zstd") == 0 ? PARQUET_ZSTD :
			strcmp(compression, "none") == 0 ? PARQUET_UNCOMPRESSED : PARQUET_SNAPPY
		};
		double		start = now();
		ParquetWriter *writer = parquet_writer_create(columns, NCOLUMNS, &options);
		bool		good = true;

		file.length = 0;
		for (i = 0; i < nbatches && good; i++)
		{
			const Cell *batch[NCOLUMNS];
			uint32_t	n = i + 1 < nbatches ? BATCH : (uint32_t) (nrows - i * BATCH);
			Buffer	   *out = parquet_writer_output(writer);

			for (column = 0; column < NCOLUMNS; column++)
				batch[column] = cells + (i * NCOLUMNS + (uint64_t) column) * BATCH;
			good = parquet_writer_put(writer, batch, NULL, n);
			buffer_append(&file, out->data, out->length);
			buffer_reset(out);
		}
		good = good && parquet_writer_finish(writer);
		if (!good)
		{
			fprintf(stderr, "%s\n", parquet_writer_error(writer)->message);
			return 1;
		}
		buffer_append(&file, parquet_writer_output(writer)->data,
					  parquet_writer_output(writer)->length);
		parquet_writer_free(writer);
		if (now() - start < best)
			best = now() - start;
	}
	if (argc > 2)
	{
		FILE	   *f = fopen(argv[2], "wb");

		if (f == NULL || fwrite(file.data, 1, file.length, f) != file.length || fclose(f) != 0)
		{
			perror(argv[2]);
			return 1;
		}
	}
	printf("%s: %" PRIu64 " rows, %.1f MB of values, %.1f MB of file, %.3f s, %.0f MB/s\n",
		   compression, nrows, (double) raw / 1e6, (double) file.length / 1e6, best,
		   (double) raw / 1e6 / best);
	buffer_free(&file);
	free(cells);
	free(text);
	return 0;
}
