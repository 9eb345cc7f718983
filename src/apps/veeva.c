/*-------------------------------------------------------------------------
 *
 * veeva.c
 *	  The Veeva connector: calls and errors of a Vault, its objects and documents, and
 *	  their fields.
 *
 * Follows the Vault REST API.  Vault answers with status 200 whatever happens: whether it
 * went well is in the body, and failures are short.
 *
 * IDENTIFICATION
 *	  src/apps/veeva.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>
#include <stdlib.h>

#include "apps/apps.h"
#include "apps/veeva.h"
#include "connector/entity_form.h"
#include "net/net.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

#define DEFAULT_VERSION "25.2"

/* failures are not longer */
#define MAX_FAILURE (64 * 1024)

/* ms to wait when the calls of the moment are used up, and when Vault does not say for how long */
#define LIMIT_PAUSE 10000
#define BURST_PAUSE 500
#define MAX_PAUSE 300000

/* ---------- errors ---------- */

typedef enum Remedy
{
	REMEDY_NONE,
	REMEDY_SESSION,				/* another session */
	REMEDY_PATIENCE,			/* the same again, later */
	REMEDY_REST					/* the same again, after a while without calls */
} Remedy;

static const struct
{
	const char *type;
	AppflowException exception;
	Remedy		remedy;
}			failures[] = {
	{"INVALID_SESSION_ID", WF_AUTHENTICATION, REMEDY_SESSION},
	{"USERNAME_OR_PASSWORD_INCORRECT", WF_AUTHENTICATION, REMEDY_NONE},
	{"NO_PASSWORD_PROVIDED", WF_AUTHENTICATION, REMEDY_NONE},
	{"USER_LOCKED_OUT", WF_AUTHENTICATION, REMEDY_NONE},
	{"INACTIVE_USER", WF_AUTHENTICATION, REMEDY_NONE},
	{"PASSWORD_CHANGE_REQUIRED", WF_AUTHENTICATION, REMEDY_NONE},
	{"INSUFFICIENT_ACCESS", WF_AUTHENTICATION, REMEDY_NONE},
	{"CONFIGURATION_MODE_ENABLED", WF_AUTHENTICATION, REMEDY_NONE},
	{"API_LIMIT_EXCEEDED", WF_THROTTLING, REMEDY_REST},
	{"UNEXPECTED_ERROR", WF_CONNECTOR, REMEDY_PATIENCE},
	{"RACE_CONDITION", WF_CONNECTOR, REMEDY_PATIENCE},
	{"OPERATION_IN_PROGRESS", WF_CONNECTOR, REMEDY_PATIENCE},
	{"EXCEPTION", WF_CONNECTOR, REMEDY_PATIENCE},
};

/* what a call needs to know when it is answered */
typedef struct CallState
{
	ConnectorSession *session;
	bool		renewed;		/* the session, for this call */
	bool		failed;			/* the answer says so */
	char	   *type;			/* of its first error, or its responseStatus */
	char	   *message;		/* or NULL */
	Remedy		remedy;
} CallState;

static AppflowException
exception_of(const char *type)
{
	for (int i = 0; i < (int) lengthof(failures); i++)
	{
		if (strcmp(type, failures[i].type) == 0)
			return failures[i].exception;
	}
	return WF_CONNECTOR;
}

static Remedy
remedy_of(const char *type)
{
	for (int i = 0; i < (int) lengthof(failures); i++)
	{
		if (strcmp(type, failures[i].type) == 0)
			return failures[i].remedy;
	}
	return REMEDY_NONE;
}

