# Values of every type into tables and out of them, and what no type takes.
use strict;
use warnings;

use AppflowTest::Tables;
use Test::More;

my $t = AppflowTest::Tables->new('table_types');

sub rejected { return AppflowTest::Tables::rejected(@_); }
sub sql { return $t->sql(@_); }

sql(q{
	CREATE TYPE mood AS ENUM ('sad', 'ok');
	CREATE DOMAIN positive AS int NOT NULL CHECK (value > 0);
	CREATE DOMAIN code AS text CHECK (value ~ '^[A-Z]+$');
	CREATE TYPE pair AS (a int, b text);
	CREATE TABLE typed (
		n int, i2 smallint, i8 bigint, e mood, p positive DEFAULT 1, c code, ia int[], ta text[], ja jsonb[],
		j jsonb, js json, b bytea, u uuid, co pair, r int4range, iv interval, ip inet, ti time, tz timetz,
		bp char(4), vc varchar(3), nu numeric, nm numeric(5,2), f4 real, f8 float8, bo bool, dt date, ts timestamp,
		tz0 timestamptz(0), oi oid, x xml, mo money, bt bit(3), rc regclass, na name);
});

# ---------- what is good ----------

# column, JSON value, what the table then holds
my @good = (
	[ i2 => '-32768', '-32768' ], [ i2 => '"12.0"', '12' ], [ i8 => '9223372036854775807', '9223372036854775807' ],
	[ i8 => '1e3', '1000' ], [ e => '"ok"', 'ok' ], [ p => '5', '5' ], [ c => '"ABC"', 'ABC' ],
	[ ia => '[1,2,null]', '{1,2,NULL}' ], [ ia => '[[1,2],[3,4]]', '{{1,2},{3,4}}' ], [ ia => '"{7,8}"', '{7,8}' ], [ ia => '[]', '{}' ],
	[ ta => '["a","b\\"c",null,"x,y","NULL",""]', '{a,"b\\"c",NULL,"x,y","NULL",""}' ], [ ja => '[{"k":[1]},2]', '{"{\\"k\\": [1]}",2}' ],
	[ j => '{"k":[1,2.50]}', '{"k": [1, 2.50]}' ], [ j => '"text"', '"text"' ], [ j => 'true', 'true' ], [ j => '1.50', '1.50' ],
	[ js => '{"k":  [1]}', '{"k":  [1]}' ], [ b => '"aGVsbG8="', '\\x68656c6c6f' ], [ b => '"\\\\x00ff"', '\\x00ff' ], [ b => '""', '\\x' ],
	[ u => '"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' ],
	[ co => '{"a":1,"b":"two"}', '(1,two)' ], [ co => '"(3,three)"', '(3,three)' ], [ r => '"[1,5)"', '[1,5)' ], [ iv => '"1 day"', '1 day' ],
	[ ip => '"10.0.0.1"', '10.0.0.1/32' ], [ ti => '"12:34:56.50Z"', '12:34:56.5' ], [ ti => '"12:34"', '12:34:00' ], [ tz => '"12:34+02"', '12:34:00+02' ],
	[ bp => '"ab"', 'ab' ], [ vc => '"abc"', 'abc' ], [ nu => '123456789012345678901234567890.123', '123456789012345678901234567890.123' ],
	[ nu => '"NaN"', 'NaN' ], [ nu => '"Infinity"', 'Infinity' ], [ nm => '1.500', '1.50' ], [ nm => '"1e2"', '100.00' ],
	[ f4 => '0.1', '0.1' ], [ f8 => '0.1', '0.1' ], [ f8 => '"-Infinity"', '-Infinity' ], [ f8 => '1e-300', '1e-300' ],
	[ bo => '"yes"', 'true' ], [ bo => '0', 'false' ], [ dt => '"2024-02-29"', '2024-02-29' ], [ dt => '"infinity"', 'infinity' ],
	[ ts => '"2024-02-29T12:00:00"', '2024-02-29 12:00:00' ], [ ts => '"-infinity"', '-infinity' ], [ ts => '"2024-02-29T12:00:00+02:00"', '2024-02-29 10:00:00' ],
	[ tz0 => '"2024-02-29T12:00:00.6Z"', '2024-02-29 12:00:01+00' ], [ tz0 => '1700000000', '2023-11-14 22:13:20+00' ], [ tz0 => '1700000000000', '2023-11-14 22:13:20+00' ],
	[ oi => '4294967295', '4294967295' ], [ x => '"<a>1</a>"', '<a>1</a>' ], [ mo => '"12.50"', '$12.50' ], [ bt => '"101"', '101' ],
	[ rc => '"pg_class"', 'pg_class' ], [ na => '"a name"', 'a name' ], [ vc => '12', '12' ], [ vc => 'null', '' ]);
