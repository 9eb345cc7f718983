# Notifications of what becomes of flows and runs, the time that a run may take,
# and how many runs are remembered.
use strict;
use warnings;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'appflow'
max_worker_processes = 16
});
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub eventually { my ($query, $name) = @_; ok($node->poll_query_until('postgres', $query), $name) or diag(sql('TABLE appflow.flow_executions; TABLE appflow.flow_schedules')) }
my $json = JSON::PP->new;

sql(q{
	CREATE EXTENSION appflow;
	CREATE TABLE src (id int, secret text DEFAULT 'hunter2', changed timestamptz DEFAULT clock_timestamp());
	CREATE TABLE dst (id int, secret text);
	INSERT INTO src SELECT n FROM generate_series(1, 3) n;
	CREATE ROLE stranger LOGIN;
});

sub create
{
	my ($name, $trigger, $source) = @_;
	$source //= 'src';
	sql(qq{SELECT appflow.create_flow('{
		"flowName": "$name", "triggerConfig": $trigger,
		"sourceFlowConfig": {"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"sourceConnectorProperties": {"CustomConnector": {"entityName": "public.$source"}},
			"incrementalPullConfig": {"datetimeTypeFieldName": "changed"}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.dst"}}}],
		"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"},
			{"taskType": "Map", "sourceFields": ["secret"], "destinationField": "secret"}]}')});
}
my $on_demand = '{"triggerType": "OnDemand"}';
sub scheduled
{
	my ($more) = @_;
	return qq({"triggerType": "Scheduled", "triggerProperties": {"Scheduled": {"scheduleExpression": "rate(1minute)", "dataPullMode": "Incremental"$more}}});
}

# what a session that listens, of a role with no rights, has been told since it was asked last
my $listener = $node->background_psql('postgres', extra_params => [ '-U', 'stranger' ]);
$listener->query_safe('LISTEN appflow_flow_events');
my @raw;
sub heard
{
	my ($wanted) = @_;
	my @heard;
	foreach (1 .. 200)
	{
		my $out = $listener->query('SELECT 1');
		push @raw, my @new = $out =~ /notification "appflow_flow_events" with payload "(.*)" received from/g;
		push @heard, map { $json->decode($_) } @new;
		last if @heard >= $wanted;
		sleep 0.05;
	}
	return @heard;
}

# ---------- one run ----------

create('plain', $on_demand);
sql(q{CALL appflow.run_flow('plain')});
my @events = heard(2);
is(join(', ', map { $_->{'detail-type'} } @events), 'AppFlow Start Flow Run Report, AppFlow End Flow Run Report', 'a run begins and ends');
my ($begin, $end) = @events;
is($begin->{source}, 'aws.appflow', 'envelope: source');
is("@{$begin->{resources}}", 'arn:aws:appflow:us-east-1:000000000000:flow/plain', 'envelope: resources');
like($begin->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'envelope: time');
my $id = sql(q{SELECT execution_id FROM appflow.flow_executions});
is($begin->{detail}{'execution-id'}, $id, 'the run');
is($end->{detail}{'execution-id'}, $id, 'the same');
is_deeply([ @{$end->{detail}}{qw(flow-name trigger-type source destination status num-of-records-processed num-of-record-failures)} ],
	[ 'plain', 'ONDEMAND', 'CustomConnector', 'CustomConnector', 'Execution Successful', '3', '0' ], 'what became of it; counts are strings');
like($end->{detail}{'end-time'}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\[UTC\]$/, 'times as the service writes them');
ok(!exists $end->{detail}{error}, 'no error');

# ---------- transactional ----------

sql(q{BEGIN; SELECT appflow.cancel_flow_executions('{"flowName": "plain"}'); SELECT appflow.delete_flow('{"flowName": "plain"}'); ROLLBACK});
is(scalar(heard(0)), 0, 'nothing is said of what did not happen');

# ---------- failures say no more than everybody may know ----------

sql(q{ALTER TABLE dst ADD CONSTRAINT dull CHECK (secret <> 'hunter2') NOT VALID});
create('failing', $on_demand);
$node->psql('postgres', q{CALL appflow.run_flow('failing')});
(undef, $end) = heard(2);
is($end->{detail}{status}, 'Execution Failed', 'a run that fails');
like($end->{detail}{error}, qr/^[0-9A-Z]{5}$/, 'has a code');
like(sql(q{SELECT execution_message FROM appflow.flow_executions WHERE flow_name = 'failing'}), qr/dull/, 'its message says what went wrong');
sql('ALTER TABLE dst DROP CONSTRAINT dull');

# ---------- status of flows ----------

create('sched', scheduled(', "flowErrorDeactivationThreshold": 1'));
sql(q{SELECT appflow.start_flow('{"flowName": "sched"}')});
@events = heard(3);
is(join(', ', map { "$_->{'detail-type'} " . ($_->{detail}{'flow-status'} // $_->{detail}{status} // '') } @events),
	'AppFlow Flow Status Report Active, AppFlow Start Flow Run Report , AppFlow End Flow Run Report Execution Successful', 'activated, and run');
is($events[1]{detail}{'trigger-type'}, 'SCHEDULED', 'a scheduled run');
like($events[1]{detail}{'incremental-transfer-time-range'}, qr/^\S+Z\[UTC\] - \S+Z\[UTC\]$/, 'and its window');
sql(q{ALTER TABLE src RENAME COLUMN secret TO hidden; ALTER SYSTEM SET appflow.clock_offset = '61s'; SELECT pg_reload_conf()});
@events = heard(3);
my ($deactivated) = grep { $_->{'detail-type'} eq 'AppFlow Scheduled Flow Deactivated' } @events;
is($deactivated->{detail}{'deactivation-reason'}, 'Deactivated after 1 failed runs.', 'deactivated, and why');
ok($deactivated->{detail}{'deactivation-time'}, 'and when');
sql(q{ALTER TABLE src RENAME COLUMN hidden TO secret; SELECT appflow.stop_flow('{"flowName": "sched"}'); SELECT appflow.delete_flow('{"flowName": "sched"}')});
@events = heard(1);
is($events[-1]{'detail-type'} . ' ' . $events[-1]{detail}{'flow-status'}, 'AppFlow Flow Status Report Deleted', 'deleted');

# ---------- the time that a run may take ----------

sql(q{
	CREATE TABLE gate (id int); INSERT INTO gate VALUES (1);
	CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM public.gate FOR UPDATE; RETURN NEW; END';
	CREATE TRIGGER wait BEFORE INSERT ON dst FOR EACH ROW EXECUTE FUNCTION wait();
	ALTER SYSTEM SET appflow.clock_offset = 0; ALTER SYSTEM SET appflow.max_run_time = '1s'; SELECT pg_reload_conf();
});
my $gate = $node->background_psql('postgres');
$gate->query_safe('BEGIN; SELECT * FROM gate FOR UPDATE');
my ($code, $out, $err) = $node->psql('postgres', q{CALL appflow.run_flow('plain')});
like($err, qr/run of flow "plain" ended as Error: The run was ended because it took longer than 00:00:01 \(appflow\.max_run_time\)/, 'a run ends when its time is over');
is(sql(q{SELECT execution_status || ' ' || error_code FROM appflow.flow_executions WHERE flow_name = 'plain' ORDER BY requested_at DESC LIMIT 1}), 'Error 57014', 'as an error');
sql(q{ALTER SYSTEM RESET appflow.max_run_time; SELECT pg_reload_conf(); SELECT appflow.limit_flow('plain', '300 milliseconds')});
($code, $out, $err) = $node->psql('postgres', q{CALL appflow.run_flow('plain')});
like($err, qr/it took longer than 00:00:00\.3 \(appflow\.limit_flow\(\)\)/, 'a flow has a limit of its own');
sql(q{SELECT appflow.start_flow('{"flowName": "failing"}')});
eventually(q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE phase = 'Transferring'}, 'another flow has not');
heard(5);
sql(q{SELECT appflow.cancel_flow_executions('{"flowName": "failing"}')});
@events = heard(2);
is(join(', ', map { "$_->{'detail-type'} " . ($_->{detail}{status} // '') } @events[-2, -1]),
	'AppFlow Cancel Flow Run Report , AppFlow End Flow Run Report Execution Canceled', 'a cancel is told, and that it has worked');
$gate->query_safe('COMMIT');
$gate->quit;
sql('DROP TRIGGER wait ON dst');
sql(q{CALL appflow.run_flow('plain')});
is(sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'plain' AND execution_status = 'Successful'}), 2, 'the next run has its whole time');
($code, $out, $err) = $node->psql('postgres', q{SELECT appflow.limit_flow('plain', '-1 s')});
like($err, qr/max_run_time is not between/, 'no time before now');
($code, $out, $err) = $node->psql('postgres', q{SELECT appflow.limit_flow('plain', NULL, 0)});
like($err, qr/history_runs is not greater than 0/, 'no history of no runs');
($code, $out, $err) = $node->psql('postgres', q{SET ROLE stranger; SELECT appflow.limit_flow('plain', NULL, 1)});
like($err, qr/Flow with name plain does not exist/, 'nor for flows of others');

heard(2);
$listener->quit;
is(scalar(grep { /hunter2|dull|public\.|src|dst|PostgreSQL/ } @raw), 0, 'nothing told names a value, an object or a profile');
is(scalar(grep { length > 2000 } @raw), 0, 'and all of it was short');

# a name as long as can be
my $long = 'x' x 256;
create($long, $on_demand);
is(sql("SELECT length(payload) < 8000 FROM (SELECT repeat('x', 256)) f (payload); CALL appflow.run_flow('$long')"), 't', 'the longest name fits');

# ---------- how many runs are remembered ----------

sql(q{SELECT appflow.limit_flow('plain', NULL, 5)});
my $others = sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name <> 'plain'});
sql(q{CALL appflow.run_flow('plain');}) foreach 1 .. 6;
cmp_ok(sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'plain'}), '>', 6, 'runs of the last minute stay');
sql(q{UPDATE appflow.flow_execution SET last_updated_at = last_updated_at - interval '2 minutes', requested_at = requested_at - interval '2 minutes'});
sql(q{CALL appflow.run_flow('plain')});
eventually(q{SELECT count(*) = 6 FROM appflow.flow_executions WHERE flow_name = 'plain'}, 'five older ones are kept besides');
is(sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name <> 'plain'}), $others, 'and all of other flows');

# ---------- age: with no flow that is due ----------

my $runs = sql(q{SELECT count(*) FROM appflow.flow_executions});
cmp_ok($runs, '>', 6, 'there is a history');
sql(q{ALTER SYSTEM SET appflow.clock_offset = '} . (91 * 86400) . q{s'; SELECT pg_reload_conf()});
eventually(q{SELECT count(*) = 0 FROM appflow.flow_executions}, 'after 91 days it is forgotten, though nothing ran');
$node->stop;
unlike(slurp_file($node->logfile), qr/was terminated by signal|PANIC|TRAP:/, 'no process crashed');
done_testing();
