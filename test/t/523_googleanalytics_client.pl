# The simulator of Google Analytics under Google's own clients, and what the connector asks it under Google's types.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use JSON::PP;
use Test::More;

my $app = AppflowTest::RestApps->new('googleanalytics', 'Googleanalytics', 'GoogleAnalytics');
$app->control('seed', { events => 3000 });
$app->profile('site', { clientId => 'planted-client', clientSecret => 'planted-client-secret', accessToken => 'planted-google', refreshToken => 'planted-refresh' });
$app->sql(q(
	CREATE SERVER site FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'site');
	CREATE SCHEMA site;
	IMPORT FOREIGN SCHEMA "Objects" LIMIT TO ("properties/1001", "ga:9001") FROM SERVER site INTO site));
foreach my $table ('"1001"', 'ga_9001')
{
	my $prefix = $table eq 'ga_9001' ? 'ga_' : '';
	my %name = $prefix ? (users => 'users', revenue => 'transaction_revenue') : (users => 'active_users', revenue => 'total_revenue');
	my ($date, $country, $city, $users, $revenue) = map { $prefix . ($name{$_} // $_) } qw(date country city users revenue);
	$app->sql("SELECT $date, $country, $city, $users, $revenue FROM site.$table WHERE $_") foreach
		"$country = 'Norway' AND $users > 1", "$country IN ('Norway', 'France') AND $city <> 'Oslo'", "$city LIKE '%o%' OR $city LIKE 'B%'", "NOT ($city IN ('Oslo', 'Paris') OR $country = 'x')",
		"$date IN ('2024-01-01', '2024-01-03') AND ($users = 2 OR $users >= 4)", "$users BETWEEN 2 AND 3 AND $revenue < 12.5", "$revenue >= 0.25 AND $users <> 3", 'true ORDER BY 4 DESC, 1 LIMIT 5';
}
my $told = qx(node $ENV{APPFLOW_TEST_DIR}/simulators/googleanalytics/client.js $app->{url});
my $results = eval { decode_json($told) } // {};
cmp_ok(scalar keys %$results, '>', 8, 'the clients go on to their end') or diag($told);
is($results->{$_}, '', $_) foreach sort keys %$results;
is(scalar(grep { /^8 requests for/ } keys %$results), 2, 'the connector asked both APIs');
done_testing();
