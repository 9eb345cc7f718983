/*-------------------------------------------------------------------------
 *
 * loop.h
 *	  All transfers of this process, driven without blocking its interrupts.
 *
 * Transfers only move inside loop_run() and loop_wait(), whichever of them the
 * caller waits for.
 *
 * IDENTIFICATION
 *	  src/net/loop.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_LOOP_H
#define APPFLOW_NET_LOOP_H

#include "postgres.h"

#include <curl/curl.h>
#include <signal.h>

/*
 * Start a transfer.  finished is called, outside of libcurl but with signals
 * blocked, when it has ended; it must not raise errors. The handle's
 * CURLOPT_PRIVATE is handed to it. Returns false if out of memory.
 */
extern bool loop_add(CURL *handle, void (*finished) (void *private, CURLcode result));

/* Take a transfer out, ended or not. Raises no errors. */
extern void loop_remove(CURL *handle);

/* Let all transfers go as far as they can at once. */
extern void loop_run(void);

/*
 * Wait until something happens to a transfer, at most timeout ms (-1: for
 * ever).  Raises the errors of interrupts.
 */
extern void loop_wait(long timeout);

/* Have libcurl ready; before anything else of it is called. */
extern void loop_prepare(void);

/* Has a transfer been made in this process? loop_add() then raises no errors. */
extern bool loop_ready(void);

/*
 * Wait like loop_wait(), but without looking for interrupts and raising errors:
 * for an end that must be short.
 */
extern void loop_run_quietly(int timeout);

/* A descriptor that is readable when loop_run() has something to do but for timers. */
extern int	loop_descriptor(void);

/* Microseconds spent in loop_wait(). */
extern int64 loop_waited(void);

/* Milliseconds, or microseconds, of a clock that only goes forward, the same for all processes. */
extern int64 loop_now(void);
extern int64 loop_now_us(void);

/*
 * Calls into libcurl may start threads (for name lookup), which must not take
 * this process's signals: they inherit what is blocked in between.
 */
extern void loop_block_signals(sigset_t *old);
extern void loop_unblock_signals(const sigset_t *old);

#endif							/* APPFLOW_NET_LOOP_H */
