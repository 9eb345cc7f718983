# Foreign tables that are written: INSERT, COPY, UPDATE, DELETE, TRUNCATE, upsert, RETURNING,
# refusals, rollback, partitions, triggers; over Salesforce and over tables of PostgreSQL.
use strict;
use warnings;

use AppflowTest::SalesforceWrite;
use Test::More;

my $sf = AppflowTest::SalesforceWrite->new('foreign_write', settings => [ "timezone = 'UTC'", 'appflow.max_retry_delay = 50ms' ]);
my $node = $sf->{node};
sub sql { return $sf->sql($_[0]) }
# all that psql says
sub all_of
{
	my ($statement) = @_;
	my ($out, $err);
	$node->psql('postgres', "\\set VERBOSITY verbose\n$statement", stdout => \$out, stderr => \$err, on_error_stop => 0);
	return "$out\n$err";
}
my $composite = qr{^(POST|PATCH|DELETE) /services/data/v[\d.]+/composite/sobjects};
sub requests { my $n = scalar grep { "$_->{method} $_->{url}" =~ $composite } @{ $sf->control('seen') }; $sf->control('reset'); return $n; }
sub thing { my ($code) = @_; return $sf->records('Thing__c', 'Code__c')->{$code}; }

sql(q{
	CREATE SERVER crm FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'crm');
	CREATE SCHEMA crm;
	IMPORT FOREIGN SCHEMA "Objects" LIMIT TO ("Thing__c") FROM SERVER crm INTO crm;
	CREATE FOREIGN TABLE things (id text OPTIONS (field 'Id', key 'true'), code text OPTIONS (field 'Code__c'), name text OPTIONS (field 'Text__c'),
		n int OPTIONS (field 'Int__c'), money numeric OPTIONS (field 'Money__c'), moment timestamptz OPTIONS (field 'Moment__c'), choice text OPTIONS (field 'Choice__c'))
		SERVER crm OPTIONS (entity 'Thing__c');
	CREATE FOREIGN TABLE coded (code text OPTIONS (field 'Code__c', key 'true'), name text OPTIONS (field 'Text__c'), n int OPTIONS (field 'Int__c'))
		SERVER crm OPTIONS (entity 'Thing__c', upsert 'true');
});
requests();

# ---------- INSERT ----------

