/*-------------------------------------------------------------------------
 *
 * customer_profiles.c
 *	  Amazon Connect Customer Profiles: each record an object of a domain.
 *
 * PutProfileObject takes one object, so several calls are under way at once.  An object
 * with the unique key of another replaces it: calls may be repeated.
 *
 * Entities are "domain/objectTypeName".
 *
 * IDENTIFICATION
 *	  src/apps/customer_profiles.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/aws_target.h"
#include "miscadmin.h"
#include "net/aws_service.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/record_text.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#define NAME "Amazon Connect Customer Profiles"
#define MAX_OBJECT 256000		/* characters */
#define MAX_UNDER_WAY 8

static AwsTarget *
open_target(const ConnectorSession *session)
{
	return aws_target_open(NAME, "profile", "profile", aws_customer_profiles_endpoint, NULL, session->role);
}

/* ---------- entities ---------- */

/* Pages of Items of a path, as a list of Jsonb *. */
static List *
fetch_items(AwsTarget *target, const char *path, const char *what)
{
	List	   *items = NIL;
	char	   *token = NULL;

	do
	{
		Jsonb	   *answer;

		CHECK_FOR_INTERRUPTS();
		answer = aws_target_fetch(target, aws_target_call(target, "GET", token == NULL ? psprintf("%s?max-results=100", path) :
														  psprintf("%s?max-results=100&next-token=%s", path, url_encode(token)),
														  NULL, NULL, 0, true), what);
		items = list_concat(items, jsonb_array_containers(jsonb_get_container(answer, "Items")));
		token = aws_next_token(answer, "NextToken", token, NAME, what);
	} while (token != NULL);
	return items;
}

/* domains at the top, object types under a domain */
static List *
list_domains(ConnectorSession *session, const char *path)
{
	AwsTarget  *target = open_target(session);
	List	   *entities = NIL;
	ListCell   *lc;

	foreach(lc, path[0] == '\0' ? fetch_items(target, "/domains", "ListDomains") :
			fetch_items(target, psprintf("/domains/%s/object-types", url_encode(path)), psprintf("domain \"%s\"", path)))
	{
		Entity	   *entity = palloc0(sizeof(Entity));
		char	   *name = jsonb_get_text(lfirst(lc), path[0] == '\0' ? "DomainName" : "ObjectTypeName");

		if (name == NULL)
			continue;
		entity->name = path[0] == '\0' ? name : psprintf("%s/%s", path, name);
		entity->label = jsonb_get_text(lfirst(lc), "Description");
		if (entity->label == NULL)
			entity->label = name;
		entity->nested = path[0] == '\0';
		entities = lappend(entities, entity);
	}
	return entities;
}

static void
add_field(Schema *schema, const char *wire_name, Jsonb *definition)
{
	char	   *source = jsonb_get_text(definition, "Source");
	char	   *type = jsonb_get_text(definition, "ContentType");
	const char *name = source != NULL && strncmp(source, "_source.", 8) == 0 ? source + 8 : wire_name;
	Field	   *field;

	if (schema_find(schema, name) >= 0)
		return;
	field = schema_add(schema, name, type != NULL && strcmp(type, "NUMBER") == 0 ? FIELD_DOUBLE : FIELD_STRING);
	field->native_type = type;
	field->writes = WRITES_INSERT | WRITES_UPSERT;
}

/* mark the fields that keys with UNIQUE are made of */
static void
mark_keys(Schema *schema, Jsonb *fields, Jsonb *keys)
{
	ListCell   *lc;

	foreach(lc, jsonb_keys(keys))
	{
		ListCell   *key;

		foreach(key, jsonb_array_containers(jsonb_get_container(keys, lfirst(lc))))
		{
			ListCell   *name;
			bool		unique = false;

			foreach(name, jsonb_array_texts(jsonb_get_container(lfirst(key), "StandardIdentifiers")))
				unique |= strcmp(lfirst(name), "UNIQUE") == 0;
			foreach(name, jsonb_array_texts(jsonb_get_container(lfirst(key), "FieldNames")))
			{
				char	   *source = jsonb_get_text(jsonb_get_container(fields, lfirst(name)), "Source");
				int			i = schema_find(schema, source != NULL && strncmp(source, "_source.", 8) == 0 ?
											source + 8 : lfirst(name));

				if (unique && i >= 0)
					schema->fields[i].key = true;
			}
		}
	}
}

