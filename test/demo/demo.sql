-- demo.sql
--	What make demo does in its database: the real data of Debian's iso-codes goes
--	from an object store into tables, and from tables back into the store.
--	Variables: directory (of the embedded store).

\set ON_ERROR_STOP 1
\set QUIET 1
\pset footer off
SET client_min_messages = warning;

CREATE EXTENSION appflow;

\echo
\echo '== An object store: a directory, whose first-level folders are buckets'
\o /dev/null
SELECT appflow.create_object_store('demo', 'file://' || :'directory', ARRAY['demo-in', 'demo-out']);
\o
SELECT name, endpoint, buckets FROM appflow.object_stores;

\echo '== Flows from S3 into tables (made from what the objects hold), and from a table into S3'
\o /dev/null

-- countries: chosen fields under names of our choice, written by key
SELECT appflow.create_flow('{
	"flowName": "countries",
	"triggerConfig": {"triggerType": "OnDemand"},
	"sourceFlowConfig": {
		"connectorType": "S3",
		"sourceConnectorProperties": {"S3": {"bucketName": "demo-in", "bucketPrefix": "countries",
			"s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
	"destinationFlowConfigList": [{
		"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {
			"entityName": "public.countries", "writeOperationType": "UPSERT", "idFieldNames": ["code"],
			"customProperties": {"createTable": "true", "addColumns": "true"}}}}],
	"tasks": [
		{"taskType": "Filter", "sourceFields": ["alpha_2", "alpha_3", "name", "official_name"],
		 "connectorOperator": {"S3": "PROJECTION"}},
		{"taskType": "Map", "sourceFields": ["alpha_2"], "destinationField": "code", "connectorOperator": {"S3": "NO_OP"}},
		{"taskType": "Map", "sourceFields": ["alpha_3"], "destinationField": "code3", "connectorOperator": {"S3": "NO_OP"}},
		{"taskType": "Map", "sourceFields": ["name"], "destinationField": "name", "connectorOperator": {"S3": "NO_OP"}},
		{"taskType": "Map", "sourceFields": ["official_name"], "destinationField": "official_name",
		 "connectorOperator": {"S3": "NO_OP"}}]
}');

-- subdivisions: every field there is
SELECT appflow.create_flow('{
	"flowName": "subdivisions",
	"triggerConfig": {"triggerType": "OnDemand"},
	"sourceFlowConfig": {
		"connectorType": "S3",
		"sourceConnectorProperties": {"S3": {"bucketName": "demo-in", "bucketPrefix": "subdivisions",
			"s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
	"destinationFlowConfigList": [{
		"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {
			"entityName": "public.subdivisions", "writeOperationType": "INSERT",
			"customProperties": {"createTable": "true", "addColumns": "true"}}}}],
	"tasks": [{"taskType": "Map_all", "sourceFields": [], "connectorOperator": {"S3": "NO_OP"}}]
}');

-- languages: only those that are alive
SELECT appflow.create_flow('{
	"flowName": "languages",
	"triggerConfig": {"triggerType": "OnDemand"},
	"sourceFlowConfig": {
		"connectorType": "S3",
		"sourceConnectorProperties": {"S3": {"bucketName": "demo-in", "bucketPrefix": "languages",
			"s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
	"destinationFlowConfigList": [{
		"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {
			"entityName": "public.languages", "writeOperationType": "INSERT",
			"customProperties": {"createTable": "true", "addColumns": "true"}}}}],
	"tasks": [
		{"taskType": "Filter", "sourceFields": ["type"], "connectorOperator": {"S3": "EQUAL_TO"},
		 "taskProperties": {"DATA_TYPE": "string", "VALUE": "L"}},
		{"taskType": "Map_all", "sourceFields": [], "connectorOperator": {"S3": "NO_OP"}}]
}');

-- a table, in three formats
SELECT appflow.create_flow(jsonb_build_object(
	'flowName', 'subdivisions-as-' || lower(type),
	'triggerConfig', '{"triggerType": "OnDemand"}'::jsonb,
	'sourceFlowConfig', '{
		"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"sourceConnectorProperties": {"CustomConnector": {"entityName": "public.subdivisions"}}}'::jsonb,
	'destinationFlowConfigList', jsonb_build_array(jsonb_build_object(
		'connectorType', 'S3',
		'destinationConnectorProperties', jsonb_build_object('S3', jsonb_build_object(
			'bucketName', 'demo-out',
			's3OutputFormatConfig', jsonb_build_object(
				'fileType', type, 'aggregationConfig', '{"aggregationType": "SingleFile"}'::jsonb))))),
	'tasks', '[{"taskType": "Map_all", "sourceFields": [], "connectorOperator": {"CustomConnector": "NO_OP"}}]'::jsonb))
FROM unnest(ARRAY['CSV', 'JSON', 'PARQUET']) AS type;
\o
SELECT flow_name, coalesce(source_connector_profile, source_connector_type) AS source,
	coalesce(destination_connector_profile, destination_connector_type) AS destination, flow_status AS status
FROM appflow.flows ORDER BY created_at, flow_name;

CALL appflow.run_flow('countries');
CALL appflow.run_flow('subdivisions');
CALL appflow.run_flow('languages');
-- once more: keys that are there are updated, nothing is doubled
CALL appflow.run_flow('countries');

CALL appflow.run_flow('subdivisions-as-csv');
CALL appflow.run_flow('subdivisions-as-json');
CALL appflow.run_flow('subdivisions-as-parquet');

\echo
\echo '== What moved, and how fast'
SELECT flow_name, execution_status AS status, records_processed AS records, records_filtered AS filtered,
	bytes_processed AS "bytes read", bytes_written AS "bytes written",
	round(extract(epoch FROM duration) * 1000) AS ms,
	round(records_processed / extract(epoch FROM duration)) AS "records/s"
FROM appflow.flow_executions ORDER BY started_at;

\echo '== A query over the result: the countries with the most subdivisions'
SELECT c.code, c.name, count(*) AS subdivisions, count(DISTINCT s.type) AS kinds,
	mode() WITHIN GROUP (ORDER BY s.type) AS "most often"
FROM countries c JOIN subdivisions s ON split_part(s.code, '-', 1) = c.code
GROUP BY c.code, c.name ORDER BY subdivisions DESC, c.code LIMIT 8;
