/*-------------------------------------------------------------------------
 *
 * capture.c
 *	  Changes of tables that start flows.
 *
 * IDENTIFICATION
 *	  src/catalog/capture.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/capture.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

/* the triggers, and the flows that they are for */
#define TRIGGERS \
	"(SELECT t.tgrelid, t.tgname, pg_catalog.split_part(t.tgname::text, '_', 3)::bigint AS flow_id, " \
	"pg_catalog.split_part(t.tgname::text, '_', 4)::integer AS generation FROM pg_catalog.pg_trigger t " \
	"WHERE t.tgfoid OPERATOR(pg_catalog.=) 'appflow.capture_change'::pg_catalog.regproc::pg_catalog.oid " \
	"AND t.tgparentid OPERATOR(pg_catalog.=) 0::pg_catalog.oid AND t.tgname OPERATOR(pg_catalog.~) '^appflow_capture_[0-9]{1,18}_[0-9]{1,9}$')"

/* how long capture_tidy() waits for those who use the table */
#define TIDY_TIMEOUT "200ms"

void
capture_begin(int64 flow_id, Oid table, const char *quoted)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), catalog_oid(table)};
	int64		generation;
	bool		there;

	catalog_begin(&access);
	catalog_execute("SELECT coalesce(pg_catalog.min(t.generation) FILTER (WHERE t.tgrelid OPERATOR(pg_catalog.=) $2), "
					"coalesce(pg_catalog.max(t.generation), 0) OPERATOR(pg_catalog.+) 1)::bigint, "
					"coalesce(pg_catalog.bool_or(t.tgrelid OPERATOR(pg_catalog.=) $2), false) "
					"FROM " TRIGGERS " t WHERE t.flow_id OPERATOR(pg_catalog.=) $1", lengthof(values), values);
	generation = catalog_get_int64(0, 1);
	there = catalog_get_bool(0, 2);
	if (!there)
	{
		char	   *name = psprintf("appflow_capture_" INT64_FORMAT "_" INT64_FORMAT, flow_id, generation);

		catalog_execute(psprintf("CREATE TRIGGER %s AFTER INSERT OR UPDATE ON %s "
								 "FOR EACH ROW EXECUTE FUNCTION appflow.capture_change()", name, quoted), 0, NULL);

		/* otherwise it would be in the way of DROP EXTENSION */
		catalog_execute(psprintf("ALTER TRIGGER %s ON %s DEPENDS ON EXTENSION appflow", name, quoted), 0, NULL);
	}
	values[1] = catalog_int64(generation);
	catalog_execute("INSERT INTO appflow.flow_schedule (flow_id, captures) VALUES ($1, $2::integer) "
					"ON CONFLICT (flow_id) DO UPDATE SET captures = $2::integer, failures = 0, not_before = NULL",
					lengthof(values), values);
	catalog_end(&access);
}

void
capture_end(int64 flow_id)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id)};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.flow_schedule SET captures = 0 "
					"WHERE flow_id OPERATOR(pg_catalog.=) $1 AND captures OPERATOR(pg_catalog.<>) 0", lengthof(values), values);
	catalog_end(&access);
}

List *
capture_take(int64 flow_id, int limit)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), catalog_int64(limit)};
	List	   *keys = NIL;
	uint64		nrows;
	MemoryContext old;

	catalog_begin(&access);
	nrows = catalog_execute("WITH d AS (DELETE FROM appflow.table_change WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
							"SELECT ctid FROM appflow.table_change WHERE flow_id OPERATOR(pg_catalog.=) $1 LIMIT $2)) "
							"RETURNING key, generation) SELECT DISTINCT d.key FROM d JOIN appflow.flow_schedule s "
							"ON s.captures OPERATOR(pg_catalog.=) d.generation WHERE s.flow_id OPERATOR(pg_catalog.=) $1", lengthof(values), values);
	old = MemoryContextSwitchTo(access.caller);
	for (uint64 row = 0; row < nrows; row++)
	{
		bool		isnull;
		Datum		key = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull);

		keys = lappend(keys, DatumGetArrayTypePCopy(key));
	}
	MemoryContextSwitchTo(old);
	catalog_end(&access);
	return keys;
}

/* flows that capture, run, and have something to move */
#define READY \
	"FROM appflow.flow_schedule s JOIN appflow.flow f ON f.flow_id OPERATOR(pg_catalog.=) s.flow_id " \
	"WHERE s.captures OPERATOR(pg_catalog.<>) 0 AND f.status OPERATOR(pg_catalog.=) 'Active' " \
	"AND EXISTS (SELECT 1 FROM appflow.table_change c WHERE c.flow_id OPERATOR(pg_catalog.=) s.flow_id) " \
	"AND NOT EXISTS (SELECT 1 FROM appflow.flow_execution r WHERE r.flow_id OPERATOR(pg_catalog.=) s.flow_id " \
	"AND r.status IN ('InProgress', 'CancelStarted'))"

