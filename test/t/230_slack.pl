# Slack: channels, their messages, users; what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('slack', 'Slack', 'Slack', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { channels => 450, users => 730, messages => { C0000001 => 900, C0000002 => 0, C0000003 => 3 } });
$app->profile('work', { accessToken => 'planted-slack' });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table
{
	my ($entity, $fields, $columns, %args) = @_;
	my $run = $app->pull($args{profile} || 'work', $entity, $fields, table => $columns, %args);
	$run->{table} = 'public.table' . $app->{flows}{number};
	return $run;
}

# ---------------------------------------------------------------- what there is

is(json_text([ sort { $a->{name} cmp $b->{name} } @{ $app->entities('work')->{Objects} } ]),
	'[{"hasNestedEntities":true,"label":"Conversations","name":"conversations"},{"hasNestedEntities":false,"label":"Users","name":"users"}]', 'the top');
my $nested = $app->entities('work', 'conversations');
is(join(' ', keys %$nested), 'Channels', 'channels have a group of their own');
my @channels = @{ $nested->{Channels} || [] };
is(scalar @channels, 386, 'channels that are not archived, of three pages');
is(json_text($channels[0]), '{"hasNestedEntities":false,"label":"channel-1","name":"conversations/C0000001"}', '... as the reference shows them');
my $fields = $app->fields('work', 'conversations/C0000001');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(ts timestamp text reply_count reactions)), 'String DateTime String Long Struct', 'fields of messages') or diag(json_text($fields->{reactions}));
is($fields->{ts}{isPrimaryKey}, JSON::PP::true, 'the key of a message');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table('conversations/C0000001', [qw(ts timestamp channel user text subtype reactions)], 'ts text PRIMARY KEY, timestamp timestamptz, channel text, "user" text, text text, subtype text, reactions jsonb');
is(outcome($run), 'Successful 900 0', 'messages into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(*) || ' ' || min(ts) || ' ' || max(ts) || ' ' || count(reactions) || ' ' || count(subtype) FROM $run->{table}"), '900 1704067260.000001 1704121200.000900 225 100', 'all of them');
is($app->sql("SELECT bool_and(extract(epoch FROM timestamp)::numeric(20, 6) = ts::numeric(20, 6)) FROM $run->{table}"), 't', 'times to the microsecond');
is($app->sql("SELECT channel || ' ' || \"user\" || ' ' || text FROM $run->{table} WHERE ts = '1704067440.000004'"), 'C0000001 U0000005 message 4', 'as they are');
is(scalar($app->seen(qr{conversations.history})), 5, 'by five pages');
$app->control('set', { short => 30 });
$run = table('conversations/C0000001', ['ts'], 'ts text PRIMARY KEY');
is(outcome($run), 'Successful 900 0', 'pages that are shorter than asked for are not the last') or diag(AppflowTest::RestApps::told($run));
$app->control('set', { short => 0 });

$run = $app->pull('work', 'conversations/C0000001', [qw(ts text timestamp)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 900 0', 'messages into Parquet') or diag(AppflowTest::RestApps::told($run));
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
is(scalar @$rows, 900, '... all of them');
is_deeply([ @{ (sort { $a->[0] cmp $b->[0] } @$rows)[0] || [] }[ 0, 1 ] ], [ '1704067260.000001', 'message 1' ], '... read back');

$run = table('users', [qw(id name real_name profile.email deleted updated)], 'id text PRIMARY KEY, name text, real_name text, "profile.email" text, deleted boolean, updated timestamptz');
is(outcome($run), 'Successful 730 0', 'users') or diag(AppflowTest::RestApps::told($run));
is($app->sql(qq(SELECT count(*) FILTER (WHERE deleted) || ' ' || max(updated AT TIME ZONE 'UTC') || ' ' || min("profile.email") FROM $run->{table})), '81 2024-01-01 12:10:00 user100@example.com', '... typed');
$run = table('conversations', [qw(id name is_private num_members topic.value)], 'id text PRIMARY KEY, name text, is_private boolean, num_members int, "topic.value" text');
is(outcome($run), 'Successful 450 0', 'channels, archived ones too') or diag(AppflowTest::RestApps::told($run));
$run = table('conversations/C0000002', ['ts'], 'ts text');
is(outcome($run), 'Successful 0 0', 'a channel in which nobody has said anything');

# ---------------------------------------------------------------- filters

sub filtered
{
	my ($name, $count, $sent, @filters) = @_;
	$app->control('reset');
	my $run = table('conversations/C0000001', [qw(ts text user timestamp)], 'ts text, text text, "user" text, timestamp timestamptz', filters => \@filters);
	is(outcome($run), "Successful $count 0", $name) or diag(AppflowTest::RestApps::told($run));
	my ($page) = $app->seen(qr{conversations.history});
	like($page->{plain} // '', $sent, '... by Slack') if defined $sent;
}
my $at = '2024-01-01T10:00:00.000600Z';
filtered('GREATER_THAN', 300, qr/oldest=1704103200\.0006/, $app->filter('timestamp', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => $at));
filtered('GREATER_THAN_OR_EQUAL_TO', 301, qr/oldest=/, $app->filter('timestamp', 'GREATER_THAN_OR_EQUAL_TO', DATA_TYPE => 'datetime', VALUE => $at));
filtered('LESS_THAN', 599, qr/latest=/, $app->filter('timestamp', 'LESS_THAN', DATA_TYPE => 'datetime', VALUE => $at));
filtered('LESS_THAN_OR_EQUAL_TO', 600, qr/latest=/, $app->filter('timestamp', 'LESS_THAN_OR_EQUAL_TO', DATA_TYPE => 'datetime', VALUE => $at));
filtered('EQUAL_TO', 1, qr/oldest=1704103200\.000600&latest=1704103200\.000600/, $app->filter('timestamp', 'EQUAL_TO', DATA_TYPE => 'datetime', VALUE => $at));
filtered('EQUAL_TO, by ts', 1, qr/oldest=1704103200.000600/, $app->filter('ts', 'EQUAL_TO', VALUE => '1704103200.000600'));
filtered('BETWEEN', 99, qr/oldest=.*latest=|latest=.*oldest=/, $app->filter('timestamp', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => $at, UPPER_BOUND => '2024-01-01T11:40:00.000700Z'));
filtered('from and to', 100, qr/oldest=.*latest=|latest=.*oldest=/, $app->filter('timestamp', 'GREATER_THAN_OR_EQUAL_TO', DATA_TYPE => 'datetime', VALUE => $at),
	$app->filter('timestamp', 'LESS_THAN', DATA_TYPE => 'datetime', VALUE => '2024-01-01T11:40:00.000700Z'));
filtered('another field', 45, undef, $app->filter('user', 'EQUAL_TO', VALUE => 'U0000003'));

# ---------------------------------------------------------------- in spite of all

foreach my $kind ('throttle?n=1&match=history.*cursor', 'fault?kind=status=500&match=history.*cursor')
{
	$app->control('reset');
	$app->control($kind);
	$run = table('conversations/C0000001', ['ts'], 'ts text PRIMARY KEY');
	is(outcome($run), 'Successful 900 0', $kind) or diag(AppflowTest::RestApps::told($run));
}
$app->profile('rotating', { oAuthRequest => { authCode => 'planted-code', redirectUri => 'https://example.com/back' } });
$run = table('users', ['id'], 'id text', profile => 'rotating');
is(outcome($run), 'Successful 730 0', 'a token that expires') or diag(AppflowTest::RestApps::told($run));
$app->control('expire');
$app->control('reset');
$run = table('users', ['id'], 'id text', profile => 'rotating');
is(outcome($run), 'Successful 730 0', '... is renewed when Slack says token_expired with status 200') or diag(AppflowTest::RestApps::told($run));
is(scalar($app->seen(qr{oauth.v2.access})), 1, '... once');

# ---------------------------------------------------------------- what goes wrong

sub fails
{
	my ($name, $pattern, $entity, $fields, %args) = @_;
	my $run = table($entity, $fields, join(', ', map { qq("$_" text) } @$fields), %args);
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(AppflowTest::RestApps::told($run));
	is($app->sql("SELECT count(*) FROM $run->{table}"), 0, '... and nothing is half done');
	$app->control('reset');
}
$app->profile('wrong', { accessToken => 'planted-wrong' });
fails('a wrong token', qr/^Error: .*invalid_auth/s, 'users', ['id'], profile => 'wrong');
like($app->error_of("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"wrong\", \"entitiesPath\": \"conversations\"}')"), qr/^WF401: .*invalid_auth/s, 'a list with it');
$app->profile('public', { accessToken => 'planted-slack-public' });
like($app->error_of("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"public\", \"entitiesPath\": \"conversations\"}')"), qr/^WF401: .*missing_scope.*groups:read/s, 'a list without the scope');
fails('a private channel without the scope', qr/^Error: .*missing_scope: groups:history/s, 'conversations/C0000005', ['ts'], profile => 'public');
fails('a channel that does not exist', qr/^Error: .*channel_not_found/s, 'conversations/C9999999', ['ts']);
$app->control('set', { strangers => ['C0000003'] });
fails('a channel that the app is not in', qr/^Error: .*not_in_channel/s, 'conversations/C0000003', ['ts']);
$app->control('set', { strangers => [] });
fails('an unknown entity', qr/^(Error|refused): .*"channels"/s, 'channels', ['id']);
fails('an unknown field', qr/^(Error|refused): .*"txt"/s, 'users', [ 'id', 'txt' ]);
$run = $app->pull('work', 'users', ['id'], table => 'id text', filters => [ $app->filter('name', 'CONTAINS', VALUE => 'a') ]);
like($run->{refused} // $run->{message}, qr/CONTAINS/, 'an operator that Slack does not have');
$app->control('fault?kind=html&skip=1&match=users.list');
fails('HTML', qr/^Error: .*JSON/s, 'users', ['id']);
$app->control('fault?kind=cut&n=100&skip=1&match=users.list');
fails('a page that breaks off', qr/^Error: /s, 'users', ['id']);
$app->control('fault?kind=utf8&skip=2&match=users.list');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, 'users', ['id']);
$app->control('throttle?n=1000&match=users.list');
fails('throttled for ever', qr/^Error: .*ratelimited/s, 'users', ['id']);

# values that do not fit fail their record
$app->control('seed', { users => [ { id => 'U1', tz_offset => 1 }, { id => 'U2', tz_offset => 1e25 }, { id => 'U3', updated => 'soon' } ] });
$run = table('users', [qw(id tz_offset updated)], 'id text, tz_offset bigint, updated timestamptz', write => { errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => JSON::PP::false } });
is(outcome($run), 'Successful 3 2', 'values that are too large, or none') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT string_agg(id, ' ') FROM $run->{table}"), 'U1', '... fail their records');
unlike(slurp_file($app->{node}->logfile), qr/planted-slack/, 'no token in the log');
done_testing();
