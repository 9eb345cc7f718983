package AppflowTest::Systems::Amplitude;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('amplitude/server.js');
	$self->control('seed', { events => { from => '2024-03-05T00', hours => 60, perHour => 20 } });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return { properties => { instanceUrl => $self->{url} }, credentials => { apiKey => 'planted-amplitude', secretKey => $kind eq 'wrong' ? 'planted-wrong' : 'planted-secret' } };
}

sub calm
{
	my ($self) = @_;
	$self->control('set', { bad => undef });
	return $self->SUPER::calm;
}

sub source
{
	my ($self) = @_;
	my $between = sub {
		my ($lower, $upper) = @_;
		return (task => [ 'server_upload_time', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => $lower, UPPER_BOUND => $upper ],
			where => "server_upload_time > '$lower' AND server_upload_time < '$upper'");
	};
	return {
		entity => 'events',
		within => { $between->('2024-03-04T00:00:00Z', '2024-03-10T00:00:00Z') },
		columns => [ [ uuid => 'String', 'text' ], [ event_type => 'String', 'text' ], [ event_time => 'DateTime', 'timestamptz' ], [ server_upload_time => 'DateTime', 'timestamptz' ],
			[ session_id => 'Long', 'bigint' ], [ user_id => 'String', 'text' ], [ paying => 'Boolean', 'boolean' ], [ location_lat => 'Double', 'float8' ], [ event_properties => 'Struct', 'jsonb' ] ],
		held => sub { return [ map { +{ %$_, event_time => "$_->{event_time}Z", server_upload_time => "$_->{server_upload_time}Z" } } @{ $self->control('records') } ]; },
		paged => sub { return scalar $self->seen(qr{api/2/export}); },
		filter => { $between->('2024-03-05T10:30:00Z', '2024-03-05T15:00:00Z') },
		incremental => \'server_upload_time',
		throttle => sub { $self->fault('throttle', 'export', 1) },
		expire => { arm => sub { $self->fault('expire', 'export', 1) }, told => qr/^Error: .*Invalid API Key/s, mend => sub { $self->control('set', { expired => JSON::PP::false }) } },
		denied => qr/Invalid API Key/,
		malformed => {
			html => sub { $self->fault('html', 'export', 1) },
			map { my $bad = $_; ($bad => sub { $self->control('set', { bad => $bad, badHours => 1e9 }) }) } qw(truncated checksum garbage line) } };
}

1;
