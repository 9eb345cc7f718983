# What runs write to S3 is registered with the AWS Glue Data Catalog: tables, partitions,
# types, what it says when that fails; read back by AWS's own client, and the files that the
# catalogue leads to by DuckDB.
use strict;
use warnings;

use AppflowTest::Flows qw(mapping map_all partition);
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $json = JSON::PP->new->canonical->utf8->allow_nonref;
my ($key, $secret, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'eu-central-1');
our $output;
my $server = open($output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/glue/server.js", $key, $secret, $region) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }
my $http = HTTP::Tiny->new;
sub post { $http->post("http://127.0.0.1:$port/$_[0]", { content => $json->encode($_[1]) }); return; }
sub seen { return @{ $json->decode($http->get("http://127.0.0.1:$port/_log")->{content}) }; }
sub actions { return join ' ', map { $_->{action} } seen(); }

my $flows = AppflowTest::Flows->new('glue');
my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
append_to_file($file, "[default]\nregion = $region\naws_access_key_id = $key\naws_secret_access_key = $secret\n");
append_to_file("$file.key", 'test:' . '0123456789abcdef' x 4 . "\n");
chmod 0600, "$file.key";
$flows->{node}->append_conf('postgresql.conf', "appflow.master_key = 'file:$file.key'\nappflow.allow_local_endpoints = on\nappflow.glue_endpoint = 'http://127.0.0.1:$port'\n"
	. "appflow.region = '$region'\nappflow.max_retry_delay = '50ms'\nappflow.max_retries = 1\nappflow.idle_timeout = '20s'\ntimezone = 'UTC'\n");
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file, AWS_CONFIG_FILE => $file,
		AWS_ENDPOINT_URL_STS => "http://127.0.0.1:$port");
	$flows->{node}->restart;
}
sub sql { return $flows->sql($_[0]) }

