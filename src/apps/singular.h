/*-------------------------------------------------------------------------
 *
 * singular.h
 *	  Singular: reports on what marketing costs and brings.
 *
 * There is one entity, the report.  Its records are groups: metrics for each
 * combination of the dimensions that are asked for, in a window of days.
 *
 * IDENTIFICATION
 *	  src/apps/singular.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_SINGULAR_H
#define APPFLOW_SINGULAR_H

#include "postgres.h"

#include "connector/connector.h"

#define SINGULAR_ENTITY "report"

#define SINGULAR_START_DATE "start_date"
#define SINGULAR_END_DATE "end_date"

typedef enum SingularKind
{
	SINGULAR_DIMENSION,
	SINGULAR_CUSTOM,			/* a dimension of the account's own: its name is its id */
	SINGULAR_METRIC,
	SINGULAR_DISCREPANCY,
	SINGULAR_COHORT,			/* path and format of the field are metric and period */
	SINGULAR_PERIOD,			/* date, week, month: format is the time breakdown */
	SINGULAR_WINDOW				/* start_date, end_date: the window itself */
} SingularKind;

/* ---------- singular.c ---------- */

extern SingularKind singular_kind(const Field *field);

/* The value of an answer, or NULL if that is no object; raises an error if the answer is one. */
extern Jsonb *singular_value(ConnectorSession *session, HttpCall *call, const char *what);

/* What values of a dimension are called in filters: the vendor's list, NULL if there are none. */
extern Jsonb *singular_filters(ConnectorSession *session);

/* ---------- singular_report.c ---------- */

extern char *singular_plan_read(ConnectorSession *session, ReadRequest *request);
extern RecordReader *singular_open_reader(ConnectorSession *session, ReadRequest *request);
extern Schema *singular_describe(ConnectorSession *session, const char *entity);

#endif							/* APPFLOW_SINGULAR_H */
