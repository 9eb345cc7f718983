/*-------------------------------------------------------------------------
 *
 * text.c
 *	  Text of scalar values: numbers, ISO 8601 dates and times, UTF-8.
 *
 * IDENTIFICATION
 *	  src/codec/text.c
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* strtod_l() */
#endif

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/isa.h"
#include "codec/text.h"

#define USECS_PER_SEC	INT64_C(1000000)
#define USECS_PER_DAY	(INT64_C(86400) * USECS_PER_SEC)

/*
 * The last year of PostgreSQL's timestamps.  Counted from 1970, 64 bits end in
 * January 294247, 30 years earlier than PostgreSQL's, which count from 2000.
 */
#define MAX_YEAR		294276

static size_t format_double_portable(double value, char *out);

size_t		(*text_format_double) (double value, char *out) = format_double_portable;

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---------- calendar ---------- */

/*
 * Both ways by eras of 400 years that begin on 1 March, so that the leap day
 * is the last day of a year.
 */
int64_t
text_days_from_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t		y = year - (month <= 2);
	int64_t		era = (y >= 0 ? y : y - 399) / 400;
	int64_t		year_of_era = y - era * 400;
	int64_t		day_of_year = (153 * ((int64_t) month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t) day - 1;
	int64_t		day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

void
text_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	/* 719468 days lie between 0000-03-01 and the epoch; split to not overflow */
	int64_t		era = days / 146097;
	int64_t		rest = days % 146097 + 719468;
	int64_t		day_of_era;
	int64_t		year_of_era;
	int64_t		day_of_year;
	int64_t		m;

	era += rest / 146097;
	day_of_era = rest % 146097;
	if (day_of_era < 0)
	{
		day_of_era += 146097;
		era--;
	}
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	m = (5 * day_of_year + 2) / 153;
	*day = (unsigned) (day_of_year - (153 * m + 2) / 5 + 1);
	*month = (unsigned) (m < 10 ? m + 3 : m - 9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

static unsigned
days_in_month(int64_t year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

/* ---------- values to text ---------- */

static size_t
format_unsigned(uint64_t value, char *out)
{
	char		digits[20];
	size_t		n = 0;
	size_t		i;

	do
	{
		digits[n++] = (char) ('0' + value % 10);
		value /= 10;
	} while (value > 0);
	for (i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

static size_t
format_integer(int64_t value, char *out)
{
	if (value >= 0)
		return format_unsigned((uint64_t) value, out);
	out[0] = '-';
	return 1 + format_unsigned(-(uint64_t) value, out + 1);
}

static inline char *
put_two(char *out, unsigned value)
{
	out[0] = (char) ('0' + value / 10);
	out[1] = (char) ('0' + value % 10);
	return out + 2;
}

static size_t
format_date(int64_t days, char *out)
{
	char	   *p = out;
	int64_t		year;
	unsigned	month;
	unsigned	day;

	text_civil_from_days(days, &year, &month, &day);
	if (year < 0)
	{
		*p++ = '-';
		year = -year;
	}
	if (year < 10000)
	{
		p = put_two(p, (unsigned) (year / 100));
		p = put_two(p, (unsigned) (year % 100));
	}
	else
		p += format_unsigned((uint64_t) year, p);
	*p++ = '-';
	p = put_two(p, month);
	*p++ = '-';
	p = put_two(p, day);
	return (size_t) (p - out);
}

static size_t
format_timestamp(int64_t micros, bool utc, char *out)
{
	int64_t		days = micros / USECS_PER_DAY;
	int64_t		time = micros % USECS_PER_DAY;
	char	   *p;
	unsigned	seconds;
	unsigned	fraction;

	if (time < 0)
	{
		time += USECS_PER_DAY;
		days--;
	}
	p = out + format_date(days, out);
	seconds = (unsigned) (time / USECS_PER_SEC);
	fraction = (unsigned) (time % USECS_PER_SEC);
	*p++ = 'T';
	p = put_two(p, seconds / 3600);
	*p++ = ':';
	p = put_two(p, seconds / 60 % 60);
	*p++ = ':';
	p = put_two(p, seconds % 60);
	if (fraction > 0)
	{
		*p++ = '.';
		p = put_two(p, fraction / 10000);
		p = put_two(p, fraction / 100 % 100);
		p = put_two(p, fraction % 100);
		while (p[-1] == '0')
			p--;
	}
	if (utc)
		*p++ = 'Z';
	return (size_t) (p - out);
}

/* the fewest of 15 to 17 digits that read back the same */
static size_t
format_double_portable(double value, char *out)
{
	char		text[48];
	size_t		length = 0;
	size_t		i;
	int			digits;

	for (digits = 15; digits <= 17; digits++)
	{
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	/* whatever the locale's decimal point is, ours is a point */
	for (i = 0; text[i] != '\0'; i++)
	{
		if (is_digit(text[i]) || text[i] == '-' || text[i] == '+' || text[i] == 'e')
			out[length++] = text[i];
		else if (length > 0 && out[length - 1] != '.')
			out[length++] = '.';
	}
	return length;
}

size_t
text_format_cell(const Cell *cell, FieldType type, char out[CELL_TEXT_MAX])
{
	const char *word = "";

	switch ((CellKind) cell->kind)
	{
		case CELL_BOOLEAN:
			word = cell->integer ? "true" : "false";
			break;
		case CELL_INTEGER:
			return format_integer(cell->integer, out);
		case CELL_DOUBLE:
			if (isnan(cell->real))
				word = "NaN";
			else if (isinf(cell->real))
				word = cell->real > 0 ? "Infinity" : "-Infinity";
			else
				return text_format_double(cell->real, out);
			break;
		case CELL_DATE:
		case CELL_TIMESTAMP:
			/* PostgreSQL's infinite dates are the ends of the range */
			if (cell->integer == INT64_MAX)
				word = "infinity";
			else if (cell->integer == INT64_MIN)
				word = "-infinity";
			else if (cell->kind == CELL_DATE)
				return format_date(cell->integer, out);
			else
				return format_timestamp(cell->integer, type == FIELD_DATETIME, out);
			break;
		case CELL_NULL:
		case CELL_STRING:
		case CELL_NUMBER:
		case CELL_JSON:
			break;
	}
	memcpy(out, word, strlen(word));
	return strlen(word);
}

/* ---------- text to dates and times ---------- */

/* exactly two digits, as a number up to max */
static bool
parse_two(const char *p, const char *end, unsigned max, unsigned *value)
{
	if (end - p < 2 || !is_digit(p[0]) || !is_digit(p[1]))
		return false;
	*value = (unsigned) (p[0] - '0') * 10 + (unsigned) (p[1] - '0');
	return *value <= max;
}

/* a date at the start of the text; the end of it, or NULL */
static const char *
parse_date_part(const char *p, const char *end, int64_t *days)
{
	const char *start = p;
	int64_t		year = 0;
	unsigned	month;
	unsigned	day;

	while (p < end && is_digit(*p) && p - start < 7)
		year = year * 10 + (*p++ - '0');
	/* four digits, more only where the year needs them; there is no year 0 */
	if (p - start < 4 || (p - start > 4 && *start == '0') || year < 1 || year > MAX_YEAR)
		return NULL;
	if (p == end || *p++ != '-' || !parse_two(p, end, 12, &month) || month < 1)
		return NULL;
	p += 2;
	if (p == end || *p++ != '-' || !parse_two(p, end, 31, &day) ||
		day < 1 || day > days_in_month(year, month))
		return NULL;
	*days = text_days_from_civil(year, month, day);
	return p + 2;
}

bool
text_parse_date(const char *text, size_t length, int64_t *days)
{
	const char *end = text + length;

	return parse_date_part(text, end, days) == end;
}

/* digits behind a decimal point as microseconds, half to even; the end of them, or NULL */
static const char *
parse_fraction(const char *p, const char *end, unsigned *micros)
{
	const char *start = p;
	unsigned	value = 0;
	int			half = 0;		/* of what is cut: <0 below a half, 0 half, >0 above */
	bool		cut = false;

	for (; p < end && is_digit(*p); p++)
	{
		if (p - start < 6)
			value = value * 10 + (unsigned) (*p - '0');
		else if (p - start == 6)
		{
			half = *p - '5';
			cut = true;
		}
		else if (half == 0 && *p != '0')
			half = 1;
	}
	if (p == start)
		return NULL;
	if (!cut)
	{
		ptrdiff_t	n;

		for (n = p - start; n < 6; n++)
			value *= 10;
	}
	else if (half > 0 || (half == 0 && (value & 1)))
		value++;
	*micros = value;
	return p;
}

bool
text_parse_datetime(const char *text, size_t length, int64_t *micros, bool *has_zone)
{
	const char *end = text + length;
	const char *p;
	int64_t		days;
	int64_t		time;
	int64_t		value;
	unsigned	hour;
	unsigned	minute;
	unsigned	second = 0;
	unsigned	fraction = 0;

	*has_zone = false;
	p = parse_date_part(text, end, &days);
	if (p == NULL)
		return false;
	if (p == end)
		return !__builtin_mul_overflow(days, USECS_PER_DAY, micros);
	if (*p != 'T' && *p != ' ')
		return false;
	p++;
	if (!parse_two(p, end, 24, &hour))
		return false;
	p += 2;
	if (p == end || *p++ != ':' || !parse_two(p, end, 59, &minute))
		return false;
	p += 2;
	if (p < end && *p == ':')
	{
		p++;
		if (!parse_two(p, end, 60, &second))
			return false;
		p += 2;
		if (p < end && *p == '.')
		{
			p = parse_fraction(p + 1, end, &fraction);
			if (p == NULL)
				return false;
		}
	}
	time = ((int64_t) hour * 3600 + (int64_t) minute * 60 + (int64_t) second) * USECS_PER_SEC + fraction;
	if (time > USECS_PER_DAY)
		return false;
	if (__builtin_mul_overflow(days, USECS_PER_DAY, &value) ||
		__builtin_add_overflow(value, time, &value))
		return false;

	if (p < end)
	{
		if (*p == 'Z')
			p++;
		else if (*p == '+' || *p == '-')
		{
			int			sign = *p == '+' ? 1 : -1;
			unsigned	zone_hour;
			unsigned	zone_minute = 0;

			p++;
			/* zones reach less than 16 hours from UTC, as in PostgreSQL */
			if (!parse_two(p, end, 15, &zone_hour))
				return false;
			p += 2;
			if (p < end)
			{
				if (*p == ':')
					p++;
				if (!parse_two(p, end, 59, &zone_minute))
					return false;
				p += 2;
			}
			if (__builtin_sub_overflow(value,
									   sign * ((int64_t) zone_hour * 3600 + (int64_t) zone_minute * 60) * USECS_PER_SEC,
									   &value))
				return false;
		}
		else
			return false;
		*has_zone = true;
	}
	/* the very last one means infinity */
	if (p != end || value == INT64_MAX)
		return false;
	*micros = value;
	return true;
}

/* ---------- text to numbers ---------- */

bool
text_parse_int64(const char *text, size_t length, int64_t *value)
{
	const char *p = text;
	const char *end = text + length;
	uint64_t	limit = INT64_MAX;
	uint64_t	sum = 0;
	bool		negative = false;

	if (p < end && (*p == '-' || *p == '+'))
	{
		negative = *p == '-';
		limit += negative;
		p++;
	}
	if (p == end)
		return false;
	for (; p < end; p++)
	{
		unsigned	digit;

		if (!is_digit(*p))
			return false;
		digit = (unsigned) (*p - '0');
		if (sum > (limit - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*value = negative ? (int64_t) -sum : (int64_t) sum;
	return true;
}

/*
 * Walk over a number; its end, or NULL if the text does not begin with one.
 */
static const char *
scan_number(const char *p, const char *end)
{
	if (p < end && *p == '-')
		p++;
	if (p == end || !is_digit(*p))
		return NULL;
	if (*p == '0')
		p++;
	else
		while (p < end && is_digit(*p))
			p++;
	if (p < end && *p == '.')
	{
		p++;
		if (p == end || !is_digit(*p))
			return NULL;
		while (p < end && is_digit(*p))
			p++;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (p == end || !is_digit(*p))
			return NULL;
		while (p < end && is_digit(*p))
			p++;
	}
	return p;
}

bool
text_is_number(const char *text, size_t length)
{
	return scan_number(text, text + length) == text + length;
}

/*
 * Few digits and a small power of ten: both are exact doubles, so one
 * multiplication or division rounds correctly (Clinger 1990).
 */
static bool
parse_double_fast(const char *p, const char *end, double *value)
{
#if FLT_EVAL_METHOD == 0
	static const double powers[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
	};
	uint64_t	digits = 0;
	int			ndigits = 0;
	int			scale = 0;
	int			exponent = 0;
	bool		negative = false;
	double		result;

	if (*p == '-')
	{
		negative = true;
		p++;
	}
	for (; p < end && is_digit(*p); p++, ndigits++)
	{
		if (ndigits >= 18)
			return false;
		digits = digits * 10 + (uint64_t) (*p - '0');
	}
	if (p < end && *p == '.')
		for (p++; p < end && is_digit(*p); p++, ndigits++, scale++)
		{
			if (ndigits >= 18)
				return false;
			digits = digits * 10 + (uint64_t) (*p - '0');
		}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		bool		minus;

		p++;
		minus = *p == '-';
		if (*p == '-' || *p == '+')
			p++;
		for (; p < end; p++)
		{
			if (exponent > 1000)
				return false;
			exponent = exponent * 10 + (*p - '0');
		}
		if (minus)
			exponent = -exponent;
	}
	exponent -= scale;
	if (digits > (UINT64_C(1) << 53) || exponent < -22 || exponent > 22)
		return false;
	result = (double) digits;
	if (exponent < 0)
		result /= powers[-exponent];
	else
		result *= powers[exponent];
	*value = negative ? -result : result;
	return true;
#else
	return false;
#endif
}

bool
text_parse_double(const char *text, size_t length, double *value)
{
	static locale_t c_locale = (locale_t) 0;
	char		space[128];
	char	   *copy = space;
	double		result;

	if (length > 0 && *text == '+')
	{
		text++;
		length--;
		if (length > 0 && *text == '-')
			return false;
	}
	if (!text_is_number(text, length))
		return false;
	if (parse_double_fast(text, text + length, value))
		return true;

	/* the C library's is exact, but wants a terminator and a locale */
	if (c_locale == (locale_t) 0)
	{
		c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t) 0);
		if (c_locale == (locale_t) 0)
			return false;
	}
	if (length >= sizeof(space))
	{
		copy = malloc(length + 1);
		if (copy == NULL)
			return false;
	}
	memcpy(copy, text, length);
	copy[length] = '\0';
	result = strtod_l(copy, NULL, c_locale);
	if (copy != space)
		free(copy);
	if (isinf(result))
		return false;
	*value = result;
	return true;
}

/* ---------- UTF-8 ---------- */

/*
 * Length of the character at p (which is not ASCII), 0 if it is not valid:
 * overlong, a surrogate, above U+10FFFF, cut off, or no lead byte.
 */
static inline size_t
utf8_length(const unsigned char *p, size_t left)
{
	if (p[0] < 0xc2)
		return 0;
	if (p[0] < 0xe0)
		return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if (p[0] < 0xf0)
	{
		if (left < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
			(p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (p[0] > 0xf4 || left < 4 || (p[1] & 0xc0) != 0x80 ||
		(p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80 ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return 4;
}

#ifdef CODEC_X86
CODEC_TARGET_AVX2 static size_t
skip_ascii_avx2(const char *text, size_t i, size_t length)
{
	for (; i + 32 <= length; i += 32)
	{
		unsigned	mask = (unsigned) _mm256_movemask_epi8(_mm256_loadu_si256((const __m256i *) (text + i)));

		if (mask != 0)
			return i + (size_t) __builtin_ctz(mask);
	}
	return i;
}
#endif

/* move over ASCII, in big steps only: a short rest may be left */
static inline size_t
skip_ascii(const char *text, size_t i, size_t length, CodecIsa isa)
{
#ifdef CODEC_X86
	if (isa == CODEC_ISA_AVX2 && length - i >= 32)
		return skip_ascii_avx2(text, i, length);
	if (isa == CODEC_ISA_SSE2)
	{
		for (; i + 16 <= length; i += 16)
		{
			unsigned	mask = (unsigned) _mm_movemask_epi8(_mm_loadu_si128((const __m128i *) (text + i)));

			if (mask != 0)
				return i + (size_t) __builtin_ctz(mask);
		}
		return i;
	}
#endif
	for (; i + 8 <= length; i += 8)
	{
		uint64_t	word;

		memcpy(&word, text + i, 8);
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	return i;
}

size_t
text_utf8_check(const char *text, size_t length)
{
	const unsigned char *p = (const unsigned char *) text;
	CodecIsa	isa = codec_isa();
	size_t		i = skip_ascii(text, 0, length, isa);

	while (i < length)
	{
		size_t		n;

		if (p[i] < 0x80)
		{
			i++;
			/* a run of ASCII behind other text is likely to be long */
			if (i + 8 <= length && p[i] < 0x80)
				i = skip_ascii(text, i, length, isa);
			continue;
		}
		n = utf8_length(p + i, length - i);
		if (n == 0)
			return i;
		i += n;
	}
	return length;
}
