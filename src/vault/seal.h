/*-------------------------------------------------------------------------
 *
 * seal.h
 *	  Envelope encryption of a secret: AES-256-GCM under a key of its own,
 *	  which is sealed under a master key.
 *
 * A sealed secret is two strings of bytes:
 *
 *	  key	version (1)  nonce (12)  data key, encrypted (32)  tag (16)
 *	  text	version (1)  nonce (12)  text, encrypted  (any)	   tag (16)
 *
 * Authenticated along with the first: the version, the secret's purpose and
 * name, and the master key's id; with the second: the version, purpose and name.
 * What is put in another secret's place, or changed in one bit, does not open.
 * Rewrapping replaces the first string and leaves the second as it is.
 *
 * Plain C: no server, no memory but the caller's.
 *
 * IDENTIFICATION
 *	  src/vault/seal.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_SEAL_H
#define APPFLOW_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_KEY_SIZE 32
#define SEAL_NONCE_SIZE 12
#define SEAL_TAG_SIZE 16
#define SEAL_OVERHEAD (1 + SEAL_NONCE_SIZE + SEAL_TAG_SIZE)	/* of a sealed text */
#define SEALED_KEY_SIZE (SEAL_OVERHEAD + SEAL_KEY_SIZE)
#define SEAL_MAX_TEXT (16 * 1024 * 1024)

typedef enum SealResult
{
	SEAL_OK,
	SEAL_MALFORMED,				/* not of the form above, or of an unknown version */
	SEAL_KEY_REFUSED,			/* the data key: another master key, or changed */
	SEAL_TEXT_REFUSED,			/* the text: changed */
	SEAL_FAILED					/* no random bytes or no memory to be had, or a text too long */
} SealResult;

/* Whose secret it is; the texts are taken as bytes. */
typedef struct SealLabel
{
	const char *purpose;
	const char *name;
} SealLabel;

/* a master key */
typedef struct SealKey
{
	const char *id;
	const uint8_t *bytes;		/* SEAL_KEY_SIZE */
} SealKey;

/*
 * Seal a text: sealed_key gets SEALED_KEY_SIZE bytes, sealed_text length +
 * SEAL_OVERHEAD.
 */
extern SealResult seal_close(SealKey master, SealLabel label, const void *text, size_t length,
							 uint8_t *sealed_key, uint8_t *sealed_text);

/*
 * Open what seal_close() made.  text gets sealed_text_length - SEAL_OVERHEAD
 * bytes; nothing but zeros unless the result is SEAL_OK.
 */
extern SealResult seal_open(SealKey master, SealLabel label,
							const uint8_t *sealed_key, size_t sealed_key_length,
							const uint8_t *sealed_text, size_t sealed_text_length,
							void *text);

/* Put the data key under another master key; rewrapped gets SEALED_KEY_SIZE bytes. */
extern SealResult seal_rewrap(SealKey from, SealKey to, SealLabel label,
							  const uint8_t *sealed_key, size_t sealed_key_length,
							  uint8_t *rewrapped);

/* ---------- what it is made of ---------- */

/* A part of what is authenticated and not encrypted. */
typedef struct SealPart
{
	const void *bytes;
	size_t		length;
} SealPart;

/*
 * AES-256-GCM.  The output has the input's length; input and output may be the
 * same memory.  seal_decrypt() is false, and the output zeros, unless the tag
 * is right.
 */
extern bool seal_encrypt(const uint8_t *key, const uint8_t *nonce,
						 const SealPart *parts, int nparts,
						 const void *input, size_t length, void *output, uint8_t *tag);
extern bool seal_decrypt(const uint8_t *key, const uint8_t *nonce,
						 const SealPart *parts, int nparts,
						 const void *input, size_t length, void *output, const uint8_t *tag);

#endif							/* APPFLOW_SEAL_H */
