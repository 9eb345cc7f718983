# Hundreds of runs in one worker, successful and failing: its memory and its open
# files stay as they are.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'needs /proc' unless -r "/proc/$$/status";
my $node = PostgreSQL::Test::Cluster->new('leaks');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'appflow'\nappflow.max_workers = 1\nshared_buffers = 16MB\n");
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/$_" for qw(source target errors);
mkdir "$root/source/$_" for qw(one good bad mixed text);
append_to_file("$root/source/one/1.jsonl", qq({"id":1,"name":"Ann"}\n));
append_to_file("$root/source/good/$_.jsonl", join '', map { qq({"id":$_,"name":"name $_"}\n) } 1 .. 200) for 1 .. 3;
append_to_file("$root/source/bad/1.jsonl", qq({"id":1,"name":"Ann"}\n) x 100 . qq({"id":));
append_to_file("$root/source/mixed/1.jsonl", qq({"id":1,"name":"Ann"}\n{"id":"x","name":"Bob"}\n));
append_to_file("$root/source/text/1.jsonl", qq({"id":"x","name":"Bob"}\n));

sub query { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }

sub until_true
{
	my ($sql, $seconds) = @_;
	my $end = time + ($seconds || 60);
	while (time < $end)
	{
		return 1 if query("SELECT $sql") eq 't';
		sleep 0.1;
	}
	die "waited in vain for $sql\n";
}

my $table_source = q({"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
	"sourceConnectorProperties": {"CustomConnector": {"entityName": "public.plain"}}});

sub s3
{
	my ($prefix) = @_;
	return qq({"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "source",
		"bucketPrefix": "$prefix", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}});
}

sub table
{
	my ($name, $errors) = @_;
	$errors = $errors ? q(, "errorHandlingConfig": {"bucketName": "errors"}) : '';
	return qq({"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.$name"$errors}}});
}

sub objects
{
	my ($type, $bucket) = @_;
	$bucket ||= 'target';
	return qq({"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "$bucket",
		"bucketPrefix": "$type", "s3OutputFormatConfig": {"fileType": "$type"}}}});
}

query(qq{
	CREATE EXTENSION appflow;
	SELECT appflow.create_object_store('local', 'file://$root');
	CREATE TABLE plain AS SELECT id, 'name ' || id AS name FROM generate_series(1, 500) id;
	CREATE TABLE good (id int PRIMARY KEY, name text);
	CREATE TABLE gated (id int, name text);
	CREATE TABLE gate AS SELECT 0 AS opened;
	CREATE SEQUENCE gates;
	CREATE FUNCTION gate_trigger() RETURNS trigger LANGUAGE plpgsql AS \$\$
	DECLARE
		number int := nextval('public.gates');
	BEGIN
		WHILE (SELECT opened FROM public.gate) < number LOOP
			PERFORM pg_sleep(0.02);
		END LOOP;
		RETURN NULL;
	END\$\$;
	CREATE TRIGGER gate AFTER INSERT ON gated FOR EACH STATEMENT EXECUTE FUNCTION gate_trigger();
});
my %flow = (
	gate => [ s3('one'), table('gated') ],
	good_upsert => [ s3('good'), table('upserted') ],
	good_csv => [ s3('good'), objects('CSV') ],
	good_json => [ $table_source, objects('JSON') ],
	good_parquet => [ s3('good'), objects('PARQUET') ],
	good_mixed => [ s3('mixed'), table('mixed', 1) ],
	bad_object => [ s3('bad'), table('mixed') ],
	bad_to_csv => [ s3('bad'), objects('CSV') ],
	bad_to_parquet => [ s3('bad'), objects('PARQUET') ],
	bad_records => [ s3('text'), table('mixed', 1) ],
	bad_table => [ s3('good'), table('missing') ],
	bad_bucket => [ $table_source, objects('JSON', 'nowhere') ]);
query('CREATE TABLE mixed (id int, name text); CREATE TABLE upserted (id int, name text)');
foreach my $name (sort keys %flow)
{
	my ($source, $destination) = @{ $flow{$name} };
	query(qq{SELECT appflow.create_flow('{"flowName": "$name", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": $source, "destinationFlowConfigList": [$destination],
		"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"},
			{"taskType": "Map", "sourceFields": ["name"], "destinationField": "name"}]}')});
}

sub start_all
{
	my ($times, @names) = @_;
	query(join ';', map { my $name = $_; qq{SELECT appflow.start_flow('{"flowName": "$name"}') FROM generate_series(1, $times)} } @names);
	return;
}

my @good = grep { /^good/ } sort keys %flow;
my @bad = grep { /^bad/ } sort keys %flow;

# carry out runs, up to another gate: what the worker holds while it stands there
sub round
{
	my ($times, @names) = @_;
	start_all($times, @names);
	start_all(1, 'gate');
	query('UPDATE gate SET opened = opened + 1');
	until_true(q{(SELECT count(*) = 1 FROM appflow.flow_progress) AND EXISTS (SELECT 1 FROM pg_stat_activity
		WHERE wait_event = 'PgSleep' AND backend_type = 'appflow worker')}, 200);
	my $pid = query('SELECT pid FROM appflow.flow_progress');
	my ($memory) = slurp_file("/proc/$pid/status") =~ /RssAnon:\s+(\d+) kB/;
	my @files = map { readlink($_) || '' } glob "/proc/$pid/fd/*";
	@files = grep { m{^\Q$root\E|^socket|^pipe|^anon} } @files;
	return { pid => $pid, memory => $memory, files => scalar(@files) };
}

start_all(1, 'gate');
until_true(q{EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND backend_type = 'appflow worker')});
my $warm = round(8, @good, @bad);
my $good = round(60, @good);
my $bad = round(34, @bad);
query('UPDATE gate SET opened = opened + 1');
until_true('NOT EXISTS (SELECT 1 FROM appflow.flow_progress)');

is($good->{pid}, $warm->{pid}, 'one worker carries out all');
is($bad->{pid}, $warm->{pid}, 'failing runs do not end it');
is(query(q{SELECT string_agg(DISTINCT execution_status, ' ') FROM appflow.flow_executions WHERE flow_name LIKE 'good%'}), 'Successful', 'the good ones succeed');
is(query(q{SELECT string_agg(DISTINCT execution_status, ' ') FROM appflow.flow_executions WHERE flow_name LIKE 'bad%'}), 'Error', 'the bad ones fail');
cmp_ok(query(q{SELECT count(*) FROM appflow.flow_executions}), '>=', 500, 'hundreds of runs');
note("memory: $warm->{memory} kB warm, $good->{memory} kB after 300 runs, $bad->{memory} kB after 200 failing ones; files: $warm->{files}, $good->{files}, $bad->{files}");
cmp_ok($good->{memory} - $warm->{memory}, '<', 1024, 'memory stays as it is over successful runs');
cmp_ok($bad->{memory} - $good->{memory}, '<', 1024, 'memory stays as it is over failing runs');
cmp_ok($good->{files}, '<=', $warm->{files}, 'so do open files over successful runs');
cmp_ok($bad->{files}, '<=', $warm->{files}, 'and over failing runs');
is_deeply([ glob "$root/.appflow/*" ], [], 'nothing is left staged');
done_testing();
