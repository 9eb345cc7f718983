/*-------------------------------------------------------------------------
 *
 * connector_form.c
 *	  Connector types in the form of the reference.
 *
 * Built from the same traits that flows and profiles are checked against, so
 * that what is offered is what is accepted.
 *
 * IDENTIFICATION
 *	  src/operations/connector_form.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"
#include "operations/connector_form.h"
#include "operations/shapes.h"
#include "record/errors.h"
#include "utils/builtins.h"

extern PGDLLEXPORT Datum appflow_connector_configuration(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(appflow_connector_configuration);

/* what is being built, and what of it is done */
typedef struct Form
{
	JsonbParseState *state;
	JsonbValue *result;
} Form;

static void
push(Form *form, JsonbIteratorToken token)
{
	form->result = pushJsonbValue(&form->state, token, NULL);
}

static void
push_text(Form *form, JsonbIteratorToken token, const char *text)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	form->result = pushJsonbValue(&form->state, token, &value);
}

static void
push_member(Form *form, const char *name, const char *text)
{
	push_text(form, WJB_KEY, name);
	push_text(form, WJB_VALUE, text);
}

static void
push_boolean(Form *form, const char *name, bool boolean)
{
	JsonbValue	value = {.type = jbvBool};

	value.val.boolean = boolean;
	push_text(form, WJB_KEY, name);
	form->result = pushJsonbValue(&form->state, WJB_VALUE, &value);
}

/* the names whose bits are set */
static void
push_set(Form *form, const char *name, const char *const *names, int count, uint32 set)
{
	push_text(form, WJB_KEY, name);
	push(form, WJB_BEGIN_ARRAY);
	for (int i = 0; i < count; i++)
	{
		if (set & (UINT32_C(1) << i))
			push_text(form, WJB_ELEM, names[i]);
	}
	push(form, WJB_END_ARRAY);
}

/* all names of a list; addresses that only an instance knows are left out */
static void
push_list(Form *form, const char *name, const char *const *names)
{
	push_text(form, WJB_KEY, name);
	push(form, WJB_BEGIN_ARRAY);
	for (; names && *names; names++)
	{
		if ((*names)[0] != '/')
			push_text(form, WJB_ELEM, *names);
	}
	push(form, WJB_END_ARRAY);
}

static void
push_modes(Form *form, const ConnectorTraits *traits)
{
	static const char *const modes[] = {"SOURCE", "DESTINATION"};

	push_set(form, "connectorModes", modes, lengthof(modes),
			 (traits->source ? 1 : 0) | (traits->destination ? 2 : 0));
}

/* {"Salesforce": {"oAuthScopes": [...], ...}}, with what the model has for the connector */
static void
push_metadata(Form *form, const ConnectorTraits *traits)
{
	const ShapeMember *metadata = shape_find_member(SHAPE_ConnectorMetadata, traits->key, strlen(traits->key));

	if (metadata == NULL)
		return;
	push_text(form, WJB_KEY, "connectorMetadata");
	push(form, WJB_BEGIN_OBJECT);
	push_text(form, WJB_KEY, metadata->name);
	push(form, WJB_BEGIN_OBJECT);
	for (int i = 0; i < shape_table[metadata->shape].count; i++)
	{
		const char *name = shape_members[shape_table[metadata->shape].first + i].name;

		if (strcmp(name, "oAuthScopes") == 0 && traits->oauth_scopes)
			push_list(form, name, traits->oauth_scopes);
		else if (strcmp(name, "dataTransferApis") == 0 && traits->data_transfer_apis)
			push_list(form, name, traits->data_transfer_apis);
		else if (strcmp(name, "oauth2GrantTypesSupported") == 0)
			push_set(form, name, grant_names, lengthof(grant_names), traits->grants);
	}
	push(form, WJB_END_OBJECT);
	push(form, WJB_END_OBJECT);
}

static void
push_authentication(Form *form, const ConnectorTraits *traits)
{
	if (traits->auth == 0)
		return;
	push_text(form, WJB_KEY, "authenticationConfig");
	push(form, WJB_BEGIN_OBJECT);
	push_boolean(form, "isBasicAuthSupported", (traits->auth & AUTH_BASIC) != 0);
	push_boolean(form, "isApiKeyAuthSupported", (traits->auth & AUTH_APIKEY) != 0);
	push_boolean(form, "isOAuth2Supported", (traits->auth & AUTH_OAUTH2) != 0);
	push_boolean(form, "isCustomAuthSupported", (traits->auth & AUTH_CUSTOM) != 0);
	if (traits->auth & AUTH_OAUTH2)
	{
		push_text(form, WJB_KEY, "oAuth2Defaults");
		push(form, WJB_BEGIN_OBJECT);
		push_list(form, "oauthScopes", traits->oauth_scopes);
		push_list(form, "tokenUrls", traits->token_urls);
		push_list(form, "authCodeUrls", traits->auth_code_urls);
		push_set(form, "oauth2GrantTypesSupported", grant_names, lengthof(grant_names), traits->grants);
		push(form, WJB_END_OBJECT);
	}
	push(form, WJB_END_OBJECT);
}

Jsonb *
connector_configuration(const ConnectorTraits *traits)
{
	static const char *const data_types[] = {"RECORD"};
	const char *types[CONNECTOR_TYPE_COUNT];
	Form		form = {0};

	for (int i = 0; i < CONNECTOR_TYPE_COUNT; i++)
		types[i] = connector_traits[i].type;

	push(&form, WJB_BEGIN_OBJECT);
	push_member(&form, "connectorType", traits->type);
	push_member(&form, "connectorName", traits->name);
	push_member(&form, "connectorDescription", traits->description);
	push_boolean(&form, "canUseAsSource", traits->source);
	push_boolean(&form, "canUseAsDestination", traits->destination);
	push_modes(&form, traits);
	push_set(&form, "supportedDestinationConnectors", types, CONNECTOR_TYPE_COUNT, traits->destinations);
	push_set(&form, "supportedSchedulingFrequencies", frequency_names, lengthof(frequency_names),
			 traits->frequencies);
	push_set(&form, "supportedTriggerTypes", trigger_names, lengthof(trigger_names),
			 traits->source ? traits->source_triggers : traits->destination_triggers);
	push_set(&form, "supportedOperators", task_operator_names, TASK_OPERATOR_COUNT, traits->operators);
	push_set(&form, "supportedWriteOperations", write_names, lengthof(write_names), traits->writes);
	push_set(&form, "supportedDataTransferTypes", data_types, lengthof(data_types), 1);
	push_boolean(&form, "isPrivateLinkEnabled", traits->private_link);
	push_boolean(&form, "isPrivateLinkEndpointUrlRequired", traits->private_link_url_required);
	push_metadata(&form, traits);
	push_authentication(&form, traits);
	if (traits->api_versions)
		push_list(&form, "supportedApiVersions", traits->api_versions);
	push(&form, WJB_END_OBJECT);
	return JsonbValueToJsonb(form.result);
}

/*
 * appflow.connector_configuration(connector_type text) returns jsonb
 */
Datum
appflow_connector_configuration(PG_FUNCTION_ARGS)
{
	char	   *type = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const ConnectorTraits *traits = connector_traits_find(type);

	if (traits == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("unknown connector type \"%s\"", type));
	PG_RETURN_JSONB_P(connector_configuration(traits));
}
