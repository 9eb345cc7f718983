/*-------------------------------------------------------------------------
 *
 * manifest_call.c
 *	  Calls that a manifest describes, what their answers say, and pages of
 *	  documents.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_call.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "codec/json_writer.h"
#include "codec/text.h"
#include "compat.h"
#include "connector/manifest_engine.h"
#include "miscadmin.h"
#include "net/url.h"
#include "record/errors.h"
#include "utils/memutils.h"

/* pages of a listing at most */
#define MAX_PAGES 10000

/* bytes of a document at most; pages of records are not kept */
#define MAX_DOCUMENT (16 * 1024 * 1024)

/* bytes of an answer that messages show */
#define SHOWN_BODY 500

/* the most that an answer says which only says that there is none yet */
#define JUDGED_BODY (64 * 1024)

/* ---------- what an answer asks of the next ---------- */

/* milliseconds until the time in a header; -1: it does not say */
static int64
until_reset(const ManifestRateLimit *limit, const char *text)
{
	char	   *end;
	double		number = strtod(text, &end);
	double		now = (double) time(NULL);

	if (end == text || number < 0 || number > 1e17)
		return -1;
	switch ((ManifestResetKind) limit->reset_is)
	{
		case RESET_SECONDS:
			number *= 1000;
			break;
		case RESET_EPOCH:
			number = (number - now) * 1000;
			break;
		case RESET_EPOCH_MILLISECONDS:
			number -= now * 1000;
			break;
		case RESET_EPOCH_MICROSECONDS:
			number = number / 1000 - now * 1000;
			break;
	}
	return number <= 0 ? -1 : (int64) Min(number, 86400000.0);
}

/* what a call of ours needs to know when it is answered */
typedef struct CallState
{
	ConnectorSession *session;
	const ManifestCall *spec;
	bool		renewed;		/* the token, as a code in the body said that it has expired */
} CallState;

static int64
pause_asked(HttpCall *call, void *authenticator)
{
	CallState  *state = call->arg;
	const ManifestRateLimit *limit = manifest_of(state->session)->rate_limit;
	const char *reset = http_response_header(call, limit->reset);
	const char *remaining = limit->remaining == NULL ? NULL : http_response_header(call, limit->remaining);

	if (reset == NULL || (call->status != 429 && (remaining == NULL || strcmp(remaining, "0") != 0)))
		return -1;
	return until_reset(limit, reset);
}

static bool
has_text(const ManifestTexts *texts, const char *text)
{
	for (int i = 0; text != NULL && i < texts->count; i++)
	{
		if (strcmp(texts->items[i], text) == 0)
			return true;
	}
	return false;
}

/* what the code in a body says of the call; frees all that it takes */
typedef enum Verdict
{
	VERDICT_NONE,
	VERDICT_THROTTLED,
	VERDICT_EXPIRED
} Verdict;

static Verdict
verdict_of(const ManifestErrors *errors, HttpCall *call)
{
	Arena	   *arena = arena_create();
	Verdict		verdict = VERDICT_NONE;
	void	   *tree;

	if (arena == NULL)
		return verdict;
	tree = unconstify(JsonTree *, manifest_body(call, arena));
	if (tree != NULL && (call->status >= 400 || manifest_failed(errors, manifest_lookup_tree, tree)))
	{
		const char *code = manifest_first_text(&errors->code, manifest_lookup_tree, tree);

		if (has_text(&errors->throttled, code))
			verdict = VERDICT_THROTTLED;
		else if (has_text(&errors->expired, code))
			verdict = VERDICT_EXPIRED;
	}
	arena_free(arena);
	return verdict;
}

bool
manifest_not_ready(const ManifestCall *spec, int status)
{
	for (int i = 0; i < spec->not_ready.count; i++)
	{
		if (spec->not_ready.items[i] == status)
			return true;
	}
	return false;
}

void
manifest_raise_not_ready(ConnectorSession *session, HttpCall *call, const char *what)
{
	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method, http_shown_url(call->url),
								 call->status),
			errmsg("%s is not ready yet to answer about %s", session_application(session), what),
			errhint("Try again later."));
}

