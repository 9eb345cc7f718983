/*-------------------------------------------------------------------------
 *
 * parquet_test.c
 *	  The Parquet writer below its files: Thrift, run lengths, decimals, base64,
 *	  bounds, and what it refuses.
 *
 * That the files are right is proven by other readers: see parquet_make.c.
 *
 * IDENTIFICATION
 *	  test/unit/parquet_test.c
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* memmem() */

#include "tap.h"

#include "codec/parquet_column.h"
#include "codec/parquet_rle.h"
#include "codec/parquet_thrift.h"
#include "codec/parquet_value.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

/* bytes as hexadecimal text, overwritten by the next call but one */
static const char *
hex(const void *data, size_t length)
{
	static char texts[2][1024];
	static int	which;
	char	   *text = texts[which ^= 1];
	size_t		i;

	text[0] = '\0';
	for (i = 0; i < length && i < 500; i++)
		sprintf(text + i * 2, "%02x", ((const unsigned char *) data)[i]);
	return text;
}

static uint32_t
read32(const char *p)
{
	const unsigned char *b = (const unsigned char *) p;

	return (uint32_t) b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16 | (uint32_t) b[3] << 24;
}

/* ------------------------------------------------------------------------
 * Thrift
 * ------------------------------------------------------------------------
 */

static void
test_thrift(void)
{
	static const struct
	{
		uint64_t	value;
		const char *bytes;
	}			varints[] = {
		{0, "00"}, {1, "01"}, {127, "7f"}, {128, "8001"}, {300, "ac02"}, {16383, "ff7f"},
		{16384, "808001"}, {UINT32_MAX, "ffffffff0f"}, {UINT64_MAX, "ffffffffffffffffff01"}
	};
	unsigned char out[10];
	ByteBuffer		buffer = {0};
	ThriftWriter thrift = {.out = &buffer};
	size_t		i;

	for (i = 0; i < sizeof(varints) / sizeof(varints[0]); i++)
		is_str(hex(out, thrift_varint(varints[i].value, out)), varints[i].bytes,
			   "varint of %" PRIu64, varints[i].value);
	is_int(thrift_zigzag(0), 0, "zigzag of 0");
	is_int(thrift_zigzag(-1), 1, "zigzag of -1");
	is_int(thrift_zigzag(1), 2, "zigzag of 1");
	is_int(thrift_zigzag(INT32_MIN), 4294967295LL, "zigzag of the least 32-bit integer");
	ok(thrift_zigzag(INT64_MIN) == UINT64_MAX, "zigzag of the least 64-bit integer");
	ok(thrift_zigzag(INT64_MAX) == UINT64_MAX - 1, "zigzag of the greatest 64-bit integer");

	thrift_begin(&thrift);
	thrift_i32_field(&thrift, 1, -2);
	thrift_bool_field(&thrift, 2, true);
	thrift_bool_field(&thrift, 4, false);
	thrift_binary_field(&thrift, 20, "ab", 2);	/* 16 further: the long header */
	thrift_struct_field(&thrift, 21);
	thrift_i8_field(&thrift, 1, -1);
	thrift_i64_field(&thrift, 2, INT64_MIN);
	thrift_end(&thrift);
	thrift_list_field(&thrift, 22, THRIFT_I32, 2);
	thrift_i32_element(&thrift, 0);
	thrift_i32_element(&thrift, 64);
	thrift_list_field(&thrift, 23, THRIFT_STRUCT, 15);	/* the long header of lists */
	thrift_i16_field(&thrift, 5, 1);	/* an id below the last */
	thrift_end(&thrift);
	is_str(hex(buffer.data, buffer.length),
		   "1503" "11" "22" "0828026162" "1c" "13ff" "16ffffffffffffffffff01" "00"
		   "19" "25" "00" "8001" "19" "fc0f" "040a02" "00",
		   "a struct with fields of all kinds");
	is_int(thrift.depth, 0, "all structs are closed");
	buffer_free(&buffer);
}

/* ------------------------------------------------------------------------
 * run lengths
 * ------------------------------------------------------------------------
 */

