/*-------------------------------------------------------------------------
 *
 * json_walk.c
 *	  The scalars of a record, and the walk over it (see json_internal.h).
 *
 * The walk itself is in json_walk.h, built for each instruction set.  Here is
 * what they share: rare forms, and every check that can fail.
 *
 * IDENTIFICATION
 *	  src/codec/json_walk.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>

#include "codec/isa.h"
#include "codec/json_internal.h"

/* bytes that stand for themselves in a string */
static const bool plain[256] = {
	[0x20 ... 0x21] = true,
	[0x23 ... 0x5b] = true,
	[0x5d ... 0x7f] = true
};

/* bytes that a string, number, true, false or null begins with */
static const bool begins_scalar[256] = {
	['"'] = true,
	['-'] = true,
	['0' ... '9'] = true,
	['t'] = true,
	['f'] = true,
	['n'] = true
};

/* ---------- errors ---------- */

JsonStep
json_fail(JsonWalk *walk, const char *at, const char *format, ...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(walk->message, sizeof(walk->message), format, args);
	va_end(args);
	walk->error_at = at;
	return STEP_ERROR;
}

static inline bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

JsonStep
json_fail_expected(JsonWalk *walk, const char *at, const char *expected)
{
	const char *p = at;

	if (at == walk->end)
		return json_more(walk, "a value");
	while (p < walk->end && is_word(*p) && p - at < 20)
		p++;
	if (p > at)
	{
		/* what is found must not depend on how much has arrived */
		if (p == walk->end && !walk->final && p - at < 20)
			return json_more(walk, "a value");
		return json_fail(walk, at, "expected %s, found \"%.*s\"", expected, (int) (p - at), at);
	}
	if (*at == '"')
		return json_fail(walk, at, "expected %s, found a string", expected);
	if (*at > 0x20 && *at < 0x7f)
		return json_fail(walk, at, "expected %s, found \"%c\"", expected, *at);
	return json_fail(walk, at, "expected %s, found byte 0x%02x", expected, (unsigned char) *at);
}

int
json_message_length(const JsonField *field)
{
	size_t		length = field->length;

	if (length > 64)
	{
		length = 64;
		while (length > 0 && ((unsigned char) field->name[length] & 0xc0) == 0x80)
			length--;
	}
	return (int) length;
}

/*
 * A second value for a field: the one that fewer names lead to wins; two of the
 * same rank are a duplicate.
 */
JsonStep
json_set_again(JsonWalk *walk, int32_t column, uint32_t depth,
			   const Cell *cell, const char *at)
{
	JsonSeen   *seen = &walk->seen[column];
	const JsonField *field = &walk->paths.fields[column];

	if (depth == seen->depth)
		return json_fail(walk, at, "field \"%.*s\" occurs twice in the record",
						 json_message_length(field), field->name);
	if (depth < seen->depth)
	{
		seen->depth = depth;
		walk->columns[column][walk->row] = *cell;
	}
	return STEP_OK;
}

/* ---------- strings ---------- */

/* four hexadecimal digits, or -1 */
static int
hex4(const char *p)
{
	int			value = 0;
	int			i;

	for (i = 0; i < 4; i++)
	{
		char		c = p[i];

		value <<= 4;
		if (c >= '0' && c <= '9')
			value |= c - '0';
		else if (c >= 'a' && c <= 'f')
			value |= c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value |= c - 'A' + 10;
		else
			return -1;
	}
	return value;
}

static JsonStep
check_unicode_escape(JsonWalk *walk, const char **position, unsigned *flags)
{
	const char *p = *position;	/* at the backslash */
	int			unit;

	if (walk->end - p < 6)
		return json_more(walk, "a string");
	unit = hex4(p + 2);
	if (unit < 0)
		return json_fail(walk, p, "\"\\u\" is not followed by four hexadecimal digits");
	if (unit == 0)
		*flags |= STRING_NUL;
	p += 6;
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return json_fail(walk, *position, "low surrogate \\u%04x does not follow a high surrogate",
						 (unsigned) unit);
	if (unit >= 0xd800 && unit <= 0xdbff)
	{
		int			low = -1;

		/* a byte that cannot begin the low one decides without the rest */
		if (p < walk->end && *p == '\\')
		{
			if (p + 1 < walk->end && p[1] == 'u')
			{
				if (walk->end - p < 6)
					return json_more(walk, "a string");
				low = hex4(p + 2);
			}
			else if (p + 1 == walk->end)
				return json_more(walk, "a string");
		}
		else if (p == walk->end)
			return json_more(walk, "a string");
		if (low < 0xdc00 || low > 0xdfff)
			return json_fail(walk, *position, "high surrogate \\u%04x is not followed by a low surrogate",
							 (unsigned) unit);
		p += 6;
	}
	*position = p;
	return STEP_OK;
}

