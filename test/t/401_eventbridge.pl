# Changes of a table as events of Amazon EventBridge, seconds after their commit.
use strict;
use warnings;

use AppflowTest::Flows ();
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $json = JSON::PP->new->canonical->allow_nonref;
my ($key, $secret, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'us-east-1');
our $output;
my $server = open($output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/aws/destinations.js", $key, $secret, '', $region) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }
my $http = HTTP::Tiny->new;
sub get { return decode_json($http->get("http://127.0.0.1:$port/$_[0]")->{content}); }

my $flows = AppflowTest::Flows->new('eventbridge');
my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
append_to_file($file, "[default]\naws_access_key_id = $key\naws_secret_access_key = $secret\n");
$flows->{node}->append_conf('postgresql.conf', "shared_preload_libraries = 'appflow'\nappflow.event_interval = '50ms'\nappflow.allow_local_endpoints = on\n"
	. "appflow.eventbridge_endpoint = 'http://127.0.0.1:$port'\nappflow.max_retry_delay = '50ms'\n");
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file);
	$flows->{node}->restart;
}
sub sql { return $flows->sql($_[0]) }
sql('CREATE TABLE public.orders (id int PRIMARY KEY, "buyer.name" text, "buyer.city" text, total numeric, poison boolean)');

sub create
{
	my ($name, $object) = @_;
	my $definition = $json->encode({ flowName => $name, triggerConfig => { triggerType => 'Event' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.orders' } } },
		destinationFlowConfigList => [ { connectorType => 'EventBridge', destinationConnectorProperties => { EventBridge => { object => $object, errorHandlingConfig => { bucketName => 'errors' } } } } ],
		tasks => [ map { { taskType => 'Map', sourceFields => [$_], destinationField => $_ } } ('id', 'buyer.name', 'buyer.city', 'total', 'poison') ] });
	sql("SELECT appflow.create_flow(\$d\$$definition\$d\$)");
	sql(qq{SELECT appflow.start_flow('{"flowName": "$name"}')});
}
# events of a source, when there are so many
sub events
{
	my ($source, $count) = @_;
	my @events;
	foreach (1 .. 600)
	{
		@events = grep { $_->{Source} eq $source } @{ get('_events') };
		last if @events >= $count;
		sleep 0.1;
	}
	return @events;
}
sub settled { return $flows->{node}->poll_query_until('postgres', q{SELECT sum(waiting_changes) = 0 AND NOT EXISTS (SELECT FROM appflow.flow_progress) FROM appflow.flow_changes WHERE flow_status = 'Active'}); }

create('shop', 'orders');
sql(q{INSERT INTO public.orders VALUES (1, 'Änn "A"', 'Köln', 12.50, NULL)});
my ($event) = events('appflow/shop', 1);
is_deeply([ @{$event}{qw(EventBusName DetailType Detail)} ], [ 'orders', 'public.orders', { id => 1, buyer => { name => "\x{c4}nn \"A\"", city => "K\x{f6}ln" }, total => 12.5, poison => undef } ], 'an event, its members nested by their names');
sql(q{INSERT INTO public.orders SELECT i, 'n' || i, NULL, i, NULL FROM generate_series(2, 250) i});
my @events = events('appflow/shop', 250);
is(scalar @events, 250, 'many');
is(scalar(keys %{ { map { $_->{Detail}{id} => 1 } @events } }), 250, 'each once');
ok(settled(), 'settled');
is(scalar(grep { $_->{target} && $_->{target} =~ /PutEvents/ && @{ $json->decode($_->{body})->{Entries} } > 10 } @{ get('_log') }), 0, 'ten at most in a request');

$http->post("http://127.0.0.1:$port/_throttle", { content => '{"detail": 7}' });
sql(q{INSERT INTO public.orders SELECT i, 'n', NULL, i, NULL FROM generate_series(301, 320) i});
@events = events('appflow/shop', 270);
is(scalar(grep { $_->{Detail}{id} > 300 } @events), 20, 'those that are throttled are put again, and only those');
sql(q{INSERT INTO public.orders VALUES (401, repeat('x', 300000), NULL, 1, NULL), (402, 'poison', NULL, 1, true), (403, 'good', NULL, 1, NULL)});
@events = events('appflow/shop', 271);
ok(settled(), 'settled');
is($events[-1]{Detail}{id}, 403, 'one that is too large, and one that is refused, do not keep the others');
is(sql(q{SELECT sum(put_failures_count) FROM appflow.flow_executions WHERE flow_name = 'shop'}), '2', 'they are failed records');
my $errors = join '', values %{ $flows->objects('errors', '') };
is(join(' ', sort map { decode_json($_)->{errorCode} } split /\n/, $errors), 'EntryTooLarge RedactionFailure', 'in the error file');

create('partner', 'aws.partner/appflow/salesforce.com/1234/x');
sql(q{INSERT INTO public.orders VALUES (500, 'p', NULL, 1, NULL)});
($event) = events('appflow/salesforce.com/1234/x', 1);
is($event->{EventBusName}, 'default', 'a partner source, which nobody but partners can fill, becomes a source of the default bus');
create('nowhere', 'no-such-bus');
sql(q{INSERT INTO public.orders VALUES (501, 'p', NULL, 1, NULL)});
ok($flows->{node}->poll_query_until('postgres', q{SELECT count(*) > 0 FROM appflow.flow_executions WHERE flow_name = 'nowhere' AND execution_status = 'Error' AND execution_message LIKE '%Event bus no-such-bus does not exist%'}), 'a bus that is not there fails the run');

done_testing();