/* {"responseStatus": "FAILURE", "errors": [{"type", "message"}]}; files are no answers of Vault's own */
static void
read_failure(HttpCall *call, CallState *state)
{
	size_t		length;
	const char *body = http_body(call, &length);
	Jsonb	   *answer;
	List	   *errors;

	if (http_response_header(call, "Content-Disposition") != NULL || memchr(body, '\0', length) != NULL ||
		(strstr(body, "FAILURE") == NULL && strstr(body, "EXCEPTION") == NULL))
		return;
	answer = jsonb_parse(pnstrdup(body, length));
	if (answer == NULL || !JB_ROOT_IS_OBJECT(answer))
		return;
	state->type = jsonb_get_text(answer, "responseStatus");
	if (state->type == NULL || (strcmp(state->type, "FAILURE") != 0 && strcmp(state->type, "EXCEPTION") != 0))
		return;
	state->failed = true;
	state->remedy = remedy_of(state->type);
	state->message = jsonb_get_text(answer, "responseMessage");
	errors = jsonb_array_containers(jsonb_get_container(answer, "errors"));
	if (errors != NIL)
	{
		char	   *type = jsonb_get_text(linitial(errors), "type");
		char	   *message = jsonb_get_text(linitial(errors), "message");

		if (message != NULL)
			state->message = message;
		if (type != NULL)
		{
			state->type = type;
			state->remedy = Max(state->remedy, remedy_of(type));
		}
	}
}

/* what the attempt before was told does not count: this one's answer may be too long to be judged */
static void
begin_attempt(HttpCall *call, void *arg)
{
	CallState  *state = arg;

	state->failed = false;
	state->remedy = REMEDY_NONE;
}

static bool
judge(HttpCall *call, bool retry, void *arg)
{
	CallState  *state = arg;
	const HttpGuard *guard = &state->session->authenticator->guard;
	MemoryContext old = MemoryContextSwitchTo(call->context);

	read_failure(call, state);
	MemoryContextSwitchTo(old);
	switch (state->remedy)
	{
		case REMEDY_NONE:
			break;
		case REMEDY_SESSION:
			/* of a 401 the guard is told anyway */
			if (state->renewed || call->status == 401 || guard->renew == NULL)
				return false;
			state->renewed = true;
			return guard->renew(call, guard->arg);
		case REMEDY_PATIENCE:
		case REMEDY_REST:
			return true;
	}
	return retry;
}

/*
 * Once the calls of five minutes are used up Vault delays its answers, and says by
 * how much: who holds back as long is not delayed ever more.
 */
static int64
pause_asked(HttpCall *call, void *authenticator)
{
	const CallState *state = call->arg;
	const char *delay = http_response_header(call, "X-VaultAPI-ResponseDelay");
	const char *remaining = http_response_header(call, "X-VaultAPI-BurstLimitRemaining");
	double		pause = delay == NULL ? 0 : strtod(delay, NULL);

	if (state->failed && state->remedy == REMEDY_REST)
		return Min(LIMIT_PAUSE, net_max_retry_delay);
	if (pause > 0)
		return (int64) fmin(pause, MAX_PAUSE);
	return remaining != NULL && strcmp(remaining, "0") == 0 ? BURST_PAUSE : -1;
}

void
veeva_check(ConnectorSession *session, HttpCall *call, const char *what)
{
	const CallState *state = call->arg;

	if (state->failed)
		session_raise_as(session, call, exception_of(state->type), what, state->type, state->message);
	if (call->status >= 300)
		session_raise(session, call, what, NULL, NULL);
}

bool
veeva_refused(ConnectorSession *session, HttpCall *call, const char *what, const char **type,
			  const char **message)
{
	const CallState *state = call->arg;
	bool		about_it = state->failed && state->remedy == REMEDY_NONE &&
		(exception_of(state->type) == WF_CONNECTOR || strcmp(state->type, "INSUFFICIENT_ACCESS") == 0);

	if (!about_it)
		veeva_check(session, call, what);
	*type = state->type;
	*message = state->message;
	return about_it;
}

/* ---------- calls ---------- */

static const char *
version_of(ConnectorSession *session)
{
	const char *version = session->api_version;

	if (version == NULL)
		return DEFAULT_VERSION;
	if (version[0] == 'v' || version[0] == 'V')
		version++;
	if (version[0] == '\0' || strspn(version, "0123456789.") != strlen(version))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not a version of Vault's API", session->api_version),
				errhint("Versions are such as \"v" DEFAULT_VERSION "\"."));
	return version;
}

