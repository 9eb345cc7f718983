# Connectors that are manifests: registered in SQL, asked, read by flows, in every kind
# of paging and authentication.

use strict;
use warnings;

use AppflowTest::Rest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $rest = AppflowTest::Rest->new('manifest');
my $true = JSON::PP::true;
my @fields = (
	{ name => 'id', type => 'Long', key => $true }, { name => 'title' }, { name => 'price', type => 'BigDecimal' },
	{ name => 'stock', type => 'Integer' }, { name => 'sold', type => 'Boolean' },
	{ name => 'published', type => 'DateTime', incremental => $true },
	{ name => 'changed', type => 'DateTime', format => 'epoch' },
	{ name => 'seen', type => 'DateTime', format => 'datetime' },
	{ name => 'writer', path => 'author.name' }, { name => 'tag', path => 'extra[id=36].value' },
	{ name => 'deep', type => 'Integer', path => 'extra[id=37].value.deep' }, { name => 'extra', type => 'List' },
	{ name => 'author', type => 'Struct' });

sub entity { my ($name, %read) = @_; return { name => $name, fields => \@fields, read => \%read }; }

$rest->register('books', 'basic', entities => [
	entity('offset', path => '/offset/books', parameters => { start => '{offset}', limit => '{size}', fields => '{fields}' },
		records => 'result.items', paging => { kind => 'offset', size => 20, total => 'result.total' }),
	entity('page', path => '/page/books', parameters => { page => '{page}', per_page => '{size}' }, paging => { kind => 'page', size => 10 }),
	]);
$rest->sql('CREATE TABLE book (id bigint PRIMARY KEY, title text, price numeric, published timestamptz, changed timestamptz, writer text, tag text, deep int)');

# ---------- one flow, looked at closely ----------

my @map = (['id'], ['title'], ['price'], ['published'], ['changed'], ['writer'], ['tag'], ['deep']);
is($rest->move('books', 'offset', into => 'public.book', map => \@map), 'Successful 57 0', 'a flow into a table');
is($rest->sql('SELECT * FROM book WHERE id IN (1, 20) ORDER BY id'),
	"1|Title 1|1.5|2026-01-01 12:00:00+00|2026-01-01 00:00:00+00|Author 1|v1|1\n" .
	"20|Ti,tle \"20\" ä|30|2026-01-20 12:00:00+00|2026-01-01 05:00:00+00|Author 0|v20|20", 'values of every kind');
is_deeply([ map { $_->{url} } $rest->seen(qr{/offset/}) ],
	[ map { "/basic/offset/books?limit=20&start=$_&fields=id,title,price,published,changed,author.name,extra" } 0, 20, 40 ], 'three pages, and only the fields wanted');
done_testing();
