# Calls that hang in every phase are ended at once by a cancel; bodies that stream
# arrive whole or not at all; pauses that vendors ask for hold for all; and nothing is
# left of any of it: no descriptor, no memory.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use HTTP::Tiny;
use IO::Socket::INET;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $tests = $ENV{APPFLOW_TEST_DIR};
my $place = PostgreSQL::Test::Utils::tempdir;
my @subject = ('-subj', '/CN=localhost');

run_log([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', @subject,
	'-addext', 'subjectAltName=DNS:localhost', '-keyout', "$place/key", '-out', "$place/cert" ]) or die 'openssl';
# one that ends when it begins
append_to_file("$place/names.cnf", "subjectAltName=DNS:localhost\n");
run_log([ 'openssl', 'req', '-newkey', 'rsa:2048', '-nodes', @subject, '-keyout', "$place/old.key", '-out', "$place/old.request" ]) or die 'openssl';
run_log([ 'openssl', 'x509', '-req', '-in', "$place/old.request", '-signkey', "$place/old.key", '-days', '0', '-extfile', "$place/names.cnf", '-out', "$place/old.cert" ]) or die 'openssl';
run_log([ 'cc', '-shared', '-fPIC', '-o', "$place/resolver.so", "$tests/simulators/http/resolver.c", '-ldl' ]) or die 'cc';
append_to_file("$place/authorities", slurp_file("$place/cert") . slurp_file("$place/old.cert"));
append_to_file("$place/hosts", "fine.test 127.0.0.1\n");
$ENV{RESOLVER_FILE} = "$place/hosts";

our $output;
my $server = open($output, '-|', 'node', "$tests/simulators/http/phases.js", map { "$place/$_" } qw(cert key old.cert old.key)) or die "node: $!";
my ($port, $tls, $expired, $dead) = (readline($output) // '') =~ /^ready (\d+) (\d+) (\d+) (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }
my $url = "http://127.0.0.1:$port";

my $node = PostgreSQL::Test::Cluster->new('phases');
$node->init;
append_to_file("$place/master", "test:" . '0123456789abcdef' x 4 . "\n");
chmod 0600, "$place/master";
$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on
appflow.master_key = 'file:$place/master'
appflow.ca_bundle = '$place/authorities'
appflow.max_retry_delay = '50ms'");
{
	local $ENV{LD_PRELOAD} = "$place/resolver.so";
	$node->start;
}
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');
# in sessions of their own: the module has all of appflow in it
$node->safe_psql('postgres', qq{
	CREATE FUNCTION public.upload(url text, pieces int, size int, announced boolean) RETURNS text LANGUAGE c STRICT VOLATILE AS '$ENV{APPFLOW_BUILD}/http_module', 'test_http_upload';
	CREATE FUNCTION public.paced(url text, name text) RETURNS text LANGUAGE c STRICT VOLATILE AS '$ENV{APPFLOW_BUILD}/http_module', 'test_http_paced';
	CREATE FUNCTION public.sockets() RETURNS bigint LANGUAGE sql AS \$\$SELECT count(*) FROM pg_ls_dir('/proc/self/fd') \$\$;
});

sub value { return $node->safe_psql('postgres', $_[0]); }
sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}
sub profile
{
	my ($name, $base, $type, $credentials) = @_;
	my $request = encode_json({
		connectorProfileName => $name, connectorType => $type, connectionMode => 'Public',
		connectorProfileConfig => { connectorProfileProperties => { $type => { instanceUrl => $base } }, connectorProfileCredentials => { $type => $credentials } } });
	value("SELECT appflow.create_connector_profile(\$j\$$request\$j\$)");
}
sub get { my ($name, $path) = @_; return "SELECT appflow.http_get('$name', '/$path')"; }
my %keys = (apiKey => 'planted', applicationKey => 'planted');
profile('plain', $url, 'Datadog', \%keys);
profile('secure', "https://localhost:$tls", 'Datadog', \%keys);
profile('expired', "https://localhost:$expired", 'Datadog', \%keys);
profile('dead', "https://localhost:$dead", 'Datadog', \%keys);
profile('nameless', "http://hang.test:$port", 'Datadog', \%keys);
# a queue of connections that is full, so that nobody gets an answer any more
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "socket: $!";
my @queue = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Proto => 'tcp', Blocking => 0) } 1 .. 8;
profile('full', 'http://127.0.0.1:' . $full->sockport, 'Datadog', \%keys);

