/*-------------------------------------------------------------------------
 *
 * amplitude.c
 *	  The connector for Amplitude: events by the Export API (amplitude_export.c), lists
 *	  and figures by the Dashboard REST API.
 *
 * What a request covers is a span of hours or days, made of its conditions on one
 * field.  The service does not go by anything finer, so no condition is ever
 * taken: all are evaluated by the caller, too.
 *
 * Follows Amplitude's pages "Export API" and "Dashboard REST API".
 *
 * IDENTIFICATION
 *	  src/apps/amplitude.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/amplitude.h"
#include "apps/apps.h"
#include "codec/text.h"
#include "compat.h"
#include "connector/day_window.h"
#include "connector/page_reader.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#define HOUR (INT64CONST(3600) * USECS_PER_SEC)

/* of a request for figures of days */
#define MOST_DAYS 365

/* 2010-01-01: there was no Amplitude yet, and nobody shall wait for years of answers that say so */
#define FIRST_DAY 14610

/* from PostgreSQL's epoch to that of spans, in microseconds */
#define EPOCH_DIFFERENCE ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

#define CHARTS "charts/"

/* conditions that make a span smaller */
#define SPAN_FILTERS \
	((1U << FILTER_LESS_THAN) | (1U << FILTER_GREATER_THAN) | (1U << FILTER_BETWEEN) | \
	 (1U << FILTER_LESS_THAN_OR_EQUAL_TO) | (1U << FILTER_GREATER_THAN_OR_EQUAL_TO) | (1U << FILTER_EQUAL_TO))

/* ---------- entities ---------- */

typedef enum EntityKind
{
	KIND_EXPORT,
	KIND_DAYS,					/* a figure for each day */
	KIND_LIST,
	KIND_CHART
} EntityKind;

typedef struct AmplitudeField
{
	const char *name;
	FieldType	type;
	const char *description;
} AmplitudeField;

typedef struct AmplitudeEntity
{
	EntityKind	kind;
	const char *name;			/* of a chart: what comes before its id */
	const char *label;
	const char *path;
	const char *span;			/* the field that says what is asked for, or NULL */
	const char *key;
	const AmplitudeField *fields;
	int			nfields;
} AmplitudeEntity;

static const AmplitudeField event_fields[] = {
	{"uuid", FIELD_STRING, "Identifies the event"},
	{"event_type", FIELD_STRING, NULL},
	{"event_time", FIELD_DATETIME, "When it happened, by the client's clock, mended by the server's"},
	{"server_upload_time", FIELD_DATETIME, "When Amplitude's servers got it: exports go by it"},
	{"client_event_time", FIELD_DATETIME, NULL},
	{"client_upload_time", FIELD_DATETIME, NULL},
	{"server_received_time", FIELD_DATETIME, NULL},
	{"processed_time", FIELD_DATETIME, NULL},
	{"user_creation_time", FIELD_DATETIME, NULL},
	{"user_id", FIELD_STRING, NULL},
	{"device_id", FIELD_STRING, NULL},
	{"amplitude_id", FIELD_LONG, NULL},
	{"session_id", FIELD_LONG, NULL},
	{"event_id", FIELD_INTEGER, NULL},
	{"app", FIELD_INTEGER, "The project"},
	{"event_properties", FIELD_JSON, NULL},
	{"user_properties", FIELD_JSON, NULL},
	{"group_properties", FIELD_JSON, NULL},
	{"groups", FIELD_JSON, NULL},
	{"data", FIELD_JSON, NULL},
	{"$insert_id", FIELD_STRING, NULL},
	{"$schema", FIELD_STRING, NULL},
	{"adid", FIELD_STRING, NULL},
	{"amplitude_attribution_ids", FIELD_STRING, NULL},
	{"amplitude_event_type", FIELD_STRING, NULL},
	{"city", FIELD_STRING, NULL},
	{"country", FIELD_STRING, NULL},
	{"device_brand", FIELD_STRING, NULL},
	{"device_carrier", FIELD_STRING, NULL},
	{"device_family", FIELD_STRING, NULL},
	{"device_manufacturer", FIELD_STRING, NULL},
	{"device_model", FIELD_STRING, NULL},
	{"device_type", FIELD_STRING, NULL},
	{"dma", FIELD_STRING, NULL},
	{"idfa", FIELD_STRING, NULL},
	{"ip_address", FIELD_STRING, NULL},
	{"is_attribution_event", FIELD_BOOLEAN, NULL},
	{"language", FIELD_STRING, NULL},
	{"library", FIELD_STRING, NULL},
	{"location_lat", FIELD_DOUBLE, NULL},
	{"location_lng", FIELD_DOUBLE, NULL},
	{"os_name", FIELD_STRING, NULL},
	{"os_version", FIELD_STRING, NULL},
	{"paying", FIELD_BOOLEAN, NULL},
	{"platform", FIELD_STRING, NULL},
	{"region", FIELD_STRING, NULL},
	{"sample_rate", FIELD_STRING, NULL},
	{"start_version", FIELD_STRING, NULL},
	{"version_name", FIELD_STRING, NULL},
	{"data_type", FIELD_STRING, NULL},
	{"source_id", FIELD_STRING, NULL},
	{"partner_id", FIELD_STRING, NULL},
	{"global_user_properties", FIELD_JSON, NULL},
	{"plan", FIELD_JSON, NULL},
};

