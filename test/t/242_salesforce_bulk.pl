# Salesforce by REST and by jobs of Bulk API 2.0: the same records in the same form; which
# of the two is taken; deleted records, new fields, pieces, jobs that fail.

use strict;
use warnings;
use utf8;

use AppflowTest::SalesforceRead;
use JSON::PP;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my $sf = AppflowTest::SalesforceRead->new('salesforce_bulk');
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

$sf->control('clock', time => 1709626272345);
my ($parent) = @{ $sf->control('put', object => 'Account', records => [ { Name => 'Müller, "& Söhne"', BillingCity => 'Köln', BillingStreet => "Domplatz 1\nHinterhaus", AnnualRevenue => 350000000 } ]) };
$sf->control('put', object => 'Thing__c', records => [
	{ Name => 'full', Code__c => 'A', Text__c => "comma, \"quote\", line\r\nfeed, \\ and ü 🎉", Long__c => 'x' x 20000, Flag__c => $true, Int__c => -7, Number__c => 1234567.891234, Money__c => 0.1,
		Share__c => 1e-7, Day__c => '2024-02-29', Moment__c => 1709626272345, Clock__c => '23:59:59.500Z', Choice__c => 'Red', Choices__c => 'Red;Blue', Open__c => 'Other',
		Place__Latitude__s => 50.94, Place__Longitude__s => 6.96, Secret__c => '***', Account__c => $parent },
	{ Name => 'empty', Code__c => 'B' },
	{ Name => 'zero', Code__c => 'C', Text__c => '0', Int__c => 0, Number__c => 0, Money__c => 1e15, Day__c => '1700-01-01', Moment__c => -1, Clock__c => '00:00:00.000Z', Choices__c => 'Green' } ]);

# ---------- the same records ----------

my %text;
foreach my $api ('REST_SYNC', 'BULKV2')
{
	my $run = $sf->pull(object => 'Thing__c', to => 'JSON', properties => { dataTransferApi => $api });
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 3 0', "all fields by $api") or diag explain $run;
	$text{$api} = $run->{text};
}
my ($full) = grep { $_->{Name} eq 'full' } map { $json->decode($_) } split /\n/, $text{REST_SYNC};
is_deeply($full->{Place__c}, { latitude => 50.94, longitude => 6.96 }, 'only REST has compound fields');
(my $without = $text{REST_SYNC}) =~ s/"Place__c":(\{.*?\}|null),//g;
is($text{BULKV2}, $without, 'otherwise every byte is the same');
is_deeply([ @$full{qw(Text__c Flag__c Int__c Number__c Money__c Day__c Moment__c Clock__c Choices__c Account__c)}, length $full->{Long__c} ],
	[ "comma, \"quote\", line\r\nfeed, \\ and ü 🎉", $true, -7, 1234567.891234, 0.1, '2024-02-29', '2024-03-05T08:11:12.345Z', '23:59:59.5', 'Red;Blue', $parent, 20000 ], 'values of every type');

like($text{BULKV2}, qr/"Number__c":1234567\.891234,"Money__c":0\.1,"Share__c":0\.0000001,.*"Int__c":0,"Number__c":0,"Money__c":1000000000000000,/s, 'numbers in their shortest form');

my $columns = '"Code__c" text, "Text__c" text, "Flag__c" bool, "Int__c" int, "Number__c" numeric, "Money__c" numeric(18,2), "Day__c" date, "Moment__c" timestamptz, "Clock__c" time, "Account__r.Name" text';
my @fields = map { /"(.*?)"/ } split /, /, $columns;
foreach my $api ('REST_SYNC', 'BULKV2')
{
	my $run = $sf->pull(object => 'Thing__c', fields => \@fields, columns => $columns, properties => { dataTransferApi => $api });
	is_deeply($json->decode($run->{rows}), [
		{ 'Code__c' => 'A', 'Text__c' => "comma, \"quote\", line\r\nfeed, \\ and ü 🎉", 'Flag__c' => $true, 'Int__c' => -7, 'Number__c' => 1234567.891234, 'Money__c' => 0.1, 'Day__c' => '2024-02-29',
			'Moment__c' => '2024-03-05T08:11:12.345+00:00', 'Clock__c' => '23:59:59.5', 'Account__r.Name' => 'Müller, "& Söhne"' },
		{ 'Code__c' => 'B', 'Flag__c' => $false, map { $_ => undef } qw(Text__c Int__c Number__c Money__c Day__c Moment__c Clock__c Account__r.Name) },
		{ 'Code__c' => 'C', 'Text__c' => '0', 'Flag__c' => $false, 'Int__c' => 0, 'Number__c' => 0, 'Money__c' => 1e15, 'Day__c' => '1700-01-01', 'Moment__c' => '1969-12-31T23:59:59.999+00:00',
			'Clock__c' => '00:00:00', 'Account__r.Name' => undef } ], "a table by $api, along a relationship") or diag explain $run;
}

