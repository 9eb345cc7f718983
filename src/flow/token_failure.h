/*-------------------------------------------------------------------------
 *
 * token_failure.h
 *	  Failures to get a token, told to those who waited for it.
 *
 * A hundred sessions that meet the end of a token wait for the one of them that
 * asks for another.  If the service refuses, it would refuse the other ninety-nine
 * too, one after another; so they are told what was told the first.  The memory is
 * shared and needs no preloading.
 *
 * IDENTIFICATION
 *	  src/flow/token_failure.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_TOKEN_FAILURE_H
#define APPFLOW_TOKEN_FAILURE_H

#include "postgres.h"

typedef struct TokenFailure
{
	int			sqlstate;
	char		message[512];
	char		detail[128];
	char		hint[128];
} TokenFailure;

/* Call from _PG_init: asks for the memory when the library is being preloaded. */
extern void token_failure_request_memory(void);

/* What was asked for by that key has failed now. */
extern void token_failure_note(uint64 key, const TokenFailure *failure);

/* Has it failed since then (loop_now_us())?  Then *failure says how. */
extern bool token_failure_since(uint64 key, int64 then, TokenFailure *failure);

#endif							/* APPFLOW_TOKEN_FAILURE_H */
