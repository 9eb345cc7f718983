/*-------------------------------------------------------------------------
 *
 * csv_reader.c
 *	  Streaming reader of CSV with a header row (RFC 4180).
 *
 * The bytes that mean something (delimiter, quote, line ends; also NUL, which
 * is an error) are found 64 at a time as a bit mask, and rows are cut along
 * its bits.  A row that was cut off by the end of the data is read again from
 * its beginning when more has come.
 *
 * IDENTIFICATION
 *	  src/codec/csv_reader.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/csv_reader.h"
#include "codec/isa.h"
#include "codec/text.h"

#define BLOCK 64

/* an incomplete row is read anew with every byte that comes up to this size */
#define PENDING_MIN ((size_t) 64 * 1024)

typedef enum RowStep
{
	ROW_OK,
	ROW_MORE,
	ROW_ERROR
} RowStep;

/* the search for the bytes that mean something */
typedef struct Cursor
{
	const char *block;			/* the block that mask is of */
	const char *next_block;
	const char *end;
	uint64_t	mask;			/* bits of bytes still to come */
	bool		non_ascii;		/* in this block or since the row began */
	bool		block_non_ascii;
} Cursor;

struct CsvReader
{
	char		delimiter;
	CodecIsa	isa;
	bool		begun;			/* the byte order mark is behind us */
	bool		has_header;
	bool		bound;
	bool		failed;
	char	  **names;
	size_t		nfields;
	size_t		names_allocated;
	int32_t    *column_of_field;

	bool		bare_returns;	/* a CR without LF is text, not a line end */

	const char *mark;			/* done up to here in the data of this call */
	uint64_t	offset;			/* of mark in the object */
	uint64_t	line;

	/* what is known of a large row that has not arrived completely */
	size_t		tried;			/* length when it was last read; 0: none */
	size_t		scanned;
	bool		in_quotes;

	/* the call's arguments */
	const char *end;
	bool		final;
	Arena	   *arena;
	Cell *const *columns;

	bool		newline_inside;	/* a quoted field of the row contains a line end */

	const char *error_at;
	CodecError	error;
};

CsvReader *
csv_reader_create(char delimiter)
{
	CsvReader  *reader;

	if (delimiter == '"' || delimiter == '\n' || delimiter == '\r' ||
		delimiter == '\0' || (unsigned char) delimiter >= 0x80)
		return NULL;
	reader = calloc(1, sizeof(CsvReader));
	if (reader == NULL)
		return NULL;
	reader->delimiter = delimiter;
	reader->isa = codec_isa();
	csv_reader_restart(reader);
	return reader;
}

void
csv_reader_keep_returns(CsvReader *reader)
{
	reader->bare_returns = true;
}

void
csv_reader_restart(CsvReader *reader)
{
	size_t		i;

	for (i = 0; i < reader->nfields; i++)
		free(reader->names[i]);
	reader->nfields = 0;
	free(reader->column_of_field);
	reader->column_of_field = NULL;
	reader->begun = false;
	reader->has_header = false;
	reader->bound = false;
	reader->failed = false;
	reader->offset = 0;
	reader->line = 1;
	reader->tried = 0;
	reader->scanned = 0;
	reader->in_quotes = false;
	memset(&reader->error, 0, sizeof(reader->error));
}

void
csv_reader_free(CsvReader *reader)
{
	if (reader == NULL)
		return;
	csv_reader_restart(reader);
	free(reader->names);
	free(reader);
}

size_t
csv_reader_nfields(const CsvReader *reader)
{
	return reader->nfields;
}

const char *
csv_reader_field(const CsvReader *reader, size_t i)
{
	return i < reader->nfields ? reader->names[i] : NULL;
}

