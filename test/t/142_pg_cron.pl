# Flows run by pg_cron itself, over connections and in background workers: what
# became of them is in its own record of runs.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $libdir = `pg_config --pkglibdir`;
chomp $libdir;
plan skip_all => 'pg_cron is not installed' unless -e "$libdir/pg_cron.so";

my @nodes;
foreach my $workers ('off', 'on')
{
	my $node = PostgreSQL::Test::Cluster->new("workers_$workers");
	$node->init;
	$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'pg_cron, appflow'
cron.database_name = 'postgres'
cron.use_background_workers = $workers
max_worker_processes = 24
cron.host = '} . $node->host . q{'
});
	$node->start;
	push @nodes, $node;
}

sub source
{
	my ($name, $table) = @_;
	return qq{SELECT appflow.create_flow('{"flowName": "$name", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"sourceConnectorProperties": {"CustomConnector": {"entityName": "$table"}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.b"}}}],
		"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"},
			{"taskType": "Map", "sourceFields": ["flow"], "destinationField": "flow"}]}');};
}

foreach my $node (@nodes)
{
	$node->safe_psql('postgres', 'CREATE EXTENSION appflow; CREATE DATABASE elsewhere');
	$node->safe_psql('postgres', q{CREATE TABLE a (id int, flow text); CREATE TABLE b (id int, flow text);
		CREATE VIEW called AS SELECT id, 'called'::text AS flow FROM a; CREATE VIEW started AS SELECT id, 'started'::text AS flow FROM a;
		CREATE VIEW helped AS SELECT id, 'helped'::text AS flow FROM a; INSERT INTO a VALUES (1)});
	$node->safe_psql('postgres', source($_, "public.$_")) foreach qw(called started);
	$node->safe_psql('postgres', source("helped!1", 'public.helped'));
	$node->safe_psql('postgres', source('broken', 'public.nothing'));
	my ($code, $out, $err) = $node->psql('postgres', q{SELECT appflow.schedule_with_cron('called', '* * * * *')});
	like($err, qr/pg_cron is not installed in this database/, 'without pg_cron');
	like($err, qr/HINT:.*cron\.database_name/, 'a hint');
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
	$node->safe_psql('postgres', q{
		SELECT cron.schedule('called', '* * * * *', $$CALL appflow.run_flow('called')$$);
		SELECT cron.schedule('started', '* * * * *', $$SELECT appflow.start_flow('{"flowName": "started"}')$$);
		SELECT cron.schedule('broken', '* * * * *', $$CALL appflow.run_flow('broken')$$)});
	my $job = $node->safe_psql('postgres', q{SELECT appflow.schedule_with_cron('helped!1', '0 0 1 1 *')});
	like($job, qr/^\d+$/, 'the helper makes a job');
	is($node->safe_psql('postgres', q{SELECT appflow.schedule_with_cron('helped!1', '* * * * *')}), $job, 'which gets another schedule');
	is($node->safe_psql('postgres', "SELECT jobname || ', ' || command FROM cron.job WHERE jobid = $job"),
		q(appflow: helped!1, CALL appflow.run_flow('helped!1')), 'and runs the flow');
	($code, $out, $err) = $node->psql('postgres', q{SELECT appflow.schedule_with_cron('nothing', '* * * * *')});
	like($err, qr/Flow with name nothing does not exist/, 'no such flow');
	($code, $out, $err) = $node->psql('postgres', q{SELECT appflow.schedule_with_cron('called', 'now and then')});
	like($err, qr/invalid schedule/, 'pg_cron tells what it does not understand');
	($code, $out, $err) = $node->psql('postgres', q{CREATE ROLE someone; SET ROLE someone; SELECT appflow.unschedule_with_cron('helped!1')});
	like($err, qr/permission denied for schema cron/, 'with the rights of whoever asks');
}

foreach my $node (@nodes)
{
	my $name = $node->name;
	foreach my $flow (qw(called started helped))
	{
		# the next minute may be all of one away, which is as long as one look goes on
		my $query = "SELECT count(*) > 0 FROM b WHERE flow = '$flow'";
		ok($node->poll_query_until('postgres', $query) || $node->poll_query_until('postgres', $query), "$name: $flow");
	}
	ok($node->poll_query_until('postgres', q{SELECT count(DISTINCT jobid) = 4 FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')}), "$name: the record of pg_cron");
	is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT j.jobname || ' ' || d.status, ', ' ORDER BY j.jobname || ' ' || d.status) FROM cron.job_run_details d JOIN cron.job j USING (jobid)
		WHERE d.status IN ('succeeded', 'failed')}), q(appflow: helped!1 succeeded, broken failed, called succeeded, started succeeded), "$name: success and failure");
	like($node->safe_psql('postgres', q{SELECT return_message FROM cron.job_run_details d JOIN cron.job j USING (jobid) WHERE jobname = 'broken' LIMIT 1}),
		qr/run of flow "broken" ended as Error: .*public\.nothing/, "$name: and why");
	is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT flow_name || ' ' || execution_status, ', ' ORDER BY flow_name || ' ' || execution_status) FROM appflow.flow_executions
		WHERE execution_status <> 'InProgress'}), q(broken Error, called Successful, helped!1 Successful, started Successful), "$name: the history of flows");
	is($node->safe_psql('postgres', q{SELECT appflow.unschedule_with_cron('helped!1')}), 't', "$name: unscheduled");
	is($node->safe_psql('postgres', q{SELECT appflow.unschedule_with_cron('helped!1')}), 'f', "$name: once");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM cron.job WHERE jobname LIKE 'appflow%'}), 0, "$name: the job is gone");
	$node->stop;
}
done_testing();
