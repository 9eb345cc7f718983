/*-------------------------------------------------------------------------
 *
 * json_writer.c
 *	  Records to JSON text: one object a line, members in column order.
 *
 * IDENTIFICATION
 *	  src/codec/json_writer.c
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "codec/json_writer.h"
#include "codec/isa.h"
#include "codec/text.h"

struct JsonWriter
{
	size_t		ncolumns;
	FieldType  *types;
	ByteBuffer		keys;			/* {"first":  ,"second":  ... one after another */
	size_t	   *key_ends;		/* where in keys the text of each column ends */
};

/* 0: as it is; 'u': \u00XX; otherwise the letter behind the backslash */
static const char escape_of[256] = {
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
	['"'] = '"',
	['\\'] = '\\'
};

/* offset of the first byte that must be escaped, or length */
static size_t
find_escape(const char *text, size_t length)
{
	size_t		i = 0;

#ifdef CODEC_X86
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);

	for (; i + 16 <= length; i += 16)
	{
		__m128i		v = _mm_loadu_si128((const __m128i *) (text + i));
		__m128i		hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote),
													_mm_cmpeq_epi8(v, backslash)),
									   _mm_cmpeq_epi8(_mm_max_epu8(v, control), control));
		unsigned	mask = (unsigned) _mm_movemask_epi8(hit);

		if (mask != 0)
			return i + (size_t) __builtin_ctz(mask);
	}
#endif
	for (; i < length; i++)
		if (escape_of[(unsigned char) text[i]] != 0)
			break;
	return i;
}

void
json_append_string(ByteBuffer *out, const char *text, size_t length)
{
	/* what needs no escape fits; every escape makes room for itself */
	if (!buffer_reserve(out, length + 2))
		return;
	out->data[out->length++] = '"';
	for (;;)
	{
		size_t		run = find_escape(text, length);
		unsigned char c;

		if (run > 0)
		{
			memcpy(out->data + out->length, text, run);
			out->length += run;
		}
		if (run == length)
			break;
		c = (unsigned char) text[run];
		text += run + 1;
		length -= run + 1;
		if (!buffer_reserve(out, length + 8))
			return;
		out->data[out->length++] = '\\';
		out->data[out->length++] = escape_of[c];
		if (escape_of[c] == 'u')
		{
			static const char hex[] = "0123456789abcdef";

			out->data[out->length++] = '0';
			out->data[out->length++] = '0';
			out->data[out->length++] = hex[c >> 4];
			out->data[out->length++] = hex[c & 15];
		}
	}
	out->data[out->length++] = '"';
}

/*
 * JSON text as it came, but on one line: line ends can only be white space
 * between its tokens.
 */
static void
append_json(ByteBuffer *out, const char *text, size_t length)
{
	size_t		start = out->length;
	size_t		i;

	buffer_append(out, text, length);
	if (memchr(text, '\n', length) == NULL && memchr(text, '\r', length) == NULL)
		return;
	for (i = start; i < out->length; i++)
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
}

void
json_append_cell(ByteBuffer *out, const Cell *cell, FieldType type)
{
	bool		quoted = false;

	switch ((CellKind) cell->kind)
	{
		case CELL_NULL:
			buffer_append(out, "null", 4);
			return;
		case CELL_STRING:
			json_append_string(out, cell->data, cell->length);
			return;
		case CELL_NUMBER:
			buffer_append(out, cell->data, cell->length);
			return;
		case CELL_JSON:
			append_json(out, cell->data, cell->length);
			return;
		case CELL_BOOLEAN:
			if (cell->integer)
				buffer_append(out, "true", 4);
			else
				buffer_append(out, "false", 5);
			return;
		case CELL_INTEGER:
			break;
		case CELL_DOUBLE:
			quoted = !isfinite(cell->real);
			break;
		case CELL_DATE:
		case CELL_TIMESTAMP:
			quoted = true;
			break;
	}

	if (!buffer_reserve(out, CELL_TEXT_MAX + 2))
		return;
	if (quoted)
		out->data[out->length++] = '"';
	out->length += text_format_cell(cell, type, out->data + out->length);
	if (quoted)
		out->data[out->length++] = '"';
}

JsonWriter *
json_writer_create(const char *const *names, const FieldType *types, size_t ncolumns)
{
	JsonWriter *writer = calloc(1, sizeof(JsonWriter));
	size_t		i;

	if (writer == NULL)
		return NULL;
	writer->ncolumns = ncolumns;
	writer->types = malloc((ncolumns + 1) * sizeof(FieldType));
	writer->key_ends = malloc((ncolumns + 1) * sizeof(size_t));
	if (writer->types == NULL || writer->key_ends == NULL)
	{
		json_writer_free(writer);
		return NULL;
	}
	for (i = 0; i < ncolumns; i++)
	{
		writer->types[i] = types[i];
		buffer_append_char(&writer->keys, i == 0 ? '{' : ',');
		json_append_string(&writer->keys, names[i], strlen(names[i]));
		buffer_append_char(&writer->keys, ':');
		writer->key_ends[i] = writer->keys.length;
	}
	if (writer->keys.failed)
	{
		json_writer_free(writer);
		return NULL;
	}
	return writer;
}

void
json_writer_record(JsonWriter *writer, ByteBuffer *out,
				   const Cell *const *columns, uint32_t row)
{
	size_t		start = 0;
	size_t		i;

	for (i = 0; i < writer->ncolumns; i++)
	{
		buffer_append(out, writer->keys.data + start, writer->key_ends[i] - start);
		start = writer->key_ends[i];
		json_append_cell(out, &columns[i][row], writer->types[i]);
	}
	if (writer->ncolumns == 0)
		buffer_append_char(out, '{');
	buffer_append(out, "}\n", 2);
}

void
json_writer_free(JsonWriter *writer)
{
	if (writer == NULL)
		return;
	free(writer->types);
	free(writer->key_ends);
	buffer_free(&writer->keys);
	free(writer);
}
