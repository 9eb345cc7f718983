/*-------------------------------------------------------------------------
 *
 * execution.c
 *	  The table of runs.
 *
 * IDENTIFICATION
 *	  src/catalog/execution.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/flow.h"
#include "catalog/pg_type.h"
#include "record/errors.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

/*
 * Claims come one after another in each database.  The lock is one that no other
 * role can take: anybody may hold an advisory lock.
 */
#define CLAIM_LOCK "LOCK TABLE appflow.installation IN SHARE ROW EXCLUSIVE MODE"

/* a run that waits, and whose flow has no run going on; $1 is this life of the server */
#define CLAIMABLE \
	"e.status OPERATOR(pg_catalog.=) 'InProgress' AND e.incarnation IS NULL " \
	"AND (e.attended IS NULL OR e.attended OPERATOR(pg_catalog.=) $1) AND NOT EXISTS (" \
	"SELECT 1 FROM appflow.flow_execution r " \
	"WHERE r.flow_id OPERATOR(pg_catalog.=) e.flow_id " \
	"AND r.status IN ('InProgress', 'CancelStarted') AND r.incarnation OPERATOR(pg_catalog.=) $1)"

/* an ExecutionRow; an infinite window: all records */
#define ROW(e) \
	e ".execution_id, " e ".flow_name, " e ".owner::oid, " e ".definition, " e ".schema_version, " e ".started_at, " \
	"coalesce(" e ".data_pull_start_time, 'infinity'), coalesce(" e ".data_pull_end_time, 'infinity'), " e ".flow_id, " \
	"(SELECT (1000 OPERATOR(pg_catalog.*) extract(epoch FROM f.max_run_time))::bigint FROM appflow.flow f " \
	"WHERE f.flow_id OPERATOR(pg_catalog.=) " e ".flow_id)"

/* what has ended, and left nothing that has still to be removed */
#define FINISHED \
	"status IN ('Successful', 'Error', 'Canceled') AND (NOT unswept OR last_updated_at OPERATOR(pg_catalog.<) " \
	"(pg_catalog.now() OPERATOR(pg_catalog.-) '7 days'::interval))"

int64
execution_count_going(void)
{
	CatalogAccess access;
	int64		count;

	catalog_begin(&access);
	catalog_execute("SELECT pg_catalog.count(*) FROM appflow.flow_execution "
					"WHERE status IN ('InProgress', 'CancelStarted')", 0, NULL);
	count = catalog_get_int64(0, 1);
	catalog_end(&access);
	return count;
}

pg_uuid_t
execution_insert(const FlowRow *flow, int64 attended)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow->flow_id), catalog_int64(attended)};
	pg_uuid_t	id;

	catalog_begin(&access);

	/* waits for those who delete or change the flow at this moment */
	if (catalog_execute("INSERT INTO appflow.flow_execution (flow_id, flow_name, owner, definition, schema_version, attended) "
						"SELECT flow_id, flow_name, owner, definition, schema_version, NULLIF($2, 0) "
						"FROM appflow.flow WHERE flow_id OPERATOR(pg_catalog.=) $1 FOR KEY SHARE "
						"RETURNING execution_id", lengthof(values), values) == 0 ||
		!catalog_get_uuid(0, 1, &id))
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("Flow with name %s does not exist.", flow->flow_name));
	catalog_end(&access);
	return id;
}

static ExecutionRow *
get_row(const CatalogAccess *access, uint64 row)
{
	ExecutionRow *execution = MemoryContextAllocZero(access->caller, sizeof(ExecutionRow));

	(void) catalog_get_uuid(row, 1, &execution->execution_id);
	execution->flow_name = catalog_get_text(access, row, 2);
	execution->owner = catalog_get_oid(row, 3);
	execution->definition = catalog_get_jsonb(access, row, 4);
	execution->schema_version = catalog_get_int64(row, 5);
	execution->started_at = catalog_get_time(row, 6);
	execution->pull_start = catalog_get_time(row, 7);
	execution->pull_end = catalog_get_time(row, 8);
	execution->flow_id = catalog_get_int64(row, 9);
	execution->max_run_ms = catalog_get_int64(row, 10);
	return execution;
}

ExecutionRow *
execution_claim(int64 incarnation)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(incarnation)};
	ExecutionRow *execution = NULL;

	catalog_begin(&access);
	catalog_execute(CLAIM_LOCK, 0, NULL);
	if (catalog_execute("UPDATE appflow.flow_execution u SET incarnation = $1, "
						"started_at = pg_catalog.clock_timestamp(), last_updated_at = pg_catalog.clock_timestamp() "
						"WHERE u.execution_id OPERATOR(pg_catalog.=) ("
						"SELECT e.execution_id FROM appflow.flow_execution e WHERE " CLAIMABLE " "
						"ORDER BY e.requested_at, e.execution_id LIMIT 1 FOR UPDATE SKIP LOCKED) "
						"RETURNING " ROW("u"),
						1, values) > 0)
		execution = get_row(&access, 0);
	catalog_end(&access);
	return execution;
}

