/*-------------------------------------------------------------------------
 *
 * protocol.c
 *	  The handshake with connectors that are functions: requests of AppFlow's
 *	  Lambda protocol, and their answers in the reference's form.
 *
 * Answers are checked strictly, against the shapes of the operations that show
 * them: what a connector says wrongly is found when it is registered or asked,
 * not when somebody reads it.
 *
 * IDENTIFICATION
 *	  src/operations/protocol.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "flow/custom_session.h"
#include "miscadmin.h"
#include "operations/operations.h"
#include "operations/protocol.h"
#include "operations/shapes.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

/* pages of a listing at most */
#define MAX_PAGES 1000

/* the value as the structure says, or the answer is not valid */
static Jsonb *
checked(CustomFunction function, const char *type, ShapeId structure, Jsonb *value)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile result = NULL;

	PG_TRY();
	{
		result = shape_read_structure(shape_table[structure].name, structure, value);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (appflow_exception_of_sqlstate(error->sqlerrcode) == NULL)
			PG_RE_THROW();
		FlushErrorState();
		custom_invalid_answer(function, type, error->message);
	}
	PG_END_TRY();
	return result;
}

/* ---------- DescribeConnectorConfiguration ---------- */

/* the values of an enum that the connector listed, and if it listed none all of them */
#define LISTED(answer_key, all) \
	"CASE WHEN pg_catalog.jsonb_typeof($1 OPERATOR(pg_catalog.->) '" answer_key "') OPERATOR(pg_catalog.=) 'array' " \
	"AND pg_catalog.jsonb_array_length($1 OPERATOR(pg_catalog.->) '" answer_key "') OPERATOR(pg_catalog.>) 0 " \
	"THEN $1 OPERATOR(pg_catalog.->) '" answer_key "' ELSE '" all "' END"

#define ALL_OPERATORS \
	"[\"PROJECTION\", \"LESS_THAN\", \"GREATER_THAN\", \"CONTAINS\", \"BETWEEN\", \"LESS_THAN_OR_EQUAL_TO\", " \
	"\"GREATER_THAN_OR_EQUAL_TO\", \"EQUAL_TO\", \"NOT_EQUAL_TO\", \"ADDITION\", \"MULTIPLICATION\", \"DIVISION\", " \
	"\"SUBTRACTION\", \"MASK_ALL\", \"MASK_FIRST_N\", \"MASK_LAST_N\", \"VALIDATE_NON_NULL\", \"VALIDATE_NON_ZERO\", " \
	"\"VALIDATE_NON_NEGATIVE\", \"VALIDATE_NUMERIC\", \"NO_OP\"]"

/* an array of objects, each made anew of e; nothing for what is not an array */
#define EACH(array, object) \
	"(SELECT pg_catalog.jsonb_agg(" object " ORDER BY n) FROM pg_catalog.jsonb_array_elements(" \
	"CASE pg_catalog.jsonb_typeof(" array ") WHEN 'array' THEN " array " ELSE '[]' END) WITH ORDINALITY AS x (e, n))"

/* those of an array of URLs that have no {{part}} for the user to fill in: profiles give theirs whole */
#define WHOLE_URLS(array) \
	"(SELECT pg_catalog.jsonb_agg(u ORDER BY n) FROM pg_catalog.jsonb_array_elements(" \
	"CASE pg_catalog.jsonb_typeof(" array ") WHEN 'array' THEN " array " ELSE '[]' END) WITH ORDINALITY AS v (u, n) " \
	"WHERE u #>> '{}' !~ '[{}]')"

