# AppflowTest::Rest
#	A cluster beside the REST service of simulators/rest, whose connectors are
#	manifests that tests register.
#
#	use AppflowTest::Rest;
#	my $rest = AppflowTest::Rest->new('name');
#	$rest->register('books', { entities => [...] });
#	$rest->flow('f', 'books', 'entity', into => 'public.book', map => { id => 'id' });

package AppflowTest::Rest;

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $json = JSON::PP->new->canonical->utf8->allow_nonref;

sub new
{
	my ($class, $name, @settings) = @_;
	my $tests = $ENV{APPFLOW_TEST_DIR};
	my $place = PostgreSQL::Test::Utils::tempdir();
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $self = bless { node => $node, place => $place }, $class;

	$self->{server} = open($self->{output}, '-|', 'node', "$tests/simulators/rest/server.js") or die "node: $!";
	my ($port) = (readline($self->{output}) // '') =~ /^ready (\d+)/ or die 'the service did not start';
	$self->{url} = "http://127.0.0.1:$port";
	mkdir "$place/$_" foreach qw(target errors);
	PostgreSQL::Test::Utils::append_to_file("$place/master", "test:" . '0123456789abcdef' x 4 . "\n");
	chmod 0600, "$place/master";
	$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
	$node->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on
appflow.master_key = 'file:$place/master'
timezone = 'UTC'
log_min_error_statement = panic");
	$node->append_conf('postgresql.conf', join "\n", @settings);
	$node->start;
	$self->sql("CREATE EXTENSION appflow; SELECT appflow.create_object_store('local', 'file://$place')");
	return $self;
}

sub DESTROY { my ($self) = @_; local $?; kill 'KILL', $self->{server} if $self->{server}; }

sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }

# "WF400: message", DETAIL and HINT behind it on lines of their own
sub error_of
{
	my ($self, $sql) = @_;
	my (undef, undef, $stderr) = $self->{node}->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return "no error: $stderr" unless $stderr =~ /ERROR:\s+(.*?)\nLOCATION/s;
	return $1;
}

sub control { my ($self, $path) = @_; return $json->decode(HTTP::Tiny->new->get("$self->{url}/$path")->{content}); }

# the requests seen whose URL matches
sub seen { my ($self, $pattern) = @_; return grep { $_->{url} =~ $pattern } @{ $self->control('seen') }; }

sub quoted { my ($value) = @_; my $text = ref $value ? $json->encode($value) : $value; return "\$q\$$text\$q\$"; }

my %authentication = (
	open => { basic => JSON::PP::true },
	basic => { basic => JSON::PP::true },
	key => { apiKey => { header => 'X-Book-Key', prefix => 'Key ' } },
	param => { apiKey => { parameter => 'key' } },
	bearer => { oauth2 => { grants => ['CLIENT_CREDENTIALS'] } },
	custom => { custom => { type => 'PAIR', headers => { 'X-User' => '{credential.user}', 'X-Secret' => '{credential.secret}' } } });

my %credentials = (
	basic => { authenticationType => 'BASIC', basic => { username => 'me', password => 'planted-password' } },
	key => { authenticationType => 'APIKEY', apiKey => { apiKey => 'planted-key' } },
	bearer => { authenticationType => 'OAUTH2', oauth2 => { clientId => 'id', clientSecret => 'planted-client-secret', oAuthRequest => {} } },
	custom => { authenticationType => 'CUSTOM', custom => { customAuthenticationType => 'PAIR', credentialsMap => { user => 'me', secret => 'planted-secret' } } });
$credentials{open} = $credentials{basic};
$credentials{param} = $credentials{key};

# a whole manifest of its entities and whatever else is given
sub manifest
{
	my ($self, $auth, %keys) = @_;
	return { manifest => 1, basePath => "/$auth", authentication => $authentication{$auth},
		errors => { code => 'error.code', message => 'error.message' }, %keys };
}

sub register_sql
{
	my ($self, $label, $manifest) = @_;
	return 'SELECT appflow.register_connector(' . quoted({
		connectorLabel => $label, connectorProvisioningType => 'MANIFEST',
		connectorProvisioningConfig => { manifest => $manifest } }) . ')';
}

