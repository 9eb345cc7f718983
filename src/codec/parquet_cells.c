/*-------------------------------------------------------------------------
 *
 * parquet_cells.c
 *	  Cells to arrays of a physical type.
 *
 * Each function here takes n cells that are not null, cells[rows[0]],
 * cells[rows[1]] ..., and gives the number of those that are good: less than n
 * means that the next is not, and scratch->reason tells why.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_cells.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_cells.h"

#include "codec/json_writer.h"

#include <math.h>
#include <stdio.h>

/* a longer value is refused: a page holds at least one */
#define VALUE_MAX_BYTES ((size_t) 0x3FFFFFFF)

static uint32_t
read_booleans(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
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
read_int32(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
		   const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
	{
		int64_t		value = cells[rows[i]].integer;

		if (value != (int32_t) value)
		{
			snprintf(scratch->reason, sizeof(scratch->reason), "is out of range for a %s",
					 type->field == FIELD_DATE ? "date" : "32-bit integer");
			return i;
		}
		scratch->integers32[i] = (int32_t) value;
	}
	return n;
}

static uint32_t
read_int64(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
		   const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
		scratch->integers64[i] = cells[rows[i]].integer;
	return n;
}

static uint32_t
read_floats(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
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
read_doubles(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
			 const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
		scratch->doubles[i] = cells[rows[i]].real;
	return n;
}

static uint32_t
read_decimals(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
			  const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
	{
		const Cell *cell = &cells[rows[i]];
		DecimalStatus status;
		int64_t		value = 0;

		if (type->physical == PHYSICAL_FIXED)
			status = decimal_to_bytes(cell->data, cell->length, type->precision,
									  type->scale, scratch->fixed[i]);
		else
			status = decimal_to_int64(cell->data, cell->length, type->precision,
									  type->scale, &value);
		if (status != DECIMAL_OK)
		{
			if (status == DECIMAL_NOT_A_NUMBER)
				snprintf(scratch->reason, sizeof(scratch->reason), "is not a number");
			else
				snprintf(scratch->reason, sizeof(scratch->reason),
						 "has too many %s for a decimal(%d,%d)",
						 status == DECIMAL_TOO_LARGE ? "digits" : "decimal places",
						 type->precision, type->scale);
			return i;
		}
		if (type->physical == PHYSICAL_INT32)
			scratch->integers32[i] = (int32_t) value;
		else if (type->physical == PHYSICAL_INT64)
			scratch->integers64[i] = value;
	}
	return n;
}

static void
too_long(ColumnScratch *scratch, size_t limit)
{
	snprintf(scratch->reason, sizeof(scratch->reason), "is longer than %zu bytes", limit);
}

static uint32_t
read_text(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
		  const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
	{
		const Cell *cell = &cells[rows[i]];

		if (cell->length > VALUE_MAX_BYTES)
		{
			too_long(scratch, VALUE_MAX_BYTES);
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
read_base64(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
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
			too_long(scratch, VALUE_MAX_BYTES);
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

static uint32_t
read_json(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
		  const uint32_t *rows, uint32_t n)
{
	uint32_t	i;

	buffer_reset(&scratch->text);
	for (i = 0; i < n; i++)
	{
		const Cell *cell = &cells[rows[i]];
		size_t		start = scratch->text.length;

		if (cell->kind == CELL_BOOLEAN)
		{
			scratch->spans[i].data = cell->integer ? "true" : "false";
			scratch->spans[i].length = cell->integer ? 4 : 5;
			continue;
		}
		/* a string may grow to six times its length and two quotes */
		if (cell->length > (cell->kind == CELL_STRING ? VALUE_MAX_BYTES / 6 - 2 : VALUE_MAX_BYTES))
		{
			too_long(scratch, cell->kind == CELL_STRING ? VALUE_MAX_BYTES / 6 - 2 : VALUE_MAX_BYTES);
			return i;
		}
		scratch->spans[i].data = cell->data;
		scratch->spans[i].length = cell->length;
		if (cell->kind != CELL_STRING)
			continue;
		/* the column promises JSON documents: the value gets its quotes back */
		json_append_string(&scratch->text, cell->data, cell->length);
		if (scratch->text.failed)
			return i;
		scratch->spans[i].data = NULL;
		scratch->spans[i].length = scratch->text.length - start;
	}
	place_text(scratch, n);
	return n;
}

uint32_t
cells_read(const ColumnType *type, ColumnScratch *scratch, const Cell *cells,
		   const uint32_t *rows, uint32_t n)
{
	if (type->precision > 0)
		return read_decimals(type, scratch, cells, rows, n);
	switch (type->physical)
	{
		case PHYSICAL_BOOLEAN:
			return read_booleans(type, scratch, cells, rows, n);
		case PHYSICAL_INT32:
			return read_int32(type, scratch, cells, rows, n);
		case PHYSICAL_INT64:
			return read_int64(type, scratch, cells, rows, n);
		case PHYSICAL_FLOAT:
			return read_floats(type, scratch, cells, rows, n);
		case PHYSICAL_DOUBLE:
			return read_doubles(type, scratch, cells, rows, n);
		case PHYSICAL_BYTE_ARRAY:
		case PHYSICAL_FIXED:
			break;
	}
	if (type->field == FIELD_BINARY)
		return read_base64(type, scratch, cells, rows, n);
	if (type->field == FIELD_JSON)
		return read_json(type, scratch, cells, rows, n);
	return read_text(type, scratch, cells, rows, n);
}

const char *
cells_expected(FieldType field)
{
	switch (field)
	{
		case FIELD_BOOLEAN:
			return "a boolean";
		case FIELD_INTEGER:
		case FIELD_LONG:
			return "an integer";
		case FIELD_FLOAT:
		case FIELD_DOUBLE:
			return "a floating-point number";
		case FIELD_DECIMAL:
			return "a decimal number";
		case FIELD_DATE:
			return "a date";
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			return "a timestamp";
		case FIELD_JSON:
			return "a JSON value";
		case FIELD_STRING:
		case FIELD_TIME:
		case FIELD_UUID:
		case FIELD_BINARY:
			break;
	}
	return "a string";
}
