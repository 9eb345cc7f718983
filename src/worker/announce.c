/*-------------------------------------------------------------------------
 *
 * announce.c
 *	  Tells those who listen what becomes of flows and runs.
 *
 * With every change of a status goes a NOTIFY on the channel
 * appflow_flow_events, in the same transaction.  The payload is a notification
 * as AppFlow sends them to EventBridge.  Any session of the database can listen:
 * it names flow and run, and says how many records there were, but neither
 * objects nor profiles nor the text of an error; those are in the views, for
 * those who may see them.
 *
 * IDENTIFICATION
 *	  src/worker/announce.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(appflow_announce_run);
PG_FUNCTION_INFO_V1(appflow_announce_flow);

/* a time as the service writes it */
#define TIME(time) \
	"pg_catalog.to_char(pg_catalog.timezone('UTC', " time "), 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z[UTC]\"')"

#define ARN(name) \
	"pg_catalog.format('arn:aws:appflow:%s:%s:flow/%s', pg_catalog.current_setting('appflow.region'), " \
	"pg_catalog.current_setting('appflow.account_id'), " name ")"

/* what all details begin with */
#define COMMON(name, definition) \
	"'flow-name', " name ", 'flow-arn', " ARN(name) ", " \
	"'trigger-type', pg_catalog.upper(" definition " #>> '{triggerConfig,triggerType}'), " \
	"'source', " definition " #>> '{sourceFlowConfig,connectorType}', " \
	"'destination', " definition " #>> '{destinationFlowConfigList,0,connectorType}', "

/*
 * Send the row (type, name, detail).  A queue that somebody's long transaction
 * has filled must not make runs fail at their commit.
 */
#define SEND(row) \
	"SELECT pg_catalog.pg_notify('appflow_flow_events', pg_catalog.jsonb_build_object(" \
	"'version', '0', 'id', pg_catalog.gen_random_uuid(), 'detail-type', n.type, 'source', 'aws.appflow', " \
	"'account', pg_catalog.current_setting('appflow.account_id'), " \
	"'time', pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.clock_timestamp()), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), " \
	"'region', pg_catalog.current_setting('appflow.region'), " \
	"'resources', pg_catalog.jsonb_build_array(" ARN("n.name") "), " \
	"'detail', pg_catalog.jsonb_strip_nulls(n.detail))::text) " \
	"FROM (" row ") n (type, name, detail) " \
	"WHERE pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.<) 0.9"

static TriggerData *
trigger_data(FunctionCallInfo fcinfo)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(data->tg_event))
		elog(ERROR, "not called as a trigger for a row");
	return data;
}

static Datum
column(const TriggerData *data, HeapTuple tuple, const char *name)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, SPI_fnumber(desc, name), &isnull);

	return isnull ? (Datum) 0 : value;
}

/* trigger: a run has begun, is to be cancelled, or has ended */
Datum
appflow_announce_run(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo);
	CatalogAccess access;
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple;
	CatalogValue value = catalog_uuid(DatumGetUUIDP(column(data, tuple, "execution_id")));

	catalog_begin(&access);
	catalog_execute(SEND("SELECT CASE e.status WHEN 'InProgress' THEN 'AppFlow Start Flow Run Report' "
						 "WHEN 'CancelStarted' THEN 'AppFlow Cancel Flow Run Report' "
						 "ELSE 'AppFlow End Flow Run Report' END, e.flow_name, "
						 "pg_catalog.jsonb_build_object(" COMMON("e.flow_name", "e.definition")
						 "'execution-id', e.execution_id, 'start-time', " TIME("e.started_at") ", "
						 "'incremental-transfer-time-range', " TIME("e.data_pull_start_time") " OPERATOR(pg_catalog.||) ' - ' "
						 "OPERATOR(pg_catalog.||) " TIME("e.data_pull_end_time") ") "
						 "OPERATOR(pg_catalog.||) CASE WHEN e.status IN ('InProgress', 'CancelStarted') THEN '{}' ELSE "
						 "pg_catalog.jsonb_build_object('end-time', " TIME("e.last_updated_at") ", "
						 "'status', CASE e.status WHEN 'Successful' THEN 'Execution Successful' "
						 "WHEN 'Canceled' THEN 'Execution Canceled' ELSE 'Execution Failed' END, "
						 "'error', e.error_code, "
						 "'num-of-records-processed', e.records_processed::text, "
						 "'num-of-records-filtered', e.records_filtered::text, "
						 "'num-of-record-failures', e.put_failures::text, "
						 "'data-processed', e.bytes_processed::text) END "
						 "OPERATOR(pg_catalog.||) CASE WHEN e.files_written IS NULL THEN '{}' ELSE "
						 "pg_catalog.jsonb_build_object('num-of-documents-processed', e.files_written::text) END "
						 "FROM appflow.flow_execution e WHERE e.execution_id OPERATOR(pg_catalog.=) $1"), 1, &value);
	catalog_end(&access);
	PG_RETURN_POINTER(NULL);
}

/*
 * trigger: the status of a flow has changed, or the flow is deleted.  One with a
 * message was not stopped by its users.
 */
Datum
appflow_announce_flow(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo);
	bool		deleted = TRIGGER_FIRED_BY_DELETE(data->tg_event);
	HeapTuple	tuple = deleted ? data->tg_trigtuple : data->tg_newtuple;
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(SPI_getvalue(tuple, RelationGetDescr(data->tg_relation),
								  SPI_fnumber(RelationGetDescr(data->tg_relation), "flow_name"))),
		{JSONBOID, column(data, tuple, "definition"), false},
		catalog_text(deleted ? "Deleted" : SPI_getvalue(tuple, RelationGetDescr(data->tg_relation),
														SPI_fnumber(RelationGetDescr(data->tg_relation), "status"))),
		catalog_text(SPI_getvalue(tuple, RelationGetDescr(data->tg_relation),
								  SPI_fnumber(RelationGetDescr(data->tg_relation), "status_message"))),
	};

	catalog_begin(&access);
	catalog_execute(SEND("SELECT CASE WHEN d.deactivated THEN pg_catalog.format('AppFlow %s Flow Deactivated', "
						 "$2 #>> '{triggerConfig,triggerType}') ELSE 'AppFlow Flow Status Report' END, $1, "
						 "pg_catalog.jsonb_build_object(" COMMON("$1", "$2") "'flow-status', $3, "
						 "'deactivation-reason', CASE WHEN d.deactivated THEN CASE WHEN $3 OPERATOR(pg_catalog.=) 'Suspended' "
						 "THEN pg_catalog.split_part($4, ' The last:', 1) ELSE 'The flow cannot be run any more.' END END, "
						 "'deactivation-time', CASE WHEN d.deactivated THEN " TIME("pg_catalog.clock_timestamp()") " END) "
						 "FROM (SELECT $3 IN ('Suspended', 'Errored') AND $4 IS NOT NULL) d (deactivated)"),
					lengthof(values), values);
	catalog_end(&access);
	PG_RETURN_POINTER(NULL);
}
