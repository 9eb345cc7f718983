/*-------------------------------------------------------------------------
 *
 * google_analytics.c
 *	  Google Analytics: calls, properties and views, their dimensions and metrics.
 *
 * Follows Google's discovery documents of the Analytics Data API v1beta, the
 * Analytics Admin API v1beta, the Management API v3 with its metadata, and the
 * Analytics Reporting API v4.
 *
 * IDENTIFICATION
 *	  src/apps/google_analytics.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "apps/apps.h"
#include "apps/google_analytics.h"
#include "compat.h"
#include "connector/entity_form.h"
#include "miscadmin.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"

/* entities of a page */
#define PROPERTIES_PAGE 200
#define VIEWS_PAGE 1000

/* pages of a list that is believed to have an end */
#define MOST_PAGES 10000

/* Google counts errors of its servers, and asks nobody who has had too many */
#define SERVER_ERROR_RETRIES 2

static const char *const hosts[] = {
	[GOOGLE_DATA] = "https://analyticsdata.googleapis.com",
	[GOOGLE_ADMIN] = "https://analyticsadmin.googleapis.com",
	[GOOGLE_MANAGEMENT] = "https://www.googleapis.com",
	[GOOGLE_REPORTING] = "https://analyticsreporting.googleapis.com"
};

/* ---------- calls ---------- */

/* {"error": ...} of an answer, or NULL */
static Jsonb *
error_of(HttpCall *call)
{
	size_t		length;
	const char *body = http_body(call, &length);

	if (body == NULL || memchr(body, '\0', length) != NULL)
		return NULL;
	return jsonb_get_container(jsonb_parse(pnstrdup(body, length)), "error");
}

/* reasons of the APIs of Universal Analytics, with status 403, that one has asked too often */
static const struct
{
	const char *reason;
	bool		passes;			/* within minutes */
}			usage_limits[] = {
	{"rateLimitExceeded", true}, {"userRateLimitExceeded", true}, {"quotaExceeded", false}, {"dailyLimitExceeded", false},
};

static bool
is_usage_limit(Jsonb *error, bool passes)
{
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(error, "errors")))
	{
		char	   *reason = jsonb_get_text(lfirst(lc), "reason");

		for (int i = 0; reason != NULL && i < (int) lengthof(usage_limits); i++)
		{
			if (strcmp(reason, usage_limits[i].reason) == 0 && (usage_limits[i].passes || !passes))
				return true;
		}
	}
	return false;
}

static bool
judge(HttpCall *call, bool retry, void *arg)
{
	if (call->status == 403)
		return is_usage_limit(error_of(call), true);
	if (call->status >= 500)
		return retry && call->attempts <= SERVER_ERROR_RETRIES;
	return retry;
}

HttpCall *
google_call(ConnectorSession *session, GoogleApi api, const char *method, const char *path, const char *body, size_t length)
{
	/* an address of the profile's own answers for all of them */
	const char *base = strcmp(session->base, hosts[GOOGLE_DATA]) == 0 ? hosts[api] : session->base;
	HttpCall   *call = session_call_at(session, base, method, path);

	if (body != NULL)
	{
		http_header(call, "Content-Type", "application/json");
		call->body = body;
		call->body_length = length;
	}
	call->repeatable = true;
	call->judge = judge;
	return call;
}

void
google_fail(ConnectorSession *session, HttpCall *call, const char *what)
{
	Jsonb	   *error = error_of(call);
	char	   *message = jsonb_get_text(error, "message");
	char	   *status = jsonb_get_text(error, "status");

	if (call->status == 403 && is_usage_limit(error, false))
		session_raise_as(session, call, WF_THROTTLING, what, status, message);
	session_raise(session, call, what, status, message);
}

/* ---------- entities ---------- */

static bool
is_number(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

bool
google_is_view(const char *entity)
{
	if (strncmp(entity, "properties/", 11) == 0 && is_number(entity + 11))
		return false;
	if (strncmp(entity, "ga:", 3) == 0 && is_number(entity + 3))
		return true;
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("\"%s\" is neither a property nor a view of Google Analytics", entity),
			errhint("A property is called properties/NUMBER, a view of Universal Analytics ga:NUMBER."));
}

