# What roles may use that is not theirs: grants of connector profiles, connectors,
# flows and object stores; what they permit and what not, in operations, views and
# runs; what is left of them when the object, the role or the database goes.
use strict;
use warnings;
use AppflowTest::Operations;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = AppflowTest::Operations->node('grants', 'log_statement = none');
our $role = 'postgres';
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/$_" foreach qw(lake lake-private vault);

sub sql
{
	my ($statement) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET client_min_messages = error; SET ROLE $role; $statement");
	return $status ? $err : $out;
}

# the outcome of a statement: its value, or "SQLSTATE message"
sub outcome
{
	my ($statement) = @_;
	return sql("SELECT test.outcome(\$s\$$statement\$s\$)");
}

sub call
{
	my ($operation, $request) = @_;
	return outcome("SELECT appflow.$operation('$request'::jsonb)");
}

sub as
{
	my ($who, $code) = @_;
	local $role = $who;
	return $code->();
}

sub put
{
	my ($path, $text) = @_;
	open my $file, '>', "$root/$path" or die "$path: $!";
	print $file $text;
	close $file;
}

sub flow
{
	my ($name, $bucket, $table) = @_;
	return qq({"flowName": "$name", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "$bucket", "bucketPrefix": "in", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
		"destinationFlowConfigList": [{"connectorType": "CustomConnector", "connectorProfileName": "PostgreSQL",
			"destinationConnectorProperties": {"CustomConnector": {"entityName": "$table"}}}],
		"tasks": [{"taskType": "Map_all", "sourceFields": [], "connectorOperator": {"S3": "NO_OP"}}]});
}

