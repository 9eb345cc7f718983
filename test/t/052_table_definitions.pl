# Destinations that cannot be, rights that are missing, tables and columns made on request.
use strict;
use warnings;

use AppflowTest::Tables;
use JSON::PP ();
use Test::More;

my $t = AppflowTest::Tables->new('table_definitions');

sub rejected { return AppflowTest::Tables::rejected(@_); }
sub sql { return $t->sql(@_); }

sql(q{
	CREATE TABLE t (id int PRIMARY KEY, name text, twice int GENERATED ALWAYS AS (id * 2) STORED, n int GENERATED ALWAYS AS IDENTITY);
	CREATE UNIQUE INDEX ON t (name) WHERE id > 0;
	CREATE UNIQUE INDEX ON t (lower(name), id);
	CREATE MATERIALIZED VIEW mv AS SELECT 1 AS id;
	CREATE VIEW counted AS SELECT count(*) AS id FROM t;
	CREATE SEQUENCE s;
	CREATE TABLE pt (p point, id int);
	CREATE SCHEMA "Odd.Schema"; CREATE TABLE "Odd.Schema"."Odd.Table" ("Id" int PRIMARY KEY, "select" text);
});

# ---------- definitions that fail, with the exact reason ----------

my $long = 'x' x 64;
my @cases = (
	[ { entity => 'public.t', fields => [qw(id nam)] }, 'WF400', 'table "public.t" has no column "nam"' ],
	[ { entity => 'public.t', fields => [qw(id Name)] }, 'WF400', 'table "public.t" has no column "Name"' ],
	[ { entity => 'public.t', fields => [qw(id quite_other)] }, 'WF400', 'table "public.t" has no column "quite_other"' ],
	[ { entity => 'public.t', fields => [qw(id ctid)] }, 'WF400', 'table "public.t" has no column "ctid"' ],
	[ { entity => 'public.t', fields => [qw(id twice)] }, 'WF400', 'column "twice" of table "public.t" is a generated column and cannot be written' ],
	[ { entity => 'public.t', fields => [qw(id n)] }, 'WF400', 'column "n" of table "public.t" is an identity column defined as GENERATED ALWAYS and cannot be written' ],
	[ { entity => 'public.none', fields => ['id'] }, 'WF404', 'table "public.none" does not exist' ],
	[ { entity => 'none.none', fields => ['id'] }, 'WF404', 'table "none.none" does not exist' ],
	[ { entity => 'none.none', fields => ['id'], properties => { createTable => 'true' } }, 'WF404', 'schema "none" does not exist' ],
	[ { entity => 't', fields => ['id'] }, 'WF400', 'entity name "t" is not of the form schema.table' ],
	[ { entity => 'a.b.c', fields => ['id'] }, 'WF400', 'entity name "a.b.c" is not of the form schema.table' ],
	[ { entity => '"public.t', fields => ['id'] }, 'WF400', 'entity name ""public.t" is not of the form schema.table' ],
	[ { entity => 'public.', fields => ['id'] }, 'WF400', 'entity name "public." is not of the form schema.table' ],
	[ { entity => "public.$long", fields => ['id'] }, 'WF400', "entity name \"public.$long\" is not of the form schema.table" ],
	[ { entity => 'pg_catalog.pg_class', fields => ['relname'] }, 'WF400', 'schema "pg_catalog" cannot be a destination' ],
	[ { entity => 'information_schema.sql_parts', fields => ['feature_id'] }, 'WF400', 'schema "information_schema" cannot be a destination' ],
	[ { entity => 'appflow.flow', fields => ['flow_name'] }, 'WF400', 'schema "appflow" cannot be a destination' ],
	[ { entity => 'public.mv', fields => ['id'] }, 'WF400', '"public.mv" is not a table that can be written' ],
	[ { entity => 'public.s', fields => ['last_value'] }, 'WF400', '"public.s" is not a table that can be written' ],
	[ { entity => 'public.counted', fields => ['id'] }, '55000', 'cannot insert into view "counted"' ],
	[ { entity => 'public.t', fields => ['id'], properties => { createTabel => 'true' } }, 'WF400', 'unknown custom property "createTabel" of connector PostgreSQL' ],
	[ { entity => 'public.t', fields => ['id'], properties => { addColumns => 'perhaps' } }, 'WF400', 'custom property "addColumns" must be "true" or "false", not "perhaps"' ],
	[ { entity => 'public.t', operation => 'UPSERT', ids => ['name'], fields => [qw(id name)] }, 'WF400', 'table "public.t" has no unique index on (name), which UPSERT by these id fields needs' ],
	[ { entity => 'public.t', operation => 'UPSERT', ids => [qw(id name)], fields => [qw(id name)] }, 'WF400', 'table "public.t" has no unique index on (id, name), which UPSERT by these id fields needs' ],
	[ { entity => 'public.t', operation => 'UPDATE', ids => ['id'], fields => ['id'] }, 'WF400', 'operation UPDATE on table "public.t" needs a field that is not an id field' ],
	[ { entity => 'public.pt', operation => 'UPDATE', ids => ['p'], fields => [qw(p id)] }, 'WF400', 'column "p" of type point cannot be an id field: the type has no equality' ],
	[ { entity => 'public.new', fields => [$long], properties => { createTable => 'true' } }, 'WF400', "field name \"$long\" is too long for a column" ]);
