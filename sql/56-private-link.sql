-- ---------------------------------------------------------------------------
-- Private connections of profiles (src/operations/private_link.c, doc/private-link.md)
-- ---------------------------------------------------------------------------

CREATE TABLE private_endpoint (
	-- of an endpoint service (privateLinkServiceName), or a host of an application
	name text COLLATE "C" PRIMARY KEY,
	-- host:port
	address text NOT NULL
);

COMMENT ON TABLE private_endpoint IS 'private endpoints, see the view private_endpoints';

REVOKE ALL ON private_endpoint FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('private_endpoint', '');

CREATE VIEW private_endpoints AS
	SELECT name::text AS name, address FROM private_endpoint;

COMMENT ON VIEW private_endpoints IS 'where private connections of connector profiles lead';

REVOKE ALL ON private_endpoints FROM PUBLIC;

CREATE FUNCTION set_private_endpoint(name text, address text)
	RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_set_private_endpoint';
COMMENT ON FUNCTION set_private_endpoint IS
	'where private connections lead that name this endpoint service, or whose application has this host: host[:port]; null: nowhere any more';

-- it opens a way into networks that are closed to flows otherwise
REVOKE ALL ON FUNCTION set_private_endpoint FROM PUBLIC;
