/*-------------------------------------------------------------------------
 *
 * traits.h
 *	  What each connector type can do.
 *
 * One table serves those who offer (DescribeConnectors, DescribeConnector,
 * ListConnectors) and those who accept (CreateConnectorProfile, CreateFlow), so
 * that what is offered is what is accepted.
 *
 * IDENTIFICATION
 *	  src/connector/traits.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_TRAITS_H
#define APPFLOW_TRAITS_H

#include "postgres.h"

/* in the order of the wire enum ConnectorType */
typedef enum ConnectorType
{
	CONNECTOR_SALESFORCE,
	CONNECTOR_SINGULAR,
	CONNECTOR_SLACK,
	CONNECTOR_REDSHIFT,
	CONNECTOR_S3,
	CONNECTOR_MARKETO,
	CONNECTOR_GOOGLE_ANALYTICS,
	CONNECTOR_ZENDESK,
	CONNECTOR_SERVICENOW,
	CONNECTOR_DATADOG,
	CONNECTOR_TRENDMICRO,
	CONNECTOR_SNOWFLAKE,
	CONNECTOR_DYNATRACE,
	CONNECTOR_INFOR_NEXUS,
	CONNECTOR_AMPLITUDE,
	CONNECTOR_VEEVA,
	CONNECTOR_EVENTBRIDGE,
	CONNECTOR_LOOKOUT_METRICS,
	CONNECTOR_UPSOLVER,
	CONNECTOR_HONEYCODE,
	CONNECTOR_CUSTOMER_PROFILES,
	CONNECTOR_SAP_ODATA,
	CONNECTOR_CUSTOM,
	CONNECTOR_PARDOT
} ConnectorType;

#define CONNECTOR_TYPE_COUNT (CONNECTOR_PARDOT + 1)

/* in the order of the wire enum Operators; a set is made of bits 1 << operator */
typedef enum TaskOperator
{
	OPERATOR_PROJECTION,
	OPERATOR_LESS_THAN,
	OPERATOR_GREATER_THAN,
	OPERATOR_CONTAINS,
	OPERATOR_BETWEEN,
	OPERATOR_LESS_THAN_OR_EQUAL_TO,
	OPERATOR_GREATER_THAN_OR_EQUAL_TO,
	OPERATOR_EQUAL_TO,
	OPERATOR_NOT_EQUAL_TO,
	OPERATOR_ADDITION,
	OPERATOR_MULTIPLICATION,
	OPERATOR_DIVISION,
	OPERATOR_SUBTRACTION,
	OPERATOR_MASK_ALL,
	OPERATOR_MASK_FIRST_N,
	OPERATOR_MASK_LAST_N,
	OPERATOR_VALIDATE_NON_NULL,
	OPERATOR_VALIDATE_NON_ZERO,
	OPERATOR_VALIDATE_NON_NEGATIVE,
	OPERATOR_VALIDATE_NUMERIC,
	OPERATOR_NO_OP
} TaskOperator;

#define TASK_OPERATOR_COUNT (OPERATOR_NO_OP + 1)

/* trigger types, in the order of the wire enum TriggerType */
#define TRIGGER_SCHEDULED	0x01
#define TRIGGER_EVENT		0x02
#define TRIGGER_ON_DEMAND	0x04

/* schedule frequencies, in the order of the wire enum ScheduleFrequencyType */
#define FREQUENCY_BYMINUTE	0x01
#define FREQUENCY_HOURLY	0x02
#define FREQUENCY_DAILY		0x04
#define FREQUENCY_WEEKLY	0x08
#define FREQUENCY_MONTHLY	0x10
#define FREQUENCY_ONCE		0x20

/* write operations, in the order of the wire enum WriteOperationType */
#define WRITES_INSERT		0x01
#define WRITES_UPSERT		0x02
#define WRITES_UPDATE		0x04
#define WRITES_DELETE		0x08

/* ways to authenticate, in the order of the wire enum AuthenticationType */
#define AUTH_OAUTH2			0x01
#define AUTH_APIKEY			0x02
#define AUTH_BASIC			0x04
#define AUTH_CUSTOM			0x08

/* OAuth 2.0 grants, in the order of the wire enum OAuth2GrantType */
#define GRANT_CLIENT_CREDENTIALS	0x01
#define GRANT_AUTHORIZATION_CODE	0x02
#define GRANT_JWT_BEARER			0x04

typedef struct ConnectorTraits
{
	const char *type;			/* connectorType on the wire */
	const char *key;			/* member of ConnectorOperator, SourceConnectorProperties ... */
	const char *name;			/* for people */
	const char *description;

	bool		source;
	bool		destination;
	bool		needs_profile;	/* a flow must name a connector profile */

	/* as a source */
	uint32		operators;		/* of TaskOperator */
	uint8		source_triggers;
	uint8		frequencies;
	int32		minimum_period; /* seconds between the starts of scheduled runs */
	int32		bulky_period;	/* the same for SAPOData without delta tokens and for
								 * Veeva documents; 0: no other */
	int32		settling;		/* seconds until a change is told for certain: windows of
								 * incremental pulls end so long before they are due */
	uint32		destinations;	/* of ConnectorType: where its records may go */

	/* as a destination */
	uint8		destination_triggers;
	uint8		writes;			/* write operations; 0: it has none to choose from */

	/* profiles */
	uint8		auth;
	uint8		grants;
	const char *const *oauth_scopes;	/* NULL-terminated, or NULL */
	const char *const *token_urls;	/* those that begin with '/' follow the instanceUrl */
	const char *const *auth_code_urls;
	bool		private_link;
	bool		private_link_url_required;

	const char *const *api_versions;	/* NULL-terminated, or NULL: versions do not matter */
	const char *const *data_transfer_apis;	/* of SalesforceDataTransferApi, or NULL */
} ConnectorTraits;

extern const ConnectorTraits connector_traits[CONNECTOR_TYPE_COUNT];

/* wire names, in the order of the bits */
extern const char *const task_operator_names[TASK_OPERATOR_COUNT];
extern const char *const trigger_names[3];
extern const char *const frequency_names[6];
extern const char *const write_names[4];
extern const char *const grant_names[3];

/* by connectorType or by key, in any letter case; NULL if there is none */
extern const ConnectorTraits *connector_traits_find(const char *name);

static inline ConnectorType
connector_traits_type(const ConnectorTraits *traits)
{
	return (ConnectorType) (traits - connector_traits);
}

/* whether records may go from a source to a destination */
extern bool connector_may_feed(const ConnectorTraits *source, const ConnectorTraits *destination);

/*
 * The triggers that a flow between them may have: those that the source and the
 * destination both support.
 */
extern uint8 connector_pair_triggers(const ConnectorTraits *source, const ConnectorTraits *destination);

/* operator by wire name in any letter case; -1 if there is none */
extern int	task_operator_find(const char *name);

#endif							/* APPFLOW_TRAITS_H */
