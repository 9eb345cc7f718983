/*-------------------------------------------------------------------------
 *
 * parquet_dictionary.h
 *	  The distinct values of one column of one row group, numbered in the order
 *	  they came.
 *
 * The values are held as a PLAIN dictionary page wants them, one behind the
 * other, so that the page is ready when the row group ends.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_dictionary.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_DICTIONARY_H
#define APPFLOW_CODEC_PARQUET_DICTIONARY_H

#include "codec/buffer.h"
#include "codec/parquet_value.h"

typedef struct DictionarySlot
{
	uint32_t	hash;
	uint32_t	number;			/* of the value, plus one; 0: free */
} DictionarySlot;

typedef struct Dictionary
{
	int			width;			/* bytes of a value, 4 or 8; 0: byte arrays */
	uint32_t	count;			/* distinct values */
	uint32_t	mask;			/* slots - 1; the number of slots is a power of two */
	bool		degenerate;		/* hashes collide too much to go on */
	DictionarySlot *slots;
	ByteBuffer		values;			/* PLAIN encoded */
	uint32_t   *offsets;		/* byte arrays: of each value in values */
	uint32_t	offsets_capacity;
} Dictionary;

/*
 * The numbers of n values, new ones added.  Fixed-width values come in the
 * byte order of the file.  False: out of memory.
 */
extern bool dictionary_add32(Dictionary *dictionary, const uint32_t *values,
							 size_t n, uint32_t *numbers);
extern bool dictionary_add64(Dictionary *dictionary, const uint64_t *values,
							 size_t n, uint32_t *numbers);
extern bool dictionary_add_spans(Dictionary *dictionary, const ByteSpan *values,
								 size_t n, uint32_t *numbers);

/* append the values of n numbers to out, PLAIN encoded */
extern void dictionary_lookup(const Dictionary *dictionary, const uint32_t *numbers,
							  size_t n, ByteBuffer *out);

/* one byte array, without its length word */
extern ByteSpan dictionary_span(const Dictionary *dictionary, uint32_t number);

/* bytes in use */
extern size_t dictionary_memory(const Dictionary *dictionary);

/* forget the values, keep the memory */
extern void dictionary_reset(Dictionary *dictionary);

/* forget the values and the memory */
extern void dictionary_free(Dictionary *dictionary);

#endif							/* APPFLOW_CODEC_PARQUET_DICTIONARY_H */
