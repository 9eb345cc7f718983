/*-------------------------------------------------------------------------
 *
 * sigv4.c
 *	  AWS Signature Version 4.
 *
 * Follows "Signature Version 4 signing process" of the AWS documentation.  S3
 * signs the path as it is sent; all other services sign it normalised and
 * encoded once more, so that "%3A" on the wire is "%253A" in the signature.
 *
 * IDENTIFICATION
 *	  src/net/sigv4.c
 *
 *-------------------------------------------------------------------------
 */
#include "net/sigv4.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

/* ---------- text that grows ---------- */

typedef struct Text
{
	char	   *data;
	size_t		length;
	size_t		room;
	bool		failed;			/* out of memory: all further additions are lost */
} Text;

/* What was there may have been secret. */
static void
give_back(Text *text)
{
	if (text->data != NULL)
		OPENSSL_cleanse(text->data, text->room);
	free(text->data);
	text->data = NULL;
}

static void
add_bytes(Text *text, const char *data, size_t length)
{
	if (text->failed)
		return;
	if (text->length + length + 1 > text->room)
	{
		size_t		room = (text->length + length + 1) * 2;
		char	   *grown = malloc(room);

		if (grown == NULL)
		{
			text->failed = true;
			return;
		}

		/* not realloc(): what it leaves behind may be secret */
		if (text->data != NULL)
			memcpy(grown, text->data, text->length);
		give_back(text);
		text->data = grown;
		text->room = room;
	}
	if (length > 0)
		memcpy(text->data + text->length, data, length);
	text->length += length;
	text->data[text->length] = '\0';
}

static void
add(Text *text, const char *string)
{
	add_bytes(text, string, strlen(string));
}

static const char hex_digits[] = "0123456789ABCDEF";

static bool
unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '_' || c == '.' || c == '~';
}

static void
add_encoded(Text *text, const char *data, size_t length, bool keep_slash)
{
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = data[i];
		char		escape[3] = {'%', hex_digits[c >> 4], hex_digits[c & 15]};

		if (unreserved(c) || (keep_slash && c == '/'))
			add_bytes(text, data + i, 1);
		else
			add_bytes(text, escape, 3);
	}
}

/* The text's string, which is the caller's to free; NULL if anything was lost. */
static char *
take(Text *text)
{
	add(text, "");
	if (text->failed)
	{
		free(text->data);
		return NULL;
	}
	return text->data;
}

char *
sigv4_encode(const char *text, bool keep_slash)
{
	Text		encoded = {0};

	add_encoded(&encoded, text, strlen(text), keep_slash);
	return take(&encoded);
}

/* ---------- hashes ---------- */

