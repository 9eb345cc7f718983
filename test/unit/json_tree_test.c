/*-------------------------------------------------------------------------
 *
 * json_tree_test.c
 *	  Small JSON documents as trees: what is taken, what is refused and where, and
 *	  what paths lead to.
 *
 * IDENTIFICATION
 *	  test/unit/json_tree_test.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "codec/json_tree.h"
#include "tap.h"

static Arena *arena;

static const JsonTree *
parse(const char *text)
{
	CodecError	error;

	return json_tree_parse(arena, text, strlen(text), &error);
}

static void
refused(const char *text, int line, int column, const char *message)
{
	CodecError	error;
	const JsonTree *tree = json_tree_parse(arena, text, strlen(text), &error);
	char		got[200];
	char		expected[200];

	snprintf(got, sizeof(got), "%d:%d %s", (int) error.line, (int) error.column, error.message);
	snprintf(expected, sizeof(expected), "%d:%d %s", line, column, message);
	ok(tree == NULL, "%.40s is refused", text);
	is_str(got, expected, "and why");
}

/* parsed and written again */
static void
again(const char *text, const char *expected)
{
	ByteBuffer	out = {0};
	const JsonTree *tree = parse(text);

	if (tree != NULL)
		json_tree_append(&out, tree);
	buffer_append_char(&out, '\0');
	is_str(out.data, expected, "%.60s is written again", text);
	buffer_free(&out);
}

static void
leads(const char *text, const char *path, const char *expected)
{
	const char *found = json_tree_text(parse(text), path);

	if (expected == NULL)
		ok(found == NULL, "\"%s\" leads nowhere", path);
	else
		is_str(found, expected, "\"%s\" leads to a text", path);
}

static char *
repeated(const char *unit, int times, const char *tail)
{
	char	   *text = malloc(strlen(unit) * (size_t) times + strlen(tail) + 1);

	text[0] = '\0';
	for (int i = 0; i < times; i++)
		memcpy(text + strlen(unit) * (size_t) i, unit, strlen(unit) + 1);
	strcat(text, tail);
	return text;
}

int
main(void)
{
	char	   *deep;
	char	   *wide;
	size_t		length = 1;

	arena = arena_create();
	again(" { \"a\" : [ 1 , -2.50e+3, true, false, null, \"x\" ] , \"b\" : { } } ",
		  "{\"a\":[1,-2.50e+3,true,false,null,\"x\"],\"b\":{}}");
	again("\"\\u00e9\\ud83d\\ude00\\n\\\\\\/\"", "\"\xc3\xa9\xf0\x9f\x98\x80\\n\\\\/\"");
	again("[]", "[]");
	again("\xEF\xBB\xBF{}", "{}");
	again("123456789012345678901234567890.5", "123456789012345678901234567890.5");
	again("{\"\":1}", "{\"\":1}");

	refused("", 1, 1, "the document ends too early");
	refused("{\"a\":1,\n \"b\":2,\n \"a\":3}", 3, 2, "the member \"a\" is there twice");
	refused("{\"a\":1,}", 1, 8, "a member's name is missing");
	refused("{\"a\" 1}", 1, 6, "a colon is missing behind a member's name");
	refused("{\"a\":1 \"b\":2}", 1, 8, "a comma or a closing brace is missing");
	refused("[1 2]", 1, 4, "a comma or a closing bracket is missing");
	refused("[1,", 1, 4, "the document ends too early");
	refused("[1", 1, 3, "the document ends too early");
	refused("{\"a\"", 1, 5, "the document ends too early");
	refused("\"abc", 1, 1, "text has no end");
	refused("\"abc\\", 1, 1, "text has no end");
	refused("\"a\\x\"", 1, 4, "unknown escape in text");
	refused("\"a\\u12\"", 1, 7, "four hexadecimal digits must follow \\u");
	refused("\"\\u0000\"", 1, 8, "text must not contain \\u0000");
	refused("\"\\ud800x\"", 1, 8, "a surrogate has no partner");
	refused("\"\\ud800\\u0041\"", 1, 14, "a surrogate has no partner");
	refused("\"\\udc00\"", 1, 8, "a surrogate has no partner");
	refused("\"a\nb\"", 1, 3, "text contains a control character");
	refused("01", 1, 1, "a value is missing");
	refused("1.", 1, 1, "a value is missing");
	refused("NaN", 1, 1, "a value is missing");
	refused("True", 1, 1, "a value is missing");
	refused("1 2", 1, 3, "something follows behind the document");
	refused("\"a\xff\"", 1, 3, "the text is not valid UTF-8");
	deep = repeated("[", 65, "");
	refused(deep, 1, 65, "the document is nested too deeply");
	free(deep);

	/* an object of more members than are compared with each other */
	wide = malloc(5000 * 12);
	wide[0] = '{';
	for (int i = 0; i < 4097; i++)
		length += (size_t) sprintf(wide + length, "\"m%d\":0,", i);
	strcpy(wide + length - 1, "}");
	ok(parse(wide) == NULL, "an object of 4097 members is refused");
	free(wide);

	leads("{\"a\":{\"b\":\"x\"}}", "a.b", "x");
	leads("{\"a\":{\"b\":\"x\"},\"a.b\":\"y\"}", "a.b", "y");
	leads("{\"a\":{\"b.c\":\"x\"}}", "a.b.c", "x");
	leads("{\"a\":[{\"b\":\"x\"},{\"b\":\"y\"}]}", "a.1.b", "y");
	leads("{\"a\":[1,2]}", "a.2", NULL);
	leads("{\"a\":[1,2]}", "a.99999999999", NULL);
	leads("{\"a\":[1,2]}", "a.", NULL);
	leads("{\"a\":[1,2]}", "a", NULL);
	leads("{\"a\":null}", "a", NULL);
	leads("{\"a\":null}", "a.b", NULL);
	leads("{\"a\":true}", "a", "true");
	leads("\"x\"", "", "x");
	leads("[\"x\"]", "0", "x");
	ok(json_tree_find(NULL, "a") == NULL && json_tree_member(NULL, "a") == NULL, "nothing leads nowhere");

	/* texts never read beyond their end: every prefix of a document */
	{
		static const char document[] = "{\"a\\u00e9\":[1.5e3,{\"b\":\"\\ud83d\\ude00\"},null,true]}";
		int			taken = 0;

		for (size_t i = 0; i < sizeof(document) - 1; i++)
		{
			CodecError	error;
			char	   *prefix = malloc(i + 1);

			memcpy(prefix, document, i);
			taken += json_tree_parse(arena, prefix, i, &error) != NULL;
			free(prefix);
		}
		is_int(taken, 0, "no prefix of a document is one");
	}
	arena_free(arena);
	return done_testing();
}
