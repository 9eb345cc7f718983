/*-------------------------------------------------------------------------
 *
 * profile_token.c
 *	  Tokens of connector profiles: kept sealed, renewed once for all.
 *
 * A token is a secret of the vault, purpose "token", by the profile's name.  It
 * has a generation: whoever was refused with one asks for another, and gets what
 * somebody else may have got in between.
 *
 * New tokens are got by a background worker, for three reasons.  What it stores
 * stays even if the transaction that asked is rolled back: a service that gives a
 * new refresh token does not take the old one again.  No transaction of it is open
 * while it talks to the service.  And it goes on if the session that asked is
 * cancelled.  Those who ask queue up at one lock, so there is one worker at a time
 * for a profile; the worker holds another one, for the case that who asked is gone.
 * What the service refuses to the first of the queue is refused to those who wait.
 *
 * An authorization code is exchanged by who brings it, in the transaction that
 * stores the profile: it is good for a moment only, and whether it was shows whether
 * there is to be a profile.
 *
 * IDENTIFICATION
 *	  src/flow/profile_token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "access/xact.h"
#include "catalog/secret.h"
#include "common/hashfn.h"
#include "flow/profile_auth.h"
#include "flow/token_failure.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/sigv4.h"
#include "postmaster/bgworker.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "record/wiped.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#define PURPOSE "token"
#define EARLY 30				/* seconds before its end that a token counts as expired */
#define MAX_TOKEN 65536
#define MAX_INSTANCE 1024
#define MAX_WORKER_TRIES 100	/* 0.1 s each, for a free slot for a worker */

/* A token as it is kept. */
typedef struct Record
{
	char	   *token;
	char	   *refresh_token;	/* NULL: none */
	char	   *generation;
	int64		expires;		/* of the epoch; 0: not known */
	char	   *instance;		/* the service that the token is for; NULL: not told */
} Record;

typedef enum Outcome
{
	OUTCOME_NONE,				/* the worker came to an end of its own */
	OUTCOME_TOKEN,
	OUTCOME_IMPOSSIBLE,			/* the profile has nothing to get a token with */
	OUTCOME_ERROR
} Outcome;

/* What is wanted of a worker, and what it says; in shared memory. */
typedef struct Order
{
	char		profile[1056];
	char		refused[64];	/* generation that is no good any more */
	Outcome		outcome;
	TokenFailure failure;
	char		generation[64];
	char		instance[MAX_INSTANCE];
	char		token[MAX_TOKEN];
} Order;

extern PGDLLEXPORT void appflow_token_main(Datum arg);

/* ---------- what is kept ---------- */

/* The token that was got with these credentials; false if there is none. */
static bool
read_record(const char *profile, const char *credentials, Record *record)
{
	char	   *text = secret_get(PURPOSE, profile);
	char		hash[65];
	Jsonb	   *kept;
	char	   *kept_hash;

	if (text == NULL)
		return false;
	kept = jsonb_parse(text);
	secret_wipe(text);
	kept_hash = jsonb_get_text(kept, "credentials");
	if (kept_hash == NULL || !sigv4_payload_hash(credentials, strlen(credentials), hash) ||
		strcmp(kept_hash, hash) != 0)
		return false;
	*record = (Record)
	{
		.token = jsonb_get_text(kept, "accessToken"), .refresh_token = jsonb_get_text(kept, "refreshToken"),
			.generation = jsonb_get_text(kept, "generation"), .instance = jsonb_get_text(kept, "instanceUrl")
	};
	(void) jsonb_get_int64(kept, "expiresAt", &record->expires);
	explicit_bzero(kept, VARSIZE(kept));
	return record->token != NULL && record->generation != NULL;
}

static bool
fresh(const Record *record)
{
	return record->expires == 0 || record->expires - EARLY > (int64) time(NULL);
}

static void
write_record(const ProfileRow *profile, const char *credentials, const Record *record)
{
	StringInfoData text;
	char		hash[65];

	if (!sigv4_payload_hash(credentials, strlen(credentials), hash))
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("the token of connector profile \"%s\" could not be stored: the cryptographic library failed", profile->name));
	initStringInfo(&text);
	appendStringInfo(&text, "{\"credentials\":\"%s\",\"generation\":\"%s\",\"expiresAt\":" INT64_FORMAT ",\"accessToken\":",
					 hash, record->generation, record->expires);
	escape_json(&text, record->token);
	if (record->refresh_token != NULL)
	{
		appendStringInfoString(&text, ",\"refreshToken\":");
		escape_json(&text, record->refresh_token);
	}
	if (record->instance != NULL)
	{
		appendStringInfoString(&text, ",\"instanceUrl\":");
		escape_json(&text, record->instance);
	}
	appendStringInfoChar(&text, '}');
	secret_put_under(PURPOSE, profile->name, text.data, profile->kms_arn);
	secret_wipe(text.data);
}

