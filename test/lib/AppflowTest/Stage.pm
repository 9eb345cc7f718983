# AppflowTest::Stage
#	A directory under /tmp in which the extension is tried without touching the
#	system's PostgreSQL: a private installation, and the rights of a user that is
#	not root.
#
# The server finds its libraries and shared files relative to its own program
# file.  So a copy of the programs, with links to everything else in the same
# places under another root, is a full installation, into which the extension is
# installed by DESTDIR.

package AppflowTest::Stage;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use POSIX ();

# new(top => checkout, pg_config => program, name => part of the directory's name)
sub new
{
	my ($class, %args) = @_;
	my $self = bless {%args}, $class;

	$self->{uid} = $>;
	$self->{gid} = (split ' ', $))[0];
	if ($> == 0)
	{
		my $name = (grep { defined getpwnam($_) } qw(postgres nobody))[0]
		  or die "appflow: there is no user \"postgres\" or \"nobody\" to run a server as\n";
		($self->{uid}, $self->{gid}) = (getpwnam($name))[ 2, 3 ];
	}

	# short, so that socket paths fit
	$self->{dir} = tempdir("$args{name}.XXXXXX", DIR => $ENV{APPFLOW_TMP} || '/tmp');
	chmod 0755, $self->{dir};
	$self->{owner_pid} = $$;
	mkdir "$self->{dir}/$_" foreach qw(build home pg tmp);
	$self->give($self->{dir}, map { "$self->{dir}/$_" } qw(build home tmp));
	$self->_install;
	return $self;
}

# The stage that another process has left in $dir, to be removed.
sub reopen
{
	my ($class, $dir) = @_;
	return bless { dir => $dir, owner_pid => $$ }, $class;
}

sub dir { return $_[0]->{dir}; }
sub bindir { return $_[0]->{bindir}; }

# make the files the unprivileged user's own
sub give
{
	my ($self, @files) = @_;
	return if $> != 0;
	chown $self->{uid}, $self->{gid}, @files;
}

# a new directory of the unprivileged user's
sub make_dir
{
	my ($self, $name) = @_;
	my $path = $self->{dir};
	foreach my $part (split m{/}, $name)
	{
		$path .= "/$part";
		next if -d $path;
		mkdir $path or die "appflow: cannot make $path: $!\n";
		$self->give($path);
	}
	return $path;
}

sub _config
{
	my ($self, $option) = @_;
	my $value = `$self->{pg_config} --$option`;
	die "appflow: $self->{pg_config} --$option failed\n" if $? != 0;
	chomp $value;
	return $value;
}

sub _run
{
	my (@command) = @_;
	system(@command) == 0 or die "appflow: failed: @command\n";
}

# link everything in directory $from into $to but what is told otherwise
sub _link_all
{
	my ($from, $to, $but) = @_;
	_run('mkdir', '-p', $to);
	opendir my $handle, $from or die "appflow: cannot read $from: $!\n";
	foreach my $entry (readdir $handle)
	{
		next if $entry eq '.' || $entry eq '..' || $entry =~ $but;
		symlink "$from/$entry", "$to/$entry";
	}
	closedir $handle;
}

sub _install
{
	my ($self) = @_;
	my $root = "$self->{dir}/pg";
	my ($bin, $lib, $share) = map { $self->_config($_) } qw(bindir pkglibdir sharedir);

	$self->{bindir} = "$root$bin";
	$self->{pgxs} = $self->_config('pgxs');
	($self->{version}) = $self->_config('version') =~ /(\d+)/;

	_run('mkdir', '-p', "$root$bin");
	_run('cp', '-a', "$bin/.", "$root$bin");
	_link_all($lib, "$root$lib", qr/^appflow\.so$/);
	_link_all($share, "$root$share", qr/^extension$/);
	_link_all("$share/extension", "$root$share/extension", qr/^appflow(--.*)?\.(sql|control)$/);

	my $output = `make -s -C '$self->{top}' install DESTDIR='$root' PG_CONFIG='$self->{pg_config}' 2>&1`;
	die "appflow: the private installation failed:\n$output" if $? != 0;
	_run('chmod', '-R', 'a+rX', $root);
}

