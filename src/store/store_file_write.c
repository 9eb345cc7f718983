/*-------------------------------------------------------------------------
 *
 * store_file_write.c
 *	  Writing objects into a directory store.
 *
 * What is being written is staged as <root>/.appflow/<owner>/<number>, in folders
 * that only the server may enter, and renamed to its place when it is finished.
 * Neither the folder nor its files can be reached as bucket and key.
 *
 * A run that partitions its output may have hundreds of objects open.  Only the
 * latest few of a process hold a descriptor; the others are opened again for
 * appending when their buffer is full.
 *
 * Finished objects are readable by all and folders may be entered by all, as
 * files that COPY writes; who must not see them is kept out by the rights on the
 * root.
 *
 * IDENTIFICATION
 *	  src/store/store_file_write.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/ilist.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "storage/fd.h"
#include "store/store_file.h"
#include "utils/memutils.h"

#define BUFFER_SIZE (16 * 1024)
#define CHUNK_SIZE (1024 * 1024)	/* most to write between two checks for interrupts */
#define MAX_OPEN 32				/* descriptors that writers of a process hold */
#define FOLDER_MODE 0755
#define OBJECT_MODE 0644

typedef struct FileWriter
{
	ObjectWriter base;
	const FileStore *store;
	MemoryContext context;
	char	   *bucket;
	char	   *key;
	char	   *folder;			/* staging folder, from the root */
	char		name[16];		/* staged file in it; "": not made yet */
	int			fd;				/* -1: not open now */
	dlist_node	node;			/* in open_writers while fd is open */
	char	   *buffer;
	size_t		buffered;
	int64		bytes;			/* given to the file so far */
	MemoryContextCallback callback;
} FileWriter;

/* writers that hold a descriptor, the one used last in front */
static dlist_head open_writers = DLIST_STATIC_INIT(open_writers);
static int	open_writers_count = 0;

/* number of the next staged file */
static uint32 next_number = 1;

static void
write_failed(FileWriter *writer)
{
	if (errno == ENOSPC || errno == EDQUOT)
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR,
									 "It was being staged as \"%s/%s\" under \"%s\", which took " INT64_FORMAT " bytes of it.",
									 writer->folder, writer->name, writer->store->root,
									 writer->bytes),
				errmsg("could not write object \"%s\" of bucket \"%s\": %m",
					   writer->key, writer->bucket),
				errhint("The file system that holds \"%s\" is full.", writer->store->root));
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("could not write object \"%s\" of bucket \"%s\" under \"%s\": %m",
				   writer->key, writer->bucket, writer->store->root));
}

/* A directory cannot hold both "a" and "a/b". */
static void
name_clash(FileWriter *writer)
{
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("could not write object \"%s\" of bucket \"%s\": its key names a folder, or has an object for a folder",
				   writer->key, writer->bucket),
			errhint("In a directory store no key can be the beginning of another up to a slash, and symbolic links are not followed."));
}

/* ---------- descriptors ---------- */

/* Close without an error; returns 0, or -1 with errno. */
static int
release_fd(FileWriter *writer)
{
	int			result = 0;

	if (writer->fd >= 0)
	{
		result = close(writer->fd);
		ReleaseExternalFD();
		dlist_delete(&writer->node);
		open_writers_count--;
		writer->fd = -1;
	}
	return result;
}

/*
 * Make room for one more descriptor.  The counting one is acquired.
 */
static void
make_room(FileWriter *writer)
{
	while (open_writers_count >= MAX_OPEN || !AcquireExternalFD())
	{
		FileWriter *oldest;

		if (open_writers_count == 0)
		{
			errno = EMFILE;
			write_failed(writer);
		}
		oldest = dlist_tail_element(FileWriter, node, &open_writers);
		if (release_fd(oldest) != 0)
			write_failed(oldest);
	}
}

/*
 * Make sure the staged file is open, and made if it is not yet.  The writer
 * becomes the one used last.
 */
