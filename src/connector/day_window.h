/*-------------------------------------------------------------------------
 *
 * day_window.h
 *	  Windows of days, for applications that are asked for what was from one day
 *	  to another.
 *
 * IDENTIFICATION
 *	  src/connector/day_window.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_DAY_WINDOW_H
#define APPFLOW_DAY_WINDOW_H

#include "postgres.h"

#include "connector/connector.h"

#define DAY_MICROS INT64CONST(86400000000)

/* Days since 1970, both of them in the window; open ends are those of int64. */
typedef struct DayWindow
{
	int64		first;
	int64		last;

	/* planning: what stands for an end that is not known yet ("$1"), or NULL */
	char	   *first_unknown;
	char	   *last_unknown;
	int			unknown;		/* operands met so far that are not known */
} DayWindow;

#define DAY_WINDOW_OPEN {.first = PG_INT64_MIN, .last = PG_INT64_MAX}

/* Does a filter compare as dates and times do? */
extern bool day_window_compares(const Filter *filter);

/*
 * Leave days out of the window that do not satisfy a condition on the date.  False if
 * the condition is none that a window says exactly.
 */
extern bool day_window_narrow(DayWindow *window, const Filter *filter);

/* Leave days out on which a condition on a date or time is never true, as far as a window can. */
extern void day_window_narrow_roughly(DayWindow *window, const Filter *filter);

/*
 * A condition that names an end of the window itself: equal to one date.  False if it is
 * another; *day and *known tell what it is, if it is known.
 */
extern bool day_window_take_end(DayWindow *window, const Filter *filter, bool last, int64 *day, bool *known);

/* The moment, in microseconds, that an operand is; false: it is none, or not known. */
extern bool day_window_moment(const Filter *filter, int operand, int64 *micros);

/* "$1", ...: the next operand that is not known */
extern char *day_window_unknown(DayWindow *window);

/* YYYY-MM-DD; days that have no such form give the nearest that has */
extern char *day_text(int64 day);

/* the day it is, UTC */
extern int64 day_today(void);

#endif							/* APPFLOW_DAY_WINDOW_H */
