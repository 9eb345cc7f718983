# Where requests may go: addresses of this machine and of private networks, in all
# their spellings, behind names, behind names that change, behind redirects; and what
# follows a redirect.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tests = $ENV{APPFLOW_TEST_DIR};
my $place = PostgreSQL::Test::Utils::tempdir;

run_log([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
	'-addext', 'subjectAltName=DNS:localhost,DNS:rebind.test', '-keyout', "$place/key", '-out', "$place/cert" ]) or die 'openssl';
run_log([ 'cc', '-shared', '-fPIC', '-o', "$place/resolver.so", "$tests/simulators/http/resolver.c", '-ldl' ]) or die 'cc';

$ENV{RESOLVER_FILE} = "$place/names";
$ENV{REBOUND} = '10.255.255.1';
sub names { open my $file, '>', "$place/names" or die; print $file "$_\n" foreach @_; close $file; }
names('none.test 203.0.113.1');

our $output;
my $server = open($output, '-|', 'node', "$tests/simulators/http/redirects.js", "$place/cert", "$place/key") or die "node: $!";
my ($port, $other, $tls) = (readline($output) // '') =~ /^ready (\d+) (\d+) (\d+)/ or die 'the server did not start';
END { kill 'KILL', $server if $server; }

my $node = PostgreSQL::Test::Cluster->new('policy');
$node->init;
append_to_file("$place/master", "test:" . '0123456789abcdef' x 4 . "\n");
chmod 0600, "$place/master";
$node->append_conf('postgresql.conf', "appflow.master_key = 'file:$place/master'
appflow.ca_bundle = '$place/cert'
appflow.max_retries = 0
appflow.connect_timeout = '200ms'");
{
	local $ENV{LD_PRELOAD} = "$place/resolver.so";
	$node->start;
}
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

sub value { return $node->safe_psql('postgres', $_[0]); }
sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}
my $number = 0;
sub profile
{
	my ($url) = @_;
	my $name = 'profile-' . ++$number;
	my $request = encode_json({
		connectorProfileName => $name, connectorType => 'Datadog', connectionMode => 'Public',
		connectorProfileConfig => {
			connectorProfileProperties => { Datadog => { instanceUrl => $url } },
			connectorProfileCredentials => { Datadog => { apiKey => 'planted-api', applicationKey => 'planted-application' } } } });
	value("SELECT appflow.create_connector_profile(\$j\$$request\$j\$)");
	return $name;
}
sub get { my ($name, $path) = @_; return "SELECT status || ' ' || body FROM appflow.http_get('$name', '$path')"; }
sub seen { return @{ decode_json(HTTP::Tiny->new->get("http://127.0.0.1:$port/seen")->{content}) }; }
sub forget { HTTP::Tiny->new->get("http://127.0.0.1:$port/forget"); }

my $local = qr/^WF400: request to ".*" is not allowed: its address is this machine's own or link-local$/;
my $private = qr/^WF400: request to ".*" is not allowed: its address is one of a private network$/;
my $on = 'SET appflow.allow_local_endpoints = on';

# ---------- addresses, however they are written ----------

like(error_of(get(profile("http://$_:$port"), '/')), $local, "local: $_")
  foreach qw(127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 0.0.0.0 localhost [::1] [::ffff:127.0.0.1] [::ffff:7f00:1] 169.254.169.254
  [fe80::1] [64:ff9b::7f00:1] [fd00:ec2::254]);
like(error_of(get(profile("http://$_:$port"), '/')), $private, "private: $_")
  foreach qw(10.255.255.1 10.16776961 0x0affff01 172.16.0.1 192.168.255.1 100.64.0.1 [::ffff:10.0.0.1] [fd12:3456::1] [fc00::1] [64:ff9b::a00:1] [64:ff9b:1::808:808]);
is(scalar(seen()), 0, 'nobody was connected to');
unlike(error_of("SET appflow.allow_private_networks = on; " . get(profile("http://10.255.255.1:$port"), '/')), $private, 'private networks can be allowed');
like(error_of("SET appflow.allow_private_networks = on; " . get(profile("http://127.0.0.1:$port"), '/')), $local, 'which allows no local address');
like(error_of("$on; " . get(profile("http://10.255.255.1:$port"), '/')), $private, 'nor does the other setting allow private ones');
value('CREATE ROLE plain; GRANT EXECUTE ON FUNCTION appflow.http_get TO plain');
like(error_of("LOAD 'appflow'; SET ROLE plain; SET appflow.$_ = on"), qr/^42501: permission denied to set parameter/, "only administrators: $_")
  foreach qw(allow_local_endpoints allow_private_networks);
like(error_of("SET appflow.proxy = 'http://127.0.0.1:$port'; " . get(profile("http://10.0.0.1"), '/')), $private, 'a proxy does not help');

# ---------- names ----------

names('inside.test 127.0.0.1', 'office.test 192.168.1.1', 'six.test ::1', 'rebind.test 127.0.0.1');
like(error_of(get(profile("http://inside.test:$port"), '/')), $local, 'a name of a local address');
like(error_of(get(profile("http://six.test:$port"), '/')), $local, 'of IPv6');
like(error_of(get(profile("http://office.test:$port"), '/')), $private, 'a name of a private address');
is(value("$on; " . get(profile("http://inside.test:$port"), '/')), '200 there', 'allowed, it works');
my $inside = profile("http://inside.test:$port");
like(error_of("$on; " . get($inside, '/') . '; SET appflow.allow_local_endpoints = off; ' . get($inside, '/')), $local,
	'a connection that is open still does not help');

# a name that was fine and then is not: judged when it is connected to
my $rebind = profile("http://rebind.test:$port");
like(error_of("$on; " . get($rebind, '/') . '; ' . get($rebind, "/rebind?http://rebind.test:$other/")), $private,
	'a name that becomes another address between two requests of one call');
is(scalar(grep { $_->{port} == $other } seen()), 0, 'is not followed there');

# ---------- redirects ----------

my $plain = profile("http://127.0.0.1:$port");
my $secure = profile("https://localhost:$tls");
forget();
is(value("$on; " . get($secure, "/to?https://localhost:$tls/there")), '200 there', 'from https to https');
my @seen = seen();
is($seen[-1]{headers}{'dd-api-key'}, 'planted-api', 'of the same host: with credentials');
is($seen[-1]{headers}{cookie}, undef, 'no cookies are kept');
foreach my $status (301, 302, 303, 307, 308)
{
	like(error_of("$on; " . get($secure, "/to?http://127.0.0.1:$port/there&status=$status")), qr/^WF502: .*it was redirected from https to http$/, "from https to http: $status");
	forget();
	is(value("$on; " . get($plain, "/to?http://127.0.0.1:$other/there&status=$status")), '200 there', "to another port: $status");
	my ($there) = grep { $_->{port} == $other } seen();
	is(join(' ', grep { !/^(host|accept|accept-encoding|user-agent|connection)$/ } sort keys %{ $there->{headers} }), '', 'with no credential and no header of ours');
	unlike(encode_json($there), qr/planted/, 'nor a secret anywhere');
}
is(value("$on; " . get($plain, "/to?https://localhost:$tls/there")), '200 there', 'from http to https');
is((grep { $_->{port} == $tls } seen())[-1]{headers}{'dd-api-key'}, undef, 'is another place: no credentials');
forget();
is(value("$on; " . get($plain, "/to?http://localhost:$port/there")), '200 there', 'to another name of the same address');
is((seen())[-1]{headers}{'dd-api-key'}, undef, 'is another place');
like(error_of("$on; " . get($plain, '/circle')), qr/^WF502: .*it was redirected too often$/, 'in a circle over two hosts');
is(scalar(grep { $_->{headers}{'dd-api-key'} } seen()), 2, 'of which the first request alone had credentials (and one before)');
foreach ([ 'http://10.255.255.1/', $private ], [ 'http://office.test/', $private ], [ 'https://[fd12::1]/', $private ])
{
	my ($target, $expected) = @$_;
	names('office.test 192.168.1.1');
	like(error_of("$on; " . get($plain, "/to?$target")), $expected, "to a private address: $target");
}
like(error_of("$on; " . get($plain, "/to?$_")), qr/^WF502: .*it was redirected to what is no http or https URL$/, "to $_")
  foreach qw(file:///etc/passwd gopher://127.0.0.1/ ftp://127.0.0.1/x dict://127.0.0.1/);

my $log = slurp_file($node->logfile);
$log =~ s/^.*(STATEMENT|statement):(?:.|\n(?!\d{4}-))*//mg;
unlike($log, qr/planted|TRAP|PANIC|signal 11/, 'no secret in the log, no crash');
done_testing();
