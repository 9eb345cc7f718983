# Manifests: incremental pulls, every record once, also at the borders of windows; and
# a page that cannot be left behind.

use strict;
use warnings;

use AppflowTest::Rest;
use JSON::PP;
use Test::More;

my $rest = AppflowTest::Rest->new('incremental', "shared_preload_libraries = 'appflow'", 'max_worker_processes = 16');
my $true = JSON::PP::true;
my @fields = ({ name => 'id', type => 'Long', key => $true }, { name => 'published', type => 'DateTime', incremental => $true });
my @exact = (exact => $true);
$rest->register('books', 'basic', entities => [
	{ name => 'books', fields => \@fields,
		read => { path => '/encoded/books', parameters => { query => '{query}', limit => '{size}', start => '{offset}' }, records => 'result',
			query => { join => '^', last => ['ORDERBYid'] }, paging => { kind => 'offset', size => 20 },
			filters => [
				{ operators => ['GREATER_THAN'], term => '{field}>{value}', @exact }, { operators => ['LESS_THAN'], term => '{field}<{value}', @exact },
				{ operators => ['GREATER_THAN_OR_EQUAL_TO'], term => '{field}>={value}', @exact },
				{ operators => ['LESS_THAN_OR_EQUAL_TO'], term => '{field}<={value}', @exact },
				{ operators => ['BETWEEN'], term => '{field}>{lower}^{field}<{upper}', @exact } ] } },
	{ name => 'crowded', fields => \@fields,
		read => { path => '/time/books', parameters => { size => '{size}' }, firstParameters => { start => '0' }, nextParameters => { start => '{cursor}' },
			records => 'books', distinct => ['id'], paging => { kind => 'time', size => 3, next => 'end_time', last => { path => 'end_of_stream' } } } } ]);

my $now = time;
my $old = ($now - 31 * 86400) * 1000;
sub publish { my (%when) = @_; $rest->control('publish?' . join '&', map { "$_=$when{$_}" } keys %when); }
publish(map { $_ => $old } 1 .. 57);
publish(2 => ($now - 29 * 86400) * 1000);
$rest->sql('CREATE TABLE pulled (id bigint, published timestamptz)');
$rest->sql($rest->flow_sql('pull', 'books', 'books', into => 'public.pulled', map => [ ['id'], ['published'] ], incremental => 'published',
	trigger => { triggerType => 'Scheduled', triggerProperties => { Scheduled => { scheduleExpression => 'rate(1minute)', dataPullMode => 'Incremental' } } }));
$rest->sql(q{SELECT appflow.start_flow('{"flowName": "pull"}')});
sub eventually { my ($query, $name) = @_; return ok($rest->{node}->poll_query_until('postgres', $query), $name) || diag $rest->sql('TABLE appflow.flow_executions'); }
eventually(q{SELECT count(*) = 1 FROM appflow.flow_executions WHERE execution_status = 'Successful'}, 'the first pull');
is($rest->sql(q{SELECT string_agg(id::text, ' ') FROM pulled}), '2', 'takes what changed in 30 days');

# records on both sides of every border to come, down to a millisecond
my $milli = int($rest->sql('SELECT extract(epoch FROM watermark) * 1000 FROM appflow.flow_schedules'));
my $id = 2;
foreach my $window (0 .. 4)
{
	publish(map { ++$id => $milli + 60000 * $window + $_ } 1, 2, 59998, 59999);
}
$rest->control('reset');
foreach my $minute (1 .. 6)
{
	$rest->sql("ALTER SYSTEM SET appflow.clock_offset = '" . 60 * $minute . "s'");
	$rest->{node}->reload;
	eventually("SELECT count(*) >= 1 + $minute FROM appflow.flow_executions WHERE execution_status = 'Successful'", "window $minute") or last;
}
is($rest->sql('SELECT count(*), count(DISTINCT id) FROM pulled WHERE id > 2'), '20|20', 'every record once, on the borders too');
is($rest->sql('SELECT sum(records_filtered) FROM appflow.flow_executions'), 0, 'and nothing is left to be filtered here');
like(($rest->seen(qr{/encoded/}))[0]{url}, qr/query=published>=?\S+Z\^published<=?\S+Z\^ORDERBYid/, 'windows are asked for');

# four books an hour, three to a page: there is no way behind the hour
$rest->sql('CREATE TABLE crowd (id bigint)');
like($rest->move('books', 'crowded', into => 'public.crowd', map => [ ['id'] ]),
	qr/^WF502: .*books has more records of entity "crowded" of the same time than fit on a page: there is no way behind "\d+"/, 'more records of a time than fit on a page');
is($rest->sql('SELECT count(*) FROM crowd'), 0, 'are not lost silently');

done_testing();