sub catalogue
{
	my $text = `node --no-warnings '$ENV{APPFLOW_TEST_DIR}/simulators/glue/catalog.mjs' $port $region '$flows->{root}' lake 2>&1`;
	die "catalog.mjs failed: $text" if $? != 0;
	return $json->decode($text);
}
my $glue = { databaseName => 'lake', roleArn => 'arn:aws:iam::123456789012:role/catalog', tablePrefix => 'Acme' };
sub call
{
	my ($function, $request) = @_;
	return $json->decode(sql("SELECT appflow.$function(\$j\$" . $json->encode($request) . "\$j\$)"));
}
# the details of the last run, as DescribeFlowExecutionRecords has them
sub details
{
	my ($name) = @_;
	my $details = call('describe_flow_execution_records', { flowName => $name })->{flowExecutions}[0]{metadataCatalogDetails};
	is_deeply(call('describe_flow', { flowName => $name })->{lastRunMetadataCatalogDetails}, $details, "$name: the flow tells the same");
	is($json->encode($json->decode(sql("SELECT coalesce(metadata_catalog_details, 'null') FROM appflow.flow_executions WHERE flow_name = '$name' ORDER BY requested_at DESC LIMIT 1"))),
		$json->encode($details), "$name: and the view");
	return $details;
}
sub statuses
{
	my ($name) = @_;
	return join ', ', map { my $d = $_; ($d->{tableName} =~ s/\d{10}/EPOCH/r =~ s/[0-9a-f-]{36}/ID/r)
		. join '', map { $d->{$_} ? " $d->{$_}{status} $d->{$_}{result}" : '' } qw(tableRegistrationOutput partitionRegistrationOutput) } @{ details($name) };
}
# a flow that registers; %args of AppflowTest::Flows, flow => its name, catalog => others
sub definition
{
	my (%args) = @_;
	my $definition = $flows->definition(%args);
	$definition->{metadataCatalogConfig} = { glueDataCatalog => $args{catalog} || $glue };
	$definition->{flowName} = $args{flow} if $args{flow};
	return $definition;
}
sub again
{
	my ($name) = @_;
	my ($out, $err);
	$flows->{node}->psql('postgres', "CALL appflow.run_flow('$name')", stdout => \$out, stderr => \$err);
	return $err;
}
sub epoch { return sql("SELECT floor(extract(epoch FROM created_at))::int8 FROM appflow.flows WHERE flow_name = '$_[0]'"); }
# rows in the order of a column, of some columns
sub rows
{
	my ($table, $by, @columns) = @_;
	@columns = sort keys %{ $table->{rows}[0] } if !@columns;
	return join '; ', map { my $row = $_; join ',', map { $row->{$_} // 'null' } @columns } sort { $a->{$by} cmp $b->{$by} } @{ $table->{rows} };
}

# ---------- Parquet with types, a table as the source: a run with a transaction ----------

sql(q{CREATE TABLE public.orders ("Id" bigint, amount numeric(10,2), free numeric, small int, ratio float8, "real" float4, ok boolean, day date, at timestamptz, local timestamp,
	clock time, u uuid, bytes bytea, doc jsonb, region text);
	INSERT INTO public.orders VALUES (1, 12.5, 1.234567890123456789, 3, 0.5, 1.5, true, '2026-05-06', '2026-05-06 07:08:09.5Z', '2026-05-06 07:08:09', '07:08', '3c5e5a3e-1d5c-4b8e-9c0d-0a1b2c3d4e5f', '\x00ff', '{"a": 1}', 'north'),
	(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'a/b');
	CREATE ROLE glue_user; GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO glue_user});
my $typed = { flowName => 'daily-Orders.v2', triggerConfig => { triggerType => 'OnDemand' }, metadataCatalogConfig => { glueDataCatalog => $glue },
	sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.orders' } } },
	destinationFlowConfigList => [ { connectorType => 'S3', destinationConnectorProperties => { S3 => { bucketName => 'target', bucketPrefix => 'lake', s3OutputFormatConfig => { fileType => 'PARQUET',
		prefixConfig => { prefixType => 'PATH', prefixFormat => 'DAY', pathPrefixHierarchy => [ 'SCHEMA_VERSION', 'EXECUTION_ID' ] } } } } } ],
	tasks => [ { taskType => 'Map_all', sourceFields => [], connectorOperator => { CustomConnector => 'NO_OP' }, taskProperties => {} }, partition('region') ] };
my $run = $flows->move(definition => $typed);
is($run->{status}, 'Successful', 'a run that registers') or diag explain $run;
is(statuses('daily-Orders.v2'), 'acme_appflow_daily_orders_v2_1 Successful 1 Successful 2, acme_appflow_daily_orders_v2_1_ID Successful 1 Successful 2, acme_appflow_daily_orders_v2_EPOCH_latest Successful 1 Successful 2',
	'three tables with two partitions each');
is((seen())[0]{action}, 'AssumeRole', 'by the role');
my $all = catalogue();
my $epoch = epoch('daily-Orders.v2');
my ($version, $one, $latest) = @$all{ 'acme_appflow_daily_orders_v2_1', "acme_appflow_daily_orders_v2_1_$run->{id}", "acme_appflow_daily_orders_v2_${epoch}_latest" };
ok($version && $one && $latest, 'their names: lower case, what names cannot have replaced; the latest by the time when the flow was made') or diag join ' ', keys %$all;
is_deeply($version->{columns}, { id => 'bigint', amount => 'decimal(10,2)', free => 'string', small => 'int', ratio => 'double', real => 'float', ok => 'boolean', day => 'date', at => 'timestamp',
	local => 'timestamp', clock => 'string', u => 'string', bytes => 'binary', doc => 'string' }, 'types as the files have them; the partition key is no column');
is_deeply($version->{keys}, [qw(year month partition_day execution_id region)], 'keys of the path, then of the task; one that is a column is called otherwise');
is_deeply([ map { $_->{keys} } $one, $latest ], [ ['region'], ['region'] ], 'of one run: the task');
my ($y, $m, $d) = $run->{started} =~ /^(\d+)-(\d+)-(\d+)/;
is($version->{location}, 's3://target/lake/daily-Orders.v2/schemaVersion_1/', 'the place of all runs');
is_deeply([ map { $_->{location} } $one, $latest ], [ ("s3://target/lake/daily-Orders.v2/schemaVersion_1/$y/$m/$d/$run->{id}/") x 2 ], 'and of one');
is_deeply([ sort map { join '|', @{ $_->{values} } } @{ $version->{partitions} } ], [ "$y|$m|$d|$run->{id}|a/b", "$y|$m|$d|$run->{id}|north" ], 'values as they were, though the path has them encoded');
is_deeply([ sort map { $_->{location} } @{ $one->{partitions} } ], [ map { "$one->{location}region=$_/" } 'a%2Fb', 'north' ], 'which it does');
is_deeply($version->{parameters}, { classification => 'parquet', EXTERNAL => 'TRUE', AppFlowFlow => 'daily-Orders.v2' }, 'parameters');
is($version->{type}, 'EXTERNAL_TABLE', 'and kind of table');
my $columns = 'amount,at,bytes,clock,day,doc,free,id,local,ok,ratio,real,small,u,region';
my $expected = '12.50,2026-05-06 07:08:09.5+00,\x00\xFF,07:08:00,2026-05-06,{"a": 1},1.234567890123456789,1,2026-05-06 07:08:09,true,0.5,1.5,3,3c5e5a3e-1d5c-4b8e-9c0d-0a1b2c3d4e5f,north; ' .
	'null,null,null,null,null,null,null,2,null,null,null,null,null,null,a/b';
is(rows($_, 'id', split /,/, $columns), $expected, 'the records, from where the catalogue leads') foreach $version, $one, $latest;

# a second run, of other partitions, and a column more
sql(q{TRUNCATE public.orders; ALTER TABLE public.orders ADD extra text, DROP COLUMN ratio; INSERT INTO public.orders ("Id", region, extra) VALUES (3, 'south', 'x')});
is(again('daily-Orders.v2'), '', 'a second run');
$all = catalogue();
($version, $latest) = @$all{ 'acme_appflow_daily_orders_v2_1', "acme_appflow_daily_orders_v2_${epoch}_latest" };
is(rows($version, 'id', 'id', 'region'), '1,north; 2,a/b; 3,south', 'the table of the version has both runs');
ok($version->{columns}{extra} && $version->{columns}{ratio}, 'and the columns of both');
is(rows($latest, 'id', 'id', 'region', 'extra'), '3,south,x', 'the latest has the last');
ok(!exists $latest->{columns}{ratio}, 'and its columns');
is(scalar(@{ $latest->{partitions} }), 1, 'partitions of the run before are gone');
is(scalar(grep { /_1_[0-9a-f-]{36}$/ } keys %$all), 2, 'a table for each run');
is($version->{versions} + $latest->{versions}, 0, 'no version of a table is kept for each run');

# what others say of a table stays
post('_change', { DatabaseName => 'lake', Name => 'acme_appflow_daily_orders_v2_1', set => { Description => 'ours', Owner => 'me', Parameters => { %{ $version->{parameters} }, 'skew' => '1' } } });
post('_busy', { count => 2 });
sql(q{ALTER TABLE public.orders ADD more int});
seen();
is(again('daily-Orders.v2'), '', 'a third run, while others change the table');
like(actions(), qr/GetTable UpdateTable GetTable UpdateTable GetTable UpdateTable/, 'read anew and tried again');
$version = catalogue()->{'acme_appflow_daily_orders_v2_1'};
is_deeply([ $version->{description}, $version->{parameters}{skew}, $version->{columns}{more} ], [ 'ours', '1', 'int' ], 'what others have said of it stays');

# another schema version: other partitions, other tables
$typed->{tasks} = [ $typed->{tasks}[0] ];
call('update_flow', { map { $_ => $typed->{$_} } qw(flowName triggerConfig sourceFlowConfig destinationFlowConfigList tasks metadataCatalogConfig) });
is(again('daily-Orders.v2'), '', 'without partitions by field');
$all = catalogue();
is_deeply($all->{acme_appflow_daily_orders_v2_2}{keys}, [qw(year month partition_day execution_id)], 'a table of schema version 2');
is_deeply([ $all->{"acme_appflow_daily_orders_v2_${epoch}_latest"}{keys}, $all->{"acme_appflow_daily_orders_v2_${epoch}_latest"}{partitions} ], [ [], [] ], 'the latest has other keys');
is(rows($all->{"acme_appflow_daily_orders_v2_${epoch}_latest"}, 'id', 'id', 'region'), '3,south', 'and what the run wrote');

# ---------- text ----------

$run = $flows->move(definition => definition(flow => 'lines5', from => 'JSON', to => 'JSON', tasks => [ map_all() ],
	input => qq({"Id": 7, "Name": "\x{c3}\x{84}nn \\"A\\" \\\\ b", "price": 12.50, "in": {"a": [1]}, "none": null}\n)));
is($run->{status}, 'Successful', 'JSON') or diag explain $run;
is(statuses('lines5'), 'acme_appflow_lines5_1 Successful 1 Successful 1, acme_appflow_lines5_EPOCH_latest Successful 1', 'tables of runs only if the path is to name runs');
$all = catalogue();
is_deeply($all->{acme_appflow_lines5_1}{keys}, ['execution_id'], 'though it does');
is_deeply($all->{acme_appflow_lines5_1}{columns}, { map { $_ => 'string' } qw(id name price in none) }, 'no types are known of them');
is($json->encode($all->{acme_appflow_lines5_1}{rows}[0]), $json->encode({ id => '7', name => "\x{c4}nn \"A\" \\ b", price => '12.5', in => '{"a":[1]}', none => undef, execution_id => $run->{id} }), 'the record');

$run = $flows->move(definition => definition(flow => 'typed6', from => 'JSON', to => 'JSON', tasks => [ mapping('a', 'a', 'long'), mapping('b', 'b', 'boolean'), mapping('c', 'c', 'decimal(12,3)'), mapping('d', 'd', 'datetime') ],
	input => qq({"a": "7", "b": true, "c": 1.5, "d": "2026-05-06T07:08:09Z"}\n)));
is_deeply(catalogue()->{acme_appflow_typed6_1}{columns}, { a => 'bigint', b => 'boolean', c => 'decimal(12,3)', d => 'string' }, 'types of tasks, but for what is text in JSON') or diag explain $run;

$run = $flows->move(definition => definition(flow => 'csv7', from => 'CSV', to => 'CSV', tasks => [ map_all(), partition('Kind', 'b') ], output => { prefixConfig => { pathPrefixHierarchy => ['SCHEMA_VERSION'] } },
	input => qq(Kind,a,b\nx,"1,""2""\\n",\nnull,\\,B\n)));
is($run->{status}, 'Successful', 'CSV') or diag explain $run;
is(statuses('csv7'), 'acme_appflow_csv7_1 Successful 1 Successful 2, acme_appflow_csv7_EPOCH_latest Successful 1 Successful 2', 'without folders of runs');
my $csv = catalogue()->{acme_appflow_csv7_1};
is_deeply([ $csv->{order}, $csv->{keys} ], [ [qw(kind a b)], [qw(partition_kind partition_b)] ], 'columns of CSV go by their places: keys have names of their own');
is(rows($csv, 'kind', qw(kind a b partition_kind partition_b)), 'null,\\,B,null,B; x,1,"2"\\n,null,x,null', 'the records: quotes, backslashes, empty cells');
is($csv->{parameters}{'skip.header.line.count'}, '1', 'without their headers');
$flows->put('in' . ($flows->{number}) . '/object', "Kind,a,b\nx,3,\nnew,4,\n");
is(again('csv7'), '', 'again, into the same folders');
is(statuses('csv7'), 'acme_appflow_csv7_1 Successful 0 Successful 1, acme_appflow_csv7_EPOCH_latest Successful 0 Successful 1', 'one partition is new, the tables are as they should be');
my $last = catalogue()->{ 'acme_appflow_csv7_' . epoch('csv7') . '_latest' };
is(rows($last, 'a', 'kind', 'a'), 'x,1,"2"\\n; x,3; new,4; null,\\', 'the latest is the folder, with what was there before');

$run = $flows->move(definition => definition(flow => 'years9', from => 'JSON', to => 'PARQUET', tasks => [ map_all(), partition('Year', 'execution_id') ],
	output => { prefixConfig => { prefixType => 'PATH', prefixFormat => 'YEAR' } }, input => qq({"Year": 1999, "execution_id": "e", "month": 1}\n)));
my $years = catalogue()->{acme_appflow_years9_1};
is_deeply([ $years->{order}, $years->{keys} ], [ ['month'], [qw(year execution_id partition_year partition_execution_id)] ], 'keys of the task that the path has, too');
is(rows($years, 'month', qw(partition_year partition_execution_id month)), '1999,e,1', 'with their values') or diag explain $years;

# ---------- many partitions, in batches; a run without records ----------

$run = $flows->move(definition => definition(flow => 'many8', from => 'JSON', to => 'PARQUET', tasks => [ mapping('k'), mapping('v'), partition('k') ],
	input => join '', map { qq({"k": "k$_", "v": $_}\n) } 1 .. 231));
is($run->{status}, 'Successful', '231 partitions');
like(actions(), qr/(BatchCreatePartition ){3}/, 'a hundred at a time');
is(statuses('many8'), 'acme_appflow_many8_1 Successful 1 Successful 231, acme_appflow_many8_EPOCH_latest Successful 1 Successful 231', 'all of them');
$flows->put('in' . ($flows->{number}) . '/object', qq({"k": "k1", "v": 1000}\n));
is(again('many8'), '', 'again');
$all = catalogue();
is(scalar(@{ $all->{acme_appflow_many8_1}{partitions} }), 232, 'one more of the version');
is(rows($all->{ 'acme_appflow_many8_' . epoch('many8') . '_latest' }, 'v', qw(k v)), 'k1,1000', 'the latest has but one');
$flows->put('in' . ($flows->{number}) . '/object', '');
seen();
is(again('many8'), '', 'a run without records');
is(actions(), '', 'registers nothing');
is(details('many8'), undef, 'and says nothing');
is(rows(catalogue()->{ 'acme_appflow_many8_' . epoch('many8') . '_latest' }, 'v', qw(k v)), 'k1,1000', 'the latest is of the last run that wrote');

# ---------- what goes wrong ----------

$flows->put('in' . ($flows->{number}) . '/object', qq({"k": "k2", "v": 1}\n));
my $number = 20;
sub failing
{
	my ($what, %args) = @_;
	my $flow = 'fails' . ++$number;
	post('_faults', $args{faults} || []);
	my $run = $flows->move(definition => definition(flow => $flow, from => 'JSON', to => 'JSON', tasks => [ mapping('a') ], input => qq({"a": 1}\n), %args));
	is($run->{status}, 'Successful', "$what: the run is a success") or diag explain $run;
	is($run->{processed}, 1, "$what: with its record");
	post('_faults', []);
	my $details = details($flow);
	return join '; ', map { my $d = $_; join ' ', map { $d->{$_} ? "$d->{$_}{status}: $d->{$_}{message}" : () } qw(tableRegistrationOutput partitionRegistrationOutput) } @$details;
}
my $created = 'Successful: The table was created.';
is(failing('no such database', catalog => { %$glue, databaseName => 'nowhere' }), join('; ', map { "Error: AWS Glue refused table \"$_\": Database nowhere not found." } 'acme_appflow_fails21_1', 'acme_appflow_fails21_' . epoch('fails21') . '_latest'), 'no such database');
my $denied = 'User: arn:aws:sts::123456789012:assumed-role/catalog/appflow is not authorized to perform: glue:CreateTable on resource: arn:aws:glue:eu-central-1:123456789012:catalog';
like(failing('no right', faults => [ { action => 'CreateTable', name => 'AccessDeniedException', message => $denied } ]),
	qr/^Error: AWS Glue refused table "acme_appflow_fails22_1": \Q$denied\E; $created$/, 'one table may be refused');
my $refused = 'Error: could not get credentials from STS: AccessDenied: User: arn:aws:iam::123456789012:user/db is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/other';
is(failing('another role', catalog => { %$glue, roleArn => 'arn:aws:iam::123456789012:role/other' }), "$refused; $refused", 'a role that the server cannot assume');
seen();
like(failing('a partition', faults => [ { action => 'partition', name => 'InternalServiceException', message => 'try later' } ]),
	qr/^$created Error: AWS Glue refused partition \([0-9a-f-]{36}\) of table "acme_appflow_fails24_1": try later; /, 'a partition');
like(failing('an answer that is none', faults => [ { action => 'CreateTable', text => '<html>' } ]), qr/^Error: the answer of AWS Glue about table "acme_appflow_fails25_1" is not a JSON object; Error: /, 'an answer that is none: the rest is not tried');
like(failing('cut off', faults => [ ({ action => 'GetTable', cut => 1 }) x 2 ]), qr/^Error: .*127\.0\.0\.1.*; Error: .*127\.0\.0\.1/, 'no answer');
like(failing('throttled once', faults => [ { action => 'GetTable', name => 'ThrottlingException', message => 'Rate exceeded' } ]), qr/^$created .*; $created/, 'throttled, it waits');
like(failing('an error inside', faults => [ { action => 'CreateTable', status => 500, name => 'InternalServiceException', message => 'x' } ]), qr/^$created /, 'an error that passes');
like(failing('secrets', faults => [ { action => 'CreateTable', name => 'InvalidInputException', message => "planted role-planted-token== role/planted+secret" } ]), qr/refused table "[^"]*": planted \*\*\* \*\*\*;/, 'credentials of the role are not shown');
like(failing('too busy', tasks => [ mapping('a') ]), qr/^$created /, 'before');
post('_busy', { count => 100 });
$flows->put("in$flows->{number}/object", qq({"a": 1, "b": 2}\n));
sql(q{UPDATE appflow.flow SET definition = jsonb_set(definition, '{tasks}', '[{"taskType": "Map_all", "sourceFields": []}]') WHERE flow_name = 'fails30'});
is(again('fails30'), '', 'changed by others all the time');
like(details('fails30')->[0]{tableRegistrationOutput}{message}, qr/is changed by others all the time: gave up after 6 tries/, 'it gives up');
post('_busy', { count => 0 });

like(failing('an answer of another kind', faults => [ { action => 'GetTable', text => '{"Table": [1, {"PartitionKeys": "x", "StorageDescriptor": 7}]}' } ]), qr/^$created .*; $created$/, 'an answer of another kind is no table');
$run = $flows->move(definition => definition(flow => 'same31', from => 'JSON', to => 'PARQUET', tasks => [ mapping('a', 'A'), mapping('a', 'a') ], input => qq({"a": 1}\n)));
like(details('same31')->[0]{tableRegistrationOutput}{message}, qr/^two fields are column "a" of the catalog/, 'names that differ in case only');
$run = $flows->move(definition => definition(flow => 'two-names', from => 'JSON', to => 'JSON', tasks => [ mapping('a') ], input => qq({"a": 1}\n)));
$run = $flows->move(definition => definition(flow => 'two.names', from => 'JSON', to => 'JSON', tasks => [ mapping('a') ], input => qq({"a": 1}\n)));
is(details('two.names')->[0]{tableRegistrationOutput}{message}, 'table "acme_appflow_two_names_1" is of another flow: two-names; give this one another tablePrefix', 'names that become the same');

# a table whose partitions have no end, and one with hostile members
post('_faults', [ { action => 'GetPartitions', text => '{"Partitions": [], "NextToken": "x"}' }, { action => 'GetPartitions', text => '{"Partitions": [null, {"Values": {}, "StorageDescriptor": []}], "NextToken": "x"}' } ]);
is(again('many8'), '', 'pages without end');
is(details('many8')->[-1]{tableRegistrationOutput}{message}, 'AWS Glue gives the same page of the partitions of table "acme_appflow_many8_' . epoch('many8') . '_latest" again and again', 'are noticed');

# ---------- a cancel: of the registration, as the run is done ----------

post('_faults', [ { action => 'CreateTable', stall => 1 } ]);
my $slow = definition(flow => 'slow40', from => 'JSON', to => 'JSON', tasks => [ mapping('a') ], input => qq({"a": 1}\n));
call('create_flow', $slow);
call('start_flow', { flowName => 'slow40' });
ok($flows->{node}->poll_query_until('postgres', q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE flow_name = 'slow40' AND phase = 'Registering'}), 'a service that does not answer');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'appflow%' AND xact_start IS NOT NULL}), '0', 'no transaction is open meanwhile');
is(scalar(keys %{ $flows->objects('target', "out$flows->{number}/slow40") }), 1, 'the objects are there already');
call('cancel_flow_executions', { flowName => 'slow40' });
ok($flows->{node}->poll_query_until('postgres', q{SELECT execution_status = 'Successful' FROM appflow.flow_executions WHERE flow_name = 'slow40'}), 'cancelled: the run is the success that it was');
is(statuses('slow40'), 'acme_appflow_slow40_1 Canceled 0, acme_appflow_slow40_EPOCH_latest Canceled 0', 'the registration is what was cancelled');
is(details('slow40')->[0]{tableRegistrationOutput}{message}, 'The registration was cancelled. The objects of the run are there.', 'and says so');

