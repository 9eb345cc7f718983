/*-------------------------------------------------------------------------
 *
 * store.h
 *	  Object stores: buckets of named objects behind one contract.
 *
 * Two implementations: a directory on the server's own disk (store_file.c,
 * endpoint file:///dir, whose first-level folders are the buckets) and the S3
 * protocol (store_s3.c).  All functions raise PostgreSQL errors and may be
 * cancelled at any point; what they hold is owned by the memory context they
 * were called in.
 *
 * IDENTIFICATION
 *	  src/store/store.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_STORE_H
#define APPFLOW_STORE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* What an administrator registered; see appflow.create_object_store(). */
typedef struct ObjectStoreConfig
{
	const char *name;			/* for messages */
	const char *endpoint;		/* file:///dir, https://host[:port], or NULL: AWS */
	const char *region;			/* NULL: from the credential chain, else us-east-1 */
	const char *access_key_id;	/* NULL: AWS credential chain */
	const char *secret_access_key;
	const char *session_token;
	bool		path_style;		/* bucket in the path; default for a custom endpoint */
} ObjectStoreConfig;

typedef struct ObjectStore ObjectStore;
typedef struct ObjectList ObjectList;
typedef struct ObjectReader ObjectReader;
typedef struct ObjectWriter ObjectWriter;

typedef struct ObjectInfo
{
	char	   *key;
	int64		size;
	TimestampTz last_modified;
} ObjectInfo;

/*
 * Open a store. Copies config; makes no network call. The store lives in the
 * memory context of the call, and must outlive what is opened through it.
 */
extern ObjectStore *store_open(const ObjectStoreConfig *config);

/*
 * Raise a clear error unless config could be served: the grammar of the
 * endpoint and, of a directory, that it exists, is writable and is no part of
 * the database. Makes no network call.
 */
extern void store_validate(const ObjectStoreConfig *config);

/*
 * The objects of a bucket whose key starts with prefix, in ascending byte order
 * of key, page by page.  Objects whose key ends in '/' (folder markers) are left
 * out.  object_list_next() returns false at the end; the info is valid until
 * the next call.
 */
extern ObjectList *store_list(ObjectStore *store, const char *bucket, const char *prefix);
extern bool object_list_next(ObjectList *list, ObjectInfo *info);
extern void object_list_close(ObjectList *list);

/*
 * Read an object from start to end.  object_read() fills buffer as far as bytes
 * are at hand and returns how many, 0 only at the end.  The transfer goes on
 * while the caller works.  An object that changes while it is read is an error,
 * as is one that ends early.
 */
extern ObjectReader *store_read(ObjectStore *store, const char *bucket, const char *key);
extern size_t object_read(ObjectReader *reader, char *buffer, size_t size);
extern void object_read_close(ObjectReader *reader);

/*
 * Write an object in the scope of a run.  Nothing is visible under the key until
 * object_write_finish(); an error, a cancel or a reset of the memory context
 * removes what was staged.  owner names the run; store_sweep() with the same
 * name removes whatever a crashed run left staged (temporary files, open
 * multipart uploads under prefix).  owner is letters, digits, '-', '_' and '.'.
 *
 * object_write_seal() sends all that is buffered and closes the contents, so
 * that finish has only to make them visible; a run with several objects
 * seals all before it finishes the first.  finish seals what is not sealed.
 */
extern ObjectWriter *store_write(ObjectStore *store, const char *bucket, const char *key,
								 const char *content_type, const char *owner);
extern void object_write(ObjectWriter *writer, const char *data, size_t length);
extern void object_write_seal(ObjectWriter *writer);
extern void object_write_finish(ObjectWriter *writer);

extern void store_sweep(ObjectStore *store, const char *bucket, const char *prefix,
						const char *owner);

/* Delete an object; one that does not exist is no error, as in S3. */
extern void store_delete(ObjectStore *store, const char *bucket, const char *key);

#endif							/* APPFLOW_STORE_H */
