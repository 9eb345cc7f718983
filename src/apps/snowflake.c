/*-------------------------------------------------------------------------
 *
 * snowflake.c
 *	  Snowflake: a session by user name and password, COPY INTO from a stage.
 *
 * The profile's stage (database.schema.stage) is one that the customer has made over
 * the intermediate bucket.  Where in the bucket it begins, Snowflake is asked.
 *
 * Follows the session protocol of Snowflake's drivers: /queries/v1/query-request, and the
 * result's URL while a statement runs.
 *
 * IDENTIFICATION
 *	  src/apps/snowflake.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/warehouse.h"
#include "miscadmin.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/uuid.h"

/* codes of the protocol */
#define STILL_RUNNING "333333"
#define STILL_RUNNING_ASYNC "333334"

/* objects that one COPY may name */
#define MAX_FILES 1000

static const char *const expired_codes[] = {"390104", "390111", "390112", "390114", "390195", "390318"};
static const char *const refused_codes[] = {"390100", "390144", "390303"};

static char
fold_upper(char c)
{
	return pg_toupper((unsigned char) c);
}

static bool
is_one_of(const char *code, const char *const *codes, int count)
{
	for (int i = 0; code != NULL && i < count; i++)
	{
		if (strcmp(code, codes[i]) == 0)
			return true;
	}
	return false;
}

/* ---------- statements ---------- */

static char *
new_request_id(void)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, DirectFunctionCall1(gen_random_uuid, (Datum) 0)));
}

static WarehouseRows *
read_rows(Jsonb *data)
{
	WarehouseRows *result = palloc0(sizeof(WarehouseRows));
	List	   *types = jsonb_array_containers(jsonb_get_container(data, "rowtype"));
	ListCell   *lc;

	result->ncolumns = list_length(types);
	result->names = palloc(sizeof(char *) * Max(result->ncolumns, 1));
	foreach(lc, types)
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");

		result->names[foreach_current_index(lc)] = name == NULL ? "" : name;
	}
	foreach(lc, jsonb_array_containers(jsonb_get_container(data, "rowset")))
	{
		char	  **row = palloc0(sizeof(char *) * Max(result->ncolumns, 1));
		Jsonb	   *array = lfirst(lc);

		for (int i = 0; i < result->ncolumns; i++)
		{
			JsonbValue *value = getIthJsonbValueFromContainer(&array->root, i);

			if (value != NULL && value->type == jbvString)
				row[i] = pnstrdup(value->val.string.val, value->val.string.len);
		}
		result->rows = lappend(result->rows, row);
	}
	return result;
}

static HttpCall *
statement_call(ConnectorSession *session, const char *sql, const char *request)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"sqlText\":");
	escape_json(&body, sql);
	appendStringInfoString(&body, ",\"asyncExec\":false,\"sequenceId\":1}");
	return session_call_json(session, "POST", psprintf("/queries/v1/query-request?requestId=%s", request),
							 body.data, body.len);
}

/* a statement as it is sent */
typedef struct Statement
{
	ConnectorSession *session;
	char	   *request;		/* its id */
	bool		running;		/* nothing says that it is not */
} Statement;

static void
stop_statement(void *arg)
{
	Statement  *statement = arg;
	char	   *body = psprintf("{\"requestId\":\"%s\"}", statement->request);
	HttpCall   *call = session_call_json(statement->session, "POST",
										 psprintf("/queries/v1/abort-request?requestId=%s", new_request_id()), body, strlen(body));

	http_header(call, "Accept", "application/snowflake");
	call->max_retries = 0;
	call->connect_timeout = call->idle_timeout = WAREHOUSE_STOP_TIMEOUT;
	(void) http_try_wait(call);
	http_close(call);
}

/*
 * One statement; what says in errors what it is about; *id is the query's, *underway becomes 0
 * if Snowflake itself says no.  A statement that runs is not sent again, whatever happens to the session: its result is asked for again.
 */
