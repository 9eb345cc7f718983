/*-------------------------------------------------------------------------
 *
 * key_file.c
 *	  Master keys in a file.
 *
 * The file belongs to the server's user, is nobody else's to read, and lies
 * outside of the database cluster, so that no backup of the cluster holds the
 * keys along with what they seal.
 *
 * IDENTIFICATION
 *	  src/vault/key_file.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "vault/vault.h"

/* what a file was when it was read last */
static struct
{
	dev_t		device;
	ino_t		inode;
	off_t		size;
	struct timespec modified;
	struct timespec changed;
}			last_read;

/* ---------- reading ---------- */

/* Raise an error if a directory, by its real path, is part of the database cluster. */
static void
refuse_cluster(const char *real_directory, const char *path, const char *what)
{
	char		data[PATH_MAX];
	size_t		length;

	if (realpath(DataDir, data) == NULL)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not find the data directory: %m"));
	length = strlen(data);
	if (strncmp(data, real_directory, length) == 0 &&
		(real_directory[length] == '\0' || real_directory[length] == '/'))
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("%s \"%s\" must not be in the data directory", what, path),
				errhint("A copy of the data directory would hold the keys along with what they seal."));
}

/* An open file that may hold a secret; the caller closes it. */
static int
open_secret_file(const char *path, const char *what, struct stat *status)
{
	char		real[PATH_MAX];
	char	   *slash;
	int			file;

	/* nonblocking: opening a pipe must not wait for its writer */
	file = BasicOpenFile(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (file < 0)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not open %s \"%s\": %m", what, path));
	if (fstat(file, status) != 0 || realpath(path, real) == NULL)
	{
		int			error = errno;

		close(file);
		errno = error;
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not examine %s \"%s\": %m", what, path));
	}
	if (!S_ISREG(status->st_mode))
	{
		close(file);
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("%s \"%s\" is not a regular file", what, path));
	}
	if (status->st_uid != geteuid() || (status->st_mode & 07777 & ~0600) != 0)
	{
		close(file);
		ereport(ERROR,
				errcode(ERRCODE_CONFIG_FILE_ERROR),
				errmsg("%s \"%s\" must be readable by the database server's user and nobody else",
					   what, path),
				errdetail("Its owner has to be the operating system's user that the server runs as, and its permissions 0600 or 0400; they are %04o.",
						  (unsigned int) (status->st_mode & 07777)));
	}
	slash = strrchr(real, '/');
	*(slash == real ? slash + 1 : slash) = '\0';
	PG_TRY();
	{
		refuse_cluster(real, path, what);
	}
	PG_CATCH();
	{
		close(file);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return file;
}

/* Read an open file whole; -1 with errno, EFBIG if it does not fit. */
static ssize_t
read_all(int file, char *buffer, size_t size)
{
	size_t		length = 0;

	while (length < size)
	{
		ssize_t		n = read(file, buffer + length, size - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			return (ssize_t) length;
		length += (size_t) n;
	}
	errno = EFBIG;
	return -1;
}

static size_t
read_secret_file(const char *path, const char *what, char *buffer, size_t size, struct stat *status)
{
	int			file = open_secret_file(path, what, status);
	ssize_t		length = read_all(file, buffer, size);
	int			error = errno;

	close(file);
	if (length < 0)
	{
		OPENSSL_cleanse(buffer, size);
		errno = error;
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not read %s \"%s\": %m", what, path));
	}
	return (size_t) length;
}

size_t
secret_file_read(const char *path, const char *what, char *buffer, size_t size)
{
	struct stat status;

	return read_secret_file(path, what, buffer, size, &status);
}

/* ---------- the provider ---------- */

#define KEY_FILE "master key file"

static const char *
file_check(const char *path)
{
	return path[0] == '/' ? NULL : "The path of the file must be absolute, as in \"file:/etc/appflow.key\".";
}

static size_t
file_read(const char *path, char *buffer, size_t size)
{
	struct stat status;
	size_t		length = read_secret_file(path, KEY_FILE, buffer, size, &status);

	last_read.device = status.st_dev;
	last_read.inode = status.st_ino;
	last_read.size = status.st_size;
	last_read.modified = status.st_mtim;
	last_read.changed = status.st_ctim;
	return length;
}

static bool
file_unchanged(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 &&
		status.st_dev == last_read.device && status.st_ino == last_read.inode &&
		status.st_size == last_read.size &&
		memcmp(&status.st_mtim, &last_read.modified, sizeof(struct timespec)) == 0 &&
		memcmp(&status.st_ctim, &last_read.changed, sizeof(struct timespec)) == 0;
}

const KeyProvider key_file_provider = {"file:", file_check, file_read, file_unchanged};

/* ---------- writing ---------- */

/* A line "id:key" with a new key; its length. */
static size_t
new_key_line(char *line, size_t size)
{
	uint8_t		key[SEAL_KEY_SIZE];
	char		id[KEYRING_ID_SIZE];
	size_t		length;

	if (RAND_priv_bytes(key, sizeof(key)) != 1)
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not generate a random key"));
	keyring_id(key, id);
	length = (size_t) snprintf(line, size, "%s:", id);
	for (int i = 0; i < SEAL_KEY_SIZE; i++)
	{
		line[length++] = "0123456789abcdef"[key[i] >> 4];
		line[length++] = "0123456789abcdef"[key[i] & 15];
	}
	line[length++] = '\n';
	Assert(length < size);
	OPENSSL_cleanse(key, sizeof(key));
	return length;
}

