# Workers, schedulers, the launcher and the whole server are killed at random
# moments over 200 runs of an incremental flow, while new records keep arriving:
# afterwards the table holds every record once.  A second flow writes objects.
#
# APPFLOW_KILL_RUNS changes the number of runs, APPFLOW_KILL_SEED repeats a sequence.
use strict;
use warnings;
use AppflowTest::Crash;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time utime);

my $wanted = $ENV{APPFLOW_KILL_RUNS} || 200;
my $seed = $ENV{APPFLOW_KILL_SEED} || int(time * 1000) % 1_000_000;
srand $seed;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'appflow'
max_worker_processes = 16
appflow.max_workers = 2
restart_after_crash = on
log_statement = none
});
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/$_" foreach qw(source target);
mkdir "$root/source/in";

sub flow
{
	my ($name, $destination) = @_;
	return qq{SELECT appflow.create_flow('{"flowName": "$name", "triggerConfig": {"triggerType": "Scheduled", "triggerProperties":
			{"Scheduled": {"scheduleExpression": "rate(1minute)", "dataPullMode": "Incremental"}}},
		"sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "source", "bucketPrefix": "in",
			"s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
		"destinationFlowConfigList": [$destination],
		"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"}]}');
		SELECT appflow.start_flow('{"flowName": "$name"}');};
}
$node->safe_psql('postgres', qq{
	CREATE EXTENSION appflow;
	SELECT appflow.create_object_store('local', 'file://$root');
	CREATE TABLE target (id int);
} . flow('table', q({"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.target"}}}))
  . flow('objects', q({"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "target", "bucketPrefix": "out",
		"s3OutputFormatConfig": {"fileType": "JSON"}}}})));

# ---------- time goes by, and records arrive ----------

my $offset = 0;
my $last_id = 0;
my $objects = 0;

sub postmaster
{
	open my $file, '<', $node->data_dir . '/postmaster.pid' or return 0;
	my $pid = <$file>;
	return defined $pid ? $pid + 0 : 0;
}

# a minute passes; asks no session, for there may be none
sub minute
{
	$offset += 61;
	open my $file, '>>', $node->data_dir . '/postgresql.conf' or die "$!";
	print $file "appflow.clock_offset = '${offset}s'\n";
	close $file;
	my $pid = postmaster();
	kill 'HUP', $pid if $pid > 1;
}

