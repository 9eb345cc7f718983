/*-------------------------------------------------------------------------
 *
 * parquet_statistics.h
 *	  Least and greatest value and number of nulls of one column chunk, by
 *	  which readers skip row groups.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_statistics.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CODEC_PARQUET_STATISTICS_H
#define APPFLOW_CODEC_PARQUET_STATISTICS_H

#include "codec/parquet_thrift.h"
#include "codec/parquet_value.h"

/* byte arrays longer than this are represented by a shorter bound */
#define STATISTICS_MAX_BYTES 64

/* how values compare, and how they are written */
typedef enum StatisticsOrder
{
	ORDER_BOOLEAN,
	ORDER_INT32,
	ORDER_INT64,
	ORDER_FLOAT,				/* a NaN makes bounds impossible */
	ORDER_DOUBLE,
	ORDER_DECIMAL_BYTES,		/* 16 bytes, signed */
	ORDER_BYTES,				/* unsigned bytes */
	ORDER_UTF8					/* the same, and bounds are cut between characters */
} StatisticsOrder;

typedef struct Statistics
{
	StatisticsOrder order;
	bool		any;			/* min and max are set */
	bool		nan;			/* a value was NaN */
	uint64_t	nulls;
	union
	{
		struct
		{
			int64_t		min;
			int64_t		max;
		}			integer;	/* booleans and integers */
		struct
		{
			double		min;
			double		max;
		}			real;
		struct
		{
			unsigned char min[PARQUET_DECIMAL_BYTES];
			unsigned char max[PARQUET_DECIMAL_BYTES];
		}			decimal;
		struct
		{
			/*
			 * One byte more than is written: cutting all values at the same
			 * length keeps their order, and a full one tells that it was cut.
			 */
			uint8_t		min_length;
			uint8_t		max_length;
			char		min[STATISTICS_MAX_BYTES + 1];
			char		max[STATISTICS_MAX_BYTES + 1];
		}			bytes;
	};
} Statistics;

extern void statistics_reset(Statistics *statistics);

/* take n values into account; each for its own order */
extern void statistics_int32(Statistics *statistics, const int32_t *values, size_t n);
extern void statistics_int64(Statistics *statistics, const int64_t *values, size_t n);
extern void statistics_float(Statistics *statistics, const float *values, size_t n);
extern void statistics_double(Statistics *statistics, const double *values, size_t n);
extern void statistics_decimal(Statistics *statistics,
							   const unsigned char (*values)[PARQUET_DECIMAL_BYTES], size_t n);
extern void statistics_spans(Statistics *statistics, const ByteSpan *values, size_t n);

/* as the Thrift struct Statistics in the given field */
extern void statistics_write(const Statistics *statistics, ThriftWriter *thrift, int16_t field);

#endif							/* APPFLOW_CODEC_PARQUET_STATISTICS_H */
