# Tables to Salesforce by sObject Collections: each write operation, what is refused, and
# what may not be done twice.

use strict;
use warnings;

use AppflowTest::SalesforceWrite;
use Test::More;

my $sf = AppflowTest::SalesforceWrite->new('salesforce_write');

# "code message" of the error file, by record's field
sub errors { my ($run, $field) = @_; return { map { $_->{record}{$field} // '' => "$_->{errorCode} $_->{errorMessage}" } @{ $run->{errors} } }; }

# ---------- INSERT ----------

$sf->sql(q{
	CREATE TABLE things (code text, name text, flag boolean, n integer, number numeric, money numeric, day date,
		moment timestamptz, clock time, choice text, long text);
	INSERT INTO things VALUES
		('A1', 'Grün "and" \ back', true, -5, 12345678.123456, 0.01, '2024-02-29', '2024-03-05 10:11:12.345678+02', '23:59:59.5', 'Red', E'line\r\nline\ttab'),
		('A2', NULL, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
		('A3', '', true, 7, 1e3, -1.5, '1999-12-31', '1969-12-31 23:59:59.999Z', '00:00:00', 'Mauve', ''),
		('A4', 'left out', true, 1, 1, 1, NULL, NULL, NULL, 'Red', '')});
my %map = (code => 'Code__c', name => 'Text__c', flag => 'Flag__c', n => 'Int__c', number => 'Number__c', money => 'Money__c', day => 'Day__c',
	moment => 'Moment__c', clock => 'Clock__c', choice => 'Choice__c', long => 'Long__c');
my $run = $sf->move(table => 'things', object => 'Thing__c', map => \%map,
	filters => [ [ 'code', 'NOT_EQUAL_TO', DATA_TYPE => 'string', VALUE => 'A4' ] ]);
is("$run->{status} $run->{processed} $run->{filtered} $run->{failed}", 'Successful 3 0 1', 'inserted, but one') or diag explain $run;
my $kept = $sf->records('Thing__c', 'Code__c');
is_deeply([ sort keys %$kept ], [ 'A1', 'A2' ], 'those records');
is_deeply([ @{ $kept->{A1} }{qw(Text__c Flag__c Int__c Number__c Money__c Day__c Moment__c Clock__c Choice__c Long__c)} ],
	[ "Gr\x{fc}n \"and\" \\ back", JSON::PP::true, -5, 12345678.123456, 0.01, '2024-02-29', 1709626272345, '23:59:59.500Z', 'Red', "line\r\nline\ttab" ], 'values of every type');
is_deeply([ @{ $kept->{A2} }{qw(Text__c Flag__c Int__c Moment__c)} ], [ undef, JSON::PP::false, undef, undef ], 'nulls');
is_deeply(errors($run, 'Code__c'), { A3 => 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST Choice: bad value for restricted picklist field: Mauve' }, 'what is refused, with why');
is($run->{errors}[0]{source}, 'record 3', 'and which');
is(scalar($sf->seen(qr{^POST /services/data/v58.0/composite/sobjects$})), 1, 'in one request');


# ---------- throttled, and a token that ends ----------

sub numbered { my ($name, $first, $last) = @_; $sf->sql("CREATE TABLE $name AS SELECT 'B' || n AS code, 'x' || n AS name FROM generate_series($first, $last) n"); }
my %pair = (code => 'Code__c', name => 'Text__c');
sub written { my ($pattern) = @_; return $sf->control('count', object => 'Thing__c', field => 'Code__c', pattern => $pattern); }
sub counts { my ($run) = @_; return "$run->{status} $run->{processed} $run->{failed}"; }
my $composite = qr{ /services/data/v58.0/composite/sobjects};

numbered('many', 1, 501);
$sf->control('reset');
$sf->control('fault', path => 'composite', kind => $_->[0], skip => $_->[1]) foreach [ concurrent => 1 ], [ unavailable => 1 ], [ expire => 1 ];
$run = $sf->move(table => 'many', object => 'Thing__c', map => \%pair, api => 'REST_SYNC');
is(counts($run), 'Successful 501 0', 'throttled, unavailable, token expired: all are written');
is(written('^B'), 501, 'each of them');
is(scalar(grep { $sf->control('writes', value => "B$_") != 1 } 1, 200, 201, 401, 501), 0, 'once');
is(scalar($sf->seen($composite)), 6, 'in three requests, and three again');

# ---------- an answer that is lost ----------

$sf->sql("CREATE TABLE lost AS SELECT 'C' || n AS code, 'y' AS name FROM generate_series(1, 450) n");
$sf->control('reset');
$sf->control('fault', path => 'composite', kind => 'cut', skip => 1);
$run = $sf->move(table => 'lost', object => 'Thing__c', map => \%pair, api => 'REST_SYNC');
is(counts($run), 'Successful 450 200', 'an insert whose answer is lost is not repeated');
is(written('^C'), 450, 'though all was done');
is(scalar(grep { $sf->control('writes', value => "C$_") != 1 } 200, 201, 400, 401), 0, 'nothing twice');
is_deeply({ map { ("$_->{errorCode} $_->{errorMessage}" => 1) } @{ $run->{errors} } },
	{ 'UNKNOWN_OUTCOME it is not known whether Salesforce has created the record: the connection broke before its answer came' => 1 }, 'and reported as what it is');
is_deeply([ map { $_->{record}{Code__c} } @{ $run->{errors} }[ 0, 199 ] ], [ 'C201', 'C400' ], 'the records of that request');

$sf->sql("UPDATE lost SET name = 'z'");
$sf->control('reset');
$sf->control('fault', path => 'composite', kind => 'cut', skip => 1);
$run = $sf->move(table => 'lost', object => 'Thing__c', map => \%pair, operation => 'UPSERT', key => 'Code__c', api => 'REST_SYNC');
is(counts($run), 'Successful 450 0', 'an upsert is repeated');
is(written('^C'), 450, 'to no harm');
is(scalar(grep { ($_->{Text__c} // '') eq 'z' } values %{ $sf->records('Thing__c', 'Code__c') }), 450, 'all are changed');

# ---------- UPSERT ----------

$sf->sql(q{
	CREATE TABLE changes (n serial, code text, name text, choice text, int integer);
	INSERT INTO changes (code, name, choice, int) VALUES ('C1', 'first', 'Red', 1), ('D1', 'new', 'Blue', 2), ('C1', 'second', NULL, 3),
		(NULL, 'no key', NULL, 4), ('C2', NULL, 'Green', NULL), ('C3', 'bad', 'Mauve', 5), ('c2', 'other case', 'Red', 6), ('C1', 'third', 'Blue', 7)});
$run = $sf->move(table => 'changes', object => 'Thing__c', map => { code => 'Code__c', name => 'Text__c', choice => 'Choice__c', int => 'Int__c' }, operation => 'UPSERT', key => 'Code__c');
is(counts($run), 'Successful 8 2', 'upsert');
$kept = $sf->records('Thing__c', 'Code__c');
is_deeply([ map { [ @{ $kept->{$_} }{qw(Text__c Choice__c Int__c)} ] } qw(C1 C2 C3 D1 c2) ],
	[ [ 'third', 'Blue', 7 ], [ undef, 'Green', undef ], [ 'z', undef, undef ], [ 'new', 'Blue', 2 ], [ 'other case', 'Red', 6 ] ], 'the last of a key stays, null empties, what is refused is as it was');
is_deeply(errors($run, 'Code__c'), {
		'' => 'MISSING_ARGUMENT Code__c is empty, which identifies the record',
		C3 => 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST Choice: bad value for restricted picklist field: Mauve' }, 'what is refused');

# ---------- parents by external id ----------

$sf->control('put', object => 'Account', records => [ { Name => 'Parent', External_Id__c => 'P1' }, { Name => 'Other', External_Id__c => 'P2' } ]);
$sf->sql(q{
	CREATE TABLE people (last text, parent text, email text);
	INSERT INTO people VALUES ('Ahrens', 'P1', 'a@example.com'), ('Brandt', NULL, NULL), ('Claus', 'P3', NULL), (NULL, 'P2', NULL), ('Dorn', 'P2', 'no address')});
$run = $sf->move(table => 'people', object => 'Contact', map => { last => 'LastName', parent => 'Account.External_Id__c', email => 'Email' });
is(counts($run), 'Successful 5 3', 'contacts');
my $people = $sf->records('Contact', 'LastName');
my $accounts = $sf->records('Account', 'External_Id__c');
is_deeply([ map { $people->{$_}{AccountId} } qw(Ahrens Brandt) ], [ $accounts->{P1}{Id}, undef ], 'of an account that is named by its external id');
is_deeply(errors($run, 'LastName'), {
		'' => 'REQUIRED_FIELD_MISSING Required fields are missing: [LastName]',
		Claus => 'INVALID_FIELD Foreign key external ID: P3 not found for field External_Id__c in entity Account',
		Dorn => 'INVALID_EMAIL_ADDRESS Email: invalid email address: no address' }, 'what is refused, each with why');

# ---------- UPDATE ----------

my ($ahrens, $brandt) = map { $people->{$_}{Id} } qw(Ahrens Brandt);
(my $unknown = $ahrens) =~ s/^(.{14})./${1}z/;
$sf->sql(qq{
	CREATE TABLE moves (id text, parent text, day date);
	INSERT INTO moves VALUES ('$ahrens', NULL, '2000-02-29'), ('} . substr($brandt, 0, 15) . qq{', 'P2', NULL), ('$unknown', NULL, NULL), ('a,b&c', NULL, NULL), (NULL, NULL, NULL),
		('$ahrens', 'P2', '20000-01-01')});
$run = $sf->move(table => 'moves', object => 'Contact', map => { id => 'Id', parent => 'Account.External_Id__c', day => 'Birthdate' }, operation => 'UPDATE', key => 'Id');
is(counts($run), 'Successful 6 4', 'update');
$people = $sf->records('Contact', 'LastName');
is_deeply([ map { [ @{ $people->{$_} }{qw(AccountId Birthdate)} ] } qw(Ahrens Brandt) ], [ [ undef, '2000-02-29' ], [ $accounts->{P2}{Id}, undef ] ], 'null takes a parent away');
is_deeply([ sort map { $_->{errorCode} } @{ $run->{errors} } ], [qw(INVALID_CROSS_REFERENCE_KEY JSON_PARSER_ERROR MALFORMED_ID MISSING_ARGUMENT)], 'what is refused');
like((grep { $_->{errorCode} eq 'JSON_PARSER_ERROR' } @{ $run->{errors} })[0]{errorMessage}, qr/Cannot deserialize instance of date from VALUE_STRING value 20000-01-01/, 'a value that spoils the request of all is found');

# ---------- records that are locked ----------

$sf->sql("CREATE TABLE locks AS SELECT 'E' || n AS code, 'y' AS name FROM generate_series(1, 10) n");
$sf->control('lock-for', values => ['E3'], times => 2);
$sf->control('lock-for', values => ['E7'], times => 99);
$run = $sf->move(table => 'locks', object => 'Thing__c', map => \%pair);
is(counts($run), 'Successful 10 1', 'a locked record is tried again');
is_deeply(errors($run, 'Code__c'), { E7 => 'UNABLE_TO_LOCK_ROW unable to obtain exclusive access to this record' }, 'though not for ever');
is(written('^E'), 9, 'all others are written');

# ---------- DELETE ----------

$sf->sql('CREATE TABLE gone (id text, code text)');
$kept = $sf->records('Thing__c', 'Code__c');
$sf->sql('INSERT INTO gone VALUES ' . join ',', map { "('$kept->{$_}{Id}', '$_')" } sort grep { /^[BC]/ } keys %$kept);
my $before = written('^B');
$sf->control('reset');
$sf->control('fault', path => 'composite', kind => 'cut', skip => 1);
$run = $sf->move(table => 'gone', object => 'Thing__c', map => { id => 'Id', code => 'Code__c' }, operation => 'DELETE', key => 'Id',
	filters => [ [ 'code', 'CONTAINS', DATA_TYPE => 'string', VALUE => 'C' ] ]);
is(counts($run), 'Successful 450 0', 'delete, with an answer that is lost');
is_deeply([ written('^C'), written('^B') ], [ 0, $before ], 'those, and no others');
$run = $sf->move(table => 'gone', object => 'Thing__c', map => { id => 'Id', code => 'Nonsense' }, operation => 'DELETE', key => 'Id',
	filters => [ [ 'code', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'C7' ] ]);
is("$run->{status} $run->{message}", 'Error all 1 records failed; the first: record 1: entity is deleted', 'what somebody has deleted before is told');

# ---------- a run that ends early ----------

$sf->sql("CREATE TABLE early AS SELECT 'F' || n AS code, CASE n WHEN 301 THEN repeat('x', 300) ELSE 'y' END AS name FROM generate_series(1, 600) n");
$run = $sf->move(table => 'early', object => 'Thing__c', map => \%pair, api => 'REST_SYNC', stop => 1);
is("$run->{status} " . written('^F'), 'Error 399', 'the first refusal ends the run');
like($run->{message}, qr/record 301: Text: data value too large: .* \(The destination keeps 399 records that were written before\.\)/, 'which tells of it, and of what is kept') or diag $run->{message};
$sf->sql("CREATE TABLE daily AS SELECT 'G' || n AS code, 'y' AS name FROM generate_series(1, 600) n");
$sf->control('reset');
$sf->control('fault', path => 'composite', kind => 'daily', skip => 1);
$run = $sf->move(table => 'daily', object => 'Thing__c', map => \%pair, api => 'REST_SYNC');
is("$run->{status} " . written('^G'), 'Error 200', 'the requests of the day are used up');
like($run->{message}, qr/TotalRequests Limit exceeded.*keeps 200 records/, 'said so') or diag $run->{message};

# cancelled while a request is under way: what it did is counted
$sf->sql("CREATE TABLE cancelled AS SELECT 'H' || n AS code, 'y' AS name FROM generate_series(1, 600) n");
$sf->control('reset');
$sf->control('fault', path => 'composite', kind => 'slow', delay => 2000, skip => 1);
my $name = $sf->create(table => 'cancelled', object => 'Thing__c', map => \%pair, api => 'REST_SYNC');
my $id = $sf->sql("SELECT appflow.start_flow('{\"flowName\": \"$name\"}') ->> 'executionId'");
for (1 .. 300) { last if $sf->seen($composite) >= 2; select undef, undef, undef, 0.1; }
$sf->sql("SELECT appflow.cancel_flow_executions('{\"flowName\": \"$name\", \"executionIds\": [\"$id\"]}')");
for (1 .. 300) { last if $sf->outcome($name)->{status} !~ /Progress|Cancel\w*Started/; select undef, undef, undef, 0.1; }
$run = $sf->outcome($name);
is("$run->{status} $run->{processed}", 'Canceled 400', 'a cancelled run counts what the last request did');
is(written('^H'), 400, 'which is true');

# ---------- what cannot be ----------

$sf->sql("CREATE TABLE nothing (a text, b text); INSERT INTO nothing VALUES ('1', '2')");
$sf->control('reset');
foreach my $wrong (
	[ { map => { a => 'Nonsense__c' } }, 'Salesforce object "Thing__c" has no field "Nonsense__c"' ],
	[ { map => { a => 'CreatedDate' } }, 'field "CreatedDate" of Salesforce object "Thing__c" cannot be set by INSERT' ],
	[ { map => { a => 'Id' } }, 'field "Id" of Salesforce object "Thing__c" cannot be set by INSERT' ],
	[ { map => { a => 'Code__c', b => 'code__c' } }, 'field "Code__c" of Salesforce object "Thing__c" is written twice' ],
	[ { map => { a => 'Text__c', b => 'Name' }, operation => 'UPSERT', key => 'Text__c' }, 'field "Text__c" of Salesforce object "Thing__c" is not an external id' ],
	[ { map => { a => 'Id', b => 'Code__c' }, operation => 'UPSERT', key => 'Code__c' }, 'field "Id" of Salesforce object "Thing__c" cannot be set by UPSERT' ],
	[ { map => { a => 'Account__r.Name' } }, 'field "Account__r.Name" cannot be written: "Name" does not identify a record of "Account"' ],
	[ { map => { a => 'Account__r.External_Id__c', b => 'Nobody__r.X__c' } }, 'Salesforce object "Thing__c" has no field "Nobody__r.X__c"' ],
	[ { object => 'Nothing__c', map => { a => 'Name' } }, 'Salesforce refused entity "Nothing__c": NOT_FOUND: The requested resource does not exist' ])
{
	$run = $sf->move(table => 'nothing', object => 'Thing__c', %{ $wrong->[0] });
	is("$run->{status} $run->{message}", "Error $wrong->[1]", "not: $wrong->[1]");
}
is(scalar($sf->seen($composite)), 0, 'nothing of that has sent a record');

# what can be known when the flow is made
foreach my $wrong (
	[ { map => { a => 'Code__c' }, operation => 'UPDATE', key => 'Code__c' }, 'UPDATE in Salesforce goes by "Id"' ],
	[ { map => { a => 'Code__c' }, operation => 'DELETE', key => 'Code__c' }, 'DELETE in Salesforce goes by "Id"' ],
	[ { map => { a => 'Id', b => 'Name' }, operation => 'UPSERT', key => 'Id' }, 'UPSERT in Salesforce goes by "Id" only with the dataTransferApi BULKV2' ])
{
	$run = $sf->move(table => 'nothing', object => 'Thing__c', %{ $wrong->[0] });
	is("$run->{status} $run->{message}", "refused Create Flow request failed: [destinationFlowConfigList.1.destinationConnectorProperties.Salesforce.idFieldNames: $wrong->[1]]", "refused: $wrong->[1]");
}

done_testing();
