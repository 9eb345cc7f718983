/*-------------------------------------------------------------------------
 *
 * xml_tree.h
 *	  An XML document as a tree of elements.  Plain C over expat, on malloc.
 *
 * Names are local: namespaces differ between servers, and most say nothing.  An
 * attribute of a namespace that the caller names has a prefix of the caller's before
 * its name.  Document types are refused.
 *
 * IDENTIFICATION
 *	  src/net/xml_tree.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_NET_XML_TREE_H
#define APPFLOW_NET_XML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/arena.h"

typedef struct XmlElement XmlElement;
struct XmlElement
{
	const char *name;
	const char **attributes;	/* names and values in turn, NULL at the end */
	const char *text;			/* of an element without others in it; NULL: none */
	XmlElement *parent;
	XmlElement *first;			/* child */
	XmlElement *last;
	XmlElement *next;			/* sibling */
};

/*
 * The root, in the arena; NULL if it is no well-formed document or memory is out,
 * with the reason in *problem, which is static.  namespace may be NULL.
 */
extern XmlElement *xml_tree(Arena *arena, const char *data, size_t length,
							const char *namespace, const char *prefix, const char **problem);

/* The value of an attribute, or NULL. */
extern const char *xml_attribute(const XmlElement *element, const char *name);

/* Has it that value? */
extern bool xml_attribute_is(const XmlElement *element, const char *name, const char *value);

/* The first child of that name, or NULL; the second form: with an attribute of that value. */
extern XmlElement *xml_child(const XmlElement *element, const char *name);
extern XmlElement *xml_child_with(const XmlElement *element, const char *name, const char *key, const char *value);

#endif							/* APPFLOW_NET_XML_TREE_H */
