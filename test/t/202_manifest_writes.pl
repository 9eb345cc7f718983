# Manifests: records written one by one, in batches and by jobs; what becomes of each.

use strict;
use warnings;

use AppflowTest::Rest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $rest = AppflowTest::Rest->new('writes');
my $true = JSON::PP::true;
my @all = qw(INSERT UPSERT UPDATE);
my @fields = (
	{ name => 'id', key => $true, write => \@all }, { name => 'name', write => \@all }, { name => 'size', type => 'Integer', write => \@all },
	{ name => 'made', type => 'DateTime', format => 'epoch', write => \@all }, { name => 'owner', path => 'owner.name', write => \@all },
	{ name => 'tag', path => 'extra[id=36].value', write => \@all }, { name => 'shown' });
my %results = (records => 'results', index => 'index', failed => { path => 'ok', equals => ['false'] }, code => 'error', message => 'text', id => 'id');

sub many { my ($operation) = @_; return { method => 'POST', path => "/many/$operation", batch => 3, body => { things => '{records}' }, results => \%results }; }
sub job
{
	my ($operation) = @_;
	return { method => 'POST', path => "/jobs/$operation", batch => 3, body => { things => '{records}' },
		results => { %results, records => 'job.results' },
		job => { path => '/jobs/{job}', id => 'job.id', status => 'job.state', running => [ 'queued', 'working' ], done => ['completed'], interval => 10 } };
}
$rest->register('things', 'bearer',
	errors => { code => 'error.code', message => [ 'error.message', 'job.error' ] },
	entities => [
		{ name => 'single', fields => \@fields, write => {
			INSERT => { path => '/things', body => { thing => '{record}' }, results => { id => 'thing.id' } },
			UPSERT => { method => 'PUT', path => '/things/{id}', ids => 'path' },
			UPDATE => { method => 'PATCH', path => '/things/{id.id}', ids => 'path' },
			DELETE => { method => 'DELETE', path => '/things/{id}', ids => 'path' } } },
		{ name => 'many', fields => \@fields, write => { INSERT => many('insert'), UPSERT => many('upsert'), UPDATE => many('update'),
			DELETE => { %{ many('delete') }, fields => 'ids' } } },
		{ name => 'job', fields => \@fields, write => { INSERT => job('insert'), UPSERT => job('upsert'), UPDATE => job('update'),
			DELETE => { %{ job('delete') }, fields => 'ids' } } },
		{ name => 'days', fields => [ { name => 'id', key => $true, write => \@all }, { name => 'name', write => \@all },
				{ name => 'made', type => 'DateTime', format => 'datetime', write => \@all } ],
			write => { INSERT => { path => '/things', body => { thing => '{record}' } } } } ]);

# a flow of the rows of a query into the entity
my $number = 0;
sub put
{
	my ($entity, $operation, $rows, %how) = @_;
	my $name = 'put-' . ++$number;

	$rest->sql("DROP TABLE IF EXISTS source; CREATE TABLE source AS $rows");
	my @fields = split /\n/, $rest->sql(q{SELECT attname FROM pg_attribute WHERE attrelid = 'source'::regclass AND attnum > 0 ORDER BY attnum});
	my $request = encode_json({
		flowName => $name, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL',
			sourceConnectorProperties => { CustomConnector => { entityName => 'public.source' } } },
		destinationFlowConfigList => [ { connectorType => 'CustomConnector', connectorProfileName => 'things',
			destinationConnectorProperties => { CustomConnector => { entityName => $entity, writeOperationType => $operation,
				$how{ids} ? (idFieldNames => $how{ids}) : (),
				errorHandlingConfig => { failOnFirstDestinationError => $how{strict} ? $true : JSON::PP::false, bucketName => 'errors', bucketPrefix => $name } } } } ],
		tasks => [ map { { taskType => 'Map', sourceFields => [$_], destinationField => $_ } } @fields ] });
	my $made = $rest->error_of("SELECT appflow.create_flow(\$q\$$request\$q\$)");
	return $made unless $made =~ /^no error/;
	my (undef, undef, $stderr) = $rest->{node}->psql('postgres', "\\set VERBOSITY verbose\nCALL appflow.run_flow('$name')");
	my $ended = $rest->sql("SELECT execution_status || ' ' || records_processed || ' ' || put_failures_count FROM appflow.flow_executions WHERE flow_name = '$name'");
	return $ended . ($stderr =~ /ERROR:\s+(.*?)\nLOCATION/s ? " $1" : '');
}
sub things { return encode_json([ sort { $a->{id} cmp $b->{id} } @{ $rest->control('things') } ]); }
sub things_are { my ($expected, $name) = @_; is_deeply([ sort { $a->{id} cmp $b->{id} } @{ $rest->control('things') } ], $expected, $name); }
# what the error files say, "code: message" of each record
sub refused
{
	my @all;
	foreach my $file (sort split /\n/, `find $rest->{place}/errors -type f -path '*put-$number*'`)
	{
		push @all, map { my $e = decode_json($_); my $t = $_; $t } grep { /\S/ } split /\n/, slurp_file($file);
	}
	return join "\n", @all;
}
my $rows = q{SELECT 't' || i AS id, CASE i WHEN 3 THEN 'bad' ELSE 'thing ' || i END AS name, i AS size,
	timestamptz '2026-01-01 00:00:00.5+00' + i * interval '1 second' AS made, CASE WHEN i = 2 THEN NULL ELSE 'me' END AS owner, 'tag' || i AS tag
	FROM generate_series(1, 5) i};

