/*-------------------------------------------------------------------------
 *
 * aws_target.c
 *	  AWS's services as destinations, written to with the identity of this server.
 *
 * IDENTIFICATION
 *	  src/apps/aws_target.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/aws_target.h"
#include "net/aws_service.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/guc.h"

#define MAX_ANSWER (4 * 1024 * 1024)

char	   *aws_eventbridge_endpoint;
char	   *aws_customer_profiles_endpoint;
char	   *aws_redshift_data_endpoint;
char	   *aws_glue_endpoint;
char	   *aws_honeycode_endpoint;
char	   *aws_lookout_metrics_endpoint;
char	   *aws_lookout_metrics_bucket;

static const struct
{
	const char *name;
	const char *description;
	char	  **value;
}			settings[] = {
	{"appflow.eventbridge_endpoint", "Where events for Amazon EventBridge are put.", &aws_eventbridge_endpoint},
	{"appflow.customer_profiles_endpoint", "Where objects for Amazon Connect Customer Profiles are put.",
	&aws_customer_profiles_endpoint},
	{"appflow.redshift_data_endpoint", "Where the Data API of Amazon Redshift is asked.", &aws_redshift_data_endpoint},
	{"appflow.glue_endpoint", "Where tables of the AWS Glue Data Catalog are registered.", &aws_glue_endpoint},
	{"appflow.honeycode_endpoint", "Where the API of Amazon Honeycode is answered.", &aws_honeycode_endpoint},
	{"appflow.lookoutmetrics_endpoint", "Where the API of Amazon Lookout for Metrics is answered.",
	&aws_lookout_metrics_endpoint},
};

void
aws_target_define_settings(void)
{
	for (int i = 0; i < (int) lengthof(settings); i++)
		DefineCustomStringVariable(settings[i].name, settings[i].description,
								   "Empty: the endpoint of the region.", settings[i].value, "",
								   PGC_SUSET, 0, aws_check_endpoint, NULL, NULL);
	DefineCustomStringVariable("appflow.lookoutmetrics_bucket", "The bucket that detectors of Amazon Lookout for Metrics find records in.",
							   "Empty: there are no flows to Lookout for Metrics.", &aws_lookout_metrics_bucket, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);
}

AwsTarget *
aws_target_open(const char *name, const char *service, const char *host, const char *endpoint, const char *region,
				Oid role)
{
	AwsTarget  *target = palloc0(sizeof(AwsTarget));

	aws_check_identity(role, "");
	if (region == NULL)
		region = GetConfigOption("appflow.region", false, false);
	target->name = name;
	target->service = service;
	target->signer.service = service;
	target->signer.region = pstrdup(region);
	target->base = endpoint[0] ? pstrdup(endpoint) : psprintf("https://%s.%s.%s", host, region, aws_domain(region));
	return target;
}

static void
sign(HttpCall *call, void *arg)
{
	aws_sign(call, &((AwsTarget *) arg)->signer);
}

static bool
judge(HttpCall *call, bool retry, void *arg)
{
	return aws_worth_repeating(call, retry);
}

HttpCall *
aws_target_call(AwsTarget *target, const char *method, const char *path, const char *action,
				const char *body, size_t length, bool repeatable)
{
	HttpCall   *call = http_call(method, psprintf("%s%s", target->base, path));

	if (action != NULL)
		http_header(call, "X-Amz-Target", action);
	if (body != NULL)
		http_header(call, "Content-Type", action != NULL ? "application/x-amz-json-1.1" : "application/json");
	call->body = body;
	call->body_length = length;
	call->repeatable = repeatable;
	call->whole = true;
	call->max_body = MAX_ANSWER;
	call->prepare = sign;
	call->judge = judge;
	call->arg = target;
	return call;
}

/* a line of an answer without credentials, those of a role included */
static char *
shown(const AwsTarget *target, const char *text)
{
	char	   *line = aws_shown(text);

	if (target->signer.credentials != NULL)
	{
		line = aws_without_secret(line, target->signer.credentials->secret_access_key);
		line = aws_without_secret(line, target->signer.credentials->session_token);
	}
	return line;
}

void
aws_target_raise(const AwsTarget *target, HttpCall *call, const char *what)
{
	AwsFailure	failure = aws_read_failure(call);
	AppflowException exception = aws_exception(&failure, call->status);

	ereport(ERROR,
			appflow_error_detail(exception, "%s answered with status %d%s%s.", target->name, call->status,
								 failure.name[0] ? ", " : "", shown(target, failure.name)),
			errmsg("%s refused %s: %s", target->name, what,
				   failure.message[0] ? shown(target, failure.message) :
				   failure.name[0] ? shown(target, failure.name) : psprintf("the answer has status %d", call->status)),
			exception == WF_ACCESS_DENIED || exception == WF_AUTHENTICATION
			? errhint("The AWS credentials are those of the database server, see appflow.aws_identity().") : 0);
}

Jsonb *
aws_target_document(const AwsTarget *target, HttpCall *call, const char *what)
{
	size_t		length;
	const char *body = http_body(call, &length);
	char	   *text = pnstrdup(body == NULL ? "" : body, body == NULL ? 0 : length);
	Jsonb	   *document = strlen(text) == length ? jsonb_parse(text) : NULL;

	if (document == NULL || !JB_ROOT_IS_OBJECT(document))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the answer of %s about %s is not a JSON object", target->name, what));
	return document;
}

Jsonb *
aws_target_fetch(AwsTarget *target, HttpCall *call, const char *what)
{
	Jsonb	   *document;

	http_wait(call);
	if (call->status != 200)
		aws_target_raise(target, call, what);
	document = aws_target_document(target, call, what);
	http_close(call);
	return document;
}

char *
aws_next_token(Jsonb *answer, const char *member, const char *before, const char *name, const char *what)
{
	char	   *token = jsonb_get_text(answer, member);

	if (token == NULL || token[0] == '\0')
		return NULL;
	if (before != NULL && strcmp(token, before) == 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s gives the same page of %s again and again", name, what));
	return token;
}
