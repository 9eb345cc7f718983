# Writing to a gateway as strict as ABAP's: tokens against forgery, sessions that end,
# batches, records that are refused, versions of records.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use Test::More;

my $sap = AppflowTest::Sap->new('sap');
my $gateway = $sap->start('gateway.js');
my %catalog = (2 => '/sap/opu/odata/iwfnd/catalogservice;v=2', 4 => '/sap/opu/odata4/iwfnd/config/default/iwfnd/catalog/0002');
my %service = (2 => '/sap/opu/odata/sap/ZSALES_SRV', 4 => '/sap/opu/odata4/sap/zsales/srvd_a2x/sap/zsales/0001');
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

$sap->profile("v$_", $gateway, $catalog{$_}) foreach 2, 4;

sub seen { return $sap->seen($gateway, @_); }
sub rows { my ($set) = @_; return $sap->ask("$gateway/_rows/$set"); }
sub shown { my ($set, @fields) = @_; return join ' ', sort map { my $r = $_; join ',', map { $r->{$_} // '-' } @fields } @{ rows($set) }; }
sub write_as { my ($operation, @keys) = @_; return { writeOperationType => $operation, @keys ? (idFieldNames => \@keys) : () }; }

my $columns = '"OrderId" text, "Customer" text, "Amount" numeric(15,3), "Quantity" int, "Counter" bigint, "Rate" float8, "Paid" boolean, "Day" date,
	"Local" timestamp, "ChangedAt" timestamptz, "Clock" time, "Ref" uuid, "Blob" bytea, "Country" text';
my $record = q{('0000000001', 'O''Neil & Söhne', 12.500, -7, 9007199254740993, 0.25, true, '2024-03-01', '2024-03-01T10:11:12', '2024-03-01T10:11:12.123Z',
	'10:11:12', '6f9619ff-8b86-d011-b42d-00cf4fc964ff', '\xfbff', 'DE')};

foreach my $version (2, 4)
{
	my $entity = "$service{$version}/OrderSet";
	my $profile = "v$version";
	my $run;

	# the wall clock of version 2 is an instant in version 4
	(my $mine = $columns) =~ s/"Local" timestamp/"Local" timestamptz/ if $version == 4;
	$sap->tell("$gateway/_rows/OrderSet", []);
	$sap->tell("$gateway/_expire", {});
	seen();
	$run = $sap->push_rows($profile, $entity, columns => $mine // $columns, rows => "VALUES $record");
	is("$run->{status} $run->{processed}", 'Successful 1', "version $version: INSERT of a record") or diag explain $run;
	my $row = rows('OrderSet')->[0];
	is_deeply($row, { OrderId => '0000000001', Customer => "O'Neil & Söhne", Amount => '12.500', Quantity => '-7', Counter => '9007199254740993', Rate => '0.25', Paid => $true,
		Day => 1709251200000, Local => 1709287872000, ChangedAt => 1709287872123, Clock => 'PT10H11M12S', Ref => '6f9619ff-8b86-d011-b42d-00cf4fc964ff', Blob => '+/8=', Status => 'A', Country => 'DE' },
		'every type') or diag explain $row;
	is(join(' | ', map { s/\?.*//r } seen()), "GET $service{$version}/\$metadata | GET $service{$version}/ | POST $entity", 'a token is fetched at the root, with a slash');

	# 250 records: batches; the second finds that the session has ended
	$sap->tell("$gateway/_rows/OrderSet", []);
	$sap->tell("$gateway/_next", { match => 'nothing', times => 0 });
	seen();
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Customer" text, "Country" text',
		rows => q{SELECT lpad(i::text, 10, '0'), CASE WHEN i % 100 = 7 THEN 'blocked' ELSE 'c' || i END, 'DE' FROM generate_series(1, 250) i});
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 250 3', 'many records, some refused') or diag explain $run;
	is(scalar(@{ rows('OrderSet') }), 247, 'the others are there');
	is(scalar(seen(qr/\$batch/)), 3, 'in three batches');
	is(scalar(split /\n/, $run->{errors}), 3, 'three in the error file');
	like($run->{errors}, qr{\{"record":\{"OrderId":"0000000107","Customer":"blocked","Country":"DE"\},"errorCode":"V1/346","errorMessage":"Customer blocked is blocked for order processing"}, "with SAP's code and words");

	$sap->tell("$gateway/_next", { match => 'batch', expire => $true });
	seen();
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Customer" text, "Country" text',
		rows => q{SELECT lpad(i::text, 10, '0'), 'c' || i, 'DE' FROM generate_series(301, 450) i});
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 150 0', 'a session that ends is begun anew') or diag explain $run;
	is(scalar(@{ rows('OrderSet') }), 397, 'nothing twice, nothing lost');
	is(scalar(seen(qr/\$batch/)), 3, 'by one request more');

	$sap->tell("$gateway/_next", { match => 'batch', status => 503, headers => { 'Retry-After' => '0' }, times => 2 });
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Country" text', rows => q{VALUES ('501', 'DE'), ('502', 'DE')});
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 2 0', 'a service that is busy is asked again') or diag explain $run;

	# version 4 may stop at the first that fails
	$sap->tell("$gateway/_rows/OrderSet", []);
	$sap->tell("$gateway/_set", { stops => $true });
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Customer" text, "Country" text',
		rows => q{VALUES ('1', 'a', 'DE'), ('2', 'blocked', 'DE'), ('3', 'b', 'DE'), ('3', 'again', 'DE'), ('5', 'c', 'DE')});
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 5 2', 'what was not answered is sent again') or diag explain $run;
	is(shown('OrderSet', 'OrderId', 'Customer'), '1,a 3,b 5,c', 'once');
	$sap->tell("$gateway/_set", { stops => $false, batch => $false });
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Customer" text, "Country" text',
		rows => q{VALUES ('11', 'a', 'DE'), ('12', 'blocked', 'DE'), ('13', 'b', 'DE')});
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 3 1', 'a service without batches') or diag explain $run;
	is(shown('OrderSet', 'OrderId', 'Customer'), '1,a 11,a 13,b 3,b 5,c', 'one by one');
	$sap->tell("$gateway/_set", { batch => $true });

	# ---------- by key ----------

	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Customer" text', rows => q{VALUES ('1', 'changed'), ('99', 'nobody'), (null, 'x')}, write => write_as('UPDATE', 'OrderId'));
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 3 2', 'UPDATE') or diag explain $run;
	like($run->{errors}, qr{"errorCode":"/IWBEP/CM_MGW_RT/020","errorMessage":"Resource not found for segment 'Order'"}, 'of what is not there');
	like($run->{errors}, qr{"errorCode":"InvalidKey".*\\"OrderId\\" is null}, 'of what has no key');
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Customer" text, "Country" text',
		rows => q{VALUES ('1', 'upserted', 'FR'), ('21', 'made', 'FR'), ('21', 'made again', 'FR'), ('o''q/ü', 'odd', 'FR'), ('22', 'blocked', 'FR')}, write => write_as('UPSERT', 'OrderId'));
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 5 1', 'UPSERT') or diag explain $run;
	is(shown('OrderSet', 'OrderId', 'Customer', 'Country'), "1,upserted,FR 11,a,DE 13,b,DE 21,made again,FR 3,b,DE 5,c,DE o'q/ü,odd,FR", 'changes and creates');
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text', rows => q{VALUES ('1'), ('77'), ('o''q/ü'), ('21')}, write => write_as('DELETE', 'OrderId'));
	is("$run->{status} $run->{processed} $run->{failed}", 'Successful 4 1', 'DELETE') or diag explain $run;
	is(shown('OrderSet', 'OrderId'), '11 13 3 5', 'what is there');

	$sap->tell("$gateway/_rows/ItemSet", [ { OrderId => 'a', Pos => '1', Material => 'm' }, { OrderId => 'a', Pos => '2', Material => 'n' } ]);
	$run = $sap->push_rows($profile, "$service{$version}/ItemSet", columns => '"Pos" int, "Material" text, "OrderId" text', rows => q{VALUES (2, 'changed', 'a'), (3, 'x', 'a')}, write => write_as('UPDATE', 'Pos', 'OrderId'));
	is("$run->{status} $run->{failed} " . shown('ItemSet', 'OrderId', 'Pos', 'Material'), 'Successful 1 a,1,m a,2,changed', 'a key of two fields, in any order') or diag explain $run;

	# versions of records
	$sap->tell("$gateway/_rows/PriceSet", [ map { { Id => "$_", Value => '1.00', Version => '5' } } 1 .. 3 ]);
	foreach my $operation ('UPDATE', 'UPSERT')
	{
		$run = $sap->push_rows($profile, "$service{$version}/PriceSet", columns => '"Id" int, "Value" numeric(11,2)', rows => $operation eq 'UPDATE' ? q{VALUES (1, 2), (2, 3)} : q{VALUES (1, 4), (9, 9)}, write => write_as($operation, 'Id'));
		is("$run->{status} $run->{processed} $run->{failed}", 'Successful 2 0', "$operation of records that have versions") or diag explain $run;
	}
	is(shown('PriceSet', 'Id', 'Value', 'Version'), '1,4.00,7 2,3.00,6 3,1.00,5 9,9.00,1', 'changes them');
	$run = $sap->push_rows($profile, "$service{$version}/PriceSet", columns => '"Id" int', rows => q{VALUES (2)}, write => write_as('DELETE', 'Id'));
	is("$run->{status} " . shown('PriceSet', 'Id'), 'Successful 1 3 9', 'and DELETE') or diag explain $run;

	# ---------- records within a record ----------

	$sap->tell("$gateway/_rows/$_", []) foreach qw(OrderSet ItemSet);
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Country" text, "ToItems" jsonb',
		rows => q{VALUES ('1', 'DE', '[{"OrderId": "1", "Pos": 1, "Material": "a"}, {"OrderId": "1", "Pos": 2, "Material": "b"}]')});
	is("$run->{status} " . shown('ItemSet', 'OrderId', 'Pos', 'Material'), 'Successful 1,1,a 1,2,b', 'created together with it') or diag explain $run;

	$sap->tell("$gateway/_rows/$_", []) foreach qw(OrderSet ItemSet);
	$sap->{flows}->put("deep$version/a.jsonl", qq({"OrderId":"1","Country":"DE","ToItems":[{"OrderId":"1","Pos":1,"Material":"a"}]}\n{"OrderId":"2","Country":"FR","Quantity":7}\n{"OrderId":"3","Country":"FR","ChangedAt":"2024-03-01T10:11:12Z"}\n));
	$run = $sap->{flows}->move(definition => {
		flowName => 'flow' . ++$sap->{number}, triggerConfig => { triggerType => 'OnDemand' },
		sourceFlowConfig => { connectorType => 'S3', sourceConnectorProperties => { S3 => { bucketName => 'source', bucketPrefix => "deep$version", s3InputFormatConfig => { s3InputFileType => 'JSON' } } } },
		destinationFlowConfigList => [ { connectorType => 'SAPOData', connectorProfileName => $profile, destinationConnectorProperties => { SAPOData => { objectPath => $entity } } } ],
		tasks => [ { taskType => 'Passthrough', sourceFields => [], connectorOperator => { S3 => 'NO_OP' }, taskProperties => {} } ] });
	is("$run->{status} $run->{processed} " . shown('OrderSet', 'OrderId', 'Quantity', 'ChangedAt') . ' ' . shown('ItemSet', 'OrderId', 'Material'), 'Successful 3 1,-,- 2,7,- 3,-,1709287872000 1,a', 'JSON passed through, each record with fields of its own') or diag explain $run;

	# what SAP answered is kept for those who want it
	$sap->tell("$gateway/_rows/OrderSet", []);
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Customer" text, "Country" text', rows => q{VALUES ('71', 'a', 'DE'), ('72', 'blocked', 'DE'), ('73', 'b', 'DE')},
		write => { successResponseHandlingConfig => { bucketName => 'target', bucketPrefix => 'answers' } });
	my $answers = $sap->{flows}->objects('target', "answers/$run->{name}/$run->{id}");
	my @lines = map { JSON::PP->new->decode($_) } split /\n/, $answers->{'responses.jsonl'} // '';
	is(scalar(@lines), 2, 'a response for each record that was written') or diag explain $run, $answers;
	my $response = $version == 2 ? $lines[1]{response}{d} : $lines[1]{response};
	is("$lines[1]{record}{OrderId} $response->{OrderId} $response->{Status}", '73 73 A', 'with what SAP made of it');

	# ---------- what goes wrong ----------

	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Customer" text', rows => q{VALUES ('1', 'x')}, write => write_as('UPDATE', 'Customer'));
	like($run->{message}, qr/idFieldNames must be the key/, 'what identifies a record is its key');
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Status" text', rows => q{VALUES ('1', 'x')});
	like($run->{message}, qr/field "Status" .* cannot be set by INSERT/, 'a field that SAP sets');
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Nothing" text', rows => q{VALUES ('1', 'x')});
	like($run->{message}, qr/has no field "Nothing"/, 'a field that is not there');
	$run = $sap->push_rows($profile, "$service{$version}/ReportSet", columns => '"Id" int', rows => q{VALUES (1)});
	like($run->{message}, qr/does not allow INSERT/, 'an entity that is only read');
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Quantity" bigint, "Country" text', rows => q{VALUES ('31', 99999999999, 'DE'), ('32', 5, 'DE')});
	is("$run->{status} $run->{failed}", 'Successful 1', 'a number that does not fit fails its record') or diag explain $run;
	like($run->{errors}, qr/out of range/, 'before it is sent');

	# the answer to a batch is lost: it was carried out, and is not sent again
	$sap->tell("$gateway/_rows/OrderSet", []);
	$sap->tell("$gateway/_next", { match => 'batch', late => $true });
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Country" text', rows => q{VALUES ('41', 'DE'), ('42', 'DE')});
	is("$run->{status} " . scalar(@{ rows('OrderSet') }), 'Error 2', 'an answer that is lost ends the run, and nothing is written twice') or diag explain $run;
	$sap->tell("$gateway/_next", { match => 'batch', status => 202, headers => { 'Content-Type' => 'multipart/mixed; boundary=x' }, body => "--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n" });
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Country" text', rows => q{VALUES ('51', 'DE'), ('52', 'DE')});
	like("$run->{status} $run->{message}", qr/^Error .*malformed: it is cut off/, 'an answer that breaks off');
	$sap->tell("$gateway/_next", { match => 'batch', status => 403, body => '{"error":{"code":"/IWFND/CM_CONSUMER/101","message":{"lang":"en","value":"No authorization to access Service"}}}' });
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Country" text', rows => q{VALUES ('51', 'DE'), ('52', 'DE')});
	like("$run->{status} $run->{message}", qr{^Error .*/IWFND/CM_CONSUMER/101: No authorization to access Service}, 'no right to write');
	$run = $sap->push_rows($profile, $entity, columns => '"OrderId" text, "Customer" text, "Country" text', rows => q{VALUES ('61', 'blocked', 'DE'), ('62', 'x', 'DE')},
		errors => { failOnFirstDestinationError => $true });
	like("$run->{status} $run->{message}", qr/^Error .*blocked for order processing/, 'the first failure may end the run');
}

done_testing();
