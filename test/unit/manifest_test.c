/*-------------------------------------------------------------------------
 *
 * manifest_test.c
 *	  Manifests parsed and checked: what becomes of right ones, and that every
 *	  mistake is told with its place.
 *
 * Messages are looked at one by one in test/t/203_manifest_bad_input.pl; here
 * a right manifest is spoiled in every place there is.
 *
 * IDENTIFICATION
 *	  test/unit/manifest_test.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "connector/manifest.h"
#include "tap.h"

#define HEAD "{\"manifest\": 1, \"connector\": \"Books\", \"entities\": ["
#define FIELDS "\"fields\": [{\"name\": \"id\", \"type\": \"Long\"}]"

static const char whole[] =
	"{\"manifest\": 1, \"connector\": \"Books\", \"basePath\": \"/v{apiVersion}\", \"apiVersions\": [\"1\", \"2\"],"
	" \"formats\": {\"DateTime\": \"epoch\", \"*\": \"datetime\"}, \"headers\": {\"X-A\": \"{property.a}\"},"
	" \"errors\": {\"code\": [\"error.code\", \"error\"], \"message\": \"m\", \"failed\": {\"path\": \"ok\", \"equals\": [\"false\"]}},"
	" \"rateLimit\": {\"reset\": \"X-Reset\", \"resetIs\": \"epoch\"},"
	" \"entities\": ["
	"{\"name\": \"books/*\", \"list\": {\"path\": \"/shelves\", \"records\": \"s\", \"name\": \"{record.id}\"},"
	" \"fields\": [{\"name\": \"id\", \"type\": \"Long\", \"key\": true, \"write\": [\"INSERT\", \"UPDATE\"]},"
	"  {\"name\": \"at\", \"type\": \"DateTime\", \"path\": \"x[k=v].at\"}],"
	" \"read\": {\"path\": \"/books/{entity.2}\", \"parameters\": {\"q\": \"{query}\", \"c\": \"{cursor}\"}, \"records\": \"b\","
	"  \"paging\": {\"kind\": \"cursor\", \"next\": \"n\", \"size\": 10},"
	"  \"filters\": [{\"operators\": [\"EQUAL_TO\", \"BETWEEN\"], \"types\": [\"Long\"], \"term\": \"{field}={value}\", \"exact\": true}],"
	"  \"order\": {\"ascending\": \"{field}\", \"nulls\": \"last\"}},"
	" \"write\": {\"INSERT\": {\"path\": \"/b\", \"batch\": 5, \"body\": {\"all\": \"{records}\", \"n\": [1, {\"x\": \"{entity}\"}]},"
	"   \"results\": {\"records\": \"r\", \"failed\": {\"path\": \"e\"}}},"
	"  \"DELETE\": {\"method\": \"DELETE\", \"path\": \"/b/{id}\", \"ids\": \"path\", \"rejects\": [404]}}}]}";

static char problem[MANIFEST_PROBLEM];

static Manifest *
parse(Arena *arena, const char *text)
{
	problem[0] = '\0';
	return manifest_parse(arena, text, strlen(text), true, problem);
}

static void
refused(const char *text, const char *expected)
{
	Arena	   *arena = arena_create();

	ok(parse(arena, text) == NULL, "refused: %.60s", expected);
	is_str(problem, expected, "and why");
	arena_free(arena);
}

static void
right_ones(void)
{
	Arena	   *arena = arena_create();
	Manifest   *manifest = parse(arena, whole);
	const ManifestEntity *entity;
	const ManifestRead *read;
	TemplatePiece piece;
	const char *template = "a{b.c}{{d}}";
	char		pieces[100] = "";

	if (!ok(manifest != NULL, "a manifest is read"))
	{
		printf("# %s\n", problem);
		return;
	}
	entity = &manifest->entities.items[0];
	read = &entity->read.items[0];
	is_str(manifest->connector, "Books", "its connector");
	is_int(manifest->api_versions.count, 2, "its versions");
	is_int(manifest->errors.code.count, 2, "several paths");
	is_int(manifest->errors.message.count, 1, "or one");
	is_int(manifest->formats.items[1].type, -1, "a format for all types");
	is_int(manifest->rate_limit->reset_is, RESET_EPOCH, "a name from a list");
	is_int(entity->read.count, 1, "one way to read, without an array");
	is_int(read->filters.items[0].operators, 1 << 6 | 1 << 3, "operators as bits");
	is_int(read->filters.items[0].types, 1 << FIELD_LONG, "types as bits");
	is_int(read->paging.first, -1, "what is not said");
	is_int(read->paging.size, 10, "what is said");
	is_int(read->call.repeatable, -1, "what a call does not say");
	is_int(entity->fields.items[0].write, 1 << 0 | 1 << 2, "operations as bits");
	is_int(entity->write[0]->batch, 5, "a batch");
	is_int(entity->write[0]->rejects.count, -1, "no statuses of its own");
	is_int(entity->write[3]->rejects.items[0], 404, "a status of its own");
	is_int(entity->write[3]->batch, 1, "a batch of one");
	ok(entity->write[1] == NULL, "an operation that there is not");
	while (template_next(&template, &piece))
		snprintf(pieces + strlen(pieces), sizeof(pieces) - strlen(pieces), "%s%.*s%s", piece.value ? "<" : "",
				 (int) piece.length, piece.text, piece.value ? ">" : "|");
	is_str(pieces, "a|<b.c>{|d|}|", "pieces of a template");
	ok(template_names("x{id.a}", "id.") && !template_names("x{id}", "id.") && template_names("{id}", "id"), "values that are named");
	arena_free(arena);
}

/* every text of the document made another, and every piece of it cut off: no crash, and always a reason */
static void
spoiled_ones(void)
{
	size_t		length = strlen(whole);
	int			silent = 0;
	int			refusals = 0;
	char	   *copy = malloc(length + 1);

	for (size_t i = 0; i < length; i++)
	{
		static const char replacements[] = "\"{}[],:x1 \\";

		for (const char *r = replacements; *r != '\0'; r++)
		{
			Arena	   *arena = arena_create();

			memcpy(copy, whole, length + 1);
			copy[i] = *r;
			if (parse(arena, copy) == NULL)
			{
				refusals++;
				silent += problem[0] == '\0';
			}
			arena_free(arena);
		}
	}
	for (size_t i = 0; i < length; i++)
	{
		Arena	   *arena = arena_create();

		memcpy(copy, whole, i);
		copy[i] = '\0';
		silent += parse(arena, copy) != NULL || problem[0] == '\0';
		arena_free(arena);
	}
	free(copy);
	ok(refusals > 1000, "thousands of mistakes are found");
	is_int(silent, 0, "and each has a reason");
}

