# Veeva Vault in trouble: sessions that end, users that may not, limits, answers that are none.
use strict;
use utf8;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $app = AppflowTest::RestApps->new('veeva', 'Veeva', 'Veeva', q(appflow.max_retry_delay = '100ms'), 'log_min_messages = debug1', 'log_error_verbosity = verbose');
$app->control('seed', { product__v => 3500, documents => 20 });
$app->profile('vault', { username => 'me', password => 'planted-veeva' });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table
{
	my ($entity, $fields, $columns, %args) = @_;
	my $run = $app->pull($args{profile} || 'vault', $entity, $fields, table => $columns, %args);
	$run->{table} = 'public.table' . $app->{flows}{number};
	return $run;
}
sub logins { return $app->control('records?entity=logins'); }

# ---------------------------------------------------------------- in spite of all

my $before;
foreach my $kind ('throttle?n=2&match=query$', 'throttle?n=2&match=pageoffset=1000', 'fault?kind=status=503&n=2&match=query$', 'fault?kind=failure=UNEXPECTED_ERROR&match=pageoffset=2000',
	'fault?kind=exception=SOMETHING&match=pageoffset=2000', 'fault?kind=failure=RACE_CONDITION&match=query$', 'fault?kind=drop&match=pageoffset=1000', 'fault?kind=slow&match=pageoffset=3000')
{
	$app->control('reset');
	$app->control($kind);
	my $run = table('product__v', ['id'], 'id text PRIMARY KEY');
	is(outcome($run), 'Successful 3500 0', $kind) or diag(AppflowTest::RestApps::told($run));
}
foreach my $match ('query$', 'pageoffset=2000')
{
	$app->control('reset');
	$before = logins();
	$app->control("fault?kind=expire&match=$match");
	my $run = table('product__v', ['id'], 'id text PRIMARY KEY');
	is(outcome($run), 'Successful 3500 0', "the session ends before $match") or diag(AppflowTest::RestApps::told($run));
	is(logins() - $before, 1, '... and is begun anew once');
}
$app->control('reset');
$app->control('fault?kind=failure=INVALID_SESSION_ID&n=99&match=query$');
$before = logins();
like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"vault\", \"connectorEntityName\": \"nothing__c\"}')"), qr/^WF502: .*MALFORMED_URL/s, 'an entity that there is not');
my $run = table('product__v', ['id'], 'id text');
like("$run->{status}: $run->{message}", qr/^Error: .*Veeva refused entity "product__v": INVALID_SESSION_ID: Told to/s, 'a session that is never good');
is(logins() - $before, 1, '... is begun anew once only');

# the calls of five minutes are used up: answers come later, and we hold back
$app->control('reset');
$app->control('set', { burst => 2, delay => 400 });
$run = table('product__v', ['id'], 'id text PRIMARY KEY');
is(outcome($run), 'Successful 3500 0', 'the burst limit') or diag(AppflowTest::RestApps::told($run));
is($app->control('records?entity=early'), 0, '... each call holds back as long as the answer before was delayed');
$app->control('set', { burst => -1 });

# ---------------------------------------------------------------- who may not

sub denied
{
	my ($profile) = @_;
	return $app->error_of("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"$profile\"}')");
}
$app->profile('wrong', { username => 'me', password => 'planted-wrong' });
$before = logins();
like(denied('wrong'), qr/^WF401: connector profile "wrong" got no token from ".*\/api\/v25\.2\/auth": USERNAME_OR_PASSWORD_INCORRECT/, 'a wrong password');
is(logins() - $before, 1, '... is tried once, as Vault locks users out');
$run = table('product__v', ['id'], 'id text', profile => 'wrong');
like("$run->{status}: $run->{message}", qr/^Error: .*USERNAME_OR_PASSWORD_INCORRECT/s, '... by a run');
is(logins() - $before, 2, '... once, too');
denied('wrong') for 1 .. 3;
like(denied('wrong'), qr/^WF401: .*USER_LOCKED_OUT/, 'locked out');
is(outcome(table('country__v', ['id'], 'id text')), 'Successful 3 0', 'a session that is good stays so');
$app->profile('elsewhere', { username => 'elsewhere', password => 'planted-veeva' });
like(denied('elsewhere'), qr/^WF401: connector profile "elsewhere" got a session .* it is for another vault, at "https:\/\/etmf-veepharm\.veevavault\.com\/api": the user may not enter this one/, 'a session of another vault');

# ---------------------------------------------------------------- what is no answer

