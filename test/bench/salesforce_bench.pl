#!/usr/bin/perl
#
# salesforce_bench.pl
#	A million records of Salesforce to a table by Bulk API 2.0: memory of the worker, and
#	time against a script that downloads the job's results and loads them with \copy.
#
#	BENCH_RECORDS changes the number of records.
#
use strict;
use warnings;

use AppflowTest::Stage;
use Cwd qw(getcwd);
use HTTP::Tiny;
use JSON::PP;
use Time::HiRes qw(time sleep);

my $records = $ENV{BENCH_RECORDS} || 1_000_000;
my $stage = AppflowTest::Stage->new(top => getcwd(), pg_config => $ENV{PG_CONFIG}, name => 'appflow-bench');
my $simulator = 0;
$SIG{$_} = sub { kill 'KILL', $simulator if $simulator; $stage->remove; exit 130; } foreach qw(INT TERM HUP);
$stage->add_tests;
my %connection = $stage->start_cluster('salesforce', 'appflow.allow_local_endpoints = on', "appflow.master_key = 'file:" . key() . "'");

$simulator = open(my $output, '-|', 'node', $stage->dir . '/test/simulators/salesforce/server.js') or die "node: $!\n";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die "the simulator did not start\n";
my $url = "http://127.0.0.1:$port";
my $http = HTTP::Tiny->new(timeout => 600);

sub key
{
	my $path = $stage->make_dir('secrets') . '/key';
	open my $file, '>', $path or die "$path: $!\n";
	print $file 'bench:' . '0123456789abcdef' x 4 . "\n";
	close $file;
	chmod 0600, $path;
	my ($user, $group) = (stat $stage->make_dir('secrets'))[ 4, 5 ];
	chown $user, $group, $path;
	return $path;
}

sub control { my ($what, %with) = @_; return $http->post("$url/control/$what", { content => encode_json(\%with) })->{content}; }

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

sub query
{
	my ($sql) = @_;
	my $result = $stage->must_run('env', (map { "$_=$connection{$_}" } keys %connection), 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', $sql);
	chomp $result;
	return $result;
}

sub children
{
	my ($pid) = @_;
	open my $list, '<', "/proc/$pid/task/$pid/children" or return ();
	return split ' ', <$list> || '';
}

# seconds of a flow's run, and the peak memory in MB of its worker
sub run
{
	my ($flow) = @_;
	my ($peak, $start) = (0, time);
	my $postmaster = do { open my $f, '<', "$connection{PGHOST}/data/postmaster.pid" or die; <$f> + 0 };
	my %before = map { $_ => 1 } children($postmaster);
	my $client = psql_start("CALL appflow.run_flow('$flow')");

	while (waitpid($client, 1) == 0)
	{
		foreach my $pid (grep { !$before{$_} } children($postmaster))
		{
			open my $line, '<', "/proc/$pid/cmdline" or next;
			next if (readline($line) // '') !~ /appflow/;
			open my $status, '<', "/proc/$pid/status" or next;
			my ($now) = join('', <$status>) =~ /^VmHWM:\s+(\d+) kB/m;
			$peak = $now if ($now || 0) > $peak;
		}
		sleep 0.01;
	}
	die "the run of $flow failed\n" if $? != 0;
	return (time - $start, $peak / 1024);
}

# what a user would write: a job, its pieces into a file, \copy
sub by_hand
{
	my $start = time;
	my %headers = (Authorization => 'Bearer planted-access', 'Content-Type' => 'application/json');
	my $base = "$url/services/data/v58.0/jobs/query";
	my $job = decode_json($http->post($base, { headers => \%headers, content => '{"operation":"query","query":"SELECT Name, Amount__c, Count__c, When__c, Note__c FROM Big__c"}' })->{content})->{id};
	sleep 0.25 while decode_json($http->get("$base/$job", { headers => \%headers })->{content})->{state} ne 'JobComplete';
	my $file = $stage->make_dir('by-hand') . '/all.csv';
	my $locator = '';
	open my $out, '>:raw', $file or die "$file: $!\n";
	while ($locator ne 'null')
	{
		my $first = 1;
		my $answer = $http->get("$base/$job/results?maxRecords=50000" . ($locator ? "&locator=$locator" : ''), { headers => \%headers,
			data_callback => sub { my ($data) = @_; $data =~ s/^[^\n]*\n// if $first; $first = 0; print $out $data; } });
		$locator = $answer->{headers}{'sforce-locator'};
	}
	close $out or die "$file: $!\n";
	chmod 0644, $file;
	query('TRUNCATE big');
	query("\\copy big FROM '$file' (FORMAT csv, FORCE_NULL (amount, count, at, note))");
	return time - $start;
}

sub flow
{
	my ($name) = @_;
	my $mapped = join ', ', map { my ($from, $to) = @$_; qq({"taskType": "Map", "sourceFields": ["$from"], "destinationField": "$to", "taskProperties": {}}) }
	  [ 'Name', 'name' ], [ 'Amount__c', 'amount' ], [ 'Count__c', 'count' ], [ 'When__c', 'at' ], [ 'Note__c', 'note' ];
	query(qq(SELECT appflow.create_flow('{"flowName": "$name", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "Salesforce", "connectorProfileName": "crm", "sourceConnectorProperties": {"Salesforce": {"object": "Big__c", "dataTransferApi": "BULKV2"}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "destinationConnectorProperties": {"CustomConnector": {"entityName": "public.big"}}}],
		"tasks": [$mapped]}')));
}

sub report
{
	my ($case, $ours, $peer, $ratio, $goal, $good) = @_;
	printf "BENCH %s %s %s %.2f %s %s\n", $case, $ours, $peer, $ratio, $goal, $good ? 'ok' : 'short';
}

query(qq(CREATE EXTENSION appflow;
	SELECT appflow.create_connector_profile('{"connectorProfileName": "crm", "connectorType": "Salesforce", "connectionMode": "Public", "connectorProfileConfig": {
		"connectorProfileProperties": {"Salesforce": {"instanceUrl": "$url"}}, "connectorProfileCredentials": {"Salesforce": {"accessToken": "planted-access", "refreshToken": "planted-refresh"}}}}');
	CREATE TABLE big (name text, amount numeric, count integer, at timestamptz, note text)));
flow('bulk');
control('make-big', count => 10);
my (undef, $idle) = run('bulk');
query('TRUNCATE big');
control('make-big', count => $records);
my ($seconds, $peak) = run('bulk');
my $ours = query('SELECT count(*) || $$ $$ || sum(amount) || $$ $$ || count(note) || $$ $$ || max(at) FROM big');
die "not all records have arrived: $ours\n" if $ours !~ /^$records /;
my $peer = by_hand();
my $theirs = query('SELECT count(*) || $$ $$ || sum(amount) || $$ $$ || count(note) || $$ $$ || max(at) FROM big');
print "flow:    $ours\nby hand: $theirs\nidle worker: $idle MB\n";
die "the records are not the same\n" if $ours ne $theirs;
my $mb = $peak - $idle < 0 ? 0 : $peak - $idle;
report("salesforce-bulk-memory-$records", sprintf('%.1fMB', $mb), '64MB', $mb / 64, '<1.00', $mb < 64);
report("salesforce-bulk-table/copy", sprintf('%.3fs', $seconds), sprintf('%.3fs', $peer), $seconds / $peer, '<=1.20', $seconds / $peer <= 1.2);
kill 'KILL', $simulator;
$stage->remove;
