# Manifests: filters and order by the application's own grammar, fields and entities
# that it tells, counting, incremental pulls.

use strict;
use warnings;

use AppflowTest::Rest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $rest = AppflowTest::Rest->new('queries');
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my @fields = (
	{ name => 'id', type => 'Long', key => $true, sortable => $true }, { name => 'title' }, { name => 'price', type => 'BigDecimal' },
	{ name => 'sold', type => 'Boolean' }, { name => 'published', type => 'DateTime', incremental => $true },
	{ name => 'seen', type => 'DateTime', format => 'datetime' }, { name => 'changed', type => 'DateTime', format => 'epoch' },
	{ name => 'writer', path => 'author.name' });

$rest->register('queries', 'basic', entities => [
	{ name => 'encoded', fields => \@fields,
		read => { path => '/encoded/books', parameters => { query => '{query}', limit => '{size}', start => '{offset}' }, records => 'result',
			query => { join => '^', last => ['ORDERBYid'] }, paging => { kind => 'offset', size => 20 },
			filters => [
				{ operators => ['EQUAL_TO'], types => ['String'], term => '{field}={value}', escape => { '^' => '^^' }, unless => { beginsWith => ['javascript:'] }, exact => $true },
				{ operators => ['EQUAL_TO'], term => '{field}={value}', exact => $true },
				{ operators => ['EQUAL_TO'], types => ['String'], term => '{field}IN{values}', values => ',', exact => $true },
				{ operators => ['EQUAL_TO'], term => '{field}={value}', or => '^OR', exact => $true },
				{ operators => ['GREATER_THAN'], term => '{field}>{value}', exact => $true },
				{ operators => ['LESS_THAN'], term => '{field}<{value}', exact => $true },
				{ operators => ['GREATER_THAN_OR_EQUAL_TO'], term => '{field}>={value}', exact => $true },
				{ operators => ['LESS_THAN_OR_EQUAL_TO'], term => '{field}<={value}', exact => $true },
				{ operators => ['BETWEEN'], term => '{field}>{lower}^{field}<{upper}', exact => $true },
				{ operators => ['CONTAINS'], types => ['String'], term => '{field}LIKE{value}', exact => $true } ],
			order => { ascending => 'ORDERBY{field}', descending => 'ORDERBYDESC{field}', nulls => 'smallest' } },
		count => { path => '/encoded/books', parameters => { query => '{query}', limit => '1' }, header => 'X-Total-Count' } },
	{ name => 'search', fields => \@fields, read => [
		{ when => 'filtered', path => '/search/books', parameters => { q => '{query}', page => '{page}' }, records => 'results',
			query => { first => ['type:book'] }, paging => { kind => 'page', size => 20 },
			filters => [
				{ operators => [ 'GREATER_THAN', 'GREATER_THAN_OR_EQUAL_TO' ], fields => ['published'], term => '{field}>={value}', format => 'date' },
				{ operators => [ 'LESS_THAN', 'LESS_THAN_OR_EQUAL_TO' ], fields => ['published'], term => '{field}<={value}', format => 'date' },
				{ operators => ['EQUAL_TO'], fields => ['title'], term => '{field}:{value}', quote => '"', escape => { '"' => '\\"', '\\' => '\\\\' } } ] },
		{ path => '/page/books', parameters => { page => '{page}' }, paging => { kind => 'page', size => 20 } } ] },
	{ name => 'parameters', fields => [ @fields, { name => 'shelf', type => 'Integer' } ],
		read => { path => '/offset/books', parameters => { start => '{offset}', limit => '{size}', lang => '{setting.language}' }, records => 'result.items',
			paging => { kind => 'offset', size => 20 },
			filters => [
				{ operators => ['EQUAL_TO'], fields => ['shelf'], parameters => { shelf => '{value}' }, exact => $true },
				{ operators => ['GREATER_THAN'], fields => ['id'], parameters => { min_id => '{value}' } } ] } },
	{ name => 'since', fields => \@fields,
		read => { path => '/cursor/books', parameters => { limit => '{size}' }, firstParameters => { since => '0' }, nextParameters => { cursor => '{cursor}' },
			records => 'books', paging => { kind => 'cursor', next => 'meta.next', size => 20 },
			filters => [ { operators => ['GREATER_THAN_OR_EQUAL_TO'], fields => ['changed'], firstParameters => { since => '{value}' } } ] } },
	{ name => 'told', describe => { path => '/schema/book', parameters => { of => '{lineage}' }, records => 'fields',
			name => '{record.key}', label => '{record.label}', type => '{record.kind}', length => '{record.size}',
			types => { number => 'Long', moment => 'DateTime', money => 'BigDecimal', '*' => 'String' },
			required => { path => 'must' }, values => 'options', valuesName => 'v', where => { path => 'key', not => ['secret'] },
			lineage => { path => '/kinds', parameters => { name => '{entity}' }, records => 'kinds', parent => 'parent.name' } },
		read => { path => '/page/books', parameters => { page => '{page}' }, paging => { kind => 'page', size => 20 } } },
	{ name => 'book', describe => { path => '/schema/book', parameters => { of => '{lineage}' }, records => 'fields',
			name => '{record.key}', label => '{record.label}', type => '{record.kind}', length => '{record.size}',
			types => { number => 'Long', moment => 'DateTime', money => 'BigDecimal', '*' => 'String' },
			required => { path => 'must' }, values => 'options', valuesName => 'v', where => { path => 'key', not => ['secret'] },
			lineage => { path => '/kinds', parameters => { name => '{entity}' }, records => 'kinds', parent => 'parent.name' } },
		read => { path => '/page/books', parameters => { page => '{page}' }, paging => { kind => 'page', size => 20 } } },
	{ name => 'sampled', sample => 30, read => { path => '/page/books', parameters => { page => '{page}' }, paging => { kind => 'page', size => 20 } } },
	{ name => 'shelves', label => 'All shelves', fields => [ { name => 'id' }, { name => 'name' } ],
		read => { path => '/shelves', parameters => { cursor => '{cursor}' }, records => 'shelves', paging => { kind => 'cursor', next => 'next' } } },
	{ name => 'shelves/*', fields => [ @fields, { name => 'shelf', constant => '{entity.2}' } ],
		list => { path => '/shelves', parameters => { cursor => '{cursor}' }, records => 'shelves', paging => { kind => 'cursor', next => 'next' },
			name => '{record.id}', label => '{record.name}', where => { path => 'archived', not => ['true'] } },
		read => { path => '/shelves/{entity.2}/books', records => 'books' } } ]);
