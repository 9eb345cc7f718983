# Google Analytics: properties (GA4) and views (Universal Analytics) in flows; what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('googleanalytics', 'Googleanalytics', 'GoogleAnalytics', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { events => 3000 });
sub profile
{
	my ($name, %credentials) = @_;
	$app->profile($name, { clientId => 'planted-client', clientSecret => 'planted-client-secret', accessToken => 'planted-google', refreshToken => 'planted-refresh', %credentials });
}
profile('site');

sub outcome { return AppflowTest::RestApps::outcome(@_); }

# operators of tasks other than filters are none of Google Analytics
sub tasks
{
	my ($fields, $filters, $projection) = @_;
	return [
		{ taskType => 'Filter', sourceFields => $projection || $fields, connectorOperator => { GoogleAnalytics => 'PROJECTION' } },
		@{ $filters || [] },
		map { { taskType => 'Map', sourceFields => [$_], destinationField => $_ } } @$fields ];
}
sub table
{
	my ($entity, $fields, $columns, %args) = @_;
	my $run = $app->pull($args{profile} || 'site', $entity, $fields, table => $columns, tasks => tasks($fields, $args{filters}, $args{projection}), map { $_ => $args{$_} } grep { exists $args{$_} } qw(write));
	$run->{table} = 'public.table' . $app->{flows}{number};
	return $run;
}
sub between
{
	my ($field, $lower, $upper, $type) = @_;
	return $app->filter($field, 'BETWEEN', DATA_TYPE => $type || 'date', LOWER_BOUND => $lower, UPPER_BOUND => $upper);
}
sub body { my ($pattern, $n) = @_; my @seen = $app->seen($pattern); return $seen[ $n // 0 ]{body} // ''; }

# ---------------------------------------------------------------- what there is

is(join(' ', map { "$_->{name}=$_->{label}" =~ s/[^ -~]/?/gr } sort { $a->{name} cmp $b->{name} } @{ $app->entities('site')->{Objects} }),
	'ga:9001=Old account 1 - Site - All data ga:9002=Old account 2 - Site - All data properties/1001=Account 1 - Gr??e 1 properties/1002=Account 1 - Gr??e 2 properties/1003=Account 1 - Gr??e 3',
	'properties and views in one list');
$app->control('seed', { properties => 2500, views => 5 });
$app->control('set', { viewPage => 2 });
forget();
$app->control('reset');
my $all = $app->entities('site')->{Objects};
is(scalar(grep { $_->{name} =~ /^properties/ } @$all) . ' ' . scalar(grep { $_->{name} =~ /^ga:/ } @$all), '2500 5', 'lists of several pages');
is(join(' ', map { scalar $app->seen($_) } qr{v1beta/accountSummaries}, qr{v3/management}), '5 3', '... as many as it takes');
$app->control('set', { off => 1 });
forget();
is(scalar @{ $app->entities('site')->{Objects} }, 2500, 'views are switched off');
$app->control('set', { off => 0, disabled => 1 });
forget();
is(scalar @{ $app->entities('site')->{Objects} }, 5, 'properties cannot be listed, views can');
$app->control('set', { off => 1 });
forget();
like($app->error_of("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"site\"}')"), qr/^WF401: .*Admin API has not been used/s, 'neither can');
$app->control('set', { off => 0, disabled => 0, viewPage => 1000 });
$app->control('seed', { properties => 3, views => 2 });
forget();

$app->control('set', { limited => 2 });
is(scalar @{ $app->entities('site')->{Objects} }, 5, 'a rate of requests that is too high');
forget();
$app->control('set', { limited => 1, reason => 'dailyLimitExceeded' });
like($app->error_of("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"site\"}')"), qr/^WF429: .*User Rate Limit Exceeded/s, '... and one for the day, which is told');
$app->control('set', { limited => 0 });
forget();

my $fields = $app->fields('site', 'properties/1001');
is(join(' ', map { "$_:" . $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(startDate date dateHour city customEvent:plan activeUsers totalRevenue averageSessionDuration)),
	'startDate:Date date:Date dateHour:DateTime city:String customEvent:plan:String activeUsers:Long totalRevenue:Double averageSessionDuration:Double', 'fields of a property');
is($fields->{advertiserAdCost}, undef, 'a metric that is told as zeros only is none');
is($fields->{date}{sourceProperties}{isTimestampFieldForIncrementalQueries}, JSON::PP::true, 'the date tells what is new');
$fields = $app->fields('site', 'ga:9001');
is(join(' ', map { "$_:" . $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} . ':' . $fields->{$_}{label} } qw(ga:date ga:dimension20 ga:users ga:avgSessionDuration ga:goal2Starts)),
	'ga:date:Date:The date ga:dimension20:String:Custom Dimension 20 ga:users:Long:The users ga:avgSessionDuration:Double:The avgSessionDuration ga:goal2Starts:Long:Goal 2 Starts', 'fields of a view, those with a number among them');

# what comes is compared with what a table of the same events says
$app->sql('CREATE TABLE event (e jsonb)');
{
	my $text = JSON::PP->new->canonical->ascii->encode($app->control('records?entity=events'));
	$app->sql("INSERT INTO event SELECT jsonb_array_elements(\$j\$$text\$j\$::jsonb)");
}
$app->sql(q(CREATE VIEW fact AS SELECT to_date(e ->> 'date', 'YYYYMMDD') AS date, e ->> 'country' AS country, e ->> 'city' AS city, (e ->> 'user')::int AS usr, (e ->> 'session')::int AS session, (e ->> 'revenue')::numeric AS revenue, e ->> 'eventName' AS name FROM event));

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table('properties/1001', [qw(date country city activeUsers sessions totalRevenue)], '"date" date, country text, city text, "activeUsers" bigint, sessions int, "totalRevenue" numeric');
my $groups = $app->sql('SELECT count(*) FROM (SELECT 1 FROM fact GROUP BY date, country, city) x');
is(outcome($run), "Successful $groups 0", 'a property into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(*) FROM (SELECT date, country, city, count(DISTINCT usr), count(DISTINCT session), sum(revenue) FROM fact GROUP BY 1, 2, 3 EXCEPT SELECT * FROM $run->{table}) x)), 0, '... the groups that there are');
is(body(qr/runReport/), '{"dateRanges":[{"startDate":"2015-08-14","endDate":"today"}],"dimensions":[{"name":"date"},{"name":"country"},{"name":"city"}],"metrics":[{"name":"activeUsers"},{"name":"sessions"},{"name":"totalRevenue"}],"orderBys":[{"dimension":{"dimensionName":"date","orderType":"ALPHANUMERIC"},"desc":false},{"dimension":{"dimensionName":"country","orderType":"ALPHANUMERIC"},"desc":false},{"dimension":{"dimensionName":"city","orderType":"ALPHANUMERIC"},"desc":false}],"keepEmptyRows":true,"limit":"250000","offset":"0"}', '... asked so');
$run = table('ga:9002', [qw(ga:country ga:date ga:users ga:avgSessionDuration ga:transactionRevenue)], '"ga:country" text, "ga:date" date, "ga:users" int, "ga:avgSessionDuration" float8, "ga:transactionRevenue" float8');
$groups = $app->sql('SELECT count(*) FROM (SELECT 1 FROM fact GROUP BY date, country) x');
is(outcome($run), "Successful $groups 0", 'a view into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(*) FROM (SELECT country, date, count(DISTINCT usr), sum(revenue) FROM fact GROUP BY 1, 2 EXCEPT SELECT "ga:country", "ga:date", "ga:users", "ga:transactionRevenue"::numeric FROM $run->{table}) x)), 0, '... the groups that there are');
is(body(qr/batchGet/), '{"reportRequests":[{"viewId":"9002","dateRanges":[{"startDate":"2005-01-01","endDate":"today"}],"dimensions":[{"name":"ga:country"},{"name":"ga:date"}],"metrics":[{"expression":"ga:users"},{"expression":"ga:avgSessionDuration"},{"expression":"ga:transactionRevenue"}],"includeEmptyRows":true,"samplingLevel":"LARGE","hideTotals":true,"hideValueRanges":true,"pageSize":100000}]}', '... asked so');

$run = $app->pull('site', 'properties/1001', [], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } }, tasks => tasks([qw(dateHour country engagementRate)]));
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
cmp_ok(scalar @$rows, '>', 500, 'into Parquet') or diag(AppflowTest::RestApps::told($run));
is(scalar @$rows, $run->{processed}, '... all of it');

# pages
foreach my $entity ([ 'properties/1001', '', qr/runReport/ ], [ 'ga:9001', 'ga:', qr/batchGet/ ])
{
	my ($name, $prefix, $call) = @$entity;
	my @fields = map { "$prefix$_" } qw(date country city sessions);
	$app->control('set', { max => 100 });
	$app->control('reset');
	$run = table($name, \@fields, join(', ', map { qq("$_" text) } @fields));
	is(outcome($run), 'Successful ' . $app->sql('SELECT count(*) FROM (SELECT 1 FROM fact GROUP BY date, country, city) x') . ' 0', "$name: pages of 100");
	is($app->sql(qq(SELECT count(DISTINCT ("${prefix}date", "${prefix}country", "${prefix}city")) - count(*) FROM $run->{table})), 0, '... each row once');
	cmp_ok(scalar($app->seen($call)), '>', 3, '... several');
	$app->control('set', { max => 0 });
}

# ---------------------------------------------------------------- what a filter does, and does not

# the window, which makes no groups: users of a month are not the sum of its days'
$app->control('reset');
$run = table('properties/1001', [qw(country activeUsers)], 'country text, "activeUsers" int', filters => [ between('date', '2024-01-09', '2024-01-21') ]);
is($app->sql(qq(SELECT count(*) FROM (SELECT country, count(DISTINCT usr) FROM fact WHERE date > '2024-01-09' AND date < '2024-01-21' GROUP BY 1 EXCEPT SELECT * FROM $run->{table}) x)), 0, 'BETWEEN on the date is the window') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(*) FROM $run->{table}"), $app->sql(q(SELECT count(DISTINCT country) FROM fact WHERE date > '2024-01-09' AND date < '2024-01-21')), '... and no group');
is($app->sql("SELECT fields FROM appflow.flow_plan('$run->{name}') WHERE action = 'Read'"), '{country,activeUsers}', '... as the plan of the flow says');
like(body(qr/runReport/), qr/"startDate":"2024-01-10","endDate":"2024-01-20"\}\],"dimensions":\[\{"name":"country"\}\]/, '... asked so: both ends are outside');
$run = table('properties/1001', [qw(country activeUsers)], 'country text, "activeUsers" int', filters => [ between('date', '2024-01-09T12:00:00Z', '2024-01-21T00:00:00Z', 'datetime') ]);
like(body(qr/runReport/, -1), qr/"startDate":"2024-01-10","endDate":"2024-01-20"/, '... also of moments');
$run = table('properties/1001', [qw(country activeUsers)], 'country text, "activeUsers" int', filters => [ between('date', '2024-01-09', '2024-01-21') ], projection => [qw(country date activeUsers)]);
is($app->sql("SELECT count(*) FROM $run->{table}"), $app->sql(q(SELECT count(DISTINCT (country, date)) FROM fact WHERE date > '2024-01-09' AND date < '2024-01-21')), 'what PROJECTION names is a group, mapped or not');
$run = table('ga:9001', [qw(ga:country ga:users)], '"ga:country" text, "ga:users" int', filters => [ between('ga:date', '2024-01-09', '2024-01-21') ]);
is($app->sql(qq(SELECT count(*) FROM (SELECT country, count(DISTINCT usr) FROM fact WHERE date > '2024-01-09' AND date < '2024-01-21' GROUP BY 1 EXCEPT SELECT * FROM $run->{table}) x)), 0, '... of a view');
$run = table('properties/1001', [qw(country activeUsers)], 'country text, "activeUsers" int', filters => [ between('date', '2024-02-01', '2024-02-02') ]);
is(outcome($run), 'Successful 0 0', 'nothing is between two days') or diag(AppflowTest::RestApps::told($run));

