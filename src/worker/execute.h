/*-------------------------------------------------------------------------
 *
 * execute.h
 *	  What the workers that carry out runs have in common.
 *
 * IDENTIFICATION
 *	  src/worker/execute.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_WORKER_EXECUTE_H
#define APPFLOW_WORKER_EXECUTE_H

#include "postgres.h"

#include <signal.h>

#include "catalog/flow.h"

/* The worker is told to go: at once, or when its run has ended (SIGUSR2, subscriptions). */
extern volatile sig_atomic_t worker_shutdown;
extern volatile sig_atomic_t worker_leave;

/* of the flow whose events the worker listens to, as it knows it */
extern int64 worker_flow_version;

/* Signals, the connection to the database, settings; behind shared_attach(). */
extern void worker_prepare_session(Oid database);

extern void worker_begin_transaction(void);

/* Commit, and send the counters of tables, which background workers do not of themselves. */
extern void worker_commit_transaction(void);

/* Is the extension (still) there? */
extern bool worker_extension_there(void);

/*
 * Carry out the run and record its end.  With execution->position it is one of
 * events, that nobody has asked for: it begins when the first of them has come, or
 * cannot come; false if it failed, or none was waited for any more.
 */
extern bool worker_execute(ExecutionRow *execution);

/* Leave nothing of one run's owner in the session for the next. */
extern void worker_clean_session(void);

/* Keep no more runs of the flow than wanted. */
extern void worker_forget_surplus(int64 flow_id);

#endif							/* APPFLOW_WORKER_EXECUTE_H */
