/*-------------------------------------------------------------------------
 *
 * forward.c
 *	  Operations carried out by AWS AppFlow instead of this server.
 *
 * The wire is REST-JSON: what goes into path, query and body is told by the
 * table of shapes.  Requests are signed with the credentials of the server as
 * the AWS SDKs find them; who may use those is told by the privilege to execute
 * appflow.aws_identity(), which shows them.
 *
 * What a request holds of secrets goes over the wire and nowhere else: an answer
 * that repeats them is not shown as it is.
 *
 * IDENTIFICATION
 *	  src/operations/forward.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "apps/apps.h"
#include "catalog/profile.h"
#include "catalog/secret.h"
#include "compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "net/aws.h"
#include "net/aws_service.h"
#include "net/sigv4.h"
#include "operations/forward.h"
#include "operations/operations.h"
#include "operations/shapes.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "record/wiped.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(appflow_aws_identity);
PG_FUNCTION_INFO_V1(appflow_call_aws);

#define SERVICE "appflow"

/* an answer larger than this is none of AppFlow's */
#define MAX_ANSWER (32 * 1024 * 1024)

typedef enum Engine
{
	ENGINE_LOCAL,
	ENGINE_AWS
} Engine;

static const struct config_enum_entry engines[] = {
	{"local", ENGINE_LOCAL, false},
	{"aws", ENGINE_AWS, false},
	{NULL, 0, false}
};

static int	engine = ENGINE_LOCAL;
static char *endpoint;

/* ---------- settings ---------- */

void
forward_define_settings(void)
{
	DefineCustomEnumVariable("appflow.engine",
							 "What carries out AppFlow's operations: this server, or AWS.",
							 NULL,
							 &engine,
							 ENGINE_LOCAL, engines,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("appflow.aws_endpoint",
							   "Where AWS AppFlow is, with appflow.engine = aws.",
							   "Empty: the region's own endpoint.",
							   &endpoint,
							   "",
							   PGC_SUSET, 0,
							   aws_check_endpoint, NULL, NULL);
}

bool
forward_wanted(void)
{
	return engine == ENGINE_AWS;
}

static char *
region_endpoint(const char *region)
{
	return psprintf("https://" SERVICE ".%s.%s", region, aws_domain(region));
}

static char *
endpoint_url(void)
{
	return endpoint[0] != '\0' ? endpoint : region_endpoint(operation_region());
}

/* ---------- rights ---------- */

/* aws_identity() returns jsonb: {"accessKeyId", "region", "endpoint"} */
Datum
appflow_aws_identity(PG_FUNCTION_ARGS)
{
	const AwsCredentials *credentials = aws_chain_credentials();
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"accessKeyId\": ");
	escape_json(&text, credentials->access_key_id);
	appendStringInfoString(&text, ", \"region\": ");
	escape_json(&text, operation_region());
	appendStringInfoString(&text, ", \"endpoint\": ");
	escape_json(&text, endpoint_url());
	appendStringInfoChar(&text, '}');
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data)));
}

/* ---------- the request ---------- */

typedef struct Forward
{
	const ShapeOperation *operation;
	Jsonb	   *request;
	StringInfoData body;		/* in the server's encoding */
	List	   *secrets;		/* texts that no message may show */
	char	   *endpoint;
	AwsSigner	signer;
	AwsCredentials credentials; /* of a profile */
} Forward;

static void write_container(Forward *forward, JsonbContainer *container, ShapeId id, bool secret);

static void
write_value(Forward *forward, JsonbValue *value, ShapeId id, bool secret)
{
	char	   *text;

	switch (value->type)
	{
		case jbvBinary:
			write_container(forward, value->val.binary.data, id, secret);
			break;
		case jbvString:
			text = pnstrdup(value->val.string.val, value->val.string.len);
			escape_json(&forward->body, text);
			if ((secret || (shape_table[id].flags & SHAPE_SENSITIVE)) && value->val.string.len >= AWS_MIN_SECRET)
				forward->secrets = lappend(forward->secrets, text);
			break;
		case jbvNumeric:

			/* 5.0 is an integer here, but not for everybody */
			appendStringInfoString(&forward->body,
								   DatumGetCString(DirectFunctionCall1(numeric_out,
																	   DirectFunctionCall1(numeric_trim_scale,
																						   NumericGetDatum(value->val.numeric)))));
			break;
		case jbvBool:
			appendStringInfoString(&forward->body, value->val.boolean ? "true" : "false");
			break;
		default:
			appendStringInfoString(&forward->body, "null");
			break;
	}
}

