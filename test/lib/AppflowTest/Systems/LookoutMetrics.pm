package AppflowTest::Systems::LookoutMetrics;

use strict;
use warnings;

use parent 'AppflowTest::SystemOfAWS';

sub start
{
	my ($self) = @_;
	my $aws = $self->{registry}->aws;
	mkdir "$self->{registry}{root}/metrics";
	$self->simulator('lookoutmetrics/server.js', $aws->{key}, $aws->{secret}, '', $aws->{region}, $self->{registry}{root});
	$self->_make('registry', 'registry');
	return;
}

sub settings { my ($self) = @_; return ("appflow.lookoutmetrics_endpoint = '$self->{url}'", "appflow.lookoutmetrics_bucket = 'metrics'"); }

# a metric set that names a flow, and its detector
sub _make
{
	my ($self, $name, $flow) = @_;
	$self->post('_make', { detector => $name, frequency => 'PT5M', set => { MetricSetName => $name, MetricList => [ { MetricName => 'revenue', AggregationFunction => 'SUM' } ], DimensionList => ['region'],
		TimestampColumn => { ColumnName => 'at', ColumnFormat => "yyyy-MM-dd'T'HH:mm:ss.SSSXXX" }, MetricSource => { AppFlowConfig => { FlowName => $flow } } } });
	return;
}

sub destination
{
	my ($self) = @_;
	return {
		entity => 'registry/registry', properties => {}, no_error_file => 'AppFlow has no errorHandlingConfig for it',
		described_columns => [ [ at => 'DateTime' ], [ revenue => 'Double' ], [ region => 'String' ] ],
		columns => [ [ at => 'DateTime', 'timestamptz' ], [ revenue => 'Double', 'float8' ], [ region => 'String', 'text' ] ],
		schedule => 'rate(5minutes)', flow => sub { my ($flow) = @_; $self->_make($flow, $flow) },
		rows => sub { my ($numbers) = @_; return qq{SELECT timestamptz '2026-05-06 07:08:09.5Z' + n * interval '1 s' AS at, n / 4.0::float8 AS revenue, E'a "b" \\\\ ü' AS region FROM $numbers}; },
		stored => sub { return $self->get('_all/metrics'); },
		paged => 'a run writes the objects of its intervals at once (t/545)',
		reject => { row => q{SELECT now(), 'NaN', 'x'}, told => qr/the measure "revenue" is no finite number/ },
		live => 'a metric set names a flow',
		throttle => sub { $self->fault('throttle', 'ListMetricSets') },
		expire => 'the identity of AWS is renewed before it ends (t/033)', denied => 'the identity of AWS is checked in t/033 and t/124',
		malformed => $self->garbled('DescribeMetricSet') };
}

1;
