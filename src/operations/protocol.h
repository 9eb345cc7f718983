/*-------------------------------------------------------------------------
 *
 * protocol.h
 *	  What a connector profile must have, and the handshake with connectors
 *	  that are SQL functions.
 *
 * IDENTIFICATION
 *	  src/operations/protocol.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_PROTOCOL_H
#define APPFLOW_PROTOCOL_H

#include "postgres.h"

#include "catalog/profile.h"

/* ---------- credentials.c ---------- */

/*
 * Raise a ValidationException unless properties and credentials are those that
 * the connector type needs: the members of that type and of no other, and what
 * the chosen way to authenticate asks for.  credentials NULL: none were sent;
 * that is an error unless the profile has some already, or needs none.
 * connector: the registered connector of the profile's label, or NULL.
 */
extern void profile_check(const ProfileRow *profile, Jsonb *credentials, const ConnectorRow *connector);

/* ---------- profiles.c ---------- */

/* Delete a profile and its secret; its flows become Errored. */
extern void profile_forget(const char *name);

/* ---------- protocol.c ---------- */

/*
 * Each asks the connector's function and checks the answer; they raise
 * ConnectorServerException, ConnectorAuthenticationException or
 * ValidationException.
 */

/* as ConnectorConfiguration; role is who calls */
extern Jsonb *protocol_describe_configuration(const char *label, Jsonb *provisioning, Oid role);

extern void protocol_validate_settings(const ConnectorRow *connector, const ProfileRow *profile);
extern void protocol_validate_credentials(const ConnectorRow *connector, const ProfileRow *profile);

/*
 * All entities under a path ("": the top), as an array of ConnectorEntity;
 * *seconds: how long they may be kept.
 */
extern Jsonb *protocol_list_entities(const ConnectorRow *connector, const ProfileRow *profile,
									 const char *api_version, const char *path, int64 *seconds);

/* an array of ConnectorEntityField */
extern Jsonb *protocol_describe_entity(const ConnectorRow *connector, const ProfileRow *profile,
									   const char *api_version, const char *entity, int64 *seconds);

#endif							/* APPFLOW_PROTOCOL_H */