# the same of a table's rows, whose transaction is over by then
post('_faults', [ { action => 'CreateTable', stall => 1 } ]);
call('create_flow', { %$typed, flowName => 'slow41' });
call('start_flow', { flowName => 'slow41' });
ok($flows->{node}->poll_query_until('postgres', q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE flow_name = 'slow41' AND phase = 'Registering'}), 'from a table');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'appflow%' AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)}), '0', 'no transaction is open either');
sql(q{SELECT pg_terminate_backend(pid) FROM appflow.flow_progress WHERE flow_name = 'slow41'});
ok($flows->{node}->poll_query_until('postgres', q{SELECT execution_status = 'Successful' FROM appflow.flow_executions WHERE flow_name = 'slow41'}), 'its worker is told to go: it records what it did');
like(statuses('slow41'), qr/^acme_appflow_slow41_1 Canceled 0, /, 'without the registration');

# ---------- what is refused at once ----------

sub refusal
{
	my ($definition, $role) = @_;
	my (undef, undef, $err) = $flows->{node}->psql('postgres', "\\set VERBOSITY verbose\n" . ($role ? "SET ROLE $role;\n" : '') . 'SELECT appflow.create_flow($j$' . $json->encode($definition) . '$j$)');
	return $err =~ /ERROR:\s+(.*)/ ? $1 : "none: $err";
}
my $table = definition(table => 'a int', input => '{"a": 1}', tasks => [ mapping('a') ]);
like(refusal($table), qr/^WF400: .*metadataCatalogConfig goes with the destination S3, not with CustomConnector/, 'only S3');
sql(q{SELECT appflow.create_connector_profile('vault', 'Veeva', 'Public', '{"connectorProfileProperties": {"Veeva": {"instanceUrl": "https://vault.example.com"}}, "connectorProfileCredentials": {"Veeva": {"username": "u", "password": "p"}}}')});
my $files = { %{ definition(input => '', tasks => [ mapping('id') ]) }, sourceFlowConfig => { connectorType => 'Veeva', connectorProfileName => 'vault', sourceConnectorProperties => { Veeva => { object => 'documents', includeSourceFiles => JSON::PP::true } } } };
$_->{connectorOperator} = { Veeva => 'NO_OP' } foreach @{ $files->{tasks} };
like(refusal($files), qr/^WF400: .*metadataCatalogConfig goes with records, not with files of Veeva/, 'nor where files lie among the records');
like(refusal(definition(flow => 'x' x 100, input => '', tasks => [ mapping('a') ], catalog => { %$glue, tablePrefix => 'p' x 128 })), qr/^WF400: .*names of tables would be longer than 255 characters/, 'names that would be too long');
sql(q{SELECT appflow.grant_object_store('local', 'glue_user')});
like(refusal($typed = { %$typed, flowName => 'of-another' }, 'glue_user'), qr/^WF403: role "glue_user" may not use the AWS identity of this server/, 'the server\'s identity is not for everybody');
is(sql(q{SET ROLE glue_user; SELECT count(*) FROM appflow.flow_executions}), '0', 'nor are the details');
sql(q{GRANT EXECUTE ON FUNCTION appflow.aws_identity() TO glue_user; CREATE ROLE other_user});
my $granted = definition(flow => 'granted50', from => 'JSON', to => 'JSON', tasks => [ mapping('a') ], input => qq({"a": 1}\n));
like(refusal($granted, 'glue_user'), qr/^none/, 'but for whom it is granted');
sql(q{REVOKE EXECUTE ON FUNCTION appflow.aws_identity() FROM glue_user});
is(again('granted50'), '', 'if the right goes');
is(details('granted50')->[0]{tableRegistrationOutput}{message}, 'role "glue_user" may not use the AWS identity of this server', 'the registration goes with it');

my $log = slurp_file($flows->{node}->logfile);
unlike($log, qr/planted|TRAP|PANIC|signal 11/, 'no secret in the log, no crash');
done_testing();
