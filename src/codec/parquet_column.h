/*-------------------------------------------------------------------------
 *
 * parquet_column.h
 *	  One column of the open row group: cells in, a column chunk out.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_column.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_COLUMN_H
#define APPFLOW_CODEC_PARQUET_COLUMN_H

#include "codec/parquet_cells.h"
#include "codec/parquet_dictionary.h"
#include "codec/parquet_page.h"
#include "codec/parquet_rle.h"

/* a data page ends at either */
#define PAGE_ROWS 20000
#define PAGE_BYTES ((size_t) 1 << 20)

/*
 * The levels of a page come before its values and are known last: values
 * start behind this room, and the levels are put in front of them.
 */
#define PAGE_HEADROOM ((4 + RLE_BITS_BOUND(PAGE_ROWS) + 15) / 16 * 16)

typedef struct Column
{
	char	   *name;
	ColumnType	type;

	/* the open page */
	uint32_t	page_rows;
	uint32_t	page_values;	/* rows that are not null */
	ByteBuffer		page;			/* headroom, then values; none while numbers are kept */
	uint32_t   *numbers;		/* of values in the dictionary */
	uint32_t	numbers_capacity;
	uint64_t	plain_bytes;	/* what the page's values would take without dictionary */
	unsigned char levels[PAGE_ROWS / 8 + 8];	/* bit per row: not null; kept from
												 * the page's first null on */

	/* the dictionary of the row group */
	Dictionary	dictionary;
	bool		dictionary_open;	/* values go through it */
	uint32_t	dictionary_rest;	/* row groups to go on without one */

	/* finished pages */
	ByteBuffer		chunk;			/* compressed data pages */
	uint64_t	uncompressed;	/* their size before compression */
	uint64_t	rows;
	uint32_t	plain_pages;
	uint32_t	dictionary_pages;	/* data pages of dictionary numbers */
	Statistics	statistics;
} Column;

/* false: out of memory */
extern bool column_init(Column *column, const ParquetColumn *definition);

/*
 * Append n rows, at most COLUMN_SLICE_ROWS: cells[rows[0]], cells[rows[1]] ...
 * False: see scratch->bad_row and reason.
 */
extern bool column_put(Column *column, PageCodec *codec, ColumnScratch *scratch,
					   const Cell *cells, const uint32_t *rows, uint32_t n);

/* bytes of the open row group, encoded and not compressed */
extern size_t column_encoded(const Column *column);

/* bytes held for the open row group */
extern size_t column_memory(const Column *column);

/*
 * End the row group: append the column chunk to out, whose end is at position
 * of the file, and its description to thrift.  The sizes are added to
 * *uncompressed and *compressed.  The column is then ready for the next row
 * group.  False: out of memory.
 */
extern bool column_close(Column *column, PageCodec *codec, ByteBuffer *out, uint64_t position,
						 ThriftWriter *thrift, uint64_t *uncompressed, uint64_t *compressed);

/* give back the memory that is kept for the next row group */
extern void column_release(Column *column);

extern void column_free(Column *column);

#endif							/* APPFLOW_CODEC_PARQUET_COLUMN_H */
