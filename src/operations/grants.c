/*-------------------------------------------------------------------------
 *
 * grants.c
 *	  Granting the use of connector profiles, connectors, flows and object
 *	  stores to roles, and taking it back.
 *
 * The owner of a thing may grant it; who was granted it may not grant it on.
 * Object stores have no owners: who may execute the functions may grant them.
 * A grant is of use, never of change.
 *
 * IDENTIFICATION
 *	  src/operations/grants.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/grant.h"
#include "catalog/object_store.h"
#include "catalog/profile.h"
#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(appflow_reassign_owned);

/* raise an error unless the user may grant the object; keep it until the transaction ends */
typedef void (*CheckOwner) (const char *name);

static void
own_profile(const char *name)
{
	if (strcmp(name, "PostgreSQL") == 0)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("connector profile \"%s\" is everybody's and cannot be granted", name),
				errhint("What a role can read and write with it are the tables that it has privileges on."));
	(void) profile_own(name, HOLD_KEEP);
}

static void
own_connector(const char *label)
{
	(void) connector_own(label, HOLD_KEEP);
}

static void
own_flow(const char *name)
{
	(void) operation_own_flow(name, true);
}

static void
own_object_store(const char *name)
{
	if (object_store_get(name, true, false) == NULL)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("object store \"%s\" does not exist", name),
				errhint("The view appflow.object_stores shows those that do."));
}

static Datum
change_grant(FunctionCallInfo fcinfo, const char *kind, CheckOwner check, bool give)
{
	char	   *name;
	char	   *role;
	Oid			grantee;
	ArrayType  *buckets = NULL;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("name and role must not be null"));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	role = text_to_cstring(PG_GETARG_TEXT_PP(1));
	grantee = get_role_oid_or_public(role);
	check(name);
	if (!give)
	{
		if (!grant_delete(kind, name, grantee))
			ereport(NOTICE,
					errmsg("%s \"%s\" was not granted to \"%s\"", kind, name, role));
		PG_RETURN_VOID();
	}
	if (PG_NARGS() > 2 && !PG_ARGISNULL(2))
	{
		buckets = PG_GETARG_ARRAYTYPE_P(2);
		(void) operation_bucket_patterns(buckets);
	}
	grant_put(kind, name, grantee, buckets);
	PG_RETURN_VOID();
}

/* The two functions of a kind: grant_profile(connector_profile_name text, role text) returns void, and so on. */
#define GRANT_FUNCTIONS(name, kind) \
PG_FUNCTION_INFO_V1(appflow_grant_##name); \
PG_FUNCTION_INFO_V1(appflow_revoke_##name); \
\
Datum \
appflow_grant_##name(PG_FUNCTION_ARGS) \
{ \
	return change_grant(fcinfo, kind, own_##name, true); \
} \
\
Datum \
appflow_revoke_##name(PG_FUNCTION_ARGS) \
{ \
	return change_grant(fcinfo, kind, own_##name, false); \
}

GRANT_FUNCTIONS(profile, GRANT_OF_PROFILE)
GRANT_FUNCTIONS(connector, GRANT_OF_CONNECTOR)
GRANT_FUNCTIONS(flow, GRANT_OF_FLOW)
GRANT_FUNCTIONS(object_store, GRANT_OF_STORE)

/*
 * reassign_owned(from_role regrole, to_role regrole) returns bigint: how many
 * things changed hands.  Needs the privileges of both roles.  from_role may be the
 * number of one that is no more.
 */
Datum
appflow_reassign_owned(PG_FUNCTION_ARGS)
{
	Oid			from = PG_GETARG_OID(0);
	Oid			to = PG_GETARG_OID(1);
	CatalogAccess access;
	CatalogValue values[] = {catalog_oid(from), catalog_oid(to)};
	int64		count = 0;

	if (!has_privs_of_role(GetUserId(), from) || !has_privs_of_role(GetUserId(), to))
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("permission denied to reassign flows and connector profiles"),
				errhint("It takes the privileges of both roles."));
	/* a role that is, so that nobody owns by number what a later one has */
	(void) GetUserNameFromId(to, false);
	catalog_begin(&access);
	count += catalog_execute("UPDATE appflow.connector SET owner = $2::regrole WHERE owner::pg_catalog.oid OPERATOR(pg_catalog.=) $1", 2, values);
	count += catalog_execute("UPDATE appflow.connector_profile SET owner = $2::regrole WHERE owner::pg_catalog.oid OPERATOR(pg_catalog.=) $1", 2, values);
	count += catalog_execute("UPDATE appflow.flow SET owner = $2::regrole WHERE owner::pg_catalog.oid OPERATOR(pg_catalog.=) $1", 2, values);
	catalog_execute("UPDATE appflow.flow_execution SET owner = $2::regrole WHERE owner::pg_catalog.oid OPERATOR(pg_catalog.=) $1", 2, values);
	catalog_end(&access);
	PG_RETURN_INT64(count);
}