# ---------- cancel, in every phase ----------

# A session that is told to begin, is seen to wait, and is then cancelled by
# another: from then on it is measured until it has answered.
sub cancelled
{
	my ($name, $sql) = @_;
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "LOAD '" . ($sql =~ /public\./ ? "$ENV{APPFLOW_BUILD}/http_module" : 'appflow') . "'",
		'-c', "SET application_name = 'cancelled'", '-c', $sql ], '>', \$out, '2>', \$err);
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'cancelled' AND state = 'active'
		AND wait_event_type = 'Extension'}) or die "$name: does not wait: $err";
	# let it come to where it hangs
	select(undef, undef, undef, 0.3);
	my $took = value(q{DO $$ DECLARE began timestamptz := clock_timestamp(); BEGIN
		PERFORM pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'cancelled';
		WHILE EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'cancelled' AND state = 'active') LOOP
			PERFORM pg_stat_clear_snapshot();
			EXIT WHEN clock_timestamp() > began + interval '30 s';
			PERFORM pg_sleep(0.002);
		END LOOP;
		PERFORM set_config('test.took', round(1000 * extract(epoch FROM clock_timestamp() - began))::text, false); END $$;
		SELECT current_setting('test.took')});
	$session->finish;
	like($err, qr/canceling statement due to user request/, "$name: cancelled");
	cmp_ok($took, '<', 1000, "$name: within a second");
	note "$name: $took ms";
}
cancelled('looking the name up', get('nameless', 'tick'));
cancelled('connecting', get('full', 'tick'));
cancelled('TLS', get('dead', 'tick'));
cancelled('before the first byte', get('plain', 'silence'));
cancelled('before the first byte, over TLS', get('secure', 'silence'));
cancelled('after the headers', get('plain', 'headers'));
cancelled('a byte a second', get('plain', 'second-bytes'));
cancelled('a byte a second, over TLS', get('secure', 'second-bytes'));
cancelled('sending', "SELECT public.upload('$url/hold-upload', 1000, 1000000, false)");

# ---------- certificates ----------

is(value("SELECT status FROM appflow.http_get('secure', '/tick')"), 200, 'a certificate of the authorities');
like(error_of(get('expired', 'tick')), qr/^WF502: request to "https:\/\/localhost:$expired\/tick" failed: .*certificate.*expired/i, 'one that has expired');

# ---------- bodies without end ----------

like(error_of(get('plain', 'endless')), qr/^WF502: request to ".*" failed: the answer is too large/, 'a body without end');

# ---------- 401 to the tenth request ----------

profile('tenth', $url, 'Salesforce', { accessToken => 'planted-0', refreshToken => 'planted-refresh' });
# the service's tokens are at /services/oauth2/token
is(value("SELECT count(*) FILTER (WHERE status = 200) FROM generate_series(1, 25) i, LATERAL appflow.http_get('tenth', '/tenth?' || i)"), 25, '25 requests, of which the tenth is answered 401: all are carried out');

# ---------- bodies that stream ----------

