# AppflowTest::Flows
#	Flows in a cluster of their own with an object store of three buckets:
#	source, target and errors.
#
#	use AppflowTest::Flows;
#	my $flows = AppflowTest::Flows->new('name');
#	my $run = $flows->move(input => qq({"a":1}\n), tasks => [ map_all() ]);
#	is($run->{text}, qq({"a":1}\n));

package AppflowTest::Flows;

use strict;
use warnings;

use Exporter 'import';
use File::Path qw(make_path);
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(mapping map_all rows projection validate mask truncated merge arithmetic partition passthrough
  json_text);

my $json = JSON::PP->new->canonical->ascii->allow_nonref;

sub json_text { return $json->encode($_[0]); }

# ---------- tasks ----------

sub _task
{
	my ($type, $fields, $destination, $operator, %properties) = @_;
	return {
		taskType => $type,
		sourceFields => ref $fields ? $fields : [$fields],
		connectorOperator => { S3 => $operator || 'NO_OP' },
		taskProperties => \%properties,
		defined $destination ? (destinationField => $destination) : ()
	};
}

# mapping('a'), mapping('a', 'b'), mapping('a', 'b', 'long')
sub mapping
{
	my ($from, $to, $type) = @_;
	return _task('Map', $from, $to // $from, undef, defined $type ? (DESTINATION_DATA_TYPE => $type) : ());
}

sub map_all { return _task('Map_all', [], undef, undef, @_); }
sub passthrough { return _task('Passthrough', [], undef, undef, @_); }
sub projection { return _task('Filter', [@_], undef, 'PROJECTION'); }

# rows('field', 'EQUAL_TO', VALUE => ...)
sub rows { my ($field, $operator, @properties) = @_; return _task('Filter', $field, undef, $operator, @properties); }

# validate('field', 'NON_NULL', 'DropRecord')
sub validate
{
	my ($field, $what, $action) = @_;
	return _task('Validate', $field, undef, "VALIDATE_$what", VALIDATION_ACTION => $action || 'DropRecord');
}

# mask('field', 'ALL', MASK_LENGTH => 5)
sub mask { my ($field, $how, @properties) = @_; return _task('Mask', $field, undef, "MASK_$how", @properties); }
sub truncated { my ($field, $length) = @_; return _task('Truncate', $field, undef, undef, TRUNCATE_LENGTH => $length); }

# merge([fields], 'name', CONCAT_FORMAT => ...)
sub merge { my ($fields, $name, @properties) = @_; return _task('Merge', $fields, $name, undef, @properties); }

# arithmetic([fields], 'name', 'ADDITION', MATH_OPERATION_FIELDS_ORDER => ...)
sub arithmetic
{
	my ($fields, $name, $operator, @properties) = @_;
	return _task('Arithmetic', $fields, $name, $operator, @properties);
}

sub partition { return _task('Partition', [@_], undef, undef, ORDERED_PARTITION_KEYS_LIST => json_text([@_])); }

# ---------- the cluster ----------

sub new
{
	my ($class, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $root = PostgreSQL::Test::Utils::tempdir();
	my $self = bless { node => $node, root => $root, number => 0 }, $class;

	$node->init;
	$node->start;
	mkdir "$root/$_" foreach qw(source target errors);
	$node->safe_psql('postgres', qq{
		CREATE EXTENSION appflow;
		SELECT appflow.create_object_store('local', 'file://$root');
	});
	return $self;
}

# Parquet bytes as {types => {column => type}, rows => [[...]]}, values as text
sub parquet
{
	my ($self, $bytes) = @_;
	return {} if $bytes eq '';
	my $path = "$self->{root}/../" . ++$self->{parquets} . '.parquet';
	open my $file, '>:raw', $path or die "$path: $!";
	print $file $bytes;
	close $file;
	my $text = `node '$ENV{APPFLOW_TEST_DIR}/parquet/rows.mjs' '$path' 2>&1`;
	unlink $path;
	die "parquet/rows.mjs failed: $text\n" if $? != 0;
	return $json->decode($text);
}

sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }

sub put
{
	my ($self, $key, $bytes) = @_;
	my $path = "$self->{root}/source/$key";
	(my $folder = $path) =~ s{/[^/]*$}{};
	make_path($folder);
	open my $file, '>:raw', $path or die "$path: $!";
	print $file $bytes;
	close $file;
}

# the objects of a bucket below a folder: {key within it => bytes}
sub objects
{
	my ($self, $bucket, $folder) = @_;
	my $top = "$self->{root}/$bucket" . ($folder eq '' ? '' : "/$folder");
	my %objects;

	return {} if !-d $top;
	open my $find, '-|', 'find', $top, '-type', 'f', '-print0' or die "find: $!";
	local $/ = "\0";
	my @paths = <$find>;
	close $find;
	chomp @paths;
	local $/ = undef;
	foreach my $path (@paths)
	{
		open my $file, '<:raw', $path or die "$path: $!";
		$objects{ substr $path, length($top) + 1 } = <$file>;
	}
	return \%objects;
}

# what runs have left in the store besides objects: must be nothing
sub leftovers
{
	my ($self) = @_;
	my $staging = "$self->{root}/.appflow";
	return -d $staging ? split /\n/, `find '$staging' -type f` : ();
}

# The definition of a flow from S3 to S3 or to a table:
#	input   bytes of one object, or {key => bytes}; or prefix, of what was put before
#	from    CSV or JSON (default)
#	to      CSV, JSON (default) or PARQUET
#	output  more of s3OutputFormatConfig
#	table   columns of a new table as the destination
#	write   more of a table's properties, such as errorHandlingConfig
#	tasks   [...]
sub definition
{
	my ($self, %args) = @_;
	my $number = ++$self->{number};
	my $folder = $args{prefix} // "in$number";
	my $input = $args{input};

	if (defined $input)
	{
		$input = { 'object' => $input } if !ref $input;
		$self->put("$folder/$_", $input->{$_}) foreach keys %$input;
	}
	my $destination = {
		connectorType => 'S3',
		destinationConnectorProperties => {
			S3 => {
				bucketName => 'target', bucketPrefix => "out$number",
				s3OutputFormatConfig => { fileType => $args{to} || 'JSON', %{ $args{output} || {} } }
			}
		}
	};
	if (defined $args{table})
	{
		$self->sql("CREATE TABLE public.table$number ($args{table})");
		$destination = {
			connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
			destinationConnectorProperties => {
				CustomConnector => { entityName => "public.table$number", %{ $args{write} || {} } }
			}
		};
	}
	return {
		flowName => "flow$number",
		triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => {
			connectorType => 'S3',
			sourceConnectorProperties => {
				S3 => {
					bucketName => 'source', bucketPrefix => $folder,
					s3InputFormatConfig => { s3InputFileType => $args{from} || 'JSON' }
				}
			}
		},
		destinationFlowConfigList => [$destination],
		tasks => $args{tasks}
	};
}

# Create the flow and run it.  What became of it:
#	refused     the error of create_flow, otherwise undef
#	status, message, processed, filtered, failed, id    of the run
#	files       {key below the flow's folder => bytes}
#	text        all files' bytes in the order of keys, or all rows of the table as JSON
#	errors      bytes of the error file or undef
sub move
{
	my ($self, %args) = @_;
	my $definition = $args{definition} || $self->definition(%args);
	my $name = $definition->{flowName};
	my $text = json_text($definition);
	my ($stdout, $stderr);
	my %run = (name => $name);

	$self->{node}->psql('postgres', qq{
		SELECT appflow.create_flow(\$definition\$$text\$definition\$);
	}, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
	$run{notices} = $stderr;
	if ($stderr =~ /ERROR:\s+(.*)/)
	{
		$run{refused} = $1;
		return \%run;
	}
	$self->{node}->psql('postgres', "CALL appflow.run_flow('$name')", stdout => \$stdout, stderr => \$stderr);
	$run{stderr} = $stderr;
	my $record = $self->sql(qq{
		SELECT to_jsonb(e) FROM appflow.flow_executions e WHERE flow_name = '$name' ORDER BY requested_at DESC LIMIT 1});
	$record = $json->decode($record);
	@run{qw(status message processed filtered failed id started)} =
	  @$record{qw(execution_status execution_message records_processed records_filtered put_failures_count
		  execution_id started_at)};
	my $number = $name =~ s/\D//gr;
	$run{files} = $self->objects('target', "out$number/$name");
	$run{text} = join '', map { $run{files}{$_} } sort keys %{ $run{files} };
	$run{text} = $self->sql("SELECT json_agg(row_to_json(t)) FROM public.table$number t") if defined $args{table};
	my $errors = $self->objects('errors', '');
	($run{errors}) = map { $errors->{$_} } grep { m{\Q$name/$run{id}/\E} } keys %$errors;
	return \%run;
}

1;
