/*-------------------------------------------------------------------------
 *
 * profiles.c
 *	  Operations on connector profiles: CreateConnectorProfile,
 *	  UpdateConnectorProfile, DeleteConnectorProfile, DescribeConnectorProfiles.
 *
 * What a profile must have is in credentials.c.  Credentials go to the vault
 * and come back to nobody; whether the application takes them shows when it is
 * asked, which for connectors that are SQL functions is at once.
 *
 * IDENTIFICATION
 *	  src/operations/profiles.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/custom.h"
#include "catalog/access.h"
#include "catalog/grant.h"
#include "catalog/profile.h"
#include "catalog/secret.h"
#include "compat.h"
#include "connector/traits.h"
#include "flow/custom_session.h"
#include "flow/profile_auth.h"
#include "miscadmin.h"
#include "net/aws_service.h"
#include "operations/operations.h"
#include "operations/protocol.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "vault/kms.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(appflow_create_connector_profile);
PG_FUNCTION_INFO_V1(appflow_update_connector_profile);
PG_FUNCTION_INFO_V1(appflow_delete_connector_profile);
PG_FUNCTION_INFO_V1(appflow_describe_connector_profiles);

#define PURPOSE "profile"

/* a message without what the reference's pattern of a failureMessage does not have: quotes, colons ... */
#define REFERENCE_TEXT(text) "pg_catalog.regexp_replace(" text ", '[^[:space:]A-Za-z0-9_/!@#+=.-]', '', 'g')"

static Jsonb *
profile_response(const char *name)
{
	CatalogValue values[] = {catalog_text(operation_arn("connectorprofile", name))};

	return operation_respond("SELECT pg_catalog.jsonb_build_object('connectorProfileArn', $1)", 1, values);
}

/* the built-in profile is there for everybody, and stays */
static void
refuse_builtin(const char *name)
{
	if (strcmp(name, POSTGRESQL_LABEL) == 0)
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: Connector profile: %s is built in and cannot be changed or deleted", name));
}

/* Is it the label of a connector that was registered? */
static bool
is_registered(const char *label)
{
	return label != NULL && strcmp(label, POSTGRESQL_LABEL) != 0 && strcmp(label, AWS_LABEL) != 0;
}

/* A key of KMS is used with the server's identity: not for everybody. */
static void
check_key(const char *kms_arn)
{
	if (kms_arn == NULL)
		return;
	if (!kms_is_arn(kms_arn))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("kmsArn \"%s\" names no key of AWS KMS", kms_arn),
				errhint("It has the form arn:aws:kms:region:account:key/id."));
	aws_check_identity(GetUserId(), ", or leave kmsArn away: then this server's master key seals the credentials");
}

/* Store the credentials that were sent. */
static void
put_credentials(ProfileRow *profile, Jsonb *credentials)
{
	char	   *text = JsonbToCString(NULL, &credentials->root, VARSIZE(credentials));

	secret_put_under(PURPOSE, profile->name, text, profile->kms_arn);
	secret_wipe(text);

	/* tokens that were got with other credentials */
	secret_delete("token", profile->name);
}

/*
 * A registered connector is asked about its settings and whether it
 * can use the credentials.
 */
static void
ask_connector(const ProfileRow *profile, const ConnectorRow *connector)
{
	if (connector != NULL && jsonb_get_container(connector->provisioning, "lambda") != NULL)
	{
		protocol_validate_settings(connector, profile);
		if (profile->has_credentials)
			protocol_validate_credentials(connector, profile);
	}
}

/* a private connection is checked once the profile is committed */
static void
check_at_commit(const ProfileRow *profile)
{
	if (strcmp(profile->connection_mode, "Private") == 0)
		worker_wake_at_commit();
}

/*
 * create_connector_profile(request jsonb) returns jsonb: {"connectorProfileArn"}.
 * Follows CreateConnectorProfile of the API reference.
 */
