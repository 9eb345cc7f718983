/*-------------------------------------------------------------------------
 *
 * credentials.c
 *	  What a connector profile must have: properties and credentials by
 *	  connector type and by the chosen way to authenticate.
 *
 * The shape table has the members that are required always.  Here is what is
 * required of one grant and not of another: only fields of the chosen grant are
 * asked for.
 *
 * IDENTIFICATION
 *	  src/operations/credentials.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "connector/traits.h"
#include "net/aws_service.h"
#include "operations/protocol.h"
#include "operations/shapes.h"
#include "record/errors.h"
#include "record/jsonb_access.h"

#define invalid(...) \
	ereport(ERROR, \
			appflow_error(WF_VALIDATION), \
			errmsg("Validation exception: " __VA_ARGS__))

static char *
upper(const char *name)
{
	char	   *text = pstrdup(name);

	for (char *p = text; *p; p++)
		*p = pg_toupper((unsigned char) *p);
	return text;
}

static bool
has(Jsonb *object, const char *key)
{
	char	   *text = jsonb_get_text(object, key);

	return text != NULL && text[0] != '\0';
}

/* the member of the connector itself; members of other connectors are a mistake */
static Jsonb *
own_member(Jsonb *object, const ConnectorTraits *traits, const char *path)
{
	Jsonb	   *own = NULL;
	ListCell   *lc;

	foreach(lc, jsonb_keys(object))
	{
		if (strcmp(lfirst(lc), traits->key) != 0)
			invalid("%s has a member %s, but the connector type is %s", path, (char *) lfirst(lc), traits->type);
		own = jsonb_get_container(object, traits->key);
	}
	return own;
}

/* whether the model requires members of the properties of a connector */
static bool
needs_properties(const ConnectorTraits *traits)
{
	const ShapeMember *member = shape_find_member(SHAPE_ConnectorProfileProperties, traits->key, strlen(traits->key));
	const Shape *shape = &shape_table[member->shape];

	for (int i = 0; i < shape->count; i++)
	{
		if (shape_members[shape->first + i].flags & MEMBER_REQUIRED)
			return true;
	}
	return false;
}

/* a token, or a code that can be turned into one */
static void
check_authorization_code(const ConnectorTraits *traits, Jsonb *credentials)
{
	if (!has(credentials, "accessToken") && !has(credentials, "refreshToken") &&
		!has(jsonb_get_container(credentials, "oAuthRequest"), "authCode"))
		invalid("AuthCode cannot be blank for connector: %s", upper(traits->type));
}

static void
check_grant(const ConnectorTraits *traits, const char *grant)
{
	for (int i = 0; i < (int) lengthof(grant_names); i++)
	{
		if (strcmp(grant, grant_names[i]) == 0 && (traits->grants & (1 << i)) == 0)
			invalid("oAuth2GrantType %s is not supported for connector: %s", grant, upper(traits->type));
	}
}

static void
check_salesforce(const ConnectorTraits *traits, Jsonb *credentials)
{
	char	   *grant = jsonb_get_text(credentials, "oAuth2GrantType");

	if (grant == NULL)
		grant = has(credentials, "jwtToken") ? "JWT_BEARER" : "AUTHORIZATION_CODE";
	check_grant(traits, grant);
	if (strcmp(grant, "JWT_BEARER") == 0)
	{
		if (!has(credentials, "jwtToken"))
			invalid("jwtToken cannot be blank for connector: %s with oAuth2GrantType JWT_BEARER", upper(traits->type));
	}
	else if (strcmp(grant, "CLIENT_CREDENTIALS") == 0)
	{
		if (!has(credentials, "clientCredentialsArn"))
			invalid("clientCredentialsArn cannot be blank for connector: %s with oAuth2GrantType CLIENT_CREDENTIALS",
					upper(traits->type));
	}
	else
		check_authorization_code(traits, credentials);
}

/* OAuth 2.0 of a custom connector, or of ServiceNow */
static void
check_oauth2(const ConnectorTraits *traits, Jsonb *oauth2, const char *grant)
{
	if (grant != NULL)
		check_grant(traits, grant);
	if (grant != NULL && strcmp(grant, "AUTHORIZATION_CODE") == 0)
		check_authorization_code(traits, oauth2);
	else if (has(oauth2, "accessToken"))
		return;
	else if (grant != NULL && strcmp(grant, "CLIENT_CREDENTIALS") == 0)
	{
		if (!has(oauth2, "clientId") || !has(oauth2, "clientSecret"))
			invalid("clientId and clientSecret cannot be blank for connector: %s with oAuth2GrantType CLIENT_CREDENTIALS",
					upper(traits->type));
	}
	else if (!has(oauth2, "refreshToken") && !(has(oauth2, "clientId") && has(oauth2, "clientSecret")) &&
			 !has(jsonb_get_container(oauth2, "oAuthRequest"), "authCode"))
		invalid("oauth2 has neither a token nor a code nor client credentials for connector: %s", upper(traits->type));
}

