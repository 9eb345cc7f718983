/*-------------------------------------------------------------------------
 *
 * scheduler.c
 *	  Starts the scheduled flows of a database when they are due.
 *
 * When each flow is due next stands in its row of flow_schedule.  A tick takes
 * the flows that are due, inserts their runs and the next due times in one
 * transaction, and gets workers.  Then the scheduler sleeps until the earliest
 * due time, or until a transaction that changed schedules has committed.
 *
 * No error ends it: a flow that cannot run fails as a run, and a tick that
 * cannot be carried out is repeated later and later.
 *
 * IDENTIFICATION
 *	  src/worker/scheduler.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/capture.h"
#include "catalog/flow.h"
#include "catalog/subscription.h"
#include "commands/extension.h"
#include "compat.h"
#include "flow/trigger.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/launcher.h"
#include "worker/schedulers.h"
#include "worker/shared.h"
#include "worker/worker.h"

/* flows in a tick: it holds no lock for long */
#define TICK_FLOWS 50

/* never sleep longer: the clock may be set */
#define LONGEST_SLEEP_MS (60 * 1000)

/* when a tick failed, or a row was locked: look again after that, doubling after failures */
#define FIRST_RETRY_MS 1000
#define LONGEST_RETRY_MS (5 * 60 * 1000)

/* woken again and again, look no more often than that */
#define SHORTEST_SLEEP_MS 50

/* when there is no worker for a subscription, try again after that */
#define SUBSCRIBE_AGAIN (60 * USECS_PER_SEC)

/* so long after being woken, look at triggers; and again when a table was in use */
#define TIDY_AFTER (5 * USECS_PER_SEC)
#define TIDY_AGAIN (60 * USECS_PER_SEC)

/* the history: looked at once a day, or when the oldest run becomes too old, but once an hour at most */
#define FORGET_EVERY USECS_PER_HOUR
#define FORGET_LOOK USECS_PER_DAY
#define FORGET_RUNS 1000

#define DEFAULT_WINDOW (30 * USECS_PER_DAY)

/* a run that is recorded as going on may have lost its worker */
static bool doubtful = true;

static bool
begin_tick(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (OidIsValid(get_extension_oid("appflow", true)))
		return true;
	CommitTransactionCommand();
	return false;
}

static void
end_tick(void)
{
	CommitTransactionCommand();
	pgstat_report_stat(true);
}

/* the window of an incremental pull due at that time: what is behind the last one */
static void
set_window(ScheduleDecision *decision, const FlowTrigger *trigger, const ScheduleRow *row)
{
	decision->pull_start = decision->pull_end = DT_NOEND;
	if (!trigger->incremental)
		return;
	decision->pull_end = decision->due_at - trigger->offset;
	if (row->watermark != DT_NOBEGIN)
		decision->pull_start = row->watermark;
	else if (trigger->first_from != DT_NOBEGIN)
		decision->pull_start = trigger->first_from;
	else
		decision->pull_start = decision->due_at - DEFAULT_WINDOW;

	/* an offset that has grown: nothing is left for this window */
	if (decision->pull_end < decision->pull_start)
		decision->pull_end = decision->pull_start;
}

/* as trigger_load(), and whatever else may be wrong with what is stored is a problem too */
static char *
load(FlowTrigger *trigger, const ScheduleRow *row)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile problem = NULL;

	PG_TRY();
	{
		problem = trigger_load(trigger, row->trigger);
	}
	PG_CATCH();
	{
		/* it looks at a value, and touches nothing that needs a rollback */
		MemoryContextSwitchTo(context);
		problem = CopyErrorData()->message;
		FlushErrorState();
	}
	PG_END_TRY();
	return problem;
}

/* what becomes of a flow that is due */
static ScheduleDecision *
decide(const ScheduleRow *row, TimestampTz now)
{
	ScheduleDecision *decision = palloc0(sizeof(ScheduleDecision));
	FlowTrigger trigger;
	char	   *problem = load(&trigger, row);

	decision->flow_id = row->flow_id;
	decision->due_at = decision->next_at = decision->pull_start = decision->pull_end = DT_NOEND;
	if (!row->active)
		return decision;		/* it has become Errored, say */
	if (problem != NULL || !trigger.scheduled)
	{
		decision->problem = psprintf("The flow has no schedule that can be carried out: %s. Update the flow.",
									 problem ? problem : "none is there");
		ereport(LOG,
				errmsg("flow \"%s\" is Errored: %s", row->flow_name, decision->problem));
		return decision;
	}
	decision->next_at = trigger_next(&trigger, row->activated_at, now);
	if (row->busy)
	{
		decision->skipped = true;
		doubtful = true;
		ereport(LOG,
				errmsg("flow \"%s\" is due, but a run of it is going on: skipped", row->flow_name));
		return decision;
	}

	/* those missed while nobody looked are made good for by one run */
	decision->due_at = trigger_latest(&trigger, row->activated_at, row->next_at, now);
	set_window(decision, &trigger, row);
	return decision;
}

