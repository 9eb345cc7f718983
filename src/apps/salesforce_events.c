/*-------------------------------------------------------------------------
 *
 * salesforce_events.c
 *	  Reads platform events and change data capture as records.
 *
 * A record has the fields of the event's payload.  Those of ChangeEventHeader, which
 * tells what has changed, are fields too: ChangeEventHeader.entityName and so on.
 * replayId is the event's place in its channel; createdDate when it was published.
 *
 * Follows Salesforce's "Platform Events Developer Guide" and "Change Data Capture
 * Developer Guide".
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_events.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/bayeux.h"
#include "apps/salesforce.h"
#include "apps/salesforce_events.h"
#include "codec/buffer.h"
#include "codec/json_reader.h"
#include "codec/text.h"
#include "datatype/timestamp.h"
#include "record/errors.h"
#include "utils/memutils.h"

#define HEADER "ChangeEventHeader"

/* what is wanted of a message */
enum
{
	PAYLOAD,
	CREATED,
	UUID,
	PAYLOAD_CREATED,
	COMMITTED,
	MESSAGE_PATHS
};

static const char *const message_paths[MESSAGE_PATHS] = {
	[PAYLOAD] = "data.payload",
	[CREATED] = "data.event.createdDate",
	[UUID] = "data.event.EventUuid",
	[PAYLOAD_CREATED] = "data.payload.CreatedDate",
	[COMMITTED] = "data.payload." HEADER ".commitTimestamp",
};

/* fields of a change event's header */
static const struct
{
	const char *name;
	FieldType	type;
}			header_fields[] = {
	{HEADER ".entityName", FIELD_STRING},
	{HEADER ".recordIds", FIELD_JSON},
	{HEADER ".changeType", FIELD_STRING},
	{HEADER ".changeOrigin", FIELD_STRING},
	{HEADER ".transactionKey", FIELD_STRING},
	{HEADER ".sequenceNumber", FIELD_INTEGER},
	{HEADER ".commitTimestamp", FIELD_LONG},
	{HEADER ".commitNumber", FIELD_LONG},
	{HEADER ".commitUser", FIELD_STRING},
	{HEADER ".changedFields", FIELD_JSON},
};

/* fields that are not of the payload */
typedef enum FieldSource
{
	FROM_PAYLOAD,
	FROM_REPLAY_ID,
	FROM_UUID,
	FROM_CREATED				/* of the message, else of the payload */
} FieldSource;

static const struct
{
	const char *name;			/* in any letter case */
	FieldSource source;
}			message_fields[] = {
	{"replayId", FROM_REPLAY_ID},
	{"EventUuid", FROM_UUID},
	{"createdDate", FROM_CREATED},
};

/* A column of the batch, and the field of the payload that fills it */
typedef struct EventField
{
	int			column;			/* -1: of no interest */
	FieldSource source;
} EventField;

typedef struct EventReader
{
	RecordReader base;
	ConnectorSession *session;
	MemoryContext context;
	Bayeux		bayeux;
	const ReadRequest *request; /* for its patience, which may change */
	bool		all_fields;
	List	   *exclude;		/* of char * */

	/* of the payload: one for each field that its reader knows */
	Owned	   *json;			/* JsonReader */
	int			nfields;
	int			room;
	EventField *fields;
	Cell	  **columns;
	Cell	   *nowhere;		/* BATCH_ROWS cells of those that are of no interest */

	Owned	   *payloads;		/* ByteBuffer: of the messages, one behind the other */
	size_t		offset;			/* read of it */
	int			next;			/* message whose payload is at offset */
} EventReader;

static bool
ends_with(const char *text, const char *end)
{
	size_t		length = strlen(text);
	size_t		end_length = strlen(end);

	return length > end_length && strcmp(text + length - end_length, end) == 0;
}

char *
salesforce_event_channel(const char *entity)
{
	if (ends_with(entity, "__e"))
		return psprintf("/event/%s", entity);
	if (ends_with(entity, "ChangeEvent") || strcmp(entity, "ChangeEvents") == 0 || ends_with(entity, "__chn"))
		return psprintf("/data/%s", entity);
	return NULL;
}

/* is it one event, which has a describe, not a channel of several? */
static bool
is_one_event(const char *entity)
{
	return !ends_with(entity, "__chn") && strcmp(entity, "ChangeEvents") != 0;
}

/* ---------- fields ---------- */

