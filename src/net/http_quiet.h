/*-------------------------------------------------------------------------
 *
 * http_quiet.h
 *	  One short HTTP request from where no error may be raised.
 *
 * IDENTIFICATION
 *	  src/net/http_quiet.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_HTTP_QUIET_H
#define APPFLOW_NET_HTTP_QUIET_H

typedef struct QuietHeader
{
	const char *name;
	const char *value;
} QuietHeader;

/*
 * Send a request without a body over the connections of this process, and
 * forget its answer.  Raises no errors, allocates in no memory context, and
 * takes at most budget milliseconds, in which interrupts wait. Returns the
 * status, 0 if there was none.
 */
extern int	http_send_quietly(const char *method, const char *url,
							  const QuietHeader *headers, int nheaders, int budget);

#endif							/* APPFLOW_NET_HTTP_QUIET_H */
