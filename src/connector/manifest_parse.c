/*-------------------------------------------------------------------------
 *
 * manifest_parse.c
 *	  Manifests from JSON, by the tables of manifest_keys.c.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_parse.c
 *
 *-------------------------------------------------------------------------
 */
#include "connector/manifest_keys.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* ---------- the parser ---------- */

typedef struct Parser
{
	Arena	   *arena;
	char	   *problem;
	char		place[200];
	size_t		length;			/* of place */
} Parser;

__attribute__((format(printf, 2, 3)))
static bool
fail(Parser *parser, const char *fmt,...)
{
	va_list		ap;
	int			written = snprintf(parser->problem, MANIFEST_PROBLEM, "%s%s", parser->place,
								   parser->length > 0 ? ": " : "");

	va_start(ap, fmt);
	vsnprintf(parser->problem + written, (size_t) (MANIFEST_PROBLEM - written), fmt, ap);
	va_end(ap);
	return false;
}

/* go into a member, or (name NULL) an element; returns what leave() wants */
static size_t
enter(Parser *parser, const char *name, int number)
{
	size_t		before = parser->length;
	size_t		room = sizeof(parser->place) - before;
	int			written;

	if (name == NULL)
		written = snprintf(parser->place + before, room, "[%d]", number);
	else
		written = snprintf(parser->place + before, room, "%s%.60s", before > 0 ? "." : "", name);
	parser->length += (size_t) written < room ? (size_t) written : room - 1;
	return before;
}

static void
leave(Parser *parser, size_t before)
{
	parser->length = before;
	parser->place[before] = '\0';
}

static void *
allocate(Parser *parser, size_t size)
{
	void	   *memory = arena_alloc(parser->arena, size == 0 ? 1 : size);

	if (memory == NULL)
		fail(parser, "out of memory");
	else
		memset(memory, 0, size);
	return memory;
}

/* ---------- what somebody may have meant ---------- */

/* between what is written and what may be meant, for names of which there are many */
#define MAX_EDITS 2

/* edits that make one of the other */
static int
distance(const char *a, const char *b)
{
	int			row[40];
	int			length = (int) strlen(b);

	if (length >= LENGTH(row) || strlen(a) >= sizeof(row) / sizeof(row[0]))
		return INT_MAX;
	for (int i = 0; i <= length; i++)
		row[i] = i;
	for (int i = 1; a[i - 1] != '\0'; i++)
	{
		int			diagonal = row[0];

		row[0] = i;
		for (int k = 1; k <= length; k++)
		{
			int			up = row[k];
			int			least = diagonal + ((a[i - 1] | 0x20) != (b[k - 1] | 0x20));

			if (up + 1 < least)
				least = up + 1;
			if (row[k - 1] + 1 < least)
				least = row[k - 1] + 1;
			row[k] = least;
			diagonal = up;
		}
	}
	return row[length];
}

typedef struct Nearest
{
	const char *name;
	int			distance;
} Nearest;

static void
nearer(Nearest *nearest, const char *wrong, const char *name)
{
	int			edits = distance(wrong, name);

	if (name[0] != '\0' && (nearest->name == NULL || edits < nearest->distance))
	{
		nearest->name = name;
		nearest->distance = edits;
	}
}

static void
nearest_key(Nearest *nearest, const char *wrong, const KeyTable *table)
{
	for (int i = 0; i < table->count; i++)
	{
		if (table->keys[i].kind == KEY_INCLUDE)
			nearest_key(nearest, wrong, table->keys[i].table);
		else
			nearer(nearest, wrong, table->keys[i].name);
	}
}

/* a known name that is near enough to be meant, or all of them */
static bool
fail_name(Parser *parser, const char *what, const char *wrong, const char *const *names)
{
	Nearest		nearest = {0};
	char		all[300] = "";

	for (int i = 0; names[i] != NULL; i++)
	{
		nearer(&nearest, wrong, names[i]);
		if (names[i][0] != '\0')
			snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", all[0] ? ", " : "", names[i]);
	}
	if (nearest.name != NULL && nearest.distance <= MAX_EDITS)
		return fail(parser, "unknown %s \"%.60s\"; the nearest is \"%s\"", what, wrong, nearest.name);
	return fail(parser, "unknown %s \"%.60s\"; there are: %s", what, wrong, all);
}

/* ---------- templates ---------- */

