/*-------------------------------------------------------------------------
 *
 * sigv4.h
 *	  AWS Signature Version 4.  Plain C over OpenSSL, on malloc.
 *
 * IDENTIFICATION
 *	  src/net/sigv4.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_SIGV4_H
#define APPFLOW_NET_SIGV4_H

#include <stdbool.h>
#include <stddef.h>

typedef struct SigV4Header
{
	const char *name;
	const char *value;
} SigV4Header;

typedef struct SigV4Request
{
	const char *method;
	const char *path;			/* as it goes over the wire, "" is "/" */
	const char *query;			/* likewise, without '?', or NULL */

	/*
	 * All headers that are to be signed; host (with the port unless it is the
	 * scheme's own) and x-amz-date must be among them.  Those that may change on
	 * the way are left out of the signature here.
	 */
	const SigV4Header *headers;
	size_t		nheaders;

	const char *payload_hash;	/* hex SHA-256 of the body, or what S3 takes for it */
	const char *timestamp;		/* "20260102T030405Z", the same as x-amz-date */
	const char *region;
	const char *service;		/* "s3" has rules of its own for the path */
	const char *access_key_id;
	const char *secret_access_key;
} SigV4Request;

#define SIGV4_EMPTY_PAYLOAD "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/*
 * The value of the Authorization header, malloc'd; NULL: out of memory, or
 * OpenSSL failed.  canonical, unless NULL, gets the canonical request, malloc'd.
 */
extern char *sigv4_authorization(const SigV4Request *request, char **canonical);

/* Hex SHA-256, with a zero byte at the end; false if OpenSSL failed. */
extern bool sigv4_payload_hash(const void *data, size_t length, char hex[65]);

/*
 * Percent-encode all but A-Z a-z 0-9 - _ . ~ (and '/', with keep_slash), as
 * AWS wants it in paths and queries.  malloc'd; NULL: out of memory.
 */
extern char *sigv4_encode(const char *text, bool keep_slash);

#endif							/* APPFLOW_NET_SIGV4_H */
