package AppflowTest::Systems::Snowflake;

use strict;
use warnings;

use parent 'AppflowTest::SystemOfAWS';

sub start { my ($self) = @_; $self->simulator('warehouse/snowflake.js', $self->{registry}{root}); return; }

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return {
		properties => { warehouse => 'wh', stage => 'lake.public.appflow', bucketName => 'staging', bucketPrefix => 'snow', accountName => $self->{url}, region => 'us-west-2' },
		credentials => { username => 'loader', password => $kind eq 'wrong' ? 'planted-wrong' : 'planted-password' } };
}

sub destination
{
	my ($self) = @_;
	my $logins = 0;
	return {
		entity => '"PUBLIC"."ORDERS"', properties => { object => 'orders', intermediateBucketName => 'staging', bucketPrefix => 'snow/in' },
		columns => [ [ ID => 'String', 'text' ], [ AMOUNT => 'BigDecimal', 'numeric' ], [ COUNT => 'Long', 'bigint' ], [ AT => 'DateTime', 'timestamptz' ], [ NOTE => 'String', 'text' ] ],
		rows => sub { my ($numbers) = @_; return qq{SELECT 'k' || n AS "ID", (n / 4.0)::numeric(12,2) AS "AMOUNT", n AS "COUNT", timestamptz '2026-05-06 07:08:09.5Z' + n * interval '1 s' AS "AT", E'a "b" \\\\ ü' AS "NOTE" FROM $numbers}; },
		stored => sub { return $self->get('_rows'); },
		paged => 'a run loads what it has staged at once, a file for each part of it (t/410)',
		reject => { row => q{SELECT NULL, 1, 1, now(), 'no id'}, told => qr/NULL result in a non-nullable column/ },
		live => 'a warehouse loads files',
		throttle => sub { $self->fault('throttle', 'COPY INTO') },
		expire => { arm => sub { $logins = $self->get('_logins'); $self->fault('expire', 'COPY INTO') }, renewed => sub { $self->get('_logins') - $logins } },
		denied => qr/390100/,
		malformed => $self->garbled('COPY INTO') };
}

1;
