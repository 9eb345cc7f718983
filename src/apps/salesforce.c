/*-------------------------------------------------------------------------
 *
 * salesforce.c
 *	  The Salesforce connector: calls and errors, objects and their fields.
 *
 * Follows Salesforce's REST API Developer Guide.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/salesforce.h"
#include "apps/salesforce_events.h"
#include "apps/salesforce_write.h"
#include "connector/entity_form.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

/* of the versions that AppFlow names, the one it uses for new connections */
#define DEFAULT_VERSION "58.0"

typedef struct Described
{
	char	   *entity;
	Schema	   *schema;			/* NULL: not described, only counted */
	SalesforceCount counts[2];	/* without deleted records, and with them */
} Described;

typedef struct SalesforceState
{
	char	   *version;
	List	   *described;		/* of Described * */
} SalesforceState;

static SalesforceState *
state_of(ConnectorSession *session)
{
	SalesforceState *state = session->state;

	if (state == NULL)
	{
		const char *version = session->api_version;

		state = MemoryContextAllocZero(session->context, sizeof(SalesforceState));
		if (version != NULL && (version[0] == 'v' || version[0] == 'V'))
			version++;
		if (version != NULL && strspn(version, "0123456789.") != strlen(version))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("\"%s\" is not a version of Salesforce's API", session->api_version),
					errhint("Versions are such as \"v" DEFAULT_VERSION "\"."));
		state->version = MemoryContextStrdup(session->context, version != NULL ? version : DEFAULT_VERSION);
		session->state = state;
	}
	return state;
}

const char *
salesforce_version(ConnectorSession *session)
{
	return state_of(session)->version;
}

/* ---------- errors ---------- */

static const struct
{
	const char *code;
	AppflowException exception;
}			exceptions[] = {
	{"REQUEST_LIMIT_EXCEEDED", WF_THROTTLING},
	{"TOO_MANY_REQUESTS", WF_THROTTLING},
	{"API_DISABLED_FOR_ORG", WF_AUTHENTICATION},
	{"API_CURRENTLY_DISABLED", WF_AUTHENTICATION},
	{"INVALID_SESSION_ID", WF_AUTHENTICATION},
	{"INVALID_AUTH_HEADER", WF_AUTHENTICATION},
	{"INSUFFICIENT_ACCESS", WF_AUTHENTICATION},
	{"INSUFFICIENT_ACCESS_OR_READONLY", WF_AUTHENTICATION},
	{"FUNCTIONALITY_NOT_ENABLED", WF_AUTHENTICATION},
};

/* The exception that an errorCode stands for; status is the answer's, 0: there is none. */
static AppflowException
salesforce_exception(const char *code, int status)
{
	for (int i = 0; code != NULL && i < (int) lengthof(exceptions); i++)
	{
		if (strcmp(code, exceptions[i].code) == 0)
			return exceptions[i].exception;
	}
	switch (status)
	{
		case 401:
		case 403:
			return WF_AUTHENTICATION;
		case 429:
			return WF_THROTTLING;
		default:
			return WF_CONNECTOR;
	}
}

char *
salesforce_one_line(char *message)
{
	char	   *said = strstr(message, "ERROR at Row");
	char	   *to;
	bool		space = false;

	said = said == NULL ? NULL : strchr(said, '\n');
	if (said == NULL)
		said = message;
	to = message;
	for (; *said != '\0'; said++)
	{
		if (*said == ' ' || *said == '\n' || *said == '\r' || *said == '\t')
		{
			space = to > message;
			continue;
		}
		if (space)
			*to++ = ' ';
		space = false;
		*to++ = *said;
	}
	*to = '\0';
	return message;
}

/* [{"errorCode", "message", "fields"}], of tokens {"error", "error_description"} */
void
salesforce_error(HttpCall *call, char **code, char **message)
{
	size_t		length;
	const char *body = http_body(call, &length);
	Jsonb	   *document = NULL;
	Jsonb	   *error;

	*code = *message = NULL;
	if (body != NULL && memchr(body, '\0', length) == NULL)
		document = jsonb_parse(pnstrdup(body, length));
	if (document == NULL)
		return;
	if (JB_ROOT_IS_ARRAY(document) && !JB_ROOT_IS_SCALAR(document))
	{
		List	   *errors = jsonb_array_containers(document);

		if (errors == NIL)
			return;
		error = linitial(errors);
	}
	else if (JB_ROOT_IS_OBJECT(document))
		error = document;
	else
		return;
	*code = jsonb_get_text(error, "errorCode");
	*message = jsonb_get_text(error, "message");
	if (*code == NULL && *message == NULL)
	{
		*code = jsonb_get_text(error, "error");
		*message = jsonb_get_text(error, "error_description");
	}
	if (*message != NULL)
		*message = salesforce_one_line(*message);
}

