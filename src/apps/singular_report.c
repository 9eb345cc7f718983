/*-------------------------------------------------------------------------
 *
 * singular_report.c
 *	  Reads the records of a report of Singular.
 *
 * A report is ordered, asked about until it is done, and then lies as one JSON document
 * at a signed URL of an object store, which wants no other credentials.  A URL that is not
 * good any more is asked for anew; a report that failed is ordered once more.  A report by
 * days is ordered in pieces of some days, one behind the other.  Singular has no way to
 * call a report off: one whose reader is closed is left to itself.
 *
 * IDENTIFICATION
 *	  src/apps/singular_report.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/singular.h"
#include "compat.h"
#include "connector/day_window.h"
#include "connector/page_reader.h"
#include "miscadmin.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define PIECE_DAYS 30

/* records that Singular gives of a report at most: who has so many has not all */
#define MOST_RECORDS 200000

/* ms between two questions about a report: at first, and at most; and in all */
#define FIRST_PAUSE 1000
#define LONGEST_PAUSE 15000
#define PATIENCE (3600 * 1000)

/* URLs that may have become bad before they were used */
#define MAX_URLS 3

typedef struct Report
{
	const char *what;
	Schema	   *schema;			/* of the records; behind what is asked for, twins (see paths_of()) */
	int			nfields;		/* asked for */
	const Field *period;		/* the field that makes groups of days, weeks or months; NULL: none does */
	DayWindow	window;
	int64		start;			/* what the fields start_date and end_date are */
	int64		end;
	bool		has_start;
	bool		has_end;
	bool		empty;
	List	   *conditions;		/* of Filter *: EQUAL_TO on dimensions */
} Report;

typedef struct SingularReader
{
	ConnectorSession *session;
	Report	   *report;
	int64		first;			/* days of the piece that is read */
	int64		last;
	char	   *form;			/* the order, but for the days */
	int		   *twins;			/* of each field: the column of its twin, or -1 */
} SingularReader;

/* ---------- what is asked for ---------- */

static const Field *
find_field(const Schema *described, const char *name)
{
	int			index = described == NULL ? -1 : schema_find(described, name);

	return index < 0 ? NULL : &described->fields[index];
}

static Field *
copy_field(Schema *schema, const char *name, const Field *like)
{
	Field	   *field = schema_add(schema, name, like->type);
	char	   *own = field->name;

	*field = *like;
	field->name = own;
	return field;
}

static void
add_field(Report *report, const Field *field, bool planning)
{
	if (schema_find(report->schema, field->name) >= 0)
		return;
	(void) copy_field(report->schema, field->name, field);
	report->nfields++;
	if (singular_kind(field) != SINGULAR_PERIOD)
		return;
	if (report->period != NULL && !planning)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("a report of Singular is by one of \"%s\" and \"%s\", not by both", report->period->name, field->name));
	report->period = field;
}

static void
add_fields(Report *report, const ReadRequest *request, const Schema *described, bool planning)
{
	ListCell   *lc;

	if (request->all_fields && !planning)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("not all fields of %s can be read at once", report->what),
				errdetail("Its records are groups, made by the dimensions that are read."),
				errhint("Map them one by one."));
	foreach(lc, request->fields)
	{
		const Field *field = find_field(described, lfirst(lc));

		if (field != NULL)
			add_field(report, field, planning);
		else if (!planning)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("Singular has no dimension or metric \"%s\"", (char *) lfirst(lc)));
	}
}

static void
take_window(Report *report, Filter *filter)
{
	bool		last = strcmp(filter->field, SINGULAR_END_DATE) == 0;
	int64	   *day = last ? &report->end : &report->start;
	bool	   *has = last ? &report->has_end : &report->has_start;
	int64		given = *day;
	bool		known;

	filter->taken = day_window_take_end(&report->window, filter, last, &given, &known);
	if (!filter->taken)
		return;
	if (known && *has && given != *day)
		report->empty = true;
	*day = given;
	*has = true;
}

/*
 * Equality on a dimension is Singular's.  How it compares texts, it does not say; so
 * where the dimension is among what is read, the caller looks at it again.
 */
