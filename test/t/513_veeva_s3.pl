# Veeva Vault: files of documents over the S3 protocol, small ones and those of many parts.
use strict;
use utf8;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{NODE_NO_WARNINGS} = 1;
my $objects = PostgreSQL::Test::Utils::tempdir;
our $output;
my $server = open($output, '-|', 'node', '--openssl-legacy-provider', "$ENV{APPFLOW_TEST_DIR}/simulators/s3/server.js", $objects) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the S3 server did not start';
END { kill 'KILL', $server if $server; }

my $app = AppflowTest::RestApps->new('veeva', 'Veeva', 'Veeva', q(appflow.max_retry_delay = '100ms'));
$app->profile('vault', { username => 'me', password => 'planted-veeva' });
$app->sql("SELECT appflow.create_object_store('s3', 'http://127.0.0.1:$port', '{lake,out}', access_key_id => 'S3RVER', secret_access_key => 'S3RVER')");

my $number = 0;
sub extract
{
	my $name = 'files' . ++$number;
	my $definition = {
		flowName => $name, triggerConfig => { triggerType => 'OnDemand' }, sourceFlowConfig => $app->source('vault', 'documents'), tasks => $app->tasks(['id']),
		destinationFlowConfigList => [ { connectorType => 'S3', destinationConnectorProperties => { S3 => { bucketName => 'lake', bucketPrefix => 'vault', s3OutputFormatConfig => { fileType => 'JSON' } } } } ] };
	$definition->{sourceFlowConfig}{sourceConnectorProperties}{Veeva}{includeSourceFiles} = JSON::PP::true;
	$app->sql("SELECT appflow.create_flow(\$j\$" . json_text($definition) . "\$j\$)");
	$app->{node}->psql('postgres', "CALL appflow.run_flow('$name')");
	my $run = decode_json($app->sql("SELECT to_jsonb(e) FROM appflow.flow_executions e WHERE flow_name = '$name'"));
	$run->{keys} = [ map { s{^vault/$name/[^/]*/}{}r } split /\n/, $app->sql("SELECT key FROM appflow.list_objects('lake', 'vault/$name/') ORDER BY key COLLATE \"C\"") ];
	return $run;
}
# a file as it is in the bucket: its size and hash, and as it should be
sub stored { return $app->sql("SELECT size || ' ' || encode(sha256(appflow.read_object('lake', key)), 'hex') FROM appflow.list_objects('lake', 'vault/') WHERE key LIKE '%/$_[0]'"); }
sub wanted { my ($id, $size) = @_; my $unit = "$id-1-0-source|"; return "$size " . $app->sql("SELECT encode(sha256(convert_to(left(repeat('$unit', $size / length('$unit') + 1), $size), 'UTF8')), 'hex')"); }
sub uploads { return scalar @{ decode_json(HTTP::Tiny->new->get("http://127.0.0.1:$port/_uploads")->{content}) }; }

$app->control('seed', { documents => [ { id => 1 }, { id => 3, bytes => 30_000_000, download => 'groß & schön +1.bin' }, { id => 5, bytes => 8 * 1024 * 1024 } ] });
my $run = extract();
is("$run->{execution_status} $run->{records_processed}", 'Successful 3', 'files over the S3 protocol') or diag(json_text($run));
like(join("\n", @{ $run->{keys} }), qr{^1-[^\n]*\n1/1_0/file 1\.pdf\n3/1_0/gro\x{c3}?.*sch.*1\.bin\n5/1_0/file 5\.pdf$}s, '... by their names, with the records');
is(stored('1/1_0/file 1.pdf'), wanted(1, 1001), 'a small one');
is(stored('3/1_0/gro% & sch%1.bin'), wanted(3, 30_000_000), 'one of four parts');
is(stored('5/1_0/file 5.pdf'), wanted(5, 8 * 1024 * 1024), 'one of a part exactly');
is(uploads(), 0, 'no upload is left open');

$app->control('fault?kind=stop&match=documents/3/.*file');
$run = extract();
is("$run->{execution_status} $run->{records_processed}", 'Successful 3', 'one breaks off when parts of it have been sent') or diag(json_text($run));
is(scalar @{ $run->{keys} }, 4, '... and is begun anew');
is(uploads(), 0, '... no upload is left open');

$app->control('reset');
$app->control('fault?kind=stop&n=99&match=documents/5/.*file');
$run = extract();
is($run->{execution_status}, 'Error', 'the last one always breaks off');
is(join("\n", @{ $run->{keys} }), '', '... nothing is left');
is(uploads(), 0, '... and no upload open');

done_testing();
