/*-------------------------------------------------------------------------
 *
 * kms.c
 *	  Keys of AWS KMS in the place of the master key.
 *
 * IDENTIFICATION
 *	  src/vault/kms.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <time.h>

#include "compat.h"
#include "lib/stringinfo.h"
#include "net/aws_json.h"
#include "net/signature.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "vault/kms.h"
#include "vault/vault.h"

#define MAX_OPEN 32
#define HASH_SIZE 32

/* An opened key; the digest is of label and blob. */
typedef struct OpenKey
{
	uint8_t		digest[HASH_SIZE];
	uint8_t		bytes[SEAL_KEY_SIZE];
	int64		until;			/* time of a clock that only goes forward; 0: free */
} OpenKey;

static OpenKey *open_keys = NULL;	/* MAX_OPEN of them, in protected pages */

static int64
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec + 1;
}

bool
kms_is_arn(const char *text)
{
	char	   *region;

	return aws_json_arn(&aws_kms, text, &region);
}

/* ---------- what is open ---------- */

static bool
digest_of(SealLabel label, const uint8_t *blob, size_t length, uint8_t digest[HASH_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool		good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		EVP_DigestUpdate(context, label.purpose, strlen(label.purpose) + 1) == 1 &&
		EVP_DigestUpdate(context, label.name, strlen(label.name) + 1) == 1 &&
		EVP_DigestUpdate(context, blob, length) == 1 &&
		EVP_DigestFinal_ex(context, digest, NULL) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

static OpenKey *
find_open(const uint8_t digest[HASH_SIZE])
{
	int64		now = seconds_now();
	OpenKey    *found = NULL;

	for (int i = 0; open_keys != NULL && i < MAX_OPEN; i++)
	{
		if (open_keys[i].until != 0 && open_keys[i].until <= now)
			OPENSSL_cleanse(&open_keys[i], sizeof(OpenKey));
		if (open_keys[i].until != 0 && memcmp(open_keys[i].digest, digest, HASH_SIZE) == 0)
			found = &open_keys[i];
	}
	return found;
}

/* Room for one more: a free one, or else the oldest. */
static OpenKey *
new_open(void)
{
	OpenKey    *chosen;

	if (open_keys == NULL)
		open_keys = vault_protected_pages(sizeof(OpenKey) * MAX_OPEN);
	chosen = &open_keys[0];
	for (int i = 1; i < MAX_OPEN; i++)
	{
		if (open_keys[i].until < chosen->until)
			chosen = &open_keys[i];
	}
	OPENSSL_cleanse(chosen, sizeof(OpenKey));
	return chosen;
}

/* ---------- asking KMS ---------- */

static void
add_member(StringInfo body, const char *name, const char *value)
{
	appendStringInfoChar(body, body->len > 0 && body->data[body->len - 1] != '{' ? ',' : ' ');
	escape_json(body, name);
	appendStringInfoChar(body, ':');
	escape_json(body, value);
}

/* The request so far: key and encryption context; to be closed. */
static StringInfoData
request_for(const char *arn, SealLabel label)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoChar(&body, '{');
	add_member(&body, "KeyId", arn);
	appendStringInfoString(&body, ",\"EncryptionContext\":{");
	add_member(&body, "appflow:purpose", label.purpose);
	add_member(&body, "appflow:name", label.name);
	appendStringInfoChar(&body, '}');
	return body;
}

/* Bytes of a base64 member; *length of them, -1 if there are none.  The text is wiped. */
static uint8_t *
take_bytes(Jsonb *answer, const char *name, int *length)
{
	char	   *text = jsonb_get_text(answer, name);
	size_t		size = text == NULL ? 0 : strlen(text);
	uint8_t    *bytes = palloc(size + 4);

	*length = -1;
	if (size == 0 || size % 4 != 0 || size > INT_MAX / 2)
		return bytes;
	*length = EVP_DecodeBlock(bytes, (unsigned char *) text, (int) size);
	for (size_t i = size; *length > 0 && i > 0 && text[i - 1] == '='; i--)
		(*length)--;
	explicit_bzero(text, size);
	return bytes;
}

pg_noreturn static void
refuse_answer(const char *arn)
{
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("key \"%s\" cannot be used: the answer of AWS KMS is not of the form that it has", arn));
}

/* Put the plaintext of an answer among the open keys. */
static SealKey
keep_plaintext(const char *arn, Jsonb *answer, const uint8_t digest[HASH_SIZE])
{
	OpenKey    *open = new_open();
	int			length;
	uint8_t    *plain = take_bytes(answer, "Plaintext", &length);

	explicit_bzero(answer, VARSIZE(answer));
	if (length != SEAL_KEY_SIZE)
		refuse_answer(arn);
	memcpy(open->digest, digest, HASH_SIZE);
	memcpy(open->bytes, plain, SEAL_KEY_SIZE);
	open->until = seconds_now() + KMS_SECONDS;
	OPENSSL_cleanse(plain, SEAL_KEY_SIZE);
	return (SealKey)
	{
		arn, open->bytes
	};
}

static char *
what_of(const char *arn)
{
	return psprintf("key \"%s\" cannot be used", arn);
}

uint8_t *
kms_make_key(const char *arn, SealLabel label, size_t *length, SealKey *key)
{
	StringInfoData body = request_for(arn, label);
	uint8_t		digest[HASH_SIZE];
	Jsonb	   *answer;
	char	   *made_under;
	uint8_t    *blob;
	int			n;

	add_member(&body, "KeySpec", "AES_256");
	appendStringInfoChar(&body, '}');
	answer = aws_json_call(&aws_kms, arn, what_of(arn), "GenerateDataKey", body.data);
	blob = take_bytes(answer, "CiphertextBlob", &n);
	made_under = jsonb_get_text(answer, "KeyId");
	if (n <= 0 || n > KMS_MAX_BLOB || made_under == NULL || !kms_is_arn(made_under) ||
		!digest_of(label, blob, n, digest))
		refuse_answer(arn);
	*length = n;
	*key = keep_plaintext(made_under, answer, digest);
	return blob;
}

SealKey
kms_open_key(const char *arn, SealLabel label, const uint8_t *blob, size_t length)
{
	uint8_t		digest[HASH_SIZE];
	StringInfoData body;
	OpenKey    *open;
	char	   *encoded;

	if (!digest_of(label, blob, length, digest))
		refuse_answer(arn);
	open = find_open(digest);
	if (open != NULL)
		return (SealKey)
	{
		arn, open->bytes
	};
	encoded = signature_base64(blob, length);
	if (encoded == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	body = request_for(arn, label);
	add_member(&body, "CiphertextBlob", encoded);
	free(encoded);
	appendStringInfoChar(&body, '}');
	return keep_plaintext(arn, aws_json_call(&aws_kms, arn, what_of(arn), "Decrypt", body.data), digest);
}
