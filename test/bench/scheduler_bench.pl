#!/usr/bin/perl
#
# scheduler_bench.pl
#	What it costs to have 1,000 flows on rate(1minute) in one database with 8
#	workers: a tick's decisions, the scheduler when nothing is due, and a minute in
#	which nothing is to be done at all.  The clock of the schedules is moved, so that
#	all flows are due at once.
#
#	BENCH_FLOWS and BENCH_MINUTES change the number of flows and of minutes.
#
use strict;
use warnings;

use AppflowTest::Stage;
use Cwd qw(getcwd);
use Time::HiRes qw(time sleep);

my $flows = $ENV{BENCH_FLOWS} || 1000;
my $minutes = $ENV{BENCH_MINUTES} || 2;

my $stage = AppflowTest::Stage->new(top => getcwd(), pg_config => $ENV{PG_CONFIG}, name => 'appflow-bench');
$SIG{$_} = sub { $stage->remove; exit 130; } foreach qw(INT TERM HUP);
my %connection = $stage->start_cluster('cluster', "shared_preload_libraries = 'appflow'", 'max_worker_processes = 16', 'appflow.quota_flows = 2000',
	'appflow.max_workers = 8', 'autovacuum = off', 'checkpoint_timeout = 1h', 'bgwriter_delay = 10s', 'wal_writer_delay = 10s');

sub query
{
	my ($sql) = @_;
	my $result = $stage->must_run('env', (map { "$_=$connection{$_}" } keys %connection),
		'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', $sql);
	chomp $result;
	return $result;
}

sub report
{
	my ($case, $ours, $peer, $ratio, $goal, $good) = @_;
	printf "BENCH %s %s %s %.2f %s %s\n", $case, $ours, $peer, $ratio, $goal, $good ? 'ok' : 'short';
}

my $offset = 0;
sub minute
{
	$offset += 61;
	query("ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
	query('SELECT pg_reload_conf()');
}

# user and system time of a process, in seconds
sub cpu
{
	my ($pid) = @_;
	open my $stat, '<', "/proc/$pid/stat" or die "no process $pid: $!\n";
	my @fields = split ' ', <$stat> =~ s/^.*\) //r;
	my $ticks = `getconf CLK_TCK`;
	return ($fields[11] + $fields[12]) / $ticks;
}

# milliseconds that a process was on a processor, and waited for one
sub scheduled
{
	my ($pid) = @_;
	open my $stat, '<', "/proc/$pid/schedstat" or die "no process $pid: $!\n";
	return map { $_ / 1e6 } (split ' ', <$stat>)[ 0, 1 ];
}

sub activity { return split /\|/, query('SELECT pid, wakes, ticks, flows_due, runs, mean_tick_ms, longest_tick_ms FROM appflow.scheduler_activity()'); }

query('CREATE EXTENSION appflow');
query('CREATE TABLE source (id int); CREATE TABLE target (id int)');
query(qq(SELECT appflow.create_flow(jsonb_build_object('flowName', 'flow-' || n,
	'triggerConfig', '{"triggerType": "Scheduled", "triggerProperties": {"Scheduled": {"scheduleExpression": "rate(1minute)"}}}'::jsonb,
	'sourceFlowConfig', '{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"sourceConnectorProperties": {"CustomConnector": {"entityName": "public.source"}}}'::jsonb,
	'destinationFlowConfigList', '[{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.target"}}}]'::jsonb,
	'tasks', '[{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"}]'::jsonb)) FROM generate_series(1, $flows) n));
for (1 .. 100) { last if (activity())[0]; sleep 0.1; }
query(q(SELECT appflow.start_flow(jsonb_build_object('flowName', flow_name)) FROM appflow.flows));
query('ANALYZE');

# ---------- all are due at once, some times over ----------

sub wait_for_runs
{
	for (1 .. 6000)
	{
		last if query('SELECT count(*) FROM appflow.flow_progress') eq '0';
		sleep 0.1;
	}
}
wait_for_runs();
my ($pid, undef, undef, $due_before) = activity();
my $before = query('SELECT count(*) FROM appflow.flow_executions');
my ($on_before, $waited_before) = scheduled($pid);
my $busy_before = query('SELECT busy_ticks FROM appflow.scheduler_activity()');
my $start = time;
for (1 .. $minutes)
{
	minute();
	sleep 1;
	wait_for_runs();
}
my $seconds = time - $start;
my $runs = query('SELECT count(*) FROM appflow.flow_executions') - $before;
my $skipped = query('SELECT sum(skipped_runs) FROM appflow.flow_schedules');
my $due = (activity())[3] - $due_before;
my $failed = query(q(SELECT count(*) FROM appflow.flow_executions WHERE execution_status <> 'Successful'));
report('scheduler-due-runs-accounted', $runs + $skipped, $due, ($runs + $skipped) / $due, '=1.00', $runs + $skipped == $due && $due >= $flows * $minutes && $failed == 0);
printf "%d runs in %.1f s: %.0f a second; %d skipped\n", $runs, $seconds, $runs / $seconds, $skipped;
my ($on, $waited) = scheduled($pid);
my $busy = query('SELECT busy_ticks FROM appflow.scheduler_activity()') - $busy_before;
my (undef, undef, undef, undef, undef, $mean, $longest) = activity();

