# Foreign tables over SAP: imported, with conditions, order, limits and counts left to
# the service.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use Test::More;

my $sap = AppflowTest::Sap->new('sap');
my $gateway = $sap->start('gateway.js', 50);
my %service = (2 => '/sap/opu/odata/sap/ZSALES_SRV', 4 => '/sap/opu/odata4/sap/zsales/srvd_a2x/sap/zsales/0001');

$sap->profile("v$_", $gateway, $service{$_}) foreach 2, 4;
my @orders = map { { OrderId => sprintf('%010d', $_), Customer => "Customer $_", Amount => "$_.500", Quantity => $_ % 7, ChangedAt => 1709287872000 + 60000 * $_,
	Day => 1709251200000 + 86400000 * $_, Country => $_ % 3 ? 'DE' : 'FR', Ref => sprintf('6f9619ff-8b86-d011-b42d-%012d', $_), $_ % 5 ? (Paid => JSON::PP::true) : () } } 1 .. 120;
$sap->tell("$gateway/_rows/OrderSet", \@orders);

sub query { my ($sql) = @_; $sap->seen($gateway); return $sap->sql("SET timezone = 'UTC'; $sql"); }
sub requests { return $sap->seen($gateway, qr/OrderSet/); }

foreach my $version (2, 4)
{
	my $schema = "s$version";
	$sap->sql("CREATE SERVER $schema FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'v$version'); CREATE SCHEMA $schema;
		IMPORT FOREIGN SCHEMA \"Objects\" FROM SERVER $schema INTO $schema");
	my $tables = $sap->sql("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = '$schema'::regnamespace");
	my ($table) = grep { /order_?set/i } split / /, $tables;
	ok(defined $table, "version $version: imported") or BAIL_OUT($tables);
	my $t = "$schema.\"$table\"";
	my %column = map { lc($_ =~ s/_//gr) => "\"$_\"" } split / /, $sap->sql("SELECT string_agg(attname, ' ') FROM pg_attribute WHERE attrelid = '$t'::regclass AND attnum > 0");
	my ($id, $amount, $quantity, $changed, $country, $customer, $paid) = @column{qw(orderid amount quantity changedat country customer paid)};

	is(query("SELECT count(*), sum($amount) FROM $t"), '120|7320.000', 'all of it');
	is(query("SELECT string_agg($id, ' ') FROM (SELECT $id FROM $t WHERE $amount > 100 AND $country = 'FR' AND $changed < '2024-03-01T12:02:12Z' ORDER BY $id LIMIT 3) x"),
		'0000000102 0000000105 0000000108', 'conditions, order and limit');
	my ($request) = requests();
	like($request, qr/\$filter=.*Amount gt 100/, 'a number is left to the service');
	like($request, qr/Country eq 'FR'/, 'text too');
	like($request, qr/ChangedAt lt /, 'and an instant');
	is(query("SELECT string_agg($id, ' ') FROM (SELECT $id FROM $t ORDER BY $amount DESC LIMIT 2 OFFSET 3) x"), '0000000117 0000000116', 'order, limit and offset');
	is(scalar(grep { /top=/ } requests()), 0, 'not left to the service where null is elsewhere there');
	is(query("SELECT string_agg($id, ' ') FROM (SELECT $id FROM $t WHERE $amount > 0 ORDER BY $amount DESC LIMIT 2 OFFSET 3) x"), '0000000117 0000000116', 'the same of what cannot be null');
	($request) = requests();
	like($request, qr/\$orderby=Amount desc,OrderId asc&\$skip=3&\$top=2/, 'left to it') or diag $request;
	is(query("SELECT count(*) FROM (SELECT $id FROM $t WHERE $amount > 0 ORDER BY $amount LIMIT 70) x"), 70, 'a limit beyond a page of the service');
	is(query("SELECT $id FROM $t WHERE $customer LIKE '%omer 11%' ORDER BY $id DESC LIMIT 1"), '0000000119', 'a limit over what is filtered here');
	is(query("SELECT count(*) FROM $t WHERE $customer LIKE '%omer 11%'"), 11, 'a pattern');
	is(query("SELECT count(*) FROM $t WHERE $paid IS NULL"), 24, 'nothing');
	is(query("SELECT count(*) FROM $t WHERE $quantity IN (1, 2) OR $country = 'FR'"), 63, 'one or the other');
	is(query("SELECT count(*) FROM $t WHERE $country = 'FR'"), 40, 'a count');
	like((requests())[0], qr{OrderSet/\$count\?\$filter=Country eq 'FR'}, 'by the service');
	is(query("SELECT string_agg(x, ' ' ORDER BY x) FROM (SELECT $country || count(*) || ' ' || max($amount) AS x FROM $t GROUP BY $country) y"), 'DE80 119.500 FR40 120.500', 'groups');
	my $plan = $sap->sql("EXPLAIN (COSTS OFF, VERBOSE) SELECT $id FROM $t WHERE $amount > 100 ORDER BY $id LIMIT 3");
	like($plan, qr/GET \Q$service{$version}\E\/OrderSet\?.*filter=Amount%20gt%20100/, 'EXPLAIN shows the request') or diag $plan;
	is(query("PREPARE q$version(numeric) AS SELECT count(*) FROM $t WHERE $amount > \$1; SET plan_cache_mode = force_generic_plan; EXECUTE q$version(110)"), 11, 'a parameter');

	# written
	$sap->tell("$gateway/_rows/OrderSet", []);
	$sap->sql("INSERT INTO $t ($id, $customer, $amount, $country, $changed) SELECT 'n' || i, 'O''Neil ' || i, i + 0.5, 'DE', '2024-03-01T10:11:12Z' FROM generate_series(1, 3) i");
	$sap->sql("UPDATE $t SET $customer = 'changed', $amount = 99 WHERE $id = 'n2'");
	$sap->sql("DELETE FROM $t WHERE $id = 'n1'");
	is(join(' ', map { "$_->{OrderId}:$_->{Customer}:$_->{Amount}:$_->{ChangedAt}" } @{ $sap->ask("$gateway/_rows/OrderSet") }),
		"n2:changed:99.000:1709287872000 n3:O'Neil 3:3.500:1709287872000", 'INSERT, UPDATE and DELETE');
	like($sap->error_of("INSERT INTO $t ($id, $customer, $country) VALUES ('n9', 'blocked', 'DE')"), qr/blocked for order processing/, 'a record that is refused');
	$sap->tell("$gateway/_rows/OrderSet", \@orders);
}

done_testing();
