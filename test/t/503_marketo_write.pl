# Marketo as destination: leads and other records by requests, foreign tables with every write
# operation, many leads by import jobs; what Marketo refuses is told, record by record.
use strict;
use warnings;
use utf8;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my $app = AppflowTest::RestApps->new('marketo', 'Marketo', 'Marketo', q(appflow.max_retry_delay = '100ms'));
$app->profile('market', {});
$app->control('seed', { leads => 20, companies => 3, 'customobjects/car_c' => 2, opportunities => 1 });
sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub leads { return { map { ($_->{email} // '') => $_ } @{ $app->control('records?entity=leads') } }; }
sub refusals
{
	my ($run) = @_;
	return sort { "@$a" cmp "@$b" } map { [ "$_->{errorCode}: $_->{errorMessage}", $_->{record} ] } map { $json->decode($_) } split /\n/, $run->{errors} // '';
}

# ---------------------------------------------------------------- a flow inserts or updates

my $run = $app->push('market', 'leads', q(SELECT 'new' || i || '@example.com' AS email, 'First "' || i || '"' AS "firstName", i AS "leadScore", i * 1.5 AS "annualRevenue", i % 2 = 0 AS unsubscribed,
	date '2000-01-01' + i AS "dateOfBirth", timestamptz '2024-05-06 07:08:09.75+00' AS "lastSeen" FROM generate_series(1, 650) i UNION ALL SELECT 'person3@example.com', 'Changed', 99, NULL, NULL, NULL, NULL));
is(outcome($run), 'Successful 651 0', 'leads') or diag(AppflowTest::RestApps::told($run));
my $leads = leads();
is(scalar keys %$leads, 670, 'new ones, and one that was there');
is_deeply([ @{ $leads->{'new7@example.com'} }{qw(firstName leadScore annualRevenue unsubscribed dateOfBirth lastSeen)} ], [ 'First "7"', 7, 10.5, JSON::PP::false, '2000-01-08', '2024-05-06T07:08:09Z' ], 'as they were given');
is_deeply([ @{ $leads->{'person3@example.com'} }{qw(id firstName leadScore annualRevenue lastName)} ], [ 3, 'Changed', 99, undef, 'Last, 3' ], 'null empties a field, what is not mapped stays');
my @calls = $app->seen(qr{POST /rest/v1/leads\.json});
is(scalar @calls, 3, 'three hundred at a time');
my $body = $json->decode($calls[0]{body});
is_deeply([ $body->{action}, $body->{lookupField}, scalar @{ $body->{input} } ], [ 'createOrUpdate', 'email', 300 ], '... by email');

$app->control('reset');
$run = $app->push('market', 'leads', q(SELECT * FROM (VALUES ('good@example.com', 1), ('böse@example.com', 2), (NULL, 3), ('person4@example.com', 4), ('person4@example.com', 5), ('', 6)) v(email, "leadScore")));
is(outcome($run), 'Successful 6 3', 'some are refused') or diag(AppflowTest::RestApps::told($run));
is_deeply([ sort map { $_->[0] } refusals($run) ], [ "1003: Email address 'böse\@example.com' is invalid", ('MISSING_ID: a field that identifies the record is empty') x 2 ], '... with the reasons');
is(leads()->{'person4@example.com'}{leadScore}, 5, 'of two with one key the later one counts');
is(scalar $app->seen(qr{POST /rest/v1/leads\.json}), 2, '... by two requests');

$run = $app->push('market', 'leads', q(SELECT 2 AS id, 'Second' AS "firstName" UNION ALL SELECT 4711, 'Nobody'));
is(outcome($run), 'Successful 2 1', 'by the id of Marketo leads are only updated') or diag(AppflowTest::RestApps::told($run));
is_deeply([ refusals($run) ], [ [ '1004: Lead not found', { id => 4711, firstName => 'Nobody' } ] ], '... and not made');
is(leads()->{'person2@example.com'}{firstName}, 'Second', '... as asked');

$run = $app->push('market', 'customobjects/car_c', q(SELECT 'VIN-' || i AS vin, 1990 + i AS year, 'blue' AS color FROM generate_series(1, 5) i));
is(outcome($run), 'Successful 5 0', 'custom objects') or diag(AppflowTest::RestApps::told($run));
is(join(' ', map { "$_->{vin}=$_->{year}" } sort { $a->{vin} cmp $b->{vin} } @{ $app->control('records?entity=customobjects/car_c') }), 'VIN-1=1991 VIN-2=1992 VIN-3=1993 VIN-4=1994 VIN-5=1995', '... made and changed');

foreach my $case (
	[ 'leads', q(SELECT 'x' AS "firstName"), qr/INSERT of entity "leads" needs "email"/ ],
	[ 'leads', q(SELECT 'a@example.com' AS email, 'x' AS nickname), qr/Marketo has no field "nickname" of entity "leads"/ ],
	[ 'leads', q(SELECT 'a@example.com' AS email, now() AS "createdAt"), qr/field "createdAt" of entity "leads" cannot be set by INSERT/ ],
	[ 'lists', q(SELECT 'x' AS name), qr/entity "lists" of Marketo cannot be written/ ])
{
	my ($entity, $query, $pattern) = @$case;
	$run = $app->push('market', $entity, $query);
	like($run->{refused} // $run->{message}, $pattern, "told: $pattern") or diag(AppflowTest::RestApps::told($run));
}

# a call before the one before has returned would make two of one
$app->control('set', { slowSync => 200 });
$run = $app->push('market', 'leads', q(SELECT 'twice' || i % 300 || '@example.com' AS email, i AS "leadScore" FROM generate_series(0, 599) i));
is(outcome($run), 'Successful 600 0', 'the same keys in two requests') or diag(AppflowTest::RestApps::told($run));
is(scalar(grep { /^twice/ } map { $_->{email} // '' } @{ $app->control('records?entity=leads') }), 300, '... one after the other');
is($app->control('records?entity=worst'), 1, '... and never two at once');
$app->control('set', { slowSync => 0 });

# ---------------------------------------------------------------- foreign tables

$app->sql(q(CREATE SERVER market FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'market'); CREATE SCHEMA market; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER market INTO market;
	CREATE SCHEMA cars; IMPORT FOREIGN SCHEMA customobjects FROM SERVER market INTO cars));
is($app->sql(q(INSERT INTO market.leads (email, first_name, lead_score) VALUES ('ada@example.com', 'Ada', 7), ('bob@example.com', 'Bob', NULL) RETURNING id)) =~ s/\n/ /r, '972 973', 'INSERT ... RETURNING');
like($app->error_of(q(INSERT INTO market.leads (email) VALUES ('ada@example.com'), ('carl@example.com'))), qr/^WF502: .*1005: Lead already exists/s, 'INSERT of what is there');
is(leads()->{'ada@example.com'}{firstName}, 'Ada', '... changes nothing');
ok(leads()->{'carl@example.com'}, '... and the others are kept');
$app->sql(q(UPDATE market.leads SET lead_score = 8, first_name = NULL WHERE email IN ('ada@example.com', 'bob@example.com')));
is(join(' ', map { ($_->{leadScore} // 'null') . ($_->{firstName} // 'null') } @{ leads() }{qw(ada@example.com bob@example.com)}), '8null 8null', 'UPDATE');
like([ $app->seen(qr{POST /rest/v1/leads\.json}) ]->[-1]{body}, qr/"action":"updateOnly","lookupField":"id"/, '... by id');
$app->sql(q(DELETE FROM market.leads WHERE id IN (972, 973)));
is(leads()->{'ada@example.com'}, undef, 'DELETE');
$app->sql(q(ALTER FOREIGN TABLE market.leads OPTIONS (ADD upsert 'true'); ALTER FOREIGN TABLE market.leads ALTER COLUMN id OPTIONS (SET key 'false'); ALTER FOREIGN TABLE market.leads ALTER COLUMN email OPTIONS (ADD key 'true');
	INSERT INTO market.leads (email, lead_score) VALUES ('carl@example.com', 5), ('dora@example.com', 6)));
is(join(' ', map { $_->{leadScore} } @{ leads() }{qw(carl@example.com dora@example.com)}), '5 6', 'upsert by email');
like($app->error_of(q(DELETE FROM market.leads WHERE email = 'carl@example.com')), qr/DELETE of entity "leads" cannot go by "email"/, 'leads are deleted by id');
is($app->sql(q(INSERT INTO cars.car_c (vin, year) VALUES ('NEW', 2020) RETURNING marketo_guid)) =~ /^dff23271-/, 1, 'a custom object');
$app->sql(q(UPDATE cars.car_c SET color = 'green' WHERE vin = 'NEW'));
is((grep { $_->{vin} eq 'NEW' } @{ $app->control('records?entity=customobjects/car_c') })[0]{color}, 'green', '... changed by its GUID');
$app->sql(q(DELETE FROM cars.car_c WHERE vin = 'NEW'));
is(scalar @{ $app->control('records?entity=customobjects/car_c') }, 5, '... deleted');
$app->sql(q(INSERT INTO market.companies (external_company_id, company) VALUES ('X-1', 'Ex & Co')));
is($app->sql(q(SELECT company FROM market.companies WHERE external_company_id = 'X-1')), 'Ex & Co', 'a company');
$app->sql(q(DELETE FROM market.companies WHERE external_company_id = 'X-1'));
is($app->sql(q(SELECT count(*) FROM market.companies WHERE id < 100)), 3, '... deleted');

# ---------------------------------------------------------------- many: import jobs

$app->control('seed', { leads => 10 });
$app->control('reset');
my $many = q(SELECT CASE WHEN i % 1000 = 7 THEN 'böse' ELSE 'many' END || i || '@example.com' AS email, 'First, "' || i || E'"\nline' AS "firstName", i AS "leadScore" FROM generate_series(1, 9000) i);
$run = $app->push('market', 'leads', $many);
is(outcome($run), 'Successful 9000 9', 'many leads') or diag(AppflowTest::RestApps::told($run));
my @imports = $app->seen(qr{POST /bulk/v1/leads\.json\?format=csv&lookupField=email});
is(scalar @imports, 1, 'by an import job');
cmp_ok(scalar $app->seen(qr{POST /rest/v1/leads\.json}), '<', 20, '... but for the first ones');
$leads = leads();
is(scalar keys %$leads, 10 + 8991, 'all are there');
is($leads->{'many8999@example.com'}{firstName}, "First, \"8999\"\nline", '... as they were given');
my @refused = sort map { "$_->[0] $_->[1]{leadScore}" } refusals($run);
is(scalar @refused, 9, 'refusals are told');
is($refused[-1], "IMPORT_FAILED: Email address 'böse8007\@example.com' is invalid 8007", '... with the records') or diag(explain(\@refused));

$app->control('reset');
$app->control('set', { importsFull => 2, shuffle => JSON::PP::true });
$run = $app->push('market', 'customobjects/car_c', q(SELECT 'C' || i AS vin, i AS year FROM generate_series(1, 5000) i UNION ALL SELECT 'C4999', 1));
is(outcome($run), 'Successful 5001 0', 'custom objects, and a queue that is full at first') or diag(AppflowTest::RestApps::told($run));
is(scalar @{ $app->control('records?entity=customobjects/car_c') }, 5005, '... each once');
is((grep { $_->{vin} eq 'C4999' } @{ $app->control('records?entity=customobjects/car_c') })[0]{year}, 1, 'the later of two counts');

$app->control('reset');
$run = $app->push('market', 'leads', q(SELECT 'null' || i || '@example.com' AS email, nullif(i, 6000) AS "leadScore" FROM generate_series(1, 6200) i));
is(outcome($run), 'Successful 6200 0', 'a value that is null') or diag(AppflowTest::RestApps::told($run));
is(leads()->{'null6000@example.com'}{leadScore}, undef, '... is written as such');
is(scalar $app->seen(qr{POST /bulk/v1/leads\.json}), 1, '... by a request, what was before by a job');

$app->control('set', { failImports => JSON::PP::true });
$run = $app->push('market', 'leads', q(SELECT 'fail' || i || '@example.com' AS email FROM generate_series(1, 4000) i));
like($run->{message}, qr/import job \d+ of Marketo ended in state Failed: as told/, 'a job that fails') or diag(AppflowTest::RestApps::told($run));
is($run->{processed} >= 3000, 1, '... and what was written before is counted') or diag(AppflowTest::RestApps::told($run));
$app->control('set', { failImports => JSON::PP::false });
done_testing();
