#!/usr/bin/perl
#
# foreign_bench.pl
#	Foreign tables over an application that sends 100 pages of 2,000 records (16 fields,
#	1 MB a page) from loopback, against what a user would do instead: the same bodies
#	by curl, into jsonb; or the same rows ready as CSV, into a table.
#
#	BENCH_PAGES and BENCH_RUNS change the number of pages and of repetitions.
#
use strict;
use warnings;

use AppflowTest::Pages;
use AppflowTest::Stage;
use Cwd qw(getcwd);
use HTTP::Tiny;
use JSON::PP;
use Time::HiRes qw(time);

my $pages = $ENV{BENCH_PAGES} || 100;
my $runs = $ENV{BENCH_RUNS} || 3;
my $stage = AppflowTest::Stage->new(top => getcwd(), pg_config => $ENV{PG_CONFIG}, name => 'appflow-foreign');
# of the package, so that the end of the program does not wait for the server before END
our ($process, $pipe, $url) = AppflowTest::Pages::start_server('test', $pages);
my $place = $stage->make_dir('place');
$SIG{$_} = sub { exit 130; } foreach qw(INT TERM HUP);
END { local $?; kill 'KILL', $process if $process; $stage->remove if $stage; }

my %connection = $stage->start_cluster('cluster', split(/\n/, AppflowTest::Pages::settings($place)), 'max_wal_size = 4GB', 'shared_buffers = 128MB', 'jit = off');
$stage->give("$place/master");

# seconds of what psql does with the statements, and what it printed
sub timed
{
	my ($sql) = @_;
	my $start = time;
	my $result = $stage->must_run('env', (map { "$_=$connection{$_}" } keys %connection),
		'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', $sql);
	chomp $result;
	return (time - $start, $result);
}

sub query { return (timed(@_))[1]; }

sub curl
{
	my ($what, $to) = @_;
	my $start = time;
	system("curl -s '$url/$what?page=[1-$pages]' >$to") == 0 or die "curl failed\n";
	return time - $start;
}

# the least seconds of each, done in turns
sub best
{
	my (@works) = @_;
	my @best;
	for (1 .. $runs)
	{
		for (my $i = 0; $i < @works; $i++)
		{
			my $seconds = $works[$i]->();
			$best[$i] = $seconds if !defined $best[$i] || $seconds < $best[$i];
		}
	}
	return @best;
}

sub report
{
	my ($case, $ours, $peer, $ratio, $goal, $good) = @_;
	printf "BENCH %s %s %s %.2f %s %s\n", $case, $ours, $peer, $ratio, $goal, $good ? 'ok' : 'short';
}

sub seconds { return sprintf '%.3fs', $_[0]; }

query($_) foreach split /;\n/, AppflowTest::Pages::setup_sql($url);
query('SELECT appflow.describe_connector_entity(\'{"connectorProfileName": "pages", "connectorEntityName": "records"}\')');
query('CREATE UNLOGGED TABLE body (body text)');

# ---------- five typed columns, against jsonb_to_recordset over the same bodies ----------

my $sums = 'SELECT count(*), sum(id), sum(length(name)), sum(revenue), sum(employees), max(created)';
my ($ours_result, $peer_result);
my ($ours, $peer) = best(
	sub { my ($seconds, $result) = timed("$sums FROM records"); $ours_result = $result; return $seconds; },
	sub {
		query('TRUNCATE body');
		my ($seconds, $result) = timed("COPY body FROM PROGRAM 'curl -s -w ''\\n'' ''$url/body?page=[1-$pages]''' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02');
			$sums FROM body, jsonb_to_recordset(body::jsonb) AS r (id bigint, name text, revenue numeric, employees int, created timestamptz)");
		$peer_result = $result;
		return $seconds;
	});
die "not the same: $ours_result and $peer_result\n" if $ours_result ne $peer_result;
report('foreign-json-recordset', seconds($ours), seconds($peer), $peer / $ours, '>=8', $peer / $ours >= 8);

# ---------- the same into a table, against fetching the bytes and COPY of the rows from CSV ----------

curl('csv', "$place/rows.csv");
chmod 0644, "$place/rows.csv";
my $into = 'CREATE UNLOGGED TABLE five AS SELECT id, name, revenue, employees, created FROM records';
($ours, $peer) = best(
	sub { query('DROP TABLE IF EXISTS five'); my ($seconds) = timed($into); $ours_result = query("$sums FROM five"); return $seconds; },
	sub {
		query('DROP TABLE IF EXISTS five');
		my $fetch = curl('body', '/dev/null');
		my ($seconds) = timed("CREATE UNLOGGED TABLE five (id bigint, name text, revenue numeric, employees int, created timestamptz);
			COPY five FROM '$place/rows.csv' (FORMAT csv)");
		$peer_result = query("$sums FROM five");
		return $fetch + $seconds;
	});
die "not the same: $ours_result and $peer_result\n" if $ours_result ne $peer_result;
report('foreign-curl-copy', seconds($ours), seconds($peer), $ours / $peer, '<=1.3', $ours / $peer <= 1.3);

# ---------- the first row: time behind the arrival of bytes ----------

my ($first) = best(sub {
	my $plan = decode_json(query('EXPLAIN (ANALYZE, FORMAT json) SELECT id, name, revenue, employees, created FROM records LIMIT 1'))->[0]{Plan};
	my $scan = $plan->{'Node Type'} eq 'Foreign Scan' ? $plan : $plan->{Plans}[0];
	return $scan->{'Actual Startup Time'} - $scan->{Waiting};
});
report('foreign-first-row', sprintf('%.2fms', $first), '10ms', $first / 10, '<1', $first < 10);

# ---------- a few rows of a million ----------

HTTP::Tiny->new->get("$url/control/reset");
my ($few) = timed('SELECT id, name FROM million LIMIT 10');
my $requests = @{ decode_json(HTTP::Tiny->new->get("$url/control/seen")->{content}) };
report('foreign-limit-10', "${requests}request", '1request', $requests, '<=1', $requests == 1);
