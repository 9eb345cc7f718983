/*-------------------------------------------------------------------------
 *
 * runner.c
 *	  A background worker that carries out the runs of a database.
 *
 * It takes a run and commits that before it does anything else, so that a run
 * is never begun twice.  The record of a run's end is committed with the data
 * of a table destination; a run whose worker dies in between has changed
 * nothing, and is found by its claim (see execution_reap()).
 *
 * IDENTIFICATION
 *	  src/worker/runner.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/flow.h"
#include "commands/extension.h"
#include "compat.h"
#include "flow/run.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "record/errors.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/shared.h"
#include "worker/worker.h"

static volatile sig_atomic_t shutdown_requested = false;
static volatile sig_atomic_t recording = false;

/*
 * A worker that is told to go first records how its run ended: the run is
 * stopped as by a cancel.  If it is doing that already, it goes at once.
 */
static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	shutdown_requested = true;
	InterruptPending = true;
	if (recording)
		ProcDiePending = true;
	else
		QueryCancelPending = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

static void
begin_transaction(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
}

/*
 * Counters of tables are not sent by background workers of themselves.
 */
static void
commit_transaction(void)
{
	CommitTransactionCommand();
	pgstat_report_stat(true);
}

static ExecutionCounts
counts_of(const RunOutcome *outcome)
{
	return (ExecutionCounts)
	{
		.bytes_processed = outcome->bytes_processed,
			.bytes_written = outcome->bytes_written,
			.records_processed = outcome->records_processed,
			.records_filtered = outcome->records_filtered,
			.put_failures = outcome->put_failures,
	};
}

/* the words of a failure: message, details that say more, where it was */
static char *
failure_message(const ErrorData *error)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, error->message ? error->message : "unknown error");
	if (error->detail != NULL && appflow_exception_of_sqlstate(error->sqlerrcode) == NULL)
		appendStringInfo(&text, ": %s", error->detail);
	if (error->context != NULL && error->context[0] != '\0')
		appendStringInfo(&text, " (%s)", error->context);
	return text.data;
}

static void
transfer(const ExecutionRow *execution, FlowRun *run)
{
	RunOutcome	outcome;
	ExecutionCounts counts;
	bool		transactional = flow_run_transactional(run);

	if (transactional)
	{
		begin_transaction();
		PushActiveSnapshot(GetTransactionSnapshot());
	}
	flow_run_transfer(run);

	/*
	 * Objects cannot be published and recorded in one step.  They come first:
	 * a crash in between leaves a run that is called an error and all of its
	 * objects, not a success and none.
	 */
	flow_run_finish(run);
	if (!transactional)
		begin_transaction();
	outcome = flow_run_outcome(run);
	counts = counts_of(&outcome);
	if (!execution_end(&execution->execution_id, "Successful", outcome.message, NULL, &counts))
		ereport(ERROR,
				errcode(ERRCODE_QUERY_CANCELED),
				errmsg("the run was cancelled"));
	if (transactional)
		PopActiveSnapshot();
	commit_transaction();
}

static void
record_failure(const ExecutionRow *execution, const FlowRun *run, const ErrorData *error)
{
	RunOutcome	outcome = {0};
	ExecutionCounts counts;
	bool		cancelled = shared_cancelled();
	char	   *message;

	if (run != NULL)
		outcome = flow_run_outcome(run);

	/* what was read and rejected is true, what was written is undone */
	outcome.bytes_written = 0;
	outcome.records_processed = outcome.put_failures;
	counts = counts_of(&outcome);

	if (cancelled)
		message = "The run was cancelled.";
	else if (shutdown_requested)
		message = "The worker of this run was told to stop (by an administrator or a shutdown). Nothing of the run was kept; start the flow again.";
	else
		message = failure_message(error);
	begin_transaction();
	if (!execution_end(&execution->execution_id, cancelled ? "Canceled" : "Error", message,
					   cancelled ? NULL : unpack_sql_state(error->sqlerrcode), &counts))
		elog(DEBUG1, "run of flow \"%s\" has been deleted", execution->flow_name);
	commit_transaction();
}

