/*-------------------------------------------------------------------------
 *
 * http.c
 *	  HTTP calls over libcurl.
 *
 * A call's life: waiting (for its time to start an attempt) -> running ->
 * settled; back to waiting if an attempt is to be repeated.  Attempts start and
 * are judged only in the caller's frames, never in libcurl's: callbacks store
 * what comes, on malloc, and return short when something is wrong.
 *
 * IDENTIFICATION
 *	  src/net/http.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "net/http.h"
#include "net/http_quiet.h"
#include "net/limit.h"
#include "net/loop.h"
#include "net/net.h"
#include "net/policy.h"
#include "net/url.h"
#include "record/errors.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#if LIBCURL_VERSION_NUM < 0x075500
#error "appflow needs libcurl 7.85 or later"
#endif

#define BUFFER_LIMIT (4 * 1024 * 1024)	/* of a streamed body: beyond it, the sender waits */
#define SEND_LIMIT (1024 * 1024)	/* of a body being sent: beyond it, the caller waits */
#define MAX_HEADERS (256 * 1024)
#define MAX_WHOLE_BODY (64 * 1024 * 1024)
#define MAX_ERROR_BODY (1024 * 1024)
#define FIRST_RETRY_DELAY 100	/* ms, doubles with each attempt */
#define MAX_RETRY_AFTER 300000	/* ms; who asks for longer is not waited for */

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
	Header	   *headers;
	Header	  **last_header;
	int64		next_attempt;	/* time, in CALL_WAITING */
	char	   *query;			/* of this attempt only, to be added to the URL; or NULL */
	bool		admitted;		/* the next attempt has its turn by the limit */
	bool		renewed;		/* credentials, after a 401 */
	bool		foreign;		/* redirected to another host than the call was made for */
	int			redirects;
	int			unpaid;			/* attempts that are no retries */

	CURL	   *handle;
	bool		added;			/* to the loop */
	struct curl_slist *lines;	/* headers as libcurl wants them */
	char		error[CURL_ERROR_SIZE];

	/* set by callbacks */
	bool		ended;			/* and result is how */
	CURLcode	result;
	bool		proxied;		/* the connection is the proxy's */
	bool		refused;		/* by the policy for endpoints */
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

/* how many retries this process still has; -1: any number */
static int	retry_budget = -1;

/* connections to local addresses may be in libcurl's cache */
static bool local_connections = false;

/* ---------- bytes ---------- */

static bool
bytes_add(Bytes *bytes, const char *data, size_t length)
{
	if (bytes->start > 0 && bytes->end + length > bytes->room)
	{
		memmove(bytes->data, bytes->data + bytes->start, bytes->end - bytes->start);
		bytes->end -= bytes->start;
		bytes->start = 0;
	}
	if (bytes->end + length + 1 > bytes->room)
	{
		size_t		room = Max((bytes->end + length + 1) * 2, 4096);
		char	   *grown = realloc(bytes->data, room);

		if (grown == NULL)
			return false;
		bytes->data = grown;
		bytes->room = room;
	}
	memcpy(bytes->data + bytes->end, data, length);
	bytes->end += length;
	bytes->data[bytes->end] = '\0';
	return true;
}

static size_t
bytes_left(const Bytes *bytes)
{
	return bytes->end - bytes->start;
}

static void
bytes_free(Bytes *bytes)
{
	/* what comes may hold tokens */
	if (bytes->data != NULL)
		explicit_bzero(bytes->data, bytes->room);
	free(bytes->data);
	memset(bytes, 0, sizeof(Bytes));
}

/* ---------- callbacks of libcurl: no errors, no palloc ---------- */

