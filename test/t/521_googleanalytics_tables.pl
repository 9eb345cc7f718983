# Google Analytics as foreign tables: what the columns that a statement names mean, and that every
# condition, order and limit gives what it gives of a table with the same groups.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

srand($ENV{REST_SEED} || 4713);
sub pick { return $_[ int rand @_ ]; }

my $app = AppflowTest::RestApps->new('googleanalytics', 'Googleanalytics', 'GoogleAnalytics', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { events => 3000 });
$app->profile('site', { clientId => 'planted-client', clientSecret => 'planted-client-secret', accessToken => 'planted-google', refreshToken => 'planted-refresh' });

# the events themselves: what groups of them there are, PostgreSQL says, too
$app->sql(q(CREATE TABLE event (e jsonb)));
{
	my $text = JSON::PP->new->canonical->ascii->encode($app->control('records?entity=events'));
	$app->sql("INSERT INTO event SELECT jsonb_array_elements(\$j\$$text\$j\$::jsonb)");
}
$app->sql(q(
	CREATE VIEW fact AS SELECT to_date(e ->> 'date', 'YYYYMMDD') AS date, to_timestamp(e ->> 'dateHour', 'YYYYMMDDHH24')::timestamp AS date_hour, e ->> 'country' AS country, e ->> 'city' AS city,
		e ->> 'customEvent:plan' AS plan, (e ->> 'user')::int AS usr, (e ->> 'session')::int AS session, (e ->> 'revenue')::float8 AS revenue FROM event;
	CREATE SERVER site FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'site');
	CREATE SCHEMA site;
	IMPORT FOREIGN SCHEMA "Objects" LIMIT TO ("properties/1001", "ga:9001") FROM SERVER site INTO site;
	ALTER FOREIGN TABLE site."1001" RENAME TO shop;
	ALTER FOREIGN TABLE site.ga_9001 RENAME TO old));

sub body { my @seen = $app->seen(qr/runReport|batchGet/); return @seen ? $seen[-1]{body} : ''; }
sub asked { my $body = body(); return join ' ', map { /^.*?"name":"(.*?)".*$/ ? $1 : () } ($body =~ /"dimensions":\[(.*?)\]/ ? split /,/, $1 : ()); }
sub same
{
	my ($name, $there, $here) = @_;
	is($app->sql($there), $app->sql($here), $name);
}

# ---------------------------------------------------------------- the columns that are named

is($app->sql(q(SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'site.shop'::regclass AND attname IN ('start_date', 'date', 'date_hour', 'custom_event_plan', 'active_users', 'total_revenue'))),
	'start_date date, date date, date_hour timestamp without time zone, custom_event_plan text, active_users bigint, total_revenue double precision', 'columns');
