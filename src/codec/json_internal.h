/*-------------------------------------------------------------------------
 *
 * json_internal.h
 *	  The parts of the JSON reader among themselves.
 *
 * json_reader.c	framing: where records begin and end in the document
 * json_path.c		the projection: which members lead to which field
 * json_shape.c		what lies between two scalars, parsed and remembered
 * json_walk.c		one record: scalars, and the remembered text between them
 *
 * How a record is read.  Records of one source resemble each other: between
 * one scalar and the next stands the same text in every record, such as
 * ',"Name":' or '},"Id":'.  That text, punctuation, names and white space, is
 * a gap.  A place in the record's structure (a node: the path of names from
 * the record to it) and a gap lead to the next place (an edge), always the
 * same one, so a gap that was parsed once needs only to be compared from then
 * on.  json_walk.c reads scalars and compares gaps; where no remembered gap
 * fits, json_shape.c parses it by the grammar, and remembers it.
 *
 * IDENTIFICATION
 *	  src/codec/json_internal.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_JSON_INTERNAL_H
#define APPFLOW_CODEC_JSON_INTERNAL_H

#include "codec/buffer.h"
#include "codec/json_reader.h"

/* ---------- json_path.c ---------- */

typedef struct JsonPath JsonPath;

/* what a member name leads to, under a given path */
typedef struct JsonTarget
{
	const char *name;
	size_t		length;
	uint32_t	hash;
	int32_t		column;			/* the field that is this member, or -1 */
	bool		leads_on;		/* some field has more names behind this one */
	JsonPath   *below;			/* made when first needed; see json_path_below() */
} JsonTarget;

typedef struct JsonField
{
	char	   *name;
	size_t		length;
} JsonField;

typedef struct JsonPaths
{
	Arena	   *arena;
	JsonField  *fields;
	size_t		nfields;
	size_t		capacity;
	JsonPath   *root;
} JsonPaths;

extern bool json_paths_init(JsonPaths *paths, const char *const *names, size_t nnames);
extern bool json_paths_add(JsonPaths *paths, const char *name, size_t length);
extern void json_paths_free(JsonPaths *paths);

/* NULL: the name leads nowhere; path may be NULL */
extern JsonTarget *json_path_find(JsonPath *path, const char *name, size_t length);

/* the path below a target; NULL if it ends there; sets *failed if memory is out */
extern JsonPath *json_path_below(JsonPaths *paths, JsonPath *path, JsonTarget *target,
								 bool *failed);

extern uint32_t json_hash(const char *data, size_t length, uint64_t seed);

/* ---------- json_shape.c ---------- */

#define JSON_NODE_EDGES 8

typedef struct JsonNode JsonNode;

/* a container begins or ends inside a gap, and is wanted as raw text */
typedef struct JsonCapture
{
	uint32_t	offset;			/* in the gap */
	int32_t		column;
	uint32_t	depth;
	bool		ends;
} JsonCapture;

typedef struct JsonEdge
{
	JsonNode   *target;			/* NULL: the record is complete */
	uint32_t	length;			/* of the gap */
	uint32_t	newlines;		/* in the gap */
	uint32_t	after_newline;	/* offset behind the last of them */
	uint32_t	ncaptures;
	JsonCapture *captures;
	char		gap[];			/* zeros behind it up to a multiple of 32 */
} JsonEdge;

/* a place in the structure of records: a member or an array's element */
struct JsonNode
{
	int32_t		column;			/* field to store a value here to, or -1 */
	uint32_t	depth;			/* containers around it, within the record */
	uint32_t	nedges;
	JsonEdge   *edges[JSON_NODE_EDGES];
	JsonNode   *parent;
	JsonPath   *path;			/* for the members of an object here */
	bool		element;		/* of an array */
	uint32_t	hash;
	size_t		key_length;
	const char *key;			/* as spelled, escapes and all */
	JsonNode   *next;			/* in its bucket */
};

/* a container that is open around the place where a gap is parsed */
typedef struct JsonFrame
{
	JsonNode   *node;			/* NULL: not remembered */
	JsonPath   *path;
	int32_t		column;
	bool		array;
} JsonFrame;

#define JSON_SHAPE_BUCKETS 4096

/* unknown gaps met with memory used up, after which to start afresh */
#define JSON_SHAPE_MISSES 100000

typedef struct JsonShape
{
	Arena	   *arena;
	JsonNode   *root;
	JsonNode   *buckets[JSON_SHAPE_BUCKETS];
	bool		full;			/* as much is remembered as may be */
	uint32_t	misses;			/* gaps that did not fit since it is full */
	JsonFrame  *frames;
	uint32_t	nframes;
	uint32_t	frames_allocated;
} JsonShape;

