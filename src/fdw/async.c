/*-------------------------------------------------------------------------
 *
 * async.c
 *	  Foreign scans under an asynchronous append: many servers, or partitions, are
 *	  asked side by side.
 *
 * All transfers of a process move together.  A scan waits for any of them to
 * move, by a descriptor of its own (an event set takes each only once) in which
 * are that of all transfers and a clock, since pauses between attempts and
 * libcurl's own timers show in no socket.
 *
 * IDENTIFICATION
 *	  src/fdw/async.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "fdw/fdw.h"
#include "net/http.h"
#include "record/errors.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#define TICK (20 * 1000 * 1000)		/* ns */

struct AsyncWait
{
	int			epoll;			/* -1: not open */
	int			clock;
	MemoryContextCallback callback;
};

static bool
is_async_capable(ForeignPath *path)
{
	FdwRelation *relation = path->path.parent->fdw_private;

	return ((Member *) linitial(relation->request->members))->options->async_capable;
}

/* ---------- the descriptor ---------- */

static void
close_descriptors(void *arg)
{
	AsyncWait  *wait = arg;

	if (wait->clock >= 0)
	{
		close(wait->clock);
		ReleaseExternalFD();
	}
	if (wait->epoll >= 0)
	{
		close(wait->epoll);
		ReleaseExternalFD();
	}
	wait->clock = wait->epoll = -1;
}

pg_noreturn static void
no_descriptor(void)
{
	ereport(ERROR,
			appflow_error(WF_INTERNAL),
			errmsg("could not make a descriptor to wait for transfers: %m"));
}

static void
add_descriptor(const AsyncWait *wait, int fd)
{
	struct epoll_event event = {.events = EPOLLIN,.data.fd = fd};

	if (epoll_ctl(wait->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		no_descriptor();
}

/* closed with the query's memory, however it ends */
static AsyncWait *
open_descriptors(MemoryContext context)
{
	AsyncWait  *wait = MemoryContextAllocZero(context, sizeof(AsyncWait));
	struct itimerspec tick = {{0, TICK}, {0, TICK}};

	wait->epoll = wait->clock = -1;
	wait->callback.func = close_descriptors;
	wait->callback.arg = wait;
	MemoryContextRegisterResetCallback(context, &wait->callback);
	wait->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (wait->epoll < 0)
		no_descriptor();
	ReserveExternalFD();
	wait->clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (wait->clock < 0)
		no_descriptor();
	ReserveExternalFD();
	if (timerfd_settime(wait->clock, 0, &tick, NULL) != 0)
		no_descriptor();
	add_descriptor(wait, wait->clock);
	add_descriptor(wait, http_wait_descriptor());
	return wait;
}

/* ---------- requests ---------- */

/* A row, the end, or that one has to wait. */
static void
produce(AsyncRequest *areq)
{
	ForeignScanState *node = (ForeignScanState *) areq->requestee;
	FdwScan    *scan = node->fdw_state;
	TupleTableSlot *slot;

	scan->patient = false;
	scan->blocked = false;
	slot = node->ss.ps.ExecProcNodeReal(&node->ss.ps);
	scan->patient = true;
	if (scan->blocked)
		ExecAsyncRequestPending(areq);
	else
		ExecAsyncRequestDone(areq, TupIsNull(slot) ? NULL : slot);
}

static void
async_request(AsyncRequest *areq)
{
	produce(areq);
}

static void
async_configure_wait(AsyncRequest *areq)
{
	ForeignScanState *node = (ForeignScanState *) areq->requestee;
	AppendState *requestor = (AppendState *) areq->requestor;
	FdwScan    *scan = node->fdw_state;

	if (scan->wait == NULL)
		scan->wait = open_descriptors(scan->rows->home);
	AddWaitEventToSet(requestor->as_eventset, WL_SOCKET_READABLE, scan->wait->epoll, NULL, areq);
}

static void
async_notify(AsyncRequest *areq)
{
	FdwScan    *scan = ((ForeignScanState *) areq->requestee)->fdw_state;
	uint64		ticks;

	(void) !read(scan->wait->clock, &ticks, sizeof(ticks));
	produce(areq);
}

void
fdw_async_routine(FdwRoutine *routine)
{
	routine->IsForeignPathAsyncCapable = is_async_capable;
	routine->ForeignAsyncRequest = async_request;
	routine->ForeignAsyncConfigureWait = async_configure_wait;
	routine->ForeignAsyncNotify = async_notify;
}
