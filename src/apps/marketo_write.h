/*-------------------------------------------------------------------------
 *
 * marketo_write.h
 *	  Writing to Marketo: by requests, or by import jobs.
 *
 * IDENTIFICATION
 *	  src/apps/marketo_write.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_MARKETO_WRITE_H
#define APPFLOW_MARKETO_WRITE_H

#include "postgres.h"

#include "apps/marketo.h"
#include "codec/buffer.h"

/* records that are written by requests before jobs are worth their while */
#define MARKETO_IMPORT_FROM 3000

/* of an error that is told of a record: its outcome is not known */
#define MARKETO_UNKNOWN "UNKNOWN_OUTCOME"

typedef struct MarketoImports MarketoImports;

typedef struct MarketoWriter
{
	RecordWriter base;
	ConnectorSession *session;
	MemoryContext context;
	MemoryContext scratch;		/* of one request */
	MemoryContext caller;		/* whom outcomes are told */
	const MarketoEntity *entity;
	WriteOperation operation;
	bool		flow;			/* its only write operation inserts or updates */
	char	   *what;			/* for messages: INSERT of entity "leads" */
	const char *action;			/* NULL: DELETE */
	const char *lookup;			/* leads: the field; others: "idField", or NULL: dedupeFields */
	bool		once;			/* a request must not be repeated if it may have arrived ... */
	bool		slow;			/* ... or only when it is over for certain, wherever it is */
	bool		omit_nulls;
	bool	   *sent;			/* of the columns: part of what is sent */
	int			nkeys;
	int		   *keys;			/* columns that identify a record */
	const char *id;				/* member of an outcome: what Marketo identifies it by */

	const RecordSet *set;
	const Outcomes *outcomes;
	Owned	   *body;			/* ByteBuffer of the request */
	Owned	   *record;			/* ByteBuffer of a record */
	HttpCall   *flight;			/* request whose answer is not read yet, or NULL */
	uint32		flight_rows;

	bool		may_import;
	uint64		requested;		/* records written by requests */
	MarketoImports *imports;	/* NULL: by requests */
} MarketoWriter;

/* ---------- marketo_write.c ---------- */

/* Append a value that is not null, as Marketo takes it: in JSON, or bare. */
extern void marketo_append_value(ByteBuffer *out, const Field *field, const Cell *cell, bool json);

/* what identifies a record, as text that no other has; false: a part of it is missing */
extern bool marketo_append_key(const MarketoWriter *writer, ByteBuffer *out, const Cell *const *columns, uint32 row);

pg_noreturn extern void marketo_out_of_memory(void);

/* ---------- marketo_import.c ---------- */

extern MarketoImports *marketo_imports_begin(MarketoWriter *writer);

/*
 * One more record of the set.  False: jobs are not for it (a value is null, or another
 * record of the file has its key), it has not been taken.  May have a job carried out.
 */
extern bool marketo_imports_add(MarketoImports *imports, uint32 row);

/* Have all that was added written. */
extern void marketo_imports_complete(MarketoImports *imports);

/* The run ends: say what is not known. */
extern void marketo_imports_abort(const MarketoImports *imports);

#endif							/* APPFLOW_MARKETO_WRITE_H */
