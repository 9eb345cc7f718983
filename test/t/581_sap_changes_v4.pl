# Delta links of services of version 4: all there is, then what has changed, what is gone, and nothing twice.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use Test::More;

my $sap = AppflowTest::Sap->new('sap', "shared_preload_libraries = 'appflow'", 'max_worker_processes = 16', 'appflow.max_retries = 0');
my $gateway = $sap->start('gateway.js', 50);
my $node = $sap->{node};
my $service = '/sap/opu/odata4/sap/zsales/srvd_a2x/sap/zsales/0001';
$sap->profile('v4', $gateway, $service);

my $offset = 0;
sub later
{
	$offset += 60;
	$sap->sql("ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
	$node->reload;
	return;
}
my @tasks = (sap_map('Plant', 'plant'), sap_map('Material', 'material'), sap_map('Quantity', 'quantity'), sap_map('reason', 'why'), sap_map('@removed', 'gone'));
sub flow
{
	my ($entity, %more) = @_;
	my $definition = $sap->pull_definition('v4', "$service/$entity", table => 'plant int, material text, quantity numeric, why text, gone text, n serial',
		tasks => $more{tasks} // \@tasks, source => $more{source}, schedule => { scheduleExpression => 'rate(1minute)', dataPullMode => 'Incremental' });
	my $text = JSON::PP->new->encode($definition);
	$sap->sql("SELECT appflow.create_flow(\$j\$$text\$j\$); SELECT appflow.start_flow('{\"flowName\": \"$definition->{flowName}\"}')");
	return $definition->{flowName};
}
my %count;
sub ran
{
	my ($name, $status) = @_;
	$status //= 'Successful';
	my $count = ++$count{"$name $status"};
	ok($node->poll_query_until('postgres', "SELECT count(*) >= $count FROM appflow.flow_executions WHERE flow_name = '$name' AND execution_status = '$status'"), "run: $status")
	  or diag($sap->sql("SELECT execution_status, execution_message FROM appflow.flow_executions WHERE flow_name = '$name'"));
	return $sap->sql("SELECT execution_message FROM appflow.flow_executions WHERE flow_name = '$name' AND execution_status = '$status' ORDER BY requested_at DESC LIMIT 1");
}
sub moved { my ($name) = @_; my $table = $name =~ s/flow/table/r; my $rows = $sap->sql("SELECT coalesce(string_agg(concat_ws('|', coalesce(gone, 'is'), plant, material, quantity, why), ' ' ORDER BY n), '') FROM $table"); utf8::decode($rows); $sap->sql("DELETE FROM $table"); return $rows; }
sub asked { return map { my $url = "$_->{url}" =~ s/.*?StockSet//r; ($_->{headers}{prefer} // '-') . ' ' . $url =~ s/[?&]sap-(client|language)=\w+//gr } grep { $_->{url} =~ /StockSet/ } @{ $sap->ask("$gateway/_seen") }; }
sub track { $sap->tell("$gateway/_track", {@_}); return; }
sub row { my ($plant, $material, %more) = @_; return { Plant => $plant, Material => $material, Quantity => '1.000', Checked => 1709287200000, reason => undef, %more }; }

my @strange = ("it's", "''", 'a, b', '(c)', "d)=',e", 'f/g', '%41', 'ü 的', '1');
track(put => [ (map { row(1, sprintf 'm%03d', $_) } 1 .. 120), map { row(2, $_) } @strange ]);
track(remove => [ row(1, 'm007') ]);
asked();
my $flow = flow('StockSet', source => { paginationConfig => { maxPageSize => 50 } });
ran($flow);
is(moved($flow), join(' ', (map { sprintf 'is|1|m%03d|1.000', $_ } grep { $_ != 7 } 1 .. 120), map { "is|2|$_|1.000" } @strange), 'at first all there is');
is_deeply([asked()], [ 'odata.track-changes,odata.maxpagesize=50 ', map { "odata.track-changes,odata.maxpagesize=50 ?\$skiptoken=_130_$_" } 50, 100 ], 'in pages of the service, of whole records, which is asked to keep track');

later();
ran($flow);
is(moved($flow), '', 'nothing has changed');
is_deeply([asked()], ['odata.maxpagesize=50 ?$deltatoken=130'], 'which the delta link told');

track(put => [ row(1, 'new', reason => 'ordered'), row(1, 'm001', Quantity => '2.500'), row(1, 'm001', Quantity => '3.500') ]);
track(remove => [ row(1, 'm002') ]);
track(remove => [ row(1, 'm003') ], reason => 'changed');
track(links => 5);
later();
ran($flow);
is(moved($flow), 'is|1|new|1.000|ordered is|1|m001|3.500 deleted|1|m002 changed|1|m003', 'what is new, has changed, and is gone; links are no records');

track(remove => [ map { row(2, $_) } @strange ]);
later();
ran($flow);
is(moved($flow), join(' ', map { "deleted|2|$_" } @strange), 'keys with all that means something in URLs');

track(remove => [ row(1, 'm004'), row(1, "m'5") ], short => JSON::PP::true);
track(remove => [ row(1, 'm006'), row(1, 'm(8') ], short => 'id');
later();
ran($flow);
is(moved($flow), "deleted|1|m004 deleted|1|m'5 deleted|1|m006 deleted|1|m(8", 'as version 4.01 tells it');

# pages of changes; a run that fails moves nothing, and nothing is lost
asked();
track(put => [ map { row(3, "y$_") } 1 .. 130 ], links => 40);
$sap->tell("$gateway/_next", { match => 'skiptoken', status => 500, body => '{"error":{"code":"X/1","message":"no memory"}}' });
later();
like(ran($flow, 'Error'), qr{X/1: no memory}, 'a run fails in its second page');
is(moved($flow), '', 'and moves nothing');
later();
ran($flow);
is(moved($flow), join(' ', map { "is|3|y$_|1.000" } 1 .. 130), 'the next one does, over pages');

# another flow, with a filter
my $described = JSON::PP->new->decode($sap->sql(qq(SELECT appflow.describe_connector_entity('{"connectorProfileName": "v4", "connectorEntityName": "$service/StockSet"}'))));
my ($removed) = grep { $_->{identifier} eq '@removed' } @{ $described->{connectorEntityFields} };
is($removed->{label}, 'Why the record is gone', 'the field is described');
is($removed->{destinationProperties}, undef, 'and not to be written');
my $other = flow('StockSet', tasks => [ sap_rows('Plant', 'EQUAL_TO', DATA_TYPE => 'int', VALUE => '3'), @tasks ]);
ran($other);
is(scalar(split / /, moved($other)), 130, 'filters are evaluated here');
track(put => [ row(4, 'z'), row(3, 'z') ], remove => [ row(3, 'y1'), row(1, 'm010') ]);
later();
ran($other);
is(moved($other), 'is|3|z|1.000 deleted|3|y1', 'by a key, also of what is gone');

# whatever is malformed is an error, and the place stays
track(remove => [ row(3, 'y2') ]);
foreach my $bad ('"id":"StockSet",', '"id":"StockSet(Plant=3)",', q("id":"StockSet(Plant=3,Material='x)",), q("id":"StockSet('x')",), '"id":7,', '')
{
	$sap->tell("$gateway/_next", { match => 'deltatoken', status => 200, headers => { 'Content-Type' => 'application/json' },
		body => qq({"\@odata.context":"\$metadata#StockSet/\$delta","value":[{"\@odata.context":"\$metadata#StockSet/\$deletedEntity",$bad"reason":"deleted"}],"\@odata.deltaLink":"StockSet?\$deltatoken=1"}) });
}
$sap->sql(qq(SELECT appflow.stop_flow('{"flowName": "$flow"}')));
for my $n (1 .. 6)
{
	later();
	like(ran($other, 'Error'), qr/says that a record of entity ".*StockSet" is gone, but not which one: its id is (missing|"StockSet)/, "an id that is none, $n");
}
later();
ran($other);
is(moved($other), 'deleted|3|y2', 'and all goes on');

# links end; the flow can begin anew
$sap->tell("$gateway/_set", { lost => JSON::PP::true });
later();
like(ran($other, 'Error'), qr{/IWBEP/CM_V4_RUNTIME/010: The delta link is not valid any more}, 'a link that SAP has forgotten');
$sap->sql("SELECT appflow.set_event_position('$other', NULL)");
$sap->tell("$gateway/_set", { lost => JSON::PP::false, forgets => JSON::PP::true });
later();
like(ran($other, 'Error'), qr/keeps no track of what changes in entity ".*StockSet": its last page has no link to what comes then/, 'a service that does not do what it says');
$sap->tell("$gateway/_set", { forgets => JSON::PP::false });
later();
ran($other);
is(scalar(split / /, moved($other)), 129, 'all of it anew');

# what keeps no track cannot be pulled so
$sap->tell("$gateway/_rows/OrderSet", [ { OrderId => '1', Country => 'DE' } ]);
my $none = flow('OrderSet', tasks => [ sap_map('OrderId', 'material') ]);
like(ran($none, 'Error'), qr/keeps no track of what changes in entity ".*OrderSet": its service does not say so/, 'an entity without');

# in all other readings the field is there, and null
my $run = $sap->pull('v4', "$service/StockSet", table => 'material text, gone text', tasks => [ sap_map('Material', 'material'), sap_map('@removed', 'gone'), sap_rows('Plant', 'EQUAL_TO', DATA_TYPE => 'int', VALUE => '4') ]);
is($run->{status}, 'Successful', 'a run that reads all there is') or diag explain $run;
is($sap->sql("SELECT count(*), count(gone) FROM public.table$sap->{number}"), '1|0', 'names nothing as gone');

done_testing();
