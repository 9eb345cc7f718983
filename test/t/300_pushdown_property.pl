# Every query that is pushed gives what the same query gives when it is evaluated
# here: thousands of random predicates over all types that compare, with nulls,
# quotes, wildcards and Unicode; as constants, as parameters, with order, limit and
# aggregates.  The application is the connector PostgreSQL, which evaluates all
# that the contract can say.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{PUSHDOWN_ROUNDS} || 3000;
my $seed = $ENV{PUSHDOWN_SEED} || 20261122;
srand($seed);
note("seed $seed");

my $node = PostgreSQL::Test::Cluster->new('pushdown');
$node->init;
$node->start;

my @columns = (
	[ i2 => 'smallint' ], [ i4 => 'integer' ], [ i8 => 'bigint' ], [ n => 'numeric' ], [ n2 => 'numeric(8,2)' ],
	[ r8 => 'float8' ], [ t => 'text' ], [ tc => 'text COLLATE "C"' ], [ v => 'varchar(40)' ], [ b => 'boolean' ],
	[ d => 'date' ], [ ts => 'timestamp' ], [ tz => 'timestamptz' ], [ u => 'uuid' ], [ j => 'jsonb' ]);
my %type = map { @$_ } @columns;
my @texts = ('', 'a', 'A', 'ab', 'Ab', 'b%', 'b_', '%', '_', '\\', 'a\\b', "O'Neill", '"quoted"', "tab\there", "line\nbreak",
	'ä', 'Ä', 'é', "e\x{301}", 'straße', '日本', "\x{1F600}", 'abc', 'abd', 'zz', ' a', 'a ', 'null', 'true', '10', '9', '1e1');
my @numbers = (0, 1, -1, 2, 3, 10, 100, -100, 32767, -32768);
my @decimals = (@numbers, '0.1', '0.10', '1.5', '-2.25', '99999.99', '3.14', '1e3', '0.001', '12.345');
my @dates = ('2026-01-01', '2026-02-28', '2024-02-29', '1999-12-31', '1970-01-01', '0001-01-01', '9999-12-31');
my @times = ('2026-01-01 00:00:00', '2026-03-29 01:30:00', '2026-03-29 02:30:00', '2026-10-25 02:30:00', '1999-12-31 23:59:59.999999',
	'2026-01-01 00:00:00.000001', '1970-01-01 00:00:00', '2026-07-01 12:00:00.5');
my @zones = ('', '+00', '+02', '-05:30');
my @uuids = map { sprintf '00000000-0000-0000-0000-0000000000%02x', $_ } 0, 1, 10, 255;

sub pick { return $_[ int rand @_ ]; }

sub quote
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return $text =~ /\\/ ? do { $text =~ s/\\/\\\\/g; "E'$text'" } : "'$text'";
}

# a value of a column's type, in SQL
sub value
{
	my ($column, $with_null) = @_;
	my $type = $type{$column} =~ s/ COLLATE.*//r;
	return "NULL::$type" if $with_null && rand() < 0.05;
	return '(' . pick(@numbers) . ")::$type" if $type =~ /int|smallint|bigint/;
	return quote(pick(@decimals)) . '::' . ($type eq 'float8' ? 'float8' : 'numeric') if $type =~ /numeric|float/;
	return quote(pick(@texts)) . '::text' if $type =~ /text|varchar/;
	return pick('true', 'false') if $type eq 'boolean';
	return quote(pick(@dates)) . '::date' if $type eq 'date';
	return quote(pick(@uuids)) . '::uuid' if $type eq 'uuid';
	return quote(pick(@times) . ($type eq 'timestamptz' ? pick(@zones) : '')) . "::$type" if $type =~ /timestamp/;
	return quote('{"a": ' . int(rand 3) . '}') . '::jsonb';
}

