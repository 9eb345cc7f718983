# AppflowTest::Sap
#	Flows from and to services of OData: SAP's CAP server, which is the real thing,
#	and a gateway of our own that is as strict as ABAP's.
#
#	my $sap = AppflowTest::Sap->new('name');
#	my $cap = $sap->start('cap/server.js');			its URL
#	$sap->profile('sales', $cap, '/odata/v4/sales');
#	my $run = $sap->pull('sales', '/odata/v4/sales/Orders', table => 'id int, ...', tasks => [...]);

package AppflowTest::Sap;

use strict;
use warnings;

use AppflowTest::Flows;
use Exporter 'import';
use HTTP::Tiny;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(sap_task sap_rows sap_map sap_map_all);

my $json = JSON::PP->new->canonical->ascii->allow_nonref;

# ---------- tasks ----------

# sap_task('Filter', 'Amount', undef, 'GREATER_THAN', VALUE => '5')
sub sap_task
{
	my ($type, $fields, $destination, $operator, %properties) = @_;
	return {
		taskType => $type, sourceFields => ref $fields ? $fields : [$fields],
		connectorOperator => { SAPOData => $operator || 'NO_OP' }, taskProperties => \%properties,
		defined $destination ? (destinationField => $destination) : () };
}

sub sap_rows { my ($field, $operator, @properties) = @_; return sap_task('Filter', $field, undef, $operator, @properties); }
sub sap_map { my ($from, $to) = @_; return sap_task('Map', $from, $to // $from); }
sub sap_map_all { return sap_task('Map_all', [], undef, undef, @_); }

# ---------- servers ----------

sub new
{
	my ($class, $name, @settings) = @_;
	my $flows = AppflowTest::Flows->new($name);
	my $key = PostgreSQL::Test::Utils::tempdir() . '/appflow.key';
	my $self = bless { flows => $flows, node => $flows->{node}, servers => [], number => 0 }, $class;

	$self->{node}->append_conf('postgresql.conf', join "\n", "appflow.master_key = 'file:$key'",
		'appflow.allow_local_endpoints = on', "appflow.max_retry_delay = '100ms'", @settings, '');
	$self->{node}->restart;
	$self->sql("SELECT appflow.create_master_key_file('$key')");
	return $self;
}

sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }

# "SQLSTATE: message" of a statement that fails
sub error_of
{
	my ($self, $sql) = @_;
	my (undef, undef, $stderr) = $self->{node}->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(\w+: .*)/ ? $1 : "no error: $stderr";
}

# start a program of test/simulators/sap; its URL
sub start
{
	my ($self, $program, @arguments) = @_;
	my $pid = open my $output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/sap/$program", @arguments
	  or die "node: $!";
	my $port;

	while (my $line = readline $output)
	{
		($port) = $line =~ /^ready (\d+)/ and last;
	}
	die "$program did not start\n" if !defined $port;
	push @{ $self->{servers} }, { pid => $pid, output => $output };
	return "http://127.0.0.1:$port";
}

sub stop { my ($self) = @_; kill 'KILL', map { $_->{pid} } splice @{ $self->{servers} }; return; }
sub DESTROY { my ($self) = @_; local ($?, $!); $self->stop; return; }

# what a server is told and asked by the test
sub tell
{
	my ($self, $url, $value) = @_;
	my $answer = HTTP::Tiny->new->post($url, { headers => { 'Content-Type' => 'application/json' }, content => $json->encode($value) });
	die "$url: $answer->{status} $answer->{content}\n" if !$answer->{success};
	return;
}

sub ask { my ($self, $url) = @_; return JSON::PP->new->utf8->decode(HTTP::Tiny->new->get($url)->{content}); }

# requests since the last time whose URL matches, as "METHOD URL", decoded
sub seen
{
	my ($self, $url, $pattern) = @_;
	return grep { !defined $pattern || /$pattern/ }
	  map { my $shown = "$_->{method} $_->{url}"; $shown =~ s/%([0-9A-F]{2})/chr hex $1/ge; $shown } @{ $self->ask("$url/_seen") };
}

# ---------- profiles and flows ----------

sub profile
{
	my ($self, $name, $url, $path, %more) = @_;
	my ($host, $port) = $url =~ m{^(http://[^:]+):(\d+)};
	my $credentials = delete $more{credentials} || { basicAuthCredentials => { username => 'me', password => 'secret' } };
	my $request = $json->encode({
		connectorProfileName => $name, connectorType => 'SAPOData', connectionMode => 'Public',
		connectorProfileConfig => {
			connectorProfileProperties => { SAPOData => {
				applicationHostUrl => $host, portNumber => $port + 0, applicationServicePath => $path, clientNumber => '100',
				logonLanguage => 'EN', %more } },
			connectorProfileCredentials => { SAPOData => $credentials } } });
	$self->sql("SELECT appflow.create_connector_profile(\$j\$$request\$j\$)");
	return;
}

# The definition of a flow from SAP:
#	table	columns of a new table; otherwise objects of the type "to" (default JSON)
#	source	more of the source's properties
#	tasks	[...]
#	schedule	more of the definition's trigger: {scheduleExpression => ..., ...}
#	incremental	field
sub pull_definition
{
	my ($self, $profile, $entity, %args) = @_;
	my $number = ++$self->{number};
	my $destination = { connectorType => 'S3', destinationConnectorProperties => { S3 => {
		bucketName => 'target', bucketPrefix => "out$number", s3OutputFormatConfig => { fileType => $args{to} || 'JSON' } } } };

	if (defined $args{table})
	{
		$self->sql("CREATE TABLE public.table$number ($args{table})");
		$destination = { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
			destinationConnectorProperties => { CustomConnector => { entityName => "public.table$number", %{ $args{write} || {} } } } };
	}
	return {
		flowName => "flow$number",
		triggerConfig => defined $args{schedule} ?
		  { triggerType => 'Scheduled', triggerProperties => { Scheduled => $args{schedule} } } : { triggerType => 'OnDemand' },
		sourceFlowConfig => {
			connectorType => 'SAPOData', connectorProfileName => $profile,
			$args{version} ? (apiVersion => $args{version}) : (),
			$args{incremental} ? (incrementalPullConfig => { datetimeTypeFieldName => $args{incremental} }) : (),
			sourceConnectorProperties => { SAPOData => { objectPath => $entity, %{ $args{source} || {} } } } },
		destinationFlowConfigList => [$destination],
		tasks => $args{tasks} || [ sap_map_all() ] };
}

# Make the flow and run it; as AppflowTest::Flows->move tells it.
sub pull
{
	my ($self, $profile, $entity, %args) = @_;
	my $definition = $self->pull_definition($profile, $entity, %args);
	return $self->{flows}->move(definition => $definition, defined $args{table} ? (table => $args{table}) : ());
}

# A flow from a table to SAP: columns and rows of the table; as move tells it.
sub push_rows
{
	my ($self, $profile, $entity, %args) = @_;
	my $number = ++$self->{number};
	my $name = "flow$number";

	$self->sql("CREATE TABLE public.source$number ($args{columns})");
	$self->sql("INSERT INTO public.source$number $args{rows}") if $args{rows};
	return $self->{flows}->move(definition => {
		flowName => $name,
		triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
			sourceConnectorProperties => { CustomConnector => { entityName => "public.source$number" } } },
		destinationFlowConfigList => [ { connectorType => 'SAPOData', connectorProfileName => $profile,
			destinationConnectorProperties => { SAPOData => { objectPath => $entity, %{ $args{write} || {} },
				errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => JSON::PP::false, %{ $args{errors} || {} } } } } } ],
		tasks => $args{tasks} || [ { taskType => 'Map_all', sourceFields => [], connectorOperator => { CustomConnector => 'NO_OP' },
			taskProperties => {} } ] });
}

1;
