# Answers to writes and to listeners that no Salesforce would give: the server lives, and every run
# accounts for its records.

use strict;
use warnings;

use AppflowTest::SalesforceWrite;
use JSON::PP;
use Test::More;

my $sf = AppflowTest::SalesforceWrite->new('salesforce_hostile');
my $deep = '[' x 100000;

sub read_events
{
	my ($stdout, $stderr);
	$sf->{node}->psql('postgres', "\\set VERBOSITY verbose\nSELECT string_agg(event ->> 'Order_Number__c', ' ') FROM appflow.read_events('crm', 'Order_Placed__e', '-2', '100 ms')",
		stdout => \$stdout, stderr => \$stderr);
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "events $stdout";
}

# ---------- listeners ----------

$sf->control('streaming', hold => 300);
$sf->control('publish', event => 'Order_Placed__e', records => [ { Order_Number__c => 'a' }, { Order_Number__c => 'b' } ]);
my $event = '{"channel":"/event/Order_Placed__e","data":';
my @answers = ('', '[]', '{}', 'null', '[null]', '[1,"a",true]', '[[]]', '[{}]', $deep, '[{"channel":1}]', '[{"channel":{"a":[]},"successful":{},"advice":[1]}]',
	'[{"channel":"/meta/handshake","successful":true}]', '[{"channel":"/meta/handshake","clientId":5,"successful":true}]', '[{"channel":"/meta/handshake","clientId":"\"}]","successful":true}]',
	'[{"channel":"/meta/connect","successful":false}]', '[{"channel":"/meta/connect","successful":"no","error":5,"advice":{"interval":-5,"timeout":"x","reconnect":7}}]',
	'[{"channel":"/meta/connect","successful":true,"advice":{"timeout":"99999999999999999999","interval":"-1"}}]',
	"[$event null}]", "[$event\[\]}]", "[$event\{\"payload\":\"text\",\"event\":{\"replayId\":1}}}]", "[$event\{\"payload\":{},\"event\":{\"replayId\":\"1'}]\"}}}]",
	"[$event\{\"payload\":{},\"event\":{\"replayId\":-2}}}]", "[$event\{\"payload\":{},\"event\":{\"replayId\":1e400}}}]", "[$event\{\"payload\":{}}}]",
	"[$event\{\"payload\":{\"ChangeEventHeader\":7,\"x.y\":{\"x\":[]}},\"event\":{\"replayId\":1}}}]", "[$event\{\"payload\":{\"a\":1,\"a\":2},\"event\":{\"replayId\":1}}}]",
	"[$event\{\"payload\":{\"Order_Number__c\":\"\\u0000\"},\"event\":{\"replayId\":1}}}]");
my %outcomes;
foreach my $phase (0 .. 2)
{
	foreach my $answer (@answers)
	{
		$sf->control('reset');
		$sf->control('fault', path => 'cometd', kind => 'body', skip => $phase, text => $answer);
		my $outcome = read_events();
		$outcomes{ $outcome =~ /^(WF\d\d\d: )?(Salesforce|the streaming|events a b$|events ?$)/ ? 'told' : $outcome }++;
	}
}
is_deeply([ keys %outcomes ], ['told'], 'each answer is an error, or nothing') or diag explain \%outcomes;
$sf->control('reset');
is(read_events(), 'events a b', 'and all goes on');

# ---------- requests ----------

$sf->sql("CREATE TABLE two (name text); INSERT INTO two VALUES ('T1'), ('T2')");
my $insert = $sf->create(table => 'two', object => 'Big__c', map => { name => 'Name' });
my $bulk = $sf->create(table => 'two', object => 'Big__c', map => { name => 'Name' }, api => 'BULKV2');
sub run { my ($name) = @_; $sf->{node}->psql('postgres', "CALL appflow.run_flow('$name')", stderr => \my $stderr); return $sf->outcome($name); }

