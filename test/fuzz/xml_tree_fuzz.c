/*-------------------------------------------------------------------------
 *
 * xml_tree_fuzz.c
 *	  Any bytes for a document that becomes a tree.
 *
 * IDENTIFICATION
 *	  test/fuzz/xml_tree_fuzz.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/xml_tree.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* all that is said to be there is, and hangs together */
static size_t
walk(const XmlElement *element, const XmlElement *parent)
{
	size_t		total = strlen(element->name) + (element->text == NULL ? 0 : strlen(element->text));
	const XmlElement *last = NULL;

	if (element->parent != parent)
		abort();
	for (const char **a = element->attributes; *a != NULL; a += 2)
		total += strlen(a[0]) + strlen(a[1]);
	for (const XmlElement *c = element->first; c != NULL; c = c->next)
	{
		total += walk(c, element);
		last = c;
	}
	if (last != element->last || (element->text != NULL && element->first != NULL))
		abort();
	return total;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena	   *arena = arena_create();
	const char *problem = NULL;
	XmlElement *root = xml_tree(arena, (const char *) data, size, "urn:a", "a:", &problem);

	if ((root == NULL) != (problem != NULL))
		abort();
	if (root != NULL)
	{
		(void) walk(root, NULL);
		(void) xml_attribute(root, "Version");
		(void) xml_child_with(root, "Schema", "Namespace", "x");
	}
	arena_free(arena);
	return 0;
}
