/*-------------------------------------------------------------------------
 *
 * manifest_form.c
 *	  Manifests that are registered, in the form of the reference.
 *
 * IDENTIFICATION
 *	  src/operations/manifest_form.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector/manifest_engine.h"
#include "connector/traits.h"
#include "lib/stringinfo.h"
#include "operations/manifest_form.h"
#include "operations/operations.h"
#include "operations/shapes.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/json.h"

static void
begin_member(StringInfo out, const char *name)
{
	char		last = out->data[out->len - 1];

	appendStringInfo(out, "%s\"%s\": ", last == '{' ? "" : ", ", name);
}

static void
add_text(StringInfo out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	begin_member(out, name);
	escape_json(out, text);
}

static void
add_boolean(StringInfo out, const char *name, bool value)
{
	begin_member(out, name);
	appendStringInfoString(out, value ? "true" : "false");
}

static void
add_texts(StringInfo out, const char *name, const ManifestTexts *texts)
{
	if (texts->count == 0)
		return;
	begin_member(out, name);
	for (int i = 0; i < texts->count; i++)
	{
		appendStringInfoString(out, i == 0 ? "[" : ", ");
		escape_json(out, texts->items[i]);
	}
	appendStringInfoChar(out, ']');
}

/* those of a list of names whose bits are set */
static void
add_set(StringInfo out, const char *name, const char *const *names, int count, uint32 set)
{
	bool		any = false;

	begin_member(out, name);
	appendStringInfoChar(out, '[');
	for (int i = 0; i < count; i++)
	{
		if ((set & (UINT32_C(1) << i)) == 0)
			continue;
		appendStringInfo(out, "%s\"%s\"", any ? ", " : "", names[i]);
		any = true;
	}
	appendStringInfoChar(out, ']');
}

static void
add_settings(StringInfo out, const Manifest *manifest)
{
	if (manifest->settings.count == 0)
		return;
	begin_member(out, "connectorRuntimeSettings");
	for (int i = 0; i < manifest->settings.count; i++)
	{
		const ManifestSetting *setting = &manifest->settings.items[i];

		appendStringInfoString(out, i == 0 ? "[{" : ", {");
		add_text(out, "key", setting->key);
		add_text(out, "dataType", "String");
		add_boolean(out, "isRequired", setting->required && setting->otherwise == NULL);
		add_text(out, "label", setting->label);
		add_text(out, "description", setting->description);
		add_text(out, "scope", manifest_scopes[setting->scope]);
		add_texts(out, "connectorSuppliedValueOptions", &setting->values);
		appendStringInfoChar(out, '}');
	}
	appendStringInfoChar(out, ']');
}

/* the members of credentialsMap that the templates name */
static void
add_credentials(StringInfo out, const ManifestPairs *pairs, bool *any)
{
	for (int i = 0; i < pairs->count; i++)
	{
		const char *template = pairs->items[i].value;
		TemplatePiece piece;

		while (template_next(&template, &piece))
		{
			if (!piece.value || piece.length <= 11 || strncmp(piece.text, "credential.", 11) != 0)
				continue;
			appendStringInfoString(out, *any ? ", {" : "{");
			*any = true;
			add_text(out, "key", pnstrdup(piece.text + 11, piece.length - 11));
			add_boolean(out, "isRequired", true);
			add_boolean(out, "isSensitiveField", true);
			appendStringInfoChar(out, '}');
		}
	}
}

