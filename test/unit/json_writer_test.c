/*
 * json_writer_test.c
 *	  JSON out: values of all kinds, escapes, one line a record, and that what
 *	  was written is read back the same.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "codec/json_reader.h"
#include "codec/json_writer.h"
#include "codec/text.h"
#include "tap.h"

static void
value(Cell cell, FieldType type, const char *expected)
{
	ByteBuffer		out = {0};

	json_append_cell(&out, &cell, type);
	is_bytes(out.data, out.length, expected, expected);
	buffer_free(&out);
}

static void
string(const char *text, size_t length, const char *expected)
{
	ByteBuffer		out = {0};
	char	   *copy = malloc(length ? length : 1);

	/* memory of exactly the size, so that a sanitizer sees a read past it */
	memcpy(copy, text, length);
	json_append_string(&out, copy, length);
	is_bytes(out.data, out.length, expected, expected);
	free(copy);
	buffer_free(&out);
}

static void
test_values(void)
{
	value(cell_null(), FIELD_STRING, "null");
	value(cell_text(CELL_NUMBER, "1.50e3", 6), FIELD_DECIMAL, "1.50e3");
	value(cell_integer(CELL_BOOLEAN, 1), FIELD_BOOLEAN, "true");
	value(cell_integer(CELL_BOOLEAN, 0), FIELD_BOOLEAN, "false");
	value(cell_integer(CELL_INTEGER, INT64_MIN), FIELD_LONG, "-9223372036854775808");
	value(cell_double(1.5), FIELD_DOUBLE, "1.5");
	value(cell_double(1e300), FIELD_DOUBLE, "1e+300");
	value(cell_double(NAN), FIELD_DOUBLE, "\"NaN\"");
	value(cell_double(-INFINITY), FIELD_DOUBLE, "\"-Infinity\"");
	value(cell_integer(CELL_DATE, 0), FIELD_DATE, "\"1970-01-01\"");
	value(cell_integer(CELL_TIMESTAMP, 1), FIELD_DATETIME, "\"1970-01-01T00:00:00.000001Z\"");
	value(cell_integer(CELL_TIMESTAMP, 1), FIELD_TIMESTAMP, "\"1970-01-01T00:00:00.000001\"");
	value(cell_text(CELL_JSON, "{\"a\":[1, 2]}", 12), FIELD_JSON, "{\"a\":[1, 2]}");
	value(cell_text(CELL_JSON, "[1,\r\n2,\n\"\\n\"]", 13), FIELD_JSON, "[1,  2, \"\\n\"]");

	string("", 0, "\"\"");
	string("plain", 5, "\"plain\"");
	string("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
	string("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
	string("\x00\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
	string("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
	string("0123456789abcde\"0123456789abcdef\n", 33, "\"0123456789abcde\\\"0123456789abcdef\\n\"");
}

static void
test_records(void)
{
	static const char *const names[] = {"a", "b \"\n", "c"};
	static const FieldType types[] = {FIELD_STRING, FIELD_LONG, FIELD_DATETIME};
	Cell		a[2];
	Cell		b[2];
	Cell		c[2];
	const Cell *columns[] = {a, b, c};
	ByteBuffer		out = {0};
	JsonWriter *writer = json_writer_create(names, types, 3);
	JsonWriter *empty = json_writer_create(NULL, NULL, 0);

	a[0] = cell_text(CELL_STRING, "x", 1);
	b[0] = cell_integer(CELL_INTEGER, 5);
	c[0] = cell_null();
	a[1] = cell_null();
	b[1] = cell_null();
	c[1] = cell_integer(CELL_TIMESTAMP, 0);
	json_writer_record(writer, &out, columns, 0);
	json_writer_record(writer, &out, columns, 1);
	json_writer_record(empty, &out, columns, 0);
	is_bytes(out.data, out.length,
			 "{\"a\":\"x\",\"b \\\"\\n\":5,\"c\":null}\n"
			 "{\"a\":null,\"b \\\"\\n\":null,\"c\":\"1970-01-01T00:00:00Z\"}\n{}\n", "records");
	json_writer_free(writer);
	json_writer_free(empty);
	json_writer_free(NULL);
	buffer_free(&out);
}

/* random strings through writer and reader */
static void
test_round_trip(void)
{
	static const char *const names[] = {"k\"\\\n", "\xe2\x82\xac"};
	static const FieldType types[] = {FIELD_STRING, FIELD_STRING};
	JsonReaderOptions options = {.framing = JSON_FRAMING_LINES,.fields = names,.nfields = 2};
	JsonWriter *writer = json_writer_create(names, types, 2);
	JsonReader *reader = json_reader_create(&options);
	Arena	   *arena = arena_create();
	ByteBuffer		out = {0};
	int			bad = 0;
	int			round;

	for (round = 0; round < 20000; round++)
	{
		static const char *const parts[] = {"\"", "\\", "\x01", "\n", "/", "\xc3\xa9", "\xf0\x9f\x98\x80", "a", "bcdefgh", "u0041", "0123456789012345"};
		char		text[2][600];
		size_t		lengths[2] = {0, 0};
		Cell		cells[2];
		Cell		read[2];
		const Cell *columns[2] = {&cells[0], &cells[1]};
		Cell	   *read_columns[2] = {&read[0], &read[1]};
		JsonReadResult result;
		int			i;

		for (i = 0; i < 2; i++)
		{
			int			n = rand() % 30;

			while (n-- > 0)
			{
				const char *part = parts[rand() % 11];

				memcpy(text[i] + lengths[i], part, strlen(part));
				lengths[i] += strlen(part);
			}
			cells[i] = cell_text(CELL_STRING, text[i], (uint32_t) lengths[i]);
		}
		buffer_reset(&out);
		json_writer_record(writer, &out, columns, 0);
		json_reader_restart(reader);
		arena_reset(arena);
		if (json_reader_read(reader, out.data, out.length, true, arena, read_columns, NULL, 1, &result) != JSON_FULL ||
			result.rows != 1 || result.consumed != out.length - 1)
		{
			bad++;
			continue;
		}
		for (i = 0; i < 2; i++)
			if (read[i].kind != CELL_STRING || read[i].length != lengths[i] ||
				memcmp(read[i].data, text[i], lengths[i]) != 0)
				bad++;
	}
	is_int(bad, 0, "20,000 random records come back the same");
	json_writer_free(writer);
	json_reader_free(reader);
	arena_free(arena);
	buffer_free(&out);
}

int
main(void)
{
	srand(20260104);
	test_values();
	test_records();
	test_round_trip();
	return done_testing();
}