/* the reading half, straight from Encodings.md; false if the stream is broken */
static bool
rle_decode(const unsigned char *in, size_t length, int width, uint32_t *values, size_t count)
{
	const unsigned char *end = in + length;
	size_t		n = 0;

	while (n < count)
	{
		uint64_t	header = 0;
		int			shift = 0;

		do
		{
			if (in == end)
				return false;
			header |= (uint64_t) (*in & 0x7F) << shift;
			shift += 7;
		} while (*in++ & 0x80);
		if (header & 1)
		{
			size_t		groups = header >> 1;
			size_t		bit;

			if ((size_t) (end - in) < groups * (size_t) width)
				return false;
			for (bit = 0; bit < groups * 8 && n < count; bit++)
			{
				uint32_t	value = 0;
				int			b;

				for (b = 0; b < width; b++)
				{
					size_t		at = bit * (size_t) width + (size_t) b;

					value |= (uint32_t) (in[at / 8] >> (at % 8) & 1) << b;
				}
				values[n++] = value;
			}
			in += groups * (size_t) width;
		}
		else
		{
			size_t		run = header >> 1;
			uint32_t	value = 0;
			int			byte;

			if (run == 0 || run > count - n || end - in < (width + 7) / 8)
				return false;
			for (byte = 0; byte < (width + 7) / 8; byte++)
				value |= (uint32_t) *in++ << (8 * byte);
			while (run-- > 0)
				values[n++] = value;
		}
	}
	return in == end;
}

static uint64_t random_state = 1;

static uint32_t
random_below(uint32_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) ((random_state >> 33) % n);
}

static void
test_rle(void)
{
	static uint32_t values[3000];
	static uint32_t decoded[3000];
	static unsigned char out[RLE_BOUND(3000, 32)];
	static unsigned char bits[400];
	const uint32_t ascending[8] = {0, 1, 2, 3, 4, 5, 6, 7};
	int			wrong = 0;
	int			too_long = 0;
	int			round;
	size_t		i;
	size_t		n;

	/* the example of Encodings.md */
	is_str(hex(out, rle_encode(ascending, 8, 3, out)), "0388c6fa", "0 to 7 at width 3");
	for (i = 0; i < 100; i++)
		values[i] = 4;
	is_str(hex(out, rle_encode(values, 100, 3, out)), "c80104", "a hundred times 4");
	for (i = 0; i < 100; i++)
		values[i] = 300;
	is_str(hex(out, rle_encode(values, 100, 9, out)), "c8012c01", "a hundred times 300: two bytes");
	is_str(hex(out, rle_encode(values, 0, 1, out)), "", "no values");
	is_str(hex(out, rle_encode(ascending + 1, 1, 1, out)), "0301", "one value: a padded group");
	is_str(hex(out, rle_encode_run(1, 20000, out)), "c0b80201", "20,000 rows without a null");

	for (round = 0; round < 4000; round++)
	{
		int			width = 1 + (int) random_below(round % 10 == 0 ? 32 : 18);
		uint32_t	max = width == 32 ? UINT32_MAX : (1U << width) - 1;
		size_t		count = 1 + random_below(round % 10 == 0 ? 3000 : 80);
		size_t		length;

		for (n = 0; n < count;)
		{
			size_t		run = 1 + random_below(random_below(4) == 0 ? 100 : 9);
			uint32_t	value = random_below(8) == 0 ? max : random_below(UINT32_MAX) & max;

			while (run-- > 0 && n < count)
				values[n++] = value;
		}
		memset(out, 0xA5, sizeof(out));
		length = rle_encode(values, count, width, out);
		if (length > RLE_BOUND(count, width))
			too_long++;
		if (!rle_decode(out, length, width, decoded, count) ||
			memcmp(values, decoded, count * sizeof(uint32_t)) != 0)
			wrong++;

		/* the same of single bits */
		memset(bits, 0, sizeof(bits));
		for (n = 0; n < count; n++)
			bits[n / 8] = (unsigned char) (bits[n / 8] | (values[n] & 1) << (n % 8));
		length = rle_encode_bits(bits, count, out);
		if (length > RLE_BITS_BOUND(count))
			too_long++;
		if (!rle_decode(out, length, 1, decoded, count))
			wrong++;
		else
			for (n = 0; n < count; n++)
				if (decoded[n] != (values[n] & 1))
				{
					wrong++;
					break;
				}
	}
	is_int(wrong, 0, "random runs come back from a decoder");
	is_int(too_long, 0, "and stay within their bounds");
	is_int(rle_width(0), 1, "width of one value");
	is_int(rle_width(1), 1, "width of two values");
	is_int(rle_width(2), 2, "width of three values");
	is_int(rle_width(65535), 16, "width of 65,536 values");
	is_int(rle_width(65536), 17, "width of one more");
}

/* ------------------------------------------------------------------------
 * decimals, base64
 * ------------------------------------------------------------------------
 */

