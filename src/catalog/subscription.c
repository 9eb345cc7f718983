/*-------------------------------------------------------------------------
 *
 * subscription.c
 *	  Flows that events of an application start: the place that they have come to.
 *
 * IDENTIFICATION
 *	  src/catalog/subscription.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/subscription.h"
#include "utils/timestamp.h"

/* active flows that listen */
#define LISTENING \
	"FROM appflow.flow_schedule s JOIN appflow.flow f ON f.flow_id OPERATOR(pg_catalog.=) s.flow_id " \
	"WHERE s.subscribes AND f.status OPERATOR(pg_catalog.=) 'Active'"

/* the time of the last change, as a number */
#define VERSION "(1000000 OPERATOR(pg_catalog.*) extract(epoch FROM f.last_updated_at))::bigint"

void
subscription_begin(int64 flow_id)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id)};

	catalog_begin(&access);
	catalog_execute("INSERT INTO appflow.flow_schedule (flow_id, subscribes) VALUES ($1, true) "
					"ON CONFLICT (flow_id) DO UPDATE SET subscribes = true, failures = 0, not_before = NULL",
					lengthof(values), values);
	catalog_end(&access);
}

void
subscription_end(int64 flow_id)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id)};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.flow_schedule SET subscribes = false "
					"WHERE flow_id OPERATOR(pg_catalog.=) $1 AND subscribes", lengthof(values), values);
	catalog_end(&access);
}

void
subscription_set_position(int64 flow_id, const char *position)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), catalog_text(position)};

	catalog_begin(&access);
	catalog_execute("INSERT INTO appflow.flow_schedule (flow_id, \"position\", set_at) VALUES ($1, $2, pg_catalog.clock_timestamp()) "
					"ON CONFLICT (flow_id) DO UPDATE SET \"position\" = $2, set_at = pg_catalog.clock_timestamp()",
					lengthof(values), values);
	catalog_end(&access);
}

char *
subscription_position(int64 flow_id)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id)};
	char	   *position = NULL;

	catalog_begin(&access);
	if (catalog_execute("SELECT s.\"position\" FROM appflow.flow_schedule s "
						"WHERE s.flow_id OPERATOR(pg_catalog.=) $1 AND s.\"position\" IS NOT NULL", lengthof(values), values) > 0)
		position = catalog_get_text(&access, 0, 1);
	catalog_end(&access);
	return position;
}

void
subscription_advance(int64 flow_id, const char *from, const char *to, TimestampTz began)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), catalog_text(from), catalog_text(to), catalog_time(began)};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.flow_schedule SET \"position\" = $3 WHERE flow_id OPERATOR(pg_catalog.=) $1 "
					"AND coalesce(\"position\", '') OPERATOR(pg_catalog.=) $2 "
					"AND (set_at IS NULL OR set_at OPERATOR(pg_catalog.<) $4)", lengthof(values), values);
	catalog_end(&access);
}

List *
subscription_list(void)
{
	CatalogAccess access;
	List	   *rows = NIL;
	uint64		nrows;
	MemoryContext old;

	catalog_begin(&access);
	nrows = catalog_execute("SELECT s.flow_id, " VERSION ", coalesce(s.not_before, '-infinity') " LISTENING, 0, NULL);
	old = MemoryContextSwitchTo(access.caller);
	for (uint64 i = 0; i < nrows; i++)
	{
		SubscriptionRow *row = palloc0(sizeof(SubscriptionRow));

		row->flow_id = catalog_get_int64(i, 1);
		row->version = catalog_get_int64(i, 2);
		row->not_before = catalog_get_time(i, 3);
		rows = lappend(rows, row);
	}
	MemoryContextSwitchTo(old);
	catalog_end(&access);
	return rows;
}

ExecutionRow *
subscription_next(int64 flow_id, int64 *version)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id)};
	ExecutionRow *row = NULL;

	catalog_begin(&access);
	if (catalog_execute("SELECT pg_catalog.gen_random_uuid(), f.flow_name, f.owner::oid, f.definition, f.schema_version, "
						"coalesce(s.\"position\", ''), (1000 OPERATOR(pg_catalog.*) extract(epoch FROM f.max_run_time))::bigint, "
						VERSION " " LISTENING " AND s.flow_id OPERATOR(pg_catalog.=) $1", lengthof(values), values) > 0)
	{
		row = MemoryContextAllocZero(access.caller, sizeof(ExecutionRow));
		(void) catalog_get_uuid(0, 1, &row->execution_id);
		row->flow_id = flow_id;
		row->flow_name = catalog_get_text(&access, 0, 2);
		row->owner = catalog_get_oid(0, 3);
		row->definition = catalog_get_jsonb(&access, 0, 4);
		row->schema_version = catalog_get_int64(0, 5);
		row->position = catalog_get_text(&access, 0, 6);
		row->max_run_ms = catalog_get_int64(0, 7);
		row->pull_start = row->pull_end = DT_NOEND;
		*version = catalog_get_int64(0, 8);
	}
	catalog_end(&access);
	return row;
}
