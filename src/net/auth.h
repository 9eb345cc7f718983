/*-------------------------------------------------------------------------
 *
 * auth.h
 *	  What makes a service believe who is asking.
 *
 * An authenticator holds the credentials of a connector profile in the form that
 * its service wants them, and puts them on calls:
 *
 *	  call->guard = &authenticator->guard;
 *
 * It lives in a memory context of its own below the one it was made in; what is
 * secret in it is wiped when that goes.
 *
 * IDENTIFICATION
 *	  src/net/auth.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_AUTH_H
#define APPFLOW_NET_AUTH_H

#include "postgres.h"

#include "net/aws.h"
#include "net/http.h"
#include "net/limit.h"

typedef enum AuthKind
{
	BY_NOTHING,
	BY_HEADERS,					/* pairs, each a header */
	BY_PARAMETERS,				/* pairs, each a parameter of the URL */
	BY_PASSWORD,				/* basic: user, secret */
	BY_TOKEN,					/* bearer or session: token_header, token_prefix ... */
	BY_NEXUS,					/* HMAC_1 of Infor Nexus: key_id, secret, user, data_key */
	BY_SIGV4					/* aws */
} AuthKind;

#define MAX_AUTH_PAIRS 4

typedef struct AuthPair
{
	const char *name;
	const char *value;
} AuthPair;

typedef struct Authenticator Authenticator;

struct Authenticator
{
	HttpGuard	guard;			/* for calls */
	HttpGuard	metadata_guard; /* for those that only tell of entities: they may go another way */
	RateLimit	limit;			/* guard.limit, unless there is none */
	MemoryContext context;
	AuthKind	kind;
	AuthPair	pairs[MAX_AUTH_PAIRS];
	int			npairs;
	const char *user;
	const char *secret;
	const char *key_id;
	const char *data_key;
	AwsSigner	aws;

	/* BY_TOKEN */
	const char *token_header;	/* "Authorization" */
	const char *token_prefix;	/* "Bearer " */
	const char *token_suffix;	/* "" */
	char	   *token;			/* NULL: none at hand */
	char	   *generation;		/* of the token */
	char	   *instance;		/* the service that the token is for; NULL: not told */
	bool		wants_instance; /* a token is no good that comes without */

	/*
	 * Set token and generation: to what is valid now, or with renew to another
	 * token than the one that was refused.  False: there is none to be had.
	 */
	bool		(*obtain) (Authenticator *authenticator, bool renew);
	void	   *arg;
};

extern Authenticator *authenticator_make(AuthKind kind);

/* A copy of a text that is wiped when the authenticator goes; NULL for NULL. */
extern char *authenticator_keep(Authenticator *authenticator, const char *text);

/*
 * The URL of the service that the token is for, without a slash at its end; gets a
 * token if there is none.  Raises ConnectorAuthenticationException if there is none
 * to be had.
 */
extern const char *authenticator_instance(Authenticator *authenticator);

extern void authenticator_add_pair(Authenticator *authenticator, const char *name, const char *value);

#endif							/* APPFLOW_NET_AUTH_H */
