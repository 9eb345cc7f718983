# Zendesk, ServiceNow and Slack as foreign tables: what they are asked, and that any
# condition, order and limit gives what it gives of a table with the same rows.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use JSON::PP;
use POSIX qw(strftime);
use Test::More;

srand($ENV{REST_SEED} || 4712);
sub pick { return $_[ int rand @_ ]; }

# the request of a query, without escapes
sub remote
{
	my ($app, $query) = @_;
	my ($request) = $app->sql("EXPLAIN $query") =~ /Remote Request: (.*)/;
	return ($request // '') =~ s/%(\w\w)/chr hex $1/ger;
}

sub import_tables
{
	my ($app, @tables) = @_;
	my $tables = join ', ', map { qq("$_") } @tables;
	$app->sql(qq{CREATE SERVER there FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'app');
		CREATE SCHEMA there; IMPORT FOREIGN SCHEMA "Objects" LIMIT TO ($tables) FROM SERVER there INTO there; CREATE SCHEMA here});
	$app->sql("CREATE TABLE here.$_ AS SELECT * FROM there.$_") foreach @tables;
}

# random queries, there and here
sub compare
{
	my ($app, $table, $rounds, $atoms, @tails) = @_;
	my $predicate;
	$predicate = sub {
		my ($depth) = @_;
		return pick(@$atoms)->() if $depth == 0 || rand() < 0.3;
		return pick('', '', 'NOT ') . '(' . $predicate->($depth - 1) . pick(' AND ', ' AND ', ' OR ') . $predicate->($depth - 1) . ')';
	};
	my @queries = map { my ($what, $tail) = @{ pick(@tails) }; [ $what, $predicate->(pick(0, 1, 2)), $tail ] } 1 .. $rounds;
	my $sql = join '', map { my ($what, $where, $tail) = @$_;
		my ($there, $here) = map { "ARRAY(SELECT ($what)::text FROM $_.$table WHERE $where$tail)" } qw(there here);
		"SELECT CASE WHEN t = h THEN cardinality(h) > 0 ELSE NULL END FROM (SELECT $there AS t, $here AS h) x;\n" } @queries;
	my @same = split /\n/, $app->sql("SET timezone = 'UTC'; $sql"), -1;
	my @different = grep { !defined $same[$_] || $same[$_] eq '' } 0 .. $#queries;
	is(scalar @different, 0, "$rounds random queries of $table") or diag map { "SELECT $queries[$_][0] FROM $table WHERE $queries[$_][1]$queries[$_][2]\n" } @different[ 0 .. ($#different > 4 ? 4 : $#different) ];
	cmp_ok(scalar(grep { $_ eq 't' } @same), '>', $rounds / 5, '... not all of them empty');
}

# ---------------------------------------------------------------- ServiceNow

{
	my $app = AppflowTest::RestApps->new('servicenow', 'Servicenow', 'ServiceNow');
	my @texts = ('abc', 'ABC', 'Abc ', 'a^b', 'javascript:x', 'a,b', "line\nfeed", 'x%y', "Gr\x{fc}n", '', 'ORDERBYx');
	$app->control('seed', { sys_user => 20, incident => [ map { my $n = $_; {
		sys_id => sprintf('%032x', $n * 7919 % 1009), number => sprintf('INC%04d', $n), short_description => $texts[ $n % @texts ], category => (qw(net NET hard), '')[ $n % 4 ],
		state => $n % 6 ? $n % 5 : '', priority => 1 + $n % 3, active => $n % 3 ? 'true' : 'false', u_cost => $n % 7 ? sprintf('%.2f', $n * 1.25 - 50) : '', u_day => $n % 5 ? sprintf('2024-02-%02d', 1 + $n % 28) : '',
		opened_at => $n % 8 ? strftime('%Y-%m-%d %H:%M:%S', gmtime(1709626272 + $n * 3600)) : '', sys_updated_on => strftime('%Y-%m-%d %H:%M:%S', gmtime(1709626272 + $n)), sys_class_name => 'incident' } } 1 .. 300 ] });
	$app->profile('app', { username => 'planted-user', password => 'planted-password' });
	import_tables($app, 'incident', 'sys_user');
	is($app->sql('SELECT count(*) || \' \' || count(category) FROM here.incident'), '300 225', 'ServiceNow: a table');
	like(remote($app, q{SELECT number FROM there.incident WHERE state = 3 AND category LIKE 'ne%' AND opened_at >= '2024-03-05 09:00Z'}),
		qr/sysparm_query=(?=.*\bstate=3\^)(?=.*categorySTARTSWITHne\^)(?=.*opened_at>=2024-03-05 09:00:00\^).*\^ORDERBYsys_id$/, 'conditions');
	like(remote($app, 'SELECT number FROM there.incident ORDER BY opened_at DESC NULLS LAST, state NULLS FIRST LIMIT 5'), qr/=ORDERBYDESCopened_at\^ORDERBYstate\^ORDERBYsys_id$/, 'an order');
	unlike(remote($app, 'SELECT number FROM there.incident ORDER BY category LIMIT 5'), qr/ORDERBYcategory/, 'not of text, which ServiceNow orders in its own way');
	unlike(remote($app, q{SELECT number FROM there.incident WHERE category <> 'net'}), qr/category!=/, 'nor what would leave out too much');
	compare($app, 'incident', $ENV{REST_ROUNDS} || 250, [
		sub { 'category ' . pick('=', '<>', '<', '>=', 'LIKE', 'NOT LIKE', '~~*') . ' ' . pick(map { "'$_'" } qw(net NET Net hard n% %e% %ET), '') },
		sub { 'short_description ' . pick('=', '<>', 'LIKE', 'NOT LIKE', '>') . ' ' . pick(map { "'$_'" } 'abc', 'ABC', 'Abc ', 'a^b', 'a%', '%^%', 'javascript:x', 'javascript:%', 'x\%y', '%,%', 'ORDERBYx', 'a^NQstate=1') },
		sub { 'category ' . pick('IN', 'NOT IN') . pick(q{ ('net', 'hard')}, q{ ('NET', NULL)}, q{ ('a^b', 'net')}) },
		sub { 'state ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(0, 1, 3, 4, -1, 7) },
		sub { 'state ' . pick('IN', 'NOT IN') . pick(' (1, 2)', ' (0, 4, 9)', ' (1, NULL)') },
		sub { 'u_cost ' . pick('=', '<>', '<', '>=') . ' ' . pick('-48.75', '0', '100.005', '1e10') },
		sub { 'u_cost ' . pick('', 'NOT ') . 'BETWEEN ' . pick(-20, 0) . ' AND ' . pick(10, 100.5) },
		sub { 'u_day ' . pick('=', '<>', '<', '>=') . ' ' . pick(map { "'$_'" } '2024-02-10', '2024-02-28', '2025-01-01', 'infinity') },
		sub { 'opened_at ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(map { "'$_'" } '2024-03-06 12:11:12Z', '2024-03-06 12:11:12.5Z', '2024-03-08 00:00+05', '-infinity') },
		sub { pick('active', 'NOT active', 'active IS TRUE', 'active = false') },
		sub { pick(qw(category state u_cost u_day opened_at short_description assigned_to)) . pick(' IS NULL', ' IS NOT NULL') } ],
		[ 'array_agg(number ORDER BY number)', '' ], [ 'ROW(count(*), count(state), sum(state), max(opened_at), min(u_cost))', '' ],
		[ '(state, opened_at)', ' ORDER BY state, opened_at DESC LIMIT 7' ], [ '(state, number)', ' ORDER BY state NULLS FIRST, number LIMIT 5' ], [ '(opened_at)', ' ORDER BY opened_at DESC NULLS LAST LIMIT 5 OFFSET 3' ]);

	# a column is gone: what was asked of it is not forgotten
	$app->control('set', { gone => ['state'] });
	like($app->error_of('SELECT number FROM there.incident WHERE state = 3'), qr/^no error/, 'a column that is gone is null');
	is($app->sql('SELECT count(*) FROM there.incident WHERE state = 3'), 0, '... and a condition on it does not give everything');
	$app->control('set', { gone => [] });

	# records that the user may not see make pages shorter, even empty, but not the last
	$app->control('seed', { incident => 3000 });
	$app->control('set', { hidden => 2900 });
	is($app->sql('SELECT count(*) FROM there.incident'), 2, 'pages of hidden records are gone through');
	$app->control('set', { hidden => 0 });
}

# ---------------------------------------------------------------- Zendesk

{
	my $app = AppflowTest::RestApps->new('zendesk', 'Zendesk', 'Zendesk');
	$app->control('seed', { tickets => 250, users => 250, organizations => 20, ticket_fields => 2, user_fields => 2, organization_fields => 1 });
	$app->profile('app', { accessToken => 'planted-zendesk' });
	import_tables($app, 'tickets', 'users', 'organizations');
	like(remote($app, q{SELECT id FROM there.users WHERE updated_at >= '2024-01-01 02:00Z'}), qr{/api/v2/users\.json}, 'Zendesk: users of whom some may have changed just now are listed');
	like(remote($app, q{SELECT id FROM there.users WHERE updated_at >= '2024-01-01 02:00Z' AND updated_at < '2024-01-01 03:00Z'}), qr{incremental/users/cursor\.json.*start_time=1704074400}, '... others exported');
	like(remote($app, q{SELECT id FROM there.organizations WHERE updated_at >= '2024-01-01 00:10Z' AND updated_at < '2024-01-02Z'}), qr{incremental/organizations\.json.*start_time=1704067800}, '... organizations too');
	compare($app, $_, 60, [
		sub { 'updated_at ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(map { "'$_'" } '2024-01-01 02:00Z', '2024-01-01 02:00:00.5Z', '2024-01-01 05:00Z', '2030-01-01Z', '1960-01-01Z', '5000-01-01Z') },
		sub { "updated_at >= '2024-01-01 01:00Z' AND updated_at < '2024-01-01 03:00:01Z'" },
		sub { 'id ' . pick('=', '<', '>') . ' ' . pick(3, 10, 200) },
		sub { pick('external_id', 'organization_id') . pick(' IS NULL', ' IS NOT NULL') } ],
		[ 'array_agg(id ORDER BY id)', '' ], [ 'id', ' ORDER BY updated_at DESC, id LIMIT 4' ]) foreach qw(tickets users);

	# what is settled may be searched for
	my $settled = q{updated_at < '2024-06-01Z'};
	like(remote($app, "SELECT id FROM there.tickets WHERE status = 'open' AND $settled"), qr{/search/export\.json\?.*filter\[type\]=ticket.*query=status:"open"}, '... tickets by a search, if none has changed of late');
	like(remote($app, "SELECT id FROM there.tickets WHERE status = 'open'"), qr{incremental/tickets/cursor\.json}, '... otherwise exported: a search lags');
	like(remote($app, "SELECT id FROM there.tickets WHERE status = 'open' AND updated_at > '2024-01-01Z' AND $settled"), qr{incremental/tickets/cursor\.json.*start_time=1704067200}, '... and if the export knows better where to begin');
	like(remote($app, "SELECT id, generated_timestamp FROM there.tickets WHERE status = 'open' AND $settled"), qr{incremental/tickets/cursor\.json}, '... or a field is wanted that a search does not tell');
	like(remote($app, "SELECT id FROM there.users WHERE role = 'agent' AND $settled"), qr{/search/export\.json.*filter\[type\]=user.*query=role:"agent"}, '... users');
	$app->control('reset');
	is($app->sql("SELECT count(*) FROM there.tickets WHERE priority = 'high' AND $settled"), $app->sql("SELECT count(*) FROM here.tickets WHERE priority = 'high' AND $settled"), '... with all that match');
	is(scalar($app->seen(qr{^GET \S*/search/export})) > 0 ? 'searched' : 'not', 'searched', '... by search');
	compare($app, 'tickets', 80, [
		sub { pick('status', 'priority', 'type') . pick(' = ', ' <> ') . pick(map { "'$_'" } qw(open new solved high urgent incident question), 'no such', 'a"b') },
		sub { pick('group_id', 'assignee_id', 'requester_id', 'organization_id') . ' = ' . pick(1 .. 6) },
		sub { 'created_at ' . pick('<', '<=', '>', '>=') . ' ' . pick(map { "'$_'" } '2024-01-01 01:00Z', '2024-01-01 03:00:00.5Z') },
		sub { 'true' } ], [ 'array_agg(id ORDER BY id)', " AND $settled" ], [ 'count(*)', " AND $settled" ]);
	compare($app, 'users', 30, [ sub { pick("role = 'agent'", "role = 'end-user'", "external_id = 'u7'", 'organization_id = 3', "name LIKE 'U%'") } ], [ 'array_agg(id ORDER BY id)', " AND $settled" ]);
	compare($app, 'organizations', 30, [
		sub { 'updated_at ' . pick('<', '<=', '>', '>=') . ' ' . pick(map { "'$_'" } '2024-01-01 00:10Z', '2024-01-01 00:20:00.5Z') },
		sub { "updated_at >= '2024-01-01 00:10Z' AND updated_at < '2024-01-01 00:30Z'" } ], [ 'array_agg(id ORDER BY id)', '' ]);
}

# ---------------------------------------------------------------- Slack

{
	my $app = AppflowTest::RestApps->new('slack', 'Slack', 'Slack');
	$app->control('seed', { channels => 2, users => 30, messages => { C0000001 => 250 } });
	$app->profile('app', { accessToken => 'planted-slack' });
	$app->sql(q{CREATE SERVER there FOREIGN DATA WRAPPER appflow_fdw OPTIONS (connector_profile 'app'); CREATE SCHEMA there; CREATE SCHEMA here;
		IMPORT FOREIGN SCHEMA "conversations" FROM SERVER there INTO there});
	my $table = $app->sql(q{SELECT relname FROM pg_class WHERE relnamespace = 'there'::regnamespace ORDER BY relname LIMIT 1});
	ok($table ne '', "Slack: a channel is the table $table");
	$app->sql(qq{ALTER FOREIGN TABLE there."$table" RENAME TO channel; CREATE TABLE here.channel AS SELECT * FROM there.channel});
	is($app->sql('SELECT count(*) FROM here.channel'), 250, 'all messages');
	like(remote($app, q{SELECT text FROM there.channel WHERE timestamp > '2024-01-01 01:00:00.000060Z'}), qr{conversations\.history\?.*oldest=1704070800\.000060}, 'a time');
	compare($app, 'channel', 80, [
		sub { 'timestamp ' . pick('=', '<>', '<', '<=', '>', '>=') . ' ' . pick(map { "'$_'" } '2024-01-01 01:00:00.000060Z', '2024-01-01 02:00:00Z', '2024-01-01 03:00:00.5Z', '1960-01-01Z', '5000-01-01Z') },
		sub { 'ts ' . pick('=', '<>', '<', '>=', '>') . ' ' . pick(map { "'$_'" } '1704070800.000060', '1704074400.000120', '1704074400', 'x', '2', '9..', '1704072000.000080') },
		sub { pick('text', 'subtype') . pick(' IS NULL', ' IS NOT NULL', q{ = 'message 4'}, q{ LIKE '%1'}) } ],
		[ 'array_agg(ts ORDER BY ts)', '' ], [ 'ts', ' ORDER BY timestamp DESC LIMIT 4' ]);
}
done_testing();
