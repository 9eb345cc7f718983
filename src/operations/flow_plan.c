/*-------------------------------------------------------------------------
 *
 * flow_plan.c
 *	  appflow.flow_plan(): what a flow will do, step by step, as compiled.
 *
 * IDENTIFICATION
 *	  src/operations/flow_plan.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "flow/plan.h"
#include "fmgr.h"
#include "funcapi.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(appflow_flow_plan);

static const char *const step_names[] = {
	[STEP_VALIDATE] = "Validate",
	[STEP_MASK] = "Mask",
	[STEP_TRUNCATE] = "Truncate",
	[STEP_MERGE] = "Merge",
	[STEP_ARITHMETIC] = "Arithmetic",
};

static const char *const filter_signs[] = {
	[FILTER_LESS_THAN] = "<",
	[FILTER_GREATER_THAN] = ">",
	[FILTER_CONTAINS] = "contains",
	[FILTER_BETWEEN] = "between, exclusive,",
	[FILTER_LESS_THAN_OR_EQUAL_TO] = "<=",
	[FILTER_GREATER_THAN_OR_EQUAL_TO] = ">=",
	[FILTER_EQUAL_TO] = "is one of",
	[FILTER_NOT_EQUAL_TO] = "is none of",
};

static const char *const write_names_of[] = {
	[WRITE_INSERT] = "INSERT",
	[WRITE_UPSERT] = "UPSERT",
	[WRITE_UPDATE] = "UPDATE",
	[WRITE_DELETE] = "DELETE",
};

typedef struct PlanRows
{
	ReturnSetInfo *result;
	int			step;
} PlanRows;

/* append a row; NULL texts and task 0 are null */
static void
add_row(PlanRows *rows, const char *action, int task, List *fields, const char *target, const char *details)
{
	Datum		values[6];
	bool		nulls[6] = {false};
	Datum	   *items = palloc(sizeof(Datum) * Max(list_length(fields), 1));
	ListCell   *lc;

	foreach(lc, fields)
		items[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	values[0] = Int32GetDatum(++rows->step);
	values[1] = CStringGetTextDatum(action);
	values[2] = Int32GetDatum(task);
	nulls[2] = task == 0;
	values[3] = PointerGetDatum(construct_array(items, list_length(fields), TEXTOID, -1, false, TYPALIGN_INT));
	values[4] = target ? CStringGetTextDatum(target) : (Datum) 0;
	nulls[4] = target == NULL;
	values[5] = details ? CStringGetTextDatum(details) : (Datum) 0;
	nulls[5] = details == NULL;
	tuplestore_putvalues(rows->result->setResult, rows->result->setDesc, values, nulls);
}

static char *
end_name(const FlowEnd *end)
{
	return end->bucket != NULL ? psprintf("%s s3://%s", end->connector_type, end->bucket) :
		psprintf("%s %s", end->connector_label ? end->connector_label : end->connector_type,
				 end->entity ? end->entity : "");
}

static char *
filter_words(const Filter *filter)
{
	StringInfoData words;

	initStringInfo(&words);
	appendStringInfoString(&words, filter_signs[filter->operator]);
	for (int i = 0; i < filter->noperands; i++)
		appendStringInfo(&words, "%s %s", i > 0 ? "," : "", filter->operands[i]);
	if (filter->typed)
		appendStringInfo(&words, " as %s", field_type_name(filter->type));
	return words.data;
}

static void
add_step(PlanRows *rows, const FlowPlan *plan, const Step *step)
{
	List	   *fields = NIL;
	char	   *details = NULL;

	for (int i = 0; i < step->nslots; i++)
		fields = lappend(fields, plan->slots[step->slots[i]].name);
	switch (step->kind)
	{
		case STEP_VALIDATE:
			details = pstrdup(step->terminate ? "a bad record ends the run" : "bad records are left out");
			break;
		case STEP_MASK:
		case STEP_TRUNCATE:
			details = psprintf("%d characters", step->length);
			break;
		case STEP_MERGE:
		case STEP_ARITHMETIC:
			break;
	}
	add_row(rows, step_names[step->kind], step->task, fields,
			step->target >= 0 ? plan->slots[step->target].name : NULL, details);
}

/*
 * flow_plan(flow_name text) returns the steps in the order in which a run takes
 * them: step, action, task (its number in the definition), fields that it works
 * on, target field, details.
 */
Datum
appflow_flow_plan(PG_FUNCTION_ARGS)
{
	FlowRow    *flow = operation_flow(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	FlowPlan   *plan = flow_compile(flow->definition);
	PlanRows	rows = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	add_row(&rows, "Read", 0, plan_source_fields(plan), NULL,
			psprintf("%s%s", end_name(&plan->source), plan->map_all ? ", all fields" : ""));
	foreach(lc, plan->filters)
	{
		Filter	   *filter = lfirst(lc);

		add_row(&rows, "Filter", 0, list_make1(filter->field), NULL, filter_words(filter));
	}
	foreach(lc, plan->steps)
		add_step(&rows, plan, lfirst(lc));
	foreach(lc, plan->outputs)
	{
		Output	   *output = lfirst(lc);

		add_row(&rows, "Map", 0, list_make1(plan->slots[output->slot].name), output->name,
				output->typed ? psprintf("as %s", field_type_name(output->type)) : NULL);
	}
	if (plan->map_all)
		add_row(&rows, "Map_all", 0, NIL, NULL,
				psprintf("every other field to its own name%s%s", plan->exclude != NIL ? ", without the excluded ones" : "",
						 plan->include_new ? "" : ", without new ones"));
	if (plan->partition_keys != NIL)
		add_row(&rows, "Partition", 0, plan->partition_keys, NULL, NULL);
	add_row(&rows, "Write", 0, plan->id_fields, NULL,
			psprintf("%s, %s", end_name(&plan->destination), write_names_of[plan->operation]));
	return (Datum) 0;
}
