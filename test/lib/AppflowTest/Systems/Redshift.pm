# Redshift by its Data API; by its own protocol it is in t/410.
package AppflowTest::Systems::Redshift;

use strict;
use warnings;

use parent 'AppflowTest::SystemOfAWS';

sub start
{
	my ($self) = @_;
	my $aws = $self->{registry}->aws;
	(undef, $self->{database_port}) = $self->simulator('warehouse/redshift.js', $self->{registry}{root}, $aws->{key}, $aws->{secret}, $aws->{region});
	return;
}

sub settings { my ($self) = @_; return "appflow.redshift_data_endpoint = '$self->{url}'"; }
sub environment { my ($self) = @_; return (AWS_ENDPOINT_URL_STS => $self->{url}); }

# the Data API has the identity of AWS: a password is that of the database
sub profile
{
	my ($self, $kind) = @_;
	my %load = (bucketName => 'staging', roleArn => 'arn:aws:iam::123456789012:role/load');
	return if $kind eq 'expiring';
	return { properties => { %load, databaseUrl => "jdbc:redshift://127.0.0.1:$self->{database_port}/dev?ssl=false" }, credentials => { username => 'loader', password => 'planted-wrong' } } if $kind eq 'wrong';
	return { properties => { %load, dataApiRoleArn => 'arn:aws:iam::123456789012:role/data', isRedshiftServerless => JSON::PP::true, workgroupName => 'wg', databaseName => 'dev' } };
}

sub destination
{
	my ($self) = @_;
	return {
		entity => '"public"."orders"', properties => { object => 'orders', intermediateBucketName => 'staging', bucketPrefix => 'red' },
		columns => [ [ id => 'String', 'text' ], [ amount => 'BigDecimal', 'numeric' ], [ count => 'Long', 'bigint' ], [ at => 'DateTime', 'timestamptz' ], [ note => 'String', 'text' ] ],
		rows => sub { my ($numbers) = @_; return qq{SELECT 'k' || n AS id, (n / 4.0)::numeric(12,2) AS amount, n AS count, timestamptz '2026-05-06 07:08:09.5Z' + n * interval '1 s' AS at, E'a "b" \\\\ ü' AS note FROM $numbers}; },
		stored => sub { return $self->get('_rows'); },
		paged => 'a run loads what it has staged at once, a file for each part of it (t/410)',
		reject => { row => q{SELECT NULL, 1, 1, now(), 'no id'}, told => qr/NULL result in a non-nullable column/ },
		live => 'a warehouse loads files',
		throttle => sub { $self->fault('throttle', 'ExecuteStatement.*COPY') },
		expire => $self->expiry('ExecuteStatement.*COPY'),
		denied => qr/password authentication failed/,
		malformed => $self->garbled('ExecuteStatement.*COPY') };
}

1;
