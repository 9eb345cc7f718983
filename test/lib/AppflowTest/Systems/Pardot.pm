package AppflowTest::Systems::Pardot;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('saas/pardot.js');
	$self->control('seed', { prospects => 1200 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return {
		properties => { instanceUrl => $self->{url}, isSandboxEnvironment => JSON::PP::false, businessUnitId => '0Uv000000000000001' },
		credentials => { accessToken => $kind eq 'wrong' ? 'planted-wrong' : 'planted-pardot' } };
}

sub source
{
	my ($self) = @_;
	return {
		entity => 'prospects',
		columns => [ [ id => 'Long', 'bigint' ], [ email => 'String', 'text' ], [ firstName => 'String', 'text' ], [ optedOut => 'Boolean', 'boolean' ], [ updatedAt => 'DateTime', 'timestamptz' ] ],
		held => sub { return $self->control('records?entity=prospects'); },
		paged => sub { return scalar $self->seen(qr{objects/prospects}); },
		filter => { task => [ 'email', 'EQUAL_TO', VALUE => 'person7@example.com' ], where => q{email = 'person7@example.com'}, exact => 1 },
		incremental => \'updatedAt',
		throttle => sub { $self->fault('throttle', 'objects/prospects', 1) },
		expire => { arm => sub { $self->fault('expire', 'objects/prospects', 1) }, told => qr/^Error: .*184/s, mend => sub { $self->control('set', { expired => JSON::PP::false }) } },
		denied => qr/184.*access_token is invalid/,
		malformed => $self->garbled('objects/prospects', 1) };
}

1;
