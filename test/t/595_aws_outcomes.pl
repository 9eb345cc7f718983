# Services of AWS and warehouses: what they say in several lines, what is known of records when
# an answer is lost, and what is not done twice.
use strict;
use warnings;

use AppflowTest::Flows ();
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref;
my ($key, $secret, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'us-east-1');
my $flows = AppflowTest::Flows->new('aws_outcomes');
mkdir "$flows->{root}/staging";
our @output;
my %port;
my @pids;
foreach my $system ([ snow => 'warehouse/snowflake.js', $flows->{root} ], [ red => 'warehouse/redshift.js', $flows->{root}, $key, $secret, $region ], [ aws => 'aws/destinations.js', $key, $secret, '', $region ])
{
	my ($name, $program, @arguments) = @$system;
	push @pids, open($output[@output], '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/$program", @arguments) || die "node: $!";
	($port{$name}) = (readline($output[-1]) // '') =~ /^ready (\d+)/ or die "$program did not start";
}
END { my $status = $?; kill 'KILL', @pids; $? = $status; }
my $http = HTTP::Tiny->new;
sub get { return $json->decode($http->get("http://127.0.0.1:$port{$_[0]}/$_[1]")->{content}); }
sub post { $http->post("http://127.0.0.1:$port{$_[0]}/$_[1]", { content => $json->encode($_[2]) }); return; }

my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
append_to_file($file, "[default]\nregion = $region\naws_access_key_id = $key\naws_secret_access_key = $secret\n");
my $master = "$flows->{root}/../appflow.key";
$flows->sql("SELECT appflow.create_master_key_file('$master')");
$flows->{node}->append_conf('postgresql.conf', join "\n", 'appflow.allow_local_endpoints = on', "appflow.redshift_data_endpoint = 'http://127.0.0.1:$port{red}'",
	"appflow.customer_profiles_endpoint = 'http://127.0.0.1:$port{aws}'", "appflow.eventbridge_endpoint = 'http://127.0.0.1:$port{aws}'",
	"appflow.max_retry_delay = '50ms'", "appflow.master_key = 'file:$master'", "timezone = 'UTC'", '');
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file, AWS_CONFIG_FILE => $file, AWS_ENDPOINT_URL_STS => "http://127.0.0.1:$port{red}");
	$flows->{node}->restart;
}
sub sql { return $flows->sql($_[0]) }
sub refused { my (undef, undef, $stderr) = $flows->{node}->psql('postgres', $_[0]); return $stderr; }
sql('CREATE TABLE public.orders (id text, amount numeric, count bigint, at timestamptz, note text)');
foreach my $profile ([ 'snow', 'Snowflake', { warehouse => 'wh', stage => 'lake.public.appflow', bucketName => 'staging', bucketPrefix => 'snow', accountName => "http://127.0.0.1:$port{snow}", region => 'us-west-2' }, { username => 'loader', password => 'planted-password' } ],
	[ 'red', 'Redshift', { bucketName => 'staging', roleArn => 'arn:aws:iam::123456789012:role/load', dataApiRoleArn => 'arn:aws:iam::123456789012:role/data', isRedshiftServerless => JSON::PP::true, workgroupName => 'wg', databaseName => 'dev' } ])
{
	my ($name, $type, $properties, $credentials) = @$profile;
	my $text = $json->encode({ connectorProfileProperties => { $type => $properties }, $credentials ? (connectorProfileCredentials => { $type => $credentials }) : () });
	sql("SELECT appflow.create_connector_profile('$name', '$type', 'Public', connector_profile_config => \$t\$$text\$t\$)");
}
my $number = 0;
sub push_rows
{
	my ($destination, $rows, $fields) = @_;
	sql("TRUNCATE public.orders; INSERT INTO public.orders $rows");
	return $flows->move(definition => { flowName => 'load' . ++$number, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.orders' } } },
		destinationFlowConfigList => [$destination],
		tasks => [ map { { taskType => 'Map', sourceFields => [$_], connectorOperator => { CustomConnector => 'NO_OP' }, taskProperties => {}, destinationField => $fields ? $fields->{$_} : $_ } } $fields ? sort keys %$fields : qw(id amount count at note) ] });
}
sub warehouse
{
	my ($type, $profile, $prefix, $stop) = @_;
	return { connectorType => $type, connectorProfileName => $profile, destinationConnectorProperties => { $type => { object => 'orders', intermediateBucketName => 'staging', bucketPrefix => $prefix,
		errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => $stop ? JSON::PP::true : JSON::PP::false } } } };
}
my $snow = warehouse('Snowflake', 'snow', 'snow/in');
my $red = warehouse('Redshift', 'red', 'red');
my $four = q{SELECT 'k' || i, i, i, now(), 'x' FROM generate_series(1, 4) i};
sub outcome { my ($run) = @_; return "$run->{status} $run->{processed} $run->{failed}"; }
sub staged { return scalar keys %{ $flows->objects('staging', '') }; }

