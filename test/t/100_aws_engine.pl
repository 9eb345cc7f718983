# appflow.engine = aws: what the AWS SDK sends is what we send, and what AWS
# answers is what comes back.

use strict;
use warnings;

use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $tests = $ENV{APPFLOW_TEST_DIR};
my $json = JSON::PP->new->canonical->allow_nonref;
my ($key, $secret, $token, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'planted-session/token==', 'eu-central-1');

# a package variable: closing the handle waits for the process, so END must come before
our $output;
my $server = open($output, '-|', 'node', "$tests/simulators/appflow/server.js", $key, $secret, $token, $region) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }

my $http = HTTP::Tiny->new;
sub seen { return @{ decode_json($http->get("http://127.0.0.1:$port/_log")->{content}) }; }
sub answers { $http->post("http://127.0.0.1:$port/_answers", { content => $json->encode([@_]) }); return; }
sub expect_secret { $http->post("http://127.0.0.1:$port/_secret", { content => $_[0] }); return; }

my $node = PostgreSQL::Test::Cluster->new('aws_engine');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nappflow.region = '$region'\n"
	. "appflow.max_retry_delay = '50ms'\nlog_min_messages = debug5\nlog_statement = none\nmax_logical_replication_workers = 0\n");
{
	# from a file: PostgreSQL itself writes its environment to the log, at debug3
	my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
	append_to_file($file, "[default]\naws_access_key_id = $key\naws_secret_access_key = $secret\naws_session_token = $token\n");
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file);
	$node->start;
}
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

