/*-------------------------------------------------------------------------
 *
 * json_shape.c
 *	  What lies between two scalars of a record: parsed once by the grammar,
 *	  remembered for the records to come (see json_internal.h).
 *
 * Memory for what is remembered is bounded.  When it is used up, unknown
 * places are parsed without a node (as slow as any parser), until so many
 * have been met that starting afresh is worth it.
 *
 * IDENTIFICATION
 *	  src/codec/json_shape.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/json_internal.h"

#define SHAPE_MEMORY	((size_t) 1024 * 1024)
#define GAP_MAX			1024	/* longer gaps are not remembered */
#define CAPTURES_MAX	16

/* what is to be remembered of the gap being parsed */
typedef struct GapNotes
{
	const char *start;
	bool		remember;
	uint32_t	ncaptures;
	JsonCapture captures[CAPTURES_MAX];
} GapNotes;

static JsonNode *
make_node(JsonShape *shape, JsonNode *parent, const char *key, size_t length,
		  bool element, uint32_t hash)
{
	JsonNode   *node = arena_alloc(shape->arena, sizeof(JsonNode));

	if (node == NULL)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->column = -1;
	node->parent = parent;
	node->depth = parent == NULL ? 0 : parent->depth + 1;
	node->element = element;
	node->hash = hash;
	node->key_length = length;
	node->key = arena_copy(shape->arena, key, length);
	if (node->key == NULL)
		return NULL;
	if (parent != NULL)
	{
		node->next = shape->buckets[hash % JSON_SHAPE_BUCKETS];
		shape->buckets[hash % JSON_SHAPE_BUCKETS] = node;
	}
	return node;
}

static uint32_t
node_hash(const JsonNode *parent, const char *key, size_t length, bool element)
{
	return json_hash(key, length, (uint64_t) (uintptr_t) parent * 2 + element);
}

static JsonNode *
find_node(const JsonShape *shape, const JsonNode *parent, const char *key,
		  size_t length, bool element, uint32_t hash)
{
	JsonNode   *node = shape->buckets[hash % JSON_SHAPE_BUCKETS];

	for (; node != NULL; node = node->next)
		if (node->hash == hash && node->parent == parent && node->element == element &&
			node->key_length == length && memcmp(node->key, key, length) == 0)
			return node;
	return NULL;
}

/* forget everything */
bool
json_shape_reset(JsonShape *shape, JsonPaths *paths)
{
	arena_reset(shape->arena);
	memset(shape->buckets, 0, sizeof(shape->buckets));
	shape->full = false;
	shape->misses = 0;
	shape->root = make_node(shape, NULL, "", 0, false, 0);
	if (shape->root == NULL)
		return false;
	shape->root->path = paths->root;
	return true;
}

bool
json_shape_init(JsonShape *shape, JsonPaths *paths)
{
	shape->arena = arena_create();
	return shape->arena != NULL && json_shape_reset(shape, paths);
}

void
json_shape_free(JsonShape *shape)
{
	arena_free(shape->arena);
	free(shape->frames);
	memset(shape, 0, sizeof(*shape));
}

static void
remember_edge(JsonShape *shape, JsonNode *from, JsonNode *target,
			  const GapNotes *notes, const char *end)
{
	size_t		length = (size_t) (end - notes->start);
	size_t		padded = (length + 31) & ~(size_t) 31;
	JsonEdge   *edge;
	size_t		i;

	if (length > GAP_MAX)
		return;
	edge = arena_alloc(shape->arena, sizeof(JsonEdge) + padded + 32);
	if (edge == NULL)
		return;
	edge->target = target;
	edge->length = (uint32_t) length;
	memcpy(edge->gap, notes->start, length);
	memset(edge->gap + length, 0, padded + 32 - length);
	edge->newlines = 0;
	edge->after_newline = 0;
	for (i = 0; i < length; i++)
		if (edge->gap[i] == '\n')
		{
			edge->newlines++;
			edge->after_newline = (uint32_t) i + 1;
		}
	edge->ncaptures = notes->ncaptures;
	edge->captures = NULL;
	if (notes->ncaptures > 0)
	{
		edge->captures = (JsonCapture *)
			arena_copy(shape->arena, (const char *) notes->captures,
					   notes->ncaptures * sizeof(JsonCapture));
		if (edge->captures == NULL)
			return;
	}

	/* the last one is the least used: json_walk() moves edges up */
	if (from->nedges < JSON_NODE_EDGES)
		from->edges[from->nedges++] = edge;
	else
		from->edges[JSON_NODE_EDGES - 1] = edge;
}

