# How services are authenticated to, how tokens are renewed, how often they are asked.

use strict;
use warnings;

use AppflowTest::Operations;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $tests = $ENV{APPFLOW_TEST_DIR};
my $place = PostgreSQL::Test::Utils::tempdir;

run_log([ 'openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', "$place/key" ]) or die 'openssl';
run_log([ 'openssl', 'pkey', '-in', "$place/key", '-pubout', '-out', "$place/public" ]) or die 'openssl';
$ENV{JWT_PUBLIC_KEY} = slurp_file("$place/public");

our $output;
my $server = open($output, '-|', 'node', "$tests/simulators/http/service.js") or die "node: $!";
my ($port, $other, $oauth) = (readline($output) // '') =~ /^ready (\d+) (\d+) (\d+)/ or die 'the server did not start';
END { kill 'KILL', $server if $server; }
my $url = "http://127.0.0.1:$port";

my $node = PostgreSQL::Test::Cluster->new('auth');
$node->init;
append_to_file("$place/master", "test:" . '0123456789abcdef' x 4 . "\n");
chmod 0600, "$place/master";
$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on
appflow.master_key = 'file:$place/master'
max_connections = 150
log_min_messages = debug1
log_statement = all
log_min_error_statement = error");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

sub value { return $node->safe_psql('postgres', $_[0]); }
sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}
sub control { return decode_json(HTTP::Tiny->new->get("$url/$_[0]")->{content}); }
sub seen { my ($pattern) = @_; return grep { $_->{url} =~ $pattern } @{ control('seen') }; }
sub profile
{
	my ($name, $type, $properties, $credentials, %more) = @_;
	my $key = { Servicenow => 'ServiceNow', Infornexus => 'InforNexus' }->{$type} || $type;
	my %members = %more;
	delete $members{fails};
	my $request = encode_json({
		connectorProfileName => $name, connectorType => $type, connectionMode => 'Public', %members,
		connectorProfileConfig => {
			connectorProfileProperties => { $key => $properties },
			connectorProfileCredentials => { $key => $credentials } } });
	return error_of("SELECT appflow.create_connector_profile(\$j\$$request\$j\$)") if $more{fails};
	value("SELECT appflow.create_connector_profile(\$j\$$request\$j\$)");
}
sub get { return "SELECT status || ' ' || body FROM appflow.http_get('$_[0]', '$_[1]')"; }

my %instance = (instanceUrl => $url);

# ---------- keys, passwords, signatures ----------

profile('dog', 'Datadog', \%instance, { apiKey => 'planted-api', applicationKey => 'planted-application' });
my $headers = decode_json(value("SELECT body FROM appflow.http_get('dog', '/echo')"))->{headers};
is($headers->{'dd-api-key'} . ' ' . $headers->{'dd-application-key'}, 'planted-api planted-application', 'keys in headers');
profile('dyna', 'Dynatrace', { instanceUrl => "$url/" }, { apiToken => 'planted-dt' });
is(decode_json(value("SELECT body FROM appflow.http_get('dyna', '/echo')"))->{headers}{authorization}, 'Api-Token planted-dt', 'a key with a word before it');
profile('now', 'Servicenow', \%instance, { username => 'me', password => 'planted-password' });
is(value(get('now', '/basic')), '200 "in"', 'basic');
profile('nexus', 'Infornexus', \%instance, { accessKeyId => 'key', userId => 'user', secretAccessKey => 'planted-hmac', datakey => 'planted-data' });
is(value(get('nexus', '/rest/3.1/things?oql=a%3D1&Limit=5')), '200 "signed"', 'HMAC of Infor Nexus');

# ---------- sessions ----------

profile('vault', 'Veeva', \%instance, { username => 'me', password => 'planted-password' });
is(value(get('vault', '/private')), '200 {"who":"private"}', 'a session');
is(value(get('vault', '/private')), '200 {"who":"private"}', 'again');
is(scalar(seen(qr/auth/)), 1, 'with one login');
control('expire');
is(value(get('vault', '/private')), '200 {"who":"private"}', 'ended by the service, begun anew');
is(scalar(seen(qr/auth/)), 2, 'by one login more');
profile('wrong', 'Veeva', \%instance, { username => 'me', password => 'planted-wrong' });
is(error_of(get('wrong', '/private')), "WF401: connector profile \"wrong\" got no token from \"$url/api/v25.2/auth\": USERNAME_OR_PASSWORD_INCORRECT", 'a wrong password');
profile('elsewhere', 'Veeva', \%instance, { username => 'elsewhere', password => 'planted-password' });
is(error_of(get('elsewhere', '/private')), "WF401: connector profile \"elsewhere\" got a session from \"$url/api/v25.2/auth\" that is of no use: "
	. 'it is for another vault, at "https://etmf.example.com/api": the user may not enter this one', 'a session of another vault');

