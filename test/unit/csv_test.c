/*
 * csv_test.c
 *	  CSV in and out: what is read, what is refused and where, that the
 *	  cutting of the input does not matter, and that what was written comes
 *	  back the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "codec/buffer.h"
#include "codec/csv_reader.h"
#include "codec/csv_writer.h"
#include "codec/isa.h"
#include "tap.h"

#define ROWS 3
#define FIELDS_MAX 200

typedef struct Case
{
	const char *text;
	size_t		length;			/* 0: strlen(text) */
	char		delimiter;
	int			skip;			/* a field not to be read, or -1 */
	bool		returns;		/* a CR alone is text */
} Case;

static void
print(ByteBuffer *out, const char *format, ...)
{
	char		line[512];
	va_list		args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	buffer_append_string(out, line);
}

/* all that is read, with the data in pieces of memory of exactly their size */
static char *
run(CsvReader *given, const Case *c, const size_t *cuts, size_t ncuts)
{
	CsvReader  *reader = given ? given : csv_reader_create(c->delimiter);
	Arena	   *arena = arena_create();
	ByteBuffer		out = {0};
	Cell	   *columns[FIELDS_MAX];
	uint64_t	lines[ROWS];
	size_t		length = c->length ? c->length : strlen(c->text);
	size_t		start = 0;
	size_t		cut = 0;
	size_t		i;

	if (c->returns)
		csv_reader_keep_returns(reader);
	for (i = 0; i < FIELDS_MAX; i++)
		columns[i] = malloc(ROWS * sizeof(Cell));
	for (;;)
	{
		size_t		stop = cut < ncuts ? cuts[cut] : length;
		size_t		size = stop - start;
		char	   *piece = malloc(size ? size : 1);
		bool		final = stop == length && cut >= ncuts;
		CsvReadResult result;
		CsvStatus	status;
		uint32_t	row;

		memcpy(piece, c->text + start, size);
		status = csv_reader_read(reader, piece, size, final, arena, columns, lines, ROWS, &result);
		start += result.consumed;
		if (status == CSV_HEADER)
		{
			int32_t		column_of_field[FIELDS_MAX];

			for (i = 0; i < csv_reader_nfields(reader); i++)
			{
				print(&out, "[%s]", csv_reader_field(reader, i));
				column_of_field[i] = (int) i == c->skip ? -1 : (int32_t) i;
			}
			buffer_append_char(&out, '\n');
			csv_reader_bind(reader, column_of_field);
		}
		for (row = 0; row < result.rows; row++)
		{
			print(&out, "%llu:", (unsigned long long) lines[row]);
			for (i = 0; i < csv_reader_nfields(reader); i++)
			{
				const Cell *cell = &columns[i][row];

				if ((int) i == c->skip)
					continue;
				if (cell->kind == CELL_NULL)
					buffer_append_string(&out, " -");
				else
				{
					buffer_append_string(&out, " (");
					buffer_append(&out, cell->data, cell->length);
					buffer_append_char(&out, ')');
				}
			}
			buffer_append_char(&out, '\n');
		}
		arena_reset(arena);
		free(piece);
		if (status == CSV_ERROR)
		{
			const CodecError *e = csv_reader_error(reader);

			print(&out, "error at %llu, line %llu, column %llu: %s\n",
				  (unsigned long long) e->offset, (unsigned long long) e->line,
				  (unsigned long long) e->column, e->message);
			break;
		}
		if (status == CSV_MORE)
		{
			if (final)
			{
				if (start != length)
					print(&out, "stopped at %zu\n", start);
				break;
			}
			if (cut < ncuts)
				cut++;
		}
	}
	for (i = 0; i < FIELDS_MAX; i++)
		free(columns[i]);
	arena_free(arena);
	if (given == NULL)
		csv_reader_free(reader);
	buffer_append_char(&out, '\0');
	return out.data;
}

