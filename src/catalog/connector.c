/*-------------------------------------------------------------------------
 *
 * connector.c
 *	  The table of registered connectors.
 *
 * IDENTIFICATION
 *	  src/catalog/connector.c
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

#define SELECT_CONNECTOR \
	"SELECT connector_label, owner::oid, description, provisioning_config, configuration " \
	"FROM appflow.connector WHERE connector_label OPERATOR(pg_catalog.=) $1"

ConnectorRow *
connector_get(const char *label, RowHold hold)
{
	static const char *const statements[] = {
		[HOLD_NOT] = SELECT_CONNECTOR,
		[HOLD_KEEP] = SELECT_CONNECTOR " FOR KEY SHARE",
		[HOLD_CHANGE] = SELECT_CONNECTOR " FOR UPDATE",
	};
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(label)};
	ConnectorRow *connector = NULL;

	catalog_begin(&access);
	if (catalog_execute(statements[hold], lengthof(values), values) > 0)
	{
		connector = MemoryContextAllocZero(access.caller, sizeof(ConnectorRow));
		connector->label = catalog_get_text(&access, 0, 1);
		connector->owner = catalog_get_oid(0, 2);
		connector->description = catalog_get_text(&access, 0, 3);
		connector->provisioning = catalog_get_jsonb(&access, 0, 4);
		connector->configuration = catalog_get_jsonb(&access, 0, 5);
	}
	catalog_end(&access);
	return connector;
}

ConnectorRow *
connector_use(const char *label, RowHold hold)
{
	ConnectorRow *connector = connector_get(label, hold);

	if (connector == NULL ||
		(!has_privs_of_role(GetUserId(), connector->owner) && !grant_given(GRANT_OF_CONNECTOR, label, GetUserId())))
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("Connector with label %s does not exist.", label),
				errhint("The connectors that you may use are in the view appflow.connectors."));
	return connector;
}

ConnectorRow *
connector_own(const char *label, RowHold hold)
{
	ConnectorRow *connector = connector_use(label, hold);

	if (!has_privs_of_role(GetUserId(), connector->owner))
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("connector \"%s\" was granted to be used, not to be changed", label),
				errhint("It belongs to role \"%s\".", GetUserNameFromId(connector->owner, true)));
	return connector;
}

bool
connector_insert(const ConnectorRow *connector, const char *registered_by)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(connector->label), catalog_oid(connector->owner), catalog_text(connector->description),
		catalog_jsonb(connector->provisioning), catalog_jsonb(connector->configuration),
		catalog_text(registered_by)
	};
	bool		inserted;

	catalog_begin(&access);
	inserted = catalog_execute("INSERT INTO appflow.connector (connector_label, owner, description, "
							   "provisioning_config, configuration, registered_by) "
							   "VALUES ($1, $2::regrole, $3, $4, $5, $6) "
							   "ON CONFLICT (connector_label) DO NOTHING", lengthof(values), values) > 0;
	catalog_end(&access);
	return inserted;
}

void
connector_update(const ConnectorRow *connector)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(connector->label), catalog_text(connector->description),
		catalog_jsonb(connector->provisioning), catalog_jsonb(connector->configuration)
	};

	catalog_begin(&access);
	catalog_execute("UPDATE appflow.connector SET description = $2, provisioning_config = $3, configuration = $4 "
					"WHERE connector_label OPERATOR(pg_catalog.=) $1", lengthof(values), values);
	catalog_end(&access);
}

void
connector_delete(const char *label)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(label)};

	grant_forget(GRANT_OF_CONNECTOR, label);
	catalog_begin(&access);
	catalog_execute("DELETE FROM appflow.connector WHERE connector_label OPERATOR(pg_catalog.=) $1",
					lengthof(values), values);
	catalog_end(&access);
}

char *
connector_profile_names(const char *label, int64 *count)
{
	CatalogAccess access;
	CatalogValue values[2];
	char	   *names;

	catalog_begin(&access);
	values[0] = catalog_text(label);
	values[1] = catalog_oid(access.user);
	catalog_execute("SELECT pg_catalog.count(*), "
					"coalesce((SELECT pg_catalog.string_agg(v.connector_profile_name, ', ' ORDER BY v.connector_profile_name) "
					"FROM (SELECT p.connector_profile_name FROM appflow.connector_profile p "
					"WHERE p.connector_label OPERATOR(pg_catalog.=) $1 "
					"AND " VISIBLE_TO("$2", GRANT_OF_PROFILE, "p.connector_profile_name", "p.owner") " "
					"ORDER BY p.connector_profile_name LIMIT 10) v), '') "
					"FROM appflow.connector_profile p WHERE p.connector_label OPERATOR(pg_catalog.=) $1",
					lengthof(values), values);
	*count = catalog_get_int64(0, 1);
	names = catalog_get_text(&access, 0, 2);
	catalog_end(&access);
	return names;
}

List *
connector_profile_list(const char *label)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(label)};
	List	   *names = NIL;
	uint64		rows;
	MemoryContext inner;

	catalog_begin(&access);
	rows = catalog_execute("SELECT connector_profile_name FROM appflow.connector_profile "
						   "WHERE connector_label OPERATOR(pg_catalog.=) $1", lengthof(values), values);
	inner = MemoryContextSwitchTo(access.caller);
	for (uint64 i = 0; i < rows; i++)
		names = lappend(names, catalog_get_text(&access, i, 1));
	MemoryContextSwitchTo(inner);
	catalog_end(&access);
	return names;
}