static const char *const configuration_statement =
	"SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
	"'connectorType', 'CustomConnector', 'connectorLabel', $2, 'connectorArn', $3, "
	"'connectorProvisioningType', 'LAMBDA', "
	"'connectorOwner', $1->'connectorOwner', 'connectorName', $1->'connectorName', "
	"'connectorVersion', $1->'connectorVersion', 'connectorModes', $1->'connectorModes', "
	"'canUseAsSource', pg_catalog.jsonb_path_exists($1, '$.connectorModes[*] ? (@ == \"SOURCE\")'), "
	"'canUseAsDestination', pg_catalog.jsonb_path_exists($1, '$.connectorModes[*] ? (@ == \"DESTINATION\")'), "
	"'supportedApiVersions', $1->'supportedApiVersions', "
	"'supportedOperators', " LISTED("operatorsSupported", ALL_OPERATORS) ", "
	"'supportedTriggerTypes', (SELECT pg_catalog.jsonb_agg(CASE t #>> '{}' WHEN 'SCHEDULED' THEN 'Scheduled' "
	"WHEN 'ONDEMAND' THEN 'OnDemand' WHEN 'EVENT' THEN 'Event' ELSE t #>> '{}' END) "
	"FROM pg_catalog.jsonb_array_elements(" LISTED("supportedTriggerTypes", "[\"SCHEDULED\", \"ONDEMAND\"]") ") t), "
	"'supportedSchedulingFrequencies', "
	LISTED("triggerFrequenciesSupported", "[\"BYMINUTE\", \"HOURLY\", \"DAILY\", \"WEEKLY\", \"MONTHLY\", \"ONCE\"]") ", "
	"'supportedWriteOperations', CASE WHEN pg_catalog.jsonb_path_exists($1, '$.connectorModes[*] ? (@ == \"DESTINATION\")') THEN "
	LISTED("supportedWriteOperations", "[\"INSERT\", \"UPDATE\", \"UPSERT\", \"DELETE\"]") " END, "
	"'supportedDataTransferTypes', " LISTED("supportedDataTransferTypes", "[\"RECORD\"]") ", "
	"'logoURL', $1->'logoURL', "
	"'connectorRuntimeSettings', " EACH("$1->'connectorRuntimeSetting'",
	"pg_catalog.jsonb_build_object('key', e->'key', 'dataType', e->'dataType', 'isRequired', e->'required', "
	"'label', e->'label', 'description', e->'description', 'scope', e->'scope', "
	"'connectorSuppliedValueOptions', e->'connectorSuppliedValueOptions')") ", "
	"'authenticationConfig', CASE WHEN $1 ? 'authenticationConfig' THEN pg_catalog.jsonb_build_object("
	"'isBasicAuthSupported', $1#>'{authenticationConfig,isBasicAuthSupported}', "
	"'isApiKeyAuthSupported', $1#>'{authenticationConfig,isApiKeyAuthSupported}', "
	"'isOAuth2Supported', $1#>'{authenticationConfig,isOAuth2Supported}', "
	"'isCustomAuthSupported', $1#>'{authenticationConfig,isCustomAuthSupported}', "
	"'oAuth2Defaults', (SELECT pg_catalog.jsonb_build_object("
	"'oauthScopes', d->'oAuthScopes', 'tokenUrls', " WHOLE_URLS("d->'tokenURL'") ", 'authCodeUrls', " WHOLE_URLS("d->'authURL'") ", "
	"'oauth2GrantTypesSupported', d->'oAuth2GrantTypesSupported', "
	"'oauth2CustomProperties', " EACH("coalesce(d->'oAuth2CustomProperties', d->'oauth2CustomProperties')",
	"pg_catalog.jsonb_build_object('key', e->'key', 'isRequired', e->'required', 'label', e->'label', "
	"'description', e->'description', 'type', e->'type', 'isSensitiveField', e->'sensitiveField', "
	"'connectorSuppliedValues', e->'connectorSuppliedValues')") ") "
	"FROM (SELECT $1#>'{authenticationConfig,oAuth2Defaults}') AS y (d) WHERE pg_catalog.jsonb_typeof(d) = 'object'), "
	"'customAuthConfigs', " EACH("$1#>'{authenticationConfig,customAuthConfig}'",
	"pg_catalog.jsonb_build_object('customAuthenticationType', e->'authenticationType', "
	"'authParameters', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('key', p->'key', "
	"'isRequired', p->'required', 'label', p->'label', 'description', p->'description', "
	"'isSensitiveField', p->'sensitiveField', 'connectorSuppliedValues', p->'connectorSuppliedValues') ORDER BY m) "
	"FROM pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(e->'authParameters') WHEN 'array' "
	"THEN e->'authParameters' ELSE '[]' END) WITH ORDINALITY AS z (p, m)))") ") END))";

Jsonb *
protocol_describe_configuration(const char *label, Jsonb *provisioning, Oid role)
{
	static const char *const type = "DescribeConnectorConfigurationRequest";
	static const char *const required[] = {
		"connectorOwner", "connectorName", "connectorVersion", "connectorModes", "supportedApiVersions",
		"authenticationConfig"
	};
	CustomFunction function = custom_function(custom_function_arn(provisioning), role);
	CatalogValue values[3];
	Jsonb	   *answer;

	values[0] = catalog_text(type);
	values[1] = catalog_text(label);
	answer = custom_call(function, role, type,
						 operation_respond("SELECT pg_catalog.jsonb_build_object('type', $1, 'locale', 'en-US', "
										   "'connectorLabel', $2)", 2, values), NULL);
	for (int i = 0; i < (int) lengthof(required); i++)
	{
		if (jsonb_get_text(answer, required[i]) == NULL && jsonb_get_container(answer, required[i]) == NULL)
			custom_invalid_answer(function, type, psprintf("%s is missing", required[i]));
	}
	if (jsonb_array_texts(jsonb_get_container(answer, "connectorModes")) == NIL)
		custom_invalid_answer(function, type, "connectorModes names neither SOURCE nor DESTINATION");
	values[0] = catalog_jsonb(answer);
	values[1] = catalog_text(label);
	values[2] = catalog_text(operation_arn("connector", label));
	return checked(function, type, SHAPE_ConnectorConfiguration,
				   operation_respond(configuration_statement, 3, values));
}

