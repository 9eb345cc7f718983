# check.pl
#	Runs every test of the extension and ends with "N passed, N failed".
#
# Started by test/run, which has built the module.  TESTS="word..." runs only the
# tests whose name (part/name, as shown) contains one of the words; JOBS sets how
# many run side by side.

use strict;
use warnings;

use AppflowTest::Jobs;
use AppflowTest::Stage;
use Cwd qw(getcwd);
use File::Basename qw(basename);

$| = 1;

my $top = getcwd();
my $width = int($ENV{JOBS} || 2 * `nproc` || 4);	# about half of the time a test waits
my @words = split ' ', $ENV{TESTS} || '';
my %total = (passed => 0, failed => 0, skipped => 0);
my (%parts, $stage, $jobs);

foreach my $signal (qw(INT TERM HUP))
{
	$SIG{$signal} = sub {
		$SIG{$_} = 'IGNORE' foreach qw(INT TERM HUP);
		$jobs->stop if $jobs;
		$stage->remove if $stage;
		print STDERR "appflow: interrupted\n";
		exit 130;
	};
}

sub wanted
{
	my ($name) = @_;
	return !@words || grep { index($name, $_) >= 0 } @words;
}

# what a failure looked like: the end of its diff or log, and where all of it is
sub show_failure
{
	my ($job) = @_;
	my $shown = $job->{log};

	print "FAILED $job->{name}\n";
	print "    $_\n" foreach splice @{ $job->{reasons} }, 0, 20;
	foreach my $file (grep { -e } @{ $job->{evidence} || [] })
	{
		(my $kept = "$job->{log}") =~ s/\.log$/-/;
		$kept .= basename($file);
		system('rm', '-rf', $kept);
		system('cp', '-r', $file, $kept);
		$shown = $kept if -f $kept && -s $kept;
		print "    kept: $kept\n";
	}
	print "    log: $job->{log}\n";
	# a TAP program that died says why in a log of its own
	if (!-s $job->{log} && (my ($own) = glob "$job->{log}" =~ s/\.log$/-log\/regress_log_*/r))
	{
		$shown = $own;
	}
	if (open my $log, '<', $shown)
	{
		my @lines = <$log>;
		splice @lines, 0, @lines - 40 if @lines > 40;
		print map { "    | $_" . (/\n$/ ? '' : "\n") } @lines;
	}
}

sub count
{
	my ($part, $result) = @_;
	foreach my $kind (keys %total)
	{
		$total{$kind} += $result->{$kind} || 0;
		$parts{$part}{$kind} += $result->{$kind} || 0;
	}
}

sub done
{
	my ($job) = @_;
	my ($part) = split m{/}, $job->{name};
	count($part, $job);
	$parts{$part}{elapsed} += $job->{elapsed};
	show_failure($job) if $job->{failed};
	return if --$parts{$part}{left};
	printf "%-6s %5d passed%s%s  (%d s)\n", $part, $parts{$part}{passed},
	  $parts{$part}{failed} ? ", $parts{$part}{failed} failed" : '',
	  $parts{$part}{skipped} ? ", $parts{$part}{skipped} skipped" : '',
	  $parts{$part}{elapsed};
}

# ---------- the programs ----------

my @programs = map { chomp; $_ } `make -s -f test/programs.mk list`;
my @fuzzers = grep { m{/fuzz/} && wanted('fuzz/' . basename($_)) } @programs;
my @units = grep { m{_test$} && wanted('unit/' . basename($_)) } @programs;
my @makers = grep { m{_(?:make|module\.so)$} } @programs;
my @taps = grep { wanted('t/' . basename($_)) } sort glob 'test/t/*.pl';
my @regressions = grep { wanted("sql/$_") } map { basename($_, '.sql') } sort glob 'test/sql/*.sql';
my @checks = grep { wanted('check/' . basename($_)) } sort glob 'test/check-*';

print "fuzz   left out: clang and its libFuzzer are not installed\n"
  if !@fuzzers && glob('test/fuzz/*_fuzz.c') && !grep { m{/fuzz/} } @programs;
if (my @needed = (@units, @makers, @fuzzers))
{
	# what cannot be built must not be there from before
	system("make -s -k -j$width -f test/programs.mk @needed >build/programs.log 2>&1") == 0
	  or unlink grep { system("make -q -f test/programs.mk $_ >/dev/null 2>&1") != 0 } @needed;
}