sub leaf
{
	my $column = pick(map { $_->[0] } @columns);
	my $type = $type{$column};
	my $kind = int rand 13;

	return pick("$column IS NULL", "$column IS NOT NULL") if $kind == 0;
	return pick('b', 'NOT b', 'b IS TRUE', 'b IS NOT TRUE', 'b IS FALSE', 'b IS NOT FALSE', 'b IS UNKNOWN', 'b IS NOT UNKNOWN') if $kind == 1;
	if ($kind == 2)
	{
		my @values = map { value($column, 1) } 1 .. 1 + int rand 5;
		return "$column " . pick('IN', 'NOT IN') . ' (' . join(', ', @values) . ')';
	}
	if ($kind == 3)
	{
		my $base = $type =~ s/ COLLATE.*//r;
		$base =~ s/\(.*//;
		$base = 'text' if $base eq 'varchar';
		my @values = map { value($column, 1) } 1 .. int rand 4;
		return "$column " . pick('= ANY', '<> ALL', '= ALL', '<> ANY', '< ANY') . ' (ARRAY[' . join(', ', @values) . "]::$base\[])";
	}
	if ($kind == 4 || $kind == 5)
	{
		my $text = pick(@texts);
		my $pattern = pick($text, "$text%", "%$text%", "%$text", "a${text}_", "%a%b%", "$text\\%");
		$pattern = "$text%" if $pattern =~ /(?<!\\)(\\\\)*\\$/;
		$column = pick('t', 'tc', 'v');
		return "$column " . pick('LIKE', 'LIKE', 'LIKE', 'NOT LIKE', 'ILIKE') . ' ' . quote($pattern);
	}
	return pick('t', 'tc', 'v') . ' ^@ ' . quote(pick(@texts)) if $kind == 6;
	return "$column " . pick('IS DISTINCT FROM', 'IS NOT DISTINCT FROM') . ' ' . value($column, 1) if $kind == 7;
	return "$column BETWEEN " . value($column) . ' AND ' . value($column) if $kind == 8 && $column ne 'j';
	if ($kind == 9)
	{
		return pick('i2', 'i4', 'i8') . ' ' . pick('=', '<', '>=') . ' ' . pick('3.0::numeric', '1.5::float8', '40000', '99999999999', "'7'::bigint");
	}
	if ($kind == 10)
	{
		return pick('tz > ', 'tz <= ', 'tz = ', 'ts < ', 'ts >= ', 'd < ', 'd >= ') . pick(quote(pick(@dates)) . '::date',
			quote(pick(@times)) . '::timestamp', quote(pick(@times) . pick(@zones)) . '::timestamptz', "'infinity'::timestamptz", "'-infinity'::date");
	}
	if ($kind == 11)
	{
		return pick('n', 'n2', 'r8') . ' ' . pick('=', '<>', '<', '>') . ' ' . pick("'NaN'", "'infinity'", "'-infinity'", '1e300', '0.1::float4') ;
	}
	return pick('length(t) > 1', 'upper(tc) = tc', 'i4 = i8', 'i4 + 1 = 2', 't < v', 'coalesce(b, true)', 'n = i4', 'extract(year FROM tz) = 2026')
	  if rand() < 0.15;
	return "$column " . pick('=', '<>') . ' ' . value($column, 1) if $column eq 'j';
	my ($left, $right) = ($column, value($column, 1));
	($left, $right) = ($right, $left) if rand() < 0.2;
	my $collate = $type =~ /text|varchar/ && rand() < 0.3 ? ' COLLATE "C"' : '';
	return "$left " . pick('=', '=', '<>', '<', '<=', '>', '>=') . " $right$collate";
}

sub predicate
{
	my ($depth) = @_;
	my $kind = rand();
	return leaf() if $depth == 0 || $kind < 0.4;
	return 'NOT (' . predicate($depth - 1) . ')' if $kind < 0.55;
	return '(' . join($kind < 0.78 ? ' AND ' : ' OR ', map { predicate($depth - 1) } 1 .. 2 + int rand 2) . ')';
}

# ---------------------------------------------------------------- data

my $table = join ', ', map { "$_->[0] $_->[1]" } @columns;
my @rows;
foreach my $id (1 .. 160)
{
	my @values = map {
		my ($column) = @$_;
		my $value = rand() < 0.12 ? 'NULL' : value($column);
		$value = pick("'NaN'", "'infinity'", "'-infinity'") if $column =~ /^(n|r8)$/ && rand() < 0.04;
		$value = pick("'infinity'", "'-infinity'") if $column =~ /^(d|ts|tz)$/ && rand() < 0.04;
		$column eq 'n2' && $value ne 'NULL' ? "round($value, 2)" : $value
	} @columns;
	push @rows, "($id, " . join(', ', @values) . ')';
}
$node->safe_psql('postgres', qq{
	CREATE EXTENSION appflow;
	CREATE TABLE public.data (id int, $table);
	CREATE SERVER pg FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'PostgreSQL');
	CREATE FOREIGN TABLE public.pushed (id int, $table) SERVER pg OPTIONS (entity 'public.data', rows '160');
	ALTER DATABASE postgres SET timezone = 'Europe/Berlin';
	CREATE TABLE case_ (n int, kind text, query text);
	CREATE FUNCTION result_of(query text) RETURNS text LANGUAGE plpgsql AS \$f\$
	DECLARE
		result text;
	BEGIN
		EXECUTE 'SELECT json_agg(q) FROM (' || query || ') q' INTO result;
		RETURN coalesce(result, 'no rows');
	EXCEPTION WHEN OTHERS THEN
		RETURN 'error ' || SQLSTATE;
	END
	\$f\$;
	CREATE FUNCTION is_pushed(query text) RETURNS boolean LANGUAGE plpgsql AS \$f\$
	DECLARE
		line text;
	BEGIN
		FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
			IF line ~ 'Pushed Down' THEN RETURN true; END IF;
		END LOOP;
		RETURN false;
	EXCEPTION WHEN OTHERS THEN
		RETURN NULL;
	END
	\$f\$;
});
{
	my ($out, $err);
	$node->psql('postgres', 'SET client_encoding = utf8; INSERT INTO public.data VALUES ' . encoded(join(",\n", @rows)), stdout => \$out, stderr => \$err);
	is($err, '', 'data');
}

