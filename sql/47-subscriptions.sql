-- ---------- flows that events of an application start (src/worker/subscriber.c) ----------

CREATE FUNCTION is_subscribed(flow_id bigint) RETURNS boolean
	LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'appflow_is_subscribed';
COMMENT ON FUNCTION is_subscribed(bigint) IS 'whether a worker listens to the events of the flow';

CREATE VIEW flow_subscriptions WITH (security_barrier) AS
	SELECT f.flow_name, f.status AS flow_status,
		f.definition #>> '{sourceFlowConfig,connectorType}' AS source_connector_type,
		f.definition #>> '{sourceFlowConfig,connectorProfileName}' AS source_connector_profile,
		appflow.is_subscribed(f.flow_id) AS subscribed,
		s."position", coalesce(s.failures, 0) AS failed_runs, s.not_before
	FROM flow f LEFT JOIN flow_schedule s ON s.flow_id = f.flow_id
	WHERE f.definition #>> '{triggerConfig,triggerType}' = 'Event'
		AND f.definition #>> '{sourceFlowConfig,connectorProfileName}' IS DISTINCT FROM 'PostgreSQL'
		AND (pg_catalog.pg_has_role(f.owner, 'USAGE') OR EXISTS (SELECT FROM access_grant g
		WHERE g.kind = 'flow' AND g.name = f.flow_name AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))));

COMMENT ON VIEW flow_subscriptions IS 'flows that events of an application start, as far as you may see them, and the place that they have come to';

GRANT SELECT ON flow_subscriptions TO PUBLIC;

CREATE FUNCTION set_event_position(flow_name text, "position" text)
RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'appflow_set_event_position';
COMMENT ON FUNCTION set_event_position(text, text) IS
	'where a flow that events of an application start goes on: behind that place (replay id), -2: with all that are kept, null: with what is new. The view flow_subscriptions shows it';
