# Veeva Vault: objects and documents by VQL; sessions; what goes wrong.
use strict;
use utf8;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('veeva', 'Veeva', 'Veeva', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { product__v => 2500, documents => 450, reading__c => 12 });
$app->profile('vault', { username => 'me', password => 'planted-veeva' });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table
{
	my ($entity, $fields, $columns, %args) = @_;
	my $run = $app->pull($args{profile} || 'vault', $entity, $fields, table => $columns, %args);
	$run->{table} = 'public.table' . $app->{flows}{number};
	return $run;
}
# the queries since the last reset
sub queries { return map { my ($q) = $_->{body} =~ /^q=(.*)/; $q =~ s/%(\w\w)/chr hex $1/ge; text($q) } $app->seen(qr{POST /api/v25.2/query$}); }
sub text { my ($bytes) = @_; utf8::decode($bytes); return $bytes; }

# ---------------------------------------------------------------- what there is

my %listed = map { $_->{name} => $_ } @{ $app->entities('vault')->{Objects} };
is(join(' ', sort keys %listed), 'country__v documents documents/types product__v reading__c', 'objects and documents, none that is switched off');
is(json_text($listed{product__v}), '{"hasNestedEntities":false,"label":"Product","name":"product__v"}', 'one of them');
is($listed{'documents/types'}{hasNestedEntities}, JSON::PP::true, 'types of documents are below');
is(join(' ', map { "$_->{name}=$_->{label}" } @{ $app->entities('vault', 'documents/types')->{Objects} }),
	'documents/types/component__c=Component documents/types/leaflet__c=Leaflet documents/types/base_document__v=Base Document', '... by name and label');
my $fields = $app->fields('vault', 'product__v');
is(join(' ', map { "$_=$fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType}" } qw(id name__v status__v units__c rating__c price__c launch_date__c approved__c notes__c story__c country__c modified_date__v)),
	'id=String name__v=String status__v=Struct units__c=Long rating__c=BigDecimal price__c=BigDecimal launch_date__c=Date approved__c=Boolean notes__c=String story__c=String country__c=String modified_date__v=DateTime', 'fields of an object');
