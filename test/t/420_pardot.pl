# Account Engagement (Pardot): objects by pages of ids; what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('saas/pardot.js', 'Pardot', 'Pardot', q(appflow.max_retry_delay = '100ms'));
my %unit = (instanceUrl => $app->{url}, isSandboxEnvironment => JSON::PP::false, businessUnitId => '0Uv000000000000001');
$app->control('seed', { prospects => 3500, lists => 40, 'list-memberships' => 90, folders => 5 });
$app->profile('unit', { accessToken => 'planted-pardot' }, \%unit);

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table { return $app->into_table('unit', @_); }
sub fails { return $app->fails('unit', @_); }

# ---------------------------------------------------------------- what there is

my %listed = map { $_->{name} => $_ } @{ $app->entities('unit')->{Objects} };
is(scalar keys %listed, 25, 'objects');
is(json_text($listed{'list-memberships'}), '{"hasNestedEntities":false,"label":"List memberships","name":"list-memberships"}', 'one of them');
$app->control('set', { short => 999 });
my $fields = $app->fields('unit', 'prospects');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(id email optedOut updatedAt Region__c salesforceId)), 'Long String Boolean DateTime String String', 'fields, those of the customer too');
ok(exists $fields->{Level__c}, '... of two pages, the second by its token');
$app->control('set', { short => 0 });
is($fields->{id}{isPrimaryKey}, JSON::PP::true, 'the key');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table('prospects', [qw(id email firstName optedOut campaign.name updatedAt Region__c)],
	'id bigint PRIMARY KEY, email text, "firstName" text, "optedOut" boolean, "campaign.name" text, "updatedAt" timestamptz, "Region__c" text');
