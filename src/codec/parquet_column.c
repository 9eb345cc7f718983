/*-------------------------------------------------------------------------
 *
 * parquet_column.c
 *	  One column of the open row group: cells in, a column chunk out.
 *
 * Rows come in slices of at most 1,024.  A slice is taken through steps that
 * each are one tight loop: which cells are null (definition levels), cells to
 * an array of the physical type, statistics, and then either the dictionary
 * or the open page.
 *
 * Every row group starts with a dictionary, unless one has lately been of no
 * use.  When it grows too large, the column goes on with PLAIN pages; the page
 * that is open at that time is turned into a PLAIN page, earlier ones stay as
 * they are, and Parquet allows the mixture.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_column.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_column.h"

#include <math.h>
#include <stdio.h>

/* a dictionary ends at this size */
#define DICTIONARY_BYTES ((size_t) 1 << 20)

/*
 * It also ends if too many values were new: looked at early for values that
 * hardly ever repeat, and later for those that do not repeat enough.
 */
#define DICTIONARY_FIRST_LOOK 4096
#define DICTIONARY_SECOND_LOOK 16384

/* row groups without a dictionary after one that failed */
#define DICTIONARY_REST 15

/* a longer value is refused: a page holds at least one */
#define VALUE_MAX_BYTES ((size_t) 0x3FFFFFFF)

/* buffers that one huge value has made larger than this are not kept */
#define KEEP_BYTES ((size_t) 8 << 20)

/* ConvertedType of parquet.thrift */
enum
{
	CONVERTED_UTF8 = 0,
	CONVERTED_DECIMAL = 5,
	CONVERTED_DATE = 6,
	CONVERTED_TIMESTAMP_MICROS = 10,
	CONVERTED_JSON = 19
};

/* members of the union LogicalType */
enum
{
	LOGICAL_STRING = 1,
	LOGICAL_DECIMAL = 5,
	LOGICAL_DATE = 6,
	LOGICAL_TIMESTAMP = 8,
	LOGICAL_JSON = 12
};

#define KIND(kind) (UINT64_C(1) << (kind))

bool
column_init(Column *column, const ParquetColumn *definition)
{
	StatisticsOrder order = ORDER_UTF8;

	memset(column, 0, sizeof(*column));
	column->name = strdup(definition->name);
	if (column->name == NULL)
		return false;
	column->field = definition->type;
	column->type = PHYSICAL_BYTE_ARRAY;
	column->kinds = KIND(CELL_STRING);
	switch (definition->type)
	{
		case FIELD_STRING:
		case FIELD_TIME:
		case FIELD_UUID:
			break;
		case FIELD_JSON:
			column->kinds = KIND(CELL_JSON) | KIND(CELL_STRING) | KIND(CELL_NUMBER) |
				KIND(CELL_BOOLEAN);
			break;
		case FIELD_BINARY:
			order = ORDER_BYTES;
			break;
		case FIELD_BOOLEAN:
			column->type = PHYSICAL_BOOLEAN;
			column->kinds = KIND(CELL_BOOLEAN);
			order = ORDER_BOOLEAN;
			break;
		case FIELD_INTEGER:
			column->type = PHYSICAL_INT32;
			column->kinds = KIND(CELL_INTEGER);
			order = ORDER_INT32;
			break;
		case FIELD_LONG:
			column->type = PHYSICAL_INT64;
			column->kinds = KIND(CELL_INTEGER);
			order = ORDER_INT64;
			break;
		case FIELD_FLOAT:
			column->type = PHYSICAL_FLOAT;
			column->kinds = KIND(CELL_DOUBLE);
			order = ORDER_FLOAT;
			break;
		case FIELD_DOUBLE:
			column->type = PHYSICAL_DOUBLE;
			column->kinds = KIND(CELL_DOUBLE);
			order = ORDER_DOUBLE;
			break;
		case FIELD_DECIMAL:
			column->kinds = KIND(CELL_NUMBER);
			if (definition->precision <= 0 || definition->precision > PARQUET_DECIMAL_DIGITS ||
				definition->scale < 0 || definition->scale > definition->precision)
				break;			/* Parquet has no such decimal: text */
			column->precision = definition->precision;
			column->scale = definition->scale;
			column->type = column->precision <= 9 ? PHYSICAL_INT32 :
				column->precision <= 18 ? PHYSICAL_INT64 : PHYSICAL_FIXED;
			order = column->precision <= 9 ? ORDER_INT32 :
				column->precision <= 18 ? ORDER_INT64 : ORDER_DECIMAL_BYTES;
			break;
		case FIELD_DATE:
			column->type = PHYSICAL_INT32;
			column->kinds = KIND(CELL_DATE);
			order = ORDER_INT32;
			break;
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			column->type = PHYSICAL_INT64;
			column->kinds = KIND(CELL_TIMESTAMP);
			order = ORDER_INT64;
			break;
	}
	column->kinds |= KIND(CELL_NULL);
	column->statistics.order = order;
	column->dictionary.width =
		column->type == PHYSICAL_INT32 || column->type == PHYSICAL_FLOAT ? 4 :
		column->type == PHYSICAL_INT64 || column->type == PHYSICAL_DOUBLE ? 8 : 0;
	column->dictionary_open =
		column->type != PHYSICAL_BOOLEAN && column->type != PHYSICAL_FIXED;
	return true;
}

