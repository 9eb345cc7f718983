/*-------------------------------------------------------------------------
 *
 * postgresql_insert.c
 *	  Insertion the way COPY does it: rows are formed directly from cells and
 *	  go to the table many at a time, past the planner.
 *
 * It serves plain tables where this has the same effect as INSERT; see
 * table_insert_suits().  The executor's own routines compute defaults and
 * generated columns, check constraints, maintain indexes and fire triggers.
 *
 * What outlives an attempt: the slots, the default expressions, and the state of
 * bulk insertion.  The executor state does not, for a rolled back
 * subtransaction takes what it refers to along.
 *
 * IDENTIFICATION
 *	  src/apps/postgresql_insert.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/hio.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "apps/postgresql.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "compat.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "parser/parse_node.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* a column that no field is written to, with a default that is not null */
typedef struct DefaultColumn
{
	AttrNumber	attnum;
	ExprState  *expression;		/* NULL: a domain that checks its null */
	DatumMaker	maker;
} DefaultColumn;

struct TableInsert
{
	MemoryContext context;
	TupleDesc	tupdesc;
	const TupleTableSlotOps *slot_ops;
	int			nslots;
	TupleTableSlot *slots[BATCH_ROWS];
	BulkInsertState bulk;
	int			ndefaults;
	DefaultColumn *defaults;
};

/* the column's default as an expression to be planned, or NULL */
static Expr *
column_default(Relation rel, Form_pg_attribute attr)
{
	return (Expr *) build_column_default(rel, attr->attnum);
}

static bool
column_is_bound(TableWriter *writer, AttrNumber attnum)
{
	for (int i = 0; i < writer->ncolumns; i++)
	{
		if (writer->columns[i].attnum == attnum)
			return true;
	}
	return false;
}

/* a column to which insertion itself must give a value */
static bool
needs_default(TableWriter *writer, Form_pg_attribute attr)
{
	return !attr->attisdropped && attr->attgenerated == '\0' &&
		!column_is_bound(writer, attr->attnum);
}

/*
 * Row triggers before insertion, rules, policies and volatile defaults may look
 * at the table and must find the rows before them there: those go through
 * INSERT statements, as does what is not a table.
 */
bool
table_insert_suits(TableWriter *writer, Relation rel)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);

	if (writer->operation != WRITE_INSERT || rel->rd_rel->relkind != RELKIND_RELATION ||
		rel->rd_rules != NULL)
		return false;
	if (rel->trigdesc != NULL &&
		(rel->trigdesc->trig_insert_before_row || rel->trigdesc->trig_insert_instead_row))
		return false;
	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, false) == RLS_ENABLED)
		return false;
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(tupdesc, i);

		if (needs_default(writer, attr))
		{
			Expr	   *expression = column_default(rel, attr);

			if (expression != NULL &&
				contain_volatile_functions_not_nextval((Node *) expression))
				return false;
		}
	}
	return true;
}

/* raise an error unless the role may insert into the bound columns */
static void
check_permissions(TableWriter *writer, Relation rel)
{
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item = addRangeTableEntryForRelation(pstate, rel, RowExclusiveLock,
															 NULL, false, false);

	namespace_item_permissions(item)->requiredPerms = ACL_INSERT;
	for (int i = 0; i < writer->ncolumns; i++)
		namespace_item_permissions(item)->insertedCols =
			bms_add_member(namespace_item_permissions(item)->insertedCols,
						   writer->columns[i].attnum - FirstLowInvalidHeapAttributeNumber);
	range_table_check_permissions(pstate);
}

/* Make ready to insert; in the current memory context, as the role. */
TableInsert *
table_insert_create(TableWriter *writer, Relation rel)
{
	TableInsert *insert = palloc0(sizeof(TableInsert));
	TupleDesc	tupdesc = RelationGetDescr(rel);

	check_permissions(writer, rel);
	if (!rel->rd_islocaltemp)
		PreventCommandIfReadOnly("INSERT");
	insert->context = CurrentMemoryContext;
	insert->tupdesc = CreateTupleDescCopyConstr(tupdesc);
	insert->slot_ops = table_slot_callbacks(rel);
	insert->bulk = GetBulkInsertState();
	insert->defaults = palloc0(sizeof(DefaultColumn) * tupdesc->natts);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(tupdesc, i);
		DefaultColumn *column = &insert->defaults[insert->ndefaults];
		Expr	   *expression;

		if (!needs_default(writer, attr))
			continue;
		expression = column_default(rel, attr);
		column->attnum = attr->attnum;
		if (expression != NULL)
			column->expression = ExecInitExpr(expression_planner(expression), NULL);
		else if (get_typtype(attr->atttypid) == TYPTYPE_DOMAIN)
			datum_maker_init(&column->maker, attr->atttypid, attr->atttypmod);
		else
			continue;
		insert->ndefaults++;
	}
	return insert;
}

