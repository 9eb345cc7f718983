package AppflowTest::Systems::Infornexus;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('infornexus/server.js');
	$self->control('seed', { OrderDetail => 420 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return { properties => { instanceUrl => $self->{url} },
		credentials => { accessKeyId => 'planted-access', userId => 'planted-user', secretAccessKey => $kind eq 'wrong' ? 'planted-wrong' : 'planted-secret', datakey => 'planted-data' } };
}

sub source
{
	my ($self) = @_;
	return {
		entity => 'OrderDetail',
		columns => [ [ uid => 'String', 'text' ], [ poNumber => 'String', 'text' ], [ modifyTimestamp => 'DateTime', 'timestamptz' ], [ status => 'String', 'text' ], [ revision => 'Long', 'bigint' ],
			[ issueDate => 'Date', 'date' ], [ totals => 'Struct', 'jsonb' ], [ urgent => 'Boolean', 'boolean' ] ],
		held => sub { return [ map { +{ %$_, uid => $_->{__metadata}{uid}, modifyTimestamp => "$_->{__metadata}{modifyTimestamp}Z" } } @{ $self->control('records?entity=OrderDetail') } ]; },
		paged => sub { return scalar $self->seen(qr{OrderDetail/query}); },
		filter => { task => [ 'revision', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => '3' ], where => 'revision = 3', exact => 1 },
		incremental => \'modifyTimestamp',
		throttle => sub { $self->fault('throttle', 'OrderDetail', 1) },
		expire => { arm => sub { $self->fault('expire', 'OrderDetail', 2) }, told => qr/^Error: .*access key is not valid/s, mend => sub { $self->control('set', { expired => JSON::PP::false }) } },
		denied => qr/signature does not match/,
		malformed => $self->garbled('OrderDetail', 1) };
}

1;
