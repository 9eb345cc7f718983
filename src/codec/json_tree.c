/*-------------------------------------------------------------------------
 *
 * json_tree.c
 *	  Small JSON documents as a tree.
 *
 * IDENTIFICATION
 *	  src/codec/json_tree.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/json_tree.h"

#include <stdio.h>
#include <string.h>

#include "codec/json_writer.h"
#include "codec/text.h"

#define MAX_DEPTH 64

/* members of one object, as each is compared with all before it */
#define MAX_MEMBERS 4096

typedef struct Parser
{
	Arena	   *arena;
	const char *start;
	const char *at;
	const char *end;
	CodecError *error;
} Parser;

/* ---------- errors ---------- */

static JsonTree *
fail_at(Parser *parser, const char *where, const char *message)
{
	const char *line_start = parser->start;

	parser->error->line = 1;
	for (const char *p = parser->start; p < where; p++)
	{
		if (*p == '\n')
		{
			parser->error->line++;
			line_start = p + 1;
		}
	}
	parser->error->offset = (uint64_t) (where - parser->start);
	parser->error->column = (uint64_t) (where - line_start) + 1;
	snprintf(parser->error->message, sizeof(parser->error->message), "%s", message);
	return NULL;
}

static JsonTree *
fail(Parser *parser, const char *message)
{
	return fail_at(parser, parser->at, parser->at == parser->end ? "the document ends too early" : message);
}

static void *
out_of_memory(Parser *parser)
{
	memset(parser->error, 0, sizeof(*parser->error));
	snprintf(parser->error->message, sizeof(parser->error->message), "out of memory");
	return NULL;
}

/* ---------- texts ---------- */