bool
csv_reader_bind(CsvReader *reader, const int32_t *column_of_field)
{
	size_t		size = (reader->nfields + 1) * sizeof(int32_t);
	int32_t    *copy = malloc(size);

	if (copy == NULL)
		return false;
	if (reader->nfields > 0)
		memcpy(copy, column_of_field, reader->nfields * sizeof(int32_t));
	free(reader->column_of_field);
	reader->column_of_field = copy;
	reader->bound = true;
	return true;
}

const CodecError *
csv_reader_error(const CsvReader *reader)
{
	return &reader->error;
}

static RowStep fail(CsvReader *reader, const char *at, const char *format, ...)
			__attribute__((format(printf, 3, 4), cold));

static RowStep
fail(CsvReader *reader, const char *at, const char *format, ...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(reader->error.message, sizeof(reader->error.message), format, args);
	va_end(args);
	reader->error_at = at;
	return ROW_ERROR;
}

/* ---------- the mask ---------- */

/* the bits of 64 bytes, and whether any is above ASCII */
static inline uint64_t
block_mask(const char *p, char delimiter, CodecIsa isa, bool *non_ascii)
{
	uint64_t	mask = 0;
	int			i;

#ifdef CODEC_X86
	if (isa != CODEC_ISA_SCALAR)
	{
		uint64_t	high = 0;

		for (i = 0; i < BLOCK; i += 16)
		{
			__m128i		v = _mm_loadu_si128((const __m128i *) (p + i));
			__m128i		hit = _mm_or_si128(
										   _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(delimiter)),
														_mm_cmpeq_epi8(v, _mm_set1_epi8('"'))),
										   _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')),
																	 _mm_cmpeq_epi8(v, _mm_set1_epi8('\r'))),
														_mm_cmpeq_epi8(v, _mm_setzero_si128())));

			mask |= (uint64_t) (unsigned) _mm_movemask_epi8(hit) << i;
			high |= (uint64_t) (unsigned) _mm_movemask_epi8(v) << i;
		}
		*non_ascii = high != 0;
		return mask;
	}
#endif
	*non_ascii = false;
	for (i = 0; i < BLOCK; i++)
	{
		char		c = p[i];

		if (c == delimiter || c == '"' || c == '\n' || c == '\r' || c == '\0')
			mask |= UINT64_C(1) << i;
		*non_ascii |= (unsigned char) c >= 0x80;
	}
	return mask;
}

static void
next_block(Cursor *cursor, char delimiter, CodecIsa isa)
{
	size_t		left = (size_t) (cursor->end - cursor->next_block);

	cursor->block = cursor->next_block;
	if (left >= BLOCK)
	{
		cursor->mask = block_mask(cursor->block, delimiter, isa, &cursor->block_non_ascii);
		cursor->next_block += BLOCK;
	}
	else
	{
		char		copy[BLOCK];

		memset(copy, ' ', sizeof(copy));
		memcpy(copy, cursor->block, left);
		cursor->mask = block_mask(copy, delimiter, isa, &cursor->block_non_ascii) &
			((UINT64_C(1) << left) - 1);
		cursor->next_block = cursor->end;
	}
	cursor->non_ascii |= cursor->block_non_ascii;
}

/* the next byte that means something, or the end */
static inline const char *
next_special(Cursor *cursor, char delimiter, CodecIsa isa)
{
	const char *p;

	while (cursor->mask == 0)
	{
		if (cursor->next_block == cursor->end)
			return cursor->end;
		next_block(cursor, delimiter, isa);
	}
	p = cursor->block + __builtin_ctzll(cursor->mask);
	cursor->mask &= cursor->mask - 1;
	return p;
}

/* ---------- rows ---------- */

/* double quotes stand for one */
static size_t
unquote(const char *text, size_t length, char *out)
{
	const char *end = text + length;
	char	   *o = out;

	while (text < end)
	{
		const char *quote = memchr(text, '"', (size_t) (end - text));
		size_t		run = (size_t) ((quote ? quote + 1 : end) - text);

		memcpy(o, text, run);
		o += run;
		text += run + (quote != NULL);
	}
	return (size_t) (o - out);
}

