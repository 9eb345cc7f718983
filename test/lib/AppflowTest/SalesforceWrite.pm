# AppflowTest::SalesforceWrite
#	A cluster with a profile at a simulated organization of Salesforce, and flows from
#	tables to its objects in one call.

package AppflowTest::SalesforceWrite;

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $json = JSON::PP->new->canonical->utf8->allow_nonref;

sub new
{
	my ($class, $name, %options) = @_;
	my $simulator = $options{simulator} // 'server.js';
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $root = PostgreSQL::Test::Utils::tempdir();
	my $self = bless { node => $node, root => $root, number => 0 }, $class;

	$self->{pid} = open($self->{output}, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/salesforce/$simulator") or die "node: $!";
	($self->{port}) = (readline($self->{output}) // '') =~ /^ready (\d+)/ or die 'the simulator did not start';
	mkdir "$root/$_" foreach qw(source target errors);
	$node->init;
	PostgreSQL::Test::Utils::append_to_file("$root/key", 'test:' . '0123456789abcdef' x 4 . "\n");
	chmod 0600, "$root/key";
	$node->append_conf('postgresql.conf', join "\n", 'appflow.allow_local_endpoints = on', "appflow.master_key = 'file:$root/key'",
		'log_statement = none', @{ $options{settings} || [] }, '');
	$node->start;
	$self->sql(qq{
		CREATE EXTENSION appflow;
		SELECT appflow.create_object_store('local', 'file://$root')});
	$self->profile('crm');
	return $self;
}

sub DESTROY { my ($self) = @_; local $?; kill 'KILL', $self->{pid} if $self->{pid}; }

sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }

sub profile
{
	my ($self, $name, %credentials) = @_;
	my $request = $json->encode({
		connectorProfileName => $name, connectorType => 'Salesforce', connectionMode => 'Public',
		connectorProfileConfig => {
			connectorProfileProperties => { Salesforce => { instanceUrl => "http://127.0.0.1:$self->{port}" } },
			connectorProfileCredentials => { Salesforce => { accessToken => 'planted-access', refreshToken => 'planted-refresh', %credentials } } } });
	$request =~ s/"\w+":null,|,"\w+":null//g;
	$self->sql("SELECT appflow.create_connector_profile(\$j\$$request\$j\$)");
}

# tell the simulator something, or ask it
sub control
{
	my ($self, $what, %arguments) = @_;
	my $response = HTTP::Tiny->new->post("http://127.0.0.1:$self->{port}/control/$what", { content => $json->encode(\%arguments) });
	my $answer = $json->decode($response->{content});
	die "control $what: $response->{content}" if !ref $answer || ref $answer ne 'HASH';
	return $answer->{result};
}

# records of an object that are not deleted, by a field
sub records
{
	my ($self, $object, $key) = @_;
	return { map { $_->{$key} // '' => $_ } grep { !$_->{IsDeleted} } @{ $self->control('records', object => $object) } };
}

# requests seen whose method and path match
sub seen
{
	my ($self, $pattern) = @_;
	return grep { "$_->{method} $_->{url}" =~ $pattern } @{ $self->control('seen') };
}

# The definition of a flow from a table to an object:
#	table, object, operation, key, api
#	map     { field of the table => field of the object }
#	filters [[ field, operator, properties ]]
#	stop    failOnFirstDestinationError
sub definition
{
	my ($self, %args) = @_;
	my $name = $args{name} // 'flow' . ++$self->{number};
	my %map = %{ $args{map} };
	return {
		flowName => $name,
		triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => {
			connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
			sourceConnectorProperties => { CustomConnector => { entityName => "public.$args{table}" } } },
		destinationFlowConfigList => [ {
			connectorType => 'Salesforce', connectorProfileName => 'crm',
			destinationConnectorProperties => { Salesforce => {
				object => $args{object},
				writeOperationType => $args{operation} // 'INSERT',
				defined $args{key} ? (idFieldNames => [ $args{key} ]) : (),
				defined $args{api} ? (dataTransferApi => $args{api}) : (),
				errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => $args{stop} ? JSON::PP::true : JSON::PP::false } } } } ],
		tasks => [
			{ taskType => 'Filter', sourceFields => [ sort keys %map ], connectorOperator => { CustomConnector => 'PROJECTION' }, taskProperties => {} },
			(map { my ($field, $operator, %properties) = @$_; { taskType => 'Filter', sourceFields => [$field],
				connectorOperator => { CustomConnector => $operator }, taskProperties => \%properties } } @{ $args{filters} || [] }),
			map { { taskType => 'Map', sourceFields => [$_], destinationField => $map{$_}, connectorOperator => { CustomConnector => 'NO_OP' }, taskProperties => {} } } sort keys %map ]
	};
}

sub create
{
	my ($self, %args) = @_;
	my $definition = $args{definition} // $self->definition(%args);
	my $text = $json->encode($definition);
	my ($stdout, $stderr);
	$self->{node}->psql('postgres', "SELECT appflow.create_flow(\$definition\$$text\$definition\$)", stdout => \$stdout, stderr => \$stderr);
	$self->{refusal} = $stderr =~ /ERROR:\s+(.*)/ ? $1 : undef;
	return $definition->{flowName};
}

# what became of the last run of a flow: status, message, processed, filtered, failed, errors (of the error file)
sub outcome
{
	my ($self, $name) = @_;
	my $record = $json->decode($self->sql(qq{
		SELECT to_jsonb(e) FROM appflow.flow_executions e WHERE flow_name = '$name' ORDER BY requested_at DESC LIMIT 1}));
	my %run;
	@run{qw(status message processed filtered failed id)} =
	  @$record{qw(execution_status execution_message records_processed records_filtered put_failures_count execution_id)};
	my ($file) = glob "$self->{root}/errors/$name/$run{id}/*";
	$run{errors} = [ map { $json->decode($_) } split /\n/, defined $file ? PostgreSQL::Test::Utils::slurp_file($file) : '' ];
	return \%run;
}

sub move
{
	my ($self, %args) = @_;
	my $name = $self->create(%args);
	my ($stdout, $stderr);
	return { status => 'refused', message => $self->{refusal}, processed => 0, failed => 0, errors => [] } if defined $self->{refusal};
	$self->{node}->psql('postgres', "CALL appflow.run_flow('$name')", stdout => \$stdout, stderr => \$stderr);
	my $run = $self->outcome($name);
	$run->{stderr} = $stderr;
	return $run;
}

1;
