/*-------------------------------------------------------------------------
 *
 * google_analytics.h
 *	  Google Analytics: properties of the Data API v1 (GA4), views of the
 *	  Reporting API v4 (Universal Analytics).
 *
 * Entities have the names that Google gives them: properties/NUMBER, ga:NUMBER.
 * Their records are groups: what is counted (metrics) for each combination of what
 * is asked for (dimensions) in a window of days.
 *
 * IDENTIFICATION
 *	  src/apps/google_analytics.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_GOOGLE_ANALYTICS_H
#define APPFLOW_GOOGLE_ANALYTICS_H

#include "postgres.h"

#include "connector/connector.h"

/* fields that are no dimensions: the window itself */
#define GOOGLE_START_DATE "startDate"
#define GOOGLE_END_DATE "endDate"

typedef enum GoogleKind
{
	GOOGLE_DIMENSION,
	GOOGLE_METRIC,
	GOOGLE_WINDOW				/* startDate, endDate */
} GoogleKind;

/* ---------- google_analytics.c ---------- */

/* Google's APIs, each at a host of its own */
typedef enum GoogleApi
{
	GOOGLE_DATA,
	GOOGLE_ADMIN,
	GOOGLE_MANAGEMENT,			/* Universal Analytics */
	GOOGLE_REPORTING
} GoogleApi;

/* A call to an API, not started; body may be NULL, and must stay. */
extern HttpCall *google_call(ConnectorSession *session, GoogleApi api, const char *method, const char *path,
							 const char *body, size_t length);

/* Raise what an answer that is an error means. */
pg_noreturn extern void google_fail(ConnectorSession *session, HttpCall *call, const char *what);

/* Is the entity a view?  Raises an error if it is neither that nor a property. */
extern bool google_is_view(const char *entity);

extern GoogleKind google_kind(const Field *field);

/* digits of a dimension that is a date or a time: 8, 10 or 12; 0: it is none */
extern int	google_date_digits(const char *name);

/* ---------- google_analytics_query.c ---------- */

typedef struct GoogleReport
{
	bool		view;
	const char *entity;
	char	   *what;			/* for messages */
	Schema	   *schema;			/* of the records */
	int			ndimensions;
	int			nmetrics;
	const char *dimensions[9];
	const char *metrics[10];
	bool		empty;			/* no day can satisfy the conditions: nothing to ask for */
	int64		window_start;	/* days that the fields startDate and endDate are */
	int64		window_end;
	char	   *body;			/* members of the request, but for the page */
	int64		limit;			/* records in all, or NO_LIMIT */
	int64		offset;
	int			page;			/* records of a page */
} GoogleReport;

/*
 * The report that a request comes to.  Sets what the request says that Google does.
 * With planning nothing is refused.
 */
extern GoogleReport *google_report(ReadRequest *request, const Schema *described, bool planning);

/* method and path of the call for a page, and its body */
extern const char *google_report_path(const GoogleReport *report);
extern char *google_report_body(const GoogleReport *report, int64 offset, int64 size, const char *token);

/* ---------- google_analytics_read.c ---------- */

extern RecordReader *google_open_report(ConnectorSession *session, const GoogleReport *report, int64 limit_hint);

#endif							/* APPFLOW_GOOGLE_ANALYTICS_H */