static WarehouseRows *
run_statement(Statement *statement, const char *sql, const char *what, char **id, uint64 *underway)
{
	ConnectorSession *session = statement->session;
	bool		renewed = false;
	char	   *result = NULL;	/* where the result of the running statement will be */

	for (;;)
	{
		HttpCall   *call;
		Jsonb	   *answer;
		char	   *code;
		char	   *message;

		CHECK_FOR_INTERRUPTS();
		call = result == NULL ? statement_call(session, sql, statement->request) : session_call(session, "GET", result);
		http_header(call, "Accept", "application/snowflake");
		answer = session_fetch(session, call, what, NULL);
		code = jsonb_get_text(answer, "code");
		if (code != NULL && (strcmp(code, STILL_RUNNING) == 0 || strcmp(code, STILL_RUNNING_ASYNC) == 0))
		{
			char	   *url = jsonb_get_text(jsonb_get_container(answer, "data"), "getResultUrl");

			if (url != NULL)
				result = url;
			if (result != NULL)
			{
				http_pause(500);
				continue;
			}
		}
		if (jsonb_get_bool(answer, "success", false))
		{
			Jsonb	   *data = jsonb_get_container(answer, "data");

			statement->running = false;
			if (id != NULL)
				*id = jsonb_get_text(data, "queryId");
			if (jsonb_array_containers(jsonb_get_container(data, "chunks")) != NIL)
				ereport(WARNING,
						errmsg("Snowflake sent only the first rows of what was asked %s", what));
			return read_rows(data);
		}
		if (!renewed && is_one_of(code, expired_codes, lengthof(expired_codes)) &&
			session->authenticator->obtain != NULL && session->authenticator->obtain(session->authenticator, true))
		{
			renewed = true;
			continue;
		}
		message = jsonb_get_text(answer, "message");
		statement->running = false;
		if (underway != NULL)
			*underway = 0;
		ereport(ERROR,
				appflow_error_detail(is_one_of(code, refused_codes, lengthof(refused_codes)) ||
									 is_one_of(code, expired_codes, lengthof(expired_codes)) ? WF_AUTHENTICATION : WF_CONNECTOR,
									 "Snowflake code %s.", code == NULL ? "is missing" : code),
				errmsg("Snowflake refused %s: %s", what, message != NULL ? session_words(session, message) : "no message"));
	}
}

/* The same, and stopped if nobody waits for it any more. */
static WarehouseRows *
query_for(ConnectorSession *session, const char *sql, const char *what, char **id, uint64 *underway)
{
	MemoryContext context = CurrentMemoryContext;
	Statement  *statement = palloc0(sizeof(Statement));
	WarehouseRows *rows;

	statement->session = session;
	statement->request = new_request_id();
	statement->running = true;
	PG_TRY();
	{
		rows = run_statement(statement, sql, what, id, underway);
	}
	PG_CATCH();
	{
		if (statement->running)
			warehouse_stop(context, stop_statement, statement);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return rows;
}

static WarehouseRows *
query(ConnectorSession *session, const char *sql, const char *what)
{
	return query_for(session, sql, what, NULL, NULL);
}

/* ---------- names ---------- */

/* database, schema and stage of the profile */
static List *
stage_parts(ConnectorSession *session)
{
	char	   *stage = jsonb_get_text(session->profile_properties, "stage");
	List	   *parts = warehouse_name_parts(stage == NULL ? "" : stage, fold_upper);

	if (list_length(parts) != 3)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("stage \"%s\" of connector profile \"%s\" is not of the form database.schema.stage",
					   stage == NULL ? "" : stage, session->profile_name));
	return parts;
}

/* database, schema and table; what the name lacks is the stage's */
static List *
table_parts(ConnectorSession *session, const char *table)
{
	List	   *stage = stage_parts(session);
	List	   *parts = warehouse_name_parts(table, fold_upper);

	if (list_length(parts) > 3)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not of the form database.schema.table", table));
	if (list_length(parts) == 1)
		return list_make3(linitial(stage), lsecond(stage), linitial(parts));
	if (list_length(parts) == 2)
		return list_make3(linitial(stage), linitial(parts), lsecond(parts));
	return parts;
}

static char *
qualified(List *parts)
{
	return psprintf("%s.%s.%s", warehouse_identifier(linitial(parts)), warehouse_identifier(lsecond(parts)),
					warehouse_identifier(lthird(parts)));
}

/* ---------- entities ---------- */

static const struct
{
	const char *name;
	FieldType	type;
}			column_types[] = {
	{"TEXT", FIELD_STRING}, {"FLOAT", FIELD_DOUBLE}, {"BOOLEAN", FIELD_BOOLEAN}, {"DATE", FIELD_DATE},
	{"TIME", FIELD_TIME}, {"TIMESTAMP_NTZ", FIELD_TIMESTAMP}, {"TIMESTAMP_LTZ", FIELD_DATETIME},
	{"TIMESTAMP_TZ", FIELD_DATETIME}, {"VARIANT", FIELD_JSON}, {"OBJECT", FIELD_JSON}, {"ARRAY", FIELD_JSON},
	{"BINARY", FIELD_BINARY}, {"NUMBER", FIELD_DECIMAL},
};

