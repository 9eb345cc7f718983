/*
 * text_test.c
 *	  Dates, times, numbers and UTF-8 as text; the arena.
 */
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "codec/arena.h"
#include "codec/isa.h"
#include "codec/text.h"
#include "tap.h"

#define DAY INT64_C(86400000000)

/* memory of exactly the size, so that a sanitizer sees a read past it */
static char *
exact(const char *text, size_t length)
{
	char	   *copy = malloc(length ? length : 1);

	memcpy(copy, text, length);
	return copy;
}

static void
formatted(Cell cell, FieldType type, const char *expected)
{
	char		out[CELL_TEXT_MAX];
	size_t		length = text_format_cell(&cell, type, out);

	is_bytes(out, length, expected, expected);
}

static void
test_format(void)
{
	formatted(cell_integer(CELL_BOOLEAN, 1), FIELD_BOOLEAN, "true");
	formatted(cell_integer(CELL_BOOLEAN, 0), FIELD_BOOLEAN, "false");
	formatted(cell_integer(CELL_INTEGER, 0), FIELD_LONG, "0");
	formatted(cell_integer(CELL_INTEGER, -7), FIELD_LONG, "-7");
	formatted(cell_integer(CELL_INTEGER, INT64_MAX), FIELD_LONG, "9223372036854775807");
	formatted(cell_integer(CELL_INTEGER, INT64_MIN), FIELD_LONG, "-9223372036854775808");
	formatted(cell_double(0.1), FIELD_DOUBLE, "0.1");
	formatted(cell_double(-0.0), FIELD_DOUBLE, "-0");
	formatted(cell_double(1e300), FIELD_DOUBLE, "1e+300");
	formatted(cell_double(0.1 + 0.2), FIELD_DOUBLE, "0.30000000000000004");
	formatted(cell_double(5e-324), FIELD_DOUBLE, "4.94065645841247e-324");
	formatted(cell_double(123456789012345680.0), FIELD_DOUBLE, "1.2345678901234568e+17");
	formatted(cell_double(NAN), FIELD_DOUBLE, "NaN");
	formatted(cell_double(INFINITY), FIELD_DOUBLE, "Infinity");
	formatted(cell_double(-INFINITY), FIELD_DOUBLE, "-Infinity");
	formatted(cell_integer(CELL_DATE, 0), FIELD_DATE, "1970-01-01");
	formatted(cell_integer(CELL_DATE, -1), FIELD_DATE, "1969-12-31");
	formatted(cell_integer(CELL_DATE, 11016), FIELD_DATE, "2000-02-29");
	formatted(cell_integer(CELL_DATE, -719528), FIELD_DATE, "0000-01-01");
	formatted(cell_integer(CELL_DATE, -719529), FIELD_DATE, "-0001-12-31");
	formatted(cell_integer(CELL_DATE, 2932897), FIELD_DATE, "10000-01-01");
	formatted(cell_integer(CELL_DATE, INT64_MAX - 1), FIELD_DATE, "25252734927768524-07-26");
	formatted(cell_integer(CELL_DATE, INT64_MAX), FIELD_DATE, "infinity");
	formatted(cell_integer(CELL_TIMESTAMP, INT64_MIN), FIELD_DATETIME, "-infinity");
	formatted(cell_integer(CELL_TIMESTAMP, INT64_MIN + 1), FIELD_DATETIME, "-290308-12-21T19:59:05.224193Z");
	formatted(cell_integer(CELL_TIMESTAMP, 0), FIELD_DATETIME, "1970-01-01T00:00:00Z");
	formatted(cell_integer(CELL_TIMESTAMP, 0), FIELD_TIMESTAMP, "1970-01-01T00:00:00");
	formatted(cell_integer(CELL_TIMESTAMP, -1), FIELD_DATETIME, "1969-12-31T23:59:59.999999Z");
	formatted(cell_integer(CELL_TIMESTAMP, 1700000000120000), FIELD_DATETIME, "2023-11-14T22:13:20.12Z");
}

