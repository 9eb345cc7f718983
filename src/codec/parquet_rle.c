/*-------------------------------------------------------------------------
 *
 * parquet_rle.c
 *	  Parquet's hybrid of run lengths and bit packing.
 *
 * A stream is a sequence of runs, each a varint header and its body: an even
 * header h is h/2 copies of one value in whole bytes, an odd header is h/2
 * groups of eight packed values.  A packed run holds whole groups, so only
 * the last may be padded; repeated values are therefore looked for at group
 * boundaries of the packed run before them.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_rle.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_rle.h"

#include "codec/parquet_thrift.h"

/* a run has to be this long to pay for the two headers it costs */
#define MIN_RUN 16

/* eight values of the given width: width bytes */
static inline unsigned char *
pack_group(const uint32_t *values, int width, unsigned char *out)
{
	uint64_t	bits = 0;
	int			used = 0;
	int			i;

	for (i = 0; i < 8; i++)
	{
		bits |= (uint64_t) values[i] << used;
		used += width;
		while (used >= 8)
		{
			*out++ = (unsigned char) bits;
			bits >>= 8;
			used -= 8;
		}
	}
	return out;
}

/* the same where a group fits one word */
static inline unsigned char *
pack_narrow_group(const uint32_t *values, int width, unsigned char *out)
{
	uint64_t	bits = 0;
	int			i;

	for (i = 7; i >= 0; i--)
		bits = bits << width | values[i];
	for (i = 0; i < width; i++)
		out[i] = (unsigned char) (bits >> (8 * i));
	return out + width;
}

/* values, padded with zeros to whole groups, as one packed run */
static unsigned char *
packed_run(const uint32_t *values, size_t count, int width, unsigned char *out)
{
	size_t		groups = (count + 7) / 8;
	size_t		i;

	if (groups == 0)
		return out;
	out += thrift_varint((uint64_t) groups << 1 | 1, out);
	for (i = 0; i + 8 <= count; i += 8)
		out = width <= 8 ? pack_narrow_group(values + i, width, out) :
			pack_group(values + i, width, out);
	if (i < count)
	{
		uint32_t	last[8] = {0};

		memcpy(last, values + i, (count - i) * sizeof(uint32_t));
		out = pack_group(last, width, out);
	}
	return out;
}

size_t
rle_encode(const uint32_t *values, size_t count, int width, unsigned char *out)
{
	unsigned char *start = out;
	size_t		literal = 0;	/* first value not yet written */
	size_t		i = 0;

	while (i + MIN_RUN <= count)
	{
		uint32_t	value = values[i];
		size_t		end;
		int			byte;

		/* eight at a time tells most non-runs from runs */
		if (((values[i + 1] ^ value) | (values[i + 2] ^ value) |
			 (values[i + 3] ^ value) | (values[i + 4] ^ value) |
			 (values[i + 5] ^ value) | (values[i + 6] ^ value) |
			 (values[i + 7] ^ value)) != 0)
		{
			i += 8;
			continue;
		}
		for (end = i + 8; end < count && values[end] == value; end++)
			;
		if (end - i < MIN_RUN)
		{
			i += 8;
			continue;
		}
		out = packed_run(values + literal, i - literal, width, out);
		out += thrift_varint((uint64_t) (end - i) << 1, out);
		for (byte = 0; byte < width; byte += 8)
			*out++ = (unsigned char) (value >> byte);
		literal = i = end;
	}
	out = packed_run(values + literal, count - literal, width, out);
	return (size_t) (out - start);
}

size_t
rle_encode_run(int bit, size_t count, unsigned char *out)
{
	size_t		n;

	if (count == 0)
		return 0;
	n = thrift_varint((uint64_t) count << 1, out);
	out[n++] = (unsigned char) bit;
	return n;
}

/*
 * At width 1 a group of eight is one byte, and that byte is already in bits:
 * packed runs are copied, and runs are looked for by bytes.
 */
size_t
rle_encode_bits(const unsigned char *bits, size_t count, unsigned char *out)
{
	unsigned char *start = out;
	size_t		bytes = (count + 7) / 8;
	size_t		literal = 0;
	size_t		i = 0;

	while (i < bytes)
	{
		size_t		end = i + 1;

		if (bits[i] == 0x00 || bits[i] == 0xFF)
			while (end < bytes && bits[end] == bits[i])
				end++;
		if (end - i >= 8)
		{
			size_t		values = (end == bytes ? count : end * 8) - i * 8;

			if (i > literal)
			{
				out += thrift_varint((uint64_t) (i - literal) << 1 | 1, out);
				memcpy(out, bits + literal, i - literal);
				out += i - literal;
			}
			out += rle_encode_run(bits[i] & 1, values, out);
			literal = end;
		}
		i = end;
	}
	if (bytes > literal)
	{
		out += thrift_varint((uint64_t) (bytes - literal) << 1 | 1, out);
		memcpy(out, bits + literal, bytes - literal);
		out += bytes - literal;
	}
	return (size_t) (out - start);
}