/* a container begins or ends at p: store, and note it for the edge */
static JsonStep
capture(JsonWalk *walk, GapNotes *notes, const char *p, int32_t column,
		uint32_t depth, bool ends)
{
	if (notes->ncaptures == CAPTURES_MAX)
		notes->remember = false;
	else if (notes->remember)
	{
		JsonCapture *note = &notes->captures[notes->ncaptures++];

		note->offset = (uint32_t) (p - notes->start);
		note->column = column;
		note->depth = depth;
		note->ends = ends;
	}
	if (!ends)
	{
		walk->captures[column] = p;
		return STEP_OK;
	}
	if ((uint64_t) (p - walk->captures[column]) > UINT32_MAX)
		return json_fail(walk, walk->captures[column], "value is longer than 4 GB");
	return json_set(walk, column, depth,
					cell_text(CELL_JSON, walk->captures[column],
							  (uint32_t) (p - walk->captures[column])),
					walk->captures[column]);
}

JsonStep
json_edge_captures(JsonWalk *walk, const JsonEdge *edge, const char *p)
{
	GapNotes	notes = {.start = p,.remember = false};
	uint32_t	i;

	for (i = 0; i < edge->ncaptures; i++)
	{
		const JsonCapture *note = &edge->captures[i];
		JsonStep	step = capture(walk, &notes, p + note->offset, note->column,
								   note->depth, note->ends);

		if (step != STEP_OK)
			return step;
	}
	return STEP_OK;
}

static JsonStep
push_frame(JsonWalk *walk, const char *p, const JsonFrame *frame)
{
	JsonShape  *shape = &walk->shape;

	if (walk->base_depth + shape->nframes >= walk->max_depth)
		return json_fail(walk, p, "nesting is deeper than %u levels", (unsigned) walk->max_depth);
	if (shape->nframes == shape->frames_allocated)
	{
		uint32_t	allocate = shape->frames_allocated ? shape->frames_allocated * 2 : 64;
		JsonFrame  *frames = realloc(shape->frames, allocate * sizeof(JsonFrame));

		if (frames == NULL)
			return json_fail(walk, p, "out of memory");
		shape->frames = frames;
		shape->frames_allocated = allocate;
	}
	shape->frames[shape->nframes++] = *frame;
	return STEP_OK;
}

/*
 * The containers around a node.  It was reached before, so they are within the
 * depth limit, and there is room for them.
 */
static void
rebuild_frames(JsonShape *shape, const JsonNode *node)
{
	shape->nframes = node->depth;
	for (; node->parent != NULL; node = node->parent)
	{
		JsonFrame  *frame = &shape->frames[node->depth - 1];

		frame->node = node->parent;
		frame->path = node->parent->path;
		frame->column = node->parent->column;
		frame->array = node->element;
	}
}

/*
 * The place of a member, or of an element (key NULL), of the innermost
 * container, as a frame.
 */
static JsonStep
enter(JsonWalk *walk, const char *key, size_t length, bool escaped, JsonFrame *place)
{
	JsonShape  *shape = &walk->shape;
	const JsonFrame *parent = &shape->frames[shape->nframes - 1];
	const char *name = key;
	size_t		name_length = length;
	JsonTarget *target = NULL;
	JsonNode   *node = NULL;
	uint32_t	hash = 0;
	bool		failed = false;

	place->node = NULL;
	place->path = NULL;
	place->column = -1;
	place->array = false;

	if (parent->node != NULL)
	{
		hash = node_hash(parent->node, key ? key : "", length, key == NULL);
		node = find_node(shape, parent->node, key ? key : "", length, key == NULL, hash);
		if (node != NULL)
		{
			place->node = node;
			place->path = node->path;
			place->column = node->column;
			return STEP_OK;
		}
	}

	/* met for the first time */
	if (key != NULL && (parent->path != NULL || (walk->discover && shape->nframes == 1)))
	{
		if (escaped)
		{
			buffer_reset(&walk->name);
			if (!buffer_reserve(&walk->name, length))
				return json_fail(walk, key - 1, "out of memory");
			name_length = json_unescape(key, length, walk->name.data);
			name = walk->name.data;
		}
		target = json_path_find(parent->path, name, name_length);
		if (walk->discover && shape->nframes == 1 &&
			(target == NULL || target->column < 0))
		{
			if (memchr(name, '\0', name_length) != NULL)
				return json_fail(walk, key - 1, "member name contains \\u0000, which PostgreSQL cannot store");
			if (!escaped)
			{
				buffer_reset(&walk->name);
				buffer_append(&walk->name, name, name_length);
				if (walk->name.failed)
					return json_fail(walk, key - 1, "out of memory");
			}
			walk->name.length = name_length;
			return STEP_NEW_FIELD;
		}
	}
	if (target != NULL)
	{
		place->column = target->column;
		place->path = json_path_below(&walk->paths, parent->path, target, &failed);
		if (failed)
			return json_fail(walk, key - 1, "out of memory");
	}
	if (parent->node != NULL && !shape->full && length <= GAP_MAX)
	{
		node = make_node(shape, parent->node, key ? key : "", length, key == NULL, hash);
		if (node != NULL)
		{
			node->column = place->column;
			node->path = place->path;
			place->node = node;
		}
	}
	return STEP_OK;
}

