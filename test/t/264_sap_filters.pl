# Filters at random: what SAP's CAP server and the flow leave over together is what
# PostgreSQL finds in a table of the same records.
#
#	APPFLOW_SEED=n repeats a run, APPFLOW_ROUNDS=n makes it longer.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use Test::More;

my $seed = $ENV{APPFLOW_SEED} // time;
my $rounds = $ENV{APPFLOW_ROUNDS} // 20;
srand $seed;
note "APPFLOW_SEED=$seed";

my $sap = AppflowTest::Sap->new('sap');
my $cap = $sap->start('cap/server.js');
my %path = (4 => '/odata/v4/sales', 2 => '/odata/v2/sales');
$sap->profile("v$_", $cap, $path{$_}) foreach 4, 2;

my @texts = ('', 'a', 'A', 'b', "O'Neil", "it''s", '100%', 'a+b c', 'ä', 'Ä', '日本', 'a&b=c', 'x/y?z#', '(b)', 'a,b;c', '\\', 'true', '12');
my @numbers = qw(0 1 -1 12.5 12.50 12.49 -0.01 99999.99 100000 3.14);
my @integers = qw(0 1 -1 7 2147483648 -5 4503599627370497);
my @doubles = qw(0 0.25 -0.5 1 12.5);
my @days = qw(1969-12-31 1970-01-01 2024-02-29 2024-03-01 2024-12-31);
my @times = qw(1969-12-31T23:59:59Z 2024-02-29T12:00:00Z 2024-03-01T00:00:00Z 2024-03-01T10:11:12Z 2024-03-01T10:11:13Z);
my @clocks = qw(00:00:00 10:11:12 10:11:13 23:59:59);
my @uuids = qw(6f9619ff-8b86-d011-b42d-00cf4fc964ff 00000000-0000-0000-0000-000000000001 6f9619ff-8b86-d011-b42d-00cf4fc96400);

sub one { return $_[ int rand @_ ]; }
sub maybe { return rand() < 0.15 ? undef : one(@_); }
sub number { my $text = one(@_); return $text; }

my @orders = map { my %row = (
	ID => $_, Customer => maybe(@texts), Note => maybe(@texts), Amount => maybe(@numbers), Big => maybe(@integers), Share => maybe(@doubles),
	Clock => maybe(@clocks), Paid => maybe(JSON::PP::true, JSON::PP::false), Day => maybe(@days), At => maybe(@times), Ref => maybe(@uuids));
	$row{Share} += 0 if defined $row{Share};
	$row{Big} += 0 if defined $row{Big};
	\%row } 1 .. 120;
$sap->tell("$cap/_rows/Orders", \@orders);
my $json = JSON::PP->new->canonical->ascii->allow_nonref;
my $text = $json->encode(\@orders);
$sap->sql(qq{CREATE TABLE orders ("ID" int, "Customer" text COLLATE "C", "Note" text COLLATE "C", "Amount" numeric, "Big" bigint, "Share" float8, "Paid" boolean, "Day" date, "At" timestamptz, "Ref" uuid, "Clock" text COLLATE "C");
	INSERT INTO orders SELECT * FROM jsonb_populate_recordset(NULL::orders, \$j\$$text\$j\$)});

# what a field is filtered with
my %kinds = (
	Customer => { values => \@texts, type => 'string', operators => [qw(EQUAL_TO NOT_EQUAL_TO LESS_THAN GREATER_THAN LESS_THAN_OR_EQUAL_TO GREATER_THAN_OR_EQUAL_TO BETWEEN CONTAINS)] },
	Amount => { values => [ @numbers, '5', '12.500', '1e3' ], type => 'decimal' },
	Big => { values => [ @integers, '0.5' ], type => 'long' },
	ID => { values => [ 1 .. 130 ], type => 'integer' },
	Share => { values => \@doubles, type => 'double' },
	Paid => { values => [qw(true false)], type => 'boolean', operators => [qw(EQUAL_TO NOT_EQUAL_TO)] },
	Day => { values => [ @days, '2024-03-02' ], type => 'date' },
	At => { values => [ @times, '2024-03-01T11:11:12+01:00', '2024-03-01T10:11:12.5Z', '1709287872000' ], type => 'datetime' },
	Clock => { values => [ @clocks, '10:11' ], type => 'string' },
	Ref => { values => \@uuids, type => undef, operators => [qw(EQUAL_TO NOT_EQUAL_TO)] });