my %by_column;
push @{ $by_column{ $_->[0] } }, $_ foreach @good;
my $n = 0;
foreach my $column (sort keys %by_column)
{
	my @lines = map { $_->[3] = ++$n; "{\"n\":$n,\"$column\":$_->[1]}" } @{ $by_column{$column} };
	my $r = $t->load(entity => 'public.typed', fields => [ 'n', $column ], records => \@lines);
	is(rejected($r), '', "$column: nothing refused");
	is(sql("SELECT string_agg(coalesce($column\::text, ''), E'\\n' ORDER BY n) FROM typed WHERE n BETWEEN $by_column{$column}[0][3] AND $n"),
		join("\n", map { $_->[2] } @{ $by_column{$column} }), "$column: values");
}
is(sql('SELECT count(*) FROM typed WHERE p IS NULL'), '0', 'the default of a domain column');

# ---------- what is not ----------

# column, JSON value, reason
my @bad = (
	[ i2 => '40000', '22003 column "i2": value "40000" is out of range for type smallint' ],
	[ i2 => '1.5', 'field "i2": "1.5" is not an integer' ],
	[ i2 => 'true', 'field "i2": a boolean is not an integer' ],
	[ i2 => '""', 'field "i2": "" is not an integer' ],
	[ i2 => '" 1"', 'field "i2": " 1" is not an integer' ],
	[ i8 => '9223372036854775808', 'field "i8": "9223372036854775808" is out of range for type Long' ],
	[ i8 => '"1e19"', 'field "i8": "1e19" is out of range for type Long' ],
	[ i8 => '"0x10"', 'field "i8": "0x10" is not an integer' ],
	[ i8 => '[1]', 'field "i8": a JSON object or array is not an integer' ],
	[ e => '"happy"', '22P02 column "e": invalid input value for enum mood: "happy"' ],
	[ p => '0', '23514 column "p": value for domain positive violates check constraint "positive_check"' ],
	[ p => 'null', '23502 column "p": domain positive does not allow null values' ],
	[ c => '"abc"', '23514 column "c": value for domain code violates check constraint "code_check"' ],
	[ ia => '[1,"x"]', '22P02 column "ia": invalid input syntax for type integer: "x"' ],
	[ ia => '"{1,2"', '22P02 column "ia": malformed array literal: "{1,2": Unexpected end of input' ],
	[ ia => '{"a":1}', # worded anew in PostgreSQL 18
		qr/^22P02 column "ia": malformed array literal: "\{"a":1\}": (Unexpected|Incorrectly quoted) array element$/ ],
	[ ia => '[[1],[2,3]]', '22P02 column "ia": malformed array literal: "{{"1"},{"2","3"}}": Multidimensional arrays must have sub-arrays with matching dimensions' ],
	[ b => '"###"', 'field "b": "###" is not base64' ],
	[ b => '"aGVsbG8"', 'field "b": "aGVsbG8" is not base64' ],
	[ b => '"aGVsbG9="', 'field "b": "aGVsbG9=" is not base64' ],
	[ b => '"\\\\x0"', 'field "b": "\\x0" has an odd number of hexadecimal digits' ],
	[ b => '5', 'field "b": a number is not base64' ],
	[ u => '"123"', 'field "u": "123" is not a UUID' ],
	[ u => '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g"', 'field "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g" is not a UUID' ],
	[ co => '{"a":"x"}', '22P02 column "co": invalid input syntax for type integer: "x"' ],
	[ co => '"(1"', '22P02 column "co": malformed record literal: "(1": Unexpected end of input' ],
	[ r => '"[5,1)"', '22000 column "r": range lower bound must be less than or equal to range upper bound' ],
	[ iv => '"1 parsec"', '22007 column "iv": invalid input syntax for type interval: "1 parsec"' ],
	[ ip => '"999.1.1.1"', '22P02 column "ip": invalid input syntax for type inet: "999.1.1.1"' ],
	[ ti => '"25:00"', 'field "ti": "25:00" is not an ISO 8601 time of day' ],
	[ ti => '"12:34:56.1234567"', 'field "ti": "12:34:56.1234567" has more than 6 digits of a second' ],
	[ tz => '"noon"', '22007 column "tz": invalid input syntax for type time with time zone: "noon"' ],
	[ bp => '"abcde"', '22001 column "bp": value too long for type character(4)' ],
	[ vc => '"abcd"', '22001 column "vc": value too long for type character varying(3)' ],
	[ vc => '"abc "', '22001 column "vc": value too long for type character varying(3)' ],
	[ vc => 'false', '22001 column "vc": value too long for type character varying(3)' ],
	[ nu => '"1.2.3"', 'field "nu": "1.2.3" is not a decimal number' ],
	[ nu => '1e200000', '22003 column "nu": value overflows numeric format' ],
	[ nu => '"12,5"', 'field "nu": "12,5" is not a decimal number' ],
	[ nm => '1.505', 'field "nm": "1.505" has more than 2 digits after the decimal point' ],
	[ nm => '1000', 'field "nm": "1000" is out of range for a decimal of precision 5 and scale 2' ],
	[ f4 => '1e39', 'field "f4": "1e39" is out of range for type Float' ],
	[ f4 => '1e-50', 'field "f4": "1e-50" is out of range for type Float' ],
	[ f8 => '"1e999"', 'field "f8": "1e999" is out of range for a floating-point number' ],
	[ f8 => '"1e-400"', 'field "f8": "1e-400" is out of range for a floating-point number' ],
	[ f8 => '"one"', 'field "f8": "one" is not a number' ],
	[ bo => '"si"', 'field "bo": "si" is not a boolean' ],
	[ bo => '2', 'field "bo": "2" is not a boolean' ],
	[ bo => '[]', 'field "bo": a JSON object or array is not a boolean' ],
	[ dt => '"2024-13-01"', 'field "dt": "2024-13-01" is not an ISO 8601 date' ],
	[ dt => '"2023-02-29"', 'field "dt": "2023-02-29" is not an ISO 8601 date' ],
	[ dt => '"29.02.2024"', 'field "dt": "29.02.2024" is not an ISO 8601 date' ],
	[ dt => '"2024-02-29T12:00:00Z"', 'field "dt": "2024-02-29T12:00:00Z" has a time of day and is not a date' ],
	[ dt => '20240229', 'field "dt": a number is not a date' ],
	[ ts => '"noon"', 'field "ts": "noon" is not an ISO 8601 date and time' ],
	[ ts => '"20240131"', 'field "ts": "20240131" is not an ISO 8601 date and time' ],
	[ ts => '1700000000.1234567', 'field "ts": "1700000000.1234567" is not a count of seconds or milliseconds since 1970' ],
	[ tz0 => '"2024-02-30T00:00:00Z"', 'field "tz0": "2024-02-30T00:00:00Z" is not an ISO 8601 date and time' ],
	[ tz0 => 'true', 'field "tz0": a boolean is not a date and time' ],
	[ oi => '-1', '22003 column "oi": value "-1" is out of range for type oid' ],
	[ x => '"<a>"', qr/^2200N column "x": invalid XML content: line 1: Premature end of data in tag a line 1/ ],
	[ mo => '"lots"', '22P02 column "mo": invalid input syntax for type money: "lots"' ],
	[ bt => '"1011"', '22026 column "bt": bit string length 4 does not match type bit(3)' ],
	[ rc => '"no_such_table"', '42P01 column "rc": relation "no_such_table" does not exist' ]);