is(outcome($run), 'Successful 3500 0', 'prospects into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(*) || ' ' || min(id) || ' ' || max(id) || ' ' || count("firstName") || ' ' || count(*) FILTER (WHERE "optedOut") || ' ' || count("Region__c") FROM $run->{table})), '3500 1 3500 3000 388 1750', 'all of them, once');
is($app->sql(qq(SELECT "firstName" || ' ' || "campaign.name" || ' ' || ("updatedAt" AT TIME ZONE 'UTC') FROM $run->{table} WHERE id = 61)), 'Zoë "61" Spring & fair 2024-01-01 00:01:00', 'as they are');
my @pages = $app->seen(qr{objects/prospects});
is(scalar @pages, 5, 'pages of a thousand, the last has nothing');
like($pages[1]{plain}, qr/fields=id,email,firstName,optedOut,campaign\.name,updatedAt,Region__c&orderBy=id&limit=1000&idGreaterThan=1000$/, '... by id');

$app->control('set', { short => 250, chain => 500 });
$run = table('prospects', ['id'], 'id bigint PRIMARY KEY');
is(outcome($run), 'Successful 3500 0', 'short pages, and more records than a chain of tokens has') or diag(AppflowTest::RestApps::told($run));
$app->control('set', { short => 0, chain => 100000 });

$run = $app->pull('unit', 'prospects', [qw(id email score updatedAt)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 3500 0', 'prospects into Parquet') or diag(AppflowTest::RestApps::told($run));
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
is(scalar @$rows, 3500, '... all of them');
is_deeply([ @{ (sort { $a->[0] <=> $b->[0] } @$rows)[3499] || [] }[ 0 .. 2 ] ], [ 3500, 'person3500@example.com', 0 ], '... read back');

$run = table('folders', [qw(id name path)], 'id bigint, name text, path text');
is(outcome($run), 'Successful 5 0', 'an object without filters') or diag(AppflowTest::RestApps::told($run));
$app->control('seed', { lists => 0 });
is(outcome(table('lists', ['id'], 'id bigint')), 'Successful 0 0', 'none at all');
$app->control('seed', { lists => 40 });

# ---------------------------------------------------------------- filters

sub filtered
{
	my ($name, $count, $sent, $entity, @filters) = @_;
	$app->control('reset');
	my $run = table($entity, ['id'], 'id bigint', filters => \@filters);
	is(outcome($run), "Successful $count 0", $name) or diag(AppflowTest::RestApps::told($run));
	my ($page) = $app->seen(qr{objects/$entity});
	like($page->{plain} // '', $sent, '... asked so');
}
filtered('EQUAL_TO, by Pardot', 1, qr/email=person7\@example.com/, 'prospects', $app->filter('email', 'EQUAL_TO', VALUE => 'person7@example.com'));
filtered('Pardot takes no notice of case, we do', 0, qr/email=PERSON7/, 'prospects', $app->filter('email', 'EQUAL_TO', VALUE => 'PERSON7@example.com'));
filtered('EQUAL_TO, by us', 35, qr/limit=1000$/, 'prospects', $app->filter('score', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => '7'));
filtered('two of them', 1, qr/listId=2/, 'list-memberships', $app->filter('listId', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => '2'), $app->filter('prospectId', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => '31'));
$run = table('prospects', ['id'], 'id bigint', filters => [ $app->filter('email', 'CONTAINS', VALUE => 'a') ]);
like($run->{refused} // $run->{message}, qr/CONTAINS/, 'an operator that Pardot does not have');

# as a foreign table, which may use more
$app->sql(q(CREATE SERVER unit FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'unit'); CREATE SCHEMA unit; IMPORT FOREIGN SCHEMA "Objects" LIMIT TO (list_memberships) FROM SERVER unit INTO unit));
$app->control('reset');
is($app->sql(q(SELECT count(*) FROM unit.list_memberships WHERE updated_at > '2024-01-01T00:09:30+01:00' AND updated_at <= '2024-01-01T00:20:00+01:00')), 11, 'a window of times');
my ($page) = $app->seen(qr{list-memberships});
like($page->{plain}, qr/updatedAtAfterOrEqualTo=2023-12-31T23:09:30Z/, '... by Pardot, from');
like($page->{plain}, qr/updatedAtBeforeOrEqualTo=2023-12-31T23:20:00Z/, '... to');

# ---------------------------------------------------------------- in spite of all

foreach my $kind ('throttle?n=1&match=idGreaterThan=1000', 'fault?kind=status=500&match=idGreaterThan=2000')
{
	$app->control('reset');
	$app->control($kind);
	$run = table('prospects', ['id'], 'id bigint PRIMARY KEY');
	is(outcome($run), 'Successful 3500 0', $kind) or diag(AppflowTest::RestApps::told($run));
}

# ---------------------------------------------------------------- what goes wrong

$app->profile('wrong', { accessToken => 'planted-wrong' }, \%unit);
fails('a wrong token', qr/^Error: .*184.*access_token is invalid/s, 'lists', ['id'], profile => 'wrong');
like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"wrong\", \"connectorEntityName\": \"prospects\"}')"), qr/^WF401: .*access_token is invalid/s, 'fields with it');
$app->profile('elsewhere', { accessToken => 'planted-pardot' }, { %unit, businessUnitId => '0Uv000000000000002' });
fails('another business unit', qr/^Error: .*201.*business unit does not exist/s, 'lists', ['id'], profile => 'elsewhere');
fails('an unknown entity', qr/^(Error|refused): .*"leads"/s, 'leads', ['id']);
fails('an unknown field', qr/^(Error|refused): .*"nickname"/s, 'prospects', [ 'id', 'nickname' ]);
$app->control('fault?kind=html&match=idGreaterThan=1000');
fails('HTML', qr/^Error: .*JSON/s, 'prospects', ['id']);
$app->control('fault?kind=cut&n=100&match=idGreaterThan=1000');
fails('a page that breaks off', qr/^Error: /s, 'prospects', ['id']);
$app->control('fault?kind=utf8&match=idGreaterThan=2000');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, 'prospects', ['id']);
$app->control('throttle?n=1000&match=prospects');
fails('throttled for ever', qr/^Error: .*concurrent request limit/s, 'prospects', ['id']);
$app->control('expire');
fails('a token that has expired, and nothing to renew it with', qr/^Error: .*184/s, 'lists', ['id']);
unlike(slurp_file($app->{node}->logfile), qr/planted-pardot/, 'no token in the log');
done_testing();
