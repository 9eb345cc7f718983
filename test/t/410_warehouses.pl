# Snowflake and Redshift as destinations: staging, loading, what was not loaded, what is left.
use strict;
use warnings;

use AppflowTest::Flows ();
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref;
my ($key, $secret, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'us-east-1');
my $flows = AppflowTest::Flows->new('warehouses');
mkdir "$flows->{root}/$_" foreach qw(staging other);
our ($snow_output, $red_output);
my $snow = open($snow_output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/warehouse/snowflake.js", $flows->{root}) or die "node: $!";
my ($snow_port) = (readline($snow_output) // '') =~ /^ready (\d+)/ or die 'Snowflake did not start';
my $red = open($red_output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/warehouse/redshift.js", $flows->{root}, $key, $secret, $region) or die "node: $!";
my ($red_port, $database_port) = (readline($red_output) // '') =~ /^ready (\d+) (\d+)/ or die 'Redshift did not start';
END { my $status = $?; kill 'KILL', grep { $_ } $snow, $red; $? = $status; }
my $http = HTTP::Tiny->new;
sub snow { return decode_json($http->get("http://127.0.0.1:$snow_port/$_[0]")->{content}); }
sub red { return decode_json($http->get("http://127.0.0.1:$red_port/$_[0]")->{content}); }

my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
append_to_file($file, "[default]\nregion = $region\naws_access_key_id = $key\naws_secret_access_key = $secret\n");
my $master = "$flows->{root}/../appflow.key";
$flows->sql("SELECT appflow.create_master_key_file('$master')");
$flows->{node}->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nappflow.redshift_data_endpoint = 'http://127.0.0.1:$red_port'\n"
	. "appflow.max_retry_delay = '50ms'\nappflow.master_key = 'file:$master'\ntimezone = 'UTC'\n");
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file, AWS_CONFIG_FILE => $file, AWS_ENDPOINT_URL_STS => "http://127.0.0.1:$red_port");
	$flows->{node}->restart;
}
sub sql { return $flows->sql($_[0]) }
sql('CREATE TABLE public.orders (id text, amount numeric, count bigint, at timestamptz, note text, extra jsonb)');

sub profile
{
	my ($name, $type, $properties, $credentials) = @_;
	my $text = $json->encode({ connectorProfileProperties => { $type => $properties }, connectorProfileCredentials => { $type => $credentials } });
	sql("SELECT appflow.create_connector_profile('$name', '$type', 'Public', connector_profile_config => \$t\$$text\$t\$)");
}
my %snow = (warehouse => 'wh', stage => 'lake.public.appflow', bucketName => 'staging', bucketPrefix => 'snow', accountName => "http://127.0.0.1:$snow_port", region => 'us-west-2');
my $number = 0;
sub task
{
	my ($from, $to) = @_;
	return { taskType => 'Map', sourceFields => [$from], connectorOperator => { CustomConnector => 'NO_OP' }, taskProperties => {}, destinationField => $to };
}
sub push_rows
{
	my ($type, $profile, $rows, %more) = @_;
	sql("TRUNCATE public.orders; INSERT INTO public.orders (id, amount, count, at, note) $rows");
	return $flows->move(definition => { flowName => 'load' . ++$number, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.orders' } } },
		destinationFlowConfigList => [ { connectorType => $type, connectorProfileName => $profile,
			destinationConnectorProperties => { $type => { object => $more{object} // 'orders', intermediateBucketName => $more{bucket} // 'staging', bucketPrefix => $more{prefix} // 'snow/in',
				errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => $more{stop} ? JSON::PP::true : JSON::PP::false } } } } ],
		tasks => [ map { task($_, $more{as}{$_} // $_) } @{ $more{fields} // [qw(id amount count at note)] } ] });
}
my $many = q{SELECT 'k' || i, i / 4.0, i, '2026-05-06 07:08:09.5Z'::timestamptz + i * interval '1 s', CASE WHEN i % 2 = 0 THEN E'a "b" \\\\ é' END FROM generate_series(1, 3000) i};
sub staged { return join ' ', keys %{ $flows->objects('staging', '') }; }

# ---------- Snowflake ----------

# the account's name is a host's: another is given as a URL only here
profile('snow', 'Snowflake', \%snow, { username => 'loader', password => 'planted-password' });
profile('snow-wrong', 'Snowflake', \%snow, { username => 'loader', password => 'wrong' });
is(sql(q{SELECT array_agg(entity) FROM appflow.connector_entities('snow')}), '{"\"PUBLIC\".\"ORDERS\"","\"PUBLIC\".\"we\"\"ird\""}', 'tables');
is(sql(q{SELECT string_agg(field || ' ' || field_type, ', ') FROM appflow.connector_entity_fields('snow', 'orders')}), 'ID String, AMOUNT BigDecimal, COUNT Long, AT DateTime, NOTE String, Mixed "name Boolean', 'columns');
snow('_statements');
snow('_slow?n=3');
my $run = push_rows('Snowflake', 'snow', $many);
is("$run->{status} $run->{processed} $run->{failed}", 'Successful 3000 0', 'loaded') or diag($run->{refused} // $run->{message});
is(scalar(@{ snow('_rows') }), 3000, 'all rows');
is_deeply(snow('_rows')->[1], { ID => 'k2', AMOUNT => 0.5, COUNT => 2, AT => '2026-05-06T07:08:11.5Z', NOTE => "a \"b\" \\ \x{e9}", 'Mixed "name' => undef }, 'as they were');
is(staged(), '', 'nothing is left in the bucket');
like((grep { /^COPY/ } @{ snow('_statements') })[0], qr{FILES = \('in/load1/[0-9a-f-]{36}/1\.json'\).*ON_ERROR = CONTINUE$}, 'by names under the stage');
$run = push_rows('Snowflake', 'snow', q{VALUES ('a', 1, 1, now(), 'short'), (NULL, 2, 2, now(), 'x'), ('c', 3, 3, now(), repeat('y', 21)), ('d', 4, 4, now(), 'x')});
is("$run->{status} $run->{processed} $run->{failed} " . scalar(@{ snow('_rows') }), 'Successful 4 2 3002', 'what is not loaded is told');
is_deeply([ map { my $e = decode_json($_); [ $e->{record}{COUNT}, $e->{errorCode}, $e->{errorMessage} =~ /(NULL|length)/, $e->{source} =~ /^(line \d)/ ] } split /\n/, $run->{errors} // '' ],
	[ [ 2, '100038', 'NULL', 'line 2' ], [ 3, '100038', 'length', 'line 3' ] ], 'record by record');
$run = push_rows('Snowflake', 'snow', q{VALUES ('a', 1, 1, now(), 'short'), (NULL, 2, 2, now(), 'x')}, stop => 1);
is("$run->{status} " . scalar(@{ snow('_rows') }) . staged(), 'Error 3002', 'failOnFirstDestinationError: nothing is loaded, nothing left');
like($run->{message}, qr/Snowflake refused to load table "orders": NULL result in a non-nullable column/, "in Snowflake's words");
snow('_expire');
$run = push_rows('Snowflake', 'snow', q{VALUES ('z', 1, 1, now(), 'x')});
is("$run->{status} $run->{processed}", 'Successful 1', 'a session that has ended is renewed') or diag($run->{message});
$run = push_rows('Snowflake', 'snow', q{VALUES ('y', 1, 1, now(), 'x')}, as => { id => 'Id', amount => 'Amount', note => 'Mixed "name' }, fields => [qw(id amount)]);
is("$run->{status} " . snow('_rows')->[-1]{AMOUNT}, 'Successful 1', 'names in any letter case');
like(push_rows('Snowflake', 'snow-wrong', q{VALUES ('a', 1, 1, now(), 'x')})->{message}, qr/connector profile "snow-wrong" got no token from .*: 390100/, 'a wrong password');
like(push_rows('Snowflake', 'snow', q{VALUES ('a', 1, 1, now(), 'x')}, object => 'nothing')->{message}, qr/Snowflake has no table "nothing"/, 'a table that is not there');
like(push_rows('Snowflake', 'snow', q{VALUES ('a', 1, 1, now(), 'x')}, as => { note => 'remark' })->{message}, qr/table "orders" of Snowflake has no column "remark"/, 'a column that is not there');
like(push_rows('Snowflake', 'snow', q{VALUES ('a', 1, 1, now(), 'x')}, bucket => 'other')->{message}, qr{is over s3://staging/snow/, not over intermediateBucketName "other"}, 'another bucket than the stage has');
like(push_rows('Snowflake', 'snow', q{VALUES ('a', 1, 1, now(), 'x')}, prefix => 'elsewhere')->{message}, qr{begins at s3://staging/snow/, and the flow's bucketPrefix is not under it}, 'a folder that the stage does not see');
$run = push_rows('Snowflake', 'snow', q{SELECT 'a', 1, 1, now(), 'x' WHERE false});
is("$run->{status} $run->{processed} " . staged(), 'Successful 0 ', 'no records: nothing is loaded');

# ---------- Redshift ----------

my %red = (bucketName => 'staging', roleArn => 'arn:aws:iam::123456789012:role/load');
profile('red', 'Redshift', { %red, databaseUrl => "jdbc:redshift://127.0.0.1:$database_port/dev?ssl=false" }, { username => 'loader', password => 'planted-password' });
profile('red-wrong', 'Redshift', { %red, databaseUrl => "jdbc:redshift://127.0.0.1:$database_port/dev?ssl=false" }, { username => 'loader', password => 'wrong' });
sql(q{SELECT appflow.create_connector_profile('red-data', 'Redshift', 'Public', connector_profile_config => '{"connectorProfileProperties": {"Redshift": {"bucketName": "staging",
	"roleArn": "arn:aws:iam::123456789012:role/load", "dataApiRoleArn": "arn:aws:iam::123456789012:role/data", "isRedshiftServerless": true, "workgroupName": "wg", "databaseName": "dev"}}}')});
my $have = 0;
foreach my $profile ('red', 'red-data')
{
	is(sql("SELECT array_agg(entity) FROM appflow.connector_entities('$profile')"), '{"\"public\".\"orders\""}', "$profile: tables");
	is(sql("SELECT string_agg(field || ' ' || field_type, ', ') FROM appflow.connector_entity_fields('$profile', 'orders')"), 'id String, amount BigDecimal, count Long, at DateTime, note String, extra Struct', "$profile: columns");
	$run = push_rows('Redshift', $profile, $many, prefix => 'red');
	$have += 3000;
	is("$run->{status} $run->{processed} $run->{failed} " . scalar(@{ red('_rows') }), "Successful 3000 0 $have", "$profile: loaded") or diag($run->{refused} // $run->{message});
	is_deeply(red('_rows')->[-1], { id => 'k3000', amount => 750, count => 3000, at => '2026-05-06T07:58:09.5Z', note => "a \"b\" \\ \x{e9}", extra => undef }, "$profile: as they were");
	is(staged(), '', "$profile: nothing is left in the bucket, no manifest");
	$run = push_rows('Redshift', $profile, q{VALUES ('a', 1, 1, now(), 'short'), (NULL, 2, 2, now(), 'x'), ('much too long', 3, 3, now(), 'y'), ('d', 4, 4, now(), 'x')}, prefix => 'red');
	$have += 2;
	is("$run->{status} $run->{processed} $run->{failed} " . scalar(@{ red('_rows') }), "Successful 4 2 $have", "$profile: what is not loaded is told") or diag($run->{message});
	is_deeply([ map { my $e = decode_json($_); [ $e->{record}{count}, $e->{errorCode}, $e->{errorMessage} =~ /(NULL|length)/ ] } split /\n/, $run->{errors} // '' ],
		[ [ 2, '1204', 'NULL' ], [ 3, '1204', 'length' ] ], "$profile: record by record");
	$run = push_rows('Redshift', $profile, q{VALUES ('a', 1, 1, now(), 'short'), (NULL, 2, 2, now(), 'x')}, prefix => 'red', stop => 1);
	is("$run->{status} " . scalar(@{ red('_rows') }) . staged(), "Error $have", "$profile: failOnFirstDestinationError");
	like($run->{message}, qr/Redshift refused to load table "orders": .*sys_load_error_detail/, "$profile: in its words");
	like(push_rows('Redshift', $profile, q{VALUES ('a', 1, 1, now(), 'x')}, object => 'public.nothing')->{message}, qr/Redshift has no table "public.nothing"/, "$profile: a table that is not there");
}
$run = push_rows('Redshift', 'red-wrong', q{VALUES ('a', 1, 1, now(), 'x')});
like($run->{message}, qr/could not connect to Redshift by connector profile "red-wrong": .*password authentication failed/, 'a wrong password');
is(sql("SELECT error_code FROM appflow.flow_executions WHERE flow_name = '$run->{name}'"), 'WF401', 'is an authentication exception');
$flows->{node}->append_conf('postgresql.conf', 'appflow.allow_local_endpoints = off');
$flows->{node}->reload;
like(push_rows('Redshift', 'red', q{VALUES ('a', 1, 1, now(), 'x')})->{message}, qr{request to "redshift://127\.0\.0\.1:\d+" is not allowed: its address is this machine's own}, 'the policy for endpoints holds');

done_testing();
