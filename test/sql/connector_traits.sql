-- what each connector type offers
CREATE EXTENSION appflow;

CREATE VIEW configurations AS
SELECT t.type, appflow.connector_configuration(t.type) AS c
FROM unnest(ARRAY['Salesforce', 'Singular', 'Slack', 'Redshift', 'S3', 'Marketo', 'Googleanalytics', 'Zendesk', 'Servicenow',
	'Datadog', 'Trendmicro', 'Snowflake', 'Dynatrace', 'Infornexus', 'Amplitude', 'Veeva', 'EventBridge', 'LookoutMetrics',
	'Upsolver', 'Honeycode', 'CustomerProfiles', 'SAPOData', 'CustomConnector', 'Pardot']) WITH ORDINALITY t(type, n);

-- every one is a ConnectorConfiguration by the model, without an unknown member
SELECT count(*), bool_and(appflow.validate_request('ConnectorConfiguration', c) = c) AS valid,
	bool_and(c ->> 'connectorType' = type) AS itself
FROM configurations;

CREATE FUNCTION list(jsonb) RETURNS text LANGUAGE sql AS
	$$SELECT coalesce(string_agg(e, ' ' ORDER BY n), '') FROM jsonb_array_elements_text($1) WITH ORDINALITY a(e, n)$$;

\pset format unaligned
\pset tuples_only on
-- type: modes | triggers | frequencies | writes | API versions
SELECT type || ': ' || list(c -> 'connectorModes') || ' | ' || list(c -> 'supportedTriggerTypes') || ' | '
	|| list(c -> 'supportedSchedulingFrequencies') || ' | ' || list(c -> 'supportedWriteOperations') || ' | '
	|| coalesce(list(c -> 'supportedApiVersions'), '')
FROM configurations;

-- a source has destinations, operators and frequencies, and its destinations are such; others have none
SELECT bool_and((c ->> 'canUseAsSource')::boolean = (c -> 'supportedDestinationConnectors' <> '[]')),
	bool_and((c ->> 'canUseAsSource')::boolean = (c -> 'supportedOperators' <> '[]')),
	bool_and((c ->> 'canUseAsSource')::boolean = (c -> 'supportedSchedulingFrequencies' <> '[]')),
	bool_and(c -> 'supportedTriggerTypes' <> '[]'),
	bool_and(list(c -> 'connectorModes') = concat_ws(' ',
		CASE WHEN (c ->> 'canUseAsSource')::boolean THEN 'SOURCE' END,
		CASE WHEN (c ->> 'canUseAsDestination')::boolean THEN 'DESTINATION' END))
FROM configurations;
SELECT DISTINCT d FROM configurations, jsonb_array_elements_text(c -> 'supportedDestinationConnectors') d
WHERE NOT (appflow.connector_configuration(d) ->> 'canUseAsDestination')::boolean;
-- tables are a destination for every source
SELECT type FROM configurations
WHERE (c ->> 'canUseAsSource')::boolean AND NOT c -> 'supportedDestinationConnectors' ? 'CustomConnector';
-- all that the reference's DescribeConnector sample says of Salesforce (Locke is no connector type any more)
SELECT c -> 'supportedDestinationConnectors' @> '["S3", "Snowflake", "Redshift", "Salesforce", "EventBridge", "LookoutMetrics",
		"Honeycode", "Upsolver", "CustomerProfiles", "Zendesk", "Marketo", "CustomConnector"]',
	c @> '{"canUseAsSource": true, "canUseAsDestination": true, "isPrivateLinkEnabled": true,
		"isPrivateLinkEndpointUrlRequired": false, "connectorDescription": "Salesforce",
		"connectorMetadata": {"Salesforce": {"oAuthScopes": ["api", "refresh_token", "id"]}},
		"supportedSchedulingFrequencies": ["BYMINUTE", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "ONCE"],
		"supportedTriggerTypes": ["Scheduled", "OnDemand", "Event"]}'
FROM configurations WHERE type = 'Salesforce';
-- only what has events feeds EventBridge: Salesforce, tables
SELECT type FROM configurations WHERE c -> 'supportedDestinationConnectors' ? 'EventBridge';
-- authentication
SELECT type || ': ' || jsonb_pretty(c -> 'authenticationConfig') FROM configurations WHERE type IN ('Slack', 'Zendesk', 'Datadog');
SELECT jsonb_pretty(c -> 'authenticationConfig') FROM configurations WHERE type = 'S3';

SELECT appflow.connector_configuration('GOOGLEANALYTICS') = appflow.connector_configuration('GoogleAnalytics');
SELECT appflow.connector_configuration('Locke');

DROP VIEW configurations;
DROP FUNCTION list;
DROP EXTENSION appflow;
