/*-------------------------------------------------------------------------
 *
 * manifest_keys.c
 *	  The keys of manifests, as tables.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_keys.c
 *
 *-------------------------------------------------------------------------
 */
#include "connector/manifest_keys.h"

#include <limits.h>
#include <string.h>

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* ---------- names ---------- */

const ManifestType manifest_types[] = {
	{"String", FIELD_STRING, 0},
	{"Boolean", FIELD_BOOLEAN, 0},
	{"Short", FIELD_INTEGER, 0},
	{"Integer", FIELD_INTEGER, 0},
	{"Long", FIELD_LONG, 0},
	{"Float", FIELD_FLOAT, 0},
	{"Double", FIELD_DOUBLE, 0},
	{"BigInteger", FIELD_DECIMAL, 38},
	{"BigDecimal", FIELD_DECIMAL, 0},
	{"Date", FIELD_DATE, 0},
	{"DateTime", FIELD_DATETIME, 0},
	{"Timestamp", FIELD_TIMESTAMP, 0},
	{"Time", FIELD_TIME, 0},
	{"Uuid", FIELD_UUID, 0},
	{"ByteArray", FIELD_BINARY, 0},
	{"Struct", FIELD_JSON, 0},
	{"Map", FIELD_JSON, 0},
	{"List", FIELD_JSON, 0},
};

const int	manifest_type_count = LENGTH(manifest_types);

int
manifest_type_find(const char *name)
{
	for (int i = 0; i < manifest_type_count; i++)
	{
		if (strcmp(manifest_types[i].name, name) == 0)
			return i;
	}
	return -1;
}

/* in the order of the enums that they are */
const char *const manifest_format_names[] = {"", "iso", "epoch", "epochMilliseconds", "datetime", "date",
"epochFraction", "isoSeconds", NULL};
static const char *const paging_names[] = {
	"none", "offset", "page", "cursor", "link", "linkHeader", "header", "time", "key", NULL
};
static const char *const operator_names[] = {
	"LESS_THAN", "GREATER_THAN", "CONTAINS", "BETWEEN", "LESS_THAN_OR_EQUAL_TO", "GREATER_THAN_OR_EQUAL_TO",
	"EQUAL_TO", "NOT_EQUAL_TO", "STARTS_WITH", "IS_NULL", "IS_NOT_NULL", NULL
};
static const char *const null_names[] = {"", "first", "last", "smallest", "largest", NULL};
static const char *const operation_names[] = {"INSERT", "UPSERT", "UPDATE", "DELETE", NULL};
static const char *const reset_names[] = {"seconds", "epoch", "epochMilliseconds", "epochMicroseconds", NULL};
static const char *const grant_names[] = {"CLIENT_CREDENTIALS", "AUTHORIZATION_CODE", "JWT_BEARER", NULL};
static const char *const when_names[] = {"", "filtered", NULL};
static const char *const ids_names[] = {"body", "path", NULL};
static const char *const nulls_names[] = {"omit", "send", NULL};
static const char *const record_names[] = {"all", "ids", NULL};
static const char *const method_names[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};
const char *const manifest_scopes[] = {"CONNECTOR_PROFILE", "SOURCE", "DESTINATION", "SOURCE_AND_DESTINATION", NULL};
const char *const manifest_exceptions[] = {
	"ValidationException", "ConnectorAuthenticationException", "AccessDeniedException", "ResourceNotFoundException",
	"ThrottlingException", "ConnectorServerException", NULL
};
/* ---------- values that templates may name ---------- */

