# Amazon Lookout for Metrics: records where a detector finds them, against what answers its protocol.
use strict;
use warnings;

use AppflowTest::Flows ();
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref;
my ($key, $secret, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'us-east-1');
my $flows = AppflowTest::Flows->new('lookoutmetrics');
mkdir "$flows->{root}/metrics";
our $output;
my $server = open($output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/lookoutmetrics/server.js", $key, $secret, '', $region, $flows->{root}) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }
my $http = HTTP::Tiny->new;
sub get { return decode_json($http->get("http://127.0.0.1:$port/$_[0]")->{content}); }
sub post { return decode_json($http->post("http://127.0.0.1:$port/$_[0]", { content => $json->encode($_[1]) })->{content}); }

is(scalar(`node '$ENV{APPFLOW_TEST_DIR}/simulators/lookoutmetrics/client.mjs' $port $key '$secret' $region 2>&1`), "done\n", "Amazon's own client understands the simulator");
get('_log');

my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
append_to_file($file, "[default]\naws_access_key_id = $key\naws_secret_access_key = $secret\n");
$flows->{node}->append_conf('postgresql.conf', "shared_preload_libraries = 'appflow'\nmax_worker_processes = 16\nappflow.allow_local_endpoints = on\n"
	. "appflow.lookoutmetrics_endpoint = 'http://127.0.0.1:$port'\nappflow.max_retry_delay = '50ms'\ntimezone = 'UTC'\n");
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file);
	$flows->{node}->restart;
}
sub sql { return $flows->sql($_[0]) }
sub refused { my (undef, undef, $stderr) = $flows->{node}->psql('postgres', $_[0]); return $stderr; }
sql('CREATE TABLE public.sales (at timestamptz, wall timestamp, day date, text text, region text, revenue numeric, units int, words text, paid boolean)');