static const AmplitudeField user_fields[] = {
	{"date", FIELD_DATE, "A day in the project's time zone"},
	{"users", FIELD_LONG, NULL},
};

static const AmplitudeField session_fields[] = {
	{"date", FIELD_DATE, "A day in the project's time zone"},
	{"seconds", FIELD_DOUBLE, "Average length of the sessions"},
};

static const AmplitudeField event_type_fields[] = {
	{"id", FIELD_LONG, NULL},
	{"value", FIELD_STRING, "The event_type of its events"},
	{"name", FIELD_STRING, NULL},
	{"display", FIELD_STRING, NULL},
	{"totals", FIELD_LONG, "Events of this week"},
	{"totals_delta", FIELD_DOUBLE, NULL},
	{"hidden", FIELD_BOOLEAN, NULL},
	{"deleted", FIELD_BOOLEAN, NULL},
	{"non_active", FIELD_BOOLEAN, NULL},
	{"autohidden", FIELD_BOOLEAN, NULL},
	{"clusters_hidden", FIELD_BOOLEAN, NULL},
	{"flow_hidden", FIELD_BOOLEAN, NULL},
	{"timeline_hidden", FIELD_BOOLEAN, NULL},
	{"in_waitroom", FIELD_BOOLEAN, NULL},
};

static const AmplitudeField chart_fields[] = {
	{"series", FIELD_INTEGER, "Number of the line in the chart, from 1"},
	{"label", FIELD_STRING, "What the chart calls the line"},
	{"x", FIELD_STRING, "Where on the line"},
	{"value", FIELD_DOUBLE, NULL},
	{"data", FIELD_JSON, "What the chart has there, if that is more than a number"},
};

#define FIELDS(table) .fields = table, .nfields = lengthof(table)

static const AmplitudeEntity entities[] = {
	{KIND_EXPORT, "events", "Events", .span = "server_upload_time", .key = "uuid", FIELDS(event_fields)},
	{KIND_LIST, "events_list", "Event types", "/api/2/events/list", .key = "id", FIELDS(event_type_fields)},
	{KIND_DAYS, "active_users", "Active users of each day", "/api/2/users?m=active&i=1", .span = "date", .key = "date",
	FIELDS(user_fields)},
	{KIND_DAYS, "new_users", "New users of each day", "/api/2/users?m=new&i=1", .span = "date", .key = "date",
	FIELDS(user_fields)},
	{KIND_DAYS, "average_session_length", "Average length of the sessions of each day", "/api/2/sessions/average",
	.span = "date", .key = "date", FIELDS(session_fields)},
	{KIND_CHART, CHARTS, "A chart", "/api/3/chart/%s/query", FIELDS(chart_fields)},
};

static const char *
chart_of(const char *entity)
{
	return entity + strlen(CHARTS);
}

static const AmplitudeEntity *
find_entity(const char *name)
{
	for (int i = 0; i < (int) lengthof(entities); i++)
	{
		if (entities[i].kind != KIND_CHART && strcmp(entities[i].name, name) == 0)
			return &entities[i];
		if (entities[i].kind == KIND_CHART && strncmp(name, CHARTS, strlen(CHARTS)) == 0 &&
			chart_of(name)[0] != '\0' &&
			strspn(chart_of(name), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(chart_of(name)))
			return &entities[i];
	}
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("Amplitude has no entity \"%s\"", name),
			errhint("appflow.list_connector_entities() tells which there are. A chart is \"" CHARTS "ID\"."));
}

