/*-------------------------------------------------------------------------
 *
 * task.c
 *	  Reads the tasks of a flow definition: what each kind may have.
 *
 * IDENTIFICATION
 *	  src/flow/task.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/text.h"
#include "flow/pull_window.h"
#include "flow/task.h"
#include "record/jsonb_access.h"

#define ANY_NUMBER 1000

static const TaskRule rules[] = {
	[TASK_ARITHMETIC] = {"Arithmetic", 2, ANY_NUMBER, true,
		{"ADDITION", "SUBTRACTION", "MULTIPLICATION", "DIVISION"},
	{"MATH_OPERATION_FIELDS_ORDER", "DATA_TYPE", "SOURCE_DATA_TYPE", "DESTINATION_DATA_TYPE"}},
	[TASK_FILTER] = {"Filter", 0, ANY_NUMBER, true,
		{"PROJECTION", "LESS_THAN", "GREATER_THAN", "CONTAINS", "BETWEEN", "LESS_THAN_OR_EQUAL_TO",
		"GREATER_THAN_OR_EQUAL_TO", "EQUAL_TO", "NOT_EQUAL_TO"},
	{"DATA_TYPE", "VALUE", "VALUES", "LOWER_BOUND", "UPPER_BOUND", "SOURCE_DATA_TYPE"}},
	[TASK_MAP] = {"Map", 1, 1, false, {"NO_OP"},
	{"SOURCE_DATA_TYPE", "DESTINATION_DATA_TYPE", "DATA_TYPE", "SUBFIELD_CATEGORY_MAP"}},
	[TASK_MAP_ALL] = {"Map_all", 0, ANY_NUMBER, false, {"NO_OP"},
	{"EXCLUDE_SOURCE_FIELDS_LIST", "INCLUDE_NEW_FIELDS", "SOURCE_DATA_TYPE", "DESTINATION_DATA_TYPE", "DATA_TYPE"}},
	[TASK_MASK] = {"Mask", 1, ANY_NUMBER, true, {"MASK_ALL", "MASK_FIRST_N", "MASK_LAST_N"},
	{"MASK_LENGTH", "MASK_VALUE", "DATA_TYPE", "SOURCE_DATA_TYPE"}},
	[TASK_MERGE] = {"Merge", 1, ANY_NUMBER, false, {"NO_OP"},
	{"CONCAT_FORMAT", "DATA_TYPE", "SOURCE_DATA_TYPE", "DESTINATION_DATA_TYPE"}},
	[TASK_PASSTHROUGH] = {"Passthrough", 0, ANY_NUMBER, false, {"NO_OP"},
	{"DATA_TYPE", "SOURCE_DATA_TYPE", "DESTINATION_DATA_TYPE"}},
	[TASK_TRUNCATE] = {"Truncate", 1, ANY_NUMBER, false, {"NO_OP"},
	{"TRUNCATE_LENGTH", "DATA_TYPE", "SOURCE_DATA_TYPE"}},
	[TASK_VALIDATE] = {"Validate", 1, ANY_NUMBER, true,
		{"VALIDATE_NON_NULL", "VALIDATE_NON_ZERO", "VALIDATE_NON_NEGATIVE", "VALIDATE_NUMERIC"},
	{"VALIDATION_ACTION", "DATA_TYPE", "SOURCE_DATA_TYPE"}},
	[TASK_PARTITION] = {"Partition", 0, ANY_NUMBER, false, {"NO_OP"},
	{"ORDERED_PARTITION_KEYS_LIST", "SUBFIELD_CATEGORY_MAP", "DATA_TYPE"}},
};

const char *
task_prefix(const Task *task)
{
	return task == NULL ? "Task Validation Error: " :
		psprintf("Task Validation Error: task %d (%s): ", task->number, task->rule->name);
}

char *
task_property(const Task *task, const char *key)
{
	return jsonb_get_text(task->properties, key);
}

int
task_number_property(Compiler *compiler, const Task *task, const char *key, int otherwise)
{
	char	   *text = task_property(task, key);
	int64		value;

	if (text == NULL)
	{
		if (otherwise == 0)
			task_problem(compiler, task, "taskProperties.%s is missing", key);
		return otherwise;
	}
	if (!text_parse_int64(text, strlen(text), &value) || value <= 0 || value > PG_INT32_MAX)
	{
		task_problem(compiler, task, "taskProperties.%s \"%s\" is not a positive integer of 32 bits", key, text);
		return 0;
	}
	return (int) value;
}

List *
task_list(Compiler *compiler, const Task *task, const char *key, const char *text)
{
	List	   *result = NIL;
	const char *start = text;

	if (text[strspn(text, " \t\n")] == '[')
	{
		Jsonb	   *array = jsonb_parse(text);

		if (array == NULL || !JB_ROOT_IS_ARRAY(array))
		{
			task_problem(compiler, task, "taskProperties.%s \"%s\" is not a JSON array of strings", key, text);
			return NIL;
		}
		result = jsonb_array_texts(array);
		if (list_length(result) != (int) JB_ROOT_COUNT(array))
			task_problem(compiler, task, "taskProperties.%s \"%s\" is not a JSON array of strings", key, text);
		return result;
	}
	while (*start != '\0')
	{
		const char *comma = strchr(start, ',');
		size_t		length = comma != NULL ? (size_t) (comma - start) : strlen(start);

		if (length > 0)
			result = lappend(result, pnstrdup(start, length));
		else
			task_problem(compiler, task, "taskProperties.%s \"%s\" has an empty item", key, text);
		start += length + (comma != NULL);
	}
	return result;
}

static bool
find_kind(const char *name, TaskKind *kind)
{
	for (int i = 0; i < (int) lengthof(rules); i++)
	{
		if (pg_strcasecmp(name, rules[i].name) == 0)
		{
			*kind = (TaskKind) i;
			return true;
		}
	}
	return false;
}

static bool
source_has_operator(const Compiler *compiler, const char *operator)
{
	return (compiler->plan->source.traits->operators & (1u << task_operator_find(operator))) != 0;
}

/* the operators of a kind of task, as far as the source has them */
static char *
operator_names(const Compiler *compiler, const TaskRule *rule)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; rule->operators[i] != NULL; i++)
	{
		if (source_has_operator(compiler, rule->operators[i]))
			appendStringInfo(&names, "%s%s", names.len == 0 ? "" : ", ", rule->operators[i]);
	}
	return names.data;
}