$rest->sql('CREATE TABLE book (id bigint, title text, shelf text, published timestamptz, price numeric)');

# the ids that a flow with these filters brings, and the queries it asks
sub ids
{
	my ($entity, @where) = @_;
	$rest->sql('TRUNCATE book');
	$rest->control('reset');
	my $ended = $rest->move('queries', $entity, into => 'public.book', map => [ ['id'] ], where => \@where);
	return $ended unless $ended =~ /^Successful/;
	return $rest->sql("SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM book");
}
sub asked { my ($name) = @_; my ($first) = $rest->seen(qr{^/basic/}); return $first->{url} =~ /[?&]$name=([^&]*)/ ? $1 : undef; }

# ---------- an encoded query ----------

my @is = (
	[ 'a number', [ [ 'id', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => 7 ] ], '7', 'id=7^ORDERBYid' ],
	[ 'numbers', [ [ 'id', 'EQUAL_TO', DATA_TYPE => 'long', VALUES => '7,9' ] ], '7 9', 'id=7^ORid=9^ORDERBYid' ],
	[ 'texts', [ [ 'writer', 'EQUAL_TO', DATA_TYPE => 'string', VALUES => 'Author 1,Author 2' ], [ 'id', 'LESS_THAN', DATA_TYPE => 'long', VALUE => 8 ] ],
		'1 2 6 7', 'author.nameINAuthor 1,Author 2^id<8^ORDERBYid' ],
	[ 'between', [ [ 'price', 'BETWEEN', DATA_TYPE => 'double', LOWER_BOUND => '3', UPPER_BOUND => '7.5' ] ], '3 4', 'price>3^price<7.5^ORDERBYid' ],
	[ 'a boolean', [ [ 'sold', 'EQUAL_TO', DATA_TYPE => 'boolean', VALUE => 'true' ], [ 'id', 'LESS_THAN_OR_EQUAL_TO', DATA_TYPE => 'long', VALUE => 4 ] ], '2 4', 'sold=true^id<=4^ORDERBYid' ],
	[ 'a time in epoch milliseconds', [ [ 'published', 'LESS_THAN', DATA_TYPE => 'datetime', VALUE => '1767355200000' ] ], '1', 'published<2026-01-02T12:00:00Z^ORDERBYid' ],
	[ 'a time in another format', [ [ 'seen', 'LESS_THAN', DATA_TYPE => 'datetime', VALUE => '2026-01-03T00:00:00Z' ] ], '1 2', 'seen<2026-01-03 00:00:00^ORDERBYid' ],
	[ 'a time finer than the format, widened', [ [ 'seen', 'LESS_THAN', DATA_TYPE => 'datetime', VALUE => '2026-01-02T23:59:59.5Z' ] ], '1 2', 'seen<2026-01-03 00:00:00^ORDERBYid' ],
	[ 'a part of a text', [ [ 'title', 'CONTAINS', DATA_TYPE => 'string', VALUE => '"5' ] ], '50', 'titleLIKE"5^ORDERBYid' ],
	[ 'a script is not sent', [ [ 'title', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'javascript:gs.x()' ] ], '', 'ORDERBYid' ],
	[ 'a caret is doubled', [ [ 'title', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'a^b' ] ], '', 'title=a^^b^ORDERBYid' ],
	[ 'a comma in a list is not sent as one', [ [ 'title', 'EQUAL_TO', DATA_TYPE => 'string', VALUES => 'Title 1' ] ], '1', 'title=Title 1^ORDERBYid' ],
	[ 'what the application cannot do is done here', [ [ 'id', 'NOT_EQUAL_TO', DATA_TYPE => 'long', VALUE => 1 ], [ 'id', 'LESS_THAN', DATA_TYPE => 'long', VALUE => 4 ] ], '2 3', 'id<4^ORDERBYid' ]);
