/*-------------------------------------------------------------------------
 *
 * session.c
 *	  Calls to applications that are asked by HTTP.
 *
 * IDENTIFICATION
 *	  src/connector/session.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/json_tree.h"
#include "compat.h"
#include "connector/connector.h"
#include "net/aws_service.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"

/* bytes of an answer that messages show */
#define SHOWN_BODY 500

ReadRequest *
read_request_create(const char *entity)
{
	ReadRequest *request = palloc0(sizeof(ReadRequest));

	request->entity = entity;
	request->limit = NO_LIMIT;
	request->limit_hint = NO_LIMIT;
	request->patience = -1;
	return request;
}

const char *
session_base(ConnectorSession *session)
{
	if (session->base == NULL)
		session->base = MemoryContextStrdup(session->context, authenticator_instance(session->authenticator));
	return session->base;
}

/* a link that an application gave leads nowhere but to itself */
static void
check_host(ConnectorSession *session, const char *url)
{
	if (!url_same_origin(session_base(session), url))
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "The link leads to %s, the profile's service is at %s.",
									 http_shown_url(url), http_shown_url(session->base)),
				errmsg("%s sent a link to another host", session_application(session)),
				errhint("If the service has moved, change the instanceUrl of connector profile \"%s\".",
						session->profile_name));
}

static HttpCall *
guarded_call(ConnectorSession *session, const char *method, const char *url)
{
	HttpCall   *call = http_call(method, url);

	call->guard = &session->authenticator->guard;
	http_header(call, "Accept", "application/json");
	return call;
}

HttpCall *
session_call(ConnectorSession *session, const char *method, const char *path)
{
	if (session->authenticator == NULL)
		elog(ERROR, "connector \"%s\" is not asked by HTTP", session_application(session));
	if (path[0] == '/')
		path = psprintf("%s%s", session_base(session), path);
	else
		check_host(session, path);
	return guarded_call(session, method, path);
}

HttpCall *
session_call_at(ConnectorSession *session, const char *base, const char *method, const char *path)
{
	return guarded_call(session, method, psprintf("%s%s", base, path));
}

HttpCall *
session_call_json(ConnectorSession *session, const char *method, const char *path,
				  const char *body, size_t length)
{
	HttpCall   *call = session_call(session, method, path);

	http_header(call, "Content-Type", "application/json");
	call->body = body;
	call->body_length = length;
	return call;
}

const char *
session_application(const ConnectorSession *session)
{
	const Connector *connector = session->connector;

	return connector->label != NULL ? connector->label : connector->type;
}

char *
session_words(const ConnectorSession *session, const char *text)
{
	const Authenticator *authenticator = session->authenticator;
	char	   *line = aws_clean_line(text);

	if (authenticator != NULL)
	{
		line = aws_without_secret(line, authenticator->token);
		line = aws_without_secret(line, authenticator->secret);
		line = aws_without_secret(line, authenticator->data_key);
		for (int i = 0; i < authenticator->npairs; i++)
			line = aws_without_secret(line, authenticator->pairs[i].value);
	}
	return line;
}

/* the beginning of an answer's body */
static char *
shown_body(const ConnectorSession *session, HttpCall *call)
{
	size_t		length;
	const char *body = http_body(call, &length);
	char	   *text;

	if (body == NULL)
		return "";
	text = pnstrdup(body, Min(length, SHOWN_BODY));
	for (char *p = text; *p != '\0'; p++)
	{
		if (*p == '\r' || *p == '\n' || *p == '\t')
			*p = ' ';
	}
	return session_words(session, text);
}

static AppflowException
exception_of(int status)
{
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

void
session_raise(ConnectorSession *session, HttpCall *call, const char *what, const char *code, const char *message)
{
	session_raise_as(session, call, exception_of(call->status), what, code, message);
}

void
session_raise_as(ConnectorSession *session, HttpCall *call, AppflowException exception, const char *what,
				 const char *code, const char *message)
{
	char	   *words;

	if (message != NULL && code != NULL)
		words = psprintf("%s: %s", session_words(session, code), session_words(session, message));
	else if (message != NULL || code != NULL)
		words = session_words(session, message != NULL ? message : code);
	else if (call->status < 400)
		words = psprintf("the answer is a redirect to %s",
						 session_words(session, http_shown_url(http_response_header(call, "Location") ?
													   http_response_header(call, "Location") : "nowhere")));
	else
		words = shown_body(session, call);
	ereport(ERROR,
			appflow_error_detail(exception, "%s %s answered with status %d.",
								 call->method, http_shown_url(call->url), call->status),
			words[0] ? errmsg("%s refused %s: %s", session_application(session), what, words) :
			errmsg("%s refused %s: the answer has status %d and no words", session_application(session), what, call->status),
			call->status == 401 ? errhint("See the credentials of connector profile \"%s\".", session->profile_name) :
			call->status < 400 ? errhint("Is the URL of connector profile \"%s\" right?", session->profile_name) : 0);
}

/*
 * The body of an answer as a document.  NULL: why says what is wrong with it.  A
 * member that is there twice is: jsonb would keep the last one, and nobody knows
 * which of them the application meant.
 */
static Jsonb *
parse_answer(const char *body, size_t length, char **why)
{
	Arena	   *arena = arena_create();
	CodecError	error = {0};
	bool		strict;
	char	   *text;
	Jsonb	   *document;

	if (arena == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	strict = json_tree_parse(arena, body, length, &error) != NULL;
	arena_free(arena);
	if (!strict)
	{
		*why = error.line == 0 ? pstrdup(error.message) :
			psprintf("line " UINT64_FORMAT ", column " UINT64_FORMAT ": %s", error.line, error.column, error.message);
		return NULL;
	}
	text = pnstrdup(body, length);
	document = jsonb_parse(text);
	if (document == NULL)
		*why = "PostgreSQL cannot keep it";
	pfree(text);
	return document;
}

Jsonb *
session_fetch(ConnectorSession *session, HttpCall *call, const char *what, SessionFailure fail)
{
	size_t		length;
	const char *body;
	char	   *why = "the body is empty";
	Jsonb	   *document = NULL;

	call->whole = true;
	http_wait(call);
	if (call->status >= 300)
	{
		if (fail != NULL && call->status >= 400)
			fail(session, call, what);
		session_raise(session, call, what, NULL, NULL);
	}
	body = http_body(call, &length);
	if (body != NULL && length > 0)
		document = parse_answer(body, length, &why);
	if (document == NULL)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d; %s.",
									 call->method, http_shown_url(call->url), call->status, session_words(session, why)),
				errmsg("the answer of %s about %s is not JSON: %s", session_application(session), what,
					   shown_body(session, call)),
				errhint("Is the URL of connector profile \"%s\" right?", session->profile_name));
	http_close(call);
	return document;
}