const TemplateValue template_values[] = {
	{"property.", OF_PROPERTY},
	{"apiVersion", OF_ALL},
	{"ago.", OF_ALL},
	{"entity", OF_ENTITY},
	{"entity.", OF_ENTITY},
	{"setting.", OF_SETTING},
	{"size", OF_PAGE},
	{"offset", OF_PAGE},
	{"page", OF_PAGE},
	{"cursor", OF_PAGE},
	{"fields", OF_READ},
	{"query", OF_READ},
	{"filter", OF_READ},
	{"order", OF_READ},
	{"field", OF_FILTER},
	{"value", OF_FILTER},
	{"values", OF_FILTER},
	{"lower", OF_FILTER},
	{"upper", OF_FILTER},
	{"record.", OF_RECORD},
	{"lineage", OF_LINEAGE},
	{"id", OF_WRITE},
	{"id.", OF_WRITE},
	{"ids", OF_WRITE},
	{"record", OF_WRITE},
	{"records", OF_WRITE},
	{"job", OF_JOB},
	{"credential.", OF_CREDENTIAL},
};

const int	template_value_count = LENGTH(template_values);

/* ---------- tables of keys ---------- */

#define TABLE(name, type) static const KeyTable name = {name##_keys, LENGTH(name##_keys), sizeof(type)}
#define AT(type, member) .offset = offsetof(type, member)

static const Key condition_keys[] = {
	{"path", KEY_PATH, AT(ManifestCondition, path), .required = true},
	{"equals", KEY_TEXTS, AT(ManifestCondition, equals)},
	{"not", KEY_TEXTS, AT(ManifestCondition, not)},
};
TABLE(condition, ManifestCondition);

static const Key call_keys[] = {
	{"method", KEY_METHOD, AT(ManifestCall, method), .names = method_names},
	{"path", KEY_TEMPLATE, AT(ManifestCall, path), .required = true},
	{"parameters", KEY_TEMPLATE_PAIRS, AT(ManifestCall, parameters)},
	{"firstParameters", KEY_TEMPLATE_PAIRS, AT(ManifestCall, first_parameters)},
	{"nextParameters", KEY_TEMPLATE_PAIRS, AT(ManifestCall, next_parameters)},
	{"headers", KEY_TEMPLATE_PAIRS, AT(ManifestCall, headers)},
	{"body", KEY_JSON, AT(ManifestCall, body)},
	{"form", KEY_TEMPLATE_PAIRS, AT(ManifestCall, form)},
	{"repeatable", KEY_BOOLEAN, AT(ManifestCall, repeatable), .otherwise = -1},
	{"notReady", KEY_NUMBERS, AT(ManifestCall, not_ready), .minimum = 201, .maximum = 399},
};
TABLE(call, ManifestCall);

static const Key paging_keys[] = {
	{"kind", KEY_NAME, AT(ManifestPaging, kind), .required = true, .names = paging_names},
	{"size", KEY_NUMBER, AT(ManifestPaging, size), .otherwise = 100, .minimum = 1, .maximum = 1000000},
	{"maximum", KEY_NUMBER, AT(ManifestPaging, maximum), .minimum = 1, .maximum = 1000000},
	{"first", KEY_NUMBER, AT(ManifestPaging, first), .otherwise = -1, .minimum = 0, .maximum = 1000000},
	{"next", KEY_PATH, AT(ManifestPaging, next)},
	{"more", KEY_OBJECT, AT(ManifestPaging, more), .table = &condition},
	{"last", KEY_OBJECT, AT(ManifestPaging, last), .table = &condition},
	{"total", KEY_PATH, AT(ManifestPaging, total)},
	{"at", KEY_PATH, AT(ManifestPaging, at)},
	{"linkTells", KEY_BOOLEAN, AT(ManifestPaging, link_tells)},
	{"shortPages", KEY_BOOLEAN, AT(ManifestPaging, short_pages)},
};
TABLE(paging, ManifestPaging);

static const Key order_keys[] = {
	{"ascending", KEY_TEMPLATE, AT(ManifestOrder, ascending), .adds = OF_FILTER},
	{"descending", KEY_TEMPLATE, AT(ManifestOrder, descending), .adds = OF_FILTER},
	{"join", KEY_TEXT, AT(ManifestOrder, join)},
	{"nulls", KEY_NAME, AT(ManifestOrder, nulls), .names = null_names},
	{"fields", KEY_TEXTS, AT(ManifestOrder, fields)},
	{"multiple", KEY_BOOLEAN, AT(ManifestOrder, multiple)},
	{"paging", KEY_POINTER, AT(ManifestOrder, paging), .table = &paging},
};
TABLE(order, ManifestOrder);

