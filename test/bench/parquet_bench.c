/*-------------------------------------------------------------------------
 *
 * parquet_bench.c
 *	  How fast cells become a Parquet file, against DuckDB.
 *
 *		parquet_bench [ROWS]
 *
 * 16 columns as a customer table has them, 500 bytes a row.  All cells are
 * made first, in batches of 1,024 rows; the time is that of the writer and of
 * writing its file, the best of five.  DuckDB then loads the file into a table
 * in memory and writes that (parquet_duckdb.mjs), with one thread and the same
 * compression.  The memory is what the writer made resident on top of the
 * cells.
 *
 * IDENTIFICATION
 *	  test/bench/parquet_bench.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_writer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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
now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* the most that was resident so far, in bytes */
static size_t
resident(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (size_t) usage.ru_maxrss * 1024;
}

static bool
write_all(int file, ByteBuffer *out)
{
	size_t		done = 0;

	while (done < out->length)
	{
		ssize_t		n = write(file, out->data + done, out->length - done);

		if (n <= 0)
			return false;
		done += (size_t) n;
	}
	buffer_reset(out);
	return true;
}

/* one file of all cells; false, with a message, if it fails */
static bool
write_file(const char *path, ParquetCompression compression, const Cell *cells, uint64_t nrows)
{
	ParquetWriterOptions options = {.compression = compression};
	ParquetWriter *writer = parquet_writer_create(columns, NCOLUMNS, &options);
	int			file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool		good = writer != NULL && file >= 0;
	uint64_t	row;
	int			column;

	for (row = 0; row < nrows && good; row += BATCH)
	{
		const Cell *batch[NCOLUMNS];
		uint32_t	n = nrows - row < BATCH ? (uint32_t) (nrows - row) : BATCH;

		for (column = 0; column < NCOLUMNS; column++)
			batch[column] = cells + row * NCOLUMNS + column * BATCH;
		good = parquet_writer_put(writer, batch, NULL, n) &&
			write_all(file, parquet_writer_output(writer));
	}
	good = good && parquet_writer_finish(writer) && write_all(file, parquet_writer_output(writer));
	if (!good)
		fprintf(stderr, "%s: %s\n", path,
				writer && *parquet_writer_error(writer)->message ?
				parquet_writer_error(writer)->message : "cannot write");
	parquet_writer_free(writer);
	if (file >= 0)
		close(file);
	return good;
}

/* seconds that DuckDB takes, 0 if it cannot be asked */
static double
ask_duckdb(const char *path, const char *compression)
{
	char		command[512];
	FILE	   *pipe;
	double		seconds = 0;

	snprintf(command, sizeof(command), "node test/bench/parquet_duckdb.mjs %s %s.duckdb %s",
			 path, path, compression);
	pipe = popen(command, "r");
	if (pipe == NULL)
		return 0;
	if (fscanf(pipe, "%lf", &seconds) != 1)
		seconds = 0;
	pclose(pipe);
	return seconds;
}

int
main(int argc, char **argv)
{
	static const struct
	{
		const char *name;
		ParquetCompression compression;
	}			cases[] = {{"snappy", PARQUET_SNAPPY}, {"zstd", PARQUET_ZSTD}};
	uint64_t	nrows = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
	uint64_t	nbatches = (nrows + BATCH - 1) / BATCH;
	Cell	   *cells = malloc(nbatches * BATCH * NCOLUMNS * sizeof(Cell));
	size_t		raw = 0;
	uint64_t	i;
	int			column;

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

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char		path[64];
		double		best = 1e9;
		double		best_cpu = 1e9;
		double		peer;
		size_t		memory = resident();
		struct stat written;
		int			repeat;

		snprintf(path, sizeof(path), "build/bench/parquet_%s.parquet", cases[i].name);
		for (repeat = 0; repeat < 5; repeat++)
		{
			double		start = now(CLOCK_MONOTONIC);
			double		cpu_start = now(CLOCK_PROCESS_CPUTIME_ID);

			if (!write_file(path, cases[i].compression, cells, nrows))
				return 1;
			if (now(CLOCK_MONOTONIC) - start < best)
				best = now(CLOCK_MONOTONIC) - start;
			if (now(CLOCK_PROCESS_CPUTIME_ID) - cpu_start < best_cpu)
				best_cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
		}
		memory = resident() - memory;
		if (stat(path, &written) != 0)
			return 1;
		printf("%s: %" PRIu64 " rows, %.1f MB of values, %.1f MB of file, %.3f s (%.3f s CPU), "
			   "%.0f MB/s\n",
			   cases[i].name, nrows, (double) raw / 1e6, (double) written.st_size / 1e6, best,
			   best_cpu, (double) raw / 1e6 / best);
		/* the most that was resident never falls: only the first case can tell */
		if (i == 0)
			printf("%.1f MB of memory\n", (double) memory / 1e6);
		fflush(stdout);

		peer = ask_duckdb(path, cases[i].name);
		unlink(path);
		if (peer == 0)
		{
			fprintf(stderr, "DuckDB did not answer\n");
			return 1;
		}
		printf("BENCH parquet_writer_%s %.3f %.3f %.2f 1.20 %s\n", cases[i].name, best, peer,
			   best / peer, best <= 1.2 * peer ? "ok" : "short");
	}
	free(cells);
	free(text);
	return 0;
}
