/*-------------------------------------------------------------------------
 *
 * execute.c
 *	  Carries out one run, and records how it ended.
 *
 * The record of a run's end is committed with the data of a table destination; a
 * run whose worker dies in between has changed nothing, and is found by its claim
 * (see execution_reap()).  So is the place that a flow has come to among the
 * events of its source.
 *
 * IDENTIFICATION
 *	  src/worker/execute.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "catalog/flow.h"
#include "catalog/subscription.h"
#include "commands/discard.h"
#include "commands/extension.h"
#include "compat.h"
#include "flow/run.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "net/http.h"
#include "net/net.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "record/errors.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "worker/execute.h"
#include "worker/schedulers.h"
#include "worker/shared.h"
#include "worker/worker.h"

volatile sig_atomic_t worker_shutdown = false;
volatile sig_atomic_t worker_leave = false;
int64		worker_flow_version;

/* there is a run that a signal can break off */
static volatile sig_atomic_t breakable = false;

/* it has not begun yet: its source has no event */
static volatile sig_atomic_t waiting = false;

/* the run takes longer than it may */
static volatile sig_atomic_t timed_out = false;
static TimeoutId run_timeout;

/*
 * A worker that is told to go first records how its run ended: the run is
 * stopped as by a cancel.  If it is doing that already, or has no run, it goes at
 * once.
 */
static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	worker_shutdown = true;
	InterruptPending = true;
	if (breakable)
		QueryCancelPending = true;
	else
		ProcDiePending = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

/* Between two runs there is nothing to cancel. */
static void
handle_sigint(SIGNAL_ARGS)
{
	int			save_errno = errno;

	if (breakable)
	{
		InterruptPending = true;
		QueryCancelPending = true;
		SetLatch(MyLatch);
	}
	errno = save_errno;
}

/* The flow was stopped or changed: a run that goes on comes to its end, none is begun. */
static void
handle_sigusr2(SIGNAL_ARGS)
{
	int			save_errno = errno;

	worker_leave = true;
	if (waiting)
	{
		InterruptPending = true;
		QueryCancelPending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

/* The time of the run is over; it ends like one that is cancelled. */
static void
handle_timeout(void)
{
	if (breakable)
	{
		timed_out = true;
		InterruptPending = true;
		QueryCancelPending = true;
		SetLatch(MyLatch);
	}
}

static int
run_limit_ms(const ExecutionRow *execution)
{
	int64		limit = execution->max_run_ms > 0 ? execution->max_run_ms : worker_max_run_time * INT64CONST(1000);

	return (int) Min(limit, INT_MAX);
}

void
worker_begin_transaction(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
}

/*
 * Counters of tables are not sent by background workers of themselves.
 */
void
worker_commit_transaction(void)
{
	CommitTransactionCommand();
	pgstat_report_stat(true);
}

/*
 * What this database, or its administrator, has set for sessions of people must
 * not keep workers from their work.
 */
void
worker_override_settings(void)
{
	static const char *const settings[][2] = {
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"statement_timeout", "0"},
		{"lock_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"transaction_timeout", "0"},	/* from PostgreSQL 17 on */
		{"row_security", "on"},
	};

	for (int i = 0; i < (int) lengthof(settings); i++)
	{
		if (GetConfigOption(settings[i][0], true, false) != NULL)
			SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
	}
}

/*
 * Triggers and functions of one run's owner may leave things in the session:
 * temporary tables, settings, advisory locks.  The next run may be another's.
 */
void
worker_clean_session(void)
{
	DiscardStmt statement = {.type = T_DiscardStmt,.target = DISCARD_ALL};

	worker_begin_transaction();
	DiscardCommand(&statement, true);
	worker_commit_transaction();
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
			.files_written = outcome->files_written,
	};
}

/*
 * Commit with the rights of the flow's owner: what its triggers have put off
 * until now is theirs to do, not the worker's.
 */
static void
commit_as(Oid owner)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
	worker_commit_transaction();
	SetUserIdAndSecContext(user, context);
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
	bool		publishes = flow_run_publishes(run);
	Jsonb	   *details = NULL;

	if (transactional)
	{
		worker_begin_transaction();
		PushActiveSnapshot(GetTransactionSnapshot());
	}
	flow_run_transfer(run);

	/*
	 * Objects cannot be published and recorded in one step.  They come first:
	 * a crash in between leaves a run that is called an error and all of its
	 * objects, not a success and none.  For the same reason a cancel comes too
	 * late from here on.
	 */
	if (publishes)
	{
		CHECK_FOR_INTERRUPTS();
		HOLD_CANCEL_INTERRUPTS();
	}
	flow_run_finish(run);

	/*
	 * What is registered has to be there; and calls to a service are no reason
	 * to hold what a transaction holds.  A cancel breaks off the registration, and is
	 * too late for the run.
	 */
	if (flow_run_registers(run))
	{
		if (transactional)
		{
			PopActiveSnapshot();
			commit_as(execution->owner);
			transactional = false;
		}
		RESUME_CANCEL_INTERRUPTS();
		details = flow_run_register(run);
		HOLD_CANCEL_INTERRUPTS();
	}
	if (!transactional)
		worker_begin_transaction();
	outcome = flow_run_outcome(run);
	counts = counts_of(&outcome);
	if (!execution_end(&execution->execution_id, "Successful", outcome.message, NULL, &counts, publishes))
		ereport(ERROR,
				errcode(ERRCODE_QUERY_CANCELED),
				errmsg("the run was cancelled"));
	if (details != NULL)
		execution_set_catalog_details(&execution->execution_id, details);
	if (execution->position != NULL || flow_run_tracks(run))
		subscription_advance(execution->flow_id, flow_run_since(run), flow_run_position(run), execution->started_at);
	if (transactional)
		PopActiveSnapshot();
	commit_as(execution->owner);
	if (publishes)
		RESUME_CANCEL_INTERRUPTS();
}

