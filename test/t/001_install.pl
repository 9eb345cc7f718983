# The extension installs into a database, can be dropped without a trace, and
# goes into a dump as itself.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('install');
$node->init;
$node->start;

my $before = $node->safe_psql('postgres',
	"SELECT count(*) FROM pg_depend WHERE classid <> 'pg_extension'::regclass");
$node->safe_psql('postgres', 'CREATE EXTENSION appflow');
is( $node->safe_psql('postgres',
		"SELECT extversion || ' ' || extnamespace::regnamespace FROM pg_extension WHERE extname = 'appflow'"),
	'1.0 appflow', 'version and schema');
is( $node->safe_psql('postgres', q{
	SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY 1)
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'appflow' AND d.deptype = 'e' AND p.pronamespace <> 'appflow'::regnamespace}),
	'', 'no function outside its schema');

my ($dumped, undef) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
like($dumped, qr/^CREATE EXTENSION IF NOT EXISTS appflow /m, 'a dump creates the extension');
unlike($dumped, qr/^CREATE FUNCTION appflow\./m, 'a dump has none of its functions');

$node->safe_psql('postgres', 'DROP EXTENSION appflow CASCADE; DROP SCHEMA IF EXISTS appflow');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_depend WHERE classid <> 'pg_extension'::regclass"),
	$before, 'nothing is left behind');

$node->stop;
done_testing();
