# s3rver behind a proxy that adds what it lacks (test/simulators/s3).
package AppflowTest::Systems::S3;

use strict;
use warnings;

use parent 'AppflowTest::System';

use HTTP::Tiny;
use PostgreSQL::Test::Utils;

my ($identity, $secret) = ('S3RVER', 'S3RVER');
my $folder = 'in';

sub bucket { return 'lake'; }

sub start
{
	my ($self) = @_;
	$self->{objects} = PostgreSQL::Test::Utils::tempdir;
	$self->simulator('--openssl-legacy-provider', 's3/server.js', $self->{objects});
	return;
}

# the store that requests go by: with its key, or with one that the server does not know
sub store
{
	my ($self, $how, $key) = @_;
	my $name = lc $self->{type};
	my $bucket = $self->bucket;
	$self->sql($how eq 'create' ? "SELECT appflow.create_object_store('$name', '$self->{url}', '{$bucket}', access_key_id => '$identity', secret_access_key => '$key')"
		: "SELECT appflow.alter_object_store('$name', access_key_id => '$identity', secret_access_key => '$key')");
	return;
}

sub prepare
{
	my ($self) = @_;
	my $bucket = $self->bucket;
	$self->store('create', $secret);
	for (my $object = 1; $object <= 3; $object++)
	{
		my $lines = join '', map { qq({"id":$_,"name":"N\\"$_\\" \\u00e9","price":$_.25,"at":"2024-03-01T00:00:00Z"}\n) } $object * 100 - 99 .. $object * 100;
		$self->sql("SELECT appflow.write_object('$bucket', '$folder/$object.json', convert_to(\$o\$$lines\$o\$, 'UTF8'))");
	}
	return;
}

sub calm { my ($self) = @_; HTTP::Tiny->new->delete("$self->{url}/_fault"); $self->get('_log'); $self->store('alter', $secret); return; }
sub refused { my ($self) = @_; return scalar grep { $_->{status} == 503 } @{ $self->get('_log') }; }
sub fault { my ($self, %fault) = @_; $self->post('_fault', \%fault); return; }

# wrong credentials are the object store's: there is no profile
sub profile { my ($self, $kind) = @_; return if $kind ne 'wrong'; $self->store('alter', 'planted-wrong-secret'); return; }

sub source
{
	my ($self) = @_;
	my $bucket = $self->bucket;
	my @said = (method => 'GET', path => "$folder/2");
	return {
		entity => "$bucket/$folder", path => $bucket, properties => { bucketName => $bucket, bucketPrefix => $folder, s3InputFormatConfig => { s3InputFileType => 'JSON' } },
		columns => [ [ id => 'Long', 'bigint' ], [ name => 'String', 'text' ], [ price => 'Double', 'numeric' ], [ at => 'DateTime', 'timestamptz' ] ],
		held => sub { return [ map { my $n = $_; +{ id => $n, name => "N\"$n\" \x{e9}", price => "$n.25", at => '2024-03-01T00:00:00Z' } } 1 .. 300 ]; },
		paged => sub { return scalar grep { $_->{method} eq 'GET' && $_->{url} =~ m{/$folder/\d} } @{ $self->get('_log') }; },
		filter => { task => [ 'id', 'GREATER_THAN', DATA_TYPE => 'long', VALUE => '150' ], where => 'id > 150' },
		incremental => 'objects go by the time at which they were changed, which is no field',
		foreign => { table => { bucket => $bucket, prefix => $folder } }, import => { schema => $bucket, table => $folder },
		throttle => sub { $self->fault(@said, answer => { status => 503, code => 'SlowDown', message => 'Please reduce your request rate.' }) },
		expire => 'keys of an object store do not end; those of a role are renewed before they do (t/033)',
		denied => qr/SignatureDoesNotMatch|signature/,
		malformed => { cut => sub { $self->fault(@said, answer => { status => 200, body => qq({"id":1,"na) }) }, html => sub { $self->fault(@said, answer => { status => 200, body => '<html></html>' }) } } };
}

sub destination
{
	my ($self) = @_;
	my $bucket = $self->bucket;
	my $read = sub {
		my $text = $self->sql("SELECT coalesce(string_agg(convert_from(appflow.read_object('$bucket', key), 'UTF8'), ''), '') FROM appflow.list_objects('$bucket', 'out/')");
		return [ map { JSON::PP->new->utf8->decode($_) } split /\n/, $text ];
	};
	return {
		entity => "$bucket/$folder", path => $bucket, described => 'objects are of any fields',
		properties => { bucketName => $bucket, bucketPrefix => 'out', s3OutputFormatConfig => { fileType => 'JSON', prefixConfig => {} } },
		columns => [ [ id => 'Long', 'bigint' ], [ name => 'String', 'text' ], [ price => 'Double', 'numeric' ], [ at => 'DateTime', 'timestamptz' ] ],
		rows => sub { my ($numbers) = @_; return qq{SELECT n AS id, 'N"' || n || '" ü' AS name, n / 8.0 AS price, timestamptz '2024-03-01Z' + n * interval '1 min' AS at FROM $numbers}; },
		stored => sub { $self->calm; return $read->(); },
		paged => 'a run writes one object, in parts of megabytes (t/064, t/031)',
		reject => 'a bucket takes every record', no_error_file => 'the destination has no errorHandlingConfig',
		live => 'objects are written whole: a foreign table over them is only read',
		throttle => sub { $self->fault(method => 'PUT', answer => { status => 503, code => 'SlowDown', message => 'Please reduce your request rate.' }) },
		expire => 'keys of an object store do not end; those of a role are renewed before they do (t/033)',
		denied => qr/SignatureDoesNotMatch|signature/,
		malformed => 'what is written is answered by a status',
		cancel => 'objects are put in their place at the end, which is not broken off' };
}

1;
