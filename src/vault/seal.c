/*-------------------------------------------------------------------------
 *
 * seal.c
 *	  Envelope encryption of a secret.
 *
 * AES-256-GCM (NIST SP 800-38D) of OpenSSL.  A data key encrypts one text once,
 * so its nonce could be anything; a master key encrypts data keys under random
 * nonces of 96 bits, which is safe for 2^32 of them.
 *
 * IDENTIFICATION
 *	  src/vault/seal.c
 *
 *-------------------------------------------------------------------------
 */
#include "vault/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define VERSION 1

/* parts of what is authenticated: a start, and three texts, each behind its length */
#define MAX_PARTS 7

/* ---------- AES-256-GCM ---------- */

bool
seal_encrypt(const uint8_t *key, const uint8_t *nonce, const SealPart *parts, int nparts,
			 const void *input, size_t length, void *output, uint8_t *tag)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int			n;
	bool		good;

	good = context != NULL && length <= SEAL_MAX_TEXT &&
		EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1;
	for (int i = 0; good && i < nparts; i++)
		good = EVP_EncryptUpdate(context, NULL, &n, parts[i].bytes, (int) parts[i].length) == 1;
	good = good &&
		(length == 0 || EVP_EncryptUpdate(context, output, &n, input, (int) length) == 1) &&
		EVP_EncryptFinal_ex(context, tag, &n) == 1 &&	/* writes nothing in this mode */
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, tag) == 1;
	/* frees the key schedule wiped */
	EVP_CIPHER_CTX_free(context);
	return good;
}

bool
seal_decrypt(const uint8_t *key, const uint8_t *nonce, const SealPart *parts, int nparts,
			 const void *input, size_t length, void *output, const uint8_t *tag)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t		nothing[SEAL_TAG_SIZE];
	uint8_t		expected[SEAL_TAG_SIZE];
	int			n;
	bool		good;

	memcpy(expected, tag, SEAL_TAG_SIZE);
	good = context != NULL && length <= SEAL_MAX_TEXT &&
		EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1;
	for (int i = 0; good && i < nparts; i++)
		good = EVP_DecryptUpdate(context, NULL, &n, parts[i].bytes, (int) parts[i].length) == 1;
	good = good &&
		(length == 0 || EVP_DecryptUpdate(context, output, &n, input, (int) length) == 1) &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE, expected) == 1 &&
		EVP_DecryptFinal_ex(context, nothing, &n) == 1;
	EVP_CIPHER_CTX_free(context);

	/* what was decrypted before the tag was found wrong is nobody's to see */
	if (!good && length > 0)
		OPENSSL_cleanse(output, length);
	return good;
}

/* ---------- what is authenticated along ---------- */

typedef struct Associated
{
	uint8_t		start[4];
	uint8_t		lengths[3][4];
	SealPart	parts[MAX_PARTS];
	int			nparts;
} Associated;

static void
associate(Associated *associated, const char *text)
{
	int			i = (associated->nparts - 1) / 2;
	size_t		length = strlen(text);

	/* behind its length, so that no two lists of texts are the same bytes */
	for (int shift = 0; shift < 4; shift++)
		associated->lengths[i][shift] = (uint8_t) (length >> (24 - 8 * shift));
	associated->parts[associated->nparts++] = (SealPart) {associated->lengths[i], 4};
	associated->parts[associated->nparts++] = (SealPart) {text, length};
}

/* key_id: of the master key for a data key, NULL for a text */
static void
associated_data(Associated *associated, SealLabel label, const char *key_id)
{
	memcpy(associated->start, key_id != NULL ? "wfK" : "wfT", 3);
	associated->start[3] = VERSION;
	associated->parts[0] = (SealPart) {associated->start, 4};
	associated->nparts = 1;
	associate(associated, label.purpose);
	associate(associated, label.name);
	if (key_id != NULL)
		associate(associated, key_id);
}

/* ---------- the envelope ---------- */

