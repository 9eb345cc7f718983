# What make demo runs works, over a few records instead of all of iso-codes.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('demo');
$node->init;
$node->start;
my $root = PostgreSQL::Test::Utils::tempdir();
mkdir "$root/$_" foreach qw(demo-out demo-in demo-in/countries demo-in/subdivisions demo-in/languages);
append_to_file("$root/demo-in/countries/00.jsonl",
	qq({"alpha_2":"AD","alpha_3":"AND","name":"Andorra","numeric":"020","official_name":"Principality of Andorra"}\n)
	  . qq({"alpha_2":"AW","alpha_3":"ABW","name":"Aruba","numeric":"533"}\n));
append_to_file("$root/demo-in/subdivisions/00.jsonl",
	qq({"code":"AD-02","name":"Canillo","type":"Parish"}\n{"code":"AD-03","name":"Encamp","type":"Parish"}\n));
append_to_file("$root/demo-in/subdivisions/01.jsonl", qq({"code":"AZ-BAB","name":"B\xc9\x99b\xc9\x99k","parent":"NX","type":"Rayon"}\n));
append_to_file("$root/demo-in/languages/00.jsonl",
	qq({"alpha_3":"aaa","name":"Ghotuo","type":"L"}\n{"alpha_3":"akk","name":"Akkadian","type":"H"}\n));

my ($output, $errors) = run_command(
	[
		'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-v', "directory=$root",
		'-f', "$ENV{APPFLOW_TEST_DIR}/demo/demo.sql"
	]);
is($errors, '', 'no error, no warning');
like($output, qr/^ subdivisions-as-parquet \| PostgreSQL +\| S3 +\| Active *$/m, 'flows are shown');
like($output, qr/^ languages +\| Successful \| +1 \| +1 \|/m, 'runs are shown');
is(() = $output =~ /^ countries +\| Successful \| +2 \|/mg, 2, 'countries ran twice');
like($output, qr/^ AD +\| Andorra +\| +2 \| +1 \| Parish/m, 'the query has its answer');
is($node->safe_psql('postgres', 'SELECT count(*) FROM countries'), 2, 'the second run doubled nothing');
is($node->safe_psql('postgres', q(SELECT parent || ' ' || name FROM subdivisions WHERE code = 'AZ-BAB')), 'NX Bəbək',
	'a field that only one record has');
my ($csv) = glob "$root/demo-out/subdivisions-as-csv/*/*";
is(slurp_file($csv),
	"code,name,type,parent\nAD-02,Canillo,Parish,\nAD-03,Encamp,Parish,\nAZ-BAB,B\xc9\x99b\xc9\x99k,Rayon,NX\n", 'the CSV');
done_testing();
