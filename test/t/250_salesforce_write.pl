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

done_testing();
