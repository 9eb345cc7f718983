/*-------------------------------------------------------------------------
 *
 * json_reader.h
 *	  Streaming reader of records from JSON text (RFC 8259, strict).
 *
 * The caller owns the bytes.  It hands over what has arrived; the reader
 * parses as many whole records as there are and says how many bytes it is
 * done with.  The caller moves the rest to the front of its next buffer,
 * appends what arrives next, and calls again.  Cells point into the caller's
 * bytes wherever a string needs no unescaping, otherwise into the arena.
 *
 * Only fields asked for are built; everything else is checked (syntax, UTF-8,
 * depth) and skipped.
 *
 * IDENTIFICATION
 *	  src/codec/json_reader.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_JSON_READER_H
#define APPFLOW_CODEC_JSON_READER_H

#include "codec/arena.h"
#include "codec/cell.h"

typedef struct JsonReader JsonReader;

typedef enum JsonFraming
{
	JSON_FRAMING_LINES,			/* objects one after another, with or without
								 * white space (newlines) between them */
	JSON_FRAMING_ARRAY,			/* one top-level array of objects */
	JSON_FRAMING_AUTO,			/* LINES or ARRAY, told by the first byte */
	JSON_FRAMING_PAGE			/* one document; records are the elements of
								 * the array at record_path */
} JsonFraming;

typedef struct JsonReaderOptions
{
	JsonFraming framing;

	/*
	 * PAGE: dotted path of the array of records; "" = the document itself.  On the
	 * way there, numbers from 0 on are elements of arrays.  A
	 * single object there is one record, null is none.  That nothing at all is
	 * there is not an error here: see json_reader_found_records().
	 */
	const char *record_path;

	/*
	 * The projection.  A field is the name of a member of the record, or a
	 * dotted path into nested objects ("Account.Owner.Name"); a member whose
	 * own name contains dots wins over a path of the same spelling.
	 */
	const char *const *fields;
	size_t		nfields;

	/*
	 * Report record members (top level) that are not in fields, by their own
	 * whole name: JSON_NEW_FIELD.
	 */
	bool		discover;

	/*
	 * PAGE: dotted paths, as of the records, of scalars outside them (next-page links,
	 * totals, flags), to be had from json_reader_envelope().
	 */
	const char *const *envelope;
	size_t		nenvelope;

	uint32_t	max_depth;		/* nesting allowed; 0 = 64 */
} JsonReaderOptions;

typedef enum JsonStatus
{
	JSON_MORE,					/* consumed what it could: needs more bytes, or (when
								 * final) the input is complete and valid */
	JSON_FULL,					/* max_rows records were read: empty the batch, call again */
	JSON_NEW_FIELD,				/* discover: see json_reader_new_field(); the
								 * record is not consumed */
	JSON_ERROR					/* see json_reader_error(); final */
} JsonStatus;

typedef struct JsonReadResult
{
	uint32_t	rows;			/* records written to the columns */
	size_t		consumed;		/* bytes of data the reader is done with */
} JsonReadResult;

/*
 * NULL: out of memory, or a projection that contradicts itself (same field
 * twice, records and envelope at the same path).  Copies what options point to.
 */
extern JsonReader *json_reader_create(const JsonReaderOptions *options);

/*
 * Parse records out of data[0..length).  final: no more bytes will follow.
 * Row r of field f goes to columns[f][r], r counting from 0 up to max_rows - 1.
 * Every requested cell of a row is written (CELL_NULL if absent).
 * lines, unless NULL, receives the 1-based line on which each record starts.
 *
 * Row numbers count from 0 again in every call.  A byte order mark at the very
 * beginning is skipped.
 *
 * It is an error if a requested field occurs twice in a record, or if a string
 * asked for contains \u0000.  Rows before an erroneous record are delivered.
 */
extern JsonStatus json_reader_read(JsonReader *reader,
								   const char *data, size_t length, bool final,
								   Arena *arena, Cell *const *columns,
								   uint64_t *lines, uint32_t max_rows,
								   JsonReadResult *result);

/* After JSON_NEW_FIELD: the member's unescaped name; valid until the next call. */
extern const char *json_reader_new_field(const JsonReader *reader, size_t *length);

/*
 * Append a field to the projection (its column index is the old count); false:
 * out of memory, or the field is there already.  After JSON_NEW_FIELD, a field
 * that is not added is reported again.
 */
extern bool json_reader_add_field(JsonReader *reader, const char *name, size_t length);

/*
 * PAGE: the value captured for envelope path i so far, strings unescaped;
 * CELL_NULL if not met, null, an object or an array.  The reader keeps the text
 * until it meets the path again in the next page or is freed.
 */
extern Cell json_reader_envelope(const JsonReader *reader, size_t i);

/* PAGE: was record_path met in the document so far? */
extern bool json_reader_found_records(const JsonReader *reader);

/* Begin a new object or page with the same options; line and offset restart. */
extern void json_reader_restart(JsonReader *reader);

extern const CodecError *json_reader_error(const JsonReader *reader);

extern void json_reader_free(JsonReader *reader);

#endif							/* APPFLOW_CODEC_JSON_READER_H */
