# Filters as SOQL: what is asked, what is looked at again here, and that the records are
# those that the same filters find in a file.

use strict;
use warnings;
use utf8;

use AppflowTest::SalesforceRead;
use JSON::PP;
use Test::More;

my $json = JSON::PP->new->canonical->utf8;
my $sf = AppflowTest::SalesforceRead->new('salesforce_filters');
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

# ---------- records that are near to each other ----------

my @texts = ('abc', 'ABC', 'Abc', 'ab', "a'b", 'a"b', 'a\\b', 'a%b', 'a_b', 'axb', 'a\\%b', "line\nfeed", "tab\there", 'Grüße', 'GRÜSSE', 'grüße', '日本', '🎉 party', 'null', '0', undef);
my @moments = map { 1709626272345 + $_ } -1000, -345, -1, 0, 1, 654, 655, 86400000;
my @days = ('2024-02-28', '2024-02-29', '2024-03-01', '1700-01-01', '4000-12-31', undef);
my @numbers = (0, -0.5, 0.5, 1, 1.000001, -1, 99999999.25, 123456789012, undef);
my @ints = (0, 1, -1, 2, 7, 999999999, -999999999, undef);
my ($parent) = @{ $sf->control('put', object => 'Account', records => [ { Name => 'Parent' } ]) };
my ($other) = @{ $sf->control('put', object => 'Account', records => [ { Name => 'parent' } ]) };
srand(4711);
my @records = map {
	{ Code__c => sprintf('C%03d', $_), Text__c => $texts[ $_ % @texts ], Long__c => $texts[ ($_ * 7) % @texts ], Moment__c => $moments[ $_ % @moments ], Day__c => $days[ $_ % @days ],
		Number__c => $numbers[ $_ % @numbers ], Money__c => $numbers[ ($_ * 5) % @numbers ], Int__c => $ints[ $_ % @ints ], Flag__c => $_ % 3 ? $true : $false,
		Choice__c => (undef, 'Red', 'Green', 'Blue')[ $_ % 4 ], Open__c => (undef, 'Small', 'small', 'LARGE', 'Other')[ $_ % 5 ],
		Choices__c => (undef, 'Red', 'Red;Green', 'Dark Green', 'Dark Green;Blue')[ $_ % 5 ], Clock__c => (undef, '00:00:00.000Z', '12:30:00.000Z', '12:30:00.500Z')[ $_ % 4 ],
		Account__c => (undef, $parent, $other)[ $_ % 3 ] } } 0 .. 167;
$_->{Moment__c} = $_->{Code__c} =~ /5$/ ? undef : $_->{Moment__c} foreach @records;
$sf->control('put', object => 'Thing__c', records => \@records);

# ---------- one by one ----------

