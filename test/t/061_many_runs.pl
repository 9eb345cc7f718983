# Many short runs, one right after another and from two sessions at once: none
# may be taken for one that lost its worker.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $runs = 100;
my $node = PostgreSQL::Test::Cluster->new('many_runs');
$node->init;
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/source";
append_to_file("$root/source/one.jsonl", qq({"id":"1"}\n));
$node->safe_psql('postgres', qq{
	CREATE EXTENSION appflow;
	SELECT appflow.create_object_store('local', 'file://$root');
	CREATE TABLE target (id text, flow text DEFAULT current_setting('application_name'));
	SELECT appflow.create_flow(jsonb_build_object(
		'flowName', 'flow-' || n, 'triggerConfig', '{"triggerType": "OnDemand"}'::jsonb,
		'sourceFlowConfig', '{"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "source",
			"s3InputFormatConfig": {"s3InputFileType": "JSON"}}}}'::jsonb,
		'destinationFlowConfigList', '[{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.target"}}}]'::jsonb,
		'tasks', '[{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"}]'::jsonb))
	FROM generate_series(1, 2) n;
});

my @sessions = map { my $flow = $_;
	my ($in, $out, $err) = (join('', map { "CALL appflow.run_flow('flow-$flow');\n" } 1 .. $runs), '', '');
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \my $errors);
	{ run => $run, errors => \$errors }
} 1 .. 2;
foreach my $session (@sessions)
{
	$session->{run}->finish;
	is(${ $session->{errors} }, '', 'a session saw no error');
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM target'), 2 * $runs, 'every run wrote its record');
is($node->safe_psql('postgres', q(SELECT string_agg(DISTINCT execution_status, ',') FROM appflow.flow_executions)),
	'Successful', 'every run is recorded as successful');
done_testing();
