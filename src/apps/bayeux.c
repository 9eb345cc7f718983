/*-------------------------------------------------------------------------
 *
 * bayeux.c
 *	  A client of the Bayeux protocol (CometD): one channel, by long polling.
 *
 * Handshake, subscription, and then connects that the server answers when there are
 * messages, or after a while.  The next connect is under way before messages are given
 * to the caller: servers end sessions of those who are away for long.
 *
 * Follows the Bayeux specification 1.0, and for replay, cookies and errors Salesforce's
 * "Streaming API Developer Guide".
 *
 * IDENTIFICATION
 *	  src/apps/bayeux.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/bayeux.h"
#include "codec/json_reader.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "net/loop.h"
#include "record/errors.h"
#include "utils/json.h"
#include "utils/memutils.h"

/* ms that a server may hold a connect, if it does not say, and that it may be late */
#define DEFAULT_HOLD 110000
#define GRACE 30000

/* ms between attempts to get through: doubles; and how many in a row fail */
#define FIRST_PAUSE 500
#define LAST_PAUSE 30000
#define MAX_FAILURES 8

/* ms for saying goodbye */
#define CLOSE_BUDGET 2000

#define MAX_REPLAY_ID 30		/* digits */

/* of what is told of every message */
enum
{
	CHANNEL,
	SUCCESSFUL,
	ERROR_TEXT,
	CLIENT_ID,
	RECONNECT,
	INTERVAL,
	TIMEOUT,
	FAILURE_REASON,
	MESSAGE_CELLS
};

static const char *const message_paths[MESSAGE_CELLS] = {
	[CHANNEL] = "channel",
	[SUCCESSFUL] = "successful",
	[ERROR_TEXT] = "error",
	[CLIENT_ID] = "clientId",
	[RECONNECT] = "advice.reconnect",
	[INTERVAL] = "advice.interval",
	[TIMEOUT] = "advice.timeout",
	[FAILURE_REASON] = "ext.sfdc.failureReason",
};

/* what is to be sent next, or under way */
typedef enum Phase
{
	PHASE_HANDSHAKE,
	PHASE_SUBSCRIBE,
	PHASE_CONNECT
} Phase;

static const char *const meta_channels[] = {
	[PHASE_HANDSHAKE] = "/meta/handshake",
	[PHASE_SUBSCRIBE] = "/meta/subscribe",
	[PHASE_CONNECT] = "/meta/connect",
};

/* what the server said to a request */
typedef struct Reply
{
	bool		given;
	bool		refused;
	char	   *error;			/* "", if it gave no reason */
	char	   *advice;			/* retry, handshake, none, or NULL */
} Reply;

typedef struct Cookie
{
	char	   *name;
	char	   *value;
} Cookie;

typedef struct BayeuxState
{
	MemoryContext context;
	Phase		phase;
	char	   *client_id;
	char	   *replay;			/* where a subscription begins */
	List	   *cookies;		/* of Cookie * */
	int			number;			/* of requests, for their ids */
	int64		hold;			/* ms that the server holds a connect */
	int64		interval;		/* ms that it wants to be left alone before one */
	int64		began;			/* seconds: when the first subscription was made; 0: not known */
	bool		renewed;		/* credentials, since the last connect that went well */
	int			failures;		/* in a row */

	/* calls, each in a context of its own with all that belongs to it */
	HttpCall   *call;			/* request under way, or NULL */
	int64		started;		/* when */

	HttpCall   *answer;			/* whose body is being read, or NULL */
	size_t		offset;			/* of what is not read yet */
	Reply		reply;			/* what it said, as far as it is read */
	Owned	   *reader;			/* JsonReader */
	Batch	   *batch;			/* messages of all channels */
} BayeuxState;

pg_noreturn static void
raise_refusal(const Bayeux *bayeux, AppflowException exception, const char *what, const char *why)
{
	ereport(ERROR,
			appflow_error(exception),
			errmsg("%s refused %s of \"%s\": %s", bayeux->session->connector->type, what, bayeux->channel,
				   why[0] != '\0' ? why : "it gives no reason"));
}