int
main(void)
{
	char		key[300];
	char		text[600];

	right_ones();
	spoiled_ones();
	refused("[]", "this must be an object, not an array");
	refused("{\"manifest\": 1,}", "line 1, column 16: a member's name is missing");
	refused("{\"manifest\": 1, \"manifest\": 1}", "line 1, column 17: the member \"manifest\" is there twice");
	refused("{\"manifest\": 1, \"entities\": []}", "the key \"connector\" is missing: it says whose manifest it is");
	refused(HEAD "{\"name\": \"a\", " FIELDS ", \"raed\": {}}]}", "entities[0]: unknown key \"raed\"; the nearest is \"read\"");
	refused(HEAD "{\"name\": \"a\", " FIELDS ", \"read\": {\"path\": \"/a\", \"paging\": {\"kind\": \"cursor\", \"next\": \"n\", \"size\": 0}}}]}",
			"entities[0].read.paging.size: 0 is not a whole number from 1 to 1000000");
	refused(HEAD "{\"name\": \"a\", " FIELDS ", \"read\": {\"path\": \"/a\", \"parameters\": {\"b\": {\"c\": 1}}}}]}",
			"entities[0].read.parameters.b: this must be text, not an object");
	refused(HEAD "{\"name\": \"a\"}, {\"name\": \"a\"}]}", "entities[1].name: the entity \"a\" is there twice");
	refused(HEAD "{\"name\": \"/a\"}]}", "entities[0].name: \"/a\" is not pieces joined by slashes");

	/* long names do not overflow what they are written to */
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	snprintf(text, sizeof(text), "{\"manifest\": 1, \"%s\": 1}", key);
	{
		Arena	   *arena = arena_create();

		ok(parse(arena, text) == NULL && strlen(problem) < MANIFEST_PROBLEM, "a long key is cut in the message");
		snprintf(text, sizeof(text), "{\"manifest\": 1, \"headers\": {\"%s\": 1}}", key);
		(void) parse(arena, text);
		snprintf(text, sizeof(text), "{\"manifest\": 1, \"headers\": {\"%s\": {}}}", key);
		ok(parse(arena, text) == NULL && strlen(problem) < MANIFEST_PROBLEM, "and in the place");
		arena_free(arena);
	}
	return done_testing();
}
