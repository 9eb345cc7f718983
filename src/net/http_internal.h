/*-------------------------------------------------------------------------
 *
 * http_internal.h
 *	  What http.c, which decides about calls, and http_attempt.c, which makes
 *	  one attempt of one, know of each other.
 *
 * IDENTIFICATION
 *	  src/net/http_internal.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_HTTP_INTERNAL_H
#define APPFLOW_NET_HTTP_INTERNAL_H

#include "postgres.h"

#include "net/http.h"
#include "net/loop.h"
#include "net/policy.h"

#define BUFFER_LIMIT (4 * 1024 * 1024)	/* of a streamed body: beyond it, the sender waits */

typedef enum CallState
{
	CALL_NEW,
	CALL_WAITING,				/* for next_attempt */
	CALL_RUNNING,
	CALL_SETTLED
} CallState;

/* A growing piece of memory that callbacks may add to. */
typedef struct Bytes
{
	char	   *data;
	size_t		start;			/* taken from the front already */
	size_t		end;
	size_t		room;
} Bytes;

typedef struct Header
{
	struct Header *next;
	char	   *name;
	char	   *value;
	bool		attempt_only;
} Header;

typedef struct Call
{
	HttpCall	public;

	CallState	state;
	HttpUse    *use;			/* to be counted there, or NULL */
	Header	   *headers;
	Header	  **last_header;
	int64		next_attempt;	/* time, in CALL_WAITING */
	char	   *query;			/* of this attempt only, to be added to the URL; or NULL */
	bool		connects_only;	/* who listens there is spoken to by others */
	bool		admitted;		/* the next attempt has its turn by the limit */
	bool		renewed;		/* credentials, after a 401 */
	bool		foreign;		/* redirected to another host than the call was made for */
	int			redirects;
	int			unpaid;			/* attempts that are no retries */
	bool		given;			/* the caller may have read some of the body: this attempt
								 * is the last */

	CURL	   *handle;
	bool		added;			/* to the loop */
	struct curl_slist *lines;	/* headers as libcurl wants them */
	struct curl_slist *route;	/* where to connect to instead of the URL's host */
	char		error[CURL_ERROR_SIZE];

	/* set by callbacks */
	bool		ended;			/* and result is how */
	CURLcode	result;
	bool		proxied;		/* the connection is the proxy's */
	bool		refused;		/* by the policy for endpoints */
	PolicyPlace place;			/* of what it refused */
	bool		overflow;		/* headers or body beyond their limits */
	bool		no_memory;
	bool		headers_done;
	bool		paused;			/* the body, as its buffer is full */
	int64		last_activity;
	curl_off_t	uploaded;		/* at last_activity */
	Bytes		outgoing;		/* of a body that streams */
	bool		outgoing_ends;
	bool		outgoing_paused;	/* as there was nothing to send */
	bool		outgoing_begun; /* libcurl has taken some of it */
	Bytes		response_headers;
	Bytes		body;
	size_t		received;		/* of the body, in all */

	MemoryContextCallback callback;
} Call;

/* ---------- http_attempt.c ---------- */

extern bool http_bytes_add(Bytes *bytes, const char *data, size_t length);
extern size_t http_bytes_left(const Bytes *bytes);
extern void http_bytes_free(Bytes *bytes);

/* Is the answer a redirect that may be followed? */
extern bool http_redirects(const Call *call);

/* Is the body not what the caller wants, so that its beginning will do? */
extern bool http_aside(const Call *call);

/* Is the whole body collected before the call is judged? */
extern bool http_collects(const Call *call);

/* Begin an attempt: sign, connect, send. */
extern void http_attempt_start(Call *call);

/* Give back all that libcurl and malloc hold of an attempt. Raises no errors. */
extern void http_attempt_drop(Call *call);

/* what became of an attempt that has ended */
extern HttpFailure http_attempt_failure(const Call *call);

extern void http_out_of_memory(void);

#endif							/* APPFLOW_NET_HTTP_INTERNAL_H */
