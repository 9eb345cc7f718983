/*-------------------------------------------------------------------------
 *
 * custom_data.c
 *	  Custom connectors as sources and destinations: DescribeEntity, QueryData and
 *	  WriteData of AppFlow's Lambda protocol.
 *
 * A connector that is a SQL function works in the transaction of the run, and what
 * it does commits with that; what a Lambda function has written stays.
 *
 * Filters are sent as a filterExpression where its grammar and the entity's
 * filterOperators allow, and evaluated again here: how exactly a connector takes them
 * is its own affair.
 *
 * IDENTIFICATION
 *	  src/apps/custom_data.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "apps/custom.h"
#include "codec/json_reader.h"
#include "connector/entity_form.h"
#include "miscadmin.h"
#include "net/http.h"
#include "record/errors.h"
#include "record/record_text.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#define PAGE_RECORDS 1000
#define WRITE_RECORDS 1000
#define WRITE_BYTES (4 * 1024 * 1024)	/* of records in a request, which JSON in JSON makes longer */
#define MAX_RECORD (16 * 1024 * 1024)
#define MAX_TRIES 3
#define MAX_RETRY_AFTER 3600	/* seconds */

/* ---------- requests ---------- */

static void
append_jsonb(StringInfo out, Jsonb *value)
{
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		(void) JsonbToCString(out, &value->root, VARSIZE(value));
}

static void
append_text_or_null(StringInfo out, const char *text)
{
	if (text == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, text);
}

static void
append_names(StringInfo out, List *names)
{
	ListCell   *lc;

	appendStringInfoChar(out, '[');
	foreach(lc, names)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoChar(out, ',');
		escape_json(out, lfirst(lc));
	}
	appendStringInfoChar(out, ']');
}

/* runtime settings: those of the profile, then those of this end of the flow */
static void
append_settings(StringInfo out, Jsonb *profile, Jsonb *flow)
{
	bool		first = true;
	ListCell   *lc;

	appendStringInfoChar(out, '{');
	foreach(lc, jsonb_keys(profile))
	{
		if (jsonb_get_text(flow, lfirst(lc)) != NULL)
			continue;
		appendStringInfoString(out, first ? "" : ",");
		first = false;
		escape_json(out, lfirst(lc));
		appendStringInfoChar(out, ':');
		append_text_or_null(out, jsonb_get_text(profile, lfirst(lc)));
	}
	foreach(lc, jsonb_keys(flow))
	{
		appendStringInfoString(out, first ? "" : ",");
		first = false;
		escape_json(out, lfirst(lc));
		appendStringInfoChar(out, ':');
		append_text_or_null(out, jsonb_get_text(flow, lfirst(lc)));
	}
	appendStringInfoChar(out, '}');
}

static void
append_context(StringInfo out, const ConnectorSession *session, Jsonb *definition, Jsonb *properties)
{
	const CustomContext *context = session->state;

	appendStringInfoString(out, ",\"connectorContext\":{\"apiVersion\":");
	append_text_or_null(out, session->api_version);
	appendStringInfoString(out, ",\"connectorRuntimeSettings\":");
	append_settings(out, context->settings, jsonb_get_container(properties, "customProperties"));
	appendStringInfoString(out, ",\"credentials\":");
	append_jsonb(out, context->credentials);
	appendStringInfoString(out, ",\"entityDefinition\":");
	append_jsonb(out, definition);
	appendStringInfoString(out, ",\"flowName\":");
	append_text_or_null(out, session->flow_name);
	appendStringInfoString(out, ",\"executionId\":");
	append_text_or_null(out, session->execution_id);
	appendStringInfoString(out, ",\"connectorProfileLabel\":");
	append_text_or_null(out, session->profile_name);
	appendStringInfoString(out, "}}");
}

static Jsonb *
request_of(const StringInfo text)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text->data)));
}

/* ---------- failures and what to do about them ---------- */

typedef enum Remedy
{
	REMEDY_NONE,
	REMEDY_REPEAT,
	REMEDY_REPEAT_SAFE,			/* what was asked may have been done: only if that does no harm */
	REMEDY_RENEW				/* with new credentials */
} Remedy;

