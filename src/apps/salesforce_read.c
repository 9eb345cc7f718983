/*-------------------------------------------------------------------------
 *
 * salesforce_read.c
 *	  Reads records of an object: by pages of REST's query resource, or by a job of
 *	  Bulk API 2.0 (salesforce_bulk_query.c), in the same form.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/salesforce.h"
#include "apps/salesforce_events.h"
#include "connector/page_reader.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "record/number.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* records of a page: what the service lets itself be asked for */
#define MIN_PAGE 200
#define MAX_PAGE 2000

/* ---------- what is read ---------- */

/* Bulk API 2.0 gives neither compound fields nor what is behind links */
static bool
bulk_has(const Field *field)
{
	return !salesforce_is_compound(field) && (field->native_type == NULL || strcmp(field->native_type, "base64") != 0);
}

static Field *
add_field(Schema *schema, const char *name, const Field *like)
{
	Field	   *field = schema_add(schema, name, like != NULL ? like->type : FIELD_STRING);

	if (like != NULL)
	{
		char	   *own = field->name;

		*field = *like;
		field->name = own;

		/* there may be nothing at the other end */
		if (strchr(name, '.') != NULL)
			field->not_null = field->key = false;
	}
	return field;
}

static Schema *
aggregate_schema(ConnectorSession *session, const ReadRequest *request, const Schema *described)
{
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, request->group_by)
		(void) add_field(schema, lfirst(lc), salesforce_field(session, described, lfirst(lc), true));
	foreach(lc, request->aggregates)
	{
		const Aggregate *aggregate = lfirst(lc);
		const Field *field = aggregate->field == NULL ? NULL :
			salesforce_field(session, described, aggregate->field, true);
		FieldType	type = FIELD_DECIMAL;

		if (aggregate->function == AGGREGATE_COUNT)
			type = FIELD_LONG;
		else if ((aggregate->function == AGGREGATE_MIN || aggregate->function == AGGREGATE_MAX) && field != NULL)
			type = field->type;
		(void) schema_add(schema, soql_aggregate_name(foreach_current_index(lc) + 1), type);
	}
	return schema;
}

/*
 * The fields that will be read.  Those that tasks name are in their place among all
 * others; what is at the end of a path is not one of the entity's own.
 */
static Schema *
record_schema(ConnectorSession *session, const ReadRequest *request, const Schema *described, SalesforceApi api)
{
	Schema	   *schema = schema_create();
	ListCell   *lc;

	for (int i = 0; request->all_fields && i < described->nfields; i++)
	{
		const Field *field = &described->fields[i];
		bool		asked = list_has_text(request->fields, field->name);

		if (field->write_only || (!asked && list_has_text(request->exclude, field->name)) ||
			(!asked && api == SALESFORCE_BULK && !bulk_has(field)))
			continue;
		(void) add_field(schema, field->name, field);
	}
	foreach(lc, request->fields)
	{
		const char *name = lfirst(lc);
		const Field *field;

		if (schema_find(schema, name) >= 0)
			continue;
		field = salesforce_is_name(name, true) ? salesforce_field(session, described, name, true) : NULL;
		if (field == NULL && (strchr(name, '.') == NULL || !salesforce_is_name(name, true)))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("Salesforce has no field \"%s\" of entity \"%s\"", name, request->entity),
					errhint("It may have been removed or renamed, or the user of connector profile \"%s\" may lack the right to see it.",
							session->profile_name));
		if (field != NULL && api == SALESFORCE_BULK && !bulk_has(field))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("Bulk API 2.0 cannot read field \"%s\" of entity \"%s\", which is of type %s", name, request->entity,
						   field->native_type),
					errhint("Set dataTransferApi to REST_SYNC or AUTOMATIC."));

		/* a part of a compound field: its type is what it is */
		if (field != NULL && salesforce_is_compound(field) && strchr(name, '.') != NULL)
			field = NULL;
		add_field(schema, name, field)->hidden = request->all_fields;
	}
	return schema;
}

/* ---------- values ---------- */

/*
 * The shortest text of a number: one API says 23, the other 23.0, or 2.3E1.  Left alone
 * if it is no number.
 */
static void
shorten_number(Batch *batch, Cell *cell)
{
	Numeric		number;

	if (memchr(cell->data, 'e', cell->length) != NULL || memchr(cell->data, 'E', cell->length) != NULL)
	{
		char	   *text;

		number = number_parse(cell->data, cell->length);
		if (number == NULL)
			return;
		text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
		cell->length = strlen(text);
		cell->data = batch_copy(batch, text, cell->length);
		pfree(text);
		pfree(number);
	}
	if (memchr(cell->data, '.', cell->length) == NULL)
		return;
	while (cell->data[cell->length - 1] == '0')
		cell->length--;
	if (cell->data[cell->length - 1] == '.')
		cell->length--;
}