static const char *const phase_words[] = {
	[PHASE_HANDSHAKE] = "the streaming session",
	[PHASE_SUBSCRIBE] = "the subscription",
	[PHASE_CONNECT] = "the connection",
};

/* ---------- cookies ---------- */

/* They go to no place but the one they came from, which is the only one asked. */
static void
take_cookie(BayeuxState *state, const char *line)
{
	size_t		pair = strcspn(line, ";");
	size_t		name = strcspn(line, "=;");
	const char *attributes = line + pair;
	Cookie	   *cookie = NULL;
	ListCell   *lc;
	bool		ends = false;

	if (line[name] != '=' || name == 0)
		return;
	while (*attributes != '\0')
	{
		attributes += 1 + strspn(attributes + 1, " ");
		if (pg_strncasecmp(attributes, "Max-Age=0", 9) == 0 || pg_strncasecmp(attributes, "Max-Age=-", 9) == 0 ||
			pg_strncasecmp(attributes, "Expires=Thu, 01", 15) == 0)
			ends = true;
		attributes += strcspn(attributes, ";");
	}
	foreach(lc, state->cookies)
	{
		Cookie	   *known = lfirst(lc);

		if (strlen(known->name) == name && strncmp(known->name, line, name) == 0)
			cookie = known;
	}
	if (cookie == NULL)
	{
		if (ends)
			return;
		cookie = palloc0(sizeof(Cookie));
		cookie->name = pnstrdup(line, name);
		state->cookies = lappend(state->cookies, cookie);
	}
	if (ends)
		state->cookies = list_delete_ptr(state->cookies, cookie);
	else
		cookie->value = pnstrdup(line + name + 1, pair - name - 1);
}

static void
take_cookies(BayeuxState *state, HttpCall *call)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);
	const char *line;

	for (int i = 0; (line = http_response_header_nth(call, "Set-Cookie", i)) != NULL; i++)
		take_cookie(state, line);
	MemoryContextSwitchTo(old);
}

static void
give_cookies(BayeuxState *state, HttpCall *call)
{
	StringInfoData value;
	ListCell   *lc;

	if (state->cookies == NIL)
		return;
	initStringInfo(&value);
	foreach(lc, state->cookies)
	{
		Cookie	   *cookie = lfirst(lc);

		appendStringInfo(&value, "%s%s=%s", value.len > 0 ? "; " : "", cookie->name, cookie->value);
	}
	http_header(call, "Cookie", value.data);
	pfree(value.data);
}

/* ---------- requests ---------- */

static char *
make_request(const Bayeux *bayeux, Phase phase)
{
	BayeuxState *state = bayeux->state;
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfo(&body, "[{\"channel\":\"%s\",\"id\":\"%d\"", meta_channels[phase], ++state->number);
	if (phase != PHASE_HANDSHAKE)
	{
		appendStringInfoString(&body, ",\"clientId\":");
		escape_json(&body, state->client_id);
	}
	switch (phase)
	{
		case PHASE_HANDSHAKE:
			appendStringInfoString(&body, ",\"version\":\"1.0\",\"minimumVersion\":\"1.0\","
								   "\"supportedConnectionTypes\":[\"long-polling\"],\"ext\":{\"replay\":true}");
			break;
		case PHASE_SUBSCRIBE:
			appendStringInfoString(&body, ",\"subscription\":");
			escape_json(&body, bayeux->channel);
			appendStringInfoString(&body, ",\"ext\":{\"replay\":{");
			escape_json(&body, bayeux->channel);
			appendStringInfo(&body, ":%s}}", strcmp(state->replay, BAYEUX_NEW) == 0 && bayeux->since > 0 ?
							 BAYEUX_RETAINED : state->replay);
			break;
		case PHASE_CONNECT:
			appendStringInfoString(&body, ",\"connectionType\":\"long-polling\"");
			break;
	}
	appendStringInfoString(&body, "}]");
	return body.data;
}

