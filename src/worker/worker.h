/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  Background workers that carry out runs.
 *
 * IDENTIFICATION
 *	  src/worker/worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_WORKER_H
#define APPFLOW_WORKER_H

#include "postgres.h"

#include "utils/uuid.h"

/* ---------- launch.c ---------- */

/* seconds that a run may take; 0: no limit */
extern int	worker_max_run_time;

/* Settings of the workers and what they need at start; for _PG_init. */
extern void worker_define_settings(void);

/*
 * When the transaction commits: see that a worker takes the run that has been
 * inserted, or tell the one that carries out a cancelled run.
 */
extern void worker_wake_at_commit(void);
extern void worker_cancel_at_commit(const pg_uuid_t *execution);

/*
 * Ask for a worker for this database now.  False if none could be had and none
 * that is there will do: *reason says why.
 */
extern bool worker_launch(Oid database, const char **reason);

/* The same for a worker that listens to events of a flow; false also when the limit is reached. */
extern bool worker_launch_subscription(Oid database, int64 flow_id, const char **reason);

/* ---------- subscriber.c ---------- */

extern PGDLLEXPORT void appflow_subscriber_main(Datum argument);

/* ---------- execute.c ---------- */

/* Settings that a background worker depends on, whatever the database or its owner set. */
extern void worker_override_settings(void);

/* ---------- runner.c ---------- */

extern PGDLLEXPORT void appflow_worker_main(Datum argument);

#endif							/* APPFLOW_WORKER_H */
