/*-------------------------------------------------------------------------
 *
 * xml_tree_test.c
 *	  XML documents as trees, good and hostile.
 *
 * IDENTIFICATION
 *	  test/unit/xml_tree_test.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/xml_tree.h"
#include "tap.h"

static Arena *arena;

static XmlElement *
read_tree(const char *text, const char **problem)
{
	return xml_tree(arena, text, strlen(text), "urn:sap", "sap:", problem);
}

static void
refused(const char *what, const char *text)
{
	const char *problem = NULL;

	ok(read_tree(text, &problem) == NULL && problem != NULL, "refused: %s (%s)", what, problem ? problem : "-");
}

int
main(void)
{
	const char *problem;
	XmlElement *root;
	XmlElement *b;
	char	   *deep;

	arena = arena_create();
	root = read_tree("<?xml version='1.0'?><x:a xmlns:x='urn:x' xmlns:s='urn:sap' Name='n' s:label='A &amp; B' x:Name='other'>"
					 "<b k='1'/><b k='2'>te<![CDATA[xt]]></b>tail<c/></x:a>", &problem);
	ok(root != NULL && problem == NULL, "a document");
	ok(strcmp(root->name, "a") == 0 && root->parent == NULL && root->text == NULL, "the root goes by its local name");
	ok(strcmp(xml_attribute(root, "sap:label"), "A & B") == 0, "an attribute of the namespace that was named");
	ok(strcmp(xml_attribute(root, "Name"), "n") == 0, "one of none");
	ok(xml_attribute(root, "label") == NULL, "which are not taken for one another");
	b = xml_child(root, "b");
	ok(xml_attribute_is(b, "k", "1") && b->text == NULL, "the first child");
	b = xml_child_with(root, "b", "k", "2");
	ok(b != NULL && strcmp(b->text, "text") == 0 && b->parent == root, "one by an attribute, and its text");
	ok(xml_child_with(root, "b", "k", "3") == NULL && xml_child(root, "d") == NULL, "none");
	ok(!xml_attribute_is(root, "Name", NULL), "an attribute is not nothing");
	ok(root->last == b->next && strcmp(root->last->name, "c") == 0, "in their order");

	refused("nothing", "");
	refused("no end", "<a><b>");
	refused("a page for people", "<html><body><br></body></html>");
	refused("a document type", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>");
	refused("two roots", "<a/><b/>");
	refused("an unknown entity", "<a>&nbsp;</a>");
	refused("no UTF-8", "<a>\xff</a>");
	deep = calloc(1, 1000);
	for (int i = 0; i < 65; i++)
		strcat(deep, "<a>");
	refused("too deep", deep);
	free(deep);
	arena_free(arena);
	return done_testing();
}
