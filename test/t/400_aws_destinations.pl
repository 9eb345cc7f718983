# Destinations that are services of AWS: Customer Profiles, Upsolver.
use strict;
use warnings;

use AppflowTest::Flows ();
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref;
my ($key, $secret, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'us-east-1');
our $output;
my $server = open($output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/aws/destinations.js", $key, $secret, '', $region) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }
my $http = HTTP::Tiny->new;
sub get { return decode_json($http->get("http://127.0.0.1:$port/$_[0]")->{content}); }
sub post { $http->post("http://127.0.0.1:$port/$_[0]", { content => $json->encode($_[1]) }); return; }

my $flows = AppflowTest::Flows->new('aws_destinations');
my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
append_to_file($file, "[default]\naws_access_key_id = $key\naws_secret_access_key = $secret\n");
mkdir "$flows->{root}/upsolver-appflow-lake";
$flows->{node}->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nappflow.eventbridge_endpoint = 'http://127.0.0.1:$port'\n"
	. "appflow.customer_profiles_endpoint = 'http://127.0.0.1:$port'\nappflow.max_retry_delay = '50ms'\n");
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file);
	$flows->{node}->restart;
}
sub sql { return $flows->sql($_[0]) }
sql('CREATE TABLE public.people ("Id" text, "Email" text, "Age" float)');