static void
add_authentication(StringInfo out, const ManifestAuthentication *authentication)
{
	bool		any = false;

	begin_member(out, "authenticationConfig");
	appendStringInfoChar(out, '{');
	add_boolean(out, "isBasicAuthSupported", authentication->basic);
	add_boolean(out, "isApiKeyAuthSupported", authentication->api_key != NULL);
	add_boolean(out, "isOAuth2Supported", authentication->oauth2 != NULL);
	add_boolean(out, "isCustomAuthSupported", authentication->custom != NULL);
	if (authentication->oauth2 != NULL)
	{
		begin_member(out, "oAuth2Defaults");
		appendStringInfoChar(out, '{');
		add_set(out, "oauth2GrantTypesSupported", grant_names, lengthof(grant_names), authentication->oauth2->grants);
		add_texts(out, "oauthScopes", &authentication->oauth2->scopes);
		add_texts(out, "tokenUrls", &authentication->oauth2->token_urls);
		add_texts(out, "authCodeUrls", &authentication->oauth2->auth_code_urls);
		appendStringInfoChar(out, '}');
	}
	if (authentication->custom != NULL)
	{
		begin_member(out, "customAuthConfigs");
		appendStringInfoString(out, "[{");
		add_text(out, "customAuthenticationType", authentication->custom->type);
		begin_member(out, "authParameters");
		appendStringInfoChar(out, '[');
		add_credentials(out, &authentication->custom->headers, &any);
		add_credentials(out, &authentication->custom->parameters, &any);
		appendStringInfoString(out, "]}]");
	}
	appendStringInfoChar(out, '}');
}

/* whether any entity can be read, and the operations by which any can be written */
static bool
abilities(const Manifest *manifest, uint32 *writes)
{
	bool		reads = false;

	*writes = 0;
	for (int i = 0; i < manifest->entities.count; i++)
	{
		const ManifestEntity *entity = &manifest->entities.items[i];

		reads = reads || entity->read.count > 0;
		for (int k = 0; k < (int) lengthof(entity->write); k++)
		{
			if (entity->write[k] != NULL)
				*writes |= 1U << k;
		}
	}
	return reads;
}

Jsonb *
manifest_configuration(const char *label, Jsonb *document)
{
	static const char *const modes[] = {"SOURCE", "DESTINATION"};
	const ConnectorTraits *traits = &connector_traits[CONNECTOR_CUSTOM];
	char	   *problem;
	const Manifest *manifest = manifest_from_jsonb(document, &problem);
	StringInfoData out;
	uint32		writes;
	bool		reads;

	if (manifest == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connectorProvisioningConfig.manifest is not valid: %s", problem));
	reads = abilities(manifest, &writes);
	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	add_text(&out, "connectorType", traits->type);
	add_text(&out, "connectorLabel", label);
	add_text(&out, "connectorArn", operation_arn("connector", label));
	add_text(&out, "connectorProvisioningType", "MANIFEST");
	add_text(&out, "connectorName", manifest->name != NULL ? manifest->name : label);
	add_text(&out, "connectorDescription", manifest->description);
	add_text(&out, "connectorOwner", manifest->owner);
	add_text(&out, "connectorVersion", manifest->connector_version);
	add_text(&out, "logoURL", manifest->logo_url);
	add_set(&out, "connectorModes", modes, lengthof(modes), (reads ? 1 : 0) | (writes != 0 ? 2 : 0));
	add_boolean(&out, "canUseAsSource", reads);
	add_boolean(&out, "canUseAsDestination", writes != 0);
	add_texts(&out, "supportedApiVersions", &manifest->api_versions);
	add_set(&out, "supportedOperators", task_operator_names, TASK_OPERATOR_COUNT, traits->operators);
	add_set(&out, "supportedTriggerTypes", trigger_names, lengthof(trigger_names), TRIGGER_SCHEDULED | TRIGGER_ON_DEMAND);
	add_set(&out, "supportedSchedulingFrequencies", frequency_names, lengthof(frequency_names), traits->frequencies);
	if (writes != 0)
		add_set(&out, "supportedWriteOperations", write_names, lengthof(write_names), writes);
	appendStringInfoString(&out, ", \"supportedDataTransferTypes\": [\"RECORD\"]");
	add_settings(&out, manifest);
	add_authentication(&out, manifest->authentication);
	appendStringInfoChar(&out, '}');
	return shape_read_structure(shape_table[SHAPE_ConnectorConfiguration].name, SHAPE_ConnectorConfiguration,
								jsonb_parse(out.data));
}