static void
to_hex(const unsigned char *bytes, char hex[65])
{
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
	{
		hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	hex[64] = '\0';
}

bool
sigv4_payload_hash(const void *data, size_t length, char hex[65])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	if (EVP_Digest(length > 0 ? data : "", length, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	to_hex(digest, hex);
	return true;
}

/* result may be key itself */
static bool
hmac(unsigned char result[SHA256_DIGEST_LENGTH], const void *key, size_t key_length,
	 const char *data)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	if (HMAC(EVP_sha256(), key, (int) key_length, (const unsigned char *) data, strlen(data),
			 digest, NULL) == NULL)
		return false;
	memcpy(result, digest, sizeof(digest));
	OPENSSL_cleanse(digest, sizeof(digest));
	return true;
}

/* ---------- the canonical request ---------- */

/*
 * Without "." and ".." and empty segments, and then encoded.  RFC 3986 section
 * 5.2.4, but for the empty ones.
 */
static void
add_normalised_path(Text *canonical, const char *path)
{
	Text		clean = {0};
	bool		slash_at_end = true;

	while (*path != '\0')
	{
		size_t		n = strcspn(path, "/");

		slash_at_end = true;
		if (n == 2 && path[0] == '.' && path[1] == '.')
		{
			while (clean.length > 0 && clean.data[clean.length - 1] != '/')
				clean.length--;
			if (clean.length > 0)
				clean.length--;
		}
		else if (n > 0 && !(n == 1 && path[0] == '.'))
		{
			add(&clean, "/");
			add_bytes(&clean, path, n);
			slash_at_end = path[n] == '/';
		}
		path += n;
		if (*path == '/')
			path++;
	}
	if (slash_at_end)
		add(&clean, "/");
	if (clean.failed)
		canonical->failed = true;
	else
		add_encoded(canonical, clean.data, clean.length, true);
	free(clean.data);
}

typedef struct Parameter
{
	char	   *name;			/* encoded; NULL: out of memory */
	char	   *value;
} Parameter;

static int
compare_parameters(const void *a, const void *b)
{
	const Parameter *left = a;
	const Parameter *right = b;
	int			order = strcmp(left->name, right->name);

	return order != 0 ? order : strcmp(left->value, right->value);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode what is percent-encoded, and encode all that must be. */
static char *
reencode(const char *data, size_t length)
{
	Text		encoded = {0};

	for (size_t i = 0; i < length; i++)
	{
		char		c = data[i];

		if (c == '%' && i + 2 < length && hex_value(data[i + 1]) >= 0 && hex_value(data[i + 2]) >= 0)
		{
			c = (char) (hex_value(data[i + 1]) * 16 + hex_value(data[i + 2]));
			i += 2;
		}
		add_encoded(&encoded, &c, 1, false);
	}
	return take(&encoded);
}

static void
add_query(Text *canonical, const char *query)
{
	Parameter  *parameters;
	size_t		n = 0;
	size_t		count = 1;

	if (query == NULL || *query == '\0')
		return;
	for (const char *c = query; *c != '\0'; c++)
		count += *c == '&';
	parameters = calloc(count, sizeof(Parameter));
	if (parameters == NULL)
	{
		canonical->failed = true;
		return;
	}
	while (*query != '\0')
	{
		size_t		length = strcspn(query, "&");
		size_t		name_length = strcspn(query, "=&");

		if (length > 0)
		{
			parameters[n].name = reencode(query, name_length);
			parameters[n].value = name_length < length
				? reencode(query + name_length + 1, length - name_length - 1)
				: reencode("", 0);
			if (parameters[n].name == NULL || parameters[n].value == NULL)
				canonical->failed = true;
			n++;
		}
		query += length;
		if (*query == '&')
			query++;
	}
	if (!canonical->failed)
	{
		qsort(parameters, n, sizeof(Parameter), compare_parameters);
		for (size_t i = 0; i < n; i++)
		{
			if (i > 0)
				add(canonical, "&");
			add(canonical, parameters[i].name);
			add(canonical, "=");
			add(canonical, parameters[i].value);
		}
	}
	for (size_t i = 0; i < n; i++)
	{
		free(parameters[i].name);
		free(parameters[i].value);
	}
	free(parameters);
}

/* What proxies and clients change or add on the way. */
static bool
never_signed(const char *name)
{
	static const char *const names[] = {
		"connection", "expect", "keep-alive", "te", "trailer", "transfer-encoding",
		"upgrade", "user-agent", "x-amzn-trace-id", "authorization"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcasecmp(name, names[i]) == 0)
			return true;
	}
	return strncasecmp(name, "proxy-", 6) == 0;
}

/* Stable: repeated headers keep their order. */
static void
sort_headers(const SigV4Header **headers, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		const SigV4Header *header = headers[i];
		size_t		j = i;

		for (; j > 0 && strcasecmp(headers[j - 1]->name, header->name) > 0; j--)
			headers[j] = headers[j - 1];
		headers[j] = header;
	}
}

/* Trimmed, and with single spaces for runs of blanks. */
static void
add_header_value(Text *text, const char *value)
{
	bool		blank = false;
	bool		begun = false;

	for (; *value != '\0'; value++)
	{
		if (*value == ' ' || *value == '\t' || *value == '\r' || *value == '\n')
			blank = true;
		else
		{
			if (blank && begun)
				add(text, " ");
			add_bytes(text, value, 1);
			blank = false;
			begun = true;
		}
	}
}

static void
add_lower(Text *text, const char *name)
{
	for (; *name != '\0'; name++)
	{
		char		c = *name >= 'A' && *name <= 'Z' ? *name | 0x20 : *name;

		add_bytes(text, &c, 1);
	}
}

