/*-------------------------------------------------------------------------
 *
 * parquet_make.c
 *	  Makes Parquet files, and beside each what must be read from it.
 *
 *		parquet_make DIRECTORY
 *
 * For every case: <case>.parquet, <case>.json (columns, options) and
 * <case>.jsonl, one array of texts or nulls a row:
 *
 *	  booleans true or false, integers, days and microseconds as integers,
 *	  floating-point numbers as the hexadecimal digits of their bits, decimals
 *	  with all digits of their scale, bytes in hexadecimal, other text as it is.
 *
 * The expected text is made from the value before its cell is, never from
 * what the writer made of it.
 *
 * IDENTIFICATION
 *	  test/unit/parquet_make.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1024

typedef struct Case Case;

/* fills *cell for a row, and returns the expected text (NULL: null) */
typedef const char *(*MakeCell) (const Case *c, size_t column, uint64_t row, Cell *cell);

struct Case
{
	const char *name;
	const ParquetColumn *columns;
	size_t		ncolumns;
	uint64_t	rows;
	MakeCell	make;
	ParquetCompression compression;
	size_t		row_group_bytes;
	uint32_t	row_group_rows;
	uint32_t	flush_every;	/* batches; 0: never */
	bool		shuffled;		/* rows picked by a selection vector */
	int			nulls;			/* of a hundred */
};

static uint64_t random_state;

