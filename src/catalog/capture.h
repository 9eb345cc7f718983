/*-------------------------------------------------------------------------
 *
 * capture.h
 *	  Changes of tables that start flows.
 *
 * While a flow captures a table, a trigger on it adds the primary key of every
 * row that is inserted or updated to appflow.table_change, in the transaction of
 * the change.  A run takes keys out in its own transaction and moves the rows as
 * they are then: so a change is moved if it was committed, also after a crash, and
 * many changes of a row at once.
 *
 * Stopping a flow, and changing its table, takes no lock on the table: the trigger
 * finds that it is not the one that the flow wants any more, by the generation in
 * its name, and capture_tidy() removes it when it can.
 *
 * All functions need a transaction and act as the tables' owner.
 *
 * IDENTIFICATION
 *	  src/catalog/capture.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_CAPTURE_H
#define APPFLOW_CATALOG_CAPTURE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#define CAPTURE_TABLE "table_change"

/*
 * Capture changes of the table, given by its quoted name, for the flow, from the
 * end of the transaction on.  Takes a lock on the table when there is no trigger yet.
 */
extern void capture_begin(int64 flow_id, Oid table, const char *quoted);

/* Capture nothing for the flow any more; what is captured stays. */
extern void capture_end(int64 flow_id);

/* Take at most so many keys (of ArrayType *, of text in the order of the key's columns). */
extern List *capture_take(int64 flow_id, int limit);

/*
 * Ask for runs of the flows that have changes to move and no run going on, not
 * before their time; the next ones not before now + interval.  Returns how many, and
 * when the first is to be asked for whose time has not come.
 */
extern int	capture_due(TimestampTz now, int64 interval, TimestampTz *next);

/*
 * Remove triggers that capture for no flow; call it in a transaction of its own
 * for each until it returns NULL.  Returns the name of a table that has such a
 * trigger, which is removed if no lock on the table is in the way for long.
 */
extern char *capture_tidy(void);

/* Forget changes of flows that were deleted, which flow_delete() could not remove. */
extern void capture_forget(void);

/* Flows whose tables are gone become Errored; returns their names (of char *). */
extern List *capture_break(void);

#endif							/* APPFLOW_CATALOG_CAPTURE_H */
