package AppflowTest::Systems::Dynatrace;

use strict;
use warnings;

use parent 'AppflowTest::System';

sub start
{
	my ($self) = @_;
	$self->simulator('saas/dynatrace.js');
	$self->control('seed', { problems => 1200 });
	return;
}

sub profile
{
	my ($self, $kind) = @_;
	return if $kind eq 'expiring';
	return { properties => { instanceUrl => $self->{url} }, credentials => { apiToken => $kind eq 'wrong' ? 'dt0c01.PLANTED-WRONG' : 'dt0c01.PLANTED' } };
}

sub source
{
	my ($self) = @_;
	my $time = sub { return $_[0] < 0 ? undef : $self->moment($_[0]); };
	return {
		entity => 'problems',
		columns => [ [ problemId => 'String', 'text' ], [ title => 'String', 'text' ], [ status => 'String', 'text' ], [ startTime => 'DateTime', 'timestamptz' ], [ endTime => 'DateTime', 'timestamptz' ],
			[ affectedEntities => 'Struct', 'jsonb' ] ],
		held => sub { return [ map { +{ %$_, startTime => $time->($_->{startTime}), endTime => $time->($_->{endTime}) } } @{ $self->control('records?entity=problems') } ]; },
		paged => sub { return scalar $self->seen(qr{v2/problems}); },
		filter => { task => [ 'startTime', 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => '2024-01-01T01:00:00Z', UPPER_BOUND => '2024-01-01T02:00:00Z' ],
			where => q{"startTime" > '2024-01-01T01:00:00Z' AND "startTime" < '2024-01-01T02:00:00Z'} },
		incremental => \'startTime',
		throttle => sub { $self->fault('throttle', 'nextPageKey') },
		expire => { arm => sub { $self->fault('expire', 'nextPageKey') }, told => qr/^Error: .*Token Authentication failed/s, mend => sub { $self->control('set', { expired => JSON::PP::false }) } },
		denied => qr/Token Authentication failed/,
		malformed => $self->garbled('nextPageKey') };
}

1;
