/*-------------------------------------------------------------------------
 *
 * redshift.c
 *	  Amazon Redshift: COPY from the intermediate bucket.
 *
 * A manifest names exactly the run's objects.  Which rows a COPY has left out is in
 * sys_load_error_detail, by the id of its query.
 *
 * IDENTIFICATION
 *	  src/apps/redshift.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/redshift.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/json.h"

/* of MAXERROR */
#define MAX_ERRORS 100000

static char
fold_lower(char c)
{
	return pg_tolower((unsigned char) c);
}

static RedshiftLink *
link_of(ConnectorSession *session)
{
	if (session->state == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(session->context);
		char	   *url = jsonb_get_text(session->profile_properties, "databaseUrl");

		session->state = url != NULL ? redshift_connect(session, url) : redshift_data_api(session);
		MemoryContextSwitchTo(old);
	}
	return session->state;
}

static WarehouseRows *
query(ConnectorSession *session, const char *sql, const char *what)
{
	RedshiftLink *link = link_of(session);

	return link->query(link, sql, what);
}

/* schema and table */
static List *
table_parts(const char *table)
{
	List	   *parts = warehouse_name_parts(table, fold_lower);

	if (list_length(parts) == 1)
		return list_make2("public", linitial(parts));
	if (list_length(parts) != 2)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not of the form schema.table", table));
	return parts;
}

/* ---------- entities ---------- */

static Schema *
redshift_describe(ConnectorSession *session, const char *table)
{
	List	   *parts = table_parts(table);
	WarehouseRows *rows = query(session, psprintf(
		"SELECT column_name, data_type, is_nullable, numeric_precision, numeric_scale, character_maximum_length "
		"FROM svv_columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
		warehouse_literal(linitial(parts)), warehouse_literal(lsecond(parts))), psprintf("to describe table \"%s\"", table));
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, rows->rows)
	{
		char	   *type = warehouse_value(rows, lfirst(lc), "data_type");
		char	   *precision = warehouse_value(rows, lfirst(lc), "numeric_precision");
		char	   *scale = warehouse_value(rows, lfirst(lc), "numeric_scale");
		char	   *length = warehouse_value(rows, lfirst(lc), "character_maximum_length");
		char	   *nullable = warehouse_value(rows, lfirst(lc), "is_nullable");
		Field	   *field = schema_add(schema, warehouse_value(rows, lfirst(lc), "column_name"), FIELD_STRING);

		field->native_type = type;
		if (type != NULL && strcmp(type, "super") == 0)
			field->type = FIELD_JSON;
		else if (type != NULL && (strcmp(type, "varbyte") == 0 || strcmp(type, "binary varying") == 0))
			field->type = FIELD_BINARY;
		else if (type != NULL)
			(void) field_set_type(field, type);
		if (field->type == FIELD_DECIMAL && precision != NULL)
		{
			field->precision = atoi(precision);
			field->scale = scale == NULL ? 0 : atoi(scale);
		}
		field->max_length = length == NULL ? 0 : atoi(length);
		field->not_null = nullable != NULL && pg_strcasecmp(nullable, "NO") == 0;
		field->writes = WRITES_INSERT;
	}
	return schema->nfields > 0 ? schema : NULL;
}

static Schema *
redshift_describe_entity(ConnectorSession *session, const char *entity)
{
	Schema	   *schema = redshift_describe(session, entity);

	if (schema == NULL)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("Redshift has no table \"%s\" that the user may see", entity));
	return schema;
}

static List *
redshift_list_entities(ConnectorSession *session, const char *path)
{
	WarehouseRows *rows = query(session,
		"SELECT table_schema, table_name FROM svv_tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema', "
		"'pg_internal', 'pg_automv') AND table_type = 'BASE TABLE' ORDER BY table_schema, table_name", "to list tables");
	List	   *entities = NIL;
	ListCell   *lc;

	foreach(lc, rows->rows)
	{
		Entity	   *entity = palloc0(sizeof(Entity));

		entity->label = warehouse_value(rows, lfirst(lc), "table_name");
		entity->name = psprintf("%s.%s", warehouse_identifier(warehouse_value(rows, lfirst(lc), "table_schema")),
								warehouse_identifier(entity->label));
		entities = lappend(entities, entity);
	}
	return entities;
}

/* ---------- loading ---------- */

static void
redshift_check(ConnectorSession *session, const WriteRequest *request, const char *folder)
{
	if (jsonb_get_text(session->profile_properties, "roleArn") == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connector profile \"%s\" has no roleArn, by which Redshift reads the intermediate bucket",
					   session->profile_name));
}

