package AppflowTest::Systems::Veeva;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('veeva/server.js');
	$self->control('seed', { product__v => 2300 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return { properties => { instanceUrl => $self->{url} }, credentials => { username => 'me', password => $kind eq 'wrong' ? 'planted-wrong' : 'planted-veeva' } };
}

sub source
{
	my ($self) = @_;
	return {
		entity => 'product__v',
		columns => [ [ id => 'String', 'text' ], [ name__v => 'String', 'text' ], [ units__c => 'Long', 'bigint' ], [ rating__c => 'BigDecimal', 'numeric' ], [ approved__c => 'Boolean', 'boolean' ], [ launch_date__c => 'Date', 'date' ], [ modified_date__v => 'DateTime', 'timestamptz' ] ],
		held => sub { return $self->control('records?entity=product__v'); },
		paged => sub { return scalar $self->seen(qr{/query}); },
		filter => { task => [ 'units__c', 'GREATER_THAN', DATA_TYPE => 'long', VALUE => '2000' ], where => 'units__c > 2000', exact => 1 },
		incremental => \'modified_date__v',
		throttle => sub { $self->fault('throttle', 'pageoffset=1000') },
		expire => { arm => sub { $self->fault('expire', 'pageoffset=1000') }, renewed => sub { return scalar $self->seen(qr{/auth$}) } },
		denied => qr/USERNAME_OR_PASSWORD_INCORRECT/,
		malformed => $self->garbled('pageoffset=1000') };
}

1;
