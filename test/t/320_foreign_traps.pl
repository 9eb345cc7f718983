# What foreign-data wrappers usually trip over: plans that live long, cursors,
# subtransactions, triggers, partitions, inheritance, rows that change under a query,
# DISCARD ALL, columns that go and come, generated columns, barriers, rights.
use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('traps');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'");
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub error_of { my (undef, undef, $stderr) = $node->psql('postgres', $_[0]); return $stderr =~ /ERROR:\s+(.*)/ ? $1 : "no error: $stderr"; }

sql(q{
	CREATE EXTENSION appflow;
	CREATE TABLE item (id int, title text, price numeric, here boolean);
	INSERT INTO item SELECT i, 'item ' || i, i * 1.5, i % 2 = 0 FROM generate_series(1, 500) i;
	CREATE SERVER pg FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'PostgreSQL');
	CREATE SCHEMA f;
	CREATE FOREIGN TABLE f.item (id int, title text, price numeric, here boolean) SERVER pg OPTIONS (entity 'public.item');
});

# ---------- prepared statements ----------

my $prepared = "PREPARE p (int, text) AS SELECT count(*), max(title) FROM f.item WHERE id < \$1 AND title <> \$2;\n" .
  join('', map { "EXECUTE p ($_ * 10, 'item $_');\n" } 1 .. 10);
