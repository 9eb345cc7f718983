/*-------------------------------------------------------------------------
 *
 * tap.h
 *	  Test Anything Protocol for the unit tests: ok(), is_int(), is_str(),
 *	  is_bytes(), done_testing().
 *
 * A test program includes this once, makes its checks, and ends with
 * "return done_testing();".
 *
 * IDENTIFICATION
 *	  test/unit/tap.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_TAP_H
#define APPFLOW_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int	tap_run;
static int	tap_failed;

__attribute__((format(printf, 4, 5), unused))
static bool
tap_ok(bool passed, const char *file, int line, const char *fmt,...)
{
	va_list		ap;

	tap_run++;
	printf("%sok %d - ", passed ? "" : "not ", tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!passed)
	{
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return passed;
}

#define ok(passed, ...) tap_ok((passed), __FILE__, __LINE__, __VA_ARGS__)

/* like ok(), and shows both values when they differ */
#define is_int(got, expected, ...) \
	do { \
		long long	tap_got = (long long) (got); \
		long long	tap_expected = (long long) (expected); \
		if (!ok(tap_got == tap_expected, __VA_ARGS__)) \
			printf("#      got: %lld\n# expected: %lld\n", tap_got, tap_expected); \
	} while (0)

#define is_str(got, expected, ...) \
	do { \
		const char *tap_got = (got); \
		const char *tap_expected = (expected); \
		if (!ok(tap_got != NULL && strcmp(tap_got, tap_expected) == 0, __VA_ARGS__)) \
			printf("#      got: %s\n# expected: %s\n", \
				   tap_got ? tap_got : "(null)", tap_expected); \
	} while (0)

/* bytes that need not end with a zero */
__attribute__((unused))
static bool
is_bytes(const char *got, size_t length, const char *expected, const char *name)
{
	bool		same = length == strlen(expected) &&
		(length == 0 || memcmp(got, expected, length) == 0);

	ok(same, "%s", name);
	if (!same)
		printf("#      got: %.*s\n# expected: %s\n", (int) length, got, expected);
	return same;
}

/* the plan, and the exit status: 0 when all passed */
__attribute__((unused))
static int
done_testing(void)
{
	printf("1..%d\n", tap_run);
	return tap_failed == 0 && tap_run > 0 ? 0 : 1;
}

#endif							/* APPFLOW_TAP_H */