# what is asked (WHERE ...), and whether there is something left to do here
my $known;
sub asks
{
	my ($name, $filters, $where, $filtered) = @_;
	$sf->control('reset');
	my $run = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text', filters => $filters);
	my ($query) = grep { !/COUNT/ } $sf->queries;
	($query //= '') =~ s/^.* FROM Thing__c//;
	utf8::decode($query);
	is($query, $where eq '' ? '' : " WHERE $where", $name) or diag explain $run;
	is($run->{status} // $run->{refused}, 'Successful', "$name: runs") or diag $run->{message};
	is($run->{filtered} > 0 ? 1 : 0, $filtered, "$name: " . ($filtered ? 'some are' : 'nothing is') . ' filtered here') if defined $filtered;
	return $run;
}
sub one { my ($field, $operator, @properties) = @_; return [ [ $field, $operator, @properties ] ]; }

asks('text', one('Text__c', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'abc'), "Text__c = 'abc'", 1);
asks('without a type', one('Text__c', 'EQUAL_TO', VALUE => 'abc'), "Text__c = 'abc'", 1);
asks('quotes and backslashes', one('Text__c', 'EQUAL_TO', DATA_TYPE => 'string', VALUES => 'a\'b,a"b,a\\b'), q{Text__c IN ('a\\'b', 'a\\"b', 'a\\\\b')}, 0);
asks('a tab', one('Text__c', 'EQUAL_TO', DATA_TYPE => 'string', VALUES => "x,tab\there"), q{Text__c IN ('x', 'tab\\there')}, 0);
asks('other alphabets', one('Text__c', 'EQUAL_TO', DATA_TYPE => 'string', VALUES => '日本,🎉 party'), "Text__c IN ('日本', '🎉 party')", 0);
asks('a pattern', one('Text__c', 'CONTAINS', DATA_TYPE => 'string', VALUE => 'a%b'), q{(Text__c LIKE '%a\\%b%')}, 0);
asks('a pattern with a backslash', one('Text__c', 'CONTAINS', DATA_TYPE => 'string', VALUE => '\\%'), q{(Text__c LIKE '%_\\%%')}, undef);
asks('different text', one('Text__c', 'NOT_EQUAL_TO', DATA_TYPE => 'string', VALUE => 'abc'), 'Text__c != null', 1);
asks('order of text', one('Text__c', 'LESS_THAN', DATA_TYPE => 'string', VALUE => 'abc'), '', 1);
asks('text that cannot be', one('Text__c', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'x' x 256), 'Id = null', 0);
asks('text compared as numbers', one('Text__c', 'EQUAL_TO', DATA_TYPE => 'double', VALUE => '0'), '', undef);
asks('long text', one('Long__c', 'CONTAINS', DATA_TYPE => 'textarea', VALUE => 'abc'), '', 1);
asks('a choice', one('Choice__c', 'EQUAL_TO', DATA_TYPE => 'picklist', VALUES => 'Red,Blue'), "Choice__c IN ('Red', 'Blue')", 0);
asks('not a choice', one('Choice__c', 'NOT_EQUAL_TO', DATA_TYPE => 'picklist', VALUE => 'Red'), "(Choice__c != 'Red' AND Choice__c != null)", 0);
asks('a choice in other letters', one('Choice__c', 'EQUAL_TO', DATA_TYPE => 'picklist', VALUE => 'red'), "Choice__c = 'red'", 1);
asks('an open choice', one('Open__c', 'EQUAL_TO', DATA_TYPE => 'picklist', VALUE => 'Small'), "Open__c = 'Small'", 1);
asks('choices', one('Choices__c', 'CONTAINS', DATA_TYPE => 'multipicklist', VALUE => 'Green'), "Choices__c INCLUDES ('Green', 'Dark Green')", 0);
asks('a flag', one('Flag__c', 'EQUAL_TO', DATA_TYPE => 'boolean', VALUE => 'true'), 'Flag__c = true', 0);
asks('not a flag', one('Flag__c', 'NOT_EQUAL_TO', DATA_TYPE => 'boolean', VALUE => 'true'), 'Flag__c = false', 0);
asks('an integer', one('Int__c', 'GREATER_THAN', DATA_TYPE => 'int', VALUE => '-1'), 'Int__c > -1', 0);
asks('an integer and a fraction', one('Int__c', 'LESS_THAN', DATA_TYPE => 'double', VALUE => '0.5'), 'Int__c <= 0', 0);
asks('a negative fraction', one('Int__c', 'LESS_THAN', DATA_TYPE => 'double', VALUE => '-0.5'), 'Int__c < 0', 0);
asks('no integer', one('Int__c', 'EQUAL_TO', DATA_TYPE => 'double', VALUE => '0.5'), 'Id = null', 0);
asks('an integer beyond all', one('Int__c', 'LESS_THAN', DATA_TYPE => 'double', VALUE => '1e30'), 'Int__c != null', 0);
asks('a number', one('Number__c', 'GREATER_THAN_OR_EQUAL_TO', DATA_TYPE => 'double', VALUE => '1.0000010'), 'Number__c >= 1.000001', 0);
asks('between', one('Number__c', 'BETWEEN', DATA_TYPE => 'double', LOWER_BOUND => '-1', UPPER_BOUND => '1e0'), '(Number__c > -1 AND Number__c < 1)', 0);
asks('not a number', one('Number__c', 'NOT_EQUAL_TO', DATA_TYPE => 'double', VALUES => '1,0.5'), '(Number__c NOT IN (1, 0.5) AND Number__c != null)', 0);
asks('a day', one('Day__c', 'GREATER_THAN', DATA_TYPE => 'date', VALUE => '2024-02-28'), 'Day__c > 2024-02-28', 0);
asks('a day in milliseconds', one('Day__c', 'LESS_THAN', DATA_TYPE => 'date', VALUE => '1709164800000'), 'Day__c < 2024-02-29', 0);
asks('a day and a time', one('Day__c', 'LESS_THAN', DATA_TYPE => 'datetime', VALUE => '2024-02-29T12:00:00Z'), 'Day__c <= 2024-02-29', 0);
asks('a day before all', one('Day__c', 'GREATER_THAN', DATA_TYPE => 'date', VALUE => '0001-01-01'), 'Day__c != null', 0);
asks('a moment', one('Moment__c', 'LESS_THAN', DATA_TYPE => 'datetime', VALUE => '2024-03-05T09:11:12.345+01:00'), 'Moment__c < 2024-03-05T08:11:12.345Z', 0);
asks('a moment in milliseconds', one('Moment__c', 'EQUAL_TO', DATA_TYPE => 'datetime', VALUE => '1709626272345'), 'Moment__c = 2024-03-05T08:11:12.345Z', 0);
asks('up to a microsecond', one('Moment__c', 'LESS_THAN', DATA_TYPE => 'datetime', VALUE => '2024-03-05T08:11:12.345001Z'), 'Moment__c <= 2024-03-05T08:11:12.345Z', 0);
asks('from a microsecond on', one('Moment__c', 'GREATER_THAN_OR_EQUAL_TO', DATA_TYPE => 'datetime', VALUE => '2024-03-05T08:11:12.345001Z'), 'Moment__c > 2024-03-05T08:11:12.345Z', 0);
asks('a moment before 1970', one('Moment__c', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '1969-12-31T23:59:59.999999Z'), 'Moment__c > 1969-12-31T23:59:59.999Z', 0);
my $short = substr $parent, 0, 15;
my $run = asks('an id of 15 characters', one('Account__c', 'EQUAL_TO', DATA_TYPE => 'reference', VALUE => $short), "Account__c = '$parent'", 0);
is($run->{processed}, 56, 'is the one of 18');
asks('other ids', one('Account__c', 'NOT_EQUAL_TO', DATA_TYPE => 'reference', VALUES => "$parent,nonsense"), "(Account__c != '$parent' AND Account__c != null)", 0);
asks('no id', one('Account__c', 'EQUAL_TO', DATA_TYPE => 'reference', VALUE => 'nonsense'), 'Id = null', 0);
asks('along a relationship', one('Account__r.Name', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'Parent'), "Account__r.Name = 'Parent'", 1);
asks('several', [ [ 'Flag__c', 'EQUAL_TO', DATA_TYPE => 'boolean', VALUE => 'true' ], [ 'Text__c', 'LESS_THAN', DATA_TYPE => 'string', VALUE => 'b' ],
	[ 'Int__c', 'LESS_THAN', DATA_TYPE => 'int', VALUE => '5' ] ], 'Flag__c = true AND Int__c < 5', 1);

# longer than a URL can be
my @many = map { [ 'Code__c', 'EQUAL_TO', DATA_TYPE => 'string', VALUES => join(',', map { sprintf 'C%03d', $_ } $_ .. 399 + $_) ] } 0 .. 2;
push @many, [ 'Int__c', 'EQUAL_TO', DATA_TYPE => 'int', VALUE => '7' ];
$sf->control('reset');
$run = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text', filters => \@many);
is("$run->{status} $run->{processed}", 'Successful 21', 'too many texts for a URL') or diag explain $run;
is(join(' ', map { scalar(() = / IN \(/g) } $sf->queries), '2 2', 'those that fit are asked for');
$sf->control('reset');
$run = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text', filters => \@many, properties => { dataTransferApi => 'BULKV2' });
is("$run->{status} $run->{processed}", 'Successful 21', 'not too many for a job') or diag explain $run;

# ---------- at random: the same as in a file ----------

$run = $sf->pull(object => 'Thing__c', fields => [ 'Code__c', 'Text__c', 'Long__c', 'Moment__c', 'Day__c', 'Number__c', 'Money__c', 'Int__c', 'Flag__c', 'Choice__c', 'Open__c', 'Choices__c', 'Clock__c', 'Account__c' ], to => 'JSON');
is("$run->{status} $run->{processed}", 'Successful 168', 'all of them to a file') or diag explain $run;
mkdir "$sf->{root}/source/things";
open my $file, '>:raw', "$sf->{root}/source/things/all" or die;
print $file $run->{text};
close $file;

sub in_file
{
	my ($all) = @_;
	my $name = 'file' . ++$sf->{number};
	my $filters = [ grep { $_->[1] ne 'CONTAINS' } @$all ];
	$sf->sql(qq{CREATE TABLE public.$name ("Code__c" text)});
	my $definition = $json->encode({
		flowName => $name, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'S3', sourceConnectorProperties => { S3 => { bucketName => 'source', bucketPrefix => 'things', s3InputFormatConfig => { s3InputFileType => 'JSON' } } } },
		destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', destinationConnectorProperties => { CustomConnector => { entityName => "public.$name" } } } ],
		tasks => [ (map { my ($field, $operator, %properties) = @$_; { taskType => 'Filter', sourceFields => [$field], connectorOperator => { S3 => $operator }, taskProperties => \%properties } } @$filters),
			{ taskType => 'Map', sourceFields => ['Code__c'], destinationField => 'Code__c', connectorOperator => { S3 => 'NO_OP' }, taskProperties => {} } ] });
	$sf->sql("SELECT appflow.create_flow(\$definition\$$definition\$definition\$)");
	$sf->{node}->psql('postgres', "CALL appflow.run_flow('$name')");
	my $outcome = $sf->outcome($name);
	my @found = split / /, $sf->sql("SELECT string_agg(\"Code__c\", ' ' ORDER BY \"Code__c\") FROM public.$name");

	# S3 has no such operator
	my %record = map { $_->{Code__c} => $_ } @records;
	foreach my $filter (grep { $_->[1] eq 'CONTAINS' } @$all)
	{
		@found = grep { index($record{$_}{ $filter->[0] } // '', $filter->[5]) >= 0 } @found;
	}
	return join ' ', $outcome->{status}, @found;
}

sub pick { return $_[ int rand @_ ]; }
my @comparisons = ('EQUAL_TO', 'NOT_EQUAL_TO', 'LESS_THAN', 'GREATER_THAN', 'LESS_THAN_OR_EQUAL_TO', 'GREATER_THAN_OR_EQUAL_TO', 'BETWEEN');
my %kinds = (
	Text__c => [ 'string', sub { pick(grep { defined && !/[,\n]/ } @texts, 'AB', 'b', 'zz') }, 'CONTAINS' ],
	Long__c => [ 'string', sub { pick(grep { defined && !/[,\n]/ } @texts) }, 'CONTAINS' ],
	Code__c => [ 'string', sub { sprintf 'C%03d', rand 200 }, 'CONTAINS' ],
	Choice__c => [ 'picklist', sub { pick('Red', 'Green', 'Blue', 'red', 'Mauve') }, 'CONTAINS' ],
	Open__c => [ 'picklist', sub { pick('Small', 'small', 'SMALL', 'Large', 'Other') }, 'CONTAINS' ],
	Choices__c => [ 'multipicklist', sub { pick('Red', 'Green', 'Dark', 'een', 'Red;Green', 'green') }, 'CONTAINS' ],
	Int__c => [ 'int', sub { pick(0, 1, -1, 2, 3, 7, 999999999, '1e20') } ],
	Number__c => [ 'double', sub { pick(0, -0.5, 0.5, 1, '1.000001', '1.0000009', '1.0000011', -1, '99999999.25', '1e3', '-1e40', '1.00000000000000000000001') } ],
	Money__c => [ 'currency', sub { pick(0, 0.5, 1, '123456789012') } ],
	Day__c => [ 'date', sub { pick('2024-02-28', '2024-02-29', '2024-03-01', '1699-12-31', '0001-01-01', '4001-01-01') } ],
	Moment__c => [ 'datetime', sub { my $ms = pick(@moments); pick($ms, iso($ms, ''), iso($ms, '001'), iso($ms - 1, '999'), '1000-01-01T00:00:00Z', '9999-01-01T00:00:00Z') } ],
	Account__c => [ 'reference', sub { pick($parent, $other, lc $parent, 'x') } ],
);
sub iso
{
	my ($ms, $micros) = @_;
	my ($s, $m, $h, $d, $mo, $y) = gmtime int($ms / 1000);
	return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%03d%sZ', $y + 1900, $mo + 1, $d, $h, $m, $s, $ms % 1000, $micros;
}
sub random_filter
{
	my $field = pick(sort keys %kinds, 'Flag__c');
	return [ $field, pick('EQUAL_TO', 'NOT_EQUAL_TO'), DATA_TYPE => 'boolean', VALUE => pick('true', 'false') ] if $field eq 'Flag__c';
	my ($type, $value, @more) = @{ $kinds{$field} };
	my $operator = pick(@comparisons, @more, @more);
	return [ $field, $operator, DATA_TYPE => $type, LOWER_BOUND => $value->() . '', UPPER_BOUND => $value->() . '' ] if $operator eq 'BETWEEN';
	return [ $field, $operator, DATA_TYPE => $type, VALUES => join ',', map { $value->() } 1 .. 1 + rand 3 ] if $operator =~ /EQUAL_TO$/ && $operator !~ /OR/;
	return [ $field, $operator, DATA_TYPE => $type, VALUE => $value->() . '' ];
}

my ($same, $pushed, $found) = (0, 0, 0);
my $rounds = $ENV{SALESFORCE_ROUNDS} || 50;
foreach my $round (1 .. $rounds)
{
	my $filters = [ map { random_filter() } 1 .. pick(1, 1, 2) ];
	$sf->control('reset');
	my $there = $sf->pull(object => 'Thing__c', fields => ['Code__c'], columns => '"Code__c" text', filters => $filters, properties => { dataTransferApi => pick('AUTOMATIC', 'REST_SYNC', 'BULKV2') });
	my $here = in_file($filters);
	my $got = join ' ', $there->{status} // $there->{refused},
	  exists $there->{rows} ? split / /, $sf->sql("SELECT string_agg(\"Code__c\", ' ' ORDER BY \"Code__c\") FROM public.$there->{name}") : ();
	$pushed++ if grep { /WHERE/ } $sf->queries;
	$found++ if $got =~ /C\d/;
	if ($got eq $here) { $same++ }
	else { diag "round $round: ", $json->encode($filters), "\n", join("\n", $sf->queries), "\nSalesforce: $got $there->{message}\nfile:       $here" }
}
is($same, $rounds, 'filters at random find the same in Salesforce and in a file');
cmp_ok($pushed, '>', $rounds / 2, 'most are asked of Salesforce');
cmp_ok($found, '>', $rounds / 3, 'many find something');

done_testing();