static const struct
{
	const char *code;
	Remedy		remedy;
}			remedies[] = {
	{"InvalidCredentials", REMEDY_RENEW},
	{"RateLimitExceeded", REMEDY_REPEAT},
	{"ServiceUnavailable", REMEDY_REPEAT},
	{"ResourceNotFoundError", REMEDY_REPEAT},	/* a secret that is not there yet */
	{"RequestTimeout", REMEDY_REPEAT_SAFE},
	{"ServerError", REMEDY_REPEAT_SAFE},
	{"UnknownError", REMEDY_REPEAT_SAFE},
};

static Remedy
remedy_of(const char *code)
{
	for (int i = 0; code != NULL && i < (int) lengthof(remedies); i++)
	{
		if (strcmp(code, remedies[i].code) == 0)
			return remedies[i].remedy;
	}
	return REMEDY_NONE;
}

/* seconds that the connector asks to wait, otherwise 1, 2, 4 with jitter */
static int64
delay_before(Jsonb *details, int attempt)
{
	int64		seconds;

	if (jsonb_get_int64(details, "retryAfterSeconds", &seconds) && seconds >= 0)
		return Min(seconds, MAX_RETRY_AFTER) * 1000;
	return (int64) ((1000 << (attempt - 1)) * (0.5 + 0.5 * ((double) (random() % 1000) / 1000)));
}

/*
 * Ask until there is an answer that counts: a success, or with partial one that tells
 * about each record.  safe: asking twice does no harm.
 */
static Jsonb *
ask(const ConnectorSession *session, const char *type, Jsonb *request, bool safe, bool partial)
{
	CustomContext *context = session->state;
	bool		renewed = false;

	/* OAuth 2.0 may have to begin by getting a token */
	if (context->renew != NULL && jsonb_get_text(context->secret.body, "accessToken") == NULL)
		(void) context->renew(context);
	for (int attempt = 1;; attempt++)
	{
		Jsonb	   *answer = custom_ask(context->function, context->role, type, request,
										context->credentials == NULL ? NULL : &context->secret, safe);
		Jsonb	   *details;
		Remedy		remedy;

		if (jsonb_get_bool(answer, "isSuccess", false) ||
			(partial && jsonb_get_container(answer, "writeRecordResults") != NULL))
			return answer;
		details = jsonb_get_container(answer, "errorDetails");
		remedy = remedy_of(jsonb_get_text(details, "errorCode"));
		if (remedy == REMEDY_RENEW && !renewed && context->renew != NULL && context->renew(context))
		{
			renewed = true;
			attempt = 0;
			continue;
		}
		if (attempt > MAX_TRIES || !(remedy == REMEDY_REPEAT || (remedy == REMEDY_REPEAT_SAFE && safe)))
			custom_raise(context->function, type, answer);
		http_pause(delay_before(details, attempt));
	}
}

/* ---------- entities ---------- */

static List *
custom_list_entities(ConnectorSession *session, const char *path)
{
	static const char *const type = "ListEntitiesRequest";
	CustomContext *context = session->state;
	List	   *entities = NIL;
	char	   *token = NULL;

	for (;;)
	{
		StringInfoData text;
		Jsonb	   *answer;
		ListCell   *lc;
		char	   *next;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&text);
		appendStringInfo(&text, "{\"type\":\"%s\",\"entitiesPath\":", type);
		append_text_or_null(&text, path[0] ? path : NULL);
		appendStringInfo(&text, ",\"maxResult\":%d,\"nextToken\":", PAGE_RECORDS);
		append_text_or_null(&text, token);
		append_context(&text, session, NULL, NULL);
		answer = ask(session, type, request_of(&text), true, false);
		foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "entities")))
		{
			Entity	   *entity = palloc0(sizeof(Entity));

			entity->name = jsonb_get_text(lfirst(lc), "entityIdentifier");
			if (entity->name == NULL)
				custom_invalid_answer(context->function, type, "an entity has no entityIdentifier");
			entity->label = jsonb_get_text(lfirst(lc), "label");
			entity->nested = jsonb_get_bool(lfirst(lc), "hasNestedEntities", false);
			entities = lappend(entities, entity);
		}
		next = jsonb_get_text(answer, "nextToken");
		if (next == NULL)
			return entities;
		if (token != NULL && strcmp(token, next) == 0)
			custom_invalid_answer(context->function, type, "nextToken is the one that was sent");
		token = next;
	}
}

