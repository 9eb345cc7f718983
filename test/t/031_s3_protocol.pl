# Object stores over the S3 protocol, against @20minutes/s3rver behind a proxy that
# checks what s3rver does not, and breaks what is asked for (test/simulators/s3).

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

$ENV{NODE_NO_WARNINGS} = 1;
my $tests = $ENV{APPFLOW_TEST_DIR};
my $objects = PostgreSQL::Test::Utils::tempdir;

# ---------- the server ----------

# a package variable: closing the handle waits for the process, so END must come before
our $output;
my $server = open($output, '-|', 'node', '--openssl-legacy-provider', "$tests/simulators/s3/server.js", $objects)
  or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the S3 server did not start';
END { kill 'KILL', $server if $server; }

my $http = HTTP::Tiny->new;
sub fault { $http->post("http://127.0.0.1:$port/_fault", { content => encode_json({@_}) }); }
sub no_faults { $http->delete("http://127.0.0.1:$port/_fault"); }
sub ask { return decode_json($http->get("http://127.0.0.1:$port/_$_[0]")->{content}); }
# the requests since the last look
sub requests { return map { "$_->{method} $_->{status}" . ($_->{range} ? " $_->{range}" : '') } @{ ask('log') }; }

sub client
{
	my ($out, $err) = run_command([ 'node', "$tests/simulators/s3/client.js", $port, @_ ]);
	diag($err) if $err;
	return $out;
}

# ---------- the database ----------