static void
test_calendar(void)
{
	int64_t		day = text_days_from_civil(-9999, 1, 1);
	int64_t		last = text_days_from_civil(294276, 12, 31);
	int64_t		expected_year = -9999;
	unsigned	expected_month = 1;
	unsigned	expected_day = 1;
	bool		right = true;
	int64_t		n;

	/* a calendar kept by hand, day after day, over all years */
	for (n = day; n <= last && right; n++)
	{
		static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
		int64_t		y;
		unsigned	m;
		unsigned	d;
		unsigned	length = lengths[expected_month - 1];

		text_civil_from_days(n, &y, &m, &d);
		right = y == expected_year && m == expected_month && d == expected_day;
		if (d == 1)
			right = right && text_days_from_civil(y, m, d) == n;
		if (expected_month == 2 && expected_year % 4 == 0 &&
			(expected_year % 100 != 0 || expected_year % 400 == 0))
			length = 29;
		if (expected_day++ == length)
		{
			expected_day = 1;
			if (expected_month++ == 12)
			{
				expected_month = 1;
				expected_year++;
			}
		}
	}
	ok(right, "every day of years -9999 to 294276");
	is_int(text_days_from_civil(1970, 1, 1), 0, "the epoch");
	is_int(text_days_from_civil(2000, 3, 1), 11017, "a day behind a leap day");
}

static void
date(const char *text, bool valid, int64_t expected)
{
	char	   *copy = exact(text, strlen(text));
	int64_t		days = -12345;
	bool		got = text_parse_date(copy, strlen(text), &days);

	ok(got == valid && (!valid || days == expected), "date \"%s\" (%d, %lld)", text, got, (long long) days);
	free(copy);
}

/* zone: 0 none, 1 given, -1 not valid */
static void
datetime(const char *text, int zone, int64_t expected)
{
	char	   *copy = exact(text, strlen(text));
	int64_t		micros = -12345;
	bool		has_zone = false;
	bool		got = text_parse_datetime(copy, strlen(text), &micros, &has_zone);

	ok(got == (zone >= 0) && (!got || (micros == expected && has_zone == (zone == 1))),
	   "datetime \"%s\" (%d, %lld, %d)", text, got, (long long) micros, has_zone);
	free(copy);
}

