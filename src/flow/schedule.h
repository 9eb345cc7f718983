/*-------------------------------------------------------------------------
 *
 * schedule.h
 *	  Schedule expressions and when they are due: arithmetic only.
 *
 * No clock is read here and nothing of the server is used.  Times are instants:
 * microseconds since 1970-01-01 00:00 UTC, in the Gregorian calendar, so that
 * daylight saving does not exist.
 *
 *	  rate(N unit)	minutes, hours, days, weeks, months; counted from the start
 *	  cron(minutes hours day-of-month month day-of-week year)
 *					as the Amazon EventBridge User Guide defines it, in UTC
 *	  at(2030-01-31T12:00:00), once
 *					one time: that one, or the start
 *
 * IDENTIFICATION
 *	  src/flow/schedule.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_SCHEDULE_H
#define APPFLOW_FLOW_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_SECOND INT64_C(1000000)
#define SCHEDULE_MINUTE (60 * SCHEDULE_SECOND)
#define SCHEDULE_HOUR (60 * SCHEDULE_MINUTE)
#define SCHEDULE_DAY (24 * SCHEDULE_HOUR)

#define SCHEDULE_FIRST_YEAR 1970
#define SCHEDULE_LAST_YEAR 2199

typedef enum ScheduleKind
{
	SCHEDULE_RATE,
	SCHEDULE_CRON,
	SCHEDULE_AT,
	SCHEDULE_ONCE
} ScheduleKind;

/* sets of numbers are bits 1 << number */
typedef struct CronFields
{
	uint64_t	minutes;
	uint32_t	hours;
	uint32_t	days;
	uint32_t	nearest;		/* nW: the weekday nearest to day n */
	uint32_t	from_end;		/* L, L-n: day n before the last */
	bool		last_weekday;	/* LW */
	uint32_t	months;			/* 1 = January */
	bool		by_weekday;		/* day-of-month is '?' */
	uint32_t	weekdays;		/* 0 = Sunday */
	uint32_t	last;			/* nL: the last such weekday of the month */
	int			nth;			/* n#k: k, or 0 */
	int			nth_weekday;
	uint64_t	years[4];		/* from SCHEDULE_FIRST_YEAR */
} CronFields;

typedef struct Schedule
{
	ScheduleKind kind;
	int64_t		period;			/* RATE; 0: in months */
	int			months;			/* RATE in months */
	int64_t		at;				/* AT */
	CronFields	cron;			/* CRON */
} Schedule;

/* Parse an expression; false if it is none, and problem (NUL-terminated) says why. */
extern bool schedule_parse(const char *text, Schedule *schedule, char *problem, size_t size);

/*
 * The first due time behind "after" that is not before start; false if there is
 * none.  Rates count from start, and start is the first of their times.
 */
extern bool schedule_next(const Schedule *schedule, int64_t start, int64_t after, int64_t *next);

/* The last due time from "from" (which is one) up to now. */
extern int64_t schedule_latest(const Schedule *schedule, int64_t start, int64_t from, int64_t now);

/* The shortest time between two due times; INT64_MAX if there are no two. */
extern int64_t schedule_shortest_period(const Schedule *schedule);

/* Is there any due time at all? (30 February has none.) */
extern bool schedule_ever(const Schedule *schedule);

#endif							/* APPFLOW_FLOW_SCHEDULE_H */
