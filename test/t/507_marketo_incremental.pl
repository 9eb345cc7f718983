# Incremental pulls from Marketo: every change once, over windows and a failure; leads by the last change of
# any field, activities by their date.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use POSIX qw(strftime);
use Test::More;

sub iso { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]); }
my %cases = (
	leads => { fields => [qw(email updatedAt)], columns => 'email text, "updatedAt" timestamptz', time => 'updatedAt', fault => 'export/create',
		seed => sub { return { leads => [ map { { email => "l$_->[0]\@example.com", createdAt => iso($_->[1] - 9e6), updatedAt => iso($_->[0] % 3 ? $_->[1] : $_->[1] - 8e6), changedAt => iso($_->[1]) } } @_ ] } } },
	activities => { fields => [qw(marketoGUID activityDate)], columns => '"marketoGUID" text, "activityDate" timestamptz', time => 'activityDate', fault => 'activities.json',
		seed => sub { return { activities => [ map { { id => $_->[0], leadId => 1, activityTypeId => 1, activityDate => iso($_->[1]) } } @_ ] } } });

foreach my $name (sort keys %cases)
{
	my $case = $cases{$name};
	my $app = AppflowTest::RestApps->new('marketo', 'Marketo', 'Marketo', q(shared_preload_libraries = 'appflow'), 'max_worker_processes = 16', q(appflow.max_retry_delay = '100ms'));
	my $offset = 0;
	my $later = sub {
		$offset += $_[0];
		$app->sql("ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
		$app->{node}->reload;
	};
	my ($key) = map { qq("$_") } $case->{fields}[0];
	my $now = int time;
	my @records = map { [ $_, $now - 86400 + $_ ] } 1 .. 300;

	# records of the last minutes, on both sides of where the first window ends
	push @records, map { [ 1000 + $_, $now - 150 + $_ ] } 1 .. 120;
	$app->control('set', { polls => 0 });
	$app->control('seed', $case->{seed}->(@records));
	$app->profile('app', {});
	my $definition = $app->pull('app', $name, $case->{fields}, table => $case->{columns}, incremental => $case->{time},
		schedule => { scheduleExpression => 'rate(1hours)', dataPullMode => 'Incremental', firstExecutionFrom => $now - 40 * 86400 });
	my $table = 'public.table' . $app->{flows}{number};
	my $runs = 0;
	my $ran = sub {
		$runs++;
		$app->{node}->poll_query_until('postgres', "SELECT count(*) >= $runs FROM appflow.flow_executions WHERE execution_status IN ('Successful', 'Error')")
		  or diag($app->sql('TABLE appflow.flow_executions; TABLE appflow.flow_schedules'));
		return $app->sql('SELECT execution_status FROM appflow.flow_executions ORDER BY requested_at DESC LIMIT 1');
	};

	$app->sql('SELECT appflow.create_flow($d$' . json_text($definition) . '$d$)');
	$app->sql("SELECT appflow.start_flow('{\"flowName\": \"$definition->{flowName}\"}')");
	is($ran->(), 'Successful', "$name: the first window") or diag($app->sql('SELECT execution_message FROM appflow.flow_executions'));
	is($app->sql('SELECT extract(epoch FROM due_at - data_pull_end_time)::int FROM appflow.flow_execution'), 60, '... ends a minute before it is due');
	my $end = $app->sql('SELECT extract(epoch FROM data_pull_end_time) FROM appflow.flow_execution');
	my $expected = grep { $_->[1] < $end } @records;
	cmp_ok($expected, '<', 420, '... before some records');
	is($app->sql("SELECT count(*) || ' ' || count(DISTINCT $key) FROM $table"), "$expected $expected", '... has all that changed before its end');

	# a window that fails, and is pulled again
	push @records, map { [ 2000 + $_, $now - 20 + $_ % 10 ] } 1 .. 30;
	$app->control('seed', $case->{seed}->(@records));
	$app->control("fault?kind=html&n=100&match=$case->{fault}");
	$later->(3700);
	is($ran->(), 'Error', '... a window that fails');
	$app->control('reset');
	$later->(3700);
	is($ran->(), 'Successful', '... is pulled again') or diag($app->sql('SELECT execution_message FROM appflow.flow_executions ORDER BY requested_at DESC LIMIT 1'));
	is($app->sql("SELECT count(*) || ' ' || count(DISTINCT $key) FROM $table"), '450 450', '... all that changed, once');
	$app->sql("SELECT appflow.stop_flow('{\"flowName\": \"$definition->{flowName}\"}')");
}
done_testing();