static void
show_run(const ExecutionRow *execution)
{
	pgstat_report_activity(STATE_RUNNING, psprintf("appflow run of \"%s\"", execution->flow_name));
	if (run_limit_ms(execution) > 0)
		enable_timeout_after(run_timeout, run_limit_ms(execution));
}

/*
 * An event has come, or what came is an error: now the run is one that others can
 * see, unless the flow does not listen any more.
 */
static void
begin_event_run(ExecutionRow *execution, FlowRun *run, bool *begun)
{
	MemoryContext context = CurrentMemoryContext;
	int64		version;
	bool		wanted;

	/* a flow that has been changed is not run as it was, if its events can be read again */
	worker_begin_transaction();
	wanted = subscription_next(execution->flow_id, &version) != NULL &&
		(version == worker_flow_version || execution->position[0] == '\0');
	if (!wanted || !execution_begin(execution, shared_incarnation()))
	{
		worker_leave = true;
		worker_commit_transaction();
		MemoryContextSwitchTo(context);
		return;
	}
	(void) shared_begin_run(&execution->execution_id, execution->started_at);
	worker_commit_transaction();
	*begun = true;
	MemoryContextSwitchTo(context);
	if (run != NULL)
		flow_run_set_start(run, execution->started_at);
	show_run(execution);
}

static void
record_failure(const ExecutionRow *execution, const FlowRun *run, const ErrorData *error)
{
	RunOutcome	outcome = {.files_written = -1};
	ExecutionCounts counts;
	bool		cancelled = shared_cancelled();
	char	   *message;
	uint64		kept;
	Interval	limit = {.time = run_limit_ms(execution) * INT64CONST(1000)};

	if (run != NULL)
		outcome = flow_run_outcome(run);

	/* what was read and rejected is true; what was written is undone where it can be */
	if (!outcome.irrevocable)
	{
		outcome.bytes_written = 0;
		outcome.records_processed = outcome.put_failures;
	}
	kept = outcome.irrevocable ? outcome.records_processed - outcome.put_failures : 0;
	counts = counts_of(&outcome);

	if (cancelled)
		message = "The run was cancelled.";
	else if (worker_shutdown)
		message = psprintf("The worker of this run was told to stop (by an administrator or a shutdown). %sStart the flow again.",
						   kept > 0 || outcome.uncertain > 0 ? "" : "Nothing of the run was kept. ");
	else if (timed_out)
		message = psprintf("The run was ended because it took longer than %s %s.",
						   DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(&limit))),
						   execution->max_run_ms > 0 ? "(appflow.limit_flow())" : "(appflow.max_run_time)");
	else
		message = failure_message(error);
	if (kept > 0)
		message = psprintf("%s (The destination keeps " UINT64_FORMAT " records that were written before.)", message, kept);
	if (outcome.uncertain > 0)
		message = psprintf("%s (Whether the destination has " UINT64_FORMAT " more records is not known: they were on their way.)",
						   message, outcome.uncertain);
	worker_begin_transaction();
	if (get_extension_oid("appflow", true) == InvalidOid)
		ereport(LOG,
				errmsg("run of flow \"%s\" ended as the extension was dropped: %s", execution->flow_name, message));
	else if (!execution_end(&execution->execution_id, cancelled ? "Canceled" : "Error", message,
							cancelled ? NULL : unpack_sql_state(error->sqlerrcode), &counts, false))
		elog(DEBUG1, "run of flow \"%s\" has been deleted", execution->flow_name);
	worker_commit_transaction();
}

