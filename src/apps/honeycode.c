/*-------------------------------------------------------------------------
 *
 * honeycode.c
 *	  Amazon Honeycode: each record a row of a workbook's table.
 *
 * Amazon has ended the service; what answers its protocol (version 2020-03-01: ListTables,
 * ListTableColumns, BatchCreateTableRows) is written to all the same.
 *
 * Entities are "workbook/table", by ids; a table may also be named.  A batch has a
 * token of its own, by which Honeycode knows one that it has had: calls may be
 * repeated.
 *
 * IDENTIFICATION
 *	  src/apps/honeycode.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/aws_target.h"
#include "codec/text.h"
#include "miscadmin.h"
#include "net/aws_service.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#define NAME "Amazon Honeycode"
#define MAX_ROWS 100
#define MAX_CELLS 100
#define MAX_FACT 8192			/* characters */
#define MAX_BODY (4 * 1024 * 1024)	/* bytes after which a batch is not added to */
#define ID_LENGTH 36

/* times are counted in days, as in other spreadsheets: 1970-01-01 is day 25569 */
#define EPOCH_DAY 25569
#define DAY_MICROS INT64_C(86400000000)

/* formats of columns that are more than text */
static const struct
{
	const char *format;
	FieldType	type;
}			formats[] = {
	{"NUMBER", FIELD_DECIMAL},
	{"CURRENCY", FIELD_DECIMAL},
	{"PERCENTAGE", FIELD_DECIMAL},
	{"ACCOUNTING", FIELD_DECIMAL},
	{"DATE", FIELD_DATE},
	{"TIME", FIELD_TIME},
	{"DATE_TIME", FIELD_TIMESTAMP},
};

/* ---------- calls ---------- */

/* A token that the service says has expired is renewed as one that is refused with 401. */
static bool
judge(HttpCall *call, bool retry, void *arg)
{
	Authenticator *authenticator = arg;

	if (authenticator->kind == BY_TOKEN && call->status != 401 && call->attempts == 1 &&
		aws_is_expired(call))
		return authenticator->obtain(authenticator, true);
	return aws_worth_repeating(call, retry);
}

static HttpCall *
make_call(ConnectorSession *session, const char *method, const char *path, const char *body, size_t length)
{
	HttpCall   *call = body == NULL ? session_call(session, method, path) :
		session_call_json(session, method, path, body, length);

	call->repeatable = true;
	call->judge = judge;
	call->arg = session->authenticator;
	return call;
}

static void
fail(ConnectorSession *session, HttpCall *call, const char *what)
{
	AwsFailure	failure = aws_read_failure(call);

	if (failure.name[0] == '\0' && failure.message[0] == '\0')
		session_raise(session, call, what, NULL, NULL);
	session_raise_as(session, call, aws_exception(&failure, call->status), what,
					 failure.name[0] ? aws_shown(failure.name) : NULL,
					 failure.message[0] ? aws_shown(failure.message) : NULL);
}

/* The containers in a member of all pages behind a path. */
static List *
fetch_pages(ConnectorSession *session, const char *path, const char *member, const char *what)
{
	List	   *items = NIL;
	char	   *token = NULL;

	do
	{
		char	   *page = token == NULL ? pstrdup(path) : url_with_query(path, url_with_parameter("", "nextToken", token));
		Jsonb	   *answer;

		CHECK_FOR_INTERRUPTS();
		answer = session_fetch(session, make_call(session, "GET", page, NULL, 0), what, fail);
		if (jsonb_get_container(answer, member) == NULL)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("the answer of " NAME " about %s has no \"%s\"", what, member));
		items = list_concat(items, jsonb_array_containers(jsonb_get_container(answer, member)));
		token = aws_next_token(answer, "nextToken", token, NAME, what);
	} while (token != NULL);
	return items;
}

/* ---------- entities ---------- */

static bool
is_id(const char *text)
{
	for (int i = 0; i < ID_LENGTH; i++)
	{
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !isxdigit((unsigned char) text[i]))
			return false;
	}
	return text[ID_LENGTH] == '\0';
}

static List *
fetch_tables(ConnectorSession *session, const char *workbook)
{
	return fetch_pages(session, psprintf("/workbooks/%s/tables?maxResults=100", url_encode(workbook)), "tables",
					   psprintf("workbook \"%s\"", workbook));
}

