# Amazon Honeycode: rows of tables, against what answers its protocol.
use strict;
use warnings;

use AppflowTest::Flows ();
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->canonical->allow_nonref;
my ($key, $secret) = ('AKIDEXAMPLEKEY', 'planted/aws+secret');
our $output;
my $server = open($output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/honeycode/server.js", $key, $secret) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }
my $http = HTTP::Tiny->new;
sub get { return decode_json($http->get("http://127.0.0.1:$port/$_[0]")->{content}); }
sub post { $http->post("http://127.0.0.1:$port/$_[0]", { content => $json->encode($_[1]) }); return; }
my $ids = get('_ids');
my ($workbook, %table) = ($ids->{workbook}, %{ $ids->{tables} });

is(scalar(`node '$ENV{APPFLOW_TEST_DIR}/simulators/honeycode/client.mjs' $port $key '$secret' '' $workbook 2>&1`), "done\n", "Amazon's own client understands the simulator");
get('_log');

my $flows = AppflowTest::Flows->new('honeycode');
my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
append_to_file($file, "[default]\naws_access_key_id = $key\naws_secret_access_key = $secret\n");
my $master = "$flows->{root}/../appflow.key";
$flows->sql("SELECT appflow.create_master_key_file('$master')");
$flows->{node}->append_conf('postgresql.conf', "appflow.allow_local_endpoints = on\nappflow.honeycode_endpoint = 'http://127.0.0.1:$port'\n"
	. "appflow.max_retry_delay = '50ms'\nappflow.master_key = 'file:$master'\ntimezone = 'UTC'\n");
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file);
	$flows->{node}->restart;
}
sub sql { return $flows->sql($_[0]) }
sub forget { sql(qq{SELECT appflow.reset_connector_metadata_cache('{"connectorProfileName": "$_"}')}) foreach qw(honey signed); return; }
sub refused { my (undef, undef, $stderr) = $flows->{node}->psql('postgres', $_[0]); return $stderr; }
sub profile
{
	my ($name, $credentials) = @_;
	my $text = $json->encode({ connectorProfileProperties => { Honeycode => {} }, connectorProfileCredentials => { Honeycode => $credentials } });
	return refused("SELECT appflow.create_connector_profile('$name', 'Honeycode', 'Public', connector_profile_config => \$t\$$text\$t\$)");
}
sql('CREATE TABLE public.orders ("Id" text, "Amount" numeric, "Count" bigint, "Due" date, "At" timestamptz, "Hour" time, "Note" text)');
my @all = qw(Id Amount Count Due At Hour Note);

