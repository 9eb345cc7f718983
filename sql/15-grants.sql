-- ---------------------------------------------------------------------------
-- Grants: what roles may use that is not theirs (src/operations/grants.c,
-- src/catalog/grant.c)
-- ---------------------------------------------------------------------------

CREATE TABLE access_grant (
	kind text COLLATE "C" CHECK (kind IN ('connector profile', 'connector', 'flow', 'object store')),
	name text COLLATE "C",
	-- '-' (0): everybody
	grantee regrole,
	-- of an object store: the patterns of buckets that the grant is limited to
	buckets text[],
	granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	granted_by text NOT NULL,
	PRIMARY KEY (kind, name, grantee)
);

COMMENT ON TABLE access_grant IS 'what roles may use that is not theirs, see the view grants';

REVOKE ALL ON access_grant FROM PUBLIC;

-- of a role that was dropped nothing but a number is left, which elsewhere is another role
SELECT pg_catalog.pg_extension_config_dump('access_grant', $$
	WHERE grantee::pg_catalog.oid OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR EXISTS (SELECT FROM pg_catalog.pg_roles r
		WHERE r.oid OPERATOR(pg_catalog.=) grantee::pg_catalog.oid)$$);
