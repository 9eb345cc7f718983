# Reading from a gateway as strict as ABAP's: the catalogue, pages, several at once,
# throttling, sessions and tokens that end, answers that are none.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use Test::More;

my $sap = AppflowTest::Sap->new('sap');
my $gateway = $sap->start('gateway.js', 50);
my %catalog = (2 => '/sap/opu/odata/iwfnd/catalogservice;v=2', 4 => '/sap/opu/odata4/iwfnd/config/default/iwfnd/catalog/0002');
my %service = (2 => '/sap/opu/odata/sap/ZSALES_SRV', 4 => '/sap/opu/odata4/sap/zsales/srvd_a2x/sap/zsales/0001');
my $json = JSON::PP->new->canonical->utf8;

$sap->profile("v$_", $gateway, $catalog{$_}) foreach 2, 4;

# not in the order of their keys, as databases have them
my @numbers = sort { ($a * 7919) % 1009 <=> ($b * 7919) % 1009 } 1 .. 180;
my @orders = map { {
	OrderId => sprintf('%010d', $_), Customer => $_ == 3 ? "O'Neil & Co + 1" : "Customer $_", Amount => "$_.500", Quantity => $_ - 90,
	Counter => '900719925474' . sprintf('%04d', $_), Rate => 0.25 * $_, Paid => $_ % 2 ? JSON::PP::true : JSON::PP::false,
	Day => 1709251200000 + 86400000 * $_, Local => 1709287872000 + 1000 * $_, ChangedAt => 1709287872000 + 60000 * $_,
	Clock => sprintf('PT%02dH%02dM%02dS', $_ % 24, $_ % 60, 0), Ref => sprintf('6f9619ff-8b86-d011-b42d-%012d', $_), Blob => '+/8=',
	Status => 'A', Country => $_ % 3 ? 'DE' : 'FR' } } @numbers;
$sap->tell("$gateway/_rows/OrderSet", \@orders);
$sap->tell("$gateway/_rows/ItemSet", [ map { { OrderId => '0000000003', Pos => "$_", Material => "M$_" } } 1 .. 2 ]);
$sap->tell("$gateway/_rows/ReportSet", [ map { { Id => "$_", Year => $_ % 2 ? '2024' : '2025' } } 1 .. 120 ]);

sub entities
{
	my ($profile, $path) = @_;
	my $more = defined $path ? ", \"entitiesPath\": \"$path\"" : '';
	return $sap->sql("SELECT string_agg(concat_ws(':', e ->> 'name', e ->> 'label', e ->> 'hasNestedEntities'), ' | ') FROM jsonb_path_query(appflow.list_connector_entities('{\"connectorProfileName\": \"$profile\"$more}'), '\$.connectorEntityMap.Objects[*]') e");
}
sub seen { return $sap->seen($gateway, @_); }
sub orders { my ($run) = @_; return join ' ', map { /"OrderId":"0*(\d+)"/ } split /\n/, $run->{text}; }
my $sorted = join ' ', 1 .. 180;

# ---------- the catalogue ----------

is(entities('v2'), "$service{2}:ZSALES_SRV:true | /sap/opu/odata/ACME/OTHER_SRV;v=2:/ACME/OTHER_SRV:true", 'services of version 2');
is(entities('v4'), "$service{4}:Sales orders:true", 'services of version 4');
is(entities('v2', $service{2}), "$service{2}/OrderSet:Sales order:false | $service{2}/ItemSet:ItemSet:false | $service{2}/PriceSet:PriceSet:false | $service{2}/ReportSet:ReportSet:false | $service{2}/FactsOfStock:FactsOfStock:false | $service{2}/DeltaLinksOfFactsOfStock:DeltaLinksOfFactsOfStock:false", 'entity sets of a service');
is(scalar(grep { !/sap-client=100&sap-language=EN/ } seen()), 0, 'client and language go with each request');

