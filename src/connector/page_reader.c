/*-------------------------------------------------------------------------
 *
 * page_reader.c
 *	  Reads records from an application that answers in pages of JSON.
 *
 * All bytes go through one buffer; the records' cells point into it, so a batch
 * never spans two fillings of it, nor two pages.  Each page has a memory context of
 * its own for its call: two of them take turns, as one page is read while the
 * next is on its way.
 *
 * IDENTIFICATION
 *	  src/connector/page_reader.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/json_reader.h"
#include "compat.h"
#include "connector/page_reader.h"
#include "connector/stream_buffer.h"
#include "net/aws_service.h"
#include "record/errors.h"
#include "utils/memutils.h"

#define SHOWN_BODY 200

typedef struct PageState
{
	MemoryContext context;
	HttpCall   *call;			/* NULL: none */
} PageState;

typedef struct PageReader
{
	RecordReader base;
	MemoryContext context;
	PageSource	source;
	Owned	   *json;			/* a JsonReader */

	PageState	states[2];
	int			current;		/* the state whose page is being read */
	RecordPage	page;			/* what is known of it; its call is NULL when it is done */
	NextPage	follows;		/* what is known of the one behind it */
	uint64		records;

	bool		first;			/* no bytes of the page have been parsed yet */
	StreamBuffer buffer;		/* of the page's bytes */
} PageReader;

static void
free_json(void *object)
{
	json_reader_free((JsonReader *) object);
}

static void
out_of_memory(void)
{
	ereport(ERROR,
			errcode(ERRCODE_OUT_OF_MEMORY),
			errmsg("out of memory"));
}

/* ---------- pages ---------- */

static void
set_envelope(PageReader *reader)
{
	for (int i = 0; i < reader->source.nenvelope; i++)
		reader->page.envelope[i] = json_reader_envelope(reader->json->object, i);
}

/*
 * Find out about the page behind the current one, and send for it; before the current
 * one is complete only if the caller is going to want it.
 */
static void
look_ahead(PageReader *reader)
{
	PageState  *next = &reader->states[1 - reader->current];
	HttpCall   *call = NULL;
	MemoryContext old;

	if (reader->follows != PAGE_UNKNOWN)
		return;
	if (!reader->page.complete && reader->source.limit_hint != NO_LIMIT &&
		reader->records < (uint64) reader->source.limit_hint)
		return;
	set_envelope(reader);
	old = MemoryContextSwitchTo(next->context);
	reader->follows = reader->source.next_page(reader->source.arg, &reader->page, &call);
	MemoryContextSwitchTo(old);
	if (reader->follows == PAGE_UNKNOWN && reader->page.complete)
		elog(ERROR, "the connector does not know whether a page follows");
	if (reader->follows == PAGE_FOLLOWS)
	{
		next->call = call;
		if (reader->source.limit_hint == NO_LIMIT || reader->records < (uint64) reader->source.limit_hint)
			http_start(call);
	}
}

/* the call of a state becomes the page that is read; waits for its headers */
static void
begin_page(PageReader *reader, PageState *state)
{
	HttpCall   *call = state->call;

	http_wait(call);
	if (reader->source.begun != NULL)
		reader->source.begun(reader->source.arg, call);
	if (call->status >= 300)
	{
		if (call->status >= 400 && reader->source.fail != NULL)
			reader->source.fail(reader->source.arg, call);
		session_raise(reader->source.session, call, reader->source.what, NULL, NULL);
	}
	reader->page.call = call;
	reader->page.number++;
	reader->base.pages++;
	reader->page.records = 0;
	reader->page.complete = false;
	reader->follows = PAGE_UNKNOWN;
	reader->first = true;
	stream_buffer_restart(&reader->buffer);
	json_reader_restart(reader->json->object);
}

static void
make_first_call(PageReader *reader)
{
	PageState  *state = &reader->states[reader->current];
	MemoryContext old;

	if (state->call != NULL)
		return;
	old = MemoryContextSwitchTo(state->context);
	reader->follows = reader->source.next_page(reader->source.arg, NULL, &state->call);
	MemoryContextSwitchTo(old);
}

