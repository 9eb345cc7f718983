/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  The scan of a foreign table.
 *
 * Nothing is asked before the first row is wanted.  When the reader is open it is
 * known what the application does and what is left to do here: conditions that
 * it did not take, then an order it does not keep after all, then offset and limit.
 *
 * What may be read again is kept (in a tuplestore), and read from there as long as
 * the operands of the request are the same: on disk if it is large and surely read
 * again.
 *
 * IDENTIFICATION
 *	  src/fdw/scan.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "fdw/fdw.h"
#include "flow/session.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"
#include "utils/tuplestore.h"

/* ---------- operands ---------- */

/* The values that the operands have now; whether they are others than before. */
static bool
evaluate_operands(ForeignScanState *node, FdwScan *scan)
{
	MemoryContext context = AllocSetContextCreate(scan->rows->home, "appflow operands", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Operand    *before = scan->operands;
	Operand    *operands = palloc0(sizeof(Operand) * Max(scan->noperands, 1));
	bool		changed = before == NULL;

	for (int i = 0; i < scan->noperands; i++)
	{
		Operand    *operand = &operands[i];
		Oid			type = exprType(list_nth(((ForeignScan *) node->ss.ps.plan)->fdw_exprs, i));
		int16		length;
		bool		by_value;
		Datum		value = ExecEvalExpr((ExprState *) list_nth(scan->expressions, i),
										 node->ss.ps.ps_ExprContext, &operand->isnull);

		operand->known = true;
		operand->type = getBaseType(type);
		if (operand->isnull)
			changed |= before != NULL && !before[i].isnull;
		else
		{
			get_typlenbyval(type, &length, &by_value);
			operand->value = datumCopy(value, by_value, length);
			changed |= before != NULL &&
				(before[i].isnull || !datumIsEqual(before[i].value, operand->value, by_value, length));
		}
	}
	MemoryContextSwitchTo(old);
	if (scan->operand_context != NULL)
		MemoryContextDelete(scan->operand_context);
	scan->operand_context = context;
	scan->operands = operands;
	return changed;
}

/* does an expression depend on a parameter of the executor's own? */
static bool
has_exec_param(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind == PARAM_EXEC;
	return expression_tree_walker(node, has_exec_param, arg);
}

/* ---------- begin and end ---------- */

static void
begin_scan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	FdwScan    *scan = palloc0(sizeof(FdwScan));
	Member	   *main;

	node->fdw_state = scan;
	scan->request = request_from_list(list_nth(plan->fdw_private, FDW_PRIVATE_REQUEST));
	scan->request->exprs = plan->fdw_exprs;
	main = linitial(scan->request->members);
	main->options = fdw_table_options(main->relid);
	scan->role = foreign_scan_role(plan, node->ss.ps.state);
	if (!OidIsValid(scan->role))
		scan->role = GetUserId();
	scan->rows = rows_create(main->options, scan->role);
	scan->patient = true;
	scan->noperands = list_length(plan->fdw_exprs);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	scan->expressions = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	scan->kept_slot = ExecInitExtraTupleSlot(node->ss.ps.state, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor,
											 &TTSOpsMinimalTuple);

	/*
	 * Read again: because somebody says so, or with other parameters of
	 * conditions that the application is not asked for.
	 */
	scan->rewinds = (eflags & EXEC_FLAG_REWIND) != 0;
	scan->keep = scan->rewinds ||
		(!bms_is_empty(plan->scan.plan.extParam) && !has_exec_param((Node *) plan->fdw_exprs, NULL));
}

static void
stop_reading(FdwScan *scan)
{
	rows_close(scan->rows);
	if (scan->store != NULL)
		tuplestore_end(scan->store);
	if (scan->sort != NULL)
		tuplesort_end(scan->sort);
	scan->store = NULL;
	scan->sort = NULL;
	scan->store_read = false;
	scan->open = false;
}

static void
end_scan(ForeignScanState *node)
{
	FdwScan    *scan = node->fdw_state;

	/* an error in BeginForeignScan */
	if (scan == NULL)
		return;
	stop_reading(scan);
	if (scan->rows->session != NULL)
		session_close(scan->rows->session);
	scan->rows->session = NULL;
}

/* ---------- start ---------- */

/* the conditions that are checked here: those that the application did not take; for as long as the reading */
static ExprState *
prepare_checks(ForeignScanState *node, FdwScan *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->rows->context);
	List	   *checks = NIL;
	ExprState  *state = NULL;
	ListCell   *lc;
	int			i = 0;

	foreach(lc, ((ForeignScan *) node->ss.ps.plan)->fdw_recheck_quals)
	{
		if (!asking_settled(scan->rows->asking, i++))
			checks = lappend(checks, lfirst(lc));
	}
	if (checks != NIL)
		state = ExecInitQual(checks, &node->ss.ps);
	MemoryContextSwitchTo(old);
	return state;
}

/* a count of LIMIT or OFFSET */
static int64
count_of(const FdwScan *scan, int index, const char *what)
{
	int64		count;

	if (index < 0 || scan->operands[index].isnull)
		return -1;
	count = DatumGetInt64(scan->operands[index].value);
	if (count < 0)
		ereport(ERROR,
				errcode(strcmp(what, "LIMIT") == 0 ? ERRCODE_INVALID_ROW_COUNT_IN_LIMIT_CLAUSE :
						ERRCODE_INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE),
				errmsg("%s must not be negative", what));
	return count;
}

