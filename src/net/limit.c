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

#include "common/hashfn.h"
#include "net/limit.h"
#include "net/loop.h"
#include "net/shared_area.h"

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

static SharedArea area = {.name = "appflow limits",.size = sizeof(LimitArea)};

static LimitArea *
attach(void)
{
	shared_area_attach(&area);
	return area.memory;
}

void
rate_limit_request_memory(void)
{
	shared_area_request(&area);
}

/* With the lock. */
static Bucket *
find(LimitArea *state, const RateLimit *limit)
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
	LimitArea  *state = attach();
	int64		now = loop_now_us();
	int64		good = now;
	Bucket	   *bucket;

	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	bucket = find(state, limit);
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
	LimitArea  *state = attach();
	Bucket	   *bucket;

	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	bucket = find(state, limit);
	bucket->held = Max(bucket->held, loop_now_us() + milliseconds * 1000);
	LWLockRelease(&state->lock);
}