/* Nothing tells which workbooks there are: what is at the top is not known. */
static List *
list_tables(ConnectorSession *session, const char *path)
{
	List	   *entities = NIL;
	ListCell   *lc;

	if (path[0] == '\0')
		return NIL;
	foreach(lc, fetch_tables(session, path))
	{
		Entity	   *entity = palloc0(sizeof(Entity));
		char	   *id = jsonb_get_text(lfirst(lc), "tableId");

		if (id == NULL)
			continue;
		entity->name = psprintf("%s/%s", path, id);
		entity->label = jsonb_get_text(lfirst(lc), "tableName");
		entities = lappend(entities, entity);
	}
	return entities;
}

/* "/workbooks/<id>/tables/<id>" of an entity */
static char *
table_path(ConnectorSession *session, const char *entity)
{
	const char *slash = strchr(entity, '/');
	char	   *workbook;
	ListCell   *lc;

	if (slash == NULL || slash == entity || slash[1] == '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not of the form workbook/table", entity),
				errhint("Workbook and table are ids; a table may also be named."));
	workbook = pnstrdup(entity, slash - entity);
	if (is_id(slash + 1))
		return psprintf("/workbooks/%s/tables/%s", url_encode(workbook), slash + 1);
	foreach(lc, fetch_tables(session, workbook))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "tableName");
		char	   *id = jsonb_get_text(lfirst(lc), "tableId");

		if (name != NULL && id != NULL && strcmp(name, slash + 1) == 0)
			return psprintf("/workbooks/%s/tables/%s", url_encode(workbook), url_encode(id));
	}
	ereport(ERROR,
			appflow_error(WF_NOT_FOUND),
			errmsg("workbook \"%s\" of " NAME " has no table \"%s\"", workbook, slash + 1));
}

/* The columns of a table; the path of a field is the column's id. */
static Schema *
describe_path(ConnectorSession *session, const char *path, const char *entity)
{
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, fetch_pages(session, psprintf("%s/columns", path), "tableColumns", psprintf("table \"%s\"", entity)))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "tableColumnName");
		char	   *id = jsonb_get_text(lfirst(lc), "tableColumnId");
		char	   *format = jsonb_get_text(lfirst(lc), "format");
		Field	   *field;

		if (id == NULL || schema_find(schema, name == NULL ? id : name) >= 0)
			continue;
		field = schema_add(schema, name == NULL ? id : name, FIELD_STRING);
		field->path = id;
		field->native_type = format;
		field->writes = WRITES_INSERT;
		field->max_length = MAX_FACT;
		for (int i = 0; format != NULL && i < (int) lengthof(formats); i++)
		{
			if (strcmp(formats[i].format, format) != 0)
				continue;
			field->type = formats[i].type;
			field->max_length = 0;
		}
	}
	return schema;
}

static Schema *
describe_table(ConnectorSession *session, const char *entity)
{
	return describe_path(session, table_path(session, entity), entity);
}

static List *
check_table(Jsonb *properties, bool as_source)
{
	char	   *object = jsonb_get_text(properties, "object");
	char	   *slash = object == NULL ? NULL : strchr(object, '/');

	if (object == NULL || (slash != NULL && slash > object && slash[1] != '\0'))
		return NIL;
	return list_make1(psprintf("object \"%s\" is not of the form workbook/table", object));
}

/* ---------- writing ---------- */

typedef struct RowWriter
{
	RecordWriter base;
	MemoryContext context;		/* of a batch */
	ConnectorSession *session;
	char	   *path;
	char	   *what;
	char	  **columns;		/* id of each field's column */
	StringInfoData body;
	uint32		rows[MAX_ROWS];	/* of the batch that is being made */
	size_t		sizes[MAX_ROWS];
	int			count;
} RowWriter;

static int
characters(const char *text)
{
	int			count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char) *text & 0xC0) != 0x80;
	return count;
}

/* a number of days that tells microseconds apart, without zeros at its end */
static char *
days_text(int64 days, int64 micros)
{
	/* 10^12 parts of a day, rounded: 10^12 / DAY_MICROS is 625 / 54 */
	int64		parts = (micros * 625 + 27) / 54;
	char	   *text = psprintf(INT64_FORMAT ".%012lld", days + EPOCH_DAY, (long long) parts);
	size_t		length = strlen(text);

	while (text[length - 1] == '0')
		text[--length] = '\0';
	if (text[length - 1] == '.')
		text[--length] = '\0';
	return text;
}

/*
 * What is typed into a cell, or NULL with *problem.  Formulas begin with '=', so a value
 * that does would become what it computes.
 */
