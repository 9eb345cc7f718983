/*-------------------------------------------------------------------------
 *
 * salesforce_events.h
 *	  Platform events and change data capture, by Salesforce's Streaming API.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_events.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_SALESFORCE_EVENTS_H
#define APPFLOW_SALESFORCE_EVENTS_H

#include "postgres.h"

#include "connector/connector.h"

/* The channel of an entity that is an event, such as "/event/Order__e"; NULL for all others. */
extern char *salesforce_event_channel(const char *entity);

/* The fields that records of an event have, by what Salesforce says of it. */
extern Schema *salesforce_event_fields(const char *entity, const Schema *described);

/* The reader of a request that has a position. */
extern RecordReader *salesforce_open_events(ConnectorSession *session, ReadRequest *request);

#endif							/* APPFLOW_SALESFORCE_EVENTS_H */