/* codes in a body that say that the call is worth repeating */
static bool
judge(HttpCall *call, bool retry, void *arg)
{
	CallState  *state = arg;
	Authenticator *authenticator = state->session->authenticator;

	if (call->failure != HTTP_FINE || call->status == 0)
		return retry;
	if (manifest_not_ready(state->spec, call->status))
		return call->repeatable;
	switch (verdict_of(&manifest_of(state->session)->errors, call))
	{
		case VERDICT_NONE:
			break;
		case VERDICT_THROTTLED:
			return true;
		case VERDICT_EXPIRED:
			/* of a 401 the guard has been told already */
			if (state->renewed || call->status == 401 || authenticator->guard.renew == NULL)
				return false;
			state->renewed = true;
			return authenticator->guard.renew(call, authenticator->guard.arg);
	}
	return retry;
}

/* ---------- calls ---------- */

static const char *
method_of(const ManifestCall *call)
{
	if (call->method != NULL)
		return call->method;
	return call->body != NULL || call->form.count > 0 ? "POST" : "GET";
}

/* whether a path has a piece that means another place than its own */
static bool
has_dots(const char *path)
{
	for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
	{
		size_t		length = strcspn(slash + 1, "/?");

		if ((length == 1 && slash[1] == '.') || (length == 2 && slash[1] == '.' && slash[2] == '.'))
			return true;
	}
	return false;
}

/* a template of the path, all of whose values must be there and no way out of it */
static char *
expand_path(ConnectorSession *session, const ManifestValues *values, const char *template)
{
	char	   *path = manifest_expand(values, template, true);

	if (path == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the path %s of connector \"%s\" names a value that is not there", template,
					   session_application(session)),
				errhint("See the properties of connector profile \"%s\" and the flow's custom properties.",
						session->profile_name));
	if (has_dots(path))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not a path of connector \"%s\": a name in it is \".\" or \"..\"", path,
					   session_application(session)));
	return path;
}

static char *
add_parameters(char *query, const ManifestPairs *pairs, const ManifestValues *values, List *extra, bool first)
{
	ListCell   *lc;

	for (int i = 0; i < pairs->count; i++)
	{
		char	   *value;
		bool		replaced = false;

		foreach(lc, extra)
		{
			const ExtraParameter *other = lfirst(lc);

			if (strcmp(other->name, pairs->items[i].name) == 0 && (first || !other->first_only))
				replaced = true;
		}
		value = replaced ? NULL : manifest_expand(values, pairs->items[i].value, false);
		if (value != NULL)
			query = url_with_parameter(query, pairs->items[i].name, value);
	}
	return query;
}

static char *
query_of(const ManifestCall *call, const ManifestValues *values, CallTurn turn, List *extra)
{
	bool		first = turn == TURN_FIRST;
	char	   *query = add_parameters("", &call->parameters, values, extra, first);
	ListCell   *lc;

	query = add_parameters(query, first ? &call->first_parameters : &call->next_parameters, values, extra, first);
	foreach(lc, extra)
	{
		const ExtraParameter *parameter = lfirst(lc);

		if (first || !parameter->first_only)
			query = url_with_parameter(query, parameter->name, parameter->value);
	}
	return query;
}

static char *
path_of(ConnectorSession *session, const ManifestCall *call, const ManifestValues *values, CallTurn turn, List *extra)
{
	const char *base = manifest_of(session)->base_path;
	char	   *path = expand_path(session, values, call->path);
	char	   *query = query_of(call, values, turn, extra);

	if (base != NULL)
		path = psprintf("%s%s", expand_path(session, values, base), path);
	return query[0] == '\0' ? path : url_with_query(path, query);
}

/* values that are numbers or JSON by themselves, where a template is nothing but one of them */
static bool
append_bare(ByteBuffer *out, const ManifestValues *values, const char *template)
{
	static const char *const bare[] = {"{size}", "{offset}", "{page}", "{record}", "{records}"};

	for (int i = 0; i < (int) lengthof(bare); i++)
	{
		char	   *value;

		if (strcmp(template, bare[i]) != 0)
			continue;
		value = manifest_expand(values, template, false);
		if (value != NULL)
			buffer_append_string(out, value);
		return value != NULL;
	}
	if (values->number_cursor && values->cursor != NULL && strcmp(template, "{cursor}") == 0 &&
		text_is_number(values->cursor, strlen(values->cursor)))
	{
		buffer_append_string(out, values->cursor);
		return true;
	}
	return false;
}

