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
 * The file of successResponseHandlingConfig, responses.jsonl beside such a name, has
 * for each record that was written
 *	  {"record":{...},"response":...}
 *
 * IDENTIFICATION
 *	  src/flow/rejects.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_REJECTS_H
#define APPFLOW_FLOW_REJECTS_H

#include "postgres.h"

#include "flow/outcome_file.h"
#include "flow/transform.h"

typedef struct Rejects
{
	OutcomeFile *file;			/* NULL: no error file */
	OutcomeFile *responses;		/* what the destination gave back; NULL: nobody wants to know */
	bool		stop_at_first;

	Transform  *transform;		/* for the values of a rejected record */
	uint64		count;
	char	   *first;			/* reason of the first, and where */
} Rejects;

extern Rejects *rejects_create(const FlowPlan *plan, const char *flow_name, const char *execution_id,
							   ObjectStore *store, ObjectStore *response_store);

/* callbacks of Outcomes; arg is the Rejects */
extern void rejects_add(void *arg, const Batch *batch, uint32 row, const char *code, const char *message);
extern void rejects_add_late(void *arg, const char *record, const char *where, const char *code, const char *message);

/* the same for a record that was written; for destinations with responses */
extern void rejects_accept(void *arg, const Batch *batch, uint32 row, const Cell *result);

/* complete the files */
extern void rejects_finish(Rejects *rejects);

#endif							/* APPFLOW_FLOW_REJECTS_H */