foreach (@is)
{
	my ($name, $where, $ids, $query) = @$_;
	is(ids('encoded', @$where), $ids, "encoded query: $name");
	is(asked('query'), $query, "encoded query: $name, as sent");
}

# ---------- a search, which is less exact ----------

is(ids('search', [ 'published', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '2026-02-24T13:00:00Z' ]), '56 57', 'search: a time');
is(asked('q'), 'type:book published>=2026-02-24', 'search: of the whole day, and looked at again');
is(ids('search', [ 'title', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'Title 1' ]), '1', 'search: a text');
is(asked('q'), 'type:book title:"Title 1"', 'search: which the application finds in others too');
is(ids('search', [ 'title', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => "Ti,tle \"20\" \x{e4}" ]), '20', 'search: quotes');
is(ids('search', [ 'id', 'GREATER_THAN', DATA_TYPE => 'long', VALUE => 55 ]), '56 57', 'search: what it cannot, another way of reading');
is(scalar $rest->seen(qr{/page/}), 3, 'search: that one');

# ---------- parameters ----------

is(ids('parameters', [ 'shelf', 'EQUAL_TO', DATA_TYPE => 'integer', VALUE => 0 ], [ 'id', 'GREATER_THAN', DATA_TYPE => 'long', VALUE => 51 ]), '54 57', 'parameters');
is_deeply([ map { $_->{url} } $rest->seen(qr{offset}) ], ['/basic/offset/books?limit=20&start=0&shelf=0&min_id=51'], 'parameters, as sent');
is(ids('since', [ 'changed', 'GREATER_THAN_OR_EQUAL_TO', DATA_TYPE => 'datetime', VALUE => '2026-01-01T12:30:00Z' ]), join(' ', 52 .. 57), 'a parameter of the first page');
is(asked('since'), '1767270600', 'a parameter of the first page, as sent');
like(ids('since', [ 'changed', 'GREATER_THAN_OR_EQUAL_TO', DATA_TYPE => 'datetime', VALUE => '2026-01-01T02:00:00Z' ]), qr/^8 .*57$/, 'a parameter of the first page, and more pages');

