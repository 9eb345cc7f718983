# Secrets of profiles leave no trace: in no log at the highest levels, no plan, error,
# view, statistic, dump or file of the cluster, and no memory of a session that used
# them.  All that is planted begins with the same word.

use strict;
use warnings;

use AppflowTest::Memory;
use File::Find;
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tests = $ENV{APPFLOW_TEST_DIR};
my $place = PostgreSQL::Test::Utils::tempdir;
my $json = JSON::PP->new->canonical->allow_nonref;
# of the server, which each process that needs it keeps
my @identity = ('AKIDOFSERVER', 'hidden-aws+secret', 'hidden-session/token==', 'eu-central-1');
my @account = ('AKIDOFPROFILE', 'planted/profile+secret', 'planted-profile/token==', 'eu-west-3');
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

run_log([ 'openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', "$place/key" ]) or die 'openssl';
run_log([ 'openssl', 'pkey', '-in', "$place/key", '-pubout', '-out', "$place/public" ]) or die 'openssl';
$ENV{JWT_PUBLIC_KEY} = slurp_file("$place/public");
my $service = simulator("$tests/simulators/http/service.js");
my $manager = simulator("$tests/simulators/aws/secretsmanager.js", @identity);
my $kms = simulator("$tests/simulators/aws/kms.js", @identity);
my $appflow = simulator("$tests/simulators/appflow/server.js", @account);
my $url = "http://127.0.0.1:$service";
sub instruct { my ($port, $path, $what) = @_; $http->post("http://127.0.0.1:$port/$path", { content => $json->encode($what) }); return; }

# a file that only the server's user may read
sub secret_file
{
	my ($name, $text) = @_;
	unlink "$place/$name";
	append_to_file("$place/$name", $text);
	chmod 0600, "$place/$name";
	return "$place/$name";
}

secret_file('master.key', 'old:' . ('0a1b2c3d' x 8) . "\n");
secret_file('credentials', "[default]\naws_access_key_id = $identity[0]\naws_secret_access_key = $identity[1]\naws_session_token = $identity[2]\n");
my $key = "arn:aws:kms:$identity[3]:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
my $client = "arn:aws:secretsmanager:$identity[3]:123456789012:secret:client-AbCdEf";
instruct($kms, '_keys', { $key => {} });
instruct($manager, '_secrets', { $client => { string => '{"clientId": "planted-client", "clientSecret": "planted-client-secret"}' } });

sub new_node
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
	$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'appflow, auto_explain, pg_stat_statements'
appflow.allow_local_endpoints = on
appflow.master_key = 'file:$place/master.key'
appflow.kms_endpoint = 'http://127.0.0.1:$kms'
appflow.secretsmanager_endpoint = 'http://127.0.0.1:$manager'
appflow.max_retries = 0
wal_level = logical
log_min_messages = debug5
log_min_error_statement = debug5
log_error_verbosity = verbose
log_statement = all
log_duration = on
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
debug_print_parse = on
debug_print_rewritten = on
debug_print_plan = on
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
auto_explain.log_verbose = on
pg_stat_statements.track = all
compute_query_id = on
});
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => "$place/credentials");
	$node->start;
	return $node;
}
my $node = new_node('leaks');
$node->safe_psql('postgres', 'CREATE EXTENSION appflow; CREATE EXTENSION pg_stat_statements');

# what was answered, of all calls
my $said = '';
sub run_sql
{
	my ($sql, $on) = @_;
	my ($status, $out, $err) = ($on || $node)->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	$said .= "$out\n$err\n";
	return $err =~ /ERROR:\s+(\w+: [^\n]*)/ ? $1 : $out;
}

