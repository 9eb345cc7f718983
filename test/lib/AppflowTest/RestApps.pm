# AppflowTest::RestApps
#	Flows between simulators of REST applications, tables and objects.
#
#	my $app = AppflowTest::RestApps->new('zendesk', 'Zendesk', 'Zendesk');
#	$app->profile('desk', {accessToken => 'planted-zendesk'});
#	my $run = $app->pull('desk', 'tickets', [qw(id subject)], table => 'id bigint, subject text');

package AppflowTest::RestApps;

use strict;
use warnings;

use AppflowTest::Flows;
use HTTP::Tiny;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $clusters = 0;
my $json = JSON::PP->new->canonical->utf8->allow_nonref;

# new(simulator's directory or program, connectorType, key): a cluster that may talk to the simulator
sub new
{
	my ($class, $simulator, $type, $key, @settings) = @_;
	my $flows = AppflowTest::Flows->new(($simulator =~ s/\W/_/gr) . ++$clusters);
	my $program = $simulator =~ /\.js$/ ? $simulator : "$simulator/server.js";
	my $place = PostgreSQL::Test::Utils::tempdir();
	my $self = bless { flows => $flows, node => $flows->{node}, type => $type, key => $key, number => 0 }, $class;

	$self->{pid} = open($self->{output}, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/$program") or die "node: $!";
	(my $port) = (readline($self->{output}) // '') =~ /^ready (\d+)/ or die "the simulator did not start\n";
	$self->{url} = "http://127.0.0.1:$port";
	append_to_file("$place/master", 'test:' . '0123456789abcdef' x 4 . "\n");
	chmod 0600, "$place/master";
	$self->{node}->append_conf('postgresql.conf', join "\n", 'log_statement = none', 'log_min_error_statement = panic', 'appflow.allow_local_endpoints = on', "appflow.master_key = 'file:$place/master'", @settings, '');
	$self->{node}->restart;
	return $self;
}

sub DESTROY
{
	my ($self) = @_;
	local $?;
	kill 'KILL', $self->{pid} if $self->{pid};
}

# ---------- the simulator ----------

sub control
{
	my ($self, $what, $body) = @_;
	my $http = HTTP::Tiny->new;
	my $url = "$self->{url}/control/$what";
	my $answer = defined $body ? $http->post($url, { content => $json->encode($body) }) : $http->get($url);
	die "control $what: $answer->{status} $answer->{content}\n" unless $answer->{success};
	return $json->decode($answer->{content});
}

# requests since the last reset whose URL, without escapes, matches
sub seen
{
	my ($self, $pattern) = @_;
	return grep { (my $url = $_->{url}) =~ s/%(\w\w)/chr hex $1/ge; $_->{plain} = $url; "$_->{method} $url" =~ $pattern } @{ $self->control('seen') };
}

# ---------- SQL ----------

sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }

# "SQLSTATE: message", with what stands beside it
sub error_of
{
	my ($self, $sql) = @_;
	my (undef, undef, $stderr) = $self->{node}->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(.*)/s ? $1 =~ s/\nLOCATION:.*//sr : "no error: $stderr";
}

sub profile
{
	my ($self, $name, $credentials, $properties) = @_;
	$credentials = { clientId => 'planted-client', clientSecret => 'planted-client-secret', %$credentials } if $self->{type} =~ /^(Marketo|Slack|Zendesk)$/;
	my $request = $json->encode({
		connectorProfileName => $name, connectorType => $self->{type}, connectionMode => 'Public',
		connectorProfileConfig => {
			connectorProfileProperties => { $self->{key} => $properties || { instanceUrl => $self->{url} } },
			connectorProfileCredentials => { $self->{key} => $credentials } } });
	$self->sql("SELECT appflow.create_connector_profile(\$j\$$request\$j\$)");
}

sub entities
{
	my ($self, $profile, $path) = @_;
	my $text = $self->sql("SELECT appflow.list_connector_entities('" . $json->encode({ connectorProfileName => $profile, maxResults => 10000, defined $path ? (entitiesPath => $path) : () }) . "')");
	return $json->decode($text)->{connectorEntityMap};
}

# {identifier => field}
sub fields
{
	my ($self, $profile, $entity) = @_;
	my $text = $self->sql("SELECT appflow.describe_connector_entity('" . $json->encode({ connectorProfileName => $profile, connectorEntityName => $entity }) . "')");
	return { map { $_->{identifier} => $_ } @{ $json->decode($text)->{connectorEntityFields} } };
}

# ---------- flows ----------

# rows('field', 'EQUAL_TO', VALUE => ...) of this application
sub filter
{
	my ($self, $field, $operator, %properties) = @_;
	return { taskType => 'Filter', sourceFields => [$field], connectorOperator => { $self->{key} => $operator }, taskProperties => \%properties };
}

sub tasks
{
	my ($self, $fields, $filters) = @_;
	return [
		{ taskType => 'Filter', sourceFields => $fields, connectorOperator => { $self->{key} => 'PROJECTION' }, taskProperties => {} },
		@{ $filters || [] },
		map { { taskType => 'Map', sourceFields => [$_], destinationField => $_, connectorOperator => { $self->{key} => 'NO_OP' }, taskProperties => {} } } @$fields ];
}

sub source
{
	my ($self, $profile, $entity) = @_;
	return { connectorType => $self->{type}, connectorProfileName => $profile, sourceConnectorProperties => { $self->{key} => { object => $entity } } };
}

# From an entity to a new table (table => columns) or to objects (to => PARQUET, JSON, CSV).
#	filters		of tasks
#	schedule	scheduledTriggerProperties; then the flow is not run
#	incremental	datetimeTypeFieldName
sub pull
{
	my ($self, $profile, $entity, $fields, %args) = @_;
	my $flows = $self->{flows};
	my $definition = $flows->definition(prefix => 'none', tasks => $self->tasks($fields, $args{filters}), map { $_ => $args{$_} } grep { exists $args{$_} } qw(table to output write));
	$definition->{sourceFlowConfig} = $self->source($profile, $entity);
	$definition->{sourceFlowConfig}{incrementalPullConfig} = { datetimeTypeFieldName => $args{incremental} } if $args{incremental};
	$definition->{triggerConfig} = { triggerType => 'Scheduled', triggerProperties => { Scheduled => $args{schedule} } } if $args{schedule};
	$definition->{tasks} = $args{tasks} if $args{tasks};
	return $definition if $args{schedule};
	return $flows->move(definition => $definition, map { $_ => $args{$_} } grep { exists $args{$_} } qw(table));
}

# From a query's rows (a table of the name "rows" is made of it) to the application.
#	operation	INSERT, ...
#	ids			[field, ...]
#	types		{column => DESTINATION_DATA_TYPE}
#	stop		fail on the first error
sub push
{
	my ($self, $profile, $entity, $query, %args) = @_;
	my $flows = $self->{flows};
	my $name = 'push' . ++$self->{number};
	$self->sql("CREATE TABLE public.$name AS $query");
	my @columns = split /\n/, $self->sql("SELECT attname FROM pg_attribute WHERE attrelid = 'public.$name'::regclass AND attnum > 0 ORDER BY attnum");
	my %operator = (connectorOperator => { CustomConnector => 'NO_OP' });
	my $definition = {
		flowName => "flow-$name",
		triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => "public.$name" } } },
		destinationFlowConfigList => [ {
			connectorType => $self->{type}, connectorProfileName => $profile,
			destinationConnectorProperties => { $self->{key} => {
				object => $entity, writeOperationType => $args{operation} || 'INSERT', $args{ids} ? (idFieldNames => $args{ids}) : (),
				errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => $args{stop} ? JSON::PP::true : JSON::PP::false } } } } ],
		tasks => [
			{ taskType => 'Filter', sourceFields => \@columns, connectorOperator => { CustomConnector => 'PROJECTION' }, taskProperties => {} },
			map { { taskType => 'Map', sourceFields => [$_], destinationField => $_, connectorOperator => { CustomConnector => 'NO_OP' }, taskProperties => $args{types}{$_} ? { DESTINATION_DATA_TYPE => $args{types}{$_} } : {} } } @columns ]
	};
	return $flows->move(definition => $definition);
}

# the outcome of a run in one line
sub outcome
{
	my ($run) = @_;
	return "refused: $run->{refused}" if defined $run->{refused};
	return join ' ', $run->{status}, $run->{processed} // 0, $run->{failed} // 0;
}

# a pull into a new table with such columns, which the result names; by $profile, if not by another
sub into_table
{
	my ($self, $profile, $entity, $fields, $columns, %args) = @_;
	my $run = $self->pull($args{profile} || $profile, $entity, $fields, table => $columns, %args);
	$run->{table} = 'public.table' . $self->{flows}{number};
	return $run;
}

# a pull that is refused or ends in an error, with such words, and leaves nothing
sub fails
{
	my ($self, $profile, $name, $pattern, $entity, $fields, %args) = @_;
	my $run = $self->into_table($profile, $entity, $fields, join(', ', map { qq("$_" text) } @$fields), %args);
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(told($run));
	is($self->sql("SELECT count(*) FROM $run->{table}"), 0, '... and nothing is half done');
	$self->control('reset');
	return;
}

# all of it but the data
sub told
{
	my ($run) = @_;
	my %told = %$run;
	delete @told{qw(files text)};
	return json_text(\%told);
}

1;
