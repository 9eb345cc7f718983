/*-------------------------------------------------------------------------
 *
 * sap_odata.c
 *	  SAP OData as a connector: calls, errors, the catalogue of services.
 *
 * The profile's applicationServicePath leads to the catalogue (of version 2 or 4), or to a
 * single service; paths of entities begin at the host.
 *
 * IDENTIFICATION
 *	  src/apps/sap_odata.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/sap_odata.h"
#include "miscadmin.h"
#include "net/url.h"
#include "net/xml.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

#define CATALOG_V2 "/sap/opu/odata/iwfnd/catalogservice;v=2"
#define CATALOG_V4 "/sap/opu/odata4/iwfnd/config/default/iwfnd/catalog/0002"

/* pages of a catalogue; whoever has more goes in circles */
#define MAX_CATALOG_PAGES 1000

#define MAX_PAGE_SIZE 10000
#define MAX_PARALLELISM 10

SapState *
sap_state(ConnectorSession *session)
{
	if (session->state == NULL)
		session->state = MemoryContextAllocZero(session->context, sizeof(SapState));
	return session->state;
}

/* ---------- calls ---------- */

/* Is there a parameter of that name, in any letter case, in the query? */
static bool
has_parameter(const char *target, const char *name)
{
	const char *p = strchr(target, '?');
	size_t		length = strlen(name);

	while (p != NULL)
	{
		p++;
		if (pg_strncasecmp(p, name, length) == 0 && (p[length] == '=' || p[length] == '\0' || p[length] == '&'))
			return true;
		p = strchr(p, '&');
	}
	return false;
}

char *
sap_target(ConnectorSession *session, const char *target)
{
	StringInfoData path;
	char	   *client = jsonb_get_text(session->profile_properties, "clientNumber");
	char	   *language = jsonb_get_text(session->profile_properties, "logonLanguage");

	initStringInfo(&path);
	if (strstr(target, "://") != NULL && target[0] != '/')
		target = url_target(target);
	if (target[0] != '/')
		appendStringInfoChar(&path, '/');
	for (const unsigned char *p = (const unsigned char *) target; *p != '\0' && *p != '#'; p++)
	{
		if (*p > ' ' && *p < 0x7F && strchr("\"<>\\^`{|}", *p) == NULL)
			appendStringInfoChar(&path, *p);
		else
			appendStringInfo(&path, "%%%02X", *p);
	}
	if (client != NULL && client[0] != '\0' && !has_parameter(path.data, "sap-client"))
		odata_option(&path, "sap-client", client);
	if (language != NULL && language[0] != '\0' && !has_parameter(path.data, "sap-language"))
		odata_option(&path, "sap-language", language);
	if (jsonb_get_bool(session->profile_properties, "disableSSO", false) && !has_parameter(path.data, "saml2"))
		odata_option(&path, "saml2", "disabled");
	return path.data;
}

HttpCall *
sap_call(ConnectorSession *session, const char *method, const char *target)
{
	const char *scheme = strstr(session->base, "://");
	size_t		origin = scheme == NULL ? strlen(session->base) :
		(scheme + 3 - session->base) + strcspn(scheme + 3, "/?#");
	HttpCall   *call = http_call(method, psprintf("%.*s%s", (int) origin, session->base, sap_target(session, target)));

	call->guard = &session->authenticator->guard;
	if (sap_state(session)->cookies != NULL)
		http_header(call, "Cookie", sap_state(session)->cookies);
	return call;
}