static void
start_request(Bayeux *bayeux)
{
	BayeuxState *state = bayeux->state;
	MemoryContext own = AllocSetContextCreate(state->context, "appflow Bayeux request", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	char	   *body;

	if (state->phase == PHASE_HANDSHAKE && state->client_id != NULL)
	{
		pfree(state->client_id);
		state->client_id = NULL;
	}

	/* what is new to the second session leaves out what was new to the first */
	if (state->phase == PHASE_SUBSCRIBE && strcmp(state->replay, BAYEUX_NEW) == 0)
		bayeux->since = state->began;
	body = make_request(bayeux, state->phase);
	state->call = session_call_json(bayeux->session, "POST", bayeux->path, body, strlen(body));
	state->call->whole = true;
	state->call->max_retries = 0;
	give_cookies(state, state->call);
	state->started = loop_now();
	http_start(state->call);
	MemoryContextSwitchTo(old);
}

static void
drop_call(HttpCall **call)
{
	if (*call != NULL)
		MemoryContextDelete(MemoryContextGetParent((*call)->context));
	*call = NULL;
}

/* Nothing came through: begin anew after a pause, unless it has failed too often. */
static void
fall_back(Bayeux *bayeux)
{
	BayeuxState *state = bayeux->state;

	state->failures++;
	state->phase = PHASE_HANDSHAKE;
	http_pause(Min((int64) FIRST_PAUSE << (state->failures - 1), LAST_PAUSE));
}

/*
 * Wait for the answer of the request under way.  False: the time is over first.
 */
static bool
await_answer(Bayeux *bayeux, int64 deadline)
{
	BayeuxState *state = bayeux->state;
	HttpCall   *call = state->call;
	int64		limit = state->started + GRACE + (state->phase == PHASE_CONNECT ? state->hold : 0);
	size_t		length;
	const char *body;

	while (!http_done(call))
	{
		int64		now = loop_now();

		CHECK_FOR_INTERRUPTS();
		if (deadline >= 0 && now >= deadline && state->phase == PHASE_CONNECT && state->failures == 0)
			return false;
		if (now >= limit)
		{
			drop_call(&state->call);
			if (state->failures >= MAX_FAILURES)
				ereport(ERROR,
						appflow_error(WF_CONNECTOR),
						errmsg("the streaming service of %s does not answer", bayeux->session->connector->type));
			fall_back(bayeux);
			return true;
		}
		loop_wait((long) Min(deadline >= 0 && state->phase == PHASE_CONNECT ? Min(limit, Max(deadline, now + 1)) - now : limit - now, 1000));
	}
	if (!http_try_wait(call))
	{
		if (call->failure == HTTP_REFUSED || call->failure == HTTP_UNTRUSTED || state->failures >= MAX_FAILURES)
			http_raise(call);
		drop_call(&state->call);
		fall_back(bayeux);
		return true;
	}
	take_cookies(state, call);
	body = http_body(call, &length);
	bayeux->bytes += length;
	if (call->status >= 500 || (call->status >= 400 && (length == 0 || body[0] != '[')))
	{
		if (call->status < 500 || state->failures >= MAX_FAILURES)
			session_raise(bayeux->session, call, psprintf("%s of \"%s\"", phase_words[state->phase], bayeux->channel), NULL, NULL);
		drop_call(&state->call);
		fall_back(bayeux);
		return true;
	}
	state->answer = call;
	state->call = NULL;
	state->offset = 0;
	json_reader_restart(state->reader->object);
	memset(&state->reply, 0, sizeof(Reply));
	return true;
}

/* ---------- answers ---------- */

static char *
cell_cstring(const Cell *cell)
{
	return cell_is_text(cell) ? pnstrdup(cell->data, cell->length) : NULL;
}

static bool
cell_equals(const Cell *cell, const char *text)
{
	return cell->kind == CELL_STRING && cell->length == strlen(text) && memcmp(cell->data, text, cell->length) == 0;
}

static int64
cell_milliseconds(const Cell *cell, int64 otherwise)
{
	char		text[20];

	if (!cell_is_text(cell) || cell->length >= sizeof(text))
		return otherwise;
	memcpy(text, cell->data, cell->length);
	text[cell->length] = '\0';
	return Max(strtoll(text, NULL, 10), 0);
}

/* what the server says to the request; lives as long as the answer */
static void
take_reply(Bayeux *bayeux, uint32 row)
{
	BayeuxState *state = bayeux->state;
	Cell	  **columns = state->batch->columns;
	const Cell *successful = &columns[SUCCESSFUL][row];
	MemoryContext old = MemoryContextSwitchTo(MemoryContextGetParent(state->answer->context));

	state->reply.given = true;
	state->reply.advice = cell_cstring(&columns[RECONNECT][row]);
	state->interval = cell_milliseconds(&columns[INTERVAL][row], 0);
	state->hold = cell_milliseconds(&columns[TIMEOUT][row], state->hold);
	if (successful->kind == CELL_BOOLEAN && !successful->integer)
	{
		char	   *error = cell_cstring(&columns[ERROR_TEXT][row]);
		char	   *reason = cell_cstring(&columns[FAILURE_REASON][row]);

		state->reply.refused = true;
		state->reply.error = error != NULL && reason != NULL ? psprintf("%s (%s)", error, reason) :
			error != NULL ? error : reason != NULL ? reason : "";
	}
	else if (state->phase == PHASE_HANDSHAKE)
	{
		const Cell *id = &columns[CLIENT_ID][row];

		MemoryContextSwitchTo(state->context);
		state->client_id = cell_cstring(id);
		state->reply.refused = state->client_id == NULL;
		state->reply.error = "the answer has no clientId";
	}
	MemoryContextSwitchTo(old);
}

/*
 * Read as much of the answer as the batch holds; sets the messages.  An answer that is
 * malformed (a page about maintenance, cut off by a proxy) is as good as none.
 */
static void
read_messages(Bayeux *bayeux)
{
	BayeuxState *state = bayeux->state;
	JsonReader *reader = state->reader->object;
	Batch	   *batch = state->batch;
	size_t		length;
	const char *body = http_body(state->answer, &length);
	JsonReadResult result;
	JsonStatus	status;

	batch_reset(batch);
	bayeux->nmessages = 0;
	status = json_reader_read(reader, body + state->offset, length - state->offset, true, batch->arena,
							  batch->columns, batch->lines, BATCH_ROWS, &result);
	if (status == JSON_ERROR)
	{
		if (state->failures >= MAX_FAILURES)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("the streaming service of %s sent what is not JSON: %s", bayeux->session->connector->type,
						   json_reader_error(reader)->message));
		drop_call(&state->answer);
		fall_back(bayeux);
		return;
	}
	state->offset += result.consumed;
	batch->nrows = result.rows;
	for (uint32 row = 0; row < result.rows; row++)
	{
		int			n = bayeux->nmessages;

		if (cell_equals(&batch->columns[CHANNEL][row], meta_channels[state->phase]))
			take_reply(bayeux, row);
		if (!cell_equals(&batch->columns[CHANNEL][row], bayeux->channel))
			continue;

		/* messages move up to the front */
		for (int i = 0; i <= bayeux->npaths; i++)
			batch->columns[MESSAGE_CELLS + i][n] = batch->columns[MESSAGE_CELLS + i][row];
		bayeux->nmessages++;
	}
	bayeux->replay_ids = batch->columns[MESSAGE_CELLS];
	bayeux->values = batch->columns + MESSAGE_CELLS + 1;
	if (status == JSON_MORE)
		state->offset = length + 1;
}

