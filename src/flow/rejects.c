/*-------------------------------------------------------------------------
 *
 * rejects.c
 *	  Records that did not make it.
 *
 * IDENTIFICATION
 *	  src/flow/rejects.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/json_writer.h"
#include "flow/rejects.h"
#include "record/errors.h"
#include "utils/memutils.h"

Rejects *
rejects_create(const FlowPlan *plan, const char *flow_name, const char *execution_id, ObjectStore *store,
			   ObjectStore *response_store)
{
	Rejects    *rejects = palloc0(sizeof(Rejects));

	rejects->stop_at_first = plan->fail_on_first_error;
	if (store != NULL)
		rejects->file = outcome_file_create(store, plan->error_bucket, plan->error_prefix, flow_name, execution_id, "1.jsonl");
	if (response_store != NULL)
		rejects->responses = outcome_file_create(response_store, plan->response_bucket, plan->response_prefix,
												 flow_name, execution_id, "responses.jsonl");
	return rejects;
}

/* the record as the destination would have got it */
static void
append_record(Rejects *rejects, ByteBuffer *out, uint32 row)
{
	Transform  *transform = rejects->transform;
	Schema	   *schema = transform->writer->schema;

	buffer_append_char(out, '{');
	for (int i = 0; i < transform->noutputs; i++)
	{
		if (i > 0)
			buffer_append_char(out, ',');
		json_append_string(out, schema->fields[i].name, strlen(schema->fields[i].name));
		buffer_append_char(out, ':');
		json_append_cell(out, &transform->columns[i][row], schema->fields[i].type);
	}
	buffer_append_char(out, '}');
}

/*
 * record: the JSON text, or NULL for a row of the batch that the transform has.
 */
static void
add(Rejects *rejects, const char *record, uint32 row, const char *where, const char *code, const char *message)
{
	ByteBuffer *out;
	MemoryContext old;

	rejects->count++;
	if (rejects->first == NULL)
	{
		old = MemoryContextSwitchTo(GetMemoryChunkContext(rejects));
		rejects->first = psprintf("%s: %s", where, message);
		MemoryContextSwitchTo(old);
	}
	if (rejects->file != NULL)
	{
		out = outcome_file_begin_line(rejects->file);
		buffer_append_string(out, "{\"record\":");
		if (record != NULL)
			buffer_append_string(out, record);
		else
			append_record(rejects, out, row);
		buffer_append_string(out, ",\"errorCode\":");
		json_append_string(out, code, strlen(code));
		buffer_append_string(out, ",\"errorMessage\":");
		json_append_string(out, message, strlen(message));
		buffer_append_string(out, ",\"source\":");
		json_append_string(out, where, strlen(where));
		buffer_append_char(out, '}');
		outcome_file_end_line(rejects->file);
	}
	if (rejects->stop_at_first)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "failOnFirstDestinationError stops the run"),
				errmsg("%s: %s", where, message));
}

void
rejects_add(void *arg, const Batch *batch, uint32 row, const char *code, const char *message)
{
	char	   *where = batch_locate(batch, row);

	add(arg, NULL, row, where, code, message);
	pfree(where);
}

void
rejects_add_late(void *arg, const char *record, const char *where, const char *code, const char *message)
{
	add(arg, record, 0, where, code, message);
}

void
rejects_accept(void *arg, const Batch *batch, uint32 row, const Cell *result)
{
	Rejects    *rejects = arg;
	const Schema *schema = rejects->transform->writer->results;
	ByteBuffer *out = outcome_file_begin_line(rejects->responses);

	buffer_append_string(out, "{\"record\":");
	append_record(rejects, out, row);
	for (int i = 0; i < schema->nfields; i++)
	{
		buffer_append_char(out, ',');
		json_append_string(out, schema->fields[i].name, strlen(schema->fields[i].name));
		buffer_append_char(out, ':');
		json_append_cell(out, &result[i], schema->fields[i].type);
	}
	buffer_append_char(out, '}');
	outcome_file_end_line(rejects->responses);
}

void
rejects_finish(Rejects *rejects)
{
	if (rejects->file != NULL)
		outcome_file_finish(rejects->file);
	if (rejects->responses != NULL)
		outcome_file_finish(rejects->responses);
}