$kinds{Note} = $kinds{Customer};
my @comparisons = qw(EQUAL_TO NOT_EQUAL_TO LESS_THAN GREATER_THAN LESS_THAN_OR_EQUAL_TO GREATER_THAN_OR_EQUAL_TO BETWEEN);
my %symbol = (EQUAL_TO => '=', NOT_EQUAL_TO => '<>', LESS_THAN => '<', GREATER_THAN => '>', LESS_THAN_OR_EQUAL_TO => '<=', GREATER_THAN_OR_EQUAL_TO => '>=');

sub quoted
{
	my ($field, $value) = @_;
	return "to_timestamp($value / 1000.0)" if $field eq 'At' && $value =~ /^\d+$/;
	(my $text = $value) =~ s/'/''/g;
	my %type = (Amount => 'numeric', Big => 'numeric', ID => 'numeric', Share => 'float8', Paid => 'boolean', Day => 'date', At => 'timestamptz', Ref => 'uuid');
	return $type{$field} ? "'$text'::$type{$field}" : "'$text'";
}

# a filter task, and the same in SQL
sub random_filter
{
	my $field = one(sort keys %kinds);
	my $kind = $kinds{$field};
	my $operator = one(@{ $kind->{operators} || \@comparisons });
	my @type = defined $kind->{type} && rand() < 0.8 || $field eq 'Paid' ? (DATA_TYPE => $kind->{type}) : ();
	# AppFlow takes no operand that is empty
	my @values = grep { $_ ne '' } @{ $kind->{values} };
	my $value = one(@values);

	if ($operator eq 'BETWEEN')
	{
		my $upper = one(@values);
		return (sap_rows($field, 'BETWEEN', LOWER_BOUND => "$value", UPPER_BOUND => "$upper", @type),
			"\"$field\" > " . quoted($field, $value) . " AND \"$field\" < " . quoted($field, $upper));
	}
	if ($operator eq 'CONTAINS')
	{
		$value = one(grep { $_ ne '' } @texts);
		return (sap_rows($field, 'CONTAINS', VALUE => $value, @type), "position(" . quoted($field, $value) . " IN \"$field\") > 0");
	}
	if ($operator =~ /^(NOT_)?EQUAL_TO$/ && rand() < 0.3)
	{
		@values = map { one(@{ $kind->{values} }) } 1 .. 3;
		return (sap_rows($field, $operator, VALUES => $json->encode([ map { "$_" } @values ]), @type),
			"\"$field\" " . ($1 ? 'NOT ' : '') . 'IN (' . join(', ', map { quoted($field, $_) } @values) . ')');
	}
	return (sap_rows($field, $operator, VALUE => "$value", @type), "\"$field\" $symbol{$operator} " . quoted($field, $value));
}

my ($compared, $sent, $found) = (0, 0, 0);
foreach my $round (1 .. $rounds)
{
	my (@tasks, @conditions);
	foreach (1 .. 1 + int rand 2)
	{
		my ($task, $condition) = random_filter();
		push @tasks, $task;
		push @conditions, "($condition)";
	}
	my $where = join ' AND ', @conditions;
	my $expected = $sap->sql("SELECT coalesce(string_agg(\"ID\"::text, ' ' ORDER BY \"ID\"), '') FROM orders WHERE $where");
	foreach my $version (4, 2)
	{
		$sap->seen($cap);
		my $run = $sap->pull("v$version", "$path{$version}/Orders", tasks => [ @tasks, sap_map('ID') ]);
		my $got = join ' ', sort { $a <=> $b } map { /"ID":(\d+)/ } split /\n/, $run->{text} // '';
		my ($request) = $sap->seen($cap, qr{ $path{$version}/Orders});
		$sent++ if ($request // '') =~ /\$filter=/;
		$compared++;
		$found += () = $got =~ /\d+/g;
		next if ($run->{status} // '') eq 'Successful' && $got eq $expected;
		ok(0, "version $version: $where");
		diag "refused: ", $run->{refused} // '', " status: ", $run->{status} // '', " ", $run->{message} // '', "\n got: $got\n expected: $expected\n request: ", $request // '';
	}
}
is($compared, 2 * $rounds, "$compared filters, $sent of them sent, $found records");
cmp_ok($sent, '>', $rounds, 'most are evaluated by the service');

done_testing();