/* What a member of a structure is written with, or NULL if it is not. */
static const ShapeMember *
written_member(ShapeId id, const JsonbValue *key)
{
	const ShapeMember *member = shape_find_member(id, key->val.string.val, key->val.string.len);

	if (member == NULL || (member->flags & (MEMBER_IN_URI | MEMBER_IN_QUERY)))
		return NULL;
	if (member->flags & MEMBER_EXTRA)
	{
		ereport(WARNING,
				errmsg("member \"%s\" is not sent: AWS does not know it", member->name));
		return NULL;
	}
	return member;
}

static void
write_object(Forward *forward, JsonbIterator *iterator, ShapeId id, bool secret)
{
	const Shape *shape = &shape_table[id];
	bool		structure = shape->kind == KIND_STRUCTURE;
	bool		first = true;
	JsonbValue	key;
	JsonbValue	value;

	appendStringInfoChar(&forward->body, '{');
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		const ShapeMember *member = structure ? written_member(id, &key) : NULL;

		(void) JsonbIteratorNext(&iterator, &value, true);
		if (structure && member == NULL)
			continue;
		if (!first)
			appendStringInfoChar(&forward->body, ',');
		first = false;
		escape_json(&forward->body, pnstrdup(key.val.string.val, key.val.string.len));
		appendStringInfoChar(&forward->body, ':');
		write_value(forward, &value, structure ? member->shape : shape->element, secret);
	}
	appendStringInfoChar(&forward->body, '}');
}

static void
write_array(Forward *forward, JsonbIterator *iterator, ShapeId id, bool secret)
{
	bool		first = true;
	JsonbValue	value;

	appendStringInfoChar(&forward->body, '[');
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_ELEM)
	{
		if (!first)
			appendStringInfoChar(&forward->body, ',');
		first = false;
		write_value(forward, &value, shape_table[id].element, secret);
	}
	appendStringInfoChar(&forward->body, ']');
}

static void
write_container(Forward *forward, JsonbContainer *container, ShapeId id, bool secret)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbValue	value;

	check_stack_depth();
	secret = secret || shape_is_secret(id);
	if (JsonbIteratorNext(&iterator, &value, true) == WJB_BEGIN_OBJECT)
		write_object(forward, iterator, id, secret);
	else
		write_array(forward, iterator, id, secret);
}

/* whether an operation has a body: members that go neither by path nor by query */
static bool
has_body(const ShapeOperation *operation)
{
	const Shape *input = &shape_table[operation->input];

	for (int i = 0; i < input->count; i++)
	{
		if (!(shape_members[input->first + i].flags & (MEMBER_IN_URI | MEMBER_IN_QUERY | MEMBER_EXTRA)))
			return true;
	}
	return false;
}

/*
 * A call without the token that makes it safe to repeat gets one, as the SDKs
 * do it.
 */
static Jsonb *
with_token(const ShapeOperation *operation, Jsonb *request)
{
	const Shape *input = &shape_table[operation->input];

	for (int i = 0; i < input->count; i++)
	{
		const ShapeMember *member = &shape_members[input->first + i];
		Datum		uuid;
		char	   *token;

		if (!(member->flags & MEMBER_TOKEN) || jsonb_get_text(request, member->name) != NULL)
			continue;
		uuid = DirectFunctionCall1(gen_random_uuid, (Datum) 0);
		token = psprintf("{\"%s\": \"%s\"}", member->name, DatumGetCString(DirectFunctionCall1(uuid_out, uuid)));
		request = DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(request),
													 DirectFunctionCall1(jsonb_in, CStringGetDatum(token))));
	}
	return request;
}

