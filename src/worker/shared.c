/*-------------------------------------------------------------------------
 *
 * shared.c
 *	  What the processes of a server know of each other's runs.
 *
 * IDENTIFICATION
 *	  src/worker/shared.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "net/shared_area.h"
#include "storage/condition_variable.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/shared.h"

/* a worker that has not come by then never will */
#define RESERVATION_MS (60 * 1000)

/* runs cancelled before they began, and databases that wait for a worker */
#define MAX_CANCELLED 512
#define MAX_WAITING 128

/* runs that ended properly: as many as may end between a look at a row and a look here */
#define MAX_ENDED 256

typedef struct SharedState
{
	LWLock		lock;
	int64		incarnation;
	ConditionVariable ended;	/* a run has */
	Oid			waiting[MAX_WAITING];	/* who has waited longest in front */
	int			nwaiting;
	pg_uuid_t	cancelled[MAX_CANCELLED];
	int			next_cancelled;
	pg_uuid_t	finished[MAX_ENDED];
	int			next_finished;
	RunSlot		slots[MAX_WORKERS];
} SharedState;

static SharedState *shared;
static RunSlot *own;			/* this worker's slot */

static const pg_uuid_t no_execution;

static void
init(void *memory)
{
	SharedState *state = memory;

	ConditionVariableInit(&state->ended);
	if (!pg_strong_random(&state->incarnation, sizeof(state->incarnation)))
		state->incarnation = GetCurrentTimestamp();
	for (int i = 0; i < MAX_WORKERS; i++)
	{
		RunProgress *progress = &state->slots[i].progress;

		pg_atomic_init_u32(&state->slots[i].cancel, 0);
		pg_atomic_init_u32(&progress->phase, PHASE_STARTING);
		pg_atomic_init_u64(&progress->records, 0);
		pg_atomic_init_u64(&progress->written, 0);
		pg_atomic_init_u64(&progress->filtered, 0);
		pg_atomic_init_u64(&progress->failed, 0);
		pg_atomic_init_u64(&progress->bytes_read, 0);
		pg_atomic_init_u64(&progress->bytes_written, 0);
	}
}

static SharedArea area = {.name = "appflow",.size = sizeof(SharedState),.init = init};

void
shared_request(void)
{
	shared_area_request(&area);
}

static void
attach(void)
{
	shared_area_attach(&area);
	shared = area.memory;
}

int64
shared_incarnation(void)
{
	attach();
	return shared->incarnation;
}

/* ---------- for those who want a run ---------- */

/* the database is to have a worker when there can be one; with the lock */
static void
remember(Oid database)
{
	for (int i = 0; i < shared->nwaiting; i++)
	{
		if (shared->waiting[i] == database)
			return;
	}
	if (shared->nwaiting < MAX_WAITING)
		shared->waiting[shared->nwaiting++] = database;
}

/* a free slot, if those of its kind that are taken are fewer than the limit; with the lock */
static int
reserve(Oid database, int64 subscription, int limit)
{
	TimestampTz now = GetCurrentTimestamp();
	int			used = 0;
	int			result = -1;

	for (int i = 0; i < MAX_WORKERS; i++)
	{
		RunSlot    *slot = &shared->slots[i];

		if (slot->state == SLOT_RESERVED &&
			TimestampDifferenceExceeds(slot->reserved_at, now, RESERVATION_MS))
			slot->state = SLOT_FREE;
		if (slot->state != SLOT_FREE)
			used += (slot->subscription != 0) == (subscription != 0);

		/* take the free slot that has been unused longest: its last run may still be looked at */
		else if (result < 0 || slot->started_at < shared->slots[result].started_at)
			result = i;
	}
	if (used >= limit || result < 0)
		return -1;
	shared->slots[result].state = SLOT_RESERVED;
	shared->slots[result].reserved_at = now;
	shared->slots[result].database = database;
	shared->slots[result].subscription = subscription;
	shared->slots[result].version = 0;
	shared->slots[result].pid = 0;
	shared->slots[result].execution = no_execution;
	shared->slots[result].running = false;
	shared->slots[result].lost = false;
	return result;
}

