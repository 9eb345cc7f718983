/*-------------------------------------------------------------------------
 *
 * accounting.c
 *	  What the end of a scheduled run means for its flow: how far its
 *	  incremental pulls have come, and whether it fails too often.
 *
 * IDENTIFICATION
 *	  src/worker/accounting.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/flow.h"
#include "commands/trigger.h"
#include "compat.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/uuid.h"
#include "worker/schedulers.h"

/* seconds after which events are tried again at the latest; it doubles up to that */
#define LONGEST_DELAY 300

PG_FUNCTION_INFO_V1(appflow_execution_changed);

static void
account_success(const CatalogValue *id)
{
	catalog_execute("UPDATE appflow.flow_schedule s SET failures = 0, "
					"watermark = CASE WHEN s.set_at IS NULL OR e.requested_at OPERATOR(pg_catalog.>) s.set_at "
					"THEN coalesce(e.data_pull_end_time, s.watermark) ELSE s.watermark END "
					"FROM appflow.flow_execution e WHERE e.execution_id OPERATOR(pg_catalog.=) $1 "
					"AND s.flow_id OPERATOR(pg_catalog.=) e.flow_id", 1, id);
}

/*
 * flowErrorDeactivationThreshold: after so many failures one after another the
 * flow is suspended, and says why.
 */
static void
account_failure(const CatalogValue *id)
{
	/* the flow first, as operations on it do */
	catalog_execute("SELECT 1 FROM appflow.flow f JOIN appflow.flow_execution e "
					"ON e.flow_id OPERATOR(pg_catalog.=) f.flow_id "
					"WHERE e.execution_id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE OF f", 1, id);
	catalog_execute("WITH s AS (UPDATE appflow.flow_schedule s SET failures = s.failures OPERATOR(pg_catalog.+) 1 "
					"FROM appflow.flow_execution e WHERE e.execution_id OPERATOR(pg_catalog.=) $1 "
					"AND s.flow_id OPERATOR(pg_catalog.=) e.flow_id RETURNING s.flow_id, s.failures, e.execution_message) "
					"UPDATE appflow.flow f SET status = 'Suspended', last_updated_at = pg_catalog.clock_timestamp(), "
					"status_message = pg_catalog.\"left\"(pg_catalog.format("
					"'Deactivated after %s failed runs. The last: %s', s.failures, s.execution_message), 2048) "
					"FROM s WHERE f.flow_id OPERATOR(pg_catalog.=) s.flow_id "
					"AND f.status OPERATOR(pg_catalog.=) 'Active' AND s.failures OPERATOR(pg_catalog.>=) "
					"(f.definition OPERATOR(pg_catalog.#>>) '{triggerConfig,triggerProperties,Scheduled,flowErrorDeactivationThreshold}')::numeric",
					1, id);

	/* a row is updated once in a statement, so this is another */
	catalog_execute("UPDATE appflow.flow_schedule s SET next_at = NULL "
					"FROM appflow.flow_execution e, appflow.flow f WHERE e.execution_id OPERATOR(pg_catalog.=) $1 "
					"AND f.flow_id OPERATOR(pg_catalog.=) e.flow_id AND s.flow_id OPERATOR(pg_catalog.=) e.flow_id "
					"AND f.status OPERATOR(pg_catalog.=) 'Suspended' AND s.next_at IS NOT NULL", 1, id);
}

/*
 * Events, and changes of a table, that come while a run goes on, and those that a
 * failed one should have moved, are the next one's.
 */
static void
account_events(const CatalogValue *id, bool failed)
{
	int64		flow_id;
	int64		failures;

	if (catalog_execute("SELECT s.flow_id, s.failures::bigint FROM appflow.flow_schedule s JOIN appflow.flow_execution e "
						"ON e.flow_id OPERATOR(pg_catalog.=) s.flow_id "
						"WHERE e.execution_id OPERATOR(pg_catalog.=) $1 AND (s.captures OPERATOR(pg_catalog.<>) 0 OR s.subscribes)", 1, id) == 0)
		return;
	flow_id = catalog_get_int64(0, 1);
	failures = catalog_get_int64(0, 2);
	if (failed)
		schedule_delay(flow_id, schedulers_now() + Min(INT64CONST(1) << Min(failures, 20), LONGEST_DELAY) * USECS_PER_SEC);
	schedulers_nudge_at_commit();
}

/* trigger: a run that was due has become Successful, an Error or Canceled */
Datum
appflow_execution_changed(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	bool		isnull;
	Datum		id;
	char	   *status;
	CatalogAccess access;
	CatalogValue value;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BY_UPDATE(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event))
		elog(ERROR, "execution_changed is a trigger function");
	desc = RelationGetDescr(data->tg_relation);
	id = SPI_getbinval(data->tg_newtuple, desc, SPI_fnumber(desc, "execution_id"), &isnull);
	status = SPI_getvalue(data->tg_newtuple, desc, SPI_fnumber(desc, "status"));

	catalog_begin(&access);
	value = catalog_uuid(DatumGetUUIDP(id));
	if (strcmp(status, "Successful") == 0)
		account_success(&value);
	else if (strcmp(status, "Error") == 0)
		account_failure(&value);
	account_events(&value, strcmp(status, "Error") == 0);
	catalog_end(&access);
	PG_RETURN_POINTER(NULL);
}
