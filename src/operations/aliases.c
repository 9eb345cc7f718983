/*-------------------------------------------------------------------------
 *
 * aliases.c
 *	  Spellings that the API reference uses besides those of its model.
 *
 * The reference's sample requests and responses were written against several
 * versions of the service and do not all keep to the request syntax printed
 * beside them.  Every such spelling is listed here with the sample it is from;
 * test/sql/samples.sql holds the samples themselves.
 *
 * IDENTIFICATION
 *	  src/operations/aliases.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "operations/shapes.h"

const ShapeAlias shape_aliases[] = {
	/* all CreateConnectorProfile samples, UpdateConnectorProfile: "oauthRequest" */
	{SHAPE_GoogleAnalyticsConnectorProfileCredentials, "oAuthRequest", "oauthRequest"},
	{SHAPE_HoneycodeConnectorProfileCredentials, "oAuthRequest", "oauthRequest"},
	{SHAPE_MarketoConnectorProfileCredentials, "oAuthRequest", "oauthRequest"},
	{SHAPE_OAuth2Credentials, "oAuthRequest", "oauthRequest"},
	{SHAPE_OAuthCredentials, "oAuthRequest", "oauthRequest"},
	{SHAPE_PardotConnectorProfileCredentials, "oAuthRequest", "oauthRequest"},
	{SHAPE_SalesforceConnectorProfileCredentials, "oAuthRequest", "oauthRequest"},
	{SHAPE_SlackConnectorProfileCredentials, "oAuthRequest", "oauthRequest"},
	{SHAPE_ZendeskConnectorProfileCredentials, "oAuthRequest", "oauthRequest"},

	/* all CreateFlow samples */
	{SHAPE_TriggerProperties, "Scheduled", "scheduledTriggerProperties"},

	/* all CreateFlow and UpdateFlow samples, the DescribeFlow response */
	{SHAPE_S3DestinationProperties, "bucketPrefix", "bucketKey"},
	{SHAPE_S3SourceProperties, "bucketPrefix", "bucketKey"},

	/* the DescribeFlow response, which people send back to CreateFlow and UpdateFlow */
	{SHAPE_DestinationFlowConfig, "destinationConnectorProperties", "destinationConnectorProps"},
	{SHAPE_SourceFlowConfig, "sourceConnectorProperties", "sourceConnectorProps"},
	{SHAPE_TriggerConfig, "triggerProperties", "triggerProps"},
	{SHAPE_TriggerProperties, "Scheduled", "ScheduledTriggerProps"},
	{SHAPE_TaskType, "Map", "Mapping"},
	{SHAPE_TaskType, "Filter", "Filtering"},

	/* the CreateFlow sample for Salesforce: today the profile says which connector it is of */
	{SHAPE_SourceFlowConfig, NULL, "connectorLabel"},
	{SHAPE_DestinationFlowConfig, NULL, "connectorLabel"},

	/* CreateFlow and UpdateFlow samples: today kmsArn alone decides */
	{SHAPE_CreateFlowRequest, NULL, "useDefaultEncryption"},
	{SHAPE_UpdateFlowRequest, NULL, "useDefaultEncryption"},

	/* the UpdateConnectorProfile sample: neither can change once a profile is made */
	{SHAPE_UpdateConnectorProfileRequest, NULL, "connectorType"},
	{SHAPE_UpdateConnectorProfileRequest, NULL, "kmsArn"},
};

const int	shape_alias_count = lengthof(shape_aliases);

/*
 * The samples write connectors in these structures as "salesforce", "s3" or
 * "googleAnalytics", the model as "Salesforce", "S3" and "GoogleAnalytics".
 */
bool
shape_has_connector_keys(ShapeId id)
{
	switch (id)
	{
		case SHAPE_ConnectorMetadata:
		case SHAPE_ConnectorOperator:
		case SHAPE_ConnectorProfileCredentials:
		case SHAPE_ConnectorProfileProperties:
		case SHAPE_DestinationConnectorProperties:
		case SHAPE_SourceConnectorProperties:
		case SHAPE_TriggerProperties:
			return true;
		default:
			return false;
	}
}
