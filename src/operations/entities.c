/*-------------------------------------------------------------------------
 *
 * entities.c
 *	  Operations on entities: ListConnectorEntities, DescribeConnectorEntity,
 *	  ResetConnectorMetadataCache.
 *
 * What tables and buckets there are is looked up every time; what connectors
 * tell is kept for a while.
 *
 * IDENTIFICATION
 *	  src/operations/entities.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "catalog/access.h"
#include "catalog/grant.h"
#include "catalog/object_store.h"
#include "catalog/profile.h"
#include "compat.h"
#include "connector/connector.h"
#include "connector/entity_form.h"
#include "connector/traits.h"
#include "flow/session.h"
#include "miscadmin.h"
#include "operations/operations.h"
#include "operations/protocol.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

PG_FUNCTION_INFO_V1(appflow_list_connector_entities);
PG_FUNCTION_INFO_V1(appflow_describe_connector_entity);
PG_FUNCTION_INFO_V1(appflow_reset_connector_metadata_cache);

/* records of a folder that are read to find its fields */
#define SAMPLE_RECORDS 1000

/* what a request is about: S3, tables of this database, or a profile */
typedef struct Subject
{
	const char *profile_name;	/* NULL: S3, or another that has no profiles */
	const ConnectorTraits *bare;	/* that other, or NULL */
	ProfileRow *profile;		/* NULL: S3, or tables of this database */
	ConnectorRow *connector;	/* of the profile, if it is a registered one */
	const char *api_version;	/* "": none given */
} Subject;

static Subject
subject_of(Jsonb *request)
{
	Subject		subject = {0};
	char	   *type = jsonb_get_text(request, "connectorType");
	char	   *version = jsonb_get_text(request, "apiVersion");
	const ConnectorTraits *traits = type ? connector_traits_find(type) : NULL;

	subject.api_version = version ? version : "";
	subject.profile_name = jsonb_get_text(request, "connectorProfileName");
	if (subject.profile_name == NULL)
	{
		if (traits == NULL)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("connectorProfileName is missing"),
					errhint("S3 has no profiles: give connectorType S3 instead."));
		if (connector_traits_type(traits) == CONNECTOR_S3)
			return subject;
		subject.bare = traits;
		if (traits->needs_profile || app_find(traits->type, NULL) == NULL ||
			app_find(traits->type, NULL)->list_entities == NULL)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					traits->needs_profile ? errmsg("connectorProfileName is missing: %s needs a connector profile", type) :
					errmsg("connector type %s has no entities", type));
		return subject;
	}
	if (strcmp(subject.profile_name, POSTGRESQL_LABEL) != 0)
	{
		subject.profile = profile_use(subject.profile_name, HOLD_NOT);
		if (subject.profile->connector_label != NULL)
			subject.connector = connector_get(subject.profile->connector_label, HOLD_NOT);
	}
	if (type != NULL && strcmp(type, subject.profile ? subject.profile->connector_type :
							   connector_traits[CONNECTOR_CUSTOM].type) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connector profile \"%s\" is not one of the connector type %s", subject.profile_name, type));
	return subject;
}

/* a registered connector that is a function */
static bool
is_function(const Subject *subject)
{
	return subject->connector != NULL && jsonb_get_container(subject->connector->provisioning, "lambda") != NULL;
}

/* ---------- tables of this database ---------- */

/*
 * Schemas at the top, tables under the path of a schema: what the user may use.
 * Names are as flows take them.
 */
static Jsonb *
list_tables(const char *path)
{
	CatalogAccess access;
	CatalogValue values[2];
	Jsonb	   *entities;
	bool		known = true;

	catalog_begin(&access);
	values[0] = catalog_oid(access.user);
	values[1] = catalog_text(path);
	if (path[0] == '\0')
		(void) catalog_execute("SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
						"'name', n.nspname, 'label', n.nspname, 'hasNestedEntities', true) ORDER BY n.nspname), '[]'), true "
						"FROM pg_catalog.pg_namespace n WHERE n.nspname NOT LIKE 'pg\\_%' "
						"AND n.nspname NOT IN ('information_schema', 'appflow') "
						"AND pg_catalog.has_schema_privilege($1, n.oid, 'USAGE') AND $2 IS NOT NULL", 2, values);
	else
		known = catalog_execute("SELECT coalesce((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
						"'name', pg_catalog.format('%I.%I', n.nspname, c.relname), 'label', c.relname, "
						"'hasNestedEntities', false) ORDER BY c.relname COLLATE \"C\") "
						"FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid "
						"AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition "
						"AND (pg_catalog.has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE') "
						"OR pg_catalog.has_table_privilege($1, c.oid, 'DELETE'))), '[]'), true "
						"FROM pg_catalog.pg_namespace n WHERE n.nspname = $2 "
						"AND pg_catalog.has_schema_privilege($1, n.oid, 'USAGE')", 2, values) > 0;
	entities = known ? catalog_get_jsonb(&access, 0, 1) : NULL;
	catalog_end(&access);
	if (!known)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("schema \"%s\" does not exist", path));
	return entities;
}

