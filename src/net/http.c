/*-------------------------------------------------------------------------
 *
 * http.c
 *	  HTTP calls over libcurl.
 *
 * A call's life: waiting (for its time to start an attempt) -> running ->
 * settled; back to waiting if an attempt is to be repeated.  Attempts
 * (http_attempt.c) start and are judged only in the caller's frames, never in
 * libcurl's.
 *
 * IDENTIFICATION
 *	  src/net/http.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "net/http_internal.h"
#include "net/limit.h"
#include "net/net.h"
#include "net/url.h"
#include "record/errors.h"
#include "utils/memutils.h"

#define SEND_LIMIT (1024 * 1024)	/* of a body being sent: beyond it, the caller waits */
#define FIRST_RETRY_DELAY 100	/* ms, doubles with each attempt */
#define MAX_RETRY_AFTER 300000	/* ms; who asks for longer is not waited for */

/* how many retries this process still has; -1: any number */
static int	retry_budget = -1;

/* where calls that are made are counted */
static HttpUse *current_use = NULL;

/* ---------- making a call ---------- */

/* Reset callback. */
static void
drop_call(void *arg)
{
	Call	   *call = arg;

	http_attempt_drop(call);
	http_bytes_free(&call->outgoing);
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
	call->use = current_use;
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

	/* of two values the later one counts */
	for (header = call->headers; header != NULL && !attempt_only; header = header->next)
	{
		if (!header->attempt_only && pg_strcasecmp(header->name, name) == 0)
		{
			header->value = MemoryContextStrdup(call->public.context, value);
			return;
		}
	}

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

/* ---------- judging ---------- */

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

	if (public->failure != HTTP_FINE || !http_redirects(call) || location == NULL)
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
	{
		/* Max() takes its arguments twice */
		int64		told = guard->pause(&call->public, guard->arg);

		asked = Max(asked, told);
	}
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
		http_out_of_memory();

	/* of an error's body the beginning will do */
	if (call->overflow && http_aside(call))
	{
		call->overflow = false;
		call->result = CURLE_OK;
	}
	public->failure = http_attempt_failure(call);
	call->state = CALL_SETTLED;
	if (call->given)
		return;
	retry = worth_repeating(call);
	if (public->judge != NULL && public->failure == HTTP_FINE &&
		(http_collects(call) || (public->judged > 0 && http_bytes_left(&call->body) <= public->judged)))
		retry = public->judge(public, retry, public->arg);

	asked = public->failure == HTTP_FINE ? asked_pause(call) : -1;

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
		http_attempt_start(call);
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
	if (call->state != CALL_RUNNING || !call->headers_done || http_collects(call))
		return false;
	return call->given || call->paused || call->public.judged == 0 ||
		http_bytes_left(&call->body) > call->public.judged;
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
http_at_hand(HttpCall *base, size_t size)
{
	Call	   *call = (Call *) base;

	advance(call);
	loop_run();
	advance(call);
	if (call->state == CALL_SETTLED)
		return true;

	/* who waits for it finds out that it has failed */
	if (call->state == CALL_RUNNING && loop_now() >= call->last_activity + base->idle_timeout)
		return true;
	return answered(call) && (call->ended || call->paused || http_bytes_left(&call->body) >= size);
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
		{
			/* of an answer that goes on, only headers can ask to wait */
			if (call->state == CALL_RUNNING && !call->given)
			{
				call->given = true;
				(void) asked_pause(call);
			}
			return base->failure == HTTP_FINE;
		}
		wait_for_call(call);
	}
}

void
http_wait(HttpCall *call)
{
	if (!http_try_wait(call))
		http_raise(call);
}

const char *
http_silence(const HttpCall *call)
{
	switch (call->failure)
	{
		case HTTP_TIMEOUT:
			return "its answer did not come in time";
		case HTTP_CUT:
			return "the connection broke before its answer came";
		case HTTP_TOO_LARGE:
			return "its answer was too large";
		case HTTP_BROKEN:
			return "its answer could not be read";
		default:
			return NULL;
	}
}

char *
http_find_address(const char *host, const char *port, const char *shown)
{
	HttpCall   *base = http_call("GET", psprintf("http://%s:%s/", host, port));
	Call	   *call = (Call *) base;
	char	   *found = NULL;
	char	   *address;

	call->connects_only = true;
	if (!http_try_wait(base))
	{
		base->url = pstrdup(shown);
		http_raise(base);
	}
	if (curl_easy_getinfo(call->handle, CURLINFO_PRIMARY_IP, &found) != CURLE_OK || found == NULL || found[0] == '\0')
		elog(ERROR, "a connection to \"%s\" has no address", shown);
	address = pstrdup(found);
	http_close(base);
	return address;
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
	while (call->state != CALL_SETTLED && http_bytes_left(&call->outgoing) > SEND_LIMIT)
	{
		wait_for_call(call);
		advance(call);
	}
	if (call->state == CALL_SETTLED)
		return false;
	if (!http_bytes_add(&call->outgoing, data, length))
		http_out_of_memory();
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
	return http_response_header_nth(base, name, 0);
}

const char *
http_response_header_nth(HttpCall *base, const char *name, int n)
{
	Call	   *call = (Call *) base;
	const char *line = call->response_headers.data;
	size_t		length = strlen(name);

	while (line != NULL && *line != '\0')
	{
		const char *end = line + strcspn(line, "\r\n");

		if (pg_strncasecmp(line, name, length) == 0 && line[length] == ':' && n-- == 0)
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
	if (http_bytes_left(&call->body) < BUFFER_LIMIT / 2 && call->state == CALL_RUNNING)
		loop_run();
	call->last_activity = loop_now();
	while (http_bytes_left(&call->body) == 0 && call->state == CALL_RUNNING && !call->ended)
		wait_for_call(call);

	n = Min(size, http_bytes_left(&call->body));
	if (n > 0)
	{
		memcpy(buffer, call->body.data + call->body.start, n);
		call->body.start += n;
		if (http_bytes_left(&call->body) == 0)
			call->body.start = call->body.end = 0;
	}
	if (call->paused && http_bytes_left(&call->body) < BUFFER_LIMIT / 2)
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
		http_out_of_memory();
	if (call->state == CALL_RUNNING)
		base->failure = http_attempt_failure(call);
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
		*length = http_bytes_left(&call->body);
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
			if (call->place == POLICY_PRIVATE)
				ereport(ERROR,
						appflow_error(WF_VALIDATION),
						errmsg("request to \"%s\" is not allowed: its address is one of a private network", shown),
						errhint("An administrator can allow such addresses with the setting appflow.allow_private_networks."));
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

/* ---------- what calls do ---------- */

HttpUse *
http_count_into(HttpUse *use)
{
	HttpUse    *before = current_use;

	current_use = use;
	return before;
}

int
http_wait_descriptor(void)
{
	return loop_descriptor();
}

int64
http_waited(void)
{
	return loop_waited();
}