void
column_write_schema(const Column *column, ThriftWriter *thrift)
{
	int			converted = -1;
	int			logical = 0;

	if (column->precision > 0)
	{
		converted = CONVERTED_DECIMAL;
		logical = LOGICAL_DECIMAL;
	}
	else if (column->field == FIELD_JSON)
	{
		converted = CONVERTED_JSON;
		logical = LOGICAL_JSON;
	}
	else if (column->field == FIELD_DATE)
	{
		converted = CONVERTED_DATE;
		logical = LOGICAL_DATE;
	}
	else if (column->field == FIELD_DATETIME || column->field == FIELD_TIMESTAMP)
	{
		/* local times too: old readers know only this one */
		converted = CONVERTED_TIMESTAMP_MICROS;
		logical = LOGICAL_TIMESTAMP;
	}
	else if (column->type == PHYSICAL_BYTE_ARRAY && column->field != FIELD_BINARY)
	{
		converted = CONVERTED_UTF8;
		logical = LOGICAL_STRING;
	}

	thrift_begin(thrift);
	thrift_i32_field(thrift, 1, column->type);
	if (column->type == PHYSICAL_FIXED)
		thrift_i32_field(thrift, 2, PARQUET_DECIMAL_BYTES);
	thrift_i32_field(thrift, 3, 1);	/* OPTIONAL */
	thrift_binary_field(thrift, 4, column->name, strlen(column->name));
	if (converted >= 0)
		thrift_i32_field(thrift, 6, converted);
	if (column->precision > 0)
	{
		thrift_i32_field(thrift, 7, column->scale);
		thrift_i32_field(thrift, 8, column->precision);
	}
	if (logical > 0)
	{
		thrift_struct_field(thrift, 10);
		thrift_struct_field(thrift, (int16_t) logical);
		if (logical == LOGICAL_DECIMAL)
		{
			thrift_i32_field(thrift, 1, column->scale);
			thrift_i32_field(thrift, 2, column->precision);
		}
		else if (logical == LOGICAL_TIMESTAMP)
		{
			thrift_bool_field(thrift, 1, column->field == FIELD_DATETIME);
			thrift_struct_field(thrift, 2);
			thrift_struct_field(thrift, 2);	/* MICROS */
			thrift_end(thrift);
			thrift_end(thrift);
		}
		thrift_end(thrift);
		thrift_end(thrift);
	}
	thrift_end(thrift);
}

/* ------------------------------------------------------------------------
 * pages
 * ------------------------------------------------------------------------
 */

/* bytes of values in the open page's buffer */
static inline size_t
page_bytes(const Column *column)
{
	return column->page.length > PAGE_HEADROOM ? column->page.length - PAGE_HEADROOM : 0;
}

/* room for more bytes of values; where they go, NULL when memory is out */
static inline char *
page_reserve(Column *column, size_t more)
{
	if (column->page.length == 0)
	{
		if (!buffer_reserve(&column->page, PAGE_HEADROOM + more))
			return NULL;
		column->page.length = PAGE_HEADROOM;
	}
	else if (!buffer_reserve(&column->page, more))
		return NULL;
	return column->page.data + column->page.length;
}

/* the values that numbers stand for, into the page */
static bool
page_make_plain(Column *column)
{
	if (page_reserve(column, 0) == NULL)
		return false;
	dictionary_lookup(&column->dictionary, column->numbers, column->page_values, &column->page);
	return !column->page.failed;
}

static size_t
packed_numbers(const Column *column)
{
	if (column->dictionary.count == 0)
		return 0;
	return (size_t) column->page_values *
		(size_t) rle_width(column->dictionary.count - 1) / 8 + 1;
}