static bool
answer_is_read(const BayeuxState *state)
{
	size_t		length;

	(void) http_body(state->answer, &length);
	return state->offset > length;
}

/* ids that went by are behind us, when a subscription has to be made anew */
static void
remember_place(Bayeux *bayeux)
{
	BayeuxState *state = bayeux->state;
	const Cell *cell;
	char		replay[MAX_REPLAY_ID + 1] = "";

	if (bayeux->nmessages == 0)
		return;
	cell = &bayeux->replay_ids[bayeux->nmessages - 1];
	if (cell_is_text(cell) && cell->length <= MAX_REPLAY_ID)
		memcpy(replay, cell->data, cell->length);
	if (replay[0] == '\0' || strspn(replay, "0123456789") != cell->length)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("%s sent a message of \"%s\" without a replay id", bayeux->session->connector->type, bayeux->channel));
	pfree(state->replay);
	state->replay = MemoryContextStrdup(state->context, replay);
}

/* The server says that it does not believe who is asking. */
static bool
is_about_credentials(const Reply *reply)
{
	if (strstr(reply->error, "Authentication invalid") != NULL ||
		strstr(reply->error, "requires authentication") != NULL)
		return true;
	return strncmp(reply->error, "401", 3) == 0 && (reply->advice == NULL || strcmp(reply->advice, "handshake") != 0);
}

