# Objects as foreign tables: JSON and CSV under a prefix, types, what is wrong with them,
# who may read; and comments that an import makes.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::Pages;
use Test::More;

my $flows = AppflowTest::Flows->new('foreign_objects');
sub error_of { my (undef, undef, $stderr) = $flows->{node}->psql('postgres', $_[0]); return $stderr =~ /ERROR:\s+(.*)/s ? $1 : "no error: $stderr"; }

$flows->put('orders/2026/a.jsonl', qq({"id":1,"customer":{"name":"Zo\xc3\xab"},"total":10.50,"at":"2026-01-02T03:04:05Z","paid":true,"lines":[1,2]}\n) .
	qq({"id":2,"customer":{"name":"O'Neill"},"total":-3,"at":"2026-02-02T03:04:05.123456+02:00","paid":false}\n));
$flows->put('orders/2026/b.jsonl', qq([{"id":3,"customer":null,"total":null},{"id":4,"extra":"x","total":"12.25"}]));
$flows->put('orders/2026-old/c.jsonl', qq({"id":99}\n));
$flows->put('rates/r.csv', "code,rate,since,note\nEUR,1.0,2026-01-01,\"a, \"\"b\"\"\"\nUSD,1.1,2026-01-02,\n");
$flows->sql(q{
	CREATE SERVER s3 FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_type 'S3');
	CREATE FOREIGN TABLE orders (id int, name text OPTIONS (field 'customer.name'), total numeric(10,2), at timestamptz, paid boolean, lines jsonb)
		SERVER s3 OPTIONS (bucket 'source', prefix 'orders/2026');
	CREATE FOREIGN TABLE rates (code text, rate float8, since date, note text) SERVER s3 OPTIONS (bucket 'source', prefix 'rates', format 'csv')});
is($flows->sql("SET timezone = 'UTC'; SELECT * FROM orders ORDER BY id"),
	"1|Zo\xc3\xab|10.50|2026-01-02 03:04:05+00|t|[1, 2]\n2|O'Neill|-3.00|2026-02-02 01:04:05.123456+00|f|\n3|||||\n4||12.25|||", 'JSON');
is($flows->sql('SELECT * FROM rates ORDER BY rate'), qq(EUR|1|2026-01-01|a, "b"\nUSD|1.1|2026-01-02|), 'CSV');
is($flows->sql('SELECT count(*) FROM orders'), '4', 'a prefix is a folder');
is($flows->sql('SELECT count(*), sum(o.total) FROM orders o JOIN rates r ON r.rate < o.total WHERE NOT paid OR paid IS NULL'), '2|24.50', 'joined and filtered');
is($flows->sql("SELECT name FROM orders WHERE name = 'O''Neill' AND total < 0"), "O'Neill", 'conditions are checked here');
like($flows->sql("EXPLAIN SELECT name FROM orders WHERE id = 1"), qr{Remote Entity: s3://source/orders/2026\n.*Kept Here: \(id = 1\) \(the source evaluates no conditions\)}s, 'which EXPLAIN tells');
like($flows->sql('EXPLAIN (ANALYZE, TIMING OFF) SELECT name FROM orders'), qr/Pages: 2/, 'objects are its pages');
is($flows->sql('ANALYZE orders; SELECT reltuples FROM pg_class WHERE relname = \'orders\''), '4', 'ANALYZE');

$flows->put('bad/x.jsonl', qq({"id":1}\n{"id":"many"}\n));
$flows->sql("CREATE FOREIGN TABLE bad (id int) SERVER s3 OPTIONS (bucket 'source', prefix 'bad'); CREATE FOREIGN TABLE lost (id int) SERVER s3 OPTIONS (bucket 'nowhere')");
like(error_of('SELECT * FROM bad'), qr{value of field "id" does not fit column "id": "many" is not an integer.*object "s3://source/bad/x.jsonl", line 2\nforeign table "bad", server "s3", entity "s3://source/bad"}s, 'a bad value, with object and line');
$flows->put('bad/x.jsonl', qq({"id":1}\n{"id":));
like(error_of('SELECT * FROM bad'), qr{object "s3://source/bad/x.jsonl" is malformed: line 2}, 'a bad object');
like(error_of('SELECT * FROM lost'), qr/nowhere|no object store/, 'a bucket that nobody serves');
is($flows->sql('SELECT count(*) FROM (SELECT * FROM orders LIMIT 1) x'), '1', 'a limit');

$flows->sql(q{CREATE SCHEMA lake; IMPORT FOREIGN SCHEMA "source" EXCEPT (bad) FROM SERVER s3 INTO lake});
is($flows->sql("SELECT string_agg(relname || ' ' || (SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0), '; ' ORDER BY relname)
	FROM pg_class c WHERE relnamespace = 'lake'::regnamespace AND relname <> 'orders'"), 'rates code text, rate double precision, since date, note text', 'a bucket imported');
is($flows->sql('SELECT count(*) FROM lake.rates'), '2', 'and read');

$flows->sql(q{CREATE ROLE stranger; GRANT USAGE ON FOREIGN SERVER s3 TO stranger; GRANT SELECT ON orders TO stranger});
like(error_of('SET ROLE stranger; SELECT * FROM orders'), qr/may not use bucket "source"/, 'buckets are for those who were granted their use');
is($flows->sql(q{CREATE VIEW open AS SELECT id FROM orders; GRANT SELECT ON open TO stranger; SET ROLE stranger; SELECT count(*) FROM open}), '4', 'or through a view of somebody who was');

# ---------- comments, by an event trigger that minds its own business ----------

my $pages = AppflowTest::Pages->new('comments', pages => 1);
$pages->sql(q{CREATE SCHEMA app; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER pages INTO app});
is($pages->sql("SELECT col_description('app.records'::regclass, 2), col_description('app.million'::regclass, 1)"), 'The name|The id', 'columns are commented by labels');
is($pages->sql("SELECT attname || attnotnull || array_to_string(attfdwoptions, '') FROM pg_attribute WHERE attrelid = 'app.records'::regclass AND attnum = 1"), 'idtruekey=true', 'keys');
is($pages->sql('SELECT appflow.comment_foreign_table(\'app.records\')'), '16', 'and again, by hand');

done_testing();
