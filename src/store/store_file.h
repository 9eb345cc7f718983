/*-------------------------------------------------------------------------
 *
 * store_file.h
 *	  Inside of the directory store: what its reading and writing share.
 *
 * Every path below the root is walked component by component with openat() and
 * O_NOFOLLOW, from a descriptor of the root opened anew each time.  So neither
 * a key nor a symbolic link planted below the root leads out of it, and a store
 * holds no descriptor of its own.
 *
 * IDENTIFICATION
 *	  src/store/store_file.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_STORE_FILE_H
#define APPFLOW_STORE_FILE_H

#include "postgres.h"

#include <sys/stat.h>

#include "store/store_impl.h"

/* holds what is being written, beside the buckets; see store_file_write.c */
#define STAGING_FOLDER ".appflow"

typedef struct FileStore
{
	ObjectStore base;
	char	   *root;			/* absolute path of the directory */
} FileStore;

/* ---------- store_file.c ---------- */

/* Descriptor of the root, or -1 with errno. */
extern int	file_store_open_root(const char *root);

/*
 * Descriptor of the folder at the first length bytes of path below folder, which
 * is taken over (closed), or -1 with errno.  Missing folders are made with mode
 * create, unless that is 0.  Raises no errors.
 */
extern int	file_store_walk(int folder, const char *path, size_t length, mode_t create);

/* Descriptor of a bucket's folder; raises an error if there is none. */
extern int	file_store_open_bucket(const FileStore *store, const char *bucket);

/* Refuse keys that are no paths below a bucket. */
extern void file_store_check_key(const char *key);

/* bytes of key before its last component, that one's '/' included */
extern size_t file_store_folder_length(const char *key);

/* fsync() a folder; file systems that cannot are forgiven, as the server does */
extern int	file_store_sync_folder(int folder);

/* ---------- store_file_write.c ---------- */

extern ObjectWriter *file_store_write(ObjectStore *store, const char *bucket, const char *key,
									  const char *content_type, const char *owner);
extern void file_store_write_some(ObjectWriter *writer, const char *data, size_t length);
extern void file_store_write_seal(ObjectWriter *writer);
extern void file_store_write_finish(ObjectWriter *writer);
extern void file_store_sweep(ObjectStore *store, const char *bucket, const char *prefix,
							 const char *owner);

#endif							/* APPFLOW_STORE_FILE_H */
