# What is missing or wrong fails a run, or its flow, never the scheduler; and in
# binary-upgrade mode nothing is started.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = PostgreSQL::Test::Cluster->new('main');
my $key = PostgreSQL::Test::Utils::tempdir() . '/key';
$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'appflow'
max_worker_processes = 16
appflow.master_key = 'file:$key'
});
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub eventually { my ($query, $name) = @_; ok($node->poll_query_until('postgres', $query), $name) or diag(sql('TABLE appflow.flow_executions; TABLE appflow.flow_schedules; TABLE appflow.flows')) }
my $offset = 0;
sub minute
{
	$offset += 61;
	sql("ALTER SYSTEM SET appflow.clock_offset = '${offset}s'");
	$node->reload;
}
sub scheduler { return sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'appflow scheduler'}) }

my $tables = '"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL", "sourceConnectorProperties": {"CustomConnector": {"entityName": "public.a"}}';
my $salesforce = '"connectorType": "Salesforce", "connectorProfileName": "crm", "sourceConnectorProperties": {"Salesforce": {"object": "Account"}}';
sub create
{
	my ($name, $source, $key) = @_;
	my $projection = $key eq 'Salesforce' ? '{"taskType": "Filter", "sourceFields": ["Id"], "connectorOperator": {"Salesforce": "PROJECTION"}},' : '';
	my $field = $key eq 'Salesforce' ? 'Id' : 'id';
	sql(qq{SELECT appflow.create_flow('{"flowName": "$name", "triggerConfig": {"triggerType": "Scheduled", "triggerProperties":
			{"Scheduled": {"scheduleExpression": "rate(1minute)"}}},
		"sourceFlowConfig": {$source},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.b"}}}],
		"tasks": [$projection {"taskType": "Map", "sourceFields": ["$field"], "destinationField": "id", "connectorOperator": {"$key": "NO_OP"}}]}');
		SELECT appflow.start_flow('{"flowName": "$name"}')});
}

sql(qq{
	CREATE EXTENSION appflow;
	SELECT appflow.create_master_key_file('$key');
	CREATE TABLE a (id text); CREATE TABLE b (id text); INSERT INTO a VALUES ('1');
	SELECT appflow.create_connector_profile('{"connectorProfileName": "crm", "connectorType": "Salesforce", "connectionMode": "Public",
		"connectorProfileConfig": {"connectorProfileProperties": {"Salesforce": {"instanceUrl": "http://127.0.0.1:1"}},
		"connectorProfileCredentials": {"Salesforce": {"accessToken": "a", "refreshToken": "r"}}}}');
});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'appflow scheduler'}), 'a scheduler');
my $scheduler = scheduler();
create('good', $tables, 'CustomConnector');
eventually('SELECT count(*) = 1 FROM b', 'a flow that runs');

# ---------- missing: table, role, key, profile ----------

create('no-table', $tables =~ s/public\.a/public.gone/r, 'CustomConnector');
eventually(q{SELECT count(*) > 0 FROM appflow.flow_executions WHERE flow_name = 'no-table' AND execution_status = 'Error' AND execution_message LIKE '%"public.gone" does not exist%'}, 'a missing table');
sql('CREATE ROLE ghost');
create('no-role', $tables, 'CustomConnector');
sql(q{UPDATE appflow.flow SET owner = 'ghost' WHERE flow_name = 'no-role'; DROP ROLE ghost});
minute();
eventually(q{SELECT count(*) > 0 FROM appflow.flow_execution WHERE flow_name = 'no-role' AND status = 'Error' AND execution_message LIKE '%does not exist any more%'}, 'a missing role');
rename $key, "$key.away" or die;
create('no-key', $salesforce, 'Salesforce');
eventually(q{SELECT count(*) > 0 FROM appflow.flow_executions WHERE flow_name = 'no-key' AND execution_status = 'Error' AND execution_message LIKE '%master key%'}, 'a missing key');
rename "$key.away", $key or die;
create('no-profile', $salesforce, 'Salesforce');
sql(q{SELECT appflow.delete_connector_profile('{"connectorProfileName": "crm", "forceDelete": true}')});
is(sql(q{SELECT flow_status FROM appflow.flows WHERE flow_name = 'no-profile'}), 'Errored', 'a missing profile: the flow is Errored');
eventually(q{SELECT count(*) = 0 FROM appflow.flow_progress}, 'runs end');
my $runs = sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'no-profile'});
minute();
eventually(q{SELECT next_run_at IS NULL FROM appflow.flow_schedules WHERE flow_name = 'no-profile'}, 'and not due any more');
is(sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'no-profile'}), $runs, 'nor run');

# ---------- bad schedules ----------

create("bad-$_", $tables, 'CustomConnector') foreach 1 .. 4;
eventually(q{SELECT count(*) = 4 FROM appflow.flow_executions WHERE flow_name LIKE 'bad-%' AND execution_status = 'Successful'}, 'flows whose schedules become bad');
my @bad = ('"every now and then"', '"rate(0minutes)"', '{"a": [1]}', 'null');
for my $i (0 .. $#bad)
{
	sql(sprintf q{UPDATE appflow.flow SET definition = jsonb_set(definition, '{triggerConfig,triggerProperties,Scheduled,scheduleExpression}', '%s') WHERE flow_name = 'bad-%d'}, $bad[$i], $i + 1);
}
sql(q{UPDATE appflow.flow SET definition = '"nothing"' WHERE flow_name = 'bad-4'});
minute();
eventually(q{SELECT count(*) = 4 FROM appflow.flow WHERE flow_name LIKE 'bad-%' AND status = 'Errored'}, 'are Errored');
like(sql(q{SELECT status_message FROM appflow.flow WHERE flow_name = 'bad-1'}), qr/The flow has no schedule that can be carried out: .*every now and then.* Update the flow/, 'and say why');
eventually(q{SELECT count(*) >= 3 FROM appflow.flow_executions WHERE flow_name = 'good' AND execution_status = 'Successful'}, 'the good one goes on');
is(sql(q{SELECT count(*) FROM appflow.flow_execution WHERE flow_name LIKE 'bad-%'}), 4, 'the bad ones do not');
is(scheduler(), $scheduler, 'the scheduler is the same all the time');

# ---------- without a free worker ----------

sql(q{ALTER SYSTEM SET max_worker_processes = 3});
$node->restart;
minute();
my $waits = qr/scheduled runs wait for a worker: no background worker slot is free, see max_worker_processes/;
for (1 .. 300) { last if slurp_file($node->logfile) =~ $waits; sleep 0.1 }
like(slurp_file($node->logfile), $waits, 'with no worker to be had the run waits, and the log says why');
cmp_ok(sql(q{SELECT count(*) FROM appflow.flow_progress WHERE phase = 'Queued'}), '>', 0, 'as the view does');
sql(q{ALTER SYSTEM RESET max_worker_processes});
$node->restart;
eventually(q{SELECT count(*) = 0 FROM appflow.flow_progress}, 'and is carried out later');
$node->stop;

# ---------- pg_upgrade ----------

my $log = $node->logfile;
my $where = (stat $log)[7];
$node->command_ok([ 'pg_ctl', '-s', '-w', '-D', $node->data_dir, '-l', $log, '-o', '-b', 'start' ], 'started as pg_upgrade does');
sleep 2;
my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
my $children = `ps -o args= --ppid $postmaster`;
unlike($children, qr/appflow/, 'no launcher, no scheduler, no worker');
like($children, qr/checkpointer/, 'of a server that is there');
system('pg_ctl', '-s', '-w', '-D', $node->data_dir, 'stop');
done_testing();
