-- appflow: Amazon AppFlow inside PostgreSQL.
-- Built from the parts in sql/ by the Makefile; complain if run by hand.
\echo Use "CREATE EXTENSION appflow" to load this file. \quit

-- A schema that is there already may hold functions and operators of others, which
-- what follows would use in the place of the server's.
DO $check$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace n
		WHERE n.oid OPERATOR(pg_catalog.=) 'appflow'::pg_catalog.regnamespace::pg_catalog.oid
		AND (EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace OPERATOR(pg_catalog.=) n.oid)
			OR EXISTS (SELECT FROM pg_catalog.pg_operator o WHERE o.oprnamespace OPERATOR(pg_catalog.=) n.oid)
			OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace OPERATOR(pg_catalog.=) n.oid)
			OR NOT pg_catalog.pg_has_role(n.nspowner, 'USAGE')
			OR EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) a
				WHERE a.privilege_type OPERATOR(pg_catalog.=) 'CREATE' AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner)))
	THEN
		RAISE EXCEPTION 'schema "appflow" is not empty, or not the installing role''s own'
			USING HINT = 'The extension needs a schema to itself: drop this one or rename it.';
	END IF;
END
$check$;