static bool
page_flush(Column *column, PageCodec *codec)
{
	Page		page = {.type = PAGE_DATA,.encoding = ENCODING_PLAIN,.values = column->page_rows};
	unsigned char levels[PAGE_HEADROOM];
	size_t		length;

	if (column->page_rows == 0)
		return true;
	if (page_reserve(column, 0) == NULL)
		return false;
	if (column->dictionary_open && column->page_values > 0)
	{
		int			width = rle_width(column->dictionary.count - 1);
		unsigned char *out;

		out = (unsigned char *) page_reserve(column, 1 + RLE_BOUND(column->page_values, width));
		if (out == NULL)
			return false;
		*out = (unsigned char) width;
		column->page.length += 1 + rle_encode(column->numbers, column->page_values, width, out + 1);
		page.encoding = ENCODING_RLE_DICTIONARY;
		column->dictionary_pages++;
	}
	else
		column->plain_pages++;

	if (column->page_values == column->page_rows || column->page_values == 0)
		length = rle_encode_run(column->page_values > 0, column->page_rows, levels + 4);
	else
		length = rle_encode_bits(column->levels, column->page_rows, levels + 4);
	store32(levels, (uint32_t) length);
	length += 4;
	page.body = column->page.data + PAGE_HEADROOM - length;
	memcpy(column->page.data + PAGE_HEADROOM - length, levels, length);
	page.length = column->page.length - PAGE_HEADROOM + length;
	if (!page_write(codec, &page, &column->chunk, &column->uncompressed))
		return false;

	column->rows += column->page_rows;
	column->statistics.nulls += column->page_rows - column->page_values;
	column->page_rows = 0;
	column->page_values = 0;
	column->plain_bytes = 0;
	if (column->page.capacity > KEEP_BYTES)
		buffer_free(&column->page);
	else
		buffer_reset(&column->page);
	return true;
}

/* ------------------------------------------------------------------------
 * the dictionary, while it pays
 * ------------------------------------------------------------------------
 */

/* room for n numbers behind those of the page; NULL: out of memory */
static uint32_t *
numbers_reserve(Column *column, uint32_t n)
{
	if (column->page_values + n > column->numbers_capacity)
	{
		uint32_t	capacity = column->numbers_capacity * 2;
		uint32_t   *numbers;

		if (capacity < column->page_values + n)
			capacity = column->page_values + n;
		numbers = realloc(column->numbers, capacity * sizeof(uint32_t));
		if (numbers == NULL)
			return NULL;
		column->numbers = numbers;
		column->numbers_capacity = capacity;
	}
	return column->numbers + column->page_values;
}

/*
 * Go on without dictionary; one that no finished page needs is forgotten.  A
 * few long values in many rows stay numbers: as PLAIN they could be gigabytes.
 */
static bool
dictionary_end(Column *column, PageCodec *codec)
{
	bool		ok;

	if (column->plain_bytes > 4 * PAGE_BYTES)
		ok = page_flush(column, codec);
	else
		ok = page_make_plain(column);
	column->dictionary_open = false;
	if (column->dictionary_pages == 0)
		dictionary_reset(&column->dictionary);
	return ok;
}

static bool
dictionary_failed(const Column *column)
{
	uint64_t	values = column->rows - column->statistics.nulls + column->page_values;
	uint64_t	distinct = column->dictionary.count;

	return column->dictionary.values.length > DICTIONARY_BYTES ||
		column->dictionary.degenerate ||
		(values >= DICTIONARY_FIRST_LOOK && distinct > values - values / 8) ||
		(values >= DICTIONARY_SECOND_LOOK && distinct > values / 2);
}

/* n fixed-width values in file order: through the dictionary or into the page */
static bool
put_fixed(Column *column, const void *values, size_t width, uint32_t n)
{
	char	   *out;

	column->plain_bytes += n * width;
	if (column->dictionary_open)
	{
		uint32_t   *numbers = numbers_reserve(column, n);

		if (numbers == NULL)
			return false;
		return width == 4 ? dictionary_add32(&column->dictionary, values, n, numbers) :
			dictionary_add64(&column->dictionary, values, n, numbers);
	}
	out = page_reserve(column, n * width);
	if (out == NULL)
		return false;
	memcpy(out, values, n * width);
	column->page.length += n * width;
	return true;
}

static bool
put_spans(Column *column, const ByteSpan *spans, uint32_t n)
{
	size_t		bytes = 0;
	char	   *out;
	uint32_t	i;

	for (i = 0; i < n; i++)
		bytes += spans[i].length + 4;
	column->plain_bytes += bytes;
	if (column->dictionary_open)
	{
		uint32_t   *numbers = numbers_reserve(column, n);
		uint32_t	known = column->dictionary.count;

		if (numbers == NULL || !dictionary_add_spans(&column->dictionary, spans, n, numbers))
			return false;
		/* only what is new can be less or greater */
		for (; known < column->dictionary.count; known++)
		{
			ByteSpan	span = dictionary_span(&column->dictionary, known);

			statistics_spans(&column->statistics, &span, 1);
		}
		return true;
	}
	statistics_spans(&column->statistics, spans, n);
	out = page_reserve(column, bytes);
	if (out == NULL)
		return false;
	for (i = 0; i < n; i++)
	{
		store32(out, (uint32_t) spans[i].length);
		if (spans[i].length > 0)
			memcpy(out + 4, spans[i].data, spans[i].length);
		out += spans[i].length + 4;
	}
	column->page.length += bytes;
	return true;
}