bool
execution_begin(ExecutionRow *execution, int64 incarnation)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_uuid(&execution->execution_id), catalog_int64(execution->flow_id), catalog_int64(incarnation),
		catalog_jsonb(execution->definition), catalog_int64(execution->schema_version), catalog_oid(execution->owner)
	};
	bool		there;

	catalog_begin(&access);
	there = catalog_execute("INSERT INTO appflow.flow_execution (execution_id, flow_id, flow_name, owner, definition, "
							"schema_version, incarnation, requested_at, started_at, due_at) "
							"SELECT $1, f.flow_id, f.flow_name, $6::regrole, $4, $5, $3, n.now, n.now, n.now "
							"FROM appflow.flow f, pg_catalog.clock_timestamp() n (now) "
							"WHERE f.flow_id OPERATOR(pg_catalog.=) $2 AND f.status OPERATOR(pg_catalog.=) 'Active' "
							"AND EXISTS (SELECT 1 FROM appflow.flow_schedule s WHERE s.flow_id OPERATOR(pg_catalog.=) f.flow_id AND s.subscribes) "
							"FOR KEY SHARE OF f RETURNING started_at", lengthof(values), values) > 0;
	if (there)
		execution->started_at = catalog_get_time(0, 1);
	catalog_end(&access);
	return there;
}

bool
execution_waits(int64 incarnation)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(incarnation)};
	bool		waits;

	catalog_begin(&access);
	waits = catalog_execute("SELECT 1 FROM appflow.flow_execution e WHERE " CLAIMABLE " LIMIT 1", 1, values) > 0;
	catalog_end(&access);
	return waits;
}

bool
execution_end(const pg_uuid_t *execution_id, const char *status, const char *message,
			  const char *error_code, const ExecutionCounts *counts, bool published)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_uuid(execution_id), catalog_text(status), catalog_text(message), catalog_text(error_code),
		catalog_int64(counts->bytes_processed), catalog_int64(counts->bytes_written),
		catalog_int64(counts->records_processed), catalog_int64(counts->records_filtered),
		catalog_int64(counts->put_failures), catalog_bool(published), catalog_int64(counts->files_written)
	};
	bool		ended;

	catalog_begin(&access);
	ended = catalog_execute("UPDATE appflow.flow_execution SET status = $2, execution_message = $3, error_code = $4, "
							"bytes_processed = $5, bytes_written = $6, records_processed = $7, "
							"records_filtered = $8, put_failures = $9, files_written = CASE WHEN $11 OPERATOR(pg_catalog.>=) 0 THEN $11 END, "
							"last_updated_at = pg_catalog.clock_timestamp() "
							"WHERE execution_id OPERATOR(pg_catalog.=) $1 "
							"AND (status OPERATOR(pg_catalog.=) 'InProgress' "
							"OR (($10 OR $2 OPERATOR(pg_catalog.<>) 'Successful') AND status OPERATOR(pg_catalog.=) 'CancelStarted'))",
							lengthof(values), values) > 0;
	catalog_end(&access);
	return ended;
}

void
execution_set_catalog_details(const pg_uuid_t *execution_id, Jsonb *details)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_uuid(execution_id), catalog_jsonb(details)};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.flow_execution SET metadata_catalog_details = $2 "
					"WHERE execution_id OPERATOR(pg_catalog.=) $1", lengthof(values), values);
	catalog_end(&access);
}

char *
execution_status(const pg_uuid_t *execution_id, char **message, char **error_code)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_uuid(execution_id)};
	char	   *status = NULL;

	catalog_begin(&access);
	if (catalog_execute("SELECT status, execution_message, error_code FROM appflow.execution_state "
						"WHERE execution_id OPERATOR(pg_catalog.=) $1", 1, values) > 0)
	{
		status = catalog_get_text(&access, 0, 1);
		*message = catalog_get_text(&access, 0, 2);
		*error_code = catalog_get_text(&access, 0, 3);
	}
	catalog_end(&access);
	return status;
}

/* text[] of a list of texts */
static CatalogValue
text_array(List *texts)
{
	Datum	   *items = palloc(sizeof(Datum) * Max(list_length(texts), 1));
	ListCell   *lc;
	CatalogValue value = {.type = TEXTARRAYOID};

	foreach(lc, texts)
		items[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	value.value = PointerGetDatum(construct_array(items, list_length(texts), TEXTOID, -1, false, TYPALIGN_INT));
	return value;
}

List *
execution_cancel(int64 flow_id, List *ids, List **invalid)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), text_array(ids), catalog_bool(ids == NIL)};
	List	   *going = NIL;
	uint64		nrows;
	MemoryContext old;

	catalog_begin(&access);
	nrows = catalog_execute("WITH c AS ("
							"UPDATE appflow.flow_execution SET "
							"status = CASE WHEN incarnation IS NULL THEN 'Canceled' ELSE 'CancelStarted' END, "
							"execution_message = 'The run was cancelled.', "
							"last_updated_at = pg_catalog.clock_timestamp() "
							"WHERE flow_id OPERATOR(pg_catalog.=) $1 AND status OPERATOR(pg_catalog.=) 'InProgress' "
							"AND ($3 OR execution_id::text OPERATOR(pg_catalog.=) ANY ($2)) "
							"RETURNING execution_id, status) "
							"SELECT execution_id, status OPERATOR(pg_catalog.=) 'CancelStarted', NULL::text FROM c "
							"UNION ALL SELECT NULL, false, i FROM pg_catalog.unnest($2) i "
							"WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.execution_id::text OPERATOR(pg_catalog.=) i)",
							lengthof(values), values);
	old = MemoryContextSwitchTo(access.caller);
	for (uint64 row = 0; row < nrows; row++)
	{
		pg_uuid_t	id;

		if (!catalog_get_uuid(row, 1, &id))
			*invalid = lappend(*invalid, catalog_get_text(&access, row, 3));
		else if (catalog_get_bool(row, 2))
		{
			pg_uuid_t  *copy = palloc(sizeof(pg_uuid_t));

			*copy = id;
			going = lappend(going, copy);
		}
	}
	MemoryContextSwitchTo(old);
	catalog_end(&access);
	return going;
}