static uint64_t
random_next(void)
{
	uint64_t	z = (random_state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static uint32_t
random_below(uint32_t n)
{
	return (uint32_t) (random_next() % n);
}

/* memory of one batch */
static char *pool;
static size_t pool_used;
static size_t pool_size;

static char *
take(size_t n)
{
	char	   *p;

	if (pool_used + n > pool_size)
	{
		fprintf(stderr, "batch needs more than %zu bytes\n", pool_size);
		exit(1);
	}
	p = pool + pool_used;
	pool_used += n;
	return p;
}

static const char *
text_of(const char *format,...)
{
	char		text[256];
	va_list		ap;
	int			n;
	char	   *copy;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	copy = take((size_t) n + 1);
	memcpy(copy, text, (size_t) n + 1);
	return copy;
}

static void
set_text(Cell *cell, CellKind kind, const char *text)
{
	*cell = cell_text(kind, text, (uint32_t) strlen(text));
}

/* a decimal with the given number of digits as scaled text, and some other spelling of it */
static const char *
make_decimal(int precision, int scale, Cell *cell)
{
	char		digits[64];
	char	   *expected = take(80);
	char	   *spelling = take(120);
	int			n = random_below(4) == 0 ? precision : (int) random_below((uint32_t) precision) + 1;
	bool		negative = random_below(2);
	bool		zero = true;
	int			i;
	size_t		at = 0;

	memset(digits, '0', sizeof(digits));
	for (i = precision - n; i < precision; i++)
		digits[i] = (char) ('0' + (random_below(3) == 0 ? 9 : random_below(10)));
	if (random_below(20) == 0)
		memset(digits, '0', sizeof(digits));
	if (n == precision && random_below(2))
		memset(digits, '9', (size_t) precision);
	for (i = 0; i < precision; i++)
		zero = zero && digits[i] == '0';
	if (negative && !zero)
		expected[at++] = '-';
	for (i = 0; i < precision - scale - 1 && digits[i] == '0'; i++)
		;
	if (precision == scale)
		expected[at++] = '0';
	for (; i < precision; i++)
	{
		if (i == precision - scale)
			expected[at++] = '.';
		expected[at++] = digits[i];
	}
	expected[at] = '\0';

	switch (random_below(4))
	{
		case 0:
			strcpy(spelling, expected);
			break;
		case 1:
			/* more zeros behind, which say nothing */
			sprintf(spelling, "%s%s000", expected, scale == 0 ? "." : "");
			break;
		case 2:
			{
				/* all digits before an exponent */
				int			first = 0;

				while (first < precision - 1 && digits[first] == '0')
					first++;
				sprintf(spelling, "%s%.*sE-%d", negative ? "-" : "", precision - first,
						digits + first, scale);
				break;
			}
		default:
			/* all digits behind it */
			sprintf(spelling, "%s0.%.*se+%d", negative ? "-" : "", precision, digits,
					precision - scale);
			break;
	}
	set_text(cell, CELL_NUMBER, spelling);
	return expected;
}

static const char *
make_base64(Cell *cell)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t	n = random_below(9) == 0 ? 0 : random_below(40);
	unsigned char bytes[44] = {0};
	char	   *hex = take(n * 2 + 1);
	char	   *text = take(80);
	uint32_t	i;
	size_t		at = 0;

	hex[0] = '\0';
	for (i = 0; i < n; i++)
	{
		bytes[i] = (unsigned char) random_below(256);
		sprintf(hex + i * 2, "%02x", bytes[i]);
	}
	for (i = 0; i < n; i += 3)
	{
		uint32_t	v = (uint32_t) bytes[i] << 16 | (uint32_t) bytes[i + 1] << 8 | bytes[i + 2];

		text[at++] = letters[v >> 18];
		text[at++] = letters[v >> 12 & 63];
		text[at++] = i + 1 < n ? letters[v >> 6 & 63] : '=';
		text[at++] = i + 2 < n ? letters[v & 63] : '=';
		if (i == 18)
			text[at++] = '\n';
	}
	*cell = cell_text(CELL_STRING, text, (uint32_t) at);
	return hex;
}

static const char *const strings[] = {
	"", "a", "ab", "abc", "abcd", "abcde", "abcdefg", "abcdefgh", "abcdefghi",
	"München", "naïve", "日本語", "😀", "line\nbreak", "tab\tquote\"back\\slash",
	"\x01", "\x7f", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "NULL", "null",
	"\xef\xbb\xbf" "bom", "\xf4\x8f\xbf\xbf"
};

static const double doubles[] = {
	0.0, -0.0, 1.5, -1.5, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308,
	3.141592653589793, INFINITY, -INFINITY, NAN
};

static const float floats[] = {
	0.0f, -0.0f, 1.5f, -1.5f, 1e-45f, 3.4028234663852886e38f, -3.4028234663852886e38f,
	0.1f, INFINITY, -INFINITY, NAN
};

static const int64_t longs[] = {
	0, 1, -1, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, INT64_C(1) << 53, (INT64_C(1) << 53) + 1
};

static const char *
expected_double(double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return isnan(value) ? "nan" : text_of("%016" PRIx64, bits);
}

static const char *
expected_float(float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return isnan(value) ? "nan" : text_of("%08" PRIx32, bits);
}

#define PICK(array) (array[random_below(sizeof(array) / sizeof(array[0]))])

/* any value of the column's type, the extreme ones often */
static const char *
make_any(const Case *c, size_t column, uint64_t row, Cell *cell)
{
	const ParquetColumn *definition = &c->columns[column];
	bool		extreme = random_below(3) == 0;
	const char *text;
	int64_t		integer;

	if ((int) random_below(100) < c->nulls)
	{
		*cell = cell_null();
		return NULL;
	}
	switch (definition->type)
	{
		case FIELD_STRING:
			text = extreme ? PICK(strings) : text_of("value %u", random_below(100000));
			set_text(cell, CELL_STRING, text);
			return text;
		case FIELD_TIME:
			text = text_of("%02u:%02u:%02u", random_below(24), random_below(60), random_below(60));
			set_text(cell, CELL_STRING, text);
			return text;
		case FIELD_UUID:
			text = text_of("%08x-0000-4000-8000-%012" PRIx64, random_below(UINT32_MAX),
						   random_next() >> 16);
			set_text(cell, CELL_STRING, text);
			return text;
		case FIELD_JSON:
			switch (random_below(5))
			{
				case 0:
					*cell = cell_integer(CELL_BOOLEAN, random_below(2));
					return cell->integer ? "true" : "false";
				case 1:
					text = text_of("%u.5e3", random_below(1000));
					set_text(cell, CELL_NUMBER, text);
					return text;
				case 2:
					set_text(cell, CELL_STRING, "say \"ü\\\x02\n");
					return "\"say \\\"ü\\\\\\u0002\\n\"";
				case 3:
					set_text(cell, CELL_STRING, "");
					return "\"\"";
				default:
					text = text_of("{\"a\":[%u,null,\"x\"]}", random_below(1000));
					set_text(cell, CELL_JSON, text);
					return text;
			}
		case FIELD_BINARY:
			return make_base64(cell);
		case FIELD_BOOLEAN:
			*cell = cell_integer(CELL_BOOLEAN, random_below(2));
			return cell->integer ? "true" : "false";
		case FIELD_INTEGER:
			integer = extreme ? (random_below(2) ? INT32_MAX : INT32_MIN) :
				(int64_t) random_below(2000) - 1000;
			*cell = cell_integer(CELL_INTEGER, integer);
			return text_of("%" PRId64, integer);
		case FIELD_LONG:
			integer = extreme ? PICK(longs) : (int64_t) random_next();
			*cell = cell_integer(CELL_INTEGER, integer);
			return text_of("%" PRId64, integer);
		case FIELD_FLOAT:
			{
				float		value = extreme ? PICK(floats) : (float) random_below(1000000) / 8.0f;

				*cell = cell_double((double) value);
				return expected_float(value);
			}
		case FIELD_DOUBLE:
			*cell = cell_double(extreme ? PICK(doubles) : (double) random_next() / 3e9);
			return expected_double(cell->real);
		case FIELD_DECIMAL:
			if (definition->precision == 0)
			{
				text = text_of("%u.%ue%u", random_below(100) + 1, random_below(100), random_below(300));
				set_text(cell, CELL_NUMBER, text);
				return text;
			}
			return make_decimal(definition->precision, definition->scale, cell);
		case FIELD_DATE:
			integer = extreme ? (random_below(2) ? -719162 : 2932896) :	/* 0001-01-01, 9999-12-31 */
				(int64_t) random_below(30000) - 5000;
			*cell = cell_integer(CELL_DATE, integer);
			return text_of("%" PRId64, integer);
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			integer = extreme ? (random_below(2) ? -719162 * INT64_C(86400000000) :
								 INT64_C(2932897) * 86400000000 - 1) :
				(int64_t) (random_next() % UINT64_C(4000000000000000)) - INT64_C(1000000000000000);
			*cell = cell_integer(CELL_TIMESTAMP, integer);
			return text_of("%" PRId64, integer);
	}
	abort();
}

static const char *
make_all_null(const Case *c, size_t column, uint64_t row, Cell *cell)
{
	/* one column has a single value, in the middle of the second page */
	if (column == 0 && row == 30000)
	{
		set_text(cell, CELL_STRING, "here");
		return "here";
	}
	*cell = cell_null();
	return NULL;
}

/* strings, longs, doubles and integers whose repetition changes on the way */
static const char *
make_fallback(const Case *c, size_t column, uint64_t row, Cell *cell)
{
	/* few values for 45,000 rows (two full pages and a part), then only new ones */
	uint64_t	value = row < 45000 ? (row * 7919) % 50 : row;
	const char *text;

	switch (c->columns[column].type)
	{
		case FIELD_STRING:
			if (column == 4)
			{
				/* few but large: the dictionary's size ends it */
				text = text_of("%0200" PRIu64, row < 2000 ? row % 10 : random_next() % 6000);
				set_text(cell, CELL_STRING, text);
				return text;
			}
			text = text_of("value number %" PRIu64, value);
			set_text(cell, CELL_STRING, text);
			return text;
		case FIELD_LONG:
			*cell = cell_integer(CELL_INTEGER, (int64_t) (value * UINT64_C(1000000007)));
			return text_of("%" PRId64, cell->integer);
		case FIELD_INTEGER:
			*cell = cell_integer(CELL_INTEGER, (int64_t) value - 30000);
			return text_of("%" PRId64, cell->integer);
		default:
			*cell = cell_double((double) value / 7);
			return expected_double(cell->real);
	}
}

/* runs of values and of nulls of all lengths around the borders of the encodings */
static const char *
make_runs(const Case *c, size_t column, uint64_t row, Cell *cell)
{
	static uint64_t left[8];
	static uint64_t value[8];
	const char *text;

	if (row == 0)
		left[column] = 0;
	if (left[column] == 0)
	{
		left[column] = 1 + (random_below(3) == 0 ? random_below(300) : random_below(20));
		value[column] = random_below(column < 2 ? 2 : 300);
	}
	left[column]--;
	if (column % 2 == 1 && value[column] % 2 == 1)
	{
		*cell = cell_null();
		return NULL;
	}
	text = text_of("v%" PRIu64, value[column]);
	set_text(cell, CELL_STRING, text);
	return text;
}

/* values longer than a page, and long common beginnings */
static const char *
make_long(const Case *c, size_t column, uint64_t row, Cell *cell)
{
	size_t		n;
	char	   *text;

	if (row % 7 == 3)
	{
		*cell = cell_null();
		return NULL;
	}
	switch (column)
	{
		case 0:					/* up to 3 MB */
			n = row % 11 == 0 ? 3000000 : 500 + random_below(1000);
			text = take(n + 1);
			memset(text, 'a' + (int) (row % 26), n);
			break;
		case 1:					/* only the highest character: no upper bound exists */
			n = 80;
			text = take(n + 1);
			for (size_t i = 0; i < n; i += 4)
				memcpy(text + i, "\xf4\x8f\xbf\xbf", 4);
			break;
		case 2:					/* the cut falls into a character */
			n = 63 + 30;
			text = take(n + 1);
			memset(text, 'm', 63);
			for (size_t i = 63; i < n; i += 3)
				memcpy(text + i, row % 2 ? "\xed\x9f\xbf" : "\xe2\x82\xac", 3);
			break;
		case 3:					/* the last character before the cut has no successor of its length */
			n = 100;
			text = take(n + 1);
			memset(text, 'k', n);
			memcpy(text + 62, "\xdf\xbf", 2);
			text[70] = (char) ('a' + row % 5);
			break;
		default:				/* exactly at the limit, and one more */
			n = 64 + row % 2;
			text = take(n + 1);
			memset(text, 'x', n);
			break;
	}
	text[n] = '\0';
	*cell = cell_text(CELL_STRING, text, (uint32_t) n);
	return text;
}

/* base64 of many bytes 0xff: bounds of bytes, and none above */
static const char *
make_bytes(const Case *c, size_t column, uint64_t row, Cell *cell)
{
	size_t		quanta = 30;
	char	   *text = take(quanta * 4);
	char	   *hex = take(quanta * 6 + 1);

	memset(text, '/', quanta * 4);
	memset(hex, 'f', quanta * 6);
	hex[quanta * 6] = '\0';
	if (column == 1)
	{
		/* 00 00 01 in front */
		memcpy(text, "AAAB", 4);
		memcpy(hex, "000001", 6);
	}
	*cell = cell_text(CELL_STRING, text, (uint32_t) quanta * 4);
	return hex;
}

static void
append_json(ByteBuffer *out, const char *text)
{
	buffer_append_char(out, '"');
	for (; *text; text++)
	{
		char		escape[8];

		if (*text == '"' || *text == '\\' || (unsigned char) *text < 0x20)
		{
			snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char) *text);
			buffer_append_string(out, escape);
		}
		else
			buffer_append_char(out, *text);
	}
	buffer_append_char(out, '"');
}

