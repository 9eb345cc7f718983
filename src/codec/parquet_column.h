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

#include "codec/parquet_dictionary.h"
#include "codec/parquet_page.h"
#include "codec/parquet_rle.h"
#include "codec/parquet_statistics.h"

/* rows that are taken through a column at once */
#define COLUMN_SLICE_ROWS 1024

/* a data page ends at either */
#define PAGE_ROWS 20000
#define PAGE_BYTES ((size_t) 1 << 20)

/*
 * The levels of a page come before its values and are known last: values
 * start behind this room, and the levels are put in front of them.
 */
#define PAGE_HEADROOM ((4 + RLE_BITS_BOUND(PAGE_ROWS) + 15) / 16 * 16)

/* Type of parquet.thrift */
typedef enum PhysicalType
{
	PHYSICAL_BOOLEAN = 0,
	PHYSICAL_INT32 = 1,
	PHYSICAL_INT64 = 2,
	PHYSICAL_FLOAT = 4,
	PHYSICAL_DOUBLE = 5,
	PHYSICAL_BYTE_ARRAY = 6,
	PHYSICAL_FIXED = 7			/* FIXED_LEN_BYTE_ARRAY(16): wide decimals */
} PhysicalType;

/* What all columns of a writer share: working memory for one slice. */
typedef struct ColumnScratch
{
	uint32_t	first_rows[COLUMN_SLICE_ROWS];	/* 0, 1, 2 ... */
	uint32_t	selected[COLUMN_SLICE_ROWS];	/* rows that are not null */
	union
	{
		uint32_t	words32[COLUMN_SLICE_ROWS];
		int32_t		integers32[COLUMN_SLICE_ROWS];
		float		floats[COLUMN_SLICE_ROWS];
		uint64_t	words64[COLUMN_SLICE_ROWS];
		int64_t		integers64[COLUMN_SLICE_ROWS];
		double		doubles[COLUMN_SLICE_ROWS];
		unsigned char fixed[COLUMN_SLICE_ROWS][PARQUET_DECIMAL_BYTES];
		ByteSpan	spans[COLUMN_SLICE_ROWS];
	};
	Buffer		text;			/* bytes of spans that no cell holds */

	/* why column_put() failed */
	uint32_t	bad_row;		/* index into the slice */
	char		reason[80];		/* "is not ..."; empty: out of memory */
} ColumnScratch;

typedef struct Column
{
	char	   *name;
	FieldType	field;
	PhysicalType type;
	int			precision;		/* of decimals, else 0 */
	int			scale;
	uint64_t	kinds;			/* bit per CellKind that is accepted, null included */

	/* the open page */
	uint32_t	page_rows;
	uint32_t	page_values;	/* rows that are not null */
	Buffer		page;			/* headroom, then values; none while numbers are kept */
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
	Buffer		chunk;			/* compressed data pages */
	uint64_t	uncompressed;	/* their size before compression */
	uint64_t	rows;
	uint32_t	plain_pages;
	uint32_t	dictionary_pages;	/* data pages of dictionary numbers */
	Statistics	statistics;
} Column;

/* false: out of memory */
extern bool column_init(Column *column, const ParquetColumn *definition);

/* as the Thrift struct SchemaElement */
extern void column_write_schema(const Column *column, ThriftWriter *thrift);

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
extern bool column_close(Column *column, PageCodec *codec, Buffer *out, uint64_t position,
						 ThriftWriter *thrift, uint64_t *uncompressed, uint64_t *compressed);

/* give back the memory that is kept for the next row group */
extern void column_release(Column *column);

extern void column_free(Column *column);

#endif							/* APPFLOW_CODEC_PARQUET_COLUMN_H */