# ---------- entities and fields that the application tells ----------

sub listed
{
	my ($path) = @_;
	my $answer = decode_json($rest->sql("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"queries\", \"connectorType\": \"CustomConnector\", \"maxResults\": 50" . ($path ? ", \"entitiesPath\": \"$path\"" : '') . "}')"));
	return join ' ', map { "$_->{name}=$_->{label}" . ($_->{hasNestedEntities} ? '+' : '') } @{ $answer->{connectorEntityMap}{Objects} };
}
is(listed(''), 'encoded=encoded search=search parameters=parameters since=since told=told book=book sampled=sampled shelves=All shelves+', 'entities');
is(listed('shelves'), 'shelves/S0=Fiction shelves/S1=Travel shelves/S3=Empty', 'entities under one, over two pages');
like($rest->error_of(q{SELECT appflow.list_connector_entities('{"connectorProfileName": "queries", "connectorType": "CustomConnector", "entitiesPath": "boxes"}')}),
	qr/^WF400: queries has no entities under "boxes"/, 'under none');

sub described
{
	my ($entity) = @_;
	my $answer = decode_json($rest->sql("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"queries\", \"connectorType\": \"CustomConnector\", \"connectorEntityName\": \"$entity\"}')"));
	return map { $_->{identifier} => $_ } @{ $answer->{connectorEntityFields} };
}
my %told = described('book');
is(join(' ', map { "$_:$told{$_}{supportedFieldTypeDetails}{v1}{fieldType}" } sort keys %told), 'id:Long price:BigDecimal published:DateTime shelf:String title:String',
	'fields of the entity and its ancestor, of our types');
is_deeply($told{shelf}{supportedFieldTypeDetails}{v1}{supportedValues}, [ 0, 1, 2 ], 'with their values');
is($told{title}{supportedFieldTypeDetails}{v1}{fieldLengthRange}{maximum}, 40, 'and lengths');
is($told{title}{label}, 'Title', 'and labels');
like($rest->error_of(q{SELECT appflow.describe_connector_entity('{"connectorProfileName": "queries", "connectorType": "CustomConnector", "connectorEntityName": "told"}')}),
	qr/^WF400: queries has no entity "told"/, 'an entity without fields is none');
my %sampled = described('sampled');
is(join(' ', map { "$_:$sampled{$_}{supportedFieldTypeDetails}{v1}{fieldType}" } sort keys %sampled),
	'author:Struct changed:Long extra:Struct id:Long note:String price:Double published:DateTime seen:DateTime shelf:Long sold:Boolean stock:Long title:String',
	'fields that records show');

