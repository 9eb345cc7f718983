/*-------------------------------------------------------------------------
 *
 * object_stores.c
 *	  Registration of object stores, and their objects by hand, in SQL.
 *
 * For administrators: EXECUTE on these functions is nobody's but the owner's
 * until it is granted.
 *
 * IDENTIFICATION
 *	  src/operations/object_stores.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/grant.h"
#include "catalog/object_store.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "store/store.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define MAX_NAME_LENGTH 256		/* bytes, of an object store's name */
#define READ_SIZE (256 * 1024)
#define ROUND_SIZE (64 * 1024)	/* what write_objects() gives to each in turn */

/* arguments of create_object_store() and alter_object_store() */
enum
{
	ARG_NAME,
	ARG_ENDPOINT,
	ARG_BUCKETS,
	ARG_REGION,
	ARG_ACCESS_KEY_ID,
	ARG_SECRET_ACCESS_KEY,
	ARG_SESSION_TOKEN,
	ARG_PATH_STYLE
};

PG_FUNCTION_INFO_V1(appflow_create_object_store);
PG_FUNCTION_INFO_V1(appflow_alter_object_store);
PG_FUNCTION_INFO_V1(appflow_drop_object_store);
PG_FUNCTION_INFO_V1(appflow_list_objects);
PG_FUNCTION_INFO_V1(appflow_read_object);
PG_FUNCTION_INFO_V1(appflow_write_object);
PG_FUNCTION_INFO_V1(appflow_write_objects);
PG_FUNCTION_INFO_V1(appflow_delete_object);
PG_FUNCTION_INFO_V1(appflow_remove_staged_objects);

/* ---------- registration ---------- */

/* Put a text argument into a member: null leaves it, an empty text removes it. */
static void
take_text(FunctionCallInfo fcinfo, int arg, const char **member)
{
	char	   *given;

	if (PG_ARGISNULL(arg))
		return;
	given = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	*member = given[0] == '\0' ? NULL : given;
}

List *
operation_bucket_patterns(ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	List	   *patterns = NIL;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *pattern = nulls[i] ? "" : TextDatumGetCString(elements[i]);
		bool		good = pattern[0] != '\0' && pattern[0] != '.';

		for (char *c = pattern; *c != '\0'; c++)
		{
			if ((unsigned char) *c <= ' ' || *c == 0x7f || strchr("/\\#%", *c) != NULL)
				good = false;
		}
		if (!good)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("\"%s\" is not a valid pattern of bucket names", pattern),
					errhint("A pattern is a bucket's name, in which * stands for any text and ? for any one character."));
		patterns = lappend(patterns, pattern);
	}
	if (patterns == NIL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("an object store must serve at least one pattern of bucket names"));
	return patterns;
}

static void
take_arguments(FunctionCallInfo fcinfo, ObjectStoreEntry *entry)
{
	ObjectStoreConfig *config = &entry->config;
	bool		keys_given = !PG_ARGISNULL(ARG_ACCESS_KEY_ID) || !PG_ARGISNULL(ARG_SECRET_ACCESS_KEY);

	take_text(fcinfo, ARG_ENDPOINT, &config->endpoint);
	take_text(fcinfo, ARG_REGION, &config->region);
	take_text(fcinfo, ARG_ACCESS_KEY_ID, &config->access_key_id);
	take_text(fcinfo, ARG_SECRET_ACCESS_KEY, &config->secret_access_key);

	/* a token belongs to its keys */
	if (keys_given)
		config->session_token = NULL;
	take_text(fcinfo, ARG_SESSION_TOKEN, &config->session_token);

	if (!PG_ARGISNULL(ARG_BUCKETS))
		entry->buckets = operation_bucket_patterns(PG_GETARG_ARRAYTYPE_P(ARG_BUCKETS));
	if (!PG_ARGISNULL(ARG_PATH_STYLE))
	{
		entry->path_style_set = true;
		config->path_style = PG_GETARG_BOOL(ARG_PATH_STYLE);
	}
	if (!entry->path_style_set)
		config->path_style = config->endpoint != NULL;
}

static void
check_entry(const ObjectStoreEntry *entry)
{
	const ObjectStoreConfig *config = &entry->config;

	if (entry->buckets == NIL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("buckets must not be null"));
	if ((config->access_key_id == NULL) != (config->secret_access_key == NULL))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("access_key_id and secret_access_key must be given together"));
	if (config->session_token != NULL && config->access_key_id == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("session_token needs access_key_id and secret_access_key"));
	store_validate(config);
}

/* The name argument, checked. */
static char *
store_name(FunctionCallInfo fcinfo)
{
	char	   *name;

	if (PG_ARGISNULL(ARG_NAME))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("name of an object store must not be null"));
	name = text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME));
	if (name[0] == '\0' || strlen(name) > MAX_NAME_LENGTH)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("name of an object store must have 1 to %d bytes", MAX_NAME_LENGTH));
	return name;
}

static void
store_missing(const char *name)
{
	ereport(ERROR,
			appflow_error(WF_NOT_FOUND),
			errmsg("object store \"%s\" does not exist", name),
			errhint("The view appflow.object_stores shows those that do."));
}

Datum
appflow_create_object_store(PG_FUNCTION_ARGS)
{
	ObjectStoreEntry entry = {0};

	entry.config.name = store_name(fcinfo);
	take_arguments(fcinfo, &entry);
	check_entry(&entry);
	if (!object_store_insert(&entry))
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("object store \"%s\" already exists", entry.config.name));

	/* an administrator who is no superuser can use what he registers */
	if (!superuser())
		grant_put(GRANT_OF_STORE, entry.config.name, GetUserId(), NULL);
	PG_RETURN_VOID();
}

