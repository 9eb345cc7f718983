/*-------------------------------------------------------------------------
 *
 * connectors.c
 *	  Operations that tell what connectors there are: DescribeConnector,
 *	  DescribeConnectors, ListConnectors.
 *
 * All read the view connector_entry: the connector types of the traits table,
 * the built-in "PostgreSQL", and what was registered.
 *
 * IDENTIFICATION
 *	  src/operations/connectors.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "catalog/access.h"
#include "catalog/grant.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "operations/connector_form.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(appflow_connector_types);
PG_FUNCTION_INFO_V1(appflow_postgresql_configuration);
PG_FUNCTION_INFO_V1(appflow_describe_connector);
PG_FUNCTION_INFO_V1(appflow_describe_connectors);
PG_FUNCTION_INFO_V1(appflow_list_connectors);

/* connector e as ConnectorDetail: what it has in common with ConnectorConfiguration */
#define DETAIL \
	"(SELECT pg_catalog.jsonb_object_agg(d.key, d.value) FROM pg_catalog.jsonb_each(e.configuration) d " \
	"WHERE d.key = ANY ('{connectorDescription,connectorName,connectorOwner,connectorVersion,connectorType," \
	"connectorLabel,registeredAt,registeredBy,connectorProvisioningType,connectorModes,supportedDataTransferTypes}'))"

/* connectors that the role $4 may see, of the types in $3 if that is not null, behind the key $1 */
#define VISIBLE \
	"WITH visible AS (SELECT e.key, e.connector_type, e.connector_label, e.configuration FROM appflow.connector_entry e " \
	"WHERE ($1 IS NULL OR e.key > $1) AND (e.owner IS NULL OR " \
	VISIBLE_TO("$4", GRANT_OF_CONNECTOR, "e.connector_label", "e.owner") ") " \
	"AND ($3 IS NULL OR $3 ? e.connector_type) ORDER BY e.key LIMIT $2 + 1), " \
	"page AS (SELECT * FROM visible ORDER BY key LIMIT $2) "

#define LAST_AND_MORE \
	"pg_catalog.max(e.key), (SELECT pg_catalog.count(*) FROM visible) > $2 FROM page e"

/* appflow.connector_types() returns text[] */
Datum
appflow_connector_types(PG_FUNCTION_ARGS)
{
	Datum		types[CONNECTOR_TYPE_COUNT];

	for (int i = 0; i < CONNECTOR_TYPE_COUNT; i++)
		types[i] = CStringGetTextDatum(connector_traits[i].type);
	PG_RETURN_ARRAYTYPE_P(construct_array(types, CONNECTOR_TYPE_COUNT, TEXTOID, -1, false, TYPALIGN_INT));
}

/* appflow.postgresql_configuration() returns jsonb */
Datum
appflow_postgresql_configuration(PG_FUNCTION_ARGS)
{
	CatalogValue values[] = {
		catalog_jsonb(connector_configuration(&connector_traits[CONNECTOR_CUSTOM])),
		catalog_text(POSTGRESQL_LABEL)
	};

	PG_RETURN_JSONB_P(operation_respond("SELECT ($1 - 'authenticationConfig' - 'connectorMetadata') || "
										"pg_catalog.jsonb_build_object('connectorLabel', $2, 'connectorName', $2, "
										"'connectorDescription', 'Tables of this database')",
										lengthof(values), values));
}

/*
 * describe_connector(request jsonb) returns jsonb: {"connectorConfiguration"}.
 * Follows DescribeConnector of the API reference.
 */
