/*-------------------------------------------------------------------------
 *
 * grant.h
 *	  What roles may use that is not theirs.
 *
 * A grant names a kind of object, an object's name and a role, or InvalidOid for
 * everybody; members of the role have it too.  All functions need a transaction
 * and act as the table's owner; who may grant is for the caller to decide.
 *
 * IDENTIFICATION
 *	  src/catalog/grant.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_GRANT_H
#define APPFLOW_CATALOG_GRANT_H

#include "postgres.h"

#include "utils/array.h"

/* kinds */
#define GRANT_OF_PROFILE "connector profile"
#define GRANT_OF_CONNECTOR "connector"
#define GRANT_OF_FLOW "flow"
#define GRANT_OF_STORE "object store"

/*
 * In a statement: whether a role owns an object or was granted it.  name and owner
 * are columns, role is a parameter.
 */
#define VISIBLE_TO(role, kind, name, owner) \
	"(pg_catalog.pg_has_role(" role ", " owner ", 'USAGE') OR EXISTS (SELECT FROM appflow.access_grant g " \
	"WHERE g.kind OPERATOR(pg_catalog.=) '" kind "' AND g.name OPERATOR(pg_catalog.=) " name \
	" AND (g.grantee::pg_catalog.oid OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR pg_catalog.pg_has_role(" role ", g.grantee, 'USAGE'))))"

/* Was it granted to the role?  Not asked: whether it owns the object. */
extern bool grant_given(const char *kind, const char *name, Oid role);

/* May the role use a bucket of that object store? */
extern bool grant_of_bucket(const char *store, const char *bucket, Oid role);

/* Grant; of an object store limited to patterns of buckets, or NULL.  Replaces what was there. */
extern void grant_put(const char *kind, const char *name, Oid grantee, ArrayType *buckets);

/* Take back; false if there was none. */
extern bool grant_delete(const char *kind, const char *name, Oid grantee);

/* The object is gone, or never was. */
extern void grant_forget(const char *kind, const char *name);

#endif							/* APPFLOW_CATALOG_GRANT_H */