/* see that every cut in two, single bytes and random cuts give the same */
static void
check(const char *name, const Case *c, const char *expected)
{
	size_t		length = c->length ? c->length : strlen(c->text);
	size_t	   *cuts = malloc((length + 1) * sizeof(size_t));
	char	   *whole = run(NULL, c, NULL, 0);
	bool		same = strcmp(whole, expected) == 0;
	int			isa;

	if (!same)
		printf("#      got: %s\n# expected: %s\n", whole, expected);
	for (isa = CODEC_ISA_SCALAR; isa <= CODEC_ISA_AVX2 && same; isa++)
	{
		CsvReader  *reader;
		int			round;
		size_t		i;

		codec_isa_limit((CodecIsa) isa);
		reader = csv_reader_create(c->delimiter);
		for (round = -2; round < (int) length + 30 && same; round++)
		{
			size_t		ncuts = 0;
			char	   *other;

			if (round >= 0 && round <= (int) length)
				cuts[ncuts++] = (size_t) round;
			else if (round >= 0)
				for (i = 0; i <= length; i++)
					if (round == (int) length + 1 || rand() % (2 + round % 7) == 0)
						cuts[ncuts++] = i;
			other = run(reader, c, cuts, ncuts);
			if (strcmp(other, whole) != 0)
			{
				printf("# instruction set %d, round %d (%zu cuts): %s\n", isa, round, ncuts, other);
				same = false;
			}
			free(other);
			csv_reader_restart(reader);
		}
		csv_reader_free(reader);
	}
	codec_isa_limit(CODEC_ISA_AVX2);
	free(cuts);
	free(whole);
	ok(same, "%s", name);
}

static void
simple(const char *name, const char *text, const char *expected)
{
	Case		c = {.text = text,.delimiter = ',',.skip = -1};

	check(name, &c, expected);
}

static void
test_reading(void)
{
	simple("nothing", "", "");
	simple("a header", "a,b", "[a][b]\n");
	simple("a header and its line end", "a,b\n", "[a][b]\n");
	simple("rows", "a,b\n1,2\n3,4\n5,6\n7,8", "[a][b]\n2: (1) (2)\n3: (3) (4)\n4: (5) (6)\n5: (7) (8)\n");
	simple("rows, CRLF", "a,b\r\n1,2\r\n3,4\r\n", "[a][b]\n2: (1) (2)\n3: (3) (4)\n");
	simple("rows, CR", "a,b\r1,2\r3,4\r", "[a][b]\n2: (1) (2)\n3: (3) (4)\n");
	simple("byte order mark", "\xef\xbb\xbf" "a,b\n1,2\n", "[a][b]\n2: (1) (2)\n");
	simple("byte order mark before a quote", "\xef\xbb\xbf\"a\",b\n1,2\n", "[a][b]\n2: (1) (2)\n");
	simple("empty and null", "a,b,c\n,\"\",\n\"\",,\"\"\n", "[a][b][c]\n2: - () -\n3: () - ()\n");
	simple("quotes", "\"a\",\"b\"\"c\"\n\"x,y\",\"1\"\"2\"\"\"\n\"\"\"\",\"\n\"\n", "[a][b\"c]\n2: (x,y) (1\"2\")\n3: (\") (\n)\n");
	simple("line ends in quotes", "a,b\n\"1\n2\r\n3\r4\",x\n5,6\n\"\r\",\"\n\"\r\n7,8", "[a][b]\n2: (1\n2\r\n3\r4) (x)\n6: (5) (6)\n7: (\r) (\n)\n10: (7) (8)\n");
	simple("empty lines", "a,b\n\n1,2\r\n\r\n\n3,4\n\n", "[a][b]\n3: (1) (2)\n6: (3) (4)\n");
	simple("empty lines of one column are nulls", "a\n\n1\n\n\"\"\n", "[a]\n2: -\n3: (1)\n4: -\n5: ()\n");
	simple("blanks are kept", " a , b\n 1 ,\t2\n", "[ a ][ b]\n2: ( 1 ) (\t2)\n");
	simple("UTF-8", "a,\xc3\xa9\n\xe2\x82\xac,\"\xf0\x9f\x98\x80\"\n", "[a][\xc3\xa9]\n2: (\xe2\x82\xac) (\xf0\x9f\x98\x80)\n");
	simple("long fields", "a,b\n0123456789012345678901234567890123456789012345678901234567890123456789,\"0123456789012345678901234567890123456789012345678901234567\"\"0123456789\"\nx,y\n",
		   "[a][b]\n2: (0123456789012345678901234567890123456789012345678901234567890123456789) (0123456789012345678901234567890123456789012345678901234567\"0123456789)\n3: (x) (y)\n");
	{
		Case		tab = {.text = "a\tb,c\n1\t2,\"3\n",.delimiter = '\t',.skip = -1};
		Case		skip = {.text = "a;b;c\n1;\"2\"\"\";3\n;;\n",.delimiter = ';',.skip = 1};

		tab.text = "a\tb,c\n1\t2,3\n";
		check("tabs", &tab, "[a][b,c]\n2: (1) (2,3)\n");
		check("a field that is skipped", &skip, "[a][b][c]\n2: (1) (3)\n3: - -\n");
	}
}