my @all = qw(at region revenue units);
sub definition
{
	my ($name, %more) = @_;
	return { flowName => $name, triggerConfig => { triggerType => $more{trigger} // 'Scheduled', ($more{trigger} // 'Scheduled') eq 'Scheduled' ? (triggerProperties => { Scheduled => {
			scheduleExpression => $more{schedule} // 'rate(5minutes)', dataPullMode => 'Complete' } }) : () },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.sales' } } },
		destinationFlowConfigList => [ { connectorType => 'LookoutMetrics', destinationConnectorProperties => { LookoutMetrics => {} } } ],
		tasks => [ map { { taskType => 'Map', sourceFields => [$_], connectorOperator => { CustomConnector => 'NO_OP' }, taskProperties => {}, destinationField => $_ } } @{ $more{fields} // \@all } ] };
}
sub create { return refused('SELECT appflow.create_flow($d$' . $json->encode(definition(@_)) . '$d$)'); }

# create the flow and have it run once
sub run
{
	my ($name, %more) = @_;
	if (defined $more{rows}) { sql('TRUNCATE public.sales; INSERT INTO public.sales (' . join(', ', @{ $more{fields} // \@all }) . ") $more{rows}"); }
	my $error = create($name, %more);
	return { status => 'refused', message => $error } if $error;
	sql(qq{SELECT appflow.start_flow('{"flowName": "$name"}')});
	$flows->{node}->poll_query_until('postgres', "SELECT count(*) > 0 AND bool_and(execution_status <> 'InProgress') FROM appflow.flow_executions WHERE flow_name = '$name'");
	sql(qq{SELECT appflow.stop_flow('{"flowName": "$name"}')});
	return $json->decode(sql("SELECT jsonb_build_object('status', execution_status, 'message', execution_message, 'processed', records_processed, 'failed', put_failures_count) FROM appflow.flow_executions WHERE flow_name = '$name'"));
}
sub told { my ($run) = @_; return "$run->{status}: " . ($run->{message} // ''); }
sub outcome { my ($run) = @_; return join ' ', $run->{status}, $run->{processed} // '', $run->{failed} // ''; }

# a metric set that names a flow, and its detector
my %base = (MetricList => [ { MetricName => 'revenue', AggregationFunction => 'SUM' }, { MetricName => 'units', AggregationFunction => 'AVG' } ], DimensionList => ['region'],
	TimestampColumn => { ColumnName => 'at', ColumnFormat => 'yyyy-MM-dd HH:mm:ss' }, Timezone => 'UTC');
sub make
{
	my ($flow, %more) = @_;
	my $frequency = delete $more{frequency} // 'PT5M';
	my $s3 = delete $more{s3};
	my $answer = post('_make', { detector => "watch-$flow", frequency => $frequency, set => { %base, MetricSetName => $s3 ? $flow : "set-of-$flow", MetricSetFrequency => $frequency,
		MetricSource => $s3 ? { S3SourceConfig => { RoleArn => 'arn:aws:iam::123456789012:role/r', %$s3 } } : { AppFlowConfig => { FlowName => $flow, RoleArn => 'arn:aws:iam::123456789012:role/r' } }, %more } });
	die $json->encode($answer) if !$answer->{MetricSetArn};
	return;
}
sub seen { my ($set, $at) = @_; return post('_read', { set => $set, at => $at, bucket => 'metrics' }); }
sub objects { return scalar keys %{ $flows->objects('metrics', '') }; }

# ---------- what a flow may be ----------

like(create('none'), qr/there is no bucket yet for records that go to LookoutMetrics.*appflow\.lookoutmetrics_bucket/s, 'without a bucket there are no flows');
$flows->{node}->append_conf('postgresql.conf', "appflow.lookoutmetrics_bucket = 'metrics'\n");
$flows->{node}->reload;
like(create('demand', trigger => 'OnDemand'), qr/triggerType OnDemand is not supported/, 'on a schedule only');
like(create('often', schedule => "rate($_)"), qr/flows to LookoutMetrics run every 5 or 10 minutes, every hour or every day/, "not every $_") foreach '7minutes', '1minutes', '2hours', '1weeks';
is(create("may-$_->[0]", schedule => $_->[1]), '', "$_->[1]") foreach [ 1, 'rate(10minutes)' ], [ 2, 'rate(60minutes)' ], [ 3, 'rate(24hours)' ], [ 4, 'cron(0/5 * * * ? *)' ];
my $other = definition('other');
$other->{sourceFlowConfig} = { connectorType => 'S3', sourceConnectorProperties => { S3 => { bucketName => 'source', bucketPrefix => 'x' } } };
like(refused('SELECT appflow.create_flow($d$' . $json->encode($other) . '$d$)'), qr/records of S3 cannot go to LookoutMetrics/, "AppFlow's own list of sources");
my $told = told(run('nobody', rows => q{VALUES (now(), 'a', 1, 1)}));
like($told, qr/^Error: no metric set of Amazon Lookout for Metrics names flow "nobody"/, 'a flow that no metric set names');

# ---------- what a detector finds ----------

make('sales');
my $r = run('sales', rows => q{SELECT '2026-05-06 07:00:00Z'::timestamptz + i * interval '1 s', CASE i % 2 WHEN 0 THEN 'nörth' ELSE 'so"uth' END, i / 4.0, i FROM generate_series(0, 899) i});
is(outcome($r), 'Successful 900 0', 'records') or diag(told($r));
my $seen = seen('set-of-sales', '2026-05-06T07:05:00');
is("$seen->{folder} $seen->{files} " . scalar(@{ $seen->{records} }) . " $seen->{ignored}", 'metrics/sales/20260506/0705 1 300 0', 'the detector reads those of an interval, all of them in it');
is($json->encode($seen->{records}[1]), '{"at":"2026-05-06 07:05:01","region":"so\"uth","revenue":75.25,"units":301}', 'as they are');
is(scalar(@{ seen('set-of-sales', "2026-05-06T07:$_:00")->{records} }), 300, "... and $_") foreach '00', '10';
is(objects(), 3, 'an object for each interval');
my @log = @{ get('_log') };
is(scalar(grep { !$_->{accepted} } @log), 0, 'requests are signed right');
is(sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'sales' AND bytes_written > 10000}), 1, 'and counted');

make('hours', frequency => 'PT1H', Timezone => 'Asia/Kolkata', TimestampColumn => { ColumnName => 'at', ColumnFormat => "dd.MM.yyyy 'at' hh:mm:ss.SSS a XXX" },
	s3 => { TemplatedPathList => ['s3://metrics/by hour/{{yyyy}}/{{MM}}-{{dd}}/{{HH}}'], FileFormatDescriptor => { CsvFormatDescriptor => { ContainsHeader => JSON::PP::true, Delimiter => ',', QuoteSymbol => '"', FileCompression => 'NONE', Charset => 'UTF-8' } } });
$r = run('hours', schedule => 'rate(1hours)', rows => q{VALUES ('2026-05-06 18:29:59.999Z'::timestamptz, 'a "b", c', 1.5, 1), ('2026-05-06 18:30:00Z', 'b', NULL, 2), ('2026-05-06 19:29:59Z', 'c', -1e3, 3)});
is(outcome($r), 'Successful 3 0', 'a metric set that reads S3') or diag(told($r));
$seen = seen('hours', '2026-05-07T00:00:00');
is($json->encode($seen), '{"files":1,"folder":"metrics/by hour/2026/05-07/00","ignored":0,"records":[{"at":"07.05.2026 at 12:00:00.000 AM +05:30","region":"b","revenue":"","units":"2"},{"at":"07.05.2026 at 12:59:59.000 AM +05:30","region":"c","revenue":"-1000","units":"3"}]}',
	'by its path, its format, its time zone');
is($json->encode(seen('hours', '2026-05-06T23:00:00')->{records}), '[{"at":"06.05.2026 at 11:59:59.999 PM +05:30","region":"a \"b\", c","revenue":"1.5","units":"1"}]', 'up to its last moment');

make('days', frequency => 'P1D', Timezone => 'America/New_York', TimestampColumn => { ColumnName => 'wall', ColumnFormat => 'yyyy-MM-dd' }, s3 => { TemplatedPathList => ['s3://metrics/daily/{{yyyyMMdd}}'] });
$r = run('days', schedule => 'rate(1days)', fields => [qw(wall region revenue units words)], rows => q{VALUES ('2026-03-08 00:00'::timestamp, 'a', 1, 1, 'x'), ('2026-03-08 23:59:59', 'a', 2, 2, NULL), ('2026-03-09 00:00', 'a', 3, 3, 'y')});
is($json->encode(seen('days', '2026-03-08T00:00:00')->{records}), '[{"region":"a","revenue":1,"units":1,"wall":"2026-03-08","words":"x"},{"region":"a","revenue":2,"units":2,"wall":"2026-03-08","words":null}]', 'times without a zone are of its clock; other fields go along') or diag(told($r));
make('autumn', frequency => 'PT1H', Timezone => 'Europe/Berlin', TimestampColumn => { ColumnName => 'at' });
run('autumn', schedule => 'rate(1hours)', rows => q{VALUES ('2026-10-25 00:30Z'::timestamptz, 'first', 1, 1), ('2026-10-25 01:30Z', 'again', 1, 1)});
is(join(' ', map { "$_->{region} $_->{at}" } @{ seen('set-of-autumn', '2026-10-25T02:00:00')->{records} }), 'first 2026-10-25 02:30:00 again 2026-10-25 02:30:00', 'the hour that comes twice');
make('dates', frequency => 'P1D', TimestampColumn => { ColumnName => 'day', ColumnFormat => 'yyyyMMdd' });
run('dates', schedule => 'rate(1days)', fields => [qw(day region revenue units)], rows => q{VALUES ('2026-05-06'::date, 'a', 1, 1)});
is(seen('set-of-dates', '2026-05-06T00:00:00')->{records}[0]{day}, '20260506', 'dates');

# ---------- what is refused ----------

make('texts', TimestampColumn => { ColumnName => 'text' }, MetricList => [ { MetricName => 'words', AggregationFunction => 'SUM' } ]);
$r = run('texts', fields => [qw(text region words)], rows => q{VALUES ('2026-05-06T07:01:00+02:00', 'a', '12.5'), ('yesterday', 'a', '1'), (NULL, 'a', '1'), ('2026-05-06T07:01:00Z', 'a', 'many'), ('2026-05-06T07:02:00', 'a', NULL), ('10000-01-01T00:00:00Z', 'a', '1')});
is(outcome($r), 'Successful 6 4', 'times and measures as text, as far as they are some') or diag(told($r));
like($r->{message}, qr/4 of 6 records failed; the first: record 4: field "words": "many" is not a decimal number/, 'the others are failed records');
is($json->encode([ map { @{ seen('set-of-texts', $_)->{records} } } '2026-05-06T05:00:00', '2026-05-06T07:00:00' ]), '[{"region":"a","text":"2026-05-06 05:01:00","words":12.5},{"region":"a","text":"2026-05-06 07:02:00","words":null}]', 'numbers are numbers');
make('full');
$r = run('full', rows => q{SELECT '2026-05-06 07:00:00Z'::timestamptz + (i % 2) * interval '5 min', 'a', i, i FROM generate_series(0, 30009) i});
is(outcome($r), 'Successful 30010 10', 'more than an interval takes');
like($r->{message}, qr{the interval full/20260506/0700/ has 15000 records, a detector takes no more in one of 5 minutes}, 'is told');
is(scalar(@{ seen('set-of-full', "2026-05-06T07:$_:00")->{records} }), 15000, 'and not written') foreach '00', '05';

my $before = objects();
sub misfit
{
	my ($name, $expected, %more) = @_;
	my ($fields, $schedule) = (delete $more{fields}, delete $more{schedule});
	make($name, %more);
	my $r = run($name, $fields ? (fields => $fields) : (), schedule => $schedule // 'rate(5minutes)', $fields ? () : (rows => q{VALUES (now(), 'a', 1, 1)}));
	like(told($r), $expected, "a misfit: $name");
	return;
}
misfit('frequency', qr/^Error: the flow does not fit metric set "set-of-frequency" of detector "watch-frequency": its interval is PT10M, the flow runs every 5 minutes/, frequency => 'PT10M');
misfit('timestamp', qr/no field is mapped to "when", its timestamp column/, TimestampColumn => { ColumnName => 'when' });
misfit('timeless', qr/it has no timestamp column/, TimestampColumn => undef);
misfit('measure', qr/no field is mapped to "profit", its measure/, MetricList => [ { MetricName => 'profit', AggregationFunction => 'SUM' } ]);
misfit('dimension', qr/no field is mapped to "shop", its dimension/, DimensionList => ['shop']);
misfit('filter', qr/no field is mapped to "shop", its filtered dimension/, DimensionFilterList => [ { Name => 'shop', FilterList => [ { DimensionValue => 'x', FilterOperation => 'EQUALS' } ] } ]);
misfit('format', qr/the format "yyyy-MM-dd Q" of its timestamps has the letter "Q"/, TimestampColumn => { ColumnName => 'at', ColumnFormat => 'yyyy-MM-dd Q' });
misfit('zone', qr/its time zone "Mars\/Olympus" is not known/, Timezone => 'Mars/Olympus');
misfit('boolean', qr/"paid", a measure, is of type Boolean and no number/, MetricList => [ { MetricName => 'paid', AggregationFunction => 'SUM' } ], fields => [qw(at region paid)]);
misfit('elsewhere', qr/its path "s3:\/\/other\/x\/\{\{yyyy\}\}" is not in the bucket of appflow\.lookoutmetrics_bucket, "metrics"/, s3 => { TemplatedPathList => ['s3://other/x/{{yyyy}}'] });
misfit('timelesspath', qr/its path template "x\/y" has no part of the time in it/, s3 => { TemplatedPathList => ['s3://metrics/x/y'] });
misfit('open', qr/has "\{\{" without "\}\}"/, s3 => { TemplatedPathList => ['s3://metrics/x/{{yyyy'] });
misfit('gzip', qr/it reads files of FileCompression "GZIP", these are of NONE/, s3 => { TemplatedPathList => ['s3://metrics/x/{{yyyy}}'], FileFormatDescriptor => { JsonFormatDescriptor => { FileCompression => 'GZIP' } } });
misfit('headless', qr/it reads files of ContainsHeader "false"/, s3 => { TemplatedPathList => ['s3://metrics/x/{{yyyy}}'], FileFormatDescriptor => { CsvFormatDescriptor => { ContainsHeader => JSON::PP::false } } });
make('failed');
post('_status', { detector => 'watch-failed', status => 'FAILED', reason => "the role\nis gone" });
like(told(run('failed', rows => q{VALUES (now(), 'a', 1, 1)})), qr/detector "watch-failed" of Amazon Lookout for Metrics is FAILED: the role is gone/, 'a detector that has failed');
make('twice');
post('_make', { detector => 'second', frequency => 'PT5M', set => { %base, MetricSetName => 'other-set', MetricSource => { AppFlowConfig => { FlowName => 'twice' } } } });
like(told(run('twice', rows => q{VALUES (now(), 'a', 1, 1)})), qr/flow "twice" is named by two metric sets .*"set-of-twice" of detector "watch-twice" and "other-set" of detector "second"/, 'two metric sets');
is(objects(), $before, 'and of all those nothing is written');
is(join(' ', $flows->leftovers), '', 'or left');

# ---------- entities ----------

like(sql(q{SELECT appflow.list_connector_entities('{"connectorType": "LookoutMetrics", "entitiesPath": "watch-sales"}')}), qr/^\{"connectorEntityMap": \{"Objects": \[\{"name": "watch-sales\/set-of-sales", "label": "set-of-sales", "hasNestedEntities": false\}\]\}\}$/, 'metric sets of a detector');
is(sql(q{SELECT string_agg((f ->> 'identifier') || ' ' || (f #>> '{supportedFieldTypeDetails,v1,fieldType}'), ', ' ORDER BY n) FROM jsonb_array_elements(appflow.describe_connector_entity('{"connectorType": "LookoutMetrics", "connectorEntityName": "watch-sales/set-of-sales"}') -> 'connectorEntityFields') WITH ORDINALITY f (f, n)}),
	'at DateTime, revenue Double, units Double, region String', 'and what it looks for');
like(refused(q{SELECT appflow.describe_connector_entity('{"connectorType": "LookoutMetrics", "connectorEntityName": "x/y"}')}), qr/has no metric set "x\/y"/, 'one that is not there');
make("more$_") foreach 1 .. 100;
is(sql(q{SELECT count(*) > 100 AND count(*) = count(DISTINCT e ->> 'name') FROM jsonb_array_elements(appflow.list_connector_entities('{"connectorType": "LookoutMetrics", "maxResults": 1000}') #> '{connectorEntityMap,Objects}') e}), 't', 'of two pages');

# ---------- the net ----------

my $throttled = { status => 429, headers => { 'x-amzn-ErrorType' => 'TooManyRequestsException' }, body => { Message => 'Too many requests' } };
make('net');
post('_answers', [ $throttled, { cut => 1 }, { status => 500, text => 'oops' } ]);
$r = run('net', rows => q{VALUES ('2026-05-06 07:00Z', 'a', 1, 1)});
is(outcome($r) . ' ' . @{ seen('set-of-net', '2026-05-06T07:00:00')->{records} }, 'Successful 1 0 1', 'throttled, cut off, failed: asked again') or diag(told($r));
foreach my $case ([ 'HTML', { status => 200, text => '<html>' }, qr/is not a JSON object/ ], [ 'cut off', { status => 200, text => '{"MetricSetSummaryList": [' }, qr/is not a JSON object/ ],
	[ 'without names', { status => 200, body => { MetricSetSummaryList => [ {} ] } }, qr/lists a metric set without a name/ ],
	[ 'of a service that has ended', { status => 404, text => '' }, qr/refused ListMetricSets: the answer has status 404/ ],
	[ 'a refusal', { status => 403, headers => { 'x-amzn-ErrorType' => 'AccessDeniedException' }, body => { Message => "User is not\nauthorized with $secret" } }, qr/User is not authorized with \*\*\*/ ])
{
	post('_answers', [ $case->[1] ]);
	like(refused(q{SELECT appflow.list_connector_entities('{"connectorType": "LookoutMetrics"}')}), $case->[2], "an answer that is $case->[0]");
}
post('_answers', [ ({ status => 200, body => { MetricSetSummaryList => [], NextToken => 'x' } }) x 4 ]);
like(refused(q{SELECT appflow.list_connector_entities('{"connectorType": "LookoutMetrics"}')}), qr/gives the same page of ListMetricSets again and again/, 'pages without end');
post('_answers', []);

# ---------- rights ----------

sql(q{CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA appflow TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA appflow TO clerk; REVOKE EXECUTE ON FUNCTION appflow.aws_identity() FROM clerk; GRANT SELECT ON public.sales TO clerk});
like(refused(q{SET ROLE clerk; SELECT appflow.list_connector_entities('{"connectorType": "LookoutMetrics"}')}), qr/role "clerk" may not use the AWS identity/, "the server's identity is not for everybody");
like(refused('SET ROLE clerk; SELECT appflow.create_flow($d$' . $json->encode(definition('clerks')) . '$d$)'), qr/metrics/, 'nor is the bucket');
like(refused(q{SET ROLE clerk; SET appflow.lookoutmetrics_bucket = 'errors'}), qr/permission denied/, 'nor what it is');

# ---------- fields that are found while it runs ----------

make('wide');
my $wide = definition('wide');
$wide->{tasks} = [ { taskType => 'Map_all', sourceFields => [], connectorOperator => { CustomConnector => 'NO_OP' }, taskProperties => {} } ];
sql(q{TRUNCATE public.sales; INSERT INTO public.sales (at, region, revenue, units, paid) VALUES ('2026-05-06 07:00Z', 'a', 1, 1, true)});
sql('SELECT appflow.create_flow($d$' . $json->encode($wide) . '$d$)');
sql(q{SELECT appflow.start_flow('{"flowName": "wide"}')});
$flows->{node}->poll_query_until('postgres', "SELECT count(*) > 0 AND bool_and(execution_status <> 'InProgress') FROM appflow.flow_executions WHERE flow_name = 'wide'");
is(seen('set-of-wide', '2026-05-06T07:00:00')->{records}[0]{paid}, JSON::PP::true, 'all fields');

unlike(slurp_file($flows->{node}->logfile), qr/planted/, 'no secret is in the log');
done_testing();
