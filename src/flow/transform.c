/*-------------------------------------------------------------------------
 *
 * transform.c
 *	  Applies a compiled flow to batches, column by column.
 *
 * Rows that fail (a value that cannot be compared, computed with or converted)
 * go on through the steps until they are mapped, so that what the error file
 * shows of them is what the destination would have got: masked where the flow
 * masks.
 *
 * IDENTIFICATION
 *	  src/flow/transform.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flow/transform.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/memutils.h"

/* do only filters that the source evaluates name the field? */
static bool
is_settled(const FlowPlan *plan, const Slot *slot)
{
	ListCell   *lc;

	foreach(lc, plan->filters)
	{
		const Filter *filter = lfirst(lc);

		if (!filter->taken && strcmp(filter->field, slot->name) == 0)
			return false;
	}
	return !slot->named && plan->source.connector->grouping;
}

Transform *
transform_create(FlowPlan *plan, RecordReader *reader)
{
	Transform  *transform = palloc0(sizeof(Transform));

	transform->plan = plan;
	transform->reader = reader;
	transform->batch = batch_create(reader->schema->nfields);
	transform->rows = palloc(sizeof(uint32) * BATCH_ROWS);
	transform->failed = palloc0(sizeof(char *) * BATCH_ROWS);
	transform->scratch = AllocSetContextCreate(CurrentMemoryContext, "appflow transform",
											   ALLOCSET_DEFAULT_SIZES);
	transform->slots = palloc0(sizeof(BoundSlot) * Max(plan->nslots, 1));
	for (int i = 0; i < plan->nslots; i++)
	{
		BoundSlot  *bound = &transform->slots[i];

		if (plan->slots[i].derived)
		{
			bound->column = -1;
			bound->cells = palloc0(sizeof(Cell) * BATCH_ROWS);
			continue;
		}
		bound->column = schema_find(reader->schema, plan->slots[i].name);
		if (bound->column < 0 && is_settled(plan, &plan->slots[i]))
			continue;
		if (bound->column < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("source has no field \"%s\"", plan->slots[i].name));
		bound->type = reader->schema->fields[bound->column].type;
	}
	return transform;
}

/* is the source field left out of Map_all: excluded, or mapped explicitly to its own name? */
static bool
left_out(const FlowPlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, plan->exclude)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	foreach(lc, plan->outputs)
	{
		if (strcmp(((Output *) lfirst(lc))->name, name) == 0)
			return true;
	}
	return false;
}

static BoundOutput *
add_output(Transform *transform)
{
	if (transform->noutputs == transform->output_capacity)
	{
		transform->output_capacity = transform->output_capacity ? transform->output_capacity * 2 : 16;
		if (transform->outputs == NULL)
		{
			transform->outputs = palloc(sizeof(BoundOutput) * transform->output_capacity);
			transform->columns = palloc(sizeof(Cell *) * transform->output_capacity);
		}
		else
		{
			transform->outputs = repalloc(transform->outputs, sizeof(BoundOutput) * transform->output_capacity);
			transform->columns = repalloc(transform->columns, sizeof(Cell *) * transform->output_capacity);
		}
	}
	memset(&transform->outputs[transform->noutputs], 0, sizeof(BoundOutput));
	return &transform->outputs[transform->noutputs++];
}

/*
 * A field of Map_all, unless it is left out.
 */
static bool
add_map_all_output(Transform *transform, int column, Schema *schema)
{
	FlowPlan   *plan = transform->plan;
	const Field *field = &transform->reader->schema->fields[column];
	BoundOutput *output;
	Field	   *copy;

	if (field->hidden || left_out(plan, field->name))
		return false;
	output = add_output(transform);
	output->slot = -1;
	output->column = column;
	for (int i = 0; i < plan->nslots; i++)
	{
		if (transform->slots[i].column == column)
		{
			output->slot = i;
			transform->slots[i].uses++;
		}
	}
	if (output->slot >= 0 && plan->slots[output->slot].text)
		copy = schema_add(schema, field->name, FIELD_STRING);
	else
	{
		copy = schema_add(schema, field->name, field->type);
		copy->precision = field->precision;
		copy->scale = field->scale;
		copy->from_double = field->from_double;
	}
	copy->not_null = field->not_null && plan->filters == NIL;
	copy->key = field->key;
	return true;
}

