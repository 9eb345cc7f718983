/*-------------------------------------------------------------------------
 *
 * shared_area.c
 *	  Pieces of shared memory, each with a lock at its beginning.
 *
 * IDENTIFICATION
 *	  src/net/shared_area.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "net/shared_area.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

static Size requested;
static shmem_request_hook_type previous_hook;

static void
request(void)
{
	if (previous_hook)
		previous_hook();
	RequestAddinShmemSpace(requested);
}

void
shared_area_request(const SharedArea *area)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	if (requested == 0)
	{
		previous_hook = shmem_request_hook;
		shmem_request_hook = request;
	}
	requested += MAXALIGN(area->size);
}

void
shared_area_attach(SharedArea *area)
{
	LWLock	   *lock;
	bool		found;

	if (area->memory != NULL)
		return;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	lock = ShmemInitStruct(area->name, area->size, &found);
	if (!found)
	{
		memset(lock, 0, area->size);
		LWLockInitialize(lock, LWLockNewTrancheId());
		if (area->init != NULL)
			area->init(lock);
	}
	LWLockRelease(AddinShmemInitLock);
	LWLockRegisterTranche(lock->tranche, area->name);
	area->memory = lock;
}
