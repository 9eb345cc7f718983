# Every task type with every property, operator and action: what comes out for
# what goes in, with the rules of doc/tasks.md.
use strict;
use warnings;
use utf8;

use AppflowTest::Flows;
use Encode qw(encode_utf8);
use Math::BigInt;
use Test::More;


my $flows = AppflowTest::Flows->new('tasks');

sub lines { return encode_utf8(join '', map { "$_\n" } @_); }

# the flow moves records to exactly these lines, with these counters
sub moves
{
	my ($name, $input, $tasks, $expected, %more) = @_;
	my $run = $flows->move(input => ref $input ? lines(@$input) : $input, tasks => $tasks, %more);

	if (defined $run->{refused})
	{
		fail("$name: refused: $run->{refused}");
		return $run;
	}
	is($run->{text}, ref $expected ? lines(@$expected) : $expected, $name)
	  or diag("status $run->{status}: " . ($run->{message} // ''));
	is("$run->{status} $run->{filtered} $run->{failed}",
		($more{status} // 'Successful') . ' ' . ($more{filtered} // 0) . ' ' . ($more{failed} // 0),
		"$name: counters") or diag($run->{message} // '');
	return $run;
}

# values of field v of the records that a filter lets through
sub passes
{
	my ($name, $values, $operator, $properties, $expected, %more) = @_;
	my $n = 0;
	my $run = $flows->move(
		input => lines(map { $n++; qq({"n":$n,"v":$_}) } @$values),
		tasks => [ rows('v', $operator, %$properties), mapping('n') ], %more);
	my $got = defined $run->{refused} ? "refused: $run->{refused}" :
	  join ' ', map { /(\d+)/ } split /\n/, $run->{text};
	is($got, $expected, $name) or diag($run->{message} // '');
	return $run;
}

# ---------------------------------------------------------------- Filter

my @numbers = ('1', '2', '2.0', '2e0', '3', '-5', 'null', '10', '9223372036854775808', '0.1');

passes('integer EQUAL_TO', \@numbers, 'EQUAL_TO', { DATA_TYPE => 'integer', VALUE => '2' }, '2 3 4');
passes('integer NOT_EQUAL_TO leaves out nulls', \@numbers, 'NOT_EQUAL_TO', { DATA_TYPE => 'integer', VALUE => '2' },
	'1 5 6 8 9 10');
passes('integer LESS_THAN is strict', \@numbers, 'LESS_THAN', { DATA_TYPE => 'long', VALUE => '2' }, '1 6 10');
passes('integer LESS_THAN_OR_EQUAL_TO', \@numbers, 'LESS_THAN_OR_EQUAL_TO', { DATA_TYPE => 'long', VALUE => '2' },
	'1 2 3 4 6 10');
passes('integer GREATER_THAN by value, not by text', \@numbers, 'GREATER_THAN', { DATA_TYPE => 'int', VALUE => '3' },
	'8 9');
passes('integer GREATER_THAN_OR_EQUAL_TO', \@numbers, 'GREATER_THAN_OR_EQUAL_TO', { DATA_TYPE => 'int', VALUE => '3' },
	'5 8 9');
passes('BETWEEN excludes both ends', \@numbers, 'BETWEEN',
	{ DATA_TYPE => 'double', LOWER_BOUND => '1', UPPER_BOUND => '3' }, '2 3 4');
passes('VALUES: any of them', \@numbers, 'EQUAL_TO', { DATA_TYPE => 'double', VALUES => '1,10' }, '1 8');
passes('NOT_EQUAL_TO with VALUES: none of them', \@numbers, 'NOT_EQUAL_TO', { DATA_TYPE => 'double', VALUES => '1,2,10' },
	'5 6 9 10');
passes('beyond 64 bits', \@numbers, 'EQUAL_TO', { DATA_TYPE => 'decimal', VALUE => '9223372036854775808.000' }, '9');
passes('decimals are exact', [ '0.1', '0.10000000000000000001' ], 'EQUAL_TO', { DATA_TYPE => 'decimal(30,20)', VALUE => '0.10' },
	'1');
passes('without a type numbers compare by value', \@numbers, 'GREATER_THAN', { VALUE => '2' }, '5 8 9');
passes('numbers in quotes compare too where the type is given', [ '"10"', '"9"', '"1e1"' ], 'EQUAL_TO',
	{ DATA_TYPE => 'integer', VALUE => '10' }, '1 3');
passes('without a type, text compares as text', [ '"10"', '"9"', '"b"' ], 'GREATER_THAN', { VALUE => '5' }, '2 3');

my @texts = ('"Customer"', '"Partner"', '"customer"', '""', 'null', '"Zoë"', '"a,b"', '"Z"');

passes('text EQUAL_TO regards case', \@texts, 'EQUAL_TO', { DATA_TYPE => 'string', VALUE => 'Customer' }, '1');
passes('text VALUES', \@texts, 'EQUAL_TO', { DATA_TYPE => 'picklist', VALUES => 'Customer,Partner' }, '1 2');
passes('text NOT_EQUAL_TO VALUES', \@texts, 'NOT_EQUAL_TO', { DATA_TYPE => 'picklist', VALUES => 'Customer,Partner' },
	'3 4 6 7 8');
passes('text VALUE keeps its comma', \@texts, 'EQUAL_TO', { DATA_TYPE => 'string', VALUE => 'a,b' }, '7');
passes('text VALUES as a JSON array keeps commas', \@texts, 'EQUAL_TO', { DATA_TYPE => 'string', VALUES => '["a,b","Z"]' },
	'7 8');
passes('text with an empty operand', \@texts, 'EQUAL_TO', { DATA_TYPE => 'string', VALUES => '[""]' }, '4');
passes('text GREATER_THAN by bytes', \@texts, 'GREATER_THAN', { DATA_TYPE => 'string', VALUE => 'Z' }, '3 6 7');
passes('text LESS_THAN_OR_EQUAL_TO', \@texts, 'LESS_THAN_OR_EQUAL_TO', { DATA_TYPE => 'string', VALUE => 'Customer' },
	'1 4');
passes('text BETWEEN', \@texts, 'BETWEEN', { DATA_TYPE => 'string', LOWER_BOUND => 'Customer', UPPER_BOUND => 'Zoo' },
	'2 8');
passes('text beyond ASCII', \@texts, 'EQUAL_TO', { DATA_TYPE => 'string', VALUE => 'Zoë' }, '6');

my @booleans = ('true', 'false', 'null', '"true"', '"false"', '1', '0');

passes('boolean EQUAL_TO', \@booleans, 'EQUAL_TO', { DATA_TYPE => 'boolean', VALUE => 'true' }, '1 4 6');
passes('boolean NOT_EQUAL_TO', \@booleans, 'NOT_EQUAL_TO', { DATA_TYPE => 'boolean', VALUE => 'TRUE' }, '2 5 7');
passes('boolean without a type', [ @booleans[ 0 .. 2 ] ], 'EQUAL_TO', { VALUE => 'false' }, '2');

my @dates = ('"2024-01-01"', '"2024-02-29"', 'null', '"2023-12-31"', '"2024-03-01T00:00:00Z"');

passes('date EQUAL_TO', \@dates, 'EQUAL_TO', { DATA_TYPE => 'date', VALUE => '2024-02-29' }, '2');
passes('date GREATER_THAN', \@dates, 'GREATER_THAN', { DATA_TYPE => 'date', VALUE => '2024-01-01' }, '2 5');
passes('date by epoch milliseconds', \@dates, 'LESS_THAN_OR_EQUAL_TO', { DATA_TYPE => 'date', VALUE => '1704067200000' },
	'1 4');
passes('date BETWEEN', \@dates, 'BETWEEN', { DATA_TYPE => 'date', LOWER_BOUND => '2023-12-31', UPPER_BOUND => '2024-03-01' },
	'1 2');

my @times = (
	'"2021-02-01T03:00:00Z"', '"2021-02-01T04:00:00+01:00"', '"2021-02-01T03:00:00.000001Z"', 'null',
	'"2021-03-01T03:00:00Z"', '1612148400', '1612148400000', '"2021-02-28"');

passes('datetime by epoch milliseconds', \@times, 'EQUAL_TO', { DATA_TYPE => 'datetime', VALUE => '1612148400000' },
	'1 2 6 7');
passes('datetime by ISO 8601', \@times, 'NOT_EQUAL_TO', { DATA_TYPE => 'datetime', VALUE => '2021-02-01T05:00:00+02:00' },
	'3 5 8');
passes('datetime BETWEEN excludes both ends', \@times, 'BETWEEN',
	{ DATA_TYPE => 'datetime', LOWER_BOUND => '1612148400000', UPPER_BOUND => '1614567600000' }, '3 8');
passes('datetime VALUES', \@times, 'EQUAL_TO', { DATA_TYPE => 'DateTime', VALUES => '2021-02-28T00:00:00Z,1614567600000' },
	'5 8');
passes('datetime LESS_THAN', \@times, 'LESS_THAN', { DATA_TYPE => 'datetime', VALUE => '2021-02-01T03:00:00.000001Z' },
	'1 2 6 7');

my $run = passes('values that cannot be compared fail', [ '"x"', '5', '"12a"', '{"a":1}' ], 'GREATER_THAN',
	{ DATA_TYPE => 'integer', VALUE => '1' }, '2');
is($run->{failed}, 3, '... and are counted');
like($run->{message}, qr{^3 of 4 records failed; the first: object "s3://source/in\d+/object", line 1: field "v": "x" is not a number$},
	'... the message says where');
$run = passes('hopeless numbers fail as records', [ '1e999999', '5', '9' x 200000, '1e-5000' ], 'GREATER_THAN',
	{ DATA_TYPE => 'double', VALUE => '1' }, '2');
is($run->{failed}, 3, '... and are counted');

moves('filters are ANDed, in CSV as well',
	[ 'id,amount,kind', '1,10,a', '2,200,a', '3,200,b', '4,,a', '5,007,a' ],
	[ rows('amount', 'GREATER_THAN', DATA_TYPE => 'integer', VALUE => '6.5'), rows('kind', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'a'),
		mapping('id') ],
	[ '{"id":"1"}', '{"id":"2"}', '{"id":"5"}' ], from => 'CSV', filtered => 2);

moves('a projection narrows nothing that is mapped, derived fields may be in it',
	[ '{"a":"x","b":"y","c":"z"}' ],
	[ projection('a', 'a,b'), merge([ 'a', 'b' ], 'a,b'), mapping('a'), mapping('a,b', 'ab') ],
	['{"a":"x","ab":"xy"}']);

# ---------------------------------------------------------------- Map

moves('Map renames, in the order of tasks; a field may go to several',
	[ '{"a":1,"b":"two","c":[1,{"d":null}],"e":true}' ],
	[ mapping('c', 'list'), mapping('a', 'x'), mapping('a', 'y'), mapping('e'), mapping('missing') ],
	[ '{"list":[1,{"d":null}],"x":1,"y":1,"e":true,"missing":null}' ]);

moves('conversions',
	[ '{"n":"12","t":"2024-01-02T03:04:05+02:00","b":"true","d":"2024-02-03","m":"1.50"}' ],
	[ mapping('n', 'long', 'long'), mapping('n', 'double', 'double'), mapping('n', 'text', 'string'),
		mapping('t', 'time', 'datetime'), mapping('b', 'bool', 'boolean'), mapping('d', 'date', 'date'),
		mapping('d', 'dt', 'datetime'), mapping('m', 'money', 'decimal(10,2)') ],
	[ '{"long":12,"double":12,"text":"12","time":"2024-01-02T01:04:05Z","bool":true,"date":"2024-02-03","dt":"2024-02-03T00:00:00Z","money":1.50}' ]);

moves('a value that cannot be converted fails its record alone',
	[ '{"id":1,"n":"12"}', '{"id":2,"n":"twelve"}', '{"id":3,"n":9223372036854775808}', '{"id":4,"n":null}', '{"id":5,"n":1.5}' ],
	[ mapping('id'), mapping('n', 'n', 'long') ], [ '{"id":1,"n":12}', '{"id":4,"n":null}' ], failed => 3);
$run = $flows->move(input => lines('{"id":1,"n":"12"}', '{"id":2,"n":"twelve"}', '{"id":3,"n":"13"}'), table => 'id int, n text',
	tasks => [ mapping('id'), mapping('n', 'n', 'long') ], write => { errorHandlingConfig => { bucketName => 'errors', bucketPrefix => 'bad' } });
is($run->{text}, '[{"id":1,"n":"12"}, {"id":3,"n":"13"}]', 'the same into a table') or diag($run->{message});
is($run->{errors}, qq({"record":{"id":2,"n":"twelve"},"errorCode":"InvalidValue","errorMessage":"field \\"n\\": \\"twelve\\" is not an integer","source":"object \\"s3://source/in$flows->{number}/object\\", line 2"}\n),
	'error file: record, reason, place');

moves('a type nobody knows is no type', ['{"a":5}'], [ mapping('a', 'a', 'ExactMatchString'), mapping('a', 'b', 'CSV') ],
	['{"a":5,"b":5}']);
moves('dotted paths reach into objects', [ '{"a":{"b":{"c":1},"x":2}}', '{"a":null}', '{"a":{"b":5}}', '{"a.b.c":7,"a":{"b":{"c":8}}}' ],
	[ mapping('a.b.c', 'c'), mapping('a', 'whole') ],
	[ '{"c":1,"whole":{"b":{"c":1},"x":2}}', '{"c":null,"whole":null}', '{"c":null,"whole":{"b":5}}', '{"c":7,"whole":{"b":{"c":8}}}' ]);

# ---------------------------------------------------------------- Map_all

my @records = ('{"a":1,"b":"x","c":null}', '{"b":"y","a":2,"d":[1]}');

moves('Map_all', \@records, [ map_all() ], [ '{"a":1,"b":"x","c":null}', '{"a":2,"b":"y","c":null,"d":[1]}' ]);
moves('Map_all excludes', \@records, [ map_all(EXCLUDE_SOURCE_FIELDS_LIST => '["b","d","nope"]') ],
	[ '{"a":1,"c":null}', '{"a":2,"c":null}' ]);
moves('Map_all with [""] as its fields', \@records, [ { %{ map_all() }, sourceFields => [''] } ],
	[ '{"a":1,"b":"x","c":null}', '{"a":2,"b":"y","c":null,"d":[1]}' ]);
moves('explicit Map wins for its name', \@records, [ map_all(), mapping('b', 'a'), mapping('a', 'z', 'string') ],
	[ '{"a":"x","z":"1","b":"x","c":null}', '{"a":"y","z":"2","b":"y","c":null,"d":[1]}' ]);
moves('Map_all keeps the order of fields, whichever tasks name', ['{"a":1,"b":2,"c":3,"d.e":4}'], [ map_all(), mask('c', 'ALL'), validate([qw(b d.e)], 'NON_NULL') ],
	['{"a":1,"b":2,"c":"*****","d.e":4}']);
moves('... of CSV as well', [ 'a,b,c', '1,2,3' ], [ map_all(), mask('c', 'ALL'), mapping('b', 'x') ], [ 'x,a,b,c', '2,1,2,*****' ], from => 'CSV', to => 'CSV');
moves('INCLUDE_NEW_FIELDS true', \@records, [ map_all(INCLUDE_NEW_FIELDS => 'true') ],
	[ '{"a":1,"b":"x","c":null}', '{"a":2,"b":"y","c":null,"d":[1]}' ]);
# both records are in the sample, so their fields are known; what comes behind it is new
moves('INCLUDE_NEW_FIELDS false keeps to the fields of the sample',
	lines((map { qq({"a":$_}) } 1 .. 30000), '{"a":30001,"late":1}'), [ map_all(INCLUDE_NEW_FIELDS => 'false') ],
	lines(map { qq({"a":$_}) } 1 .. 30001));
moves('Map_all leaves fields that a path reaches where they are', ['{"a":{"b":1},"c":2}'],
	[ map_all(), rows('a.b', 'EQUAL_TO', DATA_TYPE => 'integer', VALUE => '1') ], ['{"a":{"b":1},"c":2}']);
moves('Map_all of CSV keeps columns with dots', [ 'a.b,c', '1,2', '2,3' ],
	[ map_all(), rows('a.b', 'EQUAL_TO', DATA_TYPE => 'integer', VALUE => '1') ], ['{"a.b":"1","c":"2"}'],
	from => 'CSV', filtered => 1);
moves('Passthrough', \@records, [ passthrough() ], [ '{"a":1,"b":"x","c":null}', '{"a":2,"b":"y","c":null,"d":[1]}' ]);
moves('Passthrough behind a filter', \@records, [ rows('a', 'GREATER_THAN', DATA_TYPE => 'long', VALUE => '1'), passthrough() ],
	['{"a":2,"b":"y","c":null,"d":[1]}'], filtered => 1);

# ---------------------------------------------------------------- late new fields

my %late = (
	one => lines('{"id":1,"a":"x"}'),
	two => lines('{"id":2,"a":"y","b":7}'));

moves('JSON: late fields are appended', undef, [ map_all() ], [ '{"id":1,"a":"x"}', '{"id":2,"a":"y","b":7}' ],
	input => \%late, output => { aggregationConfig => { aggregationType => 'SingleFile' } });
$run = $flows->move(input => lines('{"id":1}', '{"id":2,"b":7}', '{"id":3}'), tasks => [ map_all() ], to => 'CSV');
is_deeply([ map { $run->{files}{$_} } sort keys %{ $run->{files} } ], [ "id\n1\n", "id,b\n2,7\n3,\n" ],
	'CSV: a late field begins a new file');
$run = $flows->move(input => lines('{"id":1}', '{"id":2,"b":7}', '{"id":3}'), tasks => [ map_all() ], to => 'CSV',
	output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is_deeply([ values %{ $run->{files} } ], ["id,b\n1,\n2,7\n3,\n"], 'CSV: a single file knows all fields beforehand');
$run = $flows->move(
	input => lines((map { qq({"id":$_}) } 1 .. 25000), '{"id":25001,"b":"7"}'), tasks => [ map_all() ], to => 'CSV',
	output => { aggregationConfig => { aggregationType => 'SingleFile' } });
like($run->{text}, qr/^id,b\n1,\n.*\n25001,7\n$/s, 'CSV: ... however late they come');
is(keys %{ $run->{files} }, 1, 'CSV: ... in a single file');

# ---------------------------------------------------------------- Mask, Truncate

moves('Mask', [ '{"p":"0123456789","q":"Zoë","e":"","n":null}' ],
	[ (map { mapping('p', $_) } qw(p)), mapping('q'), mapping('e'), mapping('n'),
		mask([qw(p e n)], 'LAST_N', MASK_LENGTH => '4', MASK_VALUE => '#'), mask('q', 'FIRST_N', MASK_LENGTH => '2') ],
	[ '{"p":"012345####","q":"**ë","e":"","n":null}' ]);
moves('Mask more than there is', ['{"a":"abc","b":"äöü"}'],
	[ map_all(), mask('a', 'LAST_N', MASK_LENGTH => '10'), mask('b', 'FIRST_N', MASK_LENGTH => '10') ], ['{"a":"***","b":"***"}']);
moves('MASK_ALL hides the length', [ '{"a":"abc","b":"x"}', '{"a":"","b":null}' ],
	[ map_all(), mask('a', 'ALL'), mask('b', 'ALL', MASK_LENGTH => '3', MASK_VALUE => '█') ],
	[ '{"a":"*****","b":"███"}', '{"a":"*****","b":null}' ]);
moves('numbers, booleans and objects are masked as their text', ['{"n":-12.50,"b":true,"o":{"k": 1}}'],
	[ map_all(), mask('n', 'LAST_N', MASK_LENGTH => '3'), mask('b', 'FIRST_N', MASK_LENGTH => '2'), mask('o', 'LAST_N', MASK_LENGTH => '3') ],
	[ '{"n":"-12***","b":"**ue","o":"{\"k\":***"}' ]);
moves('Truncate counts characters', [ '{"a":"äöüß","b":"😀😀😀","c":"abc","d":12345,"e":null}' ],
	[ map_all(), truncated([qw(a b c d e)], '3') ], [ '{"a":"äöü","b":"😀😀😀","c":"abc","d":"123","e":null}' ]);
moves('Mask and Truncate in the order of the list', ['{"a":"abcdef","b":"abcdef"}'],
	[ map_all(), truncated('a', '4'), mask('a', 'LAST_N', MASK_LENGTH => '2'), mask('b', 'LAST_N', MASK_LENGTH => '2'), truncated('b', '5') ],
	['{"a":"ab**","b":"abcd*"}']);

# ---------------------------------------------------------------- Merge

moves('Merge', [ '{"First Name":"Ann","Last Name":"Lee","n":1}', '{"First Name":null,"Last Name":"Cy","n":true}' ],
	[ merge([ 'First Name', 'Last Name' ], 'First Name,Last Name', CONCAT_FORMAT => '${First Name} ${Last Name}'),
		mapping('First Name,Last Name', 'Full Name') ], [ '{"Full Name":"Ann Lee"}', '{"Full Name":" Cy"}' ]);
moves('Merge without a format, without a name', ['{"a":1,"b":1.50,"c":true,"d":null,"e":{"x":[]}}'],
	[ merge([qw(a b c d e)], undef), mapping('a,b,c,d,e', 'all') ], ['{"all":"11.50true{\"x\":[]}"}']);
moves('Merge: literal dollars and braces', ['{"a":"1","b":"2"}'],
	[ merge([qw(a b)], 'm', CONCAT_FORMAT => '$${a} $ {b} ${b}${a}$$ } é'), mapping('m') ], [ '{"m":"${a} $ {b} 21$$ } é"}' ]);
moves('intermediates are seen by Map alone', ['{"a":"1","b":"2"}'], [ merge([qw(a b)], 'm'), map_all() ], ['{"a":"1","b":"2"}']);

# ---------------------------------------------------------------- Arithmetic

my %operations = (
	ADDITION => [ [ 2, 3, '5' ], [ '0.1', '0.2', '0.3' ], [ '9223372036854775807', 1, '9223372036854775808' ],
		[ '"7"', '"0.5"', '7.5' ], [ 'null', 1, 'null' ], [ '1e3', 1, '1001' ], ['-9223372036854775808', '-1', '-9223372036854775809' ] ],
	SUBTRACTION => [ [ 2, 3, '-1' ], [ '-9223372036854775808', 1, '-9223372036854775809' ], [ '1.10', '1.1', '0' ] ],
	MULTIPLICATION => [ [ 6, 7, '42' ], [ '4294967296', '4294967296', '18446744073709551616' ], [ '1.5', '1.5', '2.25' ], [ 5, 'null', 'null' ],
		[ '9223372036854775807', '9223372036854775807', '85070591730234615847396907784232501249' ] ],
	DIVISION => [ [ 6, 3, '2' ], [ 1, 4, '0.25' ], [ 1, 3, qr/0\.3{16,}/ ], [ '20000000000', 3, qr/6{10}\.6{15,}7/ ], [ -7, 2, '-3.5' ],
		[ 0, 5, '0' ] ]);

foreach my $operation (sort keys %operations)
{
	my @cases = @{ $operations{$operation} };
	$run = $flows->move(input => lines(map { qq({"a":$_->[0],"b":$_->[1]}) } @cases),
		tasks => [ arithmetic([qw(a b)], 'a,b', $operation, MATH_OPERATION_FIELDS_ORDER => 'a,b'), mapping('a,b', 'r') ]);
	my @got = map { /"r":(.*)\}/ } split /\n/, $run->{text} // '';
	foreach my $case (@cases)
	{
		my ($x, $y, $wanted) = @$case;
		my $value = shift @got;
		like($value // '', ref $wanted ? qr/^$wanted$/ : qr/^\Q$wanted\E$/, "$operation of $x and $y");
	}
}
moves('operands in the order of the property, from the left', ['{"a":2,"b":20,"c":5}'],
	[ arithmetic([qw(a b c)], 'x', 'SUBTRACTION', MATH_OPERATION_FIELDS_ORDER => 'b,c,a'),
		arithmetic([qw(a b c)], 'y', 'DIVISION'), arithmetic([qw(b c)], 'z', 'SUBTRACTION', MATH_OPERATION_FIELDS_ORDER => '["c","b"]'),
		mapping('x'), mapping('y'), mapping('z') ], ['{"x":13,"y":0.02,"z":-15}']);
$run = $flows->move(input => lines('{"a":1,"b":0}', '{"a":1,"b":"x"}', '{"a":1,"b":0.00}', '{"a":1,"b":2}', '{"a":1,"b":true}'),
	tasks => [ arithmetic([qw(a b)], 'q', 'DIVISION'), mapping('a'), mapping('q') ], table => 'a int, q numeric',
	write => { errorHandlingConfig => { bucketName => 'errors' } });
is("$run->{text} $run->{failed}", '[{"a":1,"q":0.5}] 4', 'no numbers and no divisors fail the record');
like($run->{errors}, qr/^\{"record":\{"a":1,"q":null\},"errorCode":"InvalidValue","errorMessage":"task 1 \(Arithmetic\): field \\"b\\" is zero.*\n.*field \\"b\\" is not a number/,
	'... with null for the result');
$run = moves('numbers of absurd size fail the record, not the run',
	lines('{"a":1e1000,"b":1e1000}', '{"a":1,"b":' . '9' x 200000 . '}', '{"a":1,"b":1e99999}', '{"a":2,"b":3}'),
	[ arithmetic([ ('a', 'b') x 100 ], 'p', 'MULTIPLICATION', MATH_OPERATION_FIELDS_ORDER => join(',', ('a', 'b') x 100)), mapping('p') ],
	lines('{"p":' . '6' . '}') =~ s/6/Math::BigInt->new(6)->bpow(100)/er, failed => 3);
moves('integers as CSV writes them', [ 'a,b', '007,+5', '1.5,2', '.5,1', ',1' ],
	[ arithmetic([qw(a b)], 's', 'ADDITION'), mapping('s') ], [ '{"s":12}', '{"s":3.5}', '{"s":1.5}', '{"s":null}' ], from => 'CSV');

# ---------------------------------------------------------------- Validate

my @checked = ('{"v":1}', '{"v":0}', '{"v":-1}', '{"v":null}', '{}', '{"v":"x"}', '{"v":"-0.0"}', '{"v":"1e5"}', '{"v":true}');

sub valid
{
	my ($what, $expected) = @_;
	moves("VALIDATE_$what", \@checked, [ map_all(), validate('v', $what) ], $expected, filtered => @checked - @$expected);
}
valid('NON_NULL', [ grep { !/null|\{\}/ } @checked ]);
valid('NON_ZERO', [ map { $_ eq '{}' ? '{"v":null}' : $_ } grep { !/"v":0|-0\.0/ } @checked ]);
valid('NON_NEGATIVE', [ map { $_ eq '{}' ? '{"v":null}' : $_ } grep { !/"v":-1/ } @checked ]);
valid('NUMERIC', [ map { $_ eq '{}' ? '{"v":null}' : $_ } grep { !/"x"|true/ } @checked ]);
moves('Validate an empty CSV cell, and numbers as CSV writes them', [ 'id,v', '1,', '2,5', '3,""', '4,007', '5,-.5', '6,+1', '7,1 2' ],
	[ mapping('id'), validate('v', 'NON_NULL'), validate('v', 'NUMERIC'), validate('v', 'NON_NEGATIVE') ],
	[ '{"id":"2"}', '{"id":"4"}', '{"id":"6"}' ], from => 'CSV', filtered => 4);
moves('Validate looks at raw values, whatever the order', [ '{"v":"-5"}', '{"v":"5"}' ],
	[ map_all(), mask('v', 'ALL'), validate('v', 'NON_NEGATIVE') ], ['{"v":"*****"}'], filtered => 1);
moves('Validate several fields', [ '{"a":1,"b":1}', '{"a":1}', '{"b":1}' ], [ map_all(), validate([qw(a b)], 'NON_NULL') ],
	['{"a":1,"b":1}'], filtered => 2);
moves('Validate a derived field', [ '{"a":5,"b":3}', '{"a":1,"b":3}' ],
	[ arithmetic([qw(a b)], 'd', 'SUBTRACTION'), validate('d', 'NON_NEGATIVE'), mapping('d') ], ['{"d":2}'], filtered => 1);
foreach my $action (qw(DropDataset TerminateFlow dropdataset))
{
	$run = $flows->move(input => { a => lines('{"v":1}', '{"v":2}'), b => lines('{"v":3}', '{"v":null}', '{"v":4}') },
		tasks => [ map_all(), validate('v', 'NON_NULL', $action) ]);
	is("$run->{status} " . keys %{ $run->{files} }, 'Error 0', "$action ends the run, nothing is written");
	like($run->{message}, qr{^task 2 \(Validate\): field "v" is null in object "s3://source/in\d+/b", line 2$}, '... and says where');
}

# ---------------------------------------------------------------- chains

moves('Merge of an Arithmetic, whatever the order of tasks', ['{"price":"2.50","qty":4,"name":"nut"}'],
	[ mapping('label'), merge([ 'name', 'total' ], 'label', CONCAT_FORMAT => '${name}: ${total} EUR'),
		arithmetic([qw(price qty)], 'total', 'MULTIPLICATION') ], ['{"label":"nut: 10 EUR"}']);
moves('Arithmetic of an Arithmetic, of which one fails', [ '{"a":1,"b":2,"c":3}', '{"a":1,"b":"x","c":3}' ],
	[ arithmetic([qw(ab c)], 'abc', 'MULTIPLICATION'), arithmetic([qw(a b)], 'ab', 'ADDITION'), mapping('abc') ], ['{"abc":9}'],
	failed => 1);
moves('Mask and Truncate of a merged field', ['{"a":"abcd","b":"efgh"}'],
	[ merge([qw(a b)], 'm'), mask('m', 'FIRST_N', MASK_LENGTH => '6'), truncated('m', '7'), mapping('m') ], ['{"m":"******g"}']);
moves('what is made of a masked derived field shows nothing', ['{"a":"abcd","b":"efgh"}'],
	[ merge([qw(m b)], 'mm'), merge([qw(a b)], 'm'), mask('m', 'LAST_N', MASK_LENGTH => '6'), mapping('mm') ], ['{"mm":"ab******efgh"}']);
moves('Mask comes before Merge and Arithmetic', [ '{"ssn":"123-45-6789","n":"x"}' ],
	[ merge([qw(n ssn)], 'm', CONCAT_FORMAT => '${n}/${ssn}'), mapping('m'), mask('ssn', 'FIRST_N', MASK_LENGTH => '7') ],
	['{"m":"x/*******6789"}']);

# ---------------------------------------------------------------- what is masked stays so

my $secret = 'S3CR3T';
foreach my $case (
	[ 'conversion', 2, [ mask('s', 'ALL'), mapping('s', 's', 'long'), mapping('n') ] ],
	[ 'conversion by the table', 2, [ mask('s', 'ALL'), mapping('s', 'i') ] ],
	[ 'arithmetic', 2, [ mask('s', 'ALL'), arithmetic([qw(s n)], 'x', 'ADDITION'), mapping('x'), mapping('s') ] ],
	[ 'filter', 1, [ mask('s', 'ALL'), rows('s', 'GREATER_THAN', DATA_TYPE => 'integer', VALUE => '1'), mapping('s') ] ],
	[ 'filter of times', 2, [ mask('s', 'ALL'), rows('s', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '1'), mapping('s') ] ],
	[ 'validation', 0, [ mask('s', 'ALL'), validate('s', 'NUMERIC', 'DropDataset'), mapping('s') ] ])
{
	my ($name, $failed, $tasks) = @$case;
	$run = $flows->move(input => lines(qq({"s":"$secret","n":1}), '{"s":"5","n":"x"}'), tasks => $tasks,
		table => 's text, n text, x numeric, i int', write => { errorHandlingConfig => { bucketName => 'errors' } });
	unlike(join("\n", map { $_ // '' } @$run{qw(text errors message stderr refused)}), qr/$secret/, "masked input does not show: $name");
	is($run->{failed}, $failed, '... where it could') or diag($run->{refused} // $run->{message});
	ok($failed == 0 || defined $run->{errors}, '... in the error file');
}
unlike(PostgreSQL::Test::Utils::slurp_file($flows->{node}->logfile), qr/$secret/, 'nor in the server log');
$run = $flows->move(input => lines(qq({"a":{"s":"$secret"},"b":1})), tasks => [ mask('a.s', 'ALL'), map_all() ]);
unlike(join("\n", map { $_ // '' } @$run{qw(text message)}), qr/$secret/, 'a masked path does not show in the object around it');
$run = $flows->move(input => lines(qq({"a":{"s":"$secret"},"b":1})), tasks => [ mask('a.s', 'ALL'), mapping('a'), mapping('a.s') ]);
like($run->{refused}, qr/task 1 masks/, '... is refused');
unlike(join("\n", map { $_ // '' } @$run{qw(text message)}), qr/$secret/, '... mapped explicitly');
moves('a masked path with the object around it left out', [qq({"a":{"s":"$secret"},"b":1})],
	[ mask('a.s', 'ALL'), map_all(EXCLUDE_SOURCE_FIELDS_LIST => '["a"]'), mapping('a.s', 's') ], ['{"s":"*****","b":1}']);

# ---------------------------------------------------------------- Partition

sub partitions
{
	my ($name, $input, $tasks, $expected, %more) = @_;
	my $run = $flows->move(input => $input, tasks => $tasks, %more);
	my %got = map { (s{^\Q$run->{id}\E/}{}r =~ s{[^/]*$}{}r) => $run->{files}{$_} } keys %{ $run->{files} || {} };
	is_deeply(\%got, { map { (encode_utf8($_) => encode_utf8($expected->{$_})) } keys %$expected }, $name)
	  or diag($run->{refused} // $run->{message} // '');
	return $run;
}
partitions('partition keys: null, slash, percent, Unicode, empty', lines(map { qq({"i":"$_->[0]","k":$_->[1]}) }
		[ 1, '"Apparel"' ], [ 2, 'null' ], [ 3, '"a/b"' ], [ 4, '"100%"' ], [ 5, '"Zoë"' ], [ 6, '""' ], [ 7, '"Apparel"' ], [ 8, '".."' ], [ 9, '"a\\nb"' ], [ 10, 'true' ]),
	[ map_all(), partition('k') ],
	{
		'k=Apparel/' => qq({"i":"1","k":"Apparel"}\n{"i":"7","k":"Apparel"}\n), 'k=null/' => qq({"i":"2","k":null}\n),
		'k=a%2Fb/' => qq({"i":"3","k":"a/b"}\n), 'k=100%25/' => qq({"i":"4","k":"100%"}\n), 'k=Zoë/' => qq({"i":"5","k":"Zoë"}\n),
		'k=/' => qq({"i":"6","k":""}\n), 'k=../' => qq({"i":"8","k":".."}\n), 'k=a%0Ab/' => qq({"i":"9","k":"a\\nb"}\n),
		'k=true/' => qq({"i":"10","k":true}\n)
	});
partitions('ten partition keys, in their order', lines('{' . join(',', map { qq("k$_":$_) } 0 .. 9) . '}'),
	[ map_all(), partition(map { "k$_" } reverse 0 .. 9) ],
	{ join('', map { "k$_=$_/" } reverse 0 .. 9) => '{' . join(',', map { qq("k$_":$_) } 0 .. 9) . "}\n" });
partitions('partition by a masked and renamed field', lines('{"a":"abc"}'), [ mapping('a', 'b/c'), mask('a', 'LAST_N', MASK_LENGTH => '2'),
		{ %{ partition() }, taskProperties => { ORDERED_PARTITION_KEYS_LIST => 'b/c' } } ], { 'b%2Fc=a**/' => qq({"b/c":"a**"}\n) });
partitions('partitions of CSV have headers of their own', lines('{"a":"x","n":1}', '{"a":"y","n":2}', '{"a":"x","n":3}'),
	[ map_all(), partition('a') ], { 'a=x/' => "a,n\nx,1\nx,3\n", 'a=y/' => "a,n\ny,2\n" }, to => 'CSV');
$run = $flows->move(input => lines('{"a":"x"}'), tasks => [ map_all(), partition('b') ]);
is($run->{message}, 'partition key "b" is not a field of the destination', 'a partition key that is no field');
my $many = partitions('many partitions at once', lines(map { sprintf '{"k":"%04d","v":"%s"}', $_ % 1500, 'x' x 50 } 1 .. 6000), [ map_all(), partition('k') ],
	{ map { my $k = sprintf '%04d', $_; ("k=$k/" => sprintf(qq({"k":"%s","v":"%s"}\n), $k, 'x' x 50) x 4) } 0 .. 1499 });

# ---------------------------------------------------------------- tables as the source

$flows->sql(q{
	CREATE TABLE public.typed (id int, day date, at timestamptz, wall timestamp, amount numeric(10,2), ok boolean, doc jsonb, note text);
	INSERT INTO public.typed VALUES
		(1, '2024-02-29', '2024-02-29 01:00:00+01', '2024-02-29 01:00:00', 1.50, true, '{"a":{"b":"x"}}', 'one'),
		(2, '2024-03-01', '2024-03-01 00:00:00Z', '2024-03-01 00:00:00', 20, false, '[1]', null),
		(3, null, null, null, null, null, null, 'three');
});

sub from_table
{
	my ($tasks, %more) = @_;
	my $definition = $flows->definition(prefix => 'x', tasks => $tasks, %more);
	$definition->{sourceFlowConfig} = {
		connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
		sourceConnectorProperties => { CustomConnector => { entityName => 'public.typed' } }
	};
	foreach my $task (@$tasks) { $task->{connectorOperator} = { CustomConnector => values %{ $task->{connectorOperator} } }; }
	return $flows->move(definition => $definition);
}

foreach my $case (
	[ 'day', 'GREATER_THAN', { VALUE => '2024-02-29' }, '2' ],
	[ 'day', 'GREATER_THAN', { DATA_TYPE => 'date', VALUE => '1709164800000' }, '2' ],
	[ 'day', 'NOT_EQUAL_TO', { VALUES => '2024-02-29,2024-02-28' }, '2' ],
	[ 'at', 'EQUAL_TO', { VALUE => '2024-02-29T00:00:00Z' }, '1' ],
	[ 'at', 'EQUAL_TO', { DATA_TYPE => 'datetime', VALUE => '1709164800000' }, '1' ],
	[ 'at', 'BETWEEN', { DATA_TYPE => 'datetime', LOWER_BOUND => '2024-02-29T00:00:00Z', UPPER_BOUND => '2024-03-01T00:00:01Z' }, '2' ],
	[ 'wall', 'LESS_THAN', { VALUE => '2024-03-01T00:00:00' }, '1' ],
	[ 'amount', 'GREATER_THAN', { VALUE => '3' }, '2' ],
	[ 'amount', 'EQUAL_TO', { DATA_TYPE => 'decimal', VALUE => '1.5' }, '1' ],
	[ 'ok', 'EQUAL_TO', { VALUE => 'false' }, '2' ],
	[ 'ok', 'NOT_EQUAL_TO', { DATA_TYPE => 'boolean', VALUE => 'false' }, '1' ],
	[ 'note', 'CONTAINS', { VALUES => 'hre,on' }, '1 3' ],
	[ 'id', 'LESS_THAN_OR_EQUAL_TO', { VALUE => '2.5' }, '1 2' ],
	[ 'doc', 'CONTAINS', { VALUE => '"b"' }, '1' ])
{
	my ($field, $operator, $properties, $expected) = @$case;
	$run = from_table([ rows($field, $operator, %$properties), mapping('id') ]);
	is(defined $run->{refused} ? "refused: $run->{refused}" : join(' ', $run->{text} =~ /(\d+)/g), $expected,
		"table: $field $operator " . json_text($properties)) or diag($run->{message} // '');
}
$run = from_table([ map_all(EXCLUDE_SOURCE_FIELDS_LIST => 'doc,wall'), mask('id', 'ALL', MASK_LENGTH => '2'), mask('at', 'LAST_N', MASK_LENGTH => '10'), truncated('amount', '2'),
		merge([qw(day ok)], 'm', CONCAT_FORMAT => '${day}/${ok}'), mapping('m') ]);
is($run->{text}, lines('{"m":"2024-02-29/true","id":"**","day":"2024-02-29","at":"2024-02-29**********","amount":"1.","ok":true,"note":"one"}',
		'{"m":"2024-03-01/false","id":"**","day":"2024-03-01","at":"2024-03-01**********","amount":"20","ok":false,"note":null}',
		'{"m":"/","id":"**","day":null,"at":null,"amount":null,"ok":null,"note":"three"}'), 'table: values of any type are masked, cut and joined as their text')
  or diag($run->{refused} // $run->{message});
$run = from_table([ map_all(), mask('id', 'ALL', MASK_LENGTH => '2'), arithmetic([qw(amount amount)], 's', 'ADDITION'), mapping('s', 's', 'decimal(12,2)') ], to => 'PARQUET');
my $parquet = $flows->parquet($run->{text});
is_deeply($parquet->{types}, [ 'DECIMAL(12,2)', 'VARCHAR', 'DATE', 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMP', 'DECIMAL(10,2)', 'BOOLEAN', 'JSON', 'VARCHAR' ],
	'table to Parquet: types of the columns, text of what is masked') or diag(explain $parquet, $run);
is_deeply($parquet->{rows}[0], [ '3.00', '**', '2024-02-29', '2024-02-29 00:00:00+00', '2024-02-29 01:00:00', '1.50', 'true', '{"a": {"b": "x"}}', 'one' ], '... values');
$run = from_table([ map_all(), partition(qw(day ok)) ], to => 'CSV');
is(join(' ', sort map { s{^[^/]*/}{}r =~ s{/[^/]*$}{}r } keys %{ $run->{files} }), 'day=2024-02-29/ok=true day=2024-03-01/ok=false day=null/ok=null', 'table: partitions by date and boolean');

is_deeply([ $flows->leftovers ], [], 'nothing is left half-written');
done_testing();
