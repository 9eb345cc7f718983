/*-------------------------------------------------------------------------
 *
 * entities.c
 *	  What entities there are, and their fields: by the operations
 *	  ListConnectorEntities and DescribeConnectorEntity, which know every
 *	  connector, keep what they are told, and see to the user's rights.
 *
 * IDENTIFICATION
 *	  src/fdw/entities.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "connector/entity_form.h"
#include "executor/spi.h"
#include "fdw/fdw.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

void
fdw_sql_begin(FdwSql *sql)
{
	sql->caller = CurrentMemoryContext;
	sql->settings = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	sql->snapshot = !ActiveSnapshotSet();
	if (sql->snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
fdw_sql_end(const FdwSql *sql)
{
	SPI_finish();
	if (sql->snapshot)
		PopActiveSnapshot();
	AtEOXact_GUC(true, sql->settings);
}

uint64
fdw_sql_execute(const char *statement, int nvalues, const char *const *values)
{
	Oid			types[8];
	Datum		datums[8];
	char		nulls[8] = {0};
	int			result;

	Assert(nvalues <= 8);
	for (int i = 0; i < nvalues; i++)
	{
		types[i] = TEXTOID;
		datums[i] = values[i] ? CStringGetTextDatum(values[i]) : (Datum) 0;
		nulls[i] = values[i] ? ' ' : 'n';
	}
	result = SPI_execute_with_args(statement, nvalues, types, datums, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

char *
fdw_sql_text(const FdwSql *sql, uint64 row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return value == NULL ? NULL : MemoryContextStrdup(sql->caller, value);
}

/* the request's members that say whom to ask: $1 is the profile, $2 the version */
#define SUBJECT \
	"jsonb_strip_nulls(jsonb_build_object('connectorProfileName', $1, 'apiVersion', $2, 'connectorType', " \
	"CASE WHEN $1 IS NULL THEN 'S3' END)) || "

List *
fdw_list_entities(const TableOptions *options, const char *path)
{
	FdwSql		sql;
	List	   *entities = NIL;
	char	   *token = NULL;

	fdw_sql_begin(&sql);
	do
	{
		const char *values[] = {options->profile, options->api_version, path[0] ? path : NULL, token};
		uint64		n;

		CHECK_FOR_INTERRUPTS();
		n = fdw_sql_execute("WITH r AS (SELECT appflow.list_connector_entities(request => " SUBJECT
							"jsonb_strip_nulls(jsonb_build_object('entitiesPath', $3, 'nextToken', $4, 'maxResults', 10000))) AS r) "
							"SELECT g.key, e ->> 'name', e ->> 'label', coalesce(e ->> 'hasNestedEntities', 'false'), r.r ->> 'nextToken' "
							"FROM r LEFT JOIN (jsonb_each(r.r -> 'connectorEntityMap') g CROSS JOIN jsonb_array_elements(g.value) e) ON true",
							lengthof(values), values);
		token = n > 0 ? fdw_sql_text(&sql, 0, 5) : NULL;
		for (uint64 i = 0; i < n; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(sql.caller);
			Entity	   *entity = palloc0(sizeof(Entity));

			entity->group = fdw_sql_text(&sql, i, 1);
			entity->name = fdw_sql_text(&sql, i, 2);
			entity->label = fdw_sql_text(&sql, i, 3);
			entity->nested = strcmp(fdw_sql_text(&sql, i, 4), "true") == 0;
			if (entity->name != NULL)
				entities = lappend(entities, entity);
			MemoryContextSwitchTo(old);
		}
	} while (token != NULL);
	fdw_sql_end(&sql);
	return entities;
}

Schema *
fdw_describe_entity(const TableOptions *options, const char *entity)
{
	FdwSql		sql;
	const char *values[] = {options->profile, options->api_version, entity};
	Schema	   *schema;
	MemoryContext old;
	bool		isnull;
	Datum		fields;

	fdw_sql_begin(&sql);
	if (fdw_sql_execute("SELECT appflow.describe_connector_entity(request => " SUBJECT
						"jsonb_build_object('connectorEntityName', $3)) -> 'connectorEntityFields'",
						lengthof(values), values) != 1)
		elog(ERROR, "no answer to DescribeConnectorEntity");
	fields = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	old = MemoryContextSwitchTo(sql.caller);
	schema = isnull ? schema_create() : schema_from_wire(DatumGetJsonbPCopy(fields));
	MemoryContextSwitchTo(old);
	fdw_sql_end(&sql);
	return schema;
}

void
fdw_forget_entity(const TableOptions *options, const char *entity)
{
	FdwSql		sql;
	const char *values[] = {options->profile, options->api_version, entity};

	if (options->profile == NULL)
		return;
	fdw_sql_begin(&sql);
	(void) fdw_sql_execute("SELECT appflow.reset_connector_metadata_cache(request => " SUBJECT
						   "jsonb_build_object('connectorEntityName', $3))", lengthof(values), values);
	fdw_sql_end(&sql);
}
