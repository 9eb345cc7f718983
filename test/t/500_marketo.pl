# Marketo: what there is; leads by values and by export jobs, other records by values, activities by
# their types, lists, campaigns and programs; conditions, compared with what a table gives.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('marketo', 'Marketo', 'Marketo', q(appflow.max_retry_delay = '100ms'));
$app->profile('market', {}, { instanceUrl => "$app->{url}/rest/" });
$app->control('seed', { leads => 1700, activities => 1500, companies => 700, opportunities => 40, 'opportunities/roles' => 650, namedaccounts => 9, salespersons => 5, 'customobjects/car_c' => 900, lists => 700, campaigns => 12, programs => 450 });
sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table
{
	my ($entity, $fields, $columns, %args) = @_;
	my $run = $app->pull($args{profile} || 'market', $entity, $fields, table => $columns, %args);
	$run->{table} = 'public.table' . $app->{flows}{number};
	return $run;
}

# ---------------------------------------------------------------- what there is

is(join(' ', map { $_->{name} . ($_->{hasNestedEntities} ? '/' : '') } @{ $app->entities('market')->{Objects} }),
	'leads activities companies opportunities opportunityroles namedaccounts salespersons lists campaigns programs activity/ customobjects/', 'entities');
is(join(' ', map { "$_->{name}=$_->{label}" } @{ $app->entities('market', 'customobjects')->{Objects} }), 'customobjects/car_c=Car', 'custom objects');
is(join(' ', map { "$_->{name}=$_->{label}" } (@{ $app->entities('market', 'activity')->{Objects} })[ 0 .. 2 ]), 'activity/visit_webpage=Visit Webpage activity/fill_out_form=Fill Out Form activity/new_lead=New Lead', 'activities by type');

my $fields = $app->fields('market', 'leads');
is(scalar keys %$fields, 14, 'fields of leads: those that have a REST name');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(id email leadScore annualRevenue share unsubscribed dateOfBirth lastSeen notes updatedAt)), 'Integer String Integer BigDecimal BigDecimal Boolean Date DateTime String DateTime', 'their types');
is($fields->{id}{isPrimaryKey}, JSON::PP::true, 'the key');
is($fields->{updatedAt}{sourceProperties}{isTimestampFieldForIncrementalQueries}, JSON::PP::true, 'what says that a lead has changed');
is_deeply($fields->{email}{destinationProperties}{supportedWriteOperations}, [qw(INSERT UPSERT UPDATE)], 'what can be written');
is($fields->{createdAt}{destinationProperties}, undef, '... and what not');
is(join(' ', sort keys %{ $app->fields('market', 'activity/visit_webpage') }), 'Client IP Address Seconds User Agent activityDate activityTypeId attributes campaignId id leadId marketoGUID primaryAttributeValue primaryAttributeValueId', 'activities of a type have its attributes');
is(join(' ', sort keys %{ $app->fields('market', 'customobjects/car_c') }), 'color createdAt leadId marketoGUID updatedAt vin year', 'a custom object');
like($app->error_of(q(SELECT appflow.describe_connector_entity('{"connectorProfileName": "market", "connectorEntityName": "people"}'))), qr/^WF400: Marketo has no entity "people"/, 'no such entity');
like($app->error_of(q(SELECT appflow.describe_connector_entity('{"connectorProfileName": "market", "connectorEntityName": "customobjects/../leads"}'))), qr/^WF400: Marketo has no entity/, 'nothing else gets into a path');

# ---------------------------------------------------------------- leads by export jobs

