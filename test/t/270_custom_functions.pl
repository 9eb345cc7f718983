# Custom connectors that are SQL functions, as sources and destinations of flows: pages,
# filters, incremental pulls, writes of each kind, records that are rejected, and all
# the errors of the protocol.
use strict;
use warnings;

use AppflowTest::Flows ();
use JSON::PP ();
use Test::More;

my $flows = AppflowTest::Flows->new('custom');
sub sql { return $flows->sql($_[0]) }

sql(q{
SET client_min_messages = warning;
CREATE SCHEMA test;
CREATE TABLE test.remote (id text PRIMARY KEY, name text, price numeric, updated timestamptz, tags jsonb);
CREATE TABLE test.seen (n serial, request jsonb);
CREATE TABLE test.misbehaviour (n serial, type text, answer text);
CREATE FUNCTION test.field(name text, type text, operators jsonb, more jsonb DEFAULT '{}', nullable boolean DEFAULT true) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT jsonb_build_object('fieldName', name, 'dataType', type, 'label', initcap(name), 'filterOperators', operators,
		'isPrimaryKey', name = 'id',
		'readProperties', jsonb_build_object('isRetrievable', true, 'isQueryable', true, 'isNullable', nullable) || more,
		'writeProperties', jsonb_build_object('isCreatable', true, 'supportedWriteOperations', '["INSERT", "UPSERT", "UPDATE", "DELETE"]'::jsonb))
$$;
CREATE FUNCTION test.crm(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	kind text := request ->> 'type';
	wrong test.misbehaviour;
	page bigint := coalesce((request ->> 'nextToken')::bigint, 0);
	size bigint := (request ->> 'maxResults')::bigint;
	records jsonb;
	total bigint;
	results jsonb := '[]';
	record jsonb;
	failures int := 0;
	changed int;
	secret jsonb;
BEGIN
	INSERT INTO test.seen (request) VALUES (request);
	IF request #>> '{connectorContext,credentials,secretArn}' IS NOT NULL THEN
		secret := appflow.connector_credentials(request #>> '{connectorContext,credentials,secretArn}');
		IF secret ->> 'apiKey' IS DISTINCT FROM 'right' THEN
			RETURN '{"isSuccess": false, "errorDetails": {"errorCode": "InvalidCredentials", "errorMessage": "wrong key"}}';
		END IF;
	END IF;
	DELETE FROM test.misbehaviour m WHERE m.n = (SELECT min(n) FROM test.misbehaviour WHERE type = kind) RETURNING * INTO wrong;
	IF wrong.answer IS NOT NULL AND wrong.answer <> '' THEN
		IF wrong.answer = 'RAISE' THEN RAISE EXCEPTION 'the function broke'; END IF;
		RETURN wrong.answer::jsonb;
	END IF;
	CASE kind
		WHEN 'DescribeConnectorConfigurationRequest' THEN
			RETURN '{"isSuccess": true, "connectorOwner": "acme", "connectorName": "CRM", "connectorVersion": "1.0",
				"connectorModes": ["SOURCE", "DESTINATION"], "supportedApiVersions": ["v1"],
				"authenticationConfig": {"isApiKeyAuthSupported": true}}';
		WHEN 'ValidateConnectorRuntimeSettingsRequest', 'ValidateCredentialsRequest' THEN
			RETURN '{"isSuccess": true}';
		WHEN 'ListEntitiesRequest' THEN
			RETURN '{"isSuccess": true, "entities": [{"entityIdentifier": "Item", "label": "Items", "hasNestedEntities": false}]}';
		WHEN 'DescribeEntityRequest' THEN
			IF request ->> 'entityIdentifier' <> 'Item' THEN
				RETURN '{"isSuccess": false, "errorDetails": {"errorCode": "InvalidArgument", "errorMessage": "no such entity"}}';
			END IF;
			RETURN jsonb_build_object('isSuccess', true, 'entityDefinition', jsonb_build_object(
				'entity', '{"entityIdentifier": "Item"}'::jsonb, 'fields', jsonb_build_array(
				test.field('id', 'String', '["EQUAL_TO"]', '{}', false),
				test.field('name', 'String', '["EQUAL_TO", "CONTAINS", "NOT_EQUAL_TO"]'),
				test.field('price', 'BigDecimal', '["GREATER_THAN", "LESS_THAN", "GREATER_THAN_OR_EQUAL_TO", "LESS_THAN_OR_EQUAL_TO", "BETWEEN", "EQUAL_TO"]'),
				test.field('updated', 'DateTime', '["GREATER_THAN", "LESS_THAN", "GREATER_THAN_OR_EQUAL_TO"]', '{"isTimestampFieldForIncrementalQueries": true}'),
				test.field('tags', 'Struct', '[]'))));
		WHEN 'QueryDataRequest' THEN
			SELECT coalesce(jsonb_agg(to_jsonb((SELECT jsonb_object_agg(k, to_jsonb(r) -> k)::text FROM jsonb_array_elements_text(request -> 'selectedFieldNames') k)) ORDER BY id), '[]')
				INTO records FROM (SELECT * FROM test.remote ORDER BY id OFFSET page LIMIT size) r;
			SELECT count(*) INTO total FROM test.remote;
			RETURN jsonb_build_object('isSuccess', true, 'records', records, 'nextToken', CASE WHEN page + size < total THEN (page + size)::text END);
		WHEN 'WriteDataRequest' THEN
			FOR record IN SELECT r::jsonb FROM jsonb_array_elements_text(request -> 'records') r LOOP
				changed := 1;
				IF record ->> 'name' = 'bad' THEN
					failures := failures + 1;
					results := results || jsonb_build_array(jsonb_build_object('isSuccess', false, 'recordId', record ->> 'id', 'errorMessage', 'name is bad'));
					CONTINUE;
				END IF;
				CASE request ->> 'operation'
					WHEN 'INSERT' THEN
						INSERT INTO test.remote SELECT * FROM jsonb_populate_record(NULL::test.remote, record) ON CONFLICT DO NOTHING;
						GET DIAGNOSTICS changed = ROW_COUNT;
					WHEN 'UPSERT' THEN
						INSERT INTO test.remote SELECT * FROM jsonb_populate_record(NULL::test.remote, record)
							ON CONFLICT (id) DO UPDATE SET name = excluded.name, price = excluded.price;
					WHEN 'UPDATE' THEN
						UPDATE test.remote SET name = record ->> 'name' WHERE id = record ->> 'id';
						GET DIAGNOSTICS changed = ROW_COUNT;
					WHEN 'DELETE' THEN
						DELETE FROM test.remote WHERE id = record ->> 'id';
						GET DIAGNOSTICS changed = ROW_COUNT;
				END CASE;
				IF changed = 0 THEN
					failures := failures + 1;
				END IF;
				results := results || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('isSuccess', changed = 1, 'recordId', record ->> 'id',
					'errorMessage', CASE WHEN changed = 0 THEN 'no such record, or one too many' END)));
			END LOOP;
			IF failures = 0 THEN
				RETURN jsonb_build_object('isSuccess', true, 'writeRecordResults', results);
			END IF;
			RETURN jsonb_build_object('isSuccess', false, 'writeRecordResults', results,
				'errorDetails', jsonb_build_object('errorCode', 'PartialWriteFailure', 'errorMessage', failures || ' failed'));
	END CASE;
END $$;
SELECT appflow.register_connector('crm', connector_provisioning_type => 'LAMBDA',
	connector_provisioning_config => jsonb_build_object('lambda', jsonb_build_object('lambdaArn', appflow.function_arn('test.crm(jsonb)'))));
SELECT appflow.create_connector_profile('my-crm', 'CustomConnector', 'Public', connector_label => 'crm',
	connector_profile_config => '{"connectorProfileProperties": {"CustomConnector": {"profileProperties": {"instance": "one"}}}}');
CREATE TABLE test.copy (id text PRIMARY KEY, name text, price numeric, updated timestamptz, tags jsonb);
INSERT INTO test.remote SELECT 'i' || lpad(i::text, 5, '0'), 'Näme ' || i || E' "\\\''', i / 4.0, '2026-01-01 00:00:00Z'::timestamptz + i * interval '1 minute', jsonb_build_object('n', i)
	FROM generate_series(1, 4500) i;
});

