# Tables as destination: the four operations, and every record that a table refuses.
use strict;
use warnings;

use AppflowTest::Tables;
use Digest::MD5 qw(md5_hex);
use Test::More;

my $t = AppflowTest::Tables->new('table_write');

sub rejected { return AppflowTest::Tables::rejected(@_); }
sub sql { return $t->sql(@_); }

# ---------- INSERT: constraints, defaults, dropped and generated columns ----------

sql(q{
	CREATE TABLE item (
		id int PRIMARY KEY, gone int, name varchar(5) NOT NULL, amount numeric(6,2) CHECK (amount >= 0),
		made timestamptz DEFAULT '2024-01-01Z', double int GENERATED ALWAYS AS (id * 2) STORED,
		n serial, u text UNIQUE);
	ALTER TABLE item DROP COLUMN gone;
	ALTER TABLE item ADD COLUMN late text DEFAULT 'x';
});
my $r = $t->load(entity => 'public.item', fields => [qw(id name amount u)], records => [
	{ id => 1, name => 'abc', amount => 1.5, u => 'a' },
	{ id => 1, name => 'dup', amount => 1, u => 'b' },
	{ id => 2, name => 'toolong', amount => 1, u => 'c' },
	{ id => 3, name => undef, amount => 1, u => 'd' },
	{ id => 4, name => 'x', amount => -1, u => 'e' },
	{ id => 5, name => 'ok', amount => '1.505', u => 'f' },
	{ id => 6, name => 'ok', amount => 2, u => 'a' },
	{ id => '7', name => 'ok', amount => undef, u => 'g' },
	{ id => 'x', name => 'ok', amount => 1, u => 'h' },
	{ id => 8, name => "\x{e4}\x{f6}\x{fc}\x{df}\x{e4}", amount => '3.00', u => 'i' },
	'{"id":9.5,"name":"ok","u":"j"}',
	'{"id":99999999999,"name":"ok","u":"l"}',
	'{"id":10,"name":"ok","amount":10000,"u":"m"}' ]);
is(rejected($r), join("\n",
	'6 InvalidValue field "amount": "1.505" has more than 2 digits after the decimal point',
	'9 InvalidValue field "id": "x" is not an integer',
	'11 InvalidValue field "id": "9.5" is not an integer',
	'12 InvalidValue field "id": "99999999999" is out of range for type Integer',
	'13 InvalidValue field "amount": "10000" is out of range for a decimal of precision 6 and scale 2',
	'2 23505 duplicate key value violates unique constraint "item_pkey": Key (id)=(1) already exists',
	'3 22001 column "name": value too long for type character varying(5)',
	'4 23502 null value in column "name" of relation "item" violates not-null constraint',
	'5 23514 new row for relation "item" violates check constraint "item_amount_check"',
	'7 23505 duplicate key value violates unique constraint "item_u_key": Key (u)=(a) already exists'), 'INSERT: every refused record with its reason');
is(sql('SELECT id, name, amount, made, double, n IS NOT NULL, u, late FROM item ORDER BY id'),
	"1|abc|1.50|2024-01-01 00:00:00+00|2|t|a|x\n7|ok||2024-01-01 00:00:00+00|14|t|g|x\n8|äöüßä|3.00|2024-01-01 00:00:00+00|16|t|i|x",
	'INSERT: the others are there, with defaults and generated columns');
is("$r->{status} $r->{processed} $r->{failures}", 'Successful 13 10', 'INSERT: counts');
is_deeply($r->{rejects}[6]{record}, { id => 2, name => 'toolong', amount => '1', u => 'c' }, 'the error file has the record')
	or diag explain $r->{rejects}[6];

# ---------- UPSERT ----------

$r = $t->load(entity => 'public.item', operation => 'UPSERT', ids => ['id'], fields => [qw(id name amount)], records => [
	{ id => 1, name => 'up', amount => 10 },
	{ id => 100, name => 'new', amount => 5 },
	{ id => 1, name => 'last', amount => 11 },
	{ id => 100, name => 'new2', amount => -5 },
	{ id => undef, name => 'n', amount => 1 },
	{ id => 101, name => undef, amount => 1 },
	{ id => 102, name => 'a', amount => 1 }, { id => 102, name => 'b', amount => 2 }, { id => 102, name => 'c', amount => 3 } ]);
