-- ---------------------------------------------------------------------------
-- Connectors: types, and those that are registered (src/operations/connectors.c,
-- registrations.c, src/catalog/connector.c)
-- ---------------------------------------------------------------------------

CREATE TABLE connector (
	connector_label text COLLATE "C" PRIMARY KEY,
	owner regrole NOT NULL,
	description text,
	provisioning_config jsonb NOT NULL,
	-- what the connector said of itself when it was registered, as ConnectorConfiguration
	configuration jsonb NOT NULL,
	tags jsonb NOT NULL DEFAULT '{}',
	registered_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	registered_by text NOT NULL
);

COMMENT ON TABLE connector IS 'registered connectors, see the view connectors';

REVOKE ALL ON connector FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('connector', '');

CREATE FUNCTION connector_types() RETURNS text[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'appflow_connector_types';
COMMENT ON FUNCTION connector_types() IS 'the connector types of the reference';

CREATE FUNCTION postgresql_configuration() RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'appflow_postgresql_configuration';
COMMENT ON FUNCTION postgresql_configuration() IS
	'the built-in connector "PostgreSQL" (tables of this database) as the reference''s ConnectorConfiguration';

-- every connector there is; key is the order of lists: types first, then labels
CREATE VIEW connector_entry AS
	SELECT ('0' || t.type) COLLATE "C" AS key, NULL::regrole AS owner, t.type AS connector_type,
		NULL::text AS connector_label, NULL::jsonb AS tags, connector_configuration(t.type) AS configuration
	FROM pg_catalog.unnest(connector_types()) AS t (type)
	UNION ALL
	SELECT '1PostgreSQL', NULL, 'CustomConnector', 'PostgreSQL', NULL, postgresql_configuration()
	UNION ALL
	SELECT '1' || c.connector_label, c.owner, 'CustomConnector', c.connector_label, c.tags,
		c.configuration || pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
			'connectorDescription', coalesce(c.description, c.configuration ->> 'connectorDescription'),
			'connectorProvisioningConfig', c.provisioning_config,
			'registeredAt', pg_catalog.round(extract(epoch FROM c.registered_at)::numeric, 3),
			'registeredBy', c.registered_by))
	FROM connector c;

REVOKE ALL ON connector_entry FROM PUBLIC;

CREATE FUNCTION describe_connector(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_describe_connector';
COMMENT ON FUNCTION describe_connector(jsonb) IS
	'DescribeConnector: what a connector type, or a registered connector by its label, can do';

CREATE FUNCTION describe_connectors(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_describe_connectors';
COMMENT ON FUNCTION describe_connectors(jsonb) IS
	'DescribeConnectors: what connector types can do, all of them or those named; registered connectors in short';

CREATE FUNCTION list_connectors(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_list_connectors';
COMMENT ON FUNCTION list_connectors(jsonb) IS
	'ListConnectors: connector types and registered connectors, in short';

CREATE FUNCTION register_connector(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_register_connector';
COMMENT ON FUNCTION register_connector(jsonb) IS
	'RegisterConnector: a connector of your own, a SQL function that answers AppFlow''s protocol (see function_arn), '
	'or a manifest of a REST application';

CREATE FUNCTION update_connector_registration(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_update_connector_registration';
COMMENT ON FUNCTION update_connector_registration(jsonb) IS
	'UpdateConnectorRegistration: ask a registered connector again what it can do, or put another function or manifest in its place';

CREATE FUNCTION unregister_connector(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_unregister_connector';
COMMENT ON FUNCTION unregister_connector(jsonb) IS
	'UnregisterConnector: forget a registered connector; profiles of it need forceDelete';

-- registering is a privilege
REVOKE ALL ON FUNCTION register_connector(jsonb) FROM PUBLIC;

CREATE FUNCTION function_arn(function regprocedure) RETURNS text
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'appflow_function_arn';
COMMENT ON FUNCTION function_arn(regprocedure) IS
	'the ARN by which register_connector names a SQL function (request jsonb) RETURNS jsonb, as lambdaArn';

CREATE FUNCTION connector_credentials(secret_arn text) RETURNS jsonb
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_connector_credentials';
COMMENT ON FUNCTION connector_credentials(text) IS
	'for SQL functions that are connectors: the secret that the request they answer names; nobody else gets one';

CREATE VIEW connectors WITH (security_barrier) AS
	SELECT e.connector_type, e.connector_label, e.owner,
		e.configuration ->> 'connectorName' AS connector_name,
		e.configuration ->> 'connectorDescription' AS connector_description,
		coalesce((e.configuration ->> 'canUseAsSource')::boolean, false) AS can_use_as_source,
		coalesce((e.configuration ->> 'canUseAsDestination')::boolean, false) AS can_use_as_destination,
		ARRAY(SELECT pg_catalog.jsonb_array_elements_text(e.configuration -> 'supportedTriggerTypes')) AS trigger_types,
		ARRAY(SELECT pg_catalog.jsonb_array_elements_text(e.configuration -> 'supportedWriteOperations')) AS write_operations,
		e.configuration ->> 'connectorVersion' AS connector_version,
		coalesce(e.configuration #>> '{connectorProvisioningConfig,lambda,lambdaArn}',
			CASE WHEN e.configuration #> '{connectorProvisioningConfig,manifest}' IS NOT NULL THEN 'manifest' END) AS provisioned_by,
		e.configuration
	FROM connector_entry e
	WHERE e.owner IS NULL OR (pg_catalog.pg_has_role(e.owner, 'USAGE') OR EXISTS (SELECT FROM access_grant g
		WHERE g.kind = 'connector' AND g.name = e.connector_label AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))));

COMMENT ON VIEW connectors IS 'connector types, the built-in "PostgreSQL", and registered connectors that you may see';

GRANT SELECT ON connectors TO PUBLIC;