foreach my $answer (
	[ 200, '' ], [ 200, '[]' ], [ 200, 'null' ], [ 200, '{}' ], [ 200, '[{}]' ], [ 200, '[1,2]' ], [ 200, '"x"' ], [ 200, $deep ], [ 204, '' ], [ 500, '<html>' ], [ 502, '' ],
	[ 200, '[{"success":true},{"success":true},{"success":true}]' ])
{
	$sf->control('reset');
	$sf->control('fault', path => 'composite', kind => 'body', status => $answer->[0], text => $answer->[1]);
	my $run = run($insert);
	is("$run->{status} $run->{processed} $run->{failed} " . join(' ', map { $_->{errorCode} } @{ $run->{errors} }), 'Error 2 2 UNKNOWN_OUTCOME UNKNOWN_OUTCOME',
		"no answer about two records: $answer->[0] " . substr $answer->[1], 0, 40);
}
foreach my $answer (
	[ '[{},{}]', 'Error 2 2 UNKNOWN_EXCEPTION UNKNOWN_EXCEPTION' ],
	[ '[{"success":true,"id":{"a":1}},{"success":false,"errors":"x"}]', 'Successful 2 1 UNKNOWN_EXCEPTION' ],
	[ '[{"success":false,"errors":[{"statusCode":null}]},{"success":false,"errors":[{"statusCode":["a"],"message":{"b":"c"}},{"statusCode":"B","message":"d"}]}]', 'Error 2 2 UNKNOWN_EXCEPTION B' ])
{
	$sf->control('reset');
	$sf->control('fault', path => 'composite', kind => 'body', text => $answer->[0]);
	my $run = run($insert);
	is("$run->{status} $run->{processed} $run->{failed} " . join(' ', map { $_->{errorCode} } @{ $run->{errors} }), $answer->[1], "an answer of a kind: $answer->[0]");
}

# ---------- jobs ----------

foreach my $answer (
	[ 'POST /', 'ingest$', '{}', qr/without an id$/ ], [ '', 'ingest$', '{"id":"../../x"}', qr/without an id$/ ], [ '', 'ingest$', '[]', qr/without an id$/ ],
	[ '', 'ingest/\\w+$', '{}', qr/that its state is "", which is not known$/, 1 ],
	[ '', 'ingest/\\w+$', '{"state":"JobComplete"}', qr/records, but Salesforce tells of 0 only$/, 1 ],
	[ '', 'ingest/\\w+$', '{"state":"JobComplete","numberRecordsProcessed":99,"numberRecordsFailed":-1}', qr/has 2 records, Salesforce says that it processed 99/, 1 ],
	[ '', 'ingest/\\w+$', '{"state":"JobComplete","numberRecordsProcessed":2,"numberRecordsFailed":1}', qr/1 records failed, but Salesforce lists 0$/, 1 ])
{
	$sf->control('reset');
	$sf->control('ingest', delay => 1);
	$sf->control('fault', path => $answer->[1], kind => 'body', text => $answer->[2], skip => $answer->[4] // 0);
	# lists are there whatever the job's state
	$sf->control('fault', path => '(failedResults|unprocessed)', kind => 'body', text => '', type => 'text/csv');
	my $run = run($bulk);
	is($run->{status}, 'Error', "a job that is said to be $answer->[2]");
	like($run->{message} =~ s/ \(The destination keeps.*//r, $answer->[3], 'and why');
}
foreach my $list ([ "sf__Id\n\"a\"\n", 'UNKNOWN_EXCEPTION' ], [ "\"sf__Error\",\"Name\"\n\"\",\"T1\"\n", 'UNKNOWN_EXCEPTION' ], [ "\"sf__Error\",\"Name\"\n\"X:y:z --\",\"T2\"\n", 'X' ])
{
	$sf->control('reset');
	$sf->control('fault', path => 'ingest/\\w+$', kind => 'body', text => '{"state":"JobComplete","numberRecordsProcessed":2,"numberRecordsFailed":1}', skip => 1);
	$sf->control('fault', path => 'failedResults', kind => 'body', text => $list->[0], type => 'text/csv');
	my $run = run($bulk);
	is("$run->{status} $run->{processed} $run->{failed} $run->{errors}[0]{errorCode}", "Successful 2 1 $list->[1]", "a list: $list->[0]");
}
$sf->control('reset');
is(run($bulk)->{status}, 'Successful', 'and all goes on');
is($sf->sql('SELECT pg_postmaster_start_time() < now()'), 't', 'on the same server');
my $log = PostgreSQL::Test::Utils::slurp_file($sf->{node}->logfile);
unlike($log, qr/terminated by signal|PANIC|server process .* exited|lost its worker/, 'nothing has died');

done_testing();
