# Singular: reports that are ordered, waited for and fetched; in flows and as foreign tables; what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

srand($ENV{REST_SEED} || 4714);
sub pick { return $_[ int rand @_ ]; }

my $app = AppflowTest::RestApps->new('singular', 'Singular', 'Singular', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { days => 75 });
$app->profile('ads', { apiKey => 'planted-singular' });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table
{
	my ($fields, $columns, %args) = @_;
	my $run = $app->pull($args{profile} || 'ads', $args{entity} || 'report', $fields, table => $columns, map { $_ => $args{$_} } grep { exists $args{$_} } qw(filters tasks));
	$run->{table} = 'public.table' . $app->{flows}{number};
	return $run;
}
sub equal { my ($field, $value, $type) = @_; return $app->filter($field, 'EQUAL_TO', DATA_TYPE => $type || 'string', VALUE => $value); }
sub window { my ($from, $to) = @_; return (equal('start_date', $from, 'date'), equal('end_date', $to, 'date')); }
sub orders { return map { my %form = map { my ($name, $value) = split /=/; $value =~ s/%(\w\w)/chr hex $1/ge; $name => $value } split /&/, $_->{body}; \%form } $app->seen(qr/create_async_report/); }

$app->sql('CREATE TABLE record (e jsonb)');
{
	my $text = JSON::PP->new->canonical->ascii->encode($app->control('records?entity=report'));
	$app->sql("INSERT INTO record SELECT jsonb_array_elements(\$j\$$text\$j\$::jsonb)");
}
$app->sql(q(CREATE VIEW fact AS SELECT (e ->> 'day')::date AS day, e ->> 'app' AS app, e ->> 'source' AS source, e ->> 'os' AS os, e ->> '8e10d3891cba7051a76062541641325b' AS incentivized, e ->> '430164a52cdb2b9dff48b06a080a3d3f' AS team, (e ->> 'cost')::float8 AS cost, (e ->> 'impressions')::float8 AS impressions, (e ->> 'clicks')::float8 AS clicks, (e ->> 'installs')::float8 AS installs, (e ->> 'revenue')::float8 AS revenue FROM record));

# ---------------------------------------------------------------- what there is

