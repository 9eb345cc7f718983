# No connector is a stub: each type that the extension tells of has a fixture, by which
# 561 and 562 move records, and a row in the README that says what it can do.
use strict;
use warnings;

use AppflowTest::Registry;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('registry');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');
sub ask { my ($function, $request) = @_; return decode_json($node->safe_psql('postgres', "SELECT appflow.$function('" . encode_json($request) . "')")); }

# ---------- the types ----------

my $told = ask('describe_connectors', { maxResults => 100 })->{connectorConfigurations};
is(scalar keys %$told, 24, 'there are 24 types');
my %listed = map { $_->{connectorType} => 1 } @{ ask('list_connectors', { maxResults => 100 })->{connectors} };
is(join(' ', sort keys %listed), join(' ', sort keys %$told), 'DescribeConnectors and ListConnectors tell the same');
my @whole = sort keys %$told;
is(join(' ', fixtures()), join(' ', @whole), 'each has a fixture') if !$ENV{REGISTRY};

foreach my $type (@whole)
{
	my $fixture = fixture($type) or next;
	is(join(' ', map { scalar $fixture->$_ ? $_ : () } qw(source destination)),
		join(' ', $told->{$type}{canUseAsSource} ? 'source' : (), $told->{$type}{canUseAsDestination} ? 'destination' : ()), "$type: the fixture has the ends that the type has");
}

# ---------- what the reference says of them ----------

my (%shape, $name);
foreach my $line (split /\n/, slurp_file("$ENV{APPFLOW_TEST_DIR}/../src/operations/appflow.shapes"))
{
	$name = $1 if $line =~ /^\w+ (\w+)/;
	push @{ $shape{$name} }, [ $1, $2 ] if $line =~ /^\t(?!pattern|enum)(\w+) (\w+)/;
	push @{ $shape{$name} }, map { [$_] } split / /, $1 if $line =~ /^\tenum (.*)/;
}
my %type_of = map { lc $_ => $_ } keys %$told;
sub types { my ($shape) = @_; return join ' ', sort map { $type_of{ lc $_->[0] } // $_->[0] } @{ $shape{$shape} }; }
is(types('ConnectorType'), join(' ', sort keys %$told), 'types are those of the reference');
is(join(' ', sort grep { $told->{$_}{canUseAsSource} } keys %$told), types('SourceConnectorProperties'), 'sources are those that it has properties for');
is(join(' ', sort grep { $told->{$_}{canUseAsDestination} } keys %$told), types('DestinationConnectorProperties'), 'destinations too');
foreach my $member (@{ $shape{ConnectorOperator} })
{
	my $type = $type_of{ lc $member->[0] };
	is(join(' ', sort @{ $told->{$type}{supportedOperators} }), join(' ', sort map { $_->[0] } @{ $shape{ $member->[1] } }), "$type: operators");
}
foreach my $member (@{ $shape{DestinationConnectorProperties} })
{
	my $type = $type_of{ lc $member->[0] };
	my %has = map { $_->[0] => 1 } @{ $shape{ $member->[1] } };
	is(scalar(@{ $told->{$type}{supportedWriteOperations} }) > 1 ? 1 : 0, $has{writeOperationType} ? 1 : 0, "$type: a choice of write operations");
	my $fixture = fixture($type);
	is($fixture->destination->{no_error_file} ? 0 : 1, $has{errorHandlingConfig} ? 1 : 0, "$type: an error file") if $fixture;
}

# ---------- what the README says of them ----------

my $readme = slurp_file("$ENV{APPFLOW_TEST_DIR}/../README.md");
my ($table) = $readme =~ /^\| connector \|(.*?)\n\n/ms or die 'the README has no table of connectors';
my (%rows, @names);
foreach my $line (grep { /^\| \*\*/ } split /\n/, $table)
{
	my ($name, @cells) = map { s/^\s+|\s+$//gr } split /\|/, $line =~ s/^\|//r;
	my ($type) = $name =~ /^\*\*(\w+)\*\*/;
	my %row = (name => $name =~ s/\*//gr);
	@row{qw(source destination operators writes foreign incremental events page)} = @cells;
	$type = 'CustomConnector' if $name =~ /CustomConnector/;
	push @{ $rows{$type} }, \%row;
}
is(join(' ', sort keys %rows), join(' ', @whole), 'the README has a row for each type, and for no other');

foreach my $type (@whole)
{
	my $configuration = $told->{$type};
	my $fixture = fixture($type) or next;
	my ($source, $destination) = (scalar $fixture->source, scalar $fixture->destination);
	my @writes = @{ $configuration->{supportedWriteOperations} };
	my %operators = map { $_ => 1 } @{ $configuration->{supportedOperators} };
	my $all = !grep { !$operators{$_} } qw(LESS_THAN GREATER_THAN CONTAINS BETWEEN LESS_THAN_OR_EQUAL_TO GREATER_THAN_OR_EQUAL_TO EQUAL_TO NOT_EQUAL_TO);

	foreach my $row (@{ $rows{$type} || [] })
	{
		my $name = "README: $row->{name}";
		my ($from, $to) = ($row->{source} ne '-', $row->{destination} ne '-');
		my ($page) = $row->{page} =~ /\]\((doc\/[\w\/-]+\.md)\)/;
		is($from ? 1 : 0, $source ? 1 : 0, "$name: source");
		is($to ? 1 : 0, $destination ? 1 : 0, "$name: destination");
		is($row->{operators} eq '-' ? 0 : 1, $source ? 1 : 0, "$name: operators");
		ok($row->{operators} ne 'all' || $all, "$name: ... all of them, if it says so");
		if ($row->{writes} ne 'what it tells')
		{
			is($row->{writes}, join(', ', @writes), "$name: write operations") if @writes;
			like($row->{writes}, $destination ? qr/^(?!-$|INSERT|UPSERT|UPDATE|DELETE)/ : qr/^-$/, "$name: write operations") if !@writes;
		}
		is($row->{foreign}, join(', ', $source && ref($source->{foreign} // []) ? 'read' : (), $destination && ref($destination->{live} // []) ? 'write' : ()) || '-', "$name: foreign table");
		like($row->{incremental}, $source && ref $source->{incremental} ? qr/^yes$/ : qr/^(?!yes)/, "$name: incremental");
		my $events = $source && grep { $_ eq 'Event' } @{ $configuration->{supportedTriggerTypes} };
		is($row->{events} eq '-' ? 0 : 1, $events ? 1 : 0, "$name: events") if $type ne 'CustomConnector';
		ok(defined $page && -f "$ENV{APPFLOW_TEST_DIR}/../$page", "$name: its page");
	}
}
done_testing();