sub profile_sql
{
	my ($self, $name, $label, $auth, %properties) = @_;
	$properties{instanceUrl} = $self->{url} unless exists $properties{instanceUrl};
	delete $properties{instanceUrl} unless defined $properties{instanceUrl};
	return 'SELECT appflow.create_connector_profile(' . quoted({
		connectorProfileName => $name, connectorType => 'CustomConnector', connectorLabel => $label,
		connectionMode => 'Public', connectorProfileConfig => {
			connectorProfileProperties => { CustomConnector => {
				profileProperties => \%properties,
				$auth eq 'bearer' ? (oAuth2Properties => { tokenUrl => "$self->{url}/token", oAuth2GrantType => 'CLIENT_CREDENTIALS' }) : () } },
			connectorProfileCredentials => { CustomConnector => $credentials{$auth} } } }) . ')';
}

# a connector and a profile of the same name
sub register
{
	my ($self, $label, $auth, %keys) = @_;
	$self->sql($self->register_sql($label, $self->manifest($auth, %keys)));
	$self->sql($self->profile_sql($label, $label, $auth, %{ $self->{properties} || {} }));
}

# a flow; tasks: pairs of fields, or filters as arrays [field, operator, properties]
sub flow_sql
{
	my ($self, $name, $profile, $entity, %how) = @_;
	my @pairs = @{ $how{map} || [] };
	my @tasks;

	push @tasks, { taskType => 'Filter', sourceFields => [ map { $_->[0] } grep { !ref $_->[1] } @pairs ],
		connectorOperator => { CustomConnector => 'PROJECTION' } } if @pairs;
	foreach my $filter (@{ $how{where} || [] })
	{
		my ($field, $operator, %properties) = @$filter;
		push @tasks, { taskType => 'Filter', sourceFields => [$field], connectorOperator => { CustomConnector => $operator }, taskProperties => { map { $_ => "$properties{$_}" } keys %properties } };
	}
	push @tasks, { taskType => 'Map', sourceFields => [ $_->[0] ], destinationField => $_->[1] // $_->[0],
		connectorOperator => { CustomConnector => 'NO_OP' } } foreach @pairs;
	push @tasks, { taskType => 'Map_all', sourceFields => [], taskProperties => {} } unless @pairs;
	my $destination = $how{into} ? { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
		destinationConnectorProperties => { CustomConnector => { entityName => $how{into}, writeOperationType => $how{operation} || 'INSERT',
			$how{ids} ? (idFieldNames => $how{ids}) : (), $how{errors} ? (errorHandlingConfig => $how{errors}) : () } } }
	  : { connectorType => 'S3', destinationConnectorProperties => { S3 => { bucketName => 'target', s3OutputFormatConfig => { fileType => $how{type} || 'JSON' } } } };
	return 'SELECT appflow.create_flow(' . quoted({
		flowName => $name, triggerConfig => $how{trigger} || { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => $profile,
			$how{version} ? (apiVersion => $how{version}) : (),
			sourceConnectorProperties => { CustomConnector => { entityName => $entity,
				$how{custom} ? (customProperties => $how{custom}) : () } },
			$how{incremental} ? (incrementalPullConfig => { datetimeTypeFieldName => $how{incremental} }) : () },
		destinationFlowConfigList => [$destination], tasks => \@tasks }) . ')';
}

# make the flow, run it, and say how that ended
my $flows = 0;
sub move
{
	my ($self, $profile, $entity, %how) = @_;
	my $name = 'flow-' . ++$flows;

	$self->sql($self->flow_sql($name, $profile, $entity, %how));
	my (undef, undef, $stderr) = $self->{node}->psql('postgres', "\\set VERBOSITY verbose\nCALL appflow.run_flow('$name')");
	$self->{last} = $name;
	return $1 if $stderr =~ /ERROR:\s+(.*?)\nLOCATION/s;
	return $self->sql("SELECT execution_status || ' ' || records_processed || ' ' || put_failures_count FROM appflow.flow_executions WHERE flow_name = '$name'");
}

1;