is(sql($prepared), join("\n", (map { my $n = $_ * 10 - 2; "$n|item 9" } 1 .. 8), '88|item 89', '98|item 99'), 'a statement executed ten times');
is(sql("PREPARE q (int) AS SELECT title FROM f.item WHERE id = \$1; EXECUTE q(1); EXECUTE q(2); EXECUTE q(3); EXECUTE q(4); EXECUTE q(5); EXECUTE q(6); EXECUTE q(7);
	ALTER FOREIGN TABLE f.item ALTER COLUMN title OPTIONS (ADD field 'id'); EXECUTE q(8);
	ALTER FOREIGN TABLE f.item ALTER COLUMN title OPTIONS (DROP field); EXECUTE q(9); DISCARD ALL; SELECT title FROM f.item WHERE id = 10"),
	join("\n", (map { "item $_" } 1 .. 7), 8, 'item 9', 'item 10'), 'options that change under a plan, and DISCARD ALL');
is(sql("SET plan_cache_mode = force_generic_plan; PREPARE l (int, int) AS SELECT id FROM f.item ORDER BY id LIMIT \$1 OFFSET \$2; " .
	  join(' ', map { "EXECUTE l($_, $_);" } 0 .. 3) . " EXECUTE l(NULL, 498);"), "2\n3\n4\n4\n5\n6\n499\n500", 'limits that are parameters');
like(error_of('PREPARE l (int) AS SELECT id FROM f.item LIMIT $1; EXECUTE l(-1)'), qr/LIMIT must not be negative/, 'a negative limit');
sql(q{CREATE FUNCTION title_of(wanted int) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE found text; BEGIN SELECT title INTO found FROM f.item WHERE id = wanted; RETURN found; END $$});
is(sql('SELECT count(DISTINCT title_of(i)) FROM generate_series(1, 60) i'), '60', 'a function called sixty times');

# ---------- cursors ----------

is(sql(q{BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id FROM f.item WHERE id > 10 ORDER BY id;
	FETCH 2 FROM c; FETCH BACKWARD 1 FROM c; FETCH ABSOLUTE 100 FROM c; FETCH LAST FROM c; FETCH FIRST FROM c; COMMIT}), "11\n12\n11\n110\n500\n11", 'a cursor that scrolls');
is(sql(q{BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT id FROM f.item WHERE NOT here ORDER BY id; FETCH 1 FROM h; COMMIT; FETCH 2 FROM h; CLOSE h}), "1\n3\n5", 'a cursor held over the commit');
is(sql(q{BEGIN; DECLARE c CURSOR FOR SELECT id FROM f.item; FETCH 1 FROM c; SAVEPOINT s; FETCH 1 FROM c; ROLLBACK TO s; FETCH 1 FROM c;
	DECLARE d CURSOR FOR SELECT id FROM f.item WHERE id > 5; FETCH 1 FROM d; FETCH 1 FROM c; COMMIT}), "1\n2\n3\n6\n4", 'cursors and savepoints');

# ---------- subtransactions ----------

sql(q{CREATE FOREIGN TABLE f.bad (id int, title int) SERVER pg OPTIONS (entity 'public.item');
	CREATE FUNCTION stumble() RETURNS int LANGUAGE plpgsql AS $$
	DECLARE r record; n int := 0; BEGIN
		FOR i IN 1 .. 100 LOOP
			BEGIN
				FOR r IN SELECT title FROM f.bad LOOP n := n + 1000; END LOOP;
			EXCEPTION WHEN fdw_invalid_data_type THEN n := n + 1;
			END;
		END LOOP;
		RETURN n;
	END $$});
is(sql('SELECT stumble()'), '100', 'errors caught a hundred times');
is(sql('BEGIN; SAVEPOINT a; SELECT count(*) FROM f.item; ROLLBACK TO a; SELECT count(*) FROM f.item WHERE here; COMMIT'), "500\n250", 'after a rollback to a savepoint');

# ---------- triggers ----------

is(sql(q{CREATE TABLE log (id int, title text);
	CREATE FUNCTION look_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		SELECT title INTO NEW.title FROM f.item WHERE id = NEW.id; RETURN NEW; END $$;
	CREATE TRIGGER look_up BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION look_up();
	INSERT INTO log (id) SELECT id FROM f.item WHERE id <= 20;
	SELECT count(*), count(DISTINCT title), min(title) FROM log}), '20|20|item 1', 'a trigger that reads while a query reads');

# ---------- partitions and inheritance ----------

sql(q{CREATE TABLE part (id int, title text) PARTITION BY RANGE (id);
	CREATE TABLE part_local PARTITION OF part FOR VALUES FROM (1000) TO (2000);
	INSERT INTO part VALUES (1000, 'here');
	CREATE FOREIGN TABLE part_remote PARTITION OF part FOR VALUES FROM (0) TO (1000) SERVER pg OPTIONS (entity 'public.item')});
is(sql('SELECT count(*), max(id) FROM part'), '501|1000', 'a partition');
is(sql("SELECT tableoid::regclass, title FROM part WHERE id IN (7, 1000) ORDER BY id"), "part_remote|item 7\npart_local|here", 'which table a row is of');
unlike(sql('EXPLAIN SELECT * FROM part WHERE id = 1500'), qr/Foreign Scan/, 'pruned');
is(sql('SET enable_partitionwise_aggregate = on; SELECT id >= 1000, count(*) FROM part GROUP BY 1 ORDER BY 1'), "f|500\nt|1", 'aggregates by partition');
is(sql('SET enable_partitionwise_aggregate = on; SELECT count(*), sum(id) FROM part WHERE id < 5'), '4|10', 'of one of them');
sql(q{CREATE TABLE parent (id int, title text); INSERT INTO parent VALUES (0, 'own');
	CREATE FOREIGN TABLE child () INHERITS (parent) SERVER pg OPTIONS (entity 'public.item')});
is(sql('SELECT count(*), min(id) FROM parent WHERE id < 3'), '3|0', 'a child that inherits');
is(sql('SELECT id FROM parent ORDER BY id DESC LIMIT 2'), "500\n499", 'in order');

# ---------- rows that change under a query ----------

my $files = 0;
sub session
{
	my ($statements) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/' . ++$files . '.sql';
	my ($out, $err) = ('', '');
	append_to_file($file, $statements);
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr('postgres') ], '<', '/dev/null', '>', \$out, '2>', \$err);
	return [ $run, \$out, \$err ];
}
sql('CREATE TABLE account (id int PRIMARY KEY, v int, wanted text); INSERT INTO account SELECT i, 0, \'item \' || i FROM generate_series(1, 5) i');
foreach my $case (
	[ "UPDATE account a SET v = a.v + 10 FROM f.item i WHERE i.id = a.id AND i.title = 'item 1' AND a.id = 1 RETURNING a.v, i.title", '11|item 1', 'the changed row joins as before' ],
	[ "UPDATE account a SET v = a.v + 10 FROM f.item i WHERE i.title = a.wanted AND a.id = 2 RETURNING a.v, i.id", '', 'the changed row joins no more' ],
	[ "SELECT a.v, i.title FROM account a JOIN f.item i ON i.id = a.id WHERE a.id = 3 AND i.price > 4 FOR UPDATE OF a", '1|item 3', 'a row that is locked' ])
{
	my ($statement, $expected, $name) = @$case;
	my $first = session("BEGIN; UPDATE account SET v = v + 1, wanted = wanted || CASE id WHEN 2 THEN 'x' ELSE '' END;\nSELECT pg_advisory_lock(1); SELECT pg_sleep(1); COMMIT;\n");
	$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted") or die;
	my $second = session("$statement;\n");
	$_->[0]->finish foreach $first, $second;
	is(${ $second->[1] } =~ s/\s+$//r, $expected, $name) or diag(${ $second->[2] });
	sql("UPDATE account SET v = 0, wanted = 'item ' || id");
}

# ---------- columns ----------

is(sql(q{CREATE FOREIGN TABLE f.shape (gone int, id int, title text) SERVER pg OPTIONS (entity 'public.item');
	ALTER FOREIGN TABLE f.shape DROP COLUMN gone; ALTER FOREIGN TABLE f.shape ADD COLUMN price numeric;
	SELECT s, price FROM f.shape s WHERE id = 4; SELECT count(*) FROM f.shape; ALTER FOREIGN TABLE f.shape RENAME COLUMN title TO name;
	ALTER FOREIGN TABLE f.shape ALTER COLUMN name OPTIONS (ADD field 'title'); SELECT name FROM f.shape WHERE name = 'item 5'}),
	qq{(4,"item 4",6.0)|6.0\n500\nitem 5}, 'dropped, added and renamed columns');
is(sql(q{CREATE FOREIGN TABLE f.made (id int, twice int GENERATED ALWAYS AS (id * 2) STORED, price numeric,
		same numeric OPTIONS (field 'price') GENERATED ALWAYS AS (price) STORED) SERVER pg OPTIONS (entity 'public.item');
	SELECT twice FROM f.made WHERE id = 3; SELECT * FROM f.made WHERE twice = 8; SELECT count(*), sum(twice) FROM f.made WHERE id < 4; SELECT same FROM f.made WHERE same = 15}),
	"6\n4|8|6.0|6.0\n3|12\n15.0", 'generated columns are computed, or read where they have a field');
is(sql('SELECT (i).title, (SELECT count(*) FROM f.item j WHERE j.id < (i).id) FROM f.item i WHERE id = 3'), 'item 3|2', 'rows as a whole, and a correlated subquery');
is(sql('SELECT x.id, y.title FROM (VALUES (1), (2)) x(id), LATERAL (SELECT title FROM f.item i WHERE i.id = x.id * 2 ORDER BY title LIMIT 1) y'), "1|item 2\n2|item 4", 'LATERAL');
is(sql("SELECT id FROM f.item WHERE id = ANY(ARRAY(SELECT generate_series(3, 5))) AND title IN (SELECT title FROM f.item WHERE here) ORDER BY 1"), '4', 'arrays that a subquery makes');

# ---------- barriers and rights ----------

sql(q{CREATE TABLE heard (what text);
	CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'heard %', $1; RETURN true; END $$;
	CREATE FUNCTION allowed(int) RETURNS boolean LANGUAGE plpgsql COST 100000 AS $$ BEGIN RETURN $1 = 2; END $$;
	CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM f.item WHERE allowed(id) AND id < 10;
	CREATE ROLE reader; GRANT USAGE ON SCHEMA f TO reader; GRANT SELECT ON f.item, barrier TO reader; GRANT EXECUTE ON FUNCTION allowed(int) TO reader;
	CREATE VIEW through AS SELECT * FROM f.item; GRANT SELECT ON through TO reader});
my ($status, $out, $err) = $node->psql('postgres', "SET ROLE reader; SELECT id FROM barrier WHERE leak(title) AND title LIKE 'item%'");
is($out, '2', 'a view with a barrier');
is(join(' ', $err =~ /heard (item \d+)/g), 'item 2', 'and nothing leaks from behind it');
like(error_of('SET ROLE reader; SELECT count(*) FROM f.item'), qr/permission denied for table item/, 'the rights that count are those of who asks');
is(sql('SET ROLE reader; SELECT count(*) FROM through WHERE here'), '250', 'or of who owns the view');
like(error_of('SET ROLE reader; CREATE SERVER mine FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile \'PostgreSQL\')'), qr/permission denied/, 'servers are for those who may');

done_testing();
