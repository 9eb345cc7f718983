/*-------------------------------------------------------------------------
 *
 * object_store.c
 *	  The table of object stores, and their credentials.
 *
 * IDENTIFICATION
 *	  src/catalog/object_store.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/grant.h"
#include "catalog/object_store.h"
#include "catalog/pg_type.h"
#include "catalog/secret.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* ---------- credentials ---------- */

#define PURPOSE "object store"

/*
 * The three texts of the credentials as one secret: the lengths of the first two,
 * "+" or "-" for whether there is a third, then all of them.
 */
static void
put_credentials(const ObjectStoreConfig *config)
{
	const char *token = config->session_token != NULL ? config->session_token : "";
	size_t		size;
	char	   *text;

	if (config->access_key_id == NULL)
	{
		secret_delete(PURPOSE, config->name);
		return;
	}
	/* at once in its size, so that no part of it is left where it was enlarged */
	size = strlen(config->access_key_id) + strlen(config->secret_access_key) + strlen(token) + 64;
	text = palloc(size);
	snprintf(text, size, "%zu %zu %s %s %s %s",
			 strlen(config->access_key_id), strlen(config->secret_access_key),
			 config->session_token != NULL ? "+" : "-",
			 config->access_key_id, config->secret_access_key, token);
	secret_put(PURPOSE, config->name, text);
	secret_wipe(text);
}

/*
 * The credentials are parts of the secret's own text, which is wiped when the
 * memory context is.
 */
static void
get_credentials(ObjectStoreConfig *config)
{
	char	   *text = secret_get(PURPOSE, config->name);
	char	   *id;
	char	   *key;
	size_t		id_length;
	size_t		key_length;
	size_t		length;

	/* never use the server's own identity in their place */
	if (text == NULL)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("credentials of object store \"%s\" are missing", config->name),
				errhint("Set them with appflow.alter_object_store()."));
	id_length = strtoul(text, &id, 10);
	key_length = strtoul(id, &id, 10);
	length = strlen(id);

	/* sealed by put_credentials(), so this cannot be */
	if (length < 5 || id_length > length - 5 || key_length > length - 5 - id_length)
		elog(ERROR, "credentials of object store \"%s\" are not in their form", config->name);
	if (id[1] == '+')
		config->session_token = id + id_length + key_length + 5;
	id += 3;
	key = id + id_length + 1;
	id[id_length] = '\0';
	key[key_length] = '\0';
	config->access_key_id = id;
	config->secret_access_key = key;
}

/* What the view shows of them. */
static char *
masked(const char *access_key_id)
{
	size_t		length = access_key_id != NULL ? strlen(access_key_id) : 0;

	return access_key_id == NULL ? NULL
		: psprintf("****%s", length > 8 ? access_key_id + length - 4 : "");
}

/* ---------- reading ---------- */

#define ENTRY_COLUMNS \
	"name, endpoint, buckets, region, has_credentials, path_style IS NOT NULL, path_style"

/* Of the column "buckets", in the current memory context. */
static List *
patterns_of(uint64 row)
{
	bool		isnull;
	Datum		array = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 3, &isnull);
	Datum	   *elements;
	int			n;
	List	   *patterns = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		patterns = lappend(patterns, TextDatumGetCString(elements[i]));
	return patterns;
}

/* The entry in a row of ENTRY_COLUMNS, in the caller's memory context. */
static ObjectStoreEntry *
read_entry(const CatalogAccess *access, uint64 row, bool credentials)
{
	MemoryContext old = MemoryContextSwitchTo(access->caller);
	ObjectStoreEntry *entry = palloc0(sizeof(ObjectStoreEntry));

	entry->config.name = catalog_get_text(access, row, 1);
	entry->config.endpoint = catalog_get_text(access, row, 2);
	entry->buckets = patterns_of(row);
	entry->config.region = catalog_get_text(access, row, 4);
	entry->path_style_set = catalog_get_bool(row, 6);
	entry->config.path_style = entry->path_style_set ? catalog_get_bool(row, 7)
		: entry->config.endpoint != NULL;
	if (credentials && catalog_get_bool(row, 5))
		get_credentials(&entry->config);
	MemoryContextSwitchTo(old);
	return entry;
}

/* Wipe the credentials of an entry that read_entry() made. */
static void
wipe_credentials(ObjectStoreEntry *entry)
{
	secret_wipe(unconstify(char *, entry->config.access_key_id));
	secret_wipe(unconstify(char *, entry->config.secret_access_key));
	secret_wipe(unconstify(char *, entry->config.session_token));
}

/*
 * How well a pattern serves a bucket: -1 not at all, else the number of literal
 * bytes, and more than any pattern's if there is no wildcard.
 */
static int
pattern_rank(const char *pattern, const char *bucket)
{
	int			literal = 0;

	if (!bucket_matches(pattern, bucket))
		return -1;
	if (strpbrk(pattern, "*?") == NULL)
		return INT_MAX;
	for (const char *c = pattern; *c != '\0'; c++)
		literal += *c != '*' && *c != '?';
	return literal;
}

