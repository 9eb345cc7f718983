#!/usr/bin/perl
#
# operations_bench.pl
#	How long operations take with 1,000 flows that have run: the median of calls
#	in a session, as the client sees it (pgbench over a socket), against 5 ms.
#
use strict;
use warnings;

use AppflowTest::Stage;
use Cwd qw(getcwd);

my $flows = $ENV{BENCH_FLOWS} || 1000;
my $calls = $ENV{BENCH_CALLS} || 500;
my $goal = 5.0;

my $stage = AppflowTest::Stage->new(top => getcwd(), pg_config => $ENV{PG_CONFIG}, name => 'appflow-bench');
$SIG{$_} = sub { $stage->remove; exit 130; } foreach qw(INT TERM HUP);
my %connection = $stage->start_cluster('cluster', 'max_connections = 20');

sub query
{
	my ($sql) = @_;
	return $stage->must_run('env', (map { "$_=$connection{$_}" } keys %connection),
		'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', $sql);
}

# the median of what a client waits for a statement, in ms
sub median
{
	my ($sql) = @_;
	my $file = "$stage->{dir}/call.sql";
	open my $out, '>', $file or die "$file: $!\n";
	print $out "\\set n random(1, $flows)\n$sql;\n";
	close $out;
	chmod 0644, $file;
	my $log = $stage->make_dir('log');
	unlink glob "$log/*";
	$stage->must_run('env', (map { "$_=$connection{$_}" } keys %connection),
		'pgbench', '-n', '-c', 1, '-t', $calls, '-f', $file, '-l', "--log-prefix=$log/call");
	my @times;
	foreach my $name (glob "$log/*")
	{
		open my $in, '<', $name or die "$name: $!\n";
		push @times, map { (split)[2] / 1000 } <$in>;
	}
	@times = sort { $a <=> $b } @times;
	die "nothing was measured\n" unless @times;
	return $times[ @times / 2 ];
}

query(qq{
	CREATE EXTENSION appflow;
	CREATE TABLE public.source (id int PRIMARY KEY, name text);
	CREATE TABLE public.target (id int PRIMARY KEY, name text);
	SELECT count(appflow.create_flow(jsonb_build_object('flowName', 'flow' || n, 'description', 'Flow number ' || n,
		'triggerConfig', '{"triggerType": "OnDemand"}'::jsonb,
		'sourceFlowConfig', '{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"sourceConnectorProperties": {"CustomConnector": {"entityName": "public.source"}}}'::jsonb,
		'destinationFlowConfigList', '[{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.target"}}}]'::jsonb,
		'tasks', (SELECT jsonb_agg(jsonb_build_object('taskType', 'Map', 'sourceFields', jsonb_build_array('field' || f),
			'destinationField', 'field' || f, 'taskProperties', '{}'::jsonb)) FROM generate_series(1, 20) f),
		'tags', '{"team": "blue"}'::jsonb))) FROM generate_series(1, $flows) n;
	INSERT INTO appflow.flow_execution (flow_id, flow_name, owner, definition, schema_version, status, started_at, records_processed)
		SELECT flow_id, flow_name, owner, definition, schema_version, 'Successful', now(), r FROM appflow.flow, generate_series(1, 20) r});
query('VACUUM ANALYZE');

foreach (
	[ 'describe-flow', q{SELECT appflow.describe_flow('flow' || :n)} ],
	[ 'list-flows-page', 'SELECT appflow.list_flows()' ],
	[ 'execution-records', q{SELECT appflow.describe_flow_execution_records('flow' || :n)} ],
	[ 'describe-connector', q{SELECT appflow.describe_connector('Salesforce')} ])
{
	my ($case, $sql) = @$_;
	my $ms = median($sql);
	printf "BENCH %s %.3fms %.1fms %.2f %s %s\n", $case, $ms, $goal, $ms / $goal, '<1.00', $ms < $goal ? 'ok' : 'short';
}
$stage->remove;