int
shared_reserve(Oid database, int max_workers)
{
	int			result;

	attach();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	result = reserve(database, 0, max_workers);
	if (result < 0)
		remember(database);
	LWLockRelease(&shared->lock);
	return result;
}

int
shared_reserve_subscription(Oid database, int64 flow_id, int max_subscriptions)
{
	int			result;

	attach();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	result = reserve(database, flow_id, max_subscriptions);
	LWLockRelease(&shared->lock);
	return result;
}

bool
shared_subscribed(Oid database, int64 flow_id)
{
	bool		subscribed = false;

	attach();
	LWLockAcquire(&shared->lock, LW_SHARED);
	for (int i = 0; i < MAX_WORKERS; i++)
	{
		RunSlot    *slot = &shared->slots[i];

		subscribed |= slot->state != SLOT_FREE && slot->subscription == flow_id && slot->database == database;
	}
	LWLockRelease(&shared->lock);
	return subscribed;
}

void
shared_keep_subscriptions(Oid database, int nflows, const int64 *flows, const int64 *versions)
{
	attach();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_WORKERS; i++)
	{
		RunSlot    *slot = &shared->slots[i];
		bool		keep = slot->state != SLOT_WORKING || slot->subscription == 0 || slot->database != database ||
			slot->version == 0;

		for (int j = 0; j < nflows && !keep; j++)
			keep = slot->subscription == flows[j] && slot->version == versions[j];
		if (!keep)
			kill(slot->pid, SIGUSR2);
	}
	LWLockRelease(&shared->lock);
}

int
shared_stop_subscriptions(Oid database)
{
	int			n = 0;

	attach();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_WORKERS; i++)
	{
		RunSlot    *slot = &shared->slots[i];

		if (slot->state != SLOT_WORKING || slot->subscription == 0 || slot->database != database)
			continue;
		kill(slot->pid, SIGTERM);
		n++;
	}
	LWLockRelease(&shared->lock);
	return n;
}

void
shared_unreserve(int slot)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	if (shared->slots[slot].state == SLOT_RESERVED)
		shared->slots[slot].state = SLOT_FREE;
	if (shared->slots[slot].subscription == 0)
		remember(shared->slots[slot].database);
	LWLockRelease(&shared->lock);
}

void
shared_cancel(const pg_uuid_t *execution)
{
	bool		going = false;

	/* the signal is sent before the worker can end this run and begin another */
	attach();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_WORKERS; i++)
	{
		RunSlot    *slot = &shared->slots[i];

		if (slot->state == SLOT_WORKING && slot->running &&
			memcmp(&slot->execution, execution, sizeof(pg_uuid_t)) == 0)
		{
			pg_atomic_write_u32(&slot->cancel, 1);
			going = true;
			kill(slot->pid, SIGINT);
		}
	}
	if (!going)
	{
		shared->cancelled[shared->next_cancelled] = *execution;
		shared->next_cancelled = (shared->next_cancelled + 1) % MAX_CANCELLED;
	}
	LWLockRelease(&shared->lock);
}

void
shared_wait_prepare(void)
{
	attach();
	ConditionVariablePrepareToSleep(&shared->ended);
}

void
shared_wait(long milliseconds)
{
	(void) ConditionVariableTimedSleep(&shared->ended, milliseconds, PG_WAIT_EXTENSION);
}

void
shared_wait_end(void)
{
	ConditionVariableCancelSleep();
}

int
shared_copy_slots(RunSlot *slots)
{
	attach();
	LWLockAcquire(&shared->lock, LW_SHARED);
	memcpy(slots, shared->slots, sizeof(shared->slots));
	LWLockRelease(&shared->lock);
	return MAX_WORKERS;
}

