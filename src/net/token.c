/*-------------------------------------------------------------------------
 *
 * token.c
 *	  Getting tokens: OAuth 2.0, and sessions by logging in.
 *
 * IDENTIFICATION
 *	  src/net/token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>

#include "lib/stringinfo.h"
#include "net/aws_service.h"
#include "net/http.h"
#include "net/signature.h"
#include "net/token.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/json.h"

#define MAX_ANSWER (256 * 1024)
#define MAX_CODE 100			/* of an error */

#define OAUTH_ANSWER \
	.token = "access_token", .refresh_token = "refresh_token", .lifetime = "expires_in", .error = "error", \
	.header = "Authorization", .prefix = "Bearer ", .suffix = ""

const TokenService token_oauth = {OAUTH_ANSWER};
const TokenService token_oauth_json = {.json = true, OAUTH_ANSWER};
const TokenService token_salesforce = {.instance = "instance_url", OAUTH_ANSWER};
const TokenService token_slack = {.success = "ok", .success_value = "true", OAUTH_ANSWER};
static char *veeva_vault(const TokenRequest *request, Jsonb *answer);

const TokenService token_veeva = {
	.token = "sessionId", .success = "responseStatus", .success_value = "SUCCESS", .error = "errorType",
	.errors = "errors", .check = veeva_vault, .header = "Authorization", .prefix = "", .suffix = ""
};
const TokenService token_snowflake = {
	.json = true, .wrapper = "data", .token = "data.token", .lifetime = "data.validityInSeconds",
	.success = "success", .success_value = "true", .error = "code",
	.header = "Authorization", .prefix = "Snowflake Token=\"", .suffix = "\""
};

void
token_add_field(TokenRequest *request, const char *name, const char *value)
{
	if (value == NULL)
		return;
	if (request->nfields == MAX_TOKEN_FIELDS)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connector profile \"%s\" has too many parameters for its token URL", request->profile));
	request->names[request->nfields] = name;
	request->values[request->nfields++] = value;
}

static char *
request_body(const TokenRequest *request)
{
	StringInfoData body;
	char	   *form = "";

	if (!request->service->json)
	{
		for (int i = 0; i < request->nfields; i++)
			form = url_with_parameter(form, request->names[i], request->values[i]);
		return form;
	}
	initStringInfo(&body);
	if (request->service->wrapper != NULL)
	{
		appendStringInfoChar(&body, '{');
		escape_json(&body, request->service->wrapper);
		appendStringInfoChar(&body, ':');
	}
	for (int i = 0; i < request->nfields; i++)
	{
		appendStringInfoChar(&body, i == 0 ? '{' : ',');
		escape_json(&body, request->names[i]);
		appendStringInfoChar(&body, ':');
		escape_json(&body, request->values[i]);
	}
	appendStringInfoString(&body, request->nfields == 0 ? "{}" : "}");
	if (request->service->wrapper != NULL)
		appendStringInfoChar(&body, '}');
	return body.data;
}

/* Text at a path of members, or NULL. */
static char *
text_at(Jsonb *object, const char *path)
{
	const char *dot;

	if (path == NULL || object == NULL)
		return NULL;
	while ((dot = strchr(path, '.')) != NULL)
	{
		object = jsonb_get_container(object, pnstrdup(path, dot - path));
		if (object == NULL)
			return NULL;
		path = dot + 1;
	}
	return jsonb_get_text(object, path);
}

/* An error's code as it may be shown: a word, not what else a service might repeat. */
static const char *
shown_code(const char *code)
{
	if (code == NULL || code[0] == '\0' || strlen(code) > MAX_CODE)
		return NULL;
	for (const char *p = code; *p != '\0'; p++)
	{
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			  strchr("_.-", *p) != NULL))
			return NULL;
	}
	return code;
}

static const char *
code_of(Jsonb *answer, const TokenService *service)
{
	List	   *errors = service->errors == NULL || answer == NULL ? NIL :
		jsonb_array_containers(jsonb_get_container(answer, service->errors));
	const char *code = errors == NIL ? NULL : shown_code(jsonb_get_text(linitial(errors), "type"));

	return code != NULL ? code : shown_code(text_at(answer, service->error));
}

/*
 * Vault gives a user who may not enter the vault that is asked a session of
 * another one.
 */
