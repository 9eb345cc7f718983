/*-------------------------------------------------------------------------
 *
 * loop.c
 *	  All transfers of this process, driven without blocking its interrupts.
 *
 * One multi handle per process keeps the connections.  It tells which sockets it
 * waits for; they are collected in one epoll descriptor, which WaitLatchOrSocket()
 * can wait for together with the process's latch.  So a cancel, a termination or
 * the postmaster's death is answered at once, whatever a transfer is at.
 *
 * Nothing in a callback of libcurl may raise an error: that would jump over
 * libcurl's frames.
 *
 * IDENTIFICATION
 *	  src/net/loop.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "compat.h"
#include "miscadmin.h"
#include "net/curl_memory.h"
#include "net/loop.h"
#include "portability/instr_time.h"
#include "record/errors.h"
#include "storage/fd.h"
#include "storage/latch.h"

#define MAX_IDLE_CONNECTIONS 8
#define MAX_EVENTS 64

typedef void (*FinishedFunction) (void *private, CURLcode result);

static CURLM *multi = NULL;
static int	epoll_fd = -1;
static int64 timer = -1;		/* when libcurl wants to be called, -1: not */
static FinishedFunction finished_function;
static int64 waited = 0;		/* microseconds */

int64
loop_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64
loop_now(void)
{
	return loop_now_us() / 1000;
}

void
loop_block_signals(sigset_t *old)
{
	sigset_t	all;

	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_BLOCK, &all, old);
}

void
loop_unblock_signals(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* ---------- what libcurl calls ---------- */

static int
want_socket(CURL *handle, curl_socket_t socket, int what, void *arg, void *socket_arg)
{
	struct epoll_event event = {0};

	if (what == CURL_POLL_REMOVE)
	{
		(void) epoll_ctl(epoll_fd, EPOLL_CTL_DEL, socket, &event);
		return 0;
	}
	event.data.fd = socket;
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, socket, &event) != 0 &&
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, socket, &event) != 0)
		return -1;
	return 0;
}

static int
want_timer(CURLM *arg_multi, long timeout, void *arg)
{
	timer = timeout < 0 ? -1 : loop_now() + timeout;
	return 0;
}

/* ---------- the loop ---------- */

void
loop_prepare(void)
{
	static bool global = false;
	sigset_t	signals;
	CURLM	   *made;

	if (multi != NULL)
		return;

	/* once, and never undone: others in this process may use libcurl too */
	if (!global && curl_memory_init() != CURLE_OK)
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("could not initialize libcurl"));
	global = true;

	if (epoll_fd < 0)
	{
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_fd < 0)
			ereport(ERROR,
					appflow_error(WF_INTERNAL),
					errmsg("could not create an epoll descriptor: %m"));
		ReserveExternalFD();
	}

	loop_block_signals(&signals);
	made = curl_multi_init();
	if (made != NULL)
	{
		curl_multi_setopt(made, CURLMOPT_SOCKETFUNCTION, want_socket);
		curl_multi_setopt(made, CURLMOPT_TIMERFUNCTION, want_timer);
		curl_multi_setopt(made, CURLMOPT_MAXCONNECTS, (long) MAX_IDLE_CONNECTIONS);
		multi = made;
	}
	loop_unblock_signals(&signals);
	if (multi == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
}

/* Hand ended transfers over. With signals blocked. */
static void
collect_finished(void)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		CURL	   *handle = message->easy_handle;
		CURLcode	result = message->data.result;
		void	   *private = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;

		/* the message is gone once its handle is */
		curl_easy_getinfo(handle, CURLINFO_PRIVATE, &private);
		curl_multi_remove_handle(multi, handle);
		finished_function(private, result);
	}
}

/* Returns whether there was anything to do. */
static bool
run_ready(void)
{
	struct epoll_event events[MAX_EVENTS];
	int			n = epoll_wait(epoll_fd, events, MAX_EVENTS, 0);
	bool		due = timer >= 0 && loop_now() >= timer;
	sigset_t	signals;
	int			running;

	if (n <= 0 && !due)
		return false;

	loop_block_signals(&signals);
	for (int i = 0; i < n; i++)
	{
		int			what = 0;

		/* an error comes to light when libcurl reads or writes */
		if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			what |= CURL_CSELECT_IN;
		if (events[i].events & (EPOLLOUT | EPOLLERR))
			what |= CURL_CSELECT_OUT;
		curl_multi_socket_action(multi, events[i].data.fd, what, &running);
	}
	if (due)
	{
		timer = -1;
		curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	collect_finished();
	loop_unblock_signals(&signals);
	return true;
}

bool
loop_add(CURL *handle, void (*finished) (void *private, CURLcode result))
{
	sigset_t	signals;
	bool		added;

	loop_prepare();
	finished_function = finished;
	loop_block_signals(&signals);
	added = curl_multi_add_handle(multi, handle) == CURLM_OK;
	loop_unblock_signals(&signals);
	return added;
}

void
loop_remove(CURL *handle)
{
	sigset_t	signals;

	loop_block_signals(&signals);
	curl_multi_remove_handle(multi, handle);
	loop_unblock_signals(&signals);
}

void
loop_run(void)
{
	CHECK_FOR_INTERRUPTS();
	if (multi != NULL)
		(void) run_ready();
}

void
loop_wait(long timeout)
{
	static uint32 wait_event = 0;
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
	instr_time	begin;
	instr_time	end;
	int			happened;

	CHECK_FOR_INTERRUPTS();
	loop_prepare();
	if (run_ready())
		return;

	if (timer >= 0)
	{
		int64		left = Max(timer - loop_now(), 0);

		if (timeout < 0 || left < timeout)
			timeout = (long) left;
	}
	if (timeout >= 0)
		events |= WL_TIMEOUT;
	if (wait_event == 0)
		wait_event = extension_wait_event("AppflowHttp");
	INSTR_TIME_SET_CURRENT(begin);
	happened = WaitLatchOrSocket(MyLatch, events | WL_SOCKET_READABLE, epoll_fd, timeout, wait_event);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, begin);
	waited += INSTR_TIME_GET_MICROSEC(end);
	if (happened & WL_LATCH_SET)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	(void) run_ready();
}

int
loop_descriptor(void)
{
	loop_prepare();
	return epoll_fd;
}

int64
loop_waited(void)
{
	return waited;
}

bool
loop_ready(void)
{
	return multi != NULL;
}

void
loop_run_quietly(int timeout)
{
	struct epoll_event event;

	if (timer >= 0)
		timeout = (int) Min(Max(timer - loop_now(), 0), timeout);
	if (!run_ready())
		(void) epoll_wait(epoll_fd, &event, 1, timeout);
	(void) run_ready();
}