my $number = 0;
sub task
{
	my ($type, $fields, $destination, $operator, %properties) = @_;
	return { taskType => $type, sourceFields => $fields, connectorOperator => { CustomConnector => $operator // 'NO_OP' },
		taskProperties => \%properties, defined $destination ? (destinationField => $destination) : () };
}
sub push_rows
{
	my ($rows, $destination) = @_;
	sql("TRUNCATE public.people; INSERT INTO public.people $rows");
	get('_log');
	return $flows->move(definition => { flowName => 'flow' . ++$number, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.people' } } },
		destinationFlowConfigList => [$destination], tasks => [ map { task('Map', [$_], $_) } qw(Id Email Age) ] });
}

# ---------- Customer Profiles ----------

my $contacts = { connectorType => 'CustomerProfiles', destinationConnectorProperties => { CustomerProfiles => { domainName => 'shop', objectTypeName => 'Contact' } } };
is(sql(q{SELECT appflow.list_connector_entities('{"connectorType": "CustomerProfiles"}')}), '{"connectorEntityMap": {"Objects": [{"name": "shop", "label": "shop", "hasNestedEntities": true}]}}', 'domains');
is(sql(q{SELECT appflow.list_connector_entities('{"connectorType": "CustomerProfiles", "entitiesPath": "shop"}')}), '{"connectorEntityMap": {"Objects": [{"name": "shop/Contact", "label": "Contacts", "hasNestedEntities": false}]}}', 'object types');
is(sql(q{SELECT string_agg((f ->> 'identifier') || ' ' || (f #>> '{supportedFieldTypeDetails,v1,fieldType}') || ' ' || (f ->> 'isPrimaryKey'), ', ' ORDER BY f ->> 'identifier')
	FROM jsonb_array_elements(appflow.describe_connector_entity('{"connectorType": "CustomerProfiles", "connectorEntityName": "shop/Contact"}') -> 'connectorEntityFields') f}),
	'Age Double false, Email String false, Id String true', 'fields are those of the source, keys told');
my $run = push_rows(q{SELECT 'p' || i, 'ü' || i || '"@example.com', i FROM generate_series(1, 1100) i}, $contacts);
is("$run->{status} $run->{processed} $run->{failed}", 'Successful 1100 0', 'objects') or diag($run->{refused} // $run->{message});
my %objects = map { $_->{Id} => $_ } @{ get('_objects') };
is(scalar(keys %objects), 1100, 'all of them');
is_deeply($objects{p7}, { Id => 'p7', Email => "\x{fc}7\"\@example.com", Age => 7 }, 'as they were');
is(scalar(grep { !$_->{accepted} } @{ get('_log') }), 0, 'every request was signed right');
$run = push_rows(q{VALUES ('p1', 'new', 1), (NULL, 'x', 2), ('p3', 'new', 3)}, $contacts);
is("$run->{status} $run->{processed} $run->{failed}", 'Successful 3 1', 'one is refused');
like($run->{message}, qr/record 2: The object has no value for the unique key _id/, 'with the words of the service');
%objects = map { $_->{Id} => $_ } @{ get('_objects') };
is("$objects{p1}{Email} $objects{p2}{Email} " . keys %objects, "new \x{fc}2\"\@example.com 1100", 'an object with the same key replaces the other');
post('_answers', [ { status => 429, headers => { 'x-amzn-ErrorType' => 'ThrottlingException' }, body => { Message => 'Rate exceeded' } }, { cut => 1 }, { status => 500 } ]);
$run = push_rows(q{SELECT 'q' || i, '', i FROM generate_series(1, 20) i}, $contacts);
is("$run->{status} $run->{processed} $run->{failed} " . grep({ $_->{Id} =~ /^q/ } @{ get('_objects') }), 'Successful 20 0 20', 'throttled, cut off, failed: sent again');
$run = push_rows(q{VALUES ('big', repeat('x', 256001), 1), ('small', '', 1)}, $contacts);
is("$run->{status} $run->{failed}", 'Successful 1', 'an object that is too long');
like($run->{message}, qr/Customer Profiles takes 256000/, 'is told before it is sent');
$run = push_rows(q{VALUES ('a', '', 1)}, { connectorType => 'CustomerProfiles', destinationConnectorProperties => { CustomerProfiles => { domainName => 'nowhere', objectTypeName => 'Contact' } } });
like("$run->{status} $run->{message}", qr/^Error .*refused objects of type "Contact" for domain "nowhere": Domain not found/, 'a domain that is not there');

# ---------- EventBridge ----------

is(sql(q{SELECT count(*) FROM jsonb_array_elements(appflow.list_connector_entities('{"connectorType": "EventBridge", "maxResults": 1000}') #> '{connectorEntityMap,Objects}')}), '122', 'buses, of two pages');
$run = push_rows(q{VALUES ('a', '', 1)}, { connectorType => 'EventBridge', destinationConnectorProperties => { EventBridge => { object => 'default' } } });
like($run->{refused}, qr/triggerType OnDemand is not supported/, 'events come from events');

# ---------- Upsolver ----------

$run = push_rows(q{VALUES ('a', 'b', 1.5), ('c', NULL, 2)}, { connectorType => 'Upsolver', destinationConnectorProperties => { Upsolver => { bucketName => 'upsolver-appflow-lake', bucketPrefix => 'in',
	s3OutputFormatConfig => { fileType => 'JSON', prefixConfig => {} } } } });
is("$run->{status} $run->{processed}", 'Successful 2', 'objects for Upsolver') or diag($run->{refused} // $run->{message});
is(join('', values %{ $flows->objects('upsolver-appflow-lake', 'in') }), qq({"Id":"a","Email":"b","Age":1.5}\n{"Id":"c","Email":null,"Age":2}\n), 'in its bucket');
$run = push_rows(q{VALUES ('a', 'b', 1.5)}, { connectorType => 'Upsolver', destinationConnectorProperties => { Upsolver => { bucketName => 'target', s3OutputFormatConfig => { prefixConfig => {} } } } });
like($run->{refused}, qr/upsolver-appflow/, 'a bucket of another name');

# ---------- whose identity ----------

sql(q{CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA appflow TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA appflow TO clerk; REVOKE EXECUTE ON FUNCTION appflow.aws_identity() FROM clerk});
my (undef, undef, $stderr) = $flows->{node}->psql('postgres', q{SET ROLE clerk; SELECT appflow.list_connector_entities('{"connectorType": "EventBridge"}')});
like($stderr, qr/role "clerk" may not use the AWS identity/, "the server's identity is not for everybody");

done_testing();