/* Into version, nonce, encrypted, tag. */
static bool
close_envelope(const uint8_t *key, const Associated *associated, const void *text, size_t length,
			   uint8_t *envelope)
{
	uint8_t    *nonce = envelope + 1;
	uint8_t    *encrypted = nonce + SEAL_NONCE_SIZE;

	envelope[0] = VERSION;
	return RAND_bytes(nonce, SEAL_NONCE_SIZE) == 1 &&
		seal_encrypt(key, nonce, associated->parts, associated->nparts, text, length,
					 encrypted, encrypted + length);
}

static bool
open_envelope(const uint8_t *key, const Associated *associated, const uint8_t *envelope,
			  size_t length, void *text)
{
	const uint8_t *nonce = envelope + 1;
	const uint8_t *encrypted = nonce + SEAL_NONCE_SIZE;

	return seal_decrypt(key, nonce, associated->parts, associated->nparts, encrypted, length,
						text, encrypted + length);
}

static bool
well_formed(const uint8_t *envelope, size_t length)
{
	return length >= SEAL_OVERHEAD && length - SEAL_OVERHEAD <= SEAL_MAX_TEXT &&
		envelope[0] == VERSION;
}

SealResult
seal_close(SealKey master, SealLabel label, const void *text, size_t length,
		   uint8_t *sealed_key, uint8_t *sealed_text)
{
	uint8_t		data_key[SEAL_KEY_SIZE];
	Associated	associated;
	bool		good;

	good = length <= SEAL_MAX_TEXT && RAND_priv_bytes(data_key, sizeof(data_key)) == 1;
	if (good)
	{
		associated_data(&associated, label, master.id);
		good = close_envelope(master.bytes, &associated, data_key, sizeof(data_key), sealed_key);
	}
	if (good)
	{
		associated_data(&associated, label, NULL);
		good = close_envelope(data_key, &associated, text, length, sealed_text);
	}
	OPENSSL_cleanse(data_key, sizeof(data_key));
	return good ? SEAL_OK : SEAL_FAILED;
}

static SealResult
open_data_key(SealKey master, SealLabel label, const uint8_t *sealed_key, size_t length,
			  uint8_t *data_key)
{
	Associated	associated;

	if (length != SEALED_KEY_SIZE || !well_formed(sealed_key, length))
		return SEAL_MALFORMED;
	associated_data(&associated, label, master.id);
	return open_envelope(master.bytes, &associated, sealed_key, SEAL_KEY_SIZE, data_key)
		? SEAL_OK : SEAL_KEY_REFUSED;
}

SealResult
seal_open(SealKey master, SealLabel label, const uint8_t *sealed_key, size_t sealed_key_length,
		  const uint8_t *sealed_text, size_t sealed_text_length, void *text)
{
	uint8_t		data_key[SEAL_KEY_SIZE];
	Associated	associated;
	SealResult	result;

	if (!well_formed(sealed_text, sealed_text_length))
		return SEAL_MALFORMED;
	if (sealed_text_length > SEAL_OVERHEAD)
		memset(text, 0, sealed_text_length - SEAL_OVERHEAD);
	result = open_data_key(master, label, sealed_key, sealed_key_length, data_key);
	if (result != SEAL_OK)
		return result;
	associated_data(&associated, label, NULL);
	if (!open_envelope(data_key, &associated, sealed_text, sealed_text_length - SEAL_OVERHEAD, text))
		result = SEAL_TEXT_REFUSED;
	OPENSSL_cleanse(data_key, sizeof(data_key));
	return result;
}

SealResult
seal_rewrap(SealKey from, SealKey to, SealLabel label, const uint8_t *sealed_key,
			size_t sealed_key_length, uint8_t *rewrapped)
{
	uint8_t		data_key[SEAL_KEY_SIZE];
	Associated	associated;
	SealResult	result;

	result = open_data_key(from, label, sealed_key, sealed_key_length, data_key);
	if (result != SEAL_OK)
		return result;
	associated_data(&associated, label, to.id);
	if (!close_envelope(to.bytes, &associated, data_key, sizeof(data_key), rewrapped))
		result = SEAL_FAILED;
	OPENSSL_cleanse(data_key, sizeof(data_key));
	return result;
}
