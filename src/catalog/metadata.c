/*-------------------------------------------------------------------------
 *
 * metadata.c
 *	  What connectors have told of their entities and fields, kept for a while.
 *
 * IDENTIFICATION
 *	  src/catalog/metadata.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/access.h"
#include "catalog/profile.h"

/* first half of the keys of advisory locks on rows */
#define METADATA_LOCK "1634758765"

/* the row of $1 ... $4 */
#define KEY_MATCHES \
	"connector_profile_name OPERATOR(pg_catalog.=) $1 AND api_version OPERATOR(pg_catalog.=) $2 " \
	"AND kind OPERATOR(pg_catalog.=) $3 AND path OPERATOR(pg_catalog.=) $4"

Jsonb *
metadata_get(const MetadataKey *key)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(key->profile), catalog_text(key->api_version), catalog_text(key->kind), catalog_text(key->path)
	};
	Jsonb	   *metadata = NULL;

	/* an unlogged table is not there for a standby */
	if (RecoveryInProgress())
		return NULL;
	catalog_begin(&access);
	if (catalog_execute("SELECT metadata FROM appflow.connector_metadata WHERE " KEY_MATCHES
						" AND expires_at OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()",
						lengthof(values), values) > 0)
		metadata = catalog_get_jsonb(&access, 0, 1);
	catalog_end(&access);
	return metadata;
}

void
metadata_put(const MetadataKey *key, Jsonb *metadata, int64 seconds)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(key->profile), catalog_text(key->api_version), catalog_text(key->kind), catalog_text(key->path),
		catalog_jsonb(metadata), catalog_int64(seconds)
	};

	if (XactReadOnly || RecoveryInProgress() || IsInParallelMode())
		return;
	catalog_begin(&access);

	/*
	 * Who keeps the same in a transaction that is still open would have us wait for
	 * its end: then it need not be kept twice.
	 */
	catalog_execute("INSERT INTO appflow.connector_metadata SELECT $1, $2, $3, $4, $5, "
					"pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => $6) "
					"WHERE pg_catalog.pg_try_advisory_xact_lock(" METADATA_LOCK
					", pg_catalog.hashtext(pg_catalog.concat_ws(E'\\n', $1, $2, $3, $4))) "
					"ON CONFLICT (connector_profile_name, api_version, kind, path) "
					"DO UPDATE SET metadata = excluded.metadata, expires_at = excluded.expires_at",
					lengthof(values), values);
	catalog_end(&access);
}

void
metadata_reset(const MetadataKey *key)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(key->profile), catalog_text(key->api_version), catalog_text(key->kind), catalog_text(key->path)
	};

	catalog_begin(&access);
	catalog_execute("DELETE FROM appflow.connector_metadata "
					"WHERE connector_profile_name OPERATOR(pg_catalog.=) $1 "
					"AND ($2 IS NULL OR api_version OPERATOR(pg_catalog.=) $2) "
					"AND ($3 IS NULL OR kind OPERATOR(pg_catalog.=) $3) "
					"AND ($4 IS NULL OR path OPERATOR(pg_catalog.=) $4)", lengthof(values), values);
	catalog_end(&access);
}
