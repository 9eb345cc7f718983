# Foreign scans over an application that answers in large pages: what is asked for,
# when, how much at once, and what becomes of it.
use strict;
use warnings;

use AppflowTest::Pages;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $pages = AppflowTest::Pages->new('scan', pages => 6);

# ---------- planning asks nobody, executing asks for what is wanted ----------

$pages->sql('SELECT appflow.describe_connector_entity(\'{"connectorProfileName": "pages", "connectorEntityName": "records"}\')');
$pages->control('reset');
my $plan = $pages->sql('EXPLAIN (COSTS OFF) SELECT name FROM records WHERE id > 10 AND upper(name) = \'X\'');
like($plan, qr{Remote Request: .*/records}, 'EXPLAIN shows the request');
like($plan, qr/Kept Here: .*id > 10.*upper\(name\).*no column/, 'and what stays, and why');
is($pages->seen, '', 'EXPLAIN asks nobody');
is($pages->sql('SELECT count(*), sum(id), min(created) IS NOT NULL, count(DISTINCT city) FROM records'), '12000|72006000|t|4', 'all records');
is($pages->seen, '1 2 3 4 5 6', 'each page once');
is($pages->sql('SELECT id, name, revenue > 0, active FROM records WHERE id IN (1, 2001, 12000) ORDER BY id'),
	"1|Account 1 of renewed|t|f\n2001|Account 2001 of renewed|t|f\n12000|Account 12000 of account|t|t", 'records of several pages');

$plan = $pages->sql('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM records WHERE employees < 0');
like($plan, qr/Requests: 6  Retries: 0  Pages: 6  Bytes: \d{7}/, 'EXPLAIN ANALYZE counts');
unlike($plan, qr/Waiting/, 'no times without TIMING');
like($pages->sql('EXPLAIN (ANALYZE, FORMAT json) SELECT id FROM records LIMIT 1'), qr/"Requests": 1,.*"Waiting": [\d.]+/s, 'also as JSON');
$pages->control('set?fail=2');
like($pages->sql('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM records'), qr/Requests: 8  Retries: 2/, 'repeated requests');

# ---------- what is known of the entity ----------

# two sessions that find out at the same time do not wait for each other
{
	my $file = PostgreSQL::Test::Utils::tempdir() . '/first.sql';
	my ($out, $err) = ('', '');
	append_to_file($file, "BEGIN;\nSELECT count(*) FROM records;\nSELECT pg_advisory_lock(7);\nSELECT pg_sleep(3);\nCOMMIT;\n");
	$pages->control('reset');
	$pages->sql('DELETE FROM appflow.connector_metadata');
	my $first = IPC::Run::start([ 'psql', '-XAtq', '-f', $file, '-d', $pages->{node}->connstr('postgres') ], '<', '/dev/null', '>', \$out, '2>', \$err);
	$pages->{node}->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 7") or die;
	is($pages->sql("SET lock_timeout = '300ms'; SELECT count(*) FROM records"), '12000', 'nobody waits for what another is told');
	$first->finish;
}
$pages->control('reset');

# ---------- limits ----------

$pages->control('reset');
is($pages->sql('SELECT id FROM million LIMIT 10'), join("\n", 1 .. 10), 'LIMIT 10 of a million');
is($pages->seen, '1', 'is one request');
$pages->control('reset');
$pages->control('set?stall=2');
is($pages->sql('SELECT count(*) FROM (SELECT id FROM records WHERE id > 5 LIMIT 2100 OFFSET 10) x') || 'stalls', '2100', 'a limit within the page that stalls');
is($pages->control('state')->{open}, 0, 'the transfer that is not needed is closed');

# ---------- the next page is on its way ----------

