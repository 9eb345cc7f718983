/*-------------------------------------------------------------------------
 *
 * eventbridge.c
 *	  Amazon EventBridge: each record an event of a bus.
 *
 * The destination's object names the bus, or is its ARN.  AppFlow itself fills partner
 * event sources (aws.partner/...), to which nobody but a partner of AWS can write:
 * events for such an object go to the default bus, and what is behind
 * "aws.partner/" is their source.
 *
 * Follows PutEvents of the EventBridge API: ten entries and 256 KB a request, results in
 * the order of the entries.
 *
 * IDENTIFICATION
 *	  src/apps/eventbridge.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/aws_target.h"
#include "codec/json_writer.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "net/aws_service.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define NAME "Amazon EventBridge"
#define PARTNER "aws.partner/"
#define MAX_ENTRIES 10
#define MAX_BYTES (256 * 1024)	/* of an entry, and of all of a request */
#define TIME_BYTES 14			/* that a time counts for */
#define MAX_TRIES 5

/* codes of entries for which another attempt may help */
static const char *const passing[] = {"InternalFailure", "InternalException", "ThrottlingException"};

typedef struct Entry
{
	uint32		row;
	char	   *detail;
	size_t		bytes;
} Entry;

typedef struct EventWriter
{
	RecordWriter base;
	MemoryContext request_context;
	AwsTarget  *target;
	char	   *bus;
	char	   *source;
	char	   *detail_type;
	char	   *what;
	Owned	   *buffer;			/* a ByteBuffer: one record */
	double		time;			/* of the run, seconds of the epoch */
} EventWriter;

/* ---------- buses ---------- */

/* "region" of "arn:aws:events:region:account:event-bus/name", or NULL */
static char *
region_of(const char *object)
{
	const char *p = strstr(object, ":events:");
	size_t		length;

	if (strncmp(object, "arn:aws", 7) != 0 || p == NULL)
		return NULL;
	p += strlen(":events:");
	length = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return length > 0 && p[length] == ':' ? pnstrdup(p, length) : NULL;
}

static AwsTarget *
open_target(const ConnectorSession *session, const char *object)
{
	return aws_target_open(NAME, "events", "events", aws_eventbridge_endpoint,
						   object == NULL ? NULL : region_of(object), session->role);
}

static List *
list_buses(ConnectorSession *session, const char *path)
{
	AwsTarget  *target = open_target(session, NULL);
	List	   *entities = NIL;
	char	   *token = NULL;

	do
	{
		StringInfoData body;
		Jsonb	   *answer;
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&body);
		appendStringInfoString(&body, "{\"Limit\":100");
		if (token != NULL)
		{
			appendStringInfoString(&body, ",\"NextToken\":");
			escape_json(&body, token);
		}
		appendStringInfoChar(&body, '}');
		answer = aws_target_fetch(target, aws_target_call(target, "POST", "/", "AWSEvents.ListEventBuses",
														  body.data, body.len, true), "ListEventBuses");
		foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "EventBuses")))
		{
			Entity	   *entity = palloc0(sizeof(Entity));

			entity->name = jsonb_get_text(lfirst(lc), "Name");
			if (entity->name != NULL)
				entities = lappend(entities, entity);
		}
		token = aws_next_token(answer, "NextToken", token, NAME, "ListEventBuses");
	} while (token != NULL);
	return entities;
}

/* An event has the fields that a flow maps: a bus asks for none. */
static Schema *
describe_bus(ConnectorSession *session, const char *entity)
{
	return schema_create();
}

/* ---------- entries ---------- */

static bool
same_group(const char *a, size_t length, const char *b)
{
	return strncmp(a, b, length) == 0 && b[length] == '.';
}

/*
 * The record as the event's detail.  Names with a dot are members of an object, as
 * in the ChangeEventHeader of a change event.
 */