static void
ensure_open(FileWriter *writer)
{
	int			flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
	bool		create = writer->name[0] == '\0';
	int			tries = 0;

	if (writer->fd >= 0)
	{
		dlist_move_head(&open_writers, &writer->node);
		return;
	}

	make_room(writer);
	for (;;)
	{
		int			folder;
		int			saved_errno;
		char		name[sizeof(writer->name)];

		strlcpy(name, writer->name, sizeof(name));
		if (create)
			snprintf(name, sizeof(name), "%u", next_number++);
		folder = file_store_walk(file_store_open_root(writer->store->root),
								 writer->folder, strlen(writer->folder), create ? 0700 : 0);
		if (folder >= 0)
		{
			writer->fd = openat(folder, name, create ? flags | O_CREAT | O_EXCL : flags, 0600);
			saved_errno = errno;
			close(folder);
			errno = saved_errno;
		}
		if (writer->fd >= 0)
		{
			strlcpy(writer->name, name, sizeof(writer->name));
			dlist_push_head(&open_writers, &writer->node);
			open_writers_count++;
			return;
		}

		/*
		 * A number may be taken; and another run that ends may remove the empty
		 * folder between our making and using it.
		 */
		if (!create || (errno != EEXIST && errno != ENOENT) ||
			(errno == ENOENT && ++tries > 100))
			break;
	}
	ReleaseExternalFD();
	write_failed(writer);
}

/* Write to the staged file at once. */
static void
put_bytes(FileWriter *writer, const char *data, size_t length)
{
	ensure_open(writer);
	while (length > 0)
	{
		ssize_t		n;

		CHECK_FOR_INTERRUPTS();
		errno = 0;
		n = write(writer->fd, data, Min(length, CHUNK_SIZE));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
		{
			/* as elsewhere in the server: no reason given means no space */
			if (errno == 0)
				errno = ENOSPC;
			write_failed(writer);
		}
		writer->bytes += n;
		data += n;
		length -= n;
	}
}

static void
flush_buffer(FileWriter *writer)
{
	if (writer->buffered > 0)
	{
		put_bytes(writer, writer->buffer, writer->buffered);
		writer->buffered = 0;
	}
}

/* ---------- the writer ---------- */

/* Remove the folders for staging if nothing is left in them. */
static void
remove_empty_folders(const FileStore *store, const char *folder)
{
	size_t		length = file_store_folder_length(folder);
	int			staging = file_store_walk(file_store_open_root(store->root), folder, length, 0);
	bool		removed;

	if (staging < 0)
		return;
	removed = unlinkat(staging, folder + length, AT_REMOVEDIR) == 0;
	close(staging);
	if (removed)
	{
		int			root = file_store_open_root(store->root);

		if (root >= 0)
		{
			(void) unlinkat(root, STAGING_FOLDER, AT_REMOVEDIR);
			close(root);
		}
	}
}

/* Reset callback: remove what is staged. Raises no errors. */
static void
discard(void *arg)
{
	FileWriter *writer = arg;
	int			folder;

	if (writer->base.done)
		return;
	writer->base.done = true;
	(void) release_fd(writer);
	if (writer->name[0] == '\0')
		return;
	folder = file_store_walk(file_store_open_root(writer->store->root),
							 writer->folder, strlen(writer->folder), 0);
	if (folder >= 0)
	{
		(void) unlinkat(folder, writer->name, 0);
		close(folder);
		remove_empty_folders(writer->store, writer->folder);
	}
}

/*
 * Tell now what would only come out at the end: a key that clashes, a bucket on
 * another file system than the staging folder.
 */
static void
check_place(FileWriter *writer)
{
	size_t		folder_length = file_store_folder_length(writer->key);
	int			folder = file_store_open_bucket(writer->store, writer->bucket);
	struct stat bucket_status;
	struct stat status;
	bool		known = fstat(folder, &bucket_status) == 0;

	folder = file_store_walk(folder, writer->key, folder_length, 0);
	if (folder < 0)
	{
		if (errno == ENOTDIR || errno == ELOOP)
			name_clash(writer);
		if (errno != ENOENT)
			write_failed(writer);
	}
	else
	{
		bool		clash = fstatat(folder, writer->key + folder_length, &status,
									AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(status.st_mode);

		close(folder);
		if (clash)
			name_clash(writer);
	}

	ensure_open(writer);
	if (known && fstat(writer->fd, &status) == 0 && status.st_dev != bucket_status.st_dev)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("bucket \"%s\" of object store \"%s\" is on another file system than \"%s\"",
					   writer->bucket, writer->store->base.name, writer->store->root),
				errhint("Register its file system as an object store of its own."));
}

