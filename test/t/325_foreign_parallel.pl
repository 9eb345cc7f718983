# Foreign tables whose scans are shared out to parallel workers: objects, and an application
# whose token the workers need.
use strict;
use warnings;

use AppflowTest::SalesforceWrite;
use Test::More;

my $sf = AppflowTest::SalesforceWrite->new('foreign_parallel', settings => [ 'max_worker_processes = 12', 'max_parallel_workers = 8' ]);
foreach my $part (1 .. 4)
{
	mkdir "$sf->{root}/source/p$part";
	open my $file, '>', "$sf->{root}/source/p$part/a.jsonl" or die;
	print $file join '', map { qq({"part":$part,"n":$_}\n) } 1 .. 1000;
	close $file;
}
$sf->control('put', object => 'Thing__c', records => [ map { { Code__c => "P$_", Int__c => $_ } } 1 .. 50 ]);
$sf->sql(q{
	CREATE SERVER s3 FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_type 'S3', parallel_safe 'true');
	CREATE SERVER crm FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'crm', parallel_safe 'true');
	CREATE TABLE parts (part int, n int) PARTITION BY LIST (part);} . join('', map { qq{
	CREATE FOREIGN TABLE p$_ PARTITION OF parts FOR VALUES IN ($_) SERVER s3 OPTIONS (bucket 'source', prefix 'p$_');} } 1 .. 4) . q{
	CREATE FOREIGN TABLE things (part int OPTIONS (field 'Int__c'), n int OPTIONS (field 'Int__c')) SERVER crm OPTIONS (entity 'Thing__c')});
my $settings = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET max_parallel_workers_per_gather = 4; SET enable_parallel_append = on; ';
my $plan = $sf->sql($settings . 'EXPLAIN (COSTS OFF) SELECT count(*), sum(n) FROM parts');
like($plan, qr/Gather.*Parallel Append.*Foreign Scan/s, 'a parallel plan');
is($sf->sql($settings . 'SELECT count(*), sum(n), count(DISTINCT part) FROM parts'), '4000|2002000|4', 'gives what is there');
like($sf->sql($settings . 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*), sum(n) FROM parts'), qr/Workers Launched: [1-4]/, 'workers took part');
is($sf->sql($settings . 'SELECT count(*) FROM (SELECT n FROM parts UNION ALL SELECT n FROM things) x'), '4050', 'an application in a worker');
$sf->control('expire');
is($sf->sql($settings . 'SELECT count(*) FROM (SELECT n FROM parts UNION ALL SELECT n FROM things) x'), '4050', 'which gets another token there');
unlike($sf->sql($settings . "ALTER SERVER s3 OPTIONS (SET parallel_safe 'false'); EXPLAIN (COSTS OFF) SELECT count(*) FROM parts"), qr/Gather/, 'not unless it is asked for');

done_testing();