my @columns = qw(id email firstName lastName leadScore annualRevenue unsubscribed dateOfBirth notes createdAt updatedAt);
my $columns = 'id int PRIMARY KEY, email text, "firstName" text, "lastName" text, "leadScore" int, "annualRevenue" numeric, unsubscribed boolean, "dateOfBirth" date, notes text, "createdAt" timestamptz, "updatedAt" timestamptz';
$app->control('reset');
my $run = table('leads', \@columns, $columns, filters => [ $app->filter('createdAt', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '2023-12-31T00:00:00Z') ]);
is(outcome($run), 'Successful 1700 0', 'leads into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(*) || ' ' || count("firstName") || ' ' || count(*) FILTER (WHERE unsubscribed) || ' ' || count("dateOfBirth") || ' ' || count(notes) FROM $run->{table})), '1700 1458 188 1134 340', 'all of them, once');
is($app->sql(qq(SELECT "firstName" || '|' || "lastName" || '|' || "leadScore" || '|' || "annualRevenue" || '|' || "dateOfBirth" || '|' || ("createdAt" AT TIME ZONE 'UTC') FROM $run->{table} WHERE id = 61)), 'Zoë "61"|Last, 61|11|76.25|1990-05-17|2024-01-03 13:00:00', 'as they are');
is($app->sql(qq(SELECT notes FROM $run->{table} WHERE id = 5)), "line\n5", 'lines in a value');
my @made = $app->seen(qr{POST /bulk/v1/leads/export/create});
cmp_ok(scalar @made, '>=', 34, 'a job for each 31 days until now');
like($made[0]{body}, qr/"createdAt":\{"startAt":"2023-12-31T00:00:00Z","endAt":"2024-01-31T00:00:00Z"\}/, 'the first');
like($made[1]{body}, qr/"createdAt":\{"startAt":"2024-01-31T00:00:00Z","endAt":"2024-03-02T00:00:00Z"\}/, 'the second, which begins where it ends');
is_deeply([ grep { $_ ne 'Completed' } @{ $app->control('records?entity=jobs') } ], [], 'none is left behind');

foreach my $case (
	[ 'GREATER_THAN', [ VALUE => '2024-03-01T00:00:00Z' ], 260 ],
	[ 'LESS_THAN', [ VALUE => '2024-01-10T00:00:00Z' ], 215 ],
	[ 'BETWEEN', [ LOWER_BOUND => '2024-01-31T00:00:00Z', UPPER_BOUND => '2024-03-02T00:00:00Z' ], 743 ])
{
	my ($operator, $operands, $count) = @$case;
	$app->control('reset');
	$app->control('set', { polls => 0 });
	$run = table('leads', ['id'], 'id int PRIMARY KEY', filters => [ $app->filter('createdAt', $operator, DATA_TYPE => 'datetime', @$operands) ]);
	is(outcome($run), "Successful $count 0", "leads by createdAt $operator") or diag(AppflowTest::RestApps::told($run));
	@made = $app->seen(qr{export/create});
	is(scalar @made, 1, '... by one job') if $operator eq 'BETWEEN';
	cmp_ok(scalar @made, '>', 200, '... from the beginning on, the newest first') if $operator eq 'LESS_THAN';
	is($run->{table} && $app->sql("SELECT count(*) FROM $run->{table}"), $count, '... each once');
}

# updatedAt of a job is the last change of any field, the one that shows is of standard fields
$app->control('seed', { leads => [
	{ email => 'a@example.com', createdAt => '2024-01-01T00:00:00Z', updatedAt => '2024-02-01T00:00:00Z', changedAt => '2024-06-15T00:00:00Z' },
	{ email => 'b@example.com', createdAt => '2024-01-01T00:00:00Z', updatedAt => '2024-06-20T00:00:00Z', changedAt => '2024-09-15T00:00:00Z' },
	{ email => 'c@example.com', createdAt => '2024-01-01T00:00:00Z', updatedAt => '2024-06-20T00:00:00Z' } ] });
my @june = $app->filter('updatedAt', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-06-01T00:00:00Z', UPPER_BOUND => '2024-07-01T00:00:00Z');
$run = table('leads', [ 'id', 'email' ], 'id int PRIMARY KEY, email text', filters => \@june);
is(outcome($run), 'Successful 2 0', 'a flow means the last change of any field') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT string_agg(email, ' ' ORDER BY email) FROM $run->{table}"), 'a@example.com c@example.com', '... as Marketo knows it');
$app->sql(q(CREATE SERVER market FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'market'); CREATE SCHEMA market; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER market INTO market));
is($app->sql(q(SELECT string_agg(email, ' ' ORDER BY email) FROM market.leads WHERE updated_at > '2024-06-01' AND updated_at < '2024-07-01')), 'b@example.com c@example.com', 'a foreign table means what it shows');
$app->control('set', { noUpdatedAt => JSON::PP::true });
$run = table('leads', [ 'id', 'email' ], 'id int PRIMARY KEY, email text', filters => \@june);
is(outcome($run), 'Successful 2 0', 'a subscription without that filter') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT string_agg(email, ' ' ORDER BY email) FROM $run->{table}"), 'b@example.com c@example.com', '... by what shows');
like($run->{message} // '', qr/1035.*all leads were read/s, '... and that is told') or diag(AppflowTest::RestApps::told($run));
$app->control('set', { noUpdatedAt => JSON::PP::false });

# at the second between two spans: to the millisecond, and not
$app->control('seed', { leads => [ map { { email => "m$_\@example.com", createdAt => $_ } } '2024-01-31T00:00:00.000Z', '2024-01-31T00:00:00.500Z', '2024-01-30T23:59:59.999Z', '2024-01-31T00:00:01.000Z', '2024-03-02T00:00:00.000Z', '2024-03-02T00:00:00.001Z' ] });
$run = table('leads', [ 'email' ], 'email text', filters => [ $app->filter('createdAt', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '2023-12-31T00:00:00Z') ]);
is(outcome($run), 'Successful 6 0', 'records between two spans, each once') or diag(AppflowTest::RestApps::told($run));
is($app->sql(q(SELECT count(*) || ' ' || count(DISTINCT id) FROM market.leads)), '6 6', '... the newest first, too');

# all fields, and types
$app->control('seed', { leads => 1700 });
$app->control('set', { polls => 0 });
$app->sql(q(SELECT appflow.sync('market', 'customobjects/car_c', into_table => 'public.car')));
my ($synced) = split /\n/, $app->sql('SELECT flow_name FROM appflow.flows ORDER BY created_at DESC LIMIT 1');
$app->sql("CALL appflow.run_flow('$synced')");
is($app->sql(q(SELECT count(*) || ' ' || min(vin) || ' ' || (SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'car'::regclass AND attnum > 0) FROM car)),
	'900 VIN-1 color createdAt leadId marketoGUID updatedAt vin year', 'appflow.sync() of a custom object');
$run = $app->pull('market', 'leads', [ 'id', 'annualRevenue', 'unsubscribed', 'dateOfBirth', 'createdAt' ], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } },
	filters => [ $app->filter('createdAt', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-01-01T00:00:00Z', UPPER_BOUND => '2024-01-02T00:00:00Z') ]);
is(outcome($run), 'Successful 23 0', 'leads into Parquet') or diag(AppflowTest::RestApps::told($run));
my ($bytes) = values %{ $run->{files} };
is_deeply([ @{ (sort { $a->[0] <=> $b->[0] } @{ $app->{flows}->parquet($bytes // '')->{rows} || [] })[8] || [] }[ 0 .. 2 ] ], [ 9, '11.25', 'true' ], '... read back');

# ---------------------------------------------------------------- leads by values

sub asked
{
	my ($name, $sql, $expected, $pattern, $calls) = @_;
	$app->control('reset');
	is($app->sql($sql), $expected, $name);
	my @calls = grep { $_->{url} !~ /describe|oauth/ } @{ $app->control('seen') };
	my ($first) = $app->seen($pattern);
	ok($first, '... asked so') or diag(join "\n", map { "$_->{method} $_->{url}" } @calls);
	is(scalar @calls, $calls, '... with so many calls') if defined $calls;
}
asked('a lead by id', 'SELECT email FROM market.leads WHERE id = 17', 'person17@example.com', qr/GET .*leads\.json\?filterType=id&filterValues=17&fields=/, 1);
asked('leads by email', q(SELECT count(*) FROM market.leads WHERE email IN ('person1@example.com', 'PERSON2@example.com', 'nobody@example.com')), 1, qr/filterType=email&filterValues=nobody\@example.com,person1\@example.com,PERSON2\@example.com/, 1);
asked('a span of ids', q(SELECT count(*) || ' ' || min(id) || ' ' || max(id) FROM market.leads WHERE id > 100 AND id <= 1001), '901 101 1001', qr/filterType=id&filterValues=100,101,/, 4);
my $many = join ', ', map { "'a-person-with-quite-a-long-name-$_\@a-long-name-of-a-domain.example.com'" } 1 .. 350;
asked('more values than one call takes, and longer than a URL may be', "SELECT count(*) FROM market.leads WHERE email IN ($many, 'person9\@example.com')", 1, qr/POST .*leads\.json\?_method=GET/, 2);
asked('a value that cannot be listed', q(SELECT count(*) FROM market.leads WHERE email = 'a,b@example.com' AND created_at > '2024-03-01'), 0, qr/export\/create/);
is($app->sql(q(SELECT count(*) FROM market.leads WHERE email = 'person1@example.com' AND "lead_score" > 5)), 0, 'what Marketo does not evaluate is evaluated here');
like($app->sql(q(EXPLAIN (VERBOSE) SELECT email FROM market.leads WHERE id = 17)), qr{GET /rest/v1/leads\.json\?filterType=id&filterValues=17}, 'EXPLAIN');
like($app->sql(q(EXPLAIN (VERBOSE) SELECT email FROM market.leads WHERE created_at > '2024-03-01Z')), qr{POST /bulk/v1/leads/export/create\.json by createdAt, createdAt from 2024-03-01T00:00:00Z}, '... of jobs');

# ---------------------------------------------------------------- other records

asked('companies by name', q(SELECT string_agg(external_company_id, ' ') FROM market.companies WHERE company = 'Ümlaut & Söhne 4'), 'C-4', qr/companies\.json\?filterType=company/, 1);
asked('companies by ids', q(SELECT count(*) || ' ' || sum(annual_revenue) FROM market.companies WHERE id < 701), '700 245472675.0', qr/filterType=id&filterValues=1,2,/, 3);
asked('roles of leads', q(SELECT count(*) FROM market.opportunityroles WHERE lead_id BETWEEN 1 AND 650 AND is_primary), 325, qr{opportunities/roles\.json\?filterType=leadId}, 3);
asked('named accounts of a city, page by page', q(SELECT count(*) FROM market.namedaccounts WHERE city = 'Berlin'), 5, qr/filterType=city/);
$run = table('companies', [qw(id company)], 'id int, company text', filters => [ $app->filter('id', 'BETWEEN', DATA_TYPE => 'integer', LOWER_BOUND => '0', UPPER_BOUND => '11') ]);
is(outcome($run), 'Successful 10 0', 'companies in a flow') or diag(AppflowTest::RestApps::told($run));
$run = table('opportunities', ['name'], 'name text');
like($run->{refused} // $run->{message}, qr/"opportunities" of Marketo cannot be read without values/, 'opportunities without values') or diag(AppflowTest::RestApps::told($run));

$app->sql(q(CREATE SCHEMA cars; IMPORT FOREIGN SCHEMA customobjects FROM SERVER market INTO cars; CREATE SCHEMA act; IMPORT FOREIGN SCHEMA activity LIMIT TO (visit_webpage, new_lead, delete_lead) FROM SERVER market INTO act));
$app->control('set', { polls => 0 });
asked('a custom object, since its type was made', q(SELECT count(*) || ' ' || count(DISTINCT marketo_guid) || ' ' || count(color) FROM cars.car_c), '900 900 675', qr{customobjects/car_c/export/create});
my ($first) = $app->seen(qr{export/create});
like($first->{body}, qr/"updatedAt":\{"startAt":"2024-01-01T00:00:00Z"/, '... not before');
asked('custom objects by values', q(SELECT color FROM cars.car_c WHERE vin = 'VIN-5'), 'red, "dark"', qr{customobjects/car_c\.json\?filterType=vin&filterValues=VIN-5}, 1);

# ---------------------------------------------------------------- activities

$app->control('set', { sparse => JSON::PP::true });
asked('activities of all types', q(SELECT count(*) || ' ' || count(DISTINCT marketo_guid) || ' ' || count(DISTINCT activity_type_id) FROM market.activities), '1500 1500 5', qr/sinceDatetime=2006-01-01T00:00:00Z/);
is(scalar(grep { $_->{plain} =~ /activityTypeIds=[\d,]+/ && (() = $_->{plain} =~ /,/g) > 9 } $app->seen(qr/activities\.json/)), 0, '... ten types at once at most');
my @deleted = $app->seen(qr/deletedleads/);
ok(@deleted > 0, '... deleted leads from their own address');
asked('activities between two times', q(SELECT count(*) FROM market.activities WHERE activity_date >= '2024-01-11Z' AND activity_date < '2024-01-21Z' AND activity_type_id IN (1, 2)), 96, qr/sinceDatetime=2024-01-11T00:00:00Z/);
my @pages = $app->seen(qr/activities\.json/);
cmp_ok(scalar @pages, '<=', 5, '... and no longer than needed');
asked('a type with its attributes', q(SELECT count(*) || ' ' || count("seconds") || ' ' || sum("seconds") || ' ' || min(user_agent) FROM act.visit_webpage), '300 150 112500 curl "10"', qr/activityTypeIds=1&/);
asked('an attribute of the name of a field', 'SELECT DISTINCT activity_type_id FROM act.new_lead WHERE lead_id < 99', 12, qr/activityTypeIds=12/);
asked('deleted leads', 'SELECT count(*) FROM act.delete_lead', 300, qr/deletedleads/);
$app->control('set', { sparse => JSON::PP::false });
$run = table('activity/visit_webpage', [ 'marketoGUID', 'activityDate', 'User Agent' ], '"marketoGUID" text, "activityDate" timestamptz, "User Agent" text', filters => [ $app->filter('activityDate', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '2024-02-01T00:00:00Z') ]);
is(outcome($run), 'Successful 152 0', 'activities in a flow') or diag(AppflowTest::RestApps::told($run));

# ---------------------------------------------------------------- lists, campaigns, programs

asked('lists', q(SELECT count(*) || ' ' || count(DISTINCT id) FROM market.lists), '700 700', qr/lists\.json\?batchSize=300/, 3);
asked('lists by id', q(SELECT name FROM market.lists WHERE id = 1007), 'List 7', qr/lists\.json\?id=1007/, 1);
asked('campaigns', q(SELECT count(*) FROM market.campaigns WHERE active), 6, qr/campaigns\.json/, 1);
asked('programs', q(SELECT count(*) || ' ' || max(updated_at AT TIME ZONE 'UTC') || ' ' || min(folder ->> 'folderName') FROM market.programs), '450 2024-01-19 18:00:00 A', qr/maxReturn=200&offset=0/, 3);
asked('programs of a time', q(SELECT count(*) FROM market.programs WHERE updated_at > '2024-01-10Z'), 234, qr/earliestUpdatedAt=2024-01-10T00:00:00Z/, 2);
asked('no programs', q(SELECT count(*) FROM market.programs WHERE updated_at > '2025-01-10Z'), 0, qr/earliestUpdatedAt=2025/, 1);
asked('a few of many', q(SELECT count(*) FROM (SELECT id FROM market.lists LIMIT 3) x), 3, qr/batchSize=3/, 1);
done_testing();
