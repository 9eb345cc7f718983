/*-------------------------------------------------------------------------
 *
 * vault.h
 *	  Master keys: where they come from, and those at hand in this process.
 *
 * The setting appflow.master_key names a provider and its argument, as in
 * "file:/etc/appflow.key".  Keys are read when the first secret needs them, and
 * kept in pages of this process's own that are neither swapped nor dumped with
 * a core; they are never copied into a memory context.  A SealKey points into
 * those pages and is valid until the next call of a function of this file.
 *
 * IDENTIFICATION
 *	  src/vault/vault.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_VAULT_H
#define APPFLOW_VAULT_H

#include "postgres.h"

#include "vault/keyring.h"

/* Settings of the vault; for _PG_init. */
extern void vault_define_settings(void);

/*
 * The current key, as its provider gives it now: for sealing.  Raises an error
 * if there is no key.
 */
extern SealKey vault_current_key(void);

/*
 * The key of that id, for opening, and unless NULL the current one; the provider
 * is asked again if the key is not among those at hand.  False if the provider
 * does not have it; an error if none is set or it fails.
 */
extern bool vault_find_key(const char *id, SealKey *key, SealKey *current);

/*
 * Write a new key into a new file; returns the setting that uses it.  Raises an
 * error if the file exists, or would be part of the database cluster.
 */
extern char *vault_create_key_file(const char *path);

/*
 * Zeroed pages for keys, never given back: locked in memory if the system grants
 * it, left out of core dumps and of child processes.
 */
extern void *vault_protected_pages(size_t size);

/* Put a new key before those in the file that the setting names. */
extern void vault_add_key(void);

/* ---------- providers ---------- */

typedef struct KeyProvider
{
	const char *prefix;			/* of the setting, with its colon */

	/* what is wrong with the setting's rest, or NULL; makes no use of it */
	const char *(*check) (const char *argument);

	/* read the keys' text into buffer; raises an error if it cannot or it does not fit */
	size_t		(*read) (const char *argument, char *buffer, size_t size);

	/* whether it would read as it did last; cheap */
	bool		(*unchanged) (const char *argument);
} KeyProvider;

extern const KeyProvider key_file_provider; /* key_file.c */
extern const KeyProvider key_command_provider;	/* key_command.c */

extern int	key_command_timeout;	/* ms */

/* ---------- key_file.c ---------- */

/*
 * Read a file that holds a secret: a regular file of at most size bytes, no
 * part of the database cluster, that nobody but the server's user can read.
 * what is said of it in errors, as in "master key file".
 */
extern size_t secret_file_read(const char *path, const char *what, char *buffer, size_t size);

extern void key_file_create(const char *path);
extern void key_file_add(const char *path);

#endif							/* APPFLOW_VAULT_H */
