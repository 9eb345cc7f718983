# AppflowTest::Jobs
#	Test programs run side by side, and their results counted.

package AppflowTest::Jobs;

use strict;
use warnings;

use POSIX qw(:sys_wait_h);

# new(stage, log directory, how many at once)
sub new
{
	my ($class, $stage, $logs, $width) = @_;
	return bless { stage => $stage, logs => $logs, width => $width, queue => [], running => {} }, $class;
}

# A job: name => "part/name", command => [...], tap => whether its output is TAP
# (otherwise its exit status is one test), env => {...}, root => run it as who we
# are, seconds => limit, evidence => [files to show and keep when it fails].
sub add
{
	my ($self, %job) = @_;
	push @{ $self->{queue} }, {%job};
}

sub _start
{
	my ($self, $job) = @_;

	($job->{log} = "$self->{logs}/$job->{name}.log") =~ s{/([^/]*)$}{-$1};
	$job->{started} = time;
	my $pid = fork;
	die "appflow: cannot fork: $!\n" unless defined $pid;
	if ($pid == 0)
	{
		$SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP);
		setpgrp;
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $job->{log};
		open STDERR, '>&', \*STDOUT;
		eval {
			my %env = %{ $job->{env} || {} };
			if ($job->{root})
			{
				%ENV = (%ENV, %env);
			}
			else
			{
				$self->{stage}->become_user(%env);
			}
			exec { $job->{command}[0] } @{ $job->{command} };
		};
		print "$job->{command}[0]: " . ($@ || $!) . "\n";
		POSIX::_exit(127);
	}
	$self->{running}{$pid} = $job;
}

# Run all; on_done is called with each finished job.
sub run
{
	my ($self, $on_done) = @_;
	while (@{ $self->{queue} } || %{ $self->{running} })
	{
		$self->_start(shift @{ $self->{queue} })
		  while @{ $self->{queue} } && keys %{ $self->{running} } < $self->{width};
		my $pid = waitpid(-1, WNOHANG);
		if ($pid > 0 && $self->{running}{$pid})
		{
			my $job = delete $self->{running}{$pid};
			$job->{status} = $?;
			$job->{elapsed} = time - $job->{started};
			_judge($job);
			$on_done->($job);
			next;
		}
		foreach my $running (keys %{ $self->{running} })
		{
			my $job = $self->{running}{$running};
			if (time - $job->{started} > ($job->{seconds} || 300) && !$job->{late}++)
			{
				kill 'KILL', -$running;
			}
		}
		select undef, undef, undef, 0.05;
	}
}

# End what runs, at an interrupt.
sub stop
{
	my ($self) = @_;
	kill 'KILL', map { -$_ } keys %{ $self->{running} };
}

# Sets passed, failed, skipped and reasons of a finished job.
sub _judge
{
	my ($job) = @_;
	my ($passed, $failed, $skipped, $plan) = (0, 0, 0, undef);
	my @reasons;

	if ($job->{tap} && open my $log, '<', $job->{log})
	{
		while (<$log>)
		{
			if (/^(not )?ok\b[ \t]*(.*)/)
			{
				my ($not, $text) = ($1, $2);
				if ($not)
				{
					$failed++;
					push @reasons, "not ok $text";
				}
				elsif ($text =~ /#\s*skip/i)
				{
					$skipped++;
				}
				else
				{
					$passed++;
				}
			}
			elsif (/^1\.\.(\d+)(\s*#\s*skip)?/i)
			{
				$plan = $1;
				$skipped++ if $2;
			}
			elsif (/^Bail out!(.*)/)
			{
				push @reasons, "bailed out:$1";
			}
		}
		close $log;
		if (!$job->{late})
		{
			push @reasons, 'ended before its plan' unless defined $plan;
			push @reasons, "planned $plan tests, ran " . ($passed + $failed + $skipped)
			  if $plan && $plan != $passed + $failed + $skipped;
			push @reasons, 'has no test' if defined $plan && $plan == 0 && !$skipped;
		}
	}
	push @reasons, "ran longer than " . ($job->{seconds} || 300) . " s" if $job->{late};
	push @reasons, ($job->{status} & 127) ? 'died of signal ' . ($job->{status} & 127)
	  : 'exit status ' . ($job->{status} >> 8)
	  if $job->{status} != 0 && !$job->{late} && !$failed;
	# a program that went wrong without a failed test counts as one
	$failed = 1 if @reasons && !$failed;
	$passed++ if !$job->{tap} && !$failed;
	@{$job}{qw(passed failed skipped reasons)} = ($passed, $failed, $skipped, \@reasons);
}

1;
