# Every constraint of every operation's input, at its boundaries: requests made
# from the model (src/operations/appflow.shapes) go through
# appflow.validate_request, which must accept or refuse each exactly, with the
# right path and the right words.
#
# For each member at any depth: minimum, minimum - 1, maximum, maximum + 1,
# pattern miss, wrong type, missing, unknown enum value, each enum value as it is
# and in another case.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->ascii->canonical->allow_nonref;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

# ---------- the model ----------

my (%shape, %operation, $current);
open(my $in, '<', '../src/operations/appflow.shapes') or die "appflow.shapes: $!";
while (<$in>)
{
	chomp;
	next if /^(#|\s*$)/;
	if (/^\tpattern (.+)/) { $current->{pattern} = $1; }
	elsif (/^\tenum (.+)/) { $current->{enum} = [ split ' ', $1 ]; }
	elsif (/^\t(\S+) (\S+)(.*)/)
	{
		my ($name, $of, $words) = ($1, $2, $3);
		push @{ $current->{members} }, { name => $name, shape => $of, required => $words =~ /\brequired\b/ ? 1 : 0 };
	}
	elsif (/^operation (\S+) \S+ \S+ (\S+)/) { $operation{$1} = $2; }
	else
	{
		my ($kind, $name, @rest) = split;
		$current = $shape{$name} = { kind => $kind, name => $name };
		$current->{key} = shift @rest if $kind eq 'map';
		$current->{element} = shift @rest if $kind =~ /^(map|list)$/;
		foreach (@rest)
		{
			/^(min|max)=(\d+)/ ? ($current->{$1} = $2 + 0) : ($current->{$_} = 1);
		}
	}
}
close $in;
is(scalar keys %operation, 25, 'operations');
is(scalar keys %shape, 416, 'shapes');

# ---------- strings of a given length for each pattern, and strings that miss it ----------

# [ shortest, makes a string of so many characters, misses ]
sub fill { my ($head, $tail) = @_; return sub { $head . ('a' x ($_[0] - length("$head$tail"))) . $tail } }
sub arn { my ($head) = @_; return [ length("$head:1:"), fill($head, ':1:'), [ "${head}x:y:z", $head, "x${head}:1:" ] ] }

my %pattern = (
	'\S+' => [ 1, fill('', ''), [ '', 'a b', "a\t", "a\n", ' ' ] ],
	'.*' => [ 0, fill('', ''), [ "a\nb", "\r", "a\x{2028}", "\x{85}" ] ],
	'.+' => [ 1, fill('', ''), [ '', "a\nb", "a\x{2029}b" ] ],
	'[ -~]+' => [ 1, fill('~', ''), [ '', "a\tb", "\x{e9}" ] ],
	'[\w]+' => [ 1, fill('_', ''), [ '', 'a-b', "\x{e9}", "a\n" ] ],
	'[\w/-]+' => [ 1, fill('-', ''), [ '', 'a b', 'a.b' ] ],
	'[\w!@#\-.?,\s]*' => [ 0, fill('', ''), [ 'a/b', 'a+b', "\x{e9}", '(' ] ],
	'[a-zA-Z0-9][\w!@#.-]+' => [ 2, fill('9-', ''), [ 'a', '_a', '-ab', 'a b', 'a/b', "a\x{df}", "ab\n" ] ],
	'[\w/!@#+=.-]+' => [ 1, fill('/', ''), [ '', 'a b', 'a,b', 'a:b' ] ],
	'[\s\w/!@#+=.-]*' => [ 0, fill('', ''), [ 'a,b', 'a:b', '"' ] ],
	'[\s\w/!@#+=,.-]*' => [ 0, fill('', ''), [ 'a:b', '"', "\x{e9}" ] ],
	'[\s\w_-]+' => [ 1, fill(' ', ''), [ '', 'a.b', 'a/b' ] ],
	'[\s\w+-=\.:/@]*' => [ 0, fill('', ''), [ 'a!b', 'a%b', '>' ] ],
	'^(?!aws:)[a-zA-Z+-=._:/]+$' => [ 1, fill('Z', ''), [ '', 'aws:', 'aws:x', 'a b', '@', "\x{e9}" ] ],
	'^\d{3}$' => [ 3, sub { '7' x $_[0] }, [ 'abc', '12a', "\x{663}\x{663}\x{663}" ] ],
	'^[a-zA-Z0-9_]*$' => [ 0, fill('', ''), [ 'a-', '-' ] ],
	'^(https?)://[-a-zA-Z0-9+&@#/%?=~_|!:,.;]*[-a-zA-Z0-9+&@#/%=~_|]' =>
	  [ 8, fill('http://', ''), [ 'http://', 'ftp://a', 'xhttps://a', 'https://a b', 'https://a?', 'https:/a' ] ],
	'^([a-zA-Z0-9_=]+)\.([a-zA-Z0-9_=]+)\.([a-zA-Z0-9_\-\+\/=]*)' =>
	  [ 4, fill('a.b.', ''), [ '', 'a.b', 'a..c', 'a.b.c.d', 'a b.c.d' ] ],
	'^$|com.amazonaws.vpce.[\w/!:@#.\-]+' =>
	  [ 20, fill('com.amazonaws.vpce.', ''), [ 'a', 'com.amazonaws.vpce.', 'com.amazonaws.vpce. ' ] ],
	'^(upsolver-appflow)\S*' => [ 16, fill('upsolver-appflow', ''), [ 'my-upsolver-appflow', 'upsolver-appflow a' ] ],
	'[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*' =>
	  [ 0, fill('', ''), [ "a\nb", "\x{1}", "\x{fffe}" ] ],
	'arn:aws:.*:.*:[0-9]+:.*' => arn('arn:aws:s:'),
	'arn:aws:appflow:.*:[0-9]+:.*' => arn('arn:aws:appflow:'),
	'arn:aws:iam:.*:[0-9]+:.*' => arn('arn:aws:iam:'),
	'arn:aws:kms:.*:[0-9]+:.*' => arn('arn:aws:kms:'),
	'arn:aws:secretsmanager:.*:[0-9]+:.*' => arn('arn:aws:secretsmanager:'));

sub string_of
{
	my ($s, $length) = @_;
	return $s->{pattern} ? $pattern{ $s->{pattern} }[1]->($length) : 'a' x $length;
}

sub shortest
{
	my ($s) = @_;
	my $by_pattern = $s->{pattern} ? $pattern{ $s->{pattern} }[0] : 0;
	return $by_pattern > ($s->{min} // 0) ? $by_pattern : $s->{min} // 0;
}

# ---------- requests ----------

# a value that is right, with nothing in it that need not be
sub least
{
	my ($name) = @_;
	my $s = $shape{$name} or die "no shape $name";
	return { map { $_->{name} => least($_->{shape}) } grep { $_->{required} } @{ $s->{members} || [] } }
	  if $s->{kind} eq 'structure';
	return [ map { least($s->{element}) } 1 .. $s->{min} // 0 ] if $s->{kind} eq 'list';
	return {} if $s->{kind} =~ /^(map|document)$/;
	return $s->{enum}[0] if $s->{enum};
	return string_of($s, shortest($s) || 1) if $s->{kind} eq 'string';
	return $s->{min} // 1 if $s->{kind} =~ /^(integer|long)$/;
	return 1.5 if $s->{kind} eq 'double';
	return 1700000000 if $s->{kind} eq 'timestamp';
	return $true;
}

my @cases;

# $build puts a value at the place under test into a request that is right otherwise
sub accepted
{
	my ($operation, $what, $build, $value, $canonical) = @_;
	push @cases, { operation => $operation, what => $what, request => $build->($value),
		canonical => $build->(@_ > 4 ? $canonical : $value) };
}

sub refused
{
	my ($operation, $what, $build, $value, $path, @constraints) = @_;
	push @cases, { operation => $operation, what => $what, request => $build->($value), path => $path,
		constraints => \@constraints };
}

# what shape_check_string() must find wrong, in its order
sub wrong_string
{
	my ($s, $value) = @_;
	my @wrong;
	push @wrong, 'Member must have length less than or equal to ' . $s->{max}
	  if defined $s->{max} && length($value) > $s->{max};
	push @wrong, 'Member must have length greater than or equal to ' . $s->{min}
	  if defined $s->{min} && length($value) < $s->{min};
	return @wrong;
}

sub all_constraints
{
	my ($s) = @_;
	return '[' . join(', ',
		$s->{enum} ? 'Member must satisfy enum value set: [' . join(', ', @{ $s->{enum} }) . ']' : (),
		defined $s->{max} ? "Member must have length less than or equal to $s->{max}" : (),
		defined $s->{min} ? "Member must have length greater than or equal to $s->{min}" : (),
		defined $s->{pattern} ? "Member must satisfy regular expression pattern: $s->{pattern}" : ()) . ']';
}

# strings within and beyond a shape: [ value ] is right, [ value, constraint... ] wrong
sub strings
{
	my ($s) = @_;
	my @strings;
	return (map { [$_] } @{ $s->{enum} }), [ 'Bogus', 'Member must satisfy enum value set: [' . join(', ', @{ $s->{enum} }) . ']' ]
	  if $s->{enum};
	my $shortest = shortest($s);
	push @strings, [ string_of($s, $shortest) ] if $shortest || defined $s->{min} || $s->{pattern};
	if (defined $s->{min} && $s->{min} > 1 && $shortest == $s->{min} && ($s->{pattern} // '') !~ /upsolver|\{3\}/)
	{
		my $short = string_of($s, $s->{min} - 1);
		push @strings, [ $short, wrong_string($s, $short) ];
	}
	if (defined $s->{max})
	{
		push @strings, [ string_of($s, $s->{max}) ];
		my $long = string_of($s, $s->{max} + 1);
		push @strings, [ $long, wrong_string($s, $long),
			($s->{pattern} // '') =~ /\{3\}/ ? "Member must satisfy regular expression pattern: $s->{pattern}" : () ];

		# length is counted in characters
		push @strings, [ "\x{e9}" x $s->{max} ], [ "\x{1f600}" x $s->{max} ],
		  [ "\x{1f600}" x ($s->{max} + 1), wrong_string($s, 'x' x ($s->{max} + 1)) ]
		  if !$s->{pattern} || $s->{pattern} =~ /^(\\S\+|\.[*+])$/;
	}
	if ($s->{pattern})
	{
		push @strings, map { [ $_, wrong_string($s, $_),
			"Member must satisfy regular expression pattern: $s->{pattern}" ] } @{ $pattern{ $s->{pattern} }[2] };
	}
	return @strings;
}

my %type_word = (string => 'a string', integer => 'an integer', long => 'an integer', double => 'a number',
	boolean => 'a boolean', timestamp => 'a number of seconds since 1970 or an ISO 8601 date and time',
	list => 'an array', map => 'an object', structure => 'an object', document => 'an object');

sub walk
{
	my ($operation, $name, $path, $build) = @_;
	my $s = $shape{$name};
	my $kind = $s->{kind};
	my $here = "$path $name";

	accepted($operation, "$here: least", $build, least($name));
	my $wrong = $kind =~ /^(string|timestamp|list|map|structure|boolean|document)$/ ? 5 : 'x';
	$wrong = {} if $kind eq 'timestamp';
	refused($operation, "$here: wrong type", $build, $wrong, $path, "Member must be $type_word{$kind}");
	refused($operation, "$here: array", $build, [], $path, "Member must be $type_word{$kind}") if $kind ne 'list';

	if ($kind eq 'string')
	{
		foreach (strings($s))
		{
			my ($value, @wrong) = @$_;
			@wrong ? refused($operation, "$here: bad text", $build, $value, $path, @wrong)
			  : accepted($operation, "$here: good text", $build, $value);
		}
		accepted($operation, "$here: other case", $build, lc $_, $_) foreach @{ $s->{enum} || [] };
	}
	elsif ($kind =~ /^(integer|long)$/)
	{
		my ($min, $max) = ($s->{min}, $s->{max});
		accepted($operation, "$here: number", $build, $_) foreach grep { defined } $min, $max;
		refused($operation, "$here: below", $build, $min - 1, $path,
			"Member must have value greater than or equal to $min") if defined $min;
		refused($operation, "$here: above", $build, $_, $path,
			"Member must have value less than or equal to $max")
		  foreach defined $max ? ($max + 1, 1e15) : ();
		refused($operation, "$here: fraction", $build, 1.5, $path, 'Member must be an integer');
		refused($operation, "$here: text", $build, '1', $path, 'Member must be an integer');
	}
	elsif ($kind eq 'boolean')
	{
		accepted($operation, "$here: boolean", $build, @$_)
		  foreach [ $true, $true ], [ $false, $false ], [ 'true', $true ], [ 'False', $false ];
		refused($operation, "$here: text", $build, 'yes', $path, 'Member must be a boolean');
	}
	elsif ($kind eq 'timestamp')
	{
		accepted($operation, "$here: time", $build, @$_)
		  foreach [ 0, 0 ], [ -62135596800, -62135596800 ], [ 253402300799, 253402300799 ],
		  [ '2021-01-31T03:00:00Z', 1612062000 ], [ '2021-01-31T03:00:00.25+01:00', 1612058400.25 ];
		refused($operation, "$here: time", $build, $_, $path, "Member must be $type_word{timestamp}")
		  foreach 'yesterday', '2021-02-30T00:00:00Z', '', 253402300800, 1612148400000, -62135596801;
	}
	elsif ($kind eq 'list')
	{
		my $element = least($s->{element});
		accepted($operation, "$here: empty", $build, []) if !$s->{min};
		refused($operation, "$here: null within", $build, [ $element, undef ], "$path.2.member",
			'Member must not be null');
		if (defined $s->{max})
		{
			accepted($operation, "$here: full", $build, [ ($element) x $s->{max} ]);
			refused($operation, "$here: overfull", $build, [ ($element) x ($s->{max} + 1) ], $path,
				"Member must have length less than or equal to $s->{max}");
		}
		walk($operation, $s->{element}, "$path.1.member", sub { $build->([ $_[0] ]) });
		walk($operation, $s->{element}, "$path.2.member", sub { $build->([ $element, $_[0] ]) })
		  if $shape{ $s->{element} }{kind} ne 'structure';
	}
	elsif ($kind eq 'map')
	{
		my ($key, $value) = ($shape{ $s->{key} }, $shape{ $s->{element} });
		my $least = least($s->{element});
		if (defined $s->{max})
		{
			my @keys = map { ('a' x (1 + int($_ / 26))) . chr(ord('a') + $_ % 26) } 0 .. $s->{max};
			accepted($operation, "$here: full", $build, { map { $_ => $least } @keys[ 0 .. $s->{max} - 1 ] });
			refused($operation, "$here: overfull", $build, { map { $_ => $least } @keys }, $path,
				"Member must have length less than or equal to $s->{max}");
		}
		foreach (strings($key))
		{
			my ($text, @wrong) = @$_;
			@wrong
			  ? refused($operation, "$here: bad key", $build, { $text => $least }, $path,
				'Map keys must satisfy constraint: ' . all_constraints($key))
			  : accepted($operation, "$here: good key", $build, { $text => $least });
		}
		my $name = least($s->{key});
		foreach (strings($value))
		{
			my ($text, @wrong) = @$_;
			@wrong
			  ? refused($operation, "$here: bad value", $build, { $name => $text }, $path,
				'Map value must satisfy constraint: ' . all_constraints($value))
			  : accepted($operation, "$here: good value", $build, { $name => $text });
		}
		refused($operation, "$here: value of wrong type", $build, { $name => 5 }, $path,
			'Map value must satisfy constraint: [Member must be a string]');
	}
	elsif ($kind eq 'structure')
	{
		foreach my $member (@{ $s->{members} || [] })
		{
			my $below = $path eq '' ? $member->{name} : "$path.$member->{name}";
			my $with = sub {
				my $all = least($name);
				$all->{ $member->{name} } = $_[0];
				return $build->($all);
			};
			if ($member->{required})
			{
				my $without = least($name);
				delete $without->{ $member->{name} };
				refused($operation, "$here: missing", $build, $without, $below, 'Member must not be null');
				refused($operation, "$here: null", $with, undef, $below, 'Member must not be null');
			}
			walk($operation, $member->{shape}, $below, $with);
		}
	}
}

foreach my $operation (sort keys %operation)
{
	my $input = $shape{ $operation{$operation} };
	accepted($operation, 'least', sub { $_[0] }, least($input->{name}));
	foreach my $member (@{ $input->{members} || [] })
	{
		my $with = sub {
			my $all = least($input->{name});
			$all->{ $member->{name} } = $_[0];
			return $all;
		};
		if ($member->{required})
		{
			my $without = least($input->{name});
			delete $without->{ $member->{name} };
			refused($operation, 'missing', sub { $_[0] }, $without, $member->{name}, 'Member must not be null');
		}
		walk($operation, $member->{shape}, $member->{name}, $with);
	}
}

# the one pattern that no request has
my $logo = '^(https?|ftp|file)://[-a-zA-Z0-9+&@#/%?=~_|!:,.;]*[-a-zA-Z0-9+&@#/%=~_|]';
accepted('ConnectorConfiguration', 'logo', sub { { logoURL => $_[0] } }, $_)
  foreach 'ftp://a', 'file://x/y', 'https://' . 'a' x 248;
refused('ConnectorConfiguration', 'logo', sub { { logoURL => $_[0] } }, $_, 'logoURL',
	"Member must satisfy regular expression pattern: $logo") foreach 'gopher://a', 'ftp://', "ftp://a\n";
$pattern{$logo} = 1;
is(join("\n", grep { !$pattern{$_} } map { $_->{pattern} // () } values %shape), '', 'every pattern has samples');

# ---------- asking ----------

my $node = PostgreSQL::Test::Cluster->new('shapes');
$node->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');
$node->safe_psql('postgres', q{
	CREATE TABLE cases (id int, operation text, request jsonb, canonical jsonb);
	CREATE FUNCTION ask(operation text, request jsonb, canonical jsonb) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		got jsonb;
		detail text;
	BEGIN
		got := appflow.validate_request(operation, request);
		RETURN CASE WHEN got IS NOT DISTINCT FROM canonical THEN 'same' ELSE 'other ' || got::text END;
	EXCEPTION WHEN SQLSTATE 'WF400' THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		RETURN detail || '|' || SQLERRM;
	END $$});

sub copied { my ($text) = @_; $text =~ s/\\/\\\\/g; return $text }

# null members and entries are not there in what comes back
sub without_nulls
{
	my ($value) = @_;
	return { map { $_ => without_nulls($value->{$_}) } grep { defined $value->{$_} } keys %$value }
	  if ref $value eq 'HASH';
	return [ map { without_nulls($_) } @$value ] if ref $value eq 'ARRAY';
	return $value;
}

my $file = $node->basedir . '/cases';
open(my $out, '>', $file) or die "$file: $!";
foreach my $id (0 .. $#cases)
{
	my $case = $cases[$id];
	my $canonical = $case->{canonical} ? copied($json->encode(without_nulls($case->{canonical}))) : '\N';
	print $out join("\t", $id, $case->{operation}, copied($json->encode($case->{request})), $canonical) . "\n";
}
close $out;
$node->safe_psql('postgres', "\\copy cases FROM '$file'");

my $started = time;
my $answers = $node->safe_psql('postgres',
	q{SELECT id, replace(ask(operation, request, canonical), E'\n', '\n') FROM cases ORDER BY id});
note scalar(@cases) . ' cases in ' . (time - $started) . ' s';

# ---------- comparing ----------

my ($failures, %of_operation, $answered) = (0);
foreach (split /\n/, $answers)
{
	my ($id, $answer) = split /\|/, $_, 2;
	my $case = $cases[$id];
	my $wanted;
	my $right;

	$answered++;
	$of_operation{ $case->{operation} }{ $case->{path} ? 'refused' : 'accepted' }++;
	if ($case->{constraints})
	{
		my $n = @{ $case->{constraints} };
		$wanted = "ValidationException|$n validation error" . ($n == 1 ? '' : 's') . ' detected: '
		  . join('; ', map { "Value at '$case->{path}' failed to satisfy constraint: $_" } @{ $case->{constraints} });

		# what is shown of the value is looked at in test/sql/shapes.sql
		(my $plain = $answer) =~ s/(detected: |; )Value '.*?' at '(?=\Q$case->{path}\E')/$1Value at '/gs;
		$right = $plain eq $wanted;
	}
	else
	{
		$wanted = 'same';
		$right = $answer eq 'same';
	}
	next if $right;
	next if ++$failures > 20;
	fail("$case->{operation} $case->{what}");
	diag('request: ' . substr($json->encode($case->{request}), 0, 500));
	diag("wanted:  $wanted");
	diag('got:     ' . substr($answer, 0, 1000));
}
is($failures, 0, 'every case is accepted or refused as the model says');
is($answered, scalar @cases, 'every case was asked');
foreach my $operation (sort keys %operation)
{
	ok(($of_operation{$operation}{accepted} // 0) > 0,
		"$operation: accepted " . ($of_operation{$operation}{accepted} // 0) . ', refused '
		  . ($of_operation{$operation}{refused} // 0));
}
cmp_ok(scalar @cases, '>', 5000, 'there are thousands of cases');

$node->stop;
done_testing();
