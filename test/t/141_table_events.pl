# Flows that changes of a table start: what is committed is moved, once, whatever
# happens in between; and nobody who changes the table has to care.
use strict;
use warnings;
use AppflowTest::Crash;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'appflow'
max_worker_processes = 16
max_prepared_transactions = 5
appflow.event_interval = '50ms'
restart_after_crash = on
});
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/target";
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub fails { my ($code, $out, $err) = $node->psql('postgres', $_[0]); return $err }
sub eventually
{
	my ($query, $name, $database) = @_;
	ok($node->poll_query_until($database // 'postgres', $query), $name)
	  or diag($node->safe_psql($database // 'postgres', 'TABLE appflow.flow_executions; TABLE appflow.flow_changes; TABLE appflow.table_change'));
}
sub quiet { eventually(q{SELECT sum(waiting_changes) = 0 AND NOT EXISTS (SELECT FROM appflow.flow_progress) FROM appflow.flow_changes WHERE flow_status = 'Active'}, 'nothing is left to do') }
sub runs { return sql("SELECT count(*) FROM appflow.flow_executions WHERE flow_name = '$_[0]'") }
sub start { return sql(qq{SELECT appflow.start_flow('{"flowName": "$_[0]"}') ->> 'flowStatus'}) }
sub stop { return sql(qq{SELECT appflow.stop_flow('{"flowName": "$_[0]"}') ->> 'flowStatus'}) }

# a flow from table $from to table $to, or to objects when there is none
sub definition
{
	my ($name, $from, $to, @fields) = @_;
	my $destination = defined $to
	  ? qq({"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "$to"}}})
	  : qq({"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "target", "bucketPrefix": "$name",
			"s3OutputFormatConfig": {"fileType": "JSON"}}}});
	my $tasks = join ', ', map { qq({"taskType": "Map", "sourceFields": ["$_"], "destinationField": "$_"}) } @fields;
	return qq('{"flowName": "$name", "triggerConfig": {"triggerType": "Event"},
		"sourceFlowConfig": {"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"sourceConnectorProperties": {"CustomConnector": {"entityName": "$from"}}},
		"destinationFlowConfigList": [$destination], "tasks": [$tasks]}');
}
sub create { return sql('SELECT appflow.create_flow(' . definition(@_) . q{) ->> 'flowStatus'}) }

sql(qq{
	CREATE EXTENSION appflow;
	SELECT appflow.create_object_store('local', 'file://$root');
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	CREATE TABLE copy (id int, note text);
	CREATE ROLE writer; GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO writer;
	INSERT INTO orders VALUES (1, 'before');
});

# ---------- from the table to another ----------

is(create('orders', 'public.orders', 'public.copy', 'id', 'note'), 'Draft', 'a draft');
sql(q{INSERT INTO orders VALUES (2, 'draft')});
is(start('orders'), 'Active', 'activated');
is(sql(q{SELECT captured FROM appflow.flow_changes}), 't', 'the table is captured');
sql(q{SET ROLE writer; INSERT INTO orders VALUES (3, 'three'), (4, 'four')});
eventually('SELECT count(*) = 2 FROM copy', 'inserted rows come');
is(sql(q{SELECT string_agg(id || note, ' ' ORDER BY id) FROM copy}), '3three 4four', 'those, and none from before');
sql(q{SET ROLE writer; UPDATE orders SET note = 'new' WHERE id = 1});
eventually(q{SELECT count(*) = 1 FROM copy WHERE id = 1 AND note = 'new'}, 'an updated row comes as it is now');
quiet();
my $before = runs('orders');
sql(q{BEGIN; INSERT INTO orders VALUES (5, 'rolled back'); ROLLBACK;
	BEGIN; INSERT INTO orders VALUES (6, 'kept'); SAVEPOINT s; INSERT INTO orders VALUES (7, 'undone'); ROLLBACK TO s; COMMIT});
eventually('SELECT count(*) = 1 FROM copy WHERE id = 6', 'what is committed comes');
quiet();
is(sql('SELECT count(*) FROM copy WHERE id IN (5, 7)'), 0, 'what is not does not');
is(runs('orders'), $before + 1, 'nor is there a run for it');
sql(q{INSERT INTO orders VALUES (8, 'x'); DELETE FROM orders WHERE id = 8; DELETE FROM orders WHERE id = 6});
sql(q{COPY orders FROM PROGRAM 'seq 101 1100 | sed s/$/,copied/' (FORMAT csv)});
eventually('SELECT count(*) = 1000 FROM copy WHERE id > 100', 'COPY');
is(sql('SELECT count(*) FROM copy WHERE id = 6'), 1, 'deletes are not passed on');
sql(q{BEGIN; INSERT INTO orders VALUES (9, 'prepared'); PREPARE TRANSACTION 'p'});
sleep 0.3;
is(sql('SELECT count(*) FROM copy WHERE id = 9'), 0, 'prepared is not committed');
sql(q{COMMIT PREPARED 'p'});
eventually('SELECT count(*) = 1 FROM copy WHERE id = 9', 'COMMIT PREPARED');

# many commits, few runs, each row once
quiet();
$before = runs('orders');
sql(join '', map { "INSERT INTO orders VALUES ($_, 'burst');\n" } 2001 .. 2300);
eventually('SELECT count(*) = 300 FROM copy WHERE id > 2000', 'three hundred commits');
quiet();
cmp_ok(runs('orders') - $before, '<', 100, 'far fewer runs');
is(sql(q{SELECT count(*) = count(DISTINCT id) FROM copy WHERE id BETWEEN 2001 AND 2300}), 't', 'each row once');
sql(q{TRUNCATE orders; INSERT INTO orders VALUES (10, 'after TRUNCATE')});
eventually('SELECT count(*) = 1 FROM copy WHERE id = 10', 'TRUNCATE does no harm');

# ---------- failures ----------

quiet();
sql(q{ALTER TABLE copy ADD CONSTRAINT never CHECK (id < 3000) NOT VALID; INSERT INTO orders VALUES (3001, 'refused')});
eventually(q{SELECT count(*) >= 1 FROM appflow.flow_executions WHERE flow_name = 'orders' AND execution_status = 'Error'}, 'a run that fails');
is(sql(q{SELECT waiting_changes || ' ' || (not_before > now()) FROM appflow.flow_changes}), '1 true', 'the change waits, and is tried later');
is(sql(q{SELECT flow_status FROM appflow.flows}), 'Active', 'the flow goes on');
sql(q{ALTER TABLE copy DROP CONSTRAINT never});
eventually('SELECT count(*) = 1 FROM copy WHERE id = 3001', 'and moved when it can be');
is(sql(q{SELECT failed_runs FROM appflow.flow_changes}), 0, 'failures are forgotten');

# a worker killed in the middle of a run
sql(q{CREATE TABLE gate (id int); INSERT INTO gate VALUES (1);
	CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM public.gate FOR UPDATE; RETURN NEW; END';
	CREATE TRIGGER wait BEFORE INSERT ON copy FOR EACH ROW EXECUTE FUNCTION wait()});
my $gate = $node->background_psql('postgres');
$gate->query_safe('BEGIN; SELECT * FROM gate FOR UPDATE');
sql(q{INSERT INTO orders SELECT n, 'killed' FROM generate_series(4001, 4100) n});
eventually(q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE phase = 'Transferring'}, 'a run in the middle');
sql(q{INSERT INTO orders VALUES (4101, 'meanwhile')});

# stopping takes no lock that the run or a writer is in the way of
is(sql(q{SET lock_timeout = '2s'; SELECT appflow.stop_flow('{"flowName": "orders"}') ->> 'flowStatus'}), 'Suspended', 'stopping waits for nobody');
sql(q{INSERT INTO orders VALUES (4102, 'stopped')});
is(start('orders'), 'Active', 'nor does starting again');
kill_child($node, sql(q{SELECT pid FROM appflow.flow_progress}));
eval { $gate->quit };
sql('DROP TRIGGER wait ON copy');
eventually('SELECT count(*) = 101 FROM copy WHERE id BETWEEN 4001 AND 4101', 'after a kill the changes are moved');
is(sql('SELECT count(*) = count(DISTINCT id) FROM copy WHERE id > 4000'), 't', 'once');
is(sql('SELECT count(*) FROM copy WHERE id = 4102'), 0, 'what changed while the flow was stopped is not seen');

# a server that was stopped with changes that wait
quiet();
sql(q{ALTER SYSTEM SET appflow.event_interval = '1h'; SELECT pg_reload_conf()});
sql(q{INSERT INTO orders VALUES (5001, 'first')});
eventually('SELECT count(*) = 1 FROM copy WHERE id = 5001', 'one starts a run at once');
sql(q{INSERT INTO orders VALUES (5002, 'second')});
sleep 0.5;
is(sql('SELECT count(*) FROM copy WHERE id = 5002'), 0, 'the next one waits for the interval');
$node->stop('immediate');
$node->start;
is(sql('SELECT waiting_changes FROM appflow.flow_changes'), 1, 'after a crash it still waits');
sql(q{ALTER SYSTEM RESET appflow.event_interval; ALTER SYSTEM SET appflow.clock_offset = '3700s'; SELECT pg_reload_conf()});
eventually('SELECT count(*) = 1 FROM copy WHERE id = 5002', 'and is moved when it is time');
sql(q{ALTER SYSTEM RESET appflow.clock_offset; SELECT pg_reload_conf()});
stop('orders');
eventually(q{SELECT count(*) = 0 FROM pg_trigger WHERE tgrelid = 'orders'::regclass}, 'a stopped flow has no trigger on the table, after a while');

# ---------- to objects; partitions; keys of other kinds ----------

sql(q{CREATE TABLE parts (day date, name text, "Odd ""col" bpchar(5), v numeric, PRIMARY KEY (name, day, "Odd ""col")) PARTITION BY RANGE (day);
	CREATE TABLE p1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
	CREATE TABLE p2 (v numeric, "Odd ""col" bpchar(5), name text, day date);
	ALTER TABLE p2 ALTER name SET NOT NULL, ALTER day SET NOT NULL, ALTER "Odd ""col" SET NOT NULL;
	CREATE TABLE parts_copy (day date, name text, v numeric)});
is(create('parts', 'public.parts', 'public.parts_copy', 'day', 'name', 'v'), 'Draft', 'a partitioned table');
start('parts');
sql(q{ALTER TABLE parts ATTACH PARTITION p2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
	SET DateStyle = 'German, DMY';
	INSERT INTO parts VALUES ('01.02.2026', E'it''s, "quoted" {b\\\\ra}', 'ab', 1.50);
	INSERT INTO p1 (day, name, "Odd ""col", v) VALUES ('31.01.2026', 'direct', 'abcde', 2);
	INSERT INTO p2 (day, name, "Odd ""col", v) VALUES ('03.02.2026', '', 'x', 3)});
eventually('SELECT count(*) = 3 FROM parts_copy', 'rows by the parent and by partitions, attached later too');
is(sql(q{SELECT string_agg(day || '/' || name || '/' || v, ' ' ORDER BY v) FROM parts_copy}), q(2026-02-01/it's, "quoted" {b\\ra}/1.50 2026-01-31/direct/2 2026-02-03//3),
	'keys of several columns, with all that text may hold');
sql(q{UPDATE parts SET day = '2026-02-05' WHERE name = 'direct'});
eventually(q{SELECT count(*) = 1 FROM parts_copy WHERE day = '2026-02-05' AND name = 'direct'}, 'a row that moves to another partition');
create('objects', 'public.parts', undef, 'name', 'v');
start('objects');
sql(q{INSERT INTO parts VALUES ('2026-02-10', 'object', 'o', 10)});
eventually(q{SELECT count(*) = 1 FROM appflow.flow_executions WHERE flow_name = 'objects' AND execution_status = 'Successful'}, 'a second flow of the table');
is(join('', map { slurp_file($_) } split /\n/, `find $root/target -type f`), qq({"name":"object","v":10}\n), 'an object of what was inserted');
eventually(q{SELECT count(*) = 1 FROM parts_copy WHERE name = 'object'}, 'and the first flow has it too');
is(sql(q{SELECT records_processed FROM appflow.flow_executions WHERE flow_name = 'objects'}), 1, 'counted');

# ---------- whatever the session has set, a key is that key ----------

sql(q{CREATE TABLE exact (f float8, g float4, i interval, r tstzrange, a date[], n int, PRIMARY KEY (f, g, i, r, a)); CREATE TABLE exact_copy (n int)});
create('exact', 'public.exact', 'public.exact_copy', 'n');
start('exact');
my $row = q{0.1::float8 + 0.2, 1::float4 / 3, '-1 years 2 days -03:04:05.6', '[2026-02-01 00:00+01, 2026-03-04 05:06:07.89+00)', '{2026-02-03,infinity}'};
sql("INSERT INTO exact VALUES ($row, 1)");
eventually('SELECT count(*) = 1 FROM exact_copy', 'an inserted row');
quiet();
sql("SET extra_float_digits = -5; SET DateStyle = 'SQL, MDY'; SET IntervalStyle = 'sql_standard'; SET timezone = 'Asia/Kolkata'; UPDATE exact SET n = 2; SHOW DateStyle");
is(sql(q{SET extra_float_digits = -5; SET DateStyle = 'German'; SET IntervalStyle = 'postgres_verbose'; UPDATE exact SET n = 3; SELECT concat_ws(' ', current_setting('extra_float_digits'), current_setting('datestyle'), current_setting('intervalstyle'))}),
	'-5 German, DMY postgres_verbose', 'settings stay as they were');
quiet();
is(sql('SELECT max(n) FROM exact_copy'), 3, 'floats, intervals, ranges and arrays');
stop('exact');

# ---------- another table ----------

sql(q{CREATE TABLE other (code text PRIMARY KEY, name text, v numeric)});
sql('SELECT appflow.update_flow(' . definition('objects', 'public.other', undef, 'name', 'v') . ')');
sql(q{INSERT INTO parts VALUES ('2026-02-11', 'not any more', 'o', 11); INSERT INTO other VALUES ('not a date', 'other', 12)});
eventually(q{SELECT count(*) = 2 FROM appflow.flow_executions WHERE flow_name = 'objects' AND execution_status = 'Successful'}, 'UpdateFlow changes the table');
is(join('', sort map { slurp_file($_) } split /\n/, `find $root/target -type f`), qq({"name":"object","v":10}\n{"name":"other","v":12}\n), 'and only that one is read');

# ---------- who may, and what cannot be ----------

sql(q{CREATE ROLE owner; GRANT CREATE, USAGE ON SCHEMA public TO owner; GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO owner;
	CREATE TABLE nokey (id int); CREATE VIEW seen AS SELECT * FROM orders; GRANT SELECT ON orders TO owner});
create('nokey', 'public.nokey', 'public.copy', 'id');
like(fails(q{SELECT appflow.start_flow('{"flowName": "nokey"}')}), qr/table "public.nokey" has no primary key/, 'a table without a key');
create('view', 'public.seen', 'public.copy', 'id');
like(fails(q{SELECT appflow.start_flow('{"flowName": "view"}')}), qr/changes of "public.seen" cannot start a flow/, 'a view');
sql(q{SET ROLE owner; SELECT appflow.create_flow(} . definition('foreign', 'public.orders', 'public.mine', 'id') . ')');
like(fails(q{SET ROLE owner; SELECT appflow.start_flow('{"flowName": "foreign"}')}), qr/role "owner" may not have triggers on table "public.orders"/, 'a table of somebody else');
sql(q{GRANT TRIGGER ON orders TO owner; CREATE TABLE mine (id int); ALTER TABLE mine OWNER TO owner;
	ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY even ON orders TO owner USING (id % 2 = 0)});
is(sql(q{SET ROLE owner; SELECT appflow.start_flow('{"flowName": "foreign"}') ->> 'flowStatus'}), 'Active', 'with the right to triggers');
sql(q{INSERT INTO orders SELECT n, 'policy' FROM generate_series(6001, 6010) n});
eventually('SELECT count(*) > 0 FROM mine', 'it moves');
quiet();
is(sql('SELECT string_agg(id::text, $$ $$ ORDER BY id) FROM mine'), '6002 6004 6006 6008 6010', 'what the owner may see');
like(fails('SET ROLE owner; CREATE TABLE trap (id int PRIMARY KEY); CREATE TRIGGER appflow_capture_1_1 AFTER INSERT ON trap FOR EACH ROW EXECUTE FUNCTION appflow.capture_change()'),
	qr/permission denied for function (appflow\.)?capture_change/, 'nobody makes such a trigger himself');
like(fails('SET ROLE owner; SELECT * FROM appflow.table_change'), qr/permission denied/, 'nor reads what is captured');
sql(q{ALTER TABLE orders DISABLE ROW LEVEL SECURITY});

create('circle', 'public.other', 'public.other', 'name');
like(fails(q{SELECT appflow.start_flow('{"flowName": "circle"}')}), qr/flow "circle" writes to the table whose changes would start it/, 'no circles');

# ---------- drop, rename ----------

sql(q{CREATE TABLE doomed (id int PRIMARY KEY)});
create('doomed', 'public.doomed', 'public.copy', 'id');
start('doomed');
sql('DROP TABLE doomed');
eventually(q{SELECT flow_status = 'Errored' FROM appflow.flows WHERE flow_name = 'doomed'}, 'a flow whose table is dropped is Errored');
like(sql(q{SELECT flow_status_message FROM appflow.flows WHERE flow_name = 'doomed'}), qr/Table public.doomed does not exist any more/, 'and says why');
sql(q{CREATE TABLE doomed (id int PRIMARY KEY)});
is(start('doomed'), 'Active', 'made anew, it can be started');
sql('INSERT INTO doomed VALUES (7001)');
eventually('SELECT count(*) = 1 FROM copy WHERE id = 7001', 'and moves again');
sql(q{ALTER TABLE doomed DROP CONSTRAINT doomed_pkey; INSERT INTO doomed VALUES (7002)});
eventually(q{SELECT execution_message LIKE '%has no primary key any more%' FROM appflow.flow_executions WHERE flow_name = 'doomed' ORDER BY requested_at DESC LIMIT 1},
	'a key that is gone fails the run, not the writers');
sql(q{SELECT appflow.delete_flow('{"flowName": "doomed", "forceDelete": true}')});
eventually(q{SELECT count(*) = 0 FROM pg_trigger WHERE tgrelid = 'doomed'::regclass}, 'a deleted flow leaves no trigger');
eventually(q{SELECT count(*) = 0 FROM appflow.table_change}, 'and no changes');

# ---------- dump and restore ----------

start('orders');
sql(q{ALTER SYSTEM SET appflow.event_interval = '1h'; SELECT pg_reload_conf()});
sql(q{INSERT INTO orders VALUES (8001, 'one')});
eventually('SELECT count(*) = 1 FROM copy WHERE id = 8001', 'before the dump');
sql(q{INSERT INTO orders VALUES (8002, 'dumped')});
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped with a change that waits');
sql('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restored');
sql(q{ALTER SYSTEM RESET appflow.event_interval; ALTER SYSTEM SET appflow.clock_offset = '3700s'; SELECT pg_reload_conf()});
eventually('SELECT count(*) = 1 FROM copy WHERE id = 8002', 'the change is moved in the restored database', 'restored');
$node->safe_psql('restored', q{INSERT INTO orders VALUES (8003, 'new')});
eventually('SELECT count(*) = 1 FROM copy WHERE id = 8003', 'and so are new ones', 'restored');
is($node->safe_psql('restored', q{SELECT count(*) FROM appflow.flows WHERE flow_status = 'Errored'}), 0, 'no flow has become Errored');
is(sql('SELECT count(*) FROM copy WHERE id = 8003'), 0, 'the first database knows nothing of that');

# ---------- the end ----------

$node->safe_psql('restored', 'DROP EXTENSION appflow');
is($node->safe_psql('restored', q{SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'appflow%'}), 0, 'DROP EXTENSION takes the triggers along');
$node->safe_psql('restored', q{INSERT INTO orders VALUES (8004, 'free')});
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|signal 11|signal 6/, 'no process crashed');
done_testing();