is(rejected($r), join("\n",
	'4 23514 new row for relation "item" violates check constraint "item_amount_check"',
	'5 NullId id field "id" has no value',
	'6 23502 null value in column "name" of relation "item" violates not-null constraint'), 'UPSERT: refused records');
is(sql('SELECT id, name, amount, u FROM item ORDER BY id'),
	"1|last|11.00|a\n7|ok||g\n8|äöüßä|3.00|i\n100|new|5.00|\n102|c|3.00|", 'UPSERT: the last of an id wins, other columns stay');
is("$r->{processed} $r->{failures}", '9 3', 'UPSERT: counts');

# ---------- UPDATE and DELETE ----------

$r = $t->load(entity => 'public.item', operation => 'UPDATE', ids => ['id'], fields => [qw(id name)], records => [
	{ id => 1, name => 'u1' }, { id => 999, name => 'zzz' }, { id => 1, name => 'u2' },
	{ id => 7, name => 'toolong7' }, { id => 8, name => undef }, { id => undef, name => 'x' } ]);
is(rejected($r), join("\n",
	'2 NotFound table "public.item" has no row with "id" = "999"',
	'4 22001 column "name": value too long for type character varying(5)',
	'5 23502 null value in column "name" of relation "item" violates not-null constraint',
	'6 NullId id field "id" has no value'), 'UPDATE: refused records');
$r = $t->load(entity => 'public.item', operation => 'DELETE', ids => ['id'], fields => ['id'],
	records => [ { id => 1 }, { id => 1 }, { id => 999 }, { id => 7 } ]);
is(rejected($r), join("\n",
	'2 NotFound table "public.item" has no row with "id" = "1"',
	'3 NotFound table "public.item" has no row with "id" = "999"'), 'DELETE: the second of an id finds nothing, as one after the other');
is(sql('SELECT id, name FROM item ORDER BY id'), "8|äöüßä\n100|new\n102|c", 'UPDATE and DELETE: what is left');

# ids that are equal, but not spelled alike
sql('CREATE TABLE num (id numeric PRIMARY KEY, v text)');
$r = $t->load(entity => 'public.num', operation => 'UPSERT', ids => ['id'], fields => [qw(id v)],
	records => [ '{"id":1.0,"v":"a"}', '{"id":1.00,"v":"b"}', '{"id":"1","v":"c"}', '{"id":2,"v":"d"}' ]);
is(sql('SELECT id = 1, v FROM num ORDER BY id'), "t|c\nf|d", 'UPSERT: ids equal by value');

# two id fields, one of them text; nothing but ids
sql('CREATE TABLE pair (a int, b text, PRIMARY KEY (b, a))');
$r = $t->load(entity => 'public.pair', operation => 'UPSERT', ids => [qw(a b)], fields => [qw(a b)],
	records => [ { a => 1, b => 'x' }, { a => 1, b => 'y' }, { a => 1, b => 'x' } ]);
is("$r->{status} $r->{failures} " . sql('SELECT * FROM pair ORDER BY b'), "Successful 0 1|x\n1|y", 'UPSERT: id fields only');

# ---------- failOnFirstDestinationError, all refused ----------

$r = $t->load(entity => 'public.item', fields => [qw(id name)], stop => 1,
	records => [ { id => 200, name => 'ok' }, { id => 201, name => 'toolong' }, { id => 202, name => 'ok' } ]);
like($r->{message}, qr/object "s3:\/\/inbox\/load-\d+\/1", line 2: column "name": value too long for type character varying\(5\)/, 'stop at the first failure: says where and why');
is("$r->{status} " . sql('SELECT count(*) FROM item WHERE id >= 200'), 'Error 0', 'stop at the first failure: nothing stays');
$r = $t->load(entity => 'public.item', fields => [qw(id name)], records => [ { id => 8, name => 'a' }, { id => 100, name => 'b' } ]);
like("$r->{status} $r->{message}", qr/^Error .*all 2 records failed; the first: .*duplicate key/, 'all refused: the run fails');

# ---------- foreign keys, deferred too ----------

