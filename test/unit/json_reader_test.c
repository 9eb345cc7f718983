/*
 * json_reader_test.c
 *	  The JSON reader: what it reads, what it refuses and where, and that
 *	  neither the cutting of the input nor the instruction set matters.
 */
#include <stdint.h>
#include <stdlib.h>

#include "codec/buffer.h"
#include "codec/isa.h"
#include "codec/json_reader.h"
#include "tap.h"

#define ROWS 4

typedef struct Case
{
	JsonReaderOptions options;
	const char *text;
	size_t		length;			/* 0: strlen(text) */
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

static void
print_cell(ByteBuffer *out, const Cell *cell)
{
	static const char kinds[] = "-snbj";

	buffer_append_char(out, kinds[cell->kind]);
	if (cell->kind == CELL_BOOLEAN)
		print(out, "%d", (int) cell->integer);
	else if (cell->kind != CELL_NULL)
	{
		buffer_append_char(out, '(');
		buffer_append(out, cell->data, cell->length);
		buffer_append_char(out, ')');
	}
}

/*
 * Read a case with the data handed over in pieces that end at the given cuts.
 * Every call gets memory of exactly the size, so that a sanitizer sees a read
 * past it.
 */
static char *
run(JsonReader *given, const Case *c, const size_t *cuts, size_t ncuts)
{
	JsonReader *reader = given ? given : json_reader_create(&c->options);
	Arena	   *arena = arena_create();
	ByteBuffer		out = {0};
	Cell	   *columns[16];
	uint64_t	lines[ROWS];
	size_t		nfields = c->options.nfields;
	size_t		length = c->length ? c->length : strlen(c->text);
	size_t		start = 0;
	size_t		cut = 0;
	size_t		i;
	int			idle = 0;
	JsonStatus	status;

	for (i = 0; i < 16; i++)
		columns[i] = malloc(ROWS * sizeof(Cell));
	for (;;)
	{
		size_t		stop = cut < ncuts ? cuts[cut] : length;
		size_t		size = stop - start;
		char	   *piece = malloc(size ? size : 1);
		JsonReadResult result;
		uint32_t	row;

		memcpy(piece, c->text + start, size);
		status = json_reader_read(reader, piece, size, stop == length && cut >= ncuts,
								  arena, columns, lines, ROWS, &result);
		for (row = 0; row < result.rows; row++)
		{
			print(&out, "%llu:", (unsigned long long) lines[row]);
			for (i = 0; i < nfields; i++)
			{
				buffer_append_char(&out, ' ');
				print_cell(&out, &columns[i][row]);
			}
			buffer_append_char(&out, '\n');
		}
		start += result.consumed;
		arena_reset(arena);
		free(piece);
		idle = result.consumed == 0 && result.rows == 0 ? idle + 1 : 0;
		if (status == JSON_ERROR)
		{
			const CodecError *e = json_reader_error(reader);

			print(&out, "error at %llu, line %llu, column %llu: %s\n",
				  (unsigned long long) e->offset, (unsigned long long) e->line,
				  (unsigned long long) e->column, e->message);
			break;
		}
		if (status == JSON_NEW_FIELD)
		{
			size_t		name_length;
			const char *name = json_reader_new_field(reader, &name_length);

			print(&out, "new field %.*s\n", (int) name_length, name);
			if (nfields == 16 || !json_reader_add_field(reader, name, name_length))
				break;
			nfields++;
		}
		if (status == JSON_MORE)
		{
			if (cut >= ncuts)
			{
				if (start != length)
					print(&out, "stopped at %zu\n", start);
				break;
			}
			cut++;
		}
		if (idle > 100000)
		{
			print(&out, "no progress\n");
			break;
		}
	}
	for (i = 0; i < c->options.nenvelope; i++)
	{
		Cell		cell = json_reader_envelope(reader, i);

		print(&out, "%s=", c->options.envelope[i]);
		print_cell(&out, &cell);
		buffer_append_char(&out, '\n');
	}
	for (i = 0; i < 16; i++)
		free(columns[i]);
	arena_free(arena);
	if (given == NULL)
		json_reader_free(reader);
	buffer_append_char(&out, '\0');
	return out.data;
}

/*
 * The outcome of a case, after seeing that every way to cut the input in two,
 * single bytes, and many random ways give the same with every instruction set,
 * and so does a reader that knows the shape already.
 */
static bool
check(const char *name, const Case *c, const char *expected)
{
	size_t		length = c->length ? c->length : strlen(c->text);
	size_t	   *cuts = malloc((length + 1) * sizeof(size_t));
	char	   *whole = run(NULL, c, NULL, 0);
	bool		same = strcmp(whole, expected) == 0;
	char		shown[120];
	int			isa;
	size_t		i;
	int			round;

	if (!same)
		printf("#      got: %s\n# expected: %s\n", whole, expected);
	for (isa = CODEC_ISA_SCALAR; isa <= CODEC_ISA_AVX2 && same; isa++)
	{
		JsonReader *reader;
		char	   *other;

		codec_isa_limit((CodecIsa) isa);
		other = run(NULL, c, NULL, 0);
		if (strcmp(other, whole) != 0)
		{
			printf("# instruction set %d: %s\n", isa, other);
			same = false;
		}
		free(other);
		reader = json_reader_create(&c->options);
		for (round = 0; round < 3 && !c->options.discover; round++)
		{
			other = run(reader, c, NULL, 0);
			if (strcmp(other, whole) != 0)
			{
				printf("# instruction set %d, round %d: %s\n", isa, round, other);
				same = false;
			}
			free(other);
			json_reader_restart(reader);
		}
		json_reader_free(reader);
		for (i = 0; i <= length && same; i++)
		{
			cuts[0] = i;
			other = run(NULL, c, cuts, 1);
			if (strcmp(other, whole) != 0)
			{
				printf("# instruction set %d, cut at %zu: %s\n", isa, i, other);
				same = false;
			}
			free(other);
		}
		for (round = 0; round < 20 && same; round++)
		{
			size_t		ncuts = 0;

			for (i = 0; i <= length; i++)
				if (round == 0 || rand() % (round * 3) == 0)
					cuts[ncuts++] = i;
			other = run(NULL, c, cuts, ncuts);
			if (strcmp(other, whole) != 0)
			{
				printf("# instruction set %d, %zu random cuts: %s\n", isa, ncuts, other);
				same = false;
			}
			free(other);
		}
	}
	codec_isa_limit(CODEC_ISA_AVX2);
	free(cuts);
	free(whole);
	snprintf(shown, sizeof(shown), "%s", name);
	for (i = 0; shown[i]; i++)
		if ((unsigned char) shown[i] < 0x20 || (unsigned char) shown[i] >= 0x7f)
			shown[i] = '?';
	return ok(same, "%s", shown);
}

#define FIELDS(...) \
	.fields = (const char *const[]) {__VA_ARGS__}, \
	.nfields = sizeof((const char *const[]) {__VA_ARGS__}) / sizeof(char *)
#define ENVELOPE(...) \
	.envelope = (const char *const[]) {__VA_ARGS__}, \
	.nenvelope = sizeof((const char *const[]) {__VA_ARGS__}) / sizeof(char *)

/* records with fields a and b.c, one a line */
static void
lines(const char *text, const char *expected)
{
	Case		c = {.options = {.framing = JSON_FRAMING_LINES, FIELDS("a", "b.c")},.text = text};

	check(text, &c, expected);
}

/* an error in a record that is skipped */
static void
refused(const char *text, const char *expected)
{
	Case		c = {.options = {.framing = JSON_FRAMING_LINES},.text = text};
	char		name[200];

	snprintf(name, sizeof(name), "refused: %.150s", text);
	check(name, &c, expected);
}

static void
test_values(void)
{
	lines("{\"a\":1}", "1: n(1) -\n");
	lines("", "");
	lines(" \r\n\t", "");
	lines("{}", "1: - -\n");
	lines("{ }\n\n{\"a\" : \"x\" , \"z\" : [ ] }\n", "1: - -\n3: s(x) -\n");
	lines("{\"a\":null,\"b\":null}", "1: - -\n");
	lines("{\"a\":true,\"b\":{\"c\":false}}", "1: b1 b0\n");
	lines("{\"a\":\"\",\"b\":{\"c\":\"x\",\"d\":2}}{\"b\":{\"c\":-0.5e+10}}", "1: s() s(x)\n1: - n(-0.5e+10)\n");
	lines("{\"a\":{\"x\":[1,{\"y\":[]}]},\"b\":{\"c\":[ 1 , \"\\n\" ]}}", "1: j({\"x\":[1,{\"y\":[]}]}) j([ 1 , \"\\n\" ])\n");
	lines("{\"b\":[{\"c\":1}]}", "1: - -\n");
	lines("{\"a\":\"q\\\"b\\\\s\\/n\\nr\\rt\\tb\\bf\\f\"}", "1: s(q\"b\\s/n\nr\rt\tb\bf\f) -\n");
	lines("{\"a\":\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00.\"}", "1: s(A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80.) -\n");
	lines("{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\",\"b\":{\"c\":\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xe0\xa0\x80\"}}",
		  "1: s(\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f) s(\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xe0\xa0\x80)\n");
	lines("{\"\\u0061\":1,\"\\u0062\":{\"\\u0063\":2}}", "1: n(1) n(2)\n");
	lines("{\"a\":-0}{\"a\":0.0}{\"a\":1E5}{\"a\":123456789012345678901234567890.5e-7}{\"a\":10}",
		  "1: n(-0) -\n1: n(0.0) -\n1: n(1E5) -\n1: n(123456789012345678901234567890.5e-7) -\n1: n(10) -\n");
	lines("{\"z\":\"\\u0000\",\"a\":1}", "1: n(1) -\n");
	lines("\xef\xbb\xbf{\"a\":1}", "1: n(1) -\n");
	/* the name with the dot is more than the path, in either order */
	lines("{\"b.c\":1,\"b\":{\"c\":2}}\n{\"b\":{\"c\":2},\"b.c\":1}\n{\"b\":{\"c\":2},\"b.c\":null}",
		  "1: - n(1)\n2: - n(1)\n3: - -\n");
	/* shapes that change from record to record */
	lines("{\"a\":1,\"b\":{\"c\":2}}\n{\"b\":{\"c\":2},\"a\":1}\n{\"a\":1}\n{\"b\":null,\"a\":1}\n{\"a\":[1]}\n{\"a\":[2]}\n{\"a\":[3,4]}\n{\"a\":1,\"b\":{\"c\":2}}\n",
		  "1: n(1) n(2)\n2: n(1) n(2)\n3: n(1) -\n4: n(1) -\n5: j([1]) -\n6: j([2]) -\n7: j([3,4]) -\n8: n(1) n(2)\n");
	/* line ends inside records */
	lines("{\n\"a\":1\n}\n{\n\n\"a\":2,\n\"b\":\n{\"c\":\n3}}  {\"a\":\n4}", "1: n(1) -\n4: n(2) n(3)\n9: n(4) -\n");
	/* strings around the width of a vector */
	lines("{\"a\":\"0123456789012345678901234567890\",\"b\":{\"c\":\"01234567890123456789012345678901234567890123456789012345678901234567890\"}}",
		  "1: s(0123456789012345678901234567890) s(01234567890123456789012345678901234567890123456789012345678901234567890)\n");
	lines("{\"a\":\"012345678901234567890123456789\\n\",\"b\":{\"c\":\"0123456789012345678901234567890\xc3\xa9\"}}",
		  "1: s(012345678901234567890123456789\n) s(0123456789012345678901234567890\xc3\xa9)\n");
	lines("{\"long_name_of_a_member_that_is_longer_than_a_vector_is\":1,\"a\":2}{\"long_name_of_a_member_that_is_longer_than_a_vector_is\":1,\"a\":2}",
		  "1: n(2) -\n1: n(2) -\n");
	lines("{\"a\":{}}{\"a\":{}}{\"a\":[]}", "1: j({}) -\n1: j({}) -\n1: j([]) -\n");
	/* the place of an array's elements is known, but this one has none, or something else */
	lines("{\"a\":[1,2],\"b\":{\"c\":1}}\n{\"a\":[],\"b\":{\"c\":2}}\n{\"a\":[3],\"b\":{\"c\":3}}\n{\"a\":[[]],\"b\":{\"c\":4}}\n{\"a\":[{}],\"b\":{\"c\":5}}\n{\"a\":[ ]}",
		  "1: j([1,2]) n(1)\n2: j([]) n(2)\n3: j([3]) n(3)\n4: j([[]]) n(4)\n5: j([{}]) n(5)\n6: j([ ]) -\n");
	lines("{\"z\":[[1]],\"a\":1}\n{\"z\":[[]],\"a\":2}\n{\"z\":[],\"a\":3}\n", "1: n(1) -\n2: n(2) -\n3: n(3) -\n");
	lines("{\"a\":1,\"b\":{\"c\":1}}\n{\"a\": 2,\"b\":{ \"c\" :2} }\n{\"a\":\n3 ,\"b\":{\"c\":\t3}}\n{\"a\":[4, 5]}\n{\"a\":[ 6,7]}",
		  "1: n(1) n(1)\n2: n(2) n(2)\n3: n(3) n(3)\n5: j([4, 5]) -\n6: j([ 6,7]) -\n");
	refused("{\"a\":[1,2]}{\"a\":[1,]}", "1:\nerror at 19, line 1, column 20: expected a value, found \"]\"\n");
}

static void
test_errors(void)
{
	refused("[", "error at 0, line 1, column 1: expected an object as record, found \"[\"\n");
	refused("{}\n  3", "1:\nerror at 5, line 2, column 3: expected an object as record, found \"3\"\n");
	refused("{},{}", "1:\nerror at 2, line 1, column 3: expected an object as record, found \",\"\n");
	refused("{", "error at 1, line 1, column 2: unexpected end of input inside an object\n");
	refused("{\"a\"", "error at 4, line 1, column 5: unexpected end of input inside an object\n");
	refused("{\"a", "error at 3, line 1, column 4: unexpected end of input inside a string\n");
	refused("{\"a\":", "error at 5, line 1, column 6: unexpected end of input inside an object\n");
	refused("{\"a\":1", "error at 6, line 1, column 7: unexpected end of input inside a number\n");
	refused("{\"a\":[1,", "error at 8, line 1, column 9: unexpected end of input inside an array\n");
	refused("{\"a\":tr", "error at 7, line 1, column 8: unexpected end of input inside a value\n");
	refused("{\"a\":\"\xc3", "error at 7, line 1, column 8: unexpected end of input inside a string\n");
	refused("{a:1}", "error at 1, line 1, column 2: expected a member name in double quotes or \"}\", found \"a\"\n");
	refused("{'a':1}", "error at 1, line 1, column 2: expected a member name in double quotes or \"}\", found \"'\"\n");
	refused("{\"a\" 1}", "error at 5, line 1, column 6: expected \":\", found \"1\"\n");
	refused("{\"a\":1,}", "error at 7, line 1, column 8: expected a member name in double quotes, found \"}\"\n");
	refused("{,}", "error at 1, line 1, column 2: expected a member name in double quotes or \"}\", found \",\"\n");
	refused("{\"a\":}", "error at 5, line 1, column 6: expected a value, found \"}\"\n");
	refused("{\"a\":,}", "error at 5, line 1, column 6: expected a value, found \",\"\n");
	refused("{\"a\":1 \"b\":2}", "error at 7, line 1, column 8: expected \",\" or \"}\", found a string\n");
	refused("{\"a\":[1 2]}", "error at 8, line 1, column 9: expected \",\" or \"]\", found \"2\"\n");
	refused("{\"a\":[1,]}", "error at 8, line 1, column 9: expected a value, found \"]\"\n");
	refused("{\"a\":[,1]}", "error at 6, line 1, column 7: expected a value, found \",\"\n");
	refused("{\"a\":[1}}", "error at 7, line 1, column 8: expected \",\" or \"]\", found \"}\"\n");
	refused("{\"a\":{]}", "error at 6, line 1, column 7: expected a member name in double quotes or \"}\", found \"]\"\n");
	refused("{\"a\":True}", "error at 5, line 1, column 6: expected a value, found \"True\"\n");
	refused("{\"a\":nul}", "error at 5, line 1, column 6: expected a value, found \"nul\"\n");
	refused("{\"a\":nullx}", "error at 9, line 1, column 10: expected \",\" or \"}\", found \"x\"\n");
	refused("{\"a\":NaN}", "error at 5, line 1, column 6: expected a value, found \"NaN\"\n");
	refused("{\"a\":undefinedundefinedundefined}", "error at 5, line 1, column 6: expected a value, found \"undefinedundefinedun\"\n");
	refused("{\"a\":01}", "error at 5, line 1, column 6: number begins with a superfluous zero\n");
	refused("{\"a\":-01}", "error at 5, line 1, column 6: number begins with a superfluous zero\n");
	refused("{\"a\":00.5,\"bbbbbbbbbbbbbbbbbbbbbbbbbb\":1}", "error at 5, line 1, column 6: number begins with a superfluous zero\n");
	refused("{\"a\":+1}", "error at 5, line 1, column 6: expected a value, found \"+\"\n");
	refused("{\"a\":.5}", "error at 5, line 1, column 6: expected a value, found \".\"\n");
	refused("{\"a\":1.}", "error at 7, line 1, column 8: expected a digit behind the decimal point, found \"}\"\n");
	refused("{\"a\":1.,\"bbbbbbbbbbbbbbbbbbbbbbbbbb\":1}", "error at 7, line 1, column 8: expected a digit behind the decimal point, found \",\"\n");
	refused("{\"a\":1.5.5,\"bbbbbbbbbbbbbbbbbbbbbbbbbb\":1}", "error at 8, line 1, column 9: expected \",\" or \"}\", found \".\"\n");
	refused("{\"a\":1e}", "error at 7, line 1, column 8: expected a digit in the exponent, found \"}\"\n");
	refused("{\"a\":1.5e+,\"bbbbbbbbbbbbbbbbbbbbbbbbbb\":1}", "error at 10, line 1, column 11: expected a digit in the exponent, found \",\"\n");
	refused("{\"a\":-}", "error at 6, line 1, column 7: expected a digit, found \"}\"\n");
	refused("{\"a\":-x,\"bbbbbbbbbbbbbbbbbbbbbbbbbb\":1}", "error at 6, line 1, column 7: expected a digit, found \"x\"\n");
	refused("{\"a\":0x10}", "error at 6, line 1, column 7: expected \",\" or \"}\", found \"x\"\n");
	refused("{\"a\":\"x\ny\"}", "error at 7, line 1, column 8: control character 0x0a in a string is not escaped\n");
	refused("{\"a\":\"0123456789012345678901234567890123456789\t\"}", "error at 46, line 1, column 47: control character 0x09 in a string is not escaped\n");
	refused("{\"a\":\"\\x\"}", "error at 6, line 1, column 7: unknown escape \"\\x\" in a string\n");
	refused("{\"a\":\"\\\n\"}", "error at 6, line 1, column 7: unknown escape in a string: backslash and byte 0x0a\n");
	refused("{\"a\":\"\\u12g4\"}", "error at 6, line 1, column 7: \"\\u\" is not followed by four hexadecimal digits\n");
	refused("{\"a\":\"\\ud800\"}", "error at 6, line 1, column 7: high surrogate \\ud800 is not followed by a low surrogate\n");
	refused("{\"a\":\"\\ud800\\n\"}", "error at 6, line 1, column 7: high surrogate \\ud800 is not followed by a low surrogate\n");
	refused("{\"a\":\"\\ud800\\ud800\"}", "error at 6, line 1, column 7: high surrogate \\ud800 is not followed by a low surrogate\n");
	refused("{\"a\":\"\\udc00\"}", "error at 6, line 1, column 7: low surrogate \\udc00 does not follow a high surrogate\n");
	refused("{\"a\":\"\x80\"}", "error at 6, line 1, column 7: invalid UTF-8: byte 0x80\n");
	refused("{\"a\":\"\xc0\x80\"}", "error at 6, line 1, column 7: invalid UTF-8: byte 0xc0\n");
	refused("{\"a\":\"\xc3\"}", "error at 6, line 1, column 7: invalid UTF-8: byte 0xc3\n");
	refused("{\"a\":\"\xe0\x80\x80\"}", "error at 6, line 1, column 7: invalid UTF-8: byte 0xe0\n");
	refused("{\"a\":\"\xed\xa0\x80\"}", "error at 6, line 1, column 7: invalid UTF-8: byte 0xed\n");
	refused("{\"a\":\"\xf4\x90\x80\x80\"}", "error at 6, line 1, column 7: invalid UTF-8: byte 0xf4\n");
	refused("{\"a\":\"\xf0\x80\x80\x80\"}", "error at 6, line 1, column 7: invalid UTF-8: byte 0xf0\n");
	refused("{\"a\":\"\xff\"}", "error at 6, line 1, column 7: invalid UTF-8: byte 0xff\n");
	refused("{\"\xff\":1}", "error at 2, line 1, column 3: invalid UTF-8: byte 0xff\n");
	refused("{\"a\":1}\xff", "1:\nerror at 7, line 1, column 8: expected an object as record, found byte 0xff\n");
	refused("{\"a\":1}\n{\"a\":2}\n{\n\"a\":2 \n\n x}", "1:\n2:\nerror at 27, line 6, column 2: expected \",\" or \"}\", found \"x\"\n");
	refused("{\"a\":1\x0c}", "error at 6, line 1, column 7: expected \",\" or \"}\", found byte 0x0c\n");

	lines("{\"a\":1,\"a\":2}", "error at 11, line 1, column 12: field \"a\" occurs twice in the record\n");
	lines("{\"a\":1}\n{\"a\":1}\n{\"a\":null,\"a\":null}", "1: n(1) -\n2: n(1) -\nerror at 30, line 3, column 15: field \"a\" occurs twice in the record\n");
	lines("{\"a\":{},\"a\":{}}", "error at 12, line 1, column 13: field \"a\" occurs twice in the record\n");
	lines("{\"b\":{\"c\":1},\"b\":{\"c\":1}}", "error at 22, line 1, column 23: field \"b.c\" occurs twice in the record\n");
	lines("{\"z\":1,\"z\":2}", "1: - -\n");
	lines("{\"a\":\"x\\u0000y\"}", "error at 5, line 1, column 6: value of field \"a\" contains \\u0000, which PostgreSQL cannot store\n");
}

static void
test_nul(void)
{
	static const char text[] = "{\"a\":\0}";
	Case		c = {.options = {.framing = JSON_FRAMING_LINES, FIELDS("a")},.text = text,.length = sizeof(text) - 1};

	check("a zero byte is no end", &c, "error at 5, line 1, column 6: expected a value, found byte 0x00\n");
}

static void
test_depth(void)
{
	Case		c = {.options = {.framing = JSON_FRAMING_LINES, FIELDS("a"),.max_depth = 3}};
	Case		array = {.options = {.framing = JSON_FRAMING_AUTO, FIELDS("a"),.max_depth = 3}};
	Case		page = {.options = {.framing = JSON_FRAMING_PAGE,.record_path = "r", FIELDS("a"),.max_depth = 3}};
	char		deep[201];

	c.text = "{\"a\":[[1]]}";
	check("nesting up to the limit", &c, "1: j([[1]])\n");
	c.text = "{\"a\":[{\"x\":[]}]}";
	check("nesting above the limit", &c, "error at 11, line 1, column 12: nesting is deeper than 3 levels\n");
	array.text = "[{\"a\":[1]}]";
	check("array: nesting up to the limit", &array, "1: j([1])\n");
	array.text = "[{\"a\":[1,[]]}]";
	check("array: nesting above the limit", &array, "error at 9, line 1, column 10: nesting is deeper than 3 levels\n");
	page.text = "{\"r\":[{\"a\":1}]}";
	check("page: nesting up to the limit", &page, "1: n(1)\n");
	page.text = "{\"r\":[{\"a\":[]}]}";
	check("page: nesting above the limit", &page, "error at 11, line 1, column 12: nesting is deeper than 3 levels\n");
	page.text = "{\"x\":[[[]]]}";
	check("page: nesting above the limit in the envelope", &page, "error at 7, line 1, column 8: nesting is deeper than 3 levels\n");

	memset(deep, '[', 200);
	memcpy(deep, "{\"a\":", 5);
	deep[200] = '\0';
	c.options.max_depth = 0;
	c.text = deep;
	check("64 levels by default", &c, "error at 68, line 1, column 69: nesting is deeper than 64 levels\n");
}

static void
test_array(void)
{
	Case		c = {.options = {.framing = JSON_FRAMING_ARRAY, FIELDS("a")}};

	c.text = "[]";
	check("an empty array", &c, "");
	c.text = " [ ] \n";
	check("an empty array with blanks", &c, "");
	c.text = "[{\"a\":1},\n{\"a\":2} , {\"a\":3}\n,{},{},{\"a\":4}]\n";
	check("an array", &c, "1: n(1)\n2: n(2)\n2: n(3)\n3: -\n3: -\n3: n(4)\n");
	c.text = "";
	check("array: nothing", &c, "error at 0, line 1, column 1: input is empty: expected an array of records\n");
	c.text = "{}";
	check("array: an object", &c, "error at 0, line 1, column 1: expected an array of records, found \"{\"\n");
	c.text = "[";
	check("array: cut off", &c, "error at 1, line 1, column 2: unexpected end of input inside the array of records\n");
	c.text = "[{}";
	check("array: cut off behind a record", &c, "1: -\nerror at 3, line 1, column 4: unexpected end of input inside the array of records\n");
	c.text = "[{},";
	check("array: cut off behind a comma", &c, "1: -\nerror at 4, line 1, column 5: unexpected end of input inside the array of records\n");
	c.text = "[{},]";
	check("array: superfluous comma", &c, "1: -\nerror at 4, line 1, column 5: expected an object as record, found \"]\"\n");
	c.text = "[,{}]";
	check("array: leading comma", &c, "error at 1, line 1, column 2: expected an object as record, found \",\"\n");
	c.text = "[{} {}]";
	check("array: missing comma", &c, "1: -\nerror at 4, line 1, column 5: expected \",\" or \"]\" behind a record, found \"{\"\n");
	c.text = "[null]";
	check("array: null as record", &c, "error at 1, line 1, column 2: expected an object as record, found \"null\"\n");
	c.text = "[[{}]]";
	check("array: array as record", &c, "error at 1, line 1, column 2: expected an object as record, found \"[\"\n");
	c.text = "[] x";
	check("array: something behind it", &c, "error at 3, line 1, column 4: expected nothing behind the document, found \"x\"\n");

	c.options.framing = JSON_FRAMING_AUTO;
	c.text = "[{\"a\":1}]";
	check("auto: an array", &c, "1: n(1)\n");
	c.text = "\xef\xbb\xbf\n{\"a\":1}\n{\"a\":2}";
	check("auto: lines", &c, "2: n(1)\n3: n(2)\n");
	c.text = "";
	check("auto: nothing", &c, "");
	c.text = "\xef\xbb";
	check("half a byte order mark", &c, "error at 0, line 1, column 1: expected an object as record, found byte 0xef\n");
}

static void
test_page(void)
{
	Case		c = {.options = {.framing = JSON_FRAMING_PAGE,.record_path = "records", FIELDS("a"),
		ENVELOPE("done", "nextRecordsUrl", "meta.cursor", "totalSize", "meta.x")}};
	Case		nested = {.options = {.framing = JSON_FRAMING_PAGE,.record_path = "d.results", FIELDS("a"), ENVELOPE("d.__next")}};
	Case		top = {.options = {.framing = JSON_FRAMING_PAGE,.record_path = "", FIELDS("a")}};
	Case		element = {.options = {.framing = JSON_FRAMING_PAGE,.record_path = "r.1.rows", FIELDS("a"),
		ENVELOPE("r.1.next", "r.0", "h.2.0.n", "h.10")}};

	element.text = "{\"h\":[1,[],[{\"n\":7},{\"n\":8}],3,4,5,6,7,8,9,\"t\\u0065n\"],\"r\":[\"zero\",{\"rows\":[{\"a\":1},{\"a\":2}],\"next\":\"x\"},{\"rows\":[{\"a\":3}]}]}";
	check("page: elements of arrays", &element, "1: n(1)\n1: n(2)\nr.1.next=s(x)\nr.0=s(zero)\nh.2.0.n=n(7)\nh.10=s(ten)\n");
	element.text = "{\"r\":[{\"rows\":[{\"a\":1}],\"1\":{\"rows\":[{\"a\":2}]}},[]],\"h\":{\"10\":4}}";
	check("page: names where elements are expected", &element, "r.1.next=-\nr.0=-\nh.2.0.n=-\nh.10=n(4)\n");

	c.text = "{\"totalSize\":2,\"done\":false,\"records\":[{\"a\":1},{\"a\":\"x\"}],\n\"nextRecordsUrl\":\"\\/next\",\"meta\":{\"cursor\":\"c\\u00e9\",\"x\":[1,{}]}}";
	check("page: envelope before and behind", &c,
		  "1: n(1)\n1: s(x)\ndone=b0\nnextRecordsUrl=s(/next)\nmeta.cursor=s(c\xc3\xa9)\ntotalSize=n(2)\nmeta.x=-\n");
	c.text = "{\"meta\":{\"y\":[[],{\"cursor\":1}],\"cursor\":null},\"records\" : [ ] , \"records2\":[{\"a\":1}]}";
	check("page: no records", &c, "done=-\nnextRecordsUrl=-\nmeta.cursor=-\ntotalSize=-\nmeta.x=-\n");
	c.text = "{\"records\":null,\"done\":true}";
	check("page: null for records", &c, "done=b1\nnextRecordsUrl=-\nmeta.cursor=-\ntotalSize=-\nmeta.x=-\n");
	c.text = "{\"records\":{\"a\":5},\"done\":true}";
	check("page: a single object", &c, "1: n(5)\ndone=b1\nnextRecordsUrl=-\nmeta.cursor=-\ntotalSize=-\nmeta.x=-\n");
	c.options.nenvelope = 0;
	c.text = "{\"records\":\"x\"}";
	check("page: a string for records", &c, "error at 11, line 1, column 12: expected an array of records at \"records\", found a string\n");
	c.text = "{\"records\":3}";
	check("page: a number for records", &c, "error at 11, line 1, column 12: expected an array of records at \"records\", found \"3\"\n");
	c.text = "{\"records\":[],\"records\":[]}";
	check("page: records twice", &c, "error at 24, line 1, column 25: \"records\" occurs twice\n");
	c.text = "{\"records\":null,\"records\":null}";
	check("page: records twice as null", &c, "error at 26, line 1, column 27: \"records\" occurs twice\n");
	c.text = "[]";
	check("page: an array", &c, "error at 0, line 1, column 1: expected an object as document, found \"[\"\n");
	c.text = "";
	check("page: nothing", &c, "error at 0, line 1, column 1: input is empty: expected a JSON document\n");
	c.text = "{\"records\":[{\"a\":1}]";
	check("page: cut off", &c, "1: n(1)\nerror at 20, line 1, column 21: unexpected end of input inside an object\n");
	c.text = "{\"records\":[{\"a\":1}]} {}";
	check("page: two documents", &c, "1: n(1)\nerror at 22, line 1, column 23: expected nothing behind the document, found \"{\"\n");
	c.text = "{\"x\":[1,]}";
	check("page: envelope syntax, array", &c, "error at 8, line 1, column 9: expected a value, found \"]\"\n");
	c.text = "{\"x\":{\"y\":1,}}";
	check("page: envelope syntax, object", &c, "error at 12, line 1, column 13: expected a member name in double quotes, found \"}\"\n");
	c.text = "{\"x\" 1}";
	check("page: envelope syntax, colon", &c, "error at 5, line 1, column 6: expected \":\", found \"1\"\n");
	c.text = "{\"x\":\n\"\t\"}";
	check("page: envelope, control character", &c, "error at 7, line 2, column 2: control character 0x09 in a string is not escaped\n");
	c.text = "{\"x\":1]";
	check("page: envelope, wrong bracket", &c, "error at 6, line 1, column 7: expected \",\" or \"}\", found \"]\"\n");
	c.text = "{\"x\":[1}";
	check("page: envelope, wrong brace", &c, "error at 7, line 1, column 8: expected \",\" or \"]\", found \"}\"\n");

	nested.text = "{\"d\":{\"results\":[{\"a\":1}],\"__next\":\"n\"}}";
	check("page: nested path", &nested, "1: n(1)\nd.__next=s(n)\n");
	nested.text = "{\"d.results\":[{\"a\":1}],\"d\":{\"__next\":\"n\"}}";
	check("page: a name with a dot", &nested, "1: n(1)\nd.__next=s(n)\n");
	nested.text = "{\"d\":[{\"results\":[{\"a\":1}]}]}";
	check("page: paths do not lead through arrays", &nested, "d.__next=-\n");
	nested.text = "{\"d\":{\"__next\":1,\"__next\":2}}";
	check("page: an envelope value twice", &nested, "error at 26, line 1, column 27: \"d.__next\" occurs twice\nd.__next=n(1)\n");
	nested.text = "{\"d\":{\"__next\":\"\\u0000\"}}";
	check("page: \\u0000 in an envelope value", &nested, "error at 15, line 1, column 16: value of \"d.__next\" contains \\u0000, which PostgreSQL cannot store\nd.__next=-\n");

	top.text = "[{\"a\":1},{\"a\":2}]";
	check("page: the document is the array", &top, "1: n(1)\n1: n(2)\n");
	top.text = " {\"a\":1} ";
	check("page: the document is the record", &top, "1: n(1)\n");
	top.text = "{\"a\":1}{\"a\":2}";
	check("page: the document is one record", &top, "1: n(1)\nerror at 7, line 1, column 8: expected nothing behind the document, found \"{\"\n");
	top.text = "7";
	check("page: the document is a number", &top, "error at 0, line 1, column 1: expected an array of records or an object, found \"7\"\n");
}

static void
test_projection(void)
{
	Case		c = {.options = {.framing = JSON_FRAMING_LINES,
	FIELDS("Owner", "Owner.Name", "Owner.Manager.Name", "x.y.z", "", "n.")}};
	Case		none = {.options = {.framing = JSON_FRAMING_LINES}};

	c.text = "{\"Owner\":{\"Name\":\"n\",\"Manager\":{\"Name\":\"m\"}}}\n{\"Owner\":null}\n{\"Owner\":{\"Name\":\"n\",\"Manager\":null}}\n"
		"{\"x.y\":{\"z\":1}}\n{\"x\":{\"y.z\":2}}\n{\"x\":{\"y\":{\"z\":3}}}\n{\"\":4}\n{\"n\":{\"\":5}}\n{\"n.\":6}";
	check("a container and members of it", &c,
		  "1: j({\"Name\":\"n\",\"Manager\":{\"Name\":\"m\"}}) s(n) s(m) - - -\n"
		  "2: - - - - - -\n"
		  "3: j({\"Name\":\"n\",\"Manager\":null}) s(n) - - - -\n"
		  "4: - - - n(1) - -\n5: - - - n(2) - -\n6: - - - n(3) - -\n7: - - - - n(4) -\n8: - - - - - n(5)\n9: - - - - - n(6)\n");
	none.text = "{\"a\":{\"b\":[1,2,{\"c\":null}]}}\n{\"a\":{\"b\":[1,2,{\"c\":null}]}}";
	check("no fields", &none, "1:\n2:\n");
	{
		JsonReaderOptions twice = {.framing = JSON_FRAMING_LINES, FIELDS("a", "b", "a")};
		JsonReaderOptions clash = {.framing = JSON_FRAMING_PAGE,.record_path = "r", ENVELOPE("x", "r")};

		ok(json_reader_create(&twice) == NULL, "the same field twice is refused");
		ok(json_reader_create(&clash) == NULL, "records and envelope at the same path are refused");
	}
}

static void
test_discover(void)
{
	Case		c = {.options = {.framing = JSON_FRAMING_LINES, FIELDS("a"),.discover = true}};

	c.text = "{\"a\":1,\"b\":2}\n{\"b\":3,\"c\":{\"d\":4}}\n{\"\\u0063\":5,\"\\u00e9\\\"\":6,\"\":7}\n{\"a\":8}";
	check("new fields", &c,
		  "new field b\n1: n(1) n(2)\nnew field c\n2: - n(3) j({\"d\":4})\nnew field \xc3\xa9\"\nnew field \n"
		  "3: - - n(5) n(6) n(7)\n4: n(8) - - - -\n");
	c.text = "{\"a\\u0000\":1}";
	check("a new field that cannot be", &c,
		  "error at 1, line 1, column 2: member name contains \\u0000, which PostgreSQL cannot store\n");
	c.text = "{\"b\":1,x}";
	check("a new field in a broken record", &c,
		  "new field b\nerror at 7, line 1, column 8: expected a member name in double quotes, found \"x\"\n");
}

/* many names: memory for shapes is bounded, and what is read stays right */
static void
test_many_shapes(void)
{
	JsonReaderOptions options = {.framing = JSON_FRAMING_LINES, FIELDS("a", "b.c")};
	JsonReader *reader = json_reader_create(&options);
	Arena	   *arena = arena_create();
	Cell		a[ROWS];
	Cell		b[ROWS];
	Cell	   *columns[] = {a, b};
	bool		right = true;
	int			i;

	for (i = 0; i < 300000 && right; i++)
	{
		char		text[300];
		char		expected[20];
		JsonReadResult result;
		int			n = snprintf(text, sizeof(text),
								 "{\"k%d\":[{\"x%d\":%d}],\"a\":%d,\"b\":{\"y%d\":{\"z\":[]},\"c\":\"v%d\"}}\n",
								 i, i % 7, i, i, i * 3, i);

		right = json_reader_read(reader, text, (size_t) n, false, arena, columns, NULL, 1, &result) == JSON_FULL &&
			result.rows == 1;
		snprintf(expected, sizeof(expected), "%d", i);
		right = right && a[0].kind == CELL_NUMBER && a[0].length == strlen(expected) &&
			memcmp(a[0].data, expected, a[0].length) == 0;
		snprintf(expected, sizeof(expected), "v%d", i);
		right = right && b[0].kind == CELL_STRING && b[0].length == strlen(expected) &&
			memcmp(b[0].data, expected, b[0].length) == 0;
	}
	ok(right, "300,000 records of as many shapes (%d)", i);
	arena_free(arena);
	json_reader_free(reader);
}

/* a record much larger than the pieces it comes in */
static void
test_large_record(void)
{
	JsonReaderOptions options = {.framing = JSON_FRAMING_LINES, FIELDS("a", "z")};
	JsonReader *reader = json_reader_create(&options);
	Arena	   *arena = arena_create();
	ByteBuffer		text = {0};
	Cell		a[ROWS];
	Cell		z[ROWS];
	Cell	   *columns[] = {a, z};
	size_t		piece = 1000;
	size_t		given;
	size_t		complete;
	JsonReadResult result = {0};
	int			i;

	buffer_append_string(&text, "{\"a\":[\"]}\\\"\"");
	for (i = 0; i < 400000; i++)
		buffer_append_string(&text, ",{\"\\\\\":\"}\"}");
	buffer_append_string(&text, "],\"z\":1}");
	complete = text.length;
	buffer_append_string(&text, "{\"a\":2}  ");
	for (given = piece; given < complete; given += piece)
		if (json_reader_read(reader, text.data, given, false, arena, columns, NULL, ROWS, &result) != JSON_MORE ||
			result.consumed != 0)
			break;
	ok(given >= complete, "a record of %zu bytes in pieces of %zu", complete, piece);
	ok(json_reader_read(reader, text.data, complete, false, arena, columns, NULL, ROWS, &result) == JSON_MORE &&
	   result.rows == 1 && result.consumed == complete && a[0].kind == CELL_JSON && z[0].kind == CELL_NUMBER,
	   "it is read as soon as it is complete");
	buffer_free(&text);
	arena_free(arena);
	json_reader_free(reader);
}

/* a reader of one page after the other */
static void
test_restart(void)
{
	JsonReaderOptions options = {.framing = JSON_FRAMING_PAGE,.record_path = "r", FIELDS("a"), ENVELOPE("next")};
	JsonReader *reader = json_reader_create(&options);
	Arena	   *arena = arena_create();
	Cell		a[ROWS];
	Cell	   *columns[] = {a};
	static const char first[] = "{\"next\":\"two\",\n\"r\":[{\"a\":1}]}";
	static const char second[] = "{\"r\":[{\"a\":2},!";
	JsonReadResult result;
	Cell		next;

	json_reader_read(reader, first, strlen(first), true, arena, columns, NULL, ROWS, &result);
	ok(result.rows == 1 && json_reader_found_records(reader), "the first page");
	next = json_reader_envelope(reader, 0);
	json_reader_restart(reader);
	ok(json_reader_envelope(reader, 0).kind == CELL_NULL && !json_reader_found_records(reader),
	   "a restart forgets the envelope");
	ok(json_reader_read(reader, second, strlen(second), true, arena, columns, NULL, ROWS, &result) == JSON_ERROR &&
	   result.rows == 1, "the second page has an error behind a record");
	is_int((long long) json_reader_error(reader)->offset, 14, "and offsets count from its beginning");
	is_bytes(next.data, next.length, "two", "the text of the first page's value is still there");
	ok(json_reader_read(reader, first, strlen(first), true, arena, columns, NULL, ROWS, &result) == JSON_ERROR &&
	   result.rows == 0, "an error is final");
	json_reader_restart(reader);
	ok(json_reader_read(reader, first, strlen(first), true, arena, columns, NULL, 0, &result) == JSON_FULL,
	   "no room for rows");
	ok(json_reader_read(reader, first, strlen(first), true, arena, columns, NULL, ROWS, &result) == JSON_MORE &&
	   result.rows == 1, "until there is");
	ok(!json_reader_add_field(reader, "a", 1) && json_reader_add_field(reader, "b", 1) &&
	   !json_reader_add_field(reader, "b", 1), "a field is added once");
	json_reader_restart(reader);
	ok(json_reader_read(reader, NULL, 0, false, arena, columns, NULL, ROWS, &result) == JSON_MORE,
	   "no bytes need no memory");
	ok(json_reader_read(reader, NULL, 0, true, arena, columns, NULL, ROWS, &result) == JSON_ERROR,
	   "but a page is not nothing");
	arena_free(arena);
	json_reader_free(reader);
}

int
main(void)
{
	srand(20260101);
	test_values();
	test_errors();
	test_nul();
	test_depth();
	test_array();
	test_page();
	test_projection();
	test_discover();
	test_many_shapes();
	test_large_record();
	test_restart();
	return done_testing();
}