/* ------------------------------------------------------------------------
 * cells to values
 *
 * Each takes n cells that are not null, cells[rows[0]] ..., and gives the
 * number of those that are good: less than n means that the next is not, and
 * scratch->reason tells why.
 * ------------------------------------------------------------------------
 */

static uint32_t
read_booleans(Column *column, ColumnScratch *scratch, const Cell *cells,
			  const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
	{
		int64_t		value = cells[rows[i]].integer;

		if ((value & ~INT64_C(1)) != 0)
		{
			snprintf(scratch->reason, sizeof(scratch->reason), "is neither true nor false");
			return i;
		}
		scratch->integers32[i] = (int32_t) value;
	}
	return n;
}

static uint32_t
read_int32(Column *column, ColumnScratch *scratch, const Cell *cells,
		   const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
	{
		int64_t		value = cells[rows[i]].integer;

		if (value != (int32_t) value)
		{
			snprintf(scratch->reason, sizeof(scratch->reason), "is out of range for a %s",
					 column->field == FIELD_DATE ? "date" : "32-bit integer");
			return i;
		}
		scratch->integers32[i] = (int32_t) value;
	}
	return n;
}

static uint32_t
read_int64(Column *column, ColumnScratch *scratch, const Cell *cells,
		   const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
		scratch->integers64[i] = cells[rows[i]].integer;
	return n;
}

static uint32_t
read_floats(Column *column, ColumnScratch *scratch, const Cell *cells,
			const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
	{
		double		value = cells[rows[i]].real;

		/* beyond the largest float the conversion is undefined */
		if (isfinite(value) && (fabs(value) > 3.4028234663852886e38 ||
								(double) (float) value != value))
		{
			snprintf(scratch->reason, sizeof(scratch->reason),
					 "is not a single-precision number");
			return i;
		}
		scratch->floats[i] = (float) value;
	}
	return n;
}

static uint32_t
read_doubles(Column *column, ColumnScratch *scratch, const Cell *cells,
			 const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
		scratch->doubles[i] = cells[rows[i]].real;
	return n;
}

static uint32_t
read_decimals(Column *column, ColumnScratch *scratch, const Cell *cells,
			  const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
	{
		const Cell *cell = &cells[rows[i]];
		DecimalStatus status;
		int64_t		value = 0;

		if (column->type == PHYSICAL_FIXED)
			status = decimal_to_bytes(cell->data, cell->length, column->precision,
									  column->scale, scratch->fixed[i]);
		else
			status = decimal_to_int64(cell->data, cell->length, column->precision,
									  column->scale, &value);
		if (status != DECIMAL_OK)
		{
			if (status == DECIMAL_NOT_A_NUMBER)
				snprintf(scratch->reason, sizeof(scratch->reason), "is not a number");
			else
				snprintf(scratch->reason, sizeof(scratch->reason),
						 "has too many %s for a decimal(%d,%d)",
						 status == DECIMAL_TOO_LARGE ? "digits" : "decimal places",
						 column->precision, column->scale);
			return i;
		}
		if (column->type == PHYSICAL_INT32)
			scratch->integers32[i] = (int32_t) value;
		else if (column->type == PHYSICAL_INT64)
			scratch->integers64[i] = value;
	}
	return n;
}

static uint32_t
read_text(Column *column, ColumnScratch *scratch, const Cell *cells,
		  const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
	{
		const Cell *cell = &cells[rows[i]];

		if (cell->length > VALUE_MAX_BYTES)
		{
			snprintf(scratch->reason, sizeof(scratch->reason),
					 "is longer than %zu bytes", VALUE_MAX_BYTES);
			return i;
		}
		scratch->spans[i].data = cell->data;
		scratch->spans[i].length = cell->length;
	}
	return n;
}

/* spans without data follow each other in scratch->text, which has stopped moving */
static void
place_text(ColumnScratch *scratch, uint32_t n)
{
	const char *data = scratch->text.data;
	uint32_t	i;

	for (i = 0; i < n; i++)
		if (scratch->spans[i].data == NULL)
		{
			scratch->spans[i].data = data;
			data += scratch->spans[i].length;
		}
}

