# Connector profiles of connectionMode Private: by the endpoint that an administrator has given,
# with the certificate of the application's host; checked in the background; and no way in
# for anybody else.
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
my @hosts = qw(acme.test open.test sap.test xy12345.eu-central-1.snowflakecomputing.com);
run_log([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=endpoint', '-addext', 'subjectAltName=' . join(',', map { "DNS:$_" } @hosts),
	'-keyout', "$place/key", '-out', "$place/cert" ]) or die 'openssl';
run_log([ 'cc', '-shared', '-fPIC', '-o', "$place/resolver.so", "$tests/simulators/http/resolver.c", '-ldl' ]) or die 'cc';
$ENV{RESOLVER_FILE} = "$place/names";
append_to_file("$place/names", "endpoint.test 127.0.0.1\nopen.test 127.0.0.1\nacme.test 203.0.113.1\nsap.test 203.0.113.1\naway.test 127.0.0.1\nother.test 203.0.113.1\n");

my $sf = AppflowTest::SalesforceRead->new('private_link');
our (@outputs, @servers);
sub start
{
	my ($program, @arguments) = @_;
	my $pid = open(my $output, '-|', 'node', "$tests/simulators/$program", @arguments) or die "node: $!";
	my @ports = (readline($output) // '') =~ /(\d+)/g or die "$program did not start";
	push @outputs, $output;
	push @servers, $pid;
	return @ports;
}
END { my $status = $?; kill 'KILL', @servers if @servers; $? = $status; }
my ($sap) = start('sap/gateway.js');
my ($snow) = start('warehouse/snowflake.js', $sf->{root});
my ($port, $control) = start('privatelink/endpoint.js', "$place/cert", "$place/key", "acme.test=$sf->{port}", "open.test=$sf->{port}", "sap.test=$sap", "$hosts[3]=$snow");
my $node = $sf->{node};
$node->append_conf('postgresql.conf', "appflow.ca_bundle = '$place/cert'\nappflow.allow_local_endpoints = off\nappflow.max_retries = 0\nappflow.connect_timeout = '2s'\n");
{
	local $ENV{LD_PRELOAD} = "$place/resolver.so";
	$node->restart;
}
sub sql { return $sf->sql($_[0]); }
sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}
sub endpoint { HTTP::Tiny->new->get("http://127.0.0.1:$control/_$_[0]"); return; }
sub seen { return @{ $json->decode(HTTP::Tiny->new->get("http://127.0.0.1:$control/_seen")->{content}) }; }
sub servernames { my %names = map { $_->{servername} => 1 } seen(); return join ' ', sort keys %names; }

