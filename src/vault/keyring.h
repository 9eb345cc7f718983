/*-------------------------------------------------------------------------
 *
 * keyring.h
 *	  The master keys that are known, and the text they are read from.
 *
 * The text is either 32 bytes, which are the key, or lines "key" or "id:key",
 * the key as 64 hexadecimal digits or in base64.  The first line is the current
 * key, the one that seals; all of them open.  Empty lines and lines that begin
 * with # do not count.  A key without an id gets one made of its digest.
 *
 * Plain C: no server, no memory but the caller's.
 *
 * IDENTIFICATION
 *	  src/vault/keyring.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_KEYRING_H
#define APPFLOW_KEYRING_H

#include "vault/seal.h"

#define KEYRING_MAX_KEYS 64
#define KEYRING_MAX_ID 64
#define KEYRING_MAX_TEXT (16 * 1024)

/* room for an id as keyring_id() makes it */
#define KEYRING_ID_SIZE 17

typedef struct Keyring
{
	int			nkeys;
	struct
	{
		char		id[KEYRING_MAX_ID + 1];
		uint8_t		bytes[SEAL_KEY_SIZE];
	}			keys[KEYRING_MAX_KEYS];
} Keyring;

/*
 * Fill a keyring from a text.  NULL if that is well, else what is wrong with
 * it, in words that hold nothing of the text, with the number of the line, or
 * 0; the keyring is empty then.
 */
extern const char *keyring_parse(Keyring *keyring, const void *text, size_t length, int *line);

/* The key of that id; false if there is none. */
extern bool keyring_find(const Keyring *keyring, const char *id, SealKey *key);

/* The id of a key that was given none. */
extern void keyring_id(const uint8_t *key, char id[KEYRING_ID_SIZE]);

extern void keyring_wipe(Keyring *keyring);

#endif							/* APPFLOW_KEYRING_H */
