# Ten sessions create, start, update and delete the same flows and profiles at
# once, and repeat calls with the same client tokens: whatever each is told, what
# is left is consistent.
use strict;
use warnings;
use AppflowTest::Operations;
use Test::More;

my $sessions = 10;
my $rounds = 30;
my $node = AppflowTest::Operations->node('many', 'max_connections = 60');

sub sql
{
	my ($statement) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET client_min_messages = error; $statement");
	return $status ? $err : $out;
}

sql(q{CREATE TABLE public.source (id int PRIMARY KEY, name text); INSERT INTO public.source SELECT n, n FROM generate_series(1, 50) n;
	CREATE TABLE public.target (id int PRIMARY KEY, name text);
	CREATE TABLE test.told (session int, operation text, outcome text);
	CREATE FUNCTION test.definition(name text, field text) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('flowName', name,
		'triggerConfig', '{"triggerType": "OnDemand"}'::jsonb,
		'sourceFlowConfig', '{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"sourceConnectorProperties": {"CustomConnector": {"entityName": "public.source"}}}'::jsonb,
		'destinationFlowConfigList', '[{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.target", "writeOperationType": "UPSERT", "idFieldNames": ["id"]}}}]'::jsonb,
		'tasks', jsonb_build_array('{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id", "taskProperties": {}}'::jsonb,
			jsonb_build_object('taskType', 'Map', 'sourceFields', jsonb_build_array(field), 'destinationField', 'name', 'taskProperties', '{}'::jsonb)));
	CREATE PROCEDURE test.session(session int, rounds int) LANGUAGE plpgsql AS $$
	DECLARE
		operation text;
		name text;
		statement text;
		result text;
		config jsonb = '{"connectorProfileProperties": {"Singular": {}}, "connectorProfileCredentials": {"Singular": {"apiKey": "k"}}}';
	BEGIN
		PERFORM setseed(session / 100.0);
		FOR round IN 1 .. rounds LOOP
			name = 'f' || 1 + floor(random() * 4);
			operation = (ARRAY['create', 'create', 'start', 'start', 'update', 'delete', 'describe', 'cancel', 'profile', 'unprofile', 'tag', 'token'])[1 + floor(random() * 12)];
			statement = CASE operation
				WHEN 'create' THEN format('SELECT appflow.create_flow(%L::jsonb)', test.definition(name, 'name'))
				WHEN 'update' THEN format('SELECT appflow.update_flow(%L::jsonb)', test.definition(name, CASE WHEN random() < 0.5 THEN 'name' ELSE 'id' END))
				WHEN 'start' THEN format('SELECT appflow.start_flow(%L)', name)
				WHEN 'delete' THEN format('SELECT appflow.delete_flow(%L)', name)
				WHEN 'describe' THEN format('SELECT appflow.describe_flow(%L)', name)
				WHEN 'cancel' THEN format('SELECT appflow.cancel_flow_executions(%L)', name)
				WHEN 'profile' THEN format('SELECT appflow.create_connector_profile(%L, ''Singular'', ''Public'', %L)', name, config)
				WHEN 'unprofile' THEN format('SELECT appflow.delete_connector_profile(%L)', name)
				WHEN 'tag' THEN format('SELECT appflow.tag_resource(''arn:aws:appflow:us-east-1:000000000000:flow/%s'', ''{"s%s": "x"}'')', name, session)
				ELSE format('SELECT appflow.create_flow(%L::jsonb)', test.definition('once', 'name') || '{"clientToken": "the same"}')
			END;
			result = test.outcome(statement);
			INSERT INTO test.told VALUES (session, operation, result);
			COMMIT;
		END LOOP;
	END $$;});

my @running = map {
	my $session = $_;
	my ($in, $out, $err) = ('', '', '');
	my $handle = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c', "CALL test.session($session, $rounds)" ],
		'<', \undef, '>', \my $stdout, '2>', \my $stderr);
	[ $handle, \$stdout, \$stderr ];
} 1 .. $sessions;
my $failed = '';
foreach (@running)
{
	IPC::Run::finish($_->[0]) or $failed .= ${ $_->[2] };
}
is($failed, '', 'all sessions come to their end');
is(sql('SELECT count(*) FROM test.told'), $sessions * $rounds, 'each call was answered');
is(sql(q{SELECT DISTINCT operation, outcome FROM test.told
	WHERE outcome ~ '^[0-9A-Z]{5} ' AND outcome !~ '^(WF404|WF409|40001) ' LIMIT 5}), '', 'with a result, or with ResourceNotFound or Conflict');
is(sql(q{SELECT operation, outcome FROM test.told WHERE outcome ~ '^40001 ' AND operation <> 'token' LIMIT 5}), '', 'only the use of one token at one moment asks to repeat');
is(sql(q{SELECT count(*) FROM appflow.flows WHERE flow_name = 'once'}), 1, 'the call with one token was carried out once');
is(sql(q{SELECT count(DISTINCT outcome) FROM test.told WHERE operation = 'token' AND outcome NOT LIKE '40001%'}), 1, 'and all got its answer');
is(sql(q{SELECT count(*) FROM (SELECT outcome::jsonb -> 'flowArn', count(*) FILTER (WHERE operation = 'create') - count(*) FILTER (WHERE operation = 'delete') AS left
		FROM (SELECT operation, CASE WHEN operation IN ('create') THEN outcome END AS outcome FROM test.told WHERE outcome LIKE '_"%' AND operation = 'create') x GROUP BY 1) y WHERE "left" < 0}), 0, 'nothing is deleted more often than created');
is(sql(q{SELECT (SELECT count(*) FROM test.told WHERE operation = 'create' AND outcome LIKE '_"%') - (SELECT count(*) FROM test.told WHERE operation = 'delete' AND outcome = '{}')
	= (SELECT count(*) FROM appflow.flows WHERE flow_name LIKE 'f%')}), 't', 'flows that are there are those created and not deleted');
is(sql(q{SELECT (SELECT count(*) FROM test.told WHERE operation = 'profile' AND outcome LIKE '_"%') - (SELECT count(*) FROM test.told WHERE operation = 'unprofile' AND outcome = '{}')
	= (SELECT count(*) FROM appflow.connector_profile)}), 't', 'and so are profiles');
is(sql(q{SELECT count(*) FROM appflow.secret s FULL JOIN appflow.connector_profile p ON p.connector_profile_name = s.name
	WHERE p.connector_profile_name IS NULL OR s.name IS NULL}), 0, 'each with its secret, no secret without one');
$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM appflow.flow_executions WHERE execution_status IN ('InProgress', 'CancelStarted'))});
is(sql(q{SELECT DISTINCT execution_status, execution_message FROM appflow.flow_executions
	WHERE execution_status NOT IN ('Successful', 'Canceled') LIMIT 3}), '', 'all runs came to their end');
is(sql(q{SELECT count(*) FROM appflow.flow_execution e LEFT JOIN appflow.flow f USING (flow_id) WHERE f.flow_id IS NULL}), 0, 'no run without its flow');
is(sql(q{SELECT bool_and(test.outcome(format('SELECT appflow.describe_flow(%L)', flow_name)) LIKE '_"%') FROM appflow.flows}), 't', 'every flow that is left can be described');
is(sql(q{SELECT test.outcome($$SELECT appflow.create_flow('{"flowName": "last"}'::jsonb || test.definition('last', 'name'))$$) LIKE '_"%'}), 't', 'and work goes on');

done_testing();