sub fails
{
	my ($name, $pattern, $fault, %args) = @_;
	$app->control('reset');
	$app->control($fault) if $fault;
	my $run = table('product__v', ['id'], 'id text', %args);
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(AppflowTest::RestApps::told($run));
	is($app->sql("SELECT count(*) FROM $run->{table}"), 0, '... and nothing is half done');
}
fails('HTML', qr/^Error: .*is not JSON: <!DOCTYPE html>/s, 'fault?kind=html&match=pageoffset=1000');
fails('an answer that is cut off', qr/^Error: .*malformed/s, 'fault?kind=cutjson&match=pageoffset=1000');
fails('one that breaks off, always', qr/^Error: .*request to ".*\/query\/[-0-9a-f]+" failed/s, 'fault?kind=cut&n=99&match=pageoffset=1000');
fails('bytes that are no text', qr/^Error: .*malformed/s, 'fault?kind=utf8&match=pageoffset=1000');
fails('records that are none', qr/^Error: .*(malformed|record)/s, 'fault?kind=replace="data":[{=>"data":[7,{&match=query$');
fails('no records at all', qr/^Error: .*has 0 records, and says that it has 1000/s, 'fault?kind=replace="data"=>"date"&match=query$');
fails('no status', qr/^Error: .*does not say that it is a success/s, 'fault?kind=replace="responseStatus"=>"status"&match=query$');
fails('one less than it says', qr/^Error: .*page 1 of entity "product__v" from Veeva has 1000 records, and says that it has 999/s, 'fault?kind=replace="size":1000=>"size":999&match=query$');
fails('a link to the same page', qr/^Error: .*does not lead on/s, 'fault?kind=loop&match=pageoffset=1000');
fails('a link to the first page', qr/^Error: .*does not lead on/s, 'fault?kind=replace="pageoffset":1000=>"pageoffset":0&match=pageoffset=1000');
fails('a link to another host', qr/^Error: .*Veeva sent a link to another host/s, 'fault?kind=replace="next_page":"=>"next_page":"https://evil.example.com&match=query$');
fails('a redirect', qr/^Error: .*the answer is a redirect/s, 'fault?kind=status=302&match=query$');
$app->control('set', { links => 'gone' });
fails('a link that has expired', qr/^Error: .*INVALID_DATA: The pagination link has expired/s);
$app->control('set', { links => 'good' });
$app->control('reset');
my $refused = table('product__v', [qw(id nickname__c)], 'id text, nickname__c text');
like(($refused->{refused} // '') . ($refused->{message} // ''), qr/has no field "nickname__c" of entity "product__v"/, 'an unknown field');

# ---------------------------------------------------------------- cancelled while it waits

$app->control('fault?kind=slow&n=5&match=query$');
$app->sql(q(CREATE SERVER vault FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'vault'); CREATE SCHEMA vault; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER vault INTO vault));
my $waiting = IPC::Run::start([ 'psql', '-XAtq', '-d', $app->{node}->connstr('postgres'), '-c', 'SELECT count(*) FROM vault.product__v' ], '>', \my $out, '2>', \my $err);
for (my $end = time + 20; time < $end && !$app->seen(qr{/query$}); sleep 0.05) { }
$app->sql(q(SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM vault%'));
$waiting->finish;
like($err, qr/canceling statement due to user request/, 'cancelled while it waits');
$app->control('reset');
is($app->sql('SELECT count(*) FROM vault.product__v'), 3500, '... and usable again');

# ---------------------------------------------------------------- memory

$app->control('seed', { product__v => 60000 });
my $peaks = $app->sql(q(
	CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$ SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int $$;
	SELECT count(*) FROM (SELECT name__v, notes__c, story__c FROM vault.product__v LIMIT 4000) x;
	SELECT peak();
	SELECT count(*) || ' ' || sum(units__c) || ' ' || max(length(name__v || coalesce(notes__c, ''))) FROM vault.product__v;
	SELECT peak()));
my ($few, $small, $many, $large) = split /\n/, $peaks;
is($many, '60000 1636396365 632', 'sixty thousand records') or diag($peaks);
cmp_ok($large - $small, '<', 8 * 1024, 'take no more memory than four thousand') or diag($peaks);

# ---------------------------------------------------------------- secrets

$app->{node}->stop;
my $log = slurp_file($app->{node}->logfile);
unlike($log, qr/planted/, 'no password in the log');
unlike($log, qr/[0-9A-F]{96}/, 'nor a session');

done_testing();