static Schema *
describe_object_type(ConnectorSession *session, const char *entity)
{
	AwsTarget  *target = open_target(session);
	const char *slash = strchr(entity, '/');
	Schema	   *schema = schema_create();
	Jsonb	   *answer;
	Jsonb	   *fields;
	ListCell   *lc;

	if (slash == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("entity \"%s\" is not of the form domain/objectTypeName", entity));
	answer = aws_target_fetch(target, aws_target_call(target, "GET", psprintf("/domains/%s/object-types/%s",
		url_encode(pnstrdup(entity, slash - entity)), url_encode(slash + 1)), NULL, NULL, 0, true),
		psprintf("object type \"%s\"", entity));
	fields = jsonb_get_container(answer, "Fields");
	foreach(lc, jsonb_keys(fields))
		add_field(schema, lfirst(lc), jsonb_get_container(fields, lfirst(lc)));
	mark_keys(schema, fields, jsonb_get_container(answer, "Keys"));
	return schema;
}

/* ---------- writing ---------- */

typedef struct Transfer
{
	HttpCall   *call;			/* NULL: none */
	MemoryContext context;
	uint32		row;
	size_t		bytes;
} Transfer;

typedef struct ObjectWriterState
{
	RecordWriter base;
	AwsTarget  *target;
	char	   *path;
	char	   *object_type;
	char	   *what;
	RecordText *text;
	Transfer	transfers[MAX_UNDER_WAY];
} ObjectWriterState;

/*
 * One has failed for good: what becomes of the others is still counted, as far as they
 * are answered.
 */
static void
drain(ObjectWriterState *writer)
{
	for (int i = 0; i < MAX_UNDER_WAY; i++)
	{
		Transfer   *transfer = &writer->transfers[i];

		if (transfer->call == NULL)
			continue;
		if (http_try_wait(transfer->call))
			writer->base.uncertain--;
		if (transfer->call->status == 200)
		{
			writer->base.records++;
			writer->base.bytes += transfer->bytes;
		}
		transfer->call = NULL;
	}
}

/* wait for a transfer, and tell its outcome */
static void
end_transfer(ObjectWriterState *writer, Transfer *transfer, const RecordSet *set, const Outcomes *outcomes)
{
	HttpCall   *call = transfer->call;

	if (call == NULL)
		return;
	if (!http_try_wait(call))
	{
		transfer->call = NULL;
		drain(writer);
		http_raise(call);
	}
	writer->base.uncertain--;
	if (call->status == 400)
	{
		AwsFailure	failure = aws_read_failure(call);

		outcomes->reject(outcomes->arg, set->batch, transfer->row,
						 failure.name[0] ? aws_shown(failure.name) : "BadRequestException",
						 failure.message[0] ? aws_shown(failure.message) : "the object was refused");
	}
	else if (call->status != 200)
	{
		transfer->call = NULL;
		drain(writer);
		aws_target_raise(writer->target, call, writer->what);
	}
	else
	{
		/* a page of something in between says 200 too */
		Jsonb	   *answer = aws_target_document(writer->target, call, writer->what);

		writer->base.records++;
		writer->base.bytes += transfer->bytes;
		if (outcomes->accept != NULL)
		{
			char	   *key = jsonb_get_text(answer, "ProfileObjectUniqueKey");
			Cell		cell = key == NULL ? cell_null() : cell_text(CELL_STRING, key, strlen(key));

			outcomes->accept(outcomes->arg, set->batch, transfer->row, &cell);
		}
	}
	transfer->call = NULL;
	http_close(call);
	MemoryContextReset(transfer->context);
}

