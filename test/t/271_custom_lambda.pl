# Flows from and to a connector that is a function of AWS Lambda: the filter grammar as the
# SDK parses it, pages, lost answers, what stays written, and credentials of each kind for
# functions in SQL.
use strict;
use warnings;

use AppflowTest::Flows ();
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $tests = $ENV{APPFLOW_TEST_DIR};
my $json = JSON::PP->new->canonical->allow_nonref;
my ($key, $secret, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'eu-central-1');
our ($output, $service_output);
my $server = open($output, '-|', 'node', "$tests/simulators/appflow/lambda.js", $key, $secret, '', $region) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
my $service = open($service_output, '-|', 'node', "$tests/simulators/http/service.js") or die "node: $!";
my ($service_port) = (readline($service_output) // '') =~ /^ready (\d+)/ or die 'the service did not start';
END { my $status = $?; kill 'KILL', grep { $_ } $server, $service; $? = $status; }

my $http = HTTP::Tiny->new;
sub seen { return map { $json->decode($_->{body}) } @{ decode_json($http->get("http://127.0.0.1:$port/_log")->{content}) }; }
sub answers { $http->post("http://127.0.0.1:$port/_answers", { content => $json->encode([@_]) }); return; }
sub records { my $answer = @_ ? $http->post("http://127.0.0.1:$port/_records", { content => encode_json($_[0]) }) : $http->get("http://127.0.0.1:$port/_records"); return decode_json($answer->{content}); }

my $flows = AppflowTest::Flows->new('custom_lambda');
my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
append_to_file($file, "[default]\naws_access_key_id = $key\naws_secret_access_key = $secret\n");
my $master = "$flows->{root}/../appflow.key";
$flows->sql("SELECT appflow.create_master_key_file('$master')");
$flows->{node}->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nappflow.lambda_endpoint = 'http://127.0.0.1:$port'\nappflow.max_retry_delay = '50ms'\nappflow.master_key = 'file:$master'\n");
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file);
	$flows->{node}->restart;
}
sub sql { return $flows->sql($_[0]) }
sql(qq{
SELECT appflow.register_connector('orders', connector_provisioning_type => 'LAMBDA',
	connector_provisioning_config => '{"lambda": {"lambdaArn": "arn:aws:lambda:$region:123456789012:function:orders"}}');
SELECT appflow.create_connector_profile('orders', 'CustomConnector', 'Public', connector_label => 'orders',
	connector_profile_config => '{"connectorProfileProperties": {"CustomConnector": {}}}');
CREATE TABLE public.copy (id text, name text, price numeric, updated timestamptz);
});

my $number = 0;
sub task
{
	my ($type, $fields, $destination, $operator, %properties) = @_;
	return { taskType => $type, sourceFields => $fields, connectorOperator => { CustomConnector => $operator // 'NO_OP' },
		taskProperties => \%properties, defined $destination ? (destinationField => $destination) : () };
}
my @fields = qw(id name price updated);
sub rows { my ($field, $type, $operator, %properties) = @_; return task('Filter', [$field], undef, $operator, DATA_TYPE => $type, %properties); }
sub pull
{
	my (@rows) = @_;
	sql('TRUNCATE public.copy');
	seen();
	return $flows->move(definition => { flowName => 'pull' . ++$number, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'orders', sourceConnectorProperties => { CustomConnector => { entityName => 'Order' } } },
		destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', destinationConnectorProperties => { CustomConnector => { entityName => 'public.copy' } } } ],
		tasks => [ @rows, map { task('Map', [$_], $_) } @fields ] });
}
sub push_rows
{
	my ($operation, $rows, %more) = @_;
	sql("TRUNCATE public.copy; INSERT INTO public.copy (id, name, price) $rows");
	seen();
	return $flows->move(definition => { flowName => 'push' . ++$number, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.copy' } } },
		destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'orders',
			destinationConnectorProperties => { CustomConnector => { entityName => 'Order', writeOperationType => $operation, errorHandlingConfig => { bucketName => 'errors' },
				$operation eq 'INSERT' ? () : (idFieldNames => ['id']) } } } ],
		tasks => [ map { task('Map', [$_], $_) } qw(id name price) ] });
}