static JsonStep
parse_gap(JsonWalk *walk, JsonNode *from, GapNotes *notes, const char **position)
{
	JsonShape  *shape = &walk->shape;
	const char *end = walk->end;
	const char *p = walk->p;
	const char *key;
	unsigned	flags;
	JsonFrame	place;
	JsonFrame  *frame;
	JsonStep	step;

	if (from == shape->root)
	{
		place.node = shape->root;
		place.path = shape->root->path;
		place.column = -1;
		place.array = false;
		shape->nframes = 0;
		goto value;
	}
	if (from != NULL)
		rebuild_frames(shape, from);

after_value:
	p = json_skip_space(p, end);
	frame = &shape->frames[shape->nframes - 1];
	if (p == end)
		return json_more(walk, frame->array ? "an array" : "an object");
	if (*p == ',')
	{
		p = json_skip_space(p + 1, end);
		if (frame->array)
			goto element;
		goto member;
	}
	if (*p != (frame->array ? ']' : '}'))
		return json_fail_expected(walk, p, frame->array ? "\",\" or \"]\"" : "\",\" or \"}\"");

close:
	p++;
	frame = &shape->frames[--shape->nframes];
	if (frame->column >= 0)
	{
		step = capture(walk, notes, p, frame->column, shape->nframes, true);
		if (step != STEP_OK)
			return step;
	}
	if (shape->nframes == 0)
	{
		walk->complete = true;
		*position = p;
		return STEP_OK;
	}
	goto after_value;

member:
	if (p == end)
		return json_more(walk, "an object");
	if (*p != '"')
		return json_fail_expected(walk, p, "a member name in double quotes");
	key = ++p;
	flags = 0;
	step = json_string_end_scalar(walk, &p, &flags);
	if (step != STEP_OK)
		return step;
	step = enter(walk, key, (size_t) (p - key), (flags & STRING_ESCAPED) != 0, &place);
	if (step != STEP_OK)
		return step;
	p = json_skip_space(p + 1, end);
	if (p == end)
		return json_more(walk, "an object");
	if (*p != ':')
		return json_fail_expected(walk, p, "\":\"");
	p = json_skip_space(p + 1, end);
	goto value;

element:
	step = enter(walk, NULL, 0, false, &place);
	if (step != STEP_OK)
		return step;

value:
	if (p == end)
		return json_more(walk, shape->frames[shape->nframes - 1].array ? "an array" : "an object");
	if (*p == '{' || *p == '[')
	{
		place.array = *p == '[';
		if (place.array)
			place.path = NULL;
		if (place.column >= 0)
		{
			step = capture(walk, notes, p, place.column, shape->nframes, false);
			if (step != STEP_OK)
				return step;
		}
		step = push_frame(walk, p, &place);
		if (step != STEP_OK)
			return step;
		p = json_skip_space(p + 1, end);
		if (p == end)
			return json_more(walk, place.array ? "an array" : "an object");
		if (*p == (place.array ? ']' : '}'))
			goto close;
		if (place.array)
			goto element;
		if (*p != '"')
			return json_fail_expected(walk, p, "a member name in double quotes or \"}\"");
		goto member;
	}

	walk->complete = false;
	walk->node = place.node;
	walk->column = place.column;
	walk->depth = shape->nframes;
	*position = p;
	return STEP_OK;
}

JsonStep
json_gap(JsonWalk *walk, JsonNode *from)
{
	JsonShape  *shape = &walk->shape;
	GapNotes	notes;
	const char *start = walk->p;
	const char *p = start;
	const char *at;
	JsonStep	step;

	if (shape->full)
		shape->misses++;
	else if (arena_size(shape->arena) > SHAPE_MEMORY)
		shape->full = true;
	notes.start = start;
	notes.remember = from != NULL && !shape->full;
	notes.ncaptures = 0;

	step = parse_gap(walk, from, &notes, &p);
	if (step != STEP_OK)
		return step;

	for (at = start; (at = memchr(at, '\n', (size_t) (p - at))) != NULL;)
	{
		walk->newlines++;
		walk->after_newline = ++at;
	}
	if (notes.remember && (walk->complete || walk->node != NULL))
		remember_edge(shape, from, walk->complete ? NULL : walk->node, &notes, p);
	walk->p = p;
	return STEP_OK;
}
