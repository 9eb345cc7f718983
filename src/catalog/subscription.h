/*-------------------------------------------------------------------------
 *
 * subscription.h
 *	  Flows that events of an application start: the place that they have come to.
 *
 * All functions need a transaction and act as the tables' owner.
 *
 * IDENTIFICATION
 *	  src/catalog/subscription.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_SUBSCRIPTION_H
#define APPFLOW_CATALOG_SUBSCRIPTION_H

#include "postgres.h"

#include "catalog/flow.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct SubscriptionRow
{
	int64		flow_id;
	int64		version;		/* another one after each change of the flow */
	TimestampTz not_before;		/* it should be tried; DT_NOBEGIN: at once */
} SubscriptionRow;

/* Have the flow listen to events, or listen no more; its place stays. */
extern void subscription_begin(int64 flow_id);
extern void subscription_end(int64 flow_id);

/* Where it goes on; NULL: with what is new then. */
extern void subscription_set_position(int64 flow_id, const char *position);

/* That place, or NULL; also of flows whose source keeps track of changes. */
extern char *subscription_position(int64 flow_id);

/* A run that began then has come from one place to another; no matter if somebody has set one since. */
extern void subscription_advance(int64 flow_id, const char *from, const char *to, TimestampTz began);

/* The flows that are to listen (of SubscriptionRow *). */
extern List *subscription_list(void);

/* The next run of a flow that is to listen, with an id of its own; NULL: it is not to. */
extern ExecutionRow *subscription_next(int64 flow_id, int64 *version);

#endif							/* APPFLOW_CATALOG_SUBSCRIPTION_H */
