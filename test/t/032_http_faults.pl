# Servers that misbehave on purpose: the right error, at once, and nothing is left.

use strict;
use warnings;

use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $tests = $ENV{APPFLOW_TEST_DIR};
my $place = PostgreSQL::Test::Utils::tempdir;

run_log([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
	'-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
	'-keyout', "$place/key", '-out', "$place/cert" ]) or die 'openssl';

# a package variable: closing the handle waits for the process, so END must come before
our $output;
my $server = open($output, '-|', 'node', "$tests/simulators/http/faulty.js", "$place/cert", "$place/key")
  or die "node: $!";
my ($port, $tls, $dead) = (readline($output) // '') =~ /^ready (\d+) (\d+) (\d+)/ or die 'the server did not start';
END { kill 'KILL', $server if $server; }

my $node = PostgreSQL::Test::Cluster->new('http_faults');
$node->init;
$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nappflow.max_retries = 0\n");
my $master_key = PostgreSQL::Test::Utils::tempdir . '/master.key';
append_to_file($master_key, "test:" . '0123456789abcdef' x 4 . "\n");
chmod 0600, $master_key;
$node->append_conf('postgresql.conf', "appflow.master_key = 'file:$master_key'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

sub value { return $node->safe_psql('postgres', $_[0]); }
sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}
sub read_key { return "SELECT convert_from(appflow.read_object('$_[0]', '$_[1]'), 'UTF8')"; }

my $keys = "access_key_id => 'planted-id', secret_access_key => 'planted-secret'";
value("SELECT appflow.create_object_store('plain', 'http://127.0.0.1:$port', '{bbb}', $keys),
	appflow.create_object_store('tls', 'https://localhost:$tls', '{secure}', $keys),
	appflow.create_object_store('tls-name', 'https://127.0.0.1:$tls', '{misnamed}', $keys),
	appflow.create_object_store('dead', 'https://localhost:$dead', '{dead}', $keys),
	appflow.create_object_store('nowhere', 'http://no-such-host.invalid', '{nowhere}', $keys)");

# ---------- wrong answers ----------

is(value(read_key('bbb', 'fine')), 'fine', 'a right one');
is(value(read_key('bbb', 'long')), 'hello', 'more than it says');
is(value("SELECT length(appflow.read_object('bbb', 'gzip')) BETWEEN 20 AND 100"), 't', 'what is stored compressed stays so');
foreach my $case (
	[ 'short', qr/^WF502: request to ".*\/bbb\/short" failed: / ],
	[ 'short-chunk', qr/^WF502: request to ".*\/short-chunk" failed: / ],
	[ 'garbage', qr/^WF502: request to ".*" failed: / ],
	[ 'closed', qr/^WF502: request to ".*" failed: / ],
	[ 'reset', qr/^WF502: request to ".*" failed: / ],
	[ 'endless-headers', qr/^WF502: request to ".*" failed: / ],
	[ 'endless-line', qr/^WF502: request to ".*" failed: / ],
	[ 'endless-100', qr/^WF502: request to ".*" failed: / ],
	[ 'endless-error', qr/^WF403: could not read object "endless-error"/ ],
	[ 'redirect', qr/^WF502: could not read object "redirect" of bucket "bbb": the answer has status 302/ ],
	[ 'redirect-file', qr/^WF502: .*the answer has status 302/ ])
{
	my ($key, $expected) = @$case;
	my $start = time;
	like(error_of(read_key('bbb', $key)), $expected, $key);
	ok(time - $start < 20, "$key: soon");
}
my $seen = decode_json(HTTP::Tiny->new->get("http://127.0.0.1:$port/seen")->{content});
is(scalar(grep { /redirected/ } @$seen), 0, 'redirects are not followed');

# memory stays bounded: the server's memory of such a session is that of any other
value("SELECT appflow.alter_object_store('plain', buckets => '{bbb,endless-list}')");
like(error_of("SELECT * FROM appflow.list_objects('endless-list')"), qr/^WF502: request to ".*" failed: the answer is too large/, 'a list without end');

# ---------- TLS ----------

like(error_of(read_key('secure', 'fine')), qr/^WF502: request to "https:\/\/localhost:$tls\/secure\/fine" failed: .*certificate/i, 'a certificate that nobody vouches for');
$node->append_conf('postgresql.conf', "appflow.ca_bundle = '$place/cert'");
$node->reload;
is(value('SELECT pg_sleep(0.2); ' . read_key('secure', 'fine')), "\nfine", 'with its authority');
like(error_of(read_key('misnamed', 'fine')), qr/^WF502: request to .*failed: .*(name|certificate)/i, 'a certificate of another host');
like(error_of(read_key('nowhere', 'fine')), qr/^WF502: request to "http:\/\/no-such-host.invalid\/nowhere\/fine" failed: .*resolve/i, 'a host without an address');

# ---------- proxy ----------

# the server itself plays the proxy: it answers whatever is asked for
my $proxy = "SET appflow.allow_local_endpoints = off; SET appflow.proxy = 'http://127.0.0.1:$port'";
is(value("$proxy; " . read_key('nowhere', 'fine')), 'fine', 'through a proxy');
$seen = decode_json(HTTP::Tiny->new->get("http://127.0.0.1:$port/seen")->{content});
is($seen->[-1], 'http://no-such-host.invalid/nowhere/fine', 'which is asked for the URL');
like(error_of("$proxy; " . read_key('bbb', 'fine')), qr/^WF400: .*is not allowed/, 'but not for local addresses');
like(error_of("$proxy; SET appflow.no_proxy = '$_'; " . read_key('nowhere', 'fine')), qr/^WF502: .*resolve/i, "past it: $_")
	foreach ('no-such-host.invalid', 'other,.INVALID', 'invalid', '*');
is(value("$proxy; SET appflow.no_proxy = 'host.invalid, valid, no-such-host'; " . read_key('nowhere', 'fine')), 'fine', 'names that only look alike');
like(error_of("$proxy; SET appflow.no_proxy = 'localhost'; " . read_key('secure', 'fine')), qr/^WF400: .*is not allowed/, 'past the proxy the policy holds');
{
	local @ENV{qw(http_proxy https_proxy all_proxy)} = ("http://127.0.0.1:1") x 3;
	$node->restart;
}
is(value(read_key('bbb', 'fine')), 'fine', 'proxies of the environment are not used');

# ---------- time ----------

sub cancelled
{
	my ($name, $sql) = @_;
	my $start = time;
	my $error = error_of("SET statement_timeout = '400ms'; $sql");
	my $took = (time - $start) * 1000 - 400;
	like($error, qr/^57014: canceling statement due to statement timeout/, "$name: cancelled");
	# the faults last for ever; how soon exactly depends on what else the machine does
	cmp_ok($took, '<', 10_000, sprintf('%s: after %.0f ms, with the start of psql', $name, $took));
}
cancelled($_, read_key('bbb', $_)) foreach qw(silence half-status slow-headers trickle);
cancelled('TLS that never begins', read_key('dead', 'fine'));
my $start = time;
like(error_of("SET appflow.connect_timeout = '300ms'; " . read_key('dead', 'fine')), qr/^WF502: request to "https:\/\/localhost:$dead\/dead\/fine" was given up/, 'connecting is given up');
cmp_ok(time - $start, '<', 1, 'in time');
$start = time;
like(error_of("SET appflow.idle_timeout = '300ms'; " . read_key('bbb', 'silence')), qr/^WF502: .* was given up: the service did not answer in time/, 'silence is given up');
cmp_ok(time - $start, '<', 1, 'in time');

# termination, and the postmaster's death, reach a session that waits
my $waiting = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', read_key('bbb', 'silence') ], '>', \my $out, '2>', \my $err);
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Extension'") or die;
$start = time;
value("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Extension'");
$waiting->finish;
like($err, qr/terminating connection due to administrator command/, 'terminated');
cmp_ok(time - $start, '<', 0.5, 'at once');

# ---------- what is left ----------

is(value(q{DO $$ BEGIN
	FOR i IN 1..30 LOOP
		BEGIN PERFORM appflow.read_object('bbb', key) FROM unnest('{short,garbage,reset,endless-error,redirect}'::text[]) key WHERE random() >= 0; EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN PERFORM appflow.read_object('bbb', 'endless-headers'); EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN PERFORM appflow.read_object('bbb', 'redirect'); EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN PERFORM appflow.read_object('misnamed', 'fine'); EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN PERFORM appflow.read_object('bbb', 'short'); EXCEPTION WHEN OTHERS THEN NULL; END;
	END LOOP; END $$;
	CREATE TEMP TABLE descriptor (line text);
	COPY descriptor FROM PROGRAM 'ls -l /proc/$PPID/fd' WITH (DELIMITER E'\x01');
	SELECT count(*) FILTER (WHERE line LIKE '%socket:%') < 8 FROM descriptor}), 't', 'no socket leaks');
is(value(q{SELECT count(*) FROM generate_series(1, 20) i, LATERAL (SELECT appflow.read_object('bbb', 'fine') WHERE i > 0) r}), '20', 'and the session goes on');
is(value("SELECT sum(used_bytes) < 20000000 FROM pg_backend_memory_contexts"), 't', 'memory is what it was');

my $log = slurp_file($node->logfile);
$log =~ s/^.*(STATEMENT|statement):(?:.|\n(?!\d{4}-))*//mg;
unlike($log, qr/planted|Signature=|TRAP|PANIC|signal 11/, 'no secret in the log, no crash');

# with the postmaster gone, no session waits on
$waiting = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', read_key('bbb', 'silence') ], '>', \$out, '2>', \$err);
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Extension'") or die;
$start = time;
$node->kill9;
$waiting->finish;
cmp_ok(time - $start, '<', 1, 'the death of the postmaster ends a session that waits');

done_testing();
