/*-------------------------------------------------------------------------
 *
 * grant.c
 *	  The table of what roles may use that is not theirs.
 *
 * Roles are shared by the databases of a cluster, so nothing here hears of one
 * that is dropped.  A grant to it gives nobody anything, is neither shown nor
 * dumped, and is deleted when the next grant is made.
 *
 * IDENTIFICATION
 *	  src/catalog/grant.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/grant.h"
#include "catalog/object_store.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define WHERE_GRANT \
	" WHERE kind OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"

#define TO_ROLE \
	" AND (grantee::pg_catalog.oid OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR pg_catalog.pg_has_role($3, grantee, 'USAGE'))"

bool
grant_given(const char *kind, const char *name, Oid role)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(kind), catalog_text(name), catalog_oid(role)};
	bool		given;

	catalog_begin(&access);
	given = catalog_execute("SELECT FROM appflow.access_grant" WHERE_GRANT TO_ROLE " LIMIT 1",
							lengthof(values), values) > 0;
	catalog_end(&access);
	return given;
}

/* whether the patterns in a row, if there are any, let the bucket pass */
static bool
row_covers(uint64 row, const char *bucket)
{
	bool		isnull;
	Datum		array = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull);
	Datum	   *elements;
	int			n;

	if (isnull)
		return true;
	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		if (bucket_matches(TextDatumGetCString(elements[i]), bucket))
			return true;
	}
	return false;
}

bool
grant_of_bucket(const char *store, const char *bucket, Oid role)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(GRANT_OF_STORE), catalog_text(store), catalog_oid(role)};
	uint64		nrows;
	bool		covered = false;

	if (superuser_arg(role))
		return true;
	catalog_begin(&access);
	nrows = catalog_execute("SELECT buckets FROM appflow.access_grant" WHERE_GRANT TO_ROLE, lengthof(values), values);
	for (uint64 row = 0; row < nrows && !covered; row++)
		covered = row_covers(row, bucket);
	catalog_end(&access);
	return covered;
}

void
grant_put(const char *kind, const char *name, Oid grantee, ArrayType *buckets)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(kind), catalog_text(name), catalog_oid(grantee),
		{TEXTARRAYOID, PointerGetDatum(buckets), buckets == NULL},
		catalog_text(GetUserNameFromId(GetUserId(), false))
	};

	catalog_begin(&access);
	catalog_execute("DELETE FROM appflow.access_grant WHERE grantee::pg_catalog.oid OPERATOR(pg_catalog.<>) 0::pg_catalog.oid "
					"AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r "
					"WHERE r.oid OPERATOR(pg_catalog.=) grantee::pg_catalog.oid)", 0, NULL);
	catalog_execute("INSERT INTO appflow.access_grant (kind, name, grantee, buckets, granted_by) "
					"VALUES ($1, $2, $3::regrole, $4, $5) ON CONFLICT (kind, name, grantee) DO UPDATE SET "
					"buckets = excluded.buckets, granted_by = excluded.granted_by, granted_at = excluded.granted_at",
					lengthof(values), values);
	catalog_end(&access);
}

bool
grant_delete(const char *kind, const char *name, Oid grantee)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(kind), catalog_text(name), catalog_oid(grantee)};
	bool		deleted;

	catalog_begin(&access);
	deleted = catalog_execute("DELETE FROM appflow.access_grant" WHERE_GRANT
							  " AND grantee::pg_catalog.oid OPERATOR(pg_catalog.=) $3", lengthof(values), values) > 0;
	catalog_end(&access);
	return deleted;
}

void
grant_forget(const char *kind, const char *name)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(kind), catalog_text(name)};

	catalog_begin(&access);
	catalog_execute("DELETE FROM appflow.access_grant" WHERE_GRANT, lengthof(values), values);
	catalog_end(&access);
}