static char *
fact_of(const Cell *cell, FieldType type, char **problem)
{
	char	   *text;
	int64		micros;
	bool		zone;

	*problem = NULL;
	if (cell->kind == CELL_NULL)
		return "";
	if (cell->kind == CELL_DATE || cell->kind == CELL_TIMESTAMP)
	{
		int64		day = cell->kind == CELL_DATE ? cell->integer : cell->integer / DAY_MICROS;
		int64		rest = cell->kind == CELL_DATE ? 0 : cell->integer % DAY_MICROS;

		if (rest < 0)
		{
			rest += DAY_MICROS;
			day--;
		}
		if (day + EPOCH_DAY >= 1 && day < INT64_C(2932897))
			return days_text(day, rest);
		*problem = "Honeycode has no time before 1900 or behind 9999";
		return NULL;
	}
	text = cell_text_cstring(cell, type);
	if (type == FIELD_TIME && text_parse_datetime(psprintf("1970-01-01T%s", text), strlen(text) + 11, &micros, &zone))
		return days_text(-EPOCH_DAY, micros);
	if (text[0] == '=')
		*problem = "the value begins with \"=\", which Honeycode takes for a formula";
	else if (characters(text) > MAX_FACT)
		*problem = psprintf("the value has %d characters, a cell of Honeycode takes %d", characters(text), MAX_FACT);
	return *problem == NULL ? text : NULL;
}

static void
begin_batch(RowWriter *writer)
{
	MemoryContextReset(writer->context);
	resetStringInfo(&writer->body);
	appendStringInfo(&writer->body, "{\"clientRequestToken\":\"%s\",\"rowsToCreate\":[",
					 DatumGetCString(DirectFunctionCall1(uuid_out, DirectFunctionCall1(gen_random_uuid, (Datum) 0))));
	writer->count = 0;
}

/* put a row into the batch; false if it is refused */
static bool
add_row(RowWriter *writer, const RecordSet *set, uint32 row, const Outcomes *outcomes)
{
	StringInfo	body = &writer->body;
	int			start = body->len;
	const Schema *schema = writer->base.schema;

	appendStringInfo(body, "%s{\"batchItemId\":\"%d\",\"cellsToCreate\":{", writer->count > 0 ? "," : "",
					 writer->count + 1);
	for (int i = 0; i < schema->nfields; i++)
	{
		char	   *problem;
		char	   *fact = fact_of(&set->columns[i][row], schema->fields[i].type, &problem);

		if (fact == NULL)
		{
			body->data[body->len = start] = '\0';
			outcomes->reject(outcomes->arg, set->batch, row, "InvalidValue",
							 psprintf("\"%s\": %s", schema->fields[i].name, problem));
			return false;
		}
		appendStringInfo(body, "%s\"%s\":{\"fact\":", i > 0 ? "," : "", writer->columns[i]);
		escape_json(body, fact);
		appendStringInfoChar(body, '}');
	}
	appendStringInfoString(body, "}}");
	writer->sizes[writer->count] = body->len - start;
	writer->rows[writer->count++] = row;
	return true;
}

/* the failed item of a batch of that id, or NULL */
static Jsonb *
failed_item(List *failed, const char *id)
{
	ListCell   *lc;

	foreach(lc, failed)
	{
		char	   *of = jsonb_get_text(lfirst(lc), "id");

		if (of != NULL && strcmp(of, id) == 0)
			return lfirst(lc);
	}
	return NULL;
}

