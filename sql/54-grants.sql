-- ---------------------------------------------------------------------------
-- Granting (src/operations/grants.c; the table is in 15-grants.sql)
-- ---------------------------------------------------------------------------

CREATE FUNCTION grant_profile(connector_profile_name text, role text)
	RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_grant_profile';
COMMENT ON FUNCTION grant_profile IS
	'let a role ("public": everybody) use a connector profile of yours: see it, and read and write with it';

CREATE FUNCTION revoke_profile(connector_profile_name text, role text)
	RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_revoke_profile';
COMMENT ON FUNCTION revoke_profile IS 'take back what grant_profile() gave';

CREATE FUNCTION grant_connector(connector_label text, role text)
	RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_grant_connector';
COMMENT ON FUNCTION grant_connector IS
	'let a role ("public": everybody) see a registered connector of yours, and make connector profiles of it';

CREATE FUNCTION revoke_connector(connector_label text, role text)
	RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_revoke_connector';
COMMENT ON FUNCTION revoke_connector IS 'take back what grant_connector() gave';

CREATE FUNCTION grant_flow(flow_name text, role text)
	RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_grant_flow';
COMMENT ON FUNCTION grant_flow IS
	'let a role ("public": everybody) see a flow of yours, start and stop it and cancel its runs, which have your rights as before';

CREATE FUNCTION revoke_flow(flow_name text, role text)
	RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_revoke_flow';
COMMENT ON FUNCTION revoke_flow IS 'take back what grant_flow() gave';

CREATE FUNCTION grant_object_store(name text, role text, buckets text[] DEFAULT NULL)
	RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_grant_object_store';
COMMENT ON FUNCTION grant_object_store IS
	'let flows of a role ("public": everybody) read and write the buckets of an object store, or those of them that match patterns';

CREATE FUNCTION revoke_object_store(name text, role text)
	RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_revoke_object_store';
COMMENT ON FUNCTION revoke_object_store IS 'take back what grant_object_store() gave';

-- stores are the administrator's; the owners of the others see to their own
REVOKE ALL ON FUNCTION grant_object_store, revoke_object_store FROM PUBLIC;

CREATE FUNCTION reassign_owned(from_role regrole, to_role regrole)
	RETURNS bigint LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_reassign_owned';
COMMENT ON FUNCTION reassign_owned IS
	'give the flows, connector profiles and connectors of one role to another, as before DROP ROLE; returns how many';

CREATE VIEW grants WITH (security_barrier) AS
	SELECT g.kind, g.name,
		CASE WHEN g.grantee::oid = 0 THEN 'public' ELSE r.rolname::text END AS grantee,
		g.buckets, g.granted_at, g.granted_by
	FROM access_grant g
		LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
		LEFT JOIN connector_profile p ON g.kind = 'connector profile' AND p.connector_profile_name = g.name
		LEFT JOIN connector c ON g.kind = 'connector' AND c.connector_label = g.name
		LEFT JOIN flow f ON g.kind = 'flow' AND f.flow_name = g.name
	WHERE (g.grantee::oid = 0 OR r.oid IS NOT NULL)
		AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE')
			OR pg_catalog.pg_has_role(coalesce(p.owner, c.owner, f.owner), 'USAGE')
			OR g.kind = 'object store'
				AND pg_catalog.has_function_privilege('appflow.grant_object_store(text, text, text[])', 'EXECUTE'));

COMMENT ON VIEW grants IS 'what was granted to roles that you belong to, and on what is yours';

GRANT SELECT ON grants TO PUBLIC;
