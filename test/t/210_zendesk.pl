# Zendesk as a source: entities, lists and exports, incremental pulls, what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('zendesk', 'Zendesk', 'Zendesk', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { tickets => 3500, users => 350, organizations => 120, groups => 3, satisfaction_ratings => 250, ticket_fields => 8,
	user_fields => 4, organization_fields => 2, ticket_events => 2500, ticket_metrics => 10, ticket_metric_events => 230, ticket_audits => 120, tags => 5, brands => 1,
	macros => 1, views => 1, ticket_forms => 1, group_memberships => 1, organization_memberships => 1 });
$app->profile('desk', { accessToken => 'planted-zendesk' });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub rows_of { my ($query) = @_; return $app->sql($query); }
my $tables = 0;

# a flow into a new table; returns the run, and the table's name in $run->{table}
sub table
{
	my ($entity, $fields, $columns, %args) = @_;
	my $run = $app->pull($args{profile} || 'desk', $entity, $fields, table => $columns, %args);
	$run->{table} = 'public.table' . $app->{flows}{number};
	return $run;
}

# ---------------------------------------------------------------- what there is

my $entities = $app->entities('desk');
is(join(' ', sort map { $_->{name} } @{ $entities->{Objects} }), join(' ', sort qw(tickets users organizations groups satisfaction_ratings ticket_events ticket_metric_events
	ticket_metrics ticket_audits ticket_fields ticket_forms user_fields organization_fields group_memberships organization_memberships brands macros views tags)), 'entities');
my $fields = $app->fields('desk', 'tickets');
is($fields->{id}{isPrimaryKey}, JSON::PP::true, 'the key of a ticket');
is($fields->{subject}{supportedFieldTypeDetails}{v1}{fieldType}, 'String', 'its subject') or diag(json_text($fields->{subject}));
is($fields->{updated_at}{supportedFieldTypeDetails}{v1}{fieldType}, 'DateTime', 'when it changed');
is_deeply($fields->{priority}{supportedFieldTypeDetails}{v1}{supportedValues}, [qw(low normal high urgent)], 'its priorities');
is($fields->{custom_field_360001}{label}, 'Field 1', 'custom fields, by what the account says') or diag(join ' ', sort keys %$fields);
is($fields->{custom_field_360002}{supportedFieldTypeDetails}{v1}{fieldType}, 'Double', '... with their types');
$fields = $app->fields('desk', 'users');
is($fields->{'user_fields.seats'}{supportedFieldTypeDetails}{v1}{fieldType}, 'Long', 'custom fields of users');

# ---------------------------------------------------------------- tickets: the export

$app->control('reset');
my $run = table('tickets', [qw(id subject status requester_id created_at tags custom_field_360001 custom_field_360002)],
	'id bigint PRIMARY KEY, subject text, status text, requester_id bigint, created_at timestamptz, tags jsonb, custom_field_360001 text, custom_field_360002 double precision');
is(outcome($run), 'Successful 3500 0', 'tickets into a table') or diag(AppflowTest::RestApps::told($run));
is(rows_of("SELECT count(*) || ' ' || sum(id) || ' ' || min(created_at AT TIME ZONE 'UTC') || ' ' || max(created_at AT TIME ZONE 'UTC') FROM $run->{table}"),
	'3500 6126750 2024-01-01 00:01:00 2024-01-03 10:20:00', 'all of them');
is(rows_of("SELECT subject FROM $run->{table} WHERE id = 10"), "\x{dc}n\x{ef}code \"10\" \\ \x{65e5}\x{672c} \x{1F4A5}" =~ s/(.*)/my $t = $1; utf8::encode($t); $t/er, 'as they are');
is(rows_of("SELECT tags::text || ' ' || custom_field_360001 || ' ' || custom_field_360002 FROM $run->{table} WHERE id = 7"), '["vip", "t7"] vip 10.5', 'arrays, custom fields');
is(rows_of("SELECT count(custom_field_360001) FROM $run->{table}"), '1750', 'nulls');
my @pages = $app->seen(qr{incremental/tickets/cursor});
is(scalar @pages, 4, 'by four pages of the export');
is(scalar(grep { $_->{plain} =~ /start_time/ } @pages), 1, 'only the first says from when');
is(scalar(grep { $_->{plain} =~ /exclude_deleted=true/ } @pages), 4, 'without deleted ones');

