# Joins along relationships of Salesforce are one query; all others are done here, and
# all give what they give of tables with the same rows.
use strict;
use warnings;

use AppflowTest::SalesforceRead;
use Test::More;

my $sf = AppflowTest::SalesforceRead->new('joins');
my @accounts = @{ $sf->control('put', object => 'Account', records => [ map { { Name => "Account $_" } } 1 .. 5 ]) };
$sf->control('put', object => 'Thing__c', records => [ map { {
	Code__c => sprintf('C%03d', $_), Int__c => $_ % 5 == 4 ? undef : $_ % 5, Text__c => "text $_",
	Account__c => $_ % 3 == 0 ? undef : $accounts[ $_ % @accounts ] } } 0 .. 39 ]);
$sf->sql(q{
	CREATE SERVER crm FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'crm');
	CREATE SCHEMA crm;
	IMPORT FOREIGN SCHEMA "Objects" LIMIT TO ("Thing__c", "Account") FROM SERVER crm INTO crm;
	CREATE SCHEMA here;
	CREATE TABLE here.thing__c AS SELECT * FROM crm.thing__c;
	CREATE TABLE here.account AS SELECT * FROM crm.account});

sub requests { my ($query) = @_; return scalar(() = $sf->sql("EXPLAIN $query") =~ /Remote Request/g); }

# query, requests
my @cases = (
	[ 'SELECT t.code__c, a.name FROM S.thing__c t JOIN S.account a ON a.id = t.account__c ORDER BY 1', 1 ],
	[ 'SELECT t.code__c, a.name FROM S.account a JOIN S.thing__c t ON t.account__c = a.id WHERE t.int__c > 1 ORDER BY 1', 1 ],
	[ 'SELECT t.code__c, a.name FROM S.thing__c t LEFT JOIN S.account a ON a.id = t.account__c ORDER BY 1', 1 ],
	[ "SELECT t.code__c FROM S.thing__c t JOIN S.account a ON a.id = t.account__c WHERE a.name = 'Account 2' ORDER BY 1", 1 ],
	[ "SELECT t.code__c FROM S.thing__c t JOIN S.account a ON a.id = t.account__c WHERE a.name > 'Account 2' ORDER BY 1", 1 ],
	[ "SELECT t.code__c, a.name FROM S.thing__c t LEFT JOIN S.account a ON a.id = t.account__c WHERE a.name IS NULL ORDER BY 1", undef ],
	[ "SELECT t.code__c, a.name FROM S.thing__c t LEFT JOIN S.account a ON a.id = t.account__c AND a.name = 'Account 1' ORDER BY 1", 2 ],
	[ 'SELECT t.code__c, a.name FROM S.thing__c t RIGHT JOIN S.account a ON a.id = t.account__c ORDER BY 1, 2', 2 ],
	[ 'SELECT t.code__c, a.name FROM S.thing__c t FULL JOIN S.account a ON a.id = t.account__c ORDER BY 1, 2', 2 ],
	[ 'SELECT t.code__c, a.name FROM S.thing__c t JOIN S.account a ON a.name = t.text__c ORDER BY 1', 2 ],
	[ 'SELECT count(*) FROM S.thing__c t JOIN S.account a ON a.id = t.account__c', undef ],
	[ 'SELECT a.name, count(*) FROM S.thing__c t JOIN S.account a ON a.id = t.account__c GROUP BY a.name ORDER BY 1', undef ],
	[ 'SELECT t.code__c, upper(a.name) FROM S.thing__c t JOIN S.account a ON a.id = t.account__c WHERE length(a.name) > 3 AND t.int__c = 1 ORDER BY 1', 1 ],
	[ 'SELECT t.int__c, t.code__c, a.name FROM S.thing__c t JOIN S.account a ON a.id = t.account__c WHERE t.int__c IS NOT NULL ORDER BY t.int__c, t.code__c LIMIT 3', undef ],
	[ 'SELECT t, a.name FROM S.thing__c t JOIN S.account a ON a.id = t.account__c ORDER BY t.code__c', undef ],
	[ 'SELECT t.code__c, u.code__c, a.name FROM S.thing__c t JOIN S.account a ON a.id = t.account__c JOIN S.thing__c u ON u.account__c = a.id AND u.int__c = t.int__c ORDER BY 1, 2', undef ],
	[ 'SELECT t.code__c FROM S.thing__c t WHERE EXISTS (SELECT FROM S.account a WHERE a.id = t.account__c) ORDER BY 1', undef ],
	[ 'SELECT t.code__c, a.name FROM S.thing__c t JOIN S.account a ON a.id = t.account__c ORDER BY 1 FOR UPDATE OF t', undef ]);
foreach my $case (@cases)
{
	my ($query, $requests) = @$case;
	(my $remote = $query) =~ s/S\./crm./g;
	(my $local = $query) =~ s/S\./here./g;
	$remote =~ s/ FOR UPDATE.*//;
	$local =~ s/ FOR UPDATE.*//;
	is($sf->sql($remote), $sf->sql($local), $query);
	is(requests($remote), $requests, "in $requests request" . ($requests > 1 ? 's' : '')) if defined $requests;
}
like($sf->sql('EXPLAIN VERBOSE SELECT t.code__c, a.name FROM crm.thing__c t JOIN crm.account a ON a.id = t.account__c'),
	qr/SELECT .*Account__r\.Name.* FROM Thing__c WHERE Account__c != null/, 'the query');

# conditions are pushed even when nobody knew the entity at plan time
$sf->sql('DELETE FROM appflow.connector_metadata');
$sf->control('reset');
is($sf->sql('SELECT code__c FROM crm.thing__c WHERE int__c = 3 ORDER BY 1'), $sf->sql('SELECT code__c FROM here.thing__c WHERE int__c = 3 ORDER BY 1'), 'an entity that is not known');
like(join("\n", $sf->queries), qr/FROM Thing__c WHERE Int__c = 3/, 'is asked with the conditions');

done_testing();