static RowStep
add_name(CsvReader *reader, const char *at, const char *text, size_t length, bool doubled)
{
	char	   *name;

	if (length == 0)
		return fail(reader, at, "field %zu of the header has no name", reader->nfields + 1);
	if (reader->nfields == reader->names_allocated)
	{
		size_t		allocate = reader->names_allocated ? reader->names_allocated * 2 : 32;
		char	  **names = realloc(reader->names, allocate * sizeof(char *));

		if (names == NULL)
			return fail(reader, at, "out of memory");
		reader->names = names;
		reader->names_allocated = allocate;
	}
	name = malloc(length + 1);
	if (name == NULL)
		return fail(reader, at, "out of memory");
	if (doubled)
		length = unquote(text, length, name);
	else
		memcpy(name, text, length);
	name[length] = '\0';
	reader->names[reader->nfields++] = name;
	return ROW_OK;
}

/* field n of a row (or of the header) is done */
static inline RowStep
put_field(CsvReader *reader, size_t n, uint32_t row, bool header,
		  const char *text, size_t length, bool quoted, bool doubled)
{
	int32_t		column;
	Cell	   *cell;

	if (header)
		return add_name(reader, text - quoted, text, length, doubled);
	column = reader->column_of_field[n];
	if (column < 0)
		return ROW_OK;
	cell = &reader->columns[column][row];
	if (length > UINT32_MAX)
		return fail(reader, text - quoted, "value is longer than 4 GB");
	if (doubled)
	{
		char	   *copy = arena_alloc(reader->arena, length);

		if (copy == NULL)
			return fail(reader, text - quoted, "out of memory");
		length = unquote(text, length, copy);
		text = copy;
	}
	if (length == 0 && !quoted)
		*cell = cell_null();
	else
		*cell = cell_text(CELL_STRING, text, (uint32_t) length);
	return ROW_OK;
}

/* the row at mark; *row_end is behind its line end; *empty: nothing is on the line */
static RowStep
read_row(CsvReader *reader, Cursor *cursor, uint32_t row, bool header,
		 const char **row_end, bool *empty)
{
	const char	delimiter = reader->delimiter;
	const CodecIsa isa = reader->isa;
	const char *p = reader->mark;
	const char *end = reader->end;
	size_t		nfields = header ? SIZE_MAX : reader->nfields;
	size_t		n = 0;

	*empty = false;
	reader->newline_inside = false;
	for (;;)
	{
		const char *text = p;
		const char *stop;		/* behind the field's text */
		const char *at;			/* what ends the field */
		bool		quoted = false;
		bool		doubled = false;
		RowStep		step;

		at = next_special(cursor, delimiter, isa);
		if (at < end && *at == '"' && at == p)
		{
			quoted = true;
			text = p + 1;
			for (;;)
			{
				at = next_special(cursor, delimiter, isa);
				if (at == end)
				{
					if (!reader->final)
						return ROW_MORE;
					return fail(reader, p, "quoted field has no closing quote");
				}
				if (*at == '\0')
					return fail(reader, at, "NUL byte, which PostgreSQL cannot store");
				if (*at != '"')
				{
					reader->newline_inside |= *at != delimiter;
					continue;
				}
				if (at + 1 == end && !reader->final)
					return ROW_MORE;
				if (at + 1 == end || at[1] != '"')
					break;
				doubled = true;
				next_special(cursor, delimiter, isa);
			}
			stop = at++;
			if (at < end && *at != delimiter && *at != '\n' && *at != '\r')
				return fail(reader, at, "text behind the closing quote of a field");
			if (at < end)
				next_special(cursor, delimiter, isa);
		}
		else
		{
			while (reader->bare_returns && at + 1 < end && *at == '\r' && at[1] != '\n')
				at = next_special(cursor, delimiter, isa);
			stop = at;
		}

		if (at == end)
		{
			if (!reader->final)
				return ROW_MORE;
		}
		else if (*at == '"')
			return fail(reader, at, "quote inside a field that does not begin with one");
		else if (*at == '\0')
			return fail(reader, at, "NUL byte, which PostgreSQL cannot store");
		else if (*at == '\r' && at + 1 == end && !reader->final)
			return ROW_MORE;

		if (n == 0 && !quoted && stop == text && (at == end || *at != delimiter) &&
			!header && nfields > 1)
			*empty = true;
		else if (n >= nfields)
			return fail(reader, text - quoted, "row has more fields than the header, which has %zu",
						nfields);
		else
		{
			step = put_field(reader, n, row, header, text, (size_t) (stop - text), quoted, doubled);
			if (step != ROW_OK)
				return step;
		}
		n++;

		if (at < end && *at == delimiter)
		{
			p = at + 1;
			continue;
		}
		if (n < nfields && !header && !*empty)
			return fail(reader, at, "row has %zu %s, the header has %zu",
						n, n == 1 ? "field" : "fields", nfields);
		if (at < end && *at++ == '\r' && at < end && *at == '\n')
		{
			next_special(cursor, delimiter, isa);
			at++;
		}
		*row_end = at;
		return ROW_OK;
	}
}