$run = $app->pull('desk', 'tickets', [qw(id subject updated_at priority)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 3500 0', 'tickets into Parquet') or diag(AppflowTest::RestApps::told($run));
my ($bytes) = values %{ $run->{files} };
my $parquet = $app->{flows}->parquet($bytes // '');
is(scalar @{ $parquet->{rows} || [] }, 3500, '... all of them');
is_deeply([ (sort { $a->[0] <=> $b->[0] } @{ $parquet->{rows} || [] })[0] ], [ [ '1', 'Printer 1 smokes', '2024-01-01 00:02:00+00', 'normal' ] ], '... read back') or diag(json_text([ @{ $parquet->{rows} }[ 0 .. 2 ] ]));

$run = table('tickets', [qw(id updated_at)], 'id bigint, updated_at timestamptz',
	filters => [ $app->filter('updated_at', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '2024-01-05T00:00:00Z') ]);
is(outcome($run), 'Successful 620 0', 'a filter by time') or diag(AppflowTest::RestApps::told($run));
is(rows_of("SELECT min(id) || ' ' || max(id) FROM $run->{table}"), '2881 3500', '... strictly');
$run = table('tickets', [qw(id updated_at)], 'id bigint, updated_at timestamptz',
	filters => [ $app->filter('id', 'GREATER_THAN', DATA_TYPE => 'long', VALUE => '3490') ]);
is(outcome($run), 'Successful 10 0', 'a filter that Zendesk does not evaluate') or diag(AppflowTest::RestApps::told($run));
$run = $app->pull('desk', 'tickets', ['id'], table => 'id bigint', filters => [ $app->filter('id', 'EQUAL_TO', VALUE => '1') ]);
like($run->{refused} // $run->{message}, qr/EQUAL_TO/, 'an operator that Zendesk does not have');

# ---------------------------------------------------------------- all others

foreach my $case ([ users => 350 ], [ organizations => 120 ], [ groups => 3 ], [ satisfaction_ratings => 250 ], [ ticket_events => 2500 ], [ ticket_metric_events => 230 ],
	[ ticket_metrics => 10 ], [ ticket_audits => 120 ], [ ticket_fields => 8 ], [ ticket_forms => 1 ], [ user_fields => 4 ], [ organization_fields => 2 ],
	[ group_memberships => 1 ], [ organization_memberships => 1 ], [ brands => 1 ], [ macros => 1 ], [ views => 1 ])
{
	my ($entity, $count) = @$case;
	$run = table($entity, ['id'], 'id bigint PRIMARY KEY');
	is(outcome($run), "Successful $count 0", $entity) or diag(AppflowTest::RestApps::told($run));
}
$run = table('tags', [qw(name count)], 'name text, count int');
is(outcome($run), 'Successful 5 0', 'tags');
$run = table('users', [ 'id', 'user_fields.plan' ], 'id bigint, "user_fields.plan" text');
is(rows_of(qq(SELECT count(*) FILTER (WHERE "user_fields.plan" = 'gold') || ' ' || count(*) FILTER (WHERE "user_fields.plan" = 'silver') FROM $run->{table})), '175 175', 'a custom field of users') or diag(AppflowTest::RestApps::told($run));

# every field that is described can be read
$run = $app->pull('desk', 'tickets', [ grep { $_ !~ /^comment/ } sort keys %{ $app->fields('desk', 'tickets') } ], to => 'JSON', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 3500 0', 'all fields of tickets') or diag(AppflowTest::RestApps::told($run));

# ---------------------------------------------------------------- in spite of all

$app->control('reset');
$app->control('throttle?n=1&match=cursor=');
$run = table('tickets', ['id'], 'id bigint PRIMARY KEY');
is(outcome($run), 'Successful 3500 0', 'a throttled page is asked for again');
is(scalar($app->seen(qr{incremental/tickets})), 5, '... once');
$app->control('reset');
$app->control('fault?kind=status=503&n=1&match=cursor=');
$run = table('tickets', ['id'], 'id bigint PRIMARY KEY');
is(outcome($run), 'Successful 3500 0', 'so is one that failed');
$app->control('reset');
$app->control('set', { remaining => 0 });
$run = table('users', ['id'], 'id bigint PRIMARY KEY');
is(outcome($run), 'Successful 350 0', 'when no calls are left');
is(scalar($app->seen(qr{.})), 5, '... the next one waits until there are again: none is refused');
$app->control('set', { remaining => 699 });
$app->profile('expiring', { oAuthRequest => { authCode => 'planted-code', redirectUri => 'https://example.com/back' } });
$run = table('groups', ['id'], 'id bigint', profile => 'expiring');
is(outcome($run), 'Successful 3 0', 'a token that expires');
$app->control('expire');
$app->control('reset');
$run = table('users', ['id'], 'id bigint PRIMARY KEY', profile => 'expiring');
is(outcome($run), 'Successful 350 0', '... is renewed') or diag(AppflowTest::RestApps::told($run));
is(scalar($app->seen(qr{oauth/tokens})), 1, '... once');

# ---------------------------------------------------------------- what goes wrong

sub fails
{
	my ($name, $pattern, $entity, $fields, %args) = @_;
	my $run = table($entity, $fields, join(', ', map { qq("$_" text) } @$fields), %args);
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(AppflowTest::RestApps::told($run));
	is(rows_of("SELECT count(*) FROM $run->{table}"), 0, '... and nothing is half done');
	$app->control('reset');
}
$app->profile('wrong', { accessToken => 'planted-wrong' });
fails('a wrong token', qr/^Error: .*invalid_token: The access token provided is expired/s, 'users', ['id'], profile => 'wrong');
like($app->error_of("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"wrong\"}')"), qr/no error|WF401/, 'a list that asks nobody');
like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"wrong\", \"connectorEntityName\": \"tickets\"}')"), qr/^WF401: .*credentials of connector profile "wrong"/s, 'a describe with a wrong token');
like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"desk\", \"connectorEntityName\": \"ticket\"}')"), qr/^WF40\d: .*"ticket"/s, 'an unknown entity');
fails('an unknown entity', qr/^(Error|refused): .*"ticket"/s, 'ticket', ['id']);
fails('an unknown field', qr/^(Error|refused): .*"subjct"/s, 'tickets', [ 'id', 'subjct' ]);
$app->control('set', { forbidden => ['macros'] });
fails('an entity of another plan', qr/^Error: .*Forbidden: You do not have access to this page/s, 'macros', ['id']);
$app->control('set', { forbidden => [] });
$app->control('fault?kind=html&match=users');
fails('HTML', qr/^Error: .*not JSON|^Error: .*JSON/s, 'users', ['id']);
$app->control('fault?kind=html502&n=100&match=users');
fails('HTML of a gateway', qr/^Error: .*502/s, 'users', ['id']);
$app->control('fault?kind=cut&n=100&skip=1&match=users');
fails('a page that breaks off', qr/^Error: /s, 'users', ['id']);
$app->control('fault?kind=cutjson&n=100&skip=1&match=users');
fails('a page whose JSON breaks off', qr/^Error: page 2 of entity "users" .*is malformed/s, 'users', ['id']);
$app->control('fault?kind=utf8&skip=1&match=users');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, 'users', ['id']);
$app->control('fault?kind=replace="id":=>"id":-1,"id":&match=v2/users');
fails('a member that is there twice', qr/^Error: .*twice|^Error: .*duplicate/s, 'users', ['id']);
$app->control('throttle?n=1000&match=users');
fails('throttled for ever', qr/^Error: .*Number of allowed API requests per minute exceeded/s, 'users', ['id']);

