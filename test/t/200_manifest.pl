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
	{ name => 'id', type => 'Long', key => $true, required => $true }, { name => 'title', label => 'The title', length => 200 },
	{ name => 'price', type => 'BigDecimal' }, { name => 'stock', type => 'Integer' }, { name => 'sold', type => 'Boolean' },
	{ name => 'published', type => 'DateTime', incremental => $true },
	{ name => 'changed', type => 'DateTime', format => 'epoch' },
	{ name => 'seen', type => 'DateTime', format => 'datetime' },
	{ name => 'writer', path => 'author.name' }, { name => 'tag', path => 'extra[id=36].value' },
	{ name => 'deep', type => 'Integer', path => 'extra[id=37].value.deep' }, { name => 'extra', type => 'List' },
	{ name => 'author', type => 'Struct' }, { name => 'note' }, { name => 'shelf', type => 'Integer' },
	{ name => 'source', constant => '{entity} of {property.library}' });

sub entity { my ($name, %read) = @_; return { name => $name, fields => \@fields, read => \%read }; }

my @pages = (
	entity('offset', path => '/offset/books', parameters => { start => '{offset}', limit => '{size}', fields => '{fields}' },
		records => 'result.items', paging => { kind => 'offset', size => 20, total => 'result.total' }),
	entity('page', path => '/page/books', parameters => { page => '{page}', per_page => '{size}' }, paging => { kind => 'page', size => 10 }),
	entity('cursor', path => '/cursor/books', parameters => { limit => '{size}' }, firstParameters => { since => '0' },
		nextParameters => { cursor => '{cursor}' }, records => 'books',
		paging => { kind => 'cursor', size => 15, next => 'meta.next', more => { path => 'meta.more' } }),
	entity('link', path => '/link/books', parameters => { size => '{size}' }, records => 'books',
		paging => { kind => 'link', size => 15, next => 'next' }),
	entity('linkheader', path => '/linkheader/books', parameters => { size => '{size}' }, paging => { kind => 'linkHeader', size => 15 }),
	entity('header', path => '/tokenheader/books', parameters => { size => '{size}', token => '{cursor}' }, records => 'list',
		paging => { kind => 'header', size => 15, next => 'X-Next' }),
	entity('time', path => '/time/books', parameters => { size => '{size}' }, firstParameters => { start => '0' },
		nextParameters => { start => '{cursor}' }, records => 'books', distinct => [ 'id', 'changed' ],
		paging => { kind => 'time', size => 15, next => 'end_time', last => { path => 'end_of_stream' } }),
	entity('key', path => '/key/books', parameters => { size => '{size}', after => '{cursor}' }, records => 'books',
		paging => { kind => 'key', size => 15, next => 'id' }),
	entity('post', path => '/post/books', body => { limit => '{size}', start => '{offset}', note => '{cursor}' }, records => 'books',
		paging => { kind => 'offset', size => 20 }),
	entity('form', path => '/form/books', form => { limit => '{size}', start => '{offset}' }, records => 'books',
		paging => { kind => 'offset', size => 20 }));

$rest->{properties} = { library => 'Here' };
$rest->register('books', 'basic', entities => \@pages, emptyIsNull => $true);
$rest->sql('CREATE TABLE book (id bigint PRIMARY KEY, title text, price numeric, stock int, sold boolean, published timestamptz, changed timestamptz,
	seen timestamptz, writer text, tag text, deep int, note text, source text)');

# ---------- one flow, looked at closely ----------

my @map = map { [$_] } qw(id title price stock sold published changed seen writer tag deep note source);
is($rest->move('books', 'offset', into => 'public.book', map => \@map), 'Successful 57 0', 'a flow into a table');
is($rest->sql('SELECT * FROM book WHERE id IN (1, 21) ORDER BY id'),
	"1|Title 1|1.5|100|f|2026-01-01 12:00:00+00|2026-01-01 00:00:00+00|2026-01-01 00:00:00+00|Author 1|v1|1|x|offset of Here\n" .
	"21|Title 21|31.5||f|2026-01-21 12:00:00+00|2026-01-01 05:00:00+00|2026-01-21 00:00:00+00|Author 1|v21|21||offset of Here",
	'values of every kind');
is($rest->sql('SELECT title FROM book WHERE id = 20'), 'Ti,tle "20" ä', 'text of every kind');
is_deeply([ map { $_->{url} } $rest->seen(qr{/offset/}) ],
	[ map { "/basic/offset/books?limit=20&start=$_&fields=id,title,price,stock,sold,published,changed,seen,author.name,extra,note" } 0, 20, 40 ],
	'three pages, and only the fields wanted');

