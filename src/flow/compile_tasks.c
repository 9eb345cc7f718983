/*-------------------------------------------------------------------------
 *
 * compile_tasks.c
 *	  Compiles the tasks of a flow definition into filters, steps and outputs.
 *
 * The order of tasks in a definition does not matter except among tasks of one
 * kind.  They are carried out in phases: filters, Validate, Mask and Truncate,
 * then Merge and Arithmetic in the order of their dependence (so that what they
 * make cannot show unmasked input), then the mapping.  A Validate, Mask or
 * Truncate that names a derived field follows the task that makes the field.
 *
 * IDENTIFICATION
 *	  src/flow/compile_tasks.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "apps/s3.h"
#include "codec/text.h"
#include "flow/pull_window.h"
#include "flow/relative_time.h"
#include "flow/task.h"
#include "mb/pg_wchar.h"
#include "record/jsonb_access.h"

/* what MASK_ALL puts in the place of any value, in characters */
#define MASK_ALL_MAX 1000

static int
find_slot(const FlowPlan *plan, const char *name)
{
	for (int i = 0; i < plan->nslots; i++)
	{
		if (strcmp(plan->slots[i].name, name) == 0)
			return i;
	}
	return -1;
}

static int
add_slot(FlowPlan *plan, const char *name)
{
	int			slot = find_slot(plan, name);

	if (slot >= 0)
		return slot;
	plan->slots = plan->nslots == 0 ? palloc(sizeof(Slot)) :
		repalloc(plan->slots, sizeof(Slot) * (plan->nslots + 1));
	plan->slots[plan->nslots] = (Slot)
	{
		.name = pstrdup(name)
	};
	return plan->nslots++;
}

static int
get_slot(FlowPlan *plan, const char *name)
{
	int			slot = add_slot(plan, name);

	plan->slots[slot].named = true;
	return slot;
}

/* ---------- filters ---------- */

static void
compile_filter(Compiler *compiler, const Task *task)
{
	Filter	   *filter;
	List	   *operands = NIL;
	char	   *value = task_property(task, "VALUE");
	char	   *values = task_property(task, "VALUES");
	char	   *lower = task_property(task, "LOWER_BOUND");
	char	   *upper = task_property(task, "UPPER_BOUND");
	char	   *type = task_property(task, "DATA_TYPE");
	char	   *complaint;
	ListCell   *lc;

	if (task->operator == NULL)
		return;
	if (strcmp(task->operator, "PROJECTION") == 0)
	{
		if (value || values || lower || upper)
			task_problem(compiler, task, "PROJECTION takes no VALUE, VALUES or bounds");

		/* what nobody uses is not read, unless it decides what the records are */
		if (compiler->plan->source.connector != NULL && compiler->plan->source.connector->grouping)
		{
			foreach(lc, task->fields)
				(void) get_slot(compiler->plan, lfirst(lc));
		}
		return;
	}
	if (list_length(task->fields) != 1)
	{
		task_problem(compiler, task, "sourceFields has %d fields, a filter by %s works on one",
					 list_length(task->fields), task->operator);
		return;
	}

	filter = palloc0(sizeof(Filter));
	if (!filter_operator_from_name(task->operator, &filter->operator))
	{
		task_problem(compiler, task, "operator %s does not filter", task->operator);
		return;
	}
	filter->field = linitial(task->fields);
	if (type == NULL)
		type = task_property(task, "SOURCE_DATA_TYPE");
	if (type != NULL)
	{
		/* names are the application's own; one we do not know compares as it comes */
		filter->typed = field_type_from_name(type, &filter->type);
	}

	if (filter->operator == FILTER_BETWEEN)
	{
		if (lower == NULL || upper == NULL)
		{
			task_problem(compiler, task, "taskProperties.%s is missing: BETWEEN needs both bounds",
						 lower == NULL ? "LOWER_BOUND" : "UPPER_BOUND");
			return;
		}
		if (value != NULL || values != NULL)
			task_problem(compiler, task, "BETWEEN takes LOWER_BOUND and UPPER_BOUND, not VALUE or VALUES");
		operands = list_make2(lower, upper);
	}
	else
	{
		if (lower != NULL || upper != NULL)
			task_problem(compiler, task, "%s takes VALUE or VALUES, not bounds", task->operator);
		if (value != NULL && values != NULL)
			task_problem(compiler, task, "VALUE and VALUES exclude each other: give one value, or several");
		else if (value != NULL)
			operands = list_make1(value);
		else if (values != NULL)
			operands = task_list(compiler, task, "VALUES", values);
		else
			task_problem(compiler, task, "taskProperties.VALUE is missing: there is nothing to compare with");
		if (operands == NIL)
			return;
		if (list_length(operands) > 1 && filter->operator != FILTER_EQUAL_TO &&
			filter->operator != FILTER_NOT_EQUAL_TO && filter->operator != FILTER_CONTAINS)
		{
			task_problem(compiler, task, "%s compares with one value, VALUES has %d",
						 task->operator, list_length(operands));
			return;
		}
	}
	filter->noperands = list_length(operands);
	filter->operands = palloc(sizeof(char *) * filter->noperands);
	foreach(lc, operands)
	{
		char	   *problem = NULL;
		char	   *time = filter->typed && (filter->type == FIELD_DATE || filter->type == FIELD_DATETIME || filter->type == FIELD_TIMESTAMP) ?
			relative_time(lfirst(lc), filter->type, GetCurrentTransactionStartTimestamp(), &problem) : NULL;

		if (problem != NULL)
		{
			task_problem(compiler, task, "%s", problem);
			return;
		}
		filter->operands[foreach_current_index(lc)] = time != NULL ? time : lfirst(lc);
	}

	complaint = filter_prepare(filter);
	if (complaint != NULL)
	{
		task_problem(compiler, task, "%s, as DATA_TYPE \"%s\" wants it", complaint, type);
		return;
	}
	compiler->plan->filters = lappend(compiler->plan->filters, filter);
	(void) add_slot(compiler->plan, filter->field);
}

