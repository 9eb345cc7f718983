/*-------------------------------------------------------------------------
 *
 * pull_window.c
 *	  Incremental pulls: only what changed in a window of time.
 *
 * IDENTIFICATION
 *	  src/flow/pull_window.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector/traits.h"
#include "flow/pull_window.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

static char *
field_of(Jsonb *definition)
{
	Jsonb	   *source = jsonb_get_container(definition, "sourceFlowConfig");

	return jsonb_get_text(jsonb_get_container(source, "incrementalPullConfig"), "datetimeTypeFieldName");
}

static const ConnectorTraits *
source_of(Jsonb *definition)
{
	char	   *type = jsonb_get_text(jsonb_get_container(definition, "sourceFlowConfig"), "connectorType");

	return type != NULL ? connector_traits_find(type) : NULL;
}

bool
pull_window_tracked(Jsonb *definition)
{
	const ConnectorTraits *source = source_of(definition);
	Jsonb	   *trigger = jsonb_get_container(definition, "triggerConfig");
	Jsonb	   *scheduled = jsonb_get_container(jsonb_get_container(trigger, "triggerProperties"), "Scheduled");
	char	   *mode = jsonb_get_text(scheduled, "dataPullMode");

	return source != NULL && connector_traits_type(source) == CONNECTOR_SAP_ODATA && field_of(definition) == NULL &&
		mode != NULL && strcmp(mode, "Incremental") == 0;
}

void
pull_window_check(Jsonb *definition, List **problems)
{
	const ConnectorTraits *source = source_of(definition);

	if (source != NULL && connector_traits_type(source) != CONNECTOR_S3 && field_of(definition) == NULL &&
		!pull_window_tracked(definition))
		*problems = lappend(*problems, "sourceFlowConfig.incrementalPullConfig.datetimeTypeFieldName is missing: "
							"dataPullMode Incremental has to know which field tells when a record was changed");
}

static char *
iso_time(TimestampTz time)
{
	struct pg_tm tm;
	fsec_t		fraction;

	if (timestamp2tm(time, NULL, &tm, &fraction, NULL, NULL) != 0)
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("timestamp out of range"));
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fraction);
}

static void
append_filter(StringInfo tasks, const char *field, const char *key, const char *operator, TimestampTz time)
{
	appendStringInfoString(tasks, "{\"taskType\": \"Filter\", \"sourceFields\": [");
	escape_json(tasks, field);
	appendStringInfo(tasks, "], \"connectorOperator\": {\"%s\": \"%s\"}, "
					 "\"taskProperties\": {\"DATA_TYPE\": \"datetime\", \"VALUE\": \"%s\"}, \"%s\": true}",
					 key, operator, iso_time(time), PULL_WINDOW_TASK);
}

Jsonb *
pull_window_apply(Jsonb *definition, TimestampTz start, TimestampTz end)
{
	const ConnectorTraits *source = source_of(definition);
	char	   *field = field_of(definition);
	Jsonb	   *tasks = jsonb_get_container(definition, "tasks");
	StringInfoData filters;
	Datum		merged;

	if (source == NULL || field == NULL || tasks == NULL || connector_traits_type(source) == CONNECTOR_S3)
		return definition;
	initStringInfo(&filters);
	appendStringInfoChar(&filters, '[');
	append_filter(&filters, field, source->key, "GREATER_THAN_OR_EQUAL_TO", start);
	appendStringInfoString(&filters, ", ");
	append_filter(&filters, field, source->key, "LESS_THAN", end);
	appendStringInfoChar(&filters, ']');
	merged = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(tasks), JsonbPGetDatum(jsonb_parse(filters.data)));

	/* {"tasks": merged} over the definition */
	resetStringInfo(&filters);
	appendStringInfo(&filters, "{\"tasks\": %s}",
					 JsonbToCString(NULL, &DatumGetJsonbP(merged)->root, VARSIZE(DatumGetPointer(merged))));
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(definition),
											  JsonbPGetDatum(jsonb_parse(filters.data))));
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
pull_window_same(Jsonb *before, Jsonb *after)
{
	static const char *const names[] = {
		"entityName", "object", "objectPath", "documentType", "bucketName", "bucketPrefix"
	};
	Jsonb	   *objects[2] = {before, after};

	for (int i = 0; i < 2; i++)
	{
		char	   *key;
		char	   *text;

		objects[i] = jsonb_get_container(jsonb_get_container(objects[i], "sourceFlowConfig"),
										 "sourceConnectorProperties");
		if (!jsonb_get_only(objects[i], &key, &objects[i], &text))
			return false;
	}
	for (int i = 0; i < (int) lengthof(names); i++)
	{
		if (!same_text(jsonb_get_text(objects[0], names[i]), jsonb_get_text(objects[1], names[i])))
			return false;
	}
	return same_text(field_of(before), field_of(after));
}