static void
new_generation(char *text, size_t size)
{
	uint64		parts[2];

	if (!pg_strong_random(parts, sizeof(parts)))
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("could not generate a random number"));
	snprintf(text, size, "%016llx%016llx", (unsigned long long) parts[0], (unsigned long long) parts[1]);
}

/* What a service gave becomes the record; the old refresh token stays if there is no other. */
static void
take_answer(Record *record, const TokenAnswer *got, char *generation, size_t size)
{
	new_generation(generation, size);
	record->token = got->token;
	record->generation = generation;
	record->expires = got->lifetime == 0 ? 0 : (int64) time(NULL) + got->lifetime;
	record->instance = got->instance == NULL || strlen(got->instance) >= MAX_INSTANCE ? NULL : got->instance;
	if (got->refresh_token != NULL)
		record->refresh_token = got->refresh_token;
}

/* The fourth field is one that no advisory lock of users has. */
static LOCKTAG
lock_of(const char *profile, int which)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) profile, (int) strlen(profile), 0);
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, 0xAF00 + which);
	return tag;
}

#define LOCK_OF_ASKERS 1
#define LOCK_OF_WORKERS 2

/* ---------- the worker ---------- */

static void
answer(Order *order, const Record *record)
{
	if (strlen(record->token) >= MAX_TOKEN)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the token of connector profile \"%s\" is longer than %d bytes", order->profile, MAX_TOKEN - 1));
	strlcpy(order->token, record->token, sizeof(order->token));
	strlcpy(order->generation, record->generation, sizeof(order->generation));
	strlcpy(order->instance, record->instance == NULL ? "" : record->instance, sizeof(order->instance));
	order->outcome = OUTCOME_TOKEN;
}

static ProfileRow *
need_profile(const char *name, RowHold hold)
{
	ProfileRow *profile = profile_get(name, hold);

	if (profile == NULL)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("Connector Profile with name %s does not exist.", name),
				errhint("If it was created in this transaction, commit that first."));
	return profile;
}

static void
carry_out(Order *order)
{
	LOCKTAG		tag = lock_of(order->profile, LOCK_OF_WORKERS);
	Record		record = {0};
	char		generation[64];
	TokenRequest request;
	TokenAnswer got;
	ProfileRow *profile;
	char	   *credentials;
	Jsonb	   *own;
	bool		known;
	bool		possible;

	StartTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);
	(void) LockAcquire(&tag, ExclusiveLock, true, false);
	profile = need_profile(order->profile, HOLD_NOT);
	credentials = profile_credentials(profile);
	own = profile_own_credentials(profile, credentials);
	known = read_record(profile->name, credentials, &record);
	possible = profile_token_request(profile, own, known ? record.refresh_token : NULL, !known, &request);
	CommitTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);

	if (known && strcmp(record.generation, order->refused) != 0 && fresh(&record))
	{
		answer(order, &record);
		return;
	}
	if (!possible)
	{
		order->outcome = OUTCOME_IMPOSSIBLE;
		return;
	}
	profile_token_client(&request);
	got = token_ask(&request);

	/* before anybody uses it, what was got is on disk */
	take_answer(&record, &got, generation, sizeof(generation));
	StartTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);
	profile = need_profile(order->profile, HOLD_KEEP);
	write_record(profile, credentials, &record);
	CommitTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);
	answer(order, &record);
}

static void
say(char *to, size_t size, const char *text)
{
	strlcpy(to, text == NULL ? "" : text, size);
}

void
appflow_token_main(Datum arg)
{
	dsm_segment *segment;
	Order	   *order;
	Oid			database;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	memcpy(&database, MyBgworkerEntry->bgw_extra, sizeof(database));
	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);			/* nobody waits any more */
	dsm_pin_mapping(segment);
	order = dsm_segment_address(segment);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	SetConfigOption("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);

	PG_TRY();
	{
		carry_out(order);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(TopMemoryContext);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		order->failure.sqlstate = error->sqlerrcode;
		say(order->failure.message, sizeof(order->failure.message), error->message);
		say(order->failure.detail, sizeof(order->failure.detail), error->detail);
		say(order->failure.hint, sizeof(order->failure.hint), error->hint);
		order->outcome = OUTCOME_ERROR;
	}
	PG_END_TRY();
	proc_exit(0);
}

