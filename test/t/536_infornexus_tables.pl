# Infor Nexus as foreign tables: what it is asked, that any condition gives what it gives
# of a table with the same rows; waiting, size; keys of manifests that came with it.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

srand($ENV{NEXUS_SEED} || 4714);
sub pick { return $_[ int rand @_ ]; }

my $app = AppflowTest::RestApps->new('infornexus', 'Infornexus', 'InforNexus', q(appflow.max_retry_delay = '100ms'), q(timezone = 'UTC'));
my @texts = ('abc', 'ABC', "it's", "''", 'a\\b', "x' or poNumber='PO-1", 'a,b', "line\nfeed", "Gr\x{fc}n", '', ' abc');
my @orders = map { my $n = $_; {
	poNumber => "PO-$n", status => $texts[ $n % @texts ], revision => $n % 6 ? $n % 5 : undef, issueDate => sprintf('2026-01-%02d', 1 + $n % 28), urgent => $n % 2 ? JSON::PP::true : JSON::PP::false,
	amount => $n / 4 - 20, totals => { totalQuantity => $n % 50 } } } 1 .. 400;
$app->control('seed', { OrderDetail => \@orders, 'dataset:big' => 150000 });
$app->profile('app', { accessKeyId => 'planted-access', userId => 'planted-user', secretAccessKey => 'planted-secret', datakey => 'planted-data' });
$app->sql(q(CREATE SERVER there FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'app'); CREATE SCHEMA there; CREATE SCHEMA here;
	IMPORT FOREIGN SCHEMA "Objects" LIMIT TO ("OrderDetail") FROM SERVER there INTO there));
