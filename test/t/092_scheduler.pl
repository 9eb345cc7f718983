# The launcher and its schedulers: flows run by themselves, in every database
# that has the extension, and stand in nobody's way.
use strict;
use warnings;
use AppflowTest::Crash;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'appflow'
max_worker_processes = 24
restart_after_crash = on
});
$node->start;

sub create_flow
{
	my ($database, $name, $expression, $more) = @_;
	$more //= '';
	return $node->safe_psql($database, qq{
		CREATE TABLE IF NOT EXISTS a (id int);
		CREATE TABLE IF NOT EXISTS b (id int, at timestamptz DEFAULT clock_timestamp());
		SELECT appflow.create_flow('{
		"flowName": "$name", "triggerConfig": {"triggerType": "Scheduled", "triggerProperties":
			{"Scheduled": {"scheduleExpression": "$expression"$more}}},
		"sourceFlowConfig": {"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"sourceConnectorProperties": {"CustomConnector": {"entityName": "public.a"}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.b"}}}],
		"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"}]}')});
}

sub start_flow { my ($database, $name) = @_; my ($code, $out, $err) = $node->psql($database, qq{SELECT appflow.start_flow('{"flowName": "$name"}')}); return "$out$err" }
sub schedulers { return $node->safe_psql('postgres', q{SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_stat_activity WHERE backend_type = 'appflow scheduler'}) }
sub eventually
{
	my ($database, $query, $expected, $name) = @_;
	ok($node->poll_query_until($database, $query, $expected // 't'), $name) or diag($node->safe_psql($database, 'TABLE appflow.flow_executions; TABLE appflow.flow_schedules'));
}
sub schedulers_become
{
	my ($expected, $name) = @_;
	my $got;
	foreach (1 .. 100) { $got = schedulers(); last if $got eq $expected; sleep 0.1 }
	is($got, $expected, $name);
}
my $offset = 0;
sub later
{
	$offset += $_[0];
	$node->safe_psql('postgres', "ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
	$node->reload;
}

# ---------- comings and goings ----------

schedulers_become('', 'no extension, no scheduler');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'appflow launcher'}), 1, 'a launcher');
$node->safe_psql('postgres', 'CREATE DATABASE one; ');
$node->safe_psql('postgres', 'CREATE DATABASE two');
$node->safe_psql('postgres', 'CREATE DATABASE three');
$node->safe_psql('one', 'BEGIN; CREATE EXTENSION appflow; ROLLBACK');
$node->safe_psql($_, 'CREATE EXTENSION appflow') foreach 'two', 'one';
schedulers_become('one two', 'CREATE EXTENSION brings a scheduler');
$node->safe_psql('two', 'BEGIN; DROP EXTENSION appflow; ROLLBACK');
$node->safe_psql('two', 'DROP EXTENSION appflow');
schedulers_become('one', 'DROP EXTENSION sends it away');
$node->safe_psql('two', 'CREATE EXTENSION appflow');
schedulers_become('one two', 'and CREATE EXTENSION brings it back');

my $before = time;
$node->safe_psql('postgres', 'ALTER DATABASE two RENAME TO deux');
cmp_ok(time - $before, '<', 4, 'renaming a database does not wait for its scheduler');
schedulers_become('deux one', 'the renamed database has its scheduler');
$before = time;
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE deux');
cmp_ok(time - $before, '<', 6, 'nor does copying one');
schedulers_become('copy deux one', 'the copy has a scheduler');
$before = time;
$node->safe_psql('postgres', 'DROP DATABASE deux');
cmp_ok(time - $before, '<', 4, 'nor does dropping one');
schedulers_become('copy one', 'the dropped database has none');
$node->safe_psql('postgres', 'DROP DATABASE copy WITH (FORCE)');
schedulers_become('one', 'dropped with force');
my ($code, $out, $err) = $node->psql('one', 'DROP DATABASE one');
like($err, qr/currently open database/, 'a DROP DATABASE that fails');
schedulers_become('one', 'leaves the scheduler');
$node->safe_psql('postgres', q{CREATE ROLE nobody; SET ROLE nobody; SELECT 1});
my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'appflow scheduler'});
$node->psql('postgres', 'SET ROLE nobody; DROP DATABASE one');
is($node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'appflow scheduler'}), $pid,
	'who may not drop a database does not stop its scheduler');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
schedulers_become('', 'a terminated scheduler is gone');
schedulers_become('one', 'and comes back');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'appflow launcher'});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'appflow launcher'});
schedulers_become('one', 'a launcher that ends leaves schedulers, and the next one starts no second');

# ---------- flows ----------

