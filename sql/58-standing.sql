-- ---------- the end of the extension (src/operations/standing.c) ----------

CREATE FUNCTION before_drop() RETURNS event_trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_before_drop';
COMMENT ON FUNCTION before_drop() IS 'ends what runs when the extension is dropped';

CREATE EVENT TRIGGER appflow_before_drop ON ddl_command_start
	WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA')
	EXECUTE FUNCTION before_drop();

