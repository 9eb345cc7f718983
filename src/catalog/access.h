/*-------------------------------------------------------------------------
 *
 * access.h
 *	  Access to the extension's own tables, whoever asks.
 *
 * Between catalog_begin() and catalog_end() SPI is connected, the tables'
 * owner is the current user, and the search path is safe.  Statements write
 * names and operators with their schemas all the same.  An error in between
 * needs no catalog_end(): aborting the (sub)transaction restores everything.
 *
 * IDENTIFICATION
 *	  src/catalog/access.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_ACCESS_H
#define APPFLOW_CATALOG_ACCESS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

typedef struct CatalogAccess
{
	MemoryContext caller;		/* results that are to stay go here */
	Oid			user;
	int			security;
	int			settings;
	bool		snapshot;
} CatalogAccess;

extern void catalog_begin(CatalogAccess *access);
extern void catalog_end(const CatalogAccess *access);

/* An argument of a statement; the constructors below make them. */
typedef struct CatalogValue
{
	Oid			type;
	Datum		value;
	bool		isnull;
} CatalogValue;

extern CatalogValue catalog_text(const char *value);	/* NULL: SQL null */
extern CatalogValue catalog_jsonb(Jsonb *value);
extern CatalogValue catalog_uuid(const pg_uuid_t *value);
extern CatalogValue catalog_int64(int64 value);
extern CatalogValue catalog_oid(Oid value);
extern CatalogValue catalog_bool(bool value);
extern CatalogValue catalog_time(TimestampTz value);	/* infinite: SQL null */

/*
 * Execute a statement with $1 ... $n; returns the number of rows, which are in
 * SPI_tuptable if it returns any.
 */
extern uint64 catalog_execute(const char *statement, int nvalues, const CatalogValue *values);

/* columns (from 1) of a row of the last statement; values live in access->caller */
extern char *catalog_get_text(const CatalogAccess *access, uint64 row, int column);
extern Jsonb *catalog_get_jsonb(const CatalogAccess *access, uint64 row, int column);
extern bool catalog_get_uuid(uint64 row, int column, pg_uuid_t *value);
extern int64 catalog_get_int64(uint64 row, int column); /* 0 for null */
extern Oid	catalog_get_oid(uint64 row, int column);
extern TimestampTz catalog_get_time(uint64 row, int column);	/* 0 for null */
extern bool catalog_get_bool(uint64 row, int column);

#endif							/* APPFLOW_CATALOG_ACCESS_H */
