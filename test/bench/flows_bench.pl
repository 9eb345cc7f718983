#!/usr/bin/perl
#
# flows_bench.pl
#	Whole runs of flows against what a user would do instead, in the same
#	cluster, over the same data: 200,000 records of 16 fields, 100 MB of JSON
#	lines in ten objects of an embedded store.
#
#	BENCH_RECORDS and BENCH_RUNS change the number of records and of repetitions.
#
use strict;
use warnings;

use AppflowTest::Stage;
use Cwd qw(getcwd);
use File::Find qw(find);
use Time::HiRes qw(time sleep);

my $records = $ENV{BENCH_RECORDS} || 200_000;
my $runs = $ENV{BENCH_RUNS} || 3;
my $objects = 10;
my $copies = 10;				# of each object, for the long run

my $stage = AppflowTest::Stage->new(top => getcwd(), pg_config => $ENV{PG_CONFIG}, name => 'appflow-bench');
$SIG{$_} = sub { $stage->remove; exit 130; } foreach qw(INT TERM HUP);
$stage->add_tests;

my $buckets = $stage->make_dir('buckets');
$stage->make_dir("buckets/$_") foreach qw(bench-in bench-in/accounts bench-in/one bench-in/long bench-out);

# ---------- the data ----------

sub write_objects
{
	my @industries = qw(Agriculture Banking Chemicals Construction Education Energy Finance Retail);
	my @cities = ('Zürich', 'São Paulo', 'Berlin', 'Austin', 'Osaka', 'Nairobi', 'Lyon', 'Pune');
	my @words = split ' ', 'account renewed contract pending review manager asked for a quote on the '
	  . 'larger plan after the summer while support closed both tickets of last week';
	my $number = 0;

	srand(42);
	for (my $object = 0; $object < $objects; $object++)
	{
		my $path = sprintf '%s/bench-in/accounts/%02d.jsonl', $buckets, $object;
		open my $out, '>:raw', $path or die "$path: $!\n";
		for (my $i = 0; $i < $records / $objects; $i++)
		{
			my $n = $number++;
			my $words = join ' ', map { $words[ rand @words ] } 1 .. 11;
			$words .= ' \"as agreed\"' if $n % 10 == 0;
			printf $out '{"id":"0015g%013d","name":"Account %d of %s","account_number":"CD%08d",'
			  . '"industry":"%s","annual_revenue":%.2f,"employees":%d,"phone":"+1 555 %03d %04d",'
			  . '"website":"https://www.customer-%d.example/en","street":"%d Long Example Street","city":"%s",'
			  . '"postal_code":"%05d","country":"%s","active":%s,"created":"20%02d-%02d-%02dT%02d:%02d:%02d.000Z",'
			  . '"modified":"2024-%02d-%02dT%02d:%02d:%02d.000Z","description":"%s"}' . "\n",
			  $n, $n, $words[ $n % @words ], $n, $industries[ rand @industries ], rand(9e7), rand(90000), rand(1000),
			  rand(10000), $n, rand(900), $cities[ rand @cities ], rand(99999),
			  (qw(US DE FR JP BR KE IN CH))[ rand 8 ], (rand(2) < 1 ? 'true' : 'false'), 10 + rand(14),
			  1 + rand(12), 1 + rand(28), rand(24), rand(60), rand(60), 1 + rand(12), 1 + rand(28), rand(24),
			  rand(60), rand(60), $words;
			if ($n == 0)
			{
				# a run that is all but idle
				$out->flush;
				system('cp', $path, "$buckets/bench-in/one/00.jsonl");
			}
		}
		close $out or die "$path: $!\n";
		link $path, sprintf('%s/bench-in/long/%02d.jsonl', $buckets, $_ * $objects + $object) foreach 0 .. $copies - 1;
	}
	system('chmod', '-R', 'a+rX', $buckets);
}

# ---------- measuring ----------

my %connection;

# a psql of its own that runs $sql
sub psql_start
{
	my ($sql) = @_;
	my $pid = fork;
	die "cannot fork: $!\n" unless defined $pid;
	if ($pid == 0)
	{
		$stage->{owner_pid} = 0;	# the parent's to remove
		$SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP);
		$stage->become_user(%connection);
		exec 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', $sql;
		exit 127;
	}
	return $pid;
}

# seconds that a statement takes, its session included; undef when it fails
sub timed
{
	my ($sql) = @_;
	my $start = time;
	waitpid psql_start($sql), 0;
	die "failed: $sql\n" if $? != 0;
	return time - $start;
}

sub query
{
	my ($sql) = @_;
	my $result = $stage->must_run('env', (map { "$_=$connection{$_}" } keys %connection),
		'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', $sql);
	chomp $result;
	return $result;
}

