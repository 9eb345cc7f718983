/*-------------------------------------------------------------------------
 *
 * task.h
 *	  The tasks of a flow definition, while they are compiled.
 *
 * IDENTIFICATION
 *	  src/flow/task.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_TASK_H
#define APPFLOW_TASK_H

#include "postgres.h"

#include "flow/plan.h"

typedef enum TaskKind
{
	TASK_ARITHMETIC,
	TASK_FILTER,
	TASK_MAP,
	TASK_MAP_ALL,
	TASK_MASK,
	TASK_MERGE,
	TASK_PASSTHROUGH,
	TASK_TRUNCATE,
	TASK_VALIDATE,
	TASK_PARTITION
} TaskKind;

/* what a task of each kind may have */
typedef struct TaskRule
{
	const char *name;
	int			min_fields;
	int			max_fields;
	bool		needs_operator;
	const char *operators[10];	/* allowed values of the operator; NULL-terminated */
	const char *properties[8];	/* properties that mean something to it */
} TaskRule;

/* one task while it is compiled */
typedef struct Task
{
	int			number;			/* 1-based */
	TaskKind	kind;
	const TaskRule *rule;
	List	   *fields;			/* sourceFields without empty names */
	char	   *operator;		/* as in rule->operators; NULL: none or NO_OP */
	char	   *destination;	/* destinationField */
	Jsonb	   *properties;		/* taskProperties or NULL */
} Task;

typedef struct Compiler
{
	FlowPlan   *plan;
	List	  **problems;
	List	   *tasks;			/* of Task * */
} Compiler;

/* note what is wrong with a task, or with all of them (NULL) */
#define task_problem(compiler, task, ...) \
	compile_problem((compiler)->problems, task_prefix(task), __VA_ARGS__)

extern const char *task_prefix(const Task *task);

/* a member of taskProperties, or NULL */
extern char *task_property(const Task *task, const char *key);

/*
 * A property that is a positive number; 0 and a noted problem if it is not, or if it is
 * missing and otherwise is 0.
 */
extern int	task_number_property(Compiler *compiler, const Task *task, const char *key, int otherwise);

/* a list given as text: a JSON array of strings, or names between commas */
extern List *task_list(Compiler *compiler, const Task *task, const char *key, const char *text);

/*
 * A task of the definition, checked for what its kind may have; NULL, and a noted
 * problem, if there is no such kind.
 */
extern Task *task_read(Compiler *compiler, Jsonb *definition, int number);

#endif							/* APPFLOW_TASK_H */
