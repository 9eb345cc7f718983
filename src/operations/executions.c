/*-------------------------------------------------------------------------
 *
 * executions.c
 *	  Operations on runs: StartFlow, DescribeFlowExecutionRecords,
 *	  CancelFlowExecutions, and the procedure run_flow.
 *
 * IDENTIFICATION
 *	  src/operations/executions.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/access.h"
#include "compat.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "operations/operations.h"
#include "operations/shapes.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/shared.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(appflow_start_flow);
PG_FUNCTION_INFO_V1(appflow_describe_flow_execution_records);
PG_FUNCTION_INFO_V1(appflow_cancel_flow_executions);
PG_FUNCTION_INFO_V1(appflow_run_flow);

/* of libpq/libpq.h, which needs headers of every authentication library that the server is built with */
extern bool pq_check_connection(void);

/* how long run_flow sleeps at most before it looks again */
#define LOOK_AGAIN_MS 1000

static void
refuse_in_recovery(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("flows cannot be run while the server is in recovery"));
}

static bool
is_on_demand(const FlowRow *flow)
{
	return strcmp(flow->trigger_type, "OnDemand") == 0;
}

/* what an Errored flow was in want of may be there again: it is Active then, otherwise an error says what */
static void
leave_errored(FlowRow *flow)
{
	if (strcmp(flow->status, "Errored") != 0)
		return;
	operation_check_definition(flow->definition);

	/* others are activated, and with that their schedule begins anew */
	if (is_on_demand(flow))
	{
		flow_set_status(flow->flow_id, "Active", NULL, operation_user_arn());
		flow->status = "Active";
	}
}

static pg_uuid_t
start_run(FlowRow *flow, int64 attended)
{
	leave_errored(flow);
	if (execution_count_going() >= quota_concurrent_runs)
		ereport(ERROR,
				appflow_error(WF_QUOTA),
				errmsg("%d runs of this database wait or go on, more are not allowed", quota_concurrent_runs),
				errhint("Start the flow later; an administrator can raise appflow.quota_concurrent_runs."));
	worker_wake_at_commit();
	return execution_insert(flow, attended);
}

static char *
uuid_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

/*
 * start_flow(request jsonb) returns jsonb: {"flowArn", "flowStatus", "executionId"}.
 * Follows StartFlow of the API reference: an on-demand flow is run, when the
 * transaction commits; a scheduled or event-triggered one is activated.
 */
OPERATION(appflow_start_flow, "StartFlow")
{
	FlowRow    *flow = operation_flow(jsonb_get_text(request, "flowName"), false);
	/* on demand, a clientToken that another flow was started with is no conflict */
	const char *operation = is_on_demand(flow) ? psprintf("StartFlow %s", flow->flow_name) : "StartFlow";
	Jsonb	   *response = operation_recall(operation, request);
	CatalogAccess access;
	CatalogValue values[3];

	if (response != NULL)
		PG_RETURN_JSONB_P(response);
	refuse_in_recovery();
	values[0] = catalog_text(operation_arn("flow", flow->flow_name));
	values[2] = catalog_text(NULL);
	if (is_on_demand(flow))
	{
		pg_uuid_t	id = start_run(flow, 0);

		values[2] = catalog_text(uuid_text(&id));
	}
	else
	{
		leave_errored(flow);
		operation_activate(flow);
		flow_set_status(flow->flow_id, "Active", NULL, operation_user_arn());
	}
	values[1] = catalog_text(is_on_demand(flow) ? flow->status : "Active");

	catalog_begin(&access);
	catalog_execute("SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
					"'flowArn', $1, 'flowStatus', $2, 'executionId', $3))",
					lengthof(values), values);
	response = catalog_get_jsonb(&access, 0, 1);
	catalog_end(&access);
	PG_RETURN_JSONB_P(operation_remember(operation, request, response));
}

/*
 * describe_flow_execution_records(request jsonb) returns jsonb:
 * {"flowExecutions": [...], "nextToken"}, newest first.
 * Follows DescribeFlowExecutionRecords of the API reference.
 */
