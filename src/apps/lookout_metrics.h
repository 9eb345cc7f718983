/*-------------------------------------------------------------------------
 *
 * lookout_metrics.h
 *	  Amazon Lookout for Metrics: times and paths as a metric set describes them.
 *
 * Patterns are those of the developer guide ("Path template keys"), which are Java's
 * SimpleDateFormat: letters are parts of the time, text between apostrophes and what
 * is no letter stands for itself.
 *
 * IDENTIFICATION
 *	  src/apps/lookout_metrics.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_APPS_LOOKOUT_METRICS_H
#define APPFLOW_APPS_LOOKOUT_METRICS_H

#include "postgres.h"

#include "pgtime.h"

/* a time on a wall clock */
typedef struct LookoutTime
{
	int64		wall;			/* seconds of that clock since its 1970 */
	int			micros;			/* of the second */
	int			offset;			/* seconds by which the clock is before UTC */
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
} LookoutTime;

/*
 * The time of microseconds since 1970: of UTC as the clock of a zone shows it, or without a
 * zone of that clock.  False if it is not within the years 1 to 9999.
 */
extern bool lookout_time(int64 micros, pg_tz *zone, LookoutTime *time);

/* What is wrong with a pattern, or with a path with patterns in {{ }}; NULL: nothing. */
extern char *lookout_check_pattern(const char *pattern, size_t length);
extern char *lookout_check_template(const char *path);

/* A time by a pattern; and a path at that time, ending in '/'. */
extern char *lookout_format(const char *pattern, const LookoutTime *time);
extern char *lookout_path(const char *path, const LookoutTime *time);

#endif							/* APPFLOW_APPS_LOOKOUT_METRICS_H */
