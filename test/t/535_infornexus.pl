# Infor Nexus: objects by OQL, exports of datasets; what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('infornexus', 'Infornexus', 'InforNexus', q(appflow.max_retry_delay = '100ms'));
my %keys = (accessKeyId => 'planted-access', userId => 'planted-user', secretAccessKey => 'planted-secret', datakey => 'planted-data');
$app->control('seed', { OrderDetail => 1250, InvoiceDetail => 30, '$Custom' => 12, 'dataset:shipments' => 5000 });
$app->profile('network', \%keys);

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub told { return AppflowTest::RestApps::told(@_); }
sub table
{
	my ($entity, $fields, $columns, %args) = @_;
	my $run = $app->pull($args{profile} || 'network', $entity, $fields, table => $columns, %args);
	$run->{table} = 'public.table' . $app->{flows}{number};
	return $run;
}

# ---------------------------------------------------------------- what there is

is(join(' ', sort map { $_->{name} } @{ $app->entities('network')->{Objects} }), 'InvoiceDetail MasterData OrderDetail PackingListDetail Party ShippingOrder datasets', 'what can be read');
my $fields = $app->fields('network', 'OrderDetail');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(uid poNumber modifyTimestamp revision totals lines issueDate urgent notes)), 'String String DateTime Long Struct Struct Date Boolean String', 'fields of orders, those that only objects tell too');
is($fields->{uid}{isPrimaryKey}, JSON::PP::true, 'the key');
is(join(' ', sort keys %{ $app->fields('network', '$Custom') }), '__metadata code createTimestamp fingerprint modifyTimestamp self uid', 'fields of a type of one\'s own');
is(join(' ', sort keys %{ $app->fields('network', 'datasets/shipments') }), 'Quantity ShipmentID zzz_ChangeCode', 'fields of a dataset');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table('OrderDetail', [ qw(uid poNumber createTimestamp modifyTimestamp totals issueDate buyer notes urgent), 'totals.totalQuantity' ],
	'uid text PRIMARY KEY, "poNumber" text, "createTimestamp" timestamptz, "modifyTimestamp" timestamptz, totals jsonb, "issueDate" date, buyer jsonb, notes text, urgent boolean, "totals.totalQuantity" numeric');
is(outcome($run), 'Successful 1250 0', 'orders into a table') or diag(told($run));
is($app->sql(qq(SELECT count(*) || ' ' || min(uid) || ' ' || max(uid) || ' ' || count(notes) || ' ' || count(*) FILTER (WHERE urgent) || ' ' || sum("totals.totalQuantity") || ' ' || sum((totals ->> 'totalAmount')::numeric) FROM $run->{table})), '1250 10001 11250 250 625 7818750 195468.75', 'all of them, once');
is($app->sql(qq(SELECT "poNumber" || ' ' || (buyer ->> 'name') || ' ' || ("createTimestamp" AT TIME ZONE 'UTC') || ' ' || ("modifyTimestamp" AT TIME ZONE 'UTC') || ' ' || "issueDate" FROM $run->{table} WHERE uid = '10007')),
	'PO-7 Größe "7" 2026-01-01 07:00:00.12 2026-01-01 14:00:00.12 2026-01-08', 'as they are, times being UTC');
my @pages = $app->seen(qr{OrderDetail});
is(scalar @pages, 13, 'by pages of 100');
like($pages[1]{plain}, qr{/rest/3\.1/OrderDetail/query\?offset=100&limit=100$}, '... each behind the one before');

$app->control('set', { pages => 40 });
is(outcome(table('OrderDetail', ['uid'], 'uid text PRIMARY KEY')), 'Successful 1250 0', 'pages that are shorter than asked for are not the last');
$app->control('set', { pages => 3000 });
is(outcome(table('ShippingOrder', ['uid'], 'uid text')), 'Successful 0 0', 'a type without objects');
is(outcome(table('$Custom', [qw(uid code)], 'uid text, code text')), 'Successful 12 0', 'a type of one\'s own');