/* line ends between two places; *line_start is set behind the last one */
static uint64_t
count_lines(const char *p, const char *to, const char *end, const char **line_start)
{
	uint64_t	lines = 0;

	for (; p < to; p++)
		if (*p == '\n' || (*p == '\r' && (p + 1 == end || p[1] != '\n')))
		{
			lines++;
			*line_start = p + 1;
		}
	return lines;
}

static void
locate_error(CsvReader *reader)
{
	CodecError *error = &reader->error;
	const char *line_start = reader->mark;

	error->offset = reader->offset + (uint64_t) (reader->error_at - reader->mark);
	error->line = reader->line + count_lines(reader->mark, reader->error_at, reader->end, &line_start);
	/* a row begins a line */
	error->column = (uint64_t) (reader->error_at - line_start) + 1;
}

/* what the row contains must be UTF-8, up to where it was read */
static RowStep
check_text(CsvReader *reader, const char *to)
{
	size_t		length = (size_t) (to - reader->mark);
	size_t		valid = text_utf8_check(reader->mark, length);

	if (valid == length)
		return ROW_OK;
	return fail(reader, reader->mark + valid, "invalid UTF-8: byte 0x%02x",
				(unsigned char) reader->mark[valid]);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* the header is read: no name may occur twice */
static RowStep
check_header(CsvReader *reader)
{
	const char **sorted = malloc((reader->nfields + 1) * sizeof(char *));
	RowStep		step = ROW_OK;
	size_t		i;

	if (sorted == NULL)
		return fail(reader, reader->mark, "out of memory");
	if (reader->nfields > 0)
		memcpy(sorted, reader->names, reader->nfields * sizeof(char *));
	qsort(sorted, reader->nfields, sizeof(char *), compare_names);
	for (i = 1; i < reader->nfields && step == ROW_OK; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
		{
			size_t		length = strnlen(sorted[i], 64);

			/* not in the middle of a character */
			if (length == 64)
				while (length > 0 && ((unsigned char) sorted[i][length] & 0xc0) == 0x80)
					length--;
			step = fail(reader, reader->mark, "header name \"%.*s\" occurs twice",
						(int) length, sorted[i]);
		}
	free(sorted);
	return step;
}

/* skip a byte order mark; false: its bytes may still be arriving */
static bool
begin_text(CsvReader *reader)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t		left = (size_t) (reader->end - reader->mark);

	if (left < 3 && !reader->final && memcmp(reader->mark, bom, left) == 0)
		return false;
	reader->begun = true;
	if (left >= 3 && memcmp(reader->mark, bom, 3) == 0)
	{
		reader->mark += 3;
		reader->offset += 3;
	}
	return true;
}

/*
 * Is it worth reading the row at mark?  A large row is read once its line end
 * has come, or its size has doubled, not with every piece.
 */
static bool
worth_trying(CsvReader *reader)
{
	size_t		length = (size_t) (reader->end - reader->mark);
	size_t		i;

	if (reader->final || reader->tried < PENDING_MIN || length >= reader->tried * 2)
		return true;
	for (i = reader->scanned; i < length; i++)
	{
		char		c = reader->mark[i];

		/* doubled quotes close and open again */
		if (c == '"')
			reader->in_quotes = !reader->in_quotes;
		else if ((c == '\n' || c == '\r') && !reader->in_quotes)
			return true;
	}
	reader->scanned = i;
	return false;
}

CsvStatus
csv_reader_read(CsvReader *reader,
				const char *data, size_t length, bool final,
				Arena *arena, Cell *const *columns,
				uint64_t *lines, uint32_t max_rows,
				CsvReadResult *result)
{
	CsvStatus	status = CSV_MORE;
	Cursor		cursor;

	result->rows = 0;
	result->consumed = 0;
	if (reader->failed)
		return CSV_ERROR;
	if (length == 0)
		return CSV_MORE;
	reader->mark = data;
	reader->end = data + length;
	reader->final = final;
	reader->arena = arena;
	reader->columns = columns;
	if (!worth_trying(reader))
		return CSV_MORE;
	if (!reader->begun && !begin_text(reader))
		return CSV_MORE;

	memset(&cursor, 0, sizeof(cursor));
	cursor.block = reader->mark;
	cursor.next_block = reader->mark;
	cursor.end = reader->end;

	while (reader->mark < reader->end)
	{
		bool		header = !reader->has_header;
		const char *row_end = reader->mark;
		bool		empty;
		RowStep		step;

		if (!header && !reader->bound)
		{
			fail(reader, reader->mark, "columns are not bound");
			status = CSV_ERROR;
			break;
		}
		if (!header && result->rows == max_rows)
		{
			status = CSV_FULL;
			break;
		}
		cursor.non_ascii = cursor.block_non_ascii;
		step = read_row(reader, &cursor, result->rows, header, &row_end, &empty);
		if (step == ROW_MORE)
		{
			/* the names of a header cut off are read again */
			if (header)
				while (reader->nfields > 0)
					free(reader->names[--reader->nfields]);
			reader->tried = (size_t) (reader->end - reader->mark);
			break;
		}
		/* whichever comes first is the error */
		if (cursor.non_ascii)
		{
			RowStep		text_step = check_text(reader, step == ROW_ERROR ? reader->error_at : row_end);

			if (text_step != ROW_OK)
				step = text_step;
		}
		if (step == ROW_OK && header)
			step = check_header(reader);
		if (step == ROW_ERROR)
		{
			status = CSV_ERROR;
			break;
		}

		if (!header && !empty)
		{
			if (lines != NULL)
				lines[result->rows] = reader->line;
			result->rows++;
		}
		if (reader->newline_inside)
		{
			const char *line_start;

			reader->line += count_lines(reader->mark, row_end, reader->end, &line_start);
		}
		else
			reader->line++;
		reader->offset += (uint64_t) (row_end - reader->mark);
		reader->mark = row_end;
		reader->tried = 0;
		reader->scanned = 0;
		reader->in_quotes = false;
		if (header)
		{
			reader->has_header = true;
			status = CSV_HEADER;
			break;
		}
	}

	if (status == CSV_MORE && reader->has_header && result->rows == max_rows)
		status = CSV_FULL;
	result->consumed = (size_t) (reader->mark - data);
	if (status == CSV_ERROR)
	{
		locate_error(reader);
		reader->failed = true;
	}
	return status;
}
