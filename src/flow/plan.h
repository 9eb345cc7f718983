/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  A flow definition, compiled: what to read, what to do, where to write.
 *
 * Compiling needs nothing but the definition, so create_flow does it to find
 * out whether the flow can ever run, and the worker does it again to run it.
 *
 * IDENTIFICATION
 *	  src/flow/plan.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_PLAN_H
#define APPFLOW_FLOW_PLAN_H

#include "postgres.h"

#include "connector/connector.h"
#include "connector/traits.h"
#include "flow/trigger.h"

/* One end of a flow: sourceFlowConfig or a destinationFlowConfig. */
typedef struct FlowEnd
{
	const ConnectorTraits *traits;
	const Connector *connector;
	const char *connector_type; /* as AppFlow spells it */
	char	   *connector_label;	/* custom connectors; else NULL */
	char	   *profile;		/* connectorProfileName or NULL */
	Jsonb	   *configuration;	/* ConnectorConfiguration of a registered connector, else NULL */
	bool		has_profile;	/* and it is one that was created, not the built-in */
	char	   *api_version;	/* or NULL */
	Jsonb	   *properties;		/* the connector's own properties */
	char	   *entity;			/* object, entityName, ...; NULL for S3 */
	char	   *bucket;			/* S3; else NULL */
} FlowEnd;

/* What a task does with the records of a batch. */
typedef enum StepKind
{
	STEP_VALIDATE,
	STEP_MASK,
	STEP_TRUNCATE,
	STEP_MERGE,
	STEP_ARITHMETIC
} StepKind;

typedef enum ValidateOperator
{
	VALIDATE_NON_NULL,
	VALIDATE_NON_ZERO,
	VALIDATE_NON_NEGATIVE,
	VALIDATE_NUMERIC
} ValidateOperator;

typedef enum MaskOperator
{
	MASK_ALL,
	MASK_FIRST_N,
	MASK_LAST_N
} MaskOperator;

typedef enum ArithmeticOperator
{
	ARITHMETIC_ADDITION,
	ARITHMETIC_SUBTRACTION,
	ARITHMETIC_MULTIPLICATION,
	ARITHMETIC_DIVISION
} ArithmeticOperator;

/* a piece of a CONCAT_FORMAT: literal text, then the value of a slot */
typedef struct MergePart
{
	char	   *literal;		/* may be empty */
	int			slot;			/* -1: only the literal (the end) */
} MergePart;

typedef struct Step
{
	StepKind	kind;
	int			task;			/* 1-based number of the task in the definition */
	int			nslots;
	int		   *slots;			/* fields it works on, in order */
	int			target;			/* MERGE, ARITHMETIC: the slot it fills */
	ValidateOperator validate;
	bool		terminate;		/* VALIDATE: DropDataset instead of DropRecord */
	MaskOperator mask;
	char	   *mask_value;		/* one character, UTF-8 */
	int			length;			/* MASK, TRUNCATE: in characters */
	ArithmeticOperator arithmetic;
	int			nparts;			/* MERGE */
	MergePart  *parts;
} Step;

/*
 * A slot is a column of values by name: a field of the source, or one that a
 * Merge or Arithmetic task makes.
 */
typedef struct Slot
{
	char	   *name;
	bool		derived;
	bool		named;			/* by another task than a filter that compares */
	bool		text;			/* a Mask or Truncate task makes text of it */
	int			masked;			/* number of the task that masks it; 0: none */
} Slot;

/* a field of the destination */
typedef struct Output
{
	int			slot;
	char	   *name;
	bool		typed;			/* DESTINATION_DATA_TYPE was given */
	FieldType	type;
	int			precision;
	int			scale;
} Output;

typedef struct FlowPlan
{
	FlowEnd		source;
	FlowEnd		destination;
	FlowTrigger trigger;

	int			nslots;
	Slot	   *slots;
	List	   *filters;		/* of Filter * */
	List	   *steps;			/* of Step *, in the order of execution */
	List	   *outputs;		/* of Output *, explicit Map tasks */

	bool		map_all;		/* Map_all or Passthrough */
	List	   *exclude;		/* of char *, with map_all */
	bool		include_new;	/* with map_all: also fields met late */
	List	   *partition_keys; /* of char *, destination field names */

	WriteOperation operation;
	List	   *id_fields;		/* of char * */
	char	   *error_bucket;	/* NULL: no error file */
	char	   *error_prefix;
	char	   *response_bucket;	/* NULL: what the destination answers is not kept */
	char	   *response_prefix;
	bool		fail_on_first_error;

	/* glueDataCatalog: where what is written is registered */
	char	   *catalog_database;	/* NULL: nowhere */
	char	   *catalog_role;	/* ARN */
	char	   *catalog_prefix; /* of tables' names */
} FlowPlan;

/*
 * Compile the definition of a flow (the canonical CreateFlow request).
 * Raises ValidationException naming everything that is wrong with it, or
 * UnsupportedOperationException for a connector that cannot serve.
 */
extern FlowPlan *flow_compile(Jsonb *definition);

/* Do the records of the source come with files? */
extern bool plan_brings_files(const FlowPlan *plan);

/* The fields of the source that a run asks for (of char *), besides those of Map_all. */
extern List *plan_source_fields(const FlowPlan *plan);

/* Note what is wrong with a definition: prefix, then the words. */
extern void compile_problem(List **problems, const char *prefix, const char *fmt,...) pg_attribute_printf(3, 4);

/* ---------- compile_tasks.c ---------- */

/*
 * Compile the tasks into the plan, whose ends are known.  What is wrong is
 * appended to problems (of char *).
 */
extern void compile_tasks(FlowPlan *plan, Jsonb *definition, List **problems);

#endif							/* APPFLOW_FLOW_PLAN_H */