$run = $app->pull('network', 'OrderDetail', [qw(uid poNumber totals)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 1250 0', 'orders into Parquet') or diag(told($run));
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
is_deeply([ @{ (sort { $a->[0] cmp $b->[0] } @$rows)[1249] || [] }[ 0, 1 ] ], [ '11250', 'PO-1250' ], '... read back');

# ---------------------------------------------------------------- filters

sub filtered
{
	my ($name, $count, $sent, @filters) = @_;
	$app->control('reset');
	my $run = table('OrderDetail', ['uid'], 'uid text PRIMARY KEY', filters => \@filters);
	is(outcome($run), "Successful $count 0", $name) or diag(told($run));
	my ($page) = $app->seen(qr{OrderDetail});
	like($page->{plain} // '', $sent, '... asked so');
}
my $none = qr{query\?offset=0&limit=100$};
filtered('EQUAL_TO of a text', 1, qr{oql=poNumber='PO-9'&}, $app->filter('poNumber', 'EQUAL_TO', VALUE => 'PO-9'));
filtered('a quote is evaluated here', 416, $none, $app->filter('status', 'EQUAL_TO', VALUE => q(Buyer's choice)));
filtered('so is a backslash', 0, $none, $app->filter('status', 'EQUAL_TO', VALUE => q(a\\)));
filtered('what looks like a query is a text', 0, qr{oql=poNumber='x or poNumber=y'&}, $app->filter('poNumber', 'EQUAL_TO', VALUE => 'x or poNumber=y'));
filtered('EQUAL_TO of a number', 312, qr{oql=revision = 3&}, $app->filter('revision', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => '3'));
filtered('BETWEEN, within an object', 9, qr{oql=totals\.totalQuantity > 100 and totals\.totalQuantity < 200&}, $app->filter('totals.totalQuantity', 'BETWEEN', DATA_TYPE => 'long', LOWER_BOUND => '100', UPPER_BOUND => '200'));
filtered('two', 5, qr{oql=.* and }, $app->filter('totals.totalQuantity', 'BETWEEN', DATA_TYPE => 'long', LOWER_BOUND => '100', UPPER_BOUND => '300'), $app->filter('revision', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => '3'));
filtered('several values', 2, $none, $app->filter('poNumber', 'EQUAL_TO', VALUES => '["PO-1", "PO-2"]'));
filtered('times are evaluated here', 3, $none, $app->filter('modifyTimestamp', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2026-01-01T04:00:00.120Z', UPPER_BOUND => '2026-01-01T12:00:00.120Z'));
filtered('so is the key', 1, $none, $app->filter('uid', 'EQUAL_TO', VALUE => '10009'));
$run = table('OrderDetail', ['uid'], 'uid text', filters => [ $app->filter('poNumber', 'CONTAINS', VALUE => 'a') ]);
like($run->{refused} // $run->{message}, qr/CONTAINS/, 'an operator that Infor Nexus does not have');

# ---------------------------------------------------------------- datasets

$app->control('reset');
$run = table('datasets/shipments', [qw(ShipmentID Quantity)], '"ShipmentID" text PRIMARY KEY, "Quantity" int');
is(outcome($run), 'Successful 5000 0', 'a dataset') or diag(told($run));
is($app->sql(qq(SELECT sum("Quantity") FROM $run->{table})), 12502500, '... all of it');
like(($app->seen(qr{dataset}))[0]{plain}, qr{/rest/3\.1/analytics/dataset/shipments/export\?mode=Full$}, '... whole');
foreach my $status (202, 304)
{
	$app->control('set', { pending => 2, pendingStatus => $status });
	is(outcome(table('datasets/shipments', ['ShipmentID'], '"ShipmentID" text')), 'Successful 5000 0', "one that is ready after a while: $status");
	$app->control('set', { pending => 1000 });
	$run = table('datasets/shipments', ['ShipmentID'], '"ShipmentID" text');
	like($run->{message} // '', qr/Infornexus is not ready yet to answer about entity "datasets\/shipments"/, '... or not at all');
	is($run->{processed}, 0, '... which is no success');
	$app->control('set', { pending => 0 });
}

# ---------------------------------------------------------------- in spite of all

foreach my $kind ('throttle?n=1&skip=2&match=OrderDetail', 'fault?kind=status=503&skip=1&match=OrderDetail')
{
	$app->control('reset');
	$app->control($kind);
	$run = table('OrderDetail', ['uid'], 'uid text PRIMARY KEY');
	is(outcome($run), 'Successful 1250 0', $kind) or diag(told($run));
}

# ---------------------------------------------------------------- what goes wrong

sub fails
{
	my ($name, $pattern, $entity, $fields, %args) = @_;
	my $run = table($entity, $fields, join(', ', map { qq("$_" text) } @$fields), %args);
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(told($run));
	is($app->sql("SELECT count(*) FROM $run->{table}"), 0, '... and nothing is half done');
	$app->control('reset');
}
foreach my $key (sort keys %keys)
{
	$app->profile("wrong-$key", { %keys, $key => 'planted-wrong' });
	fails("a wrong $key", qr/^(Error|refused): .*(not valid|does not match)/s, 'OrderDetail', ['uid'], profile => "wrong-$key");
}
is(scalar $app->control('seen')->@*, 0, 'nothing else was asked');
fails('a type that is not there', qr/^(Error|refused): .*There is no Nothing/s, 'Nothing', ['uid']);
fails('a name that leads elsewhere', qr/^(Error|refused): .*no entity "..\/admin"/s, '../admin', ['uid']);
$app->control('set', { deaf => JSON::PP::true });
fails('an offset that is not heeded', qr/^Error: .*sent the page of entity "OrderDetail" at "0" twice/s, 'OrderDetail', ['uid']);
$app->control('set', { deaf => JSON::PP::false, hollow => JSON::PP::true });
fails('a page without objects that is not the last', qr/^Error: .*says that there are more records of entity "OrderDetail", but sent none/s, 'OrderDetail', ['uid']);
$app->control('set', { hollow => JSON::PP::false });
$app->control('fault?kind=replace=resultInfo=>info&skip=1&match=OrderDetail');
fails('an answer that does not say whether there is more', qr/^Error: /s, 'OrderDetail', ['uid']);
$app->control('fault?kind=html&skip=1&match=OrderDetail');
fails('HTML', qr/^Error: .*JSON/s, 'OrderDetail', ['uid']);
$app->control('fault?kind=html&match=dataset');
fails('HTML for lines', qr/^Error: .*JSON/s, 'datasets/shipments', ['ShipmentID']);
$app->control('fault?kind=cutjson&match=dataset');
fails('lines that break off', qr/^Error: .*line \d+/s, 'datasets/shipments', ['ShipmentID']);
$app->control('fault?kind=cut&n=100&skip=1&match=OrderDetail');
fails('a page that breaks off', qr/^Error: /s, 'OrderDetail', ['uid']);
$app->control('fault?kind=utf8&skip=2&match=OrderDetail');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, 'OrderDetail', ['uid']);
$app->control('throttle?n=1000&match=OrderDetail');
fails('throttled for ever', qr/^Error: .*Too many requests/s, 'OrderDetail', ['uid']);
$app->control('expire');
fails('keys that are not valid any more', qr/^Error: .*access key is not valid/s, 'OrderDetail', ['uid']);
unlike(slurp_file($app->{node}->logfile), qr/planted-(secret|data)/, 'no secret in the log');
done_testing();