/* the answer's own entityDefinition, which later requests carry */
static Jsonb *
fetch_definition(ConnectorSession *session, const char *entity)
{
	static const char *const type = "DescribeEntityRequest";
	CustomContext *context = session->state;
	StringInfoData text;
	Jsonb	   *definition;

	initStringInfo(&text);
	appendStringInfo(&text, "{\"type\":\"%s\",\"entityIdentifier\":", type);
	escape_json(&text, entity);
	append_context(&text, session, NULL, NULL);
	definition = jsonb_get_container(ask(session, type, request_of(&text), true, false), "entityDefinition");
	if (jsonb_get_container(definition, "fields") == NULL)
		custom_invalid_answer(context->function, type, "entityDefinition.fields is missing");
	return definition;
}

static void
read_field(Schema *schema, Jsonb *wire)
{
	Jsonb	   *reads = jsonb_get_container(wire, "readProperties");
	Jsonb	   *writes = jsonb_get_container(wire, "writeProperties");
	char	   *type = jsonb_get_text(wire, "dataType");
	char	   *name = jsonb_get_text(wire, "fieldName");
	Field	   *field;
	ListCell   *lc;

	if (name == NULL || schema_find(schema, name) >= 0)
		return;
	field = schema_add(schema, name, FIELD_STRING);
	if (type != NULL)
		(void) field_set_type(field, type);
	field->native_type = type;
	field->label = jsonb_get_text(wire, "label");
	field->description = jsonb_get_text(wire, "description");
	field->key = jsonb_get_bool(wire, "isPrimaryKey", false);
	field->not_null = !jsonb_get_bool(reads, "isNullable", true);
	field->write_only = !jsonb_get_bool(reads, "isRetrievable", true);
	field->incremental = jsonb_get_bool(reads, "isTimestampFieldForIncrementalQueries", false);
	field->upsert_key = jsonb_get_bool(writes, "isUpsertable", false);
	field->values = jsonb_array_texts(jsonb_get_container(jsonb_get_container(wire, "constraints"), "allowedValues"));
	foreach(lc, jsonb_array_texts(jsonb_get_container(writes, "supportedWriteOperations")))
	{
		for (int i = 0; i < (int) lengthof(write_names); i++)
		{
			if (pg_strcasecmp(lfirst(lc), write_names[i]) == 0)
				field->writes |= 1 << i;
		}
	}
	foreach(lc, jsonb_array_texts(jsonb_get_container(wire, "filterOperators")))
	{
		FilterOperator operator;

		if (filter_operator_from_name(lfirst(lc), &operator))
			field->filters |= 1 << operator;
	}
}

static Schema *
schema_of(Jsonb *definition)
{
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(definition, "fields")))
		read_field(schema, lfirst(lc));
	return schema;
}

static Schema *
custom_describe_entity(ConnectorSession *session, const char *entity)
{
	return schema_of(fetch_definition(session, entity));
}

/* ---------- filters ---------- */

static bool
is_identifier(const char *name)
{
	return isalpha((unsigned char) name[0]) &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] == '\0';
}

static void
append_string(StringInfo out, const char *text)
{
	appendStringInfoChar(out, '\'');
	for (; *text != '\0'; text++)
	{
		if (*text == '\'' || *text == '\\')
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, *text);
	}
	appendStringInfoChar(out, '\'');
}

/*
 * An operand in the grammar's form; false if it has none: dates and times are bare,
 * times end in Z.
 */
static bool
append_operand(StringInfo out, FieldType type, const char *operand)
{
	Batch	   *batch;
	Cell		cell;
	Field		field = {.type = type};
	char	   *text;

	if (operand == NULL)
		return false;
	switch (type)
	{
		case FIELD_STRING:
		case FIELD_UUID:
		case FIELD_TIME:
			append_string(out, operand);
			return true;
		case FIELD_BOOLEAN:
			if (pg_strcasecmp(operand, "true") != 0 && pg_strcasecmp(operand, "false") != 0)
				return false;
			appendStringInfoString(out, pg_strcasecmp(operand, "true") == 0 ? "true" : "false");
			return true;
		case FIELD_BINARY:
		case FIELD_JSON:
			return false;
		default:
			break;
	}
	batch = batch_create(0);
	cell = cell_text(CELL_STRING, operand, strlen(operand));
	if (cell_convert(batch, &cell, &field) != NULL)
		return false;
	text = cell_text_cstring(&cell, type);

	/* positive integers of one digit are none in the published grammar */
	if (type == FIELD_DATE || type == FIELD_DATETIME)
		appendStringInfoString(out, text);
	else if (type == FIELD_TIMESTAMP)
		appendStringInfo(out, "%sZ", text);
	else if (strlen(text) == 1)
		appendStringInfo(out, "\"%s\"", text);
	else
		appendStringInfoString(out, text);
	return true;
}

