/*-------------------------------------------------------------------------
 *
 * sync.c
 *	  appflow.sync(): an entity into a table, in one call.
 *
 * It asks for the entity's key and then makes, or changes, an ordinary flow
 * through the operations that everybody has, with the caller's rights.
 *
 * IDENTIFICATION
 *	  src/operations/sync.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "catalog/access.h"
#include "catalog/flow.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "catalog/profile.h"

#include "compat.h"
#include "connector/traits.h"
#include "executor/spi.h"
#include "operations/forward.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(appflow_sync);

#define MAX_FLOW_NAME 256

/* an operation, called as anybody would: with the caller's privileges */
static Jsonb *
call_operation(const char *operation, Jsonb *request)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext inner;
	Oid			type = JSONBOID;
	Datum		value = JsonbPGetDatum(request);
	Datum		result;
	bool		isnull;
	Jsonb	   *response;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args(psprintf("SELECT appflow.%s($1)", operation), 1, &type, &value, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not call %s", operation);
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	inner = MemoryContextSwitchTo(context);
	response = DatumGetJsonbPCopy(result);
	MemoryContextSwitchTo(inner);
	SPI_finish();
	return response;
}

static char *
argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static char *
required_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	char	   *value = argument(fcinfo, n);

	if (value == NULL || value[0] == '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s is missing", name));
	return value;
}

/* "<profile>-<entity>" in the letters that names of flows have */
static char *
default_name(const char *profile, const char *entity)
{
	char	   *name = psprintf("%s-%s", profile, entity);

	for (char *p = name; *p; p++)
	{
		if (!isalnum((unsigned char) *p) && strchr("_!@#.-", *p) == NULL)
			*p = '-';
	}
	if (!isalnum((unsigned char) name[0]))
		name[0] = 'f';
	if (strlen(name) > MAX_FLOW_NAME)
		name[MAX_FLOW_NAME] = '\0';
	return name;
}

/* the table with its schema: without one it is where CREATE TABLE would make it */
static char *
qualified_table(const char *table)
{
	List	   *path;

	if (strchr(table, '.') != NULL)
		return pstrdup(table);
	path = fetch_search_path(false);
	if (path == NIL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("no schema has been selected for table \"%s\"", table),
				errhint("Write it as schema.table."));
	return psprintf("%s.%s", quote_identifier(get_namespace_name(linitial_oid(path))), table);
}

/* the primary key of the entity, as an array of names */
static Jsonb *
entity_key(const char *profile, const char *entity)
{
	CatalogValue values[] = {catalog_text(profile), catalog_text(entity)};
	Jsonb	   *response;

	response = call_operation("describe_connector_entity",
							  operation_respond("SELECT pg_catalog.jsonb_build_object('connectorProfileName', $1, "
												"'connectorEntityName', $2)", 2, values));
	values[0] = catalog_jsonb(response);
	return operation_respond("SELECT coalesce(pg_catalog.jsonb_agg(f->'identifier'), '[]') "
							 "FROM pg_catalog.jsonb_array_elements($1->'connectorEntityFields') f "
							 "WHERE (f->>'isPrimaryKey')::boolean", 1, values);
}

/* where the records come from: sourceFlowConfig */
static Jsonb *
source_config(const char *profile, const char *entity, const char *file_type)
{
	CatalogValue values[3];
	const char *slash = strchr(entity, '/');
	ProfileRow *row;

	if (profile == NULL)
	{
		char	   *bucket = slash ? pnstrdup(entity, slash - entity) : pstrdup(entity);
		const char *prefix = slash ? slash + 1 : "";

		values[0] = catalog_text(bucket);
		values[1] = catalog_text(prefix[0] ? prefix : NULL);
		values[2] = catalog_text(file_type ? file_type : operation_file_type(bucket, prefix));
		return operation_respond("SELECT pg_catalog.jsonb_build_object('connectorType', 'S3', 'sourceConnectorProperties', "
								 "pg_catalog.jsonb_build_object('S3', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
								 "'bucketName', $1, 'bucketPrefix', $2, 's3InputFormatConfig', "
								 "CASE WHEN $3 IS NOT NULL THEN pg_catalog.jsonb_build_object('s3InputFileType', upper($3)) END))))",
								 3, values);
	}
	values[0] = catalog_text(connector_traits[CONNECTOR_CUSTOM].type);
	if (strcmp(profile, POSTGRESQL_LABEL) != 0)
	{
		row = profile_use(profile, HOLD_NOT);
		values[0] = catalog_text(row->connector_type);
	}
	values[1] = catalog_text(profile);
	values[2] = catalog_text(entity);
	return operation_respond("SELECT pg_catalog.jsonb_build_object('connectorType', $1, 'connectorProfileName', $2, "
							 "'sourceConnectorProperties', pg_catalog.jsonb_build_object($1, pg_catalog.jsonb_build_object("
							 "CASE WHEN $1 = 'CustomConnector' THEN 'entityName' WHEN $1 = 'SAPOData' THEN 'objectPath' "
							 "ELSE 'object' END, $3)))", 3, values);
}

