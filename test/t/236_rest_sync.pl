# appflow.sync() from Zendesk, ServiceNow and Slack: all fields into a table that is made.
use strict;
use warnings;

use AppflowTest::Flows;
use AppflowTest::RestApps;
use Test::More;

my %cases = (
	zendesk => {
		type => 'Zendesk', key => 'Zendesk', credentials => { accessToken => 'planted-zendesk' },
		seed => { tickets => 1200, users => 150, organizations => 5, ticket_events => 40, ticket_fields => 2, user_fields => 2, tags => 3 },
		entities => { tickets => 1200, users => 150, organizations => 5, ticket_events => 40, tags => 3 },
		types => { tickets => { id => 'bigint', updated_at => 'timestamp with time zone', tags => 'jsonb', has_incidents => 'boolean', custom_field_360002 => 'double precision', generated_timestamp => 'timestamp with time zone' },
			users => { user_fields => 'jsonb', 'user_fields.seats' => 'bigint' } },
		values => q{SELECT id || ' ' || (satisfaction_rating ->> 'score') || ' ' || (custom_fields #>> '{0,value}') || ' ' || extract(epoch FROM generated_timestamp - updated_at) FROM public.tickets WHERE id = 7}, expected => '7 unoffered vip 0.000000' },
	servicenow => {
		type => 'Servicenow', key => 'ServiceNow', credentials => { username => 'planted-user', password => 'planted-password' }, seed => { incident => 1200, sys_user => 20 },
		entities => { incident => 1200, sys_user => 20 }, types => { incident => { sys_id => 'text', state => 'bigint', active => 'boolean', u_cost => 'numeric', u_day => 'date', opened_at => 'timestamp with time zone' } },
		values => q{SELECT number || ' ' || state || ' ' || u_cost || ' ' || (assigned_to IS NULL) FROM public.incident WHERE number = 'INC0000002'}, expected => 'INC0000002 3 2.50 true' },
	slack => {
		type => 'Slack', key => 'Slack', credentials => { accessToken => 'planted-slack' }, seed => { channels => 4, users => 50, messages => { C0000001 => 450 } },
		entities => { 'conversations/C0000001' => 450, users => 50, conversations => 4 },
		types => { 'conversations/C0000001' => { ts => 'text', timestamp => 'timestamp with time zone', blocks => 'jsonb' }, users => { 'profile.email' => 'text', profile => 'jsonb', tz_offset => 'bigint' } },
		values => q{SELECT "profile.email" || ' ' || (profile ->> 'display_name') || ' ' || tz_offset FROM public.users WHERE id = 'U0000003'}, expected => 'user3@example.com u3 3600' });

foreach my $name (sort keys %cases)
{
	my $case = $cases{$name};
	my $app = AppflowTest::RestApps->new($name, $case->{type}, $case->{key});
	$app->control('seed', $case->{seed});
	$app->profile('app', $case->{credentials});
	foreach my $entity (sort keys %{ $case->{entities} })
	{
		my $table = $entity =~ s{.*/}{channel}r =~ s/\d//gr;
		foreach my $round (1, 2)
		{
			is($app->error_of("SELECT appflow.sync('app', '$entity', 'public.$table', flow_name => '$table'); CALL appflow.run_flow('$table')"), 'no error: ', "$name: sync of $entity") or last;
			is($app->sql("SELECT count(*) FROM public.$table"), $case->{entities}{$entity}, '... all records, ' . ($round == 1 ? 'once' : 'and none twice'));
		}
		my $types = $case->{types}{$entity} || {};
		is($app->sql("SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'public.$table'::regclass AND attname = '$_'"), $types->{$_}, "... $_ is $types->{$_}") foreach sort keys %$types;
	}
	is($app->sql($case->{values}), $case->{expected}, "$name: values");
}
done_testing();
