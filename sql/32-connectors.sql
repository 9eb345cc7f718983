-- ---------- what connectors can do (src/operations/connector_form.c) ----------

CREATE FUNCTION appflow.connector_configuration(connector_type text) RETURNS jsonb
AS 'MODULE_PATHNAME', 'appflow_connector_configuration' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION appflow.connector_configuration(text) IS
'What a connector type can do, as the reference''s ConnectorConfiguration: source, destination, destinations, triggers, frequencies, operators, write operations, authentication, API versions. connector_type: any of the reference''s, in any letter case. What is listed is what create_flow accepts.';
