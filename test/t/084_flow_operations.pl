# Every operation on flows, their runs and their tags through success and each
# exception that it can raise: SQLSTATE, message and DETAIL; statuses,
# schemaVersion, client tokens, ARNs.
#
# The exceptions that the API's model lists, and where each is tested; besides
# them every operation answers a malformed request with ValidationException
# (040_shape_boundaries.pl has all of those).
#
#   CreateFlow     Validation              here
#                  ResourceNotFound        here: a profile
#                  ServiceQuotaExceeded    here
#                  Conflict                here: name, client token
#                  ConnectorAuthentication cannot occur: nothing is asked of a
#                  ConnectorServer         connector before the flow runs
#                  AccessDenied            cannot occur: rights are looked at when the
#                                          flow runs (067_runs.pl); who may not call
#                                          the function is told 42501 (067_runs.pl)
#   UpdateFlow     Validation              here
#                  ResourceNotFound        here: flow, profile
#                  Conflict                here: client token
#                  ServiceQuotaExceeded    cannot occur: no flow is added
#                  ConnectorAuthentication,
#                  ConnectorServer,
#                  AccessDenied            cannot occur: as for CreateFlow
#   StartFlow      ResourceNotFound        here: flow, profile of an Errored flow
#                  Conflict                here: client token
#                  ServiceQuotaExceeded    here
#   StopFlow       Conflict, ResourceNotFound, UnsupportedOperation   here
#   DescribeFlow   ResourceNotFound        here
#   ListFlows      Validation              here
#   DeleteFlow     ResourceNotFound, Conflict   here
#   DescribeFlowExecutionRecords
#                  Validation, ResourceNotFound   here
#   CancelFlowExecutions
#                  Validation, ResourceNotFound   here
#                  AccessDenied            cannot occur: the flow of another does not
#                                          exist (067_runs.pl)
#                  Throttling              cannot occur: calls are not counted
#   TagResource, UntagResource, ListTagsForResource
#                  Validation, ResourceNotFound   here
#   all            InternalServer          cannot be brought about: the server's own
#                                          errors keep their SQLSTATEs
#
# With appflow.engine = 'aws' AWS raises whatever it likes: 100_aws_engine.pl.
#
# CreateFlow and UpdateFlow also raise UnsupportedOperation, which the model does
# not list for them, for profiles that hold credentials of AWS: here.
use strict;
use warnings;
use AppflowTest::Operations;
use JSON::PP;
use Test::More;

my $node = AppflowTest::Operations->node('flow_operations');
my $json = JSON::PP->new->canonical;
my $arn = 'arn:aws:appflow:us-east-1:000000000000:';
our $settings = '';

sub sql { return $node->safe_psql('postgres', "SET client_min_messages = error; $settings $_[0]") }