/* go to the next page; false if there is none */
static bool
open_next_page(PageReader *reader)
{
	if (reader->page.number == 0)
	{
		make_first_call(reader);
		if (reader->follows != PAGE_FOLLOWS)
			return false;
	}
	else
	{
		if (reader->follows != PAGE_FOLLOWS)
			return false;
		reader->current = 1 - reader->current;
	}
	begin_page(reader, &reader->states[reader->current]);
	return true;
}

/* all of the page has been read */
static void
end_page(PageReader *reader)
{
	PageState  *state = &reader->states[reader->current];

	reader->page.complete = true;
	set_envelope(reader);
	if (reader->source.check != NULL)
		reader->source.check(reader->source.arg, &reader->page);
	if (!reader->source.may_lack_records && !reader->source.lines && reader->page.call->status != 204 &&
		!json_reader_found_records(reader->json->object))
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", reader->page.call->method,
									 http_shown_url(reader->page.call->url), reader->page.call->status),
				errmsg("the answer of %s about %s has no records: there is no member \"%s\"",
					   session_application(reader->source.session), reader->source.what, reader->source.record_path));
	look_ahead(reader);
	http_close(state->call);
	state->call = NULL;
	reader->page.call = NULL;
	MemoryContextReset(state->context);
}

/* ---------- bytes ---------- */

static size_t
read_bytes(void *arg, char *to, size_t room)
{
	PageReader *reader = arg;
	size_t		got = http_read(reader->page.call, to, room);

	reader->base.bytes += got;
	return got;
}

static void
fill_buffer(PageReader *reader)
{
	/* the first bytes of a page tell whether it is one */
	if (!stream_buffer_fill(&reader->buffer, reader->first ? 1 : STREAM_BUFFER_ENOUGH, read_bytes, reader))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s sent a record of %s with more than %d MB", session_application(reader->source.session),
					   reader->source.what, STREAM_BUFFER_MAX_MB));
}

pg_noreturn static void
malformed(PageReader *reader, size_t unread)
{
	const CodecError *error = json_reader_error(reader->json->object);
	const char *type = session_application(reader->source.session);
	HttpCall   *call = reader->page.call;
	const char *p = reader->buffer.data + reader->buffer.start;

	/* what is no JSON from the beginning is likely some page for people */
	while (unread > 0 && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++, unread--;
	if (reader->first && unread > 0 && *p != '{' && *p != '[')
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method,
									 http_shown_url(call->url), call->status),
				errmsg("the answer of %s about %s is not JSON: %s", type, reader->source.what,
					   aws_clean_line(pnstrdup(p, Min(unread, SHOWN_BODY)))),
				errhint("Is the URL of connector profile \"%s\" right?", reader->source.session->profile_name));
	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method,
								 http_shown_url(call->url), call->status),
			errmsg("page " UINT64_FORMAT " of %s from %s is malformed: line " UINT64_FORMAT ", column " UINT64_FORMAT ": %s",
				   reader->page.number, reader->source.what, type, (uint64) error->line, (uint64) error->column,
				   error->message));
}

/* parse what is in the buffer; true if the page is done */
static bool
parse(PageReader *reader, Batch *batch)
{
	StreamBuffer *buffer = &reader->buffer;
	JsonReadResult result;

	/* an answer without a body, such as 204 */
	if (reader->first && buffer->at_end && buffer->length == 0)
		return true;
	for (;;)
	{
		JsonStatus	status = json_reader_read(reader->json->object, buffer->data + buffer->start,
											  buffer->length, buffer->at_end, batch->arena,
											  batch->columns, batch->lines, BATCH_ROWS, &result);

		if (status == JSON_ERROR)
			malformed(reader, buffer->length);
		reader->first = false;
		stream_buffer_consume(buffer, result.consumed);
		batch->nrows = result.rows;
		switch (status)
		{
			case JSON_MORE:
				buffer->starved = true;
				return buffer->at_end;
			case JSON_FULL:
				return false;
			case JSON_NEW_FIELD:
				/* rows before it go first, they have no such column */
				if (result.rows > 0)
					return false;
				batch_add_found(batch, reader->base.schema, reader->json->object);
				break;
			case JSON_ERROR:
				pg_unreachable();
		}
	}
}

