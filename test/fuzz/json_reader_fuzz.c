/*
 * json_reader_fuzz.c
 *	  The JSON reader on hostile input.  What must hold, besides no crash:
 *
 *	  - the same records, errors and places, however the input is cut, with
 *		every instruction set, and when the shape is known already;
 *	  - without fields, exactly the input is accepted that a plain recursive
 *		parser accepts;
 *	  - raw text of objects and arrays is valid itself.
 *
 * The first four bytes choose framing, depth, cuts and fields.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/buffer.h"
#include "codec/isa.h"
#include "codec/json_reader.h"
#include "codec/text.h"

#define ROWS 3

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---------- the plain parser ---------- */

typedef struct Plain
{
	const char *p;
	const char *end;
	int			depth;
} Plain;

static void
plain_space(Plain *s)
{
	while (s->p < s->end && strchr(" \t\r\n", *s->p) != NULL && *s->p != '\0')
		s->p++;
}

static int
plain_hex(const char *p)
{
	int			value = 0;
	int			i;

	for (i = 0; i < 4; i++)
	{
		const char *digits = "0123456789abcdef0123456789ABCDEF";
		const char *at = p[i] ? strchr(digits, p[i]) : NULL;

		if (at == NULL)
			return -1;
		value = value * 16 + (int) (at - digits) % 16;
	}
	return value;
}

static bool
plain_string(Plain *s)
{
	const char *start = ++s->p;

	for (;; s->p++)
	{
		if (s->p >= s->end || (unsigned char) *s->p < 0x20)
			return false;
		if (*s->p == '"')
			break;
		if (*s->p != '\\')
			continue;
		if (++s->p >= s->end)
			return false;
		if (*s->p == 'u')
		{
			int			unit = s->end - s->p > 4 ? plain_hex(s->p + 1) : -1;

			if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000))
				return false;
			s->p += 4;
			if (unit >= 0xd800 && unit < 0xdc00)
			{
				if (s->end - s->p < 7 || s->p[1] != '\\' || s->p[2] != 'u')
					return false;
				unit = plain_hex(s->p + 3);
				if (unit < 0xdc00 || unit > 0xdfff)
					return false;
				s->p += 6;
			}
		}
		else if (*s->p == '\0' || strchr("\"\\/bfnrt", *s->p) == NULL)
			return false;
	}
	s->p++;
	return text_utf8_check(start, (size_t) (s->p - start)) == (size_t) (s->p - start);
}

static bool
plain_value(Plain *s)
{
	const char *start = s->p;
	bool		object;

	if (s->p >= s->end)
		return false;
	if (*s->p == '"')
		return plain_string(s);
	if (*s->p != '{' && *s->p != '[')
	{
		while (s->p < s->end && *s->p != '\0' && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *s->p) != NULL)
			s->p++;
		if (text_is_number(start, (size_t) (s->p - start)))
			return true;
		return (s->p - start == 4 && (memcmp(start, "true", 4) == 0 || memcmp(start, "null", 4) == 0)) ||
			(s->p - start == 5 && memcmp(start, "false", 5) == 0);
	}

	object = *s->p++ == '{';
	if (--s->depth < 0)
		return false;
	plain_space(s);
	if (s->p < s->end && *s->p == (object ? '}' : ']'))
	{
		s->p++;
		s->depth++;
		return true;
	}
	for (;;)
	{
		if (object)
		{
			if (s->p >= s->end || *s->p != '"' || !plain_string(s))
				return false;
			plain_space(s);
			if (s->p >= s->end || *s->p++ != ':')
				return false;
			plain_space(s);
		}
		if (!plain_value(s))
			return false;
		plain_space(s);
		if (s->p >= s->end)
			return false;
		if (*s->p == (object ? '}' : ']'))
			break;
		if (*s->p++ != ',')
			return false;
		plain_space(s);
	}
	s->p++;
	s->depth++;
	return true;
}

/* objects one after another, or an array of them; their number, or -1 */
static long
plain_count(const char *text, size_t length, bool array, int depth)
{
	Plain		s = {text, text + length, depth - array};
	long		count = 0;

	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		s.p += 3;
	plain_space(&s);
	if (array)
	{
		if (s.p >= s.end || *s.p++ != '[')
			return -1;
		plain_space(&s);
		if (s.p < s.end && *s.p == ']')
			goto close;
	}
	for (;;)
	{
		if (s.p >= s.end && !array)
			return count;
		if (s.p >= s.end || *s.p != '{' || !plain_value(&s))
			return -1;
		count++;
		plain_space(&s);
		if (!array)
			continue;
		if (s.p < s.end && *s.p == ']')
			break;
		if (s.p >= s.end || *s.p++ != ',')
			return -1;
		plain_space(&s);
	}
close:
	s.p++;
	plain_space(&s);
	return s.p == s.end ? count : -1;
}

/* ---------- the reader ---------- */

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
	print(out, " %d", cell->kind);
	if (cell->kind == CELL_BOOLEAN)
		print(out, "=%d", (int) cell->integer);
	else if (cell->kind != CELL_NULL)
	{
		Plain		s = {cell->data, cell->data + cell->length, 1000};

		if (text_utf8_check(cell->data, cell->length) != cell->length ||
			(cell->kind == CELL_STRING && memchr(cell->data, 0, cell->length)) ||
			(cell->kind == CELL_NUMBER && !text_is_number(cell->data, cell->length)) ||
			(cell->kind == CELL_JSON && (!plain_value(&s) || s.p != s.end)))
			abort();
		buffer_append_char(out, '=');
		buffer_append(out, cell->data, cell->length);
	}
}

