/*-------------------------------------------------------------------------
 *
 * parquet_type.h
 *	  Field types as types of Parquet.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_type.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_TYPE_H
#define APPFLOW_CODEC_PARQUET_TYPE_H

#include "codec/parquet_statistics.h"
#include "codec/parquet_writer.h"

/* Type of parquet.thrift */
typedef enum PhysicalType
{
	PHYSICAL_BOOLEAN = 0,
	PHYSICAL_INT32 = 1,
	PHYSICAL_INT64 = 2,
	PHYSICAL_FLOAT = 4,
	PHYSICAL_DOUBLE = 5,
	PHYSICAL_BYTE_ARRAY = 6,
	PHYSICAL_FIXED = 7			/* FIXED_LEN_BYTE_ARRAY(16): wide decimals */
} PhysicalType;

typedef struct ColumnType
{
	FieldType	field;
	PhysicalType physical;
	StatisticsOrder order;
	int			precision;		/* of decimals that are numbers, else 0 */
	int			scale;
	uint64_t	kinds;			/* KIND_BIT() of each CellKind that is accepted, null included */
} ColumnType;

#define KIND_BIT(kind) (UINT64_C(1) << (kind))

extern void column_type_init(ColumnType *type, const ParquetColumn *definition);

/* as the Thrift struct SchemaElement */
extern void column_type_write(const ColumnType *type, const char *name, ThriftWriter *thrift);

#endif							/* APPFLOW_CODEC_PARQUET_TYPE_H */