my ($table) = split /\n/, $app->sql(q(SELECT c.relname FROM pg_class c WHERE relnamespace = 'there'::regnamespace));
is($app->sql(qq(SELECT string_agg(format('%s %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attname COLLATE "C") FROM pg_attribute WHERE attrelid = 'there."$table"'::regclass AND attnum > 0)),
	'__metadata jsonb, amount double precision, create_timestamp timestamp with time zone, fingerprint text, issue_date date, modify_timestamp timestamp with time zone, po_number text, revision bigint, self text, status text, totals jsonb, uid text, urgent boolean',
	'import');
$app->sql(qq(CREATE TABLE here."$table" AS SELECT * FROM there."$table"));
is($app->sql(qq(SELECT count(*) || ' ' || count(revision) || ' ' || count(DISTINCT uid) FROM here."$table")), '400 334 400', 'its rows');

sub remote { my ($query) = @_; my ($request) = $app->sql("EXPLAIN VERBOSE $query") =~ /Remote Request: (.*)/; return ($request // '') =~ s/%(\w\w)/chr hex $1/ger; }
like(remote(qq(SELECT uid FROM there."$table" WHERE po_number = 'PO-7' AND revision > 2)), qr{GET \S+/rest/3\.1/OrderDetail/query\?oql=revision > 2 and poNumber='PO-7'&offset=0&limit=100$}, 'EXPLAIN shows the query');
like(remote(qq(SELECT uid FROM there."$table" WHERE status = 'it''s' AND modify_timestamp > '2026-01-02' AND uid = '10001' AND urgent AND issue_date = '2026-01-02')), qr{query\?offset=0&limit=100$}, 'what is not certain is not sent');
like(remote(qq(SELECT uid FROM there."$table" WHERE po_number = 'PO-7' OR revision > 2)), qr{query\?offset=0&limit=100$}, 'nor are alternatives');

my @atoms = (
	sub { 'status ' . pick('=', '<>', '<', '>=', 'LIKE', 'NOT LIKE') . ' ' . pick(map { my $bytes = s/'/''/gr; utf8::encode($bytes); "'$bytes'" } @texts, 'a%') },
	sub { 'status ' . pick('IN', 'NOT IN') . pick(q{ ('abc', 'it''s')}, q{ ('ABC', NULL)}) },
	sub { 'po_number ' . pick('=', '<>') . ' ' . pick(map { "'PO-$_'" } 1, 7, 400, 'x') },
	sub { 'revision ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(0, 1, 3, 4, -1, 7) },
	sub { 'amount ' . pick('=', '<>', '<', '>=') . ' ' . pick('-19.75', '0', '79.9999', '1e10') },
	sub { 'amount ' . pick('', 'NOT ') . 'BETWEEN ' . pick(-20, 0) . ' AND ' . pick(10, 50.5) },
	sub { 'issue_date ' . pick('=', '<>', '<', '>=') . ' ' . pick(map { "'$_'" } '2026-01-10', '2026-01-28', 'infinity') },
	sub { 'modify_timestamp ' . pick('=', '<', '<=', '>') . ' ' . pick(map { "'$_'" } '2026-01-01 02:00:00.12Z', '2026-01-10', '-infinity') },
	sub { pick(qw(revision status amount uid notthere)) =~ s/notthere/urgent/r . pick(' IS NULL', ' IS NOT NULL') },
	sub { pick('urgent', 'NOT urgent') });
my $predicate;
$predicate = sub {
	my ($depth) = @_;
	return pick(@atoms)->() if $depth == 0 || rand() < 0.3;
	return pick('', '', 'NOT ') . '(' . $predicate->($depth - 1) . pick(' AND ', ' AND ', ' OR ') . $predicate->($depth - 1) . ')';
};
my $rounds = $ENV{NEXUS_ROUNDS} || 120;
my @where = map { $predicate->(pick(0, 1, 2)) } 1 .. $rounds;
my @same = split /\n/, $app->sql(join '', map { my $w = $_; my ($t, $h) = map { "ARRAY(SELECT ROW(uid, status, revision, amount)::text FROM $_.\"$table\" WHERE $w ORDER BY uid)" } qw(there here);
	"SELECT CASE WHEN t = h THEN cardinality(h) > 0 END FROM (SELECT $t AS t, $h AS h) x;\n" } @where), -1;
my @different = grep { !defined $same[$_] || $same[$_] eq '' } 0 .. $#where;
is(scalar @different, 0, "$rounds random conditions") or diag map { "$where[$_]\n" } @different[ 0 .. ($#different > 4 ? 4 : $#different) ];
cmp_ok(scalar(grep { $_ eq 't' } @same), '>', $rounds / 5, '... not all of them empty');

# ---------------------------------------------------------------- waiting, size

$app->control('fault?kind=slow&n=5&match=OrderDetail');
like($app->error_of(qq(SET statement_timeout = '300ms'; SELECT count(*) FROM there."$table")), qr/^57014: /, 'a cancel while it waits');
$app->control('reset');
$app->sql(q(CREATE FOREIGN TABLE there.big (s text OPTIONS (field 'ShipmentID'), q int OPTIONS (field 'Quantity')) SERVER there OPTIONS (entity 'datasets/big');
	CREATE FOREIGN TABLE there.pending (s text OPTIONS (field 'ShipmentID')) SERVER there OPTIONS (entity 'datasets/big')));
my ($some, $all, $grown) = split /\n/, $app->sql(q(
	CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$ SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int $$;
	SELECT count(*) FROM (SELECT s FROM there.big LIMIT 5) x;
	SELECT peak() AS before \gset
	SELECT count(*) || ' ' || sum(q) FROM there.big;
	SELECT peak() - :before));
is("$some $all", '5 150000 11250075000', 'a large dataset');
cmp_ok($grown, '<', 16384, '... in what the transfer has for a buffer, and no more');
$app->control('set', { pending => 1000, pendingStatus => 202 });
like($app->error_of('SELECT * FROM there.pending'), qr/^WF502: Infornexus is not ready yet to answer about entity "datasets\/big".*HINT:\s+Try again later/s, 'a dataset that is not ready');
$app->control('set', { pending => 0 });

# ---------------------------------------------------------------- keys of manifests

sub refused
{
	my ($name, $pattern, %read) = @_;
	my $manifest = { manifest => 1, authentication => { basic => JSON::PP::true }, entities => [ { name => 'x', fields => [ { name => 'a' } ], read => { path => '/x', %read } } ] };
	like($app->error_of("SELECT appflow.register_connector('" . json_text({ connectorLabel => "bad$name", connectorProvisioningConfig => { manifest => $manifest } }) . "')" =~ s/\s+/ /gr), $pattern, "a manifest with $name");
}
my %filter = (operators => ['EQUAL_TO'], parameters => { a => '{value}' });
refused('except_and_fields', qr/^WF400: .*filters\[0\].*"except" is for filters of all fields/s, filters => [ { %filter, fields => ['a'], except => ['b'] } ]);
refused('lines_and_records', qr/^WF400: .*lines.*"records" leads nowhere/s, lines => JSON::PP::true, records => 'data');
refused('lines_and_offsets', qr/^WF400: .*lines.*only headers can tell/s, lines => JSON::PP::true, parameters => { o => '{offset}' }, paging => { kind => 'offset' });
refused('at_and_cursor', qr/^WF400: .*"at" goes with the kinds offset and page/s, parameters => { c => '{cursor}' }, paging => { kind => 'cursor', next => 'n', at => 'o' });
refused('notReady_200', qr/^WF400: .*notReady/s, notReady => [200]);
refused('all_of_them', qr/^no error/, notReady => [ 202, 304 ], lines => JSON::PP::true, filters => [ { %filter, except => ['b'] } ]);
unlike(slurp_file($app->{node}->logfile), qr/planted-(secret|data)/, 'no secret in the log');
done_testing();
