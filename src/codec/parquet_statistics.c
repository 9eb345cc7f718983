/*-------------------------------------------------------------------------
 *
 * parquet_statistics.c
 *	  Least and greatest value and number of nulls of one column chunk.
 *
 * The rules are those of parquet.thrift (Statistics, ColumnOrder): NaN is
 * never a bound, a zero is written as -0.0 when least and +0.0 when greatest,
 * and a bound that was shortened is said not to be exact.
 *
 * A chunk with a NaN gets no bounds at all.  The format would allow those of
 * the other values, but to PostgreSQL and DuckDB NaN is greater than every
 * number, and DuckDB 1.5 skips row groups with NaN by such an upper bound.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_statistics.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_statistics.h"

#include <math.h>

void
statistics_reset(Statistics *statistics)
{
	statistics->any = false;
	statistics->nan = false;
	statistics->nulls = 0;
}

void
statistics_int32(Statistics *statistics, const int32_t *values, size_t n)
{
	int32_t		min;
	int32_t		max;
	size_t		i;

	if (n == 0)
		return;
	min = max = values[0];
	for (i = 1; i < n; i++)
	{
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
	}
	if (!statistics->any || min < statistics->integer.min)
		statistics->integer.min = min;
	if (!statistics->any || max > statistics->integer.max)
		statistics->integer.max = max;
	statistics->any = true;
}

void
statistics_int64(Statistics *statistics, const int64_t *values, size_t n)
{
	int64_t		min;
	int64_t		max;
	size_t		i;

	if (n == 0)
		return;
	min = max = values[0];
	for (i = 1; i < n; i++)
	{
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
	}
	if (!statistics->any || min < statistics->integer.min)
		statistics->integer.min = min;
	if (!statistics->any || max > statistics->integer.max)
		statistics->integer.max = max;
	statistics->any = true;
}

static void
merge_reals(Statistics *statistics, double min, double max)
{
	if (min > max)
		return;
	if (!statistics->any || min < statistics->real.min)
		statistics->real.min = min;
	if (!statistics->any || max > statistics->real.max)
		statistics->real.max = max;
	statistics->any = true;
}

void
statistics_float(Statistics *statistics, const float *values, size_t n)
{
	bool		nan = false;
	float		min = INFINITY;
	float		max = -INFINITY;
	size_t		i;

	for (i = 0; i < n; i++)
	{
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
		nan |= values[i] != values[i];
	}
	statistics->nan |= nan;
	merge_reals(statistics, (double) min, (double) max);
}

void
statistics_double(Statistics *statistics, const double *values, size_t n)
{
	bool		nan = false;
	double		min = INFINITY;
	double		max = -INFINITY;
	size_t		i;

	for (i = 0; i < n; i++)
	{
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
		nan |= values[i] != values[i];
	}
	statistics->nan |= nan;
	merge_reals(statistics, min, max);
}

/* big-endian two's complement: the sign decides, then the bytes */
static int
compare_decimals(const unsigned char *a, const unsigned char *b)
{
	if ((a[0] ^ b[0]) & 0x80)
		return a[0] & 0x80 ? -1 : 1;
	return memcmp(a, b, PARQUET_DECIMAL_BYTES);
}

void
statistics_decimal(Statistics *statistics,
				   const unsigned char (*values)[PARQUET_DECIMAL_BYTES], size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
	{
		if (!statistics->any || compare_decimals(values[i], statistics->decimal.min) < 0)
			memcpy(statistics->decimal.min, values[i], PARQUET_DECIMAL_BYTES);
		if (!statistics->any || compare_decimals(values[i], statistics->decimal.max) > 0)
			memcpy(statistics->decimal.max, values[i], PARQUET_DECIMAL_BYTES);
		statistics->any = true;
	}
}

static inline size_t
clip(size_t length)
{
	return length > STATISTICS_MAX_BYTES ? STATISTICS_MAX_BYTES + 1 : length;
}

static int
compare_bytes(const char *a, size_t alength, const char *b, size_t blength)
{
	int			c = memcmp(a, b, alength < blength ? alength : blength);

	if (c != 0)
		return c;
	return alength < blength ? -1 : alength > blength;
}