static bool
takes_equality(Report *report, Filter *filter, const Field *field)
{
	if (filter->operator != FILTER_EQUAL_TO || (filter->typed && filter->type != FIELD_STRING) ||
		(singular_kind(field) != SINGULAR_DIMENSION && singular_kind(field) != SINGULAR_CUSTOM) ||
		(field->filters & (1 << FILTER_EQUAL_TO)) == 0)
		return false;
	report->conditions = lappend(report->conditions, filter);
	return schema_find(report->schema, field->name) < 0;
}

static void
take_filter(Report *report, Filter *filter, const Schema *described)
{
	const Field *field = filter->field == NULL ? NULL : find_field(described, filter->field);

	filter->taken = false;
	if (field == NULL)
		return;
	if (singular_kind(field) == SINGULAR_WINDOW)
		take_window(report, filter);
	else if (singular_kind(field) == SINGULAR_PERIOD && strcmp(field->format, "day") == 0)
	{
		filter->taken = day_window_narrow(&report->window, filter);
		if (!filter->taken)
			day_window_narrow_roughly(&report->window, filter);
	}
	else
		filter->taken = takes_equality(report, filter, field);
}

/* what is evaluated by the caller must be in the records */
static void
require_fields(Report *report, const Filter *filter, const Schema *described)
{
	const Field *field;
	ListCell   *lc;

	foreach(lc, filter->children)
		require_fields(report, lfirst(lc), described);
	if (filter->field == NULL || schema_find(report->schema, filter->field) >= 0)
		return;
	field = find_field(described, filter->field);
	if (field != NULL && (singular_kind(field) == SINGULAR_METRIC || singular_kind(field) == SINGULAR_DISCREPANCY ||
						  singular_kind(field) == SINGULAR_COHORT))
	{
		/* one more metric leaves the records as they are */
		add_field(report, field, false);
		return;
	}
	if (field == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("Singular has no dimension or metric \"%s\"", filter->field));
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("Singular cannot evaluate a condition on \"%s\", which is not among the fields that are read", filter->field),
			errdetail("To read it besides would make other records: they are groups by what is read."),
			errhint("Read \"%s\" too.", filter->field));
}

static void
check_window(const Report *report)
{
	static const char *const names[] = {SINGULAR_START_DATE, SINGULAR_END_DATE};

	for (int i = 0; i < 2; i++)
	{
		if (schema_find(report->schema, names[i]) >= 0 && !(i == 0 ? report->has_start : report->has_end))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("\"%s\" of %s needs a condition that it is equal to one date", names[i], report->what),
					errdetail("It is a day that the window of the report begins or ends with, not a dimension."));
	}
	if (report->window.first == PG_INT64_MIN)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("nothing says on which day %s of Singular begins", report->what),
				errhint("Give a condition on \"date\", or that \"%s\" and \"%s\" are equal to dates.", SINGULAR_START_DATE,
						SINGULAR_END_DATE));
	if (report->nfields == 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("a report of Singular needs a dimension or a metric"),
				errhint("The columns of a foreign table that a statement names, or the fields that a flow maps, are the report."));
}

static Report *
make_report(ReadRequest *request, const Schema *described, bool planning)
{
	Report	   *report = palloc0(sizeof(Report));
	ListCell   *lc;

	report->what = psprintf("entity \"%s\"", request->entity);
	report->schema = schema_create();
	report->window = (DayWindow) DAY_WINDOW_OPEN;
	request->order_taken = request->limit_taken = request->aggregates_taken = false;
	add_fields(report, request, described, planning);
	foreach(lc, request->filters)
		take_filter(report, lfirst(lc), described);
	if (planning)
		return report;
	foreach(lc, request->filters)
	{
		if (!((Filter *) lfirst(lc))->taken)
			require_fields(report, lfirst(lc), described);
	}
	check_window(report);

	/* what is not over yet is told as far as it is known */
	report->window.last = Min(report->window.last, day_today());
	report->empty |= report->window.first > report->window.last;
	return report;
}

/* ---------- the order ---------- */

static void
append_parameter(StringInfo form, const char *name, const char *value)
{
	appendStringInfo(form, "%s%s=%s", form->len == 0 ? "" : "&", name, url_encode(value));
}

