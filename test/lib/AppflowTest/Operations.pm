# AppflowTest::Operations
#	What tests of operations have in common: a node with the extension and a master
#	key, calls that tell their outcome in one line, and a connector written in SQL.

package AppflowTest::Operations;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# a started node with the extension
sub node
{
	my ($class, $name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $key = PostgreSQL::Test::Utils::tempdir() . '/appflow.key';

	$node->init;
	$node->append_conf('postgresql.conf', join "\n", "appflow.master_key = 'file:$key'", @settings, '');
	$node->start;
	$node->safe_psql('postgres', "CREATE EXTENSION appflow; SELECT appflow.create_master_key_file('$key')");
	$node->safe_psql('postgres', helpers());
	return $node;
}

# outcome(statement): its value as text, or "SQLSTATE message"
sub helpers
{
	return q{
		CREATE SCHEMA test;
		GRANT USAGE ON SCHEMA test TO PUBLIC;
		CREATE FUNCTION test.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			result text;
		BEGIN
			EXECUTE statement INTO result;
			RETURN result;
		EXCEPTION WHEN OTHERS THEN
			RETURN SQLSTATE || ' ' || SQLERRM;
		END $$;

		-- what the response is said to be, and nothing else
		CREATE FUNCTION test.conforms(structure text, response jsonb) RETURNS boolean LANGUAGE sql
		RETURN appflow.validate_request(structure, response) = response;

		-- how the connector below misbehaves, for the sessions of a database
		CREATE TABLE test.answer (request_type text PRIMARY KEY, answer jsonb, failure text);
		CREATE TABLE test.request (at timestamptz DEFAULT clock_timestamp(), role name DEFAULT current_user, request jsonb);
		GRANT ALL ON test.answer, test.request TO PUBLIC;

		CREATE FUNCTION test.crm(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
		DECLARE
			told record;
		BEGIN
			INSERT INTO test.request (request) VALUES (request);
			SELECT * INTO told FROM test.answer a WHERE a.request_type = request ->> 'type';
			IF told.failure IS NOT NULL THEN
				RAISE EXCEPTION '%', told.failure;
			END IF;
			IF FOUND THEN
				RETURN told.answer;
			END IF;
			CASE request ->> 'type'
				WHEN 'DescribeConnectorConfigurationRequest' THEN
					RETURN '{"isSuccess": true, "connectorOwner": "acme", "connectorName": "CRM", "connectorVersion": "1.0",
						"connectorModes": ["SOURCE", "DESTINATION"], "supportedApiVersions": ["v1", "v2"],
						"authenticationConfig": {"isBasicAuthSupported": false, "isApiKeyAuthSupported": true,
							"isOAuth2Supported": true, "isCustomAuthSupported": true,
							"oAuth2Defaults": {"oAuthScopes": ["api"], "tokenURL": ["https://crm.example/token"],
								"authURL": ["https://crm.example/auth"],
								"oAuth2GrantTypesSupported": ["AUTHORIZATION_CODE", "CLIENT_CREDENTIALS"],
								"oAuth2CustomProperties": [{"key": "aud", "required": false, "label": "Audience",
									"description": "", "type": "TOKEN_URL", "sensitiveField": false}]},
							"customAuthConfig": [{"authenticationType": "token", "authParameters": [{"key": "pat",
								"required": true, "label": "Token", "description": "", "sensitiveField": true,
								"connectorSuppliedValues": null}]}]},
						"connectorRuntimeSetting": [{"key": "instanceUrl", "dataType": "String", "required": true,
							"label": "URL", "description": "", "scope": "CONNECTOR_PROFILE"}],
						"operatorsSupported": ["PROJECTION", "EQUAL_TO", "NO_OP"],
						"supportedTriggerTypes": ["SCHEDULED", "ONDEMAND"], "unknownMember": 1,
						"logoURL": null, "errorDetails": null}';
				WHEN 'ListEntitiesRequest' THEN
					IF request ->> 'entitiesPath' = 'Custom' THEN
						RETURN '{"isSuccess": true, "entities": [{"entityIdentifier": "Custom/Thing"}]}';
					ELSIF request ->> 'nextToken' IS NULL THEN
						RETURN '{"isSuccess": true, "nextToken": "p2", "entities": [
							{"entityIdentifier": "Account", "hasNestedEntities": false, "label": "Accounts"},
							{"entityIdentifier": "Custom", "hasNestedEntities": true}]}';
					END IF;
					RETURN '{"isSuccess": true, "nextToken": null, "entities": [{"entityIdentifier": "Contact"}]}';
				WHEN 'DescribeEntityRequest' THEN
					RETURN '{"isSuccess": true, "entityDefinition": {"entity": {"entityIdentifier": "Account"}, "fields": [
						{"fieldName": "id", "dataType": "String", "label": "Id", "isPrimaryKey": true,
							"constraints": {"allowedLengthRange": {"minRange": 1, "maxRange": 18}},
							"readProperties": {"isRetrievable": true, "isQueryable": true},
							"writeProperties": {"isCreatable": true, "isNullable": false, "supportedWriteOperations": ["INSERT", "UPSERT"]},
							"filterOperators": ["EQUAL_TO"]},
						{"fieldName": "revenue", "dataType": "BigDecimal"}]},
						"cacheControl": {"timeToLive": 60, "timeToLiveUnit": "MINUTES"}}';
				WHEN 'ValidateCredentialsRequest' THEN
					IF appflow.connector_credentials(request #>> '{credentials,secretArn}') ->> 'apiKey' = 'good' THEN
						RETURN '{"isSuccess": true}';
					END IF;
					RETURN '{"isSuccess": false, "errorDetails": {"errorCode": "InvalidCredentials", "errorMessage": "unknown key"}}';
				ELSE
					RETURN '{"isSuccess": true}';
			END CASE;
		END $$;};
}

1;