/* "a=1; b=2" of all cookies that an answer set; those of before stay unless set anew */
static char *
merge_cookies(HttpCall *call, char *before)
{
	List	   *pairs = NIL;
	ListCell   *lc;
	StringInfoData out;
	const char *value;

	for (int n = 0; (value = http_response_header_nth(call, "Set-Cookie", n)) != NULL; n++)
		pairs = lappend(pairs, pnstrdup(value, strcspn(value, ";")));
	initStringInfo(&out);
	foreach(lc, pairs)
		appendStringInfo(&out, "%s%s", out.len > 0 ? "; " : "", (char *) lfirst(lc));
	while (before != NULL && *before != '\0')
	{
		size_t		length = strcspn(before, ";");
		size_t		name = strcspn(before, "=;");
		bool		anew = false;

		foreach(lc, pairs)
			anew = anew || strncmp(lfirst(lc), before, name + 1) == 0;
		if (!anew)
			appendStringInfo(&out, "%s%.*s", out.len > 0 ? "; " : "", (int) length, before);
		before += length + strspn(before + length, "; ");
	}
	return out.len > 0 ? out.data : NULL;
}

/* the session that an answer belongs to: others that follow had better belong to it too */
static void
keep_cookies(ConnectorSession *session, HttpCall *call)
{
	SapState   *state = sap_state(session);
	MemoryContext old = MemoryContextSwitchTo(session->context);

	state->cookies = merge_cookies(call, state->cookies);
	MemoryContextSwitchTo(old);
}

/* ---------- errors ---------- */

/* words of details that the message itself does not have */
static void
append_details(StringInfo words, Jsonb *details)
{
	int			told = 0;
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(details))
	{
		char	   *text = jsonb_get_text(lfirst(lc), "message");

		if (text != NULL && text[0] != '\0' && strstr(words->data, text) == NULL && told++ < 5)
			appendStringInfo(words, "; %s", text);
	}
}

void
sap_error(const char *body, size_t length, char **code, char **message)
{
	Jsonb	   *error = NULL;

	*code = *message = NULL;
	if (body == NULL || length == 0 || memchr(body, '\0', length) != NULL)
		return;
	if (body[0] == '<')
	{
		XmlLeaves  *leaves = xml_leaves(body, length);

		if (leaves == NULL)
			return;
		if (strcmp(leaves->root, "error") == 0)
		{
			const char *text = xml_text(leaves, "error", "code");

			*code = text == NULL ? NULL : pstrdup(text);
			text = xml_text(leaves, "error", "message");
			*message = text == NULL ? NULL : pstrdup(text);
		}
		xml_free(leaves);
		return;
	}
	error = jsonb_get_container(jsonb_parse(pnstrdup(body, length)), "error");
	if (error == NULL)
		return;
	*code = jsonb_get_text(error, "code");
	*message = jsonb_get_text(error, "message");
	if (*message == NULL)
		*message = jsonb_get_text(jsonb_get_container(error, "message"), "value");
	if (*message != NULL)
	{
		StringInfoData words;

		initStringInfo(&words);
		appendStringInfoString(&words, *message);
		append_details(&words, jsonb_get_container(error, "details"));
		append_details(&words, jsonb_get_container(jsonb_get_container(error, "innererror"), "errordetails"));
		*message = words.data;
	}
}

void
sap_fail(ConnectorSession *session, HttpCall *call, const char *what)
{
	size_t		length;
	const char *body = http_body(call, &length);
	char	   *code;
	char	   *message;

	sap_error(body, length, &code, &message);
	session_raise(session, call, what, code, message);
}

/* ---------- $metadata ---------- */

void
sap_split_entity(const char *entity, char **service, char **set)
{
	const char *path = entity;
	const char *slash;
	size_t		length;

	if (strstr(entity, "://") != NULL)
		path = url_target(entity);
	length = strlen(path);
	while (length > 0 && path[length - 1] == '/')
		length--;
	path = pnstrdup(path, length);
	slash = strrchr(path, '/');
	if (strpbrk(path, "?# ()") != NULL || slash == NULL || slash == path || slash[1] == '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not the path of an entity set", entity),
				errhint("It is the path of a service and the name of an entity set, such as "
						"\"/sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrder\"."));
	*service = psprintf("%s%.*s", path[0] == '/' ? "" : "/", (int) (slash - path), path);
	*set = pstrdup(slash + 1);
}

