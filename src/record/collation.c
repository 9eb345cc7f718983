/*-------------------------------------------------------------------------
 *
 * collation.c
 *	  How collations order text.
 *
 * By the catalogs, as the server's own header of locales wants that of ICU, which
 * need not be there to build against a server that has it.
 *
 * IDENTIFICATION
 *	  src/record/collation.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "record/collation.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/* of the server itself, from 17 on: code points, which UTF-8 keeps in their order */
#define PROVIDER_BUILTIN 'b'

static bool
is_c(char provider, HeapTuple tuple, int cache, int attribute)
{
	bool		isnull;
	Datum		locale;
	char	   *name;

	if (provider == PROVIDER_BUILTIN)
		return true;
	if (provider != COLLPROVIDER_LIBC)
		return false;
	locale = SysCacheGetAttr(cache, tuple, attribute, &isnull);
	if (isnull)
		return false;
	name = TextDatumGetCString(locale);
	return strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0;
}

bool
collation_is_c(Oid collation)
{
	bool		of_database = collation == DEFAULT_COLLATION_OID;
	int			cache = of_database ? DATABASEOID : COLLOID;
	HeapTuple	tuple = SearchSysCache1(cache, ObjectIdGetDatum(of_database ? MyDatabaseId : collation));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	if (of_database)
		result = is_c(((Form_pg_database) GETSTRUCT(tuple))->datlocprovider, tuple, cache, Anum_pg_database_datcollate);
	else
		result = is_c(((Form_pg_collation) GETSTRUCT(tuple))->collprovider, tuple, cache, Anum_pg_collation_collcollate);
	ReleaseSysCache(tuple);
	return result;
}
