# Delta tokens of services over delta queues: a flow moves all there is, then what has
# changed, each change once, also when a run fails.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use Test::More;

my $sap = AppflowTest::Sap->new('sap', "shared_preload_libraries = 'appflow'", 'max_worker_processes = 16', 'appflow.max_retries = 0');
my $gateway = $sap->start('gateway.js', 50);
my $node = $sap->{node};
my $service = '/sap/opu/odata/sap/ZSALES_SRV';
$sap->profile('v2', $gateway, $service);

my $offset = 0;
sub later
{
	$offset += 60;
	$sap->sql("ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
	$node->reload;
	return;
}
sub change { my ($mode, @materials) = @_; return map { { Material => $_, Quantity => '1.000', ODQ_CHANGEMODE => $mode, ODQ_ENTITYCNTR => $mode eq 'D' ? '-1' : '1' } } @materials; }
sub flow
{
	my ($entity, %more) = @_;
	my $definition = $sap->pull_definition('v2', "$service/$entity", table => 'material text, mode text, n serial',
		tasks => $more{tasks} // [ sap_map('Material', 'material'), sap_map('ODQ_CHANGEMODE', 'mode') ], source => $more{source},
		schedule => { scheduleExpression => 'rate(1minute)', dataPullMode => 'Incremental' });
	my $text = JSON::PP->new->encode($definition);
	$sap->sql("SELECT appflow.create_flow(\$j\$$text\$j\$); SELECT appflow.start_flow('{\"flowName\": \"$definition->{flowName}\"}')");
	return $definition->{flowName};
}
sub ran
{
	my ($name, $count, $status) = @_;
	$status //= 'Successful';
	ok($node->poll_query_until('postgres', "SELECT count(*) >= $count FROM appflow.flow_executions WHERE flow_name = '$name' AND execution_status = '$status'"), "run $count: $status")
	  or diag($sap->sql("SELECT execution_status, execution_message FROM appflow.flow_executions WHERE flow_name = '$name'"));
	return;
}
sub moved { my ($name) = @_; my $table = $name =~ s/flow/table/r; my $rows = $sap->sql("SELECT coalesce(string_agg(concat_ws(':', nullif(mode, ''), material), ' ' ORDER BY n), '') FROM $table"); $sap->sql("DELETE FROM $table"); return $rows; }
sub preferences { return join ' ', map { $_->{headers}{prefer} // '-' } grep { $_->{url} =~ /FactsOfStock/ } @{ $sap->ask("$gateway/_seen") }; }

$sap->tell("$gateway/_rows/FactsOfStock", [ map { change('', sprintf 'm%03d', $_) } 1 .. 120 ]);
$sap->tell("$gateway/_change", [ change('C', 'before') ]);
preferences();
my $flow = flow('FactsOfStock', source => { paginationConfig => { maxPageSize => 40 } });
ran($flow, 1);
is(moved($flow), join(' ', map { sprintf 'm%03d', $_ } 1 .. 120), 'at first all there is');
is(preferences(), join(' ', ('odata.track-changes,odata.maxpagesize=40') x 3), 'in pages of the service, which is asked to keep track');

$sap->tell("$gateway/_change", [ change('C', 'new'), change('U', 'm001'), change('D', 'm002') ]);
later();
ran($flow, 2);
is(moved($flow), 'C:new U:m001 D:m002', 'then what has changed');
later();
ran($flow, 3);
is(moved($flow), '', 'nothing twice');
$sap->tell("$gateway/_change", [ change('U', map { "x$_" } 1 .. 130) ]);
later();
ran($flow, 4);
is(moved($flow), join(' ', map { "U:x$_" } 1 .. 130), 'more than three pages of it');

# a run that fails moves nothing, and nothing is lost
$sap->tell("$gateway/_change", [ change('U', map { "y$_" } 1 .. 60) ]);
$sap->tell("$gateway/_next", { match => 'skiptoken', status => 400, body => '{"error":{"code":"X/1","message":{"value":"no memory"}}}' });
later();
ran($flow, 1, 'Error');
like($sap->sql("SELECT execution_message FROM appflow.flow_executions WHERE flow_name = '$flow' AND execution_status = 'Error'"), qr{X/1: no memory}, 'a run fails in its second page');
is(moved($flow), '', 'and moves nothing');
later();
ran($flow, 5);
is(moved($flow), join(' ', map { "U:y$_" } 1 .. 60), 'the next one does');

# tokens end; the flow can begin anew
$sap->tell("$gateway/_set", { lost => JSON::PP::true });
later();
ran($flow, 2, 'Error');
like($sap->sql("SELECT execution_message FROM appflow.flow_executions WHERE flow_name = '$flow' AND execution_status = 'Error' ORDER BY requested_at DESC LIMIT 1"),
	qr{/IWBEP/CM_MGW_RT/101: The delta token is not known any more}, 'a token that SAP has forgotten');
$sap->sql("SELECT appflow.set_event_position('$flow', NULL)");
$sap->tell("$gateway/_set", { lost => JSON::PP::false });
later();
ran($flow, 6);
is(scalar(split / /, moved($flow)), 120, 'all of it anew');

# what keeps no track cannot be pulled so
$sap->tell("$gateway/_rows/OrderSet", [ { OrderId => '1', Country => 'DE' } ]);
my $other = flow('OrderSet', tasks => [ sap_map('OrderId', 'material') ]);
ran($other, 1, 'Error');
like($sap->sql("SELECT execution_message FROM appflow.flow_executions WHERE flow_name = '$other'"), qr/keeps no track of what changes in entity/, 'an entity without delta tokens');

done_testing();