# ---------- every kind of paging gives every record once ----------

my %calls = (offset => 3, page => 6, cursor => 4, link => 4, linkheader => 4, header => 4, time => 5, key => 4, post => 3, form => 3);
foreach my $kind (sort keys %calls)
{
	$rest->sql('TRUNCATE book');
	$rest->control('reset');
	is($rest->move('books', $kind, into => 'public.book', map => [ ['id'], ['title'], ['changed'] ]), 'Successful 57 0', "$kind: 57 records");
	is($rest->sql('SELECT count(*), min(id), max(id), sum(id), count(title) FROM book'), '57|1|57|1653|57', "$kind: each of them once");
	is(scalar $rest->seen(qr{/basic/}), $calls{$kind}, "$kind: in $calls{$kind} pages");
	is_deeply([ map { $_->{body} } $rest->seen(qr{/basic/}) ],
		[ map { $kind eq 'form' ? "limit=20&start=$_" : "{\"limit\":20,\"start\":$_}" } 0, 20, 40 ], "$kind: bodies") if $kind =~ /^(form|post)$/;
}

# ---------- every way to authenticate ----------

foreach my $auth (qw(key param custom bearer))
{
	$rest->register("by-$auth", $auth, entities => [ $pages[0] ]);
	$rest->sql('TRUNCATE book');
	is($rest->move("by-$auth", 'offset', into => 'public.book', map => [ ['id'] ]), 'Successful 57 0', "authenticated by $auth");
}

# a token that ends between pages is renewed once, and nothing is lost or doubled
$rest->sql('TRUNCATE book');
$rest->control('reset');
$rest->control('set?expireafter=2');
is($rest->move('by-bearer', 'offset', into => 'public.book', map => [ ['id'] ]), 'Successful 57 0', 'a token that ends between pages');
is($rest->sql('SELECT count(*), sum(id) FROM book'), '57|1653', 'no record less or more');
is(scalar $rest->seen(qr{^/token}), 1, 'one new token');

# pages that come too early
$rest->sql('TRUNCATE book');
$rest->control('set?throttle=2');
is($rest->move('books', 'cursor', into => 'public.book', map => [ ['id'] ]), 'Successful 57 0', 'throttled, then fine');

# ---------- into objects ----------

is($rest->move('books', 'offset', map => [ ['id'], ['changed'], ['title'] ]), 'Successful 57 0', 'a flow into objects');
is($rest->move('books', 'offset', type => 'PARQUET'), 'Successful 57 0', 'and into Parquet, all fields');

# ---------- what the connector tells ----------

my $entities = decode_json($rest->sql(q{SELECT appflow.list_connector_entities('{"connectorProfileName": "books", "connectorType": "CustomConnector", "maxResults": 50}')}));
is_deeply([ map { $_->{name} } @{ $entities->{connectorEntityMap}{Objects} } ],
	[qw(offset page cursor link linkheader header time key post form)], 'entities in the order of the manifest');
my $described = decode_json($rest->sql(q{SELECT appflow.describe_connector_entity('{"connectorProfileName": "books", "connectorType": "CustomConnector", "connectorEntityName": "offset"}')}));
my %field = map { $_->{identifier} => $_ } @{ $described->{connectorEntityFields} };
is($field{id}{isPrimaryKey}, $true, 'a key');
is($field{title}{label}, 'The title', 'a label');
is($field{price}{supportedFieldTypeDetails}{v1}{fieldType}, 'BigDecimal', 'a type');
ok($field{published}{sourceProperties}{isTimestampFieldForIncrementalQueries}, 'a field for incremental pulls');

my $connector = decode_json($rest->sql(q{SELECT appflow.describe_connector('{"connectorType": "CustomConnector", "connectorLabel": "by-custom"}')}))->{connectorConfiguration};
is($connector->{connectorProvisioningType}, 'MANIFEST', 'the connector says what it is');
is_deeply([ @$connector{qw(canUseAsSource canUseAsDestination)} ], [ $true, JSON::PP::false ], 'and what it can do');
is_deeply($connector->{authenticationConfig}{customAuthConfigs}[0]{authParameters},
	[ map { { key => $_, isRequired => $true, isSensitiveField => $true } } qw(user secret) ], 'and what credentials it wants');
is($connector->{connectorProvisioningConfig}{manifest}{basePath}, '/custom', 'and its manifest');
unlike($rest->sql('SELECT appflow.describe_connector_profiles(\'{}\')'), qr/planted/, 'nobody is shown credentials');

done_testing();