/* how records come, for whatever purpose */
static const Key pages_keys[] = {
	{NULL, KEY_INCLUDE, AT(ManifestRead, call), .table = &call},
	{"records", KEY_PATH, AT(ManifestRead, records)},
	{"mayLackRecords", KEY_BOOLEAN, AT(ManifestRead, may_lack_records)},
	{"paging", KEY_OBJECT, AT(ManifestRead, paging), .table = &paging},
};
TABLE(pages, ManifestRead);

static const Key unless_keys[] = {
	{"contains", KEY_TEXTS, AT(ManifestUnless, contains)},
	{"beginsWith", KEY_TEXTS, AT(ManifestUnless, begins_with)},
};
TABLE(unless, ManifestUnless);

static const Key filter_keys[] = {
	{"operators", KEY_NAMES, AT(ManifestFilter, operators), .required = true, .names = operator_names},
	{"fields", KEY_TEXTS, AT(ManifestFilter, fields)},
	{"except", KEY_TEXTS, AT(ManifestFilter, except)},
	{"types", KEY_TYPES, AT(ManifestFilter, types)},
	{"term", KEY_TEMPLATE, AT(ManifestFilter, term), .adds = OF_FILTER},
	{"parameters", KEY_TEMPLATE_PAIRS, AT(ManifestFilter, parameters), .adds = OF_FILTER},
	{"firstParameters", KEY_TEMPLATE_PAIRS, AT(ManifestFilter, first_parameters), .adds = OF_FILTER},
	{"values", KEY_TEXT, AT(ManifestFilter, values)},
	{"or", KEY_TEXT, AT(ManifestFilter, or)},
	{"format", KEY_NAME, AT(ManifestFilter, format), .names = manifest_format_names},
	{"quote", KEY_TEXT, AT(ManifestFilter, quote)},
	{"escape", KEY_PAIRS, AT(ManifestFilter, escape)},
	{"unless", KEY_OBJECT, AT(ManifestFilter, unless), .table = &unless},
	{"characters", KEY_TEXT, AT(ManifestFilter, characters)},
	{"length", KEY_NUMBER, AT(ManifestFilter, length), .minimum = 1, .maximum = 1000000},
	{"settled", KEY_NUMBER, AT(ManifestFilter, settled), .minimum = 1, .maximum = 1000000},
	{"exact", KEY_BOOLEAN, AT(ManifestFilter, exact)},
};
TABLE(filter, ManifestFilter);

static const Key query_keys[] = {
	{"join", KEY_TEXT, AT(ManifestQuery, join)},
	{"first", KEY_TEMPLATES, AT(ManifestQuery, first)},
	{"last", KEY_TEMPLATES, AT(ManifestQuery, last)},
};
TABLE(query, ManifestQuery);

static const Key settled_keys[] = {
	{"field", KEY_TEXT, AT(ManifestSettled, field), .required = true},
	{"seconds", KEY_NUMBER, AT(ManifestSettled, seconds), .required = true, .minimum = 1, .maximum = 1000000},
};
TABLE(settled, ManifestSettled);