bool
template_next(const char **template, TemplatePiece *piece)
{
	const char *p = *template;
	size_t		length;

	if (*p == '\0')
		return false;
	if (p[0] == '{' && p[1] != '{')
	{
		length = strcspn(p, "}");
		piece->value = true;
		piece->text = p + 1;
		piece->length = length - 1;
		*template = p + length + (p[length] == '}');
		return true;
	}
	piece->value = false;
	piece->text = p;
	if (*p == '{' || *p == '}')
	{
		piece->length = 1;
		*template = p + 1 + (p[1] == p[0]);
		return true;
	}
	piece->length = strcspn(p, "{}");
	*template = p + piece->length;
	return true;
}

bool
template_names(const char *template, const char *value)
{
	TemplatePiece piece;
	size_t		length = strlen(value);
	bool		begins = length > 0 && value[length - 1] == '.';

	while (template != NULL && template_next(&template, &piece))
	{
		if (piece.value && (begins ? piece.length > length : piece.length == length) &&
			memcmp(piece.text, value, length) == 0)
			return true;
	}
	return false;
}

static bool
check_value(Parser *parser, const TemplatePiece *piece, unsigned may)
{
	char		name[64];
	Nearest		nearest = {0};

	if (piece->length == 0 || piece->length >= sizeof(name))
		return fail(parser, "a template has {} without the name of a value");
	memcpy(name, piece->text, piece->length);
	name[piece->length] = '\0';
	for (int i = 0; i < template_value_count; i++)
	{
		const TemplateValue *value = &template_values[i];
		size_t		length = strlen(value->name);

		if ((value->group & may) == 0)
			continue;
		if (value->name[length - 1] == '.' ? strncmp(name, value->name, length) == 0 && name[length] != '\0' :
			strcmp(name, value->name) == 0)
			return true;
		nearer(&nearest, name, value->name);
	}
	if (nearest.name != NULL && nearest.distance <= MAX_EDITS)
		return fail(parser, "there is no value {%s} here; the nearest is {%s}", name, nearest.name);
	return fail(parser, "there is no value {%s} here", name);
}

static bool
check_template(Parser *parser, const char *template, unsigned may)
{
	const char *rest = template;
	TemplatePiece piece;

	while (template_next(&rest, &piece))
	{
		if (piece.value && piece.text[piece.length] != '}')
			return fail(parser, "a brace is not closed; \"{{\" means a brace");
		if (!piece.value && piece.length == 1 && piece.text[0] == '}' && piece.text[1] != '}')
			return fail(parser, "a brace is closed that was not opened; \"}}\" means a brace");
		if (piece.value && !check_value(parser, &piece, may))
			return false;
		if (piece.value && strncmp(piece.text, "ago.", 4) == 0 &&
			(piece.length > 13 || strspn(piece.text + 4, "0123456789") != piece.length - 4))
			return fail(parser, "{%.*s} does not say how many seconds ago", (int) (piece.length > 40 ? 40 : piece.length),
						piece.text);
	}
	return true;
}

static bool
check_body(Parser *parser, const JsonTree *tree, unsigned may)
{
	if (tree->kind == JSON_TREE_STRING && !check_template(parser, tree->text, may))
		return false;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		if (!check_body(parser, item, may))
			return false;
	}
	return true;
}

/* ---------- values ---------- */

static const char *const kind_words[] = {"null", "a boolean", "a number", "text", "an array", "an object"};

static bool
want(Parser *parser, const JsonTree *tree, JsonTreeKind kind)
{
	if (tree->kind == kind)
		return true;
	return fail(parser, "this must be %s, not %s", kind_words[kind], kind_words[tree->kind]);
}

static bool
read_number(Parser *parser, const Key *key, const JsonTree *tree, int *number)
{
	char	   *end;
	long long	value;

	if (!want(parser, tree, JSON_TREE_NUMBER))
		return false;
	value = strtoll(tree->text, &end, 10);
	if (*end != '\0' || value < key->minimum || value > key->maximum)
		return fail(parser, "%.30s is not a whole number from %d to %d", tree->text, key->minimum, key->maximum);
	*number = (int) value;
	return true;
}