static List *
add_entity(List *entities, char *name, char *label)
{
	Entity	   *entity = palloc0(sizeof(Entity));

	entity->name = name;
	entity->label = label;
	return lappend(entities, entity);
}

static void
check_pages(int pages)
{
	if (pages > MOST_PAGES)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the list of properties and views of Google Analytics does not end: it has more than %d pages", MOST_PAGES));
}

/*
 * One page of a list; NULL if the API does not answer: it is switched off, or not
 * allowed for the client's project.  *refusal is the call then.
 */
static Jsonb *
list_page(ConnectorSession *session, GoogleApi api, const char *path, bool first, HttpCall **refusal)
{
	HttpCall   *call = google_call(session, api, "GET", path, NULL, 0);

	call->whole = true;
	http_wait(call);
	if (first && call->status >= 400 && call->status < 500 && call->status != 401 && call->status != 429 &&
		!(call->status == 403 && is_usage_limit(error_of(call), false)))
	{
		*refusal = call;
		return NULL;
	}
	return session_fetch(session, call, "the list of properties and views", google_fail);
}

static bool
list_properties(ConnectorSession *session, List **entities, HttpCall **refusal)
{
	char	   *token = NULL;
	int			pages = 0;

	do
	{
		char	   *path = psprintf("/v1beta/accountSummaries?pageSize=%d%s%s", PROPERTIES_PAGE, token ? "&pageToken=" : "",
									token ? url_encode(token) : "");
		Jsonb	   *page = list_page(session, GOOGLE_ADMIN, path, pages == 0, refusal);
		ListCell   *lc;
		ListCell   *lc2;

		CHECK_FOR_INTERRUPTS();
		if (page == NULL)
			return false;
		foreach(lc, jsonb_array_containers(jsonb_get_container(page, "accountSummaries")))
		{
			char	   *account = jsonb_get_text(lfirst(lc), "displayName");

			foreach(lc2, jsonb_array_containers(jsonb_get_container(lfirst(lc), "propertySummaries")))
			{
				char	   *name = jsonb_get_text(lfirst(lc2), "property");
				char	   *label = jsonb_get_text(lfirst(lc2), "displayName");

				if (name != NULL && strncmp(name, "properties/", 11) == 0 && is_number(name + 11))
					*entities = add_entity(*entities, name, psprintf("%s - %s", account ? account : "", label ? label : name));
			}
		}
		token = jsonb_get_text(page, "nextPageToken");
		check_pages(++pages);
	} while (token != NULL && token[0] != '\0');
	return true;
}

static void
add_views(List **entities, Jsonb *account)
{
	char	   *account_name = jsonb_get_text(account, "name");
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, jsonb_array_containers(jsonb_get_container(account, "webProperties")))
	{
		char	   *property = jsonb_get_text(lfirst(lc), "name");

		foreach(lc2, jsonb_array_containers(jsonb_get_container(lfirst(lc), "profiles")))
		{
			char	   *id = jsonb_get_text(lfirst(lc2), "id");
			char	   *name = jsonb_get_text(lfirst(lc2), "name");

			if (id != NULL && is_number(id))
				*entities = add_entity(*entities, psprintf("ga:%s", id),
									   psprintf("%s - %s - %s", account_name ? account_name : "", property ? property : "",
												name ? name : id));
		}
	}
}

static bool
list_views(ConnectorSession *session, List **entities, HttpCall **refusal)
{
	int64		start = 1;
	int64		total;
	int			pages = 0;

	do
	{
		char	   *path = psprintf("/analytics/v3/management/accountSummaries?max-results=%d&start-index=" INT64_FORMAT,
									VIEWS_PAGE, start);
		Jsonb	   *page = list_page(session, GOOGLE_MANAGEMENT, path, start == 1, refusal);
		List	   *items;
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		if (page == NULL)
			return false;
		items = jsonb_array_containers(jsonb_get_container(page, "items"));
		foreach(lc, items)
			add_views(entities, lfirst(lc));
		if (!jsonb_get_int64(page, "totalResults", &total) || items == NIL)
			break;
		start += list_length(items);
		check_pages(++pages);
	} while (start <= total);
	return true;
}

