/*-------------------------------------------------------------------------
 *
 * aws_service.h
 *	  What requests to AWS's services have in common: who may make them in the
 *	  server's name, where they may be sent, and what errors are said.
 *
 * IDENTIFICATION
 *	  src/net/aws_service.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_AWS_SERVICE_H
#define APPFLOW_NET_AWS_SERVICE_H

#include "postgres.h"

#include "net/http.h"
#include "record/errors.h"
#include "utils/guc.h"

/* Is a text https:// or http:// with a host, perhaps a port, and nothing behind? */
extern bool aws_is_endpoint(const char *url);

/* check hook for a setting that is empty or an endpoint */
extern bool aws_check_endpoint(char **newval, void **extra, GucSource source);

/*
 * Raise AccessDeniedException in a security-restricted operation: whoever made a
 * function that maintenance calls would have AWS called with another's rights.
 */
extern void aws_check_unrestricted(void);

/*
 * The same, and unless the role may use the server's AWS identity:
 * whoever may execute appflow.aws_identity().  otherwise, or "", is put behind the hint.
 */
extern void aws_check_identity(Oid role, const char *otherwise);

/* what is shorter is not looked for in answers: it would be found in any */
#define AWS_MIN_SECRET 4

/*
 * What a service says, on one line of at most 2,000 bytes and in the server's encoding; a
 * text with *** for every occurrence of another; and such a line without the server's
 * credentials.
 */
extern char *aws_clean_line(const char *text);
extern char *aws_without_secret(char *text, const char *secret);
extern char *aws_shown(const char *text);

typedef struct AwsFailure
{
	char	   *name;			/* of the exception, "" if it has none */
	char	   *message;		/* or "" */
} AwsFailure;

/* what an answer that is an error says */
extern AwsFailure aws_read_failure(HttpCall *call);

/* our exception for it */
extern AppflowException aws_exception(const AwsFailure *failure, int status);

/* Does an answer say that the credentials of the request have expired? */
extern bool aws_is_expired(HttpCall *call);

/* Is it one that every service has? */
extern bool aws_is_common(const AwsFailure *failure);

/*
 * For judge hooks of calls that the chain's credentials sign: retry, or whether
 * new credentials or waiting may help.
 */
extern bool aws_worth_repeating(HttpCall *call, bool retry);

#endif							/* APPFLOW_NET_AWS_SERVICE_H */
