# Tables.pm
#	What the tests of tables as source and destination share: a server with an
#	embedded store, and flows made, run and looked at in one call.
package AppflowTest::Tables;

use strict;
use warnings;

use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More ();

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub new
{
	my ($class, $name, @conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $self = bless { node => $node, root => PostgreSQL::Test::Utils::tempdir(), flows => 0 }, $class;

	$node->init;
	$node->append_conf('postgresql.conf', "timezone = 'UTC'\n" . join("\n", @conf));
	$node->start;
	mkdir "$self->{root}/$_" or die foreach qw(inbox outbox errors);
	$self->sql("CREATE EXTENSION appflow; SELECT appflow.create_object_store('local', 'file://$self->{root}'); SELECT appflow.grant_object_store('local', 'public')");
	return $self;
}

sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }

# SQLSTATE, message, detail and hint of the error that a statement raises
sub error_of
{
	my ($self, $sql) = @_;
	my (undef, undef, $stderr) = $self->{node}->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return "no error: $stderr" unless $stderr =~ /ERROR:\s+(\w+: .*)/;
	my $text = $1;
	$text .= " | $1" while $stderr =~ /^(?:psql:\S+ )?(?:DETAIL|HINT):\s+(.*)/mg;
	return $text;
}

sub write_object
{
	my ($self, $path, $text) = @_;
	$path = "$self->{root}/$path";
	(my $folder = $path) =~ s{/[^/]*$}{};
	system('mkdir', '-p', $folder);
	open my $file, '>:raw', $path or die "$path: $!";
	print $file $text;
	close $file;
}

sub slurp_tree
{
	my ($self, $path) = @_;
	my $text = '';
	foreach my $file (sort split /\n/, `find '$self->{root}/$path' -type f`)
	{
		open my $in, '<:raw', $file or die "$file: $!";
		local $/;
		$text .= <$in>;
	}
	return $text;
}

sub map_tasks
{
	my (@fields) = @_;
	return [ map { { taskType => 'Map', sourceFields => [$_], destinationField => $_, taskProperties => {} } } @fields ];
}

# Create a flow of these parts as a role and run it; what became of it:
# {status, message, processed, failures, code, rejects => [{record, errorCode, ...}]}
sub run_flow
{
	my ($self, $definition, $role) = @_;
	my $name = 'flow-' . ++$self->{flows};
	my $as = $role ? "SET SESSION AUTHORIZATION $role; " : '';
	my %request = (flowName => $name, triggerConfig => { triggerType => 'OnDemand' }, %$definition);
	my $text = $json->encode(\%request);
	my ($result, $error) = ({ name => $name });

	$error = $self->error_of("${as}SELECT appflow.create_flow(\$def\$$text\$def\$)");
	if ($error !~ /^no error/)
	{
		Test::More::note("$name refused: $error");
		return { name => $name, status => 'Refused', message => $error, failures => '', processed => '', rejects => [] };
	}
	$result->{error} = $self->error_of("${as}CALL appflow.run_flow('$name')");
	my $row = $self->sql("SELECT json_build_object('status', execution_status, 'message', execution_message,
		'processed', records_processed, 'failures', put_failures_count, 'code', error_code)
		FROM appflow.flow_executions WHERE flow_name = '$name'");
	$result = { %$result, %{ $json->decode($row) } };
	Test::More::note("$name: $result->{status} $result->{message}") if defined $result->{message};
	$result->{rejects} = [ map { $json->decode($_) } split /\n/, -d "$self->{root}/errors/$name" ? $self->slurp_tree("errors/$name") : '' ];
	return $result;
}

# Load records into a table.
#	format JSON (records are references to hashes, or lines of text) or CSV (text);
#	fields, entity, operation, ids, properties, role, stop (at the first failure)
sub load
{
	my ($self, %o) = @_;
	my $bucket_prefix = 'load-' . ++$self->{loads};
	my $text = ref $o{records} ? join('', map { (ref $_ ? $json->encode($_) : $_) . "\n" } @{ $o{records} }) : $o{records};
	my %connector = (entityName => $o{entity});

	$self->write_object("inbox/$bucket_prefix/1", $text);
	$connector{writeOperationType} = $o{operation} if $o{operation};
	$connector{idFieldNames} = $o{ids} if $o{ids};
	$connector{customProperties} = $o{properties} if $o{properties};
	$connector{errorHandlingConfig} = { bucketName => 'errors',
		$o{stop} ? (failOnFirstDestinationError => JSON::PP::true) : () };
	return $self->run_flow({
		sourceFlowConfig => { connectorType => 'S3', sourceConnectorProperties =>
			{ S3 => { bucketName => 'inbox', bucketPrefix => $bucket_prefix,
				s3InputFormatConfig => { s3InputFileType => $o{format} || 'JSON' } } } },
		destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
			destinationConnectorProperties => { CustomConnector => \%connector } } ],
		tasks => $o{tasks} || map_tasks(@{ $o{fields} }) }, $o{role});
}

# "record 2 23505 message" lines of what a load rejected
sub rejected
{
	my ($result) = @_;
	return join "\n", map { my ($at) = $_->{source} =~ /line (\d+)/; "$at $_->{errorCode} $_->{errorMessage}" } @{ $result->{rejects} };
}

# Write a table's rows to the store; returns the objects' text
sub unload
{
	my ($self, %o) = @_;
	my $prefix = 'unload-' . ++$self->{unloads};
	my $result = $self->run_flow({
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
			sourceConnectorProperties => { CustomConnector => { entityName => $o{entity},
				$o{properties} ? (customProperties => $o{properties}) : () } } },
		destinationFlowConfigList => [ { connectorType => 'S3', destinationConnectorProperties =>
			{ S3 => { bucketName => 'outbox', bucketPrefix => $prefix,
				s3OutputFormatConfig => { fileType => $o{format} || 'JSON' } } } } ],
		tasks => $o{tasks} || map_tasks(@{ $o{fields} }) }, $o{role});
	$result->{text} = -d "$self->{root}/outbox/$prefix" ? $self->slurp_tree("outbox/$prefix") : '';
	return $result;
}

1;