my $run = $sf->pull(object => 'Thing__c', fields => [ 'Code__c', 'Int__c', 'Number__c', 'Day__c', 'Moment__c', 'Flag__c' ], to => 'PARQUET', filters => [ [ 'Code__c', 'NOT_EQUAL_TO', DATA_TYPE => 'string', VALUE => 'B' ] ]);
is("$run->{status} $run->{processed}", 'Successful 2', 'to Parquet') or diag explain $run;
rename $run->{file}, "$sf->{root}/things.parquet" or die;
my $parquet = $json->decode(`node '$ENV{APPFLOW_TEST_DIR}/parquet/rows.mjs' '$sf->{root}/things.parquet'`);
is($parquet->{types}[5], 'DOUBLE', 'numbers are numbers');
is_deeply($parquet->{rows}[0], [ map { "$_" } 'A', '2024-02-29', 'true', '-7', '2024-03-05 08:11:12.345+00', '1234567.891234' ], 'with its types') or diag explain $parquet;

$run = $sf->pull(object => 'Account', fields => { 'BillingAddress.city' => 'city', BillingAddress => 'address', 'Owner.Name' => 'owner' }, columns => 'city text, address jsonb, owner text');
like($run->{rows}, qr/"city":"Köln"|"city":"K\xc3\xb6ln"/, 'a part of a compound field') or diag explain $run;
like($run->{rows}, qr/"owner":"Integration User"/, 'a relationship');
$run = $sf->pull(object => 'Account', fields => { BillingAddress => 'address' }, columns => 'address jsonb', properties => { dataTransferApi => 'BULKV2' });
like($run->{message}, qr/Bulk API 2.0 cannot read field "BillingAddress" of entity "Account", which is of type address/, 'not in bulk');

# ---------- which of the two ----------

$sf->control('set', countAs => 1000001);
$sf->control('reset');
$run = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text');
is("$run->{status} $run->{processed} " . scalar($sf->seen(qr{^POST .*/jobs/query})), 'Successful 3 1', 'a million and one: a job');
is_deeply($sf->control('query-jobs'), [], 'which is deleted');
$sf->control('set', countAs => 1000000);
$sf->control('reset');
$run = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text');
is("$run->{status} $run->{processed} " . scalar($sf->seen(qr{jobs})), 'Successful 3 0', 'a million: no job');
$sf->control('set', countAs => 1000001);
$sf->control('reset');
$run = $sf->pull(object => 'Thing__c', to => 'JSON');
is($run->{text}, $text{REST_SYNC}, 'AUTOMATIC never leaves fields out');
is(scalar($sf->seen(qr{jobs})), 0, 'so it stays with REST');
$sf->control('reset');
$sf->control('fault', kind => 'error', status => 400, code => 'QUERY_TIMEOUT', message => 'Your query request was running for too long.', path => 'COUNT');
$run = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text');
is("$run->{status} $run->{processed} " . scalar($sf->seen(qr{^POST .*/jobs/query})), 'Successful 3 1', 'too many to be counted: a job') or diag explain $run;
$sf->control('reset');
$sf->control('fault', kind => 'error', status => 400, code => 'INVALIDENTITY', message => "Entity 'Thing__c' is not supported by the Bulk API.", path => 'jobs/query');
$run = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text');
is("$run->{status} $run->{processed} " . scalar($sf->seen(qr{/query\?q=SELECT%20Code})), 'Successful 3 1', 'an object that jobs do not have: REST') or diag explain $run;
$sf->control('fault', kind => 'error', status => 400, code => 'INVALIDENTITY', message => "Entity 'Thing__c' is not supported by the Bulk API.", path => 'jobs/query');
$run = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text', properties => { dataTransferApi => 'BULKV2' });
like($run->{stderr}, qr/WF502: .*: Salesforce refused entity "Thing__c": INVALIDENTITY/, 'unless jobs are wanted');
$sf->control('set', countAs => undef);

