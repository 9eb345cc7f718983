/*-------------------------------------------------------------------------
 *
 * traits.c
 *	  What each connector type can do.
 *
 * Sources, named in the rows' comments:
 *
 *	API		the API reference: <X>SourceProperties and <X>DestinationProperties
 *			say whether a type is a source or a destination and which write
 *			operations it has; ConnectorOperator the operators;
 *			<X>ConnectorProfileCredentials the ways to authenticate;
 *			<X>ConnectorProfileProperties what a private link needs;
 *			the DescribeConnector and DescribeConnectors samples the triggers,
 *			frequencies, destinations, scopes and private links of Salesforce
 *			and Marketo.
 *	UG		the user guide: quotas (the least time between scheduled runs) and
 *			the connector's page.
 *	vendor	the application's own documentation: OAuth addresses, scopes, API
 *			versions.
 *
 * Where the reference does not say which destinations a source may have, it is
 * all that take records on demand and on schedule.  CustomConnector, which
 * PostgreSQL's own tables are, is a destination for every source.
 *
 * IDENTIFICATION
 *	  src/connector/traits.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector/traits.h"

#define MINUTE	60
#define HOUR	3600
#define DAY		86400

/* seconds by which the clock of a service may be behind ours */
#define CLOCKS_DIFFER	10

/* a minimum period and the frequencies that it leaves; once is always possible */
#define EVERY_MINUTE \
	.minimum_period = MINUTE, .frequencies = FREQUENCY_BYMINUTE | FREQUENCY_HOURLY | FREQUENCY_DAILY | \
	FREQUENCY_WEEKLY | FREQUENCY_MONTHLY | FREQUENCY_ONCE
#define EVERY_HOUR \
	.minimum_period = HOUR, .frequencies = FREQUENCY_HOURLY | FREQUENCY_DAILY | FREQUENCY_WEEKLY | \
	FREQUENCY_MONTHLY | FREQUENCY_ONCE
#define EVERY_DAY \
	.minimum_period = DAY, .frequencies = FREQUENCY_DAILY | FREQUENCY_WEEKLY | FREQUENCY_MONTHLY | \
	FREQUENCY_ONCE

#define PULLED (TRIGGER_SCHEDULED | TRIGGER_ON_DEMAND)
#define ALL_TRIGGERS (PULLED | TRIGGER_EVENT)
#define ALL_WRITES (WRITES_INSERT | WRITES_UPSERT | WRITES_UPDATE | WRITES_DELETE)

#define OP(name) (UINT32_C(1) << OPERATOR_##name)
#define TO(name) (UINT32_C(1) << CONNECTOR_##name)

/* operators that work in the engine, whatever the source is */
#define ENGINE \
	(OP(ADDITION) | OP(MULTIPLICATION) | OP(DIVISION) | OP(SUBTRACTION) | \
	 OP(MASK_ALL) | OP(MASK_FIRST_N) | OP(MASK_LAST_N) | OP(VALIDATE_NON_NULL) | OP(VALIDATE_NON_ZERO) | \
	 OP(VALIDATE_NON_NEGATIVE) | OP(VALIDATE_NUMERIC) | OP(NO_OP))
#define COMPARISONS \
	(OP(LESS_THAN) | OP(GREATER_THAN) | OP(LESS_THAN_OR_EQUAL_TO) | OP(GREATER_THAN_OR_EQUAL_TO) | \
	 OP(BETWEEN) | OP(EQUAL_TO))
#define ALL_OPERATORS (OP(PROJECTION) | COMPARISONS | OP(NOT_EQUAL_TO) | OP(CONTAINS) | ENGINE)

/* destinations that any source may have */
#define ANYWHERE \
	(TO(S3) | TO(SNOWFLAKE) | TO(REDSHIFT) | TO(SALESFORCE) | TO(HONEYCODE) | TO(UPSOLVER) | \
	 TO(CUSTOMER_PROFILES) | TO(ZENDESK) | TO(MARKETO) | TO(SAP_ODATA) | TO(CUSTOM))

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

