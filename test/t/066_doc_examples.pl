# The examples of README.md and doc/*.md do what the pages say.  How a page takes
# part is described in doc/testing.md.
use strict;
use warnings;

use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$ENV{APPFLOW_TEST_DIR}/..";

# the steps of a page: [kind, line, text or lines, ...]
sub steps_of
{
	my ($path) = @_;
	my (@steps, $mark);
	open my $page, '<', $path or die "$path: $!";
	my @lines = <$page>;
	close $page;

	for (my $i = 0; $i < @lines; $i++)
	{
		local $_ = $lines[$i];
		my $at = $i + 1;

		if (/^<!-- (setup|example): (.*?)\s*(-->)?\s*$/)
		{
			my ($kind, $what, $closed) = ($1, $2, $3);
			my $text = '';
			while (!$closed && ++$i < @lines && $lines[$i] !~ /^-->/) { $text .= $lines[$i]; }
			if ($kind eq 'example') { $mark = $what; push @steps, ['mark']; }
			else { push @steps, [ 'setup', $at, $what, $text ]; }
		}
		elsif (/^```(\w*)\s*$/)
		{
			my ($language, $text) = ($1, '');
			while (++$i < @lines && $lines[$i] !~ /^```/) { $text .= $lines[$i]; }
			next if $language ne 'sql';
			my $step = [ 'sql', $at, $text, $mark // '', undef ];
			$mark = undef;
			push @steps, $step;

			my $next = $i + 1;
			$next++ while $next < @lines && $lines[$next] =~ /^\s*$/;
			next if $next >= @lines || $lines[$next] !~ /^    /;
			$i = $next;
			$step->[4] .= $lines[ $i++ ] while $i < @lines && $lines[$i] =~ /^(    |\s*$)/;
			$i--;
		}
	}
	return @steps;
}

# what psql must print, as a pattern
sub pattern_of
{
	my ($text) = @_;
	my @lines = map { s/^    //r =~ s/\s+$//r } split /\n/, $text =~ s/\s+\z//r;
	my $pattern = join '\s*\n', map { join '.*?', map { quotemeta } split /\.\.\./, $_, -1 } @lines;
	return qr/^$pattern\s*$/m;
}

# processes of the page; a package variable, as END must come before the handles are closed
our @servers;
sub stop_servers { kill 'KILL', map { $_->{pid} } @servers; @servers = (); return; }
END { my $status = $?; stop_servers(); $? = $status; }

# start a server of test/simulators, which stands for a URL of the page
sub start_server
{
	my ($script, $arguments, $url) = @_;
	my $pid = open(my $output, '-|', 'node', "$ENV{APPFLOW_TEST_DIR}/simulators/$script", split ' ', $arguments) or die "node: $!";
	my ($port) = (readline($output) // '') =~ /^ready (\d+)/ or die "$script did not start";
	push @servers, { pid => $pid, output => $output, url => $url, local => "http://127.0.0.1:$port" };
	return;
}

foreach my $path ("$top/README.md", sort glob "$top/doc/*.md $top/doc/*/*.md")
{
	my @steps = steps_of($path);
	my $name = $path =~ s{^.*/(?=connectors/)|^.*/}{}r;

	next if $name eq 'testing.md' || !grep { $_->[0] ne 'sql' } @steps;

	my $srv = PostgreSQL::Test::Utils::tempdir();
	my $objects = "$srv/objects";
	my $node = PostgreSQL::Test::Cluster->new($name =~ s/\W/_/gr);
	my $run = 0;

	mkdir $objects;
	$node->init;
	$node->append_conf('postgresql.conf', "timezone = 'UTC'");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS appflow');
	foreach my $step (@steps)
	{
		my ($kind, $line, $what, $text, $expected) = @$step;

		next if $kind eq 'mark';
		if ($kind eq 'setup' && $what =~ /^file bucket=(\S+) key=(\S+)$/)
		{
			my $file = "$objects/$1/$2";
			make_path($file =~ s{/[^/]*$}{}r);
			open my $object, '>:raw', $file or die "$file: $!";
			print $object $text;
			close $object;
		}
		elsif ($kind eq 'setup' && $what =~ /^buckets (.*)$/)
		{
			make_path("$objects/$_") foreach split ' ', $1;
		}
		elsif ($kind eq 'setup' && $what eq 'credentials')
		{
			$node->safe_psql('postgres', "SELECT appflow.create_master_key_file('$srv/master.key')");
			$node->append_conf('postgresql.conf', "appflow.master_key = 'file:$srv/master.key'\nappflow.allow_local_endpoints = on");
			$node->reload;
		}
		elsif ($kind eq 'setup' && $what eq 'preload')
		{
			$node->append_conf('postgresql.conf', "shared_preload_libraries = 'appflow'");
			$node->restart;
		}
		elsif ($kind eq 'setup' && $what =~ m{^server (\S+?)((?: \S+)*) at (https?://\S+)$})
		{
			start_server($1, $2, $3);
		}
		elsif ($kind eq 'setup' && $what eq 'sql')
		{
			$text =~ s/\Q$_->{url}\E/$_->{local}/g foreach @servers;
			$node->safe_psql('postgres', $text);
		}
		elsif ($kind eq 'setup' || ($text ne '' && $text !~ /^(error|not run|with object store)$/))
		{
			fail("$name:$line: a comment that says nothing known: " . ($kind eq 'setup' ? $what : $text));
		}
		elsif ($text ne 'not run')
		{
			my ($stdout, $stderr) = ('', '');
			(my $sql = $what) =~ s{file:///srv/}{file://$srv/}g;
			$sql =~ s/\Q$_->{url}\E/$_->{local}/g foreach @servers;
			# as a person would see it: aligned, messages among the rows
			IPC::Run::run(
				[ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', '-' ],
				'<', \$sql, '>', \$stdout, '2>', \$stderr);
			my $failed = $? != 0;
			my $output = $stdout . $stderr;

			$output =~ s/^psql:<stdin>:\d+: //mg;
			$run++;
			is($failed ? 'fails' : 'runs', $text eq 'error' ? 'fails' : 'runs', "$name:$line: " . ($text eq 'error' ? 'fails' : 'runs'))
			  or diag($output);
			like($output, pattern_of($expected), "$name:$line: prints what the page says") if defined $expected;
		}
	}
	ok($run > 0, "$name: has examples");
	$node->stop;
	stop_servers();
}
done_testing();