# ---------- reading ----------

my @all = map { { id => "o$_", name => ($_ % 3 ? "it's \"$_\" \\ \x{e9}" : "plain $_"), price => $_ / 2, updated => sprintf('2026-03-%02dT%02d:00:00.500Z', 1 + $_ % 28, $_ % 24) } } 1 .. 3600;
records(\@all);
my $run = pull();
is("$run->{status} $run->{processed} " . sql('SELECT count(*), count(DISTINCT id), sum(price) FROM public.copy'), 'Successful 3600 3600|3600|3240900.0000000000000000' =~ s/\.0+$/.0/r, 'all pages') or diag($run->{refused} // $run->{message});
is_deeply([ map { $_->{nextToken} } grep { $_->{type} eq 'QueryDataRequest' } seen() ], [ undef, 1000, 2000, 3000 ], 'one after the other');
foreach my $case (
	[ sub { $_[0]{price} > 1700 }, 1, rows('price', 'BigDecimal', 'GREATER_THAN', VALUE => '1700') ],
	[ sub { $_[0]{price} == 7 }, 1, rows('price', 'BigDecimal', 'EQUAL_TO', VALUE => '7') ],
	[ sub { $_[0]{price} > 3 && $_[0]{price} < 5.5 }, 1, rows('price', 'BigDecimal', 'BETWEEN', LOWER_BOUND => '3', UPPER_BOUND => '5.5') ],
	[ sub { index($_[0]{name}, q{it's "1}) >= 0 }, 1, rows('name', 'String', 'CONTAINS', VALUE => q{it's "1}) ],
	[ sub { $_[0]{name} eq "it's \"11\" \\ \x{e9}" }, 1, rows('name', 'String', 'EQUAL_TO', VALUE => "it's \"11\" \\ \x{e9}") ],
	[ sub { $_[0]{updated} ge '2026-03-28T00:00:00.500Z' }, 1, rows('updated', 'DateTime', 'GREATER_THAN_OR_EQUAL_TO', VALUE => '2026-03-28T01:00:00.500+01:00') ],
	[ sub { $_[0]{id} ne 'o5' && $_[0]{price} <= 50 }, 0, rows('id', 'String', 'NOT_EQUAL_TO', VALUE => 'o5'), rows('price', 'BigDecimal', 'LESS_THAN_OR_EQUAL_TO', VALUE => '50') ])
{
	my ($test, $exact, @rows) = @$case;
	my $expected = grep { $test->($_) } @all;
	$run = pull(@rows);
	my ($query) = grep { $_->{type} eq 'QueryDataRequest' } seen();
	is("$run->{status} " . sql('SELECT count(*) FROM public.copy'), "Successful $expected", "filter: " . ($query->{filterExpression} // 'none')) or diag($run->{refused} // $run->{message});
	is($run->{filtered} > 0 ? 'here' : 'there', $exact ? 'there' : 'here', 'evaluated where it can be') ;
}
answers('skip', { status => 429, headers => { 'x-amzn-ErrorType' => 'TooManyRequestsException' }, body => { message => 'Rate Exceeded.' } }, 'skip', { cut => 1 });
$run = pull();
is("$run->{status} " . sql('SELECT count(*), count(DISTINCT id) FROM public.copy'), 'Successful 3600|3600', 'throttled, and cut off: repeated');
answers('skip', 'skip', { status => 200, headers => { 'X-Amz-Function-Error' => 'Unhandled' }, body => { errorType => 'KeyError', errorMessage => 'broken' } });
$run = pull();
is("$run->{status} " . sql('SELECT count(*) FROM public.copy'), 'Error 0', 'a function that breaks at the second page');
like($run->{message}, qr/KeyError: broken/, 'is told');

# ---------- writing ----------

records([]);
$run = push_rows('INSERT', q{SELECT 'k' || i, 'n', i FROM generate_series(1, 1500) i});
is("$run->{status} $run->{processed} $run->{failed} " . @{ records() }, 'Successful 1500 0 1500', 'INSERT') or diag($run->{refused} // $run->{message});
$run = push_rows('INSERT', q{VALUES ('k1', 'n', 1), ('z', 'n', -1), ('y', 'n', 1)});
is("$run->{status} $run->{processed} $run->{failed} " . @{ records() }, 'Successful 3 2 1501', 'two are refused');
is(join(' ', map { my $line = decode_json($_); "$line->{record}{id}: $line->{errorMessage}" } split /\n/, $run->{errors}), 'k1: exists z: price is negative', 'and in the error file');
$run = push_rows('UPSERT', q{VALUES ('k1', 'new', 5), ('x', 'n', 6)});
is("$run->{status} " . join(' ', map { "$_->{id}$_->{name}$_->{price}" } grep { $_->{id} =~ /^(k1|x)$/ } @{ records() }), 'Successful k1new5 xn6', 'UPSERT');
$run = push_rows('UPDATE', q{VALUES ('k2', 'renamed', 5), ('nobody', 'n', 6)});
is("$run->{status} $run->{failed} " . join(' ', map { "$_->{name}" } grep { $_->{id} =~ /^(k2|nobody)$/ } @{ records() }), 'Successful 1 renamed', 'UPDATE');
$run = push_rows('DELETE', q{VALUES ('k2', '', 0), ('k3', '', 0)});
is("$run->{status} $run->{failed} " . @{ records() }, 'Successful 0 1500', 'DELETE');

answers('skip', { lose => 1 });
$run = push_rows('INSERT', q{SELECT 'lost' || i, 'n', i FROM generate_series(1, 5) i});
is("$run->{status} " . grep({ $_->{id} =~ /^lost/ } @{ records() }), 'Error 5', 'an INSERT whose answer is lost is not repeated');
is(scalar(grep { $_->{type} eq 'WriteDataRequest' } seen()), 1, 'it was sent once');
answers('skip', { lose => 1 });
$run = push_rows('UPSERT', q{SELECT 'ups' || i, 'n', i FROM generate_series(1, 5) i});
is("$run->{status} $run->{processed} " . grep({ $_->{id} =~ /^ups/ } @{ records() }), 'Successful 5 5', 'an UPSERT is');
answers('skip', 'skip', { status => 200, body => { isSuccess => JSON::PP::false, errorDetails => { errorCode => 'AccessDenied', errorMessage => 'enough' } } });
$run = push_rows('UPSERT', q{SELECT 'half' || i, 'n', i FROM generate_series(1, 1800) i});
is("$run->{status} $run->{processed} " . grep({ $_->{id} =~ /^half/ } @{ records() }), 'Error 1000 1000', 'a run that fails says how much is written and stays') or diag($run->{message});
like($run->{message}, qr/AccessDenied: enough.*keeps 1000 records/, 'in words too');

# ---------- credentials of each kind, for functions in SQL ----------

$http->get("http://127.0.0.1:$service_port/reset");
sql(q{
CREATE TABLE public.got (secret jsonb, type text);
CREATE FUNCTION public.keys(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	secret jsonb := appflow.connector_credentials(coalesce(request #>> '{connectorContext,credentials,secretArn}', request #>> '{credentials,secretArn}'));
BEGIN
	CASE request ->> 'type'
		WHEN 'ValidateCredentialsRequest', 'ValidateConnectorRuntimeSettingsRequest' THEN RETURN '{"isSuccess": true}';
		WHEN 'DescribeEntityRequest' THEN
			RETURN '{"isSuccess": true, "entityDefinition": {"entity": {"entityIdentifier": "E"}, "fields": [{"fieldName": "id", "dataType": "String"}]}}';
		ELSE
			IF secret ->> 'accessToken' = 'planted-old' THEN
				RETURN '{"isSuccess": false, "errorDetails": {"errorCode": "InvalidCredentials", "errorMessage": "token expired"}}';
			END IF;
			INSERT INTO public.got VALUES (secret - 'accessToken' || CASE WHEN secret ? 'accessToken' THEN jsonb_build_object('accessToken', left(secret ->> 'accessToken', 15)) ELSE '{}' END, request #>> '{connectorContext,credentials,authenticationType}');
			RETURN '{"isSuccess": true, "records": [{"id": "1"}]}';
	END CASE;
END $$;
CREATE FUNCTION public.keys_connector(request jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT CASE request ->> 'type' WHEN 'DescribeConnectorConfigurationRequest' THEN '{"isSuccess": true, "connectorOwner": "acme", "connectorName": "Keys", "connectorVersion": "1",
		"connectorModes": ["SOURCE"], "supportedApiVersions": ["v1"], "authenticationConfig": {"isBasicAuthSupported": true, "isApiKeyAuthSupported": true, "isOAuth2Supported": true, "isCustomAuthSupported": true,
		"customAuthConfig": [{"authenticationType": "token", "authParameters": [{"key": "pat", "required": true}]}],
		"oAuth2Defaults": {"tokenURL": ["https://{{host}}/token", "https://login.example.com/token"], "oAuth2GrantTypesSupported": ["CLIENT_CREDENTIALS"]}}}'::jsonb
	WHEN 'ValidateConnectorRuntimeSettingsRequest' THEN '{"isSuccess": true}' ELSE public.keys(request) END $$;
SELECT appflow.register_connector('keys', connector_provisioning_type => 'LAMBDA',
	connector_provisioning_config => jsonb_build_object('lambda', jsonb_build_object('lambdaArn', appflow.function_arn('public.keys_connector(jsonb)'))));
});
is(sql(q{SELECT appflow.describe_connector('{"connectorType": "CustomConnector", "connectorLabel": "keys"}') #>> '{connectorConfiguration,authenticationConfig,oAuth2Defaults,tokenUrls}'}), '["https://login.example.com/token"]', 'URLs with a part to fill in are not shown');
my %kinds = (
	basic => [ { authenticationType => 'BASIC', basic => { username => 'me', password => 'planted-pw' } }, '{"password": "planted-pw", "username": "me"}|BasicAuth' ],
	key => [ { authenticationType => 'APIKEY', apiKey => { apiKey => 'planted-key', apiSecretKey => 'planted-secret' } }, '{"apiKey": "planted-key", "apiSecretKey": "planted-secret"}|ApiKey' ],
	custom => [ { authenticationType => 'CUSTOM', custom => { customAuthenticationType => 'token', credentialsMap => { pat => 'planted-pat' } } }, '{"pat": "planted-pat", "customAuthenticationType": "token"}|CustomAuth' ],
	oauth => [ { authenticationType => 'OAUTH2', oauth2 => { clientId => 'planted-client', clientSecret => 'planted-client-secret' } }, '{"clientId": "planted-client", "accessToken": "planted-access-", "clientSecret": "planted-client-secret"}|OAuth2' ],
	stale => [ { authenticationType => 'OAUTH2', oauth2 => { clientId => 'planted-client', clientSecret => 'planted-client-secret', accessToken => 'planted-old' } }, '{"clientId": "planted-client", "accessToken": "planted-access-", "clientSecret": "planted-client-secret"}|OAuth2' ]);
foreach my $kind (sort keys %kinds)
{
	my $text = $json->encode({ connectorProfileProperties => { CustomConnector => { $kinds{$kind}[0]{oauth2} ? (oAuth2Properties => { tokenUrl => "http://127.0.0.1:$service_port/services/oauth2/token", oAuth2GrantType => 'CLIENT_CREDENTIALS' }) : () } },
		connectorProfileCredentials => { CustomConnector => $kinds{$kind}[0] } });
	sql("SELECT appflow.create_connector_profile('$kind', 'CustomConnector', 'Public', connector_label => 'keys', connector_profile_config => \$t\$$text\$t\$)");
	sql('TRUNCATE public.got, public.copy');
	$run = $flows->move(definition => { flowName => "keys-$kind", triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => $kind, sourceConnectorProperties => { CustomConnector => { entityName => 'E' } } },
		destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', destinationConnectorProperties => { CustomConnector => { entityName => 'public.copy' } } } ],
		tasks => [ task('Map', ['id'], 'id') ] });
	is("$run->{status} " . sql('TABLE public.got'), "Successful $kinds{$kind}[1]", "$kind credentials") or diag($run->{message} // $run->{refused});
}

done_testing();
