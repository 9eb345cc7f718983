/*-------------------------------------------------------------------------
 *
 * stream_buffer.c
 *	  The bytes between a source and the codec that parses them.
 *
 * IDENTIFICATION
 *	  src/connector/stream_buffer.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector/stream_buffer.h"
#include "miscadmin.h"

#define FIRST_CAPACITY (256 * 1024)

void
stream_buffer_init(StreamBuffer *buffer)
{
	buffer->capacity = FIRST_CAPACITY;
	buffer->data = palloc(buffer->capacity);
	stream_buffer_restart(buffer);
}

void
stream_buffer_restart(StreamBuffer *buffer)
{
	buffer->start = buffer->length = 0;
	buffer->at_end = false;
	buffer->starved = true;
}

void
stream_buffer_consume(StreamBuffer *buffer, size_t count)
{
	buffer->start += count;
	buffer->length -= count;
}

bool
stream_buffer_fill(StreamBuffer *buffer, size_t enough, StreamSource source, void *arg)
{
	if (buffer->start > 0)
	{
		memmove(buffer->data, buffer->data + buffer->start, buffer->length);
		buffer->start = 0;
	}
	if (buffer->length == buffer->capacity)
	{
		if (buffer->capacity >= STREAM_BUFFER_MAX_MB * 1024 * 1024)
			return false;
		buffer->capacity *= 2;
		buffer->data = repalloc(buffer->data, buffer->capacity);
	}
	for (size_t more = 0; more < enough && buffer->length < buffer->capacity;)
	{
		size_t		got;

		CHECK_FOR_INTERRUPTS();
		got = source(arg, buffer->data + buffer->length, buffer->capacity - buffer->length);
		if (got == 0)
		{
			buffer->at_end = true;
			break;
		}
		buffer->length += got;
		more += got;
	}
	buffer->starved = false;
	return true;
}