const ConnectorTraits connector_traits[CONNECTOR_TYPE_COUNT] = {
	/*
	 * API: DescribeConnector sample (triggers, frequencies, destinations,
	 * scopes, private link), SalesforceConnectorProfileCredentials (grants),
	 * SalesforceDataTransferApi.  UG Salesforce: API versions by the age of a
	 * connection.
	 */
	[CONNECTOR_SALESFORCE] = {
		.type = "Salesforce",
		.key = "Salesforce",
		.name = "Salesforce",
		.description = "Salesforce",
		.source = true,
		.destination = true,
		.needs_profile = true,
		.operators = ALL_OPERATORS,
		.source_triggers = ALL_TRIGGERS,
		EVERY_MINUTE,
		.destinations = ANYWHERE | TO(EVENTBRIDGE) | TO(LOOKOUT_METRICS),
		.destination_triggers = ALL_TRIGGERS,
		.writes = ALL_WRITES,
		.auth = AUTH_OAUTH2,
		.grants = GRANT_CLIENT_CREDENTIALS | GRANT_AUTHORIZATION_CODE | GRANT_JWT_BEARER,
		.oauth_scopes = LIST("api", "refresh_token", "id"),
		.token_urls = LIST("https://login.salesforce.com/services/oauth2/token",
						   "https://test.salesforce.com/services/oauth2/token"),
		.auth_code_urls = LIST("https://login.salesforce.com/services/oauth2/authorize",
							   "https://test.salesforce.com/services/oauth2/authorize"),
		.private_link = true,
		.api_versions = LIST("v47.0", "v50.0", "v55.0", "v58.0"),
		.data_transfer_apis = LIST("AUTOMATIC", "BULKV2", "REST_SYNC"),
	},

	/* UG: hourly; vendor: reporting API v2.0, networks restate the last 7 days */
	[CONNECTOR_SINGULAR] = {
		.type = "Singular",
		.key = "Singular",
		.name = "Singular",
		.description = "Singular",
		.source = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | OP(EQUAL_TO) | ENGINE,
		.source_triggers = PULLED,
		EVERY_HOUR,
		.settling = 8 * DAY,
		.destinations = ANYWHERE | TO(LOOKOUT_METRICS),
		.auth = AUTH_APIKEY,
		.api_versions = LIST("v2.0"),
	},

	/* UG: each minute; vendor: OAuth v2 addresses, scopes of the conversations methods */
	[CONNECTOR_SLACK] = {
		.type = "Slack",
		.key = "Slack",
		.name = "Slack",
		.description = "Slack",
		.source = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | COMPARISONS | ENGINE,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.settling = CLOCKS_DIFFER,
		.destinations = ANYWHERE,
		.auth = AUTH_OAUTH2,
		.grants = GRANT_AUTHORIZATION_CODE,
		.oauth_scopes = LIST("channels:read", "groups:read", "channels:history", "groups:history", "users:read"),
		.token_urls = LIST("https://slack.com/api/oauth.v2.access"),
		.auth_code_urls = LIST("https://slack.com/oauth/v2/authorize"),
	},

	/* UG Redshift: insert only */
	[CONNECTOR_REDSHIFT] = {
		.type = "Redshift",
		.key = "Redshift",
		.name = "Amazon Redshift",
		.description = "Amazon Redshift",
		.destination = true,
		.needs_profile = true,
		.destination_triggers = ALL_TRIGGERS,
		.writes = WRITES_INSERT,
		.auth = AUTH_BASIC,
	},

	/* API: S3ConnectorOperator has no CONTAINS; UG: each minute */
	[CONNECTOR_S3] = {
		.type = "S3",
		.key = "S3",
		.name = "Amazon S3",
		.description = "Amazon S3",
		.source = true,
		.destination = true,
		.operators = OP(PROJECTION) | COMPARISONS | OP(NOT_EQUAL_TO) | ENGINE,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.destinations = ANYWHERE,
		.destination_triggers = ALL_TRIGGERS,
	},

	/* API: DescribeConnectors sample (triggers, frequencies); UG Marketo: insert only; vendor: tokens, jobs
	 * that take a while to begin (and clocks differ) */
	[CONNECTOR_MARKETO] = {
		.type = "Marketo",
		.key = "Marketo",
		.name = "Marketo",
		.description = "Marketo",
		.source = true,
		.destination = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | OP(LESS_THAN) | OP(GREATER_THAN) | OP(BETWEEN) | ENGINE,
		.source_triggers = PULLED,
		EVERY_HOUR,
		.settling = MINUTE,
		.destinations = ANYWHERE | TO(LOOKOUT_METRICS),
		.destination_triggers = ALL_TRIGGERS,
		.writes = WRITES_INSERT,
		.auth = AUTH_OAUTH2,
		.grants = GRANT_CLIENT_CREDENTIALS,
		.token_urls = LIST("/identity/oauth/token"),
		.api_versions = LIST("v1"),
	},

	/*
	 * API: GoogleAnalyticsConnectorOperator has no operators of the engine; UG: daily; vendor: OAuth, and
	 * figures of a day change for two days after its end, which west of Greenwich is half a day later
	 */
	[CONNECTOR_GOOGLE_ANALYTICS] = {
		.type = "Googleanalytics",
		.key = "GoogleAnalytics",
		.name = "Google Analytics",
		.description = "Google Analytics",
		.source = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | OP(BETWEEN),
		.source_triggers = PULLED,
		EVERY_DAY,
		.settling = 3 * DAY + DAY / 2,
		.destinations = ANYWHERE | TO(LOOKOUT_METRICS),
		.auth = AUTH_OAUTH2,
		.grants = GRANT_AUTHORIZATION_CODE,
		.oauth_scopes = LIST("https://www.googleapis.com/auth/analytics.readonly"),
		.token_urls = LIST("https://oauth2.googleapis.com/token"),
		.auth_code_urls = LIST("https://accounts.google.com/o/oauth2/v2/auth"),
	},

	/*
	 * API: ZendeskDestinationProperties (write operations); UG: each minute; vendor: OAuth, API v2,
	 * exports leave out the last minute (and clocks differ)
	 */
	[CONNECTOR_ZENDESK] = {
		.type = "Zendesk",
		.key = "Zendesk",
		.name = "Zendesk",
		.description = "Zendesk",
		.source = true,
		.destination = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | OP(GREATER_THAN) | ENGINE,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.settling = 2 * MINUTE,
		.destinations = ANYWHERE | TO(LOOKOUT_METRICS),
		.destination_triggers = ALL_TRIGGERS,
		.writes = ALL_WRITES,
		.auth = AUTH_OAUTH2,
		.grants = GRANT_AUTHORIZATION_CODE,
		.oauth_scopes = LIST("read", "write"),
		.token_urls = LIST("/oauth/tokens"),
		.auth_code_urls = LIST("/oauth/authorizations/new"),
		.api_versions = LIST("v2"),
	},

	/* API: ServiceNowConnectorProfileCredentials (basic or OAuth); UG: each minute; vendor: token address */
	[CONNECTOR_SERVICENOW] = {
		.type = "Servicenow",
		.key = "ServiceNow",
		.name = "ServiceNow",
		.description = "ServiceNow",
		.source = true,
		.needs_profile = true,
		.operators = ALL_OPERATORS,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.settling = CLOCKS_DIFFER,
		.destinations = ANYWHERE | TO(LOOKOUT_METRICS),
		.auth = AUTH_OAUTH2 | AUTH_BASIC,
		.grants = GRANT_CLIENT_CREDENTIALS | GRANT_AUTHORIZATION_CODE,
		.token_urls = LIST("/oauth_token.do"),
		.auth_code_urls = LIST("/oauth_auth.do"),
	},

	/* API: DatadogConnectorProfileCredentials (two keys); UG: each minute */
	[CONNECTOR_DATADOG] = {
		.type = "Datadog",
		.key = "Datadog",
		.name = "Datadog",
		.description = "Datadog",
		.source = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | OP(BETWEEN) | OP(EQUAL_TO) | ENGINE,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.destinations = ANYWHERE,
		.auth = AUTH_APIKEY,
		.api_versions = LIST("v1", "v2"),
	},

	/* UG: hourly */
	[CONNECTOR_TRENDMICRO] = {
		.type = "Trendmicro",
		.key = "Trendmicro",
		.name = "Trend Micro",
		.description = "Trend Micro",
		.source = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | OP(EQUAL_TO) | ENGINE,
		.source_triggers = PULLED,
		EVERY_HOUR,
		.destinations = ANYWHERE | TO(LOOKOUT_METRICS),
		.auth = AUTH_APIKEY,
		.api_versions = LIST("v1"),
	},

	/* API: SnowflakeConnectorProfileProperties.privateLinkServiceName; UG Snowflake: COPY, so insert only */
	[CONNECTOR_SNOWFLAKE] = {
		.type = "Snowflake",
		.key = "Snowflake",
		.name = "Snowflake",
		.description = "Snowflake",
		.destination = true,
		.needs_profile = true,
		.destination_triggers = ALL_TRIGGERS,
		.writes = WRITES_INSERT,
		.auth = AUTH_BASIC,
		.private_link = true,
		.private_link_url_required = true,
	},

	/* UG: each minute; vendor: API v2 */
	[CONNECTOR_DYNATRACE] = {
		.type = "Dynatrace",
		.key = "Dynatrace",
		.name = "Dynatrace",
		.description = "Dynatrace",
		.source = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | OP(BETWEEN) | OP(EQUAL_TO) | ENGINE,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.destinations = ANYWHERE | TO(LOOKOUT_METRICS),
		.auth = AUTH_APIKEY,
		.api_versions = LIST("v2"),
	},

	/* API: InforNexusConnectorProfileCredentials (four keys that sign); UG: each minute; vendor: 3.1 */
	[CONNECTOR_INFOR_NEXUS] = {
		.type = "Infornexus",
		.key = "InforNexus",
		.name = "Infor Nexus",
		.description = "Infor Nexus",
		.source = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | OP(BETWEEN) | OP(EQUAL_TO) | ENGINE,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.destinations = ANYWHERE | TO(LOOKOUT_METRICS),
		.auth = AUTH_CUSTOM,
		.api_versions = LIST("3.1"),
	},

	/*
	 * API: AmplitudeConnectorOperator is BETWEEN alone; UG: daily, to S3 and Lookout for Metrics;
	 * vendor: an hour is exported two hours after it has ended
	 */
	[CONNECTOR_AMPLITUDE] = {
		.type = "Amplitude",
		.key = "Amplitude",
		.name = "Amplitude",
		.description = "Amplitude",
		.source = true,
		.needs_profile = true,
		.operators = OP(BETWEEN),
		.source_triggers = PULLED,
		EVERY_DAY,
		.settling = 3 * HOUR,
		.destinations = TO(S3) | TO(LOOKOUT_METRICS) | TO(CUSTOM),
		.auth = AUTH_APIKEY,
		.api_versions = LIST("2"),
	},

	/* UG: each minute, documents each hour; vendor: v25.2 */
	[CONNECTOR_VEEVA] = {
		.type = "Veeva",
		.key = "Veeva",
		.name = "Veeva",
		.description = "Veeva",
		.source = true,
		.needs_profile = true,
		.operators = ALL_OPERATORS,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.bulky_period = HOUR,
		.destinations = ANYWHERE | TO(LOOKOUT_METRICS),
		.auth = AUTH_BASIC,
		.api_versions = LIST("v25.2"),
	},

	/* UG EventBridge: event-triggered flows only */
	[CONNECTOR_EVENTBRIDGE] = {
		.type = "EventBridge",
		.key = "EventBridge",
		.name = "Amazon EventBridge",
		.description = "Amazon EventBridge",
		.destination = true,
		.destination_triggers = TRIGGER_EVENT,
	},

	/* UG Lookout for Metrics: scheduled flows only */
	[CONNECTOR_LOOKOUT_METRICS] = {
		.type = "LookoutMetrics",
		.key = "LookoutMetrics",
		.name = "Amazon Lookout for Metrics",
		.description = "Amazon Lookout for Metrics",
		.destination = true,
		.destination_triggers = TRIGGER_SCHEDULED,
	},

	/* API: UpsolverDestinationProperties: a bucket, without a profile */
	[CONNECTOR_UPSOLVER] = {
		.type = "Upsolver",
		.key = "Upsolver",
		.name = "Upsolver",
		.description = "Upsolver",
		.destination = true,
		.destination_triggers = ALL_TRIGGERS,
	},

	/*
	 * UG document history: removed in May 2024.  Where its tokens come from was
	 * never published: a path of the endpoint.
	 */
	[CONNECTOR_HONEYCODE] = {
		.type = "Honeycode",
		.key = "Honeycode",
		.name = "Amazon Honeycode",
		.description = "Amazon Honeycode",
		.destination = true,
		.needs_profile = true,
		.destination_triggers = ALL_TRIGGERS,
		.writes = WRITES_INSERT,
		.auth = AUTH_OAUTH2,
		.grants = GRANT_AUTHORIZATION_CODE,
		.token_urls = LIST("/oauth/token"),
	},

	/* API: CustomerProfilesDestinationProperties: a domain, without a profile */
	[CONNECTOR_CUSTOMER_PROFILES] = {
		.type = "CustomerProfiles",
		.key = "CustomerProfiles",
		.name = "Amazon Connect Customer Profiles",
		.description = "Amazon Connect Customer Profiles",
		.destination = true,
		.destination_triggers = ALL_TRIGGERS,
	},

	/*
	 * API: SAPODataConnectorProfileProperties (private link),
	 * SAPODataConnectorProfileCredentials, SAPODataDestinationProperties.  UG
	 * SAP OData: each minute, full transfers of ODP objects daily.
	 */
	[CONNECTOR_SAP_ODATA] = {
		.type = "SAPOData",
		.key = "SAPOData",
		.name = "SAP OData",
		.description = "SAP OData",
		.source = true,
		.destination = true,
		.needs_profile = true,
		.operators = ALL_OPERATORS,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.bulky_period = DAY,
		.destinations = ANYWHERE,
		.destination_triggers = ALL_TRIGGERS,
		.writes = ALL_WRITES,
		.auth = AUTH_OAUTH2 | AUTH_BASIC,
		.grants = GRANT_CLIENT_CREDENTIALS | GRANT_AUTHORIZATION_CODE,
		.private_link = true,
		.private_link_url_required = true,
		.api_versions = LIST("2.0", "4.0"),
	},

	/* API: CustomConnectorProfileCredentials; narrowed by what a connector says at its registration */
	[CONNECTOR_CUSTOM] = {
		.type = "CustomConnector",
		.key = "CustomConnector",
		.name = "Custom connector",
		.description = "Connectors registered with RegisterConnector, and tables of PostgreSQL",
		.source = true,
		.destination = true,
		.needs_profile = true,
		.operators = ALL_OPERATORS,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.destinations = ANYWHERE | TO(EVENTBRIDGE) | TO(LOOKOUT_METRICS), /* tables have events and measures */
		.destination_triggers = ALL_TRIGGERS,
		.writes = ALL_WRITES,
		.auth = AUTH_OAUTH2 | AUTH_APIKEY | AUTH_BASIC | AUTH_CUSTOM,
		.grants = GRANT_CLIENT_CREDENTIALS | GRANT_AUTHORIZATION_CODE | GRANT_JWT_BEARER,
	},

	/* UG: each minute; vendor: v5, OAuth of Salesforce with a scope of its own */
	[CONNECTOR_PARDOT] = {
		.type = "Pardot",
		.key = "Pardot",
		.name = "Salesforce Marketing Cloud Account Engagement",
		.description = "Salesforce Marketing Cloud Account Engagement, formerly Pardot",
		.source = true,
		.needs_profile = true,
		.operators = OP(PROJECTION) | OP(EQUAL_TO) | ENGINE,
		.source_triggers = PULLED,
		EVERY_MINUTE,
		.destinations = ANYWHERE,
		.auth = AUTH_OAUTH2,
		.grants = GRANT_AUTHORIZATION_CODE,
		.oauth_scopes = LIST("pardot_api", "refresh_token"),
		.token_urls = LIST("https://login.salesforce.com/services/oauth2/token",
						   "https://test.salesforce.com/services/oauth2/token"),
		.auth_code_urls = LIST("https://login.salesforce.com/services/oauth2/authorize",
							   "https://test.salesforce.com/services/oauth2/authorize"),
		.api_versions = LIST("v5"),
	},
};