pg_noreturn static void
no_metadata(ConnectorSession *session, HttpCall *call, const char *service, const char *problem)
{
	const char *type = http_response_header(call, "Content-Type");
	bool		page = type != NULL && pg_strncasecmp(type, "text/html", 9) == 0;

	ereport(ERROR,
			page ? appflow_error_detail(WF_AUTHENTICATION, "%s %s answered with status %d and a page of HTML.",
										call->method, http_shown_url(call->url), call->status) :
			appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.",
								 call->method, http_shown_url(call->url), call->status),
			errmsg("what SAPOData says of service \"%s\" is no $metadata document: %s", service, problem),
			page ? errhint("This may be a page to log on at: see the credentials and disableSSO of connector profile \"%s\".",
						   session->profile_name) : 0);
}

/* the service's document, asked for once in a session */
static EdmDocument *
document_of(ConnectorSession *session, const char *service)
{
	SapState   *state = sap_state(session);
	HttpCall   *call;
	MemoryContext old;
	const char *body;
	const char *problem;
	size_t		length;

	if (state->document != NULL && strcmp(state->service, service) == 0)
		return state->document;
	if (state->document_context != NULL)
		MemoryContextDelete(state->document_context);
	state->document = NULL;
	state->document_context = NULL;
	call = sap_call(session, "GET", psprintf("%s/$metadata", service));
	http_header(call, "Accept", "application/xml");
	call->whole = true;
	http_wait(call);
	if (call->status >= 300)
		sap_fail(session, call, psprintf("$metadata of service \"%s\"", service));
	keep_cookies(session, call);
	body = http_body(call, &length);
	state->document_context = AllocSetContextCreate(session->context, "appflow OData document",
													ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(state->document_context);
	state->service = pstrdup(service);
	state->document = edm_parse(body == NULL ? "" : body, body == NULL ? 0 : length, &problem);
	MemoryContextSwitchTo(old);
	if (state->document == NULL)
		no_metadata(session, call, service, problem);
	http_close(call);
	return state->document;
}

ODataEntity *
sap_entity(ConnectorSession *session, const char *path)
{
	char	   *service;
	char	   *set;
	EdmDocument *document;
	ODataEntity *entity;
	StringInfoData names;
	ListCell   *lc;
	List	   *sets;

	sap_split_entity(path, &service, &set);
	document = document_of(session, service);
	entity = edm_entity(document, service, set);
	if (entity != NULL)
		return entity;
	sets = edm_sets(document);
	initStringInfo(&names);
	foreach(lc, sets)
	{
		if (foreach_current_index(lc) == 40)
			break;
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", (char *) lfirst(lc));
	}
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("service \"%s\" has no entity set \"%s\"", service, set),
			errhint("It has %s%s.", names.len > 0 ? names.data : "none", list_length(sets) > 40 ? ", ..." : ""));
}

static Schema *
describe_entity(ConnectorSession *session, const char *entity)
{
	return sap_entity(session, entity)->schema;
}

/* ---------- the catalogue ---------- */

static Entity *
add_entity(List **entities, const char *name, const char *label, bool nested)
{
	Entity	   *entity = palloc0(sizeof(Entity));

	entity->name = pstrdup(name);
	entity->label = label == NULL || label[0] == '\0' ? entity->name : pstrdup(label);
	entity->nested = nested;
	*entities = lappend(*entities, entity);
	return entity;
}

/* the path of a service, of whatever the catalogue has for its URL */
static char *
service_path(const char *url)
{
	char	   *path = pstrdup(strstr(url, "://") != NULL ? url_target(url) : url);
	size_t		length;

	path[strcspn(path, "?#")] = '\0';
	for (length = strlen(path); length > 1 && path[length - 1] == '/';)
		path[--length] = '\0';
	return path[0] == '/' ? path : psprintf("/%s", path);
}