/* ---------- the reader ---------- */

static bool
page_next(RecordReader *base, Batch *batch)
{
	PageReader *reader = (PageReader *) base;
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	for (;;)
	{
		bool		done;

		if (reader->page.call == NULL && !open_next_page(reader))
		{
			MemoryContextSwitchTo(old);
			return false;
		}
		if (reader->buffer.starved)
			fill_buffer(reader);
		done = parse(reader, batch);

		/* lines of a page help nobody to find a record */
		memset(batch->lines, 0, sizeof(uint64) * batch->nrows);
		reader->page.records += batch->nrows;
		reader->records += batch->nrows;
		if (batch->nrows > 0 && reader->source.adapt != NULL)
			reader->source.adapt(reader->source.arg, &reader->page, batch);
		if (done)
			end_page(reader);
		else
			look_ahead(reader);
		if (batch->nrows > 0)
		{
			MemoryContextSwitchTo(old);
			return true;
		}
		arena_reset(batch->arena);
	}
}

/* the first and the next page are sent for, too */
static bool
page_ready(RecordReader *base)
{
	PageReader *reader = (PageReader *) base;
	HttpCall   *call = reader->page.call;

	if (call != NULL)
		return !reader->buffer.starved || http_at_hand(call, reader->first ? 1 : STREAM_BUFFER_ENOUGH);
	if (reader->page.number == 0)
	{
		make_first_call(reader);
		call = reader->states[reader->current].call;
	}
	else
		call = reader->states[1 - reader->current].call;
	return reader->follows != PAGE_FOLLOWS || http_at_hand(call, 1);
}

static void
page_close(RecordReader *base)
{
	PageReader *reader = (PageReader *) base;

	for (int i = 0; i < 2; i++)
	{
		if (reader->states[i].call != NULL)
			http_close(reader->states[i].call);
	}
	own_release(reader->json);
	MemoryContextDelete(reader->context);
}

static void
create_json_reader(PageReader *reader)
{
	const PageSource *source = &reader->source;
	JsonReaderOptions options = {
		.framing = source->lines ? JSON_FRAMING_LINES : JSON_FRAMING_PAGE, .record_path = source->record_path, .nfields = source->schema->nfields,
		.discover = source->discover, .envelope = source->envelope, .nenvelope = source->nenvelope
	};
	const char **fields = palloc(sizeof(char *) * Max(source->schema->nfields, 1));

	for (int i = 0; i < source->schema->nfields; i++)
		fields[i] = source->paths != NULL ? source->paths[i] : source->schema->fields[i].name;
	options.fields = fields;
	reader->json = own_in_context(reader->context, free_json);
	reader->json->object = json_reader_create(&options);
	if (reader->json->object == NULL)
		out_of_memory();
	pfree(fields);
}

RecordReader *
page_reader_open(const PageSource *source)
{
	PageReader *reader = palloc0(sizeof(PageReader));	/* outlives its context: what it has counted is asked for later */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow page reader",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	reader->base.schema = source->schema;
	reader->base.next = page_next;
	reader->base.close = page_close;
	reader->base.ready = page_ready;
	reader->context = context;
	reader->source = *source;
	reader->source.what = pstrdup(source->what);
	if (reader->source.record_path == NULL)
		reader->source.record_path = "";
	reader->page.envelope = palloc0(sizeof(Cell) * Max(source->nenvelope, 1));
	for (int i = 0; i < 2; i++)
		reader->states[i].context = AllocSetContextCreate(context, "appflow page", ALLOCSET_SMALL_SIZES);
	stream_buffer_init(&reader->buffer);
	create_json_reader(reader);
	MemoryContextSwitchTo(old);
	return &reader->base;
}

void *
page_reader_arg(RecordReader *reader)
{
	return ((PageReader *) reader)->source.arg;
}