/* characters above ASCII, as many as there are in a row */
static JsonStep
check_utf8(JsonWalk *walk, const char **position)
{
	const unsigned char *p = (const unsigned char *) *position;
	const unsigned char *end = (const unsigned char *) walk->end;

	while (p < end && *p >= 0x80)
	{
		size_t		need;
		bool		valid;

		need = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
		if (*p < 0xc2 || *p > 0xf4)
			valid = false;
		else if ((size_t) (end - p) < need)
			return json_more(walk, "a string");
		else if (need == 2)
			valid = (p[1] & 0xc0) == 0x80;
		else if (need == 3)
			valid = (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80 &&
				!(p[0] == 0xe0 && p[1] < 0xa0) && !(p[0] == 0xed && p[1] > 0x9f);
		else
			valid = (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80 &&
				!(p[0] == 0xf0 && p[1] < 0x90) && !(p[0] == 0xf4 && p[1] > 0x8f);
		if (!valid)
			return json_fail(walk, (const char *) p, "invalid UTF-8: byte 0x%02x", *p);
		p += need;
	}
	*position = (const char *) p;
	return STEP_OK;
}

JsonStep
json_string_special(JsonWalk *walk, const char **position, unsigned *flags)
{
	const char *p = *position;

	if ((unsigned char) *p >= 0x80)
		return check_utf8(walk, position);
	if (*p != '\\')
		return json_fail(walk, p, "control character 0x%02x in a string is not escaped",
						 (unsigned char) *p);
	*flags |= STRING_ESCAPED;
	if (p + 1 == walk->end)
		return json_more(walk, "a string");
	switch (p[1])
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			*position = p + 2;
			return STEP_OK;
		case 'u':
			return check_unicode_escape(walk, position, flags);
		default:
			if (p[1] > 0x20 && p[1] < 0x7f)
				return json_fail(walk, p, "unknown escape \"\\%c\" in a string", p[1]);
			return json_fail(walk, p, "unknown escape in a string: backslash and byte 0x%02x",
							 (unsigned char) p[1]);
	}
}

size_t
json_unescape(const char *text, size_t length, char *out)
{
	const char *end = text + length;
	char	   *o = out;

	while (text < end)
	{
		const char *backslash = memchr(text, '\\', (size_t) (end - text));
		size_t		run = (size_t) ((backslash ? backslash : end) - text);

		memmove(o, text, run);
		o += run;
		text += run;
		if (backslash == NULL)
			break;
		switch (text[1])
		{
			case 'b':
				*o++ = '\b';
				break;
			case 'f':
				*o++ = '\f';
				break;
			case 'n':
				*o++ = '\n';
				break;
			case 'r':
				*o++ = '\r';
				break;
			case 't':
				*o++ = '\t';
				break;
			case 'u':
				{
					unsigned	c = (unsigned) hex4(text + 2);

					text += 4;
					if (c >= 0xd800 && c <= 0xdbff)
					{
						c = 0x10000 + ((c - 0xd800) << 10) + ((unsigned) hex4(text + 4) - 0xdc00);
						text += 6;
					}
					if (c < 0x80)
						*o++ = (char) c;
					else if (c < 0x800)
					{
						*o++ = (char) (0xc0 | c >> 6);
						*o++ = (char) (0x80 | (c & 0x3f));
					}
					else if (c < 0x10000)
					{
						*o++ = (char) (0xe0 | c >> 12);
						*o++ = (char) (0x80 | (c >> 6 & 0x3f));
						*o++ = (char) (0x80 | (c & 0x3f));
					}
					else
					{
						*o++ = (char) (0xf0 | c >> 18);
						*o++ = (char) (0x80 | (c >> 12 & 0x3f));
						*o++ = (char) (0x80 | (c >> 6 & 0x3f));
						*o++ = (char) (0x80 | (c & 0x3f));
					}
					break;
				}
			default:
				*o++ = text[1];
		}
		text += 2;
	}
	return (size_t) (o - out);
}

/* a string between quotes as the value of a field */
static inline JsonStep
store_string(JsonWalk *walk, int32_t column, uint32_t depth,
			 const char *text, const char *end, unsigned flags)
{
	size_t		length = (size_t) (end - text);
	const char *data = text;

	if (length > UINT32_MAX)
		return json_fail(walk, text - 1, "value is longer than 4 GB");
	if (flags != 0)
	{
		char	   *copy;

		if (flags & STRING_NUL)
		{
			const JsonField *field = &walk->paths.fields[column];

			return json_fail(walk, text - 1, "value of field \"%.*s\" contains \\u0000, which PostgreSQL cannot store",
							 json_message_length(field), field->name);
		}
		copy = arena_alloc(walk->arena, length);
		if (copy == NULL)
			return json_fail(walk, text - 1, "out of memory");
		length = json_unescape(text, length, copy);
		data = copy;
	}
	return json_set(walk, column, depth, cell_text(CELL_STRING, data, (uint32_t) length), text - 1);
}

/* ---------- numbers and literals ---------- */

JsonStep
json_number(JsonWalk *walk, const char **position)
{
	const char *p = *position;
	const char *end = walk->end;

#define IS_DIGIT(p) (*(p) >= '0' && *(p) <= '9')
#define MORE_AT_END(p) \
	do { \
		if ((p) == end) \
			return json_more(walk, "a number"); \
	} while (0)

	if (*p == '-')
		p++;
	MORE_AT_END(p);
	if (!IS_DIGIT(p))
		return json_fail_expected(walk, p, "a digit");
	if (*p == '0')
	{
		p++;
		MORE_AT_END(p);
		if (IS_DIGIT(p))
			return json_fail(walk, *position, "number begins with a superfluous zero");
	}
	else
		while (p < end && IS_DIGIT(p))
			p++;
	MORE_AT_END(p);
	if (*p == '.')
	{
		p++;
		MORE_AT_END(p);
		if (!IS_DIGIT(p))
			return json_fail_expected(walk, p, "a digit behind the decimal point");
		while (p < end && IS_DIGIT(p))
			p++;
		MORE_AT_END(p);
	}
	if (*p == 'e' || *p == 'E')
	{
		p++;
		MORE_AT_END(p);
		if (*p == '+' || *p == '-')
			p++;
		MORE_AT_END(p);
		if (!IS_DIGIT(p))
			return json_fail_expected(walk, p, "a digit in the exponent");
		while (p < end && IS_DIGIT(p))
			p++;
		MORE_AT_END(p);
	}
	*position = p;
	return STEP_OK;

#undef IS_DIGIT
#undef MORE_AT_END
}

JsonStep
json_literal(JsonWalk *walk, const char **position)
{
	const char *p = *position;
	const char *word;
	size_t		length;
	size_t		left = (size_t) (walk->end - p);

	if (*p == 'n')
		word = "null";
	else if (*p == 't')
		word = "true";
	else if (*p == 'f')
		word = "false";
	else
		return json_fail_expected(walk, p, "a value");
	length = strlen(word);
	if (left >= length)
	{
		if (memcmp(p, word, length) != 0)
			return json_fail_expected(walk, p, "a value");
		*position = p + length;
		return STEP_OK;
	}
	if (memcmp(p, word, left) != 0)
		return json_fail_expected(walk, p, "a value");
	return json_more(walk, "a value");
}

/* ---------- the walk ---------- */

#define WALK_FUNCTION json_walk_scalar
#define WALK_STRING_END string_end_scalar
#define WALK_MATCH match_scalar
#define WALK_NUMBER_END number_end_scalar
#define WALK_TARGET
#define WALK_WIDTH 0
#include "codec/json_walk.h"

/* for whoever needs no speed */
JsonStep
json_string_end_scalar(JsonWalk *walk, const char **position, unsigned *flags)
{
	return string_end_scalar(walk, position, flags);
}

#ifdef CODEC_X86

#define WALK_FUNCTION json_walk_sse2
#define WALK_STRING_END string_end_sse2
#define WALK_MATCH match_sse2
#define WALK_NUMBER_END number_end_sse2
#define WALK_TARGET
#define WALK_WIDTH 16
#include "codec/json_walk.h"

#define WALK_FUNCTION json_walk_avx2
#define WALK_STRING_END string_end_avx2
#define WALK_MATCH match_avx2
#define WALK_NUMBER_END number_end_avx2
#define WALK_TARGET CODEC_TARGET_AVX2
#define WALK_WIDTH 32
#include "codec/json_walk.h"

#endif							/* CODEC_X86 */