/* The lines of headers, and their names in signed_names. */
static void
add_headers(Text *canonical, Text *signed_names, const SigV4Request *request)
{
	const SigV4Header **headers = malloc((request->nheaders + 1) * sizeof(SigV4Header *));
	size_t		n = 0;

	if (headers == NULL)
	{
		canonical->failed = true;
		return;
	}
	for (size_t i = 0; i < request->nheaders; i++)
	{
		if (!never_signed(request->headers[i].name))
			headers[n++] = &request->headers[i];
	}
	sort_headers(headers, n);
	for (size_t i = 0; i < n; i++)
	{
		if (i > 0 && strcasecmp(headers[i]->name, headers[i - 1]->name) == 0)
			add(canonical, ",");
		else
		{
			if (i > 0)
			{
				add(canonical, "\n");
				add(signed_names, ";");
			}
			add_lower(canonical, headers[i]->name);
			add_lower(signed_names, headers[i]->name);
			add(canonical, ":");
		}
		add_header_value(canonical, headers[i]->value);
	}
	add(canonical, "\n");
	free(headers);
}

static void
build_canonical(Text *canonical, Text *signed_names, const SigV4Request *request)
{
	add(canonical, request->method);
	add(canonical, "\n");
	if (strcmp(request->service, "s3") != 0)
		add_normalised_path(canonical, request->path);
	else
		add(canonical, request->path[0] == '\0' ? "/" : request->path);
	add(canonical, "\n");
	add_query(canonical, request->query);
	add(canonical, "\n");
	add_headers(canonical, signed_names, request);
	add(canonical, "\n");
	add(canonical, signed_names->failed || signed_names->data == NULL ? "" : signed_names->data);
	add(canonical, "\n");
	add(canonical, request->payload_hash);
}

/* ---------- the signature ---------- */

static bool
sign(const SigV4Request *request, const char *date, const char *text, char hex[65])
{
	Text		secret = {0};
	unsigned char key[SHA256_DIGEST_LENGTH];
	bool		good;

	add(&secret, "AWS4");
	add(&secret, request->secret_access_key);
	good = !secret.failed &&
		hmac(key, secret.data, secret.length, date) &&
		hmac(key, key, sizeof(key), request->region) &&
		hmac(key, key, sizeof(key), request->service) &&
		hmac(key, key, sizeof(key), "aws4_request") &&
		hmac(key, key, sizeof(key), text);
	if (good)
		to_hex(key, hex);
	OPENSSL_cleanse(key, sizeof(key));
	give_back(&secret);
	return good;
}

char *
sigv4_authorization(const SigV4Request *request, char **canonical_request)
{
	Text		canonical = {0};
	Text		signed_names = {0};
	Text		scope = {0};
	Text		to_sign = {0};
	Text		authorization = {0};
	char		date[9];
	char		hex[65];
	bool		good;

	strncpy(date, request->timestamp, 8);
	date[8] = '\0';

	add(&scope, date);
	add(&scope, "/");
	add(&scope, request->region);
	add(&scope, "/");
	add(&scope, request->service);
	add(&scope, "/aws4_request");

	build_canonical(&canonical, &signed_names, request);
	good = !canonical.failed && !signed_names.failed && !scope.failed &&
		sigv4_payload_hash(canonical.data, canonical.length, hex);
	if (good)
	{
		add(&to_sign, "AWS4-HMAC-SHA256\n");
		add(&to_sign, request->timestamp);
		add(&to_sign, "\n");
		add(&to_sign, scope.data);
		add(&to_sign, "\n");
		add(&to_sign, hex);
		good = !to_sign.failed && sign(request, date, to_sign.data, hex);
	}
	if (good)
	{
		add(&authorization, "AWS4-HMAC-SHA256 Credential=");
		add(&authorization, request->access_key_id);
		add(&authorization, "/");
		add(&authorization, scope.data);
		add(&authorization, ", SignedHeaders=");
		add(&authorization, signed_names.data == NULL ? "" : signed_names.data);
		add(&authorization, ", Signature=");
		add(&authorization, hex);
	}
	if (canonical_request != NULL)
	{
		*canonical_request = canonical.failed ? NULL : canonical.data;
		if (!canonical.failed)
			canonical.data = NULL;
	}
	give_back(&canonical);
	free(signed_names.data);
	free(scope.data);
	free(to_sign.data);
	if (!good)
	{
		free(authorization.data);
		return NULL;
	}
	return take(&authorization);
}
