/*-------------------------------------------------------------------------
 *
 * analyze.c
 *	  ANALYZE of foreign tables.
 *
 * The number of records comes from the application where it counts (an aggregate
 * of the connector); the sample is drawn from the records that are read, which
 * the option analyze_rows limits: applications have no way to read here and there.
 *
 * IDENTIFICATION
 *	  src/fdw/analyze.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "commands/vacuum.h"
#include "executor/executor.h"
#include "fdw/fdw.h"
#include "flow/session.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/sampling.h"

static Request *
request_for(Relation rel, const TableOptions *options)
{
	Request    *request = palloc0(sizeof(Request));
	Member	   *member = palloc0(sizeof(Member));

	member->relid = RelationGetRelid(rel);
	member->prefix = "";
	member->options = options;
	request->members = list_make1(member);
	request->limit = request->offset = -1;
	request->limit_hint = -1;
	return request;
}

/* the records that the application has, if it tells; -1 if not */
static double
count_records(Relation rel, const TableOptions *options)
{
	Rows	   *rows = rows_create(options, rel->rd_rel->relowner);
	Request    *request = request_for(rel, options);
	AggregateColumn *count = palloc0(sizeof(AggregateColumn));
	Column	   *column = palloc0(sizeof(Column));
	TupleDesc	tupdesc = CreateTemplateTupleDesc(1);
	TupleTableSlot *slot;
	double		result = -1;

	TupleDescInitEntry(tupdesc, 1, "count", INT8OID, -1, 0);
	slot = MakeSingleTupleTableSlot(tupdesc, &TTSOpsVirtual);
	count->function = AGGREGATE_COUNT;
	column->attnum = 1;
	request->aggregates = list_make1(count);
	request->columns = list_make1(column);
	if (rows_plans_aggregates(rows, request))
	{
		rows_open(rows, request, NULL, tupdesc);
		if (!rows->narrowed && rows_next(rows, slot) && !slot->tts_isnull[0])
			result = (double) DatumGetInt64(slot->tts_values[0]);
	}
	rows_close(rows);
	ExecDropSingleTupleTableSlot(slot);
	if (rows->session != NULL)
		session_close(rows->session);
	return result;
}

static Request *
request_all(Relation rel, const TableOptions *options)
{
	Request    *request = request_for(rel, options);

	for (AttrNumber attnum = 1; attnum <= RelationGetDescr(rel)->natts; attnum++)
	{
		char	   *field = fdw_column_field(rel, attnum);
		Column	   *column;

		if (field == NULL)
			continue;
		column = palloc0(sizeof(Column));
		column->attnum = attnum;
		column->field = field;
		request->columns = lappend(request->columns, column);
	}
	request->limit_hint = (double) options->analyze_rows;
	return request;
}

static int
acquire_sample(Relation rel, int elevel, HeapTuple *samples, int target, double *total, double *dead)
{
	TableOptions *options = fdw_table_options(RelationGetRelid(rel));
	double		counted = count_records(rel, options);
	Rows	   *rows = rows_create(options, rel->rd_rel->relowner);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "appflow sample row", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	ReservoirStateData reservoir;
	double		skip = -1;
	int64		read = 0;
	int			n = 0;

	reservoir_init_selection_state(&reservoir, target);
	rows_open(rows, request_all(rel, options), NULL, RelationGetDescr(rel));
	while (read < options->analyze_rows)
	{
		int			place = -1;

		vacuum_delay_point_now();
		old = MemoryContextSwitchTo(row_context);
		if (!rows_next(rows, slot))
		{
			MemoryContextSwitchTo(old);
			break;
		}
		read++;
		MemoryContextSwitchTo(old);
		if (n < target)
			place = n++;
		else
		{
			if (skip < 0)
				skip = reservoir_get_next_S(&reservoir, read - 1, target);
			if (skip <= 0)
			{
				place = (int) (target * sampler_random_fract(&reservoir.randstate));
				heap_freetuple(samples[place]);
			}
			skip -= 1;
		}
		if (place >= 0)
			samples[place] = ExecCopySlotHeapTuple(slot);
		ExecClearTuple(slot);
		MemoryContextReset(row_context);
	}
	*total = Max(counted, (double) read);
	*dead = 0;
	rows_close(rows);
	ExecDropSingleTupleTableSlot(slot);
	if (rows->session != NULL)
		session_close(rows->session);
	MemoryContextDelete(row_context);
	ereport(elevel,
			errmsg("\"%s\": %.0f records, " INT64_FORMAT " read, %d in sample", RelationGetRelationName(rel), *total, read, n));
	return n;
}

static bool
analyze_table(Relation rel, AcquireSampleRowsFunc *function, BlockNumber *pages)
{
	*function = acquire_sample;

	/* of a remote table nobody knows them; any number other than 0 will do */
	*pages = 1;
	return true;
}

void
fdw_analyze_routine(FdwRoutine *routine)
{
	routine->AnalyzeForeignTable = analyze_table;
}
