# Incremental pulls from SAP: what has changed in a window, once, in both versions, by an
# instant and by a date.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $sap = AppflowTest::Sap->new('sap', "shared_preload_libraries = 'appflow'", 'max_worker_processes = 16');
my $gateway = $sap->start('gateway.js', 50);
my $node = $sap->{node};
my %service = (2 => '/sap/opu/odata/sap/ZSALES_SRV', 4 => '/sap/opu/odata4/sap/zsales/srvd_a2x/sap/zsales/0001');
$sap->profile("v$_", $gateway, $service{$_}) foreach 2, 4;

my $offset = 0;
sub later
{
	$offset += $_[0];
	$sap->sql("ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
	$node->reload;
	return;
}

sub order { my ($id, $at) = @_; return { OrderId => "$id", ChangedAt => $at, Local => $at, Day => $at - $at % 86400000, Country => 'DE' }; }

my $now = time * 1000;
my @orders = (order('old', $now - 31 * 86400000), order('new', $now - 29 * 86400000), order('never', $now), map { order("r$_", $now - 20 * 86400000 + $_) } 1 .. 130);
delete $orders[2]{$_} foreach qw(ChangedAt Local Day);
$sap->tell("$gateway/_rows/OrderSet", \@orders);

my %name;
foreach my $version (2, 4)
{
	foreach my $field ('ChangedAt', 'Local', 'Day')
	{
		my $definition = $sap->pull_definition("v$version", "$service{$version}/OrderSet", table => 'id text', tasks => [ sap_map('OrderId', 'id') ],
			incremental => $field, schedule => { scheduleExpression => 'rate(1minute)', dataPullMode => 'Incremental' });
		my $text = JSON::PP->new->encode($definition);
		$name{"$version $field"} = $definition->{flowName};
		$sap->sql("SELECT appflow.create_flow(\$j\$$text\$j\$); SELECT appflow.start_flow('{\"flowName\": \"$definition->{flowName}\"}')");
	}
}

sub ran
{
	my ($count) = @_;
	foreach my $key (sort keys %name)
	{
		ok($node->poll_query_until('postgres', "SELECT count(*) >= $count FROM appflow.flow_executions WHERE flow_name = '$name{$key}' AND execution_status = 'Successful'"), "run $count of $key")
		  or diag($sap->sql("SELECT execution_status, execution_message FROM appflow.flow_executions WHERE flow_name = '$name{$key}'"));
	}
	return;
}
sub ids { my ($key, $like) = @_; my $table = $name{$key} =~ s/flow/table/r; return $sap->sql("SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM $table WHERE id LIKE '$like'"); }

ran(1);
foreach my $key (sort keys %name)
{
	is(ids($key, '%e%'), 'new', "$key: what changed in 30 days");
	is(scalar(split / /, ids($key, 'r%')), 130, 'more than three pages of it');
}
my ($filter) = grep { /OrderSet.*ChangedAt ge/ } $sap->seen($gateway);
like($filter, qr/\$filter=ChangedAt ge (datetimeoffset')?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z'? and ChangedAt lt /, 'the service is asked for the window only');

# changes on both sides of every border, each once
my $border = $sap->sql("SELECT ceil(extract(epoch FROM max(watermark)))::bigint * 1000 FROM appflow.flow_schedules");
$sap->tell("$gateway/_rows/OrderSet", [ @orders, map { order(sprintf('b%03d', $_), $border + int($_ / 5) * 30000) } 0 .. 29 ]);
foreach my $minute (1 .. 4)
{
	later(60);
	ran(1 + $minute);
}
my $expected = join ' ', map { sprintf 'b%03d', $_ } 0 .. 29;
foreach my $version (2, 4)
{
	is(ids("$version $_", 'b%'), $expected, "$version $_: every change once") foreach 'ChangedAt', 'Local';
}

done_testing();
