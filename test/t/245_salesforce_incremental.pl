# Incremental pulls from Salesforce: every record once, also at the borders of windows and
# between their microseconds.

use strict;
use warnings;

use AppflowTest::SalesforceRead;
use JSON::PP;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my $sf = AppflowTest::SalesforceRead->new('salesforce_incremental', "shared_preload_libraries = 'appflow'", 'max_worker_processes = 16');
my $now = time;
$sf->control('put', object => 'Contact', records => [
	{ LastName => 'old', SystemModstamp => ($now - 31 * 86400) * 1000 }, { LastName => 'recent', SystemModstamp => ($now - 29 * 86400) * 1000 } ]);
my $definition = $sf->pull_definition(name => 'contacts', object => 'Contact', fields => ['LastName'], columns => '"LastName" text',
	more => { incrementalPullConfig => { datetimeTypeFieldName => 'SystemModstamp' } },
	trigger => { triggerType => 'Scheduled', triggerProperties => { Scheduled => { scheduleExpression => 'rate(1minute)', dataPullMode => 'Incremental' } } });
$definition = $json->encode($definition);
$sf->sql("SELECT appflow.create_flow(\$d\$$definition\$d\$)");
$sf->sql(q{SELECT appflow.start_flow('{"flowName": "contacts"}')});
sub eventually { my ($query, $name) = @_; return ok($sf->{node}->poll_query_until('postgres', $query), $name) || diag $sf->sql('TABLE appflow.flow_executions'); }
eventually(q{SELECT count(*) = 1 FROM appflow.flow_executions WHERE execution_status = 'Successful'}, 'the first pull');
is($sf->sql('SELECT string_agg("LastName", \' \') FROM contacts'), 'recent', 'takes what changed in 30 days');

# records on both sides of every border to come, down to a millisecond
my $border = $sf->sql(q{SELECT extract(epoch FROM watermark) * 1000000 FROM appflow.flow_schedules});
my $milli = int($border / 1000);
my @records = map { my $n = $_; map { { LastName => "w$n $_", SystemModstamp => $milli + 60000 * $n + $_ } } 0, 1, 2, 59998, 59999 } 0 .. 4;
$sf->control('put', object => 'Contact', records => \@records);
$sf->control('reset');
foreach my $minute (1 .. 6)
{
	$sf->sql("ALTER SYSTEM SET appflow.clock_offset = '" . 60 * $minute . "s'");
	$sf->{node}->reload;
	eventually("SELECT count(*) >= 1 + $minute FROM appflow.flow_executions WHERE execution_status = 'Successful'", "window $minute") or last;
}
is($sf->sql(q{SELECT count(*) || ' ' || count(DISTINCT "LastName") FROM contacts WHERE "LastName" LIKE 'w%' AND "LastName" <> 'w0 0'}), '24 24', 'every record once, on the borders too');
my @windows = map { /FROM Contact WHERE (.*)/ } grep { !/COUNT/ } $sf->queries;
like($windows[0], qr/^SystemModstamp >=? \S+Z AND SystemModstamp <=? \S+Z$/, 'windows are asked for');
is($sf->sql('SELECT sum(records_filtered) FROM appflow.flow_executions'), 0, 'and nothing is left to be filtered here');

done_testing();
