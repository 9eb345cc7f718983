# The Bayeux client against a server that others have written: faye.

use strict;
use warnings;

use AppflowTest::SalesforceWrite;
use IPC::Run;
use JSON::PP;
use Test::More;

my $sf = AppflowTest::SalesforceWrite->new('salesforce_faye', simulator => 'faye.js');
my $json = JSON::PP->new->utf8->canonical;

sub events { my ($arguments) = @_; return @{ $json->decode($sf->sql("SELECT coalesce(json_agg(event), '[]') FROM appflow.read_events('crm', 'Orders__chn', $arguments)")) }; }
sub place { return @{ $sf->control('publish', channel => '/data/Orders__chn', records => [ map { { Number => $_, Nested => { a => [ 1, "\x{fc}" ] } } } @_ ]) }; }
sub numbers { return join ' ', map { $_->{Number} } @_; }

my @ids = place(1 .. 3);
my @events = events("'-2', '1 s'");
is(numbers(@events), '1 2 3', 'all that are kept');
is_deeply([ map { $_->{replayId} } @events ], \@ids, 'with their replay ids');
is_deeply($events[2]{Nested}, { a => [ 1, "\x{fc}" ] }, 'a nested value');
is(numbers(events("'$ids[0]', '1 s'")), '2 3', 'from behind one on');
is(scalar(@{ $sf->control('clients') }), 0, 'sessions are ended');

# over many connects, and the end of a session
my ($out, $err) = ('', '');
my $listener = IPC::Run::start([ 'psql', '-XAtq', '-d', $sf->{node}->connstr('postgres'), '-c',
		"SELECT coalesce(json_agg(event), '[]') FROM appflow.read_events('crm', 'Orders__chn', '', '5 s')" ], '>', \$out, '2>', \$err);
sub await_listener { for (1 .. 300) { last if @{ $sf->control('clients') }; select undef, undef, undef, 0.1; } }
await_listener();
place($_) foreach 4 .. 9;
select undef, undef, undef, 3;
place(10);
select undef, undef, undef, 0.5;
$sf->control('forget-clients');
place(11);
await_listener();
place(12, 13);
$listener->finish;
is(numbers(@{ $json->decode($out || '[]') }), join(' ', 4 .. 13), 'nothing lost or doubled') or diag $err;

# it does not believe everybody
$sf->profile('stranger', accessToken => 'planted-other', refreshToken => undef);
my (undef, undef, $stderr) = $sf->{node}->psql('postgres', "SELECT * FROM appflow.read_events('stranger', 'Orders__chn')");
like($stderr, qr/ERROR:  Salesforce refused the streaming session of "\/data\/Orders__chn": 401::Authentication invalid/, 'wrong credentials');

done_testing();