my $number = 0;
sub definition
{
	my ($profile, %more) = @_;
	return { flowName => 'flow' . ++$number, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'CustomConnector', connectorProfileName => 'PostgreSQL', sourceConnectorProperties => { CustomConnector => { entityName => 'public.orders' } } },
		destinationFlowConfigList => [ { connectorType => 'Honeycode', connectorProfileName => $profile, destinationConnectorProperties => { Honeycode => {
			object => $more{object} // "$workbook/$table{Orders}", errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => $more{stop} ? JSON::PP::true : JSON::PP::false } } } } ],
		tasks => [ map { { taskType => 'Map', sourceFields => [$_], connectorOperator => { CustomConnector => 'NO_OP' }, taskProperties => {}, destinationField => $more{as}{$_} // $_ } } @{ $more{fields} // \@all } ] };
}
sub push_rows
{
	my ($rows, %more) = @_;
	sql("TRUNCATE public.orders; INSERT INTO public.orders (" . join(', ', map { qq("$_") } @{ $more{fields} // \@all }) . ") $rows");
	get('_log');
	return $flows->move(definition => definition($more{profile} // 'honey', %more));
}
sub outcome { my ($run) = @_; return "$run->{status} $run->{processed} $run->{failed}"; }
sub rows_of { my ($prefix) = @_; return { map { $_->{Id} => $_ } grep { $_->{Id} =~ /^\Q$prefix/ } @{ get('_rows') } }; }
sub batches { return grep { $_->{url} =~ /batchcreate/ } @{ get('_log') }; }

# ---------- what there is ----------

is(profile('honey', { accessToken => 'planted-access-1', refreshToken => 'planted-refresh' }), '', 'a profile with tokens');
is(profile('signed', {}), '', 'one without: the AWS identity of the server signs');
is(profile('bad', { accessToken => 'planted-wrong' }), '', 'one with a wrong token');
is(sql(qq{SELECT count(*), count(DISTINCT entity), min(entity) FROM appflow.connector_entities('$_', path => '$workbook')}), "232|232|$workbook/$table{Orders}", "tables of a workbook, of three pages, for $_") foreach qw(honey signed);
is(sql(q{SELECT count(*) FROM appflow.connector_entities('honey')}), 0, 'workbooks are told by nobody');
is(sql(qq{SELECT string_agg(field || ' ' || field_type, ', ') FROM appflow.connector_entity_fields('honey', '$workbook/$table{Orders}')}),
	'Id String, Amount BigDecimal, Count BigDecimal, Due Date, At DateTime, Hour String, Note String, Owner String', 'columns, by their formats');
is(sql(qq{SELECT count(*) FROM appflow.connector_entity_fields('honey', '$workbook/Wide')}), 130, 'a table by name; columns of four pages');
like(refused(qq{SELECT * FROM appflow.connector_entity_fields('honey', '$workbook/nothing')}), qr/has no table "nothing"/, 'no such table');
like(refused(q{SELECT * FROM appflow.connector_entity_fields('honey', 'Orders')}), qr{"Orders" is not of the form workbook/table}, 'without a workbook');
like(refused(q{SELECT * FROM appflow.connector_entities('honey', path => 'a0000000-0000-4000-8000-00000000000f')}), qr/refused workbook .*ResourceNotFoundException: Workbook a0000000.* was not found/, 'no such workbook');
like(refused(qq{SELECT * FROM appflow.connector_entities('bad', path => '$workbook')}), qr/UnrecognizedClientException: The token \*\*\* is not valid/, 'a wrong token is told, and not shown');

# ---------- rows ----------

my $many = q{SELECT 'k' || i, i / 4.0, i, '2020-11-03'::date + i, '2020-11-03 09:00:00.5Z'::timestamptz + i * interval '1 s', '09:00'::time, CASE WHEN i % 2 = 0 THEN E'a "b" \\\\ é' END FROM generate_series(1, 1050) i};
my $run = push_rows($many);
is(outcome($run), 'Successful 1050 0', 'rows') or diag($run->{refused} // $run->{message});
my $rows = rows_of('k');
is(scalar(keys %$rows), 1050, 'all of them');
is_deeply($rows->{k2}, { Id => 'k2', Amount => '0.50000000000000000000', Count => '2', Due => '2020-11-05', At => '2020-11-03T09:00:02.500Z', Hour => '09:00:00.000', Note => "a \"b\" \\ \x{e9}", Owner => '' }, 'as they were');
my @batches = batches();
is(scalar(@batches), 12, 'a hundred a request');
is(scalar(grep { !$_->{accepted} } @batches), 0, 'with the right token');
like($batches[0]{body}, qr/^\{"clientRequestToken":"[0-9a-f-]{36}"/, 'each batch has a token of its own');
like($batches[0]{body}, qr/"fact":"44139"\}.*"fact":"44138\.375017361111"\}.*"fact":"0\.375"\}/, 'times are days since 1900');
is(outcome(push_rows(q{VALUES ('s1', 1.5, 2, NULL, NULL, NULL, NULL)}, profile => 'signed')), 'Successful 1 0', 'signed');
is_deeply(rows_of('s1')->{s1}, { Id => 's1', Amount => '1.5', Count => '2', Due => '', At => '', Hour => '', Note => '', Owner => '' }, 'what is null is an empty cell');
is(outcome(push_rows(q{VALUES ('c1', 7, NULL, NULL, NULL, NULL, NULL)}, object => "$workbook/Orders")), 'Successful 1 0', 'a table by name');

# ---------- what is refused ----------

$run = push_rows(q{SELECT CASE WHEN i % 50 = 0 THEN 'poison' ELSE 'p' || i END, i, i, NULL, NULL, NULL, NULL FROM generate_series(1, 120) i});
is(outcome($run), 'Successful 120 2', 'rows that Honeycode refuses');
like($run->{message}, qr/record 50: The row breaks a rule of the table/, 'with its words');
is(scalar(keys %{ rows_of('p') }), 118, 'the others are there');
my @errors = map { $json->decode($_) } split /\n/, $run->{errors};
is(join(' ', map { "$_->{errorCode} $_->{record}{Amount}" } @errors), 'FailedBatchItem 50 FailedBatchItem 100', 'both are in the error file');
$run = push_rows(q{VALUES ('f1', 1, 1, NULL, NULL, NULL, '=1+1'), ('f2', 1, 1, NULL, NULL, NULL, '-1'), ('f3', 1, 1, NULL, NULL, NULL, repeat('é', 8193)), ('f4', 1, 1, NULL, NULL, NULL, repeat('é', 8192)), ('f5', 1, 1, '1899-01-01', NULL, NULL, ''), ('f6', 'NaN', 1, NULL, NULL, NULL, '')});
is(outcome($run), 'Successful 6 4', 'values that no cell can have');
is(join(' ', sort keys %{ rows_of('f') }), 'f2 f4', 'do not become others');
like($run->{errors}, qr/begins with \\"=\\", which Honeycode takes for a formula.*8193 characters, a cell of Honeycode takes 8192.*no time before 1900/s, 'and are told');
$run = push_rows(q{VALUES ('u1', '1')}, fields => [qw(Id Note)], as => { Note => 'Nothing' });
like("$run->{status} $run->{message}", qr/^Error .*has no column "Nothing"/, 'a column that is not there');
is(scalar(batches()), 0, 'is told before anything is written');
$run = push_rows(q{VALUES ('x1', '1')}, fields => [qw(Id Note)], object => "$workbook/Full");
like("$run->{status} $run->{message}", qr/^Error .*ServiceQuotaExceededException: The table has reached its limit of rows and takes no more/, 'a table that is full, in all the words of Honeycode');
$run = push_rows(q{SELECT CASE WHEN i = 150 THEN 'poison' ELSE 't' || i END, '' FROM generate_series(1, 300) i}, fields => [qw(Id Note)], stop => 1);
like("$run->{status} $run->{message}", qr/^Error .*breaks a rule.* \(The destination keeps 199 records that were written before\.\)$/, 'the first failure ends the run, which says what Honeycode keeps') or diag($run->{message});
is(scalar(keys %{ rows_of('t') }), 199, 'and it does');
like(push_rows(q{VALUES ('a')}, fields => ['Id'], object => 'Orders')->{refused}, qr{Honeycode.object "Orders" is not of the form workbook/table}, 'CreateFlow refuses an object of another form');

# ---------- the net ----------

my $throttled = { status => 429, headers => { 'x-amzn-ErrorType' => 'ThrottlingException' }, body => { message => 'Rate exceeded' } };
sql("SELECT count(*) FROM appflow.connector_entity_fields('honey', '$workbook/$table{Orders}')");
post('_answers', [ $throttled, $throttled ]);
is(outcome(push_rows(q{VALUES ('n1', '')}, fields => [qw(Id Note)])), 'Successful 1 0', 'throttled: asked again');
sub interrupted
{
	my ($prefix, @answers) = @_;
	sql("TRUNCATE public.orders; INSERT INTO public.orders (\"Id\", \"Note\") SELECT '$prefix' || i, '' FROM generate_series(1, 250) i");
	# the description takes a request
	post('_answers', [ { cut => 'before' }, @answers ]);
	return $flows->move(definition => definition('honey', fields => [qw(Id Note)]));
}
is(outcome(interrupted('cut', { status => 503, text => 'later' })), 'Successful 250 0', 'broken off and failing before: asked again');
is(scalar(keys %{ rows_of('cut') }), 250, 'all rows');
# rows that were created though the answer was lost
sql(q{TRUNCATE public.orders; INSERT INTO public.orders ("Id", "Note") SELECT 'lost' || i, '' FROM generate_series(1, 250) i});
post('_answers', [ { cut => 'after' }, { cut => 'after' }, { cut => 'after' }, { cut => 'after' } ]);
$run = $flows->move(definition => definition('honey', fields => [qw(Id Note)]));
is(outcome($run) . ' ' . grep({ $_->{Id} =~ /^lost/ } @{ get('_rows') }), 'Successful 250 0 250', 'rows whose answer was lost are not created twice');
foreach my $status (401, 403)
{
	get('_tokens');
	post('_expire', { status => $status });
	is(outcome(push_rows(qq{SELECT 'e$status-' || i, '' FROM generate_series(1, 250) i}, fields => [qw(Id Note)])), 'Successful 250 0', "a token that has expired ($status)");
	is_deeply(get('_tokens'), ['refresh_token'], 'is renewed once');
	is(scalar(keys %{ rows_of("e$status-") }), 250, 'and all rows are there');
}
like(profile('code', { oAuthRequest => { authCode => 'wrong', redirectUri => 'https://localhost' } }), qr/invalid_grant/, 'a code that is not good');
is(profile('code', { oAuthRequest => { authCode => 'planted-code', redirectUri => 'https://localhost' } }), '', 'one that is');
is(outcome(push_rows(q{VALUES ('code1', '')}, fields => [qw(Id Note)], profile => 'code')), 'Successful 1 0', 'is exchanged for a token');

# ---------- answers that are none ----------

foreach my $case ([ 'HTML', { status => 200, text => '<html>Sign in</html>' }, qr/is not JSON: <html>Sign in/ ], [ 'cut off', { status => 200, text => '{"tables": [{"tableId"' }, qr/is not JSON/ ],
	[ 'of another form', { status => 200, body => { tables => 'x' } }, qr/has no "tables"/ ], [ 'an error without words', { status => 400, text => '' }, qr/status 400 and no words/ ],
	[ 'an error in HTML', { status => 400, text => "<h1>Bad\nRequest</h1>" }, qr/Bad Request/ ])
{
	forget();
	post('_answers', [ $case->[1] ]);
	like(refused(qq{SELECT * FROM appflow.connector_entities('honey', path => '$workbook')}), $case->[2], "an answer that is $case->[0]");
}
forget();
post('_answers', [ ({ status => 200, body => { tables => [ { tableId => 'x' } ], nextToken => 'again' } }) x 5 ]);
like(refused(qq{SELECT * FROM appflow.connector_entities('honey', path => '$workbook')}), qr/gives the same page of workbook .* again and again/, 'pages without end');
post('_answers', []);
sql(q{TRUNCATE public.orders; INSERT INTO public.orders ("Id", "Note") VALUES ('m1', ''), ('m2', '')});
my $columns = { status => 200, body => { tableColumns => [ { tableColumnId => 'c0000000-0000-4000-8000-000000000000', tableColumnName => 'Id', format => 'TEXT' } ] } };
post('_answers', [ $columns, { status => 200, body => { workbookCursor => 1, createdRows => { 1 => 'row:x' } } } ]);
$run = $flows->move(definition => definition('honey', fields => ['Id']));
like("$run->{status} $run->{message}", qr/^Error .*does not tell what has become of row 2 of 2/, 'an answer that leaves out a row');

# ---------- foreign tables ----------

forget();
sql(qq{CREATE SERVER honey FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'honey');
	CREATE SCHEMA book; IMPORT FOREIGN SCHEMA "$workbook" LIMIT TO ("orders") FROM SERVER honey INTO book});
is(sql(qq{SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'book.orders'::regclass AND attnum > 0}),
	'id text, amount numeric, count numeric, due date, at timestamp without time zone, hour time without time zone, note text, owner text', 'a foreign table');
get('_log');
sql(qq{INSERT INTO book.orders (id, amount, due) SELECT 'i' || i, i, '2026-05-06' FROM generate_series(1, 150) i});
is(scalar(batches()), 2, 'INSERT in batches');
is(rows_of('i')->{i150}{Due}, '2026-05-06', 'writes rows');
like(refused(qq{INSERT INTO book.orders (id) VALUES ('poison')}), qr/The row breaks a rule of the table/, 'what is refused is an error');
like(refused(qq{SELECT * FROM book.orders}), qr/foreign table "orders" cannot be read: records can be put into Honeycode/, 'nothing is read');
like(refused(qq{DELETE FROM book.orders}), qr/no key column/, 'or deleted');
like(refused(qq{ANALYZE book.orders}), qr/cannot be read/, 'nor sampled');

# ---------- rights, secrets ----------

sql(q{CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA appflow TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA appflow TO clerk; REVOKE EXECUTE ON FUNCTION appflow.aws_identity() FROM clerk});
forget();
sql(q{SELECT appflow.grant_profile('signed', 'clerk')});
like(refused(qq{SET ROLE clerk; SELECT appflow.list_connector_entities('{"connectorProfileName": "signed", "entitiesPath": "$workbook"}')}), qr/role "clerk" may not use the AWS identity/, "the server's identity is not for everybody");
forget();
post('_answers', [ { status => 400, headers => { 'x-amzn-ErrorType' => 'ValidationException' }, body => { message => "you sent\nplanted-access-3" } } ]);
my $told = refused(qq{SELECT * FROM appflow.connector_entities('honey', path => '$workbook')});
like($told, qr/you sent \*\*\*/, 'secrets are not repeated');
post('_answers', [ { status => 400, headers => { 'x-amzn-ErrorType' => 'ValidationException' }, body => { message => "signed\nwith $secret" } } ]);
$told = refused(qq{SELECT * FROM appflow.connector_entities('signed', path => '$workbook')});
like($told, qr/refused workbook .*signed with \*\*\*/, 'nor those of the server');
unlike($told . slurp_file($flows->{node}->logfile) =~ s/.*create_connector_profile.*//gr, qr/planted/, 'nor logged');

# ---------- waiting, size ----------

forget();
post('_answers', [ { silent => 1 } ]);
like(refused(qq{SET statement_timeout = '300ms'; SELECT * FROM appflow.connector_entities('honey', path => '$workbook')}), qr/canceling statement due to statement timeout/, 'who waits can be cancelled');
post('_answers', []);
my $grown = sql(q{CREATE FUNCTION public.peak() RETURNS bigint LANGUAGE sql AS $$SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::bigint$$;
	CREATE TEMPORARY TABLE peaks AS SELECT public.peak() AS before;} . qq{
	INSERT INTO book.orders (id, note) SELECT 'w' || i, repeat('x', 500) FROM generate_series(1, 500) i;
	UPDATE peaks SET before = public.peak();
	INSERT INTO book.orders (id, note) SELECT 'v' || i, repeat('x', 500) FROM generate_series(1, 20000) i;
	SELECT public.peak() - before FROM peaks});
cmp_ok($grown, '<', 8192, 'twenty thousand rows take no more memory than five hundred');

done_testing();
