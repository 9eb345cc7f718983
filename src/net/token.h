/*-------------------------------------------------------------------------
 *
 * token.h
 *	  Getting tokens: OAuth 2.0, and sessions by logging in.
 *
 * Services differ in how they are asked and where their answers have what; a
 * TokenService says that, the request brings the values.
 *
 * IDENTIFICATION
 *	  src/net/token.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_TOKEN_H
#define APPFLOW_NET_TOKEN_H

#include "postgres.h"

#include "utils/jsonb.h"

typedef struct TokenRequest TokenRequest;

typedef struct TokenService
{
	bool		json;			/* the request is a JSON object, else a form */
	const char *wrapper;		/* the JSON object's member that the fields go in; NULL: none */

	/* members of the answer; a dot leads into one */
	const char *token;
	const char *refresh_token;	/* NULL: there is none */
	const char *lifetime;		/* seconds; NULL: not told */
	const char *success;		/* NULL: the status says it all */
	const char *success_value;
	const char *error;			/* a code */
	const char *instance;		/* URL of the service that the token is for; NULL: not told */
	const char *errors;			/* array of objects with a better one, in their member "type" */

	/* why a token that was given is not the one that was asked for, or NULL */
	char	   *(*check) (const TokenRequest *request, Jsonb *answer);

	/* how calls carry the token */
	const char *header;
	const char *prefix;
	const char *suffix;
} TokenService;

extern const TokenService token_oauth;
extern const TokenService token_oauth_json;
extern const TokenService token_salesforce;
extern const TokenService token_slack;	/* OAuth too, but failures have status 200 */
extern const TokenService token_veeva;
extern const TokenService token_snowflake;

#define MAX_TOKEN_FIELDS 24

struct TokenRequest
{
	const TokenService *service;
	const char *profile;		/* for messages */
	const char *url;
	const char *via;			/* HttpGuard.via, or NULL */
	bool		repeatable;		/* asking twice does no harm */
	int			nfields;
	const char *names[MAX_TOKEN_FIELDS];
	const char *values[MAX_TOKEN_FIELDS];
	const char *client_arn;		/* the secret that has the client's id and secret; NULL: none */
	const char *user;			/* basic authentication of the client; NULL: none */
	const char *password;
};

typedef struct TokenAnswer
{
	char	   *token;
	char	   *refresh_token;	/* NULL: the old one stays */
	int64		lifetime;		/* seconds; 0: not known */
	char	   *instance;		/* scheme and host, without a slash at the end; NULL: none that can be used */
} TokenAnswer;

extern void token_add_field(TokenRequest *request, const char *name, const char *value);

/* Ask; raises ConnectorAuthenticationException if the service refuses. */
extern TokenAnswer token_ask(const TokenRequest *request);

#endif							/* APPFLOW_NET_TOKEN_H */
