# Veeva Vault: files of documents into object stores, whole or not at all.
use strict;
use utf8;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $app = AppflowTest::RestApps->new('veeva', 'Veeva', 'Veeva', q(appflow.max_retry_delay = '100ms'), 'log_min_messages = log');
my $flows = $app->{flows};
$app->profile('vault', { username => 'me', password => 'planted-veeva' });

sub outcome { return AppflowTest::RestApps::outcome(@_); }

# what a file of a version has in it
sub content
{
	my ($id, $version, $kind, $size) = @_;
	my $unit = "$id-" . ($version =~ s/_/-/r) . "-$kind|";
	return substr $unit x ($size / length($unit) + 1), 0, $size;
}

# a flow of documents with files; asked: more of the source's properties
sub definition
{
	my ($asked, %args) = @_;
	my $fields = $args{fields} || [qw(id name__v major_version_number__v minor_version_number__v filename__v)];
	my $definition = $flows->definition(prefix => 'none', tasks => [ @{ $app->tasks($fields, $args{filters}) }, @{ $args{more} || [] } ], to => 'JSON', output => $args{output}, table => $args{table});
	$definition->{sourceFlowConfig} = $app->source('vault', $args{object} || 'documents');
	$definition->{sourceFlowConfig}{sourceConnectorProperties}{Veeva} = { object => $args{object} || 'documents', %$asked };
	$definition->{destinationFlowConfigList}[0]{destinationConnectorProperties}{S3}{s3OutputFormatConfig}{aggregationConfig} = { aggregationType => 'SingleFile' } if !$args{table};
	return $definition;
}
# what a run has put: {path => bytes} of files, records
sub put
{
	my ($run) = @_;
	my (%files, @records);
	foreach my $key (keys %{ $run->{files} })
	{
		if ($key =~ m{^\Q$run->{id}\E/([^/]*)$}) { push @records, map { JSON::PP->new->utf8->decode($_) } split /\n/, $run->{files}{$key}; }
		elsif ($key =~ m{^\Q$run->{id}\E/(.*)$}s) { $files{$1} = $run->{files}{$key}; }
		else { $files{"ELSEWHERE $key"} = 1; }
	}
	return (\%files, [ sort { json_text($a) cmp json_text($b) } @records ]);
}
sub extract { my ($asked, %args) = @_; $app->control('reset'); return $flows->move(definition => definition($asked, %args)); }
sub names { my ($files) = @_; return join "\n", sort keys %$files; }

# ---------------------------------------------------------------- what is put

$app->control('seed', { documents => 450 });
my $run = extract({ includeSourceFiles => $true });
is(outcome($run), 'Successful 450 0', 'documents with their files') or diag(AppflowTest::RestApps::told($run));
my ($files, $records) = put($run);
is(names($files), join("\n", sort map { "$_/1_0/file $_.pdf" } 1 .. 450), 'a file for each, by document and version');
is((grep { $files->{"$_/1_0/file $_.pdf"} ne content($_, '1_0', 'source', 1000 + $_) } 1 .. 450), 0, '... whole and right');
is(json_text((grep { $_->{id} == 7 } @$records)[0]), '{"filename__v":"file 7.pdf","id":7,"major_version_number__v":1,"minor_version_number__v":0,"name__v":"Dokument 7"}', 'and a record for each');
is(scalar @$records, 450, '... all of them');
is($app->sql("SELECT bytes_written > 450 * 1000 AND bytes_processed > 450 * 1000 FROM appflow.flow_executions WHERE execution_id = '$run->{id}'"), 't', 'bytes of files count');
is($app->sql("SELECT files_written FROM appflow.flow_executions WHERE execution_id = '$run->{id}'"), 450, 'files are counted');
my ($query) = grep { $_ } map { $_->{body} =~ /^q=(.*)/ ? $1 : () } $app->seen(qr{/query$});
is($app->control('records?entity=logins'), 1, 'one login');