bool
shared_alive(const pg_uuid_t *execution, int64 incarnation)
{
	bool		alive = false;

	attach();
	if (incarnation != shared->incarnation)
		return false;
	LWLockAcquire(&shared->lock, LW_SHARED);
	for (int i = 0; i < MAX_WORKERS; i++)
	{
		RunSlot    *slot = &shared->slots[i];

		if (!slot->lost && memcmp(&slot->execution, execution, sizeof(pg_uuid_t)) == 0)
			alive = true;
	}

	/* the row may have been read before its run ended, and the slot taken by the next since */
	for (int i = 0; i < MAX_ENDED && !alive; i++)
		alive = memcmp(&shared->finished[i], execution, sizeof(pg_uuid_t)) == 0;
	LWLockRelease(&shared->lock);
	return alive;
}

/* ---------- for workers ---------- */

bool
shared_attach(int slot)
{
	bool		ours = false;

	attach();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	if (shared->slots[slot].state == SLOT_RESERVED)
	{
		ours = true;
		own = &shared->slots[slot];
		own->state = SLOT_WORKING;
		own->pid = MyProcPid;
	}
	LWLockRelease(&shared->lock);
	return ours;
}

bool
shared_begin_run(const pg_uuid_t *execution, TimestampTz started_at)
{
	bool		cancelled = false;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_CANCELLED; i++)
	{
		if (memcmp(&shared->cancelled[i], execution, sizeof(pg_uuid_t)) == 0)
		{
			shared->cancelled[i] = no_execution;
			cancelled = true;
		}
	}
	own->execution = *execution;
	own->started_at = started_at;
	own->running = true;
	own->lost = false;
	pg_atomic_write_u32(&own->cancel, cancelled);
	pg_atomic_write_u32(&own->progress.phase, PHASE_STARTING);
	pg_atomic_write_u64(&own->progress.records, 0);
	pg_atomic_write_u64(&own->progress.written, 0);
	pg_atomic_write_u64(&own->progress.filtered, 0);
	pg_atomic_write_u64(&own->progress.failed, 0);
	pg_atomic_write_u64(&own->progress.bytes_read, 0);
	pg_atomic_write_u64(&own->progress.bytes_written, 0);
	LWLockRelease(&shared->lock);
	return !cancelled;
}

void
shared_end_run(void)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	own->running = false;
	shared->finished[shared->next_finished] = own->execution;
	shared->next_finished = (shared->next_finished + 1) % MAX_ENDED;
	LWLockRelease(&shared->lock);
	ConditionVariableBroadcast(&shared->ended);
}

void
shared_set_version(int64 version)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	own->version = version;
	LWLockRelease(&shared->lock);
}

RunProgress *
shared_progress(void)
{
	return &own->progress;
}

bool
shared_cancelled(void)
{
	return own != NULL && own->running && pg_atomic_read_u32(&own->cancel) != 0;
}

bool
shared_others_wait(Oid database)
{
	bool		others = false;

	LWLockAcquire(&shared->lock, LW_SHARED);
	for (int i = 0; i < shared->nwaiting; i++)
		others |= shared->waiting[i] != database;
	LWLockRelease(&shared->lock);
	return others;
}

Oid
shared_detach(bool *lost)
{
	Oid			waiting = InvalidOid;

	*lost = false;
	if (own == NULL)
		return InvalidOid;
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	if (own->running)
		own->lost = *lost = true;
	own->running = false;
	own->state = SLOT_FREE;
	own->pid = 0;
	if (shared->nwaiting > 0 && own->subscription == 0)
	{
		waiting = shared->waiting[0];
		memmove(shared->waiting, shared->waiting + 1, sizeof(Oid) * --shared->nwaiting);
	}
	own = NULL;
	LWLockRelease(&shared->lock);
	ConditionVariableBroadcast(&shared->ended);
	return waiting;
}
