/*-------------------------------------------------------------------------
 *
 * schedulers.h
 *	  The launcher and its schedulers: what processes tell each other of them.
 *
 * When the library is preloaded, one launcher keeps one scheduler in every
 * database that has the extension.  This is who does what when:
 *
 *	  server start, promotion	the launcher has a scheduler look into every
 *								database; one without the extension ends at once
 *								and is not started again
 *	  CREATE EXTENSION			the script asks for a scheduler; it comes when the
 *								transaction commits, and not when it aborts
 *	  DROP EXTENSION			at commit the scheduler is woken, looks, and ends
 *	  schedules change			at commit the scheduler is woken and looks
 *	  DROP, RENAME, MOVE, COPY	the database is held before the statement: its
 *	  of a database				scheduler and those who listen to events end and none
 *								is started; afterwards, done or failed, the launcher
 *								looks at all databases
 *	  CREATE DATABASE			afterwards the launcher looks at all databases
 *	  a scheduler ends			it is started again after a delay that doubles, until
 *								one has lived for a while
 *	  the launcher ends			the schedulers go on; the next one finds them here
 *	  hot standby				nothing is started before promotion
 *	  pg_upgrade				nothing is started
 *
 * IDENTIFICATION
 *	  src/worker/schedulers.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_WORKER_SCHEDULERS_H
#define APPFLOW_WORKER_SCHEDULERS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define MAX_SCHEDULERS 64

/* Settings, memory, the launcher, hooks: for worker_define_settings(). */
extern void schedulers_init(void);

/* The schedulers' clock: the server's, moved by appflow.clock_offset. */
extern TimestampTz schedulers_now(void);

/* ms from the start of a run by changes of a table to that of the next */
extern int	schedulers_event_interval;

/* days for which finished runs are kept, and how many of a flow; 0: forever, all */
extern int	schedulers_history_days;
extern int	schedulers_history_runs;

/* ---------- for sessions ---------- */

/* Wake a database's scheduler, now or when the transaction commits.  No errors. */
extern void schedulers_wake(Oid database);
extern void schedulers_wake_at_commit(void);

/*
 * The same for what the scheduler finds sooner or later anyway: a transaction may
 * be prepared nevertheless, and then wakes nobody.
 */
extern void schedulers_nudge_at_commit(void);

/*
 * Is there a scheduler in this database, or will there be within a second?
 * false also if there is no launcher.
 */
extern bool schedulers_expect(Oid database);

/*
 * Keep the scheduler and those who listen to events out of a database: returns when
 * they are gone (or do not go).  Until released.
 */
extern void schedulers_hold(Oid database);
extern void schedulers_release(Oid database);

/* Have the launcher look at all databases when the transaction commits. */
extern void schedulers_rescan_at_commit(void);

/* ---------- for the launcher ---------- */

typedef struct SchedulerEnd
{
	Oid			database;
	bool		absent;			/* it found no extension */
	TimestampTz started_at;
} SchedulerEnd;

extern void schedulers_attach_launcher(void);

/* what sessions asked for since the last time: databases to look into, or all */
extern int	schedulers_asked(Oid *databases, bool *rescan);

/* schedulers that ended since the last time; returns how many */
extern int	schedulers_ended(SchedulerEnd *ends);

/* A slot for a scheduler in the database: -1 if it has one, is held, or all are taken. */
extern int	schedulers_reserve(Oid database);
extern void schedulers_unreserve(int slot);

/* Has the database a scheduler?  Is one just starting anywhere? */
extern bool schedulers_present(Oid database);
extern bool schedulers_starting(void);

/* ---------- for schedulers ---------- */

/* Take over a reserved slot; false if it is not wanted any more.  Freed at exit. */
extern bool schedulers_attach(int slot, Oid database);

/* What a scheduler has done, for scheduler_activity(). */
extern void schedulers_count_wake(void);
extern void schedulers_count_tick(int flows, int runs, uint64 microseconds);

/* Remember that the database has no extension. */
extern void schedulers_set_absent(void);

#endif							/* APPFLOW_WORKER_SCHEDULERS_H */
