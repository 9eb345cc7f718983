# AppflowTest::Registry
#	Every connector type, each by its fixture in AppflowTest/Systems/, through the same
#	checks: what it lists, describes and moves, and what becomes of a run when the
#	system behind it does not answer as it should.
#
#	my $registry = AppflowTest::Registry->new('name', fixtures('source'));
#	$registry->check('source');
#
#	What a fixture is: doc/testing.md, "The registry of connectors".

package AppflowTest::Registry;

use strict;
use warnings;

use AppflowTest::Flows ();
use Exporter 'import';
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(fixture fixtures);

my $json = JSON::PP->new->canonical->utf8->allow_nonref;

# the identity that services of AWS know in these tests
my %aws = (key => 'AKIDEXAMPLEKEY', secret => 'planted/aws+secret', region => 'us-east-1');
sub aws { return \%aws; }

# ---------- fixtures ----------

# the fixture of a type, which has started nothing yet; undef if there is none
sub fixture
{
	my ($type, $registry) = @_;
	return if !-e "$ENV{APPFLOW_TEST_DIR}/lib/AppflowTest/Systems/$type.pm";
	require "AppflowTest/Systems/$type.pm";
	return "AppflowTest::Systems::$type"->new($registry);
}

# Types that have a fixture, in the order of their names; with an end ("source",
# "destination"), those that have that, and with two numbers, the i-th of n parts of
# them.  REGISTRY="type..." leaves out the others.
sub fixtures
{
	my ($end, $part, $parts) = @_;
	my %only = map { $_ => 1 } split ' ', $ENV{REGISTRY} // '';
	opendir my $handle, "$ENV{APPFLOW_TEST_DIR}/lib/AppflowTest/Systems" or die "Systems: $!";
	my @types = sort map { /^(\w+)\.pm$/ ? $1 : () } readdir $handle;
	@types = grep { (!%only || $only{$_}) && (!defined $end || fixture($_)->$end) } @types;
	return defined $part ? @types[ grep { $_ % $parts == $part - 1 } 0 .. $#types ] : @types;
}

# ---------- the cluster, and the systems beside it ----------

# new(name, types...): a cluster beside the systems of those types
sub new
{
	my ($class, $name, @types) = @_;
	my $flows = AppflowTest::Flows->new($name);
	my $place = PostgreSQL::Test::Utils::tempdir;
	my $self = bless { flows => $flows, node => $flows->{node}, root => $flows->{root}, number => 0, simulators => [], secrets => {} }, $class;

	mkdir "$self->{root}/$_" foreach qw(staging);
	append_to_file("$place/master", 'test:' . '0123456789abcdef' x 4 . "\n");
	append_to_file("$place/credentials", "[default]\nregion = $aws{region}\naws_access_key_id = $aws{key}\naws_secret_access_key = $aws{secret}\n");
	chmod 0600, "$place/master";
	$self->{systems} = [ map { fixture($_, $self) } @types ];
	$_->start foreach $self->systems;
	$self->{node}->append_conf('postgresql.conf', join "\n", "shared_preload_libraries = 'appflow'", 'max_worker_processes = 16',
		"appflow.event_interval = '50ms'", 'appflow.allow_local_endpoints = on', "appflow.max_retry_delay = '100ms'", "appflow.master_key = 'file:$place/master'",
		"timezone = 'UTC'", 'log_statement = none', 'log_min_error_statement = panic', (map { $_->settings } $self->systems), '');
	{
		delete local @ENV{ grep { /^AWS_/ } keys %ENV };
		local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true',
			AWS_SHARED_CREDENTIALS_FILE => "$place/credentials", AWS_CONFIG_FILE => "$place/credentials", map { $_->environment } grep { $_->can('environment') } $self->systems);
		$self->{node}->restart;
	}
	foreach my $fixture ($self->systems)
	{
		$fixture->prepare;
		$self->make_profile($fixture, 'good');
	}
	return $self;
}

sub DESTROY { my ($self) = @_; local ($?, $!); kill 'KILL', map { $_->{pid} } @{ $self->{simulators} }; return; }

sub systems { my ($self) = @_; return @{ $self->{systems} }; }

sub simulator
{
	my ($self, $program, @arguments) = @_;
	local $ENV{NODE_NO_WARNINGS} = 1;
	my @options = $program =~ /^--/ ? ($program, "$ENV{APPFLOW_TEST_DIR}/simulators/" . shift @arguments) : ("$ENV{APPFLOW_TEST_DIR}/simulators/$program");
	my $pid = open my $output, '-|', 'node', @options, @arguments or die "node: $!";
	my ($ports) = (readline($output) // '') =~ /^ready ([\d ]+)/ or die "$program did not start\n";
	push @{ $self->{simulators} }, { pid => $pid, output => $output };
	return map { $_ + 0 } split " ", $ports;
}

sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }
sub ask { my ($self, $function, $request) = @_; return $json->decode($self->sql("SELECT appflow.$function(\$q\$" . $json->encode($request) . "\$q\$)")); }

# "WF400: message", with what stands beside it; undef if it succeeds
sub error_of
{
	my ($self, $sql) = @_;
	my (undef, undef, $stderr) = $self->{node}->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr =~ /ERROR:\s+(.*)/s ? $1 =~ s/\nLOCATION:.*//sr : undef;
}

# ---------- profiles ----------