/* ---------- steps ---------- */

static Step *
new_step(Compiler *compiler, const Task *task, StepKind kind)
{
	Step	   *step = palloc0(sizeof(Step));
	ListCell   *lc;

	step->kind = kind;
	step->task = task->number;
	step->target = -1;
	step->slots = palloc(sizeof(int) * Max(list_length(task->fields), 1));
	foreach(lc, task->fields)
		step->slots[step->nslots++] = get_slot(compiler->plan, lfirst(lc));
	return step;
}

static Step *
compile_validate(Compiler *compiler, const Task *task)
{
	Step	   *step = new_step(compiler, task, STEP_VALIDATE);
	char	   *action = task_property(task, "VALIDATION_ACTION");

	for (int i = 0; task->operator != NULL && task->rule->operators[i] != NULL; i++)
	{
		if (strcmp(task->operator, task->rule->operators[i]) == 0)
			step->validate = (ValidateOperator) i;
	}
	if (action == NULL)
		task_problem(compiler, task, "taskProperties.VALIDATION_ACTION is missing: DropRecord skips the record, DropDataset ends the run");
	else if (pg_strcasecmp(action, "DropDataset") == 0 || pg_strcasecmp(action, "TerminateFlow") == 0)
		step->terminate = true;
	else if (pg_strcasecmp(action, "DropRecord") != 0)
		task_problem(compiler, task, "taskProperties.VALIDATION_ACTION \"%s\" is none of DropRecord, DropDataset", action);
	return step;
}

static Step *
compile_mask(Compiler *compiler, const Task *task)
{
	Step	   *step = new_step(compiler, task, STEP_MASK);

	for (int i = 0; task->operator != NULL && task->rule->operators[i] != NULL; i++)
	{
		if (strcmp(task->operator, task->rule->operators[i]) == 0)
			step->mask = (MaskOperator) i;
	}
	for (int i = 0; i < step->nslots; i++)
	{
		compiler->plan->slots[step->slots[i]].text = true;
		compiler->plan->slots[step->slots[i]].masked = task->number;
	}
	step->length = task_number_property(compiler, task, "MASK_LENGTH", step->mask == MASK_ALL ? 5 : 0);
	if (step->mask == MASK_ALL && step->length > MASK_ALL_MAX)
		task_problem(compiler, task, "taskProperties.MASK_LENGTH \"%d\" is more than MASK_ALL can put out: at most %d",
					 step->length, MASK_ALL_MAX);
	step->mask_value = task_property(task, "MASK_VALUE");
	if (step->mask_value == NULL)
		step->mask_value = "*";
	else if (step->mask_value[0] == '\0' ||
			 pg_mblen(step->mask_value) != (int) strlen(step->mask_value))
		task_problem(compiler, task, "taskProperties.MASK_VALUE \"%s\" is not one character", step->mask_value);
	return step;
}

