/*-------------------------------------------------------------------------
 *
 * registrations.c
 *	  Operations on registered connectors: RegisterConnector,
 *	  UpdateConnectorRegistration, UnregisterConnector.
 *
 * A connector is a function of AWS Lambda, or a SQL function named in its place; it is
 * asked what it can do when it is registered, and what it says is kept.  Or it is a
 * manifest (doc/manifest.md), which says it itself.
 *
 * IDENTIFICATION
 *	  src/operations/registrations.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/apps.h"
#include "apps/custom.h"
#include "catalog/access.h"
#include "catalog/profile.h"
#include "compat.h"
#include "connector/traits.h"
#include "miscadmin.h"
#include "operations/manifest_form.h"
#include "operations/operations.h"
#include "operations/protocol.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(appflow_function_arn);
PG_FUNCTION_INFO_V1(appflow_register_connector);
PG_FUNCTION_INFO_V1(appflow_update_connector_registration);
PG_FUNCTION_INFO_V1(appflow_unregister_connector);

/* appflow.function_arn(function regprocedure) returns text */
Datum
appflow_function_arn(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(operation_function_arn(custom_function_name(PG_GETARG_OID(0)))));
}

static Jsonb *
registration_response(const char *label)
{
	CatalogValue values[] = {catalog_text(operation_arn("connector", label))};

	return operation_respond("SELECT pg_catalog.jsonb_build_object('connectorArn', $1)", 1, values);
}

static Jsonb *
provisioning_of(Jsonb *request)
{
	Jsonb	   *provisioning = jsonb_get_container(request, "connectorProvisioningConfig");

	bool		lambda = jsonb_get_container(provisioning, "lambda") != NULL;
	bool		manifest = jsonb_get_container(provisioning, "manifest") != NULL;

	if (lambda && manifest)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connectorProvisioningConfig has both lambda and manifest: a connector is one of them"));
	if (!lambda && !manifest)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connectorProvisioningConfig.lambda is missing: it names the function that is the connector"),
				errhint("A SQL function is named by what appflow.function_arn('schema.name(jsonb)') gives. "
						"A REST application can be described by connectorProvisioningConfig.manifest instead."));
	return provisioning;
}

/* what the connector can do, by its manifest or as the function says */
static Jsonb *
configuration_of(const char *label, Jsonb *provisioning, Oid owner)
{
	Jsonb	   *manifest = jsonb_get_container(provisioning, "manifest");

	return manifest != NULL ? manifest_configuration(label, manifest) :
		protocol_describe_configuration(label, provisioning, owner);
}

/*
 * register_connector(request jsonb) returns jsonb: {"connectorArn"}.
 * Follows RegisterConnector of the API reference.
 */
OPERATION(appflow_register_connector, "RegisterConnector")
{
	Jsonb	   *response = operation_recall("RegisterConnector", request);
	ConnectorRow connector = {.owner = GetUserId()};

	if (response != NULL)
		PG_RETURN_JSONB_P(response);
	connector.label = jsonb_get_text(request, "connectorLabel");
	connector.description = jsonb_get_text(request, "description");
	if (connector.label == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connectorLabel is missing: connector profiles name the connector by it"));
	connector.provisioning = provisioning_of(request);
	if (strcmp(connector.label, POSTGRESQL_LABEL) != 0)
		connector.configuration = configuration_of(connector.label, connector.provisioning, connector.owner);
	if (strcmp(connector.label, POSTGRESQL_LABEL) == 0 || strcmp(connector.label, AWS_LABEL) == 0 ||
		!connector_insert(&connector, operation_user_arn()))
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: Connector with label %s already exists.", connector.label),
				errhint("Labels are unique in a database; choose another one, or use appflow.update_connector_registration()."));
	PG_RETURN_JSONB_P(operation_remember("RegisterConnector", request, registration_response(connector.label)));
}

/* the built-in connector is not one that can be changed */
static void
refuse_builtin(const char *label)
{
	if (strcmp(label, POSTGRESQL_LABEL) == 0 || strcmp(label, AWS_LABEL) == 0)
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: Connector: %s is built in and cannot be changed or unregistered", label));
}

/*
 * update_connector_registration(request jsonb) returns jsonb: {"connectorArn"}.
 * Follows UpdateConnectorRegistration of the API reference: the connector is
 * asked again; what is not sent stays.
 */
OPERATION(appflow_update_connector_registration, "UpdateConnectorRegistration")
{
	Jsonb	   *response = operation_recall("UpdateConnectorRegistration", request);
	char	   *label = jsonb_get_text(request, "connectorLabel");
	ConnectorRow *connector;
	ListCell   *lc;

	if (response != NULL)
		PG_RETURN_JSONB_P(response);
	refuse_builtin(label);
	connector = connector_own(label, HOLD_CHANGE);
	if (jsonb_get_text(request, "description") != NULL)
		connector->description = jsonb_get_text(request, "description");
	if (jsonb_get_container(request, "connectorProvisioningConfig") != NULL)
		connector->provisioning = provisioning_of(request);
	connector->configuration = configuration_of(label, connector->provisioning, connector->owner);
	connector_update(connector);

	/* what the connector told before may not hold any more */
	foreach(lc, connector_profile_list(label))
	{
		MetadataKey cached = {.profile = lfirst(lc)};

		metadata_reset(&cached);
	}
	PG_RETURN_JSONB_P(operation_remember("UpdateConnectorRegistration", request, registration_response(label)));
}

/*
 * unregister_connector(request jsonb) returns jsonb: {}.
 * Follows UnregisterConnector of the API reference.  With forceDelete the
 * connector's profiles go too, and their flows become Errored.
 */
OPERATION(appflow_unregister_connector, "UnregisterConnector")
{
	char	   *label = jsonb_get_text(request, "connectorLabel");
	char	   *profiles;
	int64		count;
	ListCell   *lc;

	refuse_builtin(label);
	(void) connector_own(label, HOLD_CHANGE);
	profiles = connector_profile_names(label, &count);
	if (count > 0 && !jsonb_get_bool(request, "forceDelete", false))
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: Connector: %s is associated with one or more connector profiles. "
					   "If you still want to delete it, then make delete request with forceDelete flag as true. "
					   "Some of the associated connector profiles are: [%s]", label, profiles));
	foreach(lc, connector_profile_list(label))
		profile_forget(lfirst(lc));
	connector_delete(label);
	PG_RETURN_JSONB_P(operation_empty());
}
