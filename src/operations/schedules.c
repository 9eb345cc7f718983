/*-------------------------------------------------------------------------
 *
 * schedules.c
 *	  Schedules: what users can ask about them, and what operations on flows
 *	  do to them.
 *
 * IDENTIFICATION
 *	  src/operations/schedules.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/relation.h"
#include "apps/apps.h"
#include "apps/postgresql.h"
#include "catalog/capture.h"
#include "catalog/pg_class.h"
#include "catalog/subscription.h"
#include "compat.h"
#include "flow/plan.h"
#include "flow/pull_window.h"
#include "flow/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "worker/schedulers.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(appflow_schedule_times);
PG_FUNCTION_INFO_V1(appflow_set_watermark);
PG_FUNCTION_INFO_V1(appflow_limit_flow);
PG_FUNCTION_INFO_V1(appflow_is_subscribed);
PG_FUNCTION_INFO_V1(appflow_set_event_position);

static FlowTrigger
load(const char *name, Jsonb *definition)
{
	FlowTrigger trigger;
	char	   *problem = trigger_load(&trigger, definition);

	if (problem != NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("flow \"%s\" has no valid schedule: %s", name, problem));
	return trigger;
}

static void
expect_scheduler(const FlowRow *flow)
{
	if (!schedulers_expect(MyDatabaseId))
		ereport(WARNING,
				errmsg("flow \"%s\" is active, but no scheduler is running in this database", flow->flow_name),
				errhint("Add appflow to shared_preload_libraries and restart the server; see also max_worker_processes."));
}

/* the table whose changes start the flow; NULL: it has another source */
static char *
captured_table(Jsonb *definition)
{
	Jsonb	   *source = jsonb_get_container(definition, "sourceFlowConfig");
	char	   *profile = jsonb_get_text(source, "connectorProfileName");

	if (profile == NULL || strcmp(profile, POSTGRESQL_LABEL) != 0)
		return NULL;
	return jsonb_get_text(jsonb_get_container(jsonb_get_container(source, "sourceConnectorProperties"),
											  "CustomConnector"), "entityName");
}

/* have changes of the table captured, which the flow's owner must have the right to */
static void
capture_table(const FlowRow *flow, const char *entity)
{
	TableName  *name;
	TableRole	saved;
	Oid			table;
	Relation	relation;
	char		kind;
	List	   *key;

	table_role_enter(&saved, flow->owner);
	name = table_name_parse(entity);
	table = table_name_lookup(name, AccessShareLock);
	if (!OidIsValid(table))
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("table \"%s\" does not exist", name->display));
	relation = relation_open(table, NoLock);
	kind = relation->rd_rel->relkind;
	key = table_primary_key(relation);
	relation_close(relation, NoLock);
	table_role_leave(&saved);
	if ((kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) || strcmp(name->schema, "appflow") == 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("changes of \"%s\" cannot start a flow", name->display),
				errhint("Those of tables and partitioned tables can."));
	if (key == NIL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("table \"%s\" has no primary key, which would tell what was changed", name->display),
				errhint("Give the table a primary key."));
	if (pg_class_aclcheck(table, flow->owner, ACL_TRIGGER) != ACLCHECK_OK)
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("role \"%s\" may not have triggers on table \"%s\"",
					   GetUserNameFromId(flow->owner, false), name->display),
				errhint("Who owns a flow that changes of a table start needs the privilege TRIGGER on the table."));
	capture_begin(flow->flow_id, table, name->quoted);
}

static void
activate_events(const FlowRow *flow)
{
	char	   *entity = captured_table(flow->definition);
	FlowPlan   *plan = flow_compile(flow->definition);

	/* it would start itself, for ever */
	if (entity != NULL && plan->destination.connector->transactional && plan->destination.entity != NULL &&
		strcmp(table_name_parse(entity)->quoted, table_name_parse(plan->destination.entity)->quoted) == 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("flow \"%s\" writes to the table whose changes would start it", flow->flow_name));
	if (entity != NULL)
		capture_table(flow, entity);
	else
		subscription_begin(flow->flow_id);
	expect_scheduler(flow);
}

void
operation_activate(const FlowRow *flow)
{
	FlowTrigger trigger = load(flow->flow_name, flow->definition);
	ScheduleRow *row;

	if (trigger.events)
	{
		activate_events(flow);
		return;
	}
	row = schedule_get(flow->flow_id);
	if (strcmp(flow->status, "Active") != 0 || row->activated_at == DT_NOBEGIN)
	{
		TimestampTz now = schedulers_now();

		/* whole seconds are easier on the eye, in due times and pull windows */
		row->activated_at = now - now % USECS_PER_SEC;
		row->next_at = trigger_next(&trigger, row->activated_at,
									trigger.start != DT_NOBEGIN ? now : row->activated_at - 1);
	}
	schedule_set(flow->flow_id, row->activated_at, row->next_at);
	expect_scheduler(flow);
	if (row->next_at == DT_NOEND)
		ereport(WARNING,
				errmsg("flow \"%s\" is active, but its schedule has no further time", flow->flow_name));
}

void
operation_deactivate(const FlowRow *flow)
{
	ScheduleRow *row = schedule_get(flow->flow_id);

	if (row->next_at != DT_NOEND)
		schedule_set(flow->flow_id, row->activated_at, DT_NOEND);
	capture_end(flow->flow_id);
	subscription_end(flow->flow_id);
}