static FieldSource
source_of(const char *name)
{
	for (int i = 0; i < (int) lengthof(message_fields); i++)
	{
		if (pg_strcasecmp(name, message_fields[i].name) == 0)
			return message_fields[i].source;
	}
	return FROM_PAYLOAD;
}

static Field *
add_field(EventReader *reader, const char *name, FieldType type)
{
	MemoryContext old;
	Field	   *field;

	if (schema_find(reader->base.schema, name) >= 0)
		return NULL;
	old = MemoryContextSwitchTo(reader->context);
	field = schema_add(reader->base.schema, name, type);
	MemoryContextSwitchTo(old);
	return field;
}

/* a field of the payload that its reader is to know; column -1: so as not to hear of it again */
static void
know_field(EventReader *reader, int column, FieldSource source)
{
	if (reader->nfields == reader->room)
	{
		reader->room = reader->room == 0 ? 32 : reader->room * 2;
		if (reader->fields == NULL)
		{
			reader->fields = MemoryContextAlloc(reader->context, sizeof(EventField) * reader->room);
			reader->columns = MemoryContextAlloc(reader->context, sizeof(Cell *) * reader->room);
		}
		else
		{
			reader->fields = repalloc(reader->fields, sizeof(EventField) * reader->room);
			reader->columns = repalloc(reader->columns, sizeof(Cell *) * reader->room);
		}
	}
	reader->fields[reader->nfields].column = column;
	reader->fields[reader->nfields++].source = source;
}

/* a describe's field that payloads do not have */
static bool
is_no_field(const Field *field)
{
	return strcmp(field->name, "Id") == 0 || strcmp(field->name, HEADER) == 0;
}

/* the fields of the schema, by what is asked for and what the describe knows */
static void
make_schema(EventReader *reader, const ReadRequest *request, const Schema *described)
{
	ListCell   *lc;

	foreach(lc, request->fields)
	{
		const char *name = lfirst(lc);
		char	   *top = pnstrdup(name, strcspn(name, "."));
		int			known = described == NULL ? -1 : schema_find(described, name);
		Field	   *field;

		if (described != NULL && known < 0 && schema_find(described, top) < 0 && source_of(name) == FROM_PAYLOAD &&
			strcmp(top, HEADER) != 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("Salesforce event \"%s\" has no field \"%s\"", request->entity, name));
		field = add_field(reader, name, known < 0 ? FIELD_STRING : described->fields[known].type);
		for (int i = 0; field != NULL && i < (int) lengthof(header_fields); i++)
		{
			if (strcmp(name, header_fields[i].name) == 0)
				field->type = header_fields[i].type;
		}
	}
	if (!request->all_fields)
		return;
	for (int i = 0; described != NULL && i < described->nfields; i++)
	{
		const Field *known = &described->fields[i];
		Field	   *field = NULL;

		if (!is_no_field(known) && !list_has_text(request->exclude, known->name))
			field = add_field(reader, known->name, known->type);
		if (field != NULL)
		{
			char	   *name = field->name;

			*field = *known;
			field->name = name;
		}
	}
	for (int i = 0; strncmp(reader->bayeux.channel, "/data/", 6) == 0 && i < (int) lengthof(header_fields); i++)
	{
		if (!list_has_text(request->exclude, header_fields[i].name) && !list_has_text(request->exclude, HEADER))
			(void) add_field(reader, header_fields[i].name, header_fields[i].type);
	}
	if ((described == NULL || schema_find(described, "ReplayId") < 0) && !list_has_text(request->exclude, "replayId"))
		(void) add_field(reader, "replayId", FIELD_LONG);
}

Schema *
salesforce_event_fields(const char *entity, const Schema *described)
{
	EventReader reader = {0};
	ReadRequest *request = read_request_create(entity);

	request->all_fields = true;
	reader.context = CurrentMemoryContext;
	reader.bayeux.channel = salesforce_event_channel(entity);
	reader.base.schema = schema_create();
	make_schema(&reader, request, described);
	return reader.base.schema;
}

static void
free_json(void *object)
{
	json_reader_free((JsonReader *) object);
}

static void
free_payloads(void *object)
{
	buffer_free((ByteBuffer *) object);
}

static void
out_of_memory(void)
{
	ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
}

