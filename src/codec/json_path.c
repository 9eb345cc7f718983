/*-------------------------------------------------------------------------
 *
 * json_path.c
 *	  The projection of the JSON reader: which members lead to which field.
 *
 * A field "a.b.c" can be the member "a.b.c" of the record, "c" of "a.b", "b.c"
 * of "a", or "c" of "b" of "a".  So under every path the names that lead on
 * are the beginnings, up to some dot or the end, of what is left of each
 * field's name.  They are looked up in a small hash table per path; paths
 * below are made when first met.
 *
 * IDENTIFICATION
 *	  src/codec/json_path.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/json_internal.h"

/* what is left of a field's name under some path */
typedef struct Rest
{
	int32_t		column;
	size_t		offset;
} Rest;

struct JsonPath
{
	Rest	   *rests;
	size_t		nrests;
	size_t		mask;			/* size of the table - 1 */
	JsonTarget *table;			/* open addressing; name NULL: free */
};

uint32_t
json_hash(const char *data, size_t length, uint64_t seed)
{
	uint64_t	h = seed ^ (length * UINT64_C(0x9e3779b97f4a7c15));
	uint64_t	word;

	while (length >= 8)
	{
		memcpy(&word, data, 8);
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
		data += 8;
		length -= 8;
	}
	word = 0;
	if (length > 0)
		memcpy(&word, data, length);
	h = (h ^ word) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (uint32_t) (h >> 32);
}

/* the slot of a name: its target, or the free one where it belongs */
static JsonTarget *
find_slot(JsonPath *path, const char *name, size_t length, uint32_t hash)
{
	size_t		i = hash & path->mask;

	for (;;)
	{
		JsonTarget *target = &path->table[i];

		if (target->name == NULL ||
			(target->hash == hash && target->length == length &&
			 memcmp(target->name, name, length) == 0))
			return target;
		i = (i + 1) & path->mask;
	}
}

JsonTarget *
json_path_find(JsonPath *path, const char *name, size_t length)
{
	JsonTarget *target;

	if (path == NULL)
		return NULL;
	target = find_slot(path, name, length, json_hash(name, length, 0));
	return target->name == NULL ? NULL : target;
}

/* a path from its rests, which it takes over */
static JsonPath *
make_path(JsonPaths *paths, Rest *rests, size_t nrests)
{
	JsonPath   *path = arena_alloc(paths->arena, sizeof(JsonPath));
	size_t		names = 0;
	size_t		size = 8;
	size_t		i;

	for (i = 0; i < nrests; i++)
	{
		const JsonField *field = &paths->fields[rests[i].column];
		size_t		at;

		names++;
		for (at = rests[i].offset; at < field->length; at++)
			names += field->name[at] == '.';
	}
	while (size < names * 2)
		size *= 2;
	if (path == NULL)
		return NULL;
	path->rests = rests;
	path->nrests = nrests;
	path->mask = size - 1;
	path->table = arena_alloc(paths->arena, size * sizeof(JsonTarget));
	if (path->table == NULL)
		return NULL;
	memset(path->table, 0, size * sizeof(JsonTarget));

	for (i = 0; i < nrests; i++)
	{
		const JsonField *field = &paths->fields[rests[i].column];
		const char *name = field->name + rests[i].offset;
		size_t		left = field->length - rests[i].offset;
		size_t		length;

		for (length = 0; length <= left; length++)
		{
			uint32_t	hash;
			JsonTarget *target;

			if (length < left && name[length] != '.')
				continue;
			hash = json_hash(name, length, 0);
			target = find_slot(path, name, length, hash);
			if (target->name == NULL)
			{
				target->name = name;
				target->length = length;
				target->hash = hash;
				target->column = -1;
			}
			if (length == left)
				target->column = rests[i].column;
			else
				target->leads_on = true;
		}
	}
	return path;
}

JsonPath *
json_path_below(JsonPaths *paths, JsonPath *path, JsonTarget *target, bool *failed)
{
	Rest	   *rests;
	size_t		nrests = 0;
	size_t		i;

	if (target == NULL || !target->leads_on)
		return NULL;
	if (target->below != NULL)
		return target->below;

	rests = arena_alloc(paths->arena, path->nrests * sizeof(Rest));
	if (rests == NULL)
	{
		*failed = true;
		return NULL;
	}
	for (i = 0; i < path->nrests; i++)
	{
		const Rest *rest = &path->rests[i];
		const JsonField *field = &paths->fields[rest->column];
		size_t		left = field->length - rest->offset;

		if (left > target->length &&
			field->name[rest->offset + target->length] == '.' &&
			memcmp(field->name + rest->offset, target->name, target->length) == 0)
		{
			rests[nrests].column = rest->column;
			rests[nrests].offset = rest->offset + target->length + 1;
			nrests++;
		}
	}
	target->below = make_path(paths, rests, nrests);
	if (target->below == NULL)
		*failed = true;
	return target->below;
}

/* build the root anew from the list of fields */
static bool
build_root(JsonPaths *paths)
{
	Rest	   *rests;
	size_t		i;

	arena_reset(paths->arena);
	paths->root = NULL;
	rests = arena_alloc(paths->arena, paths->nfields * sizeof(Rest));
	if (rests == NULL)
		return false;
	for (i = 0; i < paths->nfields; i++)
	{
		rests[i].column = (int32_t) i;
		rests[i].offset = 0;
	}
	paths->root = make_path(paths, rests, paths->nfields);
	return paths->root != NULL;
}

/* append to the list of fields; false if it is there already, or memory is out */
static bool
append_field(JsonPaths *paths, const char *name, size_t length)
{
	char	   *copy;

	if (paths->nfields >= INT32_MAX)
		return false;
	if (paths->nfields == paths->capacity)
	{
		size_t		capacity = paths->capacity ? paths->capacity * 2 : 16;
		JsonField  *fields = realloc(paths->fields, capacity * sizeof(JsonField));

		if (fields == NULL)
			return false;
		paths->fields = fields;
		paths->capacity = capacity;
	}
	copy = malloc(length + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, name, length);
	copy[length] = '\0';
	paths->fields[paths->nfields].name = copy;
	paths->fields[paths->nfields].length = length;
	paths->nfields++;
	return true;
}

bool
json_paths_init(JsonPaths *paths, const char *const *names, size_t nnames)
{
	size_t		i;
	size_t		j;

	paths->arena = arena_create();
	if (paths->arena == NULL)
		return false;
	for (i = 0; i < nnames; i++)
		if (!append_field(paths, names[i], strlen(names[i])))
			return false;
	if (!build_root(paths))
		return false;
	/* of two fields of the same name the later one owns the target */
	for (j = 0; j < paths->nfields; j++)
		if (json_path_find(paths->root, paths->fields[j].name,
						   paths->fields[j].length)->column != (int32_t) j)
			return false;
	return true;
}

bool
json_paths_add(JsonPaths *paths, const char *name, size_t length)
{
	JsonTarget *target = json_path_find(paths->root, name, length);

	if (target != NULL && target->column >= 0)
		return false;
	return append_field(paths, name, length) && build_root(paths);
}

void
json_paths_free(JsonPaths *paths)
{
	size_t		i;

	for (i = 0; i < paths->nfields; i++)
		free(paths->fields[i].name);
	free(paths->fields);
	arena_free(paths->arena);
	memset(paths, 0, sizeof(*paths));
}