static char *
to_utf8(char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

/* append a text percent-encoded */
static void
append_encoded(StringInfo out, char *text)
{
	char	   *encoded = sigv4_encode(to_utf8(text), false);
	char	   *copy;

	if (encoded == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	copy = MemoryContextAllocExtended(CurrentMemoryContext, strlen(encoded) + 1, MCXT_ALLOC_NO_OOM);
	if (copy != NULL)
		strcpy(copy, encoded);
	free(encoded);
	if (copy == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	appendStringInfoString(out, copy);
}

/* endpoint, path and query */
static char *
request_url(const Forward *forward)
{
	const Shape *input = &shape_table[forward->operation->input];
	const char *uri = forward->operation->uri;
	char		separator = '?';
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfoString(&url, forward->endpoint);
	while (*uri != '\0')
	{
		size_t		plain = strcspn(uri, "{");

		appendBinaryStringInfo(&url, uri, plain);
		uri += plain;
		if (*uri == '{')
		{
			size_t		length = strcspn(++uri, "}");

			append_encoded(&url, jsonb_get_text(forward->request, pnstrdup(uri, length)));
			uri += length + 1;
		}
	}

	/* all that travel there are lists of strings: a parameter each */
	for (int i = 0; i < input->count; i++)
	{
		const ShapeMember *member = &shape_members[input->first + i];
		ListCell   *lc;

		if (!(member->flags & MEMBER_IN_QUERY))
			continue;
		foreach(lc, jsonb_array_texts(jsonb_get_container(forward->request, member->name)))
		{
			appendStringInfo(&url, "%c%s=", separator, member->name);
			append_encoded(&url, lfirst(lc));
			separator = '&';
		}
	}
	return url.data;
}

/* ---------- the answer ---------- */

static char *
shown(const Forward *forward, const char *text)
{
	char	   *line = aws_shown(text);
	ListCell   *lc;

	/* in the same clothes as the line; no pattern of the model lets a secret have two */
	foreach(lc, forward->secrets)
		line = aws_without_secret(line, aws_clean_line(to_utf8(lfirst(lc))));
	return line;
}

static void
sign_request(HttpCall *call, void *arg)
{
	aws_sign(call, &((Forward *) arg)->signer);
}

static bool
judge_answer(HttpCall *call, bool retry, void *arg)
{
	return aws_worth_repeating(call, retry);
}

pg_noreturn static void
raise_failure(const Forward *forward, HttpCall *call)
{
	AwsFailure	failure = aws_read_failure(call);
	AppflowException exception = aws_exception(&failure, call->status);
	const char *header = http_response_header(call, "x-amzn-RequestId");
	char	   *id = header == NULL ? "" : shown(forward, header);
	bool		same = strcmp(failure.name, appflow_exception_name(exception)) == 0;

	ereport(ERROR,
			appflow_error_detail(exception, "AWS answered %s with status %d%s%s%s%s%s.",
								 forward->operation->name, call->status,
								 same || failure.name[0] == '\0' ? "" : ", ",
								 same ? "" : shown(forward, failure.name),
								 id[0] == '\0' ? "" : ", request id \"", id, id[0] == '\0' ? "" : "\""),
			failure.message[0] == '\0'
			? errmsg("AWS could not carry out %s: the answer has status %d", forward->operation->name, call->status)
			: errmsg("%s", shown(forward, failure.message)),
			exception == WF_AUTHENTICATION && aws_is_common(&failure)
			? errhint("The AWS credentials are those of the database server, see appflow.aws_identity().") : 0);
}

static Jsonb *
read_response(const Forward *forward, HttpCall *call)
{
	size_t		length;
	const char *body = http_body(call, &length);
	char	   *text = pnstrdup(body == NULL ? "" : body, body == NULL ? 0 : length);
	Jsonb	   *response = NULL;

	if (length == 0)
		return operation_empty();
	if (strlen(text) == length && pg_verify_mbstr(PG_UTF8, text, length, true))
	{
		if (GetDatabaseEncoding() == PG_UTF8)
			response = jsonb_parse(text);
		else
			response = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														  CStringGetDatum(pg_any_to_server(text, length, PG_UTF8))));
	}
	if (response == NULL || !JB_ROOT_IS_OBJECT(response))
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("the answer to %s is no JSON object", forward->operation->name),
				errhint("AWS may have carried it out all the same."));
	return response;
}

/* ---------- the call ---------- */

/* texts of the request are wiped with the memory that they are in */
typedef struct WipedText
{
	MemoryContextCallback callback;
	char	   *text;
	size_t		length;
} WipedText;

static void
wipe_text(void *arg)
{
	WipedText  *wiped = arg;

	OPENSSL_cleanse(wiped->text, wiped->length);
}

static void
wipe_at_end(char *text)
{
	WipedText  *wiped = palloc0(sizeof(WipedText));

	wiped->text = text;
	wiped->length = strlen(text);
	wiped->callback.func = wipe_text;
	wiped->callback.arg = wiped;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &wiped->callback);
}