static void
make_detail(EventWriter *writer, const RecordSet *set, uint32 row)
{
	ByteBuffer *out = writer->buffer->object;
	Schema	   *schema = writer->base.schema;
	bool		first = true;

	buffer_reset(out);
	buffer_append_char(out, '{');
	for (int i = 0; i < schema->nfields; i++)
	{
		const char *name = schema->fields[i].name;
		const char *dot = strchr(name, '.');
		bool		seen = false;
		int			j;

		for (j = 0; dot != NULL && j < i && !seen; j++)
			seen = same_group(name, dot - name, schema->fields[j].name);
		if (seen)
			continue;
		if (!first)
			buffer_append_char(out, ',');
		first = false;
		json_append_string(out, name, dot == NULL ? strlen(name) : (size_t) (dot - name));
		buffer_append_char(out, ':');
		if (dot == NULL)
		{
			json_append_cell(out, &set->columns[i][row], schema->fields[i].type);
			continue;
		}
		buffer_append_char(out, '{');
		for (j = i; j < schema->nfields; j++)
		{
			const char *member = schema->fields[j].name;

			if (!same_group(name, dot - name, member))
				continue;
			member += dot - name + 1;
			if (j > i)
				buffer_append_char(out, ',');
			json_append_string(out, member, strlen(member));
			buffer_append_char(out, ':');
			json_append_cell(out, &set->columns[j][row], schema->fields[j].type);
		}
		buffer_append_char(out, '}');
	}
	buffer_append_char(out, '}');
	buffer_append_char(out, '\0');
	if (out->failed)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
}

static void
append_entry(EventWriter *writer, StringInfo body, const Entry *entry, bool first)
{
	appendStringInfo(body, "%s{\"Time\":%.3f,\"EventBusName\":", first ? "" : ",", writer->time);
	escape_json(body, writer->bus);
	appendStringInfoString(body, ",\"Source\":");
	escape_json(body, writer->source);
	appendStringInfoString(body, ",\"DetailType\":");
	escape_json(body, writer->detail_type);
	appendStringInfoString(body, ",\"Detail\":");
	escape_json(body, entry->detail);
	appendStringInfoChar(body, '}');
}

static bool
may_pass(const char *code)
{
	for (int i = 0; i < (int) lengthof(passing); i++)
	{
		if (strcmp(code, passing[i]) == 0)
			return true;
	}
	return false;
}

/*
 * Put entries, and again those of which it may yet come right: theirs are moved to the
 * front.  An event may arrive twice if an answer is lost, as EventBridge itself
 * delivers at least once.
 */
static void
put_entries(EventWriter *writer, Entry *entries, int count, const RecordSet *set, const Outcomes *outcomes)
{
	for (int attempt = 1; count > 0; attempt++)
	{
		StringInfoData body;
		HttpCall   *call;
		List	   *results;
		int			again = 0;

		initStringInfo(&body);
		appendStringInfoString(&body, "{\"Entries\":[");
		for (int i = 0; i < count; i++)
			append_entry(writer, &body, &entries[i], i == 0);
		appendStringInfoString(&body, "]}");
		call = aws_target_call(writer->target, "POST", "/", "AWSEvents.PutEvents", body.data, body.len, true);
		writer->base.uncertain = count;
		http_wait(call);
		if (call->status >= 400 && call->status < 500)
			writer->base.uncertain = 0;
		results = jsonb_array_containers(jsonb_get_container(aws_target_fetch(writer->target, call, writer->what), "Entries"));
		if (list_length(results) != count)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg(NAME " told of %d entries when %d were put", list_length(results), count));
		writer->base.uncertain = 0;

		/* all are counted before the first is told, which may end the run */
		for (int i = 0; i < count; i++)
		{
			if (jsonb_get_text(list_nth(results, i), "ErrorCode") != NULL)
				continue;
			writer->base.records++;
			writer->base.bytes += entries[i].bytes;
		}
		for (int i = 0; i < count; i++)
		{
			Jsonb	   *result = list_nth(results, i);
			char	   *code = jsonb_get_text(result, "ErrorCode");
			char	   *message = jsonb_get_text(result, "ErrorMessage");
			char	   *id = jsonb_get_text(result, "EventId");

			if (code == NULL)
			{
				Cell		cell = id == NULL ? cell_null() : cell_text(CELL_STRING, id, strlen(id));

				if (outcomes->accept != NULL)
					outcomes->accept(outcomes->arg, set->batch, entries[i].row, &cell);
			}
			else if (attempt < MAX_TRIES && may_pass(code))
				entries[again++] = entries[i];
			else
				outcomes->reject(outcomes->arg, set->batch, entries[i].row, aws_shown(code),
								 aws_shown(message == NULL ? code : message));
		}
		count = again;
		if (count > 0)
			http_pause(100 << attempt);
	}
}