Schema *
transform_schema(Transform *transform)
{
	FlowPlan   *plan = transform->plan;
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, plan->outputs)
	{
		Output	   *output = lfirst(lc);
		BoundOutput *bound = add_output(transform);
		BoundSlot  *slot = &transform->slots[output->slot];
		Field	   *field;

		bound->slot = output->slot;
		bound->column = slot->column;
		bound->convert = output->typed;
		slot->uses++;
		field = schema_add(schema, output->name, output->typed ? output->type :
						   plan->slots[output->slot].text ? FIELD_STRING : slot->type);
		if (output->typed)
		{
			field->precision = output->precision;
			field->scale = output->scale;
		}
		else if (slot->column >= 0 && !plan->slots[output->slot].text)
		{
			field->precision = transform->reader->schema->fields[slot->column].precision;
			field->scale = transform->reader->schema->fields[slot->column].scale;
			field->from_double = transform->reader->schema->fields[slot->column].from_double;
		}
	}
	if (plan->map_all)
	{
		for (int i = 0; i < transform->reader->schema->nfields; i++)
			(void) add_map_all_output(transform, i, schema);
	}
	transform->reader_fields = transform->reader->schema->nfields;
	return schema;
}

static void
bind_output(Transform *transform, int i)
{
	BoundOutput *output = &transform->outputs[i];
	const Field *field = &transform->writer->schema->fields[i];

	if (transform->writer->typed)
		output->convert = true;
	if (i < list_length(transform->plan->outputs))
	{
		const Output *mapped = list_nth(transform->plan->outputs, i);

		if (mapped->typed && (mapped->type != field->type || mapped->precision != field->precision ||
							  mapped->scale != field->scale))
		{
			Field	   *declared = palloc0(sizeof(Field));

			declared->name = mapped->name;
			declared->type = mapped->type;
			declared->precision = mapped->precision;
			declared->scale = mapped->scale;
			output->declared = declared;
		}
	}
	output->copy = output->convert && output->slot >= 0 && transform->slots[output->slot].uses > 1;
	if (output->copy && output->cells == NULL)
		output->cells = palloc(sizeof(Cell) * BATCH_ROWS);
}

void
transform_bind_writer(Transform *transform, RecordWriter *writer)
{
	transform->writer = writer;
	if (writer->schema->nfields != transform->noutputs)
		elog(ERROR, "writer has %d fields for %d outputs", writer->schema->nfields, transform->noutputs);
	for (int i = 0; i < transform->noutputs; i++)
		bind_output(transform, i);
}

/* fields that the reader has met since the last batch */
static void
bind_new_fields(Transform *transform)
{
	for (; transform->reader_fields < transform->reader->schema->nfields; transform->reader_fields++)
	{
		const char *name = transform->reader->schema->fields[transform->reader_fields].name;

		if (!transform->plan->map_all || !transform->plan->include_new ||
			!add_map_all_output(transform, transform->reader_fields, transform->writer->schema))
			continue;
		if (transform->writer->add_field == NULL)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("field \"%s\" appears after the destination's columns were fixed", name),
					errcontext("%s", batch_locate(transform->batch, 0)),
					errhint("Name the field in a Map task, or set INCLUDE_NEW_FIELDS to \"false\" to leave it out."));
		transform->writer->add_field(transform->writer);
		bind_output(transform, transform->noutputs - 1);
	}
}

void
transform_fail(Transform *transform, uint32 row, const char *reason)
{
	if (transform->failed[row] == NULL)
		transform->failed[row] = reason;
	transform->any_failed = true;
}

/* is the field masked, or part of one that is, or around one? */
static bool
is_masked(const FlowPlan *plan, const char *name)
{
	size_t		length = strlen(name);

	for (int i = 0; i < plan->nslots; i++)
	{
		const Slot *slot = &plan->slots[i];
		size_t		common = Min(strlen(slot->name), length);

		if (slot->masked != 0 && strncmp(slot->name, name, common) == 0 &&
			(slot->name[common] == '\0' || slot->name[common] == '.') &&
			(name[common] == '\0' || name[common] == '.'))
			return true;
	}
	return false;
}

