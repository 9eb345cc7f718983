/*-------------------------------------------------------------------------
 *
 * csv_writer.c
 *	  Records to CSV (RFC 4180).
 *
 * IDENTIFICATION
 *	  src/codec/csv_writer.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/csv_writer.h"
#include "codec/text.h"

/* bytes that make a field need quotes */
static const bool needs_quotes[256] = {
	[','] = true,
	['"'] = true,
	['\n'] = true,
	['\r'] = true
};

static void
append_text(ByteBuffer *out, const char *text, size_t length)
{
	size_t		i;
	size_t		start = 0;

	for (i = 0; i < length; i++)
		if (needs_quotes[(unsigned char) text[i]])
			break;
	/* what begins a file like a byte order mark would be taken for one */
	if (i == length && length > 0 &&
		!(out->length == 0 && length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0))
	{
		buffer_append(out, text, length);
		return;
	}

	buffer_append_char(out, '"');
	for (; i < length; i++)
		if (text[i] == '"')
		{
			/* up to and with the quote, which then starts the next run */
			buffer_append(out, text + start, i + 1 - start);
			start = i;
		}
	buffer_append(out, text + start, length - start);
	buffer_append_char(out, '"');
}

void
csv_write_header(ByteBuffer *out, const char *const *names, size_t ncolumns)
{
	size_t		i;

	for (i = 0; i < ncolumns; i++)
	{
		if (i > 0)
			buffer_append_char(out, ',');
		append_text(out, names[i], strlen(names[i]));
	}
	buffer_append_char(out, '\n');
}

void
csv_write_record(ByteBuffer *out, const Cell *const *columns,
				 const FieldType *types, size_t ncolumns, uint32_t row)
{
	size_t		i;

	for (i = 0; i < ncolumns; i++)
	{
		const Cell *cell = &columns[i][row];

		if (i > 0)
			buffer_append_char(out, ',');
		if (cell->kind == CELL_NULL)
			continue;
		if (cell_is_text(cell))
			append_text(out, cell->data, cell->length);
		else if (buffer_reserve(out, CELL_TEXT_MAX))
			out->length += text_format_cell(cell, types[i], out->data + out->length);
	}
	buffer_append_char(out, '\n');
}
