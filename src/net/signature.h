/*-------------------------------------------------------------------------
 *
 * signature.h
 *	  Signatures of JSON Web Tokens and of Infor Nexus.  Plain C.
 *
 * IDENTIFICATION
 *	  src/net/signature.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_SIGNATURE_H
#define APPFLOW_NET_SIGNATURE_H

#include <stddef.h>

/* All results are malloc'd; NULL: out of memory, or what the function says. */

/* Base64, and the form of it that JSON Web Tokens have: no padding, - and _. */
extern char *signature_base64(const void *data, size_t length);
extern char *signature_base64url(const void *data, size_t length);

/*
 * A JSON Web Token of these claims (a JSON object), signed by RS256; key_id goes
 * into its header unless NULL, and is of characters that JSON need not escape.  NULL
 * also if the PEM text is no RSA private key without a passphrase.
 */
extern char *signature_jwt(const char *claims, const char *private_key, const char *key_id);

/*
 * The signature of a request that Infor Nexus wants (HMAC_1): of date, method,
 * path with query as sent, and body, all in lower case and with nothing between.
 */
extern char *signature_nexus(const char *secret, const char *date, const char *method,
							 const char *target, const char *body, size_t length);

#endif							/* APPFLOW_NET_SIGNATURE_H */