/* ---------- who asks ---------- */

static void
run_worker(dsm_segment *segment)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(worker.bgw_library_name, BGW_MAXLEN, "appflow");
	snprintf(worker.bgw_function_name, BGW_MAXLEN, "appflow_token_main");
	snprintf(worker.bgw_name, BGW_MAXLEN, "appflow token worker");
	snprintf(worker.bgw_type, BGW_MAXLEN, "appflow token worker");
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, &MyDatabaseId, sizeof(MyDatabaseId));

	/* they are short-lived: a slot will be free soon */
	for (int i = 0; !RegisterDynamicBackgroundWorker(&worker, &handle); i++)
	{
		if (i == MAX_WORKER_TRIES)
			ereport(ERROR,
					errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					errmsg("no background worker slot is free for getting a token"),
					errhint("See max_worker_processes."));
		http_pause(100);
	}
	(void) WaitForBackgroundWorkerShutdown(handle);
	pfree(handle);
}

static void
set_token(Authenticator *authenticator, const char *token, const char *generation, const char *instance)
{
	if (authenticator->token != NULL)
		secret_wipe(authenticator->token);
	authenticator->token = authenticator_keep(authenticator, token);
	authenticator->generation = authenticator_keep(authenticator, generation);
	authenticator->instance = authenticator_keep(authenticator, instance == NULL || instance[0] == '\0' ? NULL : instance);
}

pg_noreturn static void
raise_failure(const TokenFailure *failure)
{
	ereport(ERROR,
			errcode(failure->sqlstate),
			errmsg_internal("%s", failure->message),
			failure->detail[0] ? errdetail_internal("%s", failure->detail) : 0,
			failure->hint[0] ? errhint("%s", failure->hint) : 0);
	pg_unreachable();
}

/* Have a worker get a token that is not of the generation refused. */
static Outcome
order_token(Authenticator *authenticator, const ProfileRow *profile, const char *refused, TokenFailure *failure)
{
	dsm_segment *segment = dsm_create(sizeof(Order), 0);
	Order	   *order = dsm_segment_address(segment);
	Outcome		outcome = OUTCOME_NONE;

	memset(order, 0, sizeof(Order));
	strlcpy(order->profile, profile->name, sizeof(order->profile));
	strlcpy(order->refused, refused, sizeof(order->refused));

	/* outside of transactions nothing else would give the segment back */
	PG_TRY();
	{
		run_worker(segment);
		outcome = order->outcome;
		*failure = order->failure;
		if (outcome == OUTCOME_TOKEN)
			set_token(authenticator, order->token, order->generation, order->instance);
		explicit_bzero(order->token, sizeof(order->token));
	}
	PG_FINALLY();
	{
		dsm_detach(segment);
	}
	PG_END_TRY();
	return outcome;
}

/* What a process that wants a token knows. */
typedef struct Asking
{
	Authenticator *authenticator;
	const ProfileRow *profile;
	bool		outside;		/* of any transaction */
	char	   *credentials;
	const char *refused;		/* generation that is no good any more; NULL: not found out yet */
	bool		known;			/* there is a record */
	bool		good;			/* and it will do */
	Record		record;
} Asking;

/* Look at what is kept, in a transaction of its own if there is none. */
static void
look(Asking *asking, bool renew)
{
	MemoryContext old = CurrentMemoryContext;
	Record	   *record = &asking->record;

	if (asking->outside)
		StartTransactionCommand();
	MemoryContextSwitchTo(old);
	if (asking->credentials == NULL)
		asking->credentials = profile_credentials(asking->profile);
	asking->known = read_record(asking->profile->name, asking->credentials, record);
	if (asking->outside)
		CommitTransactionCommand();
	MemoryContextSwitchTo(old);

	if (asking->refused == NULL)
	{
		asking->refused = "";
		if (renew && asking->authenticator->generation != NULL)
			asking->refused = asking->authenticator->generation;
		else if (asking->known && (!fresh(record) || (asking->authenticator->wants_instance && record->instance == NULL)))
			asking->refused = record->generation;
	}
	asking->good = asking->known && fresh(record) && strcmp(record->generation, asking->refused) != 0;
}