$run = extract({ includeAllVersions => $true, includeSourceFiles => $true, includeRenditions => $true }, object => 'documents/types/leaflet__c', fields => ['name__v']);
is(outcome($run), 'Successful 225 0', 'all versions and renditions of documents of a type, by fields that do not tell which') or diag(AppflowTest::RestApps::told($run));
($files, $records) = put($run);
my @versions = map { my $n = $_; map { [ $n, $_ ] } $n % 2 ? ('1_0') : ('0_1', '1_0') } grep { $_ % 3 == 0 } 1 .. 450;
is(names($files), join("\n", sort map { my ($n, $v) = @$_; ("$n/$v/file $n.pdf", sprintf('%d/renditions/%s/viewable_rendition__v/VV-%05d.pdf', $n, $v, $n)) } @versions), 'files of all, in places of their own');
is($files->{'6/renditions/0_1/viewable_rendition__v/VV-00006.pdf'}, content(6, '0_1', 'viewable_rendition__v', 1006), '... a rendition is what it is');
is(json_text($records->[0]), '{"name__v":"Dokument 102"}', 'records have the fields that were asked for') or diag(json_text($records->[0]));

$app->control('seed', { documents => 12 });
$run = extract({ includeSourceFiles => $true }, filters => [ $app->filter('name__v', 'CONTAINS', DATA_TYPE => 'string', VALUE => 'ment 1') ], more => [ { taskType => 'Mask', sourceFields => ['id'], connectorOperator => { Veeva => 'MASK_ALL' }, taskProperties => { MASK_VALUE => 'x' } } ]);
is(outcome($run), 'Successful 4 0', 'filtered and masked') or diag(AppflowTest::RestApps::told($run));
($files, $records) = put($run);
is(names($files), join("\n", sort map { "$_/1_0/file $_.pdf" } 1, 10, 11, 12), 'files of the records that go on, by what they really are');
is(scalar(grep { $_ =~ m{/file$} } map { $_->{url} } $app->seen(qr{/file$})), 4, '... no other is asked for');
$run = extract({ includeSourceFiles => $true }, output => { prefixConfig => { prefixType => 'PATH', prefixFormat => 'DAY', pathPrefixHierarchy => ['SCHEMA_VERSION'] } }, fields => ['id']);
is(outcome($run), 'Successful 12 0', 'where runs share a folder') or diag(AppflowTest::RestApps::told($run));
$run = extract({ includeSourceFiles => $true }, output => { prefixConfig => { pathPrefixHierarchy => ['SCHEMA_VERSION'] } }, fields => ['id']);
is(scalar(grep { m{^schemaVersion_1/\Q$run->{id}\E/\d+/1_0/file \d+\.pdf$} } keys %{ $run->{files} }), 12, 'files have one of their own') or diag(join "\n", keys %{ $run->{files} });

# ---------------------------------------------------------------- names

my @told = (
	'../../../etc/passwd' => '.._.._.._etc_passwd', '..' => '_', 'a/b\\\\c.pdf' => 'a_b_c.pdf', 'plain.pdf' => 'plain.pdf', 'q\\"uo;te.pdf' => 'q"uo;te.pdf', '' => '_',
	('n' x 300) . '.docx' => ('n' x 195) . '.docx', ".appflow" => '.appflow');
my @documents;
for (my $i = 0; $i < @told; $i += 2) { push @documents, { id => 100 + $i, download => $told[$i], versions => [ [ 2, 5 ] ] }; }
# what follows the quote is a parameter of its own
push @documents, { id => 200, download => q(x.pdf"; filename*=UTF-8''gr%C3%BCn%2F%e6%97%a5.pdf; a="b), versions => [ [ 2, 5 ] ] };
$app->control('seed', { documents => \@documents });
$run = extract({ includeSourceFiles => $true });
is(outcome($run), 'Successful 9 0', 'names that lead elsewhere, or nowhere') or diag(AppflowTest::RestApps::told($run));
($files) = put($run);
my @expected = map { 100 + 2 * $_ . "/2_5/$told[ 2 * $_ + 1 ]" } 0 .. @told / 2 - 1;
my $green = '200/2_5/grün_日.pdf';
utf8::encode($green);
is(names($files), join("\n", sort @expected, $green), '... stay inside, and what they are otherwise');
is(join(' ', sort map { s{.*/}{}r } glob "$flows->{root}/*"), 'errors source target', 'nothing is elsewhere');

# ---------------------------------------------------------------- those that cannot be had