static const char *const symbols[] = {
	[FILTER_LESS_THAN] = "<",[FILTER_GREATER_THAN] = ">",[FILTER_CONTAINS] = "contains",
	[FILTER_LESS_THAN_OR_EQUAL_TO] = "<=",[FILTER_GREATER_THAN_OR_EQUAL_TO] = ">=",
	[FILTER_EQUAL_TO] = "=",[FILTER_NOT_EQUAL_TO] = "!=",[FILTER_BETWEEN] = NULL,
};

/* A condition in the grammar; false if it cannot say it, or the connector does not take it. */
static bool
append_condition(StringInfo out, const Schema *schema, const Filter *filter)
{
	int			i;
	FieldType	type;

	if (filter->operator > FILTER_NOT_EQUAL_TO)
		return false;
	i = schema_find(schema, filter->field);
	if (i < 0 || (schema->fields[i].filters & (1 << filter->operator)) == 0 || !is_identifier(filter->field) ||
		filter->noperands == 0)
		return false;
	type = schema->fields[i].type;
	if (filter->operator == FILTER_BETWEEN)
	{
		/* whether "between" takes its ends in is not said: the comparisons do say it */
		appendStringInfo(out, "%s > ", filter->field);
		if (!append_operand(out, type, filter->operands[0]))
			return false;
		appendStringInfo(out, " and %s < ", filter->field);
		return append_operand(out, type, filter->operands[1]);
	}
	if (filter->noperands > 1)
		appendStringInfoChar(out, '(');
	for (int operand = 0; operand < filter->noperands; operand++)
	{
		if (operand > 0)
			appendStringInfoString(out, filter->operator == FILTER_NOT_EQUAL_TO ? " and " : " or ");
		appendStringInfo(out, "%s %s ", filter->field, symbols[filter->operator]);
		if (!append_operand(out, type, filter->operands[operand]))
			return false;
	}
	if (filter->noperands > 1)
		appendStringInfoChar(out, ')');
	return true;
}

/* the filterExpression, or NULL */
static char *
expression_of(const ReadRequest *request, const Schema *schema)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, request->filters)
	{
		int			before = out.len;

		if (before > 0)
			appendStringInfoString(&out, " and ");
		if (!append_condition(&out, schema, lfirst(lc)))
		{
			out.len = before;
			out.data[before] = '\0';
		}
	}
	return out.len > 0 ? out.data : NULL;
}

static char *
custom_plan_read(ConnectorSession *session, ReadRequest *request)
{
	char	   *expression = expression_of(request, request->described);

	return psprintf("QueryData of %s%s%s", request->entity, expression ? ", filterExpression: " : "",
					expression ? expression : "");
}

/* ---------- reading ---------- */

typedef struct CustomReader
{
	RecordReader base;
	MemoryContext context;
	MemoryContext page_context;	/* for one answer and what is made of it */
	ConnectorSession *session;
	const char *entity;
	Jsonb	   *definition;
	Jsonb	   *properties;
	List	   *fields;
	char	   *expression;
	int64		page_size;
	char	   *token;			/* of the next page */
	bool		ended;
	Owned	   *json;			/* a JsonReader */
	StringInfoData records;		/* of the page, one a line */
	size_t		start;			/* bytes of them that are done with */
	bool		parsing;
} CustomReader;

static void
free_json(void *object)
{
	json_reader_free((JsonReader *) object);
}

/* a record is a string that holds JSON; an object is one too, for functions in SQL */
static void
append_records(CustomReader *reader, Jsonb *answer)
{
	static const char *const type = "QueryDataRequest";
	CustomContext *context = reader->session->state;
	Jsonb	   *array = jsonb_get_container(answer, "records");
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (array == NULL || !JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array))
		custom_invalid_answer(context->function, type, "records is missing, or not an array");
	iterator = JsonbIteratorInit(&array->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (value.type == jbvString)
			appendBinaryStringInfo(&reader->records, value.val.string.val, value.val.string.len);
		else if (value.type == jbvBinary)
			(void) JsonbToCString(&reader->records, value.val.binary.data, value.val.binary.len);
		else
			custom_invalid_answer(context->function, type, "a record is neither a string nor an object");
		appendStringInfoChar(&reader->records, '\n');
	}
}

