
-- ---------------------------------------------------------------------------
-- Secrets: credentials, sealed under the master key (doc/security.md)
-- ---------------------------------------------------------------------------

CREATE TABLE secret (
	purpose text COLLATE "C",
	name text COLLATE "C",
	-- id of the master key that seals the data key
	key_id text COLLATE "C" NOT NULL,
	-- the data key, sealed under the master key, and the text, sealed under the
	-- data key; see src/vault/seal.h
	sealed_key bytea NOT NULL,
	sealed_text bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	last_updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (purpose, name)
);

COMMENT ON TABLE secret IS 'credentials, sealed; see the view secrets';

REVOKE ALL ON secret FROM PUBLIC;

-- a dump holds what is sealed, and no key
SELECT pg_catalog.pg_extension_config_dump('secret', '');

CREATE VIEW secrets AS
	SELECT purpose, name, key_id, created_at, last_updated_at FROM secret;

COMMENT ON VIEW secrets IS 'the credentials there are, and the master key that each is sealed under';

REVOKE ALL ON secrets FROM PUBLIC;

CREATE FUNCTION create_master_key_file(path text)
RETURNS text LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_create_master_key_file';

COMMENT ON FUNCTION create_master_key_file IS
	'write a new master key into a new file on the server; returns the value for appflow.master_key';

CREATE FUNCTION rotate_master_key()
RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_rotate_master_key';

COMMENT ON FUNCTION rotate_master_key IS
	'add a new key to the file of appflow.master_key and put all secrets of this database under it; returns how many';

CREATE FUNCTION rewrap_secrets()
RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME', 'appflow_rewrap_secrets';

COMMENT ON FUNCTION rewrap_secrets IS
	'put all secrets of this database under the current master key; returns how many were under another';

CREATE FUNCTION read_secret_file(path text)
RETURNS text LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_read_secret_file';

COMMENT ON FUNCTION read_secret_file IS
	'text of a file on the server that holds a secret, without its last line''s end: keeps it out of the statement';

CREATE FUNCTION read_secret_json(path text)
RETURNS jsonb LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'appflow_read_secret_json';

COMMENT ON FUNCTION read_secret_json IS
	'JSON of a file on the server that holds secrets, such as a request: keeps it out of the statement, and out of errors';

REVOKE ALL ON FUNCTION create_master_key_file, rotate_master_key, rewrap_secrets, read_secret_file,
	read_secret_json
FROM PUBLIC;