$sf->control('reset');
$sf->control('fault', kind => 'error', status => 400, code => 'MALFORMED_QUERY', message => 'Implementation restriction: this object cannot be counted', path => 'COUNT');
$run = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text');
is("$run->{status} $run->{processed} " . scalar($sf->seen(qr{jobs})), 'Successful 3 0', 'an object that cannot be counted: REST') or diag explain $run;

# ---------- deleted records, new fields ----------

my ($gone) = map { $_->{Id} } grep { $_->{Code__c} eq 'B' } @{ $sf->control('records', object => 'Thing__c') };
$sf->control('delete', object => 'Thing__c', id => $gone);
foreach my $api ('REST_SYNC', 'BULKV2')
{
	my %how = (object => 'Thing__c', fields => [ 'Code__c', 'IsDeleted' ], columns => '"Code__c" text, "IsDeleted" bool');
	is($sf->pull(%how, properties => { dataTransferApi => $api })->{processed}, 2, "without deleted records by $api");
	is($sf->pull(%how, properties => { dataTransferApi => $api, includeDeletedRecords => $true })->{rows},
		qq([{"Code__c":"A","IsDeleted":false}, \n {"Code__c":"B","IsDeleted":true}, \n {"Code__c":"C","IsDeleted":false}]), "with them by $api");
}

my $flow = $sf->pull(object => 'Account', to => 'JSON', properties => { enableDynamicFieldUpdate => $true });
unlike($flow->{text}, qr/Brand_New__c/, 'before a field is made');
$sf->control('add-field', object => 'Account', name => 'Brand_New__c', type => 'double', more => {});
$sf->control('put', object => 'Account', records => [ { Name => 'New', Brand_New__c => 3 } ]);
system 'rm', '-rf', "$sf->{root}/target/$flow->{name}";
$run = $sf->run_again($flow->{name}, to => 'JSON');
like($run->{text}, qr/"Brand_New__c":3/, 'after') or diag explain $run;

# ---------- pieces ----------

$sf->control('seed', object => 'Big__c', count => 1234, values => { Name => 'Big {n}', Count__c => '{n}', Note__c => "a \"b\",\n{n}" });
$sf->control('set', pieceSize => 100);
$sf->control('reset');
$run = $sf->pull(object => 'Big__c', fields => [ 'Count__c', 'Note__c' ], columns => '"Count__c" int, "Note__c" text', properties => { dataTransferApi => 'BULKV2' },
	filters => [ [ 'Count__c', 'LESS_THAN_OR_EQUAL_TO', DATA_TYPE => 'int', VALUE => '1200' ] ]);
is("$run->{status} $run->{processed}", 'Successful 1200', 'twelve pieces') or diag explain $run;
is($sf->sql(qq{SELECT count(DISTINCT "Count__c") || ' ' || count(*) FILTER (WHERE "Note__c" = E'a "b",\\n' || "Count__c") FROM $run->{name}}), '1200 1200', 'each record once');
is(scalar($sf->seen(qr{/results\?maxRecords})), 12, 'twelve requests');
cmp_ok(scalar($sf->seen(qr{GET .*/jobs/query/\w+$})), '==', 3, 'asked about until it was complete');
my $none = $sf->pull(object => 'Big__c', fields => [ 'Count__c' ], columns => '"Count__c" int', properties => { dataTransferApi => 'BULKV2' }, filters => [ [ 'Count__c', 'GREATER_THAN', DATA_TYPE => 'int', VALUE => '5000' ] ]);
is("$none->{status} $none->{processed}", 'Successful 0', 'no records');

# ---------- what goes wrong ----------