/* JSON with templates in its texts; false: a value is missing, and nothing was written */
static bool
append_body(ByteBuffer *out, const JsonTree *tree, const ManifestValues *values)
{
	size_t		start = out->length;
	bool		object = tree->kind == JSON_TREE_OBJECT;
	bool		any = false;
	char	   *text;

	if (tree->kind == JSON_TREE_STRING)
	{
		if (append_bare(out, values, tree->text))
			return true;
		text = manifest_expand(values, tree->text, false);
		if (text != NULL)
			json_append_string(out, text, strlen(text));
		return text != NULL;
	}
	if (!object && tree->kind != JSON_TREE_ARRAY)
	{
		json_tree_append(out, tree);
		return true;
	}
	buffer_append_char(out, object ? '{' : '[');
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		start = out->length;
		if (any)
			buffer_append_char(out, ',');
		if (object)
		{
			json_append_string(out, item->name, strlen(item->name));
			buffer_append_char(out, ':');
		}
		if (append_body(out, item, values))
			any = true;
		else
			out->length = start;
	}
	buffer_append_char(out, object ? '}' : ']');
	return true;
}

/* the body, in the context of the call */
static void
set_body(HttpCall *call, const ManifestCall *spec, const ManifestValues *values)
{
	ByteBuffer *out = own_buffer(call->context)->object;

	if (spec->body != NULL)
		(void) append_body(out, spec->body, values);
	else
		buffer_append_string(out, add_parameters("", &spec->form, values, NIL, true));
	if (out->failed)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	call->body = out->data;
	call->body_length = out->length;
	http_header(call, "Content-Type", spec->body != NULL ? "application/json" : "application/x-www-form-urlencoded");
}

static void
add_headers(HttpCall *call, const ManifestPairs *headers, const ManifestValues *values)
{
	for (int i = 0; i < headers->count; i++)
	{
		char	   *value = manifest_expand(values, headers->items[i].value, false);

		if (value != NULL)
			http_header(call, headers->items[i].name, value);
	}
}

/* what calls of a manifest have in common */
static HttpCall *
dress(ConnectorSession *session, HttpCall *call, const ManifestCall *spec, const ManifestValues *values)
{
	const Manifest *manifest = manifest_of(session);
	CallState  *state = MemoryContextAllocZero(call->context, sizeof(CallState));

	state->session = session;
	state->spec = spec;
	call->arg = state;
	if (spec->not_ready.count > 0)
	{
		call->judged = JUDGED_BODY;
		call->judge = judge;
	}
	if (manifest->errors.expired.count > 0 || manifest->errors.throttled.count > 0)
	{
		call->whole = true;
		call->judge = judge;
	}
	if (manifest->rate_limit != NULL)
		session->authenticator->guard.pause = pause_asked;
	add_headers(call, &manifest->headers, values);
	add_headers(call, &spec->headers, values);
	if (spec->body != NULL || spec->form.count > 0)
		set_body(call, spec, values);
	if (spec->repeatable >= 0)
		call->repeatable = spec->repeatable;
	return call;
}

HttpCall *
manifest_make_call(ConnectorSession *session, const ManifestCall *spec, const ManifestValues *values,
				   CallTurn turn, List *extra)
{
	return dress(session, session_call(session, method_of(spec), path_of(session, spec, values, turn, extra)),
				 spec, values);
}

/* A call for a link that the application gave: a whole URL, or a path of the host. */
static HttpCall *
link_call(ConnectorSession *session, const ManifestCall *spec, const ManifestValues *values, const char *link,
		  HttpCall *from)
{
	char	   *url = url_resolve(from->url, link);

	if (url == NULL)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s sent a link to the next page that is no URL: \"%s\"", session_application(session),
					   session_words(session, link)));
	return dress(session, session_call(session, method_of(spec), url), spec, values);
}

char *
manifest_show_call(ConnectorSession *session, const ManifestCall *spec, const ManifestValues *values, List *extra)
{
	ManifestValues shown = *values;

	shown.shown = true;
	return psprintf("%s %s%s", method_of(spec), session->base, path_of(session, spec, &shown, TURN_FIRST, extra));
}