static char *
veeva_vault(const TokenRequest *request, Jsonb *answer)
{
	char	   *id = jsonb_get_text(answer, "vaultId");
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "vaultIds")))
	{
		char	   *other = jsonb_get_text(lfirst(lc), "id");
		char	   *url = jsonb_get_text(lfirst(lc), "url");

		if (id == NULL || other == NULL || url == NULL || strcmp(id, other) != 0)
			continue;
		if (url_same_origin(url, request->url))
			return NULL;
		return psprintf("it is for another vault, at \"%s\": the user may not enter this one",
						aws_clean_line(http_shown_url(url)));
	}
	return "the answer does not say which vault it is for";
}

pg_noreturn static void refuse(const TokenRequest *request, int status, const char *code);

static void
refuse(const TokenRequest *request, int status, const char *code)
{
	AppflowException exception = WF_AUTHENTICATION;

	if (status == 429 || (code != NULL && strcmp(code, "API_LIMIT_EXCEEDED") == 0))
		exception = WF_THROTTLING;
	else if (status >= 500)
		exception = WF_CONNECTOR;
	ereport(ERROR,
			appflow_error(exception),
			errmsg("connector profile \"%s\" got no token from \"%s\": %s", request->profile,
				   http_shown_url(request->url),
				   code != NULL ? code : psprintf("the answer has status %d", status)),
			exception == WF_AUTHENTICATION
			? errhint("Give valid credentials with appflow.update_connector_profile().") : 0);
	pg_unreachable();
}

/*
 * The service that a token is for, as who gave it says: no less protected than
 * that one was.  Whether its address may be asked, the policy decides.
 */
static char *
instance_of(const TokenRequest *request, const char *url)
{
	char	   *origin = url == NULL ? NULL : url_origin(url);

	if (origin != NULL && strncmp(origin, "https:", 6) != 0 && pg_strncasecmp(request->url, "http:", 5) != 0)
		return NULL;
	return origin;
}

TokenAnswer
token_ask(const TokenRequest *request)
{
	const TokenService *service = request->service;
	HttpCall   *call = http_call("POST", request->url);
	HttpGuard  *guard = MemoryContextAllocZero(call->context, sizeof(HttpGuard));
	char	   *body = request_body(request);
	TokenAnswer result = {0};
	Jsonb	   *answer;
	const char *text;
	char	   *success;
	char	   *lifetime;

	call->body = body;
	call->body_length = strlen(body);
	call->whole = true;
	call->max_body = MAX_ANSWER;
	call->repeatable = request->repeatable;
	guard->via = request->via;
	call->guard = guard;
	http_header(call, "Content-Type", service->json ? "application/json" : "application/x-www-form-urlencoded");
	http_header(call, "Accept", "application/json");
	if (request->user != NULL)
	{
		char	   *pair = psprintf("%s:%s", request->user, request->password);
		char	   *encoded = signature_base64(pair, strlen(pair));

		explicit_bzero(pair, strlen(pair));
		if (encoded == NULL)
			ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
		pair = psprintf("Basic %s", encoded);
		free(encoded);
		http_header(call, "Authorization", pair);
		explicit_bzero(pair, strlen(pair));
	}
	http_wait(call);
	explicit_bzero(body, strlen(body));

	text = http_body(call, NULL);
	answer = jsonb_parse(text);
	success = text_at(answer, service->success);
	if (call->status != 200 && call->status != 201)
		refuse(request, call->status, call->status >= 500 ? NULL : code_of(answer, service));
	if (service->success != NULL && (success == NULL || strcmp(success, service->success_value) != 0))
		refuse(request, call->status, code_of(answer, service));
	if (service->check != NULL)
	{
		char	   *problem = service->check(request, answer);

		if (problem != NULL)
			ereport(ERROR,
					appflow_error(WF_AUTHENTICATION),
					errmsg("connector profile \"%s\" got a session from \"%s\" that is of no use: %s", request->profile,
						   http_shown_url(request->url), problem),
					errhint("See the instanceUrl of the profile, and what the user may enter."));
	}
	result.token = text_at(answer, service->token);
	result.refresh_token = text_at(answer, service->refresh_token);
	lifetime = text_at(answer, service->lifetime);
	result.lifetime = lifetime == NULL ? 0 : Max(strtoll(lifetime, NULL, 10), 0);
	result.instance = instance_of(request, text_at(answer, service->instance));
	if (result.token == NULL && code_of(answer, service) != NULL)
		refuse(request, call->status, code_of(answer, service));
	if (answer != NULL)
		explicit_bzero(answer, VARSIZE(answer));
	if (result.token == NULL || result.token[0] == '\0')
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("connector profile \"%s\" got an answer without a token from \"%s\"",
					   request->profile, http_shown_url(request->url)));
	http_close(call);
	return result;
}
