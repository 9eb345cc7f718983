/*-------------------------------------------------------------------------
 *
 * http.h
 *	  HTTP calls: interruptible, streaming, repeated when that may help.
 *
 *	  HttpCall *call = http_call("GET", url);
 *
 *	  http_header(call, "Accept", "application/json");
 *	  http_wait(call);						status and headers are there
 *	  if (call->status == 200)
 *		  while ((n = http_read(call, buffer, sizeof(buffer))) > 0)
 *			  ...
 *	  http_close(call);
 *
 * A call lives in a memory context of its own below the one it was made in, and
 * ends with it at any point: connection, buffers and descriptors go too.
 *
 * Several calls may be under way at once: http_start() starts one, and all move
 * on in every wait of this process, and in http_done().
 *
 * A call is repeated, after a growing pause with jitter, if the connection failed
 * or the status is 408, 429, 500, 502, 503 or 504, provided it is repeatable; a
 * Retry-After of the answer is honoured.  Redirects are followed only if the
 * caller asks for it.
 *
 * Messages name URLs without what may be secret: user, query, fragment.
 *
 * IDENTIFICATION
 *	  src/net/http.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_HTTP_H
#define APPFLOW_NET_HTTP_H

#include "postgres.h"

#include "compat.h"

typedef enum HttpFailure
{
	HTTP_FINE,
	HTTP_REFUSED,				/* the policy for endpoints forbids the address */
	HTTP_UNREACHABLE,			/* no name, no connection: nothing was sent */
	HTTP_TIMEOUT,				/* nothing came or went for too long */
	HTTP_UNTRUSTED,				/* TLS: certificate, protocol */
	HTTP_CUT,					/* the connection broke, the body ended early */
	HTTP_TOO_LARGE,				/* headers or body over the limit */
	HTTP_BROKEN					/* anything else */
} HttpFailure;

typedef struct HttpCall HttpCall;

/* What calls have done, for those who want to know. */
typedef struct HttpUse
{
	uint64		requests;		/* attempts */
	uint64		retries;		/* of them, all but the first of a call */
	uint64		received;		/* bytes of bodies, decompressed */
} HttpUse;

/*
 * What goes with each attempt of a call to the host it was made for: never with
 * one that a redirect sends elsewhere.  Members may be NULL; all may raise errors.
 */
typedef struct HttpGuard
{
	/* puts credentials on an attempt, by http_attempt_header() and http_attempt_query() */
	void		(*sign) (HttpCall *call, void *arg);

	/* the answer is 401, for the first time: whether new credentials make it worth another attempt */
	bool		(*renew) (HttpCall *call, void *arg);

	/* milliseconds that headers of the answer, the vendor's own, ask to wait; -1: they do not */
	int64		(*pause) (HttpCall *call, void *arg);

	/*
	 * "host:port" that connections lead to, whatever the URL's host is: an address that
	 * an administrator has given, so the policy for addresses is not asked.  The
	 * certificate must be the URL's host's all the same.
	 */
	const char *via;

	/* every attempt waits for its turn there (limit.h), and Retry-After holds all that share it */
	struct RateLimit *limit;
	void	   *arg;
} HttpGuard;

struct HttpCall
{
	/* ---------- the request: to be set before the call is started ---------- */

	MemoryContext context;		/* the call's own */
	const char *method;
	char	   *url;
	const char *body;			/* not copied; must stay until the call is closed */
	size_t		body_length;
	bool		repeatable;		/* default: GET, HEAD, PUT, DELETE are */
	bool		whole;			/* have all of the body before http_wait() returns */
	size_t		max_body;		/* bytes; more is a failure.  0: no limit, but 64 MB
								 * with whole */
	size_t		judged;			/* bodies of up to so many bytes are had whole and judged,
								 * whatever the status, and longer ones are not: for
								 * services that tell failures with status 200, in few words */
	bool		keep_encoding;	/* give the body as it is sent, even if compressed */
	bool		streams;		/* the body comes by http_send(); body_length says its
								 * length, 0: not known */
	int			max_redirects;	/* default 0: a redirect is an answer like others.  A body
								 * is never sent to another host */
	const HttpGuard *guard;		/* must stay until the call is closed */
	int			max_retries;	/* default: the setting */
	int			connect_timeout;	/* ms, default: the setting */
	int			idle_timeout;	/* ms, default: the setting */

	/*
	 * For addresses of the platform that are fixed in our code (credentials of
	 * the machine): reachable though link-local, past any proxy, by connections
	 * that nothing else uses.  Never for a URL that somebody gave.
	 */
	bool		platform;