bool
bucket_matches(const char *pattern, const char *bucket)
{
	const char *star = NULL;	/* behind the last * met */
	const char *resume = NULL;	/* where what that * stands for ends */

	while (*bucket != '\0')
	{
		if (*pattern == '*')
		{
			star = ++pattern;
			resume = bucket;
		}
		else if (*pattern == '?' || *pattern == *bucket)
		{
			pattern++;
			bucket++;
		}
		else if (star != NULL)
		{
			pattern = star;
			bucket = ++resume;
		}
		else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/*
 * The entry of the store that serves a bucket, or NULL.  Which one does is the same
 * for everybody: a role is refused another's bucket, not led elsewhere.
 */
static ObjectStoreEntry *
entry_for_bucket(const char *bucket, Oid role, bool credentials)
{
	CatalogAccess access;
	ObjectStoreEntry *entry = NULL;
	uint64		nrows;
	int64		best = -1;
	int			best_rank = -1;

	catalog_begin(&access);
	nrows = catalog_execute("SELECT " ENTRY_COLUMNS " FROM appflow.object_store "
							"ORDER BY name COLLATE pg_catalog.\"C\"", 0, NULL);
	for (uint64 row = 0; row < nrows; row++)
	{
		List	   *patterns = patterns_of(row);
		ListCell   *cell;

		CHECK_FOR_INTERRUPTS();
		foreach(cell, patterns)
		{
			int			rank = pattern_rank(lfirst(cell), bucket);

			if (rank > best_rank)
			{
				best = row;
				best_rank = rank;
			}
		}
	}
	if (best >= 0)
	{
		char	   *name = catalog_get_text(&access, best, 1);

		if (OidIsValid(role) && !grant_of_bucket(name, bucket, role))
			ereport(ERROR,
					appflow_error(WF_ACCESS_DENIED),
					errmsg("role \"%s\" may not use bucket \"%s\"", GetUserNameFromId(role, true), bucket),
					errhint("An administrator can permit it with appflow.grant_object_store()."));
		entry = read_entry(&access, best, credentials);
	}
	catalog_end(&access);
	return entry;
}

void
object_store_check_bucket(const char *bucket, Oid role)
{
	(void) entry_for_bucket(bucket, role, false);
}

ObjectStore *
object_store_for_bucket(const char *bucket)
{
	return object_store_for_bucket_as(bucket, GetUserId());
}

ObjectStore *
object_store_for_bucket_as(const char *bucket, Oid role)
{
	ObjectStoreEntry *entry = entry_for_bucket(bucket, role, true);
	ObjectStore *store;

	if (entry == NULL)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("no object store serves bucket \"%s\"", bucket),
				errhint("An administrator registers object stores with appflow.create_object_store()."));
	store = store_open(&entry->config);
	wipe_credentials(entry);
	return store;
}

ObjectStoreEntry *
object_store_get(const char *name, bool for_update, bool credentials)
{
	CatalogAccess access;
	CatalogValue values[1];
	ObjectStoreEntry *entry = NULL;

	catalog_begin(&access);
	values[0] = catalog_text(name);
	if (catalog_execute(for_update
						? "SELECT " ENTRY_COLUMNS " FROM appflow.object_store "
						"WHERE name OPERATOR(pg_catalog.=) $1 FOR UPDATE"
						: "SELECT " ENTRY_COLUMNS " FROM appflow.object_store "
						"WHERE name OPERATOR(pg_catalog.=) $1", 1, values) > 0)
		entry = read_entry(&access, 0, credentials);
	catalog_end(&access);
	return entry;
}

/* ---------- writing ---------- */

/* The table's columns as arguments $1 to $7. */
static uint64
execute_with_entry(const char *statement, const ObjectStoreEntry *entry)
{
	const ObjectStoreConfig *config = &entry->config;
	int			nbuckets = list_length(entry->buckets);
	Datum	   *buckets = palloc(sizeof(Datum) * Max(nbuckets, 1));
	CatalogValue values[7];

	for (int i = 0; i < nbuckets; i++)
		buckets[i] = CStringGetTextDatum(list_nth(entry->buckets, i));

	values[0] = catalog_text(config->name);
	values[1] = catalog_text(config->endpoint);
	values[2].type = TEXTARRAYOID;
	values[2].value = PointerGetDatum(construct_array(buckets, nbuckets, TEXTOID, -1, false, TYPALIGN_INT));
	values[2].isnull = false;
	values[3] = catalog_text(config->region);
	values[4] = catalog_bool(config->path_style);
	values[4].isnull = !entry->path_style_set;
	values[5] = catalog_bool(config->access_key_id != NULL);
	values[6] = catalog_text(masked(config->access_key_id));
	return catalog_execute(statement, 7, values);
}

bool
object_store_insert(const ObjectStoreEntry *entry)
{
	CatalogAccess access;
	bool		inserted;

	catalog_begin(&access);
	inserted = execute_with_entry("INSERT INTO appflow.object_store "
								  "(name, endpoint, buckets, region, path_style, has_credentials, access_key_id) "
								  "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING", entry) > 0;
	catalog_end(&access);
	if (inserted)
		put_credentials(&entry->config);
	return inserted;
}

void
object_store_update(const ObjectStoreEntry *entry)
{
	CatalogAccess access;

	catalog_begin(&access);
	execute_with_entry("UPDATE appflow.object_store SET endpoint = $2, buckets = $3, region = $4, "
					   "path_style = $5, has_credentials = $6, access_key_id = $7, "
					   "last_updated_at = pg_catalog.clock_timestamp() "
					   "WHERE name OPERATOR(pg_catalog.=) $1", entry);
	catalog_end(&access);
	put_credentials(&entry->config);
}

bool
object_store_delete(const char *name)
{
	CatalogAccess access;
	CatalogValue values[1];
	bool		deleted;

	catalog_begin(&access);
	values[0] = catalog_text(name);
	deleted = catalog_execute("DELETE FROM appflow.object_store WHERE name OPERATOR(pg_catalog.=) $1",
							  1, values) > 0;
	catalog_end(&access);
	if (deleted)
	{
		secret_delete(PURPOSE, name);
		grant_forget(GRANT_OF_STORE, name);
	}
	return deleted;
}