$rest->sql('TRUNCATE book');
is($rest->move('queries', 'book', into => 'public.book', map => [ ['id'], ['published'], ['price'], ['shelf'] ]), 'Successful 57 0', 'a flow of told fields');
is($rest->sql('SELECT * FROM book WHERE id = 3'), '3||0|2026-01-03 12:00:00+00|4.5', 'of the right types');
$rest->sql('TRUNCATE book');
is($rest->move('queries', 'shelves/S1', into => 'public.book', map => [ ['id'], ['shelf'] ]), 'Successful 19 0', 'a nested entity');
is($rest->sql('SELECT DISTINCT shelf FROM book'), 'S1', 'whose records know where they are from');
like($rest->move('queries', 'book', into => 'public.book', map => [ ['id'], [ 'hull', 'title' ] ]), qr/^WF400: .*: entity "book" of queries has no field "hull"/, 'a field that is none');
like($rest->move('queries', 'boats', into => 'public.book', map => [ ['id'] ]), qr/^WF400: .*: queries has no entity "boats"/, 'an entity that is none');
like($rest->move('queries', 'shelves/..', into => 'public.book', map => [ ['id'] ]), qr/^WF400: .*"\/shelves\/\.\.\/books" is not a path of connector "queries"/, 'a name that leads elsewhere');
is($rest->move('queries', 'sampled'), 'Successful 57 0', 'all fields of an entity that nobody described');

# ---------- settings of a flow's end ----------

$rest->control('reset');
is($rest->move('queries', 'parameters', into => 'public.book', map => [ ['id'] ], custom => { language => 'de' }), 'Successful 57 0', 'a custom property');
is(asked('lang'), 'de', 'is a parameter');


$rest->sql($rest->register_sql('settled', { %{ $rest->manifest('basic') }, settings => [
	{ key => 'language', scope => 'SOURCE', required => $true, values => [ 'de', 'en' ] }, { key => 'shelf', scope => 'SOURCE_AND_DESTINATION', default => '2' } ],
	entities => [ { name => 'books', fields => \@fields, read => { path => '/offset/books', records => 'result.items', paging => { kind => 'offset', size => 20 },
		parameters => { start => '{offset}', limit => '{size}', lang => '{setting.language}', shelf => '{setting.shelf}' } } } ] }));
$rest->sql($rest->profile_sql('settled', 'settled', 'basic'));
$rest->control('reset');
is($rest->move('settled', 'books', into => 'public.book', map => [ ['id'] ], custom => { language => 'en' }), 'Successful 19 0', 'settings with a default');
is(asked('shelf'), 2, 'which is sent');
is($rest->move('settled', 'books', into => 'public.book', map => [ ['id'] ], custom => { language => 'en', shelf => '0' }), 'Successful 19 0', 'and one that is given');
like($rest->move('settled', 'books', into => 'public.book', map => [ ['id'] ]), qr/^WF400: .*customProperties\.language is missing, connector "settled" requires it of a source/, 'a setting that is missing');
like($rest->move('settled', 'books', into => 'public.book', map => [ ['id'] ], custom => { language => 'fr' }),
	qr/^WF400: .*customProperties\.language cannot be "fr", connector "settled" has other values for it, such as "de"/, 'and one that is wrong');

# ---------- versions ----------

$rest->sql($rest->register_sql('versions', { %{ $rest->manifest('basic') }, basePath => '/{apiVersion}', apiVersions => [ 'open', 'basic' ],
	headers => { 'X-Version' => '{apiVersion}', 'X-Nothing' => '{property.nothing}' },
	entities => [ { name => 'books', fields => \@fields, read => { path => '/null/books', records => 'books' } } ] }));
$rest->sql($rest->profile_sql('versions', 'versions', 'basic'));
foreach my $version (undef, 'open', 'basic')
{
	$rest->control('reset');
	is($rest->move('versions', 'books', into => 'public.book', map => [ ['id'] ], version => $version), 'Successful 0 0', 'a version');
	my ($seen) = $rest->seen(qr{/books});
	is(join(' ', $seen->{url}, $seen->{headers}{'x-version'}, exists $seen->{headers}{'x-nothing'} ? 'more' : 'no more'), sprintf('/%1$s/null/books %1$s no more', $version // 'basic'),
		$version ? "version $version is asked for" : 'the newest version is asked for');
}
is($rest->sql(q{SELECT status FROM appflow.http_get('versions', '/basic/null/books')}), 200, 'profiles serve http_get too');

done_testing();