$node->safe_psql('postgres', q{
	CREATE TABLE public.source (id int PRIMARY KEY, name text, city text);
	CREATE TABLE public.target (id int, name text, city text);
	CREATE FUNCTION test.told(statement text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		result text;
		detail text;
	BEGIN
		EXECUTE statement INTO result;
		RETURN result;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		RETURN concat_ws('|', SQLSTATE, SQLERRM, detail);
	END $$;
	CREATE FUNCTION test.checked(operation text, response jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		IF NOT test.conforms(operation || 'Response', response) THEN
			RAISE '% does not answer so: %', operation, response;
		END IF;
		RETURN response;
	END $$});
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/bucket";
sql("SELECT appflow.create_object_store('local', 'file://$root')");

# the response, which is checked against its shape, as JSON; or "SQLSTATE|message|detail"
sub call
{
	my ($operation, $request) = @_;
	my $function = lcfirst $operation =~ s/(?<=.)([A-Z])/_\l$1/gr;
	$request = $json->encode($request);
	return sql("SELECT test.told(\$s\$SELECT test.checked('$operation', appflow.$function(\$r\$$request\$r\$::jsonb))\$s\$)");
}
sub answer
{
	my ($operation, $request) = @_;
	my $told = call($operation, $request);
	return $told =~ /^\{/ ? decode_json($told) : { told => $told };
}

my %exception = (400 => 'Validation', 402 => 'ServiceQuotaExceeded', 404 => 'ResourceNotFound', 405 => 'UnsupportedOperation', 409 => 'Conflict');
sub raises
{
	my ($operation, $request, $code, $message, $name) = @_;
	my $told = call($operation, $request);
	my $detail = "$exception{$code}Exception";
	return like($told, qr/^WF$code\|$message\|$detail(?::|$)/, "$operation: $name") if ref $message;
	return is($told, "WF$code|$message|$detail", "$operation: $name");
}

my $on_demand = { triggerType => 'OnDemand' };
my $scheduled = { triggerType => 'Scheduled', triggerProperties => { Scheduled => { scheduleExpression => 'rate(1hours)' } } };
sub mapping { my ($from, $to, %properties) = @_; return { taskType => 'Map', sourceFields => [$from], destinationField => $to // $from, taskProperties => \%properties } }
sub table { my ($side, $name) = @_; return { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', "${side}ConnectorProperties" => { CustomConnector => { entityName => "public.$name" } } } }
sub flow
{
	my ($name, %more) = @_;
	return { flowName => $name, triggerConfig => $on_demand, sourceFlowConfig => table('source', 'source'),
		destinationFlowConfigList => [ table('destination', 'target') ], tasks => [ mapping('id'), mapping('name') ], %more };
}
sub described { return answer('DescribeFlow', { flowName => $_[0] }) }
sub status { return described($_[0])->{flowStatus} }
sub due { return sql("SELECT coalesce(next_run_at < 'infinity', false) FROM appflow.flow_schedules WHERE flow_name = '$_[0]'") }
sub without { my ($request, @keys) = @_; my %copy = %$request; delete @copy{@keys}; return \%copy }
my $to_bucket = { connectorType => 'S3', destinationConnectorProperties => { S3 => { bucketName => 'bucket', s3OutputFormatConfig => { fileType => 'JSON' } } } };
my $described = { connectorType => 'Marketo', connectorProfileName => 'market', sourceConnectorProperties => { Marketo => { object => 'x' } } };
sql(q{SELECT appflow.create_connector_profile('market', 'Marketo', 'Public',
	'{"connectorProfileProperties": {"Marketo": {"instanceUrl": "https://x.mktorest.com"}},
	"connectorProfileCredentials": {"Marketo": {"clientId": "i", "clientSecret": "s", "accessToken": "t"}}}')});
sql(q{SELECT appflow.create_connector_profile('amazon', 'CustomConnector', 'Public', connector_label => 'AWS', connector_profile_config =>
	'{"connectorProfileProperties": {"CustomConnector": {"profileProperties": {"region": "us-east-1"}}},
	"connectorProfileCredentials": {"CustomConnector": {"authenticationType": "CUSTOM", "custom": {"customAuthenticationType": "AWS", "credentialsMap": {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "s3cret-of-aws"}}}}}')});
my $amazon = { connectorType => 'CustomConnector', connectorProfileName => 'amazon', sourceConnectorProperties => { CustomConnector => { entityName => 'x' } } };

# ---------- CreateFlow ----------

is_deeply(answer('CreateFlow', flow('demand', description => 'on call', tags => { team => 'a' })),
	{ flowArn => "${arn}flow/demand", flowStatus => 'Active' }, 'CreateFlow: OnDemand is Active');
is_deeply(answer('CreateFlow', flow('hourly', triggerConfig => $scheduled)),
	{ flowArn => "${arn}flow/hourly", flowStatus => 'Draft' }, 'CreateFlow: Scheduled is Draft');
raises('CreateFlow', flow('demand'), 409, 'Conflict executing request: Flow with name demand already exists.', 'the name is taken');
raises('CreateFlow', flow('new', tasks => []), 400,
	'Create Flow request failed: [Task Validation Error: You must specify a projection task or a MAP_ALL task]', 'no projection');
raises('CreateFlow', {}, 400, qr/5 validation errors detected: .*/, 'nothing');
raises('CreateFlow', flow('new', destinationFlowConfigList => [ (table('destination', 'target')) x 2 ]), 400,
	qr/Create Flow request failed: \[.*destinationFlowConfigList has 2 entries, a flow has exactly one destination.*/, 'two destinations');
raises('CreateFlow', flow('new', tags => { 'aws:x' => 'y' }), 400, qr/1 validation error detected: .*aws:x.*/, 'a reserved tag');
raises('CreateFlow', flow('new', tags => { map { ("k$_" => 'v') } 1 .. 51 }), 400, qr/1 validation error detected: .*tags.*/, '51 tags');
raises('CreateFlow', flow('new', sourceFlowConfig => { %$described, connectorProfileName => 'nobody' }), 404,
	'Connector Profile with name nobody does not exist.', 'no such profile');
raises('CreateFlow', flow('new', sourceFlowConfig => $amazon), 405, 'connector profile "amazon" holds credentials of AWS, records are not moved by it', 'a profile that moves nothing');
{
	local $settings = 'SET appflow.quota_flows = 2;';
	raises('CreateFlow', flow('new'), 402, 'this database has 2 flows, more are not allowed', 'the quota');
	local $settings = 'SET appflow.quota_flows = 3;';
	is(answer('CreateFlow', flow('third'))->{flowStatus}, 'Active', 'CreateFlow: up to the quota');
}
is(sql('SELECT count(*) FROM appflow.flows'), 3, 'what is refused leaves nothing');

{
	local $settings = 'SET appflow.quota_concurrent_runs = 0;';
	raises('StartFlow', { flowName => 'demand' }, 402, '0 runs of this database wait or go on, more are not allowed', 'the quota of runs');
}

# ---------- DescribeFlow ----------

my $told = described('demand');
my $by = 'arn:aws:iam::000000000000:user/' . sql('SELECT current_user');
is_deeply(without($told, qw(createdAt lastUpdatedAt)),
	{ %{ flow('demand') }, description => 'on call', tags => { team => 'a' }, flowArn => "${arn}flow/demand", flowStatus => 'Active',
		schemaVersion => 1, createdBy => $by, lastUpdatedBy => $by }, 'DescribeFlow: as it was sent, and what became of it');
cmp_ok(abs($told->{createdAt} - time), '<', 600, 'DescribeFlow: when it was made');
raises('DescribeFlow', { flowName => 'nobody' }, 404, 'Flow with name nobody does not exist.', 'no such flow');
raises('DescribeFlow', {}, 400, qr/1 validation error detected: .*flowName.*/, 'which');

# ---------- StartFlow, StopFlow: statuses ----------

$told = answer('StartFlow', { flowName => 'demand' });
like(delete $told->{executionId}, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'StartFlow: OnDemand has a run');
is_deeply($told, { flowArn => "${arn}flow/demand", flowStatus => 'Active' }, 'StartFlow: and says which flow');
raises('StopFlow', { flowName => 'demand' }, 405, 'flow "demand" runs on demand, only scheduled and event-triggered flows can be stopped', 'OnDemand');
raises('StopFlow', { flowName => 'hourly' }, 409, 'Conflict executing request: Flow is not in active state: hourly', 'Draft');
is_deeply(answer('StartFlow', { flowName => 'hourly' }), { flowArn => "${arn}flow/hourly", flowStatus => 'Active' }, 'StartFlow: Scheduled becomes Active, without a run');
is(status('hourly'), 'Active', 'and is');
is(due('hourly'), 't', 'and due');
raises('DeleteFlow', { flowName => 'hourly' }, 409,
	'Conflict executing request: Flow is in active state, please set forceDelete to true or deactivate the flow: hourly', 'Active');
is(answer('StartFlow', { flowName => 'hourly' })->{flowStatus}, 'Active', 'StartFlow: again');
is_deeply(answer('StopFlow', { flowName => 'hourly' }), { flowArn => "${arn}flow/hourly", flowStatus => 'Suspended' }, 'StopFlow: Suspended');
is(status('hourly'), 'Suspended', 'and is');
is(due('hourly'), 'f', 'and not due');
is(answer('StopFlow', { flowName => 'hourly' })->{flowStatus}, 'Suspended', 'StopFlow: again');
is_deeply(answer('UpdateFlow', flow('hourly', triggerConfig => $scheduled)), { flowStatus => 'Suspended' }, 'UpdateFlow: Suspended stays');
is(answer('StartFlow', { flowName => 'hourly' })->{flowStatus}, 'Active', 'StartFlow: Suspended becomes Active');
is_deeply(answer('UpdateFlow', flow('hourly', triggerConfig => $scheduled, description => 'new')), { flowStatus => 'Active' }, 'UpdateFlow: Active stays');
is(due('hourly'), 't', 'and it is due still');
is(described('hourly')->{description}, 'new', 'with what is new');
is(answer('UpdateFlow', flow('hourly'))->{flowStatus}, 'Active', 'UpdateFlow: Scheduled to OnDemand');
ok(exists answer('StartFlow', { flowName => 'hourly' })->{executionId}, 'which StartFlow runs then');
is(described('hourly')->{description}, undef, 'UpdateFlow: what is not sent is not kept');
is(answer('UpdateFlow', flow('hourly', triggerConfig => $scheduled))->{flowStatus}, 'Draft', 'UpdateFlow: OnDemand to Scheduled begins as Draft');
is(answer('UpdateFlow', flow('hourly', triggerConfig => $scheduled))->{flowStatus}, 'Draft', 'UpdateFlow: Draft stays');
raises($_, { flowName => 'nobody' }, 404, 'Flow with name nobody does not exist.', 'no such flow')
  foreach qw(StartFlow StopFlow DeleteFlow DescribeFlowExecutionRecords CancelFlowExecutions);
raises($_, { flowName => 'not a name' }, 400, qr/1 validation error detected: .*flowName.*/, 'no name') foreach qw(StartFlow StopFlow DeleteFlow);

# ---------- UpdateFlow: exceptions ----------

raises('UpdateFlow', flow('nobody'), 404, 'Flow with name nobody does not exist.', 'no such flow');
raises('UpdateFlow', flow('demand', sourceFlowConfig => { %$described, connectorProfileName => 'nobody' }), 404,
	'Connector Profile with name nobody does not exist.', 'no such profile');
raises('UpdateFlow', flow('demand', sourceFlowConfig => $amazon), 405, 'connector profile "amazon" holds credentials of AWS, records are not moved by it', 'a profile that moves nothing');
raises('UpdateFlow', flow('demand', destinationFlowConfigList => [$to_bucket]), 400,
	'the destination of a flow cannot change from CustomConnector to S3', 'another destination');
raises('UpdateFlow', flow('demand', tasks => []), 400, qr/.*\[Task Validation Error: You must specify a projection task or a MAP_ALL task\]/, 'no projection');
raises('UpdateFlow', {}, 400, qr/5 validation errors detected: .*/, 'nothing');
is($json->encode(without(described('demand'), 'lastRunExecutionDetails')->{tasks}), $json->encode(flow('demand')->{tasks}), 'UpdateFlow: what is refused changes nothing');
is_deeply(described('demand')->{tags}, { team => 'a' }, 'UpdateFlow: tags stay');

# ---------- schemaVersion ----------

my %partition = (taskType => 'Partition', taskProperties => { ORDERED_PARTITION_KEYS_LIST => '["city"]' }, sourceFields => ['city']);
my @maps = map { mapping($_) } qw(id name city);
my @versions = (
	[ 0, 'the same', {} ],
	[ 0, 'a description', { description => 'x' } ],
	[ 0, 'a trigger', { triggerConfig => $scheduled } ],
	[ 0, 'another trigger', { triggerConfig => $on_demand } ],
	[ 0, 'the order of tasks', { tasks => [ reverse @maps ] } ],
	[ 0, 'a filter', { tasks => [ @maps, { taskType => 'Filter', sourceFields => [ 'id', 'name', 'city' ], connectorOperator => { CustomConnector => 'PROJECTION' }, taskProperties => {} } ] } ],
	[ 0, 'where to', { tasks => \@maps, destinationFlowConfigList => [ { connectorType => 'S3', destinationConnectorProperties => { S3 => { bucketName => 'bucket', bucketPrefix => 'p', s3OutputFormatConfig => { fileType => 'JSON' } } } } ] } ],
	[ 0, 'a format', { destinationFlowConfigList => [ { connectorType => 'S3', destinationConnectorProperties => { S3 => { bucketName => 'bucket', s3OutputFormatConfig => { fileType => 'CSV' } } } } ] } ],
	[ 1, 'a mapping less', { tasks => [ @maps[ 0, 1 ] ] } ],
	[ 1, 'a mapping more', { tasks => \@maps } ],
	[ 1, 'another name', { tasks => [ @maps[ 0, 2 ], mapping('name', 'title') ] } ],
	[ 1, 'a data type', { tasks => [ @maps[ 0, 2 ], mapping('name', 'title', DESTINATION_DATA_TYPE => 'String') ] } ],
	[ 1, 'a partition key', { tasks => [ @maps, \%partition ] } ],
	[ 0, 'the same again', { tasks => [ @maps, \%partition ] } ],
	[ 1, 'no partition key', { tasks => \@maps } ]);
my $version = 1;
my %now = (tasks => \@maps, destinationFlowConfigList => [$to_bucket]);
is(answer('CreateFlow', flow('versions', %now))->{flowStatus}, 'Active', 'a flow to change');
foreach (@versions)
{
	my ($more, $what, $change) = @$_;
	%now = (%now, %$change);
	my $updated = answer('UpdateFlow', flow('versions', %now));
	$version += $more;
	is($updated->{told} // described('versions')->{schemaVersion}, $version, "schemaVersion: $what " . ($more ? 'raises it' : 'does not'));
}

# ---------- clientToken ----------

sub age { return sql("UPDATE appflow.client_token SET created_at = created_at - interval '$_[0]'") }
my $request = flow('token', clientToken => 'create');
my $first = call('CreateFlow', $request);
like($first, qr/"Active"/, 'CreateFlow: with a token');
is(call('CreateFlow', $request), $first, 'CreateFlow: the same again, the same answer');
is(call('CreateFlow', { %$request, triggerConfig => { triggerType => 'OnDemand' } }), $first, 'CreateFlow: however it is written');
my $other = sub { my ($operation) = @_; return "Conflict executing request: clientToken was used for $operation with other parameters" };
raises('CreateFlow', { %$request, description => 'x' }, 409, $other->('CreateFlow'), 'the token with other parameters');
is(sql(q{SELECT count(*) FROM appflow.flows WHERE flow_name = 'token'}), 1, 'one flow');
age('7 hours 50 minutes');
is(call('CreateFlow', $request), $first, 'CreateFlow: almost eight hours later');
age('11 minutes');
raises('CreateFlow', $request, 409, 'Conflict executing request: Flow with name token already exists.', 'after eight hours it is another call');
raises('CreateFlow', { %$request, tasks => [] }, 400, qr/.*/, 'a call that failed');
raises('CreateFlow', { %$request, clientToken => 'create 2' }, 409, 'Conflict executing request: Flow with name token already exists.', 'another token, another call');
raises('CreateFlow', { %$request, clientToken => 'x' x 257 }, 400, qr/1 validation error detected: .*clientToken.*/, 'a long token');

$request = { flowName => 'token', clientToken => 'start' };
$first = call('StartFlow', $request);
like($first, qr/"executionId"/, 'StartFlow: with a token');
is(call('StartFlow', $request), $first, 'StartFlow: the same run');
is(sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'token'}), 1, 'which is one');
isnt(call('StartFlow', { %$request, clientToken => 'start 2' }), $first, 'StartFlow: another token, another run');
like(call('StartFlow', { %$request, flowName => 'third' }), qr/"executionId"/, 'StartFlow: on demand, the token may be used for another flow');
answer('CreateFlow', flow("hourly-$_", triggerConfig => $scheduled)) foreach 1, 2;
$told = call('StartFlow', { flowName => 'hourly-1', clientToken => 'scheduled' });
is(answer('StopFlow', { flowName => 'hourly-1' })->{flowStatus}, 'Suspended', 'a scheduled one, stopped again');
is(call('StartFlow', { flowName => 'hourly-1', clientToken => 'scheduled' }), $told, 'StartFlow: the same again');
is(status('hourly-1'), 'Suspended', 'does nothing');
raises('StartFlow', { flowName => 'hourly-2', clientToken => 'scheduled' }, 409, $other->('StartFlow'), 'the token for another scheduled flow');
call('DeleteFlow', { flowName => "hourly-$_" }) foreach 1, 2;
age('8 hours 1 second');
isnt(call('StartFlow', $request), $first, 'StartFlow: after eight hours, another run');
is(sql(q{SELECT count(*) FROM appflow.flow_executions WHERE flow_name = 'token'}), 3, 'they are three');

$request = flow('token', description => 'one', clientToken => 'update');
is_deeply(answer('UpdateFlow', $request), { flowStatus => 'Active' }, 'UpdateFlow: with a token');
answer('UpdateFlow', flow('token', description => 'two'));
is_deeply(answer('UpdateFlow', $request), { flowStatus => 'Active' }, 'UpdateFlow: the same again');
is(described('token')->{description}, 'two', 'does nothing');
raises('UpdateFlow', { %$request, description => 'three' }, 409, $other->('UpdateFlow'), 'the token with other parameters');
age('8 hours 1 second');
is_deeply(answer('UpdateFlow', { %$request, description => 'three' }), { flowStatus => 'Active' }, 'UpdateFlow: after eight hours, another call');
is(described('token')->{description}, 'three', 'is carried out');
is(call('CreateFlow', { %$request, flowName => 'token2' }) =~ /"Active"/, 1, 'a token is one of an operation');

# ---------- Errored, and repaired ----------

# flows that name a profile which can be deleted, as a version that can run them would have
sql(qq{INSERT INTO appflow.flow (flow_name, owner, status, definition, created_by, last_updated_by)
	SELECT n, current_user::regrole, 'Active', x.d::jsonb || jsonb_build_object('flowName', n, 'triggerConfig', t), 'x', 'x'
	FROM (VALUES ('broken-d', '@{[$json->encode($on_demand)]}'::jsonb), ('broken-s', '@{[$json->encode($scheduled)]}'::jsonb)) v (n, t),
		(VALUES ('@{[$json->encode(without(flow('new', sourceFlowConfig => { %{ table('source', 'source') }, connectorProfileName => 'market' }), 'flowName', 'triggerConfig'))]}')) x (d)});
is(sql(q{SELECT test.outcome('SELECT appflow.delete_connector_profile(''market'')')}),
	'WF409 Conflict executing request: Connector profile: market is associated with one or more flows. If you still want to delete it, then make delete request with forceDelete flag as true. Some of the associated flows are: [broken-d, broken-s]', 'a profile in use');
sql(q{SELECT appflow.delete_connector_profile('market', force_delete => true)});
foreach my $name (qw(broken-d broken-s))
{
	is($json->encode([ @{ described($name) }{qw(flowStatus flowStatusMessage)} ]), '["Errored","Connector profile market was deleted."]', "$name is Errored");
	raises('StartFlow', { flowName => $name }, 404, 'Connector Profile with name market does not exist.', "$name wants its profile");
	is(status($name), 'Errored', 'and stays Errored');
}
raises('StopFlow', { flowName => 'broken-s' }, 409, 'Conflict executing request: Flow is not in active state: broken-s', 'Errored');
is_deeply(answer('UpdateFlow', flow('broken-d')), { flowStatus => 'Active' }, 'UpdateFlow: repaired, OnDemand is Active');
is_deeply(answer('UpdateFlow', flow('broken-s', triggerConfig => $scheduled)), { flowStatus => 'Draft' }, 'UpdateFlow: repaired, Scheduled is Draft');
is(described($_)->{flowStatusMessage}, undef, "$_ has nothing to say any more") foreach qw(broken-d broken-s);
answer($_, { flowName => 'broken-s' }) foreach qw(StartFlow StopFlow);
is(due('broken-s'), 'f', 'one that is not due');
# what was missing is there again
sql(q{UPDATE appflow.flow SET status = 'Errored', status_message = 'gone' WHERE flow_name IN ('broken-d', 'broken-s')});
is(answer('StartFlow', { flowName => $_ })->{flowStatus}, 'Active', "StartFlow: $_ can run again") foreach qw(broken-d broken-s);
is(due('broken-s'), 't', 'and is due');
is($json->encode([ @{ described($_) }{qw(flowStatus flowStatusMessage)} ]), '["Active",null]', 'and says so') foreach qw(broken-d broken-s);
sql(q{UPDATE appflow.flow SET status = 'Errored', status_message = 'gone' WHERE flow_name = 'broken-d'; CALL appflow.run_flow('broken-d')});
is(status('broken-d'), 'Active', 'run_flow too');

# ---------- DescribeFlowExecutionRecords, CancelFlowExecutions ----------

sql(q{INSERT INTO public.source VALUES (1, 'Ann', 'Bonn'); CALL appflow.run_flow('third')});
$told = answer('DescribeFlowExecutionRecords', { flowName => 'third', maxResults => 1 });
is(scalar @{ $told->{flowExecutions} // [] }, 1, 'DescribeFlowExecutionRecords: a run') or diag explain $told;
is($json->encode([ map { $_->{executionStatus}, $_->{executionResult}{recordsProcessed} } @{ $told->{flowExecutions} } ]), '["Successful",1]', 'and its result');
is(described('third')->{lastRunExecutionDetails}{mostRecentExecutionStatus}, 'Successful', 'DescribeFlow: the last run');
raises('DescribeFlowExecutionRecords', { flowName => 'third', maxResults => $_ }, 400, qr/1 validation error detected: .*maxResults.*/, "maxResults $_") foreach 0, 101;
raises('DescribeFlowExecutionRecords', { flowName => 'third', nextToken => 'AAAA' }, 400, 'nextToken is not one that DescribeFlowExecutionRecords has returned', 'a token of nobody');
is_deeply(answer('CancelFlowExecutions', { flowName => 'third' }), { invalidExecutions => [] }, 'CancelFlowExecutions: none goes on');
my $run = $told->{flowExecutions}[0]{executionId};
is_deeply(answer('CancelFlowExecutions', { flowName => 'third', executionIds => [$run] }), { invalidExecutions => [$run] }, 'CancelFlowExecutions: one that has ended');
raises('CancelFlowExecutions', { flowName => 'third', executionIds => [ map { "id-$_" } 1 .. 101 ] }, 400, qr/1 validation error detected: .*executionIds.*/, '101 runs');

# ---------- ListFlows ----------

$told = answer('ListFlows', { maxResults => 100 });
is(join(' ', map { $_->{flowName} } @{ $told->{flows} }), 'broken-d broken-s demand hourly third token token2 versions', 'ListFlows: all');
my ($listed) = grep { $_->{flowName} eq 'demand' } @{ $told->{flows} };
is_deeply(without($listed, qw(createdAt lastUpdatedAt lastRunExecutionDetails)),
	{ flowArn => "${arn}flow/demand", flowName => 'demand', flowStatus => 'Active', description => 'on call', sourceConnectorType => 'CustomConnector',
		destinationConnectorType => 'CustomConnector', sourceConnectorLabel => 'PostgreSQL', destinationConnectorLabel => 'PostgreSQL',
		triggerType => 'OnDemand', createdBy => $by, lastUpdatedBy => $by, tags => { team => 'a' } }, 'ListFlows: what is told of each');
raises('ListFlows', { maxResults => $_ }, 400, qr/1 validation error detected: .*maxResults.*/, "maxResults $_") foreach 0, 101;
raises('ListFlows', { nextToken => 'AAAA' }, 400, 'nextToken is not one that ListFlows has returned', 'a token of nobody');

# ---------- tags ----------

my $resource = "${arn}flow/demand";
sub tags { return answer('ListTagsForResource', { resourceArn => $resource })->{tags} }
sub tag { return call('TagResource', { resourceArn => $resource, tags => $_[0] }) }
is(tag({ team => 'b', Team => 'c', empty => '' }), '{}', 'TagResource');
is_deeply(tags(), { team => 'b', Team => 'c', empty => '' }, 'TagResource: what is there is new, and case counts');
is(call('UntagResource', { resourceArn => $resource, tagKeys => [ 'team', 'empty', 'none' ] }), '{}', 'UntagResource');
is_deeply(tags(), { Team => 'c' }, 'UntagResource: those are gone');
my $long = 'k' x 128;
is(tag({ $long => 'v' x 256 }), '{}', 'TagResource: as long as may be');
raises('TagResource', { resourceArn => $resource, tags => $_->[0] }, 400, qr/1 validation error detected: .*/, $_->[1])
  foreach [ { $long . 'k' => 'v' }, 'a longer key' ], [ { k => 'v' x 257 }, 'a longer value' ], [ { 'aws:k' => 'v' }, 'a reserved key' ],
  [ { map { ("k$_" => 'v') } 1 .. 51 }, '51 at once' ];
is(tag({ map { ("k$_" => 'v') } 1 .. 48 }), '{}', 'TagResource: up to 50');
is(scalar keys %{ tags() }, 50, 'they are 50');
raises('TagResource', { resourceArn => $resource, tags => { one => 'more' } }, 400, "resource $resource would have 51 tags, 50 are allowed", 'one more');
is(tag({ k1 => 'w' }), '{}', 'TagResource: one that is there is no more');
is(tags()->{k1}, 'w', 'it is new');
raises('UntagResource', { resourceArn => $resource, tagKeys => [ map { "k$_" } 1 .. 51 ] }, 400, qr/1 validation error detected: .*tagKeys.*/, '51 keys');
raises('UntagResource', { resourceArn => $resource }, 400, qr/1 validation error detected: .*tagKeys.*/, 'which');
my %tagged = (TagResource => { tags => {} }, UntagResource => { tagKeys => [] }, ListTagsForResource => {});
foreach my $operation (sort keys %tagged)
{
	raises($operation, { resourceArn => $_, %{ $tagged{$operation} } }, 404, "Resource with ARN $_ does not exist.", 'no such resource')
	  foreach "${arn}flow/nobody", "${arn}flow/", "${arn}other/demand", $resource =~ s/us-east-1/us-east-2/r, $resource =~ s/:0{12}:/:000000000001:/r;
	raises($operation, { resourceArn => 'demand', %{ $tagged{$operation} } }, 400, qr/1 validation error detected: .*resourceArn.*/, 'no ARN');
}

# ---------- ARNs ----------

{
	local $settings = "SET appflow.region = 'eu-central-1'; SET appflow.account_id = '123456789012';";
	$arn = 'arn:aws:appflow:eu-central-1:123456789012:';
	is(described('third')->{flowArn}, "${arn}flow/third", 'ARNs are of the region and account that are set');
	is(answer('StartFlow', { flowName => 'third' })->{flowArn}, "${arn}flow/third", 'of StartFlow');
	is(answer('ListFlows', { maxResults => 1 })->{flows}[0]{flowArn}, "${arn}flow/broken-d", 'of ListFlows');
	is(answer('CreateFlow', flow('abroad'))->{flowArn}, "${arn}flow/abroad", 'of CreateFlow');
	is(described('abroad')->{createdBy}, $by =~ s/0{12}/123456789012/r, 'of roles');
	is(call('TagResource', { resourceArn => "${arn}flow/abroad", tags => { a => 'b' } }), '{}', 'tags are found by them');
	raises('ListTagsForResource', { resourceArn => $resource }, 404, "Resource with ARN $resource does not exist.", 'and not by others');
}

# ---------- DeleteFlow ----------

is(call('DeleteFlow', { flowName => 'demand' }), '{}', 'DeleteFlow: OnDemand, Active');
raises('DescribeFlow', { flowName => 'demand' }, 404, 'Flow with name demand does not exist.', 'it is gone');
raises('DeleteFlow', { flowName => 'demand' }, 404, 'Flow with name demand does not exist.', 'again');
is(call('DeleteFlow', { flowName => 'hourly' }), '{}', 'DeleteFlow: Scheduled, Draft');
raises('DeleteFlow', { flowName => 'broken-s', forceDelete => JSON::PP::false }, 409,
	'Conflict executing request: Flow is in active state, please set forceDelete to true or deactivate the flow: broken-s', 'Scheduled, Active');
is(call('DeleteFlow', { flowName => 'broken-s', forceDelete => JSON::PP::true }), '{}', 'DeleteFlow: by force');
answer('CreateFlow', flow('hourly', triggerConfig => $scheduled));
answer('StartFlow', { flowName => 'hourly' });
answer('StopFlow', { flowName => 'hourly' });
is(call('DeleteFlow', { flowName => 'hourly' }), '{}', 'DeleteFlow: Suspended');
is(answer('CreateFlow', flow('demand'))->{flowStatus}, 'Active', 'a name is free again');
is_deeply([ @{ described('demand') }{qw(schemaVersion tags)} ], [ 1, {} ], 'and nothing is left of what had it');
done_testing();
