# Flows end to end on an embedded store: every format in, every format out.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('flow');
$node->init;
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/source";
mkdir "$root/target";
mkdir "$root/errors";
$node->safe_psql('postgres', qq{
	CREATE EXTENSION appflow;
	SELECT appflow.create_object_store('local', 'file://$root');
});

sub put
{
	my ($key, $text) = @_;
	my $path = "$root/source/$key";
	(my $folder = $path) =~ s{/[^/]*$}{};
	system('mkdir', '-p', $folder);
	open my $f, '>', $path or die "$path: $!";
	print $f $text;
	close $f;
	return;
}

put('accounts/1.jsonl', qq({"Id":"1","Name":"Ann","Amount":10.5,"Active":true,"Since":"2024-01-02T03:04:05Z","Tags":["a","b"]}\n{"Id":"2","Name":"B\\u00e9a","Amount":null,"Active":false,"Since":null}\n));
put('accounts/2.jsonl', qq({"Id":"3","Name":"Cy, \\"x\\"","Amount":-3,"Active":null,"Since":"2024-05-06T07:08:09+02:00"}\n));

$node->safe_psql('postgres', q{
	CREATE TABLE account (id text PRIMARY KEY, name text, amount numeric, since timestamptz);
	SELECT appflow.create_flow('{
		"flowName": "to-table",
		"triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties":
			{"S3": {"bucketName": "source", "bucketPrefix": "accounts", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.account"}}}],
		"tasks": [
			{"taskType": "Map", "sourceFields": ["Id"], "destinationField": "id", "taskProperties": {}},
			{"taskType": "Map", "sourceFields": ["Name"], "destinationField": "name"},
			{"taskType": "Map", "sourceFields": ["Amount"], "destinationField": "amount"},
			{"taskType": "Map", "sourceFields": ["Since"], "destinationField": "since"}]
	}');
});
$node->safe_psql('postgres', q{CALL appflow.run_flow('to-table')});
is($node->safe_psql('postgres', q{SET timezone = 'UTC'; SELECT * FROM account ORDER BY id}),
	"1|Ann|10.5|2024-01-02 03:04:05+00\n2|Béa||\n3|Cy, \"x\"|-3|2024-05-06 05:08:09+00", 'JSON lines to a table');
is($node->safe_psql('postgres', q{SELECT execution_status, records_processed, put_failures_count, bytes_processed > 0, execution_message FROM appflow.flow_executions}),
	'Successful|3|0|t|', 'the run says so');
done_testing();