/* the first eight bytes as a number that sorts as they do, zeros behind a shorter value */
static inline uint64_t
sort_key(const char *data, size_t length)
{
	uint64_t	key = 0;

	if (length >= 8)
	{
		memcpy(&key, data, 8);
		return __builtin_bswap64(little64(key));
	}
	if (length >= 4)
	{
		uint32_t	head;
		uint32_t	tail;

		memcpy(&head, data, 4);
		memcpy(&tail, data + length - 4, 4);
		key = (uint64_t) __builtin_bswap32(little32(head)) << 32;
		return key | (uint64_t) __builtin_bswap32(little32(tail)) << (64 - 8 * length);
	}
	while (length-- > 0)
		key |= (uint64_t) (unsigned char) data[length] << (56 - 8 * length);
	return key;
}

/*
 * Nearly every value is decided by its first eight bytes.  Equal keys are
 * compared in full, which also tells "a" from "a\0".
 */
void
statistics_spans(Statistics *statistics, const ByteSpan *values, size_t n)
{
	size_t		i = 0;
	uint64_t	min;
	uint64_t	max;

	if (n == 0)
		return;
	if (!statistics->any)
	{
		size_t		length = clip(values[0].length);

		if (length > 0)
		{
			memcpy(statistics->bytes.min, values[0].data, length);
			memcpy(statistics->bytes.max, values[0].data, length);
		}
		statistics->bytes.min_length = statistics->bytes.max_length = (uint8_t) length;
		statistics->any = true;
		i = 1;
	}
	min = sort_key(statistics->bytes.min, statistics->bytes.min_length);
	max = sort_key(statistics->bytes.max, statistics->bytes.max_length);
	for (; i < n; i++)
	{
		const char *data = values[i].data;
		size_t		length = values[i].length;
		uint64_t	key = sort_key(data, length);

		if (key > min && key < max)
			continue;
		length = clip(length);
		if (key <= min &&
			compare_bytes(data, length, statistics->bytes.min, statistics->bytes.min_length) < 0)
		{
			memcpy(statistics->bytes.min, data, length);
			statistics->bytes.min_length = (uint8_t) length;
			min = key;
		}
		if (key >= max &&
			compare_bytes(data, length, statistics->bytes.max, statistics->bytes.max_length) > 0)
		{
			memcpy(statistics->bytes.max, data, length);
			statistics->bytes.max_length = (uint8_t) length;
			max = key;
		}
	}
}

/* the start of the last character in the first length bytes */
static size_t
last_character(const char *data, size_t length)
{
	size_t		at = length;

	while (at > 0 && length - at < 4)
	{
		at--;
		if (((unsigned char) data[at] & 0xC0) != 0x80)
			break;
	}
	return at;
}

/* the next character in code point order, in place; false if there is none */
static bool
next_character(char *data, size_t at, size_t *length)
{
	const unsigned char *p = (const unsigned char *) data + at;
	size_t		n = *length - at;
	uint32_t	c;

	if (n == 1 && p[0] < 0x80)
		c = p[0];
	else if (n == 2 && (p[0] & 0xE0) == 0xC0)
		c = (p[0] & 0x1FU) << 6 | (p[1] & 0x3FU);
	else if (n == 3 && (p[0] & 0xF0) == 0xE0)
		c = (p[0] & 0x0FU) << 12 | (p[1] & 0x3FU) << 6 | (p[2] & 0x3FU);
	else if (n == 4 && (p[0] & 0xF8) == 0xF0)
		c = (p[0] & 0x07U) << 18 | (p[1] & 0x3FU) << 12 | (p[2] & 0x3FU) << 6 | (p[3] & 0x3FU);
	else
		return false;

	c = c == 0xD7FF ? 0xE000 : c + 1;	/* surrogates are no characters */
	if (c > 0x10FFFF)
		return false;
	n = 0;
	if (c < 0x80)
		data[at + n++] = (char) c;
	else if (c < 0x800)
		data[at + n++] = (char) (0xC0 | c >> 6);
	else if (c < 0x10000)
	{
		data[at + n++] = (char) (0xE0 | c >> 12);
		data[at + n++] = (char) (0x80 | (c >> 6 & 0x3F));
	}
	else
	{
		data[at + n++] = (char) (0xF0 | c >> 18);
		data[at + n++] = (char) (0x80 | (c >> 12 & 0x3F));
		data[at + n++] = (char) (0x80 | (c >> 6 & 0x3F));
	}
	if (c >= 0x80)
		data[at + n++] = (char) (0x80 | (c & 0x3F));
	*length = at + n;
	return true;
}

/*
 * Shorten an upper bound: cut, then raise what is left so that it is not
 * below any value that begins with it.  False if nothing can be raised.
 */
