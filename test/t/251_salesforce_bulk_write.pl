# Tables to Salesforce by jobs of Bulk API 2.0: each write operation, what is refused, jobs that
# fail, and jobs of runs that end early.

use strict;
use warnings;

use AppflowTest::SalesforceWrite;
use Test::More;

my $sf = AppflowTest::SalesforceWrite->new('salesforce_bulk_write');

sub errors { my ($run, $field) = @_; return { map { $_->{record}{$field} // '' => "$_->{errorCode} $_->{errorMessage}" } @{ $run->{errors} } }; }
sub counts { my ($run) = @_; return "$run->{status} $run->{processed} $run->{failed}"; }
sub written { my ($object, $field, $pattern) = @_; return $sf->control('count', object => $object, field => $field, pattern => $pattern); }
sub jobs { return @{ $sf->control('ingest-jobs') }; }
my %bulk = (api => 'BULKV2', object => 'Thing__c');

# ---------- INSERT ----------

$sf->sql(q{
	CREATE TABLE things (code text, name text, flag boolean, n integer, number numeric, money numeric, day date,
		moment timestamptz, clock time, choice text, long text, parent text);
	INSERT INTO things VALUES
		('A1', 'Grün, "and" \ back', true, -5, 12345678.123456, 0.01, '2024-02-29', '2024-03-05 10:11:12.345678+02', '23:59:59.5', 'Red', E'line\r\nline\ttab\n"', 'P1'),
		('A2', NULL, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
		('A3', '', true, 7, 1e3, -1.5, '1999-12-31', '1969-12-31 23:59:59.999Z', '00:00:00', 'Mauve', ' blanks ', 'P1'),
		('A4', '#N/A', true, 1, 1, 1, NULL, NULL, NULL, 'Red', '', NULL),
		('A5', 'left out', true, 1, 1, 1, NULL, NULL, NULL, 'Red', '', NULL),
		('A6', 'orphan', true, 1, 1, 1, NULL, NULL, NULL, 'Red', ' ', 'P9'),
		('A7', 'twin', NULL, 1, 1, 1, NULL, NULL, NULL, 'Mauve', '', NULL),
		('A7', 'twin', NULL, 1, 1, 1, NULL, NULL, NULL, 'Mauve', '', NULL)});
$sf->control('put', object => 'Account', records => [ { Name => 'Parent', External_Id__c => 'P1' } ]);
my %map = (code => 'Code__c', name => 'Text__c', flag => 'Flag__c', n => 'Int__c', number => 'Number__c', money => 'Money__c', day => 'Day__c',
	moment => 'Moment__c', clock => 'Clock__c', choice => 'Choice__c', long => 'Long__c', parent => 'Account__r.External_Id__c');
my $run = $sf->move(%bulk, table => 'things', map => \%map, filters => [ [ 'code', 'NOT_EQUAL_TO', DATA_TYPE => 'string', VALUE => 'A5' ] ]);
is(counts($run), 'Successful 7 5', 'inserted, but five') or diag explain $run;
my $kept = $sf->records('Thing__c', 'Code__c');
my $account = $sf->records('Account', 'External_Id__c')->{P1}{Id};
is_deeply([ sort keys %$kept ], [ 'A1', 'A2' ], 'those records');
is_deeply([ @{ $kept->{A1} }{qw(Text__c Flag__c Int__c Number__c Money__c Day__c Moment__c Clock__c Choice__c Long__c Account__c)} ],
	[ "Gr\x{fc}n, \"and\" \\ back", JSON::PP::true, -5, 12345678.123456, 0.01, '2024-02-29', 1709626272345, '23:59:59.500Z', 'Red', "line\r\nline\ttab\n\"", $account ], 'values of every type');
is_deeply([ @{ $kept->{A2} }{qw(Text__c Flag__c Int__c Moment__c Account__c)} ], [ undef, JSON::PP::false, undef, undef, undef ], 'nulls');
my $mauve = 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST Choice: bad value for restricted picklist field: Mauve:Choice__c';
is_deeply(errors($run, 'Code__c'), {
		A3 => $mauve, A7 => $mauve,
		A4 => 'NOT_EXPRESSIBLE field "Text__c" is the text "#N/A", which means empty to Bulk API 2.0',
		A6 => 'INVALID_FIELD Foreign key external ID: P9 not found for field External_Id__c in entity Account' }, 'what is refused, with why');
is_deeply({ map { $_->{record}{Code__c} eq 'A7' ? ($_->{source} => 'A7') : ($_->{record}{Code__c} => $_->{source}) } @{ $run->{errors} } },
	{ A3 => 'record 3', A4 => 'record 4', A6 => 'record 5', 'record 6' => 'A7', 'record 7' => 'A7' }, 'and which, whatever order Salesforce lists them in');
is_deeply([ @{ (grep { $_->{record}{Code__c} eq 'A3' } @{ $run->{errors} })[0]{record} }{qw(Int__c Number__c Flag__c Text__c Long__c Day__c)} ],
	[ 7, 1000, JSON::PP::true, undef, ' blanks ', '1999-12-31' ], 'with its values');
is_deeply([ map { "$_->{state} $_->{operation} $_->{numberRecordsProcessed} $_->{numberRecordsFailed}" } jobs() ], ['JobComplete insert 6 4'], 'by one job');
is(scalar($sf->seen(qr/composite/)), 0, 'and no request');

# ---------- UPSERT, UPDATE, DELETE ----------

$sf->sql(q{
	CREATE TABLE changes (code text, name text, choice text, parent text);
	INSERT INTO changes VALUES ('A1', NULL, 'Green', NULL), ('B1', 'new', '', 'P1'), (NULL, 'no key', NULL, NULL), ('A2', 'x', 'Mauve', NULL)});
$run = $sf->move(%bulk, table => 'changes', map => { code => 'Code__c', name => 'Text__c', choice => 'Choice__c', parent => 'Account__r.External_Id__c' }, operation => 'UPSERT', key => 'Code__c');
is(counts($run), 'Successful 4 2', 'upsert');
$kept = $sf->records('Thing__c', 'Code__c');
is_deeply([ map { [ @{ $kept->{$_} }{qw(Text__c Choice__c Account__c Int__c)} ] } qw(A1 B1) ], [ [ undef, 'Green', undef, -5 ], [ 'new', undef, $account, undef ] ], 'null and nothing empty a field');
is_deeply(errors($run, 'Code__c'), { '' => 'MISSING_ARGUMENT Code__c not specified:Code__c', A2 => $mauve }, 'what is refused');

$sf->sql("CREATE TABLE moves (id text, name text); INSERT INTO moves VALUES ('$kept->{A1}{Id}', 'moved'), ('$kept->{A2}{Id}', ''), ('a00000000000000', 'x')");
$run = $sf->move(%bulk, table => 'moves', map => { id => 'Id', name => 'Text__c' }, operation => 'UPDATE', key => 'Id');
is(counts($run), 'Successful 3 1', 'update');
is_deeply([ map { $sf->records('Thing__c', 'Code__c')->{$_}{Text__c} } qw(A1 A2) ], [ 'moved', undef ], 'those');
is_deeply(errors($run, 'Id'), { a00000000000000 => 'INVALID_CROSS_REFERENCE_KEY invalid cross reference id' }, 'what is refused');
$run = $sf->move(%bulk, table => 'moves', map => { id => 'Id', name => 'Text__c' }, operation => 'UPSERT', key => 'Id', filters => [ [ 'id', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => $kept->{A1}{Id} ] ]);
is(counts($run), 'Successful 1 0', 'upsert by Id');
$run = $sf->move(%bulk, table => 'moves', map => { id => 'Id', name => 'Whatever' }, operation => 'DELETE', key => 'Id');
is(counts($run), 'Successful 3 1', 'delete');
is_deeply([ sort keys %{ $sf->records('Thing__c', 'Code__c') } ], ['B1'], 'those, and no others');

# ---------- AUTOMATIC ----------

$sf->sql("CREATE TABLE numbers AS SELECT 'N' || n AS name, n, repeat('é', 100) AS note FROM generate_series(1, 25000) n");
my %numbers = (name => 'Name', n => 'Count__c', note => 'Note__c');
my @upto = ('n', 'LESS_THAN', DATA_TYPE => 'int', VALUE =>);
$sf->control('reset');
$run = $sf->move(table => 'numbers', object => 'Big__c', map => \%numbers, filters => [ [ @upto, '1000' ] ]);
is(counts($run) . ' ' . $sf->seen(qr/composite/) . ' ' . $sf->seen(qr/ingest/), 'Successful 999 0 5 0', '999 records go by requests');
$run = $sf->move(table => 'numbers', object => 'Big__c', map => \%numbers, filters => [ [ @upto, '1001' ] ]);
is(counts($run) . ' ' . $sf->seen(qr/composite/) . ' ' . $sf->seen(qr/^POST .*ingest/), 'Successful 1000 0 5 1', '1000 by a job');
is(written('Big__c', 'Name', '^N'), 1999, 'all of them');
$sf->control('no-bulk', object => 'Big__c');
$run = $sf->move(table => 'numbers', object => 'Big__c', map => \%numbers, filters => [ [ @upto, '1301' ] ]);
is(counts($run) . ' ' . $sf->seen(qr/composite/), 'Successful 1300 0 12', 'an object that Bulk API 2.0 does not know goes by requests');
$run = $sf->move(table => 'numbers', object => 'Big__c', map => \%numbers, api => 'BULKV2');
like($run->{message}, qr/^Salesforce refused INSERT into object "Big__c": INVALIDENTITY: Entity 'Big__c' is not supported by the Bulk API\.$/, 'unless jobs were asked for');

# ---------- several jobs; a call that is throttled, a token that ends, answers that are lost ----------

$sf->sql("CREATE TABLE wide AS SELECT 'W' || n AS code, repeat(chr(65 + n % 26), 30000) AS long FROM generate_series(1, 1200) n");
$sf->control('reset');
$sf->control('fault', path => 'ingest', kind => $_->[0], skip => $_->[1]) foreach [ concurrent => 0 ], [ unavailable => 0 ], [ expire => 1 ];
$sf->control('fault', path => 'batches', kind => 'lose');
$sf->control('fault', path => 'ingest/\\w+$', kind => 'lose', skip => 1);
$run = $sf->move(%bulk, table => 'wide', map => { code => 'Code__c', long => 'Long__c' });
is(counts($run), 'Successful 1200 0', 'jobs of 36 MB, through throttling, an expired token and lost answers');
is(written('Thing__c', 'Code__c', '^W'), 1200, 'all of them');
is(scalar(grep { $sf->control('writes', value => "W$_") != 1 } 1, 500, 501, 600, 1000, 1200), 0, 'once');
my %states; $states{ $_->{state} }++ foreach grep { $_->{object} eq 'Thing__c' } jobs();
is($states{Aborted}, 1, 'the job whose upload was lost is aborted');
is($states{Open} // 0, 0, 'none is left open');

# ---------- records that are locked ----------

$sf->sql("CREATE TABLE locks AS SELECT 'L' || n AS code, 'y' AS name FROM generate_series(1, 10) n");
$sf->control('lock-for', values => ['L3'], times => 2);
$sf->control('lock-for', values => ['L7'], times => 99);
$run = $sf->move(%bulk, table => 'locks', map => { code => 'Code__c', name => 'Text__c' });
is(counts($run), 'Successful 10 1', 'a locked record is tried again');
is_deeply(errors($run, 'Code__c'), { L7 => 'UNABLE_TO_LOCK_ROW unable to obtain exclusive access to this record' }, 'though not for ever');
is($run->{errors}[0]{source}, 'record 7', 'and is known by its number still');

# ---------- jobs that fail ----------

$sf->control('ingest', batch => 4, fail => 'InternalServerError : something broke');
$sf->sql("CREATE TABLE fails AS SELECT 'M' || n AS code, CASE n WHEN 2 THEN repeat('x', 300) ELSE 'y' END AS name FROM generate_series(1, 10) n");
$run = $sf->move(%bulk, table => 'fails', map => { code => 'Code__c', name => 'Text__c' });
is(counts($run) . ' ' . written('Thing__c', 'Code__c', '^M'), 'Successful 10 7 3', 'a job that fails halfway');
my $unprocessed = 'UNPROCESSED Salesforce has not processed the record: the job failed: InternalServerError : something broke';
is_deeply(errors($run, 'Code__c'), { M2 => 'STRING_TOO_LONG Text: data value too large: ' . ('x' x 40) . ' (max length=255):Text__c', map { ("M$_" => $unprocessed) } 5 .. 10 }, 'tells of each record');
$sf->control('ingest', batch => 10000);
$sf->sql("UPDATE fails SET code = NULL");
$sf->control('remove-field', object => 'Thing__c', name => 'Secret__c');
$sf->control('fault', path => 'failedResults', kind => 'replace', from => "\n", to => "\n\"half");
$run = $sf->move(%bulk, table => 'fails', map => { code => 'Code__c', name => 'Text__c' }, operation => 'UPSERT', key => 'Code__c');
like($run->{message}, qr/^the list of records of job 750\w+, UPSERT into object "Thing__c" is not CSV: /, 'a list that is no CSV ends the run');

# ---------- runs that end early ----------

sub start { my ($name) = @_; return $sf->sql("SELECT appflow.start_flow('{\"flowName\": \"$name\"}') ->> 'executionId'"); }
sub cancel { my ($name, $id) = @_; $sf->sql("SELECT appflow.cancel_flow_executions('{\"flowName\": \"$name\", \"executionIds\": [\"$id\"]}')"); }
sub await { my ($what, $test) = @_; for (1 .. 600) { return if $test->(); select undef, undef, undef, 0.1; } fail("$what: waited for in vain"); }
sub ended { my ($name) = @_; await("the end of $name", sub { $sf->outcome($name)->{status} !~ /Progress|Cancel\w*Started/ }); return $sf->outcome($name); }

$sf->sql("CREATE TABLE cancelled AS SELECT 'P' || n AS code, 'y' AS name FROM generate_series(1, 10) n");
$sf->control('ingest', hold => 1);
my $name = $sf->create(%bulk, table => 'cancelled', map => { code => 'Code__c', name => 'Text__c' });
my $id = start($name);
await('a job', sub { grep { $_->{state} eq 'UploadComplete' } jobs() });
cancel($name, $id);
$run = ended($name);
is("$run->{status} $run->{processed}", 'Canceled 0', 'cancelled while the job waits');
is((jobs())[-1]{state}, 'Aborted', 'aborts the job');
is(written('Thing__c', 'Code__c', '^P'), 0, 'so that nothing is written');

$sf->control('ingest', hold => 0, holdAfter => 1, batch => 4);
$sf->control('reset');
$id = start($name);
await('half of a job', sub { grep { $_->{state} eq 'InProgress' && $_->{numberRecordsProcessed} == 4 } jobs() });
cancel($name, $id);
$run = ended($name);
is("$run->{status} $run->{processed} " . (jobs())[-1]{state}, 'Canceled 4 Aborted', 'cancelled halfway: what the job has written is counted');
like($run->{message}, qr/The destination keeps 4 records/, 'and told');
$sf->control('ingest', hold => 0, holdAfter => 0, batch => 10000);

$sf->control('ingest', hold => 1);
$sf->control('reset');
$id = start($name);
await('a job', sub { grep { $_->{state} eq 'UploadComplete' } jobs() });
$sf->sql("UPDATE cancelled SET code = 'Q' || code");
$sf->control('expire', for_good => 1);
$run = ended($name);
is($run->{status}, 'Error', 'no token is to be had any more');
like($run->{message}, qr/token|credentials|INVALID_SESSION_ID|Session expired/i, 'said so');

done_testing();