/* {"entries": [{"url": "s3://bucket/key", "mandatory": true}]} */
static char *
put_manifest(ConnectorSession *session, const Load *load, const char *owner)
{
	char	   *first = linitial(load->keys);
	char	   *key = psprintf("%.*smanifest", (int) (strrchr(first, '/') - first) + 1, first);
	ObjectWriter *writer = store_write(session->store, load->bucket, key, "application/json", owner);
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"entries\":[");
	foreach(lc, load->keys)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoChar(&text, ',');
		appendStringInfoString(&text, "{\"url\":");
		escape_json(&text, psprintf("s3://%s/%s", load->bucket, (char *) lfirst(lc)));
		appendStringInfoString(&text, ",\"mandatory\":true}");
	}
	appendStringInfoString(&text, "]}");
	object_write(writer, text.data, text.len);
	object_write_finish(writer);
	return key;
}

static void
collect_errors(ConnectorSession *session, Load *load)
{
	WarehouseRows *rows = query(session,
		"SELECT file_name, line_number, error_code, error_message, column_name FROM sys_load_error_detail "
		"WHERE query_id = pg_last_copy_id() ORDER BY file_name, line_number", "to list what was not loaded");
	ListCell   *lc;

	foreach(lc, rows->rows)
	{
		LoadError  *error = palloc0(sizeof(LoadError));
		char	   *file = warehouse_value(rows, lfirst(lc), "file_name");
		char	   *line = warehouse_value(rows, lfirst(lc), "line_number");
		char	   *column = warehouse_value(rows, lfirst(lc), "column_name");
		char	   *bucket = psprintf("s3://%s/", load->bucket);

		if (file == NULL || line == NULL)
			continue;
		error->key = strncmp(file, bucket, strlen(bucket)) == 0 ? file + strlen(bucket) : file;
		error->line = strtol(line, NULL, 10);
		error->code = warehouse_value(rows, lfirst(lc), "error_code");
		error->message = warehouse_value(rows, lfirst(lc), "error_message");
		if (error->message != NULL)
			error->message = session_words(session, error->message);
		if (error->code == NULL)
			error->code = "LoadError";
		if (error->message == NULL)
			error->message = "no message";
		if (column != NULL && column[strspn(column, " ")] != '\0')
			error->message = psprintf("column %s: %s", column, error->message);
		load->errors = lappend(load->errors, error);
	}
}

static void
redshift_load(ConnectorSession *session, Load *load)
{
	List	   *parts = table_parts(load->table);
	char	   *region = jsonb_get_text(session->profile_properties, "region");
	char	   *key = put_manifest(session, load, session->execution_id);
	StringInfoData sql;
	WarehouseRows *rows;
	ListCell   *lc;
	char	   *loaded;

	load->keys = lappend(load->keys, key);	/* goes with them */
	initStringInfo(&sql);
	appendStringInfo(&sql, "COPY %s.%s (", warehouse_identifier(linitial(parts)), warehouse_identifier(lsecond(parts)));
	foreach(lc, load->columns)
		appendStringInfo(&sql, "%s%s", foreach_current_index(lc) > 0 ? ", " : "", warehouse_identifier(lfirst(lc)));
	appendStringInfo(&sql, ") FROM %s IAM_ROLE %s FORMAT AS JSON 'auto ignorecase' MANIFEST TIMEFORMAT 'auto' "
					 "DATEFORMAT 'auto' ACCEPTINVCHARS MAXERROR %d",
					 warehouse_literal(psprintf("s3://%s/%s", load->bucket, key)),
					 warehouse_literal(jsonb_get_text(session->profile_properties, "roleArn")),
					 load->all_or_none ? 0 : MAX_ERRORS);
	if (region != NULL)
		appendStringInfo(&sql, " REGION %s", warehouse_literal(region));
	load->underway = load->records;
	link_of(session)->underway = &load->underway;
	(void) query(session, sql.data, psprintf("to load table \"%s\"", load->table));
	link_of(session)->underway = NULL;
	rows = query(session, "SELECT pg_last_copy_count() AS loaded", "to count what was loaded");
	loaded = rows->rows == NIL ? NULL : warehouse_value(rows, linitial(rows->rows), "loaded");
	if (loaded == NULL)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Redshift does not say how many records it has loaded into table \"%s\"", load->table));
	load->loaded = strtoull(loaded, NULL, 10);
	load->underway = 0;
	if (load->loaded < load->records)
		collect_errors(session, load);
}

static const Warehouse warehouse = {
	.describe = redshift_describe,
	.check = redshift_check,
	.load = redshift_load,
};

static RecordWriter *
redshift_open_writer(ConnectorSession *session, WriteRequest *request)
{
	return warehouse_open_writer(session, request, &warehouse);
}

const Connector redshift_connector = {
	.type = "Redshift",
	.list_entities = redshift_list_entities,
	.describe_entity = redshift_describe_entity,
	.open_writer = redshift_open_writer,
	.staged = true,
};