/* ---------- what answers say ---------- */

bool
manifest_holds(const ManifestCondition *condition, ManifestLookup lookup, void *arg)
{
	const char *text;

	if (condition->path == NULL)
		return false;
	text = lookup(arg, condition->path);
	if (condition->not.count > 0)
		return !has_text(&condition->not, text);
	if (condition->equals.count > 0)
		return has_text(&condition->equals, text);
	return text != NULL && text[0] != '\0' && strcmp(text, "false") != 0;
}

bool
manifest_failed(const ManifestErrors *errors, ManifestLookup lookup, void *arg)
{
	for (int i = 0; i < errors->failed.count; i++)
	{
		if (manifest_holds(&errors->failed.items[i], lookup, arg))
			return true;
	}
	return false;
}

const char *
manifest_lookup_tree(void *tree, const char *path)
{
	return json_tree_text(tree, path);
}

const char *
manifest_first_text(const ManifestTexts *paths, ManifestLookup lookup, void *arg)
{
	for (int i = 0; i < paths->count; i++)
	{
		const char *text = lookup(arg, paths->items[i]);

		if (text != NULL && text[0] != '\0')
			return text;
	}
	return NULL;
}

const ManifestException *
manifest_exception_of(const Manifest *manifest, int status, const char *code)
{
	for (int i = 0; i < manifest->errors.exceptions.count; i++)
	{
		const ManifestException *exception = &manifest->errors.exceptions.items[i];
		bool		matches = exception->status.count == 0;

		for (int k = 0; k < exception->status.count; k++)
			matches = matches || exception->status.items[k] == status;
		if (matches && (exception->code.count == 0 || has_text(&exception->code, code)))
			return exception;
	}
	return NULL;
}

static AppflowException
exception_kind(const Manifest *manifest, const ManifestException *exception, int status, const char *code)
{
	static const AppflowException kinds[] = {
		[MANIFEST_VALIDATION] = WF_VALIDATION, [MANIFEST_AUTHENTICATION] = WF_AUTHENTICATION,
		[MANIFEST_ACCESS_DENIED] = WF_ACCESS_DENIED, [MANIFEST_NOT_FOUND] = WF_NOT_FOUND,
		[MANIFEST_THROTTLING] = WF_THROTTLING, [MANIFEST_CONNECTOR] = WF_CONNECTOR
	};

	if (exception != NULL)
		return kinds[exception->exception];
	if (status == 401 || status == 403 || has_text(&manifest->errors.expired, code))
		return WF_AUTHENTICATION;
	if (status == 429 || has_text(&manifest->errors.throttled, code))
		return WF_THROTTLING;
	return WF_CONNECTOR;
}

/* the beginning of an answer's body */
static char *
shown_body(ConnectorSession *session, HttpCall *call)
{
	size_t		length;
	const char *body = http_body(call, &length);

	return body == NULL ? "" : session_words(session, pnstrdup(body, Min(length, SHOWN_BODY)));
}

void
manifest_raise(ConnectorSession *session, HttpCall *call, const char *what, const char *code, const char *message)
{
	const Manifest *manifest = manifest_of(session);
	bool		said = code != NULL || message != NULL;

	/* what the manifest makes of a status is for answers in the application's own form */
	const ManifestException *exception = said ? manifest_exception_of(manifest, call->status, code) : NULL;
	AppflowException kind = exception_kind(manifest, exception, call->status, code);
	const char *application = session_application(session);
	char	   *words;

	if (message != NULL && code != NULL && strcmp(message, code) != 0)
		words = psprintf("%s: %s", session_words(session, code), session_words(session, message));
	else if (message != NULL || code != NULL)
		words = session_words(session, message != NULL ? message : code);
	else
		words = shown_body(session, call);
	ereport(ERROR,
			appflow_error_detail(kind, "%s %s answered with status %d.", call->method, http_shown_url(call->url),
								 call->status),
			words[0] ? errmsg("%s refused %s: %s", application, what, words) :
			errmsg("%s refused %s: the answer has status %d and no words", application, what, call->status),
			exception != NULL && exception->hint != NULL ? errhint("%s", exception->hint) :
			kind == WF_AUTHENTICATION ? errhint("See the credentials of connector profile \"%s\".",
												session->profile_name) :
			!said && call->status < 500 ? errhint("Is the URL of connector profile \"%s\" right?", session->profile_name) : 0);
}