/* Send a request with what forward has of endpoint, region and credentials; in its memory context. */
static Jsonb *
send_request(Forward *forward, const char *operation, Jsonb *request, MemoryContext caller)
{
	HttpCall   *call;
	Jsonb	   *response;

	forward->operation = shape_find_operation(operation);
	forward->request = with_token(forward->operation, request);
	forward->signer.service = SERVICE;

	call = http_call(forward->operation->method, request_url(forward));
	if (has_body(forward->operation))
	{
		char	   *body;

		initStringInfo(&forward->body);
		write_container(forward, &forward->request->root, forward->operation->input, false);
		wipe_at_end(forward->body.data);
		body = to_utf8(forward->body.data);
		if (body != forward->body.data)
			wipe_at_end(body);
		call->body = body;
		call->body_length = strlen(body);
		http_header(call, "Content-Type", "application/json");
	}

	/* what an operation does is the same when it is asked for twice; where not, it has a token */
	call->repeatable = true;
	call->whole = true;
	call->max_body = MAX_ANSWER;
	call->prepare = sign_request;
	call->judge = judge_answer;
	call->arg = forward;
	http_wait(call);
	if (call->status != 200)
		raise_failure(forward, call);

	MemoryContextSwitchTo(caller);
	response = read_response(forward, call);
	return response;
}

Jsonb *
forward_operation(const char *operation, Jsonb *request)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	Forward    *forward;
	Jsonb	   *response;

	aws_check_identity(GetUserId(), "; appflow.engine = 'local' keeps to this server");

	context = wiped_context_create();
	MemoryContextSwitchTo(context);
	forward = palloc0(sizeof(Forward));
	forward->endpoint = endpoint_url();
	forward->signer.region = pstrdup(operation_region());
	response = send_request(forward, operation, request, caller);
	MemoryContextDelete(context);
	return response;
}

/* ---------- through a profile ---------- */

/* a text of the credentials, kept out of messages and wiped in the end */
static char *
take_secret(Forward *forward, Jsonb *map, const char *name)
{
	char	   *text = jsonb_get_text(map, name);

	if (text == NULL)
		return NULL;
	wipe_at_end(text);
	forward->secrets = lappend(forward->secrets, text);
	return text;
}

static void
take_profile(Forward *forward, const char *name)
{
	ProfileRow *profile = profile_use(name, HOLD_NOT);
	Jsonb	   *settings = jsonb_get_container(jsonb_get_container(profile->properties, "CustomConnector"), "profileProperties");
	char	   *credentials;
	Jsonb	   *document;
	Jsonb	   *map;

	if (profile->connector_label == NULL || strcmp(profile->connector_label, AWS_LABEL) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connector profile \"%s\" is not one of AWS credentials", name),
				errhint("Such a profile has the connectorType CustomConnector and the connectorLabel \"%s\".", AWS_LABEL));
	forward->signer.region = jsonb_get_text(settings, "region");
	forward->endpoint = jsonb_get_text(settings, "endpoint");
	if (forward->endpoint == NULL)
		forward->endpoint = region_endpoint(forward->signer.region);
	if (!profile->has_credentials)
	{
		aws_check_identity(GetUserId(), ", or the profile can have credentials of its own");
		return;
	}
	credentials = secret_get("profile", name);
	if (credentials == NULL)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("the credentials of connector profile \"%s\" are missing", name),
				errhint("Give them with appflow.update_connector_profile()."));
	document = jsonb_parse(credentials);
	secret_wipe(credentials);
	map = jsonb_get_container(jsonb_get_container(jsonb_get_container(document, "CustomConnector"), "custom"), "credentialsMap");
	explicit_bzero(document, VARSIZE(document));
	forward->credentials.access_key_id = jsonb_get_text(map, "accessKeyId");
	forward->credentials.secret_access_key = take_secret(forward, map, "secretAccessKey");
	forward->credentials.session_token = take_secret(forward, map, "sessionToken");
	explicit_bzero(map, VARSIZE(map));
	forward->signer.credentials = &forward->credentials;
}

/*
 * call_aws(connector_profile_name text, operation text, request jsonb) returns
 * jsonb: the operation carried out by AWS AppFlow with the profile's credentials.
 */
Datum
appflow_call_aws(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *operation = text_to_cstring(PG_GETARG_TEXT_PP(1));
	MemoryContext context;
	Forward    *forward;
	Jsonb	   *request;
	Jsonb	   *response;

	aws_check_unrestricted();
	if (shape_find_operation(operation) == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not an operation of AppFlow", operation),
				errhint("Operations are named as in the API reference, for example ListFlows."));
	request = shape_read_request(operation, PG_GETARG_JSONB_P(2));
	context = wiped_context_create();
	MemoryContextSwitchTo(context);
	forward = palloc0(sizeof(Forward));
	take_profile(forward, name);
	response = send_request(forward, operation, request, caller);
	MemoryContextDelete(context);
	PG_RETURN_JSONB_P(response);
}
