/*-------------------------------------------------------------------------
 *
 * key_command.c
 *	  Master keys that a command prints.
 *
 * The command is the shell's, run as the server's user like those of
 * archive_command or ssl_passphrase_command; what it writes to its standard
 * error goes to the server's log.  It is a process group of its own, so that all
 * of it is ended when it takes too long or the call is cancelled.
 *
 * IDENTIFICATION
 *	  src/vault/key_command.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "vault/vault.h"

#define REAP_INTERVAL 10		/* ms */

extern char **environ;

static const char *
command_check(const char *command)
{
	return command[strspn(command, " \t")] != '\0' ? NULL : "There is no command behind \"command:\".";
}

/* Start it; the end of the pipe that gives its output goes to *output. */
static pid_t
start_command(const char *command, int *output)
{
	char	   *const arguments[] = {"sh", "-c", unconstify(char *, command), NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t	signals;
	int			ends[2];
	pid_t		process = -1;
	int			error;

	if (pipe2(ends, O_CLOEXEC) != 0)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not create a pipe: %m"));

	error = posix_spawn_file_actions_init(&actions);
	if (error == 0)
	{
		error = posix_spawnattr_init(&attributes);
		if (error == 0)
		{
			if (error == 0)
				error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
			if (error == 0)
				error = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)
			/* the server's files are none of its business */
			if (error == 0)
				error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
#endif
#endif
			/* signals as a new process expects them: the server ignores some */
			sigfillset(&signals);
			sigdelset(&signals, SIGKILL);
			sigdelset(&signals, SIGSTOP);
			if (error == 0)
				error = posix_spawnattr_setsigdefault(&attributes, &signals);
			sigemptyset(&signals);
			if (error == 0)
				error = posix_spawnattr_setsigmask(&attributes, &signals);
			if (error == 0)
				error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF |
												 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
			if (error == 0)
				error = posix_spawn(&process, "/bin/sh", &actions, &attributes, arguments, environ);
			posix_spawnattr_destroy(&attributes);
		}
		posix_spawn_file_actions_destroy(&actions);
	}
	close(ends[1]);
	if (error != 0)
	{
		close(ends[0]);
		errno = error;
		ereport(ERROR,
				errcode(ERRCODE_SYSTEM_ERROR),
				errmsg("could not start the command of appflow.master_key: %m"));
	}
	*output = ends[0];
	return process;
}

static long
time_left(TimestampTz deadline)
{
	long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

	if (left <= 0)
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("the command of appflow.master_key took longer than %d ms", key_command_timeout),
				errhint("appflow.master_key_timeout sets the time that it may take."));
	return left;
}

/* Wait for output, or a while; cancellable. */
static void
wait_for_command(int output, long timeout)
{
	static uint32 wait_event = 0;
	int			events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;

	if (wait_event == 0)
		wait_event = extension_wait_event("AppflowMasterKey");
	if (output >= 0)
		events |= WL_SOCKET_READABLE;
	if (WaitLatchOrSocket(MyLatch, events, output >= 0 ? output : PGINVALID_SOCKET,
						  timeout, wait_event) & WL_LATCH_SET)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static size_t
read_output(int output, char *buffer, size_t size, TimestampTz deadline)
{
	size_t		length = 0;

	for (;;)
	{
		ssize_t		n = read(output, buffer + length, size - length);

		if (n == 0)
			return length;
		if (n > 0)
		{
			length += (size_t) n;
			if (length == size)
				ereport(ERROR,
						errcode(ERRCODE_CONFIG_FILE_ERROR),
						errmsg("the command of appflow.master_key wrote %zu bytes or more", size));
		}
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			wait_for_command(output, time_left(deadline));
		else if (errno != EINTR)
			ereport(ERROR,
					errcode_for_file_access(),
					errmsg("could not read from the command of appflow.master_key: %m"));
	}
}

/* Its exit status. */
static int
reap(pid_t process, TimestampTz deadline)
{
	int			status;
	pid_t		done;

	while ((done = waitpid(process, &status, WNOHANG)) == 0 || (done < 0 && errno == EINTR))
		wait_for_command(-1, Min(time_left(deadline), REAP_INTERVAL));
	if (done < 0)
		ereport(ERROR,
				errcode(ERRCODE_SYSTEM_ERROR),
				errmsg("could not wait for the command of appflow.master_key: %m"));
	return status;
}

static size_t
command_read(const char *command, char *buffer, size_t size)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), key_command_timeout);
	int			output;
	pid_t		process = start_command(command, &output);
	volatile bool reaped = false;
	volatile size_t length = 0;

	PG_TRY();
	{
		int			status;

		if (fcntl(output, F_SETFL, O_NONBLOCK) != 0)
			ereport(ERROR,
					errcode_for_file_access(),
					errmsg("could not read from the command of appflow.master_key: %m"));
		length = read_output(output, buffer, size, deadline);
		status = reap(process, deadline);
		reaped = true;
		if (status != 0)
			ereport(ERROR,
					errcode(ERRCODE_CONFIG_FILE_ERROR),
					errmsg("the command of appflow.master_key failed: %s", wait_result_to_str(status)));
	}
	PG_FINALLY();
	{
		close(output);
		if (!reaped)
		{
			(void) kill(-process, SIGKILL);
			while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
				;
		}
	}
	PG_END_TRY();
	return length;
}

/* Asked again when it must be; see vault_current_key() and vault_find_key(). */
static bool
command_unchanged(const char *command)
{
	return true;
}

const KeyProvider key_command_provider = {"command:", command_check, command_read, command_unchanged};
