# SAP's mock server of Fiori tools: a description with types that derive from others,
# definitions, complex values and collections; a catalogue, tokens.

use strict;
use utf8;
use warnings;

use AppflowTest::Sap;
use JSON::PP;
use Test::More;

my $sap = AppflowTest::Sap->new('sap');
my $server = $sap->start('mockserver.js');
my $entity = '/sap/opu/odata4/sap/zflights/0001/Flight';
$sap->profile('mock', $server, '/sap/opu/odata/IWFND/CATALOGSERVICE;v=2');
$sap->profile('one', $server, '/sap/opu/odata4/sap/zflights/0001');

is($sap->sql("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"mock\"}') #>> '{connectorEntityMap,Objects,0,name}'"), '/sap/opu/odata/sap/0001', 'a catalogue that has little to say');
is($sap->sql("SELECT string_agg(concat_ws(':', e ->> 'name', e ->> 'label'), ' ') FROM jsonb_path_query(appflow.list_connector_entities('{\"connectorProfileName\": \"one\"}'), '\$.connectorEntityMap.Objects[*]') e"),
	"$entity:Flights /sap/opu/odata4/sap/zflights/0001/Seat:Seat", 'entity sets');
my $fields = JSON::PP->new->decode($sap->sql("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"one\", \"connectorEntityName\": \"$entity\"}') -> 'connectorEntityFields'"));
is(join(' ', map { join ':', $_->{identifier}, $_->{supportedFieldTypeDetails}{v1}{fieldType}, $_->{isPrimaryKey} ? 'key' : () } @$fields),
	'Carrier:String:key Number:Integer:key Price:BigDecimal From:Struct Day:Date Full:Boolean Tags:Struct', 'fields of the type and of what it derives from');
is("$fields->[2]{customProperties}{precision},$fields->[2]{customProperties}{scale} $fields->[2]{label}", '15,2 Fare', 'a type of its own definition');
is(scalar(grep { grep { $_ eq 'DELETE' } @{ $_->{destinationProperties}{supportedWriteOperations} || [] } } @$fields), 0, 'nothing is deleted');

my $run = $sap->pull('one', $entity, tasks => [ map { sap_map($_) } qw(Carrier Number Price From.City Day Full Tags) ]);
is($run->{text}, join('', map { "$_\n" } '{"Carrier":"LH","Number":400,"Price":499.90,"From.City":"Frankfurt","Day":"2024-03-01","Full":true,"Tags":["a", "b"]}',
	'{"Carrier":"LH","Number":401,"Price":12.00,"From.City":"New York","Day":null,"Full":false,"Tags":[]}',
	q({"Carrier":"AA","Number":17,"Price":null,"From.City":"O'Hare","Day":"2024-12-31","Full":null,"Tags":[]})) =~ s/"a", "b"/"a","b"/r, 'records') or diag explain $run;

$run = $sap->push_rows('one', $entity, columns => '"Carrier" text, "Number" int, "Price" numeric(15,2), "Day" date, "From" jsonb',
	rows => q{VALUES ('UA', 1, 7.50, '2025-01-01', '{"City": "Denver", "Street": "C"}'), ('UA', 2, 8, null, null)});
is("$run->{status} $run->{processed} $run->{failed}", 'Successful 2 0', 'records written') or diag explain $run, [ $sap->seen($server) ];
$run = $sap->pull('one', $entity, tasks => [ map { sap_map($_) } qw(Number Price From.City Day) ]);
like($run->{text}, qr/\{"Number":1,"Price":7.50,"From.City":"Denver","Day":"2025-01-01"\}\n\{"Number":2,"Price":8.00,"From.City":(null|""),"Day":(null|"")\}\n$/, 'are there') or diag explain $run;

done_testing();
