/*-------------------------------------------------------------------------
 *
 * profile.c
 *	  The table of connector profiles.
 *
 * IDENTIFICATION
 *	  src/catalog/profile.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/grant.h"
#include "catalog/profile.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/acl.h"

#define SELECT_PROFILE \
	"SELECT connector_profile_name, owner::oid, connector_type, connector_label, connection_mode, " \
	"properties, has_credentials, credentials_id, kms_arn, private_state OPERATOR(pg_catalog.->>) 'status', " \
	"private_state OPERATOR(pg_catalog.->>) 'failureMessage' FROM appflow.connector_profile " \
	"WHERE connector_profile_name OPERATOR(pg_catalog.=) $1"

/* private_state and private_check: the connection is to be checked, if it is to be private */
#define PENDING(mode) \
	"CASE WHEN " mode " OPERATOR(pg_catalog.=) 'Private' THEN '{\"status\": \"PENDING\"}'::jsonb END, " \
	"CASE WHEN " mode " OPERATOR(pg_catalog.=) 'Private' THEN pg_catalog.gen_random_uuid() END"

/* flows that use the profile $1; the two members are indexed */
#define USES_PROFILE \
	"(f.definition OPERATOR(pg_catalog.#>>) '{sourceFlowConfig,connectorProfileName}' OPERATOR(pg_catalog.=) $1 " \
	"OR f.definition OPERATOR(pg_catalog.#>>) '{destinationFlowConfigList,0,connectorProfileName}' OPERATOR(pg_catalog.=) $1)"

ProfileRow *
profile_get(const char *name, RowHold hold)
{
	static const char *const statements[] = {
		[HOLD_NOT] = SELECT_PROFILE,
		[HOLD_KEEP] = SELECT_PROFILE " FOR KEY SHARE",
		[HOLD_CHANGE] = SELECT_PROFILE " FOR UPDATE",
	};
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(name)};
	ProfileRow *profile = NULL;

	catalog_begin(&access);
	if (catalog_execute(statements[hold], lengthof(values), values) > 0)
	{
		profile = MemoryContextAllocZero(access.caller, sizeof(ProfileRow));
		profile->name = catalog_get_text(&access, 0, 1);
		profile->owner = catalog_get_oid(0, 2);
		profile->connector_type = catalog_get_text(&access, 0, 3);
		profile->connector_label = catalog_get_text(&access, 0, 4);
		profile->connection_mode = catalog_get_text(&access, 0, 5);
		profile->properties = catalog_get_jsonb(&access, 0, 6);
		profile->has_credentials = catalog_get_bool(0, 7);
		profile->credentials_id = catalog_get_text(&access, 0, 8);
		profile->kms_arn = catalog_get_text(&access, 0, 9);
		profile->private_status = catalog_get_text(&access, 0, 10);
		profile->private_failure = catalog_get_text(&access, 0, 11);
	}
	catalog_end(&access);
	return profile;
}

ProfileRow *
profile_use(const char *name, RowHold hold)
{
	return profile_use_as(name, hold, GetUserId());
}

ProfileRow *
profile_use_as(const char *name, RowHold hold, Oid role)
{
	ProfileRow *profile = profile_get(name, hold);

	if (profile == NULL ||
		(!has_privs_of_role(role, profile->owner) && !grant_given(GRANT_OF_PROFILE, name, role)))
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("Connector Profile with name %s does not exist.", name),
				errhint("The profiles that you may use are in the view appflow.connector_profiles."));
	return profile;
}

ProfileRow *
profile_own(const char *name, RowHold hold)
{
	ProfileRow *profile = profile_use(name, hold);

	if (!has_privs_of_role(GetUserId(), profile->owner))
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("connector profile \"%s\" was granted to be used, not to be changed", name),
				errhint("It belongs to role \"%s\".", GetUserNameFromId(profile->owner, true)));
	return profile;
}

bool
profile_insert(ProfileRow *profile, const char *created_by)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(profile->name), catalog_oid(profile->owner), catalog_text(profile->connector_type),
		catalog_text(profile->connector_label), catalog_text(profile->connection_mode), catalog_text(profile->kms_arn),
		catalog_jsonb(profile->properties), catalog_bool(profile->has_credentials), catalog_text(created_by)
	};
	bool		inserted;

	catalog_begin(&access);
	inserted = catalog_execute("INSERT INTO appflow.connector_profile (connector_profile_name, owner, connector_type, "
							   "connector_label, connection_mode, kms_arn, properties, has_credentials, created_by, private_state, private_check) "
							   "VALUES ($1, $2::regrole, $3, $4, $5, $6, $7, $8, $9, " PENDING("$5") ") "
							   "ON CONFLICT (connector_profile_name) DO NOTHING RETURNING credentials_id",
							   lengthof(values), values) > 0;
	if (inserted)
		profile->credentials_id = catalog_get_text(&access, 0, 1);
	catalog_end(&access);
	return inserted;
}

void
profile_update(const ProfileRow *profile)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(profile->name), catalog_text(profile->connection_mode),
		catalog_jsonb(profile->properties), catalog_bool(profile->has_credentials)
	};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.connector_profile SET connection_mode = $2, properties = $3, "
					"has_credentials = $4, last_updated_at = pg_catalog.now(), "
					"(private_state, private_check) = (SELECT " PENDING("$2") "), private_check_begun = NULL "
					"WHERE connector_profile_name OPERATOR(pg_catalog.=) $1", lengthof(values), values);
	catalog_end(&access);
}

void
profile_delete(const char *name)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(name)};
	MetadataKey key = {.profile = name};

	metadata_reset(&key);
	grant_forget(GRANT_OF_PROFILE, name);
	catalog_begin(&access);
	catalog_execute("DELETE FROM appflow.connector_profile WHERE connector_profile_name OPERATOR(pg_catalog.=) $1",
					lengthof(values), values);
	catalog_end(&access);
}

int64
profile_count(void)
{
	CatalogAccess access;
	int64		count;

	catalog_begin(&access);
	catalog_execute("SELECT pg_catalog.count(*) FROM appflow.connector_profile", 0, NULL);
	count = catalog_get_int64(0, 1);
	catalog_end(&access);
	return count;
}

char *
profile_flows(const char *name, int64 *count)
{
	CatalogAccess access;
	CatalogValue values[2];
	char	   *names;

	catalog_begin(&access);
	values[0] = catalog_text(name);
	values[1] = catalog_oid(access.user);
	catalog_execute("SELECT pg_catalog.count(*), "
					"coalesce((SELECT pg_catalog.string_agg(v.flow_name, ', ' ORDER BY v.flow_name) FROM ("
					"SELECT f.flow_name FROM appflow.flow f WHERE " USES_PROFILE
					" AND " VISIBLE_TO("$2", GRANT_OF_FLOW, "f.flow_name", "f.owner") " ORDER BY f.flow_name LIMIT 10) v), '') "
					"FROM appflow.flow f WHERE " USES_PROFILE, lengthof(values), values);
	*count = catalog_get_int64(0, 1);
	names = catalog_get_text(&access, 0, 2);
	catalog_end(&access);
	return names;
}

void
profile_break_flows(const char *name, const char *message, const char *by)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(name), catalog_text(message), catalog_text(by)};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.flow f SET status = 'Errored', status_message = $2, "
					"last_updated_at = pg_catalog.now(), last_updated_by = $3 WHERE " USES_PROFILE,
					lengthof(values), values);
	catalog_end(&access);
}
