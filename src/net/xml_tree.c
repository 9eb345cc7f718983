/*-------------------------------------------------------------------------
 *
 * xml_tree.c
 *	  An XML document as a tree of elements.
 *
 * IDENTIFICATION
 *	  src/net/xml_tree.c
 *
 *-------------------------------------------------------------------------
 */
#include "net/xml_tree.h"

#include <string.h>

#include <expat.h>

#include "codec/buffer.h"

#define SEPARATOR '\x01'		/* between namespace and name: in neither */
#define MAX_DEPTH 64

typedef struct TreeBuilder
{
	XML_Parser	parser;
	Arena	   *arena;
	XmlElement *root;
	XmlElement *current;
	int			depth;
	ByteBuffer	text;
	const char *namespace;		/* whose attributes have a prefix, or NULL */
	const char *prefix;
	const char *problem;
} TreeBuilder;

static void
give_up(TreeBuilder *builder, const char *problem)
{
	if (builder->problem == NULL)
		builder->problem = problem;
	XML_StopParser(builder->parser, XML_FALSE);
}

static char *
keep(TreeBuilder *builder, const char *prefix, const char *text, size_t length)
{
	size_t		before = strlen(prefix);
	char	   *copy = arena_alloc(builder->arena, before + length + 1);

	if (copy == NULL)
	{
		give_up(builder, "out of memory");
		return NULL;
	}
	memcpy(copy, prefix, before);
	memcpy(copy + before, text, length);
	copy[before + length] = '\0';
	return copy;
}

static const char *
local_name(const char *name)
{
	const char *local = strrchr(name, SEPARATOR);

	return local == NULL ? name : local + 1;
}

static const char **
keep_attributes(TreeBuilder *builder, const XML_Char **attributes)
{
	const char **kept;
	int			count = 0;

	while (attributes[count] != NULL)
		count++;
	kept = arena_alloc(builder->arena, sizeof(char *) * (count + 1));
	if (kept == NULL)
	{
		give_up(builder, "out of memory");
		return NULL;
	}
	for (int i = 0; i < count; i += 2)
	{
		const char *name = local_name(attributes[i]);
		size_t		space = name == attributes[i] ? 0 : name - 1 - attributes[i];
		bool		named = builder->namespace != NULL && space == strlen(builder->namespace) &&
			memcmp(attributes[i], builder->namespace, space) == 0;

		kept[i] = keep(builder, named ? builder->prefix : "", name, strlen(name));
		kept[i + 1] = keep(builder, "", attributes[i + 1], strlen(attributes[i + 1]));
	}
	kept[count] = NULL;
	return kept;
}

static void XMLCALL
element_begins(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	TreeBuilder *builder = arg;
	const char *local = local_name(name);
	XmlElement *element;

	if (builder->problem != NULL)
		return;
	if (++builder->depth > MAX_DEPTH)
	{
		give_up(builder, "its elements are nested too deep");
		return;
	}
	element = arena_alloc(builder->arena, sizeof(XmlElement));
	if (element == NULL)
	{
		give_up(builder, "out of memory");
		return;
	}
	memset(element, 0, sizeof(XmlElement));
	element->name = keep(builder, "", local, strlen(local));
	element->attributes = keep_attributes(builder, attributes);
	element->parent = builder->current;
	if (builder->current == NULL)
		builder->root = element;
	else if (builder->current->last == NULL)
		builder->current->first = builder->current->last = element;
	else
	{
		builder->current->last->next = element;
		builder->current->last = element;
	}
	builder->current = element;
	buffer_reset(&builder->text);
}

static void XMLCALL
element_ends(void *arg, const XML_Char *name)
{
	TreeBuilder *builder = arg;

	if (builder->problem != NULL)
		return;
	if (builder->current->first == NULL && builder->text.length > 0)
		builder->current->text = keep(builder, "", builder->text.data, builder->text.length);
	builder->current = builder->current->parent;
	builder->depth--;
	buffer_reset(&builder->text);
}

static void XMLCALL
text_comes(void *arg, const XML_Char *text, int length)
{
	TreeBuilder *builder = arg;

	buffer_append(&builder->text, text, length);
	if (builder->text.failed)
		give_up(builder, "out of memory");
}

/* No service sends one; entities in it can make a small document huge. */
static void XMLCALL
document_type_begins(void *arg, const XML_Char *name, const XML_Char *system,
					 const XML_Char *public, int subset)
{
	give_up(arg, "it has a document type");
}

XmlElement *
xml_tree(Arena *arena, const char *data, size_t length, const char *namespace, const char *prefix, const char **problem)
{
	TreeBuilder builder = {.arena = arena,.namespace = namespace,.prefix = prefix};

	*problem = "it is too large";
	if (length >= 1024 * 1024 * 1024)
		return NULL;
	builder.parser = XML_ParserCreateNS(NULL, SEPARATOR);
	*problem = "out of memory";
	if (builder.parser == NULL)
		return NULL;
	XML_SetUserData(builder.parser, &builder);
	XML_SetElementHandler(builder.parser, element_begins, element_ends);
	XML_SetCharacterDataHandler(builder.parser, text_comes);
	XML_SetStartDoctypeDeclHandler(builder.parser, document_type_begins);
	if (XML_Parse(builder.parser, data, (int) length, XML_TRUE) != XML_STATUS_OK && builder.problem == NULL)
		builder.problem = XML_ErrorString(XML_GetErrorCode(builder.parser));
	XML_ParserFree(builder.parser);
	buffer_free(&builder.text);
	*problem = builder.problem;
	return builder.problem == NULL ? builder.root : NULL;
}

const char *
xml_attribute(const XmlElement *element, const char *name)
{
	for (const char **a = element->attributes; *a != NULL; a += 2)
	{
		if (strcmp(a[0], name) == 0)
			return a[1];
	}
	return NULL;
}

bool
xml_attribute_is(const XmlElement *element, const char *name, const char *value)
{
	const char *found = xml_attribute(element, name);

	return found != NULL && value != NULL && strcmp(found, value) == 0;
}

XmlElement *
xml_child(const XmlElement *element, const char *name)
{
	for (XmlElement *c = element->first; c != NULL; c = c->next)
	{
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

XmlElement *
xml_child_with(const XmlElement *element, const char *name, const char *key, const char *value)
{
	for (XmlElement *c = element->first; c != NULL; c = c->next)
	{
		if (strcmp(c->name, name) == 0 && xml_attribute_is(c, key, value))
			return c;
	}
	return NULL;
}
