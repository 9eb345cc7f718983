/*-------------------------------------------------------------------------
 *
 * store.c
 *	  Object stores: general checks, and the way to the implementation.
 *
 * IDENTIFICATION
 *	  src/store/store.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "record/errors.h"
#include "store/store_impl.h"

#define MAX_KEY_LENGTH 1024		/* bytes, the limit of S3 */

static bool
is_directory(const ObjectStoreConfig *config)
{
	return config->endpoint != NULL && pg_strncasecmp(config->endpoint, "file:", 5) == 0;
}

ObjectStore *
store_open(const ObjectStoreConfig *config)
{
	return is_directory(config) ? file_store_open(config) : s3_store_open(config);
}

void
store_validate(const ObjectStoreConfig *config)
{
	if (is_directory(config))
		file_store_validate(config);
	else
		s3_store_validate(config);
}

/*
 * A bucket name is checked for what would make it more than a name; which
 * names exist is the store's affair.
 */
static void
check_bucket_name(const char *bucket)
{
	bool		good = bucket[0] != '\0' && bucket[0] != '.' && strlen(bucket) <= 255;

	for (const char *c = bucket; *c != '\0' && good; c++)
	{
		if ((unsigned char) *c <= ' ' || *c == 0x7f || strchr("/\\?#%*", *c) != NULL)
			good = false;
	}
	if (!good)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not a valid bucket name", bucket));
}

static void
check_key(const char *key)
{
	if (key[0] == '\0')
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the key of an object must not be empty"));
	if (strlen(key) > MAX_KEY_LENGTH)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the key of an object must not be longer than %d bytes", MAX_KEY_LENGTH),
				errhint("The key begins with \"%.*s\".", 60, key));
}

/* The owner becomes part of names of files and keys. */
static void
check_owner(const char *owner)
{
	size_t		length = strlen(owner);

	if (length == 0 || length > 200 || owner[0] == '.' ||
		strspn(owner, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != length)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" cannot be the owner of staged objects", owner));
}

ObjectList *
store_list(ObjectStore *store, const char *bucket, const char *prefix)
{
	check_bucket_name(bucket);
	return store->methods->list(store, bucket, prefix == NULL ? "" : prefix);
}

bool
object_list_next(ObjectList *list, ObjectInfo *info)
{
	return list->methods->list_next(list, info);
}

void
object_list_close(ObjectList *list)
{
	list->methods->list_close(list);
}

ObjectReader *
store_read(ObjectStore *store, const char *bucket, const char *key)
{
	check_bucket_name(bucket);
	check_key(key);
	return store->methods->read(store, bucket, key);
}

size_t
object_read(ObjectReader *reader, char *buffer, size_t size)
{
	return reader->methods->read_some(reader, buffer, size);
}

void
object_read_close(ObjectReader *reader)
{
	reader->methods->read_close(reader);
}

ObjectWriter *
store_write(ObjectStore *store, const char *bucket, const char *key,
			const char *content_type, const char *owner)
{
	check_bucket_name(bucket);
	check_key(key);
	check_owner(owner);
	return store->methods->write(store, bucket, key, content_type, owner);
}

void
object_write(ObjectWriter *writer, const char *data, size_t length)
{
	if (writer->sealed || writer->done)
		elog(ERROR, "object is already sealed");
	writer->methods->write_some(writer, data, length);
}

void
object_write_seal(ObjectWriter *writer)
{
	if (writer->sealed || writer->done)
		return;
	writer->methods->write_seal(writer);
	writer->sealed = true;
}

void
object_write_finish(ObjectWriter *writer)
{
	if (writer->done)
		return;
	object_write_seal(writer);
	writer->methods->write_finish(writer);
	Assert(writer->done);
}

void
store_sweep(ObjectStore *store, const char *bucket, const char *prefix, const char *owner)
{
	check_bucket_name(bucket);
	check_owner(owner);
	store->methods->sweep(store, bucket, prefix == NULL ? "" : prefix, owner);
}

void
store_delete(ObjectStore *store, const char *bucket, const char *key)
{
	check_bucket_name(bucket);
	check_key(key);
	store->methods->delete(store, bucket, key);
}
