/*-------------------------------------------------------------------------
 *
 * schedules.c
 *	  What users can ask about schedules.
 *
 * IDENTIFICATION
 *	  src/operations/schedules.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "flow/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(appflow_schedule_times);

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