const char *const task_operator_names[TASK_OPERATOR_COUNT] = {
	"PROJECTION", "LESS_THAN", "GREATER_THAN", "CONTAINS", "BETWEEN", "LESS_THAN_OR_EQUAL_TO",
	"GREATER_THAN_OR_EQUAL_TO", "EQUAL_TO", "NOT_EQUAL_TO", "ADDITION", "MULTIPLICATION", "DIVISION",
	"SUBTRACTION", "MASK_ALL", "MASK_FIRST_N", "MASK_LAST_N", "VALIDATE_NON_NULL", "VALIDATE_NON_ZERO",
	"VALIDATE_NON_NEGATIVE", "VALIDATE_NUMERIC", "NO_OP"
};
const char *const trigger_names[3] = {"Scheduled", "Event", "OnDemand"};
const char *const frequency_names[6] = {"BYMINUTE", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "ONCE"};
const char *const write_names[4] = {"INSERT", "UPSERT", "UPDATE", "DELETE"};
const char *const grant_names[3] = {"CLIENT_CREDENTIALS", "AUTHORIZATION_CODE", "JWT_BEARER"};

/* the key differs from the type in letter case only, for every type */
const ConnectorTraits *
connector_traits_find(const char *name)
{
	for (int i = 0; i < CONNECTOR_TYPE_COUNT; i++)
	{
		if (pg_strcasecmp(connector_traits[i].type, name) == 0)
			return &connector_traits[i];
	}
	return NULL;
}

bool
connector_may_feed(const ConnectorTraits *source, const ConnectorTraits *destination)
{
	return source->source && destination->destination &&
		(source->destinations & (UINT32_C(1) << connector_traits_type(destination))) != 0;
}

uint8
connector_pair_triggers(const ConnectorTraits *source, const ConnectorTraits *destination)
{
	return source->source_triggers & destination->destination_triggers;
}

int
task_operator_find(const char *name)
{
	for (int i = 0; i < TASK_OPERATOR_COUNT; i++)
	{
		if (pg_strcasecmp(task_operator_names[i], name) == 0)
			return i;
	}
	return -1;
}
