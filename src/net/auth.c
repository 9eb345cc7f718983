/*-------------------------------------------------------------------------
 *
 * auth.c
 *	  What makes a service believe who is asking.
 *
 * IDENTIFICATION
 *	  src/net/auth.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>
#include <time.h>

#include "net/auth.h"
#include "net/signature.h"
#include "net/url.h"
#include "record/errors.h"
#include "utils/memutils.h"

/* A text that must not stay in memory. */
typedef struct Kept
{
	MemoryContextCallback callback;
	char		text[FLEXIBLE_ARRAY_MEMBER];
} Kept;

static void
wipe(void *arg)
{
	explicit_bzero(arg, strlen(arg));
}

char *
authenticator_keep(Authenticator *authenticator, const char *text)
{
	Kept	   *kept;

	if (text == NULL)
		return NULL;
	kept = MemoryContextAlloc(authenticator->context, offsetof(Kept, text) + strlen(text) + 1);
	strcpy(kept->text, text);
	kept->callback.func = wipe;
	kept->callback.arg = kept->text;
	MemoryContextRegisterResetCallback(authenticator->context, &kept->callback);
	return kept->text;
}

void
authenticator_add_pair(Authenticator *authenticator, const char *name, const char *value)
{
	Assert(authenticator->npairs < MAX_AUTH_PAIRS);
	authenticator->pairs[authenticator->npairs++] = (AuthPair)
	{
		MemoryContextStrdup(authenticator->context, name), authenticator_keep(authenticator, value)
	};
}

/* Set a header for an attempt, and wipe the value, which is palloc'd. */
static void
set_secret_header(HttpCall *call, const char *name, char *value)
{
	http_attempt_header(call, name, value);
	explicit_bzero(value, strlen(value));
	pfree(value);
}

/* What the signature functions give, on palloc. */
static char *
taken(char *text)
{
	char	   *copy;

	if (text == NULL)
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("could not sign a request to a service: the cryptographic library failed"));
	copy = MemoryContextAllocExtended(CurrentMemoryContext, strlen(text) + 1, MCXT_ALLOC_NO_OOM);
	if (copy != NULL)
		strcpy(copy, text);
	explicit_bzero(text, strlen(text));
	free(text);
	if (copy == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	return copy;
}

/* ---------- one function for each kind ---------- */

static void
sign_headers(HttpCall *call, Authenticator *authenticator)
{
	for (int i = 0; i < authenticator->npairs; i++)
		http_attempt_header(call, authenticator->pairs[i].name, authenticator->pairs[i].value);
}

static void
sign_parameters(HttpCall *call, Authenticator *authenticator)
{
	for (int i = 0; i < authenticator->npairs; i++)
		http_attempt_query(call, authenticator->pairs[i].name, authenticator->pairs[i].value);
}

static void
sign_password(HttpCall *call, Authenticator *authenticator)
{
	char	   *pair = psprintf("%s:%s", authenticator->user, authenticator->secret);
	char	   *encoded = signature_base64(pair, strlen(pair));

	explicit_bzero(pair, strlen(pair));
	encoded = taken(encoded);
	set_secret_header(call, "Authorization", psprintf("Basic %s", encoded));
	explicit_bzero(encoded, strlen(encoded));
}

static void
need_token(Authenticator *authenticator)
{
	if (authenticator->token == NULL && !authenticator->obtain(authenticator, false))
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("connector profile \"%s\" has no token, and nothing to get one with",
					   authenticator->limit.name),
				authenticator->wants_instance ? errhint("A token that was given with the profile does not tell where its service is: "
														"give the profile an instanceUrl.") : 0);
}

const char *
authenticator_instance(Authenticator *authenticator)
{
	need_token(authenticator);
	if (authenticator->instance == NULL)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("connector profile \"%s\" got a token, but not the URL of the service that it is for",
					   authenticator->limit.name),
				errhint("Give the profile an instanceUrl."));
	return authenticator->instance;
}

static void
sign_token(HttpCall *call, Authenticator *authenticator)
{
	need_token(authenticator);
	set_secret_header(call, authenticator->token_header,
					  psprintf("%s%s%s", authenticator->token_prefix, authenticator->token,
							   authenticator->token_suffix));
	sign_headers(call, authenticator);
}

static void
sign_nexus(HttpCall *call, Authenticator *authenticator)
{
	const char *target = url_target(call->url);
	char	   *path = pnstrdup(target, strcspn(target, "#"));
	time_t		now = time(NULL);
	struct tm	parts;
	char		date[32];
	char	   *signature;

	gmtime_r(&now, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S+0000", &parts);
	signature = taken(signature_nexus(authenticator->secret, date, call->method, path,
									  call->body == NULL ? "" : call->body, call->body_length));
	http_attempt_header(call, "x-dapi-date", date);
	http_attempt_header(call, "x-nexus-api-key", authenticator->data_key);
	set_secret_header(call, "Authorization",
					  psprintf("HMAC_1 %s:%s:%s", authenticator->key_id, signature, authenticator->user));
}

static void
sign_aws(HttpCall *call, Authenticator *authenticator)
{
	aws_sign(call, &authenticator->aws);
}

static void (*const sign_functions[]) (HttpCall *, Authenticator *) =
{
	[BY_HEADERS] = sign_headers,
		[BY_PARAMETERS] = sign_parameters,
		[BY_PASSWORD] = sign_password,
		[BY_TOKEN] = sign_token,
		[BY_NEXUS] = sign_nexus,
		[BY_SIGV4] = sign_aws,
};

static void
sign(HttpCall *call, void *arg)
{
	Authenticator *authenticator = arg;

	if (sign_functions[authenticator->kind] != NULL)
		sign_functions[authenticator->kind] (call, authenticator);
}

static bool
renew(HttpCall *call, void *arg)
{
	Authenticator *authenticator = arg;

	return authenticator->kind == BY_TOKEN && authenticator->obtain(authenticator, true);
}

Authenticator *
authenticator_make(AuthKind kind)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow authenticator",
												  ALLOCSET_SMALL_SIZES);
	Authenticator *authenticator = MemoryContextAllocZero(context, sizeof(Authenticator));

	authenticator->context = context;
	authenticator->kind = kind;
	authenticator->token_header = "Authorization";
	authenticator->token_prefix = "Bearer ";
	authenticator->token_suffix = "";
	authenticator->guard.sign = sign;
	authenticator->guard.renew = renew;
	authenticator->guard.limit = &authenticator->limit;
	authenticator->guard.arg = authenticator;
	return authenticator;
}
