/*-------------------------------------------------------------------------
 *
 * object_store.c
 *	  The table of object stores, and the one place that touches their secrets.
 *
 * IDENTIFICATION
 *	  src/catalog/object_store.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/object_store.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* ---------- access as the owner of the tables ---------- */

typedef struct CatalogAccess
{
	MemoryContext caller;		/* what is to stay goes here */
	Oid			user;
	int			security;
	int			settings;
	bool		snapshot;
} CatalogAccess;

/*
 * Names and operators are written with their schemas, and the search path is
 * made safe all the same: for what the tables' constraints call.
 */
static void
begin_access(CatalogAccess *access)
{
	access->caller = CurrentMemoryContext;
	GetUserIdAndSecContext(&access->user, &access->security);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   access->security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	access->settings = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	access->snapshot = !ActiveSnapshotSet();
	if (access->snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

static void
end_access(const CatalogAccess *access)
{
	SPI_finish();
	if (access->snapshot)
		PopActiveSnapshot();
	AtEOXact_GUC(true, access->settings);
	SetUserIdAndSecContext(access->user, access->security);
}

static void
run(const char *command, int nargs, Oid *types, Datum *values, const char *nulls, int expected)
{
	int			result = SPI_execute_with_args(command, nargs, types, values, nulls, false, 0);

	if (result != expected)
		elog(ERROR, "statement on the object stores failed: %s", SPI_result_code_string(result));
}

/* ---------- reading ---------- */

#define ENTRY_COLUMNS \
	"s.name, s.endpoint, s.buckets, s.region, s.path_style, s.has_credentials, " \
	"k.access_key_id, k.secret_access_key, k.session_token"
#define ENTRY_TABLES \
	"appflow.object_store s LEFT JOIN appflow.object_store_secret k " \
	"ON k.name OPERATOR(pg_catalog.=) s.name"

static char *
text_of(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

static Datum
value_of(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

static List *
patterns_of(uint64 row, int column)
{
	bool		isnull;
	Datum		array = value_of(row, column, &isnull);
	Datum	   *elements;
	int			n;
	List	   *patterns = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		patterns = lappend(patterns, TextDatumGetCString(elements[i]));
	return patterns;
}

/* The entry in a row of ENTRY_COLUMNS, in the current memory context. */
static ObjectStoreEntry *
read_entry(uint64 row)
{
	ObjectStoreEntry *entry = palloc0(sizeof(ObjectStoreEntry));
	bool		isnull;
	Datum		value;

	entry->config.name = text_of(row, 1);
	entry->config.endpoint = text_of(row, 2);
	entry->buckets = patterns_of(row, 3);
	entry->config.region = text_of(row, 4);
	value = value_of(row, 5, &isnull);
	entry->path_style_set = !isnull;
	entry->config.path_style = isnull ? entry->config.endpoint != NULL : DatumGetBool(value);
	entry->config.access_key_id = text_of(row, 7);
	entry->config.secret_access_key = text_of(row, 8);
	entry->config.session_token = text_of(row, 9);

	/* a restored dump: never use the server's own identity in their place */
	if (DatumGetBool(value_of(row, 6, &isnull)) && entry->config.access_key_id == NULL)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("credentials of object store \"%s\" are missing", entry->config.name),
				errhint("A dump does not hold them. Set them with appflow.alter_object_store()."));
	return entry;
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

ObjectStore *
object_store_for_bucket(const char *bucket)
{
	CatalogAccess access;
	ObjectStore *store;
	int64		best = -1;
	int			best_rank = -1;

	begin_access(&access);
	run("SELECT " ENTRY_COLUMNS " FROM " ENTRY_TABLES
		" ORDER BY s.name COLLATE pg_catalog.\"C\"", 0, NULL, NULL, NULL, SPI_OK_SELECT);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		List	   *patterns = patterns_of(row, 3);
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
	if (best < 0)
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("no object store serves bucket \"%s\"", bucket),
				errhint("An administrator registers object stores with appflow.create_object_store()."));
	else
	{
		ObjectStoreEntry *entry = read_entry(best);
		MemoryContext old = MemoryContextSwitchTo(access.caller);

		store = store_open(&entry->config);
		MemoryContextSwitchTo(old);
	}
	end_access(&access);
	return store;
}

ObjectStoreEntry *
object_store_get(const char *name, bool for_update)
{
	CatalogAccess access;
	ObjectStoreEntry *entry = NULL;
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};

	begin_access(&access);
	run(for_update
		? "SELECT " ENTRY_COLUMNS " FROM " ENTRY_TABLES
		" WHERE s.name OPERATOR(pg_catalog.=) $1 FOR UPDATE OF s"
		: "SELECT " ENTRY_COLUMNS " FROM " ENTRY_TABLES
		" WHERE s.name OPERATOR(pg_catalog.=) $1", 1, types, values, NULL, SPI_OK_SELECT);
	if (SPI_processed > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(access.caller);

		entry = read_entry(0);
		MemoryContextSwitchTo(old);
	}
	end_access(&access);
	return entry;
}

/* ---------- writing ---------- */

static Datum
text_datum(const char *text, char *null)
{
	*null = text == NULL ? 'n' : ' ';
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/* The table's columns as arguments $1 to $6. */
static void
run_with_entry(const char *command, const ObjectStoreEntry *entry, int expected)
{
	const ObjectStoreConfig *config = &entry->config;
	int			nbuckets = list_length(entry->buckets);
	Datum	   *buckets = palloc(sizeof(Datum) * Max(nbuckets, 1));
	Oid			types[6] = {TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID, BOOLOID, BOOLOID};
	Datum		values[6];
	char		nulls[6];

	for (int i = 0; i < nbuckets; i++)
		buckets[i] = CStringGetTextDatum(list_nth(entry->buckets, i));

	memset(nulls, ' ', sizeof(nulls));
	values[0] = text_datum(config->name, &nulls[0]);
	values[1] = text_datum(config->endpoint, &nulls[1]);
	values[2] = PointerGetDatum(construct_array(buckets, nbuckets, TEXTOID, -1, false, TYPALIGN_INT));
	values[3] = text_datum(config->region, &nulls[3]);
	values[4] = BoolGetDatum(config->path_style);
	if (!entry->path_style_set)
		nulls[4] = 'n';
	values[5] = BoolGetDatum(config->access_key_id != NULL);
	run(command, 6, types, values, nulls, expected);
}

/* Set or remove the credentials of an entry that is in the table. */
static void
put_secret(const ObjectStoreConfig *config)
{
	Oid			types[4] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[4];
	char		nulls[4];

	values[0] = text_datum(config->name, &nulls[0]);
	if (config->access_key_id == NULL)
	{
		run("DELETE FROM appflow.object_store_secret WHERE name OPERATOR(pg_catalog.=) $1",
			1, types, values, nulls, SPI_OK_DELETE);
		return;
	}
	values[1] = text_datum(config->access_key_id, &nulls[1]);
	values[2] = text_datum(config->secret_access_key, &nulls[2]);
	values[3] = text_datum(config->session_token, &nulls[3]);
	run("INSERT INTO appflow.object_store_secret (name, access_key_id, secret_access_key, session_token) "
		"VALUES ($1, $2, $3, $4) "
		"ON CONFLICT (name) DO UPDATE SET access_key_id = excluded.access_key_id, "
		"secret_access_key = excluded.secret_access_key, session_token = excluded.session_token",
		4, types, values, nulls, SPI_OK_INSERT);
}

bool
object_store_insert(const ObjectStoreEntry *entry)
{
	CatalogAccess access;
	bool		inserted;

	begin_access(&access);
	run_with_entry("INSERT INTO appflow.object_store "
				   "(name, endpoint, buckets, region, path_style, has_credentials) "
				   "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING",
				   entry, SPI_OK_INSERT);
	inserted = SPI_processed > 0;
	if (inserted)
		put_secret(&entry->config);
	end_access(&access);
	return inserted;
}

void
object_store_update(const ObjectStoreEntry *entry)
{
	CatalogAccess access;

	begin_access(&access);
	run_with_entry("UPDATE appflow.object_store SET endpoint = $2, buckets = $3, region = $4, "
				   "path_style = $5, has_credentials = $6, "
				   "last_updated_at = pg_catalog.clock_timestamp() "
				   "WHERE name OPERATOR(pg_catalog.=) $1", entry, SPI_OK_UPDATE);
	put_secret(&entry->config);
	end_access(&access);
}

bool
object_store_delete(const char *name)
{
	CatalogAccess access;
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};
	bool		deleted;

	begin_access(&access);
	run("DELETE FROM appflow.object_store WHERE name OPERATOR(pg_catalog.=) $1",
		1, types, values, NULL, SPI_OK_DELETE);
	deleted = SPI_processed > 0;
	end_access(&access);
	return deleted;
}
