# AppflowTest::Amplitude
#	A cluster beside the simulator of Amplitude.
#
#	my $amplitude = AppflowTest::Amplitude->new;
#	my $run = $amplitude->table('events', [qw(uuid event_time)], 'uuid text, event_time timestamptz', between => [A, B]);

package AppflowTest::Amplitude;

use strict;
use warnings;

use AppflowTest::RestApps;
use Test::More;

our @ISA = qw(AppflowTest::RestApps);

sub new
{
	my ($class, @settings) = @_;
	my $self = $class->SUPER::new('amplitude', 'Amplitude', 'Amplitude', q(appflow.max_retry_delay = '100ms'), @settings);
	$self->profile('project', { apiKey => 'planted-amplitude', secretKey => 'planted-secret' });
	return $self;
}

# it has neither PROJECTION nor operators of the engine
sub tasks
{
	my ($self, $fields, $filters) = @_;
	return [ @{ $filters || [] }, map { { taskType => 'Map', sourceFields => [$_], destinationField => $_, taskProperties => {} } } @$fields ];
}

sub between
{
	my ($self, $field, $lower, $upper) = @_;
	return $self->filter($field, 'BETWEEN', DATA_TYPE => 'datetime', LOWER_BOUND => $lower, UPPER_BOUND => $upper);
}

# fields of an entity into a new table; between: bounds of server_upload_time
sub table
{
	my ($self, $entity, $fields, $columns, %args) = @_;
	my @filters = $args{between} ? $self->between('server_upload_time', @{ $args{between} }) : ();
	my $run = $self->pull($args{profile} || 'project', $entity, $fields, table => $columns, filters => [ @filters, @{ $args{filters} || [] } ], %args{grep { $_ eq 'write' } keys %args});
	$run->{table} = 'public.table' . $self->{flows}{number};
	return $run;
}

# the windows that were asked for since the last reset: "20240305T00-20240305T23"
sub windows
{
	my ($self) = @_;
	return map { $_->{url} =~ /start=(\w+)&end=(\w+)/ ? "$1-$2" : $_->{url} } $self->seen(qr{api/2/export});
}

# the run has failed with these words, and has left nothing in its table
sub fails
{
	my ($self, $run, $pattern, $name) = @_;
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(AppflowTest::RestApps::told($run));
	is($self->sql("SELECT count(*) FROM $run->{table}"), 0, '... and nothing is half done');
}

1;