/* Google has switched Universal Analytics off: that it tells no views is nothing wrong. */
static List *
list_entities(ConnectorSession *session, const char *path)
{
	static const char *const what = "the list of properties and views";
	List	   *entities = NIL;
	HttpCall   *no_properties = NULL;
	HttpCall   *no_views = NULL;
	bool		any;

	if (path[0] != '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("Google Analytics has no entities under \"%s\"", path));
	any = list_properties(session, &entities, &no_properties);
	any |= list_views(session, &entities, &no_views);
	if (!any || (no_properties != NULL && entities == NIL))
		google_fail(session, no_properties, what);
	return entities;
}

/* ---------- fields ---------- */

GoogleKind
google_kind(const Field *field)
{
	if (field->native_type == NULL || strcmp(field->native_type, "DIMENSION") == 0)
		return GOOGLE_DIMENSION;
	return strcmp(field->native_type, "WINDOW") == 0 ? GOOGLE_WINDOW : GOOGLE_METRIC;
}

int
google_date_digits(const char *name)
{
	if (strncmp(name, "ga:", 3) == 0)
		name += 3;
	return strcmp(name, "date") == 0 ? 8 : strcmp(name, "dateHour") == 0 ? 10 : strcmp(name, "dateHourMinute") == 0 ? 12 : 0;
}

#define EQUALITY (1 << FILTER_EQUAL_TO | 1 << FILTER_NOT_EQUAL_TO)
#define INEQUALITY (1 << FILTER_LESS_THAN | 1 << FILTER_GREATER_THAN | 1 << FILTER_LESS_THAN_OR_EQUAL_TO | \
					1 << FILTER_GREATER_THAN_OR_EQUAL_TO | 1 << FILTER_BETWEEN)

static Field *
add_dimension(Schema *schema, const char *name, bool view)
{
	int			digits = google_date_digits(name);
	Field	   *field = schema_add(schema, name, digits == 0 ? FIELD_STRING : digits == 8 ? FIELD_DATE : FIELD_TIMESTAMP);

	field->native_type = "DIMENSION";
	field->filters = digits == 0 ? EQUALITY | 1 << FILTER_CONTAINS : digits == 8 ? EQUALITY | INEQUALITY : 0;
	field->incremental = digits == 8;

	/* texts of properties are in the order of their code points; how views order them, nobody says */
	field->sortable = !view || digits != 0;
	return field;
}

static Field *
add_metric(Schema *schema, const char *name, const char *type)
{
	bool		integer = strcmp(type, "TYPE_INTEGER") == 0 || strcmp(type, "INTEGER") == 0;
	Field	   *field = schema_add(schema, name, integer ? FIELD_LONG : FIELD_DOUBLE);

	field->native_type = pstrdup(type);
	field->filters = INEQUALITY | (integer ? EQUALITY : 0);
	field->sortable = true;
	return field;
}

static void
add_window(Schema *schema)
{
	static const char *const names[][2] = {
		{GOOGLE_START_DATE, "First day of the window"}, {GOOGLE_END_DATE, "Last day of the window"}
	};

	for (int i = 0; i < (int) lengthof(names); i++)
	{
		Field	   *field = schema_add(schema, names[i][0], FIELD_DATE);

		field->native_type = "WINDOW";
		field->label = pstrdup(names[i][1]);
		field->filters = 1 << FILTER_EQUAL_TO;
	}
}

static bool
is_new(const Schema *schema, const char *name)
{
	return name != NULL && name[0] != '\0' && schema_find(schema, name) < 0;
}

