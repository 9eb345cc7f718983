# Manifests: the example of doc/manifest.md as it stands there, and foreign tables:
# what is asked for which query, and that the answer is right.

use strict;
use warnings;

use AppflowTest::Rest;
use File::Basename qw(dirname);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $rest = AppflowTest::Rest->new('tables');
my $true = JSON::PP::true;

# ---------- every key is in the page, and its example runs ----------

my $page = slurp_file("$ENV{APPFLOW_TEST_DIR}/../doc/manifest.md");
my @keys = split /\n/, `$ENV{APPFLOW_BUILD}/manifest_make`;
cmp_ok(scalar @keys, '>', 150, 'all keys are told');
my @missing = grep { index($page, "`$_`") < 0 && index($page, "\"$_\"") < 0 } @keys;
is_deeply(\@missing, [], 'every key of manifests is in the page');

my @blocks = $page =~ /^```sql\n(.*?)^```$/gms;
is(scalar @blocks, 2, 'the page has its examples');
s{https://library\.example\.com}{$rest->{url}} foreach @blocks;
$rest->sql($blocks[0]);
my ($query) = $blocks[1] =~ /(SELECT author.*;)/s;
(my $rest_of = $blocks[1]) =~ s/\Q$query\E//;
$rest->sql($rest_of);
my ($printed) = $page =~ /\n    -+\+-+\n(.*?)\n\n/s;
$printed =~ s/^ +//gm;
$printed =~ s/ *\| */|/g;
is($rest->sql($query), $printed, 'the example prints what the page says');
is_deeply([ map { $_->{url} } $rest->seen(qr{/cursor/}) ], ['/basic/cursor/books?limit=20&since=1767261600'], 'by one call, of what has changed');
like($rest->sql('SELECT appflow.describe_connector(\'{"connectorType": "CustomConnector", "connectorLabel": "library"}\')'), qr/The city library/, 'and is described');

# ---------- what is asked ----------

my @fields = ({ name => 'id', type => 'Long', key => $true, required => $true, sortable => $true }, { name => 'title' },
	{ name => 'price', type => 'BigDecimal', sortable => $true }, { name => 'stock', type => 'Integer', sortable => $true },
	{ name => 'writer', path => 'author.name' }, { name => 'seen', type => 'DateTime', format => 'datetime' }, { name => 'sold', type => 'Boolean' });
my @exact = (exact => $true);
$rest->register('queries', 'basic', entities => [ { name => 'books', fields => \@fields,
	read => { path => '/encoded/books', parameters => { query => '{query}', limit => '{size}', start => '{offset}', fields => '{fields}' },
		records => 'result', query => { join => '^' }, paging => { kind => 'offset', size => 20 },
		filters => [
			{ operators => ['EQUAL_TO'], term => '{field}={value}', escape => { '^' => '^^' }, @exact },
			{ operators => ['EQUAL_TO'], term => '{field}IN{values}', values => ',', @exact },
			{ operators => ['IS_NULL'], types => [ 'Long', 'Integer', 'BigDecimal', 'DateTime' ], term => '{field}ISEMPTY', @exact },
			{ operators => ['IS_NOT_NULL'], types => [ 'Long', 'Integer', 'BigDecimal', 'DateTime' ], term => '{field}ISNOTEMPTY', @exact },
			{ operators => ['STARTS_WITH'], types => ['String'], term => '{field}STARTSWITH{value}', @exact },
			{ operators => ['GREATER_THAN'], types => [ 'Long', 'Integer', 'BigDecimal', 'DateTime' ], term => '{field}>{value}', @exact },
			{ operators => ['LESS_THAN'], types => [ 'Long', 'Integer', 'BigDecimal', 'DateTime' ], term => '{field}<{value}', @exact },
			{ operators => ['GREATER_THAN_OR_EQUAL_TO'], types => [ 'Long', 'Integer', 'BigDecimal', 'DateTime' ], term => '{field}>={value}', @exact },
			{ operators => ['LESS_THAN_OR_EQUAL_TO'], types => [ 'Long', 'Integer', 'BigDecimal', 'DateTime' ], term => '{field}<={value}', @exact } ],
		order => { ascending => 'ORDERBY{field}', descending => 'ORDERBYDESC{field}', nulls => 'smallest', multiple => $true } },
	count => { path => '/encoded/books', parameters => { query => '{query}', limit => '1' }, header => 'X-Total-Count' } } ]);
$rest->sql('CREATE SERVER queries FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile \'queries\');
	CREATE SCHEMA there; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER queries INTO there;
	CREATE SCHEMA here; CREATE TABLE here.books AS SELECT * FROM there.books');
is($rest->sql('SELECT count(*), count(DISTINCT id), sum(price) FROM here.books'), '57|57|2479.5', 'all of it');

sub same
{
	my ($sql, $url, $name) = @_;
	$rest->control('reset');
	my $there = $rest->sql($sql =~ s/\bbooks\b/there.books/r);
	my @asked = map { $_->{url} } $rest->seen(qr{/encoded/});
	is($there, $rest->sql($sql =~ s/\bbooks\b/here.books/r), "$name: the same as here");
	is($asked[0] =~ s{^/basic/encoded/books\?}{}r, $url, "$name: what was asked") if defined $url;
	return @asked;
}
same('SELECT title FROM books WHERE id = 7', 'limit=20&query=id=7&start=0&fields=id,title', 'a key');
same(q{SELECT id FROM books WHERE writer IN ('Author 1', 'Author 3') AND price > 10 ORDER BY id}, undef, 'conditions');
same(q{SELECT id, seen FROM books WHERE seen >= '2026-01-20 00:00:00.25+00' ORDER BY id}, undef, 'a moment');
same(q{SELECT id FROM books WHERE title LIKE '%2%' ORDER BY id}, undef, 'what the application cannot');
my @asked = same('SELECT id FROM books WHERE stock IS NULL ORDER BY id', undef, 'nulls');
like($asked[0], qr/query=stockISEMPTY/, 'nulls: as asked');
@asked = same(q{SELECT id FROM books WHERE title LIKE 'Title 5%' AND stock IS NOT NULL ORDER BY id}, undef, 'a beginning');
like($asked[0], qr/query=stockISNOTEMPTY\^titleSTARTSWITHTitle 5\^ORDERBYid/, 'a beginning: as asked');
same('SELECT id FROM books WHERE NOT sold AND id < 10 ORDER BY id', undef, 'a boolean');
@asked = same('SELECT id, stock FROM books ORDER BY stock NULLS FIRST, id LIMIT 5', undef, 'an order and a limit');
is(scalar @asked, 1, 'an order and a limit: in one call');
like($asked[0], qr/limit=5&query=ORDERBYstock\^ORDERBYid/, 'an order and a limit: as asked');
@asked = same('SELECT id FROM books WHERE id > 3 ORDER BY id DESC LIMIT 3 OFFSET 2', undef, 'an offset');
is(scalar @asked, 1, 'an offset: in one call');
@asked = same('SELECT count(*) FROM books WHERE price < 30', undef, 'a count');
is_deeply(\@asked, ['/basic/encoded/books?limit=1&query=price<30'], 'a count: nothing is read') or diag join "\n", @asked;
like($rest->sql('EXPLAIN (COSTS off) SELECT title FROM there.books WHERE id = 7'), qr{Remote Request: .*GET http://127\.0\.0\.1:\d+/basic/encoded/books\?\S*query=id%3D7}, 'EXPLAIN shows the call');
unlike($rest->sql('EXPLAIN (VERBOSE) SELECT title FROM there.books WHERE id = 7'), qr/planted/, 'and no secret');
is($rest->sql('PREPARE p (bigint) AS SELECT title FROM there.books WHERE id = $1; SET plan_cache_mode = force_generic_plan; EXECUTE p (9); EXECUTE p (10)'),
	"Title 9\nTi,tle \"10\" \xc3\xa4", 'parameters of a prepared statement');
is($rest->sql('SELECT h.id, t.title FROM here.books h JOIN there.books t USING (id) WHERE h.price BETWEEN 3 AND 5 ORDER BY 1'), "2|Title 2\n3|Title 3", 'a join');

# ---------- memory stays as it is, however many pages ----------

my @big = ({ name => 'id', type => 'Long' }, { name => 'title' }, { name => 'changed', type => 'DateTime', format => 'epoch' }, { name => 'tag', path => 'extra[id=36].value' });
$rest->register('big', 'basic', emptyIsNull => $true, entities => [ { name => 'endless', fields => \@big,
	read => { path => '/endless/books', parameters => { cursor => '{cursor}' }, records => 'books', paging => { kind => 'cursor', size => 1000, next => 'next' } } } ]);
$rest->sql('CREATE SERVER big FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile \'big\'); IMPORT FOREIGN SCHEMA "Objects" FROM SERVER big INTO there');
$rest->control('set?count=200000');
my $read = 'SELECT count(*), max(id), max(tag), max(changed) FROM there.endless%s';
my @read = split /\n/, $rest->sql(join '; ', sprintf($read, ' WHERE id < 1000'),
	'CREATE TEMP TABLE before AS SELECT substring(pg_read_file(\'/proc/self/status\') FROM \'VmHWM:\s+(\d+)\')::int AS kb', sprintf($read, ''),
	'SELECT substring(pg_read_file(\'/proc/self/status\') FROM \'VmHWM:\s+(\d+)\')::int - kb FROM before');
is($read[1], '200000|199999|v99999|2026-01-03 07:33:19+00', 'two hundred pages');
cmp_ok($read[2], '<', 8192, 'in no more memory than one');

# ---------- the short form ----------

$rest->sql(q{SELECT appflow.sync('library', 'books', into_table => 'public.synced')});
$rest->sql(q{CALL appflow.run_flow('library-books')});
is($rest->sql('SELECT count(*), min(author) FROM public.synced'), '57|Author 0', 'appflow.sync() makes a table of an entity, and fills it');

done_testing();