/* ---------- what requests say of a profile ---------- */

static Jsonb *
call(const CustomContext *context, const char *type, Jsonb *request)
{
	return custom_call(context->function, context->role, type, request,
					   context->credentials == NULL ? NULL : &context->secret);
}

static Jsonb *
connector_context(const CustomContext *context, const ProfileRow *profile, const char *api_version)
{
	CatalogValue values[] = {
		catalog_text(api_version[0] ? api_version : NULL), catalog_jsonb(context->settings),
		catalog_jsonb(context->credentials), catalog_text(profile->name)
	};

	return operation_respond("SELECT pg_catalog.jsonb_build_object('apiVersion', $1, 'connectorRuntimeSettings', $2, "
							 "'credentials', $3, 'entityDefinition', NULL, 'flowName', NULL, 'executionId', NULL, "
							 "'connectorProfileLabel', $4)", lengthof(values), values);
}

void
protocol_validate_settings(const ConnectorRow *connector, const ProfileRow *profile)
{
	static const char *const type = "ValidateConnectorRuntimeSettingsRequest";
	CustomContext *context = custom_context(connector, profile);
	CatalogValue values[] = {catalog_text(type), catalog_jsonb(context->settings)};

	(void) call(context, type,
				operation_respond("SELECT pg_catalog.jsonb_build_object('type', $1, 'scope', 'CONNECTOR_PROFILE', "
								  "'connectorRuntimeSettings', $2)", 2, values));
}

void
protocol_validate_credentials(const ConnectorRow *connector, const ProfileRow *profile)
{
	static const char *const type = "ValidateCredentialsRequest";
	CustomContext *context = custom_context(connector, profile);
	CatalogValue values[] = {
		catalog_text(type), catalog_jsonb(context->credentials), catalog_jsonb(context->settings)
	};

	(void) call(context, type,
				operation_respond("SELECT pg_catalog.jsonb_build_object('type', $1, 'credentials', $2, "
								  "'connectorRuntimeSettings', $3)", 3, values));
}

/* ---------- entities and fields ---------- */

/* how long an answer may be kept, by its cacheControl */
static int64
time_to_live(Jsonb *answer)
{
	static const struct
	{
		const char *name;
		double		seconds;
	}			units[] = {
		{"NANOSECONDS", 1e-9}, {"MICROSECONDS", 1e-6}, {"MILLISECONDS", 1e-3}, {"SECONDS", 1},
		{"MINUTES", 60}, {"HOURS", 3600}, {"DAYS", 86400},
	};
	Jsonb	   *control = jsonb_get_container(answer, "cacheControl");
	char	   *unit = jsonb_get_text(control, "timeToLiveUnit");
	int64		live;

	for (int i = 0; unit != NULL && i < (int) lengthof(units); i++)
	{
		if (strcmp(unit, units[i].name) == 0 && jsonb_get_int64(control, "timeToLive", &live) && live >= 0)
			return (int64) Min(live * units[i].seconds, 365.0 * 86400);
	}
	return METADATA_SECONDS;
}