# ---------- OAuth 2.0 ----------

# a code is exchanged when the profile is created, or there is none
sub code { return { oAuthRequest => { authCode => $_[0], redirectUri => $_[1] // 'https://example.com/back' } }; }
my $refused = "WF401: connector profile \"code\" got no token from \"$url/services/oauth2/token\": invalid_grant";
is(profile('code', 'Salesforce', \%instance, code('planted-bad'), fails => 1), $refused, 'a bad code');
is(profile('code', 'Salesforce', \%instance, code('planted-code-4', 'https://example.com/elsewhere'), fails => 1), $refused, 'a code with another URI');
is(value("SELECT count(*) FROM appflow.connector_profiles WHERE connector_profile_name = 'code'"), 0, 'no profile');
is(value("SELECT count(*) FROM appflow.secrets WHERE name = 'code'"), 0, 'and no credentials');
control('reset');
profile('code', 'Salesforce', \%instance, code('planted-code-3'));
is_deeply([ map { $_->{body} =~ /grant_type=(\w+)/ } seen(qr/token/) ], ['authorization_code'], 'an authorization code is exchanged at once');
is(value("SELECT string_agg(purpose, ',' ORDER BY purpose) FROM appflow.secrets WHERE name = 'code'"), 'profile,token', 'for a token that is kept');
is(value(get('code', '/private')), '200 {"who":"private"}', 'which is used');
is(value(get('code', '/private')), '200 {"who":"private"}', 'again');
is(scalar(seen(qr/token/)), 1, 'without asking for another');
# with the transaction the profile goes, and the code is spent
value("BEGIN; SELECT appflow.create_connector_profile('" . encode_json({ connectorProfileName => 'undone', connectorType => 'Salesforce', connectionMode => 'Public',
	connectorProfileConfig => { connectorProfileProperties => { Salesforce => \%instance }, connectorProfileCredentials => { Salesforce => code('planted-code-2') } } }) . "'); ROLLBACK");
is(value("SELECT count(*) FROM appflow.secrets WHERE name = 'undone'"), 0, 'rolled back: nothing is kept');
is(profile('undone', 'Salesforce', \%instance, code('planted-code-2'), fails => 1), $refused =~ s/"code"/"undone"/r, 'and the code is gone');
# a profile that gets a code later
my $update = "SELECT appflow.update_connector_profile('" . encode_json({ connectorProfileName => 'code', connectionMode => 'Public',
	connectorProfileConfig => { connectorProfileProperties => { Salesforce => \%instance }, connectorProfileCredentials => { Salesforce => code('CODE') } } }) . "')";
is(error_of($update =~ s/CODE/planted-bad/r), $refused, 'an update with a bad code');
is(value(get('code', '/private')), '200 {"who":"private"}', 'changes nothing');
value($update =~ s/CODE/planted-code/r);
control('expire');
control('reset');
is(value(get('code', '/private')), '200 {"who":"private"}', 'one with a good code');
is_deeply([ map { $_->{body} =~ /grant_type=(\w+)/ } seen(qr/token/) ], ['refresh_token'], 'exchanged too: the refresh token serves');

# an access token that is given too is taken, and the code left alone
control('reset');
profile('both', 'Salesforce', \%instance, { accessToken => 'planted-given', %{ code('planted-bad') } });
is(scalar(seen(qr/token/)), 0, 'a token that is given serves first');

# 40 sessions meet the end of the token at once: one of them gets another
control('expire');
control('reset');
my @sessions = map {
	my $sql = ($_ % 4 == 0 ? 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 WHERE false; ' : '') . get('code', '/private');
	my %session = (out => '', err => '');
	$session{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ], '>', \$session{out}, '2>', \$session{err});
	\%session } 1 .. 40;
$_->{run}->finish foreach @sessions;
is(scalar(grep { $_->{out} =~ /^200 / && $_->{err} eq '' } @sessions), 40, '40 sessions, all are in') or diag map { $_->{err} } @sessions;
is(scalar(seen(qr/token/)), 1, 'by one refresh');

# 40 sessions meet the end of a token that cannot be renewed: all are told what the first was
profile('ended', 'Salesforce', \%instance, { accessToken => 'planted-ended', refreshToken => 'planted-slow' });
control('reset');
@sessions = map {
	my %session = (out => '', err => '');
	$session{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', get('ended', '/private') ], '>', \$session{out}, '2>', \$session{err});
	\%session } 1 .. 40;
$_->{run}->finish foreach @sessions;
is(scalar(grep { $_->{err} =~ /connector profile "ended" got no token from ".*": invalid_grant/ } @sessions), 40, '40 sessions, a refresh token that is refused: all are told')
  or diag map { "$_->{err} | $_->{out}\n" } @sessions;
cmp_ok(scalar(seen(qr/token/)), '<=', 8, 'by few requests: ' . seen(qr/token/));

# what a service gave is not lost with the transaction that asked
control('expire');
is(value('BEGIN; ' . get('code', '/private') . '; ROLLBACK'), '200 {"who":"private"}', 'refreshed in a transaction that is rolled back');
control('expire');
is(value(get('code', '/private')), '200 {"who":"private"}', 'the rotated token is there');
control('expire');
control('reset');
is(value("DO \$\$ BEGIN PERFORM appflow.http_get('code', '/private'); RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN NULL; END \$\$; " . get('code', '/private')), '200 {"who":"private"}', 'refreshed in a subtransaction that is rolled back');
is(value(get('code', '/private')), '200 {"who":"private"}', 'by another session too');
is_deeply([ map { $_->{body} =~ /grant_type=(\w+)/ } seen(qr/token/) ], ['refresh_token'], 'with the one token that was got');

# nor with the session: the worker goes on
control('expire');
like(error_of("SET statement_timeout = '100ms'; " . get('code', '/private')), qr/^57014/, 'cancelled amid a refresh');
is(value('SELECT pg_sleep(0.5); ' . get('code', '/private')), "\n" . '200 {"who":"private"}', 'the refresh token did not get lost');

control('reset');
is(error_of(get('code', '/never')), "WF401: \"$url/never\" does not accept the credentials of connector profile \"code\"", 'a service that is never content');
is(scalar(seen(qr/token/)), 1, 'one refresh');
is(scalar(seen(qr/never/)), 2, 'two attempts');

profile('market', 'Marketo', \%instance, { clientId => 'planted-client', clientSecret => 'planted-client-secret' });
is(value(get('market', '/private')), '200 {"who":"private"}', 'client credentials');
profile('market-wrong', 'Marketo', \%instance, { clientId => 'planted-client', clientSecret => 'planted-other' });
is(error_of(get('market-wrong', '/private')), "WF401: connector profile \"market-wrong\" got no token from \"$url/identity/oauth/token\": invalid_client", 'wrong ones');
profile('given', 'Salesforce', \%instance, { oAuth2GrantType => 'JWT_BEARER', jwtToken => 'planted.given.jwt' });
is(value(get('given', '/private')), '200 {"who":"private"}', 'a given JWT');
profile('stale', 'Salesforce', \%instance, { accessToken => 'planted-stale', refreshToken => 'planted-unknown' });
is(error_of(get('stale', '/private')), "WF401: connector profile \"stale\" got no token from \"$url/services/oauth2/token\": invalid_grant", 'a refresh token that is refused');
profile('only', 'Salesforce', \%instance, { accessToken => 'planted-only' });
is(error_of(get('only', '/private')), "WF401: \"$url/private\" does not accept the credentials of connector profile \"only\"", 'an access token and nothing else');
is(error_of(get('only', '/private?X-Amz-Signature=planted-signature')), "WF401: \"$url/private\" does not accept the credentials of connector profile \"only\"", 'a signed URL is shown without what signs it');

# other credentials, other tokens
value("SELECT appflow.update_connector_profile('" . encode_json({ connectorProfileName => 'market-wrong', connectionMode => 'Public',
	connectorProfileConfig => { connectorProfileProperties => { Marketo => \%instance },
		connectorProfileCredentials => { Marketo => { clientId => 'planted-client', clientSecret => 'planted-client-secret' } } } }) . "')");
is(value(get('market-wrong', '/private')), '200 {"who":"private"}', 'after an update with right ones');

# against a server of others
my %sap = (applicationHostUrl => 'http://127.0.0.1', applicationServicePath => '/sap', portNumber => $port + 0, clientNumber => '100',
	oAuthProperties => { tokenUrl => "http://127.0.0.1:$oauth/token", authCodeUrl => "http://127.0.0.1:$oauth/authorize", oAuthScopes => ['a'] });
my %oauth_client = (clientId => 'planted-client', clientSecret => 'planted-client-secret');
profile('sap', 'SAPOData', \%sap, { oAuthCredentials => { %oauth_client, oAuthRequest => { authCode => 'planted-any', redirectUri => 'https://example.com/back' } } });
is(value(get('sap', '/private')), '200 {"who":"private"}', 'oauth2-mock-server: a code');
control('expire');
is(value(get('sap', '/private')), '200 {"who":"private"}', 'oauth2-mock-server: a refresh');

# ---------- redirects ----------

is(decode_json(value("SELECT body FROM appflow.http_get('dog', '/near')"))->{url}, '/echo?near', 'a redirect');
my $far = decode_json(value("SELECT body FROM appflow.http_get('dog', '/far')"));
is($far->{port}, $other, 'to another host');
is(join(' ', grep { /^(dd-|authorization|cookie)/ } keys %{ $far->{headers} }), '', 'which gets no credentials');
my $back = decode_json(value("SELECT body FROM appflow.http_get('dog', '/far-and-back')"));
is($back->{port} . join(' ', grep { /^dd-/ } keys %{ $back->{headers} }), $port, 'nor does the first host, by that way');
like(error_of(get('dog', '/circle')), qr/^WF502: .*it was redirected too often$/, 'in circles');
like(error_of(get('dog', '/elsewhere')), qr/^WF502: .*no http or https URL$/, 'to a file');
is(value(get('dog', '/no-location')), '302 here', 'without a target');
like(error_of("SET appflow.allow_local_endpoints = off; " . get('dog', '/echo')), qr/^WF400: .*is not allowed/, 'the policy holds');

# ---------- limits ----------

value("SELECT appflow.set_rate_limit('dog', 20, 5)");
control('reset');
my $start = time;
@sessions = map {
	my %session = (out => '', err => '');
	$session{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', get('dog', '/tick') ], '>', \$session{out}, '2>', \$session{err});
	\%session } 1 .. 100;
$_->{run}->finish foreach @sessions;
is(scalar(grep { $_->{out} =~ /^200 / } @sessions), 100, '100 sessions');
my @times = sort { $a <=> $b } @{ control('times') };
is(scalar @times, 100, '100 requests');
my $worst = 0;
foreach my $i (0 .. $#times)
{
	my $n = grep { $_ >= $times[$i] && $_ < $times[$i] + 1000 } @times;
	$worst = $n if $n > $worst;
}
# 20 a second and 5 at once; timers are no better than some milliseconds
cmp_ok($worst, '<=', 26, "within the limit in any second: $worst");
cmp_ok($times[-1] - $times[0], '>=', 4500, 'and in all');
note sprintf('100 sessions at 20/s, burst 5: %d ms, at most %d in a second', $times[-1] - $times[0], $worst);
value("SELECT appflow.set_rate_limit('dog', NULL)");

# one is told to wait, all wait
control('reset');
my %first = (out => '', err => '');
$first{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', get('dog', '/throttle') ], '>', \$first{out}, '2>', \$first{err});
for (1 .. 300) { last if @{ control('times') }; select(undef, undef, undef, 0.1); }
select(undef, undef, undef, 0.3);
value(get('dog', '/tick'));
$first{run}->finish;
is($first{out}, "200 \"through\"\n", 'throttled, then through');
@times = @{ control('times') };
cmp_ok($times[1] - $times[0], '>=', 1950, 'Retry-After holds for others too');
like(error_of("SELECT appflow.set_rate_limit('dog', 0)"), qr/^WF400/, 'no such rate');

# all requests of a run share one budget of repetitions
value("SELECT appflow.create_object_store('busy', '$url', '{budget}', access_key_id => 'id', secret_access_key => 'planted-s3');
	SELECT appflow.sync('S3', 'budget', 'public.loaded', flow_name => 'loads', key => '{id}')");
control('busy');
foreach my $budget (2, 0)
{
	$node->append_conf('postgresql.conf', "appflow.max_run_retries = $budget\nappflow.max_retries = 6\nappflow.max_retry_delay = '50ms'");
	$node->reload;
	control('reset');
	like(error_of("SELECT pg_sleep(0.2); CALL appflow.run_flow('loads')"), qr/^(?!no error)/, 'a run that gets nowhere');
	is(scalar(seen(qr/budget/)), $budget + 1, "a budget of $budget retries");
}

# a private key signs assertions
value(AppflowTest::Operations::helpers());
value(q{INSERT INTO test.answer VALUES ('ValidateCredentialsRequest', '{"isSuccess": true}');
	SELECT appflow.register_connector('crm', connector_provisioning_config => jsonb_build_object('lambda', jsonb_build_object('lambdaArn', appflow.function_arn('test.crm(jsonb)'))))});
my $private = slurp_file("$place/key");
$private =~ s/-----.*?-----|\s//g;
my %custom = (authenticationType => 'OAUTH2', oauth2 => { clientId => 'planted-client', refreshToken => $private });
my %how = (profileProperties => { instanceUrl => $url }, oAuth2Properties => { tokenUrl => "$url/token", oAuth2GrantType => 'JWT_BEARER',
	tokenUrlCustomProperties => { aud => 'the-audience', sub => 'me' } });
profile('signed', 'CustomConnector', \%how, \%custom, connectorLabel => 'crm');
is(value(get('signed', '/private')), '200 {"who":"private"}', 'a JWT that we sign');
$how{oAuth2Properties}{tokenUrlCustomProperties}{aud} = 'another';
profile('missigned', 'CustomConnector', \%how, \%custom, connectorLabel => 'crm');
like(error_of(get('missigned', '/private')), qr/^WF401: .*invalid_grant$/, 'for somebody else');
$custom{oauth2}{refreshToken} = 'planted-no-key';
profile('keyless', 'CustomConnector', \%how, \%custom, connectorLabel => 'crm');
like(error_of(get('keyless', '/private')), qr/^WF401: the refreshToken of connector profile "keyless" is not an RSA private key/, 'without a key');
profile('key', 'CustomConnector', { profileProperties => { instanceUrl => $url, apiKeyParameter => 'k' } },
	{ authenticationType => 'APIKEY', apiKey => { apiKey => 'planted+api&key' } }, connectorLabel => 'crm');
is(decode_json(value("SELECT body FROM appflow.http_get('key', '/echo?a=b')"))->{url}, '/echo?a=b&k=planted%2Bapi%26key', 'a key in the URL');
like(error_of(get('key', '/never')), qr/^WF401: "\Q$url\E\/never" does not/, 'that no error shows');

# ---------- rights, secrets ----------

value('CREATE ROLE stranger LOGIN; GRANT USAGE ON SCHEMA appflow TO stranger');
like(error_of('SET ROLE stranger; ' . get('dog', '/echo')), qr/^42501/, 'not for everybody');
value('GRANT EXECUTE ON FUNCTION appflow.http_get TO stranger');
like(error_of('SET ROLE stranger; ' . get('dog', '/echo')), qr/^WF404/, 'not with profiles of others');
like(error_of("SET ROLE stranger; SELECT appflow.set_rate_limit('dog', 1)"), qr/^WF404/, 'nor their limits');
like(error_of(get('dog', $_)), qr/^WF400: path/, "path $_") foreach ('@127.0.0.1/', '.evil', "/a b");
value("SELECT appflow.delete_connector_profile('{\"connectorProfileName\": \"sap\"}')");
is(value("SELECT count(*) FROM appflow.secrets WHERE name = 'sap'"), '0', 'tokens go with their profile');
is(value("SELECT count(*) FROM appflow.secret s WHERE s::text LIKE '%planted%'"), '0', 'tokens are sealed');
# of the log all but the statements of this test, which have credentials in them
my $log = slurp_file($node->logfile) =~ s/^[^\n]*(?:STATEMENT|statement|execute [^:]*):(?:.|\n(?!\d{4}-))*//mgr;
like($log, qr/DEBUG: /, 'the log is one with debugging');
unlike($log, qr/planted|TRAP|PANIC|signal 11/, 'no secret in it, no crash');
value(get('code', '/private'));
control('reset');
$node->restart;
is(value(get('code', '/private')), '200 {"who":"private"}', 'and all is there after a restart');
is(scalar(grep { $_->{url} =~ /token/ } @{ control('seen') }), 0, 'without another refresh');

done_testing();