/* Is the answer a redirect that may be followed? */
static bool
redirects(const Call *call)
{
	int			status = call->public.status;

	return call->public.max_redirects > 0 && !call->public.streams &&
		(status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

/* Is the body not what the caller wants, so that its beginning will do? */
static bool
aside(const Call *call)
{
	return call->public.status >= 400 || redirects(call);
}

/* Is the whole body collected before the call is judged? */
static bool
collects(const Call *call)
{
	return call->public.whole || aside(call);
}

static size_t
take_header(char *data, size_t size, size_t count, void *arg)
{
	Call	   *call = arg;
	size_t		length = size * count;

	call->last_activity = loop_now();

	/* a status line begins anew: what came before was informational */
	if (length > 5 && memcmp(data, "HTTP/", 5) == 0)
	{
		const char *space = memchr(data, ' ', length);

		call->response_headers.start = call->response_headers.end = 0;
		call->public.status = space == NULL ? 0 : atoi(space + 1);
		return length;
	}
	if (length <= 2 && (data[0] == '\r' || data[0] == '\n'))
	{
		if (call->public.status >= 200)
			call->headers_done = true;
		return length;
	}
	if (call->response_headers.end + length > MAX_HEADERS)
	{
		call->overflow = true;
		return 0;
	}
	if (!bytes_add(&call->response_headers, data, length))
	{
		call->no_memory = true;
		return 0;
	}
	return length;
}

static size_t
take_body(char *data, size_t size, size_t count, void *arg)
{
	Call	   *call = arg;
	size_t		length = size * count;
	size_t		have = bytes_left(&call->body);
	size_t		limit = call->public.max_body;

	call->last_activity = loop_now();
	if (collects(call))
	{
		if (call->public.whole)
			limit = limit == 0 ? MAX_WHOLE_BODY : limit;
		if (aside(call))
			limit = limit == 0 ? MAX_ERROR_BODY : Min(limit, MAX_ERROR_BODY);
	}
	else if (have > 0 && have + length > BUFFER_LIMIT)
	{
		call->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (limit > 0 && call->received + length > limit)
	{
		call->overflow = true;
		return 0;
	}
	if (!bytes_add(&call->body, data, length))
	{
		call->no_memory = true;
		return 0;
	}
	call->received += length;
	return length;
}

static size_t
give_body(char *data, size_t size, size_t count, void *arg)
{
	Call	   *call = arg;
	size_t		length = Min(size * count, bytes_left(&call->outgoing));

	call->last_activity = loop_now();
	if (length == 0 && !call->outgoing_ends)
	{
		call->outgoing_paused = true;
		return CURL_READFUNC_PAUSE;
	}
	if (length > 0)
	{
		memcpy(data, call->outgoing.data + call->outgoing.start, length);
		call->outgoing.start += length;
		call->outgoing_begun = true;
	}
	return length;
}

static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	Call	   *call = arg;
	curl_socket_t fd;

	/* the administrator has named the proxy; see also refuse_local_name() */
	if (policy_local_address(&address->addr) && !call->public.platform && !call->proxied)
	{
		if (!net_allow_local_endpoints)
		{
			call->refused = true;
			return CURL_SOCKET_BAD;
		}
		local_connections = true;
	}
	if (!AcquireExternalFD())
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd == CURL_SOCKET_BAD)
		ReleaseExternalFD();
	return fd;
}

static int
close_socket(void *arg, curl_socket_t fd)
{
	ReleaseExternalFD();
	return close(fd);
}

/* From the loop, with signals blocked. */
static void
attempt_ended(void *arg, CURLcode result)
{
	Call	   *call = arg;

	call->ended = true;
	call->result = result;
	call->added = false;
}

/* ---------- making a call ---------- */

/* Give back all that libcurl and malloc hold of an attempt. Raises no errors. */
static void
drop_attempt(Call *call)
{
	if (call->handle != NULL)
	{
		sigset_t	signals;

		if (call->added)
			loop_remove(call->handle);
		call->added = false;
		loop_block_signals(&signals);
		curl_easy_cleanup(call->handle);
		loop_unblock_signals(&signals);
		call->handle = NULL;
	}
	for (struct curl_slist *line = call->lines; line != NULL; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(call->lines);
	call->lines = NULL;
	if (call->query != NULL)
		explicit_bzero(call->query, strlen(call->query));
	call->query = NULL;
	bytes_free(&call->response_headers);
	bytes_free(&call->body);
}

/* Reset callback. */
static void
drop_call(void *arg)
{
	Call	   *call = arg;

	drop_attempt(call);
	bytes_free(&call->outgoing);
	for (Header *header = call->headers; header != NULL; header = header->next)
		explicit_bzero(header->value, strlen(header->value));
}

HttpCall *
http_call(const char *method, const char *url)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow HTTP call",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Call	   *call = palloc0(sizeof(Call));

	call->public.context = context;
	call->public.method = pstrdup(method);
	call->public.url = pstrdup(url);
	call->public.repeatable = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
		strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0;
	call->public.max_retries = net_max_retries;
	call->public.connect_timeout = net_connect_timeout;
	call->public.idle_timeout = net_idle_timeout;
	call->last_header = &call->headers;
	call->callback.func = drop_call;
	call->callback.arg = call;
	MemoryContextRegisterResetCallback(context, &call->callback);
	MemoryContextSwitchTo(old);
	return &call->public;
}

static void
add_header(Call *call, const char *name, const char *value, bool attempt_only)
{
	Header	   *header;

	/* the value may be secret: not shown */
	if (strpbrk(value, "\r\n") != NULL || strpbrk(name, "\r\n: ") != NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("header \"%s\" of a request must not contain line breaks", name));

	header = MemoryContextAllocZero(call->public.context, sizeof(Header));
	header->name = MemoryContextStrdup(call->public.context, name);
	header->value = MemoryContextStrdup(call->public.context, value);
	header->attempt_only = attempt_only;
	*call->last_header = header;
	call->last_header = &header->next;
}

void
http_header(HttpCall *call, const char *name, const char *value)
{
	add_header((Call *) call, name, value, false);
}

void
http_attempt_header(HttpCall *call, const char *name, const char *value)
{
	add_header((Call *) call, name, value, true);
}

void
http_attempt_query(HttpCall *base, const char *name, const char *value)
{
	Call	   *call = (Call *) base;
	MemoryContext old = MemoryContextSwitchTo(base->context);
	char	   *longer = url_with_parameter(call->query == NULL ? "" : call->query, name, value);

	if (call->query != NULL)
		explicit_bzero(call->query, strlen(call->query));
	call->query = longer;
	MemoryContextSwitchTo(old);
}

int
http_request_headers(HttpCall *base, const char **names, const char **values, int max)
{
	int			n = 0;

	for (Header *header = ((Call *) base)->headers; header != NULL && n < max; header = header->next)
	{
		names[n] = header->name;
		values[n++] = header->value;
	}
	return n;
}

static void
drop_attempt_headers(Call *call)
{
	call->last_header = &call->headers;
	while (*call->last_header != NULL)
	{
		Header	   *header = *call->last_header;

		if (!header->attempt_only)
		{
			call->last_header = &header->next;
			continue;
		}
		*call->last_header = header->next;
		pfree(header->name);
		explicit_bzero(header->value, strlen(header->value));
		pfree(header->value);
		pfree(header);
	}
}

/* Host of the call's URL, to be freed with curl_free(); NULL: none. */
static char *
url_host(const Call *call)
{
	CURLU	   *url = curl_url();
	char	   *host = NULL;

	if (url == NULL || curl_url_set(url, CURLUPART_URL, call->public.url, 0) != CURLUE_OK ||
		curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		host = NULL;
	curl_url_cleanup(url);
	return host;
}

/*
 * Does the call go through the proxy?  appflow.no_proxy is evaluated here and not
 * by libcurl, because the policy for endpoints depends on it.
 */
static bool
uses_proxy(const Call *call)
{
	char	   *host;
	bool		direct;

	if (net_proxy[0] == '\0' || call->public.platform)
		return false;
	host = url_host(call);
	direct = host != NULL && policy_listed(host, net_no_proxy);
	curl_free(host);
	return !direct;
}

/*
 * With a proxy, it is the proxy that looks names up and connects.  What plainly
 * is a local address is refused here; for the rest the proxy has its own rules.
 */
static void
refuse_local_name(Call *call)
{
	char	   *host = url_host(call);
	bool		local = host != NULL && policy_local_name(host);

	curl_free(host);
	if (local)
	{
		call->public.failure = HTTP_REFUSED;
		http_raise(&call->public);
	}
}

static void
set_options(Call *call)
{
	HttpCall   *public = &call->public;
	CURL	   *handle = call->handle;

	if (call->query == NULL)
		curl_easy_setopt(handle, CURLOPT_URL, public->url);
	else
	{
		char	   *url = url_with_query(public->url, call->query);

		curl_easy_setopt(handle, CURLOPT_URL, url);
		explicit_bzero(url, strlen(url));
		pfree(url);
	}
	curl_easy_setopt(handle, CURLOPT_PRIVATE, call);
	curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long) public->connect_timeout);
	curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(handle, CURLOPT_USERAGENT, net_user_agent);
	curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(handle, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(handle, CURLOPT_CLOSESOCKETFUNCTION, close_socket);

	/* an ended call does not wait for a name lookup that hangs in its thread */
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
#endif

	/* "" also keeps out what the environment of the server says */
	curl_easy_setopt(handle, CURLOPT_PROXY, call->proxied ? net_proxy : "");
	curl_easy_setopt(handle, CURLOPT_NOPROXY, "");
	curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (net_ca_bundle[0] != '\0')
		curl_easy_setopt(handle, CURLOPT_CAINFO, net_ca_bundle);
	if (!public->keep_encoding)
		curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "");

	/* a connection that policy would not allow now must not be used again */
	if (public->platform || (local_connections && !net_allow_local_endpoints))
		curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
	if (public->platform)
		curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, 1L);

	if (public->streams)
	{
		curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(handle, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(handle, CURLOPT_READDATA, call);
		curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE,
						 public->body_length > 0 ? (curl_off_t) public->body_length : (curl_off_t) -1);
		curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, public->method);
	}
	else if (strcmp(public->method, "HEAD") == 0)
		curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
	else if (public->body != NULL || strcmp(public->method, "POST") == 0 ||
			 strcmp(public->method, "PUT") == 0)
	{
		curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) public->body_length);
		curl_easy_setopt(handle, CURLOPT_POSTFIELDS, public->body == NULL ? "" : public->body);
		curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, public->method);
	}
	else if (strcmp(public->method, "GET") != 0)
		curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, public->method);
}

