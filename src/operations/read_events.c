/*-------------------------------------------------------------------------
 *
 * read_events.c
 *	  appflow.read_events(): what an application announces, as a flow that it
 *	  triggers would get it.
 *
 * IDENTIFICATION
 *	  src/operations/read_events.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/json_writer.h"
#include "compat.h"
#include "flow/session.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(appflow_read_events);

/* a record as an object of what is not null */
static Datum
event_jsonb(ByteBuffer *text, const Schema *schema, Batch *batch, uint32 row)
{
	bool		first = true;

	buffer_reset(text);
	buffer_append_char(text, '{');
	for (int i = 0; i < schema->nfields; i++)
	{
		const Cell *cell = &batch->columns[i][row];

		if (cell->kind == CELL_NULL)
			continue;
		if (!first)
			buffer_append_char(text, ',');
		first = false;
		json_append_string(text, schema->fields[i].name, strlen(schema->fields[i].name));
		buffer_append_char(text, ':');
		json_append_cell(text, cell, schema->fields[i].type);
	}
	buffer_append_char(text, '}');
	buffer_append_char(text, '\0');
	if (text->failed)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(pg_any_to_server(text->data, (int) text->length - 1, PG_UTF8)));
}

static ReadRequest *
make_request(FunctionCallInfo fcinfo)
{
	ReadRequest *request = read_request_create(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Interval   *patience = PG_GETARG_INTERVAL_P(3);

	request->position = text_to_cstring(PG_GETARG_TEXT_PP(2));
	request->patience = patience->time / 1000 + (patience->day + patience->month * INT64CONST(30)) * 86400000;
	if (request->patience < 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("patience must not be negative"));
	request->all_fields = PG_ARGISNULL(5);
	if (!PG_ARGISNULL(5))
	{
		Datum	   *names;
		bool	   *nulls;
		int			n;

		deconstruct_array(PG_GETARG_ARRAYTYPE_P(5), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &n);
		for (int i = 0; i < n; i++)
		{
			if (!nulls[i])
				request->fields = lappend(request->fields, TextDatumGetCString(names[i]));
		}
	}
	return request;
}

/*
 * read_events(connector_profile_name text, entity text, position text, patience
 * interval, max_events integer, fields text[]) returns table (position text, event jsonb)
 */
Datum
appflow_read_events(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ProfileRow *profile;
	ConnectorSession *session;
	RecordReader *reader;
	Batch	   *batch;
	Owned	   *buffer;
	MemoryContext rows;
	int64		left;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < 5; i++)
	{
		if (PG_ARGISNULL(i))
			PG_RETURN_VOID();
	}
	left = PG_GETARG_INT32(4);
	profile = profile_use(text_to_cstring(PG_GETARG_TEXT_PP(0)), HOLD_NOT);
	session = session_open(profile->connector_type, profile->name, NULL, GetUserId());
	if (session->connector->open_reader == NULL)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("connector type \"%s\" cannot be read", profile->connector_type));
	reader = session->connector->open_reader(session, make_request(fcinfo));
	if (reader->position == NULL)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("connector type \"%s\" has no events", profile->connector_type));
	batch = batch_create(reader->schema->nfields);
	buffer = own_buffer(CurrentMemoryContext);
	rows = AllocSetContextCreate(CurrentMemoryContext, "appflow events", ALLOCSET_DEFAULT_SIZES);
	while (left > 0)
	{
		CHECK_FOR_INTERRUPTS();
		batch_reset(batch);
		if (!reader->next(reader, batch))
			break;
		for (uint32 row = 0; row < batch->nrows; row++)
		{
			MemoryContext old = MemoryContextSwitchTo(rows);
			bool		nulls[2] = {false};
			Datum		values[2];

			values[0] = CStringGetTextDatum(reader->position);
			values[1] = event_jsonb(buffer->object, reader->schema, batch, row);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
			MemoryContextSwitchTo(old);
			MemoryContextReset(rows);
		}
		left -= batch->nrows;
	}
	reader->close(reader);
	session_close(session);
	PG_RETURN_VOID();
}
