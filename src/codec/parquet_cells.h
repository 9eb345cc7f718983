/*-------------------------------------------------------------------------
 *
 * parquet_cells.h
 *	  Cells to arrays of a physical type.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_cells.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_CELLS_H
#define APPFLOW_CODEC_PARQUET_CELLS_H

#include "codec/buffer.h"
#include "codec/parquet_type.h"

/* rows that are taken through a column at once */
#define COLUMN_SLICE_ROWS 1024

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
	ByteBuffer		text;			/* bytes of spans that no cell holds */

	/* why column_put() failed */
	uint32_t	bad_row;		/* index into the slice */
	char		reason[80];		/* "is not ..."; empty: out of memory */
} ColumnScratch;

/*
 * The values of n cells that are not null, into the array of scratch that is of
 * the column's physical type (booleans: integers32).  Texts point to the cells
 * or into scratch->text.  The number of good ones: if less than n, the next is
 * not, and scratch->reason tells why.
 */
extern uint32_t cells_read(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
						   const uint32_t *rows, uint32_t n);

/* what a cell of another kind is not, for an error message: "a string" */
extern const char *cells_expected(FieldType field);

#endif							/* APPFLOW_CODEC_PARQUET_CELLS_H */