static void
check_custom_authentication(const ConnectorTraits *traits, Jsonb *properties, Jsonb *credentials,
							const ConnectorRow *connector)
{
	static const struct
	{
		const char *type;
		const char *member;
		const char *supported;
	}			ways[] = {
		{"OAUTH2", "oauth2", "isOAuth2Supported"},
		{"APIKEY", "apiKey", "isApiKeyAuthSupported"},
		{"BASIC", "basic", "isBasicAuthSupported"},
		{"CUSTOM", "custom", "isCustomAuthSupported"},
	};
	char	   *type = jsonb_get_text(credentials, "authenticationType");
	Jsonb	   *supported = connector == NULL ? NULL :
		jsonb_get_container(connector->configuration, "authenticationConfig");

	for (int i = 0; i < (int) lengthof(ways); i++)
	{
		Jsonb	   *own = jsonb_get_container(credentials, ways[i].member);

		if (strcmp(type, ways[i].type) != 0)
			continue;
		if (own == NULL)
			invalid("connectorProfileCredentials.CustomConnector.%s is missing: authenticationType is %s",
					ways[i].member, type);
		if (supported != NULL && !jsonb_get_bool(supported, ways[i].supported, false))
			invalid("connector \"%s\" does not support the authenticationType %s", connector->label, type);
		if (strcmp(type, "OAUTH2") == 0)
			check_oauth2(traits, own, jsonb_get_text(jsonb_get_container(properties, "oAuth2Properties"),
													 "oAuth2GrantType"));
	}
}

/* a setting that has no other values than some */
static void
check_value(const char *value, const char *key, Jsonb *options, const char *label)
{
	List	   *texts = jsonb_array_texts(options);
	ListCell   *lc;

	foreach(lc, texts)
	{
		if (strcmp(lfirst(lc), value) == 0)
			return;
	}
	if (texts != NIL)
		invalid("profileProperties.%s cannot be \"%s\", connector \"%s\" has other values for it, such as \"%s\"", key,
				value, label, (char *) linitial(texts));
}

/* the settings that a registered connector wants of every profile */
static void
check_settings(Jsonb *properties, const ConnectorRow *connector)
{
	Jsonb	   *given = jsonb_get_container(properties, "profileProperties");
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(connector->configuration, "connectorRuntimeSettings")))
	{
		char	   *key = jsonb_get_text(lfirst(lc), "key");
		char	   *scope = jsonb_get_text(lfirst(lc), "scope");

		if (scope != NULL && strcmp(scope, "CONNECTOR_PROFILE") == 0 &&
			jsonb_get_bool(lfirst(lc), "isRequired", false) && !has(given, key))
			invalid("profileProperties.%s is missing, connector \"%s\" requires it", key, connector->label);
		if (scope != NULL && strcmp(scope, "CONNECTOR_PROFILE") == 0 && has(given, key))
			check_value(jsonb_get_text(given, key), key, jsonb_get_container(lfirst(lc), "connectorSuppliedValueOptions"),
						connector->label);
	}
}

/* credentials of AWS: of these two forms, the keys have AWS's names */
static void
check_aws(Jsonb *properties, Jsonb *credentials)
{
	Jsonb	   *given = jsonb_get_container(properties, "profileProperties");
	char	   *region = jsonb_get_text(given, "region");
	char	   *endpoint = jsonb_get_text(given, "endpoint");
	Jsonb	   *map;

	if (region == NULL || region[0] == '\0' ||
		strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(region))
		invalid("profileProperties.region is missing, or no region of AWS");
	if (endpoint != NULL && !aws_is_endpoint(endpoint))
		invalid("profileProperties.endpoint is not https:// or http:// with a host and perhaps a port, and nothing behind it");
	if (credentials == NULL)
		return;
	map = jsonb_get_container(jsonb_get_container(credentials, "custom"), "credentialsMap");
	if (strcmp(jsonb_get_text(credentials, "authenticationType"), "CUSTOM") != 0 ||
		!has(map, "accessKeyId") || !has(map, "secretAccessKey"))
		invalid("credentials of AWS have the authenticationType CUSTOM, and accessKeyId, secretAccessKey and perhaps "
				"sessionToken in custom.credentialsMap");
}

static void
check_custom(const ConnectorTraits *traits, const ProfileRow *profile, Jsonb *properties, Jsonb *credentials,
			 const ConnectorRow *connector)
{
	if (profile->connector_label == NULL)
		invalid("connectorLabel is missing: it says which registered connector the profile is of");
	if (strcmp(profile->connector_label, POSTGRESQL_LABEL) == 0)
		invalid("connector \"%s\" has one profile, which is built in", POSTGRESQL_LABEL);
	if (strcmp(profile->connector_label, AWS_LABEL) == 0)
	{
		check_aws(properties, credentials);
		return;
	}
	check_settings(properties, connector);
	if (credentials != NULL)
		check_custom_authentication(traits, properties, credentials, connector);
}