create_flow('one', 'fast', 'rate(1 minute)');
$node->safe_psql('one', 'INSERT INTO a VALUES (1)');
sleep 0.5;
is($node->safe_psql('one', 'SELECT count(*) FROM b'), 0, 'a draft does not run');
my $answer = start_flow('one', 'fast');
like($answer, qr/"flowStatus": "Active"/, 'activated');
unlike($answer, qr/WARNING/, 'with no warning, as there is a scheduler');
eventually('one', 'SELECT count(*) = 1 FROM b', 't', 'a rate without a start runs when it is activated');
later(61);
eventually('one', 'SELECT count(*) = 2 FROM b', 't', 'and again a minute later');
later(4 * 3600);
eventually('one', 'SELECT count(*) = 3 FROM b', 't', 'after four hours in which nobody looked, once');
sleep 0.5;
is($node->safe_psql('one', 'SELECT count(*) FROM b'), 3, 'and not for every minute of them');
is($node->safe_psql('one', q{SELECT next_run_at - now() BETWEEN '14400s' AND '14525s' FROM appflow.flow_schedules}), 't',
	'the next time is known');

# a day, hour by hour
create_flow('one', 'hourly', 'cron(30 * * * ? *)');
start_flow('one', 'hourly');
$node->safe_psql('one', q{SELECT appflow.stop_flow('{"flowName": "fast"}')});
my $runs = $node->safe_psql('one', 'SELECT count(*) FROM b');
foreach my $hour (1 .. 24)
{
	later(3600);
	$node->poll_query_until('one', qq{SELECT count(*) = $runs + $hour FROM b}) or last;
}
is($node->safe_psql('one', 'SELECT count(*) FROM b') - $runs, 24, 'an hourly flow runs 24 times in 24 hours');
is($node->safe_psql('one', q{SELECT count(DISTINCT due_at) || ' ' || bool_and(extract(minute FROM due_at) = 30)
	FROM appflow.flow_execution WHERE flow_name = 'hourly'}), '24 true', 'each at its own time');
is($node->safe_psql('one', q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'fast'}), 3, 'a stopped flow does not run');

# overlapping
$node->safe_psql('one', q{CREATE TABLE gate (id int); CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM 1 FROM public.gate FOR UPDATE; RETURN NEW; END'; INSERT INTO gate VALUES (1);
	CREATE TRIGGER wait BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION wait()});
my $gate = $node->background_psql('one');
$gate->query_safe('BEGIN; SELECT * FROM gate FOR UPDATE');
later(3600);
eventually('one', q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE phase = 'Transferring'}, 't', 'a run that takes long');
later(3600);
eventually('one', q{SELECT skipped_runs = 1 FROM appflow.flow_schedules WHERE flow_name = 'hourly'}, 't', 'the next one is skipped');
is($node->safe_psql('one', q{SELECT count(*) FROM appflow.flow_execution WHERE flow_name = 'hourly'}), 25, 'no second run is asked for');
$gate->query_safe('COMMIT');
$gate->quit;
eventually('one', q{SELECT count(*) = 0 FROM appflow.flow_progress}, 't', 'the run comes to its end');
$node->safe_psql('one', 'DROP TRIGGER wait ON b');

# a definition that changes; an end
$node->safe_psql('one', q{SELECT appflow.update_flow(definition || jsonb_build_object('triggerConfig', jsonb_build_object(
	'triggerType', 'Scheduled', 'triggerProperties', jsonb_build_object('Scheduled', jsonb_build_object('scheduleExpression', 'rate(7 days)')))))
	FROM appflow.flow WHERE flow_name = 'hourly'});
later(3600);
sleep 0.5;
is($node->safe_psql('one', q{SELECT count(*) FROM appflow.flow_execution WHERE flow_name = 'hourly'}), 25, 'UpdateFlow changes when it is due');
later(7 * 86400);
eventually('one', q{SELECT count(*) = 26 FROM appflow.flow_execution WHERE flow_name = 'hourly'}, 't', 'to the new schedule');
my $now = time + $offset;
create_flow('one', 'ending', 'rate(1 minute)', sprintf ', "scheduleStartTime": %d, "scheduleEndTime": %d', $now + 60, $now + 150);
start_flow('one', 'ending');
later(61);
eventually('one', q{SELECT count(*) = 1 FROM appflow.flow_executions WHERE flow_name = 'ending' AND execution_status = 'Successful'}, 't', 'not before its start');
later(600);
eventually('one', q{SELECT count(*) = 2 FROM appflow.flow_executions WHERE flow_name = 'ending' AND execution_status = 'Successful'}, 't', 'the last time before the end');
is($node->safe_psql('one', q{SELECT next_run_at IS NULL FROM appflow.flow_schedules WHERE flow_name = 'ending'}), 't', 'no further time');
is($node->safe_psql('one', q{SELECT due_at = to_timestamp(} . ($now + 120 - ($now - int $now)) . q{) FROM appflow.flow_execution WHERE flow_name = 'ending' ORDER BY requested_at DESC LIMIT 1}),
	't', 'the run made good for is the latest that was due');