# Statements in a session of their own, whose memory is looked at then; errors are
# caught, so that there is a then.  auto_explain and the like see to copies of
# plans, not of secrets.
my $session = 0;
sub leaves_nothing
{
	my ($name, @statements) = @_;
	my $file = "$place/memory" . ++$session;
	my $sql = join '', map { "DO \$do\$ BEGIN PERFORM $_; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '% %', SQLSTATE, SQLERRM; END \$do\$;\n" } @statements;
	my ($status, $out, $err) = $node->psql('postgres', $sql . "SET log_statement = none; SET log_min_messages = error; SET auto_explain.log_min_duration = -1; " . memory_to($file));
	$said .= "$out\n$err\n";
	cmp_ok(-s $file, '>', 1_000_000, "$name: the session's memory was read");
	my @copies = copies_in($file, 'planted');
	is(scalar @copies, 0, "$name: nothing is left in it") or diag map { "$_\n" } @copies;
	unlink $file;
	return $err;
}
sub request
{
	my ($name, $type, $properties, $credentials, %more) = @_;
	return $json->encode({
		connectorProfileName => $name, connectorType => $type, connectionMode => 'Public', %more,
		connectorProfileConfig => {
			connectorProfileProperties => { $type => $properties }, connectorProfileCredentials => { $type => $credentials } } }) . "\n";
}
my %instance = (instanceUrl => $url);
my %profiles = (
	code => [ 'Salesforce', \%instance, { oAuthRequest => { authCode => 'planted-code', redirectUri => 'https://example.com/back' } } ],
	'bad-code' => [ 'Salesforce', \%instance, { oAuthRequest => { authCode => 'planted-bad', redirectUri => 'https://example.com/back' } } ],
	login => [ 'Veeva', \%instance, { username => 'me', password => 'planted-password' } ],
	'bad-login' => [ 'Veeva', \%instance, { username => 'me', password => 'planted-wrong' } ],
	client => [ 'Marketo', \%instance, { clientId => 'planted-client', clientSecret => 'planted-client-secret' } ],
	manager => [ 'Salesforce', \%instance, { oAuth2GrantType => 'CLIENT_CREDENTIALS', clientCredentialsArn => $client } ],
	jwt => [ 'Salesforce', \%instance, { oAuth2GrantType => 'JWT_BEARER', jwtToken => 'planted.given.jwt' } ],
	keys => [ 'Datadog', \%instance, { apiKey => 'planted-api', applicationKey => 'planted-application' } ],
	basic => [ 'ServiceNow', \%instance, { username => 'me', password => 'planted-password' } ],
	'of-kms' => [ 'ServiceNow', \%instance, { username => 'me', password => 'planted-password' }, kmsArn => $key ],
	nexus => [ 'InforNexus', \%instance, { accessKeyId => 'key', userId => 'user', secretAccessKey => 'planted-hmac', datakey => 'planted-data' } ],
	aws => [ 'CustomConnector', { profileProperties => { region => $account[3], endpoint => "http://127.0.0.1:$appflow" } },
		{ authenticationType => 'CUSTOM', custom => { customAuthenticationType => 'AWS', credentialsMap => {
			accessKeyId => $account[0], secretAccessKey => $account[1], sessionToken => $account[2] } } }, connectorLabel => 'AWS' ]);

# ---------- profiles, by files of the server ----------

foreach my $name (sort keys %profiles)
{
	my $file = secret_file("$name.json", request($name, @{ $profiles{$name} }));
	my $err = leaves_nothing("creating $name", "appflow.create_connector_profile(appflow.read_secret_json('$file'))");
	$name eq 'bad-code' ? like($err, qr/WF401 .*invalid_grant/, 'a bad code is refused') : unlike($err, qr/WF|ERROR/, "$name is created");
	unlink $file;
}
is(run_sql(q{SELECT count(*) FROM appflow.connector_profiles WHERE has_credentials}), 11, 'all but the one with the bad code');

# ---------- and by files of the client ----------