$pages->control('reset');
is($pages->sql("BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT id FROM records; FETCH 1 FROM c; SELECT pg_sleep(0.3)") =~ s/\s+$//r, '1', 'one row of a cursor');
is($pages->seen, '1 2', 'the page behind the first is asked for, and no other');

# ---------- cancel ----------

$pages->control('reset');
$pages->control('set?stall=1');
like($pages->error_of("SET statement_timeout = '300ms'; SELECT count(*) FROM records"), qr/canceling statement due to statement timeout/, 'cancelled while a page stalls');
for (my $i = 0; $i < 50 && $pages->control('state')->{open} > 0; $i++) { sleep 0.1; }
is($pages->control('state')->{open}, 0, 'and the connection is gone');
$pages->control('reset');
$pages->control('set?delay=60000');
like($pages->error_of("SET statement_timeout = '300ms'; SELECT count(*) FROM records"), qr/canceling statement due to statement timeout/, 'cancelled before an answer');
$pages->control('reset');

# ---------- side by side ----------

$pages->sql("CREATE TABLE whole ($AppflowTest::Pages::columns) PARTITION BY LIST (industry)");
foreach my $part (1 .. 4)
{
	$pages->sql("CREATE FOREIGN TABLE part$part PARTITION OF whole FOR VALUES IN ('p$part') SERVER pages OPTIONS (entity 'million')");
}
my $query = 'SELECT count(*) FROM (' . join(' UNION ALL ', map { "(SELECT id FROM part$_)" } 1 .. 4) . ') x';
$pages->sql('CREATE VIEW four AS ' . join(' UNION ALL ', map { "SELECT id, name FROM records" } 1 .. 4));
$pages->control('set?delay=150');
is($pages->sql('SELECT count(*), count(DISTINCT id) FROM four'), '48000|12000', 'one after the other');
cmp_ok($pages->control('state')->{most}, '<=', 2, 'a page and the next one, at most');
$pages->sql("ALTER SERVER pages OPTIONS (ADD async_capable 'true')");
$pages->control('reset');
$pages->control('set?delay=150');
like($pages->sql('EXPLAIN (COSTS OFF) SELECT * FROM four'), qr/Async Foreign Scan/, 'an asynchronous append');
is($pages->sql('SELECT count(*), count(DISTINCT id) FROM four'), '48000|12000', 'asynchronously the same rows');
cmp_ok($pages->control('state')->{most}, '>=', 4, 'four servers are asked at once');
$pages->control('reset');
is($pages->sql('SELECT id FROM four WHERE id = 12000'), join("\n", (12000) x 4), 'with conditions checked here');
$pages->control('set?fail=3');
is($pages->sql('SELECT count(*) FROM four'), '48000', 'and requests that have to be repeated');
$pages->control('reset');
$pages->control('set?stall=3');
like($pages->error_of("SET statement_timeout = '500ms'; SELECT count(*) FROM four"), qr/statement timeout/, 'cancelled while all wait');
$pages->control('reset');
is($pages->sql('SELECT count(*) FROM (SELECT * FROM four LIMIT 5) x'), '5', 'a limit above');
$pages->sql(q{CREATE FUNCTION descriptors() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM pg_ls_dir('/proc/' || pg_backend_pid() || '/fd') $$;
	CREATE FUNCTION try_four() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		PERFORM count(*), 1 / (count(*) - count(*)) FROM four WHERE id < 10;
	EXCEPTION WHEN division_by_zero THEN END $$});
# idle connections stay, up to eight
cmp_ok($pages->sql(q{SELECT count(*) FROM (SELECT * FROM four LIMIT 1) x; SELECT try_four(); SELECT descriptors() AS before \gset
	SELECT try_four() FROM generate_series(1, 8); SELECT count(*) FROM (SELECT * FROM four LIMIT 1) x;
	SELECT descriptors() - :before}) =~ s/.*\n//sr, '<', 9, 'no descriptor stays open');
is($pages->sql('SET enable_async_append = off; SELECT count(*) FROM four'), '48000', 'switched off');
$pages->sql("ALTER SERVER pages OPTIONS (DROP async_capable)");

# ---------- read again ----------

$pages->control('reset');
is($pages->sql(q{SET enable_material = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off;
	SELECT count(*) FROM generate_series(1, 3) i JOIN records r ON r.id % 3 = i % 3}), '12000', 'a join that reads three times');
is($pages->seen, '1 2 3 4 5 6', 'asks once');
$pages->control('reset');
is($pages->sql(q{SELECT count(*) FROM generate_series(1, 4) i WHERE EXISTS (SELECT FROM records r WHERE r.employees + i < 0 OFFSET 0)}), '0', 'a correlated subquery');
is($pages->seen, '1 2 3 4 5 6', 'asks once, too');

# ---------- memory ----------

my ($before, $after) = split /\n/, $pages->sql(q{
	CREATE FUNCTION resident() RETURNS bigint LANGUAGE sql AS $$
		SELECT (regexp_match(pg_read_file('/proc/' || pg_backend_pid() || '/status'), 'VmHWM:\s+(\d+)'))[1]::bigint $$;
	SELECT count(*) FROM (SELECT id, name FROM records LIMIT 100) x \gset
	SELECT resident();
	SELECT count(*) FROM (SELECT id, name, description FROM records UNION ALL SELECT id, name, description FROM records
		UNION ALL SELECT id, name, description FROM records UNION ALL SELECT id, name, description FROM million) x \gset
	SELECT resident()});
cmp_ok($after - $before, '<', 32 * 1024, "memory does not grow with the records ($before to $after kB)");

# ---------- statistics ----------

$pages->sql('ANALYZE records');
is($pages->sql("SELECT reltuples::int FROM pg_class WHERE relname = 'records'"), '12000', 'ANALYZE knows the number');
like($pages->sql("SELECT n_distinct::int FROM pg_stats WHERE tablename = 'records' AND attname = 'city'"), qr/^4$/, 'and the values');
like($pages->sql('EXPLAIN SELECT * FROM records WHERE active'), qr/rows=[56]\d\d\d/, 'which the planner uses');
$pages->control('reset');
$pages->sql("ALTER FOREIGN TABLE million OPTIONS (analyze_rows '1000'); ANALYZE million");
is($pages->seen, '1 2 3 4 5', 'ANALYZE reads no more than it is told');
$pages->sql("ALTER FOREIGN TABLE million OPTIONS (rows '1000000')");
like($pages->sql('EXPLAIN SELECT * FROM million'), qr/rows=1000000/, 'the option rows');

# ---------- what goes wrong ----------

$pages->control('set?bad=2');
like($pages->error_of('SELECT sum(employees) FROM records'), qr/value of field "employees" does not fit column "employees": "many" is not an integer.*CONTEXT:  column "employees", field "employees", record 2001\nforeign table "records", server "pages", entity "records"/s,
	'a bad value names server, entity, column and record');
is($pages->sql('SELECT count(name) FROM records'), '12000', 'fields that are not wanted do not matter');
$pages->control('reset');
$pages->control('set?fail=1000');
like($pages->error_of('SET appflow.http_max_retries = 0; SELECT * FROM records'), qr/503|not answer|later/, 'an application that refuses');
$pages->control('reset');
is($pages->sql('SELECT count(*) FROM records'), '12000', 'and is well again');
unlike($pages->sql('SELECT string_agg(s, chr(10)) FROM (SELECT unnest(srvoptions) s FROM pg_foreign_server) x'), qr/planted/, 'no secrets in options');

done_testing();