static uint32_t
read_base64(Column *column, ColumnScratch *scratch, const Cell *cells,
			const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	buffer_reset(&scratch->text);
	for (i = 0; i < n; i++)
	{
		const Cell *cell = &cells[rows[i]];
		size_t		length;

		if (cell->length > VALUE_MAX_BYTES)
		{
			snprintf(scratch->reason, sizeof(scratch->reason),
					 "is longer than %zu bytes", VALUE_MAX_BYTES);
			return i;
		}
		if (!buffer_reserve(&scratch->text, (size_t) cell->length / 4 * 3 + 3))
			return i;
		if (!base64_decode(cell->data, cell->length,
						   scratch->text.data + scratch->text.length, &length))
		{
			snprintf(scratch->reason, sizeof(scratch->reason), "is not valid base64");
			return i;
		}
		scratch->text.length += length;
		scratch->spans[i].data = NULL;
		scratch->spans[i].length = length;
	}
	place_text(scratch, n);
	return n;
}

/*
 * A string as JSON text: the column promises documents, not their values.
 * The length that it takes; with out, the text as well.
 */
static size_t
quote_json(const char *text, size_t length, char *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t		n = 0;
	size_t		i;

	if (out == NULL)
	{
		for (i = 0; i < length; i++)
			n += (unsigned char) text[i] < 0x20 ? 6 : text[i] == '"' || text[i] == '\\' ? 2 : 1;
		return n + 2;
	}
	out[n++] = '"';
	for (i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c < 0x20)
		{
			memcpy(out + n, "\\u00", 4);
			out[n + 4] = hex[c >> 4];
			out[n + 5] = hex[c & 15];
			n += 6;
			continue;
		}
		if (c == '"' || c == '\\')
			out[n++] = '\\';
		out[n++] = (char) c;
	}
	out[n++] = '"';
	return n;
}

static uint32_t
read_json(Column *column, ColumnScratch *scratch, const Cell *cells,
		  const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	buffer_reset(&scratch->text);
	for (i = 0; i < n; i++)
	{
		const Cell *cell = &cells[rows[i]];
		size_t		length = cell->length;

		if (cell->kind == CELL_BOOLEAN)
		{
			scratch->spans[i].data = cell->integer ? "true" : "false";
			scratch->spans[i].length = cell->integer ? 4 : 5;
			continue;
		}
		if (cell->kind == CELL_STRING)
			length = quote_json(cell->data, cell->length, NULL);
		if (length > VALUE_MAX_BYTES)
		{
			snprintf(scratch->reason, sizeof(scratch->reason),
					 "is longer than %zu bytes", VALUE_MAX_BYTES);
			return i;
		}
		scratch->spans[i].data = cell->data;
		scratch->spans[i].length = length;
		if (cell->kind != CELL_STRING)
			continue;
		if (!buffer_reserve(&scratch->text, length))
			return i;
		scratch->text.length +=
			quote_json(cell->data, cell->length, scratch->text.data + scratch->text.length);
		scratch->spans[i].data = NULL;
	}
	place_text(scratch, n);
	return n;
}

static uint32_t
read_cells(Column *column, ColumnScratch *scratch, const Cell *cells,
		   const uint32_t *rows, uint32_t n)
{
	if (column->precision > 0)
		return read_decimals(column, scratch, cells, rows, n);
	switch (column->type)
	{
		case PHYSICAL_BOOLEAN:
			return read_booleans(column, scratch, cells, rows, n);
		case PHYSICAL_INT32:
			return read_int32(column, scratch, cells, rows, n);
		case PHYSICAL_INT64:
			return read_int64(column, scratch, cells, rows, n);
		case PHYSICAL_FLOAT:
			return read_floats(column, scratch, cells, rows, n);
		case PHYSICAL_DOUBLE:
			return read_doubles(column, scratch, cells, rows, n);
		case PHYSICAL_BYTE_ARRAY:
		case PHYSICAL_FIXED:
			break;
	}
	if (column->field == FIELD_BINARY)
		return read_base64(column, scratch, cells, rows, n);
	if (column->field == FIELD_JSON)
		return read_json(column, scratch, cells, rows, n);
	return read_text(column, scratch, cells, rows, n);
}

/* ------------------------------------------------------------------------
 * values to pages
 * ------------------------------------------------------------------------
 */

