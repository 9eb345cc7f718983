# Amplitude: archives of every shape, and archives that are wrong.
use strict;
use warnings;

use AppflowTest::Amplitude;
use PostgreSQL::Test::Utils;
use Test::More;

my $app = AppflowTest::Amplitude->new(q(log_temp_files = 0), q(temp_file_limit = '64MB'));
$app->control('seed', { events => { from => '2024-03-05T00', hours => 24, perHour => 50 } });

sub outcome { return AppflowTest::RestApps::outcome(@_); }
sub told { return AppflowTest::RestApps::told(@_); }
my @day = ('2024-03-05T00:00:00Z', '2024-03-06T00:00:00Z');
sub day { return $app->table('events', [qw(uuid event_properties)], 'uuid text PRIMARY KEY, event_properties jsonb', between => \@day, @_); }
sub temporary { return join ' ', map { (glob "$_/*") } glob $app->{node}->data_dir . '/base/pgsql_tmp*'; }

# ---------------------------------------------------------------- shapes

foreach my $shape (qw(stored streamed zip64 folders))
{
	$app->control('set', { shape => $shape, files => 3 });
	my $run = day();
	is(outcome($run), 'Successful 1200 0', "members that are $shape") or diag(told($run));
	is($app->sql("SELECT count(DISTINCT uuid) || ' ' || sum((event_properties ->> 'total')::numeric) FROM $run->{table}"), '1200 360300.0', '... each event once');
}
$app->control('set', { shape => undef, files => 700 });
my $run = day();
is(outcome($run), 'Successful 1200 0', 'an archive of sixteen thousand members, most without events') or diag(told($run));
$app->control('set', { files => 2 });
like(slurp_file($app->{node}->logfile), qr/temporary file: path "base\/pgsql_tmp/, 'they went to temporary files of the server');
is(temporary(), '', '... of which none is left');

# ---------------------------------------------------------------- what is wrong

sub bad
{
	my ($kind, $pattern) = @_;
	$app->control('set', { bad => $kind, badHours => 1e9 });
	$app->fails(day(), $pattern, "an archive that is wrong: $kind");
	is(temporary(), '', '... no temporary file is left');
	$app->control('set', { bad => undef });
}
my $member = qr/hours 20240305T00 to 20240305T23 of entity "events" is damaged, at member 187520\/187520_2024-03-05_23#1\.json\.gz/;
bad('checksum', qr/^Error: .*$member: its checksum is wrong/s);
bad('longer', qr/^Error: .*$member: it ends early/s);
bad('method', qr/^Error: .*$member: it is compressed by a method other than deflate/s);
bad('encrypted', qr/^Error: .*$member: it is encrypted/s);
bad('garbage', qr/^Error: .*$member: it is not gzip/s);
bad('shortgzip', qr/^Error: .*$member: it ends early/s);
bad('line', qr/^Error: .*$member: line 2, column 1/s);
bad('bomb', qr/^Error: .*$member: it is larger than its bytes can say/s);
bad('long', qr/^Error: .*$member: it has an event of more than 64 MB/s);
bad('overlapping', qr/^Error: .*is damaged, at member .*: its members are larger than the archive/s);
bad('name', qr/^Error: .*is damaged, at member \.\.\/\.\.\/\.\.\/\.\.\/etc\/passwd [^\n\e]*: its checksum is wrong/s);
$app->control('set', { bad => 'wide', badHours => 1 });
is(outcome(day()), 'Successful 1200 0', 'two hundred thousand folders are only folders');
$app->control('set', { bad => undef });

# ---------------------------------------------------------------- limits of the server

$app->control('seed', { events => { from => '2024-03-05T00', hours => 24, perHour => 50 } });
$app->control('set', { padding => 100e6 });
$app->fails(day(), qr/^Error: .*temporary file size exceeds "?temp_file_limit"?/s, 'an archive beyond temp_file_limit');
is(temporary(), '', '... leaves nothing');
$app->control('set', { padding => 0 });
is(outcome(day()), 'Successful 1200 0', 'and then again one that is not') or diag(told($run));
done_testing();