# another host, a host that is none
$app->profile('nowhere', { accessToken => 'planted-zendesk' }, { instanceUrl => 'http://127.0.0.1:1' });
fails('a wrong instanceUrl', qr/^Error: .*127\.0\.0\.1:1/s, 'users', ['id'], profile => 'nowhere');
$app->profile('elsewhere', { accessToken => 'planted-zendesk' }, { instanceUrl => "$app->{url}/help" });
fails('a path too much in it', qr/^Error: .*this page does not exist/s, 'users', ['id'], profile => 'elsewhere');

like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"elsewhere\", \"connectorEntityName\": \"users\"}')"), qr/^WF502: .*HINT:  Is the URL of connector profile "elsewhere" right\?/s, '... and a hint');

# numbers of 64 bits, which no double holds
$app->control('fault?kind=replace="id":2,=>"id":9007199254740993,&match=v2/users');
$run = table('users', ['id'], 'id bigint PRIMARY KEY');
is(rows_of("SELECT max(id) FROM $run->{table}"), '9007199254740993', 'a number that no double holds') or diag(AppflowTest::RestApps::told($run));
$app->control('reset');

# numbers that do not fit fail their record
$app->control('seed', { groups => [ { id => 1, name => 'a', position => 1 }, { id => 2, name => 'b' } ], ticket_metrics => [ { id => 1, ticket_id => 5, replies => 1 }, { id => 2, ticket_id => 1e30, replies => 2 }, { id => 3, ticket_id => 'x', replies => 3 } ] });
$run = table('ticket_metrics', [qw(id ticket_id)], 'id bigint, ticket_id bigint', write => { errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => JSON::PP::false } });
is(outcome($run), 'Successful 3 2', 'numbers that are too large, or none') or diag(AppflowTest::RestApps::told($run));
is(rows_of("SELECT string_agg(id || ':' || ticket_id, ' ') FROM $run->{table}"), '1:5', '... fail their records');
like($run->{errors} // '', qr/ticket_id/, '... and are in the error file');

# ---------------------------------------------------------------- foreign words

my $password = slurp_file($app->{node}->logfile);
unlike($password, qr/planted-zendesk/, 'no token in the log');
done_testing();