/* the key of failures: this asking, with these credentials */
static uint64
failure_key(const Asking *asking)
{
	char		hash[65] = "";
	StringInfoData text;
	uint64		key;

	(void) sigv4_payload_hash(asking->credentials, strlen(asking->credentials), hash);
	initStringInfo(&text);
	appendStringInfo(&text, "%u\n%s\n%s\n%s", MyDatabaseId, asking->profile->name, hash, asking->refused);
	key = hash_bytes_extended((const unsigned char *) text.data, text.len, 0);
	pfree(text.data);
	return key;
}

/*
 * With the lock of those who ask: get a token, unless somebody else did, or failed,
 * while this process waited for the lock.
 */
static bool
get_token(Asking *asking, bool waited, int64 began)
{
	uint64		key = failure_key(asking);
	TokenFailure failure;
	Outcome		outcome;

	look(asking, false);
	if (asking->good)
		return true;
	if (waited && token_failure_since(key, began, &failure))
		raise_failure(&failure);
	outcome = order_token(asking->authenticator, asking->profile, asking->refused, &failure);
	if (outcome == OUTCOME_NONE)
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("the process that was to get a token for connector profile \"%s\" did not come to its end",
					   asking->profile->name));
	if (outcome == OUTCOME_ERROR)
	{
		token_failure_note(key, &failure);
		raise_failure(&failure);
	}
	return outcome == OUTCOME_TOKEN;
}

/* Take the lock of those who ask; whether somebody else had it. */
static pg_noinline bool
queue_up(const LOCKTAG *tag, bool outside)
{
	if (LockAcquire(tag, ExclusiveLock, outside, true) != LOCKACQUIRE_NOT_AVAIL)
		return false;
	PG_TRY();
	{
		(void) LockAcquire(tag, ExclusiveLock, outside, false);
	}
	PG_CATCH();
	{
		/* the end of a transaction would see to it */
		LockErrorCleanup();
		PG_RE_THROW();
	}
	PG_END_TRY();
	return true;
}

/* The same, in its turn. */
static bool
get_in_turn(Asking *asking)
{
	LOCKTAG		tag = lock_of(asking->profile->name, LOCK_OF_ASKERS);
	int64		began = loop_now_us();
	bool		waited = queue_up(&tag, asking->outside);
	volatile bool got = false;

	PG_TRY();
	{
		got = get_token(asking, waited, began);
	}
	PG_FINALLY();
	{
		(void) LockRelease(&tag, ExclusiveLock, asking->outside);
	}
	PG_END_TRY();
	return got;
}

/* A token that the credentials bring along. */
static bool
take_given(Asking *asking)
{
	Jsonb	   *own = profile_own_credentials(asking->profile, asking->credentials);
	char	   *given = profile_given_token(asking->profile, own);

	explicit_bzero(own, VARSIZE(own));
	if (given == NULL)
		return false;
	set_token(asking->authenticator, given, "", NULL);
	secret_wipe(given);
	return true;
}

/* All that it allocates is secret. */
static bool
obtain(Authenticator *authenticator, bool renew)
{
	const ProfileRow *profile = authenticator->arg;
	Asking		asking = {
		.authenticator = authenticator,.profile = profile,

		/* a run may have none open while it transfers, and has none while it waits */
		.outside = !IsTransactionState()
	};
	bool		got;

	look(&asking, renew);
	if (!renew && !asking.known && !authenticator->wants_instance && take_given(&asking))
	{
		secret_wipe(asking.credentials);
		return true;
	}
	got = asking.good || get_in_turn(&asking);
	if (asking.good)
		set_token(authenticator, asking.record.token, asking.record.generation, asking.record.instance);
	secret_wipe(asking.record.token);
	secret_wipe(asking.record.refresh_token);
	secret_wipe(asking.credentials);
	return got;
}

bool
profile_obtain_token(Authenticator *authenticator, bool renew)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = wiped_context_create();
	bool		got;

	MemoryContextSwitchTo(context);
	got = obtain(authenticator, renew);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return got;
}

void
profile_exchange_code(const ProfileRow *profile)
{
	char	   *credentials = profile_credentials(profile);
	Jsonb	   *own = profile_own_credentials(profile, credentials);
	char		generation[64];
	TokenRequest request;

	if (profile_brings_code(profile, own) && profile_token_request(profile, own, NULL, true, &request))
	{
		TokenAnswer got;
		Record		record = {0};

		profile_token_client(&request);
		got = token_ask(&request);
		take_answer(&record, &got, generation, sizeof(generation));
		write_record(profile, credentials, &record);
		secret_wipe(got.token);
		secret_wipe(got.refresh_token);
	}
	if (own != NULL)
		explicit_bzero(own, VARSIZE(own));
	secret_wipe(credentials);
}
