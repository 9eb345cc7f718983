# An object store without keys uses the credentials of the server, found as the AWS
# SDKs find them.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tests = $ENV{APPFLOW_TEST_DIR};
my $place = PostgreSQL::Test::Utils::tempdir;
mkdir "$place/$_" foreach qw(s3 home home/.aws);

# package variables: closing a handle waits for the process, so END must come before
our ($s3_output, $output);
my $s3 = open($s3_output, '-|', 'node', '--openssl-legacy-provider', "$tests/simulators/s3/server.js", "$place/s3") or die;
my $server = open($output, '-|', 'node', "$tests/simulators/aws/credentials.js") or die;
my ($s3_port) = (readline($s3_output) // '') =~ /^ready (\d+)/ or die 'the S3 server did not start';
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { kill 'KILL', grep { $_ } $s3, $server; }

my $http = HTTP::Tiny->new;
sub seen { return join ', ', @{ decode_json($http->get("http://127.0.0.1:$port/_log")->{content}) }; }
sub lifetime { $http->post("http://127.0.0.1:$port/_lifetime", { content => $_[0] }); }
sub write_file
{
	my ($name, $contents) = @_;
	open my $file, '>', "$place/$name" or die;
	print $file $contents;
	close $file;
}

my $node = PostgreSQL::Test::Cluster->new('aws');
$node->init;
$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nlog_min_messages = debug1\n");
my $master_key = PostgreSQL::Test::Utils::tempdir . '/master.key';
append_to_file($master_key, "test:" . '0123456789abcdef' x 4 . "\n");
chmod 0600, $master_key;
$node->append_conf('postgresql.conf', "appflow.master_key = 'file:$master_key'\n");

my %started;
# the server anew, with an environment of these variables
sub environment
{
	my (%variables) = @_;
	$node->stop if %started;
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => "$place/home", AWS_EC2_METADATA_DISABLED => 'true',
		AWS_ENDPOINT_URL_STS => "http://127.0.0.1:$port/", %variables);
	$node->start;
	$started{1} = 1;
	seen();
}
sub result
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n" . ($sql || "SELECT convert_from(appflow.read_object('lake', 'x'), 'UTF8')"));
	return $err =~ /ERROR:\s+(\w+: .*)/ ? $1 : $out;
}