is(join(' ', map { $_->{name} } @{ $app->entities('ads')->{Objects} }), 'report', 'one entity');
my $fields = $app->fields('ads', 'report');
is(join(' ', map { "$_:" . $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(start_date date app adn_cost adn_clicks revenue_7d retained_users_actual 8e10d3891cba7051a76062541641325b)),
	'start_date:Date date:Date app:String adn_cost:Double adn_clicks:Double revenue_7d:Double retained_users_actual:Double 8e10d3891cba7051a76062541641325b:String', 'fields, those of the account among them');
is($fields->{'8e10d3891cba7051a76062541641325b'}{label} . ', ' . join(' ', @{ $fields->{os}{supportedFieldTypeDetails}{v1}{supportedValues} }), 'Incentivized, iOS Android', 'names for people');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table([qw(app source adn_cost custom_clicks ctr)], 'app text, source text, adn_cost float8, custom_clicks float8, ctr float8', filters => [ window('2024-01-03', '2024-02-20') ]);
is(outcome($run), 'Successful ' . $app->sql('SELECT count(DISTINCT (app, source)) FROM fact') . ' 0', 'a report of a window') or diag(AppflowTest::RestApps::told($run));
my $groups = q(SELECT app, source, sum(cost), sum(clicks), round((sum(clicks) / sum(impressions))::numeric, 6) FROM fact WHERE day BETWEEN '2024-01-03' AND '2024-02-20' GROUP BY 1, 2);
is($app->sql("SELECT count(*) FROM ($groups EXCEPT SELECT app, source, adn_cost, custom_clicks, round(ctr::numeric, 6) FROM $run->{table}) x"), 0, '... the groups that there are: rates of all of it');
my @orders = orders();
is(JSON::PP->new->canonical->encode($orders[0]), '{"country_code_format":"iso3","dimensions":"app,source","end_date":"2024-02-20","format":"json","metrics":"adn_cost,custom_clicks,ctr","start_date":"2024-01-03","time_breakdown":"all"}', '... ordered so');
is(scalar @orders, 1, '... as one');

$app->control('reset');
$run = table([qw(date os adn_cost)], '"date" date, os text, adn_cost float8', filters => [ window('2024-01-01', '2024-03-10') ]);
is(outcome($run), 'Successful ' . $app->sql(q(SELECT count(DISTINCT (day, os)) FROM fact WHERE day <= '2024-03-10')) . ' 0', 'by days') or diag(AppflowTest::RestApps::told($run));
is(join(' ', map { "$_->{start_date}/$_->{end_date}/$_->{time_breakdown}" } orders()), '2024-01-01/2024-01-30/day 2024-01-31/2024-02-29/day 2024-03-01/2024-03-10/day', '... in pieces of thirty');
is($app->sql(qq(SELECT count(*) FROM (SELECT day, os, sum(cost) FROM fact WHERE day <= '2024-03-10' GROUP BY 1, 2 EXCEPT SELECT * FROM $run->{table}) x)), 0, '... all of them');
$app->control('reset');
$run = table([qw(month custom_installs)], '"month" date, custom_installs float8', filters => [ window('2024-01-10', '2024-03-05') ]);
is($app->sql(qq(SELECT string_agg("month" || ' ' || custom_installs, ', ' ORDER BY 1) FROM $run->{table})), $app->sql(q(SELECT string_agg(m || ' ' || i, ', ' ORDER BY m) FROM (SELECT greatest(date_trunc('month', day)::date, '2024-01-10') AS m, sum(installs) AS i FROM fact WHERE day BETWEEN '2024-01-10' AND '2024-03-05' GROUP BY 1) x)), 'by months') or diag(AppflowTest::RestApps::told($run));

$app->control('reset');
$run = table([qw(start_date end_date app tracker_clicks revenue_7d revenue_30d roi_1d)], 'start_date date, end_date date, app text, tracker_clicks float8, revenue_7d float8, revenue_30d float8, roi_1d float8', filters => [ window('2024-01-01', '2024-01-20') ]);
is(outcome($run), 'Successful 2 0', 'cohorts and discrepancies') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT min(start_date) || ' ' || max(end_date) || ' ' || sum(tracker_clicks) || ' ' || sum(revenue_7d) || ' ' || sum(revenue_30d) FROM $run->{table}"), $app->sql(q(SELECT '2024-01-01 2024-01-20 ' || sum(clicks) * 2 || ' ' || sum(revenue) * 2 || ' ' || sum(revenue) * 3 FROM fact WHERE day <= '2024-01-20')), '... each what it is');
@orders = orders();
is(join(' ', map { "$_=$orders[0]{$_}" } qw(cohort_metrics cohort_periods discrepancy_metrics)), 'cohort_metrics=revenue,roi cohort_periods=7d,30d,1d discrepancy_metrics=tracker_clicks', '... ordered apart');
foreach my $named (0, 1)
{
	$app->control('set', { named => $named });
	$run = table([ '8e10d3891cba7051a76062541641325b', '430164a52cdb2b9dff48b06a080a3d3f', 'adn_cost' ], '"8e10d3891cba7051a76062541641325b" text, "430164a52cdb2b9dff48b06a080a3d3f" text, adn_cost float8', filters => [ window('2024-01-01', '2024-01-20') ]);
	is($app->sql(qq(SELECT count(*) FROM (SELECT incentivized, team, sum(cost) FROM fact WHERE day <= '2024-01-20' GROUP BY 1, 2 EXCEPT SELECT * FROM $run->{table}) x)), 0, 'dimensions of the account, by ' . ($named ? 'names' : 'ids')) or diag(AppflowTest::RestApps::told($run));
}
$app->control('set', { named => 0 });
$run = table([qw(keyword adn_impressions)], 'keyword text, adn_impressions float8', filters => [ window('2024-01-01', '2024-01-01') ]);
cmp_ok($app->sql("SELECT count(*) - count(adn_impressions) FROM $run->{table}"), '>', 0, 'what Singular leaves out is null');
$run = $app->pull('ads', 'report', [qw(date app source os adn_cost)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } }, filters => [ window('2024-01-01', '2024-02-15') ]);
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
is(scalar @$rows, $app->sql(q(SELECT count(DISTINCT (day, app, source, os)) FROM fact WHERE day <= '2024-02-15')), 'into Parquet') or diag(AppflowTest::RestApps::told($run));