/* which field of the current record has a value already, and from how deep */
typedef struct JsonSeen
{
	uint64_t	record;
	uint32_t	depth;
} JsonSeen;

/* ---------- one record ---------- */

typedef enum JsonStep
{
	STEP_OK,
	STEP_MORE,					/* the data end here */
	STEP_NEW_FIELD,
	STEP_ERROR					/* error_at and the message are set */
} JsonStep;

typedef struct JsonWalk
{
	/* set by the framing for every call */
	const char *p;				/* where it stands */
	const char *end;
	bool		final;
	Arena	   *arena;
	Cell *const *columns;
	uint32_t	row;

	/* kept from record to record */
	JsonPaths	paths;
	JsonShape	shape;
	JsonSeen   *seen;			/* per field */
	const char **captures;		/* per field: where its container began */
	uint64_t	record;			/* serial number */
	uint32_t	base_depth;		/* containers around the record */
	uint32_t	max_depth;
	bool		discover;
	ByteBuffer		name;			/* an unescaped member name */

	/* results */
	bool		complete;		/* json_gap(): this was the end of the record */
	JsonNode   *node;			/* json_gap(): the scalar at p, if remembered */
	int32_t		column;			/* json_gap(): its field, or -1 */
	uint32_t	depth;
	uint32_t	newlines;		/* in the record */
	const char *after_newline;
	const char *inside;			/* STEP_MORE: what is incomplete */
	const char *error_at;
	char		message[sizeof(((CodecError *) 0)->message)];
} JsonWalk;

#define STRING_ESCAPED	1		/* contains a backslash */
#define STRING_NUL		2		/* contains \u0000 */

/*
 * Past the special byte at *p (a backslash, a byte above ASCII, or a control
 * character) in a string.
 */
extern JsonStep json_string_special(JsonWalk *walk, const char **p, unsigned *flags);

/* from behind the opening quote to the closing quote */
typedef JsonStep (*JsonStringEnd) (JsonWalk *walk, const char **p, unsigned *flags);
extern JsonStep json_string_end_scalar(JsonWalk *walk, const char **p, unsigned *flags);

/* the number at *p, by the grammar */
extern JsonStep json_number(JsonWalk *walk, const char **p);

/* one of true, false, null at *p */
extern JsonStep json_literal(JsonWalk *walk, const char **p);

/* text without its escapes, which are valid; returns the length, at most that of the text */
extern size_t json_unescape(const char *text, size_t length, char *out);

/* a record, from its opening to its closing brace */
typedef JsonStep (*JsonRecordWalk) (JsonWalk *walk);
extern JsonStep json_walk_scalar(JsonWalk *walk);
#if defined(__x86_64__)
extern JsonStep json_walk_sse2(JsonWalk *walk);
extern JsonStep json_walk_avx2(JsonWalk *walk);
#endif

/* store to a field of the current record, unless one of higher rank is there */
extern JsonStep json_set_again(JsonWalk *walk, int32_t column, uint32_t depth,
							   const Cell *cell, const char *at);

static inline JsonStep
json_set(JsonWalk *walk, int32_t column, uint32_t depth, Cell cell, const char *at)
{
	JsonSeen   *seen = &walk->seen[column];

	if (seen->record == walk->record)
		return json_set_again(walk, column, depth, &cell, at);
	seen->record = walk->record;
	seen->depth = depth;
	walk->columns[column][walk->row] = cell;
	return STEP_OK;
}

/*
 * Parse from behind the scalar at node (NULL: where the last gap led to;
 * root: from the record's beginning) to the next scalar or the record's end.
 */
extern JsonStep json_gap(JsonWalk *walk, JsonNode *node);

/* store what a remembered gap at p captures */
extern JsonStep json_edge_captures(JsonWalk *walk, const JsonEdge *edge, const char *p);

extern bool json_shape_init(JsonShape *shape, JsonPaths *paths);

/* forget everything; between records only */
extern bool json_shape_reset(JsonShape *shape, JsonPaths *paths);
extern void json_shape_free(JsonShape *shape);

/* ---------- errors ---------- */

extern JsonStep json_fail(JsonWalk *walk, const char *at, const char *format, ...)
			__attribute__((format(printf, 3, 4), cold));

/* "expected ..., found ...": what was found is told from the bytes at at */
extern JsonStep json_fail_expected(JsonWalk *walk, const char *at, const char *expected)
			__attribute__((cold));

/* how much of a field's name to put into a message, cut at a character */
extern int	json_message_length(const JsonField *field);

static inline JsonStep
json_more(JsonWalk *walk, const char *inside)
{
	walk->inside = inside;
	return STEP_MORE;
}

static inline const char *
json_skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

#endif							/* APPFLOW_CODEC_JSON_INTERNAL_H */
