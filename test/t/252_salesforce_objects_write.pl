# Objects of S3 to Salesforce: all fields as they are, lines of the objects in error files, and a
# large load that keeps memory flat.

use strict;
use warnings;

use AppflowTest::SalesforceWrite;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $sf = AppflowTest::SalesforceWrite->new('salesforce_objects_write');
my $number = 0;

# a flow that moves the objects under a folder, all fields of the same names
sub from_objects
{
	my ($folder, %properties) = @_;
	return {
		flowName => 'objects' . ++$number, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'S3', sourceConnectorProperties => { S3 => { bucketName => 'source', bucketPrefix => $folder, s3InputFormatConfig => { s3InputFileType => 'JSON' } } } },
		destinationFlowConfigList => [ { connectorType => 'Salesforce', connectorProfileName => 'crm', destinationConnectorProperties => { Salesforce => {
			object => 'Thing__c', writeOperationType => 'INSERT', errorHandlingConfig => { bucketName => 'errors' }, %properties } } } ],
		tasks => [ { taskType => 'Map_all', sourceFields => [], connectorOperator => { S3 => 'NO_OP' }, taskProperties => {} } ] };
}
sub put { my ($key, $text) = @_; (my $folder = $key) =~ s{/.*}{}; mkdir "$sf->{root}/source/$folder"; append_to_file("$sf->{root}/source/$key", $text); }

put('a/1.json', qq({"Code__c":"O1","Text__c":"x","Int__c":5}\n{"Code__c":"O2","Flag__c":true,"Moment__c":"2024-03-05T10:11:12+01:00"}\n));
put('a/2.json', qq({"Code__c":"O3","Choice__c":"Mauve"}\n{"Code__c":"O4","Int__c":"five"}\n));
foreach my $api (qw(REST_SYNC BULKV2))
{
	my $run = $sf->move(definition => from_objects('a', dataTransferApi => $api));
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 4 2', "$api: all fields, also those that come late") or diag explain $run;
	my $kept = $sf->records('Thing__c', 'Code__c');
	is_deeply([ map { [ @{ $kept->{$_} }{qw(Text__c Int__c Flag__c Moment__c)} ] } qw(O1 O2) ], [ [ 'x', 5, JSON::PP::false, undef ], [ undef, undef, JSON::PP::true, 1709629872000 ] ], 'of their types');
	my %sources = map { $_->{record}{Code__c} => "$_->{errorCode}, $_->{source}" } @{ $run->{errors} };
	is($sources{O4}, 'InvalidValue, object "s3://source/a/2.json", line 2', 'a value that is none for the field');
	like($sources{O3}, $api eq 'BULKV2' ? qr/^INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST, record 3$/ : qr/^INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST, object "s3:\/\/source\/a\/2.json", line 1$/, 'and one that Salesforce refuses');
	$sf->control('delete', object => 'Thing__c', id => $kept->{$_}{Id}) foreach qw(O1 O2);
}
put('b/1.json', qq({"Code__c":"O1","Mystery__c":"x"}\n));
my $run = $sf->move(definition => from_objects('b'));
is("$run->{status} $run->{message}", 'Error Salesforce object "Thing__c" has no field "Mystery__c"', 'a field that the object does not have');

# a large load: as many jobs as it takes, in memory that does not grow with it
my $records = $ENV{SALESFORCE_RECORDS} // 150000;
$sf->sql("CREATE TABLE large AS SELECT 'L' || n AS name, n, n * 1.5 AS amount, md5(n::text) AS note FROM generate_series(1, $records) n");
my $name = $sf->create(table => 'large', object => 'Big__c', map => { name => 'Name', n => 'Count__c', amount => 'Amount__c', note => 'Note__c' }, api => 'BULKV2');
$sf->control('ingest', delay => 1);
$sf->sql("SELECT appflow.start_flow('{\"flowName\": \"$name\"}')");
my ($most, $least) = (0, 0);
while ($sf->outcome($name)->{status} =~ /Progress/)
{
	foreach my $proc (glob '/proc/[0-9]*')
	{
		my $command = eval { slurp_file("$proc/cmdline") } // '';
		next if $command !~ /appflow worker/;
		my ($anonymous) = (eval { slurp_file("$proc/status") } // '') =~ /^RssAnon:\s+(\d+) kB/m;
		next if !defined $anonymous;
		$most = $anonymous if $anonymous > $most;
	}
	select undef, undef, undef, 0.05;
}
$run = $sf->outcome($name);
is("$run->{status} $run->{processed} $run->{failed} " . $sf->control('count', object => 'Big__c', field => 'Name', pattern => '^L'), "Successful $records 0 $records", 'a large load');
my @jobs = grep { $_->{object} eq 'Big__c' } @{ $sf->control('ingest-jobs') };
cmp_ok(scalar(@jobs), '>=', int($records / 100000), 'by several jobs');
cmp_ok($most, '<', 64 * 1024, 'in less than 64 MB');
note("$most kB, " . scalar(@jobs) . " jobs");

done_testing();
