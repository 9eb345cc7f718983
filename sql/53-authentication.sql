-- ---------------------------------------------------------------------------
-- Asking the services behind connector profiles (doc/authentication.md)
-- ---------------------------------------------------------------------------

CREATE TABLE rate_limit (
	connector_profile_name text COLLATE "C" PRIMARY KEY
		REFERENCES connector_profile ON DELETE CASCADE,
	requests_per_second double precision NOT NULL,
	-- requests that may come at once
	burst integer NOT NULL
);

COMMENT ON TABLE rate_limit IS 'how often the services of connector profiles are asked; see set_rate_limit()';

REVOKE ALL ON rate_limit FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('rate_limit', '');

CREATE FUNCTION set_rate_limit(connector_profile_name text, requests_per_second double precision, burst integer DEFAULT 1)
	RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_set_rate_limit';
COMMENT ON FUNCTION set_rate_limit IS
	'let all sessions and runs together ask the service of a connector profile of yours so often at most; null: as often as they like';

CREATE FUNCTION http_get(connector_profile_name text, path text,
	OUT status integer, OUT content_type text, OUT body text)
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_http_get';
COMMENT ON FUNCTION http_get IS
	'GET a path of the service behind a connector profile of yours, with its credentials: to see whether they work';

-- it reaches out of the server: grant EXECUTE to those who should
REVOKE ALL ON FUNCTION http_get FROM PUBLIC;
