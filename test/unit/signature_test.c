/*-------------------------------------------------------------------------
 *
 * signature_test.c
 *	  Signatures of JSON Web Tokens and of Infor Nexus.
 *
 * IDENTIFICATION
 *	  test/unit/signature_test.c
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "net/signature.h"
#include "tap.h"

static void
is(char *got, const char *expected, const char *name)
{
	ok(got != NULL && strcmp(got, expected) == 0, "%s", name);
	free(got);
}

static char *
pem_of(EVP_PKEY *key)
{
	BIO		   *out = BIO_new(BIO_s_mem());
	char	   *data;
	char	   *text;
	long		length;

	PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	length = BIO_get_mem_data(out, &data);
	text = malloc((size_t) length + 1);
	memcpy(text, data, (size_t) length);
	text[length] = '\0';
	BIO_free(out);
	return text;
}

/* base64url to bytes, by OpenSSL's decoder of plain base64 */
static int
decode(const char *text, size_t length, unsigned char *out)
{
	char	   *plain = calloc(1, length + 5);
	size_t		padded = (length + 3) / 4 * 4;
	int			n;

	for (size_t i = 0; i < padded; i++)
		plain[i] = i >= length ? '=' : text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
	n = EVP_DecodeBlock(out, (unsigned char *) plain, (int) padded) - (int) (padded - length);
	free(plain);
	return n;
}

static int
verified(EVP_PKEY *key, const char *signed_text, size_t length, const char *signature)
{
	unsigned char bytes[1024];
	int			n = decode(signature, strlen(signature), bytes);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int			good;

	EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key);
	good = EVP_DigestVerify(context, bytes, (size_t) n, (const unsigned char *) signed_text, length) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

int
main(void)
{
	EVP_PKEY   *key = EVP_RSA_gen(2048);
	EVP_PKEY   *curve = EVP_EC_gen("P-256");
	char	   *pem = pem_of(key);
	char	   *curve_pem = pem_of(curve);
	char	   *token;
	const char *claims = "{\"iss\":\"a\xc3\xa9\",\"exp\":1300819380}";

	/* RFC 4648 */
	is(signature_base64("", 0), "", "base64 of nothing");
	is(signature_base64("f", 1), "Zg==", "base64 of one byte");
	is(signature_base64("foobar", 6), "Zm9vYmFy", "base64 of six bytes");
	is(signature_base64url("\xfb\xff\xfe", 3), "-__-", "base64url has - and _");
	is(signature_base64url("f", 1), "Zg", "base64url has no padding");

	/* RFC 7519, 3.1: this header and these claims, as base64url */
	is(signature_base64url("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", 30), "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
	   "base64url as in RFC 7519");

	token = signature_jwt(claims, pem, NULL);
	ok(token != NULL, "a token");
	if (token != NULL)
	{
		char	   *first = strchr(token, '.');
		char	   *last = strrchr(token, '.');
		unsigned char text[1024] = {0};

		ok(strncmp(token, "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.", 37) == 0, "its header is fixed");
		decode(first + 1, (size_t) (last - first - 1), text);
		ok(memcmp(text, claims, strlen(claims)) == 0, "its claims are those given");
		ok(verified(key, token, (size_t) (last - token), last + 1), "its signature holds");
		token[2] ^= 1;
		ok(!verified(key, token, (size_t) (last - token), last + 1), "and not for another header");
		free(token);
	}
	token = signature_jwt(claims, pem, "key-1");
	if (token != NULL)
	{
		unsigned char text[1024] = {0};

		decode(token, strcspn(token, "."), text);
		ok(strcmp((char *) text, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"key-1\"}") == 0, "the key's name in the header");
		ok(verified(key, token, (size_t) (strrchr(token, '.') - token), strrchr(token, '.') + 1), "signed with it");
	}
	free(token);
	ok(signature_jwt(claims, "", NULL) == NULL, "no key, no token");
	ok(signature_jwt(claims, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", NULL) == NULL, "a broken key");
	ok(signature_jwt(claims, curve_pem, NULL) == NULL, "a key of another kind");

	/* connectors-2: the vector of this project's own */
	is(signature_nexus("secret-for-tests", "2026-01-02T03:04:05+0000", "GET",
					   "/rest/3.1/OrderDetail/query?oql=poNumber%3D%27PO-1%27&dataKey=dk", "", 0),
	   "Yfv4pakXpGazpFUvwZ1FN2+XWfyBuSgrO9zWWe1W8Dg=", "Infor Nexus");
	{
		char	   *one = signature_nexus("s", "d", "POST", "/p", "Body", 4);
		char	   *other = signature_nexus("s", "d", "POST", "/p", "body", 4);
		char	   *third = signature_nexus("s", "d", "POST", "/p", "bodx", 4);

		ok(one && other && strcmp(one, other) == 0, "its body counts in lower case");
		ok(one && third && strcmp(one, third) != 0, "but it counts");
		free(one);
		free(other);
		free(third);
	}
	free(pem);
	free(curve_pem);
	EVP_PKEY_free(key);
	EVP_PKEY_free(curve);
	return done_testing();
}