sub body { my ($pieces, $size) = @_; return join '', map { chr(ord('a') + $_ % 26) x $size } 0 .. $pieces - 1; }
foreach my $case ([ 1, 10 ], [ 10, 1 ], [ 100, 100_000 ], [ 3, 5_000_000 ], [ 0, 1 ])
{
	my ($pieces, $size) = @$case;
	my $body = body(@$case);
	foreach my $announced ($pieces ? ('true', 'false') : 'false')
	{
		is(value("SELECT public.upload('$url/upload', $pieces, $size, $announced)"), "200 1 $pieces " . length($body) . ' ' . sha256_hex($body),
			"$pieces pieces of $size, length announced $announced");
	}
}
my $body = body(60, 100_000);
is(value("SELECT public.upload('https://localhost:$tls/slow-upload', 60, 100000, false)"), '200 1 60 ' . length($body) . ' ' . sha256_hex($body), 'over TLS, to one who reads slowly');
like(value("SELECT public.upload('$url/no-upload', 2000, 100000, false)"), qr/^413 1 \d+ $/, 'an answer before the end is the answer');
like(error_of("SELECT public.upload('$url/cut-upload', 2000, 100000, false)"), qr/^WF502: request to "\Q$url\E\/cut-upload" failed: /, 'a connection that is cut: an error, and no repetition');
like(error_of("SET appflow.idle_timeout = '500ms'; SELECT public.upload('$url/hold-upload', 1000, 1000000, false)"), qr/^WF502: .* was given up: the service did not answer in time/, 'one who does not read is given up');
# what waits to be sent is bounded: a server that does not read stops the sender
is(value("SELECT public.upload('$url/upload', 1, 1, true); SELECT sum(used_bytes) < 30000000 FROM pg_backend_memory_contexts") =~ s/.*\n//r, 't', 'memory is as ever');

# ---------- pauses by a vendor's own header ----------

HTTP::Tiny->new->get("$url/times");
my ($out, $err) = ('', '');
my $first = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SELECT public.paced('$url/wait', 'vendor')" ], '>', \$out, '2>', \$err);
select(undef, undef, undef, 0.4);
is(value("SELECT public.paced('$url/tick', 'vendor')"), '200 1 1', 'another of the same limit');
$first->finish;
is($out, "200 2 2\n", 'who was told to wait asks again');
my @times = @{ decode_json(HTTP::Tiny->new->get("$url/times")->{content}) };
is(scalar @times, 3, 'three requests');
cmp_ok($times[1] - $times[0], '>=', 1150, 'nobody asks before the time that the header named');
cmp_ok($times[2] - $times[0], '>=', 1150, 'neither');

# ---------- nothing is left ----------

my $all = join ' ', map { "PERFORM quiet(\$q\$$_\$q\$);" } (
	(map { get('plain', $_) } qw(tick endless silence headers second-bytes)), get('secure', 'tick'), get('expired', 'tick'), get('dead', 'tick'),
	(map { "SELECT public.upload('$url/$_', 100, 100000, false)" } qw(no-upload cut-upload hold-upload upload)));
value(q{CREATE FUNCTION public.quiet(statement text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE statement; EXCEPTION WHEN OTHERS THEN NULL; END $$});
# appflow and the module with all of it do not go into one session: calls of the one, then of the other
foreach my $part ([ 'calls', join ' ', grep { !/upload/ } split /(?<=;) /, $all ], [ 'uploads', join ' ', grep { /upload/ } split /(?<=;) /, $all ])
{
	my ($what, $statements) = @$part;
	my $counts = value(qq{
		SET appflow.idle_timeout = '100ms'; SET appflow.connect_timeout = '100ms'; SET appflow.max_retries = 0;
		DO \$d\$ DECLARE before bigint; since bigint; memory bigint; BEGIN
			-- until libcurl's store of connections is as full as it gets
			FOR i IN 1 .. 12 LOOP $statements END LOOP;
			before := public.sockets();
			SELECT sum(total_bytes) INTO memory FROM pg_backend_memory_contexts;
			FOR i IN 1 .. 12 LOOP $statements END LOOP;
			since := public.sockets();
			PERFORM set_config('test.descriptors', (since - before)::text, false),
				set_config('test.memory', ((SELECT sum(total_bytes) FROM pg_backend_memory_contexts) - memory)::text, false);
		END \$d\$;
		SELECT current_setting('test.descriptors'), current_setting('test.memory')::bigint < 2000000});
	my ($descriptors, $memory) = split /\|/, $counts;
	cmp_ok($descriptors, '<=', 1, "$what: no descriptor is left of a hundred that failed");
	is($memory, 't', "$what: nor memory");
}
unlike(slurp_file($node->logfile) =~ s/^[^\n]*(?:STATEMENT|statement):(?:.|\n(?!\d{4}-))*//mgr, qr/planted|TRAP|PANIC|signal 11|was terminated/, 'no secret in the log, no crash');
done_testing();
