/*-------------------------------------------------------------------------
 *
 * private_link.h
 *	  Private endpoints, and the checks of the connections of profiles by them.
 *
 * All functions need a transaction and act as the tables' owner; whether the
 * user may is for the caller to decide.
 *
 * IDENTIFICATION
 *	  src/catalog/private_link.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_PRIVATE_LINK_H
#define APPFLOW_CATALOG_PRIVATE_LINK_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/uuid.h"

/* "host:port" of the endpoint of that name, or NULL. */
extern char *private_endpoint_address(const char *name);

/* Set it, or forget the endpoint with NULL. */
extern void private_endpoint_set(const char *name, const char *address);

/* names of the profiles whose connection is private, of char * */
extern List *private_link_profiles(void);

/* The connection of a profile is to be checked anew: PENDING. */
extern void private_link_recheck(const char *profile);

/* A check that is wanted; another one is if the profile has been changed meanwhile. */
typedef struct PrivateCheck
{
	char	   *profile;
	pg_uuid_t	id;
} PrivateCheck;

/*
 * Take one that nobody else is at, or NULL; and whether there is one.  If no end of it is recorded
 * within PRIVATE_CHECK_MINUTES, another may take it.
 */
#define PRIVATE_CHECK_MINUTES "10"
extern PrivateCheck *private_link_claim(void);
extern bool private_link_waits(void);

/*
 * Record how a check ended, unless it is not wanted any more: CREATED, or with a
 * failureCause FAILED.
 */
extern void private_link_checked(const PrivateCheck *check, const char *cause, const char *message);

#endif							/* APPFLOW_CATALOG_PRIVATE_LINK_H */
