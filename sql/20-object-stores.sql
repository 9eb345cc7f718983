
-- ---------------------------------------------------------------------------
-- Object stores: where buckets are
-- ---------------------------------------------------------------------------

CREATE TABLE object_store (
	name text PRIMARY KEY,
	endpoint text,
	buckets text[] NOT NULL,
	region text,
	path_style boolean,
	-- whether appflow.secret must have a row: a store must not fall back to the
	-- server's own identity
	has_credentials boolean NOT NULL,
	-- its end, for the view
	access_key_id text,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	last_updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

COMMENT ON TABLE object_store IS 'object stores, see the view object_stores';

REVOKE ALL ON object_store FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('object_store', '');

CREATE VIEW object_stores AS
	SELECT name, endpoint, buckets, region, access_key_id, has_credentials, path_style,
		created_at, last_updated_at
	FROM object_store;

COMMENT ON VIEW object_stores IS 'object stores and the buckets that each serves';

REVOKE ALL ON object_stores FROM PUBLIC;

CREATE FUNCTION create_object_store(
	name text,
	endpoint text DEFAULT NULL,
	buckets text[] DEFAULT '{*}',
	region text DEFAULT NULL,
	access_key_id text DEFAULT NULL,
	secret_access_key text DEFAULT NULL,
	session_token text DEFAULT NULL,
	path_style boolean DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_create_object_store';

COMMENT ON FUNCTION create_object_store IS
	'register an object store: a directory (file:///dir), an S3 server (https://host) or AWS (no endpoint)';

CREATE FUNCTION alter_object_store(
	name text,
	endpoint text DEFAULT NULL,
	buckets text[] DEFAULT NULL,
	region text DEFAULT NULL,
	access_key_id text DEFAULT NULL,
	secret_access_key text DEFAULT NULL,
	session_token text DEFAULT NULL,
	path_style boolean DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_alter_object_store';

COMMENT ON FUNCTION alter_object_store IS
	'change what is given of an object store; an empty text removes the member';

CREATE FUNCTION drop_object_store(name text)
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_drop_object_store';

COMMENT ON FUNCTION drop_object_store IS
	'forget an object store; its objects stay';

CREATE FUNCTION list_objects(bucket text, prefix text DEFAULT '',
	OUT key text, OUT size bigint, OUT last_modified timestamptz)
RETURNS SETOF record LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_list_objects';

COMMENT ON FUNCTION list_objects IS 'the objects of a bucket, in byte order of their keys';

CREATE FUNCTION read_object(bucket text, key text)
RETURNS bytea LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_read_object';

COMMENT ON FUNCTION read_object IS 'contents of an object';

CREATE FUNCTION write_object(bucket text, key text, contents bytea,
	content_type text DEFAULT 'application/octet-stream')
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_write_object';

COMMENT ON FUNCTION write_object IS
	'write an object, at once and whatever becomes of the transaction';

CREATE FUNCTION write_objects(bucket text, keys text[], contents bytea[],
	content_type text DEFAULT 'application/octet-stream')
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_write_objects';

COMMENT ON FUNCTION write_objects IS
	'write objects side by side: none is visible before all are complete';

CREATE FUNCTION delete_object(bucket text, key text)
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_delete_object';

COMMENT ON FUNCTION delete_object IS
	'delete an object, at once and whatever becomes of the transaction';

CREATE FUNCTION remove_staged_objects(bucket text, owner text, prefix text DEFAULT '')
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_remove_staged_objects';

COMMENT ON FUNCTION remove_staged_objects IS
	'remove what a run that crashed left unfinished';

REVOKE ALL ON FUNCTION create_object_store, alter_object_store, drop_object_store,
	list_objects, read_object, write_object, write_objects, delete_object,
	remove_staged_objects
FROM PUBLIC;
