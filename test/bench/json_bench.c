/*-------------------------------------------------------------------------
 *
 * json_bench.c
 *	  Reading 5 of 16 fields of 1 MB pages as Salesforce sends them, against
 *	  json-c's parse of the same bytes; and what CSV reading takes.
 *
 * Prints
 *	  BENCH json_read_5_of_16 <ours MB/s> <json-c MB/s> <ratio> 12 ok|short
 * The pages are made here, each different.  Both sides read all of them in
 * every round, in turns; of each page the best time counts, in processor time,
 * as the machine may be busy.  json-c's time is that of json_tokener_parse_ex()
 * alone: freeing its tree is not counted, nor is fetching fields from it.
 *
 * cc -std=gnu11 -O3 -Isrc -I/usr/include/json-c test/bench/json_bench.c \
 *	  src/codec/{arena,isa,text,csv_reader,json_*}.c -lm -ljson-c
 *
 * With an argument it also prints the speed of every instruction set and of
 * other inputs.
 *
 * IDENTIFICATION
 *	  test/bench/json_bench.c
 *
 *-------------------------------------------------------------------------
 */
#include <json.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/buffer.h"
#include "codec/csv_reader.h"
#include "codec/isa.h"
#include "codec/json_reader.h"

#define PAGES 24
#define PAGE_SIZE 1000000
#define ROUNDS 12
#define PEER_ROUNDS 4
#define ROWS 1024
#define GOAL 12.0

static uint64_t seed = 88172645463325252ULL;

static unsigned
any(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned) (seed >> 11) % n;
}

#define PICK(list) list[any(sizeof(list) / sizeof(list[0]))]

static const char *const first_names[] = {"Ada", "Grace", "Zo\xc3\xab", "Edsger", "Barbara", "J\xc3\xbcrgen", "Niklaus", "Margaret", "Alan", "Chloe"};
static const char *const last_names[] = {"Lovelace", "Hopper", "Dijkstra", "Liskov", "M\xc3\xbcller", "Wirth", "Hamilton", "Turing", "O'Neil", "de la Cruz"};
static const char *const cities[] = {"Paris", "San Francisco", "S\xc3\xa3o Paulo", "Tokyo", "Leipzig", "New York", "Cork"};
static const char *const industries[] = {"Agriculture", "Banking", "Biotechnology", "Energy", "Retail", "Not For Profit"};
static const char *const words[] = {"the", "customer", "asked", "for", "a", "quote", "and", "wants", "delivery", "before", "the end of", "quarter", "\\n", "see \\\"Terms\\\"", "caf\xc3\xa9", "price in \xe2\x82\xac", "renewal", "contract", "signed", "meeting", "with", "management", "follow-up", "next", "week"};

static void
random_id(char *out, const char *prefix)
{
	static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	int			i;

	memcpy(out, prefix, 3);
	for (i = 3; i < 18; i++)
		out[i] = alphabet[any(62)];
	out[18] = '\0';
}

static void
add(ByteBuffer *out, const char *format, ...)
{
	char		text[512];
	va_list		args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buffer_append_string(out, text);
}

/* "name":"text" or null, once in a while */
static void
add_or_null(ByteBuffer *out, const char *name, const char *text, unsigned one_in)
{
	if (any(one_in) == 0)
		add(out, ",\"%s\":null", name);
	else
		add(out, ",\"%s\":\"%s\"", name, text);
}

static void
add_record(ByteBuffer *out)
{
	char		id[19];
	char		owner[19];
	char		text[512];
	const char *first = PICK(first_names);
	const char *last = PICK(last_names);
	unsigned	n;

	random_id(id, "003");
	random_id(owner, "005");
	add(out, "{\"attributes\":{\"type\":\"Contact\",\"url\":\"/services/data/v59.0/sobjects/Contact/%s\"}", id);
	add(out, ",\"Id\":\"%s\",\"Name\":\"%s %s\"", id, first, last);
	snprintf(text, sizeof(text), "%.3s.%u@example%u.com", last, any(100000), any(1000));
	add_or_null(out, "Email", text, 20);
	snprintf(text, sizeof(text), "+%u %u %u", any(99), any(1000), any(10000000));
	add_or_null(out, "Phone", text, 5);
	add_or_null(out, "MailingCity", PICK(cities), 8);
	add_or_null(out, "Industry", PICK(industries), 6);
	if (any(6) == 0)
		add(out, ",\"AnnualRevenue\":null");
	else
		add(out, ",\"AnnualRevenue\":%u.%u", any(100000000), any(100));
	add(out, ",\"NumberOfEmployees\":%u", any(100000));
	add(out, ",\"IsDeleted\":%s,\"HasOptedOutOfEmail\":%s", any(50) ? "false" : "true", any(2) ? "false" : "true");
	add(out, ",\"OwnerId\":\"%s\"", owner);
	add(out, ",\"CreatedDate\":\"20%02u-%02u-%02uT%02u:%02u:%02u.000+0000\"", 10 + any(15), 1 + any(12), 1 + any(28), any(24), any(60), any(60));
	add(out, ",\"LastModifiedDate\":\"20%02u-%02u-%02uT%02u:%02u:%02u.000+0000\"", 10 + any(15), 1 + any(12), 1 + any(28), any(24), any(60), any(60));
	if (any(4) == 0)
		add(out, ",\"Description\":null");
	else
	{
		add(out, ",\"Description\":\"");
		for (n = 5 + any(25); n > 0; n--)
			add(out, "%s%s", PICK(words), n > 1 ? " " : "");
		add(out, "\"");
	}
	add(out, ",\"Latitude\":%s%u.%06u,\"Rating\":\"%s\"}", any(2) ? "-" : "", any(90), any(1000000), any(2) ? "Hot" : "Warm");
}