/* charts are not listed: Amplitude does not tell which there are */
static List *
list_entities(ConnectorSession *session, const char *path)
{
	List	   *list = NIL;

	for (int i = 0; path[0] == '\0' && i < (int) lengthof(entities); i++)
	{
		Entity	   *entity;

		if (entities[i].kind == KIND_CHART)
			continue;
		entity = palloc0(sizeof(Entity));
		entity->name = pstrdup(entities[i].name);
		entity->label = pstrdup(entities[i].label);
		list = lappend(list, entity);
	}
	return list;
}

static Schema *
describe_entity(ConnectorSession *session, const char *name)
{
	const AmplitudeEntity *entity = find_entity(name);
	Schema	   *schema = schema_create();

	for (int i = 0; i < entity->nfields; i++)
	{
		const AmplitudeField *known = &entity->fields[i];
		Field	   *field = schema_add(schema, known->name, known->type);

		field->native_type = pstrdup(field_type_name(known->type));
		field->description = known->description == NULL ? NULL : pstrdup(known->description);
		field->key = entity->key != NULL && strcmp(entity->key, known->name) == 0;
		if (entity->span != NULL && strcmp(entity->span, known->name) == 0)
		{
			field->filters = SPAN_FILTERS;
			field->incremental = entity->kind == KIND_EXPORT;
		}
	}
	return schema;
}

/* ---------- what is asked for ---------- */

/* the least that conditions leave, and whether some operands are not known yet (planning) */
typedef struct Bounds
{
	AmplitudeSpan span;
	bool		begins;			/* there is a lower bound */
	bool		unknown;
} Bounds;

static int64
floor_of(int64 value, int64 unit)
{
	return value / unit - (value % unit < 0);
}

/* an hour that begins at the end of a span is none of it */
static int64
before(int64 micros)
{
	return micros == PG_INT64_MIN ? micros : micros - 1;
}

/* the moment that an operand names; false: it is not known, or no time */
static bool
operand_value(const Filter *filter, int i, Bounds *bounds, int64 *micros)
{
	if (filter->operands[i] == NULL)
		bounds->unknown = true;
	return filter->operands[i] != NULL && filter_parse_time(filter->operands[i], FIELD_DATETIME, micros);
}

static void
begin_at(Bounds *bounds, int64 unit)
{
	bounds->span.first = bounds->begins ? Max(bounds->span.first, unit) : unit;
	bounds->begins = true;
}

static void
end_at(Bounds *bounds, int64 unit)
{
	bounds->span.last = Min(bounds->span.last, unit);
}

/* what one condition says about the field, in units of so many microseconds */
static void
apply_filter(const Filter *filter, const char *field, int64 unit, Bounds *bounds)
{
	int64		low;
	int64		high;
	ListCell   *lc;

	if (filter->operator == FILTER_ALL)
	{
		foreach(lc, filter->children)
			apply_filter(lfirst(lc), field, unit, bounds);
		return;
	}
	if (filter->field == NULL || strcmp(filter->field, field) != 0 || !day_window_compares(filter))
		return;
	switch (filter->operator)
	{
		case FILTER_GREATER_THAN:
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			if (operand_value(filter, 0, bounds, &low))
				begin_at(bounds, floor_of(low, unit));
			break;
		case FILTER_LESS_THAN:
		case FILTER_LESS_THAN_OR_EQUAL_TO:
			if (operand_value(filter, 0, bounds, &high))
				end_at(bounds, floor_of(filter->operator == FILTER_LESS_THAN ? before(high) : high, unit));
			break;
		case FILTER_BETWEEN:
			if (operand_value(filter, 0, bounds, &low))
				begin_at(bounds, floor_of(low, unit));
			if (operand_value(filter, 1, bounds, &high))
				end_at(bounds, floor_of(before(high), unit));
			break;
		case FILTER_EQUAL_TO:
			{
				int64		least = PG_INT64_MAX;
				int64		most = PG_INT64_MIN;

				for (int i = 0; i < filter->noperands; i++)
				{
					if (!operand_value(filter, i, bounds, &low))
						return;
					least = Min(least, low);
					most = Max(most, low);
				}
				if (filter->noperands == 0)
					return;
				begin_at(bounds, floor_of(least, unit));
				end_at(bounds, floor_of(most, unit));
				break;
			}
		default:
			break;
	}
}