sub request
{
	my ($name, $type, $properties, $credentials, $mode) = @_;
	return $json->encode({ connectorProfileName => $name, ($type eq '' ? () : (connectorType => $type)), connectionMode => $mode // 'Private',
		connectorProfileConfig => { connectorProfileProperties => $properties, connectorProfileCredentials => $credentials } });
}
sub create_sql { return 'SELECT appflow.create_connector_profile($j$' . request(@_) . '$j$)'; }
sub salesforce
{
	my ($name, $properties, $credentials, $mode) = @_;
	return create_sql($name, 'Salesforce', { Salesforce => { instanceUrl => 'https://acme.test', usePrivateLinkForMetadataAndAuthorization => JSON::PP::true, %{ $properties || {} } } },
		{ Salesforce => { accessToken => 'planted-access', refreshToken => 'planted-refresh', %{ $credentials || {} } } }, $mode);
}
sub state
{
	my ($name) = @_;
	my $state = $json->decode(sql("SELECT appflow.describe_connector_profiles('{\"connectorProfileNames\": [\"$name\"]}')"))->{connectorProfileDetails}[0]{privateConnectionProvisioningState};
	my $said = sql("SELECT private_connection_failure FROM appflow.connector_profiles WHERE connector_profile_name = '$name'");
	is($state->{failureMessage}, $said =~ s{[^\s\w/!@#+=.-]}{}gr, "$name: the same, without what the reference does not allow") if $said ne '';
	return $state ? join ' ', grep { defined && $_ ne '' } @{$state}{qw(status failureCause)}, $said : 'none';
}
sub settled
{
	my ($name) = @_;
	$node->poll_query_until('postgres', "SELECT private_connection_status IS DISTINCT FROM 'PENDING' FROM appflow.connector_profiles WHERE connector_profile_name = '$name'") or return 'still pending';
	return state($name);
}

# ---------- Salesforce: by the host of the instance ----------

sql("SELECT appflow.set_private_endpoint('ACME.test', 'endpoint.test:$port')");
is(sql('SELECT * FROM appflow.private_endpoints'), "acme.test|endpoint.test:$port", 'hosts have no letter case');
is(sql('BEGIN; ' . salesforce('crm-private') . q{; SELECT private_connection_status FROM appflow.connector_profiles WHERE connector_profile_name = 'crm-private'; COMMIT}) =~ s/.*\n//sr, 'PENDING', 'PENDING at first');
is(settled('crm-private'), 'CREATED', 'then it is there');
my @seen = seen();
is_deeply([ @{ $seen[0] }{qw(servername host url)} ], [ 'acme.test', 'acme.test', '/services/data/v58.0/sobjects' ], 'by the endpoint, with the names of the instance') or diag explain \@seen;
$sf->control('seed', object => 'Account', count => 2500, values => { Name => 'Account {n}' });
my $run = $sf->pull(object => 'Account', fields => { Name => 'name' }, columns => 'name text', profile => 'crm-private');
is("$run->{status} $run->{processed}", 'Successful 2500', 'a flow') or diag explain $run;
@seen = seen();
is(join(' ', sort { $a cmp $b } map { $_->{url} =~ m{/(describe|query)\b} ? $1 : 'more' } @seen) =~ s/query( query)*/query/r, 'describe query', 'all of it by the endpoint: pages, fields') or diag explain \@seen;
is(sql(q{CREATE SERVER crm FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'crm-private'); IMPORT FOREIGN SCHEMA "Objects" LIMIT TO ("Account") FROM SERVER crm INTO public; SELECT count(*) FROM account}), '2500', 'a foreign table');
is(servernames(), 'acme.test', 'by the endpoint, too');

# ---------- the endpoint is for those who name it ----------

like(error_of(q{SELECT appflow.http_get('crm-private', '/_away?https://away.test/')}), qr/^WF400: request to "https:\/\/away\.test\/" is not allowed: its address is this machine's own/, 'a redirect elsewhere does not go by it');
sql(create_sql('datadog', 'Datadog', { Datadog => { instanceUrl => "https://endpoint.test:$port" } }, { Datadog => { apiKey => 'k', applicationKey => 'k' } }, 'Public'));
like(error_of(q{SELECT appflow.http_get('datadog', '/')}), qr/^WF400: .*not allowed: its address is this machine's own/, 'nor do public profiles get to its address');
sql(salesforce('crm-public', undef, undef, 'Public'));
is(state('crm-public'), 'none', 'a public one has no state');
seen();
like(error_of(q{SELECT appflow.http_get('crm-public', '/services/data/')}), qr/^WF502: /, 'or use it');
is(servernames(), '', 'not even for the same host');
sql('CREATE ROLE plain; GRANT EXECUTE ON FUNCTION appflow.create_connector_profile(jsonb), appflow.http_get TO plain');
like(error_of("SET ROLE plain; SELECT appflow.set_private_endpoint('10.0.0.1', '10.0.0.1')"), qr/^42501: permission denied for function set_private_endpoint/, 'who may say where endpoints are');
like(error_of('SET ROLE plain; SELECT * FROM appflow.private_endpoints'), qr/^42501: /, 'and see');
like(error_of("SET ROLE plain; SELECT * FROM appflow.private_endpoint"), qr/^42501: /, 'the table neither');
is(sql('SET ROLE plain; ' . salesforce('crm-plain')) =~ /connectorProfileArn/ ? 1 : 0, 1, 'others may use them');
is(settled('crm-plain'), 'CREATED', 'with credentials that the application takes');

# ---------- what of Salesforce may go publicly ----------

sql("SELECT appflow.set_private_endpoint('open.test', '127.0.0.1:$port')");
sql(salesforce('crm-open', { instanceUrl => 'https://open.test', usePrivateLinkForMetadataAndAuthorization => JSON::PP::false }));
is(settled('crm-open'), 'CREATED', 'the check is of the private connection');
seen();
like(error_of(q{SELECT appflow.list_connector_entities('{"connectorProfileName": "crm-open"}')}), qr/^WF400: request to "https:\/\/open\.test\/services\/data\/v58\.0\/sobjects" is not allowed/, 'metadata goes publicly, which is not allowed here');
is(scalar(seen()), 0, 'and not by the endpoint');
is(sql(q{SELECT status FROM appflow.http_get('crm-open', '/services/data/v58.0/query?q=SELECT+Id+FROM+Account+LIMIT+1')}), '200', 'records do');
is(servernames(), 'open.test', 'by the endpoint');
$sf->control('expire');
like(error_of(q{SELECT appflow.http_get('crm-open', '/services/data/v58.0/query?q=SELECT+Id+FROM+Account+LIMIT+1')}), qr/^WF400: request to "https:\/\/open\.test\/services\/oauth2\/token" is not allowed/, 'tokens go publicly');

# a token that has expired is renewed there, too
seen();
is(sql(q{SELECT status FROM appflow.http_get('crm-private', '/services/data/')}), '200', 'http_get');
is(sql(q{SELECT status FROM appflow.http_get('crm-private', '/services/data/v58.0/sobjects')}), '200', 'with a new token');
ok(scalar(grep { $_->{url} eq '/services/oauth2/token' } seen()), 'got by the endpoint');

# ---------- failures ----------

sql(salesforce('crm-wrong', undef, { accessToken => 'wrong', refreshToken => 'wrong' }));
like(settled('crm-wrong'), qr/^FAILED CONNECTOR_AUTHENTICATION /, 'credentials that it does not take');
sql(salesforce('crm-cert', { instanceUrl => 'https://other.test' }));
is(settled('crm-cert'), 'FAILED VALIDATION there is no private endpoint "other.test"', 'nobody has said where');
sql("SELECT appflow.set_private_endpoint('other.test', 'endpoint.test:$port')");
like(settled('crm-cert'), qr/^FAILED CONNECTOR_SERVER request to "https:\/\/other\.test\/.*certificate/, 'who answers there is not the application');
sql(salesforce('crm-plain-http', { instanceUrl => 'http://acme.test' }));
like(settled('crm-plain-http'), qr/^FAILED VALIDATION .*that must be https$/, 'not without TLS');
like(error_of(create_sql('crm-nowhere', 'Salesforce', { Salesforce => {} }, { Salesforce => { accessToken => 'x' } })), qr/^WF400: .*instanceUrl cannot be blank for connector: SALESFORCE with connectionMode Private/, 'the instance must be named');
like(error_of(q{SELECT appflow.list_connector_entities('{"connectorProfileName": "crm-wrong"}')}), qr/^WF502: the private connection of connector profile "crm-wrong" has failed: /, 'what failed is not used');
like(error_of(q{SELECT appflow.http_get('crm-cert', '/')}), qr/^WF502: the private connection of connector profile "crm-cert" has failed: /, 'in no way');
$run = $sf->pull(object => 'Account', fields => { Name => 'name' }, columns => 'name text', profile => 'crm-wrong', name => 'not_there');
like("$run->{status} $run->{message}", qr/^Error the private connection of connector profile "crm-wrong" has failed: /, 'nor by flows') or diag explain $run;
unlike(sql('SELECT string_agg(private_connection_failure, $$ $$) FROM appflow.connector_profiles'), qr/planted/, 'no secret in what is told');

# repaired
sql('SELECT appflow.update_connector_profile($j$' . request('crm-wrong', '', { Salesforce => { instanceUrl => 'https://acme.test', usePrivateLinkForMetadataAndAuthorization => JSON::PP::true } },
	{ Salesforce => { accessToken => 'x', refreshToken => 'planted-refresh' } }) . '$j$)');
is(settled('crm-wrong'), 'CREATED', 'with other credentials');
sql('SELECT appflow.update_connector_profile($j$' . request('crm-wrong', '', { Salesforce => { instanceUrl => 'https://acme.test' } }, undef, 'Public') =~ s/,"connectorProfileCredentials":null|"connectorProfileCredentials":null,//r . '$j$)');
is(state('crm-wrong'), 'none', 'made public');
sql("SELECT appflow.set_private_endpoint('acme.test', NULL)");
is(settled('crm-private'), 'FAILED VALIDATION there is no private endpoint "acme.test"', 'an endpoint that goes');
sql("SELECT appflow.set_private_endpoint('acme.test', 'endpoint.test:$port')");
is(settled('crm-private'), 'CREATED', 'and comes back');
is(state('crm-cert') =~ /^FAILED CONNECTOR_SERVER/ ? 1 : 0, 1, 'others are left alone');

# ---------- while it is being checked ----------

endpoint('stall');
sql("SELECT appflow.set_private_endpoint('acme.test', '127.0.0.1:$port')");
is(state('crm-private'), 'PENDING', 'checked anew where it leads elsewhere');
like(error_of(q{SELECT appflow.http_get('crm-private', '/services/data/')}), qr/^WF409: the private connection of connector profile "crm-private" is still being checked/, 'it is not used meanwhile');
like(error_of('SELECT count(*) FROM account'), qr/^WF409: the private connection of connector profile "crm-private" is still being checked/, 'nor by foreign tables');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'appflow worker'});
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'appflow worker' AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)}), '0', 'no transaction is open meanwhile');
is(sql(q{UPDATE appflow.connector_profile SET tags = '{}' WHERE connector_profile_name = 'crm-private' RETURNING 1}), '1', 'nor is anything locked');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'appflow worker'});
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'appflow worker'});
endpoint('go');
is(state('crm-private'), 'PENDING', 'a check that was ended has no result');
sql("SELECT appflow.set_private_endpoint('acme.test', 'endpoint.test:$port')");
is(settled('crm-private'), 'CREATED', 'another one has');
is(settled('crm-plain'), 'CREATED', 'of all that are by it');