List *
execution_reap(void)
{
	CatalogAccess access;
	List	   *result = NIL;
	uint64		nrows;
	MemoryContext old;

	catalog_begin(&access);
	catalog_execute(CLAIM_LOCK, 0, NULL);
	nrows = catalog_execute("UPDATE appflow.flow_execution e SET status = s.status, "
							"execution_message = s.execution_message, error_code = s.error_code, "
							"unswept = e.incarnation IS NOT NULL, "
							"last_updated_at = pg_catalog.clock_timestamp() "
							"FROM appflow.execution_state s "
							"WHERE s.execution_id OPERATOR(pg_catalog.=) e.execution_id "
							"AND e.status IN ('InProgress', 'CancelStarted') "
							"AND s.status OPERATOR(pg_catalog.=) 'Error' "
							"RETURNING " ROW("e"),
							0, NULL);
	old = MemoryContextSwitchTo(access.caller);
	for (uint64 row = 0; row < nrows; row++)
		result = lappend(result, get_row(&access, row));
	MemoryContextSwitchTo(old);
	catalog_end(&access);
	return result;
}

List *
execution_unswept(void)
{
	CatalogAccess access;
	List	   *result = NIL;
	uint64		nrows;
	MemoryContext old;

	catalog_begin(&access);
	nrows = catalog_execute("SELECT " ROW("e") " "
							"FROM appflow.flow_execution e WHERE e.unswept AND e.last_updated_at "
							"OPERATOR(pg_catalog.>) (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) '7 days'::interval) "
							"ORDER BY e.requested_at LIMIT 100", 0, NULL);
	old = MemoryContextSwitchTo(access.caller);
	for (uint64 row = 0; row < nrows; row++)
		result = lappend(result, get_row(&access, row));
	MemoryContextSwitchTo(old);
	catalog_end(&access);
	return result;
}

void
execution_swept(const pg_uuid_t *execution_id)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_uuid(execution_id)};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.flow_execution SET unswept = false "
					"WHERE execution_id OPERATOR(pg_catalog.=) $1", 1, values);
	catalog_end(&access);
}

int
execution_forget_old(TimestampTz before, int limit)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_time(before), catalog_int64(limit)};
	int			forgotten;

	catalog_begin(&access);
	forgotten = (int) catalog_execute("DELETE FROM appflow.flow_execution WHERE execution_id OPERATOR(pg_catalog.=) ANY (ARRAY("
									  "SELECT execution_id FROM appflow.flow_execution "
									  "WHERE " FINISHED " AND last_updated_at OPERATOR(pg_catalog.<) $1 "
									  "LIMIT $2))", lengthof(values), values);
	catalog_end(&access);
	return forgotten;
}

TimestampTz
execution_oldest(void)
{
	CatalogAccess access;
	TimestampTz oldest;

	catalog_begin(&access);
	catalog_execute("SELECT coalesce(pg_catalog.min(last_updated_at), 'infinity') FROM appflow.flow_execution "
					"WHERE status IN ('Successful', 'Error', 'Canceled')", 0, NULL);
	oldest = catalog_get_time(0, 1);
	catalog_end(&access);
	return oldest;
}

/* those of the last minute stay: somebody may still wait to be told */
void
execution_forget_surplus(int64 flow_id, int runs)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_int64(flow_id), catalog_int64(runs)};

	catalog_begin(&access);
	catalog_execute("DELETE FROM appflow.flow_execution WHERE execution_id OPERATOR(pg_catalog.=) ANY (ARRAY("
					"SELECT execution_id FROM appflow.flow_execution "
					"WHERE flow_id OPERATOR(pg_catalog.=) $1 AND " FINISHED " AND last_updated_at OPERATOR(pg_catalog.<) "
					"(pg_catalog.now() OPERATOR(pg_catalog.-) '1 minute'::interval) "
					"ORDER BY requested_at DESC, execution_id "
					"OFFSET coalesce((SELECT f.history_runs FROM appflow.flow f WHERE f.flow_id OPERATOR(pg_catalog.=) $1)::bigint, "
					"NULLIF($2, 0), 9223372036854775807) LIMIT 1000))", lengthof(values), values);
	catalog_end(&access);
}