my $id = sql(q{INSERT INTO things (code, name, n, money, moment) VALUES ('I1', E'Gr\u00fcn "and" \\\\ back', -5, 0.01, '2024-03-05 10:11:12.345+02') RETURNING id});
like($id, qr/^a00\w{15}$/, 'RETURNING gives the id that the application made');
my $kept = thing('I1');
is_deeply([ @{$kept}{qw(Id Text__c Int__c Money__c Moment__c Choice__c)} ], [ $id, "Gr\x{fc}n \"and\" \\ back", -5, 0.01, 1709626272345, undef ], 'the record is there');
is(sql(q{INSERT INTO things (code, n) VALUES ('I2', 1), ('I3', 2) RETURNING code, n, id IS NOT NULL}), "I2|1|t\nI3|2|t", 'RETURNING of several rows');
is(requests(), 3, 'which go one by one');
sql(q{INSERT INTO things (code, name, n) SELECT 'M' || i, 'many', i FROM generate_series(1, 450) i});
is(requests(), 3, 'others go by as many as the application takes');
is(sql(q{SELECT count(*), sum(n) FROM things WHERE name = 'many'}), '450|101475', 'all of them');
sql(q{ALTER FOREIGN TABLE things OPTIONS (ADD batch_size '100'); INSERT INTO things (code, name) SELECT 'N' || i, 'less' FROM generate_series(1, 250) i; ALTER FOREIGN TABLE things OPTIONS (DROP batch_size)});
is(requests(), 3, 'or as many as batch_size says');
$node->psql('postgres', "COPY things (code, name, n) FROM STDIN WITH (FORMAT csv);\n" . join('', map { "C$_,\"copied, $_\",$_\n" } 1 .. 300) . "\\.\n");
is(sql(q{SELECT count(*), sum(n), max(name) FROM things WHERE code LIKE 'C%'}), '300|45150|copied, 99', 'COPY');
is(requests() <= 4 ? 'few' : 'many', 'few', 'goes in batches too');
sql(q{ALTER FOREIGN TABLE things ALTER n SET DEFAULT 77; INSERT INTO things (code) VALUES ('D1'); ALTER FOREIGN TABLE things ALTER n DROP DEFAULT});
is(thing('D1')->{Int__c}, 77, 'a default of the foreign table');
ok(!grep({ /"Text__c":null/ } map { $_->{body} // '' } @{ $sf->control('seen') }), 'columns that are not named are not sent');

# ---------- refusals ----------

my $said = all_of(q{INSERT INTO things (code, choice) VALUES ('R1', 'Mauve')});
like($said, qr/WF502: entity "Thing__c" refused the record: INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: Choice: bad value for restricted picklist field: Mauve/, 'a record that is refused is an error, in the application\'s words');
like($said, qr/CONTEXT:.*foreign table "things", server "crm"/, 'with where');
$said = all_of(q{INSERT INTO things (code, choice) SELECT 'S' || i, CASE WHEN i IN (2, 5) THEN 'Mauve' WHEN i = 7 THEN 'Taupe' ELSE 'Red' END FROM generate_series(1, 8) i});
like($said, qr/refused 3 of 8 records, the first: INVALID_OR_NULL/, 'several');
like($said, qr/DETAIL:.*record 2: INVALID\S+ Choice: [^;]*Mauve; record 5: [^;]*Mauve; record 7: [^;]*Taupe/, 'each with its reason');
like($said, qr/HINT:  It keeps the other 5 records/, 'and what stays');
$said = all_of(q{INSERT INTO things (code, choice) SELECT 'L' || i, 'Mauve' FROM generate_series(1, 60) i});
is(scalar(() = $said =~ /record \d+: INVALID_OR_NULL/g), 60, 'of many, too, each');
is(sql(q{SELECT count(*) FROM things WHERE code LIKE 'S_'}), '5', 'which is true');
like(all_of(q{INSERT INTO things (code, n) VALUES ('X1', 1) ON CONFLICT DO NOTHING}), qr/0A000: ON CONFLICT DO NOTHING is not supported.*upsert 'true'/s, 'ON CONFLICT DO NOTHING is refused, with what helps');
requests();

# ---------- UPDATE, DELETE ----------

sql(q{UPDATE things SET n = n + 1000, name = NULL WHERE name = 'many' AND n <= 250});
is(requests(), 2, 'updates go in batches');
is(sql(q{SELECT count(*), min(n), max(n) FROM things WHERE n > 1000 AND name IS NULL}), '250|1001|1250', 'and arrive');
is(sql(q{UPDATE things SET name = 'back' WHERE code = 'M7' RETURNING code, name, n}), 'M7|back|1007', 'RETURNING of an update') ;
like(all_of(q{UPDATE things SET id = 'x' WHERE code = 'M7'}), qr/0A000: column "id" of foreign table "things" is its key, which cannot be changed/, 'a key stays');
like(all_of(q{UPDATE things SET choice = 'Mauve' WHERE code IN ('M1', 'M2')}), qr/refused 2 of 2 records.*record 1: .*record 2: /s, 'updates that are refused');
is(sql(q{CREATE TABLE local (code text, n int); INSERT INTO local VALUES ('M1', 5), ('M2', 6); UPDATE things t SET n = l.n FROM local l WHERE l.code = t.code; SELECT string_agg(n::text, ' ' ORDER BY code) FROM things WHERE code IN ('M1', 'M2')}), '5 6', 'a join with a local table');
requests();
is(sql(q{DELETE FROM things WHERE code = 'M3' RETURNING id IS NOT NULL}), 't', 'RETURNING of a deletion');
sql(q{DELETE FROM things WHERE name = 'less'});
is(sql(q{SELECT count(*) FROM things WHERE name = 'less' OR code = 'M3'}), '0', 'deleted');
is(requests(), 3, 'in batches');
like(all_of(q{CREATE FOREIGN TABLE keyless (code text OPTIONS (field 'Code__c')) SERVER crm OPTIONS (entity 'Event_without_key__c'); DELETE FROM keyless}), qr/foreign table "keyless" has no key column to update or delete rows by.*key 'true'/s, 'without a key');

# ---------- upsert ----------

is(sql(q{INSERT INTO coded VALUES ('M1', 'again', 1), ('U1', 'new', 2); SELECT string_agg(name || n, ' ' ORDER BY code) FROM coded WHERE code IN ('M1', 'U1')}), 'again1 new2', 'INSERT into a table with the option upsert');
is(scalar(grep { ($_->{Code__c} // '') eq 'M1' } @{ $sf->control('records', object => 'Thing__c') }), 1, 'makes no second record');
like(sql(q{EXPLAIN INSERT INTO coded VALUES ('M1', 'again', 1)}), qr/Remote Write: UPSERT Thing__c/, 'as EXPLAIN says');

# ---------- statements of all kinds ----------

like(sql(q{EXPLAIN (VERBOSE) UPDATE things SET n = 1 WHERE code = 'M1'}), qr/Remote Write: UPDATE Thing__c/, 'EXPLAIN');
requests();
is(requests(), 0, 'asks nobody');
sql(q{PREPARE add(text, int) AS INSERT INTO things (code, n) VALUES ($1, $2); } . join '', map { "EXECUTE add('P$_', $_);" } 1 .. 10);
is(sql(q{SELECT count(*), sum(n) FROM things WHERE code LIKE 'P%'}), '10|55', 'a prepared statement, ten times');
is(sql(q{CREATE TABLE log (what text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log VALUES (TG_OP || ' ' || coalesce(NEW.code, OLD.code)); RETURN NEW; END$$;
	CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.name := upper(NEW.name); RETURN NEW; END$$;
	CREATE TRIGGER note AFTER INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION note(); CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION shout();
	INSERT INTO things (code, name) VALUES ('T1', 'quiet'), ('T2', 'still'); UPDATE things SET n = 1 WHERE code = 'T1'; SELECT string_agg(what, ', ') FROM log}), 'INSERT T1, INSERT T2, UPDATE T1', 'row triggers');
is(thing('T1')->{Text__c} . thing('T2')->{Text__c}, 'QUIETSTILL', 'and what they change');
sql(q{DROP TRIGGER note ON things; DROP TRIGGER shout ON things});
sql(q{CREATE TABLE parts (id text, code text, name text, n int) PARTITION BY RANGE (n); CREATE TABLE parts_here PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE FOREIGN TABLE parts_there (id text OPTIONS (field 'Id', key 'true'), code text OPTIONS (field 'Code__c'), name text OPTIONS (field 'Text__c'), n int OPTIONS (field 'Int__c')) SERVER crm OPTIONS (entity 'Thing__c');
	ALTER TABLE parts ATTACH PARTITION parts_there FOR VALUES FROM (100) TO (1000);
	INSERT INTO parts (code, name, n) SELECT 'Q' || i, 'part', i FROM generate_series(90, 109) i});
is(sql(q{SELECT count(*) FROM parts_here}) . ' ' . sql(q{SELECT count(*), min(n) FROM parts WHERE name = 'part' AND n >= 100}), '10 10|100', 'rows are routed to a partition there');
sql(q{UPDATE parts SET name = 'moved' WHERE n IN (95, 105)});
is(sql(q{SELECT string_agg(code, ' ' ORDER BY n) FROM parts WHERE name = 'moved' AND code LIKE 'Q%'}), 'Q95 Q105', 'partitions are updated, here and there');
sql(q{CREATE VIEW seen AS SELECT code, name, n FROM things WHERE n < 10 WITH CHECK OPTION; INSERT INTO seen VALUES ('V1', 'v', 5)});
is(thing('V1')->{Int__c}, 5, 'a view');
like(all_of(q{INSERT INTO seen VALUES ('V2', 'v', 50)}), qr/44000: new row violates check option/, 'with its check');
is(thing('V2'), undef, 'made before the row is sent');

# ---------- transactions ----------

$said = all_of(q{BEGIN; INSERT INTO things (code) VALUES ('W1'); INSERT INTO things (code) VALUES ('W2'); ROLLBACK});
is(scalar(() = $said =~ /WARNING:.*changes of foreign table "things" are not undone if this transaction is rolled back/g), 1, 'what a rollback does not undo is said once');
ok(thing('W1') && thing('W2'), 'and is so');
$said = all_of(q{INSERT INTO things (code) VALUES ('W3')});
unlike($said, qr/WARNING/, 'but not of a single statement');
$said = all_of(q{BEGIN; SAVEPOINT s; INSERT INTO things (code, choice) VALUES ('W4', 'Mauve'); ROLLBACK TO s; INSERT INTO things (code) VALUES ('W5'); COMMIT; SELECT 'still here'});
like($said, qr/still here/, 'a subtransaction that fails');
ok(thing('W5'), 'and what follows');

# a cancelled statement leaves nothing behind in the session
$sf->control('fault', path => 'composite', kind => 'hang');
$said = all_of(q{SET statement_timeout = '500ms'; INSERT INTO things (code) VALUES ('Z1'); SET statement_timeout = 0; INSERT INTO things (code) VALUES ('Z2') RETURNING code});
like($said, qr/57014: canceling statement due to statement timeout/, 'cancelled');
ok(thing('Z2'), 'and the session goes on');

# ---------- TRUNCATE ----------

sql(q{CREATE FOREIGN TABLE contacts (id text OPTIONS (field 'Id', key 'true')) SERVER crm OPTIONS (entity 'Contact')});
sql(q{TRUNCATE things});
is(sql(q{SELECT count(*) FROM things}), '0', 'TRUNCATE deletes all records');

# ---------- tables of PostgreSQL: a rollback undoes ----------

sql(q{CREATE TABLE real (id int PRIMARY KEY, name text, tags text[], doc jsonb, at timestamptz, u uuid, b bytea, f float8, ok boolean);
	CREATE SERVER pg FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'PostgreSQL');
	CREATE FOREIGN TABLE mirror (id int OPTIONS (key 'true'), name text, tags text[], doc jsonb, at timestamptz, u uuid, b bytea, f float8, ok boolean) SERVER pg OPTIONS (entity 'public.real');
	INSERT INTO mirror VALUES (1, 'a', '{x,"y z"}', '{"k": [1, null]}', '2026-01-02 03:04:05.678901+00', '11111111-2222-3333-4444-555555555555', '\x00ff', 'Infinity', true), (2, NULL, NULL, NULL, NULL, NULL, NULL, 'NaN', NULL)});
is(sql('TABLE real'), "1|a|{x,\"y z\"}|{\"k\": [1, null]}|2026-01-02 03:04:05.678901+00|11111111-2222-3333-4444-555555555555|\\x00ff|Infinity|t\n2||||||||" =~ s/\|\|\|\|\|\|\|\|$/|||||||NaN|/r, 'values of every type');
sql(q{BEGIN; INSERT INTO mirror (id) VALUES (3); ROLLBACK; UPDATE mirror SET name = 'b', doc = '[]' WHERE id = 1; DELETE FROM mirror WHERE id = 2});
is(sql('SELECT id, name, doc FROM real'), '1|b|[]', 'changed, and rolled back');
like(all_of(q{INSERT INTO mirror (id) VALUES (1)}), qr/refused the record: .*duplicate key/s, 'refused');

# who may not
sql(q{CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA appflow, crm TO clerk; GRANT ALL ON things TO clerk});
like(all_of(q{SET ROLE clerk; INSERT INTO things (code) VALUES ('E1')}), qr/WF404: Connector Profile with name crm does not exist/, 'the profile is not for everybody');
is(sql(q{SELECT count(*) FROM information_schema.tables WHERE table_name = 'things' AND is_insertable_into = 'YES'}), '1', 'the information schema says what can be written');
like(all_of(q{ALTER FOREIGN TABLE things OPTIONS (ADD updatable 'false'); INSERT INTO things (code) VALUES ('E1')}), qr/foreign table "things" does not allow/, 'updatable is false');
like(all_of(qq{CREATE SERVER files FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_type 'S3'); CREATE FOREIGN TABLE objects (a int) SERVER files OPTIONS (bucket 'source'); INSERT INTO objects VALUES (1)}), qr/foreign table "objects" does not allow inserts/, 'objects of a bucket');

done_testing();
