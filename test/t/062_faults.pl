# Runs that are broken off: whatever happens, the run ends as Error with a message
# that says what and where, the table is as it was, no object is visible that is
# not complete, and the next run works.
use strict;
use warnings;
use File::Find;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = PostgreSQL::Test::Cluster->new('faults');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\nlog_min_messages = warning\n");
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/$_" for qw(source target errors gone);

sub put
{
	my ($key, $text) = @_;
	my $path = "$root/$key";
	(my $folder = $path) =~ s{/[^/]*$}{};
	system('mkdir', '-p', $folder);
	open my $f, '>', "$path.new" or die "$path: $!";
	print $f $text;
	close $f;
	rename "$path.new", $path or die "$path: $!";
	return;
}

sub records
{
	my ($from, $to) = @_;
	return join '', map { qq({"id":$_,"name":"name $_"}\n) } $from .. $to;
}

sub s3
{
	my ($bucket, $prefix) = @_;
	return qq({"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "$bucket",
		"bucketPrefix": "$prefix", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}});
}

sub from_table
{
	my ($table) = @_;
	return qq({"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"sourceConnectorProperties": {"CustomConnector": {"entityName": "$table"}}});
}

sub to_table
{
	my ($table) = @_;
	return qq({"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {"entityName": "$table"}}});
}

sub to_s3
{
	my ($bucket, $prefix) = @_;
	return qq({"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "$bucket",
		"bucketPrefix": "$prefix", "s3OutputFormatConfig": {"fileType": "JSON"}}}});
}

# options: db, role
sub create
{
	my ($name, $source, $destination, %option) = @_;
	my $role = $option{role} ? "SET ROLE $option{role};" : '';
	$node->safe_psql($option{db} || 'postgres', qq{$role
		SELECT appflow.create_flow('{"flowName": "$name", "triggerConfig": {"triggerType": "OnDemand"},
			"sourceFlowConfig": $source, "destinationFlowConfigList": [$destination],
			"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"},
				{"taskType": "Map", "sourceFields": ["name"], "destinationField": "name"}]}')});
	return;
}

sub start
{
	my ($name, $db) = @_;
	return $node->safe_psql($db || 'postgres', qq{SELECT appflow.start_flow('{"flowName": "$name"}') ->> 'executionId'});
}

sub query
{
	my ($sql, $db) = @_;
	return $node->safe_psql($db || 'postgres', $sql);
}

sub until_true
{
	my ($sql, $what, %option) = @_;
	my $end = time + ($option{seconds} || 60);
	while (time < $end)
	{
		my ($rc, $out) = $node->psql($option{db} || 'postgres', "SELECT $sql");
		return 1 if defined $out && $out eq 't';
		sleep 0.05;
	}
	fail("$what: waited in vain for $sql");
	return 0;
}

sub status { return query("SELECT execution_status FROM appflow.flow_executions WHERE execution_id = '$_[0]'") }
sub message { return query("SELECT execution_message FROM appflow.flow_executions WHERE execution_id = '$_[0]'") }

sub until_ended
{
	my ($id) = @_;
	until_true("execution_status NOT IN ('InProgress', 'CancelStarted') FROM appflow.flow_executions WHERE execution_id = '$id'",
		"end of run $id");
	return status($id);
}

# run a flow to its end: status and message
sub run
{
	my ($name) = @_;
	my $id = start($name);
	my $status = until_ended($id);
	return ($status, message($id));
}

sub worker { return query("SELECT pid FROM appflow.flow_progress WHERE execution_id = '$_[0]'") }

# objects of a bucket, and what is staged
sub objects
{
	my ($bucket) = @_;
	my @found;
	find(sub { push @found, $File::Find::name if -f }, "$root/$bucket");
	return sort @found;
}
sub staged { return glob "$root/.appflow/*/*" }

# A gate: row 500 (of a table, or a view) waits as long as it is closed.  The
# sequence tells, outside of all transactions, that it has come there.
my $setup = q{
	CREATE TABLE gate (closed boolean);
	INSERT INTO gate VALUES (true);
	CREATE SEQUENCE reached;
	CREATE FUNCTION gate(id int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		IF id = 500 THEN
			PERFORM nextval('public.reached');
			WHILE (SELECT closed FROM public.gate) LOOP
				PERFORM pg_sleep(0.02);
			END LOOP;
		END IF;
		RETURN id;
	END$$;
	CREATE FUNCTION gate_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM public.gate(NEW.id); RETURN NEW; END$$;
	CREATE TABLE target (id int, name text);
	CREATE TRIGGER gate BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION gate_trigger();
	CREATE TABLE plain AS SELECT id, 'name ' || id AS name FROM generate_series(1, 1000) id;
	CREATE VIEW gated AS SELECT gate(id) AS id, name FROM plain;
};
sub close_gate { query(q{UPDATE gate SET closed = true; SELECT setval('reached', 1, false)}, @_); return }
sub open_gate { query('UPDATE gate SET closed = false', @_); return }
sub until_reached { my ($db) = @_; return until_true('is_called FROM reached', 'gate', db => $db) }

sub until_up
{
	for (1 .. 600)
	{
		my ($rc, $out) = $node->psql('postgres', 'SELECT 1');
		return 1 if defined $rc && $rc == 0;
		sleep 0.1;
	}
	BAIL_OUT('the server did not come back');
}

query("CREATE EXTENSION appflow; SELECT appflow.create_object_store('local', 'file://$root'); $setup");
put("source/many/$_.jsonl", records($_ * 250 + 1, $_ * 250 + 250)) for 0 .. 3;
create('in', s3('source', 'many'), to_table('public.target'));
create('out', from_table('public.gated'), to_s3('target', 'out'));

my $lost = qr/^The worker of this run ended before it could finish/;
my $stopped = qr/^The worker of this run was told to stop/;

# ---------- the worker is killed ----------
{
	my $id = start('in');
	until_reached();
	my $waiting = start('in');
	my $pid = worker($id);
	like($pid, qr/^\d+$/, 'the worker is known');
	kill 'KILL', $pid;
	sleep 0.5;
	until_up();
	is(status($id), 'Error', 'killed: the run is an error, before anybody has looked after it');
	like(message($id), $lost, 'killed: it says why');
	is(query("SELECT error_code FROM appflow.flow_executions WHERE execution_id = '$id'"), '57P01', 'killed: error code');
	is(query('SELECT count(*) FROM target'), '0', 'killed: no partial rows');
	is(status($waiting), 'InProgress', 'killed: a run that waited goes on waiting');
	open_gate();
	my ($status) = run('in');
	is($status, 'Successful', 'killed: the next start works');
	is(until_ended($waiting), 'Successful', 'killed: and takes the one that waited along');
	is(query('SELECT count(*), count(DISTINCT id) FROM target'), '2000|1000', 'killed: every record of the two, once each');
	is(query("SELECT status FROM appflow.flow_execution WHERE execution_id = '$id'"), 'Error', 'killed: it is recorded now');
}
{
	query('TRUNCATE target');
	close_gate();
	# enough in front of the gate for something to be staged
	query(q{CREATE OR REPLACE VIEW gated AS SELECT gate(id) AS id, repeat(name, 2000) AS name FROM plain});
	my $id = start('out');
	until_reached();
	my @left = staged();
	is(scalar(@left), 1, 'killed: an object is being staged');
	like($left[0], qr/\Q$id\E/, 'killed: in the name of the run');
	kill 'KILL', worker($id);
	sleep 0.5;
	until_up();
	is(status($id), 'Error', 'killed, objects: the run is an error');
	is_deeply([ objects('target') ], [], 'killed, objects: none is visible');
	is_deeply([ staged() ], \@left, 'killed, objects: what was staged is left');
	open_gate();
	my ($status) = run('out');
	is($status, 'Successful', 'killed, objects: the next start works');
	is(scalar(my @list = objects('target')), 1, 'killed, objects: its object is there');
	my $end = time + 20;
	sleep 0.05 while (staged() && time < $end);
	is_deeply([ staged() ], [], 'killed, objects: what was staged is swept');
	until_true('NOT EXISTS (SELECT 1 FROM appflow.flow_execution WHERE unswept)', 'swept');
	system('rm', '-rf', "$root/target/out");
}

# ---------- the server is restarted ----------
foreach my $mode (qw(fast immediate))
{
	close_gate();
	my $in = start('in');
	until_reached();
	close_gate();
	my $out = start('out');
	until_reached();
	my $began = time;
	$node->stop($mode);
	cmp_ok(time - $began, '<', 15, "$mode: the server stops at once");
	is_deeply([ objects('target') ], [], "$mode: no object is visible");
	is_deeply([ staged() ], [], 'fast: nothing is left staged') if $mode eq 'fast';
	$node->start;
	foreach my $id ($in, $out)
	{
		is(status($id), 'Error', "$mode: the run is an error");
		like(message($id), $mode eq 'fast' ? $stopped : $lost, "$mode: it says why");
	}
	is(query('SELECT count(*) FROM target'), '0', "$mode: no partial rows");
	open_gate();
	my ($status) = run('in');
	is($status, 'Successful', "$mode: the next start works");
	is(query('SELECT count(*) FROM target'), '1000', "$mode: and writes all");
	query('TRUNCATE target');
	($status) = run('out');
	is($status, 'Successful', "$mode: for objects too");
	system('rm', '-rf', "$root/target/out");
}

# ---------- the worker is told to go ----------
{
	close_gate();
	my $id = start('in');
	until_reached();
	my $next = start('in');
	my $pid = worker($id);
	is(query("SELECT pg_terminate_backend($pid)"), 't', 'terminate');
	is(until_ended($id), 'Error', 'terminated: the run is an error');
	like(message($id), $stopped, 'terminated: it says why');
	open_gate();
	is(until_ended($next), 'Successful', 'terminated: another worker takes the run that waited');
	is(query('SELECT count(*) FROM target'), '1000', 'terminated: nothing of the first, all of the second');
	query('TRUNCATE target');

	close_gate();
	$id = start('in');
	until_reached();
	$pid = worker($id);
	query("SELECT pg_cancel_backend($pid)");
	is(until_ended($id), 'Error', 'pg_cancel_backend of the worker: the run is an error');
	like(message($id), qr/^canceling statement due to user request/, 'it says why');
	open_gate();
}

# ---------- what is read ----------
{
	put('source/bad/1.jsonl', records(1, 10));
	put('source/bad/2.jsonl', records(11, 12) . qq({"id":13,"name":"x" oops}\n) . records(14, 15));
	put('source/bad/3.jsonl', records(16, 20));
	create('bad', s3('source', 'bad'), to_table('public.target'));
	my ($status, $message) = run('bad');
	is($status, 'Error', 'malformed object: an error');
	like($message, qr{source/bad/2\.jsonl|bad/2\.jsonl}, 'malformed object: names the object');
	like($message, qr/line 3\b/, 'malformed object: and the line');
	like($message, qr/column 21\b/, 'malformed object: and the column');
	is(query('SELECT count(*) FROM target'), '0', 'malformed object: nothing is written');
	create('bad-out', s3('source', 'bad'), to_s3('target', 'bad'));
	($status, $message) = run('bad-out');
	is($status, 'Error', 'malformed object to objects: an error');
	is_deeply([ objects('target') ], [], 'malformed object to objects: none is visible');
	is_deeply([ staged() ], [], 'malformed object to objects: none is staged');

	# a pipe is no object; and nobody waits for it
	mkdir "$root/source/pipe";
	system('mkfifo', "$root/source/pipe/1.jsonl");
	my ($rc, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '10s'; SELECT appflow.read_object('source', 'pipe/1.jsonl')});
	like($err, qr/object "pipe\/1\.jsonl" does not exist in bucket "source"/, 'a pipe is not read');
	create('pipe', s3('source', 'pipe'), to_table('public.target'));
	my $began = time;
	($status, $message) = run('pipe');
	cmp_ok(time - $began, '<', 10, 'a pipe holds nobody up');
	is(query('SELECT count(*) FROM target'), '0', 'a pipe has no records');
	note("pipe: $status $message");

	# the bucket is removed, the object is cut, while they are read
	put("gone/a/$_.jsonl", records($_ * 600 + 1, $_ * 600 + 600)) for 0 .. 1;
	create('gone', s3('gone', 'a'), to_table('public.target'));
	close_gate();
	my $id = start('gone');
	until_reached();
	rename "$root/gone", "$root/went";
	open_gate();
	is(until_ended($id), 'Error', 'source bucket removed: an error');
	like(message($id), qr/bucket "gone" does not exist in object store "local"/, 'source bucket removed: says so');
	is(query('SELECT count(*) FROM target'), '0', 'source bucket removed: nothing is written');
	rename "$root/went", "$root/gone";

	put('source/cut/1.jsonl', join '', map { qq({"id":$_,"name":") . ('x' x 2000) . qq("}\n) } 1 .. 3000);
	create('cut', s3('source', 'cut'), to_table('public.target'));
	close_gate();
	$id = start('cut');
	until_reached();
	truncate "$root/source/cut/1.jsonl", 3000000;
	open_gate();
	is(until_ended($id), 'Error', 'object cut while it is read: an error');
	like(message($id), qr/object "cut\/1\.jsonl" of bucket "source" was changed while it was read/, 'object cut: says so');
	is(query('SELECT count(*) FROM target'), '0', 'object cut: nothing is written');
}

# ---------- what is written ----------
{
	close_gate();
	my $id = start('out');
	until_reached();
	rename "$root/target", "$root/went";
	open_gate();
	is(until_ended($id), 'Error', 'target bucket removed: an error');
	like(message($id), qr/bucket "target"/, 'target bucket removed: names it');
	ok(!-e "$root/target", 'target bucket removed: it is not made again');
	is_deeply([ staged() ], [], 'target bucket removed: nothing is left staged');
	rename "$root/went", "$root/target";

	# not writable
	chmod 0555, "$root/target";
	my ($status, $message) = run('out');
	is($status, 'Error', 'bucket not writable: an error');
	like($message, qr/object "out[^"]*" of bucket "target".*Permission denied/, 'bucket not writable: names the object and the reason');
	chmod 0755, "$root/target";
	is_deeply([ staged() ], [], 'bucket not writable: nothing is left staged');
	chmod 0555, $root;
	($status, $message) = run('out');
	is($status, 'Error', 'store not writable: an error');
	like($message, qr/object "out[^"]*" of bucket "target".*Permission denied/, 'store not writable: names the object and the reason');
	chmod 0755, $root;
	($status) = run('out');
	is($status, 'Successful', 'writable again: works');
	system('rm', '-rf', "$root/target/out");

	# no more room: files of the server may not grow any further
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
  SKIP:
	{
		skip 'no prlimit', 4 if system("prlimit --pid $postmaster >/dev/null 2>&1") != 0;
		query(q{CREATE TABLE wide AS SELECT id, repeat('x', 1000000) AS name FROM generate_series(1, 30) id});
		create('wide', from_table('public.wide'), to_s3('target', 'wide'));
		system("prlimit --pid $postmaster --fsize=" . (20 * 1024 * 1024) . ':') == 0 or die 'prlimit';
		($status, $message) = run('wide');
		system("prlimit --pid $postmaster --fsize=unlimited:") == 0 or die 'prlimit';
		is($status, 'Error', 'no room: an error');
		like($message, qr/object "wide[^"]*" of bucket "target".*(File too large|No space left)/, 'no room: names the object and the reason');
		is_deeply([ objects('target') ], [], 'no room: no object is visible');
		is_deeply([ staged() ], [], 'no room: nothing is left staged');
		($status) = run('wide');
		is($status, 'Successful', 'room again: works');
		system('rm', '-rf', "$root/target/wide");
	}
}

# ---------- tables ----------
{
	my ($status, $message);
	query('CREATE TABLE short_lived (id int, name text)');
	create('short', s3('source', 'many'), to_table('public.short_lived'));
	query('DROP TABLE short_lived');
	($status, $message) = run('short');
	is($status, 'Error', 'table dropped before the run: an error');
	like($message, qr/table "public\.short_lived" does not exist/, 'table dropped before the run: says so');

	# what would change the table waits for the run
	close_gate();
	my $id = start('in');
	until_reached();
	foreach my $change ('DROP TABLE target', 'ALTER TABLE target ADD COLUMN more int', 'TRUNCATE target')
	{
		my ($rc, $out, $err) = $node->psql('postgres', "SET lock_timeout = '200ms'; $change");
		like($err, qr/lock timeout/, "during a run: $change waits");
	}
	open_gate();
	is(until_ended($id), 'Successful', 'the run ends undisturbed');
	query('ALTER TABLE target ADD COLUMN more int; ALTER TABLE target DROP COLUMN name');
	($status, $message) = run('in');
	is($status, 'Error', 'column dropped: an error');
	like($message, qr/column "name"/, 'column dropped: names it');
	like($message, qr/public\.target/, 'column dropped: and the table');
	query('TRUNCATE target; ALTER TABLE target DROP COLUMN more, ADD COLUMN name text');

	# what fails at the very end: data and record go together
	query(q{
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'not in my table' USING DETAIL = 'Record ' || NEW.id; END$$;
		CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON target DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW WHEN (NEW.id = 1000) EXECUTE FUNCTION refuse();
	});
	($status, $message) = run('in');
	is($status, 'Error', 'deferred constraint: an error');
	like($message, qr/not in my table.*Record 1000/, 'deferred constraint: says so');
	is(query('SELECT count(*) FROM target'), '0', 'deferred constraint: nothing is written');
	query('DROP TRIGGER refuse ON target');

	# one that puts itself off until the commit itself
	query(q{
		CREATE TABLE late (id int);
		CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			SET CONSTRAINTS ALL DEFERRED;
			INSERT INTO public.late VALUES (NEW.id);
			RETURN NULL;
		END$$;
		CREATE CONSTRAINT TRIGGER later AFTER INSERT ON target DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW WHEN (NEW.id = 1000) EXECUTE FUNCTION later();
		CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION refuse();
	});
	($status, $message) = run('in');
	is($status, 'Error', 'error at commit: an error');
	like($message, qr/not in my table/, 'error at commit: says so');
	is(query('SELECT count(*) FROM target'), '0', 'error at commit: nothing is written');
	query('DROP TABLE late; DROP TRIGGER later ON target');
	($status) = run('in');
	is($status, 'Successful', 'and without it: works');
	query('TRUNCATE target');
}

# ---------- flows and roles that go ----------
{
	create('deleted', s3('source', 'many'), to_table('public.target'));
	close_gate();
	my $id = start('deleted');
	until_reached();
	my $pid = worker($id);
	query(q{SELECT appflow.delete_flow('{"flowName": "deleted"}')});
	until_true("NOT EXISTS (SELECT 1 FROM pg_locks WHERE pid = $pid AND relation = 'target'::regclass)", 'deleted flow', seconds => 5);
	is(query('SELECT count(*) FROM target'), '0', 'deleted while it runs: nothing is written');
	open_gate();
	my ($status, $message) = run('in');
	is($status, 'Successful', 'deleted: others go on');
	query('TRUNCATE target');

	query('CREATE ROLE mover; GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO mover; SELECT appflow.grant_object_store($$local$$, $$mover$$); CREATE TABLE theirs (id int, name text); ALTER TABLE theirs OWNER TO mover');
	create('theirs', s3('source', 'many'), to_table('public.theirs'), role => 'mover');
	($status) = run('theirs');
	is($status, 'Successful', 'flow of a role: works');
	query('DROP OWNED BY mover');
	($status, $message) = run('theirs');
	is($status, 'Error', 'DROP OWNED: an error');
	like($message, qr/table "public\.theirs" does not exist|permission denied/, 'DROP OWNED: says so');
	query('CREATE TABLE theirs (id int, name text); DROP ROLE mover');
	($status, $message) = run('theirs');
	is($status, 'Error', 'role gone: an error');
	like($message, qr/the role that owned flow "theirs" \(OID \d+\) does not exist any more/, 'role gone: says so');
	is(query('SELECT count(*) FROM theirs'), '0', 'role gone: nothing is written');
	like(query('SELECT appflow.list_flows()'), qr/"theirs"/, 'role gone: an administrator can still see the flow');
	query(q{SELECT appflow.delete_flow('{"flowName": "theirs"}')});
}

# ---------- databases and extensions that go ----------
{
	foreach my $db (qw(one two))
	{
		query("CREATE DATABASE $db");
		query("CREATE EXTENSION appflow; SELECT appflow.create_object_store('local', 'file://$root'); $setup", $db);
		create('in', s3('source', 'many'), to_table('public.target'), db => $db);
		start('in', $db);
		until_reached($db);
	}
	my $began = time;
	my ($rc, $out, $err) = $node->psql('postgres', 'DROP DATABASE one');
	like($err, qr/is being accessed by other users/, 'DROP DATABASE during a run: refused');
	cmp_ok(time - $began, '<', 15, 'DROP DATABASE: does not hang');
	$began = time;
	query('DROP DATABASE one WITH (FORCE)');
	cmp_ok(time - $began, '<', 10, 'DROP DATABASE FORCE: does not hang');

	my $pid = query('SELECT pid FROM appflow.flow_progress', 'two');
	query('DROP EXTENSION appflow', 'two');
	open_gate('two');
	until_true("NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = $pid)", 'worker without an extension');
	is(query('SELECT count(*) FROM target', 'two'), '0', 'DROP EXTENSION during a run: nothing is written');
	query("CREATE EXTENSION appflow; SELECT appflow.create_object_store('local', 'file://$root')", 'two');
	create('in', s3('source', 'many'), to_table('public.target'), db => 'two');
	query(q{CALL appflow.run_flow('in')}, 'two');
	is(query('SELECT count(*) FROM target', 'two'), '1000', 'CREATE EXTENSION again: works');
}
my ($status) = run('in');
is($status, 'Successful', 'after all this: works');
is(query(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'appflow worker' AND state = 'active'}), '0', 'no worker is left');
$node->stop;
my $log = slurp_file($node->logfile);
my @crashes = $log =~ /(was terminated by signal (?!9)\d+.*|PANIC.*|TRAP:.*)/g;
is_deeply(\@crashes, [], 'no process crashed but those that were killed');

# ---------- a full disk ----------

# A server that sees a small file system where others see an empty directory: a
# mount and user namespace needs no rights, where the system allows it.
SKIP:
{
	my $small = PostgreSQL::Test::Utils::tempdir();
	my $mount = "mount -t tmpfs -o size=4m tmpfs '$small' && mkdir '$small/target' && exec unshare --user --map-user=$< --";
	my @inside = ('unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', "$mount \"\$\@\"", 'sh');
	skip 'no user namespaces', 6 if system("@inside[0..3] true >/dev/null 2>&1") != 0
	  || system(@inside, 'sh', '-c', "test -w '$small/target' && test \$(id -u) = $<") != 0;
	$node = PostgreSQL::Test::Cluster->new('full');
	$node->init;
	system(@inside, 'pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, '-o', '--cluster-name=full', 'start') == 0
	  or BAIL_OUT('the server did not start in its namespace');
	$node->_update_pid(1);
	query("CREATE EXTENSION appflow; SELECT appflow.create_object_store('small', 'file://$small')");
	query(q{CREATE TABLE wide AS SELECT id, repeat('x', 500000) AS name FROM generate_series(1, 20) id});
	create('wide', from_table('public.wide'), to_s3('target', 'wide'));
	my ($status, $message) = run('wide');
	is($status, 'Error', 'full disk: an error');
	like($message, qr/could not write object "wide[^"]*" of bucket "target": No space left on device/, 'full disk: names the object and the reason');
	is(query(q{SELECT count(*) FROM appflow.list_objects('target')}), '0', 'full disk: no object is visible');
	query('DELETE FROM wide WHERE id > 5');
	# fits only if nothing has been left staged
	($status, $message) = run('wide');
	is($status, 'Successful', 'full disk: what fits works, nothing is left staged') or diag($message);
	is(query(q{SELECT count(*) FROM appflow.list_objects('target')}), '1', 'full disk: one object');
	($status) = run('wide');
	is($status, 'Error', 'full disk: and no more');
	$node->stop;
}
done_testing();