static bool
add_line(Call *call, const char *line)
{
	struct curl_slist *longer = curl_slist_append(call->lines, line);

	if (longer != NULL)
		call->lines = longer;
	return longer != NULL;
}

static bool
add_lines(Call *call)
{
	bool		content_type = false;
	bool		good = true;

	for (Header *header = call->headers; header != NULL; header = header->next)
	{
		/* another host learns what is wanted, and nothing else */
		char	   *line;

		if (call->foreign && pg_strcasecmp(header->name, "accept") != 0)
			continue;

		/* libcurl takes "Name;" for a header without a value */
		line = header->value[0] == '\0'
			? psprintf("%s;", header->name) : psprintf("%s: %s", header->name, header->value);

		good = add_line(call, line) && good;
		explicit_bzero(line, strlen(line));
		pfree(line);
		content_type = content_type || pg_strcasecmp(header->name, "content-type") == 0;
	}

	/* not what libcurl would say of itself: a form; and no waiting for a 100 */
	if (!content_type)
		good = add_line(call, "Content-Type:") && good;
	return add_line(call, "Expect:") && good;
}

static void
out_of_memory(void)
{
	ereport(ERROR,
			errcode(ERRCODE_OUT_OF_MEMORY),
			errmsg("out of memory"),
			errdetail("A request to a service could not be made."));
}