static FILE *
open_file(const char *directory, const char *name, const char *suffix)
{
	char		path[1024];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s.%s", directory, name, suffix);
	file = fopen(path, "wb");
	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	return file;
}

static void
drain(ByteBuffer *out, FILE *file)
{
	if (out->length > 0 && fwrite(out->data, 1, out->length, file) != out->length)
	{
		perror("write");
		exit(1);
	}
	buffer_reset(out);
}

static void
check(bool good, const ParquetWriter *writer, const Case *c)
{
	if (good)
		return;
	fprintf(stderr, "%s: row %d, column %d: %s\n", c->name,
			(int) parquet_writer_error(writer)->line, (int) parquet_writer_error(writer)->column,
			parquet_writer_error(writer)->message);
	exit(1);
}

static void
make_case(const char *directory, const Case *c)
{
	static const char *const compressions[] = {"UNCOMPRESSED", "SNAPPY", "ZSTD"};
	static const char *const types[] = {
		"string", "boolean", "integer", "long", "float", "double", "decimal", "date",
		"datetime", "timestamp", "time", "uuid", "binary", "json"
	};
	FILE	   *parquet = open_file(directory, c->name, "parquet");
	FILE	   *json = open_file(directory, c->name, "json");
	FILE	   *jsonl = open_file(directory, c->name, "jsonl");
	ParquetWriterOptions options = {
		.compression = c->compression,
		.row_group_bytes = c->row_group_bytes,
		.row_group_rows = c->row_group_rows
	};
	ParquetWriter *writer = parquet_writer_create(c->columns, c->ncolumns, &options);
	ByteBuffer		text = {0};
	Cell	   *cells = malloc(c->ncolumns * BATCH * sizeof(Cell));
	const char **expected = malloc(c->ncolumns * BATCH * sizeof(char *));
	const Cell **columns = malloc(c->ncolumns * sizeof(Cell *));
	uint32_t	selection[BATCH];
	uint64_t	row;
	uint32_t	batches = 0;
	size_t		i;

	random_state = 42;
	buffer_append_string(&text, "{\"name\":");
	append_json(&text, c->name);
	buffer_append_string(&text, ",\"compression\":");
	append_json(&text, compressions[c->compression]);
	buffer_append_string(&text, ",\"columns\":[");
	for (i = 0; i < c->ncolumns; i++)
	{
		char		numbers[64];

		buffer_append_string(&text, i ? ",{\"name\":" : "{\"name\":");
		append_json(&text, c->columns[i].name);
		buffer_append_string(&text, ",\"type\":");
		append_json(&text, types[c->columns[i].type]);
		snprintf(numbers, sizeof(numbers), ",\"precision\":%d,\"scale\":%d}",
				 c->columns[i].precision, c->columns[i].scale);
		buffer_append_string(&text, numbers);
	}
	buffer_append_string(&text, "]}\n");
	drain(&text, json);

	for (row = 0; row < c->rows;)
	{
		uint32_t	n = c->rows - row < BATCH ? (uint32_t) (c->rows - row) : BATCH;
		uint32_t	r;

		pool_used = 0;
		for (r = 0; r < n; r++)
		{
			/* 7 and the number of rows have to be prime to each other */
			selection[r] = c->shuffled ? (r * 7 + 3) % n : r;
			for (i = 0; i < c->ncolumns; i++)
			{
				uint32_t	at = selection[r];

				expected[i * BATCH + r] = c->make(c, i, row + r, &cells[i * BATCH + at]);
			}
		}
		for (r = 0; r < n; r++)
		{
			buffer_append_char(&text, '[');
			for (i = 0; i < c->ncolumns; i++)
			{
				if (i > 0)
					buffer_append_char(&text, ',');
				if (expected[i * BATCH + r] == NULL)
					buffer_append_string(&text, "null");
				else
					append_json(&text, expected[i * BATCH + r]);
			}
			buffer_append_string(&text, "]\n");
		}
		drain(&text, jsonl);
		for (i = 0; i < c->ncolumns; i++)
			columns[i] = cells + i * BATCH;
		check(parquet_writer_put(writer, columns, c->shuffled ? selection : NULL, n), writer, c);
		row += n;
		if (c->flush_every > 0 && ++batches % c->flush_every == 0)
			check(parquet_writer_flush(writer), writer, c);
		drain(parquet_writer_output(writer), parquet);
	}
	check(parquet_writer_finish(writer), writer, c);
	drain(parquet_writer_output(writer), parquet);
	parquet_writer_free(writer);
	buffer_free(&text);
	free(cells);
	free(expected);
	free(columns);
	if (fclose(parquet) != 0 || fclose(json) != 0 || fclose(jsonl) != 0)
	{
		perror("close");
		exit(1);
	}
}