/* Send the batch and tell what has become of its rows. */
static void
send_batch(RowWriter *writer, const RecordSet *set, const Outcomes *outcomes)
{
	HttpCall   *call;
	Jsonb	   *answer;
	Jsonb	   *created;
	List	   *failed;

	if (writer->count == 0)
		return;
	appendStringInfoString(&writer->body, "]}");
	call = make_call(writer->session, "POST", writer->path, writer->body.data, writer->body.len);
	call->whole = true;
	writer->base.uncertain = writer->count;
	http_wait(call);
	if (call->status >= 400 && call->status < 500)
		writer->base.uncertain = 0;
	answer = session_fetch(writer->session, call, writer->what, fail);
	created = jsonb_get_container(answer, "createdRows");
	failed = jsonb_array_containers(jsonb_get_container(answer, "failedBatchItems"));
	for (int i = 0; i < writer->count; i++)
	{
		char	   *id = psprintf("%d", i + 1);

		/* all are counted before the first is told, which may end the run */
		if (jsonb_get_text(created, id) != NULL)
		{
			writer->base.records++;
			writer->base.bytes += writer->sizes[i];
		}
		else if (failed_item(failed, id) == NULL)
			continue;
		writer->base.uncertain--;
	}
	for (int i = 0; i < writer->count; i++)
	{
		char	   *id = psprintf("%d", i + 1);
		char	   *row_id = jsonb_get_text(created, id);
		Jsonb	   *failure = row_id != NULL ? NULL : failed_item(failed, id);

		if (row_id != NULL)
		{
			Cell		cell = cell_text(CELL_STRING, row_id, strlen(row_id));

			if (outcomes->accept != NULL)
				outcomes->accept(outcomes->arg, set->batch, writer->rows[i], &cell);
		}
		else if (failure != NULL)
		{
			char	   *message = jsonb_get_text(failure, "errorMessage");

			outcomes->reject(outcomes->arg, set->batch, writer->rows[i], "FailedBatchItem",
							 message == NULL ? "the row was not created" : session_words(writer->session, message));
		}
		else
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg(NAME " does not tell what has become of row %d of %d of %s", i + 1, writer->count, writer->what));
	}
}

static void
row_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	RowWriter  *writer = (RowWriter *) base;
	MemoryContext old = MemoryContextSwitchTo(writer->context);

	begin_batch(writer);
	for (uint32 i = 0; i < set->nrows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (add_row(writer, set, set->rows[i], outcomes) &&
			(writer->count == MAX_ROWS || writer->body.len >= MAX_BODY))
		{
			send_batch(writer, set, outcomes);
			begin_batch(writer);
		}
	}
	send_batch(writer, set, outcomes);
	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->context);
}

static void
row_seal(RecordWriter *base, const Outcomes *outcomes)
{
	/* rows are there as soon as they are created */
}

static void
row_finish(RecordWriter *base)
{
}

static void
row_abort(RecordWriter *base)
{
}

/* Fields get the types of their columns, which are found by name or id. */
static void
bind_columns(RowWriter *writer, const Schema *table, const char *entity)
{
	Schema	   *schema = writer->base.schema;

	if (schema->nfields > MAX_CELLS)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%d fields are mapped, a row of " NAME " is created with %d cells at most", schema->nfields, MAX_CELLS));
	writer->columns = palloc(sizeof(char *) * Max(schema->nfields, 1));
	for (int i = 0; i < schema->nfields; i++)
	{
		Field	   *field = &schema->fields[i];
		const Field *column = NULL;

		for (int j = 0; j < table->nfields && column == NULL; j++)
		{
			if (strcmp(table->fields[j].name, field->name) == 0 || strcmp(table->fields[j].path, field->name) == 0)
				column = &table->fields[j];
		}
		if (column == NULL)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("table \"%s\" of " NAME " has no column \"%s\"", entity, field->name));
		field->type = column->type;
		field->precision = 0;
		field->scale = 0;
		writer->columns[i] = column->path;
	}
}

static RecordWriter *
row_open_writer(ConnectorSession *session, WriteRequest *request)
{
	RowWriter  *writer = palloc0(sizeof(RowWriter));
	char	   *path;

	if (request->operation != WRITE_INSERT)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("rows of " NAME " can be inserted, not changed or deleted"));
	path = table_path(session, request->entity);
	writer->session = session;
	writer->path = psprintf("%s/rows/batchcreate", path);
	writer->what = psprintf("rows for table \"%s\"", request->entity);
	writer->context = AllocSetContextCreate(CurrentMemoryContext, "appflow Honeycode rows", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&writer->body);
	writer->base.schema = request->schema;
	bind_columns(writer, describe_path(session, path, request->entity), request->entity);
	writer->base.typed = true;
	writer->base.put = row_put;
	writer->base.seal = row_seal;
	writer->base.finish = row_finish;
	writer->base.abort = row_abort;
	writer->base.irrevocable = true;
	writer->base.results = schema_create();
	(void) schema_add(writer->base.results, "rowId", FIELD_STRING);
	return &writer->base;
}

static int
row_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation)
{
	return MAX_ROWS;
}

const Connector honeycode_connector = {
	.type = "Honeycode",
	.list_entities = list_tables,
	.describe_entity = describe_table,
	.open_writer = row_open_writer,
	.check_properties = check_table,
	.batch_size = row_batch_size,
};