static void
open_payloads(EventReader *reader)
{
	Schema	   *schema = reader->base.schema;
	const char **names = palloc(sizeof(char *) * (schema->nfields + 1));
	JsonReaderOptions options = {.framing = JSON_FRAMING_LINES,.fields = names,.discover = reader->all_fields};

	for (int i = 0; i < schema->nfields; i++)
	{
		FieldSource source = source_of(schema->fields[i].name);

		names[i] = source == FROM_CREATED ? "CreatedDate" : schema->fields[i].name;
		know_field(reader, i, source);
	}
	options.nfields = schema->nfields;
	reader->json = own_in_context(reader->context, free_json);
	reader->json->object = json_reader_create(&options);
	reader->payloads = own_in_context(reader->context, free_payloads);
	reader->payloads->object = MemoryContextAllocZero(reader->context, sizeof(ByteBuffer));
	reader->nowhere = MemoryContextAllocZero(reader->context, sizeof(Cell) * BATCH_ROWS);
	if (reader->json->object == NULL)
		out_of_memory();
	pfree(names);
}

/* the payload has a field that nobody has told of */
static void
meet_field(EventReader *reader, Batch *batch)
{
	size_t		length;
	const char *found = json_reader_new_field(reader->json->object, &length);
	char	   *name = pnstrdup(found, length);
	int			column = -1;

	/* of the header there are fields already */
	if (strcmp(name, HEADER) != 0 && !list_has_text(reader->exclude, name) && add_field(reader, name, FIELD_STRING) != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(reader->context);

		column = batch_add_column(batch);
		MemoryContextSwitchTo(old);
	}
	know_field(reader, column, FROM_PAYLOAD);
	if (!json_reader_add_field(reader->json->object, name, length))
		out_of_memory();
	pfree(name);
}

/* ---------- records ---------- */

/* Was the event published before a time (seconds since 1970)? What does not tell was not. */
static bool
is_before(const Bayeux *bayeux, int message, int64 since)
{
	const Cell *committed = &bayeux->values[COMMITTED][message];
	const Cell *created = &bayeux->values[PAYLOAD_CREATED][message];
	int64		value;
	bool		zone;

	if (committed->kind == CELL_NUMBER && text_parse_int64(committed->data, committed->length, &value))
		return value < since * 1000;
	if (created->kind != CELL_STRING)
		created = &bayeux->values[CREATED][message];
	return created->kind == CELL_STRING && text_parse_datetime(created->data, created->length, &value, &zone) &&
		value < since * USECS_PER_SEC;
}

/* messages that are none of those asked for, see Bayeux.since */
static void
drop_early(Bayeux *bayeux)
{
	int			kept = 0;

	for (int i = 0; i < bayeux->nmessages; i++)
	{
		if (is_before(bayeux, i, bayeux->since))
			continue;
		bayeux->replay_ids[kept] = bayeux->replay_ids[i];
		for (int path = 0; path < MESSAGE_PATHS; path++)
			bayeux->values[path][kept] = bayeux->values[path][i];
		kept++;
	}
	bayeux->nmessages = kept;
}

/* the payloads of the messages that have come, for their reader */
static void
gather_payloads(EventReader *reader)
{
	ByteBuffer *payloads = reader->payloads->object;

	buffer_reset(payloads);
	reader->offset = 0;
	reader->next = 0;
	json_reader_restart(reader->json->object);
	for (int i = 0; i < reader->bayeux.nmessages; i++)
	{
		const Cell *cell = &reader->bayeux.values[PAYLOAD][i];

		if (cell->kind != CELL_JSON || cell->data[0] != '{')
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("Salesforce sent an event of \"%s\" without a payload", reader->bayeux.channel));
		buffer_append(payloads, cell->data, cell->length);
		buffer_append_char(payloads, '\n');
	}
	if (payloads->failed)
		out_of_memory();
}

/* what the message has beside its payload */
static void
fill_from_message(EventReader *reader, Batch *batch)
{
	for (int i = 0; i < reader->nfields; i++)
	{
		const EventField *field = &reader->fields[i];
		const Cell *from;

		if (field->source == FROM_PAYLOAD || field->column < 0)
			continue;
		from = field->source == FROM_REPLAY_ID ? reader->bayeux.replay_ids :
			reader->bayeux.values[field->source == FROM_UUID ? UUID : CREATED];
		for (uint32 row = 0; row < batch->nrows; row++)
		{
			if (field->source != FROM_CREATED || from[reader->next + row].kind != CELL_NULL)
				batch->columns[field->column][row] = from[reader->next + row];
		}
	}
}