static Step *
compile_truncate(Compiler *compiler, const Task *task)
{
	Step	   *step = new_step(compiler, task, STEP_TRUNCATE);

	for (int i = 0; i < step->nslots; i++)
		compiler->plan->slots[step->slots[i]].text = true;
	step->length = task_number_property(compiler, task, "TRUNCATE_LENGTH", 0);
	return step;
}

/* a Merge or Arithmetic task fills a slot of its own */
static void
set_target(Compiler *compiler, const Task *task, Step *step)
{
	char	   *name = task->destination;

	if (name == NULL)
	{
		StringInfoData joined;
		ListCell   *lc;

		initStringInfo(&joined);
		foreach(lc, task->fields)
			appendStringInfo(&joined, "%s%s", foreach_current_index(lc) > 0 ? "," : "", (char *) lfirst(lc));
		name = joined.data;
	}
	step->target = get_slot(compiler->plan, name);
	if (compiler->plan->slots[step->target].derived)
		task_problem(compiler, task, "field \"%s\" is made by another task already", name);
	compiler->plan->slots[step->target].derived = true;
}

static void
add_part(Step *step, const char *literal, size_t length, int slot)
{
	step->parts = step->nparts == 0 ? palloc(sizeof(MergePart)) :
		repalloc(step->parts, sizeof(MergePart) * (step->nparts + 1));
	step->parts[step->nparts++] = (MergePart)
	{
		.literal = pnstrdup(literal, length),.slot = slot
	};
}

/*
 * CONCAT_FORMAT: literal text with ${field} in it; $${ is a literal ${.
 */
static Step *
compile_merge(Compiler *compiler, const Task *task)
{
	Step	   *step = new_step(compiler, task, STEP_MERGE);
	char	   *format = task_property(task, "CONCAT_FORMAT");
	StringInfoData literal;

	initStringInfo(&literal);
	set_target(compiler, task, step);
	if (format == NULL)
	{
		for (int i = 0; i < step->nslots; i++)
			add_part(step, "", 0, step->slots[i]);
		return step;
	}
	for (char *p = format; *p != '\0';)
	{
		if (strncmp(p, "$${", 3) == 0)
		{
			appendStringInfoString(&literal, "${");
			p += 3;
		}
		else if (strncmp(p, "${", 2) == 0)
		{
			char	   *end = strchr(p, '}');
			char	   *name;
			bool		listed = false;
			ListCell   *lc;

			if (end == NULL)
			{
				task_problem(compiler, task, "taskProperties.CONCAT_FORMAT: \"${\" is not closed by \"}\" in \"%s\"", p);
				return step;
			}
			name = pnstrdup(p + 2, end - p - 2);
			foreach(lc, task->fields)
				listed |= strcmp(lfirst(lc), name) == 0;
			if (!listed)
				task_problem(compiler, task, "taskProperties.CONCAT_FORMAT: \"%s\" is not among the sourceFields", name);
			else
			{
				add_part(step, literal.data, literal.len, get_slot(compiler->plan, name));
				resetStringInfo(&literal);
			}
			p = end + 1;
		}
		else
			appendStringInfoChar(&literal, *p++);
	}
	add_part(step, literal.data, literal.len, -1);
	return step;
}