foreach my $entity (qw(single many job))
{
	$rest->control('reset');
	is(put($entity, 'INSERT', $rows), 'Successful 5 1', "$entity: INSERT, one of five refused");
	things_are([ map { { id => "t$_", name => "thing $_", size => $_, made => 1767225600.5 + $_, ($_ == 2 ? () : (owner => { name => 'me' })),
		extra => [ { id => 36, value => "tag$_" } ] } } 1, 2, 4, 5 ], "$entity: INSERT, what is there then");
	like(refused(), qr/bad_name.*that name is not allowed/s, "$entity: INSERT, why one was refused");
	is(put($entity, 'INSERT', "SELECT 't1' AS id, 'again' AS name"), "Error 1 1 WF502: run of flow \"put-$number\" ended as Error: all 1 records failed; the first: record 1: thing t1 is there already
DETAIL:  ConnectorServerException: Execution " . $rest->sql("SELECT execution_id FROM appflow.flow_executions WHERE flow_name = 'put-$number'") . '.', "$entity: INSERT, all refused");
	is(put($entity, 'UPDATE', "SELECT * FROM (VALUES ('t1', 'one'), ('t9', 'nine'), ('t2', 'two')) v (id, name)", ids => ['id']), 'Successful 3 1', "$entity: UPDATE");
	like(refused(), qr/not_found.*no thing t9/s, "$entity: UPDATE, why one was refused");
	is(put($entity, 'UPSERT', "SELECT * FROM (VALUES ('t1', 'eins'), ('t6', 'six'), ('t7', NULL)) v (id, name)", ids => ['id']), 'Successful 3 1', "$entity: UPSERT");
	is(put($entity, 'DELETE', "SELECT * FROM (VALUES ('t2'), ('t8'), ('t4')) v (id)", ids => ['id']), 'Successful 3 1', "$entity: DELETE");
	is(join(' ', map { "$_->{id}=$_->{name}" } sort { $a->{id} cmp $b->{id} } @{ $rest->control('things') }), 't1=eins t5=thing 5 t6=six', "$entity: what is there in the end");
}

# ---------- calls ----------

$rest->control('reset');
put('many', 'INSERT', "SELECT 'x' || i AS id, 'n' AS name FROM generate_series(1, 7) i");
is_deeply([ map { scalar @{ decode_json($_->{body})->{things} } } $rest->seen(qr{/many/insert}) ], [ 3, 3, 1 ], 'batches');
$rest->control('reset');
$rest->control('set?busywrites=2&expireafter=1');
is(put('many', 'INSERT', "SELECT 'y' || i AS id, 'n' AS name FROM generate_series(1, 7) i"), 'Successful 7 0', 'throttled, and a token that ends: every record');
is(scalar @{ $rest->control('things') }, 7, 'once');
$rest->control('reset');
$rest->control('set?shuffle=1');
is(put('many', 'INSERT', "SELECT 'z' || i AS id, CASE i WHEN 1 THEN 'bad' ELSE 'n' END AS name FROM generate_series(1, 3) i"), 'Successful 3 1', 'outcomes in another order');
like(refused(), qr/"z1"/, 'belong to their records by number');

# a call is filled from what comes next: records come by the thousand and 24, calls take three
foreach my $entity (qw(many job))
{
	$rest->control('reset');
	$rest->control('set?shuffle=1') if $entity eq 'many';
	is(put($entity, 'INSERT', "SELECT 'p' || i AS id, CASE WHEN i IN (1024, 1025, 2050) THEN 'bad' ELSE 'n' END AS name, CASE WHEN i = 1022 THEN NULL ELSE i END AS size FROM generate_series(1, 2050) i"),
		'Successful 2050 3', "$entity: more than one batch of records");
	is(join(' ', map { scalar @{ decode_json($_->{body})->{things} } } $rest->seen(qr{/(many|jobs)/insert})), join(' ', (3) x 683, 1), "$entity: all calls but the last are full");
	is(join(' ', sort { substr($a, 1) <=> substr($b, 1) } map { $_->{id} } @{ $rest->control('things') }), join(' ', map { "p$_" } grep { $_ != 1024 && $_ != 1025 && $_ != 2050 } 1 .. 2050), "$entity: every record once");
	is_deeply([ sort { $a->[0]{size} <=> $b->[0]{size} } map { my $e = decode_json($_); [ $e->{record}, @$e{qw(errorCode errorMessage source)} ] } split /\n/, refused() ],
		[ map { [ { id => "p$_", name => 'bad', size => $_ }, 'bad_name', 'that name is not allowed', "record $_" ] } 1024, 1025, 2050 ], "$entity: each refused record, where it came from");
}
$rest->control('reset');
is(put('many', 'UPSERT', "SELECT CASE WHEN i % 3 = 0 THEN 'q' || i END AS id, 'n' AS name FROM generate_series(1, 3000) i", ids => ['id']), 'Successful 3000 2000', 'records that are refused here take no places');
cmp_ok(scalar(grep { @{ decode_json($_->{body})->{things} } != 3 } $rest->seen(qr{/many/upsert})), '<=', 3, 'of calls that are full but for one in a thousand records');
is(scalar @{ $rest->control('things') }, 1000, 'and all others are there');

# an id that would lead elsewhere, and a deletion whose answer gets lost
$rest->control('reset');
put('single', 'INSERT', "SELECT 'd' || i AS id, 'n' AS name FROM generate_series(1, 3) i");
is(put('single', 'DELETE', "SELECT * FROM (VALUES ('..'), ('d1'), ('a/../d2')) v (id)", ids => ['id']), 'Successful 3 2', 'ids that lead elsewhere');
like(refused(), qr/INVALID_ID.*cannot be in a path.*no thing a\/\.\.\/d2/s, 'lead nowhere');
$rest->control('set?loseanswers=1');
is(put('single', 'DELETE', "SELECT 'd2' AS id", ids => ['id']), 'Successful 1 0', 'a deletion whose answer got lost has been made');
is(join(' ', map { $_->{id} } @{ $rest->control('things') }), 'd3', 'and no other');
$rest->control('set?loseanswers=1');
like(put('single', 'INSERT', "SELECT 'd4' AS id, 'n' AS name"), qr/^Error 0 0 WF502: /, 'an insertion whose answer got lost ends the run');
is(scalar $rest->seen(qr{/things$}), 4, 'and is not tried again');

# ---------- what ends a run ----------

$rest->control('reset');
$rest->control('set?failwrites=9');
like(put('many', 'INSERT', "SELECT 'a' AS id, 'n' AS name"), qr/^Error \d 0 WF502: .*things refused INSERT of entity "many": broken: the disk is full/, 'a failure of the service');
is(scalar $rest->seen(qr{/many/}), 1, 'an INSERT is not sent twice');
$rest->control('reset');
$rest->control('set?lose=1');
like(put('many', 'INSERT', "SELECT 'a' || i AS id, 'n' AS name FROM generate_series(1, 3) i"),
	qr/^Error .*does not tell what became of the records: it has 2 outcomes, but 3 records were sent/, 'an outcome that is missing');
$rest->control('reset');
$rest->control('set?failjob=1');
like(put('job', 'INSERT', "SELECT 'a' AS id, 'n' AS name"), qr/^Error .*job "job-1" of things ended as "failed": the worker died/, 'a job that fails');
$rest->control('reset');
like(put('single', 'UPDATE', "SELECT * FROM (VALUES (NULL, 'x'), ('t1', 'y')) v (id, name)", ids => ['id']), qr/^Error 2 2 /, 'without an id, and unknown');
like(refused(), qr/MISSING_ID.*the id field.*has no value/, 'and why');
like(put('days', 'INSERT', "SELECT 'a' AS id, 'n' AS name, timestamptz '2026-01-01 00:00:00.5+00' AS made"),
	qr/all 1 records failed; the first: record 1: "made" takes no moments as exact as 2026-01-01T00:00:00\.5Z: its format is datetime/, 'nothing is changed silently');
is(put('days', 'INSERT', "SELECT 'a' AS id, 'n' AS name, timestamptz '2026-01-01 10:00:00+02' AS made"), 'Successful 1 0', 'a moment in a format');
is($rest->control('things')->[0]{made}, '2026-01-01 08:00:00', 'of UTC');

# ---------- what cannot be asked ----------

like(put('single', 'INSERT', "SELECT 'a' AS id, 1 AS shown"), qr/WF400: .*field "shown" of entity "single" cannot be set by INSERT/, 'a field that cannot be written');
like(put('single', 'INSERT', "SELECT 'a' AS id, 1 AS colour"), qr/WF400: .*entity "single" of things has no field "colour"/, 'a field that is none');
like(put('single', 'UPDATE', "SELECT 'a' AS name", ids => ['id']), qr/WF400: .*id field "id" is not mapped/, 'an id that is not mapped');
like(put('days', 'DELETE', "SELECT 'a' AS id", ids => ['id']), qr/WF405: .*entity "days" of things does not support DELETE/, 'an operation that there is not');

my $connector = decode_json($rest->sql(q{SELECT appflow.describe_connector('{"connectorType": "CustomConnector", "connectorLabel": "things"}')}))->{connectorConfiguration};
is_deeply([ @$connector{qw(canUseAsSource canUseAsDestination supportedWriteOperations)} ],
	[ JSON::PP::false, $true, [qw(INSERT UPSERT UPDATE DELETE)] ], 'the connector says what it can do');
like($rest->error_of($rest->flow_sql('none', 'things', 'single')), qr/^WF400: .*connector things cannot be a source/, 'and is held to it');

done_testing();