my $aws = "SET appflow.aws_endpoint = 'http://127.0.0.1:$port'; SET appflow.engine = aws; SET client_min_messages = error;";
sub value { return $node->safe_psql('postgres', "$aws $_[0]"); }
# "SQLSTATE: message", detail, all of it
sub failure
{
	my ($sql, %options) = @_;
	my (undef, undef, $stderr) = $node->psql($options{database} || 'postgres', "\\set VERBOSITY verbose\n$aws $sql");
	my ($error) = $stderr =~ /ERROR:\s+(\w+: .*)/;
	my ($detail) = $stderr =~ /DETAIL:\s+(.*)/;
	return ($error // "no error: $stderr", $detail // '', $stderr);
}
sub call
{
	my ($operation, $request) = @_;
	(my $function = lcfirst $operation) =~ s/([A-Z])/_\l$1/g;
	return "SELECT appflow.$function(\$json\$$request\$json\$)";
}

# ---------- the wire, against the SDK ----------

# the samples of the reference, and requests for what it has no sample of
my @requests;
my $samples = slurp_file("$tests/sql/samples.sql");
push @requests, [ $1, $2 ] while $samples =~ /validate_request\('(\w+)', \$\$(.*?)\$\$\)/gs;
cmp_ok(scalar @requests, '>=', 40, 'samples');
my $arn = 'arn:aws:appflow:eu-central-1:123456789012:flow/daily orders+1%';
my $flow = qq("sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "landing", "bucketPrefix": "in"}}},
	"destinationFlowConfigList": [{"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "out"}}}],
	"tasks": [{"taskType": "Filter", "sourceFields": ["a"], "connectorOperator": {"S3": "PROJECTION"}},
		{"taskType": "Map", "sourceFields": ["a"], "destinationField": "gr\xc3\xbcn \\u20ac \\"\\\\ \\t\\u0007", "taskProperties": {"SOURCE_DATA_TYPE": "te\\"xt"}}]);
push @requests, (
	[ 'CancelFlowExecutions', '{"flowName": "daily", "executionIds": ["4f6e2a40-0001", "4f6e2a40-0002"]}' ],
	[ 'CancelFlowExecutions', '{"flowName": "daily"}' ],
	[ 'TagResource', qq({"resourceArn": "$arn", "tags": {"team": "+x/y=z:@ a-b", "a/b": ""}}) ],
	[ 'UntagResource', qq({"resourceArn": "$arn", "tagKeys": ["team", "c<=d;:x", "e+/", "a", "a"]}) ],
	[ 'ListTagsForResource', qq({"resourceArn": "$arn"}) ],
	[ 'UpdateConnectorRegistration', '{"connectorLabel": "mine", "description": "x #1", "connectorProvisioningConfig": {"lambda": {"lambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:c"}}, "clientToken": "given-token"}' ],
	[ 'CreateFlow', qq({"flowName": "timed", "description": "it, is", "tags": {"a": "b"}, "metadataCatalogConfig": {"glueDataCatalog": {"roleArn": "arn:aws:iam::123456789012:role/r", "databaseName": "d", "tablePrefix": "t"}},
		"triggerConfig": {"triggerType": "Scheduled", "triggerProperties": {"Scheduled": {"scheduleExpression": "rate(5minutes)",
		"scheduleStartTime": 1893456000, "scheduleEndTime": "2030-05-06T07:08:09.250Z", "firstExecutionFrom": 1700000000.5, "scheduleOffset": 5.0, "timezone": "Europe/Berlin", "dataPullMode": "Incremental"}}}, $flow}) ],
	[ 'StartFlow', '{"flowName": "daily", "clientToken": "given-token"}' ],
	[ 'ListFlows', '{}' ], [ 'ListFlows', '{"maxResults": 7.0, "nextToken": "abc=="}' ], [ 'ListConnectors', '{}' ],
	[ 'CreateConnectorProfile', '{"connectorProfileName": "custom", "connectorType": "CustomConnector", "connectorLabel": "mine", "connectionMode": "Public", "kmsArn": "arn:aws:kms:us-east-1:123456789012:key/1",
		"connectorProfileConfig": {"connectorProfileProperties": {"CustomConnector": {"profileProperties": {"api_instance": "x"}, "oAuth2Properties": {"tokenUrl": "https://x.example/token", "oAuth2GrantType": "CLIENT_CREDENTIALS", "tokenUrlCustomProperties": {"q": "v"}}}},
		"connectorProfileCredentials": {"CustomConnector": {"authenticationType": "OAUTH2", "oauth2": {"clientId": "i", "clientSecret": "s", "oAuthRequest": {"authCode": "c"}}}}}}' ],
	[ 'CreateConnectorProfile', '{"connectorProfileName": "sap", "connectorType": "SAPOData", "connectionMode": "Private",
		"connectorProfileConfig": {"connectorProfileProperties": {"SAPOData": {"applicationHostUrl": "https://sap.example", "applicationServicePath": "/sap", "portNumber": 443, "clientNumber": "100", "disableSSO": "true"}},
		"connectorProfileCredentials": {"SAPOData": {"basicAuthCredentials": {"username": "u", "password": "p"}}}}}' ]);
is(scalar(keys %{ { map { $_->[0] => 1 } @requests } }), 25, 'every operation');

# the SDK gets them in canonical form: its own model decides what it sends
utf8::decode($_->[1]) foreach grep { $_->[1] =~ /\xc3/ } @requests;
sub bytes { my ($text) = @_; utf8::encode($text); return $text; }
my @canonical;
foreach my $request (@requests)
{
	my $text = $node->safe_psql('postgres', "SET client_min_messages = error; SELECT appflow.validate_request('$request->[0]', \$json\$" . bytes($request->[1]) . "\$json\$)");
	push @canonical, { operation => $request->[0], request => decode_json($text) };
}
my ($in, $out, $err) = (encode_json(\@canonical), '', '');
IPC::Run::run([ 'node', "$tests/simulators/appflow/sdk.mjs", $port, $key, $secret, $token, $region ], \$in, \$out, \$err);
is($out, "done\n", 'sent by the SDK') or diag($err);
my @by_sdk = seen();
is(scalar @by_sdk, scalar @requests, 'all of the SDK arrived');

my $script = join ";\n", map { call($_->[0], bytes($_->[1])) } @requests;
my @results = split /\n/, value($script);
is(scalar(grep { $_ eq '{}' } @results), scalar @requests, 'sent by us, answers given back');
my @by_us = seen();
is(scalar @by_us, scalar @requests, 'all of ours arrived');

# what identifies a request; a token that is made up is only known by its form
sub wire
{
	my ($seen, $request) = @_;
	my $body = $seen->{body} eq '' ? 'none' : $json->decode($seen->{body});
	if (ref $body && exists $body->{clientToken} && !exists $request->{clientToken})
	{
		$body->{clientToken} = 'made up' if $body->{clientToken} =~ /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
	}
	return join "\n", $seen->{accepted} ? 'accepted' : 'refused', $seen->{method}, $seen->{path}, $seen->{query}, $seen->{type}, $json->encode($body);
}
for my $i (0 .. $#requests)
{
	is(wire($by_us[$i], $canonical[$i]{request}), wire($by_sdk[$i], $canonical[$i]{request}), "$requests[$i][0], request " . ($i + 1) . ': as the SDK sends it');
}
my ($timed) = grep { $_->{body} =~ /"timed"/ } @by_us;
like($timed->{body}, qr/"scheduleOffset":5[,}]/, 'an integer, whatever its form in the request');
like($timed->{body}, qr/"scheduleEndTime":1904281689\.25[,}]/, 'a time in seconds');
unlike(join("", map { $_->{body} } grep { $_->{path} eq "/describe-connector-profiles" } @by_us), qr/connectorTypes/, 'what AWS does not know is not sent');
is($node->safe_psql('postgres', 'SELECT count(*) FROM appflow.flows'), 0, 'nothing was done here');
my (undef, undef, $warning) = $node->psql('postgres', "$aws SET client_min_messages = warning; SELECT appflow.describe_connector_profiles('{\"connectorTypes\": [\"Salesforce\"]}')");
like($warning, qr/WARNING:  member "connectorTypes" is not sent: AWS does not know it/, 'which is told');
seen();

like((failure("SELECT appflow.start_flow('{\"flowName\": \"a b\"}')"))[0], qr/^WF400: 1 validation error detected: Value 'a b' at 'flowName'/, 'requests are checked here');
is(scalar(seen()), 0, 'and not sent');
is(value("SELECT appflow.start_flow('named', 'my-token')"), '{}', 'the named form');
is($json->encode($json->decode((seen())[0]{body})), '{"clientToken":"my-token","flowName":"named"}', 'is the same call');

# ---------- answers ----------

answers({ status => 200, body => '{"flowArn": "arn:x", "createdAt": 1700000000.123, "unknownMember": [1, null, {"ü": "€"}], "flowStatus": "New"}' });
is(value("SELECT appflow.describe_flow('{\"flowName\": \"xy\"}')"),
	'{"flowArn": "arn:x", "createdAt": 1700000000.123, "flowStatus": "New", "unknownMember": [1, null, {"ü": "€"}]}', 'a response as it comes');
answers({ status => 200 });
is(value(call('DeleteFlow', '{"flowName": "xy"}')), '{}', 'an empty response');
foreach my $body ('nonsense', '[1]', '{"a": ', "{\"a\": \"\xff\"}", "{}\0")
{
	answers({ status => 200, base64 => encode_base64($body) });
	is((failure(call('DescribeFlow', '{"flowName": "xy"}')))[0], 'WF500: the answer to DescribeFlow is no JSON object', "no response: $body");
}

my %exceptions = (
	ValidationException => [ 400, 'WF400' ], ConnectorServerException => [ 400, 'WF502' ], UnsupportedOperationException => [ 400, 'WF405' ],
	ConnectorAuthenticationException => [ 401, 'WF401' ], ServiceQuotaExceededException => [ 402, 'WF402' ], AccessDeniedException => [ 403, 'WF403' ],
	ResourceNotFoundException => [ 404, 'WF404' ], ConflictException => [ 409, 'WF409' ], ThrottlingException => [ 429, 'WF429' ], InternalServerException => [ 500, 'WF500' ]);
foreach my $name (sort keys %exceptions)
{
	my ($status, $sqlstate) = @{ $exceptions{$name} };
	answers({ status => $status, headers => { 'x-amzn-ErrorType' => $name }, body => { message => "what $name says: ü" } });
	my ($error, $detail) = failure('SET appflow.max_retries = 0; ' . call('CreateFlow', $requests[0][0] eq 'CreateFlow' ? $requests[0][1] : bytes((grep { $_->[0] eq 'CreateFlow' } @requests)[0][1])));
	is($error, "$sqlstate: what $name says: ü", "$name: as ours");
	is($detail, "$name: AWS answered CreateFlow with status $status, request id \"request-4711\".", "$name: with its name and request id");
}
my $describe = call('DescribeFlow', '{"flowName": "xy"}');
foreach my $case (
	[ 'name with an address', 409, { 'x-amzn-ErrorType' => 'ConflictException:http://internal.amazon.com/coral/' }, '{"Message":"so"}', 'WF409: so', qr/^ConflictException: AWS answered DescribeFlow with status 409, request/ ],
	[ 'name in the body', 404, {}, '{"__type":"com.amazonaws.appflow#ResourceNotFoundException","message":"gone"}', 'WF404: gone', qr/^ResourceNotFoundException: / ],
	[ 'escapes', 400, { 'x-amzn-ErrorType' => 'ValidationException' }, '{"message":"it\u2019s \u0027so\u0027"}', "WF400: it\xe2\x80\x99s 'so'", qr/^Val/ ],
	[ 'what no text can hold', 400, { 'x-amzn-ErrorType' => 'ValidationException' }, '{"message":"\u0000 \ud800"}', 'WF400: AWS could not carry out DescribeFlow: the answer has status 400', qr/^Val/ ],
	[ 'unknown to us', 403, { 'x-amzn-ErrorType' => 'UnrecognizedClientException' }, '{"message":"no such key"}', 'WF401: no such key', qr/^ConnectorAuthenticationException: AWS answered DescribeFlow with status 403, UnrecognizedClientException, request id "request-4711"\.$/ ],
	[ 'throttled with 400', 400, { 'x-amzn-ErrorType' => 'TooManyRequestsException' }, '{}', 'WF429: AWS could not carry out DescribeFlow: the answer has status 400', qr/^ThrottlingException: .*TooManyRequestsException/ ],
	[ 'no JSON', 404, {}, '<html>', 'WF404: AWS could not carry out DescribeFlow: the answer has status 404', qr/^ResourceNotFoundException: AWS answered DescribeFlow with status 404, request/ ],
	[ 'redirect', 302, { Location => 'http://127.0.0.1:1/' }, '', 'WF500: AWS could not carry out DescribeFlow: the answer has status 302', qr/^Internal/ ],
	[ 'lines', 400, { 'x-amzn-ErrorType' => 'ValidationException' }, '{"message":"first %s\nsecond"}', 'WF400: first %s second', qr/^Val/ ])
{
	my ($what, $status, $headers, $body, $error, $detail) = @$case;
	answers({ status => $status, headers => $headers, body => $body });
	my @got = failure("SET appflow.max_retries = 0; $describe");
	is($got[0], $error, "$what: message") or diag $got[2];
	like($got[1], $detail, "$what: detail");
}
seen();

# an error ends the transaction here, and nothing there
answers({ status => 200 }, { status => 409, headers => { 'x-amzn-ErrorType' => 'ConflictException' }, body => { message => 'no' } });
is((failure("BEGIN; CREATE TABLE here (); " . call('StartFlow', '{"flowName": "xy"}') . '; ' . call('StartFlow', '{"flowName": "xy"}') . '; COMMIT'))[0], 'WF409: no', 'in a transaction');
is(scalar(seen()), 2, 'both were sent');

# ---------- repetition ----------

my $start_flow = call('StartFlow', '{"flowName": "xy"}');
answers({ status => 503 }, { status => 500, headers => { 'x-amzn-ErrorType' => 'InternalServerException' } }, { status => 429, headers => { 'x-amzn-ErrorType' => 'ThrottlingException' } },
	{ status => 400, headers => { 'x-amzn-ErrorType' => 'ThrottlingException' }, body => '{}' }, { status => 200, body => { flowStatus => 'Active' } });
is(value($start_flow), '{"flowStatus": "Active"}', 'repeated after 503, 500, 429 and a throttling 400');
my @attempts = seen();
is(scalar @attempts, 5, 'five attempts');
is(scalar(keys %{ { map { $_->{body} => 1 } @attempts } }), 1, 'with one token');
is(scalar(grep { $_->{accepted} } @attempts), 5, 'each signed');
answers({ cut => 1 }, { status => 200 });
is(value($start_flow), '{}', 'repeated after a connection that broke');
is(scalar(seen()), 2, 'once');
answers(map { { status => 503 } } 1 .. 9);
is((failure("SET appflow.max_retries = 2; $start_flow"))[0], 'WF500: AWS could not carry out StartFlow: the answer has status 503', 'in the end an error');
is(scalar(seen()), 3, 'after as many attempts as are set');
answers({ status => 400, headers => { 'x-amzn-ErrorType' => 'ValidationException' }, body => {} });
failure($start_flow);
is(scalar(seen()), 1, 'other errors are not repeated');
answers({ status => 400, headers => { 'x-amzn-ErrorType' => 'ExpiredTokenException' }, body => {} });
is(value($start_flow), '{}', 'expired credentials are looked for anew');
seen();

# ---------- waiting ----------

answers({ status => 200, delay => 20000 });
my $begin = time;
like((failure("SET statement_timeout = '300ms'; $describe"))[0], qr/^57014: canceling statement due to statement timeout/, 'statement_timeout');
my $took = (time - $begin) * 1000 - 300;
note(sprintf('answered after %.0f ms, with the start of psql', $took));
cmp_ok($took, '<', 10000, 'without waiting for the answer');
answers({ status => 200, delay => 20000 });
like((failure("SET appflow.max_retries = 0; SET appflow.idle_timeout = '300ms'; $describe"))[0], qr/^WF502: request to ".*\/describe-flow" was given up: the service did not answer in time/, 'a service that does not answer');
answers();

# ---------- many calls in a session ----------

my $use = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
my $many = "DO \$\$ BEGIN FOR i IN 1 .. 300 LOOP PERFORM appflow.describe_flow('{\"flowName\": \"xy\"}');
	BEGIN PERFORM appflow.describe_flow('{\"flowName\": \"?\"}'); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END \$\$";
$begin = time;
seen();
my ($before, $after) = split /\n/, value("$many; $use; $many; $use");
note(sprintf('%.2f ms a call', (time - $begin) * 1000 / 600));
cmp_ok($after - $before, '<', 200_000, 'memory does not grow') or diag("$before, then $after");
is(scalar(grep { $_->{accepted} } seen()), 600, 'all arrived');

# ---------- whose identity ----------

$node->safe_psql('postgres', "CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA appflow TO clerk; ALTER DATABASE postgres SET appflow.aws_endpoint = 'http://127.0.0.1:$port'");
seen();
my $clerk = "SET ROLE clerk; $describe";
my @refused = failure($clerk);
is($refused[0], 'WF403: role "clerk" may not use the AWS identity of this server', 'not for everybody');
is($refused[1], 'AccessDeniedException', 'with the exception');
like($refused[2], qr/HINT:  A superuser can permit it with GRANT EXECUTE ON FUNCTION appflow\.aws_identity\(\) TO clerk;/, 'and a hint');
like((failure('SET ROLE clerk; SELECT appflow.aws_identity()'))[0], qr/^42501: permission denied for function aws_identity/, 'nor can he look');
like((failure("LOAD 'appflow'; SET ROLE clerk; SET appflow.aws_endpoint = 'http://127.0.0.1:1'"))[0], qr/^42501: permission denied to set parameter/, 'nor lead it elsewhere');
is(scalar(seen()), 0, 'nothing was sent');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION appflow.aws_identity() TO clerk');
is(value($clerk), '{}', 'granted');
is(value('SET ROLE clerk; SELECT appflow.aws_identity()'), qq({"region": "$region", "endpoint": "http://127.0.0.1:$port", "accessKeyId": "$key"}), 'whom AWS sees');
is(scalar(seen()), 1, 'one request');
like((failure("CREATE TABLE trap (x int); INSERT INTO trap VALUES (1);
	CREATE FUNCTION spring(int) RETURNS int IMMUTABLE LANGUAGE plpgsql SET appflow.engine = aws AS \$f\$ BEGIN PERFORM appflow.list_flows('{}'); RETURN 1; END \$f\$;
	CREATE INDEX ON trap (spring(x))"))[0], qr/^WF403: AWS cannot be called within a security-restricted operation/, 'not by maintenance');
like((failure("SELECT appflow.sync('p', 'Account', 'accounts')"))[0], qr/^WF405: AWS cannot write to tables of this server/, 'sync is of this server');
is(scalar(seen()), 0, 'nothing was sent');
like((failure("LOAD 'appflow'; SET appflow.aws_endpoint = '$_'"))[0], qr/^22023: invalid value for parameter "appflow.aws_endpoint"/, "no endpoint: $_")
	foreach ('ftp://x', 'https://', 'https://user:pw@host', 'https://host/path', 'https://host?x', "http://a\nb", 'host');
like((failure("SET appflow.allow_local_endpoints = off; $describe"))[0], qr/^WF400: .*is not allowed/, 'the policy for endpoints holds');
# set before the extension is loaded, when nobody knows yet that it is a superuser's
my (undef, undef, $placeholder) = $node->psql('postgres', "SET appflow.aws_endpoint = 'http://127.0.0.1:1'; SET appflow.engine = aws; $describe", extra_params => [ '-U', 'clerk' ]);
like($placeholder, qr/permission denied to set parameter "appflow.aws_endpoint"/, 'nor before the extension is loaded');
is(scalar(seen()), 1, 'the request goes where it should');
is($node->safe_psql('postgres', "RESET appflow.aws_endpoint; SET appflow.aws_endpoint = ''; SET appflow.region = 'cn-north-1'; SELECT appflow.aws_identity() ->> 'endpoint'"),
	'https://appflow.cn-north-1.amazonaws.com.cn', "a region's own endpoint");

# ---------- an encoding that is not AWS's ----------

$node->safe_psql('postgres', "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
$node->safe_psql('latin', 'CREATE EXTENSION appflow');
answers({ status => 200, body => '{"a": "Wein für €"}' }, { status => 200, body => '{"a": "für"}' },
	{ status => 400, headers => { 'x-amzn-ErrorType' => 'ValidationException' }, body => '{"message": "für €"}' });
my $french = "SET client_encoding = 'UTF8'; " . call('DescribeConnectorEntity', '{"connectorEntityName": "für"}');
like((failure($french, database => 'latin'))[0], qr/^22P05: character with byte sequence 0xe2 0x82 0xac/, 'LATIN1: what it does not have');
is($json->encode($json->decode((seen())[0]{body})), $json->encode({ connectorEntityName => "f\xfcr" }), 'LATIN1: sent as UTF-8');
is($node->safe_psql('latin', "$aws $french"), '{"a": "für"}', 'LATIN1: received');
is((failure($french, database => 'latin'))[0], 'WF400: f??r ???', 'LATIN1: messages');
seen();

# ---------- nothing leaks ----------

my $profile = PostgreSQL::Test::Utils::tempdir . '/profile.json';
append_to_file($profile, '{"connectorProfileName": "p", "connectorType": "Zendesk", "connectionMode": "Public",
	"connectorProfileConfig": {"connectorProfileProperties": {"Zendesk": {"instanceUrl": "https://x.zendesk.com"}},
	"connectorProfileCredentials": {"Zendesk": {"clientId": "planted-client-id", "clientSecret": "planted-client-secret", "accessToken": "planted-access-token", "oAuthRequest": {"authCode": "planted-code"}}}}}');
my $create = "SELECT appflow.create_connector_profile(pg_read_file('$profile')::jsonb)";
value($create);
like((seen())[0]{body}, qr/"clientSecret":"planted-client-secret"/, 'credentials go over the wire');
answers({ status => 400, headers => { 'x-amzn-ErrorType' => 'ValidationException', 'x-amzn-RequestId' => 'planted-client-secret' },
	body => { message => "bad planted-client-secret, planted-access-token and planted-code, with $secret of $token" } });
my @echo = failure($create);
is($echo[0], 'WF400: bad ***, *** and ***, with *** of ***', 'an answer that repeats them is not repeated');
unlike($echo[2], qr/planted/, 'in any part');
# nor in a database of another encoding
append_to_file("$profile-2", '{"connectorProfileName": "pp", "connectorType": "Zendesk", "connectionMode": "Public",
	"connectorProfileConfig": {"connectorProfileProperties": {"Zendesk": {"instanceUrl": "https://x.zendesk.com"}},
	"connectorProfileCredentials": {"Zendesk": {"clientId": "i", "clientSecret": "planted-für"}}}}');
my $foreign = "SELECT appflow.create_connector_profile(convert_from(pg_read_binary_file('$profile-2'), 'UTF8')::jsonb)";
foreach my $database ('postgres', 'latin')
{
	answers({ status => 400, headers => { 'x-amzn-ErrorType' => 'ValidationException' }, body => '{"message": "no planted-für\nplanted-für"}' });
	is((failure($foreign, database => $database))[0], 'WF400: no *** ***', "$database: what is not ASCII");
}
expect_secret('another');
my @wrong = failure($create);
like($wrong[0], qr/^WF401: The request signature we calculated does not match the signature you provided/, 'a wrong secret');
like($wrong[1], qr/^ConnectorAuthenticationException: AWS answered CreateConnectorProfile with status 403, InvalidSignatureException, request id "request-4711"\.$/, 'with the name of AWS');
unlike($wrong[2], qr/planted|Canonical/, 'without what it was about');
expect_secret($secret);
answers({ cut => 1 }, { cut => 1 });
failure("SET appflow.max_retries = 1; $create");
answers({ status => 200, delay => 20000 });
failure("SET statement_timeout = '200ms'; $create");
answers();
my $log = slurp_file($node->logfile);
cmp_ok(length $log, '>', 100000, 'the log is full');
unlike($log, qr/planted|Signature=[0-9a-f]/, 'and has no secret at debug5');

$node->stop;
done_testing();
