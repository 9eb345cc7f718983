# Amplitude: events out of archives, by windows of hours.
use strict;
use warnings;

use AppflowTest::Amplitude;
use AppflowTest::Flows;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::Amplitude->new;
$app->control('seed', { events => { from => '2024-03-05T00', hours => 48, perHour => 50 }, types => 30 });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub told { return AppflowTest::RestApps::told(@_); }
my @day = ('2024-03-04T23:59:59Z', '2024-03-06T00:00:00Z');

# ---------------------------------------------------------------- what there is

is(join(' ', sort map { $_->{name} } @{ $app->entities('project')->{Objects} }), 'active_users average_session_length events events_list new_users', 'what can be read');
my $fields = $app->fields('project', 'events');
is(join(' ', map { $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} } qw(uuid server_upload_time amplitude_id app location_lat paying event_properties $insert_id)), 'String DateTime Long Integer Double Boolean Struct String', 'fields of events');
is($fields->{uuid}{isPrimaryKey}, JSON::PP::true, 'the key');
like($app->error_of(q(SELECT appflow.describe_connector_entity('{"connectorProfileName": "project", "connectorEntityName": "users"}'))), qr/^WF400: Amplitude has no entity "users"/, 'what cannot');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = $app->table('events', [ qw(uuid event_time server_upload_time amplitude_id event_properties paying location_lat city $insert_id), 'event_properties.nested' ],
	'uuid text PRIMARY KEY, event_time timestamptz, server_upload_time timestamptz, amplitude_id bigint, event_properties jsonb, paying boolean, location_lat float8, city text, "$insert_id" text, "event_properties.nested" jsonb',
	between => \@day);
is(outcome($run), 'Successful 1200 0', 'a day of events into a table') or diag(told($run));
is($app->sql("SELECT count(*) || ' ' || min(uuid) || ' ' || max(uuid) || ' ' || count(paying) || ' ' || count(city) || ' ' || sum((event_properties ->> 'total')::numeric) FROM $run->{table}"),
	'1200 00000000-0000-4000-8000-000000000001 00000000-0000-4000-8000-000000001200 240 800 360300.0', 'all of them, once');
is($app->sql(qq(SELECT event_properties ->> 'item', "event_properties.nested"::text, "\$insert_id", amplitude_id, location_lat, event_time AT TIME ZONE 'UTC', server_upload_time AT TIME ZONE 'UTC' FROM $run->{table} WHERE uuid LIKE '%00007')),
	'Größe "7"|{"list": [7, null, true]}|i-7|912345678900000007|47.3769|2024-03-05 00:07:08.000123|2024-03-05 00:07:12.000001', 'as they are, times without a zone being UTC');
is_deeply([ $app->windows ], [ '20240304T23-20240305T22', '20240305T23-20240305T23' ], 'by hours, of which none comes twice');
my ($call) = $app->seen(qr{export});
unlike($call->{url}, qr/planted/, 'the keys are not in the URL');

$app->control('reset');
$run = $app->table('events', [qw(uuid server_upload_time)], 'uuid text, server_upload_time timestamptz', between => [ '2024-03-05T03:15:00Z', '2024-03-05T05:00:00Z' ]);
is(outcome($run), 'Successful 87 0', 'bounds within hours') or diag(told($run));
is($app->sql("SELECT min(server_upload_time) > '2024-03-05T03:15:00Z' AND max(server_upload_time) < '2024-03-05T05:00:00Z' FROM $run->{table}"), 't', '... are kept to');
is_deeply([ $app->windows ], ['20240305T03-20240305T04'], '... an hour that only begins at the end is not asked for');
$run = $app->table('events', ['uuid'], 'uuid text', between => [ '2024-03-05T05:00:00.000001Z', '2024-03-05T05:01:12.000001Z' ]);
is(outcome($run), 'Successful 0 0', 'ends are not within BETWEEN');
$run = $app->table('events', ['uuid'], 'uuid text', between => [ '2024-03-05T05:00:00Z', '2024-03-05T05:01:12.000002Z' ]);
is(outcome($run), 'Successful 2 0', '... to the microsecond');

$app->control('reset');
$run = $app->table('events', ['uuid'], 'uuid text', between => [ '2024-03-05T10:00:00Z', '2024-03-05T10:00:00Z' ]);
is(outcome($run), 'Successful 0 0', 'nothing between');
is_deeply([ $app->windows ], [], '... asks nobody');
$run = $app->table('events', ['uuid'], 'uuid text', between => [ '2020-01-01T00:00:00Z', '2020-01-03T00:00:00Z' ]);
is(outcome($run), 'Successful 0 0', 'times without events are an empty success') or diag(told($run));
is_deeply([ $app->windows ], [ '20200101T00-20200101T23', '20200102T00-20200102T23' ], '... of two days');

