-- ---------------------------------------------------------------------------
-- Changes of tables that start flows (src/catalog/capture.c)
-- ---------------------------------------------------------------------------

-- rows that flows have still to move, by their primary keys; written by triggers
-- on the tables, which are part of dumps as this is
CREATE TABLE table_change (
	flow_id bigint NOT NULL,
	-- of the trigger
	generation integer NOT NULL,
	key text[] NOT NULL
);

CREATE INDEX ON table_change (flow_id);

COMMENT ON TABLE table_change IS 'changed rows of tables that flows have still to move, see the view flow_changes';

REVOKE ALL ON table_change FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('table_change', '');

CREATE FUNCTION capture_change() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_capture_change';
COMMENT ON FUNCTION capture_change() IS 'remembers changed rows for a flow; start_flow makes the trigger';
REVOKE ALL ON FUNCTION capture_change() FROM PUBLIC;

CREATE VIEW flow_changes WITH (security_barrier) AS
	SELECT f.flow_name, f.status AS flow_status,
		f.definition #>> '{sourceFlowConfig,sourceConnectorProperties,CustomConnector,entityName}' AS source_table,
		EXISTS (SELECT FROM pg_catalog.pg_trigger t
			WHERE t.tgfoid = 'appflow.capture_change'::pg_catalog.regproc
			AND t.tgname = pg_catalog.format('appflow_capture_%s_%s', f.flow_id, s.captures) AND t.tgenabled <> 'D') AS captured,
		(SELECT pg_catalog.count(*) FROM table_change c WHERE c.flow_id = f.flow_id) AS waiting_changes,
		coalesce(s.failures, 0) AS failed_runs, s.not_before
	FROM flow f LEFT JOIN flow_schedule s ON s.flow_id = f.flow_id
	WHERE f.definition #>> '{triggerConfig,triggerType}' = 'Event'
		AND f.definition #>> '{sourceFlowConfig,connectorProfileName}' = 'PostgreSQL'
		AND (pg_catalog.pg_has_role(f.owner, 'USAGE') OR EXISTS (SELECT FROM access_grant g
		WHERE g.kind = 'flow' AND g.name = f.flow_name AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))));

COMMENT ON VIEW flow_changes IS 'flows that changes of a table start, as far as you may see them, and the changes that they have still to move';

GRANT SELECT ON flow_changes TO PUBLIC;
