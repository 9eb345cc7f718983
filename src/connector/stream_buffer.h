/*-------------------------------------------------------------------------
 *
 * stream_buffer.h
 *	  The bytes between a source and the codec that parses them.
 *
 * A codec reads as many whole records as there are and says how many bytes it is done
 * with; what is left moves to the front when more are got.  Cells point into the
 * buffer, so a batch never spans two fillings of it.
 *
 * IDENTIFICATION
 *	  src/connector/stream_buffer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_STREAM_BUFFER_H
#define APPFLOW_STREAM_BUFFER_H

#include "postgres.h"

/* the largest record that is taken */
#define STREAM_BUFFER_MAX_MB 64

/* bytes to have before parsing goes on: small batches cost */
#define STREAM_BUFFER_ENOUGH (128 * 1024)

/* all the room that there is */
#define STREAM_BUFFER_FULL SIZE_MAX

typedef struct StreamBuffer
{
	char	   *data;			/* in use: data[start .. start + length) */
	size_t		capacity;
	size_t		start;
	size_t		length;
	bool		at_end;			/* there are no more bytes to get */
	bool		starved;		/* the codec cannot go on without more bytes */
} StreamBuffer;

/* Some bytes of the source, at least one unless it has come to its end; waits for them. */
typedef size_t (*StreamSource) (void *arg, char *to, size_t room);

/* In the current memory context. */
extern void stream_buffer_init(StreamBuffer *buffer);

/* Another source begins. */
extern void stream_buffer_restart(StreamBuffer *buffer);

/* The codec is done with so many bytes. */
extern void stream_buffer_consume(StreamBuffer *buffer, size_t count);

/*
 * Get bytes behind those that are in use, until at least so many have come or the
 * buffer is full; false: one record has all of it, and it may not grow.
 */
extern bool stream_buffer_fill(StreamBuffer *buffer, size_t enough, StreamSource source, void *arg);

#endif							/* APPFLOW_STREAM_BUFFER_H */