$app->control('seed', { documents => [ { id => 1 }, { id => 2, filename__v => undef, renditions => [] }, { id => 3, refused => $true }, { id => 5, bytes => 0 } ] });
$run = extract({ includeSourceFiles => $true });
is(outcome($run), 'Successful 4 1', 'one may not be downloaded') or diag(AppflowTest::RestApps::told($run));
($files, $records) = put($run);
is(names($files), "1/1_0/file 1.pdf\n5/1_0/file 5.pdf", 'the others are there, also the empty one');
is(join(' ', sort map { $_->{id} } @$records), '1 2 5', 'with their records; one has no file');
like($run->{message}, qr/1 of 4 records failed; the first: .*the files of document 3, version 1\.0: User does not have sufficient privileges to download/, 'that is told');
$app->control('seed', { documents => [ { id => 1, renditions => [ 'viewable_rendition__v', 'viewable_rendition__v2' ] }, { id => 3 } ] });
$app->control('fault?kind=failure=INSUFFICIENT_ACCESS&match=documents/1/.*rendition__v2');
$run = $flows->move(definition => definition({ includeSourceFiles => $true, includeRenditions => $true }));
is($app->sql("SELECT files_written FROM appflow.flow_executions WHERE execution_id = '$run->{id}'"), 2, '... what is put counts');
is(outcome($run), 'Successful 2 1', 'one of three files') or diag(AppflowTest::RestApps::told($run));
($files) = put($run);
is(names($files), "3/1_0/file 3.pdf\n3/renditions/1_0/viewable_rendition__v/VV-00003.pdf", '... and none is put');
is(join(' ', $flows->leftovers), '', '... or left staged');

# ---------------------------------------------------------------- in spite of all

