/*-------------------------------------------------------------------------
 *
 * secret.h
 *	  Secrets in the database: sealed by the vault, one table for all.
 *
 * A secret belongs to a purpose ("profile", "object store", "token", ...) and
 * a name within it; both are bound into the seal, so that a row put in
 * another's place does not open.  All functions need a transaction.
 *
 * IDENTIFICATION
 *	  src/catalog/secret.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_SECRET_H
#define APPFLOW_CATALOG_SECRET_H

#include "postgres.h"

/* Seal and store; replaces what was there. */
extern void secret_put(const char *purpose, const char *name, const char *text);

/*
 * The secret's text, or NULL if there is none.  The caller wipes it with
 * secret_wipe() when done.
 */
extern char *secret_get(const char *purpose, const char *name);

extern void secret_wipe(char *text);

extern void secret_delete(const char *purpose, const char *name);

#endif							/* APPFLOW_CATALOG_SECRET_H */
