/*-------------------------------------------------------------------------
 *
 * object_store.h
 *	  The table of object stores.
 *
 * All functions need a transaction.  They read and write the extension's tables
 * as their owner whoever asks: the right to is that of the function or flow
 * that leads here.
 *
 * IDENTIFICATION
 *	  src/catalog/object_store.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_OBJECT_STORE_H
#define APPFLOW_CATALOG_OBJECT_STORE_H

#include "postgres.h"

#include "store/store.h"

/* An object store as registered: config, and the patterns of its buckets. */
typedef struct ObjectStoreEntry
{
	ObjectStoreConfig config;
	bool		path_style_set; /* whether config.path_style was chosen */
	List	   *buckets;		/* of char * */
} ObjectStoreEntry;

/*
 * The store that serves a bucket, opened in the current memory context, where it
 * outlives the transaction.  Of the stores with a matching pattern, the most
 * specific one: without wildcards before with, then the one with more literal
 * characters, then the first by name.  Raises ResourceNotFoundException if no
 * store serves the bucket, and AccessDeniedException if the user was not granted
 * the use of it.
 */
extern ObjectStore *object_store_for_bucket(const char *bucket);

/*
 * The same for another role than the user: a flow's owner, when its flow runs.
 * InvalidOid: nobody is asked for; to clean up.
 */
extern ObjectStore *object_store_for_bucket_as(const char *bucket, Oid role);

/* Raise that AccessDeniedException; nothing is said of a bucket that no store serves. */
extern void object_store_check_bucket(const char *bucket, Oid role);

/*
 * The entry of that name, or NULL; locked against changes with for_update.
 * Without its credentials if they are not wanted, so that others can take the
 * place of those that do not open.
 */
extern ObjectStoreEntry *object_store_get(const char *name, bool for_update, bool credentials);

/* Insert; false if the name is taken. */
extern bool object_store_insert(const ObjectStoreEntry *entry);

/* Replace the entry of that name, which object_store_get() has locked. */
extern void object_store_update(const ObjectStoreEntry *entry);

/* Delete; false if there is none. */
extern bool object_store_delete(const char *name);

/* Does a name match a pattern, in which * stands for any text and ? for one byte? */
extern bool bucket_matches(const char *pattern, const char *bucket);

#endif							/* APPFLOW_CATALOG_OBJECT_STORE_H */
