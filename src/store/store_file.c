/*-------------------------------------------------------------------------
 *
 * store_file.c
 *	  A directory as an object store: its folders are the buckets.
 *
 * Symbolic links, devices and the like are not objects: they are neither listed
 * nor read.  Names of files are taken as text in the encoding of the database.
 *
 * IDENTIFICATION
 *	  src/store/store_file.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/string.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/record.h"
#include "storage/fd.h"
#include "store/store_file.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* ---------- paths ---------- */

int
file_store_open_root(const char *root)
{
	return open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
file_store_sync_folder(int folder)
{
	if (pg_fsync(folder) != 0 && errno != EBADF && errno != EINVAL)
		return -1;
	return 0;
}

int
file_store_walk(int folder, const char *path, size_t length, mode_t create)
{
	const char *end = path + length;

	while (folder >= 0 && path < end)
	{
		const char *slash = memchr(path, '/', end - path);
		size_t		n = (slash != NULL ? slash : end) - path;
		char		name[NAME_MAX + 1];
		bool		created = false;
		int			refused = 0;
		int			next;
		int			saved_errno;

		if (n == 0 || n > NAME_MAX)
		{
			close(folder);
			errno = n == 0 ? ENOENT : ENAMETOOLONG;
			return -1;
		}
		memcpy(name, path, n);
		name[n] = '\0';

		if (create != 0 && mkdirat(folder, name, create) == 0)
			created = true;
		else if (create != 0)
			refused = errno;
		next = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		/* the server's umask is for its own files, not for what it exports */
		if (created && next >= 0 &&
			(fchmod(next, create) != 0 || file_store_sync_folder(folder) != 0))
		{
			saved_errno = errno;
			close(next);
			errno = saved_errno;
			next = -1;
		}

		/* that it is not there is only the consequence */
		if (next < 0 && errno == ENOENT && refused != 0 && refused != EEXIST)
			errno = refused;
		saved_errno = errno;
		close(folder);
		errno = saved_errno;

		folder = next;
		path += n + (slash != NULL ? 1 : 0);
	}
	return folder;
}

size_t
file_store_folder_length(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash == NULL ? 0 : slash - key + 1;
}

/* Is every component of a path's first length bytes a plain name? */
static bool
plain_components(const char *path, size_t length)
{
	const char *end = path + length;

	for (;;)
	{
		const char *slash = memchr(path, '/', end - path);
		size_t		n = (slash != NULL ? slash : end) - path;

		if (n == 0 || n > NAME_MAX ||
			(n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (slash == NULL)
			return true;
		path = slash + 1;
	}
}

void
file_store_check_key(const char *key)
{
	if (!plain_components(key, strlen(key)))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("a directory store cannot hold an object of key \"%s\"", key),
				errhint("Its keys are paths: no part between the slashes may be empty, \".\", \"..\", or longer than %d bytes.",
						NAME_MAX));
}

int
file_store_open_bucket(const FileStore *store, const char *bucket)
{
	int			root = file_store_open_root(store->root);
	int			folder;

	if (root < 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not open directory \"%s\" of object store \"%s\": %m",
					   store->root, store->base.name));
	folder = file_store_walk(root, bucket, strlen(bucket), 0);
	if (folder < 0)
	{
		if (errno == ENOENT)
			ereport(ERROR,
					appflow_error(WF_NOT_FOUND),
					errmsg("bucket \"%s\" does not exist in object store \"%s\"",
						   bucket, store->base.name),
					errhint("Its buckets are the folders of \"%s\".", store->root));
		if (errno == ENOTDIR || errno == ELOOP)
			ereport(ERROR,
					appflow_error(WF_NOT_FOUND),
					errmsg("bucket \"%s\" of object store \"%s\" is not a folder",
						   bucket, store->base.name),
					errhint("Symbolic links below \"%s\" are not followed.", store->root));
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not open bucket \"%s\" of object store \"%s\": %m",
					   bucket, store->base.name));
	}
	return folder;
}

/* ---------- open ---------- */

/*
 * The path of a "file:///dir" URL (RFC 8089), percent-decoded and without
 * trailing slashes.
 */
