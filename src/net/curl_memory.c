/*-------------------------------------------------------------------------
 *
 * curl_memory.c
 *	  Memory for libcurl, which is wiped when it is given back.
 *
 * Its buffers hold requests with their credentials, and answers with tokens.
 * Each piece of memory has its size before it.
 *
 * IDENTIFICATION
 *	  src/net/curl_memory.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>

#include "net/curl_memory.h"

#define HEAD 16					/* keeps what follows aligned for everything */

static void *
take(size_t size, int zeroed)
{
	char	   *memory;

	if (size > SIZE_MAX - HEAD)
		return NULL;
	memory = zeroed ? calloc(1, size + HEAD) : malloc(size + HEAD);
	if (memory == NULL)
		return NULL;
	memcpy(memory, &size, sizeof(size));
	return memory + HEAD;
}

static size_t
size_of(void *memory)
{
	size_t		size;

	memcpy(&size, (char *) memory - HEAD, sizeof(size));
	return size;
}

static void *
wiped_malloc(size_t size)
{
	return take(size, 0);
}

static void
wiped_free(void *memory)
{
	if (memory == NULL)
		return;
	explicit_bzero(memory, size_of(memory));
	free((char *) memory - HEAD);
}

static void *
wiped_realloc(void *memory, size_t size)
{
	void	   *larger = take(size, 0);

	if (memory == NULL || larger == NULL)
		return larger;
	memcpy(larger, memory, size_of(memory) < size ? size_of(memory) : size);
	wiped_free(memory);
	return larger;
}

static char *
wiped_strdup(const char *text)
{
	size_t		size = strlen(text) + 1;
	char	   *copy = take(size, 0);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}

static void *
wiped_calloc(size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	return take(count * size, 1);
}

CURLcode
curl_memory_init(void)
{
	return curl_global_init_mem(CURL_GLOBAL_DEFAULT, wiped_malloc, wiped_free, wiped_realloc, wiped_strdup, wiped_calloc);
}