static void
check_redshift(Jsonb *properties, Jsonb *credentials)
{
	if (has(properties, "databaseUrl"))
	{
		if (credentials != NULL && (!has(credentials, "username") || !has(credentials, "password")))
			invalid("username and password cannot be blank for connector: REDSHIFT with a databaseUrl");
		return;
	}
	if (!has(properties, "dataApiRoleArn") || !has(properties, "databaseName") ||
		(!has(properties, "clusterIdentifier") && !has(properties, "workgroupName")))
		invalid("connector: REDSHIFT needs a databaseUrl, or dataApiRoleArn, databaseName and one of "
				"clusterIdentifier and workgroupName");
}

static void
check_sapodata(const ConnectorTraits *traits, Jsonb *properties, Jsonb *credentials)
{
	Jsonb	   *basic = jsonb_get_container(credentials, "basicAuthCredentials");
	Jsonb	   *oauth = jsonb_get_container(credentials, "oAuthCredentials");

	if ((basic == NULL) == (oauth == NULL))
		invalid("connector: SAPODATA needs one of basicAuthCredentials and oAuthCredentials");
	if (oauth != NULL && jsonb_get_container(properties, "oAuthProperties") == NULL)
		invalid("oAuthProperties are missing for connector: SAPODATA with oAuthCredentials");
	if (oauth != NULL)
		check_authorization_code(traits, oauth);
}

static void
check_servicenow(const ConnectorTraits *traits, Jsonb *credentials)
{
	Jsonb	   *oauth2 = jsonb_get_container(credentials, "oAuth2Credentials");

	if (oauth2 != NULL)
		check_oauth2(traits, oauth2, NULL);
	else if (!has(credentials, "username") || !has(credentials, "password"))
		invalid("connector: SERVICENOW needs username and password, or oAuth2Credentials");
}

static void
check_connection(const ConnectorTraits *traits, const ProfileRow *profile, Jsonb *properties)
{
	if (strcmp(profile->connection_mode, "Private") != 0)
		return;
	if (!traits->private_link)
		invalid("connectionMode Private is not supported for connector: %s", upper(traits->type));
	if (traits->private_link_url_required && !has(properties, "privateLinkServiceName"))
		invalid("privateLinkServiceName cannot be blank for connector: %s with connectionMode Private",
				upper(traits->type));
	if (!traits->private_link_url_required && !has(properties, "instanceUrl"))
		invalid("instanceUrl cannot be blank for connector: %s with connectionMode Private", upper(traits->type));
}

void
profile_check(const ProfileRow *profile, Jsonb *credentials, const ConnectorRow *connector)
{
	const ConnectorTraits *traits = connector_traits_find(profile->connector_type);
	Jsonb	   *properties;
	Jsonb	   *own = NULL;

	if (!traits->needs_profile)
		invalid("connector type %s has no connector profiles: flows name it without one", traits->type);
	properties = own_member(profile->properties, traits, "connectorProfileProperties");
	if (properties == NULL && needs_properties(traits))
		invalid("connectorProfileProperties.%s is missing", traits->key);
	if (credentials != NULL)
		own = own_member(credentials, traits, "connectorProfileCredentials");
	if (own == NULL && connector_traits_type(traits) != CONNECTOR_CUSTOM && !profile->has_credentials &&
		!(connector_traits_type(traits) == CONNECTOR_REDSHIFT && !has(properties, "databaseUrl")))
		invalid("connectorProfileCredentials.%s is missing", traits->key);
	if (profile->connector_label != NULL && connector_traits_type(traits) != CONNECTOR_CUSTOM)
		invalid("connectorLabel goes with the connector type CustomConnector, not with %s", traits->type);
	check_connection(traits, profile, properties);

	switch (connector_traits_type(traits))
	{
		case CONNECTOR_CUSTOM:
			check_custom(traits, profile, properties, own, connector);
			break;
		case CONNECTOR_REDSHIFT:
			check_redshift(properties, own);
			break;
		default:
			break;
	}
	if (own == NULL)
		return;
	switch (connector_traits_type(traits))
	{
		case CONNECTOR_SALESFORCE:
			check_salesforce(traits, own);
			break;
		case CONNECTOR_SLACK:
		case CONNECTOR_ZENDESK:
		case CONNECTOR_GOOGLE_ANALYTICS:
		case CONNECTOR_PARDOT:
			check_authorization_code(traits, own);
			break;
		case CONNECTOR_SERVICENOW:
			check_servicenow(traits, own);
			break;
		case CONNECTOR_SAP_ODATA:
			check_sapodata(traits, properties, own);
			break;
		default:
			break;
	}
}