# ---------- several lines ----------

my $run = push_rows(warehouse('Snowflake', 'snow', 'snow/in', 1), q{VALUES ('a', 1, 1, now(), 'short'), (NULL, 2, 2, now(), 'x')});
like($run->{message}, qr/NULL result in a non-nullable column File 'in\/load1\/.*', line 2, column ID/, 'all that Snowflake says, on one line');
$run = push_rows(warehouse('Redshift', 'red', 'red', 1), q{VALUES ('a', 1, 1, now(), 'short'), (NULL, 2, 2, now(), 'x')});
like($run->{message}, qr/sys_load_error_detail' system table for details\. ----- error: 1 rows are wrong/, 'all that Redshift says');
unlike($run->{message}, qr/not known/, 'a load that is refused is known not to be');
my $profiles = { connectorType => 'CustomerProfiles', destinationConnectorProperties => { CustomerProfiles => { domainName => 'shop', objectTypeName => 'Contact' } } };
my $contact = { id => 'Id', note => 'Email', count => 'Age' };
post('aws', '_answers', [ { status => 403, headers => { 'x-amzn-ErrorType' => 'AccessDeniedException' }, body => { Message => "Not allowed:\n\tprofile:PutProfileObject\r\nfor $secret" } } ]);
like(push_rows($profiles, q{VALUES ('a', 1, 1, now(), 'x')}, $contact)->{message}, qr/refused objects .*: Not allowed: profile:PutProfileObject for \*\*\*/, 'and a service of AWS, without secrets');
post('aws', '_answers', [ { status => 403, headers => { 'x-amzn-ErrorType' => 'InvalidSignatureException' }, body => { Message => "The signature does not match.\n\nThe Canonical String for this request should have been\n'GET\nx-amz-security-token:planted-token'" } } ]);
like(push_rows($profiles, q{VALUES ('a', 1, 1, now(), 'x')}, $contact)->{message}, qr/: The signature does not match\.$/, 'but the request that it should have been');
post('aws', '_answers', [ { status => 400, headers => { 'x-amzn-ErrorType' => 'BadRequestException' }, body => { Message => 'x' x 5000 } } ]);
is(length(push_rows($profiles, q{VALUES ('a', 1, 1, now(), 'x')}, $contact)->{message} =~ s/.*?(x{100,}.*)/$1/r), 2003, 'and no more than can be read');

# ---------- a statement that runs is not sent again ----------

get('snow', '_statements');
post('snow', '_fault', { kind => 'expire', match => '/queries/.*/result' });
my $before = @{ get('snow', '_rows') };
sub slow_copy { post('snow', '_fault', { kind => 'slow', match => 'COPY INTO' }); return; }
slow_copy();
$run = push_rows($snow, $four);
is(outcome($run) . ' ' . (@{ get('snow', '_rows') } - $before), 'Successful 4 0 4', 'a session that ends while Snowflake loads') or diag($run->{message});
is(scalar(grep { /^COPY/ } @{ get('snow', '_statements') }), 1, 'does not make it load again');

# ---------- what is known ----------

post('snow', '_fault', { kind => 'cut', match => 'COPY INTO' });
$run = push_rows($snow, $four);
like("$run->{status} $run->{message}", qr/^Error .*not JSON.*\(Whether the destination has 4 more records is not known: they were on their way\.\)$/, 'an answer that is lost: what became of the records is not known');
is(staged(), 0, 'staged objects are gone');
get('aws', '_objects');
post('aws', '_answers', [ ({ status => 404, headers => { 'x-amzn-ErrorType' => 'ResourceNotFoundException' }, body => { Message => 'Domain is gone' } }) ]);
$run = push_rows($profiles, q{SELECT 'd' || i, i, i, now(), '' FROM generate_series(1, 30) i}, $contact);
my $kept = grep { $_->{Id} =~ /^d/ } @{ get('aws', '_objects') };
like($run->{message}, qr/Domain is gone \(The destination keeps $kept records that were written before\.\)$/, 'what other requests have written by then is counted') or diag("$kept; $run->{message}");
is($run->{processed}, $kept, 'in the run too');
$run = push_rows($profiles, q{VALUES ('many', 1, 1, now(), repeat('é', 200000)), ('more', 1, 1, now(), repeat('é', 256000))}, $contact);
is(outcome($run), 'Successful 2 1', 'characters are counted, not bytes');

# ---------- who does not wait stops what runs ----------

foreach my $case ([ snow => $snow, 'COPY INTO' ], [ red => $red, 'COPY .*orders' ])
{
	my ($system, $destination, $match) = @$case;
	my $name = "stop$system";
	sql("TRUNCATE public.orders; INSERT INTO public.orders $four");
	my $definition = $json->encode({ flowName => $name, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.orders' } } },
		destinationFlowConfigList => [$destination], tasks => [ map { { taskType => 'Map', sourceFields => [$_], connectorOperator => { CustomConnector => 'NO_OP' }, taskProperties => {}, destinationField => $_ } } qw(id amount count) ] });
	sql("SELECT appflow.create_flow(\$d\$$definition\$d\$)");
	post($system, '_fault', { kind => 'stuck', match => $match });
	sql("SELECT appflow.start_flow('{\"flowName\": \"$name\"}')");
	$flows->{node}->poll_query_until('postgres', "SELECT count(*) > 0 FROM appflow.flow_progress WHERE flow_name = '$name' AND phase = 'Finishing'") or diag('it did not come so far');
	sleep 1;
	sql("SELECT appflow.cancel_flow_executions('{\"flowName\": \"$name\"}')");
	$flows->{node}->poll_query_until('postgres', "SELECT execution_status = 'Canceled' FROM appflow.flow_executions WHERE flow_name = '$name'");
	is(scalar(grep { /^COPY/ } @{ get($system, '_stopped') }), 1, "$system: a run that is cancelled stops its load");
	like(sql("SELECT execution_message FROM appflow.flow_executions WHERE flow_name = '$name'"), qr/^The run was cancelled\. \(Whether the destination has 4 more records is not known/, '... and says what is known');
	is(staged(), 0, '... and leaves nothing');
}

# ---------- objects that cannot be deleted ----------

get('snow', '_lock');
$before = @{ get('snow', '_rows') };
$run = push_rows($snow, $four);
is(outcome($run) . ' ' . (@{ get('snow', '_rows') } - $before), 'Successful 4 0 4', 'a load whose objects cannot be deleted has succeeded') or diag($run->{message});
is(staged(), 1, 'they stay');
like(slurp_file($flows->{node}->logfile), qr/deleting staged objects in bucket "staging"/, 'as the log says');
system('chmod', '-R', 'u+w', "$flows->{root}/staging");

# ---------- whose error it is ----------

my $bare = $flows->{node}->logfile;
unlike(slurp_file($bare) =~ s/^.*create_connector_profile.*$//mgr, qr/planted/, 'no secret is in the log');
done_testing();
