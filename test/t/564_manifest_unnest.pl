# Manifests: arrays within records become records.
use strict;
use warnings;

use AppflowTest::Rest;
use JSON::PP;
use Test::More;

my $rest = AppflowTest::Rest->new('unnest');
my $true = JSON::PP::true;

sub entity
{
	my ($name, $fields, %read) = @_;
	my ($path) = $name =~ /^(\w+)/;
	return { name => $name, fields => $fields, read => { path => "/$path/books", %read } };
}
my @nested = ({ name => 'id', type => 'Long', key => $true }, { name => 'unit' }, { name => 'host', path => 'data.map.host' }, { name => 'second', path => 'data.dimensions.1' },
	{ name => 'map', path => 'data.map', type => 'Struct' }, { name => 'data', type => 'Struct' }, { name => 'at', path => 'data.times', type => 'DateTime', format => 'epochMilliseconds', key => $true },
	{ name => 'value', path => 'data.values', type => 'Double' }, { name => 'again', path => 'data.values', type => 'Double' }, { name => 'of', constant => '{entity}' });
my @pages = (records => 'result', parameters => { cursor => '{cursor}' }, paging => { kind => 'cursor', next => 'next' });
my @value = ({ name => 'label', path => 'seriesLabels' }, { name => 'day', path => 'xValues', type => 'Date' }, { name => 'value', path => 'series', type => 'Long' });
$rest->register('nest', 'basic', entities => [
	entity('nested', \@nested, @pages, unnest => [ 'data', [ 'data.times', 'data.values' ] ]),
	entity('pairs', [ { name => 'scope' }, { name => 'at', path => 'pointlist.0', type => 'DateTime', format => 'epochMilliseconds' }, { name => 'value', path => 'pointlist.1' }, { name => 'point', path => 'pointlist', type => 'List' } ],
		records => 'series', unnest => ['pointlist']),
	entity('grid', \@value, records => 'data', unnest => [ [ 'series', 'seriesLabels' ], [ 'series', 'xValues' ] ],
		parameters => { from => '{ago.86400}', to => '{ago.0}' }),
	entity('moody', \@value, records => 'data', unnest => [ [ 'series', 'seriesLabels' ], [ 'series', 'xValues' ] ]) ],
	errors => { code => 'status', message => 'error', failed => [ { path => 'ok', equals => ['false'] }, { path => 'status', equals => ['error'] } ] });
$rest->sql(q{CREATE SERVER nest FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'nest'); CREATE SCHEMA nest; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER nest INTO nest});

# ---------- levels, and arrays side by side ----------

my $said = q{SELECT i AS id, 'EUR' AS unit, h AS host, 'd' || i AS second, timestamptz '2026-01-01Z' + n * interval '1 min' AS at,
	CASE WHEN n % 4 < 3 THEN i * 1000000 + (h = 'b')::int * 100000 + n + 0.5::float8 END AS value FROM generate_series(0, 8) i, unnest('{a,b}'::text[]) h, generate_series(0, %d - 1) n WHERE i % 3 <> 1};
sub same
{
	my ($table, $points) = @_;
	my $query = sprintf $said, $points;
	return $rest->sql("SELECT count(*) FROM ((SELECT id, unit, host, second, at, value FROM $table EXCEPT ALL $query) UNION ALL ($query EXCEPT ALL SELECT id, unit, host, second, at, value FROM $table)) d");
}
is(same('nest.nested', 4), 0, 'every combination is a record');
is($rest->sql('SELECT count(*), count(value), bool_and(value IS NOT DISTINCT FROM again), count(DISTINCT "of") FROM nest.nested'), '48|36|t|1', 'two fields of one array, constants');
is($rest->sql('SELECT map, data FROM nest.nested LIMIT 1'),
	'{"host": "a"}|{"map": {"host": "a"}, "times": [1767225600000, 1767225660000, 1767225720000, 1767225780000], "values": [0.5, 1.5, 2.5, null], "dimensions": ["a", "d0"]}', 'what the elements are as a whole');
is($rest->sql('SELECT id, host, value FROM nest.nested OFFSET 9 LIMIT 2'), "2|a|2000001.5\n2|a|2000002.5", 'LIMIT and OFFSET count records within');
is($rest->sql(q{SELECT count(*) FROM nest.nested WHERE at > '2026-01-01 00:01Z' AND host = 'b'}), 12, 'conditions');