/* bits behind those of the page */
static bool
put_booleans(Column *column, const int32_t *values, uint32_t n)
{
	size_t		have = ((size_t) column->page_values + 7) / 8;
	size_t		need = ((size_t) column->page_values + n + 7) / 8;
	unsigned char *bits = (unsigned char *) page_reserve(column, need - have);
	uint32_t	at = column->page_values;
	uint32_t	i;

	if (bits == NULL)
		return false;
	memset(bits, 0, need - have);
	bits -= have;
	column->page.length += need - have;
	for (i = 0; i < n; i++, at++)
		bits[at / 8] = (unsigned char) (bits[at / 8] | (unsigned int) values[i] << (at & 7));
	return true;
}

static bool
put_values(Column *column, ColumnScratch *scratch, uint32_t n)
{
	Statistics *statistics = &column->statistics;
	uint32_t	i;

	switch (column->type)
	{
		case PHYSICAL_BOOLEAN:
			statistics_int32(statistics, scratch->integers32, n);
			return put_booleans(column, scratch->integers32, n);
		case PHYSICAL_INT32:
		case PHYSICAL_FLOAT:
			if (column->type == PHYSICAL_INT32)
				statistics_int32(statistics, scratch->integers32, n);
			else
				statistics_float(statistics, scratch->floats, n);
			for (i = 0; i < n; i++)
				scratch->words32[i] = little32(scratch->words32[i]);
			return put_fixed(column, scratch->words32, 4, n);
		case PHYSICAL_INT64:
		case PHYSICAL_DOUBLE:
			if (column->type == PHYSICAL_INT64)
				statistics_int64(statistics, scratch->integers64, n);
			else
				statistics_double(statistics, scratch->doubles, n);
			for (i = 0; i < n; i++)
				scratch->words64[i] = little64(scratch->words64[i]);
			return put_fixed(column, scratch->words64, 8, n);
		case PHYSICAL_BYTE_ARRAY:
			return put_spans(column, scratch->spans, n);
		case PHYSICAL_FIXED:
			break;
	}
	statistics_decimal(statistics,
					   (const unsigned char (*)[PARQUET_DECIMAL_BYTES]) scratch->fixed, n);
	return put_fixed(column, scratch->fixed, PARQUET_DECIMAL_BYTES, n);
}

/* set count bits from the given one on */
static void
set_bits(unsigned char *bits, uint32_t from, uint32_t count)
{
	uint32_t	to = from + count;

	while (from < to && (from & 7) != 0)
	{
		bits[from / 8] = (unsigned char) (bits[from / 8] | 1U << (from & 7));
		from++;
	}
	if (to - from >= 8)
	{
		memset(bits + from / 8, 0xFF, (to - from) / 8);
		from += (to - from) / 8 * 8;
	}
	while (from < to)
	{
		bits[from / 8] = (unsigned char) (bits[from / 8] | 1U << (from & 7));
		from++;
	}
}

/* note n rows in the levels of the page, some null; the number that is not */
static uint32_t
select_values(Column *column, ColumnScratch *scratch, const Cell *cells,
			  const uint32_t *rows, uint32_t n)
{
	uint32_t	at = column->page_rows;
	uint32_t	values = 0;
	uint32_t	i;

	if (column->page_values == column->page_rows)
	{
		/* the first null of the page: nothing was noted so far */
		memset(column->levels, 0, sizeof(column->levels));
		set_bits(column->levels, 0, column->page_rows);
	}
	for (i = 0; i < n; i++, at++)
	{
		unsigned int valid = cells[rows[i]].kind != CELL_NULL;

		scratch->selected[values] = rows[i];
		values += valid;
		column->levels[at / 8] = (unsigned char) (column->levels[at / 8] | valid << (at & 7));
	}
	return values;
}

/* the name of a kind for an error message */
static const char *
kind_name(FieldType field)
{
	switch (field)
	{
		case FIELD_BOOLEAN:
			return "boolean";
		case FIELD_INTEGER:
		case FIELD_LONG:
			return "integer";
		case FIELD_FLOAT:
		case FIELD_DOUBLE:
			return "floating-point number";
		case FIELD_DECIMAL:
			return "decimal number";
		case FIELD_DATE:
			return "date";
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			return "timestamp";
		case FIELD_JSON:
			return "JSON value";
		case FIELD_STRING:
		case FIELD_TIME:
		case FIELD_UUID:
		case FIELD_BINARY:
			break;
	}
	return "string";
}

/* a kind above 63 shows in the upper bits of the kinds ored together */
static inline bool
kinds_fit(const Column *column, uint64_t seen, unsigned int ored)
{
	return (seen & ~column->kinds) == 0 && ored < 64;
}

/*
 * The first rows of a slice that the open page can take: all, unless texts are
 * so long that the page would grow far past its size.  *bad is the first row
 * that is not of the column's kinds, or the number of rows.
 */
