/*-------------------------------------------------------------------------
 *
 * manifest_parse.c
 *	  Manifests from JSON: every key is a row in one of the tables below, which say
 *	  what its value must be, where it goes, and which values a template there
 *	  may name.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_parse.c
 *
 *-------------------------------------------------------------------------
 */
#include "connector/manifest.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
static const char *const format_names[] = {"", "iso", "epoch", "epochMilliseconds", "datetime", "date",
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
static const char *const reset_names[] = {"seconds", "epoch", "epochMilliseconds", NULL};
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

/* ---------- values that templates may name, in groups ---------- */

#define OF_ENTITY		0x0001
#define OF_SETTING		0x0002
#define OF_PAGE			0x0004
#define OF_READ			0x0008
#define OF_FILTER		0x0010
#define OF_RECORD		0x0020
#define OF_LINEAGE		0x0040
#define OF_WRITE		0x0080
#define OF_JOB			0x0100
#define OF_CREDENTIAL	0x0200
#define OF_ALL			0x0400
#define OF_PROPERTY		0x0800

typedef struct TemplateValue
{
	const char *name;			/* with a dot at its end: and more behind that */
	unsigned	group;
} TemplateValue;

static const TemplateValue template_values[] = {
	{"property.", OF_PROPERTY},
	{"apiVersion", OF_ALL},
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

#define EVERYWHERE (OF_ALL | OF_PROPERTY)

/* ---------- tables of keys ---------- */

typedef enum KeyKind
{
	KEY_INCLUDE,				/* the keys of another table, for a structure in this one */
	KEY_TEXT,
	KEY_PATH,
	KEY_TEMPLATE,
	KEY_TEXTS,					/* one, or an array */
	KEY_TEMPLATES,
	KEY_PAIRS,					/* object of texts */
	KEY_TEMPLATE_PAIRS,
	KEY_TYPE_PAIRS,				/* object of names of types */
	KEY_BOOLEAN,
	KEY_NUMBER,
	KEY_NUMBERS,
	KEY_NAME,					/* one of a list: its number */
	KEY_METHOD,					/* one of a list: as text */
	KEY_NAMES,					/* some of a list: bits */
	KEY_TYPE,
	KEY_TYPES,					/* bits 1 << FieldType */
	KEY_FORMATS,
	KEY_JSON,
	KEY_OBJECT,					/* a structure in this one */
	KEY_POINTER,				/* a structure of its own */
	KEY_OBJECTS,				/* an array of structures */
	KEY_OBJECT_OR_OBJECTS,
	KEY_WRITES					/* an operation to a structure of its own */
} KeyKind;

typedef struct Key Key;

typedef struct KeyTable
{
	const Key  *keys;
	int			count;
	size_t		size;
} KeyTable;

struct Key
{
	const char *name;
	KeyKind		kind;
	size_t		offset;
	bool		required;
	int			otherwise;		/* what numbers are when the key is absent */
	int			minimum;
	int			maximum;
	const char *const *names;
	const KeyTable *table;
	unsigned	adds;			/* groups of values that templates may name here and below */
};

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
	{"types", KEY_TYPES, AT(ManifestFilter, types)},
	{"term", KEY_TEMPLATE, AT(ManifestFilter, term), .adds = OF_FILTER},
	{"parameters", KEY_TEMPLATE_PAIRS, AT(ManifestFilter, parameters), .adds = OF_FILTER},
	{"firstParameters", KEY_TEMPLATE_PAIRS, AT(ManifestFilter, first_parameters), .adds = OF_FILTER},
	{"values", KEY_TEXT, AT(ManifestFilter, values)},
	{"or", KEY_TEXT, AT(ManifestFilter, or)},
	{"format", KEY_NAME, AT(ManifestFilter, format), .names = format_names},
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
	{"format", KEY_NAME, AT(ManifestField, format), .names = format_names},
	{"key", KEY_BOOLEAN, AT(ManifestField, key)},
	{"required", KEY_BOOLEAN, AT(ManifestField, required)},
	{"length", KEY_NUMBER, AT(ManifestField, length), .minimum = 1, .maximum = INT_MAX},
	{"values", KEY_TEXTS, AT(ManifestField, values)},
	{"incremental", KEY_BOOLEAN, AT(ManifestField, incremental)},
	{"sortable", KEY_BOOLEAN, AT(ManifestField, sortable)},
	{"upsertKey", KEY_BOOLEAN, AT(ManifestField, upsert_key)},
	{"write", KEY_NAMES, AT(ManifestField, write), .names = operation_names},
	{"writeOnly", KEY_BOOLEAN, AT(ManifestField, write_only)},
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
	{"failed", KEY_OBJECT, AT(ManifestErrors, failed), .table = &condition},
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
TABLE(manifest, Manifest);

static const KeyTable *const all_tables[] = {
	&manifest, &authentication, &api_key, &oauth2, &custom_auth, &setting, &errors, &exception, &rate_limit, &entity,
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

/* ---------- the parser ---------- */

typedef struct Parser
{
	Arena	   *arena;
	char	   *problem;
	char		place[200];
	size_t		length;			/* of place */
} Parser;

__attribute__((format(printf, 2, 3)))
static bool
fail(Parser *parser, const char *fmt,...)
{
	va_list		ap;
	int			written = snprintf(parser->problem, MANIFEST_PROBLEM, "%s%s", parser->place,
								   parser->length > 0 ? ": " : "");

	va_start(ap, fmt);
	vsnprintf(parser->problem + written, (size_t) (MANIFEST_PROBLEM - written), fmt, ap);
	va_end(ap);
	return false;
}

/* go into a member, or (name NULL) an element; returns what leave() wants */
static size_t
enter(Parser *parser, const char *name, int number)
{
	size_t		before = parser->length;
	size_t		room = sizeof(parser->place) - before;
	int			written;

	if (name == NULL)
		written = snprintf(parser->place + before, room, "[%d]", number);
	else
		written = snprintf(parser->place + before, room, "%s%.60s", before > 0 ? "." : "", name);
	parser->length += (size_t) written < room ? (size_t) written : room - 1;
	return before;
}

static void
leave(Parser *parser, size_t before)
{
	parser->length = before;
	parser->place[before] = '\0';
}

static void *
allocate(Parser *parser, size_t size)
{
	void	   *memory = arena_alloc(parser->arena, size == 0 ? 1 : size);

	if (memory == NULL)
		fail(parser, "out of memory");
	else
		memset(memory, 0, size);
	return memory;
}

/* ---------- what somebody may have meant ---------- */

/* between what is written and what may be meant, for names of which there are many */
#define MAX_EDITS 2

/* edits that make one of the other */
static int
distance(const char *a, const char *b)
{
	int			row[40];
	int			length = (int) strlen(b);

	if (length >= LENGTH(row) || strlen(a) >= sizeof(row) / sizeof(row[0]))
		return INT_MAX;
	for (int i = 0; i <= length; i++)
		row[i] = i;
	for (int i = 1; a[i - 1] != '\0'; i++)
	{
		int			diagonal = row[0];

		row[0] = i;
		for (int k = 1; k <= length; k++)
		{
			int			up = row[k];
			int			least = diagonal + ((a[i - 1] | 0x20) != (b[k - 1] | 0x20));

			if (up + 1 < least)
				least = up + 1;
			if (row[k - 1] + 1 < least)
				least = row[k - 1] + 1;
			row[k] = least;
			diagonal = up;
		}
	}
	return row[length];
}

typedef struct Nearest
{
	const char *name;
	int			distance;
} Nearest;

static void
nearer(Nearest *nearest, const char *wrong, const char *name)
{
	int			edits = distance(wrong, name);

	if (name[0] != '\0' && (nearest->name == NULL || edits < nearest->distance))
	{
		nearest->name = name;
		nearest->distance = edits;
	}
}

static void
nearest_key(Nearest *nearest, const char *wrong, const KeyTable *table)
{
	for (int i = 0; i < table->count; i++)
	{
		if (table->keys[i].kind == KEY_INCLUDE)
			nearest_key(nearest, wrong, table->keys[i].table);
		else
			nearer(nearest, wrong, table->keys[i].name);
	}
}

/* a known name that is near enough to be meant, or all of them */
static bool
fail_name(Parser *parser, const char *what, const char *wrong, const char *const *names)
{
	Nearest		nearest = {0};
	char		all[300] = "";

	for (int i = 0; names[i] != NULL; i++)
	{
		nearer(&nearest, wrong, names[i]);
		if (names[i][0] != '\0')
			snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", all[0] ? ", " : "", names[i]);
	}
	if (nearest.name != NULL && nearest.distance <= MAX_EDITS)
		return fail(parser, "unknown %s \"%.60s\"; the nearest is \"%s\"", what, wrong, nearest.name);
	return fail(parser, "unknown %s \"%.60s\"; there are: %s", what, wrong, all);
}

/* ---------- templates ---------- */

bool
template_next(const char **template, TemplatePiece *piece)
{
	const char *p = *template;
	size_t		length;

	if (*p == '\0')
		return false;
	if (p[0] == '{' && p[1] != '{')
	{
		length = strcspn(p, "}");
		piece->value = true;
		piece->text = p + 1;
		piece->length = length - 1;
		*template = p + length + (p[length] == '}');
		return true;
	}
	piece->value = false;
	piece->text = p;
	if (*p == '{' || *p == '}')
	{
		piece->length = 1;
		*template = p + 1 + (p[1] == p[0]);
		return true;
	}
	piece->length = strcspn(p, "{}");
	*template = p + piece->length;
	return true;
}

bool
template_names(const char *template, const char *value)
{
	TemplatePiece piece;
	size_t		length = strlen(value);
	bool		begins = length > 0 && value[length - 1] == '.';

	while (template != NULL && template_next(&template, &piece))
	{
		if (piece.value && (begins ? piece.length > length : piece.length == length) &&
			memcmp(piece.text, value, length) == 0)
			return true;
	}
	return false;
}

static bool
check_value(Parser *parser, const TemplatePiece *piece, unsigned may)
{
	char		name[64];
	Nearest		nearest = {0};

	if (piece->length == 0 || piece->length >= sizeof(name))
		return fail(parser, "a template has {} without the name of a value");
	memcpy(name, piece->text, piece->length);
	name[piece->length] = '\0';
	for (int i = 0; i < LENGTH(template_values); i++)
	{
		const TemplateValue *value = &template_values[i];
		size_t		length = strlen(value->name);

		if ((value->group & may) == 0)
			continue;
		if (value->name[length - 1] == '.' ? strncmp(name, value->name, length) == 0 && name[length] != '\0' :
			strcmp(name, value->name) == 0)
			return true;
		nearer(&nearest, name, value->name);
	}
	if (nearest.name != NULL && nearest.distance <= MAX_EDITS)
		return fail(parser, "there is no value {%s} here; the nearest is {%s}", name, nearest.name);
	return fail(parser, "there is no value {%s} here", name);
}

static bool
check_template(Parser *parser, const char *template, unsigned may)
{
	const char *rest = template;
	TemplatePiece piece;

	while (template_next(&rest, &piece))
	{
		if (piece.value && piece.text[piece.length] != '}')
			return fail(parser, "a brace is not closed; \"{{\" means a brace");
		if (!piece.value && piece.length == 1 && piece.text[0] == '}' && piece.text[1] != '}')
			return fail(parser, "a brace is closed that was not opened; \"}}\" means a brace");
		if (piece.value && !check_value(parser, &piece, may))
			return false;
	}
	return true;
}

static bool
check_body(Parser *parser, const JsonTree *tree, unsigned may)
{
	if (tree->kind == JSON_TREE_STRING && !check_template(parser, tree->text, may))
		return false;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		if (!check_body(parser, item, may))
			return false;
	}
	return true;
}

/* ---------- values ---------- */

static const char *const kind_words[] = {"null", "a boolean", "a number", "text", "an array", "an object"};

static bool
want(Parser *parser, const JsonTree *tree, JsonTreeKind kind)
{
	if (tree->kind == kind)
		return true;
	return fail(parser, "this must be %s, not %s", kind_words[kind], kind_words[tree->kind]);
}

static bool
read_number(Parser *parser, const Key *key, const JsonTree *tree, int *number)
{
	char	   *end;
	long long	value;

	if (!want(parser, tree, JSON_TREE_NUMBER))
		return false;
	value = strtoll(tree->text, &end, 10);
	if (*end != '\0' || value < key->minimum || value > key->maximum)
		return fail(parser, "%.30s is not a whole number from %d to %d", tree->text, key->minimum, key->maximum);
	*number = (int) value;
	return true;
}

static int
find_name(const char *const *names, const char *name)
{
	for (int i = 0; names[i] != NULL; i++)
	{
		if (names[i][0] != '\0' && strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

static bool
fail_type(Parser *parser, const char *name)
{
	const char *names[LENGTH(manifest_types) + 1] = {0};

	for (int i = 0; i < LENGTH(manifest_types); i++)
		names[i] = manifest_types[i].name;
	return fail_name(parser, "type", name, names);
}

/* one scalar, or an array of them */
static bool
read_texts(Parser *parser, const JsonTree *tree, ManifestTexts *texts, bool templates, unsigned may)
{
	bool		array = tree->kind == JSON_TREE_ARRAY;
	int			i = 0;

	texts->items = allocate(parser, sizeof(char *) * (size_t) (array ? tree->count : 1));
	if (texts->items == NULL)
		return false;
	for (const JsonTree *item = array ? tree->first : tree; item != NULL; item = array ? item->next : NULL)
	{
		size_t		before = array ? enter(parser, NULL, i) : parser->length;

		if (item->text == NULL)
			return want(parser, item, JSON_TREE_STRING);
		if (templates && !check_template(parser, item->text, may))
			return false;
		texts->items[i++] = item->text;
		leave(parser, before);
	}
	texts->count = i;
	return true;
}

static bool
read_pairs(Parser *parser, const JsonTree *tree, ManifestPairs *pairs, KeyKind kind, unsigned may)
{
	if (!want(parser, tree, JSON_TREE_OBJECT))
		return false;
	pairs->items = allocate(parser, sizeof(ManifestPair) * (size_t) tree->count);
	if (pairs->items == NULL)
		return false;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		size_t		before = enter(parser, item->name, 0);

		if (item->text == NULL)
			return want(parser, item, JSON_TREE_STRING);
		if (kind == KEY_TEMPLATE_PAIRS && !check_template(parser, item->text, may))
			return false;
		if (kind == KEY_TYPE_PAIRS && manifest_type_find(item->text) < 0)
			return fail_type(parser, item->text);
		pairs->items[pairs->count++] = (ManifestPair)
		{
			item->name, item->text
		};
		leave(parser, before);
	}
	return true;
}

static bool
read_formats(Parser *parser, const JsonTree *tree, ManifestFormats *formats)
{
	if (!want(parser, tree, JSON_TREE_OBJECT))
		return false;
	formats->items = allocate(parser, sizeof(ManifestFormatRule) * (size_t) tree->count);
	if (formats->items == NULL)
		return false;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		size_t		before = enter(parser, item->name, 0);
		ManifestFormatRule *rule = &formats->items[formats->count++];
		int			format;

		rule->type = -1;
		if (strcmp(item->name, "*") != 0)
		{
			rule->type = manifest_type_find(item->name);
			if (rule->type < 0)
				return fail_type(parser, item->name);
			if (manifest_types[rule->type].type != FIELD_DATE && manifest_types[rule->type].type != FIELD_DATETIME &&
				manifest_types[rule->type].type != FIELD_TIMESTAMP)
				return fail(parser, "only the types Date, DateTime and Timestamp have formats");
		}
		if (!want(parser, item, JSON_TREE_STRING))
			return false;
		format = find_name(format_names, item->text);
		if (format < 0)
			return fail_name(parser, "format", item->text, format_names);
		rule->format = (ManifestFormat) format;
		leave(parser, before);
	}
	return true;
}

/* names of a list as bits; of types, the bits are those of FieldType */
static bool
read_set(Parser *parser, const Key *key, const JsonTree *tree, unsigned *set)
{
	ManifestTexts texts = {0};

	if (!read_texts(parser, tree, &texts, false, 0))
		return false;
	*set = 0;
	for (int i = 0; i < texts.count; i++)
	{
		int			found = key->kind == KEY_TYPES ? manifest_type_find(texts.items[i]) :
			find_name(key->names, texts.items[i]);

		if (found < 0)
			return key->kind == KEY_TYPES ? fail_type(parser, texts.items[i]) :
				fail_name(parser, "name", texts.items[i], key->names);
		*set |= 1U << (key->kind == KEY_TYPES ? (int) manifest_types[found].type : found);
	}
	return true;
}

static bool fill(Parser *parser, const KeyTable *table, const JsonTree *tree, void *target, unsigned may);

/* arrays of any structure look like this */
typedef struct Objects
{
	int			count;
	void	   *items;
} Objects;

static bool
read_objects(Parser *parser, const Key *key, const JsonTree *tree, Objects *objects, unsigned may)
{
	bool		array = tree->kind == JSON_TREE_ARRAY;
	const JsonTree *item = array ? tree->first : tree;
	int			count = array ? tree->count : 1;

	if (!array && key->kind == KEY_OBJECTS)
		return want(parser, tree, JSON_TREE_ARRAY);
	objects->items = allocate(parser, key->table->size * (size_t) count);
	if (objects->items == NULL)
		return false;
	objects->count = count;
	for (int i = 0; i < count; i++, item = item->next)
	{
		size_t		before = array ? enter(parser, NULL, i) : parser->length;

		if (!fill(parser, key->table, item, (char *) objects->items + key->table->size * (size_t) i, may))
			return false;
		leave(parser, before);
	}
	return true;
}

static bool
read_writes(Parser *parser, const Key *key, const JsonTree *tree, void **writes, unsigned may)
{
	if (!want(parser, tree, JSON_TREE_OBJECT))
		return false;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		size_t		before = enter(parser, item->name, 0);
		int			operation = find_name(key->names, item->name);

		if (operation < 0)
			return fail_name(parser, "write operation", item->name, key->names);
		writes[operation] = allocate(parser, key->table->size);
		if (writes[operation] == NULL || !fill(parser, key->table, item, writes[operation], may))
			return false;
		leave(parser, before);
	}
	return true;
}

static bool
read_numbers(Parser *parser, const Key *key, const JsonTree *tree, Objects *numbers)
{
	const JsonTree *item = tree->first;
	int		   *items;

	if (!want(parser, tree, JSON_TREE_ARRAY))
		return false;
	items = allocate(parser, sizeof(int) * (size_t) tree->count);
	if (items == NULL)
		return false;
	for (int i = 0; i < tree->count; i++, item = item->next)
	{
		if (!read_number(parser, key, item, &items[i]))
			return false;
	}
	numbers->items = items;
	numbers->count = tree->count;
	return true;
}

static bool
read_value(Parser *parser, const Key *key, const JsonTree *tree, void *target, unsigned may)
{
	void	  **pointer = target;
	int			found;

	may |= key->adds;
	switch (key->kind)
	{
		case KEY_INCLUDE:
			return true;
		case KEY_TEXT:
		case KEY_PATH:
		case KEY_TEMPLATE:
			if (!want(parser, tree, JSON_TREE_STRING))
				return false;
			*(const char **) target = tree->text;
			return key->kind != KEY_TEMPLATE || check_template(parser, tree->text, may);
		case KEY_TEXTS:
		case KEY_TEMPLATES:
			return read_texts(parser, tree, target, key->kind == KEY_TEMPLATES, may);
		case KEY_PAIRS:
		case KEY_TEMPLATE_PAIRS:
		case KEY_TYPE_PAIRS:
			return read_pairs(parser, tree, target, key->kind, may);
		case KEY_BOOLEAN:
			if (!want(parser, tree, JSON_TREE_BOOLEAN))
				return false;
			*(int *) target = strcmp(tree->text, "true") == 0;
			return true;
		case KEY_NUMBER:
			return read_number(parser, key, tree, target);
		case KEY_NUMBERS:
			return read_numbers(parser, key, tree, target);
		case KEY_NAME:
		case KEY_METHOD:
			if (!want(parser, tree, JSON_TREE_STRING))
				return false;
			found = find_name(key->names, tree->text);
			if (found < 0)
				return fail_name(parser, key->name, tree->text, key->names);
			if (key->kind == KEY_NAME)
				*(int *) target = found;
			else
				*(const char **) target = key->names[found];
			return true;
		case KEY_NAMES:
		case KEY_TYPES:
			return read_set(parser, key, tree, target);
		case KEY_TYPE:
			if (!want(parser, tree, JSON_TREE_STRING))
				return false;
			*(int *) target = manifest_type_find(tree->text);
			return *(int *) target >= 0 || fail_type(parser, tree->text);
		case KEY_FORMATS:
			return read_formats(parser, tree, target);
		case KEY_JSON:
			*(const JsonTree **) target = tree;
			return check_body(parser, tree, may);
		case KEY_OBJECT:
			return fill(parser, key->table, tree, target, may);
		case KEY_POINTER:
			*pointer = allocate(parser, key->table->size);
			return *pointer != NULL && fill(parser, key->table, tree, *pointer, may);
		case KEY_OBJECTS:
		case KEY_OBJECT_OR_OBJECTS:
			return read_objects(parser, key, tree, target, may);
		case KEY_WRITES:
			return read_writes(parser, key, tree, target, may);
	}
	return true;
}

/* what numbers are when nobody says it, also those of structures within */
static void
set_defaults(const KeyTable *table, void *target)
{
	for (int i = 0; i < table->count; i++)
	{
		const Key  *key = &table->keys[i];
		void	   *place = (char *) target + key->offset;

		switch (key->kind)
		{
			case KEY_INCLUDE:
			case KEY_OBJECT:
				set_defaults(key->table, place);
				break;
			case KEY_BOOLEAN:
			case KEY_NUMBER:
			case KEY_NAME:
				*(int *) place = key->otherwise;
				break;
			case KEY_NUMBERS:
				((Objects *) place)->count = key->otherwise;
				break;
			default:
				break;
		}
	}
}

/* the key of a name, and where its value goes; also in tables included */
static const Key *
find_key(const KeyTable *table, const char *name, void **target, unsigned *may)
{
	for (int i = 0; i < table->count; i++)
	{
		const Key  *key = &table->keys[i];
		void	   *place = (char *) *target + key->offset;
		unsigned	wider = *may | key->adds;

		if (key->kind == KEY_INCLUDE)
		{
			key = find_key(key->table, name, &place, &wider);
			if (key == NULL)
				continue;
			*may = wider;
		}
		else if (strcmp(key->name, name) != 0)
			continue;
		*target = place;
		return key;
	}
	return NULL;
}

static bool
check_required(Parser *parser, const KeyTable *table, const JsonTree *tree)
{
	for (int i = 0; i < table->count; i++)
	{
		const Key  *key = &table->keys[i];

		if (key->kind == KEY_INCLUDE)
		{
			if (!check_required(parser, key->table, tree))
				return false;
		}
		else if (key->required && json_tree_member(tree, key->name) == NULL)
			return fail(parser, "the key \"%s\" is missing", key->name);
	}
	return true;
}

static bool
fill(Parser *parser, const KeyTable *table, const JsonTree *tree, void *target, unsigned may)
{
	if (!want(parser, tree, JSON_TREE_OBJECT))
		return false;
	set_defaults(table, target);
	for (const JsonTree *member = tree->first; member != NULL; member = member->next)
	{
		void	   *place = target;
		unsigned	wider = may;
		const Key  *key = find_key(table, member->name, &place, &wider);
		size_t		before;

		if (key == NULL)
		{
			Nearest		nearest = {0};

			nearest_key(&nearest, member->name, table);
			return fail(parser, "unknown key \"%.60s\"; the nearest is \"%s\"", member->name, nearest.name);
		}
		before = enter(parser, member->name, 0);
		if (!read_value(parser, key, member, place, wider))
			return false;
		leave(parser, before);
	}
	return check_required(parser, table, tree);
}

Manifest *
manifest_parse(Arena *arena, const char *text, size_t length, bool built_in, char problem[MANIFEST_PROBLEM])
{
	Parser		parser = {.arena = arena, .problem = problem};
	CodecError	error;
	const JsonTree *tree = json_tree_parse(arena, text, length, &error);
	Manifest   *result;

	if (tree == NULL)
	{
		snprintf(problem, MANIFEST_PROBLEM, "line %llu, column %llu: %s", (unsigned long long) error.line,
				 (unsigned long long) error.column, error.message);
		return NULL;
	}
	result = allocate(&parser, sizeof(Manifest));
	if (result == NULL || !fill(&parser, &manifest, tree, result, EVERYWHERE) ||
		!manifest_check(result, built_in, problem))
		return NULL;
	return result;
}