# ---------------------------------------------------------------- filters

# a dimension that is not mapped makes no groups; its values have other names there
$app->control('reset');
$run = table([qw(app adn_cost)], 'app text, adn_cost float8', filters => [ window('2024-01-01', '2024-01-31'), equal('os', 'Android'), $app->filter('source', 'EQUAL_TO', DATA_TYPE => 'string', VALUES => '["AdWords", "AppLovin \"X\""]') ]);
is($app->sql("SELECT count(*) FROM (SELECT app, sum(cost) FROM fact WHERE day <= '2024-01-31' AND os = 'Android' AND source <> 'Facebook' GROUP BY 1 EXCEPT SELECT * FROM $run->{table}) x") . ' ' . $app->sql("SELECT count(*) FROM $run->{table}"), '0 ' . $app->sql(q(SELECT count(DISTINCT app) FROM fact WHERE os = 'Android' AND source <> 'Facebook')), 'EQUAL_TO on dimensions that are not mapped') or diag(AppflowTest::RestApps::told($run));
@orders = orders();
is($orders[0]{filters} . ' ' . $orders[0]{dimensions}, '[{"dimension":"os","operator":"in","values":[4]},{"dimension":"source","operator":"in","values":["adwords","applovin"]}] app', '... by their names there');
$run = table([qw(app source adn_cost)], 'app text, source text, adn_cost float8', filters => [ window('2024-01-01', '2024-01-31'), equal('source', 'FACEBOOK') ]);
is(outcome($run), 'Successful 0 0', 'a value in other letters is another') or diag(AppflowTest::RestApps::told($run));
$run = table([qw(keyword adn_cost)], 'keyword text, adn_cost float8', filters => [ window('2024-01-01', '2024-01-31'), equal('keyword', 'k7') ]);
is($app->sql("SELECT count(*) FROM $run->{table}"), 1, 'a dimension without filters there is compared here');
my $installs = $app->sql(q(SELECT sum(installs) FROM fact WHERE day <= '2024-01-31' AND app = 'Second'));
$run = table([qw(app source)], 'app text, source text', filters => [ window('2024-01-01', '2024-01-31'), equal('custom_installs', $installs, 'double') ]);
is(outcome($run), 'Successful 0 0', 'a metric that is not mapped') or diag(AppflowTest::RestApps::told($run));
$run = table([qw(app)], 'app text', filters => [ window('2024-01-01', '2024-01-31'), equal('custom_installs', $installs, 'double') ]);
is($app->sql("SELECT string_agg(app, ' ') FROM $run->{table}"), 'Second', '... is one of the group') or diag(AppflowTest::RestApps::told($run));
sub fails
{
	my ($name, $pattern, $fields, %args) = @_;
	my $run = table($fields, join(', ', map { qq("$_" text) } @$fields), filters => [ window('2024-01-01', '2024-03-10') ], %args);
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(AppflowTest::RestApps::told($run));
	is($app->sql("SELECT count(*) FROM $run->{table}"), 0, '... and nothing is half done');
	$app->control('reset');
}
fails('... but not if it is not mapped: the records would be others', qr/^Error: .*cannot evaluate a condition on "keyword"/s, [qw(app adn_cost)], filters => [ window('2024-01-01', '2024-01-31'), equal('keyword', 'k7') ]);
$run = $app->pull('ads', 'report', [], to => 'JSON', tasks => [ window('2024-01-01', '2024-01-31'), { taskType => 'Map_all', sourceFields => [] } ]);
like($run->{message} // $run->{refused}, qr/not all fields of entity "report" can be read at once/, 'all fields');
fails('no window', qr/^Error: .*nothing says on which day/s, [qw(app adn_cost)], filters => []);
fails('half a window that is read', qr/^Error: .*"end_date".*needs a condition/s, [qw(end_date adn_cost)], filters => [ equal('start_date', '2024-01-01', 'date') ]);
fails('days and months', qr/^Error: .*one of "date" and "month"/s, [qw(date month adn_cost)]);
fails('an operator that Singular does not have', qr/^refused: .*GREATER_THAN/s, [qw(app adn_cost)], filters => [ $app->filter('app', 'GREATER_THAN', VALUE => 'a') ]);
$run = table([qw(app adn_cost)], 'app text, adn_cost float8', filters => [ window('2024-02-01', '2024-01-31') ]);
is(outcome($run), 'Successful 0 0', 'a window without days') or diag(AppflowTest::RestApps::told($run));

# ---------------------------------------------------------------- in spite of all

my $whole = 'Successful ' . $app->sql(q(SELECT count(DISTINCT (day, os)) FROM fact WHERE day <= '2024-03-10')) . ' 0';
foreach my $kind ([ 'throttle?n=2&match=create_async' ], [ 'throttle?n=1&match=report_status' ], [ 'fault?kind=status=503&match=report_status' ], [ 'fault?kind=drop&match=store' ], [ set => { polls => 2 } ], [ set => { stale => 2 } ], [ set => { fail => 1 } ])
{
	$app->control('reset');
	$app->control(@$kind);
	$run = table([qw(date os adn_cost)], '"date" date, os text, adn_cost float8, PRIMARY KEY ("date", os)', filters => [ window('2024-01-01', '2024-03-10') ]);
	is(outcome($run), $whole, ref $kind->[1] ? join ' ', %{ $kind->[1] } : $kind->[0]) or diag(AppflowTest::RestApps::told($run));
	$app->control('set', { polls => 0, stale => 0, fail => 0 });
}

# ---------------------------------------------------------------- what goes wrong

$app->control('set', { fail => 2 });
fails('a report that fails twice', qr/^Error: .*could not make the report.*Internal timeout/s, [qw(date adn_cost)]);
$app->control('set', { fail => 0, stale => 1000 });
fails('URLs that are never good', qr/^Error: .*Request has expired/s, [qw(date adn_cost)]);
$app->control('set', { stale => 0, refuse => 1 });
fails('an error with status 200', qr/^Error: .*Something is wrong with your API key quota/s, [qw(date adn_cost)]);
$app->control('set', { refuse => 0, cap => 200000 });
fails('as many records as there can be', qr/^Error: .*as many records as Singular gives at most, 200000/s, [qw(app adn_cost)]);
$app->control('set', { cap => 0 });
$app->profile('wrong', { apiKey => 'planted-wrong' });
fails('a wrong key', qr/^Error: .*API key is not valid/s, [qw(app adn_cost)], profile => 'wrong');
like($app->error_of("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"wrong\"}')"), qr/^WF401: .*API key is not valid/s, 'a list with it');
fails('an unknown entity', qr/^(Error|refused): .*no entity "reports"/s, [qw(app adn_cost)], entity => 'reports');
fails('an unknown field', qr/^Error: .*"nickname"/s, [qw(app nickname)]);
foreach my $place (qw(report_status store))
{
	$app->control("fault?kind=html&match=$place");
	fails("HTML: $place", qr/^Error: .*JSON/s, [qw(date adn_cost)]);
	$app->control("fault?kind=cutjson&match=$place");
	fails("JSON that breaks off: $place", qr/^Error: .*(malformed|JSON)/s, [qw(date adn_cost)]);
}
$app->control('fault?kind=cut&n=1000&skip=1&match=store');
fails('the second piece breaks off', qr/^Error: /s, [qw(date adn_cost)]);
$app->control('fault?kind=utf8&match=store');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, [qw(date app adn_cost)]);
$app->control('fault?kind=replace="results"=>"rows"&match=store');
fails('a document without records', qr/^Error: .*no member "results"/s, [qw(date adn_cost)]);
$app->control('fault?kind=replace="status":0=>"state":0&match=report_status');
fails('an answer without a status', qr/^Error: .*has no status/s, [qw(date adn_cost)]);
$app->control('fault?kind=replace="DONE"=>"LOST"&match=report_status');
fails('a state that is not known', qr/^Error: .*not known: LOST/s, [qw(date adn_cost)]);
$app->control('fault?kind=replace="2024-01-05"=>"2024-13-05"&match=store');
$run = table([qw(date adn_cost)], '"date" date, adn_cost float8', filters => [ window('2024-01-01', '2024-01-10') ]);
is(outcome($run), 'Successful 10 1', 'a day that there is not fails its record') or diag(AppflowTest::RestApps::told($run));
$app->control('reset');
$app->control('throttle?n=1000&match=create_async');
fails('throttled for ever', qr/^Error: .*Too many concurrent reports/s, [qw(date adn_cost)]);
$app->control('expire');
fails('a key that is not good any more', qr/^Error: .*API key is not valid/s, [qw(date adn_cost)]);
$app->control('seed', { keys => ['planted-singular'] });