const JsonTree *
manifest_body(HttpCall *call, Arena *arena)
{
	size_t		length;
	const char *body = http_body(call, &length);
	CodecError	error;

	return body == NULL || length > MAX_DOCUMENT ? NULL : json_tree_parse(arena, body, length, &error);
}

void
manifest_fail(ConnectorSession *session, HttpCall *call, const char *what)
{
	const ManifestErrors *errors = &manifest_of(session)->errors;
	JsonTree   *tree = unconstify(JsonTree *, manifest_body(call, manifest_arena()));

	manifest_raise(session, call, what,
				   tree == NULL ? NULL : manifest_first_text(&errors->code, manifest_lookup_tree, tree),
				   tree == NULL ? NULL : manifest_first_text(&errors->message, manifest_lookup_tree, tree));
}

const JsonTree *
manifest_fetch(ConnectorSession *session, HttpCall *call, const char *what, Arena *arena)
{
	const ManifestErrors *errors = &manifest_of(session)->errors;
	JsonTree   *tree;
	size_t		length;
	const char *body;
	CodecError	error;

	call->whole = true;
	call->max_body = MAX_DOCUMENT;
	http_wait(call);
	if (call->status >= 400)
		manifest_fail(session, call, what);
	if (manifest_not_ready(((const CallState *) call->arg)->spec, call->status))
		manifest_raise_not_ready(session, call, what);
	body = http_body(call, &length);
	if (call->status >= 300)
		session_raise(session, call, what, NULL, NULL);
	tree = json_tree_parse(arena, body == NULL ? "" : body, length, &error);
	if (tree == NULL)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method,
									 http_shown_url(call->url), call->status),
				errmsg("the answer of %s about %s is not JSON: line " UINT64_FORMAT ", column " UINT64_FORMAT ": %s: %s",
					   session_application(session), what, (uint64) error.line, (uint64) error.column, error.message,
					   shown_body(session, call)),
				errhint("Is the URL of connector profile \"%s\" right?", session->profile_name));
	if (manifest_failed(errors, manifest_lookup_tree, tree))
		manifest_fail(session, call, what);
	return tree;
}

/* ---------- paging ---------- */

static void
set_number(const char **place, int64 number)
{
	*place = psprintf(INT64_FORMAT, number);
}

static void
remember(Pager *pager, const char *cursor)
{
	if (pager->cursor != NULL)
		pfree(pager->cursor);
	pager->cursor = cursor == NULL ? NULL : MemoryContextStrdup(pager->context, cursor);
}

void
pager_begin(Pager *pager, int size)
{
	const ManifestPaging *paging = &pager->read->paging;
	int			maximum = paging->maximum > 0 ? paging->maximum : paging->size;

	pager->size = size > 0 ? Min(size, maximum) : paging->size;
	pager->offset = paging->first >= 0 ? paging->first : 0;
	pager->page = paging->first >= 0 ? paging->first : 1;
	pager->context = CurrentMemoryContext;
	pager->values->session = pager->session;
	pager->values->number_cursor = paging->kind == PAGING_KEY && paging->first >= 0;
	if (pager->values->number_cursor)
		pager->cursor = psprintf("%d", paging->first);
}

/* the values of where the page is; there for as long as its call is being made */
static void
set_place(Pager *pager)
{
	ManifestValues *values = pager->values;
	ManifestPagingKind kind = pager->read->paging.kind;

	set_number(&values->size, pager->size);
	if (kind == PAGING_OFFSET)
		set_number(&values->offset, pager->offset);
	if (kind == PAGING_PAGE)
		set_number(&values->page, pager->page);
	values->cursor = pager->cursor;
}

/* reading twice does no harm, whatever the method */
static HttpCall *
reading(const Pager *pager, HttpCall *call)
{
	if (pager->read->call.repeatable < 0)
		call->repeatable = true;
	return call;
}

HttpCall *
pager_first(Pager *pager)
{
	set_place(pager);
	return reading(pager, manifest_make_call(pager->session, &pager->read->call, pager->values, TURN_FIRST,
											 pager->extra));
}

