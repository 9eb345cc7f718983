# S3 as source and destination: names of objects, folders, formats, aggregation,
# types, and what becomes of records that fail.
use strict;
use warnings;

use AppflowTest::Flows;
use Test::More;

my $flows = AppflowTest::Flows->new('s3_objects');

sub lines { return join '', map { "$_\n" } @_; }

# ---------------------------------------------------------------- names

# %Y and so on stand for parts of the time when the run was started; E the execution, T all of the time
sub name_of
{
	my ($pattern, $run) = @_;
	my ($date, $time) = $run->{started} =~ /^(\S+)T(\d\d:\d\d:\d\d)/;
	my ($Y, $m, $d) = split /-/, $date;
	my ($H, $M) = split /:/, $time;
	my %parts = (Y => $Y, m => $m, d => $d, H => $H, M => $M, E => $run->{id}, T => "${date}T$time", e => substr($run->{id}, 0, 8));
	return $pattern =~ s/%(\w)/$parts{$1}/gr;
}

my %paths = (YEAR => '%Y', MONTH => '%Y/%m', DAY => '%Y/%m/%d', HOUR => '%Y/%m/%d/%H', MINUTE => '%Y/%m/%d/%H/%M');
my @cases = (
	[ undef, '%E/1-%T' ],
	[ {}, '%E/1-%T' ],
	[ { pathPrefixHierarchy => ['EXECUTION_ID'] }, '%E/1-%T' ],
	[ { pathPrefixHierarchy => ['SCHEMA_VERSION'] }, 'schemaVersion_1/%e-1-%T' ],
	[ { pathPrefixHierarchy => [ 'EXECUTION_ID', 'SCHEMA_VERSION' ] }, 'schemaVersion_1/%E/1-%T' ],
	[ { pathPrefixHierarchy => [ 'SCHEMA_VERSION', 'EXECUTION_ID' ] }, 'schemaVersion_1/%E/1-%T' ],
	[ { prefixType => 'PATH' }, '%E/1-%T' ],
	[ { prefixType => 'PATH', prefixFormat => 'DAY', pathPrefixHierarchy => ['SCHEMA_VERSION'] }, 'schemaVersion_1/%Y/%m/%d/%E/1-%T' ],
	[ { prefixType => 'FILENAME', prefixFormat => 'DAY', pathPrefixHierarchy => ['SCHEMA_VERSION'] }, 'schemaVersion_1/%Y-%m-%d-%e-1-%T' ]);

