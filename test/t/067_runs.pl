# Runs as users meet them: start, wait, queue, cancel, watch, page; who may what.
use strict;
use warnings;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = PostgreSQL::Test::Cluster->new('runs');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "max_connections = 80\nmax_worker_processes = 16\n");
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/source";
mkdir "$root/source/$_" for qw(one many bad mixed);
append_to_file("$root/source/one/1.jsonl", qq({"id":1,"name":"Ann"}\n));
append_to_file("$root/source/many/1.jsonl", join '', map { qq({"id":$_,"name":"name $_"}\n) } 1 .. 3000);
append_to_file("$root/source/bad/1.jsonl", qq({"id":1,"name":"Ann"}\n{"id":2,));
append_to_file("$root/source/mixed/1.jsonl", qq({"id":1,"name":"Ann"}\n{"id":"x","name":"Bob"}\n));

sub query { my ($sql, $db) = @_; return $node->safe_psql($db || 'postgres', $sql) }

sub failure
{
	my ($sql, $db) = @_;
	my ($rc, $out, $err) = $node->psql($db || 'postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 1);
	return $err;
}

sub until_true
{
	my ($sql, $what, %option) = @_;
	my $end = time + ($option{seconds} || 30);
	while (time < $end)
	{
		my ($rc, $out) = $node->psql($option{db} || 'postgres', "SELECT $sql");
		return 1 if defined $out && $out eq 't';
		sleep 0.05;
	}
	fail("$what: waited in vain for $sql");
	return 0;
}

sub flow
{
	my ($name, $prefix, $table) = @_;
	return qq{SELECT appflow.create_flow('{"flowName": "$name", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "source",
			"bucketPrefix": "$prefix", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "$table"}}}],
		"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"},
			{"taskType": "Map", "sourceFields": ["name"], "destinationField": "name"}]}');};
}

sub start { my ($name, $db) = @_; return query(qq{SELECT appflow.start_flow('{"flowName": "$name"}') ->> 'executionId'}, $db) }
sub status { my ($id, $db) = @_; return query("SELECT execution_status FROM appflow.flow_executions WHERE execution_id = '$id'", $db) }
sub ended { my ($id, $db) = @_; return until_true("execution_status NOT IN ('InProgress', 'CancelStarted') FROM appflow.flow_executions WHERE execution_id = '$id'", 'end of a run', db => $db) }
sub call_json { my ($sql, $db) = @_; return decode_json(query("SELECT $sql", $db)) }

# a session in the background; its errors are in {err} once it has finished
my $sessions = 0;
sub session
{
	my ($sql, $db) = @_;
	my $file = "$root/session" . ++$sessions;
	append_to_file($file, $sql);
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db || 'postgres') ],
		'<', $file, '>', "$file.out", '2>', "$file.err");
	return { run => $run, file => $file };
}

sub finish
{
	my ($session) = @_;
	$session->{run}->finish;
	return slurp_file("$session->{file}.err");
}

# row 500 waits as long as the gate is closed
my $setup = qq{
	CREATE EXTENSION appflow;
	SELECT appflow.create_object_store('local', 'file://$root');
	CREATE TABLE gate (closed boolean);
	INSERT INTO gate VALUES (false);
	CREATE SEQUENCE reached;
	CREATE FUNCTION gate_trigger() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
		IF NEW.id = 500 THEN
			PERFORM nextval('public.reached');
			WHILE (SELECT closed FROM public.gate) LOOP
				PERFORM pg_sleep(0.02);
			END LOOP;
		END IF;
		RETURN NEW;
	END\$\$;
	CREATE TABLE target (id int, name text);
	CREATE TABLE fast (id int, name text);
	CREATE TRIGGER gate BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION gate_trigger();
} . flow('slow', 'many', 'public.target') . flow('fast', 'one', 'public.fast') . flow('bad', 'bad', 'public.fast');
sub close_gate { query(q{UPDATE gate SET closed = true; SELECT setval('reached', 1, false)}, @_); return }
sub open_gate { query('UPDATE gate SET closed = false', @_); return }
sub until_reached { my ($db) = @_; return until_true('is_called FROM reached', 'gate', db => $db) }
query($setup);