/* fields that whoever may read or write them can filter by: flows do that themselves */
static Jsonb *
schema_as_fields(Schema *schema, bool destination)
{
	for (int i = 0; i < schema->nfields; i++)
	{
		Field	   *field = &schema->fields[i];

		field->filters = filters_of_type(field->type);
		field->incremental = field->type == FIELD_DATE || field->type == FIELD_DATETIME || field->type == FIELD_TIMESTAMP;
		if (destination)
			field->writes = WRITES_INSERT | WRITES_UPSERT | WRITES_UPDATE | WRITES_DELETE;
	}
	return schema_to_wire(schema);
}

static Jsonb *
describe_table(const char *entity)
{
	ConnectorSession session = {
		.connector = &postgresql_connector, .profile_name = POSTGRESQL_LABEL, .role = GetUserId()
	};

	return schema_as_fields(postgresql_connector.describe_entity(&session, entity), true);
}

/* ---------- S3 ---------- */

/* whoever may make flows can read buckets by one, others not */
static void
check_may_use_buckets(void)
{
	CatalogAccess access;
	CatalogValue values[1];
	bool		may;

	catalog_begin(&access);
	values[0] = catalog_oid(access.user);
	catalog_execute("SELECT pg_catalog.has_function_privilege($1, 'appflow.create_flow(jsonb)', 'EXECUTE')", 1, values);
	may = catalog_get_bool(0, 1);
	catalog_end(&access);
	if (!may)
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("permission denied to look into object stores"),
				errhint("Those who may call appflow.create_flow() may."));
}

/* "bucket/prefix" in two; the prefix ends in '/' unless it is empty */
static char *
split_path(const char *path, char **prefix)
{
	const char *slash = strchr(path, '/');
	size_t		length;

	if (slash == NULL)
	{
		*prefix = "";
		return pstrdup(path);
	}
	*prefix = pstrdup(slash + 1);
	length = strlen(*prefix);
	if (length > 0 && (*prefix)[length - 1] != '/')
		*prefix = psprintf("%s/", *prefix);
	return pnstrdup(path, slash - path);
}

/* buckets that stores name without wildcards, and that the user may use; of others nobody knows the names */
static Jsonb *
list_buckets(void)
{
	CatalogAccess access;
	StringInfoData text;
	uint64		rows;

	initStringInfo(&text);
	catalog_begin(&access);
	rows = catalog_execute("SELECT s.name, b FROM appflow.object_store s, pg_catalog.unnest(s.buckets) b "
						   "WHERE b !~ '[*?]' ORDER BY b COLLATE \"C\", s.name COLLATE \"C\"", 0, NULL);
	for (uint64 row = 0; row < rows; row++)
	{
		char	   *store = catalog_get_text(&access, row, 1);
		char	   *bucket = catalog_get_text(&access, row, 2);
		bool		first = row == 0 || strcmp(catalog_get_text(&access, row - 1, 2), bucket) != 0;

		/* of stores that name the same bucket the first one serves it */
		if (first && grant_of_bucket(store, bucket, access.user))
		{
			appendStringInfoString(&text, text.len == 0 ? "" : ", ");
			appendStringInfoString(&text, "{\"hasNestedEntities\": true, \"name\": ");
			escape_json(&text, bucket);
			appendStringInfoString(&text, ", \"label\": ");
			escape_json(&text, bucket);
			appendStringInfoChar(&text, '}');
		}
	}
	catalog_end(&access);
	return jsonb_parse(psprintf("[%s]", text.data));
}