static const ParquetColumn all_types[] = {
	{"string", FIELD_STRING, 0, 0},
	{"boolean", FIELD_BOOLEAN, 0, 0},
	{"integer", FIELD_INTEGER, 0, 0},
	{"long", FIELD_LONG, 0, 0},
	{"float", FIELD_FLOAT, 0, 0},
	{"double", FIELD_DOUBLE, 0, 0},
	{"decimal 5.2", FIELD_DECIMAL, 5, 2},
	{"decimal 9.9", FIELD_DECIMAL, 9, 9},
	{"decimal 18.4", FIELD_DECIMAL, 18, 4},
	{"decimal 19.0", FIELD_DECIMAL, 19, 0},
	{"decimal 38.10", FIELD_DECIMAL, 38, 10},
	{"decimal any", FIELD_DECIMAL, 0, 0},
	{"date", FIELD_DATE, 0, 0},
	{"datetime", FIELD_DATETIME, 0, 0},
	{"timestamp", FIELD_TIMESTAMP, 0, 0},
	{"time", FIELD_TIME, 0, 0},
	{"uuid", FIELD_UUID, 0, 0},
	{"binary", FIELD_BINARY, 0, 0},
	{"json", FIELD_JSON, 0, 0}
};

static const ParquetColumn fallback_columns[] = {
	{"string", FIELD_STRING, 0, 0},
	{"long", FIELD_LONG, 0, 0},
	{"integer", FIELD_INTEGER, 0, 0},
	{"double", FIELD_DOUBLE, 0, 0},
	{"large", FIELD_STRING, 0, 0}
};

