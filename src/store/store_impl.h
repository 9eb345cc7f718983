/*-------------------------------------------------------------------------
 *
 * store_impl.h
 *	  What an implementation of object stores provides.
 *
 * Each implementation embeds the structures below as first members of its own.
 * Names of buckets and keys have passed the general checks of store.c when a
 * method sees them; what an implementation cannot hold, it refuses itself.
 *
 * IDENTIFICATION
 *	  src/store/store_impl.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_STORE_IMPL_H
#define APPFLOW_STORE_IMPL_H

#include "postgres.h"

#include "store/store.h"

typedef struct StoreMethods
{
	ObjectList *(*list) (ObjectStore *store, const char *bucket, const char *prefix);
	bool		(*list_next) (ObjectList *list, ObjectInfo *info);
	void		(*list_close) (ObjectList *list);

	ObjectReader *(*read) (ObjectStore *store, const char *bucket, const char *key);
	size_t		(*read_some) (ObjectReader *reader, char *buffer, size_t size);
	void		(*read_close) (ObjectReader *reader);

	ObjectWriter *(*write) (ObjectStore *store, const char *bucket, const char *key,
							const char *content_type, const char *owner);
	void		(*write_some) (ObjectWriter *writer, const char *data, size_t length);
	void		(*write_seal) (ObjectWriter *writer);
	void		(*write_finish) (ObjectWriter *writer);

	void		(*sweep) (ObjectStore *store, const char *bucket, const char *prefix,
						  const char *owner);
	void		(*delete) (ObjectStore *store, const char *bucket, const char *key);
} StoreMethods;

struct ObjectStore
{
	const StoreMethods *methods;
	char	   *name;			/* as registered, for messages */
};

struct ObjectList
{
	const StoreMethods *methods;
};

struct ObjectReader
{
	const StoreMethods *methods;
};

struct ObjectWriter
{
	const StoreMethods *methods;
	bool		sealed;
	bool		done;			/* finished or aborted: nothing is staged any more */
};

/* store_file.c */
extern ObjectStore *file_store_open(const ObjectStoreConfig *config);
extern void file_store_validate(const ObjectStoreConfig *config);

/* store_s3.c */
extern ObjectStore *s3_store_open(const ObjectStoreConfig *config);
extern void s3_store_validate(const ObjectStoreConfig *config);

#endif							/* APPFLOW_STORE_IMPL_H */
