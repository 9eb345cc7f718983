/*-------------------------------------------------------------------------
 *
 * convert_forms.c
 *	  Conversion to the types whose values are text of a certain form: UUID,
 *	  bytes as base64, JSON.
 *
 * IDENTIFICATION
 *	  src/record/convert_forms.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "codec/text.h"
#include "record/convert_forms.h"

/* documents nested deeper than this count as text, as the JSON reader refuses them */
#define JSON_MAX_DEPTH 64

/* ---------- UUIDs and bytes ---------- */

static inline int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* as PostgreSQL takes it: hyphens after any group of four digits, braces around; out in canonical form */
char *
convert_to_uuid(Batch *batch, Cell *cell)
{
	static const char hex[] = "0123456789abcdef";
	const char *p = cell->data;
	uint32		length = cell->length;
	char		text[36];
	int			n = 0;
	int			digits = 0;
	bool		same = length == 36;

	if (cell->kind != CELL_STRING)
		return convert_refuse_kind(cell, "a UUID");
	if (length >= 2 && p[0] == '{' && p[length - 1] == '}')
	{
		p++;
		length -= 2;
	}
	for (uint32 i = 0; i < length; i++)
	{
		int			digit = hex_digit(p[i]);

		if (p[i] == '-' && digits > 0 && digits < 32 && digits % 4 == 0 && p[i - 1] != '-')
			continue;
		if (digit < 0 || digits == 32)
			return convert_refuse(cell, FIELD_UUID, "%s is not a UUID");
		if (digits == 8 || digits == 12 || digits == 16 || digits == 20)
			text[n++] = '-';
		text[n++] = hex[digit];
		digits++;
	}
	if (digits != 32)
		return convert_refuse(cell, FIELD_UUID, "%s is not a UUID");
	if (!same || memcmp(cell->data, text, 36) != 0)
		*cell = cell_text(CELL_STRING, batch_copy(batch, text, 36), 36);
	return NULL;
}

static inline int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (is_digit(c))
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

