# Marketo when it does not answer as it should: tokens that end, limits, full queues, files that break
# off or were changed, jobs that fail, answers that are none; readers that are stopped; memory.
use strict;
use warnings;
use utf8;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $app = AppflowTest::RestApps->new('marketo', 'Marketo', 'Marketo', q(appflow.max_retry_delay = '100ms'));
$app->profile('market', {}, { instanceUrl => "$app->{url}/identity" });
$app->control('seed', { leads => 1700, activities => 1300, lists => 700 });
$app->control('set', { polls => 0 });
sub outcome { return AppflowTest::RestApps::outcome(@_); }
my @since = $app->filter('createdAt', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2023-12-31T00:00:00Z', UPPER_BOUND => '2024-04-01T00:00:00Z');
sub leads { my (%args) = @_; return $app->pull($args{profile} || 'market', 'leads', [qw(id email notes)], table => 'id int PRIMARY KEY, email text, notes text', filters => \@since); }
sub lists { my (%args) = @_; return $app->pull($args{profile} || 'market', 'lists', ['id'], table => 'id int PRIMARY KEY'); }
sub rows { return $app->sql('SELECT count(*) FROM public.table' . $app->{flows}{number}); }
sub issued { return $app->control('records?entity=issued'); }
sub jobs { return join ' ', sort grep { /Created|Queued|Processing/ } @{ $app->control('records?entity=jobs') }; }
sub set { $app->control('set', {@_}); }
sub fails
{
	my ($name, $pattern, $run) = @_;
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(AppflowTest::RestApps::told($run));
	is(rows(), 0, '... and nothing is half done');
	$app->control('reset');
}

# ---------------------------------------------------------------- tokens

is(outcome(lists()), 'Successful 700 0', 'lists');
foreach my $match ('nextPageToken=', 'lists.json.batchSize=300$', 'file.json', 'enqueue.json', 'status.json')
{
	my $before = issued();
	$app->control('reset');
	$app->control("fault?kind=expire&match=$match");
	my $run = $match =~ /lists|Token/ ? lists() : leads();
	is(outcome($run), $match =~ /lists|Token/ ? 'Successful 700 0' : 'Successful 1700 0', "a token that ends before $match") or diag(AppflowTest::RestApps::told($run));
	is(issued() - $before, 1, '... is renewed once');
}
$app->profile('wrong', { clientSecret => 'planted-wrong-secret' });
$app->control('reset');
fails('wrong credentials', qr/^Error: .*"wrong" got no token .*invalid_client/s, lists(profile => 'wrong'));
is(scalar $app->seen(qr/oauth/), 0, '... seen afresh');
lists(profile => 'wrong');
is(scalar $app->seen(qr/oauth/), 1, '... and not tried again and again');
set(unauthorized => $true);
fails('wrong credentials, told with status 200', qr/^Error: .*"wrong" got no token .*unauthorized/s, lists(profile => 'wrong'));
like($app->error_of(q(SELECT appflow.list_connector_entities('{"connectorProfileName": "wrong", "entitiesPath": "activity"}'))), qr/^WF401: /, '... are ConnectorAuthenticationException');
set(unauthorized => $false);
set(errors => { 'lists.json' => 601 });
is(outcome(lists()), 'Successful 700 0', 'a token that is not valid (601)');
set(errors => { 'lists.json' => 603 });
fails('no permission', qr/^Error: .*603: planted 603/s, lists());

# ---------------------------------------------------------------- limits, and what passes

foreach my $code (502, 604, 606, 608, 611, 614, 615, 713)
{
	set(errors => { 'nextPageToken=' => $code });
	is(outcome(lists()), 'Successful 700 0', "$code passes");
}
foreach my $code (606, 615)
{
	set(errors => { 'file.json' => $code });
	is(outcome(leads()), 'Successful 1700 0', "$code in the place of a file");
}
set(rate => 4, rateSpan => 300);
is(outcome(lists()), 'Successful 700 0', 'four calls in 300 ms');
set(rate => 0);
set(quota => 2);
fails('the calls of the day are used up', qr/^Error: .*607: Daily API Request Limit Reached/s, lists());
is(scalar $app->seen(qr/lists/), 0, '... seen afresh');
set(quota => -1);

# ---------------------------------------------------------------- jobs

set(queueFull => 3);
is(outcome(leads()), 'Successful 1700 0', 'a queue that is full at first');
set(stolen => 1);
is(outcome(leads()), 'Successful 1700 0', 'a job that was queued by a call whose answer was lost');
set(exportQuota => $true);
fails('the quota of exports is used up', qr/^Error: .*1029: Export daily quota 500MB exceeded/s, leads());
set(exportQuota => $false, failJobs => $true);
fails('a job that fails', qr/^Error: .*export job for entity "leads" ended in state Failed: the export ran out of luck/s, leads());
set(failJobs => $false, checksum => 'f' x 64);
fails('a file with another checksum', qr/^Error: .*was changed on its way/s, leads());
set(checksum => undef, miscount => 1);
fails('a file with other records', qr/^Error: .*has \d+ records, but \d+ were announced/s, leads());
set(miscount => 0, gone => $true);
fails('a file that is gone', qr/^Error: .*is gone/s, leads());
set(gone => $false);
foreach my $range ($false, $true)
{
	set(noRange => $range);
	$app->control('reset');
	$app->control('fault?kind=cut&match=file.json&n=2');
	is(outcome(leads()), 'Successful 1700 0', 'a file that breaks off, ' . ($range ? 'and can only be had as a whole' : 'and is gone on with'));
	is(scalar(grep { $_->{plain} =~ /file/ } $app->seen(qr/GET/)) > 3, 1, '... by another call');
}
set(noRange => $false);
$app->control('fault?kind=html&match=file.json');
fails('HTML in the place of a file', qr/^Error: .*(malformed|no column|bytes)/s, leads());
$app->control('fault?kind=utf8&match=file.json');
fails('text that is not UTF-8', qr/^Error: /s, leads());

# files as they have been seen
$app->control('seed', { leads => [ { email => 'a@example.com', createdAt => '2024-01-02T00:00:00Z', notes => "carriage\rreturn" }, { email => 'b@example.com', createdAt => '2024-01-03T00:00:00Z', notes => "n\0ul" },
	{ email => 'c@example.com', createdAt => '2024-01-04T00:00:00Z', notes => 'null' }, { email => 'd@example.com', createdAt => '2024-01-05T00:00:00Z', notes => "end\r" } ] });
set(dirty => $true);
my $run = leads();
is(outcome($run), 'Successful 4 0', 'NUL and bare CR in a file') or diag(AppflowTest::RestApps::told($run));
is($app->sql('SELECT string_agg(coalesce(to_json(notes)::text, \'-\'), \' \' ORDER BY email) FROM public.table' . $app->{flows}{number}), '"carriage\rreturn" "nul" - "end\r"' =~ s/"end\\r"/"end"/r, '... are taken as far as can be');
set(dirty => $false);
$app->control('seed', { leads => 1700 });

# ---------------------------------------------------------------- pages

$app->control('fault?kind=html&match=nextPageToken=');
fails('HTML in the place of a page', qr/^Error: .*not JSON/s, lists());
$app->control('fault?kind=cutjson&match=nextPageToken=');
fails('JSON that breaks off', qr/^Error: .*malformed/s, lists());
$app->control('fault?kind=replace=nextPageToken=>otherToken&match=lists.json');
fails('a page that another follows, but not which', qr/^Error: .*not which/s, lists());
set(loop => $true);
fails('a page that is followed by itself', qr/^Error: .*page 2 of entity "lists" from Marketo is followed by itself/s, lists());
set(loop => $false);
$app->control('fault?kind=replace="success":true=>"success":0&match=lists.json');
fails('a page that does not say so', qr/^Error: .*does not say that it is one/s, lists());
$app->control('fault?kind=status=500&match=nextPageToken=');
is(outcome(lists()), 'Successful 700 0', '500 is repeated');
$app->control('reset');

foreach my $kind ('html', 'cutjson', 'replace="result"=>"other"')
{
	my $seen = $kind =~ /replace/ ? 'replace%3D%22result%22%3D%3E%22other%22' : $kind;
	$app->control("fault?kind=$seen&match=status.json");
	fails("a job that answers $kind", qr/^Error: .*(is not what it should be|has no result)/s, leads());
	$app->control("fault?kind=$seen&match=types.json");
	my $answer = $app->error_of(q(SELECT appflow.list_connector_entities('{"connectorProfileName": "market", "entitiesPath": "activity"}')));
	like($answer, $kind =~ /replace/ ? qr/^no error/ : qr/^WF502: the answer of Marketo about the list of activity types is not what it should be/, "a list that is $kind");
	$app->sql(q(SELECT appflow.reset_connector_metadata_cache('{"connectorProfileName": "market"}')));
	$app->control('reset');
}

# ---------------------------------------------------------------- writing

foreach my $code (606, 608, 615, 601, 604, 502)
{
	set(errors => { 'POST /rest/v1/leads.json' => $code });
	is(outcome($app->push('market', 'leads', qq(SELECT 'w' || i || '-$code\@example.com' AS email FROM generate_series(1, 400) i))), 'Successful 400 0', "writing: $code passes");
}
$app->sql(q(CREATE SERVER market FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'market'); CREATE SCHEMA market; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER market INTO market));
set(errors => { 'POST /rest/v1/leads.json' => 604 });
like($app->error_of(q(INSERT INTO market.leads (email) VALUES ('doubt@example.com'))), qr/UNKNOWN_OUTCOME.*604/s, 'an INSERT that may have been done is not repeated');
$app->control('fault?kind=drop&match=leads.json');
like($app->error_of(q(INSERT INTO market.leads (email) VALUES ('doubt2@example.com'))), qr/UNKNOWN_OUTCOME/s, '... nor one whose answer is lost');
$app->control('reset');
$app->control('fault?kind=drop&match=leads/delete.json');
is($app->sql('DELETE FROM market.leads WHERE id = 1; SELECT 1'), 1, 'a DELETE whose answer is lost is');
$app->control('reset');
$app->control('fault?kind=drop&match=v1/leads.json');
$run = $app->push('market', 'leads', q(SELECT 'lost@example.com' AS email, 1 AS "leadScore"));
is(outcome($run) . ' ' . scalar(grep { ($_->{email} // '') eq 'lost@example.com' } @{ $app->control('records?entity=leads') }), 'Successful 1 0 1', '... and what inserts or updates') or diag(AppflowTest::RestApps::told($run));
is(scalar $app->seen(qr{POST /rest/v1/leads\.json}), 2, '... by a second request');
$app->control('fault?kind=replace%3D%7B%22id%22%3D%3E%7B%22no%22%3A1%7D%2C%7B%22id%22&match=v1/leads.json');
$run = $app->push('market', 'leads', q(SELECT 'many@example.com' AS email));
like($run->{message} // '', qr/does not have an outcome for each of 1 records/, 'more outcomes than records') or diag(AppflowTest::RestApps::told($run));
$app->control('reset');

# ---------------------------------------------------------------- readers that are stopped

set(polls => 1000000);
my $definition = $json->encode($app->pull('market', 'leads', ['id'], table => 'id int', filters => \@since, schedule => { scheduleExpression => 'rate(1hours)', dataPullMode => 'Complete' }));
$definition =~ s/"triggerConfig":\{.*?\}\}\},?/"triggerConfig":{"triggerType":"OnDemand"},/ or $definition =~ s/"triggerType":"Scheduled"/"triggerType":"OnDemand"/;
my $name = $json->decode($definition)->{flowName};
$app->sql("SELECT appflow.create_flow(\$d\$$definition\$d\$)");
$app->control('reset');
$app->sql(qq(SELECT appflow.start_flow('{"flowName": "$name"}')));
foreach (1 .. 200) { last if $app->seen(qr/status\.json/); select undef, undef, undef, 0.1; }
is(jobs(), 'Processing Queued', 'two jobs, one behind the other');
$app->sql(qq(SELECT appflow.cancel_flow_executions('{"flowName": "$name"}')));
$app->{node}->poll_query_until('postgres', qq(SELECT execution_status LIKE 'Cancel%' AND execution_status <> 'CancelStarted' FROM appflow.flow_executions WHERE flow_name = '$name'));
is($app->sql("SELECT execution_status FROM appflow.flow_executions WHERE flow_name = '$name'"), 'Canceled', 'a run that is cancelled');
is(jobs(), '', '... its jobs too');
like($app->error_of(q(SET statement_timeout = '1s'; SELECT count(*) FROM market.leads WHERE created_at > '2024-01-01Z')), qr/57014/, 'a query that is cancelled');
is(jobs(), '', '... its jobs too');
set(polls => 0);
is($app->sql(q(SELECT count(*) FROM (SELECT id FROM market.leads LIMIT 5) x)), 5, 'a query that stops early');
is(jobs(), '', '... leaves no job');
$app->control('reset');

# ---------------------------------------------------------------- memory, secrets

set(from => '2024-01-01T00:00:00Z', step => 40000);
$app->control('seed', { leads => 100000 });
my $read = q(SELECT count(*) || ' ' || max(id) || ' ' || max(email) FROM market.leads WHERE created_at >= '2023-12-31Z' AND created_at < '%sZ');
my @read = split /\n/, $app->sql(join '; ', sprintf($read, '2024-01-02'), q(CREATE TEMP TABLE before AS SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')::int AS kb),
	sprintf($read, '2024-03-01'), q(SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')::int - kb FROM before));
is($read[1], '100000 100000 person9@example.com', 'a hundred thousand leads');
cmp_ok($read[2], '<', 8192, 'in no more memory than some');
unlike(slurp_file($app->{node}->logfile), qr/planted-(token|client-secret|wrong-secret)/, 'no secret in the log');
done_testing();