static void
add_service_v2(List **entities, Jsonb *row)
{
	char	   *url = jsonb_get_text(row, "ServiceUrl");
	char	   *name = jsonb_get_text(row, "TechnicalServiceName");
	char	   *label = jsonb_get_text(row, "Title");

	if (name == NULL)
		name = jsonb_get_text(row, "ID");
	if (label == NULL || label[0] == '\0')
		label = jsonb_get_text(row, "Description");
	if (label == NULL || label[0] == '\0')
		label = name;
	if (url == NULL || url[0] == '\0')
		url = name == NULL ? NULL : psprintf("%s%s", name[0] == '/' ? "/sap/opu/odata" : "/sap/opu/odata/sap/", name);
	if (url != NULL)
		(void) add_entity(entities, service_path(url), label, true);
}

static void
add_group_v4(List **entities, Jsonb *group)
{
	Jsonb	   *system = jsonb_get_container(group, "DefaultSystem");
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(system, "Services")))
	{
		char	   *url = jsonb_get_text(lfirst(lc), "ServiceUrl");
		char	   *label = jsonb_get_text(lfirst(lc), "Description");

		if (label == NULL || label[0] == '\0')
			label = jsonb_get_text(lfirst(lc), "ServiceId");
		if (url != NULL && url[0] != '\0')
			(void) add_entity(entities, service_path(url), label, true);
	}
}

static List *
list_services(ConnectorSession *session, const char *catalog, ODataVersion version)
{
	List	   *entities = NIL;
	char	   *target = psprintf("%s/%s?%s", catalog, version == ODATA_V4 ? "ServiceGroups" : "ServiceCollection",
								  version == ODATA_V4 ? "$expand=DefaultSystem($expand=Services)" : "$format=json");

	for (int page = 0; target != NULL && page < MAX_CATALOG_PAGES; page++)
	{
		HttpCall   *call = sap_call(session, "GET", target);
		Jsonb	   *answer;
		Jsonb	   *outer;
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		http_header(call, "Accept", "application/json");
		answer = session_fetch(session, call, "the catalogue of services", sap_fail);
		outer = version == ODATA_V4 ? answer : jsonb_get_container(answer, "d");
		foreach(lc, jsonb_array_containers(version == ODATA_V4 ? jsonb_get_container(answer, "value") :
										   jsonb_get_container(outer, "results")))
		{
			if (version == ODATA_V4)
				add_group_v4(&entities, lfirst(lc));
			else
				add_service_v2(&entities, lfirst(lc));
		}
		target = jsonb_get_text(outer, version == ODATA_V4 ? "@odata.nextLink" : "__next");
		if (target != NULL && strstr(target, "://") == NULL && target[0] != '/')
			target = psprintf("%s/%s", catalog, target);
	}
	return entities;
}

static List *
list_sets(ConnectorSession *session, const char *service)
{
	EdmDocument *document = document_of(session, service);
	List	   *entities = NIL;
	ListCell   *lc;

	foreach(lc, edm_sets(document))
	{
		char	   *label = edm_set_label(document, lfirst(lc));

		(void) add_entity(&entities, psprintf("%s/%s", service, (char *) lfirst(lc)),
						  label != NULL ? label : lfirst(lc), false);
	}
	return entities;
}

static bool
contains_word(const char *text, const char *word)
{
	size_t		length = strlen(word);

	for (; *text != '\0'; text++)
	{
		if (pg_strncasecmp(text, word, length) == 0)
			return true;
	}
	return false;
}

