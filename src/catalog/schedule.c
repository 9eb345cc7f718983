/*-------------------------------------------------------------------------
 *
 * schedule.c
 *	  The table of schedules.
 *
 * IDENTIFICATION
 *	  src/catalog/schedule.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/flow.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/timestamp.h"

/* nulls of the table and infinite times */
#define NEVER(column) "coalesce(" column ", 'infinity'::timestamptz)"
#define NOT_YET(column) "coalesce(" column ", '-infinity'::timestamptz)"

ScheduleRow *
schedule_get(int64 flow_id)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id)};
	ScheduleRow *row;

	catalog_begin(&access);
	row = MemoryContextAllocZero(access.caller, sizeof(ScheduleRow));
	row->flow_id = flow_id;
	row->activated_at = DT_NOBEGIN;
	row->next_at = DT_NOEND;
	row->watermark = DT_NOBEGIN;
	if (catalog_execute("SELECT " NOT_YET("activated_at") ", " NEVER("next_at") ", " NOT_YET("watermark") " "
						"FROM appflow.flow_schedule WHERE flow_id OPERATOR(pg_catalog.=) $1 FOR UPDATE", 1, values) > 0)
	{
		row->activated_at = catalog_get_time(0, 1);
		row->next_at = catalog_get_time(0, 2);
		row->watermark = catalog_get_time(0, 3);
	}
	catalog_end(&access);
	return row;
}

void
schedule_set(int64 flow_id, TimestampTz activated_at, TimestampTz next_at)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), catalog_time(activated_at), catalog_time(next_at)};

	catalog_begin(&access);
	catalog_execute("INSERT INTO appflow.flow_schedule (flow_id, activated_at, next_at) VALUES ($1, $2, $3) "
					"ON CONFLICT (flow_id) DO UPDATE SET activated_at = $2, next_at = $3, failures = 0",
					lengthof(values), values);
	catalog_end(&access);
}

void
schedule_set_watermark(int64 flow_id, TimestampTz watermark)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), catalog_time(watermark)};

	catalog_begin(&access);
	catalog_execute("INSERT INTO appflow.flow_schedule (flow_id, watermark, set_at) VALUES ($1, $2, pg_catalog.clock_timestamp()) "
					"ON CONFLICT (flow_id) DO UPDATE SET watermark = $2, set_at = pg_catalog.clock_timestamp()",
					lengthof(values), values);
	catalog_end(&access);
}

List *
schedule_due(TimestampTz now, int limit)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_time(now), catalog_int64(limit)};
	List	   *result = NIL;
	uint64		nrows;
	MemoryContext old;

	catalog_begin(&access);

	/* a row that somebody is changing wakes the scheduler once it is changed */
	nrows = catalog_execute("SELECT s.flow_id, f.flow_name, "
							"pg_catalog.jsonb_build_object('triggerConfig', f.definition OPERATOR(pg_catalog.->) 'triggerConfig', "
							"'sourceFlowConfig', pg_catalog.jsonb_build_object('connectorType', "
							"f.definition OPERATOR(pg_catalog.#>) '{sourceFlowConfig,connectorType}')), "
							NOT_YET("s.activated_at") ", s.next_at, " NOT_YET("s.watermark") ", "
							"EXISTS (SELECT 1 FROM appflow.flow_execution r "
							"WHERE r.flow_id OPERATOR(pg_catalog.=) s.flow_id "
							"AND r.status IN ('InProgress', 'CancelStarted')), "
							"f.status OPERATOR(pg_catalog.=) 'Active' "
							"FROM (SELECT * FROM appflow.flow_schedule WHERE next_at OPERATOR(pg_catalog.<=) $1 "
							"ORDER BY next_at, flow_id LIMIT $2 FOR UPDATE SKIP LOCKED) s "
							"JOIN appflow.flow f ON f.flow_id OPERATOR(pg_catalog.=) s.flow_id "
							"ORDER BY s.next_at, s.flow_id FOR KEY SHARE OF f SKIP LOCKED",
							lengthof(values), values);
	old = MemoryContextSwitchTo(access.caller);
	for (uint64 i = 0; i < nrows; i++)
	{
		ScheduleRow *row = palloc0(sizeof(ScheduleRow));

		row->flow_id = catalog_get_int64(i, 1);
		row->flow_name = catalog_get_text(&access, i, 2);
		row->trigger = catalog_get_jsonb(&access, i, 3);
		row->activated_at = catalog_get_time(i, 4);
		row->next_at = catalog_get_time(i, 5);
		row->watermark = catalog_get_time(i, 6);
		row->busy = catalog_get_bool(i, 7);
		row->active = catalog_get_bool(i, 8);
		result = lappend(result, row);
	}
	MemoryContextSwitchTo(old);
	catalog_end(&access);
	return result;
}