void
salesforce_fail(ConnectorSession *session, HttpCall *call, const char *what)
{
	const char *usage = http_response_header(call, "Sforce-Limit-Info");
	char	   *code;
	char	   *message;

	salesforce_error(call, &code, &message);
	if (code != NULL && strcmp(code, "REQUEST_LIMIT_EXCEEDED") == 0 && usage != NULL)
		message = psprintf("%s (%s)", message != NULL ? message : "limit exceeded", usage);
	session_raise_as(session, call, salesforce_exception(code, call->status), what, code, message);
}

/* ---------- calls ---------- */

/*
 * Too many concurrent requests is said with 403; nothing has been done then, nor when
 * the service is not available.  That the requests of the day are used up is said with
 * the code of the first, and stays so.
 */
static bool
judge(HttpCall *call, bool retry, void *arg)
{
	char	   *code;
	char	   *message;

	if (retry || (call->status != 403 && call->status != 503))
		return retry;
	salesforce_error(call, &code, &message);
	if (call->status == 503)
		return code != NULL && strcmp(code, "SERVER_UNAVAILABLE") == 0;
	return code != NULL && strcmp(code, "REQUEST_LIMIT_EXCEEDED") == 0 &&
		message != NULL && strstr(message, "TotalRequests") == NULL;
}

HttpCall *
salesforce_call(ConnectorSession *session, const char *method, const char *path, const char *body)
{
	HttpCall   *call;

	if (path[0] == '/' && strncmp(path, "/services/", 10) != 0)
		path = psprintf("/services/data/v%s%s", salesforce_version(session), path);
	if (body != NULL)
		call = session_call_json(session, method, path, body, strlen(body));
	else
		call = session_call(session, method, path);
	call->judge = judge;
	return call;
}

/* one that tells of objects: such calls need not go by a private connection */
static HttpCall *
metadata_call(ConnectorSession *session, const char *path)
{
	HttpCall   *call = salesforce_call(session, "GET", path, NULL);

	call->guard = &session->authenticator->metadata_guard;
	return call;
}

Jsonb *
salesforce_fetch(ConnectorSession *session, HttpCall *call, const char *what)
{
	return session_fetch(session, call, what, salesforce_fail);
}

/* ---------- names and properties ---------- */