foreach my $case (@cases)
{
	my ($load, $code, $message) = @$case;
	my $r = $t->load(%$load, records => [ '{"id":1}' ]);
	my $what = "$load->{entity} " . join(',', @{ $load->{fields} }) . ' ' . ($load->{operation} || 'INSERT');
	my $got = $r->{status} eq 'Refused' ? $r->{message} : ($r->{code} // '') . ": $r->{message}";

	like($got, qr/^\Q$code\E: .*\Q$message\E/, "$what: $message");
	isnt($r->{status}, 'Successful', "$what: does not run");
}
like($t->load(entity => 'public.t', operation => 'UPSERT', ids => ['id'], fields => ['name'], records => [ '{"name":1}' ])->{message},
	qr/id field "id" is not mapped to the destination/, 'an id field that nothing is mapped to');
like($t->load(entity => 'public.t', operation => 'DELETE', fields => ['id'], records => [ '{"id":1}' ])->{message},
	qr/idFieldNames/, 'DELETE without id fields');
is(sql(q{SELECT count(*) FROM t}), '0', 'none of them wrote anything');

# ---------- rights ----------

sql(q{
	CREATE ROLE alice LOGIN; CREATE ROLE owner_of_all;
	GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO alice;
	CREATE SCHEMA closed; CREATE TABLE closed.t (id int);
	CREATE TABLE secured (id int PRIMARY KEY, who text DEFAULT current_user, v text);
});
sub denied
{
	my ($what, $message, %load) = @_;
	my $r = $t->load(records => [ '{"id":1,"v":"a","who":"x"}' ], role => 'alice', %load);
	is("$r->{status} " . ($r->{code} // ''), 'Error WF403', "$what: refused as AccessDeniedException") or diag $r->{message};
	like($r->{message}, $message, "$what: says what is missing");
}
denied('no right', qr/permission denied for table secured/, entity => 'public.secured', fields => [qw(id v)]);
sql('GRANT INSERT (id, v) ON secured TO alice');
is($t->load(entity => 'public.secured', fields => [qw(id v)], records => [ '{"id":1,"v":"a"}' ], role => 'alice')->{status}, 'Successful', 'rights on the mapped columns do');
is(sql('SELECT * FROM secured'), '1|alice|a', 'and the flow runs as its owner');
denied('a column without right', qr/permission denied for table secured/, entity => 'public.secured', fields => [qw(id who)]);
denied('UPSERT with INSERT only', qr/permission denied for table secured/, entity => 'public.secured', fields => [qw(id v)], operation => 'UPSERT', ids => ['id']);
denied('DELETE with INSERT only', qr/permission denied for table secured/, entity => 'public.secured', fields => ['id'], operation => 'DELETE', ids => ['id']);
denied('a schema without USAGE', qr/permission denied for schema closed/, entity => 'closed.t', fields => ['id']);
denied('addColumns on another\'s table', qr/must be owner of table secured/, entity => 'public.secured', fields => [qw(id v extra)], properties => { addColumns => 'true' });
denied('truncate', qr/permission denied for table secured/, entity => 'public.secured', fields => [qw(id v)], properties => { truncate => 'true' });
denied('createTable', qr/permission denied for schema public/, entity => 'public.fresh', fields => [qw(id v)], properties => { createTable => 'true' });
is(sql('SELECT count(*) FROM secured'), '1', 'nothing came of it');

# policies
sql(q{
	GRANT ALL ON secured TO alice;
	ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON secured TO alice USING (who = 'alice') WITH CHECK (id < 100);
	INSERT INTO secured VALUES (50, 'zed', 'hidden');
});
my $r = $t->load(entity => 'public.secured', fields => [qw(id v)], role => 'alice', records => [ '{"id":2,"v":"b"}', '{"id":200,"v":"c"}' ]);
is(rejected($r), '2 42501 new row violates row-level security policy for table "secured"', 'a row that the policy refuses');
$r = $t->load(entity => 'public.secured', operation => 'UPDATE', ids => ['id'], fields => [qw(id v)], role => 'alice',
	records => [ '{"id":50,"v":"seen"}', '{"id":2,"v":"mine"}' ]);
is(rejected($r), '1 NotFound table "public.secured" has no row with "id" = "50"', 'a row that the policy hides is not there');
is(sql('SELECT * FROM secured ORDER BY id'), "1|alice|a\n2|alice|mine\n50|zed|hidden", 'policies were kept');

# code of others must not become someone else, now or at the end
sql(q{
	CREATE TABLE trap (id int); GRANT ALL ON trap TO alice;
	CREATE FUNCTION escape() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SET ROLE owner_of_all'; RETURN new; END $$;
	CREATE TRIGGER escape AFTER INSERT ON trap FOR EACH ROW EXECUTE FUNCTION escape();
	CREATE TABLE witness (who text); GRANT ALL ON witness TO alice;
	CREATE TABLE late (id int); GRANT ALL ON late TO alice;
	CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO witness VALUES (current_user); RETURN NULL; END $$;
	CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell();
});
$r = $t->load(entity => 'public.trap', fields => ['id'], role => 'alice', records => [ '{"id":1}' ]);
like("$r->{status} $r->{message}", qr/^Error .*cannot set parameter "role" within security-definer function/, 'SET ROLE in a trigger is refused');
$t->load(entity => 'public.late', fields => ['id'], role => 'alice', records => [ '{"id":1}' ]);
is(sql('SELECT * FROM witness'), 'alice', 'deferred triggers run as the owner of the flow');

# ---------- names ----------

$r = $t->load(entity => '"Odd.Schema"."Odd.Table"', fields => [qw(Id select)], operation => 'UPSERT', ids => ['Id'], records => [ '{"Id":1,"select":"x"}' ]);
is("$r->{status} " . sql('SELECT * FROM "Odd.Schema"."Odd.Table"'), 'Successful 1|x', 'names in quotes');
$t->load(entity => 'PUBLIC.T', fields => [qw(id name)], records => [ '{"id":1,"name":"x"}' ]);
is(sql('SELECT id, name, twice, n FROM t'), '1|x|2|1', 'names without quotes are folded');

# ---------- createTable, addColumns, truncate ----------

my @all = ({ taskType => 'Map_all', sourceFields => [], taskProperties => {} });
$r = $t->load(entity => 'public.made', operation => 'UPSERT', ids => ['id'], properties => { createTable => 'true' }, tasks => \@all, records => [
	'{"id":1,"name":"a","amount":1.5,"active":true,"day":"2024-01-01","at":"2024-01-01T00:00:00Z","tags":["x"],"big":12345678901}',
	'{"id":2,"name":null,"amount":2,"active":false,"day":null,"at":null,"tags":[],"big":1}' ]);
is("$r->{status} $r->{failures}", 'Successful 0', 'createTable') or diag $r->{message};
is(sql(q{SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'made'::regclass AND attnum > 0}),
	'id bigint not null, name text, amount double precision, active boolean, day date, at timestamp with time zone, tags jsonb, big bigint', 'createTable: types of the columns');
is(sql(q{SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'made'::regclass AND contype = 'p'}), 'PRIMARY KEY (id)', 'createTable: primary key of the id fields');
is(sql('SELECT * FROM made ORDER BY id'), "1|a|1.5|t|2024-01-01|2024-01-01 00:00:00+00|[\"x\"]|12345678901\n2||2|f|||[]|1", 'createTable: values');
is(sql(q{SELECT tableowner FROM pg_tables WHERE tablename = 'made'}), sql('SELECT current_user'), 'createTable: owned by the flow\'s owner');

$r = $t->load(entity => 'public.made', operation => 'UPSERT', ids => ['id'], properties => { addColumns => 'true' }, tasks => \@all,
	records => [ '{"id":2,"extra":7}', '{"id":3,"extra":8,"note":"n"}' ]);
is("$r->{status} " . sql('SELECT id, name, extra, note FROM made ORDER BY id'), "Successful 1|a||\n2||7|\n3||8|n", 'addColumns');
$r = $t->load(entity => 'public.made', tasks => \@all, records => [ '{"id":4,"unknown":7}' ]);
like("$r->{status} $r->{message}", qr/^Error .*table "public.made" has no column "unknown"/, 'a new field without addColumns');
$r = $t->load(entity => 'public.made', properties => { addColumns => 'true' }, fields => [qw(id late)], records => [ '{"id":9}', '{"id":10,"late":"x"}', '{"id":10}' ]);
is(rejected($r), '3 23505 duplicate key value violates unique constraint "made_pkey": Key (id)=(10) already exists', 'refused after a column was added');

$r = $t->load(entity => 'public.made', properties => { truncate => 'true' }, fields => [qw(id)], records => [ '{"id":100}', '{"id":101}' ]);
is("$r->{status} " . sql('SELECT id FROM made ORDER BY id'), "Successful 100\n101", 'truncate');
$r = $t->load(entity => 'public.made', properties => { truncate => 'true' }, fields => [qw(id)], stop => 1, records => [ '{"id":1}', '{"id":1}' ]);
is("$r->{status} " . sql('SELECT id FROM made ORDER BY id'), "Error 100\n101", 'a run that fails empties nothing');
$r = $t->load(entity => 'public.never', properties => { createTable => 'true' }, fields => [qw(id)], stop => 1, ids => ['id'], records => [ '{"id":1}', '{"id":1}' ]);
is("$r->{status} " . sql(q{SELECT to_regclass('never') IS NULL}), 'Error t', 'a run that fails makes no table');
sql('CREATE TABLE refers (id bigint REFERENCES made); GRANT SELECT, INSERT, DELETE ON made TO alice');
$r = $t->load(entity => 'public.made', properties => { truncate => 'true' }, fields => [qw(id)], role => 'alice', records => [ '{"id":5}' ]);
is("$r->{status} " . sql('SELECT id FROM made'), 'Successful 5', 'truncate by DELETE, where TRUNCATE cannot be');

done_testing();