sub to_bucket
{
	my ($name, $from, $to) = @_;
	return qq({"flowName": "$name", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "S3", "sourceConnectorProperties": {"S3": {"bucketName": "$from", "bucketPrefix": "in", "s3InputFormatConfig": {"s3InputFileType": "JSON"}}}},
		"destinationFlowConfigList": [{"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "$to"}}}],
		"tasks": [{"taskType": "Map_all", "sourceFields": [], "connectorOperator": {"S3": "NO_OP"}}]});
}

mkdir "$root/$_/in" foreach qw(lake lake-private vault);
put("$_/in/1", qq({"id": 1, "name": "$_"}\n)) foreach qw(lake lake-private vault);
$node->safe_psql('postgres', qq{
	CREATE ROLE ann; CREATE ROLE bob; CREATE ROLE team; CREATE ROLE dora; CREATE ROLE "O'Neil, ""X""";
	GRANT team TO dora;
	GRANT EXECUTE ON FUNCTION appflow.create_connector_profile(jsonb), appflow.register_connector(jsonb),
		appflow.create_flow(jsonb) TO ann, bob, team;
	GRANT EXECUTE ON FUNCTION appflow.http_get TO bob;
	CREATE TABLE public.anns (id int, name text); ALTER TABLE public.anns OWNER TO ann;
	CREATE TABLE public.bobs (id int, name text); ALTER TABLE public.bobs OWNER TO bob;
	SELECT appflow.create_object_store('lakes', 'file://$root', '{lake,lake-*}');
	SELECT appflow.create_object_store('vaults', 'file://$root', '{vault}');
});

# ---------- object stores ----------

foreach my $who (qw(ann bob))
{
	as($who, sub {
		like(call('create_flow', flow('first', 'lake', "public.${who}s")), qr/^WF403 role "$who" may not use bucket "lake"$/, "$who: no store is anybody's by itself");
		is(call('list_connector_entities', '{"connectorType": "S3"}') =~ s/.*\[(.*)\].*/$1/r, '', "$who: no bucket is listed");
		like(call($_->[0], $_->[1]), qr/^WF403 role "$who" may not use bucket "lake"$/, "$who: $_->[0]") foreach
		  [ 'list_connector_entities', '{"connectorType": "S3", "entitiesPath": "lake"}' ],
		  [ 'describe_connector_entity', '{"connectorType": "S3", "connectorEntityName": "lake/in"}' ];
		like(outcome("SELECT appflow.grant_object_store('lakes', '$who')"), qr/^42501 permission denied for function grant_object_store/, "$who: may not grant it");
	});
}
is(outcome("SELECT appflow.grant_object_store('lakes', 'ann')"), '', 'granted');
like(outcome("SELECT appflow.grant_object_store('nowhere', 'ann')"), qr/^WF404 object store "nowhere" does not exist/, 'a store that is none');
like(outcome("SELECT appflow.grant_object_store('lakes', 'nobody')"), qr/^42704 role "nobody" does not exist/, 'a role that is none');
like(outcome("SELECT appflow.grant_object_store('lakes', 'bob', '{a/b}')"), qr/^WF400 "a\/b" is not a valid pattern/, 'a pattern that is none');
is(outcome("SELECT appflow.grant_object_store('lakes', 'bob', '{lake}')"), '', 'a part of it');
as('ann', sub {
	like(call('create_flow', flow('anns', 'lake-private', 'public.anns')), qr/"flowStatus": "Active"/, 'ann: all buckets of the store');
	like(call('create_flow', flow('none', 'vault', 'public.anns')), qr/^WF403 role "ann" may not use bucket "vault"/, 'ann: but of no other');
	like(call('create_flow', to_bucket('none', 'lake', 'vault')), qr/^WF403 role "ann" may not use bucket "vault"/, 'ann: nor as a destination');
	like(call('list_connector_entities', '{"connectorType": "S3"}'), qr/\[\{"name": "lake", "label": "lake", "hasNestedEntities": true\}\]/, 'ann: sees the bucket that has a name, and vault not');
	like(call('describe_connector_entity', '{"connectorType": "S3", "connectorEntityName": "lake/in"}'), qr/"identifier": "id"/, 'ann: and into it');
	like(call('describe_connector_entity', '{"connectorType": "S3", "connectorEntityName": "vault/in"}'), qr/^WF403 /, 'ann: not into another');
	sql("CALL appflow.run_flow('anns')");
	is(sql('SELECT name FROM public.anns'), 'lake-private', 'ann: her flow runs');
});
as('bob', sub {
	like(call('create_flow', flow('bobs', 'lake', 'public.bobs')), qr/"flowStatus": "Active"/, 'bob: the bucket');
	like(call('create_flow', flow('none', 'lake-private', 'public.bobs')), qr/^WF403 role "bob" may not use bucket "lake-private"/, 'bob: and no other of the store');
	like(call('update_flow', flow('bobs', 'lake-private', 'public.bobs')), qr/^WF403 /, 'bob: nor by a change');
	is(sql(q{SELECT kind || ' ' || name || ' ' || grantee || ' ' || buckets::text FROM appflow.grants}), 'object store lakes bob {lake}', 'bob: sees what he was granted');
});

# what is taken back counts when the flow runs, whoever starts it
is(outcome("SELECT appflow.revoke_object_store('lakes', 'ann')"), '', 'taken back');
like(sql("CALL appflow.run_flow('anns')"), qr/WF403: .*role "ann" may not use bucket "lake-private"|role "ann" may not use bucket "lake-private"/, "the flow's owner may not any more, so the run fails");
is(sql('SELECT count(*) FROM public.anns'), 1, 'and moved nothing');
is(outcome("SELECT appflow.grant_object_store('lakes', 'public')"), '', 'for everybody');
sql("CALL appflow.run_flow('anns')");
is(sql('SELECT count(*) FROM public.anns'), 2, 'it runs again');
as('dora', sub { is(sql(q{SELECT count(*) FROM appflow.grants WHERE grantee = 'public'}), 1, 'which everybody sees') });
sql("SELECT appflow.revoke_object_store('lakes', 'public')");
sql("SELECT appflow.grant_object_store('lakes', 'team')");
as('dora', sub {
	like(call('create_flow', flow('doras', 'lake', 'public.x')), qr/^42501|"flowStatus"/, 'dora: by her role');
});
sql("SELECT appflow.drop_object_store('vaults')");
is(sql("SELECT appflow.grant_object_store('lakes', 'ann'); SELECT appflow.drop_object_store('lakes');
	SELECT appflow.create_object_store('lakes', 'file://$root', '{lake,lake-*}'); SELECT count(*) FROM appflow.grants") =~ s/\s//gr, '0', 'a store of the same name begins anew');

# who registers a store may use it
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION appflow.create_object_store, appflow.read_object TO ann');
as('ann', sub {
	is(outcome("SELECT appflow.create_object_store('hers', 'file://$root', '{vault}')"), '', 'ann registers a store');
	like(call('create_flow', flow('of-vault', 'vault', 'public.anns')), qr/"flowStatus": "Active"/, 'and uses it');
	like(outcome("SELECT convert_from(appflow.read_object('vault', 'in/1'), 'UTF8')"), qr/"name": "vault"/, 'by hand too');
	like(outcome("SELECT appflow.read_object('lake', 'in/1')"), qr/^WF403 role "ann" may not use bucket "lake"/, 'others not');
});

# ---------- registered connectors ----------

my $arn = sql(q{SELECT appflow.function_arn('test.crm(jsonb)')});
my $custom = '{"connectorProfileName": "bobs-crm", "connectorType": "CustomConnector", "connectorLabel": "crm", "connectionMode": "Public",
	"connectorProfileConfig": {"connectorProfileProperties": {"CustomConnector": {"profileProperties": {"instanceUrl": "https://x"}}},
	"connectorProfileCredentials": {"CustomConnector": {"authenticationType": "APIKEY", "apiKey": {"apiKey": "good"}}}}}';
as('ann', sub { like(call('register_connector', qq({"connectorLabel": "crm", "connectorProvisioningType": "LAMBDA",
	"connectorProvisioningConfig": {"lambda": {"lambdaArn": "$arn"}}})), qr/connector\/crm/, "ann's connector") });
as('bob', sub { like(call('create_connector_profile', $custom), qr/^WF404 Connector with label crm does not exist/, 'is not for bob') });
as('ann', sub { is(outcome("SELECT appflow.grant_connector('crm', 'bob')"), '', 'until granted') });
as('bob', sub {
	like(call('create_connector_profile', $custom), qr/connectorprofile\/bobs-crm/, 'then it is');
	is(sql(q{SELECT count(*) FROM appflow.connectors WHERE connector_label = 'crm'}), 1, 'he sees it');
	like(call('describe_connector', '{"connectorType": "CustomConnector", "connectorLabel": "crm"}'), qr/"connectorLabel": "crm"/, 'and describes it');
	like(call('list_connectors', '{"maxResults": 100}'), qr/"crm"/, 'and it is listed');
	is(sql(q{SELECT string_agg(entity, ',') FROM appflow.connector_entities('bobs-crm')}), 'Account,Custom,Contact', 'it answers him');
	is(sql(q{SELECT role FROM test.request ORDER BY at DESC LIMIT 1}), 'ann', 'with the rights of its owner');
	like(call($_, '{"connectorLabel": "crm"}'), qr/^WF403 connector "crm" was granted to be used, not to be changed/, "bob: $_")
	  foreach qw(update_connector_registration unregister_connector);
});

# ---------- connector profiles ----------

my $profile = '{"connectorProfileName": "PROFILE", "connectorType": "Salesforce", "connectionMode": "Public",
	"connectorProfileConfig": {"connectorProfileProperties": {"Salesforce": {"instanceUrl": "http://127.0.0.1:1"}},
	"connectorProfileCredentials": {"Salesforce": {"accessToken": "KEY"}}}}';
sub uses
{
	my ($name, $by) = @_;
	return qq({"flowName": "$name", "triggerConfig": {"triggerType": "OnDemand"},
		"sourceFlowConfig": {"connectorType": "Salesforce", "connectorProfileName": "$by", "sourceConnectorProperties": {"Salesforce": {"object": "Account"}}},
		"destinationFlowConfigList": [{"connectorType": "S3", "destinationConnectorProperties": {"S3": {"bucketName": "elsewhere"}}}],
		"tasks": [{"taskType": "Map_all", "sourceFields": [], "connectorOperator": {"Salesforce": "NO_OP"}}]});
}
as('ann', sub {
	like(call('create_connector_profile', $profile =~ s/PROFILE/shared/r), qr/connectorprofile\/shared/, "ann's profile");
	like(call('create_connector_profile', $profile =~ s/PROFILE/private/r), qr/connectorprofile\/private/, 'and another');
});
as('bob', sub {
	is(sql(q{SELECT count(*) FROM appflow.connector_profiles WHERE connector_type = 'Salesforce'}), 0, 'bob sees none');
	like(outcome("SELECT appflow.grant_profile('shared', 'bob')"), qr/^WF404 Connector Profile with name shared does not exist/, 'and cannot help himself');
});
as('ann', sub {
	is(outcome("SELECT appflow.grant_profile('shared', 'bob')"), '', 'ann grants');
	like(outcome("SELECT appflow.grant_profile('PostgreSQL', 'bob')"), qr/^WF405 /, 'the built-in is everybody\'s');
	is(sql(q{SELECT name || ' ' || grantee FROM appflow.grants WHERE kind = 'connector profile'}), 'shared bob', 'the owner sees her grant');
});
as('bob', sub {
	is(sql(q{SELECT string_agg(connector_profile_name, ',') FROM appflow.connector_profiles WHERE connector_type = 'Salesforce'}), 'shared', 'bob sees it');
	like(call('describe_connector_profiles', '{}'), qr/^(?!.*private).*"connectorProfileName": "shared"/, 'and describes it');
	like(call('create_flow', uses('by-grant', 'shared')), qr/"flowStatus": "Active"|^WF405 /, 'and has a flow with it');
	like(outcome("SELECT appflow.http_get('shared', '/')"), qr/^WF400 .*127\.0\.0\.1/, 'and calls by hand');
	like(call('create_flow', uses('not', 'private')), qr/^WF404 Connector Profile with name private does not exist/, 'of the other he knows nothing');
	like(call($_->[0], $_->[1]), qr/^WF403 connector profile "shared" was granted to be used, not to be changed/, "bob: $_->[0]") foreach
	  [ 'update_connector_profile', $profile =~ s/PROFILE/shared/r =~ s/"connectorType": "Salesforce", //r ],
	  [ 'delete_connector_profile', '{"connectorProfileName": "shared", "forceDelete": true}' ];
	like(outcome("SELECT appflow.set_rate_limit('shared', 1)"), qr/^WF403 /, 'bob: set_rate_limit');
	like(outcome("SELECT appflow.grant_profile('shared', 'team')"), qr/^WF403 /, 'bob: granting it on');
	like(outcome("SELECT appflow.revoke_profile('shared', 'bob')"), qr/^WF403 /, 'bob: not even taking it back');
	like(call('tag_resource', '{"resourceArn": "arn:aws:appflow:us-east-1:000000000000:connectorprofile/shared", "tags": {"a": "1"}}'), qr/^WF404 /, 'bob: tags');
});
is(sql(q{SELECT has_table_privilege('bob', 'appflow.access_grant', 'SELECT')}), 'f', 'the table is closed');
is(sql("SELECT appflow.revoke_profile('shared', 'bob')"), '', 'a superuser takes it back');
as('bob', sub {
	is(sql(q{SELECT count(*) FROM appflow.connector_profiles WHERE connector_type = 'Salesforce'}), 0, 'bob sees it no more');
	like(call('create_flow', uses('again', 'shared')), qr/^WF404 /, 'nor has new flows with it');
	like(sql("CALL appflow.run_flow('by-grant')"), qr/does not exist/, 'and those that he has do not run');
	like(outcome("SELECT appflow.http_get('shared', '/')"), qr/^WF404 Connector Profile with name shared does not exist/, 'nor calls');
});
is(sql(q{SELECT appflow.grant_profile('shared', 'bob'); SELECT appflow.delete_connector_profile('{"connectorProfileName": "shared", "forceDelete": true}');
	SELECT count(*) FROM appflow.access_grant WHERE kind = 'connector profile'}) =~ s/[\s{}]//gr, '0', 'grants go with the profile');
as('ann', sub { call('create_connector_profile', $profile =~ s/PROFILE/shared/r) });
as('bob', sub { is(sql(q{SELECT count(*) FROM appflow.connector_profiles WHERE connector_type = 'Salesforce'}), 0, 'one of the same name is not granted') });

# ---------- flows ----------

as('ann', sub {
	is(outcome("SELECT appflow.grant_flow('of-vault', 'bob')"), '', 'ann grants the use of a flow');
	like(outcome("SELECT appflow.grant_flow('nothing', 'bob')"), qr/^WF404 /, 'of one that is');
});
sql('TRUNCATE public.anns');
as('bob', sub {
	is(sql(q{SELECT string_agg(flow_name, ',' ORDER BY flow_name) FROM appflow.flows WHERE flow_name <> 'by-grant'}), 'bobs,of-vault', 'bob sees it');
	like(call('list_flows', '{}'), qr/"flowName": "of-vault"/, 'it is listed');
	like(call('describe_flow', '{"flowName": "of-vault"}'), qr/"bucketName": "vault"/, 'and described');
	is(sql("CALL appflow.run_flow('of-vault')"), '', 'he runs it');
	is(sql(q{SELECT execution_status FROM appflow.flow_executions WHERE flow_name = 'of-vault'}), 'Successful', 'and sees how that went');
	like(call('describe_flow_execution_records', '{"flowName": "of-vault"}'), qr/"executionStatus": "Successful"/, 'by operation too');
	like(sql('SELECT * FROM public.anns'), qr/permission denied/, 'but the table that it filled is not his');
	like(call($_->[0], $_->[1]), qr/^WF403 flow "of-vault" was granted to be used, not to be changed/, "bob: $_->[0]") foreach
	  [ 'update_flow', flow('of-vault', 'vault', 'public.bobs') ], [ 'delete_flow', '{"flowName": "of-vault"}' ];
	like(outcome("SELECT appflow.set_watermark('of-vault', now())"), qr/^WF403 /, 'bob: set_watermark');
	like(outcome("SELECT appflow.grant_flow('of-vault', 'team')"), qr/^WF403 /, 'bob: granting it on');
});
is(sql('SELECT count(*) FROM public.anns'), 1, "it ran with ann's rights");
as('ann', sub { is(sql("SELECT appflow.revoke_flow('of-vault', 'bob'); SELECT appflow.revoke_flow('of-vault', 'bob')") =~ s/\s//gr, '', 'taken back, twice') });
as('bob', sub { like(call('start_flow', '{"flowName": "of-vault"}'), qr/^WF404 /, 'bob sees it no more') });

# ---------- roles that go ----------

sql(q{SELECT appflow.grant_object_store('lakes', 'dora'); SELECT appflow.grant_object_store('lakes', 'O''Neil, "X"', '{lake}')});
my $dora = sql(q{SELECT 'dora'::regrole::oid});
sql('DROP ROLE dora');
is(sql(q{SELECT string_agg(grantee, ';') FROM appflow.grants WHERE name = 'lakes'}), q{O'Neil, "X"}, 'a grant to a role that is gone is not shown');
is(sql(qq{SELECT count(*) FROM appflow.access_grant WHERE grantee = $dora}), 1, 'though the row is there');
my $dump = $node->backup_dir . '/../grants.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'dumped');
unlike(PostgreSQL::Test::Utils::slurp_file($dump), qr/^object store\tlakes\t\Q$dora\E\t/m, 'and is not dumped');
sql("SELECT appflow.grant_object_store('hers', 'bob')");
is(sql(qq{SELECT count(*) FROM appflow.access_grant WHERE grantee = $dora}), 0, 'the next grant sweeps it out');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $dump ], 'restored');
is($node->safe_psql('copy', 'SELECT kind, name, grantee, buckets FROM appflow.grants ORDER BY 1, 2, 3'),
	join("\n", 'connector|crm|bob|', 'object store|hers|ann|', q(object store|lakes|O'Neil, "X"|{lake})), 'grants are restored');

# what a role leaves can be given to another, even when it is gone
as('bob', sub { like(outcome(q{SELECT appflow.reassign_owned('ann', 'bob')}), qr/^WF403 /, 'not by everybody') });
my $ann = sql(q{SELECT 'ann'::regrole::oid});
$node->safe_psql('postgres', 'DROP DATABASE copy');
$node->safe_psql('postgres', 'DROP OWNED BY ann; DROP ROLE ann');
like(outcome(qq{SELECT appflow.reassign_owned('$ann', '1')}), qr/^42704 /, 'not to nobody');
is(outcome(qq{SELECT appflow.reassign_owned('$ann', 'team')}), '5', 'two flows, two profiles and a connector');
is(sql(qq{SELECT count(*) FROM appflow.flows WHERE owner = 'team'::regrole}), 2, 'have an owner again');

# ---------- nobody's traps are sprung ----------

$node->safe_psql('postgres', q{
	CREATE ROLE mallory; GRANT CREATE ON SCHEMA public TO mallory;
	GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO mallory;
	CREATE TABLE public.who (who name); GRANT ALL ON public.who TO PUBLIC;
	SET ROLE mallory;
	CREATE FUNCTION public.boom() RETURNS void LANGUAGE sql AS 'INSERT INTO public.who SELECT current_user';
	CREATE FUNCTION public.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.boom(); SELECT true';
	CREATE FUNCTION public.same(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT public.boom(); SELECT true';
	CREATE FUNCTION public.same(oid, regrole) RETURNS boolean LANGUAGE sql AS 'SELECT public.boom(); SELECT true';
	CREATE FUNCTION public.same(oid, integer) RETURNS boolean LANGUAGE sql AS 'SELECT public.boom(); SELECT true';
	CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = text, RIGHTARG = text);
	CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = oid, RIGHTARG = oid);
	CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = oid, RIGHTARG = regrole);
	CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = oid, RIGHTARG = integer);
	CREATE FUNCTION public.pg_has_role(oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.boom(); SELECT true';
	CREATE FUNCTION public.pg_has_role(oid, oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.boom(); SELECT true';
	CREATE TABLE public.access_grant (kind text, name text, grantee oid, buckets text[]);
	INSERT INTO public.access_grant VALUES ('flow', 'of-vault', 0), ('object store', 'lakes', 0);
});
$role = 'mallory';
my $path = 'SET search_path = public, pg_catalog; CREATE TEMP TABLE access_grant AS SELECT * FROM public.access_grant;';
like(sql("$path SELECT test.outcome(\$s\$SELECT appflow.describe_flow('{\"flowName\": \"of-vault\"}'::jsonb)\$s\$)"), qr/^WF404 /, 'a table of the same name grants nothing');
like(sql("$path SELECT test.outcome(\$s\$SELECT appflow.create_flow('" . flow('mine', 'lake', 'public.who') . "'::jsonb)\$s\$)"), qr/^WF403 /, 'no bucket either');
is(sql("$path SELECT count(*) FROM appflow.flows"), 0, 'nor in views');
is(sql("$path SELECT count(*) FROM appflow.grants"), 0, 'none to see');
$role = 'postgres';
sql("$path SELECT * FROM appflow.flows; SELECT * FROM appflow.flow_executions; SELECT * FROM appflow.connector_profiles;
	SELECT * FROM appflow.connectors; SELECT * FROM appflow.grants; SELECT appflow.list_flows('{}'); SELECT appflow.list_connectors('{}');
	SELECT appflow.describe_connector_profiles('{}'); SELECT appflow.grant_flow('of-vault', 'bob'); SELECT appflow.revoke_flow('of-vault', 'bob');
	SELECT appflow.grant_object_store('lakes', 'bob'); SELECT appflow.reassign_owned('team', 'team');");
is(sql('SELECT count(*) FROM public.who'), 0, 'a superuser with a search path of traps springs none');
is(sql(q{SELECT count(*) FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' AND d.classid = 'pg_proc'::regclass
	JOIN pg_extension e ON e.oid = d.refobjid WHERE e.extname = 'appflow' AND p.prosecdef}), 0, 'no function of the extension is SECURITY DEFINER');
done_testing();