same('groups by country', q(SELECT country, active_users FROM site.shop ORDER BY 1), q(SELECT country, count(DISTINCT usr) FROM fact GROUP BY 1 ORDER BY 1));
$app->control('reset');
same('a column of WHERE makes groups, too', q(SELECT country, active_users FROM site.shop WHERE city IN ('Oslo', 'Bergen', 'Paris') ORDER BY 1, 2), q(SELECT country, count(DISTINCT usr) FROM fact WHERE city IN ('Oslo', 'Bergen', 'Paris') GROUP BY country, city ORDER BY 1, 2));
is(asked(), 'country city', '... it is asked for');
like(body(), qr/"inListFilter":\{"values":\["Oslo","Bergen","Paris"\],"caseSensitive":true\}/, '... and compared there');
same('of one value, it is the same group', q(SELECT country, sum(active_users) FROM site.shop WHERE city = 'Oslo' GROUP BY 1), q(SELECT country, count(DISTINCT usr) FROM fact WHERE city = 'Oslo' GROUP BY 1));
my $sums = q(SELECT country, sum(u) FROM (SELECT country, city, count(DISTINCT usr) AS u FROM fact GROUP BY 1, 2) x GROUP BY 1 ORDER BY 1);
isnt($app->sql($sums), $app->sql('SELECT country, count(DISTINCT usr) FROM fact GROUP BY 1 ORDER BY 1'), '(users do not add up)');
same('a subquery is what it says, whatever is used of it', 'SELECT country, sum(active_users) FROM (SELECT country, city, active_users FROM site.shop) x GROUP BY 1 ORDER BY 1', $sums);
is(asked(), 'country city', '... all of it');
$app->sql('CREATE VIEW by_city AS SELECT country, city, active_users FROM site.shop');
same('a view', 'SELECT country, sum(active_users) FROM by_city GROUP BY 1 ORDER BY 1', $sums);
same('a WITH query', 'WITH c AS (SELECT country, city, active_users FROM site.shop) SELECT country, sum(active_users) FROM c GROUP BY 1 ORDER BY 1', $sums);
same('... kept', 'WITH c AS MATERIALIZED (SELECT country, city, active_users FROM site.shop) SELECT country, sum(active_users) FROM c GROUP BY 1 ORDER BY 1', $sums);
same('an argument of ORDER BY', 'SELECT country, active_users FROM site.shop ORDER BY country, city COLLATE "C"', 'SELECT country, count(DISTINCT usr) FROM fact GROUP BY country, city ORDER BY country, city COLLATE "C"');
same('a branch of UNION ALL', 'SELECT country, sum(active_users) FROM (SELECT country, city, active_users FROM site.shop UNION ALL SELECT NULL, NULL, 1) x GROUP BY 1 ORDER BY 1', "SELECT * FROM ($sums) x UNION ALL SELECT NULL, 1");
same('two mentions are two relations', 'SELECT a.country, a.active_users, b.sessions FROM site.shop a JOIN site.shop b USING (country) ORDER BY 1', 'SELECT country, count(DISTINCT usr), count(DISTINCT session) FROM fact GROUP BY 1 ORDER BY 1');
same('rows that others lock', 'SELECT country, active_users FROM site.shop ORDER BY 1 FOR UPDATE', 'SELECT country, count(DISTINCT usr) FROM fact GROUP BY 1 ORDER BY 1');
is($app->sql('SELECT count(*) FROM (SELECT country, city FROM site.shop) x'), $app->sql('SELECT count(DISTINCT (country, city)) FROM fact'), 'how many groups');
$app->sql('CREATE FUNCTION countries() RETURNS SETOF record LANGUAGE sql STABLE AS $$ SELECT country, city, active_users FROM site.shop $$');
same('a function that is inlined', 'SELECT c, sum(u) FROM countries() AS f(c text, t text, u bigint) GROUP BY 1 ORDER BY 1', $sums);
$app->sql('CREATE MATERIALIZED VIEW kept AS SELECT country, city, active_users FROM site.shop; REFRESH MATERIALIZED VIEW kept');
same('a materialized view', 'SELECT country, sum(active_users) FROM kept GROUP BY 1 ORDER BY 1', $sums);
same('rows that are inserted', 'CREATE TEMPORARY TABLE t AS SELECT country, active_users FROM site.shop; INSERT INTO t SELECT country, active_users FROM (SELECT country, city, active_users FROM site.shop) x; SELECT country, sum(active_users) FROM t GROUP BY 1 ORDER BY 1', "SELECT country, sum(sum) FROM (($sums) UNION ALL SELECT country, count(DISTINCT usr) FROM fact GROUP BY 1) x(country, sum) GROUP BY 1 ORDER BY 1");
same('EXISTS', q(SELECT c FROM (VALUES ('Oslo'), ('Rome'), ('paris')) v(c) WHERE EXISTS (SELECT 1 FROM site.shop WHERE city = c) ORDER BY 1), q(SELECT c FROM (VALUES ('Oslo'), ('Rome'), ('paris')) v(c) WHERE c IN (SELECT city FROM fact) ORDER BY 1));
same('a cursor', 'BEGIN; DECLARE c CURSOR FOR SELECT country, active_users FROM site.shop ORDER BY country COLLATE "C"; FETCH 2 FROM c', 'SELECT country, count(DISTINCT usr) FROM fact GROUP BY 1 ORDER BY country COLLATE "C" LIMIT 2');
like($app->error_of('SELECT count(*) FROM site.shop'), qr/^WF400: .*needs a metric or a dimension/s, 'a statement that names none');
like($app->error_of('SELECT 1 FROM site.shop LIMIT 1'), qr/^WF400: .*needs a metric or a dimension/s, '... also with a limit');
like($app->error_of('SELECT * FROM site.shop'), qr/^WF400: .*at most 9 dimensions/s, 'all of them');
like($app->error_of('SELECT shop FROM site.shop'), qr/^WF400: .*at most 9 dimensions/s, 'all of them as a row');
like($app->error_of('SELECT ga_country FROM site.old'), qr/^WF400: .*needs a metric/s, 'a view wants a metric');
$app->sql(q(CREATE TABLE parts (country text, active_users bigint) PARTITION BY LIST (country)));
$app->sql(q(CREATE FOREIGN TABLE part PARTITION OF parts DEFAULT SERVER site OPTIONS (entity 'properties/1001')));
$app->sql(q(ALTER FOREIGN TABLE part ALTER active_users OPTIONS (ADD field 'activeUsers')));
like($app->error_of('SELECT country, active_users FROM parts'), qr/cannot be read as part of another/, 'part of another table');