static void
read_operator(Compiler *compiler, Task *task, Jsonb *definition)
{
	const char *source = compiler->plan->source.connector_type;
	Jsonb	   *holder = jsonb_get_container(definition, "connectorOperator");
	char	   *key;
	Jsonb	   *value;
	char	   *operator;

	if (holder != NULL && JB_ROOT_COUNT(holder) > 0)
	{
		if (!jsonb_get_only(holder, &key, &value, &operator) || operator == NULL)
		{
			task_problem(compiler, task, "connectorOperator must have exactly one member: the source connector and its operator");
			return;
		}
		if (pg_strcasecmp(operator, "NO_OP") == 0)
			operator = NULL;
		else
		{
			bool		known = false;

			for (int i = 0; task->rule->operators[i] != NULL; i++)
			{
				if (pg_strcasecmp(operator, task->rule->operators[i]) == 0)
				{
					task->operator = pstrdup(task->rule->operators[i]);
					known = true;
				}
			}
			if (!known)
			{
				task_problem(compiler, task, "operator \"%s\" is not one of a %s task, which are: %s", operator, task->rule->name,
							 operator_names(compiler, task->rule));
				return;
			}
			if (pg_strcasecmp(key, source) != 0)
			{
				task_problem(compiler, task, "connectorOperator names \"%s\", but the source is \"%s\"", key, source);
				return;
			}
			if (!source_has_operator(compiler, task->operator) && !jsonb_get_bool(definition, PULL_WINDOW_TASK, false))
				task_problem(compiler, task, "operator %s is not supported for source %s", task->operator, source);
		}
	}
	if (task->operator == NULL && task->rule->needs_operator)
		task_problem(compiler, task, "connectorOperator.%s does not say what to do: it is one of %s", source, operator_names(compiler, task->rule));
}

Task *
task_read(Compiler *compiler, Jsonb *definition, int number)
{
	Task	   *task = palloc0(sizeof(Task));
	char	   *type = jsonb_get_text(definition, "taskType");
	ListCell   *lc;

	task->number = number;
	if (type == NULL || !find_kind(type, &task->kind))
	{
		*compiler->problems = lappend(*compiler->problems,
									  psprintf("Task Validation Error: task %d: taskType \"%s\" is not known",
											   number, type ? type : ""));
		return NULL;
	}
	task->rule = &rules[task->kind];
	task->properties = jsonb_get_container(definition, "taskProperties");
	task->destination = jsonb_get_text(definition, "destinationField");
	if (task->destination != NULL && task->destination[0] == '\0')
		task->destination = NULL;

	/* [""] stands for [] */
	foreach(lc, jsonb_array_texts(jsonb_get_container(definition, "sourceFields")))
	{
		char	   *name = lfirst(lc);

		if (name[0] != '\0')
			task->fields = lappend(task->fields, name);
	}
	if (list_length(task->fields) < task->rule->min_fields)
		task_problem(compiler, task, task->rule->min_fields == 1 ? "sourceFields is empty" :
					 "sourceFields has %d fields, at least %d are needed",
					 list_length(task->fields), task->rule->min_fields);
	if (list_length(task->fields) > task->rule->max_fields)
		task_problem(compiler, task, "sourceFields has %d fields, only one can be mapped at a time (Merge joins several)",
					 list_length(task->fields));

	foreach(lc, jsonb_keys(task->properties))
	{
		char	   *key = lfirst(lc);
		bool		known = false;

		for (int i = 0; i < (int) lengthof(task->rule->properties) && task->rule->properties[i] != NULL; i++)
			known |= strcmp(key, task->rule->properties[i]) == 0;
		if (!known)
			task_problem(compiler, task, "taskProperties.%s means nothing to a %s task", key, task->rule->name);
	}
	read_operator(compiler, task, definition);
	return task;
}