static void
start_attempt(Call *call)
{
	sigset_t	signals;
	bool		good;

	drop_attempt(call);
	call->public.status = 0;
	call->public.failure = HTTP_FINE;
	call->ended = call->refused = call->overflow = call->no_memory = false;
	call->headers_done = call->paused = call->outgoing_paused = false;
	call->admitted = false;
	call->uploaded = 0;
	call->received = 0;
	call->error[0] = '\0';

	drop_attempt_headers(call);
	if (call->public.prepare != NULL && !call->foreign)
		call->public.prepare(&call->public, call->public.arg);
	if (call->public.guard != NULL && call->public.guard->sign != NULL && !call->foreign)
		call->public.guard->sign(&call->public, call->public.guard->arg);
	call->proxied = uses_proxy(call);
	if (call->proxied && !net_allow_local_endpoints)
		refuse_local_name(call);

	loop_block_signals(&signals);
	call->handle = curl_easy_init();
	loop_unblock_signals(&signals);
	if (call->handle == NULL || !add_lines(call))
		out_of_memory();
	set_options(call);
	good = curl_easy_setopt(call->handle, CURLOPT_HTTPHEADER, call->lines) == CURLE_OK;

	call->public.attempts++;
	call->last_activity = loop_now();
	if (!good || !loop_add(call->handle, attempt_ended))
		out_of_memory();
	call->added = true;
	call->state = CALL_RUNNING;
}

