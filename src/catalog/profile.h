/*-------------------------------------------------------------------------
 *
 * profile.h
 *	  The tables of connector profiles and registered connectors, and what
 *	  connectors have told of their entities.
 *
 * All functions need a transaction and act as the tables' owner; whether the
 * user may is for the caller to decide.
 *
 * IDENTIFICATION
 *	  src/catalog/profile.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_PROFILE_H
#define APPFLOW_CATALOG_PROFILE_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef enum RowHold
{
	HOLD_NOT,					/* just look */
	HOLD_KEEP,					/* it must not be deleted before this transaction ends */
	HOLD_CHANGE					/* it is going to be changed or deleted */
} RowHold;

/* ---------- profile.c ---------- */

typedef struct ProfileRow
{
	char	   *name;
	Oid			owner;
	char	   *connector_type;
	char	   *connector_label;	/* NULL: not a registered connector */
	char	   *connection_mode;
	Jsonb	   *properties;		/* ConnectorProfileProperties */
	bool		has_credentials;
	char	   *credentials_id;
	char	   *kms_arn;		/* of the key that seals its credentials; NULL: the master key */
	char	   *private_status; /* PENDING, CREATED, FAILED; NULL: the connection is public */
	char	   *private_failure;	/* failureMessage, or NULL */
} ProfileRow;

/* The profile of that name, or NULL. */
extern ProfileRow *profile_get(const char *name, RowHold hold);

/*
 * The profile of that name if the user may use it, as its owner or by a grant;
 * else raises ResourceNotFoundException: what one may not see does not exist.
 */
extern ProfileRow *profile_use(const char *name, RowHold hold);

/* The profile if the user owns it, to change it; AccessDeniedException if it was only granted. */
extern ProfileRow *profile_own(const char *name, RowHold hold);

/* The same as profile_use() for another role than the user: a flow's owner, when its flow runs. */
extern ProfileRow *profile_use_as(const char *name, RowHold hold, Oid role);

/* Insert, with all but credentials_id, which is chosen here; false if the name is taken. */
extern bool profile_insert(ProfileRow *profile, const char *created_by);

/*
 * Set mode, properties and has_credentials of the profile of that name.  Its private
 * connection, if it is to have one, becomes PENDING, as with profile_insert().
 */
extern void profile_update(const ProfileRow *profile);

/* Delete it and what is cached for it; its secret is the caller's to delete. */
extern void profile_delete(const char *name);

/* profiles in all */
extern int64 profile_count(void);

/*
 * Flows at either end of which is the profile: names of those that the user may
 * see, ten at most, joined by ", "; *count how many there are.
 */
extern char *profile_flows(const char *name, int64 *count);

/* Make these flows Errored, with a message. */
extern void profile_break_flows(const char *name, const char *message, const char *by);

/* ---------- connector.c ---------- */

typedef struct ConnectorRow
{
	char	   *label;
	Oid			owner;
	char	   *description;	/* or NULL */
	Jsonb	   *provisioning;	/* ConnectorProvisioningConfig */
	Jsonb	   *configuration;	/* ConnectorConfiguration, as the connector told it */
} ConnectorRow;

extern ConnectorRow *connector_get(const char *label, RowHold hold);

/* As profile_use(), and as profile_own(). */
extern ConnectorRow *connector_use(const char *label, RowHold hold);
extern ConnectorRow *connector_own(const char *label, RowHold hold);

extern bool connector_insert(const ConnectorRow *connector, const char *registered_by);
extern void connector_update(const ConnectorRow *connector);
extern void connector_delete(const char *label);

/* As profile_flows(), of the connector's profiles. */
extern char *connector_profile_names(const char *label, int64 *count);

/* names of the connector's profiles, of char * */
extern List *connector_profile_list(const char *label);

/* ---------- metadata.c ---------- */

/* what a piece of metadata is of: the entities under a path, or the fields of one */
#define METADATA_ENTITIES "entities"
#define METADATA_ENTITY "entity"

typedef struct MetadataKey
{
	const char *profile;
	const char *api_version;	/* "" if the request names none */
	const char *kind;
	const char *path;			/* "": the top */
} MetadataKey;

/* how long it is kept unless the connector says otherwise */
#define METADATA_SECONDS 3600

/* what is kept and has not expired, or NULL */
extern Jsonb *metadata_get(const MetadataKey *key);

/* Keep it; does nothing in a transaction that may not write. */
extern void metadata_put(const MetadataKey *key, Jsonb *metadata, int64 seconds);

/* Forget; a member that is NULL stands for all. */
extern void metadata_reset(const MetadataKey *key);

#endif							/* APPFLOW_CATALOG_PROFILE_H */