static void
event_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	EventWriter *writer = (EventWriter *) base;
	MemoryContext old = MemoryContextSwitchTo(writer->request_context);
	const ByteBuffer *detail = writer->buffer->object;
	Entry		entries[MAX_ENTRIES];
	int			count = 0;
	size_t		bytes = 0;

	for (uint32 i = 0; i < set->nrows; i++)
	{
		Entry		entry = {.row = set->rows[i]};

		CHECK_FOR_INTERRUPTS();
		make_detail(writer, set, entry.row);
		entry.bytes = TIME_BYTES + strlen(writer->source) + strlen(writer->detail_type) + detail->length - 1;
		if (entry.bytes > MAX_BYTES)
		{
			outcomes->reject(outcomes->arg, set->batch, entry.row, "EntryTooLarge",
							 psprintf("the event has %zu bytes, EventBridge takes %d", entry.bytes, MAX_BYTES));
			continue;
		}
		if (count == MAX_ENTRIES || bytes + entry.bytes > MAX_BYTES)
		{
			put_entries(writer, entries, count, set, outcomes);
			MemoryContextReset(writer->request_context);
			count = 0;
			bytes = 0;
		}
		entry.detail = pstrdup(detail->data);
		entries[count++] = entry;
		bytes += entry.bytes;
	}
	put_entries(writer, entries, count, set, outcomes);
	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->request_context);
}

static void
event_add_field(RecordWriter *base)
{
	/* the next event has it */
}

static void
event_seal(RecordWriter *base, const Outcomes *outcomes)
{
	/* events are there as soon as they are put */
}

static void
event_finish(RecordWriter *base)
{
}

static void
event_abort(RecordWriter *base)
{
}

/* what the events are called: the last part of the source's entity */
static char *
detail_type_of(const char *entity)
{
	const char *slash = entity == NULL ? NULL : strrchr(entity, '/');
	char	   *type = pstrdup(slash != NULL && slash[1] != '\0' ? slash + 1 : entity != NULL ? entity : "record");

	if (strlen(type) > 128)
		type[pg_mbcliplen(type, strlen(type), 128)] = '\0';
	return type;
}

static RecordWriter *
event_open_writer(ConnectorSession *session, WriteRequest *request)
{
	EventWriter *writer = palloc0(sizeof(EventWriter));

	writer->target = open_target(session, request->entity);
	writer->request_context = AllocSetContextCreate(CurrentMemoryContext, "appflow events", ALLOCSET_DEFAULT_SIZES);
	if (strncmp(request->entity, PARTNER, strlen(PARTNER)) == 0)
	{
		writer->bus = "default";
		writer->source = pstrdup(request->entity + strlen(PARTNER));
	}
	else
	{
		writer->bus = pstrdup(request->entity);
		writer->source = psprintf("appflow/%s", request->flow_name == NULL ? "postgresql" : request->flow_name);
	}
	writer->detail_type = detail_type_of(request->source_entity);
	writer->what = psprintf("events for bus \"%s\"", writer->bus);
	writer->time = (double) (request->started_at != 0 ? request->started_at : GetCurrentTimestamp()) / USECS_PER_SEC +
		(double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
	writer->buffer = own_buffer(CurrentMemoryContext);
	writer->base.schema = request->schema;
	writer->base.put = event_put;
	writer->base.add_field = event_add_field;
	writer->base.seal = event_seal;
	writer->base.finish = event_finish;
	writer->base.abort = event_abort;
	writer->base.irrevocable = true;
	writer->base.results = schema_create();
	(void) schema_add(writer->base.results, "EventId", FIELD_STRING);
	return &writer->base;
}

static int
event_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation)
{
	return MAX_ENTRIES;
}

const Connector eventbridge_connector = {
	.type = "EventBridge",
	.list_entities = list_buses,
	.describe_entity = describe_bus,
	.open_writer = event_open_writer,
	.batch_size = event_batch_size,
};