foreach my $version (2, 4)
{
	my $fields = $json->decode($sap->sql("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"v$version\", \"connectorEntityName\": \"$service{$version}/OrderSet\"}') -> 'connectorEntityFields'"));
	my %field = map { $_->{identifier} => $_ } @$fields;
	is_deeply($field{Status}{supportedFieldTypeDetails}{v1}{filterOperators}, [], "version $version: a field that filters cannot be on");
	is($field{Status}{destinationProperties}, undef, 'nor writes');
	is($field{OrderId}{label}, 'Order', 'a label');
	is($field{Country}{customProperties}{notNull}, 'true', 'one that is never null');
	is($field{Blob}{customProperties}{sortable}, undef, 'one that cannot be sorted by');
}

# ---------- pages ----------

my $columns = join ', ', '"OrderId" text', '"Customer" text', '"Amount" numeric', '"Quantity" int', '"Counter" bigint', '"Rate" float8', '"Paid" boolean',
  '"Day" date', '"Local" timestamptz', '"ChangedAt" timestamptz', '"Clock" time', '"Ref" uuid', '"Blob" bytea', '"Status" text', '"Country" text';
my %sum;
foreach my $version (2, 4)
{
	seen();
	$sap->ask("$gateway/_sessions");
	my $run = $sap->pull("v$version", "$service{$version}/OrderSet", table => $columns);
	is("$run->{status} $run->{processed}", 'Successful 180', "version $version: pages of the service") or diag explain $run;
	my @seen = seen(qr/OrderSet/);
	is(scalar(@seen), 4, 'four of them');
	is($sap->ask("$gateway/_sessions"), 1, 'in one session');
	is(scalar(grep { !/sap-client=100/ } @seen), 0, 'each in the right client, though the links do not say it');
	my ($table) = $run->{name} =~ /(\d+)/;
	$sum{$version} = $sap->sql("SELECT md5(string_agg(t::text, ' ' ORDER BY \"OrderId\")) FROM table$table t");
	is($sap->sql("SET timezone = 'UTC'; SELECT t FROM table$table t WHERE \"OrderId\" = '0000000003'"),
		q{(0000000003,"O'Neil & Co + 1",3.500,-87,9007199254740003,0.75,t,2024-03-04,"2024-03-01 10:11:15+00","2024-03-01 10:14:12+00",03:03:00,6f9619ff-8b86-d011-b42d-000000000003,"\\\\xfbff",A,FR)}, 'a record');
	$run = $sap->pull("v$version", "$service{$version}/OrderSet", to => 'PARQUET');
	my ($file) = values %{ $run->{files} };
	my $parquet = $sap->{flows}->parquet($file);
	is("$run->{status} $run->{processed} " . scalar(@{ $parquet->{rows} }), 'Successful 180 180', "version $version: to Parquet") or diag explain $run;
}
is($sum{2}, $sum{4}, 'both versions say the same');