static bool
shorten_max(StatisticsOrder order, char *data, size_t *length)
{
	*length = STATISTICS_MAX_BYTES;
	if (order == ORDER_BYTES)
	{
		while (*length > 0 && (unsigned char) data[*length - 1] == 0xFF)
			(*length)--;
		if (*length == 0)
			return false;
		data[*length - 1]++;
		return true;
	}
	/* the byte behind the cut tells whether the cut is between characters */
	if (((unsigned char) data[*length] & 0xC0) == 0x80)
		*length = last_character(data, *length);
	while (*length > 0)
	{
		size_t		at = last_character(data, *length);

		if (next_character(data, at, length))
			return true;
		*length = at;
	}
	return false;
}

/* both bounds as bytes of the file; false if the upper one could not be shortened */
static bool
write_bytes(const Statistics *statistics, ThriftWriter *thrift)
{
	char		max[STATISTICS_MAX_BYTES + 4];	/* a raised character may be longer */
	size_t		max_length = statistics->bytes.max_length;
	size_t		min_length = statistics->bytes.min_length;
	bool		max_cut = max_length > STATISTICS_MAX_BYTES;
	bool		min_cut = min_length > STATISTICS_MAX_BYTES;

	memcpy(max, statistics->bytes.max, max_length);
	if (max_cut && !shorten_max(statistics->order, max, &max_length))
		return false;
	if (min_cut)
	{
		min_length = STATISTICS_MAX_BYTES;
		if (statistics->order == ORDER_UTF8 &&
			((unsigned char) statistics->bytes.min[min_length] & 0xC0) == 0x80)
			min_length = last_character(statistics->bytes.min, min_length);
	}
	thrift_binary_field(thrift, 5, max, max_length);
	thrift_binary_field(thrift, 6, statistics->bytes.min, min_length);
	thrift_bool_field(thrift, 7, !max_cut);
	thrift_bool_field(thrift, 8, !min_cut);
	return true;
}

static void
write_bounds(ThriftWriter *thrift, const void *min, const void *max, size_t length)
{
	thrift_binary_field(thrift, 5, max, length);
	thrift_binary_field(thrift, 6, min, length);
	thrift_bool_field(thrift, 7, true);
	thrift_bool_field(thrift, 8, true);
}

void
statistics_write(const Statistics *statistics, ThriftWriter *thrift, int16_t field)
{
	uint64_t	min;
	uint64_t	max;
	uint32_t	min32;
	uint32_t	max32;
	double		min_real;
	double		max_real;
	float		value;

	thrift_struct_field(thrift, field);
	thrift_i64_field(thrift, 3, (int64_t) statistics->nulls);
	if (!statistics->any || statistics->nan)
	{
		thrift_end(thrift);
		return;
	}
	switch (statistics->order)
	{
		case ORDER_BOOLEAN:
			min = little64((uint64_t) statistics->integer.min);
			max = little64((uint64_t) statistics->integer.max);
			write_bounds(thrift, &min, &max, 1);
			break;
		case ORDER_INT32:
			min32 = little32((uint32_t) statistics->integer.min);
			max32 = little32((uint32_t) statistics->integer.max);
			write_bounds(thrift, &min32, &max32, sizeof(min32));
			break;
		case ORDER_INT64:
			min = little64((uint64_t) statistics->integer.min);
			max = little64((uint64_t) statistics->integer.max);
			write_bounds(thrift, &min, &max, sizeof(min));
			break;
		case ORDER_FLOAT:
		case ORDER_DOUBLE:
			min_real = statistics->real.min == 0 ? -0.0 : statistics->real.min;
			max_real = statistics->real.max == 0 ? 0.0 : statistics->real.max;
			if (statistics->order == ORDER_FLOAT)
			{
				value = (float) min_real;
				memcpy(&min32, &value, sizeof(min32));
				value = (float) max_real;
				memcpy(&max32, &value, sizeof(max32));
				min32 = little32(min32);
				max32 = little32(max32);
				write_bounds(thrift, &min32, &max32, sizeof(min32));
			}
			else
			{
				memcpy(&min, &min_real, sizeof(min));
				memcpy(&max, &max_real, sizeof(max));
				min = little64(min);
				max = little64(max);
				write_bounds(thrift, &min, &max, sizeof(min));
			}
			break;
		case ORDER_DECIMAL_BYTES:
			write_bounds(thrift, statistics->decimal.min, statistics->decimal.max,
						 PARQUET_DECIMAL_BYTES);
			break;
		case ORDER_BYTES:
		case ORDER_UTF8:
			(void) write_bytes(statistics, thrift);
			break;
	}
	thrift_end(thrift);
}