# Copy test/, expected/ and the test programs where the user can read them.
sub add_tests
{
	my ($self) = @_;
	my ($top, $dir) = ($self->{top}, $self->{dir});

	_run('mkdir', "$dir/test");
	opendir my $handle, "$top/test" or die "appflow: cannot read $top/test: $!\n";
	foreach my $entry (grep { !/^\.\.?$/ } readdir $handle)
	{
		# modules are many and large: hard links where possible
		if ($entry eq 'node_modules')
		{
			system("cp -al '$top/test/node_modules' '$dir/test/' 2>/dev/null") == 0
			  or _run('cp', '-a', "$top/test/node_modules", "$dir/test/");
		}
		else
		{
			_run('cp', '-a', "$top/test/$entry", "$dir/test/");
		}
	}
	closedir $handle;
	_run('cp', '-a', "$top/expected", "$dir/expected") if -d "$top/expected";

	# test/t/066_doc_examples.pl runs the examples of the pages
	_run('cp', '-a', "$top/doc", "$top/README.md", $dir);
	_run('chmod', '-R', 'a+rX', "$dir/doc", "$dir/README.md");

	# test/t/083_standing.pl updates the extension
	_run('cp', "$top/test/update/appflow--1.0--1.0test.sql", "$dir/pg" . $self->_config('sharedir') . '/extension/');
	_run('chmod', '-R', 'a+rX', "$dir/pg" . $self->_config('sharedir') . '/extension');

	# test/t/040_shape_boundaries.pl makes its requests from the model
	_run('mkdir', '-p', "$dir/src/operations");
	_run('cp', "$top/src/operations/appflow.shapes", "$dir/src/operations/");
	foreach my $kind (qw(unit fuzz))
	{
		foreach my $program (glob "$top/build/$kind/*_test $top/build/$kind/*_make $top/build/$kind/*_module.so $top/build/$kind/*_fuzz")
		{
			_run('cp', '-a', $program, "$dir/build/") if -f $program;
		}
	}
	_run('chmod', '-R', 'a+rX', "$dir/test", "$dir/build", "$dir/src");
	_run('chmod', '-R', 'a+rX', "$dir/expected") if -d "$dir/expected";
	_run('chown', '-R', "$self->{uid}:$self->{gid}", "$dir/build") if $> == 0;
}

# The environment that programs of this stage run in.
sub environment
{
	my ($self) = @_;
	my %env = %ENV;

	# nobody's servers, credentials or proxies but our own
	delete @env{ grep { /^(PG|AWS_|LC_|MAKE|http_proxy|https_proxy|all_proxy)/i } keys %env };
	delete @env{qw(LANGUAGE CDPATH)};
	(my $regress = $self->{pgxs}) =~ s{/makefiles/pgxs\.mk$}{/test};
	%env = (
		%env,
		PATH => "$self->{bindir}:" . ($ENV{PATH} || '/usr/bin:/bin'),
		HOME => "$self->{dir}/home",
		TMPDIR => "$self->{dir}/tmp",
		LANG => 'C.UTF-8',
		PG_REGRESS => "$regress/regress/pg_regress",
		PERL5LIB => "$regress/perl:$self->{dir}/test/lib",
		PG_TEST_TIMEOUT_DEFAULT => $ENV{PG_TEST_TIMEOUT_DEFAULT} || 60,
		TEMP_CONFIG => "$self->{dir}/test/regress.conf",
		top_builddir => "$self->{dir}/build",
		APPFLOW_TEST_DIR => "$self->{dir}/test",
		APPFLOW_BUILD => "$self->{dir}/build",
		APPFLOW_STAGE => $self->{dir},
		UBSAN_OPTIONS => 'print_stacktrace=1');
	return \%env;
}