static uint32_t
fit_rows(const Column *column, const Cell *cells, const uint32_t *rows, uint32_t n,
		 uint64_t *seen, uint32_t *bad)
{
	uint64_t	kinds = 0;
	unsigned int ored = 0;
	uint64_t	bytes = 0;
	uint32_t	i;

	if (column->type == PHYSICAL_BYTE_ARRAY)
		for (i = 0; i < n; i++)
		{
			const Cell *cell = &cells[rows[i]];

			kinds |= UINT64_C(1) << (cell->kind & 63);
			ored |= cell->kind;
			bytes += cell->length;
		}
	else
		for (i = 0; i < n; i++)
		{
			kinds |= UINT64_C(1) << (cells[rows[i]].kind & 63);
			ored |= cells[rows[i]].kind;
		}
	*seen = kinds;
	*bad = n;
	if (kinds_fit(column, kinds, ored) && bytes <= PAGE_BYTES)
		return n;

	bytes = 0;
	for (i = 0; i < n; i++)
	{
		const Cell *cell = &cells[rows[i]];

		if (!kinds_fit(column, UINT64_C(1) << (cell->kind & 63), cell->kind))
		{
			*bad = i;
			return i;
		}
		if (column->type != PHYSICAL_BYTE_ARRAY || cell->kind == CELL_NULL ||
			cell->kind == CELL_BOOLEAN)
			continue;
		bytes += cell->length;
		if (bytes > PAGE_BYTES)
			return i + 1;
	}
	return n;
}

bool
column_put(Column *column, PageCodec *codec, ColumnScratch *scratch,
		   const Cell *cells, const uint32_t *rows, uint32_t n)
{
	uint32_t	done = 0;

	scratch->reason[0] = '\0';
	while (done < n)
	{
		const uint32_t *slice = rows + done;
		const uint32_t *selected = slice;
		uint32_t	wanted = n - done;
		uint32_t	count;
		uint32_t	values;
		uint32_t	good;
		uint32_t	bad;
		uint64_t	seen;

		if (wanted > PAGE_ROWS - column->page_rows)
			wanted = PAGE_ROWS - column->page_rows;
		count = fit_rows(column, cells, slice, wanted, &seen, &bad);
		if (bad < wanted)
		{
			scratch->bad_row = done + bad;
			snprintf(scratch->reason, sizeof(scratch->reason), "is not a %s",
					 kind_name(column->field));
			return false;
		}
		values = count;
		if ((seen & KIND(CELL_NULL)) != 0)
		{
			values = select_values(column, scratch, cells, slice, count);
			selected = scratch->selected;
		}
		else if (column->page_values != column->page_rows)
			set_bits(column->levels, column->page_rows, count);

		good = read_cells(column, scratch, cells, selected, values);
		if (good < values)
		{
			/* which row of the slice the bad value is in */
			for (bad = 0; good > 0 || cells[slice[bad]].kind == CELL_NULL; bad++)
				if (cells[slice[bad]].kind != CELL_NULL)
					good--;
			scratch->bad_row = done + bad;
			return false;
		}
		if (values > 0 && !put_values(column, scratch, values))
			return false;
		column->page_rows += count;
		column->page_values += values;
		done += count;

		if (column->dictionary_open && dictionary_failed(column))
		{
			column->dictionary_rest = DICTIONARY_REST;
			if (!dictionary_end(column, codec))
				return false;
		}
		if ((column->page_rows == PAGE_ROWS || page_bytes(column) >= PAGE_BYTES) &&
			!page_flush(column, codec))
			return false;
		if (scratch->text.capacity > KEEP_BYTES)
			buffer_free(&scratch->text);
	}
	return true;
}

/* ------------------------------------------------------------------------
 * the row group
 * ------------------------------------------------------------------------
 */

size_t
column_encoded(const Column *column)
{
	size_t		bytes = (size_t) column->uncompressed + page_bytes(column) +
		column->dictionary.values.length;

	return column->dictionary_open ? bytes + packed_numbers(column) : bytes;
}

size_t
column_memory(const Column *column)
{
	size_t		bytes = column->chunk.length + column->page.length +
		dictionary_memory(&column->dictionary);

	return column->dictionary_open ? bytes + column->page_values * sizeof(uint32_t) : bytes;
}