static List *
list_entities(ConnectorSession *session, const char *path)
{
	char	   *catalog = jsonb_get_text(session->profile_properties, "applicationServicePath");
	bool		wants_v4 = session->api_version != NULL && session->api_version[0] == '4';
	bool		wants_v2 = session->api_version != NULL && session->api_version[0] == '2';
	char	   *last;

	if (path[0] != '\0')
		return list_sets(session, service_path(path));
	catalog = service_path(catalog == NULL || catalog[0] == '\0' ? CATALOG_V2 : catalog);

	/* the entity set of services may be named too */
	last = strrchr(catalog, '/');
	if (last != catalog && (pg_strcasecmp(last, "/ServiceCollection") == 0 || pg_strcasecmp(last, "/ServiceGroups") == 0))
		*last = '\0';
	if (contains_word(catalog, "/odata4/") && contains_word(catalog, "/catalog"))
		return list_services(session, wants_v2 ? CATALOG_V2 : catalog, wants_v2 ? ODATA_V2 : ODATA_V4);
	if (contains_word(catalog, "catalogservice"))
		return list_services(session, wants_v4 ? CATALOG_V4 : catalog, wants_v4 ? ODATA_V4 : ODATA_V2);
	return list_sets(session, catalog);
}

/* ---------- leave to write ---------- */

void
sap_csrf(ConnectorSession *session, const char *service, bool renew)
{
	SapState   *state = sap_state(session);
	static const char *const endings[] = {"/", ""};

	if (!renew && state->csrf_service != NULL && strcmp(state->csrf_service, service) == 0)
		return;
	state->csrf_token = NULL;
	if (renew)
		state->cookies = NULL;
	for (int i = 0; i < (int) lengthof(endings) && state->csrf_token == NULL; i++)
	{
		HttpCall   *call = sap_call(session, "GET", psprintf("%s%s", service, endings[i]));
		MemoryContext old;
		const char *token;

		http_header(call, "Accept", "application/json");
		http_header(call, "X-CSRF-Token", "Fetch");
		call->whole = true;
		http_wait(call);

		/* an error may bring a token all the same */
		token = http_response_header(call, "X-CSRF-Token");
		if (token == NULL && (call->status == 401 || call->status >= 500))
			sap_fail(session, call, psprintf("service \"%s\"", service));
		keep_cookies(session, call);
		old = MemoryContextSwitchTo(session->context);
		if (token != NULL && pg_strcasecmp(token, "Required") != 0)
			state->csrf_token = pstrdup(token);
		state->csrf_service = pstrdup(service);
		MemoryContextSwitchTo(old);
		http_close(call);
	}
}

/* ---------- the connector ---------- */

static List *
check_properties(Jsonb *properties, bool as_source)
{
	List	   *problems = NIL;
	char	   *path = jsonb_get_text(properties, "objectPath");
	int64		number;

	if (path != NULL && (strpbrk(path, "?# ()") != NULL || strrchr(path, '/') == path))
		problems = lappend(problems, psprintf("objectPath: \"%s\" is not the path of a service and the name of an entity set", path));
	if (jsonb_get_int64(jsonb_get_container(properties, "paginationConfig"), "maxPageSize", &number) &&
		(number < 1 || number > MAX_PAGE_SIZE))
		problems = lappend(problems, psprintf("paginationConfig.maxPageSize: " INT64_FORMAT " is not within 1 and %d", number, MAX_PAGE_SIZE));
	if (jsonb_get_int64(jsonb_get_container(properties, "parallelismConfig"), "maxParallelism", &number) &&
		(number < 1 || number > MAX_PARALLELISM))
		problems = lappend(problems, psprintf("parallelismConfig.maxParallelism: " INT64_FORMAT " is not within 1 and %d", number, MAX_PARALLELISM));
	return problems;
}

const Connector sap_odata_connector = {
	.type = "SAPOData",
	.list_entities = list_entities,
	.describe_entity = describe_entity,
	.plan_read = sap_plan_read,
	.open_reader = sap_open_reader,
	.open_writer = sap_open_writer,
	.check_properties = check_properties,
	.batch_size = sap_batch_size,
	.tracks_changes = true,
};