char *
pager_show(Pager *pager, int size)
{
	pager_begin(pager, size);
	set_place(pager);
	return manifest_show_call(pager->session, &pager->read->call, pager->values, pager->extra);
}

static HttpCall *
call_next(Pager *pager, HttpCall *from)
{
	ManifestPagingKind kind = pager->read->paging.kind;

	set_place(pager);
	if (kind == PAGING_LINK || kind == PAGING_LINK_HEADER)
		return reading(pager, link_call(pager->session, &pager->read->call, pager->values, pager->cursor, from));
	return reading(pager, manifest_make_call(pager->session, &pager->read->call, pager->values, TURN_NEXT, pager->extra));
}

/* the URL of rel="next" in a Link header, or NULL */
static char *
next_link(const char *header)
{
	for (const char *p = header; p != NULL && *p != '\0';)
	{
		const char *open = strchr(p, '<');
		const char *close = open == NULL ? NULL : strchr(open, '>');
		const char *end;
		const char *rel;

		if (close == NULL)
			return NULL;
		end = strchr(close, '<');
		rel = strstr(close, "rel=");
		if (rel != NULL && (end == NULL || rel < end) &&
			(strncmp(rel + 4, "\"next\"", 6) == 0 || strncmp(rel + 4, "next", 4) == 0))
			return pnstrdup(open + 1, close - open - 1);
		p = end;
	}
	return NULL;
}

/* what leads to the next page, for the kinds where something does */
static const char *
next_cursor(const Pager *pager, const PageFacts *facts)
{
	const ManifestPaging *paging = &pager->read->paging;

	switch ((ManifestPagingKind) paging->kind)
	{
		case PAGING_CURSOR:
		case PAGING_LINK:
		case PAGING_TIME:
			return facts->lookup(facts->arg, paging->next);
		case PAGING_LINK_HEADER:
			return next_link(http_response_header(facts->call, "Link"));
		case PAGING_HEADER:
			return http_response_header(facts->call, paging->next);
		case PAGING_KEY:
			return pager->last_key;
		default:
			return NULL;
	}
}

bool
pager_may_hurry(const Pager *pager, const PageFacts *facts)
{
	const ManifestPaging *paging = &pager->read->paging;
	const char *next;

	if (paging->more.path != NULL || paging->last.path != NULL)
		return false;
	switch ((ManifestPagingKind) paging->kind)
	{
		case PAGING_CURSOR:
		case PAGING_LINK:
		case PAGING_LINK_HEADER:
		case PAGING_HEADER:
			next = next_cursor(pager, facts);
			return next != NULL && next[0] != '\0';
		default:
			return false;
	}
}

/* what the application says itself: 1 there is another page, 0 there is none, -1 it does not say */
static int
told(const ManifestPaging *paging, const PageFacts *facts, int64 read)
{
	const char *total = paging->total == NULL ? NULL : facts->lookup(facts->arg, paging->total);

	if (manifest_holds(&paging->last, facts->lookup, facts->arg))
		return 0;
	if (paging->more.path != NULL)
		return manifest_holds(&paging->more, facts->lookup, facts->arg);
	if (paging->link_tells)
		return next_link(http_response_header(facts->call, "Link")) != NULL;
	if (total != NULL)
		return read < strtoll(total, NULL, 10);
	return -1;
}

/* whether so few records mean that there are no more */
static bool
is_short(const Pager *pager, uint64 records)
{
	return records == 0 || (!pager->read->paging.short_pages && records < (uint64) pager->size);
}

/* an application that does not heed where a page is to begin would send the same one for ever */
static void
check_place(Pager *pager, const char *at)
{
	if (at != NULL && pager->cursor != NULL && strcmp(pager->cursor, at) == 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s sent the page of %s at \"%s\" twice", session_application(pager->session), pager->what,
					   session_words(pager->session, at)));
	remember(pager, at);
}

