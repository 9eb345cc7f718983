package AppflowTest::Systems::Honeycode;

use strict;
use warnings;

use parent 'AppflowTest::SystemOfAWS';

sub start
{
	my ($self) = @_;
	my $aws = $self->{registry}->aws;
	$self->simulator('honeycode/server.js', $aws->{key}, $aws->{secret});
	return;
}

sub settings { my ($self) = @_; return "appflow.honeycode_endpoint = '$self->{url}'"; }

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return { credentials => { accessToken => $kind eq 'wrong' ? 'planted-wrong' : 'planted-access-1', $kind eq 'wrong' ? () : (refreshToken => 'planted-refresh') } };
}

# the simulator's workbook, and its table Orders
my $workbook = 'a0000000-0000-4000-8000-000000000001';

sub destination
{
	my ($self) = @_;
	return {
		path => $workbook, entity => "$workbook/b0000000-0000-4000-8000-000000000001",
		columns => [ [ Id => 'String', 'text' ], [ Amount => 'BigDecimal', 'numeric' ], [ Due => 'Date', 'date' ], [ At => 'DateTime', 'timestamptz' ], [ Note => 'String', 'text' ] ],
		rows => sub { my ($numbers) = @_; return qq{SELECT 'k' || n AS "Id", (n / 4.0)::numeric(12,2) AS "Amount", date '2026-05-06' + n AS "Due", timestamptz '2026-05-06 07:08:09.5Z' + n * interval '1 s' AS "At", E'a "b" \\\\ ü' AS "Note" FROM $numbers}; },
		stored => sub { return $self->get('_rows'); },
		paged => sub { return scalar grep { $_->{url} =~ /batchcreate/ } @{ $self->get('_log') }; },
		reject => { row => q{SELECT 'poison', 1, NULL::date, NULL::timestamptz, NULL}, told => qr/The row breaks a rule of the table/ },
		throttle => sub { $self->fault('throttle', 'batchcreate') },
		expire => { arm => sub { $self->get('_tokens'); $self->fault('expire', 'batchcreate') }, renewed => sub { return scalar @{ $self->get('_tokens') } } },
		denied => qr/UnrecognizedClientException/,
		malformed => $self->garbled('batchcreate') };
}

1;
