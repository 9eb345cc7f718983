/*-------------------------------------------------------------------------
 *
 * http_attempt.c
 *	  One attempt of an HTTP call: what libcurl is told, and what it tells.
 *
 * Callbacks raise no errors and take no memory of PostgreSQL's: they store what
 * comes, on malloc, and return short when something is wrong.
 *
 * IDENTIFICATION
 *	  src/net/http_attempt.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net/http_internal.h"
#include "net/http_quiet.h"
#include "net/net.h"
#include "net/url.h"
#include "storage/fd.h"

#if LIBCURL_VERSION_NUM < 0x075500
#error "appflow needs libcurl 7.85 or later"
#endif

#define MAX_HEADERS (256 * 1024)
#define MAX_WHOLE_BODY (64 * 1024 * 1024)
#define MAX_ERROR_BODY (1024 * 1024)

/* connections to such addresses may be in libcurl's cache */
static bool cached_places[POLICY_LOCAL + 1];

/* Does the policy for endpoints allow addresses of a place? */
static bool
place_allowed(PolicyPlace place)
{
	return place == POLICY_PUBLIC ||
		(place == POLICY_PRIVATE ? net_allow_private_networks : net_allow_local_endpoints);
}

/* the address that connections of this attempt lead to instead of the URL's host, or NULL */
static const char *
via(const Call *call)
{
	return call->public.guard == NULL || call->foreign ? NULL : call->public.guard->via;
}

/* ---------- bytes ---------- */

bool
http_bytes_add(Bytes *bytes, const char *data, size_t length)
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
		char	   *grown = malloc(room);

		/* not realloc(): what it leaves behind may hold tokens */
		if (grown == NULL)
			return false;
		if (bytes->data != NULL)
		{
			memcpy(grown, bytes->data, bytes->end);
			explicit_bzero(bytes->data, bytes->room);
			free(bytes->data);
		}
		bytes->data = grown;
		bytes->room = room;
	}
	memcpy(bytes->data + bytes->end, data, length);
	bytes->end += length;
	bytes->data[bytes->end] = '\0';
	return true;
}

size_t
http_bytes_left(const Bytes *bytes)
{
	return bytes->end - bytes->start;
}

void
http_bytes_free(Bytes *bytes)
{
	/* what comes may hold tokens */
	if (bytes->data != NULL)
		explicit_bzero(bytes->data, bytes->room);
	free(bytes->data);
	memset(bytes, 0, sizeof(Bytes));
}

/* ---------- callbacks of libcurl: no errors, no palloc ---------- */

