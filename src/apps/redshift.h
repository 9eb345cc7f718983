/*-------------------------------------------------------------------------
 *
 * redshift.h
 *	  Amazon Redshift: statements, by two ways.
 *
 * IDENTIFICATION
 *	  src/apps/redshift.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_REDSHIFT_H
#define APPFLOW_REDSHIFT_H

#include "postgres.h"

#include "apps/warehouse.h"

/* a way to a database, which a session keeps: statements of it see each other's settings */
typedef struct RedshiftLink RedshiftLink;

struct RedshiftLink
{
	/* what says in errors what it is about */
	WarehouseRows *(*query) (RedshiftLink *link, const char *sql, const char *what);
	uint64	   *underway;		/* becomes 0 if the database itself says no; or NULL */
};

/* by its databaseUrl; redshift_libpq.c */
extern RedshiftLink *redshift_connect(ConnectorSession *session, const char *url);

/* by the Data API; redshift_data.c */
extern RedshiftLink *redshift_data_api(ConnectorSession *session);

#endif							/* APPFLOW_REDSHIFT_H */