my $node = PostgreSQL::Test::Cluster->new('s3');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nlog_min_messages = debug1\n");
my $master_key = PostgreSQL::Test::Utils::tempdir . '/master.key';
append_to_file($master_key, "test:" . '0123456789abcdef' x 4 . "\n");
chmod 0600, $master_key;
$node->append_conf('postgresql.conf', "appflow.master_key = 'file:$master_key'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}
sub value { return $node->safe_psql('postgres', $_[0]); }

my $secret = 'S3RVER';
value("SELECT appflow.create_object_store('s3', 'http://127.0.0.1:$port', '{lake,out}', access_key_id => 'S3RVER', secret_access_key => '$secret')");

# ---------- registration ----------

like(error_of("SELECT appflow.create_object_store('x', '$_')"), qr/^WF400: endpoint of object store "x" is not valid/, "no endpoint: $_")
	foreach ('ftp://host', 'https://', 'https://user:pw@host', 'https://host/path', 'https://host?x=1', 'https://host#x', 'no url at all');
like(error_of("SELECT appflow.create_object_store('x', 'https://host', access_key_id => 'a')"), qr/^WF400: access_key_id and secret_access_key must be given together/, 'half a key');
like(error_of("SELECT appflow.create_object_store('x', 'https://host', session_token => 'a')"), qr/^WF400: session_token needs/, 'a token without keys');
like(error_of("SELECT appflow.create_object_store('x', region => 'eu west')"), qr/^WF400: "eu west" is not a valid region/, 'a bad region');
is(value("SELECT access_key_id, has_credentials, path_style FROM appflow.object_stores WHERE name = 's3'"), '****|t|', 'a short key id is not shown');
value("SELECT appflow.create_object_store('aws', NULL, '{nobody-has-this}', 'eu-west-3', 'AKIDTESTTESTTESTWXYZ', 'planted-secret-1', 'planted-token-1')");
is(value("SELECT access_key_id FROM appflow.object_stores WHERE name = 'aws'"), '****WXYZ', 'of a long one the end');
unlike(value("SELECT s::text FROM appflow.object_stores s"), qr/planted/, 'secrets are in no view');
my ($dump) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
unlike($dump, qr/planted|AKIDTEST/, 'nor in a dump');
value("DELETE FROM appflow.secret WHERE name = 'aws'");
like(error_of("SELECT * FROM appflow.list_objects('nobody-has-this')"), qr/^WF401: credentials of object store "aws" are missing/, 'a restored store does not use the credentials of the server');

# ---------- small objects, keys of all kinds ----------

my @keys = ('plain', 'a b', 'a+b', 'a%20b', 'a=b&c', 'ümläut/日本', q{qu"o't<e>}, 'a:b@c,d;e!', 'x*(y)~z', 'dir/file.json', '#?', '$[]{}|^`\\');
foreach my $key (@keys)
{
	(my $quoted = $key) =~ s/'/''/g;
	value("SELECT appflow.write_object('lake', E'' || \$q\$$key\$q\$, convert_to(\$q\$value of $key\$q\$, 'UTF8'), 'text/csv')");
	is(value("SELECT convert_from(appflow.read_object('lake', \$q\$$key\$q\$), 'UTF8')"), "value of $key", "written and read: $key");
	is(client('get', 'lake', $key), length("value of $key") . ' ' . sha256_hex("value of $key") . ' text/csv', 'as the SDK reads it');
}
my @listed = split /\n/, value("SELECT key FROM appflow.list_objects('lake')");
is_deeply([ sort @listed ], [ sort @keys ], 'all are listed by their names');
is(value("SELECT key FROM appflow.list_objects('lake', 'a+')"), 'a+b', 'a prefix with a plus');
is(value("SELECT size, last_modified BETWEEN now() - interval '5 minutes' AND now() + interval '1 minute' FROM appflow.list_objects('lake', 'plain')"), '14|t', 'size and time');
client('put', 'lake', 'from the SDK/ü', 'hello');
is(value("SELECT convert_from(appflow.read_object('lake', 'from the SDK/ü'), 'UTF8')"), 'hello', 'what the SDK wrote');
value("SELECT appflow.write_object('lake', 'empty', '')");
is(value("SELECT length(appflow.read_object('lake', 'empty'))"), '0', 'an empty object');
value("SELECT appflow.delete_object('lake', 'empty'), appflow.delete_object('lake', 'empty')");
like(error_of("SELECT appflow.read_object('lake', 'empty')"), qr/^WF404: object "empty" does not exist in bucket "lake"/, 'deleted');
value("SELECT appflow.write_object('lake', 'folder/', '')");
is(value("SELECT count(*) FROM appflow.list_objects('lake', 'folder/')"), '0', 'folder markers are left out');

# ---------- errors ----------

like(error_of("SELECT appflow.read_object('lake', 'nothing')"), qr/^WF404: object "nothing" does not exist in bucket "lake"/, 'no such key');
value("SELECT appflow.alter_object_store('s3', buckets => '{lake,out,missing}')");
like(error_of("SELECT $_"), qr/^WF404: bucket "missing" does not exist in object store "s3"/, "no such bucket: $_")
	foreach ("* FROM appflow.list_objects('missing')", "appflow.read_object('missing', 'x')", "appflow.write_object('missing', 'x', 'x')", "appflow.delete_object('missing', 'x')");
value("SELECT appflow.alter_object_store('s3', access_key_id => 'S3RVER', secret_access_key => 'wrong')");
like(error_of("SELECT appflow.read_object('lake', 'plain')"), qr/^WF401: could not read object "plain" of bucket "lake": SignatureDoesNotMatch/, 'a wrong secret');
value("SELECT appflow.alter_object_store('s3', access_key_id => 'AKIDNOBODY', secret_access_key => 'S3RVER')");
like(error_of("SELECT appflow.read_object('lake', 'plain')"), qr/^WF401: could not read object "plain" of bucket "lake": InvalidAccessKeyId/, 'a wrong key id');
value("SELECT appflow.alter_object_store('s3', access_key_id => 'S3RVER', secret_access_key => 'S3RVER')");

fault(answer => { status => 403, code => 'AccessDenied', message => 'Access Denied' });
like(error_of("SELECT appflow.read_object('lake', 'plain')"), qr/^WF403: could not read object "plain" of bucket "lake": AccessDenied: Access Denied/, 'no permission');
foreach my $answer (
	{ status => 301, code => 'PermanentRedirect', headers => { 'x-amz-bucket-region' => 'eu-west-1' } },
	{ status => 400, code => 'AuthorizationHeaderMalformed', more => '<Region>eu-west-1</Region>' })
{
	fault(answer => $answer);
	like(error_of("SELECT appflow.read_object('lake', 'plain')"), qr/^WF400: bucket "lake" is in region "eu-west-1", but object store "s3" uses region "us-east-1"/, "another region: $answer->{status}");
}
fault(answer => { status => 200, body => '<html>', headers => {} }, path => 'list-type');
like(error_of("SELECT * FROM appflow.list_objects('lake')"), qr/^WF502: could not list bucket "lake"/, 'a list that is none');
fault(answer => { status => 418, body => 'short and stout' });
like(error_of("SELECT appflow.read_object('lake', 'plain')"), qr/^WF502: .*the answer has status 418/, 'a status without words');

# ---------- retries ----------

requests();
fault(answer => { status => 503, code => 'SlowDown' }, times => 2);
is(value("SELECT convert_from(appflow.read_object('lake', 'plain'), 'UTF8')"), 'value of plain', 'SlowDown passes');
is(join(',', requests()), 'GET 503,GET 503,GET 200', 'by repeating');
fault(answer => { status => 500, code => 'InternalError' }, times => 9);
like(error_of("SET appflow.max_retries = 2; SELECT appflow.read_object('lake', 'plain')"), qr/^WF502: .*InternalError/, 'not for ever');
is(scalar(requests()), 3, 'as often as the setting says');
no_faults();
fault(answer => { status => 429, code => 'TooManyRequests', headers => { 'retry-after' => '1' } });
my $start = time;
value("SELECT appflow.read_object('lake', 'plain')");
ok(time - $start >= 1, 'Retry-After is honoured');
fault(answer => { status => 429, code => 'TooManyRequests', headers => { 'retry-after' => '99999' } });
like(error_of("SELECT appflow.read_object('lake', 'plain')"), qr/^WF429: /, 'unless it asks for too much');
fault(answer => { status => 400, code => 'RequestTimeout' }, method => 'PUT');
value("SELECT appflow.write_object('lake', 'retried', 'x')");
is(value("SELECT appflow.read_object('lake', 'retried')"), '\x78', 'a code may pass though its status does not say so');
fault(cut => 0, method => 'PUT');
value("SELECT appflow.write_object('lake', 'retried', 'y')");
is(value("SELECT appflow.read_object('lake', 'retried')"), '\x79', 'an answer that was lost');

# ---------- long lists ----------

value("SELECT appflow.write_objects('out', array_agg('many/' || lpad(n::text, 5, '0')), array_agg('x'::bytea)) FROM generate_series(1, 2100) n");
requests();
is(value(q{SELECT count(*), count(DISTINCT key), bool_and(key > before) FROM
	(SELECT key, lag(key) OVER () AS before FROM appflow.list_objects('out', 'many/')) l}), '2100|2100|t', 'three pages');
is(scalar(requests()), 3, 'three requests');

# ---------- large objects ----------

# 27 MB: three parts and a rest; incompressible
my $large = q{(SELECT string_agg(sha256(n::text::bytea), ''::bytea ORDER BY n) FROM generate_series(1, 850000) n)};
value("CREATE TABLE large AS SELECT $large AS contents");
my $size = value('SELECT length(contents) FROM large');
my $digest = value("SELECT encode(sha256(contents), 'hex') FROM large");
# two parts and a rest
value('CREATE TABLE medium AS SELECT substr(contents, 1, 17000000) AS contents FROM large');
requests();
value("SELECT appflow.write_object('out', 'large', contents) FROM large");
is(join(',', sort(requests())), 'POST 200,POST 200,PUT 200,PUT 200,PUT 200,PUT 200', 'four parts');
is(client('get', 'out', 'large'), "$size $digest application/octet-stream", 'as the SDK reads it');
requests();
is(value("SELECT encode(sha256(appflow.read_object('out', 'large')), 'hex')"), $digest, 'as we read it');
is(join(',', requests()), 'GET 200', 'with one request');
is_deeply(ask('uploads'), [], 'no upload is left');

# broken off twice, and resumed where it was
fault(cut => 5_000_000, path => '/large');
fault(cut => 10_000_000, path => '/large');
is(value("SELECT encode(sha256(appflow.read_object('out', 'large')), 'hex')"), $digest, 'broken off, and whole');
my @ranges = requests();
ok(@ranges == 3 && $ranges[1] =~ /^GET 206 bytes=(\d+)-$/ && $1 > 4_000_000 && $1 <= 5_000_000, "resumed: @ranges");
fault(cut => 0, path => '/large', times => 50);
like(error_of("SET appflow.max_retries = 1; SELECT appflow.read_object('out', 'large')"), qr/^WF502: request to "http:\/\/127.0.0.1:$port\/out\/large" failed/, 'not for ever without progress');
no_faults();
requests();

# replaced in the middle
fault(cut => 5_000_000, path => '/large');
fault(answer => { status => 412, code => 'PreconditionFailed' }, path => '/large');
like(error_of("SELECT appflow.read_object('out', 'large')"), qr/^WF502: object "large" of bucket "out" was changed while it was read/, 'an object that was replaced');
fault(cut => 5_000_000, path => '/large');
fault(answer => { status => 200, body => 'all of it anew' }, path => '/large');
like(error_of("SELECT appflow.read_object('out', 'large')"), qr/^WF502: .*the server does not send ranges/, 'a server without ranges');

# a part that fails, and one that fails for good
requests();
fault(answer => { status => 500, code => 'InternalError' }, path => 'partNumber=2');
value("SELECT appflow.write_object('out', 'large again', contents) FROM large");
is(value("SELECT encode(sha256(appflow.read_object('out', 'large again')), 'hex')"), $digest, 'a part is repeated');
fault(answer => { status => 403, code => 'AccessDenied' }, path => 'partNumber=3');
like(error_of("SELECT appflow.write_object('out', 'failed', contents) FROM large"), qr/^WF403: could not write object "failed" of bucket "out": AccessDenied/, 'a part that is refused');
is_deeply(ask('uploads'), [], 'the upload is aborted');
like(error_of("SELECT appflow.read_object('out', 'failed')"), qr/^WF404/, 'and nothing is there');

# 200 with an error for a body
fault(answer => { status => 200, code => 'InternalError', message => 'We encountered an internal error.' }, method => 'POST', path => 'uploadId=');
value("SELECT appflow.write_object('out', 'completed', contents) FROM large");
is(value("SELECT encode(sha256(appflow.read_object('out', 'completed')), 'hex')"), $digest, 'completed after a 200 that was an error');
fault(answer => { status => 200, code => 'InvalidPart', message => 'no' }, method => 'POST', path => 'uploadId=');
like(error_of("SELECT appflow.write_object('out', 'failed', contents) FROM large"), qr/^WF502: could not write object "failed" of bucket "out": InvalidPart: no/, 'a 200 that is an error for good');
is_deeply(ask('uploads'), [], 'the upload is aborted');
fault(answer => { status => 503, code => 'SlowDown' }, after => JSON::PP::true, method => 'POST', path => 'uploadId=');
value("SELECT appflow.write_object('out', 'lost answer', contents) FROM large");
is(value("SELECT encode(sha256(appflow.read_object('out', 'lost answer')), 'hex')"), $digest, 'completed, though the answer was lost');

# many at a time share their memory
value("CREATE TABLE many AS SELECT 'side/' || n AS key, convert_to(repeat(n || ',', 120000), 'UTF8') AS contents FROM generate_series(1, 60) n");
requests();
value("SELECT appflow.write_objects('out', array_agg(key), array_agg(contents)) FROM many");
is(value("SELECT count(*) FROM many WHERE appflow.read_object('out', key) = contents"), '60', 'sixty side by side');
value("SELECT appflow.write_objects('out', '{m/1,m/2,m/3}', ARRAY[contents, contents, contents]) FROM medium");
is(value("SELECT count(*) FROM unnest('{m/1,m/2,m/3}'::text[]) key, medium WHERE appflow.read_object('out', key) = contents"), '3', 'three large ones side by side');
is(value("SELECT count(*) FROM pg_ls_dir('base', true, false) d, pg_ls_dir('base/' || d) f WHERE d = 'pgsql_tmp'"), '0', 'no temporary file is left');
requests();
fault(answer => { status => 403, code => 'AccessDenied' }, method => 'PUT', path => 'm/6.*partNumber=2');
like(error_of("SELECT appflow.write_objects('out', '{m/4,m/5,m/6}', ARRAY[contents, contents, contents]) FROM medium"), qr/^WF403/, 'one of three fails');
is_deeply(ask('uploads'), [], 'all are aborted');
is(value("SELECT count(*) FROM appflow.list_objects('out', 'm/')"), '3', 'and none is there');

# ---------- cancel ----------

sub cancelled_after
{
	my ($timeout, $name, $sql, @fault) = @_;
	fault(@fault);
	my $before = time;
	my $error = error_of("SET statement_timeout = '${timeout}s'; $sql");
	my $took = time - $before;
	like($error, qr/^57014: canceling statement due to statement timeout/, "$name: cancelled");
	# the faults last for ever; how soon exactly depends on what else the machine does
	ok($took < 10, sprintf('%s: after %.0f ms', $name, ($took - $timeout) * 1000));
	no_faults();
}
sub cancelled { return cancelled_after(0.5, @_); }
# starting psql is part of the time
cancelled('no answer', "SELECT appflow.read_object('lake', 'plain')", hang => 'headers');
cancelled('no answer to a list', "SELECT * FROM appflow.list_objects('lake')", hang => 'headers');
cancelled('half a body', "SELECT appflow.read_object('out', 'large')", hang => 1_000_000);
cancelled('a trickle', "SELECT appflow.read_object('out', 'large')", trickle => 20);
cancelled('between retries', "SELECT appflow.read_object('lake', 'plain')", answer => { status => 503, code => 'SlowDown', headers => { 'retry-after' => 30 } }, times => 9);
# by then the first part is there and the second hangs, on a busy machine too
cancelled_after(4, 'while sending', "SELECT appflow.write_object('out', 'cancelled', contents) FROM medium", hang => 'headers', path => 'partNumber=2');
is_deeply(ask('uploads'), [], 'a cancelled upload is aborted');
like(error_of("SET appflow.idle_timeout = '300ms'; SET appflow.max_retries = 0; SELECT appflow.read_object('lake', 'plain')"), qr/^no error/, 'a quick answer is in time');
fault(hang => 'headers', times => 9);
$start = time;
like(error_of("SET appflow.idle_timeout = '300ms'; SET appflow.max_retries = 1; SELECT appflow.read_object('lake', 'plain')"), qr/^WF502: request to ".*" was given up: the service did not answer in time/, 'silence is given up');
ok(time - $start > 0.6 && time - $start < 10, 'after one repetition');
no_faults();

# ---------- sweep ----------

# what a killed backend leaves
fault(hang => 'headers', path => 'partNumber=2', times => 9);
foreach my $key ('flows/run-77/a', 'flows/run-78/b', 'elsewhere/run-77/c')
{
	my $pid = fork;
	if ($pid == 0)
	{
		open STDERR, '>', '/dev/null';
		exec 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SELECT appflow.write_object('out', '$key', contents) FROM medium";
	}
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%$key%' AND pid <> pg_backend_pid() AND wait_event_type = 'Extension'");
	for (1 .. 300) { last if grep { $_->{url} =~ /\Q$key\E\?.*partNumber=2/ } @{ ask('log') }; Time::HiRes::sleep(0.1); }
	value("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%$key%' AND pid <> pg_backend_pid()");
	waitpid $pid, 0;
}
no_faults();
is_deeply(ask('uploads'), [], 'termination aborts uploads too');

# made by hand, as a crash would leave them
fault(answer => { status => 500, code => 'InternalError' }, method => 'DELETE', path => 'uploadId', times => 99);
fault(answer => { status => 403, code => 'AccessDenied' }, path => 'partNumber', times => 99);
error_of("SELECT appflow.write_object('out', '$_', contents) FROM medium")
	foreach map { ("flows/run-77/$_", "flows/run-78/$_") } 1 .. 3;
error_of("SELECT appflow.write_object('out', 'elsewhere/run-77/x', contents) FROM medium");
no_faults();
is(scalar(@{ ask('uploads') }), 7, 'uploads that nobody aborted');
value("SELECT appflow.remove_staged_objects('out', 'run-77', 'flows/')");
is(join(' ', sort @{ ask('uploads') }), 'elsewhere/run-77/x flows/run-78/1 flows/run-78/2 flows/run-78/3', 'those of the run below the prefix are gone');

# ---------- policy ----------

like(error_of("SET appflow.allow_local_endpoints = off; SELECT appflow.read_object('lake', 'plain')"),
	qr/^WF400: request to "http:\/\/127.0.0.1:$port\/lake\/plain" is not allowed/, 'loopback is refused');
foreach my $host ('localhost', '[::1]', '0.0.0.0', '127.1.2.3', '[::ffff:127.0.0.1]', '169.254.169.254', '2130706433', '0x7f.1')
{
	my ($made) = error_of("SELECT appflow.create_object_store('p', 'http://$host:$port', '{policy}', access_key_id => 'a', secret_access_key => 'b'); SET appflow.allow_local_endpoints = off; SET appflow.max_retries = 0; SELECT appflow.read_object('policy', 'x')");
	like($made, qr/^WF400: request to ".*" is not allowed: its address is this machine's own or link-local/, "refused: $host");
	value("SELECT appflow.drop_object_store('p')");
}
value('CREATE ROLE plain LOGIN; GRANT USAGE ON SCHEMA appflow TO plain; GRANT EXECUTE ON FUNCTION appflow.read_object TO plain; SELECT appflow.grant_object_store(name, $$plain$$) FROM appflow.object_stores');
like(error_of("SET ROLE plain; SELECT appflow.read_object('lake', 'plain'); SET appflow.allow_local_endpoints = on"), qr/^42501: permission denied to set parameter/, 'only administrators allow it');
like(error_of("SELECT appflow.read_object('lake', 'plain'); SET appflow.allow_local_endpoints = off; SELECT appflow.read_object('lake', 'plain')"), qr/^WF400: request/, 'a connection that is open already does not help');
is(value("SELECT appflow.create_object_store('closed', 'http://127.0.0.1:1', '{closed}', access_key_id => 'a', secret_access_key => 'b')"), '', 'a store that nobody serves');
like(error_of("SET appflow.max_retries = 1; SELECT appflow.read_object('closed', 'x')"), qr/^WF502: request to "http:\/\/127.0.0.1:1\/closed\/x" failed: .*(connect|refused)/i, 'no connection');

# ---------- descriptors ----------

my $fds = value(q{DO $$ BEGIN
	FOR i IN 1..100 LOOP
		PERFORM appflow.read_object('lake', 'plain');
		BEGIN PERFORM appflow.read_object('lake', 'nothing'); EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN PERFORM * FROM appflow.list_objects('missing'); EXCEPTION WHEN OTHERS THEN NULL; END;
	END LOOP; END $$;
	CREATE TEMP TABLE descriptor (line text);
	COPY descriptor FROM PROGRAM 'ls -l /proc/$PPID/fd' WITH (DELIMITER E'\x01');
	SELECT count(*) FILTER (WHERE line LIKE '%socket:%') FROM descriptor});
ok($fds <= 6, "few sockets are open: $fds");
is(ask('open') <= 2, 1, 'the server sees no connections of sessions that ended');

# ---------- secrets ----------

my $log = slurp_file($node->logfile);
$log =~ s/^.*(STATEMENT|statement):(?:.|\n(?!\d{4}-))*//mg;
unlike($log, qr/planted|Signature=|AWS4-HMAC/, 'no secret or signature is in the log but in statements');

$node->stop;
done_testing();
