/*-------------------------------------------------------------------------
 *
 * relative_time.c
 *	  Times that are said by how far they are from now.
 *
 * IDENTIFICATION
 *	  src/flow/relative_time.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "codec/text.h"
#include "flow/relative_time.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* how far one step may go: a thousand years or so, which any time of the server's can bear twice over */
typedef struct Unit
{
	const char *name;			/* an s may follow */
	int64		most;
	int			months;
	int			days;
	int64		micros;
} Unit;

static const Unit units[] = {
	{"second", INT64CONST(31556952000), 0, 0, USECS_PER_SEC},
	{"minute", 525949200, 0, 0, USECS_PER_MINUTE},
	{"hour", 8765820, 0, 0, USECS_PER_HOUR},
	{"day", 365242, 0, 1, 0},
	{"week", 52177, 0, 7, 0},
	{"month", 12000, 1, 0, 0},
	{"year", 1000, 12, 0, 0},
};

#define MAX_STEPS 4

static const char *
skip_blanks(const char *p)
{
	while (*p == ' ')
		p++;
	return p;
}

/* is a word there, whatever its letter case?  Where it ends, or NULL */
static const char *
after_word(const char *p, const char *word)
{
	size_t		length = strlen(word);

	return pg_strncasecmp(p, word, length) == 0 && !isalnum((unsigned char) p[length]) ? p + length : NULL;
}

/* a number and a unit; where they end, or NULL */
static const char *
read_step(const char *p, int sign, Interval *step)
{
	const char *digits = p;
	int64		number;

	p += strspn(p, "0123456789");
	if (p == digits || !text_parse_int64(digits, p - digits, &number))
		return NULL;
	p = skip_blanks(p);
	for (int i = 0; i < (int) lengthof(units); i++)
	{
		const char *end = after_word(p, units[i].name);

		if (end == NULL)
			end = after_word(p, psprintf("%ss", units[i].name));
		if (end == NULL)
			continue;
		if (number > units[i].most)
			return NULL;
		step->month = (int32) (sign * number * units[i].months);
		step->day = (int32) (sign * number * units[i].days);
		step->time = sign * number * units[i].micros;
		return end;
	}
	return NULL;
}

char *
relative_time(const char *text, FieldType type, TimestampTz now, char **problem)
{
	/* the clock's microseconds are those of UTC, in which days and months are counted */
	Timestamp	time = now;
	const char *p = skip_blanks(text);
	const char *end;
	Cell		cell;
	char		shown[CELL_TEXT_MAX];

	*problem = NULL;
	if ((end = after_word(p, "today")) != NULL)
		time -= ((time % USECS_PER_DAY) + USECS_PER_DAY) % USECS_PER_DAY;
	else if ((end = after_word(p, "now")) == NULL)
		return NULL;
	p = skip_blanks(end);
	for (int i = 0; *p != '\0'; i++)
	{
		Interval	step = {0};

		end = i == MAX_STEPS || (*p != '+' && *p != '-') ? NULL : read_step(skip_blanks(p + 1), *p == '+' ? 1 : -1, &step);
		if (end == NULL)
		{
			*problem = psprintf("\"%s\" is no time from now on: write for instance \"now - 7 days\" or \"today - 1 month\"", text);
			return NULL;
		}
		time = DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval, TimestampGetDatum(time), IntervalPGetDatum(&step)));
		p = skip_blanks(end);
	}

	/* cells count from 1970 */
	time += (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	cell = (Cell)
	{
		.kind = CELL_TIMESTAMP,.integer = time
	};
	if (type == FIELD_DATE)
		cell = (Cell)
	{
		.kind = CELL_DATE,.integer = (time - ((time % USECS_PER_DAY) + USECS_PER_DAY) % USECS_PER_DAY) / USECS_PER_DAY
	};
	return pnstrdup(shown, text_format_cell(&cell, type, shown));
}