static int
find_name(const char *const *names, const char *name)
{
	for (int i = 0; names[i] != NULL; i++)
	{
		if (names[i][0] != '\0' && strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

static bool
fail_type(Parser *parser, const char *name)
{
	const char *names[32] = {0};

	for (int i = 0; i < manifest_type_count && i < LENGTH(names) - 1; i++)
		names[i] = manifest_types[i].name;
	return fail_name(parser, "type", name, names);
}

/* one scalar, or an array of them */
static bool
read_texts(Parser *parser, const JsonTree *tree, ManifestTexts *texts, bool templates, unsigned may)
{
	bool		array = tree->kind == JSON_TREE_ARRAY;
	int			i = 0;

	texts->items = allocate(parser, sizeof(char *) * (size_t) (array ? tree->count : 1));
	if (texts->items == NULL)
		return false;
	for (const JsonTree *item = array ? tree->first : tree; item != NULL; item = array ? item->next : NULL)
	{
		size_t		before = array ? enter(parser, NULL, i) : parser->length;

		if (item->text == NULL)
			return want(parser, item, JSON_TREE_STRING);
		if (templates && !check_template(parser, item->text, may))
			return false;
		texts->items[i++] = item->text;
		leave(parser, before);
	}
	texts->count = i;
	return true;
}

static bool
read_text_lists(Parser *parser, const JsonTree *tree, ManifestLists *lists)
{
	int			i = 0;

	if (!want(parser, tree, JSON_TREE_ARRAY))
		return false;
	lists->items = allocate(parser, sizeof(ManifestTexts) * (size_t) tree->count);
	if (lists->items == NULL)
		return false;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		size_t		before = enter(parser, NULL, i);

		if (!read_texts(parser, item, &lists->items[i++], false, 0))
			return false;
		leave(parser, before);
	}
	lists->count = i;
	return true;
}

static bool
read_pairs(Parser *parser, const JsonTree *tree, ManifestPairs *pairs, KeyKind kind, unsigned may)
{
	if (!want(parser, tree, JSON_TREE_OBJECT))
		return false;
	pairs->items = allocate(parser, sizeof(ManifestPair) * (size_t) tree->count);
	if (pairs->items == NULL)
		return false;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		size_t		before = enter(parser, item->name, 0);

		if (item->text == NULL)
			return want(parser, item, JSON_TREE_STRING);
		if (kind == KEY_TEMPLATE_PAIRS && !check_template(parser, item->text, may))
			return false;
		if (kind == KEY_TYPE_PAIRS && manifest_type_find(item->text) < 0)
			return fail_type(parser, item->text);
		pairs->items[pairs->count++] = (ManifestPair)
		{
			item->name, item->text
		};
		leave(parser, before);
	}
	return true;
}

static bool
read_formats(Parser *parser, const JsonTree *tree, ManifestFormats *formats)
{
	if (!want(parser, tree, JSON_TREE_OBJECT))
		return false;
	formats->items = allocate(parser, sizeof(ManifestFormatRule) * (size_t) tree->count);
	if (formats->items == NULL)
		return false;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		size_t		before = enter(parser, item->name, 0);
		ManifestFormatRule *rule = &formats->items[formats->count++];
		int			format;

		rule->type = -1;
		if (strcmp(item->name, "*") != 0)
		{
			rule->type = manifest_type_find(item->name);
			if (rule->type < 0)
				return fail_type(parser, item->name);
			if (manifest_types[rule->type].type != FIELD_DATE && manifest_types[rule->type].type != FIELD_DATETIME &&
				manifest_types[rule->type].type != FIELD_TIMESTAMP)
				return fail(parser, "only the types Date, DateTime and Timestamp have formats");
		}
		if (!want(parser, item, JSON_TREE_STRING))
			return false;
		format = find_name(manifest_format_names, item->text);
		if (format < 0)
			return fail_name(parser, "format", item->text, manifest_format_names);
		rule->format = (ManifestFormat) format;
		leave(parser, before);
	}
	return true;
}

/* names of a list as bits; of types, the bits are those of FieldType */
static bool
read_set(Parser *parser, const Key *key, const JsonTree *tree, unsigned *set)
{
	ManifestTexts texts = {0};

	if (!read_texts(parser, tree, &texts, false, 0))
		return false;
	*set = 0;
	for (int i = 0; i < texts.count; i++)
	{
		int			found = key->kind == KEY_TYPES ? manifest_type_find(texts.items[i]) :
			find_name(key->names, texts.items[i]);

		if (found < 0)
			return key->kind == KEY_TYPES ? fail_type(parser, texts.items[i]) :
				fail_name(parser, "name", texts.items[i], key->names);
		*set |= 1U << (key->kind == KEY_TYPES ? (int) manifest_types[found].type : found);
	}
	return true;
}