/* Is the answer a redirect that may be followed? */
bool
http_redirects(const Call *call)
{
	int			status = call->public.status;

	return call->public.max_redirects > 0 && !call->public.streams &&
		(status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

/* Is the body not what the caller wants, so that its beginning will do? */
bool
http_aside(const Call *call)
{
	return call->public.status >= 400 || http_redirects(call);
}

/* Is the whole body collected before the call is judged? */
bool
http_collects(const Call *call)
{
	return call->public.whole || http_aside(call);
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
	if (!http_bytes_add(&call->response_headers, data, length))
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
	size_t		have = http_bytes_left(&call->body);
	size_t		limit = call->public.max_body;

	call->last_activity = loop_now();
	if (http_collects(call))
	{
		if (call->public.whole)
			limit = limit == 0 ? MAX_WHOLE_BODY : limit;
		if (http_aside(call))
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
	if (!http_bytes_add(&call->body, data, length))
	{
		call->no_memory = true;
		return 0;
	}
	call->received += length;
	if (call->use != NULL)
		call->use->received += length;
	return length;
}

static size_t
give_body(char *data, size_t size, size_t count, void *arg)
{
	Call	   *call = arg;
	size_t		length = Min(size * count, http_bytes_left(&call->outgoing));

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
	PolicyPlace place = policy_address_place(&address->addr);

	/* the administrator has named the proxy, see also refuse_plain_address(), and private endpoints */
	if (!call->public.platform && !call->proxied && call->route == NULL)
	{
		if (!place_allowed(place))
		{
			call->refused = true;
			call->place = place;
			return CURL_SOCKET_BAD;
		}
		cached_places[place] = true;
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

/* ---------- an attempt ---------- */

/* Give back all that libcurl and malloc hold of an attempt. Raises no errors. */
void
http_attempt_drop(Call *call)
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
	curl_slist_free_all(call->route);
	call->route = NULL;
	if (call->query != NULL)
		explicit_bzero(call->query, strlen(call->query));
	call->query = NULL;
	http_bytes_free(&call->response_headers);
	http_bytes_free(&call->body);
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

	if (net_proxy[0] == '\0' || call->public.platform || call->connects_only || via(call) != NULL)
		return false;
	host = url_host(call);
	direct = host != NULL && policy_listed(host, net_no_proxy);
	curl_free(host);
	return !direct;
}

/*
 * With a proxy, it is the proxy that looks names up and connects.  What plainly
 * is such an address is refused here; for the rest the proxy has its own rules.
 */
static void
refuse_plain_address(Call *call)
{
	char	   *host = url_host(call);

	call->place = host == NULL ? POLICY_PUBLIC : policy_name_place(host);
	curl_free(host);
	if (!place_allowed(call->place))
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
	if (public->platform || (cached_places[POLICY_LOCAL] && !net_allow_local_endpoints) ||
		(cached_places[POLICY_PRIVATE] && !net_allow_private_networks))
		curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);

	/*
	 * libcurl sends a request once more if a connection that it used before ends
	 * without an answer.  The first may have arrived all the same.
	 */
	if (!public->repeatable)
		curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
	if (public->platform)
		curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, 1L);

	if (call->route != NULL)
		curl_easy_setopt(handle, CURLOPT_CONNECT_TO, call->route);

	if (call->connects_only)
		curl_easy_setopt(handle, CURLOPT_CONNECT_ONLY, 1L);
	else if (public->streams)
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

/* any host and port of a URL, and where to connect to instead; false if memory is out */
static bool
add_route(Call *call)
{
	char	   *line;

	if (via(call) == NULL)
		return true;
	line = psprintf("::%s", via(call));
	call->route = curl_slist_append(NULL, line);
	pfree(line);
	return call->route != NULL;
}

void
http_out_of_memory(void)
{
	ereport(ERROR,
			errcode(ERRCODE_OUT_OF_MEMORY),
			errmsg("out of memory"),
			errdetail("A request to a service could not be made."));
}

void
http_attempt_start(Call *call)
{
	sigset_t	signals;
	bool		good;

	loop_prepare();
	http_attempt_drop(call);
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
	if (call->proxied)
		refuse_plain_address(call);

	loop_block_signals(&signals);
	call->handle = curl_easy_init();
	loop_unblock_signals(&signals);
	if (call->handle == NULL || !add_lines(call) || !add_route(call))
		http_out_of_memory();
	set_options(call);
	good = curl_easy_setopt(call->handle, CURLOPT_HTTPHEADER, call->lines) == CURLE_OK;

	call->public.attempts++;
	if (call->use != NULL)
	{
		call->use->requests++;
		call->use->retries += call->public.attempts > 1;
	}
	call->last_activity = loop_now();
	if (!good || !loop_add(call->handle, attempt_ended))
		http_out_of_memory();
	call->added = true;
	call->state = CALL_RUNNING;
}

HttpFailure
http_attempt_failure(const Call *call)
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

int
http_send_quietly(const char *method, const char *url,
				  const QuietHeader *headers, int nheaders, int budget)
{
	Call	   *call = calloc(1, sizeof(Call));
	sigset_t	signals;
	int			status = 0;
	bool		good = true;

	if (call == NULL || !loop_ready())
	{
		free(call);
		return 0;
	}
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
		if (good && loop_add(call->handle, attempt_ended))
		{
			int64		limit = loop_now() + budget;

			call->added = true;
			while (!call->ended && loop_now() < limit)
				loop_run_quietly((int) (limit - loop_now()));
			if (call->ended && call->result == CURLE_OK)
				status = call->public.status;
		}
	}
	http_attempt_drop(call);
	free(call);
	return status;
}
