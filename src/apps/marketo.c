/*-------------------------------------------------------------------------
 *
 * marketo.c
 *	  The Marketo Engage connector: calls, and what their answers say.
 *
 * Marketo answers with status 200 whatever happens; the body says whether the call
 * succeeded, by a code whether it may be repeated.
 *
 * Follows Adobe's "Marketo Engage REST API" guide, pages "Authentication" and "Error
 * codes".
 *
 * IDENTIFICATION
 *	  src/apps/marketo.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/marketo.h"
#include "net/net.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

/* bytes of a URL; Marketo takes 8 KB with all that is around it */
#define LONGEST_URL 7500

/* ms until calls are taken again when there were too many */
#define RATE_PAUSE 20000

/* ---------- codes ---------- */

typedef enum Remedy
{
	REMEDY_NONE,
	REMEDY_RENEW,				/* the token */
	REMEDY_WAIT,				/* until the calls of the last 20 seconds are forgotten */
	REMEDY_AGAIN,				/* nothing was done, and it may go better now */
	REMEDY_DOUBT				/* the same, though it may have been done */
} Remedy;

static const struct
{
	const char *code;
	Remedy		remedy;
	AppflowException exception;
	const char *hint;
}			codes[] = {
	{"502", REMEDY_DOUBT, WF_CONNECTOR, NULL},
	{"600", REMEDY_RENEW, WF_AUTHENTICATION, NULL},
	{"601", REMEDY_RENEW, WF_AUTHENTICATION, NULL},
	{"602", REMEDY_RENEW, WF_AUTHENTICATION, NULL},
	{"603", REMEDY_NONE, WF_AUTHENTICATION,
	"The role of the API user may lack a permission, or Marketo's list of allowed addresses this server."},
	{"604", REMEDY_DOUBT, WF_CONNECTOR, NULL},
	{"606", REMEDY_WAIT, WF_THROTTLING, "appflow.set_rate_limit() keeps calls of the profile to 4 a second, say."},
	{"607", REMEDY_NONE, WF_THROTTLING, "The quota of calls is filled again at midnight US Central time."},
	{"608", REMEDY_AGAIN, WF_CONNECTOR, NULL},
	{"611", REMEDY_DOUBT, WF_CONNECTOR, NULL},
	{"614", REMEDY_AGAIN, WF_CONNECTOR, NULL},
	{"615", REMEDY_AGAIN, WF_THROTTLING, NULL},
	{"713", REMEDY_AGAIN, WF_CONNECTOR, NULL},
	{"1018", REMEDY_NONE, WF_CONNECTOR, "Where a CRM is connected to Marketo, it keeps these records."},
	{"1029", REMEDY_NONE, WF_THROTTLING, "Exports have a quota of bytes, which is filled again at midnight US Central time."},
};

static int
find_code(const char *code)
{
	for (int i = 0; code != NULL && i < (int) lengthof(codes); i++)
	{
		if (strcmp(code, codes[i].code) == 0)
			return i;
	}
	return -1;
}

/* ---------- what answers say ---------- */

/*
 * Whether "success":false stands somewhere in a text.  Pages are large, and nearly all
 * of them successes: these are not parsed for it.
 */
static bool
may_be_refusal(const char *body, size_t length)
{
	static const char word[] = "\"success\"";
	const char *end = body + length;

	for (const char *p = body; (p = memmem(p, end - p, word, sizeof(word) - 1)) != NULL;)
	{
		p += sizeof(word) - 1;
		while (p < end && strchr(" \t\r\n:", *p) != NULL && *p != '\0')
			p++;
		if (end - p >= 5 && memcmp(p, "false", 5) == 0)
			return true;
	}
	return false;
}

static Jsonb *
body_of(HttpCall *call)
{
	size_t		length;
	const char *body = http_body(call, &length);
	Jsonb	   *document;
	char	   *text;

	if (body == NULL || memchr(body, '\0', length) != NULL)
		return NULL;
	text = pnstrdup(body, length);
	document = jsonb_parse(text);
	pfree(text);
	return document == NULL || !JB_ROOT_IS_OBJECT(document) ? NULL : document;
}

