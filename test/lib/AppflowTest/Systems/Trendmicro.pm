package AppflowTest::Systems::Trendmicro;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('saas/trendmicro.js');
	$self->control('seed', { computers => 700 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return { properties => { instanceUrl => $self->{url} }, credentials => { apiSecretKey => $kind eq 'wrong' ? 'planted-wrong' : 'planted-trend' } };
}

sub source
{
	my ($self) = @_;
	return {
		entity => 'computers',
		columns => [ [ ID => 'Long', 'bigint' ], [ hostName => 'String', 'text' ], [ displayName => 'String', 'text' ], [ policyID => 'Long', 'int' ], [ lastAgentCommunication => 'DateTime', 'timestamptz' ],
			[ computerStatus => 'Struct', 'jsonb' ] ],
		held => sub { return [ map { +{ %$_, lastAgentCommunication => $self->moment($_->{lastAgentCommunication}) } } @{ $self->control('records?entity=computers') } ]; },
		paged => sub { return scalar $self->seen(qr{computers/search}); },
		filter => { task => [ 'displayName', 'EQUAL_TO', VALUE => 'web "7"' ], where => q{"displayName" = 'web "7"'} },
		incremental => 'computers do not say when they were changed',
		throttle => sub { $self->fault('throttle', 'computers', 1) },
		expire => { arm => sub { $self->fault('expire', 'computers', 1) }, told => qr/^Error: .*Authentication required/s, mend => sub { $self->control('set', { expired => JSON::PP::false }) } },
		denied => qr/Authentication required/,
		malformed => $self->garbled('computers', 1) };
}

1;
