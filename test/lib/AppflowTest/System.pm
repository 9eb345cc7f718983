# AppflowTest::System
#	What the fixtures of connector types have in common; see doc/testing.md, "The
#	registry of connectors", for what a fixture is.

package AppflowTest::System;

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP ();

my $json = JSON::PP->new->canonical->utf8->allow_nonref;

# ---------- what a fixture replaces ----------

sub start { return; }
sub settings { return; }
sub prepare { return; }
sub profile { return; }
sub source { return; }
sub destination { return; }

# behave well again, and forget what was asked
sub calm { my ($self) = @_; $self->control('reset'); return; }

# requests that were refused as the vendor throttles, since calm()
sub refused { my ($self) = @_; return scalar grep { ($_->{fault} // '') eq 'throttle' } @{ $self->control('seen') }; }

# ---------- what helps it ----------

sub new { my ($class, $registry) = @_; return bless { registry => $registry, type => $class =~ s/.*:://r }, $class; }

sub sql { my ($self, $sql) = @_; return $self->{registry}->sql($sql); }

# start a program of test/simulators; its ports
sub simulator
{
	my ($self, $program, @arguments) = @_;
	my @ports = $self->{registry}->simulator($program, @arguments);
	push @{ $self->{pids} }, $self->{registry}{simulators}[-1]{pid};
	$self->{port} = $ports[0];
	$self->{url} = "http://127.0.0.1:$ports[0]";
	return @ports;
}

sub get
{
	my ($self, $path) = @_;
	my $answer = HTTP::Tiny->new->get("$self->{url}/$path");
	die "$path: $answer->{status} $answer->{content}\n" if !$answer->{success};
	return $json->decode($answer->{content});
}

sub post
{
	my ($self, $path, $body) = @_;
	my $answer = HTTP::Tiny->new->post("$self->{url}/$path", { headers => { 'Content-Type' => 'application/json' }, content => $json->encode($body) });
	die "$path: $answer->{status} $answer->{content}\n" if !$answer->{success};
	return $json->decode($answer->{content});
}

# milliseconds as PostgreSQL reads a time
sub moment
{
	my ($self, $milliseconds) = @_;
	my @t = gmtime int($milliseconds / 1000);
	return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', $t[5] + 1900, $t[4] + 1, @t[ 3, 2, 1, 0 ], $milliseconds % 1000;
}

# ---------- simulators that are made of test/simulators/rest/service.js ----------

sub control { my ($self, $what, $body) = @_; return defined $body ? $self->post("control/$what", $body) : $self->get("control/$what"); }

# requests since calm() whose method and URL, without escapes, match
sub seen
{
	my ($self, $pattern) = @_;
	return grep { (my $url = $_->{url}) =~ s/%(\w\w)/chr hex $1/ge; $_->{plain} = "$_->{method} $url"; $_->{plain} =~ $pattern } @{ $self->control('seen') };
}

# the next request whose method and URL match goes wrong; $skip: not the first so many
sub fault
{
	my ($self, $kind, $match, $skip) = @_;
	$self->control($kind eq 'throttle' ? "throttle?match=$match&skip=" . ($skip // 0) : "fault?kind=$kind&match=$match&skip=" . ($skip // 0));
	return;
}

# answers that are none, for malformed: to the request after $skip of those that match
sub garbled
{
	my ($self, $match, $skip) = @_;
	return { map { my $kind = $_; ($kind => sub { $self->fault($kind, $match, $skip) }) } qw(html cutjson) };
}

1;
