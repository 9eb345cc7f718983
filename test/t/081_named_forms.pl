# The three ways to call an operation: with the wire form as jsonb, with it as a
# literal, with the members as parameters; and all that is offered is accepted.
use strict;
use warnings;
use AppflowTest::Operations;
use Test::More;

my $node = AppflowTest::Operations->node('named');

sub sql
{
	my ($statement) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET client_min_messages = error; $statement");
	return $status ? $err : $out;
}

my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/inbox";
open my $f, '>', "$root/inbox/1.json" or die;
print $f qq({"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n);
close $f;
sql("SELECT appflow.create_object_store('local', 'file://$root', '{inbox}'); CREATE TABLE public.t (id int PRIMARY KEY, name text)");

# ---------- every operation has both forms ----------

is(sql(q{SELECT count(*), count(DISTINCT proname) FROM pg_proc
	WHERE pronamespace = 'appflow'::regnamespace AND obj_description(oid) ~ '^[A-Z]\w+:' AND pronargs = 1}), '25|25', '25 operations in wire form');
is(sql(q{SELECT count(*), count(DISTINCT proname), bool_and(proargtypes[0] = 'text'::regtype) FROM pg_proc
	WHERE pronamespace = 'appflow'::regnamespace AND obj_description(oid) ~ 'with its members as parameters'}), '25|25|t', '25 with parameters, the first of type text');
is(sql(q{SELECT proname FROM pg_proc WHERE pronamespace = 'appflow'::regnamespace AND prorettype = 'jsonb'::regtype AND obj_description(oid) IS NULL}), '', 'all are described');

# ---------- each of the 25, in both forms ----------

my $flow = q("triggerConfig": {"triggerType": "OnDemand"},
	"sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "inbox", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
	"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.t"}}}],
	"tasks": [{"taskType": "Map_all", "sourceFields": [], "taskProperties": {}}]);
my $members = q(trigger_config => '{"triggerType": "OnDemand"}',
	source_flow_config => '{"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "inbox", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}}',
	destination_flow_config_list => '[{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.t"}}}]',
	tasks => '[{"taskType": "Map_all", "sourceFields": [], "taskProperties": {}}]');
my $config = q({"connectorProfileProperties": {"Singular": {}}, "connectorProfileCredentials": {"Singular": {"apiKey": "k"}}});
my $provisioning = q({"lambda": {"lambdaArn": "arn:aws:postgresql:us-east-1:000000000000:function:test.crm"}});
my $arn = 'arn:aws:appflow:us-east-1:000000000000:flow/%s';

# operation, the request with %s for a name, the call with %s for a name
my @calls = (
	[ 'create_flow', qq({"flowName": "%s", $flow}), qq(flow_name => '%s', $members) ],
	[ 'update_flow', qq({"flowName": "%s", $flow}), qq('%s', $members) ],
	[ 'describe_flow', '{"flowName": "%s"}', q('%s') ],
	[ 'start_flow', '{"flowName": "%s"}', q(flow_name => '%s') ],
	[ 'stop_flow', '{"flowName": "%s"}', q('%s') ],
	[ 'describe_flow_execution_records', '{"flowName": "%s", "maxResults": 5}', q('%s', max_results => 5) ],
	[ 'cancel_flow_executions', '{"flowName": "%s"}', q('%s') ],
	[ 'list_flows', '{"maxResults": 3}', 'max_results => 3' ],
	[ 'tag_resource', qq({"resourceArn": "$arn", "tags": {"a": "b"}}), qq('$arn', '{"a": "b"}') ],
	[ 'list_tags_for_resource', qq({"resourceArn": "$arn"}), qq('$arn') ],
	[ 'untag_resource', qq({"resourceArn": "$arn", "tagKeys": ["a", "c"]}), qq('$arn', '{a,c}') ],
	[ 'delete_flow', '{"flowName": "%s", "forceDelete": true}', q('%s', force_delete => true) ],
	[ 'create_connector_profile', qq({"connectorProfileName": "%s", "connectorType": "Singular", "connectionMode": "Public", "connectorProfileConfig": $config}),
		qq('%s', 'Singular', 'Public', '$config') ],
	[ 'update_connector_profile', qq({"connectorProfileName": "%s", "connectionMode": "Public", "connectorProfileConfig": $config}),
		qq('%s', connection_mode => 'Public', connector_profile_config => '$config') ],
	[ 'describe_connector_profiles', '{"connectorProfileNames": ["%s"]}', q(connector_profile_names => '{%s}') ],
	[ 'delete_connector_profile', '{"connectorProfileName": "%s"}', q('%s') ],
	[ 'describe_connector', '{"connectorType": "Slack"}', q('Slack') ],
	[ 'describe_connectors', '{"connectorTypes": ["Slack"]}', q(connector_types => '{Slack}') ],
	[ 'list_connectors', '{"maxResults": 2}', 'max_results => 2' ],
	[ 'register_connector', qq({"connectorLabel": "%s", "connectorProvisioningType": "LAMBDA", "connectorProvisioningConfig": $provisioning}),
		qq('%s', connector_provisioning_type => 'LAMBDA', connector_provisioning_config => '$provisioning') ],
	[ 'update_connector_registration', '{"connectorLabel": "%s", "description": "d"}', q('%s', description => 'd') ],
	[ 'unregister_connector', '{"connectorLabel": "%s"}', q('%s') ],
	[ 'list_connector_entities', '{"connectorProfileName": "PostgreSQL", "entitiesPath": "public"}', q('PostgreSQL', entities_path => 'public') ],
	[ 'describe_connector_entity', '{"connectorProfileName": "PostgreSQL", "connectorEntityName": "public.t"}', q('public.t', connector_profile_name => 'PostgreSQL') ],
	[ 'reset_connector_metadata_cache', '{"connectorProfileName": "PostgreSQL"}', q('PostgreSQL') ]);

