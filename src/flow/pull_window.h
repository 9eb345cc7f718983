/*-------------------------------------------------------------------------
 *
 * pull_window.h
 *	  Incremental pulls: only what changed in a window of time.
 *
 * Windows are half-open and follow one another, so no record is moved twice and
 * none is left out.  Objects of S3 belong to the window in which they were last
 * modified, records to the one of incrementalPullConfig.datetimeTypeFieldName.
 *
 * IDENTIFICATION
 *	  src/flow/pull_window.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_PULL_WINDOW_H
#define APPFLOW_FLOW_PULL_WINDOW_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* member of tasks that are made here: their operators need not be among the source's own */
#define PULL_WINDOW_TASK "pullWindow"

/* What a flow with dataPullMode Incremental lacks is appended to problems (of char *). */
extern void pull_window_check(Jsonb *definition, List **problems);

/* The definition with filters that leave the records of the window; the same for S3. */
extern Jsonb *pull_window_apply(Jsonb *definition, TimestampTz start, TimestampTz end);

/* Do two definitions pull from the same object by the same field? */
extern bool pull_window_same(Jsonb *before, Jsonb *after);

/*
 * Does the source itself keep track of what changes for the flow (delta tokens of SAP
 * OData)?  Its pulls then have no window, but a place where the last one has ended.
 */
extern bool pull_window_tracked(Jsonb *definition);

#endif							/* APPFLOW_FLOW_PULL_WINDOW_H */
