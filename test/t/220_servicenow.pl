# ServiceNow: tables by the dictionary, encoded queries, paging, what goes wrong.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::RestApps->new('servicenow', 'Servicenow', 'ServiceNow', q(appflow.max_retry_delay = '100ms'));
$app->control('seed', { incident => 3500, sys_user => 20, problem => 30, cmdb_ci_server => 40 });
my %basic = (username => 'planted-user', password => 'planted-password');
$app->profile('now', \%basic);

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub table
{
	my ($entity, $fields, $columns, %args) = @_;
	my $run = $app->pull($args{profile} || 'now', $entity, $fields, table => $columns, %args);
	$run->{table} = 'public.table' . $app->{flows}{number};
	return $run;
}

# ---------------------------------------------------------------- what there is

my $entities = $app->entities('now');
is(join(' ', map { "$_->{name}=$_->{label}" } @{ $entities->{Objects} }), 'cmdb_ci=Configuration Item cmdb_ci_server=Server incident=Incident major_incident=Major incident problem=Problem'
	. ' sys_db_object=Tables sys_dictionary=Dictionary Entry sys_user=User task=Task', 'tables');
my $fields = $app->fields('now', 'major_incident');
is(join(' ', map { $fields->{$_} ? $fields->{$_}{supportedFieldTypeDetails}{v1}{fieldType} : "no $_" } qw(u_war_room severity number active opened_at u_day u_cost caller_id)),
	'String Long String Boolean DateTime Date BigDecimal String', 'fields of a table, of the one that it extends, and of the one that that extends') or diag(join ' ', sort keys %$fields);
is($fields->{sys_id}{isPrimaryKey}, JSON::PP::true, 'the key');
is($fields->{caller_id}{label}, 'Caller id', 'labels');
is(scalar($app->seen(qr{sys_db_object\?.*name=})), 3, 'asked for the line of tables');

# ---------------------------------------------------------------- reading

$app->control('reset');
my $run = table('incident', [qw(sys_id number short_description active state caller_id sys_updated_on u_cost u_day category)],
	'sys_id text PRIMARY KEY, number text, short_description text, active boolean, state int, caller_id text, sys_updated_on timestamptz, u_cost numeric, u_day date, category text');
is(outcome($run), 'Successful 3500 0', 'a table into a table') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(*) || ' ' || sum(state) || ' ' || sum(u_cost) || ' ' || count(*) FILTER (WHERE active) || ' ' || max(sys_updated_on AT TIME ZONE 'UTC') || ' ' || count(category) FROM $run->{table}"),
	'3500 14000 7658437.50 2334 2024-01-05 20:40:00 2333', 'all of it, typed; nothing is null');
is($app->sql("SELECT DISTINCT length(caller_id) FROM $run->{table}"), '32', 'references are keys');
is($app->sql("SELECT u_day FROM $run->{table} WHERE number = 'INC0000010'"), '2024-01-11', 'days');
my @pages = $app->seen(qr{table/incident\?});
is(scalar @pages, 4, 'by four pages');
is(scalar(grep { $_->{plain} =~ /ORDERBYsys_id/ } @pages), 4, 'in the order of the key');
is(scalar(grep { $_->{plain} =~ /sysparm_query=sys_id>[0-9a-f]{32}\^ORDERBY/ } @pages), 3, 'each from behind the last on');
is(scalar(grep { $_->{plain} =~ /sysparm_fields=sys_id,number,short_description,active,state,caller_id,sys_updated_on,u_cost,u_day,category(&|$)/ } @pages), 4, 'only the fields that are needed');

