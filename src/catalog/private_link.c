/*-------------------------------------------------------------------------
 *
 * private_link.c
 *	  Private endpoints, and the checks of the connections of profiles by them.
 *
 * IDENTIFICATION
 *	  src/catalog/private_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/private_link.h"

/* a profile whose check can be taken; who changes it at this moment wants another one */
#define CLAIMABLE \
	"SELECT connector_profile_name FROM appflow.connector_profile WHERE private_check IS NOT NULL " \
	"AND (private_check_begun IS NULL OR private_check_begun OPERATOR(pg_catalog.<) greatest(pg_catalog.pg_postmaster_start_time(), " \
	"pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) '" PRIVATE_CHECK_MINUTES " minutes'::interval)) " \
	"ORDER BY last_updated_at, connector_profile_name LIMIT 1 FOR UPDATE SKIP LOCKED"

char *
private_endpoint_address(const char *name)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(name)};
	char	   *address = NULL;

	catalog_begin(&access);
	if (catalog_execute("SELECT address FROM appflow.private_endpoint WHERE name OPERATOR(pg_catalog.=) $1", 1, values) > 0)
		address = catalog_get_text(&access, 0, 1);
	catalog_end(&access);
	return address;
}

void
private_endpoint_set(const char *name, const char *address)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(name), catalog_text(address)};

	catalog_begin(&access);
	if (address == NULL)
		catalog_execute("DELETE FROM appflow.private_endpoint WHERE name OPERATOR(pg_catalog.=) $1", 1, values);
	else
		catalog_execute("INSERT INTO appflow.private_endpoint (name, address) VALUES ($1, $2) "
						"ON CONFLICT (name) DO UPDATE SET address = $2", lengthof(values), values);
	catalog_end(&access);
}

List *
private_link_profiles(void)
{
	CatalogAccess access;
	List	   *names = NIL;
	uint64		nrows;
	MemoryContext old;

	catalog_begin(&access);
	nrows = catalog_execute("SELECT connector_profile_name FROM appflow.connector_profile "
							"WHERE connection_mode OPERATOR(pg_catalog.=) 'Private' ORDER BY connector_profile_name", 0, NULL);
	old = MemoryContextSwitchTo(access.caller);
	for (uint64 row = 0; row < nrows; row++)
		names = lappend(names, catalog_get_text(&access, row, 1));
	MemoryContextSwitchTo(old);
	catalog_end(&access);
	return names;
}

void
private_link_recheck(const char *profile)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(profile)};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.connector_profile SET private_state = '{\"status\": \"PENDING\"}', "
					"private_check = pg_catalog.gen_random_uuid(), private_check_begun = NULL "
					"WHERE connector_profile_name OPERATOR(pg_catalog.=) $1 "
					"AND connection_mode OPERATOR(pg_catalog.=) 'Private'", 1, values);
	catalog_end(&access);
}

PrivateCheck *
private_link_claim(void)
{
	CatalogAccess access;
	PrivateCheck *check = NULL;

	catalog_begin(&access);
	if (catalog_execute("UPDATE appflow.connector_profile SET private_check_begun = pg_catalog.clock_timestamp() "
						"WHERE connector_profile_name OPERATOR(pg_catalog.=) (" CLAIMABLE ") "
						"RETURNING connector_profile_name, private_check", 0, NULL) > 0)
	{
		check = MemoryContextAllocZero(access.caller, sizeof(PrivateCheck));
		check->profile = catalog_get_text(&access, 0, 1);
		(void) catalog_get_uuid(0, 2, &check->id);
	}
	catalog_end(&access);
	return check;
}

bool
private_link_waits(void)
{
	CatalogAccess access;
	bool		waits;

	catalog_begin(&access);
	waits = catalog_execute(CLAIMABLE, 0, NULL) > 0;
	catalog_end(&access);
	return waits;
}

void
private_link_checked(const PrivateCheck *check, const char *cause, const char *message)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(check->profile), catalog_uuid(&check->id), catalog_text(cause), catalog_text(message)
	};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.connector_profile SET private_check = NULL, "
					"private_state = pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
					"'status', CASE WHEN $3 IS NULL THEN 'CREATED' ELSE 'FAILED' END, "
					"'failureMessage', pg_catalog.\"left\"($4, 2048), 'failureCause', $3)) "
					"WHERE connector_profile_name OPERATOR(pg_catalog.=) ("
					"SELECT connector_profile_name FROM appflow.connector_profile "
					"WHERE connector_profile_name OPERATOR(pg_catalog.=) $1 AND private_check OPERATOR(pg_catalog.=) $2 "
					"FOR UPDATE SKIP LOCKED)", lengthof(values), values);
	catalog_end(&access);
}