# ---------------------------------------------------------------- windows

$app->control('reset');
same('users of a month', q(SELECT country, active_users FROM site.shop WHERE start_date = '2024-01-01' AND end_date = '2024-01-31' ORDER BY 1), q(SELECT country, count(DISTINCT usr) FROM fact WHERE date BETWEEN '2024-01-01' AND '2024-01-31' GROUP BY 1 ORDER BY 1));
like(body(), qr/"startDate":"2024-01-01","endDate":"2024-01-31"\}\],"dimensions":\[\{"name":"country"\}\]/, '... asked so');
same('the window is a column', q(SELECT start_date, end_date, active_users FROM site.shop WHERE start_date = date '2024-01-01' + 1 AND end_date = '2024-01-31'), q(SELECT '2024-01-02'::date, '2024-01-31'::date, count(DISTINCT usr) FROM fact WHERE date BETWEEN '2024-01-02' AND '2024-01-31'));
same('days of a window', q(SELECT date, active_users FROM site.shop WHERE start_date = '2024-01-10' AND end_date = '2024-01-20' AND date > '2024-01-15' ORDER BY 1), q(SELECT date, count(DISTINCT usr) FROM fact WHERE date BETWEEN '2024-01-16' AND '2024-01-20' GROUP BY 1 ORDER BY 1));
same('two windows', q(SELECT a.active_users, b.active_users FROM site.shop a, site.shop b WHERE a.start_date = '2024-01-01' AND a.end_date = '2024-01-07' AND b.start_date = '2024-01-08' AND b.end_date = '2024-01-14'), q(SELECT count(DISTINCT usr) FILTER (WHERE date <= '2024-01-07'), count(DISTINCT usr) FILTER (WHERE date > '2024-01-07') FROM fact WHERE date <= '2024-01-14'));
is($app->sql(q(SELECT active_users FROM site.shop WHERE start_date = '2024-01-20' AND end_date = '2024-01-10')), '', 'a window without days');
is($app->sql(q(SELECT active_users FROM site.shop WHERE start_date = '2024-01-01' AND start_date = '2024-01-02')), '', 'two beginnings');
same('of a view', q(SELECT ga_users FROM site.old WHERE start_date = '2024-01-01' AND end_date = '2024-01-31'), q(SELECT count(DISTINCT usr) FROM fact WHERE date BETWEEN '2024-01-01' AND '2024-01-31'));
is($app->sql(q(PREPARE w(date, date) AS SELECT active_users FROM site.shop WHERE start_date = $1 AND end_date = $2; SET plan_cache_mode = force_generic_plan; EXECUTE w('2024-01-01', '2024-01-31'); EXECUTE w('2024-01-01', '2024-01-01'))), $app->sql(q(SELECT count(DISTINCT usr) FROM fact WHERE date <= '2024-01-31' UNION ALL SELECT count(DISTINCT usr) FROM fact WHERE date = '2024-01-01')), 'a window of parameters');
like($app->sql(q(PREPARE w(date, text) AS SELECT active_users FROM site.shop WHERE start_date = $1 AND city = $2; SET plan_cache_mode = force_generic_plan; EXPLAIN EXECUTE w('2024-01-01', 'x'))), qr/"startDate":"\$1","endDate":"today".*"value":"\$2"/s, '... in a plan');
foreach my $condition ('', q(WHERE start_date >= '2024-01-01'), q(WHERE start_date IN ('2024-01-01', '2024-01-02')), q(WHERE start_date::text = '2024-01-01'))
{
	like($app->error_of("SELECT start_date, active_users FROM site.shop $condition"), qr/^WF400: .*"startDate" of .* needs a condition that it is equal to one date/s, "no window: $condition");
}
same('a view of windows', q(SELECT max(active_users) FROM (SELECT start_date, end_date, active_users FROM site.shop) x WHERE start_date = '2024-01-01' AND end_date = '2024-01-31'), q(SELECT count(DISTINCT usr) FROM fact WHERE date BETWEEN '2024-01-01' AND '2024-01-31'));
is($app->sql(q(SELECT date, active_users FROM site.shop WHERE date > '2999-01-01')), '', 'the future');

