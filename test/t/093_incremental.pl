# Incremental pulls: every record once, over windows, failures and kills; and
# flows that fail too often.
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
restart_after_crash = on
});
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/bucket";
mkdir "$root/bucket/in";
$node->safe_psql('postgres', qq{
	CREATE EXTENSION appflow;
	SELECT appflow.create_object_store('local', 'file://$root');
	CREATE TABLE src (id int, changed timestamptz DEFAULT clock_timestamp());
	CREATE TABLE dst (id int);
	CREATE TABLE objects (id int);
});

my $offset = 0;
sub later
{
	$offset += $_[0];
	$node->safe_psql('postgres', "ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
	$node->reload;
}
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub eventually { my ($query, $name) = @_; ok($node->poll_query_until('postgres', $query), $name) or diag(sql('TABLE appflow.flow_executions; TABLE appflow.flow_schedules')) }

sub create
{
	my ($name, $source, $target, $more) = @_;
	my ($code, $out, $err) = $node->psql('postgres', qq{SELECT appflow.create_flow('{
		"flowName": "$name", "triggerConfig": {"triggerType": "Scheduled", "triggerProperties":
			{"Scheduled": {"scheduleExpression": "rate(1minute)", "dataPullMode": "Incremental"$more}}},
		"sourceFlowConfig": $source,
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.$target"}}}],
		"tasks": [{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id"}]}')});
	return $err || $out;
}
my $table = '"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "sourceConnectorProperties": {"CustomConnector": {"entityName": "public.src"}}';
like(create('bare', "{$table}", 'dst', ''), qr/datetimeTypeFieldName is missing/, 'a field has to say what is new');
like(create('table', qq({$table, "incrementalPullConfig": {"datetimeTypeFieldName": "changed"}}), 'dst', ''), qr/Draft/, 'tables');
like(create('objects', '{"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "bucket", "bucketPrefix": "in",
	"s3InputFormatConfig": {"s3InputFileType": "JSON"}}}}', 'objects', ', "scheduleOffset": 5'), qr/Draft/, 'objects need none');

sql(q{INSERT INTO src VALUES (1, now() - interval '31 days'), (2, now() - interval '29 days'), (3, now() - interval '1 second'), (4, NULL)});
sql(q{SELECT appflow.start_flow('{"flowName": "table"}')});
eventually(q{SELECT count(*) = 1 FROM appflow.flow_executions WHERE flow_name = 'table' AND execution_status = 'Successful'}, 'the first pull');
my $first = sql(q{SELECT string_agg(id::text, ' ' ORDER BY id) FROM dst});
like($first, qr/^2( 3)?$/, 'takes what changed in 30 days');
is(sql(q{SELECT data_pull_end_time = due_at AND data_pull_start_time = due_at - interval '30 days' FROM appflow.flow_execution}), 't', 'and says so');
is(sql(q{SELECT s.watermark = e.data_pull_end_time FROM appflow.flow_schedules s, appflow.flow_executions e WHERE s.flow_name = 'table'}), 't', 'its end is the watermark');

# records on both sides of every border, with equal times; the clock of the schedule runs ahead, so they come later
my $border = sql(q{SELECT watermark FROM appflow.flow_schedules WHERE flow_name = 'table'});
sql(qq{INSERT INTO src SELECT 1000 + n, '$border'::timestamptz + n / 10 * interval '30 seconds' FROM generate_series(0, 199) n});
foreach my $minute (1 .. 12)
{
	later(60);
	eventually(qq{SELECT count(*) >= 1 + $minute FROM appflow.flow_executions WHERE flow_name = 'table' AND execution_status = 'Successful'},
		"window $minute") or last;
}
is(sql(q{SELECT count(*) || ' ' || count(DISTINCT id) FROM dst WHERE id >= 1000}), '200 200', 'every record once, on the borders too');
is(sql(q{SELECT bool_and(data_pull_start_time = before) FROM (SELECT data_pull_start_time,
	lag(data_pull_end_time) OVER (ORDER BY requested_at) AS before FROM appflow.flow_executions WHERE flow_name = 'table') w
	WHERE before IS NOT NULL}), 't', 'each window begins where the last ended');

# a failure moves nothing and loses nothing
sql(q{ALTER TABLE dst ADD CONSTRAINT never CHECK (id < 0) NOT VALID});
sql(qq{INSERT INTO src SELECT 2000 + n, '$border'::timestamptz + interval '13 minutes' + n * interval '1 second' FROM generate_series(0, 99) n});
later(240);
eventually(q{SELECT count(*) > 0 FROM appflow.flow_executions WHERE flow_name = 'table' AND execution_status = 'Error'}, 'a pull that fails');
sql(q{ALTER TABLE dst DROP CONSTRAINT never});
later(60);
eventually(q{SELECT count(*) = 100 FROM dst WHERE id BETWEEN 2000 AND 2099}, 'the next one begins where it did');
is(sql(q{SELECT failed_runs FROM appflow.flow_schedules WHERE flow_name = 'table'}), 0, 'a success forgets failures');

# killed in the middle
sql(q{CREATE TABLE gate (id int); INSERT INTO gate VALUES (1); CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM 1 FROM public.gate FOR UPDATE; RETURN NEW; END';
	CREATE TRIGGER wait BEFORE INSERT ON dst FOR EACH ROW EXECUTE FUNCTION wait()});
sql(qq{INSERT INTO src SELECT 3000 + n, '$border'::timestamptz + interval '18 minutes' + n * interval '1 second' FROM generate_series(0, 59) n});
my $gate = $node->background_psql('postgres');
$gate->query_safe('BEGIN; SELECT * FROM gate FOR UPDATE');
later(180);
eventually(q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE phase = 'Transferring'}, 'a run in the middle');
kill_child($node, sql(q{SELECT pid FROM appflow.flow_progress}));
eval { $gate->quit };
sql('DROP TRIGGER IF EXISTS wait ON dst');
foreach (1 .. 3) { later(61); sleep 0.7 }
eventually(q{SELECT count(*) = 60 FROM dst WHERE id BETWEEN 3000 AND 3059}, 'after a kill the window is pulled again');
is(sql(q{SELECT count(*) = count(DISTINCT id) FROM dst}), 't', 'nothing twice');

# the watermark is the user's, too
sql(q{SELECT appflow.set_watermark('table', '2001-01-01Z')});
later(61);
eventually(q{SELECT count(*) = 2 FROM dst WHERE id = 1000}, 'set back, all is pulled again');
is(sql(q{SELECT count(*) FROM dst WHERE id = 4}), 0, 'what never changed is never new');
sql(q{SELECT appflow.update_flow(definition || '{"description": "other"}') FROM appflow.flow WHERE flow_name = 'table'});
is(sql(q{SELECT watermark IS NOT NULL FROM appflow.flow_schedules WHERE flow_name = 'table'}), 't', 'UpdateFlow keeps the watermark');
sql(q{SELECT appflow.update_flow(jsonb_set(definition, '{sourceFlowConfig,sourceConnectorProperties,CustomConnector,entityName}', '"public.dst"')) FROM appflow.flow WHERE flow_name = 'table'});
is(sql(q{SELECT watermark IS NULL FROM appflow.flow_schedules WHERE flow_name = 'table'}), 't', 'another object begins anew');
sql(q{SELECT appflow.stop_flow('{"flowName": "table"}')});

# what is set while a run goes on stays: the run's end is not its
sub during
{
	my ($name, $statement, $expected, $what) = @_;
	my $done = sql("SELECT count(*) FROM appflow.flow_executions WHERE flow_name = '$name' AND execution_status = 'Successful'");
	my $holder = $node->background_psql('postgres');
	$holder->query_safe('BEGIN; SELECT * FROM gate FOR UPDATE');
	sql(qq{INSERT INTO src VALUES (5000, now() + interval '${offset}s')});
	later(61);
	eventually(q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE phase = 'Transferring'}, "$name: a run in the middle");
	sql($statement);
	sql(qq{SELECT appflow.stop_flow('{"flowName": "$name"}')});
	eval { $holder->quit };
	eventually("SELECT count(*) > $done FROM appflow.flow_executions WHERE flow_name = '$name' AND execution_status = 'Successful'", "$name: that ends well");
	is(sql("SELECT coalesce(watermark::text, 'none') FROM appflow.flow_schedules WHERE flow_name = '$name'"), $expected, $what);
}
sql(q{CREATE TABLE other AS SELECT 6000 AS id, now() AS changed; CREATE TABLE aside (id int); CREATE TRIGGER wait BEFORE INSERT ON aside FOR EACH ROW EXECUTE FUNCTION wait()});
foreach my $name (qw(set moved))
{
	like(create($name, qq({$table, "incrementalPullConfig": {"datetimeTypeFieldName": "changed"}}), 'aside', ''), qr/Draft/, "$name: made");
	sql(qq{SELECT appflow.start_flow('{"flowName": "$name"}')});
	eventually("SELECT count(*) = 1 FROM appflow.flow_executions WHERE flow_name = '$name' AND execution_status = 'Successful'", "$name: a first run") if $name eq 'set';
	during($name, $name eq 'set' ? q{SELECT appflow.set_watermark('set', '2002-03-04 05:06:07+00')} :
		q{SELECT appflow.update_flow(jsonb_set(definition, '{sourceFlowConfig,sourceConnectorProperties,CustomConnector,entityName}', '"public.other"')) FROM appflow.flow WHERE flow_name = 'moved'},
		$name eq 'set' ? sql(q{SELECT timestamptz '2002-03-04 05:06:07+00'}) : 'none',
		$name eq 'set' ? 'a watermark that was set during a run' : 'a flow that was given another object during its first run');
}
sql(q{SELECT appflow.start_flow('{"flowName": "set"}')});
later(61);
eventually(q{SELECT count(*) = 3 FROM aside WHERE id = 1000}, 'and is where the next one begins');
sql(q{SELECT appflow.stop_flow('{"flowName": "set"}')});

# objects, by when they were modified
append_to_file("$root/bucket/in/1.jsonl", qq({"id": 1}\n));
utime time - 3600, time - 3600, "$root/bucket/in/1.jsonl";
sql(q{SELECT appflow.start_flow('{"flowName": "objects"}')});
eventually(q{SELECT count(*) = 1 FROM objects}, 'an object');
my $now = time + $offset;
append_to_file("$root/bucket/in/2.jsonl", qq({"id": 2}\n));
utime $now + 30, $now + 30, "$root/bucket/in/2.jsonl";
append_to_file("$root/bucket/in/3.jsonl", qq({"id": 3}\n));
utime $now + 90, $now + 90, "$root/bucket/in/3.jsonl";
later(61);
eventually(q{SELECT string_agg(id::text, ' ' ORDER BY id) = '1 2' FROM objects}, 'the next one');
later(61);
eventually(q{SELECT string_agg(id::text, ' ' ORDER BY id) = '1 2 3' FROM objects}, 'and the next');
is(sql(q{SELECT bool_and(data_pull_end_time = due_at - interval '5 seconds') FROM appflow.flow_execution WHERE flow_name = 'objects'}), 't', 'scheduleOffset');
sql(q{SELECT appflow.stop_flow('{"flowName": "objects"}')});

# ---------- too many failures ----------

create('failing', qq({$table, "incrementalPullConfig": {"datetimeTypeFieldName": "gone"}}), 'dst', ', "flowErrorDeactivationThreshold": 3');
sql(q{SELECT appflow.start_flow('{"flowName": "failing"}')});
foreach my $n (1 .. 3)
{
	eventually("SELECT count(*) = $n FROM appflow.flow_executions WHERE flow_name = 'failing' AND execution_status = 'Error'", "failure $n");
	is(sql(q{SELECT flow_status FROM appflow.flows WHERE flow_name = 'failing'}), $n < 3 ? 'Active' : 'Suspended', 'status');
	later(61);
}
sleep 1;
is(sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'failing'}), 3, 'it is not run any more');
like(sql(q{SELECT appflow.describe_flow('{"flowName": "failing"}') ->> 'flowStatusMessage'}), qr/Deactivated after 3 failed runs. The last: .*gone/, 'and says why');
sql(q{SELECT appflow.start_flow('{"flowName": "failing"}')});
is(sql(q{SELECT failed_runs < 3 FROM appflow.flow_schedules WHERE flow_name = 'failing'}), 't', 'StartFlow gives it another chance');
is(sql(q{SELECT sum("FlowExecutionsFailed") >= 3 AND sum("FlowExecutionsSucceeded") = 0 FROM appflow.flow_metrics WHERE "FlowName" = 'failing'}),
	't', 'metrics');

# ---------- history ----------

sql(q{SELECT appflow.stop_flow(jsonb_build_object('flowName', flow_name)) FROM appflow.flows WHERE flow_status = 'Active';
	UPDATE appflow.flow_execution SET last_updated_at = now() - interval '91 days' WHERE flow_name = 'table'});
my $kept = sql(q{SELECT count(*) FROM appflow.flow_execution WHERE flow_name <> 'table'});
$node->restart;
sql(q{SELECT appflow.start_flow('{"flowName": "objects"}')});
eventually(q{SELECT count(*) = 0 FROM appflow.flow_execution WHERE flow_name = 'table'}, 'old runs are forgotten');
cmp_ok(sql(q{SELECT count(*) FROM appflow.flow_execution}), '>=', $kept, 'others are not');
done_testing();
