/*-------------------------------------------------------------------------
 *
 * session.h
 *	  Connectors by name, and sessions with them.
 *
 * IDENTIFICATION
 *	  src/flow/session.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_FLOW_SESSION_H
#define APPFLOW_FLOW_SESSION_H

#include "postgres.h"

#include "catalog/profile.h"
#include "connector/connector.h"

/*
 * The connector of a profile (NULL: of S3), in the current memory context; NULL
 * if there is none that moves records.  Needs a transaction.
 */
extern const Connector *connector_of_profile(const ProfileRow *profile);

/*
 * A session of a role with a connector: by the profile's name (NULL for S3 and
 * those that have none, POSTGRESQL_LABEL for tables), in a memory context of its own
 * below the current one.  Needs a transaction; asks nobody.  Raises
 * ResourceNotFoundException if the role may not use the profile, and what session_refuse()
 * raises.
 */
extern ConnectorSession *session_open(const char *connector_type, const char *profile_name,
									  const char *api_version, Oid role);

/* The same with a profile, whoever may use it. */
extern ConnectorSession *session_open_profile(const ProfileRow *profile, Oid role);

/*
 * Raise what is wrong with a profile whose connector is none that moves records: it holds
 * credentials of AWS, or its connector is not registered any more.
 */
pg_noreturn extern void session_refuse(const char *profile, const char *label);

/* End it: its memory, and what hangs on that. */
extern void session_close(ConnectorSession *session);

/*
 * The entity as the connector describes it.  What has been told within
 * METADATA_SECONDS is taken from the cache; with cached_only nobody is asked, and
 * the result is NULL if the cache has nothing.  Needs a transaction, even to ask.
 */
extern Schema *session_describe(ConnectorSession *session, const char *entity, bool cached_only);

#endif							/* APPFLOW_FLOW_SESSION_H */