static Step *
compile_arithmetic(Compiler *compiler, Task *task)
{
	char	   *order = task_property(task, "MATH_OPERATION_FIELDS_ORDER");
	List	   *source_fields = task->fields;
	Step	   *step;

	if (order != NULL)
	{
		List	   *ordered = task_list(compiler, task, "MATH_OPERATION_FIELDS_ORDER", order);
		ListCell   *lc;

		foreach(lc, ordered)
		{
			bool		listed = false;
			ListCell   *lc2;

			foreach(lc2, source_fields)
				listed |= strcmp(lfirst(lc2), lfirst(lc)) == 0;
			if (!listed)
				task_problem(compiler, task, "taskProperties.MATH_OPERATION_FIELDS_ORDER: \"%s\" is not among the sourceFields",
							 (char *) lfirst(lc));
		}
		foreach(lc, source_fields)
		{
			bool		listed = ordered == NIL;
			ListCell   *lc2;

			foreach(lc2, ordered)
				listed |= strcmp(lfirst(lc2), lfirst(lc)) == 0;
			if (!listed)
				task_problem(compiler, task, "taskProperties.MATH_OPERATION_FIELDS_ORDER \"%s\" leaves out \"%s\" of the sourceFields",
							 order, (char *) lfirst(lc));
		}
		if (ordered != NIL)
			task->fields = ordered;
	}
	step = new_step(compiler, task, STEP_ARITHMETIC);
	task->fields = source_fields;
	for (int i = 0; task->operator != NULL && task->rule->operators[i] != NULL; i++)
	{
		if (strcmp(task->operator, task->rule->operators[i]) == 0)
			step->arithmetic = (ArithmeticOperator) i;
	}
	set_target(compiler, task, step);
	return step;
}

/* is the step about a derived field that no step in the list makes? */
static bool
waits(const FlowPlan *plan, const Step *step, List *done)
{
	for (int i = 0; i < step->nslots; i++)
	{
		bool		made = !plan->slots[step->slots[i]].derived;
		ListCell   *lc;

		foreach(lc, done)
			made |= ((Step *) lfirst(lc))->target == step->slots[i];
		if (!made)
			return true;
	}
	return false;
}

/*
 * Put steps into the order of execution: by kind, as StepKind's order says, but
 * each only when all it works on is there.
 */
static void
order_steps(Compiler *compiler, List *steps)
{
	FlowPlan   *plan = compiler->plan;

	while (steps != NIL)
	{
		Step	   *next = NULL;
		ListCell   *lc;

		foreach(lc, steps)
		{
			Step	   *step = lfirst(lc);
			bool		masks = step->kind == STEP_MASK || step->kind == STEP_TRUNCATE;

			if (waits(plan, step, plan->steps))
				continue;
			if (next == NULL || (masks && next->kind > STEP_TRUNCATE) ||
				(step->kind == STEP_VALIDATE && next->kind != STEP_VALIDATE))
				next = step;
		}
		if (next == NULL)
		{
			Step	   *step = NULL;

			/* some of them make what the others wait for */
			foreach(lc, steps)
			{
				if (step == NULL || step->target < 0)
					step = lfirst(lc);
			}
			/* a definition with other faults may only look like a circle */
			if (*compiler->problems == NIL)
				task_problem(compiler, NULL, "task %d works on a field that depends on \"%s\", which the task makes: give the result a name of its own",
							 step->task, plan->slots[step->target].name);
			return;
		}
		steps = list_delete_ptr(steps, next);
		plan->steps = lappend(plan->steps, next);
	}
}

/* ---------- mapping ---------- */

static void
compile_map(Compiler *compiler, const Task *task)
{
	Output	   *output;
	char	   *type = task_property(task, "DESTINATION_DATA_TYPE");
	ListCell   *lc;

	if (task->fields == NIL)
		return;
	output = palloc0(sizeof(Output));
	output->slot = get_slot(compiler->plan, linitial(task->fields));
	output->name = task->destination ? task->destination : linitial(task->fields);
	if (type != NULL)
	{
		Field		field = {0};

		output->typed = field_set_type(&field, type);
		output->type = field.type;
		output->precision = field.precision;
		output->scale = field.scale;
	}
	foreach(lc, compiler->plan->outputs)
	{
		if (strcmp(((Output *) lfirst(lc))->name, output->name) == 0)
			task_problem(compiler, task, "destinationField \"%s\" is mapped twice", output->name);
	}
	compiler->plan->outputs = lappend(compiler->plan->outputs, output);
}

