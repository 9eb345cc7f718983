/*-------------------------------------------------------------------------
 *
 * token_failure.c
 *	  Failures to get a token, told to those who waited for it.
 *
 * A few of the latest are kept.  One that is pushed out by others costs a request
 * more, nothing else.
 *
 * IDENTIFICATION
 *	  src/flow/token_failure.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "compat.h"
#include "flow/token_failure.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#define MAX_FAILURES 16

typedef struct Noted
{
	uint64		key;
	int64		at;				/* 0: never */
	TokenFailure failure;
} Noted;

typedef struct FailureArea
{
	LWLock		lock;
	Noted		noted[MAX_FAILURES];
} FailureArea;

static FailureArea *area;
static shmem_request_hook_type previous_request_hook;

static void
request(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(FailureArea)));
}

void
token_failure_request_memory(void)
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

	if (area != NULL)
		return;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	area = ShmemInitStruct("appflow token failures", sizeof(FailureArea), &found);
	if (!found)
	{
		memset(area, 0, sizeof(FailureArea));
		LWLockInitialize(&area->lock, LWLockNewTrancheId());
	}
	LWLockRelease(AddinShmemInitLock);
	LWLockRegisterTranche(area->lock.tranche, "appflow token failures");
}

/* µs of a clock that all processes share and that only goes forward */
int64
token_failure_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void
token_failure_note(uint64 key, const TokenFailure *failure)
{
	Noted	   *chosen;

	attach();
	LWLockAcquire(&area->lock, LW_EXCLUSIVE);
	chosen = &area->noted[0];
	for (int i = 0; i < MAX_FAILURES; i++)
	{
		if (area->noted[i].key == key)
		{
			chosen = &area->noted[i];
			break;
		}
		if (area->noted[i].at < chosen->at)
			chosen = &area->noted[i];
	}
	*chosen = (Noted)
	{
		key, token_failure_now(), *failure
	};
	LWLockRelease(&area->lock);
}

bool
token_failure_since(uint64 key, int64 then, TokenFailure *failure)
{
	bool		found = false;

	attach();
	LWLockAcquire(&area->lock, LW_SHARED);
	for (int i = 0; i < MAX_FAILURES && !found; i++)
	{
		if (area->noted[i].key != key || area->noted[i].at < then)
			continue;
		*failure = area->noted[i].failure;
		found = true;
	}
	LWLockRelease(&area->lock);
	return found;
}