static const ParquetColumn odd_names[] = {
	{"", FIELD_STRING, 0, 0},
	{"Größe", FIELD_INTEGER, 0, 0},
	{"日本語の列", FIELD_STRING, 0, 0},
	{"with \"quotes\" and 'more'", FIELD_DOUBLE, 0, 0},
	{"a.b.c", FIELD_LONG, 0, 0},
	{"😀", FIELD_DATE, 0, 0},
	{"new\nline", FIELD_BOOLEAN, 0, 0}
};

static const ParquetColumn five_strings[] = {
	{"one", FIELD_STRING, 0, 0},
	{"two", FIELD_STRING, 0, 0},
	{"three", FIELD_STRING, 0, 0},
	{"four", FIELD_STRING, 0, 0},
	{"five", FIELD_STRING, 0, 0}
};

static const ParquetColumn two_binaries[] = {
	{"ff", FIELD_BINARY, 0, 0},
	{"one ff", FIELD_BINARY, 0, 0}
};

#define COLUMNS(array) .columns = array, .ncolumns = sizeof(array) / sizeof(array[0])

int
main(int argc, char **argv)
{
	static ParquetColumn many[400];
	static char many_names[400][16];
	const Case	cases[] = {
		{.name = "types_plain", COLUMNS(all_types),.rows = 3000,.make = make_any,.nulls = 30,.compression = PARQUET_UNCOMPRESSED},
		{.name = "types_snappy", COLUMNS(all_types),.rows = 3000,.make = make_any,.nulls = 30,.compression = PARQUET_SNAPPY},
		{.name = "types_zstd", COLUMNS(all_types),.rows = 3000,.make = make_any,.nulls = 30,.compression = PARQUET_ZSTD},
		{.name = "no_nulls", COLUMNS(all_types),.rows = 3000,.make = make_any,.compression = PARQUET_SNAPPY},
		{.name = "few_nulls", COLUMNS(all_types),.rows = 3000,.make = make_any,.nulls = 1,.compression = PARQUET_SNAPPY},
		{.name = "all_null", COLUMNS(all_types),.rows = 50000,.make = make_all_null,.compression = PARQUET_SNAPPY},
		{.name = "empty", COLUMNS(all_types),.rows = 0,.make = make_any,.compression = PARQUET_SNAPPY},
		{.name = "one_row", COLUMNS(all_types),.rows = 1,.make = make_any,.compression = PARQUET_UNCOMPRESSED},
		{.name = "row_groups", COLUMNS(all_types),.rows = 5500,.make = make_any,.nulls = 10,.row_group_rows = 700,.compression = PARQUET_ZSTD},
		{.name = "row_group_bytes", COLUMNS(all_types),.rows = 12000,.make = make_any,.nulls = 10,.row_group_bytes = 200000,.compression = PARQUET_SNAPPY},
		{.name = "flushed", COLUMNS(all_types),.rows = 5000,.make = make_any,.nulls = 10,.flush_every = 2,.compression = PARQUET_SNAPPY},
		{.name = "pages", COLUMNS(all_types),.rows = 25000,.make = make_any,.nulls = 5,.row_group_bytes = (size_t) 1 << 30,.compression = PARQUET_SNAPPY},
		{.name = "selected", COLUMNS(all_types),.rows = 3 * BATCH,.make = make_any,.nulls = 20,.shuffled = true,.compression = PARQUET_SNAPPY},
		{.name = "fallback", COLUMNS(fallback_columns),.rows = 100000,.make = make_fallback,.row_group_bytes = (size_t) 1 << 30,.compression = PARQUET_SNAPPY},
		{.name = "runs", COLUMNS(five_strings),.rows = 45000,.make = make_runs,.compression = PARQUET_UNCOMPRESSED},
		{.name = "long", COLUMNS(five_strings),.rows = 60,.make = make_long,.compression = PARQUET_SNAPPY},
		{.name = "bytes", COLUMNS(two_binaries),.rows = 20,.make = make_bytes,.compression = PARQUET_ZSTD},
		{.name = "names", COLUMNS(odd_names),.rows = 100,.make = make_any,.nulls = 10,.compression = PARQUET_SNAPPY},
		{.name = "wide", COLUMNS(many),.rows = 50,.make = make_any,.nulls = 10,.row_group_rows = 20,.compression = PARQUET_SNAPPY}
	};
	size_t		i;

	if (argc != 2)
	{
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	for (i = 0; i < 400; i++)
	{
		many[i] = all_types[i % (sizeof(all_types) / sizeof(all_types[0]))];
		snprintf(many_names[i], sizeof(many_names[i]), "column %d", (int) i);
		many[i].name = many_names[i];
	}
	pool_size = (size_t) 64 << 20;
	pool = malloc(pool_size);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		make_case(argv[1], &cases[i]);
		puts(cases[i].name);
	}
	free(pool);
	return 0;
}