Jsonb *
protocol_list_entities(const ConnectorRow *connector, const ProfileRow *profile,
					   const char *api_version, const char *path, int64 *seconds)
{
	static const char *const type = "ListEntitiesRequest";
	CustomContext *context = custom_context(connector, profile);
	Jsonb	   *entities = NULL;
	char	   *token = NULL;

	*seconds = METADATA_SECONDS;
	for (int page = 0;; page++)
	{
		CatalogValue values[] = {
			catalog_text(type), catalog_text(path[0] ? path : NULL), catalog_text(token),
			catalog_jsonb(connector_context(context, profile, api_version))
		};
		Jsonb	   *answer;
		char	   *next;

		CHECK_FOR_INTERRUPTS();
		answer = call(context, type,
					  operation_respond("SELECT pg_catalog.jsonb_build_object('type', $1, 'entitiesPath', $2, "
										"'maxResult', 1000, 'nextToken', $3, 'connectorContext', $4)",
										lengthof(values), values));
		if (jsonb_get_container(answer, "entities") == NULL)
			custom_invalid_answer(context->function, type, "entities is missing");
		*seconds = Min(*seconds, time_to_live(answer));
		values[0] = catalog_jsonb(entities);
		values[1] = catalog_jsonb(answer);
		entities = operation_respond("SELECT coalesce($1, '[]') || coalesce(" EACH("$2->'entities'",
			"pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('name', e->'entityIdentifier', "
			"'label', e->'label', 'hasNestedEntities', e->'hasNestedEntities'))") ", '[]')", 2, values);
		next = jsonb_get_text(answer, "nextToken");
		if (next == NULL)
			break;
		if (token != NULL && strcmp(token, next) == 0)
			custom_invalid_answer(context->function, type, "nextToken is the one that was sent");
		if (page + 1 == MAX_PAGES)
			custom_invalid_answer(context->function, type, "the entities do not end after a thousand pages");
		token = next;
	}

	/* in the shape that shows them */
	{
		CatalogValue values[] = {catalog_jsonb(entities)};

		entities = jsonb_get_container(jsonb_get_container(
			checked(context->function, type, SHAPE_ListConnectorEntitiesResponse,
					operation_respond("SELECT pg_catalog.jsonb_build_object('connectorEntityMap', "
									  "pg_catalog.jsonb_build_object('Objects', $1))", 1, values)),
			"connectorEntityMap"), "Objects");
	}
	return entities;
}

Jsonb *
protocol_describe_entity(const ConnectorRow *connector, const ProfileRow *profile,
						 const char *api_version, const char *entity, int64 *seconds)
{
	static const char *const type = "DescribeEntityRequest";
	CustomContext *context = custom_context(connector, profile);
	CatalogValue values[] = {
		catalog_text(type), catalog_text(entity),
		catalog_jsonb(connector_context(context, profile, api_version))
	};
	Jsonb	   *answer;
	Jsonb	   *definition;

	answer = call(context, type,
				  operation_respond("SELECT pg_catalog.jsonb_build_object('type', $1, 'entityIdentifier', $2, "
									"'connectorContext', $3)", lengthof(values), values));
	*seconds = time_to_live(answer);
	definition = jsonb_get_container(answer, "entityDefinition");
	if (jsonb_get_container(definition, "fields") == NULL)
		custom_invalid_answer(context->function, type, "entityDefinition.fields is missing");
	values[0] = catalog_jsonb(definition);
	return jsonb_get_container(
		checked(context->function, type, SHAPE_DescribeConnectorEntityResponse,
				operation_respond("SELECT pg_catalog.jsonb_build_object('connectorEntityFields', coalesce(" EACH("$1->'fields'",
		"pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
		"'identifier', e->'fieldName', 'label', e->'label', 'description', e->'description', "
		"'isPrimaryKey', e->'isPrimaryKey', 'defaultValue', e->'defaultValue', 'isDeprecated', e->'isDeprecated', "
		"'supportedFieldTypeDetails', pg_catalog.jsonb_build_object('v1', pg_catalog.jsonb_build_object("
		"'fieldType', e->'dataType', 'filterOperators', coalesce(nullif(e->'filterOperators', 'null'), '[]'), "
		"'supportedValues', e#>'{constraints,allowedValues}', "
		"'valueRegexPattern', e#>'{constraints,allowedValuesRegexPattern}', "
		"'supportedDateFormat', e#>'{constraints,allowedDateFormat}', "
		"'fieldValueRange', pg_catalog.jsonb_build_object('minimum', e#>'{constraints,allowedValueRange,minRange}', "
		"'maximum', e#>'{constraints,allowedValueRange,maxRange}'), "
		"'fieldLengthRange', pg_catalog.jsonb_build_object('minimum', e#>'{constraints,allowedLengthRange,minRange}', "
		"'maximum', e#>'{constraints,allowedLengthRange,maxRange}'))), "
		"'sourceProperties', pg_catalog.jsonb_build_object("
		"'isRetrievable', e#>'{readProperties,isRetrievable}', 'isQueryable', e#>'{readProperties,isQueryable}', "
		"'isTimestampFieldForIncrementalQueries', e#>'{readProperties,isTimestampFieldForIncrementalQueries}'), "
		"'destinationProperties', pg_catalog.jsonb_build_object("
		"'isCreatable', e#>'{writeProperties,isCreatable}', 'isNullable', e#>'{writeProperties,isNullable}', "
		"'isUpsertable', e#>'{writeProperties,isUpsertable}', 'isUpdatable', e#>'{writeProperties,isUpdatable}', "
		"'isDefaultedOnCreate', e#>'{writeProperties,isDefaultedOnCreate}', "
		"'supportedWriteOperations', e#>'{writeProperties,supportedWriteOperations}'), "
		"'customProperties', e->'customProperties'))") ", '[]'))", 1, values)), "connectorEntityFields");
}