/* the next row that satisfies the conditions, in the slot */
static bool
next_checked(ForeignScanState *node, FdwScan *scan, TupleTableSlot *slot)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!scan->patient && !rows_ready(scan->rows))
		{
			scan->blocked = true;
			return false;
		}
		if (!rows_next(scan->rows, slot))
			return false;
		econtext->ecxt_scantuple = slot;
		if (scan->checks == NULL || ExecQual(scan->checks, econtext))
			return true;
		scan->checked_out++;

		/* the row lives there */
		ExecClearTuple(slot);
		ResetExprContext(econtext);
	}
}

/* Sort what the application was to sort but does not. */
static void
sort_here(ForeignScanState *node, FdwScan *scan)
{
	List	   *order = scan->request->order;
	int			n = list_length(order);
	MemoryContext old = MemoryContextSwitchTo(scan->rows->home);
	AttrNumber *columns = palloc(sizeof(AttrNumber) * n);
	Oid		   *operators = palloc(sizeof(Oid) * n);
	Oid		   *collations = palloc(sizeof(Oid) * n);
	bool	   *nulls_first = palloc(sizeof(bool) * n);
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	for (int i = 0; i < n; i++)
	{
		Order	   *key = list_nth(order, i);

		columns[i] = key->attnum;
		operators[i] = key->operator;
		collations[i] = key->collation;
		nulls_first[i] = key->nulls_first;
	}
	scan->sort = tuplesort_begin_heap(slot->tts_tupleDescriptor, n, columns, operators, collations,
									  nulls_first, work_mem, NULL, TUPLESORT_NONE);
	MemoryContextSwitchTo(old);

	/* all of it is needed before the first */
	scan->patient = true;
	while (next_checked(node, scan, slot))
	{
		tuplesort_puttupleslot(scan->sort, slot);
		ExecClearTuple(slot);
		ResetExprContext(node->ss.ps.ps_ExprContext);
	}
	tuplesort_performsort(scan->sort);
}

static void
start_reading(ForeignScanState *node, FdwScan *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->rows->home);
	Request    *request = scan->request;
	int64		limit;
	int64		offset;
	bool		limited;

	(void) evaluate_operands(node, scan);
	scan->stale = false;
	limit = count_of(scan, request->limit, "LIMIT");
	offset = Max(count_of(scan, request->offset, "OFFSET"), 0);
	scan->scans++;
	scan->open = true;
	rows_open(scan->rows, request, scan->operands, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	scan->checks = request->aggregates != NIL ? NULL : prepare_checks(node, scan);

	/* what the application was told to leave out is not here */
	limited = request->limited && scan->rows->asking->read->limit_taken;
	scan->skip = limited ? 0 : offset;
	scan->give = limit;
	if (scan->keep)
	{
		scan->store = tuplestore_begin_heap(false, false, work_mem);
		tuplestore_set_eflags(scan->store, EXEC_FLAG_REWIND);
	}
	MemoryContextSwitchTo(old);
}

/* ---------- rows ---------- */

/* the next row that satisfies the conditions checked here, in order */
static TupleTableSlot *
next_ordered(ForeignScanState *node, FdwScan *scan)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (scan->request->order == NIL || scan->rows->asking->never || scan->rows->asking->read->order_taken)
		return next_checked(node, scan, slot) ? slot : NULL;
	if (scan->sort == NULL)
		sort_here(node, scan);
	return tuplesort_gettupleslot(scan->sort, true, true, scan->kept_slot, NULL) ? scan->kept_slot : NULL;
}

/* Nobody has said that many rows are going to be read again: then they are not worth a file. */
static void
keep_row(FdwScan *scan, TupleTableSlot *slot)
{
	if (scan->store == NULL)
		return;
	tuplestore_puttupleslot(scan->store, slot);
	if (scan->rewinds || tuplestore_in_memory(scan->store))
		return;
	tuplestore_end(scan->store);
	scan->store = NULL;
}

/* Groups that the application does not make; what makes them outlives a row. */
static TupleTableSlot *
next_of_plan_below(ForeignScanState *node)
{
	MemoryContext old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	TupleTableSlot *slot = ExecProcNode(outerPlanState(node));

	MemoryContextSwitchTo(old);
	return slot;
}

static TupleTableSlot *
iterate(ForeignScanState *node)
{
	FdwScan    *scan = node->fdw_state;
	TupleTableSlot *slot;

	if (scan->stale && scan->open)
	{
		scan->stale = false;
		if (evaluate_operands(node, scan))
			stop_reading(scan);
		else if (scan->store != NULL)
		{
			tuplestore_rescan(scan->store);
			scan->store_read = true;
		}
		else
			stop_reading(scan);
	}
	if (!scan->open)
		start_reading(node, scan);
	if (scan->rows->narrowed && scan->request->aggregates != NIL)
		return next_of_plan_below(node);
	if (scan->store_read)
	{
		if (tuplestore_gettupleslot(scan->store, true, false, scan->kept_slot))
			return scan->kept_slot;
		scan->store_read = false;
	}
	while (scan->give != 0 && (slot = next_ordered(node, scan)) != NULL)
	{
		if (scan->skip > 0)
		{
			scan->skip--;
			ExecClearTuple(slot);
			ResetExprContext(node->ss.ps.ps_ExprContext);
			continue;
		}
		if (scan->give > 0)
			scan->give--;
		keep_row(scan, slot);
		return slot;
	}

	/* nothing more is wanted: neither is what may be on its way */
	if (scan->give == 0)
		rows_close(scan->rows);
	return ExecClearTuple(node->ss.ss_ScanTupleSlot);
}

static void
rescan(ForeignScanState *node)
{
	FdwScan    *scan = node->fdw_state;

	scan->stale = true;
}

void
fdw_scan_routine(FdwRoutine *routine)
{
	routine->BeginForeignScan = begin_scan;
	routine->IterateForeignScan = iterate;
	routine->ReScanForeignScan = rescan;
	routine->EndForeignScan = end_scan;
}
