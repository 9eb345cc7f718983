/*-------------------------------------------------------------------------
 *
 * manifest_unnest.c
 *	  Records of arrays within a record.
 *
 * A step names an array, or several that go side by side; each of its elements takes
 * the array's place in turn.  Behind the last step every combination is a record:
 * "data.values" is then one value, and what is beside the arrays is the same in all.
 *
 * The members of a record that have the arrays are parsed as a whole; the largest
 * record that the page reader takes bounds what that costs.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_unnest.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector/manifest_engine.h"
#include "miscadmin.h"
#include "record/errors.h"

/* an array of a step, and where it is */
typedef struct UnnestArray
{
	const char *path;
	UnnestPlace place;			/* by the steps before */
	const JsonTree *element;	/* the one that is in its place */
} UnnestArray;

typedef struct UnnestStep
{
	int			narrays;
	UnnestArray *arrays;
} UnnestStep;

struct Unnest
{
	int			nbases;
	char	  **bases;
	const JsonTree **documents; /* of the record, one for each base; NULL: null */
	int			nsteps;
	UnnestStep *steps;
	int			depth;			/* steps that stand on elements; 0: before the first, or done */
	bool		begun;
	Arena	   *arena;
	const Batch *batch;			/* where the record is */
	uint32		row;
};

/* the length of a path's beginning that a name is; -1: it does not begin so */
static int
beginning(const char *path, const char *name)
{
	size_t		length = strlen(name);

	if (strncmp(path, name, length) != 0 || (path[length] != '\0' && path[length] != '.'))
		return -1;
	return (int) length;
}

/* what is behind the beginning: "" or a path */
static const char *
behind(const char *path, int length)
{
	return path[length] == '.' ? path + length + 1 : path + length;
}

/* the place of a path by the first so many steps: the longest array that it leads into */
static bool
find_place(const Unnest *unnest, int nsteps, const char *path, UnnestPlace *place)
{
	int			longest = -1;

	for (int i = 0; i < unnest->nbases; i++)
	{
		int			length = beginning(path, unnest->bases[i]);

		if (length < 0)
			continue;
		*place = (UnnestPlace)
		{
			.base = i, .step = -1, .rest = behind(path, length)
		};
		longest = length;
	}
	for (int i = 0; i < nsteps && longest >= 0; i++)
	{
		for (int k = 0; k < unnest->steps[i].narrays; k++)
		{
			int			length = beginning(path, unnest->steps[i].arrays[k].path);

			/* a later step may go into the element of an array of the same path */
			if (length < longest)
				continue;
			place->step = i;
			place->array = k;
			place->rest = behind(path, length);
			longest = length;
		}
	}
	return longest >= 0;
}

static void
add_base(Unnest *unnest, const char *path)
{
	char	   *base = pnstrdup(path, strcspn(path, "."));

	for (int i = 0; i < unnest->nbases; i++)
	{
		if (strcmp(unnest->bases[i], base) == 0)
			return;
	}
	unnest->bases[unnest->nbases++] = base;
}

Unnest *
unnest_create(const ManifestRead *read)
{
	Unnest	   *unnest = palloc0(sizeof(Unnest));
	int			narrays = 0;

	for (int i = 0; i < read->unnest.count; i++)
		narrays += read->unnest.items[i].count;
	unnest->bases = palloc0(sizeof(char *) * narrays);
	unnest->documents = palloc0(sizeof(JsonTree *) * narrays);
	unnest->nsteps = read->unnest.count;
	unnest->steps = palloc0(sizeof(UnnestStep) * unnest->nsteps);
	unnest->arena = manifest_arena();
	for (int i = 0; i < unnest->nsteps; i++)
	{
		const ManifestTexts *paths = &read->unnest.items[i];
		UnnestStep *step = &unnest->steps[i];

		step->narrays = paths->count;
		step->arrays = palloc0(sizeof(UnnestArray) * paths->count);
		for (int k = 0; k < paths->count; k++)
		{
			add_base(unnest, paths->items[k]);
			step->arrays[k].path = paths->items[k];
			(void) find_place(unnest, i, paths->items[k], &step->arrays[k].place);
		}
	}
	return unnest;
}

const char *
unnest_base(const Unnest *unnest, int number)
{
	return number < unnest->nbases ? unnest->bases[number] : NULL;
}

bool
unnest_find(const Unnest *unnest, const char *path, UnnestPlace *place)
{
	return find_place(unnest, unnest->nsteps, path, place);
}

const JsonTree *
unnest_value(const Unnest *unnest, const UnnestPlace *place)
{
	const JsonTree *tree = place->step < 0 ? unnest->documents[place->base] :
		unnest->steps[place->step].arrays[place->array].element;

	return tree == NULL ? NULL : json_tree_find(tree, place->rest);
}

void
unnest_begin(Unnest *unnest, const Cell *const *bases, const Batch *batch, uint32 row)
{
	arena_reset(unnest->arena);
	unnest->batch = batch;
	unnest->row = row;
	unnest->depth = 0;
	unnest->begun = true;
	for (int i = 0; i < unnest->nbases; i++)
	{
		CodecError	error;

		unnest->documents[i] = NULL;
		if (bases[i]->kind == CELL_NULL)
			continue;
		if (bases[i]->kind == CELL_JSON)
			unnest->documents[i] = json_tree_parse(unnest->arena, bases[i]->data, bases[i]->length, &error);
		else
			strlcpy(error.message, "it is neither an array nor an object", sizeof(error.message));
		if (unnest->documents[i] == NULL)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("the value of \"%s\" in %s cannot be taken apart: %s", unnest->bases[i],
						   batch_locate(batch, row), error.message));
	}
}

/* stand before the first elements of a step; the number of them */
static int
open_step(Unnest *unnest, UnnestStep *step)
{
	int			count = -1;

	for (int i = 0; i < step->narrays; i++)
	{
		UnnestArray *array = &step->arrays[i];
		const JsonTree *tree = unnest_value(unnest, &array->place);
		int			length = tree == NULL || tree->kind != JSON_TREE_ARRAY ? 0 : tree->count;

		if (tree != NULL && tree->kind != JSON_TREE_NULL && tree->kind != JSON_TREE_ARRAY)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("\"%s\" of %s is not an array", array->path, batch_locate(unnest->batch, unnest->row)));
		if (count >= 0 && length != count)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("the arrays \"%s\" and \"%s\" of %s belong together, but have %d and %d elements",
						   step->arrays[0].path, array->path, batch_locate(unnest->batch, unnest->row), count, length));
		count = length;
		array->element = length == 0 ? NULL : tree->first;
	}
	return count;
}

/* the next elements of a step; false: there are no more */
static bool
advance(UnnestStep *step)
{
	for (int i = 0; i < step->narrays; i++)
		step->arrays[i].element = step->arrays[i].element->next;
	return step->arrays[0].element != NULL;
}

bool
unnest_next(Unnest *unnest)
{
	if (!unnest->begun)
		return false;

	/* from the deepest step that has another element, down again to the last */
	for (bool down = unnest->depth == 0;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (down && unnest->depth == unnest->nsteps)
			return true;
		if (down && open_step(unnest, &unnest->steps[unnest->depth]) > 0)
		{
			unnest->depth++;
			continue;
		}
		if (unnest->depth == 0)
		{
			unnest->begun = false;
			return false;
		}
		down = advance(&unnest->steps[unnest->depth - 1]);
		if (!down)
			unnest->depth--;
	}
}