/*
 * appflow.sync(connector_profile_name text, entity text, into_table text,
 *				schedule text, flow_name text, key text[], file_type text,
 *				datetime_field text)
 * returns jsonb: {"flowName", "flowArn", "flowStatus"}
 *
 * With a key records replace those that have the same; without one every run
 * replaces all of them, so there is nothing that an incremental pull could add to.
 */
Datum
appflow_sync(PG_FUNCTION_ARGS)
{
	char	   *profile = argument(fcinfo, 0);
	char	   *entity = required_argument(fcinfo, 1, "entity");
	char	   *table = qualified_table(required_argument(fcinfo, 2, "into_table"));
	char	   *schedule = argument(fcinfo, 3);
	char	   *name = argument(fcinfo, 4);
	char	   *file_type = argument(fcinfo, 6);
	char	   *datetime_field = argument(fcinfo, 7);
	CatalogValue values[6];
	Jsonb	   *key;
	Jsonb	   *request;
	Jsonb	   *response;

	if (forward_wanted())
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("AWS cannot write to tables of this server"),
				errhint("Set appflow.engine to local."));
	if (profile != NULL && pg_strcasecmp(profile, connector_traits[CONNECTOR_S3].type) == 0)
		profile = NULL;
	if (name == NULL)
		name = default_name(profile ? profile : connector_traits[CONNECTOR_S3].type, entity);
	if (!PG_ARGISNULL(5))
	{
		values[0] = (CatalogValue)
		{
			TEXTARRAYOID, PG_GETARG_DATUM(5), false
		};
		key = operation_respond("SELECT pg_catalog.to_jsonb($1)", 1, values);
	}
	else if (profile != NULL)
		key = entity_key(profile, entity);
	else
		key = operation_respond("SELECT '[]'::jsonb", 0, NULL);

	if (datetime_field != NULL && schedule == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("datetime_field is for flows with a schedule"),
				errhint("A run without one pulls everything."));
	if (datetime_field != NULL && JB_ROOT_COUNT(key) == 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("datetime_field needs a key: without one, what an incremental pull brings cannot replace what it brought before"),
				errhint("Name the fields that identify a record in key."));

	values[0] = catalog_text(name);
	values[1] = catalog_jsonb(source_config(profile, entity, file_type));
	values[2] = catalog_text(table);
	values[3] = catalog_jsonb(key);
	values[4] = catalog_text(schedule);
	values[5] = catalog_text(datetime_field);
	request = operation_respond(
		"SELECT pg_catalog.jsonb_build_object('flowName', $1, 'sourceFlowConfig', CASE WHEN $6 IS NULL THEN $2 ELSE $2 OPERATOR(pg_catalog.||) "
		"pg_catalog.jsonb_build_object('incrementalPullConfig', pg_catalog.jsonb_build_object('datetimeTypeFieldName', $6)) END, "
		"'triggerConfig', CASE WHEN $5 IS NULL THEN '{\"triggerType\": \"OnDemand\"}' ELSE "
		"pg_catalog.jsonb_build_object('triggerType', 'Scheduled', 'triggerProperties', pg_catalog.jsonb_build_object("
		"'Scheduled', pg_catalog.jsonb_build_object('scheduleExpression', $5, "
		"'dataPullMode', CASE WHEN $6 IS NULL THEN 'Complete' ELSE 'Incremental' END))) END, "
		"'tasks', '[{\"taskType\": \"Map_all\", \"sourceFields\": [], \"taskProperties\": {}}]'::jsonb, "
		"'destinationFlowConfigList', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object("
		"'connectorType', 'CustomConnector', 'connectorProfileName', '" POSTGRESQL_LABEL "', "
		"'destinationConnectorProperties', pg_catalog.jsonb_build_object('CustomConnector', "
		"pg_catalog.jsonb_build_object('entityName', $3) || CASE WHEN pg_catalog.jsonb_array_length($4) > 0 "
		"THEN pg_catalog.jsonb_build_object('writeOperationType', 'UPSERT', 'idFieldNames', $4, "
		"'customProperties', '{\"createTable\": \"true\", \"addColumns\": \"true\"}'::jsonb) "
		"ELSE '{\"writeOperationType\": \"INSERT\", \"customProperties\": "
		"{\"createTable\": \"true\", \"addColumns\": \"true\", \"truncate\": \"true\"}}' END))))", 6, values);

	(void) call_operation(flow_get(name, false) ? "update_flow" : "create_flow", request);
	if (schedule != NULL)
	{
		values[0] = catalog_text(name);
		(void) call_operation("start_flow",
							  operation_respond("SELECT pg_catalog.jsonb_build_object('flowName', $1)", 1, values));
	}
	values[0] = catalog_text(name);
	values[1] = catalog_text(operation_arn("flow", name));
	response = operation_respond("SELECT pg_catalog.jsonb_build_object('flowName', $1, 'flowArn', $2, 'flowStatus', f.status) "
								 "FROM appflow.flow f WHERE f.flow_name = $1", 2, values);
	PG_RETURN_JSONB_P(response);
}