static void
test_decimals(void)
{
	static const struct
	{
		const char *text;
		int			precision;
		int			scale;
		DecimalStatus status;
		int64_t		value;
	}			narrow[] = {
		{"0", 5, 2, DECIMAL_OK, 0},
		{"-0", 5, 2, DECIMAL_OK, 0},
		{"0.000", 1, 0, DECIMAL_OK, 0},
		{"0e999999999999999999999", 1, 0, DECIMAL_OK, 0},
		{"0.0E-99999999999999", 1, 0, DECIMAL_OK, 0},
		{"1", 5, 2, DECIMAL_OK, 100},
		{"123.45", 5, 2, DECIMAL_OK, 12345},
		{"-123.45", 5, 2, DECIMAL_OK, -12345},
		{"123.450000", 5, 2, DECIMAL_OK, 12345},
		{"12345e-2", 5, 2, DECIMAL_OK, 12345},
		{"1.2345E+2", 5, 2, DECIMAL_OK, 12345},
		{"0.0012345e5", 5, 2, DECIMAL_OK, 12345},
		{"1234500e-4", 5, 2, DECIMAL_OK, 12345},
		{"999.99", 5, 2, DECIMAL_OK, 99999},
		{"1e2", 3, 0, DECIMAL_OK, 100},
		{"999999999999999999", 18, 0, DECIMAL_OK, INT64_C(999999999999999999)},
		{"-0.999999999999999999", 18, 18, DECIMAL_OK, -INT64_C(999999999999999999)},
		{"0.123456789", 9, 9, DECIMAL_OK, 123456789},
		{"1000", 5, 2, DECIMAL_TOO_LARGE, 0},
		{"1e3", 5, 2, DECIMAL_TOO_LARGE, 0},
		{"1e99999999999999999999", 5, 2, DECIMAL_TOO_LARGE, 0},
		{"1000000000000000000", 18, 0, DECIMAL_TOO_LARGE, 0},
		{"123456789012345678901234567890123456789012345678901234567890", 18, 0, DECIMAL_TOO_LARGE, 0},
		{"1.234", 5, 2, DECIMAL_TOO_PRECISE, 0},
		{"0.001", 5, 2, DECIMAL_TOO_PRECISE, 0},
		{"1e-3", 5, 2, DECIMAL_TOO_PRECISE, 0},
		{"1e-99999999999999999999", 5, 2, DECIMAL_TOO_PRECISE, 0},
		{"", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"-", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"+1", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"01", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"1.", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{".5", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"1e", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"1e+", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"1 ", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"1,5", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"NaN", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"Infinity", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"0x1", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"--1", 5, 2, DECIMAL_NOT_A_NUMBER, 0},
		{"1.2.3", 5, 2, DECIMAL_NOT_A_NUMBER, 0}
	};
	static const struct
	{
		const char *text;
		int			scale;
		const char *bytes;
	}			wide[] = {
		{"0", 0, "00000000000000000000000000000000"},
		{"-0", 0, "00000000000000000000000000000000"},
		{"1", 0, "00000000000000000000000000000001"},
		{"-1", 0, "ffffffffffffffffffffffffffffffff"},
		{"-256", 0, "ffffffffffffffffffffffffffffff00"},
		{"18446744073709551616", 0, "00000000000000010000000000000000"},
		{"-18446744073709551616", 0, "ffffffffffffffff0000000000000000"},
		{"99999999999999999999999999999999999999", 0, "4b3b4ca85a86c47a098a223fffffffff"},
		{"-99999999999999999999999999999999999999", 0, "b4c4b357a5793b85f675ddc000000001"},
		{"0.5", 38, "259da6542d43623d04c5112000000000"},
		{"1e37", 0, "0785ee10d5da46d900f436a000000000"}
	};
	unsigned char bytes[PARQUET_DECIMAL_BYTES];
	size_t		i;

	for (i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++)
	{
		int64_t		value = 0;
		DecimalStatus status = decimal_to_int64(narrow[i].text, strlen(narrow[i].text),
												narrow[i].precision, narrow[i].scale, &value);

		ok(status == narrow[i].status && value == narrow[i].value,
		   "\"%s\" as decimal(%d,%d)", narrow[i].text, narrow[i].precision, narrow[i].scale);
		/* the same rules for the wide form */
		is_int(decimal_to_bytes(narrow[i].text, strlen(narrow[i].text),
								narrow[i].precision, narrow[i].scale, bytes),
			   narrow[i].status, "and in 16 bytes");
	}
	for (i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
	{
		memset(bytes, 0xEE, sizeof(bytes));
		is_int(decimal_to_bytes(wide[i].text, strlen(wide[i].text), 38, wide[i].scale, bytes),
			   DECIMAL_OK, "%s fits 38 digits", wide[i].text);
		is_str(hex(bytes, sizeof(bytes)), wide[i].bytes, "and its bytes are right");
	}
	is_int(decimal_to_bytes("100000000000000000000000000000000000000", 39, 38, 0, bytes),
		   DECIMAL_TOO_LARGE, "39 digits do not");
}

static void
test_base64(void)
{
	static const struct
	{
		const char *text;
		const char *bytes;		/* NULL: refused */
	}			cases[] = {
		{"", ""}, {"Zg==", "66"}, {"Zm8=", "666f"}, {"Zm9v", "666f6f"}, {"Zm9vYg==", "666f6f62"},
		{"Zm9vYmE=", "666f6f6261"}, {"Zm9vYmFy", "666f6f626172"}, {"////", "ffffff"},
		{"+/+/", "fbffbf"}, {"AAAA", "000000"}, {"Zm9v\nYmFy", "666f6f626172"},
		{"Zm\r\n9vYm\nFy\n", "666f6f626172"}, {"Zg=\n=", "66"}, {"\n", ""},
		{"Z", NULL}, {"Zg", NULL}, {"Zg=", NULL}, {"Zm9vY", NULL}, {"====", NULL}, {"Z===", NULL},
		{"Zg==Zg==", NULL}, {"Zm=v", NULL}, {"Zm9v=", NULL}, {"Zm9 v", NULL}, {"Zm9-", NULL},
		{"Zm9_", NULL}, {"Zh==", NULL}, {"Zm9=", NULL}, {"Zm9\xc3", NULL}, {"Zm9vZg==A", NULL}
	};
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		size_t		length = strlen(cases[i].text);
		char	   *out = malloc(length / 4 * 3 + 3);	/* exactly: the sanitizer looks */
		size_t		out_length = 0;
		bool		good = base64_decode(cases[i].text, length, out, &out_length);

		if (cases[i].bytes == NULL)
			ok(!good, "base64 \"%s\" is refused", cases[i].text);
		else
			is_str(good ? hex(out, out_length) : "refused", cases[i].bytes,
				   "base64 \"%s\"", cases[i].text);
		free(out);
	}
}

/* ------------------------------------------------------------------------
 * bounds
 * ------------------------------------------------------------------------
 */

/* the struct Statistics of some texts, without its header */
static const char *
bounds_of(StatisticsOrder order, const char *const *texts, size_t n)
{
	ByteBuffer		buffer = {0};
	const char *result;
	Statistics	statistics = {.order = order};
	ThriftWriter thrift = {.out = &buffer};
	ByteSpan	span;
	size_t		i;

	statistics_reset(&statistics);
	for (i = 0; i < n; i++)
	{
		span.data = texts[i];
		span.length = strlen(texts[i]);
		statistics_spans(&statistics, &span, 1);
	}
	thrift_begin(&thrift);
	statistics_write(&statistics, &thrift, 1);
	result = hex(buffer.data + 1, buffer.length - 1);
	buffer_free(&buffer);
	return result;
}

static void
test_bounds(void)
{
	static const char *const plain[] = {"b", "ab", "abc", "b\x01", ""};
	static const char *const prefixes[] = {"abcdefgh", "abcdefghi", "abcdefg"};
	char		long_text[100];
	const char *texts[1] = {long_text};
	char		expected[400];
	const float floats[] = {-0.0f, 0.0f};
	const double with_nan[] = {1.0, NAN};
	Statistics	statistics = {.order = ORDER_FLOAT};
	ByteBuffer		buffer = {0};
	ThriftWriter thrift = {.out = &buffer};

	/* null_count 0, max_value, min_value, both exact */
	is_str(bounds_of(ORDER_UTF8, plain, 5), "3600" "28026201" "1800" "11" "11" "00",
		   "bounds of short texts");
	is_str(bounds_of(ORDER_UTF8, prefixes, 3),
		   "3600" "2809616263646566676869" "1807" "61626364656667" "11" "11" "00",
		   "texts that begin alike");
	is_str(bounds_of(ORDER_UTF8, NULL, 0), "360000", "no values, no bounds");

	memset(long_text, 'k', sizeof(long_text));
	long_text[99] = '\0';
	snprintf(expected, sizeof(expected), "3600" "2840");
	memset(long_text, 'k', 99);
	{
		char		k[64];

		memset(k, 'k', sizeof(k));
		strcat(expected, hex(k, 63));
		strcat(expected, "6c" "1840");
		strcat(expected, hex(k, 64));
		strcat(expected, "12" "12" "00");
		is_str(bounds_of(ORDER_UTF8, texts, 1), expected, "a long text: cut, and cut and raised");
		is_str(bounds_of(ORDER_BYTES, texts, 1), expected, "long bytes: the same");

		/* the last character before the cut is the greatest of its length */
		memcpy(long_text + 62, "\xdf\xbf", 2);
		snprintf(expected, sizeof(expected), "3600" "2841%s" "e0a080" "1840%s" "dfbf" "12" "12" "00",
				 hex(k, 62), hex(k, 62));
		is_str(bounds_of(ORDER_UTF8, texts, 1), expected, "U+07FF is raised to U+0800");

		memset(long_text, 'k', 99);
		memcpy(long_text + 61, "\xed\x9f\xbf", 3);
		snprintf(expected, sizeof(expected), "3600" "2840%s" "ee8080" "1840%s" "ed9fbf" "12" "12" "00",
				 hex(k, 61), hex(k, 61));
		is_str(bounds_of(ORDER_UTF8, texts, 1), expected, "U+D7FF is raised over the surrogates");

		/* the greatest character cannot be raised: the one before it is */
		memset(long_text, 'k', 99);
		memcpy(long_text + 60, "\xf4\x8f\xbf\xbf", 4);
		snprintf(expected, sizeof(expected), "3600" "283c%s" "6c" "1840%s" "f48fbfbf" "12" "12" "00",
				 hex(k, 59), hex(k, 60));
		is_str(bounds_of(ORDER_UTF8, texts, 1), expected, "U+10FFFF is dropped");

		/* the cut falls into a character */
		memset(long_text, 'k', 99);
		memcpy(long_text + 63, "\xe2\x82\xac", 3);
		snprintf(expected, sizeof(expected), "3600" "283f%s" "6c" "183f%s" "12" "12" "00",
				 hex(k, 62), hex(k, 63));
		is_str(bounds_of(ORDER_UTF8, texts, 1), expected, "a character is not cut in two");
	}
	memset(long_text, 0xFF, 99);
	is_str(bounds_of(ORDER_BYTES, texts, 1), "360000", "long bytes ff have no upper bound");

	statistics_float(&statistics, floats, 1);
	thrift_begin(&thrift);
	statistics_write(&statistics, &thrift, 1);
	is_str(hex(buffer.data + 1, buffer.length - 1), "3600" "280400000000" "180400000080" "11" "11" "00",
		   "zeros are bounded by -0 and +0");
	buffer_reset(&buffer);

	memset(&statistics, 0, sizeof(statistics));
	statistics.order = ORDER_DOUBLE;
	statistics_double(&statistics, with_nan, 2);
	thrift.depth = 0;
	thrift_begin(&thrift);
	statistics_write(&statistics, &thrift, 1);
	is_str(hex(buffer.data + 1, buffer.length - 1), "360000", "nothing is bounded beside a NaN");
	buffer_free(&buffer);
}

/* ------------------------------------------------------------------------
 * files
 * ------------------------------------------------------------------------
 */

static void
test_golden(void)
{
	/* id long, name string: (1, ab), (null, ""), (-2, null) */
	const ParquetColumn columns[] = {{"id", FIELD_LONG, 0, 0}, {"name", FIELD_STRING, 0, 0}};
	const ParquetWriterOptions options = {.compression = PARQUET_UNCOMPRESSED};
	const Cell	ids[] = {
		{.integer = 1,.kind = CELL_INTEGER}, {.kind = CELL_NULL}, {.integer = -2,.kind = CELL_INTEGER}
	};
	const Cell	names[] = {
		{.data = "ab",.length = 2,.kind = CELL_STRING}, {.data = "",.kind = CELL_STRING},
		{.kind = CELL_NULL}
	};
	const Cell *const batch[] = {ids, names};
	ParquetWriter *writer = parquet_writer_create(columns, 2, &options);
	ByteBuffer *out = parquet_writer_output(writer);
	uint32_t	footer;

	is_int(parquet_writer_memory(writer), 0, "nothing is held at first");
	ok(parquet_writer_put(writer, batch, NULL, 3), "three rows");
	ok(parquet_writer_memory(writer) > 0, "rows are held");
	ok(parquet_writer_finish(writer), "finished");
	is_int(parquet_writer_memory(writer), 0, "nothing is held at last");

	/* page bodies as in golden file A of Parquet's description: levels, values */
	ok(memcmp(out->data, "PAR1", 4) == 0 && memcmp(out->data + out->length - 4, "PAR1", 4) == 0,
	   "both magics");
	footer = read32(out->data + out->length - 8);
	ok(footer > 100 && footer < out->length - 12, "the length of the footer");
	is_str(hex(out->data + 4, 39),
		   "1500152c152c2c1506150015061506000002000000030501000000" "00000000feffffffffffffff",
		   "the first page");
	is_str(hex(out->data + 43, 33),
		   "1500152015202c150615001506150600000200000003030200000061620000" "0000",
		   "the second page");
	ok(memcmp(out->data + out->length - 8 - footer, "\x15\x04\x19\x3c\x48\x06schema\x15\x04\x00", 15) == 0,
	   "the footer begins with version 2 and a schema of two columns");
	ok(memmem(out->data, out->length, "appflow version 1.0", 19) != NULL, "created_by");

	ok(!parquet_writer_put(writer, batch, NULL, 3), "no rows behind the end");
	is_str(parquet_writer_error(writer)->message, "Parquet file is already finished", "says why");
	parquet_writer_free(writer);
}

static void
test_nothing(void)
{
	const ParquetColumn column = {"only", FIELD_STRING, 0, 0};
	ParquetWriter *writer;
	ByteBuffer *out;

	ok(parquet_writer_create(&column, 0, NULL) == NULL, "no columns, no file");
	writer = parquet_writer_create(&column, 1, NULL);
	out = parquet_writer_output(writer);
	is_int(out->length, 4, "the file begins at once");
	ok(parquet_writer_put(writer, NULL, NULL, 0), "no rows");
	ok(parquet_writer_flush(writer), "nothing to flush");
	is_int(out->length, 4, "and nothing was written");
	buffer_reset(out);
	ok(parquet_writer_finish(writer), "a file of no rows");
	is_int(read32(out->data + out->length - 8), out->length - 8, "is a footer");
	parquet_writer_free(writer);
	parquet_writer_free(NULL);
}

/* one value that must be refused, in the third of four rows */
static void
refuse(FieldType type, int precision, int scale, Cell good, Cell bad, const char *message)
{
	const ParquetColumn columns[] = {
		{"other", FIELD_BOOLEAN, 0, 0}, {"x", type, precision, scale}
	};
	Cell		others[9];
	Cell		cells[9];
	const Cell *const batch[] = {others, cells};
	const uint32_t rows[] = {8, 6, 4, 2};
	ParquetWriter *writer = parquet_writer_create(columns, 2, NULL);
	int			i;

	for (i = 0; i < 9; i++)
	{
		others[i] = cell_integer(CELL_BOOLEAN, 1);
		cells[i] = i == 8 ? cell_null() : good;
	}
	ok(parquet_writer_put(writer, batch, NULL, 9), "the good one is taken");
	cells[4] = bad;
	ok(!parquet_writer_put(writer, batch, rows, 4), "the bad one is not");
	is_str(parquet_writer_error(writer)->message, message, "and the message says why");
	is_int(parquet_writer_error(writer)->line, 3, "the row");
	is_int(parquet_writer_error(writer)->column, 2, "the column");
	ok(!parquet_writer_finish(writer), "the file is lost");
	is_str(parquet_writer_error(writer)->message, message, "the message stays");
	parquet_writer_free(writer);
}

static Cell
text(CellKind kind, const char *value)
{
	return cell_text(kind, value, (uint32_t) strlen(value));
}

static Cell
kind(int number)
{
	Cell		cell = cell_null();

	cell.kind = (uint8_t) number;
	return cell;
}

static void
test_refusals(void)
{
	Cell		string = text(CELL_STRING, "AAAA");
	Cell		number = text(CELL_NUMBER, "1.5");
	Cell		integer = cell_integer(CELL_INTEGER, 7);
	Cell		truth = cell_integer(CELL_BOOLEAN, 1);
	Cell		real = cell_double(0.5);
	Cell		date = cell_integer(CELL_DATE, 1);
	Cell		timestamp = cell_integer(CELL_TIMESTAMP, 1);
	Cell		huge = text(CELL_STRING, "x");

	huge.length = 0x40000000;
	refuse(FIELD_STRING, 0, 0, string, number, "value of column \"x\" is not a string");
	refuse(FIELD_STRING, 0, 0, string, kind(9), "value of column \"x\" is not a string");
	refuse(FIELD_STRING, 0, 0, string, kind(64), "value of column \"x\" is not a string");
	refuse(FIELD_STRING, 0, 0, string, kind(65), "value of column \"x\" is not a string");
	refuse(FIELD_STRING, 0, 0, string, kind(255), "value of column \"x\" is not a string");
	refuse(FIELD_STRING, 0, 0, string, huge, "value of column \"x\" is longer than 1073741823 bytes");
	refuse(FIELD_UUID, 0, 0, string, integer, "value of column \"x\" is not a string");
	refuse(FIELD_TIME, 0, 0, string, integer, "value of column \"x\" is not a string");
	refuse(FIELD_BINARY, 0, 0, string, text(CELL_STRING, "AAA"), "value of column \"x\" is not valid base64");
	refuse(FIELD_BINARY, 0, 0, string, number, "value of column \"x\" is not a string");
	refuse(FIELD_BINARY, 0, 0, string, huge, "value of column \"x\" is longer than 1073741823 bytes");
	refuse(FIELD_JSON, 0, 0, string, integer, "value of column \"x\" is not a JSON value");
	refuse(FIELD_JSON, 0, 0, string, huge, "value of column \"x\" is longer than 178956968 bytes");
	refuse(FIELD_BOOLEAN, 0, 0, truth, cell_integer(CELL_BOOLEAN, 2), "value of column \"x\" is neither true nor false");
	refuse(FIELD_BOOLEAN, 0, 0, truth, cell_integer(CELL_BOOLEAN, INT64_MIN), "value of column \"x\" is neither true nor false");
	refuse(FIELD_BOOLEAN, 0, 0, truth, integer, "value of column \"x\" is not a boolean");
	refuse(FIELD_INTEGER, 0, 0, integer, cell_integer(CELL_INTEGER, INT64_C(1) << 31), "value of column \"x\" is out of range for a 32-bit integer");
	refuse(FIELD_INTEGER, 0, 0, integer, cell_integer(CELL_INTEGER, INT64_MIN), "value of column \"x\" is out of range for a 32-bit integer");
	refuse(FIELD_INTEGER, 0, 0, integer, number, "value of column \"x\" is not an integer");
	refuse(FIELD_LONG, 0, 0, integer, real, "value of column \"x\" is not an integer");
	refuse(FIELD_FLOAT, 0, 0, real, cell_double(0.1), "value of column \"x\" is not a single-precision number");
	refuse(FIELD_FLOAT, 0, 0, real, cell_double(1e300), "value of column \"x\" is not a single-precision number");
	refuse(FIELD_FLOAT, 0, 0, real, cell_double(-5e-324), "value of column \"x\" is not a single-precision number");
	refuse(FIELD_DOUBLE, 0, 0, real, integer, "value of column \"x\" is not a floating-point number");
	refuse(FIELD_DECIMAL, 5, 2, number, text(CELL_NUMBER, "1.234"), "value of column \"x\" has too many decimal places for a decimal(5,2)");
	refuse(FIELD_DECIMAL, 18, 2, number, text(CELL_NUMBER, "1e16"), "value of column \"x\" has too many digits for a decimal(18,2)");
	refuse(FIELD_DECIMAL, 38, 2, number, text(CELL_NUMBER, "NaN"), "value of column \"x\" is not a number");
	refuse(FIELD_DECIMAL, 5, 2, number, string, "value of column \"x\" is not a decimal number");
	refuse(FIELD_DATE, 0, 0, date, cell_integer(CELL_DATE, INT64_C(1) << 40), "value of column \"x\" is out of range for a date");
	refuse(FIELD_DATE, 0, 0, date, timestamp, "value of column \"x\" is not a date");
	refuse(FIELD_DATETIME, 0, 0, timestamp, date, "value of column \"x\" is not a timestamp");
	refuse(FIELD_TIMESTAMP, 0, 0, timestamp, string, "value of column \"x\" is not a timestamp");
}

/* a bad value far into a large put, behind nulls, is still found */
static void
test_place_of_error(void)
{
	const ParquetColumn column = {"a name of far more than sixty bytes, that ends in ümläüts äöüäöüäöüäöü", FIELD_INTEGER, 0, 0};
	enum
	{
		N = 50000
	};
	Cell	   *cells = malloc(N * sizeof(Cell));
	const Cell *const batch[] = {cells};
	ParquetWriter *writer = parquet_writer_create(&column, 1, NULL);
	int			i;

	for (i = 0; i < N; i++)
		cells[i] = i % 3 ? cell_integer(CELL_INTEGER, i) : cell_null();
	cells[43210] = cell_integer(CELL_INTEGER, INT64_MAX);
	ok(!parquet_writer_put(writer, batch, NULL, N), "one bad of 50,000");
	is_int(parquet_writer_error(writer)->line, 43211, "its row");
	is_int(parquet_writer_error(writer)->column, 1, "its column");
	is_str(parquet_writer_error(writer)->message,
		   "value of column \"a name of far more than sixty bytes, that ends in ümläüts\""
		   " is out of range for a 32-bit integer", "its name, cut between characters");
	parquet_writer_free(writer);
	free(cells);
}

/* what is held stays bounded, and is said truly */
static void
test_memory(void)
{
	const ParquetColumn columns[] = {{"a", FIELD_STRING, 0, 0}, {"b", FIELD_LONG, 0, 0}};
	const ParquetWriterOptions options = {.compression = PARQUET_ZSTD,.row_group_bytes = 1 << 20};
	static char texts[1024][64];
	Cell		strings[1024];
	Cell		longs[1024];
	const Cell *const batch[] = {strings, longs};
	ParquetWriter *writer = parquet_writer_create(columns, 2, &options);
	size_t		most = 0;
	size_t		written = 0;
	int			round;
	int			i;

	for (round = 0; round < 500; round++)
	{
		for (i = 0; i < 1024; i++)
		{
			int			n = snprintf(texts[i], sizeof(texts[i]), "row %d of round %d: %u", i, round,
									 random_below(UINT32_MAX));

			strings[i] = cell_text(CELL_STRING, texts[i], (uint32_t) n);
			longs[i] = cell_integer(CELL_INTEGER, round * 1024 + i);
		}
		if (!parquet_writer_put(writer, batch, NULL, 1024))
			break;
		if (parquet_writer_memory(writer) > most)
			most = parquet_writer_memory(writer);
		written += parquet_writer_output(writer)->length;
		buffer_reset(parquet_writer_output(writer));
	}
	is_int(round, 500, "500 batches");
	ok(written > 4000000, "%zu bytes came out on the way", written);
	ok(most > 500000 && most < 2500000, "at most %zu bytes were held for row groups of 1 MB", most);
	ok(parquet_writer_put(writer, batch, NULL, 1024), "one batch more");
	ok(parquet_writer_flush(writer), "flushed");
	is_int(parquet_writer_memory(writer), 0, "nothing is held");
	ok(parquet_writer_output(writer)->length > 10000, "it came out");
	ok(parquet_writer_put(writer, batch, NULL, 1024) && parquet_writer_finish(writer),
	   "and it goes on");
	parquet_writer_free(writer);
}

/* values made to collide in the hash table cost a dictionary, not the server's time */
static void
test_collisions(void)
{
	/*
	 * hash_word() is invertible: the values whose hash is 0 .. n in the upper
	 * half with the same lower bits are found by undoing its steps.
	 */
	const uint64_t unmix1 = UINT64_C(0xF1DE83E19937733D);	/* inverse of MIX_1 */
	const uint64_t unmix2 = UINT64_C(0x4F74430C22A54005);	/* inverse of MIX_2 */
	static uint64_t values[60000];
	static uint32_t numbers[60000];
	Dictionary	dictionary = {.width = 8};
	clock_t		start = clock();
	uint64_t	i;
	bool		good = true;

	is_int(UINT64_C(0x9E3779B97F4A7C15) * unmix1, 1, "the inverse of the first constant");
	is_int(UINT64_C(0xFF51AFD7ED558CCD) * unmix2, 1, "the inverse of the second constant");
	for (i = 0; i < 60000; i++)
	{
		uint64_t	v = UINT64_C(42) << 32 | i;

		v *= unmix2;
		v ^= v >> 32;
		v *= unmix1;
		values[i] = v;
	}
	for (i = 0; i < 60000 && good && !dictionary.degenerate; i += 1000)
		good = dictionary_add64(&dictionary, values + i, 1000, numbers + i);
	ok(good && dictionary.degenerate, "a dictionary with collisions says so");
	ok(i <= 2000, "soon");
	ok((double) (clock() - start) / CLOCKS_PER_SEC < 2, "and quickly");
	dictionary_free(&dictionary);
}

int
main(void)
{
	test_thrift();
	test_rle();
	test_decimals();
	test_base64();
	test_bounds();
	test_golden();
	test_nothing();
	test_refusals();
	test_place_of_error();
	test_memory();
	test_collisions();
	return done_testing();
}
