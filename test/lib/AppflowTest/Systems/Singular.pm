package AppflowTest::Systems::Singular;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('singular/server.js');
	$self->control('seed', { days => 75 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return { properties => { instanceUrl => $self->{url} }, credentials => { apiKey => $kind eq 'wrong' ? 'planted-wrong' : 'planted-singular' } };
}

sub source
{
	my ($self) = @_;
	my $number = sub { return $_[0] == 0 ? undef : $_[0]; };
	return {
		entity => 'report',
		import => { schema => 'Objects', table => 'report', columns => 'date, keyword, source, adn_cost, custom_clicks' },
		within => { task => [ 'start_date', 'EQUAL_TO', DATA_TYPE => 'date', VALUE => '2024-01-01' ], where => "date >= '2024-01-01'" },
		columns => [ [ date => 'Date', 'date' ], [ keyword => 'String', 'text' ], [ source => 'String', 'text' ], [ adn_cost => 'Double', 'float8' ], [ custom_clicks => 'Double', 'float8' ] ],
		held => sub {
			return [ map { { date => $_->{day}, keyword => $_->{keyword}, source => $_->{source}, adn_cost => $number->($_->{cost}), custom_clicks => $number->($_->{clicks}) } } @{ $self->control('records?entity=report') } ];
		},
		paged => sub { return scalar $self->seen(qr{/store/}); },
		filter => { task => [ 'source', 'EQUAL_TO', DATA_TYPE => 'string', VALUE => 'AdWords' ], where => "source = 'AdWords'", exact => 1 },
		incremental => \'date',
		throttle => sub { $self->fault('throttle', 'create_async', 1) },
		expire => { arm => sub { $self->fault('expire', 'create_async', 1) }, told => qr/^Error: .*API key is not valid/s, mend => sub { $self->control('seed', { keys => ['planted-singular'] }) } },
		denied => qr/API key is not valid/,
		malformed => $self->garbled('/store/', 1) };
}

1;
