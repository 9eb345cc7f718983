/*-------------------------------------------------------------------------
 *
 * access.c
 *	  Access to the extension's own tables, whoever asks.
 *
 * IDENTIFICATION
 *	  src/catalog/access.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* arguments of a statement at most */
#define MAX_VALUES 24

void
catalog_begin(CatalogAccess *access)
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

void
catalog_end(const CatalogAccess *access)
{
	SPI_finish();
	if (access->snapshot)
		PopActiveSnapshot();
	AtEOXact_GUC(true, access->settings);
	SetUserIdAndSecContext(access->user, access->security);
}

CatalogValue
catalog_text(const char *value)
{
	return (CatalogValue)
	{
		TEXTOID, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL
	};
}

CatalogValue
catalog_jsonb(Jsonb *value)
{
	return (CatalogValue)
	{
		JSONBOID, value ? JsonbPGetDatum(value) : (Datum) 0, value == NULL
	};
}

CatalogValue
catalog_uuid(const pg_uuid_t *value)
{
	return (CatalogValue)
	{
		UUIDOID, UUIDPGetDatum(value), false
	};
}

CatalogValue
catalog_int64(int64 value)
{
	return (CatalogValue)
	{
		INT8OID, Int64GetDatum(value), false
	};
}

CatalogValue
catalog_oid(Oid value)
{
	return (CatalogValue)
	{
		OIDOID, ObjectIdGetDatum(value), false
	};
}

CatalogValue
catalog_bool(bool value)
{
	return (CatalogValue)
	{
		BOOLOID, BoolGetDatum(value), false
	};
}

CatalogValue
catalog_time(TimestampTz value)
{
	return (CatalogValue)
	{
		TIMESTAMPTZOID, TimestampTzGetDatum(value), TIMESTAMP_NOT_FINITE(value)
	};
}

uint64
catalog_execute(const char *statement, int nvalues, const CatalogValue *values)
{
	Oid			types[MAX_VALUES];
	Datum		datums[MAX_VALUES];
	char		nulls[MAX_VALUES] = {0};
	int			result;

	Assert(nvalues <= MAX_VALUES);
	for (int i = 0; i < nvalues; i++)
	{
		types[i] = values[i].type;
		datums[i] = values[i].value;
		nulls[i] = values[i].isnull ? 'n' : ' ';
	}
	result = SPI_execute_with_args(statement, nvalues, types, datums, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "statement on the catalog failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

/* each statement sees what others have committed: what was there a moment ago may be gone */
static void
check_row(uint64 row)
{
	if (SPI_tuptable == NULL || row >= SPI_tuptable->numvals)
		ereport(ERROR,
				errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				errmsg("what the call is about was deleted at this moment"),
				errhint("Repeat the call."));
}

static Datum
get(uint64 row, int column, bool *isnull)
{
	check_row(row);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

char *
catalog_get_text(const CatalogAccess *access, uint64 row, int column)
{
	char	   *text;

	check_row(row);
	text = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return text ? MemoryContextStrdup(access->caller, text) : NULL;
}

Jsonb *
catalog_get_jsonb(const CatalogAccess *access, uint64 row, int column)
{
	bool		isnull;
	Datum		value = get(row, column, &isnull);
	MemoryContext old;
	Jsonb	   *copy;

	if (isnull)
		return NULL;
	old = MemoryContextSwitchTo(access->caller);
	copy = DatumGetJsonbPCopy(value);
	MemoryContextSwitchTo(old);
	return copy;
}

bool
catalog_get_uuid(uint64 row, int column, pg_uuid_t *value)
{
	bool		isnull;
	Datum		datum = get(row, column, &isnull);

	if (!isnull)
		memcpy(value, DatumGetUUIDP(datum), sizeof(pg_uuid_t));
	return !isnull;
}

int64
catalog_get_int64(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

Oid
catalog_get_oid(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get(row, column, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

TimestampTz
catalog_get_time(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get(row, column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

bool
catalog_get_bool(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}