HttpCall *
veeva_call(ConnectorSession *session, const char *method, const char *path)
{
	CallState  *state;
	HttpCall   *call;

	if (path[0] == '/' && strncmp(path, "/api/", 5) != 0)
		path = psprintf("/api/v%s%s", version_of(session), path);
	call = session_call(session, method, path);
	state = MemoryContextAllocZero(call->context, sizeof(CallState));
	state->session = session;
	call->arg = state;
	call->prepare = begin_attempt;
	call->judge = judge;
	call->judged = MAX_FAILURE;

	/* all that is asked for here changes nothing */
	call->repeatable = true;
	session->authenticator->guard.pause = pause_asked;
	return call;
}

Jsonb *
veeva_fetch(ConnectorSession *session, HttpCall *call, const char *what)
{
	call->whole = true;
	http_wait(call);
	veeva_check(session, call, what);
	return session_fetch(session, call, what, NULL);
}

/* ---------- names and properties ---------- */

bool
veeva_is_name(const char *name, bool dotted)
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

bool
veeva_is_documents(const char *entity, const char **type)
{
	size_t		length = strlen(VEEVA_TYPES "/");
	bool		typed = strncmp(entity, VEEVA_TYPES "/", length) == 0 && veeva_is_name(entity + length, false);

	if (type != NULL)
		*type = typed ? entity + length : NULL;
	return typed || strcmp(entity, VEEVA_DOCUMENTS) == 0;
}

bool
veeva_includes(Jsonb *properties, const char *member)
{
	return properties != NULL && jsonb_get_bool(properties, member, false);
}

bool
veeva_brings_files(Jsonb *properties)
{
	return veeva_includes(properties, "includeSourceFiles") || veeva_includes(properties, "includeRenditions");
}

static List *
veeva_check_properties(Jsonb *properties, bool as_source)
{
	static const char *const of_documents[] = {"includeAllVersions", "includeSourceFiles", "includeRenditions"};
	char	   *object = jsonb_get_text(properties, "object");
	char	   *type = jsonb_get_text(properties, "documentType");
	List	   *problems = NIL;

	if (object == NULL || object[0] == '\0')
		return NIL;
	if (veeva_is_documents(object, NULL))
		return NIL;
	if (!veeva_is_name(object, false))
		problems = lappend(problems, psprintf("object \"%s\" is neither the name of an object, nor \"" VEEVA_DOCUMENTS
											  "\" or \"" VEEVA_TYPES "/\" and the name of a document type", object));
	for (int i = 0; i < (int) lengthof(of_documents); i++)
	{
		if (veeva_includes(properties, of_documents[i]))
			problems = lappend(problems, psprintf("%s is for documents, not for object \"%s\"", of_documents[i], object));
	}
	if (type != NULL && type[0] != '\0')
		problems = lappend(problems, psprintf("documentType is for documents, not for object \"%s\"", object));
	return problems;
}

/* ---------- entities ---------- */

static void
add_entity(List **entities, const char *name, const char *label, bool nested)
{
	Entity	   *entity = palloc0(sizeof(Entity));

	entity->name = pstrdup(name);
	entity->label = label != NULL ? pstrdup(label) : NULL;
	entity->nested = nested;
	*entities = lappend(*entities, entity);
}

/* types come as URLs that end in their names */
static List *
list_types(ConnectorSession *session)
{
	Jsonb	   *answer = veeva_fetch(session, veeva_call(session, "GET", "/metadata/objects/documents/types"),
									 "the list of document types");
	List	   *entities = NIL;
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "types")))
	{
		char	   *url = jsonb_get_text(lfirst(lc), "value");
		char	   *slash = url == NULL ? NULL : strrchr(url, '/');

		if (slash != NULL && slash[1] != '\0' && veeva_is_name(slash + 1, false))
			add_entity(&entities, psprintf(VEEVA_TYPES "/%s", slash + 1), jsonb_get_text(lfirst(lc), "label"), false);
	}
	return entities;
}

/* objects and fields are switched off by a status; NULL is no status */
static bool
is_active(Jsonb *object)
{
	Jsonb	   *status = jsonb_get_container(object, "status");
	ListCell   *lc;

	if (status == NULL)
		return true;
	foreach(lc, jsonb_array_texts(status))
	{
		if (strcmp(lfirst(lc), "active__v") == 0)
			return true;
	}
	return false;
}