# ---------------------------------------------------------------- foreign tables

$app->sql(q(CREATE SERVER ads FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'ads'); CREATE SCHEMA ads; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER ads INTO ads;
	CREATE TABLE here AS SELECT day AS date, app, source, os, incentivized, nullif(sum(cost), 0) AS cost, nullif(sum(installs), 0) AS installs FROM fact GROUP BY 1, 2, 3, 4, 5;
	CREATE VIEW there AS SELECT date, app, source, os, "8e10d3891cba7051a76062541641325b" AS incentivized, adn_cost AS cost, custom_installs AS installs FROM ads.report));
$app->control('reset');
is($app->sql(q(SELECT app, sum(adn_cost) FROM ads.report WHERE date BETWEEN '2024-01-01' AND '2024-02-20' AND os = 'iOS' GROUP BY 1 ORDER BY 1)), $app->sql(q(SELECT app, sum(cost) FROM fact WHERE day <= '2024-02-20' AND os = 'iOS' GROUP BY 1 ORDER BY 1)), 'a condition on a dimension and on days');
@orders = orders();
is("$orders[0]{dimensions} $orders[0]{filters} " . @orders, 'app,os [{"dimension":"os","operator":"in","values":[1]}] 2', '... all that is named is asked for');
is($app->sql(q(SELECT app, ctr FROM ads.report WHERE start_date = '2024-01-01' AND end_date = '2024-03-01' ORDER BY 1)), $app->sql(q(SELECT app, sum(clicks) / sum(impressions) FROM fact WHERE day <= '2024-03-01' GROUP BY 1 ORDER BY 1)), 'a rate of a window');
is($app->sql(q(SELECT count(*) FROM (SELECT app, os FROM ads.report WHERE start_date = '2024-01-01' AND end_date = '2024-03-01') x)), $app->sql('SELECT count(DISTINCT (app, os)) FROM fact'), 'how many groups');
like($app->sql(q(EXPLAIN SELECT app, adn_cost FROM ads.report WHERE start_date = '2024-01-01' AND end_date = '2024-03-01' AND os = 'iOS')), qr/POST \/api\/v2\.0\/create_async_report start_date=2024-01-01&end_date=2024-03-01&dimensions=app,os&metrics=adn_cost&time_breakdown=all&format=json&country_code_format=iso3&filters=\[\{"dimension":"os","operator":"in","values":\["iOS"\]\}\]/, 'EXPLAIN');
like($app->error_of('SELECT app, adn_cost FROM ads.report'), qr/^WF400: .*nothing says on which day/s, 'no window');
like($app->error_of(q(SELECT count(*) FROM ads.report WHERE date = '2024-01-01' AND false OR date = '2024-01-02' AND start_date > '2024-01-01')), qr/^WF400: .*"start_date".*needs a condition/s, 'a window that is no date');
my @texts = ('iOS', 'ios', 'Android', 'AdWords', 'Facebook', 'AppLovin "X"', 'Second', 'Größe', 'Yes', '', "'");
sub quoted { return "'" . ($_[0] =~ s/'/''/gr) . "'"; }
my @atoms = (
	(sub { pick(qw(app source os incentivized)) . ' ' . pick('=', '<>') . ' ' . quoted(pick(@texts)) }) x 2,
	sub { pick(qw(app source os)) . ' ' . pick('IN', 'NOT IN') . ' (' . join(', ', map { quoted(pick(@texts)) } 1 .. 3) . ')' },
	sub { pick(qw(app source)) . " LIKE '%o%'" },
	sub { 'date ' . pick('=', '<>', '<', '<=', '>', '>=') . " '2024-01-" . pick('04', '10', '15') . "'" },
	sub { pick(qw(cost installs)) . ' ' . pick('=', '<', '>=', '<>') . ' ' . pick(1, 2, 3, 4.25) },
	sub { 'cost IS ' . pick('NULL', 'NOT NULL') });
my $predicate;
$predicate = sub {
	my ($depth) = @_;
	return pick(@atoms)->() if $depth == 0 || rand() < 0.3;
	return pick('', '', 'NOT ') . '(' . $predicate->($depth - 1) . pick(' AND ', ' AND ', ' OR ') . $predicate->($depth - 1) . ')';
};
my @queries = map { "date BETWEEN '2024-01-02' AND '2024-01-20' AND (" . $predicate->(pick(0, 1, 2)) . ') ORDER BY date, app, source, os, incentivized' . pick('', ' LIMIT 5', ' LIMIT 4 OFFSET 3') } 1 .. 60;
my @same = split /\n/, $app->sql(join '', map { my $where = $_; my ($there, $here) = map { "ARRAY(SELECT (date, app, source, os, incentivized, cost, installs)::text FROM $_ WHERE $where)" } qw(there here);
	"SELECT CASE WHEN t = h THEN cardinality(h) > 0 ELSE NULL END FROM (SELECT $there AS t, $here AS h) x;\n" } @queries), -1;
my @different = grep { !defined $same[$_] || $same[$_] eq '' } 0 .. $#queries;
is(scalar @different, 0, '60 random queries') or diag map { "$queries[$_]\n" } @different[ 0 .. ($#different > 4 ? 4 : $#different) ];
cmp_ok(scalar(grep { $_ eq 't' } @same), '>', 15, '... not all of them empty');
$app->control('set', { polls => 1000 });
like($app->error_of(q(SET statement_timeout = '500ms'; SELECT app, adn_cost FROM ads.report WHERE date = '2024-01-01')), qr/^57014: canceling statement due to statement timeout/, 'a cancel while it waits');
$app->control('set', { polls => 0, cap => 199999 });
my (undef, $count, $megabytes) = split /\n/, $app->sql(q(
	CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$ SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int / 1024 $$;
	SELECT count(*) FROM (SELECT app FROM ads.report WHERE start_date = '2024-01-01' AND end_date = '2024-01-01' LIMIT 1) x;
	SELECT peak() AS before \gset
	SELECT count(*) FROM (SELECT app, source, os, adn_cost, ctr FROM ads.report WHERE start_date = '2024-01-01' AND end_date = '2024-01-31') x;
	SELECT peak() - :before));
is($count, 199999, 'a large report');
cmp_ok($megabytes, '<', 32, '... in little memory');
$app->control('set', { cap => 0 });
my ($fetched) = $app->seen(qr{/store/});
ok($fetched, 'reports are fetched');
unlike(slurp_file($app->{node}->logfile), qr/planted-(singular|wrong)|X-Amz-Signature/, 'no key and no signature in the log');
done_testing();
