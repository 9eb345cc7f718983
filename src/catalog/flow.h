/*-------------------------------------------------------------------------
 *
 * flow.h
 *	  The tables of flows and of their runs.
 *
 * All functions need a transaction and act as the tables' owner; whether the
 * user may is for the caller to decide.
 *
 * IDENTIFICATION
 *	  src/catalog/flow.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_FLOW_H
#define APPFLOW_CATALOG_FLOW_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

/* ---------- flow.c ---------- */

typedef struct FlowRow
{
	int64		flow_id;
	char	   *flow_name;
	Oid			owner;
	char	   *status;
	char	   *trigger_type;
	Jsonb	   *definition;
	int64		schema_version;
} FlowRow;

/* The flow of that name, or NULL; locked against changes with for_update. */
extern FlowRow *flow_get(const char *name, bool for_update);

/* false if there is a flow of that name */
extern bool flow_insert(const char *name, Oid owner, const char *status, Jsonb *definition,
						Jsonb *tags, const char *created_by);

extern void flow_set_status(int64 flow_id, const char *status, const char *message, const char *by);

extern void flow_delete(int64 flow_id);

/* Set a flow's own limits; 0: none, the settings count. */
extern void flow_set_limits(int64 flow_id, int64 max_run_ms, int64 history_runs);

/* when it was created; 0: there is none of that id */
extern TimestampTz flow_created_at(int64 flow_id);

/* flows in all */
extern int64 flow_count(void);

/* ---------- execution.c ---------- */

/* runs that wait or go on */
extern int64 execution_count_going(void);

typedef struct ExecutionRow
{
	pg_uuid_t	execution_id;
	int64		flow_id;
	char	   *flow_name;
	Oid			owner;
	Jsonb	   *definition;
	int64		schema_version;
	TimestampTz started_at;
	TimestampTz pull_start;		/* DT_NOEND: all records */
	TimestampTz pull_end;
	int64		max_run_ms;		/* the flow's own limit; 0: none */
	char	   *position;		/* events: behind which it begins; NULL: none of events */
	bool		heard;			/* events: some have come */
} ExecutionRow;

/* what a run has done */
typedef struct ExecutionCounts
{
	int64		bytes_processed;
	int64		bytes_written;
	int64		records_processed;
	int64		records_filtered;
	int64		put_failures;
	int64		files_written;	/* -1: records have none */
} ExecutionCounts;

/*
 * A new run of the flow, which waits for a worker; bound to the definition as it
 * is.  attended: a session waits for it in this life of the server, given by its
 * number; in no other is it begun.  0: for whoever looks later.
 */
extern pg_uuid_t execution_insert(const FlowRow *flow, int64 attended);

/*
 * Take the run that has waited longest, of a flow that has no other run going
 * on; NULL if there is none.
 */
extern ExecutionRow *execution_claim(int64 incarnation);

/*
 * Insert a run that an event of the flow's source begins, with its id, as taken; sets
 * started_at.  false: the flow is gone, or listens to events no more.
 */
extern bool execution_begin(ExecutionRow *execution, int64 incarnation);

/* whether runs wait that could be taken */
extern bool execution_waits(int64 incarnation);

/*
 * Record the end of a run.  status Successful is recorded only while the run is
 * InProgress: false means that it was cancelled or deleted.  A run whose results
 * are published already can no longer be cancelled, only deleted.
 */
extern bool execution_end(const pg_uuid_t *execution_id, const char *status, const char *message,
						  const char *error_code, const ExecutionCounts *counts, bool published);

/* Keep what came of registering a run's results: metadataCatalogDetails. */
extern void execution_set_catalog_details(const pg_uuid_t *execution_id, Jsonb *details);

/* status and message of a run as it is; NULL if there is none */
extern char *execution_status(const pg_uuid_t *execution_id, char **message, char **error_code);

/*
 * Cancel runs of a flow: those named, or all with ids NULL.  Runs that wait are
 * Canceled, those that go on CancelStarted; these are returned, for their
 * workers to be told.  Ids that name no run going on come back in invalid.
 */
extern List *execution_cancel(int64 flow_id, List *ids, List **invalid);

/* Record runs of which the worker is gone as errors; returns them (of ExecutionRow *). */
extern List *execution_reap(void);

/*
 * Runs recorded so, of which it is not known yet that nothing of theirs is left
 * in stores (of ExecutionRow *); and noting that it is known.
 */
extern List *execution_unswept(void);
extern void execution_swept(const pg_uuid_t *execution_id);

/*
 * Forget at most that many finished runs that ended before then; returns how
 * many.  And when the first that is there ended; DT_NOEND: none is there.
 */
extern int	execution_forget_old(TimestampTz before, int limit);
extern TimestampTz execution_oldest(void);

/*
 * Forget finished runs of the flow but the latest, as many as it says itself or,
 * if it does not, as given here; 0: keep all.
 */
extern void execution_forget_surplus(int64 flow_id, int runs);

/* ---------- schedule.c ---------- */

/* where a scheduled flow stands; times that are not there are DT_NOBEGIN or DT_NOEND */
typedef struct ScheduleRow
{
	int64		flow_id;
	char	   *flow_name;
	Jsonb	   *trigger;		/* of the definition: triggerConfig, and the source's connectorType */
	TimestampTz activated_at;	/* DT_NOBEGIN: never */
	TimestampTz next_at;		/* DT_NOEND: not due */
	TimestampTz watermark;		/* records up to then are moved; DT_NOBEGIN: none */
	bool		active;			/* the flow is */
	bool		busy;			/* a run of the flow waits or goes on */
} ScheduleRow;

/* what becomes of a flow that is due */
typedef struct ScheduleDecision
{
	int64		flow_id;
	TimestampTz due_at;			/* a run is asked for; DT_NOEND: none */
	TimestampTz next_at;		/* DT_NOEND: not due any more */
	bool		skipped;		/* a run was due and is not asked for */
	char	   *problem;		/* why the flow cannot be run any more, or NULL */
	TimestampTz pull_start;		/* the run's window; DT_NOEND: all records */
	TimestampTz pull_end;
} ScheduleDecision;

/* Where the flow stands, locked; with nothing known of it before: all absent. */
extern ScheduleRow *schedule_get(int64 flow_id);

/* Keep that; failures begin to be counted anew. */
extern void schedule_set(int64 flow_id, TimestampTz activated_at, TimestampTz next_at);

/* Events start no run of the flow before then. */
extern void schedule_delay(int64 flow_id, TimestampTz until);

/* Set or forget (DT_NOBEGIN) up to when records are moved; runs that are asked for already do not change it. */
extern void schedule_set_watermark(int64 flow_id, TimestampTz watermark);

/* The flows due at that time, those longest due first (of ScheduleRow *), locked. */
extern List *schedule_due(TimestampTz now, int limit);

/* Carry out decisions (of ScheduleDecision *). */
extern void schedule_decide(List *decisions);


/* When the next flow is due; DT_NOEND: none. */
extern TimestampTz schedule_first(void);

/* Is there anything that a worker should see to: runs, or what is left of them? */
extern bool schedule_work_left(void);

#endif							/* APPFLOW_CATALOG_FLOW_H */