static void
make_page(ByteBuffer *out)
{
	add(out, "{\"totalSize\":%u,\"done\":false,\"nextRecordsUrl\":\"/services/data/v59.0/query/01gD0000002HU6KIAW-2000\",\"records\":[", 100000);
	for (;;)
	{
		add_record(out);
		if (out->length > PAGE_SIZE - 600)
			break;
		buffer_append_char(out, ',');
	}
	add(out, "]}");
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static double
read_json_c(const ByteBuffer *page)
{
	json_tokener *tokener = json_tokener_new();
	double		start = now();
	json_object *object = json_tokener_parse_ex(tokener, page->data, (int) page->length);
	double		time = now() - start;

	if (object == NULL)
		abort();
	json_object_put(object);
	json_tokener_free(tokener);
	return time;
}

static double
read_ours(JsonReader *reader, const ByteBuffer *page, Arena *arena, Cell *const *columns, uint64_t *rows)
{
	double		start = now();
	size_t		at = 0;
	JsonStatus	status;

	json_reader_restart(reader);
	do
	{
		JsonReadResult result;

		arena_reset(arena);
		status = json_reader_read(reader, page->data + at, page->length - at, true, arena, columns, NULL, ROWS, &result);
		at += result.consumed;
		*rows += result.rows;
	} while (status == JSON_FULL);
	if (status != JSON_MORE || at != page->length)
	{
		fprintf(stderr, "%s\n", json_reader_error(reader)->message);
		abort();
	}
	return now() - start;
}

static Cell *
cells(void)
{
	return malloc(ROWS * sizeof(Cell));
}

static void
keep_best(double *best, int round, double time)
{
	if (round == 0 || time < *best)
		*best = time;
}

/* MB/s of a set of inputs, best of some rounds */
static double
speed(const JsonReaderOptions *options, const ByteBuffer *inputs, int n)
{
	JsonReader *reader = json_reader_create(options);
	Arena	   *arena = arena_create();
	Cell	   *columns[32];
	double		best[PAGES];
	double		total = 0;
	uint64_t	rows = 0;
	size_t		bytes = 0;
	int			round;
	int			i;

	for (i = 0; i < 32; i++)
		columns[i] = cells();
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < n; i++)
			keep_best(&best[i], round, read_ours(reader, &inputs[i], arena, columns, &rows));
	for (i = 0; i < n; i++)
	{
		bytes += inputs[i].length;
		total += best[i];
	}
	for (i = 0; i < 32; i++)
		free(columns[i]);
	arena_free(arena);
	json_reader_free(reader);
	return (double) bytes / total / 1e6;
}

static void
csv_speed(void)
{
	ByteBuffer		text = {0};
	CsvReader  *reader = csv_reader_create(',');
	Arena	   *arena = arena_create();
	Cell	   *columns[10];
	int32_t		binding[10];
	double		best = 1e9;
	int			round;
	int			i;

	add(&text, "id,name,email,city,industry,revenue,employees,created,modified,rating\n");
	while (text.length < 16 * PAGE_SIZE)
	{
		char		id[19];

		random_id(id, "003");
		add(&text, "%s,%s %s,%u@example.com,%s,%s,%u.%u,%u,2024-%02u-01T00:00:00.000+0000,2024-01-%02uT10:00:00Z,Hot\n",
			id, PICK(first_names), PICK(last_names), any(100000), PICK(cities), PICK(industries),
			any(100000000), any(100), any(100000), 1 + any(12), 1 + any(28));
	}
	for (i = 0; i < 10; i++)
	{
		columns[i] = cells();
		binding[i] = i;
	}
	for (round = 0; round < ROUNDS; round++)
	{
		double		start = now();
		size_t		at = 0;
		CsvStatus	status;

		csv_reader_restart(reader);
		do
		{
			CsvReadResult result;

			status = csv_reader_read(reader, text.data + at, text.length - at, true, arena, columns, NULL, ROWS, &result);
			if (status == CSV_HEADER)
				csv_reader_bind(reader, binding);
			at += result.consumed;
		} while (status == CSV_FULL || status == CSV_HEADER);
		if (status != CSV_MORE || at != text.length)
			abort();
		if (now() - start < best)
			best = now() - start;
	}
	printf("csv, 10 unquoted fields of 130 bytes: %.0f MB/s\n", (double) text.length / best / 1e6);
	for (i = 0; i < 10; i++)
		free(columns[i]);
	arena_free(arena);
	csv_reader_free(reader);
	buffer_free(&text);
}

