/*-------------------------------------------------------------------------
 *
 * wiped.h
 *	  Memory contexts for secrets, which leave nothing behind.
 *
 * Functions of the server that read JSON, and ours that take it apart, make copies
 * that nobody could wipe one by one.  In a context of this kind they are wiped all
 * together when it is deleted, after an error too; it is not for being reset.
 * What is larger than WIPED_CHUNK is not wiped: the server keeps it elsewhere.
 *
 * IDENTIFICATION
 *	  src/record/wiped.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_WIPED_H
#define APPFLOW_WIPED_H

#include "postgres.h"

#define WIPED_SIZE (256 * 1024)
#define WIPED_CHUNK (8 * 1024)

/* A context below the current one; switching to it is the caller's. */
extern MemoryContext wiped_context_create(void);

/* Have a chunk of the current memory context wiped when that is reset or deleted. */
extern void wiped_at_reset(void *chunk, size_t size);

/* A copy of a text that is wiped so; NULL for NULL. */
extern char *wiped_strdup(const char *text);

#endif							/* APPFLOW_WIPED_H */
