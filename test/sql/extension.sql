-- the extension goes in and out, and only into its own schema
CREATE EXTENSION appflow SCHEMA public;
CREATE EXTENSION appflow;
SELECT extname, extversion, extnamespace::regnamespace, extrelocatable FROM pg_extension WHERE extname = 'appflow';
DROP EXTENSION appflow;
CREATE EXTENSION appflow;
DROP EXTENSION appflow;
