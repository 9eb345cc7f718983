/*-------------------------------------------------------------------------
 *
 * shared_area.h
 *	  Pieces of shared memory, each with a lock at its beginning.
 *
 * With preloading a piece is asked for in time; without, it comes out of the reserve that
 * every server has, so they are small.
 *
 * IDENTIFICATION
 *	  src/net/shared_area.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_SHARED_AREA_H
#define APPFLOW_SHARED_AREA_H

#include "postgres.h"

#include "storage/lwlock.h"

typedef struct SharedArea
{
	const char *name;			/* of the memory, and of waits for the lock */
	Size		size;
	void		(*init) (void *memory);	/* what is to be in it beside the lock and zeroes, or NULL */
	void	   *memory;			/* begins with an LWLock; NULL: not attached */
} SharedArea;

/* Ask for the memory, if the library is being preloaded; for _PG_init(). */
extern void shared_area_request(const SharedArea *area);

/* Have area->memory; raises an error if there is none left. */
extern void shared_area_attach(SharedArea *area);

#endif							/* APPFLOW_SHARED_AREA_H */