# ---------- run_flow ----------
{
	is(query(q{CALL appflow.run_flow('fast'); SELECT count(*) FROM fast}), '1', 'run_flow waits for the end');
	my $error = failure(q{CALL appflow.run_flow('bad')});
	like($error, qr/ERROR:  WF\d\d\d: run of flow "bad" ended as Error: .*bad\/1\.jsonl/, 'run_flow raises the error of the run');
	like($error, qr/DETAIL:  \w+Exception: Execution [0-9a-f-]{36}\./, 'and says which exception, which run');
	like(failure(q{CALL appflow.run_flow('none')}), qr/WF404: Flow with name none does not exist/, 'run_flow of no flow');
	like(failure(q{CALL appflow.run_flow(NULL)}), qr/WF400: flow name is null/, 'run_flow of null');
	my $inside = qr/run_flow cannot wait for a run inside a transaction.*HINT:/s;
	like(failure(q{BEGIN; CALL appflow.run_flow('fast'); COMMIT;}), $inside, 'not in a transaction block');
	# inside DO and procedures at the top level, transactions may end
	is(query(q{DO $$BEGIN CALL appflow.run_flow('fast'); END$$; SELECT count(*) FROM fast}), '2', 'DO may wait');
	query(q{CREATE FUNCTION wait() RETURNS void LANGUAGE plpgsql AS $$BEGIN CALL appflow.run_flow('fast'); END$$});
	like(failure('SELECT wait()'), $inside, 'not in a function');
	like(failure('BEGIN; DO $$BEGIN CALL appflow.run_flow($x$fast$x$); END$$'), $inside, 'not in DO in a transaction block');
	like(failure(q{DO $$BEGIN BEGIN CALL appflow.run_flow('fast'); EXCEPTION WHEN division_by_zero THEN END; END$$}),
		qr/run_flow cannot wait|invalid transaction termination|subtransaction/, 'not in a block with EXCEPTION');
	is(query('SELECT count(*) FROM fast'), '2', 'none of those ran');
}