int
capture_due(TimestampTz now, int64 interval, TimestampTz *next)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_time(now), catalog_time(now + interval)};
	int			runs;

	catalog_begin(&access);
	runs = (int) catalog_execute("WITH d AS (SELECT s.flow_id " READY
								 " AND coalesce(s.not_before, '-infinity') OPERATOR(pg_catalog.<=) $1 "
								 "FOR UPDATE OF s SKIP LOCKED FOR KEY SHARE OF f SKIP LOCKED), "
								 "u AS (UPDATE appflow.flow_schedule s SET not_before = $2 FROM d "
								 "WHERE s.flow_id OPERATOR(pg_catalog.=) d.flow_id) "
								 "INSERT INTO appflow.flow_execution (flow_id, flow_name, owner, definition, schema_version, due_at) "
								 "SELECT f.flow_id, f.flow_name, f.owner, f.definition, f.schema_version, $1 "
								 "FROM d JOIN appflow.flow f ON f.flow_id OPERATOR(pg_catalog.=) d.flow_id",
								 lengthof(values), values);
	catalog_execute("SELECT coalesce(pg_catalog.min(s.not_before), 'infinity') " READY, 0, NULL);
	*next = catalog_get_time(0, 1);
	catalog_end(&access);
	return runs;
}

char *
capture_tidy(void)
{
	CatalogAccess access;
	char	   *table = NULL;

	catalog_begin(&access);
	(void) set_config_option("lock_timeout", TIDY_TIMEOUT, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (catalog_execute("SELECT t.tgrelid::pg_catalog.regclass::text, t.tgname "
						"FROM " TRIGGERS " t LEFT JOIN appflow.flow_schedule s ON s.flow_id OPERATOR(pg_catalog.=) t.flow_id "
						"WHERE coalesce(s.captures, 0) OPERATOR(pg_catalog.<>) t.generation LIMIT 1", 0, NULL) > 0)
	{
		char	   *name = catalog_get_text(&access, 0, 2);

		table = catalog_get_text(&access, 0, 1);
		catalog_execute(psprintf("DROP TRIGGER %s ON %s", name, table), 0, NULL);
	}
	catalog_end(&access);
	return table;
}

void
capture_forget(void)
{
	CatalogAccess access;

	catalog_begin(&access);

	/* one look into the index for each flow, however many changes wait */
	catalog_execute("WITH RECURSIVE i (flow_id) AS ("
					"SELECT pg_catalog.min(flow_id) FROM appflow.table_change UNION ALL "
					"SELECT (SELECT pg_catalog.min(c.flow_id) FROM appflow.table_change c "
					"WHERE c.flow_id OPERATOR(pg_catalog.>) i.flow_id) FROM i WHERE i.flow_id IS NOT NULL) "
					"DELETE FROM appflow.table_change WHERE flow_id OPERATOR(pg_catalog.=) ANY (ARRAY("
					"SELECT i.flow_id FROM i WHERE NOT EXISTS (SELECT 1 FROM appflow.flow f "
					"WHERE f.flow_id OPERATOR(pg_catalog.=) i.flow_id)))", 0, NULL);
	catalog_end(&access);
}

List *
capture_break(void)
{
	CatalogAccess access;
	List	   *names = NIL;
	uint64		nrows;
	MemoryContext old;

	catalog_begin(&access);
	nrows = catalog_execute("WITH b AS (UPDATE appflow.flow_schedule s SET captures = 0 FROM appflow.flow f "
							"WHERE s.captures OPERATOR(pg_catalog.<>) 0 AND f.flow_id OPERATOR(pg_catalog.=) s.flow_id "
							"AND NOT EXISTS (SELECT 1 FROM " TRIGGERS " t WHERE t.flow_id OPERATOR(pg_catalog.=) s.flow_id) "
							"AND pg_catalog.to_regclass(f.definition #>> "
							"'{sourceFlowConfig,sourceConnectorProperties,CustomConnector,entityName}') IS NULL "
							"RETURNING f.flow_id) "
							"UPDATE appflow.flow f SET status = 'Errored', last_updated_at = pg_catalog.now(), "
							"status_message = pg_catalog.format('Table %s does not exist any more. Update the flow, or make the table anew, and start it.', "
							"f.definition #>> '{sourceFlowConfig,sourceConnectorProperties,CustomConnector,entityName}') "
							"FROM b WHERE f.flow_id OPERATOR(pg_catalog.=) b.flow_id RETURNING f.flow_name", 0, NULL);
	old = MemoryContextSwitchTo(access.caller);
	for (uint64 row = 0; row < nrows; row++)
		names = lappend(names, catalog_get_text(&access, row, 1));
	MemoryContextSwitchTo(old);
	catalog_end(&access);
	return names;
}