static void
append_name(StringInfo names, const char *name)
{
	const char *found = names->data;
	size_t		length = strlen(name);

	/* each once: cohort metrics and their periods are asked for apart */
	while ((found = strstr(found, name)) != NULL)
	{
		if ((found == names->data || found[-1] == ',') && (found[length] == ',' || found[length] == '\0'))
			return;
		found++;
	}
	appendStringInfo(names, "%s%s", names->len == 0 ? "" : ",", name);
}

/* a parameter of names between commas, of the fields of a kind */
static void
append_names(StringInfo form, const Report *report, const char *name, SingularKind kind, SingularKind other,
			 const char *(*of) (const Field *field))
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < report->nfields; i++)
	{
		const Field *field = &report->schema->fields[i];

		if (singular_kind(field) == kind || singular_kind(field) == other)
			append_name(&names, of(field));
	}
	if (names.len > 0)
		append_parameter(form, name, names.data);
}

static const char *
name_of(const Field *field)
{
	return field->name;
}

static const char *
metric_of(const Field *field)
{
	return field->path;
}

static const char *
period_of(const Field *field)
{
	return field->format;
}

/* what filters call a value that people call so: names may be numbers */
static void
append_value(StringInfo out, Jsonb *values, const char *text)
{
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(values))
	{
		char	   *shown = jsonb_get_text(lfirst(lc), "display_name");
		char	   *name = jsonb_get_text(lfirst(lc), "name");

		if (shown != NULL && name != NULL && strcmp(shown, text) == 0)
		{
			JsonbValue *value = getKeyJsonValueFromContainer(&((Jsonb *) lfirst(lc))->root, "name", 4, NULL);

			if (value != NULL && value->type == jbvNumeric)
				appendStringInfoString(out, name);
			else
				escape_json(out, name);
			return;
		}
	}
	escape_json(out, text);
}

static Jsonb *
values_of(Jsonb *filters, const char *dimension)
{
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(filters))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");

		if (name != NULL && strcmp(name, dimension) == 0)
			return jsonb_get_container(lfirst(lc), "values");
	}
	return NULL;
}

static char *
filters_of(Report *report, Jsonb *filters)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, report->conditions)
	{
		const Filter *filter = lfirst(lc);
		Jsonb	   *values = values_of(filters, filter->field);

		appendStringInfoString(&out, out.len == 0 ? "[{\"dimension\":" : ",{\"dimension\":");
		escape_json(&out, filter->field);
		appendStringInfoString(&out, ",\"operator\":\"in\",\"values\":[");
		for (int i = 0; i < filter->noperands; i++)
		{
			appendStringInfoString(&out, i == 0 ? "" : ",");
			append_value(&out, values, filter->operands[i] != NULL ? filter->operands[i] : day_window_unknown(&report->window));
		}
		appendStringInfoString(&out, "]}");
	}
	if (out.len > 0)
		appendStringInfoChar(&out, ']');
	return out.data;
}

static char *
order_form(Report *report, Jsonb *filters)
{
	StringInfoData form;
	char	   *conditions = filters_of(report, filters);

	initStringInfo(&form);
	append_names(&form, report, "dimensions", SINGULAR_DIMENSION, SINGULAR_CUSTOM, name_of);
	append_names(&form, report, "metrics", SINGULAR_METRIC, SINGULAR_METRIC, name_of);
	append_names(&form, report, "discrepancy_metrics", SINGULAR_DISCREPANCY, SINGULAR_DISCREPANCY, name_of);
	append_names(&form, report, "cohort_metrics", SINGULAR_COHORT, SINGULAR_COHORT, metric_of);
	append_names(&form, report, "cohort_periods", SINGULAR_COHORT, SINGULAR_COHORT, period_of);
	append_parameter(&form, "time_breakdown", report->period == NULL ? "all" : report->period->format);
	append_parameter(&form, "format", "json");
	append_parameter(&form, "country_code_format", "iso3");
	if (conditions[0] != '\0')
		append_parameter(&form, "filters", conditions);
	return form.data;
}

/* a form as people read it */
static char *
readable(const char *form)
{
	char	   *text = palloc(strlen(form) + 1);
	char	   *to = text;

	for (const char *p = form; *p != '\0'; p++)
	{
		unsigned	byte;

		if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1)
		{
			*to++ = (char) byte;
			p += 2;
		}
		else
			*to++ = *p;
	}
	*to = '\0';
	return text;
}

