/*-------------------------------------------------------------------------
 *
 * outcome_file.h
 *	  An object that tells what became of records: a line of JSON for each.
 *
 * Its key is <prefix>/<flowName>/<executionId>/<name>; it is made with the first line.
 *
 * IDENTIFICATION
 *	  src/flow/outcome_file.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_OUTCOME_FILE_H
#define APPFLOW_FLOW_OUTCOME_FILE_H

#include "postgres.h"

#include "codec/buffer.h"
#include "record/record.h"
#include "store/store.h"

typedef struct OutcomeFile
{
	ObjectStore *store;
	const char *bucket;
	char	   *key;
	const char *execution_id;
	ObjectWriter *writer;		/* opened with the first line */
	Owned	   *buffer;			/* a ByteBuffer */
} OutcomeFile;

/* In the current memory context; prefix may be NULL. */
extern OutcomeFile *outcome_file_create(ObjectStore *store, const char *bucket, const char *prefix,
										const char *flow_name, const char *execution_id, const char *name);

/* Where the next line goes, and its end. */
extern ByteBuffer *outcome_file_begin_line(OutcomeFile *file);
extern void outcome_file_end_line(OutcomeFile *file);

/* Complete the object. */
extern void outcome_file_finish(OutcomeFile *file);

#endif							/* APPFLOW_FLOW_OUTCOME_FILE_H */