static const Key read_keys[] = {
	{NULL, KEY_INCLUDE, .offset = 0, .table = &pages},
	{"when", KEY_NAME, AT(ManifestRead, when_filtered), .names = when_names},
	{"settled", KEY_POINTER, AT(ManifestRead, settled), .table = &settled},
	{"lacks", KEY_TEXTS, AT(ManifestRead, lacks)},
	{"unnest", KEY_TEXT_LISTS, AT(ManifestRead, unnest)},
	{"lines", KEY_BOOLEAN, AT(ManifestRead, lines)},
	{"fieldSeparator", KEY_TEXT, AT(ManifestRead, field_separator)},
	{"query", KEY_OBJECT, AT(ManifestRead, query), .table = &query},
	{"filters", KEY_OBJECTS, AT(ManifestRead, filters), .table = &filter},
	{"order", KEY_POINTER, AT(ManifestRead, order), .table = &order},
	{"distinct", KEY_TEXTS, AT(ManifestRead, distinct)},
};
TABLE(read, ManifestRead);

static const Key count_keys[] = {
	{NULL, KEY_INCLUDE, AT(ManifestCount, call), .table = &call},
	{"value", KEY_PATH, AT(ManifestCount, value)},
	{"header", KEY_TEXT, AT(ManifestCount, header)},
};
TABLE(count, ManifestCount);

static const Key list_keys[] = {
	{NULL, KEY_INCLUDE, AT(ManifestList, read), .table = &pages},
	{"name", KEY_TEMPLATE, AT(ManifestList, name), .required = true, .adds = OF_RECORD},
	{"label", KEY_TEMPLATE, AT(ManifestList, label), .adds = OF_RECORD},
	{"where", KEY_OBJECT_OR_OBJECTS, AT(ManifestList, where), .table = &condition},
};
TABLE(list, ManifestList);

static const Key field_keys[] = {
	{"name", KEY_TEXT, AT(ManifestField, name), .required = true},
	{"type", KEY_TYPE, AT(ManifestField, type)},
	{"path", KEY_PATH, AT(ManifestField, path)},
	{"constant", KEY_TEMPLATE, AT(ManifestField, constant)},
	{"label", KEY_TEXT, AT(ManifestField, label)},
	{"description", KEY_TEXT, AT(ManifestField, description)},
	{"nativeType", KEY_TEXT, AT(ManifestField, native_type)},
	{"references", KEY_TEXT, AT(ManifestField, references)},
	{"format", KEY_NAME, AT(ManifestField, format), .names = manifest_format_names},
	{"key", KEY_BOOLEAN, AT(ManifestField, key)},
	{"required", KEY_BOOLEAN, AT(ManifestField, required)},
	{"length", KEY_NUMBER, AT(ManifestField, length), .minimum = 1, .maximum = INT_MAX},
	{"values", KEY_TEXTS, AT(ManifestField, values)},
	{"incremental", KEY_BOOLEAN, AT(ManifestField, incremental)},
	{"sortable", KEY_BOOLEAN, AT(ManifestField, sortable)},
	{"upsertKey", KEY_BOOLEAN, AT(ManifestField, upsert_key)},
	{"write", KEY_NAMES, AT(ManifestField, write), .names = operation_names},
	{"writeOnly", KEY_BOOLEAN, AT(ManifestField, write_only)},
	{"null", KEY_TEXT, AT(ManifestField, null)},
};
TABLE(field, ManifestField);

static const Key lineage_keys[] = {
	{NULL, KEY_INCLUDE, AT(ManifestLineage, call), .table = &call},
	{"records", KEY_PATH, AT(ManifestLineage, records)},
	{"parent", KEY_PATH, AT(ManifestLineage, parent), .required = true},
};
TABLE(lineage, ManifestLineage);