static void
set_position(EventReader *reader)
{
	const Cell *last = &reader->bayeux.replay_ids[reader->next - 1];

	if (reader->base.position != NULL)
		pfree(reader->base.position);
	reader->base.position = MemoryContextAlloc(reader->context, last->length + 1);
	memcpy(reader->base.position, last->data, last->length);
	reader->base.position[last->length] = '\0';
}

/* Records of the messages at hand; false if there are none left. */
static bool
read_payloads(EventReader *reader, Batch *batch)
{
	ByteBuffer *payloads = reader->payloads->object;

	while (reader->next < reader->bayeux.nmessages)
	{
		JsonReadResult result;
		JsonStatus	status;

		for (int i = 0; i < reader->nfields; i++)
			reader->columns[i] = reader->fields[i].column < 0 ? reader->nowhere : batch->columns[reader->fields[i].column];
		status = json_reader_read(reader->json->object, payloads->data + reader->offset,
								  payloads->length - reader->offset, true, batch->arena, reader->columns,
								  batch->lines, BATCH_ROWS, &result);
		reader->offset += result.consumed;
		batch->nrows = result.rows;
		if (status == JSON_ERROR)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("Salesforce sent an event of \"%s\" that is malformed: %s", reader->bayeux.channel,
						   json_reader_error(reader->json->object)->message));
		if (status == JSON_NEW_FIELD && result.rows == 0)
		{
			meet_field(reader, batch);
			continue;
		}
		if (result.rows == 0 || reader->next + (int) result.rows > reader->bayeux.nmessages)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("Salesforce sent an event of \"%s\" that is malformed", reader->bayeux.channel));
		fill_from_message(reader, batch);
		reader->next += (int) result.rows;
		set_position(reader);
		return true;
	}
	return false;
}

static bool
events_next(RecordReader *base, Batch *batch)
{
	EventReader *reader = (EventReader *) base;

	while (!read_payloads(reader, batch))
	{
		if (!bayeux_next(&reader->bayeux, reader->request->patience))
			return false;
		base->bytes = reader->bayeux.bytes;
		if (reader->bayeux.since > 0)
			drop_early(&reader->bayeux);
		gather_payloads(reader);
	}
	return true;
}

static void
events_close(RecordReader *base)
{
	EventReader *reader = (EventReader *) base;

	bayeux_close(&reader->bayeux);
	own_release(reader->json);
	own_release(reader->payloads);
}

/* Is it a place to begin at? */
static bool
is_place(const char *position)
{
	if (strcmp(position, BAYEUX_NEW) == 0 || strcmp(position, BAYEUX_RETAINED) == 0)
		return true;
	return position[0] != '\0' && strlen(position) <= 30 && strspn(position, "0123456789") == strlen(position);
}

RecordReader *
salesforce_open_events(ConnectorSession *session, ReadRequest *request)
{
	EventReader *reader = palloc0(sizeof(EventReader));
	const Schema *described = NULL;
	char	   *channel = salesforce_event_channel(request->entity);
	const char *replay = request->position[0] == '\0' ? BAYEUX_NEW : request->position;

	if (channel == NULL || !salesforce_is_name(request->entity, false))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("Salesforce object \"%s\" is no event", request->entity),
				errhint("Events are platform events, such as \"Order__e\", and change events, such as \"AccountChangeEvent\"."));
	if (!is_place(replay))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not a replay id of Salesforce", request->position));
	reader->session = session;
	reader->context = CurrentMemoryContext;
	reader->request = request;
	reader->all_fields = request->all_fields;
	reader->exclude = request->exclude;
	reader->bayeux.session = session;
	reader->bayeux.path = psprintf("/cometd/%s", salesforce_version(session));
	reader->bayeux.channel = channel;
	reader->bayeux.replay_path = "data.event.replayId";
	reader->bayeux.npaths = MESSAGE_PATHS;
	reader->bayeux.paths = message_paths;
	if (request->described != NULL)
		described = request->described;
	else if (is_one_event(request->entity))
		described = salesforce_describe(session, request->entity);
	reader->base.schema = schema_create();
	make_schema(reader, request, described);
	open_payloads(reader);
	bayeux_open(&reader->bayeux, replay);
	reader->base.position = pstrdup(request->position);
	reader->base.next = events_next;
	reader->base.close = events_close;
	return &reader->base;
}