# In a child process: become the unprivileged user, in its environment.
sub become_user
{
	my ($self, %more) = @_;
	my $env = $self->environment;

	if ($> == 0)
	{
		$) = "$self->{gid} $self->{gid}";
		$( = $self->{gid};
		POSIX::setuid($self->{uid}) or die "cannot change to user $self->{uid}: $!\n";
		die "still root\n" if $> == 0 || $< == 0;
	}
	%ENV = (%$env, %more);
	chdir(-d "$self->{dir}/test" ? "$self->{dir}/test" : $self->{dir})
	  or die "cannot enter $self->{dir}: $!\n";
}

# Run a command as the user; returns (exit status as in $?, output).
sub run
{
	my ($self, @command) = @_;
	my $pid = open my $pipe, '-|';
	die "appflow: cannot fork: $!\n" unless defined $pid;
	if ($pid == 0)
	{
		open STDERR, '>&', \*STDOUT;
		open STDIN, '<', '/dev/null';
		eval { $self->become_user; exec { $command[0] } @command; };
		print "$command[0]: " . ($@ || $!) . "\n";
		POSIX::_exit(127);
	}
	my $output = do { local $/; <$pipe> };
	close $pipe;
	return ($?, defined $output ? $output : '');
}

# Run a command as the user that must succeed; returns its output.
sub must_run
{
	my ($self, @command) = @_;
	my ($status, $output) = $self->run(@command);
	die "appflow: failed: @command\n$output" if $status != 0;
	return $output;
}

# Make a cluster in $dir/$name with its socket there and start it; @settings are
# lines of postgresql.conf.  Returns the connection's environment.
sub start_cluster
{
	my ($self, $name, @settings) = @_;
	my $home = $self->make_dir($name);

	$self->must_run('initdb', '-D', "$home/data", '-A', 'trust', '-U', 'postgres', '-N',
		'-E', 'UTF8', '--locale=C.UTF-8');
	open my $conf, '>>', "$home/data/postgresql.conf" or die "appflow: cannot write $home: $!\n";
	print $conf "listen_addresses = ''\nunix_socket_directories = '$home'\nfsync = off\n",
	  map { "$_\n" } @settings;
	close $conf;
	push @{ $self->{clusters} }, $home;
	my ($status, $output) =
	  $self->run('pg_ctl', '-w', '-D', "$home/data", '-l', "$home/server.log", 'start');
	if ($status != 0)
	{
		open my $log, '<', "$home/server.log";
		die "appflow: the server did not start\n$output" . ($log ? join('', <$log>) : '');
	}
	return (PGHOST => $home, PGUSER => 'postgres', PGDATABASE => 'postgres');
}

# All processes of this stage: those whose program lies in it, and those that
# have its name in their environment (a server overwrites its own).
sub processes
{
	my ($self) = @_;
	my @found;
	foreach my $proc (glob '/proc/[0-9]*')
	{
		my ($pid) = $proc =~ /(\d+)$/;
		next if $pid == $$;
		my $program = readlink("$proc/exe");
		my $ours = defined $program && index($program, "$self->{dir}/") == 0;
		if (!$ours && open my $handle, '<', "$proc/environ")
		{
			local $/;
			my $environ = <$handle>;
			$ours = defined $environ && "\0$environ\0" =~ /\0APPFLOW_STAGE=\Q$self->{dir}\E\0/;
		}
		push @found, $pid if $ours;
	}
	return @found;
}

# End what still runs and remove the directory.
sub remove
{
	my ($self) = @_;
	return if $self->{removed} || $$ != $self->{owner_pid};
	$self->{removed} = 1;
	foreach my $home (@{ $self->{clusters} || [] })
	{
		$self->run('pg_ctl', '-D', "$home/data", '-m', 'immediate', '-w', '-t', '10', 'stop')
		  if -f "$home/data/postmaster.pid";
	}
	foreach my $signal (qw(TERM KILL KILL))
	{
		my @left = $self->processes or last;
		kill $signal, @left;
		for (my $i = 0; $i < 30 && $self->processes; $i++)
		{
			select undef, undef, undef, 0.1;
		}
	}
	system('rm', '-rf', $self->{dir});
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);
	$self->remove unless $self->{keep};
}

1;