static void
test_errors(void)
{
	Case		nul = {.text = "a,b\n1,\0\n",.length = 8,.delimiter = ',',.skip = -1};
	Case		quoted_nul = {.text = "a,b\n1,\"\0\"\n",.length = 10,.delimiter = ',',.skip = -1};
	CsvReader  *reader;
	CsvReadResult result;

	check("NUL", &nul, "[a][b]\nerror at 6, line 2, column 3: NUL byte, which PostgreSQL cannot store\n");
	check("NUL in quotes", &quoted_nul, "[a][b]\nerror at 7, line 2, column 4: NUL byte, which PostgreSQL cannot store\n");
	simple("too few fields", "a,b\n1,2\n3\n", "[a][b]\n2: (1) (2)\nerror at 9, line 3, column 2: row has 1 field, the header has 2\n");
	simple("too few fields at the end", "a,b,c\n3,4", "[a][b][c]\nerror at 9, line 2, column 4: row has 2 fields, the header has 3\n");
	simple("too many fields", "a,b\n1,2,3\n", "[a][b]\nerror at 8, line 2, column 5: row has more fields than the header, which has 2\n");
	simple("too many fields for one", "a\n1,\n", "[a]\nerror at 4, line 2, column 3: row has more fields than the header, which has 1\n");
	simple("a comma is two fields", "a,b,c\n,\n", "[a][b][c]\nerror at 7, line 2, column 2: row has 2 fields, the header has 3\n");
	simple("empty header", "\na,b\n", "error at 0, line 1, column 1: field 1 of the header has no name\n");
	simple("empty header name", "a,,b\n", "error at 2, line 1, column 3: field 2 of the header has no name\n");
	simple("empty quoted header name", "a,\"\"\n", "error at 2, line 1, column 3: field 2 of the header has no name\n");
	simple("repeated header name", "a,b,\"a\"\n", "error at 0, line 1, column 1: header name \"a\" occurs twice\n");
	simple("text behind a quote", "a,b\n\"1\"x,2\n", "[a][b]\nerror at 7, line 2, column 4: text behind the closing quote of a field\n");
	simple("blank behind a quote", "a,b\n\"1\" ,2\n", "[a][b]\nerror at 7, line 2, column 4: text behind the closing quote of a field\n");
	simple("quote inside a field", "a,b\n1\"2,2\n", "[a][b]\nerror at 5, line 2, column 2: quote inside a field that does not begin with one\n");
	simple("no closing quote", "a,b\n1,\"2\n3\n", "[a][b]\nerror at 6, line 2, column 3: quoted field has no closing quote\n");
	simple("no closing quote, doubled", "a,b\n1,\"2\"\"", "[a][b]\nerror at 6, line 2, column 3: quoted field has no closing quote\n");
	simple("invalid UTF-8", "a,b\n1,2\n3,\xc3(\n", "[a][b]\n2: (1) (2)\nerror at 10, line 3, column 3: invalid UTF-8: byte 0xc3\n");
	simple("invalid UTF-8 in the header", "a,\xff\n", "error at 2, line 1, column 3: invalid UTF-8: byte 0xff\n");
	simple("invalid UTF-8 behind a quoted line end", "a,b\n\"\r\n\n\x80\",2\n", "[a][b]\nerror at 8, line 4, column 1: invalid UTF-8: byte 0x80\n");
	simple("the first of two errors", "a,b\n\xe2\x82,x\"\n", "[a][b]\nerror at 4, line 2, column 1: invalid UTF-8: byte 0xe2\n");
	simple("the first of two errors, other order", "a,b\nx\",\xe2\x82\n", "[a][b]\nerror at 5, line 2, column 2: quote inside a field that does not begin with one\n");
	simple("UTF-8 cut off at the end", "a\n\xe2\x82", "[a]\nerror at 2, line 2, column 1: invalid UTF-8: byte 0xe2\n");
	simple("half a byte order mark", "\xef\xbb", "error at 0, line 1, column 1: invalid UTF-8: byte 0xef\n");

	check("CR within a value", &(Case){.text = "a,b\n1\r2,3\r\n\r4,5\r\r\n\"6\r\",7\n\r\r,8\r",.delimiter = ',',.skip = -1,.returns = true},
		  "[a][b]\n2: (1\r2) (3)\n3: (\r4) (5\r)\n4: (6\r) (7)\n6: (\r\r) (8)\n");
	reader = csv_reader_create(',');
	ok(csv_reader_read(reader, "a\n1\n", 4, true, NULL, NULL, NULL, 1, &result) == CSV_HEADER, "the header");
	ok(csv_reader_read(reader, "1\n", 2, true, NULL, NULL, NULL, 1, &result) == CSV_ERROR, "columns must be bound");
	csv_reader_free(reader);
	ok(csv_reader_create('"') == NULL && csv_reader_create('\n') == NULL &&
	   csv_reader_create('\r') == NULL && csv_reader_create('\0') == NULL &&
	   csv_reader_create((char) 0xc3) == NULL, "characters that cannot be a delimiter");
}