HttpCall *
pager_next(Pager *pager, const PageFacts *facts)
{
	const ManifestPaging *paging = &pager->read->paging;
	ManifestPagingKind kind = paging->kind;
	int64		read = kind == PAGING_OFFSET
		? pager->offset + (int64) facts->records - Max(paging->first, 0)
		: (pager->page - (paging->first >= 0 ? paging->first : 1)) * pager->size + (int64) facts->records;
	int			more = told(paging, facts, read);
	const char *next;

	if (kind == PAGING_NONE || more == 0)
		return NULL;
	if (kind == PAGING_OFFSET || kind == PAGING_PAGE)
	{
		if (paging->more.path != NULL && facts->records == 0)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("%s says that there are more records of %s, but sent none of them",
						   session_application(pager->session), pager->what));
		if (facts->records == 0 || (more < 0 && is_short(pager, facts->records)))
			return NULL;
		check_place(pager, paging->at == NULL ? NULL : facts->lookup(facts->arg, paging->at));
		pager->offset += (int64) facts->records;
		pager->page++;
		return call_next(pager, facts->call);
	}
	if (kind == PAGING_KEY && more < 0 && is_short(pager, facts->records))
		return NULL;

	/* the application shows nothing of that page: its key is not known */
	if (kind == PAGING_KEY && facts->records == 0)
		return paging->link_tells ?
			link_call(pager->session, &pager->read->call, pager->values,
					  next_link(http_response_header(facts->call, "Link")), facts->call) : NULL;
	next = next_cursor(pager, facts);
	if (kind == PAGING_KEY && (next == NULL || next[0] == '\0'))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s sent a record of %s without \"%s\", by which the next page is found",
					   session_application(pager->session), pager->what, paging->next));
	if (next == NULL || next[0] == '\0')
		return NULL;
	if (pager->cursor != NULL && strcmp(pager->cursor, next) == 0)
	{
		if (kind == PAGING_TIME && is_short(pager, facts->records))
			return NULL;
		if (kind == PAGING_TIME)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("%s has more records of %s of the same time than fit on a page: there is no way behind \"%s\"",
						   session_application(pager->session), pager->what, session_words(pager->session, next)),
					errhint("If the application takes larger pages, the manifest can ask for them."));
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s sent the same mark of the next page of %s twice: \"%s\"", session_application(pager->session),
					   pager->what, session_words(pager->session, next)));
	}
	remember(pager, next);
	return call_next(pager, facts->call);
}

/* ---------- listings ---------- */

static uint64
visit_records(const Pager *pager, const JsonTree *page, ManifestVisit visit, void *arg)
{
	const ManifestRead *read = pager->read;
	const char *path = read->records == NULL ? "" : read->records;
	const JsonTree *records = json_tree_find(page, path);
	uint64		count = 0;

	if (records == NULL && !read->may_lack_records)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the answer of %s about %s has no records: there is no member \"%s\"",
					   session_application(pager->session), pager->what, path));
	if (records == NULL || records->kind == JSON_TREE_NULL)
		return 0;
	if (records->kind != JSON_TREE_ARRAY && records->kind != JSON_TREE_OBJECT)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the answer of %s about %s has no records: \"%s\" is neither an array nor an object",
					   session_application(pager->session), pager->what, path));
	for (const JsonTree *record = records->kind == JSON_TREE_ARRAY ? records->first : records; record != NULL;
		 record = records->kind == JSON_TREE_ARRAY ? record->next : NULL)
	{
		visit(record, arg);
		count++;
	}
	return count;
}

void
manifest_each(ConnectorSession *session, const ManifestRead *read, ManifestValues *values, const char *what,
			  ManifestVisit visit, void *arg)
{
	Pager		pager = {.session = session, .read = read, .values = values, .what = what};
	HttpCall   *call;

	pager_begin(&pager, 0);
	call = pager_first(&pager);
	for (int pages = 1; call != NULL; pages++)
	{
		Arena	   *arena = manifest_arena();
		const JsonTree *page = manifest_fetch(session, call, what, arena);
		PageFacts	facts = {
			.call = call, .lookup = manifest_lookup_tree, .arg = unconstify(JsonTree *, page)
		};
		HttpCall   *next;

		facts.records = visit_records(&pager, page, visit, arg);
		if (pages == MAX_PAGES)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("%s sent more than %d pages about %s", session_application(session), MAX_PAGES, what));
		next = pager_next(&pager, &facts);
		http_close(call);
		call = next;
	}
}
