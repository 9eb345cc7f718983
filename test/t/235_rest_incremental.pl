# Incremental pulls from Zendesk, ServiceNow and Slack: every change once, over windows,
# failures, and what the application is slow to tell.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

# name of the entity, of its time, of its key; how a record of that number and time is written
my %cases = (
	zendesk => {
		type => 'Zendesk', key => 'Zendesk', credentials => { accessToken => 'planted-zendesk' }, entity => 'tickets', fields => [qw(id updated_at)], columns => 'id bigint, updated_at timestamptz',
		time => 'updated_at', settling => 120,
		seed => sub { return { tickets => [ map { { id => $_->[0], status => 'open', created_at => iso($_->[1]), updated_at => iso($_->[1]) } } @_ ] } } },
	'zendesk users' => {
		type => 'Zendesk', key => 'Zendesk', credentials => { accessToken => 'planted-zendesk' }, entity => 'users', fields => [qw(id updated_at)], columns => 'id bigint, updated_at timestamptz',
		time => 'updated_at', settling => 120,
		seed => sub { return { users => [ map { { id => $_->[0], name => "u$_->[0]", created_at => iso($_->[1]), updated_at => iso($_->[1]) } } @_ ] } } },
	servicenow => {
		type => 'Servicenow', key => 'ServiceNow', credentials => { username => 'planted-user', password => 'planted-password' }, entity => 'problem', fields => [qw(number sys_updated_on)],
		columns => 'number bigint, sys_updated_on timestamptz', time => 'sys_updated_on', settling => 10,
		seed => sub { return { problem => [ map { { sys_id => sprintf('%032x', $_->[0]), number => "$_->[0]", sys_updated_on => strftime('%Y-%m-%d %H:%M:%S', gmtime $_->[1]), sys_class_name => 'problem' } } @_ ] } } },
	slack => {
		type => 'Slack', key => 'Slack', credentials => { accessToken => 'planted-slack' }, entity => 'conversations/C0000001', fields => [qw(client_msg_id timestamp)], columns => 'client_msg_id bigint, timestamp timestamptz',
		time => 'timestamp', settling => 10,
		seed => sub { return { channels => 1, messages => { C0000001 => [ map { { type => 'message', client_msg_id => "$_->[0]", text => 'x', ts => sprintf('%d.%06d', $_->[1], $_->[0]) } } @_ ] } } } });

sub iso { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]); }

foreach my $name (sort keys %cases)
{
	my $case = $cases{$name};
	my $app = AppflowTest::RestApps->new($name =~ s/ .*//r, $case->{type}, $case->{key}, q(shared_preload_libraries = 'appflow'), 'max_worker_processes = 16', q(appflow.max_retry_delay = '100ms'));
	my $offset = 0;
	my $later = sub {
		$offset += $_[0];
		$app->sql("ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
		$app->{node}->reload;
	};
	my $key = $case->{fields}[0];
	my $now = int time;
	my @records = map { [ $_, $now - 86400 + $_ ] } 1 .. 300;

	# records of the last minutes, on both sides of where the first window ends
	push @records, map { [ 1000 + $_, $now - 200 + $_ * 2 ] } 1 .. 60;
	$app->control('seed', $case->{seed}->(@records));
	$app->profile('app', $case->{credentials});
	my $definition = $app->pull('app', $case->{entity}, $case->{fields}, table => $case->{columns}, incremental => $case->{time},
		schedule => { scheduleExpression => 'rate(1minutes)', dataPullMode => 'Incremental', firstExecutionFrom => $now - 7 * 86400 });
	my $table = 'public.table' . $app->{flows}{number};
	my $runs = 0;
	my $ran = sub {
		my ($what) = @_;
		$runs++;
		$app->{node}->poll_query_until('postgres', "SELECT count(*) >= $runs FROM appflow.flow_executions WHERE execution_status IN ('Successful', 'Error')")
		  or diag($app->sql('TABLE appflow.flow_executions; TABLE appflow.flow_schedules'));
		return $app->sql('SELECT execution_status FROM appflow.flow_executions ORDER BY requested_at DESC LIMIT 1');
	};

	is($app->error_of('SELECT appflow.create_flow($d$' . json_text($definition) . '$d$)') =~ s/:.*//sr, 'no error', "$name: a flow") or next;
	$app->sql("SELECT appflow.start_flow('{\"flowName\": \"$definition->{flowName}\"}')");
	is($ran->(), 'Successful', "$name: the first window") or diag($app->sql('SELECT execution_message FROM appflow.flow_executions'));
	is($app->sql('SELECT extract(epoch FROM due_at - data_pull_end_time)::int FROM appflow.flow_execution'), $case->{settling}, '... ends where the application is sure');
	my $end = $app->sql('SELECT extract(epoch FROM data_pull_end_time) FROM appflow.flow_execution');
	my $expected = grep { $_->[1] < $end } @records;
	cmp_ok($expected, '<', 360, '... before some records') if $case->{settling} > 60;
	is($app->sql("SELECT count(*) || ' ' || count(DISTINCT $key) FROM $table"), "$expected $expected", '... has all that changed before its end');

	# changed ones, new ones; a window that fails; some that come while it is asked for
	push @records, map { [ 2000 + $_, $now + ($case->{settling} > 60 ? -100 : 20) + $_ ] } 1 .. 30;
	$app->control('seed', $case->{seed}->(@records));
	$app->control('fault?kind=html&n=100');
	$later->(400);
	is($ran->(), 'Error', '... a window that fails');
	$app->control('reset');
	$later->(61);
	is($ran->(), 'Successful', '... is pulled again') or diag($app->sql('SELECT execution_message FROM appflow.flow_executions ORDER BY requested_at DESC LIMIT 1'));

	# what the export leaves out because it is so new is not in it: the clock of the schedule is ahead of the application's
	my $before = $app->sql("SELECT count(*) FROM $table");
	my $visible = grep { $_->[1] < $now - ($case->{settling} > 60 ? 60 : -1e6) } @records;
	cmp_ok($before, '>=', $visible, '... with what has changed since');
	is($app->sql("SELECT count(*) - count(DISTINCT $key) FROM $table WHERE $key < 2000"), 0, '... and nothing twice');
	$app->sql("SELECT appflow.stop_flow('{\"flowName\": \"$definition->{flowName}\"}')");
	next if $name ne 'slack';

	# a field that is text, though it tells a time: not a window without records
	$definition = $app->pull('app', $case->{entity}, $case->{fields}, table => $case->{columns}, incremental => 'ts',
		schedule => { scheduleExpression => 'rate(1minutes)', dataPullMode => 'Incremental', firstExecutionFrom => $now - 7 * 86400 });
	$app->sql('SELECT appflow.create_flow($d$' . json_text($definition) . '$d$)');
	$app->sql("SELECT appflow.start_flow('{\"flowName\": \"$definition->{flowName}\"}')");
	is($ran->(), 'Error', 'a window by a field that is no time') or diag($app->sql('SELECT to_jsonb(e) FROM appflow.flow_executions e ORDER BY requested_at DESC LIMIT 1'));
	like($app->sql('SELECT execution_message FROM appflow.flow_executions ORDER BY requested_at DESC LIMIT 1'), qr/"ts"/, '... is an error that names it');
}
done_testing();
