# Salesforce: how one gets in by each grant, what it says to those who do not, and what
# becomes of a run when it does not answer as it should.

use strict;
use warnings;

use AppflowTest::SalesforceRead;
use IPC::Run;
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my $place = PostgreSQL::Test::Utils::tempdir;
my $tests = $ENV{APPFLOW_TEST_DIR};

# ---------- the connected app, and where its secret is ----------

run_log([ 'openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', "$place/key" ]) or die 'openssl';
run_log([ 'openssl', 'pkey', '-in', "$place/key", '-pubout', '-out', "$place/public" ]) or die 'openssl';
@ENV{qw(CLIENT_ID CLIENT_SECRET JWT_PUBLIC_KEY)} = ('3MVG9planted', 'planted-client-secret', slurp_file("$place/public"));
my @identity = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'planted-session/token==', 'eu-central-1');
@ENV{qw(AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_EC2_METADATA_DISABLED)} = (@identity[ 0 .. 2 ], 'true');
our $output;
my $pid = open($output, '-|', 'node', "$tests/simulators/aws/secretsmanager.js", @identity) or die "node: $!";
END { my $status = $?; kill 'KILL', $pid if $pid; $? = $status; }
my ($manager) = (readline($output) // '') =~ /^ready (\d+)/ or die 'no secrets manager';
my $arn = "arn:aws:secretsmanager:$identity[3]:123456789012:secret:crm-AbCdEf";
HTTP::Tiny->new->post("http://127.0.0.1:$manager/_secrets", { content => $json->encode({ $arn => { string => $json->encode({ clientId => $ENV{CLIENT_ID}, clientSecret => $ENV{CLIENT_SECRET} }) },
	"$arn-wrong" => { string => '{"clientId": "3MVG9planted", "clientSecret": "planted-wrong"}' } }) });

my $sf = AppflowTest::SalesforceRead->new('salesforce_access', "appflow.secretsmanager_endpoint = 'http://127.0.0.1:$manager'", "appflow.max_retry_delay = '50ms'");
my $url = "http://127.0.0.1:$sf->{port}";
sub profile
{
	my ($name, $credentials, %properties) = @_;
	my $request = $json->encode({ connectorProfileName => $name, connectorType => 'Salesforce', connectionMode => 'Public', connectorProfileConfig => {
		connectorProfileProperties => { Salesforce => { instanceUrl => $url, %properties } }, connectorProfileCredentials => { Salesforce => $credentials } } });
	my (undef, undef, $stderr) = $sf->{node}->psql('postgres', "\\set VERBOSITY verbose\nSELECT appflow.create_connector_profile(\$j\$$request\$j\$)");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : '';
}
sub failure
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $sf->{node}->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? "$1" . ($stderr =~ /HINT:\s+(.*)/ ? " | $1" : '') : "no error: $stderr";
}
sub entities { return "SELECT jsonb_array_length(appflow.list_connector_entities('{\"connectorType\": \"Salesforce\", \"connectorProfileName\": \"$_[0]\"}') #> '{connectorEntityMap,Objects}')"; }
sub jwt
{
	my (%claims) = @_;
	my $text = join '.', map { encode_base64url($json->encode($_)) } { alg => 'RS256' }, { iss => $ENV{CLIENT_ID}, sub => 'me@example.com', aud => 'https://login.salesforce.com', exp => time + 180, %claims };
	my $signature;
	IPC::Run::run([ 'openssl', 'dgst', '-sha256', '-sign', "$place/key" ], '<', \$text, '>', \$signature) or die 'openssl';
	return "$text." . encode_base64url($signature);
}

# ---------- what there is ----------

my $objects = $sf->sql(entities('crm'));
my $list = $json->decode($sf->sql(q{SELECT appflow.list_connector_entities('{"connectorType": "Salesforce", "connectorProfileName": "crm"}')}))->{connectorEntityMap}{Objects};
is(join(' ', map { $_->{name} } @$list), 'User Account Contact Thing__c Big__c AccountChangeEvent Thing__ChangeEvent Order_Placed__e', 'objects that can be queried, and events');
my $entity = $json->decode($sf->sql(q{SELECT appflow.describe_connector_entity('{"connectorType": "Salesforce", "connectorProfileName": "crm", "connectorEntityName": "Thing__c"}')}));
my %field = map { $_->{identifier} => $_ } @{ $entity->{connectorEntityFields} };
is_deeply({ map { $_ => $field{$_}{supportedFieldTypeDetails}{v1}{fieldType} } keys %field }, {
	(map { $_ => 'String' } qw(Id Name Text__c Code__c Long__c Choice__c Choices__c Open__c Secret__c Account__c OwnerId)),
	IsDeleted => 'Boolean', Flag__c => 'Boolean', Int__c => 'Integer', (map { $_ => 'BigDecimal' } qw(Number__c Money__c Share__c Place__Latitude__s Place__Longitude__s)),
	Day__c => 'Date', (map { $_ => 'DateTime' } qw(Moment__c CreatedDate LastModifiedDate SystemModstamp)), Clock__c => 'String', Place__c => 'Struct' }, 'types') or diag explain { map { $_ => $field{$_}{supportedFieldTypeDetails}{v1}{fieldType} } keys %field };