/* ---------- judging ---------- */

static HttpFailure
failure_of(const Call *call)
{
	if (call->refused)
		return HTTP_REFUSED;
	if (call->overflow)
		return HTTP_TOO_LARGE;
	switch (call->result)
	{
		case CURLE_OK:
			return HTTP_FINE;
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
		case CURLE_COULDNT_CONNECT:
		case CURLE_PROXY:
			return HTTP_UNREACHABLE;
		case CURLE_OPERATION_TIMEDOUT:
			return HTTP_TIMEOUT;
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
			return HTTP_UNTRUSTED;
		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_GOT_NOTHING:
		case CURLE_PARTIAL_FILE:
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SEND_FAIL_REWIND:
			return HTTP_CUT;
		default:
			return HTTP_BROKEN;
	}
}

/* Milliseconds that the answer asks to wait, -1 if it does not. */
static int64
retry_after(Call *call)
{
	const char *value = http_response_header(&call->public, "Retry-After");
	char	   *end;
	double		seconds;
	time_t		date;

	if (value == NULL)
		return -1;
	seconds = strtod(value, &end);
	if (end != value && *end == '\0')
		return seconds < 0 || seconds > 1e9 ? MAX_RETRY_AFTER + 1 : (int64) (seconds * 1000);
	date = curl_getdate(value, NULL);
	if (date == (time_t) -1)
		return -1;
	return Max((int64) (date - time(NULL)), 0) * 1000;
}

static bool
worth_repeating(Call *call)
{
	HttpCall   *public = &call->public;

	/* what streams is gone */
	if (call->outgoing_begun)
		return false;
	switch (public->failure)
	{
		case HTTP_FINE:
			break;
		case HTTP_UNREACHABLE:
			return true;
		case HTTP_TIMEOUT:
		case HTTP_CUT:
			return public->repeatable;
		default:
			return false;
	}
	switch (public->status)
	{
		case 429:
			return true;
		case 408:
		case 500:
		case 502:
		case 503:
		case 504:
			return public->repeatable;
		default:
			return false;
	}
}

/* Credentials may have run out: once, new ones are got for another attempt. */
static bool
renews(Call *call)
{
	const HttpGuard *guard = call->public.guard;

	if (call->public.failure != HTTP_FINE || call->public.status != 401 || call->renewed ||
		call->foreign || call->outgoing_begun || guard == NULL || guard->renew == NULL)
		return false;
	call->renewed = true;
	return guard->renew(&call->public, guard->arg);
}

/*
 * Make the call one for the place that a redirect leads to.  False: the redirect is
 * the answer, or, with a failure set, leads astray.
 */
static bool
follows(Call *call)
{
	HttpCall   *public = &call->public;
	const char *location = http_response_header(public, "Location");
	bool		drops_body = public->status == 303 ||
		(public->status <= 302 && strcmp(public->method, "POST") == 0);
	const char *complaint = NULL;
	char	   *target;
	MemoryContext old;

	if (public->failure != HTTP_FINE || !redirects(call) || location == NULL)
		return false;
	old = MemoryContextSwitchTo(public->context);
	target = url_resolve(public->url, location);
	MemoryContextSwitchTo(old);
	if (call->redirects >= public->max_redirects)
		complaint = "it was redirected too often";
	else if (target == NULL)
		complaint = "it was redirected to what is no http or https URL";
	else if (pg_strncasecmp(public->url, "https:", 6) == 0 && pg_strncasecmp(target, "https:", 6) != 0)
		complaint = "it was redirected from https to http";
	if (complaint != NULL)
	{
		public->failure = HTTP_BROKEN;
		strlcpy(call->error, complaint, sizeof(call->error));
		return false;
	}
	if (!url_same_origin(public->url, target))
	{
		if (public->body != NULL && !drops_body)
			return false;
		call->foreign = true;
	}
	if (drops_body && strcmp(public->method, "HEAD") != 0)
	{
		public->method = "GET";
		public->body = NULL;
		public->body_length = 0;
	}
	public->url = target;
	call->redirects++;
	return true;
}