foreach my $version (2, 4)
{
	my $entity = "$service{$version}/OrderSet";
	my %tasks = (tasks => [ sap_task('Filter', ['OrderId'], undef, 'PROJECTION'), sap_map('OrderId') ]);

	seen();
	my $run = $sap->pull("v$version", $entity, %tasks, source => { paginationConfig => { maxPageSize => 45 } });
	is(orders($run), $sorted, "version $version: pages of our size, in the order of the key") or diag explain $run;
	my @seen = seen(qr/OrderSet/);
	is(scalar(@seen), 5, 'four full ones, and an empty one that ends them');
	is(join(' ', map { /\$top=(\d+)/ } @seen), '45 45 45 45 45', 'of that size');
	ok(!(grep { !/\$select=OrderId&/ } @seen), 'with the one field');

	$run = $sap->pull("v$version", $entity, %tasks, source => { paginationConfig => { maxPageSize => 80 } });
	is(orders($run), $sorted, 'larger than the pages of the service') or diag explain $run;

	$sap->tell("$gateway/_set", { links => JSON::PP::false, page => 80 });
	$run = $sap->pull("v$version", $entity, %tasks, source => { paginationConfig => { maxPageSize => 80 } });
	is(orders($run), $sorted, 'of a service without links') or diag explain $run;
	$sap->tell("$gateway/_set", { links => JSON::PP::true, page => 50 });

	seen();
	$run = $sap->pull("v$version", $entity, %tasks, source => { paginationConfig => { maxPageSize => 6 }, parallelismConfig => { maxParallelism => 10 } });
	is(orders($run), $sorted, 'several at once, in their order') or diag explain $run;
	@seen = seen(qr/OrderSet/);
	is(join(' ', sort { $a <=> $b } map { /\$skip=(\d+)/ ? $1 : 0 } @seen), join(' ', map { $_ * 6 } 0 .. 29), 'each page once');

	# the service gives less than it is asked for: what is on its way is of no use
	seen();
	$run = $sap->pull("v$version", $entity, %tasks, source => { paginationConfig => { maxPageSize => 70 }, parallelismConfig => { maxParallelism => 3 } });
	is(orders($run), $sorted, 'several at once of a service with smaller pages') or diag explain $run;
	$sap->tell("$gateway/_set", { links => JSON::PP::false });
	$run = $sap->pull("v$version", $entity, %tasks, source => { paginationConfig => { maxPageSize => 70 }, parallelismConfig => { maxParallelism => 3 } });
	is(orders($run), $sorted, 'and without links') or diag explain $run;
	$sap->tell("$gateway/_set", { links => JSON::PP::true });

	# services that take $skip, or $top too, and do nothing with it
	$sap->tell("$gateway/_set", { ignores => [ 'skip', 'top' ], page => 1000 });
	foreach my $parallel (1, 3)
	{
		my %source = (source => { paginationConfig => { maxPageSize => 70 }, parallelismConfig => { maxParallelism => $parallel } });
		$run = $sap->pull("v$version", $entity, %source, tasks => [ sap_map('Quantity') ]);
		is("$run->{status} $run->{processed}", 'Successful 180', "all at once from a service without pages, $parallel at once") or diag explain $run;
		$sap->tell("$gateway/_set", { ignores => ['skip'] });
		$run = $sap->pull("v$version", $entity, %source, tasks => [ sap_map('Quantity') ]);
		like("$run->{status} $run->{message}", qr/^Error SAPOData ignores \$skip in requests about entity/, 'which are not mistaken for others') or diag explain $run;
		$sap->tell("$gateway/_set", { ignores => [ 'skip', 'top' ] });
	}
	$sap->tell("$gateway/_set", { ignores => [], page => 50 });

	# the second of several breaks off, is slow, is refused for a while
	foreach my $trouble ({ status => 429, headers => { 'Retry-After' => '0' } }, { status => 503, times => 2 }, { delay => 700 })
	{
		$sap->tell("$gateway/_next", { match => 'skip=40', %$trouble });
		$run = $sap->pull("v$version", $entity, %tasks, source => { paginationConfig => { maxPageSize => 20 }, parallelismConfig => { maxParallelism => 3 } });
		is(orders($run), $sorted, 'with a page in trouble: ' . join ' ', %$trouble) or diag explain $run;
	}
	$sap->tell("$gateway/_next", { match => 'skiptoken', status => 429, headers => { 'Retry-After' => '0' } });
	$run = $sap->pull("v$version", $entity, %tasks);
	is(scalar(split / /, orders($run)), 180, 'a throttled page of the service') or diag explain $run;
}

# what the first ones are matters where there is no order
my $run = $sap->pull('v2', "$service{2}/ReportSet", source => { paginationConfig => { maxPageSize => 10 } },
	tasks => [ sap_rows('Year', 'EQUAL_TO', VALUE => '2024'), sap_map('Id') ]);
is("$run->{status} $run->{processed}", 'Successful 60', 'a service that takes no $top and $skip is not told them') or diag explain $run;
$run = $sap->pull('v2', "$service{2}/ReportSet");
like($run->{message}, qr/only read with a filter on field "Year"/, 'a filter that must be there');

# ---------- filters, along relationships ----------

seen();
$run = $sap->pull('v2', "$service{2}/OrderSet", tasks => [
	sap_rows('Amount', 'BETWEEN', LOWER_BOUND => '2.5', UPPER_BOUND => '5.5', DATA_TYPE => 'decimal'),
	sap_rows('Country', 'NOT_EQUAL_TO', VALUE => 'US'), sap_rows('Customer', 'CONTAINS', VALUE => 'Co + 1'),
	sap_map('OrderId'), sap_map('ToItems', 'items') ]);