static const Key describe_keys[] = {
	{NULL, KEY_INCLUDE, AT(ManifestDescribe, read), .table = &pages, .adds = OF_LINEAGE},
	{"name", KEY_TEMPLATE, AT(ManifestDescribe, name), .required = true, .adds = OF_RECORD},
	{"type", KEY_TEMPLATE, AT(ManifestDescribe, type), .adds = OF_RECORD},
	{"types", KEY_TYPE_PAIRS, AT(ManifestDescribe, types)},
	{"fieldPath", KEY_TEMPLATE, AT(ManifestDescribe, path), .adds = OF_RECORD},
	{"label", KEY_TEMPLATE, AT(ManifestDescribe, label), .adds = OF_RECORD},
	{"description", KEY_TEMPLATE, AT(ManifestDescribe, description), .adds = OF_RECORD},
	{"length", KEY_TEMPLATE, AT(ManifestDescribe, length), .adds = OF_RECORD},
	{"references", KEY_TEMPLATE, AT(ManifestDescribe, references), .adds = OF_RECORD},
	{"format", KEY_TEMPLATE, AT(ManifestDescribe, format), .adds = OF_RECORD},
	{"required", KEY_OBJECT, AT(ManifestDescribe, required), .table = &condition},
	{"sortable", KEY_OBJECT, AT(ManifestDescribe, sortable), .table = &condition},
	{"readOnly", KEY_OBJECT, AT(ManifestDescribe, read_only), .table = &condition},
	{"key", KEY_OBJECT, AT(ManifestDescribe, key), .table = &condition},
	{"incremental", KEY_OBJECT, AT(ManifestDescribe, incremental), .table = &condition},
	{"values", KEY_PATH, AT(ManifestDescribe, values)},
	{"valuesName", KEY_PATH, AT(ManifestDescribe, values_name)},
	{"where", KEY_OBJECT_OR_OBJECTS, AT(ManifestDescribe, where), .table = &condition},
	{"write", KEY_NAMES, AT(ManifestDescribe, write), .names = operation_names},
	{"lineage", KEY_POINTER, AT(ManifestDescribe, lineage), .table = &lineage},
};
TABLE(describe, ManifestDescribe);

static const Key results_keys[] = {
	{"records", KEY_PATH, AT(ManifestResults, records)},
	{"index", KEY_PATH, AT(ManifestResults, index)},
	{"failed", KEY_OBJECT, AT(ManifestResults, failed), .table = &condition},
	{"code", KEY_TEXTS, AT(ManifestResults, code)},
	{"message", KEY_TEXTS, AT(ManifestResults, message)},
	{"id", KEY_PATH, AT(ManifestResults, id)},
};
TABLE(results, ManifestResults);

static const Key job_keys[] = {
	{NULL, KEY_INCLUDE, AT(ManifestJob, call), .table = &call, .adds = OF_JOB},
	{"id", KEY_PATH, AT(ManifestJob, id), .required = true},
	{"status", KEY_PATH, AT(ManifestJob, status), .required = true},
	{"running", KEY_TEXTS, AT(ManifestJob, running), .required = true},
	{"done", KEY_TEXTS, AT(ManifestJob, done), .required = true},
	{"interval", KEY_NUMBER, AT(ManifestJob, interval), .otherwise = 1000, .minimum = 10, .maximum = 600000},
	{"timeout", KEY_NUMBER, AT(ManifestJob, timeout), .otherwise = 600, .minimum = 1, .maximum = 86400},
};
TABLE(job, ManifestJob);

static const Key write_keys[] = {
	{NULL, KEY_INCLUDE, AT(ManifestWrite, call), .table = &call, .adds = OF_WRITE | OF_SETTING},
	{"batch", KEY_NUMBER, AT(ManifestWrite, batch), .otherwise = 1, .minimum = 1, .maximum = 100000},
	{"ids", KEY_NAME, AT(ManifestWrite, ids_in_path), .names = ids_names},
	{"nulls", KEY_NAME, AT(ManifestWrite, nulls), .names = nulls_names, .otherwise = -1},
	{"fields", KEY_NAME, AT(ManifestWrite, only_ids), .names = record_names},
	{"results", KEY_POINTER, AT(ManifestWrite, results), .table = &results},
	{"job", KEY_POINTER, AT(ManifestWrite, job), .table = &job, .adds = OF_SETTING},
	{"rejects", KEY_NUMBERS, AT(ManifestWrite, rejects), .otherwise = -1, .minimum = 300, .maximum = 599},
};
TABLE(write, ManifestWrite);

