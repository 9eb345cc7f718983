# What was granted, at work: foreign tables and runs of flows with profiles and buckets
# of others, through views and functions too, until it is taken back.

use strict;
use warnings;

use AppflowTest::Pages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $pages = AppflowTest::Pages->new('grants_used', pages => 1);
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/$_" foreach qw(lake lake/in);
append_to_file("$root/lake/in/1.json", qq({"a": 1}\n{"a": 2}\n));

$pages->sql(qq{
	CREATE ROLE ann; CREATE ROLE bob; CREATE ROLE dora;
	GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO bob;
	GRANT USAGE ON FOREIGN DATA WRAPPER appflow_fdw TO bob;
	GRANT USAGE ON FOREIGN SERVER pages TO bob;
	GRANT CREATE ON SCHEMA public TO bob;
	GRANT SELECT ON records TO bob, dora;
	SELECT appflow.create_object_store('lakes', 'file://$root', '{lake}');
	CREATE SERVER files FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_type 'S3');
	CREATE FOREIGN TABLE objects (a int) SERVER files OPTIONS (bucket 'lake', prefix 'in', format 'json');
	GRANT USAGE ON FOREIGN SERVER files TO bob;
	GRANT SELECT ON objects TO bob, dora;
	CREATE TABLE public.bobs (id bigint, name text); ALTER TABLE public.bobs OWNER TO bob;
});
# what a role gets: the answer, or the first line of the error
sub as
{
	my ($role, $sql) = @_;
	my ($status, $out, $err) = $pages->{node}->psql('postgres', "SET client_min_messages = error; SET ROLE $role; $sql");
	return $err =~ /ERROR:\s+([^\n]*)/ ? $1 : $out;
}

# ---------- foreign tables of a profile ----------

my $none = 'Connector Profile with name pages does not exist.';
is(as('bob', 'SELECT count(*) FROM records'), $none, 'SELECT on a foreign table is not enough: the profile is not his');
is(as('bob', "IMPORT FOREIGN SCHEMA \"Objects\" FROM SERVER pages INTO public"), $none, 'nor can he import');
$pages->sql("SELECT appflow.grant_profile('pages', 'bob')");
is(as('bob', 'SELECT count(*) FROM records'), 2000, 'granted: he reads');
is(as('dora', 'SELECT count(*) FROM records'), $none, 'another does not');
is(as('bob', 'CREATE FOREIGN TABLE public.his (id bigint, name text) SERVER pages OPTIONS (entity \'records\'); SELECT count(*) FROM public.his'), 2000, 'a table of his own');

# a view reads with its owner's rights, as views do
as('bob', 'CREATE VIEW public.seen AS SELECT id FROM records; GRANT SELECT ON public.seen TO dora');
is(as('dora', 'SELECT count(*) FROM public.seen'), 2000, "through bob's view");
is($pages->sql(q{ALTER VIEW public.seen SET (security_invoker = true); SELECT 1}), 1, 'one of the invoker');
is(as('dora', 'SELECT count(*) FROM public.seen'), $none, 'is another matter');

# ---------- and of buckets ----------

is(as('bob', 'SELECT sum(a) FROM objects'), 'role "bob" may not use bucket "lake"', 'a bucket that was not granted');
$pages->sql("SELECT appflow.grant_object_store('lakes', 'bob')");
is(as('bob', 'SELECT sum(a) FROM objects'), 3, 'granted: he reads');
is(as('dora', 'SELECT sum(a) FROM objects'), 'role "dora" may not use bucket "lake"', 'another does not');
as('bob', 'CREATE VIEW public.sums AS SELECT a FROM objects; GRANT SELECT ON public.sums TO dora');
is(as('dora', 'SELECT sum(a) FROM public.sums'), 3, "through bob's view");

# ---------- flows ----------

my $flow = q({"flowName": "from-pages", "triggerConfig": {"triggerType": "OnDemand"},
	"sourceFlowConfig": {"connectorType": "CustomConnector", "connectorProfileName": "pages",
		"sourceConnectorProperties": {"CustomConnector": {"entityName": "records"}}},
	"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
		"destinationConnectorProperties": {"CustomConnector": {"entityName": "public.bobs"}}}],
	"tasks": [{"taskType": "Filter", "sourceFields": ["id", "name"], "connectorOperator": {"CustomConnector": "PROJECTION"}},
		{"taskType": "Map", "sourceFields": ["id"], "destinationField": "id", "connectorOperator": {"CustomConnector": "NO_OP"}},
		{"taskType": "Map", "sourceFields": ["name"], "destinationField": "name", "connectorOperator": {"CustomConnector": "NO_OP"}}]});
like(as('bob', "SELECT appflow.create_flow('$flow')"), qr/"flowStatus": "Active"/, 'a flow with a profile that was granted');
is(as('bob', "CALL appflow.run_flow('from-pages')"), '', 'runs');
is($pages->sql('SELECT count(*) FROM public.bobs'), 2000, 'and moves');
$pages->sql("TRUNCATE public.bobs; SELECT appflow.revoke_profile('pages', 'bob')");
like(as('bob', "CALL appflow.run_flow('from-pages')"), qr/ended as Error: \Q$none\E/, 'taken back: the next run fails');
like($pages->error_of("CALL appflow.run_flow('from-pages')"), qr/ended as Error: \Q$none\E/, 'whoever starts it');
is($pages->sql('SELECT count(*) FROM public.bobs'), 0, 'and moves nothing');
is(as('bob', 'SELECT count(*) FROM records'), $none, 'foreign tables too');

# everybody
$pages->sql("SELECT appflow.grant_profile('pages', 'public')");
is(as('dora', 'SELECT count(*) FROM records'), 2000, 'everybody');

# an owner who is no more: nobody's rights, and a way back
$pages->sql("CREATE ROLE gone; UPDATE appflow.connector_profile SET owner = 'gone' WHERE connector_profile_name = 'pages'; SELECT appflow.revoke_profile('pages', 'public')");
my $number = $pages->sql("SELECT 'gone'::regrole::oid");
$pages->sql('DROP ROLE gone');
is(as('dora', 'SELECT count(*) FROM records'), $none, 'a profile without owner is nobody\'s');
is($pages->sql("SELECT count(*) FROM records"), 2000, 'but the superuser\'s');
is($pages->sql("SELECT appflow.reassign_owned('$number', 'dora')"), 1, 'who gives it to another');
is(as('dora', 'SELECT count(*) FROM records'), 2000, 'who has it then');
done_testing();
