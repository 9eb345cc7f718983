/*-------------------------------------------------------------------------
 *
 * shared.h
 *	  What the processes of a server know of each other's runs.
 *
 * A slot belongs to a worker from the moment that somebody asks for the worker
 * until it exits.  The area needs no preloading: it is small enough for what
 * the server keeps in reserve, and is requested properly when the library is
 * preloaded.
 *
 * IDENTIFICATION
 *	  src/worker/shared.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_WORKER_SHARED_H
#define APPFLOW_WORKER_SHARED_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "flow/run.h"
#include "utils/uuid.h"

#define MAX_WORKERS 64

typedef enum SlotState
{
	SLOT_FREE,					/* execution: the last run it had */
	SLOT_RESERVED,				/* a worker has been asked for */
	SLOT_WORKING				/* the worker is there */
} SlotState;

typedef struct RunSlot
{
	SlotState	state;
	Oid			database;
	int64		subscription;	/* flow that it carries out runs of, as its events come; 0: any runs */
	int64		version;		/* of that flow, as the worker knows it; 0: not yet */
	pid_t		pid;			/* SLOT_WORKING */
	TimestampTz reserved_at;
	pg_uuid_t	execution;		/* zero: none yet */
	TimestampTz started_at;
	bool		running;		/* the execution is not finished */
	bool		lost;			/* its worker went without finishing it */
	pg_atomic_uint32 cancel;	/* somebody wants the run to end */
	RunProgress progress;
} RunSlot;

/* Call from _PG_init: asks for the memory when the library is being preloaded. */
extern void shared_request(void);

/*
 * A number that tells this life of the server from all others: runs claimed in
 * another one are dead.
 */
extern int64 shared_incarnation(void);

/* ---------- for those who want a run ---------- */

/*
 * Reserve a slot for a worker in a database, if the limit allows: its index, or
 * -1.  With -1 the database is remembered, and a worker that ends takes care of
 * it; likewise if the reservation is given back because no worker could be had.
 */
extern int	shared_reserve(Oid database, int max_workers);
extern void shared_unreserve(int slot);

/* The same for the events of a flow, with a limit of its own; nobody remembers it. */
extern int	shared_reserve_subscription(Oid database, int64 flow_id, int max_subscriptions);

/* Has the flow a worker for its events, or will it have one soon? */
extern bool shared_subscribed(Oid database, int64 flow_id);

/* The worker for events knows that version of its flow. */
extern void shared_set_version(int64 version);

/*
 * Have workers for events of flows of the database go, after their runs: those that are
 * not among these flows in these versions.
 */
extern void shared_keep_subscriptions(Oid database, int nflows, const int64 *flows, const int64 *versions);

/* Have all of them go at once; returns how many there are. */
extern int	shared_stop_subscriptions(Oid database);

/*
 * Ask the worker that carries out the run to end it.  A run that no worker has
 * taken yet is remembered and never begun.  Neither throws nor needs a
 * transaction.
 */
extern void shared_cancel(const pg_uuid_t *execution);

/*
 * Wait until some run has ended since the last look, or for the time given.
 * Prepare before the first look, and end the waiting after the last.
 */
extern void shared_wait_prepare(void);
extern void shared_wait(long milliseconds);
extern void shared_wait_end(void);

/* Copies the slots; returns how many there are. */
extern int	shared_copy_slots(RunSlot *slots);

/* Is the run of that incarnation being carried out (or was it finished properly a moment ago)? */
extern bool shared_alive(const pg_uuid_t *execution, int64 incarnation);

/* ---------- for workers ---------- */

/* Take over a reserved slot; false if it is not ours any more. */
extern bool shared_attach(int slot);

/*
 * Begin and end a run; begin returns false if it was cancelled before.  A run
 * begins before its claim is committed and ends after its end is.
 */
extern bool shared_begin_run(const pg_uuid_t *execution, TimestampTz started_at);
extern void shared_end_run(void);

extern RunProgress *shared_progress(void);
extern bool shared_cancelled(void);

/* Do runs of another database wait for a worker? */
extern bool shared_others_wait(Oid database);

/*
 * Give the slot back before exit: a database whose runs wait for a worker, the
 * one that has waited longest, or InvalidOid.  *lost: a run was not ended.  The
 * second time it does nothing.
 */
extern Oid	shared_detach(bool *lost);

#endif							/* APPFLOW_WORKER_SHARED_H */
