/*-------------------------------------------------------------------------
 *
 * custom.h
 *	  Custom connectors that are SQL functions of this database: calls of
 *	  AppFlow's Lambda protocol.
 *
 * IDENTIFICATION
 *	  src/apps/custom.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_APPS_CUSTOM_H
#define APPFLOW_APPS_CUSTOM_H

#include "postgres.h"

#include "utils/jsonb.h"

/*
 * A SQL function is named by an ARN, in the place of a Lambda function's:
 * arn:aws:postgresql:<region>:<account>:function:<schema>.<name>
 */

/*
 * The function that an ARN names, as the role finds it.  Raises
 * UnsupportedOperationException for a Lambda function of AWS,
 * ResourceNotFoundException, AccessDeniedException if the role may not call it,
 * and ValidationException if it is not (jsonb) RETURNS jsonb.
 */
extern Oid	custom_function(const char *arn, Oid role);

/* its name with its schema, quoted as in SQL */
extern char *custom_function_name(Oid function);

/* the credentials that a call may ask for */
typedef struct CustomSecret
{
	const char *arn;
	Jsonb	   *body;			/* with the keys of AppFlow's SDKs */
} CustomSecret;

/*
 * Call the function as the role with a request of that type and return its
 * answer, which is an object with isSuccess true.  Raises ConnectorServerException
 * when it has no valid answer, and what its errorDetails say when it fails;
 * invalid credentials are a ConnectorAuthenticationException.  secret may be NULL.
 */
extern Jsonb *custom_call(Oid function, Oid role, const char *type, Jsonb *request,
						  const CustomSecret *secret);

/* for callers that look further into an answer: raise that it is not valid, and why */
extern void custom_invalid_answer(Oid function, const char *type, const char *reason) pg_attribute_noreturn();

#endif							/* APPFLOW_APPS_CUSTOM_H */
