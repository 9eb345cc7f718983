/*-------------------------------------------------------------------------
 *
 * limit.h
 *	  How often the services of a profile are asked, in the whole server.
 *
 * A limit is a bucket in shared memory that fills with permits at a steady rate up
 * to a burst; whoever shares its name shares it, whatever process.  A permit is
 * taken before its time if need be, and the taker waits for that time: so nobody is
 * overtaken for ever.  The memory needs no preloading.
 *
 * IDENTIFICATION
 *	  src/net/limit.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_LIMIT_H
#define APPFLOW_NET_LIMIT_H

#include "postgres.h"

typedef struct RateLimit
{
	Oid			database;
	const char *name;			/* of the profile */
	double		rate;			/* requests per second; 0: no limit, but what rate_limit_hold() says */
	int			burst;			/* requests that may come at once, at least 1 */
} RateLimit;

/* Call from _PG_init: asks for the memory when the library is being preloaded. */
extern void rate_limit_request_memory(void);

/* Take a permit: milliseconds until it is good. */
extern int64 rate_limit_take(const RateLimit *limit);

/* The service has asked to be left alone for that many milliseconds. */
extern void rate_limit_hold(const RateLimit *limit, int64 milliseconds);

#endif							/* APPFLOW_NET_LIMIT_H */
