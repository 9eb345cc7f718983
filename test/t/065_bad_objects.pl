# Malformed objects in the middle of a prefix: the run is an error that names
# object, line and column, and nothing of it can be seen.
use strict;
use warnings;

use AppflowTest::Flows;
use Test::More;

my $flows = AppflowTest::Flows->new('bad_objects');
my $good = { CSV => "a,b\n1,x\n2,y\n", JSON => qq({"a":1,"b":"x"}\n{"a":2,"b":"y"}\n) };

# bytes => what the message says behind the object's name
my @cases = (
	[ 'JSON', qq({"a":1}\n{"a":2,}\n), 'line 2, column 8: ' ],
	[ 'JSON', qq({"a":1}\n{"a":2\n), 'line 3, column 1: ' ],
	[ 'JSON', qq({"a":1}\n{"a":01}\n), 'line 2, column 6: ' ],
	[ 'JSON', qq({"a":1}\n{'a':1}\n), 'line 2, column 2: ' ],
	[ 'JSON', qq({"a":1}\n\n\n{"a":"x\ty"}\n), 'line 4, column 8: ' ],
	[ 'JSON', qq({"a":"\xff"}\n), 'line 1, column 7: ' ],
	[ 'JSON', qq({"a":"\xc3\x28"}\n), 'line 1, column 7: ' ],
	[ 'JSON', qq({"a":"\\ud800"}\n), 'line 1, column ' ],
	[ 'JSON', qq({"a":"\\u0000"}\n), 'line 1, column ' ],
	[ 'JSON', qq({"a":1,"a":2}\n), 'line 1, column ' ],
	[ 'JSON', qq([{"a":1},{"a":2}\n), 'line 2, column 1: ' ],
	[ 'JSON', qq([{"a":1},2]\n), 'line 1, column 10: ' ],
	[ 'JSON', qq([{"a":1}] {"a":2}\n), 'line 1, column 11: ' ],
	[ 'JSON', qq("text"\n), 'line 1, column 1: ' ],
	[ 'JSON', qq(null\n), 'line 1, column 1: ' ],
	[ 'JSON', qq(a,b\n1,2\n), 'line 1, column 1: ' ],
	[ 'JSON', qq({"a":NaN}\n), 'line 1, column 6: ' ],
	[ 'JSON', qq({"a":1} // no\n), 'line 1, column 9: ' ],
	[ 'JSON', '{"a":' . '[' x 1000 . ']' x 1000 . "}\n", 'line 1, column ' ],
	[ 'JSON', "\x1f\x8b\x08\x00\x00\x00\x00\x00", 'line 1, column 1: ' ],
	[ 'JSON', "PAR1\x00\x00", 'line 1, column 1: ' ],
	[ 'CSV', "a,b\n1,2\n3\n", 'line 3' ],
	[ 'CSV', "a,b\n1,2\n3,4,5\n", 'line 3' ],
	[ 'CSV', "a,b\n1,\"2\n3,4\n", 'line 2' ],
	[ 'CSV', "a,b\n1,\"2\"x\n", 'line 2, column 6: ' ],
	[ 'CSV', "a,b\n1,2\"3\n", 'line 2, column 4: ' ],
	[ 'CSV', "a,a\n1,2\n", 'line 1' ],
	[ 'CSV', "a,\n1,2\n", 'line 1' ],
	[ 'CSV', "a,b\n1,\xff\n", 'line 2, column 3: ' ],
	[ 'CSV', "a,b\n1,\x00\n", 'line 2, column 3: ' ],
	[ 'CSV', "a,b\n\"multi\nline\",2\n3,4,5\n", 'line 4' ]);

foreach my $case (@cases)
{
	my ($format, $bytes, $place) = @$case;
	(my $shown = substr $bytes, 0, 40) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
	foreach my $to (qw(JSON table))
	{
		my $run = $flows->move(input => { '1' => $good->{$format}, '2' => $bytes, '3' => $good->{$format} }, from => $format,
			$to eq 'table' ? (table => 'a text, b text') : (to => $to), tasks => [ map_all() ]);
		is($run->{status}, 'Error', "$format $shown: the run fails ($to)");
		like($run->{message}, qr{^object "s3://source/in$flows->{number}/2" is malformed: \Q$place\E.*[a-z]}, '... and says where');
		is_deeply([ keys %{ $run->{files} }, grep { $_ ne '' } $run->{text} ], [], '... nothing is written');
		is($run->{processed}, 0, '... or counted');
	}
}

# a record that is too large, and one that is just large
my $run = $flows->move(input => '{"a":"' . 'x' x (65 * 1024 * 1024) . '"}', tasks => [ map_all() ]);
is($run->{status}, 'Error', 'a record of 65 MB');
like($run->{message}, qr{^object "s3://source/in\d+/object" has a record of more than 64 MB}, '... is too large');
$run = $flows->move(input => '{"a":"' . 'x' x (20 * 1024 * 1024) . '"}', tasks => [ map_all() ]);
is("$run->{status} " . length $run->{text}, 'Successful ' . (20 * 1024 * 1024 + 9), 'a record of 20 MB');

# the same objects, mended: the run goes through
$flows->put("in1/2", $good->{JSON});
$run = $flows->move(prefix => 'in1', tasks => [ map_all() ]);
is("$run->{status} $run->{processed}", 'Successful 6', 'a mended object');

# what is missing
$run = $flows->move(prefix => 'nowhere', tasks => [ map_all() ]);
is("$run->{status} $run->{processed}", 'Successful 0', 'a folder that is not there has no records');
foreach my $end (qw(source destination))
{
	my $definition = $flows->definition(prefix => 'in1', tasks => [ map_all() ]);
	my $config = $end eq 'source' ? $definition->{sourceFlowConfig} : $definition->{destinationFlowConfigList}[0];
	$config->{"${end}ConnectorProperties"}{S3}{bucketName} = 'no-such-bucket';
	$run = $flows->move(definition => $definition);
	is($run->{status}, 'Error', "no such bucket as $end");
	like($run->{message}, qr/no-such-bucket/, '... and says which');
}
is_deeply([ $flows->leftovers ], [], 'nothing is left half-written');
done_testing();
