# Flows that events of Salesforce start: a worker listens to each, every event is
# moved once, and the place among them is kept over failures, kills and restarts.
use strict;
use warnings;
use AppflowTest::Crash;
use AppflowTest::SalesforceWrite;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $sf = AppflowTest::SalesforceWrite->new('subscriptions',
	settings => [ q(shared_preload_libraries = 'appflow'), 'max_worker_processes = 24', 'restart_after_crash = on' ]);
my $node = $sf->{node};
sub sql { return $sf->sql($_[0]) }
sub eventually
{
	my ($query, $name) = @_;
	ok($node->poll_query_until('postgres', $query), $name)
	  or diag(sql('SELECT flow_name, execution_status, execution_message, records_processed FROM appflow.flow_executions; TABLE appflow.flow_subscriptions; TABLE orders'));
}
sub place { return $sf->control('publish', event => 'Order_Placed__e', records => [ map { { Order_Number__c => "O-$_", Total__c => 1.5 * $_ } } @_ ]); }
sub listeners { return scalar grep { $_->{waiting} } @{ $sf->control('clients') } }
sub listening
{
	my ($wanted, $name) = @_;
	my $now;
	for (1 .. 300) { $now = listeners(); last if $now == $wanted; sleep 0.1 }
	is($now, $wanted, $name);
}
sub start { return sql(qq{SELECT appflow.start_flow('{"flowName": "$_[0]"}') ->> 'flowStatus'}) }
sub stop { return sql(qq{SELECT appflow.stop_flow('{"flowName": "$_[0]"}') ->> 'flowStatus'}) }
sub subscriber { return sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'appflow subscription'}) }

