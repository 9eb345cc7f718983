/*-------------------------------------------------------------------------
 *
 * custom.h
 *	  Custom connectors, which are SQL functions of this database or functions of
 *	  AWS Lambda: calls of AppFlow's Lambda protocol.
 *
 * IDENTIFICATION
 *	  src/apps/custom.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_APPS_CUSTOM_H
#define APPFLOW_APPS_CUSTOM_H

#include "postgres.h"

#include "compat.h"
#include "connector/connector.h"
#include "utils/jsonb.h"

/*
 * A SQL function is named by an ARN, in the place of a Lambda function's:
 * arn:aws:postgresql:<region>:<account>:function:<schema>.<name>
 */

typedef struct CustomFunction
{
	Oid			oid;
	const char *lambda;			/* or the ARN of a Lambda function of AWS */
} CustomFunction;

/*
 * The function that an ARN names, as the role finds it.  Raises
 * ValidationException if it names none, or one that is not (jsonb) RETURNS jsonb,
 * ResourceNotFoundException, and AccessDeniedException if the role may not call it,
 * or not use the server's AWS identity.
 */
extern CustomFunction custom_function(const char *arn, Oid role);

/* the name of a SQL function with its schema, quoted as in SQL */
extern char *custom_function_name(Oid function);

/* the credentials that a call may ask for */
typedef struct CustomSecret
{
	const char *arn;
	Jsonb	   *body;			/* with the keys of AppFlow's SDKs */
} CustomSecret;

/*
 * Call the function as the role with a request of that type and return its
 * answer, which is an object with a boolean isSuccess.  Raises ConnectorServerException
 * when it has no valid answer.  secret may be NULL, and must be for a Lambda function,
 * which could not ask for it.  repeatable: a Lambda function may be invoked anew if the
 * answer of the first time is lost.
 */
extern Jsonb *custom_ask(CustomFunction function, Oid role, const char *type, Jsonb *request,
						 const CustomSecret *secret, bool repeatable);

/* The same, where isSuccess is true; otherwise raises what errorDetails say. */
extern Jsonb *custom_call(CustomFunction function, Oid role, const char *type, Jsonb *request,
						  const CustomSecret *secret);

/*
 * Raise what errorDetails of an answer say; invalid credentials are a
 * ConnectorAuthenticationException.
 */
pg_noreturn extern void custom_raise(CustomFunction function, const char *type, Jsonb *answer);

/* for callers that look further into an answer: raise that it is not valid, and why */
pg_noreturn extern void custom_invalid_answer(CustomFunction function, const char *type, const char *reason);

/* ---------- custom_data.c ---------- */

/* what requests say of a profile; state of a session with a custom connector */
typedef struct CustomContext CustomContext;

struct CustomContext
{
	CustomFunction function;
	Oid			role;			/* owner of the connector */
	CustomSecret secret;
	Jsonb	   *credentials;	/* as requests name them; NULL: none */
	Jsonb	   *settings;		/* profileProperties */

	/* get other credentials than those that were refused; NULL: there are none */
	bool		(*renew) (CustomContext *context);
	void	   *arg;
};

extern const Connector custom_function_connector;
extern const Connector custom_lambda_connector;

#endif							/* APPFLOW_APPS_CUSTOM_H */
