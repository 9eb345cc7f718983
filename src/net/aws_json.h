/*-------------------------------------------------------------------------
 *
 * aws_json.h
 *	  Requests to AWS's services of the protocol "JSON 1.1", with the identity of
 *	  this server: Secrets Manager and KMS.
 *
 * Who may have the identity used is for the caller to check, by
 * aws_check_identity() (net/aws_service.h).
 *
 * IDENTIFICATION
 *	  src/net/aws_json.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_AWS_JSON_H
#define APPFLOW_NET_AWS_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"

typedef struct AwsJsonService
{
	const char *name;			/* for messages */
	const char *service;		/* signing name, in ARNs, and of the endpoint */
	const char *target;			/* before the action in X-Amz-Target, with its dot */
	char	  **endpoint;		/* the setting that names another endpoint */
} AwsJsonService;

extern const AwsJsonService aws_kms;

/* appflow.kms_endpoint and appflow.secretsmanager_endpoint; for _PG_init */
extern void aws_json_define_settings(void);

/* Is a text an ARN of something of that service? *region is that in it. */
extern bool aws_json_arn(const AwsJsonService *service, const char *arn, char **region);

/*
 * Send a request (a JSON object, in UTF-8) about the thing of that ARN; what says in errors
 * what it is.  The answer is in the current memory context, and the caller's to
 * wipe.  An error has the service's own name and message.
 */
extern Jsonb *aws_json_call(const AwsJsonService *service, const char *arn, const char *what,
							const char *action, const char *body);

/*
 * The secret of AWS Secrets Manager of that ARN, which must be a JSON object; the
 * caller wipes it.
 */
extern Jsonb *aws_secret_value(const char *arn, const char *what);

#endif							/* APPFLOW_NET_AWS_JSON_H */
