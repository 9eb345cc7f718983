/*-------------------------------------------------------------------------
 *
 * parquet_rle.h
 *	  Parquet's hybrid of run lengths and bit packing (Encodings.md, "RLE"),
 *	  for definition levels and dictionary indices.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_rle.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_RLE_H
#define APPFLOW_CODEC_PARQUET_RLE_H

#include <stddef.h>
#include <stdint.h>

/* room that rle_encode_bits() needs for count bits */
#define RLE_BITS_BOUND(count) (((count) + 7) / 8 * 3 / 2 + 16)

/* room that rle_encode() needs */
#define RLE_BOUND(count, width) (((size_t) (count) + 7) / 8 * (size_t) (width) + \
								 ((size_t) (count) / 16 + 2) * 11 + 8)

/* bits needed for the values 0 .. max, at least 1: some readers dislike 0 */
static inline int
rle_width(uint32_t max)
{
	return max == 0 ? 1 : 32 - __builtin_clz(max);
}

/* count values below 2^width; the number of bytes written */
extern size_t rle_encode(const uint32_t *values, size_t count, int width, unsigned char *out);

/* the same for values of one bit, packed least significant bit first */
extern size_t rle_encode_bits(const unsigned char *bits, size_t count, unsigned char *out);

/* count times the same bit */
extern size_t rle_encode_run(int bit, size_t count, unsigned char *out);

#endif							/* APPFLOW_CODEC_PARQUET_RLE_H */