is(scalar(@calls), 25, 'all 25');
my %seen;
foreach (@calls)
{
	my ($operation, $request, $parameters) = @$_;
	my @answers;
	$seen{$operation}++;
	foreach ([ 'aa', "'$request'::jsonb" ], [ 'bb', "'\n $request'" ], [ 'cc', $parameters ])
	{
		my ($name, $argument) = @$_;
		# a literal of the wire form finds the other signature only if that can be called with one argument
		$argument =~ s/%s/$name/g;
		my $answer = sql("SELECT appflow.$operation($argument)");
		$answer =~ s/\b(aa|bb|cc)\b/NAME/g;
		$answer =~ s/"(createdAt|lastUpdatedAt|executionId|mostRecentExecutionTime|startedAt|nextToken|flowStatusMessage)": ("[^"]*"|[\d.]+)/"$1": X/g;
		$answer =~ s/-[0-9a-f]{6}"/-X"/g;
		$answer = 'error ' . ($answer =~ /ERROR:  (.*)/)[0] if $answer =~ /ERROR/;
		push @answers, $answer;
	}
	if ($operation =~ /^(list_flows|describe_flow_execution_records)$/)
	{
		ok(!grep({ !/^\{"(flows|flowExecutions|nextToken)"/ } @answers), "$operation answers in every form") or diag explain \@answers;
		next;
	}
	like($answers[0], $operation eq 'stop_flow' ? qr/^error flow "NAME" runs on demand/ : qr/^\{/, "$operation answers");
	is($answers[1], $answers[0], "$operation, with a literal");
	is($answers[2], $answers[0], "$operation, with parameters");
}
is(scalar(keys %seen), 25, 'each once');

# calls as people write them
is(sql(q{SELECT appflow.list_flows() ? 'flows'}), 't', 'list_flows()');
is(sql(q{SELECT appflow.list_flows('{}') ? 'flows'}), 't', q(list_flows('{}')));
is(sql(q{SELECT appflow.list_flows('{}'::jsonb) ? 'flows'}), 't', 'list_flows of jsonb');
is(sql(q{SELECT appflow.list_flows(request => '{}') ? 'flows'}), 't', 'list_flows(request => ...)');
like(sql(q{SELECT appflow.start_flow('nobody')}), qr/Flow with name nobody does not exist/, 'start_flow(name)');
like(sql(q{SELECT appflow.start_flow(flow_name => 'nobody')}), qr/Flow with name nobody does not exist/, 'start_flow(flow_name => name)');
like(sql(q{SELECT appflow.start_flow('{"flowName": "nobody"}')}), qr/Flow with name nobody does not exist/, 'start_flow of the wire form');
like(sql(q{PREPARE p (jsonb) AS SELECT appflow.start_flow($1); EXECUTE p('{"flowName": "nobody"}')}), qr/Flow with name nobody does not exist/, 'as a parameter');
like(sql(q{SELECT appflow.describe_flow(NULL::text)}), qr/flowName/, 'null is a missing member');
like(sql(q[SELECT appflow.describe_flow('{not json')]), qr/invalid input syntax for type json/, 'what begins as an object must be one');

# ---------- rights ----------

sql('CREATE ROLE carl; CREATE ROLE dora; GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO dora; SELECT appflow.grant_object_store($$local$$, $$dora$$); GRANT INSERT, SELECT ON public.t TO dora');
like(sql(qq(SET ROLE carl; SELECT appflow.create_flow('carls', $members))), qr/permission denied for function create_flow/, 'who may not call one form may not call the other');
like(sql(qq(SET ROLE dora; SELECT appflow.create_flow('doras', $members))), qr/"flowStatus": "Active"/, 'who may, may');
is(sql(q{SELECT owner FROM appflow.flows WHERE flow_name = 'doras'}), 'dora', 'and owns what is made');

# ---------- what is offered is accepted ----------

# every pair of connectors with every trigger, as create_flow judges it: WF400 if the
# pair cannot be, something else if it can
sql(q{ALTER DATABASE postgres SET appflow.lookoutmetrics_bucket = 'bucket'});
sql(q{
	INSERT INTO appflow.connector_profile (connector_profile_name, owner, connector_type, connector_label, connection_mode, properties, has_credentials, created_by)
	SELECT 'pair-' || t, 'postgres'::regrole, t, CASE t WHEN 'CustomConnector' THEN 'crm' END, 'Public', '{}', false, 'x' FROM unnest(appflow.connector_types()) t;
	CREATE TABLE test.pair AS
	SELECT s.t AS source, d.t AS destination, g.t AS trigger,
		test.outcome(format('SELECT appflow.create_flow(%L::jsonb)', jsonb_build_object('flowName', 'x-' || s.t || d.t || g.t,
			'triggerConfig', jsonb_build_object('triggerType', g.t) || CASE g.t WHEN 'Scheduled'
				THEN '{"triggerProperties": {"Scheduled": {"scheduleExpression": "rate(1days)"}}}' ELSE '{}'::jsonb END,
			'sourceFlowConfig', jsonb_build_object('connectorType', s.t, 'connectorProfileName', 'pair-' || s.t,
				'sourceConnectorProperties', jsonb_build_object(CASE s.t WHEN 'Googleanalytics' THEN 'GoogleAnalytics' WHEN 'Servicenow' THEN 'ServiceNow'
					WHEN 'Infornexus' THEN 'InforNexus' ELSE s.t END, CASE s.t WHEN 'S3' THEN '{"bucketName": "inbox", "bucketPrefix": "x"}' WHEN 'SAPOData' THEN '{"objectPath": "x"}'
					WHEN 'CustomConnector' THEN '{"entityName": "x"}' ELSE '{"object": "x"}' END::jsonb)),
			'destinationFlowConfigList', jsonb_build_array(jsonb_build_object('connectorType', d.t, 'connectorProfileName', 'pair-' || d.t,
				'destinationConnectorProperties', jsonb_build_object(d.t,
					'{"object": "x", "bucketName": "upsolver-appflow-x", "bucketPrefix": "x", "intermediateBucketName": "bucket", "entityName": "x", "objectPath": "x", "domainName": "domain",
					"s3OutputFormatConfig": {"prefixConfig": {"prefixType": "PATH"}}}'::jsonb || CASE d.t WHEN 'Honeycode' THEN '{"object": "x/y"}' ELSE '{}' END::jsonb))),
			'tasks', '[{"taskType": "Map_all", "sourceFields": [], "taskProperties": {}}]'::jsonb))) AS outcome
	FROM unnest(appflow.connector_types()) s (t), unnest(appflow.connector_types()) d (t), unnest('{OnDemand,Scheduled,Event}'::text[]) g (t)
	WHERE (appflow.connector_configuration(s.t) ->> 'canUseAsSource')::boolean
		AND (appflow.connector_configuration(d.t) ->> 'canUseAsDestination')::boolean;
});
my $offered = q{(appflow.connector_configuration(source) -> 'supportedDestinationConnectors' ? destination
	AND appflow.connector_configuration(source) -> 'supportedTriggerTypes' ? trigger
	AND (destination <> 'EventBridge' OR trigger = 'Event') AND (destination <> 'LookoutMetrics' OR trigger = 'Scheduled'))};
is(sql("SELECT source, destination, trigger, outcome FROM test.pair WHERE outcome LIKE 'WF400%' AND $offered LIMIT 5"), '', 'what is offered is not refused');
is(sql("SELECT source, destination, trigger, outcome FROM test.pair WHERE outcome NOT LIKE 'WF400%' AND NOT $offered LIMIT 5"), '', 'what is not offered is');
like(sql('SELECT count(*) FROM test.pair'), qr/^[5-9]\d\d$|^\d{4}$/, 'in all pairs');
is(sql("SELECT DISTINCT left(outcome, 5) FROM test.pair WHERE $offered AND 'CustomConnector' NOT IN (source, destination)"), '{"flo', 'all others run');
is(sql("SELECT DISTINCT outcome FROM test.pair WHERE $offered AND 'CustomConnector' IN (source, destination)"), 'WF404 connector "crm" of connector profile "pair-CustomConnector" is not registered any more', 'but those with a connector that is not there');

# ---------- sync ----------

sql('DROP TABLE public.t; CREATE TABLE public.t (id int PRIMARY KEY, name text, n numeric(8, 2)); INSERT INTO public.t VALUES (1, $$a$$, 1.5), (2, $$b$$, NULL)');
like(sql(q{SELECT appflow.sync('PostgreSQL', 'public.t', 'public.copy')}), qr/"flowName": "PostgreSQL-public\.t", "flowStatus": "Active"/, 'a table');
sql(q{CALL appflow.run_flow('PostgreSQL-public.t')});
sql(q{UPDATE public.t SET name = 'changed' WHERE id = 1; INSERT INTO public.t VALUES (3, 'c')});
sql(q{CALL appflow.run_flow('PostgreSQL-public.t')});
is(sql('SELECT * FROM public.copy ORDER BY id'), "1|changed|1.50\n2|b|\n3|c|", 'records are matched by key');
is(sql(q{SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'public.copy'::regclass AND attnum > 0}), "integer\ntext\nnumeric(8,2)", 'in columns of proper types');
is(sql(q{SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'public.copy'::regclass}), 'PRIMARY KEY (id)', 'with the key');
sql(q{ALTER TABLE public.t ADD more date DEFAULT '2024-05-06'});
like(sql(q{SELECT appflow.sync('PostgreSQL', 'public.t', 'public.copy')}), qr/"flowStatus": "Active"/, 'again');
is(sql(q{SELECT count(*) FROM appflow.flows WHERE flow_name = 'PostgreSQL-public.t'}), 1, 'it is the same flow');
sql(q{CALL appflow.run_flow('PostgreSQL-public.t')});
is(sql('SELECT DISTINCT more FROM public.copy'), '2024-05-06', 'new columns are added');
like(sql(q{SELECT appflow.sync('S3', 'inbox', 'loaded', file_type => 'json')}), qr/"flowName": "S3-inbox"/, 'a bucket, into the default schema');
sql(q{CALL appflow.run_flow('S3-inbox')}) foreach 1 .. 2;
is(sql('SELECT count(*) FROM public.loaded'), 2, 'without a key every run replaces all');
like(sql(q{SELECT appflow.sync('S3', 'inbox', 'public.keyed', flow_name => 'keyed', key => '{id}')}), qr/"flowName": "keyed"/, 'with a key that is told');
sql(q{CALL appflow.run_flow('keyed')}) foreach 1 .. 2;
is(sql('SELECT count(*) FROM public.keyed'), 2, 'each record once');
like(sql(q{SELECT appflow.sync('PostgreSQL', 'public.t', 'public.copy', schedule => 'rate(5minutes)'); SELECT trigger_type || flow_status FROM appflow.flows WHERE flow_name = 'PostgreSQL-public.t'}), qr/ScheduledActive$/, 'a schedule');
is(sql(q{SELECT appflow.sync('PostgreSQL', 'public.t', 'public.copy', schedule => 'rate(5minutes)', datetime_field => 'more') ->> 'flowStatus';
	SELECT f #>> '{triggerConfig,triggerProperties,Scheduled,dataPullMode}', f #> '{sourceFlowConfig,incrementalPullConfig}' FROM appflow.describe_flow('{"flowName": "PostgreSQL-public.t"}') f}),
	qq{Active\nIncremental|{"datetimeTypeFieldName": "more"}}, 'a schedule that pulls what is new');
is(sql(q{SELECT appflow.sync('PostgreSQL', 'public.t', 'public.copy', schedule => 'rate(5minutes)') ->> 'flowStatus';
	SELECT f #>> '{triggerConfig,triggerProperties,Scheduled,dataPullMode}', f #> '{sourceFlowConfig,incrementalPullConfig}' FROM appflow.describe_flow('{"flowName": "PostgreSQL-public.t"}') f}),
	qq{Active\nComplete|}, 'and everything again');
like(sql(q{SELECT appflow.sync('PostgreSQL', 'public.t', 'public.copy', datetime_field => 'more')}), qr/datetime_field is for flows with a schedule/, 'what is new, but when');
sql('CREATE TABLE public.keyless (changed date)');
like(sql(q{SELECT appflow.sync('PostgreSQL', 'public.keyless', 'public.other', schedule => 'rate(5minutes)', datetime_field => 'changed')}), qr/datetime_field needs a key/, 'what is new, but of what');
like(sql(q{SELECT appflow.sync('PostgreSQL', 'public.nothing', 'public.copy')}), qr/does not exist/, 'of nothing');
like(sql(q{SELECT appflow.sync('nobody', 'x', 'public.copy')}), qr/Connector Profile with name nobody does not exist/, 'of nobody');
like(sql(q{SELECT appflow.sync('pair-Honeycode', 'x', 'public.copy', key => '{id}')}), qr/Honeycode/, 'of what cannot connect');
like(sql(q{SET ROLE carl; SELECT appflow.sync('PostgreSQL', 'public.t', 'public.copy', flow_name => 'new')}), qr/permission denied/, 'by whom');

done_testing();