/* Does the answer say that the call failed?  Then its state says why. */
static void
read_refusal(HttpCall *call, MarketoCall *state)
{
	MemoryContext work;
	MemoryContext old;
	size_t		length;
	const char *body = http_body(call, &length);
	Jsonb	   *document;
	List	   *errors;
	char	   *code = NULL;
	char	   *message = NULL;

	state->refused = false;
	state->code = state->message = NULL;
	if (body == NULL || !may_be_refusal(body, length))
		return;
	work = AllocSetContextCreate(CurrentMemoryContext, "appflow Marketo refusal", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(work);
	document = body_of(call);
	if (document != NULL && !jsonb_get_bool(document, "success", true))
	{
		state->refused = true;
		errors = jsonb_array_containers(jsonb_get_container(document, "errors"));
		if (errors != NIL)
		{
			code = jsonb_get_text(linitial(errors), "code");
			message = jsonb_get_text(linitial(errors), "message");
		}
		state->code = code == NULL ? NULL : MemoryContextStrdup(call->context, code);
		state->message = message == NULL ? NULL : MemoryContextStrdup(call->context, message);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

/* what was said of the attempt before counts no more: not every answer is judged */
static void
prepare(HttpCall *call, void *arg)
{
	MarketoCall *state = arg;

	state->refused = state->throttled = state->doubtful = false;
}

static bool
judge(HttpCall *call, bool retry, void *arg)
{
	MarketoCall *state = arg;
	int			index;

	read_refusal(call, state);
	index = state->refused ? find_code(state->code) : -1;
	if (index < 0)
		return retry;
	switch (codes[index].remedy)
	{
		case REMEDY_NONE:
			return false;
		case REMEDY_RENEW:
			/* of a 401 the guard has been told already */
			if (state->renewed || call->status == 401 || call->guard == NULL || call->guard->renew == NULL)
				return false;
			state->renewed = true;
			state->harmless++;
			return call->guard->renew(call, call->guard->arg);
		case REMEDY_WAIT:
			state->throttled = true;
			state->harmless++;
			return true;
		case REMEDY_AGAIN:
			state->harmless++;
			return true;
		case REMEDY_DOUBT:
			state->doubtful = true;
			return !state->once;
	}
	return retry;
}

/* the answer to too many calls holds all of the profile */
static int64
asked_pause(HttpCall *call, void *arg)
{
	MarketoCall *state = marketo_state(call);

	return call->judge == judge && state->throttled ? Min(RATE_PAUSE, net_max_retry_delay) : -1;
}

/* ---------- calls ---------- */

HttpCall *
marketo_call(ConnectorSession *session, const char *method, const char *path, const char *body, size_t length,
			 const char *type)
{
	HttpCall   *call = session_call(session, method, path);
	MarketoCall *state = MemoryContextAllocZero(call->context, sizeof(MarketoCall));

	if (body != NULL)
	{
		http_header(call, "Content-Type", type);
		call->body = body;
		call->body_length = length;
	}
	state->session = session;
	session->authenticator->guard.pause = asked_pause;
	call->arg = state;
	call->prepare = prepare;
	call->judge = judge;
	call->whole = true;
	return call;
}

HttpCall *
marketo_get(ConnectorSession *session, const char *path, const char *query)
{
	HttpCall   *call;
	char	   *body;

	if (query[0] == '\0')
		return marketo_call(session, "GET", path, NULL, 0, NULL);
	if (strlen(session->base) + strlen(path) + strlen(query) < LONGEST_URL)
		return marketo_call(session, "GET", psprintf("%s?%s", path, query), NULL, 0, NULL);
	call = marketo_call(session, "POST", psprintf("%s?_method=GET", path), NULL, 0, NULL);
	body = MemoryContextStrdup(call->context, query);
	http_header(call, "Content-Type", "application/x-www-form-urlencoded");
	call->body = body;
	call->body_length = strlen(body);
	call->repeatable = true;
	return call;
}

void
marketo_fail(ConnectorSession *session, HttpCall *call, const char *what)
{
	MarketoCall *state = marketo_state(call);
	int			index = find_code(state->code);
	const char *hint = index < 0 ? NULL : codes[index].hint;
	AppflowException exception = index < 0 ? WF_CONNECTOR : codes[index].exception;
	char	   *words;

	if (!state->refused)
		session_raise(session, call, what, NULL, NULL);
	words = session_words(session, state->message != NULL ? state->message : "it does not say why");
	if (state->code != NULL)
		words = psprintf("%s: %s", session_words(session, state->code), words);
	ereport(ERROR,
			appflow_error_detail(exception, "%s %s answered with status %d.", call->method, http_shown_url(call->url),
								 call->status),
			errmsg("Marketo refused %s: %s", what, words),
			hint != NULL ? errhint("%s", hint) :
			exception == WF_AUTHENTICATION ? errhint("See the credentials of connector profile \"%s\".",
													 session->profile_name) : 0);
}

bool
marketo_wait(HttpCall *call, const char *what)
{
	ConnectorSession *session = marketo_state(call)->session;

	http_wait(call);
	if (marketo_state(call)->refused)
		return false;
	if (call->status >= 300)
		session_raise(session, call, what, NULL, NULL);
	return true;
}

Jsonb *
marketo_answer(HttpCall *call, const char *what)
{
	ConnectorSession *session = marketo_state(call)->session;
	Jsonb	   *answer = body_of(call);
	size_t		length;
	const char *body;

	if (answer != NULL && jsonb_get_bool(answer, "success", false))
		return answer;
	body = http_body(call, &length);
	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method, http_shown_url(call->url),
								 call->status),
			errmsg("the answer of Marketo about %s is not what it should be: %s", what,
				   body == NULL ? "it is empty" : session_words(session, pnstrdup(body, Min(length, 500)))),
			errhint("Is the URL of connector profile \"%s\" right?", session->profile_name));
}

Jsonb *
marketo_fetch(ConnectorSession *session, HttpCall *call, const char *what)
{
	Jsonb	   *answer;

	if (!marketo_wait(call, what))
		marketo_fail(session, call, what);
	answer = marketo_answer(call, what);
	http_close(call);
	return answer;
}

Jsonb *
marketo_first(ConnectorSession *session, Jsonb *answer, const char *what)
{
	List	   *results = jsonb_array_containers(jsonb_get_container(answer, "result"));

	if (results == NIL)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the answer of Marketo about %s has no result", what));
	return linitial(results);
}

void
marketo_pause(int64 milliseconds)
{
	http_pause(Min(milliseconds, (int64) net_max_retry_delay * 3));
}

/* ---------- the connector ---------- */

static List *
marketo_check_properties(Jsonb *properties, bool as_source)
{
	char	   *object = jsonb_get_text(properties, "object");

	if (object != NULL && (object[0] == '/' || strstr(object, "//") != NULL))
		return list_make1(psprintf("object \"%s\" is not the name of a Marketo object", object));
	return NIL;
}

/* an object has the fields it has: which ones are meant is known before anything is written */
static bool
marketo_needs_schema(Jsonb *properties, bool all_fields)
{
	return all_fields;
}

static bool
marketo_fixed_schema(Jsonb *properties)
{
	return true;
}

const Connector marketo_connector = {
	.type = "Marketo",
	.list_entities = marketo_list_entities,
	.describe_entity = marketo_describe,
	.plan_read = marketo_plan_read,
	.open_reader = marketo_open_reader,
	.open_writer = marketo_open_writer,
	.check_properties = marketo_check_properties,
	.batch_size = marketo_batch_size,
	.needs_schema = marketo_needs_schema,
	.fixed_schema = marketo_fixed_schema,
};