/*
 * Take flows that are due; returns how many, and how many runs they make.  The
 * transaction is open.
 */
static int
tick(TimestampTz now, int *runs)
{
	List	   *due = schedule_due(now, TICK_FLOWS);
	List	   *decisions = NIL;
	ListCell   *lc;

	*runs = 0;
	foreach(lc, due)
	{
		ScheduleDecision *decision = decide(lfirst(lc), now);

		CHECK_FOR_INTERRUPTS();
		if (decision->due_at != DT_NOEND)
			(*runs)++;
		decisions = lappend(decisions, decision);
	}
	if (decisions != NIL)
		schedule_decide(decisions);
	foreach(lc, decisions)
	{
		ScheduleDecision *decision = lfirst(lc);

		if (decision->problem != NULL)
			flow_set_status(decision->flow_id, "Errored", decision->problem, "appflow scheduler");
	}
	return list_length(due);
}

/*
 * Record the end of runs whose workers died, so that their flows are run again;
 * a worker removes later what they left.  false: the extension is gone.
 */
static bool
reap(void)
{
	ListCell   *lc;

	doubtful = false;
	if (!begin_tick())
		return false;
	foreach(lc, execution_reap())
		ereport(LOG,
				errmsg("a run of flow \"%s\" lost its worker", ((ExecutionRow *) lfirst(lc))->flow_name));
	end_tick();
	return true;
}

/*
 * Have a worker listen for each flow that is to listen to events of its source, and
 * for no other; returns when to try again those that cannot be had now.
 */
static TimestampTz
keep_subscriptions(List *wanted, TimestampTz now)
{
	int			n = list_length(wanted);
	int64	   *flows = palloc(sizeof(int64) * (n + 1));
	int64	   *versions = palloc(sizeof(int64) * (n + 1));
	TimestampTz next = DT_NOEND;
	const char *reason;
	ListCell   *lc;

	foreach(lc, wanted)
	{
		SubscriptionRow *row = lfirst(lc);

		flows[foreach_current_index(lc)] = row->flow_id;
		versions[foreach_current_index(lc)] = row->version;
	}
	shared_keep_subscriptions(MyDatabaseId, n, flows, versions);
	foreach(lc, wanted)
	{
		SubscriptionRow *row = lfirst(lc);

		if (shared_subscribed(MyDatabaseId, row->flow_id))
			continue;
		doubtful = true;
		if (row->not_before > now)
			next = Min(next, row->not_before);
		else if (!worker_launch_subscription(MyDatabaseId, row->flow_id, &reason))
		{
			ereport(LOG,
					errmsg("a flow that listens to events waits for a worker: %s", reason));
			return Min(next, now + SUBSCRIBE_AGAIN);
		}
	}
	return next;
}

/* as many workers as there are runs for them; true if none could be had and this is to be repeated */
static bool
get_workers(int runs)
{
	const char *reason;

	for (int i = 0; i < runs; i++)
	{
		if (!worker_launch(MyDatabaseId, &reason))
		{
			ereport(LOG,
					errmsg("scheduled runs wait for a worker: %s", reason));
			return true;
		}
	}
	return false;
}

/* when old runs are to be removed next */
static TimestampTz forget_at = DT_NOBEGIN;

/* Remove old runs, in small steps.  false: the extension is gone. */
static bool
forget(TimestampTz now)
{
	TimestampTz oldest;
	int			forgotten;

	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!begin_tick())
			return false;
		forgotten = execution_forget_old(now - schedulers_history_days * USECS_PER_DAY, FORGET_RUNS);
		oldest = forgotten < FORGET_RUNS ? execution_oldest() : DT_NOEND;
		end_tick();
	} while (forgotten == FORGET_RUNS);
	forget_at = now + FORGET_LOOK;
	if (oldest != DT_NOEND)
		forget_at = Min(forget_at, oldest + schedulers_history_days * USECS_PER_DAY);
	forget_at = Max(forget_at, now + FORGET_EVERY);
	return true;
}

/* when triggers that capture changes of tables are to be looked at next */
static TimestampTz tidy_at = DT_NOBEGIN;

/*
 * Remove triggers that capture for no flow, and have flows whose tables are gone
 * say so.  false: the extension is gone.
 */
static bool
tidy(TimestampTz now)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool more = true;
	ListCell   *lc;

	tidy_at = DT_NOEND;
	if (!begin_tick())
		return false;
	foreach(lc, capture_break())
		ereport(LOG,
				errmsg("flow \"%s\" is Errored: its table does not exist any more", (char *) lfirst(lc)));
	capture_forget();
	end_tick();
	while (more)
	{
		CHECK_FOR_INTERRUPTS();
		PG_TRY();
		{
			more = begin_tick();
			if (more)
			{
				more = capture_tidy() != NULL;
				end_tick();
			}
		}
		PG_CATCH();
		{
			ErrorData  *error;

			/* somebody uses the table all the time: there is no hurry */
			MemoryContextSwitchTo(context);
			error = CopyErrorData();
			if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
				PG_RE_THROW();
			FlushErrorState();
			AbortCurrentTransaction();
			tidy_at = now + TIDY_AGAIN;
			more = false;
		}
		PG_END_TRY();
	}
	return true;
}

