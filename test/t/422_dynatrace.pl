# Dynatrace: problems, events, metrics and their values, entities; what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('saas/dynatrace.js', 'Dynatrace', 'Dynatrace', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { problems => 1700, events => 40, metrics => 30, entities => 1100 });
$app->profile('environment', { apiToken => 'dt0c01.PLANTED' });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table { return $app->into_table('environment', @_); }
sub fails { return $app->fails('environment', @_); }

# ---------------------------------------------------------------- what there is

is(join(' ', map { $_->{name} . ($_->{hasNestedEntities} ? '/' : '') } sort { $a->{name} cmp $b->{name} } @{ $app->entities('environment')->{Objects} }), 'entities/ events metrics/ problems', 'the top');
my $nested = $app->entities('environment', 'entities')->{Entities};
is(scalar @$nested, 621, 'types of entities, of two pages');
is(json_text((grep { $_->{name} eq 'entities/HOST' } @$nested)[0]), '{"hasNestedEntities":false,"label":"Host","name":"entities/HOST"}', '... as they are called');
my $fields = $app->fields('environment', 'problems');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(problemId startTime endTime affectedEntities evidenceDetails)), 'String DateTime DateTime Struct Struct', 'fields of problems');
$fields = $app->fields('environment', 'entities/HOST');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(entityId properties.osType properties.cpuCores lastSeenTms)), 'String String Long DateTime', 'fields of hosts, told by Dynatrace');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table('problems', [qw(problemId title status startTime endTime affectedEntities)], '"problemId" text PRIMARY KEY, title text, status text, "startTime" timestamptz, "endTime" timestamptz, "affectedEntities" jsonb');
is(outcome($run), 'Successful 1700 0', 'problems into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(*) || ' ' || count("endTime") || ' ' || count(*) FILTER (WHERE status = 'OPEN') || ' ' || (min("startTime") AT TIME ZONE 'UTC') || ' ' || (max("endTime") AT TIME ZONE 'UTC') FROM $run->{table})),
	'1700 1360 340 2024-01-01 00:01:00 2024-01-02 04:19:30', 'all of them, open ones without an end');
is($app->sql(qq(SELECT title || ' ' || ("affectedEntities" #>> '{0,entityId,id}') FROM $run->{table} WHERE "problemId" LIKE '7\\_%')), 'Lätenz "7" SERVICE-7', 'as they are');
my @pages = $app->seen(qr{v2/problems});
is(scalar @pages, 4, 'by four pages');
like($pages[0]{plain}, qr/from=now-365d&pageSize=500/, 'the first says from when');
like($pages[1]{plain}, qr{problems\?fields=\+evidenceDetails,\+impactAnalysis,\+recentComments&nextPageKey=[^&]+$}, 'the others only which page');

$run = $app->pull('environment', 'problems', [qw(problemId severityLevel startTime endTime)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 1700 0', 'problems into Parquet') or diag(AppflowTest::RestApps::told($run));
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
is(scalar @$rows, 1700, '... all of them');
is(scalar(grep { !defined $_->[3] } @$rows), 340, '... and what has no end');

$run = table('entities/HOST', [qw(entityId displayName properties.osType properties.cpuCores lastSeenTms tags)], '"entityId" text PRIMARY KEY, "displayName" text, "properties.osType" text, "properties.cpuCores" int, "lastSeenTms" timestamptz, tags jsonb');
is(outcome($run), 'Successful 1100 0', 'hosts') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(*) FILTER (WHERE "properties.osType" = 'LINUX') || ' ' || max("properties.cpuCores") || ' ' || (max("lastSeenTms") AT TIME ZONE 'UTC') || ' ' || count(tags) FROM $run->{table})), '550 31 2024-01-01 18:20:00 1100', '... with their properties');
is(outcome(table('entities/CUSTOM_7', ['entityId'], '"entityId" text')), 'Successful 0 0', 'none of a type');
$run = table('events', [qw(eventId title startTime properties)], '"eventId" text, title text, "startTime" timestamptz, properties jsonb');
is(outcome($run), 'Successful 40 0', 'events') or diag(AppflowTest::RestApps::told($run));
$run = table('metrics', [qw(metricId unit aggregationTypes)], '"metricId" text, unit text, "aggregationTypes" jsonb');
is(outcome($run), 'Successful 30 0', 'metrics') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(unit) || ' ' || count("aggregationTypes") FROM $run->{table})), '30 30', '... with what has to be asked for');

