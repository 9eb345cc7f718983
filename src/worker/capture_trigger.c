/*-------------------------------------------------------------------------
 *
 * capture_trigger.c
 *	  The trigger that remembers changed rows of a table for a flow.
 *
 * It runs in the transactions of whoever changes the table, so it does little,
 * and raises no error for what is the flow's own affair.
 *
 * IDENTIFICATION
 *	  src/worker/capture_trigger.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/capture.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "worker/schedulers.h"

PG_FUNCTION_INFO_V1(appflow_capture_change);

/* column numbers of the tables written and read here, see sql/40-flows.sql and 45-table-changes.sql */
#define CHANGE_COLUMNS 3
#define SCHEDULE_FLOW_ID 1

typedef struct KeyColumn
{
	AttrNumber	number;
	FmgrInfo	output;
} KeyColumn;

/* what stays the same for a statement */
typedef struct Capture
{
	int64		flow_id;
	int			generation;
	bool		wanted;			/* the flow captures by this trigger */
	Oid			changes;		/* appflow.table_change */
	int			ncolumns;		/* 0: the table has lost its primary key */
	KeyColumn	columns[INDEX_MAX_KEYS];
} Capture;

static void
find_key(Capture *capture, Relation relation, MemoryContext context)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indisprimary)
		{
			for (int i = 0; i < index->indnkeyatts; i++)
			{
				KeyColumn  *column = &capture->columns[capture->ncolumns++];
				Oid			output;
				bool		varlena;

				column->number = index->indkey.values[i];
				getTypeOutputInfo(TupleDescAttr(RelationGetDescr(relation), column->number - 1)->atttypid, &output, &varlena);
				fmgr_info_cxt(output, &column->output, context);
			}
		}
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
}

/* does the flow want this trigger?  As it is committed, or changed by this transaction. */
static bool
is_wanted(int64 flow_id, int generation, Oid namespace)
{
	Oid			table = get_relname_relid("flow_schedule", namespace);
	Relation	schedules;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	Snapshot	snapshot;
	bool		wanted = false;

	if (!OidIsValid(table))
		return false;
	schedules = table_open(table, AccessShareLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyInit(&key, SCHEDULE_FLOW_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(flow_id));
	scan = systable_beginscan(schedules, get_relname_relid("flow_schedule_pkey", namespace), true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		AttrNumber	number = get_attnum(table, "captures");
		bool		isnull = true;
		Datum		value = number > 0 ? heap_getattr(tuple, number, RelationGetDescr(schedules), &isnull) : (Datum) 0;

		wanted = !isnull && DatumGetInt32(value) == generation;
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(schedules, AccessShareLock);
	return wanted;
}

static Capture *
capture_of(FunctionCallInfo fcinfo, const TriggerData *data)
{
	Capture    *capture = fcinfo->flinfo->fn_extra;
	Oid			namespace;

	if (capture != NULL)
		return capture;
	capture = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Capture));
	namespace = get_namespace_oid("appflow", true);
	if (OidIsValid(namespace))
		capture->changes = get_relname_relid(CAPTURE_TABLE, namespace);
	capture->wanted = OidIsValid(capture->changes) &&
		sscanf(data->tg_trigger->tgname, "appflow_capture_" INT64_FORMAT "_%d", &capture->flow_id, &capture->generation) == 2 &&
		is_wanted(capture->flow_id, capture->generation, namespace);
	if (capture->wanted)
		find_key(capture, data->tg_relation, fcinfo->flinfo->fn_mcxt);
	fcinfo->flinfo->fn_extra = capture;
	return capture;
}

/*
 * Text of values that gives the same values again, whatever the session has set: a
 * key that is not found stands for a row that is gone.  Returns the level of settings to
 * go back to, 0: there is none.
 */
static int
begin_exact_texts(void)
{
	static const char *const settings[][2] = {
		{"datestyle", "ISO"}, {"intervalstyle", "postgres"}, {"extra_float_digits", "1"}
	};
	int			level;

	if (DateStyle == USE_ISO_DATES && IntervalStyle == INTSTYLE_POSTGRES && extra_float_digits >= 1)
		return 0;
	level = NewGUCNestLevel();
	for (int i = 0; i < (int) lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* trigger: a row was inserted or updated */
Datum
appflow_capture_change(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	Capture    *capture;
	HeapTuple	row;
	Datum		key[INDEX_MAX_KEYS];
	Datum		values[CHANGE_COLUMNS];
	bool		nulls[CHANGE_COLUMNS] = {false};
	Relation	changes;
	int			level;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) || !TRIGGER_FIRED_AFTER(data->tg_event))
		elog(ERROR, "capture_change is a function of a trigger after changes of rows");
	capture = capture_of(fcinfo, data);
	if (!capture->wanted || TRIGGER_FIRED_BY_DELETE(data->tg_event))
		PG_RETURN_POINTER(NULL);
	row = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple;
	level = begin_exact_texts();
	for (int i = 0; i < capture->ncolumns; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(row, capture->columns[i].number, RelationGetDescr(data->tg_relation), &isnull);

		key[i] = CStringGetTextDatum(OutputFunctionCall(&capture->columns[i].output, value));
	}
	if (level > 0)
		AtEOXact_GUC(true, level);
	values[0] = Int64GetDatum(capture->flow_id);
	values[1] = Int32GetDatum(capture->generation);
	values[2] = PointerGetDatum(construct_array(key, capture->ncolumns, TEXTOID, -1, false, TYPALIGN_INT));
	changes = table_open(capture->changes, RowExclusiveLock);
	CatalogTupleInsert(changes, heap_form_tuple(RelationGetDescr(changes), values, nulls));
	table_close(changes, NoLock);
	schedulers_nudge_at_commit();
	PG_RETURN_POINTER(NULL);
}