Datum
appflow_alter_object_store(PG_FUNCTION_ARGS)
{
	char	   *name = store_name(fcinfo);
	bool		keys_given = !PG_ARGISNULL(ARG_ACCESS_KEY_ID) && !PG_ARGISNULL(ARG_SECRET_ACCESS_KEY);
	ObjectStoreEntry *entry = object_store_get(name, true, !keys_given);

	if (entry == NULL)
		store_missing(name);
	take_arguments(fcinfo, entry);
	check_entry(entry);
	object_store_update(entry);
	PG_RETURN_VOID();
}

Datum
appflow_drop_object_store(PG_FUNCTION_ARGS)
{
	char	   *name = store_name(fcinfo);

	if (!object_store_delete(name))
		store_missing(name);
	PG_RETURN_VOID();
}

/* ---------- objects ---------- */

Datum
appflow_list_objects(PG_FUNCTION_ARGS)
{
	char	   *bucket = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *prefix = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ObjectList *list;
	ObjectInfo	info;

	InitMaterializedSRF(fcinfo, 0);
	list = store_list(object_store_for_bucket(bucket), bucket, prefix);
	while (object_list_next(list, &info))
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		values[0] = CStringGetTextDatum(info.key);
		values[1] = Int64GetDatum(info.size);
		values[2] = TimestampTzGetDatum(info.last_modified);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		pfree(DatumGetPointer(values[0]));
	}
	object_list_close(list);
	return (Datum) 0;
}

Datum
appflow_read_object(PG_FUNCTION_ARGS)
{
	char	   *bucket = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ObjectReader *reader = store_read(object_store_for_bucket(bucket), bucket, key);
	size_t		room = READ_SIZE;
	size_t		length = VARHDRSZ;
	bytea	   *contents = palloc(room);
	size_t		n;

	while ((n = object_read(reader, (char *) contents + length, room - length)) > 0)
	{
		length += n;
		if (length < room)
			continue;
		if (room >= MaxAllocSize)
			ereport(ERROR,
					appflow_error(WF_UNSUPPORTED),
					errmsg("object \"%s\" of bucket \"%s\" is too large for a value", key, bucket),
					errdetail_internal("%s: the limit is %zu bytes",
									   appflow_exception_name(WF_UNSUPPORTED),
									   (size_t) MaxAllocSize - VARHDRSZ));
		room = Min(room * 2, MaxAllocSize);
		contents = repalloc(contents, room);
	}
	object_read_close(reader);
	SET_VARSIZE(contents, length);
	PG_RETURN_BYTEA_P(contents);
}

/* Name of the owner of what these functions stage. */
static char *
session_owner(void)
{
	return psprintf("session-%d", MyProcPid);
}

Datum
appflow_write_object(PG_FUNCTION_ARGS)
{
	char	   *bucket = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bytea	   *contents = PG_GETARG_BYTEA_PP(2);
	char	   *type = text_to_cstring(PG_GETARG_TEXT_PP(3));
	ObjectWriter *writer = store_write(object_store_for_bucket(bucket), bucket, key, type,
									   session_owner());

	object_write(writer, VARDATA_ANY(contents), VARSIZE_ANY_EXHDR(contents));
	object_write_finish(writer);
	PG_RETURN_VOID();
}

Datum
appflow_write_objects(PG_FUNCTION_ARGS)
{
	char	   *bucket = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *type = text_to_cstring(PG_GETARG_TEXT_PP(3));
	ObjectStore *store = object_store_for_bucket(bucket);
	Datum	   *keys;
	Datum	   *contents;
	bool	   *null_keys;
	bool	   *null_contents;
	int			nkeys;
	int			ncontents;
	ObjectWriter **writers;
	bool		more = true;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &keys, &null_keys, &nkeys);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), BYTEAOID, -1, false, TYPALIGN_INT,
					  &contents, &null_contents, &ncontents);
	if (nkeys != ncontents)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("there are %d keys for %d contents", nkeys, ncontents));

	writers = palloc(sizeof(ObjectWriter *) * Max(nkeys, 1));
	for (int i = 0; i < nkeys; i++)
	{
		if (null_keys[i] || null_contents[i])
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("keys and contents must not be null"));
		writers[i] = store_write(store, bucket, TextDatumGetCString(keys[i]), type, session_owner());
	}

	/* in turns, as the partitions of a flow's output come */
	for (size_t from = 0; more; from += ROUND_SIZE)
	{
		more = false;
		for (int i = 0; i < nkeys; i++)
		{
			bytea	   *value = DatumGetByteaPP(contents[i]);
			size_t		length = VARSIZE_ANY_EXHDR(value);

			if (from < length)
				object_write(writers[i], VARDATA_ANY(value) + from, Min(length - from, ROUND_SIZE));
			more = more || from + ROUND_SIZE < length;
		}
	}
	for (int i = 0; i < nkeys; i++)
		object_write_seal(writers[i]);
	for (int i = 0; i < nkeys; i++)
		object_write_finish(writers[i]);
	PG_RETURN_VOID();
}

Datum
appflow_delete_object(PG_FUNCTION_ARGS)
{
	char	   *bucket = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(1));

	store_delete(object_store_for_bucket(bucket), bucket, key);
	PG_RETURN_VOID();
}

Datum
appflow_remove_staged_objects(PG_FUNCTION_ARGS)
{
	char	   *bucket = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *owner = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *prefix = text_to_cstring(PG_GETARG_TEXT_PP(2));

	store_sweep(object_store_for_bucket(bucket), bucket, prefix, owner);
	PG_RETURN_VOID();
}
