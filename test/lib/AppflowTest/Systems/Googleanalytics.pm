package AppflowTest::Systems::Googleanalytics;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('googleanalytics/server.js');
	$self->control('seed', { events => 900 });
	$self->control('set', { max => 300 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return { properties => { instanceUrl => $self->{url} }, credentials => { clientId => 'planted-client', clientSecret => 'planted-client-secret',
		accessToken => $kind eq 'wrong' ? 'planted-wrong' : 'planted-google', refreshToken => $kind eq 'wrong' ? 'planted-revoked' : 'planted-refresh' } };
}

sub source
{
	my ($self) = @_;
	return {
		entity => 'properties/1001',
		import => { schema => 'Objects', table => '1001', columns => 'custom_event_serial, date, country, event_count, total_revenue' },
		columns => [ [ 'customEvent:serial' => 'String', 'text' ], [ date => 'Date', 'date' ], [ country => 'String', 'text' ], [ eventCount => 'Long', 'bigint' ], [ totalRevenue => 'Double', 'float8' ] ],
		held => sub {
			return [ map { { 'customEvent:serial' => $_->{'customEvent:serial'}, date => $_->{date}, country => $_->{country}, eventCount => 1, totalRevenue => $_->{revenue} } } @{ $self->control('records?entity=events') } ];
		},
		paged => sub { return scalar $self->seen(qr/runReport/); },
		filter => { task => [ 'date', 'BETWEEN', DATA_TYPE => 'date', LOWER_BOUND => '2024-01-10', UPPER_BOUND => '2024-01-21' ], where => "date > '2024-01-10' AND date < '2024-01-21'", exact => 1 },
		incremental => \'date',
		throttle => sub { $self->fault('throttle', 'runReport', 1) },
		expire => { arm => sub { $self->fault('expire', 'runReport', 1) }, renewed => sub { return scalar $self->seen(qr{POST /token}); } },
		denied => qr/invalid_grant/,
		malformed => $self->garbled('runReport', 1) };
}

1;