static void
add_column(Schema *schema, const WarehouseRows *rows, char **row)
{
	char	   *type = warehouse_value(rows, row, "DATA_TYPE");
	char	   *scale = warehouse_value(rows, row, "NUMERIC_SCALE");
	char	   *precision = warehouse_value(rows, row, "NUMERIC_PRECISION");
	char	   *nullable = warehouse_value(rows, row, "IS_NULLABLE");
	Field	   *field = schema_add(schema, warehouse_value(rows, row, "COLUMN_NAME"), FIELD_STRING);

	for (int i = 0; type != NULL && i < (int) lengthof(column_types); i++)
	{
		if (strcmp(type, column_types[i].name) == 0)
			field->type = column_types[i].type;
	}
	if (field->type == FIELD_DECIMAL)
	{
		field->precision = precision == NULL ? 0 : atoi(precision);
		field->scale = scale == NULL ? 0 : atoi(scale);
		if (field->scale == 0 && field->precision > 0 && field->precision <= 18)
			field->type = FIELD_LONG;
	}
	field->native_type = type;
	field->not_null = nullable != NULL && strcmp(nullable, "NO") == 0;
	field->writes = WRITES_INSERT;
}

static Schema *
snowflake_describe(ConnectorSession *session, const char *table)
{
	List	   *parts = table_parts(session, table);
	WarehouseRows *rows = query(session, psprintf(
		"SELECT column_name, data_type, is_nullable, numeric_precision, numeric_scale FROM %s.information_schema.columns "
		"WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position", warehouse_identifier(linitial(parts)),
		warehouse_literal(lsecond(parts)), warehouse_literal(lthird(parts))), psprintf("to describe table \"%s\"", table));
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, rows->rows)
		add_column(schema, rows, lfirst(lc));
	return schema->nfields > 0 ? schema : NULL;
}

static Schema *
snowflake_describe_entity(ConnectorSession *session, const char *entity)
{
	Schema	   *schema = snowflake_describe(session, entity);

	if (schema == NULL)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("Snowflake has no table \"%s\" that the user may see", entity));
	return schema;
}

/* tables of the stage's database */
static List *
snowflake_list_entities(ConnectorSession *session, const char *path)
{
	WarehouseRows *rows = query(session, psprintf("SHOW TABLES IN DATABASE %s",
												  warehouse_identifier(linitial(stage_parts(session)))), "to list tables");
	List	   *entities = NIL;
	ListCell   *lc;

	foreach(lc, rows->rows)
	{
		Entity	   *entity = palloc0(sizeof(Entity));
		char	   *schema = warehouse_value(rows, lfirst(lc), "schema_name");
		char	   *name = warehouse_value(rows, lfirst(lc), "name");

		if (schema == NULL || name == NULL)
			continue;
		entity->name = psprintf("%s.%s", warehouse_identifier(schema), warehouse_identifier(name));
		entity->label = name;
		entities = lappend(entities, entity);
	}
	return entities;
}

/* ---------- loading ---------- */

/* what the stage's URL says behind "s3://bucket/", with a slash at its end unless it is empty */
static char *
stage_prefix(ConnectorSession *session, const char *bucket)
{
	List	   *stage = stage_parts(session);
	WarehouseRows *rows = query(session, psprintf("DESC STAGE %s", qualified(stage)), "to describe the stage");
	char	   *url = NULL;
	ListCell   *lc;
	size_t		length;
	char	   *prefix;

	foreach(lc, rows->rows)
	{
		char	   *property = warehouse_value(rows, lfirst(lc), "property");
		char	   *value = warehouse_value(rows, lfirst(lc), "property_value");

		/* ["s3://bucket/prefix/"] */
		if (property != NULL && strcmp(property, "URL") == 0 && value != NULL && strncmp(value, "[\"s3://", 7) == 0)
			url = pnstrdup(value + 7, strcspn(value + 7, "\""));
	}
	length = strlen(bucket);
	if (url == NULL || strncmp(url, bucket, length) != 0 || (url[length] != '/' && url[length] != '\0'))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("stage %s of connector profile \"%s\" is over %s%s, not over intermediateBucketName \"%s\"", qualified(stage),
					   session->profile_name, url == NULL ? "no bucket of S3" : "s3://", url == NULL ? "" : url, bucket));
	prefix = url + length + (url[length] == '/' ? 1 : 0);
	length = strlen(prefix);
	return length > 0 && prefix[length - 1] != '/' ? psprintf("%s/", prefix) : prefix;
}

