/*-------------------------------------------------------------------------
 *
 * xml_fuzz.c
 *	  Any bytes for the answer of a service.
 *
 * IDENTIFICATION
 *	  test/fuzz/xml_fuzz.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/xml.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	XmlLeaves  *leaves = xml_leaves((const char *) data, size);

	if (leaves != NULL)
	{
		/* all that is said to be there is */
		size_t		total = strlen(leaves->root);

		for (size_t i = 0; i < leaves->count; i++)
			total += strlen(leaves->leaves[i].parent) + strlen(leaves->leaves[i].name) +
				strlen(leaves->leaves[i].text);
		if (total > 4 * size * (leaves->count + 1))
			abort();
		(void) xml_text(leaves, "Error", "Code");
	}
	xml_free(leaves);
	return 0;
}