/* the folders right under a path */
static Jsonb *
list_folders(const char *path)
{
	char	   *prefix;
	char	   *bucket = split_path(path, &prefix);
	ObjectList *list = store_list(object_store_for_bucket(bucket), bucket, prefix);
	ObjectInfo	object;
	char	   *last = NULL;
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoChar(&text, '[');
	while (object_list_next(list, &object))
	{
		char	   *rest = object.key + strlen(prefix);
		char	   *slash = strchr(rest, '/');
		char	   *name;

		CHECK_FOR_INTERRUPTS();
		if (slash == NULL)
			continue;
		/* in the order of keys, so that a folder's objects come together */
		if (last != NULL && strncmp(last, rest, slash - rest) == 0 && last[slash - rest] == '\0')
			continue;
		if (last != NULL)
			appendStringInfoString(&text, ", ");
		last = pnstrdup(rest, slash - rest);
		name = psprintf("%s/%s%s", bucket, prefix, last);
		appendStringInfoString(&text, "{\"name\": ");
		escape_json(&text, name);
		appendStringInfoString(&text, ", \"label\": ");
		escape_json(&text, last);
		appendStringInfoString(&text, ", \"hasNestedEntities\": true}");
	}
	object_list_close(list);
	appendStringInfoChar(&text, ']');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data)));
}

const char *
operation_file_type(const char *bucket, const char *prefix)
{
	ObjectList *list = store_list(object_store_for_bucket(bucket), bucket, prefix);
	ObjectInfo	object;
	const char *type = NULL;

	if (object_list_next(list, &object))
	{
		size_t		length = strlen(object.key);

		type = length >= 4 && pg_strcasecmp(object.key + length - 4, ".csv") == 0 ? "CSV" : "JSON";
	}
	object_list_close(list);
	return type;
}

/* the fields of the records in a folder, as the first of them show */
static Jsonb *
describe_folder(const char *path)
{
	char	   *prefix;
	char	   *bucket = split_path(path, &prefix);
	ConnectorSession session = {
		.connector = &s3_connector, .role = GetUserId(), .store = object_store_for_bucket(bucket)
	};
	ReadRequest request = {.all_fields = true, .need_types = true, .sample_records = SAMPLE_RECORDS};
	const char *type = operation_file_type(bucket, prefix);
	CatalogValue values[] = {catalog_text(bucket), catalog_text(prefix[0] ? prefix : NULL), catalog_text(type)};
	RecordReader *reader;
	Jsonb	   *fields;

	if (type == NULL)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("there are no objects under \"%s\"", path));
	request.properties = operation_respond("SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
										   "'bucketName', $1, 'bucketPrefix', $2, 's3InputFormatConfig', "
										   "pg_catalog.jsonb_build_object('s3InputFileType', $3)))", 3, values);
	reader = s3_connector.open_reader(&session, &request);
	fields = schema_as_fields(reader->schema, false);
	reader->close(reader);
	return fields;
}

/* ---------- connectors with a profile ---------- */

/* what a connector of ours is told by its application */
static Jsonb *
ask_application(const Subject *subject, const char *kind, const char *path)
{
	ConnectorSession *session = session_open(subject->bare ? subject->bare->type : subject->profile->connector_type,
											 subject->profile_name, subject->api_version, GetUserId());
	Jsonb	   *metadata;

	if (strcmp(kind, METADATA_ENTITIES) == 0)
		metadata = entities_to_wire(session->connector->list_entities(session, path));
	else
		metadata = schema_to_wire(session->connector->describe_entity(session, path));
	session_close(session);
	return metadata;
}

static Jsonb *
ask(const Subject *subject, const char *kind, const char *path)
{
	MetadataKey key = {
		.profile = subject->profile_name, .api_version = subject->api_version, .kind = kind, .path = path
	};
	Jsonb	   *metadata = metadata_get(&key);
	int64		seconds = METADATA_SECONDS;

	if (metadata != NULL)
		return metadata;
	if (!is_function(subject))
		metadata = ask_application(subject, kind, path);
	else if (strcmp(kind, METADATA_ENTITIES) == 0)
		metadata = protocol_list_entities(subject->connector, subject->profile, subject->api_version, path, &seconds);
	else
		metadata = protocol_describe_entity(subject->connector, subject->profile, subject->api_version, path, &seconds);
	if (seconds > 0)
		metadata_put(&key, metadata, seconds);
	return metadata;
}

/* ---------- the operations ---------- */