OPERATION(appflow_describe_flow_execution_records, "DescribeFlowExecutionRecords")
{
	FlowRow    *flow = operation_flow(jsonb_get_text(request, "flowName"), false);
	OperationPage page = operation_page(request, "DescribeFlowExecutionRecords", 20);
	CatalogAccess access;
	CatalogValue values[3];
	Jsonb	   *executions;
	char	   *last;
	bool		more;

	catalog_begin(&access);
	values[0] = catalog_int64(flow->flow_id);
	values[1] = catalog_text(page.after);
	values[2] = catalog_int64(page.size);
	/* the key of a run is its time and id, as text for the token */
	catalog_execute("WITH after AS (SELECT pg_catalog.split_part($2, ' ', 1)::numeric AS at, "
					"pg_catalog.split_part($2, ' ', 2)::uuid AS id WHERE $2 IS NOT NULL), "
					"visible AS (SELECT e.*, pg_catalog.row_number() OVER w AS n FROM appflow.execution_state e "
					"WHERE e.flow_id OPERATOR(pg_catalog.=) $1 AND ($2 IS NULL OR EXISTS (SELECT 1 FROM after a "
					"WHERE extract(epoch FROM e.requested_at) OPERATOR(pg_catalog.<) a.at "
					"OR (extract(epoch FROM e.requested_at) OPERATOR(pg_catalog.=) a.at "
					"AND e.execution_id OPERATOR(pg_catalog.>) a.id))) "
					"WINDOW w AS (ORDER BY e.requested_at DESC, e.execution_id) "
					"ORDER BY n LIMIT $3 OPERATOR(pg_catalog.+) 1) "
					"SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
					"'executionId', e.execution_id, 'executionStatus', e.status, "
					"'startedAt', " EPOCH("coalesce(e.started_at, e.requested_at)") ", "
					"'lastUpdatedAt', " EPOCH("e.last_updated_at") ", "
					"'dataPullStartTime', " EPOCH("e.data_pull_start_time") ", "
					"'dataPullEndTime', " EPOCH("e.data_pull_end_time") ", "
					"'metadataCatalogDetails', e.metadata_catalog_details, "
					"'executionResult', CASE WHEN e.started_at IS NOT NULL THEN pg_catalog.jsonb_build_object("
					"'bytesProcessed', e.bytes_processed, 'bytesWritten', e.bytes_written, "
					"'recordsProcessed', e.records_processed, 'numParallelProcesses', 1, "
					"'errorInfo', CASE WHEN e.status OPERATOR(pg_catalog.=) 'Error' "
					"OR e.put_failures OPERATOR(pg_catalog.>) 0 OR e.execution_message IS NOT NULL "
					"THEN pg_catalog.jsonb_build_object('putFailuresCount', e.put_failures, "
					"'executionMessage', pg_catalog.\"left\"(e.execution_message, 2048)) END) END)) ORDER BY n) "
					"FILTER (WHERE n OPERATOR(pg_catalog.<=) $3), '[]'), "
					"(SELECT extract(epoch FROM l.requested_at) OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) l.execution_id::text "
					"FROM visible l WHERE l.n OPERATOR(pg_catalog.=) $3), "
					"pg_catalog.count(*) OPERATOR(pg_catalog.>) $3 FROM visible e", 3, values);
	executions = catalog_get_jsonb(&access, 0, 1);
	last = catalog_get_text(&access, 0, 2);
	more = catalog_get_bool(0, 3);
	catalog_end(&access);
	PG_RETURN_JSONB_P(operation_page_response("flowExecutions", executions, "DescribeFlowExecutionRecords",
											  more ? last : NULL));
}

/*
 * cancel_flow_executions(request jsonb) returns jsonb: {"invalidExecutions": [...]}.
 * Follows CancelFlowExecutions of the API reference.
 */
OPERATION(appflow_cancel_flow_executions, "CancelFlowExecutions")
{
	FlowRow    *flow = operation_flow(jsonb_get_text(request, "flowName"), false);
	List	   *invalid = NIL;
	StringInfoData response;
	ListCell   *lc;

	foreach(lc, execution_cancel(flow->flow_id,
								 jsonb_array_texts(jsonb_get_container(request, "executionIds")), &invalid))
		worker_cancel_at_commit(lfirst(lc));

	initStringInfo(&response);
	appendStringInfoString(&response, "{\"invalidExecutions\": [");
	foreach(lc, invalid)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(&response, ", ");
		escape_json(&response, lfirst(lc));
	}
	appendStringInfoString(&response, "]}");
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(response.data)));
}