	/*
	 * Called before each attempt, to sign it with http_attempt_header().  May
	 * raise errors.
	 */
	void		(*prepare) (HttpCall *call, void *arg);

	/*
	 * Called with an answer whose body is there (whole, within judged, or status
	 * >= 400): whether to repeat it, which counts as a retry.  retry is what the
	 * rules above say.
	 */
	bool		(*judge) (HttpCall *call, bool retry, void *arg);
	void	   *arg;

	/* ---------- the answer ---------- */

	int			status;			/* 0: none yet */
	int			attempts;		/* made so far */
	HttpFailure failure;		/* of the last attempt */
};

/* Make a call, not started. Copies method and url. */
extern HttpCall *http_call(const char *method, const char *url);

/*
 * Set a header for all attempts, where a later value replaces the earlier; or add one
 * for the attempt that is being prepared.
 */
extern void http_header(HttpCall *call, const char *name, const char *value);
extern void http_attempt_header(HttpCall *call, const char *name, const char *value);

/* Add a parameter to the URL of the attempt that is being prepared; it shows nowhere. */
extern void http_attempt_query(HttpCall *call, const char *name, const char *value);

/* The request's headers, for signing: up to max of them, returns how many. */
extern int	http_request_headers(HttpCall *call, const char **names, const char **values, int max);

/* Start a call without waiting for it. */
extern void http_start(HttpCall *call);

/*
 * Whether a started call has ended (http_wait() would not wait).  Lets all calls
 * move on.
 */
extern bool http_done(HttpCall *call);

/*
 * The same for http_wait() and then for http_read() of that many bytes, as long as
 * it does not last beyond the call's patience.  Starts the call if need be.
 */
extern bool http_at_hand(HttpCall *call, size_t size);

/* A descriptor that is readable when calls may move on; pauses and time limits do not show there. */
extern int	http_wait_descriptor(void);

/*
 * Wait (starting the call if need be) until the answer's status and headers are
 * there; with whole or a status >= 400, all of its body.  Raises an error if
 * there is no answer.  What is read behind that is not repeated.
 */
extern void http_wait(HttpCall *call);

/* The same, but returns false with call->failure set; http_raise() says it. */
extern bool http_try_wait(HttpCall *call);

/*
 * Send a piece of the body of a call with streams, and its end; starts the call
 * if need be, and waits while too much is under way.  Returns false if the call has
 * ended before: http_wait() says how.  Once a piece is on its way the call is not
 * repeated.
 */
extern bool http_send(HttpCall *call, const char *data, size_t length);
extern void http_send_end(HttpCall *call);

/* Value of a header of the answer, or NULL. */
extern const char *http_response_header(HttpCall *call, const char *name);

/* The same of the nth header of that name, counted from 0. */
extern const char *http_response_header_nth(HttpCall *call, const char *name, int n);

/*
 * Some of the body: fills buffer as far as bytes are at hand, waits if none are,
 * and returns how many; 0 is the end.  http_try_read() returns false when the
 * body breaks off.
 */
extern size_t http_read(HttpCall *call, char *buffer, size_t size);
extern bool http_try_read(HttpCall *call, char *buffer, size_t size, size_t *length);

/* What is there of the body: all of it with whole or a status >= 400. */
extern const char *http_body(HttpCall *call, size_t *length);

/*
 * Why a call that may have reached the service has no answer, in words that follow a
 * comma or a colon; NULL: it has one, or has not reached it.
 */
extern const char *http_silence(const HttpCall *call);

/* Raise the error for call->failure. */
pg_noreturn extern void http_raise(HttpCall *call);

/*
 * For those who speak another protocol: the numeric address of a host at which it takes
 * connections to a port (http_call() does without this).  Names are looked up, and addresses tried
 * and judged by the policy for endpoints, as those of calls are, past any proxy; raises the same errors, with
 * shown as the URL.
 */
extern char *http_find_address(const char *host, const char *port, const char *shown);

/* End a call. */
extern void http_close(HttpCall *call);

/*
 * All calls of this process from here on may be repeated so often in sum, besides
 * the limit of each; -1: as often as they like.
 */
extern void http_set_retry_budget(int retries);

/* Wait that many milliseconds, while calls move on. */
extern void http_pause(int64 delay);

/*
 * Calls that are made from here on count there (NULL: nowhere), for as long as
 * they last.  Returns where they did before; to be undone on errors, too.
 */
extern HttpUse *http_count_into(HttpUse *use);

/* Microseconds that this process has waited for calls. */
extern int64 http_waited(void);

/* A URL as it may be shown. */
extern char *http_shown_url(const char *url);

#endif							/* APPFLOW_NET_HTTP_H */
