# Salesforce to tables and files: every type of field, filters, pages.

use strict;
use warnings;

use AppflowTest::SalesforceRead;
use JSON::PP;
use Test::More;

my $sf = AppflowTest::SalesforceRead->new('salesforce_read');

# ---------- the first flow ----------

$sf->control('seed', object => 'Account', count => 7000, values => { Name => 'Account {n}', NumberOfEmployees => '{n}', Industry => 'Energy' });
my $run = $sf->pull(object => 'Account', fields => { Name => 'name', NumberOfEmployees => 'employees' }, columns => 'name text, employees int',
	filters => [ [ 'NumberOfEmployees', 'GREATER_THAN', DATA_TYPE => 'int', VALUE => '100' ] ]);
is("$run->{status} $run->{processed} $run->{failed}", 'Successful 6900 0', 'a flow to a table') or diag explain $run;
is($sf->sql("SELECT count(*) || ' ' || count(DISTINCT name) || ' ' || min(employees) || ' ' || max(employees) || ' ' || count(*) FILTER (WHERE name = 'Account ' || employees) FROM $run->{name}"),
	'6900 6900 101 7000 6900', 'with the right records, of four pages');
is_deeply([ $sf->queries ], [
	'SELECT COUNT() FROM Account WHERE NumberOfEmployees > 100',
	'SELECT NumberOfEmployees, Name FROM Account WHERE NumberOfEmployees > 100' ], 'what was asked');

done_testing();
