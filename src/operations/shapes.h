/*-------------------------------------------------------------------------
 *
 * shapes.h
 *	  The wire model of AppFlow as data, and the reader of requests that it
 *	  drives.
 *
 * The table is made of appflow.shapes by make_shape_table.pl.
 *
 * IDENTIFICATION
 *	  src/operations/shapes.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_SHAPES_H
#define APPFLOW_SHAPES_H

#include "postgres.h"

#include "operations/shape_table.h"
#include "utils/jsonb.h"

/* ---------- the table (shape_table.c) ---------- */

typedef enum ShapeKind
{
	KIND_STRUCTURE,
	KIND_LIST,
	KIND_MAP,
	KIND_STRING,
	KIND_INTEGER,				/* 32 bits */
	KIND_LONG,					/* 64 bits */
	KIND_DOUBLE,
	KIND_BOOLEAN,
	KIND_TIMESTAMP,				/* epoch seconds */
	KIND_DOCUMENT				/* an object that is not looked into here */
} ShapeKind;

#define SHAPE_SENSITIVE 0x01	/* a value never to be shown */
#define SHAPE_EXCEPTION 0x02	/* a structure that is an exception's body */

typedef struct Shape
{
	const char *name;
	uint8		kind;			/* ShapeKind */
	uint8		flags;
	uint16		first;			/* structure: in shape_members; enum: in shape_enum_values */
	uint16		count;			/* members or enum values; 0: a string without an enum */
	uint16		element;		/* list, map: shape of an element or a value */
	uint16		key;			/* map: shape of the keys, always a string */
	uint16		pattern;		/* in shape_patterns, from 1; 0: none */
	int32		min;			/* length in characters or elements, or value; -1: no bound */
	int32		max;
} Shape;

#define MEMBER_REQUIRED 0x01
#define MEMBER_TOKEN	0x02	/* idempotency token */
#define MEMBER_IN_URI	0x04	/* travels in the path ... */
#define MEMBER_IN_QUERY 0x08	/* ... or in the query string, not in the body */
#define MEMBER_EXTRA	0x10	/* not of the model: AWS would not take it */

typedef struct ShapeMember
{
	const char *name;
	uint16		shape;
	uint16		flags;
} ShapeMember;

typedef struct ShapeOperation
{
	const char *name;
	const char *method;
	const char *uri;			/* {member} stands for a member in the path */
	uint16		input;
	uint16		output;
	uint16		raises;			/* bit 1 << AppflowException each */
} ShapeOperation;

typedef struct ShapePattern
{
	const char *text;			/* the model's own */
	const char *advanced;		/* the same for PostgreSQL's engine, whole value */
} ShapePattern;

extern const ShapeOperation shape_operations[SHAPE_OPERATION_COUNT];
extern const Shape shape_table[SHAPE_COUNT];
extern const ShapeMember shape_members[];
extern const char *const shape_enum_values[];
extern const ShapePattern shape_patterns[SHAPE_PATTERN_COUNT];

/* ---------- aliases (aliases.c) ---------- */

/*
 * A spelling that the reference uses besides the model's: a member of a
 * structure or a value of an enum.  Without a canonical name the spelling is
 * one of an earlier version that has no effect any more.
 */
typedef struct ShapeAlias
{
	uint16		shape;			/* structure or enum */
	const char *canonical;
	const char *alias;
} ShapeAlias;

extern const ShapeAlias shape_aliases[];
extern const int shape_alias_count;

/* whether the members of a structure are connectors, whose case does not matter */
extern bool shape_has_connector_keys(ShapeId id);

/* ---------- looking up (shapes.c) ---------- */

/* by wire name ("CreateFlow") or in snake_case ("create_flow"); NULL if there is none */
extern const ShapeOperation *shape_find_operation(const char *name);

/* by name; -1 if there is none */
extern int	shape_find(const char *name);

/* member of a structure by its exact name, or NULL */
extern const ShapeMember *shape_find_member(ShapeId structure, const char *name, size_t length);

/*
 * Value of an enum: the canonical spelling of a value given exactly, by an
 * alias, or in another case; NULL if it is none.
 */
extern const char *shape_enum_value(ShapeId id, const char *value, size_t length);

/* how a value in the server's encoding breaks a string shape's constraints; 0: not at all */
#define STRING_TOO_SHORT	0x01
#define STRING_TOO_LONG		0x02
#define STRING_NO_MATCH		0x04
#define STRING_NO_VALUE		0x08	/* not of the enum */
extern int	shape_check_string(ShapeId id, const char *value, size_t length);

/* ---------- reading requests (reader.c) ---------- */

/*
 * Checks a request of an operation against the model and gives it back in
 * canonical form: aliases, connector keys and enum values in the model's
 * spelling, timestamps as epoch seconds, booleans as booleans, members that are
 * null left out.  Everything else stays as sent, numbers in their own form.
 *
 * Raises one ValidationException that lists every violation.  A member that is
 * unknown even by alias gets a WARNING and is left out.
 *
 * request NULL stands for SQL NULL.  The result lives in the current memory
 * context.
 */
extern Jsonb *shape_read_request(const char *operation, Jsonb *request);

/* The same for any structure of the model; name is what messages call it. */
extern Jsonb *shape_read_structure(const char *name, ShapeId structure, Jsonb *value);

/* whether a shape holds what may be secret without the model calling it sensitive */
extern bool shape_is_secret(ShapeId id);

#endif							/* APPFLOW_SHAPES_H */
