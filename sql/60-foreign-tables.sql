-- ---------------------------------------------------------------------------
-- Foreign tables over every entity of every connector (src/fdw)
-- ---------------------------------------------------------------------------

CREATE FUNCTION appflow_fdw_handler() RETURNS fdw_handler
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_fdw_handler';

CREATE FUNCTION appflow_fdw_validator(options text[], catalog oid) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_fdw_validator';

REVOKE ALL ON FUNCTION appflow_fdw_handler(), appflow_fdw_validator(text[], oid) FROM PUBLIC;

CREATE FOREIGN DATA WRAPPER appflow_fdw HANDLER appflow_fdw_handler VALIDATOR appflow_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER appflow_fdw IS 'entities of connectors as foreign tables';