# metrics, which make no groups either
$app->control('reset');
my $having = 'SELECT date, city, count(DISTINCT usr) FROM fact GROUP BY 1, 2 HAVING count(DISTINCT session) = 8';
cmp_ok($app->sql("SELECT count(*) FROM ($having) x"), '>', 10, '(there are such groups)');
$run = table('properties/1001', [qw(date city activeUsers)], '"date" date, city text, "activeUsers" int', filters => [ between('sessions', '7', '9', 'long') ]);
is(outcome($run), 'Successful ' . $app->sql("SELECT count(*) FROM ($having) x") . ' 0', 'BETWEEN on a metric that is not mapped') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(*) FROM ($having EXCEPT SELECT * FROM $run->{table}) x"), 0, '... the groups that have it');
like(body(qr/runReport/), qr/"metrics":\[\{"name":"activeUsers"\},\{"name":"sessions"\}\]/, '... which is asked for, too');
$run = table('ga:9001', [qw(ga:date ga:city ga:users)], '"ga:date" date, "ga:city" text, "ga:users" int', filters => [ between('ga:sessions', '7', '9', 'long') ]);
is($app->sql("SELECT count(*) FROM ($having EXCEPT SELECT * FROM $run->{table}) x") . ' ' . $app->sql("SELECT count(*) FROM $run->{table}"), '0 ' . $app->sql("SELECT count(*) FROM ($having) x"), '... of a view') or diag(AppflowTest::RestApps::told($run));

