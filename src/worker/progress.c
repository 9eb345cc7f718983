/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  SQL functions that show what the workers do.
 *
 * IDENTIFICATION
 *	  src/worker/progress.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "worker/shared.h"

PG_FUNCTION_INFO_V1(appflow_run_progress);
PG_FUNCTION_INFO_V1(appflow_run_is_alive);

static const char *const phase_names[] = {
	[PHASE_STARTING] = "Starting",
	[PHASE_TRANSFERRING] = "Transferring",
	[PHASE_FINISHING] = "Finishing",
	[PHASE_REGISTERING] = "Registering",
	[PHASE_DONE] = "Done",
};

Datum
appflow_run_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RunSlot    *slots = palloc(sizeof(RunSlot) * MAX_WORKERS);
	int			nslots = shared_copy_slots(slots);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < nslots; i++)
	{
		RunProgress *progress = &slots[i].progress;
		Datum		values[9];
		bool		nulls[9] = {false};

		if (!slots[i].running)
			continue;
		values[0] = UUIDPGetDatum(&slots[i].execution);
		values[1] = Int32GetDatum(slots[i].pid);
		values[2] = CStringGetTextDatum(phase_names[pg_atomic_read_u32(&progress->phase)]);
		values[3] = Int64GetDatum((int64) pg_atomic_read_u64(&progress->records));
		values[4] = Int64GetDatum((int64) pg_atomic_read_u64(&progress->written));
		values[5] = Int64GetDatum((int64) pg_atomic_read_u64(&progress->filtered));
		values[6] = Int64GetDatum((int64) pg_atomic_read_u64(&progress->failed));
		values[7] = Int64GetDatum((int64) pg_atomic_read_u64(&progress->bytes_read));
		values[8] = Int64GetDatum((int64) pg_atomic_read_u64(&progress->bytes_written));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * A run that waits for a worker, without an incarnation, lives, unless a session
 * of another life of the server waited for it.  Of the runs of a primary server a
 * standby knows only what the primary recorded.
 */
Datum
appflow_run_is_alive(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (RecoveryInProgress())
		PG_RETURN_BOOL(true);
	if (PG_ARGISNULL(1))
		PG_RETURN_BOOL(PG_ARGISNULL(2) || PG_GETARG_INT64(2) == shared_incarnation());
	PG_RETURN_BOOL(shared_alive(PG_GETARG_UUID_P(0), PG_GETARG_INT64(1)));
}
