-- appflow.validate_request: its words, its tolerance, its secrets, its limits.
-- Boundaries of every constraint are test/t/040_shape_boundaries.pl's.
CREATE EXTENSION appflow;
\pset format unaligned
\pset tuples_only on

-- SQLSTATE and exception
\set VERBOSITY sqlstate
SELECT appflow.validate_request('StopFlow', '{}');
\set VERBOSITY default
SELECT appflow.validate_request('StopFlow', '{}');

-- not a request
SELECT appflow.validate_request('CreateFlow', 'null');
SELECT appflow.validate_request('CreateFlow', NULL);
SELECT appflow.validate_request('CreateFlow', '[]');
SELECT appflow.validate_request('CreateFlow', '"{}"');
SELECT appflow.validate_request('MakeFlow', '{}');
SELECT appflow.validate_request('Boolean', 'true');
SELECT appflow.validate_request(NULL, '{}');

-- every violation in one exception, in the model's order, with its path
SELECT appflow.validate_request('CreateFlow', '{
  "flowName": "a b",
  "triggerConfig": {"triggerType": "Sometimes", "triggerProperties": {"Scheduled": {"scheduleOffset": 36001}}},
  "sourceFlowConfig": {"connectorType": "Salesforce"},
  "destinationFlowConfigList": [{"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "ab"}}}],
  "tasks": [
    {"taskType": "Map", "sourceFields": ["Id", null, 7]},
    {"taskType": "Mapp", "sourceFields": "Id", "taskProperties": {"VALUE": 5, "COLOUR": "red"}}
  ]}');

-- names of operations as in SQL; timestamps, booleans, enums in canonical form; null is absent
SELECT appflow.validate_request('create_flow', '{
  "flowName": "f1",
  "description": null,
  "triggerConfig": {"triggerType": "scheduled", "triggerProperties": {"scheduled": {
      "scheduleExpression": "rate(5minutes)",
      "scheduleStartTime": "2024-05-06T07:08:09.123456+02:00",
      "scheduleEndTime": "2024-05-07 00:00:00Z",
      "firstExecutionFrom": 1714979289.25,
      "scheduleOffset": 1e1,
      "flowErrorDeactivationThreshold": 5.0}}},
  "sourceFlowConfig": {"connectorType": "GOOGLEANALYTICS", "sourceConnectorProperties": {"googleanalytics": {"object": "o"}, "Zendesk": null}},
  "destinationFlowConfigList": [{"connectorType": "sapodata", "destinationConnectorProperties": {"sapoData": {"objectPath": "p"}}}],
  "tasks": [{"taskType": "map_all", "sourceFields": [], "connectorOperator": {"sapodata": "no_op"}, "taskProperties": {"exclude_source_fields_list": "[]"}}]}');
-- before 1970, and a date alone
SELECT appflow.validate_request('ScheduledTriggerProperties',
  '{"scheduleExpression": "once", "scheduleStartTime": "1969-12-31T23:59:59.5Z", "scheduleEndTime": "1969-12-31T23:59:58.5Z", "firstExecutionFrom": "2024-05-06T00:00Z"}');

-- unknown members: a warning with the path and the nearest name, and they are left out
SELECT appflow.validate_request('UpdateFlow', '{
  "flowNmae": "x", "flowName": "f1", "FlowName": "f2",
  "triggerConfig": {"triggerType": "OnDemand", "properties": {"deep": {"deeper": [1, 2, {"x": 1}]}}},
  "sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketname": "b", "bucketName": "bucket"}, "Sales": {}}},
  "destinationFlowConfigList": [{"connectorType": "LookoutMetrics", "destinationConnectorProperties": {"LookoutMetrics": {"object": 1}}}],
  "tasks": []}');
-- one spelling wins when several are given: the exact one, then an alias
SELECT appflow.validate_request('S3DestinationProperties', '{"bucketName": "bucket", "bucketKey": "old", "bucketPrefix": "new"}');
SELECT appflow.validate_request('S3DestinationProperties', '{"bucketName": "bucket", "bucketKey": "old", "bucketPrefix": null}');
SELECT appflow.validate_request('TriggerProperties', '{"scheduled": {"scheduleExpression": "a"}, "scheduledTriggerProperties": {"scheduleExpression": "b"}}');
SELECT appflow.validate_request('Task', '{"taskType": "Filter", "sourceFields": [], "taskProperties": {"VALUE": "a", "value": "b"}}');
-- many unknown members
SELECT appflow.validate_request('DeleteFlow', '{"flowName": "f1"}'::jsonb || (SELECT jsonb_object_agg('x' || n, n) FROM generate_series(1, 25) n));
SELECT appflow.validate_request('DeleteFlow', jsonb_build_object('flowName', 'f1', repeat('flowName', 100000), 1));

