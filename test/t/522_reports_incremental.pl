# Incremental pulls of reports (Google Analytics, Singular): every day once, when its figures do not change any more.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

my $now = int time;
sub day { return strftime('%Y-%m-%d', gmtime $_[0]); }

foreach my $case (
	{ name => 'Googleanalytics', key => 'GoogleAnalytics', simulator => 'googleanalytics', entity => 'properties/1001', settling => 302400, fields => [qw(date eventCount)], columns => '"date" date PRIMARY KEY, "eventCount" bigint',
		credentials => { clientId => 'planted-client', clientSecret => 'planted-client-secret', accessToken => 'planted-google', refreshToken => 'planted-refresh' }, seed => { events => 6000, from => day($now - 40 * 86400) },
		sum => 'eventCount', each => 100, call => qr/runReport/, window => qr/"startDate":"([\d-]+)","endDate":"([\d-]+)"/ },
	{ name => 'Singular', key => 'Singular', simulator => 'singular', entity => 'report', settling => 691200, fields => [qw(date tracker_installs)], columns => '"date" date PRIMARY KEY, tracker_installs float8', credentials => { apiKey => 'planted-singular' },
		seed => { days => 60, from => day($now - 40 * 86400) }, sum => 'tracker_installs', call => qr/create_async/, window => qr/start_date=([\d-]+)&end_date=([\d-]+)/ })
{
	my $name = $case->{name};
	my $app = AppflowTest::RestApps->new($case->{simulator}, $name, $case->{key}, q(shared_preload_libraries = 'appflow'), 'max_worker_processes = 16', q(appflow.max_retry_delay = '100ms'));
	my $offset = 0;
	my $later = sub {
		$offset += $_[0];
		$app->sql("ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
		$app->{node}->reload;
	};
	my $runs = 0;
	my $ran = sub {
		$runs++;
		$app->{node}->poll_query_until('postgres', "SELECT count(*) >= $runs FROM appflow.flow_executions WHERE execution_status IN ('Successful', 'Error')")
		  or diag($app->sql('TABLE appflow.flow_executions; TABLE appflow.flow_schedules'));
		return $app->sql('SELECT execution_status FROM appflow.flow_executions ORDER BY requested_at DESC LIMIT 1');
	};
	# all days from the first window's beginning to the last one's end, and no other
	my $whole = sub {
		return $app->sql(qq(SELECT (SELECT string_agg(date::text, ' ' ORDER BY date) FROM public.table$app->{flows}{number}) IS NOT DISTINCT FROM
			(SELECT string_agg(d::date::text, ' ' ORDER BY d) FROM (SELECT min(data_pull_start_time) AS s, max(data_pull_end_time) AS e FROM appflow.flow_execution) w, generate_series((s AT TIME ZONE 'UTC')::date, (e AT TIME ZONE 'UTC')::date, '1 day') d
				WHERE d::date::timestamp AT TIME ZONE 'UTC' >= s AND d::date::timestamp AT TIME ZONE 'UTC' < e)));
	};

	$app->control('seed', $case->{seed});
	$app->profile('app', $case->{credentials});
	my $definition = $app->pull('app', $case->{entity}, $case->{fields}, table => $case->{columns}, incremental => 'date',
		schedule => { scheduleExpression => 'rate(1days)', dataPullMode => 'Incremental', firstExecutionFrom => $now - 20 * 86400 });
	delete $_->{connectorOperator} foreach grep { $_->{taskType} eq 'Map' } @{ $definition->{tasks} };
	is($app->error_of('SELECT appflow.create_flow($d$' . json_text($definition) . '$d$)') =~ s/:.*//sr, 'no error', "$name: a flow") or next;
	$app->sql("SELECT appflow.start_flow('{\"flowName\": \"$definition->{flowName}\"}')");
	is($ran->(), 'Successful', "$name: the first window") or diag($app->sql('SELECT execution_message FROM appflow.flow_executions'));
	is($app->sql('SELECT extract(epoch FROM due_at - data_pull_end_time)::int FROM appflow.flow_execution'), $case->{settling}, '... ends where figures are sure');
	is($whole->(), 't', '... has all days of it') or diag($app->sql("SELECT min(date), max(date), count(*) FROM public.table$app->{flows}{number}"));
	my $days = $app->sql("SELECT count(*) FROM public.table$app->{flows}{number}");
	cmp_ok($days, '>', 10, '... some');
	my ($request) = map { $_->{body} } $app->seen($case->{call});
	my ($from, $to) = $request =~ $case->{window};
	is("$from $to", $app->sql("SELECT min(date) || ' ' || max(date) FROM public.table$app->{flows}{number}"), '... and asked for no others');
	foreach my $round (1 .. 3)
	{
		$later->(86400);
		is($ran->(), 'Successful', "$name: a day later") or diag($app->sql('SELECT execution_message FROM appflow.flow_executions'));
		is($whole->() . ' ' . $app->sql("SELECT count(*) - $days FROM public.table$app->{flows}{number}"), "t $round", '... one more');
	}
	is($app->sql(qq(SELECT count(*) FROM public.table$app->{flows}{number} WHERE "$case->{sum}" <> $case->{each})), 0, '... each whole') if $case->{each};
}
done_testing();