/* the page of a tool that leaves out nulls and orders members as it likes */
static void
make_ragged(ByteBuffer *out)
{
	buffer_append_char(out, '[');
	for (;;)
	{
		unsigned	i;

		add(out, "{\"id\":%u", any(1000000));
		for (i = 0; i < 20; i++)
			if (any(2))
				add(out, ",\"property_%u\":\"%s\"", i, PICK(words));
		add(out, "}");
		if (out->length > PAGE_SIZE)
			break;
		buffer_append_char(out, ',');
	}
	buffer_append_char(out, ']');
}

/* names that never come again */
static void
make_hostile(ByteBuffer *out)
{
	buffer_append_char(out, '[');
	for (;;)
	{
		unsigned	i;

		add(out, "{\"id\":%u", any(1000000));
		for (i = 0; i < 20; i++)
			add(out, ",\"property_%u\":\"%s\"", any(1000000000), PICK(words));
		add(out, "}");
		if (out->length > PAGE_SIZE)
			break;
		buffer_append_char(out, ',');
	}
	buffer_append_char(out, ']');
}

int
main(int argc, char **argv)
{
	static const char *const fields[] = {"Id", "Name", "Email", "AnnualRevenue", "LastModifiedDate"};
	static const char *const envelope[] = {"done", "nextRecordsUrl"};
	static const char *const all[] = {
		"attributes", "Id", "Name", "Email", "Phone", "MailingCity", "Industry", "AnnualRevenue",
		"NumberOfEmployees", "IsDeleted", "HasOptedOutOfEmail", "OwnerId", "CreatedDate",
		"LastModifiedDate", "Description", "Latitude", "Rating"
	};
	static const char *const ragged[] = {"id", "property_3", "property_17"};
	JsonReaderOptions options = {
		.framing = JSON_FRAMING_PAGE,.record_path = "records",
		.fields = fields,.nfields = 5,.envelope = envelope,.nenvelope = 2
	};
	ByteBuffer		pages[PAGES] = {{0}};
	JsonReader *reader = json_reader_create(&options);
	Arena	   *arena = arena_create();
	Cell	   *columns[5];
	double		our_best[PAGES];
	double		their_best[PAGES];
	double		ours = 0;
	double		theirs = 0;
	double		ratio;
	size_t		bytes = 0;
	uint64_t	rows = 0;
	int			round;
	int			i;

	for (i = 0; i < PAGES; i++)
	{
		make_page(&pages[i]);
		bytes += pages[i].length;
	}
	for (i = 0; i < 5; i++)
		columns[i] = cells();
	for (round = 0; round < ROUNDS; round++)
	{
		rows = 0;
		for (i = 0; i < PAGES; i++)
			keep_best(&our_best[i], round, read_ours(reader, &pages[i], arena, columns, &rows));
		for (i = 0; i < PAGES && round < PEER_ROUNDS; i++)
			keep_best(&their_best[i], round, read_json_c(&pages[i]));
	}
	for (i = 0; i < PAGES; i++)
	{
		ours += our_best[i];
		theirs += their_best[i];
	}
	ratio = theirs / ours;
	printf("# %zu bytes, %llu records\n", bytes, (unsigned long long) rows);
	printf("BENCH json_read_5_of_16 %.0f %.0f %.1f %.0f %s\n", (double) bytes / ours / 1e6,
		   (double) bytes / theirs / 1e6, ratio, GOAL, ratio >= GOAL ? "ok" : "short");

	if (argc > 1)
	{
		static const char *const names[] = {"scalar", "SSE2", "AVX2"};
		ByteBuffer		other[PAGES] = {{0}};

		for (i = CODEC_ISA_SCALAR; i <= CODEC_ISA_AVX2; i++)
		{
			codec_isa_limit((CodecIsa) i);
			printf("pages, %s: %.0f MB/s\n", names[i], speed(&options, pages, PAGES));
		}
		options.fields = all;
		options.nfields = sizeof(all) / sizeof(all[0]);
		printf("pages, all fields: %.0f MB/s\n", speed(&options, pages, PAGES));
		options.framing = JSON_FRAMING_ARRAY;
		options.fields = ragged;
		options.nfields = 3;
		for (i = 0; i < PAGES; i++)
			make_ragged(&other[i]);
		printf("members left out at random: %.0f MB/s\n", speed(&options, other, PAGES));
		for (i = 0; i < PAGES; i++)
		{
			buffer_reset(&other[i]);
			make_hostile(&other[i]);
		}
		printf("names that never come again: %.0f MB/s\n", speed(&options, other, PAGES));
		for (i = 0; i < PAGES; i++)
			buffer_free(&other[i]);
		csv_speed();
	}
	for (i = 0; i < 5; i++)
		free(columns[i]);
	for (i = 0; i < PAGES; i++)
		buffer_free(&pages[i]);
	json_reader_free(reader);
	arena_free(arena);
	return 0;
}
