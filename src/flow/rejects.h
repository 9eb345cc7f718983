/*-------------------------------------------------------------------------
 *
 * rejects.h
 *	  Records that did not make it: counted, and written to the error file of
 *	  errorHandlingConfig.
 *
 * The error file is <bucketPrefix>/<flowName>/<executionId>/1.jsonl with a line
 * for each record:
 *	  {"record":{...},"errorCode":"...","errorMessage":"...","source":"..."}
 * where source says where the record came from.
 *
 * IDENTIFICATION
 *	  src/flow/rejects.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_REJECTS_H
#define APPFLOW_FLOW_REJECTS_H

#include "postgres.h"

#include "codec/buffer.h"
#include "flow/transform.h"
#include "store/store.h"

typedef struct Rejects
{
	ObjectStore *store;			/* NULL: no error file */
	const char *bucket;
	char	   *key;
	const char *execution_id;
	bool		stop_at_first;

	Transform  *transform;		/* for the values of a rejected record */
	ObjectWriter *writer;		/* opened with the first record */
	Owned	   *buffer;			/* a ByteBuffer */
	uint64		count;
	uint64		written;		/* bytes in the error file */
	char	   *first;			/* reason of the first, and where */
} Rejects;

extern Rejects *rejects_create(const FlowPlan *plan, const char *flow_name, const char *execution_id,
							   ObjectStore *store);

/* callbacks of Outcomes; arg is the Rejects */
extern void rejects_add(void *arg, const Batch *batch, uint32 row, const char *code, const char *message);
extern void rejects_add_late(void *arg, const char *record, const char *where, const char *code, const char *message);

/* complete the error file */
extern void rejects_finish(Rejects *rejects);

#endif							/* APPFLOW_FLOW_REJECTS_H */