sub definition
{
	my ($name, $object, $destination, %map) = @_;
	my $fields = join ', ', map { qq("$_") } sort keys %map;
	my $tasks = join ', ', qq({"taskType": "Filter", "sourceFields": [$fields], "connectorOperator": {"Salesforce": "PROJECTION"}, "taskProperties": {}}),
	  map { qq({"taskType": "Map", "sourceFields": ["$_"], "destinationField": "$map{$_}", "connectorOperator": {"Salesforce": "NO_OP"}, "taskProperties": {}}) } sort keys %map;
	return qq('{"flowName": "$name", "triggerConfig": {"triggerType": "Event"},
		"sourceFlowConfig": {"connectorType": "Salesforce", "connectorProfileName": "crm",
			"sourceConnectorProperties": {"Salesforce": {"object": "$object"}}},
		"destinationFlowConfigList": [$destination], "tasks": [$tasks]}');
}
my $table = q({"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "destinationConnectorProperties": {"CustomConnector": {"entityName": "public.orders"}}});
my $objects = q({"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "target", "bucketPrefix": "changes", "s3OutputFormatConfig": {"fileType": "JSON"}}}});
my %map = ('Order_Number__c' => 'number', 'Total__c' => 'total');

sql('CREATE TABLE orders (number text, total numeric)');
sql('SELECT appflow.create_flow(' . definition('orders', 'Order_Placed__e', $table, %map) . ')');
place(0);
is(start('orders'), 'Active', 'activated');
listening(1, 'somebody listens');
is(sql(q{SELECT subscribed FROM appflow.flow_subscriptions}), 't', 'which the view shows');
is(sql(q{SELECT count(*) FROM appflow.flow_executions}), 0, 'waiting is no run');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'appflow subscription' AND xact_start IS NOT NULL}), 0, 'nor a transaction');
my $ids = place(1 .. 3);
eventually('SELECT count(*) = 3 FROM orders', 'events come');
is(sql('SELECT string_agg(number || $$=$$ || total, $$ $$ ORDER BY number) FROM orders'), 'O-1=1.5 O-2=3 O-3=4.5', 'those behind the start, with their fields');
eventually(qq{SELECT position = '$ids->[-1]' FROM appflow.flow_subscriptions}, 'the place behind them is kept');
is(sql(q{SELECT execution_status || ' ' || records_processed FROM appflow.flow_executions}), 'Successful 3', 'a run for them');
place($_) foreach 4 .. 30;
eventually('SELECT count(*) = 30 FROM orders', 'one behind the other');
eventually(q{SELECT count(*) = 0 FROM appflow.flow_progress}, 'a pause ends the run');
cmp_ok(sql(q{SELECT count(*) FROM appflow.flow_executions}), '<', 15, 'few runs for many events');
is(sql(q{SELECT count(*) FROM appflow.flow_metrics WHERE "FlowExecutionRecordsProcessed" > 0}) > 0, 1, 'counted');

# ---------- failures lose nothing ----------

sql(q{ALTER TABLE orders ADD CONSTRAINT never CHECK (number <> 'O-31') NOT VALID});
place(31);
eventually(q{SELECT count(*) > 0 FROM appflow.flow_executions WHERE execution_status = 'Error' AND execution_message LIKE '%never%'}, 'a run that fails');
is(sql(q{SELECT failed_runs > 0 FROM appflow.flow_subscriptions}), 't', 'is counted');
sql(q{ALTER TABLE orders DROP CONSTRAINT never});
place(32);
eventually('SELECT count(*) = 32 FROM orders', 'its events are read again');
eventually(q{SELECT failed_runs = 0 FROM appflow.flow_subscriptions}, 'and the failure is forgotten');

# ---------- stopped, started, changed ----------

listening(1, 'listening again');
is(stop('orders'), 'Suspended', 'stopped');
listening(0, 'nobody listens any more');
place(33, 34);
sleep 0.3;
is(sql('SELECT count(*) FROM orders'), 32, 'nothing comes');
start('orders');
eventually('SELECT count(*) = 34 FROM orders', 'started, it goes on where it stopped');
sql('SELECT appflow.update_flow(' . definition('orders', 'Order_Placed__e', $table, Order_Number__c => 'number') . ')');
place(35);
eventually('SELECT count(*) = 1 FROM orders WHERE number = $$O-35$$ AND total IS NULL', 'UpdateFlow holds from the next event on');
sql(q{SELECT appflow.set_event_position('orders', (SELECT position FROM appflow.flow_subscriptions))});
sql('SELECT appflow.update_flow(' . definition('orders', 'Order_Placed__e', $table, %map) . ')');
listening(1, 'listening after that');

# ---------- killed, over and over ----------

my $n = 35;
for my $round (1 .. 8)
{
	place(++$n) foreach 1 .. 3;
	sleep rand 0.3;
	my $pid = subscriber();
	if ($round % 4 == 0)
	{
		$node->stop('immediate');
		place(++$n);
		$node->start;
	}
	elsif ($pid =~ /^\d+$/)
	{
		$round % 2 ? kill_child($node, $pid) : sql("SELECT pg_terminate_backend($pid)");
	}
	place(++$n);
}
eventually("SELECT count(*) >= $n FROM orders", 'every event is moved');
sleep 0.7;
is(sql('SELECT count(*) || $$ $$ || count(DISTINCT number) FROM orders'), "$n $n", 'once');
eventually(q{SELECT count(*) = 0 FROM appflow.flow_executions WHERE execution_status = 'InProgress'}, 'no run is left');

# ---------- change data capture, to objects; the limit ----------

sql('SELECT appflow.create_flow(' . definition('changes', 'AccountChangeEvent', $objects, Name => 'name', 'ChangeEventHeader.changeType' => 'change') . ')');
sql('ALTER SYSTEM SET appflow.max_subscriptions = 1');
$node->reload;
start('changes');
for (1 .. 100) { last if slurp_file($node->logfile) =~ /a flow that listens to events waits for a worker: there are as many as appflow\.max_subscriptions allows/; sleep 0.1 }
like(slurp_file($node->logfile), qr/a flow that listens to events waits for a worker/, 'at the limit it waits');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'appflow subscription'}), 1, 'and there is one worker');
sql('ALTER SYSTEM RESET appflow.max_subscriptions');
$node->reload;
listening(2, 'the limit raised, both listen');
$sf->control('publish', event => 'AccountChangeEvent', records => [ { Name => 'Nordlicht', ChangeEventHeader => { entityName => 'Account', changeType => 'CREATE', recordIds => ['001'] } } ]);
eventually(q{SELECT count(*) = 1 FROM appflow.flow_executions WHERE flow_name = 'changes' AND execution_status = 'Successful'}, 'a change');
is(join('', map { slurp_file($_) } split /\n/, `find $sf->{root}/target -type f`), qq({"change":"CREATE","name":"Nordlicht"}\n), 'is an object');
sql(q{SELECT appflow.delete_flow('{"flowName": "changes", "forceDelete": true}')});
listening(1, 'a deleted flow does not listen');