/* What an answer asks of all who share the limit. */
static int64
asked_pause(Call *call)
{
	const HttpGuard *guard = call->public.guard;
	int64		asked = call->public.status >= 400 ? retry_after(call) : -1;

	if (call->foreign || guard == NULL)
		return asked;
	if (guard->pause != NULL)
		asked = Max(asked, guard->pause(&call->public, guard->arg));
	if (asked > 0 && guard->limit != NULL)
		rate_limit_hold(guard->limit, Min(asked, MAX_RETRY_AFTER));
	return asked;
}

/* An attempt has ended: is that the answer, or is there to be another? */
static void
settle(Call *call)
{
	HttpCall   *public = &call->public;
	bool		retry;
	int64		delay;
	int64		asked;

	if (call->no_memory)
		out_of_memory();

	/* of an error's body the beginning will do */
	if (call->overflow && aside(call))
	{
		call->overflow = false;
		call->result = CURLE_OK;
	}
	public->failure = failure_of(call);
	retry = worth_repeating(call);
	if (public->judge != NULL && public->failure == HTTP_FINE && collects(call))
		retry = public->judge(public, retry, public->arg);

	asked = public->failure == HTTP_FINE ? asked_pause(call) : -1;

	call->state = CALL_SETTLED;
	if (renews(call) || follows(call))
	{
		call->unpaid++;
		call->next_attempt = loop_now();
		call->state = CALL_WAITING;
		return;
	}
	if (!retry || public->attempts - call->unpaid > public->max_retries || retry_budget == 0)
		return;

	/* capped, growing, and never the same for those who failed together */
	delay = Min((int64) FIRST_RETRY_DELAY << Min(public->attempts - 1, 20),
				(int64) net_max_retry_delay);
	delay = (int64) (delay * (0.5 + pg_prng_double(&pg_global_prng_state) / 2));
	if (asked > MAX_RETRY_AFTER)
		return;
	if (retry_budget > 0)
		retry_budget--;
	call->next_attempt = loop_now() + Max(delay, asked);
	call->state = CALL_WAITING;
}

/* Take a call as far as it goes without waiting. */
static void
advance(Call *call)
{
	if (call->state == CALL_NEW || (call->state == CALL_WAITING && loop_now() >= call->next_attempt))
	{
		const HttpGuard *guard = call->public.guard;
		int64		delay = 0;

		if (guard != NULL && guard->limit != NULL && !call->admitted && !call->foreign)
			delay = rate_limit_take(guard->limit);
		call->admitted = true;
		if (delay > 0)
		{
			call->next_attempt = loop_now() + delay;
			call->state = CALL_WAITING;
			return;
		}
		start_attempt(call);
	}
	if (call->state == CALL_RUNNING && call->ended)
		settle(call);
}

/* Is the answer there, as far as http_wait() promises? */
static bool
answered(const Call *call)
{
	if (call->state == CALL_SETTLED)
		return true;
	return call->state == CALL_RUNNING && call->headers_done && !collects(call);
}

/*
 * Wait for something to happen to a call; give its attempt up if nothing came or
 * went for too long since the caller began to wait.
 */
static void
wait_for_call(Call *call)
{
	int64		now = loop_now();
	int64		limit;
	curl_off_t	uploaded = 0;

	if (call->state == CALL_WAITING)
	{
		loop_wait((long) Max(call->next_attempt - now, 0));
		return;
	}

	/*
	 * Sending shows in no callback; it is looked at often enough for silence to
	 * count from about its end.
	 */
	limit = call->last_activity + call->public.idle_timeout;
	loop_wait((long) Max(Min(limit - now, call->public.idle_timeout / 8 + 1), 0));
	if (call->ended)
		return;
	curl_easy_getinfo(call->handle, CURLINFO_SIZE_UPLOAD_T, &uploaded);
	if (uploaded > call->uploaded)
	{
		call->uploaded = uploaded;
		call->last_activity = loop_now();
	}
	if (loop_now() < call->last_activity + call->public.idle_timeout)
		return;
	loop_remove(call->handle);
	call->added = false;
	call->ended = true;
	call->result = CURLE_OPERATION_TIMEDOUT;
}

