/*-------------------------------------------------------------------------
 *
 * custom_session.c
 *	  What requests to custom connectors say of a connector profile.
 *
 * IDENTIFICATION
 *	  src/flow/custom_session.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/lambda.h"
#include "catalog/access.h"
#include "catalog/secret.h"
#include "flow/custom_session.h"
#include "flow/profile_auth.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"

char *
custom_function_arn(Jsonb *provisioning)
{
	char	   *arn = jsonb_get_text(jsonb_get_container(provisioning, "lambda"), "lambdaArn");

	if (arn == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connectorProvisioningConfig.lambda.lambdaArn is missing"));
	return arn;
}

char *
custom_secret_arn(const char *connector, const char *profile, const char *id)
{
	const char *account = GetConfigOption("appflow.account_id", false, false);

	return psprintf("arn:aws:secretsmanager:%s:%s:secret:appflow!%s-%s-%s-%s",
					GetConfigOption("appflow.region", false, false), account, account, connector, profile, id);
}

void
custom_check_credentials(const ConnectorRow *connector, const ProfileRow *profile)
{
	if (profile->has_credentials && lambda_is_arn(custom_function_arn(connector->provisioning)))
		ereport(ERROR,
				appflow_error_detail(WF_UNSUPPORTED, "Lambda functions get secrets from AWS Secrets Manager; "
									 "credentials given here are sealed in this database."),
				errmsg("connector profile \"%s\" cannot have credentials: connector \"%s\" is a function of AWS Lambda, "
					   "which could not read them", profile->name, connector->label),
				errhint("Let the function find its own, or make the connector a SQL function, see appflow.function_arn()."));
}

static Jsonb *
compute(const char *statement, int nvalues, const CatalogValue *values)
{
	CatalogAccess access;
	Jsonb	   *result;

	catalog_begin(&access);
	result = catalog_execute(statement, nvalues, values) > 0 ? catalog_get_jsonb(&access, 0, 1) : NULL;
	catalog_end(&access);
	return result;
}

/* An object with a text member more; not by a statement, whose parameters the server may log. */
static Jsonb *
with_text(Jsonb *object, const char *name, const char *text)
{
	StringInfoData member;
	Jsonb	   *added;

	if (text == NULL)
		return object;
	initStringInfo(&member);
	appendStringInfoChar(&member, '{');
	escape_json(&member, name);
	appendStringInfoChar(&member, ':');
	escape_json(&member, text);
	appendStringInfoChar(&member, '}');
	added = jsonb_parse(member.data);
	explicit_bzero(member.data, member.len);
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(object), JsonbPGetDatum(added)));
}

/* What a function that is a connector gets of credentials. */
static Jsonb *
secret_body(Jsonb *credentials)
{
	static const struct
	{
		const char *type;
		const char *member;
	}			kinds[] = {{"BASIC", "basic"}, {"APIKEY", "apiKey"}, {"OAUTH2", "oauth2"}};
	char	   *type = jsonb_get_text(credentials, "authenticationType");
	Jsonb	   *custom = jsonb_get_container(credentials, "custom");
	Jsonb	   *body = NULL;

	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		if (strcmp(type, kinds[i].type) == 0)
			body = jsonb_get_container(credentials, kinds[i].member);
	}
	if (strcmp(type, "CUSTOM") == 0)
	{
		body = jsonb_get_container(custom, "credentialsMap");
		body = with_text(body == NULL ? jsonb_parse("{}") : body, "customAuthenticationType",
						 jsonb_get_text(custom, "customAuthenticationType"));
	}
	return body == NULL ? NULL : DatumGetJsonbP(DirectFunctionCall1(jsonb_strip_nulls, JsonbPGetDatum(body)));
}

/* the secret gets the access token that is valid now, or another one if it has one already */
static bool
renew_token(CustomContext *context)
{
	Authenticator *authenticator = context->arg;

	if (!authenticator->obtain(authenticator, jsonb_get_text(context->secret.body, "accessToken") != NULL))
		return false;
	context->secret.body = with_text(context->secret.body, "accessToken", authenticator->token);
	return true;
}

#define AUTHENTICATION_TYPE(type) \
	"CASE " type " WHEN 'BASIC' THEN 'BasicAuth' WHEN 'OAUTH2' THEN 'OAuth2' " \
	"WHEN 'APIKEY' THEN 'ApiKey' WHEN 'CUSTOM' THEN 'CustomAuth' END"

static void
add_credentials(CustomContext *context, const ConnectorRow *connector, const ProfileRow *profile)
{
	char	   *text = secret_get("profile", profile->name);
	Jsonb	   *credentials;
	CatalogValue values[2];

	if (text == NULL)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("the credentials of connector profile \"%s\" are missing", profile->name),
				errhint("A restored dump may lack them; give them again with appflow.update_connector_profile()."));
	credentials = jsonb_get_container(jsonb_parse(text), "CustomConnector");
	secret_wipe(text);
	context->secret.arn = custom_secret_arn(connector->label, profile->name, profile->credentials_id);
	context->secret.body = secret_body(credentials);
	values[0] = catalog_text(jsonb_get_text(credentials, "authenticationType"));
	values[1] = catalog_text(context->secret.arn);
	context->credentials = compute("SELECT pg_catalog.jsonb_build_object('secretArn', $2, "
								   "'authenticationType', " AUTHENTICATION_TYPE("$1") ")", 2, values);
	if (strcmp(jsonb_get_text(credentials, "authenticationType"), "OAUTH2") == 0)
	{
		context->arg = profile_authenticator(profile, NULL);
		context->renew = renew_token;
	}
	explicit_bzero(credentials, VARSIZE(credentials));
}

CustomContext *
custom_context(const ConnectorRow *connector, const ProfileRow *profile)
{
	CustomContext *context = palloc0(sizeof(CustomContext));

	custom_check_credentials(connector, profile);

	/* a connector that was granted has its own rights, and gets none of whoever uses it */
	context->role = connector->owner;
	context->function = custom_function(custom_function_arn(connector->provisioning), connector->owner);
	context->settings = jsonb_get_container(jsonb_get_container(profile->properties, "CustomConnector"),
											"profileProperties");
	if (context->settings == NULL)
		context->settings = jsonb_parse("{}");
	if (profile->has_credentials)
		add_credentials(context, connector, profile);
	return context;
}
