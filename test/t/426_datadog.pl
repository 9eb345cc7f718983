# Datadog: logs, events, metrics and their values, monitors, hosts, users; what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('saas/datadog.js', 'Datadog', 'Datadog', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { logs => 3400, events => 20, audit => 5, monitors => 2100, hosts => 1200, users => 250, metrics => 2300 });
$app->profile('organization', { apiKey => 'planted-api', applicationKey => 'planted-application' });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table { return $app->into_table('organization', @_); }
sub fails { return $app->fails('organization', @_); }

# ---------------------------------------------------------------- what there is

is(join(' ', sort map { $_->{name} } @{ $app->entities('organization')->{Objects} }), 'audit events hosts logs metrics monitors users', 'what can be read');
my $fields = $app->fields('organization', 'logs');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(id timestamp service attributes)), 'String DateTime String Struct', 'fields of logs');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table('logs', [qw(id timestamp service status message attributes)], 'id text PRIMARY KEY, timestamp timestamptz, service text, status text, message text, attributes jsonb');
is(outcome($run), 'Successful 3400 0', 'logs into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(*) || ' ' || min(id) || ' ' || max(id) || ' ' || count(*) FILTER (WHERE status = 'error') || ' ' || (max(timestamp) AT TIME ZONE 'UTC') FROM $run->{table}"), '3400 L000001 L003400 340 2024-01-03 08:40:00', 'all of them, once');
is($app->sql("SELECT message || ' ' || attributes::text FROM $run->{table} WHERE id = 'L000007'"), 'Größe "7" {"n": 7, "deep": {"a": [1]}}', 'as they are');
my @pages = $app->seen(qr{v2/logs/events});
is(scalar @pages, 4, 'by four pages');
like($pages[0]{plain}, qr/filter\[from\]=now-15d&filter\[to\]=now&sort=timestamp&page\[limit\]=1000$/, 'the first says from when');
like($pages[1]{plain}, qr/page\[cursor\]=/, 'the second has a cursor');

$run = $app->pull('organization', 'logs', [qw(id timestamp message)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 3400 0', 'logs into Parquet') or diag(AppflowTest::RestApps::told($run));
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
is(scalar @$rows, 3400, '... all of them');
is_deeply([ @{ (sort { $a->[0] cmp $b->[0] } @$rows)[3399] || [] }[ 0, 2 ] ], [ 'L003400', 'Größe "3400"' ], '... read back');

$run = table('monitors', [qw(id name overall_state modified options)], 'id bigint PRIMARY KEY, name text, overall_state text, modified timestamptz, options jsonb');
is(outcome($run), 'Successful 2100 0', 'monitors') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(*) FILTER (WHERE overall_state = 'Alert') || ' ' || max(id) || ' ' || (options #>> '{thresholds,critical}') FROM $run->{table} GROUP BY options"), '700 2100 1', '... all of them');
$run = table('hosts', [qw(id name up last_reported_time)], 'id bigint PRIMARY KEY, name text, up boolean, last_reported_time timestamptz');
is(outcome($run), 'Successful 1200 0', 'hosts') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(*) FILTER (WHERE up) || ' ' || (max(last_reported_time) AT TIME ZONE 'UTC') FROM $run->{table}"), '600 2024-01-01 00:20:00', '... typed');
$run = table('users', [qw(id email modified_at)], 'id text PRIMARY KEY, email text, modified_at timestamptz');
is(outcome($run), 'Successful 250 0', 'users') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(email) FROM $run->{table}"), 250, '... with what is within');
is(outcome(table('events', [qw(id timestamp message)], 'id text, timestamp timestamptz, message text')), 'Successful 20 0', 'events');
is(outcome(table('audit', [qw(id timestamp)], 'id text, timestamp timestamptz')), 'Successful 5 0', 'the audit trail');

# ---------------------------------------------------------------- filters

sub filtered
{
	my ($name, $count, $sent, @filters) = @_;
	$app->control('reset');
	my $run = table('logs', [qw(id timestamp)], 'id text, timestamp timestamptz', filters => \@filters);
	is(outcome($run), "Successful $count 0", $name) or diag(AppflowTest::RestApps::told($run));
	my ($page) = $app->seen(qr{v2/logs/events});
	like($page->{plain} // '', $sent, '... asked so');
}
my $window = $app->filter('timestamp', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-01-01T01:00:00Z', UPPER_BOUND => '2024-01-01T02:00:00Z');
filtered('BETWEEN, without its ends', 59, qr/filter\[from\]=2024-01-01T01:00:00Z&filter\[to\]=2024-01-01T02:00:00Z|filter\[to\]=2024-01-01T02:00:00Z.*filter\[from\]=2024-01-01T01:00:00Z/, $window);
filtered('EQUAL_TO, by Datadog', 1700, qr/filter\[query\]=service:web/, $app->filter('service', 'EQUAL_TO', VALUE => 'web'));
filtered('two', 29, qr/filter\[query\]=service:api/, $window, $app->filter('service', 'EQUAL_TO', VALUE => 'api'));
filtered('a search', 340, qr/filter\[query\]=\(service:a\* status:error\)/, $app->filter('query', 'EQUAL_TO', VALUE => 'service:a* status:error'));
filtered('what is no word', 0, qr/limit\]=1000(?!.*query)/, $app->filter('service', 'EQUAL_TO', VALUE => 'web OR service:*'));
filtered('another field', 1, qr/limit\]=1000(?!.*query)/, $app->filter('id', 'EQUAL_TO', VALUE => 'L000009'));
$run = table('logs', ['id'], 'id text', filters => [ $app->filter('message', 'CONTAINS', VALUE => 'a') ]);
like($run->{refused} // $run->{message}, qr/CONTAINS/, 'an operator that Datadog does not have');

# ---------------------------------------------------------------- metrics and their values

is(outcome(table('metrics', ['id'], 'id text PRIMARY KEY')), 'Successful 2300 0', 'metrics, of three pages');
is(scalar @{ $app->entities('organization', 'metrics')->{Metrics} }, 2300, 'are entities');
$fields = $app->fields('organization', 'metrics/app.m7');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(expression scope timestamp value interval tags query)), 'String String DateTime Double Long Struct String', 'fields of points');

# what the simulator says of minutes, in SQL; minutes 49, 99, ... have no value
my $said = q{SELECT format('avg:app.m7{%%s}', scope) AS expression, scope, to_timestamp(m * 60) AS at, avg(7000 + h * 100 + m %% 60 + 0.25) AS value
	FROM generate_series(%d, %d) m, generate_series(0, 1) h, LATERAL (SELECT %s AS scope) s WHERE m %% 50 <> 49 GROUP BY 1, 2, 3};
sub points { my ($run, @about) = @_; my $query = sprintf $said, @about; return $app->sql("SELECT (SELECT count(*) FROM $run->{table}) || ' ' || count(*) FROM ((TABLE $run->{table} EXCEPT ALL $query) UNION ALL ($query EXCEPT ALL TABLE $run->{table})) d"); }
my $columns = 'expression text, scope text, timestamp timestamptz, value float8';
my $begin = 1704067200 / 60;
my @window = ($app->filter('timestamp', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-01-01T00:59:30Z', UPPER_BOUND => '2024-01-01T05:00:00Z'));
$app->control('reset');
$run = table('metrics/app.m7', [qw(expression scope timestamp value)], $columns, filters => \@window);
is(points($run, $begin + 60, $begin + 299, "'*'"), '235 0', 'a record for each point of the window') or diag(AppflowTest::RestApps::told($run));
my ($asked) = $app->seen(qr{v1/query});
like($asked->{plain}, qr/from=1704070770/, 'from') && like($asked->{plain}, qr/to=1704085200/, 'to') && like($asked->{plain}, qr/query=avg:app\.m7\{\*\}/, 'the average of all');
$run = table('metrics/app.m7', [qw(expression scope timestamp value)], $columns, filters => [ @window, $app->filter('query', 'EQUAL_TO', VALUE => 'avg:app.m7{*} by {host}') ]);
is(points($run, $begin + 60, $begin + 299, q{'host:h' || h}), '470 0', 'a query of Datadog: each host') or diag(AppflowTest::RestApps::told($run));
$run = table('metrics/app.m7', [qw(timestamp value interval tags)], 'timestamp timestamptz, value float8, interval int, tags jsonb');
is($run->{status}, 'Successful', 'without a condition') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(*) BETWEEN 55 AND 61 AND min(timestamp) > now() - interval '1 hour 5 min' AND max(timestamp) <= now() FROM $run->{table}"), 't', '... it is the last hour');
$run = table('metrics/app.m99999', [qw(timestamp value)], 'timestamp timestamptz, value float8');
is(outcome($run), 'Successful 0 0', 'a metric that nobody reports');
$run = table('metrics/app.m7', [qw(timestamp value)], 'timestamp timestamptz, value float8', filters => [ $app->filter('query', 'EQUAL_TO', VALUE => 'avg:app.m7{') ]);
like("$run->{status}: $run->{message}", qr/^Error: .*Error parsing query: unable to parse/, 'a query that is none');
$app->control('set', { erring => 'Query timed out' });
$run = table('metrics/app.m7', [qw(timestamp value)], 'timestamp timestamptz, value float8');
like("$run->{status}: $run->{message}", qr/^Error: .*Query timed out/, 'an answer of status 200 that says that it failed');
$app->control('set', { erring => '' });
$app->sql(q(CREATE SERVER organization FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'organization'); CREATE SCHEMA metric; IMPORT FOREIGN SCHEMA metrics LIMIT TO ("metrics/app.m7") FROM SERVER organization INTO metric));
my ($foreign) = split /\n/, $app->sql(q(SELECT ftrelid::regclass FROM pg_foreign_table WHERE ftoptions::text LIKE '%app.m7%'));
$app->control('reset');
is($app->sql(qq(SELECT count(*) || ' ' || min(value) || ' ' || max(timestamp AT TIME ZONE 'UTC') FROM $foreign WHERE timestamp >= '2024-01-01T01:00:00Z' AND timestamp < '2024-01-01T02:00:00Z')), '59 7050.25 2024-01-01 01:59:00', 'a foreign table of a metric');
($asked) = $app->seen(qr{v1/query});
like($asked->{plain}, qr/from=1704070800(?!\d)/, '... its window') && like($asked->{plain}, qr/to=1704074400(?!\d)/, '... with both ends');

# ---------------------------------------------------------------- in spite of all

foreach my $kind ('throttle?n=1&match=cursor', 'fault?kind=status=503&match=cursor')
{
	$app->control('reset');
	$app->control($kind);
	$run = table('logs', ['id'], 'id text PRIMARY KEY');
	is(outcome($run), 'Successful 3400 0', $kind) or diag(AppflowTest::RestApps::told($run));
}
$app->control('set', { timeouts => 1 });
$run = table('logs', ['id'], 'id text PRIMARY KEY');
is(outcome($run), 'Successful 3400 0', 'a search that was given up halfway is repeated') or diag(AppflowTest::RestApps::told($run));

# ---------------------------------------------------------------- what goes wrong

$app->control('set', { timeouts => 1000 });
fails('a search that is always given up', qr/^Error: .*timeout/s, 'logs', ['id']);
$app->control('set', { timeouts => 0 });
$app->profile('wrong', { apiKey => 'planted-wrong', applicationKey => 'planted-application' });
fails('a wrong API key', qr/^Error: .*Unauthorized/s, 'logs', ['id'], profile => 'wrong');
$app->profile('half', { apiKey => 'planted-api', applicationKey => 'planted-wrong' });
fails('a wrong application key', qr/^Error: .*Forbidden/s, 'monitors', ['id'], profile => 'half');
$run = table('logs', ['id'], 'id text', filters => [ $app->filter('query', 'EQUAL_TO', VALUE => ')(') ]);
like($run->{message} // '', qr/could not parse the query/, 'a search that Datadog does not understand');
fails('an unknown entity', qr/^(Error|refused): .*"dashboards"/s, 'dashboards', ['id']);
fails('an unknown field', qr/^(Error|refused): .*"nickname"/s, 'logs', [ 'id', 'nickname' ]);
$app->control('fault?kind=html&match=cursor');
fails('HTML', qr/^Error: .*JSON/s, 'logs', ['id']);
$app->control('fault?kind=cut&n=100&match=cursor');
fails('a page that breaks off', qr/^Error: /s, 'logs', ['id']);
$app->control('fault?kind=utf8&match=cursor');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, 'logs', ['id']);
$app->control('throttle?n=1000&match=logs');
fails('throttled for ever', qr/^Error: .*Too many requests/s, 'logs', ['id']);
$app->control('expire');
fails('keys that are not valid any more', qr/^Error: .*Unauthorized/s, 'logs', ['id']);
unlike(slurp_file($app->{node}->logfile), qr/planted-a/, 'no key in the log');
done_testing();
