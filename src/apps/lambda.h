/*-------------------------------------------------------------------------
 *
 * lambda.h
 *	  Calls of functions of AWS Lambda.
 *
 * IDENTIFICATION
 *	  src/apps/lambda.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_APPS_LAMBDA_H
#define APPFLOW_APPS_LAMBDA_H

#include "postgres.h"

#include "utils/jsonb.h"

/* appflow.lambda_endpoint; for _PG_init */
extern void lambda_define_settings(void);

/* Does an ARN name something of AWS Lambda? */
extern bool lambda_is_arn(const char *arn);

/*
 * Raise ValidationException if it is no function's ARN, AccessDeniedException if
 * the role may not use the server's AWS identity.
 */
extern void lambda_check(const char *arn, Oid role);

/*
 * Invoke the function, signed with the server's AWS identity, and return its
 * answer: whatever JSON it is, or NULL if it is none.  type names the request in
 * errors.  repeatable: it may be invoked anew if the answer is lost.
 */
extern Jsonb *lambda_invoke(const char *arn, const char *type, Jsonb *request, bool repeatable);

#endif							/* APPFLOW_APPS_LAMBDA_H */