static bool fill(Parser *parser, const KeyTable *table, const JsonTree *tree, void *target, unsigned may);

/* arrays of any structure look like this */
typedef struct Objects
{
	int			count;
	void	   *items;
} Objects;

static bool
read_objects(Parser *parser, const Key *key, const JsonTree *tree, Objects *objects, unsigned may)
{
	bool		array = tree->kind == JSON_TREE_ARRAY;
	const JsonTree *item = array ? tree->first : tree;
	int			count = array ? tree->count : 1;

	if (!array && key->kind == KEY_OBJECTS)
		return want(parser, tree, JSON_TREE_ARRAY);
	objects->items = allocate(parser, key->table->size * (size_t) count);
	if (objects->items == NULL)
		return false;
	objects->count = count;
	for (int i = 0; i < count; i++, item = item->next)
	{
		size_t		before = array ? enter(parser, NULL, i) : parser->length;

		if (!fill(parser, key->table, item, (char *) objects->items + key->table->size * (size_t) i, may))
			return false;
		leave(parser, before);
	}
	return true;
}

static bool
read_writes(Parser *parser, const Key *key, const JsonTree *tree, void **writes, unsigned may)
{
	if (!want(parser, tree, JSON_TREE_OBJECT))
		return false;
	for (const JsonTree *item = tree->first; item != NULL; item = item->next)
	{
		size_t		before = enter(parser, item->name, 0);
		int			operation = find_name(key->names, item->name);

		if (operation < 0)
			return fail_name(parser, "write operation", item->name, key->names);
		writes[operation] = allocate(parser, key->table->size);
		if (writes[operation] == NULL || !fill(parser, key->table, item, writes[operation], may))
			return false;
		leave(parser, before);
	}
	return true;
}

static bool
read_numbers(Parser *parser, const Key *key, const JsonTree *tree, Objects *numbers)
{
	const JsonTree *item = tree->first;
	int		   *items;

	if (!want(parser, tree, JSON_TREE_ARRAY))
		return false;
	items = allocate(parser, sizeof(int) * (size_t) tree->count);
	if (items == NULL)
		return false;
	for (int i = 0; i < tree->count; i++, item = item->next)
	{
		if (!read_number(parser, key, item, &items[i]))
			return false;
	}
	numbers->items = items;
	numbers->count = tree->count;
	return true;
}

static bool
read_value(Parser *parser, const Key *key, const JsonTree *tree, void *target, unsigned may)
{
	void	  **pointer = target;
	int			found;

	may |= key->adds;
	switch (key->kind)
	{
		case KEY_INCLUDE:
			return true;
		case KEY_TEXT:
		case KEY_PATH:
		case KEY_TEMPLATE:
			if (!want(parser, tree, JSON_TREE_STRING))
				return false;
			*(const char **) target = tree->text;
			return key->kind != KEY_TEMPLATE || check_template(parser, tree->text, may);
		case KEY_TEXTS:
		case KEY_TEMPLATES:
			return read_texts(parser, tree, target, key->kind == KEY_TEMPLATES, may);
		case KEY_TEXT_LISTS:
			return read_text_lists(parser, tree, target);
		case KEY_PAIRS:
		case KEY_TEMPLATE_PAIRS:
		case KEY_TYPE_PAIRS:
			return read_pairs(parser, tree, target, key->kind, may);
		case KEY_BOOLEAN:
			if (!want(parser, tree, JSON_TREE_BOOLEAN))
				return false;
			*(int *) target = strcmp(tree->text, "true") == 0;
			return true;
		case KEY_NUMBER:
			return read_number(parser, key, tree, target);
		case KEY_NUMBERS:
			return read_numbers(parser, key, tree, target);
		case KEY_NAME:
		case KEY_METHOD:
			if (!want(parser, tree, JSON_TREE_STRING))
				return false;
			found = find_name(key->names, tree->text);
			if (found < 0)
				return fail_name(parser, key->name, tree->text, key->names);
			if (key->kind == KEY_NAME)
				*(int *) target = found;
			else
				*(const char **) target = key->names[found];
			return true;
		case KEY_NAMES:
		case KEY_TYPES:
			return read_set(parser, key, tree, target);
		case KEY_TYPE:
			if (!want(parser, tree, JSON_TREE_STRING))
				return false;
			*(int *) target = manifest_type_find(tree->text);
			return *(int *) target >= 0 || fail_type(parser, tree->text);
		case KEY_FORMATS:
			return read_formats(parser, tree, target);
		case KEY_JSON:
			*(const JsonTree **) target = tree;
			return check_body(parser, tree, may);
		case KEY_OBJECT:
			return fill(parser, key->table, tree, target, may);
		case KEY_POINTER:
			*pointer = allocate(parser, key->table->size);
			return *pointer != NULL && fill(parser, key->table, tree, *pointer, may);
		case KEY_OBJECTS:
		case KEY_OBJECT_OR_OBJECTS:
			return read_objects(parser, key, tree, target, may);
		case KEY_WRITES:
			return read_writes(parser, key, tree, target, may);
	}
	return true;
}

