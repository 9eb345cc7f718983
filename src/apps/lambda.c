/*-------------------------------------------------------------------------
 *
 * lambda.c
 *	  Calls of functions of AWS Lambda: Invoke, synchronous.
 *
 * The ARN tells region and function; nothing of it gets into the URL but as a
 * host's label or percent-encoded, so that no ARN leads a signed request
 * elsewhere.
 *
 * IDENTIFICATION
 *	  src/apps/lambda.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "apps/lambda.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "net/aws.h"
#include "net/aws_service.h"
#include "net/net.h"
#include "net/sigv4.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

/* limits of AppFlow, for calls that describe, list and validate and for those that move data */
#define IDLE_TIMEOUT 10000
#define DATA_TIMEOUT 30000
#define MAX_RETRIES 2

/* of Lambda, for an answer */
#define MAX_ANSWER 6291556

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define NAME_CHARACTERS LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "-_"

static char *endpoint;

void
lambda_define_settings(void)
{
	DefineCustomStringVariable("appflow.lambda_endpoint",
							   "Where functions of AWS Lambda are invoked.",
							   "Empty: the endpoint of the region that a function's ARN names.",
							   &endpoint,
							   "",
							   PGC_SUSET, 0,
							   aws_check_endpoint, NULL, NULL);
}

/* ---------- names ---------- */

typedef struct LambdaName
{
	char	   *region;
	char	   *function;		/* with ":" and its version or alias, if the ARN has one */
} LambdaName;

/* the characters of a set at *p, which must end in ':'; NULL if there are none */
static char *
take_part(const char **p, const char *set)
{
	size_t		length = strspn(*p, set);
	char	   *part;

	if (length == 0 || (*p)[length] != ':')
		return NULL;
	part = pnstrdup(*p, length);
	*p += length + 1;
	return part;
}

static bool
is_function_name(const char *name)
{
	size_t		length = strspn(name, NAME_CHARACTERS);

	if (length == 0 || length > 140)
		return false;
	if (name[length] == '\0')
		return true;
	if (name[length] != ':')
		return false;
	name += length + 1;
	return strcmp(name, "$LATEST") == 0 || (name[0] != '\0' && strspn(name, NAME_CHARACTERS) == strlen(name));
}

/* arn:<partition>:lambda:<region>:<account>:function:<name>[:<version or alias>] */
static bool
parse_arn(const char *arn, LambdaName *name)
{
	const char *p = arn;
	char	   *part;

	if ((part = take_part(&p, LETTERS)) == NULL || strcmp(part, "arn") != 0)
		return false;
	if ((part = take_part(&p, LETTERS "-")) == NULL || strncmp(part, "aws", 3) != 0)
		return false;
	if ((part = take_part(&p, LETTERS)) == NULL || strcmp(part, "lambda") != 0)
		return false;
	name->region = take_part(&p, LETTERS DIGITS "-");
	if (name->region == NULL || !islower((unsigned char) name->region[0]))
		return false;
	if ((part = take_part(&p, DIGITS)) == NULL || strlen(part) != 12)
		return false;
	if ((part = take_part(&p, LETTERS)) == NULL || strcmp(part, "function") != 0)
		return false;
	name->function = pstrdup(p);
	return is_function_name(p);
}

bool
lambda_is_arn(const char *arn)
{
	const char *service;

	if (strncmp(arn, "arn:aws", 7) != 0)
		return false;
	service = strchr(arn + 4, ':');
	return service != NULL && strncmp(service, ":lambda:", 8) == 0;
}

static LambdaName
name_in_arn(const char *arn)
{
	LambdaName	name;

	if (!parse_arn(arn, &name))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("lambdaArn \"%s\" names no function of AWS Lambda", arn),
				errhint("It has the form arn:aws:lambda:region:account:function:name, and perhaps a version or alias behind it."));
	return name;
}

void
lambda_check(const char *arn, Oid role)
{
	(void) name_in_arn(arn);
	aws_check_identity(role, "");
}

/*
 * At the endpoint of a region a function is named by its ARN, which may be of
 * another account; elsewhere by its bare name, which is what emulators know.
 */