/* hours of server_upload_time, or days; up to the present one */
static Bounds
bounds_of(const ReadRequest *request, const AmplitudeEntity *entity)
{
	int64		unit = entity->kind == KIND_EXPORT ? HOUR : USECS_PER_DAY;
	Bounds		bounds = {.span.last = floor_of(GetCurrentTimestamp() + EPOCH_DIFFERENCE, unit)};
	ListCell   *lc;

	foreach(lc, request->filters)
		apply_filter(lfirst(lc), entity->span, unit, &bounds);
	bounds.span.first = Max(bounds.span.first, FIRST_DAY * (USECS_PER_DAY / unit));
	return bounds;
}

static AmplitudeSpan
span_of(const ReadRequest *request, const AmplitudeEntity *entity)
{
	Bounds		bounds = bounds_of(request, entity);

	if (!bounds.begins)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("a condition has to say from when on entity \"%s\" of Amplitude is read", request->entity),
				errhint("Give a lower bound of \"%s\".", entity->span));
	return bounds.span;
}

/* as the service wants it: 20240305 */
static char *
compact_day(int64 days)
{
	int64		year;
	unsigned	month;
	unsigned	day;

	text_civil_from_days(days, &year, &month, &day);
	return psprintf("%04d%02u%02u", (int) year, month, day);
}

static char *
days_path(const AmplitudeEntity *entity, const AmplitudeSpan *days)
{
	return psprintf("%s%cstart=%s&end=%s", entity->path, strchr(entity->path, '?') == NULL ? '?' : '&',
					compact_day(days->first), compact_day(days->last));
}

static char *
plan_read(ConnectorSession *session, ReadRequest *request)
{
	const AmplitudeEntity *entity = find_entity(request->entity);
	Bounds		bounds;

	if (entity->kind == KIND_LIST)
		return psprintf("GET %s", entity->path);
	if (entity->kind == KIND_CHART)
		return psprintf("GET /api/3/chart/%s/query", chart_of(request->entity));
	bounds = bounds_of(request, entity);
	if (bounds.unknown || !bounds.begins)
		return psprintf("GET %s, start and end by %s", entity->kind == KIND_EXPORT ? "/api/2/export" : entity->path,
						entity->span);
	return psprintf("GET %s", entity->kind == KIND_EXPORT ? amplitude_export_path(bounds.span.first, bounds.span.last) :
					days_path(entity, &bounds.span));
}

/* ---------- fields ---------- */

static Field *
add_copy(Schema *schema, const char *name, const Field *like)
{
	Field	   *field = schema_add(schema, name, like->type);
	char	   *own = field->name;

	*field = *like;
	field->name = own;
	return field;
}

/* a field that leads into a nested value; false: there is none */
static bool
add_nested(Schema *schema, const Schema *described, const char *name, bool hidden)
{
	int			outer = schema_find(described, pnstrdup(name, strcspn(name, ".")));

	if (strchr(name, '.') == NULL || outer < 0 || described->fields[outer].type != FIELD_JSON)
		return false;
	schema_add(schema, name, FIELD_STRING)->hidden = hidden;
	return true;
}

/* whether records come as JSON objects, in which there may be others */
static bool
is_parsed(const AmplitudeEntity *entity)
{
	return entity->kind == KIND_EXPORT || entity->kind == KIND_LIST;
}

/* the fields that are asked for; raises for one that the entity does not have */
static Schema *
select_fields(const ReadRequest *request, const AmplitudeEntity *entity, const Schema *described)
{
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, request->fields)
	{
		const char *name = lfirst(lc);
		int			found = schema_find(described, name);

		if (schema_find(schema, name) >= 0)
			continue;
		if (found >= 0)
			(void) add_copy(schema, name, &described->fields[found]);
		else if (!is_parsed(entity) || !add_nested(schema, described, name, request->all_fields))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("entity \"%s\" of Amplitude has no field \"%s\"", request->entity, name),
					errhint("appflow.describe_connector_entity() tells which there are."));
	}
	for (int i = 0; request->all_fields && i < described->nfields; i++)
	{
		if (schema_find(schema, described->fields[i].name) < 0)
			(void) add_copy(schema, described->fields[i].name, &described->fields[i]);
	}
	return schema;
}

/* ---------- figures ---------- */

/*
 * Answers that are one small document: a value for each place of each line.  Days come
 * by as many calls as it takes, a year each.
 */
