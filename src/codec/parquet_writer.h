/*-------------------------------------------------------------------------
 *
 * parquet_writer.h
 *	  Streaming writer of Apache Parquet files (format version 2 footer,
 *	  data page v1, readable by every reader in use).
 *
 * Cells must be of the canonical kind of their column's FieldType (cell.h):
 *
 *   FIELD_STRING, TIME, UUID   BYTE_ARRAY (STRING)
 *   FIELD_JSON                 BYTE_ARRAY (JSON)
 *   FIELD_BINARY               BYTE_ARRAY, decoded from base64
 *   FIELD_BOOLEAN              BOOLEAN
 *   FIELD_INTEGER, LONG        INT32, INT64
 *   FIELD_FLOAT, DOUBLE        FLOAT, DOUBLE
 *   FIELD_DECIMAL              DECIMAL(precision, scale): INT32 up to 9 digits, INT64 up
 *                              to 18, FIXED_LEN_BYTE_ARRAY(16) up to 38; without a
 *                              precision, above 38, or with a scale outside
 *                              0 .. precision: BYTE_ARRAY (STRING), the text as it is
 *   FIELD_DATE                 INT32 (DATE)
 *   FIELD_DATETIME             INT64 (TIMESTAMP, MICROS, adjusted to UTC)
 *   FIELD_TIMESTAMP            INT64 (TIMESTAMP, MICROS, not adjusted)
 *
 * A decimal that does not fit precision and scale exactly is an error, never
 * rounded.  Text is UTF-8 already; it is not checked again.
 *
 * All columns are optional.  Bytes appear in an output buffer that the caller
 * empties between calls; memory is bounded by the row group.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_writer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_WRITER_H
#define APPFLOW_CODEC_PARQUET_WRITER_H

#include "codec/buffer.h"
#include "codec/cell.h"

typedef struct ParquetWriter ParquetWriter;

typedef enum ParquetCompression
{
	PARQUET_UNCOMPRESSED,
	PARQUET_SNAPPY,
	PARQUET_ZSTD
} ParquetCompression;

typedef struct ParquetColumn
{
	const char *name;
	FieldType	type;
	int			precision;		/* FIELD_DECIMAL */
	int			scale;
} ParquetColumn;

typedef struct ParquetWriterOptions
{
	ParquetCompression compression;
	size_t		row_group_bytes;	/* cut a row group when its encoded, not yet
									 * compressed data passes this; 0 = 16 MB */
	uint32_t	row_group_rows; /* or this many rows; 0 = 122,880 */
	const char *created_by;		/* NULL = "appflow version 1.0" */
} ParquetWriterOptions;

/* options may be NULL.  NULL: out of memory, or no columns */
extern ParquetWriter *parquet_writer_create(const ParquetColumn *columns, size_t ncolumns,
											const ParquetWriterOptions *options);

/*
 * Append rows.  rows is a selection vector (NULL: rows 0 .. nrows - 1).
 * False: a cell is not canonical for its column or memory is out; see
 * parquet_writer_error(), whose line is the index into the selection and whose
 * column is the column, both 1-based.  The file is then lost.
 */
extern bool parquet_writer_put(ParquetWriter *writer, const Cell *const *columns,
							   const uint32_t *rows, uint32_t nrows);

/*
 * Bytes buffered in the open row group, hash tables included.  What finished
 * row groups leave allocated for the next one is not counted.
 */
extern size_t parquet_writer_memory(const ParquetWriter *writer);

/*
 * Close the open row group early (memory pressure): its bytes go to the output,
 * and the memory of the columns is given back.
 */
extern bool parquet_writer_flush(ParquetWriter *writer);

/* close the row group and write the footer; the file is then complete */
extern bool parquet_writer_finish(ParquetWriter *writer);

/* finished bytes not yet taken; the caller uses them and calls buffer_reset() */
extern ByteBuffer *parquet_writer_output(ParquetWriter *writer);

extern const CodecError *parquet_writer_error(const ParquetWriter *writer);
extern void parquet_writer_free(ParquetWriter *writer);

#endif							/* APPFLOW_CODEC_PARQUET_WRITER_H */