/* Fill a new file, and see that it stays; false with errno. */
static bool
write_all(int file, const char *text, size_t length)
{
	size_t		written = 0;

	while (written < length)
	{
		ssize_t		n = write(file, text + written, length - written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
		{
			errno = n == 0 ? ENOSPC : errno;
			return false;
		}
		written += (size_t) n;
	}
	return pg_fsync(file) == 0;
}

static void
sync_directory(const char *path)
{
	char		directory[MAXPGPATH];

	strlcpy(directory, path, sizeof(directory));
	get_parent_directory(directory);
	fsync_fname(directory[0] != '\0' ? directory : "/", true);
}

/* The real path of a file that need not exist, in a directory that does. */
static void
real_path_of_new(const char *path, char *real)
{
	char		directory[MAXPGPATH];
	char		real_directory[PATH_MAX];
	const char *name;

	if (path[0] != '/' || strlen(path) >= MAXPGPATH)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the path of a master key file must be absolute, and shorter than %d bytes", MAXPGPATH));
	name = strrchr(path, '/') + 1;
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"%s\" does not name a file", path));
	memcpy(directory, path, (size_t) (name - path));
	directory[name - path] = '\0';
	if (realpath(directory, real_directory) == NULL)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not find directory \"%s\": %m", directory));
	refuse_cluster(real_directory, path, KEY_FILE);
	if (strlen(real_directory) + strlen(name) + 2 > MAXPGPATH)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the path of a master key file must be absolute, and shorter than %d bytes", MAXPGPATH));
	snprintf(real, MAXPGPATH, "%s/%s", strcmp(real_directory, "/") == 0 ? "" : real_directory, name);
}

void
key_file_create(const char *path)
{
	char		real[MAXPGPATH];
	char		line[KEYRING_ID_SIZE + 2 * SEAL_KEY_SIZE + 8];
	size_t		length;
	int			file;
	bool		written;
	int			error;

	real_path_of_new(path, real);
	length = new_key_line(line, sizeof(line));
	file = BasicOpenFilePerm(real, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	error = errno;
	written = file >= 0 && fchmod(file, 0600) == 0 && write_all(file, line, length);
	if (file >= 0 && !written)
	{
		error = errno;
		(void) unlink(real);
	}
	if (file >= 0)
		close(file);
	OPENSSL_cleanse(line, sizeof(line));
	if (!written)
	{
		errno = error;
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not create master key file \"%s\": %m", path),
				error == EEXIST ? errhint("A file that exists is never written over: the keys in it may be in use.") : 0);
	}
	sync_directory(real);
}

/*
 * The file with the new key is written beside the old one and takes its place
 * when it is complete.  That it cannot be created twice keeps two sessions from
 * doing this at once, so it is created before the old file is read.
 */
void
key_file_add(const char *path)
{
	char		real[PATH_MAX];
	char		beside[PATH_MAX + 8];
	char	   *text;
	size_t		length;
	struct stat status;
	int			file;

	if (realpath(path, real) == NULL || strlen(real) + sizeof(".new") > MAXPGPATH)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not find master key file \"%s\": %m", path));
	snprintf(beside, sizeof(beside), "%s.new", real);
	text = OPENSSL_zalloc(KEYRING_MAX_TEXT);
	if (text == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	file = BasicOpenFilePerm(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
	{
		int			error = errno;

		OPENSSL_free(text);
		errno = error;
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not create file \"%s\": %m", beside),
				error == EEXIST ? errhint("Another session adds a key at this moment, or one was stopped when it did; in that case remove the file.") : 0);
	}

	PG_TRY();
	{
		length = new_key_line(text, KEYRING_MAX_TEXT);
		length += read_secret_file(real, KEY_FILE, text + length, KEYRING_MAX_TEXT - length, &status);
		if (status.st_size == SEAL_KEY_SIZE)
		{
			uint8_t		key[SEAL_KEY_SIZE];
			char		id[KEYRING_ID_SIZE];

			/* bare bytes become a line like the others */
			length -= SEAL_KEY_SIZE;
			memcpy(key, text + length, SEAL_KEY_SIZE);
			keyring_id(key, id);
			length += (size_t) snprintf(text + length, KEYRING_MAX_TEXT - length, "%s:", id);
			for (int i = 0; i < SEAL_KEY_SIZE; i++)
			{
				text[length++] = "0123456789abcdef"[key[i] >> 4];
				text[length++] = "0123456789abcdef"[key[i] & 15];
			}
			text[length++] = '\n';
			OPENSSL_cleanse(key, sizeof(key));
		}
		if (fchmod(file, status.st_mode & 0600) != 0 || !write_all(file, text, length))
			ereport(ERROR,
					errcode_for_file_access(),
					errmsg("could not write file \"%s\": %m", beside));
		durable_rename(beside, real, ERROR);
	}
	PG_CATCH();
	{
		close(file);
		(void) unlink(beside);
		OPENSSL_clear_free(text, KEYRING_MAX_TEXT);
		PG_RE_THROW();
	}
	PG_END_TRY();
	close(file);
	OPENSSL_clear_free(text, KEYRING_MAX_TEXT);
}
