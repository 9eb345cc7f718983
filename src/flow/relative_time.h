/*-------------------------------------------------------------------------
 *
 * relative_time.h
 *	  Times that are said by how far they are from now.
 *
 * IDENTIFICATION
 *	  src/flow/relative_time.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_RELATIVE_TIME_H
#define APPFLOW_RELATIVE_TIME_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "record/record.h"

/*
 * "now" or "today" (its beginning), in UTC, then any number of "+ 2 hours", "- 1 month"
 * and the like: as the time or date in ISO 8601, palloc'd.  NULL with *problem NULL: it is
 * something else; with *problem: it begins so, but cannot be understood.
 */
extern char *relative_time(const char *text, FieldType type, TimestampTz now, char **problem);

#endif							/* APPFLOW_RELATIVE_TIME_H */