static long records;
static bool failed;

static ByteBuffer
run(JsonReader *reader, const JsonReaderOptions *options, const char *text, size_t length, uint64_t cuts)
{
	Arena	   *arena = arena_create();
	ByteBuffer		out = {0};
	Cell	   *columns[32];
	uint64_t	lines[ROWS];
	size_t		nfields = options->nfields;
	size_t		start = 0;
	size_t		stop = cuts ? 0 : length;
	size_t		i;

	records = 0;
	failed = false;
	for (i = 0; i < 32; i++)
		columns[i] = malloc(ROWS * sizeof(Cell));
	for (;;)
	{
		/* of exactly the size, so that a read past it is seen */
		char	   *piece = malloc(stop > start ? stop - start : 1);
		JsonReadResult result;
		JsonStatus	status;
		uint32_t	row;

		memcpy(piece, text + start, stop - start);
		status = json_reader_read(reader, piece, stop - start, stop == length,
								  arena, columns, lines, ROWS, &result);
		if (result.consumed > stop - start || result.rows > ROWS)
			abort();
		for (row = 0; row < result.rows; row++)
		{
			print(&out, "%llu:", (unsigned long long) lines[row]);
			for (i = 0; i < nfields; i++)
				print_cell(&out, &columns[i][row]);
			buffer_append_char(&out, '\n');
		}
		records += result.rows;
		start += result.consumed;
		arena_reset(arena);
		free(piece);
		if (status == JSON_ERROR)
		{
			const CodecError *e = json_reader_error(reader);
			size_t		at = (size_t) e->offset;
			uint64_t	line = 1;
			uint64_t	column = 1;

			if (at > length || e->message[0] == '\0')
				abort();
			for (i = 0; i < at; i++, column++)
				if (text[i] == '\n')
				{
					line++;
					column = 0;
				}
			/* a byte order mark is in no column */
			if (line == 1 && at >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
				column -= 3;
			if (line != e->line || column != e->column)
				abort();
			print(&out, "%zu %s\n", at, e->message);
			failed = true;
			break;
		}
		if (status == JSON_NEW_FIELD)
		{
			size_t		name_length;
			const char *name = json_reader_new_field(reader, &name_length);

			print(&out, "new ");
			buffer_append(&out, name, name_length);
			if (nfields == 32)
				break;
			if (!json_reader_add_field(reader, name, name_length))
				abort();
			nfields++;
		}
		if (status == JSON_MORE)
		{
			if (stop == length)
			{
				if (start != length)
					abort();
				break;
			}
			cuts = cuts * 6364136223846793005ULL + 1442695040888963407ULL;
			stop += 1 + (cuts >> 60 ? (size_t) (cuts >> 33) % 8 : (size_t) (cuts >> 33) % 200);
			if (stop > length)
				stop = length;
		}
	}
	for (i = 0; i < options->nenvelope; i++)
	{
		Cell		cell = json_reader_envelope(reader, i);

		print_cell(&out, &cell);
	}
	for (i = 0; i < 32; i++)
		free(columns[i]);
	arena_free(arena);
	return out;
}

static void
same(const ByteBuffer *a, const ByteBuffer *b)
{
	if (a->length != b->length || (a->length > 0 && memcmp(a->data, b->data, a->length) != 0))
	{
		fprintf(stderr, "--- one\n%.*s\n--- other\n%.*s\n", (int) a->length, a->data, (int) b->length, b->data);
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const fields[] = {"a", "b.c", "b", "a.b.c", "d"};
	static const char *const envelope[] = {"n", "m.c"};
	JsonReaderOptions options = {0};
	JsonReader *reader;
	const char *text;
	ByteBuffer		whole;
	ByteBuffer		other;
	int			isa;

	if (size < 4)
		return 0;
	options.framing = (JsonFraming) (data[0] & 3);
	options.record_path = data[0] & 4 ? "" : "r.s";
	options.discover = (data[0] & 8) != 0;
	options.max_depth = data[1] & 15;
	options.fields = fields;
	options.nfields = data[2] % 6;
	options.envelope = envelope;
	options.nenvelope = 2;
	text = (const char *) data + 4;
	size -= 4;

	codec_isa_limit(CODEC_ISA_AVX2);
	reader = json_reader_create(&options);
	whole = run(reader, &options, text, size, 0);
	if (options.nfields == 0 && !options.discover && options.framing <= JSON_FRAMING_ARRAY)
	{
		long		count = plain_count(text, size, options.framing == JSON_FRAMING_ARRAY,
										options.max_depth ? (int) options.max_depth : 64);

		if ((count < 0) != failed || (count >= 0 && count != records))
			abort();
	}
	if (!options.discover)
	{
		json_reader_restart(reader);
		other = run(reader, &options, text, size, 0);
		same(&whole, &other);
		buffer_free(&other);
		json_reader_restart(reader);
		other = run(reader, &options, text, size, data[3] | 1);
		same(&whole, &other);
		buffer_free(&other);
	}
	json_reader_free(reader);
	for (isa = CODEC_ISA_SCALAR; isa <= CODEC_ISA_AVX2; isa++)
	{
		codec_isa_limit((CodecIsa) isa);
		reader = json_reader_create(&options);
		other = run(reader, &options, text, size, (uint64_t) data[3] * 3 + (uint64_t) isa);
		same(&whole, &other);
		buffer_free(&other);
		json_reader_free(reader);
	}
	codec_isa_limit(CODEC_ISA_AVX2);
	buffer_free(&whole);
	return 0;
}