ObjectWriter *
file_store_write(ObjectStore *store, const char *bucket, const char *key,
				 const char *content_type, const char *owner)
{
	FileWriter *writer = palloc0(sizeof(FileWriter));

	file_store_check_key(key);
	writer->base.methods = store->methods;
	writer->store = (const FileStore *) store;
	writer->context = CurrentMemoryContext;
	writer->bucket = pstrdup(bucket);
	writer->key = pstrdup(key);
	writer->folder = psprintf(STAGING_FOLDER "/%s", owner);
	writer->fd = -1;
	writer->callback.func = discard;
	writer->callback.arg = writer;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &writer->callback);

	check_place(writer);
	return &writer->base;
}

void
file_store_write_some(ObjectWriter *base, const char *data, size_t length)
{
	FileWriter *writer = (FileWriter *) base;

	if (length > BUFFER_SIZE - writer->buffered)
		flush_buffer(writer);
	if (length >= BUFFER_SIZE)
	{
		put_bytes(writer, data, length);
		return;
	}
	if (writer->buffer == NULL)
		writer->buffer = MemoryContextAlloc(writer->context, BUFFER_SIZE);
	memcpy(writer->buffer + writer->buffered, data, length);
	writer->buffered += length;
}

void
file_store_write_seal(ObjectWriter *base)
{
	FileWriter *writer = (FileWriter *) base;

	flush_buffer(writer);
	if (writer->buffer != NULL)
		pfree(writer->buffer);
	writer->buffer = NULL;

	ensure_open(writer);
	if (fchmod(writer->fd, OBJECT_MODE) != 0 ||
		pg_fsync(writer->fd) != 0 ||
		release_fd(writer) != 0)
		write_failed(writer);
}

void
file_store_write_finish(ObjectWriter *base)
{
	FileWriter *writer = (FileWriter *) base;
	size_t		folder_length = file_store_folder_length(writer->key);
	int			bucket = file_store_open_bucket(writer->store, writer->bucket);
	int			folder = file_store_walk(bucket, writer->key, folder_length, FOLDER_MODE);
	int			staging = -1;
	int			saved_errno = 0;

	if (folder >= 0)
		staging = file_store_walk(file_store_open_root(writer->store->root),
								  writer->folder, strlen(writer->folder), 0);
	if (folder < 0 || staging < 0 ||
		renameat(staging, writer->name, folder, writer->key + folder_length) != 0)
		saved_errno = errno;
	else
	{
		writer->base.done = true;
		if (file_store_sync_folder(folder) != 0)
			saved_errno = errno;
	}
	if (staging >= 0)
		close(staging);
	if (folder >= 0)
		close(folder);

	if (saved_errno == ENOTDIR || saved_errno == EISDIR || saved_errno == ELOOP)
		name_clash(writer);
	if (saved_errno != 0)
	{
		errno = saved_errno;
		write_failed(writer);
	}
	remove_empty_folders(writer->store, writer->folder);
	pfree(writer->bucket);
	pfree(writer->key);
	pfree(writer->folder);
}

/*
 * Remove what a run that crashed left staged.  All of an owner lies in one
 * folder, whatever the bucket.
 */
void
file_store_sweep(ObjectStore *base, const char *bucket, const char *prefix, const char *owner)
{
	const FileStore *store = (const FileStore *) base;
	char	   *path = psprintf(STAGING_FOLDER "/%s", owner);
	int			folder = file_store_walk(file_store_open_root(store->root),
										 path, strlen(path), 0);
	DIR		   *dir = folder < 0 ? NULL : fdopendir(folder);
	struct dirent *entry;
	int			saved_errno;

	if (dir == NULL)
	{
		saved_errno = errno;
		if (folder >= 0)
			close(folder);
		errno = saved_errno;
		if (errno == ENOENT)
			return;
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not open \"%s\" under \"%s\": %m", path, store->root));
	}

	/* without a check for interrupts, which would leave the folder open */
	saved_errno = 0;
	while (saved_errno == 0 && (entry = readdir(dir)) != NULL)
	{
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			unlinkat(dirfd(dir), entry->d_name, 0) != 0 && errno != ENOENT)
			saved_errno = errno;
	}
	closedir(dir);
	errno = saved_errno;
	if (saved_errno != 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not remove a file in \"%s\" under \"%s\": %m", path, store->root));
	remove_empty_folders(store, path);
	pfree(path);
}
