/*-------------------------------------------------------------------------
 *
 * launch.c
 *	  Gets workers for runs, from any session, without preloading.
 *
 * A run is a row; whoever inserts it asks for a worker once the row is
 * committed.  A worker takes runs as long as there are any that wait in its
 * database.  If the limit of workers is reached, the database is remembered in
 * shared memory, and the next worker to end asks for one on its behalf; one that
 * works for another database ends after its run for that.
 *
 * IDENTIFICATION
 *	  src/worker/launch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker/schedulers.h"
#include "worker/shared.h"
#include "worker/worker.h"

static int	max_workers = 4;
static int	max_subscriptions = 4;
int			worker_max_run_time = 48 * 60 * 60;

/* what is to be done at commit */
typedef struct PendingCancel
{
	pg_uuid_t	execution;
	SubTransactionId subtransaction;	/* that wants it */
} PendingCancel;

static bool wake_wanted;
static List *cancels;			/* of PendingCancel *, in TopTransactionContext */

/* a background worker of that function for the slot, with a number that tells it more */
static bool
register_worker(Oid database, int slot, const char *function, const char *type, int64 number)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(worker.bgw_library_name, BGW_MAXLEN, "appflow");
	snprintf(worker.bgw_function_name, BGW_MAXLEN, "%s", function);
	snprintf(worker.bgw_name, BGW_MAXLEN, "%s for database %u", type, database);
	snprintf(worker.bgw_type, BGW_MAXLEN, "%s", type);
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	memcpy(worker.bgw_extra, &slot, sizeof(slot));
	memcpy(worker.bgw_extra + sizeof(slot), &number, sizeof(number));
	if (RegisterDynamicBackgroundWorker(&worker, NULL))
		return true;
	shared_unreserve(slot);
	return false;
}

bool
worker_launch(Oid database, const char **reason)
{
	int			slot = shared_reserve(database, max_workers);

	*reason = NULL;
	if (slot < 0)
		return true;			/* the workers that are there see to it */
	if (register_worker(database, slot, "appflow_worker_main", "appflow worker", 0))
		return true;
	*reason = "no background worker slot is free, see max_worker_processes";
	return false;
}

bool
worker_launch_subscription(Oid database, int64 flow_id, const char **reason)
{
	int			slot = shared_reserve_subscription(database, flow_id, max_subscriptions);

	*reason = "there are as many as appflow.max_subscriptions allows";
	if (slot < 0)
		return false;
	*reason = "no background worker slot is free, see max_worker_processes";
	return register_worker(database, slot, "appflow_subscriber_main", "appflow subscription", flow_id);
}

static void
at_end(XactEvent event, void *arg)
{
	const char *reason;
	ListCell   *lc;

	if (event == XACT_EVENT_COMMIT)
	{
		/* nothing here may fail: the transaction is committed */
		foreach(lc, cancels)
			shared_cancel(&((PendingCancel *) lfirst(lc))->execution);
		if (wake_wanted && !worker_launch(MyDatabaseId, &reason))
			ereport(WARNING,
					errmsg("the run waits for a worker: %s", reason));
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
	{
		wake_wanted = false;
		cancels = NIL;
	}
	else if (event == XACT_EVENT_PRE_PREPARE && (wake_wanted || cancels != NIL))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("cannot prepare a transaction that has started or cancelled runs"));
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	ListCell   *lc;

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	foreach(lc, cancels)
	{
		PendingCancel *cancel = lfirst(lc);

		if (cancel->subtransaction != mine)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			cancel->subtransaction = parent;
		else
			cancels = foreach_delete_current(cancels, lc);
	}
}

static void
register_callback(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(at_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
	}
	registered = true;

	/* what the callback needs must be there before it can no longer fail */
	(void) shared_incarnation();
}

/* a rolled back subtransaction may leave the wish behind: the worker finds nothing to do and ends */
void
worker_wake_at_commit(void)
{
	register_callback();
	wake_wanted = true;
}

void
worker_cancel_at_commit(const pg_uuid_t *execution)
{
	MemoryContext old;
	PendingCancel *cancel;

	register_callback();
	old = MemoryContextSwitchTo(TopTransactionContext);
	cancel = palloc(sizeof(PendingCancel));
	cancel->execution = *execution;
	cancel->subtransaction = GetCurrentSubTransactionId();
	cancels = lappend(cancels, cancel);
	MemoryContextSwitchTo(old);
}

void
worker_define_settings(void)
{
	DefineCustomIntVariable("appflow.max_workers",
							"Runs of flows that go on at the same time, at most.",
							"Further runs wait. Each takes a background worker (max_worker_processes).",
							&max_workers,
							4, 1, MAX_WORKERS,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.max_subscriptions",
							"Flows that listen to events of applications at the same time, at most.",
							"Each takes a background worker (max_worker_processes), besides those of appflow.max_workers.",
							&max_subscriptions,
							4, 0, MAX_WORKERS,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.max_run_time",
							"Time that a run may take.",
							"One that takes longer ends as Error. 0: no limit. A flow can have a limit of its own, see appflow.limit_flow().",
							&worker_max_run_time,
							48 * 60 * 60, 0, INT_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	shared_request();
	schedulers_init();
}
