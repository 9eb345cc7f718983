/*-------------------------------------------------------------------------
 *
 * embed_manifests.c
 *	  A program of the build: checks manifests, and writes them as C.
 *
 *	  embed_manifests FILE.json ... > manifests.c
 *
 * A manifest with a mistake ends the build, with the file, the place in it, and the
 * reason.
 *
 * IDENTIFICATION
 *	  src/apps/embed/embed_manifests.c
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connector/manifest.h"

static char *
read_file(const char *name, size_t *length)
{
	FILE	   *file = fopen(name, "rb");
	char	   *text = NULL;
	size_t		capacity = 0;

	*length = 0;
	if (file == NULL)
		return NULL;
	for (;;)
	{
		size_t		got;

		if (*length == capacity)
		{
			char	   *larger = realloc(text, capacity + 65536);

			if (larger == NULL)
				break;
			text = larger;
			capacity += 65536;
		}
		got = fread(text + *length, 1, capacity - *length, file);
		if (got == 0)
			break;
		*length += got;
	}
	if (ferror(file) || *length == capacity)
	{
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

/* as the initializer of an array: string literals have a limit */
static void
write_text(int number, const char *text, size_t length)
{
	printf("static const char text_%d[] = {", number);
	for (size_t i = 0; i < length; i++)
		printf("%s%d,", i % 24 == 0 ? "\n\t" : "", (signed char) text[i]);
	printf("\n\t0\n};\n\n");
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

int
main(int argc, char **argv)
{
	const Manifest **manifests;
	size_t	   *lengths;
	Arena	   *arena = arena_create();
	int			failed = 0;

	manifests = calloc((size_t) argc, sizeof(*manifests));
	lengths = calloc((size_t) argc, sizeof(*lengths));
	if (arena == NULL || manifests == NULL || lengths == NULL)
		return 1;
	printf("/* made by embed_manifests of the manifests in src/apps */\n#include \"connector/manifest.h\"\n\n");
	for (int i = 1; i < argc; i++)
	{
		char		problem[MANIFEST_PROBLEM];
		char	   *text = read_file(argv[i], &lengths[i]);

		if (text == NULL)
		{
			fprintf(stderr, "%s: cannot be read: %s\n", argv[i], strerror(errno));
			failed = 1;
			continue;
		}
		manifests[i] = manifest_parse(arena, text, lengths[i], true, problem);
		if (manifests[i] == NULL)
		{
			fprintf(stderr, "%s: %s\n", argv[i], problem);
			failed = 1;
		}
		for (int k = 1; k < i && manifests[i] != NULL; k++)
		{
			if (manifests[k] != NULL && strcmp(manifests[k]->connector, manifests[i]->connector) == 0)
			{
				fprintf(stderr, "%s: connector: \"%s\" is described by %s already\n", argv[i],
						manifests[i]->connector, argv[k]);
				failed = 1;
			}
		}
		write_text(i, text, lengths[i]);
		free(text);
	}
	printf("const EmbeddedManifest embedded_manifests[] = {\n");
	for (int i = 1; i < argc && !failed; i++)
		printf("\t{\"%s\", \"%s\", text_%d, %zu},\n", base_name(argv[i]), manifests[i]->connector, i, lengths[i]);
	printf("\t{0}\n};\n\nconst int embedded_manifest_count = %d;\n", argc - 1);
	free(manifests);
	free(lengths);
	arena_free(arena);
	return failed;
}
