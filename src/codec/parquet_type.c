/*-------------------------------------------------------------------------
 *
 * parquet_type.c
 *	  Field types as types of Parquet.
 *
 * Both annotations are written: the logical type, and the converted type that
 * older readers know.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_type.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_type.h"

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

void
column_type_init(ColumnType *type, const ParquetColumn *definition)
{
	memset(type, 0, sizeof(*type));
	type->field = definition->type;
	type->physical = PHYSICAL_BYTE_ARRAY;
	type->order = ORDER_UTF8;
	type->kinds = KIND_BIT(CELL_STRING);
	switch (definition->type)
	{
		case FIELD_STRING:
		case FIELD_TIME:
		case FIELD_UUID:
			break;
		case FIELD_JSON:
			type->kinds = KIND_BIT(CELL_JSON) | KIND_BIT(CELL_STRING) | KIND_BIT(CELL_NUMBER) |
				KIND_BIT(CELL_BOOLEAN);
			break;
		case FIELD_BINARY:
			type->order = ORDER_BYTES;
			break;
		case FIELD_BOOLEAN:
			type->physical = PHYSICAL_BOOLEAN;
			type->kinds = KIND_BIT(CELL_BOOLEAN);
			type->order = ORDER_BOOLEAN;
			break;
		case FIELD_INTEGER:
			type->physical = PHYSICAL_INT32;
			type->kinds = KIND_BIT(CELL_INTEGER);
			type->order = ORDER_INT32;
			break;
		case FIELD_LONG:
			type->physical = PHYSICAL_INT64;
			type->kinds = KIND_BIT(CELL_INTEGER);
			type->order = ORDER_INT64;
			break;
		case FIELD_FLOAT:
			type->physical = PHYSICAL_FLOAT;
			type->kinds = KIND_BIT(CELL_DOUBLE);
			type->order = ORDER_FLOAT;
			break;
		case FIELD_DOUBLE:
			type->physical = PHYSICAL_DOUBLE;
			type->kinds = KIND_BIT(CELL_DOUBLE);
			type->order = ORDER_DOUBLE;
			break;
		case FIELD_DECIMAL:
			type->kinds = KIND_BIT(CELL_NUMBER);
			if (definition->precision <= 0 || definition->precision > PARQUET_DECIMAL_DIGITS ||
				definition->scale < 0 || definition->scale > definition->precision)
				break;			/* Parquet has no such decimal: text */
			type->precision = definition->precision;
			type->scale = definition->scale;
			type->physical = type->precision <= 9 ? PHYSICAL_INT32 :
				type->precision <= 18 ? PHYSICAL_INT64 : PHYSICAL_FIXED;
			type->order = type->precision <= 9 ? ORDER_INT32 :
				type->precision <= 18 ? ORDER_INT64 : ORDER_DECIMAL_BYTES;
			break;
		case FIELD_DATE:
			type->physical = PHYSICAL_INT32;
			type->kinds = KIND_BIT(CELL_DATE);
			type->order = ORDER_INT32;
			break;
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			type->physical = PHYSICAL_INT64;
			type->kinds = KIND_BIT(CELL_TIMESTAMP);
			type->order = ORDER_INT64;
			break;
	}
	type->kinds |= KIND_BIT(CELL_NULL);
}

void
column_type_write(const ColumnType *type, const char *name, ThriftWriter *thrift)
{
	int			converted = -1;
	int			logical = 0;

	if (type->precision > 0)
	{
		converted = CONVERTED_DECIMAL;
		logical = LOGICAL_DECIMAL;
	}
	else if (type->field == FIELD_JSON)
	{
		converted = CONVERTED_JSON;
		logical = LOGICAL_JSON;
	}
	else if (type->field == FIELD_DATE)
	{
		converted = CONVERTED_DATE;
		logical = LOGICAL_DATE;
	}
	else if (type->field == FIELD_DATETIME || type->field == FIELD_TIMESTAMP)
	{
		/* local times too: old readers know only this one */
		converted = CONVERTED_TIMESTAMP_MICROS;
		logical = LOGICAL_TIMESTAMP;
	}
	else if (type->physical == PHYSICAL_BYTE_ARRAY && type->field != FIELD_BINARY)
	{
		converted = CONVERTED_UTF8;
		logical = LOGICAL_STRING;
	}

	thrift_begin(thrift);
	thrift_i32_field(thrift, 1, type->physical);
	if (type->physical == PHYSICAL_FIXED)
		thrift_i32_field(thrift, 2, PARQUET_DECIMAL_BYTES);
	thrift_i32_field(thrift, 3, 1);	/* OPTIONAL */
	thrift_binary_field(thrift, 4, name, strlen(name));
	if (converted >= 0)
		thrift_i32_field(thrift, 6, converted);
	if (type->precision > 0)
	{
		thrift_i32_field(thrift, 7, type->scale);
		thrift_i32_field(thrift, 8, type->precision);
	}
	if (logical > 0)
	{
		thrift_struct_field(thrift, 10);
		thrift_struct_field(thrift, (int16_t) logical);
		if (logical == LOGICAL_DECIMAL)
		{
			thrift_i32_field(thrift, 1, type->scale);
			thrift_i32_field(thrift, 2, type->precision);
		}
		else if (logical == LOGICAL_TIMESTAMP)
		{
			thrift_bool_field(thrift, 1, type->field == FIELD_DATETIME);
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
