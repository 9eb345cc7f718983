package AppflowTest::Systems::Slack;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('slack/server.js');
	$self->control('seed', { channels => 3, users => 3, messages => { C0000001 => 450 } });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return {
		properties => { instanceUrl => $self->{url} },
		credentials => { clientId => 'planted-client', clientSecret => 'planted-client-secret',
			$kind eq 'expiring' ? (oAuthRequest => { authCode => 'planted-code', redirectUri => 'https://example.com/back' })
			: (accessToken => $kind eq 'wrong' ? 'planted-wrong' : 'planted-slack') } };
}

sub source
{
	my ($self) = @_;
	return {
		entity => 'conversations/C0000001', path => 'conversations',
		columns => [ [ ts => 'String', 'text' ], [ timestamp => 'DateTime', 'timestamptz' ], [ user => 'String', 'text' ], [ text => 'String', 'text' ], [ subtype => 'String', 'text' ] ],
		held => sub { return [ map { my ($seconds, $micros) = split /\./, $_->{ts}; +{ %$_, timestamp => _iso($seconds) . ".$micros+00" } } @{ $self->control('records?entity=C0000001') } ]; },
		paged => sub { return scalar $self->seen(qr{conversations.history}); },
		filter => { task => [ 'timestamp', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-01-01T01:00:00Z', UPPER_BOUND => '2024-01-01T02:00:00.000060Z' ],
			where => q{timestamp > '2024-01-01T01:00:00Z' AND timestamp < '2024-01-01T02:00:00.000060Z'} },
		incremental => \'timestamp',
		throttle => sub { $self->fault('throttle', 'history', 1) },
		expire => { arm => sub { $self->fault('expire', 'history', 1) }, renewed => sub { scalar $self->seen(qr{oauth.v2.access}) } },
		denied => qr/invalid_auth/,
		malformed => $self->garbled('history', 1) };
}

sub _iso { my @t = gmtime $_[0]; return sprintf '%04d-%02d-%02d %02d:%02d:%02d', $t[5] + 1900, $t[4] + 1, @t[ 3, 2, 1, 0 ]; }

1;
