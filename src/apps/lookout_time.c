/*-------------------------------------------------------------------------
 *
 * lookout_time.c
 *	  Amazon Lookout for Metrics: times and paths as a metric set describes them.
 *
 * IDENTIFICATION
 *	  src/apps/lookout_time.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/lookout_metrics.h"
#include "codec/text.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#define LETTERS "yMdHhKkmsSaZX"

static const char *const months[] = {
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"
};

bool
lookout_time(int64 micros, pg_tz *zone, LookoutTime *time)
{
	int64		rest = ((micros % USECS_PER_SEC) + USECS_PER_SEC) % USECS_PER_SEC;
	int64		seconds = (micros - rest) / USECS_PER_SEC;
	int64		days;
	int64		year;
	unsigned	month;
	unsigned	day;
	int			of_day;

	memset(time, 0, sizeof(LookoutTime));
	if (seconds < -62135596800 || seconds > 253402300799)
		return false;
	if (zone != NULL)
	{
		pg_time_t	instant = (pg_time_t) seconds;
		struct pg_tm *tm = pg_localtime(&instant, zone);

		if (tm == NULL)
			return false;
		time->offset = (int) tm->tm_gmtoff;
	}
	time->wall = seconds + time->offset;
	time->micros = (int) rest;
	of_day = (int) (((time->wall % SECS_PER_DAY) + SECS_PER_DAY) % SECS_PER_DAY);
	days = (time->wall - of_day) / SECS_PER_DAY;
	text_civil_from_days(days, &year, &month, &day);
	time->year = (int) year;
	time->month = (int) month;
	time->day = (int) day;
	time->hour = of_day / SECS_PER_HOUR;
	time->minute = of_day / SECS_PER_MINUTE % MINS_PER_HOUR;
	time->second = of_day % SECS_PER_MINUTE;
	return year >= 1 && year <= 9999;
}

/* how many letters there are like the first, as far as the end */
static int
run_of(const char *p, const char *end)
{
	int			count = 1;

	while (p + count < end && p[count] == *p)
		count++;
	return count;
}

static void
append_offset(StringInfo out, char letter, int count, int offset)
{
	int			minutes = abs(offset) / SECS_PER_MINUTE;

	if (letter == 'X' && offset == 0)
	{
		appendStringInfoChar(out, 'Z');
		return;
	}
	appendStringInfo(out, "%c%02d", offset < 0 ? '-' : '+', minutes / MINS_PER_HOUR);
	if (letter == 'Z' || count > 1)
		appendStringInfo(out, "%s%02d", letter == 'X' && count > 2 ? ":" : "", minutes % MINS_PER_HOUR);
}

static void
append_part(StringInfo out, char letter, int count, const LookoutTime *time)
{
	switch (letter)
	{
		case 'y':
			if (count == 2)
				appendStringInfo(out, "%02d", time->year % 100);
			else
				appendStringInfo(out, "%0*d", count, time->year);
			break;
		case 'M':
			if (count >= 4)
				appendStringInfoString(out, months[time->month - 1]);
			else if (count == 3)
				appendStringInfo(out, "%.3s", months[time->month - 1]);
			else
				appendStringInfo(out, "%0*d", count, time->month);
			break;
		case 'd':
			appendStringInfo(out, "%0*d", count, time->day);
			break;
		case 'H':
			appendStringInfo(out, "%0*d", count, time->hour);
			break;
		case 'k':
			appendStringInfo(out, "%0*d", count, time->hour == 0 ? 24 : time->hour);
			break;
		case 'K':
			appendStringInfo(out, "%0*d", count, time->hour % 12);
			break;
		case 'h':
			appendStringInfo(out, "%0*d", count, (time->hour + 11) % 12 + 1);
			break;
		case 'm':
			appendStringInfo(out, "%0*d", count, time->minute);
			break;
		case 's':
			appendStringInfo(out, "%0*d", count, time->second);
			break;
		case 'S':
			appendStringInfo(out, "%0*d", count, time->micros / 1000);
			break;
		case 'a':
			appendStringInfoString(out, time->hour < 12 ? "AM" : "PM");
			break;
		default:
			append_offset(out, letter, count, time->offset);
	}
}

/* the text between apostrophes at p; returns what is behind it */
static const char *
append_quoted(StringInfo out, const char *p, const char *end)
{
	if (p + 1 < end && p[1] == '\'')
	{
		appendStringInfoChar(out, '\'');
		return p + 2;
	}
	for (p++; p < end; p++)
	{
		if (*p != '\'')
			appendStringInfoChar(out, *p);
		else if (p + 1 < end && p[1] == '\'')
			appendStringInfoChar(out, *p++);
		else
			return p + 1;
	}
	return p;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void
append_time(StringInfo out, const char *pattern, size_t length, const LookoutTime *time)
{
	const char *end = pattern + length;

	for (const char *p = pattern; p < end;)
	{
		int			count = run_of(p, end);

		if (*p == '\'')
			p = append_quoted(out, p, end);
		else if (is_letter(*p))
		{
			append_part(out, *p, Min(count, 9), time);
			p += count;
		}
		else
			appendStringInfoChar(out, *p++);
	}
}

char *
lookout_check_pattern(const char *pattern, size_t length)
{
	const char *end = pattern + length;
	bool		quoted = false;

	for (const char *p = pattern; p < end; p++)
	{
		if (*p == '\'')
			quoted = !quoted;
		else if (!quoted && is_letter(*p) && strchr(LETTERS, *p) == NULL)
			return psprintf("has the letter \"%c\", which is none of %s", *p, LETTERS);
	}
	return quoted ? pstrdup("has an apostrophe without another") : NULL;
}

/*
 * A path must lead to another folder in each interval, but whether it does is for who made
 * it: one for the hours of a day serves a daily interval badly and is not refused.
 */
char *
lookout_check_template(const char *path)
{
	bool		any = false;

	for (const char *open = strstr(path, "{{"); open != NULL; open = strstr(open, "{{"))
	{
		const char *close = strstr(open + 2, "}}");
		char	   *problem;

		if (close == NULL)
			return pstrdup("has \"{{\" without \"}}\"");
		problem = lookout_check_pattern(open + 2, close - open - 2);
		if (problem != NULL)
			return problem;
		any = true;
		open = close;
	}
	return any ? NULL : pstrdup("has no part of the time in it");
}

char *
lookout_format(const char *pattern, const LookoutTime *time)
{
	StringInfoData out;

	initStringInfo(&out);
	append_time(&out, pattern, strlen(pattern), time);
	return out.data;
}

char *
lookout_path(const char *path, const LookoutTime *time)
{
	StringInfoData out;

	initStringInfo(&out);
	while (*path != '\0')
	{
		const char *open = strstr(path, "{{");
		const char *close = open == NULL ? NULL : strstr(open + 2, "}}");

		if (close == NULL)
			break;
		appendBinaryStringInfo(&out, path, (int) (open - path));
		append_time(&out, open + 2, close - open - 2, time);
		path = close + 2;
	}
	appendStringInfoString(&out, path);
	if (out.len > 0 && out.data[out.len - 1] != '/')
		appendStringInfoChar(&out, '/');
	return out.data;
}