static const Key entity_keys[] = {
	{"name", KEY_TEXT, AT(ManifestEntity, name), .required = true},
	{"label", KEY_TEMPLATE, AT(ManifestEntity, label), .adds = OF_ENTITY},
	{"group", KEY_TEXT, AT(ManifestEntity, group)},
	{"characters", KEY_TEXT, AT(ManifestEntity, characters)},
	{"list", KEY_POINTER, AT(ManifestEntity, list), .table = &list, .adds = OF_ENTITY | OF_PAGE},
	{"fields", KEY_OBJECTS, AT(ManifestEntity, fields), .table = &field, .adds = OF_ENTITY | OF_SETTING},
	{"describe", KEY_POINTER, AT(ManifestEntity, describe), .table = &describe, .adds = OF_ENTITY | OF_PAGE},
	{"sample", KEY_NUMBER, AT(ManifestEntity, sample), .minimum = 1, .maximum = 100000},
	{"read", KEY_OBJECT_OR_OBJECTS, AT(ManifestEntity, read), .table = &read,
	.adds = OF_ENTITY | OF_SETTING | OF_PAGE | OF_READ},
	{"count", KEY_POINTER, AT(ManifestEntity, count), .table = &count, .adds = OF_ENTITY | OF_SETTING | OF_READ},
	{"write", KEY_WRITES, AT(ManifestEntity, write), .table = &write, .names = operation_names, .adds = OF_ENTITY},
};
TABLE(entity, ManifestEntity);

static const Key exception_keys[] = {
	{"status", KEY_NUMBERS, AT(ManifestException, status), .minimum = 100, .maximum = 599},
	{"code", KEY_TEXTS, AT(ManifestException, code)},
	{"exception", KEY_NAME, AT(ManifestException, exception), .names = manifest_exceptions, .required = true},
	{"hint", KEY_TEXT, AT(ManifestException, hint)},
};
TABLE(exception, ManifestException);

static const Key errors_keys[] = {
	{"code", KEY_TEXTS, AT(ManifestErrors, code)},
	{"message", KEY_TEXTS, AT(ManifestErrors, message)},
	{"failed", KEY_OBJECT_OR_OBJECTS, AT(ManifestErrors, failed), .table = &condition},
	{"expired", KEY_TEXTS, AT(ManifestErrors, expired)},
	{"throttled", KEY_TEXTS, AT(ManifestErrors, throttled)},
	{"exceptions", KEY_OBJECTS, AT(ManifestErrors, exceptions), .table = &exception},
};
TABLE(errors, ManifestErrors);

static const Key rate_limit_keys[] = {
	{"remaining", KEY_TEXT, AT(ManifestRateLimit, remaining)},
	{"reset", KEY_TEXT, AT(ManifestRateLimit, reset), .required = true},
	{"resetIs", KEY_NAME, AT(ManifestRateLimit, reset_is), .names = reset_names},
};
TABLE(rate_limit, ManifestRateLimit);

static const Key api_key_keys[] = {
	{"header", KEY_TEXT, AT(ManifestApiKey, header)},
	{"parameter", KEY_TEXT, AT(ManifestApiKey, parameter)},
	{"prefix", KEY_TEXT, AT(ManifestApiKey, prefix)},
};
TABLE(api_key, ManifestApiKey);

static const Key oauth2_keys[] = {
	{"scopes", KEY_TEXTS, AT(ManifestOAuth2, scopes)},
	{"tokenUrls", KEY_TEXTS, AT(ManifestOAuth2, token_urls)},
	{"authCodeUrls", KEY_TEXTS, AT(ManifestOAuth2, auth_code_urls)},
	{"grants", KEY_NAMES, AT(ManifestOAuth2, grants), .names = grant_names, .required = true},
};
TABLE(oauth2, ManifestOAuth2);

