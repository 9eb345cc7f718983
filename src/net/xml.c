/*-------------------------------------------------------------------------
 *
 * xml.c
 *	  The leaves of a small XML document.
 *
 * IDENTIFICATION
 *	  src/net/xml.c
 *
 *-------------------------------------------------------------------------
 */
#include "net/xml.h"

#include <stdlib.h>
#include <string.h>

#include <expat.h>

#define SEPARATOR '\x01'		/* between namespace and name: in neither */
#define MAX_DEPTH 64

typedef struct OpenElement
{
	char	   *name;
	size_t		number;
	bool		leaf;			/* no element within so far */
} OpenElement;

typedef struct Reading
{
	XML_Parser	parser;
	XmlLeaves  *result;
	size_t		room;
	OpenElement open[MAX_DEPTH];
	int			depth;
	size_t		elements;
	char	   *text;			/* of the innermost element */
	size_t		text_length;
	size_t		text_room;
	bool		failed;
} Reading;

static void
fail(Reading *reading)
{
	reading->failed = true;
	XML_StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL
element_begins(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	Reading    *reading = arg;
	const char *local = strrchr(name, SEPARATOR);
	char	   *copy;

	if (reading->failed)
		return;
	copy = strdup(local == NULL ? name : local + 1);
	if (copy == NULL || reading->depth == MAX_DEPTH)
	{
		free(copy);
		fail(reading);
		return;
	}
	if (reading->depth > 0)
		reading->open[reading->depth - 1].leaf = false;
	reading->open[reading->depth].name = copy;
	reading->open[reading->depth].number = reading->elements++;
	reading->open[reading->depth].leaf = true;
	reading->depth++;
	reading->text_length = 0;
}

static void
add_leaf(Reading *reading, const OpenElement *element)
{
	XmlLeaves  *result = reading->result;
	XmlLeaf    *leaf;
	const OpenElement *parent = reading->depth > 0 ? &reading->open[reading->depth - 1] : NULL;

	if (result->count == reading->room)
	{
		size_t		room = reading->room == 0 ? 64 : reading->room * 2;
		XmlLeaf    *grown = realloc(result->leaves, room * sizeof(XmlLeaf));

		if (grown == NULL)
		{
			fail(reading);
			return;
		}
		result->leaves = grown;
		reading->room = room;
	}
	leaf = &result->leaves[result->count];
	leaf->parent = strdup(parent == NULL ? "" : parent->name);
	leaf->parent_number = parent == NULL ? 0 : parent->number;
	leaf->name = strdup(element->name);
	leaf->text = strndup(reading->text == NULL ? "" : reading->text, reading->text_length);
	result->count++;
	if (leaf->parent == NULL || leaf->name == NULL || leaf->text == NULL)
		fail(reading);
}

static void XMLCALL
element_ends(void *arg, const XML_Char *name)
{
	Reading    *reading = arg;
	OpenElement element;

	if (reading->failed)
		return;
	element = reading->open[--reading->depth];
	if (element.leaf)
		add_leaf(reading, &element);
	if (reading->depth == 0 && !reading->failed)
		reading->result->root = element.name;
	else
		free(element.name);
	reading->text_length = 0;
}

static void XMLCALL
text_comes(void *arg, const XML_Char *text, int length)
{
	Reading    *reading = arg;

	if (reading->failed)
		return;
	if (reading->text_length + length > reading->text_room)
	{
		size_t		room = (reading->text_length + length) * 2;
		char	   *grown = realloc(reading->text, room);

		if (grown == NULL)
		{
			fail(reading);
			return;
		}
		reading->text = grown;
		reading->text_room = room;
	}
	memcpy(reading->text + reading->text_length, text, length);
	reading->text_length += length;
}

/* No service sends one; entities in it can make a small document huge. */
static void XMLCALL
document_type_begins(void *arg, const XML_Char *name, const XML_Char *system,
					 const XML_Char *public, int subset)
{
	fail(arg);
}

XmlLeaves *
xml_leaves(const char *data, size_t length)
{
	Reading    *reading = calloc(1, sizeof(Reading));
	XmlLeaves  *result = calloc(1, sizeof(XmlLeaves));
	bool		good = false;

	if (reading != NULL && result != NULL && length < 1024 * 1024 * 1024)
	{
		reading->result = result;
		reading->parser = XML_ParserCreateNS(NULL, SEPARATOR);
		if (reading->parser != NULL)
		{
			XML_SetUserData(reading->parser, reading);
			XML_SetElementHandler(reading->parser, element_begins, element_ends);
			XML_SetCharacterDataHandler(reading->parser, text_comes);
			XML_SetStartDoctypeDeclHandler(reading->parser, document_type_begins);
			good = XML_Parse(reading->parser, data, (int) length, XML_TRUE) == XML_STATUS_OK &&
				!reading->failed && result->root != NULL;
			XML_ParserFree(reading->parser);
		}
		for (int i = 0; i < reading->depth; i++)
			free(reading->open[i].name);
		free(reading->text);
	}
	free(reading);
	if (!good)
	{
		xml_free(result);
		return NULL;
	}
	return result;
}

const char *
xml_text(const XmlLeaves *leaves, const char *parent, const char *name)
{
	for (size_t i = 0; i < leaves->count; i++)
	{
		if (strcmp(leaves->leaves[i].name, name) == 0 &&
			(parent == NULL || strcmp(leaves->leaves[i].parent, parent) == 0))
			return leaves->leaves[i].text;
	}
	return NULL;
}

void
xml_free(XmlLeaves *leaves)
{
	if (leaves == NULL)
		return;
	for (size_t i = 0; i < leaves->count; i++)
	{
		free((char *) leaves->leaves[i].parent);
		free((char *) leaves->leaves[i].name);
		free((char *) leaves->leaves[i].text);
	}
	free(leaves->leaves);
	free(leaves->root);
	free(leaves);
}
