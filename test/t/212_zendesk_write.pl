# Zendesk as a destination: bulk jobs and single records, in each write operation.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use JSON::PP ();
use Test::More;

my $app = AppflowTest::RestApps->new('zendesk', 'Zendesk', 'Zendesk', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { ticket_fields => 3, user_fields => 4, organization_fields => 2 });
$app->profile('desk', { accessToken => 'planted-zendesk' });
$app->profile('reader', { accessToken => 'planted-zendesk-read' });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub stored { return { map { $_->{ $_[1] // 'id' } => $_ } @{ $app->control("records?entity=$_[0]") } }; }
# [code, message, part of the record] of each line of the error file
sub errors { my ($run) = @_; return [ map { JSON::PP->new->utf8->decode($_) } split /\n/, $run->{errors} // '' ]; }

# ---------------------------------------------------------------- tickets

my $new = q{SELECT 'Ticket ' || n AS subject, 'Body "' || n || E'"\n' AS "comment.body", (ARRAY['low', 'high'])[1 + n % 2] AS priority,
	array_to_json(ARRAY['bulk', 't' || n])::jsonb AS tags, 1000 + n AS requester_id FROM generate_series(1, %d) n};
my $run = $app->push('desk', 'tickets', sprintf $new, 350);
is(outcome($run), 'Successful 350 0', 'INSERT of 350 tickets') or diag(AppflowTest::RestApps::told($run));
my $tickets = stored('tickets');
is(scalar keys %$tickets, 350, '... are there');
is_deeply([ @{ $tickets->{7} }{qw(subject description priority requester_id)}, @{ $tickets->{7}{tags} } ], [ 'Ticket 7', "Body \"7\"\n", 'high', 1007, 'bulk', 't7' ], '... as they were sent')
  or diag(json_text($tickets->{7}));
is(scalar($app->seen(qr{POST /api/v2/tickets/create_many})), 4, '... by four jobs of 100 at most');

# a value that is refused, one that lacks what is needed
$app->control('set', { reject => { subject => 'Ticket 42' } });
$app->control('seed', { tickets => [] });
$run = $app->push('desk', 'tickets', sprintf($new, 150) . q{ UNION ALL SELECT 'no body', NULL, 'low', '[]', 5});
is(outcome($run), 'Successful 151 2', 'INSERT with two that are refused') or diag(AppflowTest::RestApps::told($run));
is(scalar keys %{ stored('tickets') }, 149, '... the others are there');
is_deeply([ sort map { $_->{errorMessage} =~ s/.*?(\w+: .*)/$1/r } @{ errors($run) } ], [ 'Description: cannot be blank', 'subject: Ticket 42 is refused' ], '... in Zendesk\'s words') or diag($run->{errors});
is_deeply([ sort map { $_->{record}{subject} } @{ errors($run) } ], [ 'Ticket 42', 'no body' ], '... with their records');
$app->control('seed', { tickets => [] });
$run = $app->push('desk', 'tickets', sprintf($new, 150), stop => 1);
like(outcome($run), qr/^Error/, 'failOnFirstDestinationError') or diag(AppflowTest::RestApps::told($run));
like($run->{message}, qr/Ticket 42 is refused/, '... says what');
$app->control('set', { reject => {} });
$app->control('fault?kind=cutjson&match=create_many&skip=1');
$run = $app->push('desk', 'tickets', sprintf($new, 150));
like($run->{message}, qr/\(The destination keeps 100 records that were written before\.\) \(Whether the destination has 50 more records is not known: they were on their way\.\)$/, 'an answer that is none: what is known');
$app->control('reset');

$app->control('seed', { tickets => 250 });
$app->control('reset');
$run = $app->push('desk', 'tickets', q{SELECT n::bigint AS id, 'solved' AS status, 'changed ' || n AS subject FROM generate_series(1, 252) n}, operation => 'UPDATE', ids => ['id']);
# every sixth is closed, 251 and 252 are not there
is(outcome($run), 'Successful 252 43', 'UPDATE of tickets') or diag(AppflowTest::RestApps::told($run));
$tickets = stored('tickets');
is(scalar(grep { $_->{status} eq 'solved' && $_->{subject} eq "changed $_->{id}" } values %$tickets), 209, '... changed');
is(scalar(grep { $_->{status} eq 'closed' } values %$tickets), 41, '... closed ones were not');
is(scalar(grep { $_->{errorMessage} =~ /closed prevents ticket update/ } @{ errors($run) }), 41, '... in Zendesk\'s words');
is(join(' ', sort map { $_->{record}{id} } grep { $_->{errorMessage} =~ /not found/ } @{ errors($run) }), '251 252', '... nor those that are not there');
is(scalar($app->seen(qr{PUT /api/v2/tickets/update_many})), 3, '... by three jobs');

$run = $app->push('desk', 'tickets', q{SELECT n::bigint AS id FROM generate_series(100, 251) n}, operation => 'DELETE', ids => ['id']);
is(outcome($run), 'Successful 152 1', 'DELETE of tickets') or diag(AppflowTest::RestApps::told($run));
is(scalar(grep { $_->{status} ne 'deleted' } values %{ stored('tickets') }), 99, '... are gone');
$run = $app->push('desk', 'tickets', q{SELECT 'x' AS external_id, 'y' AS subject}, operation => 'UPSERT', ids => ['external_id']);
like($run->{message}, qr/entity "tickets" of Zendesk does not support UPSERT/, 'UPSERT of tickets is refused: Zendesk has none') or diag(AppflowTest::RestApps::told($run));
is(scalar keys %{ stored('tickets') }, 250, '... and nothing is made');

# values of every kind; null takes a value away, what is not mapped stays
$app->control('seed', { tickets => 3 });
$app->control('reset');
$run = $app->push('desk', 'tickets', q{SELECT 1::bigint AS id, timestamptz '2024-02-29 12:11:12.5+02' AS due_at, NULL::text AS type, '[{"id": 360001, "value": "a \\"b\\""}, {"id": 360002, "value": 1.50}]'::jsonb AS custom_fields,
	'["x", "y"]'::jsonb AS tags, 9007199254740993::bigint AS assignee_id, E'Zeile\tGrün\n\U0001F4A5' AS subject, '{"body": "hidden", "public": false}'::jsonb AS comment}, operation => 'UPDATE', ids => ['id']);
is(outcome($run), 'Successful 1 0', 'UPDATE with values of every kind') or diag(AppflowTest::RestApps::told($run));
my ($sent) = $app->seen(qr{PUT .*update_many});
like($sent->{body}, qr/"assignee_id":9007199254740993[,}]/, 'a number that no double holds');
like($sent->{body}, qr/"due_at":"2024-02-29T10:11:12(\.5\d*)?Z"/, 'a time');
like($sent->{body}, qr/"value": ?1\.50[,}]/, 'numbers in JSON');
like($sent->{body}, qr/"comment":\{"body": ?"hidden", ?"public": ?false\}/, 'an object');
my $one = stored('tickets')->{1};
is(json_text([ @{$one}{qw(type tags subject)} ]), json_text([ undef, [ 'x', 'y' ], "Zeile\tGr\x{fc}n\n\x{1F4A5}" ]), 'null, an array, text');
is(json_text([ $one->{status}, $one->{priority}, $one->{custom_fields}[0]{value} ]), json_text([ 'open', 'normal', 'a "b"' ]), 'the others stay') or diag(json_text($one));
my @null = $app->push('desk', 'tickets', q{SELECT NULL::bigint AS id, 'x' AS subject UNION ALL SELECT 2, 'y'}, operation => 'UPDATE', ids => ['id']);
is(outcome($null[0]), 'Successful 2 1', 'a record without its id') or diag(AppflowTest::RestApps::told($null[0]));

# ---------------------------------------------------------------- users, organizations, groups

$app->control('seed', { users => 40, organizations => 3, groups => 2 });
$run = $app->push('desk', 'users', q{SELECT 'user' || n || '@example.com' AS email, 'Renamed ' || n AS name, n * 2 AS "user_fields.seats" FROM generate_series(31, 160) n},
	operation => 'UPSERT', ids => ['email']);
is(outcome($run), 'Successful 130 0', 'UPSERT of users by email') or diag(AppflowTest::RestApps::told($run));
my $users = stored('users', 'email');
is(scalar keys %$users, 160, '... 10 are changed, 120 are new');
is_deeply([ @{ $users->{'user35@example.com'} }{qw(id name)}, $users->{'user35@example.com'}{user_fields}{seats} ], [ 35, 'Renamed 35', 70 ], '... with a field of a field')
  or diag(json_text($users->{'user35@example.com'}));
$run = $app->push('desk', 'users', q{SELECT 'New' AS name, 'user1@example.com' AS email UNION ALL SELECT 'New', 'new@example.com' UNION ALL SELECT 'New', 'no address'});
is(outcome($run), 'Successful 3 2', 'INSERT of users') or diag(AppflowTest::RestApps::told($run));
is_deeply([ sort map { $_->{errorMessage} =~ s/.*?(Email)/$1/r } @{ errors($run) } ], [ 'Email: no address is not properly formatted', 'Email: user1@example.com is already being used' ], '... one that is there, one that is none');
$run = $app->push('desk', 'organizations', q{SELECT 'o-' || n AS external_id, 'Organization ' || n AS name FROM generate_series(2, 4) n UNION ALL SELECT 'o-9', 'Org 1'}, operation => 'UPSERT', ids => ['external_id']);
is(outcome($run), 'Successful 4 1', 'UPSERT of organizations') or diag(AppflowTest::RestApps::told($run));
is(join(' ', map { "$_->{external_id}:$_->{name}" } sort { $a->{id} <=> $b->{id} } values %{ stored('organizations') }), 'o-1:Org 1 o-2:Organization 2 o-3:Organization 3 o-4:Organization 4', '... changed, and made');
like($run->{errors}, qr/Name: Org 1 is already being used/, '... but one, in Zendesk\'s words');
$run = $app->push('desk', 'organizations', q{SELECT 'Org 1' AS name}, operation => 'UPSERT', ids => ['name']);
like($run->{message}, qr/UPSERT of entity "organizations" cannot go by field "name"/, 'UPSERT by another field') or diag(AppflowTest::RestApps::told($run));
foreach my $case ([ INSERT => q{SELECT 'New group' AS name} ], [ UPDATE => q{SELECT 1::bigint AS id, 'Other name' AS name UNION ALL SELECT 77, 'x'} ], [ DELETE => q{SELECT 2::bigint AS id} ])
{
	my ($operation, $query) = @$case;
	$run = $app->push('desk', 'groups', $query, operation => $operation, $operation eq 'INSERT' ? () : (ids => ['id']));
	is(outcome($run), $operation eq 'UPDATE' ? 'Successful 2 1' : 'Successful 1 0', "$operation of groups") or diag(AppflowTest::RestApps::told($run));
}
is(join(' ', map { "$_->{id}:$_->{name}" } sort { $a->{id} <=> $b->{id} } values %{ stored('groups') }), '1:Other name 3:New group', '... are as they should be');

# ---------------------------------------------------------------- what goes wrong

$run = $app->push('reader', 'tickets', sprintf $new, 3);
like(outcome($run) . $run->{message}, qr/^Error .*missing the following required scopes: write/, 'a token that may only read') or diag(AppflowTest::RestApps::told($run));
$app->control('reset');
$app->control('throttle?n=1&match=create_many');
$app->control('throttle?n=1&match=job_statuses');
$run = $app->push('desk', 'tickets', sprintf $new, 120);
is(outcome($run), 'Successful 120 0', 'throttled') or diag(AppflowTest::RestApps::told($run));
$app->control('set', { job_failure => 'killed' });
$run = $app->push('desk', 'tickets', sprintf $new, 2);
like(outcome($run) . ($run->{message} // ''), qr/^Error .*killed/, 'a job that is killed') or diag(AppflowTest::RestApps::told($run));
$run = $app->push('desk', 'tags', q{SELECT 'x' AS name});
like($run->{message}, qr/entity "tags" of Zendesk does not support INSERT/, 'an entity that cannot be written') or diag(AppflowTest::RestApps::told($run));
$app->control('seed', { tickets => [] });
$app->control('reset');
$app->control('fault?kind=drop&match=create_many');
$run = $app->push('desk', 'tickets', sprintf $new, 2);
is(scalar($app->seen(qr{create_many})), 1, 'what may have arrived is not sent again');
like(outcome($run), qr/^Error/, '... the run says so') or diag(AppflowTest::RestApps::told($run));
done_testing();