environment();
$node->safe_psql('postgres', "CREATE EXTENSION appflow;
	SELECT appflow.create_object_store('s3', 'http://127.0.0.1:$s3_port', region => 'us-east-1')");
like(result(), qr/^WF401: no AWS credentials found/, 'none anywhere');
is(result("SELECT access_key_id, has_credentials FROM appflow.object_stores"), '|f', 'the view says so');

my %keys = (AWS_ACCESS_KEY_ID => 'S3RVER', AWS_SECRET_ACCESS_KEY => 'S3RVER');
environment(%keys);
is(result("SELECT appflow.write_object('lake', 'x', 'contents')"), '', 'environment: written');
is(result(), 'contents', 'environment: read');
environment(AWS_ACCESS_KEY_ID => 'S3RVER', AWS_SECRET_ACCESS_KEY => 'wrong');
like(result(), qr/^WF401: .*SignatureDoesNotMatch/, 'environment: a wrong secret');

# shared files
write_file('home/.aws/credentials', "# comment\n[other]\naws_access_key_id = OTHER\naws_secret_access_key = OTHER\n"
	. "[default]\naws_access_key_id = S3RVER\naws_secret_access_key=S3RVER\n");
environment();
is(result(), 'contents', 'credentials file');
environment(AWS_PROFILE => 'other', %keys);
like(result(), qr/^WF401: .*InvalidAccessKeyId/, 'a profile that is asked for goes before keys that happen to be set');
environment(AWS_PROFILE => 'from-config', AWS_CONFIG_FILE => "$place/config");
write_file('config', "[profile from-config]\naws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\n[profile sso]\nsso_session = x\n"
	. "[profile role]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = base\nexternal_id = ext 1\nregion = eu-west-1\n"
	. "[profile base]\naws_access_key_id = BASEKEY\naws_secret_access_key = base\n"
	. "[profile loop]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = loop2\n[profile loop2]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = loop\n");
is(result(), 'contents', 'config file');
environment(AWS_PROFILE => 'sso', AWS_CONFIG_FILE => "$place/config");
like(result(), qr/^WF401: .*needs single sign-on or credential_process/, 'what is not supported says so');

# a role that a profile assumes
environment(AWS_PROFILE => 'role', AWS_CONFIG_FILE => "$place/config");
is(result(), 'contents', 'assumed role');
is(seen(), 'POST / 200', 'by one signed request');
environment(AWS_PROFILE => 'loop', AWS_CONFIG_FILE => "$place/config");
like(result(), qr/^WF401: .*assume too many roles/, 'roles in a circle');

# web identity
unlink "$place/home/.aws/credentials";
write_file('web-token', "web-token\n");
my %web = (AWS_ROLE_ARN => 'arn:aws:iam::111122223333:role/r', AWS_WEB_IDENTITY_TOKEN_FILE => "$place/web-token");
environment(%web);
is(result(), 'contents', 'web identity');
is(seen(), 'POST / 200', 'by one unsigned request');
write_file('web-token', 'secret-but-wrong');
environment(%web);
is(result(), 'WF401: could not get credentials from STS: InvalidIdentityToken: No such token', 'a wrong token');
environment(%web, AWS_WEB_IDENTITY_TOKEN_FILE => "$place/none");
like(result(), qr/^WF401: .*could not read the web identity token file/, 'no token');

# container
write_file('container-token', "container-token\n");
my %container = (AWS_CONTAINER_CREDENTIALS_FULL_URI => "http://127.0.0.1:$port/container", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE => "$place/container-token");
environment(%container);
is(result(), 'contents', 'container');
is(seen(), 'GET /container 200', 'by one request');
environment(%container, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE => "$place/web-token");
like(result(), qr/^WF401: could not get credentials from the container: the answer has status 401/, 'a wrong token');
foreach my $uri ('http://example.com/x', 'ftp://127.0.0.1/x', 'http://127.0.0.1@example.com/x', 'http://127.0.0.1.example.com/x')
{
	environment(%container, AWS_CONTAINER_CREDENTIALS_FULL_URI => $uri);
	like(result(), qr/^WF401: .*AWS_CONTAINER_CREDENTIALS_FULL_URI must be https/, "not from $uri");
}

# instance, whose address no user's URL may reach
my %instance = (AWS_EC2_METADATA_DISABLED => '', AWS_EC2_METADATA_SERVICE_ENDPOINT => "http://127.0.0.1:$port/");
environment(%instance);
is(result(), 'contents', 'instance');
my $all = 'PUT /latest/api/token 200, GET /latest/meta-data/iam/security-credentials/ 200, GET /latest/meta-data/iam/security-credentials/appflow-role 200';
is(seen(), $all, 'with a token');
my $three = join ';', map { "SELECT convert_from(appflow.read_object('lake', 'x'), 'UTF8')" } 1 .. 3;
is(result($three), "contents\ncontents\ncontents", 'three times in a session');
is(seen(), $all, 'are one time of asking');
like(result("SELECT appflow.create_object_store('metadata', 'http://127.0.0.1:$port', '{latest}', access_key_id => 'a', secret_access_key => 'b');
	SELECT appflow.read_object('lake', 'x'); SET appflow.allow_local_endpoints = off; SELECT appflow.read_object('latest', 'api/token')"),
	qr/^WF400: .* is not allowed/, "the platform's connections are not for others");
seen();
lifetime(300);
is(result($three), "contents\ncontents\ncontents", 'credentials that end soon');
is(seen(), join(', ', ($all) x 3), 'are renewed');

my $log = slurp_file($node->logfile);
unlike($log, qr/secret-but-wrong|session\+token|container-token|instance-token|Signature=/, 'no token is in the log');

$node->stop;
done_testing();
