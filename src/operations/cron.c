/*-------------------------------------------------------------------------
 *
 * cron.c
 *	  Flows run by pg_cron, where it is installed.
 *
 * All that is done to jobs is done by pg_cron's own functions, as the user.
 *
 * IDENTIFICATION
 *	  src/operations/cron.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "compat.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(appflow_schedule_with_cron);
PG_FUNCTION_INFO_V1(appflow_unschedule_with_cron);

static void
check_installed(void)
{
	if (!OidIsValid(get_extension_oid("pg_cron", true)))
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("pg_cron is not installed in this database"),
				errhint("It can be created in one database of a server, which cron.database_name names; "
						"there, cron.schedule_in_database() runs statements in others. "
						"Without it, give the flow a Scheduled trigger."));
}

static Datum
job_name(const char *flow)
{
	return CStringGetTextDatum(psprintf("appflow: %s", flow));
}

/* one value of a statement, an int64; false if there is no row */
static bool
ask(const char *statement, int nvalues, Datum *values, int64 *result)
{
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID};
	bool		isnull;

	if (SPI_execute_with_args(statement, nvalues, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "pg_cron could not be asked");
	if (SPI_processed == 0)
		return false;
	*result = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	return !isnull;
}

/*
 * schedule_with_cron(flow_name text, schedule text) returns bigint: have pg_cron
 * run the flow, in the user's name; the job's id.  A job that the user has for the
 * flow already gets the new schedule.
 */
Datum
appflow_schedule_with_cron(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	FlowRow    *flow = operation_flow(name, false);
	Datum		values[3];
	int64		job = 0;

	if (strcmp(flow->trigger_type, "OnDemand") != 0)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("flow \"%s\" has the trigger type %s, only OnDemand flows are run by pg_cron", name, flow->trigger_type));
	check_installed();
	SPI_connect();
	values[0] = job_name(name);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = CStringGetTextDatum(psprintf("CALL appflow.run_flow(%s)", quote_literal_cstr(name)));
	(void) ask("SELECT cron.schedule($1, $2, $3)", 3, values, &job);
	SPI_finish();
	PG_RETURN_INT64(job);
}

/* unschedule_with_cron(flow_name text) returns boolean: whether the user had such a job */
Datum
appflow_unschedule_with_cron(PG_FUNCTION_ARGS)
{
	Datum		name = job_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	int64		job;
	bool		found;

	check_installed();
	SPI_connect();
	found = ask("SELECT jobid FROM cron.job WHERE jobname::text OPERATOR(pg_catalog.=) $1 "
				"AND username::text OPERATOR(pg_catalog.=) CURRENT_USER::text", 1, &name, &job);
	if (found && SPI_execute(psprintf("SELECT cron.unschedule(" INT64_FORMAT ")", job), false, 0) != SPI_OK_SELECT)
		elog(ERROR, "pg_cron could not be asked");
	SPI_finish();
	PG_RETURN_BOOL(found);
}
