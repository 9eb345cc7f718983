# Marketo: whatever way a condition makes a reading go, it gives what the same condition gives over a
# copy in a table.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use Test::More;

my $seed = $ENV{APPFLOW_SEED} || 20260131;
srand $seed;
note "seed $seed";
my $app = AppflowTest::RestApps->new('marketo', 'Marketo', 'Marketo', q(appflow.max_retry_delay = '100ms'));
$app->profile('market', {});
$app->control('set', { polls => 0, step => 5400000 });
$app->control('seed', { leads => 1100, companies => 400, activities => 800, programs => 300, lists => 30, 'opportunities/roles' => 90 });
$app->sql(q(CREATE SERVER market FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'market'); CREATE SCHEMA market; IMPORT FOREIGN SCHEMA "Objects" FROM SERVER market INTO market;
	CREATE SCHEMA here;
	CREATE TABLE here.leads AS SELECT * FROM market.leads WHERE created_at > '2023-12-31Z';
	CREATE TABLE here.companies AS SELECT * FROM market.companies WHERE id < 1000;
	CREATE TABLE here.activities AS SELECT * FROM market.activities;
	CREATE TABLE here.programs AS SELECT * FROM market.programs;
	CREATE TABLE here.lists AS SELECT * FROM market.lists;
	CREATE TABLE here.opportunityroles AS SELECT * FROM market.opportunityroles WHERE lead_id BETWEEN 1 AND 1000));
is($app->sql(join ', ', 'SELECT (SELECT count(*) FROM here.leads)', map { "(SELECT count(*) FROM here.$_)" } qw(companies activities programs lists opportunityroles)), '1100|400|800|300|30|90', 'copies');

sub pick { return $_[ int rand @_ ]; }
sub moment { my $s = int rand 60 * 86400; return sprintf q(timestamptz '2024-01-01 00:00:00Z' + interval '%s seconds'), pick($s, $s - $s % 5400, $s - $s % 86400); }
sub comparison { return pick('<', '<=', '>', '>=', '='); }
sub since { my ($column) = @_; return "$column >= " . moment(); }
my %conditions = (
	leads => [
		sub { 'id ' . comparison() . ' ' . int(rand 1200) . ' AND id > ' . int(rand 300) . ' AND id <= ' . int(rand 1500) },
		sub { 'id IN (' . join(', ', map { int rand 1300 } 1 .. 1 + rand 5) . ')' },
		sub { q(email = 'person) . int(rand 1200) . q(@example.com') },
		sub { since('created_at') . ' AND created_at ' . comparison() . ' ' . moment() },
		sub { since('created_at') . ' AND created_at BETWEEN ' . moment() . ' AND ' . moment() },
		sub { since('updated_at') . ' AND updated_at ' . pick('<', '<=', '<>') . ' ' . moment() },
		sub { since('updated_at') . ' AND ' . since('created_at') . ' AND lead_score > ' . int rand 50 },
		sub { since('created_at') . q( AND (unsubscribed OR first_name IS NULL)) },
		sub { since('created_at') . ' AND id > ' . int rand 900 } ],
	companies => [
		sub { 'id ' . pick('<', '<=', '=') . ' ' . int(rand 500) . ' AND annual_revenue > ' . int rand 300000 },
		sub { q(company = ') . pick('Company 7', 'company 7', 'Ümlaut & Söhne 8', 'none') . q(') },
		sub { q(external_company_id IN ('C-) . int(rand 500) . q(', 'C-) . int(rand 500) . q(')) } ],
	activities => [
		sub { since('activity_date') . ' AND activity_date ' . comparison() . ' ' . moment() },
		sub { 'activity_type_id IN (' . pick(1, 2, 12, 37) . ', ' . pick(37, 105, 999) . ') AND activity_date < ' . moment() },
		sub { 'lead_id = ' . int rand 20 } ],
	programs => [ sub { 'updated_at ' . comparison() . ' ' . moment() }, sub { since('updated_at') . ' AND id < ' . int(3000 + rand 300) } ],
	lists => [ sub { 'id = ' . int(995 + rand 40) }, sub { 'id IN (1001, 1005, 1005, 7)' }, sub { 'created_at < ' . moment() } ],
	opportunityroles => [ sub { 'lead_id >= ' . int(rand 100) . ' AND lead_id < ' . int(rand 100) }, sub { q(external_opportunity_id = 'O-) . int(rand 100) . q(') } ]);
my %key = (leads => 'id', companies => 'id', activities => 'marketo_guid', programs => 'id', lists => 'id', opportunityroles => 'marketo_guid');

foreach my $entity (sort keys %conditions)
{
	my (@wrong, $asked, $found);
	foreach my $make (@{ $conditions{$entity} })
	{
		foreach (1 .. 8)
		{
			my $condition = $make->();
			my ($there, $here) = map { $app->sql("SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY $key{$entity})), '-') FROM $_.$entity t WHERE $condition") } qw(market here);
			$asked++;
			$found++ if $here !~ /^0 /;
			push @wrong, "$condition: $there, not $here" if $there ne $here;
		}
	}
	is_deeply(\@wrong, [], "$entity: $asked conditions");
	cmp_ok($found, '>', $asked / 4, '... many of which find something');
}
done_testing();