sub encoded { my ($text) = @_; utf8::encode($text) if utf8::is_utf8($text); return $text; }

# ---------------------------------------------------------------- cases

my @cases;
sub add { my ($kind, $query) = @_; push @cases, '(' . scalar(@cases) . ", '$kind', \$q\$$query\$q\$)"; return; }

foreach my $i (1 .. $rounds)
{
	my $where = predicate(int rand 4);
	my $kind = $i % 6;
	if ($kind == 1)
	{
		my @keys = map { pick(map { $_->[0] } grep { $_->[0] ne 'j' } @columns) . pick('', ' DESC') . pick('', ' NULLS FIRST', ' NULLS LAST') } 1 .. 1 + int rand 2;
		add('order', "SELECT id, " . pick('t', 'tz', 'i4') . " AS x FROM TABLE_ WHERE $where ORDER BY " . join(', ', @keys, 'id') .
			  pick('', ' LIMIT ' . int(rand 20), ' LIMIT ' . int(rand 20) . ' OFFSET ' . int(rand 10), ' OFFSET 5'));
	}
	elsif ($kind == 2)
	{
		my @aggregates = map { pick('count(*)', 'count(t)', 'count(j)', 'sum(i2)', 'sum(i4)', 'sum(i8)', 'max(d)', 'min(tz)', 'max(tc)', 'min(i8)', 'max(r8)',
				'count(*) FILTER (WHERE b)', 'count(DISTINCT t)', 'max(t)', 'sum(n2)') } 1 .. 1 + int rand 3;
		my $n = 0;
		my $list = join ', ', map { "$_ AS a" . $n++ } @aggregates;
		my $group = pick('', '', 'b', 'tc', 'i4', 'b, d', 't');
		my $having = pick('', '', ' HAVING count(*) > 1');
		add('aggregate', $group ? "SELECT $group, $list FROM TABLE_ WHERE $where GROUP BY $group$having ORDER BY $group" : "SELECT $list FROM TABLE_ WHERE $where$having");
	}
	elsif ($kind == 3)
	{
		add('join', "SELECT x.id AS a, y.id AS b FROM public.data x JOIN TABLE_ y ON " . pick('y.i4 = x.i2', 'y.t = x.tc', 'y.tz < x.tz AND y.u = x.u', 'y.i8 > x.i4', 'y.d = x.d') .
			  " WHERE x.id < 12 AND y.id IN (SELECT id FROM TABLE_ WHERE $where) ORDER BY 1, 2");
	}
	else
	{
		add('where', "SELECT id FROM TABLE_ WHERE $where ORDER BY id");
	}
}
my $file = PostgreSQL::Test::Utils::tempdir() . '/cases.sql';
open my $handle, '>:raw', $file or die "$file: $!";
print $handle "SET client_encoding = utf8;\nINSERT INTO case_ VALUES\n", encoded(join(",\n", @cases)), ";\n";
close $handle;
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $file, $node->connstr('postgres') ], scalar(@cases) . ' cases');