/* an array of the decisions' members at that offset */
static CatalogValue
array_value(List *decisions, Oid element, Oid array, size_t offset)
{
	Datum	   *items = palloc(sizeof(Datum) * list_length(decisions));
	ListCell   *lc;

	foreach(lc, decisions)
		items[foreach_current_index(lc)] = element == BOOLOID ?
			BoolGetDatum(*(bool *) ((char *) lfirst(lc) + offset)) :
			Int64GetDatum(*(int64 *) ((char *) lfirst(lc) + offset));
	return (CatalogValue)
	{
		array, PointerGetDatum(construct_array(items, list_length(decisions), element,
											   element == BOOLOID ? 1 : 8,
											   element == BOOLOID ? true : FLOAT8PASSBYVAL,
											   element == BOOLOID ? TYPALIGN_CHAR : TYPALIGN_DOUBLE)), false
	};
}

void
schedule_decide(List *decisions)
{
	CatalogAccess access;
	CatalogValue values[] = {
		array_value(decisions, INT8OID, INT8ARRAYOID, offsetof(ScheduleDecision, flow_id)),
		array_value(decisions, TIMESTAMPTZOID, TIMESTAMPTZARRAYOID, offsetof(ScheduleDecision, due_at)),
		array_value(decisions, TIMESTAMPTZOID, TIMESTAMPTZARRAYOID, offsetof(ScheduleDecision, next_at)),
		array_value(decisions, BOOLOID, BOOLARRAYOID, offsetof(ScheduleDecision, skipped)),
		array_value(decisions, TIMESTAMPTZOID, TIMESTAMPTZARRAYOID, offsetof(ScheduleDecision, pull_start)),
		array_value(decisions, TIMESTAMPTZOID, TIMESTAMPTZARRAYOID, offsetof(ScheduleDecision, pull_end)),
	};

	catalog_begin(&access);
	catalog_execute("WITH d AS (SELECT d.flow_id, d.skipped, nullif(d.due_at, 'infinity') AS due_at, "
					"nullif(d.next_at, 'infinity') AS next_at, nullif(d.pull_start, 'infinity') AS pull_start, "
					"nullif(d.pull_end, 'infinity') AS pull_end "
					"FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
					"pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6)) "
					"AS d (flow_id, due_at, next_at, skipped, pull_start, pull_end)), "
					"u AS (UPDATE appflow.flow_schedule s SET next_at = d.next_at, "
					"skipped = s.skipped OPERATOR(pg_catalog.+) d.skipped::integer "
					"FROM d WHERE s.flow_id OPERATOR(pg_catalog.=) d.flow_id) "
					"INSERT INTO appflow.flow_execution (flow_id, flow_name, owner, definition, schema_version, "
					"due_at, data_pull_start_time, data_pull_end_time) "
					"SELECT f.flow_id, f.flow_name, f.owner, f.definition, f.schema_version, "
					"d.due_at, d.pull_start, d.pull_end "
					"FROM d JOIN appflow.flow f ON f.flow_id OPERATOR(pg_catalog.=) d.flow_id "
					"WHERE d.due_at IS NOT NULL", lengthof(values), values);
	catalog_end(&access);
}

void
schedule_delay(int64 flow_id, TimestampTz until)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), catalog_time(until)};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.flow_schedule SET not_before = $2 WHERE flow_id OPERATOR(pg_catalog.=) $1",
					lengthof(values), values);
	catalog_end(&access);
}

TimestampTz
schedule_first(void)
{
	CatalogAccess access;
	TimestampTz first;

	catalog_begin(&access);
	catalog_execute("SELECT " NEVER("pg_catalog.min(next_at)") " FROM appflow.flow_schedule", 0, NULL);
	first = catalog_get_time(0, 1);
	catalog_end(&access);
	return first;
}

bool
schedule_work_left(void)
{
	CatalogAccess access;
	bool		left;

	catalog_begin(&access);
	catalog_execute("SELECT EXISTS (SELECT 1 FROM appflow.flow_execution WHERE status IN ('InProgress', 'CancelStarted')) "
					"OR EXISTS (SELECT 1 FROM appflow.flow_execution WHERE unswept) "
					"OR EXISTS (SELECT 1 FROM appflow.connector_profile WHERE private_check IS NOT NULL)", 0, NULL);
	left = catalog_get_bool(0, 1);
	catalog_end(&access);
	return left;
}
