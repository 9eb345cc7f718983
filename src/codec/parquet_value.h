/*-------------------------------------------------------------------------
 *
 * parquet_value.h
 *	  Values as Parquet stores them: little-endian words, decimals as unscaled
 *	  integers, bytes out of base64.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_value.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_VALUE_H
#define APPFLOW_CODEC_PARQUET_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* width of decimals above 18 digits */
#define PARQUET_DECIMAL_BYTES 16
#define PARQUET_DECIMAL_DIGITS 38

/* a run of bytes somewhere else */
typedef struct ByteSpan
{
	const char *data;
	size_t		length;
} ByteSpan;

/* the file's byte order is little-endian; these change nothing on most machines */
static inline uint32_t
little32(uint32_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap32(value);
#else
	return value;
#endif
}

static inline uint64_t
little64(uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(value);
#else
	return value;
#endif
}

static inline void
store32(void *out, uint32_t value)
{
	value = little32(value);
	memcpy(out, &value, sizeof(value));
}

typedef enum DecimalStatus
{
	DECIMAL_OK,
	DECIMAL_NOT_A_NUMBER,		/* not RFC 8259's grammar */
	DECIMAL_TOO_PRECISE,		/* more fractional digits than scale */
	DECIMAL_TOO_LARGE			/* more digits than precision */
} DecimalStatus;

/*
 * The unscaled value of a number's text at the given precision (1 .. 38) and
 * scale, exactly: as a 64-bit integer up to 18 digits, as 16 bytes of
 * big-endian two's complement up to 38.
 */
extern DecimalStatus decimal_to_int64(const char *text, size_t length,
									  int precision, int scale, int64_t *value);
extern DecimalStatus decimal_to_bytes(const char *text, size_t length,
									  int precision, int scale,
									  unsigned char out[PARQUET_DECIMAL_BYTES]);

/*
 * Base64 of RFC 4648 with padding; line breaks are allowed, as MIME and
 * PostgreSQL's encode() make them.  out has room for length / 4 * 3 + 3
 * bytes.  False if the text is anything else.
 */
extern bool base64_decode(const char *text, size_t length, char *out, size_t *out_length);

#endif							/* APPFLOW_CODEC_PARQUET_VALUE_H */