static void
apply_filter(Transform *transform, const Filter *filter, int slot)
{
	const Cell *cells = transform_cells(transform, slot);
	uint32		kept = 0;

	for (uint32 i = 0; i < transform->nrows; i++)
	{
		uint32		row = transform->rows[i];
		char	   *problem;
		bool		matches = filter_matches(filter, transform->batch, &cells[row], &problem);

		/* the filter has seen the value itself; what it says may show it */
		if (problem != NULL && is_masked(transform->plan, filter->field))
			problem = "the value, which is masked, cannot be compared as the filter's DATA_TYPE says";
		if (problem != NULL)
			transform_fail(transform, row, psprintf("field \"%s\": %s", filter->field, problem));
		if (matches || problem != NULL)
			transform->rows[kept++] = row;
	}
	transform->filtered += transform->nrows - kept;
	transform->nrows = kept;
}

static void
convert_output(Transform *transform, int i)
{
	BoundOutput *output = &transform->outputs[i];
	const Field *field = &transform->writer->schema->fields[i];
	Cell	   *cells = output->slot >= 0 ? transform_cells(transform, output->slot) :
		transform->batch->columns[output->column];
	FieldType	source;
	FieldType	from;

	if (output->copy)
	{
		for (uint32 r = 0; r < transform->nrows; r++)
			output->cells[transform->rows[r]] = cells[transform->rows[r]];
		cells = output->cells;
	}
	transform->columns[i] = cells;
	if (!output->convert)
		return;

	/* only a wall clock's text has no zone */
	if (output->slot >= 0)
		source = transform->slots[output->slot].type;
	else
		source = transform->reader->schema->fields[output->column].type;
	if (source != FIELD_TIMESTAMP)
		source = FIELD_DATETIME;
	from = output->declared != NULL ? output->declared->type : source;
	for (uint32 r = 0; r < transform->nrows; r++)
	{
		uint32		row = transform->rows[r];
		char	   *problem = NULL;

		if (output->declared != NULL)
			problem = cell_convert_from(transform->batch, &cells[row], source, output->declared);
		if (problem == NULL)
			problem = cell_convert_from(transform->batch, &cells[row], from, field);
		if (unlikely(problem != NULL))
			transform_fail(transform, row, psprintf("field \"%s\": %s", field->name, problem));
	}
}

void
transform_batch(Transform *transform, RecordSet *set, const Outcomes *outcomes)
{
	FlowPlan   *plan = transform->plan;
	Batch	   *batch = transform->batch;
	MemoryContext old;
	ListCell   *lc;

	if (transform->reader_fields < transform->reader->schema->nfields)
		bind_new_fields(transform);

	MemoryContextReset(transform->scratch);
	old = MemoryContextSwitchTo(transform->scratch);
	if (transform->any_failed)
	{
		memset(transform->failed, 0, sizeof(char *) * BATCH_ROWS);
		transform->any_failed = false;
	}
	transform->nrows = batch->nrows;
	for (uint32 i = 0; i < batch->nrows; i++)
		transform->rows[i] = i;

	foreach(lc, plan->filters)
	{
		Filter	   *filter = lfirst(lc);

		if (filter->taken)
			continue;
		for (int slot = 0; slot < plan->nslots; slot++)
		{
			if (strcmp(plan->slots[slot].name, filter->field) == 0)
				apply_filter(transform, filter, slot);
		}
	}
	foreach(lc, plan->steps)
	{
		CHECK_FOR_INTERRUPTS();
		step_apply(transform, lfirst(lc));
	}
	for (int i = 0; i < transform->noutputs; i++)
		convert_output(transform, i);

	set->batch = batch;
	set->columns = transform->columns;
	if (transform->any_failed)
	{
		uint32		kept = 0;

		for (uint32 i = 0; i < transform->nrows; i++)
		{
			uint32		row = transform->rows[i];

			if (transform->failed[row] == NULL)
				transform->rows[kept++] = row;
			else
				outcomes->reject(outcomes->arg, batch, row, "InvalidValue", transform->failed[row]);
		}
		transform->nrows = kept;
	}
	set->rows = transform->rows;
	set->nrows = transform->nrows;
	MemoryContextSwitchTo(old);
}
