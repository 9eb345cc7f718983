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

/* buffers that one huge value has made larger than this are not kept */
#define KEEP_BYTES ((size_t) 8 << 20)

bool
column_init(Column *column, const ParquetColumn *definition)
{
	PhysicalType physical;

	memset(column, 0, sizeof(*column));
	column->name = strdup(definition->name);
	if (column->name == NULL)
		return false;
	column_type_init(&column->type, definition);
	physical = column->type.physical;
	column->statistics.order = column->type.order;
	column->dictionary.width =
		physical == PHYSICAL_INT32 || physical == PHYSICAL_FLOAT ? 4 :
		physical == PHYSICAL_INT64 || physical == PHYSICAL_DOUBLE ? 8 : 0;
	column->dictionary_open = physical != PHYSICAL_BOOLEAN && physical != PHYSICAL_FIXED;
	return true;
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

	switch (column->type.physical)
	{
		case PHYSICAL_BOOLEAN:
			statistics_int32(statistics, scratch->integers32, n);
			return put_booleans(column, scratch->integers32, n);
		case PHYSICAL_INT32:
		case PHYSICAL_FLOAT:
			if (column->type.physical == PHYSICAL_INT32)
				statistics_int32(statistics, scratch->integers32, n);
			else
				statistics_float(statistics, scratch->floats, n);
			for (i = 0; i < n; i++)
				scratch->words32[i] = little32(scratch->words32[i]);
			return put_fixed(column, scratch->words32, 4, n);
		case PHYSICAL_INT64:
		case PHYSICAL_DOUBLE:
			if (column->type.physical == PHYSICAL_INT64)
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

/* a kind above 63 shows in the upper bits of the kinds ored together */
static inline bool
kinds_fit(const Column *column, uint64_t seen, unsigned int ored)
{
	return (seen & ~column->type.kinds) == 0 && ored < 64;
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

	if (column->type.physical == PHYSICAL_BYTE_ARRAY)
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
		if (column->type.physical != PHYSICAL_BYTE_ARRAY || cell->kind == CELL_NULL ||
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
			snprintf(scratch->reason, sizeof(scratch->reason), "is not %s",
					 cells_expected(column->type.field));
			return false;
		}
		values = count;
		if ((seen & KIND_BIT(CELL_NULL)) != 0)
		{
			values = select_values(column, scratch, cells, slice, count);
			selected = scratch->selected;
		}
		else if (column->page_values != column->page_rows)
			set_bits(column->levels, column->page_rows, count);

		good = cells_read(&column->type, scratch, cells, selected, values);
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
	thrift_i32_field(thrift, 1, column->type.physical);
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
column_close(Column *column, PageCodec *codec, ByteBuffer *out, uint64_t position,
			 ThriftWriter *thrift, uint64_t *uncompressed, uint64_t *compressed)
{
	size_t		start = out->length;
	uint64_t	size = 0;
	uint64_t	data_at;
	bool		use_dictionary =
		column->type.physical != PHYSICAL_BOOLEAN && column->type.physical != PHYSICAL_FIXED;

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
