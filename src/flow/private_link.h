/*-------------------------------------------------------------------------
 *
 * private_link.h
 *	  Whether the private connection of a connector profile is there.
 *
 * IDENTIFICATION
 *	  src/flow/private_link.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_PRIVATE_LINK_H
#define APPFLOW_FLOW_PRIVATE_LINK_H

#include "postgres.h"

#include "connector/connector.h"

/*
 * A session for the check of a profile's private connection; needs a transaction.  NULL: the
 * profile is gone, or public.
 */
extern ConnectorSession *private_link_open(const char *profile);

/*
 * Ask the application by the private connection, with the profile's credentials, and
 * close the session; needs no transaction.  An error says what is wrong.
 */
extern void private_link_ask(ConnectorSession *session);

/* The failureCause that an error is. */
extern const char *private_link_cause(int sqlstate);

#endif							/* APPFLOW_FLOW_PRIVATE_LINK_H */