# strings within credentials, but the names of people and clients
sub _secrets
{
	my ($value, $name) = @_;
	return map { _secrets($value->{$_}, $_) } keys %$value if ref $value eq 'HASH';
	return () if ref $value || !defined $value || length $value < 6 || $name =~ /^(user\w*|.*type|redirecturi|clientid|.*arn)$/i;
	return $value;
}

# Make the profile of a kind once; undef, or why it could not be made.  Types that have
# none are asked by connectorType.
sub make_profile
{
	my ($self, $fixture, $kind) = @_;
	my $given = $fixture->profile($kind) or return;
	my $name = "$fixture->{type}-$kind";

	return if $fixture->{profiles}{$kind}++;
	$self->{secrets}{$_} = 1 foreach _secrets($given->{credentials} || {}, '');
	my $request = $given->{request} || {
		connectorProfileName => $name, connectorType => $fixture->{type}, connectionMode => 'Public', $given->{label} ? (connectorLabel => $given->{label}) : (),
		connectorProfileConfig => {
			connectorProfileProperties => { $fixture->{type} => $given->{properties} || {} },
			$given->{credentials} ? (connectorProfileCredentials => { $fixture->{type} => $given->{credentials} }) : () } };
	my $error = $self->error_of("SELECT appflow.create_connector_profile(\$j\$" . $json->encode($request) . "\$j\$)");
	die "$name: $error\n" if defined $error && $kind ne 'wrong';
	return $error;
}

# what a request names a system by
sub _named
{
	my ($self, $fixture, $kind) = @_;
	return ($fixture->{profiles}{ $kind // 'good' } ? (connectorProfileName => "$fixture->{type}-" . ($kind // 'good')) : (), connectorType => $fixture->{type});
}

# ---------- records ----------

sub _new_table
{
	my ($self, $columns) = @_;
	my $table = 'public.t' . ++$self->{number};
	$self->sql("CREATE TABLE $table (" . join(', ', map { qq("$_->[0]" $_->[2]) } @$columns) . ')');
	return $table;
}

# "n less, m more" of a table's rows than those that are said, [] of {column => value}; '' if they are the same
sub _difference
{
	my ($self, $table, $held, $where) = @_;
	my $text = JSON::PP->new->utf8->allow_nonref->encode($held);
	$where = defined $where ? "WHERE $where" : '';
	return $self->sql(qq{
		WITH held AS (SELECT * FROM jsonb_populate_recordset(NULL::$table, \$held\$$text\$held\$) h $where),
			less AS (TABLE held EXCEPT ALL TABLE $table), more AS (TABLE $table EXCEPT ALL TABLE held)
		SELECT (SELECT count(*) || ' less: ' || min(l::text) || ' ' FROM less l HAVING count(*) > 0) IS NULL AND NOT EXISTS (TABLE more) AS same}) eq 't' ? '' : $self->sql(qq{
		WITH held AS (SELECT * FROM jsonb_populate_recordset(NULL::$table, \$held\$$text\$held\$) h $where),
			less AS (TABLE held EXCEPT ALL TABLE $table), more AS (TABLE $table EXCEPT ALL TABLE held)
		SELECT (SELECT count(*) || ' less: ' || coalesce(min(l::text), '') FROM less l) || '; ' || (SELECT count(*) || ' more: ' || coalesce(min(m::text), '') FROM more m)});
}

# ---------- runs ----------

sub _task
{
	my ($type, $task, $fields, $to, $operator, %properties) = @_;
	return { taskType => $task, sourceFields => $fields, taskProperties => { map { $_ => "$properties{$_}" } keys %properties },
		defined $operator ? (connectorOperator => { $type => $operator }) : (), defined $to ? (destinationField => $to) : () };
}

# A flow from the system to a table: filters => [[field, operator, properties], ...], kind => of
# profile, schedule => of its trigger, incremental => field
sub _pull_definition
{
	my ($self, $fixture, $source, $table, %args) = @_;
	my $type = $fixture->{type};
	return {
		flowName => 'pull' . ++$self->{number},
		triggerConfig => $args{schedule} ? { triggerType => 'Scheduled', triggerProperties => { Scheduled => $args{schedule} } } : { triggerType => 'OnDemand' },
		sourceFlowConfig => { $self->_named($fixture, $args{kind}), $source->{apiVersion} ? (apiVersion => $source->{apiVersion}) : (),
			$args{incremental} ? (incrementalPullConfig => { datetimeTypeFieldName => $args{incremental} }) : (),
			sourceConnectorProperties => { $type => $source->{properties} || { object => $source->{entity} } } },
		destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
			destinationConnectorProperties => { CustomConnector => { entityName => $table } } } ],
		tasks => [ (map { my ($field, $operator, %properties) = @$_; _task($type, 'Filter', [$field], undef, $operator, %properties) } $source->{within} && !$args{incremental} ? $source->{within}{task} : (), @{ $args{filters} || [] }),
			map { _task($type, 'Map', [ $_->[0] ], $_->[0]) } @{ $source->{columns} } ] };
}

# The same, to a new table, and run
sub _pull
{
	my ($self, $fixture, $source, %args) = @_;
	my $table = $self->_new_table($source->{columns});
	my $run = $self->{flows}->move(definition => $self->_pull_definition($fixture, $source, $table, %args));
	$run->{table} = $table;
	return $self->_remember($run);
}