is_deeply($field{Choice__c}{supportedFieldTypeDetails}{v1}{supportedValues}, [ 'Red', 'Green', 'Blue' ], 'values of a picklist');
is_deeply([ map { $field{$_}{customProperties}{openValues} } qw(Choice__c Open__c) ], [ undef, 'true' ], 'restricted, and not');
is_deeply([ map { $_->{isPrimaryKey} ? 1 : 0 } @field{qw(Id Code__c)} ], [ 1, 0 ], 'the key');
is_deeply([ map { $field{$_}{customProperties}{upsertKey} } qw(Id Code__c Text__c) ], [ undef, 'true', undef ], 'external ids');
is_deeply($field{Account__c}{customProperties}, { nativeType => 'reference', sortable => 'true', references => 'Account', relationship => 'Account__r' }, 'what a reference leads to');
is_deeply([ map { $field{$_}{customProperties}{exactType} } qw(Clock__c Text__c) ], [ 'time', undef ], 'types that AppFlow has no name for');
is_deeply($field{OwnerId}{customProperties}{references}, undef, 'if it is one entity');
is_deeply([ map { $field{$_}{sourceProperties}{isQueryable} ? 1 : 0 } qw(Text__c Long__c Secret__c Place__c) ], [ 1, 0, 0, 0 ], 'what can be filtered by');
is_deeply([ sort grep { $field{$_}{sourceProperties}{isTimestampFieldForIncrementalQueries} } keys %field ], [ 'CreatedDate', 'LastModifiedDate', 'SystemModstamp' ], 'times of changes');
is_deeply($field{CreatedDate}{destinationProperties}, undef, 'what cannot be written');
is($field{Text__c}{supportedFieldTypeDetails}{v1}{fieldLengthRange}{maximum}, 255, 'lengths');
is(failure(q{SELECT appflow.describe_connector_entity('{"connectorType": "Salesforce", "connectorProfileName": "crm", "connectorEntityName": "Gone__c"}')}),
	'WF502: Salesforce refused entity "Gone__c": NOT_FOUND: The requested resource does not exist', 'an object that there is not');
like(failure(q{SELECT appflow.describe_connector_entity('{"connectorType": "Salesforce", "connectorProfileName": "crm", "connectorEntityName": "../limits"}')}),
	qr{^WF400: "../limits" is not the name of a Salesforce object}, 'nor a path');