OPERATION(appflow_create_connector_profile, "CreateConnectorProfile")
{
	Jsonb	   *response = operation_recall("CreateConnectorProfile", request);
	Jsonb	   *config = jsonb_get_container(request, "connectorProfileConfig");
	Jsonb	   *credentials = jsonb_get_container(config, "connectorProfileCredentials");
	ConnectorRow *connector = NULL;
	ProfileRow	profile = {0};

	if (response != NULL)
		PG_RETURN_JSONB_P(response);
	profile.name = jsonb_get_text(request, "connectorProfileName");
	profile.owner = GetUserId();
	profile.connector_type = jsonb_get_text(request, "connectorType");
	profile.connector_label = jsonb_get_text(request, "connectorLabel");
	profile.connection_mode = jsonb_get_text(request, "connectionMode");
	profile.properties = jsonb_get_container(config, "connectorProfileProperties");
	profile.has_credentials = credentials != NULL && JB_ROOT_COUNT(credentials) > 0;
	profile.kms_arn = jsonb_get_text(request, "kmsArn");
	check_key(profile.kms_arn);

	if (strcmp(profile.connector_type, connector_traits[CONNECTOR_CUSTOM].type) == 0 && is_registered(profile.connector_label))
		connector = connector_use(profile.connector_label, HOLD_KEEP);
	profile_check(&profile, credentials, connector);
	if (connector != NULL && jsonb_get_container(connector->provisioning, "lambda") != NULL)
		custom_check_credentials(connector, &profile);

	if (profile_count() >= quota_connector_profiles)
		ereport(ERROR,
				appflow_error(WF_QUOTA),
				errmsg("this database has %d connector profiles, more are not allowed", quota_connector_profiles),
				errhint("An administrator can raise appflow.quota_connector_profiles."));
	if (strcmp(profile.name, POSTGRESQL_LABEL) == 0 ||
		!profile_insert(&profile, operation_user_arn()))
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: Connector profile: %s already exists", profile.name));
	if (profile.has_credentials)
	{
		put_credentials(&profile, credentials);
		profile_exchange_code(&profile);
	}
	ask_connector(&profile, connector);
	check_at_commit(&profile);
	PG_RETURN_JSONB_P(operation_remember("CreateConnectorProfile", request, profile_response(profile.name)));
}

/*
 * update_connector_profile(request jsonb) returns jsonb: {"connectorProfileArn"}.
 * Follows UpdateConnectorProfile of the API reference; credentials that are not
 * sent stay as they are.
 */
OPERATION(appflow_update_connector_profile, "UpdateConnectorProfile")
{
	Jsonb	   *response = operation_recall("UpdateConnectorProfile", request);
	Jsonb	   *config = jsonb_get_container(request, "connectorProfileConfig");
	Jsonb	   *credentials = jsonb_get_container(config, "connectorProfileCredentials");
	char	   *name = jsonb_get_text(request, "connectorProfileName");
	MetadataKey cached = {.profile = name};
	ConnectorRow *connector = NULL;
	ProfileRow *profile;

	if (response != NULL)
		PG_RETURN_JSONB_P(response);
	refuse_builtin(name);

	/* connectors are locked before profiles, as by those who unregister */
	profile = profile_own(name, HOLD_NOT);
	if (is_registered(profile->connector_label))
		connector = connector_use(profile->connector_label, HOLD_KEEP);
	profile = profile_own(name, HOLD_CHANGE);
	profile->connection_mode = jsonb_get_text(request, "connectionMode");
	profile->properties = jsonb_get_container(config, "connectorProfileProperties");
	if (credentials != NULL && JB_ROOT_COUNT(credentials) > 0)
		profile->has_credentials = true;
	else
		credentials = NULL;
	profile_check(profile, credentials, connector);
	if (connector != NULL && jsonb_get_container(connector->provisioning, "lambda") != NULL)
		custom_check_credentials(connector, profile);
	profile_update(profile);
	if (credentials != NULL)
	{
		put_credentials(profile, credentials);
		profile_exchange_code(profile);
	}
	metadata_reset(&cached);
	ask_connector(profile, connector);
	check_at_commit(profile);
	PG_RETURN_JSONB_P(operation_remember("UpdateConnectorProfile", request, profile_response(name)));
}

/*
 * delete_connector_profile(request jsonb) returns jsonb: {}.
 * Follows DeleteConnectorProfile of the API reference.
 */
OPERATION(appflow_delete_connector_profile, "DeleteConnectorProfile")
{
	char	   *name = jsonb_get_text(request, "connectorProfileName");
	char	   *flows;
	int64		count;

	refuse_builtin(name);
	(void) profile_own(name, HOLD_CHANGE);
	flows = profile_flows(name, &count);
	if (count > 0 && !jsonb_get_bool(request, "forceDelete", false))
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: Connector profile: %s is associated with one or more flows. "
					   "If you still want to delete it, then make delete request with forceDelete flag as true. "
					   "Some of the associated flows are: [%s]", name, flows));
	profile_forget(name);
	PG_RETURN_JSONB_P(operation_empty());
}

void
profile_forget(const char *name)
{
	profile_break_flows(name, psprintf("Connector profile %s was deleted.", name), operation_user_arn());
	secret_delete(PURPOSE, name);
	secret_delete("token", name);
	profile_delete(name);
}