my %bulk = (object => 'Big__c', fields => [ 'Count__c' ], columns => '"Count__c" int', properties => { dataTransferApi => 'BULKV2' });
sub broken
{
	my ($name, $message, @faults) = @_;
	$sf->control('reset');
	$sf->control('fault', %$_) foreach @faults;
	my $run = $sf->pull(%bulk);
	like($run->{stderr}, $message, $name);
	is($sf->sql("SELECT count(*) FROM $run->{name}"), '0', "$name: nothing is written");
	is_deeply($sf->control('query-jobs'), [], "$name: no job is left");
}
broken('a piece that ends early', qr/WF502: .*(ended early|broke|cut|transfer|closed)/i, { kind => 'cut', path => 'results', skip => 5, count => 9 });
broken('half a piece', qr/WF502: .*(malformed|were announced)/, { kind => 'truncate', path => 'results', skip => 3 });
broken('a page for people', qr/WF502: .*(no column|malformed|not CSV)/, { kind => 'html', path => 'results' });
broken('bytes that are no text', qr/WF502: .*malformed: line \d+, column \d+: .*UTF-8/, { kind => 'bad-utf8', path => 'results', skip => 2 });
broken('records less than announced', qr/WF502: .*: piece 2 of entity "Big__c" from Salesforce has 99 records, but 100 were announced/, { kind => 'replace', path => 'results', skip => 1, from => '"150"' . "\n", to => '' });
broken('a locator that is not good', qr/WF502: .*: Salesforce refused entity "Big__c": API_ERROR: Invalid locator/, { kind => 'error', status => 400, code => 'API_ERROR', message => 'Invalid locator', path => 'locator' });
$sf->control('set', jobFails => "TXN_LIMIT_EXCEEDED:\n  too long");
$sf->control('reset');
$run = $sf->pull(%bulk);
like($run->{stderr}, qr/WF502: .*: Salesforce's query job for entity "Big__c" ended in state Failed: TXN_LIMIT_EXCEEDED: too long/, 'a job that fails');
is_deeply($sf->control('query-jobs'), [], 'is deleted');
$sf->control('set', jobFails => undef);
$run = $sf->pull(%bulk, name => 'unsupported', object => 'Big__c', fields => ['Gone__c'], columns => '"Gone__c" int');
like($run->{stderr}, qr/WF400: .*: Salesforce has no field "Gone__c" of entity "Big__c"/, 'a field that is not there');

# a piece or two are repeated
$sf->control('reset');
$sf->control('fault', kind => 'unavailable', path => 'jobs/query$');
$sf->control('fault', kind => 'unavailable', path => 'results', skip => 2, count => 2);
$sf->control('fault', kind => 'concurrent', path => 'results', skip => 6, count => 1);
$sf->control('fault', kind => 'expire', path => 'results', skip => 8, count => 1);
$run = $sf->pull(%bulk);
is("$run->{status} $run->{processed}", 'Successful 1234', 'throttled and logged out on the way') or diag explain $run;

# nobody answers when the job is to be deleted: the run's own error is told
$sf->control('reset');
$sf->control('fault', kind => 'hang', path => 'jobs/query/\\w+$', skip => 3, count => 9);
$sf->control('fault', kind => 'truncate', path => 'results', skip => 3);
$run = $sf->pull(%bulk);
like($run->{stderr}, qr/WF502: .*(malformed|were announced)/, 'a job that cannot be deleted');
$sf->control('reset');
$sf->control('forget-jobs');

# the destination fails while there are pieces to come
$sf->control('reset');
$run = $sf->pull(%bulk, columns => '"Count__c" int CHECK ("Count__c" < 1000)', stop => 1);
is("$run->{status} " . $sf->sql("SELECT count(*) FROM $run->{name}"), 'Error 0', 'the destination fails');
is_deeply($sf->control('query-jobs'), [], 'no job is left');

# a run that is cancelled while the job goes on
$sf->control('set', patience => 1000000);
$sf->control('reset');
my $definition = $json->encode($sf->pull_definition(%bulk, name => 'cancelled'));
$sf->sql("SELECT appflow.create_flow(\$d\$$definition\$d\$)");
$sf->sql(q{SELECT appflow.start_flow('{"flowName": "cancelled"}')});
foreach (1 .. 200) { last if $sf->seen(qr{GET .*/jobs/query/\w+$}); select undef, undef, undef, 0.1; }
$sf->sql(q{SELECT appflow.cancel_flow_executions('{"flowName": "cancelled"}')});
$sf->{node}->poll_query_until('postgres', q{SELECT execution_status LIKE 'Cancel%' AND execution_status <> 'CancelStarted' FROM appflow.flow_executions WHERE flow_name = 'cancelled'}) or diag $sf->sql('TABLE appflow.flow_executions');
is($sf->sql(q{SELECT execution_status FROM appflow.flow_executions WHERE flow_name = 'cancelled'}), 'Canceled', 'cancelled');
is_deeply($sf->control('query-jobs'), [], 'its job is deleted');

done_testing();