char *
singular_plan_read(ConnectorSession *session, ReadRequest *request)
{
	Report	   *report = make_report(request, request->described, true);
	DayWindow  *window = &report->window;

	return psprintf("POST /api/v2.0/create_async_report start_date=%s&end_date=%s&%s",
					window->first_unknown ? window->first_unknown : window->first == PG_INT64_MIN ? "" : day_text(window->first),
					window->last_unknown ? window->last_unknown : window->last == PG_INT64_MAX ? "" : day_text(window->last),
					readable(order_form(report, NULL)));
}

/* ---------- one piece ---------- */

static char *
order_report(SingularReader *reader)
{
	char	   *form = psprintf("start_date=%s&end_date=%s&%s", day_text(reader->first), day_text(reader->last), reader->form);
	HttpCall   *call = session_call(reader->session, "POST", "/api/v2.0/create_async_report");
	char	   *id;

	http_header(call, "Content-Type", "application/x-www-form-urlencoded");
	call->body = form;
	call->body_length = strlen(form);

	/* a report whose answer was lost does no harm: nobody asks for it */
	call->repeatable = true;
	id = jsonb_get_text(singular_value(reader->session, call, reader->report->what), "report_id");
	if (id == NULL || id[0] == '\0')
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Singular did not tell the id of the report for %s", reader->report->what));
	return id;
}

static Jsonb *
ask_report(SingularReader *reader, const char *id)
{
	return singular_value(reader->session,
						  session_call(reader->session, "GET", psprintf("/api/v2.0/get_report_status?report_id=%s", url_encode(id))),
						  reader->report->what);
}

/* Wait until the report is done: its URL.  NULL: it failed, for *reason. */
static char *
await_report(SingularReader *reader, const char *id, char **reason)
{
	TimestampTz begun = GetCurrentTimestamp();
	int64		pause = FIRST_PAUSE;

	for (;;)
	{
		Jsonb	   *value = ask_report(reader, id);
		char	   *status = jsonb_get_text(value, "status");
		char	   *url = jsonb_get_text(value, "download_url");

		CHECK_FOR_INTERRUPTS();
		if (status != NULL && strcmp(status, "DONE") == 0 && url != NULL)
			return url;
		if (status != NULL && strcmp(status, "FAILED") == 0)
		{
			char	   *message = jsonb_get_text(value, "error_message");

			*reason = message == NULL ? "it gave no reason" : session_words(reader->session, message);
			return NULL;
		}
		if (status == NULL || (strcmp(status, "QUEUED") != 0 && strcmp(status, "STARTED") != 0))
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("the report for %s is in a state of Singular that is not known: %s", reader->report->what,
						   status == NULL ? "none" : session_words(reader->session, status)));
		if (TimestampDifferenceExceeds(begun, GetCurrentTimestamp(), PATIENCE))
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("Singular did not finish the report for %s within an hour", reader->report->what),
					errhint("Ask for fewer days or dimensions."));
		http_pause(pause);
		pause = Min(pause * 3 / 2, LONGEST_PAUSE);
	}
}

/* URLs end: another is had by asking again */
static bool
is_stale(int status)
{
	return status == 400 || status == 403 || status == 404;
}

/* the call that gets a report, its headers there */
static HttpCall *
fetch_report(SingularReader *reader)
{
	char	   *reason = NULL;
	char	   *id = order_report(reader);
	char	   *url = await_report(reader, id, &reason);

	if (url == NULL)
	{
		id = order_report(reader);
		url = await_report(reader, id, &reason);
	}
	for (int i = 1; url != NULL; i++)
	{
		/* signed as it is: no other credentials */
		HttpCall   *call = http_call("GET", url);

		http_wait(call);
		if (!is_stale(call->status) || i == MAX_URLS)
			return call;
		http_close(call);
		url = await_report(reader, id, &reason);
	}
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("Singular could not make the report for %s: %s", reader->report->what, reason));
}

/* ---------- pages: one for each piece ---------- */

