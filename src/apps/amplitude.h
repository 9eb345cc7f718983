/*-------------------------------------------------------------------------
 *
 * amplitude.h
 *	  The connector for Amplitude: its parts among themselves.
 *
 * amplitude.c			entities and their fields, spans of time, figures of dashboards
 * amplitude_export.c	events, out of archives
 *
 * IDENTIFICATION
 *	  src/apps/amplitude.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_APPS_AMPLITUDE_H
#define APPFLOW_APPS_AMPLITUDE_H

#include "postgres.h"

#include "connector/connector.h"

/* hours or days since 1970 in UTC, both ends included */
typedef struct AmplitudeSpan
{
	int64		first;
	int64		last;
} AmplitudeSpan;

/*
 * Reads the events that Amplitude's servers got in the hours of the span, first to
 * last.  few: the caller may want no more than some of the first.
 */
extern RecordReader *amplitude_export_reader(ConnectorSession *session, const char *entity, Schema *schema,
											 bool discover, const AmplitudeSpan *hours, bool few);

/* the call for some hours */
extern char *amplitude_export_path(int64 first, int64 last);

#endif							/* APPFLOW_APPS_AMPLITUDE_H */
