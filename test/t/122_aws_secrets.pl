# Clients of OAuth in AWS Secrets Manager (clientCredentialsArn), and credentials that
# are sealed under a key of AWS KMS (kmsArn).

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tests = $ENV{APPFLOW_TEST_DIR};
my $place = PostgreSQL::Test::Utils::tempdir;
my $json = JSON::PP->new->canonical->allow_nonref;
my @identity = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'planted-session/token==', 'eu-central-1');
my $http = HTTP::Tiny->new;

our (@processes, @outputs);
sub simulator
{
	my (@command) = @_;
	my $pid = open(my $output, '-|', 'node', @command) or die "node: $!";
	push @processes, $pid;
	push @outputs, $output;
	my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
	return $port;
}
END { my $status = $?; kill 'KILL', @processes if @processes; $? = $status; }

my $manager = simulator("$tests/simulators/aws/secretsmanager.js", @identity);
my $kms = simulator("$tests/simulators/aws/kms.js", @identity);
my $service = simulator("$tests/simulators/http/service.js");

sub instruct { my ($port, $path, $what) = @_; $http->post("http://127.0.0.1:$port/$path", { content => $json->encode($what) }); return; }
sub seen { my ($port) = @_; return @{ decode_json($http->get("http://127.0.0.1:$port/_log")->{content}) }; }

my $node = PostgreSQL::Test::Cluster->new('aws_secrets');
sub configure
{
	my ($cluster) = @_;
	$cluster->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on
appflow.secretsmanager_endpoint = 'http://127.0.0.1:$manager'
appflow.kms_endpoint = 'http://127.0.0.1:$kms'
appflow.max_retry_delay = '50ms'
log_min_messages = debug1
log_statement = none
log_min_error_statement = panic
");
}
sub start
{
	my ($cluster) = @_;
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => "$place/credentials");
	$cluster->start;
}
append_to_file("$place/credentials", "[default]\naws_access_key_id = $identity[0]\naws_secret_access_key = $identity[1]\naws_session_token = $identity[2]\n");
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
configure($node);
start($node);
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