my $result = $node->safe_psql('postgres', q{
	SET enable_hashjoin = off; SET enable_mergejoin = off;
	CREATE TABLE outcome AS SELECT n, kind, query,
		result_of(replace(query, 'TABLE_', 'public.pushed')) AS pushed,
		result_of(replace(query, 'TABLE_', 'public.data')) AS local,
		is_pushed(replace(query, 'TABLE_', 'public.pushed')) AS was FROM case_;
	SELECT count(*) FILTER (WHERE pushed IS DISTINCT FROM local AND NOT (local LIKE 'error %' AND pushed LIKE 'error %'))
		|| ' of ' || count(*) FROM outcome;
});
is($result, '0 of ' . scalar(@cases), 'results are the same');
diag($node->safe_psql('postgres', q{
	SELECT n || ' ' || query || E'\n  pushed: ' || left(pushed, 200) || E'\n  local:  ' || left(local, 200) FROM outcome
	WHERE pushed IS DISTINCT FROM local AND NOT (local LIKE 'error %' AND pushed LIKE 'error %') ORDER BY length(query) LIMIT 5}))
  if $result !~ /^0 /;
my ($pushed, $errors) = split /\|/, $node->safe_psql('postgres', q{
	SELECT count(*) FILTER (WHERE was) * 100 / count(*), count(*) FILTER (WHERE local LIKE 'error %') * 100 / count(*) FROM outcome});
note("$pushed % with something pushed, $errors % errors");
cmp_ok($pushed, '>', 50, 'most of them have something pushed');
cmp_ok($errors, '<', 10, 'few of them are errors');

# ---------------------------------------------------------------- parameters

# the same in generic plans: values come when the plan is there already
my @bad;
foreach my $i (1 .. $rounds / 10)
{
	my ($column) = map { $_->[0] } pick(grep { $_->[0] ne 'j' } @columns);
	my $base = $type{$column} =~ s/ COLLATE.*//r;
	$base =~ s/\(.*//;
	my $where = pick("$column = \$1", "$column <> \$1", "$column < \$1", "\$1 < $column", "$column IN (\$1, \$2)", "$column = ANY(\$3)", "$column <> ALL(\$3)",
		"$column BETWEEN \$1 AND \$2", "NOT ($column >= \$1 OR $column = \$2)", "$column IS NOT NULL AND $column <> \$1");
	my $tail = pick('ORDER BY id', 'ORDER BY id LIMIT $4', 'ORDER BY id LIMIT $4 OFFSET 2');
	my $list = $tail eq 'ORDER BY id' ? pick('id', 'count(*)') : 'id';
	$tail = '' if $list ne 'id';
	push @bad, "PREPARE p$i (" . join(', ', $base, $base, "$base\[]", 'bigint') . ") AS SELECT coalesce(jsonb_agg(q)::text, 'none') FROM (SELECT $list FROM public.pushed WHERE $where $tail) q;\n" .
	  "PREPARE l$i (" . join(', ', $base, $base, "$base\[]", 'bigint') . ") AS SELECT coalesce(jsonb_agg(q)::text, 'none') FROM (SELECT $list FROM public.data WHERE $where $tail) q;\n" .
	  join '', map {
		my $values = join ', ', value($column, 1), value($column, 1), (rand() < 0.1 ? "NULL" : 'ARRAY[' . join(', ', map { value($column, 1) } 0 .. int rand 3) . "]::$base\[]"),
		  pick(0, 1, 5, 100, 'NULL');
		"EXECUTE p$i ($values);\nEXECUTE l$i ($values);\n"
	  } 1 .. 4;
}
my ($out, $err);
$node->psql('postgres', "SET client_encoding = utf8; SET plan_cache_mode = force_generic_plan;\n" . encoded(join '', @bad), stdout => \$out, stderr => \$err, on_error_stop => 0);
my @lines = split /\n/, $out;
my $different = 0;
for (my $i = 0; $i + 1 < @lines; $i += 2)
{
	next if $lines[$i] eq $lines[ $i + 1 ];
	$different++;
	diag("pair $i: $lines[$i] and $lines[$i + 1]") if $different < 4;
}
is($different, 0, 'generic plans give the same');
is(scalar(@lines), 8 * scalar(@bad), 'and gave all answers') or diag(substr $err, 0, 2000);

done_testing();
