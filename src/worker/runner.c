/*-------------------------------------------------------------------------
 *
 * runner.c
 *	  A background worker that carries out the runs of a database.
 *
 * It takes a run and commits that before it does anything else, so that a run
 * is never begun twice.
 *
 * IDENTIFICATION
 *	  src/worker/runner.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/flow.h"
#include "catalog/private_link.h"
#include "commands/extension.h"
#include "flow/private_link.h"
#include "flow/run.h"
#include "miscadmin.h"
#include "net/http.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker/execute.h"
#include "worker/shared.h"
#include "worker/worker.h"

/* repetitions of all requests of the check of a private connection */
#define CHECK_RETRIES 2

/* record the end of runs whose workers died, so that others of their flows can begin */
static void
reap(MemoryContext context)
{
	ListCell   *lc;
	List	   *dead;

	worker_begin_transaction();
	MemoryContextSwitchTo(context);
	dead = execution_reap();
	worker_commit_transaction();
	foreach(lc, dead)
		ereport(LOG,
				errmsg("a run of flow \"%s\" lost its worker", ((ExecutionRow *) lfirst(lc))->flow_name));
	MemoryContextReset(context);
}

/* remove what such runs have left in stores */
static void
sweep(MemoryContext context)
{
	List	   *volatile unswept;
	ListCell   *lc;

	worker_begin_transaction();
	MemoryContextSwitchTo(context);
	unswept = execution_unswept();
	worker_commit_transaction();

	foreach(lc, unswept)
	{
		ExecutionRow *execution = lfirst(lc);
		RunRequest	request = {
			.flow_name = execution->flow_name,
			.definition = execution->definition,
			.owner = execution->owner,
		};

		PG_TRY();
		{
			FlowSweep  *left;

			MemoryContextSwitchTo(context);
			request.execution_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&execution->execution_id)));
			worker_begin_transaction();
			MemoryContextSwitchTo(context);
			left = flow_sweep_prepare(&request);
			worker_commit_transaction();
			MemoryContextSwitchTo(context);
			flow_sweep(left);
			worker_begin_transaction();
			execution_swept(&execution->execution_id);
			worker_commit_transaction();
		}
		PG_CATCH();
		{
			ErrorData  *error;

			/* what is staged stays invisible; the store may be back next time */
			MemoryContextSwitchTo(context);
			error = CopyErrorData();
			FlushErrorState();
			AbortCurrentTransaction();
			ereport(LOG,
					errmsg("could not remove what a lost run of flow \"%s\" left: %s",
						   execution->flow_name, error->message));
		}
		PG_END_TRY();
		if (worker_shutdown)
			break;
	}
	MemoryContextReset(context);
}

/* find out whether the private connection of a profile is there, and record that */
static void
check_connection(const PrivateCheck *check, MemoryContext context)
{
	const char *volatile cause = NULL;
	char	   *volatile message = NULL;

	PG_TRY();
	{
		ConnectorSession *session;

		worker_begin_transaction();
		MemoryContextSwitchTo(context);
		session = private_link_open(check->profile);
		worker_commit_transaction();
		MemoryContextSwitchTo(context);
		http_set_retry_budget(CHECK_RETRIES);
		if (session != NULL)
			private_link_ask(session);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		cause = private_link_cause(error->sqlerrcode);
		message = error->message;
	}
	PG_END_TRY();
	worker_begin_transaction();
	private_link_checked(check, cause, message);
	worker_commit_transaction();
	MemoryContextSwitchTo(context);
}

/* carry out one of the checks of private connections that are wanted; false: there is none */
static bool
check_a_connection(MemoryContext context)
{
	PrivateCheck *check;

	worker_begin_transaction();
	MemoryContextSwitchTo(context);
	check = private_link_claim();
	worker_commit_transaction();
	if (check != NULL)
	{
		pgstat_report_activity(STATE_RUNNING, psprintf("appflow check of connector profile \"%s\"", check->profile));
		check_connection(check, context);
		pgstat_report_activity(STATE_IDLE, NULL);
	}
	MemoryContextReset(context);
	return check != NULL;
}

static ExecutionRow *
claim(MemoryContext context)
{
	ExecutionRow *execution;

	worker_begin_transaction();
	MemoryContextSwitchTo(context);
	execution = execution_claim(shared_incarnation());

	/* before others can see the claim: a claimed run without a worker is a lost one */
	if (execution != NULL)
		(void) shared_begin_run(&execution->execution_id, execution->started_at);
	worker_commit_transaction();
	return execution;
}

static bool
more_to_do(void)
{
	bool		waits;

	worker_begin_transaction();
	waits = get_extension_oid("appflow", true) != InvalidOid &&
		(execution_waits(shared_incarnation()) || private_link_waits());
	worker_commit_transaction();
	return waits;
}

/*
 * Give the slot back, and see that somebody does what this worker leaves undone.
 * At exit too, whatever the reason: then no transaction is possible, but a lost
 * run, and those behind it, need another worker.
 */
static void
hand_over(int code, Datum database)
{
	const char *reason;
	bool		lost;
	Oid			waiting = shared_detach(&lost);

	if (OidIsValid(waiting) && !worker_launch(waiting, &reason))
		ereport(LOG,
				errmsg("runs in database %u wait for a worker: %s", waiting, reason));
	if (lost)
		(void) worker_launch(DatumGetObjectId(database), &reason);
}

void
appflow_worker_main(Datum argument)
{
	Oid			database = DatumGetObjectId(argument);
	int			slot;
	MemoryContext context;
	const char *reason;

	memcpy(&slot, MyBgworkerEntry->bgw_extra, sizeof(slot));
	if (!shared_attach(slot))
		proc_exit(0);
	before_shmem_exit(hand_over, argument);
	worker_prepare_session(database);
	context = AllocSetContextCreate(TopMemoryContext, "appflow worker", ALLOCSET_DEFAULT_SIZES);

	if (worker_extension_there())
	{
		bool		more = true;

		reap(context);
		while (more && !worker_shutdown && worker_extension_there())
		{
			ExecutionRow *execution = claim(context);
			bool		ran = execution != NULL;

			if (ran)
			{
				(void) worker_execute(execution);
				worker_clean_session();
				worker_forget_surplus(execution->flow_id);
				MemoryContextReset(context);
			}
			if (ConfigReloadPending)
			{
				ConfigReloadPending = false;
				ProcessConfigFile(PGC_SIGHUP);
			}

			/* one worker after another may be all that the limit allows */
			if (ran && shared_others_wait(database))
				break;

			/* neither keeps the other waiting for long */
			more = ran;
			if (!worker_shutdown && worker_extension_there() && check_a_connection(context))
				more = true;
		}
		if (!worker_shutdown && worker_extension_there())
			sweep(context);
	}
	/*
	 * A run that came after the last look finds no free slot if the limit is
	 * reached; so look again once ours is free.
	 */
	hand_over(0, argument);
	if (more_to_do())
		(void) worker_launch(database, &reason);
	proc_exit(0);
}
