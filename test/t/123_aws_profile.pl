# One call of an operation at AWS AppFlow, with the credentials of a connector profile.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tests = $ENV{APPFLOW_TEST_DIR};
my $json = JSON::PP->new->canonical->allow_nonref;
my $place = PostgreSQL::Test::Utils::tempdir;
my ($key, $secret, $token, $region) = ('AKIDOFPROFILE', 'planted/profile+secret', 'planted-profile/token==', 'eu-west-3');

our $output;
my $server = open($output, '-|', 'node', "$tests/simulators/appflow/server.js", $key, $secret, $token, $region) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }
my $http = HTTP::Tiny->new;
sub seen { return @{ decode_json($http->get("http://127.0.0.1:$port/_log")->{content}) }; }
sub answers { $http->post("http://127.0.0.1:$port/_answers", { content => $json->encode([@_]) }); return; }

my $node = PostgreSQL::Test::Cluster->new('aws_profile');
$node->init;
append_to_file("$place/master", "test:" . '0123456789abcdef' x 4 . "\n");
append_to_file("$place/credentials", "[default]\naws_access_key_id = AKIDOFSERVER\naws_secret_access_key = planted-server\n");
chmod 0600, "$place/master";
$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on
appflow.master_key = 'file:$place/master'
appflow.region = 'us-east-1'
appflow.max_retry_delay = '50ms'
log_min_messages = debug1
log_statement = none
log_min_error_statement = panic");
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => "$place/credentials");
	$node->start;
}
$node->safe_psql('postgres', q{CREATE EXTENSION appflow; CREATE ROLE ann; CREATE ROLE bob;
	GRANT EXECUTE ON FUNCTION appflow.create_connector_profile(jsonb) TO ann});

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sub failure
{
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET client_min_messages = error; $_[0]");
	my ($error) = $stderr =~ /ERROR:\s+(\w+: .*)/;
	return wantarray ? ($error // "no error: $stderr", $stderr) : $error // "no error: $stderr";
}
sub profile
{
	my ($name, $settings, $map) = @_;
	my $request = $json->encode({
		connectorProfileName => $name, connectorType => 'CustomConnector', connectorLabel => 'AWS', connectionMode => 'Public',
		connectorProfileConfig => { connectorProfileProperties => { CustomConnector => { profileProperties => $settings } },
			$map ? (connectorProfileCredentials => { CustomConnector => { authenticationType => 'CUSTOM',
				custom => { customAuthenticationType => 'AWS', credentialsMap => $map } } }) : () } });
	return "SELECT appflow.create_connector_profile(\$j\$$request\$j\$)";
}
my %where = (region => $region, endpoint => "http://127.0.0.1:$port");
my %keys = (accessKeyId => $key, secretAccessKey => $secret, sessionToken => $token);

# ---------- profiles ----------

like(failure(profile('bad', {}, \%keys)), qr/^WF400: .*profileProperties\.region is missing/, 'a region is needed');
like(failure(profile('bad', { region => 'evil.example/' }, \%keys)), qr/^WF400: .*no region of AWS/, 'which is one');
like(failure(profile('bad', { %where, endpoint => $_ }, \%keys)), qr/^WF400: .*profileProperties\.endpoint is not/, "no endpoint: $_")
  foreach ('http://x/path', 'ftp://x', 'http://user@x');
like(failure(profile('bad', \%where, { accessKeyId => $key })), qr/^WF400: .*credentials of AWS have/, 'both keys');
value('SET ROLE ann; ' . profile('account', \%where, \%keys));
is(value(q{SELECT connector_type || ' ' || connector_label FROM appflow.connector_profiles WHERE connector_profile_name = 'account'}), 'CustomConnector AWS', 'a profile as others');
unlike(value('SELECT appflow.describe_connector_profiles()'), qr/planted/, 'that shows no secret');
like(failure(q{SELECT appflow.register_connector('{"connectorLabel": "AWS", "connectorProvisioningType": "LAMBDA", "connectorProvisioningConfig": {"lambda": {"lambdaArn": "arn:aws:lambda:eu-west-3:123456789012:function:x"}}}')}),
	qr/^WF/, 'no connector can be registered in its place');

# ---------- calls ----------

answers({ status => 200, body => { flows => [ { flowName => 'there' } ] } });
is(value(q{SET ROLE ann; SELECT appflow.call_aws('account', 'ListFlows', '{"maxResults": 20}')}), '{"flows": [{"flowName": "there"}]}', 'a call');
my @sent = seen();
ok($sent[0]{accepted}, "signed with the profile's keys, for its region");
is("$sent[0]{method} $sent[0]{path} $sent[0]{body}", 'POST /list-flows {"maxResults":20}', 'is what AWS wants');
is(value(q{SET ROLE ann; SELECT appflow.call_aws('account', 'list_flows')}), '{}', 'by its name in SQL too');
is(value(q{SET ROLE ann; SELECT appflow.call_aws('account', 'ListFlows') UNION ALL SELECT appflow.list_flows('{}')}), "{}\n" . '{"flows": []}', 'all else is of this server');
seen();
like(failure(q{SET ROLE ann; SELECT appflow.call_aws('account', 'StartFlow', '{}')}), qr/^WF400: 1 validation error detected: .*flowName/, 'what is wrong is not sent');
like(failure(q{SET ROLE ann; SELECT appflow.call_aws('account', 'DropDatabase')}), qr/^WF400: "DropDatabase" is not an operation of AppFlow/, 'nor what is none');
is(scalar(seen()), 0, 'indeed');
answers({ status => 409, headers => { 'x-amzn-ErrorType' => 'ConflictException' }, body => { message => "no, not with $secret or $token" } });
my ($error, $all) = failure(q{SET ROLE ann; SELECT appflow.call_aws('account', 'StartFlow', '{"flowName": "there"}')});
is($error, 'WF409: no, not with *** or ***', "AWS's exceptions are ours, without the profile's secrets");
value('SET ROLE ann; ' . profile('wrong', \%where, { %keys, secretAccessKey => 'planted-wrong-secret' }));
like(failure(q{SET ROLE ann; SELECT appflow.call_aws('wrong', 'ListFlows')}), qr/^WF401: The request signature we calculated/, 'wrong keys');
value('SET ROLE ann; ' . profile('elsewhere', { region => $region, endpoint => 'http://10.0.0.1' }, \%keys));
like(failure(q{SET ROLE ann; SELECT appflow.call_aws('elsewhere', 'ListFlows')}), qr/^WF400: .*private network/, 'the policy for endpoints holds');

# ---------- who may ----------

like(failure(q{SET ROLE bob; SELECT appflow.call_aws('account', 'ListFlows')}), qr/^WF404: Connector Profile with name account does not exist/, 'not with the profile of another');
value(q{SET ROLE ann; SELECT appflow.grant_profile('account', 'bob')});
is(value(q{SET ROLE bob; SELECT appflow.call_aws('account', 'ListFlows')}), '{}', 'unless it was granted');
value('SET ROLE ann; ' . profile('server', \%where));
seen();
like(failure(q{SET ROLE ann; SELECT appflow.call_aws('server', 'ListFlows')}), qr/^WF403: role "ann" may not use the AWS identity of this server/, "without credentials it would be the server's identity");
is(scalar(seen()), 0, 'which is not spent');
like(failure(q{SELECT appflow.call_aws('server', 'ListFlows')}), qr/^WF401: The security token/, 'but by those who may');
value(q{SELECT appflow.create_connector_profile('{"connectorProfileName": "other", "connectorType": "Singular", "connectionMode": "Public",
	"connectorProfileConfig": {"connectorProfileProperties": {"Singular": {}}, "connectorProfileCredentials": {"Singular": {"apiKey": "planted-key"}}}}')});
like(failure(q{SELECT appflow.call_aws('other', 'ListFlows')}), qr/^WF400: connector profile "other" is not one of AWS credentials/, 'profiles of others are none of AWS');
# in what maintenance calls with its owner's rights
value(q{CREATE TABLE public.trap (i int); ALTER TABLE public.trap OWNER TO ann; GRANT CREATE ON SCHEMA public TO ann; SET ROLE ann;
	CREATE FUNCTION public.spring(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM appflow.call_aws('account', 'ListFlows'); RETURN 1; END $$});
like(failure('INSERT INTO public.trap VALUES (1); CREATE INDEX ON public.trap (public.spring(i))'), qr/^WF403: AWS cannot be called within a security-restricted operation/, 'not in an index');
like(failure(q{SELECT appflow.list_connector_entities('{"connectorProfileName": "account"}')}), qr/^WF/, 'it has no entities');

unlike(slurp_file($node->logfile), qr/planted|TRAP|PANIC|signal 11/, 'no secret in the log, no crash');
done_testing();