/* wait for the run's first event and begin it then; false: none came */
static bool
wait_for_event(ExecutionRow *execution, FlowRun *run, bool *begun)
{
	bool		came;

	waiting = true;
	pgstat_report_activity(STATE_IDLE, psprintf("appflow subscription of \"%s\"", execution->flow_name));
	if (worker_leave || worker_shutdown)
		return false;
	came = flow_run_await(run);
	waiting = false;
	execution->heard = came;
	if (came)
		begin_event_run(execution, run, begun);
	return *begun;
}

bool
worker_execute(ExecutionRow *execution)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "appflow run", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FlowRun    *volatile run = NULL;
	RunRequest	request = {
		.flow_name = execution->flow_name,
		.flow_id = execution->flow_id,
		.execution_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&execution->execution_id))),
		.owner = execution->owner,
		.definition = execution->definition,
		.schema_version = execution->schema_version,
		.started_at = execution->started_at,
		.pull_start = execution->pull_start,
		.pull_end = execution->pull_end,
		.position = execution->position,
		.progress = shared_progress(),
	};
	bool		begun = execution->position == NULL;
	volatile bool successful = false;
	bool	   *begun_at = &begun;

	timed_out = false;
	breakable = true;
	if (begun)
		show_run(execution);
	PG_TRY();
	{
		if (shared_cancelled())
			ereport(ERROR,
					errcode(ERRCODE_QUERY_CANCELED),
					errmsg("the run was cancelled"));
		worker_begin_transaction();
		MemoryContextSwitchTo(context);
		if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(execution->owner)))
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("the role that owned flow \"%s\" (OID %u) does not exist any more",
						   execution->flow_name, execution->owner));
		http_set_retry_budget(net_max_run_retries);
		run = flow_run_prepare(&request);
		worker_commit_transaction();
		MemoryContextSwitchTo(context);
		if (*begun_at || wait_for_event(execution, run, begun_at))
			transfer(execution, run);
		successful = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* a second cancel must not interrupt the account of what happened */
		HOLD_CANCEL_INTERRUPTS();
		breakable = false;
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(context);
		if (run != NULL)
			flow_run_abort(run);

		/* that nothing can be heard of a source is a run that failed; that nobody wants to hear is not */
		if (!*begun_at && !worker_leave && !worker_shutdown)
			begin_event_run(execution, run, begun_at);
		if (*begun_at)
			record_failure(execution, run, error);
		RESUME_CANCEL_INTERRUPTS();
	}
	PG_END_TRY();
	if (*begun_at)
		shared_end_run();

	/* a cancel was meant for the run that has just ended */
	waiting = false;
	breakable = false;
	disable_timeout(run_timeout, false);
	QueryCancelPending = false;
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return successful;
}

/* keep no more runs of the flow than wanted */
void
worker_forget_surplus(int64 flow_id)
{
	worker_begin_transaction();
	if (OidIsValid(get_extension_oid("appflow", true)))
		execution_forget_surplus(flow_id, schedulers_history_runs);
	worker_commit_transaction();
}

void
worker_prepare_session(Oid database)
{
	pqsignal(SIGTERM, handle_sigterm);
	pqsignal(SIGINT, handle_sigint);
	pqsignal(SIGUSR2, handle_sigusr2);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	worker_override_settings();
	run_timeout = RegisterTimeout(USER_TIMEOUT, handle_timeout);
}

bool
worker_extension_there(void)
{
	bool		result;

	worker_begin_transaction();
	result = OidIsValid(get_extension_oid("appflow", true));
	worker_commit_transaction();
	return result;
}
