package AppflowTest::Systems::Marketo;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('marketo/server.js');
	$self->control('seed', { activities => 700, leads => [] });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return { properties => { instanceUrl => $self->{url} }, credentials => { clientId => 'planted-client', clientSecret => $kind eq 'wrong' ? 'planted-wrong' : 'planted-client-secret' } };
}

sub calm
{
	my ($self) = @_;
	$self->SUPER::calm;
	$self->{issued} = $self->control('records?entity=issued');
	return;
}

# tokens that are new; who asks while one is good gets that
sub renewed { my ($self) = @_; return $self->control('records?entity=issued') - $self->{issued}; }

sub source
{
	my ($self) = @_;
	return {
		entity => 'activities',
		columns => [ [ marketoGUID => 'String', 'text' ], [ leadId => 'Long', 'bigint' ], [ activityDate => 'DateTime', 'timestamptz' ], [ activityTypeId => 'Integer', 'int' ], [ primaryAttributeValue => 'String', 'text' ] ],
		held => sub { return $self->control('records?entity=activities'); },
		paged => sub { return scalar $self->seen(qr{activities\.json}); },
		filter => { task => [ 'activityDate', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '2024-01-21T00:00:00Z' ], where => q{"activityDate" > '2024-01-21T00:00:00Z'} },
		incremental => \'activityDate',
		throttle => sub { $self->fault('throttle', 'activities.json', 1) },
		expire => { arm => sub { $self->fault('expire', 'activities.json', 1) }, renewed => sub { $self->renewed } },
		denied => qr/invalid_client/,
		malformed => $self->garbled('activities.json', 1) };
}

sub destination
{
	my ($self) = @_;
	return {
		entity => 'leads',
		columns => [ [ email => 'String', 'text' ], [ firstName => 'String', 'text' ], [ leadScore => 'Integer', 'int' ], [ unsubscribed => 'Boolean', 'boolean' ], [ dateOfBirth => 'Date', 'date' ] ],
		rows => sub {
			my ($numbers, $generation) = @_;
			return qq{SELECT 'p' || n || '\@example.com' AS email, 'First "' || n || '", $generation' AS "firstName", n AS "leadScore", n % 2 = 0 AS unsubscribed, date '1980-01-01' + n AS "dateOfBirth" FROM $numbers};
		},
		stored => sub { return $self->control('records?entity=leads'); },
		many => 650,
		id => 'id', id_type => 'int',
		by => { UPSERT => 'email', UPDATE => 'id', DELETE => 'id' },
		paged => sub { return scalar $self->seen(qr{POST /rest/v1/leads\.json}); },
		reject => { row => q{SELECT 'böse@example.com', 'Bad', 1, true, date '2000-01-01'}, told => qr/Email address .* is invalid/ },
		throttle => sub { $self->fault('throttle', 'v1/leads.json') },
		expire => { arm => sub { $self->fault('expire', 'v1/leads.json') }, renewed => sub { $self->renewed } },
		denied => qr/invalid_client/,
		malformed => $self->garbled('v1/leads.json') };
}

1;