static char *
invocation_url(const char *arn, const LambdaName *name)
{
	char	   *encoded = sigv4_encode(endpoint[0] ? name->function : arn, false);
	char	   *copy;

	if (encoded == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	copy = MemoryContextAllocExtended(CurrentMemoryContext, strlen(encoded) + 1, MCXT_ALLOC_NO_OOM);
	if (copy != NULL)
		strcpy(copy, encoded);
	free(encoded);
	if (copy == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	return psprintf("%s/2015-03-31/functions/%s/invocations",
					endpoint[0] ? endpoint :
					psprintf("https://lambda.%s.%s", name->region, aws_domain(name->region)), copy);
}

/* ---------- the answer ---------- */

typedef struct Invocation
{
	const char *arn;
	const char *type;			/* of the request */
	AwsSigner	signer;
} Invocation;

static bool
is_data_request(const char *type)
{
	return strcmp(type, "QueryDataRequest") == 0 || strcmp(type, "WriteDataRequest") == 0;
}

static void
sign_request(HttpCall *call, void *arg)
{
	aws_sign(call, &((Invocation *) arg)->signer);
}

static bool
judge_answer(HttpCall *call, bool retry, void *arg)
{
	return aws_worth_repeating(call, retry);
}

/* ", request id "..."", or nothing */
static char *
request_id(HttpCall *call)
{
	const char *id = http_response_header(call, "x-amzn-RequestId");

	return id == NULL ? "" : psprintf(", request id \"%s\"", aws_shown(id));
}

/* Lambda itself could not or would not */
pg_noreturn static void
raise_failure(const Invocation *invocation, HttpCall *call)
{
	AwsFailure	failure = aws_read_failure(call);
	AppflowException exception = aws_exception(&failure, call->status);
	char	   *message = failure.message[0] ? aws_shown(failure.message) :
		psprintf("the answer has status %d", call->status);

	ereport(ERROR,
			appflow_error_detail(exception, "%s to function %s: AWS Lambda answered with status %d%s%s%s.",
								 invocation->type, invocation->arn, call->status,
								 failure.name[0] ? ", " : "", aws_shown(failure.name), request_id(call)),
			exception == WF_ACCESS_DENIED
			? errmsg("lambda:InvokeFunction on function \"%s\" is denied to the AWS identity of this server: %s",
					 invocation->arn, message)
			: errmsg("function \"%s\" could not be invoked: %s", invocation->arn, message),
			exception == WF_ACCESS_DENIED || (exception == WF_AUTHENTICATION && aws_is_common(&failure))
			? errhint("The AWS credentials are those of the database server, see appflow.aws_identity().") : 0);
}

/* the function ended with an error, which is no answer of the protocol */
pg_noreturn static void
raise_function_error(const Invocation *invocation, HttpCall *call, Jsonb *document)
{
	char	   *type = document == NULL ? NULL : jsonb_get_text(document, "errorType");
	char	   *message = document == NULL ? NULL : jsonb_get_text(document, "errorMessage");

	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s to function %s: function error%s",
								 invocation->type, invocation->arn, request_id(call)),
			errmsg("Error while communicating to connector: Got error from connector. %s: %s",
				   type == NULL ? "the function failed" : aws_shown(type),
				   message == NULL ? "no message" : aws_shown(message)));
}

static Jsonb *
read_document(HttpCall *call)
{
	size_t		length;
	const char *body = http_body(call, &length);
	char	   *text = pnstrdup(body == NULL ? "" : body, body == NULL ? 0 : length);

	if (length == 0 || strlen(text) != length || !pg_verify_mbstr(PG_UTF8, text, length, true))
		return NULL;
	if (GetDatabaseEncoding() == PG_UTF8)
		return jsonb_parse(text);

	/* what this database cannot hold is an error that says so */
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(pg_any_to_server(text, length, PG_UTF8))));
}

Jsonb *
lambda_invoke(const char *arn, const char *type, Jsonb *request, bool repeatable)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "appflow Lambda invocation", ALLOCSET_DEFAULT_SIZES);
	Invocation *invocation;
	LambdaName	name;
	HttpCall   *call;
	Jsonb	   *answer;
	char	   *text;

	MemoryContextSwitchTo(context);
	name = name_in_arn(arn);
	invocation = palloc0(sizeof(Invocation));
	invocation->arn = arn;
	invocation->type = type;
	invocation->signer.service = "lambda";
	invocation->signer.region = name.region;

	call = http_call("POST", invocation_url(arn, &name));
	text = JsonbToCString(NULL, &request->root, VARSIZE(request));
	call->body = pg_server_to_any(text, strlen(text), PG_UTF8);
	call->body_length = strlen(call->body);
	http_header(call, "Content-Type", "application/json");
	http_header(call, "X-Amz-Invocation-Type", "RequestResponse");
	call->repeatable = repeatable;
	call->max_retries = Min(net_max_retries, MAX_RETRIES);
	call->idle_timeout = Min(net_idle_timeout, is_data_request(type) ? DATA_TIMEOUT : IDLE_TIMEOUT);
	call->whole = true;
	call->max_body = MAX_ANSWER;
	call->prepare = sign_request;
	call->judge = judge_answer;
	call->arg = invocation;
	http_wait(call);
	if (call->status != 200)
		raise_failure(invocation, call);

	MemoryContextSwitchTo(caller);
	answer = read_document(call);
	MemoryContextSwitchTo(context);

	/* the Runtime Interface Emulator does not have the header */
	if (http_response_header(call, "X-Amz-Function-Error") != NULL ||
		(answer != NULL && JB_ROOT_IS_OBJECT(answer) && jsonb_get_text(answer, "isSuccess") == NULL &&
		 jsonb_get_text(answer, "errorType") != NULL && jsonb_get_text(answer, "errorMessage") != NULL))
		raise_function_error(invocation, call, answer != NULL && JB_ROOT_IS_OBJECT(answer) ? answer : NULL);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return answer;
}
