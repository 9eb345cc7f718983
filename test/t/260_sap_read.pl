# Reading from SAP's CAP server, in versions 4 and 2 of OData: describing, filters,
# pages, values of every type.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use Test::More;

my $sap = AppflowTest::Sap->new('sap');
my $cap = $sap->start('cap/server.js');
my %path = (4 => '/odata/v4/sales', 2 => '/odata/v2/sales');
my $decode = JSON::PP->new->allow_nonref;

$sap->profile("v$_", $cap, $path{$_}) foreach 4, 2;

my @orders = (
	{ ID => 1, Customer => "O'Neil & Söhne", Note => "100% +1 #;", Amount => '12.50', Big => 4503599627370497, Share => 0.25, Paid => JSON::PP::true,
		Day => '2024-03-01', At => '2024-03-01T10:11:12Z', Changed => '2024-03-01T10:11:12.123Z', Clock => '10:11:12',
		Ref => '6f9619ff-8b86-d011-b42d-00cf4fc964ff', Blob => '+/8=', Region_ID => 'DE' },
	{ ID => 2, Customer => 'Müller', Amount => '-0.01', Big => -5, Share => -1e-7, Paid => JSON::PP::false, Day => '1969-12-31',
		At => '1969-12-31T23:59:59Z', Changed => '1969-12-31T23:59:59.999Z', Clock => '00:00:00', Region_ID => 'FR' },
	{ ID => 3 },
);
$sap->tell("$cap/_rows/Orders", \@orders);
$sap->tell("$cap/_rows/Regions", [ { ID => 'DE', Name => 'Germany' }, { ID => 'FR', Name => 'France' } ]);
$sap->tell("$cap/_rows/Items", [ map { { OrderID => 1, Pos => "00$_", Material => "M$_", Quantity => "$_.125" } } 1 .. 3 ]);
$sap->tell("$cap/_rows/Many", [ map { { ID => $_, Value => "value $_" } } 1 .. 100 ]);

# ---------- what there is ----------

foreach my $version (4, 2)
{
	is($sap->sql("SELECT string_agg(e ->> 'name', ' ') FROM jsonb_path_query(appflow.list_connector_entities('{\"connectorProfileName\": \"v$version\"}'), '\$.connectorEntityMap.Objects[*]') e"),
		join(' ', map { "$path{$version}/$_" } qw(Orders Items Regions Many Guarded)), "version $version: entity sets of a service");
	my $fields = $decode->decode($sap->sql("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"v$version\", \"connectorEntityName\": \"$path{$version}/Orders\"}') -> 'connectorEntityFields'"));
	my %field = map { $_->{identifier} => $_ } @$fields;
	is(join(' ', map { "$_->{identifier}:$_->{supportedFieldTypeDetails}{v1}{fieldType}" } @$fields),
		'ID:Integer Customer:String Note:String Amount:BigDecimal Big:Long Share:Double Paid:Boolean Day:Date At:DateTime Changed:DateTime Clock:String Ref:String Blob:ByteArray Region_ID:String',
		"version $version: types");
	ok($field{ID}{isPrimaryKey} && !$field{Customer}{isPrimaryKey}, 'the key');
	is("$field{Amount}{customProperties}{precision},$field{Amount}{customProperties}{scale}", '15,2', 'precision and scale');
	is($field{Customer}{label}, $version == 4 ? 'Sold-to party' : 'Sold-to party', 'a label');
	is($field{Customer}{supportedFieldTypeDetails}{v1}{fieldLengthRange}{maximum}, 40, 'a length');
	is_deeply([ sort @{ $field{Customer}{destinationProperties}{supportedWriteOperations} } ], [qw(INSERT UPDATE UPSERT)], 'what may be written');
	is($field{Region_ID}{customProperties}{references} // '', "$path{$version}/Regions", 'what a field refers to') if $version == 4;
}

# ---------- flows ----------

my $columns = '"ID" int, "Customer" text, "Note" text, "Amount" numeric(15,2), "Big" bigint, "Share" float8, "Paid" boolean, "Day" date, "At" timestamptz, "Changed" timestamptz, "Clock" time, "Ref" uuid, "Blob" bytea, "Region_ID" text';
my %text;
foreach my $version (4, 2)
{
	my $run = $sap->pull("v$version", "$path{$version}/Orders", table => $columns);
	is("$run->{status} $run->{processed}", 'Successful 3', "version $version: a flow to a table") or diag explain $run;
	$text{$version} = $run->{text};
}
is($text{2}, $text{4}, 'both versions say the same');
like($text{4}, qr/"ID":1,"Customer":"O'Neil & S..?hne","Note":"100% \+1 #;","Amount":12.50,"Big":4503599627370497,"Share":0.25,"Paid":true,"Day":"2024-03-01","At":"2024-03-01T10:11:12\+00:00","Changed":"2024-03-01T10:11:12.123\+00:00","Clock":"10:11:12","Ref":"6f9619ff-8b86-d011-b42d-00cf4fc964ff","Blob":"\\\\x.*","Region_ID":"DE"/, 'and it is right');

done_testing();
