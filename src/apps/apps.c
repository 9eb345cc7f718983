/*-------------------------------------------------------------------------
 *
 * apps.c
 *	  The registry of built-in applications.
 *
 * IDENTIFICATION
 *	  src/apps/apps.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "connector/manifest_engine.h"

static const Connector *const apps[] = {
	&s3_connector,
	&upsolver_connector,
	&eventbridge_connector,
	&redshift_connector,
	&snowflake_connector,
	&customer_profiles_connector,
	&honeycode_connector,
	&lookout_metrics_connector,
	&postgresql_connector,
	&salesforce_connector,
	&sap_odata_connector,
	&veeva_connector,
	&amplitude_connector,
	&google_analytics_connector,
	&marketo_connector,
	&singular_connector,
};

const Connector *
app_find(const char *type, const char *label)
{
	for (int i = 0; i < (int) lengthof(apps); i++)
	{
		if (pg_strcasecmp(apps[i]->type, type) != 0)
			continue;
		if (apps[i]->label == NULL ||
			(label != NULL && pg_strcasecmp(apps[i]->label, label) == 0))
			return apps[i];
	}
	return label == NULL ? manifest_built_in(type) : NULL;
}