# ---------- SAP and Snowflake: by the name of an endpoint service ----------

my %service = (sap => 'com.amazonaws.vpce.eu-central-1.vpce-svc-0A1', snow => 'com.amazonaws.vpce.eu-central-1.vpce-svc-0b2');
sql("SELECT appflow.set_private_endpoint('$service{sap}', 'endpoint.test:$port'), appflow.set_private_endpoint('$service{snow}', 'endpoint.test:$port')");
like(error_of(create_sql('sap-none', 'SAPOData', { SAPOData => { applicationHostUrl => 'https://sap.test', applicationServicePath => '/sap/opu/odata/iwfnd/catalogservice;v=2', portNumber => 443, clientNumber => '100' } },
	{ SAPOData => { basicAuthCredentials => { username => 'me', password => 'secret' } } })), qr/^WF400: .*privateLinkServiceName cannot be blank for connector: SAPODATA/, 'SAP names a service');
sub sap
{
	my ($name, $password) = @_;
	sql(create_sql($name, 'SAPOData', { SAPOData => { applicationHostUrl => 'https://sap.test', applicationServicePath => '/sap/opu/odata/iwfnd/catalogservice;v=2', portNumber => 443, clientNumber => '100', privateLinkServiceName => $service{sap} } },
		{ SAPOData => { basicAuthCredentials => { username => 'me', password => $password } } }));
	return settled($name);
}
seen();
is(sap('sap', 'secret'), 'CREATED', 'SAP');
is(servernames(), 'sap.test', 'by the endpoint');
like(sap('sap-wrong', 'wrong'), qr/^FAILED CONNECTOR_AUTHENTICATION /, 'a wrong password');
like(sql(q{SELECT appflow.list_connector_entities('{"connectorProfileName": "sap"}')}), qr/ZSALES_SRV/, 'its services');
sub snowflake
{
	my ($name, $password) = @_;
	sql(create_sql($name, 'Snowflake', { Snowflake => { accountName => 'xy12345', region => 'eu-central-1', warehouse => 'wh', stage => 'lake.public.appflow', bucketName => 'staging', privateLinkServiceName => $service{snow} } },
		{ Snowflake => { username => 'loader', password => $password } }));
	return settled($name);
}
seen();
is(snowflake('snow', 'planted-password'), 'CREATED', 'Snowflake');
is(servernames(), $hosts[3], 'by the endpoint, login and all');
like(snowflake('snow-wrong', 'wrong'), qr/^FAILED CONNECTOR_AUTHENTICATION /, 'a wrong password');

