/*-------------------------------------------------------------------------
 *
 * secret.h
 *	  Secrets in the database: sealed by the vault, one table for all.
 *
 * A secret belongs to a purpose ("profile", "object store", "token", ...) and
 * a name within it; both are bound into the seal, so that a row put in
 * another's place does not open.  All functions need a transaction, and read
 * and write the table as its owner whoever asks: the right to is the caller's to
 * check.  Without a master key putting and getting raise an error that says how
 * to make one; getting what is not there does not.
 *
 * IDENTIFICATION
 *	  src/catalog/secret.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_CATALOG_SECRET_H
#define APPFLOW_CATALOG_SECRET_H

#include "postgres.h"

/*
 * Seal and store; replaces what was there.  Under the key of AWS KMS of that ARN, or
 * with NULL under the master key.
 */
extern void secret_put(const char *purpose, const char *name, const char *text);
extern void secret_put_under(const char *purpose, const char *name, const char *text, const char *kms_arn);

/*
 * The secret's text, or NULL if there is none, in the current memory context.
 * The caller wipes it with secret_wipe() when done, and does not pfree() it; if
 * an error comes first, it is wiped when the context is.
 */
extern char *secret_get(const char *purpose, const char *name);

/* Overwrite a text; any that is not to stay in memory. */
extern void secret_wipe(char *text);

extern void secret_delete(const char *purpose, const char *name);

/*
 * Put all secrets of this database under the current master key; with new_key,
 * after making that.  Returns how many were under another one.
 */
extern int64 secret_rewrap_all(bool new_key);

#endif							/* APPFLOW_CATALOG_SECRET_H */