static void
compile_map_all(Compiler *compiler, const Task *task)
{
	FlowPlan   *plan = compiler->plan;
	char	   *exclude = task_property(task, "EXCLUDE_SOURCE_FIELDS_LIST");
	char	   *include_new = task_property(task, "INCLUDE_NEW_FIELDS");

	if (plan->map_all)
		task_problem(compiler, task, "all fields are mapped by another task already");
	plan->map_all = true;
	plan->include_new = true;
	if (exclude != NULL)
		plan->exclude = task_list(compiler, task, "EXCLUDE_SOURCE_FIELDS_LIST", exclude);
	if (include_new != NULL)
	{
		if (pg_strcasecmp(include_new, "false") == 0)
			plan->include_new = false;
		else if (pg_strcasecmp(include_new, "true") != 0)
			task_problem(compiler, task, "taskProperties.INCLUDE_NEW_FIELDS \"%s\" is none of true, false", include_new);
	}
	if (task->destination != NULL)
		task_problem(compiler, task, "destinationField \"%s\" makes no sense where all fields keep their names", task->destination);
}

static void
compile_partition(Compiler *compiler, const Task *task)
{
	FlowPlan   *plan = compiler->plan;
	char	   *keys = task_property(task, "ORDERED_PARTITION_KEYS_LIST");
	ListCell   *lc;

	if (plan->partition_keys != NIL)
		task_problem(compiler, task, "there is another Partition task");
	plan->partition_keys = keys != NULL ?
		task_list(compiler, task, "ORDERED_PARTITION_KEYS_LIST", keys) : task->fields;
	if (plan->partition_keys == NIL)
		task_problem(compiler, task, "taskProperties.ORDERED_PARTITION_KEYS_LIST is missing: it names the fields of the destination to partition by");
	if (list_length(plan->partition_keys) > 10)
		task_problem(compiler, task, "%d partition keys, at most 10 are allowed", list_length(plan->partition_keys));
	if (plan->destination.bucket == NULL)
		task_problem(compiler, task, "only an S3 destination is partitioned, not %s",
					 plan->destination.connector_type ? plan->destination.connector_type : "this one");
	foreach(lc, plan->partition_keys)
	{
		for (ListCell *other = list_head(plan->partition_keys); other != lc; other = lnext(plan->partition_keys, other))
		{
			if (strcmp(lfirst(other), lfirst(lc)) == 0)
				task_problem(compiler, task, "partition key \"%s\" is named twice", (char *) lfirst(lc));
		}
	}
}

/*
 * Is path a dotted path into the object at name?
 */
static bool
is_path_into(const char *path, const char *name)
{
	size_t		length = strlen(name);

	return strncmp(path, name, length) == 0 && path[length] == '.';
}

/* does a name with dots reach into objects?  Tables and CSV files have only columns. */
static bool
source_has_paths(const FlowPlan *plan)
{
	if (plan->source.bucket != NULL)
		return !s3_input_is_csv(plan->source.properties);
	return plan->source.connector_label == NULL;
}

/* do records have the field's value in any way that the destination or another task sees? */
static bool
is_used(const FlowPlan *plan, int slot)
{
	ListCell   *lc;

	foreach(lc, plan->outputs)
	{
		if (((Output *) lfirst(lc))->slot == slot)
			return true;
	}
	foreach(lc, plan->steps)
	{
		const Step *step = lfirst(lc);

		for (int i = 0; i < step->nslots && (step->kind == STEP_MERGE || step->kind == STEP_ARITHMETIC); i++)
		{
			if (step->slots[i] == slot)
				return true;
		}
	}
	return false;
}

/*
 * What a task masks must not leave by another way: as part of the object
 * around it, or piece by piece.
 */