my $number = 0;
my $table = { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
	destinationConnectorProperties => { CustomConnector => { entityName => 'test.copy' } } };
sub task
{
	my ($type, $fields, $destination, $operator, %properties) = @_;
	return { taskType => $type, sourceFields => $fields, connectorOperator => { CustomConnector => $operator // 'NO_OP' },
		taskProperties => \%properties, defined $destination ? (destinationField => $destination) : () };
}
my @map = map { task('Map', [$_], $_) } qw(id name price updated tags);
sub rows { my ($field, $operator, %properties) = @_; return task('Filter', [$field], undef, $operator, %properties); }

# run a flow that reads from the connector; what became of it
sub pull
{
	my (%args) = @_;
	my $name = 'pull' . ++$number;
	sql('TRUNCATE test.copy, test.seen');
	return moved({ flowName => $name, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => $args{profile} // 'my-crm', apiVersion => 'v1',
			sourceConnectorProperties => { CustomConnector => { entityName => $args{entity} // 'Item', %{ $args{properties} // {} } } } },
		destinationFlowConfigList => [ $args{to} // $table ],
		tasks => [ task('Filter', [ map { $_->{sourceFields}[0] } @{ $args{map} // \@map } ], undef, 'PROJECTION'), @{ $args{rows} // [] }, @{ $args{map} // \@map } ] });
}
# what a run has used up of the misbehaviour comes back when it fails
sub moved
{
	my $run = $flows->move(definition => $_[0]);
	sql('TRUNCATE test.misbehaviour');
	return $run;
}
sub misbehave { my ($type, $answer) = @_; sql("INSERT INTO test.misbehaviour (type, answer) VALUES ('${type}Request', \$a\$$answer\$a\$)"); return; }
my $different = q{(SELECT count(*) FROM ((TABLE test.remote EXCEPT TABLE test.copy) UNION ALL (TABLE test.copy EXCEPT TABLE test.remote)) x)};

# ---------- reading ----------

my $run = pull();
is("$run->{status} $run->{processed} $run->{failed}", 'Successful 4500 0', 'all pages into a table') or diag($run->{refused} // $run->{message});
is(sql("SELECT $different"), '0', 'every value as it was');
is(sql(q{SELECT string_agg(request ->> 'nextToken', ' ' ORDER BY n), count(*) FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest'}), '1000 2000 3000 4000|5', 'five pages, one after the other');
is(sql(q{SELECT request - 'connectorContext' FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest' ORDER BY n LIMIT 1}),
	'{"type": "QueryDataRequest", "nextToken": null, "maxResults": 1000, "entityIdentifier": "Item", "filterExpression": null, "selectedFieldNames": ["id", "name", "price", "updated", "tags"]}', 'the request');
is(sql(q{SELECT request #>> '{connectorContext,flowName}', request #>> '{connectorContext,apiVersion}', request #>> '{connectorContext,connectorRuntimeSettings,instance}',
	request #>> '{connectorContext,connectorProfileLabel}', request #>> '{connectorContext,entityDefinition,fields,0,fieldName}', length(request #>> '{connectorContext,executionId}')
	FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest' ORDER BY n LIMIT 1}), "pull1|v1|one|my-crm|id|36", 'and its context');

$run = pull(properties => { customProperties => { depth => '2', instance => 'two' } });
is(sql(q{SELECT request #> '{connectorContext,connectorRuntimeSettings}' FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest' LIMIT 1}), '{"depth": "2", "instance": "two"}', "settings of the flow go over those of the profile");

$run = pull(to => { connectorType => 'S3', destinationConnectorProperties => { S3 => { bucketName => 'target', bucketPrefix => 'parquet', s3OutputFormatConfig => { fileType => 'PARQUET' } } } });
is("$run->{status} $run->{processed}", 'Successful 4500', 'into Parquet');
my ($bytes) = values %{ $flows->objects('target', 'parquet') };
my $parquet = $flows->parquet($bytes);
is(scalar @{ $parquet->{rows} }, 4500, 'all records are in the file');
is("@{ $parquet->{columns} } @{ $parquet->{types} }", 'id name price updated tags VARCHAR VARCHAR VARCHAR TIMESTAMP WITH TIME ZONE JSON', 'with the types that the connector tells');

my @two = @map[ 0, 2 ];
$run = pull(map => \@two, rows => [ rows('price', 'GREATER_THAN_OR_EQUAL_TO', VALUE => '1000', DATA_TYPE => 'BigDecimal'), rows('name', 'CONTAINS', VALUE => q{7 "\\'}, DATA_TYPE => 'String') ]);
is("$run->{status} $run->{processed}", 'Successful ' . sql(q{SELECT count(*) FROM test.remote WHERE price >= 1000 AND name LIKE '%7 "%'}), 'filters are evaluated, whatever the function does with them') or diag($run->{message});
is(sql(q{SELECT request ->> 'filterExpression' FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest' ORDER BY n LIMIT 1}),
	q{price >= 1000 and name contains '7 "\\\\\\''}, 'and told in its grammar');
is(sql(q{SELECT request -> 'selectedFieldNames' FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest' ORDER BY n LIMIT 1}), '["id", "name", "price"]', 'only fields that are needed are asked for');
$run = pull(map => \@two, rows => [ rows('price', 'BETWEEN', LOWER_BOUND => '5', UPPER_BOUND => '6', DATA_TYPE => 'BigDecimal') ]);
is("$run->{processed} " . sql(q{SELECT request ->> 'filterExpression' FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest' ORDER BY n LIMIT 1}), '3 price > "5" and price < "6"', 'one digit is no number of the grammar');
$run = pull(map => \@two, rows => [ rows('id', 'NOT_EQUAL_TO', VALUE => 'i00001', DATA_TYPE => 'String') ]);
is("$run->{processed} " . sql(q{SELECT request -> 'filterExpression' FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest' ORDER BY n LIMIT 1}), '4499 null', 'an operator that the field does not have is not told');

# ---------- throttling, credentials, failures ----------

misbehave('QueryData', '{"isSuccess": false, "errorDetails": {"errorCode": "RateLimitExceeded", "errorMessage": "slow down", "retryAfterSeconds": 0}}') for 1 .. 2;
misbehave('QueryData', '');
misbehave('QueryData', '{"isSuccess": false, "errorDetails": {"errorCode": "ServiceUnavailable", "errorMessage": "back soon", "retryAfterSeconds": 0}}');
$run = pull();
is("$run->{status} $run->{processed} " . sql("SELECT $different"), 'Successful 4500 0', 'throttled pages are asked for again, none is lost or doubled');
is(sql(q{SELECT count(*) FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest'}), '8', 'so often');

foreach my $case (
	[ 'InvalidArgument', 'WF400' ], [ 'AccessDenied', 'WF502' ], [ 'ClientError', 'WF502' ], [ 'InvalidCredentials', 'WF401' ])
{
	misbehave('QueryData', '');
	misbehave('QueryData', qq({"isSuccess": false, "errorDetails": {"errorCode": "$case->[0]", "errorMessage": "said the connector"}}));
	$run = pull();
	is("$run->{status} " . sql('SELECT count(*) FROM test.copy'), 'Error 0', "$case->[0] fails the run, and nothing of it stays");
	like($run->{message}, qr/$case->[0]: said the connector/, 'with its words');
	is(sql("SELECT error_code FROM appflow.flow_executions WHERE flow_name = '$run->{name}'"), $case->[1], 'as the right exception');
}
foreach my $case (
	[ 'RAISE', qr/the function broke/, 'an error of the function' ],
	[ '{"isSuccess": true}', qr/No valid response/, 'no records' ],
	[ '{"isSuccess": true, "records": ["{\"id\": \"1\""]}', qr/No valid response/, 'a record that is cut' ],
	[ '{"isSuccess": true, "records": [17]}', qr/No valid response/, 'a record that is none' ],
	[ '{"isSuccess": true, "records": ["{\"id\": \"1\", \"id\": \"2\"}"]}', qr/No valid response/, 'a field twice' ],
	[ '{"isSuccess": true, "records": ["{\"id\": null}"]}', qr/field "id" of entity "Item" is null/, 'null where the connector says there is none' ],
	[ '{"isSuccess": true, "records": ["{\"id\": \"1\", \"price\": \"much\"}"]}', qr/much/, 'a value of another type' ],
	[ '{"isSuccess": true, "records": ["{\"id\": \"1\", \"updated\": \"2026-02-30T00:00:00Z\"}"]}', qr/2026-02-30/, 'a day that is none' ],
	[ '"x"', qr/No valid response/, 'an answer that is no object' ],
	[ '{"isSuccess": false}', qr/No valid response/, 'a failure without details' ])
{
	misbehave('QueryData', $case->[0]);
	$run = pull();
	is("$run->{status} " . sql('SELECT count(*) FROM test.copy'), 'Error 0', "$case->[2] fails the run");
	like($run->{message}, $case->[1], 'and is told');
}
misbehave('QueryData', '{"isSuccess": true, "records": [{"id": "9", "tags": {"an": ["object"]}}], "nextToken": ""}');
$run = pull();
is("$run->{status} " . sql('TABLE test.copy'), 'Successful 9||||{"an": ["object"]}', 'records may be objects, which SQL makes more easily');
misbehave('QueryData', '{"isSuccess": true, "records": [], "nextToken": "7"}') for 1 .. 2;
$run = pull();
like($run->{message}, qr/nextToken|No valid response/, 'a token that leads to itself');
$run = pull(entity => 'Nothing');
like($run->{message}, qr/InvalidArgument: no such entity/, 'an entity that is not there');
$run = pull(map => [ @two, task('Map', ['gone'], 'name') ]);
like($run->{message}, qr/entity "Item" has no field "gone"/, 'a field that is not there');

my $master = "$flows->{root}/../appflow.key";
sql(qq{SELECT appflow.create_master_key_file('$master')});
$flows->{node}->append_conf('postgresql.conf', "appflow.master_key = 'file:$master'\n");
$flows->{node}->reload;
foreach my $key (qw(right wrong))
{
	sql(qq{SELECT appflow.create_connector_profile('$key', 'CustomConnector', 'Public', connector_label => 'crm',
		connector_profile_config => '{"connectorProfileProperties": {"CustomConnector": {}},
		"connectorProfileCredentials": {"CustomConnector": {"authenticationType": "APIKEY", "apiKey": {"apiKey": "$key"}}}}')});
}
$run = pull(profile => 'right');
is("$run->{status} $run->{processed}", 'Successful 4500', 'the function gets the credentials of the profile');
is(sql(q{SELECT count(*) FROM test.seen WHERE request::text LIKE '%right%' AND request #>> '{connectorContext,credentials,authenticationType}' = 'ApiKey'}),
	sql(q{SELECT count(*) FROM test.seen WHERE request #>> '{connectorContext,connectorProfileLabel}' = 'right'}), 'by the name of a secret');
$run = pull(profile => 'wrong');
like($run->{message}, qr/InvalidCredentials: wrong key/, 'wrong credentials');

# ---------- incremental ----------

sql(q{CREATE TABLE test.steps (id text)});
my $definition = AppflowTest::Flows::json_text({ flowName => 'steps',
	triggerConfig => { triggerType => 'Scheduled', triggerProperties => { Scheduled => { scheduleExpression => 'rate(1minutes)', dataPullMode => 'Incremental' } } },
	sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'my-crm', incrementalPullConfig => { datetimeTypeFieldName => 'updated' },
		sourceConnectorProperties => { CustomConnector => { entityName => 'Item' } } },
	destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
		destinationConnectorProperties => { CustomConnector => { entityName => 'test.steps' } } } ],
	tasks => [ task('Map', ['id'], 'id') ] });
$flows->{node}->append_conf('postgresql.conf', "shared_preload_libraries = 'appflow'\n");
$flows->{node}->restart;
sql(q{UPDATE test.remote SET updated = now() - interval '60 days'; UPDATE test.remote SET updated = now() - interval '1 hour' WHERE id <= 'i00010'; TRUNCATE test.seen});
sql("SELECT appflow.create_flow('$definition')");
sub runs { my ($n) = @_; return $flows->{node}->poll_query_until('postgres', "SELECT count(*) = $n FROM appflow.flow_executions WHERE flow_name = 'steps' AND execution_status = 'Successful'"); }
sql(q{SELECT appflow.start_flow('{"flowName": "steps"}')});
ok(runs(1), 'a scheduled run');
is(sql('SELECT count(*) FROM test.steps'), '10', 'what has changed of late');
like(sql(q{SELECT request ->> 'filterExpression' FROM test.seen WHERE request ->> 'type' = 'QueryDataRequest' LIMIT 1}), qr/^updated >=? \d{4}-\d\d-\d\dT[\d:.]+Z and updated < \d{4}-\d\d-\d\dT[\d:.]+Z$/, 'the function is told the window');
sql(q{UPDATE test.remote SET updated = now() WHERE id = 'i00011'});
$flows->{node}->append_conf('postgresql.conf', "appflow.clock_offset = '90s'\n");
$flows->{node}->reload;
ok(runs(2), 'another');
is(sql('SELECT count(*), count(DISTINCT id), max(id) FROM test.steps'), '11|11|i00011', 'then only what is new');
sql(q{SELECT appflow.stop_flow('{"flowName": "steps"}')});

# ---------- writing ----------

sub push_rows
{
	my ($operation, $rows, %more) = @_;
	my $name = 'push' . ++$number;
	sql("TRUNCATE test.copy, test.seen; INSERT INTO test.copy (id, name, price) $rows");
	return moved({ flowName => $name, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
			sourceConnectorProperties => { CustomConnector => { entityName => 'test.copy' } } },
		destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'my-crm',
			destinationConnectorProperties => { CustomConnector => { entityName => 'Item', writeOperationType => $operation,
				errorHandlingConfig => { bucketName => 'errors', bucketPrefix => 'e', failOnFirstDestinationError => $more{stop} ? JSON::PP::true : JSON::PP::false },
				$operation eq 'INSERT' ? () : (idFieldNames => ['id']) } } } ],
		tasks => [ map { task('Map', [$_], $_) } @{ $more{fields} // [qw(id name price)] } ] });
}
sql('TRUNCATE test.remote');
$run = push_rows('INSERT', q{SELECT 'k' || i, 'Näme ' || i, i FROM generate_series(1, 2500) i});
is("$run->{status} $run->{processed} $run->{failed} " . sql('SELECT count(*), sum(price) FROM test.remote'), 'Successful 2500 0 2500|3126250', 'INSERT') or diag($run->{refused} // $run->{message});
is(sql(q{SELECT max(jsonb_array_length(request -> 'records')) <= 1000, sum(jsonb_array_length(request -> 'records')), count(DISTINCT request -> 'allOrNone') FROM test.seen WHERE request ->> 'type' = 'WriteDataRequest'}), 't|2500|1', 'in batches');
is(sql(q{SELECT request #>> '{records,0}' FROM test.seen WHERE request ->> 'type' = 'WriteDataRequest' ORDER BY n LIMIT 1}), '{"id":"k1","name":"Näme 1","price":1}', 'a record');
$run = push_rows('INSERT', q{SELECT 'k' || i, 'n', 0 FROM generate_series(2500, 2502) i});
is("$run->{status} $run->{processed} $run->{failed} " . sql('SELECT count(*) FROM test.remote'), 'Successful 3 1 2502', 'one that the connector refuses');
is_deeply($run->{errors} && JSON::PP::decode_json($run->{errors}), { record => { id => 'k2500', name => 'n', price => 0 }, errorCode => 'PartialWriteFailure', errorMessage => 'no such record, or one too many', source => 'record 1' }, 'is in the error file');
$run = push_rows('UPSERT', q{VALUES ('k1', 'new', 7), ('x1', 'other', 8), ('k2', 'bad', 9)});
is("$run->{status} $run->{processed} $run->{failed} " . sql(q{SELECT string_agg(id || name || price, ' ' ORDER BY id) FROM test.remote WHERE id IN ('k1', 'x1', 'k2')}), 'Successful 3 1 k1new7 k2Näme 22 x1other8', 'UPSERT');
$run = push_rows('UPDATE', q{VALUES ('k3', 'renamed', 0), ('gone', 'x', 0)}, fields => [qw(id name)]);
is("$run->{status} $run->{processed} $run->{failed} " . sql(q{SELECT name, price FROM test.remote WHERE id = 'k3'}), 'Successful 2 1 renamed|3', 'UPDATE');
$run = push_rows('DELETE', q{VALUES ('k3', '', 0), ('k4', '', 0)}, fields => ['id']);
is("$run->{status} $run->{processed} $run->{failed} " . sql(q{SELECT count(*) FROM test.remote WHERE id IN ('k3', 'k4')}), 'Successful 2 0 0', 'DELETE');
is(sql(q{SELECT request -> 'idFieldNames', request ->> 'operation' FROM test.seen WHERE request ->> 'type' = 'WriteDataRequest'}), '["id"]|DELETE', 'by the ids');

my $before = sql('SELECT md5(string_agg(r::text, \'\' ORDER BY id)) FROM test.remote r');
$run = push_rows('UPSERT', q{SELECT 'k' || i, CASE WHEN i = 1500 THEN 'bad' ELSE 'changed' END, i FROM generate_series(1, 2000) i}, stop => 1);
is("$run->{status} " . sql('SELECT md5(string_agg(r::text, \'\' ORDER BY id)) FROM test.remote r'), "Error $before", 'a run that fails at the first refusal leaves nothing: the function works in its transaction');
misbehave('WriteData', '{"isSuccess": false, "errorDetails": {"errorCode": "RateLimitExceeded", "errorMessage": "slow", "retryAfterSeconds": 0}}');
$run = push_rows('INSERT', q{SELECT 'z' || i, 'n', 0 FROM generate_series(1, 3) i});
is("$run->{status} $run->{processed} " . sql(q{SELECT count(*) FROM test.remote WHERE id LIKE 'z%'}), 'Successful 3 3', 'a throttled write is repeated');
misbehave('WriteData', '{"isSuccess": false, "errorDetails": {"errorCode": "ServerError", "errorMessage": "who knows"}}');
$run = push_rows('INSERT', q{SELECT 'y' || i, 'n', 0 FROM generate_series(1, 3) i});
like("$run->{status} $run->{message}", qr/^Error .*ServerError: who knows/, 'one that may have been done is not, if it would double records');
misbehave('WriteData', '{"isSuccess": true, "writeRecordResults": [{"isSuccess": true}]}');
$run = push_rows('INSERT', q{SELECT 'w' || i, 'n', 0 FROM generate_series(1, 3) i});
like("$run->{status} $run->{message}", qr/^Error .*No valid response/, 'results for some of the records only');
$run = push_rows('INSERT', q{SELECT 'v1', 'n', 0}, fields => [qw(id name price)]);
is($run->{status}, 'Successful', 'and then all is well again');
is(sql(q{SELECT count(*) FROM appflow.flow_executions WHERE execution_status NOT IN ('Successful', 'Error')}), '0', 'no run is left');

# what the registration says counts
sql(q{
CREATE FUNCTION test.sink(request jsonb) RETURNS jsonb LANGUAGE sql AS $$SELECT '{"isSuccess": true, "connectorOwner": "a", "connectorName": "Sink", "connectorVersion": "1",
	"connectorModes": ["DESTINATION"], "supportedApiVersions": ["v1"], "supportedWriteOperations": ["UPSERT"], "authenticationConfig": {}}'::jsonb$$;
SELECT appflow.register_connector('sink', connector_provisioning_type => 'LAMBDA',
	connector_provisioning_config => jsonb_build_object('lambda', jsonb_build_object('lambdaArn', appflow.function_arn('test.sink(jsonb)'))));
SELECT appflow.create_connector_profile('sink', 'CustomConnector', 'Public', connector_label => 'sink', connector_profile_config => '{"connectorProfileProperties": {"CustomConnector": {}}}')});
$run = pull(profile => 'sink');
like($run->{refused}, qr/connector sink cannot be a source/, 'a connector that is no source');

done_testing();
