-- ---------- idempotency (src/operations/idempotency.c) ----------

-- calls with a clientToken, remembered for eight hours; not dumped
CREATE TABLE client_token (
	operation text NOT NULL,
	role oid NOT NULL,
	token text COLLATE "C" NOT NULL,
	-- keyed hash of the canonical request: it may hold credentials
	request_hash bytea NOT NULL,
	response jsonb,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (operation, role, token)
);

CREATE INDEX ON client_token (created_at);

COMMENT ON TABLE client_token IS 'calls with a clientToken, so that a repeated one is not carried out again';

REVOKE ALL ON client_token FROM PUBLIC;