is($run->{text}, qq({"OrderId":"0000000003","items":[{"OrderId":"0000000003","Pos":1,"Material":"M1"},{"OrderId":"0000000003","Pos":2,"Material":"M2"}]}\n),
	'filters, and records within a record') or diag explain $run;
like((seen(qr/OrderSet/))[0], qr/\$select=.*ToItems.*&\$expand=ToItems&\$filter=Amount gt 2.5m and Amount lt 5.5m and Country ne 'US' and substringof\('Co \+ 1',Customer\)/, 'said in words of version 2');
foreach my $version (2, 4)
{
	$run = $sap->pull("v$version", "$service{$version}/ItemSet", tasks => [ sap_map('Material'), sap_map('ToOrder.Customer', 'customer'), sap_map('ToOrder.Counter', 'counter') ]);
	is($run->{text}, join('', map { qq({"Material":"M$_","customer":"O'Neil & Co + 1","counter":9007199254740003}\n) } 1, 2), "version $version: along a relationship") or diag explain $run;
}

my %within;
foreach my $version (2, 4)
{
	$run = $sap->pull("v$version", "$service{$version}/ItemSet", tasks => [ sap_map('Pos'), sap_map('ToOrder', 'order') ]);
	($within{$version}) = map { join ' ', $_->{order}{Customer}, $_->{order}{Quantity}, sort keys %{ $_->{order} } } $json->decode((split /\n/, $run->{text})[0]);
}
is($within{2}, $within{4}, 'a record within a record, the same in both versions');
like($within{2}, qr/^O'Neil & Co \+ 1 -87 Amount/, 'and right');

# ---------- OAuth ----------

$sap->profile("o$_", $gateway, $catalog{$_}, oAuthProperties => { tokenUrl => "$gateway/sap/bc/sec/oauth2/token", authCodeUrl => "$gateway/x", oAuthScopes => ['ZSALES_SRV_0001'] },
	credentials => { oAuthCredentials => { clientId => 'client', clientSecret => 'planted-secret', accessToken => 'old', refreshToken => 'refresh-0' } }) foreach 2, 4;
foreach my $version (2, 4)
{
	$sap->tell("$gateway/_next", { match => 'skiptoken=100', expire => JSON::PP::true });
	seen();
	$run = $sap->pull("o$version", "$service{$version}/OrderSet", tasks => [ sap_map('OrderId') ]);
	is("$run->{status} $run->{processed}", 'Successful 180', "version $version: a token that ends between pages") or diag explain $run;
	cmp_ok(scalar(seen(qr/oauth2/)), '>=', 1, 'is renewed');
}

# ---------- what goes wrong ----------

sub failure { my ($profile, $entity, %args) = @_; my $r = $sap->pull($profile, $entity, tasks => [ sap_map('OrderId') ], %args); return "$r->{status}: $r->{message}"; }
my $two = $service{2};
my $entity = "$two/OrderSet";

$sap->tell("$gateway/_next", { match => 'OrderSet', status => 200, headers => { 'Content-Type' => 'text/html' }, body => '<html><body>Please log on</body></html>' });
like(failure('v2', $entity), qr/^Error: .*is not JSON: <html><body>Please log on/, 'a page to log on at instead of records');
$sap->tell("$gateway/_next", { match => 'metadata', status => 200, headers => { 'Content-Type' => 'text/html' }, body => '<html><body>Please log on<br></body></html>' });
like(failure('v2', $entity), qr/^Error: .*no \$metadata document/, 'or of a description');
foreach my $cut ({ cut => 5000 }, { cut => 5000, quiet => JSON::PP::true })
{
	$sap->tell("$gateway/_next", { match => 'skiptoken=100', times => 9, %$cut });
	my $r = $sap->pull('v4', "$service{4}/OrderSet", table => $columns);
	like("$r->{status}: $r->{message} $r->{text}", qr/^Error: .*(broke|cut|closed|malformed|ended).*/s, 'a page that breaks off');
	is($sap->sql('SELECT count(*) FROM table' . ($r->{name} =~ /(\d+)/)[0]), 0, 'leaves nothing behind');
	$sap->tell("$gateway/_next", { match => 'nothing' });
	$sap->stop;
	$gateway = $sap->start('gateway.js', 50);
	$sap->sql("SELECT appflow.delete_connector_profile('{\"connectorProfileName\": \"v$_\", \"forceDelete\": true}')") foreach 2, 4;
	$sap->profile("v$_", $gateway, $catalog{$_}) foreach 2, 4;
	$sap->tell("$gateway/_rows/OrderSet", \@orders);
}
is($sap->pull('v2', '/nothing')->{refused}, 'Create Flow request failed: [sourceFlowConfig.sourceConnectorProperties.SAPOData.objectPath: "/nothing" is not the path of a service and the name of an entity set]', 'what is no path');
like(failure('v2', "$service{2}/Nothing"), qr{^Error: service "\Q$two\E" has no entity set "Nothing"}, 'an unknown entity');
like(failure('v2', '/sap/opu/odata/sap/ZNOTHING_SRV/OrderSet'), qr{^Error: SAPOData refused .*/IWFND/MED/170: No service found for namespace}, 'an unknown service');
like(failure('v2', $entity, tasks => [ sap_map('Nothing') ]), qr/^Error: .*has no field "Nothing"/, 'an unknown field');
$sap->sql("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"v2\", \"connectorEntityName\": \"$entity\"}')");
$sap->tell("$gateway/_set", { hidden => 'Rate' });
$sap->tell("$gateway/_next", { match => '$metadata', method => 'NEVER' });
like(failure('v2', $entity, tasks => [ sap_map('Rate') ]), qr/^Error: .*has no field "Rate"/, 'a field that has gone');
$sap->tell("$gateway/_set", { hidden => undef });
$sap->profile('wrong', $gateway, $catalog{2}, credentials => { basicAuthCredentials => { username => 'me', password => 'no' } });
like(failure('wrong', $entity), qr/^Error: SAPOData refused .*status 401|Logon failed/, 'wrong credentials');
$sap->profile('client', $gateway, $catalog{2}, clientNumber => '999');
like(failure('client', $entity), qr/^Error: SAPOData refused .*Client is not available/, 'a client that does not exist');
$sap->tell("$gateway/_next", { match => 'skiptoken=50', replace => [ '"__next"', '"__never"' ] });
$sap->tell("$gateway/_next", { match => 'OrderSet', replace => [ '"Customer 1', "\"Customer \xff" ] });
like(failure('v2', $entity, tasks => [ sap_map('Customer') ]), qr/^Error: .*malformed.*UTF-8/, 'text that is no UTF-8');
$sap->tell("$gateway/_next", { match => 'OrderSet', replace => [ '"OrderId"', '"OrderId":"twice","OrderId"' ] });
like(failure('v2', $entity), qr/^Error: .*malformed.*twice|duplicate/, 'a member that is there twice');
$sap->tell("$gateway/_next", { match => 'OrderSet', replace => [ '"Quantity":', '"Quantity":99999999999' ] });
$run = $sap->pull('v2', $entity, table => 'q int', tasks => [ sap_map('Quantity', 'q') ]);
like("$run->{status} $run->{processed} $run->{failed} $run->{message}", qr/out of range|1 of 180/, 'a number that is too large') or diag explain $run;
$sap->tell("$gateway/_next", { match => 'skiptoken=50', status => 400, body => '{"error":{"code":"SY/530","message":{"lang":"en","value":"An exception was raised"},"innererror":{"errordetails":[{"code":"X","message":"Authority check failed"}]}}}' });
like(failure('v2', $entity), qr{^Error: SAPOData refused entity "$entity": SY/530: An exception was raised; Authority check failed}, "the service's own words");
$sap->tell("$gateway/_next", { match => 'skiptoken=50', status => 400, body => '<?xml version="1.0"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><code>005056A509B11EE1B9A8FEC11C21578E</code><message xml:lang="en">Bad query</message></error>' });
like(failure('v2', $entity), qr/005056A509B11EE1B9A8FEC11C21578E: Bad query/, 'in XML too');
$sap->sql(q{SELECT 1});

done_testing();