# more points than a batch has rows
$rest->control('set?points=3000');
is(same('nest.nested', 3000), 0, 'more records within one than fit into a batch');
$rest->sql('CREATE TABLE copy (id bigint, unit text, host text, second text, at timestamptz, value float8)');
is($rest->move('nest', 'nested', into => 'public.copy', map => [ map { [$_] } qw(id unit host second at value) ]), 'Successful 36000 0', 'a flow counts the records within');
is(same('copy', 3000), 0, 'and has them');
$rest->control('set?points=4');

# ---------- pairs ----------

is($rest->sql('SELECT scope, at, value, point FROM nest.pairs'), join("\n", 'host:a|2026-01-01 00:00:00+00|1.5|[1767225600000.0, 1.5]', 'host:a|2026-01-01 00:01:00+00||[1767225660000, null]',
	'host:a|2026-01-01 00:02:00+00|x|[1767225720000, "x"]', 'host:b|2026-01-01 00:00:00+00|9999999999999999999999999.25|[1767225600000, 9999999999999999999999999.25]'), 'pairs, numbers as they are, nothing of what has none');

# ---------- a matrix ----------

is($rest->sql('SELECT label, day, value FROM nest.grid'), join("\n", map { my $label = $_; map { "$label|2026-01-0$_|" . ($_ + ($label eq 'b' ? 3 : 0)) } 1 .. 3 } qw(a b)), 'a matrix with its labels');
my ($asked) = map { $_->{url} } $rest->seen(qr{/grid/});
my ($from, $to) = map { $asked =~ /\b$_=(\d+)/ } qw(from to);
ok($to - $from == 86400 && abs($to - time) < 600, 'times that count from now') or diag($asked);
like($rest->sql('EXPLAIN VERBOSE SELECT * FROM nest.grid'), qr/from=%7Bago\.86400%7D/, 'which EXPLAIN does not show');

# ---------- what does not fit ----------

sub moody
{
	my ($body) = @_;
	$rest->control('set?status=200&text=' . join '', map { sprintf '%%%02X', ord } split //, encode_json($body));
	return $rest->error_of('SELECT * FROM nest.moody') =~ s/\nDETAIL.*//sr;
}
is(moody({ data => { series => [ [1], [2] ], seriesLabels => ['a'], xValues => ['2026-01-01'] } }), 'WF502: the arrays "series" and "seriesLabels" of record 1 belong together, but have 2 and 1 elements', 'arrays of different lengths');
is(moody({ data => { series => [ [ 1, 2 ] ], seriesLabels => ['a'], xValues => ['2026-01-01'] } }), 'WF502: the arrays "series" and "xValues" of record 1 belong together, but have 2 and 1 elements', '... deeper');
is(moody({ data => { series => { a => 1 }, seriesLabels => ['a'], xValues => [] } }), 'WF502: "series" of record 1 is not an array', 'an object in the place of an array');
is(moody({ data => { series => [7], seriesLabels => ['a'], xValues => [] } }), 'WF502: "series" of record 1 is not an array', '... deeper');
is(moody({ data => { series => 'x', seriesLabels => [], xValues => [] } }), 'WF502: the value of "series" in record 1 cannot be taken apart: it is neither an array nor an object', 'text in the place of an array');
like(moody({ data => { series => [], seriesLabels => [], xValues => [] } }), qr/^no error/, 'empty arrays have no records');
like(moody({ data => {} }), qr/^no error/, 'nor have those that are not there');
is(moody({ status => 'error', error => 'no such query', data => {} }), 'WF502: nest refused entity "moody": error: no such query', 'either of two conditions says that it failed');

# ---------- manifests that cannot be ----------

foreach my $case ([ 'key', 'entities[0].read.unnest: it does not go with paging of the kinds key and time', unnest => ['a'], parameters => { after => '{cursor}' }, paging => { kind => 'key', next => 'id' } ],
	[ 'empty', 'entities[0].read.unnest: a step names no array', unnest => [ [] ] ], [ 'record', 'entities[0].read.unnest: "" is not the path of an array', unnest => [''] ],
	[ 'ago', '{ago.1h} does not say how many seconds ago', parameters => { from => '{ago.1h}' } ],
	[ 'text', 'entities[0].read.unnest: this must be an array, not text', unnest => 'a' ])
{
	my ($name, $problem, %read) = @$case;
	like($rest->error_of($rest->register_sql("wrong-$name", $rest->manifest('basic', entities => [ entity('x', [ { name => 'id' } ], records => 'r', %read) ]))), qr/\Q$problem\E/, "not: $name");
}
done_testing();