# ---------------------------------------------------------------- conditions, orders, limits

$app->control('reset');
same('a limit leaves the groups as they are', 'SELECT country FROM (SELECT country, city, sessions FROM site.shop) x ORDER BY country COLLATE "C", sessions LIMIT 3', 'SELECT country FROM fact GROUP BY country, city ORDER BY country COLLATE "C", count(DISTINCT session) LIMIT 3');
is(asked(), 'country city', '... all of them are asked for');
like(body(), qr/"limit":"3","offset":"0"/, '... and three come');
same('OFFSET', 'SELECT country, city FROM site.shop ORDER BY city COLLATE "C" DESC OFFSET 2 LIMIT 3', 'SELECT country, city FROM fact GROUP BY 1, 2 ORDER BY city COLLATE "C" DESC OFFSET 2 LIMIT 3');
like(body(), qr/"desc":true\}.*"limit":"3","offset":"2"/, '... is sent');
same('a limit with a condition that is checked here', q(SELECT country, city FROM site.shop WHERE city > 'C' ORDER BY city COLLATE "C" LIMIT 2), q(SELECT country, city FROM fact WHERE city > 'C' GROUP BY 1, 2 ORDER BY city COLLATE "C" LIMIT 2));
like(body(), qr/"limit":"1000"/, '... is no size of pages');
same('a view: ORDER BY a metric, LIMIT', 'SELECT ga_date, ga_sessions FROM site.old ORDER BY ga_sessions DESC, ga_date LIMIT 5', 'SELECT date, count(DISTINCT session) FROM fact GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5');
like(body(), qr/"sortOrder":"DESCENDING"\}.*"pageSize":5\b/, '... is sent');
is($app->sql('SELECT count(*) FROM (SELECT country, sessions FROM site.shop LIMIT 0) x'), 0, 'LIMIT 0');

