# Dates and times of filters that count from the moment at which the run begins.

use strict;
use warnings;

use AppflowTest::Flows;
use Test::More;

my $flows = AppflowTest::Flows->new('relative');
my $node = $flows->{node};

sub at { my ($expression) = @_; return $node->safe_psql('postgres', "SET timezone = 'UTC'; SELECT to_char(($expression)::timestamp, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"); }
sub day { return substr at(@_), 0, 10; }
my $now = q{timezone('UTC', now())};

# numbers of the values that a filter lets through
sub passes
{
	my ($name, $values, $operator, $properties, $expected) = @_;
	my $n = 0;
	my $run = $flows->move(input => join('', map { $n++; qq({"n":$n,"v":"$_"}\n) } @$values), tasks => [
		{ taskType => 'Filter', sourceFields => ['v'], connectorOperator => { S3 => $operator }, taskProperties => $properties },
		{ taskType => 'Map', sourceFields => ['n'], connectorOperator => { S3 => 'NO_OP' }, taskProperties => {} } ]);
	is(defined $run->{refused} ? "refused: $run->{refused}" : join(' ', map { /(\d+)/ } split /\n/, $run->{text}), $expected, $name) or diag($run->{message} // '');
	return $run;
}

my @ages = map { at("$now - interval '$_'") } '1 minute', '50 minutes', '70 minutes', '2 days', '6 days 23 hours', '7 days 1 hour', '400 days', '-1 hour';
my @type = (DATA_TYPE => 'datetime');
passes('the last week', \@ages, 'GREATER_THAN', { @type, VALUE => 'now - 7 days' }, '1 2 3 4 5 8');
passes('weeks', \@ages, 'GREATER_THAN', { @type, VALUE => 'now-1week' }, '1 2 3 4 5 8');
passes('the last hour', \@ages, 'GREATER_THAN_OR_EQUAL_TO', { @type, VALUE => 'NOW - 1 Hour' }, '1 2 8');
passes('what has been', \@ages, 'LESS_THAN', { @type, VALUE => 'now' }, '1 2 3 4 5 6 7');
passes('what is yet to come', \@ages, 'BETWEEN', { @type, LOWER_BOUND => ' now ', UPPER_BOUND => 'now + 2 hours' }, '8');
passes('between', \@ages, 'BETWEEN', { @type, LOWER_BOUND => 'now - 3 days', UPPER_BOUND => 'now - 3600 seconds' }, '3 4');
passes('several steps', \@ages, 'GREATER_THAN', { @type, VALUE => 'now - 2 hours + 70 minutes - 20 minutes' }, '1 2 8');
passes('a year', \@ages, 'LESS_THAN', { @type, VALUE => 'now - 1 year' }, '7');

my @edges = (at("date_trunc('day', $now)"), at("date_trunc('day', $now) - interval '1 s'"), at("date_trunc('day', $now) - interval '1 month'"), at("date_trunc('day', $now) - interval '1 month 1 s'"));
passes('today is its beginning', \@edges, 'GREATER_THAN_OR_EQUAL_TO', { @type, VALUE => 'today' }, '1');
passes('and months are those of the calendar', \@edges, 'GREATER_THAN_OR_EQUAL_TO', { @type, VALUE => 'today - 1 month' }, '1 2 3');

my @days = map { day("$now - interval '$_'") } '0 days', '1 day', '2 days', '-1 day';
passes('days', \@days, 'EQUAL_TO', { DATA_TYPE => 'date', VALUE => 'today' }, '1');
passes('of a date, now is the day', \@days, 'GREATER_THAN_OR_EQUAL_TO', { DATA_TYPE => 'date', VALUE => 'now - 1 day' }, '1 2 4');
passes('several', \@days, 'EQUAL_TO', { DATA_TYPE => 'date', VALUES => 'today - 2 days,today + 1 day' }, '3 4');
passes('none of several', \@days, 'NOT_EQUAL_TO', { DATA_TYPE => 'date', VALUES => '["today - 2 days", "today + 1 day"]' }, '1 2');

# what is no time is text
passes('text', [ 'now', 'today', 'now - 7 days' ], 'EQUAL_TO', { DATA_TYPE => 'string', VALUES => 'now,now - 7 days' }, '1 3');
passes('without a type', [ 'now', 'today' ], 'EQUAL_TO', { VALUE => 'today' }, '2');

# what cannot be understood is refused when the flow is made
foreach my $bad ('now -', 'now 7 days', 'now - days', 'now - 7', 'now - 7 fortnights', 'now - 7 daysago', 'today - 1001 years', 'now - 99999999999999999999 days', 'now - -7 days', 'now - 1.5 days', 'now + 1 day x',
	'now - 1 day - 1 day - 1 day - 1 day - 1 day')
{
	like(passes_refused($bad), qr/task 1.*"\Q$bad\E" is no time from now on: write for instance "now - 7 days"/, "no: $bad");
}
foreach my $bad ('nowadays', 'tomorrow', 'yesterday', '-7 days', 'nowhere - 1 day')
{
	like(passes_refused($bad), qr/"\Q$bad\E" is neither an ISO 8601 date and time nor epoch milliseconds/, "no word: $bad");
}
sub passes_refused
{
	my ($operand) = @_;
	my $run = $flows->move(input => "{}\n", tasks => [
		{ taskType => 'Filter', sourceFields => ['v'], connectorOperator => { S3 => 'GREATER_THAN' }, taskProperties => { @type, VALUE => $operand } },
		{ taskType => 'Map', sourceFields => ['v'], connectorOperator => { S3 => 'NO_OP' }, taskProperties => {} } ]);
	return $run->{refused} // 'not refused';
}

# the definition keeps the words, and each run counts anew
is($node->safe_psql('postgres', q{SELECT count(*) FROM appflow.flows f WHERE appflow.describe_flow(jsonb_build_object('flowName', f.flow_name)) #>> '{tasks,0,taskProperties,VALUE}' = 'today'}), 3, 'definitions keep what was said');

done_testing();
