/*-------------------------------------------------------------------------
 *
 * day_window.c
 *	  Conditions on dates as windows of days.
 *
 * IDENTIFICATION
 *	  src/connector/day_window.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "codec/text.h"
#include "connector/day_window.h"

/* the days with four digits for the year: 0001-01-01, 9999-12-31 */
#define LEAST_DAY (-719162)
#define LAST_DAY 2932896

static int64
floor_day(int64 micros)
{
	return micros >= 0 ? micros / DAY_MICROS : -((-(micros + 1)) / DAY_MICROS) - 1;
}

static int64
ceil_day(int64 micros)
{
	return micros % DAY_MICROS == 0 ? micros / DAY_MICROS : floor_day(micros) + 1;
}

bool
day_window_compares(const Filter *filter)
{
	return !filter->typed || filter->type == FIELD_DATE || filter->type == FIELD_DATETIME || filter->type == FIELD_TIMESTAMP;
}

bool
day_window_moment(const Filter *filter, int operand, int64 *micros)
{
	bool		date = !filter->typed || filter->type == FIELD_DATE || filter->type == FIELD_STRING;

	if (filter->operands[operand] == NULL ||
		!filter_parse_time(filter->operands[operand], date ? FIELD_DATE : FIELD_DATETIME, micros))
		return false;
	if (date)
		*micros = Max(Min(*micros, LAST_DAY), LEAST_DAY) * DAY_MICROS;
	return true;
}

char *
day_window_unknown(DayWindow *window)
{
	return psprintf("$%d", ++window->unknown);
}

static void
narrow_first(DayWindow *window, int64 day)
{
	window->first = Max(window->first, day);
}

static void
narrow_last(DayWindow *window, int64 day)
{
	window->last = Min(window->last, day);
}

/* a comparison whose operand is not known yet: what the plan shows */
static bool
narrow_unknown(DayWindow *window, FilterOperator operator, int which)
{
	switch (operator)
	{
		case FILTER_LESS_THAN:
		case FILTER_LESS_THAN_OR_EQUAL_TO:
			window->last_unknown = day_window_unknown(window);
			return true;
		case FILTER_GREATER_THAN:
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			window->first_unknown = day_window_unknown(window);
			return true;
		case FILTER_BETWEEN:
			*(which == 0 ? &window->first_unknown : &window->last_unknown) = day_window_unknown(window);
			return true;
		case FILTER_EQUAL_TO:
			window->first_unknown = window->last_unknown = day_window_unknown(window);
			return true;
		default:
			return false;
	}
}

static bool
narrow_known(DayWindow *window, FilterOperator operator, int which, int64 micros)
{
	switch (operator)
	{
		case FILTER_LESS_THAN:
			narrow_last(window, ceil_day(micros) - 1);
			return true;
		case FILTER_LESS_THAN_OR_EQUAL_TO:
			narrow_last(window, floor_day(micros));
			return true;
		case FILTER_GREATER_THAN:
			narrow_first(window, floor_day(micros) + 1);
			return true;
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			narrow_first(window, ceil_day(micros));
			return true;
		case FILTER_BETWEEN:
			return narrow_known(window, which == 0 ? FILTER_GREATER_THAN : FILTER_LESS_THAN, 0, micros);
		case FILTER_EQUAL_TO:
			narrow_first(window, ceil_day(micros));
			narrow_last(window, floor_day(micros));
			return true;
		default:
			return false;
	}
}

bool
day_window_narrow(DayWindow *window, const Filter *filter)
{
	DayWindow	narrowed = *window;

	if (!day_window_compares(filter) || filter->noperands == 0 ||
		(filter->operator == FILTER_EQUAL_TO && filter->noperands > 1))
		return false;
	for (int i = 0; i < filter->noperands; i++)
	{
		int64		micros;

		if (filter->operands[i] == NULL)
		{
			if (!narrow_unknown(&narrowed, filter->operator, i))
				return false;
		}
		else if (!day_window_moment(filter, i, &micros) || !narrow_known(&narrowed, filter->operator, i, micros))
			return false;
	}
	*window = narrowed;
	return true;
}

void
day_window_narrow_roughly(DayWindow *window, const Filter *filter)
{
	int64		least = PG_INT64_MAX;
	int64		most = PG_INT64_MIN;

	if (!day_window_compares(filter))
		return;
	for (int i = 0; i < filter->noperands; i++)
	{
		int64		micros;

		if (!day_window_moment(filter, i, &micros))
			return;
		least = Min(least, floor_day(micros));
		most = Max(most, floor_day(micros));
	}
	if (least > most)
		return;
	if (filter->operator == FILTER_GREATER_THAN || filter->operator == FILTER_GREATER_THAN_OR_EQUAL_TO ||
		filter->operator == FILTER_BETWEEN || filter->operator == FILTER_EQUAL_TO)
		narrow_first(window, least);
	if (filter->operator == FILTER_LESS_THAN || filter->operator == FILTER_LESS_THAN_OR_EQUAL_TO ||
		filter->operator == FILTER_BETWEEN || filter->operator == FILTER_EQUAL_TO)
		narrow_last(window, most);
}

bool
day_window_take_end(DayWindow *window, const Filter *filter, bool last, int64 *day, bool *known)
{
	int64		micros;

	*known = false;
	if (filter->operator != FILTER_EQUAL_TO || filter->noperands != 1 ||
		(!day_window_compares(filter) && filter->type != FIELD_STRING))
		return false;
	if (filter->operands[0] == NULL)
	{
		*(last ? &window->last_unknown : &window->first_unknown) = day_window_unknown(window);
		return true;
	}
	if (!day_window_moment(filter, 0, &micros))
		return false;
	*known = true;
	*day = floor_day(micros);

	/* no day begins at another moment than its first */
	if (micros % DAY_MICROS != 0)
		window->last = PG_INT64_MIN;
	if (last)
		narrow_last(window, *day);
	else
		narrow_first(window, *day);
	return true;
}

char *
day_text(int64 day)
{
	int64		year;
	unsigned	month;
	unsigned	date;

	text_civil_from_days(Max(Min(day, LAST_DAY), LEAST_DAY), &year, &month, &date);
	return psprintf("%04d-%02u-%02u", (int) year, month, date);
}

int64
day_today(void)
{
	return (int64) time(NULL) / 86400;
}
