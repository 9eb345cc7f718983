/*-------------------------------------------------------------------------
 *
 * parquet_thrift.c
 *	  Apache Thrift's compact protocol, the writing half.
 *
 * Nothing here fails but for memory, which the buffer remembers.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_thrift.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_thrift.h"

#include <assert.h>

static void
append_varint(ByteBuffer *out, uint64_t value)
{
	unsigned char bytes[10];

	buffer_append(out, bytes, thrift_varint(value, bytes));
}

/* the id goes as the distance from the field before it where that fits 4 bits */
static void
field_header(ThriftWriter *writer, int16_t id, ThriftType type)
{
	int			delta = id - writer->last_id[writer->depth - 1];

	if (delta > 0 && delta <= 15)
		buffer_append_char(writer->out, (char) (delta << 4 | (int) type));
	else
	{
		buffer_append_char(writer->out, (char) type);
		append_varint(writer->out, thrift_zigzag(id));
	}
	writer->last_id[writer->depth - 1] = id;
}

void
thrift_begin(ThriftWriter *writer)
{
	assert(writer->depth < THRIFT_MAX_DEPTH);
	writer->last_id[writer->depth++] = 0;
}

void
thrift_end(ThriftWriter *writer)
{
	assert(writer->depth > 0);
	writer->depth--;
	buffer_append_char(writer->out, 0);
}

void
thrift_bool_field(ThriftWriter *writer, int16_t id, bool value)
{
	field_header(writer, id, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void
thrift_i8_field(ThriftWriter *writer, int16_t id, int8_t value)
{
	field_header(writer, id, THRIFT_I8);
	buffer_append_char(writer->out, (char) value);
}

void
thrift_i16_field(ThriftWriter *writer, int16_t id, int16_t value)
{
	field_header(writer, id, THRIFT_I16);
	append_varint(writer->out, thrift_zigzag(value));
}

void
thrift_i32_field(ThriftWriter *writer, int16_t id, int32_t value)
{
	field_header(writer, id, THRIFT_I32);
	append_varint(writer->out, thrift_zigzag(value));
}

void
thrift_i64_field(ThriftWriter *writer, int16_t id, int64_t value)
{
	field_header(writer, id, THRIFT_I64);
	append_varint(writer->out, thrift_zigzag(value));
}

void
thrift_binary_field(ThriftWriter *writer, int16_t id, const void *data, size_t length)
{
	field_header(writer, id, THRIFT_BINARY);
	thrift_binary_element(writer, data, length);
}

void
thrift_list_field(ThriftWriter *writer, int16_t id, ThriftType element, size_t count)
{
	field_header(writer, id, THRIFT_LIST);
	if (count < 15)
		buffer_append_char(writer->out, (char) (count << 4 | (size_t) element));
	else
	{
		buffer_append_char(writer->out, (char) (0xF0 | (int) element));
		append_varint(writer->out, count);
	}
}

void
thrift_i32_element(ThriftWriter *writer, int32_t value)
{
	append_varint(writer->out, thrift_zigzag(value));
}

void
thrift_binary_element(ThriftWriter *writer, const void *data, size_t length)
{
	append_varint(writer->out, length);
	buffer_append(writer->out, data, length);
}

void
thrift_struct_field(ThriftWriter *writer, int16_t id)
{
	field_header(writer, id, THRIFT_STRUCT);
	thrift_begin(writer);
}
