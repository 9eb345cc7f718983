# A connector that is a function of AWS Lambda.  Tables, SQL functions and manifests, which
# are of this type too, are in t/050 to t/053, t/270 and t/200 to t/208.
package AppflowTest::Systems::CustomConnector;

use strict;
use warnings;

use parent 'AppflowTest::SystemOfAWS';

sub start { my ($self) = @_; $self->service('appflow/lambda.js'); return; }
sub settings { my ($self) = @_; return "appflow.lambda_endpoint = '$self->{url}'"; }

sub prepare
{
	my ($self) = @_;
	my $region = $self->{registry}->aws->{region};
	$self->sql("SELECT appflow.register_connector('orders', connector_provisioning_type => 'LAMBDA',
		connector_provisioning_config => '{\"lambda\": {\"lambdaArn\": \"arn:aws:lambda:$region:123456789012:function:orders\"}}')");
	$self->post('_records', [ map { +{ id => "o$_", name => "it's \"$_\" \\ \x{e9}", price => $_ / 2, updated => sprintf('2026-03-%02dT%02d:00:00.500Z', 1 + $_ % 28, $_ % 24) } } 1 .. 2200 ]);
	return;
}

sub profile { my ($self, $kind) = @_; return $kind eq 'good' ? { label => 'orders' } : undef; }
sub requests { my ($self, $kind) = @_; return scalar grep { $_->{body} =~ /"$kind"/ } @{ $self->get('_log') }; }
sub records { my ($self, $of) = @_; return [ grep { $_->{id} =~ $of } @{ $self->get('_records') } ]; }

sub source
{
	my ($self) = @_;
	return {
		entity => 'Order', properties => { entityName => 'Order' },
		columns => [ [ id => 'String', 'text' ], [ name => 'String', 'text' ], [ price => 'BigDecimal', 'numeric' ], [ updated => 'DateTime', 'timestamptz' ] ],
		held => sub { return $self->records(qr/^o/); },
		paged => sub { return $self->requests('QueryDataRequest'); },
		filter => { task => [ 'price', 'GREATER_THAN', DATA_TYPE => 'BigDecimal', VALUE => '1000' ], where => 'price > 1000', exact => 1 },
		incremental => \'updated',
		throttle => sub { $self->fault('throttle', 'QueryDataRequest', 1) },
		expire => $self->expiry('QueryDataRequest', 1),
		denied => $self->denied('QueryDataRequest'),
		malformed => $self->garbled('QueryDataRequest', 1) };
}

sub destination
{
	my ($self) = @_;
	return {
		entity => 'Order', properties => { entityName => 'Order' },
		columns => [ [ id => 'String', 'text' ], [ name => 'String', 'text' ], [ price => 'BigDecimal', 'numeric' ] ],
		rows => sub { my ($numbers, $generation) = @_; return qq{SELECT 'w' || n AS id, 'N"' || n || '" ü $generation' AS name, n / 8.0 AS price FROM $numbers}; },
		many => 1200,
		stored => sub { return $self->records(qr/^w/); },
		by => { UPSERT => 'id', UPDATE => 'id', DELETE => 'id' },
		paged => sub { return $self->requests('WriteDataRequest'); },
		reject => { row => q{SELECT 'wx', 'n', -1}, told => qr/price is negative/ },
		throttle => sub { $self->fault('throttle', 'WriteDataRequest') },
		expire => $self->expiry('WriteDataRequest'),
		denied => $self->denied('WriteDataRequest'),
		malformed => $self->garbled('WriteDataRequest') };
}

1;
