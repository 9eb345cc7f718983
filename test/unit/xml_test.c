/*-------------------------------------------------------------------------
 *
 * xml_test.c
 *	  The leaves of XML documents, good and hostile.
 *
 * IDENTIFICATION
 *	  test/unit/xml_test.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "net/xml.h"
#include "tap.h"

static XmlLeaves *
read_xml(const char *text)
{
	return xml_leaves(text, strlen(text));
}

static void
refused(const char *what, const char *text)
{
	XmlLeaves  *leaves = read_xml(text);

	ok(leaves == NULL, "refused: %s", what);
	xml_free(leaves);
}

int
main(void)
{
	XmlLeaves  *leaves = read_xml("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
								  "<r xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\" xmlns:o=\"urn:o\"> x "
								  "<Contents><Key>a&amp;b &#x3c;</Key><o:Size>1</o:Size></Contents>"
								  "<Contents><Key/><Owner><Id>7</Id></Owner></Contents>"
								  "<Truncated><![CDATA[<tr>]]>ue</Truncated></r>\n");
	char		deep[64 * 8 + 1] = "";

	if (ok(leaves != NULL, "a document"))
	{
		is_str(leaves->root, "r", "its root");
		is_int(leaves->count, 5, "its leaves");
		is_str(leaves->leaves[0].text, "a&b <", "entities");
		is_str(leaves->leaves[1].name, "Size", "without its prefix");
		is_str(leaves->leaves[1].parent, "Contents", "its parent");
		ok(leaves->leaves[0].parent_number == leaves->leaves[1].parent_number, "leaves of one parent");
		ok(leaves->leaves[1].parent_number < leaves->leaves[2].parent_number, "leaves of two parents");
		is_str(leaves->leaves[2].text, "", "an empty one");
		is_str(xml_text(leaves, "Owner", "Id"), "7", "found by parent and name");
		is_str(xml_text(leaves, NULL, "Truncated"), "<tr>ue", "found by name, with CDATA");
		ok(xml_text(leaves, "Contents", "Id") == NULL, "not found");
		ok(xml_text(leaves, NULL, "Contents") == NULL, "not a leaf");
	}
	xml_free(leaves);

	refused("nothing", "");
	refused("half", "<a><b>");
	refused("crossed", "<a><b></a></b>");
	refused("two roots", "<a/><b/>");
	refused("no XML", "{\"a\": 1}");
	refused("bytes that are no UTF-8", "<a>\xff</a>");
	refused("a document type", "<!DOCTYPE a><a/>");
	refused("entities that grow",
			"<!DOCTYPE a [<!ENTITY b \"xxxx\"><!ENTITY c \"&b;&b;&b;\">]><a>&c;</a>");
	refused("an entity of a file",
			"<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>");
	for (int i = 0; i < 64; i++)
		strcat(deep, "<a>");
	for (int i = 0; i < 64; i++)
		strcat(deep, "</a>");
	leaves = read_xml(deep);
	ok(leaves != NULL, "64 levels");
	xml_free(leaves);
	memmove(deep + 3, deep, strlen(deep) + 1);
	memcpy(deep, "<b>", 3);
	strcat(deep, "</b>");
	refused("65 levels", deep);
	return done_testing();
}