static NextPage
next_page(void *arg, const RecordPage *previous, HttpCall **call)
{
	SingularReader *reader = arg;
	const Report *report = reader->report;
	bool		split = report->period != NULL && strcmp(report->period->format, "day") == 0;

	if (previous != NULL && !previous->complete)
		return PAGE_UNKNOWN;
	if (report->empty || (previous != NULL && reader->last >= report->window.last))
		return PAGE_LAST;
	reader->first = previous == NULL ? report->window.first : reader->last + 1;
	reader->last = split ? Min(reader->first + PIECE_DAYS - 1, report->window.last) : report->window.last;
	*call = fetch_report(reader);
	return PAGE_FOLLOWS;
}

static void
check(void *arg, const RecordPage *page)
{
	SingularReader *reader = arg;

	if (page->records >= MOST_RECORDS)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the report for %s has as many records as Singular gives at most, " UINT64_FORMAT ", so some may be missing",
					   reader->report->what, page->records),
				errhint("Ask for fewer days or dimensions, or for some values of one."));
}

/* the document is of an object store, whose words are not JSON */
static void
fail(void *arg, HttpCall *call)
{
	SingularReader *reader = arg;

	session_raise(reader->session, call, reader->report->what, NULL, NULL);
}

static void
adapt(void *arg, const RecordPage *page, Batch *batch)
{
	SingularReader *reader = arg;
	const Report *report = reader->report;

	for (int i = 0; i < report->nfields; i++)
	{
		const Field *field = &report->schema->fields[i];

		for (uint32 row = 0; row < batch->nrows; row++)
		{
			Cell	   *cell = &batch->columns[i][row];
			char	   *problem;

			if (singular_kind(field) == SINGULAR_WINDOW)
			{
				*cell = cell_integer(CELL_DATE, strcmp(field->name, SINGULAR_START_DATE) == 0 ? report->start : report->end);
				continue;
			}
			if (cell->kind == CELL_NULL && reader->twins[i] >= 0)
				*cell = batch->columns[reader->twins[i]][row];
			if (cell->kind == CELL_NULL || field->type == FIELD_STRING)
				continue;

			/* what does not fit stays as it is, and fails its record where it is used */
			problem = cell_convert(batch, cell, field);
			if (problem != NULL)
				pfree(problem);
		}
	}
}

/* ---------- the reader ---------- */

/*
 * Members of a record: days are where its period begins, the window is not read.  A
 * dimension of the account's own is asked for by its id; should records call it by its
 * name for people, a hidden twin of the field has it.
 */
static const char *const *
paths_of(SingularReader *reader)
{
	Report	   *report = reader->report;
	const char **paths = palloc(sizeof(char *) * report->nfields * 2);

	reader->twins = palloc(sizeof(int) * report->nfields);
	for (int i = 0; i < report->nfields; i++)
	{
		const Field *field = &report->schema->fields[i];

		paths[i] = singular_kind(field) == SINGULAR_PERIOD ? SINGULAR_START_DATE :
			singular_kind(field) == SINGULAR_WINDOW ? psprintf("\001%d", i) : field->name;
		reader->twins[i] = -1;
	}
	for (int i = 0; i < report->nfields; i++)
	{
		Field		field = report->schema->fields[i];
		bool		taken = false;

		if (singular_kind(&field) != SINGULAR_CUSTOM || field.label == NULL)
			continue;
		for (int j = 0; j < report->schema->nfields; j++)
			taken |= strcmp(paths[j], field.label) == 0;
		if (taken)
			continue;
		reader->twins[i] = report->schema->nfields;
		paths[report->schema->nfields] = field.label;
		copy_field(report->schema, psprintf("\001%d", i), &field)->hidden = true;
	}
	return paths;
}

RecordReader *
singular_open_reader(ConnectorSession *session, ReadRequest *request)
{
	SingularReader *reader = palloc0(sizeof(SingularReader));
	const Schema *described = request->described != NULL ? request->described : singular_describe(session, request->entity);
	PageSource	source = {
		.session = session, .record_path = "results", .next_page = next_page, .check = check, .fail = fail, .adapt = adapt,
		.arg = reader, .limit_hint = request->limit_hint
	};

	reader->session = session;
	reader->report = make_report(request, described, false);
	reader->form = order_form(reader->report, reader->report->conditions == NIL ? NULL : singular_filters(session));
	source.paths = paths_of(reader);
	source.schema = reader->report->schema;
	source.what = reader->report->what;
	return page_reader_open(&source);
}
