/*-------------------------------------------------------------------------
 *
 * salesforce_write.h
 *	  Writing to Salesforce: by sObject Collections, or by Bulk API 2.0.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_write.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_SALESFORCE_WRITE_H
#define APPFLOW_SALESFORCE_WRITE_H

#include "postgres.h"

#include "apps/salesforce.h"
#include "codec/buffer.h"

/* records of one request of sObject Collections */
#define SALESFORCE_COLLECTION 200

/* of an error that is told of a record: its outcome is not known */
#define SALESFORCE_UNKNOWN "UNKNOWN_OUTCOME"

/* a record is locked by somebody else: worth another try, so often */
#define SALESFORCE_LOCKED "UNABLE_TO_LOCK_ROW"
#define SALESFORCE_LOCK_ROUNDS 4

/* ---------- salesforce_write.c: for the connector ---------- */

extern RecordWriter *salesforce_open_writer(ConnectorSession *session, WriteRequest *request);
extern int	salesforce_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation);

/* what is wrong with idFieldNames (of char *) */
extern List *salesforce_check_destination(Jsonb *properties);
extern bool salesforce_needs_schema(Jsonb *properties, bool all_fields);
extern bool salesforce_fixed_schema(Jsonb *properties);

/* ---------- between salesforce_write.c and salesforce_ingest.c ---------- */

/* One field of the records as Salesforce knows it. */
typedef struct WriteColumn
{
	const Field *field;			/* of the writer's schema */
	const char *name;			/* as Salesforce spells it: "LastName", "Account.Code__c" */
	const char *relationship;	/* a parent by its external id: "Account"; else NULL */
	const char *parent_field;	/* "Code__c" */
	const char *reference;		/* "AccountId" */
	bool		time;			/* of day: hh:mm:ss.SSSZ */
	bool		ignored;		/* DELETE takes nothing but the key */
} WriteColumn;

typedef struct IngestJobs IngestJobs;

typedef struct SalesforceWriter
{
	RecordWriter base;
	ConnectorSession *session;
	MemoryContext context;
	MemoryContext scratch;		/* of one request */
	const char *entity;
	WriteOperation operation;
	char	   *what;			/* for messages: entity "Account" */
	int			ncolumns;
	WriteColumn *columns;
	int			key;			/* column that identifies a record; -1: INSERT */
	SalesforceApi api;			/* AUTOMATIC: not decided yet */

	/* records that wait: for their request, or for AUTOMATIC to decide */
	MemoryContext waiting_context;	/* their texts */
	Cell	   *waiting;		/* row by row */
	char	  **where;			/* where each came from, in words */
	uint64	   *numbers;		/* of it in the run */
	uint32	   *rows;			/* its row in the batch being put */
	int			nwaiting;
	size_t		waiting_bytes;

	Owned	   *body;			/* ByteBuffer of the request */
	HttpCall   *flight;			/* request whose answer is not read yet, or NULL */
	int			flight_rows;
	IngestJobs *jobs;			/* BULK */
} SalesforceWriter;

/* Append the text of a cell that is not null, as Salesforce takes it. */
extern void salesforce_append_value(ByteBuffer *out, const WriteColumn *column, const Cell *cell);

/* A record as error files show it, in the current memory context. */
extern char *salesforce_record_json(const SalesforceWriter *writer, const Cell *cells);

pg_noreturn extern void salesforce_out_of_memory(void);

/* ---------- salesforce_ingest.c ---------- */

/*
 * Begin to write by jobs.  NULL, if it may be refused: Bulk API 2.0 does not know the
 * object.
 */
extern IngestJobs *ingest_begin(SalesforceWriter *writer, bool may_refuse);

/*
 * One more record, by its number in the run.  Returns why Bulk API 2.0 cannot carry it,
 * or NULL.  May talk to Salesforce, and say of earlier records what became of them.
 */
extern const char *ingest_add(IngestJobs *jobs, const Cell *cells, uint64 number, const Outcomes *outcomes);

/* Have all that was added written. */
extern void ingest_complete(IngestJobs *jobs, const Outcomes *outcomes);

/* Abort what goes on, and count what is written. */
extern void ingest_abort(IngestJobs *jobs);

#endif							/* APPFLOW_SALESFORCE_WRITE_H */
