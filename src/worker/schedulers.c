/*-------------------------------------------------------------------------
 *
 * schedulers.c
 *	  The launcher and its schedulers: what processes tell each other of them.
 *
 * IDENTIFICATION
 *	  src/worker/schedulers.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "net/shared_area.h"
#include "postmaster/bgworker.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/launcher.h"
#include "worker/schedulers.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(appflow_wake_scheduler);
PG_FUNCTION_INFO_V1(appflow_schedule_changed);
PG_FUNCTION_INFO_V1(appflow_scheduler_activity);

/* a scheduler that has not come by then never will */
#define RESERVATION_MS (60 * 1000)

/* how long a statement waits for a scheduler to go, and start_flow for one to come */
#define HOLD_MS 10000
#define EXPECT_MS 1000

#define MAX_HELD 32

typedef enum SchedulerState
{
	SCHEDULER_FREE,
	SCHEDULER_RESERVED,
	SCHEDULER_RUNNING,
	SCHEDULER_ENDED				/* the launcher has not yet heard of it */
} SchedulerState;

typedef struct SchedulerSlot
{
	SchedulerState state;
	Oid			database;
	pid_t		pid;
	Latch	   *latch;			/* of a process slot: there as long as the server */
	TimestampTz started_at;
	bool		absent;

	/* since then */
	int64		wakes;			/* times that it went to sleep */
	int64		ticks;
	int64		flows;			/* that were due */
	int64		runs;			/* that were asked for */
	int64		busy_ticks;		/* in which flows were due or runs were asked for */
	int64		busy_us;		/* that they took */
	int64		longest_us;
} SchedulerSlot;

typedef struct SchedulersState
{
	LWLock		lock;
	ConditionVariable changed;
	Latch	   *launcher;		/* NULL: none */
	Oid			asked[MAX_SCHEDULERS];
	int			nasked;
	bool		rescan;
	Oid			held[MAX_HELD]; /* InvalidOid: no entry */
	SchedulerSlot slots[MAX_SCHEDULERS];
} SchedulersState;

static SchedulersState *state;
static SchedulerSlot *own;
static int	clock_offset;
int			schedulers_history_days = 90;
int			schedulers_history_runs = 1000;
int			schedulers_event_interval = 1000;

/* at commit */
static bool wake_wanted;
static bool nudge_wanted;
static bool rescan_wanted;
static bool ask_wanted;

static void
init(void *memory)
{
	ConditionVariableInit(&((SchedulersState *) memory)->changed);
}

static SharedArea area = {.name = "appflow schedulers",.size = sizeof(SchedulersState),.init = init};

static void
attach(void)
{
	shared_area_attach(&area);
	state = area.memory;
}

void
schedulers_init(void)
{
	DefineCustomIntVariable("appflow.clock_offset",
							"Moves the clock of the schedulers, for tests.",
							"Schedules are due as if it were that much later.",
							&clock_offset,
							0, INT_MIN, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S | GUC_NOT_IN_SAMPLE,
							NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.history_days",
							"Days for which finished runs are kept in the history.",
							"0 keeps them forever. The scheduler of a database removes older ones.",
							&schedulers_history_days,
							90, 0, 36500,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.event_interval",
							"Time from the start of a run by changes of a table to that of the next of the flow.",
							"Changes in between are moved together.",
							&schedulers_event_interval,
							1000, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.history_runs",
							"Finished runs of a flow that are kept in the history.",
							"0 keeps all. A flow can have a number of its own, see appflow.limit_flow().",
							&schedulers_history_runs,
							1000, 0, INT_MAX,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	shared_area_request(&area);
	launcher_register();
}

TimestampTz
schedulers_now(void)
{
	return GetCurrentTimestamp() + clock_offset * USECS_PER_SEC;
}

/* ---------- for sessions ---------- */

/* a database's scheduler, running or about to be; call with the lock held */
static SchedulerSlot *
find(Oid database)
{
	for (int i = 0; i < MAX_SCHEDULERS; i++)
	{
		SchedulerSlot *slot = &state->slots[i];

		if (slot->database == database &&
			(slot->state == SCHEDULER_RESERVED || slot->state == SCHEDULER_RUNNING))
			return slot;
	}
	return NULL;
}

static void
wake_launcher(void)
{
	if (state->launcher != NULL)
		SetLatch(state->launcher);
}

void
schedulers_wake(Oid database)
{
	SchedulerSlot *slot;

	attach();
	LWLockAcquire(&state->lock, LW_SHARED);
	slot = find(database);
	if (slot != NULL && slot->state == SCHEDULER_RUNNING)
		SetLatch(slot->latch);
	LWLockRelease(&state->lock);
}

static void
ask(Oid database)
{
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	if (state->nasked < MAX_SCHEDULERS)
		state->asked[state->nasked++] = database;
	wake_launcher();
	LWLockRelease(&state->lock);
}

static void
ask_rescan(void)
{
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	state->rescan = true;
	wake_launcher();
	LWLockRelease(&state->lock);
}

static void
at_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			/* nothing here may fail: the transaction is committed */
			if (wake_wanted || nudge_wanted)
				schedulers_wake(MyDatabaseId);
			if (ask_wanted)
				ask(MyDatabaseId);
			if (rescan_wanted)
				ask_rescan();
			/* FALLTHROUGH */
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			wake_wanted = nudge_wanted = ask_wanted = rescan_wanted = false;
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (wake_wanted || ask_wanted || rescan_wanted)
				ereport(ERROR,
						errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot prepare a transaction that has changed schedules of flows"));
			break;
		default:
			break;
	}
}

