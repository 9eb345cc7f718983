# AppflowTest::Crash
#	Processes of a server killed, and the server back afterwards.

package AppflowTest::Crash;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

our @EXPORT = qw(kill_child);

# Kill one of the server's processes with SIGKILL, and wait until the server has
# restarted for it: a session that comes too early is thrown out again.
sub kill_child
{
	my ($node, $pid) = @_;
	my $before = () = slurp_file($node->logfile) =~ /all server processes terminated; reinitializing/g;

	kill 'KILL', $pid or return 0;
	foreach (1 .. 600)
	{
		my $now = () = slurp_file($node->logfile) =~ /all server processes terminated; reinitializing/g;
		last if $now > $before;
		sleep 0.05;
	}
	foreach (1 .. 600)
	{
		# psql that ends before it has read the query is an error of its own
		my ($code) = eval { $node->psql('postgres', 'SELECT 1') };
		return 1 if defined $code && $code == 0;
		sleep 0.05;
	}
	die "the server did not come back after a kill\n";
}

1;