/* what the Data API tells of a property */
static void
describe_property(Schema *schema, Jsonb *metadata)
{
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(metadata, "dimensions")))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "apiName");
		Field	   *field;

		if (!is_new(schema, name))
			continue;
		field = add_dimension(schema, name, false);
		field->label = jsonb_get_text(lfirst(lc), "uiName");
		field->description = jsonb_get_text(lfirst(lc), "description");
	}
	foreach(lc, jsonb_array_containers(jsonb_get_container(metadata, "metrics")))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "apiName");
		char	   *type = jsonb_get_text(lfirst(lc), "type");
		Field	   *field;

		/* of a metric that is blocked Google tells zeros */
		if (!is_new(schema, name) ||
			jsonb_array_texts(jsonb_get_container(lfirst(lc), "blockedReasons")) != NIL)
			continue;
		field = add_metric(schema, name, type == NULL ? "TYPE_FLOAT" : type);
		field->label = jsonb_get_text(lfirst(lc), "uiName");
		field->description = jsonb_get_text(lfirst(lc), "description");
	}
}

static void
add_column(Schema *schema, const char *name, Jsonb *attributes, int index)
{
	char	   *kind = jsonb_get_text(attributes, "type");
	char	   *type = jsonb_get_text(attributes, "dataType");
	char	   *label = jsonb_get_text(attributes, "uiName");
	const char *place = label == NULL ? NULL : strstr(label, "XX");
	Field	   *field;

	if (!is_new(schema, name) || kind == NULL)
		return;
	field = strcmp(kind, "METRIC") == 0 ? add_metric(schema, name, type == NULL ? "FLOAT" : type) :
		add_dimension(schema, name, true);
	field->label = place == NULL || index == 0 ? label :
		psprintf("%.*s%d%s", (int) (place - label), label, index, place + 2);
	field->description = jsonb_get_text(attributes, "description");
}

/* what the metadata API tells of all views; a name with XX in it stands for several */
static void
describe_views(Schema *schema, Jsonb *columns)
{
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(columns, "items")))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "id");
		Jsonb	   *attributes = jsonb_get_container(lfirst(lc), "attributes");
		char	   *place = name == NULL ? NULL : strstr(name, "XX");
		int64		from;
		int64		to;

		if (place == NULL)
		{
			add_column(schema, name, attributes, 0);
			continue;
		}
		if (!jsonb_get_int64(attributes, "minTemplateIndex", &from) || !jsonb_get_int64(attributes, "maxTemplateIndex", &to) ||
			from < 0 || to > 200)
			continue;
		for (int64 i = from; i <= to; i++)
			add_column(schema, psprintf("%.*s" INT64_FORMAT "%s", (int) (place - name), name, i, place + 2), attributes, (int) i);
	}
}

static Schema *
describe(ConnectorSession *session, const char *entity)
{
	Schema	   *schema = schema_create();
	char	   *what = psprintf("entity \"%s\"", entity);

	add_window(schema);
	if (google_is_view(entity))
		describe_views(schema, session_fetch(session, google_call(session, GOOGLE_MANAGEMENT, "GET", "/analytics/v3/metadata/ga/columns",
																  NULL, 0), what, google_fail));
	else
		describe_property(schema, session_fetch(session, google_call(session, GOOGLE_DATA, "GET",
																	 psprintf("/v1beta/%s/metadata", entity), NULL, 0), what, google_fail));
	if (schema->nfields == 2)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Google Analytics tells no dimensions and metrics of %s", what));
	return schema;
}

/* ---------- the connector's ---------- */

static char *
plan_read(ConnectorSession *session, ReadRequest *request)
{
	GoogleReport *report = google_report(request, request->described, true);

	return psprintf("POST %s %s", google_report_path(report),
					google_report_body(report, report->offset, report->limit == NO_LIMIT ? report->page :
									   Min(report->page, report->limit), NULL));
}

static RecordReader *
open_reader(ConnectorSession *session, ReadRequest *request)
{
	const Schema *described = request->described != NULL ? request->described : describe(session, request->entity);

	return google_open_report(session, google_report(request, described, false), request->limit_hint);
}

const Connector google_analytics_connector = {
	.type = "Googleanalytics",
	.list_entities = list_entities,
	.describe_entity = describe,
	.plan_read = plan_read,
	.open_reader = open_reader,
	.grouping = true,
};