$app->control('reset');
$run = $app->table('events', ['uuid'], 'uuid text PRIMARY KEY', between => [ '2021-01-01T00:00:00Z', '2024-06-01T00:00:00Z' ]);
is(outcome($run), 'Successful 2400 0', 'years') or diag(told($run));
my @windows = $app->windows;
is_deeply([ @windows[ 0 .. 2 ] ], [ '20210101T00-20210101T23', '20210102T00-20210103T23', '20210104T00-20210107T23' ], '... by ever more days');
is(scalar @windows, 12, '... up to a year each');

$app->control('reset');
$run = $app->table('events', ['uuid'], 'uuid text', between => [ '2014-11-10T07:00:00Z', '2014-11-13T07:00:00Z' ]);
is_deeply([ $app->windows ], [ '20141110T00-20141110T23', '20141111T00-20141112T23', '20141113T00-20141113T06' ], 'up to 2014-11-11 events are filed by days');

# ---------------------------------------------------------------- filters, objects, all fields

$run = $app->table('events', ['uuid'], 'uuid text', between => \@day, filters => [ $app->filter('event_id', 'BETWEEN', DATA_TYPE => 'long', LOWER_BOUND => '10', UPPER_BOUND => '20') ]);
is(outcome($run), 'Successful 9 0', 'BETWEEN of another field is evaluated here') or diag(told($run));
$run = $app->table('events', ['uuid'], 'uuid text', filters => [ $app->filter('event_type', 'EQUAL_TO', VALUE => 'view') ]);
like($run->{refused} // $run->{message}, qr/EQUAL_TO/, 'an operator that Amplitude does not have');
$run = $app->table('events', ['uuid'], 'uuid text');
$app->fails($run, qr/^(Error|refused): .*condition has to say from when on entity "events".*read/s, 'no lower bound');
$run = $app->table('events', [ 'uuid', 'nickname' ], 'uuid text, nickname text', between => \@day);
$app->fails($run, qr/^(Error|refused): .*no field "nickname"/s, 'an unknown field');

$run = $app->pull('project', 'events', [qw(uuid amplitude_id server_upload_time)], to => 'PARQUET', filters => [ $app->between('server_upload_time', @day) ], output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 1200 0', 'events into Parquet') or diag(told($run));
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
is(scalar @$rows, 1200, '... all of them');
is_deeply([ map { "$_" } @{ (sort { $a->[0] cmp $b->[0] } @$rows)[1199] }[ 0, 1 ] ], [ '00000000-0000-4000-8000-000000001200', '912345678900001200' ], '... with numbers of 18 digits');
my $all = [ $app->between('server_upload_time', @day), { taskType => 'Map_all', sourceFields => [], taskProperties => {} } ];
$run = $app->pull('project', 'events', [], to => 'JSON', tasks => $all, output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 1200 0', 'all fields into JSON') or diag(told($run));
my @lines = map { JSON::PP->new->utf8->decode($_) } split /\n/, $run->{text};
is(scalar(grep { ($_->{future_member} // '') eq 'new' } @lines), 12, '... also a member that nobody knew');
my ($seventh) = grep { $_->{event_id} == 7 } @lines;
is_deeply([ @$seventh{qw(server_upload_time session_id)}, $seventh->{event_properties}{nested}{list}[0] ], [ '2024-03-05T00:07:12.000001Z', 1709625600007, 7 ], '... as they are');

# ---------------------------------------------------------------- too much for one answer

sub divided
{
	my ($name, $settings, @expected) = @_;
	$app->control('reset');
	$app->control('set', $settings);
	my $run = $app->table('events', ['uuid'], 'uuid text PRIMARY KEY', between => [ '2024-03-05T00:00:00Z', '2024-03-06T00:00:00Z' ]);
	is(outcome($run), 'Successful 1200 0', $name) or diag(told($run));
	is_deeply([ $app->windows ], \@expected, '... by fewer hours');
	$app->control('set', { largest => 1e9, slowest => 8760, bad => undef });
}
divided('over the limit of size', { largest => 700 }, '20240305T00-20240305T23', '20240305T00-20240305T11', '20240305T12-20240305T23');
divided('given up as too slow', { slowest => 5 }, '20240305T00-20240305T23', '20240305T00-20240305T11', '20240305T00-20240305T05', '20240305T00-20240305T02',
	'20240305T03-20240305T07', '20240305T08-20240305T12', '20240305T13-20240305T17', '20240305T18-20240305T22', '20240305T23-20240305T23');
divided('an archive without its end', { bad => 'truncated', badHours => 1 }, '20240305T00-20240305T23', '20240305T00-20240305T11', '20240305T12-20240305T23');
divided('three of them', { bad => 'truncated', badHours => 3 }, '20240305T00-20240305T23', '20240305T00-20240305T11', '20240305T00-20240305T05', '20240305T00-20240305T02',
	'20240305T03-20240305T08', '20240305T09-20240305T20', '20240305T21-20240305T23');

# what was too much is so for its own hours only
$app->control('reset');
$app->control('set', { slowest => 30 });
$run = $app->table('events', ['uuid'], 'uuid text PRIMARY KEY', between => [ '2024-03-03T00:00:00Z', '2024-03-07T00:00:00Z' ]);
is(outcome($run), 'Successful 2400 0', 'several days') or diag(told($run));
is_deeply([ $app->windows ], [ '20240303T00-20240303T23', '20240304T00-20240305T23', '20240304T00-20240304T23', '20240305T00-20240306T22', '20240305T00-20240305T23', '20240306T00-20240306T23' ],
	'... after what was too much, more is tried again');
$app->control('set', { slowest => 8760 });

foreach my $settings ([ { largest => 49 }, qr/^Error: .*does not export hour 20240305T00 of entity "events", and less cannot be asked for: The file size of the exported data is too large/s ],
	[ { slowest => 0 }, qr/^Error: .*does not export hour 20240305T00 .*504 Gateway Time-out/s ],
	[ { bad => 'truncated', badHours => 1e9 }, qr/^Error: .*archive of Amplitude for hour 20240305T00 of entity "events" is cut off/s ])
{
	$app->control('set', $settings->[0]);
	$run = $app->table('events', ['uuid'], 'uuid text', between => [ '2024-03-05T00:00:00Z', '2024-03-06T00:00:00Z' ]);
	$app->fails($run, $settings->[1], join ' ', 'an hour that cannot be had:', %{ $settings->[0] });
	$app->control('set', { largest => 1e9, slowest => 8760, bad => undef });
}

# ---------------------------------------------------------------- in spite of all

foreach my $kind ('throttle?n=1&match=export', 'fault?kind=status=503&n=2&match=export', 'fault?kind=cut&n=1&match=export', 'fault?kind=drop&n=1&match=export')
{
	$app->control('reset');
	$app->control($kind);
	$run = $app->table('events', ['uuid'], 'uuid text PRIMARY KEY', between => \@day);
	is(outcome($run), 'Successful 1200 0', $kind) or diag(told($run));
}

# ---------------------------------------------------------------- what goes wrong

sub fails
{
	my ($name, $pattern, %args) = @_;
	$app->fails($app->table('events', ['uuid'], 'uuid text', between => \@day, %args), $pattern, $name);
	$app->control('reset');
}
$app->profile('wrong', { apiKey => 'planted-amplitude', secretKey => 'planted-wrong' });
$app->control('reset');
fails('a wrong key', qr/^Error: .*Invalid API Key/s, profile => 'wrong');
$app->control('fault?kind=html&match=export');
fails('HTML', qr/^Error: .*not a ZIP archive: <!DOCTYPE html>.*log in/s);
$app->control('fault?kind=html502&n=100&match=export');
fails('a gateway that is down', qr/^Error: .*502/s);
$app->profile('elsewhere', { apiKey => 'planted-amplitude', secretKey => 'planted-secret' }, { instanceUrl => "$app->{url}/wrong" });
fails('another 404 than that of an empty window', qr/^Error: .*404 Not Found/s, profile => 'elsewhere');
$app->control('throttle?n=1000&match=export');
fails('throttled for ever', qr/^Error: .*Exceeded concurrent limit/s);
$app->control('fault?kind=cut&n=1000&match=export');
fails('answers that always break off', qr/^Error: /s);
$app->control('seed', { events => { from => '2024-03-05T00', hours => 3, perHour => 10 } });
$app->control('expire');
fails('keys that are not valid any more', qr/^Error: .*Invalid API Key/s);
unlike(slurp_file($app->{node}->logfile), qr/planted-(amplitude|secret)/, 'no key in the log');
done_testing();
