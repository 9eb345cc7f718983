/*-------------------------------------------------------------------------
 *
 * keyring.c
 *	  The master keys that are known, and the text they are read from.
 *
 * IDENTIFICATION
 *	  src/vault/keyring.c
 *
 *-------------------------------------------------------------------------
 */
#include "vault/keyring.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* of a key in base64: with its padding, and without */
#define BASE64_SIZE 44
#define BASE64_BARE 43

void
keyring_id(const uint8_t *key, char id[KEYRING_ID_SIZE])
{
	static const char label[] = "appflow master key";
	uint8_t		input[sizeof(label) + SEAL_KEY_SIZE];
	uint8_t		digest[EVP_MAX_MD_SIZE] = {0};

	memcpy(input, label, sizeof(label));
	memcpy(input + sizeof(label), key, SEAL_KEY_SIZE);
	(void) EVP_Digest(input, sizeof(input), digest, NULL, EVP_sha256(), NULL);
	OPENSSL_cleanse(input, sizeof(input));
	for (int i = 0; i < (KEYRING_ID_SIZE - 1) / 2; i++)
	{
		id[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		id[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	id[KEYRING_ID_SIZE - 1] = '\0';
}

/*
 * Value of a digit without a table or a branch on it, which a cache would tell
 * of; -1 if it is none.
 */
static int
between(int c, int low, int high, int value)
{
	/* all ones if low <= c <= high */
	int			inside = ~((c - low) | (high - c)) >> 31;

	return inside & (value + c - low + 1);
}

static int
hex_value(int c)
{
	return between(c, '0', '9', 0) + between(c, 'a', 'f', 10) + between(c, 'A', 'F', 10) - 1;
}

static int
base64_value(int c)
{
	return between(c, 'A', 'Z', 0) + between(c, 'a', 'z', 26) + between(c, '0', '9', 52) +
		between(c, '+', '+', 62) + between(c, '/', '/', 63) +
		between(c, '-', '-', 62) + between(c, '_', '_', 63) - 1;
}

static bool
decode_hex(const uint8_t *text, uint8_t *key)
{
	int			bad = 0;

	for (int i = 0; i < SEAL_KEY_SIZE; i++)
	{
		int			high = hex_value(text[2 * i]);
		int			low = hex_value(text[2 * i + 1]);

		bad |= high | low;
		key[i] = (uint8_t) ((unsigned int) high << 4 | (unsigned int) low);
	}
	return bad >= 0;
}

static bool
decode_base64(const uint8_t *text, uint8_t *key)
{
	unsigned int bits = 0;
	int			bad = 0;
	int			nbits = 0;
	int			n = 0;

	for (int i = 0; i < BASE64_BARE; i++)
	{
		int			value = base64_value(text[i]);

		bad |= value;
		bits = bits << 6 | (unsigned int) (value & 63);
		nbits += 6;
		if (nbits >= 8)
		{
			nbits -= 8;
			key[n++] = (uint8_t) (bits >> nbits);
		}
	}
	/* 258 bits: the last two mean nothing and are zero */
	return bad >= 0 && (bits & 3) == 0;
}

/* A key that somebody made by filling: zeros of a device, say. */
static bool
all_the_same(const uint8_t *key)
{
	for (int i = 1; i < SEAL_KEY_SIZE; i++)
	{
		if (key[i] != key[0])
			return false;
	}
	return true;
}

static const char *
add_key(Keyring *keyring, const uint8_t *id, size_t id_length, const uint8_t *key)
{
	char		name[KEYRING_MAX_ID + 1];
	SealKey		other;

	if (all_the_same(key))
		return "the key is one byte repeated";
	if (keyring->nkeys == KEYRING_MAX_KEYS)
		return "there are too many keys";
	if (id == NULL)
		keyring_id(key, name);
	else
	{
		memcpy(name, id, id_length);
		name[id_length] = '\0';
	}
	if (keyring_find(keyring, name, &other))
		return "the key's id is another's already";
	memcpy(keyring->keys[keyring->nkeys].id, name, strlen(name) + 1);
	memcpy(keyring->keys[keyring->nkeys].bytes, key, SEAL_KEY_SIZE);
	keyring->nkeys++;
	return NULL;
}

static bool
valid_id(const uint8_t *id, size_t length)
{
	if (length < 1 || length > KEYRING_MAX_ID)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", id[i]) == NULL ||
			id[i] == '\0')
			return false;
	}
	return true;
}

static const char *
parse_line(Keyring *keyring, const uint8_t *line, size_t length)
{
	const uint8_t *colon = memchr(line, ':', length);
	const uint8_t *id = NULL;
	size_t		id_length = 0;
	uint8_t		key[SEAL_KEY_SIZE];
	const char *problem = NULL;

	if (colon != NULL)
	{
		id = line;
		id_length = (size_t) (colon - line);
		length -= id_length + 1;
		line = colon + 1;
		if (!valid_id(id, id_length))
			return "an id has 1 to 64 letters, digits, dots, hyphens and underscores";
	}
	if (length == BASE64_SIZE && line[BASE64_BARE] == '=')
		length = BASE64_BARE;
	if (!(length == 2 * SEAL_KEY_SIZE && decode_hex(line, key)) &&
		!(length == BASE64_BARE && decode_base64(line, key)))
		problem = "a key is 32 bytes, as 64 hexadecimal digits or in base64";
	if (problem == NULL)
		problem = add_key(keyring, id, id_length, key);
	OPENSSL_cleanse(key, sizeof(key));
	return problem;
}

static bool
blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

const char *
keyring_parse(Keyring *keyring, const void *text, size_t length, int *line)
{
	const uint8_t *c = text;
	const uint8_t *end = c + length;
	const char *problem = NULL;

	*line = 0;
	keyring->nkeys = 0;
	if (length > KEYRING_MAX_TEXT)
		problem = "it is too long";
	else if (length == SEAL_KEY_SIZE)
		problem = add_key(keyring, NULL, 0, c);
	else
	{
		while (problem == NULL && c < end)
		{
			const uint8_t *newline = memchr(c, '\n', (size_t) (end - c));
			const uint8_t *stop = newline != NULL ? newline : end;
			const uint8_t *next = newline != NULL ? newline + 1 : end;

			(*line)++;
			while (c < stop && blank(*c))
				c++;
			while (stop > c && blank(stop[-1]))
				stop--;
			if (c < stop && *c != '#')
				problem = parse_line(keyring, c, (size_t) (stop - c));
			c = next;
		}
		if (problem == NULL)
		{
			*line = 0;
			if (keyring->nkeys == 0)
				problem = "it holds no key";
		}
	}
	if (problem != NULL)
		keyring_wipe(keyring);
	return problem;
}

bool
keyring_find(const Keyring *keyring, const char *id, SealKey *key)
{
	for (int i = 0; i < keyring->nkeys; i++)
	{
		if (strcmp(keyring->keys[i].id, id) == 0)
		{
			key->id = keyring->keys[i].id;
			key->bytes = keyring->keys[i].bytes;
			return true;
		}
	}
	return false;
}

void
keyring_wipe(Keyring *keyring)
{
	OPENSSL_cleanse(keyring, sizeof(Keyring));
}