static List *
veeva_list_entities(ConnectorSession *session, const char *path)
{
	List	   *entities = NIL;
	Jsonb	   *answer;
	ListCell   *lc;

	if (strcmp(path, VEEVA_TYPES) == 0)
		return list_types(session);
	if (path[0] != '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("Veeva has no entities under \"%s\"", path),
				errhint("Document types are under \"" VEEVA_TYPES "\"."));
	answer = veeva_fetch(session, veeva_call(session, "GET", "/metadata/vobjects"), "the list of objects");
	add_entity(&entities, VEEVA_DOCUMENTS, "Documents", false);
	add_entity(&entities, VEEVA_TYPES, "Document types", true);
	foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "objects")))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");

		if (name != NULL && veeva_is_name(name, false) && is_active(lfirst(lc)))
			add_entity(&entities, name, jsonb_get_text(lfirst(lc), "label"), false);
	}
	return entities;
}

/* ---------- fields ---------- */

/* what is not here is text */
static const struct
{
	const char *name;
	FieldType	type;
	bool		compared;		/* conditions work on it */
}			types[] = {
	{"id", FIELD_STRING, true},
	{"String", FIELD_STRING, true},
	{"ExactMatchString", FIELD_STRING, true},
	{"URL", FIELD_STRING, true},
	{"Object", FIELD_STRING, true},
	{"ObjectReference", FIELD_STRING, true},
	{"Component", FIELD_STRING, true},
	{"LongText", FIELD_STRING, false},
	{"RichText", FIELD_STRING, false},
	{"Number", FIELD_DECIMAL, true},
	{"Currency", FIELD_DECIMAL, true},
	{"Percent", FIELD_DECIMAL, true},
	{"Boolean", FIELD_BOOLEAN, true},
	{"Date", FIELD_DATE, true},
	{"DateTime", FIELD_DATETIME, true},
	{"Picklist", FIELD_JSON, true},
};

/* times that say when a record has changed */
static const char *const change_times[] = {
	"modified_date__v", "version_modified_date__v", "created_date__v", "document_creation_date__v",
	"version_creation_date__v", "file_modified_date__v"
};

/* of values that are computed when they are read, or looked up elsewhere, Vault may compare none */
static bool
is_stored(Jsonb *wire)
{
	if (jsonb_get_text(wire, "formula") != NULL)
		return false;
	return jsonb_get_text(wire, "lookup_source_field") == NULL || jsonb_get_bool(wire, "searchable", false);
}

static void
read_field(Field *field, Jsonb *wire, bool sorted_nulls)
{
	char	   *native = jsonb_get_text(wire, "type");
	bool		compared = false;
	int64		number;

	field->native_type = native != NULL ? native : "String";
	for (int i = 0; i < (int) lengthof(types); i++)
	{
		if (pg_strcasecmp(field->native_type, types[i].name) != 0)
			continue;
		field->type = types[i].type;
		compared = types[i].compared;
	}
	if (field->type == FIELD_DECIMAL && strcmp(field->native_type, "Number") == 0 &&
		jsonb_get_int64(wire, "scale", &number) && number == 0)
		field->type = FIELD_LONG;
	if (jsonb_get_bool(wire, "repeating", false))
		field->type = FIELD_JSON;
	field->label = jsonb_get_text(wire, "label");
	field->description = jsonb_get_text(wire, "help_content");
	if (field->description == NULL)
		field->description = jsonb_get_text(wire, "helpContent");
	field->key = strcmp(field->name, "id") == 0;
	field->not_null = field->key;
	if (field->type == FIELD_STRING &&
		(jsonb_get_int64(wire, "max_length", &number) || jsonb_get_int64(wire, "maxLength", &number)) &&
		number > 0 && number <= INT_MAX)
		field->max_length = (int) number;
	if (compared && is_stored(wire))
	{
		field->filters = field->type != FIELD_JSON ? filters_of_type(field->type) :
			1 << FILTER_EQUAL_TO | 1 << FILTER_NOT_EQUAL_TO | 1 << FILTER_CONTAINS;
		field->sortable = field->type != FIELD_JSON && sorted_nulls;
	}
	for (int i = 0; field->type == FIELD_DATETIME && i < (int) lengthof(change_times); i++)
	{
		if (strcmp(field->name, change_times[i]) == 0)
			field->incremental = true;
	}
}

