/*-------------------------------------------------------------------------
 *
 * transform.h
 *	  Applies a compiled flow to batches: filters, steps, mapping, conversion.
 *
 * IDENTIFICATION
 *	  src/flow/transform.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_TRANSFORM_H
#define APPFLOW_FLOW_TRANSFORM_H

#include "postgres.h"

#include "flow/plan.h"

/* Where the values of a plan's slot are in a batch. */
typedef struct BoundSlot
{
	int			column;			/* column of the batch; -1: cells */
	Cell	   *cells;			/* derived fields */
	FieldType	type;			/* of the reader's schema; FIELD_STRING for derived ones */
	int			uses;			/* outputs fed from it */
} BoundSlot;

/* How a field of the destination is filled. */
typedef struct BoundOutput
{
	int			slot;			/* of the plan; -1: column */
	int			column;			/* column of the batch (fields of Map_all) */
	const Field *declared;		/* DESTINATION_DATA_TYPE, where it is not the
								 * writer's own: cells become that first; or NULL */
	bool		convert;		/* bring cells into the canonical kind of the writer's field */
	bool		copy;			/* others read the same cells: convert a copy */
	Cell	   *cells;			/* the copy */
} BoundOutput;

/* A record that failed on the way, kept until it can be shown as it would have been written. */
typedef struct Transform
{
	FlowPlan   *plan;
	RecordReader *reader;
	RecordWriter *writer;		/* set by transform_bind_writer() */
	Batch	   *batch;

	BoundSlot  *slots;			/* plan->nslots */
	int			noutputs;
	int			output_capacity;
	BoundOutput *outputs;		/* one per field of the writer's schema */
	int			reader_fields;	/* fields of reader->schema that are bound */

	uint32	   *rows;			/* selection: rows that go on */
	uint32		nrows;
	const char **failed;		/* per row of the batch: why it failed, or NULL */
	bool		any_failed;
	const Cell **columns;		/* what the writer gets */
	MemoryContext scratch;		/* emptied for each batch */

	uint64		filtered;		/* records dropped by filters and Validate so far */
} Transform;

/*
 * Bind the plan to what the reader gives.  After this the output schema is
 * known as far as it can be: transform_schema() gives names and types.
 */
extern Transform *transform_create(FlowPlan *plan, RecordReader *reader);
extern Schema *transform_schema(Transform *transform);

/* Bind to the writer, whose schema has the fields of transform_schema() in order. */
extern void transform_bind_writer(Transform *transform, RecordWriter *writer);

/*
 * Apply the plan to the batch.  Leaves in set what is to be written; failed
 * records have been reported to outcomes.
 */
extern void transform_batch(Transform *transform, RecordSet *set, const Outcomes *outcomes);

/* ---------- steps.c ---------- */

/* carry out one step for the selected rows */
extern void step_apply(Transform *transform, const Step *step);

/* the cells of a slot */
static inline Cell *
transform_cells(const Transform *transform, int slot)
{
	const BoundSlot *bound = &transform->slots[slot];

	return bound->column >= 0 ? transform->batch->columns[bound->column] : bound->cells;
}

/* mark a row as failed, unless it has failed before */
extern void transform_fail(Transform *transform, uint32 row, const char *reason);

#endif							/* APPFLOW_FLOW_TRANSFORM_H */
