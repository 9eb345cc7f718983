/*-------------------------------------------------------------------------
 *
 * manifest_fuzz.c
 *	  Any bytes for a manifest, or for a small document of a service.
 *
 * IDENTIFICATION
 *	  test/fuzz/manifest_fuzz.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connector/manifest.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char		problem[MANIFEST_PROBLEM] = "";
	Arena	   *arena = arena_create();
	CodecError	error;
	const JsonTree *tree = json_tree_parse(arena, (const char *) data, size, &error);

	if (tree == NULL && error.message[0] == '\0')
		abort();
	if (tree != NULL)
	{
		/* what is written again is the same document */
		ByteBuffer	out = {0};
		ByteBuffer	again = {0};
		const JsonTree *copy;

		json_tree_append(&out, tree);
		copy = json_tree_parse(arena, out.data, out.length, &error);
		if (copy == NULL)
			abort();
		json_tree_append(&again, copy);
		if (again.length != out.length || memcmp(again.data, out.data, out.length) != 0)
			abort();
		buffer_free(&out);
		buffer_free(&again);
	}
	if (manifest_parse(arena, (const char *) data, size, (size & 1) != 0, problem) == NULL && problem[0] == '\0')
		abort();
	arena_free(arena);
	return 0;
}
