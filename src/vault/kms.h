/*-------------------------------------------------------------------------
 *
 * kms.h
 *	  Keys of AWS KMS in the place of the master key.
 *
 * KMS makes a key for each secret that is sealed (GenerateDataKey), bound to the
 * secret's purpose and name as encryption context, and opens it again (Decrypt).
 * What is opened is kept for KMS_SECONDS in pages of this process's own, so that a
 * process that uses a profile often does not ask as often.
 *
 * The AWS identity is that of the server.  Needs a transaction; asks over the
 * network.
 *
 * IDENTIFICATION
 *	  src/vault/kms.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_VAULT_KMS_H
#define APPFLOW_VAULT_KMS_H

#include "postgres.h"

#include "vault/seal.h"

/* for so long a key that was taken from somebody may go on opening what it has opened */
#define KMS_SECONDS 300

/* bytes of a key as KMS seals it, at most */
#define KMS_MAX_BLOB 6144

/* Is it an ARN of KMS?  Ids of master keys never are: they have no colon. */
extern bool kms_is_arn(const char *text);

/* A new key: its blob (of *length bytes), the ARN that it was made under, and itself in *key. */
extern uint8_t *kms_make_key(const char *arn, SealLabel label, size_t *length, SealKey *key);

/* The key of a blob; valid until the next call of a function of this file. */
extern SealKey kms_open_key(const char *arn, SealLabel label, const uint8_t *blob, size_t length);

#endif							/* APPFLOW_VAULT_KMS_H */
