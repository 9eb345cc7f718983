# Credentials leave no trace, at the highest log levels; a dump moves with its key.
use strict;
use warnings;
use File::Find;
use IO::Socket::INET;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $place = PostgreSQL::Test::Utils::tempdir();
# the end of a key id may be seen
my @planted = qw(planted-secret-file planted-token-file planted-secret-copy planted-token-copy AKIDPLANTEDFILE AKIDPLANTEDCOPY
	planted-api-file planted-api-copy planted-app-file planted-app-copy planted-malformed);

# what a secret looks like in other clothes
sub forms
{
	my ($text) = @_;
	my $hex = unpack 'H*', $text;
	my @base64 = map { substr encode_base64(('x' x $_) . $text, ''), $_ ? 4 : 0, 12 } 0 .. 2;
	return (quotemeta $text, $hex, uc $hex, map({ quotemeta } @base64), quotemeta join(' ', map { ord } split //, $text));
}
my $any = join '|', map { forms($_) } @planted;

# a server that refuses all and writes down what it was asked
my $listener = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "socket: $!";
my $port = $listener->sockport;
my $server = fork;
if ($server == 0)
{
	$SIG{TERM} = 'DEFAULT';
	while (my $client = $listener->accept)
	{
		my $head = '';
		while (my $line = <$client>)
		{
			$head .= $line;
			last if $line =~ /^\r?\n$/;
		}
		append_to_file("$place/requests", $head);
		my $body = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>';
		print $client "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
		close $client;
	}
	exit 0;
}
close $listener;
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }

sub new_node
{
	my ($name, $key) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
	$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'appflow, auto_explain, pg_stat_statements'
appflow.allow_local_endpoints = on
appflow.master_key = '$key'
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
	$node->start;
	$node->safe_psql('postgres', 'CREATE ROLE maker');
	return $node;
}

append_to_file("$place/master.key", 'moved:' . ('0a1b2c3d' x 8) . "\n");
chmod 0600, "$place/master.key";
my $node = new_node('leaks', "file:$place/master.key");
$node->safe_psql('postgres', 'CREATE EXTENSION appflow; CREATE EXTENSION pg_stat_statements');

my $said = '';
sub say_to
{
	my ($to, $sql) = @_;
	my ($status, $stdout, $stderr) = $to->psql('postgres', $sql);
	$said .= "$stdout\n$stderr\n";
	return $stdout;
}
sub error_of
{
	my ($to, $sql) = @_;
	my (undef, $stdout, $stderr) = $to->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	$said .= "$stdout\n$stderr\n";
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}

# ---------- credentials without a statement that holds them ----------

# a file on the server
foreach ([ 'id', 'AKIDPLANTEDFILE' ], [ 'secret', 'planted-secret-file' ], [ 'token', 'planted-token-file' ])
{
	append_to_file("$place/$_->[0]", "$_->[1]\n");
	chmod 0600, "$place/$_->[0]";
}
is(error_of($node, qq{SELECT appflow.create_object_store('from-file', 'http://127.0.0.1:$port', '{from-file}',
	access_key_id => appflow.read_secret_file('$place/id'),
	secret_access_key => appflow.read_secret_file('$place/secret'),
	session_token => appflow.read_secret_file('$place/token'))}), 'no error: ', 'credentials from files of the server');

# a file of the client
append_to_file("$place/client.csv", "AKIDPLANTEDCOPY\tplanted-secret-copy\tplanted-token-copy\n");
is(error_of($node, qq{
	BEGIN;
	CREATE TEMPORARY TABLE credentials (id text, secret text, token text) ON COMMIT DROP;
	\\copy credentials FROM '$place/client.csv'
	SELECT appflow.create_object_store('from-copy', 'http://127.0.0.1:$port', '{from-copy}', NULL, id, secret, token) FROM credentials;
	COMMIT}), 'no error: ', 'credentials from a file of the client');

append_to_file("$place/euro", "planted-token-\xe2\x82\xac-euro\n");
chmod 0600, "$place/euro";
is(error_of($node, qq{SELECT appflow.create_object_store('euro', 'https://127.0.0.1:1', '{euro}',
	access_key_id => 'AKIDEURO', secret_access_key => 'x', session_token => appflow.read_secret_file('$place/euro'))}), 'no error: ', 'beyond ASCII');

# a profile, from a file of the server, and by a role that may not read one
sub profile
{
	my ($name) = @_;
	return qq({"connectorProfileName": "$name", "clientToken": "token-$name", "connectorType": "Datadog", "connectionMode": "Public", "connectorProfileConfig": {)
	  . qq("connectorProfileProperties": {"Datadog": {"instanceUrl": "https://api.datadoghq.com"}}, )
	  . qq("connectorProfileCredentials": {"Datadog": {"apiKey": "planted-api-$name", "applicationKey": "planted-app-$name"}}}}\n);
}
append_to_file("$place/profile.json", profile('file'));
append_to_file("$place/malformed.json", profile('planted-malformed') =~ s/\}$//r);
chmod 0600, "$place/profile.json", "$place/malformed.json";
is(error_of($node, "SELECT appflow.create_connector_profile(appflow.read_secret_json('$place/profile.json'))"), 'no error: ', 'a profile from a file of the server');
like(error_of($node, "SELECT appflow.create_connector_profile(appflow.read_secret_json('$place/malformed.json'))"),
	qr/^22P02: secret file ".*malformed\.json" is not valid JSON$/, 'malformed, it is not shown');
is(say_to($node, "SELECT appflow.read_secret_json('$place/profile.json') -> 'connectionMode'"), '"Public"', 'JSON of a file');
append_to_file("$place/client.json", profile('copy'));
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION appflow.create_connector_profile(jsonb) TO maker');
is(error_of($node, qq{
	SET ROLE maker;
	BEGIN;
	CREATE TEMPORARY TABLE request (body jsonb) ON COMMIT DROP;
	\\copy request FROM '$place/client.json' (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
	SELECT appflow.create_connector_profile(body) FROM request;
	COMMIT}), 'no error: ', 'a profile from a file of the client');
is(say_to($node, "SELECT string_agg(connector_profile_name, ',' ORDER BY connector_profile_name) FROM appflow.connector_profiles WHERE has_credentials"), 'copy,file', 'both are there');
like(error_of($node, 'SET ROLE maker; SELECT ' . "appflow.read_secret_json('$place/profile.json')"), qr/^42501: permission denied/, 'files of the server are not for everybody');

# they are what they were
foreach my $kind (qw(file copy))
{
	unlink "$place/requests";
	like(error_of($node, "SELECT * FROM appflow.list_objects('from-$kind')"), qr/^WF403: /, "credentials from a $kind are used");
	my $request = slurp_file("$place/requests");
	like($request, qr/Credential=AKIDPLANTED\U$kind\E\//, 'the key id arrives');
	like($request, qr/x-amz-security-token: planted-token-$kind\r/i, 'and the token');
	unlike($request, qr/planted-secret/, 'the secret does not');
}

# ---------- everything is looked at ----------

say_to($node, "EXPLAIN (ANALYZE, VERBOSE) SELECT appflow.alter_object_store('from-file', session_token => appflow.read_secret_file('$place/token'))");
say_to($node, "BEGIN; UPDATE appflow.secret SET sealed_text = '\\x00'; SELECT appflow.alter_object_store('from-file'); ROLLBACK");
say_to($node, "SELECT appflow.alter_object_store('from-file', secret_access_key => '')");
say_to($node, "SELECT appflow.alter_object_store('from-file', region => 'not a region')");
say_to($node, "SELECT appflow.create_object_store('from-file', 'http://127.0.0.1:$port', access_key_id => appflow.read_secret_file('$place/id'), secret_access_key => appflow.read_secret_file('$place/secret'))");
say_to($node, "SELECT appflow.create_object_store('x', 'file:///tmp', access_key_id => appflow.read_secret_file('$place/id'), secret_access_key => appflow.read_secret_file('$place/secret'))");
say_to($node, "SELECT appflow.write_object('from-file', 'x', 'x'), appflow.read_object('from-copy', 'x')");
say_to($node, 'SELECT appflow.rotate_master_key()');
is(say_to($node, "SELECT count(*), count(DISTINCT key_id) FROM appflow.secrets WHERE key_id <> 'moved'"), '5|1', 'rotated');
say_to($node, "SELECT appflow.alter_object_store('from-copy')");
say_to($node, "SELECT appflow.describe_connector_profiles('{}')");
say_to($node, 'SELECT * FROM pg_stat_activity; SELECT * FROM pg_stat_statements; SELECT * FROM pg_settings');
my @relations = split /\n/, $node->safe_psql('postgres', q{
	SELECT oid::regclass FROM pg_class WHERE relnamespace = 'appflow'::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f')});
cmp_ok(scalar @relations, '>', 5, 'there are tables and views');
say_to($node, "SELECT r::text FROM $_ r") foreach @relations;

unlike($said, qr/$any/, 'not in what was answered, errors and plans included');
my ($plain) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
unlike($plain, qr/$any/, 'not in a dump');
like($plain, qr/^COPY appflow\.secret \([^\n]*\n(?:[^\n]*\n){0,9}object store\tfrom-copy\t[0-9a-f]{16}\t\\\\x01/m, 'which holds what is sealed');
my ($all) = run_command([ 'pg_dumpall', '-d', $node->connstr('postgres') ]);
unlike($all, qr/$any/, 'nor in a dump of all');

my ($key_id, $key_hex) = slurp_file("$place/master.key") =~ /^(\w+):(\w+)/;
$node->safe_psql('postgres', 'CHECKPOINT');
my $log = slurp_file($node->logfile);
unlike($log, qr/$any/, 'not in the log');
unlike($log, qr/$key_hex|(?:0a1b2c3d){8}/, 'nor is a key');
like($log, qr/read_secret_file.*from-|create_object_store\('from-copy'/s, 'which has all statements');

$node->stop;
my @found;
find({ no_chdir => 1, wanted => sub {
	return unless -f $_ && open my $file, '<:raw', $_;
	local $/;
	my $text = <$file>;
	push @found, $_ if $text =~ /$any|$key_hex/;
} }, $node->data_dir);
is("@found", '', 'not in a file of the cluster');
$node->start;

# the test can tell: a statement that holds a secret is logged
say_to($node, "SELECT 'planted-secret-' || 'said', 'planted-secret-file'");
like(slurp_file($node->logfile), qr/$any/, 'what a statement says is seen');

# ---------- the dump elsewhere, with the key ----------

append_to_file("$place/dump.sql", $plain);
my $moved = new_node('moved', "file:$place/master.key");
is($moved->psql('postgres', "\\i $place/dump.sql", on_error_stop => 1), 0, 'restored');
foreach my $kind (qw(file copy))
{
	unlink "$place/requests";
	like(error_of($moved, "SELECT * FROM appflow.list_objects('from-$kind')"), qr/^WF403: /, "restored credentials from a $kind are used");
	like(slurp_file("$place/requests"), qr/x-amz-security-token: planted-token-$kind\r.*Credential=AKIDPLANTED\U$kind\E\//si, 'as they were');
}
# under another name and in a database of another encoding
is(error_of($moved, q{CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'}), 'no error: ', 'a database of another encoding');
$moved->psql('latin', "\\i $place/dump.sql");
unlink "$place/requests";
my (undef, undef, $stderr) = $moved->psql('latin', "SELECT * FROM appflow.list_objects('from-copy')");
like($stderr, qr/AccessDenied|403|refused|denied/i, 'is asked for');
like(slurp_file("$place/requests"), qr/x-amz-security-token: planted-token-copy\r/i, 'with the same credentials');
(undef, undef, $stderr) = $moved->psql('latin', "SELECT appflow.alter_object_store('euro')");
like($stderr, qr/ERROR:  credentials of object store "euro" have characters that the encoding of this database does not have$/m, 'characters that are not there');
unlike($stderr, qr/0xe2|planted/, 'are not shown');
is(error_of($moved, "SELECT appflow.alter_object_store('euro')"), 'no error: ', 'they are in UTF-8');
$moved->stop;

# ---------- and without the key ----------

mkdir "$place/lake";
mkdir "$place/lake/local";
my $without = new_node('without', '');
is($without->psql('postgres', "\\i $place/dump.sql", on_error_stop => 1), 0, 'restored without a key');
like(error_of($without, "SELECT * FROM appflow.list_objects('from-file')"), qr/^55000: there is no master key/, 'its credentials do not open');
is(say_to($without, 'SELECT string_agg(name, \',\' ORDER BY name) FROM appflow.object_stores'), 'euro,from-copy,from-file', 'the rest is there');
is(error_of($without, "SELECT appflow.create_object_store('local', 'file://$place/lake', '{local}')"), 'no error: ', 'stores without credentials work');
is(say_to($without, "SELECT appflow.write_object('local', 'x', 'contents'); SELECT convert_from(appflow.read_object('local', 'x'), 'UTF8')"), "\ncontents", 'their objects too');
is(error_of($without, q{
	CREATE TABLE source (id int); INSERT INTO source VALUES (1), (2); CREATE TABLE target (id int);
	SELECT appflow.create_flow('{"flowName": "local", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "sourceConnectorProperties":
			{"CustomConnector": {"entityName": "public.source"}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.target"}}}],
		"tasks": [{"taskType": "Map_all", "sourceFields": []}]}');
	CALL appflow.run_flow('local')}), 'no error: ', 'and flows between tables');
is(say_to($without, 'SELECT count(*) FROM target'), '2', 'which move what they should');
is(error_of($without, "SELECT appflow.create_master_key_file('$place/other.key')"), 'no error: ', 'another key is made');
$without->append_conf('postgresql.conf', "appflow.master_key = 'file:$place/other.key'");
$without->reload;
$without->poll_query_until('postgres', "SELECT current_setting('appflow.master_key') <> ''");
like(error_of($without, "SELECT * FROM appflow.list_objects('from-file')"),
	qr/^55000: credentials of object store "from-file" cannot be opened: master key "$key_id" is not known/, 'another key does not open them');
like(error_of($without, 'SELECT appflow.rewrap_secrets()'), qr/^55000: .*master key "$key_id" is not known/, 'nor rewrap them');
is(error_of($without, "SELECT appflow.drop_object_store('from-file')"), 'no error: ', 'they can be dropped');
is(error_of($without, "SELECT appflow.create_object_store('from-file', 'http://127.0.0.1:$port', '{from-file}', access_key_id => 'a', secret_access_key => 'b')"),
	'no error: ', 'and made anew');
like(error_of($without, "SELECT appflow.alter_object_store('euro', access_key_id => 'a')"), qr/^55000: .* is not known/, 'half of the credentials need the other half');
is(error_of($without, "SELECT appflow.alter_object_store('euro', access_key_id => 'a', secret_access_key => 'b')"), 'no error: ', 'all of them need none');
is(error_of($without, "SELECT appflow.alter_object_store('euro')"), 'no error: ', 'and open');
append_to_file("$place/other.key", slurp_file("$place/master.key"));
like(error_of($without, "SELECT * FROM appflow.list_objects('from-copy')"), qr/^WF403: /, 'once the key is among those known, the others open');
is(error_of($without, 'SELECT appflow.rewrap_secrets()'), 'no error: ', 'and can be rewrapped');
is(say_to($without, "SELECT string_agg(name, ',') FROM appflow.secrets WHERE key_id = (SELECT key_id FROM appflow.secrets WHERE name = 'from-file') AND purpose = 'profile'") =~ tr/,//, 1, 'profiles with them');
$without->stop;
done_testing();
