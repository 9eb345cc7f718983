-- ---------------------------------------------------------------------------
-- Connector profiles (src/operations/profiles.c, src/catalog/profile.c)
-- ---------------------------------------------------------------------------

CREATE TABLE connector_profile (
	connector_profile_name text COLLATE "C" PRIMARY KEY,
	-- who sees and uses the profile, with the roles that belong to it
	owner regrole NOT NULL,
	connector_type text NOT NULL,
	-- of a registered connector
	connector_label text COLLATE "C",
	connection_mode text NOT NULL CHECK (connection_mode IN ('Public', 'Private')),
	kms_arn text,
	-- connectorProfileProperties, the whole member
	properties jsonb NOT NULL,
	-- the credentials are a secret of the vault, purpose "profile", by this name
	has_credentials boolean NOT NULL,
	-- ends the name of the secret that credentialsArn shows
	credentials_id text NOT NULL DEFAULT pg_catalog.left(pg_catalog.md5(pg_catalog.gen_random_uuid()::text), 6),
	tags jsonb NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	created_by text NOT NULL,
	last_updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	-- privateConnectionProvisioningState; null: the connection is public
	private_state jsonb,
	-- a check of the private connection that is wanted, null: none is; and when a worker took it
	private_check uuid,
	private_check_begun timestamptz
);

COMMENT ON TABLE connector_profile IS 'connector profiles, see the view connector_profiles';

CREATE INDEX ON connector_profile (connector_label);
CREATE INDEX ON connector_profile (private_check) WHERE private_check IS NOT NULL;

REVOKE ALL ON connector_profile FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('connector_profile', '');

-- flows by the profiles they use
CREATE INDEX ON flow ((definition #>> '{sourceFlowConfig,connectorProfileName}'));
CREATE INDEX ON flow ((definition #>> '{destinationFlowConfigList,0,connectorProfileName}'));

CREATE FUNCTION create_connector_profile(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_create_connector_profile';
COMMENT ON FUNCTION create_connector_profile(jsonb) IS
	'CreateConnectorProfile: how to reach an application, and with which credentials; these are sealed and never given back';

CREATE FUNCTION update_connector_profile(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_update_connector_profile';
COMMENT ON FUNCTION update_connector_profile(jsonb) IS
	'UpdateConnectorProfile: other properties, other credentials; without credentials those that are there stay';

CREATE FUNCTION delete_connector_profile(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_delete_connector_profile';
COMMENT ON FUNCTION delete_connector_profile(jsonb) IS
	'DeleteConnectorProfile: forget a profile and its credentials; flows that use it need forceDelete and become Errored';

CREATE FUNCTION describe_connector_profiles(request jsonb) RETURNS jsonb
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_describe_connector_profiles';
COMMENT ON FUNCTION describe_connector_profiles(jsonb) IS
	'DescribeConnectorProfiles: the profiles that you may see, by name, type or label; without their credentials';

-- creating is a privilege: grant EXECUTE to those who should have it
REVOKE ALL ON FUNCTION create_connector_profile(jsonb) FROM PUBLIC;

CREATE VIEW connector_profiles WITH (security_barrier) AS
	SELECT p.connector_profile_name::text AS connector_profile_name, p.owner, p.connector_type, p.connector_label::text AS connector_label,
		p.connection_mode, p.properties AS connector_profile_properties, p.has_credentials,
		(SELECT pg_catalog.count(*) FROM flow f
			WHERE p.connector_profile_name IN (f.definition #>> '{sourceFlowConfig,connectorProfileName}',
				f.definition #>> '{destinationFlowConfigList,0,connectorProfileName}')
			AND (pg_catalog.pg_has_role(f.owner, 'USAGE') OR EXISTS (SELECT FROM access_grant g
		WHERE g.kind = 'flow' AND g.name = f.flow_name AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))))) AS flows,
		p.created_at, p.created_by, p.last_updated_at, p.tags,
		p.private_state ->> 'status' AS private_connection_status, p.private_state ->> 'failureMessage' AS private_connection_failure
	FROM connector_profile p
	WHERE (pg_catalog.pg_has_role(p.owner, 'USAGE') OR EXISTS (SELECT FROM access_grant g
		WHERE g.kind = 'connector profile' AND g.name = p.connector_profile_name AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))))
	UNION ALL
	SELECT 'PostgreSQL', NULL, 'CustomConnector', 'PostgreSQL', 'Public', '{"CustomConnector": {}}', false,
		(SELECT pg_catalog.count(*) FROM flow f
			WHERE 'PostgreSQL' IN (f.definition #>> '{sourceFlowConfig,connectorProfileName}',
				f.definition #>> '{destinationFlowConfigList,0,connectorProfileName}')
			AND (pg_catalog.pg_has_role(f.owner, 'USAGE') OR EXISTS (SELECT FROM access_grant g
		WHERE g.kind = 'flow' AND g.name = f.flow_name AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee, 'USAGE'))))),
		NULL, NULL, NULL, '{}', NULL, NULL;

COMMENT ON VIEW connector_profiles IS
	'connector profiles of the roles that you belong to and those granted to them, and "PostgreSQL", which stands for the tables of this database';

GRANT SELECT ON connector_profiles TO PUBLIC;