-- secrets are never shown: sensitive shapes, all credentials, a custom connector's properties
SELECT appflow.validate_request('CreateConnectorProfile', '{
  "connectorProfileName": "p 1", "connectorType": "Salesforce", "connectionMode": "Secret1",
  "connectorProfileConfig": {
    "connectorProfileProperties": {"Salesforce": {"instanceUrl": "https://shown example"},
      "CustomConnector": {"profileProperties": {"password": "Secret 2", "a-b": "Secret3", "port": 5432},
        "oAuth2Properties": {"tokenUrl": "not a url", "oAuth2GrantType": "PASSWORD", "tokenUrlCustomProperties": {"key": "Secret 4"}}}},
    "connectorProfileCredentials": {
      "Salesforce": {"accessToken": "Secret 5", "refreshToken": "Secret 6", "oAuthRequest": {"authCode": "Secret 7"}, "jwtToken": 88888},
      "Veeva": {"username": "Secret 8", "password": ["Secret9"]},
      "CustomConnector": {"authenticationType": "Secret10", "custom": {"customAuthenticationType": "x", "credentialsMap": {"Secret-11": "y", "k": "Secret 12"}}}}}}');

-- long values are cut, at a character
SELECT appflow.validate_request('DescribeFlow', jsonb_build_object('flowName', 'a' || repeat('é', 100000)));
SELECT appflow.validate_request('TagResource', jsonb_build_object('resourceArn', 'arn:aws:appflow:r:1:f', 'tags', jsonb_build_object(repeat('k', 200), repeat('v', 300))));

-- twenty violations are told, the rest counted
SELECT appflow.validate_request('UntagResource', jsonb_build_object('resourceArn', 'arn:aws:appflow:r:1:f', 'tagKeys', (SELECT jsonb_agg('aws:' || n) FROM generate_series(1, 30) n)));

-- numbers keep their own form; what is no integer, or too large to be one, is refused
SELECT appflow.validate_request('ListFlows', '{"maxResults": 100.000}');
SELECT appflow.validate_request('ListFlows', '{"maxResults": 100.5}');
SELECT appflow.validate_request('ListFlows', '{"maxResults": 99999999999999999999}');
SELECT appflow.validate_request('ListFlows', '{"maxResults": -1e300}');
SELECT appflow.validate_request('AggregationConfig', '{"targetFileSize": 9223372036854775807}');
SELECT appflow.validate_request('AggregationConfig', '{"targetFileSize": 9223372036854775808}');
SELECT appflow.validate_request('AggregationConfig', '{"targetFileSize": -9223372036854775808}');
SELECT appflow.validate_request('AggregationConfig', '{"targetFileSize": -9223372036854775809}');

-- responses can be checked too
SELECT appflow.validate_request('StartFlowResponse', '{"flowArn": "arn:aws:appflow:eu-central-1:123456789012:flow/f", "flowStatus": "Active", "executionId": "a b"}');

-- hostile input is refused in time linear in its size
SET statement_timeout = '20s';
SELECT length(appflow.validate_request('CreateFlow', jsonb_build_object(
  'flowName', 'f1',
  'triggerConfig', '{"triggerType": "OnDemand"}'::jsonb,
  'sourceFlowConfig', '{"connectorType": "S3", "sourceConnectorProperties": {}}'::jsonb,
  'destinationFlowConfigList', '[]'::jsonb,
  'tasks', (SELECT jsonb_agg(jsonb_build_object('taskType', 'Map', 'sourceFields', jsonb_build_array('f' || n), 'destinationField', 'f' || n)) FROM generate_series(1, 20000) n)))::text) > 1000000;
DO $$
DECLARE
	size int;
BEGIN
	FOREACH size IN ARRAY ARRAY[1000, 100000, 10000000] LOOP
		BEGIN
			PERFORM appflow.validate_request('CreateConnectorProfile', jsonb_build_object(
				'kmsArn', 'arn:aws:kms:' || repeat(':1:', size),
				'connectorLabel', repeat('a-', size),
				'connectorProfileConfig', jsonb_build_object(
					'connectorProfileProperties', jsonb_build_object('Redshift', jsonb_build_object('roleArn', 'arn:aws:iam:' || repeat(':1', size))),
					'connectorProfileCredentials', jsonb_build_object('Salesforce', jsonb_build_object('jwtToken', repeat('a.', size))))));
		EXCEPTION WHEN SQLSTATE 'WF400' THEN
			RAISE NOTICE '%: %', size, substring(SQLERRM FROM '^\d+ validation errors detected');
		END;
	END LOOP;
END $$;
SELECT appflow.validate_request('DeleteFlow', (repeat('{"x":', 3000) || '1' || repeat('}', 3000))::jsonb || '{"flowName": "f1"}');
RESET statement_timeout;

-- nothing is kept from one call to the next
SELECT sum(length(appflow.validate_request('DescribeFlow', jsonb_build_object('flowName', 'flow' || n))::text)) FROM generate_series(1, 20000) n;
SELECT sum(total_bytes) < 20000000 FROM pg_backend_memory_contexts;

DROP EXTENSION appflow;