# a flow that cannot run fails as a run
$node->safe_psql('one', q{CREATE ROLE owner; GRANT CREATE ON SCHEMA public TO owner; GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO owner});
create_flow('one', 'orphan', 'rate(1 minute)');
$node->safe_psql('one', q{UPDATE appflow.flow SET owner = 'owner' WHERE flow_name = 'orphan'; DROP OWNED BY owner; DROP ROLE owner});
start_flow('one', 'orphan');
eventually('one', q{SELECT count(*) > 0 FROM appflow.flow_execution WHERE flow_name = 'orphan' AND status = 'Error'}, 't', 'a flow without owner: its run fails');
schedulers_become('one', 'the scheduler does not');
$node->safe_psql('one', q{SELECT appflow.stop_flow('{"flowName": "orphan"}')});

# ---------- idle ----------

$node->safe_psql('one', q{SELECT appflow.stop_flow(jsonb_build_object('flowName', flow_name)) FROM appflow.flows WHERE flow_status = 'Active'});
$node->safe_psql('postgres', 'CHECKPOINT');
# behind the last look that what has happened asks for
sleep 7;
my $wakes = sub { return $node->safe_psql('one', 'SELECT wakes FROM appflow.scheduler_activity()') };
my ($lsn, $count) = ($node->lsn('insert'), $wakes->());
sleep 12;
# nothing but what the server itself writes from time to time
my $written = $node->lsn('insert');
$node->command_ok([ 'sh', '-c', "pg_waldump -p '" . $node->data_dir . "/pg_wal' -s $lsn -e $written | grep -v 'rmgr: Standby' | wc -l | grep -qx 0" ],
	'an idle scheduler writes no WAL');
cmp_ok($wakes->() - $count, '<=', 1, 'and sleeps: it wakes once a minute');

# ---------- crashes ----------

$node->safe_psql('one', q{SELECT appflow.start_flow('{"flowName": "fast"}')});
eventually('one', q{SELECT count(*) = 4 FROM appflow.flow_executions WHERE flow_name = 'fast' AND execution_status = 'Successful'}, 't', 'the flow runs again');
foreach my $type ('appflow scheduler', 'appflow launcher')
{
	$runs = $node->safe_psql('one', q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'fast' AND execution_status = 'Successful'});
	my $victim = $node->safe_psql('postgres', qq{SELECT pid FROM pg_stat_activity WHERE backend_type = '$type'});
	kill_child($node, $victim);
	schedulers_become('one', "$type killed: the scheduler comes back");
	later(61);
	eventually('one', qq{SELECT count(*) > $runs FROM appflow.flow_executions WHERE flow_name = 'fast' AND execution_status = 'Successful'}, 't', 'and the flow runs');
}

# a worker killed in the middle of a run
$node->safe_psql('one', q{CREATE TRIGGER wait BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION wait()});
$gate = $node->background_psql('one');
$gate->query_safe('BEGIN; SELECT * FROM gate FOR UPDATE');
later(61);
eventually('one', q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE phase = 'Transferring'}, 't', 'a run is going on');
kill_child($node, $node->safe_psql('one', q{SELECT pid FROM appflow.flow_progress}));
eventually('one', q{SELECT count(*) = 1 FROM appflow.flow_execution WHERE flow_name = 'fast' AND status = 'Error'}, 't',
	'the scheduler has the killed run recorded as an error, by itself');
eval { $gate->quit };
$node->safe_psql('one', q{DROP TRIGGER wait ON b});
later(61);
eventually('one', q{SELECT count(*) = 0 FROM appflow.flow_executions WHERE execution_status = 'InProgress'}, 't', 'the flow goes on');

# ---------- standby ----------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'appflow%'}), 0, 'a standby is quiet');
$runs = $node->safe_psql('one', 'SELECT count(*) FROM b');
$node->stop;
$standby->promote;
$standby->safe_psql('postgres', "ALTER SYSTEM SET appflow.clock_offset = '" . ($offset + 120) . "s'");
$standby->reload;
ok($standby->poll_query_until('one', "SELECT count(*) > $runs FROM b"), 'promoted, it runs the flows');
$standby->stop;
done_testing();