my $current = $node;
sub value { return $current->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
# "SQLSTATE: message", detail, all of it
sub failure
{
	my (undef, undef, $stderr) = $current->psql('postgres', "\\set VERBOSITY verbose\nSET client_min_messages = error; $_[0]");
	my ($error) = $stderr =~ /ERROR:\s+(\w+: .*)/;
	my ($detail) = $stderr =~ /DETAIL:\s+(.*)/;
	return wantarray ? ($error // "no error: $stderr", $detail // '', $stderr) : $error // "no error: $stderr";
}
sub profile
{
	my ($name, $type, $properties, $credentials, %more) = @_;
	my $request = $json->encode({
		connectorProfileName => $name, connectorType => $type, connectionMode => 'Public', %more,
		connectorProfileConfig => {
			connectorProfileProperties => { $type => $properties }, connectorProfileCredentials => { $type => $credentials } } });
	return "SELECT appflow.create_connector_profile(\$j\$$request\$j\$)";
}
sub get { return "SELECT status || ' ' || body FROM appflow.http_get('$_[0]', '$_[1]')"; }
# the user and password that a service gets
sub sent { return decode_base64(decode_json(value("SELECT body FROM appflow.http_get('$_[0]', '/echo')"))->{headers}{authorization} =~ s/^Basic //r); }
my %instance = (instanceUrl => "http://127.0.0.1:$service");

# ---------- KMS ----------

my $key = "arn:aws:kms:$identity[3]:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
my $second = "arn:aws:kms:$identity[3]:123456789012:key/99999999-12ab-34cd-56ef-1234567890ab";
my $alias = "arn:aws:kms:$identity[3]:123456789012:alias/flows";
instruct($kms, '_keys', { $key => {}, $second => { alias => 'alias/flows' } });

# there is no master key at all
value(profile('sealed', 'ServiceNow', \%instance, { username => 'me', password => 'planted-password' }, kmsArn => $key));
my @asked = seen($kms);
is(join(' ', map { $_->{action} } @asked), 'GenerateDataKey', 'a key is made for the profile');
ok($asked[0]{accepted}, 'by a request that is signed right');
is_deeply(decode_json($asked[0]{body}), { KeyId => $key, KeySpec => 'AES_256',
	EncryptionContext => { 'appflow:purpose' => 'profile', 'appflow:name' => 'sealed' } }, 'and bound to it');
unlike($asked[0]{body}, qr/planted/, 'no credential goes to KMS');
is(value(q{SELECT purpose, name, key_id FROM appflow.secrets}), "profile|sealed|$key", 'the view names the key');
is(value(get('sealed', '/basic')), '200 "in"', 'the credentials open');
@asked = seen($kms);
is(join(' ', map { $_->{action} } @asked), 'Decrypt', 'by asking KMS');
is(decode_json($asked[0]{body})->{KeyId}, $key, 'with the key named');
is_deeply(decode_json($asked[0]{body})->{EncryptionContext}, { 'appflow:purpose' => 'profile', 'appflow:name' => 'sealed' }, 'and the context');
is(value(join ';', (get('sealed', '/basic')) x 3), join("\n", ('200 "in"') x 3), 'thrice in one session');
is(scalar(seen($kms)), 1, 'asks once');

value(profile('aliased', 'ServiceNow', \%instance, { username => 'me', password => 'planted-password' }, kmsArn => $alias));
is(value(q{SELECT key_id FROM appflow.secrets WHERE name = 'aliased'}), $second, 'an alias: the key itself is kept, which stays when the alias goes elsewhere');
instruct($kms, '_keys', { $key => { alias => 'alias/flows' }, $second => {} });
is(value(get('aliased', '/basic')), '200 "in"', 'and opens then');

# tokens are sealed in the same way
value(profile('login', 'Veeva', \%instance, { username => 'me', password => 'planted-password' }, kmsArn => $key));
is(value(get('login', '/private')), '200 {"who":"private"}', 'a session');
is(value(q{SELECT string_agg(purpose || ' ' || key_id, ',' ORDER BY purpose) FROM appflow.secrets WHERE name = 'login'}), "profile $key,token $key", 'whose token is under the key');
is(value(get('login', '/private')), '200 {"who":"private"}', 'and opens');
value(qq{SELECT appflow.update_connector_profile('{"connectorProfileName": "sealed", "connectionMode": "Public", "connectorProfileConfig": {
	"connectorProfileProperties": {"ServiceNow": {"instanceUrl": "$instance{instanceUrl}"}},
	"connectorProfileCredentials": {"ServiceNow": {"username": "me", "password": "planted-other"}}}}')});
is(sent('sealed'), 'me:planted-other', 'other credentials');
is(value(q{SELECT key_id FROM appflow.secrets WHERE name = 'sealed'}), $key, 'under the same key');

# what is in another's place does not open
value(q{CREATE TABLE saved AS SELECT * FROM appflow.secret;
	UPDATE appflow.secret s SET sealed_key = o.sealed_key, sealed_text = o.sealed_text FROM appflow.secret o
	WHERE s.purpose = 'profile' AND o.purpose = 'profile' AND s.name = 'sealed' AND o.name = 'login'});
like(failure(get('sealed', '/basic')), qr/^WF500: key ".*" cannot be used: the answer has status 400/, "another profile's: KMS refuses the context");
value(q{UPDATE appflow.secret s SET sealed_key = substr(o.sealed_key, 1, 20) FROM saved o WHERE s.purpose = o.purpose AND s.name = o.name AND s.name = 'sealed'});
like(failure(get('sealed', '/basic')), qr/^WF500: credentials of profile "sealed" cannot be opened: they were changed/, 'a part of it');
value(q{UPDATE appflow.secret s SET sealed_key = set_byte(o.sealed_key, length(o.sealed_key) - 1, get_byte(o.sealed_key, length(o.sealed_key) - 1) # 1)
	FROM saved o WHERE s.purpose = o.purpose AND s.name = o.name AND s.name = 'sealed'});
like(failure(get('sealed', '/basic')), qr/^WF500: credentials of profile "sealed" cannot be opened: they were changed/, 'a bit of it');
value(q{UPDATE appflow.secret s SET key_id = 'arn:aws:kms:eu-central-1:123456789012:key/99999999-12ab-34cd-56ef-1234567890ab', sealed_key = o.sealed_key, sealed_text = o.sealed_text
	FROM saved o WHERE s.purpose = o.purpose AND s.name = o.name AND s.name = 'sealed'});
like((failure(get('sealed', '/basic')))[1], qr/IncorrectKeyException/, 'under the name of another key');
value(q{UPDATE appflow.secret s SET key_id = o.key_id, sealed_key = o.sealed_key, sealed_text = o.sealed_text FROM saved o WHERE s.purpose = o.purpose AND s.name = o.name});
is(sent('sealed'), 'me:planted-other', 'put back, it opens');

# what KMS may say
seen($kms);
instruct($kms, '_keys', { $key => { denied => ['Decrypt'] }, $second => { disabled => 1 } });
my ($error, $detail, $all) = failure(get('sealed', '/basic'));
like($error, qr/^WF403: key "\Q$key\E" cannot be used: User: .* is not authorized to perform: kms:Decrypt/, 'access denied: says which key and why');
like($detail, qr/^AccessDeniedException: AWS KMS answered Decrypt with status 400, AccessDeniedException\.$/, 'by whom');
like($all, qr/HINT: .*appflow\.aws_identity\(\); they need kms:Decrypt/, 'and what to do');
like(failure(get('aliased', '/basic')), qr/^WF409: key "\Q$second\E" cannot be used: .* is disabled/, 'disabled');
instruct($kms, '_keys', { $second => {} });
like(failure(get('sealed', '/basic')), qr/^WF500: key ".*" cannot be used: /, 'deleted: an error, and no plaintext');
instruct($kms, '_keys', { $key => { denied => ['GenerateDataKey'] }, $second => {} });
like(failure(profile('denied', 'Singular', {}, { apiKey => 'planted-key' }, kmsArn => $key)), qr/^WF403: .*kms:GenerateDataKey/, 'no key, no profile');
like(failure(profile('denied', 'Singular', {}, { apiKey => 'planted-key' }, kmsArn => $key =~ s/1234abcd/00000000/r)), qr/^WF404: .*does not exist/, 'a key that is none');
is(value(q{SELECT count(*) FROM appflow.connector_profiles WHERE connector_profile_name = 'denied'}), 0, 'nothing is left of it');
like(failure(profile('denied', 'Singular', {}, { apiKey => 'planted-key' }, kmsArn => $_)), qr/^WF400: /, "not an ARN of KMS: $_")
  foreach ('arn:aws:s3:::bucket/with/a/long/name', 'arn:aws:kms:evil.example/:123456789012:key/x', 'arn:aws:kms:eu-central-1:1234:key/x');
instruct($kms, '_keys', { $key => {}, $second => {} });
instruct($kms, '_faults', [ { status => 500, name => 'KMSInternalException', message => '' }, { cut => JSON::PP::true } ]);
is(sent('sealed'), 'me:planted-other', 'what passes is repeated');
instruct($kms, '_faults', [ { text => '{"KeyId": "x", "Plaintext": "c2hvcnQ="}' } ]);
like(failure(get('sealed', '/basic')), qr/^WF502: key ".*" cannot be used: the answer of AWS KMS is not of the form that it has/, 'a key of the wrong length');
instruct($kms, '_faults', [ { text => 'not JSON' } ]);
like(failure(get('sealed', '/basic')), qr/^WF502: .*is no JSON object/, 'no JSON');

# who may
value('CREATE ROLE plain; GRANT EXECUTE ON FUNCTION appflow.create_connector_profile(jsonb) TO plain');
like(failure('SET ROLE plain; ' . profile('theirs', 'Singular', {}, { apiKey => 'planted-key' }, kmsArn => $key)),
	qr/^WF403: role "plain" may not use the AWS identity of this server/, "the server's identity is not everybody's");

# the master key is another matter
append_to_file("$place/master", "test:" . '0123456789abcdef' x 4 . "\n");
chmod 0600, "$place/master";
$node->append_conf('postgresql.conf', "appflow.master_key = 'file:$place/master'");
$node->reload;
value(q{SELECT pg_sleep(0.2)});
value(profile('local', 'Singular', {}, { apiKey => 'planted-key' }));
seen($kms);
is(value('SELECT appflow.rotate_master_key()'), 1, 'rotation is of what the master key seals');
is(scalar(seen($kms)), 0, 'and asks KMS for nothing');
is(sent('sealed'), 'me:planted-other', 'the other opens as before');

# ---------- a dump ----------

my $dump = "$place/dump.sql";
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'a dump');
unlike(slurp_file($dump), qr/planted/, 'has nothing of them');
my $moved = PostgreSQL::Test::Cluster->new('aws_secrets_moved');
$moved->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
configure($moved);
start($moved);
$moved->safe_psql('postgres', 'CREATE ROLE plain');
$moved->command_ok([ 'psql', '-X', '-q', '-d', $moved->connstr('postgres'), '-f', $dump ], 'restored elsewhere');
$current = $moved;
is(value(get('aliased', '/basic')), '200 "in"', 'it opens where the key may be used');
$moved->append_conf('postgresql.conf', "appflow.kms_endpoint = 'http://127.0.0.1:1'\nappflow.max_retries = 0");
$moved->reload;
like(failure('SELECT pg_sleep(0.2); ' . get('aliased', '/basic')), qr/^WF502: request to "http:\/\/127\.0\.0\.1:1\/" failed/, 'and nowhere else');
$moved->stop;
$current = $node;

# ---------- Secrets Manager ----------

my $arn = "arn:aws:secretsmanager:$identity[3]:123456789012:secret:crm-client-AbCdEf";
instruct($manager, '_secrets', { $arn => { string => '{"clientId": "planted-client", "clientSecret": "planted-client-secret"}' } });
sub of_client { my ($name, $secret) = @_; return profile($name, 'Salesforce', \%instance, { oAuth2GrantType => 'CLIENT_CREDENTIALS', clientCredentialsArn => $secret }); }
value(of_client('crm', $arn));
is(value(get('crm', '/private')), '200 {"who":"private"}', 'a client of Secrets Manager gets a token');
@asked = seen($manager);
is(join(' ', map { $_->{action} } @asked), 'GetSecretValue', 'by one request');
ok($asked[0]{accepted}, 'signed right');
is_deeply(decode_json($asked[0]{body}), { SecretId => $arn }, 'of the secret');
my ($token) = grep { $_->{url} eq '/services/oauth2/token' && $_->{body} =~ /client_credentials/ } @{ decode_json($http->get("http://127.0.0.1:$service/seen")->{content}) };
like($token->{body}, qr/client_id=planted-client&client_secret=planted-client-secret/, 'which goes to the token URL');
is(value(get('crm', '/private')), '200 {"who":"private"}', 'again');
is(scalar(seen($manager)), 0, 'without asking');
instruct($manager, '_secrets', { $arn => { string => '{"client_id": "planted-client", "client_secret": "planted-client-secret"}' } });
$http->get("http://127.0.0.1:$service/expire");
is(value(get('crm', '/private')), '200 {"who":"private"}', 'a token that ended: the secret is read anew, with other names for its members');
foreach (
	[ { denied => 1 }, qr/^WF403: Please validate the ClientCredentialsArn provided .*not authorized to perform: secretsmanager:GetSecretValue/, 'denied' ],
	[ { deleted => 1 }, qr/^WF409: .*marked for deletion/, 'deleted' ],
	[ { binary => 'x' }, qr/^WF401: .*the secret is not a JSON object in text/, 'binary' ],
	[ { string => 'planted-text' }, qr/^WF401: .*the secret is not a JSON object in text/, 'no JSON' ],
	[ { string => '{"clientId": "planted-client"}' }, qr/^WF401: secret ".*" of connector profile "crm" does not have clientId and clientSecret/, 'without the secret' ],
	[ { string => '{"clientId": "planted-client", "clientSecret": "planted-wrong"}' }, qr/^WF401: connector profile "crm" got no token from ".*": invalid_client/, 'wrong' ])
{
	my ($secret, $expected, $name) = @$_;
	instruct($manager, '_secrets', { $arn => $secret });
	$http->get("http://127.0.0.1:$service/expire");
	my ($error, undef, $all) = failure(get('crm', '/private'));
	like($error, $expected, "a secret that is $name");
	unlike($all, qr/planted/, 'which is not shown');
}
instruct($manager, '_secrets', {});
like(failure(get('crm', '/private')), qr/^WF404: .*can't find the specified secret/, 'a secret that is none');
# a grant that needs no client does not ask
value(profile('given', 'Salesforce', \%instance, { accessToken => 'given', clientCredentialsArn => $arn }));
seen($manager);
is(value(get('given', '/echo')) =~ /^200 /, 1, 'a token that was given');
is(scalar(seen($manager)), 0, 'asks for no secret');
# the identity is the server's
instruct($manager, '_secrets', { $arn => { string => '{"clientId": "planted-client", "clientSecret": "planted-client-secret"}' } });
value('GRANT EXECUTE ON FUNCTION appflow.http_get TO plain');
value('SET ROLE plain; ' . of_client('theirs', $arn));
like(failure('SET ROLE plain; ' . get('theirs', '/private')), qr/^WF403: role "plain" may not use the AWS identity of this server/, 'not for everybody');
is(scalar(seen($manager)), 0, 'nothing is asked');
value('GRANT EXECUTE ON FUNCTION appflow.aws_identity() TO plain');
is(value('SET ROLE plain; ' . get('theirs', '/private')), '200 {"who":"private"}', 'granted, it works');

unlike(slurp_file($node->logfile) =~ s/^.*(STATEMENT|statement):(?:.|\n(?!\d{4}-))*//mgr, qr/planted|TRAP|PANIC|signal 11/, 'no secret in the log, no crash');
done_testing();
