/*-------------------------------------------------------------------------
 *
 * profile_auth.h
 *	  Connector profiles as the services behind them want to see them.
 *
 * IDENTIFICATION
 *	  src/flow/profile_auth.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_PROFILE_AUTH_H
#define APPFLOW_PROFILE_AUTH_H

#include "postgres.h"

#include "catalog/profile.h"
#include "net/auth.h"
#include "net/token.h"

/*
 * What authenticates calls for a profile, in the current memory context; needs a
 * transaction, though the calls do not.  *base: the URL that paths
 * of the service follow, without a slash at its end, or NULL if only a token tells
 * (authenticator_instance()); base is NULL if the caller has no use for it.  Raises errors if the profile has no credentials or its connector is not
 * asked by HTTP.
 */
extern Authenticator *profile_authenticator(const ProfileRow *profile, char **base);

/*
 * The name of the private endpoint that a profile's connection is by; NULL: it is public,
 * or there is nothing to name one by.
 */
extern char *profile_private_endpoint(const ProfileRow *profile);

/* ---------- between profile_auth.c and profile_token.c ---------- */

/* What the profile's own member of the credentials says; credentials are the sealed text. */
extern Jsonb *profile_own_credentials(const ProfileRow *profile, const char *credentials);

/* The sealed text of the profile's credentials; raises an error if there is none. */
extern char *profile_credentials(const ProfileRow *profile);

/* The access token that the credentials bring along, or NULL. */
extern char *profile_given_token(const ProfileRow *profile, Jsonb *own);

/*
 * The request for a new token; with a refresh token that was got later than the
 * credentials, or NULL.  first: no token was got with these credentials yet, so that
 * an authorization code is still good.  False: there is nothing to ask with.
 */
extern bool profile_token_request(const ProfileRow *profile, Jsonb *own, const char *refresh_token,
								  bool first, TokenRequest *request);

/* Add the client that is a secret of AWS Secrets Manager to a request; asks AWS if there is one. */
extern void profile_token_client(TokenRequest *request);

/* Do the credentials have an authorization code, and no token that serves without? */
extern bool profile_brings_code(const ProfileRow *profile, Jsonb *own);

/*
 * Exchange the authorization code of a profile that has just been given one for
 * tokens, and store these; does nothing if there is no code, or a token was given
 * as well.  ConnectorAuthenticationException if the service refuses it.
 */
extern void profile_exchange_code(const ProfileRow *profile);

/* The authenticator's obtain function for profiles; arg is the ProfileRow. */
extern bool profile_obtain_token(Authenticator *authenticator, bool renew);

#endif							/* APPFLOW_PROFILE_AUTH_H */