# The least seconds of each of several pieces of work, done in turns so that a
# busy moment of the machine hits all alike.  Each is [ preparation or undef, work ];
# work is SQL, or a function that gives the seconds itself.
sub best
{
	my (@works) = @_;
	my @best;
	for (1 .. $runs)
	{
		for (my $i = 0; $i < @works; $i++)
		{
			my ($prepare, $work) = @{ $works[$i] };
			query($prepare) if $prepare;
			my $seconds = ref $work ? $work->() : timed($work);
			$best[$i] = $seconds if !defined $best[$i] || $seconds < $best[$i];
		}
	}
	return @best;
}

sub high_water
{
	my ($pid) = @_;
	open my $status, '<', "/proc/$pid/status" or return 0;
	while (<$status>)
	{
		return $1 if /^VmHWM:\s+(\d+) kB/;
	}
	return 0;
}

# Peak resident memory, in kB, of the worker that runs the flow: looked at while
# it runs, so what it takes in its last millisecond may escape.
sub peak_of_worker
{
	my ($flow) = @_;
	my ($peak, $worker) = (0, undef);
	my $postmaster = do { open my $f, '<', "$connection{PGHOST}/data/postmaster.pid" or die; <$f> + 0 };
	my %before = map { $_ => 1 } children($postmaster);
	my $client = psql_start("CALL appflow.run_flow('$flow')");
	my %kind;

	while (waitpid($client, 1) == 0)
	{
		foreach my $pid (grep { !$before{$_} } children($postmaster))
		{
			# a process takes its title a moment after it starts
			if (($kind{$pid} || '') !~ /appflow/)
			{
				open my $line, '<', "/proc/$pid/cmdline" or next;
				$kind{$pid} = <$line> || '';
			}
			next unless $kind{$pid} =~ /appflow/;
			my $now = high_water($pid);
			$peak = $now if $now > $peak;
		}
		sleep 0.001;
	}
	die "the run of $flow failed\n" if $? != 0;
	die "no worker was seen during the run of $flow\n" if !$peak;
	return $peak;
}

sub children
{
	my ($pid) = @_;
	open my $list, '<', "/proc/$pid/task/$pid/children" or return ();
	return split ' ', <$list> || '';
}

sub report
{
	my ($case, $ours, $peer, $ratio, $goal, $good) = @_;
	printf "BENCH %s %s %s %.2f %s %s\n", $case, $ours, $peer, $ratio, $goal, $good ? 'ok' : 'short';
}

sub seconds { return sprintf '%.3fs', $_[0]; }

# ---------- the flows ----------

sub s3_source
{
	my ($prefix) = @_;
	return qq({"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "bench-in",
		"bucketPrefix": "$prefix", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}});
}

sub s3_parquet
{
	my ($prefix) = @_;
	return qq([{"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "bench-out",
		"bucketPrefix": "$prefix", "s3OutputFormatConfig": {"fileType": "PARQUET", "preserveSourceDataTyping": true,
		"aggregationConfig": {"aggregationType": "SingleFile"}}}}}]);
}

sub map_all
{
	my ($connector) = @_;
	return qq([{"taskType": "Map_all", "sourceFields": [], "connectorOperator": {"$connector": "NO_OP"}}]);
}

my $five_columns = 'id, name, annual_revenue, employees, created';
my $to_table = q([{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
	"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.five",
		"writeOperationType": "INSERT"}}}]);
my $five_tasks = '[{"taskType": "Filter", "connectorOperator": {"S3": "PROJECTION"}, "sourceFields": ['
  . join(', ', map { qq("$_") } split /, /, $five_columns) . ']}, '
  . join(', ', map {
		qq({"taskType": "Map", "sourceFields": ["$_"], "destinationField": "$_", "connectorOperator": {"S3": "NO_OP"}})
	} split /, /, $five_columns) . ']';

sub create_flow
{
	my ($name, $source, $destinations, $tasks) = @_;
	query(qq(SELECT appflow.create_flow('{"flowName": "$name", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": $source, "destinationFlowConfigList": $destinations, "tasks": $tasks}')));
}

# ---------- the run ----------

write_objects();
%connection = $stage->start_cluster('cluster', 'max_worker_processes = 16', 'max_wal_size = 4GB',
	"shared_buffers = 128MB", 'jit = off');

query(q(CREATE EXTENSION appflow));
query(qq(SELECT appflow.create_object_store('bench', 'file://$buckets', ARRAY['bench-in', 'bench-out'])));
query(q(CREATE UNLOGGED TABLE five (id text, name text, annual_revenue double precision, employees integer,
	created timestamptz)));
query(q(CREATE TABLE accounts (id text, name text, account_number text, industry text,
	annual_revenue double precision, employees integer, phone text, website text, street text, city text,
	postal_code text, country text, active boolean, created timestamptz, modified timestamptz, description text)));

