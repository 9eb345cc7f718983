-- the extension goes in and out, and only into its own schema
-- the words of the context are those of the server's version
\set SHOW_CONTEXT never
CREATE EXTENSION appflow SCHEMA public;
CREATE EXTENSION appflow;
SELECT extname, extversion, extnamespace::regnamespace, extrelocatable FROM pg_extension WHERE extname = 'appflow';
DROP EXTENSION appflow;
CREATE EXTENSION appflow;
DROP EXTENSION appflow;
-- the schema stays; one that somebody else has filled, or may fill, is not taken over
CREATE FUNCTION appflow.trap(jsonb, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
CREATE EXTENSION appflow;
DROP FUNCTION appflow.trap(jsonb, text);
GRANT CREATE ON SCHEMA appflow TO PUBLIC;
CREATE EXTENSION appflow;
REVOKE CREATE ON SCHEMA appflow FROM PUBLIC;
CREATE EXTENSION appflow;
DROP EXTENSION appflow;
DROP SCHEMA appflow;
