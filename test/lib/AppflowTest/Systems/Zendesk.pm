package AppflowTest::Systems::Zendesk;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('zendesk/server.js');
	$self->control('seed', { users => 230, user_fields => 4, organizations => [] });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return {
		properties => { instanceUrl => $self->{url} },
		credentials => { clientId => 'planted-client', clientSecret => 'planted-client-secret',
			$kind eq 'expiring' ? (oAuthRequest => { authCode => 'planted-code', redirectUri => 'https://example.com/back' })
			: (accessToken => $kind eq 'wrong' ? 'planted-wrong' : 'planted-zendesk') } };
}

sub renewed { my ($self) = @_; return scalar $self->seen(qr{oauth/tokens}); }

sub source
{
	my ($self) = @_;
	return {
		entity => 'users',
		columns => [ [ id => 'Long', 'bigint' ], [ name => 'String', 'text' ], [ email => 'String', 'text' ], [ verified => 'Boolean', 'boolean' ], [ updated_at => 'DateTime', 'timestamptz' ] ],
		held => sub { return $self->control('records?entity=users'); },
		paged => sub { return scalar $self->seen(qr{v2/users}); },
		filter => { task => [ 'updated_at', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '2024-01-01T02:00:00Z' ], where => q{updated_at > '2024-01-01T02:00:00Z'} },
		incremental => \'updated_at',
		throttle => sub { $self->fault('throttle', 'v2/users', 1) },
		expire => { arm => sub { $self->fault('expire', 'v2/users', 1) }, renewed => sub { $self->renewed } },
		denied => qr/invalid_token: The access token provided is expired/,
		malformed => $self->garbled('v2/users', 1) };
}

sub destination
{
	my ($self) = @_;
	return {
		entity => 'organizations',
		columns => [ [ external_id => 'String', 'text' ], [ name => 'String', 'text' ], [ details => 'String', 'text' ], [ tags => 'Struct', 'jsonb' ] ],
		rows => sub {
			my ($numbers, $generation) = @_;
			return qq{SELECT 'e' || n AS external_id, 'Org "' || n || '" ü' AS name, 'generation $generation' AS details, jsonb_build_array('a', 't' || n) AS tags FROM $numbers};
		},
		stored => sub { return $self->control('records?entity=organizations'); },
		id => 'id', id_type => 'bigint',
		by => { UPSERT => 'external_id', UPDATE => 'id', DELETE => 'id' },
		paged => sub { return scalar $self->seen(qr{create_many}); },
		reject => { row => q{SELECT 'bad', '', 'no name', '[]'::jsonb}, told => qr/Name: is too short/ },
		throttle => sub { $self->fault('throttle', 'create_many') },
		expire => { arm => sub { $self->fault('expire', 'create_many') }, renewed => sub { $self->renewed } },
		denied => qr/invalid_token: The access token provided is expired/,
		malformed => $self->garbled('create_many') };
}

1;
