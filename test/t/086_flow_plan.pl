# What flow_plan shows: the steps of a flow in the order in which a run takes them.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('plan');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION appflow;
	CREATE ROLE other;
	SELECT appflow.create_flow('{
		"flowName": "steps", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "landing"}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.t", "writeOperationType": "UPSERT", "idFieldNames": ["id"]}}}],
		"tasks": [
			{"taskType": "Map", "sourceFields": ["both"], "destinationField": "name", "taskProperties": {"DESTINATION_DATA_TYPE": "string"}},
			{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"},
			{"taskType": "Merge", "sourceFields": ["first", "last"], "destinationField": "both", "connectorOperator": {"S3": "NO_OP"}},
			{"taskType": "Mask", "sourceFields": ["last"], "connectorOperator": {"S3": "MASK_LAST_N"}, "taskProperties": {"MASK_LENGTH": "3"}},
			{"taskType": "Validate", "sourceFields": ["id"], "connectorOperator": {"S3": "VALIDATE_NON_NULL"}, "taskProperties": {"VALIDATION_ACTION": "DropRecord"}},
			{"taskType": "Filter", "sourceFields": ["age"], "connectorOperator": {"S3": "BETWEEN"}, "taskProperties": {"DATA_TYPE": "integer", "LOWER_BOUND": "1", "UPPER_BOUND": "9"}}]
	}')});
is($node->safe_psql('postgres', q{SELECT * FROM appflow.flow_plan('steps')}), q{1|Read||{id,first,last,age}||S3 s3://landing
2|Filter||{age}||between, exclusive, 1, 9 as Integer
3|Validate|5|{id}||bad records are left out
4|Mask|4|{last}||3 characters
5|Merge|3|{first,last}|both|
6|Map||{both}|name|as String
7|Map||{id}|id|
8|Write||{id}||PostgreSQL public.t, UPSERT}, 'the steps, in the order of execution');
my ($status, $out, $error) = $node->psql('postgres', q{SET ROLE other; SELECT * FROM appflow.flow_plan('steps')});
like($error, qr/Flow with name steps does not exist/, 'only for those who may see the flow');
done_testing();
