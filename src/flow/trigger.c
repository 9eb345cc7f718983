/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  What makes a flow run: triggerConfig of its definition.
 *
 * IDENTIFICATION
 *	  src/flow/trigger.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "flow/trigger.h"
#include "record/jsonb_access.h"
#include "utils/timestamp.h"

#define EPOCH_DIFFERENCE ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)


int64
trigger_unix_time(TimestampTz time)
{
	return time + EPOCH_DIFFERENCE;
}

static TimestampTz
trigger_server_time(int64 time)
{
	return time - EPOCH_DIFFERENCE;
}

/* a time of the definition: epoch seconds */
static TimestampTz
get_time(Jsonb *properties, const char *key, TimestampTz otherwise, List **problems)
{
	char	   *text = jsonb_get_text(properties, key);
	double		seconds;
	TimestampTz time;

	if (text == NULL)
		return otherwise;
	seconds = strtod(text, NULL);
	if (!(seconds >= 0 && seconds <= 7258118400.0))
	{
		*problems = lappend(*problems, psprintf("%s is not between the years %d and %d", key,
												SCHEDULE_FIRST_YEAR, SCHEDULE_LAST_YEAR));
		return otherwise;
	}
	time = trigger_server_time((int64) rint(seconds * USECS_PER_SEC));
	return time;
}

/* "5 minutes", "1 day" */
static char *
period_text(int64 seconds)
{
	static const struct
	{
		const char *name;
		int64		seconds;
	}			units[] = {{"day", SECS_PER_DAY}, {"hour", SECS_PER_HOUR}, {"minute", SECS_PER_MINUTE}};

	for (int i = 0; i < (int) lengthof(units); i++)
	{
		if (seconds % units[i].seconds == 0)
			return seconds == units[i].seconds ? pstrdup(units[i].name) :
				psprintf(INT64_FORMAT " %ss", seconds / units[i].seconds, units[i].name);
	}
	return psprintf(INT64_FORMAT " seconds", seconds);
}

static void
check_period(const FlowTrigger *trigger, Jsonb *definition, const ConnectorTraits *source,
			 const char *expression, List **problems)
{
	Jsonb	   *properties = jsonb_get_container(jsonb_get_container(definition, "sourceFlowConfig"),
												 "sourceConnectorProperties");
	int64		minimum = source->minimum_period;
	Jsonb	   *veeva = jsonb_get_container(properties, "Veeva");
	const char *why = "";

	if (source->bulky_period > 0 && connector_traits_type(source) == CONNECTOR_VEEVA &&
		(jsonb_get_text(veeva, "documentType") != NULL ||
		 jsonb_get_bool(veeva, "includeSourceFiles", false) || jsonb_get_bool(veeva, "includeRenditions", false)))
	{
		minimum = source->bulky_period;
		why = " with documents";
	}
	if (source->bulky_period > 0 && connector_traits_type(source) == CONNECTOR_SAP_ODATA && !trigger->incremental)
	{
		minimum = source->bulky_period;
		why = " with dataPullMode Complete";
	}
	if (schedule_shortest_period(&trigger->schedule) / USECS_PER_SEC < minimum)
		*problems = lappend(*problems, psprintf("scheduleExpression \"%s\" is too frequent: flows from %s%s run at most once a %s",
												expression, source->type, why, period_text(minimum)));
}

/* microseconds until the source tells for certain what has changed */
static int64
settling_time(Jsonb *definition)
{
	char	   *type = jsonb_get_text(jsonb_get_container(definition, "sourceFlowConfig"), "connectorType");
	const ConnectorTraits *source = type != NULL ? connector_traits_find(type) : NULL;

	return source != NULL ? source->settling * USECS_PER_SEC : 0;
}

void
trigger_compile(FlowTrigger *trigger, Jsonb *definition, const ConnectorTraits *source, List **problems)
{
	Jsonb	   *config = jsonb_get_container(definition, "triggerConfig");
	Jsonb	   *properties = jsonb_get_container(jsonb_get_container(config, "triggerProperties"), "Scheduled");
	char	   *type = jsonb_get_text(config, "triggerType");
	char	   *expression = jsonb_get_text(properties, "scheduleExpression");
	char	   *mode = jsonb_get_text(properties, "dataPullMode");
	int64		number;
	char		problem[256];

	memset(trigger, 0, sizeof(FlowTrigger));
	trigger->start = DT_NOBEGIN;
	trigger->end = DT_NOEND;
	trigger->first_from = DT_NOBEGIN;
	trigger->events = type != NULL && strcmp(type, "Event") == 0;
	if (type == NULL || strcmp(type, "Scheduled") != 0)
		return;
	trigger->scheduled = true;
	if (expression == NULL)
	{
		*problems = lappend(*problems, "triggerConfig.triggerProperties.Scheduled.scheduleExpression is missing");
		return;
	}

	trigger->start = get_time(properties, "scheduleStartTime", DT_NOBEGIN, problems);
	trigger->end = get_time(properties, "scheduleEndTime", DT_NOEND, problems);
	trigger->first_from = get_time(properties, "firstExecutionFrom", DT_NOBEGIN, problems);
	trigger->incremental = mode != NULL && strcmp(mode, "Incremental") == 0;
	if (jsonb_get_int64(properties, "scheduleOffset", &number))
		trigger->offset = number * USECS_PER_SEC;
	trigger->offset = Max(trigger->offset, settling_time(definition));
	if (jsonb_get_int64(properties, "flowErrorDeactivationThreshold", &number))
		trigger->threshold = (int) number;

	if (!schedule_parse(expression, &trigger->schedule, problem, sizeof(problem)))
	{
		*problems = lappend(*problems, psprintf("scheduleExpression \"%s\" is not understood: %s", expression, problem));
		return;
	}
	if (!schedule_ever(&trigger->schedule))
		*problems = lappend(*problems, psprintf("scheduleExpression \"%s\" names no time that ever comes", expression));
	if (trigger->end < trigger->start)
		*problems = lappend(*problems, "scheduleEndTime is before scheduleStartTime");
	if (source != NULL)
		check_period(trigger, definition, source, expression, problems);
}

char *
trigger_load(FlowTrigger *trigger, Jsonb *definition)
{
	List	   *problems = NIL;

	trigger_compile(trigger, definition, NULL, &problems);
	return problems != NIL ? linitial(problems) : NULL;
}

int64
trigger_period(const FlowTrigger *trigger)
{
	int64		period = trigger->scheduled ? schedule_shortest_period(&trigger->schedule) : INT64_MAX;

	return period == INT64_MAX ? 0 : period / USECS_PER_SEC;
}

static int64
anchor(const FlowTrigger *trigger, TimestampTz activated_at)
{
	return trigger_unix_time(trigger->start != DT_NOBEGIN ? trigger->start : activated_at);
}

TimestampTz
trigger_next(const FlowTrigger *trigger, TimestampTz activated_at, TimestampTz after)
{
	int64		next;

	if (!trigger->scheduled ||
		!schedule_next(&trigger->schedule, anchor(trigger, activated_at), trigger_unix_time(after), &next) ||
		trigger_server_time(next) > trigger->end)
		return DT_NOEND;
	return trigger_server_time(next);
}

TimestampTz
trigger_latest(const FlowTrigger *trigger, TimestampTz activated_at, TimestampTz from, TimestampTz now)
{
	return trigger_server_time(schedule_latest(&trigger->schedule, anchor(trigger, activated_at),
											   trigger_unix_time(from),
											   trigger_unix_time(Min(now, trigger->end))));
}
