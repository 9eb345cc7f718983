# Every operation on profiles, connectors and entities through success and each
# exception that it can raise; who may see and do what; what the vault keeps.
use strict;
use warnings;
use AppflowTest::Operations;
use Test::More;

my $node = AppflowTest::Operations->node('operations', 'log_statement = none');
my $role = 'postgres';

# the outcome of calling an operation in wire form
sub call
{
	my ($operation, $request) = @_;
	$request =~ s/'/''/g;
	my $statement = "SELECT appflow.$operation('$request'::jsonb)";
	return $node->safe_psql('postgres', "SET client_min_messages = error; SET ROLE $role; SELECT test.outcome(\$s\$$statement\$s\$)");
}

sub sql
{
	my ($statement) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET client_min_messages = error; SET ROLE $role; $statement");
	return $status ? $err : $out;
}

sub profile
{
	my ($name, $type, $properties, $credentials, $more) = @_;
	$credentials = defined $credentials ? qq(, "connectorProfileCredentials": {"$type": $credentials}) : '';
	return qq({"connectorProfileName": "$name", "connectorType": "$type", "connectionMode": "Public",
		"connectorProfileConfig": {"connectorProfileProperties": {"$type": $properties}$credentials}@{[$more // '']}});
}

my $created = qr/^\{"connectorProfileArn": "arn:aws:appflow:us-east-1:0{12}:connectorprofile\/[\w-]+"\}$/;
my %good = (
	Amplitude => [ '{}', '{"apiKey": "k", "secretKey": "s"}' ],
	Datadog => [ '{"instanceUrl": "https://api.datadoghq.com"}', '{"apiKey": "k", "applicationKey": "a"}' ],
	Dynatrace => [ '{"instanceUrl": "https://x.live.dynatrace.com"}', '{"apiToken": "t"}' ],
	GoogleAnalytics => [ '{}', '{"clientId": "i", "clientSecret": "s", "accessToken": "t"}' ],
	Honeycode => [ '{}', '{"accessToken": "t"}' ],
	InforNexus => [ '{"instanceUrl": "https://x"}', '{"accessKeyId": "a", "userId": "u", "secretAccessKey": "s", "datakey": "d"}' ],
	Marketo => [ '{"instanceUrl": "https://x.mktorest.com"}', '{"clientId": "i", "clientSecret": "s"}' ],
	Redshift => [ '{"databaseUrl": "jdbc:redshift://h:5439/d", "bucketName": "bucket", "roleArn": "arn:aws:iam::123:role/r"}',
		'{"username": "u", "password": "p"}' ],
	Salesforce => [ '{"instanceUrl": "https://x.my.salesforce.com"}', '{"accessToken": "t"}' ],
	ServiceNow => [ '{"instanceUrl": "https://x.service-now.com"}', '{"username": "u", "password": "p"}' ],
	Singular => [ '{}', '{"apiKey": "k"}' ],
	Slack => [ '{"instanceUrl": "https://x.slack.com"}', '{"clientId": "i", "clientSecret": "s", "accessToken": "t"}' ],
	Snowflake => [ '{"warehouse": "w", "stage": "s", "bucketName": "bucket"}', '{"username": "u", "password": "p"}' ],
	Trendmicro => [ '{}', '{"apiSecretKey": "k"}' ],
	Veeva => [ '{"instanceUrl": "https://x.veevavault.com"}', '{"username": "u", "password": "p"}' ],
	Zendesk => [ '{"instanceUrl": "https://x.zendesk.com"}', '{"clientId": "i", "clientSecret": "s", "accessToken": "t"}' ],
	SAPOData => [ '{"applicationHostUrl": "https://h", "applicationServicePath": "/s", "portNumber": 443, "clientNumber": "100"}',
		'{"basicAuthCredentials": {"username": "u", "password": "p"}}' ],
	Pardot => [ '{"instanceUrl": "https://x", "isSandboxEnvironment": false, "businessUnitId": "0Uv000000000000000"}', '{"accessToken": "t"}' ]);

# ---------- CreateConnectorProfile ----------

foreach my $type (sort keys %good)
{
	like(call('create_connector_profile', profile("p-$type", $type, @{ $good{$type} })), $created, "a profile of $type");
	like(call('create_connector_profile', profile("n-$type", $type, $good{$type}[0])),
		qr/^WF400 Validation exception: connectorProfileCredentials\.$type is missing$/, "$type needs credentials");
}
like(call('create_connector_profile', profile('p-Slack', 'Slack', @{ $good{Slack} })),
	qr/^WF409 Conflict executing request: Connector profile: p-Slack already exists$/, 'names are unique');
like(call('create_connector_profile', profile('PostgreSQL', 'Slack', @{ $good{Slack} })), qr/^WF409 /, 'that of the built-in one is taken');
like(call('create_connector_profile', '{}'), qr/^WF400 4 validation errors detected: /, 'what is missing is told');
like(call('create_connector_profile', profile('s3', 'S3', '{}')), qr/^WF400 .*connector type S3 has no connector profiles/,
	'S3 has no profiles');

my @refused = (
	[ 'Salesforce', '{}', '{}', qr/AuthCode cannot be blank for connector: SALESFORCE$/ ],
	[ 'Salesforce', '{}', '{"oAuth2GrantType": "CLIENT_CREDENTIALS", "accessToken": "t"}', qr/clientCredentialsArn cannot be blank/ ],
	[ 'Salesforce', '{}', '{"oAuth2GrantType": "JWT_BEARER"}', qr/jwtToken cannot be blank/ ],
	[ 'Slack', '{"instanceUrl": "https://x"}', '{"clientId": "i", "clientSecret": "s"}', qr/AuthCode cannot be blank for connector: SLACK$/ ],
	[ 'ServiceNow', '{"instanceUrl": "https://x"}', '{"username": "u"}', qr/needs username and password, or oAuth2Credentials/ ],
	[ 'SAPOData', $good{SAPOData}[0], '{}', qr/needs one of basicAuthCredentials and oAuthCredentials/ ],
	[ 'SAPOData', $good{SAPOData}[0], '{"oAuthCredentials": {"clientId": "i", "clientSecret": "s", "accessToken": "t"}}', qr/oAuthProperties are missing/ ],
	[ 'Redshift', '{"bucketName": "bucket", "roleArn": "arn:aws:iam::123:role/r"}', '{"username": "u", "password": "p"}', qr/needs a databaseUrl, or dataApiRoleArn/ ],
	[ 'CustomConnector', '{}', '{"authenticationType": "APIKEY", "apiKey": {"apiKey": "k"}}', qr/connectorLabel is missing/ ]);
foreach (@refused)
{
	my ($type, $properties, $credentials, $message) = @$_;
	like(call('create_connector_profile', profile('x', $type, $properties, $credentials)), qr/^WF400 Validation exception: .*$message/, "refused: $message");
}
my @accepted = (
	[ 'Salesforce', '{}', '{"oAuth2GrantType": "CLIENT_CREDENTIALS", "clientCredentialsArn": "arn:aws:secretsmanager:us-east-1:1:secret:x"}' ],
	[ 'Salesforce', '{}', '{"oAuth2GrantType": "JWT_BEARER", "jwtToken": "a.b.c"}' ],
	[ 'Salesforce', '{}', '{"refreshToken": "r"}' ],
	[ 'ServiceNow', '{"instanceUrl": "https://x"}', '{"oAuth2Credentials": {"clientId": "i", "clientSecret": "s"}}' ]);
my $n = 0;
like(call('create_connector_profile', profile('grant-' . ++$n, @$_)), $created, "only fields of the chosen grant are asked for: $_->[2]") foreach @accepted;

like(call('create_connector_profile', profile('x', 'Salesforce', '{"instanceUrl": "https://127.0.0.1:1"}', '{"oAuthRequest": {"authCode": "c", "redirectUri": "https://x"}}')),
	qr/^WF400 request to "https:\/\/127\.0\.0\.1:1\/services\/oauth2\/token" is not allowed/, 'a code is exchanged at once');
like(call('create_connector_profile', profile('x', 'Slack', @{ $good{Slack} }) =~ s/Public/Private/r),
	qr/^WF400 .*connectionMode Private is not supported for connector: SLACK/, 'Private where there is none');
like(call('create_connector_profile', profile('x', 'Snowflake', @{ $good{Snowflake} }) =~ s/Public/Private/r),
	qr/^WF400 .*privateLinkServiceName cannot be blank/, 'Private needs to know where');
like(call('create_connector_profile', profile('private', 'Snowflake',
	'{"warehouse": "w", "stage": "s", "bucketName": "bucket", "privateLinkServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-1"}',
	$good{Snowflake}[1]) =~ s/Public/Private/r), $created, 'a private one');
like(call('create_connector_profile', '{"connectorProfileName": "x", "connectorType": "Slack", "connectionMode": "Public", "connectorProfileConfig":
	{"connectorProfileProperties": {"Slack": {"instanceUrl": "https://x"}, "Zendesk": {"instanceUrl": "https://x"}}}}'),
	qr/^WF400 .*has a member Zendesk, but the connector type is Slack/, 'properties of another connector');

# what is sent twice
my $token = profile('once', 'Singular', '{}', '{"apiKey": "k"}', ', "clientToken": "t1"');
like(call('create_connector_profile', $token), $created, 'with a client token');
like(call('create_connector_profile', $token), $created, 'the same call again');
like(call('create_connector_profile', $token =~ s/"once"/"twice"/r), qr/^WF409 .*clientToken/, 'another one with the token');

# ---------- quotas and keys ----------

is(sql(q{SET appflow.quota_connector_profiles = 5; SELECT left(test.outcome($$SELECT appflow.create_connector_profile('}
	  . profile('over', 'Singular', '{}', '{"apiKey": "k"}') . q{'::jsonb)$$), 60)}),
	'WF402 this database has 5 connector profiles, more are not a', 'the quota');

# ---------- DescribeConnectorProfiles ----------

my $all = call('describe_connector_profiles', '{"maxResults": 100}');
unlike($all, qr/"(apiKey|secretKey|accessToken|password|clientSecret|jwtToken)"/, 'no credential comes back');
is(sql("SELECT test.conforms('DescribeConnectorProfilesResponse', '$all')"), 't', 'the response is what the reference says');
is(call('describe_connector_profiles', '{"connectorProfileNames": ["once", "nobody", "p-Slack"]}') =~ s/.*?"connectorProfileName": ("[^"]+")(?:(?!"connectorProfileName").)*/$1 /gr =~ s/\}.*//sr,
	'"once" "p-Slack" ', 'by names, those that are there');
is(sql(q{SELECT count(*) FROM jsonb_array_elements(appflow.describe_connector_profiles('{"connectorType": "Salesforce"}'::jsonb) -> 'connectorProfileDetails')}), 4, 'by type');
is(sql(q{SELECT count(*) FROM jsonb_array_elements(appflow.describe_connector_profiles('{"connectorTypes": ["Slack", "zendesk"]}'::jsonb) -> 'connectorProfileDetails')}), 2, 'by types, as the sample has it');
is(sql(q{SELECT p ->> 'connectorProfileName' FROM jsonb_array_elements(appflow.describe_connector_profiles('{"connectorLabel": "PostgreSQL"}'::jsonb) -> 'connectorProfileDetails') p}), 'PostgreSQL', 'by label');
like($all, qr/"privateConnectionProvisioningState": \{"status": "(?:PENDING"|FAILED", "failureCause": "VALIDATION")/, 'the state of a private connection');
like(sql(q{SELECT p ->> 'credentialsArn' FROM jsonb_array_elements(appflow.describe_connector_profiles('{"connectorProfileNames": ["once"]}'::jsonb) -> 'connectorProfileDetails') p}),
	qr/^arn:aws:secretsmanager:us-east-1:0{12}:secret:appflow!0{12}-Singular-once-[0-9a-f]{6}$/, 'credentialsArn');
is(sql(q{
	WITH RECURSIVE page (n, r) AS (
		SELECT 1, appflow.describe_connector_profiles(max_results => 7)
		UNION ALL SELECT n + 1, appflow.describe_connector_profiles(max_results => 7, next_token => r ->> 'nextToken')
		FROM page WHERE r ? 'nextToken')
	SELECT max(n), count(DISTINCT p ->> 'connectorProfileName'), count(*) FROM page, jsonb_array_elements(r -> 'connectorProfileDetails') p}),
	'4|25|25', 'page by page, each once');
like(call('describe_connector_profiles', '{"nextToken": "bm9uc2Vuc2Ugbm9uc2Vuc2Ugbm9uc2Vuc2U="}'), qr/^WF400 nextToken is not one that DescribeConnectorProfiles has returned/, 'a token of nobody');
like(call('describe_connector_profiles', '{"maxResults": 101}'), qr/^WF400 /, 'pages have a limit');
is(sql('SELECT count(*), count(*) FILTER (WHERE has_credentials) FROM appflow.connector_profiles'), '25|24', 'the view');

# ---------- UpdateConnectorProfile ----------

my $update = '{"connectorProfileName": "p-Zendesk", "connectionMode": "Public", "connectorProfileConfig": {"connectorProfileProperties": {"Zendesk": {"instanceUrl": "https://y.zendesk.com"}}}}';
like(call('update_connector_profile', $update), $created, 'without credentials, those that are there stay');
is(sql(q{SELECT connector_profile_properties #>> '{Zendesk,instanceUrl}', has_credentials FROM appflow.connector_profiles WHERE connector_profile_name = 'p-Zendesk'}),
	'https://y.zendesk.com|t', 'and the properties are new');
like(call('update_connector_profile', $update =~ s/p-Zendesk/nobody/r), qr/^WF404 Connector Profile with name nobody does not exist\.$/, 'one that is not there');
like(call('update_connector_profile', $update =~ s/"Zendesk"/"Slack"/r), qr/^WF400 .*has a member Slack/, 'the type cannot change');
like(call('update_connector_profile', $update =~ s/p-Zendesk/PostgreSQL/r), qr/^WF409 .*built in/, 'nor can the built-in profile');

# ---------- registered connectors ----------

my $arn = sql(q{SELECT appflow.function_arn('test.crm(jsonb)')});
is($arn, 'arn:aws:postgresql:us-east-1:000000000000:function:test.crm', 'the ARN of a function');

sub registration
{
	my ($label, $function) = @_;
	return qq({"connectorLabel": "$label", "description": "a crm", "connectorProvisioningType": "LAMBDA",
		"connectorProvisioningConfig": {"lambda": {"lambdaArn": "$function"}}});
}
sub misbehave
{
	my ($type, $answer, $failure) = @_;
	$node->safe_psql('postgres', 'DELETE FROM test.answer');
	$node->safe_psql('postgres', sprintf "INSERT INTO test.answer VALUES ('%s', %s, %s)", $type, map { defined $_ ? "'$_'" : 'NULL' } $answer, $failure) if $type;
}

like(call('register_connector', registration('crm', 'arn:aws:lambda:us-east-1:123:function:crm')),
	qr/^WF400 lambdaArn "arn:aws:lambda:us-east-1:123:function:crm" names no function of AWS Lambda/, 'no Lambda function of AWS');
like(call('register_connector', registration('crm', $arn =~ s/test\.crm/test.nobody/r)), qr/^WF404 function test\.nobody\(jsonb\) does not exist/, 'no such function');
like(call('register_connector', registration('crm', $arn =~ s/test\.crm/crm/r)), qr/^WF400 .*schema\.name/, 'a function without its schema');
like(call('register_connector', registration('crm', 'arn:aws:sqs:us-east-1:123:queue')), qr/^WF400 .*names no function/, 'not a function');
like(call('register_connector', '{"connectorLabel": "crm"}'), qr/^WF400 connectorProvisioningConfig\.lambda is missing/, 'no function at all');

my $type = 'DescribeConnectorConfigurationRequest';
my $no_answer = qr/^WF502 Error while communicating to connector: Got error from connector\. No valid response and error details found in the connector response\.$/;
foreach my $wrong ([ 'null', undef ], [ 'a text', '"x"' ], [ 'no isSuccess', '{}' ], [ 'isSuccess as text', '{"isSuccess": "true"}' ],
	[ 'failure without details', '{"isSuccess": false}' ], [ 'nothing in it', '{"isSuccess": true}' ])
{
	misbehave($type, $wrong->[1]);
	like(call('register_connector', registration('crm', $arn)), $no_answer, "an answer that is $wrong->[0]");
}
$node->safe_psql('postgres', 'DELETE FROM test.answer');
$node->safe_psql('postgres', qq{INSERT INTO test.answer SELECT '$type', jsonb_set(test.crm('{"type": "$type"}'), '{supportedTriggerTypes}', '["SOMETIMES"]')});
my ($status, $out, $err) = $node->psql('postgres', q{SELECT appflow.register_connector('} . registration('crm', $arn) . q{')});
like($err, qr/DETAIL:  ConnectorServerException: DescribeConnectorConfigurationRequest to function test\.crm: .*SOMETIMES.*supportedTriggerTypes/, 'what is wrong with an answer is told, and in which request');
misbehave($type, undef, 'out of order');
like(call('register_connector', registration('crm', $arn)), qr/^WF502 .*Got error from connector\. out of order$/, 'a function that fails');
misbehave($type, '{"isSuccess": false, "errorDetails": {"errorCode": "AccessDenied", "errorMessage": "not you"}}');
like(call('register_connector', registration('crm', $arn)), qr/^WF502 .*AccessDenied: not you$/, 'a connector that declines');
misbehave();
is(call('register_connector', registration('crm', $arn)), '{"connectorArn": "arn:aws:appflow:us-east-1:000000000000:connector/crm"}', 'registered');
like(call('register_connector', registration('crm', $arn)), qr/^WF409 .*label crm already exists/, 'labels are unique');
like(call('register_connector', registration('PostgreSQL', $arn)), qr/^WF409 /, 'the built-in one is taken');
my $described = call('describe_connector', '{"connectorType": "CustomConnector", "connectorLabel": "crm"}');
is(sql("SELECT test.conforms('DescribeConnectorResponse', '$described')"), 't', 'its configuration is what the reference says');
is(sql("SELECT '$described'::jsonb -> 'connectorConfiguration' \@> '{\"canUseAsSource\": true, \"connectorProvisioningType\": \"LAMBDA\",
	\"connectorProvisioningConfig\": {\"lambda\": {\"lambdaArn\": \"$arn\"}}, \"supportedOperators\": [\"PROJECTION\", \"EQUAL_TO\", \"NO_OP\"],
	\"supportedTriggerTypes\": [\"Scheduled\", \"OnDemand\"], \"connectorDescription\": \"a crm\", \"connectorOwner\": \"acme\",
	\"authenticationConfig\": {\"oAuth2Defaults\": {\"tokenUrls\": [\"https://crm.example/token\"], \"oauth2CustomProperties\": [{\"key\": \"aud\", \"isRequired\": false}]},
		\"customAuthConfigs\": [{\"customAuthenticationType\": \"token\"}]},
	\"connectorRuntimeSettings\": [{\"key\": \"instanceUrl\", \"isRequired\": true}]}'"), 't', 'and holds what the connector said');
like(call('describe_connector', '{"connectorType": "CustomConnector", "connectorLabel": "nobody"}'), qr/^WF404 /, 'a label of nobody');
like(call('describe_connector', '{"connectorType": "Slack", "connectorLabel": "crm"}'), qr/^WF400 /, 'labels are of custom connectors');
like(call('describe_connector', '{"connectorType": "Locke"}'), qr/^WF400 /, 'no such type');

is(sql(q{SELECT count(*), count(DISTINCT c ->> 'connectorType') FROM jsonb_array_elements(appflow.list_connectors(max_results => 100) -> 'connectors') c}), '26|24', 'all connectors are listed');
is(sql(q{SELECT test.conforms('ListConnectorsResponse', appflow.list_connectors(max_results => 100)), test.conforms('DescribeConnectorsResponse', appflow.describe_connectors(max_results => 100))}), 't|t', 'as the reference says');
is(sql(q{SELECT bool_and(c.value = appflow.connector_configuration(c.key)), count(*) FROM jsonb_each(appflow.describe_connectors(max_results => 100) -> 'connectorConfigurations') c}), 't|24', 'configurations are those that flows are checked against');
is(sql(q{SELECT array(SELECT jsonb_object_keys(appflow.describe_connectors(connector_types => '{Slack,S3}') -> 'connectorConfigurations') ORDER BY 1)}), '{S3,Slack}', 'some types');
is(sql(q{SELECT jsonb_array_length(p -> 'connectors'), jsonb_array_length(appflow.list_connectors(p ->> 'nextToken') -> 'connectors') FROM appflow.list_connectors() p}), '20|6', 'twenty by default');
like(call('list_connectors', '{"nextToken": "AAAA"}'), qr/^WF400 /, 'a wrong token');
like(call('describe_connectors', '{"nextToken": "AAAA"}'), qr/^WF400 /, 'a wrong token');
like(call('describe_connectors', sql(q{SELECT jsonb_build_object('nextToken', appflow.list_connectors() -> 'nextToken')})), qr/^WF400 nextToken is not one/, 'a token of another operation');

# profiles of it
sub custom
{
	my ($name, $key, $settings) = @_;
	return profile($name, 'CustomConnector', '{"profileProperties": ' . ($settings // '{"instanceUrl": "https://x"}') . '}',
		qq({"authenticationType": "APIKEY", "apiKey": {"apiKey": "$key"}}), ', "connectorLabel": "crm"');
}
like(call('create_connector_profile', custom('c1', 'bad')), qr/^WF401 Error authenticating to connector: Failed to validate Connection while attempting "ValidateCredentials with CustomConnector" with connector failure InvalidCredentials: unknown key$/, 'a key that the connector does not know');
is(sql(q{SELECT count(*) FROM appflow.connector_profiles WHERE connector_profile_name = 'c1'}), 0, 'nothing was created');
like(call('create_connector_profile', custom('c1', 'good', '{}')), qr/^WF400 .*profileProperties\.instanceUrl is missing/, 'a setting that the connector requires');
like(call('create_connector_profile', custom('c1', 'good') =~ s/"APIKEY", "apiKey"/"BASIC", "basic"/r =~ s/"apiKey": "good"/"username": "u", "password": "p"/r),
	qr/^WF400 .*does not support the authenticationType BASIC/, 'a way to authenticate that it does not have');
like(call('create_connector_profile', custom('c1', 'good') =~ s/"crm"/"nobody"/r), qr/^WF404 Connector with label nobody/, 'a label of nobody');
misbehave('ValidateConnectorRuntimeSettingsRequest', '{"isSuccess": false, "errorsByInputField": {"instanceUrl": "not a URL"}, "errorDetails": {"errorCode": "InvalidArgument", "errorMessage": "bad settings"}}');
like(call('create_connector_profile', custom('c1', 'good')), qr/^WF400 .*bad settings/, 'settings that it refuses');
misbehave();
like(call('create_connector_profile', custom('c1', 'good')), $created, 'one that it takes');
like(call('update_connector_profile', '{"connectorProfileName": "c1", "connectionMode": "Public", "connectorProfileConfig": {"connectorProfileProperties": {"CustomConnector":
	{"profileProperties": {"instanceUrl": "https://x"}}}, "connectorProfileCredentials": {"CustomConnector": {"authenticationType": "APIKEY", "apiKey": {"apiKey": "bad"}}}}}'),
	qr/^WF401 /, 'an update with a wrong key fails');
is(sql(q{SELECT test.outcome($$SELECT appflow.connector_credentials('arn:aws:secretsmanager:us-east-1:000000000000:secret:appflow!000000000000-crm-c1-x')$$) LIKE 'WF403 %'}), 't', 'a secret is for the function that answers');
is(sql(q{SELECT count(*) FROM test.request WHERE request::text ~ 'good|bad'}), 0, 'requests name the secret, they do not hold it');

# ---------- entities ----------

my $entities = call('list_connector_entities', '{"connectorProfileName": "c1", "maxResults": 2}');
is(sql("SELECT test.conforms('ListConnectorEntitiesResponse', '$entities')"), 't', 'entities are what the reference says');
is(sql("SELECT array(SELECT e ->> 'name' FROM jsonb_array_elements('$entities'::jsonb #> '{connectorEntityMap,Objects}') e)"), '{Account,Custom}', 'a page');
is(sql("SELECT appflow.list_connector_entities(connector_profile_name => 'c1', max_results => 2, next_token => '$entities'::jsonb ->> 'nextToken')"),
	'{"connectorEntityMap": {"Objects": [{"name": "Contact"}]}}', 'the next');
is(sql(q{SELECT array_agg(entity) FROM appflow.connector_entities('c1')}), '{Account,Custom,Contact}', 'for people');
is(sql(q{SELECT array_agg(entity) FROM appflow.connector_entities('c1', 'Custom')}), '{Custom/Thing}', 'nested ones');
is(sql(q{SELECT field, field_type, is_primary_key, is_nullable, filter_operators, write_operations FROM appflow.connector_entity_fields('c1', 'Account')}),
	"id|String|t|f|{EQUAL_TO}|{INSERT,UPSERT}\nrevenue|BigDecimal|f||{}|{}", 'fields');
is(sql(q{SELECT test.conforms('DescribeConnectorEntityResponse', appflow.describe_connector_entity('Account', connector_profile_name => 'c1'))}), 't', 'as the reference says');

sub asked
{
	return sql(q{SELECT coalesce(string_agg(t || ' ' || n, ', ' ORDER BY t), '') FROM (SELECT request ->> 'type', count(*) FROM test.request
		WHERE request ->> 'type' LIKE '%Entit%' GROUP BY 1) x (t, n)});
}
is(asked(), 'DescribeEntityRequest 1, ListEntitiesRequest 3', 'what was asked once is kept');
is(call('reset_connector_metadata_cache', '{"connectorProfileName": "c1", "connectorEntityName": "Account"}'), '{}', 'forget the fields of an entity');
sql(q{SELECT appflow.connector_entity_fields('c1', 'Account'), appflow.connector_entities('c1')});
is(asked(), 'DescribeEntityRequest 2, ListEntitiesRequest 3', 'only these are asked for again');
call('reset_connector_metadata_cache', '{"connectorProfileName": "c1", "entitiesPath": "Custom"}');
sql(q{SELECT appflow.connector_entity_fields('c1', 'Account'), appflow.connector_entities('c1'), appflow.connector_entities('c1', 'Custom')});
is(asked(), 'DescribeEntityRequest 2, ListEntitiesRequest 4', 'names under a path');
call('reset_connector_metadata_cache', '{"connectorProfileName": "c1"}');
sql(q{SELECT appflow.connector_entity_fields('c1', 'Account')});
sql(q{SELECT appflow.connector_entities('c1')});
sql(q{SELECT appflow.connector_entities('c1', 'Custom')});
is(asked(), 'DescribeEntityRequest 2, ListEntitiesRequest 7', 'all names');
sql(q{SELECT appflow.list_connector_entities(connector_profile_name => 'c1', api_version => 'v2')});
is(asked(), 'DescribeEntityRequest 2, ListEntitiesRequest 9', 'another version of the API is another matter');
like(call('reset_connector_metadata_cache', '{"connectorProfileName": "nobody"}'), qr/^WF404 /, 'of nobody');
like(call('reset_connector_metadata_cache', '{}'), qr/^WF400 /, 'of what');
$node->safe_psql('postgres', q{UPDATE appflow.connector_metadata SET expires_at = now() - interval '1 s'});
sql(q{SELECT appflow.connector_entity_fields('c1', 'Account')});
is(asked(), 'DescribeEntityRequest 3, ListEntitiesRequest 9', 'after its time it is asked again');
is($node->safe_psql('postgres', q{SELECT round(extract(epoch FROM expires_at - now()) / 60) FROM appflow.connector_metadata WHERE kind = 'entity'}), 60, 'for as long as the connector said');

call('reset_connector_metadata_cache', '{"connectorProfileName": "c1"}');
misbehave('ListEntitiesRequest', '{"isSuccess": true, "entities": [{"entityIdentifier": "A"}], "nextToken": "again"}');
like(call('list_connector_entities', '{"connectorProfileName": "c1"}'), $no_answer, 'a token that repeats is an error, not a loop');
misbehave('ListEntitiesRequest', '{"isSuccess": true, "entities": [{"label": "nameless"}]}');
like(call('list_connector_entities', '{"connectorProfileName": "c1"}'), $no_answer, 'an entity without a name');
misbehave('ListEntitiesRequest', '{"isSuccess": false, "errorDetails": {"errorCode": "InvalidCredentials", "errorMessage": "expired"}}');
like(call('list_connector_entities', '{"connectorProfileName": "c1"}'), qr/^WF401 /, 'credentials that are not good any more');
misbehave();
like(call('list_connector_entities', '{"connectorProfileName": "nobody"}'), qr/^WF404 /, 'entities of nobody');
like(call('list_connector_entities', '{}'), qr/^WF400 connectorProfileName is missing/, 'of what');
like(call('list_connector_entities', '{"connectorType": "Slack"}'), qr/^WF400 .*needs a connector profile/, 'of a type');
is(call('list_connector_entities', '{"connectorProfileName": "p-Honeycode"}'), '{"connectorEntityMap": {"Objects": []}}', 'of a connector that does not tell what is at its top');
like(call('describe_connector_entity', '{"connectorProfileName": "p-Honeycode", "connectorEntityName": "x"}'), qr/^WF400 "x" is not of the form workbook/, 'fields of what cannot be');
like(call('list_connector_entities', '{"connectorProfileName": "c1", "nextToken": "AAAA"}'), qr/^WF400 nextToken/, 'a wrong token');

# tables
sql(q{CREATE TABLE public.item (id int PRIMARY KEY, name text NOT NULL, price numeric(10, 2), at timestamptz); CREATE VIEW public."Odd name" AS SELECT 1 AS a});
is(sql(q{SELECT array_agg(entity ORDER BY entity), bool_and(has_nested_entities) FROM appflow.connector_entities('PostgreSQL')}), '{public,test}|t', 'schemas');
is(sql(q{SELECT array_agg(entity) FROM appflow.connector_entities('PostgreSQL', 'public')}), '{"public.\"Odd name\"",public.item}', 'tables of a schema');
is(sql(q{SELECT field, field_type, is_primary_key, is_nullable, 'BETWEEN' = ANY (filter_operators) FROM appflow.connector_entity_fields('PostgreSQL', 'public.item')}),
	"id|Integer|t|f|t\nname|String|f|f|t\nprice|BigDecimal|f|t|t\nat|DateTime|f|t|t", 'columns');
is(sql(q{SELECT test.conforms('DescribeConnectorEntityResponse', appflow.describe_connector_entity('public.item', connector_profile_name => 'PostgreSQL'))}), 't', 'as the reference says');
like(call('list_connector_entities', '{"connectorProfileName": "PostgreSQL", "entitiesPath": "nowhere"}'), qr/^WF404 /, 'no such schema');
like(call('describe_connector_entity', '{"connectorProfileName": "PostgreSQL", "connectorEntityName": "public.nothing"}'), qr/^WF404 /, 'no such table');

# buckets
my $root = PostgreSQL::Test::Utils::tempdir();
system('mkdir', '-p', "$root/data/a/b", "$root/data/c");
foreach ([ 'a/1.csv', "id,name\n1,x\n2,y\n" ], [ 'a/b/1.json', '{"k": 1}' ], [ 'c/1.json', qq({"n": 1, "t": "2024-01-01T00:00:00Z"}\n) ])
{
	open my $f, '>', "$root/data/$_->[0]" or die;
	print $f $_->[1];
	close $f;
}
sql("SELECT appflow.create_object_store('local', 'file://$root', '{data,other*}')");
is(sql(q{SELECT array_agg(entity) FROM appflow.connector_entities('S3')}), '{data}', 'buckets');
is(sql(q{SELECT array_agg(entity) FROM appflow.connector_entities('S3', 'data')}), '{data/a,data/c}', 'folders');
is(sql(q{SELECT array_agg(entity) FROM appflow.connector_entities('S3', 'data/a')}), '{data/a/b}', 'folders in folders');
is(sql(q{SELECT field, field_type FROM appflow.connector_entity_fields('S3', 'data/c')}), "n|Long\nt|DateTime", 'fields of the objects in a folder');
like(call('describe_connector_entity', '{"connectorType": "S3", "connectorEntityName": "data/nothing"}'), qr/^WF404 /, 'no objects');

# ---------- UpdateConnectorRegistration ----------

misbehave($type, sql(qq{SELECT jsonb_set(test.crm('{"type": "$type"}'), '{connectorVersion}', '"2.0"')}));
is(call('update_connector_registration', '{"connectorLabel": "crm"}'), '{"connectorArn": "arn:aws:appflow:us-east-1:000000000000:connector/crm"}', 'asked again');
misbehave();
is(sql(q{SELECT connector_version, connector_description FROM appflow.connectors WHERE connector_label = 'crm'}), '2.0|a crm', 'what it says now is kept; what was not sent stays');
like(call('update_connector_registration', '{"connectorLabel": "nobody"}'), qr/^WF404 /, 'of nobody');
like(call('update_connector_registration', '{"connectorLabel": "PostgreSQL"}'), qr/^WF409 /, 'the built-in one');
like(call('update_connector_registration', '{"connectorLabel": "crm", "connectorProvisioningConfig": {"lambda": {"lambdaArn": "arn:aws:lambda:us-east-1:1:function:x"}}}'), qr/^WF400 .*names no function of AWS Lambda/, 'to nothing');

# ---------- tags ----------

is(call('tag_resource', '{"resourceArn": "arn:aws:appflow:us-east-1:000000000000:connectorprofile/c1", "tags": {"a": "1"}}'), '{}', 'profiles have tags');
is(call('list_tags_for_resource', '{"resourceArn": "arn:aws:appflow:us-east-1:000000000000:connectorprofile/c1"}'), '{"tags": {"a": "1"}}', 'which are told');
is(call('tag_resource', '{"resourceArn": "arn:aws:appflow:us-east-1:000000000000:connector/crm", "tags": {"b": "2"}}'), '{}', 'connectors too');
is(call('untag_resource', '{"resourceArn": "arn:aws:appflow:us-east-1:000000000000:connector/crm", "tagKeys": ["b"]}'), '{}', 'until they are gone');
like(call('tag_resource', '{"resourceArn": "arn:aws:appflow:us-east-1:000000000000:connectorprofile/PostgreSQL", "tags": {"a": "1"}}'), qr/^WF404 /, 'not the built-in');

# ---------- who may see what ----------

$node->safe_psql('postgres', q{CREATE ROLE ann; CREATE ROLE bob;
	GRANT EXECUTE ON FUNCTION appflow.create_connector_profile(jsonb), appflow.register_connector(jsonb), appflow.create_flow(jsonb) TO ann;
	REVOKE ALL ON FUNCTION test.crm(jsonb) FROM PUBLIC});
$role = 'bob';
like(call('create_connector_profile', profile('b', 'Singular', '{}', '{"apiKey": "k"}')), qr/^42501 /, 'creating is a privilege');
like(sql(q{SELECT test.outcome($$SELECT appflow.create_connector_profile('b', 'Singular', 'Public', '{"connectorProfileProperties": {}}')$$)}), qr/^42501 /, 'in the named form too');
like(call('register_connector', registration('b', $arn)), qr/^42501 /, 'so is registering');
is(sql('SELECT string_agg(connector_profile_name, $$,$$) FROM appflow.connector_profiles'), 'PostgreSQL', 'others see the built-in profile only');
is(sql(q{SELECT count(*) FROM appflow.connectors WHERE connector_label = 'crm'}), 0, 'and no connectors of others');
like(call($_->[0], $_->[1]), qr/^WF404 /, "$_->[0]: what one may not see does not exist") foreach
  [ 'delete_connector_profile', '{"connectorProfileName": "c1"}' ], [ 'list_connector_entities', '{"connectorProfileName": "c1"}' ],
  [ 'unregister_connector', '{"connectorLabel": "crm"}' ], [ 'describe_connector', '{"connectorType": "CustomConnector", "connectorLabel": "crm"}' ],
  [ 'update_connector_registration', '{"connectorLabel": "crm"}' ], [ 'tag_resource', '{"resourceArn": "arn:aws:appflow:us-east-1:000000000000:connectorprofile/c1", "tags": {}}' ];
like(call('list_connector_entities', '{"connectorType": "S3"}'), qr/^WF403 permission denied to look into object stores/, 'buckets are for those who may make flows');
is(sql(q{SELECT count(*) FROM appflow.connector_entities('PostgreSQL', 'public')}), 0, 'tables are for those who may use them');
like(call('describe_connector_entity', '{"connectorProfileName": "PostgreSQL", "connectorEntityName": "public.item"}'), qr/^(WF403|WF404) |^\{/, 'a table of another');
$role = 'ann';
like(call('register_connector', registration('anns', $arn)), qr/^WF403 role "ann" may not call function test\.crm/, 'a function that one may not call');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION test.crm(jsonb) TO ann');
like(call('register_connector', registration('anns', $arn)), qr/connector\/anns/, 'one that one may');
is(sql(q{SELECT role FROM test.request ORDER BY at DESC LIMIT 1}), 'ann', 'it is called as the owner');
like(call('create_connector_profile', custom('anns-profile', 'good') =~ s/"crm"/"anns"/r), $created, "ann's profile");
$role = 'postgres';
sql(q{SELECT appflow.connector_entities('anns-profile')});
is(sql(q{SELECT role FROM test.request ORDER BY at DESC LIMIT 1}), 'ann', 'even when a superuser asks');
# what ann's function leaves to be done later would be done as whoever asks
$node->safe_psql('postgres', q{
	CREATE SCHEMA anns AUTHORIZATION ann;
	SET ROLE ann;
	CREATE TABLE anns.trap (a int);
	CREATE TABLE anns.caught (who name);
	GRANT INSERT ON anns.caught TO PUBLIC;
	CREATE FUNCTION anns.spring() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO anns.caught VALUES (current_user); RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER spring AFTER INSERT ON anns.trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION anns.spring();
	CREATE FUNCTION anns.crm(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		IF request ->> 'type' = 'ListEntitiesRequest' THEN
			SET search_path = anns;
			INSERT INTO anns.trap VALUES (1);
		END IF;
		RETURN test.crm(request);
	END $$});
$role = 'ann';
like(call('update_connector_registration', qq({"connectorLabel": "anns", "connectorProvisioningConfig": {"lambda": {"lambdaArn": "@{[$arn =~ s/test\.crm/anns.crm/r]}"}}})), qr/connector\/anns/, 'another function');
$role = 'postgres';
like(call('list_connector_entities', '{"connectorProfileName": "anns-profile"}'), qr/^WF502 .*cannot fire deferred trigger within security-restricted operation/, 'a function leaves nothing for a superuser to do');
is(sql('SELECT count(*) FROM anns.caught'), 0, 'and did not');
$role = 'ann';
like(sql(q{SELECT array_agg(entity), current_setting('search_path') FROM appflow.connector_entities('anns-profile')}), qr/^\{Account,Custom,Contact\}\|"\$user", public$/, 'for its owner it may; settings stay');
$role = 'postgres';
$node->safe_psql('postgres', 'GRANT ann TO bob');
$role = 'bob';
is(sql(q{SELECT count(*) FROM appflow.connector_profiles}), 2, 'members see what the role has');

# ---------- DeleteConnectorProfile, UnregisterConnector ----------

$role = 'postgres';
# a flow that names the profile, as a version that can run it would have
$node->safe_psql('postgres', q{INSERT INTO appflow.flow (flow_name, owner, status, definition, created_by, last_updated_by)
	SELECT n, 'postgres'::regrole, 'Active', jsonb_build_object('flowName', n, 'triggerConfig', '{"triggerType": "OnDemand"}'::jsonb,
		'sourceFlowConfig', jsonb_build_object('connectorType', 'CustomConnector', 'connectorProfileName', p),
		'destinationFlowConfigList', '[{"connectorType": "S3"}]'::jsonb, 'tasks', '[]'::jsonb), 'x', 'x'
	FROM (VALUES ('f1', 'c1'), ('f2', 'c1'), ('f3', 'p-Slack')) x (n, p)});
is(call('delete_connector_profile', '{"connectorProfileName": "p-Slack"}'),
	'WF409 Conflict executing request: Connector profile: p-Slack is associated with one or more flows. If you still want to delete it, then make delete request with forceDelete flag as true. Some of the associated flows are: [f3]', 'a profile in use');
is(call('delete_connector_profile', '{"connectorProfileName": "p-Slack", "forceDelete": true}'), '{}', 'by force');
is(sql(q{SELECT flow_status, flow_status_message FROM appflow.flows WHERE flow_name = 'f3'}), 'Errored|Connector profile p-Slack was deleted.', 'its flow says what happened');
like(call('delete_connector_profile', '{"connectorProfileName": "p-Slack"}'), qr/^WF404 /, 'it is gone');
is($node->safe_psql('postgres', q{SELECT count(*) FROM appflow.secret WHERE name = 'p-Slack'}), 0, 'and so are its credentials');
like(call('delete_connector_profile', '{"connectorProfileName": "PostgreSQL"}'), qr/^WF409 /, 'the built-in stays');
is(call('unregister_connector', '{"connectorLabel": "crm"}'),
	'WF409 Conflict executing request: Connector: crm is associated with one or more connector profiles. If you still want to delete it, then make delete request with forceDelete flag as true. Some of the associated connector profiles are: [c1]', 'a connector in use');
is(call('unregister_connector', '{"connectorLabel": "crm", "forceDelete": true}'), '{}', 'by force');
is(sql(q{SELECT string_agg(flow_status, ',') FROM appflow.flows WHERE flow_name IN ('f1', 'f2')}), 'Errored,Errored', 'the flows of its profiles');
like(call('describe_connector_profiles', '{"connectorProfileNames": ["c1"]}'), qr/^\{"connectorProfileDetails": \[\]\}$/, 'the profiles are gone');
like(call('unregister_connector', '{"connectorLabel": "crm"}'), qr/^WF404 /, 'and the connector');
like(call('unregister_connector', '{"connectorLabel": "PostgreSQL"}'), qr/^WF409 /, 'the built-in stays');

# ---------- no key, no credentials ----------

$node->append_conf('postgresql.conf', "appflow.master_key = ''\n");
$node->restart;
like(call('create_connector_profile', profile('keyless', 'Singular', '{}', '{"apiKey": "k"}')), qr/there is no master key to seal credentials with/, 'without a master key');
is(sql(q{SELECT count(*) FROM appflow.connector_profiles WHERE connector_profile_name = 'keyless'}), 0, 'nothing is stored');

unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/"apiKey": "(good|bad)"|clientSecret": "s"/, 'no credential is in the log');
done_testing();