create_flow('five', s3_source('accounts'), $to_table, $five_tasks);
create_flow('five-one', s3_source('one'), $to_table, $five_tasks);
create_flow('five-long', s3_source('long'), $to_table, $five_tasks);
create_flow('table-parquet',
	q({"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
	   "sourceConnectorProperties": {"CustomConnector": {"entityName": "public.accounts"}}}),
	s3_parquet('table'), map_all('CustomConnector'));
create_flow('json-parquet', s3_source('accounts'), s3_parquet('json'), map_all('S3'));
create_flow('json-parquet-one', s3_source('one'), s3_parquet('json-one'), map_all('S3'));
create_flow('json-parquet-long', s3_source('long'), s3_parquet('json-long'), map_all('S3'));

# S3 JSON lines to a table, against COPY and jsonb_to_recordset
{
	my $sums = q(SELECT count(*), count(DISTINCT id), sum(employees), sum(annual_revenue::numeric), max(created),
		md5(string_agg(name, ',' ORDER BY id)) FROM five);
	my $csv = "$buckets/five.csv";
	my $call = q(CALL appflow.run_flow('five'));
	my $copy_from = "COPY five FROM '$csv' (FORMAT csv)";
	my $recordset = qq(INSERT INTO five SELECT r.*
		FROM pg_ls_dir('$buckets/bench-in/accounts') AS f(name),
		LATERAL jsonb_to_recordset(('[' || replace(rtrim(pg_read_file('$buckets/bench-in/accounts/' || f.name), E'\\n'), E'\\n', ',')
			|| ']')::jsonb) AS r(id text, name text, annual_revenue double precision, employees integer, created timestamptz));
	my %sums;

	# all three make the same rows
	$stage->give($buckets);
	query($recordset);
	query("COPY five TO '$csv' (FORMAT csv)");
	my $expected = query($sums);
	die "the data has other than $records records: $expected\n" if $expected !~ /^$records\|$records\|/;
	foreach my $sql ($call, $copy_from)
	{
		query('TRUNCATE five');
		query($sql);
		die "$sql made other rows\n" if query($sums) ne $expected;
	}

	my ($flow, $copy, $jsonb) = best(map { [ 'TRUNCATE five', $_ ] } $call, $copy_from, $recordset);
	report('s3-json-to-table/copy', seconds($flow), seconds($copy), $flow / $copy, '<=1.50', $flow / $copy <= 1.5);
	report('s3-json-to-table/jsonb', seconds($flow), seconds($jsonb), $jsonb / $flow, '>=5.00', $jsonb / $flow >= 5);
}

# to Parquet, against DuckDB
{
	my $parquet = $stage->make_dir('duckdb') . '/accounts.parquet';
	my $duckdb = sub {
		my ($case) = @_;
		my ($status, $output) = $stage->run('node', $stage->dir . '/test/bench/duckdb.mjs', $case,
			"$buckets/bench-in/accounts/*.jsonl", $parquet);
		die "DuckDB failed:\n$output" if $status != 0 || $output !~ /^([0-9.]+) seconds$/m;
		return $1;
	};

	query(qq(INSERT INTO accounts SELECT r.*
		FROM pg_ls_dir('$buckets/bench-in/accounts') AS f(name),
		LATERAL jsonb_to_recordset(('[' || replace(rtrim(pg_read_file('$buckets/bench-in/accounts/' || f.name), E'\\n'), E'\\n', ',')
			|| ']')::jsonb) AS r(id text, name text, account_number text, industry text,
			annual_revenue double precision, employees integer, phone text, website text, street text, city text,
			postal_code text, country text, active boolean, created timestamptz, modified timestamptz, description text)));
	query('VACUUM ANALYZE accounts');
	foreach my $case (qw(table json))
	{
		my ($flow, $peer) = best([ undef, "CALL appflow.run_flow('$case-parquet')" ], [ undef, sub { $duckdb->($case) } ]);
		report("$case-to-parquet/duckdb", seconds($flow), seconds($peer), $flow / $peer, '<=1.20', $flow / $peer <= 1.2);
	}
	find({ no_chdir => 1, wanted => sub { printf "%d %s\n", -s, $_ if -f } }, "$buckets/bench-out");
	printf "%d %s\n", -s $parquet, $parquet;
}

# memory, above a worker with next to nothing to do
foreach my $flow (qw(five json-parquet))
{
	my $idle = peak_of_worker("$flow-one");
	my %peak;
	foreach my $size ([ '', $records ], [ '-long', $records * $copies ])
	{
		query('TRUNCATE five');
		my $mb = (peak_of_worker("$flow$size->[0]") - $idle) / 1024;
		$mb = 0 if $mb < 0;
		$peak{ $size->[1] } = $mb;
		report("memory-$flow-$size->[1]", sprintf('%.1fMB', $mb), '64MB', $mb / 64, '<1.00', $mb < 64);
	}
	printf "idle worker of %s: %.1f MB\n", $flow, $idle / 1024;
}
$stage->remove;