static void
test_writing(void)
{
	static const char *const names[] = {"a", "b,c", "d\"e"};
	static const FieldType types[] = {FIELD_STRING, FIELD_DATETIME, FIELD_DOUBLE};
	Cell		cells[3];
	const Cell *columns[] = {&cells[0], &cells[1], &cells[2]};
	ByteBuffer		out = {0};

	csv_write_header(&out, names, 3);
	cells[0] = cell_text(CELL_STRING, "x\ny", 3);
	cells[1] = cell_integer(CELL_TIMESTAMP, 1500000);
	cells[2] = cell_double(0.1);
	csv_write_record(&out, columns, types, 3, 0);
	cells[0] = cell_text(CELL_STRING, "", 0);
	cells[1] = cell_null();
	cells[2] = cell_integer(CELL_INTEGER, INT64_MIN);
	csv_write_record(&out, columns, types, 3, 0);
	cells[0] = cell_text(CELL_JSON, "{\"a\":1}", 7);
	cells[1] = cell_integer(CELL_BOOLEAN, 1);
	cells[2] = cell_integer(CELL_DATE, -1);
	csv_write_record(&out, columns, types, 3, 0);
	is_bytes(out.data, out.length,
			 "a,\"b,c\",\"d\"\"e\"\n\"x\ny\",1970-01-01T00:00:01.5Z,0.1\n\"\",,-9223372036854775808\n"
			 "\"{\"\"a\"\":1}\",true,1969-12-31\n", "values of all kinds");
	buffer_free(&out);
}