# ---------- the stage ----------

$stage = AppflowTest::Stage->new(top => $top, pg_config => $ENV{PG_CONFIG}, name => 'appflow');
$stage->add_tests;
my $dir = $stage->dir;
my $logs = "$top/build/check";
system('rm', '-rf', $logs);
mkdir $logs;

$jobs = AppflowTest::Jobs->new($stage, $logs, $width);
my @jobs;

# the long ones first
foreach my $file (@taps)
{
	my $name = basename($file, '.pl');
	my $place = $stage->make_dir("t/$name");
	push @jobs, {
		name => "t/" . basename($file), command => [ 'perl', "$dir/$file" ], tap => 1,
		seconds => 400, evidence => ["$place/tmp_check/log"],
		env => {
			TESTDIR => $place,
			TESTDATADIR => "$place/tmp_check",
			TESTLOGDIR => "$place/tmp_check/log"
		}
	};
}

my $server_log;
if (@regressions)
{
	open my $conf, '<', 'test/regress.conf' or die "appflow: cannot read test/regress.conf: $!\n";
	chomp(my @settings = <$conf>);
	my %connection = $stage->start_cluster('sql', @settings);
	$server_log = "$dir/sql/server.log";

	# up to PostgreSQL 15 the expected output lies beside the input
	my $input = $stage->make_dir('regress');
	symlink "$dir/test/sql", "$input/sql";
	symlink "$dir/expected", "$input/expected";
	foreach my $name (@regressions)
	{
		my $place = $stage->make_dir("sql/$name");
		push @jobs, {
			name => "sql/$name", evidence => [ "$place/results/$name.out", "$place/regression.diffs" ],
			command => [
				$stage->environment->{PG_REGRESS}, '--bindir=' . $stage->bindir,
				"--host=$connection{PGHOST}", "--user=$connection{PGUSER}",
				"--inputdir=$input", "--outputdir=$place",
				($stage->{version} >= 16 ? ("--expecteddir=$input") : ()),
				"--dbname=regress_$name", $name
			]
		};
	}
}

foreach my $program (@units)
{
	my $name = basename($program);
	# a program that did not compile says why
	push @jobs, {
		name => "unit/$name", tap => 1, command => ["$dir/build/$name"],
		-x $program ? () : (evidence => ["$top/build/programs.log"])
	};
}

my $seconds = $ENV{FUZZ_SECONDS} || 5;
foreach my $program (@fuzzers)
{
	my $name = basename($program);
	(my $short = $name) =~ s/_fuzz$//;
	my $place = $stage->make_dir("fuzz/$name");
	my @corpus = grep { -d } "$dir/test/fuzz/corpus/$short";
	push @jobs, {
		name => "fuzz/$name", seconds => $seconds + 120,
		evidence => [ $place, -x $program ? () : "$top/build/programs.log" ],
		command => [
			"$dir/build/$name", "-max_total_time=$seconds", '-timeout=20', '-rss_limit_mb=2048',
			"-artifact_prefix=$place/", '-verbosity=0', $stage->make_dir("fuzz/$name/corpus"), @corpus
		]
	};
}

push @jobs, map { { name => 'check/' . basename($_), command => ["$top/$_"], tap => 1, root => 1 } } @checks;

foreach my $job (@jobs)
{
	my ($part) = split m{/}, $job->{name};
	$parts{$part}{left}++;
	$jobs->add(%$job);
}
$jobs->run(\&done);

# ---------- the server itself ----------

if ($server_log && open my $log, '<', $server_log)
{
	my @crashes = grep { /TRAP: |PANIC: |was terminated by signal/ } <$log>;
	if (@crashes)
	{
		system('cp', $server_log, "$logs/sql-server.log");
		print "FAILED sql: the server crashed\n    log: $logs/sql-server.log\n", map { "    | $_" } @crashes;
		count('sql', { failed => 1 });
	}
}
$stage->remove;

if ($total{passed} + $total{failed} == 0)
{
	print 'no test' . (@words ? " is named like: @words\n" : " ran\n");
}
print "$total{passed} passed, $total{failed} failed\n";
exit($total{failed} || !$total{passed} ? 1 : 0);