static void
check_masked_paths(Compiler *compiler)
{
	FlowPlan   *plan = compiler->plan;

	if (!source_has_paths(plan))
		return;
	for (int i = 0; i < plan->nslots; i++)
	{
		const Slot *masked = &plan->slots[i];
		const char *dot = strchr(masked->name, '.');

		if (masked->masked == 0 || masked->derived)
			continue;
		for (int j = 0; j < plan->nslots; j++)
		{
			const Slot *other = &plan->slots[j];

			if (other->masked != 0 || other->derived || !is_used(plan, j))
				continue;
			if (is_path_into(masked->name, other->name))
				task_problem(compiler, NULL, "field \"%s\" contains \"%s\", which task %d masks: mask \"%s\" as well, or do not use it",
							 other->name, masked->name, masked->masked, other->name);
			else if (is_path_into(other->name, masked->name))
				task_problem(compiler, NULL, "field \"%s\" is part of \"%s\", which task %d masks: mask \"%s\" as well, or do not use it",
							 other->name, masked->name, masked->masked, other->name);
		}
		if (plan->map_all && dot != NULL)
		{
			char	   *root = pnstrdup(masked->name, dot - masked->name);
			int			slot = find_slot(plan, root);
			bool		left_out = slot >= 0 && plan->slots[slot].masked != 0;
			ListCell   *lc;

			foreach(lc, plan->exclude)
				left_out |= strcmp(lfirst(lc), root) == 0;
			foreach(lc, plan->outputs)
				left_out |= strcmp(((Output *) lfirst(lc))->name, root) == 0;
			if (!left_out)
				task_problem(compiler, NULL, "mapping all fields sends \"%s\" with \"%s\" in it, which task %d masks: name \"%s\" in EXCLUDE_SOURCE_FIELDS_LIST",
							 root, masked->name, masked->masked, root);
		}
	}
}

/* names that must be among the destination's fields, which are known unless all are mapped */
static void
check_destination_fields(Compiler *compiler, List *names, const char *what)
{
	FlowPlan   *plan = compiler->plan;
	ListCell   *lc;

	if (plan->map_all)
		return;
	foreach(lc, names)
	{
		bool		found = false;
		ListCell   *lc2;

		foreach(lc2, plan->outputs)
			found |= strcmp(((Output *) lfirst(lc2))->name, lfirst(lc)) == 0;
		if (!found)
			task_problem(compiler, NULL, "%s \"%s\" is not mapped to the destination", what, (char *) lfirst(lc));
	}
}

void
compile_tasks(FlowPlan *plan, Jsonb *definition, List **problems)
{
	Compiler	compiler = {.plan = plan,.problems = problems};
	List	   *steps = NIL;
	bool		passthrough = false;
	int			number = 0;
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(definition, "tasks")))
	{
		Task	   *task = task_read(&compiler, lfirst(lc), ++number);

		if (task != NULL)
			compiler.tasks = lappend(compiler.tasks, task);
	}

	foreach(lc, compiler.tasks)
	{
		Task	   *task = lfirst(lc);

		switch (task->kind)
		{
			case TASK_FILTER:
				compile_filter(&compiler, task);
				break;
			case TASK_VALIDATE:
				steps = lappend(steps, compile_validate(&compiler, task));
				break;
			case TASK_MASK:
				steps = lappend(steps, compile_mask(&compiler, task));
				break;
			case TASK_TRUNCATE:
				steps = lappend(steps, compile_truncate(&compiler, task));
				break;
			case TASK_MERGE:
				steps = lappend(steps, compile_merge(&compiler, task));
				break;
			case TASK_ARITHMETIC:
				steps = lappend(steps, compile_arithmetic(&compiler, task));
				break;
			case TASK_MAP:
				compile_map(&compiler, task);
				break;
			case TASK_PASSTHROUGH:
				passthrough = true;
				compile_map_all(&compiler, task);
				break;
			case TASK_MAP_ALL:
				compile_map_all(&compiler, task);
				break;
			case TASK_PARTITION:
				compile_partition(&compiler, task);
				break;
		}
	}
	if (plan->outputs == NIL && !plan->map_all)
		task_problem(&compiler, NULL, "You must specify a projection task or a MAP_ALL task");
	if (passthrough && (plan->outputs != NIL || steps != NIL))
		task_problem(&compiler, NULL, "Passthrough sends records as they are and cannot be combined with other mappings or changes");

	foreach(lc, plan->filters)
	{
		Filter	   *filter = lfirst(lc);

		if (plan->slots[find_slot(plan, filter->field)].derived)
			task_problem(&compiler, NULL, "a filter works on \"%s\", which only a later task makes", filter->field);
	}
	check_destination_fields(&compiler, plan->partition_keys, "partition key");
	check_destination_fields(&compiler, plan->id_fields, "id field");
	order_steps(&compiler, steps);
	check_masked_paths(&compiler);
}
