# The connection to a Redshift by its databaseUrl: names that do not resolve, hang or change, TLS that is
# checked, and nothing of the server's own sent there.  A PostgreSQL plays the database.

use strict;
use warnings;

use IO::Socket::INET;
use IO::Socket::IP;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $place = PostgreSQL::Test::Utils::tempdir;
my $tests = $ENV{APPFLOW_TEST_DIR};
foreach my $name (qw(authority other))
{
	run_log([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', "/CN=$name", '-addext', 'subjectAltName=DNS:fine.test', '-keyout', "$place/$name.key", '-out', "$place/$name" ]) or die 'openssl';
}
run_log([ 'cc', '-shared', '-fPIC', '-o', "$place/resolver.so", "$tests/simulators/http/resolver.c", '-ldl' ]) or die 'cc';
append_to_file("$place/hosts", "fine.test 127.0.0.1\nwrong.test 127.0.0.1\nsilent.test 127.0.0.1\nsix.test ::1\n");

my $database = PostgreSQL::Test::Cluster->new('database');
$database->init;
chmod 0600, "$place/authority.key";
$database->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1, ::1'\nssl = on\nssl_cert_file = '$place/authority'\nssl_key_file = '$place/authority.key'\nlog_connections = on\n");
unlink $database->data_dir . '/pg_hba.conf';
append_to_file($database->data_dir . '/pg_hba.conf', "local all all trust\nhostssl all ssl_only 127.0.0.1/32 scram-sha-256\nhost all loader 127.0.0.1/32 scram-sha-256\nhost all loader ::1/128 scram-sha-256\n");
$database->start;
my $port = $database->port;
# connections by TCP go to the port itself, whatever PostgreSQL::Test::Cluster listens on
$database->safe_psql('postgres', q{CREATE ROLE loader LOGIN PASSWORD 'planted-password'; CREATE ROLE ssl_only LOGIN PASSWORD 'planted-password'; CREATE DATABASE dev});
$database->safe_psql('dev', q{CREATE VIEW svv_tables AS SELECT table_schema, table_name, table_type FROM information_schema.tables; CREATE TABLE orders (id int); GRANT ALL ON orders, svv_tables TO PUBLIC});

my $home = PostgreSQL::Test::Utils::tempdir;
append_to_file("$home/.pgpass", "*:*:*:*:planted-password\n");
chmod 0600, "$home/.pgpass";
mkdir "$home/.postgresql";
append_to_file("$home/.postgresql/$_", "no certificate\n") foreach qw(root.crt postgresql.crt postgresql.key);

my $node = PostgreSQL::Test::Cluster->new('connect');
$node->init;
append_to_file("$place/master", "test:" . '0123456789abcdef' x 4 . "\n");
chmod 0600, "$place/master";
$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nappflow.master_key = 'file:$place/master'\nappflow.max_retries = 0\nlog_statement = none\n");
{
	local %ENV = (%ENV, LD_PRELOAD => "$place/resolver.so", RESOLVER_FILE => "$place/hosts", HOME => $home, PGSSLMODE => 'disable', PGPASSWORD => 'planted-password');
	$node->start;
}
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

my $number = 0;
sub profile
{
	my ($url, $user, $password) = @_;
	my $name = 'red' . ++$number;
	my $config = encode_json({ connectorProfileProperties => { Redshift => { bucketName => 'bucket', roleArn => 'arn:aws:iam::123456789012:role/load', databaseUrl => "jdbc:redshift://$url" } },
		connectorProfileCredentials => { Redshift => { username => $user // 'loader', password => $password // 'planted-password' } } });
	$node->safe_psql('postgres', "SELECT appflow.create_connector_profile('$name', 'Redshift', 'Public', connector_profile_config => \$j\$$config\$j\$)");
	return $name;
}
sub tables
{
	my ($name, $settings) = @_;
	my ($stdout, $stderr);
	$node->psql('postgres', "LOAD 'appflow'; " . ($settings // '') . "; \\set VERBOSITY verbose\n\\t on\n\\a\nSELECT string_agg(entity, ' ') FROM appflow.connector_entities('$name')", stdout => \$stdout, stderr => \$stderr);
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : ($stdout =~ /(".*")/)[0] // $stdout;
}
my $there = '"public"."orders"';

# ---------- TLS ----------

# what is told is kept, so a profile is asked once
sub fine { return profile("fine.test:$port/dev"); }
is(tables(fine()), $there, 'by TLS, whatever the server has in its environment and home');
is(tables(profile("fine.test:$port/dev", 'ssl_only')), $there, 'it is TLS');
is(tables(fine(), "SET appflow.ca_bundle = '$place/authority'"), $there, 'a certificate that is checked');
like(tables(fine(), "SET appflow.ca_bundle = '$place/other'"), qr/^WF502: could not connect to Redshift .*certificate verify failed/, 'by an authority that is none of ours');
like(tables(profile("wrong.test:$port/dev"), "SET appflow.ca_bundle = '$place/authority'"), qr/^WF502: could not connect to Redshift .*"fine\.test".*does not match host name "wrong\.test"/, 'for another host');
is(tables(profile("wrong.test:$port/dev")), $there, 'not checked without authorities');
like(tables(fine(), "SET appflow.ca_bundle = '$place/nowhere'"), qr/^WF502: could not connect to Redshift .*nowhere/, 'authorities that are not there');
is(tables(profile("fine.test:$port/dev?ssl=false")), $there, 'no TLS at an address of this machine');
like(tables(profile("fine.test:$port/dev?ssl=false", 'ssl_only')), qr/^WF(401|502): could not connect to Redshift .*no pg_hba.conf entry/, 'it is none');
like(tables(profile("fine.test:$port/dev", 'loader', 'wrong')), qr/^WF401: could not connect to Redshift .*password authentication failed/, 'a wrong password, and no other is tried');

SKIP: {
	skip 'this machine has no IPv6', 2 if !IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
	is(tables(profile("six.test:$port/dev")), $there, 'an address of IPv6');
	is(tables(profile("six.test:$port/dev?ssl=false")), $there, 'which is this machine\'s own, too');
}

# ---------- names ----------

like(tables(profile("nothing.test:$port/dev")), qr{^WF502: request to "redshift://nothing\.test:\d+" failed: Could not resolve host: nothing\.test}, 'a name that does not resolve');
like(tables(profile("fine.test:1/dev")), qr{^WF502: request to "redshift://fine\.test:1" failed: .*(refused|connect)}i, 'nobody listens');
like(tables(fine(), 'SET appflow.allow_local_endpoints = off'), qr{^WF400: request to "redshift://fine\.test:\d+" is not allowed: its address is this machine's own}, 'the policy for endpoints');
is(tables(fine(), "SET appflow.proxy = 'http://127.0.0.1:1'"), $there, 'a proxy for HTTP means nothing here');

# whatever it waits for, a cancel ends it at once
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "listen: $!";
my $silent = $listener->sockport;
foreach my $case ([ 'a name lookup that hangs', 'hang.test:5439/dev' ], [ 'a server that says nothing', "silent.test:$silent/dev" ])
{
	my $name = profile($case->[1]);
	my $input = "SELECT appflow.connector_entities('$name')";
	my ($stdout, $stderr) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT 1', '-c', $input ], '<', \'', '>', \$stdout, '2>', \$stderr);
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%connector_entities(''$name'')' AND state = 'active' AND pid <> pg_backend_pid()");
	sleep 0.3;
	$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%connector_entities(''$name'')' AND pid <> pg_backend_pid()");
	$session->finish;
	like($stderr, qr/canceling statement due to user request/, "a cancel ends $case->[0]");
}
like(tables(profile("silent.test:$silent/dev"), "SET appflow.idle_timeout = '300ms'"), qr/^WF502: the connection at "silent\.test" was given up/, 'a server that says nothing is given up');
like(tables(profile('hang.test:5439/dev'), "SET appflow.connect_timeout = '300ms'"), qr{^WF502: request to "redshift://hang\.test:5439" was given up: the service did not answer in time}, 'a name lookup, too');

unlike(slurp_file($node->logfile), qr/planted-password/, 'no secret in the log');
done_testing();
