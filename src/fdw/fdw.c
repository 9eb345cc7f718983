/*-------------------------------------------------------------------------
 *
 * fdw.c
 *	  The foreign-data wrapper appflow_fdw: every entity of every connector as a
 *	  foreign table.
 *
 * IDENTIFICATION
 *	  src/fdw/fdw.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fdw/fdw.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(appflow_fdw_handler);

/*
 * appflow_fdw_handler() returns fdw_handler
 */
Datum
appflow_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	fdw_plan_routine(routine);
	fdw_join_routine(routine);
	fdw_upper_routine(routine);
	fdw_scan_routine(routine);
	fdw_async_routine(routine);
	fdw_analyze_routine(routine);
	fdw_explain_routine(routine);
	fdw_import_routine(routine);
	fdw_modify_routine(routine);
	PG_RETURN_POINTER(routine);
}