static const char base64_digits[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* three bytes a time into four digits; returns the end of what was written */
static char *
base64_encode(char *out, const unsigned char *data, size_t length)
{
	size_t		i;

	for (i = 0; i + 3 <= length; i += 3)
	{
		uint32		bits = (uint32) data[i] << 16 | (uint32) data[i + 1] << 8 | data[i + 2];

		*out++ = base64_digits[bits >> 18];
		*out++ = base64_digits[bits >> 12 & 63];
		*out++ = base64_digits[bits >> 6 & 63];
		*out++ = base64_digits[bits & 63];
	}
	if (i < length)
	{
		bool		two = i + 1 < length;
		uint32		bits = (uint32) data[i] << 16 | (two ? (uint32) data[i + 1] << 8 : 0);

		*out++ = base64_digits[bits >> 18];
		*out++ = base64_digits[bits >> 12 & 63];
		*out++ = two ? base64_digits[bits >> 6 & 63] : '=';
		*out++ = '=';
	}
	return out;
}

Cell
cell_from_bytes(Batch *batch, const void *data, size_t length)
{
	char	   *text = batch_alloc(batch, (length + 2) / 3 * 4);

	return cell_text(CELL_STRING, text, base64_encode(text, data, length) - text);
}

size_t
cell_base64_decode(const Cell *cell, void *out)
{
	const char *p = cell->data;
	unsigned char *o = out;

	for (uint32 i = 0; i + 4 <= cell->length; i += 4, p += 4)
	{
		uint32		bits = (uint32) base64_value(p[0]) << 18 | (uint32) base64_value(p[1]) << 12;

		*o++ = bits >> 16;
		if (p[2] == '=')
			break;
		bits |= (uint32) base64_value(p[2]) << 6;
		*o++ = bits >> 8 & 255;
		if (p[3] == '=')
			break;
		bits |= (uint32) base64_value(p[3]);
		*o++ = bits & 255;
	}
	return o - (unsigned char *) out;
}

/*
 * Base64 with padding, with or without line breaks; also PostgreSQL's own
 * hexadecimal form (\x...), which base64 cannot be mistaken for.
 */
char *
convert_to_binary(Batch *batch, Cell *cell)
{
	const char *p = cell->data;
	uint32		length = cell->length;
	uint32		ndigits = 0;
	uint32		nbreaks = 0;
	uint32		npadding = 0;
	char		last = 'A';

	if (cell->kind != CELL_STRING)
		return convert_refuse_kind(cell, "base64");
	if (length >= 2 && p[0] == '\\' && p[1] == 'x')
	{
		unsigned char *bytes;

		if (length % 2 != 0)
			return convert_refuse(cell, FIELD_BINARY, "%s has an odd number of hexadecimal digits");
		bytes = batch_alloc(batch, length / 2);
		for (uint32 i = 2; i < length; i += 2)
		{
			if (hex_digit(p[i]) < 0 || hex_digit(p[i + 1]) < 0)
				return convert_refuse(cell, FIELD_BINARY, "%s is not base64");
			bytes[i / 2 - 1] = hex_digit(p[i]) << 4 | hex_digit(p[i + 1]);
		}
		*cell = cell_from_bytes(batch, bytes, length / 2 - 1);
		return NULL;
	}
	for (uint32 i = 0; i < length; i++)
	{
		if (p[i] == '\n' || p[i] == '\r')
			nbreaks++;
		else if (p[i] == '=' && npadding < 2)
			npadding++;
		else if (base64_value(p[i]) >= 0 && npadding == 0)
		{
			ndigits++;
			last = p[i];
		}
		else
			return convert_refuse(cell, FIELD_BINARY, "%s is not base64");
	}

	/* bits beyond the last byte must be zero: otherwise something was cut */
	if ((ndigits + npadding) % 4 != 0 || (npadding > 0 && ndigits % 4 < 2) ||
		(npadding == 1 && (base64_value(last) & 3) != 0) ||
		(npadding == 2 && (base64_value(last) & 15) != 0))
		return convert_refuse(cell, FIELD_BINARY, "%s is not base64");
	if (nbreaks > 0)
	{
		char	   *text = batch_alloc(batch, ndigits + npadding);
		uint32		n = 0;

		for (uint32 i = 0; i < length; i++)
		{
			if (p[i] != '\n' && p[i] != '\r')
				text[n++] = p[i];
		}
		*cell = cell_text(CELL_STRING, text, n);
	}
	return NULL;
}

/* ---------- JSON ---------- */

/* the end of a string's text that starts behind its quote, or NULL */
static const char *
skip_json_string(const char *p, const char *end)
{
	for (; p < end; p++)
	{
		if (*p == '"')
			return p + 1;
		if ((unsigned char) *p < 0x20)
			return NULL;
		if (*p != '\\')
			continue;
		if (++p == end)
			return NULL;
		if (*p == 'u')
		{
			if (end - p < 5)
				return NULL;
			for (int i = 1; i <= 4; i++)
			{
				if (hex_digit(p[i]) < 0)
					return NULL;
			}
			p += 4;
		}
		else if (*p == '\0' || strchr("\"\\/bfnrt", *p) == NULL)
			return NULL;
	}
	return NULL;
}

static inline const char *
skip_json_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* whether text is one JSON object or array (RFC 8259); no recursion, so no depth hurts */
static bool
is_json_document(const char *data, uint32 length)
{
	const char *p = data;
	const char *end = data + length;
	char		stack[JSON_MAX_DEPTH];
	int			depth = 0;

	for (;;)
	{
		/* a value, or the end of an empty object or array */
		p = skip_json_space(p, end);
		if (p == end)
			return false;
		if (*p == '{' || *p == '[')
		{
			char		close = *p == '{' ? '}' : ']';

			if (depth == JSON_MAX_DEPTH)
				return false;
			stack[depth++] = close;
			p = skip_json_space(p + 1, end);
			if (p == end)
				return false;
			if (*p != close)
			{
				if (close == ']')
					continue;
				goto member;
			}
		}
		else if (depth == 0)
			return false;
		else if (*p == '"')
		{
			p = skip_json_string(p + 1, end);
			if (p == NULL)
				return false;
			goto after_value;
		}
		else
		{
			const char *start = p;
			size_t		n;

			while (p < end && strchr(" \n\r\t,]}", *p) == NULL)
				p++;
			n = p - start;
			if (!(n == 4 && memcmp(start, "true", 4) == 0) &&
				!(n == 5 && memcmp(start, "false", 5) == 0) &&
				!(n == 4 && memcmp(start, "null", 4) == 0) &&
				!text_is_number(start, n))
				return false;
			goto after_value;
		}

		/* here p is at the bracket that closes an empty object or array */
close:
		p++;
		depth--;
after_value:
		p = skip_json_space(p, end);
		if (depth == 0)
			return p == end;
		if (p == end)
			return false;
		if (*p == stack[depth - 1])
			goto close;
		if (*p != ',')
			return false;
		p = skip_json_space(p + 1, end);
		if (stack[depth - 1] == ']')
			continue;
member:
		if (p == end || *p != '"')
			return false;
		p = skip_json_string(p + 1, end);
		if (p == NULL)
			return false;
		p = skip_json_space(p, end);
		if (p == end || *p != ':')
			return false;
		p++;
	}
}

/*
 * Text that is a whole JSON object or array counts as one (CSV has no other
 * way to give it); any other text is a JSON string.
 */
char *
convert_to_json(Batch *batch, Cell *cell, FieldType source)
{
	switch (cell->kind)
	{
		case CELL_STRING:
			if (cell->length >= 2)
			{
				const char *p = skip_json_space(cell->data, cell->data + cell->length);

				if (p < cell->data + cell->length && (*p == '{' || *p == '[') &&
					is_json_document(cell->data, cell->length))
					cell->kind = CELL_JSON;
			}
			return NULL;
		case CELL_INTEGER:
		case CELL_DOUBLE:
		case CELL_DATE:
		case CELL_TIMESTAMP:
			{
				char	   *text = batch_alloc(batch, CELL_TEXT_MAX);
				size_t		length = text_format_cell(cell, source, text);
				bool		number = cell->kind == CELL_INTEGER ||
					(cell->kind == CELL_DOUBLE && !isnan(cell->real) && !isinf(cell->real));

				*cell = cell_text(number ? CELL_NUMBER : CELL_STRING, text, length);
			}
			return NULL;
		default:
			return NULL;
	}
}
