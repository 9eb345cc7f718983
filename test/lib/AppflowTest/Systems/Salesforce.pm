package AppflowTest::Systems::Salesforce;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub control { my ($self, $what, $arguments) = @_; return $self->post("control/$what", $arguments || {})->{result}; }
sub refused { my ($self) = @_; return scalar grep { ($_->{fault} // '') eq 'concurrent' } @{ $self->control('seen') }; }

sub start
{
	my ($self) = @_;
	$self->simulator('salesforce/server.js');
	$self->control('seed', { object => 'Contact', count => 2500, values => { LastName => "Name \x{e9} {n}", Email => 'p{n}@example.com', Department => 'd{n}' } });
	$self->control('set', { pageSize => 1000 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return {
		properties => { instanceUrl => $self->{url} },
		credentials => $kind eq 'wrong' ? { accessToken => 'planted-none' } : { accessToken => 'planted-access', refreshToken => 'planted-refresh' } };
}

sub fault { my ($self, $kind, $path, $skip) = @_; $self->control('fault', { kind => $kind, path => $path, skip => $skip // 0 }); return; }
sub garbled { my ($self, $path, $skip) = @_; return { map { my $kind = $_; ($kind => sub { $self->fault($kind, $path, $skip) }) } qw(html truncate) }; }
sub expiry { my ($self, $path, $skip) = @_; return { arm => sub { $self->fault('expire', $path, $skip) }, renewed => sub { scalar $self->seen(qr{oauth2/token}) } }; }

sub source
{
	my ($self) = @_;
	return {
		entity => 'Contact', properties => { object => 'Contact', dataTransferApi => 'REST_SYNC' },
		columns => [ [ Id => 'String', 'text' ], [ LastName => 'String', 'text' ], [ Email => 'String', 'text' ], [ DoNotCall => 'Boolean', 'boolean' ], [ SystemModstamp => 'DateTime', 'timestamptz' ] ],
		held => sub { return [ map { +{ %$_, SystemModstamp => $self->moment($_->{SystemModstamp}) } } grep { !$_->{IsDeleted} } @{ $self->control('records', { object => 'Contact' }) } ]; },
		paged => sub { return scalar $self->seen(qr{/query}); },
		filter => { task => [ 'Email', 'CONTAINS', DATA_TYPE => 'string', VALUE => '7@example' ], where => q{"Email" LIKE '%7@example%'}, exact => 1 },
		incremental => \'SystemModstamp',
		throttle => sub { $self->fault('concurrent', '/query', 1) },
		expire => $self->expiry('/query', 1),
		denied => qr/INVALID_SESSION_ID: Session expired or invalid/,
		malformed => $self->garbled('/query', 1) };
}

sub destination
{
	my ($self) = @_;
	return {
		entity => 'Thing__c', properties => { object => 'Thing__c', dataTransferApi => 'REST_SYNC' },
		columns => [ [ Code__c => 'String', 'text' ], [ Text__c => 'String', 'text' ], [ Int__c => 'Integer', 'int' ], [ Number__c => 'BigDecimal', 'numeric' ], [ Day__c => 'Date', 'date' ] ],
		rows => sub {
			my ($numbers, $generation) = @_;
			return qq{SELECT 'C' || n AS "Code__c", 'Grün "' || n || '"' AS "Text__c", n * $generation AS "Int__c", n / 8.0 AS "Number__c", date '2024-02-27' + n % 9 AS "Day__c" FROM $numbers};
		},
		stored => sub { return [ grep { !$_->{IsDeleted} } @{ $self->control('records', { object => 'Thing__c' }) } ]; },
		id => 'Id',
		by => { UPSERT => 'Code__c', UPDATE => 'Id', DELETE => 'Id' },
		paged => sub { return scalar $self->seen(qr{/composite/sobjects}); },
		reject => { row => q{SELECT 'long', repeat('x', 300), 1, 1, NULL}, told => qr/data value too large/ },
		throttle => sub { $self->fault('concurrent', 'composite') },
		expire => $self->expiry('composite'),
		denied => qr/INVALID_SESSION_ID: Session expired or invalid/,
		malformed => $self->garbled('composite') };
}

1;
