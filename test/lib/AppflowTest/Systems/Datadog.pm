package AppflowTest::Systems::Datadog;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('saas/datadog.js');
	$self->control('seed', { logs => 2200 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return { properties => { instanceUrl => $self->{url} }, credentials => { apiKey => $kind eq 'wrong' ? 'planted-wrong' : 'planted-api', applicationKey => 'planted-application' } };
}

sub source
{
	my ($self) = @_;
	return {
		entity => 'logs',
		columns => [ [ id => 'String', 'text' ], [ timestamp => 'DateTime', 'timestamptz' ], [ service => 'String', 'text' ], [ status => 'String', 'text' ], [ message => 'String', 'text' ], [ attributes => 'Struct', 'jsonb' ] ],
		held => sub { return [ map { +{ %{ $_->{attributes} }, id => $_->{id} } } @{ $self->control('records?entity=logs') } ]; },
		paged => sub { return scalar $self->seen(qr{v2/logs/events}); },
		filter => { task => [ 'service', 'EQUAL_TO', VALUE => 'web' ], where => q{service = 'web'}, exact => 1 },
		incremental => \'timestamp',
		throttle => sub { $self->fault('throttle', 'cursor') },
		expire => { arm => sub { $self->fault('expire', 'cursor') }, told => qr/^Error: .*Unauthorized/s, mend => sub { $self->control('set', { expired => JSON::PP::false }) } },
		denied => qr/Unauthorized/,
		malformed => $self->garbled('cursor') };
}

1;