append_to_file("$place/request.json", request('copied', 'ServiceNow', \%instance, { username => 'me', password => 'planted-password' }));
is(run_sql(qq{
	BEGIN;
	CREATE TEMPORARY TABLE request (body jsonb) ON COMMIT DROP;
	\\copy request FROM '$place/request.json' (FORMAT csv, QUOTE E'\\x01', DELIMERER E'\\x02')
	SELECT appflow.create_connector_profile(body) FROM request;
	COMMIT} =~ s/DELIMERER/DELIMITER/r), '{"connectorProfileArn": "arn:aws:appflow:us-east-1:000000000000:connectorprofile/copied"}', 'a profile from a file of the client');
unlink "$place/request.json";

# ---------- they are used ----------

my %private = map { $_ => '/private' } qw(code login client manager jwt);
%private = (%private, keys => '/tick', basic => '/basic', 'of-kms' => '/basic', nexus => '/rest/3.1/things?oql=a%3D1&Limit=5');
foreach my $name (sort keys %private)
{
	my $get = "appflow.http_get('$name', '$private{$name}')";
	is(run_sql("SELECT status FROM $get"), 200, "$name is let in");
	unlike(leaves_nothing("using $name", $get), qr/WF|ERROR/, "$name again");
}
$http->get("$url/expire");
unlike(leaves_nothing("a new token for $_", "appflow.http_get('$_', '/private')"), qr/WF|ERROR/, "$_ is let in")
  foreach qw(code login client manager jwt);