/*
 * list_connector_entities(request jsonb) returns jsonb:
 * {"connectorEntityMap": {"Objects": [...]}, "nextToken"}; entities of a group of their
 * own have its name in place of Objects.
 * Follows ListConnectorEntities of the API reference.
 */
OPERATION(appflow_list_connector_entities, "ListConnectorEntities")
{
	Subject		subject = subject_of(request);
	OperationPage page = operation_page(request, "ListConnectorEntities", 20);
	char	   *path = jsonb_get_text(request, "entitiesPath");
	CatalogAccess access;
	CatalogValue values[3];
	Jsonb	   *entities;
	char	   *last;
	bool		more;

	if (path == NULL)
		path = "";
	if (subject.bare != NULL)
		entities = ask_application(&subject, METADATA_ENTITIES, path);
	else if (subject.profile_name == NULL)
	{
		check_may_use_buckets();
		entities = path[0] ? list_folders(path) : list_buckets();
	}
	else if (subject.profile == NULL)
		entities = list_tables(path);
	else
		entities = ask(&subject, METADATA_ENTITIES, path);

	/* a page begins behind so many entities of the list */
	values[0] = catalog_jsonb(entities);
	values[1] = catalog_int64(page.size);
	values[2] = catalog_int64(page.after ? strtol(page.after, NULL, 10) : 0);
	catalog_begin(&access);
	catalog_execute("WITH x (e, n) AS (SELECT * FROM pg_catalog.jsonb_array_elements($1) WITH ORDINALITY), "
					"y (name, list) AS (SELECT coalesce(e ->> 'group', 'Objects'), pg_catalog.jsonb_agg(e - 'group' ORDER BY n) "
					"FROM x WHERE n > $3 AND n <= $3 + $2 GROUP BY 1) "
					"SELECT coalesce((SELECT pg_catalog.jsonb_object_agg(name, list) FROM y), '{\"Objects\": []}'), "
					"($3 + $2)::text, (SELECT pg_catalog.count(*) FROM x) > $3 + $2", lengthof(values), values);
	entities = catalog_get_jsonb(&access, 0, 1);
	last = catalog_get_text(&access, 0, 2);
	more = catalog_get_bool(0, 3);
	catalog_end(&access);
	PG_RETURN_JSONB_P(operation_page_response("connectorEntityMap", entities, "ListConnectorEntities",
											  more ? last : NULL));
}

/*
 * describe_connector_entity(request jsonb) returns jsonb:
 * {"connectorEntityFields": [...]}.
 * Follows DescribeConnectorEntity of the API reference.
 */
OPERATION(appflow_describe_connector_entity, "DescribeConnectorEntity")
{
	Subject		subject = subject_of(request);
	char	   *entity = jsonb_get_text(request, "connectorEntityName");
	CatalogValue values[1];
	Jsonb	   *fields;

	if (subject.bare != NULL)
		fields = ask_application(&subject, METADATA_ENTITY, entity);
	else if (subject.profile_name == NULL)
	{
		check_may_use_buckets();
		fields = describe_folder(entity);
	}
	else if (subject.profile == NULL)
		fields = describe_table(entity);
	else
		fields = ask(&subject, METADATA_ENTITY, entity);
	values[0] = catalog_jsonb(fields);
	PG_RETURN_JSONB_P(operation_respond("SELECT pg_catalog.jsonb_build_object('connectorEntityFields', $1)", 1, values));
}

/*
 * reset_connector_metadata_cache(request jsonb) returns jsonb: {}.
 * Follows ResetConnectorMetadataCache of the API reference: with an entity, what
 * is known of its fields; without, the names of entities, under a path if one
 * is given.
 */
OPERATION(appflow_reset_connector_metadata_cache, "ResetConnectorMetadataCache")
{
	Subject		subject = subject_of(request);
	char	   *entity = jsonb_get_text(request, "connectorEntityName");
	MetadataKey key = {
		.profile = subject.profile_name, .api_version = jsonb_get_text(request, "apiVersion"),
		.kind = entity ? METADATA_ENTITY : METADATA_ENTITIES,
		.path = entity ? entity : jsonb_get_text(request, "entitiesPath")
	};

	/* of tables and buckets nothing is kept */
	if (subject.profile != NULL)
		metadata_reset(&key);
	PG_RETURN_JSONB_P(operation_empty());
}