/* what numbers are when nobody says it, also those of structures within */
static void
set_defaults(const KeyTable *table, void *target)
{
	for (int i = 0; i < table->count; i++)
	{
		const Key  *key = &table->keys[i];
		void	   *place = (char *) target + key->offset;

		switch (key->kind)
		{
			case KEY_INCLUDE:
			case KEY_OBJECT:
				set_defaults(key->table, place);
				break;
			case KEY_BOOLEAN:
			case KEY_NUMBER:
			case KEY_NAME:
				*(int *) place = key->otherwise;
				break;
			case KEY_NUMBERS:
				((Objects *) place)->count = key->otherwise;
				break;
			default:
				break;
		}
	}
}

/* the key of a name, and where its value goes; also in tables included */
static const Key *
find_key(const KeyTable *table, const char *name, void **target, unsigned *may)
{
	for (int i = 0; i < table->count; i++)
	{
		const Key  *key = &table->keys[i];
		void	   *place = (char *) *target + key->offset;
		unsigned	wider = *may | key->adds;

		if (key->kind == KEY_INCLUDE)
		{
			key = find_key(key->table, name, &place, &wider);
			if (key == NULL)
				continue;
			*may = wider;
		}
		else if (strcmp(key->name, name) != 0)
			continue;
		*target = place;
		return key;
	}
	return NULL;
}

static bool
check_required(Parser *parser, const KeyTable *table, const JsonTree *tree)
{
	for (int i = 0; i < table->count; i++)
	{
		const Key  *key = &table->keys[i];

		if (key->kind == KEY_INCLUDE)
		{
			if (!check_required(parser, key->table, tree))
				return false;
		}
		else if (key->required && json_tree_member(tree, key->name) == NULL)
			return fail(parser, "the key \"%s\" is missing", key->name);
	}
	return true;
}

static bool
fill(Parser *parser, const KeyTable *table, const JsonTree *tree, void *target, unsigned may)
{
	if (!want(parser, tree, JSON_TREE_OBJECT))
		return false;
	set_defaults(table, target);
	for (const JsonTree *member = tree->first; member != NULL; member = member->next)
	{
		void	   *place = target;
		unsigned	wider = may;
		const Key  *key = find_key(table, member->name, &place, &wider);
		size_t		before;

		if (key == NULL)
		{
			Nearest		nearest = {0};

			nearest_key(&nearest, member->name, table);
			return fail(parser, "unknown key \"%.60s\"; the nearest is \"%s\"", member->name, nearest.name);
		}
		before = enter(parser, member->name, 0);
		if (!read_value(parser, key, member, place, wider))
			return false;
		leave(parser, before);
	}
	return check_required(parser, table, tree);
}

Manifest *
manifest_parse(Arena *arena, const char *text, size_t length, bool built_in, char problem[MANIFEST_PROBLEM])
{
	Parser		parser = {.arena = arena, .problem = problem};
	CodecError	error;
	const JsonTree *tree = json_tree_parse(arena, text, length, &error);
	Manifest   *result;

	if (tree == NULL)
	{
		snprintf(problem, MANIFEST_PROBLEM, "line %llu, column %llu: %s", (unsigned long long) error.line,
				 (unsigned long long) error.column, error.message);
		return NULL;
	}
	result = allocate(&parser, sizeof(Manifest));
	if (result == NULL || !fill(&parser, &manifest_table, tree, result, EVERYWHERE) ||
		!manifest_check(result, built_in, problem))
		return NULL;
	return result;
}
