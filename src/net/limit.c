/*-------------------------------------------------------------------------
 *
 * limit.c
 *	  How often the services of a profile are asked, in the whole server.
 *
 * A bucket is kept as one time, that at which it will be full again: taking a permit
 * moves it on by what one permit takes to come.  A bucket that is full and not held
 * is as good as one that was never used, so those are the ones to be given up.
 *
 * IDENTIFICATION
 *	  src/net/limit.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>
#include <time.h>

#include "common/hashfn.h"
#include "compat.h"
#include "miscadmin.h"
#include "net/limit.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#define MAX_BUCKETS 256

typedef struct Bucket
{
	Oid			database;		/* InvalidOid: never used */
	uint64		name;			/* hash */
	int64		full;			/* µs: when it is full again */
	int64		held;			/* µs: until when nothing may be sent */
} Bucket;

typedef struct LimitArea
{
	LWLock		lock;
	Bucket		buckets[MAX_BUCKETS];
} LimitArea;

static LimitArea *state;
static shmem_request_hook_type previous_request_hook;

static void
request(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(LimitArea)));
}

void
rate_limit_request_memory(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request;
}

static void
attach(void)
{
	bool		found;

	if (state != NULL)
		return;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	state = ShmemInitStruct("appflow limits", sizeof(LimitArea), &found);
	if (!found)
	{
		memset(state, 0, sizeof(LimitArea));
		LWLockInitialize(&state->lock, LWLockNewTrancheId());
	}
	LWLockRelease(AddinShmemInitLock);
	LWLockRegisterTranche(state->lock.tranche, "appflow limits");
}

/* a clock that all processes share and that only goes forward */
static int64
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* With the lock. */
static Bucket *
find(const RateLimit *limit)
{
	uint64		name = hash_bytes_extended((const unsigned char *) limit->name, (int) strlen(limit->name), 0);
	Bucket	   *oldest = &state->buckets[0];

	for (int i = 0; i < MAX_BUCKETS; i++)
	{
		Bucket	   *bucket = &state->buckets[i];

		if (bucket->database == limit->database && bucket->name == name)
			return bucket;
		if (Max(bucket->full, bucket->held) < Max(oldest->full, oldest->held))
			oldest = bucket;
	}
	*oldest = (Bucket)
	{
		.database = limit->database, .name = name
	};
	return oldest;
}

int64
rate_limit_take(const RateLimit *limit)
{
	int64		now = now_us();
	int64		good = now;
	Bucket	   *bucket;

	attach();
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	bucket = find(limit);
	if (limit->rate > 0)
	{
		int64		period = Max((int64) ceil(1000000.0 / limit->rate), 1);

		/* permits after a pause that the service asked for come one by one, not all at its end */
		bucket->full = Max(bucket->full, now);
		if (bucket->held > now)
			bucket->full = Max(bucket->full, bucket->held + (Max(limit->burst, 1) - 1) * period);
		good = bucket->full - (Max(limit->burst, 1) - 1) * period;
		bucket->full += period;
	}
	good = Max(good, bucket->held);
	LWLockRelease(&state->lock);
	return good <= now ? 0 : (good - now + 999) / 1000;
}

void
rate_limit_hold(const RateLimit *limit, int64 milliseconds)
{
	Bucket	   *bucket;

	attach();
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	bucket = find(limit);
	bucket->held = Max(bucket->held, now_us() + milliseconds * 1000);
	LWLockRelease(&state->lock);
}
