# What an installation lives through: dump and restore, updates of the extension,
# its end while flows run.
use strict;
use warnings;
use AppflowTest::Operations;
use Test::More;

my $node = AppflowTest::Operations->node('standing');
my $root = PostgreSQL::Test::Utils::tempdir();
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

sub sql
{
	my ($statement, $on, $database) = @_;
	my ($status, $out, $err) = ($on || $node)->psql($database || 'postgres', "SET client_min_messages = error; $statement");
	return $status ? $err : $out;
}

mkdir "$root/data";
open my $f, '>', "$root/data/1.json" or die;
print $f qq({"id": $_, "name": "n$_"}\n) foreach 1 .. 100;
close $f;

my $setup = q(
	SELECT appflow.create_object_store('local', 'file://ROOT', '{data}');
	SELECT appflow.sync('S3', 'data', 'public.loaded', flow_name => 'loads', key => '{id}');
	SELECT appflow.tag_resource('arn:aws:appflow:us-east-1:000000000000:flow/loads', '{"team": "blue"}');
	SELECT appflow.register_connector('crm', connector_provisioning_config => jsonb_build_object('lambda', jsonb_build_object('lambdaArn', appflow.function_arn('test.crm(jsonb)'))));
	SELECT appflow.create_connector_profile('c1', 'CustomConnector', 'Public', connector_label => 'crm', connector_profile_config =>
		'{"connectorProfileProperties": {"CustomConnector": {"profileProperties": {"instanceUrl": "https://x"}}},
		"connectorProfileCredentials": {"CustomConnector": {"authenticationType": "APIKEY", "apiKey": {"apiKey": "good"}}}}', client_token => 'token');
	SELECT count(*) FROM appflow.connector_entities('c1');
);
$setup =~ s/ROOT/$root/;
like(sql($setup), qr/^3$/m, 'a database with flows, profiles, connectors');
sql(q{CALL appflow.run_flow('loads')});
is(sql('SELECT count(*) FROM public.loaded'), 100, 'a run');
sql(q{SELECT appflow.sync('S3', 'data', 'public.later', flow_name => 'scheduled', schedule => 'rate(1days)');
	SELECT appflow.set_watermark('scheduled', '2024-05-06 07:08:09+00')});
is(sql(q{SELECT count(*) > 0, (SELECT count(*) FROM appflow.client_token) FROM appflow.connector_metadata}), 't|1', 'something is kept');

# ---------- dump and restore ----------

$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
my $text = PostgreSQL::Test::Utils::slurp_file($dump);
like($text, qr/^COPY appflow\.$_ /m, "$_ is dumped") foreach qw(flow connector_profile connector object_store secret);
unlike($text, qr/^COPY appflow\.$_ /m, "$_ is not") foreach qw(flow_execution connector_metadata client_token installation);
unlike($text, qr/"apiKey": "good"/, 'credentials are sealed in it');

my $key = $node->safe_psql('postgres', 'LOAD $$appflow$$; SHOW appflow.master_key');
my $other = PostgreSQL::Test::Cluster->new('restored');
$other->init;
$other->append_conf('postgresql.conf', "appflow.master_key = '$key'");
$other->start;
$other->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr('postgres'), '-f', $dump ], 'restores into a fresh cluster');
is(sql(q{SELECT flow_name, watermark, next_run_at IS NOT NULL FROM appflow.flow_schedules}, $other), 'scheduled|2024-05-06 07:08:09+00|t', 'schedules and watermarks are there');
is(sql(q{SELECT flow_name, flow_status, last_run_status, tags FROM appflow.flows WHERE flow_name = 'loads'}, $other), 'loads|Active||{"team": "blue"}', 'flows are there, without their history');
sql('TRUNCATE public.loaded', $other);
sql(q{CALL appflow.run_flow('loads')}, $other);
is(sql('SELECT count(*) FROM public.loaded', $other), 100, 'and go on');
is(sql(q{SELECT appflow.describe_flow('loads') ->> 'flowName'}, $other), 'loads', 'as ever');
is(sql(q{SELECT connector_profile_name, has_credentials FROM appflow.connector_profiles ORDER BY 1}, $other), "PostgreSQL|f\nc1|t", 'profiles are');
is(sql(q{SELECT array_agg(entity) FROM appflow.connector_entities('c1')}, $other), '{Account,Custom,Contact}', 'connectors answer, credentials open');
like(sql(q{SELECT appflow.create_flow(appflow.describe_flow('loads') - '{flowArn,flowStatus,schemaVersion,createdAt,createdBy,lastUpdatedAt,lastUpdatedBy,lastRunExecutionDetails}'::text[] || '{"flowName": "second"}')}, $other),
	qr/"flowStatus": "Active"/, 'new flows get numbers of their own');
is(sql(q{SELECT count(DISTINCT token_key) FROM (SELECT encode(token_key, 'hex') AS token_key FROM appflow.installation) x}, $other), 1, 'page tokens are signed with a key of its own');
isnt($other->safe_psql('postgres', q{SELECT encode(token_key, 'hex') FROM appflow.installation}), $node->safe_psql('postgres', q{SELECT encode(token_key, 'hex') FROM appflow.installation}), 'not with the old one');
$other->stop;

# ---------- another version ----------

is(sql(q{ALTER EXTENSION appflow UPDATE TO '1.0test'; SELECT extversion FROM pg_extension WHERE extname = 'appflow'}), '1.0test', 'ALTER EXTENSION UPDATE');
is(sql(q{SELECT flow_name, test_added FROM appflow.flow WHERE flow_name = 'loads'}), 'loads|', 'what was there stays');
sql('TRUNCATE public.loaded');
sql(q{CALL appflow.run_flow('loads')});
is(sql('SELECT count(*) FROM public.loaded'), 100, 'flows run on');
is(sql(q{SELECT appflow.describe_flow('loads') ->> 'flowStatus'}), 'Active', 'operations work');
is(sql(q{SELECT count(*) FROM pg_depend WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'appflow') AND objid = 'appflow.added'::regclass}), 1, 'new objects belong to the extension');
is(sql(q{SELECT array_length(extconfig, 1) >= 5 FROM pg_extension WHERE extname = 'appflow'}), 't', 'what is dumped is still marked');

# ---------- the end, while flows run ----------

sql(q{CREATE TABLE public.slow (id int PRIMARY KEY, name text);
	CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
	CREATE TRIGGER wait BEFORE INSERT ON public.slow FOR EACH ROW EXECUTE FUNCTION public.wait();
	SELECT appflow.sync('S3', 'data', 'public.slow', flow_name => 'slow', key => '{id}');
	SELECT appflow.start_flow('slow')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM appflow.flow_progress WHERE pid IS NOT NULL}), 'a run that does not end');
my $before = time;
my ($status, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '30s'; DROP EXTENSION appflow CASCADE}, timeout => 60);
is($status, 0, 'DROP EXTENSION with a run going on') or diag $err;
cmp_ok(time - $before, '<', 20, 'at once');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'its worker ends');
is(sql('SELECT count(*) FROM public.slow'), 0, 'nothing of it is kept');
is(sql(q{SELECT 1}), 1, 'the server is well');
like(sql(q{CREATE EXTENSION appflow; } . $setup), qr/^3$/m, 'and can have the extension again');
sql(q{CALL appflow.run_flow('loads')});
is(sql(q{SELECT last_run_status FROM appflow.flows}), 'Successful', 'flows run');

done_testing();