static void
test_dates(void)
{
	date("1970-01-01", true, 0);
	date("2024-02-29", true, 19782);
	date("0001-01-01", true, -719162);
	date("294276-12-31", true, 106762939);
	date("294277-01-01", false, 0);
	date("0000-01-01", false, 0);
	date("02024-01-01", false, 0);
	date("2023-02-29", false, 0);
	date("1900-02-29", false, 0);
	date("2000-02-30", false, 0);
	date("2023-13-01", false, 0);
	date("2023-00-01", false, 0);
	date("2023-01-00", false, 0);
	date("2023-04-31", false, 0);
	date("2023-1-01", false, 0);
	date("2023-01-1", false, 0);
	date("2023-01-01 ", false, 0);
	date(" 2023-01-01", false, 0);
	date("2023-01-01T00:00:00", false, 0);
	date("20230101", false, 0);
	date("2023/01/01", false, 0);
	date("", false, 0);
	date("2023", false, 0);
	date("2023-", false, 0);
	date("-2023-01-01", false, 0);
	date("12345678901234567890-01-01", false, 0);

	datetime("1970-01-01", 0, 0);
	datetime("1970-01-02T00:00", 0, DAY);
	datetime("1970-01-01T00:00:01Z", 1, 1000000);
	datetime("1970-01-01 00:00:01.5Z", 1, 1500000);
	datetime("2023-11-14T22:13:20.000+0000", 1, 1700000000000000);
	datetime("2023-11-14T22:13:20+00", 1, 1700000000000000);
	datetime("2023-11-14T23:13:20+01:00", 1, 1700000000000000);
	datetime("2023-11-14T16:43:20-0530", 1, 1700000000000000);
	datetime("2023-11-14T22:13Z", 1, 1699999980000000);
	datetime("1970-01-01T00:00:00.123456", 0, 123456);
	datetime("1970-01-01T00:00:00.1234564", 0, 123456);
	datetime("1970-01-01T00:00:00.1234565", 0, 123456);
	datetime("1970-01-01T00:00:00.1234575", 0, 123458);
	datetime("1970-01-01T00:00:00.12345650000000000000000000000001", 0, 123457);
	datetime("1970-01-01T00:00:00.9999995", 0, 1000000);
	datetime("1970-01-01T23:59:59.9999999", 0, DAY);
	datetime("1970-01-01T24:00:00", 0, DAY);
	datetime("1970-01-01T23:59:60", 0, DAY);
	datetime("1970-01-01T12:00:60", 0, 12 * (DAY / 24) + 60000000);
	datetime("1970-01-01T24:00:01", -1, 0);
	datetime("1970-01-01T24:00:00.000001", -1, 0);
	datetime("1970-01-01T23:59:60.5", -1, 0);
	datetime("1970-01-01T25:00:00", -1, 0);
	datetime("1970-01-01T00:60:00", -1, 0);
	datetime("1970-01-01T00:00:61", -1, 0);
	datetime("1970-01-01T00:00:00.", -1, 0);
	datetime("1970-01-01T00:00:00.Z", -1, 0);
	datetime("1970-01-01T00:00:", -1, 0);
	datetime("1970-01-01T00", -1, 0);
	datetime("1970-01-01T", -1, 0);
	datetime("1970-01-01T00:00:00+", -1, 0);
	datetime("1970-01-01T00:00:00+0", -1, 0);
	datetime("1970-01-01T00:00:00+000", -1, 0);
	datetime("1970-01-01T00:00:00+00:", -1, 0);
	datetime("1970-01-01T00:00:00+00:60", -1, 0);
	datetime("1970-01-01T00:00:00+16", -1, 0);
	datetime("1970-01-01T00:00:00+15:59", 1, -INT64_C(57540000000));
	datetime("1970-01-01T00:00:00ZZ", -1, 0);
	datetime("1970-01-01T00:00:00z", -1, 0);
	datetime("1970-01-01t00:00:00Z", -1, 0);
	datetime("1970-01-01Z", -1, 0);
	datetime("1970-01-01T00:00:00 Z", -1, 0);
	datetime("infinity", -1, 0);
	datetime("294247-01-10T04:00:54.775806Z", 1, INT64_MAX - 1);
	datetime("294247-01-10T04:00:54.775807Z", -1, 0);
	datetime("294247-01-10T04:00:54.775808Z", -1, 0);
	datetime("294247-01-10T04:00:54Z", 1, INT64_C(9223372036854000000));
	datetime("294247-01-10T04:00:54-01", -1, 0);
	datetime("294276-12-31", -1, 0);
	datetime("0001-01-01T00:00:00+15", 1, -INT64_C(62135650800000000));
}

static void
integer(const char *text, bool valid, int64_t expected)
{
	char	   *copy = exact(text, strlen(text));
	int64_t		value = -12345;
	bool		got = text_parse_int64(copy, strlen(text), &value);

	ok(got == valid && (!valid || value == expected), "integer \"%s\"", text);
	free(copy);
}

static void
real(const char *text, bool valid, double expected)
{
	char	   *copy = exact(text, strlen(text));
	double		value = -12345;
	bool		got = text_parse_double(copy, strlen(text), &value);

	ok(got == valid && (!valid || memcmp(&value, &expected, sizeof(double)) == 0),
	   "double \"%.60s\" (%d, %.17g)", text, got, value);
	free(copy);
}