static void
skip_space(Parser *parser)
{
	while (parser->at < parser->end &&
		   (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\n' || *parser->at == '\r'))
		parser->at++;
}

static bool
parse_hex(Parser *parser, unsigned *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++, parser->at++)
	{
		char		c = parser->at < parser->end ? *parser->at : '\0';

		if (c >= '0' && c <= '9')
			*value = *value * 16 + (unsigned) (c - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value * 16 + (unsigned) (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			*value = *value * 16 + (unsigned) (c - 'A' + 10);
		else
		{
			(void) fail(parser, "four hexadecimal digits must follow \\u");
			return false;
		}
	}
	return true;
}

static char *
put_utf8(char *out, unsigned c)
{
	if (c < 0x80)
		*out++ = (char) c;
	else if (c < 0x800)
	{
		*out++ = (char) (0xC0 | c >> 6);
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else if (c < 0x10000)
	{
		*out++ = (char) (0xE0 | c >> 12);
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else
	{
		*out++ = (char) (0xF0 | c >> 18);
		*out++ = (char) (0x80 | (c >> 12 & 0x3F));
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	return out;
}

/* what follows a backslash */
static char *
parse_escape(Parser *parser, char *out)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	unsigned	c;
	unsigned	low;

	if (parser->at < parser->end && *parser->at == 'u')
	{
		parser->at++;
		if (!parse_hex(parser, &c))
			return NULL;
		if (c >= 0xD800 && c <= 0xDBFF)
		{
			if (parser->end - parser->at < 2 || parser->at[0] != '\\' || parser->at[1] != 'u')
				return (void *) fail(parser, "a surrogate has no partner");
			parser->at += 2;
			if (!parse_hex(parser, &low))
				return NULL;
			if (low < 0xDC00 || low > 0xDFFF)
				return (void *) fail(parser, "a surrogate has no partner");
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
		}
		else if (c >= 0xDC00 && c <= 0xDFFF)
			return (void *) fail(parser, "a surrogate has no partner");
		if (c == 0)
			return (void *) fail(parser, "text must not contain \\u0000");
		return put_utf8(out, c);
	}
	found = parser->at < parser->end && *parser->at != '\0' ? strchr(from, *parser->at) : NULL;
	if (found == NULL)
		return (void *) fail(parser, "unknown escape in text");
	parser->at++;
	*out = to[found - from];
	return out + 1;
}

/* text in quotes; the result, with its zero, is never longer than what it is made of */
static const char *
parse_text(Parser *parser, size_t *length)
{
	const char *quote = parser->at++;
	const char *close = parser->at;
	char	   *text;
	char	   *out;

	while (close < parser->end && *close != '"')
		close += *close == '\\' && close + 1 < parser->end ? 2 : 1;
	if (close >= parser->end)
		return (void *) fail_at(parser, quote, "text has no end");
	text = arena_alloc(parser->arena, (size_t) (close - quote));
	if (text == NULL)
		return out_of_memory(parser);
	out = text;
	while (*parser->at != '"')
	{
		if ((unsigned char) *parser->at < 0x20)
			return (void *) fail(parser, "text contains a control character");
		if (*parser->at != '\\')
		{
			*out++ = *parser->at++;
			continue;
		}
		parser->at++;
		out = parse_escape(parser, out);
		if (out == NULL)
			return NULL;
	}
	parser->at++;
	*out = '\0';
	*length = (size_t) (out - text);
	return text;
}

/* ---------- values ---------- */

static JsonTree *parse_value(Parser *parser, int depth);

static bool
expect(Parser *parser, char c, const char *message)
{
	skip_space(parser);
	if (parser->at < parser->end && *parser->at == c)
	{
		parser->at++;
		return true;
	}
	(void) fail(parser, message);
	return false;
}

static JsonTree *
parse_member(Parser *parser, const JsonTree *object, int depth)
{
	const char *name;
	const char *where;
	size_t		length;
	JsonTree   *value;

	skip_space(parser);
	where = parser->at;
	if (parser->at == parser->end || *parser->at != '"')
		return fail(parser, "a member's name is missing");
	name = parse_text(parser, &length);
	if (name == NULL)
		return NULL;
	if (object->count == MAX_MEMBERS)
		return fail_at(parser, where, "an object has more than 4096 members");
	if (json_tree_member(object, name) != NULL)
	{
		char		message[sizeof(parser->error->message)];

		snprintf(message, sizeof(message), "the member \"%.100s\" is there twice", name);
		return fail_at(parser, where, message);
	}
	if (!expect(parser, ':', "a colon is missing behind a member's name"))
		return NULL;
	value = parse_value(parser, depth + 1);
	if (value != NULL)
		value->name = name;
	return value;
}

static JsonTree *
parse_container(Parser *parser, JsonTree *tree, int depth)
{
	bool		object = *parser->at == '{';
	char		close = object ? '}' : ']';
	JsonTree  **last = &tree->first;

	tree->kind = object ? JSON_TREE_OBJECT : JSON_TREE_ARRAY;
	if (depth >= MAX_DEPTH)
		return fail(parser, "the document is nested too deeply");
	parser->at++;
	skip_space(parser);
	if (parser->at < parser->end && *parser->at == close)
	{
		parser->at++;
		return tree;
	}
	for (;;)
	{
		JsonTree   *item = object ? parse_member(parser, tree, depth) : parse_value(parser, depth + 1);

		if (item == NULL)
			return NULL;
		*last = item;
		last = &item->next;
		tree->count++;
		skip_space(parser);
		if (parser->at < parser->end && *parser->at == ',')
		{
			parser->at++;
			continue;
		}
		return expect(parser, close, object ? "a comma or a closing brace is missing" :
					  "a comma or a closing bracket is missing") ? tree : NULL;
	}
}

static JsonTree *
parse_word(Parser *parser, JsonTree *tree)
{
	static const struct
	{
		const char *word;
		JsonTreeKind kind;
	}			words[] = {
		{"null", JSON_TREE_NULL}, {"true", JSON_TREE_BOOLEAN}, {"false", JSON_TREE_BOOLEAN},
	};
	const char *start = parser->at;
	size_t		length = 0;
	char	   *text;

	while (start + length < parser->end && start[length] != '\0' &&
		   strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", start[length]) != NULL)
		length++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (length == strlen(words[i].word) && memcmp(start, words[i].word, length) == 0)
		{
			tree->kind = words[i].kind;
			tree->text = tree->kind == JSON_TREE_NULL ? NULL : words[i].word;
			tree->length = tree->kind == JSON_TREE_NULL ? 0 : length;
			parser->at += length;
			return tree;
		}
	}
	if (!text_is_number(start, length))
		return fail(parser, "a value is missing");
	text = arena_alloc(parser->arena, length + 1);
	if (text == NULL)
		return out_of_memory(parser);
	memcpy(text, start, length);
	text[length] = '\0';
	tree->kind = JSON_TREE_NUMBER;
	tree->text = text;
	tree->length = length;
	parser->at += length;
	return tree;
}

static JsonTree *
parse_value(Parser *parser, int depth)
{
	JsonTree   *tree = arena_alloc(parser->arena, sizeof(JsonTree));

	if (tree == NULL)
		return out_of_memory(parser);
	memset(tree, 0, sizeof(*tree));
	skip_space(parser);
	if (parser->at == parser->end)
		return fail(parser, "a value is missing");
	if (*parser->at == '{' || *parser->at == '[')
		return parse_container(parser, tree, depth);
	if (*parser->at != '"')
		return parse_word(parser, tree);
	tree->kind = JSON_TREE_STRING;
	tree->text = parse_text(parser, &tree->length);
	return tree->text == NULL ? NULL : tree;
}

JsonTree *
json_tree_parse(Arena *arena, const char *text, size_t length, CodecError *error)
{
	Parser		parser = {.arena = arena, .start = text, .at = text, .end = text + length, .error = error};
	size_t		valid = text_utf8_check(text, length);
	JsonTree   *tree;

	memset(error, 0, sizeof(*error));
	if (valid < length)
		return fail_at(&parser, text + valid, "the text is not valid UTF-8");
	if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		parser.at += 3;
	tree = parse_value(&parser, 0);
	if (tree == NULL)
		return NULL;
	skip_space(&parser);
	if (parser.at != parser.end)
		return fail_at(&parser, parser.at, "something follows behind the document");
	return tree;
}

/* ---------- looking into it ---------- */

const JsonTree *
json_tree_member(const JsonTree *object, const char *name)
{
	if (object == NULL || object->kind != JSON_TREE_OBJECT)
		return NULL;
	for (const JsonTree *member = object->first; member != NULL; member = member->next)
	{
		if (strcmp(member->name, name) == 0)
			return member;
	}
	return NULL;
}

/* the member or element that the first length bytes of a path name */
static const JsonTree *
step(const JsonTree *tree, const char *path, size_t length)
{
	if (tree->kind == JSON_TREE_OBJECT)
	{
		for (const JsonTree *member = tree->first; member != NULL; member = member->next)
		{
			if (strlen(member->name) == length && memcmp(member->name, path, length) == 0)
				return member;
		}
		return length == 1 && path[0] == '*' ? tree->first : NULL;
	}
	if (tree->kind == JSON_TREE_ARRAY && length > 0 && length < 8)
	{
		const JsonTree *element = tree->first;
		int			number = 0;

		for (size_t i = 0; i < length; i++)
		{
			if (path[i] < '0' || path[i] > '9')
				return NULL;
			number = number * 10 + (path[i] - '0');
		}
		for (; element != NULL && number > 0; number--)
			element = element->next;
		return element;
	}
	return NULL;
}

const JsonTree *
json_tree_find(const JsonTree *tree, const char *path)
{
	while (tree != NULL && *path != '\0')
	{
		const JsonTree *whole = step(tree, path, strlen(path));
		size_t		length = strcspn(path, ".");

		if (whole != NULL)
			return whole;
		if (path[length] == '\0')
			return NULL;
		tree = step(tree, path, length);
		path += length + 1;
	}
	return tree;
}

const char *
json_tree_text(const JsonTree *tree, const char *path)
{
	const JsonTree *found = json_tree_find(tree, path);

	return found == NULL ? NULL : found->text;
}

void
json_tree_append(ByteBuffer *out, const JsonTree *tree)
{
	switch (tree->kind)
	{
		case JSON_TREE_NULL:
			buffer_append_string(out, "null");
			break;
		case JSON_TREE_BOOLEAN:
		case JSON_TREE_NUMBER:
			buffer_append(out, tree->text, tree->length);
			break;
		case JSON_TREE_STRING:
			json_append_string(out, tree->text, tree->length);
			break;
		case JSON_TREE_ARRAY:
		case JSON_TREE_OBJECT:
			buffer_append_char(out, tree->kind == JSON_TREE_ARRAY ? '[' : '{');
			for (const JsonTree *item = tree->first; item != NULL; item = item->next)
			{
				if (item != tree->first)
					buffer_append_char(out, ',');
				if (item->name != NULL)
				{
					json_append_string(out, item->name, strlen(item->name));
					buffer_append_char(out, ':');
				}
				json_tree_append(out, item);
			}
			buffer_append_char(out, tree->kind == JSON_TREE_ARRAY ? ']' : '}');
			break;
	}
}
