/*-------------------------------------------------------------------------
 *
 * buffer.h
 *	  A growing run of bytes, the output side of every writer in codec/.
 *
 * Plain C on malloc.  Running out of memory sets the failed flag and makes
 * further appends do nothing, so that writers need to look only once, at the
 * end of a batch.
 *
 * IDENTIFICATION
 *	  src/codec/buffer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_BUFFER_H
#define APPFLOW_CODEC_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct ByteBuffer
{
	char	   *data;
	size_t		length;
	size_t		capacity;
	bool		failed;			/* out of memory: contents are incomplete */
} ByteBuffer;

/* make room for more bytes; false (and failed set) when there is none */
static inline bool
buffer_reserve(ByteBuffer *buffer, size_t more)
{
	size_t		need = buffer->length + more;
	size_t		capacity;
	char	   *data;

	if (need <= buffer->capacity)
		return true;
	if (buffer->failed || need < buffer->length)
	{
		buffer->failed = true;
		return false;
	}
	capacity = buffer->capacity ? buffer->capacity * 2 : 1024;
	while (capacity < need)
		capacity *= 2;
	data = realloc(buffer->data, capacity);
	if (data == NULL)
	{
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

static inline void
buffer_append(ByteBuffer *buffer, const void *data, size_t length)
{
	if (length > 0 && buffer_reserve(buffer, length))
	{
		memcpy(buffer->data + buffer->length, data, length);
		buffer->length += length;
	}
}

static inline void
buffer_append_char(ByteBuffer *buffer, char c)
{
	if (buffer_reserve(buffer, 1))
		buffer->data[buffer->length++] = c;
}

static inline void
buffer_append_string(ByteBuffer *buffer, const char *s)
{
	buffer_append(buffer, s, strlen(s));
}

/* keep the memory, drop the contents */
static inline void
buffer_reset(ByteBuffer *buffer)
{
	buffer->length = 0;
}

static inline void
buffer_free(ByteBuffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}

#endif							/* APPFLOW_CODEC_BUFFER_H */
