/*-------------------------------------------------------------------------
 *
 * flow.c
 *	  The table of flows.
 *
 * IDENTIFICATION
 *	  src/catalog/flow.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/grant.h"
#include "catalog/flow.h"

FlowRow *
flow_get(const char *name, bool for_update)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(name)};
	FlowRow    *flow = NULL;

	catalog_begin(&access);
	if (catalog_execute(for_update ?
						"SELECT flow_id, flow_name, owner::oid, status, definition #>> '{triggerConfig,triggerType}', "
						"definition, schema_version "
						"FROM appflow.flow WHERE flow_name OPERATOR(pg_catalog.=) $1 FOR UPDATE" :
						"SELECT flow_id, flow_name, owner::oid, status, definition #>> '{triggerConfig,triggerType}', "
						"definition, schema_version "
						"FROM appflow.flow WHERE flow_name OPERATOR(pg_catalog.=) $1", 1, values) > 0)
	{
		flow = MemoryContextAllocZero(access.caller, sizeof(FlowRow));
		flow->flow_id = catalog_get_int64(0, 1);
		flow->flow_name = catalog_get_text(&access, 0, 2);
		flow->owner = catalog_get_oid(0, 3);
		flow->status = catalog_get_text(&access, 0, 4);
		flow->trigger_type = catalog_get_text(&access, 0, 5);
		flow->definition = catalog_get_jsonb(&access, 0, 6);
		flow->schema_version = catalog_get_int64(0, 7);
	}
	catalog_end(&access);
	return flow;
}

bool
flow_insert(const char *name, Oid owner, const char *status, Jsonb *definition, Jsonb *tags,
			const char *created_by)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(name), catalog_oid(owner), catalog_text(status), catalog_jsonb(definition),
		catalog_jsonb(tags), catalog_text(created_by)
	};
	bool		inserted;

	catalog_begin(&access);
	inserted = catalog_execute("INSERT INTO appflow.flow (flow_name, owner, status, definition, tags, created_by, last_updated_by) "
							   "VALUES ($1, $2::regrole, $3, $4, coalesce($5, '{}'), $6, $6) "
							   "ON CONFLICT (flow_name) DO NOTHING", lengthof(values), values) > 0;
	catalog_end(&access);
	return inserted;
}

void
flow_set_status(int64 flow_id, const char *status, const char *message, const char *by)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_int64(flow_id), catalog_text(status), catalog_text(message), catalog_text(by)
	};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.flow SET status = $2, status_message = $3, "
					"last_updated_at = pg_catalog.now(), last_updated_by = $4 "
					"WHERE flow_id OPERATOR(pg_catalog.=) $1", lengthof(values), values);
	catalog_end(&access);
}

void
flow_delete(int64 flow_id)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id)};

	catalog_begin(&access);
	catalog_execute("WITH gone AS (DELETE FROM appflow.flow WHERE flow_id OPERATOR(pg_catalog.=) $1 RETURNING flow_name) "
					"DELETE FROM appflow.access_grant g USING gone WHERE g.kind OPERATOR(pg_catalog.=) '" GRANT_OF_FLOW "' "
					"AND g.name OPERATOR(pg_catalog.=) gone.flow_name", 1, values);
	catalog_end(&access);
}

TimestampTz
flow_created_at(int64 flow_id)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id)};
	TimestampTz created = 0;

	catalog_begin(&access);
	if (catalog_execute("SELECT created_at FROM appflow.flow WHERE flow_id OPERATOR(pg_catalog.=) $1", 1, values) > 0)
		created = catalog_get_time(0, 1);
	catalog_end(&access);
	return created;
}

int64
flow_count(void)
{
	CatalogAccess access;
	int64		count;

	catalog_begin(&access);
	catalog_execute("SELECT pg_catalog.count(*) FROM appflow.flow", 0, NULL);
	count = catalog_get_int64(0, 1);
	catalog_end(&access);
	return count;
}

void
flow_set_limits(int64 flow_id, int64 max_run_ms, int64 history_runs)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), catalog_int64(max_run_ms), catalog_int64(history_runs)};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.flow SET history_runs = NULLIF($3, 0)::integer, "
					"max_run_time = NULLIF($2, 0)::double precision OPERATOR(pg_catalog.*) '1 millisecond'::interval "
					"WHERE flow_id OPERATOR(pg_catalog.=) $1", lengthof(values), values);
	catalog_end(&access);
}
