/*-------------------------------------------------------------------------
 *
 * aws.h
 *	  Requests to AWS and its like: credentials and signatures.
 *
 * IDENTIFICATION
 *	  src/net/aws.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_AWS_H
#define APPFLOW_NET_AWS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "net/http.h"

typedef struct AwsCredentials
{
	const char *access_key_id;
	const char *secret_access_key;
	const char *session_token;	/* NULL: none */
} AwsCredentials;

typedef struct AwsSigner
{
	const char *service;		/* signing name */
	const char *region;
	const AwsCredentials *credentials;	/* NULL: of the credential chain */
} AwsSigner;

/* ---------- aws.c ---------- */

/*
 * Sign an attempt of a call: for its prepare hook.  Adds X-Amz-Date,
 * X-Amz-Security-Token, for S3 X-Amz-Content-Sha256, and Authorization. All
 * headers of the call are signed.
 */
extern void aws_sign(HttpCall *call, const AwsSigner *signer);

/* "host" or "host:port" as a request for the URL has it in its Host header */
extern char *aws_host(const char *url);

/*
 * Send a bodiless request that nobody waits long for, without raising errors or
 * allocating in memory contexts: for use in reset callbacks.  host, path and
 * query are the parts of url.  Returns the status, 0 if there was no answer
 * within budget milliseconds.
 */
extern int	aws_send_quietly(const char *method, const char *url, const char *host,
							 const char *path, const char *query,
							 const char *service, const char *region,
							 const AwsCredentials *credentials, int budget);

/* The time "2026-01-02T03:04:05.678Z", 0 if it is none. */
extern TimestampTz aws_parse_time(const char *text);

/* "amazonaws.com", or what a region's partition has instead */
extern const char *aws_domain(const char *region);

/* ---------- aws_credentials.c ---------- */

/*
 * Credentials of this server as the AWS SDKs find them: environment, shared
 * files, web identity, container, instance.  Cached in the process; valid until
 * the next call. Raises ConnectorAuthenticationException if there are none.
 */
extern const AwsCredentials *aws_chain_credentials(void);

/* Those that are cached, or NULL; raises no errors. */
extern const AwsCredentials *aws_chain_cached(void);

/* The service says that the chain's credentials have expired. */
extern void aws_chain_forget(void);

/*
 * Credentials of a role that the chain's identity assumes, in the current memory context;
 * good for an hour.  Raises ConnectorAuthenticationException if STS refuses.
 */
extern const AwsCredentials *aws_role_credentials(const char *role);

/* Region by environment or shared files, or NULL. */
extern char *aws_chain_region(void);

#endif							/* APPFLOW_NET_AWS_H */
