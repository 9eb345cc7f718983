# AppflowTest::Pages
#	The page server of simulators/pages as a connector made of a manifest, with
#	foreign tables over it in a cluster.
#
#	my $pages = AppflowTest::Pages->new('name', pages => 5);
#	$pages->sql('SELECT count(*) FROM records');

package AppflowTest::Pages;

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP ();

# benchmarks have clusters of their own
BEGIN
{
	if ($ENV{TESTDATADIR})
	{
		require PostgreSQL::Test::Cluster;
		require PostgreSQL::Test::Utils;
	}
}

my $json = JSON::PP->new->canonical->utf8->allow_nonref;

our $columns = 'id bigint, name text, number text, industry text, revenue numeric, employees integer, phone text, website text, street text,
	city text, postal_code text, country text, active boolean, created timestamptz, modified timestamptz, description text';
my %types = (id => 'Long', revenue => 'BigDecimal', employees => 'Integer', active => 'Boolean', created => 'DateTime', modified => 'DateTime');

# the manifest: entities records and million
sub manifest
{
	my @fields = map { { name => $_, type => $types{$_} || 'String', $_ eq 'id' ? (key => JSON::PP::true) : (), label => "The $_" } }
	  map { (split ' ')[0] } split /,\s*/, $columns;
	my @entities = map { {
		name => $_, fields => \@fields,
		read => { path => "/$_", parameters => { page => '1' }, records => 'records', paging => { kind => 'link', next => 'next' } }
	} } qw(records million);
	return { manifest => 1, authentication => { basic => JSON::PP::true }, entities => \@entities };
}

# start the server; returns (process, pipe, URL)
sub start_server
{
	my ($tests, $count) = @_;
	my $process = open(my $output, '-|', 'node', "$tests/simulators/pages/server.js", $count) or die "node: $!";
	my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the page server did not start';
	return ($process, $output, "http://127.0.0.1:$port");
}

# SQL that makes the connector, a profile of it named pages, and a server of the same name
sub setup_sql
{
	my ($url) = @_;
	my $connector = $json->encode({ connectorLabel => 'pages', connectorProvisioningType => 'MANIFEST',
		connectorProvisioningConfig => { manifest => manifest() } });
	my $profile = $json->encode({ connectorProfileName => 'pages', connectorType => 'CustomConnector', connectorLabel => 'pages',
		connectionMode => 'Public', connectorProfileConfig => {
			connectorProfileProperties => { CustomConnector => { profileProperties => { instanceUrl => $url } } },
			connectorProfileCredentials => { CustomConnector => { authenticationType => 'BASIC', basic => { username => 'me', password => 'planted-password' } } } } });
	return qq{CREATE EXTENSION IF NOT EXISTS appflow;
		SELECT appflow.register_connector(\$q\$$connector\$q\$);
		SELECT appflow.create_connector_profile(\$q\$$profile\$q\$);
		CREATE SERVER pages FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'pages');
		CREATE FOREIGN TABLE records ($columns) SERVER pages OPTIONS (entity 'records');
		CREATE FOREIGN TABLE million ($columns) SERVER pages OPTIONS (entity 'million');};
}

# lines of postgresql.conf; $place is for the key under which credentials are sealed
sub settings
{
	my ($place) = @_;
	open my $key, '>', "$place/master" or die "$place/master: $!";
	print $key 'test:', '0123456789abcdef' x 4, "\n";
	close $key;
	chmod 0600, "$place/master";
	return "appflow.allow_local_endpoints = on\nappflow.master_key = 'file:$place/master'\ntimezone = 'UTC'\n";
}

sub new
{
	my ($class, $name, %args) = @_;
	my $place = PostgreSQL::Test::Utils::tempdir();
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $self = bless { node => $node }, $class;

	@$self{qw(server output url)} = start_server($ENV{APPFLOW_TEST_DIR}, $args{pages} || 5);
	$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
	$node->append_conf('postgresql.conf', settings($place));
	$node->start;
	$self->sql(setup_sql($self->{url}));
	return $self;
}

sub DESTROY { my ($self) = @_; local $?; kill 'KILL', $self->{server} if $self->{server}; }

sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }

# the error of a statement: "message", with DETAIL, HINT and CONTEXT on lines of their own
sub error_of
{
	my ($self, $sql) = @_;
	my (undef, undef, $stderr) = $self->{node}->psql('postgres', $sql);
	return $stderr =~ /ERROR:\s+(.*)/s ? $1 : "no error: $stderr";
}

sub control { my ($self, $path) = @_; return $json->decode(HTTP::Tiny->new->get("$self->{url}/control/$path")->{content}); }

# the pages that have been asked for
sub seen { my ($self) = @_; return join ' ', map { /page=(\d+)/ ? $1 : $_ } @{ $self->control('seen') }; }

1;