# From a table of these rows (a query of all columns that are written) to the system:
# operation, by => id field, kind => of profile, stop => failOnFirstDestinationError
sub _push
{
	my ($self, $fixture, $destination, $columns, $rows, %args) = @_;
	my $type = $fixture->{type};
	my $trigger = $args{trigger} // 'OnDemand';
	my $table = $self->_new_table($columns);
	my $name = 'push' . ++$self->{number};
	my %properties = %{ $destination->{properties} || { object => $destination->{entity} } };
	my $definition = {
		flowName => $name, triggerConfig => { triggerType => $trigger,
			$trigger eq 'Scheduled' ? (triggerProperties => { Scheduled => { scheduleExpression => $destination->{schedule} // 'rate(1minutes)', dataPullMode => 'Complete' } }) : () },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => $table } } },
		destinationFlowConfigList => [ { $self->_named($fixture, $args{kind}), destinationConnectorProperties => { $type => { %properties,
			$args{operation} ? (writeOperationType => $args{operation}) : (), $args{by} ? (idFieldNames => [ $args{by} ]) : (),
			$destination->{no_error_file} ? () : (errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => $args{stop} ? JSON::PP::true : JSON::PP::false }) } } } ],
		tasks => [ map { _task('CustomConnector', 'Map', [ $_->[0] ], $_->[0]) } @$columns ] };

	if ($trigger eq 'OnDemand')
	{
		$self->sql("INSERT INTO $table $rows");
		return $definition if $args{only_make};
		return $self->_remember($self->{flows}->move(definition => $definition));
	}

	$destination->{flow}->($name) if $destination->{flow};

	# events are changes of the table; a schedule's first run is at once
	$self->sql("ALTER TABLE $table ADD PRIMARY KEY (\"$columns->[0][0]\")");
	$self->sql("INSERT INTO $table $rows") if $trigger eq 'Scheduled';
	my $error = $self->error_of('SELECT appflow.create_flow($d$' . $json->encode($definition) . '$d$)');
	return $self->_remember({ name => $name, refused => $error }) if defined $error;
	$self->sql("SELECT appflow.start_flow('{\"flowName\": \"$name\"}')");
	$self->sql("INSERT INTO $table $rows") if $trigger eq 'Event';
	$self->{node}->poll_query_until('postgres', "SELECT count(*) > 0 AND bool_and(execution_status <> 'InProgress') FROM appflow.flow_executions WHERE flow_name = '$name'");
	$self->{node}->poll_query_until('postgres', "SELECT coalesce(sum(waiting_changes), 0) = 0 AND NOT EXISTS (SELECT FROM appflow.flow_progress WHERE flow_name = '$name') FROM appflow.flow_changes WHERE flow_name = '$name' AND flow_status = 'Active'");
	$self->sql("SELECT appflow.stop_flow('{\"flowName\": \"$name\"}')");
	my $run = $json->decode($self->sql("SELECT jsonb_build_object('name', '$name', 'status', (array_agg(execution_status ORDER BY requested_at DESC))[1], 'message', string_agg(execution_message, '; '),
		'processed', sum(records_processed), 'failed', sum(put_failures_count)) FROM appflow.flow_executions WHERE flow_name = '$name'"));
	my $errors = $self->{flows}->objects('errors', $name);
	$run->{errors} = join '', values %$errors if %$errors;
	return $self->_remember($run);
}

# A flow is started while the system does not answer at all, and cancelled.
sub _check_cancel
{
	my ($self, $fixture, $end, $definition) = @_;
	my $name = "$fixture->{type}: $end";
	my $flow = $definition->{flowName};
	my $of = "FROM appflow.flow_executions WHERE flow_name = '$flow'";

	$self->sql('SELECT appflow.create_flow($d$' . $json->encode($definition) . '$d$)');
	kill 'STOP', @{ $fixture->{pids} };
	eval {
		my $id = $self->sql("SELECT appflow.start_flow('{\"flowName\": \"$flow\"}') ->> 'executionId'");
		$self->{node}->poll_query_until('postgres', "SELECT count(*) > 0 FROM appflow.flow_progress WHERE flow_name = '$flow'");
		$self->sql("SELECT appflow.cancel_flow_executions('{\"flowName\": \"$flow\", \"executionIds\": [\"$id\"]}')");
		$self->{node}->poll_query_until('postgres', "SELECT count(*) > 0 $of AND execution_status NOT IN ('InProgress', 'CancelStarted')");
		1;
	} or diag($@);
	my $status = $self->sql("SELECT execution_status $of");
	kill 'CONT', @{ $fixture->{pids} };
	is($status, 'Canceled', "$name: a run that waits for it can be cancelled");
	return;
}

sub _remember
{
	my ($self, $run) = @_;
	push @{ $self->{told} }, $run->{refused} // (), $run->{message} // (), $run->{stderr} // ();
	return $run;
}

sub _outcome { my ($run) = @_; return defined $run->{refused} ? "refused: $run->{refused}" : join ' ', $run->{status}, $run->{processed} // 0, $run->{failed} // 0; }
sub _words { my ($run) = @_; return ($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''); }
sub _told { my ($run) = @_; my %told = %$run; delete @told{qw(files text)}; return $json->encode(\%told); }

# ---------- checks ----------

# What a fixture says of a check: code or a hash, or why there is nothing to check.
# True if there is something.
sub _about
{
	my ($fixture, $end, $said, $check) = @_;
	my $what = $said->{$check};

	if (!defined $what)
	{
		fail("$fixture->{type}: $end: $check: the fixture says neither how, nor why not");
		return 0;
	}
	return 1 if ref $what;
	SKIP: { skip "$fixture->{type}: $end: $check: $what", 1; }
	return 0;
}

sub _entities
{
	my ($self, $fixture, $said) = @_;
	my $answer = $self->ask('list_connector_entities', { $self->_named($fixture), maxResults => 10000, defined $said->{path} ? (entitiesPath => $said->{path}) : () });
	return map { $_->{name} } map { @$_ } values %{ $answer->{connectorEntityMap} };
}

# what is listed and described, of either end
sub _check_catalogue
{
	my ($self, $fixture, $end, $said) = @_;
	my $name = "$fixture->{type}: $end";

	if (ref($said->{listed} // []))
	{
		my @entities = $self->_entities($fixture, $said);
		cmp_ok(scalar @entities, '>', 0, "$name: lists entities");
		is(scalar(grep { $_ eq $said->{entity} } @entities), 1, "$name: with \"$said->{entity}\"") or diag(join ' ', @entities);
	}
	else { _about($fixture, $end, $said, 'listed'); }
	if (ref($said->{described} // []))
	{
		my $answer = $self->ask('describe_connector_entity', { $self->_named($fixture), connectorEntityName => $said->{entity} });
		my %type = map { $_->{identifier} => $_->{supportedFieldTypeDetails}{v1}{fieldType} } @{ $answer->{connectorEntityFields} };
		is(join(' ', map { "$_->[0]:" . ($type{ $_->[0] } // 'none') } @{ $said->{columns} }), join(' ', map { "$_->[0]:$_->[1]" } @{ $said->{columns} }), "$name: describes its fields");
		my ($field) = grep { ref $said->{incremental} && $_->{identifier} eq ${ $said->{incremental} } } @{ $answer->{connectorEntityFields} };
		ok($field->{sourceProperties}{isTimestampFieldForIncrementalQueries}, "$name: and which tells when a record has changed") if ref $said->{incremental};
	}
	else { _about($fixture, $end, $said, 'described'); }
	_about($fixture, $end, $said, 'incremental') if $end eq 'source' && !ref $said->{incremental};
	return;
}

# wrong credentials, the same at both ends: $run makes a run of the profile
sub _check_denied
{
	my ($self, $fixture, $end, $said, $run) = @_;
	_about($fixture, $end, $said, 'denied') or return;
	my %denied = ref $said->{denied} eq 'HASH' ? %{ $said->{denied} } : (told => $said->{denied});
	$fixture->calm;
	$denied{arm}->() if $denied{arm};
	my $error = $denied{arm} ? undef : $self->make_profile($fixture, 'wrong');
	my $words = $error // _words($run->($denied{arm} ? 'good' : 'wrong'));
	push @{ $self->{told} }, $words;
	like($words, $denied{told}, "$fixture->{type}: $end: wrong credentials are told in its words");
	return;
}

# All checks of one end of all fixtures; one that breaks is a failure of its own.
sub check
{
	my ($self, $end) = @_;
	foreach my $fixture ($self->systems)
	{
		my $check = "_check_$end";
		next if eval { $self->$check($fixture); 1 };
		fail("$fixture->{type}: $end: the checks go on to their end");
		diag(substr $@, 0, 1000);
	}
	return;
}

# SQL of what each operator means
my %meanings = (
	LESS_THAN => '%s < %s', GREATER_THAN => '%s > %s', LESS_THAN_OR_EQUAL_TO => '%s <= %s', GREATER_THAN_OR_EQUAL_TO => '%s >= %s',
	EQUAL_TO => '%s = %s', NOT_EQUAL_TO => '%s <> %s', BETWEEN => '%1$s > %2$s AND %1$s < %3$s', CONTAINS => 'strpos(%s, %s) > 0');

# Every operator of conditions that the type has, on a column with many values, gives what
# it gives here.
sub _check_operators
{
	my ($self, $fixture, $source, $held) = @_;
	my $name = "$fixture->{type}: source";
	my %supported = map { $_ => 1 } @{ $self->ask('describe_connector', { connectorType => $fixture->{type} })->{connectorConfiguration}{supportedOperators} };
	my $copy = $self->_new_table($source->{columns});
	my $text = JSON::PP->new->utf8->allow_nonref->encode($held);
	my @wanted = ref($source->{compare} // []) eq 'HASH' ? @{ $source->{compare} }{qw(field text)} : ();
	my %column = map { $_->[0] => $_ } @{ $source->{columns} };

	# numbers and times if there are any, the one of most values
	$self->sql("INSERT INTO $copy SELECT * FROM jsonb_populate_recordset(NULL::$copy, \$held\$$text\$held\$)");
	my @counted = map { [ $_, $self->sql(qq(SELECT count(DISTINCT "$_->[0]") FROM $copy)) ] } grep { $_->[2] !~ /^(jsonb|boolean)/ } @{ $source->{columns} };
	my ($ordered) = $wanted[0] ? $column{ $wanted[0] } : map { $_->[0] } sort { ($a->[0][2] eq 'text') <=> ($b->[0][2] eq 'text') || $b->[1] <=> $a->[1] } @counted;
	my ($texts) = $wanted[1] ? $column{ $wanted[1] } : map { $_->[0] } sort { $b->[1] <=> $a->[1] } grep { $_->[0][2] eq 'text' } @counted;

	foreach my $operator (grep { $supported{$_} } sort keys %meanings)
	{
		my $of = $operator eq 'CONTAINS' ? $texts : $ordered or next;
		my ($field, $type, $sql) = @$of;
		my $shown = $sql =~ /^timestamptz/ ? q(to_char(v AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) : 'v::text';
		my $sorted = qq("$field") . ($sql eq 'text' ? ' COLLATE "C"' : '');
		my ($low, $high) = map { $self->sql("SELECT $shown FROM (SELECT percentile_disc($_) WITHIN GROUP (ORDER BY $sorted) AS v FROM $copy) p") } 0.3, 0.7;
		$low = substr $low, 1 if $operator eq 'CONTAINS';
		my @operands = map { "\$v\$$_\$v\$" . ($sql eq 'text' ? '' : "::$sql") } $operator =~ /^LESS/ ? $high : $low, $high;
		my $where = sprintf $meanings{$operator}, $sorted, $operator eq 'BETWEEN' ? @operands : $operands[0];
		$fixture->calm;
		my $run = $self->_pull($fixture, $source, filters => [ [ $field, $operator, DATA_TYPE => lc $type,
			$operator eq 'BETWEEN' ? (LOWER_BOUND => $low, UPPER_BOUND => $high) : (VALUE => $operator =~ /^LESS/ ? $high : $low) ] ]);
		is(($run->{status} // _words($run)) . ' ' . $self->_difference($run->{table}, $held, $where), 'Successful ', "$name: $operator on \"$field\" gives what it gives here") or diag(_told($run));
	}
	return;
}

# The first window of an incremental pull, which begins among the records.
sub _check_incremental
{
	my ($self, $fixture, $source, $held) = @_;
	my $name = "$fixture->{type}: source";
	my $field = ${ $source->{incremental} };
	my ($column) = grep { $_->[0] eq $field } @{ $source->{columns} };

	if (!$column)
	{
		fail("$name: incremental: \"$field\" is not among the columns");
		return;
	}
	my %rates = map { $_ => 1 } @{ $self->ask('describe_connector', { connectorType => $fixture->{type} })->{connectorConfiguration}{supportedSchedulingFrequencies} };
	my $table = $self->_new_table($source->{columns});
	my $text = JSON::PP->new->utf8->allow_nonref->encode($held);
	my $from = $self->sql("SELECT floor(extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY \"$field\"))) FROM jsonb_populate_recordset(NULL::$table, \$held\$$text\$held\$)");
	my $definition = $self->_pull_definition($fixture, $source, $table, incremental => $field, schedule => {
		scheduleExpression => $rates{BYMINUTE} ? 'rate(1minutes)' : $rates{HOURLY} ? 'rate(1hours)' : 'rate(1days)', dataPullMode => 'Incremental', firstExecutionFrom => $from + 0 });
	my $flow = $definition->{flowName};
	$fixture->calm;
	my $error = $self->error_of('SELECT appflow.create_flow($d$' . $json->encode($definition) . '$d$)');
	is($error, undef, "$name: an incremental flow") or return;
	$self->sql("SELECT appflow.start_flow('{\"flowName\": \"$flow\"}')");
	$self->{node}->poll_query_until('postgres', "SELECT count(*) > 0 FROM appflow.flow_executions WHERE flow_name = '$flow' AND execution_status IN ('Successful', 'Error')");
	$self->sql("SELECT appflow.stop_flow('{\"flowName\": \"$flow\"}')");
	my ($status, $begin, $end) = split /\|/, $self->sql("SELECT execution_status || coalesce(': ' || execution_message, ''), data_pull_start_time, data_pull_end_time FROM appflow.flow_executions WHERE flow_name = '$flow' ORDER BY requested_at LIMIT 1");
	push @{ $self->{told} }, $status;
	is($status . ' ' . $self->_difference($table, $held, "\"$field\" >= '$begin' AND \"$field\" < '$end'"), 'Successful ', "$name: ... its first window has what changed in it") or diag("$begin to $end");
	cmp_ok($self->sql("SELECT count(*) FROM $table"), '>', 0, "$name: ... which is something");
	return;
}

sub _check_source
{
	my ($self, $fixture) = @_;
	my $source = $fixture->source or return;
	my $name = "$fixture->{type}: source";

	$self->_check_catalogue($fixture, 'source', $source);

	# ---------- records ----------

	$fixture->calm;
	my @held = @{ $source->{held}->() };
	my $all = scalar @held;
	my $whole = sub {
		my ($what, $run) = @_;
		is(_outcome($run), "Successful $all 0", "$name: $what") or diag(_told($run));
		is($self->_difference($run->{table}, \@held), '', "$name: ... every record as it is there");
	};
	my $none = sub {
		my ($what, $words, $run) = @_;
		like(_words($run), $words, "$name: $what") or diag(_told($run));
		is($self->sql("SELECT count(*) FROM $run->{table}"), 0, "$name: ... and nothing is half written");
	};
	cmp_ok($all, '>', 0, "$name: there are records");
	my $first = $self->_pull($fixture, $source);
	$whole->('a flow into a table', $first);
	cmp_ok($source->{paged}->(), '>', 1, "$name: by several pages") if _about($fixture, 'source', $source, 'paged');

	if (_about($fixture, 'source', $source, 'filter'))
	{
		my ($field, $operator, %properties) = @{ $source->{filter}{task} };
		$fixture->calm;
		my $run = $self->_pull($fixture, $source, filters => [ $source->{filter}{task} ]);
		is(($run->{status} // _words($run)) . ' ' . $self->_difference($run->{table}, \@held, $source->{filter}{where}), 'Successful ', "$name: $operator gives what it gives here") or diag(_told($run));
		my $left = $self->sql("SELECT count(*) FROM $run->{table}");
		ok($left > 0 && $left < $all, "$name: ... some of them");
		is($run->{processed}, $left, "$name: ... and none is read that is not wanted") if $source->{filter}{exact};
	}

	$self->_check_operators($fixture, $source, \@held) if _about($fixture, 'source', { compare => $source->{compare} // [] }, 'compare');

	$self->_check_incremental($fixture, $source, \@held) if ref $source->{incremental} && _about($fixture, 'source', { pulled => $source->{pulled} // [] }, 'pulled');

	# ---------- a foreign table ----------

	if (_about($fixture, 'source', { foreign => $source->{foreign} // [] }, 'foreign'))
	{
		my $server = lc "server_$fixture->{type}";
		my $where = $source->{filter} && ref $source->{filter} ? $source->{filter}{where} : 'true';
		my $within = $source->{within} ? $source->{within}{where} : 'true';
		my $options = $source->{foreign} && ref $source->{foreign} eq 'HASH' ? $source->{foreign} : {};
		my $foreign = 'public.f' . ++$self->{number};
		my @named = $self->_named($fixture);
		my %server = ($fixture->{profiles}{good} ? (connector_profile => $named[1]) : (connector_type => $fixture->{type}), %{ $options->{server} || {} });
		my %table = $options->{table} ? %{ $options->{table} } : (entity => $source->{entity});
		my $said = sub { my (%options) = @_; return '(' . join(', ', map { "$_ '$options{$_}'" } sort keys %options) . ')'; };
		$fixture->calm;
		$self->sql("CREATE SERVER $server FOREIGN DATA WRAPPER appflow_fdw OPTIONS " . $said->(%server)
			. "; CREATE FOREIGN TABLE $foreign (" . join(', ', map { qq("$_->[0]" $_->[2]) } @{ $source->{columns} }) . ") SERVER $server OPTIONS " . $said->(%table));
		my $copy = $self->_new_table($source->{columns});
		$self->sql("INSERT INTO $copy SELECT * FROM $foreign WHERE $within");
		is($self->_difference($copy, \@held), '', "$name: a foreign table");
		$self->sql("TRUNCATE $copy; INSERT INTO $copy SELECT * FROM $foreign WHERE $within AND $where");
		is($self->_difference($copy, \@held, $where), '', "$name: ... with a condition");
		if (_about($fixture, 'source', { import => $source->{import} // [] }, 'import'))
		{
			my $group = $source->{import} && ref $source->{import} eq 'HASH' ? $source->{import}{schema} : defined $source->{path} && $source->{path} ne '' ? $source->{path} : 'Objects';
			my $limit = $source->{import} && ref $source->{import} eq 'HASH' ? $source->{import}{table} : $source->{entity};
			$self->sql("CREATE SCHEMA $server; IMPORT FOREIGN SCHEMA \"$group\" LIMIT TO (\"$limit\") FROM SERVER $server INTO $server");
			my ($made) = split /\n/, $self->sql("SELECT ftrelid::regclass FROM pg_foreign_table t JOIN pg_class c ON c.oid = ftrelid WHERE relnamespace = '$server'::regnamespace");
			my $named = ref $source->{import} eq 'HASH' && $source->{import}{columns} ? $source->{import}{columns} : '1';
			is($self->sql("SELECT count(*) FROM (SELECT $named FROM $made WHERE $within) x"), $all, "$name: IMPORT FOREIGN SCHEMA");
		}
	}

	# ---------- when it does not answer as it should ----------

	if (_about($fixture, 'source', $source, 'throttle'))
	{
		$fixture->calm;
		$source->{throttle}->();
		$whole->('throttled', $self->_pull($fixture, $source));
		cmp_ok($fixture->refused, '>', 0, "$name: ... after a refusal");
	}
	if (_about($fixture, 'source', $source, 'expire'))
	{
		my $kind = $fixture->profile('expiring') ? 'expiring' : 'good';
		$self->make_profile($fixture, $kind);
		$fixture->calm;
		$source->{expire}{arm}->();
		my $run = $self->_pull($fixture, $source, kind => $kind);
		if ($source->{expire}{told}) { $none->('credentials that end on the way are told', $source->{expire}{told}, $run); }
		else
		{
			$whole->('credentials that end on the way', $run);
			is($source->{expire}{renewed}->(), 1, "$name: ... are renewed once");
		}
		$source->{expire}{mend}->() if $source->{expire}{mend};
	}
	if (_about($fixture, 'source', $source, 'malformed'))
	{
		foreach my $how (sort keys %{ $source->{malformed} })
		{
			$fixture->calm;
			$source->{malformed}{$how}->();
			$none->("an answer that is none: $how", qr/^Error: \S/, $self->_pull($fixture, $source));
		}
	}
	my $left = $self->_new_table($source->{columns});
	$fixture->calm;
	$self->_check_cancel($fixture, 'source', $self->_pull_definition($fixture, $source, $left));
	is($self->sql("SELECT count(*) FROM $left"), 0, "$name: ... and has written nothing");
	$fixture->calm;
	$whole->('the next run', $self->_pull($fixture, $source));
	$self->_check_denied($fixture, 'source', $source, sub { return $self->_pull($fixture, $source, kind => $_[0]); });
	$fixture->calm;
	return;
}

# what writing a query's rows by an operation does to the table that is compared with
sub _expect
{
	my ($self, $want, $columns, $key, $operation, $rows) = @_;
	my $list = join ', ', map { qq("$_->[0]") } @$columns;
	my $set = join ', ', map { qq("$_->[0]" = r."$_->[0]") } grep { $_->[0] ne $key } @$columns;

	$self->sql("INSERT INTO $want ($list) $rows") if $operation eq 'INSERT';
	$self->sql("MERGE INTO $want w USING ($rows) r ON w.\"$key\" = r.\"$key\""
		. ($set ne '' ? " WHEN MATCHED THEN UPDATE SET $set" : '') . " WHEN NOT MATCHED THEN INSERT ($list) VALUES (" . join(', ', map { qq(r."$_->[0]") } @$columns) . ')') if $operation eq 'UPSERT';
	$self->sql("UPDATE $want w SET $set FROM ($rows) r WHERE w.\"$key\" = r.\"$key\"") if $operation eq 'UPDATE';
	$self->sql("DELETE FROM $want w USING ($rows) r WHERE w.\"$key\" = r.\"$key\"") if $operation eq 'DELETE';
	return;
}

sub _check_destination
{
	my ($self, $fixture) = @_;
	my $destination = $fixture->destination or return;
	my $name = "$fixture->{type}: destination";
	my $configuration = $self->ask('describe_connector', { connectorType => $fixture->{type} })->{connectorConfiguration};
	my @operations = @{ $configuration->{supportedWriteOperations} };
	my %triggers = map { $_ => 1 } @{ $configuration->{supportedTriggerTypes} };
	my $trigger = $configuration->{canUseAsSource} || $triggers{OnDemand} ? 'OnDemand' : $triggers{Event} ? 'Event' : 'Scheduled';
	my @columns = @{ $destination->{columns} };
	my $key = $columns[0][0];
	my $id = $destination->{id};
	my $type = $destination->{id_type} // 'text';

	$self->_check_catalogue($fixture, 'destination', { %$destination, columns => $destination->{described_columns} || \@columns });
	$fixture->calm;

	# what must be there is kept in a table beside
	my $want = $self->_new_table(\@columns);
	my $stored = sub { return $destination->{stored}->(); };
	my $same = sub { my ($what) = @_; is($self->_difference($want, $stored->()), '', "$name: $what"); return; };
	my $rows = sub { my ($from, $to, $generation) = @_; return $destination->{rows}->("generate_series($from, $to) n", $generation // 1); };
	my $write = sub { my ($query, %args) = @_; return $self->_push($fixture, $destination, $args{columns} || \@columns, $query, trigger => $trigger, %args); };
	my $insert = $operations[0];
	my @by = defined $insert && $insert ne 'INSERT' ? (by => $key) : ();

	# rows of the same numbers with the system's own id in the place of the key, for operations that go by it
	my $by_id = sub {
		my ($query, $only_id) = @_;
		my $known = $json->encode([ map { { key => $_->{$key}, id => $_->{$id} } } @{ $stored->() } ]);
		my $others = $only_id ? '' : join '', map { qq(, r."$_->[0]") } @columns;
		return "SELECT k.id::$type AS \"$id\"$others FROM ($query) r JOIN jsonb_to_recordset(\$k\$$known\$k\$) k (key text, id text) ON k.key = r.\"$key\"::text";
	};

	# ---------- each operation ----------

	my $many = $destination->{many} // 250;
	my $run = $write->($rows->(1, $many), operation => $insert, @by);
	is(_outcome($run), "Successful $many 0", "$name: " . ($insert // 'a flow') . ' of rows of a table') or diag(_told($run));
	$self->_expect($want, \@columns, $key, 'INSERT', $rows->(1, $many));
	$same->('... every record is there as it was');
	cmp_ok($destination->{paged}->(), '>', 1, "$name: ... by several requests") if _about($fixture, 'destination', $destination, 'paged');
	foreach my $operation (grep { $_ ne 'INSERT' } @operations)
	{
		my $field = $destination->{by}{$operation};
		my %rows = (UPSERT => [ $many - 5, $many + 5 ], UPDATE => [ 3, 9 ], DELETE => [ 5, 7 ]);
		my $query = $rows->(@{ $rows{$operation} }, $operation eq 'UPSERT' ? 2 : 3);
		my $count = $rows{$operation}[1] - $rows{$operation}[0] + 1;

		if (!defined $field)
		{
			fail("$name: $operation: the fixture does not say by which field");
			next;
		}
		$fixture->calm;
		if ($field eq $key) { $run = $write->($operation eq 'DELETE' ? "SELECT \"$key\" FROM ($query) r" : $query, operation => $operation, by => $field, columns => $operation eq 'DELETE' ? [ $columns[0] ] : \@columns); }
		else { $run = $write->($by_id->($query, $operation eq 'DELETE'), operation => $operation, by => $field, columns => [ [ $id, 'String', $type ], $operation eq 'DELETE' ? () : @columns ]); }
		is(_outcome($run), "Successful $count 0", "$name: $operation by $field") or diag(_told($run));
		$self->_expect($want, \@columns, $key, $operation, $query);
		$same->('... and so it is');
	}

	# ---------- records that are refused ----------

	if (_about($fixture, 'destination', $destination, 'reject'))
	{
		my $good = $rows->($many + 101, $many + 103);
		$fixture->calm;
		$run = $write->("$good UNION ALL ($destination->{reject}{row})", operation => $insert, @by);
		is(_outcome($run), 'Successful 4 1', "$name: a record that is refused is counted") or diag(_told($run));
		$self->_expect($want, \@columns, $key, 'INSERT', $good);
		$same->('... and the others are there');
		like($destination->{no_error_file} ? $run->{message} : $run->{errors} // '', $destination->{reject}{told}, "$name: ... and why is told" . ($destination->{no_error_file} ? '' : ' in the error file'));
		$destination->{reject}{mend}->() if $destination->{reject}{mend};
	}
	_about($fixture, 'destination', $destination, 'no_error_file') if $destination->{no_error_file};

	# ---------- live ----------

	if (_about($fixture, 'destination', { live => $destination->{live} // [] }, 'live'))
	{
		my $server = lc "written_$fixture->{type}";
		my $foreign = 'public.f' . ++$self->{number};
		my @named = $self->_named($fixture);
		my $query = $rows->($many + 201, $many + 204);
		$fixture->calm;
		$self->sql("CREATE SERVER $server FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile '$named[1]'); CREATE FOREIGN TABLE $foreign ("
			. join(', ', map { qq("$_->[0]" $_->[2]) } @columns) . ") SERVER $server OPTIONS (entity '$destination->{entity}')");
		$self->sql("INSERT INTO $foreign $query");
		$self->_expect($want, \@columns, $key, 'INSERT', $query);
		$same->('INSERT into a foreign table');
	}

	# ---------- when it does not answer as it should ----------

	my $next = $many + 301;
	my $again = sub {
		my ($what, $also, %args) = @_;
		my $query = $rows->($next, $next + 3);
		$next += 10;
		my $run = $write->($query, operation => $insert, @by, %args);
		is(_outcome($run), 'Successful 4 0', "$name: $what") or diag(_told($run));
		$also->();
		$self->_expect($want, \@columns, $key, 'INSERT', $query);
		$same->('... every record is there once');
	};

	# what a run has written of a query, of which it could not know everything: nothing twice
	my $adopt = sub {
		my ($query) = @_;
		my %there = map { ($_->{$key} // '') => 1 } @{ $stored->() };
		my @done = grep { $there{$_} } split /\n/, $self->sql("SELECT \"$key\" FROM ($query) r");
		is(scalar @{ $stored->() }, $self->sql("SELECT count(*) FROM $want") + @done, "$name: ... nothing is there twice");
		$self->_expect($want, \@columns, $key, 'INSERT', "SELECT * FROM ($query) r WHERE \"$key\"::text = ANY ('{" . join(',', @done) . "}')") if @done;
	};
	if (_about($fixture, 'destination', $destination, 'throttle'))
	{
		$fixture->calm;
		$destination->{throttle}->();
		$again->('throttled', sub { cmp_ok($fixture->refused, '>', 0, "$name: ... after a refusal") });
	}
	if (_about($fixture, 'destination', $destination, 'expire'))
	{
		my $kind = $fixture->profile('expiring') ? 'expiring' : 'good';
		$self->make_profile($fixture, $kind);
		$fixture->calm;
		$destination->{expire}{arm}->();
		if ($destination->{expire}{told})
		{
			$run = $write->($rows->($next, $next + 3), operation => $insert, @by, kind => $kind);
			like(_words($run), $destination->{expire}{told}, "$name: credentials that end are told");
			$same->('... and nothing is written');
		}
		else
		{
			$again->('credentials that end on the way', sub { is($destination->{expire}{renewed}->(), 1, "$name: ... are renewed once") }, kind => $kind);
		}
		$destination->{expire}{mend}->() if $destination->{expire}{mend};
	}
	if (_about($fixture, 'destination', $destination, 'malformed'))
	{
		foreach my $how (sort keys %{ $destination->{malformed} })
		{
			my $query = $rows->($next, $next + 3);
			$next += 10;
			$fixture->calm;
			$destination->{malformed}{$how}->();
			$run = $write->($query, operation => $insert, @by);

			# what cannot be known is not told as success; changes of a table are tried again
			like(_words($run) . ' ' . ($run->{failed} // 0), $trigger eq 'Event' ? qr/: \S/ : qr/^Error: \S| [1-9]\d*$/, "$name: an answer that is none: $how") or diag(_told($run));
			$fixture->calm;
			$adopt->($query);
		}
	}
	if ($trigger eq 'OnDemand' && _about($fixture, 'destination', { cancel => $destination->{cancel} // [] }, 'cancel'))
	{
		my $query = $rows->($next, $next + 3);
		$fixture->calm;
		$self->_check_cancel($fixture, 'destination', $write->($query, operation => $insert, @by, only_make => 1));
		$next += 10;
		$fixture->calm;
		$run = $write->($rows->($next, $next + 3), operation => $insert, @by);
		is(_outcome($run), 'Successful 4 0', "$name: ... and the next one does what it should") or diag(_told($run));
		$self->_expect($want, \@columns, $key, 'INSERT', $rows->($next, $next + 3));
		$next += 10;
		$adopt->($query);
		$same->('... every record is there once');
	}
	$self->_check_denied($fixture, 'destination', $destination, sub { return $write->($rows->($next, $next), operation => $insert, @by, kind => $_[0]); });
	$same->('what is there in the end') if ref $destination->{denied};
	$fixture->calm;
	return;
}

# after all checks: no secret was told, none is in the log
sub check_secrets
{
	my ($self) = @_;
	my $log = slurp_file($self->{node}->logfile);
	my @found = grep { my $secret = $_; grep { index($_, $secret) >= 0 } $log, @{ $self->{told} || [] } } sort keys %{ $self->{secrets} };
	is(scalar @found, 0, 'no secret is in a message or in the log') or diag("found: @found");
	return;
}

1;
