/*-------------------------------------------------------------------------
 *
 * own.c
 *	  Objects of C libraries that die with a memory context.
 *
 * IDENTIFICATION
 *	  src/record/own.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/buffer.h"
#include "record/record.h"
#include "utils/memutils.h"

static void
own_reset(void *arg)
{
	own_release(arg);
}

/*
 * The wrapper comes first so that running out of memory while registering
 * cannot leak the object: it does not exist yet.
 */
Owned *
own_in_context(MemoryContext context, void (*free_object) (void *object))
{
	Owned	   *owned = MemoryContextAllocZero(context, sizeof(Owned));

	owned->free_object = free_object;
	owned->callback.func = own_reset;
	owned->callback.arg = owned;
	MemoryContextRegisterResetCallback(context, &owned->callback);
	return owned;
}

/* Free the object now; the context's own end then finds nothing to do. */
void
own_release(Owned *owned)
{
	void	   *object = owned->object;

	owned->object = NULL;
	if (object != NULL)
		owned->free_object(object);
}

static void
free_buffer(void *object)
{
	buffer_free((ByteBuffer *) object);
}

Owned *
own_buffer(MemoryContext context)
{
	Owned	   *owned = own_in_context(context, free_buffer);

	owned->object = MemoryContextAllocZero(context, sizeof(ByteBuffer));
	return owned;
}