typedef struct FigureReader
{
	RecordReader base;
	MemoryContext context;		/* of an answer */
	ConnectorSession *session;
	const AmplitudeEntity *entity;
	char	   *what;
	char	   *chart;
	AmplitudeSpan days;
	bool		done;			/* there is no other answer */

	/* an answer */
	Jsonb	   *series;			/* NULL: none is being read */
	Jsonb	   *labels;			/* or NULL */
	Jsonb	   *places;
	uint32		line;
	uint32		place;
} FigureReader;

pg_noreturn static void
no_figures(const FigureReader *reader, const char *why)
{
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("the answer of Amplitude about %s is not made as expected: %s", reader->what, why),
			reader->chart == NULL ? 0 : errhint("Charts of lines and bars can be read, others cannot."));
}

static uint32
length_of(Jsonb *array)
{
	return array == NULL || !JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array) ? 0 : JB_ROOT_COUNT(array);
}

/* an element of an array as a document of its own, or NULL */
static JsonbValue *
element_of(Jsonb *array, uint32 i)
{
	return i < length_of(array) ? getIthJsonbValueFromContainer(&array->root, i) : NULL;
}

static Jsonb *
array_at(Jsonb *array, uint32 i)
{
	JsonbValue *value = element_of(array, i);

	return value == NULL || value->type != jbvBinary ? NULL : JsonbValueToJsonb(value);
}

static void
fetch_figures(FigureReader *reader)
{
	AmplitudeSpan days = reader->days;
	char	   *path;
	Jsonb	   *data;

	MemoryContextReset(reader->context);
	if (reader->chart != NULL)
		path = psprintf("/api/3/chart/%s/query", reader->chart);
	else
	{
		days.last = Min(days.last, days.first + MOST_DAYS - 1);
		path = days_path(reader->entity, &days);
	}
	data = jsonb_get_container(session_fetch(reader->session, session_call(reader->session, "GET", path), reader->what,
											 NULL), "data");
	reader->series = jsonb_get_container(data, "series");
	reader->labels = jsonb_get_container(data, "seriesLabels");
	reader->places = jsonb_get_container(data, "xValues");
	if (reader->series == NULL || !JB_ROOT_IS_ARRAY(reader->series) ||
		reader->places == NULL || !JB_ROOT_IS_ARRAY(reader->places))
		no_figures(reader, "there are no data.series and data.xValues");
	if (reader->chart == NULL && length_of(reader->series) > 1)
		no_figures(reader, "there is more than one series");
	reader->line = reader->place = 0;
	reader->days.first = days.last + 1;
	reader->done = reader->chart != NULL || reader->days.first > reader->days.last;
	reader->base.pages++;
}

/* a value of a document as a cell whose text is the batch's */
static Cell
cell_of(Batch *batch, const JsonbValue *value)
{
	const char *text;

	if (value == NULL)
		return cell_null();
	switch (value->type)
	{
		case jbvNull:
			return cell_null();
		case jbvBool:
			return cell_integer(CELL_BOOLEAN, value->val.boolean);
		case jbvString:
			return cell_text(CELL_STRING, batch_copy(batch, value->val.string.val, value->val.string.len),
							 (uint32) value->val.string.len);
		case jbvNumeric:
			text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
			return cell_text(CELL_NUMBER, batch_copy(batch, text, strlen(text)), (uint32) strlen(text));
		default:
			text = JsonbToCString(NULL, value->val.binary.data, value->val.binary.len);
			return cell_text(CELL_JSON, batch_copy(batch, text, strlen(text)), (uint32) strlen(text));
	}
}

static void
put(const FigureReader *reader, Batch *batch, const char *field, Cell cell)
{
	int			column = schema_find(reader->base.schema, field);

	if (column >= 0)
		batch->columns[column][batch->nrows] = cell;
}

/* the value of a place, which may be within an object */
static void
put_value(const FigureReader *reader, Batch *batch, const JsonbValue *value)
{
	if (reader->chart == NULL)
	{
		put(reader, batch, reader->entity->fields[1].name, cell_of(batch, value));
		return;
	}
	put(reader, batch, "data", cell_null());
	if (value != NULL && value->type == jbvBinary)
	{
		put(reader, batch, "data", cell_of(batch, value));
		value = JsonContainerIsObject(value->val.binary.data) ?
			getKeyJsonValueFromContainer(value->val.binary.data, "value", 5, NULL) : NULL;
	}
	put(reader, batch, "value", cell_of(batch, value));
}

