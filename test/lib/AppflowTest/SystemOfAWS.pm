# AppflowTest::SystemOfAWS
#	A fixture whose simulator misbehaves by test/simulators/http/faults.js, and mostly
#	checks signatures.

package AppflowTest::SystemOfAWS;

use strict;
use warnings;

use parent 'AppflowTest::System';

# start a simulator that takes the tests' identity
sub service
{
	my ($self, $program, @before) = @_;
	my $aws = $self->{registry}->aws;
	return $self->simulator($program, @before, $aws->{key}, $aws->{secret}, '', $aws->{region});
}

sub calm { my ($self) = @_; $self->get('_calm'); return; }
sub refused { my ($self) = @_; return $self->get('_refused'); }
sub fault { my ($self, $kind, $match, $skip) = @_; $self->post('_fault', { kind => $kind, match => $match, skip => $skip // 0 }); return; }

# the identity of AWS is the server's own: it is refused, or has expired once, in the middle
sub denied { my ($self, $match) = @_; return { arm => sub { $self->post('_fault', { kind => 'denied', match => $match, times => 9 }) }, told => qr/The security token included in the request is invalid/ }; }
sub expiry { my ($self, $match, $skip) = @_; return { arm => sub { $self->fault('ended', $match, $skip) }, renewed => sub { $self->refused } }; }
sub garbled { my ($self, $match, $skip) = @_; return { map { my $kind = $_; ($kind => sub { $self->fault($kind, $match, $skip) }) } qw(html cut) }; }

1;
