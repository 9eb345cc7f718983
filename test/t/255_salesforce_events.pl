# Platform events and change data capture of Salesforce: what is announced comes once, whatever
# becomes of connections, sessions and tokens.

use strict;
use warnings;

use AppflowTest::SalesforceWrite;
use IPC::Run;
use JSON::PP;
use Test::More;

my $sf = AppflowTest::SalesforceWrite->new('salesforce_events');
my $json = JSON::PP->new->utf8->canonical;

# what read_events gives: (last position, events)
sub events
{
	my ($arguments) = @_;
	my $rows = $json->decode($sf->sql("SELECT coalesce(json_agg(json_build_array(continue_from, event)), '[]') FROM appflow.read_events('crm', $arguments)"));
	return ($rows->[-1] && $rows->[-1][0], map { $_->[1] } @$rows);
}

sub error_of
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $sf->{node}->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}

sub place { return $sf->control('publish', event => 'Order_Placed__e', records => [ map { { Order_Number__c => "O-$_", Total__c => 1.5 * $_ } } @_ ]); }
sub numbers { return join ' ', map { $_->{Order_Number__c} =~ s/O-//r } @_; }

# ---------- platform events ----------

my $ids = place(1 .. 3);
my ($position, @events) = events("'Order_Placed__e', '-2', '100 ms'");
is(numbers(@events), '1 2 3', 'all that are kept');
is($position, $ids->[2], 'and the place behind them');
is_deeply([ @{ $events[1] }{qw(Total__c ReplayId)} ], [ 3, $ids->[1] ], 'fields of the payload, and the replay id');
like($events[0]{EventUuid}, qr/^[0-9a-f-]{36}$/, 'and the id of the message');


($position, @events) = events("'Order_Placed__e', '$ids->[0]', '100 ms', fields => '{Order_Number__c,replayId,createdDate,Total__c}'");
is(numbers(@events), '2 3', 'from behind one on');
is_deeply([ sort keys %{ $events[0] } ], [qw(Order_Number__c Total__c createdDate replayId)], 'fields that were asked for');
like($events[0]{createdDate}, qr/^\d{4}-\d\d-\d\dT/, 'with the date');
($position, @events) = events("'Order_Placed__e', '$ids->[2]', '100 ms'");
is_deeply([ $position, scalar @events ], [ undef, 0 ], 'nothing behind the last');
is(scalar(@{ $sf->control('clients') }), 0, 'no session is left behind');

# ---------- while one listens ----------

# a session that listens; what it got
sub listen_to
{
	my ($arguments) = @_;
	my %listener = (out => '', err => '');
	my $sql = "SELECT coalesce(json_agg(json_build_array(continue_from, event)), '[]') FROM appflow.read_events('crm', $arguments)";
	$listener{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $sf->{node}->connstr('postgres'), '-c', $sql ], '>', \$listener{out}, '2>', \$listener{err});
	return \%listener;
}
sub await { my ($what, $test) = @_; for (1 .. 600) { return 1 if $test->(); select undef, undef, undef, 0.1; } fail("$what: waited for in vain"); return 0; }
sub await_listener { return await('a listener', sub { grep { $_->{waiting} } @{ $sf->control('clients') } }); }
sub heard
{
	my ($listener) = @_;
	$listener->{run}->finish;
	my $rows = $json->decode($listener->{out} || '[]');
	return map { $_->[1] } @$rows;
}

my $listener = listen_to("'Order_Placed__e', '', '3 s'");
await_listener();
place(4);
await_listener();
place(5, 6);
is(numbers(heard($listener)), '4 5 6', 'only what is new, as it comes');

# the server forgets the session between two events
$listener = listen_to("'Order_Placed__e', '', '4 s'");
await_listener();
place(7);
await_listener();
$sf->control('forget-clients');
place(8);
await_listener();
place(9);
is(numbers(heard($listener)), '7 8 9', 'a session that ends is made anew, and nothing lost or doubled');
is($listener->{err}, '', 'without a word');
is(scalar($sf->seen(qr/cometd/)) > 0, 1, 'the simulator saw it');

# a session that ends before it has had an event: what comes until there is another is not lost
place(50);
select undef, undef, undef, 1.2;
$sf->control('reset');
$sf->control('streaming', most => 1);
$listener = listen_to("'Order_Placed__e', '', '4 s'");
await_listener();
$sf->control('fault', path => 'cometd', kind => 'unavailable');
$sf->control('forget-clients');
place(51, 52);
await_listener();
place(53);
is(numbers(heard($listener)), '51 52 53', 'a session that ends before its first event, and what was announced in between');
$sf->control('streaming', most => 2000);

# the connection breaks, and an answer with events is cut off
foreach my $fault (qw(reset cut truncate unavailable html))
{
	my ($last) = @{ place(0) };
	$sf->control('reset');
	$listener = listen_to("'Order_Placed__e', '$last', '4 s'");
	await_listener();
	place(10, 11);
	await_listener();
	$sf->control('fault', path => 'cometd', kind => $fault, count => 1);
	place(12);
	await_listener();
	place(13);
	is(numbers(heard($listener)), '10 11 12 13', "$fault: nothing lost or doubled");
}
$sf->control('reset');

# the token ends
$listener = listen_to("'Order_Placed__e', '', '4 s'");
await_listener();
place(14);
await_listener();
$sf->control('expire');
place(15);
await('another token', sub { $sf->seen(qr/oauth2.token/) });
await_listener();
place(16);
is(numbers(heard($listener)), '14 15 16', 'another token is got');

# over a restart of the reader
my ($from) = @{ place(17) };
($position, @events) = events("'Order_Placed__e', '$from', '200 ms'");
my @all;
for my $n (18 .. 22)
{
	place($n);
	($position, @events) = events("'Order_Placed__e', '" . ($position // $from) . "', '200 ms'");
	push @all, @events;
}
is(numbers(@all), '18 19 20 21 22', 'one reader goes on where another stopped');

# more than an answer has, and more than a batch
place(100 .. 2699);
$sf->control('streaming', most => 1500);
($position, @events) = events("'Order_Placed__e', '$position', '300 ms', 100000");
is(scalar(@events), 2600, 'thousands of events');
is(numbers(@events), join(' ', 100 .. 2699), 'in order');

# not kept any more
$sf->control('purge', event => 'Order_Placed__e');
place(23, 24);
$listener = listen_to("'Order_Placed__e', '$from', '300 ms'");
@events = heard($listener);
is(numbers(@events), '23 24', 'what is kept of what was missed');
like($listener->{err}, qr/WARNING:  events of "\/event\/Order_Placed__e" may be lost: Salesforce does not keep those behind replay id $from any more.*It said: 400::The replayId \{$from\} you provided was invalid/s, 'and that it is not all');

# cancelled while it waits
is(error_of("SET statement_timeout = '700ms'; SELECT * FROM appflow.read_events('crm', 'Order_Placed__e', '', '10 min')"),
	'57014: canceling statement due to statement timeout', 'waiting can be cancelled');

# ---------- change data capture ----------

my ($before) = @{ $sf->control('publish', event => 'AccountChangeEvent', records => [ { ChangeEventHeader => { entityName => 'Account', changeType => 'GAP_CREATE', recordIds => [] } } ]) };
$sf->sql(q{
	CREATE TABLE accounts (name text, code text, industry text);
	INSERT INTO accounts VALUES ('Nordlicht', 'N1', 'Energy'), ('Südwind', 'S1', NULL)});
my %map = (name => 'Name', code => 'External_Id__c', industry => 'Industry');
is($sf->move(table => 'accounts', object => 'Account', map => \%map)->{status}, 'Successful', 'accounts are made');
$sf->sql("UPDATE accounts SET industry = 'Banking' WHERE code = 'S1'");
is($sf->move(table => 'accounts', object => 'Account', map => { code => 'External_Id__c', industry => 'Industry' }, operation => 'UPSERT', key => 'External_Id__c')->{status}, 'Successful', 'and changed');
my $accounts = $sf->records('Account', 'External_Id__c');
($position, @events) = events("'AccountChangeEvent', '$before', '200 ms'");
is(scalar(@events), 4, 'four changes');
is_deeply([ map { "$_->{'ChangeEventHeader.changeType'} $_->{'ChangeEventHeader.entityName'} $_->{'ChangeEventHeader.recordIds'}[0]" } @events ],
	[ (map { "CREATE Account $accounts->{$_}{Id}" } qw(N1 S1)), map { "UPDATE Account $accounts->{$_}{Id}" } qw(N1 S1) ], 'which tell what has changed');
is_deeply([ @{ $events[0] }{qw(Name External_Id__c Industry)} ], [ 'Nordlicht', 'N1', 'Energy' ], 'a new record, with a field that the describe does not have');
is_deeply([ $events[3]{Name}, $events[3]{Industry} ], [ undef, 'Banking' ], 'a changed one, only what has changed');
is_deeply($events[3]{'ChangeEventHeader.changedFields'}, [ 'External_Id__c', 'Industry', 'LastModifiedDate' ], 'fields of the header');
($position, @events) = events("'ChangeEvents', '-2', '200 ms', fields => '{ChangeEventHeader.entityName,Name}'");
is(scalar(@events), 5, 'the channel of all changes');

my $described = $json->decode($sf->sql(q{SELECT appflow.describe_connector_entity('{"connectorProfileName": "crm", "connectorType": "Salesforce", "connectorEntityName": "AccountChangeEvent"}')}));
is_deeply([ sort grep { /Header/ } map { $_->{identifier} } @{ $described->{connectorEntityFields} } ],
	[ sort map { "ChangeEventHeader.$_" } qw(entityName recordIds changeType changeOrigin transactionKey sequenceNumber commitTimestamp commitNumber commitUser changedFields) ], 'the fields that it will have are told');

# ---------- refused ----------

my @wrong = (
	[ "'Account', ''", qr/^WF400: Salesforce object "Account" is no event$/ ],
	[ "'Nothing__e', ''", qr/^WF502: Salesforce refused entity "Nothing__e": NOT_FOUND: / ],
	[ "'Thing__chn', ''", qr/^WF502: Salesforce refused the subscription of "\/data\/Thing__chn": 400::The channel you requested to subscribe to does not exist/ ],
	[ "'Order_Placed__e', '12;DROP'", qr/^WF400: "12;DROP" is not a replay id of Salesforce$/ ],
	[ "'Order_Placed__e', '', fields => '{Nummer__c}'", qr/^WF400: Salesforce event "Order_Placed__e" has no field "Nummer__c"$/ ],
	[ "'Order_Placed__e', '', '-1 s'", qr/^WF400: patience must not be negative$/ ]);
like(error_of("SELECT * FROM appflow.read_events('crm', $_->[0])"), $_->[1], "refused: $_->[0]") foreach @wrong;
$sf->control('streaming', full => 1);
like(error_of("SELECT * FROM appflow.read_events('crm', 'Order_Placed__e')"),
	qr/^WF429: Salesforce refused the subscription of "\/event\/Order_Placed__e": 403::Organization concurrent user limit exceeded$/, 'too many listeners');
$sf->control('streaming', full => undef);
$sf->control('expire', for_good => 1);
like(error_of("SELECT * FROM appflow.read_events('crm', 'ChangeEvents')"), qr/^WF401: /, 'no token is to be had');

done_testing();
