/*-------------------------------------------------------------------------
 *
 * arena.c
 *	  A bump allocator for what lives as long as one batch of records.
 *
 * Small requests share blocks of 64 kB; a request above a quarter of that
 * gets a block of its own, so that little is lost at the end of a block.
 *
 * IDENTIFICATION
 *	  src/codec/arena.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/arena.h"

#define BLOCK_SIZE ((size_t) 64 * 1024)
#define LARGE_SIZE (BLOCK_SIZE / 4)
#define ALIGN8(n) (((n) + 7) & ~(size_t) 7)

typedef struct Block
{
	struct Block *next;
	size_t		size;			/* bytes from malloc, header included */
} Block;

#define BLOCK_HEADER ALIGN8(sizeof(Block))

struct Arena
{
	Block	   *shared;			/* newest first; requests are cut from the first */
	Block	   *large;			/* one request each */
	char	   *free;			/* what is left of the first shared block */
	size_t		left;
	size_t		size;
};

Arena *
arena_create(void)
{
	return calloc(1, sizeof(Arena));
}

static Block *
block_create(Arena *arena, size_t size)
{
	Block	   *block = malloc(size);

	if (block != NULL)
	{
		block->size = size;
		arena->size += size;
	}
	return block;
}

void *
arena_alloc(Arena *arena, size_t size)
{
	size_t		need = ALIGN8(size);
	Block	   *block;
	char	   *result;

	if (need < size || need > SIZE_MAX - BLOCK_HEADER)
		return NULL;
	if (need == 0)
		need = 8;
	if (need > arena->left)
	{
		if (need > LARGE_SIZE)
		{
			block = block_create(arena, BLOCK_HEADER + need);
			if (block == NULL)
				return NULL;
			block->next = arena->large;
			arena->large = block;
			return (char *) block + BLOCK_HEADER;
		}
		block = block_create(arena, BLOCK_SIZE);
		if (block == NULL)
			return NULL;
		block->next = arena->shared;
		arena->shared = block;
		arena->free = (char *) block + BLOCK_HEADER;
		arena->left = BLOCK_SIZE - BLOCK_HEADER;
	}
	result = arena->free;
	arena->free += need;
	arena->left -= need;
	return result;
}

char *
arena_copy(Arena *arena, const char *data, size_t length)
{
	char	   *copy = arena_alloc(arena, length);

	if (copy != NULL && length > 0)
		memcpy(copy, data, length);
	return copy;
}

/* free a list of blocks but for the one to be kept */
static void
free_blocks(Arena *arena, Block *block, const Block *keep)
{
	while (block != NULL)
	{
		Block	   *next = block->next;

		if (block != keep)
		{
			arena->size -= block->size;
			free(block);
		}
		block = next;
	}
}

void
arena_reset(Arena *arena)
{
	Block	   *keep = arena->shared;

	free_blocks(arena, arena->large, NULL);
	arena->large = NULL;
	free_blocks(arena, arena->shared, keep);
	if (keep != NULL)
	{
		keep->next = NULL;
		arena->free = (char *) keep + BLOCK_HEADER;
		arena->left = BLOCK_SIZE - BLOCK_HEADER;
	}
}

size_t
arena_size(const Arena *arena)
{
	return arena->size;
}

void
arena_free(Arena *arena)
{
	if (arena == NULL)
		return;
	free_blocks(arena, arena->large, NULL);
	free_blocks(arena, arena->shared, NULL);
	free(arena);
}