static void
test_numbers(void)
{
	char		many[2000];
	int			bad = 0;
	int			i;

	integer("0", true, 0);
	integer("-0", true, 0);
	integer("+7", true, 7);
	integer("007", true, 7);
	integer("9223372036854775807", true, INT64_MAX);
	integer("9223372036854775808", false, 0);
	integer("-9223372036854775808", true, INT64_MIN);
	integer("-9223372036854775809", false, 0);
	integer("99999999999999999999", false, 0);
	integer("", false, 0);
	integer("-", false, 0);
	integer("+-1", false, 0);
	integer(" 1", false, 0);
	integer("1 ", false, 0);
	integer("1.0", false, 0);
	integer("1e3", false, 0);
	integer("0x1", false, 0);

	real("0", true, 0.0);
	real("-0", true, -0.0);
	real("+1.5", true, 1.5);
	real("0.1", true, 0.1);
	real("123456789.123456789", true, 123456789.123456789);
	real("1e22", true, 1e22);
	real("1e23", true, 1e23);
	real("1e-22", true, 1e-22);
	real("9007199254740993", true, 9007199254740992.0);
	real("9007199254740992", true, 9007199254740992.0);
	real("179769313486231570000e288", true, 1.7976931348623157e308);
	real("1.7976931348623159e308", false, 0);
	real("1e400", false, 0);
	real("-1e400", false, 0);
	real("1e99999999999999999999", false, 0);
	real("0e99999999999999999999", true, 0.0);
	real("1e-400", true, 0.0);
	real("-1e-400", true, -0.0);
	real("5e-324", true, 5e-324);
	real("2.2250738585072011e-308", true, 2.2250738585072011e-308);
	real("1E5", true, 1e5);
	real("1e+5", true, 1e5);
	real("", false, 0);
	real("+", false, 0);
	real("+-1", false, 0);
	real("-+1", false, 0);
	real("++1", false, 0);
	real("01", false, 0);
	real(".5", false, 0);
	real("5.", false, 0);
	real("1e", false, 0);
	real("1e+", false, 0);
	real("1 ", false, 0);
	real("1,5", false, 0);
	real("NaN", false, 0);
	real("Infinity", false, 0);
	real("0x10", false, 0);
	memset(many, '9', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	real(many, false, 0);
	memcpy(many, "0.", 2);
	real(many, true, 1.0);

	/* against the C library, digits and exponents at random */
	for (i = 0; i < 200000; i++)
	{
		char		text[64];
		char		shortest[64];
		double		value;
		double		back;
		size_t		length;

		snprintf(text, sizeof(text), "%s%d.%0*de%d", rand() % 2 ? "-" : "", rand() % 100000000,
				 1 + rand() % 12, rand() % 1000000, rand() % 60 - 30);
		if (!text_parse_double(text, strlen(text), &value) || value != strtod(text, NULL))
			bad++;
		length = text_format_double(value, shortest);
		if (!text_parse_double(shortest, length, &back) || back != value)
			bad++;
	}
	is_int(bad, 0, "200,000 random numbers are read exactly, and back from their shortest text");

	if (setlocale(LC_ALL, "de_DE.UTF-8") != NULL || setlocale(LC_ALL, "fr_FR.UTF-8") != NULL)
	{
		real("1234567890.12345678901234567890", true, 0x1.26580b487e6b7p+30);
		formatted(cell_double(0.5), FIELD_DOUBLE, "0.5");
		setlocale(LC_ALL, "C");
	}

	ok(text_is_number("-0.5e+3", 7) && text_is_number("0", 1) && !text_is_number("+1", 2) &&
	   !text_is_number("-", 1) && !text_is_number("", 0) && !text_is_number("1x", 2) &&
	   !text_is_number("00", 2), "numbers by the grammar");
}

/* by the definition: decode, then see that encoding gives the same */
static size_t
slow_check(const unsigned char *p, size_t length)
{
	size_t		i = 0;

	while (i < length)
	{
		size_t		n = p[i] < 0x80 ? 1 : (p[i] & 0xe0) == 0xc0 ? 2 : (p[i] & 0xf0) == 0xe0 ? 3 : (p[i] & 0xf8) == 0xf0 ? 4 : 0;
		uint32_t	c;
		size_t		j;

		if (n == 0 || i + n > length)
			return i;
		c = n == 1 ? p[i] : p[i] & (0xff >> (n + 1));
		for (j = 1; j < n; j++)
		{
			if ((p[i + j] & 0xc0) != 0x80)
				return i;
			c = c << 6 | (p[i + j] & 0x3f);
		}
		if ((n == 2 && c < 0x80) || (n == 3 && c < 0x800) || (n == 4 && c < 0x10000) ||
			c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return i;
		i += n;
	}
	return length;
}

static void
test_utf8(void)
{
	int			bad = 0;
	int			i;

	/* every pair of bytes, with what can follow */
	for (i = 0; i < 65536 * 3; i++)
	{
		unsigned char text[4] = {(unsigned char) (i >> 8), (unsigned char) i, 0x80, 0xbf};
		size_t		length = 2 + (size_t) (i >> 16);
		char	   *copy = exact((char *) text, length);

		if (text_utf8_check(copy, length) != slow_check(text, length))
			bad++;
		free(copy);
	}
	is_int(bad, 0, "UTF-8: all beginnings of characters");

	/* long texts with rare other characters, at all alignments */
	for (i = 0; i < 60000; i++)
	{
		static const char *const parts[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x80", "\xc3", "\xed\xa0\x80", "\xff", "x"};
		char		text[200];
		size_t		length = (size_t) rand() % 150;
		const char *part = parts[rand() % 8];
		size_t		at = length ? (size_t) rand() % length : 0;
		char	   *copy;
		size_t		expected;
		int			isa;

		memset(text, 'a', sizeof(text));
		memcpy(text + at, part, strlen(part));
		if (rand() % 2)
			memcpy(text + (size_t) rand() % 150, parts[rand() % 3], 2);
		copy = exact(text, length);
		expected = slow_check((unsigned char *) text, length);
		for (isa = CODEC_ISA_SCALAR; isa <= CODEC_ISA_AVX2; isa++)
		{
			codec_isa_limit((CodecIsa) isa);
			if (text_utf8_check(copy, length) != expected)
				bad++;
		}
		free(copy);
	}
	is_int(bad, 0, "UTF-8: long texts, with every instruction set");
}

static void
test_arena(void)
{
	Arena	   *arena = arena_create();
	char	   *first = arena_alloc(arena, 3);
	char	   *second = arena_copy(arena, "abc", 3);
	char	   *large;
	int			round;
	int			i;
	bool		intact = true;

	ok((uintptr_t) first % 8 == 0 && (uintptr_t) second % 8 == 0 && first != second, "aligned to 8");
	ok(memcmp(second, "abc", 3) == 0, "a copy");
	ok(arena_alloc(arena, 0) != NULL && arena_copy(arena, NULL, 0) != NULL, "nothing is something");
	large = arena_alloc(arena, 1000000);
	memset(large, 1, 1000000);
	ok(arena_size(arena) >= 1000000 + 65536, "its size");
	ok(arena_alloc(arena, SIZE_MAX) == NULL && arena_alloc(arena, SIZE_MAX - 20) == NULL, "too much");
	for (round = 0; round < 3; round++)
	{
		char	   *parts[3000];

		arena_reset(arena);
		ok(arena_size(arena) <= 65536, "a reset keeps one block");
		for (i = 0; i < 3000; i++)
		{
			parts[i] = arena_alloc(arena, (size_t) i * 7 % 1000);
			memset(parts[i], i, (size_t) i * 7 % 1000);
		}
		for (i = 0; i < 3000; i++)
		{
			int			j;

			for (j = 0; j < i * 7 % 1000; j++)
				intact = intact && parts[i][j] == (char) i;
		}
	}
	ok(intact, "allocations do not overlap");
	arena_free(arena);
	arena_free(NULL);
}

int
main(void)
{
	srand(20260103);
	test_format();
	test_calendar();
	test_dates();
	test_numbers();
	test_utf8();
	test_arena();
	return done_testing();
}
