# Due times of schedule expressions against a slow implementation of its own:
# ten years of days, and random expressions minute by minute.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX qw(floor);
use Test::More;
use Time::Local qw(timegm_modern);

my $node = PostgreSQL::Test::Cluster->new('schedule');
$node->init;
# times are instants: the server's own time zone, with its daylight saving, must not matter
$node->append_conf('postgresql.conf', "timezone = 'America/New_York'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');

sub times_of
{
	my ($expression, $start, $end, $limit) = @_;
	return $node->safe_psql('postgres', sprintf(
		q{SELECT coalesce(string_agg(extract(epoch FROM t)::numeric(20, 0)::text, ' ' ORDER BY t), '')
		  FROM appflow.schedule_times('%s', to_timestamp(%s), to_timestamp(%s), %s) t},
		$expression, $start, $end, $limit // 2_000_000));
}

# ---------- the other implementation: is this minute due? ----------

my %month = do { my $n = 0; map { $_ => ++$n } qw(JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC) };
my %weekday = do { my $n = 0; map { $_ => ++$n } qw(SUN MON TUE WED THU FRI SAT) };
my @range = ([0, 59], [0, 23], [1, 31], [1, 12], [1, 7], [1970, 2199]);

sub number { my ($text) = @_; return $month{ uc $text } // $weekday{ uc $text } // $text }

# numeric items only
sub in_item
{
	my ($item, $value, $field) = @_;
	my ($low, $high) = @{ $range[$field] };
	my ($span, $step) = split m{/}, $item;
	my ($from, $to);
	if ($span eq '*') { ($from, $to) = ($low, $high) }
	else
	{
		($from, $to) = map { number($_) } split /-/, $span;
		$to //= defined $step ? $high : $from;
	}
	$step //= 1;
	for (my $n = 0, my $at = $from;; $n++)
	{
		return 1 if $n % $step == 0 && $at == $value;
		return 0 if $at == $to;
		$at = $at == $high ? $low : $at + 1;
	}
}

sub month_length
{
	my ($year, $month) = @_;
	my ($y, $m) = $month == 12 ? ($year + 1, 1) : ($year, $month + 1);
	return (gmtime(timegm_modern(0, 0, 0, 1, $m - 1, $y) - 43200))[3];
}

sub dow { my ($year, $month, $day) = @_; return (gmtime timegm_modern(0, 0, 12, $day, $month - 1, $year))[6] + 1 }

sub nearest
{
	my ($year, $month, $n) = @_;
	my $last = month_length($year, $month);
	return 0 if $n > $last;
	foreach my $distance (0, -1, 1, -2, 2)
	{
		my $day = $n + $distance;
		next if $day < 1 || $day > $last;
		my $dow = dow($year, $month, $day);
		return $day if $dow != 1 && $dow != 7;
	}
	die;
}

sub day_item
{
	my ($item, $year, $month, $day) = @_;
	my $last = month_length($year, $month);
	return $day == $last if uc $item eq 'L';
	return $day == nearest($year, $month, $last) if uc $item eq 'LW';
	return $day == $last - $1 if $item =~ /^L-(\d+)$/i;
	return $day == nearest($year, $month, $1) if $item =~ /^(\d+)W$/i;
	return in_item($item, $day, 2);
}

sub weekday_item
{
	my ($item, $year, $month, $day) = @_;
	my $dow = dow($year, $month, $day);
	return $dow == 7 if uc $item eq 'L';
	return $dow == number($1) && $day > month_length($year, $month) - 7 if $item =~ /^(\d|FRI)L$/i;
	return $dow == number($1) && floor(($day + 6) / 7) == $2 if $item =~ /^(\w+)#(\d)$/;
	return in_item($item, $dow, 4);
}

sub day_matches
{
	my ($f, $t) = @_;
	my ($day, $month, $year) = (gmtime $t)[3, 4, 5];
	($month, $year) = ($month + 1, $year + 1900);
	return 0 unless grep { in_item($_, $year, 5) } split /,/, $f->[5];
	return 0 unless grep { in_item($_, $month, 3) } split /,/, $f->[3];
	return scalar(grep { weekday_item($_, $year, $month, $day) } split /,/, $f->[4]) if $f->[2] eq '?';
	return scalar grep { day_item($_, $year, $month, $day) } split /,/, $f->[2];
}

sub brute_force
{
	my ($expression, $start, $end) = @_;
	my ($inside) = $expression =~ /^cron\((.*)\)$/ or die $expression;
	my $f = [ split ' ', $inside ];
	my @minutes = grep {
		my $m = $_;
		(grep { in_item($_, $m % 60, 0) } split /,/, $f->[0]) && (grep { in_item($_, int($m / 60), 1) } split /,/, $f->[1])
	} 0 .. 1439;
	my @found;
	for (my $day = $start - $start % 86400; $day <= $end; $day += 86400)
	{
		next unless day_matches($f, $day);
		push @found, grep { $_ >= $start && $_ <= $end } map { $day + 60 * $_ } @minutes;
	}
	return join ' ', @found;
}

# ---------- ten years, leap day of 2028 and all ends of months ----------

my $start = timegm_modern(0, 0, 0, 1, 0, 2024);
my $end = timegm_modern(0, 0, 0, 1, 0, 2034);
foreach my $expression (
	'cron(0 10 * * ? *)', 'cron(15 12 * * ? *)', 'cron(0 18 ? * MON-FRI *)', 'cron(0 8 1 * ? *)',
	'cron(0 9 ? * 2#1 *)', 'cron(30 23 L * ? *)', 'cron(0 0 L-3 * ? *)', 'cron(0 0 LW * ? *)',
	'cron(5 4 15W * ? *)', 'cron(5 4 1W * ? *)', 'cron(5 4 31W * ? *)', 'cron(1,2 3 1W,15W,L * ? *)',
	'cron(0 0 29 2 ? *)', 'cron(0 0 29 FEB ? 2028-2032/4)', 'cron(0 0 31 * ? *)', 'cron(0 12 ? * 6L *)',
	'cron(0 12 ? * FRIL *)', 'cron(0 12 ? * L *)', 'cron(0 12 ? * 1#5 *)', 'cron(0 12 ? * FRI-MON *)',
	'cron(59 23 31 DEC ? *)', 'cron(0/30 22-2 1/10 JAN-JUN/2 ? 2025,2027)', 'cron(0 2 ? MAR,NOV SUN#2 *)',
	'cron(7-11/2,40 */6 L,1 * ? *)', 'cron(0 0 ? 9-2 tue#3 *)')
{
	my $expected = brute_force($expression, $start, $end);
	my $got = times_of($expression, $start, $end);
	my $count = () = $expected =~ /\d+/g;
	ok($count > 0 && $got eq $expected, "$expression: $count times in ten years")
	  or diag(substr($got, 0, 200), "\n", substr($expected, 0, 200));
}

# ---------- random expressions ----------

srand($ENV{SCHEDULE_SEED} // 20261122);
sub pick { return $_[ rand @_ ] }
sub item
{
	my ($field) = @_;
	my ($low, $high) = $field == 5 ? (2024, 2033) : @{ $range[$field] };
	my $value = sub { $low + int rand($high - $low + 1) };
	my ($a, $b) = sort { $a <=> $b } $value->(), $value->();
	return pick('*', "$a", "$a", "$a-$b", "*/" . (1 + int rand 7), "$a/" . (1 + int rand 7), "$a-$b/" . (1 + int rand 5));
}
sub list { my ($field) = @_; return join ',', map { item($field) } 1 .. 1 + int rand 2 }

my $wrong = 0;
foreach (1 .. 80)
{
	my ($day, $weekday) = ('?', '?');
	if (rand() < 0.5)
	{
		$day = pick(list(2), list(2), 'L', 'LW', 'L-' . int rand 31, (1 + int rand 31) . 'W', '*');
	}
	else
	{
		$weekday = pick(list(4), list(4), 'L', (1 + int rand 7) . 'L', (1 + int rand 7) . '#' . (1 + int rand 5), 'MON-WED');
	}
	my $expression = sprintf 'cron(%s %s %s %s %s %s)', list(0), list(1), $day, list(3), $weekday, pick('*', '*', list(5));
	my $from = $start + int rand(9 * 365 * 86400);
	my $to = $from + 90 * 86400;
	next if times_of($expression, $from, $to) eq brute_force($expression, $from, $to);
	$wrong++;
	diag("$expression from $from");
}
is($wrong, 0, 'random expressions over random months are due when they should be');

# ---------- rates ----------

my $spring = timegm_modern(30, 15, 17, 7, 2, 2026);		# the day before New York's clocks change
is(times_of('rate(1 day)', $spring, $spring + 10 * 86400), join(' ', map { $spring + $_ * 86400 } 0 .. 10),
	'a day is 24 hours, whatever clocks on walls do');
foreach my $rate ([ 'rate(5minutes)', 300 ], [ 'rate( 1  minute )', 60 ], [ 'RATE(3 Hours)', 10800 ], [ 'rate(2weeks)', 1209600 ])
{
	my ($expression, $period) = @$rate;
	my $all = times_of($expression, $start + 7, $start + 7 + 20 * $period);
	is($all, join(' ', map { $start + 7 + $_ * $period } 0 .. 20), $expression);
}
is(times_of('rate(1month)', timegm_modern(0, 0, 6, 31, 0, 2024), timegm_modern(0, 0, 0, 1, 5, 2025)),
	join(' ', map { my ($y, $m, $d) = split /-/; timegm_modern(0, 0, 6, $d, $m - 1, $y) }
		qw(2024-1-31 2024-2-29 2024-3-31 2024-4-30 2024-5-31 2024-6-30 2024-7-31 2024-8-31 2024-9-30 2024-10-31
		2024-11-30 2024-12-31 2025-1-31 2025-2-28 2025-3-31 2025-4-30 2025-5-31)),
	'a month that is too short is due at its end, and the next at its own day');
is(times_of('once', $start, $end), $start, 'once');
is(times_of('at(2030-02-28T23:59:59)', $start, $end), timegm_modern(59, 59, 23, 28, 1, 2030), 'at');
is(times_of('at(2030-02-28T23:59:59)', $end, $end + 1), '', 'at, before the start');
is(times_of('cron(0 0 30 2 ? *)', $start, $end), '', '30 February');

# ---------- what is refused ----------

foreach my $refused (
	[ 'rate(0minutes)', 'a rate is at least 1' ], [ 'rate(5 fortnights)', 'expected rate' ], [ 'rate(5)', 'expected rate' ],
	[ 'rate(99999999999 days)', 'more than nine digits' ], [ 'rate(999999999 days)', 'a hundred years' ],
	[ 'rate(5 minutes) x', 'more behind' ], [ 'hourly', 'expected rate\(5 minutes\), cron' ],
	[ 'cron(0 12 * * ?)', 'six fields' ], [ 'cron(0 12 * * ? * *)', 'six fields' ], [ 'cron(0 12 * * * *)', 'must be \?' ],
	[ 'cron(0 12 ? * ? *)', 'must be \?' ], [ 'cron(60 12 * * ? *)', 'minutes 60 is not between 0 and 59' ],
	[ 'cron(0 24 * * ? *)', 'hours 24' ], [ 'cron(0 0 0 * ? *)', 'day-of-month 0' ], [ 'cron(0 0 * 13 ? *)', 'month 13' ],
	[ 'cron(0 0 ? * 8 *)', 'day-of-week 8' ], [ 'cron(0 0 ? * 3#6 *)', 'from 1 to 5' ], [ 'cron(0 0 ? * 3#1,6#3 *)', 'single entry' ],
	[ 'cron(0 0 ? * JAN *)', 'no value' ], [ 'cron(0/0 0 * * ? *)', 'step' ], [ 'cron(? 0 * * ? *)', 'no value' ],
	[ 'cron(0 0 * * ? 1969)', 'year 1969' ], [ 'cron(0 0 * * ? 2030-2029)', 'ends before' ], [ 'cron(0,, 0 * * ? *)', 'no value' ],
	[ 'at(2030-02-29T00:00:00)', 'no such time' ], [ 'at(noon)', 'expected at' ], [ 'rate(5 minutes', 'expected rate' ])
{
	my ($expression, $message) = @$refused;
	my ($code, $out, $err) = $node->psql('postgres', "SELECT appflow.schedule_times('$expression')");
	like($err, qr/$message/, "$expression is refused");
}

# ---------- flows ----------

sub create
{
	my ($scheduled) = @_;
	my ($code, $out, $err) = $node->psql('postgres', qq{SELECT appflow.create_flow('{
		"flowName": "scheduled", "triggerConfig": {"triggerType": "Scheduled", "triggerProperties": {"Scheduled": $scheduled}},
		"sourceFlowConfig": {"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"sourceConnectorProperties": {"CustomConnector": {"entityName": "public.a"}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.b"}}}],
		"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"}]}')});
	return $err || $out;
}
like(create('{"scheduleExpression": "rate(five minutes)"}'),
	qr/Create Flow request failed: \[scheduleExpression "rate\(five minutes\)" is not understood: expected rate\(N unit\).*ValidationException/s,
	'a flow with an expression that is none');
like(create('{"scheduleExpression": "cron(0 0 31 4 ? *)"}'), qr/no time that ever comes/, 'a flow that would never run');
like(create('{"scheduleExpression": "rate(1day)", "scheduleStartTime": "2030-01-02T00:00:00Z", "scheduleEndTime": "2030-01-01T00:00:00Z"}'),
	qr/scheduleEndTime is before scheduleStartTime/, 'a flow that ends before it starts');
like(create('{"scheduleExpression": "rate(1 minute)", "timezone": "Europe/Lisbon", "scheduleOffset": 36000}'), qr/Draft/, 'a flow that may');
my ($code, $out, $err) = $node->psql('postgres', q{SELECT appflow.update_flow(
	appflow.describe_flow('{"flowName": "scheduled"}') #- '{flowArn}' #- '{flowStatus}' #- '{schemaVersion}' #- '{tags}'
		#- '{createdAt}' #- '{createdBy}' #- '{lastUpdatedAt}' #- '{lastUpdatedBy}'
	|| '{"triggerConfig": {"triggerType": "Scheduled", "triggerProperties": {"Scheduled": {"scheduleExpression": "every now and then"}}}}')});
like($err, qr/"every now and then" is not understood/, 'UpdateFlow refuses too');
done_testing();
