/*-------------------------------------------------------------------------
 *
 * url.h
 *	  URLs: taking apart and putting together.
 *
 * IDENTIFICATION
 *	  src/net/url.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_URL_H
#define APPFLOW_NET_URL_H

#include "postgres.h"

/*
 * Where a Location header of an answer to a URL leads, without user and password;
 * NULL if that is no http or https URL.
 */
extern char *url_resolve(const char *url, const char *location);

/* Are scheme, host and port the same? */
extern bool url_same_origin(const char *a, const char *b);

/* Scheme, host and port of an http or https URL that has no user and password; otherwise NULL. */
extern char *url_origin(const char *url);

/* Percent-encoded: all but A-Z a-z 0-9 - _ . ~ */
extern char *url_encode(const char *text);

/* A query with one more parameter, encoded; the first query is "". */
extern char *url_with_parameter(const char *query, const char *name, const char *value);

/* A URL with a query behind the one it has, before the fragment. */
extern char *url_with_query(const char *url, const char *query);

/* The rest of a URL behind scheme and host, as it is sent: path and query. */
extern const char *url_target(const char *url);

#endif							/* APPFLOW_NET_URL_H */
