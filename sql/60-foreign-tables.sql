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

-- ---------- foreign tables and their entities ----------

CREATE FUNCTION comment_foreign_table(foreign_table regclass) RETURNS integer
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_comment_foreign_table';

COMMENT ON FUNCTION comment_foreign_table(regclass) IS
	'comments on the columns of a foreign table by the labels of their fields: how many';

CREATE FUNCTION refresh_foreign_table(foreign_table regclass, drop_columns boolean DEFAULT false,
	OUT change text, OUT column_name text, OUT field text, OUT detail text)
RETURNS SETOF record LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_refresh_foreign_table';

COMMENT ON FUNCTION refresh_foreign_table(regclass, boolean) IS
	'make the columns of a foreign table those that its entity has now, and tell what changed';

-- an import cannot comment on what it makes: this does when it is over
CREATE FUNCTION comment_imported_tables() RETURNS event_trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_comment_imported_tables';

CREATE EVENT TRIGGER appflow_comment_imported_tables ON ddl_command_end
	WHEN TAG IN ('IMPORT FOREIGN SCHEMA') EXECUTE FUNCTION comment_imported_tables();