static bool
is_number(FieldType type)
{
	return type == FIELD_DECIMAL || type == FIELD_INTEGER || type == FIELD_LONG;
}

void
salesforce_adapt(const Schema *schema, Batch *batch)
{
	for (int column = 0; column < schema->nfields; column++)
	{
		const Field *field = &schema->fields[column];

		for (uint32 row = 0; row < batch->nrows; row++)
		{
			Cell	   *cell = &batch->columns[column][row];

			if (cell->kind == CELL_NULL)
				continue;

			/* a CSV has no other way to say null, and there is no empty text */
			if (cell->kind == CELL_STRING && cell->length == 0)
			{
				*cell = cell_null();
				continue;
			}
			if (field->type == FIELD_STRING && cell->kind == CELL_STRING)
				continue;

			if (is_number(field->type) && (cell->kind == CELL_NUMBER || cell->kind == CELL_STRING))
				shorten_number(batch, cell);

			/* what does not fit stays as it is, and fails its record where it is used */
			if (field->type != FIELD_STRING || field->native_type != NULL)
			{
				char	   *problem = cell_convert(batch, cell, field);

				if (problem != NULL)
					pfree(problem);
			}
		}
	}
}

/* ---------- REST ---------- */

typedef struct QueryReader
{
	ConnectorSession *session;
	char	   *first;			/* path of the first page */
	char	   *batch_size;		/* value of the header, or NULL */
	char	   *what;
	const Schema *schema;
} QueryReader;

enum
{
	ENVELOPE_DONE,
	ENVELOPE_NEXT
};

static const char *const envelope[] = {"done", "nextRecordsUrl"};

static NextPage
next_page(void *arg, const RecordPage *previous, HttpCall **call)
{
	QueryReader *reader = arg;
	char	   *path = reader->first;

	if (previous != NULL)
	{
		const Cell *done = &previous->envelope[ENVELOPE_DONE];
		const Cell *next = &previous->envelope[ENVELOPE_NEXT];

		if (done->kind == CELL_BOOLEAN && done->integer)
			return PAGE_LAST;
		if (next->kind != CELL_STRING)
		{
			if (!previous->complete)
				return PAGE_UNKNOWN;
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("page " UINT64_FORMAT " of %s from Salesforce says neither that it is the last nor what follows",
						   previous->number, reader->what));
		}
		path = pnstrdup(next->data, next->length);
	}
	*call = salesforce_call(reader->session, "GET", path, NULL);
	if (reader->batch_size != NULL)
		http_header(*call, "Sforce-Query-Options", reader->batch_size);
	return PAGE_FOLLOWS;
}

static void
fail(void *arg, HttpCall *call)
{
	QueryReader *reader = arg;

	salesforce_fail(reader->session, call, reader->what);
}

static void
adapt(void *arg, const RecordPage *page, Batch *batch)
{
	QueryReader *reader = arg;

	salesforce_adapt(reader->schema, batch);
}

/* records of a page worth asking for; 0: as the service likes */
static int
page_size(const ReadRequest *request)
{
	int64		size = request->page_size;

	if (size == 0 && request->limit_hint != NO_LIMIT)
		size = request->limit_hint;
	if (size == 0 || size >= MAX_PAGE)
		return request->page_size == 0 ? 0 : MAX_PAGE;
	return (int) Max(size, MIN_PAGE);
}

static RecordReader *
query_reader(ConnectorSession *session, const ReadRequest *request, const SoqlQuery *query, Schema *schema)
{
	QueryReader *reader = palloc0(sizeof(QueryReader));
	int			size = page_size(request);
	PageSource	source = {
		.session = session, .schema = schema, .record_path = "records", .envelope = envelope,
		.nenvelope = lengthof(envelope), .next_page = next_page, .fail = fail, .adapt = adapt, .arg = reader,
		.limit_hint = request->limit_hint
	};

	reader->session = session;
	reader->schema = schema;
	reader->first = psprintf("/%s?q=%s", query->all ? "queryAll" : "query", url_encode(query->text));
	reader->what = psprintf("entity \"%s\"", request->entity);
	if (size > 0)
		reader->batch_size = psprintf("batchSize=%d", size);
	source.what = reader->what;
	return page_reader_open(&source);
}

/* ---------- which API ---------- */

static bool
counts_as_many(const char *code)
{
	return code != NULL && (strcmp(code, "QUERY_TIMEOUT") == 0 || strcmp(code, "OPERATION_TOO_LARGE") == 0);
}

