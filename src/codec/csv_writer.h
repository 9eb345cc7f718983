/*-------------------------------------------------------------------------
 *
 * csv_writer.h
 *	  Records to CSV: RFC 4180 quoting, LF line ends, UTF-8 without a byte
 *	  order mark.  Null is nothing, the empty string is "".
 *
 * IDENTIFICATION
 *	  src/codec/csv_writer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_CSV_WRITER_H
#define APPFLOW_CODEC_CSV_WRITER_H

#include "codec/buffer.h"
#include "codec/cell.h"

extern void csv_write_header(ByteBuffer *out, const char *const *names, size_t ncolumns);

/* a lone null in a one-column record is written as "" would be ambiguous: it is an empty line */
extern void csv_write_record(ByteBuffer *out, const Cell *const *columns,
							 const FieldType *types, size_t ncolumns, uint32_t row);

#endif							/* APPFLOW_CODEC_CSV_WRITER_H */
