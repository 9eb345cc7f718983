# Manifests: any condition, order, limit and aggregate on a foreign table gives what it
# gives of a table with the same rows, whatever the application is asked.

use strict;
use warnings;

use AppflowTest::Rest;
use JSON::PP;
use Test::More;

my $rest = AppflowTest::Rest->new('random');
my $true = JSON::PP::true;
my @fields = ({ name => 'id', type => 'Long', key => $true, required => $true, sortable => $true }, { name => 'title' },
	{ name => 'price', type => 'BigDecimal', sortable => $true }, { name => 'stock', type => 'Integer', sortable => $true },
	{ name => 'sold', type => 'Boolean' }, { name => 'note' }, { name => 'published', type => 'DateTime', sortable => $true },
	{ name => 'changed', type => 'DateTime', format => 'epoch' }, { name => 'seen', type => 'DateTime', format => 'datetime', sortable => $true },
	{ name => 'writer', path => 'author.name' }, { name => 'tag', path => 'extra[id=36].value' });
my @exact = (exact => $true);
my @text = (types => ['String'], escape => { '^' => '^^' }, unless => { beginsWith => ['javascript:'] }, fields => [ 'title', 'note', 'writer' ]);
my @other = (fields => [qw(id price stock sold published changed seen)]);
my @compared = (fields => [qw(id price stock published seen)]);
my $filters = [
	{ operators => ['EQUAL_TO'], term => '{field}={value}', @text, @exact },
	{ operators => ['EQUAL_TO'], term => '{field}IN{values}', values => ',', @text, @exact },
	{ operators => ['EQUAL_TO'], term => '{field}={value}', or => '^OR', fields => [qw(id price stock sold published seen)], @exact },
	{ operators => ['NOT_EQUAL_TO'], term => '{field}!={value}', fields => [qw(id price stock published seen)], @exact },
	{ operators => ['NOT_EQUAL_TO'], term => '{field}!={value}', @text },
	{ operators => ['GREATER_THAN'], term => '{field}>{value}', @compared, @exact },
	{ operators => ['LESS_THAN'], term => '{field}<{value}', @compared, @exact },
	{ operators => ['GREATER_THAN_OR_EQUAL_TO'], term => '{field}>={value}', @compared, @exact },
	{ operators => ['LESS_THAN_OR_EQUAL_TO'], term => '{field}<={value}', @compared, @exact },
	{ operators => ['CONTAINS'], term => '{field}LIKE{value}', @text },
	{ operators => ['STARTS_WITH'], term => '{field}STARTSWITH{value}', @text, @exact },
	{ operators => ['IS_NULL'], term => '{field}ISEMPTY', @other, @exact },
	{ operators => ['IS_NOT_NULL'], term => '{field}ISNOTEMPTY', @other, @exact } ];
$rest->register('books', 'basic', entities => [ { name => 'books', fields => \@fields,
	read => { path => '/encoded/books', parameters => { query => '{query}', limit => '{size}', start => '{offset}' }, records => 'result',
		query => { join => '^' }, paging => { kind => 'offset', size => 20 }, filters => $filters,
		order => { ascending => 'ORDERBY{field}', descending => 'ORDERBYDESC{field}', nulls => 'smallest', multiple => $true } },
	count => { path => '/encoded/books', parameters => { query => '{query}', limit => '1' }, header => 'X-Total-Count' } } ]);