foreach my $table ('shop WHERE total_revenue = 0', 'old WHERE ga_transaction_revenue <= 0')
{
	my $prefix = $table =~ /ga_/ ? 'ga_' : '';
	same("groups without anything to count: $table", "SELECT ${prefix}date, ${prefix}city FROM site.$table ORDER BY 1, 2", 'SELECT date, city FROM fact GROUP BY 1, 2 HAVING sum(revenue) = 0 ORDER BY 1, 2');
}
cmp_ok($app->sql('SELECT count(*) FROM (SELECT date, city FROM fact GROUP BY 1, 2 HAVING sum(revenue) = 0) x'), '>', 10, '... there are such');

# the same groups here; all columns are named by each query, so that they are the same groups there
$app->sql(q(
	CREATE TABLE here AS SELECT date, country, city, plan, count(DISTINCT usr) AS users, count(DISTINCT session) AS sessions, sum(revenue) AS revenue FROM fact GROUP BY 1, 2, 3, 4;
	CREATE VIEW there AS SELECT date, country, city, custom_event_plan AS plan, active_users AS users, sessions, total_revenue AS revenue FROM site.shop;
	CREATE VIEW there_view AS SELECT ga_date AS date, ga_country AS country, ga_city AS city, ga_dimension1 AS plan, ga_users AS users, ga_sessions AS sessions, ga_transaction_revenue AS revenue FROM site.old));
