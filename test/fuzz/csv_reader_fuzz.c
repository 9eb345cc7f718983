/*
 * csv_reader_fuzz.c
 *	  The CSV reader on hostile input.  What must hold, besides no crash: the
 *	  same rows, errors and places however the input is cut and with every
 *	  instruction set; and what was read, written and read again is the same.
 *
 * The first two bytes choose delimiter and cuts.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/buffer.h"
#include "codec/csv_reader.h"
#include "codec/csv_writer.h"
#include "codec/isa.h"
#include "codec/text.h"

#define ROWS 3
#define FIELDS_MAX 64

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/*
 * All that is read, as text; also rewritten by the CSV writer.  False if there
 * was an error.
 */
static bool
run(char delimiter, const char *text, size_t length, uint64_t cuts, ByteBuffer *out, ByteBuffer *rewritten)
{
	CsvReader  *reader = csv_reader_create(delimiter);
	Arena	   *arena = arena_create();
	Cell	   *columns[FIELDS_MAX];
	FieldType	types[FIELDS_MAX] = {FIELD_STRING};
	uint64_t	lines[ROWS];
	size_t		ncolumns = 0;
	size_t		start = 0;
	size_t		stop = cuts ? 0 : length;
	bool		good = true;
	size_t		i;

	for (i = 0; i < FIELDS_MAX; i++)
		columns[i] = malloc(ROWS * sizeof(Cell));
	for (;;)
	{
		/* of exactly the size, so that a read past it is seen */
		char	   *piece = malloc(stop > start ? stop - start : 1);
		CsvReadResult result;
		CsvStatus	status;
		uint32_t	row;

		memcpy(piece, text + start, stop - start);
		status = csv_reader_read(reader, piece, stop - start, stop == length,
								 arena, columns, lines, ROWS, &result);
		if (result.consumed > stop - start || result.rows > ROWS)
			abort();
		start += result.consumed;
		if (status == CSV_HEADER)
		{
			size_t		nfields = csv_reader_nfields(reader);
			int32_t    *binding = malloc((nfields + 1) * sizeof(int32_t));
			const char *names[FIELDS_MAX];

			ncolumns = nfields < FIELDS_MAX ? nfields : FIELDS_MAX;
			for (i = 0; i < nfields; i++)
			{
				binding[i] = i < FIELDS_MAX ? (int32_t) i : -1;
				print(out, "%zu ", strlen(csv_reader_field(reader, i)));
				buffer_append_string(out, csv_reader_field(reader, i));
				if (i < FIELDS_MAX)
					names[i] = csv_reader_field(reader, i);
			}
			csv_reader_bind(reader, binding);
			csv_write_header(rewritten, names, ncolumns);
			free(binding);
		}
		for (row = 0; row < result.rows; row++)
		{
			print(out, "%llu:", (unsigned long long) lines[row]);
			for (i = 0; i < ncolumns; i++)
			{
				const Cell *cell = &columns[i][row];

				print(out, "%d,", cell->kind);
				if (cell->kind == CELL_NULL)
					continue;
				if (cell->kind != CELL_STRING ||
					text_utf8_check(cell->data, cell->length) != cell->length ||
					memchr(cell->data, 0, cell->length) != NULL)
					abort();
				print(out, "%u ", (unsigned) cell->length);
				buffer_append(out, cell->data, cell->length);
			}
			buffer_append_char(out, '\n');
			csv_write_record(rewritten, (const Cell *const *) columns, types, ncolumns, row);
		}
		arena_reset(arena);
		free(piece);
		if (status == CSV_ERROR)
		{
			const CodecError *e = csv_reader_error(reader);
			uint64_t	line = 1;
			size_t		line_start = 0;

			if (e->offset > length || e->message[0] == '\0')
				abort();
			for (i = 0; i < e->offset; i++)
				if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == length || text[i + 1] != '\n')))
				{
					line++;
					line_start = i + 1;
				}
			/* a byte order mark is in no column */
			if (line == 1 && e->offset >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
				line_start = 3;
			if (line != e->line || e->offset - line_start + 1 != e->column)
				abort();
			print(out, "%llu %s\n", (unsigned long long) e->offset, e->message);
			good = false;
			break;
		}
		if (status == CSV_MORE)
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
	for (i = 0; i < FIELDS_MAX; i++)
		free(columns[i]);
	arena_free(arena);
	csv_reader_free(reader);
	return good;
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
	static const char delimiters[] = {',', ';', '\t', '|'};
	const char *text = (const char *) data + 2;
	ByteBuffer		whole = {0};
	ByteBuffer		written = {0};
	ByteBuffer		other = {0};
	ByteBuffer		again = {0};
	char		delimiter;
	bool		good;
	int			isa;

	if (size < 2)
		return 0;
	size -= 2;
	delimiter = delimiters[data[0] & 3];
	good = run(delimiter, text, size, 0, &whole, &written);
	for (isa = CODEC_ISA_SCALAR; isa <= CODEC_ISA_AVX2; isa++)
	{
		codec_isa_limit((CodecIsa) isa);
		buffer_reset(&other);
		buffer_reset(&again);
		run(delimiter, text, size, (uint64_t) data[1] * 3 + (uint64_t) isa, &other, &again);
		same(&whole, &other);
		same(&written, &again);
	}
	codec_isa_limit(CODEC_ISA_AVX2);
	if (good)
	{
		buffer_reset(&other);
		buffer_reset(&again);
		if (!run(',', written.data ? written.data : "", written.length, 0, &other, &again))
			abort();
		same(&written, &again);
	}
	buffer_free(&whole);
	buffer_free(&written);
	buffer_free(&other);
	buffer_free(&again);
	return 0;
}
