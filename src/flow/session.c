/*-------------------------------------------------------------------------
 *
 * session.c
 *	  Connectors by name, and sessions with them.
 *
 * IDENTIFICATION
 *	  src/flow/session.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/lambda.h"
#include "connector/entity_form.h"
#include "connector/manifest_engine.h"
#include "flow/custom_session.h"
#include "flow/profile_auth.h"
#include "flow/session.h"
#include "net/aws_service.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

/* a connector that was registered by its manifest */
static const Connector *
registered_connector(const ProfileRow *profile, const ConnectorRow *row)
{
	char	   *problem;
	const Manifest *manifest = manifest_from_jsonb(jsonb_get_container(row->provisioning, "manifest"), &problem);

	if (manifest == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the manifest of connector \"%s\" is not valid: %s", row->label, problem),
				errhint("It was registered with another version of appflow: see doc/manifest.md, and give it anew "
						"with appflow.update_connector_registration()."));
	return manifest_connector(manifest, profile->connector_type, row->label);
}

const Connector *
connector_of_profile(const ProfileRow *profile)
{
	const ConnectorRow *row;

	if (profile == NULL)
		return app_find(connector_traits[CONNECTOR_S3].type, NULL);
	if (profile->connector_label != NULL)
	{
		row = connector_get(profile->connector_label, HOLD_NOT);
		if (row != NULL && jsonb_get_container(row->provisioning, "lambda") != NULL)
			return lambda_is_arn(custom_function_arn(row->provisioning)) ? &custom_lambda_connector :
				&custom_function_connector;
		if (row != NULL && jsonb_get_container(row->provisioning, "manifest") != NULL)
			return registered_connector(profile, row);
	}
	return app_find(profile->connector_type, profile->connector_label);
}

void
session_refuse(const char *profile, const char *label)
{
	if (label != NULL && pg_strcasecmp(label, AWS_LABEL) == 0)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("connector profile \"%s\" holds credentials of AWS, records are not moved by it", profile));
	ereport(ERROR,
			appflow_error(WF_NOT_FOUND),
			errmsg("connector \"%s\" of connector profile \"%s\" is not registered any more", label == NULL ? "" : label, profile));
}

/* what the session needs of a profile that was made by somebody */
static void
use_profile(ConnectorSession *session, const ProfileRow *profile)
{
	const ConnectorTraits *traits = connector_traits_find(profile->connector_type);

	session->connector = connector_of_profile(profile);
	if (session->connector == NULL)
		session_refuse(profile->name, profile->connector_label);
	session->profile_properties = jsonb_get_container(profile->properties, traits->key);
	if (profile->connector_label != NULL)
	{
		ConnectorRow *row = connector_get(profile->connector_label, HOLD_NOT);

		if (row == NULL)
			session_refuse(profile->name, profile->connector_label);
		session->provisioning = row->provisioning;
		if (jsonb_get_container(row->provisioning, "lambda") != NULL)
		{
			/* it authenticates for itself */
			session->state = custom_context(row, profile);
			return;
		}
	}
	/* the Data API of Redshift is asked with an identity of AWS, and its database by another protocol */
	if (connector_traits_type(traits) == CONNECTOR_REDSHIFT)
	{
		if (profile->has_credentials)
			session->authenticator = profile_authenticator(profile, NULL);
	}
	else
		session->authenticator = profile_authenticator(profile, &session->base);
	if (session->authenticator != NULL && session->authenticator->kind == BY_SIGV4)
		aws_check_identity(session->role, "");
}

/* in a context of its own below the current one, which becomes the current one */
static ConnectorSession *
begin_session(const char *profile_name, Oid role)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow connector session",
												  ALLOCSET_SMALL_SIZES);
	ConnectorSession *session;

	MemoryContextSwitchTo(context);
	session = palloc0(sizeof(ConnectorSession));
	session->context = context;
	session->role = role;
	session->profile_name = profile_name == NULL ? NULL : pstrdup(profile_name);
	return session;
}

ConnectorSession *
session_open(const char *connector_type, const char *profile_name, const char *api_version, Oid role)
{
	MemoryContext old = CurrentMemoryContext;
	ConnectorSession *session = begin_session(profile_name, role);

	session->api_version = api_version == NULL || api_version[0] == '\0' ? NULL : pstrdup(api_version);
	if (profile_name == NULL || strcmp(profile_name, POSTGRESQL_LABEL) == 0)
	{
		session->connector = app_find(connector_type, profile_name);
		if (session->connector == NULL)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("connector type \"%s\" needs a connector profile", connector_type));
	}
	else
		use_profile(session, profile_use_as(profile_name, HOLD_NOT, role));
	MemoryContextSwitchTo(old);
	return session;
}

ConnectorSession *
session_open_profile(const ProfileRow *profile, Oid role)
{
	MemoryContext old = CurrentMemoryContext;
	ConnectorSession *session = begin_session(profile->name, role);

	use_profile(session, profile);
	MemoryContextSwitchTo(old);
	return session;
}

void
session_close(ConnectorSession *session)
{
	MemoryContextDelete(session->context);
}

Schema *
session_describe(ConnectorSession *session, const char *entity, bool cached_only)
{
	MetadataKey key = {
		.profile = session->profile_name, .api_version = session->api_version ? session->api_version : "",
		.kind = METADATA_ENTITY, .path = entity
	};
	bool		kept = session->authenticator != NULL || session->provisioning != NULL;
	Jsonb	   *metadata = kept ? metadata_get(&key) : NULL;
	Schema	   *schema;

	if (metadata != NULL)
		return schema_from_wire(metadata);
	if ((cached_only && kept) || session->connector->describe_entity == NULL)
		return NULL;
	schema = session->connector->describe_entity(session, entity);
	if (schema != NULL && kept)
		metadata_put(&key, schema_to_wire(schema), METADATA_SECONDS);
	return schema;
}
