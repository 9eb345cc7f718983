/*-------------------------------------------------------------------------
 *
 * arena.h
 *	  A bump allocator for what lives as long as one batch of records.
 *
 * Plain C on malloc: the owner frees it (PostgreSQL code lets a memory
 * context do so, see own_in_context() in record/own.h).  Never throws; a
 * failed allocation gives NULL.
 *
 * IDENTIFICATION
 *	  src/codec/arena.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_ARENA_H
#define APPFLOW_CODEC_ARENA_H

#include <stddef.h>

typedef struct Arena Arena;

extern Arena *arena_create(void);

/* size bytes, aligned to 8; NULL when memory is exhausted */
extern void *arena_alloc(Arena *arena, size_t size);

/* a copy of length bytes, without a terminator */
extern char *arena_copy(Arena *arena, const char *data, size_t length);

/* forget everything allocated; keeps at most one block (64 kB) for reuse */
extern void arena_reset(Arena *arena);

/* bytes obtained from malloc at present */
extern size_t arena_size(const Arena *arena);

extern void arena_free(Arena *arena);

#endif							/* APPFLOW_CODEC_ARENA_H */