# an object is there at once and whole, modified at some moment from now on
sub arrive
{
	my $path = "$root/new";
	my $at = time + $offset + (0, 0.001, rand 30)[ rand 3 ];
	open my $file, '>', $path or die "$path: $!";
	print $file qq({"id": ) . ++$last_id . "}\n" foreach 0 .. int rand 3;
	close $file;
	utime $at, $at, $path;
	rename $path, sprintf("%s/source/in/%05d.jsonl", $root, ++$objects) or die "rename: $!";
}

# ---------- kills ----------

my %kills;

# the process of that title, now
sub child
{
	my ($title) = @_;
	my $postmaster = postmaster();
	open my $list, '<', "/proc/$postmaster/task/$postmaster/children" or return;
	foreach my $pid (split ' ', <$list> // '')
	{
		open my $line, '<', "/proc/$pid/cmdline" or next;
		return $pid if (<$line> // '') =~ /appflow $title/;
	}
	return;
}

sub server_up
{
	foreach (1 .. 200)
	{
		# what the killed one left may hold on to its memory for a moment
		return if system("pg_ctl -s -w -D '" . $node->data_dir . "' -l '" . $node->logfile . "' start >/dev/null 2>&1") == 0;
		sleep 0.1;
	}
	die "the server does not start any more\n";
}

sub strike
{
	my $victim = (qw(worker worker worker worker scheduler scheduler launcher postmaster told-worker told-scheduler told-server))[ rand 11 ];
	my $pid;

	if ($victim eq 'postmaster')
	{
		sleep rand 0.06;
		kill 'KILL', postmaster();
		sleep 0.05;
		server_up();
	}
	elsif ($victim eq 'told-server')
	{
		sleep rand 0.06;
		system("pg_ctl -s -w -m " . (qw(fast immediate))[ rand 2 ] . " -D '" . $node->data_dir . "' stop >/dev/null 2>&1");
		server_up();
	}
	else
	{
		# a worker lives for some hundredths of a second: catch it somewhere in its run
		foreach (1 .. 100)
		{
			last if defined($pid = child($victim =~ s/told-//r));
			sleep 0.003;
		}
		return if !defined $pid;
		sleep rand 0.03;
		kill $victim =~ /told/ ? 'TERM' : 'KILL', $pid or return;
	}
	$kills{$victim}++;
}

sub number
{
	my ($query) = @_;
	foreach (1 .. 300)
	{
		# psql that ends before it has read the query is an error of its own
		my ($code, $out) = eval { $node->psql('postgres', $query) };
		return $out if defined $code && $code == 0;
		sleep 0.1;
	}
	die "the server is gone\n";
}

my $runs = 0;
my $start = time;
for (my $step = 0; $runs < $wanted; $step++)
{
	arrive() foreach 1 .. 1 + rand 2;
	minute();
	if ($step % 4 == 3) { strike(); }
	else { sleep 0.03 + rand 0.05; }
	arrive();
	$runs = number(q{SELECT count(*) FROM appflow.flow_execution WHERE flow_name = 'table' AND status IN ('Successful', 'Error')}) if $step % 10 == 9;
}
my $seconds = time - $start;

# ---------- what is left of it ----------

foreach (1 .. 30)
{
	minute();
	sleep 0.3;
	last if number('SELECT count(*) FROM target') >= $last_id && $_ > 3;
}
$node->poll_query_until('postgres', "SELECT count(*) >= $last_id FROM target");
my $killed = join ', ', map { "$kills{$_} x $_" } sort keys %kills;
note(sprintf '%d runs in %.0f s, %d records, killed: %s; seed %d', $runs, $seconds, $last_id, $killed, $seed);
my $good = is(number('SELECT count(*) FROM target'), $last_id, "all $last_id records are in the table");
$good &= is(number('SELECT count(*) FROM (SELECT id FROM target GROUP BY id HAVING count(*) > 1) d'), 0, 'none twice');
$good &= is(number("SELECT count(*) FROM generate_series(1, $last_id) n WHERE NOT EXISTS (SELECT 1 FROM target WHERE id = n)"), 0, 'none is missing');
diag("seed $seed, killed: $killed\n", number(q{SELECT e FROM appflow.flow_execution e WHERE flow_name = 'table' ORDER BY requested_at})) if !$good;
cmp_ok($runs, '>=', $wanted, 'as many runs as were wanted');
cmp_ok(eval { my $n = 0; $n += $_ foreach values %kills; $n }, '>=', $wanted / 20, 'and many of them were struck');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM appflow.flow_progress}), 'no run is left half-way');
is(number(q{SELECT string_agg(DISTINCT left(execution_message, 40), ' | ') FROM appflow.flow_executions WHERE execution_status = 'Error'
	AND execution_message NOT LIKE 'The worker of this run ended before it could finish%' AND execution_message NOT LIKE 'The worker of this run was told to stop%'}), '', 'every failed run says why');
cmp_ok(number(q{SELECT count(*) FROM appflow.flow_executions WHERE execution_status = 'Error'}), '>', 0, 'some have failed');
is(number(q{SELECT count(*) FROM (SELECT data_pull_start_time, lag(data_pull_end_time) OVER (ORDER BY requested_at) AS before
	FROM appflow.flow_executions WHERE flow_name = 'table' AND execution_status = 'Successful') w WHERE before <> data_pull_start_time}), 0, 'windows follow one another');

# objects: whole ones, and nothing half-way
my %seen;
my $broken = 0;
foreach my $path (split /\n/, `find $root/target -type f`)
{
	foreach my $line (split /\n/, slurp_file($path)) { $line =~ /^\{"id":(\d+)\}$/ ? $seen{$1}++ : $broken++ }
}
is($broken, 0, 'no object is half-written');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM appflow.flow_execution WHERE unswept}), 'what dead runs left staged is looked for');
is(`find $root/.appflow -type f 2>/dev/null`, '', 'and removed');
my $missing = grep { !$seen{$_} } 1 .. $last_id;
is($missing, 0, 'the objects hold every record, too');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|signal 11|signal 6/, 'no process crashed of itself');
done_testing();