/* ---------- for callers ---------- */

void
http_start(HttpCall *base)
{
	Call	   *call = (Call *) base;

	if (call->state == CALL_NEW)
		advance(call);
	loop_run();
}

bool
http_done(HttpCall *base)
{
	Call	   *call = (Call *) base;

	advance(call);
	loop_run();
	advance(call);
	return answered(call);
}

bool
http_try_wait(HttpCall *base)
{
	Call	   *call = (Call *) base;

	call->last_activity = loop_now();
	for (;;)
	{
		advance(call);
		if (answered(call))
			return base->failure == HTTP_FINE;
		wait_for_call(call);
	}
}

void
http_wait(HttpCall *call)
{
	if (!http_try_wait(call))
		http_raise(call);
}

/* Let libcurl ask for more of the body. */
static void
resume_sending(Call *call)
{
	sigset_t	signals;

	if (!call->outgoing_paused || call->state != CALL_RUNNING || call->ended)
		return;
	call->outgoing_paused = false;
	loop_block_signals(&signals);
	curl_easy_pause(call->handle, call->paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
	loop_unblock_signals(&signals);
}

bool
http_send(HttpCall *base, const char *data, size_t length)
{
	Call	   *call = (Call *) base;

	call->last_activity = loop_now();
	advance(call);
	while (call->state != CALL_SETTLED && bytes_left(&call->outgoing) > SEND_LIMIT)
	{
		wait_for_call(call);
		advance(call);
	}
	if (call->state == CALL_SETTLED)
		return false;
	if (!bytes_add(&call->outgoing, data, length))
		out_of_memory();
	resume_sending(call);
	loop_run();
	return true;
}

void
http_send_end(HttpCall *base)
{
	Call	   *call = (Call *) base;

	call->outgoing_ends = true;
	resume_sending(call);
}

void
http_set_retry_budget(int retries)
{
	retry_budget = retries;
}

const char *
http_response_header(HttpCall *base, const char *name)
{
	Call	   *call = (Call *) base;
	const char *line = call->response_headers.data;
	size_t		length = strlen(name);

	while (line != NULL && *line != '\0')
	{
		const char *end = line + strcspn(line, "\r\n");

		if (pg_strncasecmp(line, name, length) == 0 && line[length] == ':')
		{
			const char *value = line + length + 1;
			MemoryContext old = MemoryContextSwitchTo(base->context);
			char	   *copy;

			while (value < end && (*value == ' ' || *value == '\t'))
				value++;
			while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
				end--;
			copy = pnstrdup(value, end - value);
			MemoryContextSwitchTo(old);
			return copy;
		}
		line = end + strspn(end, "\r\n");
	}
	return NULL;
}

bool
http_try_read(HttpCall *base, char *buffer, size_t size, size_t *length)
{
	Call	   *call = (Call *) base;
	size_t		n;

	/* let more come while the caller works on what is here */
	if (bytes_left(&call->body) < BUFFER_LIMIT / 2 && call->state == CALL_RUNNING)
		loop_run();
	call->last_activity = loop_now();
	while (bytes_left(&call->body) == 0 && call->state == CALL_RUNNING && !call->ended)
		wait_for_call(call);

	n = Min(size, bytes_left(&call->body));
	if (n > 0)
	{
		memcpy(buffer, call->body.data + call->body.start, n);
		call->body.start += n;
		if (bytes_left(&call->body) == 0)
			call->body.start = call->body.end = 0;
	}
	if (call->paused && bytes_left(&call->body) < BUFFER_LIMIT / 2)
	{
		sigset_t	signals;

		call->paused = false;
		loop_block_signals(&signals);
		curl_easy_pause(call->handle, CURLPAUSE_CONT);
		loop_unblock_signals(&signals);
	}
	*length = n;
	if (n > 0)
		return true;

	if (call->no_memory)
		out_of_memory();
	if (call->state == CALL_RUNNING)
		base->failure = failure_of(call);
	call->state = CALL_SETTLED;
	return base->failure == HTTP_FINE;
}

size_t
http_read(HttpCall *call, char *buffer, size_t size)
{
	size_t		length;

	if (!http_try_read(call, buffer, size, &length))
		http_raise(call);
	return length;
}

const char *
http_body(HttpCall *base, size_t *length)
{
	Call	   *call = (Call *) base;

	if (length != NULL)
		*length = bytes_left(&call->body);
	return call->body.data == NULL ? "" : call->body.data + call->body.start;
}

void
http_pause(int64 delay)
{
	int64		limit = loop_now() + delay;

	while (loop_now() < limit)
		loop_wait((long) (limit - loop_now()));
}

void
http_close(HttpCall *call)
{
	MemoryContextDelete(call->context);
}

char *
http_shown_url(const char *url)
{
	size_t		length = strcspn(url, "?#");
	const char *authority = strstr(url, "://");
	const char *at;

	if (authority == NULL)
		return pnstrdup(url, length);
	authority += 3;
	at = memchr(authority, '@', strcspn(authority, "/?#"));
	if (at == NULL)
		return pnstrdup(url, length);
	return psprintf("%.*s%.*s", (int) (authority - url), url,
					(int) (length - (at + 1 - url)), at + 1);
}

void
http_raise(HttpCall *base)
{
	Call	   *call = (Call *) base;
	char	   *shown = http_shown_url(base->url);

	/* libcurl's words name hosts and ports, never headers or queries */
	const char *words = call->error[0] != '\0' ? call->error : curl_easy_strerror(call->result);

	switch (base->failure)
	{
		case HTTP_REFUSED:
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("request to \"%s\" is not allowed: its address is this machine's own or link-local", shown),
					errhint("An administrator can allow such addresses with the setting appflow.allow_local_endpoints."));
			break;
		case HTTP_TIMEOUT:
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("request to \"%s\" was given up: the service did not answer in time", shown),
					errhint("See the settings appflow.connect_timeout and appflow.idle_timeout."));
			break;
		case HTTP_TOO_LARGE:
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("request to \"%s\" failed: the answer is too large", shown));
			break;
		case HTTP_UNTRUSTED:
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("request to \"%s\" failed: %s", shown, words),
					errhint("The setting appflow.ca_bundle names the file of trusted authorities."));
			break;
		default:
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("request to \"%s\" failed: %s", shown, words));
	}
	pg_unreachable();
}