void
operation_reschedule(const FlowRow *flow, const char *status, Jsonb *definition)
{
	FlowTrigger trigger = load(flow->flow_name, definition);
	ScheduleRow *row = schedule_get(flow->flow_id);
	TimestampTz now = schedulers_now();
	char	   *entity;

	if (!pull_window_same(flow->definition, definition))
	{
		/* also if there is none yet: a run that is going on is not to bring one */
		if (row->watermark != DT_NOBEGIN || trigger.incremental)
			schedule_set_watermark(flow->flow_id, DT_NOBEGIN);
		if (trigger.events || pull_window_tracked(definition))
			subscription_set_position(flow->flow_id, NULL);
	}
	if (trigger.scheduled && strcmp(status, "Active") == 0)
	{
		if (row->activated_at == DT_NOBEGIN)
			row->activated_at = now - now % USECS_PER_SEC;
		schedule_set(flow->flow_id, row->activated_at, trigger_next(&trigger, row->activated_at, now));
	}
	else if (row->next_at != DT_NOEND)
		schedule_set(flow->flow_id, row->activated_at, DT_NOEND);

	/* of another table by another trigger */
	entity = trigger.events && strcmp(status, "Active") == 0 ? captured_table(definition) : NULL;
	if (entity != NULL)
		capture_table(flow, entity);
	else
		capture_end(flow->flow_id);
	if (trigger.events && strcmp(status, "Active") == 0 && entity == NULL)
		subscription_begin(flow->flow_id);
	else
		subscription_end(flow->flow_id);
}

/*
 * schedule_times(schedule_expression text, schedule_start_time timestamptz,
 * schedule_end_time timestamptz, times integer) returns setof timestamptz: the
 * first due times from the start to the end.
 */
Datum
appflow_schedule_times(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	FlowTrigger trigger = {.scheduled = true,.start = DT_NOBEGIN,.end = DT_NOEND};
	char	   *expression;
	char		problem[256];
	int			times;
	TimestampTz after;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("expression, start and number of times cannot be null"));
	expression = text_to_cstring(PG_GETARG_TEXT_PP(0));
	trigger.start = PG_GETARG_TIMESTAMPTZ(1);
	if (!PG_ARGISNULL(2))
		trigger.end = PG_GETARG_TIMESTAMPTZ(2);
	times = PG_GETARG_INT32(3);
	if (!schedule_parse(expression, &trigger.schedule, problem, sizeof(problem)))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("scheduleExpression \"%s\" is not understood: %s", expression, problem));
	if (trigger_unix_time(trigger.start) < 0 ||
		trigger_unix_time(trigger.start) > INT64CONST(7258118400) * USECS_PER_SEC)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the start is not between the years %d and %d", SCHEDULE_FIRST_YEAR, SCHEDULE_LAST_YEAR));

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	after = trigger.start - 1;
	for (int i = 0; i < times; i++)
	{
		TimestampTz next = trigger_next(&trigger, trigger.start, after);
		Datum		value = TimestampTzGetDatum(next);
		bool		isnull = false;

		CHECK_FOR_INTERRUPTS();
		if (next == DT_NOEND)
			break;
		tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
		after = next;
	}
	return (Datum) 0;
}

/*
 * set_watermark(flow_name text, watermark timestamptz): the next incremental
 * pull begins there; null: as if there had been none.
 */
Datum
appflow_set_watermark(PG_FUNCTION_ARGS)
{
	FlowRow    *flow;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("flow name is null"));
	flow = operation_own_flow(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	schedule_set_watermark(flow->flow_id, PG_ARGISNULL(1) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(1));
	PG_RETURN_VOID();
}

/*
 * limit_flow(flow_name text, max_run_time interval, history_runs integer): limits
 * of a flow of its own; null: those of the settings.
 */
Datum
appflow_limit_flow(PG_FUNCTION_ARGS)
{
	FlowRow    *flow;
	int64		max_run_ms = 0;
	int			history_runs = 0;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("flow name is null"));
	flow = operation_flow(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	if (!PG_ARGISNULL(1))
	{
		Interval   *interval = PG_GETARG_INTERVAL_P(1);

		max_run_ms = (interval->time + (interval->day + interval->month * INT64CONST(30)) * USECS_PER_DAY) / 1000;
		if (max_run_ms <= 0 || max_run_ms > INT_MAX)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("max_run_time is not between 1 millisecond and 24 days"));
	}
	if (!PG_ARGISNULL(2))
	{
		history_runs = PG_GETARG_INT32(2);
		if (history_runs <= 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("history_runs is not greater than 0"));
	}
	flow_set_limits(flow->flow_id, max_run_ms, history_runs);
	PG_RETURN_VOID();
}

/* is_subscribed(flow_id bigint) returns boolean: whether a worker listens to the events of the flow */
Datum
appflow_is_subscribed(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(shared_subscribed(MyDatabaseId, PG_GETARG_INT64(0)));
}

/*
 * set_event_position(flow_name text, position text): the flow goes on behind that
 * place among the events of its source; null: with what is new.
 */
Datum
appflow_set_event_position(PG_FUNCTION_ARGS)
{
	FlowRow    *flow;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("flow name is null"));
	flow = operation_flow(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	if (strcmp(flow->trigger_type, "Event") != 0 && !pull_window_tracked(flow->definition))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("flow \"%s\" is not started by events", flow->flow_name));
	subscription_set_position(flow->flow_id, PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)));

	/* who listens now begins anew there */
	if (strcmp(flow->status, "Active") == 0 && strcmp(flow->trigger_type, "Event") == 0)
		flow_set_status(flow->flow_id, flow->status, NULL, operation_user_arn());
	PG_RETURN_VOID();
}
