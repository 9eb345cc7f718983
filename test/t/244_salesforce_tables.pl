# Objects of Salesforce as foreign tables: what is asked, and that any condition, order,
# limit and aggregate gives what it gives of a table with the same rows.

use strict;
use warnings;

use AppflowTest::SalesforceRead;
use JSON::PP;
use Test::More;

my $sf = AppflowTest::SalesforceRead->new('salesforce_tables');
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

my @texts = ('abc', 'ABC', "a'b", 'a"b', 'a\\b', 'a%b', 'a_b', "line\nfeed", 'Gr\u00fc\u00dfe', '0', undef);
my @moments = map { 1709626272345 + $_ } -1000, -345, -1, 0, 1, 655, 86400000;
my ($parent) = @{ $sf->control('put', object => 'Account', records => [ { Name => 'Parent' } ]) };
$sf->control('put', object => 'Thing__c', records => [ map { {
	Code__c => sprintf('C%03d', $_), Text__c => $texts[ $_ % @texts ], Moment__c => $_ % 8 ? $moments[ $_ % @moments ] : undef, Day__c => (undef, '2024-02-28', '2024-02-29', '2024-03-01')[ $_ % 4 ],
	Number__c => (0, -0.5, 0.5, 1.000001, undef, 123456789012)[ $_ % 6 ], Int__c => (0, 1, -1, 7, undef)[ $_ % 5 ], Flag__c => $_ % 3 ? $true : $false,
	Choice__c => (undef, 'Red', 'Green', 'Blue')[ $_ % 4 ], Open__c => (undef, 'Small', 'small', 'Other')[ $_ % 4 ], Account__c => (undef, $parent)[ $_ % 2 ] } } 0 .. 119 ]);
$sf->sql(q{
	CREATE SERVER crm FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'crm');
	CREATE SCHEMA crm;
	IMPORT FOREIGN SCHEMA "Objects" LIMIT TO ("Thing__c", "Account") FROM SERVER crm INTO crm;
	CREATE SCHEMA here;
	CREATE TABLE here.thing__c AS SELECT * FROM crm.thing__c;
	CREATE TABLE here.account AS SELECT * FROM crm.account});
is($sf->sql('SELECT count(*) FROM here.thing__c'), 120, 'all records');

# ---------- what is asked ----------

sub remote { my ($query) = @_; return join ' ', $sf->sql("EXPLAIN $query") =~ /Remote Request: [^:]*: (.*)/g; }
my $from = 'FROM Thing__c WHERE';
like(remote(q{SELECT code__c FROM crm.thing__c WHERE int__c > 3 AND text__c = 'x''y'}), qr/\Q$from Int__c > 3 AND Text__c = 'x\'y'\E$/, 'conditions');
like(remote(q{SELECT code__c FROM crm.thing__c WHERE int__c IS NULL OR choice__c <> 'Red'}), qr/\Q$from (Int__c = null OR (Choice__c != 'Red' AND Choice__c != null))\E$/, 'nulls, alternatives');
like(remote(q{SELECT code__c FROM crm.thing__c WHERE moment__c < '2024-03-05T08:11:12.345678Z' AND number__c < 0.5}), qr/\Q$from Moment__c <= 2024-03-05T08:11:12.345Z AND Number__c < 0.5\E$/, 'a microsecond');
like(remote(q{SELECT code__c FROM crm.thing__c WHERE text__c LIKE 'a\_b%'}), qr/\Q$from (Text__c LIKE 'a\_b%')\E$/, 'a beginning');
like(remote(q{SELECT code__c FROM crm.thing__c ORDER BY moment__c DESC, int__c}), qr/ORDER BY Moment__c DESC NULLS FIRST, Int__c ASC NULLS LAST$/, 'an order');
unlike(remote(q{SELECT code__c FROM crm.thing__c ORDER BY text__c}), qr/ORDER BY/, 'not of text');
like(remote(q{SELECT code__c FROM crm.thing__c WHERE int__c > 0 ORDER BY day__c LIMIT 3 OFFSET 2}), qr/WHERE Int__c > 0 ORDER BY Day__c ASC NULLS LAST LIMIT 3 OFFSET 2$/, 'a limit');
unlike(remote(q{SELECT code__c FROM crm.thing__c WHERE text__c = 'abc' LIMIT 3}), qr/LIMIT/, 'not where something is left to do here');
unlike(remote(q{SELECT code__c FROM crm.thing__c OFFSET 2001}), qr/OFFSET/, 'nor beyond what SOQL skips');
like(remote(q{SELECT count(*), count(text__c), sum(int__c), max(moment__c) FROM crm.thing__c WHERE flag__c}),
	qr/^\QSELECT COUNT(Id) a1, COUNT(Text__c) a2, SUM(Int__c) a3, MAX(Moment__c) a4 FROM Thing__c WHERE Flag__c = true\E/, 'aggregates');