$app->control('seed', { documents => [ map { { id => $_, bytes => 900_000 } } 1 .. 4 ] });
foreach my $kind ('stop', 'failure=UNEXPECTED_ERROR', 'throttle', 'failure=INVALID_SESSION_ID', 'status=503', 'drop')
{
	$app->control('reset');
	$app->control($kind eq 'throttle' ? 'throttle?n=2&match=documents/3/.*file' : "fault?kind=$kind&n=1&match=documents/3/.*file");
	$run = $flows->move(definition => definition({ includeSourceFiles => $true }));
	is(outcome($run), 'Successful 4 0', "$kind: goes on") or diag(AppflowTest::RestApps::told($run));
	($files) = put($run);
	is(($files->{'3/1_0/file 3.pdf'} // '') eq content(3, '1_0', 'source', 900_000) ? scalar keys %$files : 'not whole', 4, '... all whole');
}
$app->control('expire');
is(outcome($flows->move(definition => definition({ includeSourceFiles => $true }))), 'Successful 4 0', 'the session ends meanwhile');

# ---------------------------------------------------------------- what fails leaves nothing

sub leaves_nothing
{
	my ($name, $pattern, $run) = @_;
	like("$run->{status}: " . ($run->{message} // ''), $pattern, $name) or diag(AppflowTest::RestApps::told($run));
	is(join("\n", sort keys %{ $run->{files} }), '', '... and nothing is left');
	is(join("\n", $flows->leftovers), '', '... nor staged');
	is($app->sql("SELECT files_written || ' ' || bytes_written FROM appflow.flow_executions WHERE execution_id = '$run->{id}'"), '0 0', '... nor counted');
	$app->control('reset');
}
$app->control('fault?kind=stop&n=99&match=documents/3/.*file');
leaves_nothing('a file that always breaks off', qr/^Error: .*request to .*documents\/3\/versions\/1\/0\/file" failed/s, $flows->move(definition => definition({ includeSourceFiles => $true })));
$app->control('fault?kind=html&match=documents/3/.*file');
leaves_nothing('a page for people', qr/^Error: .*the answer of Veeva about the files of document 3, version 1\.0 is no file/s, $flows->move(definition => definition({ includeSourceFiles => $true })));
$app->control('fault?kind=stop&match=documents/3/.*file');
$app->control('fault?kind=html&match=documents/3/.*file');
leaves_nothing('... when it is asked for again', qr/^Error: .*is no file/s, $flows->move(definition => definition({ includeSourceFiles => $true })));
$app->control('fault?kind=failure=UNEXPECTED_ERROR&n=99&match=documents/3/.*file');
leaves_nothing('a service that does not get well', qr/^Error: .*UNEXPECTED_ERROR: Told to/s, $flows->move(definition => definition({ includeSourceFiles => $true })));
$app->control('seed', { documents => 450 });
$app->control('set', { shrink => 200 });
$app->control('fault?kind=failure=INVALID_DATA&match=pageoffset=400');
leaves_nothing('the third page of the records', qr/^Error: .*INVALID_DATA: Told to: INVALID_DATA/s, $flows->move(definition => definition({ includeSourceFiles => $true })));
$app->control('set', { shrink => 0 });

# cancelled while a large file comes
$app->control('seed', { documents => [ { id => 1 }, { id => 2, bytes => 40_000_000_000 } ] });
my $definition = definition({ includeSourceFiles => $true });
my $name = $definition->{flowName};
$app->sql("SELECT appflow.create_flow(\$j\$" . json_text($definition) . "\$j\$)");
sub wait_for
{
	my ($sql) = @_;
	for (my $end = time + 60; time < $end; sleep 0.1) { return 1 if $app->sql($sql) eq 't'; }
	return 0;
}
sub started { $app->sql("SELECT appflow.start_flow('{\"flowName\": \"$name\"}')"); return wait_for("SELECT count(*) > 0 FROM appflow.flow_progress WHERE flow_name = '$name' AND bytes_written > 30000000"); }
ok(started(), 'a large file is on its way');
my $number = $name =~ s/\D//gr;
is(join("\n", map { s{^[^/]*/}{}r } sort keys %{ $flows->objects('target', "out$number/$name") }), '1/1_0/file 1.pdf', '... another is there');
my $worker = $app->sql("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'appflow%run%' OR backend_type = 'appflow worker' LIMIT 1");
SKIP:
{
	skip 'no worker found', 1 if $worker eq '';
	my ($rss) = `cat /proc/$worker/status` =~ /RssAnon:\s+(\d+)/;
	cmp_ok($rss, '<', 64 * 1024, 'memory of the worker stays small') or diag("$rss kB");
}
$app->sql("SELECT appflow.cancel_flow_executions('{\"flowName\": \"$name\"}')");
ok(wait_for("SELECT execution_status = 'Canceled' FROM appflow.flow_executions WHERE flow_name = '$name'"), 'cancelled');
is(join("\n", keys %{ $flows->objects('target', "out$number/$name") }), '', '... nothing is left');
is(join("\n", $flows->leftovers), '', '... nor staged');

# the server dies while a large file comes
ok(started(), 'again');
my $id = $app->sql("SELECT execution_id FROM appflow.flow_executions WHERE flow_name = '$name' ORDER BY requested_at DESC LIMIT 1");
$app->{node}->stop('immediate');
is(join("\n", map { s{^[^/]*/}{}r } sort keys %{ $flows->objects('target', "out$number/$name") }), '1/1_0/file 1.pdf', 'the server dies: a whole file is there');
$app->{node}->start;
$app->control('seed', { documents => 3 });
is(outcome($flows->move(definition => definition({ includeSourceFiles => $true }))), 'Successful 3 0', 'the next run');
ok(wait_for("SELECT execution_status = 'Error' FROM appflow.flow_executions WHERE execution_id = '$id'"), 'the lost one is an error');
my $left;
for (my $end = time + 30; time < $end; sleep 0.2) { $left = join "\n", keys %{ $flows->objects('target', "out$number/$name") }, $flows->leftovers; last if $left eq ''; }
is($left, '', '... and what it has put is taken away');

# ---------------------------------------------------------------- where they cannot go

sub refused { my ($definition) = @_; return $app->error_of("SELECT appflow.create_flow(\$j\$" . json_text($definition) . "\$j\$)"); }
like(refused(definition({ includeSourceFiles => $true }, table => 'id text')), qr/^WF400: .*files of Veeva cannot go to CustomConnector, only to S3/s, 'not to a table');
like(refused(definition({ includeRenditions => $true }, table => 'id text')), qr/^WF400: .*files of Veeva cannot go/s, 'nor renditions');
is(outcome($flows->move(definition => definition({ includeAllVersions => $true, includeSourceFiles => $false }, table => 'id text, name__v text, major_version_number__v int, minor_version_number__v int, filename__v text'))), 'Successful 4 0', 'versions can');
$definition = definition({ includeSourceFiles => $true });
$definition->{triggerConfig} = { triggerType => 'Scheduled', triggerProperties => { Scheduled => { scheduleExpression => 'rate(5minutes)' } } };
like(refused($definition), qr/^WF400: .*flows from Veeva with documents run at most once a hour/s, 'not each five minutes');

done_testing();