# ---------- what is refused, and kept ----------

like(error_of("SELECT appflow.set_private_endpoint('x', '$_')"), qr/^WF400: address "\Q$_\E" of a private endpoint is neither host nor host:port/, "no address: $_")
  foreach ('', 'a b', 'http://x', 'x:0', 'x:65536', 'x:', 'x:1:2', '[::1', '[]x', 'x/y', "x:44\t");
like(error_of("SELECT appflow.set_private_endpoint('', 'x')"), qr/^WF400: the name of a private endpoint must not be empty/, 'a name');
is(sql(q{SELECT appflow.set_private_endpoint('six', '[fd00::1]'); SELECT address FROM appflow.private_endpoints WHERE name = 'six'}) =~ s/^\n//r, '[fd00::1]:443', 'an address of IPv6; the port is that of https');
my ($dump) = run_command([ 'pg_dump', '-d', $node->connstr('postgres'), '--no-sync' ]);
like($dump, qr/COPY appflow\.private_endpoint .*?\Q$service{sap}\E\tendpoint\.test:$port/s, 'endpoints are dumped');
is(sql(q{SET appflow.proxy = 'http://127.0.0.1:1'; SELECT status FROM appflow.http_get('crm-private', '/services/data/')}), '200', 'a proxy is not on the way');

my $log = slurp_file($node->logfile);
unlike($log =~ s/^.*(STATEMENT|statement):(?:.|\n(?!\d{4}-))*//mgr, qr/planted|TRAP|PANIC|signal 11/, 'no secret in the log, no crash');
done_testing();