/*
 * The place to begin at is not there any more: messages are kept for some days only.
 * What is still there is later, and had better not be lost too.
 */
static void
begin_at_retained(Bayeux *bayeux)
{
	BayeuxState *state = bayeux->state;

	ereport(WARNING,
			errmsg("events of \"%s\" may be lost: %s does not keep those behind replay id %s any more",
				   bayeux->channel, bayeux->session->connector->type, state->replay),
			errdetail("It said: %s", state->reply.error),
			errhint("Reading goes on with the oldest event that is kept."));
	pfree(state->replay);
	state->replay = MemoryContextStrdup(state->context, BAYEUX_RETAINED);
}

static void
take_refusal(Bayeux *bayeux)
{
	BayeuxState *state = bayeux->state;
	Reply	   *reply = &state->reply;
	Authenticator *authenticator = bayeux->session->authenticator;

	if (is_about_credentials(reply))
	{
		if (state->renewed || !authenticator->guard.renew(state->answer, authenticator->guard.arg))
			raise_refusal(bayeux, WF_AUTHENTICATION, phase_words[state->phase], reply->error);
		state->renewed = true;
		state->phase = PHASE_HANDSHAKE;
	}
	else if (state->phase == PHASE_SUBSCRIBE && strstr(reply->error, "replayId") != NULL &&
			 state->replay[0] != '-')
		begin_at_retained(bayeux);
	else if (state->failures < MAX_FAILURES && strstr(reply->error, "limit exceeded") == NULL &&
			 ((reply->advice != NULL && strcmp(reply->advice, "none") != 0 && state->phase != PHASE_SUBSCRIBE) ||
			  strstr(reply->error, "nknown client") != NULL))
	{
		/* the first time, at once: sessions end */
		if (state->failures == 0)
		{
			state->failures++;
			state->phase = PHASE_HANDSHAKE;
		}
		else
			fall_back(bayeux);
	}
	else
		raise_refusal(bayeux, strstr(reply->error, "limit exceeded") != NULL ? WF_THROTTLING : WF_CONNECTOR,
					  phase_words[state->phase], reply->error);
}

/* seconds since 1970, by the clock of the server; 0: it does not say */
static int64
server_time(HttpCall *call)
{
	const char *date = http_response_header(call, "Date");
	time_t		time = date == NULL ? (time_t) -1 : curl_getdate(date, NULL);

	return time == (time_t) -1 ? 0 : (int64) time;
}

/* The answer is read: what comes next? */
static void
take_answer(Bayeux *bayeux)
{
	BayeuxState *state = bayeux->state;

	if (!state->reply.given && state->answer->status >= 400)
		session_raise(bayeux->session, state->answer, psprintf("%s of \"%s\"", phase_words[state->phase], bayeux->channel), NULL, NULL);
	if (!state->reply.given && state->phase != PHASE_CONNECT)
		raise_refusal(bayeux, WF_CONNECTOR, phase_words[state->phase], "it does not answer the request");
	if (state->reply.refused)
		take_refusal(bayeux);
	else if (state->phase == PHASE_CONNECT)
	{
		state->failures = 0;
		state->renewed = false;
		if (state->interval > 0)
			http_pause(Min(state->interval, LAST_PAUSE));
	}
	else
	{
		if (state->phase == PHASE_SUBSCRIBE && state->began == 0)
			state->began = server_time(state->answer);
		state->phase++;
	}
}