/*
 * All that is due now; returns until when to sleep.  false: the extension is
 * gone.
 */
static bool
look(TimestampTz *next)
{
	MemoryContext context = CurrentMemoryContext;
	static bool starved = true;	/* at start there may be runs that nobody has taken */

	List	   *subscriptions = NIL;
	TimestampTz now;
	int			wanted = 0;
	int			flows;

	CHECK_FOR_INTERRUPTS();
	if (doubtful && !reap())
		return false;
	do
	{
		TimestampTz next_change;
		int			runs;
		instr_time	begin;
		instr_time	duration;

		CHECK_FOR_INTERRUPTS();
		INSTR_TIME_SET_CURRENT(begin);
		now = schedulers_now();
		if (!begin_tick())
			return false;
		pgstat_report_activity(STATE_RUNNING, "appflow: starting flows that are due");
		flows = tick(now, &runs);
		runs += capture_due(now, schedulers_event_interval * INT64CONST(1000), &next_change);

		/* a worker that comes first records runs that died, and cleans up behind them */
		if (starved && runs == 0 && schedule_work_left())
			runs = 1;
		if (flows < TICK_FLOWS)
		{
			*next = Min(schedule_first(), next_change);
			MemoryContextSwitchTo(context);
			subscriptions = subscription_list();
		}
		end_tick();
		INSTR_TIME_SET_CURRENT(duration);
		INSTR_TIME_SUBTRACT(duration, begin);
		schedulers_count_tick(flows, runs, INSTR_TIME_GET_MICROSEC(duration));
		wanted += runs;
	} while (flows == TICK_FLOWS);

	starved = get_workers(Min(wanted, MAX_WORKERS));
	if (starved)
		*next = Min(*next, now + FIRST_RETRY_MS * INT64CONST(1000));
	*next = Min(*next, keep_subscriptions(subscriptions, now));

	/* somebody changes that flow's row at this moment */
	if (*next <= now)
		*next = now + FIRST_RETRY_MS * INT64CONST(1000);
	if (schedulers_history_days > 0)
	{
		if (forget_at <= now && !forget(now))
			return false;
		*next = Min(*next, forget_at);
	}
	if (tidy_at <= now && !tidy(now))
		return false;
	*next = Min(*next, tidy_at);
	return true;
}

/* a look that no error ends; returns false if the extension is gone */
static bool
look_safely(MemoryContext context, TimestampTz *next, int *retry_ms)
{
	volatile bool there = true;

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		there = look(next);
		*retry_ms = 0;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		*retry_ms = *retry_ms == 0 ? FIRST_RETRY_MS : Min(*retry_ms * 2, LONGEST_RETRY_MS);
		*next = TimestampTzPlusMilliseconds(schedulers_now(), *retry_ms);
	}
	PG_END_TRY();
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(context);
	return there;
}

void
appflow_scheduler_main(Datum argument)
{
	Oid			database = DatumGetObjectId(argument);
	uint32		event = extension_wait_event("AppflowSchedulerMain");
	MemoryContext context;
	TimestampTz next = DT_NOBEGIN;
	TimestampTz last = 0;
	int			retry_ms = 0;
	int			slot;
	bool		there = true;

	memcpy(&slot, MyBgworkerEntry->bgw_extra, sizeof(slot));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!schedulers_attach(slot, database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	worker_override_settings();
	context = AllocSetContextCreate(TopMemoryContext, "appflow scheduler", ALLOCSET_DEFAULT_SIZES);

	while (there)
	{
		TimestampTz now;
		long		sleep = LONGEST_SLEEP_MS;
		int			woken;

		now = schedulers_now();
		if (next <= now)
		{
			there = look_safely(context, &next, &retry_ms);
			if (!there)
				break;
			last = GetCurrentTimestamp();
			now = schedulers_now();
		}
		if (next != DT_NOEND)
			sleep = Min(sleep, TimestampDifferenceMilliseconds(now, next));
		schedulers_count_wake();
		woken = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, sleep, event);
		if (woken & WL_LATCH_SET)
		{
			/* commits may come by the thousand a second */
			if (!TimestampDifferenceExceeds(last, GetCurrentTimestamp(), SHORTEST_SLEEP_MS))
				(void) WaitLatch(NULL, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, SHORTEST_SLEEP_MS, event);
			ResetLatch(MyLatch);
			next = DT_NOBEGIN;
			tidy_at = Min(tidy_at, schedulers_now() + TIDY_AFTER);
		}
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			forget_at = tidy_at = DT_NOBEGIN;
		}
	}
	shared_keep_subscriptions(database, 0, NULL, NULL);
	schedulers_set_absent();
	proc_exit(0);
}