/* the rest of a line, as far as the batch has room; false: it is done */
static bool
read_line(FigureReader *reader, Batch *batch)
{
	Jsonb	   *line = array_at(reader->series, reader->line);
	uint32		places = length_of(reader->places);

	if (line == NULL || length_of(line) != places)
		no_figures(reader, psprintf("series %u does not have a value for each of data.xValues", reader->line + 1));
	for (; reader->place < places && batch->nrows < BATCH_ROWS; reader->place++)
	{
		put(reader, batch, "date", cell_of(batch, element_of(reader->places, reader->place)));
		put(reader, batch, "x", cell_of(batch, element_of(reader->places, reader->place)));
		put(reader, batch, "series", cell_integer(CELL_INTEGER, reader->line + 1));
		put(reader, batch, "label", cell_of(batch, element_of(reader->labels, reader->line)));
		put_value(reader, batch, element_of(line, reader->place));
		batch->lines[batch->nrows++] = 0;
	}
	return reader->place < places;
}

static bool
figures_next(RecordReader *base, Batch *batch)
{
	FigureReader *reader = (FigureReader *) base;
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (reader->series == NULL && reader->done)
			break;
		if (reader->series == NULL)
			fetch_figures(reader);
		while (reader->line < length_of(reader->series) && !read_line(reader, batch))
		{
			reader->line++;
			reader->place = 0;
		}
		if (reader->line >= length_of(reader->series))
			reader->series = NULL;
		if (batch->nrows > 0)
			break;
	}
	MemoryContextSwitchTo(old);
	return batch->nrows > 0;
}

static void
figures_close(RecordReader *base)
{
	MemoryContextDelete(((FigureReader *) base)->context);
}

static RecordReader *
open_figures(ConnectorSession *session, const ReadRequest *request, const AmplitudeEntity *entity, Schema *schema)
{
	FigureReader *reader = palloc0(sizeof(FigureReader));

	reader->base.schema = schema;
	reader->base.next = figures_next;
	reader->base.close = figures_close;
	reader->session = session;
	reader->entity = entity;
	reader->what = psprintf("entity \"%s\"", request->entity);
	if (entity->kind == KIND_CHART)
		reader->chart = pstrdup(chart_of(request->entity));
	else
	{
		reader->days = span_of(request, entity);
		reader->done = reader->days.first > reader->days.last;
	}
	reader->context = AllocSetContextCreate(CurrentMemoryContext, "appflow Amplitude figures", ALLOCSET_SMALL_SIZES);
	return &reader->base;
}

/* ---------- lists ---------- */

typedef struct ListPage
{
	ConnectorSession *session;
	const char *path;
} ListPage;

static NextPage
only_page(void *arg, const RecordPage *previous, HttpCall **call)
{
	const ListPage *page = arg;

	if (previous != NULL)
		return PAGE_LAST;
	*call = session_call(page->session, "GET", page->path);
	return PAGE_FOLLOWS;
}

static RecordReader *
open_list(ConnectorSession *session, const ReadRequest *request, const AmplitudeEntity *entity, Schema *schema)
{
	ListPage   *page = palloc(sizeof(ListPage));
	PageSource	source = {
		.session = session, .what = psprintf("entity \"%s\"", request->entity), .schema = schema, .record_path = "data",
		.discover = request->all_fields && !request->need_types, .next_page = only_page, .arg = page,
		.limit_hint = request->limit_hint
	};

	page->session = session;
	page->path = entity->path;
	return page_reader_open(&source);
}

/* ---------- the connector ---------- */

static RecordReader *
open_reader(ConnectorSession *session, ReadRequest *request)
{
	const AmplitudeEntity *entity = find_entity(request->entity);
	const Schema *described = request->described != NULL ? request->described : describe_entity(session, request->entity);
	Schema	   *schema = select_fields(request, entity, described);
	AmplitudeSpan span;

	switch (entity->kind)
	{
		case KIND_EXPORT:
			span = span_of(request, entity);
			return amplitude_export_reader(session, request->entity, schema, request->all_fields && !request->need_types,
										   &span, request->limit_hint != NO_LIMIT);
		case KIND_LIST:
			return open_list(session, request, entity, schema);
		case KIND_DAYS:
		case KIND_CHART:
			break;
	}
	return open_figures(session, request, entity, schema);
}

const Connector amplitude_connector = {
	.type = "Amplitude",
	.list_entities = list_entities,
	.describe_entity = describe_entity,
	.plan_read = plan_read,
	.open_reader = open_reader,
};
