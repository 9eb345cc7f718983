# Tables as source: values of every type, filters, rights, views and foreign tables.
use strict;
use warnings;

use AppflowTest::Tables;
use JSON::PP ();
use Test::More;

my $t = AppflowTest::Tables->new('table_read');
my $json = JSON::PP->new->utf8->canonical->allow_nonref->allow_bignum;

sub sql { return $t->sql(@_); }

# ---------- every type, as JSON ----------

# column type, value, JSON text
my @values = (
	[ smallint => '-32768', '-32768' ], [ integer => '2147483647', '2147483647' ], [ bigint => '9223372036854775807', '9223372036854775807' ],
	[ oid => '4294967295', '4294967295' ], [ real => '0.1', '0.10000000149011612' ], [ 'double precision' => '0.1', '0.1' ],
	[ 'double precision' => 'NaN', '"NaN"' ], [ 'double precision' => '-Infinity', '"-Infinity"' ], [ 'double precision' => '1e300', '1e+300' ],
	[ numeric => '123456789012345678901234567890.1230', '123456789012345678901234567890.1230' ], [ 'numeric(10,2)' => '1.5', '1.50' ],
	[ 'numeric(10,2)' => '0', '0.00' ], [ numeric => '-0.000001', '-0.000001' ],
	[ boolean => 'true', 'true' ], [ boolean => 'false', 'false' ],
	[ text => 'a "q" \\ / ' . "\n\t\x01" . ' äöü €', '"a \\"q\\" \\\\ / \\n\\t\\u0001 äöü €"' ], [ text => '', '""' ], [ 'varchar(10)' => 'abc', '"abc"' ], [ 'char(5)' => 'ab', '"ab   "' ],
	[ name => 'n', '"n"' ], [ date => '2024-02-29', '"2024-02-29"' ], [ date => '0044-03-15 BC', '"-0043-03-15"' ],
	[ timestamp => '2024-02-29 12:34:56.789', '"2024-02-29T12:34:56.789"' ], [ timestamp => '1969-12-31 23:59:59.999999', '"1969-12-31T23:59:59.999999"' ],
	[ timestamptz => '2024-02-29 12:34:56+02', '"2024-02-29T10:34:56Z"' ], [ time => '12:34:56.5', '"12:34:56.5"' ], [ timetz => '12:34+02', '"12:34:00+02"' ],
	[ interval => '1 day 02:00', '"1 day 02:00:00"' ], [ uuid => 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"' ],
	[ bytea => '\x68656c6c6f', '"aGVsbG8="' ], [ bytea => '\x', '""' ], [ bytea => '\x00ff', '"AP8="' ],
	[ jsonb => '{"b": [1, 2.50], "a": null}', '{"a": null, "b": [1, 2.50]}' ], [ jsonb => '"text"', '"text"' ], [ jsonb => '5', '5' ], [ jsonb => 'true', 'true' ], [ jsonb => 'null', 'null' ],
	[ json => '{"b":  1}', '{"b":  1}' ], [ json => ' "x" ', '"x"' ], [ json => '[]', '[]' ],
	[ 'int[]' => '{1,NULL,3}', '[1,null,3]' ], [ 'text[]' => '{{a,"b,c"},{d,e}}', '[["a","b,c"],["d","e"]]' ], [ pair => '(1,two)', '{"a":1,"b":"two"}' ],
	[ mood => 'ok', '"ok"' ], [ positive => '5', '5' ], [ int4range => '[1,5)', '"[1,5)"' ], [ inet => '10.0.0.1', '"10.0.0.1"' ],
	[ 'bit(3)' => '101', '"101"' ], [ money => '12.50', '"$12.50"' ], [ xml => '<a/>', '"<a/>"' ], [ point => '(1,2)', '"(1,2)"' ], [ tsvector => 'a b', q{"'a' 'b'"} ]);
sql(q{CREATE TYPE pair AS (a int, b text); CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN positive AS int CHECK (value > 0);});
sql('CREATE TABLE every (' . join(', ', map { "c$_ $values[$_][0]" } 0 .. $#values) . ')');
sub literal { my ($text) = @_; $text =~ s/'/''/g; return "'$text'"; }
sql('INSERT INTO every VALUES (' . join(', ', map { literal($_->[1]) } @values) . '); INSERT INTO every DEFAULT VALUES');
my @columns = map { "c$_" } 0 .. $#values;
my $r = $t->unload(entity => 'public.every', fields => \@columns);
is("$r->{status} $r->{failures}", 'Successful 0', 'every type: the run') or diag $r->{message};
my ($first, $second) = split /\n/, $r->{text};
my $rest = $first;
foreach my $i (0 .. $#values)
{
	my $expected = ($i == 0 ? '{' : ',') . "\"c$i\":$values[$i][2]";
	my $got = substr($rest, 0, length $expected);
	is($got, $expected, "$values[$i][0] $values[$i][1]");
	($rest) = $rest =~ /^.*?(,"c@{[$i + 1]}":.*)$/ if $got ne $expected && $i < $#values;
	$rest = substr($rest, length $expected) if $got eq $expected;
}
is($second, '{' . join(',', map { "\"$_\":null" } @columns) . '}', 'nulls');

# infinities, which JSON can only say in text
sql(q{CREATE TABLE odd (id int, d date, ts timestamp, tz timestamptz, n numeric); INSERT INTO odd VALUES (1, 'infinity', '-infinity', 'infinity', 'NaN'), (2, '2024-01-01', NULL, NULL, 1)});

# ---------- and back into a table: nothing is lost ----------

sql('CREATE TABLE back (LIKE every)');
$r = $t->run_flow({
	sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.every' } } },
	destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', destinationConnectorProperties => { CustomConnector => { entityName => 'public.back' } } } ],
	tasks => [ { taskType => 'Map_all', sourceFields => [], taskProperties => {} } ] });
is("$r->{status} $r->{failures}", 'Successful 0', 'table to table: the run') or diag $r->{message};
foreach my $i (0 .. $#values)
{
	# JSON null is no value, and white space around a document is not kept
	next if $values[$i][1] eq 'null' || $values[$i][1] eq ' "x" ';
	is(sql("SELECT c$i\::text FROM back WHERE NOT back IS NULL AND c$i IS NOT NULL"), sql("SELECT c$i\::text FROM every WHERE c$i IS NOT NULL"), "table to table: $values[$i][0]");
}
$r = $t->unload(entity => 'public.odd', fields => [qw(id d ts tz n)]);
is($r->{text}, qq({"id":1,"d":"infinity","ts":"-infinity","tz":"infinity","n":"NaN"}\n{"id":2,"d":"2024-01-01","ts":null,"tz":null,"n":1}\n), 'infinities in JSON');
$r = $t->unload(entity => 'public.odd', fields => [qw(id d)], format => 'PARQUET');
like("$r->{status} " . ($r->{message} // ''), qr/1 of 2 records failed; the first: .*"infinity" is not an ISO 8601 date/, 'infinities in Parquet, which has none');
sql('CREATE TABLE odd_back (LIKE odd)');
$r = $t->run_flow({
	sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.odd' } } },
	destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', destinationConnectorProperties => { CustomConnector => { entityName => 'public.odd_back' } } } ],
	tasks => [ { taskType => 'Map_all', sourceFields => [], taskProperties => {} } ] });
is(sql('SELECT * FROM odd_back ORDER BY id'), "1|infinity|-infinity|infinity|NaN\n2|2024-01-01|||1", 'table to table: infinities and NaN');

sql(q{CREATE TABLE clocks (w timestamp, i timestamptz, d date, n numeric, f real, b boolean); INSERT INTO clocks VALUES ('2024-01-02 03:04:05.6', '2024-01-02 03:04:05Z', '2024-01-02', 1.50, 0.5, true);
	CREATE TABLE clock_text (w text, i text, d text, n text, f text, b text)});
foreach my $tasks ([ { taskType => 'Map_all', sourceFields => [], taskProperties => {} } ], AppflowTest::Tables::map_tasks(qw(w i d n f b)))
{
	$r = $t->run_flow({
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.clocks' } } },
		destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', destinationConnectorProperties =>
			{ CustomConnector => { entityName => 'public.clock_text', customProperties => { truncate => 'true' } } } } ], tasks => $tasks });
	is(sql('SELECT * FROM clock_text'), '2024-01-02T03:04:05.6|2024-01-02T03:04:05Z|2024-01-02|1.50|0.5|true', 'values as text: an instant has a zone, a wall clock none');
}

# ---------- filters: the same whether the table or the engine evaluates them ----------

sql(q{
	CREATE TABLE f (id int, t text, n numeric, d date, z timestamptz, b boolean, r real, cs text COLLATE "C");
	INSERT INTO f VALUES (1, 'abc', 1.5, '2024-01-01', '2024-01-01Z', true, 0.5, 'abc'), (2, 'ABC', 2, '2024-03-01', '2024-03-01Z', false, 1.5, 'ABC'),
		(3, 'b%c', 3, '2024-06-01', '2024-06-01Z', true, 2.5, 'b%c'), (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
});
sub filtered
{
	my ($field, $operator, $type, @operands) = @_;
	@operands = map { "$_" } @operands;
	my %properties = (DATA_TYPE => $type);
	if ($operator eq 'BETWEEN') { @properties{qw(LOWER_BOUND UPPER_BOUND)} = @operands; }
	elsif (@operands > 1) { $properties{VALUES} = join ',', @operands; }
	else { $properties{VALUE} = $operands[0]; }
	my @tasks = ({ taskType => 'Filter', sourceFields => [$field], connectorOperator => { CustomConnector => $operator }, taskProperties => \%properties },
		@{ AppflowTest::Tables::map_tasks('id') });
	my $result = $t->unload(entity => 'public.f', tasks => \@tasks);
	return "$result->{status} " . ($result->{message} // '') if $result->{status} ne 'Successful';
	return join ' ', $result->{text} =~ /"id":(\d+)/g;
}
foreach my $case (
	[ '2', id => 'BETWEEN', 'integer', 1, 3 ], [ '2 3 4', id => 'GREATER_THAN', 'integer', 1 ], [ '1', id => 'LESS_THAN', 'integer', 2 ],
	[ '2 3 4', id => 'GREATER_THAN_OR_EQUAL_TO', 'integer', '1.5' ], [ '1 3', id => 'EQUAL_TO', 'integer', 1, 3 ], [ '2 4', id => 'NOT_EQUAL_TO', 'integer', 1, 3 ],
	[ '1 3', t => 'CONTAINS', 'string', 'b' ], [ '3', t => 'CONTAINS', 'string', '%' ], [ '2', t => 'LESS_THAN', 'string', 'a' ], [ '1 3', t => 'GREATER_THAN', 'string', 'a' ],
	[ '2 3', t => 'NOT_EQUAL_TO', 'string', 'abc' ], [ '1', n => 'EQUAL_TO', 'double', '1.50' ], [ '2 3', n => 'GREATER_THAN', 'double', '1.5' ],
	[ '2 3', d => 'GREATER_THAN', 'date', '2024-01-01' ], [ '2 3', d => 'GREATER_THAN', 'date', '1704067200000' ],
	[ '2', z => 'BETWEEN', 'datetime', '1704067200000', '1717200000000' ], [ '3', z => 'EQUAL_TO', 'datetime', '2024-06-01T02:00:00+02:00' ],
	[ '1 3', b => 'EQUAL_TO', 'boolean', 'true' ], [ '2 3', r => 'GREATER_THAN', 'double', '0.5' ], [ '1', cs => 'EQUAL_TO', 'string', 'abc' ])
{
	my ($expected, @filter) = @$case;
	is(filtered(@filter), $expected, join ' ', @filter);
}
like(filtered('id', 'GREATER_THAN', 'integer', 'abc'), qr/^Refused|abc/, 'an operand that is no number');

# ---------- what can be read ----------

sql(q{
	CREATE VIEW v AS SELECT id AS "Id", upper(t) AS t FROM f WHERE id < 3;
	CREATE MATERIALIZED VIEW mv AS SELECT id FROM f;
	CREATE TABLE parent (id int) PARTITION BY LIST (id); CREATE TABLE kid PARTITION OF parent DEFAULT; INSERT INTO parent VALUES (1), (2);
	CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
	CREATE SEQUENCE s; CREATE TABLE dropped (a int, b int, c int); INSERT INTO dropped VALUES (1, 2, 3); ALTER TABLE dropped DROP COLUMN b;
	CREATE TABLE none (id int);
});
$t->write_object('rows.csv', "1,one\n2,two\n");
sql("CREATE FOREIGN TABLE ft (id int, v text) SERVER files OPTIONS (filename '$t->{root}/rows.csv', format 'csv')");
is($t->unload(entity => 'public.v', fields => [qw(Id t)])->{text}, qq({"Id":1,"t":"ABC"}\n{"Id":2,"t":"ABC"}\n), 'a view');
is($t->unload(entity => 'public.mv', fields => ['id'])->{processed}, 4, 'a materialized view');
is($t->unload(entity => 'public.parent', fields => ['id'])->{processed}, 2, 'a partitioned table');
is($t->unload(entity => 'public.ft', fields => [qw(id v)])->{text}, qq({"id":1,"v":"one"}\n{"id":2,"v":"two"}\n), 'a foreign table');
is($t->unload(entity => 'public.ft', fields => [qw(id v)], format => 'CSV')->{text}, qq(id,v\n1,one\n2,two\n), 'as CSV');
my $all = [ { taskType => 'Map_all', sourceFields => [], taskProperties => {} } ];
is($t->unload(entity => 'public.dropped', tasks => $all)->{text}, qq({"a":1,"c":3}\n), 'dropped columns are no fields');
$r = $t->unload(entity => 'public.none', fields => ['id']);
is("$r->{status} $r->{processed}", 'Successful 0', 'a table without rows');

# more rows than a batch, and rows of a megabyte each
sql(q{CREATE TABLE long AS SELECT i AS id, CASE WHEN i % 500 = 0 THEN repeat(md5(i::text), 40000) ELSE 'x' END AS t FROM generate_series(1, 5000) i});
$r = $t->unload(entity => 'public.long', fields => [qw(id t)]);
is("$r->{processed} " . length($r->{text}), '5000 ' . sql(q{SELECT sum(length(t) + length(id::text) + 15) FROM long}), 'long rows: nothing lost, nothing twice');

# ---------- errors ----------

foreach my $case (
	[ 'WF404', 'table "public.nowhere" does not exist', entity => 'public.nowhere', fields => ['id'] ],
	[ 'WF404', 'table "nowhere.f" does not exist', entity => 'nowhere.f', fields => ['id'] ],
	[ 'WF400', '"public.s" is not a table or view', entity => 'public.s', fields => ['last_value'] ],
	[ 'WF400', 'table "public.f" has no column "idd"', entity => 'public.f', fields => ['idd'] ],
	[ 'WF400', 'table "public.v" has no column "id"', entity => 'public.v', fields => ['id'] ],
	[ 'WF400', 'entity name "f" is not of the form schema.table', entity => 'f', fields => ['id'] ],
	[ 'WF400', 'unknown custom property "truncate" of connector PostgreSQL', entity => 'public.f', fields => ['id'], properties => { truncate => 'true' } ])
{
	my ($code, $message, %read) = @$case;
	$r = $t->unload(%read);
	my $got = $r->{status} eq 'Refused' ? $r->{message} : ($r->{code} // '') . ": $r->{message}";
	like($got, qr/^\Q$code\E: .*\Q$message\E/, $message);
}
sql(q{CREATE VIEW broken AS SELECT 1 / (id - 3) AS id FROM f});
$r = $t->unload(entity => 'public.broken', fields => ['id']);
like("$r->{status} $r->{message}", qr/^Error .*division by zero/, 'a view that fails on the way');
is($r->{text}, '', 'leaves no object');

# ---------- rights ----------

sql(q{
	CREATE ROLE alice LOGIN; GRANT EXECUTE ON FUNCTION appflow.create_flow(jsonb) TO alice;
	CREATE TABLE mine (id int, secret text, who text); INSERT INTO mine VALUES (1, 'x', 'alice'), (2, 'y', 'bob');
	CREATE FUNCTION whoami() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
	CREATE VIEW says AS SELECT whoami() AS who; GRANT SELECT ON says TO alice;
});
$r = $t->unload(entity => 'public.mine', fields => ['id'], role => 'alice');
like("$r->{status} $r->{code} $r->{message}", qr/^Error WF403 .*permission denied for table mine/, 'no right to read');
sql('GRANT SELECT (id) ON mine TO alice');
is($t->unload(entity => 'public.mine', fields => ['id'], role => 'alice')->{processed}, 2, 'a right to one column');
$r = $t->unload(entity => 'public.mine', fields => [qw(id secret)], role => 'alice');
like("$r->{status} $r->{code}", qr/^Error WF403/, 'and not to another');
sql(q{GRANT SELECT ON mine TO alice; ALTER TABLE mine ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON mine USING (who = current_user)});
is($t->unload(entity => 'public.mine', fields => ['id'], role => 'alice')->{text}, qq({"id":1}\n), 'policies apply');
is($t->unload(entity => 'public.says', fields => ['who'], role => 'alice')->{text}, qq({"who":"alice"}\n), 'functions run as the owner of the flow');

done_testing();
