/*-------------------------------------------------------------------------
 *
 * json_writer.h
 *	  Records to JSON text: one object a line, members in column order.
 *
 * IDENTIFICATION
 *	  src/codec/json_writer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_JSON_WRITER_H
#define APPFLOW_CODEC_JSON_WRITER_H

#include "codec/buffer.h"
#include "codec/cell.h"

typedef struct JsonWriter JsonWriter;

/*
 * types tell how a CELL_TIMESTAMP is printed (FIELD_DATETIME with Z,
 * FIELD_TIMESTAMP without).  The keys are escaped once, here.
 */
extern JsonWriter *json_writer_create(const char *const *names,
									  const FieldType *types, size_t ncolumns);

/* {"name":value,...}\n ; nulls are written; NaN and infinities become strings */
extern void json_writer_record(JsonWriter *writer, ByteBuffer *out,
							   const Cell *const *columns, uint32_t row);

extern void json_writer_free(JsonWriter *writer);

/* "text" with quotes and escapes; the text is UTF-8 */
extern void json_append_string(ByteBuffer *out, const char *text, size_t length);

/* the cell as a JSON value */
extern void json_append_cell(ByteBuffer *out, const Cell *cell, FieldType type);

#endif							/* APPFLOW_CODEC_JSON_WRITER_H */
