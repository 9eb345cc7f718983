# Values of every kind reach columns of every type as what they are, and what
# does not fit is rejected with its reason.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('values');
$node->init;
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/$_" foreach qw(source source/good source/bad errors);
$node->safe_psql('postgres', qq{
	CREATE EXTENSION appflow;
	SELECT appflow.create_object_store('local', 'file://$root');
	CREATE TABLE target (i2 smallint, i4 integer, i8 bigint, r real, d double precision, n numeric, b boolean, t text,
		day date, at timestamptz, wall timestamp, u uuid, j jsonb);
});

my @columns = qw(i2 i4 i8 r d n b t day at wall u j);
append_to_file("$root/source/good/1.jsonl",
	'{"i2":-32768,"i4":2147483647,"i8":9223372036854775807,"r":1.5,"d":-2.25e10,"n":12345678901234567890.123456789,'
	  . '"b":true,"t":"\u00e9 \"q\"","day":"2024-02-29","at":"2024-02-29T12:00:00+02:00","wall":"2024-02-29T12:00:00",'
	  . '"u":"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11","j":{"a":[1,null]}}' . "\n"
	  . "{}\n"
	  . '{"i2":"7","i4":"8","i8":"9","r":"1","d":"2","n":"3","b":"false","t":"12","day":"2024-01-01","at":"2024-01-01",'
	  . '"wall":"2024-01-01","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","j":[1]}' . "\n");
append_to_file("$root/source/bad/1.jsonl",
	join('', map { "$_\n" } '{"i4":1}', '{"i2":32768}', '{"i4":2147483648}', '{"i8":1.5}', '{"b":"maybe"}', '{"day":"2023-02-29"}',
		'{"u":"no"}', '{"d":"x"}', '{"i4":2}'));

foreach my $set (qw(good bad))
{
	my $tasks = join ', ', map {
		qq({"taskType": "Map", "sourceFields": ["$_"], "destinationField": "$_", "connectorOperator": {"S3": "NO_OP"}})
	} @columns;
	$node->safe_psql('postgres', qq{SELECT appflow.create_flow('{
		"flowName": "$set", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties":
			{"S3": {"bucketName": "source", "bucketPrefix": "$set", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.target",
				"errorHandlingConfig": {"bucketName": "errors", "failOnFirstDestinationError": false}}}}],
		"tasks": [$tasks]}')});
}

$node->safe_psql('postgres', q{CALL appflow.run_flow('good')});
is($node->safe_psql('postgres', q{SET timezone = 'UTC'; SELECT * FROM target ORDER BY i2}), join("\n",
		'-32768|2147483647|9223372036854775807|1.5|-22500000000|12345678901234567890.123456789|t|é "q"|2024-02-29'
		  . '|2024-02-29 10:00:00+00|2024-02-29 12:00:00|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|{"a": [1, null]}',
		'7|8|9|1|2|3|f|12|2024-01-01|2024-01-01 00:00:00+00|2024-01-01 00:00:00|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|[1]',
		'||||||||||||'),
	'every type has the value that the object has, null included');

$node->safe_psql('postgres', q{TRUNCATE target; CALL appflow.run_flow('bad')});
is($node->safe_psql('postgres', 'SELECT i4 FROM target ORDER BY 1'), "1\n2", 'what fits arrives');
is($node->safe_psql('postgres', q{SELECT put_failures_count FROM appflow.flow_executions WHERE flow_name = 'bad'}),
	7, 'each value that does not fit is counted');
done_testing();