sub quoted { return "'" . ($_[0] =~ s/'/''/gr) . "'"; }
my @texts = ('Oslo', 'oslo', 'Paris', 'paris', 'Köln', 'K', '', 'B', '(not set)', 'x"y', '\\', "'", 'Norway', 'free', 'r');
my @days = map { sprintf "'2024-%02d-%02d'", 1 + int($_ / 28), 1 + $_ % 28 } 0 .. 56;
my @atoms = (
	sub { pick(qw(country city plan)) . ' ' . pick('=', '<>') . ' ' . quoted(pick(@texts)) },
	sub { pick(qw(country city)) . ' ' . pick('IN', 'NOT IN') . ' (' . join(', ', map { quoted(pick(@texts)) } 1 .. 3) . ')' },
	sub { pick(qw(country city)) . ' ' . pick('<', '>=') . ' ' . quoted(pick(@texts)) },
	sub { pick(qw(country city plan)) . ' LIKE ' . pick("'P%'", "'%r%'", "'N%'", "'%'", "'_a%'") },
	sub { pick(qw(country plan)) . ' IS ' . pick('NULL', 'NOT NULL') },
	(sub { 'date ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(@days) }) x 2,
	sub { 'date BETWEEN ' . pick(@days) . ' AND ' . pick(@days) },
	sub { 'date IN (' . join(', ', map { pick(@days) } 1 .. 4) . ')' },
	(sub { pick(qw(users sessions)) . ' ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . int(rand 9) }) x 2,
	sub { 'sessions IN (2, 4, 7)' },
	sub { 'users BETWEEN 2 AND 4' },
	sub { 'revenue ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(0, 0.25, 10, 12.5, 30) });
my $predicate;
$predicate = sub {
	my ($depth) = @_;
	return pick(@atoms)->() if $depth == 0 || rand() < 0.3;
	return pick('', '', 'NOT ') . '(' . $predicate->($depth - 1) . pick(' AND ', ' AND ', ' OR ') . $predicate->($depth - 1) . ')';
};
my $unique = 'date, country COLLATE "C", city COLLATE "C", plan COLLATE "C"';
my @tails = (" ORDER BY $unique", " ORDER BY $unique", " ORDER BY sessions DESC, $unique LIMIT 7", " ORDER BY city COLLATE \"C\" DESC, $unique LIMIT 5 OFFSET 3", " ORDER BY users, $unique OFFSET 4");
foreach my $table ('there', 'there_view')
{
	my @queries = map { [ $predicate->(pick(0, 1, 2)), pick(@tails) ] } 1 .. 120;
	my $sql = join '', map { my ($where, $tail) = @$_;
		my ($there, $here) = map { "ARRAY(SELECT (date, country, city, plan, users, sessions, revenue)::text FROM $_ WHERE $where$tail)" } $table, 'here';
		"SELECT CASE WHEN t = h THEN cardinality(h) > 0 ELSE NULL END FROM (SELECT $there AS t, $here AS h) x;\n" } @queries;
	my @same = split /\n/, $app->sql($sql), -1;
	my @different = grep { !defined $same[$_] || $same[$_] eq '' } 0 .. $#queries;
	is(scalar @different, 0, "120 random queries of $table") or diag map { "SELECT * FROM $table WHERE $queries[$_][0]$queries[$_][1]\n" } @different[ 0 .. ($#different > 4 ? 4 : $#different) ];
	cmp_ok(scalar(grep { $_ eq 't' } @same), '>', 30, '... not all of them empty');
}
my $pushed = join "\n", map { $_->{body} // '' } $app->seen(qr/runReport/);
like($pushed, $_, "some were sent: $_") foreach qr/"orGroup"/, qr/"notExpression"/, qr/"BEGINS_WITH"/, qr/"numericFilter"/, qr/"metricFilter"/, qr/"doubleValue"/, qr/"GREATER_THAN_OR_EQUAL"/;
$pushed = join "\n", map { $_->{body} // '' } $app->seen(qr/batchGet/);
like($pushed, $_, "of views: $_") foreach qr/"operator":"OR"/, qr/"not":true/, qr/"IN_LIST"/, qr/"metricFilterClauses"/;

# ---------------------------------------------------------------- ANALYZE, warnings, cancel, memory

$app->sql(q(CREATE FOREIGN TABLE narrow (date date, country text, active_users bigint OPTIONS (field 'activeUsers')) SERVER site OPTIONS (entity 'properties/1001', page_size '7'); ANALYZE narrow));
is($app->sql(q(SELECT reltuples FROM pg_class WHERE relname = 'narrow')), $app->sql('SELECT count(DISTINCT (date, country)) FROM fact'), 'ANALYZE');
$app->control('reset');
same('small pages', 'SELECT * FROM narrow ORDER BY 1, 2', 'SELECT date, country, count(DISTINCT usr) FROM fact GROUP BY 1, 2 ORDER BY 1, 2');
cmp_ok(scalar($app->seen(qr/runReport/)), '>', 20, '... many');
$app->control('set', { sampled => 1, thresholds => 1 });
foreach my $table ('shop', 'old')
{
	my $prefix = $table eq 'old' ? 'ga_' : '';
	my (undef, undef, $stderr) = $app->{node}->psql('postgres', "SELECT ${prefix}country, ${prefix}sessions FROM site.$table");
	like($stderr, qr/^psql:<stdin>:1: WARNING:  Google Analytics says of the report on entity ".*": it is made of a sample of 1000 of 4000/m, "a warning of $table");
}
$app->control('set', { sampled => 0, thresholds => 0 });
$app->control('fault?kind=slow&match=runReport');
like($app->error_of(q(SET statement_timeout = '200ms'; SELECT country, sessions FROM site.shop)), qr/^57014: canceling statement due to statement timeout/, 'a cancel while it waits');
$app->control('reset');

$app->control('seed', { events => 260000 });
my $grown = $app->sql(q(
	CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$ SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int / 1024 $$;
	SELECT count(*) FROM (SELECT country, city, sessions FROM site.shop) x;
	SELECT peak() AS before \gset
	SELECT count(*) || ' ' || count(DISTINCT s) FROM (SELECT date, country, city, custom_event_serial AS s, sessions FROM site.shop) x;
	SELECT peak() - :before));
my (undef, $rows, $megabytes) = split /\n/, $grown;
is($rows, '260000 260000', 'two pages of a quarter of a million');
cmp_ok($megabytes, '<', 40, '... in little memory');
note("$megabytes MB more");
unlike(slurp_file($app->{node}->logfile), qr/planted-(google|refresh|access|client-secret)/, 'no token in the log');
done_testing();