# ---------- cancelling the call cancels the run ----------
foreach my $how ('statement_timeout', 'pg_cancel_backend', 'pg_terminate_backend', 'disconnect')
{
	close_gate();
	my $session = session(($how eq 'statement_timeout' ? "SET statement_timeout = '2s';" : '') . q{CALL appflow.run_flow('slow');});
	until_reached();
	my $id = query(q{SELECT execution_id FROM appflow.flow_progress});
	my $pid = query(q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%CALL appflow.run_flow%' AND pid <> pg_backend_pid() AND backend_type = 'client backend'});
	query("SELECT $how($pid)") if $how =~ /^pg_/;
	if ($how eq 'disconnect')
	{
		$session->{run}->signal('KILL');
	}
	else
	{
		until_true("NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = $pid AND state = 'active')", $how, seconds => 10);
	}
	my $began = time;
	ended($id);
	cmp_ok(time - $began, '<', 3, "$how: the run ends at once");
	is(status($id), 'Canceled', "$how: the run is cancelled");
	is(query('SELECT count(*) FROM target'), '0', "$how: nothing is written");
	until_true("NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = $pid)", $how, seconds => 10);
	my $error = finish($session);
	like($error, $how eq 'statement_timeout' ? qr/statement timeout/ : $how eq 'pg_cancel_backend' ? qr/user request/ : qr/administrator command/, "$how: the call says so")
	  if $how ne 'disconnect';
}

# a call that waits behind another is cancelled before its run begins
{
	my $first = start('slow');
	until_reached();
	like(failure(q{SET statement_timeout = '500ms'; CALL appflow.run_flow('slow')}), qr/57014.*statement timeout/, 'a call that waits: timeout');
	open_gate();
	ended($first);
	until_true(q{NOT EXISTS (SELECT 1 FROM appflow.flow_executions WHERE execution_status = 'InProgress')}, 'queue');
	is(query(q{SELECT execution_status FROM appflow.flow_executions ORDER BY requested_at DESC LIMIT 1}), 'Canceled', 'its run never begins');
	is(query('SELECT count(*) FROM target'), '3000', 'the one before does');
	query('TRUNCATE target');
}

# ---------- start_flow and transactions ----------
{
	query('TRUNCATE fast');
	my $before = query('SELECT count(*) FROM appflow.flow_executions');
	query(q{BEGIN; SELECT appflow.start_flow('{"flowName": "fast"}'); ROLLBACK});
	query(q{BEGIN; SAVEPOINT a; SELECT appflow.start_flow('{"flowName": "fast"}'); ROLLBACK TO a; COMMIT});
	query(q{DO $$BEGIN BEGIN PERFORM appflow.start_flow('{"flowName": "fast"}'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END; END$$});
	sleep 0.5;
	is(query('SELECT count(*) FROM appflow.flow_executions'), $before, 'rolled back: nothing is started');
	is(query('SELECT count(*) FROM fast'), '0', 'rolled back: nothing is written');
	query(q{BEGIN; SAVEPOINT a; SELECT appflow.start_flow('{"flowName": "fast"}'); ROLLBACK TO a; SELECT appflow.start_flow('{"flowName": "fast"}'); COMMIT});
	until_true('count(*) = 1 FROM fast', 'the other one');
	is(query('SELECT count(*) FROM appflow.flow_executions'), $before + 1, 'one of two');
	like(failure(q{BEGIN READ ONLY; SELECT appflow.start_flow('{"flowName": "fast"}')}), qr/25006: cannot execute .* in a read-only transaction/, 'read-only transaction');
	like(failure(q{SET default_transaction_isolation = 'serializable'; CALL appflow.run_flow('fast')}), qr/^$/, 'serializable sessions too');
}

# ---------- cancel_flow_executions ----------
{
	close_gate();
	my @id = map { start('slow') } 1 .. 3;
	until_reached();
	my $none = '00000000-0000-0000-0000-000000000000';
	is_deeply(call_json(qq{appflow.cancel_flow_executions('{"flowName": "slow", "executionIds": ["$id[1]", "$none", "nonsense"]}')}),
		{ invalidExecutions => [ $none, 'nonsense' ] }, 'invalid ids come back');
	is(join(' ', map { status($_) } @id), 'InProgress Canceled InProgress', 'one that waits is cancelled');
	query(qq{BEGIN; SAVEPOINT a; SELECT appflow.cancel_flow_executions('{"flowName": "slow"}'); ROLLBACK TO a; COMMIT});
	query(qq{BEGIN; SELECT appflow.cancel_flow_executions('{"flowName": "slow"}'); ROLLBACK});
	sleep 0.3;
	is(join(' ', map { status($_) } @id), 'InProgress Canceled InProgress', 'rolled back: nothing is cancelled');
	is_deeply(call_json(qq{appflow.cancel_flow_executions('{"flowName": "fast", "executionIds": ["$id[0]"]}')}),
		{ invalidExecutions => [ $id[0] ] }, 'the run of another flow is invalid');
	is_deeply(call_json(q{appflow.cancel_flow_executions('{"flowName": "slow"}')}), { invalidExecutions => [] }, 'without ids: all');
	ended($id[0]);
	is(join(' ', map { status($_) } @id), 'Canceled Canceled Canceled', 'all are cancelled');
	is(query("SELECT execution_message FROM appflow.flow_executions WHERE execution_id = '$id[0]'"), 'The run was cancelled.', 'and say so');
	is(query('SELECT count(*) FROM target'), '0', 'nothing is written');
	is_deeply(call_json(qq{appflow.cancel_flow_executions('{"flowName": "slow", "executionIds": ["$id[0]"]}')}),
		{ invalidExecutions => [ $id[0] ] }, 'a run that has ended is invalid');
}

# ---------- what one sees ----------
{
	close_gate();
	my $id = start('slow');
	my $queued = start('slow');
	until_reached();
	is(query("SELECT flow_name, phase, pid > 0, elapsed > interval '0' FROM appflow.flow_progress WHERE execution_id = '$id'"),
		'slow|Transferring|t|t', 'progress of a run that goes on');
	is(query("SELECT phase, pid IS NULL, records IS NULL FROM appflow.flow_progress WHERE execution_id = '$queued'"), 'Queued|t|t', 'of one that waits');
	open_gate();
	ended($id);
	ended($queued);
	is(query('SELECT count(*) FROM appflow.flow_progress'), '0', 'nothing goes on');
	is(query(q{SELECT max(n) FROM (SELECT count(*) AS n FROM appflow.flow_executions a JOIN appflow.flow_executions b
		ON a.flow_name = 'slow' AND b.flow_name = 'slow' AND a.execution_id <> b.execution_id
		AND a.execution_status = 'Successful' AND b.execution_status = 'Successful'
		AND a.started_at < b.last_updated_at AND b.started_at < a.last_updated_at) x}), '0', 'runs of one flow come one after another');
	query('TRUNCATE target');
}

# ---------- pages ----------
{
	query(flow('paged', 'one', 'public.fast'));
	query(q{CALL appflow.run_flow('paged')}) for 1 .. 7;
	my $all = query(q{SELECT string_agg(execution_id::text, ' ' ORDER BY requested_at DESC) FROM appflow.flow_executions WHERE flow_name = 'paged'});
	foreach my $size (1, 2, 3, 7, 8)
	{
		my @seen;
		my $token;
		my $pages = 0;
		do
		{
			my $with = $token ? qq(, "nextToken": "$token") : '';
			my $page = call_json(qq{appflow.describe_flow_execution_records('{"flowName": "paged", "maxResults": $size$with}')});
			push @seen, map { $_->{executionId} } @{ $page->{flowExecutions} };
			$token = $page->{nextToken};
			# what is new does not move the pages
			query(q{CALL appflow.run_flow('paged')}) if $size == 3 && $pages == 0;
		} while ($token && ++$pages < 20);
		is("@seen", $all, "pages of $size: each once, newest first");
		$all = query(q{SELECT string_agg(execution_id::text, ' ' ORDER BY requested_at DESC) FROM appflow.flow_executions WHERE flow_name = 'paged'}) if $size == 3;
	}
	my $page = call_json(q{appflow.describe_flow_execution_records('{"flowName": "paged", "maxResults": 1}')});
	my $run = $page->{flowExecutions}[0];
	is($run->{executionStatus}, 'Successful', 'a record has its status');
	is($run->{executionResult}{recordsProcessed}, 1, 'and its result');
	my $token = $page->{nextToken};
	my $refused = qr/WF400: nextToken is not one that/;
	(my $tampered = $token) =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/e;
	like(failure(qq{SELECT appflow.describe_flow_execution_records('{"flowName": "paged", "nextToken": "$_"}')}), $refused, "token refused: $_")
	  foreach $tampered, 'x', 'AAAA', substr($token, 0, 20), $token . 'AAAA';
	like(failure(qq{SELECT appflow.list_flows('{"nextToken": "$token"}')}), $refused, 'token of another operation refused');

	query(flow("list-$_", 'one', 'public.fast')) for 'a' .. 'e';
	my @names = split ' ', query(q{SELECT string_agg(flow_name, ' ' ORDER BY flow_name COLLATE "C") FROM appflow.flows});
	foreach my $size (1, 3, 100)
	{
		my @seen;
		my $next;
		do
		{
			my $with = $next ? qq(, "nextToken": "$next") : '';
			my $list = call_json(qq{appflow.list_flows('{"maxResults": $size$with}')});
			push @seen, map { $_->{flowName} } @{ $list->{flows} };
			$next = $list->{nextToken};
		} while ($next);
		is_deeply(\@seen, \@names, "list_flows in pages of $size");
	}
}

# ---------- who may what ----------
{
	query(q{
		CREATE ROLE ann; CREATE ROLE bob; CREATE ROLE team; GRANT team TO ann;
		GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO ann, team;
		SELECT appflow.grant_object_store('local', 'team');
		CREATE TABLE hers (id int, name text); CREATE TABLE nobodys (id int, name text); CREATE TABLE rows (id int, name text);
		GRANT INSERT ON hers TO ann; GRANT ALL ON rows TO ann;
		ALTER TABLE rows ENABLE ROW LEVEL SECURITY;
		CREATE POLICY p ON rows TO ann USING (true) WITH CHECK (name <> 'Ann');
	});
	query('SET ROLE ann; ' . flow('hers', 'one', 'public.hers') . flow('denied', 'one', 'public.nobodys') . flow('policy', 'one', 'public.rows'));
	query('SET ROLE team; ' . flow('teams', 'one', 'public.hers'));
	like(failure('SET ROLE bob; ' . flow('bobs', 'one', 'public.hers')), qr/42501: permission denied for function create_flow/, 'creating is a privilege');
	is(query(q{SET ROLE ann; SELECT string_agg(flow_name, ' ' ORDER BY flow_name) FROM appflow.flows}), 'denied hers policy teams', 'a role sees its flows and those of its roles');
	is(query(q{SET ROLE bob; SELECT count(*) FROM appflow.flows}), '0', 'but not those of others');
	is(query(q{SET ROLE team; SELECT string_agg(flow_name, ' ') FROM appflow.flows}), 'teams', 'nor a group those of its members');
	is(query(q{SET ROLE bob; SELECT appflow.list_flows() ->> 'flows'}), '[]', 'list_flows neither');
	my $missing = failure(q{SET ROLE bob; SELECT appflow.describe_flow('{"flowName": "none"}')});
	foreach my $operation (qw(describe_flow start_flow delete_flow describe_flow_execution_records cancel_flow_executions))
	{
		my $error = failure(qq{SET ROLE bob; SELECT appflow.$operation('{"flowName": "hers"}')});
		my $none = failure(qq{SET ROLE bob; SELECT appflow.$operation('{"flowName": "none"}')});
		$error =~ s/\bhers\b/none/g;
		s/LOCATION:.*//s, s/^psql:.*?ERROR/ERROR/s for $error, $none;
		like($none, qr/WF404/, "$operation: no such flow");
		is($error, $none, "$operation: the flow of another does not exist");
	}
	like(failure(q{SET ROLE bob; CALL appflow.run_flow('hers')}), qr/WF404: Flow with name hers does not exist/, 'run_flow neither');
	like(failure("SET ROLE bob; SELECT * FROM appflow.$_"), qr/42501: permission denied/, "table $_ is closed")
	  foreach qw(flow flow_execution installation execution_state);

	is(query(q{SET ROLE ann; CALL appflow.run_flow('hers'); SELECT execution_status FROM appflow.flow_executions}), 'Successful', 'with her rights: works');
	like(failure(q{SET ROLE ann; CALL appflow.run_flow('teams')}), qr/WF403: run of flow "teams" ended as Error: permission denied for table hers/, 'as its owner, not as the one who starts it');
	like(failure(q{SET ROLE ann; CALL appflow.run_flow('denied')}), qr/WF403: run of flow "denied" ended as Error: permission denied for table nobodys/, 'no right: denied');
	like(failure(q{SET ROLE ann; CALL appflow.run_flow('policy')}), qr/row-level security policy for table "rows"/, 'row-level security applies');
	is(query('SELECT count(*) FROM rows'), '0', 'nothing is written past it');
	is(query(q{SET ROLE bob; SELECT count(*) FROM appflow.flow_executions}), '0', 'runs of others are not seen');
	query('REVOKE INSERT ON hers FROM ann');
	like(failure(q{CALL appflow.run_flow('hers')}), qr/WF403: .*permission denied for table hers/, 'rights lost later: denied');
	my $page = call_json(q{appflow.describe_flow_execution_records('{"flowName": "hers", "maxResults": 1}')});
	like(failure(qq{SET ROLE ann; SELECT appflow.describe_flow_execution_records('{"flowName": "hers", "nextToken": "$page->{nextToken}"}')}),
		qr/WF400: nextToken/, 'token of another role refused');
}

# ---------- those who want more than they have ----------
{
	query(q{
		CREATE ROLE mallory; GRANT CREATE ON SCHEMA public TO mallory; GRANT TEMP ON DATABASE postgres TO mallory;
		GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO mallory; SELECT appflow.grant_object_store('local', 'mallory');
		CREATE TABLE who (what text, who text); GRANT ALL ON who TO PUBLIC;
	});
	query(q{SET ROLE mallory;
		CREATE FUNCTION public.boom() RETURNS void LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.who VALUES ('boom', current_user); END$$;
		CREATE FUNCTION public.is_same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.boom(); SELECT true';
		CREATE FUNCTION public.concat_any(numeric, text) RETURNS text LANGUAGE sql AS 'SELECT public.boom(); SELECT $2';
		CREATE FUNCTION public.pick(jsonb, text) RETURNS text LANGUAGE sql AS 'SELECT public.boom(); SELECT $2';
		CREATE OPERATOR public.= (FUNCTION = public.is_same, LEFTARG = text, RIGHTARG = text);
		CREATE OPERATOR public.|| (FUNCTION = public.concat_any, LEFTARG = numeric, RIGHTARG = text);
		CREATE OPERATOR public.#>> (FUNCTION = public.pick, LEFTARG = jsonb, RIGHTARG = text);
		CREATE FUNCTION public.pg_has_role(oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.boom(); SELECT true';
		CREATE FUNCTION public.count(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT public.boom(); SELECT 1::bigint';
		CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT public.boom(); SELECT pg_catalog.now()';
		CREATE TABLE public.flow_execution (LIKE public.who);
	});
	query(qq{SET search_path = public, pg_catalog; CREATE TEMP TABLE flow (flow_name text); CREATE TEMP TABLE installation (token_key bytea);
		SELECT appflow.describe_flow('{"flowName": "paged"}'); SELECT appflow.list_flows();
		SELECT appflow.describe_flow_execution_records('{"flowName": "paged", "maxResults": 2}');
		SELECT appflow.start_flow('{"flowName": "paged"}'); SELECT appflow.cancel_flow_executions('{"flowName": "paged"}');
		SELECT * FROM appflow.flows; SELECT * FROM appflow.flow_executions; SELECT * FROM appflow.flow_progress;
		CALL appflow.run_flow('paged');});
	is(query('SELECT count(*) FROM who'), '0', 'a search path with traps: none is sprung');
	query(q{ALTER DATABASE postgres SET search_path = public, pg_catalog});
	query(q{CALL appflow.run_flow('paged')});
	is(query('SELECT count(*) FROM who'), '0', 'nor in the worker');
	query(q{ALTER DATABASE postgres RESET search_path});

	# triggers that put themselves off run with the owner's rights still
	query(q{SET ROLE mallory;
		CREATE TABLE trap (id int, name text);
		CREATE TABLE late (id int);
		CREATE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO public.who VALUES (TG_ARGV[0], current_user);
			IF TG_ARGV[0] = 'seal' THEN
				SET CONSTRAINTS ALL DEFERRED;
				INSERT INTO public.late VALUES (1);
			END IF;
			RETURN NULL;
		END$$;
		CREATE CONSTRAINT TRIGGER a AFTER INSERT ON trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spring('seal');
		CREATE CONSTRAINT TRIGGER b AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spring('commit');
	} . flow('trap', 'one', 'public.trap'));
	query(q{CALL appflow.run_flow('trap')});
	is(query(q{SELECT string_agg(what || ' ' || who, ', ' ORDER BY what) FROM who}), 'commit mallory, seal mallory', 'deferred triggers run as the owner');

	# what one run leaves in the worker's session is not there for the next
	query(q{SET ROLE mallory;
		CREATE TABLE dirty (id int, name text);
		CREATE FUNCTION soil() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			CREATE TEMP TABLE audit (what text);
			PERFORM pg_advisory_lock(7), set_config('work_mem', '65kB', false);
			EXECUTE 'PREPARE left_over AS SELECT 1';
			RETURN NULL;
		END$$;
		CREATE TRIGGER soil AFTER INSERT ON dirty FOR EACH ROW EXECUTE FUNCTION soil();
	} . flow('dirty', 'one', 'public.dirty'));
	query(q{
		TRUNCATE who;
		CREATE TABLE clean (id int, name text);
		CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO public.who SELECT 'pid', pg_backend_pid();
			INSERT INTO public.who SELECT 'temporary table', relname FROM pg_class WHERE relname = 'audit';
			INSERT INTO public.who SELECT 'advisory lock', objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
			INSERT INTO public.who SELECT 'setting', setting FROM pg_settings WHERE name = 'work_mem' AND setting = '65';
			INSERT INTO public.who SELECT 'prepared', name FROM pg_prepared_statements;
			RETURN NULL;
		END$$;
		CREATE TRIGGER look AFTER INSERT ON clean FOR EACH ROW EXECUTE FUNCTION look();
	} . flow('clean', 'one', 'public.clean'));
	query(q{LOAD 'appflow'; ALTER SYSTEM SET appflow.max_workers = 1});
	$node->reload;
	sleep 0.2;
	close_gate();
	my $blocker = start('slow');
	until_reached();
	start('dirty');
	my $last = start('clean');
	open_gate();
	ended($last);
	is(status($last), 'Successful', 'dirty and clean in one worker');
	is(query(q{SELECT string_agg(what || ': ' || who, ', ') FROM who WHERE what <> 'pid'}), '', 'nothing is left behind');
	query('TRUNCATE target');

	# no role can keep workers from their work
	my $holder = session(q{SELECT pg_advisory_lock(hashtextextended('appflow.claim', 0)); SELECT pg_sleep(3);});
	is(query(q{SET statement_timeout = '20s'; CALL appflow.run_flow('fast'); SELECT 'done'}), 'done', 'advisory locks hold nobody up');
	finish($holder);
	query(q{ALTER DATABASE postgres SET default_transaction_isolation = 'serializable';
		ALTER DATABASE postgres SET default_transaction_read_only = on;
		ALTER DATABASE postgres SET statement_timeout = '5ms'; ALTER DATABASE postgres SET lock_timeout = '1ms';
		ALTER DATABASE postgres SET row_security = off});
	my $done = query(q{SET default_transaction_read_only = off; SET statement_timeout = 0; CALL appflow.run_flow('fast'); SELECT 'done'});
	is($done, 'done', 'nor do settings of the database');
	query(q{SET default_transaction_read_only = off; SET statement_timeout = 0; ALTER DATABASE postgres RESET ALL});
}

# ---------- the limit of workers ----------
{
	my @db = qw(fair1 fair2 fair3);
	foreach my $db (@db)
	{
		query("CREATE DATABASE $db");
		query($setup, $db);
	}
	close_gate();
	my $blocker = start('slow');
	until_reached();
	foreach my $db (@db)
	{
		start('fast', $db) for 1 .. 20;
	}
	open_gate();
	foreach my $db (@db)
	{
		until_true(q{NOT EXISTS (SELECT 1 FROM appflow.flow_progress)}, "queue of $db", db => $db);
		is(query('SELECT count(*) FROM fast', $db), '20', "one worker, many databases: all runs of $db end");
	}
	my ($latest_first) = sort { $b <=> $a } map { query(q{SELECT extract(epoch FROM min(started_at)) FROM appflow.flow_executions}, $_) } @db;
	my ($first_end) = sort { $a <=> $b } map { query(q{SELECT extract(epoch FROM max(last_updated_at)) FROM appflow.flow_executions}, $_) } @db;
	cmp_ok($latest_first, '<', $first_end, 'databases take turns');
	query('TRUNCATE target');
	query(q{LOAD 'appflow'; ALTER SYSTEM RESET appflow.max_workers});
	$node->reload;

	# fifty sessions at once
	query('TRUNCATE fast');
	query(flow("busy-$_", 'one', 'public.fast')) for 1 .. 10;
	my @sessions = map { my $name = 'busy-' . ($_ % 10 + 1); session("CALL appflow.run_flow('$name');") } 1 .. 50;
	is(join('', map { finish($_) } @sessions), '', 'fifty sessions: no error');
	is(query('SELECT count(*) FROM fast'), '50', 'fifty sessions: every run ran');
	is(query(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name LIKE 'busy-%' AND execution_status = 'Successful'}), '50', 'and is recorded');
}

# ---------- no worker to be had ----------
{
	query("ALTER SYSTEM SET max_worker_processes = 1");
	$node->restart;
	# the server's own launcher of logical replication has the only place
	query('TRUNCATE fast');
	my ($rc, $out, $err) = $node->psql('postgres', q{SELECT appflow.start_flow('{"flowName": "fast"}')});
	like($err, qr/WARNING:  the run waits for a worker: no background worker slot is free, see max_worker_processes/, 'no worker: a warning');
	is(query(q{SELECT phase FROM appflow.flow_progress}), 'Queued', 'no worker: the run waits');
	like(failure(q{SET statement_timeout = '1500ms'; CALL appflow.run_flow('paged')}), qr/statement timeout/, 'no worker: run_flow waits');
	query("ALTER SYSTEM SET max_worker_processes = 16");
	$node->restart;
	is(query(q{SELECT execution_status, execution_message LIKE 'The server was restarted before this run began%' FROM appflow.flow_executions
		WHERE flow_name = 'paged' ORDER BY requested_at DESC LIMIT 1}), 'Error|t', 'a run that a session waited for is not begun without it');
	is(query(q{CALL appflow.run_flow('fast'); SELECT count(*) FROM fast}), '2', 'later: it runs with the next');
	until_true(q{NOT EXISTS (SELECT 1 FROM appflow.flow_progress)}, 'queue');
}

# ---------- a standby ----------
{
	$node->backup('base');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'base', has_streaming => 1);
	$standby->start;
	close_gate();
	my $id = start('slow');
	until_reached();
	$node->wait_for_catchup($standby);
	is($standby->safe_psql('postgres', "SELECT execution_status FROM appflow.flow_executions WHERE execution_id = '$id'"), 'InProgress', 'standby: a run of the primary goes on');
	is($standby->safe_psql('postgres', q{SELECT count(*) > 5 FROM appflow.flows}), 't', 'standby: flows');
	my ($rc, $out, $err) = $standby->psql('postgres', q{SELECT appflow.start_flow('{"flowName": "fast"}')});
	like($err, qr/flows cannot be run while the server is in recovery/, 'standby: start_flow says why not');
	($rc, $out, $err) = $standby->psql('postgres', q{CALL appflow.run_flow('fast')});
	like($err, qr/flows cannot be run while the server is in recovery/, 'standby: run_flow too');
	($rc, $out, $err) = $standby->psql('postgres', q{SELECT appflow.describe_flow_execution_records('{"flowName": "slow", "maxResults": 1}') -> 'flowExecutions' -> 0 ->> 'executionStatus'});
	is($out, 'InProgress', 'standby: records');
	open_gate();
	ended($id);
	$standby->stop;
}
$node->stop;
unlike(slurp_file($node->logfile), qr/was terminated by signal|PANIC|TRAP:/, 'no process crashed');
done_testing();