static void
fetch_page(CustomReader *reader)
{
	static const char *const type = "QueryDataRequest";
	CustomContext *context = reader->session->state;
	StringInfoData text;
	Jsonb	   *answer;
	MemoryContext old;
	char	   *next;

	MemoryContextReset(reader->page_context);
	old = MemoryContextSwitchTo(reader->page_context);
	initStringInfo(&reader->records);
	initStringInfo(&text);
	appendStringInfo(&text, "{\"type\":\"%s\",\"entityIdentifier\":", type);
	escape_json(&text, reader->entity);
	appendStringInfoString(&text, ",\"selectedFieldNames\":");
	append_names(&text, reader->fields);
	appendStringInfoString(&text, ",\"filterExpression\":");
	append_text_or_null(&text, reader->expression);
	appendStringInfo(&text, ",\"maxResults\":" INT64_FORMAT ",\"nextToken\":", reader->page_size);
	append_text_or_null(&text, reader->token);
	append_context(&text, reader->session, reader->definition, reader->properties);
	answer = ask(reader->session, type, request_of(&text), true, false);
	append_records(reader, answer);
	reader->base.bytes += reader->records.len;
	next = jsonb_get_text(answer, "nextToken");
	if (next != NULL && next[0] == '\0')
		next = NULL;
	if (next != NULL && reader->token != NULL && strcmp(next, reader->token) == 0)
		custom_invalid_answer(context->function, type, "nextToken is the one that was sent");
	MemoryContextSwitchTo(reader->context);
	if (reader->token != NULL)
		pfree(reader->token);
	reader->token = next == NULL ? NULL : pstrdup(next);
	MemoryContextSwitchTo(old);
	reader->ended = next == NULL;
	reader->start = 0;
	reader->parsing = true;
	json_reader_restart(reader->json->object);
}

/* null where the connector has said that there is none */
static void
check_nulls(CustomReader *reader, Batch *batch)
{
	for (int i = 0; i < reader->base.schema->nfields; i++)
	{
		if (!reader->base.schema->fields[i].not_null)
			continue;
		for (uint32 row = 0; row < batch->nrows; row++)
		{
			if (batch->columns[i][row].kind == CELL_NULL)
				ereport(ERROR,
						appflow_error(WF_CONNECTOR),
						errmsg("%s: field \"%s\" of entity \"%s\" is null, though the connector says that it is not nullable",
							   batch_locate(batch, row), reader->base.schema->fields[i].name, reader->entity));
		}
	}
}

static bool
custom_next(RecordReader *base, Batch *batch)
{
	CustomReader *reader = (CustomReader *) base;
	CustomContext *context = reader->session->state;

	for (;;)
	{
		JsonReadResult result;
		JsonStatus	status;

		CHECK_FOR_INTERRUPTS();
		if (!reader->parsing)
		{
			if (reader->ended)
				return false;
			fetch_page(reader);
		}
		status = json_reader_read(reader->json->object, reader->records.data + reader->start,
								  reader->records.len - reader->start, true, batch->arena, batch->columns,
								  batch->lines, BATCH_ROWS, &result);
		if (status == JSON_ERROR)
		{
			const CodecError *error = json_reader_error(reader->json->object);

			custom_invalid_answer(context->function, "QueryDataRequest",
								  psprintf("record " UINT64_FORMAT " of the page is malformed: %s",
										   (uint64) error->line, error->message));
		}
		reader->start += result.consumed;
		reader->parsing = status == JSON_FULL;
		batch->nrows = result.rows;
		memset(batch->lines, 0, sizeof(uint64) * batch->nrows);
		if (batch->nrows > 0)
		{
			check_nulls(reader, batch);
			return true;
		}
		arena_reset(batch->arena);
	}
}

static void
custom_close(RecordReader *base)
{
	CustomReader *reader = (CustomReader *) base;

	own_release(reader->json);
	MemoryContextDelete(reader->context);
}

/* whether a field is to be read */
static bool
wanted(const ReadRequest *request, const Field *field)
{
	return list_has_text(request->fields, field->name) ||
		(request->all_fields && !field->write_only && !list_has_text(request->exclude, field->name));
}