/* ColumnChunk of parquet.thrift */
static void
write_description(const Column *column, PageCodec *codec, uint64_t dictionary_at,
				  uint64_t data_at, uint64_t uncompressed, uint64_t compressed,
				  ThriftWriter *thrift)
{
	bool		dictionary = column->dictionary_pages > 0;
	size_t		kinds = (size_t) (column->plain_pages > 0) + (dictionary ? 2 : 0);

	thrift_begin(thrift);
	thrift_i64_field(thrift, 2, 0);	/* file_offset: nobody reads it, 0 is advised */
	thrift_struct_field(thrift, 3);
	thrift_i32_field(thrift, 1, column->type);
	thrift_list_field(thrift, 2, THRIFT_I32, dictionary ? 3 : 2);
	thrift_i32_element(thrift, ENCODING_RLE);
	thrift_i32_element(thrift, ENCODING_PLAIN);
	if (dictionary)
		thrift_i32_element(thrift, ENCODING_RLE_DICTIONARY);
	thrift_list_field(thrift, 3, THRIFT_BINARY, 1);
	thrift_binary_element(thrift, column->name, strlen(column->name));
	thrift_i32_field(thrift, 4, page_codec_number(codec));
	thrift_i64_field(thrift, 5, (int64_t) column->rows);
	thrift_i64_field(thrift, 6, (int64_t) uncompressed);
	thrift_i64_field(thrift, 7, (int64_t) compressed);
	thrift_i64_field(thrift, 9, (int64_t) data_at);
	if (dictionary)
		thrift_i64_field(thrift, 11, (int64_t) dictionary_at);
	statistics_write(&column->statistics, thrift, 12);
	thrift_list_field(thrift, 13, THRIFT_STRUCT, kinds);
	if (dictionary)
	{
		thrift_begin(thrift);
		thrift_i32_field(thrift, 1, PAGE_DICTIONARY);
		thrift_i32_field(thrift, 2, ENCODING_PLAIN);
		thrift_i32_field(thrift, 3, 1);
		thrift_end(thrift);
		thrift_begin(thrift);
		thrift_i32_field(thrift, 1, PAGE_DATA);
		thrift_i32_field(thrift, 2, ENCODING_RLE_DICTIONARY);
		thrift_i32_field(thrift, 3, (int32_t) column->dictionary_pages);
		thrift_end(thrift);
	}
	if (column->plain_pages > 0)
	{
		thrift_begin(thrift);
		thrift_i32_field(thrift, 1, PAGE_DATA);
		thrift_i32_field(thrift, 2, ENCODING_PLAIN);
		thrift_i32_field(thrift, 3, (int32_t) column->plain_pages);
		thrift_end(thrift);
	}
	thrift_end(thrift);
	thrift_end(thrift);
}

bool
column_close(Column *column, PageCodec *codec, Buffer *out, uint64_t position,
			 ThriftWriter *thrift, uint64_t *uncompressed, uint64_t *compressed)
{
	size_t		start = out->length;
	uint64_t	size = 0;
	uint64_t	data_at;
	bool		use_dictionary =
		column->type != PHYSICAL_BOOLEAN && column->type != PHYSICAL_FIXED;

	/* a small row group may be smaller without its dictionary */
	if (column->dictionary_open && column->dictionary_pages == 0 &&
		column->plain_bytes <= PAGE_BYTES &&
		column->plain_bytes <= column->dictionary.values.length + packed_numbers(column))
	{
		if (!dictionary_end(column, codec))
			return false;
	}
	if (!page_flush(column, codec))
		return false;

	if (column->dictionary_pages > 0)
	{
		Page		page = {
			.type = PAGE_DICTIONARY,
			.encoding = ENCODING_PLAIN,
			.values = column->dictionary.count,
			.body = column->dictionary.values.data,
			.length = column->dictionary.values.length
		};

		if (!page_write(codec, &page, out, &size))
			return false;
	}
	data_at = position + (out->length - start);
	buffer_append(out, column->chunk.data, column->chunk.length);
	if (out->failed)
		return false;
	size += column->uncompressed;
	write_description(column, codec, position, data_at, size, out->length - start, thrift);
	*uncompressed += size;
	*compressed += out->length - start;

	/* the next row group */
	buffer_reset(&column->chunk);
	dictionary_reset(&column->dictionary);
	if (column->dictionary.values.capacity > KEEP_BYTES)
		dictionary_free(&column->dictionary);
	column->uncompressed = 0;
	column->rows = 0;
	column->plain_pages = 0;
	column->dictionary_pages = 0;
	statistics_reset(&column->statistics);
	column->dictionary_open = use_dictionary && column->dictionary_rest == 0;
	if (column->dictionary_rest > 0)
		column->dictionary_rest--;
	return true;
}

void
column_release(Column *column)
{
	buffer_free(&column->page);
	buffer_free(&column->chunk);
	free(column->numbers);
	column->numbers = NULL;
	column->numbers_capacity = 0;
	dictionary_free(&column->dictionary);
}

void
column_free(Column *column)
{
	column_release(column);
	free(column->name);
	column->name = NULL;
}