/* Form the row's tuple in its slot, and check what a row alone must fulfil. */
static void
form_row(TableInsert *insert, TableAttempt *attempt, ResultRelInfo *relinfo, EState *estate,
		 uint32 row, TupleTableSlot *slot)
{
	TableWriter *writer = attempt->writer;
	const RecordSet *set = attempt->set;
	Relation	rel = relinfo->ri_RelationDesc;
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	uint32		batch_row = set->rows[row];
	MemoryContext oldcontext;

	ResetPerTupleExprContext(estate);
	oldcontext = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * insert->tupdesc->natts);
	attempt->row = row;
	attempt->converting = true;
	for (int i = 0; i < writer->ncolumns; i++)
	{
		int			att = writer->columns[i].attnum - 1;

		attempt->column = i;
		slot->tts_values[att] = datum_make(&writer->columns[i].maker,
										   &set->columns[i][batch_row],
										   &slot->tts_isnull[att]);
	}
	attempt->converting = false;
	for (int i = 0; i < insert->ndefaults; i++)
	{
		DefaultColumn *column = &insert->defaults[i];
		int			att = column->attnum - 1;

		if (column->expression != NULL)
			slot->tts_values[att] = ExecEvalExpr(column->expression,
												 GetPerTupleExprContext(estate),
												 &slot->tts_isnull[att]);
		else
		{
			Cell		null = cell_null();

			slot->tts_values[att] = datum_make(&column->maker, &null, &slot->tts_isnull[att]);
		}
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(rel);
	MemoryContextSwitchTo(oldcontext);
	if (constr != NULL)
	{
		if (constr->has_generated_stored)
			ExecComputeStoredGenerated(relinfo, estate, slot, CMD_INSERT);
		ExecConstraints(relinfo, slot, estate);
	}
	if (rel->rd_rel->relispartition)
		ExecPartitionCheck(relinfo, slot, estate, true);

	/* its values are in memory that the next row uses again */
	ExecMaterializeSlot(slot);
}

/*
 * Store the formed rows, one slot each, with their index entries, and queue
 * their triggers.  attempt->row follows, for it is in an index that one row
 * collides with another.
 */
static void
store_rows(TableInsert *insert, TableAttempt *attempt, ResultRelInfo *relinfo, EState *estate,
		   int nslots, int options, TransitionCaptureState *capture)
{
	TriggerDesc *triggers = relinfo->ri_TrigDesc;
	bool		after = triggers != NULL &&
		(triggers->trig_insert_after_row || triggers->trig_insert_new_table);
	MemoryContext oldcontext = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));

	attempt->row = -1;
	table_multi_insert(relinfo->ri_RelationDesc, insert->slots, nslots,
					   GetCurrentCommandId(true), options, insert->bulk);
	MemoryContextSwitchTo(oldcontext);
	if (relinfo->ri_NumIndices == 0 && !after)
		return;
	for (int i = 0; i < nslots; i++)
	{
		List	   *recheck = NIL;

		attempt->row = attempt->first + i;
		ResetPerTupleExprContext(estate);
		if (relinfo->ri_NumIndices > 0)
			recheck = executor_insert_index_tuples(relinfo, insert->slots[i], estate);
		ExecARInsertTriggers(estate, relinfo, insert->slots[i], recheck, capture);
		list_free(recheck);
	}
	attempt->row = -1;
}

void
table_insert_attempt(TableInsert *insert, TableAttempt *attempt)
{
	TableWriter *writer = attempt->writer;
	int			nslots = attempt->last - attempt->first;
	int			options = 0;
	Relation	rel = relation_open(writer->relid, NoLock);
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *relinfo = makeNode(ResultRelInfo);
	ParseState *pstate = make_parsestate(NULL);
	TransitionCaptureState *capture;

	while (insert->nslots < nslots)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(insert->context);

		insert->slots[insert->nslots] = MakeSingleTupleTableSlot(insert->tupdesc, insert->slot_ops);
		insert->nslots++;
		MemoryContextSwitchTo(oldcontext);
	}

	/* a file that is new in this transaction has no free space elsewhere */
	if (rel->rd_createSubid != InvalidSubTransactionId)
		options |= TABLE_INSERT_SKIP_FSM;

	PushActiveSnapshot(GetTransactionSnapshot());
	addRangeTableEntryForRelation(pstate, rel, RowExclusiveLock, NULL, false, false);
	executor_init_range_table(estate, pstate);
	ExecInitResultRelation(estate, relinfo, 1);
	ExecOpenIndices(relinfo, false);
	AfterTriggerBeginQuery();
	capture = MakeTransitionCaptureState(rel->trigdesc, writer->relid, CMD_INSERT);
	ExecBSInsertTriggers(estate, relinfo);

	for (int i = 0; i < nslots; i++)
	{
		if (i % 64 == 0)
			CHECK_FOR_INTERRUPTS();
		form_row(insert, attempt, relinfo, estate, attempt->first + i, insert->slots[i]);
	}
	store_rows(insert, attempt, relinfo, estate, nslots, options, capture);
	ReleaseBulkInsertStatePin(insert->bulk);
	ExecASInsertTriggers(estate, relinfo, capture);
	AfterTriggerEndQuery(estate);

	for (int i = 0; i < nslots; i++)
		ExecClearTuple(insert->slots[i]);
	ExecResetTupleTable(estate->es_tupleTable, false);
	ExecCloseResultRelations(estate);
	ExecCloseRangeTableRelations(estate);
	FreeExecutorState(estate);
	table_finish_bulk_insert(rel, options);
	PopActiveSnapshot();
	relation_close(rel, NoLock);
}

/*
 * The rolled back subtransaction has released the page that the state of bulk
 * insertion still counts as pinned: have it forget that page.
 */
void
table_insert_aborted(TableInsert *insert)
{
	insert->bulk->current_buf = InvalidBuffer;
	ReleaseBulkInsertStatePin(insert->bulk);
}
