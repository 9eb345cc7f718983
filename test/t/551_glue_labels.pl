# What an application tells of its fields is in the catalogue, too: labels and descriptions.
use strict;
use warnings;

use AppflowTest::SalesforceRead;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical->utf8->allow_nonref;
my ($key, $secret, $region) = ('AKIDEXAMPLEKEY', 'planted/aws+secret', 'us-east-1');
our $output;
my $server = open($output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/glue/server.js", $key, $secret, $region) or die "node: $!";
my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die 'the server did not start';
END { my $status = $?; kill 'KILL', $server if $server; $? = $status; }

my $sf = AppflowTest::SalesforceRead->new('labels', "appflow.glue_endpoint = 'http://127.0.0.1:$port'");
my $file = PostgreSQL::Test::Utils::tempdir . '/credentials';
append_to_file($file, "[default]\nregion = $region\naws_access_key_id = $key\naws_secret_access_key = $secret\n");
{
	delete local @ENV{ grep { /^AWS_/ } keys %ENV };
	local %ENV = (%ENV, HOME => '/nonexistent', AWS_EC2_METADATA_DISABLED => 'true', AWS_SHARED_CREDENTIALS_FILE => $file, AWS_CONFIG_FILE => $file,
		AWS_ENDPOINT_URL_STS => "http://127.0.0.1:$port");
	$sf->{node}->restart;
}
$sf->control('seed', object => 'Account', count => 3, values => { Name => 'Account {n}' });
sub pull
{
	my (%args) = @_;
	my $definition = $sf->pull_definition(object => 'Account', to => 'PARQUET', %args);
	$definition->{metadataCatalogConfig} = { glueDataCatalog => { databaseName => 'lake', roleArn => 'arn:aws:iam::123456789012:role/catalog', tablePrefix => '' } };
	$sf->sql("SELECT appflow.create_flow(\$d\$" . $json->encode($definition) . "\$d\$); CALL appflow.run_flow('$definition->{flowName}')");
	my $text = `node --no-warnings '$ENV{APPFLOW_TEST_DIR}/simulators/glue/catalog.mjs' $port $region '$sf->{root}' lake 2>&1`;
	die "catalog.mjs failed: $text" if $? != 0;
	return $json->decode($text)->{"appflow_$definition->{flowName}_1"};
}
my $table = pull(name => 'mapped', fields => { Id => 'Key', External_Id__c => 'Shop', AnnualRevenue => 'money' });
is_deeply($table->{columns}, { key => 'string', shop => 'string', money => 'double' }, 'types that the application tells; no prefix, no underscore');
is_deeply($table->{labels}, { key => { AppFlowLabel => 'Id' }, shop => { AppFlowLabel => 'External Id', AppFlowDescription => 'Its key in the shop' }, money => { AppFlowLabel => 'AnnualRevenue' } }, 'labels and descriptions of the fields that are mapped') or diag explain $table->{labels};
is(scalar(@{ $table->{rows} }), 3, 'the records');
$table = pull(name => 'whole');
is($table->{labels}{lastmodifieddate}{AppFlowLabel}, 'LastModifiedDate', 'and of all') or diag explain $table->{labels};
done_testing();