bool
salesforce_is_name(const char *name, bool dotted)
{
	char		before = '.';

	for (; *name != '\0'; before = *name++)
	{
		if ((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z'))
			continue;
		if (before == '.' || !((*name >= '0' && *name <= '9') || *name == '_' || (dotted && *name == '.')))
			return false;
	}
	return before != '.';
}

static const char *const api_names[] = {"AUTOMATIC", "REST_SYNC", "BULKV2"};

SalesforceApi
salesforce_api(Jsonb *properties)
{
	char	   *name = properties == NULL ? NULL : jsonb_get_text(properties, "dataTransferApi");

	for (int i = 0; name != NULL && i < (int) lengthof(api_names); i++)
	{
		if (pg_strcasecmp(name, api_names[i]) == 0)
			return (SalesforceApi) i;
	}
	return SALESFORCE_AUTOMATIC;
}

static List *
salesforce_check_properties(Jsonb *properties, bool as_source)
{
	char	   *object = jsonb_get_text(properties, "object");
	char	   *api = jsonb_get_text(properties, "dataTransferApi");
	List	   *problems = NIL;

	if (object != NULL && object[0] != '\0' && !salesforce_is_name(object, false))
		problems = lappend(problems, psprintf("object \"%s\" is not the name of a Salesforce object", object));
	if (api != NULL && salesforce_api(properties) == SALESFORCE_AUTOMATIC && pg_strcasecmp(api, api_names[0]) != 0)
		problems = lappend(problems, psprintf("dataTransferApi \"%s\" is none of AUTOMATIC, BULKV2, REST_SYNC", api));
	if (!as_source)
		problems = list_concat(problems, salesforce_check_destination(properties));
	return problems;
}

/* ---------- objects ---------- */

static bool
ends_with(const char *text, const char *end)
{
	size_t		length = strlen(text);
	size_t		end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

bool
salesforce_is_event(const char *name)
{
	return ends_with(name, "__e") || ends_with(name, "ChangeEvent");
}

static List *
salesforce_list_entities(ConnectorSession *session, const char *path)
{
	HttpCall   *call = metadata_call(session, "/sobjects");
	List	   *entities = NIL;
	Jsonb	   *answer;
	ListCell   *lc;

	if (path[0] != '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("Salesforce has no entities under \"%s\"", path));
	answer = salesforce_fetch(session, call, "the list of objects");
	foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "sobjects")))
	{
		Jsonb	   *object = lfirst(lc);
		char	   *name = jsonb_get_text(object, "name");
		Entity	   *entity;

		if (name == NULL || jsonb_get_bool(object, "deprecatedAndHidden", false) ||
			(!jsonb_get_bool(object, "queryable", false) && !salesforce_is_event(name)))
			continue;
		entity = palloc0(sizeof(Entity));
		entity->name = name;
		entity->label = jsonb_get_text(object, "label");
		entities = lappend(entities, entity);
	}
	return entities;
}

/* ---------- fields ---------- */

static const struct
{
	const char *name;
	FieldType	type;
}			types[] = {
	{"id", FIELD_STRING},
	{"reference", FIELD_STRING},
	{"string", FIELD_STRING},
	{"textarea", FIELD_STRING},
	{"email", FIELD_STRING},
	{"phone", FIELD_STRING},
	{"url", FIELD_STRING},
	{"picklist", FIELD_STRING},
	{"multipicklist", FIELD_STRING},
	{"combobox", FIELD_STRING},
	{"encryptedstring", FIELD_STRING},
	{"datacategorygroupreference", FIELD_STRING},
	{"anyType", FIELD_STRING},
	{"base64", FIELD_STRING},	/* a link to the bytes */
	{"boolean", FIELD_BOOLEAN},
	{"int", FIELD_INTEGER},
	{"long", FIELD_LONG},
	{"double", FIELD_DECIMAL},
	{"currency", FIELD_DECIMAL},
	{"percent", FIELD_DECIMAL},
	{"date", FIELD_DATE},
	{"datetime", FIELD_DATETIME},
	{"time", FIELD_TIME},
	{"address", FIELD_JSON},
	{"location", FIELD_JSON},
	{"complexvalue", FIELD_JSON},
	{"json", FIELD_JSON},
	{"junctionIdList", FIELD_JSON},
};

bool
salesforce_is_compound(const Field *field)
{
	return field->type == FIELD_JSON;
}

static const char *const change_times[] = {"SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime"};

static void
read_values(Field *field, Jsonb *values, bool restricted)
{
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(values))
	{
		char	   *value = jsonb_get_text(lfirst(lc), "value");

		/* records may still have values that are not offered any more */
		if (value != NULL && (restricted || jsonb_get_bool(lfirst(lc), "active", true)))
			field->values = lappend(field->values, value);
	}
	field->open_values = field->values != NIL && !restricted;
}

static void
read_writes(Field *field, Jsonb *wire)
{
	bool		is_id = strcmp(field->native_type, "id") == 0;

	if (jsonb_get_bool(wire, "createable", false))
		field->writes |= WRITES_INSERT | WRITES_UPSERT;
	if (jsonb_get_bool(wire, "updateable", false))
		field->writes |= WRITES_UPDATE | WRITES_UPSERT;
	if (is_id)
		field->writes |= WRITES_UPDATE | WRITES_UPSERT | WRITES_DELETE;
	field->upsert_key = jsonb_get_bool(wire, "externalId", false) ||
		(jsonb_get_bool(wire, "idLookup", false) && !is_id);
}

/*
 * Precision and scale say how a number is shown: records hold digits beyond the
 * scale, which a numeric(p, s) would lose.  The API's numbers are doubles.
 */
static void
read_field(Field *field, Jsonb *wire)
{
	Jsonb	   *references = jsonb_get_container(wire, "referenceTo");
	List	   *targets = references == NULL ? NIL : jsonb_array_texts(references);
	char	   *native = jsonb_get_text(wire, "type");
	int64		length;

	field->native_type = native != NULL ? native : "string";
	for (int i = 0; i < (int) lengthof(types); i++)
	{
		if (strcmp(field->native_type, types[i].name) == 0)
			field->type = types[i].type;
	}
	field->from_double = field->type == FIELD_DECIMAL;
	field->label = jsonb_get_text(wire, "label");
	field->description = jsonb_get_text(wire, "inlineHelpText");
	field->not_null = !jsonb_get_bool(wire, "nillable", true);
	field->key = strcmp(field->native_type, "id") == 0 && strcmp(field->name, "Id") == 0;
	if (field->type == FIELD_STRING && jsonb_get_int64(wire, "length", &length) && length > 0 && length <= INT_MAX)
		field->max_length = (int) length;
	read_values(field, jsonb_get_container(wire, "picklistValues"),
				jsonb_get_bool(wire, "restrictedPicklist", false));
	if (jsonb_get_bool(wire, "filterable", false))
		field->filters = filters_of_type(field->type);
	field->sortable = jsonb_get_bool(wire, "sortable", false) && field->type != FIELD_JSON;
	read_writes(field, wire);
	for (int i = 0; field->type == FIELD_DATETIME && i < (int) lengthof(change_times); i++)
	{
		if (strcmp(field->name, change_times[i]) == 0)
			field->incremental = true;
	}
	if (list_length(targets) == 1)
		field->references = linitial(targets);
	field->relationship = jsonb_get_text(wire, "relationshipName");
}

