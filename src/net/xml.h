/*-------------------------------------------------------------------------
 *
 * xml.h
 *	  The leaves of a small XML document.  Plain C over expat, on malloc.
 *
 * For the answers of services: flat lists of elements, whose namespaces differ
 * between servers and say nothing.  Document types are refused.
 *
 * IDENTIFICATION
 *	  src/net/xml.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_XML_H
#define APPFLOW_NET_XML_H

#include <stdbool.h>
#include <stddef.h>

typedef struct XmlLeaf
{
	const char *parent;			/* local name of the element around it, "" for the root */
	size_t		parent_number;	/* tells elements around apart: grows from one to the next */
	const char *name;			/* local name */
	const char *text;
} XmlLeaf;

typedef struct XmlLeaves
{
	char	   *root;			/* local name of the root */
	XmlLeaf    *leaves;			/* in the order of their ends */
	size_t		count;
} XmlLeaves;

/* NULL: no well-formed document, or out of memory. */
extern XmlLeaves *xml_leaves(const char *data, size_t length);

/* Text of the first leaf of that name, of that parent unless NULL; or NULL. */
extern const char *xml_text(const XmlLeaves *leaves, const char *parent, const char *name);

extern void xml_free(XmlLeaves *leaves);

#endif							/* APPFLOW_NET_XML_H */
