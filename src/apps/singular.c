/*-------------------------------------------------------------------------
 *
 * singular.c
 *	  Singular: the fields of reports, and what answers say.
 *
 * Follows Singular's Reporting API reference, v2.0, and the names of its own client's
 * parameters.
 *
 * IDENTIFICATION
 *	  src/apps/singular.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/singular.h"
#include "compat.h"
#include "record/errors.h"
#include "record/jsonb_access.h"

static const char *const kinds[] = {
	[SINGULAR_DIMENSION] = "DIMENSION",
	[SINGULAR_CUSTOM] = "CUSTOM",
	[SINGULAR_METRIC] = "METRIC",
	[SINGULAR_DISCREPANCY] = "DISCREPANCY",
	[SINGULAR_COHORT] = "COHORT",
	[SINGULAR_PERIOD] = "PERIOD",
	[SINGULAR_WINDOW] = "WINDOW"
};

/* what every account has; metrics and dimensions of SKAdNetwork have reports of their own */
static const char *const dimensions[] = {
	"app", "source", "os", "site_public_id", "platform", "country_field", "data_source_name", "tracker_name",
	"adn_account_id", "adn_campaign_id", "adn_campaign_name", "adn_campaign_url", "adn_status", "adn_click_type",
	"singular_campaign_id", "adn_sub_campaign_id", "adn_sub_campaign_name", "adn_sub_adnetwork_name",
	"adn_original_currency", "adn_timezone", "adn_utc_offset", "adn_publisher_id", "keyword", "keyword_id",
	"publisher_id", "publisher_site_id", "publisher_site_name",
	"adn_creative_id", "adn_creative_name", "singular_creative_id", "creative_hash", "creative_image_hash", "creative_image",
	"creative_text", "creative_url", "creative_width", "creative_height", "creative_is_video",
	"campaign_status", "campaign_objective", "standardized_bid_strategy", "bid_strategy", "standardized_bid_type", "bid_type",
	"bid_amount", "original_bid_amount", "original_metadata_currency", "organization_currency", "min_roas", "opt_in",
	"fps_suspicious_reason", "fps_rejection_reason", "retention"
};

static const char *const metrics[] = {
	"adn_cost", "adn_original_cost", "non_custom_cost", "adn_impressions", "adn_estimated_total_conversions", "custom_clicks",
	"custom_installs", "tracker_reengagements", "total_tracker_installs", "total_web_conversions", "rejected_tracker_installs",
	"suspicious_tracker_installs", "est_fraud_saved_cost", "ctr", "cvr", "ocvr", "ecpi", "ecpm", "ecpc"
};

/* these are asked for by a parameter of their own */
static const char *const discrepancy_metrics[] = {
	"adn_clicks", "adn_installs", "tracker_clicks", "tracker_installs"
};

static const char *const periods[][3] = {
	{"date", "day", "Day"}, {"week", "week", "First day of the week"}, {"month", "month", "First day of the month"}
};

SingularKind
singular_kind(const Field *field)
{
	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		if (field->native_type != NULL && strcmp(field->native_type, kinds[i]) == 0)
			return (SingularKind) i;
	}
	return SINGULAR_DIMENSION;
}

/* ---------- answers ---------- */

/* what an answer says that is an error: its value is a text then */
static void
fail(ConnectorSession *session, HttpCall *call, const char *what)
{
	size_t		length;
	const char *body = http_body(call, &length);
	Jsonb	   *answer = body == NULL || memchr(body, '\0', length) != NULL ? NULL : jsonb_parse(pnstrdup(body, length));

	session_raise(session, call, what, NULL, jsonb_get_text(answer, "value"));
}

/* Failures come with status 200, too. */
Jsonb *
singular_value(ConnectorSession *session, HttpCall *call, const char *what)
{
	Jsonb	   *answer = session_fetch(session, call, what, fail);
	char	   *value = jsonb_get_text(answer, "value");
	int64		status;
	int64		substatus = 0;

	if (!jsonb_get_int64(answer, "status", &status))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the answer of Singular about %s has no status", what));
	(void) jsonb_get_int64(answer, "substatus", &substatus);
	if (status != 0)
		ereport(ERROR,
				appflow_error_detail(value != NULL && strcasestr(value, "api key") != NULL ? WF_AUTHENTICATION : WF_CONNECTOR,
									 "Status " INT64_FORMAT ", substatus " INT64_FORMAT ".", status, substatus),
				errmsg("Singular refused %s: %s", what, value == NULL ? "it gave no reason" : session_words(session, value)));
	return jsonb_get_container(answer, "value");
}

Jsonb *
singular_filters(ConnectorSession *session)
{
	Jsonb	   *value = singular_value(session, session_call(session, "GET", "/api/v2.0/reporting/filters"), "the list of filters");

	return jsonb_get_container(value, "dimensions");
}

/* ---------- fields ---------- */

static Field *
add_field(Schema *schema, const char *name, FieldType type, SingularKind kind, const char *label)
{
	Field	   *field;

	if (name == NULL || name[0] == '\0' || schema_find(schema, name) >= 0)
		return NULL;
	field = schema_add(schema, name, type);
	field->native_type = pstrdup(kinds[kind]);
	field->label = label == NULL ? NULL : pstrdup(label);
	return field;
}