static void
choose_fields(CustomReader *reader, const ReadRequest *request, const Schema *described)
{
	ListCell   *lc;

	reader->base.schema = schema_create();
	for (int i = 0; i < described->nfields; i++)
	{
			Field	   *field;

		if (!wanted(request, &described->fields[i]))
			continue;
		field = schema_add(reader->base.schema, described->fields[i].name, described->fields[i].type);
		*field = described->fields[i];
		reader->fields = lappend(reader->fields, field->name);
	}
	foreach(lc, request->fields)
	{
		if (schema_find(reader->base.schema, lfirst(lc)) < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("entity \"%s\" has no field \"%s\"", request->entity, (char *) lfirst(lc)));
	}
}

static RecordReader *
custom_open_reader(ConnectorSession *session, ReadRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow custom reader", ALLOCSET_DEFAULT_SIZES);
	CustomReader *reader = palloc0(sizeof(CustomReader)); /* what it counts outlives its close */
	MemoryContext old = MemoryContextSwitchTo(context);
	JsonReaderOptions options = {.framing = JSON_FRAMING_LINES};
	const Schema *described;
	const char **names;

	reader->base.next = custom_next;
	reader->base.close = custom_close;
	reader->context = context;
	reader->page_context = AllocSetContextCreate(context, "appflow custom page", ALLOCSET_DEFAULT_SIZES);
	reader->session = session;
	reader->entity = pstrdup(request->entity);
	reader->properties = request->properties;
	reader->definition = fetch_definition(session, request->entity);
	described = schema_of(reader->definition);
	choose_fields(reader, request, described);
	reader->expression = expression_of(request, described);
	reader->page_size = PAGE_RECORDS;
	if (request->page_size > 0)
		reader->page_size = request->page_size;

	names = palloc(sizeof(char *) * Max(reader->base.schema->nfields, 1));
	for (int i = 0; i < reader->base.schema->nfields; i++)
		names[i] = reader->base.schema->fields[i].name;
	options.fields = names;
	options.nfields = reader->base.schema->nfields;
	reader->json = own_in_context(context, free_json);
	reader->json->object = json_reader_create(&options);
	if (reader->json->object == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	MemoryContextSwitchTo(old);
	return &reader->base;
}

/* ---------- writing ---------- */

typedef struct CustomWriter
{
	RecordWriter base;
	MemoryContext context;
	MemoryContext request_context;
	ConnectorSession *session;
	WriteRequest request;
	Jsonb	   *definition;
	bool		all_or_none;
	RecordText *text;
} CustomWriter;

static char *
make_record(CustomWriter *writer, const RecordSet *set, uint32 row)
{
	size_t		length;
	char	   *text = record_text(writer->text, set, row, &length);

	if (length > MAX_RECORD)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s is longer than %d MB", batch_locate(set->batch, row), MAX_RECORD / (1024 * 1024)));
	return text;
}

/* Tell what became of the records first .. first + count of the set. */
static void
tell_outcomes(CustomWriter *writer, const RecordSet *set, uint32 first, uint32 count, Jsonb *answer,
			  const Outcomes *outcomes)
{
	static const char *const type = "WriteDataRequest";
	CustomContext *context = writer->session->state;
	char	   *code = jsonb_get_text(jsonb_get_container(answer, "errorDetails"), "errorCode");
	List	   *results = jsonb_array_containers(jsonb_get_container(answer, "writeRecordResults"));

	if (results == NIL && jsonb_get_bool(answer, "isSuccess", false))
	{
		writer->base.records += count;
		return;
	}
	if ((uint32) list_length(results) != count)
		custom_invalid_answer(context->function, type,
							  psprintf("there are %d writeRecordResults for %u records", list_length(results), count));
	for (uint32 i = 0; i < count; i++)
	{
		Jsonb	   *result = list_nth(results, (int) i);
		char	   *id = jsonb_get_text(result, "recordId");

		if (jsonb_get_bool(result, "isSuccess", false))
		{
			Cell		cell = id == NULL ? cell_null() : cell_text(CELL_STRING, id, strlen(id));

			writer->base.records++;
			if (outcomes->accept != NULL)
				outcomes->accept(outcomes->arg, set->batch, set->rows[first + i], &cell);
		}
		else
		{
			char	   *message = jsonb_get_text(result, "errorMessage");

			outcomes->reject(outcomes->arg, set->batch, set->rows[first + i], code == NULL ? "PartialWriteFailure" : code,
							 message == NULL ? "the connector gives no reason" : message);
		}
	}
}

static void
write_records(CustomWriter *writer, const RecordSet *set, uint32 first, uint32 count, StringInfo records,
			  const Outcomes *outcomes)
{
	static const char *const type = "WriteDataRequest";
	static const char *const operations[] = {
		[WRITE_INSERT] = "INSERT",[WRITE_UPSERT] = "UPSERT",[WRITE_UPDATE] = "UPDATE",[WRITE_DELETE] = "DELETE"
	};
	const WriteRequest *request = &writer->request;
	StringInfoData text;
	Jsonb	   *answer;

	initStringInfo(&text);
	appendStringInfo(&text, "{\"type\":\"%s\",\"entityIdentifier\":", type);
	escape_json(&text, request->entity);
	appendStringInfo(&text, ",\"operation\":\"%s\",\"idFieldNames\":", operations[request->operation]);
	append_names(&text, request->id_fields);
	appendStringInfo(&text, ",\"records\":[%s],\"allOrNone\":%s", records->data, writer->all_or_none ? "true" : "false");
	append_context(&text, writer->session, writer->definition, request->properties);
	answer = ask(writer->session, type, request_of(&text), request->operation != WRITE_INSERT, true);
	writer->base.bytes += records->len;
	tell_outcomes(writer, set, first, count, answer, outcomes);
}

static void
custom_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	CustomWriter *writer = (CustomWriter *) base;
	MemoryContext old = MemoryContextSwitchTo(writer->request_context);
	uint32		limit = writer->request.batch_size > 0 ? writer->request.batch_size : WRITE_RECORDS;

	for (uint32 next = 0; next < set->nrows;)
	{
		StringInfoData records;
		uint32		first = next;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&records);
		while (next < set->nrows && next - first < limit && records.len < WRITE_BYTES)
		{
			if (next > first)
				appendStringInfoChar(&records, ',');
			escape_json(&records, make_record(writer, set, set->rows[next]));
			next++;
		}
		write_records(writer, set, first, next - first, &records, outcomes);
		MemoryContextReset(writer->request_context);
	}
	MemoryContextSwitchTo(old);
}