static Schema *
describe_now(ConnectorSession *session, const char *entity)
{
	Schema	   *schema = schema_create();
	MemoryContext result = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(result, "appflow Salesforce describe", ALLOCSET_DEFAULT_SIZES);
	List	   *fields;
	ListCell   *lc;

	if (!salesforce_is_name(entity, false))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not the name of a Salesforce object", entity));
	MemoryContextSwitchTo(work);	/* answers are large */
	fields = jsonb_array_containers(jsonb_get_container(
		salesforce_fetch(session, metadata_call(session, psprintf("/sobjects/%s/describe", entity)),
						 psprintf("entity \"%s\"", entity)), "fields"));
	MemoryContextSwitchTo(result);
	foreach(lc, fields)
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");

		if (name != NULL && !jsonb_get_bool(lfirst(lc), "deprecatedAndHidden", false) && schema_find(schema, name) < 0)
			read_field(schema_add(schema, name, FIELD_STRING), lfirst(lc));
	}
	MemoryContextDelete(work);
	if (schema->nfields == 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Salesforce shows no fields of entity \"%s\"", entity),
				errhint("The user of connector profile \"%s\" may lack the right to see them.", session->profile_name));
	return schema;
}

/* what is known of an entity in this session */
static Described *
known_entity(ConnectorSession *session, const char *entity)
{
	SalesforceState *state = state_of(session);
	Described  *described;
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, state->described)
	{
		described = lfirst(lc);
		if (strcmp(described->entity, entity) == 0)
			return described;
	}
	old = MemoryContextSwitchTo(session->context);
	described = palloc0(sizeof(Described));
	described->entity = pstrdup(entity);
	state->described = lappend(state->described, described);
	MemoryContextSwitchTo(old);
	return described;
}

SalesforceCount *
salesforce_count(ConnectorSession *session, const char *entity, bool all)
{
	return &known_entity(session, entity)->counts[all];
}

const Schema *
salesforce_describe(ConnectorSession *session, const char *entity)
{
	Described  *described = known_entity(session, entity);

	if (described->schema == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(session->context);

		described->schema = describe_now(session, entity);
		MemoryContextSwitchTo(old);
	}
	return described->schema;
}

const Field *
salesforce_field(ConnectorSession *session, const Schema *described, const char *name, bool ask)
{
	while (described != NULL)
	{
		const char *dot = strchr(name, '.');
		const Field *parent = NULL;
		int			found = schema_find(described, name);

		if (found >= 0)
			return &described->fields[found];
		if (dot == NULL)
			return NULL;
		for (int i = 0; i < described->nfields; i++)
		{
			const Field *field = &described->fields[i];
			size_t		length = dot - name;

			if (field->relationship != NULL && strlen(field->relationship) == length &&
				strncmp(field->relationship, name, length) == 0)
				parent = field;
			else if (salesforce_is_compound(field) && strlen(field->name) == length &&
					 strncmp(field->name, name, length) == 0)
				return field;
		}
		if (parent == NULL || parent->references == NULL)
			return NULL;
		described = ask ? salesforce_describe(session, parent->references) :
			known_entity(session, parent->references)->schema;
		name = dot + 1;
	}
	return NULL;
}

static Schema *
salesforce_describe_entity(ConnectorSession *session, const char *entity)
{
	const Schema *schema = salesforce_describe(session, entity);

	if (salesforce_event_channel(entity) != NULL)
		return salesforce_event_fields(entity, schema);
	return unconstify(Schema *, schema);
}

const Connector salesforce_connector = {
	.type = "Salesforce",
	.list_entities = salesforce_list_entities,
	.describe_entity = salesforce_describe_entity,
	.plan_read = salesforce_plan_read,
	.open_reader = salesforce_open_reader,
	.open_writer = salesforce_open_writer,
	.check_properties = salesforce_check_properties,
	.batch_size = salesforce_batch_size,
	.needs_schema = salesforce_needs_schema,
	.fixed_schema = salesforce_fixed_schema,
};
