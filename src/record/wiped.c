/*-------------------------------------------------------------------------
 *
 * wiped.c
 *	  Memory contexts for secrets, which leave nothing behind.
 *
 * A context of the server's usual kind has its first block right behind its own
 * head.  If that block is large enough, all small chunks are in it, one behind the
 * other, from the first that was ever allocated: so that is where the wiping
 * begins.  Wiping is done by a reset callback, the first to be registered and so
 * the last to be called; after it the server looks at blocks only, not at chunks.
 *
 * IDENTIFICATION
 *	  src/record/wiped.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "record/wiped.h"
#include "utils/memutils.h"

typedef struct Wiped
{
	MemoryContextCallback callback;
	char	   *start;
	size_t		size;
} Wiped;

static void
wipe(void *arg)
{
	Wiped	   *wiped = arg;

	explicit_bzero(wiped->start, wiped->size);
}

/* The same for a whole context, of which chunks are still in use. */
static void
wipe_context(void *arg)
{
	/* a server made for debugging looks at the heads of chunks, and overwrites them itself */
#ifndef CLOBBER_FREED_MEMORY
	wipe(arg);
#endif
}

MemoryContext
wiped_context_create(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow secrets",
												  WIPED_SIZE, WIPED_SIZE, WIPED_SIZE * 4);
	Wiped	   *wiped = MemoryContextAllocZero(context, sizeof(Wiped));
	char	   *end = (char *) context + WIPED_SIZE;

	/* behind this record, which the server has done with when it calls back */
	wiped->start = (char *) (wiped + 1);
	if ((char *) wiped < (char *) context || wiped->start > end)
		elog(ERROR, "a memory context is not made as it should be");
	wiped->size = end - wiped->start;
	wiped->callback.func = wipe_context;
	wiped->callback.arg = wiped;
	MemoryContextRegisterResetCallback(context, &wiped->callback);
	return context;
}

void
wiped_at_reset(void *chunk, size_t size)
{
	Wiped	   *wiped = palloc(sizeof(Wiped));

	wiped->start = chunk;
	wiped->size = size;
	wiped->callback.func = wipe;
	wiped->callback.arg = wiped;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &wiped->callback);
}

char *
wiped_strdup(const char *text)
{
	char	   *copy;

	if (text == NULL)
		return NULL;
	copy = pstrdup(text);
	wiped_at_reset(copy, strlen(copy));
	return copy;
}