/* what the object's fields refer to, and by which names one gets there */
static void
read_relationships(Schema *schema, Jsonb *object)
{
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(object, "relationships")))
	{
		char	   *type = jsonb_get_text(lfirst(lc), "relationship_type");
		char	   *name = jsonb_get_text(lfirst(lc), "field");
		char	   *relationship = jsonb_get_text(lfirst(lc), "relationship_name");
		int			found = name == NULL ? -1 : schema_find(schema, name);

		if (found < 0 || type == NULL || strstr(type, "outbound") == NULL || relationship == NULL ||
			!veeva_is_name(relationship, false))
			continue;
		schema->fields[found].relationship = relationship;
		schema->fields[found].references = jsonb_get_text(jsonb_get_container(lfirst(lc), "object"), "name");
	}
}

/*
 * Fields of documents are told by "properties" and those that can be queried are
 * marked, fields of objects by "object.fields".
 */
static Schema *
veeva_describe_entity(ConnectorSession *session, const char *entity)
{
	Schema	   *schema = schema_create();
	MemoryContext result = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(result, "appflow Veeva describe", ALLOCSET_DEFAULT_SIZES);
	char	   *what = psprintf("entity \"%s\"", entity);
	const char *type;
	bool		documents = veeva_is_documents(entity, &type);
	bool		sorted_nulls = true;
	Jsonb	   *object = NULL;
	List	   *fields;
	ListCell   *lc;

	if (!documents && !veeva_is_name(entity, false))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not the name of an object of Veeva", entity),
				errhint("Documents are \"" VEEVA_DOCUMENTS "\", or \"" VEEVA_TYPES "/\" and the name of their type."));
	MemoryContextSwitchTo(work);	/* answers are large */
	if (documents)
		fields = jsonb_array_containers(jsonb_get_container(
			veeva_fetch(session, veeva_call(session, "GET", type == NULL ? "/metadata/objects/documents/properties" :
											psprintf("/metadata/objects/documents/types/%s", type)), what), "properties"));
	else
	{
		object = jsonb_get_container(
			veeva_fetch(session, veeva_call(session, "GET", psprintf("/metadata/vobjects/%s", entity)), what), "object");
		fields = jsonb_array_containers(jsonb_get_container(object, "fields"));

		/* other than of all others, nulls of raw objects are first in ascending order */
		if (object != NULL && jsonb_get_text(object, "data_store") != NULL)
			sorted_nulls = strcmp(jsonb_get_text(object, "data_store"), "raw") != 0;
	}
	MemoryContextSwitchTo(result);
	foreach(lc, fields)
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");

		if (name == NULL || !veeva_is_name(name, false) || schema_find(schema, name) >= 0)
			continue;
		if (documents ? jsonb_get_bool(lfirst(lc), "queryable", false) && !jsonb_get_bool(lfirst(lc), "disabled", false) :
			is_active(lfirst(lc)))
			read_field(schema_add(schema, name, FIELD_STRING), lfirst(lc), sorted_nulls);
	}
	if (object != NULL)
		read_relationships(schema, object);
	MemoryContextDelete(work);
	if (schema->nfields == 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("Veeva shows no fields of entity \"%s\"", entity),
				errhint("The user of connector profile \"%s\" may lack the right to see them.", session->profile_name));
	return schema;
}

const Connector veeva_connector = {
	.type = "Veeva",
	.list_entities = veeva_list_entities,
	.describe_entity = veeva_describe_entity,
	.plan_read = veeva_plan_read,
	.open_reader = veeva_open_reader,
	.check_properties = veeva_check_properties,
	.brings_files = veeva_brings_files,
};