# answers that are JSON, but not what was asked for
my $describe = q{SELECT appflow.describe_connector_entity('{"connectorType": "Salesforce", "connectorProfileName": "crm", "connectorEntityName": "%s"}')};
my $number = 0;
foreach my $fault ([ '"fields":', '"fields":0,"x":' ], [ '"fields":\[', '"fields":[[],1,null,"x",{}],"x":[' ], [ '^', '[' ], [ '"fields":\[', '"fields":"x","x":[' ])
{
	$sf->control('fault', kind => 'replace', path => 'User/describe', from => $fault->[0], to => $fault->[1], regexp => 1);
	like(failure(sprintf $describe, 'User'), qr/^WF502: (Salesforce shows no fields of entity "User"|the answer of Salesforce about entity "User" is not JSON)/, "a describe with $fault->[1]");
}
foreach my $fault ([ '"fields":', '"fields":[],"fields":', 'the member "fields" is there twice' ], [ '"fields":', '"x":{"y":"\\u0000"},"fields":', 'text must not contain \\u0000' ], [ '"fields":', '"x":{"y":1,},"fields":', '' ])
{
	$sf->control('fault', kind => 'replace', path => 'User/describe', from => $fault->[0], to => $fault->[1]);
	my (undef, undef, $stderr) = $sf->{node}->psql('postgres', "\\set VERBOSITY verbose\n" . sprintf $describe, 'User');
	like($stderr, qr/WF502: the answer of Salesforce about entity "User" is not JSON: .*answered with status 200; line 1, column \d+: \Q$fault->[2]\E/s, "a describe with $fault->[1]");
}
foreach my $answer ('0', '"x"', 'null', '[]', '{"sobjects": 5}', '{"sobjects": [1, {"queryable": true}, {"name": 5, "queryable": true}]}')
{
	$sf->control('fault', kind => 'replace', path => 'sobjects', from => '^.*$', to => $answer, regexp => 1);
	like(failure(q{SELECT appflow.list_connector_entities('{"connectorType": "Salesforce", "connectorProfileName": "crm"}')}), qr/^(no error|WF502)/, "a list that is $answer");
}
$sf->control('reset');
$sf->control('fault', kind => 'error', path => 'User/describe', status => 400, code => "x' \n", message => 'deep' x 5000);
like(failure(sprintf $describe, 'User'), qr/^WF502: Salesforce refused entity "User": x': deep/, 'an error of many words');
$sf->control('reset');

# ---------- grants ----------

$sf->control('code', code => 'planted-code-2');
profile('code', { clientCredentialsArn => $arn, oAuth2GrantType => 'AUTHORIZATION_CODE', oAuthRequest => { authCode => 'planted-code-2', redirectUri => 'https://example.com/back' } });
is($sf->sql(entities('code')), $objects, 'an authorization code');
$sf->control('expire');
is($sf->sql(entities('code')), $objects, 'and its refresh token');
profile('client', { clientCredentialsArn => $arn, oAuth2GrantType => 'CLIENT_CREDENTIALS' });
is($sf->sql(entities('client')), $objects, 'client credentials');
$sf->control('expire');
is($sf->sql(entities('client')), $objects, 'again');
profile('jwt', { oAuth2GrantType => 'JWT_BEARER', jwtToken => jwt() });
is($sf->sql(entities('jwt')), $objects, 'an assertion');
$sf->control('expire');
is($sf->sql(entities('jwt')), $objects, 'again');

# ---------- who does not get in ----------

profile('late', { oAuth2GrantType => 'JWT_BEARER', jwtToken => jwt(exp => time - 5) });
like(failure(entities('late')), qr/^WF401: .*invalid_grant/, 'an assertion of yesterday');
like(profile('spent', { clientCredentialsArn => $arn, oAuthRequest => { authCode => 'planted-code-2', redirectUri => 'https://example.com/back' } }),
	qr/^WF401: .*invalid_grant/, 'a code that is spent');
profile('secret', { clientCredentialsArn => "$arn-wrong", oAuth2GrantType => 'CLIENT_CREDENTIALS' });
like(failure(entities('secret')), qr/^WF401: .*invalid_client/, 'a wrong secret');
profile('token', { accessToken => 'planted-none' });
is(failure(entities('token')), 'WF401: Salesforce refused the list of objects: INVALID_SESSION_ID: Session expired or invalid | See the credentials of connector profile "token".', 'a token that is none');
$sf->control('token');
profile('scope', { accessToken => $sf->control('token') });
$sf->control('set', disabled => JSON::PP::true);
is(failure(entities('scope')), 'WF401: Salesforce refused the list of objects: API_DISABLED_FOR_ORG: API is not enabled for this Organization or Partner', 'an organization without the API');
$sf->control('set', disabled => JSON::PP::false);

profile('elsewhere', { accessToken => $sf->control('token') }, instanceUrl => "http://127.0.0.1:$manager");
like(failure(entities('elsewhere')), qr/^WF\d+: (Salesforce refused the list of objects|the answer of Salesforce)/, 'an instance that is none');
profile('nobody', { accessToken => $sf->control('token') }, instanceUrl => 'http://127.0.0.1:1');
like(failure(entities('nobody')), qr/^WF502: .*127\.0\.0\.1:1/, 'an instance that nobody answers for');
like(failure(entities('version') =~ s/version/crm/r =~ s/"connectorType"/"apiVersion": "v99.0", "connectorType"/r), qr/^WF502: .*NOT_FOUND/, 'a version that there is not');

# ---------- runs ----------

$sf->control('seed', object => 'Contact', count => 7000, values => { LastName => 'Name {n}', FirstName => 'First' });
$sf->control('set', pageSize => 1000);
my %pull = (object => 'Contact', profile => 'code', fields => [ 'LastName', 'DoNotCall' ], columns => '"LastName" text, "DoNotCall" bool', properties => { dataTransferApi => 'REST_SYNC' });
sub runs
{
	my ($name, @faults) = @_;
	$sf->control('reset');
	$sf->control('fault', %$_) foreach @faults;
	my $run = $sf->pull(%pull);
	is("$run->{status} $run->{processed} " . $sf->sql(qq{SELECT count(DISTINCT "LastName") FROM $run->{name}}), 'Successful 7000 7000', "$name: every record once") or diag $run->{stderr};
}
my $page = { path => '/query' };
runs('seven pages');
is(scalar($sf->seen(qr{/query})), 7, 'of a thousand each');
runs('a throttled page', { %$page, kind => 'concurrent', skip => 2 });
runs('the service is away', { %$page, kind => 'unavailable', skip => 3, count => 2 });
runs('the token ends on the way', { %$page, kind => 'expire', skip => 4 });
runs('a connection breaks before the answer', { %$page, kind => 'reset', skip => 2 });
runs('a slow page', { %$page, kind => 'slow', skip => 1, delay => 1000 });

sub breaks
{
	my ($name, $message, @faults) = @_;
	$sf->control('reset');
	$sf->control('fault', %$_) foreach @faults;
	my $run = $sf->pull(%pull);
	like($run->{stderr}, $message, $name);
	is("$run->{status} " . $sf->sql("SELECT count(*) FROM $run->{name}"), 'Error 0', "$name: nothing is half written");
}
breaks('a page for people', qr/WF502: .*the answer of Salesforce about entity "Contact" is not JSON: <!DOCTYPE html>/, { %$page, kind => 'html', skip => 2 });
breaks('half a page', qr/WF502: .*page 3 of entity "Contact" from Salesforce is malformed/, { %$page, kind => 'truncate', skip => 2 });
breaks('a page that breaks off', qr/WF502: /, map { { %$page, kind => 'cut', skip => 2 } } 1 .. 9);
breaks('bytes that are no text', qr/WF502: .*page 2 of entity "Contact" from Salesforce is malformed: .*UTF-8/, { %$page, kind => 'bad-utf8', skip => 1 });
breaks('a field twice', qr/WF502: .*page 2 of entity "Contact" from Salesforce is malformed: .*twice|WF502: .*duplicate/, { %$page, kind => 'replace', skip => 1, from => '"LastName":"Name 1007"', to => '"LastName":"Name 1007","LastName":"x"' });
breaks('a page without its end', qr/WF502: .*page 1 of entity "Contact" from Salesforce says neither that it is the last nor what follows/, { %$page, kind => 'replace', from => '"nextRecordsUrl"', to => '"next"' });
breaks('a link to elsewhere', qr/WF502: .*Salesforce sent a link to another host/, { %$page, kind => 'replace', from => '"nextRecordsUrl":"', to => '"nextRecordsUrl":"http://127.0.0.2:1' });
breaks('the requests of the day are used up', qr/WF429: .*REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded. \(api-usage=\d+\/15000\)/, { %$page, kind => 'daily', skip => 5, count => 1 });
is(scalar($sf->seen(qr{/query})), 6, 'and not asked again');
breaks('a cursor that is gone', qr/WF502: .*Salesforce refused entity "Contact": INVALID_QUERY_LOCATOR: invalid query locator/, { %$page, kind => 'error', status => 400, code => 'INVALID_QUERY_LOCATOR', message => 'invalid query locator', skip => 3 });
breaks('no access to the object', qr/WF502: .*INVALID_TYPE: sObject type 'Contact' is not supported/, { %$page, kind => 'error', status => 400, code => 'INVALID_TYPE', message => q{sObject type 'Contact' is not supported.} });

# the object changes between describe and query
$sf->control('reset');
$sf->control('fault', path => '/query', kind => 'error', status => 400, code => 'INVALID_FIELD', message => "No such column 'LastName' on entity 'Contact'.");
my $run = $sf->pull(%pull);
like($run->{stderr}, qr/WF502: .*Salesforce refused entity "Contact": INVALID_FIELD: No such column 'LastName' on entity 'Contact'\./, 'a field that has just gone');

# values that do not fit fail their record, and only that
$sf->control('put', object => 'Thing__c', records => [ { Code__c => 'fits', Int__c => 1 }, { Code__c => 'large', Int__c => 3000000000 }, { Code__c => 'fits too', Int__c => 2 } ]);
$run = $sf->pull(object => 'Thing__c', profile => 'code', fields => [ 'Code__c', 'Int__c' ], columns => '"Code__c" text, "Int__c" int');
is("$run->{status} $run->{processed} $run->{failed} $run->{rows}", qq(Successful 3 1 [{"Code__c":"fits","Int__c":1}, \n {"Code__c":"fits too","Int__c":2}]), 'a number that is too large');
like($run->{errors}[0]{errorMessage}, qr/"Int__c".*3000000000.*out of range/, 'says so') or diag explain $run;

# what a definition cannot say
my $refused = $sf->pull(%pull, object => '../limits', name => 'bad1');
like($refused->{refused}, qr/object "\.\.\/limits" is not the name of a Salesforce object/, 'an object that is no name');
$refused = $sf->pull(%pull, fields => [ 'LastName FROM User' ], name => 'bad2', columns => undef, to => 'JSON');
like($refused->{stderr} // $refused->{refused}, qr/WF400: .*has no field "LastName FROM User"/, 'a field that is no name');
$refused = $sf->pull(%pull, object => 'AccountChangeEvent', fields => ['Name'], name => 'bad3', columns => 'name text');
like($refused->{stderr} // $refused->{refused}, qr/event of Salesforce/, 'an event cannot be queried');

unlike(slurp_file($sf->{node}->logfile), qr/planted-(client|access|refresh)/, 'no secret in the log');
done_testing();