/* ---------- for callers ---------- */

static void
free_reader(void *object)
{
	json_reader_free((JsonReader *) object);
}

void
bayeux_open(Bayeux *bayeux, const char *replay)
{
	BayeuxState *state = palloc0(sizeof(BayeuxState));
	int			npaths = MESSAGE_CELLS + 1 + bayeux->npaths;
	const char **paths = palloc(sizeof(char *) * npaths);
	JsonReaderOptions options = {.framing = JSON_FRAMING_AUTO,.fields = paths,.nfields = npaths};

	memcpy(paths, message_paths, sizeof(message_paths));
	paths[MESSAGE_CELLS] = bayeux->replay_path;
	memcpy(paths + MESSAGE_CELLS + 1, bayeux->paths, sizeof(char *) * bayeux->npaths);
	state->context = CurrentMemoryContext;
	state->replay = pstrdup(replay);
	state->hold = DEFAULT_HOLD;
	state->reader = own_in_context(CurrentMemoryContext, free_reader);
	state->reader->object = json_reader_create(&options);
	if (state->reader->object == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	state->batch = batch_create(npaths);
	bayeux->state = state;
	pfree(paths);
}

bool
bayeux_next(Bayeux *bayeux, int64 patience)
{
	BayeuxState *state = bayeux->state;
	int64		deadline = patience < 0 ? -1 : loop_now() + patience;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (state->answer != NULL && !answer_is_read(state))
		{
			read_messages(bayeux);
			remember_place(bayeux);

			/* a refusal waits until what came with it has been given */
			if (state->answer != NULL && answer_is_read(state) && !state->reply.refused && state->phase == PHASE_CONNECT &&
				bayeux->nmessages > 0 && state->interval == 0)
			{
				take_answer(bayeux);
				start_request(bayeux);
			}
			if (bayeux->nmessages > 0)
				return true;
		}
		if (state->answer != NULL && answer_is_read(state))
		{
			if (state->call == NULL)
				take_answer(bayeux);
			drop_call(&state->answer);
		}
		if (state->call == NULL)
			start_request(bayeux);
		if (!await_answer(bayeux, deadline))
			return false;
	}
}

void
bayeux_close(Bayeux *bayeux)
{
	BayeuxState *state = bayeux->state;
	MemoryContext context = CurrentMemoryContext;
	HttpGuard	guard;

	drop_call(&state->answer);
	drop_call(&state->call);
	if (state->client_id == NULL || bayeux->session->authenticator->token == NULL)
		return;
	HOLD_CANCEL_INTERRUPTS();	/* the caller's affair */
	PG_TRY();
	{
		StringInfoData body;
		HttpCall   *call;

		initStringInfo(&body);
		appendStringInfoString(&body, "[{\"channel\":\"/meta/disconnect\",\"clientId\":");
		escape_json(&body, state->client_id);
		appendStringInfo(&body, ",\"id\":\"%d\"}]", ++state->number);
		call = session_call_json(bayeux->session, "POST", bayeux->path, body.data, body.len);

		/* not worth a new token, which would need a transaction */
		guard = *call->guard;
		guard.renew = NULL;
		call->guard = &guard;
		give_cookies(state, call);
		call->whole = true;
		call->max_retries = 0;
		call->connect_timeout = Min(call->connect_timeout, CLOSE_BUDGET);
		call->idle_timeout = Min(call->idle_timeout, CLOSE_BUDGET);
		(void) http_try_wait(call);
		http_close(call);
	}
	PG_CATCH();
	{
		/* the server ends a session that nobody uses */
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	RESUME_CANCEL_INTERRUPTS();
	state->client_id = NULL;
}