static size_t
characters(const char *text)
{
	size_t		count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char) *text & 0xC0) != 0x80;
	return count;
}

/* {"ObjectTypeName": ..., "Object": "..."}; NULL if the object is too long */
static char *
make_body(ObjectWriterState *writer, const RecordSet *set, uint32 row, size_t *length)
{
	char	   *object = record_text(writer->text, set, row, length);
	StringInfoData body;

	if (*length > MAX_OBJECT && characters(object) > MAX_OBJECT)
		return NULL;
	initStringInfo(&body);
	appendStringInfoString(&body, "{\"ObjectTypeName\":");
	escape_json(&body, writer->object_type);
	appendStringInfoString(&body, ",\"Object\":");
	escape_json(&body, object);
	appendStringInfoChar(&body, '}');
	return body.data;
}

static void
object_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	ObjectWriterState *writer = (ObjectWriterState *) base;

	for (uint32 i = 0; i < set->nrows; i++)
	{
		Transfer   *transfer = &writer->transfers[i % MAX_UNDER_WAY];
		MemoryContext old;
		char	   *body;

		CHECK_FOR_INTERRUPTS();
		end_transfer(writer, transfer, set, outcomes);
		old = MemoryContextSwitchTo(transfer->context);
		transfer->row = set->rows[i];
		body = make_body(writer, set, transfer->row, &transfer->bytes);
		if (body == NULL)
			outcomes->reject(outcomes->arg, set->batch, transfer->row, "ObjectTooLarge",
							 psprintf("the object has %zu bytes, Customer Profiles takes %d characters", transfer->bytes, MAX_OBJECT));
		else
		{
			transfer->call = aws_target_call(writer->target, "PUT", writer->path, NULL, body, strlen(body), true);
			http_start(transfer->call);
			writer->base.uncertain++;
		}
		MemoryContextSwitchTo(old);
	}
	for (int i = 0; i < MAX_UNDER_WAY; i++)
		end_transfer(writer, &writer->transfers[i], set, outcomes);
}

static void
object_add_field(RecordWriter *base)
{
	/* the next object has it */
}

static void
object_seal(RecordWriter *base, const Outcomes *outcomes)
{
	/* objects are there as soon as they are put */
}

static void
object_finish(RecordWriter *base)
{
}

static void
object_abort(RecordWriter *base)
{
}

static RecordWriter *
object_open_writer(ConnectorSession *session, WriteRequest *request)
{
	ObjectWriterState *writer = palloc0(sizeof(ObjectWriterState));
	char	   *type = jsonb_get_text(request->properties, "objectTypeName");

	if (type == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("objectTypeName is missing: it says what the objects of domain \"%s\" are", request->entity));
	writer->target = open_target(session);
	writer->path = psprintf("/domains/%s/profiles/objects", url_encode(request->entity));
	writer->object_type = type;
	writer->what = psprintf("objects of type \"%s\" for domain \"%s\"", type, request->entity);
	writer->text = record_text_create(request->schema);
	for (int i = 0; i < MAX_UNDER_WAY; i++)
		writer->transfers[i].context = AllocSetContextCreate(CurrentMemoryContext, "appflow profile object",
															 ALLOCSET_SMALL_SIZES);
	writer->base.schema = request->schema;
	writer->base.put = object_put;
	writer->base.add_field = object_add_field;
	writer->base.seal = object_seal;
	writer->base.finish = object_finish;
	writer->base.abort = object_abort;
	writer->base.irrevocable = true;
	writer->base.results = schema_create();
	(void) schema_add(writer->base.results, "ProfileObjectUniqueKey", FIELD_STRING);
	return &writer->base;
}

const Connector customer_profiles_connector = {
	.type = "CustomerProfiles",
	.list_entities = list_domains,
	.describe_entity = describe_object_type,
	.open_writer = object_open_writer,
};
