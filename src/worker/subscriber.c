/*-------------------------------------------------------------------------
 *
 * subscriber.c
 *	  A background worker that listens to the events of one flow's source.
 *
 * It waits without a transaction and without a run.  The first event begins a run,
 * which moves what comes closely behind it too; with its end the place among the
 * events is recorded, behind which the next one begins.  So events that a failed
 * run has read, or that came while nobody listened, are moved by the next one, as
 * long as the application keeps them.
 *
 * When a run fails, or nothing can be heard, the worker ends; the scheduler starts
 * another after a delay that doubles.
 *
 * IDENTIFICATION
 *	  src/worker/subscriber.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/subscription.h"
#include "commands/extension.h"
#include "connector/connector.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker/execute.h"
#include "worker/schedulers.h"
#include "worker/shared.h"
#include "worker/worker.h"

/* give the slot back, and have the scheduler see what comes next */
static void
leave(int code, Datum database)
{
	bool		lost;

	(void) shared_detach(&lost);
	schedulers_wake(DatumGetObjectId(database));
}

static ExecutionRow *
next_run(int64 flow_id, MemoryContext context)
{
	ExecutionRow *execution;
	int64		version;

	worker_begin_transaction();
	MemoryContextSwitchTo(context);
	execution = subscription_next(flow_id, &version);
	worker_commit_transaction();
	if (execution != NULL)
	{
		worker_flow_version = version;
		shared_set_version(version);
	}
	return execution;
}

/* the events of a first run that failed have no place to go back to, but that of all that are kept */
static void
go_back(const ExecutionRow *execution)
{
	worker_begin_transaction();
	if (OidIsValid(get_extension_oid("appflow", true)))
		subscription_advance(execution->flow_id, "", POSITION_RETAINED, execution->started_at);
	worker_commit_transaction();
}

void
appflow_subscriber_main(Datum argument)
{
	Oid			database = DatumGetObjectId(argument);
	int			slot;
	int64		flow_id;
	MemoryContext context;

	memcpy(&slot, MyBgworkerEntry->bgw_extra, sizeof(slot));
	memcpy(&flow_id, MyBgworkerEntry->bgw_extra + sizeof(slot), sizeof(flow_id));
	if (!shared_attach(slot))
		proc_exit(0);
	before_shmem_exit(leave, argument);
	worker_prepare_session(database);
	context = AllocSetContextCreate(TopMemoryContext, "appflow subscription", ALLOCSET_DEFAULT_SIZES);
	while (!worker_shutdown && !worker_leave && worker_extension_there())
	{
		ExecutionRow *execution = next_run(flow_id, context);
		bool		successful;

		if (execution == NULL)
			break;
		successful = worker_execute(execution);
		if (!successful && execution->position[0] == '\0' && execution->heard)
			go_back(execution);
		worker_clean_session();
		worker_forget_surplus(flow_id);
		MemoryContextReset(context);
		if (!successful)
			break;
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
	proc_exit(0);
}
