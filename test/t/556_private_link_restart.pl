# A check of a private connection that the server's end has cut off is made again by a server that
# preloads the extension; runs and checks do not keep each other from their workers.
use strict;
use warnings;

use AppflowTest::SalesforceRead;
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->utf8->allow_nonref;
my $tests = $ENV{APPFLOW_TEST_DIR};
my $place = PostgreSQL::Test::Utils::tempdir;
run_log([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=endpoint', '-addext', 'subjectAltName=DNS:acme.my.salesforce.com',
	'-keyout', "$place/key", '-out', "$place/cert" ]) or die 'openssl';
my $sf = AppflowTest::SalesforceRead->new('private_link_restart', "appflow.ca_bundle = '$place/cert'", "shared_preload_libraries = 'appflow'", 'appflow.max_workers = 1', 'appflow.max_retries = 0');
our $output;
my $server = open($output, '-|', 'node', "$tests/simulators/privatelink/endpoint.js", "$place/cert", "$place/key", "acme.my.salesforce.com=$sf->{port}") or die "node: $!";
my ($port, $control) = (readline($output) // '') =~ /^ready (\d+) (\d+)/ or die 'the endpoint did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }
sub ask { return HTTP::Tiny->new->get("http://127.0.0.1:$control/_$_[0]")->{content}; }
sub status { return $sf->sql("SELECT private_connection_status FROM appflow.connector_profiles WHERE connector_profile_name = '$_[0]'"); }
sub becomes { return $sf->{node}->poll_query_until('postgres', "SELECT private_connection_status = '$_[1]' FROM appflow.connector_profiles WHERE connector_profile_name = '$_[0]'"); }
sub profile
{
	my ($name) = @_;
	my $request = $json->encode({ connectorProfileName => $name, connectorType => 'Salesforce', connectionMode => 'Private', connectorProfileConfig => {
		connectorProfileProperties => { Salesforce => { instanceUrl => 'https://acme.my.salesforce.com', usePrivateLinkForMetadataAndAuthorization => JSON::PP::true } },
		connectorProfileCredentials => { Salesforce => { accessToken => 'planted-access', refreshToken => 'planted-refresh' } } } });
	$sf->sql("SELECT appflow.create_connector_profile(\$j\$$request\$j\$)");
}

$sf->sql("SELECT appflow.set_private_endpoint('acme.my.salesforce.com', '127.0.0.1:$port')");
ask('stall');
profile('first');
ok($sf->{node}->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'appflow check of connector profile "first"'}), 'a check that goes on');
profile('second');
$sf->{node}->stop('immediate');
ask('go');
$sf->{node}->start;
ok(becomes('first', 'CREATED'), 'cut off, it is made again, by nobody\'s asking');
ok(becomes('second', 'CREATED'), 'and so is one that waited');

# with one worker, runs and checks take turns
$sf->control('seed', object => 'Account', count => 10, values => { Name => 'Account {n}' });
$sf->sql('CREATE TABLE public.names (name text)');
my $definition = $sf->pull_definition(name => 'names', object => 'Account', fields => { Name => 'name' }, profile => 'first');
$sf->sql("SELECT appflow.create_flow(\$d\$" . $json->encode($definition) . "\$d\$)");
ask('stall');
$sf->sql(q{SELECT appflow.start_flow('{"flowName": "names"}'), appflow.start_flow('{"flowName": "names"}')});
profile('third');
ok($sf->{node}->poll_query_until('postgres', q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE phase <> 'Queued'}), 'a run that waits for its source');
is(status('third'), 'PENDING', 'a check that waits for the run');
ask('go');
ok(becomes('third', 'CREATED'), 'and is made');
ok($sf->{node}->poll_query_until('postgres', q{SELECT count(*) = 2 FROM appflow.flow_executions WHERE execution_status = 'Successful'}), 'as are the runs');
done_testing();