int
http_send_quietly(const char *method, const char *url,
				  const QuietHeader *headers, int nheaders, int budget)
{
	Call	   *call = calloc(1, sizeof(Call));
	sigset_t	signals;
	int			status = 0;
	bool		good = true;

	if (call == NULL)
		return 0;
	call->public.method = method;
	call->public.url = unconstify(char *, url);
	call->public.connect_timeout = Min(net_connect_timeout, budget);
	call->proxied = uses_proxy(call);
	loop_block_signals(&signals);
	call->handle = curl_easy_init();
	loop_unblock_signals(&signals);
	for (int i = 0; i < nheaders && good; i++)
	{
		size_t		room = strlen(headers[i].name) + strlen(headers[i].value) + 3;
		char	   *line = malloc(room);

		if (line != NULL)
			snprintf(line, room, "%s: %s", headers[i].name, headers[i].value);
		good = line != NULL && add_line(call, line);
		free(line);
	}
	if (call->handle != NULL && good)
	{
		set_options(call);
		good = curl_easy_setopt(call->handle, CURLOPT_HTTPHEADER, call->lines) == CURLE_OK;
		if (good && loop_ready() && loop_add(call->handle, attempt_ended))
		{
			int64		limit = loop_now() + budget;

			call->added = true;
			while (!call->ended && loop_now() < limit)
				loop_run_quietly((int) (limit - loop_now()));
			if (call->ended && call->result == CURLE_OK)
				status = call->public.status;
		}
	}
	drop_attempt(call);
	free(call);
	return status;
}