static void
execute_run(const ExecutionRow *execution)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "appflow run", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FlowRun    *volatile run = NULL;
	RunRequest	request = {
		.flow_name = execution->flow_name,
		.execution_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&execution->execution_id))),
		.owner = execution->owner,
		.definition = execution->definition,
		.schema_version = execution->schema_version,
		.started_at = execution->started_at,
		.progress = shared_progress(),
	};
	char	   *activity = psprintf("appflow run of \"%s\"", execution->flow_name);

	pgstat_report_activity(STATE_RUNNING, activity);
	PG_TRY();
	{
		if (shared_cancelled())
			ereport(ERROR,
					errcode(ERRCODE_QUERY_CANCELED),
					errmsg("the run was cancelled"));
		begin_transaction();
		MemoryContextSwitchTo(context);
		run = flow_run_prepare(&request);
		commit_transaction();
		transfer(execution, run);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* a second cancel must not interrupt the account of what happened */
		HOLD_CANCEL_INTERRUPTS();
		recording = true;
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(context);
		if (run != NULL)
			flow_run_abort(run);
		record_failure(execution, run, error);
		recording = false;
		QueryCancelPending = false;
		RESUME_CANCEL_INTERRUPTS();
	}
	PG_END_TRY();
	shared_end_run();
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* record and clean up after runs whose workers died */
static void
reap(void)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "appflow reap", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *dead;
	ListCell   *lc;

	begin_transaction();
	MemoryContextSwitchTo(context);
	dead = execution_reap();
	commit_transaction();

	foreach(lc, dead)
	{
		ExecutionRow *execution = lfirst(lc);
		RunRequest	request = {
			.flow_name = execution->flow_name,
			.definition = execution->definition,
			.owner = execution->owner,
			.execution_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&execution->execution_id))),
		};

		ereport(LOG,
				errmsg("run %s of flow \"%s\" lost its worker", request.execution_id, execution->flow_name));
		PG_TRY();
		{
			FlowSweep  *sweep;

			begin_transaction();
			MemoryContextSwitchTo(context);
			sweep = flow_sweep_prepare(&request);
			commit_transaction();
			flow_sweep(sweep);
		}
		PG_CATCH();
		{
			/* what is staged stays invisible; the store may be back next time */
			MemoryContextSwitchTo(context);
			EmitErrorReport();
			FlushErrorState();
			AbortCurrentTransaction();
		}
		PG_END_TRY();
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static ExecutionRow *
claim(MemoryContext context)
{
	ExecutionRow *execution;

	begin_transaction();
	MemoryContextSwitchTo(context);
	execution = execution_claim(shared_incarnation());

	/* before others can see the claim: a claimed run without a worker is a lost one */
	if (execution != NULL)
		(void) shared_begin_run(&execution->execution_id, execution->started_at);
	commit_transaction();
	return execution;
}

static bool
more_to_do(void)
{
	bool		waits;

	begin_transaction();
	waits = get_extension_oid("appflow", true) != InvalidOid && execution_waits(shared_incarnation());
	commit_transaction();
	return waits;
}

static bool
installed(void)
{
	bool		result;

	begin_transaction();
	result = get_extension_oid("appflow", true) != InvalidOid;
	commit_transaction();
	return result;
}

void
appflow_worker_main(Datum argument)
{
	Oid			database = DatumGetObjectId(argument);
	int			slot;
	MemoryContext context;
	Oid			waiting;
	const char *reason;

	memcpy(&slot, MyBgworkerEntry->bgw_extra, sizeof(slot));
	pqsignal(SIGTERM, handle_sigterm);
	pqsignal(SIGINT, StatementCancelHandler);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	if (!shared_attach(slot))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	context = AllocSetContextCreate(TopMemoryContext, "appflow worker", ALLOCSET_DEFAULT_SIZES);

	if (installed())
	{
		ExecutionRow *execution;

		reap();
		while (!shutdown_requested && installed() && (execution = claim(context)) != NULL)
		{
			execute_run(execution);
			MemoryContextReset(context);
			if (ConfigReloadPending)
			{
				ConfigReloadPending = false;
				ProcessConfigFile(PGC_SIGHUP);
			}
		}
	}

	/*
	 * A run that came after the last look finds no free slot if the limit is
	 * reached; so look again once ours is free.
	 */
	waiting = shared_detach();
	if (shutdown_requested)
		proc_exit(0);
	if (OidIsValid(waiting) && waiting != database)
		(void) worker_launch(waiting, &reason);
	if (more_to_do())
		(void) worker_launch(database, &reason);
	proc_exit(0);
}
