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

#include "flow/token_failure.h"
#include "net/loop.h"
#include "net/shared_area.h"

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

static SharedArea shared = {.name = "appflow token failures",.size = sizeof(FailureArea)};

static FailureArea *
attach(void)
{
	shared_area_attach(&shared);
	return shared.memory;
}

void
token_failure_request_memory(void)
{
	shared_area_request(&shared);
}

void
token_failure_note(uint64 key, const TokenFailure *failure)
{
	FailureArea *area = attach();
	Noted	   *chosen;

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
		key, loop_now_us(), *failure
	};
	LWLockRelease(&area->lock);
}

bool
token_failure_since(uint64 key, int64 then, TokenFailure *failure)
{
	FailureArea *area = attach();
	bool		found = false;

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