foreach my $format (sort keys %paths)
{
	my $path = $paths{$format};
	my $file = $path =~ tr{/}{-}r;
	push @cases,
	  [ { prefixType => 'PATH', prefixFormat => $format }, "$path/%E/1-%T" ],
	  [ { prefixFormat => $format }, "$path/%E/1-%T" ],
	  [ { prefixType => 'FILENAME', prefixFormat => $format }, "%E/$file-1-%T" ],
	  [ { prefixType => 'PATH_AND_FILENAME', prefixFormat => $format }, "$path/%E/$file-1-%T" ],
	  [ { prefixType => 'PATH', prefixFormat => $format, pathPrefixHierarchy => [ 'EXECUTION_ID', 'SCHEMA_VERSION' ] },
		"schemaVersion_1/$path/%E/1-%T" ],
	  [ { prefixType => 'FILENAME', prefixFormat => $format, pathPrefixHierarchy => [ 'EXECUTION_ID', 'SCHEMA_VERSION' ] },
		"schemaVersion_1/%E/$file-1-%T" ],
	  [ { prefixType => 'PATH_AND_FILENAME', prefixFormat => $format, pathPrefixHierarchy => ['EXECUTION_ID'] }, "$path/%E/$file-1-%T" ];
}
$flows->put('one/object', lines('{"a":1}'));
foreach my $case (@cases)
{
	my ($config, $pattern) = @$case;
	my $run = $flows->move(prefix => 'one', tasks => [ map_all() ], $config ? (output => { prefixConfig => $config }) : ());
	is(join(' ', keys %{ $run->{files} }), name_of($pattern, $run), 'name by ' . json_text($config)) or diag($run->{refused} // $run->{message});
}
{
	my $definition = $flows->definition(prefix => 'one', tasks => [ map_all(), partition('a') ],
		output => { prefixConfig => { prefixType => 'PATH', prefixFormat => 'YEAR', pathPrefixHierarchy => [ 'SCHEMA_VERSION', 'EXECUTION_ID' ] } });
	my $run = $flows->move(definition => $definition);
	is(join(' ', keys %{ $run->{files} }), name_of('schemaVersion_1/%Y/%E/a=1/1-%T', $run), 'name with partition');
	$definition = $flows->definition(prefix => 'one', tasks => [ map_all() ]);
	delete $definition->{destinationFlowConfigList}[0]{destinationConnectorProperties}{S3}{bucketPrefix};
	$run = $flows->move(definition => $definition);
	is(join(' ', keys %{ $flows->objects('target', $run->{name}) }), name_of('%E/1-%T', $run), 'name without a bucketPrefix');
	$definition = $flows->definition(prefix => 'one', tasks => [ map_all() ]);
	$definition->{destinationFlowConfigList}[0]{destinationConnectorProperties}{S3}{bucketPrefix} .= '/deep/';
	$run = $flows->move(definition => $definition);
	is(join(' ', keys %{ $flows->objects('target', "out$flows->{number}/deep/$run->{name}") }), name_of('%E/1-%T', $run),
		'a bucketPrefix with a slash at its end');
	ok($run->{text} eq '', '... and nothing elsewhere');
}

$flows->{node}->safe_psql('postgres', 'ALTER DATABASE postgres SET appflow.portable_object_names = on');
foreach my $type (qw(CSV JSON PARQUET))
{
	my %extension = (CSV => 'csv', JSON => 'jsonl', PARQUET => 'parquet');
	my $run = $flows->move(prefix => 'one', tasks => [ map_all() ], output => { fileType => $type });
	like(join(' ', keys %{ $run->{files} }), qr{/1-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.$extension{$type}$}, "portable name of $type")
	  or diag($run->{refused} // $run->{message});
}
$flows->{node}->safe_psql('postgres', 'ALTER DATABASE postgres RESET appflow.portable_object_names');

# ---------------------------------------------------------------- what is read

$flows->put('in/2026/b', lines('{"n":2}'));
$flows->put('in/2026/a', lines('{"n":1}'));
$flows->put('in/2026/deep/er/c', lines('{"n":3}'));
$flows->put('in/2026-old/x', lines('{"n":-1}'));
$flows->put('in/2026x', lines('{"n":-2}'));
$flows->put('in/2026/empty', '');
$flows->put('in/2026/blank', "\n \n");
my $run = $flows->move(prefix => 'in/2026', tasks => [ map_all() ], output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is($run->{text}, lines('{"n":1}', '{"n":2}', '{"n":3}'), 'a prefix is a folder, objects come in order, empty ones have no records');
$run = $flows->move(prefix => 'in/2026/', tasks => [ map_all() ]);
is($run->{processed}, 3, 'a prefix with a slash at its end');
$run = $flows->move(prefix => 'in/20', tasks => [ map_all() ]);
is("$run->{status} $run->{processed} " . keys %{ $run->{files} }, 'Successful 0 0', 'the start of a name is no folder: no records, no file');
{
	my $definition = $flows->definition(prefix => 'x', tasks => [ map_all() ]);
	$definition->{sourceFlowConfig}{sourceConnectorProperties}{S3}{bucketPrefix} = '';
	$run = $flows->move(definition => $definition);
	like($run->{refused} // $run->{message} // $run->{status}, qr/Successful|bucketPrefix/, 'an empty prefix');
	if (!defined $run->{refused})
	{
		is($run->{processed}, 6, '... is the whole bucket');
	}
}

my @many = map { sprintf 'o%04d', $_ } 1 .. 1200;
$flows->put("many/$_", qq({"k":"$_"}\n)) foreach @many;
$run = $flows->move(prefix => 'many', tasks => [ map_all() ], output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is($run->{text}, lines(map { qq({"k":"$_"}) } @many), '1,200 objects into one');
is(keys %{ $run->{files} }, 1, '... file');
$run = $flows->move(prefix => 'many', tasks => [ map_all() ]);
is(keys %{ $run->{files} }, 1200, 'aggregation None: one for one');
is_deeply([ sort { $a cmp $b } values %{ $run->{files} } ], [ map { qq({"k":"$_"}\n) } @many ], '... with the same records');

my $megabyte = lines(map { sprintf '{"k":"%01000d"}', $_ } 1 .. 2500);
$run = $flows->move(input => { a => $megabyte, b => $megabyte }, tasks => [ map_all() ],
	output => { aggregationConfig => { aggregationType => 'None', targetFileSize => 1 } });
my @sizes = map { length } values %{ $run->{files} };
cmp_ok(scalar @sizes, '>=', 4, 'targetFileSize: several files') or diag("@sizes");
cmp_ok((sort { $b <=> $a } @sizes)[0], '<=', 2.2 * 1024 * 1024, '... of about that size') or diag("@sizes");
my $total = 0;
$total += $_ foreach @sizes;
is($total, 2 * length $megabyte, '... with all of it');
my @records = map { split /^/ } values %{ $run->{files} };
is(scalar(grep { !/^\{"k":"\d{1000}"\}\n$/ } @records), 0, '... cut between records');
srand 42;
my $random = lines(map { sprintf '{"k":"%s"}', join '', map { chr 97 + int rand 26 } 1 .. 1000 } 1 .. 5000);
foreach my $to (qw(CSV PARQUET))
{
	$run = $flows->move(input => $random, tasks => [ map_all() ], to => $to, output => { aggregationConfig => { targetFileSize => 1 } });
	@sizes = map { length } values %{ $run->{files} };
	cmp_ok(scalar @sizes, '>=', 3, "targetFileSize: $to") or diag("@sizes");
	cmp_ok((sort { $b <=> $a } @sizes)[0], '<=', 2.2 * 1024 * 1024, '... of about that size') or diag("@sizes");
	my $count = 0;
	$count += $to eq 'CSV' ? ($run->{files}{$_} =~ tr/\n//) - 1 : @{ $flows->parquet($run->{files}{$_})->{rows} } foreach keys %{ $run->{files} };
	is("$run->{processed} $count", '5000 5000', '... with all of it');
}

# ---------------------------------------------------------------- names that a store cannot have

$run = $flows->move(input => lines('{"k":"ok"}', '{"k":"' . 'x' x 2000 . '"}'), tasks => [ map_all(), partition('k') ]);
is("$run->{status} " . keys %{ $run->{files} }, 'Error 0', 'a partition value too long for a key ends the run, nothing is written');
like($run->{message}, qr/^the key of an object must not be longer than 1024 bytes/, '... and says why');
foreach my $prefix ('../escape', 'a/../../b', 'a//b', "tab\there")
{
	my $definition = $flows->definition(prefix => 'one', tasks => [ map_all() ]);
	$definition->{destinationFlowConfigList}[0]{destinationConnectorProperties}{S3}{bucketPrefix} = $prefix;
	$run = $flows->move(definition => $definition);
	like($run->{message} // '', $prefix =~ /tab/ ? qr/^$/ : qr/cannot hold an object of key "\Q$prefix\E/, 'bucketPrefix ' . json_text($prefix));
	ok(!-e "$flows->{root}/escape" && !-e "$flows->{root}/b", '... stays in its bucket');
}

# ---------------------------------------------------------------- CSV

my $csv = "\xEF\xBB\xBFid,name,note\r\n1,Ann,\"two\r\nlines\"\r\n2,\"B, \"\"x\"\"\",\r\n\r\n3,,\"\"";
$run = $flows->move(input => $csv, from => 'CSV', tasks => [ map_all() ]);
is($run->{text}, lines('{"id":"1","name":"Ann","note":"two\r\nlines"}', '{"id":"2","name":"B, \"x\"","note":null}', '{"id":"3","name":null,"note":""}'),
	'CSV: byte order mark, CRLF, quotes, newlines in quotes, no newline at the end');
$run = $flows->move(input => $csv, from => 'CSV', to => 'CSV', tasks => [ map_all() ]);
is($run->{text}, "id,name,note\n1,Ann,\"two\r\nlines\"\n2,\"B, \"\"x\"\"\",\n3,,\"\"\n", 'CSV to CSV: LF, quotes where needed, null is nothing');
$run = $flows->move(input => { a => "x,y\n1,2\n", b => "z,y\n3,4\n", c => "y\n5\n" }, from => 'CSV', to => 'CSV', tasks => [ map_all() ]);
is_deeply([ map { $run->{files}{$_} } sort keys %{ $run->{files} } ], [ "x,y\n1,2\n", "x,y,z\n,4,3\n", "x,y,z\n,5,\n" ],
	'CSV: headers that differ') or diag($run->{message} // '');
$run = $flows->move(input => { a => "x,y\n1,2\n", b => "y,x\n4,3\n", c => "y\n5\n" }, from => 'CSV', tasks => [ mapping('x'), mapping('y') ]);
is($run->{message}, "object \"s3://source/in$flows->{number}/c\" has no column \"x\"", 'CSV: a column that is asked for by name must be there');
$run = $flows->move(input => { a => "x,y\n1,2\n", b => "y,x\n4,3\n", c => "y,x\n" }, from => 'CSV', tasks => [ mapping('x'), mapping('y') ]);
is($run->{text}, lines('{"x":"1","y":"2"}', '{"x":"3","y":"4"}'), 'CSV: columns in another order; a header alone');
{
	my $definition = $flows->definition(input => "x\n1\n", tasks => [ map_all() ]);
	delete $definition->{sourceFlowConfig}{sourceConnectorProperties}{S3}{s3InputFormatConfig};
	$run = $flows->move(definition => $definition);
	is($run->{text}, lines('{"x":"1"}'), 'CSV is what is read without s3InputFormatConfig');
}

# ---------------------------------------------------------------- JSON

$run = $flows->move(input => { a => '[{"a":1}, {"a":2,"b":{"c":[1, 2]}}]', b => lines('{"a":3}', '', '{"a":4}'), c => "\xEF\xBB\xBF{\"a\":5}{\"a\":6}", d => '[]' },
	tasks => [ map_all() ]);
is($run->{text}, lines('{"a":1}', '{"a":2,"b":{"c":[1, 2]}}', '{"a":3,"b":null}', '{"a":4,"b":null}', '{"a":5,"b":null}', '{"a":6,"b":null}'),
	'JSON: arrays, lines, blank lines, byte order mark, no newline')
  or diag($run->{message} // '');
$run = $flows->move(input => lines('{"a":"\u00e9\ud83d\ude00\n\"\\\\","b":1.10,"c":12345678901234567890,"d":1E5,"e":-0}'), tasks => [ map_all() ]);
is($run->{text}, qq({"a":"\xC3\xA9\xF0\x9F\x98\x80\\n\\"\\\\","b":1.10,"c":12345678901234567890,"d":1E5,"e":-0}\n), 'JSON: values come out as they went in');

# ---------------------------------------------------------------- Parquet

my $typed = lines(
	'{"i":1,"l":9223372036854775807,"d":0.5,"m":12345678901234567890.5,"b":true,"day":"2024-02-29","at":"2024-02-29T01:02:03.456Z","local":"2024-02-29T01:02:03","s":"x","o":{"k":[1]},"n":null,"mix":1}',
	'{"i":-2,"l":0,"d":1e3,"m":1,"b":false,"day":null,"at":"2024-02-29T01:02:03+01:00","local":null,"s":"","o":null,"n":null,"mix":"a"}');
$run = $flows->move(input => $typed, to => 'PARQUET', tasks => [ map_all() ]);
my $parquet = $flows->parquet($run->{text});
my %types;
@types{ @{ $parquet->{columns} } } = @{ $parquet->{types} };
is_deeply(\%types, {
		i => 'BIGINT', l => 'BIGINT', d => 'DOUBLE', m => $types{m}, b => 'BOOLEAN', day => 'DATE', at => 'TIMESTAMP WITH TIME ZONE',
		local => 'TIMESTAMP', s => 'VARCHAR', o => 'JSON', n => 'VARCHAR', mix => 'VARCHAR' }, 'Parquet: types by the sample')
  or diag(explain $parquet);
is_deeply($parquet->{rows}[0], [ '1', '9223372036854775807', '0.5', $parquet->{rows}[0][3], 'true', '2024-02-29', '2024-02-29 01:02:03.456+00',
		'2024-02-29 01:02:03', 'x', '{"k":[1]}', undef, '1' ], '... values');
like($parquet->{rows}[0][3], qr/^12345678901234567890\.50*$/, '... no digit of a decimal is lost');
is_deeply($parquet->{rows}[1], [ '-2', '0', '1000.0', $parquet->{rows}[1][3], 'false', undef, '2024-02-29 00:02:03+00', undef, '', undef, undef, 'a' ], '... more values');
$run = $flows->move(input => $typed, to => 'PARQUET', tasks => [ map_all() ], output => { preserveSourceDataTyping => JSON::PP::false });
$parquet = $flows->parquet($run->{text});
is_deeply([ grep { $_ ne 'VARCHAR' } @{ $parquet->{types} } ], [], 'Parquet without types: text');
is_deeply($parquet->{rows}[0], [ '1', '9223372036854775807', '0.5', '12345678901234567890.5', 'true', '2024-02-29', '2024-02-29T01:02:03.456Z',
		'2024-02-29T01:02:03', 'x', '{"k":[1]}', undef, '1' ], '... as it was read');
$run = $flows->move(input => "a,b,c,d\n1,007,true,2024-01-01\n2,x,,\n", from => 'CSV', to => 'PARQUET', tasks => [ map_all() ]);
$parquet = $flows->parquet($run->{text});
is_deeply([ @{ $parquet->{types} }, @{ $parquet->{rows}[0] } ], [ qw(BIGINT VARCHAR BOOLEAN DATE 1 007 true 2024-01-01) ], 'Parquet: types of CSV by its text');
$run = $flows->move(input => lines('{"p":12345,"n":7,"t":98765}'), to => 'PARQUET',
	tasks => [ map_all(), mask('p', 'LAST_N', MASK_LENGTH => '3'), truncated('t', '2'), mapping('p', 'q') ]);
$parquet = $flows->parquet($run->{text});
is_deeply([ map { [ $parquet->{columns}[$_], $parquet->{types}[$_], $parquet->{rows}[0][$_] ] } 0 .. 3 ],
	[ [ 'q', 'VARCHAR', '12***' ], [ 'p', 'VARCHAR', '12***' ], [ 'n', 'BIGINT', '7' ], [ 't', 'VARCHAR', '98' ] ], 'Parquet: what is masked or truncated is text')
  or diag($run->{message});
$run = $flows->move(input => lines('{"a":1,"b":"2.5"}'), to => 'PARQUET',
	tasks => [ mapping('a', 'a', 'string'), mapping('b', 'b', 'decimal(10,2)'), mapping('b', 'c', 'double'), arithmetic([qw(a b)], 'x', 'ADDITION'), mapping('x', 'x', 'decimal(5,1)') ]);
$parquet = $flows->parquet($run->{text});
is_deeply([ $parquet->{types}, $parquet->{rows}[0] ], [ [ 'VARCHAR', 'DECIMAL(10,2)', 'DOUBLE', 'DECIMAL(5,1)' ], [ '1', '2.50', '2.5', '3.5' ] ], 'Parquet: declared types')
  or diag($run->{message});
# behind the sample all is possible
my $sampled = lines((map { qq({"a":$_,"b":"x"}) } 1 .. 20000), (map { qq({"a":$_,"c":1}) } 20001 .. 25000), '{"a":"late text"}');
$run = $flows->move(input => $sampled, to => 'PARQUET', tasks => [ map_all() ]);
is("$run->{status} $run->{processed} $run->{failed}", 'Successful 25001 1', 'Parquet: a value that the type of the sample cannot hold fails');
like($run->{message}, qr/line 25001: field "a": "late text" is not an integer$/, '... and says where');
my @files = map { $flows->parquet($run->{files}{$_}) } sort keys %{ $run->{files} };
is_deeply([ map { [ $_->{columns}, $_->{types}, scalar @{ $_->{rows} } ] } @files ],
	[ [ [qw(a b)], [qw(BIGINT VARCHAR)], 20000 ], [ [qw(a b c)], [qw(BIGINT VARCHAR VARCHAR)], 5000 ] ], '... a late field begins a new file');
$run = $flows->move(input => $sampled, to => 'PARQUET', tasks => [ map_all() ], output => { aggregationConfig => { aggregationType => 'SingleFile' } });
@files = map { $flows->parquet($_) } values %{ $run->{files} };
is_deeply([ map { [ $_->{columns}, $_->{types}, scalar @{ $_->{rows} } ] } @files ], [ [ [qw(a b c)], [qw(VARCHAR VARCHAR BIGINT)], 25001 ] ],
	'Parquet: a single file takes all records for its sample');

# ---------------------------------------------------------------- no records

foreach my $to (qw(CSV JSON PARQUET))
{
	$run = $flows->move(input => '', to => $to, tasks => [ mapping('a') ]);
	is("$run->{status} $run->{processed} " . keys %{ $run->{files} }, 'Successful 0 0', "no record, no file: $to") or diag($run->{message} // $run->{refused});
	$run = $flows->move(input => lines('{"a":1}'), to => $to, tasks => [ mapping('a'), rows('a', 'GREATER_THAN', DATA_TYPE => 'int', VALUE => '1') ]);
	is("$run->{status} $run->{processed} $run->{filtered} " . keys %{ $run->{files} }, 'Successful 0 1 0', '... nor when all are filtered');
}

# ---------------------------------------------------------------- failures

my @half = (input => lines('{"a":1}', '{"a":"x"}', '{"a":3}', '{"a":"y"}'), tasks => [ mapping('a', 'a', 'int') ]);
$run = $flows->move(@half);
is("$run->{status} $run->{processed} $run->{failed}", 'Successful 4 2', 'failures are counted');
is($run->{text}, lines('{"a":1}', '{"a":3}'), '... and left out');
$run = $flows->move(@half, table => 'a int', write => { errorHandlingConfig => { bucketName => 'errors', bucketPrefix => 'why/' } });
is("$run->{status} $run->{processed} $run->{failed} $run->{text}", 'Successful 4 2 [{"a":1}, {"a":3}]', 'with an error file');
is(($run->{errors} // '') =~ tr/\n//, 2, '... of two lines');
ok(exists $flows->objects('errors', '')->{"why/$run->{name}/$run->{id}/1.jsonl"}, '... at its place');
like($run->{message}, qr{; all are in s3://errors/why/$run->{name}/$run->{id}/1\.jsonl$}, '... which the message tells');
$run = $flows->move(@half, table => 'a int', write => { errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => JSON::PP::true } });
is("$run->{status} $run->{failed} $run->{text}", 'Error 1 ', 'failOnFirstDestinationError stops the run, nothing is written');
like($run->{message}, qr/line 2: field "a": "x" is not an integer/, '... for the reason');
is(($run->{errors} // '') =~ tr/\n//, 1, '... which is in the error file');
$run = $flows->move(@half, table => 'a int', write => { errorHandlingConfig => { failOnFirstDestinationError => JSON::PP::true } });
is("$run->{status} $run->{failed}", 'Error 1', '... and without a bucket');
$run = $flows->move(input => lines('{"a":"x"}', '{"a":"y"}'), tasks => [ mapping('a', 'a', 'int') ]);
is("$run->{status} $run->{failed} " . keys %{ $run->{files} }, 'Error 2 0', 'all records failed: an error');
like($run->{message}, qr/^all 2 records failed; the first: .*line 1: field "a": "x" is not an integer/, '... and says why');
$run = $flows->move(input => lines('{"a":"x"}'), tasks => [ mapping('a', 'a', 'int') ], table => 'a int',
	write => { errorHandlingConfig => { bucketName => 'errors' } });
is("$run->{status} $run->{failed}", 'Error 1', '... into a table');
is(($run->{errors} // '') =~ tr/\n//, 1, '... with its error file');

is_deeply([ $flows->leftovers ], [], 'nothing is left half-written');
done_testing();