static void
add_fixed(Schema *schema)
{
	static const char *const windows[][2] = {
		{SINGULAR_START_DATE, "First day of the window"}, {SINGULAR_END_DATE, "Last day of the window"}
	};
	Field	   *field;

	for (int i = 0; i < (int) lengthof(windows); i++)
	{
		field = add_field(schema, windows[i][0], FIELD_DATE, SINGULAR_WINDOW, windows[i][1]);
		field->filters = 1 << FILTER_EQUAL_TO;
	}
	for (int i = 0; i < (int) lengthof(periods); i++)
	{
		field = add_field(schema, periods[i][0], FIELD_DATE, SINGULAR_PERIOD, periods[i][2]);
		field->format = pstrdup(periods[i][1]);
		field->incremental = i == 0;
		if (i == 0)
			field->filters = 1 << FILTER_EQUAL_TO | 1 << FILTER_LESS_THAN | 1 << FILTER_GREATER_THAN | 1 << FILTER_BETWEEN |
				1 << FILTER_LESS_THAN_OR_EQUAL_TO | 1 << FILTER_GREATER_THAN_OR_EQUAL_TO;
	}
	for (int i = 0; i < (int) lengthof(dimensions); i++)
		(void) add_field(schema, dimensions[i], FIELD_STRING, SINGULAR_DIMENSION, NULL);
	for (int i = 0; i < (int) lengthof(metrics); i++)
		(void) add_field(schema, metrics[i], FIELD_DOUBLE, SINGULAR_METRIC, NULL);
	for (int i = 0; i < (int) lengthof(discrepancy_metrics); i++)
		(void) add_field(schema, discrepancy_metrics[i], FIELD_DOUBLE, SINGULAR_DISCREPANCY, NULL);
}

static void
add_custom(Schema *schema, Jsonb *value)
{
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(value, "custom_dimensions")))
		(void) add_field(schema, jsonb_get_text(lfirst(lc), "id"), FIELD_STRING, SINGULAR_CUSTOM,
						 jsonb_get_text(lfirst(lc), "display_name"));
}

static void
add_cohorts(Schema *schema, Jsonb *value)
{
	List	   *cohort_periods = jsonb_array_texts(jsonb_get_container(value, "periods"));
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, jsonb_array_containers(jsonb_get_container(value, "metrics")))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");
		char	   *label = jsonb_get_text(lfirst(lc), "display_name");

		foreach(lc2, cohort_periods)
		{
			Field	   *field = name == NULL ? NULL :
				add_field(schema, psprintf("%s_%s", name, (char *) lfirst(lc2)), FIELD_DOUBLE, SINGULAR_COHORT,
						  psprintf("%s, %s", label ? label : name, (char *) lfirst(lc2)));

			if (field == NULL)
				continue;
			field->path = name;
			field->format = lfirst(lc2);
		}
	}
}

/* the values that a dimension can be compared with there, by their names for people */
static void
note_filters(Schema *schema, Jsonb *filters)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, jsonb_array_containers(filters))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");
		int			index = name == NULL ? -1 : schema_find(schema, name);
		Field	   *field = index < 0 ? NULL : &schema->fields[index];

		if (field == NULL || (singular_kind(field) != SINGULAR_DIMENSION && singular_kind(field) != SINGULAR_CUSTOM))
			continue;
		field->filters = 1 << FILTER_EQUAL_TO;
		field->open_values = true;
		if (field->label == NULL)
			field->label = jsonb_get_text(lfirst(lc), "display_name");
		foreach(lc2, jsonb_array_containers(jsonb_get_container(lfirst(lc), "values")))
		{
			char	   *value = jsonb_get_text(lfirst(lc2), "display_name");

			if (value != NULL)
				field->values = lappend(field->values, value);
		}
	}
}

static void
check_entity(const char *entity)
{
	if (strcmp(entity, SINGULAR_ENTITY) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("Singular has no entity \"%s\"", entity),
				errhint("It has one, \"%s\".", SINGULAR_ENTITY));
}

Schema *
singular_describe(ConnectorSession *session, const char *entity)
{
	Schema	   *schema = schema_create();

	check_entity(entity);
	add_fixed(schema);
	add_custom(schema, singular_value(session, session_call(session, "GET", "/api/custom_dimensions"), "the list of custom dimensions"));
	add_cohorts(schema, singular_value(session, session_call(session, "GET", "/api/cohort_metrics"), "the list of cohort metrics"));
	note_filters(schema, singular_filters(session));
	return schema;
}

static List *
list_entities(ConnectorSession *session, const char *path)
{
	Entity	   *entity = palloc0(sizeof(Entity));

	if (path[0] != '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("Singular has no entities under \"%s\"", path));

	/* the list is ours, but whether the key is good is Singular's */
	(void) singular_filters(session);
	entity->name = SINGULAR_ENTITY;
	entity->label = "Report";
	return list_make1(entity);
}

const Connector singular_connector = {
	.type = "Singular",
	.list_entities = list_entities,
	.describe_entity = singular_describe,
	.plan_read = singular_plan_read,
	.open_reader = singular_open_reader,
	.grouping = true,
};
