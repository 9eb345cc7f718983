/*-------------------------------------------------------------------------
 *
 * run.h
 *	  Carries out one run of a flow: source to destination.
 *
 * IDENTIFICATION
 *	  src/flow/run.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_RUN_H
#define APPFLOW_FLOW_RUN_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "flow/plan.h"
#include "port/atomics.h"

typedef enum RunPhase
{
	PHASE_STARTING,				/* compiling, opening both ends, sampling */
	PHASE_TRANSFERRING,
	PHASE_FINISHING,			/* making the results visible */
	PHASE_REGISTERING,			/* with the Glue Data Catalog */
	PHASE_DONE
} RunPhase;

/* What others may see of a run while it goes; lives in shared memory. */
typedef struct RunProgress
{
	pg_atomic_uint32 phase;		/* a RunPhase */
	pg_atomic_uint64 records;	/* read from the source */
	pg_atomic_uint64 written;	/* accepted by the destination */
	pg_atomic_uint64 filtered;
	pg_atomic_uint64 failed;
	pg_atomic_uint64 bytes_read;
	pg_atomic_uint64 bytes_written;
} RunProgress;

/* The run, as its claim gave it. */
typedef struct RunRequest
{
	const char *flow_name;
	int64		flow_id;
	const char *execution_id;	/* text of a UUID */
	Oid			owner;			/* with whose rights */
	Jsonb	   *definition;
	int64		schema_version;
	TimestampTz started_at;
	TimestampTz pull_start;		/* records changed from then ... */
	TimestampTz pull_end;		/* ... until before then; DT_NOEND: all */
	const char *position;		/* move events from behind there on, "" is now; NULL: no events */
	RunProgress *progress;
} RunRequest;

typedef struct FlowRun FlowRun;

/* What the run did, for the execution record. */
typedef struct RunOutcome
{
	uint64		bytes_processed;
	uint64		bytes_written;
	uint64		records_processed;	/* sent to the destination, failures included */
	uint64		records_filtered;
	uint64		put_failures;
	int64		files_written;	/* -1: records have none */
	bool		irrevocable;	/* what was written stays, even of a run that fails */
	uint64		uncertain;		/* records of which nobody knows whether the destination has them */
	char	   *message;		/* executionMessage, or NULL */
} RunOutcome;

/*
 * Compile and resolve what needs the catalogs: to be called in a transaction.
 * Everything of the run lives in the current memory context.
 */
extern FlowRun *flow_run_prepare(const RunRequest *request);

/* Does the run need a transaction around flow_run_transfer() ... flow_run_finish()? */
extern bool flow_run_transactional(const FlowRun *run);

/*
 * Does flow_run_finish() make results visible by itself, whatever becomes of the
 * transaction?
 */
extern bool flow_run_publishes(const FlowRun *run);

/*
 * Runs of events: open the source and wait for the first of them, without a
 * transaction; false if the source ended without.  The others are those that come
 * soon behind it, and the run begins then.
 */
extern bool flow_run_await(FlowRun *run);
extern void flow_run_set_start(FlowRun *run, TimestampTz started_at);

/* Does the source keep track of what changes for the flow, and tell where it has come to? */
extern bool flow_run_tracks(const FlowRun *run);

/* the place behind the events or changes that have been read; "" if it is not known */
extern const char *flow_run_position(const FlowRun *run);

/* and where it has begun, "" if nowhere */
extern const char *flow_run_since(const FlowRun *run);

/*
 * Move the records.  Afterwards all that can fail is done and nothing is
 * visible yet.  A run of which every record failed is an error.
 */
extern void flow_run_transfer(FlowRun *run);

/* Make the results visible (objects; tables with the caller's commit). */
extern void flow_run_finish(FlowRun *run);

/*
 * Does the run register what it has written?  That takes calls to a service: to be
 * done without a transaction, behind flow_run_finish().  Raises no errors; the result is
 * metadataCatalogDetails, or NULL.
 */
extern bool flow_run_registers(const FlowRun *run);
extern Jsonb *flow_run_register(FlowRun *run);

/*
 * After a failure: undo at the destination, and still deliver the error file.
 * Does not throw.  Call it outside of a failed transaction.
 */
extern void flow_run_abort(FlowRun *run);

/* What has been done so far; right at any time. */
extern RunOutcome flow_run_outcome(const FlowRun *run);

/*
 * Removing what a run that died has left staged: prepared in a transaction,
 * carried out without.  request needs flow_name, execution_id and definition.
 */
typedef struct FlowSweep FlowSweep;

extern FlowSweep *flow_sweep_prepare(const RunRequest *request);
extern void flow_sweep(FlowSweep *sweep);

#endif							/* APPFLOW_FLOW_RUN_H */
