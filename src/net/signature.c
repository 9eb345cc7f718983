/*-------------------------------------------------------------------------
 *
 * signature.c
 *	  Signatures of JSON Web Tokens and of Infor Nexus.  Plain C.
 *
 * IDENTIFICATION
 *	  src/net/signature.c
 *
 *-------------------------------------------------------------------------
 */
#include "net/signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
signature_base64(const void *data, size_t length)
{
	char	   *text = malloc((length + 2) / 3 * 4 + 1);

	if (text != NULL)
		EVP_EncodeBlock((unsigned char *) text, data, (int) length);
	return text;
}

char *
signature_base64url(const void *data, size_t length)
{
	char	   *text = signature_base64(data, length);

	for (char *p = text; p != NULL && *p != '\0'; p++)
	{
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
		else if (*p == '=')
			*p = '\0';
	}
	return text;
}

/* there is nobody to ask for a passphrase */
static int
no_passphrase(char *buffer, int size, int writing, void *arg)
{
	return -1;
}

static EVP_PKEY *
read_key(const char *pem)
{
	BIO		   *text = BIO_new_mem_buf(pem, -1);
	EVP_PKEY   *key = text == NULL ? NULL : PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL);

	BIO_free(text);
	if (key != NULL && EVP_PKEY_base_id(key) != EVP_PKEY_RSA)
	{
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

/* The RS256 signature of a text, base64url. */
static char *
rs256(const char *text, const char *pem)
{
	EVP_PKEY   *key = read_key(pem);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char *signature = NULL;
	size_t		length = 0;
	char	   *result = NULL;

	if (key != NULL && context != NULL &&
		EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(context, NULL, &length, (const unsigned char *) text, strlen(text)) == 1 &&
		(signature = malloc(length)) != NULL &&
		EVP_DigestSign(context, signature, &length, (const unsigned char *) text, strlen(text)) == 1)
		result = signature_base64url(signature, length);
	free(signature);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return result;
}

char *
signature_jwt(const char *claims, const char *private_key, const char *key_id)
{
	static const char plain[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
	static const char named[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}";
	size_t		room = sizeof(named) + (key_id == NULL ? 0 : strlen(key_id));
	char	   *header = malloc(room);
	char	   *parts[3] = {NULL, NULL, NULL};
	char	   *result = NULL;

	if (header != NULL)
	{
		snprintf(header, room, key_id == NULL ? plain : named, key_id);
		parts[0] = signature_base64url(header, strlen(header));
		parts[1] = signature_base64url(claims, strlen(claims));
	}
	if (parts[0] != NULL && parts[1] != NULL)
	{
		room = strlen(parts[0]) + strlen(parts[1]) + 2;
		result = malloc(room);
		if (result != NULL)
		{
			snprintf(result, room, "%s.%s", parts[0], parts[1]);
			parts[2] = rs256(result, private_key);
		}
	}
	if (parts[2] != NULL)
	{
		char	   *grown;

		room += strlen(parts[2]) + 1;
		grown = realloc(result, room);
		if (grown != NULL)
		{
			result = grown;
			strcat(result, ".");
			strcat(result, parts[2]);
		}
		else
		{
			free(parts[2]);
			parts[2] = NULL;
		}
	}
	if (parts[2] == NULL)
	{
		free(result);
		result = NULL;
	}
	free(header);
	for (int i = 0; i < 3; i++)
		free(parts[i]);
	return result;
}

static char *
lower(char *to, const char *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = from[i] >= 'A' && from[i] <= 'Z' ? from[i] - 'A' + 'a' : from[i];
	return to + length;
}

char *
signature_nexus(const char *secret, const char *date, const char *method,
				const char *target, const char *body, size_t length)
{
	size_t		all = strlen(date) + strlen(method) + strlen(target) + length;
	char	   *base = malloc(all + 1);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_length;
	char	   *result = NULL;
	char	   *end;

	if (base == NULL)
		return NULL;
	end = lower(base, date, strlen(date));
	end = lower(end, method, strlen(method));
	end = lower(end, target, strlen(target));
	lower(end, body, length);
	if (HMAC(EVP_sha256(), secret, (int) strlen(secret), (unsigned char *) base, all, digest, &digest_length) != NULL)
		result = signature_base64(digest, digest_length);
	OPENSSL_cleanse(base, all);
	free(base);
	return result;
}