/* random text through writer and reader */
static void
test_round_trip(void)
{
	static const char alphabet[] = "ab,\"\n\r \t;";
	FieldType	types[5] = {FIELD_STRING};
	int			round;
	int			bad = 0;

	for (round = 0; round < 2000; round++)
	{
		static const char *const names[] = {"a", "b", "c", "d", "e"};
		size_t		ncolumns = 1 + (size_t) rand() % 5;
		Cell		cells[5][ROWS];
		Cell		read[5][ROWS];
		Cell	   *columns[5];
		const Cell *written[5];
		char		text[5][ROWS][40];
		int32_t		binding[5];
		ByteBuffer		out = {0};
		CsvReader  *reader = csv_reader_create(',');
		Arena	   *arena = arena_create();
		CsvReadResult result;
		size_t		header;
		size_t		i;
		uint32_t	row;

		for (i = 0; i < ncolumns; i++)
		{
			columns[i] = read[i];
			written[i] = cells[i];
			binding[i] = (int32_t) i;
		}
		csv_write_header(&out, names, ncolumns);
		for (row = 0; row < ROWS; row++)
		{
			for (i = 0; i < ncolumns; i++)
			{
				size_t		length = (size_t) rand() % 40;
				size_t		j;

				if (rand() % 3 == 0)
					length %= 2;
				for (j = 0; j < length; j++)
					text[i][row][j] = alphabet[(size_t) rand() % (sizeof(alphabet) - 1)];
				cells[i][row] = rand() % 5 == 0 ? cell_null() : cell_text(CELL_STRING, text[i][row], (uint32_t) length);
			}
			/* a row of nothing but one null is told from no row only in one column */
			csv_write_record(&out, written, types, ncolumns, row);
		}
		if (csv_reader_read(reader, out.data, out.length, true, arena, columns, NULL, ROWS, &result) != CSV_HEADER ||
			!csv_reader_bind(reader, binding))
			bad++;
		header = result.consumed;
		if (csv_reader_read(reader, out.data + header, out.length - header, true, arena, columns, NULL, ROWS, &result) != CSV_FULL ||
			result.rows != ROWS)
			bad++;
		else
			for (row = 0; row < ROWS; row++)
				for (i = 0; i < ncolumns; i++)
					if (read[i][row].kind != cells[i][row].kind ||
						(read[i][row].kind == CELL_STRING &&
						 (read[i][row].length != cells[i][row].length ||
						  memcmp(read[i][row].data, cells[i][row].data, cells[i][row].length) != 0)))
						bad++;
		csv_reader_free(reader);
		arena_free(arena);
		buffer_free(&out);
	}
	is_int(bad, 0, "2,000 random tables come back the same");
}

/* a row much larger than the pieces it comes in */
static void
test_large_row(void)
{
	CsvReader  *reader = csv_reader_create(',');
	Arena	   *arena = arena_create();
	Cell		cells[2][ROWS];
	Cell	   *columns[] = {cells[0], cells[1]};
	int32_t		binding[] = {0, 1};
	ByteBuffer		text = {0};
	CsvReadResult result = {0};
	const char *row;
	size_t		size;
	size_t		given;
	int			i;

	buffer_append_string(&text, "a,b\n\"");
	for (i = 0; i < 500000; i++)
		buffer_append_string(&text, i % 3 == 0 ? "x\"\"," : "\n\"\"");
	buffer_append_string(&text, "\",1\n");
	ok(csv_reader_read(reader, text.data, 5, false, arena, columns, NULL, ROWS, &result) == CSV_HEADER &&
	   csv_reader_bind(reader, binding), "a header");
	row = text.data + result.consumed;
	size = text.length - result.consumed;
	for (given = 1000; given < size; given += 1000)
		if (csv_reader_read(reader, row, given, false, arena, columns, NULL, ROWS, &result) != CSV_MORE ||
			result.consumed != 0)
			break;
	ok(given >= size, "a row of %zu bytes in pieces of 1000", size);
	ok(csv_reader_read(reader, row, size, false, arena, columns, NULL, ROWS, &result) == CSV_MORE &&
	   result.rows == 1 && result.consumed == size && cells[0][0].length == 166667 * 3 + 333333 * 2 &&
	   cells[1][0].length == 1, "it is read as soon as it is complete");
	buffer_free(&text);
	csv_reader_free(reader);
	arena_free(arena);
}

int
main(void)
{
	srand(20260102);
	test_reading();
	test_errors();
	test_writing();
	test_round_trip();
	test_large_row();
	return done_testing();
}