%by_column = ();
push @{ $by_column{ $_->[0] } }, $_ foreach @bad;
sql('TRUNCATE typed');
foreach my $column (sort keys %by_column)
{
	# one good record among the bad ones: those that fail do not take it along
	my ($good) = grep { $_->[0] eq $column } @good;
	my @cases = @{ $by_column{$column} };
	my $r = $t->load(entity => 'public.typed', fields => [$column],
		records => [ "{\"$column\":$good->[1]}", map { "{\"$column\":$_->[1]}" } @cases ]);
	my %reason = map { my ($line) = $_->{source} =~ /line (\d+)/; ($line => $_) } @{ $r->{rejects} };
	foreach my $i (0 .. $#cases)
	{
		my $reject = $reason{ $i + 2 };
		my $got = !$reject ? 'accepted' : $reject->{errorCode} eq 'InvalidValue' ? $reject->{errorMessage} : "$reject->{errorCode} $reject->{errorMessage}";

		if (ref $cases[$i][2]) { like($got, $cases[$i][2], "$column refuses $cases[$i][1]"); }
		else { is($got, $cases[$i][2], "$column refuses $cases[$i][1]"); }
	}
	is($r->{processed} - $r->{failures}, 1, "$column: the good one is there");
}
is(sql('SELECT count(*) FROM typed'), scalar(keys %by_column), 'nothing else got in');

# ---------- CSV: null and empty, text that looks like something else ----------

sql('CREATE TABLE plain (id int, t text, j jsonb, d timestamptz)');
my $r = $t->load(entity => 'public.plain', format => 'CSV', fields => [qw(id t j d)], records =>
	qq(id,t,j,d\n1,,"{""a"":[1]}",1700000000123\n2,"",[broken,\n3,007,,2024-01-02 03:04\n4,x,,20240102\n"",x,,\n));
is(rejected($r), qq(6 InvalidValue field "d": "20240102" is not an ISO 8601 date and time\n7 InvalidValue field "id": "" is not an integer) =~ s/^6/5/mr =~ s/^7/6/mr,
	'CSV: refused records');
is(sql(q{SELECT id, t IS NULL, t, j, d FROM plain ORDER BY id}),
	"1|t||{\"a\": [1]}|2023-11-14 22:13:20.123+00\n2|f||\"[broken\"|\n3|f|007||2024-01-02 03:04:00+00", 'CSV: null, empty text, JSON, epoch');

done_testing();