like(leaves_nothing('a service that is never content', "appflow.http_get('code', '/never')"), qr/WF401/, 'is told');
like(leaves_nothing('wrong credentials', "appflow.http_get('bad-login', '/private')"), qr/WF401 .*USERNAME_OR_PASSWORD_INCORRECT/, 'are told');
like(leaves_nothing('another host', "appflow.http_get('keys', '/far')"), qr/^(?!.*WF)/s, 'is asked');
like(leaves_nothing('a circle', "appflow.http_get('basic', '/circle')"), qr/WF502/, 'is told');
# AWS, which repeats what it was told
instruct($appflow, '_answers', [ { status => 403, headers => { 'x-amzn-ErrorType' => 'AccessDeniedException' }, body => { message => "not with $account[1] and $account[2]" } } ]);
like(leaves_nothing('an answer with secrets in it', q{appflow.call_aws('aws', 'ListFlows')}), qr/WF403 not with \*\*\* and \*\*\*/, 'is shown without them');
unlike(leaves_nothing('AWS', q{appflow.call_aws('aws', 'ListFlows')}), qr/WF|ERROR/, 'is called');
# updates, keys
my $file = secret_file('update.json', request('basic', 'ServiceNow', \%instance, { username => 'me', password => 'planted-password' }) =~ s/"connectorType":"ServiceNow",//r);
unlike(leaves_nothing('an update', "appflow.update_connector_profile(appflow.read_secret_json('$file'))"), qr/WF|ERROR/, 'is carried out');
unlike(leaves_nothing('a rotation', 'appflow.rotate_master_key()'), qr/WF|ERROR/, 'is carried out');
$file = secret_file('store.secret', 'planted-store-secret');
unlike(leaves_nothing('an object store', "appflow.create_object_store('busy', '$url', '{budget}', access_key_id => 'id', secret_access_key => appflow.read_secret_file('$file'))",
	"appflow.read_object('budget', '1.json')"), qr/WF|ERROR/, 'is made and read');
# plans
run_sql("EXPLAIN (ANALYZE, VERBOSE) SELECT appflow.create_connector_profile(appflow.read_secret_json('" . secret_file('again.json', request('again', @{ $profiles{keys} })) . "'))");
run_sql("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM appflow.http_get('keys', '/tick')");
run_sql("SELECT appflow.create_connector_profile(appflow.read_secret_json('" . secret_file('broken.json', '{"planted-broken": ') . "'))");
run_sql("SELECT appflow.create_connector_profile(appflow.read_secret_json('" . secret_file('invalid.json', request('invalid', 'Datadog', \%instance, { apiKey => 'planted', applicationKey => "planted with blanks" })) . "'))");
unlink glob "$place/*.json $place/store.secret";

# the memory that is looked at is the right one
{
	my $file = "$place/memory";
	local $ENV{PGOPTIONS} = '-c log_statement=none -c log_min_messages=error -c auto_explain.log_min_duration=-1 -c debug_print_plan=off -c debug_print_parse=off -c debug_print_rewritten=off';
	$node->psql('postgres', "SELECT length(set_config('test.canary', reverse('yranac-detnalp'), false)); SET log_statement = none; SET log_min_messages = error; " . memory_to($file));
	cmp_ok(scalar(copies_in($file, 'planted-canary')), '>', 0, 'what is in a setting is found in memory');
	unlink $file;
}

# ---------- everything is looked at ----------

run_sql('SELECT * FROM pg_stat_activity; SELECT * FROM pg_stat_statements; SELECT * FROM pg_settings; SELECT * FROM pg_stat_progress_copy; SELECT * FROM pg_prepared_statements; SELECT * FROM pg_backend_memory_contexts');
my @relations = split /\n/, $node->safe_psql('postgres', q{
	SELECT oid::regclass FROM pg_class WHERE relnamespace = 'appflow'::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f')});
cmp_ok(scalar @relations, '>', 15, 'there are tables and views');
run_sql("SELECT r::text FROM $_ r") foreach @relations;
run_sql("SELECT appflow.$_('{}')") foreach qw(describe_connector_profiles list_flows list_connectors describe_connectors);

# in other clothes too
my $any = join '|', 'planted', 'hidden-', unpack('H*', 'planted'), uc unpack('H*', 'planted'), 'cGxhbnRlZ', 'BsYW50ZW', 'wbGFudGVk', join(' ', map { ord } split //, 'planted');
unlike($said, qr/$any/, 'not in what was answered, plans and errors included');
my ($plain) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
unlike($plain, qr/$any/, 'not in a dump');
my ($all) = run_command([ 'pg_dumpall', '-d', $node->connstr('postgres') ]);
unlike($all, qr/$any/, 'nor in a dump of all');
$node->safe_psql('postgres', 'CHECKPOINT');
my $log = slurp_file($node->logfile);
like($log, qr/LOG:  statement: .*read_secret_json|Query Text: /, 'the log has all statements and plans');
my @lines = grep { /$any/ } split /\n/, $log;
is(scalar @lines, 0, 'and no secret') or diag map { substr($_, 0, 300) . "\n" } @lines[ 0 .. ($#lines < 5 ? $#lines : 5) ];
unlike($log, qr/Signature=[0-9a-f]{8}|AWS4-HMAC-SHA256|Bearer |TRAP|PANIC|signal 11/, 'nor a signature, nor a token; nothing crashed');

$node->stop;
my @found;
find({ no_chdir => 1, wanted => sub {
	return unless -f $_ && open my $file, '<:raw', $_;
	local $/;
	my $text = <$file>;
	push @found, $_ if $text =~ /$any/ && $_ !~ m{/log/|\.log$};
} }, $node->data_dir);
is("@found", '', 'not in a file of the cluster: tables, WAL, temporary files');

# ---------- moved with the key, all of it works ----------

append_to_file("$place/dump.sql", $plain);
my $moved = new_node('leaks_moved');
is($moved->psql('postgres', "\\i $place/dump.sql", on_error_stop => 1), 0, 'restored');
is(run_sql("SELECT status FROM appflow.http_get('$_', '$private{$_}')", $moved), 200, "restored: $_ is let in") foreach sort keys %private;
is(run_sql("SELECT appflow.call_aws('aws', 'ListFlows')", $moved), '{}', 'restored: and AWS');
secret_file('master.key', 'other:' . ('f0e1d2c3' x 8) . "\n");
like(run_sql("SELECT status FROM appflow.http_get('basic', '/basic')", $moved), qr/^55000: credentials of profile "basic" cannot be opened: master key "\w+" is not known/, 'without the key it does not');
is(run_sql("SELECT status FROM appflow.http_get('of-kms', '/basic')", $moved), 200, 'but what KMS opens');
done_testing();