static void
snowflake_check(ConnectorSession *session, const WriteRequest *request, const char *folder)
{
	char	   *bucket = jsonb_get_text(request->properties, "intermediateBucketName");
	char	   *prefix = stage_prefix(session, bucket);

	if (strncmp(folder, prefix, strlen(prefix)) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the stage of connector profile \"%s\" begins at s3://%s/%s, and the flow's bucketPrefix is not under it",
					   session->profile_name, bucket, prefix));
	session->state = prefix;
}

/* the rows that were left out, by the query that left them out */
static void
collect_errors(ConnectorSession *session, Load *load, const char *table, const char *id)
{
	WarehouseRows *rows = query(session, psprintf("SELECT * FROM TABLE(VALIDATE(%s, JOB_ID => %s))", table,
												  warehouse_literal(id)), "to list what was not loaded");
	ListCell   *lc;

	foreach(lc, rows->rows)
	{
		LoadError  *error = palloc0(sizeof(LoadError));
		char	   *line = warehouse_value(rows, lfirst(lc), "LINE");
		char	   *column = warehouse_value(rows, lfirst(lc), "COLUMN_NAME");

		error->key = warehouse_value(rows, lfirst(lc), "FILE");
		error->message = warehouse_value(rows, lfirst(lc), "ERROR");
		if (error->message != NULL)
			error->message = session_words(session, error->message);
		error->code = warehouse_value(rows, lfirst(lc), "CODE");
		if (error->key == NULL || line == NULL)
			continue;
		error->line = strtol(line, NULL, 10);
		if (error->message == NULL)
			error->message = "no message";
		if (column != NULL && column[0] != '\0')
			error->message = psprintf("column %s: %s", column, error->message);
		if (error->code == NULL)
			error->code = "LoadError";
		load->errors = lappend(load->errors, error);
	}
}

static void
load_files(ConnectorSession *session, Load *load, int from, int to)
{
	const char *prefix = session->state;
	char	   *table = qualified(table_parts(session, load->table));
	StringInfoData sql;
	WarehouseRows *rows;
	char	   *id = NULL;
	uint64		errors = 0;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "COPY INTO %s FROM @%s FILES = (", table, qualified(stage_parts(session)));
	for (int i = from; i < to; i++)
		appendStringInfo(&sql, "%s%s", i > from ? ", " : "",
						 warehouse_literal((char *) list_nth(load->keys, i) + strlen(prefix)));
	appendStringInfo(&sql, ") FILE_FORMAT = (TYPE = JSON) MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = %s",
					 load->all_or_none ? "ABORT_STATEMENT" : "CONTINUE");
	load->underway = load->records - Min(load->loaded, load->records);
	rows = query_for(session, sql.data, psprintf("to load table \"%s\"", load->table), &id, &load->underway);
	load->underway = 0;
	foreach(lc, rows->rows)
	{
		char	   *loaded = warehouse_value(rows, lfirst(lc), "rows_loaded");
		char	   *seen = warehouse_value(rows, lfirst(lc), "errors_seen");

		load->loaded += loaded == NULL ? 0 : strtoull(loaded, NULL, 10);
		errors += seen == NULL ? 0 : strtoull(seen, NULL, 10);
	}
	if (errors > 0 && id != NULL)
		collect_errors(session, load, table, id);
}

static void
snowflake_load(ConnectorSession *session, Load *load)
{
	int			count = list_length(load->keys);

	for (int from = 0; from < count; from += MAX_FILES)
		load_files(session, load, from, Min(from + MAX_FILES, count));
}

static const Warehouse warehouse = {
	.describe = snowflake_describe,
	.check = snowflake_check,
	.load = snowflake_load,
};

static RecordWriter *
snowflake_open_writer(ConnectorSession *session, WriteRequest *request)
{
	return warehouse_open_writer(session, request, &warehouse);
}

const Connector snowflake_connector = {
	.type = "Snowflake",
	.list_entities = snowflake_list_entities,
	.describe_entity = snowflake_describe_entity,
	.open_writer = snowflake_open_writer,
	.staged = true,
};
