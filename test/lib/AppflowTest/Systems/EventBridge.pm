package AppflowTest::Systems::EventBridge;

use strict;
use warnings;

use parent 'AppflowTest::SystemOfAWS';

sub start { my ($self) = @_; $self->service('aws/destinations.js'); return; }
sub settings { my ($self) = @_; return "appflow.eventbridge_endpoint = '$self->{url}'"; }

sub destination
{
	my ($self) = @_;
	return {
		entity => 'orders', described => 'a bus takes events of any fields',
		columns => [ [ id => 'Long', 'bigint' ], [ name => 'String', 'text' ], [ poison => 'Boolean', 'boolean' ] ],
		rows => sub { my ($numbers) = @_; return qq{SELECT n AS id, 'N"' || n || '" ü' AS name, NULL::boolean AS poison FROM $numbers}; },
		stored => sub { return [ map { $_->{Detail} } grep { $_->{EventBusName} eq 'orders' } @{ $self->get('_events') } ]; },
		paged => sub { return scalar grep { ($_->{target} // '') eq 'AWSEvents.PutEvents' } @{ $self->get('_log') }; },
		reject => { row => q{SELECT 9999, 'poison', true}, told => qr/RedactionFailure/ },
		live => 'events are of changes that are committed',
		throttle => sub { $self->fault('throttle', 'PutEvents') },
		expire => $self->expiry('PutEvents'),
		denied => $self->denied('PutEvents'),

		# after an answer that is lost the events are put again: a bus takes them twice
		malformed => { html => $self->garbled('PutEvents')->{html} } };
}

1;