sql(q{
	CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
	CREATE TABLE child (id int, parent int REFERENCES parent);
	CREATE TABLE late_child (id int, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
	CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree DEFERRABLE INITIALLY DEFERRED);
});
$r = $t->load(entity => 'public.child', fields => [qw(id parent)],
	records => [ map { { id => $_, parent => $_ % 5 ? $_ % 2 + 1 : 9 } } 1 .. 20 ]);
is(rejected($r), join("\n", map { "$_ 23503 insert or update on table \"child\" violates foreign key constraint \"child_parent_fkey\": Key (parent)=(9) is not present in table \"parent\"" } 5, 10, 15, 20),
	'foreign key: exactly the records without a parent');
is(sql('SELECT count(*) FROM child'), '16', 'foreign key: the others are there');
$r = $t->load(entity => 'public.late_child', fields => [qw(id parent)], records => [ { id => 1, parent => 1 }, { id => 2, parent => 9 } ]);
is("$r->{status} " . sql('SELECT count(*) FROM late_child'), 'Error 0', 'deferred foreign key: the run fails as a whole');
like($r->{message}, qr/insert or update on table "late_child" violates foreign key constraint "late_child_parent_fkey"/, 'deferred foreign key: says which');
$r = $t->load(entity => 'public.tree', fields => [qw(id up)], records => [ { id => 1, up => 2 }, { id => 2, up => undef } ]);
is("$r->{status} $r->{failures}", 'Successful 0', 'deferred foreign key: children may come first');
$r = $t->load(entity => 'public.parent', operation => 'DELETE', ids => ['id'], fields => ['id'], records => [ { id => 1 }, { id => 2 } ]);
like(rejected($r) || $r->{message}, qr/update or delete on table "parent" violates foreign key constraint "child_parent_fkey" on table "child": Key \(id\)=\(1\) is still referenced/, 'DELETE of what is referred to');

# ---------- triggers ----------

sql(q{
	CREATE TABLE log (n serial, m text);
	CREATE TABLE trig (id int PRIMARY KEY, v text);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF tg_level = 'STATEMENT' THEN INSERT INTO log (m) VALUES (tg_when || ' statement'); RETURN NULL; END IF;
		IF tg_op <> 'DELETE' AND new.v = 'bad' THEN RAISE EXCEPTION 'bad value %', new.v; END IF;
		IF tg_op <> 'DELETE' AND new.v = 'own' THEN RAISE EXCEPTION 'own code' USING errcode = 'ZZ123', detail = 'Some detail.'; END IF;
		INSERT INTO log (m) VALUES (tg_when || ' ' || tg_op || ' ' || coalesce(new.v, ''));
		IF new.v = 'skip' THEN RETURN NULL; END IF;
		RETURN new; END $$;
	CREATE FUNCTION sum_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO log (m) SELECT 'new ' || string_agg(v, ',' ORDER BY id) FROM fresh; RETURN NULL; END $$;
	CREATE TRIGGER a BEFORE INSERT ON trig FOR EACH STATEMENT EXECUTE FUNCTION note();
	CREATE TRIGGER b AFTER INSERT ON trig FOR EACH ROW EXECUTE FUNCTION note();
	CREATE TRIGGER c AFTER INSERT ON trig REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION sum_up();
});
$r = $t->load(entity => 'public.trig', fields => [qw(id v)], records => [ { id => 1, v => 'a' }, { id => 2, v => 'b' } ]);
is(sql('SELECT string_agg(m, $$; $$ ORDER BY n) FROM log'), 'BEFORE statement; AFTER INSERT a; AFTER INSERT b; new a,b', 'AFTER and statement triggers, transition table');
$r = $t->load(entity => 'public.trig', fields => [qw(id v)], records => [ map { { id => 10 + $_, v => (qw(c bad d own))[$_] } } 0 .. 3 ]);
is(rejected($r), "2 P0001 bad value bad\n4 ZZ123 own code: Some detail", 'what triggers raise is the record\'s fault');
sql('CREATE TRIGGER d BEFORE INSERT OR UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION note()');
$r = $t->load(entity => 'public.trig', fields => [qw(id v)], records => [ map { { id => 20 + $_, v => (qw(e bad skip))[$_] } } 0 .. 2 ]);
is(rejected($r) . sql('SELECT string_agg(v, $$,$$ ORDER BY id) FROM trig'), '2 P0001 bad value bada,b,c,d,e', 'BEFORE ROW triggers');
$r = $t->load(entity => 'public.trig', operation => 'UPDATE', ids => ['id'], fields => [qw(id v)], records => [ { id => 1, v => 'skip' }, { id => 77, v => 'x' } ]);
is(rejected($r), '2 NotFound table "public.trig" has no row with "id" = "77"', 'a row that a trigger holds back is not taken for missing');

