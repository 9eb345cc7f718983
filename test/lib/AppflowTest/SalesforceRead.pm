# AppflowTest::SalesforceRead
#	Flows from a simulated organization of Salesforce to tables and objects.

package AppflowTest::SalesforceRead;

use strict;
use warnings;

use parent 'AppflowTest::SalesforceWrite';

use JSON::PP ();

my $json = JSON::PP->new->canonical->utf8->allow_nonref;

sub new
{
	my ($class, $name, @settings) = @_;
	return $class->SUPER::new($name, settings => \@settings);
}

# The definition of a flow from an object to a table, or to objects of the bucket target:
#	object, properties (more of the source's), profile
#	fields   [names] to map, or { field => destination }; without, Map_all
#	filters  [[ field, operator, properties ]]
#	columns  of the new table (public.<flow's name>)
#	to       JSON, CSV or PARQUET instead of a table
#	trigger  triggerConfig
#	stop     failOnFirstDestinationError
#	more     of sourceFlowConfig
sub pull_definition
{
	my ($self, %args) = @_;
	my $name = $args{name} // 'pull' . ++$self->{number};
	my $fields = $args{fields};
	my %map = !defined $fields ? () : ref $fields eq 'HASH' ? %$fields : map { $_ => $_ } @$fields;
	my $task = sub {
		my ($type, $from, $to, $operator, %properties) = @_;
		return { taskType => $type, sourceFields => $from, connectorOperator => { Salesforce => $operator },
			taskProperties => \%properties, defined $to ? (destinationField => $to) : () };
	};

	my $destination = $args{to} ? {
		connectorType => 'S3', destinationConnectorProperties => { S3 => {
			bucketName => 'target', bucketPrefix => $name,
			s3OutputFormatConfig => { fileType => $args{to}, aggregationConfig => { aggregationType => 'SingleFile' } } } } } : {
		connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
		destinationConnectorProperties => { CustomConnector => { entityName => "public.$name",
			errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => $args{stop} ? JSON::PP::true : JSON::PP::false } } } };
	$self->sql("CREATE TABLE public.$name ($args{columns})") if $args{columns};
	return {
		flowName => $name,
		triggerConfig => $args{trigger} || { triggerType => 'OnDemand' },
		sourceFlowConfig => {
			connectorType => 'Salesforce', connectorProfileName => $args{profile} // 'crm',
			sourceConnectorProperties => { Salesforce => { object => $args{object}, %{ $args{properties} || {} } } },
			%{ $args{more} || {} } },
		destinationFlowConfigList => [$destination],
		tasks => [
			%map ? $task->('Filter', [ sort keys %map ], undef, 'PROJECTION') : (),
			(map { my ($field, $operator, %properties) = @$_; $task->('Filter', [$field], undef, $operator, %properties) } @{ $args{filters} || [] }),
			%map ? (map { $task->('Map', [$_], $map{$_}, 'NO_OP') } sort keys %map) : $task->('Map_all', [], undef, 'NO_OP') ]
	};
}

# Create the flow and run it: what outcome() says, and refused, stderr, and
#	rows    of the table as JSON, in order of all columns
#	text    bytes of the object made
sub pull
{
	my ($self, %args) = @_;
	my $definition = $self->pull_definition(%args);
	my $text = $json->encode($definition);
	my $name = $definition->{flowName};
	my ($stdout, $stderr);

	$self->{node}->psql('postgres', "\\set VERBOSITY verbose\nSELECT appflow.create_flow(\$definition\$$text\$definition\$)", stdout => \$stdout, stderr => \$stderr);
	return { refused => $1, name => $name } if $stderr =~ /ERROR:\s+(.*)/;
	return $self->run_again($name, %args);
}

sub run_again
{
	my ($self, $name, %args) = @_;
	my ($stdout, $stderr);
	$self->{node}->psql('postgres', "\\set VERBOSITY verbose\nCALL appflow.run_flow('$name')", stdout => \$stdout, stderr => \$stderr, timeout => 300);
	my $run = $self->outcome($name);
	@$run{qw(name stderr)} = ($name, $stderr);
	if ($args{to})
	{
		my ($file) = split /\n/, `find '$self->{root}/target/$name' -type f 2>/dev/null`;
		$run->{text} = defined $file ? PostgreSQL::Test::Utils::slurp_file($file) : '';
		$run->{file} = $file;
	}
	elsif ($args{columns})
	{
		$run->{rows} = $self->sql("SELECT coalesce(json_agg(t ORDER BY t), '[]') FROM public.$name t");
	}
	return $run;
}

# SOQL that was asked of it since the last reset
sub queries
{
	my ($self) = @_;
	my @queries;
	foreach my $request (@{ $self->control('seen') })
	{
		if ($request->{url} =~ /[?&]q=([^&]*)/)
		{
			(my $text = $1) =~ s/%([0-9A-F]{2})/chr hex $1/ge;
			push @queries, $text;
		}
		elsif ($request->{method} eq 'POST' && $request->{url} =~ m{/jobs/query$})
		{
			push @queries, $json->decode($request->{body})->{query};
		}
	}
	return @queries;
}

1;