static const Key custom_auth_keys[] = {
	{"type", KEY_TEXT, AT(ManifestCustomAuth, type), .required = true},
	{"headers", KEY_TEMPLATE_PAIRS, AT(ManifestCustomAuth, headers), .adds = OF_CREDENTIAL},
	{"parameters", KEY_TEMPLATE_PAIRS, AT(ManifestCustomAuth, parameters), .adds = OF_CREDENTIAL},
};
TABLE(custom_auth, ManifestCustomAuth);

static const Key authentication_keys[] = {
	{"basic", KEY_BOOLEAN, AT(ManifestAuthentication, basic)},
	{"apiKey", KEY_POINTER, AT(ManifestAuthentication, api_key), .table = &api_key},
	{"oauth2", KEY_POINTER, AT(ManifestAuthentication, oauth2), .table = &oauth2},
	{"custom", KEY_POINTER, AT(ManifestAuthentication, custom), .table = &custom_auth},
};
TABLE(authentication, ManifestAuthentication);

static const Key setting_keys[] = {
	{"key", KEY_TEXT, AT(ManifestSetting, key), .required = true},
	{"label", KEY_TEXT, AT(ManifestSetting, label)},
	{"description", KEY_TEXT, AT(ManifestSetting, description)},
	{"scope", KEY_NAME, AT(ManifestSetting, scope), .names = manifest_scopes},
	{"required", KEY_BOOLEAN, AT(ManifestSetting, required)},
	{"values", KEY_TEXTS, AT(ManifestSetting, values)},
	{"default", KEY_TEXT, AT(ManifestSetting, otherwise)},
};
TABLE(setting, ManifestSetting);

static const Key manifest_keys[] = {
	{"manifest", KEY_NUMBER, AT(Manifest, version), .required = true, .minimum = 1, .maximum = 1},
	{"connector", KEY_TEXT, AT(Manifest, connector)},
	{"name", KEY_TEXT, AT(Manifest, name)},
	{"description", KEY_TEXT, AT(Manifest, description)},
	{"owner", KEY_TEXT, AT(Manifest, owner)},
	{"version", KEY_TEXT, AT(Manifest, connector_version)},
	{"logoUrl", KEY_TEXT, AT(Manifest, logo_url)},
	{"baseUrl", KEY_TEMPLATE, AT(Manifest, base_url)},
	{"basePath", KEY_TEMPLATE, AT(Manifest, base_path)},
	{"apiVersions", KEY_TEXTS, AT(Manifest, api_versions)},
	{"headers", KEY_TEMPLATE_PAIRS, AT(Manifest, headers)},
	{"authentication", KEY_POINTER, AT(Manifest, authentication), .table = &authentication},
	{"settings", KEY_OBJECTS, AT(Manifest, settings), .table = &setting},
	{"formats", KEY_FORMATS, AT(Manifest, formats)},
	{"emptyIsNull", KEY_BOOLEAN, AT(Manifest, empty_is_null)},
	{"errors", KEY_OBJECT, AT(Manifest, errors), .table = &errors},
	{"rateLimit", KEY_POINTER, AT(Manifest, rate_limit), .table = &rate_limit},
	{"entities", KEY_OBJECTS, AT(Manifest, entities), .table = &entity, .required = true},
};
const KeyTable manifest_table = {manifest_keys, LENGTH(manifest_keys), sizeof(Manifest)};

static const KeyTable *const all_tables[] = {
	&manifest_table, &authentication, &api_key, &oauth2, &custom_auth, &setting, &errors, &exception, &rate_limit, &entity,
	&list, &field, &describe, &lineage, &pages, &call, &read, &paging, &condition, &query, &filter, &unless, &order,
	&count, &write, &results, &job, &settled
};

const char *
manifest_key(int number)
{
	for (int i = 0; i < LENGTH(all_tables); i++)
	{
		for (int k = 0; k < all_tables[i]->count; k++)
		{
			if (all_tables[i]->keys[k].name != NULL && number-- == 0)
				return all_tables[i]->keys[k].name;
		}
	}
	return NULL;
}
