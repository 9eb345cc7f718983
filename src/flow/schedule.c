/*-------------------------------------------------------------------------
 *
 * schedule.c
 *	  When schedule expressions are due: arithmetic only.
 *
 * IDENTIFICATION
 *	  src/flow/schedule.c
 *
 *-------------------------------------------------------------------------
 */
#include "flow/schedule.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MINUTES_A_DAY (24 * 60)
#define LONGEST_PERIOD (INT64_C(36525) * SCHEDULE_DAY)	/* a hundred years */

/* ---------- the calendar ---------- */

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* days since 1970-01-01; years are counted from March, so that a leap day ends one */
static int64_t
day_number(int year, int month, int day)
{
	int64_t		shifted = month <= 2 ? (int64_t) year - 1 : year;
	int64_t		era = (shifted >= 0 ? shifted : shifted - 399) / 400;
	int64_t		year_of_era = shifted - era * 400;
	int64_t		day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void
date_of(int64_t number, int *year, int *month, int *day)
{
	int64_t		shifted = number + 719468;
	int64_t		era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t		day_of_era = shifted - era * 146097;
	int64_t		year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t		day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t		from_march = (5 * day_of_year + 2) / 153;

	*day = (int) (day_of_year - (153 * from_march + 2) / 5 + 1);
	*month = (int) (from_march < 10 ? from_march + 3 : from_march - 9);
	*year = (int) (year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

/* 0 = Sunday; 1970-01-01 was a Thursday */
static int
weekday_of(int64_t number)
{
	int			weekday = (int) ((number + 4) % 7);

	return weekday < 0 ? weekday + 7 : weekday;
}

static int64_t
floor_divide(int64_t value, int64_t divisor)
{
	int64_t		quotient = value / divisor;

	return value % divisor < 0 ? quotient - 1 : quotient;
}

/* ---------- parsing ---------- */

typedef struct Parser
{
	const char *at;
	char	   *problem;
	size_t		size;
} Parser;

static bool fail(Parser *parser, const char *format,...) __attribute__((format(printf, 2, 3)));

static bool
fail(Parser *parser, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(parser->problem, parser->size, format, args);
	va_end(args);
	return false;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void
skip_blanks(Parser *parser)
{
	while (*parser->at == ' ' || *parser->at == '\t')
		parser->at++;
}

/* at most nine digits */
static bool
read_number(Parser *parser, int *number)
{
	int			digits = 0;

	*number = 0;
	while (is_digit(*parser->at))
	{
		if (++digits > 9)
			return fail(parser, "a number has more than nine digits");
		*number = *number * 10 + (*parser->at++ - '0');
	}
	return digits > 0;
}

/* "name (", in any letter case */
static bool
read_word(Parser *parser, const char *word)
{
	size_t		length = strlen(word);
	const char *at = parser->at;

	if (strncasecmp(at, word, length) != 0 || is_letter(at[length]))
		return false;
	at += length;
	while (*at == ' ' || *at == '\t')
		at++;
	if (*at != '(')
		return false;
	parser->at = at + 1;
	return true;
}

static bool
read_end(Parser *parser, const char *form)
{
	skip_blanks(parser);
	if (*parser->at != ')')
		return fail(parser, "expected %s", form);
	parser->at++;
	skip_blanks(parser);
	if (*parser->at != '\0')
		return fail(parser, "there is more behind the closing parenthesis");
	return true;
}

#define RATE_FORM "rate(N unit), where unit is minutes, hours, days, weeks or months"

static bool
parse_rate(Parser *parser, Schedule *schedule)
{
	static const struct
	{
		const char *name;
		int64_t		period;
	}			units[] = {
		{"minute", SCHEDULE_MINUTE}, {"hour", SCHEDULE_HOUR}, {"day", SCHEDULE_DAY},
		{"week", 7 * SCHEDULE_DAY}, {"month", 0},
	};
	int			number;

	schedule->kind = SCHEDULE_RATE;
	parser->problem[0] = '\0';
	skip_blanks(parser);
	if (!read_number(parser, &number))
		return parser->problem[0] != '\0' ? false : fail(parser, "expected " RATE_FORM);
	if (number == 0)
		return fail(parser, "a rate is at least 1");
	skip_blanks(parser);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		size_t		length = strlen(units[i].name);

		if (strncasecmp(parser->at, units[i].name, length) != 0)
			continue;
		parser->at += length;
		if (*parser->at == 's' || *parser->at == 'S')
			parser->at++;
		if (!read_end(parser, RATE_FORM))
			return false;
		if (number > 1200 && units[i].period == 0)
			return fail(parser, "a rate is at most a hundred years");
		if (units[i].period != 0 && number > LONGEST_PERIOD / units[i].period)
			return fail(parser, "a rate is at most a hundred years");
		schedule->period = units[i].period * number;
		schedule->months = units[i].period == 0 ? number : 0;
		return true;
	}
	return fail(parser, "expected " RATE_FORM);
}

#define AT_FORM "at(yyyy-mm-ddThh:mm:ss)"

static bool
parse_at(Parser *parser, Schedule *schedule)
{
	static const char separators[] = "--T::";
	int			part[6] = {0};

	schedule->kind = SCHEDULE_AT;
	parser->problem[0] = '\0';
	skip_blanks(parser);
	for (int i = 0; i < 6; i++)
	{
		if (!read_number(parser, &part[i]))
			return fail(parser, "expected " AT_FORM);
		if (i == 4 && *parser->at != ':')
			break;				/* seconds may be left out */
		if (i < 5 && (*parser->at == separators[i] || (i == 2 && (*parser->at == 't' || *parser->at == ' '))))
			parser->at++;
		else if (i < 5)
			return fail(parser, "expected " AT_FORM);
	}
	if (*parser->at == 'Z' || *parser->at == 'z')
		parser->at++;
	if (!read_end(parser, AT_FORM))
		return false;
	if (part[0] < SCHEDULE_FIRST_YEAR || part[0] > SCHEDULE_LAST_YEAR || part[1] < 1 || part[1] > 12 ||
		part[2] < 1 || part[2] > days_in_month(part[0], part[1]) ||
		part[3] > 23 || part[4] > 59 || part[5] > 59)
		return fail(parser, "there is no such time");
	schedule->at = day_number(part[0], part[1], part[2]) * SCHEDULE_DAY +
		part[3] * SCHEDULE_HOUR + part[4] * SCHEDULE_MINUTE + part[5] * SCHEDULE_SECOND;
	return true;
}

/* ---------- cron ---------- */

typedef enum CronField
{
	FIELD_MINUTES,
	FIELD_HOURS,
	FIELD_DAY,
	FIELD_MONTH,
	FIELD_WEEKDAY,
	FIELD_YEAR
} CronField;

#define CRON_FIELDS 6

static const struct
{
	const char *name;
	int			low;
	int			high;
	const char *const *names;	/* of the values, from low */
}			cron_fields[CRON_FIELDS] = {
	{"minutes", 0, 59, NULL},
	{"hours", 0, 23, NULL},
	{"day-of-month", 1, 31, NULL},
	{"month", 1, 12, (const char *const[]) {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{"day-of-week", 1, 7, (const char *const[]) {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
	{"year", SCHEDULE_FIRST_YEAR, SCHEDULE_LAST_YEAR, NULL},
};

static void
cron_set(CronFields *cron, CronField field, int value)
{
	switch (field)
	{
		case FIELD_MINUTES:
			cron->minutes |= UINT64_C(1) << value;
			break;
		case FIELD_HOURS:
			cron->hours |= UINT32_C(1) << value;
			break;
		case FIELD_DAY:
			cron->days |= UINT32_C(1) << value;
			break;
		case FIELD_MONTH:
			cron->months |= UINT32_C(1) << value;
			break;
		case FIELD_WEEKDAY:
			cron->weekdays |= UINT32_C(1) << (value - 1);
			break;
		case FIELD_YEAR:
			value -= SCHEDULE_FIRST_YEAR;
			cron->years[value / 64] |= UINT64_C(1) << (value % 64);
			break;
	}
}

static bool
read_value(Parser *parser, CronField field, int *value)
{
	int			low = cron_fields[field].low;
	int			high = cron_fields[field].high;

	parser->problem[0] = '\0';
	for (int i = low; cron_fields[field].names != NULL && i <= high; i++)
	{
		if (strncasecmp(parser->at, cron_fields[field].names[i - low], 3) == 0 &&
			(!is_letter(parser->at[3]) ||
			 (field == FIELD_WEEKDAY && (parser->at[3] == 'L' || parser->at[3] == 'l') && !is_letter(parser->at[4]))))
		{
			parser->at += 3;
			*value = i;
			return true;
		}
	}
	if (!read_number(parser, value))
		return parser->problem[0] != '\0' ? false :
			fail(parser, "%s has something that is no value at \"%.10s\"", cron_fields[field].name, parser->at);
	if (*value < low || *value > high)
		return fail(parser, "%s %d is not between %d and %d", cron_fields[field].name, *value, low, high);
	return true;
}

static bool
ends_item(char c)
{
	return c == '\0' || c == ',' || c == ' ' || c == '\t' || c == ')';
}

/* L, L-n and LW of day-of-month */
static bool
parse_last_day(Parser *parser, CronFields *cron)
{
	int			before = 0;

	parser->at++;
	if (*parser->at == 'W' || *parser->at == 'w')
	{
		parser->at++;
		cron->last_weekday = true;
		return true;
	}
	if (*parser->at == '-')
	{
		parser->at++;
		if (!read_number(parser, &before) || before > 30)
			return fail(parser, "day-of-month L- takes a number of days up to 30");
	}
	cron->from_end |= UINT32_C(1) << before;
	return true;
}

/* one of the items that commas separate */
static bool
parse_item(Parser *parser, CronField field, CronFields *cron)
{
	int			low = cron_fields[field].low;
	int			high = cron_fields[field].high;
	int			first;
	int			last;
	int			step = 0;

	if ((*parser->at == 'L' || *parser->at == 'l') && field == FIELD_DAY)
		return parse_last_day(parser, cron);
	if ((*parser->at == 'L' || *parser->at == 'l') && field == FIELD_WEEKDAY)
	{
		parser->at++;
		cron_set(cron, field, high);
		return true;
	}
	if (*parser->at == '*')
	{
		parser->at++;
		first = low;
		last = high;
	}
	else
	{
		if (!read_value(parser, field, &first))
			return false;
		last = first;
		if (field == FIELD_DAY && (*parser->at == 'W' || *parser->at == 'w'))
		{
			parser->at++;
			cron->nearest |= UINT32_C(1) << first;
			return true;
		}
		if (field == FIELD_WEEKDAY && (*parser->at == 'L' || *parser->at == 'l'))
		{
			parser->at++;
			cron->last |= UINT32_C(1) << (first - 1);
			return true;
		}
		if (field == FIELD_WEEKDAY && *parser->at == '#')
		{
			parser->at++;
			if (cron->nth != 0 || cron->weekdays != 0 || cron->last != 0)
				return fail(parser, "day-of-week with # has a single entry");
			if (!read_number(parser, &cron->nth) || cron->nth < 1 || cron->nth > 5)
				return fail(parser, "day-of-week # takes a number from 1 to 5");
			cron->nth_weekday = first - 1;
			return true;
		}
		if (*parser->at == '-')
		{
			parser->at++;
			if (!read_value(parser, field, &last))
				return false;
		}
		else if (*parser->at == '/')
			last = high;
	}
	if (*parser->at == '/')
	{
		parser->at++;
		if (!read_number(parser, &step) || step < 1 || step > high)
			return fail(parser, "%s / takes a step from 1 to %d", cron_fields[field].name, high);
	}
	else
		step = 1;
	if (last < first)
	{
		/* FRI-MON goes over the end */
		if (field == FIELD_YEAR)
			return fail(parser, "year %d-%d ends before it begins", first, last);
		last += high - low + 1;
	}
	for (int value = first; value <= last; value += step)
		cron_set(cron, field, value > high ? value - (high - low + 1) : value);
	return true;
}

static bool
parse_field(Parser *parser, CronField field, CronFields *cron, bool *any)
{
	const char *start;

	skip_blanks(parser);
	if (*parser->at == ')' || *parser->at == '\0')
		return fail(parser, "cron takes six fields: minutes hours day-of-month month day-of-week year");
	start = parser->at;
	*any = false;
	if (*parser->at == '?' && (field == FIELD_DAY || field == FIELD_WEEKDAY))
	{
		parser->at++;
		*any = true;
	}
	else
	{
		for (;;)
		{
			if (cron->nth != 0 && field == FIELD_WEEKDAY)
				return fail(parser, "day-of-week with # has a single entry");
			if (!parse_item(parser, field, cron))
				return false;
			if (*parser->at != ',')
				break;
			parser->at++;
		}
	}
	if (!ends_item(*parser->at) || *parser->at == ',')
		return fail(parser, "%s is not understood at \"%.10s\"", cron_fields[field].name,
					parser->at > start ? parser->at : start);
	return true;
}

static bool
parse_cron(Parser *parser, Schedule *schedule)
{
	CronFields *cron = &schedule->cron;
	bool		any[CRON_FIELDS];

	schedule->kind = SCHEDULE_CRON;
	for (int field = 0; field < CRON_FIELDS; field++)
	{
		if (!parse_field(parser, field, cron, &any[field]))
			return false;
	}
	if (!read_end(parser, "cron(...) with six fields: minutes hours day-of-month month day-of-week year"))
		return false;
	if (any[FIELD_DAY] == any[FIELD_WEEKDAY])
		return fail(parser, "one of day-of-month and day-of-week must be ?, the other a value or *");
	cron->by_weekday = any[FIELD_DAY];
	return true;
}

bool
schedule_parse(const char *text, Schedule *schedule, char *problem, size_t size)
{
	Parser		parser = {.at = text,.problem = problem,.size = size};

	memset(schedule, 0, sizeof(Schedule));
	problem[0] = '\0';
	skip_blanks(&parser);
	if (read_word(&parser, "rate"))
		return parse_rate(&parser, schedule);
	if (read_word(&parser, "cron"))
		return parse_cron(&parser, schedule);
	if (read_word(&parser, "at"))
		return parse_at(&parser, schedule);
	schedule->kind = SCHEDULE_ONCE;
	if (strncasecmp(parser.at, "once", 4) == 0)
		parser.at += 4;
	skip_blanks(&parser);
	if (*parser.at != '\0')
		return fail(&parser, "expected rate(5 minutes), cron(0 12 * * ? *), at(2030-01-31T12:00:00) or once");
	return true;
}

/* ---------- due times ---------- */

/* does the weekday nearest to day n of the month, in the month, fall on that day? */
static bool
is_nearest_weekday(int day, int last, int weekday, int n)
{
	int			of_n = ((weekday - (day - n)) % 7 + 7) % 7;

	if (n > last)
		return false;
	if (of_n == 6)
		return day == (n == 1 ? 3 : n - 1);
	if (of_n == 0)
		return day == (n == last ? n - 2 : n + 1);
	return day == n;
}

static bool
cron_has_day(const CronFields *cron, int year, int month, int day, int64_t number)
{
	int			last = days_in_month(year, month);
	int			weekday = weekday_of(number);

	if (cron->by_weekday)
	{
		if (cron->weekdays & (UINT32_C(1) << weekday))
			return true;
		if ((cron->last & (UINT32_C(1) << weekday)) && day + 7 > last)
			return true;
		return cron->nth != 0 && cron->nth_weekday == weekday && (day - 1) / 7 + 1 == cron->nth;
	}
	if (cron->days & (UINT32_C(1) << day))
		return true;
	if (cron->from_end & (UINT32_C(1) << (last - day)))
		return true;
	if (cron->last_weekday && is_nearest_weekday(day, last, weekday, last))
		return true;
	for (int n = 1; cron->nearest != 0 && n <= 31; n++)
	{
		if ((cron->nearest & (UINT32_C(1) << n)) && is_nearest_weekday(day, last, weekday, n))
			return true;
	}
	return false;
}

static bool
cron_has_year(const CronFields *cron, int year)
{
	int			bit = year - SCHEDULE_FIRST_YEAR;

	return year >= SCHEDULE_FIRST_YEAR && year <= SCHEDULE_LAST_YEAR &&
		(cron->years[bit / 64] & (UINT64_C(1) << (bit % 64))) != 0;
}

/* the first minute of a day from that one on; -1: none */
static int
cron_minute(const CronFields *cron, int from)
{
	for (int hour = from / 60; hour < 24; hour++)
	{
		uint64_t	minutes = cron->minutes;

		if ((cron->hours & (UINT32_C(1) << hour)) == 0)
			continue;
		if (hour == from / 60)
			minutes &= ~UINT64_C(0) << (from % 60);
		if (minutes != 0)
			return hour * 60 + __builtin_ctzll(minutes);
	}
	return -1;
}

/* the first day from that one on; false if there is none */
static bool
cron_day(const CronFields *cron, int64_t from, int64_t *number)
{
	int			year;
	int			month;
	int			day;

	if (from < 0)
		from = 0;
	date_of(from, &year, &month, &day);
	while (year <= SCHEDULE_LAST_YEAR)
	{
		if (!cron_has_year(cron, year))
			month = 13;
		else if (cron->months & (UINT32_C(1) << month))
		{
			int64_t		first = day_number(year, month, 1);

			for (; day <= days_in_month(year, month); day++)
			{
				if (cron_has_day(cron, year, month, day, first + day - 1))
				{
					*number = first + day - 1;
					return true;
				}
			}
		}
		day = 1;
		if (++month > 12)
		{
			month = 1;
			year++;
		}
	}
	return false;
}

/* the first time from that one on */
static bool
cron_next(const CronFields *cron, int64_t from, int64_t *next)
{
	int64_t		minute;
	int64_t		day;
	int64_t		found;
	int			of_day;

	/* far away times must not overflow below */
	if (from > day_number(SCHEDULE_LAST_YEAR + 1, 1, 1) * SCHEDULE_DAY)
		return false;
	if (from < 0)
		from = 0;
	minute = (from + SCHEDULE_MINUTE - 1) / SCHEDULE_MINUTE;
	day = minute / MINUTES_A_DAY;
	if (!cron_day(cron, day, &found))
		return false;
	of_day = cron_minute(cron, found == day ? (int) (minute % MINUTES_A_DAY) : 0);
	if (of_day < 0)
	{
		if (!cron_day(cron, found + 1, &found))
			return false;
		of_day = cron_minute(cron, 0);
	}
	*next = found * SCHEDULE_DAY + of_day * SCHEDULE_MINUTE;
	return true;
}

/* start and that many months; the last day of a month that is too short */
static int64_t
add_months(int64_t start, int64_t months)
{
	int64_t		number = floor_divide(start, SCHEDULE_DAY);
	int64_t		total;
	int			year;
	int			month;
	int			day;

	date_of(number, &year, &month, &day);
	total = (int64_t) year * 12 + month - 1 + months;
	year = (int) floor_divide(total, 12);
	month = (int) (total - (int64_t) year * 12) + 1;
	if (day > days_in_month(year, month))
		day = days_in_month(year, month);
	return day_number(year, month, day) * SCHEDULE_DAY + (start - number * SCHEDULE_DAY);
}

static bool
rate_next(const Schedule *schedule, int64_t start, int64_t after, int64_t *next)
{
	int64_t		count;

	if (after < start)
	{
		*next = start;
		return true;
	}
	if (schedule->period != 0)
	{
		if (after > INT64_MAX - schedule->period)
			return false;
		*next = after + schedule->period - (after - start) % schedule->period;
		return true;
	}

	/* no month is longer than 31 days: this many have passed at least */
	count = (after - start) / (31 * SCHEDULE_DAY) / schedule->months;
	if (after > day_number(SCHEDULE_LAST_YEAR + 1, 1, 1) * SCHEDULE_DAY)
		return false;
	while ((*next = add_months(start, count * schedule->months)) <= after)
		count++;
	return true;
}

bool
schedule_next(const Schedule *schedule, int64_t start, int64_t after, int64_t *next)
{
	int64_t		at = schedule->kind == SCHEDULE_AT ? schedule->at : start;

	switch (schedule->kind)
	{
		case SCHEDULE_RATE:
			return rate_next(schedule, start, after, next);
		case SCHEDULE_CRON:
			if (after == INT64_MAX)
				return false;
			return cron_next(&schedule->cron, after < start ? start : after + 1, next);
		case SCHEDULE_AT:
		case SCHEDULE_ONCE:
			*next = at;
			return at > after && at >= start;
	}
	return false;
}

int64_t
schedule_latest(const Schedule *schedule, int64_t start, int64_t from, int64_t now)
{
	int64_t		latest = from;
	int64_t		next;

	/* look back from now, further each time, until something is found */
	for (int64_t back = SCHEDULE_MINUTE; back < now - from; back *= 2)
	{
		if (schedule_next(schedule, start, now - back, &next) && next <= now)
		{
			latest = next;
			break;
		}
	}
	while (schedule_next(schedule, start, latest, &next) && next <= now)
		latest = next;
	return latest;
}

bool
schedule_ever(const Schedule *schedule)
{
	int64_t		day;

	return schedule->kind != SCHEDULE_CRON || cron_day(&schedule->cron, 0, &day);
}

int64_t
schedule_shortest_period(const Schedule *schedule)
{
	const CronFields *cron = &schedule->cron;
	int64_t		shortest = INT64_MAX;
	int64_t		previous;
	int64_t		day;
	int			first;
	int			last;

	if (schedule->kind == SCHEDULE_RATE)
		return schedule->period != 0 ? schedule->period : schedule->months * 28 * SCHEDULE_DAY;
	if (schedule->kind != SCHEDULE_CRON || !cron_day(cron, 0, &previous))
		return INT64_MAX;
	first = last = cron_minute(cron, 0);
	for (int minute = first; last + 1 < MINUTES_A_DAY && (minute = cron_minute(cron, last + 1)) >= 0; last = minute)
	{
		if (minute - last < shortest)
			shortest = minute - last;
	}
	if (shortest != INT64_MAX)
		shortest *= SCHEDULE_MINUTE;

	/* from the last time of a day to the first of the next that has any */
	while (cron_day(cron, previous + 1, &day))
	{
		int64_t		period = (day - previous) * SCHEDULE_DAY - (last - first) * SCHEDULE_MINUTE;

		if (period < shortest)
			shortest = period;
		if (day == previous + 1)
			break;				/* it gets no shorter than that */
		previous = day;
	}
	return shortest;
}
