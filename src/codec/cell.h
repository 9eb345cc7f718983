/*-------------------------------------------------------------------------
 *
 * cell.h
 *	  The value of one field of one record, and the types a field can have.
 *
 * A cell is 16 bytes and never owns memory: text points into the page it was
 * read from, or into the arena of the batch that carries it.  Whoever keeps a
 * cell longer than its batch copies the text.
 *
 * Values have one canonical kind per field type (field_type_kind()); only
 * canonical cells reach a destination.  What a source reads may be any kind:
 * JSON and CSV give text, PostgreSQL tables give binary kinds.
 *
 * Plain C: no PostgreSQL header may be included here.
 *
 * IDENTIFICATION
 *	  src/codec/cell.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_CELL_H
#define APPFLOW_CODEC_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum CellKind
{
	CELL_NULL = 0,				/* no value; also: field absent */
	CELL_STRING,				/* data, length: UTF-8 text, unescaped */
	CELL_NUMBER,				/* data, length: text of an RFC 8259 number */
	CELL_BOOLEAN,				/* integer: 0 or 1 */
	CELL_JSON,					/* data, length: raw text of a JSON object or array */
	CELL_INTEGER,				/* integer: a 64-bit integer */
	CELL_DOUBLE,				/* real: an IEEE 754 double, may be NaN or infinite */
	CELL_DATE,					/* integer: days since 1970-01-01 */
	CELL_TIMESTAMP				/* integer: microseconds since 1970-01-01T00:00:00; of
								 * UTC for FIELD_DATETIME, of no zone for
								 * FIELD_TIMESTAMP */
} CellKind;

typedef struct Cell
{
	union
	{
		const char *data;
		int64_t		integer;
		double		real;
	};
	uint32_t	length;			/* bytes at data, for the text kinds */
	uint8_t		kind;			/* a CellKind */
} Cell;

/*
 * Field types: the closed set that AppFlow's many native names map onto
 * (field_type_from_name() in record/schema.h knows the names).
 */
typedef enum FieldType
{
	FIELD_STRING = 0,			/* CELL_STRING */
	FIELD_BOOLEAN,				/* CELL_BOOLEAN */
	FIELD_INTEGER,				/* CELL_INTEGER within 32 bits */
	FIELD_LONG,					/* CELL_INTEGER */
	FIELD_FLOAT,				/* CELL_DOUBLE representable as float */
	FIELD_DOUBLE,				/* CELL_DOUBLE */
	FIELD_DECIMAL,				/* CELL_NUMBER; precision and scale when > 0 */
	FIELD_DATE,					/* CELL_DATE */
	FIELD_DATETIME,				/* CELL_TIMESTAMP, an instant */
	FIELD_TIMESTAMP,			/* CELL_TIMESTAMP, a wall clock without zone */
	FIELD_TIME,					/* CELL_STRING hh:mm:ss[.ffffff] */
	FIELD_UUID,					/* CELL_STRING, 36 characters, lower case */
	FIELD_BINARY,				/* CELL_STRING, base64 */
	FIELD_JSON					/* CELL_JSON, or CELL_STRING/NUMBER/BOOLEAN for a
								 * scalar JSON value */
} FieldType;

/* Where in its input a codec stopped, and why. */
typedef struct CodecError
{
	uint64_t	offset;			/* bytes from the start of the object */
	uint64_t	line;			/* 1-based; 0: unknown */
	uint64_t	column;			/* 1-based, in bytes; 0: unknown */
	char		message[160];	/* lower case, no full stop */
} CodecError;

static inline Cell
cell_null(void)
{
	Cell		c = {.data = NULL,.length = 0,.kind = CELL_NULL};

	return c;
}

static inline Cell
cell_text(CellKind kind, const char *data, uint32_t length)
{
	Cell		c = {.data = data,.length = length,.kind = (uint8_t) kind};

	return c;
}

static inline Cell
cell_integer(CellKind kind, int64_t value)
{
	Cell		c = {.integer = value,.length = 0,.kind = (uint8_t) kind};

	return c;
}

static inline Cell
cell_double(double value)
{
	Cell		c = {.real = value,.length = 0,.kind = CELL_DOUBLE};

	return c;
}

static inline bool
cell_is_text(const Cell *cell)
{
	return cell->kind == CELL_STRING || cell->kind == CELL_NUMBER ||
		cell->kind == CELL_JSON;
}

#endif							/* APPFLOW_CODEC_CELL_H */