static char *
endpoint_path(const ObjectStoreConfig *config)
{
	const char *from = config->endpoint + strlen("file:");
	char	   *path;
	char	   *to;

	if (strncmp(from, "///", 3) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("endpoint \"%s\" of object store \"%s\" is not valid",
					   config->endpoint, config->name),
				errhint("The endpoint of a directory is its absolute path as in \"file:///srv/lake\"."));
	from += 2;

	path = to = palloc(strlen(from) + 1);
	while (*from != '\0')
	{
		char		c = *from++;

		if (c == '%')
		{
			char		digits[3] = {from[0], from[0] != '\0' ? from[1] : '\0', '\0'};

			if (strspn(digits, "0123456789abcdefABCDEF") != 2 || strcmp(digits, "00") == 0)
				ereport(ERROR,
						appflow_error(WF_VALIDATION),
						errmsg("endpoint \"%s\" of object store \"%s\" is not valid",
							   config->endpoint, config->name),
						errhint("Write a percent sign as \"%%25\"."));
			c = (char) strtol(digits, NULL, 16);
			from += 2;
		}
		*to++ = c;
	}
	while (to > path + 1 && to[-1] == '/')
		to--;
	*to = '\0';
	return path;
}

/* Is the directory inner outer itself or below it?  Both are real paths. */
static bool
path_contains(const char *outer, const char *inner)
{
	size_t		n = strlen(outer);

	if (n > 0 && outer[n - 1] == '/')
		n--;
	return strncmp(outer, inner, n) == 0 && (inner[n] == '/' || inner[n] == '\0');
}

static void
refuse_overlap(const ObjectStoreConfig *config, const char *real_root, const char *own)
{
	char	   *real_own = realpath(own, NULL);
	bool		overlap;

	if (real_own == NULL)
		return;
	overlap = path_contains(real_own, real_root) || path_contains(real_root, real_own);
	free(real_own);
	if (overlap)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("directory of object store \"%s\" must not hold or be part of the database cluster's own files",
					   config->name),
				errhint("Give the object store a directory of its own."));
}

void
file_store_validate(const ObjectStoreConfig *config)
{
	char	   *path = endpoint_path(config);
	char		real_root[PATH_MAX];
	struct stat status;
	DIR		   *tablespaces;
	struct dirent *entry;

	if (config->region != NULL || config->access_key_id != NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("object store \"%s\" is a directory, which takes neither a region nor credentials",
					   config->name));
	if (realpath(path, real_root) == NULL || stat(real_root, &status) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("could not find directory \"%s\" of object store \"%s\": %m",
					   path, config->name),
				errhint("Create the directory on the database server first."));
	if (!S_ISDIR(status.st_mode))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("endpoint of object store \"%s\" is not valid: \"%s\" is not a directory",
					   config->name, path));

	refuse_overlap(config, real_root, DataDir);
	refuse_overlap(config, real_root, "pg_wal");
	tablespaces = AllocateDir("pg_tblspc");
	while ((entry = ReadDir(tablespaces, "pg_tblspc")) != NULL)
	{
		if (entry->d_name[0] != '.')
			refuse_overlap(config, real_root, psprintf("pg_tblspc/%s", entry->d_name));
	}
	FreeDir(tablespaces);

	if (faccessat(AT_FDCWD, real_root, R_OK | W_OK | X_OK, AT_EACCESS) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the database server may not write to directory \"%s\" of object store \"%s\": %m",
					   path, config->name),
				errhint("Give the operating system's user that the server runs as all rights on the directory."));
}

/* ---------- list ---------- */

typedef struct ListEntry
{
	char	   *name;			/* that of a folder ends in '/' */
	int64		size;
	TimestampTz last_modified;
} ListEntry;

/* a folder that is being listed */
typedef struct ListLevel
{
	struct ListLevel *parent;
	MemoryContext context;		/* holds all of the level */
	char	   *folder;			/* path from the bucket, ending in '/' unless empty */
	ListEntry  *entries;		/* in order */
	size_t		nentries;
	size_t		next;
} ListLevel;

typedef struct FileList
{
	ObjectList	base;
	const FileStore *store;
	MemoryContext context;		/* holds this and the levels */
	char	   *bucket;
	ListLevel  *level;			/* innermost one, NULL at the end */
	char	   *key;			/* of the last object given */
} FileList;

static int
compare_entries(const void *a, const void *b)
{
	return strcmp(((const ListEntry *) a)->name, ((const ListEntry *) b)->name);
}

static void
add_entry(FileList *list, ListLevel *level, size_t *room, DIR *dir, const char *name,
		  const char *start)
{
	struct stat status;
	ListEntry  *entry;

	/* start has no slash, so the one behind a folder's name never decides */
	if (strncmp(name, start, strlen(start)) != 0)
		return;
	if (fstatat(dirfd(dir), name, &status, AT_SYMLINK_NOFOLLOW) != 0)
	{
		/* gone since: it was never there */
		if (errno == ENOENT)
			return;
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not look at \"%s%s\" in bucket \"%s\": %m",
					   level->folder, name, list->bucket));
	}
	if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
		return;
	if (!pg_verifymbstr(name, strlen(name), true))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("bucket \"%s\" has a file in folder \"%s\" whose name is not valid in encoding \"%s\"",
					   list->bucket, level->folder, GetDatabaseEncodingName()));

	if (level->nentries == *room)
	{
		*room = *room == 0 ? 64 : *room * 2;
		level->entries = level->entries == NULL
			? palloc(*room * sizeof(ListEntry))
			: repalloc_huge(level->entries, *room * sizeof(ListEntry));
	}
	entry = &level->entries[level->nentries++];
	entry->name = S_ISDIR(status.st_mode) ? psprintf("%s/", name) : pstrdup(name);
	entry->size = status.st_size;
	entry->last_modified = time_t_to_timestamptz(status.st_mtim.tv_sec) +
		status.st_mtim.tv_nsec / 1000;
}