static void
register_callback(void)
{
	static bool registered = false;

	/* what the callback needs must be there before it can no longer fail */
	attach();
	if (!registered)
		RegisterXactCallback(at_end, NULL);
	registered = true;
}

/* a rolled back subtransaction may leave the wish behind: the scheduler looks and finds nothing */
void
schedulers_wake_at_commit(void)
{
	register_callback();
	wake_wanted = true;
}

void
schedulers_nudge_at_commit(void)
{
	register_callback();
	nudge_wanted = true;
}

void
schedulers_rescan_at_commit(void)
{
	register_callback();
	rescan_wanted = true;
}

bool
schedulers_expect(Oid database)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), EXPECT_MS);
	bool		running = false;

	attach();
	ConditionVariablePrepareToSleep(&state->changed);
	for (;;)
	{
		SchedulerSlot *slot;
		bool		possible;
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

		LWLockAcquire(&state->lock, LW_SHARED);
		slot = find(database);
		running = slot != NULL && slot->state == SCHEDULER_RUNNING;
		possible = state->launcher != NULL;
		LWLockRelease(&state->lock);
		if (running || !possible || left <= 0)
			break;
		(void) ConditionVariableTimedSleep(&state->changed, left, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return running;
}

void
schedulers_hold(Oid database)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), HOLD_MS);

	attach();
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_HELD; i++)
	{
		if (state->held[i] == InvalidOid)
		{
			state->held[i] = database;
			break;
		}
	}
	LWLockRelease(&state->lock);

	/* the scheduler first: it would start subscriptions anew */
	ConditionVariablePrepareToSleep(&state->changed);
	for (;;)
	{
		SchedulerSlot *slot;
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
		bool		gone;

		LWLockAcquire(&state->lock, LW_EXCLUSIVE);
		slot = find(database);
		if (slot != NULL && slot->state == SCHEDULER_RUNNING)
			kill(slot->pid, SIGTERM);

		/* one that has not come yet finds that it is not wanted */
		if (slot != NULL && slot->state == SCHEDULER_RESERVED)
		{
			slot->state = SCHEDULER_FREE;
			slot = NULL;
		}
		LWLockRelease(&state->lock);
		gone = slot == NULL && shared_stop_subscriptions(database) == 0;
		if (gone || left <= 0)
			break;

		/* nobody tells of the end of a subscription */
		(void) ConditionVariableTimedSleep(&state->changed, slot == NULL ? Min(left, 20) : left, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

void
schedulers_release(Oid database)
{
	attach();
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_HELD; i++)
	{
		if (state->held[i] == database)
		{
			state->held[i] = InvalidOid;
			break;
		}
	}
	state->rescan = true;
	wake_launcher();
	LWLockRelease(&state->lock);
}

/* wake_scheduler() returns boolean: at commit, have the schedules looked at; is a scheduler there? */
Datum
appflow_wake_scheduler(PG_FUNCTION_ARGS)
{
	bool		running;
	SchedulerSlot *slot;

	register_callback();
	wake_wanted = true;
	ask_wanted = true;
	LWLockAcquire(&state->lock, LW_SHARED);
	slot = find(MyDatabaseId);
	running = slot != NULL && slot->state == SCHEDULER_RUNNING;
	LWLockRelease(&state->lock);
	PG_RETURN_BOOL(running);
}

/*
 * scheduler_activity() returns record: what the scheduler of this database has
 * done; all null if there is none.
 */
Datum
appflow_scheduler_activity(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[9] = {0};
	bool		nulls[9];
	SchedulerSlot *slot;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));
	attach();
	LWLockAcquire(&state->lock, LW_SHARED);
	slot = find(MyDatabaseId);
	if (slot != NULL && slot->state == SCHEDULER_RUNNING)
	{
		memset(nulls, false, sizeof(nulls));
		values[0] = Int32GetDatum(slot->pid);
		values[1] = TimestampTzGetDatum(slot->started_at);
		values[2] = Int64GetDatum(slot->wakes);
		values[3] = Int64GetDatum(slot->ticks);
		values[4] = Int64GetDatum(slot->flows);
		values[5] = Int64GetDatum(slot->runs);
		values[6] = Float8GetDatum(slot->busy_ticks > 0 ? (double) slot->busy_us / 1000 / slot->busy_ticks : 0);
		values[7] = Float8GetDatum((double) slot->longest_us / 1000);
		values[8] = Int64GetDatum(slot->busy_ticks);
	}
	LWLockRelease(&state->lock);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* trigger on the schedules: whoever changes them, the scheduler is told */
