/*-------------------------------------------------------------------------
 *
 * parquet_thrift.h
 *	  Apache Thrift's compact protocol, the writing half: what Parquet's page
 *	  headers and footer are made of (thrift-compact-protocol.md).
 *
 * A value is opened by thrift_begin() and closed by thrift_end(); fields are
 * written in ascending order of their ids.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_thrift.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_THRIFT_H
#define APPFLOW_CODEC_PARQUET_THRIFT_H

#include "codec/buffer.h"

#include <stdint.h>

/* Parquet's metadata nests seven structs deep */
#define THRIFT_MAX_DEPTH 12

typedef enum ThriftType
{
	THRIFT_TRUE = 1,			/* a boolean field's type is its value */
	THRIFT_FALSE = 2,
	THRIFT_I8 = 3,
	THRIFT_I16 = 4,
	THRIFT_I32 = 5,
	THRIFT_I64 = 6,
	THRIFT_BINARY = 8,
	THRIFT_LIST = 9,
	THRIFT_STRUCT = 12
} ThriftType;

typedef struct ThriftWriter
{
	ByteBuffer *out;
	int			depth;
	int16_t		last_id[THRIFT_MAX_DEPTH];	/* per open struct */
} ThriftWriter;

/* LEB128, at most 10 bytes; also the integers of Parquet's RLE encoding */
static inline size_t
thrift_varint(uint64_t value, unsigned char *out)
{
	size_t		n = 0;

	while (value >= 0x80)
	{
		out[n++] = (unsigned char) (value | 0x80);
		value >>= 7;
	}
	out[n++] = (unsigned char) value;
	return n;
}

/* 0, -1, 1, -2 ... to 0, 1, 2, 3 ... */
static inline uint64_t
thrift_zigzag(int64_t value)
{
	return ((uint64_t) value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

/* open a struct that is an element of a list, or the whole message */
extern void thrift_begin(ThriftWriter *writer);
extern void thrift_end(ThriftWriter *writer);

/* fields of the open struct */
extern void thrift_bool_field(ThriftWriter *writer, int16_t id, bool value);
extern void thrift_i8_field(ThriftWriter *writer, int16_t id, int8_t value);
extern void thrift_i16_field(ThriftWriter *writer, int16_t id, int16_t value);
extern void thrift_i32_field(ThriftWriter *writer, int16_t id, int32_t value);
extern void thrift_i64_field(ThriftWriter *writer, int16_t id, int64_t value);
extern void thrift_binary_field(ThriftWriter *writer, int16_t id, const void *data, size_t length);

/* the elements follow: thrift_begin() ... thrift_end(), or the bare values below */
extern void thrift_list_field(ThriftWriter *writer, int16_t id, ThriftType element, size_t count);
extern void thrift_i32_element(ThriftWriter *writer, int32_t value);
extern void thrift_binary_element(ThriftWriter *writer, const void *data, size_t length);

/* a struct as a field: its fields follow, then thrift_end() */
extern void thrift_struct_field(ThriftWriter *writer, int16_t id);

#endif							/* APPFLOW_CODEC_PARQUET_THRIFT_H */
