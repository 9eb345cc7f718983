# Profiles of Salesforce without an instanceUrl: the token's answer says where the organization is.

use strict;
use warnings;

use AppflowTest::SalesforceRead;
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my $place = PostgreSQL::Test::Utils::tempdir;

run_log([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=salesforce',
	'-addext', 'subjectAltName=DNS:login.salesforce.com,DNS:test.salesforce.com,DNS:acme.my.salesforce.com', '-keyout', "$place/key", '-out', "$place/cert" ]) or die 'openssl';
my $sf = AppflowTest::SalesforceRead->new('salesforce_instance', "appflow.ca_bundle = '$place/cert'", "appflow.no_proxy = '127.0.0.1'", "appflow.max_retries = 0");
our $output;
my $pid = open($output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/salesforce/front.js", $sf->{port}, "$place/cert", "$place/key") or die "node: $!";
END { my $status = $?; kill 'KILL', $pid if $pid; $? = $status; }
my ($front) = (readline($output) // '') =~ /^ready (\d+)/ or die 'no front';
sub setting
{
	my ($name, $value) = @_;
	$sf->{node}->append_conf('postgresql.conf', "$name = '$value'");
	$sf->{node}->reload;
	$sf->{node}->poll_query_until('postgres', "LOAD 'appflow'; SHOW $name", "LOAD\n$value") or die "$name is not set";
}
setting('appflow.proxy', "http://127.0.0.1:$front");

sub asked { return join ' ', map { "$_->[0]$_->[1]" } @{ $json->decode(HTTP::Tiny->new->get("http://127.0.0.1:$front/")->{content}) }; }

# what answers to requests for tokens say
sub tells
{
	my ($url) = @_;
	$sf->control('reset');
	$sf->control('fault', kind => 'replace', path => 'oauth2/token', count => 1000, regexp => 1,
		from => '"instance_url":"[^"]*",', to => defined $url ? "\"instance_url\":\"$url\"," : '');
}
sub profile
{
	my ($name, $properties, %credentials) = @_;
	my $request = $json->encode({ connectorProfileName => $name, connectorType => 'Salesforce', connectionMode => 'Public', connectorProfileConfig => {
		connectorProfileProperties => { Salesforce => $properties }, connectorProfileCredentials => { Salesforce => \%credentials } } });
	my (undef, undef, $stderr) = $sf->{node}->psql('postgres', "\\set VERBOSITY verbose\nSELECT appflow.create_connector_profile(\$j\$$request\$j\$)");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : '';
}
sub entities
{
	my ($name) = @_;
	my ($stdout, $stderr);
	$sf->{node}->psql('postgres', "\\set VERBOSITY verbose\nSELECT jsonb_array_length(appflow.list_connector_entities('{\"connectorType\": \"Salesforce\", \"connectorProfileName\": \"$name\"}') #> '{connectorEntityMap,Objects}')",
		stdout => \$stdout, stderr => \$stderr);
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? "$1" . ($stderr =~ /HINT:\s+(.*)/ ? " | $1" : '') : $stdout;
}
my $objects = $sf->sql(q{SELECT jsonb_array_length(appflow.list_connector_entities('{"connectorType": "Salesforce", "connectorProfileName": "crm"}') #> '{connectorEntityMap,Objects}')});
my $instance = 'https://acme.my.salesforce.com';

# ---------- each way to a token ----------

tells($instance);
is(profile('refresh', {}, refreshToken => 'planted-refresh'), '', 'a profile without instanceUrl');
is(entities('refresh'), $objects, 'a refresh token tells where the organization is');
is(asked(), 'login.salesforce.com/services/oauth2/token acme.my.salesforce.com/services/data/v58.0/sobjects', 'the token is from the login host, the rest of the instance');
profile('again', {}, refreshToken => 'planted-refresh');
$sf->sql(q{SELECT appflow.list_connector_entities('{"connectorType": "Salesforce", "connectorProfileName": "again"}')});
asked();
is($sf->sql(q{SELECT status FROM appflow.http_get('again', '/services/data/v58.0/limits')}), 200, 'so do those who call the service themselves');
is(asked(), 'acme.my.salesforce.com/services/data/v58.0/limits', 'with the token and the place that were kept');
profile('sandbox', { isSandboxEnvironment => JSON::PP::true }, refreshToken => 'planted-refresh');
is(entities('sandbox'), $objects, 'a sandbox');
like(asked(), qr/^test\.salesforce\.com\S+ acme/, 'has its own login host');
$sf->control('code', code => 'planted-code-3');
is(profile('code', {}, oAuthRequest => { authCode => 'planted-code-3', redirectUri => 'https://example.com/back' }), '', 'an authorization code');
is(entities('code'), $objects, 'tells it, too');
profile('both', {}, accessToken => 'planted-access', refreshToken => 'planted-refresh');
is(entities('both'), $objects, 'an access token does not, but what renews it');
$sf->control('expire');
is(entities('refresh'), $objects, 'a token that has ended is renewed');

# ---------- a run, and a foreign table ----------

$sf->control('seed', object => 'Contact', count => 2500, values => { LastName => 'Name {n}' });
$sf->control('set', pageSize => 1000);
asked();
my $run = $sf->pull(object => 'Contact', profile => 'refresh', fields => ['LastName'], columns => '"LastName" text', properties => { dataTransferApi => 'REST_SYNC' });
is("$run->{status} $run->{processed}", 'Successful 2500', 'a run over three pages') or diag $run->{stderr};
unlike(asked(), qr{login\S+/data|acme\S+/oauth2}, 'each host is asked for what it has');
$sf->sql(q{CREATE SERVER sf FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'refresh'); CREATE SCHEMA sf; IMPORT FOREIGN SCHEMA "Objects" LIMIT TO ("Contact") FROM SERVER sf INTO sf});
is($sf->sql('SELECT count(*) FROM sf.contact'), 2500, 'a foreign table');
asked();
like($sf->sql('EXPLAIN SELECT count(*) FROM sf.contact'), qr/SELECT COUNT/i, 'its plan');
is(asked(), '', 'asks nobody');

# ---------- a place that was told, but will not do ----------

foreach my $told (undef, '', 'http://acme.my.salesforce.com', 'https://me:secret@acme.my.salesforce.com', 'ftp://acme.my.salesforce.com', 'acme.my.salesforce.com', '/services', 'javascript:1', 'https://' . 'a' x 2000)
{
	my $name = 'told' . ++$sf->{number};
	tells($told);
	profile($name, {}, refreshToken => 'planted-refresh');
	is(entities($name), "WF502: connector profile \"$name\" got a token, but not the URL of the service that it is for | Give the profile an instanceUrl.", 'told: ' . substr $told // 'nothing', 0, 50);
}
tells("$instance/some/path?x=1#y");
profile('path', {}, refreshToken => 'planted-refresh');
is(entities('path'), $objects, 'of a URL that is too long only the origin counts');
tells('https://127.0.0.9:1');
profile('local', {}, refreshToken => 'planted-refresh');
setting('appflow.no_proxy', '127.0.0.9');
setting('appflow.allow_local_endpoints', 'off');
like(entities('local'), qr/^WF400: .*is not allowed/, 'the policy of addresses holds for what a service tells');
setting('appflow.allow_local_endpoints', 'on');
setting('appflow.no_proxy', '127.0.0.1');

profile('given', {}, accessToken => 'planted-access');
is(entities('given'), 'WF401: connector profile "given" has no token, and nothing to get one with | A token that was given with the profile does not tell where its service is: give the profile an instanceUrl.', 'an access token alone');

# ---------- an instanceUrl of the profile's own wins ----------

tells('https://elsewhere.my.salesforce.com');
profile('own', { instanceUrl => "http://127.0.0.1:$sf->{port}" }, refreshToken => 'planted-refresh');
asked();
is(entities('own'), $objects, 'with an instanceUrl, what the service tells does not count');
is(asked(), '', 'nor is another host asked');

unlike(slurp_file($sf->{node}->logfile), qr/planted-(access|refresh)/, 'no secret in the log');
done_testing();