static bool
has_many(ConnectorSession *session, const ReadRequest *request, const SoqlQuery *query, const char *soql)
{
	char	   *what = psprintf("entity \"%s\"", request->entity);
	HttpCall   *call = salesforce_call(session, "GET", psprintf("/%s?q=%s", query->all ? "queryAll" : "query",
																 url_encode(soql)), NULL);
	char	   *code;
	char	   *message;
	int64		count;

	call->whole = true;
	http_wait(call);

	/* some objects cannot be counted; what else is wrong, the query itself will be told */
	if (call->status == 400)
	{
		salesforce_error(call, &code, &message);
		http_close(call);
		return counts_as_many(code);
	}
	if (!jsonb_get_int64(salesforce_fetch(session, call, what), "totalSize", &count))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Salesforce did not say how many records of %s there are", what));
	return count > SALESFORCE_BULK_READ;
}

/*
 * So many that AUTOMATIC takes Bulk API 2.0?  A foreign table may be scanned again and
 * again (a nested loop): the second time, the whole entity is counted, and if that is
 * not much, no more.
 */
static bool
are_many(ConnectorSession *session, const ReadRequest *request, const SoqlQuery *query)
{
	SalesforceCount *count = salesforce_count(session, request->entity, query->all);

	if (count->questions++ == 1)
		count->few = !has_many(session, request, query, psprintf("SELECT COUNT() FROM %s", request->entity));
	return !count->few && has_many(session, request, query, query->count);
}

/*
 * AUTOMATIC never changes what is read: with fields that only REST has, it stays with
 * REST.
 */
static bool
reads_in_bulk(ConnectorSession *session, const ReadRequest *request, const SoqlQuery *query, const Schema *schema,
			  SalesforceApi api)
{
	if (request->aggregates_taken)
		return false;
	if (api != SALESFORCE_AUTOMATIC)
		return api == SALESFORCE_BULK;
	for (int i = 0; i < schema->nfields; i++)
	{
		if (!bulk_has(&schema->fields[i]) || (strchr(schema->fields[i].name, '.') != NULL &&
											  schema->fields[i].native_type == NULL))
			return false;
	}
	if (!soql_fits_url(query->text))
		return true;
	if ((request->limit_taken && request->limit != NO_LIMIT && request->limit <= SALESFORCE_BULK_READ) ||
		(request->limit_hint != NO_LIMIT && request->limit_hint <= SALESFORCE_BULK_READ))
		return false;
	if (request->limit_taken && request->offset > 0)
		return false;
	return are_many(session, request, query);
}

static void
check_length(const ReadRequest *request, const SoqlQuery *query)
{
	if (!soql_fits_url(query->text))
		ereport(ERROR,
				appflow_error_detail(WF_VALIDATION, "The query has %zu bytes.", strlen(query->text)),
				errmsg("the query for entity \"%s\" is too long for Salesforce's REST API", request->entity),
				errhint("Read fewer fields, or set dataTransferApi to BULKV2."));
}

/* ---------- the connector's ---------- */

char *
salesforce_plan_read(ConnectorSession *session, ReadRequest *request)
{
	SalesforceApi api = salesforce_api(request->properties);
	List	   *selected = list_copy(request->fields);
	SoqlQuery	query;
	const char *way;

	for (int i = 0; request->all_fields && i < request->described->nfields; i++)
	{
		if (!list_has_text(selected, request->described->fields[i].name) &&
			!list_has_text(request->exclude, request->described->fields[i].name))
			selected = lappend(selected, request->described->fields[i].name);
	}
	query = soql_make(session, request, request->described, selected, api, false);
	way = request->aggregates_taken || api == SALESFORCE_REST ? "REST" :
		api == SALESFORCE_BULK ? "Bulk API 2.0" : "REST or Bulk API 2.0";
	return psprintf("%s %s: %s", way, query.all ? "queryAll" : "query", query.text);
}

RecordReader *
salesforce_open_reader(ConnectorSession *session, ReadRequest *request)
{
	SalesforceApi api = salesforce_api(request->properties);
	const Schema *described;
	Schema	   *schema;
	SoqlQuery	query;

	if (request->position != NULL)
		return salesforce_open_events(session, request);
	if (!salesforce_is_name(request->entity, false))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not the name of a Salesforce object", request->entity));
	if (salesforce_is_event(request->entity))
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("\"%s\" is an event of Salesforce, which can be listened to but not queried", request->entity),
				errhint("Use it in a flow with triggerType Event."));
	described = request->described != NULL ? request->described : salesforce_describe(session, request->entity);
	schema = record_schema(session, request, described, api);
	query = soql_make(session, request, described, schema_names(schema), api, true);
	if (request->aggregates_taken)
		schema = aggregate_schema(session, request, described);
	if (reads_in_bulk(session, request, &query, schema, api))
	{
		RecordReader *reader = salesforce_bulk_reader(session, request, &query, schema, api == SALESFORCE_AUTOMATIC);

		if (reader != NULL)
			return reader;
	}
	check_length(request, &query);
	return query_reader(session, request, &query, schema);
}
