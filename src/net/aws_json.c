/*-------------------------------------------------------------------------
 *
 * aws_json.c
 *	  Requests to AWS's services of the protocol "JSON 1.1": Secrets Manager and
 *	  KMS.
 *
 * IDENTIFICATION
 *	  src/net/aws_json.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "net/aws.h"
#include "net/aws_json.h"
#include "net/aws_service.h"
#include "net/http.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/guc.h"
#include "utils/json.h"

#define MAX_ANSWER (256 * 1024)
#define LOWER_AND_DIGITS "abcdefghijklmnopqrstuvwxyz0123456789-"

static char *secrets_manager_endpoint;
static char *kms_endpoint;

static const AwsJsonService aws_secrets_manager = {
	"AWS Secrets Manager", "secretsmanager", "secretsmanager.", &secrets_manager_endpoint
};
const AwsJsonService aws_kms = {
	"AWS KMS", "kms", "TrentService.", &kms_endpoint
};

/* exceptions of the two that are not what their status says */
static const struct
{
	const char *name;
	AppflowException exception;
}			own_errors[] = {
	{"NotFoundException", WF_NOT_FOUND},
	{"DecryptionFailure", WF_ACCESS_DENIED},
	{"DisabledException", WF_CONFLICT},
	{"KMSInvalidStateException", WF_CONFLICT},
	{"InvalidRequestException", WF_CONFLICT},
	{"InvalidCiphertextException", WF_INTERNAL},
	{"IncorrectKeyException", WF_INTERNAL},
};

void
aws_json_define_settings(void)
{
	DefineCustomStringVariable("appflow.secretsmanager_endpoint",
							   "Where secrets of AWS Secrets Manager are read.",
							   "Empty: the endpoint of the region that a secret's ARN names.",
							   &secrets_manager_endpoint, "", PGC_SUSET, 0,
							   aws_check_endpoint, NULL, NULL);
	DefineCustomStringVariable("appflow.kms_endpoint",
							   "Where keys of AWS KMS are used.",
							   "Empty: the endpoint of the region that a key's ARN names.",
							   &kms_endpoint, "", PGC_SUSET, 0,
							   aws_check_endpoint, NULL, NULL);
}

/* arn:<partition>:<service>:<region>:<account>:...; the region becomes part of a host */
bool
aws_json_arn(const AwsJsonService *service, const char *arn, char **region)
{
	const char *p = arn;
	size_t		length;

	if (strncmp(p, "arn:aws", 7) != 0)
		return false;
	p += 4;
	p += strspn(p, LOWER_AND_DIGITS);
	length = strlen(service->service);
	if (*p != ':' || strncmp(p + 1, service->service, length) != 0 || p[1 + length] != ':')
		return false;
	p += length + 2;
	length = strspn(p, LOWER_AND_DIGITS);
	if (length == 0 || p[0] == '-' || p[length] != ':')
		return false;
	*region = pnstrdup(p, length);
	p += length + 1;
	length = strspn(p, "0123456789");
	return length == 12 && p[length] == ':' && p[length + 1] != '\0';
}

static void
sign(HttpCall *call, void *arg)
{
	aws_sign(call, arg);
}

static bool
judge(HttpCall *call, bool retry, void *arg)
{
	return aws_worth_repeating(call, retry);
}

pg_noreturn static void
raise_failure(const AwsJsonService *service, const char *what, const char *action, HttpCall *call)
{
	AwsFailure	failure = aws_read_failure(call);
	AppflowException exception = aws_exception(&failure, call->status);

	for (int i = 0; i < (int) lengthof(own_errors); i++)
	{
		if (strcmp(own_errors[i].name, failure.name) == 0)
			exception = own_errors[i].exception;
	}
	ereport(ERROR,
			appflow_error_detail(exception, "%s answered %s with status %d%s%s.", service->name, action, call->status,
								 failure.name[0] ? ", " : "", aws_shown(failure.name)),
			errmsg("%s: %s", what,
				   failure.message[0] ? aws_shown(failure.message) : psprintf("the answer has status %d", call->status)),
			exception == WF_ACCESS_DENIED || exception == WF_AUTHENTICATION
			? errhint("The AWS credentials are those of the database server, see appflow.aws_identity(); they need %s:%s.",
					  service->service, action) : 0);
}

Jsonb *
aws_json_call(const AwsJsonService *service, const char *arn, const char *what, const char *action, const char *body)
{
	AwsSigner	signer = {.service = service->service};
	char	   *region;
	const char *text;
	HttpCall   *call;
	Jsonb	   *answer;
	size_t		length;

	if (!aws_json_arn(service, arn, &region))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not an ARN of %s", arn, service->name));
	signer.region = region;
	call = http_call("POST", (*service->endpoint)[0] ? psprintf("%s/", *service->endpoint) :
					 psprintf("https://%s.%s.%s/", service->service, region, aws_domain(region)));
	call->body = body;
	call->body_length = strlen(body);
	http_header(call, "Content-Type", "application/x-amz-json-1.1");
	http_header(call, "X-Amz-Target", psprintf("%s%s", service->target, action));
	call->repeatable = true;
	call->whole = true;
	call->max_body = MAX_ANSWER;
	call->prepare = sign;
	call->judge = judge;
	call->arg = &signer;
	http_wait(call);
	if (call->status != 200)
		raise_failure(service, what, action, call);
	text = http_body(call, &length);
	answer = strlen(text) == length && pg_verify_mbstr(PG_UTF8, text, length, true) ? jsonb_parse(text) : NULL;
	if (answer == NULL || !JB_ROOT_IS_OBJECT(answer))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s: the answer of %s to %s is no JSON object", what, service->name, action));
	http_close(call);
	return answer;
}

Jsonb *
aws_secret_value(const char *arn, const char *what)
{
	StringInfoData body;
	Jsonb	   *answer;
	Jsonb	   *value;
	char	   *text;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"SecretId\":");
	escape_json(&body, arn);
	appendStringInfoChar(&body, '}');
	answer = aws_json_call(&aws_secrets_manager, arn, what, "GetSecretValue", body.data);
	text = jsonb_get_text(answer, "SecretString");
	value = text == NULL ? NULL : jsonb_parse(text);
	explicit_bzero(answer, VARSIZE(answer));
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	if (value == NULL || !JB_ROOT_IS_OBJECT(value))
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("%s: the secret is not a JSON object in text", what));
	return value;
}
