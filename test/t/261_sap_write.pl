# Writing to SAP's CAP server, in versions 4 and 2 of OData: each operation, each type,
# records that are refused.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use Test::More;

my $sap = AppflowTest::Sap->new('sap');
my $cap = $sap->start('cap/server.js');
my %path = (4 => '/odata/v4/sales', 2 => '/odata/v2/sales');

$sap->profile("v$_", $cap, $path{$_}) foreach 4, 2;

my $columns = '"ID" int, "Customer" text, "Note" text, "Amount" numeric(15,2), "Big" bigint, "Share" float8, "Paid" boolean, "Day" date, "At" timestamptz, "Changed" timestamptz, "Clock" time, "Ref" uuid, "Blob" bytea, "Region_ID" text';
my $values = q{VALUES (1, 'O''Neil & Söhne', E'"quoted"\n100%', 12.50, 4503599627370497, 0.25, true, '2024-03-01', '2024-03-01T10:11:12Z',
	'2024-03-01T10:11:12.123Z', '10:11:12', '6f9619ff-8b86-d011-b42d-00cf4fc964ff', '\xfbff', 'DE'),
	(2, 'Müller', null, -0.01, -5, -1e-7, false, '1969-12-31', '1969-12-31T23:59:59Z', '1969-12-31T23:59:59.999Z', '00:00:00', null, null, 'FR'),
	(3, null, null, null, null, null, null, null, null, null, null, null, null, null)};

sub rows { my ($entity) = @_; return $sap->ask("$cap/_rows/$entity"); }
sub simple { return join ' ', map { my $r = $_; join ',', map { $r->{$_} // '-' } @_ } @{ rows('Orders') }; }

foreach my $version (4, 2)
{
	my $entity = "$path{$version}/Orders";
	$sap->tell("$cap/_rows/Orders", []);
	my $run = $sap->push_rows("v$version", $entity, columns => $columns, rows => $values);
	is("$run->{status} $run->{processed}", 'Successful 3', "version $version: INSERT") or diag explain $run;
	my $rows = rows('Orders');
	my %expected = (ID => 1, Customer => "O'Neil & Söhne", Note => "\"quoted\"\n100%", Amount => 12.5, Big => 4503599627370497, Share => 0.25,
		Paid => JSON::PP::true, Day => '2024-03-01', At => '2024-03-01T10:11:12Z', Changed => '2024-03-01T10:11:12.123Z',
		Clock => '10:11:12', Ref => '6f9619ff-8b86-d011-b42d-00cf4fc964ff', Region_ID => 'DE');
	delete $rows->[0]{Blob};
	is_deeply($rows->[0], \%expected, 'with the right values') or diag explain $rows;
	is($rows->[2]{Customer}, undef, 'and nulls');
	my @seen = $sap->seen($cap, qr{ $path{$version}});
	is(scalar(grep { /^POST / } @seen), 1, 'in one request') or diag explain \@seen;
	is(scalar(grep { !/sap-client=100&sap-language=EN/ } @seen), 0, 'each with client and language');

	# back again
	$run = $sap->pull("v$version", $entity, table => $columns);
	my ($table) = $run->{name} =~ /(\d+)/;
	is($sap->sql("SELECT encode(\"Blob\", 'hex') FROM table$table WHERE \"ID\" = 1"), 'fbff', 'bytes there and back');

	# a record that is there already
	$run = $sap->push_rows("v$version", $entity, columns => '"ID" int, "Customer" text', rows => "VALUES (4, 'new'), (2, 'again'), (5, 'too')");
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 3 1', 'one record refused, two written') or diag explain $run;
	is(simple('ID'), '1 2 3 4 5', 'those that are good');
	like($run->{errors}, qr/"ID":2,"Customer":"again".*(exists|UNIQUE|unique)/i, "with the service's words in the error file");

	$run = $sap->push_rows("v$version", $entity, columns => '"ID" int, "Customer" text', rows => "VALUES (4, null), (5, 'changed'), (99, 'nobody')",
		write => { writeOperationType => 'UPDATE', idFieldNames => ['ID'] });
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 3 1', 'UPDATE') or diag explain $run;
	is(simple('ID', 'Customer'), "1,O'Neil & Söhne 2,Müller 3,- 4,- 5,changed", 'changes what is there, creates nothing');
	like($run->{errors}, qr/"ID":99/, 'what is not there is refused');
	is(simple('Region_ID'), 'DE FR - - -', 'and leaves other fields alone');

	$run = $sap->push_rows("v$version", $entity, columns => '"ID" int, "Customer" text', rows => "VALUES (5, 'upserted'), (6, 'made'), (6, 'twice')",
		write => { writeOperationType => 'UPSERT', idFieldNames => ['ID'] });
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 3 0', 'UPSERT') or diag explain $run;
	is(simple('ID', 'Customer'), "1,O'Neil & Söhne 2,Müller 3,- 4,- 5,upserted 6,twice", 'changes and creates');

	$run = $sap->push_rows("v$version", $entity, columns => '"ID" int', rows => "VALUES (3), (77), (4)",
		write => { writeOperationType => 'DELETE', idFieldNames => ['ID'] });
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 3 1', 'DELETE') or diag explain $run;
	is(simple('ID'), '1 2 5 6', 'what there is');
	like($run->{errors}, qr/"ID":77/, 'not what is not');
}

done_testing();
