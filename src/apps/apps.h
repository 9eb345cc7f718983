/*-------------------------------------------------------------------------
 *
 * apps.h
 *	  The applications that are built in, one file (or a few) for each.
 *
 * IDENTIFICATION
 *	  src/apps/apps.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_APPS_H
#define APPFLOW_APPS_H

#include "connector/connector.h"

/* label and profile of the server's own tables as a custom connector */
#define POSTGRESQL_LABEL "PostgreSQL"

/* of profiles that are credentials of AWS; no connector, see operations/forward.h */
#define AWS_LABEL "AWS"

extern const Connector s3_connector;
extern const Connector upsolver_connector;
extern const Connector eventbridge_connector;
extern const Connector redshift_connector;
extern const Connector snowflake_connector;
extern const Connector customer_profiles_connector;
extern const Connector honeycode_connector;
extern const Connector lookout_metrics_connector;
extern const Connector salesforce_connector;
extern const Connector postgresql_connector;
extern const Connector sap_odata_connector;
extern const Connector veeva_connector;
extern const Connector amplitude_connector;
extern const Connector google_analytics_connector;
extern const Connector marketo_connector;
extern const Connector singular_connector;

/* Settings of the applications; for _PG_init. */
extern void apps_define_settings(void);

/*
 * The connector of a type (and of a label, for CustomConnector), without regard
 * to letter case; NULL if there is none.
 */
extern const Connector *app_find(const char *type, const char *label);

#endif							/* APPFLOW_APPS_H */