# ---------- partitions, views, rules ----------

sql(q{
	CREATE TABLE part (id int, d date, v text, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
	CREATE TABLE part24 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
	CREATE TABLE part25 (v text, x int, d date NOT NULL, id int NOT NULL);
	ALTER TABLE part25 DROP COLUMN x;
	ALTER TABLE part ATTACH PARTITION part25 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
	CREATE VIEW seen AS SELECT id, v FROM trig WHERE v <> 'hidden' WITH CHECK OPTION;
});
$r = $t->load(entity => 'public.part', fields => [qw(id d v)], records => [
	{ id => 1, d => '2024-05-05', v => 'a' }, { id => 2, d => '2025-05-05', v => 'b' },
	{ id => 3, d => '2030-01-01', v => 'c' }, { id => 1, d => '2024-05-05', v => 'dup' } ]);
is(rejected($r), join("\n",
	'3 23514 no partition of relation "part" found for row: Partition key of the failing row contains (d) = (2030-01-01)',
	'4 23505 duplicate key value violates unique constraint "part24_pkey": Key (id, d)=(1, 2024-05-05) already exists'), 'partitions: refused records');
$r = $t->load(entity => 'public.part', operation => 'UPSERT', ids => [qw(id d)], fields => [qw(id d v)],
	records => [ { id => 1, d => '2024-05-05', v => 'up' }, { id => 2, d => '2025-05-05', v => 'up2' } ]);
$r = $t->load(entity => 'public.part', operation => 'UPDATE', ids => ['id'], fields => [qw(id d)], records => [ { id => 1, d => '2025-06-06' } ]);
is(sql('SELECT tableoid::regclass, id, d, v FROM part ORDER BY id'), "part25|1|2025-06-06|up\npart25|2|2025-05-05|up2", 'partitions: UPSERT, and UPDATE into another one');
$r = $t->load(entity => 'public.part24', fields => [qw(id d)], records => [ { id => 1, d => '2025-06-06' }, { id => 1, d => '2024-06-06' } ]);
is(rejected($r), '1 23514 new row for relation "part24" violates partition constraint', 'a partition by itself');
$r = $t->load(entity => 'public.seen', fields => [qw(id v)], records => [ { id => 41, v => 'view' }, { id => 42, v => 'hidden' } ]);
is(rejected($r), '2 44000 new row violates check option for view "seen"', 'a view with check option');
$r = $t->load(entity => 'public.seen', operation => 'DELETE', ids => ['id'], fields => ['id'], records => [ { id => 41 } ]);
is("$r->{failures} " . sql('SELECT count(*) FROM trig WHERE id = 41'), '0 0', 'DELETE through a view');
sql(q{
	CREATE TABLE seq_default (id int, n int DEFAULT nextval('log_n_seq'), v int);
	CREATE FUNCTION rows_so_far() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
	CREATE TABLE volatile_default (id int, so_far int DEFAULT rows_so_far());
	CREATE OR REPLACE FUNCTION rows_so_far() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT count(*)::int FROM public.volatile_default';
	CREATE TABLE ruled (id int);
	CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO log (m) VALUES ('rule');
});
$t->load(entity => 'public.volatile_default', fields => ['id'], records => [ map { { id => $_ } } 1 .. 3 ]);
is(sql('SELECT count(*) FROM volatile_default WHERE so_far IS NOT NULL'), '3', 'volatile defaults');
$t->load(entity => 'public.ruled', fields => ['id'], records => [ { id => 1 } ]);
is(sql(q{SELECT count(*) FROM ruled, log WHERE m = 'rule'}), '1', 'rules');

# ---------- what else a table may refuse ----------

sql(q{
	CREATE TABLE apart (r int4range, EXCLUDE USING gist (r WITH &&));
	CREATE TABLE indexed (t text); CREATE INDEX ON indexed (t);
	CREATE TABLE divided (a int, b int GENERATED ALWAYS AS (100 / a) STORED NOT NULL CHECK (b < 50));
	CREATE TABLE late_unique (id int UNIQUE DEFERRABLE);
	CREATE TABLE nested (id int);
	CREATE FUNCTION keep_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		BEGIN INSERT INTO num VALUES (new.id, 'once'); EXCEPTION WHEN unique_violation THEN NULL; END; RETURN new; END $$;
	CREATE TRIGGER keep_once AFTER INSERT ON nested FOR EACH ROW EXECUTE FUNCTION keep_once();
	CREATE FUNCTION lost(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF $1 = 3 THEN PERFORM FROM gone; END IF; RETURN $1; END $$;
	CREATE TABLE broken_index (id int); CREATE INDEX ON broken_index (lost(id));
});
$r = $t->load(entity => 'public.apart', fields => ['r'], records => [ map { { r => $_ } } '[1,5)', '[3,8)', '[10,20)' ]);
is(rejected($r), '2 23P01 conflicting key value violates exclusion constraint "apart_r_excl": Key (r)=([3,8)) conflicts with existing key (r)=([1,5))', 'exclusion constraint');
$r = $t->load(entity => 'public.indexed', fields => ['t'], records => [ { t => 'a' }, { t => join('', map { md5_hex($_) } 1 .. 300) }, { t => 'b' } ]);
like(rejected($r), qr/^2 54000 index row (?:requires|size) \d+ (?:bytes, maximum size is|exceeds)/, 'a value too long for an index');
$r = $t->load(entity => 'public.divided', fields => ['a'], records => [ map { { a => $_ } } 1, 0, 4, undef ]);
is(rejected($r), join("\n",
	'1 23514 new row for relation "divided" violates check constraint "divided_b_check"',
	'2 22012 division by zero',
	'4 23502 null value in column "b" of relation "divided" violates not-null constraint'), 'generated columns that fail');
$r = $t->load(entity => 'public.late_unique', operation => 'UPSERT', ids => ['id'], fields => ['id'], records => [ { id => 1 } ]);
like($r->{message}, qr/table "public.late_unique" has no unique index on \(id\)/, 'a deferrable unique constraint is no arbiter');
$r = $t->load(entity => 'public.nested', fields => ['id'], records => [ map { { id => $_ } } 1, 2, 77 ]);
is("$r->{failures} " . sql(q{SELECT string_agg(id::text, ',') FROM num WHERE v = 'once'}), '0 77', 'triggers with subtransactions of their own');
$r = $t->load(entity => 'public.broken_index', fields => ['id'], records => [ map { { id => $_ } } 1, 3, 4 ]);
like("$r->{status} $r->{message} " . sql('SELECT count(*) FROM broken_index'), qr/^Error .*relation "gone" does not exist.* 0$/s, 'a broken index is not the record\'s fault');

# ---------- identity ----------

sql(q{
	CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
	CREATE TABLE bydefault (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text);
});
$t->load(entity => 'public.always', fields => ['v'], records => [ { v => 'a' }, { v => 'b' } ]);
$r = $t->load(entity => 'public.always', operation => 'UPDATE', ids => ['id'], fields => [qw(id v)], records => [ { id => 2, v => 'c' } ]);
is(sql('SELECT * FROM always ORDER BY id'), "1|a\n2|c", 'identity columns: numbered, and good as ids');
$t->load(entity => 'public.bydefault', fields => [qw(id v)], records => [ { id => 7, v => 'a' } ]);
is(sql('SELECT * FROM bydefault'), '7|a', 'identity by default can be given');

# ---------- many refused among many ----------

sql(q{CREATE TABLE many (id int PRIMARY KEY); INSERT INTO many SELECT generate_series(3, 6000, 3)});
$r = $t->load(entity => 'public.many', fields => ['id'], records => [ map { "{\"id\":$_}" } 1 .. 6000 ]);
is("$r->{processed} $r->{failures} " . sql('SELECT count(*) FROM many'), '6000 2000 6000', 'a third of 6,000 records refused, in several batches');

done_testing();
