package AppflowTest::Systems::Servicenow;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('servicenow/server.js');
	$self->control('seed', { incident => 1200 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return {
		properties => { instanceUrl => $self->{url} },
		credentials => $kind eq 'expiring'
		? { oAuth2Credentials => { clientId => 'planted-client', clientSecret => 'planted-client-secret', accessToken => 'planted-servicenow-expiring', refreshToken => 'planted-servicenow-refresh' } }
		: { username => 'planted-user', password => $kind eq 'wrong' ? 'planted-other' : 'planted-password' } };
}

sub source
{
	my ($self) = @_;
	return {
		entity => 'incident',
		columns => [ [ sys_id => 'String', 'text' ], [ number => 'String', 'text' ], [ short_description => 'String', 'text' ], [ active => 'Boolean', 'boolean' ], [ state => 'Long', 'int' ],
			[ sys_updated_on => 'DateTime', 'timestamptz' ], [ u_cost => 'BigDecimal', 'numeric' ] ],
		held => sub { return [ map { my $row = $_; +{ map { $_ => ($row->{$_} // '') eq '' ? undef : $row->{$_} } keys %$row } } @{ $self->control('records?entity=incident') } ]; },
		paged => sub { return scalar $self->seen(qr{table/incident\?}); },
		filter => { task => [ 'state', 'GREATER_THAN', DATA_TYPE => 'long', VALUE => '5' ], where => 'state > 5', exact => 1 },
		incremental => \'sys_updated_on',
		throttle => sub { $self->fault('throttle', 'table/incident', 1) },
		expire => { arm => sub { $self->fault('expire', 'table/incident', 1) }, renewed => sub { scalar $self->seen(qr{oauth_token.do}) } },
		denied => qr/User Not Authenticated: Required to provide Auth information/,
		malformed => $self->garbled('table/incident', 1) };
}

1;