ok(!exists $fields->{old__c}, '... without those that are switched off');
is($fields->{id}{isPrimaryKey}, JSON::PP::true, '... the key');
is($fields->{modified_date__v}{sourceProperties}{isTimestampFieldForIncrementalQueries}, JSON::PP::true, '... the time of changes');
is(json_text($fields->{twice__c}{supportedFieldTypeDetails}{v1}{filterOperators} // []), '[]', '... formulas cannot be compared');
my $documents = $app->fields('vault', 'documents');
is(join(' ', map { "$_=$documents->{$_}{supportedFieldTypeDetails}{v1}{fieldType}" } qw(id name__v type__v language__v product__v major_version_number__v filename__v expires__c version_modified_date__v)),
	'id=String name__v=String type__v=Struct language__v=Struct product__v=Struct major_version_number__v=Long filename__v=String expires__c=Date version_modified_date__v=DateTime', 'fields of documents');
ok(!exists $documents->{hidden__v}, '... that can be queried');
is(scalar keys %{ $app->fields('vault', 'documents/types/component__c') }, scalar keys %$documents, 'fields of a type');
is($app->control('records?entity=logins'), 1, 'one login for all of that');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table('product__v', [qw(id name__v status__v units__c rating__c price__c launch_date__c approved__c notes__c story__c country__cr.name__v modified_date__v)],
	'id text PRIMARY KEY, name__v text, status__v jsonb, units__c bigint, rating__c numeric, price__c numeric, launch_date__c date, approved__c boolean, notes__c text, story__c text, "country__cr.name__v" text, modified_date__v timestamptz');
is(outcome($run), 'Successful 2500 0', 'an object into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(*) || ' ' || count(units__c) || ' ' || sum(units__c) || ' ' || sum(rating__c) || ' ' || sum(price__c) || ' ' || count(*) FILTER (WHERE approved__c) FROM $run->{table})),
	'2500 2273 2841592 5247.90 2606876.00 1112', 'all of it, once');
is(text($app->sql(qq(SELECT name__v || ' ' || status__v || ' ' || units__c || ' ' || launch_date__c || ' ' || "country__cr.name__v" || ' ' || (modified_date__v AT TIME ZONE 'UTC') FROM $run->{table} WHERE id = 'V00000000007'))),
	q(Produkt "7" – 100% it's\1 ["active__v"] 7 2024-01-08 France 2024-01-01 00:07:00.007), 'as it is');
is($app->sql(qq(SELECT max(length(notes__c)) || ' ' || max(length(story__c)) FROM $run->{table})), '607 808', 'long texts whole');
my @pages = $app->seen(qr{/query});
is(scalar @pages, 3, 'pages of a thousand');
like((queries())[0], qr/^SELECT id, name__v, status__v, units__c, .*LONGTEXT\(notes__c\), RICHTEXT\(story__c\), country__cr\.name__v, modified_date__v FROM product__v PAGESIZE 1000$/, '... of a query');
like("$pages[1]{method} $pages[1]{url}", qr{^POST /api/v25.2/query/[-0-9a-f]+\?pagesize=1000&pageoffset=1000$}, '... by its links');
$app->control('set', { shrink => 700 });
is(outcome(table('product__v', ['id'], 'id text PRIMARY KEY')), 'Successful 2500 0', 'pages that are smaller than they were asked to be');
$app->control('set', { shrink => 0 });

$run = $app->pull('vault', 'product__v', [qw(id units__c rating__c approved__c modified_date__v)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 2500 0', 'into Parquet') or diag(AppflowTest::RestApps::told($run));
my ($bytes) = values %{ $run->{files} };
is(scalar @{ $app->{flows}->parquet($bytes // '')->{rows} || [] }, 2500, '... all of it');

$app->control('reset');
$run = table('documents', [qw(id name__v type__v language__v major_version_number__v version_modified_date__v)],
	'id text PRIMARY KEY, name__v text, type__v jsonb, language__v jsonb, major_version_number__v bigint, version_modified_date__v timestamptz');
is(outcome($run), 'Successful 450 0', 'documents, each in its latest version') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT type__v::text || ' ' || language__v::text FROM $run->{table} WHERE id = '4')), '"Component" ["English", "German"]', '... as they are');
$run = table('documents/types/component__c', ['id'], 'id text PRIMARY KEY');
is(outcome($run), 'Successful 300 0', 'documents of a type') or diag(AppflowTest::RestApps::told($run));
is((queries())[-1], q(SELECT id FROM documents WHERE TONAME(type__v) = 'component__c' PAGESIZE 1000), '... by its name');

sub typed
{
	my ($entity, $properties) = @_;
	my $flows = $app->{flows};
	my $definition = $flows->definition(prefix => 'none', tasks => $app->tasks(['id'], undef), table => 'id text');
	$definition->{sourceFlowConfig} = $app->source('vault', $entity);
	$definition->{sourceFlowConfig}{sourceConnectorProperties}{Veeva} = { object => $entity, %$properties };
	return $flows->move(definition => $definition, table => 'id text');
}
is(outcome(typed('documents', { documentType => 'Component' })), 'Successful 300 0', 'documentType by label');
is((queries())[-1], q(SELECT id FROM documents WHERE type__v = 'Component' PAGESIZE 1000), '... as people see it');
is(outcome(typed('documents', { documentType => 'leaflet__c' })), 'Successful 150 0', 'documentType by name');
is(outcome(typed('documents', { includeAllVersions => JSON::PP::true })), 'Successful 675 0', 'all versions');
is((queries())[-1], q(SELECT id FROM ALLVERSIONS documents PAGESIZE 1000), '... are asked for');
like(outcome(typed('product__v', { documentType => 'Component' })), qr/^refused: .*documentType is for documents, not for object \\?"product__v/, 'documentType of an object');
like(outcome(typed('product__v', { includeSourceFiles => JSON::PP::true })), qr/^refused: .*includeSourceFiles is for documents/, 'files of an object');
like(outcome(typed('documents/types/', {})), qr/^refused: .*neither the name of an object/, 'no type');

# ---------------------------------------------------------------- filters

sub filtered
{
	my ($name, $count, $sent, $entity, @filters) = @_;
	$app->control('reset');
	my $run = table($entity, ['id'], 'id text', filters => \@filters);
	is(outcome($run), "Successful $count 0", $name) or diag(AppflowTest::RestApps::told($run));
	my ($query) = queries();
	$query =~ s/^SELECT .* FROM \w+ ?//;
	$query =~ s/ ?PAGESIZE 1000$//;
	is($query, $sent, '... asked so');
}
filtered('EQUAL_TO a text', 1, q(WHERE (name__v = 'Produkt "7" – 100% it\\'s\\\\1')), 'product__v', $app->filter('name__v', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => q(Produkt "7" – 100% it's\1)));
filtered('... of several', 2, q(WHERE external_id__v CONTAINS ('E1', 'E2', 'no')), 'product__v', $app->filter('external_id__v', 'EQUAL_TO', DATA_TYPE => 'string', VALUES => '["E1","E2","no"]'));
filtered('... in another case', 0, q(WHERE (external_id__v = 'e1')), 'product__v', $app->filter('external_id__v', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'e1'));
filtered('... with what Vault would fill in', 0, '', 'product__v', $app->filter('external_id__v', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => '${Core.user_id}'));
filtered('NOT_EQUAL_TO a text: not what has none', 1874, q(WHERE (external_id__v != 'E1' AND external_id__v != null)), 'product__v', $app->filter('external_id__v', 'NOT_EQUAL_TO', DATA_TYPE => 'string', VALUE => 'E1'));
filtered('CONTAINS, by us', 1, '', 'product__v', $app->filter('name__v', 'CONTAINS', DATA_TYPE => 'string', VALUE => q("77" –)));
filtered('GREATER_THAN of a text, by us', 82, '', 'product__v', $app->filter('external_id__v', 'GREATER_THAN', DATA_TYPE => 'string', VALUE => 'E90'));
filtered('GREATER_THAN', 454, 'WHERE units__c > 2000', 'product__v', $app->filter('units__c', 'GREATER_THAN', DATA_TYPE => 'long', VALUE => '2000'));
filtered('BETWEEN, without the ends', 8, 'WHERE (units__c > 10 AND units__c < 20)', 'product__v', $app->filter('units__c', 'BETWEEN', DATA_TYPE => 'long', LOWER_BOUND => '10', UPPER_BOUND => '20'));
filtered('LESS_THAN_OR_EQUAL_TO of a fraction', 13, 'WHERE units__c <= 14.5', 'product__v', $app->filter('units__c', 'LESS_THAN_OR_EQUAL_TO', DATA_TYPE => 'double', VALUE => '14.50'));
filtered('EQUAL_TO a boolean', 1112, 'WHERE (approved__c = true)', 'product__v', $app->filter('approved__c', 'EQUAL_TO', DATA_TYPE => 'boolean', VALUE => 'true'));
filtered('LESS_THAN a date', 30, q(WHERE launch_date__c < '2024-01-10'), 'product__v', $app->filter('launch_date__c', 'LESS_THAN', DATA_TYPE => 'date', VALUE => '2024-01-10'));
filtered('times between milliseconds', 3, q(WHERE (modified_date__v > '2024-01-01T00:01:00.001Z' AND modified_date__v < '2024-01-01T00:04:00.005Z')), 'product__v',
	$app->filter('modified_date__v', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-01-01T00:01:00.0015Z', UPPER_BOUND => '2024-01-01T00:04:00.0045Z'));
filtered('EQUAL_TO the id of a document', 1, 'WHERE (id = 44)', 'documents', $app->filter('id', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => '44'));
filtered('EQUAL_TO an id', 1, q(WHERE (id = 'V00000000044')), 'product__v', $app->filter('id', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'V00000000044'));
filtered('EQUAL_TO one of a list', 1250, q(WHERE areas__c CONTAINS ('cardiology__c')), 'product__v', $app->filter('areas__c', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'cardiology__c'));
filtered('NOT_EQUAL_TO all of a list, which has some', 938, '', 'product__v', $app->filter('areas__c', 'NOT_EQUAL_TO', VALUE => 'cardiology__c'));
filtered('CONTAINS in a list', 1250, '', 'product__v', $app->filter('areas__c', 'CONTAINS', VALUE => 'ardio'));
filtered('the label of a picklist', 112, q(WHERE status__v CONTAINS ('Draft')), 'documents', $app->filter('status__v', 'EQUAL_TO', DATA_TYPE => 'Picklist', VALUE => 'Draft'));
filtered('a formula, by us', 1, '', 'product__v', $app->filter('twice__c', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => '14'));
# ---------------------------------------------------------------- foreign tables

$app->sql(q(CREATE SERVER vault FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'vault'); CREATE SCHEMA vault;
	IMPORT FOREIGN SCHEMA "Objects" FROM SERVER vault INTO vault; IMPORT FOREIGN SCHEMA "documents/types" FROM SERVER vault INTO vault));
is($app->sql(q(SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'vault'::regnamespace)), 'base_document__v component__c country__v documents leaflet__c product__v reading__c', 'foreign tables')
  or diag($app->sql(q(SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'vault'::regnamespace)));
my $where = q(name__v LIKE 'Produkt "1%' AND units__c < 150 AND (approved__c OR launch_date__c IS NULL));
my @wanted = grep { /^1/ && $_ % 11 && $_ < 150 && (($_ % 9 && $_ % 2 == 0) || $_ % 8 == 0) } 1 .. 2500;
is($app->sql(qq(SELECT string_agg(units__c::text, ' ' ORDER BY units__c) FROM vault.product__v WHERE $where)), "@wanted", 'a query');
like($app->sql(qq(EXPLAIN SELECT id FROM vault.product__v WHERE $where)),
	qr/POST \/query: SELECT id, name__v, units__c, launch_date__c, approved__c FROM product__v WHERE \(\(approved__c = true\) OR launch_date__c = null\) AND \(name__v LIKE 'Produkt "1%'\) AND units__c < 150 PAGESIZE 1000/, '... as VQL');
$app->control('reset');
my $many = join ', ', map { sprintf "'value %06d %s'", $_, 'x' x 80 } 1 .. 700;
is($app->sql(qq(SELECT string_agg(units__c::text, ' ') FROM vault.product__v WHERE external_id__v IN ('E1', 'E3', $many) AND units__c < 3)), '1', 'conditions that are too long for Vault');
like((queries())[0], qr/FROM product__v WHERE units__c < 3 PAGESIZE/, '... are evaluated here');
$app->control('reset');
is($app->sql(q(SELECT string_agg(units__c::text, ' ') FROM (SELECT units__c FROM vault.product__v WHERE units__c IS NOT NULL ORDER BY units__c DESC NULLS LAST LIMIT 3) x)), '2500 2499 2498', 'order and limit');
is((queries())[0], 'SELECT units__c FROM product__v WHERE units__c != null ORDER BY units__c DESC MAXROWS 3 PAGESIZE 3', '... by Vault');
$app->control('reset');
is($app->sql(q(SELECT coalesce(string_agg(value__c::text, ' ') || '', 'none') FROM (SELECT value__c FROM vault.reading__c ORDER BY value__c NULLS LAST LIMIT 3) x)), '1 2 4', 'of a raw object nulls are elsewhere');
unlike((queries())[0], qr/ORDER/, '... so it is ordered here');
is($app->sql(q(SELECT count(*) FROM vault.component__c WHERE version_modified_date__v >= '2024-01-01 05:00+00' AND locked__v)), 0, 'documents of a type');
is($app->sql(q(SELECT count(*) FROM vault.documents WHERE language__v @> '["German"]' AND id = '44')), 1, 'conditions on JSON are PostgreSQL\'s');
is($app->sql(q(SELECT count(*) FROM vault.documents)), 450, 'counted');

# ---------------------------------------------------------------- incremental

$app->control('reset');
$run = $app->{flows}; # a flow by schedule has its window as filters: the same conditions
is($app->sql(q(SELECT count(*) FROM vault.documents WHERE version_modified_date__v >= '2024-01-01 01:00:00.0005+00' AND version_modified_date__v < '2024-01-01 02:00:00+00')), 60, 'a window of changes');
like((queries())[0], qr/version_modified_date__v > '2024-01-01T01:00:00.000Z' AND version_modified_date__v < '2024-01-01T02:00:00.000Z'/, '... by Vault');

done_testing();