/*
 * describe_connector_profiles(request jsonb) returns jsonb:
 * {"connectorProfileDetails": [...], "nextToken"}, in the order of names.
 * Follows DescribeConnectorProfiles of the API reference.  Names that are not
 * there are left out.
 */
OPERATION(appflow_describe_connector_profiles, "DescribeConnectorProfiles")
{
	OperationPage page = operation_page(request, "DescribeConnectorProfiles", 20);
	CatalogAccess access;
	CatalogValue values[7];
	Jsonb	   *profiles;
	char	   *last;
	bool		more;

	catalog_begin(&access);
	values[0] = catalog_text(page.after);
	values[1] = catalog_int64(page.size);
	values[2] = catalog_text(operation_arn("connectorprofile", ""));
	values[3] = catalog_oid(access.user);
	values[4] = catalog_jsonb(request);
	values[5] = catalog_text(custom_secret_arn("%s", "%s", "%s"));
	/* secrets are named after the connector's label, or else its type */
	catalog_execute("WITH profile AS ("
					"SELECT p.connector_profile_name, p.connector_type, p.connector_label, p.connection_mode, "
					"p.properties, p.created_at, p.last_updated_at, p.private_state, CASE WHEN p.has_credentials "
					"THEN pg_catalog.format($6, coalesce(p.connector_label, p.connector_type), p.connector_profile_name, "
					"p.credentials_id) END AS secret "
					"FROM appflow.connector_profile p WHERE "
					VISIBLE_TO("$4", GRANT_OF_PROFILE, "p.connector_profile_name", "p.owner") " "
					"UNION ALL SELECT '" POSTGRESQL_LABEL "', 'CustomConnector', '" POSTGRESQL_LABEL "', 'Public', "
					"'{\"CustomConnector\": {}}', NULL, NULL, NULL, NULL), "
					"visible AS (SELECT * FROM profile p "
					"WHERE ($1 IS NULL OR p.connector_profile_name OPERATOR(pg_catalog.>) $1) "
					"AND (NOT $5 OPERATOR(pg_catalog.?) 'connectorProfileNames' "
					"OR $5 OPERATOR(pg_catalog.->) 'connectorProfileNames' OPERATOR(pg_catalog.?) p.connector_profile_name) "
					"AND (NOT $5 OPERATOR(pg_catalog.?) 'connectorType' "
					"OR $5 OPERATOR(pg_catalog.->>) 'connectorType' OPERATOR(pg_catalog.=) p.connector_type) "
					"AND (NOT $5 OPERATOR(pg_catalog.?) 'connectorTypes' "
					"OR $5 OPERATOR(pg_catalog.->) 'connectorTypes' OPERATOR(pg_catalog.?) p.connector_type) "
					"AND (NOT $5 OPERATOR(pg_catalog.?) 'connectorLabel' "
					"OR $5 OPERATOR(pg_catalog.->>) 'connectorLabel' OPERATOR(pg_catalog.=) p.connector_label) "
					"ORDER BY p.connector_profile_name LIMIT $2 OPERATOR(pg_catalog.+) 1), "
					"page AS (SELECT * FROM visible ORDER BY connector_profile_name LIMIT $2) "
					"SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
					"'connectorProfileArn', $3 OPERATOR(pg_catalog.||) p.connector_profile_name, "
					"'connectorProfileName', p.connector_profile_name, 'connectorType', p.connector_type, "
					"'connectorLabel', p.connector_label, 'connectionMode', p.connection_mode, "
					"'credentialsArn', p.secret, 'connectorProfileProperties', p.properties, "
					"'createdAt', " EPOCH("p.created_at") ", 'lastUpdatedAt', " EPOCH("p.last_updated_at") ", "
					"'privateConnectionProvisioningState', p.private_state OPERATOR(pg_catalog.||) "
					"coalesce(pg_catalog.jsonb_build_object('failureMessage', " REFERENCE_TEXT("p.private_state OPERATOR(pg_catalog.->>) 'failureMessage'") "), '{}'))) ORDER BY p.connector_profile_name), '[]'), "
					"pg_catalog.max(p.connector_profile_name), "
					"(SELECT pg_catalog.count(*) FROM visible) OPERATOR(pg_catalog.>) $2 FROM page p", 6, values);
	profiles = catalog_get_jsonb(&access, 0, 1);
	last = catalog_get_text(&access, 0, 2);
	more = catalog_get_bool(0, 3);
	catalog_end(&access);
	PG_RETURN_JSONB_P(operation_page_response("connectorProfileDetails", profiles, "DescribeConnectorProfiles",
											  more ? last : NULL));
}
