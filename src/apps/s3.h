/*-------------------------------------------------------------------------
 *
 * s3.h
 *	  S3 as a source and a destination: objects in the formats CSV, JSON and
 *	  Parquet, by way of an object store.
 *
 * IDENTIFICATION
 *	  src/apps/s3.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_APPS_S3_H
#define APPFLOW_APPS_S3_H

#include "connector/connector.h"

typedef enum S3FileType
{
	S3_CSV,
	S3_JSON,
	S3_PARQUET
} S3FileType;

/* ---------- s3.c ---------- */

/* does a source with these properties have CSV files (the default), not JSON? */
extern bool s3_input_is_csv(Jsonb *properties);

/* appflow.portable_object_names: no colons, and an extension */
extern bool s3_portable_object_names;

/* how a destination writes, out of its properties and s3OutputFormatConfig */
typedef struct S3OutputFormat
{
	S3FileType	file_type;
	bool		typed;			/* PARQUET: preserveSourceDataTyping */
	bool		single_file;	/* aggregationType SingleFile */
	uint64		target_size;	/* bytes; 0: none */
} S3OutputFormat;

extern S3OutputFormat s3_output_format(Jsonb *properties);

/* can no field be added once writing has begun? */
static inline bool
s3_schema_is_fixed(const S3OutputFormat *format)
{
	return format->single_file && format->file_type != S3_JSON;
}

/*
 * The folder under which objects of a run go, ending in '/'; by prefixConfig,
 * flow, schema version, execution and time.  *name_prefix is what the names of
 * the files begin with ("" or a date and '-').
 */
extern char *s3_output_folder(const WriteRequest *request, char **name_prefix);

/* ---------- s3_read.c ---------- */

extern RecordReader *s3_open_reader(ConnectorSession *session, ReadRequest *request);

/* ---------- s3_write.c ---------- */

extern RecordWriter *s3_open_writer(ConnectorSession *session, WriteRequest *request);

#endif							/* APPFLOW_APPS_S3_H */