# ---------- the first run of all fails ----------

sql('CREATE TABLE late (number text, CONSTRAINT never CHECK (false) NO INHERIT)');
sql('SELECT appflow.create_flow(' . definition('late', 'Order_Placed__e', $table =~ s/public\.orders/public.late/r, Order_Number__c => 'number') . ')');
start('late');
listening(2, 'another one listens');
my $first = $n + 1;
for (1 .. 30)
{
	# the connection waits a moment before it has subscribed
	place(++$n);
	sleep 0.3;
	last if sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'late'}) > 0;
}
eventually(q{SELECT count(*) > 0 FROM appflow.flow_executions WHERE flow_name = 'late' AND execution_status = 'Error'}, 'and its first run fails');
eventually(q{SELECT position = '-2' FROM appflow.flow_subscriptions WHERE flow_name = 'late'}, 'it goes back to all that is kept');
sql('ALTER TABLE late DROP CONSTRAINT never');
eventually("SELECT count(*) = $n - $first + 1 FROM late WHERE substr(number, 3)::int >= $first", 'and no event is lost');
sql(q{SELECT appflow.delete_flow('{"flowName": "late", "forceDelete": true}')});
listening(1, 'one listens');
eventually("SELECT count(*) = $n FROM orders", 'the other has it, too');

# ---------- databases and the extension come and go ----------

$node->safe_psql('template1', 'CREATE DATABASE copy TEMPLATE postgres');
pass('a database of which somebody listens can be copied');
listening(2, 'and then it is listened for the copy, too');
place(++$n);
ok($node->poll_query_until('copy', "SELECT count(*) = $n FROM orders"), 'which gets its events');
eventually("SELECT count(*) = $n FROM orders", 'as the first does');
$node->safe_psql('postgres', 'ALTER DATABASE copy RENAME TO other');
listening(2, 'renamed, it listens again');
$node->safe_psql('other', 'DROP EXTENSION appflow');
listening(1, 'without the extension it does not');
$node->safe_psql('other', 'CREATE EXTENSION appflow');
$node->safe_psql('postgres', 'DROP DATABASE other');
place(++$n);
eventually("SELECT count(*) = $n FROM orders", 'the first database has noticed nothing');

# ---------- nothing can be heard ----------

my $scheduler = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'appflow scheduler'});
$sf->control('expire', for_good => 1);
place(++$n);
eventually(q{SELECT count(*) > 0 FROM appflow.flow_executions WHERE execution_status = 'Error' AND error_code = 'WF401'}, 'without a token the run fails, and says so');
is(sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'appflow scheduler'}), $scheduler, 'the scheduler does not');
is(sql(q{SELECT not_before > now() FROM appflow.flow_subscriptions}), 't', 'it is tried again later');
sql(q{SELECT appflow.delete_connector_profile('{"connectorProfileName": "crm", "forceDelete": true}')});
is(sql(q{SELECT flow_status FROM appflow.flows}), 'Errored', 'without its profile the flow is Errored');
eventually(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'appflow subscription'}, 'and not tried any more');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|signal 11|signal 6/, 'no process crashed of itself');
done_testing();