/* raise the error that a run ended with */
static void
report_failure(const char *name, const pg_uuid_t *id, const char *status, const char *message,
			   const char *error_code)
{
	int			sqlstate = error_code != NULL && strlen(error_code) == 5 ?
		MAKE_SQLSTATE(error_code[0], error_code[1], error_code[2], error_code[3], error_code[4]) :
		ERRCODE_QUERY_CANCELED;
	const char *exception = appflow_exception_of_sqlstate(sqlstate);

	ereport(ERROR,
			errcode(sqlstate),
			errmsg("run of flow \"%s\" ended as %s: %s", name, status, message ? message : "no reason was given"),
			errdetail("%s%sExecution %s.", exception ? exception : "", exception ? ": " : "", uuid_text(id)));
}

/* the run that a call of run_flow waits for */
typedef struct WatchedRun
{
	pg_uuid_t	id;
	volatile bool going;
} WatchedRun;

static void
cancel_run(int code, Datum arg)
{
	WatchedRun *watched = (WatchedRun *) DatumGetPointer(arg);

	if (watched->going)
		shared_cancel(&watched->id);
}

/*
 * Nobody reads from the client while a statement goes on: look whether it is
 * still there, as client_connection_check_interval would.
 */
static void
check_client(void)
{
	if (whereToSendOutput == DestRemote && MyProcPort != NULL && WaitEventSetCanReportClosed() &&
		!pq_check_connection())
	{
		ClientConnectionLost = true;
		InterruptPending = true;
	}
}

/*
 * run_flow(flow_name text): start a run, wait for its end, raise its error.
 *
 * The run is committed at once, so the procedure must be called outside of a
 * transaction block.  Cancelling the call cancels the run.
 */
Datum
appflow_run_flow(PG_FUNCTION_ARGS)
{
	bool		atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		((CallContext *) fcinfo->context)->atomic;
	char	   *name;
	FlowRow    *flow;
	WatchedRun	watched = {.going = true};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("flow name is null"));
	if (atomic)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				errmsg("run_flow cannot wait for a run inside a transaction"),
				errhint("Call it outside of a transaction block, or use appflow.start_flow()."));

	/* lives as long as the call, over the commits below */
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	name = MemoryContextStrdup(PortalContext, name);

	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	flow = operation_flow(name, false);
	refuse_in_recovery();
	if (!is_on_demand(flow))
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("flow \"%s\" has the trigger type %s, only OnDemand flows are run by call",
					   name, flow->trigger_type));
	watched.id = start_run(flow, shared_incarnation());
	SPI_commit();

	/* for an error, and for the end of a session that is told to go */
	PG_ENSURE_ERROR_CLEANUP(cancel_run, PointerGetDatum(&watched));
	{
		MemoryContext context = AllocSetContextCreate(PortalContext, "appflow run_flow", ALLOCSET_SMALL_SIZES);

		shared_wait_prepare();
		for (;;)
		{
			char	   *message = NULL;
			char	   *error_code = NULL;
			char	   *status;
			const char *reason;

			MemoryContextReset(context);
			MemoryContextSwitchTo(context);
			status = execution_status(&watched.id, &message, &error_code);
			watched.going = status != NULL &&
				(strcmp(status, "InProgress") == 0 || strcmp(status, "CancelStarted") == 0);
			if (status == NULL)
				ereport(ERROR,
						appflow_error(WF_NOT_FOUND),
						errmsg("flow \"%s\" was deleted while it ran", name));
			if (strcmp(status, "Successful") == 0)
			{
				if (message != NULL)
					ereport(NOTICE,
							errmsg("%s", message));
				break;
			}
			if (!watched.going)
				report_failure(name, &watched.id, status, message, error_code);

			/* nothing is held while the run goes on */
			SPI_commit();
			shared_wait(LOOK_AGAIN_MS);
			check_client();
			CHECK_FOR_INTERRUPTS();
			if (execution_waits(shared_incarnation()))
				(void) worker_launch(MyDatabaseId, &reason);
		}
	}
	PG_END_ENSURE_ERROR_CLEANUP(cancel_run, PointerGetDatum(&watched));
	shared_wait_end();
	SPI_finish();
	PG_RETURN_VOID();
}
