/*-------------------------------------------------------------------------
 *
 * csv_reader.h
 *	  Streaming reader of CSV with a header row (RFC 4180; LF, CRLF or CR
 *	  line ends; optional UTF-8 byte order mark; quoted newlines).
 *
 * Bytes are handed over as to json_reader.h.  A cell is CELL_NULL for an
 * unquoted empty field, otherwise CELL_STRING ("" is an empty string): what
 * csv_writer.h writes comes back the same.
 *
 * IDENTIFICATION
 *	  src/codec/csv_reader.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_CSV_READER_H
#define APPFLOW_CODEC_CSV_READER_H

#include "codec/arena.h"
#include "codec/cell.h"

typedef struct CsvReader CsvReader;

typedef enum CsvStatus
{
	CSV_MORE,					/* as JSON_MORE */
	CSV_FULL,					/* as JSON_FULL */
	CSV_HEADER,					/* the header row was read: look at it, bind, call again */
	CSV_ERROR
} CsvStatus;

typedef struct CsvReadResult
{
	uint32_t	rows;
	size_t		consumed;
} CsvReadResult;

/* NULL: out of memory, or a delimiter that cannot be one (quote, line end, NUL, not ASCII) */
extern CsvReader *csv_reader_create(char delimiter);

/*
 * The first call that has the whole header row returns CSV_HEADER; before rows
 * are read, csv_reader_bind() must say where each header field goes.
 * A row with fewer or more fields than the header is an error, as is an empty
 * or repeated header name, text after a closing quote, a quote inside an
 * unquoted field, an unterminated quote, a NUL byte, and invalid UTF-8.  An
 * empty line is skipped, unless the header has one field only.  An empty input
 * has no header and no rows.  Rows before an erroneous row are delivered.
 */
extern CsvStatus csv_reader_read(CsvReader *reader,
								 const char *data, size_t length, bool final,
								 Arena *arena, Cell *const *columns,
								 uint64_t *lines, uint32_t max_rows,
								 CsvReadResult *result);

extern size_t csv_reader_nfields(const CsvReader *reader);
extern const char *csv_reader_field(const CsvReader *reader, size_t i);		/* NUL-terminated */

/* column_of_field[i]: the column that header field i goes to, or -1 to skip it; copied */
extern bool csv_reader_bind(CsvReader *reader, const int32_t *column_of_field);

/* From here on a CR that no LF follows is part of its field, quoted or not. */
extern void csv_reader_keep_returns(CsvReader *reader);

/* begin a new object: forget header and binding */
extern void csv_reader_restart(CsvReader *reader);

extern const CodecError *csv_reader_error(const CsvReader *reader);
extern void csv_reader_free(CsvReader *reader);

#endif							/* APPFLOW_CODEC_CSV_READER_H */
