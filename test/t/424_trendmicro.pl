# Trend Micro: computers, policies, rules by searches; what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('saas/trendmicro.js', 'Trendmicro', 'Trendmicro', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { computers => 1720, policies => 12, intrusionpreventionrules => 30 });
$app->profile('manager', { apiSecretKey => 'planted-trend' }, { instanceUrl => $app->{url} });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table { return $app->into_table('manager', @_); }
sub fails { return $app->fails('manager', @_); }

# ---------------------------------------------------------------- what there is

is(scalar @{ $app->entities('manager')->{Objects} }, 13, 'what can be read');
my $fields = $app->fields('manager', 'computers');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(ID hostName lastAgentCommunication computerStatus locked)), 'Long String DateTime Struct Boolean', 'fields of computers, one that only its records tell');
is($fields->{ID}{isPrimaryKey}, JSON::PP::true, 'the key');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table('computers', [qw(ID hostName displayName policyID lastAgentCommunication computerStatus)], '"ID" bigint PRIMARY KEY, "hostName" text, "displayName" text, "policyID" int, "lastAgentCommunication" timestamptz, "computerStatus" jsonb');
is(outcome($run), 'Successful 1720 0', 'computers into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(*) || ' ' || min("ID") || ' ' || max("ID") || ' ' || count("policyID") || ' ' || count(*) FILTER (WHERE "displayName" = '') || ' ' || count(*) FILTER (WHERE "computerStatus" ->> 'agentStatus' = 'inactive') || ' ' || (max("lastAgentCommunication") AT TIME ZONE 'UTC') FROM $run->{table})),
	'1720 1 1720 860 573 430 2024-01-02 04:40:00', 'all of them, once');
is($app->sql(qq(SELECT "hostName" || ' ' || "displayName" FROM $run->{table} WHERE "ID" = 7)), 'wéb-7.example web "7"', 'as they are');
my @pages = $app->seen(qr{computers/search});
is(scalar @pages, 5, 'pages of 500, the last has nothing');
is($pages[0]{body}, '{"maxItems":500,"sortByObjectID":true,"searchCriteria":[{"idTest":"greater-than","idValue":0}]}', 'the first');
is($pages[1]{body}, '{"maxItems":500,"sortByObjectID":true,"searchCriteria":[{"idTest":"greater-than","idValue":500}]}', 'each begins behind the one before');
$app->control('set', { short => 100 });
is(outcome(table('computers', ['ID'], '"ID" bigint PRIMARY KEY')), 'Successful 1720 0', 'short pages are not the last');
$app->control('set', { short => 0 });

$run = $app->pull('manager', 'computers', [qw(ID hostName)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 1720 0', 'computers into Parquet') or diag(AppflowTest::RestApps::told($run));
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
is(scalar @$rows, 1720, '... all of them');
is_deeply((sort { $a->[0] <=> $b->[0] } @$rows)[1719], [ 1720, 'wéb-1720.example' ], '... read back');

$run = table('intrusionpreventionrules', [qw(ID name identifier lastUpdated)], '"ID" int, name text, identifier text, "lastUpdated" timestamptz');
is(outcome($run), 'Successful 30 0', 'rules, whose array has another name than the path') or diag(AppflowTest::RestApps::told($run));
$run = table('policies', [qw(ID name parentID)], '"ID" int, name text, "parentID" int', filters => [ $app->filter('name', 'EQUAL_TO', VALUE => 'policy 3') ]);
is(outcome($run), 'Successful 1 0', 'EQUAL_TO') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT name FROM $run->{table}"), 'policy 3', '... that one');
$run = table('computers', ['ID'], '"ID" int', filters => [ $app->filter('hostName', 'CONTAINS', VALUE => 'a') ]);
like($run->{refused} // $run->{message}, qr/CONTAINS/, 'an operator that Trend Micro does not have');

$run = table('policies', [qw(ID nickname)], '"ID" int, nickname text');
is(outcome($run), 'Successful 12 0', 'a field that no record has') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(nickname) FROM $run->{table}"), 0, '... is null');

# ---------------------------------------------------------------- in spite of all

foreach my $kind ('throttle?n=1&skip=2&match=computers', 'fault?kind=status=503&skip=1&match=computers')
{
	$app->control('reset');
	$app->control($kind);
	$run = table('computers', ['ID'], '"ID" bigint PRIMARY KEY');
	is(outcome($run), 'Successful 1720 0', $kind) or diag(AppflowTest::RestApps::told($run));
}

# ---------------------------------------------------------------- what goes wrong

$app->profile('wrong', { apiSecretKey => 'planted-wrong' });
fails('a wrong key', qr/^(Error|refused): .*Authentication required/s, 'policies', ['ID'], profile => 'wrong');
like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"wrong\", \"connectorEntityName\": \"roles\"}')"), qr/^WF401: .*Authentication required/s, 'fields with it');
fails('an unknown entity', qr/^(Error|refused): .*"hosts"/s, 'hosts', ['ID']);
$app->control('fault?kind=html&skip=1&match=computers');
fails('HTML', qr/^Error: .*JSON/s, 'computers', ['ID']);
$app->control('fault?kind=cut&n=100&skip=1&match=computers');
fails('a page that breaks off', qr/^Error: /s, 'computers', ['ID']);
$app->control('fault?kind=utf8&skip=2&match=computers');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, 'computers', ['ID']);
$app->control('throttle?n=1000&match=computers');
fails('throttled for ever', qr/^Error: .*Too many API requests/s, 'computers', ['ID']);
$app->control('expire');
fails('a key that is not valid any more', qr/^Error: .*Authentication required/s, 'computers', ['ID']);
unlike(slurp_file($app->{node}->logfile), qr/planted-trend/, 'no key in the log');
done_testing();