$rest->sql('CREATE SERVER books FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile \'books\');
	CREATE SCHEMA there; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER books INTO there;
	CREATE SCHEMA here; CREATE TABLE here.books AS SELECT * FROM there.books');
is($rest->sql('SELECT count(*) FROM here.books'), 57, 'all records');

my $seed = $ENV{MANIFEST_SEED} || 4711;
srand($seed);
sub pick { return $_[ int rand @_ ]; }
sub moment { return pick('2026-01-05 12:00:00Z', '2026-01-05 12:00:00.000001Z', '2026-01-04 23:59:59.5Z', '2026-01-01 03:00:00Z', '2026-01-20 00:00:00+02', 'infinity', '-infinity', '1500-01-01', '2026-02-26 12:00Z'); }
my @atoms = (
	sub { 'id ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . int rand 60 },
	sub { 'id IN (' . join(', ', map { int rand 60 } 1 .. 3) . pick('', ', NULL') . ')' },
	sub { pick('price', 'stock') . ' ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(0, 1.5, 3000, 45, 700, -1, '1e6', 2000, 85.5) },
	sub { pick('price', 'stock') . ' ' . pick('', 'NOT') . ' BETWEEN ' . pick(0, 15, 400) . ' AND ' . pick(30, 4000, 60.75) },
	sub { pick('title', 'writer', 'tag', 'note') . ' ' . pick('=', '<>', '<', 'LIKE', 'NOT LIKE') . ' ' . pick(map { "'$_'" } 'Title 7', 'Author 3', 'v9', '', 'x', '%5%', 'Title 1%', 'T%2', "Ti,tle \"20\" \xc3\xa4", '%,%', 'a^b', 'javascript:x', '_itle 4', 'Author 1,Author 2') },
	sub { pick('title', 'writer') . ' ' . pick('IN', 'NOT IN') . ' ' . pick(q{('Title 7', 'Title 8')}, q{('Author 1', 'Author 2')}, q{('Ti,tle "10" ä', 'Title 9')}, q{('Author 1', NULL)}) },
	sub { pick('published', 'seen', 'changed') . ' ' . pick('=', '<>', '<', '<=', '>', '>=') . " '" . moment() . "'" },
	sub { pick('published', 'seen') . " BETWEEN '" . moment() . "' AND '" . moment() . "'" },
	sub { pick('', 'NOT ') . pick('sold', 'sold = false', 'sold IS TRUE', 'sold IS UNKNOWN') },
	sub { pick(qw(id title price stock sold note published changed seen writer tag)) . pick(' IS NULL', ' IS NOT NULL') });
sub predicate
{
	my ($depth) = @_;
	return pick(@atoms)->() if $depth == 0 || rand() < 0.3;
	return pick('', 'NOT ') . '(' . predicate($depth - 1) . pick(' AND ', ' AND ', ' OR ') . predicate($depth - 1) . ')';
}
my @tails = (
	[ 'array_agg(id ORDER BY id)', '' ],
	[ 'count(*)', '' ],
	[ 'ROW(count(*), count(stock), sum(price), min(seen), max(published), count(tag))', '' ],
	[ '(sold, count(*))', ' GROUP BY sold ORDER BY sold' ],
	[ '(stock, id)', ' ORDER BY stock NULLS FIRST, id LIMIT 7' ],
	[ '(stock, id)', ' ORDER BY stock DESC NULLS LAST, id DESC LIMIT 5 OFFSET 2' ],
	[ '(stock, id)', ' ORDER BY stock, id LIMIT 5' ],
	[ '(title)', ' ORDER BY title LIMIT 5' ],
	[ '(id)', ' ORDER BY id OFFSET 50' ]);
my @queries = map { [ @{ $tails[ $_ % @tails ] }, predicate(pick(0, 1, 2, 3)) ] } 1 .. ($ENV{MANIFEST_ROUNDS} || 300);
my $compare = '';
foreach my $q (@queries)
{
	my ($what, $tail, $where) = @$q;
	my ($there, $here) = map { "ARRAY(SELECT ($what)::text FROM $_.books WHERE $where$tail)" } 'there', 'here';
	$compare .= "SELECT CASE WHEN t = h THEN CASE WHEN cardinality(h) > 0 AND h::text <> '{NULL}' THEN 'same' ELSE 'empty' END ELSE 'there ' || t::text || ' here ' || h::text END FROM (SELECT $there AS t, $here AS h) x;\n";
}
$rest->control('reset');
my @results = split /\n/, $rest->sql($compare);
is(scalar @results, scalar @queries, 'an answer to each of ' . @queries);
my @wrong = grep { $results[$_] !~ /^(same|empty)$/ } 0 .. $#queries;
is(scalar @wrong, 0, "random queries: the same there and here (seed $seed)")
  or diag map { "$queries[$_][0] WHERE $queries[$_][2] $queries[$_][1]\n  $results[$_]\n" } splice @wrong, 0, 5;
cmp_ok(scalar(grep { $_ eq 'same' } @results), '>', @queries / 3, 'many of them with an answer');
my @asked = $rest->seen(qr{/encoded/});
cmp_ok(scalar(grep { $_->{url} =~ /query=/ } @asked), '>', @queries / 2, 'the application was asked with conditions');
cmp_ok(scalar(grep { $_->{url} =~ /limit=1&/ } @asked), '>', 5, 'and for counts');
is($rest->sql('SELECT count(*) FROM there.books'), 57, 'and is still there');

done_testing();
