/*-------------------------------------------------------------------------
 *
 * aws_target.h
 *	  AWS's services as destinations, written to with the identity of this server.
 *
 * IDENTIFICATION
 *	  src/apps/aws_target.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_AWS_TARGET_H
#define APPFLOW_AWS_TARGET_H

#include "postgres.h"

#include "net/aws.h"
#include "net/http.h"
#include "utils/jsonb.h"

typedef struct AwsTarget
{
	const char *name;			/* for messages: "Amazon EventBridge" */
	const char *service;		/* signing name */
	const char *base;			/* URL of the endpoint */
	AwsSigner	signer;
} AwsTarget;

/*
 * A service in the region of appflow.region, or the one given, at endpoint unless that
 * is empty.  host is the first part of the endpoint's name.  Raises
 * AccessDeniedException if the role may not use the server's identity.
 */
extern AwsTarget *aws_target_open(const char *name, const char *service, const char *host, const char *endpoint,
								  const char *region, Oid role);

/*
 * A call, signed when it is sent, not started; action (NULL: none) is what goes into
 * X-Amz-Target.  Repeated as far as repeatable, see http.h.
 */
extern HttpCall *aws_target_call(AwsTarget *target, const char *method, const char *path, const char *action,
								 const char *body, size_t length, bool repeatable);

/* Raise what an answer means that is no success; what is being done. */
pg_noreturn extern void aws_target_raise(const AwsTarget *target, HttpCall *call, const char *what);

/* Make the call and have its answer; raises unless the status is 200. */
extern Jsonb *aws_target_fetch(AwsTarget *target, HttpCall *call, const char *what);

/* the answer's body as JSON, or an error */
extern Jsonb *aws_target_document(const AwsTarget *target, HttpCall *call, const char *what);

/*
 * The token of the page behind an answer, from that member; NULL: it was the last.  One
 * that was there before (NULL: none) is an error: it would lead round in a circle.
 */
extern char *aws_next_token(Jsonb *answer, const char *member, const char *before, const char *name, const char *what);

/* The settings of the endpoints; for _PG_init. */
extern void aws_target_define_settings(void);

extern char *aws_eventbridge_endpoint;
extern char *aws_customer_profiles_endpoint;
extern char *aws_redshift_data_endpoint;
extern char *aws_glue_endpoint;
extern char *aws_honeycode_endpoint;
extern char *aws_lookout_metrics_endpoint;
extern char *aws_lookout_metrics_bucket;

#endif							/* APPFLOW_AWS_TARGET_H */
