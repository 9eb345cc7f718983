# Connectors that are functions of AWS Lambda: invocations are signed, answers are
# those of the protocol, and whatever else comes is told.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $tests = $ENV{APPFLOW_TEST_DIR};
my $json = JSON::PP->new->canonical->allow_nonref;
my ($key, $secret, $token, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'planted-session/token==', 'eu-central-1');

# a package variable: closing the handle waits for the process, so END must come before
our $output;
my $server = open($output, '-|', 'node', "$tests/simulators/appflow/lambda.js", $key, $secret, $token, $region) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }

my $http = HTTP::Tiny->new;
sub seen { return @{ decode_json($http->get("http://127.0.0.1:$port/_log")->{content}) }; }
sub answers { $http->post("http://127.0.0.1:$port/_answers", { content => $json->encode([@_]) }); return; }

my $node = PostgreSQL::Test::Cluster->new('lambda');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
# the region of requests is the one of the function, not this one
$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nappflow.region = 'us-west-2'\n"
	. "appflow.lambda_endpoint = 'http://127.0.0.1:$port'\nappflow.max_retry_delay = '50ms'\nlog_min_messages = debug5\nlog_statement = none\n");
{
	# from a file: PostgreSQL itself writes its environment to the log, at debug3
	my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
	append_to_file($file, "[default]\naws_access_key_id = $key\naws_secret_access_key = $secret\naws_session_token = $token\n");
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file);
	$node->start;
}
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
# "SQLSTATE: message", detail, all of it
sub failure
{
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET client_min_messages = error; $_[0]");
	my ($error) = $stderr =~ /ERROR:\s+(\w+: .*)/;
	my ($detail) = $stderr =~ /DETAIL:\s+(.*)/;
	return ($error // "no error: $stderr", $detail // '', $stderr);
}
sub register
{
	my ($label, $function) = @_;
	return "SELECT appflow.register_connector('{\"connectorLabel\": \"$label\", \"connectorProvisioningType\": \"LAMBDA\", \"connectorProvisioningConfig\": {\"lambda\": {\"lambdaArn\": \"$function\"}}}')";
}
sub profile
{
	my ($name, $url, $more) = @_;
	return "SELECT appflow.create_connector_profile('{\"connectorProfileName\": \"$name\", \"connectorType\": \"CustomConnector\", \"connectorLabel\": \"crm\", \"connectionMode\": \"Public\",
		\"connectorProfileConfig\": {\"connectorProfileProperties\": {\"CustomConnector\": {\"profileProperties\": {\"instanceUrl\": \"$url\"}}}" . ($more // '') . "}}')";
}
my $arn = "arn:aws:lambda:$region:123456789012:function:crm";

# ---------- RegisterConnector ----------

is(value(register('crm', $arn)), '{"connectorArn": "arn:aws:appflow:us-west-2:000000000000:connector/crm"}', 'registered');
my @sent = seen();
is(scalar @sent, 1, 'one invocation');
ok($sent[0]{accepted}, 'signed, for the region of the function');
is("$sent[0]{method} $sent[0]{path} $sent[0]{type} $sent[0]{invocation}", 'POST /2015-03-31/functions/crm/invocations application/json RequestResponse', 'as Lambda wants it');
is($json->encode($json->decode($sent[0]{body})), '{"connectorLabel":"crm","locale":"en-US","type":"DescribeConnectorConfigurationRequest"}', "with the protocol's request");
is(value("SELECT c ->> 'connectorName', c #>> '{connectorProvisioningConfig,lambda,lambdaArn}', c ->> 'canUseAsSource', c ->> 'canUseAsDestination'
	FROM (SELECT appflow.describe_connector('{\"connectorType\": \"CustomConnector\", \"connectorLabel\": \"crm\"}') -> 'connectorConfiguration') x (c)"), "CRM|$arn|true|false", 'what it said is shown');
is(scalar(seen()), 0, 'without asking again');
like(value(register('aliased', "$arn:live")), qr/connector\/aliased/, 'by an alias');
is((seen())[0]{path}, '/2015-03-31/functions/crm%3Alive/invocations', 'which is in the path');
foreach my $wrong ('arn:aws:lambda:eu-central-1:123:function:crm', 'arn:aws:lambda:evil.example/x:123456789012:function:crm', 'arn:aws:lambda:eu-central-1:123456789012:function:crm/../x',
	'arn:aws:lambda:eu-central-1:123456789012:layer:crm', 'arn:aws:lambda:eu-central-1:123456789012:function:crm:a:b', 'arn:aws:lambda:eu-central-1:123456789012:function:crm?x')
{
	like((failure(register('wrong', $wrong)))[0], qr/^WF400: .*(names no function of AWS Lambda|lambdaArn)/, "no function: $wrong");
}
is(scalar(seen()), 0, 'nothing was sent');
like(value("SELECT appflow.update_connector_registration('{\"connectorLabel\": \"aliased\", \"connectorProvisioningConfig\": {\"lambda\": {\"lambdaArn\": \"$arn\"}}}')"), qr/connector\/aliased/, 'updated');
is(scalar(seen()), 1, 'it was asked again');

# ---------- profiles ----------

like((failure(profile('p', 'ftp://x')))[0], qr/^WF400: Error while communicating to connector: Got error from connector\. InvalidArgument: not a URL$/, 'settings that the connector declines');
is(value('SELECT count(*) FROM appflow.connector_profile'), 0, 'make no profile');
seen();
my @refused = failure(profile('p', 'https://x', ', "connectorProfileCredentials": {"CustomConnector": {"authenticationType": "APIKEY", "apiKey": {"apiKey": "planted-api-key"}}}'));
is($refused[0], 'WF405: connector profile "p" cannot have credentials: connector "crm" is a function of AWS Lambda, which could not read them', 'credentials are refused');
like($refused[1], qr/^UnsupportedOperationException: .*Secrets Manager/, 'with the reason');
is(scalar(seen()), 0, 'before anything is sent');
like(value(profile('p', 'https://x')), qr/connectorprofile\/p"/, 'without any there is a profile');
is(join(',', map { $json->decode($_->{body})->{type} } seen()), 'ValidateConnectorRuntimeSettingsRequest', 'whose settings were checked');

# ---------- entities, fields, cache ----------

my $list = "SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"p\"}')";
my $expected = '{"connectorEntityMap": {"Objects": [{"name": "Account", "label": "Accounts", "hasNestedEntities": true}, {"name": "Kunde-ü", "label": "Kunden €", "hasNestedEntities": false}]}}';
is(value($list), $expected, 'entities, of two pages');
@sent = map { $json->decode($_->{body}) } seen();
is(scalar @sent, 2, 'two invocations');
is($sent[1]{nextToken}, 'p2', 'the second with the token');
is($json->encode($sent[0]{connectorContext}), '{"apiVersion":null,"connectorProfileLabel":"p","connectorRuntimeSettings":{"instanceUrl":"https://x"},"credentials":null,"entityDefinition":null,"executionId":null,"flowName":null}', 'the context');
is(value($list), $expected, 'again');
is(scalar(seen()), 0, 'out of the cache');
my $describe = "SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"p\", \"connectorEntityName\": \"Kunde-ü\"}')";
is(value("SELECT f #>> '{connectorEntityFields,0,identifier}', f #>> '{connectorEntityFields,0,supportedFieldTypeDetails,v1,fieldType}' FROM ($describe) x (f)"), 'id|String', 'fields');
is($json->decode((seen())[0]{body})->{entityIdentifier}, "Kunde-\x{fc}", 'of the entity, in UTF-8');
value($describe);
is(scalar(seen()), 0, 'out of the cache');
my $reset = "SELECT appflow.reset_connector_metadata_cache('{\"connectorProfileName\": \"p\"}'); ";
value($reset . $list);
is(scalar(seen()), 2, 'after a reset it is asked again');
sub fresh { return failure($reset . ($_[0] // '') . $list); }

# ---------- function errors, and answers that are none ----------

my $unhandled = { 'X-Amz-Function-Error' => 'Unhandled' };
my $got = 'WF502: Error while communicating to connector: Got error from connector.';
foreach my $case (
	[ 'an exception', $unhandled, { errorType => 'ValueError', errorMessage => 'no such customer', stackTrace => ['x'] }, "$got ValueError: no such customer" ],
	[ 'a timeout', $unhandled, { errorMessage => '2026-01-01 task timed out after 3.00 seconds' }, "$got the function failed: 2026-01-01 task timed out after 3.00 seconds" ],
	[ 'no JSON', $unhandled, 'oops', "$got the function failed: no message" ],
	[ "an emulator's", {}, { errorType => 'KeyError', errorMessage => "'type'" }, "$got KeyError: 'type'" ],
	[ 'one that repeats the secret', $unhandled, { errorType => 'E', errorMessage => "key $secret, token $token" }, "$got E: key ***, token ***" ])
{
	my ($what, $headers, $body, $error) = @$case;
	answers({ status => 200, headers => $headers, body => $body });
	my @failure = fresh();
	is($failure[0], $error, "function error, $what");
	is($failure[1], "ConnectorServerException: ListEntitiesRequest to function $arn: function error, request id \"request-0815\"", "$what: request, function, request id");
	is(scalar(seen()), 1, 'which is not repeated');
}
my $none = "$got No valid response and error details found in the connector response.";
foreach my $case ([ 'nothing', '', 'is no JSON' ], [ 'text', 'oops', 'is no JSON' ], [ 'half', '{"isSuccess": tr', 'is no JSON' ], [ 'not UTF-8', "{\"isSuccess\": true, \"a\": \"\xff\"}", 'is no JSON' ],
	[ 'a zero byte', "{\"isSuccess\": true}\0", 'is no JSON' ], [ 'null', 'null', 'is not an object' ], [ 'an array', '[1]', 'is not an object' ], [ 'no isSuccess', '{"entities": []}', 'no boolean isSuccess' ],
	[ 'no entities', '{"isSuccess": true}', 'entities is missing' ])
{
	my ($what, $body, $reason) = @$case;
	answers({ status => 200, $body eq '' ? (body => '') : (base64 => encode_base64($body, '')) });
	my @failure = fresh();
	is($failure[0], $none, "malformed: $what");
	like($failure[1], qr/^ConnectorServerException: ListEntitiesRequest to function \Q$arn\E: .*$reason/, "$what: the reason");
}
answers({ status => 200, body => { isSuccess => JSON::PP::false, errorDetails => { errorCode => 'AccessDenied', errorMessage => 'not you' } } });
is((fresh())[0], "$got AccessDenied: not you", 'a connector that declines');
answers({ status => 200, large => 6 * 1024 * 1024 + 100 });
like((fresh())[0], qr/^WF502: request to ".*" failed: the answer is too large$/, 'more than 6 MB');
answers();
seen();

# ---------- what Lambda says ----------

answers({ status => 403, headers => { 'x-amzn-ErrorType' => 'AccessDeniedException' }, body => { Message => "User: arn:aws:iam::1:user/db is not authorized to perform: lambda:InvokeFunction" } });
my @failure = fresh();
is($failure[0], "WF403: lambda:InvokeFunction on function \"$arn\" is denied to the AWS identity of this server: User: arn:aws:iam::1:user/db is not authorized to perform: lambda:InvokeFunction", 'denied');
is($failure[1], "AccessDeniedException: ListEntitiesRequest to function $arn: AWS Lambda answered with status 403, AccessDeniedException, request id \"request-0815\".", 'with its detail');
is(scalar(seen()), 1, 'not repeated');
is((failure(register('gone', "arn:aws:lambda:$region:123456789012:function:gone")))[0],
	"WF404: function \"arn:aws:lambda:$region:123456789012:function:gone\" could not be invoked: Function not found: /2015-03-31/functions/gone/invocations", 'no such function');
is(value("SELECT count(*) FROM appflow.connectors WHERE connector_label = 'gone'"), 0, 'is not registered');
like((failure(register('far', 'arn:aws:lambda:us-east-1:123456789012:function:crm')))[0], qr/^WF401: .*security token/, 'signed for another region: not what is expected');
seen();
my $throttled = { status => 429, headers => { 'x-amzn-ErrorType' => 'TooManyRequestsException' }, body => { Reason => 'ReservedFunctionConcurrentInvocationLimitExceeded', message => 'Rate Exceeded.' } };
answers($throttled, { status => 500, body => {} });
is(value($reset . $list), "{}\n$expected", 'repeated after 429 and 500');
is(scalar(grep { $_->{accepted} } seen()), 4, 'each attempt signed');
answers(($throttled) x 9);
is((fresh())[0], "WF429: function \"$arn\" could not be invoked: Rate Exceeded.", 'in the end 429');
is(scalar(seen()), 3, 'after two repetitions');
answers(({ status => 503 }) x 9);
is((fresh())[0], "WF500: function \"$arn\" could not be invoked: the answer has status 503", 'and 503');
answers({ cut => 1 });
is(value($reset . $list), "{}\n$expected", 'repeated after a connection that broke');
answers({ status => 403, headers => { 'x-amzn-ErrorType' => 'ExpiredTokenException' }, body => {} });
is(value($reset . $list), "{}\n$expected", 'expired credentials are looked for anew');

# ---------- waiting ----------

answers({ status => 200, delay => 20000 });
my $begin = time;
like((fresh("SET statement_timeout = '300ms'; "))[0], qr/^57014: canceling statement due to statement timeout/, 'cancelled');
cmp_ok(time - $begin, '<', 9, 'without waiting for the answer');
answers({ status => 200, delay => 20000 });
like((fresh("SET appflow.max_retries = 0; SET appflow.idle_timeout = '300ms'; "))[0], qr/^WF502: request to ".*" was given up: the service did not answer in time/, 'a function that does not answer');
answers({ status => 200, delay => 30000 });
$begin = time;
like((fresh("SET appflow.max_retries = 0; SET appflow.idle_timeout = '1h'; "))[0], qr/^WF502: .* did not answer in time/, 'however long the session would wait');
cmp_ok(time - $begin, '<', 16, 'ten seconds are enough');
answers();
seen();

# ---------- who may ----------

$node->safe_psql('postgres', 'CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA appflow TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA appflow TO clerk; REVOKE EXECUTE ON FUNCTION appflow.aws_identity() FROM clerk');
is((failure('SET ROLE clerk; ' . register('clerks', $arn)))[0], 'WF403: role "clerk" may not use the AWS identity of this server', 'not everybody');
like((failure("LOAD 'appflow'; SET ROLE clerk; SET appflow.lambda_endpoint = 'http://127.0.0.1:1'"))[0], qr/^42501: permission denied to set parameter/, 'nor lead it elsewhere');
is(scalar(seen()), 0, 'nothing was sent');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION appflow.aws_identity() TO clerk');
like(value('SET ROLE clerk; ' . register('clerks', $arn)), qr/connector\/clerks/, 'whoever may use the identity');
is(scalar(seen()), 1, 'one invocation');
like((failure("LOAD 'appflow'; SET appflow.lambda_endpoint = 'http://host/path'"))[0], qr/^22023: invalid value/, 'no endpoint');
like((failure("SET appflow.allow_local_endpoints = off; $reset$list"))[0], qr/^WF400: .*is not allowed/, 'the policy for endpoints holds');

# the endpoints of AWS, as far as a proxy that is not there
foreach my $case ([ $arn, "https://lambda.$region.amazonaws.com" ], [ 'arn:aws:lambda:us-east-2:123456789012:function:crm:7', 'https://lambda.us-east-2.amazonaws.com' ])
{
	my ($function, $host) = @$case;
	(my $encoded = $function) =~ s/:/%3A/g;
	like((failure("SET appflow.lambda_endpoint = ''; SET appflow.proxy = 'http://127.0.0.1:1'; SET appflow.max_retries = 0; " . register('real', $function)))[0],
		qr{^WF502: request to "\Q$host\E/2015-03-31/functions/\Q$encoded\E/invocations" failed}, "at AWS: $function");
}
is(scalar(seen()), 0, 'not here');

# ---------- what is in the log ----------

my $log = slurp_file($node->logfile);
unlike($log, qr/\Q$_\E/, 'no secret in the log') foreach $secret, $token;

$node->stop('fast');
done_testing();
