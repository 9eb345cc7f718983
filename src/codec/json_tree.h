/*-------------------------------------------------------------------------
 *
 * json_tree.h
 *	  Small JSON documents as a tree: manifests, and what services say beside
 *	  records.
 *
 * Strict (RFC 8259), and stricter: an object that has a member twice is refused,
 * as is text with \u0000.  The tree and its texts live in an arena; texts end with
 * a zero.
 *
 * IDENTIFICATION
 *	  src/codec/json_tree.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_JSON_TREE_H
#define APPFLOW_CODEC_JSON_TREE_H

#include "codec/arena.h"
#include "codec/buffer.h"
#include "codec/cell.h"

typedef enum JsonTreeKind
{
	JSON_TREE_NULL,
	JSON_TREE_BOOLEAN,			/* text: true, false */
	JSON_TREE_NUMBER,			/* text: as it is written */
	JSON_TREE_STRING,			/* text: unescaped */
	JSON_TREE_ARRAY,
	JSON_TREE_OBJECT
} JsonTreeKind;

typedef struct JsonTree JsonTree;

struct JsonTree
{
	JsonTreeKind kind;
	const char *name;			/* of a member; NULL: of an array, or the document */
	const char *text;			/* of scalars; NULL of all others and of null */
	size_t		length;			/* of text */
	JsonTree   *first;			/* elements or members, in their order */
	JsonTree   *next;			/* the one behind this one in its container */
	int			count;			/* elements or members */
};

/* NULL: error says why and where (out of memory has no line) */
extern JsonTree *json_tree_parse(Arena *arena, const char *text, size_t length, CodecError *error);

extern const JsonTree *json_tree_member(const JsonTree *object, const char *name);

/*
 * What a path leads to: names of members joined by dots, numbers from 0 on for
 * elements of arrays, '*' the first member whatever its name; "" is the tree itself.  A member whose own name is the rest of the
 * path wins.  NULL: nothing is there.
 */
extern const JsonTree *json_tree_find(const JsonTree *tree, const char *path);

/* the text of a scalar there; NULL if there is none */
extern const char *json_tree_text(const JsonTree *tree, const char *path);

/* the tree as JSON text */
extern void json_tree_append(ByteBuffer *out, const JsonTree *tree);

#endif							/* APPFLOW_CODEC_JSON_TREE_H */