static void
close_dir(void *dir)
{
	closedir(dir);
}

/*
 * Descend into a folder: take its entries whose names begin with start.  Sorted
 * with the slash of folders, so that going through them depth first gives whole
 * keys in byte order: "a-b" before "a/b" before "a0".  folder is taken over; a
 * missing one has no entries.
 */
static void
push_level(FileList *list, const char *folder, const char *start)
{
	MemoryContext context = AllocSetContextCreate(list->context, "appflow folder",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ListLevel  *level = palloc0(sizeof(ListLevel));
	Owned	   *opened = own_in_context(context, close_dir);
	int			fd;
	DIR		   *dir;

	level->parent = list->level;
	level->context = context;
	level->folder = pstrdup(folder);

	fd = file_store_open_bucket(list->store, list->bucket);
	fd = file_store_walk(fd, folder, strlen(folder), 0);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL)
	{
		int			saved_errno = errno;

		if (fd >= 0)
			close(fd);
		errno = saved_errno;
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("could not list folder \"%s\" of bucket \"%s\": %m",
						   folder, list->bucket));
	}
	else
	{
		struct dirent *found;
		size_t		room = 0;

		opened->object = dir;
		while (errno = 0, (found = readdir(dir)) != NULL)
		{
			CHECK_FOR_INTERRUPTS();
			if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
				add_entry(list, level, &room, dir, found->d_name, start);
		}
		if (errno != 0)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("could not list folder \"%s\" of bucket \"%s\": %m",
						   folder, list->bucket));
		own_release(opened);
	}
	if (level->nentries > 1)
		qsort(level->entries, level->nentries, sizeof(ListEntry), compare_entries);
	list->level = level;
	MemoryContextSwitchTo(old);
}

static ObjectList *
file_store_list(ObjectStore *store, const char *bucket, const char *prefix)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow object list",
												  ALLOCSET_SMALL_SIZES);
	FileList   *list = MemoryContextAllocZero(context, sizeof(FileList));
	size_t		folder_length = file_store_folder_length(prefix);

	list->base.methods = store->methods;
	list->store = (const FileStore *) store;
	list->context = context;
	list->bucket = MemoryContextStrdup(context, bucket);

	/* a prefix that is no path is that of no key; but the bucket must exist */
	if (folder_length == 0 || plain_components(prefix, folder_length - 1))
		push_level(list, pnstrdup(prefix, folder_length), prefix + folder_length);
	else
		close(file_store_open_bucket(list->store, bucket));
	return &list->base;
}

static bool
file_store_list_next(ObjectList *base, ObjectInfo *info)
{
	FileList   *list = (FileList *) base;

	for (;;)
	{
		ListLevel  *level = list->level;
		ListEntry  *entry;
		char	   *path;

		CHECK_FOR_INTERRUPTS();
		if (level == NULL)
			return false;
		if (level->next == level->nentries)
		{
			list->level = level->parent;
			MemoryContextDelete(level->context);
			continue;
		}

		entry = &level->entries[level->next++];
		path = MemoryContextAlloc(list->context, strlen(level->folder) + strlen(entry->name) + 1);
		strcpy(path, level->folder);
		strcat(path, entry->name);
		if (path[strlen(path) - 1] == '/')
		{
			push_level(list, path, "");
			pfree(path);
			continue;
		}

		if (list->key != NULL)
			pfree(list->key);
		list->key = path;
		info->key = path;
		info->size = entry->size;
		info->last_modified = entry->last_modified;
		return true;
	}
}

static void
file_store_list_close(ObjectList *base)
{
	MemoryContextDelete(((FileList *) base)->context);
}

/* ---------- read ---------- */

typedef struct FileReader
{
	ObjectReader base;
	int			fd;				/* -1: closed */
	char	   *bucket;
	char	   *key;
	struct stat status;			/* when it was opened */
	int64		bytes;			/* read so far */
	MemoryContextCallback callback;
} FileReader;

static void
close_reader(void *arg)
{
	FileReader *reader = arg;

	if (reader->fd >= 0)
	{
		close(reader->fd);
		ReleaseExternalFD();
		reader->fd = -1;
	}
}