$run = $app->pull('now', 'incident', [qw(number state opened_at)], to => 'PARQUET', output => { aggregationConfig => { aggregationType => 'SingleFile' } });
is(outcome($run), 'Successful 3500 0', 'into Parquet') or diag(AppflowTest::RestApps::told($run));
my ($bytes) = values %{ $run->{files} };
my $rows = $app->{flows}->parquet($bytes // '')->{rows} || [];
is(scalar @$rows, 3500, '... all of it');
is_deeply([ (sort { $a->[0] cmp $b->[0] } @$rows)[0] ], [ [ 'INC0000001', '2', '2024-01-01 00:01:00+00' ] ], '... read back') or diag(json_text([ @$rows[ 0 .. 1 ] ]));

# a table that others extend has their records
$run = table('task', [qw(sys_id sys_class_name)], 'sys_id text, sys_class_name text');
is($app->sql("SELECT string_agg(sys_class_name || count, ' ' ORDER BY sys_class_name) FROM (SELECT sys_class_name, count(*) FROM $run->{table} GROUP BY 1) t"), 'incident3500 problem30', 'records of tables that extend it');

# ---------------------------------------------------------------- filters

sub filtered
{
	my ($name, $count, $sent, @filters) = @_;
	$app->control('reset');
	my $run = table('incident', [qw(number state short_description category opened_at)], 'number text, state int, short_description text, category text, opened_at timestamptz', filters => \@filters);
	is(outcome($run), "Successful $count 0", $name) or diag(AppflowTest::RestApps::told($run));
	my ($page) = $app->seen(qr{table/incident\?});
	like($page->{plain} // '', $sent, '... by ServiceNow') if defined $sent;
	unlike($page->{plain} // '', qr/sysparm_query=(?!ORDERBY)/, '... here') if !defined $sent;
}
filtered('EQUAL_TO', 500, qr/state=3\^ORDERBYsys_id/, $app->filter('state', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => '3'));
filtered('EQUAL_TO any of', 1000, qr/state=3\^ORstate=4\^ORDERBY/, $app->filter('state', 'EQUAL_TO', DATA_TYPE => 'long', VALUES => '3,4'));
filtered('NOT_EQUAL_TO', 3000, qr/state!=3/, $app->filter('state', 'NOT_EQUAL_TO', DATA_TYPE => 'long', VALUE => '3'));
filtered('LESS_THAN', 1000, qr/state<3/, $app->filter('state', 'LESS_THAN', DATA_TYPE => 'long', VALUE => '3'));
filtered('LESS_THAN_OR_EQUAL_TO', 1500, qr/state<=3/, $app->filter('state', 'LESS_THAN_OR_EQUAL_TO', DATA_TYPE => 'long', VALUE => '3'));
filtered('two at once', 500, qr/state>3\^state<5/, $app->filter('state', 'GREATER_THAN', DATA_TYPE => 'long', VALUE => '3'), $app->filter('state', 'LESS_THAN', DATA_TYPE => 'long', VALUE => '5'));
filtered('BETWEEN', 500, qr/state>3\^state<5/, $app->filter('state', 'BETWEEN', DATA_TYPE => 'long', LOWER_BOUND => '3', UPPER_BOUND => '5'));
filtered('a time', 1500, qr/opened_at>=2024-01-02 09:21:00\^/, $app->filter('opened_at', 'GREATER_THAN_OR_EQUAL_TO', DATA_TYPE => 'datetime', VALUE => '2024-01-02T09:21:00Z'));
filtered('a time with a fraction', 1499, qr/opened_at>/, $app->filter('opened_at', 'GREATER_THAN', DATA_TYPE => 'datetime', VALUE => '2024-01-02T09:21:00.500Z'));
# ServiceNow compares text without regard to letter case: what it gives too much is left out here
filtered('text', 1050, qr/short_description=Network down/, $app->filter('short_description', 'EQUAL_TO', VALUE => 'Network down'));
filtered('text of which letter case differs', 0, qr/short_description=NETWORK DOWN/, $app->filter('short_description', 'EQUAL_TO', VALUE => 'NETWORK DOWN'));
filtered('CONTAINS', 1050, qr/short_descriptionLIKENetwork/, $app->filter('short_description', 'CONTAINS', VALUE => 'Network'));
filtered('text that is not', 2450, undef, $app->filter('short_description', 'NOT_EQUAL_TO', VALUE => 'Network down'));
filtered('a value with a caret', 350, undef, $app->filter('short_description', 'CONTAINS', VALUE => 'a^b'));
filtered('a value that is a script', 0, undef, $app->filter('short_description', 'EQUAL_TO', VALUE => 'javascript:gs.getUserID()'));
filtered('a value that would be another condition', 0, undef, $app->filter('category', 'EQUAL_TO', VALUE => 'network^NQactive=true'));

# a field that there is not any more: ServiceNow ignores the condition, and gives everything
$app->control('set', { strict => JSON::PP::false });
$run = table('incident', [ 'number', 'gone' ], 'number text, gone text', filters => [ $app->filter('gone', 'EQUAL_TO', VALUE => 'x') ]);
like(outcome($run) . ($run->{message} // ''), qr/"gone"/, 'a filter by a field that does not exist is an error') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT count(*) FROM $run->{table}"), 0, '... not all records');

# ---------------------------------------------------------------- in spite of all

foreach my $kind ('throttle?n=1&match=sys_id>', 'fault?kind=status=500&match=sys_id>', 'fault?kind=status=503&skip=1&match=sys_id>')
{
	$app->control('reset');
	$app->control($kind);
	$run = table('incident', ['sys_id'], 'sys_id text PRIMARY KEY');
	is(outcome($run), 'Successful 3500 0', $kind) or diag(AppflowTest::RestApps::told($run));
}
$run = table('problem', ['number'], 'number text', filters => [ $app->filter('state', 'EQUAL_TO', DATA_TYPE => 'long', VALUE => '77') ]);
is(outcome($run), 'Successful 0 0', 'no records');
$app->profile('oauth', { oAuth2Credentials => { clientId => 'planted-client', clientSecret => 'planted-client-secret', accessToken => 'planted-servicenow-expiring', refreshToken => 'planted-servicenow-refresh' } });
$run = table('problem', ['number'], 'number text', profile => 'oauth');
is(outcome($run), 'Successful 30 0', 'OAuth') or diag(AppflowTest::RestApps::told($run));
$app->control('expire');
$app->control('reset');
$run = table('incident', ['number'], 'number text', profile => 'oauth');
is(outcome($run), 'Successful 3500 0', '... with a token that has expired') or diag(AppflowTest::RestApps::told($run));
is(scalar($app->seen(qr{oauth_token.do})), 1, '... and was renewed');

# ---------------------------------------------------------------- what goes wrong

sub fails
{
	my ($name, $pattern, $entity, $fields, %args) = @_;
	my $run = table($entity, $fields, join(', ', map { qq("$_" text) } @$fields), %args);
	like(($run->{status} // 'refused') . ': ' . ($run->{refused} // $run->{message} // ''), $pattern, $name) or diag(AppflowTest::RestApps::told($run));
	is($app->sql("SELECT count(*) FROM $run->{table}"), 0, '... and nothing is half done');
	$app->control('reset');
}
$app->profile('wrong', { %basic, password => 'planted-other' });
fails('a wrong password', qr/^Error: .*User Not Authenticated: Required to provide Auth information/s, 'incident', ['number'], profile => 'wrong');
like($app->error_of("SELECT appflow.list_connector_entities('{\"connectorProfileName\": \"wrong\"}')"), qr/^WF401: .*wrong/s, 'a list with a wrong password');
$app->profile('limited', { %basic, username => 'planted-limited' });
like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"limited\", \"connectorEntityName\": \"incident\"}')"),
	qr/^WF401: .*User Not Authorized: Failed API level ACL Validation.*sys_dictionary/s, 'a user who may not read the dictionary');
like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"now\", \"connectorEntityName\": \"nosuch\"}')"), qr/^WF400: .*no entity "nosuch"/s, 'a table that does not exist');
like($app->error_of("SELECT appflow.describe_connector_entity('{\"connectorProfileName\": \"now\", \"connectorEntityName\": \"incident^NQname=task\"}')"), qr/^WF400: .*no entity/s, 'a name that would be a query');
fails('a table that does not exist', qr/^(Error|refused): .*nosuch/s, 'nosuch', ['number']);
fails('a field that does not exist', qr/^(Error|refused): .*"numbr"/s, 'incident', ['numbr']);
$app->control('set', { cancelled => 100 });
fails('an answer that says amid a page that it was cancelled', qr/^Error: .*Transaction cancelled: maximum execution time exceeded/s, 'incident', ['number']);
$app->control('set', { cancelled => 0 });
$app->control('fault?kind=html&skip=1&match=table/incident');
fails('HTML', qr/^Error: .*JSON/s, 'incident', ['number']);
$app->control('fault?kind=cut&n=100&skip=2&match=table/incident');
fails('a page that breaks off', qr/^Error: /s, 'incident', ['number']);
$app->control('fault?kind=utf8&skip=1&match=table/incident');
fails('text that is not UTF-8', qr/^Error: .*UTF-8/s, 'incident', ['number']);
$app->control('throttle?n=1000&match=table/incident');
fails('throttled for ever', qr/^Error: .*Rate limit exceeded/s, 'incident', ['number']);
$app->profile('sleeping', \%basic, { instanceUrl => "$app->{url}/login" });
fails('a wrong URL that answers by a page', qr/^(Error|refused): .*JSON/s, 'incident', ['number'], profile => 'sleeping');

# values that do not fit fail their record
$app->control('seed', { problem => [ map { { sys_id => "p$_", number => "P$_", state => $_ == 2 ? '99999999999999999999' : $_ == 3 ? 'open' : '1', sys_class_name => 'problem' } } 1 .. 4 ] });
$run = table('problem', [qw(number state)], 'number text, state bigint', write => { errorHandlingConfig => { bucketName => 'errors', failOnFirstDestinationError => JSON::PP::false } });
is(outcome($run), 'Successful 4 2', 'numbers that are too large, or none') or diag(AppflowTest::RestApps::told($run));
is($app->sql("SELECT string_agg(number, ' ' ORDER BY number) FROM $run->{table}"), 'P1 P4', '... fail their records');
like($run->{errors} // '', qr/99999999999999999999/, '... and are in the error file');
unlike(slurp_file($app->{node}->logfile), qr/planted-password|planted-servicenow/, 'no secret in the log');
done_testing();