like(remote(q{SELECT flag__c, count(*) FROM crm.thing__c GROUP BY flag__c}), qr/^\QSELECT Flag__c, COUNT(Id) a1 FROM Thing__c GROUP BY Flag__c\E/, 'in groups');
unlike(remote(q{SELECT open__c, count(*) FROM crm.thing__c GROUP BY open__c}), qr/GROUP BY/, 'not by what may be anything');
unlike(remote(q{SELECT max(text__c) FROM crm.thing__c}), qr/MAX/, 'nor the largest text');
like(remote(q{SELECT t.code__c, a.name FROM crm.thing__c t LEFT JOIN crm.account a ON a.id = t.account__c WHERE int__c = 7}),
	qr/^SELECT Code__c, Account__r.Name, Int__c FROM Thing__c WHERE Int__c = 7$/, 'a join');

# ---------- the same as here ----------

srand(4711);
sub pick { return $_[ int rand @_ ]; }
my @atoms = (
	sub { "code__c " . pick('=', '<>', '<', '>=') . sprintf(" 'C%03d'", rand 130) },
	sub { sprintf "code__c IN ('C%03d', 'C%03d', NULL)", rand 130, rand 130 },
	sub { "text__c " . pick('=', '<>', '<', '>', 'LIKE', 'NOT LIKE') . ' ' . pick(q{'abc'}, q{'a''b'}, q{'a"b'}, q{E'a\\\\\\\\b'}, q{'a%'}, q{'%B%'}, q{'a\_b'}, q{E'line\\nfeed'}, q{'%\%%'}, q{''}) },
	sub { pick('int__c', 'number__c') . ' ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(0, 1, -1, 7, 0.5, -0.5, 0.4999999, '1e15', '-1e25') },
	sub { pick('int__c', 'number__c') . ' ' . pick('', 'NOT') . ' BETWEEN ' . pick(-1, 0, 0.5) . ' AND ' . pick(0, 1, 7) },
	sub { "day__c " . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(map { "'$_'" } '2024-02-28', '2024-02-29', '1500-01-01', 'infinity') },
	sub { "moment__c " . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(map { "'$_'" } '2024-03-05 08:11:12.345Z', '2024-03-05 08:11:12.3455Z', '2024-03-05 08:11:12.344999Z', '-infinity', '5000-01-01') },
	sub { pick('', 'NOT ') . pick('flag__c', 'flag__c IS TRUE', 'flag__c = false') },
	sub { pick('choice__c', 'open__c') . ' ' . pick('=', '<>') . ' ' . pick(q{'Red'}, q{'red'}, q{'Small'}, q{'Other'}) },
	sub { pick('choice__c', 'open__c') . ' ' . pick('IN', 'NOT IN') . ' ' . pick(q{('Red', 'Blue')}, q{('Small', 'Green')}) },
	sub { pick(qw(text__c int__c number__c day__c moment__c choice__c account__c flag__c)) . pick(' IS NULL', ' IS NOT NULL') },
	sub { "account__c " . pick('=', '<>') . ' ' . pick("'$parent'", "'x'") },
);
sub predicate
{
	my ($depth) = @_;
	return pick(@atoms)->() if $depth == 0 || rand() < 0.3;
	return pick('', 'NOT ') . '(' . predicate($depth - 1) . pick(' AND ', ' OR ') . predicate($depth - 1) . ')';
}
my @tails = (
	[ 'array_agg(code__c ORDER BY code__c)', '' ],
	[ 'ROW(count(*), count(number__c), sum(int__c), min(day__c), max(moment__c), sum(number__c), avg(int__c))', '' ],
	[ '(choice__c, flag__c, count(*), max(int__c))', ' GROUP BY choice__c, flag__c ORDER BY choice__c, flag__c' ],
	[ '(flag__c, count(*), min(moment__c), sum(int__c))', ' GROUP BY flag__c ORDER BY flag__c' ],
	[ '(int__c, moment__c)', ' ORDER BY int__c, moment__c DESC NULLS LAST LIMIT 7' ],
	[ '(number__c)', ' ORDER BY number__c DESC LIMIT 5 OFFSET 3' ],
	[ '(text__c)', ' ORDER BY text__c LIMIT 5' ],
);
my $rounds = $ENV{SALESFORCE_ROUNDS} || 200;
my @queries = map { my ($what, $tail) = @{ $tails[ $_ % 3 ? 0 : $_ / 3 % @tails ] }; [ $what, predicate(pick(0, 1, 2, 3)), $tail ] } 1 .. $rounds;
my $compare = '';
foreach my $q (@queries)
{
	my ($what, $where, $tail) = @$q;
	my $joined = $what eq $tails[0][0] && rand() < 0.3;
	my ($there, $here) = map {
		$joined ? "ARRAY(SELECT (code__c, a.name)::text FROM $_.thing__c t LEFT JOIN $_.account a ON a.id = t.account__c WHERE $where ORDER BY code__c)"
		  : "ARRAY(SELECT ($what)::text FROM $_.thing__c WHERE $where$tail)" } 'crm', 'here';
	$compare .= "SELECT CASE WHEN t = h THEN cardinality(h) > 0 AND h::text <> '{NULL}' ELSE NULL END FROM (SELECT $there AS t, $here AS h) x;\n";
}
my ($out, $err);
$sf->control('reset');
$sf->{node}->psql('postgres', $compare, stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => 300);
is($err, '', 'no error');
my @results = split /\n/, $out, -1;
is(scalar(@results), $rounds, 'an answer to each');
my @different = grep { $results[$_] eq '' } 0 .. $#results;
is(scalar(@different), 0, 'conditions at random give the same there and here');
foreach my $i (@different[ 0 .. ($#different < 9 ? $#different : 9) ])
{
	my ($what, $where, $tail) = @{ $queries[$i] };
	diag "$what | $where | $tail\n", remote("SELECT $what FROM crm.thing__c WHERE $where$tail"), "\n",
	  map { "$_: " . $sf->sql("SELECT ($what)::text FROM $_.thing__c WHERE $where$tail") . "\n" } 'crm', 'here';
}
cmp_ok(scalar(grep { $_ eq 't' } @results), '>', $rounds / 2, 'many of which are something');
cmp_ok(scalar(grep { /WHERE/ } $sf->queries), '>', $rounds / 2, 'most are asked with conditions');

is($sf->sql('SELECT count(*), count(a.name) FROM crm.thing__c t LEFT JOIN crm.account a ON a.id = t.account__c'), '120|60', 'a join');

# a table that is scanned again and again is not counted each time
$sf->control('reset');
is($sf->sql(q{SET enable_material = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off;
	SELECT count(*) FROM generate_series(0, 9) n, LATERAL (SELECT code__c FROM crm.thing__c WHERE int__c = n OFFSET 0) t}), 72, 'scanned ten times');
is(scalar(grep { /COUNT/ } $sf->queries), 2, 'counted twice') or diag join "\n", $sf->queries;

# what has been described is not there any more
$sf->control('remove-field', object => 'Thing__c', name => 'Open__c');
(undef, undef, $err) = $sf->{node}->psql('postgres', "\\set VERBOSITY verbose\nSELECT open__c FROM crm.thing__c");
like($err, qr/ERROR:  WF502: Salesforce refused entity "Thing__c": INVALID_FIELD: No such column 'Open__c' on entity 'Thing__c'\. If you/, 'a field that has gone');

# a statement that is cancelled while Salesforce thinks
$sf->control('fault', kind => 'hang', path => '/query');
(undef, undef, $err) = $sf->{node}->psql('postgres', "SET statement_timeout = '1s'; SELECT code__c FROM crm.thing__c");
like($err, qr/canceling statement due to statement timeout/, 'a statement that is cancelled');
is($sf->sql('SELECT count(code__c) FROM crm.thing__c'), '120', 'and the next is not');

done_testing();