static void
object_missing(const char *bucket, const char *key)
{
	ereport(ERROR,
			appflow_error(WF_NOT_FOUND),
			errmsg("object \"%s\" does not exist in bucket \"%s\"", key, bucket));
}

static ObjectReader *
file_store_read(ObjectStore *base, const char *bucket, const char *key)
{
	FileReader *reader = palloc0(sizeof(FileReader));
	size_t		folder_length = file_store_folder_length(key);
	int			folder;

	file_store_check_key(key);
	reader->base.methods = base->methods;
	reader->fd = -1;
	reader->bucket = pstrdup(bucket);
	reader->key = pstrdup(key);
	reader->callback.func = close_reader;
	reader->callback.arg = reader;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &reader->callback);

	folder = file_store_walk(file_store_open_bucket((const FileStore *) base, bucket),
							 key, folder_length, 0);
	if (folder >= 0)
	{
		int			saved_errno;

		/* O_NONBLOCK: opening a pipe must not wait for somebody to write into it */
		if (AcquireExternalFD())
		{
			reader->fd = openat(folder, key + folder_length,
								O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
			saved_errno = errno;
			if (reader->fd < 0)
				ReleaseExternalFD();
		}
		else
			saved_errno = errno;
		close(folder);
		errno = saved_errno;
	}
	if (reader->fd < 0)
	{
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO)
			object_missing(bucket, key);
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not open object \"%s\" of bucket \"%s\": %m", key, bucket));
	}
	if (fstat(reader->fd, &reader->status) != 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not look at object \"%s\" of bucket \"%s\": %m", key, bucket));
	if (!S_ISREG(reader->status.st_mode))
		object_missing(bucket, key);

	/* the kernel reads ahead while the caller works; only a hint */
	(void) posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return &reader->base;
}

static size_t
file_store_read_some(ObjectReader *base, char *buffer, size_t size)
{
	FileReader *reader = (FileReader *) base;
	struct stat status;
	ssize_t		n;

	Assert(size > 0);
	do
	{
		CHECK_FOR_INTERRUPTS();
		n = read(reader->fd, buffer, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not read object \"%s\" of bucket \"%s\": %m",
					   reader->key, reader->bucket));
	reader->bytes += n;
	if (n > 0 && reader->bytes <= reader->status.st_size)
		return n;

	/* at the end, or past the end that it had */
	if (reader->bytes != reader->status.st_size ||
		fstat(reader->fd, &status) != 0 ||
		status.st_size != reader->status.st_size ||
		status.st_mtim.tv_sec != reader->status.st_mtim.tv_sec ||
		status.st_mtim.tv_nsec != reader->status.st_mtim.tv_nsec)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("object \"%s\" of bucket \"%s\" was changed while it was read",
					   reader->key, reader->bucket),
				errhint("Put finished files in place by renaming them."));
	return 0;
}

static void
file_store_read_close(ObjectReader *base)
{
	close_reader(base);
}

/* ---------- the rest ---------- */

static void
file_store_delete(ObjectStore *base, const char *bucket, const char *key)
{
	size_t		folder_length = file_store_folder_length(key);
	int			folder;

	file_store_check_key(key);
	folder = file_store_open_bucket((const FileStore *) base, bucket);
	folder = file_store_walk(folder, key, folder_length, 0);
	if (folder >= 0)
	{
		const char *name = key + folder_length;
		struct stat status;
		bool		gone;
		int			saved_errno;

		/* only what could be listed can be deleted */
		errno = 0;
		gone = fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(status.st_mode) ||
			(unlinkat(folder, name, 0) == 0 && file_store_sync_folder(folder) == 0);
		saved_errno = errno;
		close(folder);
		if (gone && (saved_errno == 0 || saved_errno == ENOENT))
			return;
		errno = saved_errno;
	}
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return;
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("could not delete object \"%s\" of bucket \"%s\": %m", key, bucket));
}

static const StoreMethods file_store_methods = {
	.list = file_store_list,
	.list_next = file_store_list_next,
	.list_close = file_store_list_close,
	.read = file_store_read,
	.read_some = file_store_read_some,
	.read_close = file_store_read_close,
	.write = file_store_write,
	.write_some = file_store_write_some,
	.write_seal = file_store_write_seal,
	.write_finish = file_store_write_finish,
	.sweep = file_store_sweep,
	.delete = file_store_delete,
};

ObjectStore *
file_store_open(const ObjectStoreConfig *config)
{
	FileStore  *store = palloc0(sizeof(FileStore));

	store->base.methods = &file_store_methods;
	store->base.name = pstrdup(config->name);
	store->root = endpoint_path(config);
	return &store->base;
}
