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

/* a folder that a run's path goes through: "year" and "2026", "execution_id" and so on */
typedef struct S3Level
{
	const char *name;
	char	   *value;
} S3Level;

/* Where objects of a run go; by prefixConfig, flow, schema version, execution and time. */
typedef struct S3Place
{
	char	   *root;			/* folder of all runs of the schema version, ending in '/' */
	List	   *levels;			/* of S3Level *: the folders in it that lead to the run's */
	char	   *folder;			/* the run's, ending in '/' */
	bool		exclusive;		/* no other run has that folder */
	bool		per_run;		/* and the hierarchy says so */
	char	   *name_prefix;	/* what names of the files begin with: "" or a date and '-' */
} S3Place;

extern S3Place *s3_output_place(const WriteRequest *request);

/* ---------- s3_read.c ---------- */

extern RecordReader *s3_open_reader(ConnectorSession *session, ReadRequest *request);

/* ---------- s3_write.c ---------- */

extern RecordWriter *s3_open_writer(ConnectorSession *session, WriteRequest *request);

/* Objects that are laid out by somebody else than the flow's definition. */
typedef struct S3Layout
{
	char	   *bucket;
	char	   *name_prefix;	/* what names of the objects begin with */
	S3OutputFormat format;

	/* the folder of a row of the batch that is being put, ending in '/'; valid until the next call */
	const char *(*folder) (void *arg, uint32 row);
	void	   *arg;
} S3Layout;

extern RecordWriter *s3_open_laid_out(ConnectorSession *session, WriteRequest *request, const S3Layout *layout);

/* a partition that records went to */
typedef struct S3Partition
{
	char	   *folder;			/* in the run's: "Industry=Apparel/" */
	List	   *values;			/* of char *: of the keys, as text; null is "null" */
} S3Partition;

/* What a writer has written, once it is sealed. */
typedef struct S3Written
{
	const char *bucket;
	const S3Place *place;
	S3FileType	file_type;
	const Schema *schema;		/* of the files */
	List	   *partition_keys; /* of char *: names in schema */
	List	   *partitions;		/* of S3Partition *, with partition_keys */
	int			objects;
} S3Written;

extern S3Written *s3_written(const RecordWriter *writer);

#endif							/* APPFLOW_APPS_S3_H */
