# Amplitude: foreign tables, figures of dashboards, incremental pulls, waiting, size.
use strict;
use warnings;

use AppflowTest::Amplitude;
use AppflowTest::Flows;
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::Amplitude->new(q(shared_preload_libraries = 'appflow'), 'max_worker_processes = 16', q(timezone = 'UTC'));
$app->control('seed', { events => { from => '2024-03-05T00', hours => 48, perHour => 50 }, types => 30 });
sub outcome { return AppflowTest::RestApps::outcome(@_); }

# ---------------------------------------------------------------- events

$app->sql(q(CREATE SERVER product FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'project'); CREATE SCHEMA product;
	IMPORT FOREIGN SCHEMA "Objects" FROM SERVER product INTO product));
is($app->sql(q(SELECT string_agg(format('%s:%s', attname, format_type(atttypid, atttypmod)), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'product.active_users'::regclass AND attnum > 0)), 'date:date users:bigint', 'import');
is($app->sql(q(SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'product.events'::regclass AND attname = 'event_properties')), 'jsonb', '... of events');

# what is asked for, and that the answer is the same as if all had been asked for
$app->sql(q(CREATE TABLE public.copy AS SELECT * FROM product.events WHERE server_upload_time >= '2024-03-01' AND server_upload_time < '2024-03-08'));
is($app->sql('SELECT count(*) || $$ $$ || count(DISTINCT uuid) FROM public.copy'), '2400 2400', 'events in a table');
foreach my $case (
	[ q(server_upload_time >= '2024-03-05 07:00' AND server_upload_time < '2024-03-05 09:00'), '20240305T07-20240305T08' ],
	[ q(server_upload_time > '2024-03-05 07:59:59.999999' AND server_upload_time <= '2024-03-05 09:00'), '20240305T07-20240305T09' ],
	[ q(server_upload_time BETWEEN '2024-03-05 07:30' AND '2024-03-05 08:30' AND event_type = 'view' AND city IS NULL), '20240305T07-20240305T08' ],
	[ q(server_upload_time = '2024-03-05 07:01:12.000001'), '20240305T07-20240305T07' ],
	[ q(server_upload_time IN ('2024-03-05 07:01:12.000001', '2024-03-05 09:00:00.000001')), '20240305T07-20240305T09' ],
	[ q(server_upload_time > '2024-03-05 02:00' AND server_upload_time < '2024-03-05 04:00' AND (event_properties ->> 'total')::numeric > 60), '20240305T02-20240305T03' ],
	[ q(server_upload_time > '2024-03-05 02:00+02' AND server_upload_time < '2024-03-05 04:00+02'), '20240305T00-20240305T01' ],
	[ q(server_upload_time >= '2024-03-05 10:00' AND server_upload_time < '2024-03-05 12:00' AND server_upload_time < '2024-03-05 11:00'), '20240305T10-20240305T10' ])
{
	my ($where, $windows) = @$case;
	$app->control('reset');
	is($app->sql("SELECT count(*) || ' ' || coalesce(md5(string_agg(uuid || event_time || event_properties::text, ',' ORDER BY uuid)), '') FROM product.events WHERE $where"),
		$app->sql("SELECT count(*) || ' ' || coalesce(md5(string_agg(uuid || event_time || event_properties::text, ',' ORDER BY uuid)), '') FROM public.copy WHERE $where"), $where);
	is(join(' ', $app->windows), $windows, '... asks for these hours');
}
like($app->sql(q(EXPLAIN VERBOSE SELECT uuid FROM product.events WHERE server_upload_time >= '2024-03-05 07:00' AND server_upload_time < '2024-03-05 09:00')),
	qr{GET /api/2/export\?start=20240305T07&end=20240305T08}, 'EXPLAIN shows the request');
like($app->sql(q(PREPARE p AS SELECT count(*) FROM product.events WHERE server_upload_time >= $1 AND server_upload_time < $2; SET plan_cache_mode = force_generic_plan; EXPLAIN VERBOSE EXECUTE p ('2024-03-05 07:00', '2024-03-05 09:00'))),
	qr{GET /api/2/export, start and end by server_upload_time}, '... also if its bounds are not known yet');
is($app->sql(q(PREPARE p AS SELECT count(*) FROM product.events WHERE server_upload_time >= $1 AND server_upload_time < $2; SET plan_cache_mode = force_generic_plan; EXECUTE p ('2024-03-05 07:00', '2024-03-05 09:00'))), 100, '... which then are');
like($app->error_of('SELECT count(*) FROM product.events'), qr/^WF400: a condition has to say from when on entity "events" of Amplitude is read.*HINT:\s+Give a lower bound of "server_upload_time"/s, 'without a lower bound');
like($app->error_of(q(SELECT count(*) FROM product.events WHERE server_upload_time >= '2024-03-05' OR event_type = 'view')), qr/^WF400: a condition has to say from when/, '... in an alternative it is none');
$app->control('reset');
is($app->sql(q(SELECT count(*) FROM (SELECT FROM product.events WHERE server_upload_time >= '2024-03-05' LIMIT 5) x)), 5, 'the first ones');
is(join(' ', $app->windows), '20240305T00-20240305T00', '... ask for no more than an hour');

# ---------------------------------------------------------------- figures

$app->control('reset');
is($app->sql(q(SELECT count(*) || ' ' || min(date) || ' ' || max(date) || ' ' || sum(users) FROM product.active_users WHERE date >= '2023-01-01' AND date < '2024-07-01')), '547 2023-01-01 2024-06-30 575057', 'users of many days');
is(join(' ', map { $_->{plain} } $app->seen(qr{api/2/users})), '/api/2/users?m=active&i=1&start=20230101&end=20231231 /api/2/users?m=active&i=1&start=20240101&end=20240630', '... a year at a time');
is($app->sql(q(SELECT users FROM product.new_users WHERE date = '2024-03-05')), 88, 'new ones');
is($app->sql(q(SELECT date || ' ' || seconds FROM product.average_session_length WHERE date BETWEEN '2024-03-05' AND '2024-03-06' ORDER BY date)), "2024-03-05 147.5\n2024-03-06 148.5", 'sessions');
is($app->sql(q(SELECT count(*) || ' ' || sum(totals) || ' ' || count(*) FILTER (WHERE non_active) || ' ' || max(value) FROM product.events_list)), '30 4650 15 event 9', 'event types');
like($app->error_of('SELECT * FROM product.active_users'), qr/^WF400: a condition has to say from when/, 'figures without a lower bound');
$app->sql(q(CREATE FOREIGN TABLE product.chart (series int, label text, x text, value float8, data jsonb) SERVER product OPTIONS (entity 'charts/abc123');
	CREATE FOREIGN TABLE product.lines (label text, x text, value float8) SERVER product OPTIONS (entity 'charts/lines');
	CREATE FOREIGN TABLE product.funnel (x text) SERVER product OPTIONS (entity 'charts/funnel');
	CREATE FOREIGN TABLE product.nochart (x text) SERVER product OPTIONS (entity 'charts/nothing');
	CREATE FOREIGN TABLE product.hack (x text) SERVER product OPTIONS (entity 'charts/../../admin')));
is($app->sql('SELECT series, label, x, value, data FROM product.chart'), qq(1|[0, "Free"]|2024-03-05T00:00:00|5|{"setId": "", "value": 5}\n1|[0, "Free"]|2024-03-06T00:00:00|7.5|{"setId": "", "value": 7.5}\n2|[0, "Paid"]|2024-03-05T00:00:00|1|{"setId": "", "value": 1}\n2|[0, "Paid"]|2024-03-06T00:00:00||{"setId": "", "value": null}), 'a chart');
is($app->sql('SELECT * FROM product.lines'), "All|a|1\nAll|b|2\nAll|c|3", 'a simpler one');
like($app->error_of('SELECT * FROM product.funnel'), qr/^WF502: the answer of Amplitude about entity "charts\/funnel" is not made as expected.*HINT:\s+Charts of lines and bars/s, 'a chart of another kind');
like($app->error_of('SELECT * FROM product.nochart'), qr/Chart not found/, 'a chart that is not there');
$app->sql(q(CREATE FOREIGN TABLE product.within (v float8 OPTIONS (field 'data.value')) SERVER product OPTIONS (entity 'charts/abc123')));
like($app->error_of('SELECT * FROM product.within'), qr/no field "data.value"/, 'within a point there are no fields');
like($app->error_of('SELECT * FROM product.hack'), qr/^WF400: Amplitude has no entity "charts\/..\/..\/admin"/, 'a name that leads elsewhere');
foreach my $case ([ { series => [ [ 1, 2 ], [ 3, 4 ] ], xValues => [ '2024-03-05', '2024-03-06' ] }, qr/more than one series/ ], [ { series => [ [ 1, 2, 3 ] ], xValues => ['2024-03-05'] }, qr/series 1 does not have a value for each/ ],
	[ { series => 7 }, qr/no data\.series/ ], [ { series => [7] }, qr/series 1/ ], [ { xValues => {} }, qr/no data\.series and data\.xValues/ ], [ { series => [ ['many'] ], xValues => ['2024-03-05'] }, qr/"?many"?/ ])
{
	$app->control('set', { series => $case->[0] });
	like($app->error_of(q(SELECT * FROM product.active_users WHERE date >= '2024-03-05' AND date <= '2024-03-06')), qr/^(WF502|HV004): .*$case->[1]/s, 'figures that are none: ' . json_text($case->[0]));
}
$app->control('set', { series => { series => [] } });
is($app->sql(q(SELECT count(*) FROM product.active_users WHERE date >= '2024-03-05' AND date <= '2024-03-06')), 0, 'no series, no figures');
$app->control('set', { series => undef });
foreach my $fault ('throttle?n=1&match=users', 'fault?kind=status=500&n=1&match=users')
{
	$app->control($fault);
	is($app->sql(q(SELECT count(*) FROM product.active_users WHERE date >= '2024-03-05' AND date <= '2024-03-06')), 2, "figures in spite of $fault");
}
$app->control('fault?kind=html&n=1&match=events/list');
like($app->error_of('SELECT * FROM product.events_list'), qr/JSON/, 'HTML');
my $run = $app->pull('project', 'active_users', [qw(date users)], table => 'date date, users bigint', filters => [ $app->filter('date', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-03-04', UPPER_BOUND => '2024-03-07') ]);
is(outcome($run), 'Successful 2 0', 'figures in a flow') or diag(AppflowTest::RestApps::told($run));

# ---------------------------------------------------------------- waiting, size

foreach my $kind ('slow', 'stall')
{
	$app->control("fault?kind=$kind&n=10&match=export");
	like($app->error_of(q(SET statement_timeout = '300ms'; SELECT count(*) FROM product.events WHERE server_upload_time >= '2024-03-05')), qr/^57014: /, "a cancel while an answer is $kind");
	$app->control('reset');
}
is(join(' ', map { (glob "$_/*") } glob $app->{node}->data_dir . '/base/pgsql_tmp*'), '', '... leaves no temporary file');
$app->sql(q(BEGIN; DECLARE c CURSOR FOR SELECT uuid FROM product.events WHERE server_upload_time >= '2024-03-05'; FETCH 3 FROM c; ROLLBACK));
is(join(' ', map { (glob "$_/*") } glob $app->{node}->data_dir . '/base/pgsql_tmp*'), '', '... nor does a cursor that is not read to its end');

$app->control('seed', { events => { from => '2024-03-05T00', hours => 10, perHour => 20000 } });
my (undef, $count, $grown) = split /\n/, $app->sql(q(
	CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$ SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int $$;
	SELECT count(*) FROM product.events WHERE server_upload_time >= '2024-03-05' AND server_upload_time < '2024-03-05 00:01';
	SELECT peak() AS before \gset
	SELECT count(*) || ' ' || count(event_properties) || ' ' || count(city) FROM product.events WHERE server_upload_time >= '2024-03-05';
	SELECT peak() - :before));
is($count, '200000 200000 133334', 'two hundred thousand events, 300 MB of JSON');
cmp_ok($grown, '<', 16384, '... in what the transfer has for a buffer, and no more');

# ---------------------------------------------------------------- incremental pulls

# three days ago, by the clock of schedules; the service shows what it has by the same clock
my $now = time - 3 * 86400;
my $n = 0;
my @events;
sub upload { my ($at) = @_; $n++; push @events, { uuid => "e$n", event_id => $n, server_upload_time => strftime('%Y-%m-%d %H:%M:%S.000000', gmtime $at), event_time => strftime('%Y-%m-%d %H:%M:%S.000000', gmtime $at - 86400 * 3) }; return; }
my $clock = sub {
	my ($seconds) = @_;
	$app->control('seed', { events => \@events });
	$app->control('set', { now => (time + $seconds) * 1000 });
	$app->sql("ALTER SYSTEM SET appflow.clock_offset = '${seconds}s'");
	$app->{node}->reload;
	return;
};
upload($now - 2 * 86400 + $_ * 600) foreach 0 .. 288 + 6 * 18;
$clock->(-3 * 86400);
my $definition = $app->pull('project', 'events', [qw(uuid server_upload_time)], table => 'uuid text, server_upload_time timestamptz', incremental => 'server_upload_time',
	schedule => { scheduleExpression => 'rate(1days)', dataPullMode => 'Incremental', firstExecutionFrom => $now - 7 * 86400 });
my $table = 'public.table' . $app->{flows}{number};
is($app->error_of('SELECT appflow.create_flow($d$' . json_text($definition) . '$d$)') =~ s/:.*//sr, 'no error', 'an incremental flow');
$app->sql("SELECT appflow.start_flow('{\"flowName\": \"$definition->{flowName}\"}')");
my $ended = sub {
	my ($runs) = @_;
	$app->{node}->poll_query_until('postgres', "SELECT count(*) >= $runs FROM appflow.flow_executions WHERE flow_name = '$definition->{flowName}' AND execution_status IN ('Successful', 'Error')") or diag($app->sql('TABLE appflow.flow_executions'));
	return $app->sql("SELECT execution_status FROM appflow.flow_executions WHERE flow_name = '$definition->{flowName}' ORDER BY requested_at DESC LIMIT 1");
};
is($ended->(1), 'Successful', 'the first window') or diag($app->sql('SELECT execution_message FROM appflow.flow_executions'));
is($app->sql('SELECT extract(epoch FROM due_at - data_pull_end_time)::int FROM appflow.flow_execution WHERE data_pull_end_time IS NOT NULL'), 3 * 3600, '... ends where hours are complete');
my $end = $app->sql('SELECT extract(epoch FROM data_pull_end_time) FROM appflow.flow_execution WHERE data_pull_end_time IS NOT NULL');
my $first = $app->sql("SELECT count(*) FROM $table");
is($first, $app->sql("SELECT count(*) FROM jsonb_to_recordset(\$e\$" . json_text(\@events) . "\$e\$) AS e(server_upload_time timestamp) WHERE server_upload_time < to_timestamp($end) AT TIME ZONE 'UTC'"), '... and has all that came before its end');
cmp_ok($first, '<', scalar @events, '... which is not all there is');
$clock->(-2 * 86400 + 600);
is($ended->(2), 'Successful', 'the next one') or diag($app->sql('SELECT execution_message FROM appflow.flow_executions'));
is($app->sql("SELECT count(*) || ' ' || count(DISTINCT uuid) FROM $table"), scalar(@events) . ' ' . scalar(@events), '... has the others, and none twice');
done_testing();