# ---------------------------------------------------------------- filters

sub filtered
{
	my ($name, $count, $sent, @filters) = @_;
	$app->control('reset');
	my $run = table('problems', [qw(problemId startTime)], '"problemId" text, "startTime" timestamptz', filters => \@filters);
	is(outcome($run), "Successful $count 0", $name) or diag(AppflowTest::RestApps::told($run));
	my ($page) = $app->seen(qr{v2/problems});
	like($page->{plain} // '', $sent, '... asked so');
}
# 1704067200 is the beginning of 2024; both ends are exclusive, and what only ends in the window is not in it
filtered('BETWEEN', 59, qr/from=1704070800000.*to=1704074400000/, $app->filter('startTime', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-01-01T01:00:00Z', UPPER_BOUND => '2024-01-01T02:00:00Z'));
filtered('a moment', 1, qr/from=1704070800000/, $app->filter('startTime', 'EQUAL_TO', DATA_TYPE => 'datetime', VALUE => '2024-01-01T01:00:00Z'));
filtered('a status', 340, qr/problemSelector=status\("open"\)/, $app->filter('status', 'EQUAL_TO', VALUE => 'OPEN'));
filtered('a status that there is not', 0, qr/pageSize=500(?!.*problemSelector)/, $app->filter('status', 'EQUAL_TO', VALUE => 'open'));
filtered('status and severity', 113, qr/problemSelector=status\("open"\),severityLevel\("ERROR"\)|severityLevel\("ERROR"\),status\("open"\)/, $app->filter('status', 'EQUAL_TO', VALUE => 'OPEN'), $app->filter('severityLevel', 'EQUAL_TO', VALUE => 'ERROR'));
filtered('what cannot be said', 0, qr/pageSize=500(?!.*problemSelector)/, $app->filter('severityLevel', 'EQUAL_TO', VALUE => 'ERROR"),status("open'));
filtered('another field', 1, qr/pageSize=500(?!.*problemSelector)/, $app->filter('displayId', 'EQUAL_TO', VALUE => 'P-26011'));
$run = table('problems', ['problemId'], '"problemId" text', filters => [ $app->filter('title', 'CONTAINS', VALUE => 'a') ]);
like($run->{refused} // $run->{message}, qr/CONTAINS/, 'an operator that Dynatrace does not have');

# ---------------------------------------------------------------- values of metrics

my $metrics = $app->entities('environment', 'metrics');
is(scalar @{ $metrics->{Metrics} }, 30, 'metrics are entities');
is(json_text((grep { $_->{name} =~ /m7$/ } @{ $metrics->{Metrics} })[0]), '{"hasNestedEntities":false,"label":"m 7","name":"metrics/builtin:host.m7"}', '... by their keys');
my $metric = $app->fields('environment', 'metrics/builtin:host.m7');
is(join(' ', map { $metric->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(metricId dimensions dimensionMap timestamp value)), 'String Struct Struct DateTime Double', 'fields of points');
$app->control('seed', { entities => 12 });

# what the simulator says, in SQL: hosts in slots of so many seconds; a time is the end of its slot
my $said = q{SELECT 'builtin:host.m7', jsonb_build_array('HOST-' || lpad(h::text, 16, '0')), jsonb_build_object('dt.entity.host', 'HOST-' || lpad(h::text, 16, '0')), to_timestamp(s * %1$d),
	CASE WHEN s %% 7 > 0 THEN ((h - 1) * 1000 + s %% 1000 + 0.5)::float8 END FROM generate_series(%2$d, %3$d) s, generate_series(1, 12) h WHERE %4$s};
sub points
{
	my ($name, $count, $sent, $about, @filters) = @_;
	$app->control('reset');
	my $run = table('metrics/builtin:host.m7', [qw(metricId dimensions dimensionMap timestamp value)], '"metricId" text, dimensions jsonb, "dimensionMap" jsonb, timestamp timestamptz, value float8', filters => \@filters);
	my $query = sprintf $said, @$about;
	is(outcome($run), "Successful $count 0", $name) or diag(AppflowTest::RestApps::told($run));
	is($app->sql("SELECT count(*) FROM ((TABLE $run->{table} EXCEPT ALL $query) UNION ALL ($query EXCEPT ALL TABLE $run->{table})) d"), 0, '... every point of every host');
	my ($asked) = $app->seen(qr{metrics/query});
	like($asked->{plain}, $sent, '... asked so');
}
my @hours = ($app->filter('timestamp', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-01-01T01:00:00Z', UPPER_BOUND => '2024-01-01T03:00:00Z'));
my $begin = 1704067200;
points('a window', 119 * 12, qr/from=1704070800000/, [ 60, $begin / 60 + 61, $begin / 60 + 179, 'true' ], @hours);
points('slots of a size', 23 * 12, qr/resolution=5m/, [ 300, $begin / 300 + 13, $begin / 300 + 35, 'true' ], @hours, $app->filter('resolution', 'EQUAL_TO', VALUE => '5m'));
points('one host', 119, qr/entitySelector=entityId\("HOST-0000000000000001"\)/, [ 60, $begin / 60 + 61, $begin / 60 + 179, 'h = 1' ], @hours, $app->filter('entitySelector', 'EQUAL_TO', VALUE => 'entityId("HOST-0000000000000001")'));
points('without a condition, the last two hours', 120 * 12, qr/from=now-2h/, [ 60, 1719792000 / 60 - 119, 1719792000 / 60, 'true' ]);
$run = table('metrics/builtin:host.m7', [qw(metricId value)], '"metricId" text, value float8', filters => [ @hours, $app->filter('metricSelector', 'EQUAL_TO', VALUE => 'builtin:host.m8:avg') ]);
is($app->sql(qq(SELECT count(*) || ' ' || min("metricId") FROM $run->{table})), (119 * 12) . ' builtin:host.m8:avg', 'a selector') or diag(AppflowTest::RestApps::told($run));
$run = table('metrics/builtin:host.none', ['value'], 'value float8');
like("$run->{status}: $run->{message}", qr/^Error: .*The metric key builtin:host\.none could not be found/, 'a metric that is not there');
$run = table('metrics/builtin:host.m7', ['value'], 'value float8', filters => [ $app->filter('metricSelector', 'EQUAL_TO', VALUE => 'a b') ]);
like("$run->{status}: $run->{message}", qr/^Error: .*could not be parsed/, 'a selector that is none');
$app->control('reset');

# ---------------------------------------------------------------- in spite of all

foreach my $kind ('throttle?n=1&match=nextPageKey', 'fault?kind=status=503&match=nextPageKey')
{
	$app->control('reset');
	$app->control($kind);
	$run = table('problems', ['problemId'], '"problemId" text PRIMARY KEY');
	is(outcome($run), 'Successful 1700 0', $kind) or diag(AppflowTest::RestApps::told($run));
}

# ---------------------------------------------------------------- what goes wrong

$app->profile('wrong', { apiToken => 'dt0c01.PLANTED-WRONG' });
fails('a wrong token', qr/^Error: .*Token Authentication failed/s, 'problems', ['problemId'], profile => 'wrong');
like($app->error_of("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"wrong\", \"entitiesPath\": \"entities\"}')"), qr/^WF401: .*Token Authentication failed/s, 'a list with it');
$app->profile('problems', { apiToken => 'dt0c01.PROBLEMS' });
fails('a token without the scope', qr/^Error: .*missing required scope.*events\.read/s, 'events', ['eventId'], profile => 'problems');
fails('an unknown entity', qr/^(Error|refused): .*"hosts"/s, 'hosts', ['id']);
fails('an unknown type', qr/^(Error|refused): .*DESKTOP/s, 'entities/DESKTOP', ['entityId']);
fails('an unknown field', qr/^(Error|refused): .*"nickname"/s, 'problems', [ 'problemId', 'nickname' ]);
$app->control('fault?kind=html&match=nextPageKey');
fails('HTML', qr/^Error: .*JSON/s, 'problems', ['problemId']);
$app->control('fault?kind=cut&n=100&match=nextPageKey');
fails('a page that breaks off', qr/^Error: /s, 'problems', ['problemId']);
$app->control('fault?kind=utf8&match=nextPageKey');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, 'problems', ['problemId']);
$app->control('throttle?n=1000&match=problems');
fails('throttled for ever', qr/^Error: .*Too many requests/s, 'problems', ['problemId']);
$app->control('expire');
fails('a token that has expired', qr/^Error: .*Token Authentication failed/s, 'problems', ['problemId']);
unlike(slurp_file($app->{node}->logfile), qr/PLANTED/, 'no token in the log');
done_testing();