Datum
appflow_schedule_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "schedule_changed is a trigger function");
	if (own == NULL)
		schedulers_wake_at_commit();
	PG_RETURN_POINTER(NULL);
}

/* ---------- for the launcher ---------- */

static void
detach_launcher(int code, Datum arg)
{
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	state->launcher = NULL;
	LWLockRelease(&state->lock);
}

void
schedulers_attach_launcher(void)
{
	attach();
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	state->launcher = &MyProc->procLatch;
	state->rescan = true;
	LWLockRelease(&state->lock);
	before_shmem_exit(detach_launcher, (Datum) 0);
}

int
schedulers_asked(Oid *databases, bool *rescan)
{
	int			n;

	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	n = state->nasked;
	memcpy(databases, state->asked, sizeof(Oid) * n);
	*rescan = state->rescan;
	state->nasked = 0;
	state->rescan = false;
	LWLockRelease(&state->lock);
	return n;
}

int
schedulers_ended(SchedulerEnd *ends)
{
	TimestampTz now = GetCurrentTimestamp();
	int			n = 0;

	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_SCHEDULERS; i++)
	{
		SchedulerSlot *slot = &state->slots[i];

		if (slot->state == SCHEDULER_RESERVED &&
			TimestampDifferenceExceeds(slot->started_at, now, RESERVATION_MS))
			slot->state = SCHEDULER_ENDED;
		if (slot->state != SCHEDULER_ENDED)
			continue;
		ends[n].database = slot->database;
		ends[n].absent = slot->absent;
		ends[n].started_at = slot->started_at;
		n++;
		slot->state = SCHEDULER_FREE;
	}
	LWLockRelease(&state->lock);
	return n;
}

int
schedulers_reserve(Oid database)
{
	int			result = -1;

	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_SCHEDULERS && result < 0; i++)
	{
		if (state->slots[i].state == SCHEDULER_FREE)
			result = i;
	}
	for (int i = 0; i < MAX_HELD; i++)
	{
		if (state->held[i] == database)
			result = -1;
	}
	if (find(database) != NULL)
		result = -1;
	if (result >= 0)
		state->slots[result] = (SchedulerSlot)
	{
		.state = SCHEDULER_RESERVED,.database = database,.started_at = GetCurrentTimestamp()
	};
	LWLockRelease(&state->lock);
	return result;
}

void
schedulers_unreserve(int slot)
{
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	if (state->slots[slot].state == SCHEDULER_RESERVED)
		state->slots[slot].state = SCHEDULER_FREE;
	LWLockRelease(&state->lock);
}

bool
schedulers_present(Oid database)
{
	bool		present;

	LWLockAcquire(&state->lock, LW_SHARED);
	present = find(database) != NULL;
	LWLockRelease(&state->lock);
	return present;
}

bool
schedulers_starting(void)
{
	bool		starting = false;

	LWLockAcquire(&state->lock, LW_SHARED);
	for (int i = 0; i < MAX_SCHEDULERS; i++)
		starting |= state->slots[i].state == SCHEDULER_RESERVED;
	LWLockRelease(&state->lock);
	return starting;
}

/* ---------- for schedulers ---------- */

static void
detach(int code, Datum arg)
{
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	own->state = SCHEDULER_ENDED;
	own->latch = NULL;
	wake_launcher();
	LWLockRelease(&state->lock);
	ConditionVariableBroadcast(&state->changed);
}

bool
schedulers_attach(int slot, Oid database)
{
	bool		ours = false;

	attach();
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	if (state->slots[slot].state == SCHEDULER_RESERVED && state->slots[slot].database == database)
	{
		ours = true;
		own = &state->slots[slot];
		own->state = SCHEDULER_RUNNING;
		own->pid = MyProcPid;
		own->latch = &MyProc->procLatch;
		own->started_at = GetCurrentTimestamp();
	}
	wake_launcher();
	LWLockRelease(&state->lock);
	if (ours)
	{
		before_shmem_exit(detach, (Datum) 0);
		ConditionVariableBroadcast(&state->changed);
	}
	return ours;
}

void
schedulers_count_wake(void)
{
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	own->wakes++;
	LWLockRelease(&state->lock);
}

void
schedulers_count_tick(int flows, int runs, uint64 microseconds)
{
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	own->ticks++;
	own->flows += flows;
	own->runs += runs;
	if (flows > 0 || runs > 0)
	{
		own->busy_ticks++;
		own->busy_us += microseconds;
		own->longest_us = Max(own->longest_us, (int64) microseconds);
	}
	LWLockRelease(&state->lock);
}

void
schedulers_set_absent(void)
{
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	own->absent = true;
	LWLockRelease(&state->lock);
}
