package AppflowTest::Systems::CustomerProfiles;

use strict;
use warnings;

use parent 'AppflowTest::SystemOfAWS';

sub start { my ($self) = @_; $self->service('aws/destinations.js'); return; }
sub settings { my ($self) = @_; return "appflow.customer_profiles_endpoint = '$self->{url}'"; }

sub destination
{
	my ($self) = @_;
	return {
		entity => 'shop/Contact', path => 'shop', properties => { domainName => 'shop', objectTypeName => 'Contact' },
		columns => [ [ Id => 'String', 'text' ], [ Email => 'String', 'text' ], [ Age => 'Double', 'float8' ] ],
		rows => sub { my ($numbers) = @_; return q{SELECT 'p' || n AS "Id", 'ü"' || n || '@example.com' AS "Email", n / 8.0::float8 AS "Age" FROM } . $numbers; },
		stored => sub { return $self->get('_objects'); },
		paged => sub { return scalar grep { $_->{method} eq 'PUT' } @{ $self->get('_log') }; },
		reject => { row => q{SELECT NULL, 'nobody@example.com', 1}, told => qr/The object has no value for the unique key _id/ },
		no_error_file => 'the destination has no errorHandlingConfig',
		live => 'it has no rows to be written: objects are merged into profiles',
		throttle => sub { $self->fault('throttle', 'PUT') },
		expire => $self->expiry('PUT'),
		denied => $self->denied('PUT'),
		malformed => $self->garbled('PUT') };
}

1;