# what a tick takes of a processor, all that the scheduler does besides included; others want the same ones
my $tick = ($on - $on_before) / $busy;
report("scheduler-tick-$flows-flows", sprintf('%.1fms', $tick), '10ms', $tick / 10, '<=1.00', $tick <= 10);
printf "%d ticks; by the clock on the wall a mean of %.1f ms, the longest %.1f ms; %.0f ms in all waited for a processor\n",
  $busy, $mean, $longest, $waited - $waited_before;

# ---------- nothing is due ----------

# flows are due every minute by the clock on the wall, too: stop it where nothing is due for long
query("UPDATE appflow.flow_schedule SET next_at = now() + interval '1 day' + '${offset}s'::interval");
query('CHECKPOINT');
sleep 6;
my ($cpu, $wakes, $lsn) = (cpu($pid), (activity())[1], query('SELECT pg_current_wal_insert_lsn()'));
$start = time;
sleep 62;
$seconds = time - $start;
my $used = (cpu($pid) - $cpu) / $seconds * 100;
my ($after, $end) = ((activity())[1], query('SELECT pg_current_wal_insert_lsn()'));
report('scheduler-idle-cpu', sprintf('%.2f%%', $used), '2%', $used / 2, '<=1.00', $used <= 2);
my $woken = ($after - $wakes) * 60 / $seconds;
report('scheduler-idle-wakes-a-minute', sprintf('%.1f', $woken), '2', $woken / 2, '<1.00', $woken < 2);

# what the server logs of itself while nothing happens is no work of ours
my $written = query("SELECT pg_wal_lsn_diff('$end', '$lsn')");
my $dump = $written == 0 ? '' : $stage->must_run('sh', '-c', "pg_waldump -p '" . $stage->dir . "/cluster/data/pg_wal' -s $lsn -e $end 2>/dev/null | grep -v 'rmgr: Standby' || true");
my $records = () = $dump =~ /^rmgr/mg;
report('scheduler-idle-wal-records', $records, 0, $records, '=0.00', $records == 0);

# ---------- changes of a table ----------

query('CREATE TABLE changing (id int PRIMARY KEY, note text); CREATE TABLE plain (id int PRIMARY KEY, note text); CREATE TABLE arrived (id int PRIMARY KEY, note text)');
query(q(SELECT appflow.create_flow('{"flowName": "changes", "triggerConfig": {"triggerType": "Event"},
	"sourceFlowConfig": {"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"sourceConnectorProperties": {"CustomConnector": {"entityName": "public.changing"}}},
	"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.arrived"}}}],
	"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"},
		{"taskType": "Map", "sourceFields": ["note"], "destinationField": "note"}]}')));
query(q(SELECT appflow.start_flow('{"flowName": "changes"}')));

# from a commit until the row is committed in the other table
query(q(CREATE PROCEDURE await(wanted int) LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO changing VALUES (wanted, 'x');
		COMMIT;
		WHILE NOT EXISTS (SELECT 1 FROM arrived WHERE id = wanted) LOOP
			PERFORM pg_sleep(0.002);
			COMMIT;
		END LOOP;
	END$$));
my @latencies;
for my $n (1 .. 15)
{
	my $session = time;
	query('SELECT 1');
	$session = time - $session;
	my $begin = time;
	query("CALL await($n)");
	push @latencies, time - $begin - $session;
	sleep 1.1;
}
my $median = (sort { $a <=> $b } @latencies)[7];
report('table-change-to-table', sprintf('%.0fms', 1000 * $median), '1s', $median, '<=1.00', $median <= 1);

# what capturing costs those who write
my %load;
for my $round (1 .. 3)
{
	for my $table (qw(plain changing))
	{
		query("DELETE FROM $table WHERE id > 1000");
		my $begin = time;
		query("INSERT INTO $table SELECT n, 'a note of some length' FROM generate_series(1001, 101000) n");
		my $took = time - $begin;
		$load{$table} = $took if !defined $load{$table} || $took < $load{$table};
		wait_for_runs();
		query('TRUNCATE arrived');
	}
}
report('captured-insert/plain', sprintf('%.2fs', $load{changing}), sprintf('%.2fs', $load{plain}), $load{changing} / $load{plain}, '<=4.00', $load{changing} / $load{plain} <= 4);
$stage->remove;