static void
custom_seal(RecordWriter *base, const Outcomes *outcomes)
{
}

static void
custom_finish(RecordWriter *base)
{
	MemoryContextDelete(((CustomWriter *) base)->request_context);
}

static void
custom_abort(RecordWriter *base)
{
}

static RecordWriter *
custom_open_writer(ConnectorSession *session, WriteRequest *request)
{
	CustomWriter *writer = palloc0(sizeof(CustomWriter));
	Schema	   *described;

	writer->session = session;
	writer->context = CurrentMemoryContext;
	writer->request_context = AllocSetContextCreate(CurrentMemoryContext, "appflow custom request", ALLOCSET_DEFAULT_SIZES);
	writer->request = *request;
	writer->definition = fetch_definition(session, request->entity);
	described = schema_of(writer->definition);
	writer->all_or_none = jsonb_get_bool(jsonb_get_container(request->properties, "errorHandlingConfig"),
										 "failOnFirstDestinationError", false);
	for (int i = 0; i < request->schema->nfields; i++)
	{
		Field	   *field = &request->schema->fields[i];
		int			found = schema_find(described, field->name);

		if (found < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("entity \"%s\" has no field \"%s\"", request->entity, field->name));
		field->type = described->fields[found].type;
		field->precision = described->fields[found].precision;
		field->scale = described->fields[found].scale;
	}
	writer->text = record_text_create(request->schema);
	writer->base.schema = request->schema;
	writer->base.typed = true;
	writer->base.put = custom_put;
	writer->base.seal = custom_seal;
	writer->base.finish = custom_finish;
	writer->base.abort = custom_abort;
	writer->base.irrevocable = !session->connector->transactional;
	writer->base.results = schema_create();
	(void) schema_add(writer->base.results, "recordId", FIELD_STRING);
	return &writer->base;
}

static int
custom_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation)
{
	return WRITE_RECORDS;
}

#define CUSTOM_CONNECTOR(in_transaction) \
	{ \
		.type = "CustomConnector", \
		.list_entities = custom_list_entities, \
		.describe_entity = custom_describe_entity, \
		.plan_read = custom_plan_read, \
		.open_reader = custom_open_reader, \
		.open_writer = custom_open_writer, \
		.batch_size = custom_batch_size, \
		.transactional = in_transaction, \
	}

const Connector custom_function_connector = CUSTOM_CONNECTOR(true);
const Connector custom_lambda_connector = CUSTOM_CONNECTOR(false);