OPERATION(appflow_describe_connector, "DescribeConnector")
{
	char	   *type = jsonb_get_text(request, "connectorType");
	char	   *label = jsonb_get_text(request, "connectorLabel");
	CatalogAccess access;
	CatalogValue values[2];
	Jsonb	   *response = NULL;

	if (label != NULL && strcmp(type, connector_traits[CONNECTOR_CUSTOM].type) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connectorLabel goes with the connector type CustomConnector, not with %s", type));
	catalog_begin(&access);
	values[0] = catalog_text(label ? psprintf("1%s", label) : psprintf("0%s", type));
	values[1] = catalog_oid(access.user);
	if (catalog_execute("SELECT pg_catalog.jsonb_build_object('connectorConfiguration', e.configuration) "
						"FROM appflow.connector_entry e WHERE e.key = $1 "
						"AND (e.owner IS NULL OR "
						VISIBLE_TO("$2", GRANT_OF_CONNECTOR, "e.connector_label", "e.owner") ")",
						lengthof(values), values) > 0)
		response = catalog_get_jsonb(&access, 0, 1);
	catalog_end(&access);
	if (response == NULL)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("Connector with label %s does not exist.", label),
				errhint("The connectors that you may use are in the view appflow.connectors."));
	PG_RETURN_JSONB_P(response);
}

/*
 * describe_connectors(request jsonb) returns jsonb:
 * {"connectorConfigurations": {...}, "connectors": [...], "nextToken"}.
 * Follows DescribeConnectors of the API reference.  Configurations are by
 * connector type, so registered connectors are in the list only.
 */
OPERATION(appflow_describe_connectors, "DescribeConnectors")
{
	OperationPage page = operation_page(request, "DescribeConnectors", 20);
	CatalogAccess access;
	CatalogValue values[5];
	Jsonb	   *configurations;
	Jsonb	   *connectors;
	Jsonb	   *response;
	char	   *last;
	bool		more;

	catalog_begin(&access);
	values[0] = catalog_text(page.after);
	values[1] = catalog_int64(page.size);
	values[2] = catalog_jsonb(jsonb_get_container(request, "connectorTypes"));
	values[3] = catalog_oid(access.user);
	catalog_execute(VISIBLE "SELECT coalesce(pg_catalog.jsonb_object_agg(e.connector_type, e.configuration) "
					"FILTER (WHERE e.connector_label IS NULL), '{}'), "
					"coalesce(pg_catalog.jsonb_agg(" DETAIL " ORDER BY e.key), '[]'), " LAST_AND_MORE, 4, values);
	configurations = catalog_get_jsonb(&access, 0, 1);
	connectors = catalog_get_jsonb(&access, 0, 2);
	last = catalog_get_text(&access, 0, 3);
	more = catalog_get_bool(0, 4);
	catalog_end(&access);
	response = operation_page_response("connectors", connectors, "DescribeConnectors", more ? last : NULL);
	values[0] = catalog_jsonb(response);
	values[1] = catalog_jsonb(configurations);
	PG_RETURN_JSONB_P(operation_respond("SELECT $1 || pg_catalog.jsonb_build_object('connectorConfigurations', $2)",
										2, values));
}

/*
 * list_connectors(request jsonb) returns jsonb: {"connectors": [...], "nextToken"}.
 * Follows ListConnectors of the API reference: types first, then labels.
 */
OPERATION(appflow_list_connectors, "ListConnectors")
{
	OperationPage page = operation_page(request, "ListConnectors", 20);
	CatalogAccess access;
	CatalogValue values[4];
	Jsonb	   *connectors;
	char	   *last;
	bool		more;

	catalog_begin(&access);
	values[0] = catalog_text(page.after);
	values[1] = catalog_int64(page.size);
	values[2] = catalog_jsonb(NULL);
	values[3] = catalog_oid(access.user);
	catalog_execute(VISIBLE "SELECT coalesce(pg_catalog.jsonb_agg(" DETAIL " ORDER BY e.key), '[]'), " LAST_AND_MORE,
					4, values);
	connectors = catalog_get_jsonb(&access, 0, 1);
	last = catalog_get_text(&access, 0, 2);
	more = catalog_get_bool(0, 3);
	catalog_end(&access);
	PG_RETURN_JSONB_P(operation_page_response("connectors", connectors, "ListConnectors", more ? last : NULL));
}