# texts: a view's operator for it is not there; in the records it is compared here
$run = table('properties/1001', [qw(city activeUsers)], 'city text, "activeUsers" int', filters => [ between('city', 'B', 'L', 'string') ]);
is($app->sql(qq(SELECT string_agg(city, ' ' ORDER BY city) FROM $run->{table})), 'Bergen Berlin Köln', 'BETWEEN on a text is evaluated here') or diag(AppflowTest::RestApps::told($run));
sub fails
{
	my ($name, $pattern, $entity, $fields, %args) = @_;
	my $run = table($entity, $fields, join(', ', map { qq("$_" text) } @$fields), %args);
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(AppflowTest::RestApps::told($run));
	is($app->sql("SELECT count(*) FROM $run->{table}"), 0, '... and nothing is half done');
	$app->control('reset');
}
fails('... but not if it is not in the records: they would be others', qr/^Error: .*cannot evaluate a condition on "city".*not among the fields that are read/s, 'properties/1001', [qw(country activeUsers)], filters => [ between('city', 'B', 'L', 'string') ]);
fails('the same of an hour', qr/^Error: .*condition on "dateHour"/s, 'properties/1001', [qw(country activeUsers)], filters => [ between('dateHour', '2024-01-10T03:00:00', '2024-01-11T07:00:00', 'timestamp') ]);
$run = table('properties/1001', [qw(dateHour activeUsers)], '"dateHour" timestamp, "activeUsers" int', filters => [ between('dateHour', '2024-01-10T03:00:00', '2024-01-11T07:00:00', 'datetime') ]);
is($app->sql(qq(SELECT count(*) || ' ' || (min("dateHour") > '2024-01-10 03:00') || ' ' || (max("dateHour") < '2024-01-11 07:00') FROM $run->{table})), $app->sql(q(SELECT count(DISTINCT e ->> 'dateHour') FROM event WHERE e ->> 'dateHour' > '2024011003' AND e ->> 'dateHour' < '2024011107')) . ' true true', 'hours, if they are in the records');
like(body(qr/runReport/), qr/"startDate":"2024-01-10","endDate":"2024-01-11"/, '... of no more days than needed');
$run = table('properties/1001', [qw(city activeUsers)], 'city text, "activeUsers" int', filters => [ $app->filter('city', 'EQUAL_TO', VALUE => 'Oslo') ]);
like($run->{refused} // $run->{message}, qr/EQUAL_TO/, 'an operator that Google Analytics does not have in flows');

# ---------------------------------------------------------------- what comes with a report

foreach my $case ([ { sampled => 1 }, qr/sample of 1000 of 4000/ ], [ { other => 1 }, qr/rolled together into "\(other\)"/ ], [ { thresholds => 1 }, qr/subject to thresholds/ ])
{
	$app->control('set', $case->[0]);
	$run = table('properties/1001', [qw(country activeUsers)], 'country text, "activeUsers" int');
	like("$run->{status}: " . ($run->{message} // ''), qr/^Successful: .*$case->[1]/s, 'a run tells: ' . (keys %{ $case->[0] })[0]) or diag(AppflowTest::RestApps::told($run));
	$app->control('set', { map { $_ => 0 } keys %{ $case->[0] } });
}
$run = table('properties/1001', [qw(country activeUsers)], 'country text, "activeUsers" int');
is($run->{message}, undef, '... and nothing when there is nothing to tell');
$app->control('set', { restricted => 1 });
fails('a metric of zeros for those who may not see it', qr/^Error: .*"activeUsers".* zeros only/s, 'properties/1001', [qw(country activeUsers)]);
$app->control('set', { restricted => 0, swap => 1 });
fails('columns in another order', qr/^Error: .*no column "country" where it was asked for/s, 'properties/1001', [qw(country city activeUsers)]);
$app->control('set', { swap => 0, max => 50, grow => 4000 });
fails('a report that grows while it is read', qr/^Error: .*changed while it was read: it had \d+ rows, then \d+/s, 'properties/1001', [qw(date customEvent:serial activeUsers)]);
$app->control('set', { max => 0, grow => 0 });
$app->control('seed', { events => 3000 });

# ---------------------------------------------------------------- limits

$run = $app->pull('site', 'properties/1001', [], to => 'JSON', tasks => [ { taskType => 'Map_all', sourceFields => [] } ]);
like($run->{message} // $run->{refused}, qr/not all fields of entity "properties\/1001" can be read at once/, 'all fields');
fails('ten dimensions', qr/^Error: .*at most 9 dimensions/s, 'properties/1001', [qw(date country city deviceCategory eventName pagePath sessionSource browser language operatingSystem)]);
fails('eleven metrics', qr/^Error: .*at most 10 metrics/s, 'properties/1001', [qw(activeUsers totalUsers newUsers sessions eventCount screenPageViews totalRevenue purchaseRevenue averageSessionDuration engagementRate bounceRate)]);
fails('no metric of a view', qr/^Error: .*needs a metric/s, 'ga:9001', ['ga:country']);
$run = table('properties/1001', ['city'], 'city text');
is($app->sql("SELECT count(*) FROM $run->{table}"), 7, 'dimensions alone, of a property') or diag(AppflowTest::RestApps::told($run));
$run = table('properties/1001', [qw(activeUsers eventCount)], '"activeUsers" int, "eventCount" int');
is($app->sql(qq(SELECT "activeUsers" || ' ' || "eventCount" FROM $run->{table})), '37 3000', 'metrics alone');

# ---------------------------------------------------------------- in spite of all

foreach my $kind ('throttle?n=2&match=runReport', 'fault?kind=status=503&match=runReport', 'fault?kind=drop&skip=1&match=runReport')
{
	$app->control('set', { max => 100 });
	$app->control('reset');
	$app->control($kind);
	$run = table('properties/1001', [qw(date country city sessions)], '"date" date, country text, city text, sessions int, PRIMARY KEY ("date", country, city)');
	is(outcome($run), 'Successful ' . $app->sql('SELECT count(*) FROM (SELECT 1 FROM fact GROUP BY date, country, city) x') . ' 0', $kind) or diag(AppflowTest::RestApps::told($run));
}
# the token expires between two pages
$app->control('reset');
$app->control('fault?kind=status=401&skip=1&match=runReport');
$run = table('properties/1001', [qw(date country city sessions)], '"date" date, country text, city text, sessions int');
is($run->{status} . ' ' . scalar($app->seen(qr{POST /token})), 'Successful 1', 'a token that is not taken any more is renewed') or diag(AppflowTest::RestApps::told($run));
$app->control('expire');
$run = table('properties/1001', [qw(country sessions)], 'country text, sessions int');
is($run->{status}, 'Successful', '... also before the first page');
$app->control('set', { max => 0 });

# ---------------------------------------------------------------- what goes wrong

profile('revoked', accessToken => 'planted-wrong', refreshToken => 'planted-revoked');
fails('a refresh token that was revoked', qr/^Error: .*invalid_grant/s, 'properties/1001', [qw(country sessions)], profile => 'revoked');
profile('client', clientSecret => 'planted-not-it', accessToken => 'planted-wrong');
fails('a wrong client secret', qr/^Error: .*invalid_client/s, 'properties/1001', [qw(country sessions)], profile => 'client');
like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"client\", \"connectorEntityName\": \"properties/1002\"}')"), qr/^WF401: /s, 'fields with it');
fails('a property of others', qr/^Error: .*sufficient permissions/s, 'properties/4711', [qw(country sessions)]);
fails('a view of others', qr/^Error: .*sufficient permissions/s, 'ga:4711', [qw(ga:country ga:sessions)]);
fails('no entity', qr/^(Error|refused): .*"sessions" is neither a property nor a view/s, 'sessions', ['country']);
fails('an unknown field', qr/^Error: .*"nickname"/s, 'properties/1001', [qw(country nickname)]);
fails('a blocked metric', qr/^Error: .*"advertiserAdCost"/s, 'properties/1001', [qw(country advertiserAdCost)]);
$app->control('fault?kind=html&match=runReport');
fails('HTML', qr/^Error: .*JSON/s, 'properties/1001', [qw(country sessions)]);
$app->control('fault?kind=cut&n=1000&match=runReport');
fails('a page that breaks off', qr/^Error: /s, 'properties/1001', [qw(date city sessions)]);
$app->control('fault?kind=cutjson&match=runReport');
fails('JSON that breaks off', qr/^Error: .*malformed/s, 'properties/1001', [qw(date city sessions)]);
$app->control('fault?kind=utf8&match=runReport');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, 'properties/1001', [qw(date city sessions)]);
$app->control('fault?kind=replace={"value":"Norway"},=>&match=runReport');
fails('a row that lacks a value', qr/^Error: .*row without its values/s, 'properties/1001', [qw(country city sessions)]);
$app->control('fault?kind=replace="rows"=>"lines"&match=runReport');
fails('rows that are not there', qr/^Error: .*0 rows, where up to/s, 'properties/1001', [qw(country city sessions)]);
$app->control('fault?kind=replace="rowCount"=>"count"&match=runReport');
fails('how many rows is not told', qr/^Error: .*does not say how many rows/s, 'properties/1001', [qw(country city sessions)]);
$app->control('fault?kind=replace="20240105"=>"20240231"&match=runReport');
$run = table('properties/1001', [qw(date sessions)], 'date date, sessions int');
is(outcome($run), 'Successful 60 1', 'a day that there is not fails its record') or diag(AppflowTest::RestApps::told($run));
$app->control('set', { max => 50, stuck => 1 });
fails('pages without end', qr/^Error: .*(does not say what follows|where up to \d+ were due)/s, 'ga:9001', [qw(ga:date ga:city ga:sessions)]);
$app->control('set', { max => 0, stuck => 0 });
$app->control('throttle?n=1000&match=runReport');
fails('throttled for ever', qr/^Error: .*Exhausted concurrent requests/s, 'properties/1001', [qw(country sessions)]);
$app->control('reset');
$app->control('fault?kind=status=500&n=1000&match=runReport');
$run = table('properties/1001', [qw(country sessions)], 'country text, sessions int');
is($run->{status} . ' ' . scalar($app->seen(qr/runReport/)), 'Error 3', 'errors of the server are counted by Google: few are asked for') or diag(AppflowTest::RestApps::told($run));
$app->control('reset');
unlike(slurp_file($app->{node}->logfile), qr/planted-(google|wrong|refresh|revoked|access|client-secret|not-it)/, 'no token in the log');

# forget what was told of entities
sub forget
{
	$app->sql('SELECT appflow.reset_connector_metadata_cache(\'{"connectorProfileName": "site"}\')');
	return 1;
}
done_testing();
