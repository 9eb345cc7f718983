/*-------------------------------------------------------------------------
 *
 * vault_test.c
 *	  Sealing: AES-256-GCM against published vectors, the envelope against
 *	  every change of it, and the text that keys are read from.
 *
 * IDENTIFICATION
 *	  test/unit/vault_test.c
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include <openssl/crypto.h>
#include <stdlib.h>

#include "tap.h"
#include "vault/keyring.h"
#include "vault/seal.h"

static size_t
from_hex(const char *hex, uint8_t *bytes)
{
	size_t		n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
	{
		unsigned int value;

		sscanf(hex + 2 * i, "%2x", &value);
		bytes[i] = (uint8_t) value;
	}
	return n;
}

/* ---------- AES-256-GCM ---------- */

/*
 * McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", test cases 13
 * to 16; NIST CAVP, gcmEncryptExtIV256.rsp, the first of [PTlen = 128, AADlen =
 * 0] and of [PTlen = 128, AADlen = 128].
 */
static const struct
{
	const char *name;
	const char *key;
	const char *nonce;
	const char *associated;
	const char *text;
	const char *encrypted;
	const char *tag;
}			vectors[] = {
	{"case 13", "0000000000000000000000000000000000000000000000000000000000000000",
		"000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{"case 14", "0000000000000000000000000000000000000000000000000000000000000000",
		"000000000000000000000000", "", "00000000000000000000000000000000",
	"cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
	{"case 15", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
		"cafebabefacedbaddecaf888", "",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
	"b094dac5d93471bdec1a502270e3cc6c"},
	{"case 16", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
		"cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	"76fc6ece0f4e1768cddf8853bb2d551b"},
	{"CAVP without associated data", "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
		"0d18e06c7c725ac9e362e1ce", "", "2db5168e932556f8089a0622981d017d",
	"fa4362189661d163fcd6a56d8bf0405a", "d636ac1bbedd5cc3ee727dc2ab4a9489"},
	{"CAVP with associated data", "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b",
		"ac93a1a6145299bde902f21a", "1e0889016f67601c8ebea4943bc23ad6",
	"2d71bcfa914e4ac045b2aa60955fad24", "8995ae2e6df3dbf96fac7b7137bae67f", "eca5aa77d51d4a0a14d9c51e1da474ab"},
};

static void
test_vectors(void)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
	{
		uint8_t		key[32];
		uint8_t		nonce[12];
		uint8_t		associated[32];
		uint8_t		text[64];
		uint8_t		expected[64];
		uint8_t		expected_tag[16];
		uint8_t		output[64];
		uint8_t		zeros[64] = {0};
		uint8_t		tag[16];
		size_t		n = from_hex(vectors[i].text, text);
		SealPart	parts[2];

		from_hex(vectors[i].key, key);
		from_hex(vectors[i].nonce, nonce);
		from_hex(vectors[i].encrypted, expected);
		from_hex(vectors[i].tag, expected_tag);

		/* in two parts: they count as one */
		parts[0] = (SealPart) {associated, from_hex(vectors[i].associated, associated)};
		parts[1] = (SealPart) {associated + parts[0].length / 3, parts[0].length - parts[0].length / 3};
		parts[0].length /= 3;

		ok(seal_encrypt(key, nonce, parts, 2, text, n, output, tag) &&
		   memcmp(output, expected, n) == 0 && memcmp(tag, expected_tag, 16) == 0,
		   "encrypt: %s", vectors[i].name);
		ok(seal_decrypt(key, nonce, parts, 2, expected, n, output, expected_tag) &&
		   memcmp(output, text, n) == 0, "decrypt: %s", vectors[i].name);
		memcpy(output, expected, n);
		ok(seal_decrypt(key, nonce, parts, 2, output, n, output, expected_tag) &&
		   memcmp(output, text, n) == 0, "decrypt in place: %s", vectors[i].name);
		expected_tag[15] ^= 1;
		memset(output, 'x', sizeof(output));
		ok(!seal_decrypt(key, nonce, parts, 2, expected, n, output, expected_tag) &&
		   memcmp(output, zeros, n) == 0, "a wrong tag gives zeros: %s", vectors[i].name);
	}
}

/* ---------- the envelope ---------- */

static const uint8_t bytes1[SEAL_KEY_SIZE] = {1, 2, 3, 4};
static const uint8_t bytes2[SEAL_KEY_SIZE] = {1, 2, 3, 5};
static const SealKey key1 = {"first", bytes1};
static const SealKey key2 = {"second", bytes2};
static const SealLabel label = {"object store", "lake"};

static const char secret[] = "planted-secret \xc3\xa9";
#define SECRET_SIZE (sizeof(secret) - 1)

typedef struct Sealed
{
	/* of exactly the size, so that the sanitizer sees one byte too many */
	uint8_t    *key;
	uint8_t    *text;
	size_t		key_size;
	size_t		text_size;
} Sealed;

static Sealed
seal(SealKey master, SealLabel of, const char *text, size_t length)
{
	Sealed		sealed;

	sealed.key_size = SEALED_KEY_SIZE;
	sealed.text_size = length + SEAL_OVERHEAD;
	sealed.key = malloc(sealed.key_size);
	sealed.text = malloc(sealed.text_size);
	ok(seal_close(master, of, text, length, sealed.key, sealed.text) == SEAL_OK, "sealed %zu bytes", length);
	return sealed;
}

static void
unseal(Sealed *sealed)
{
	free(sealed->key);
	free(sealed->text);
}

/* Open; -1 if what came out is neither the text nor, on failure, zeros. */
static int
opens(SealKey master, SealLabel of, const uint8_t *key, size_t key_size,
	  const uint8_t *text, size_t text_size)
{
	size_t		room = text_size > SEAL_OVERHEAD ? text_size - SEAL_OVERHEAD : 0;
	uint8_t    *key_copy = malloc(key_size + 1);
	uint8_t    *text_copy = malloc(text_size + 1);
	char	   *output = calloc(1, room + 1);
	SealResult	result;
	bool		right = true;

	/* aligned to the end of their memory */
	memcpy(key_copy + 1, key, key_size);
	memcpy(text_copy + 1, text, text_size);
	result = seal_open(master, of, key_copy + 1, key_size, text_copy + 1, text_size, output);
	if (result == SEAL_OK)
		right = room == SECRET_SIZE && memcmp(output, secret, room) == 0;
	else
	{
		for (size_t i = 0; i < room; i++)
			right = right && output[i] == 0;
	}
	free(key_copy);
	free(text_copy);
	free(output);
	return right ? (int) result : -1;
}

static void
test_envelope(void)
{
	Sealed		sealed = seal(key1, label, secret, SECRET_SIZE);
	Sealed		again = seal(key1, label, secret, SECRET_SIZE);
	Sealed		other = seal(key1, (SealLabel) {"object store", "other"}, secret, SECRET_SIZE);
	Sealed		empty = seal(key1, label, "", 0);
	static const struct
	{
		SealLabel	label;
		const char *what;
	}			wrong[] = {
		{{"object store", "lak"}, "a shorter name"},
		{{"object store", "lakes"}, "a longer name"},
		{{"profile", "lake"}, "another purpose"},
		{{"object storel", "ake"}, "a letter moved from the name to the purpose"},
		{{"object stor", "elake"}, "a letter moved from the purpose to the name"},
		{{"lake", "object store"}, "name and purpose swapped"},
		{{"", ""}, "no name and no purpose"},
	};
	int			failures;

	is_int(opens(key1, label, sealed.key, sealed.key_size, sealed.text, sealed.text_size), SEAL_OK, "opens");
	is_int(seal_open(key1, label, empty.key, empty.key_size, empty.text, empty.text_size, NULL), SEAL_OK,
		   "nothing opens as nothing");
	ok(memcmp(sealed.key, again.key, sealed.key_size) != 0 && memcmp(sealed.text, again.text, sealed.text_size) != 0,
	   "the same text twice is not the same sealed");
	ok(memmem(sealed.text, sealed.text_size, "planted", 7) == NULL, "sealed text is not text");

	is_int(opens(key2, label, sealed.key, sealed.key_size, sealed.text, sealed.text_size),
		   SEAL_KEY_REFUSED, "another key");
	is_int(opens((SealKey) {"first", bytes2}, label, sealed.key, sealed.key_size, sealed.text, sealed.text_size),
		   SEAL_KEY_REFUSED, "another key of the same id");
	is_int(opens((SealKey) {"second", bytes1}, label, sealed.key, sealed.key_size, sealed.text, sealed.text_size),
		   SEAL_KEY_REFUSED, "the key by another id");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		is_int(opens(key1, wrong[i].label, sealed.key, sealed.key_size, sealed.text, sealed.text_size),
			   SEAL_KEY_REFUSED, "%s", wrong[i].what);

	/* parts of one in the other */
	is_int(opens(key1, label, other.key, other.key_size, other.text, other.text_size),
		   SEAL_KEY_REFUSED, "another name's row");
	is_int(opens(key1, label, other.key, other.key_size, sealed.text, sealed.text_size),
		   SEAL_KEY_REFUSED, "another name's data key");
	is_int(opens(key1, label, sealed.key, sealed.key_size, other.text, other.text_size),
		   SEAL_TEXT_REFUSED, "another name's text");
	is_int(opens(key1, label, again.key, again.key_size, sealed.text, sealed.text_size),
		   SEAL_TEXT_REFUSED, "an earlier data key of the same name");

	failures = 0;
	for (size_t bit = 0; bit < 8 * sealed.key_size; bit++)
	{
		int			result;

		sealed.key[bit / 8] ^= (uint8_t) (1 << bit % 8);
		result = opens(key1, label, sealed.key, sealed.key_size, sealed.text, sealed.text_size);
		failures += result != (bit < 8 ? SEAL_MALFORMED : SEAL_KEY_REFUSED);
		sealed.key[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	is_int(failures, 0, "each of the %zu bits of the data key counts", 8 * sealed.key_size);
	failures = 0;
	for (size_t bit = 0; bit < 8 * sealed.text_size; bit++)
	{
		int			result;

		sealed.text[bit / 8] ^= (uint8_t) (1 << bit % 8);
		result = opens(key1, label, sealed.key, sealed.key_size, sealed.text, sealed.text_size);
		failures += result != (bit < 8 ? SEAL_MALFORMED : SEAL_TEXT_REFUSED);
		sealed.text[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	is_int(failures, 0, "each of the %zu bits of the text counts", 8 * sealed.text_size);
	failures = 0;
	for (size_t size = 0; size < sealed.key_size; size++)
		failures += opens(key1, label, sealed.key, size, sealed.text, sealed.text_size) != SEAL_MALFORMED;
	is_int(failures, 0, "no part of the data key will do");
	failures = 0;
	for (size_t size = 0; size < sealed.text_size; size++)
		failures += opens(key1, label, sealed.key, sealed.key_size, sealed.text, size) !=
			(size < SEAL_OVERHEAD ? SEAL_MALFORMED : SEAL_TEXT_REFUSED);
	is_int(failures, 0, "no part of the text will do");
	is_int(opens(key1, label, sealed.key, sealed.key_size, sealed.text, sealed.text_size), SEAL_OK, "untouched, it opens");

	is_int(seal_close(key1, label, secret, SEAL_MAX_TEXT + 1, sealed.key, sealed.text), SEAL_FAILED,
		   "a text too long is not sealed");
	unseal(&sealed);
	unseal(&again);
	unseal(&other);
	unseal(&empty);
}

static void
test_rewrap(void)
{
	Sealed		sealed = seal(key1, label, secret, SECRET_SIZE);
	uint8_t    *rewrapped = calloc(1, SEALED_KEY_SIZE);

	is_int(seal_rewrap(key1, key2, label, sealed.key, sealed.key_size, rewrapped), SEAL_OK, "rewrapped");
	is_int(opens(key2, label, rewrapped, SEALED_KEY_SIZE, sealed.text, sealed.text_size), SEAL_OK, "opens by the new key");
	is_int(opens(key1, label, rewrapped, SEALED_KEY_SIZE, sealed.text, sealed.text_size), SEAL_KEY_REFUSED,
		   "and no more by the old one");
	is_int(seal_rewrap(key2, key1, label, sealed.key, sealed.key_size, rewrapped), SEAL_KEY_REFUSED,
		   "not rewrapped by a wrong key");
	is_int(seal_rewrap(key1, key2, (SealLabel) {"object store", "other"}, sealed.key, sealed.key_size, rewrapped),
		   SEAL_KEY_REFUSED, "nor under another name");
	is_int(seal_rewrap(key1, key2, label, sealed.key, sealed.key_size - 1, rewrapped), SEAL_MALFORMED, "nor a part");
	is_int(opens(key2, label, rewrapped, SEALED_KEY_SIZE, sealed.text, sealed.text_size), SEAL_OK,
		   "what fails writes nothing");
	free(rewrapped);
	unseal(&sealed);
}

/* ---------- keys ---------- */

#define HEX1 "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define BASE64_1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HEX2 "fbfffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2ff"
#define BASE64_2 "+//+/fz7+vn49/b19PPy8fDv7u3s6+rp6Ofm5eTj4v8="
#define BASE64_2_URL "-__-_fz7-vn49_b19PPy8fDv7u3s6-rp6Ofm5eTj4v8"
#define ID65 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static Keyring ring;

/* Parse a copy of exactly that size; the ring must be empty if it fails. */
static const char *
parse(const char *text, size_t length, int *line)
{
	char	   *copy = malloc(length > 0 ? length : 1);
	const char *problem;

	memcpy(copy, text, length);
	memset(&ring, 'x', sizeof(ring));
	problem = keyring_parse(&ring, copy, length, line);
	free(copy);
	if (problem != NULL)
	{
		for (size_t i = 0; i < sizeof(ring); i++)
		{
			if (((char *) &ring)[i] != 0)
				return "the ring was not wiped";
		}
	}
	return problem;
}

static void
accepts(const char *text, const char *what)
{
	int			line;
	const char *problem = parse(text, strlen(text), &line);

	if (!ok(problem == NULL && line == 0, "keys: %s", what))
		printf("# %s\n", problem);
}

static void
refuses(const char *text, int expected_line, const char *expected)
{
	int			line;
	const char *problem = parse(text, strlen(text), &line);

	is_str(problem, expected, "keys: %s", expected);
	is_int(line, expected_line, "in line %d", expected_line);
}

static void
test_keyring(void)
{
	uint8_t		first[32];
	uint8_t		second[32];
	char		id[KEYRING_ID_SIZE];
	char		many[KEYRING_MAX_TEXT + 2];
	size_t		n;
	int			line;
	SealKey		key = {NULL, NULL};

	from_hex(HEX1, first);
	from_hex(HEX2, second);

	accepts("one:" HEX1 "\n", "hexadecimal");
	ok(ring.nkeys == 1 && keyring_find(&ring, "one", &key) && memcmp(key.bytes, first, 32) == 0, "the right one");
	ok(!keyring_find(&ring, "on", &key) && !keyring_find(&ring, "", &key), "found by its whole id only");
	accepts("one:" BASE64_1, "base64, without an end of line");
	ok(memcmp(ring.keys[0].bytes, first, 32) == 0, "the right one");
	accepts("2026-11_a.b:" BASE64_2_URL "\r\n", "base64 for URLs, without padding, with an end of line of Windows");
	ok(memcmp(ring.keys[0].bytes, second, 32) == 0, "the right one");
	accepts("\n# a comment: not a key\n  new:" BASE64_2 "  \n\told:" HEX1 "\n\n", "several, with comments and space");
	ok(ring.nkeys == 2 && strcmp(ring.keys[0].id, "new") == 0 && memcmp(ring.keys[0].bytes, second, 32) == 0 &&
	   keyring_find(&ring, "old", &key) && memcmp(key.bytes, first, 32) == 0, "in their order");
	accepts(HEX1, "without an id");
	keyring_id(first, id);
	is_str(ring.keys[0].id, id, "it is the key's own");
	is_int(strlen(id), 16, "of 16 digits");
	keyring_id(second, id);
	ok(strcmp(ring.keys[0].id, id) != 0, "another key has another");
	ok(parse((const char *) first, 32, &line) == NULL && ring.nkeys == 1 && memcmp(ring.keys[0].bytes, first, 32) == 0,
	   "keys: 32 bytes as they are");
	keyring_id(first, id);
	is_str(ring.keys[0].id, id, "its id is that of the same key in a line");

	refuses("", 0, "it holds no key");
	refuses("\n# nothing\n", 0, "it holds no key");
	refuses("a:" HEX1 "\nb:" HEX1 "0\n", 2, "a key is 32 bytes, as 64 hexadecimal digits or in base64");
	refuses("\na:00010203", 2, "a key is 32 bytes, as 64 hexadecimal digits or in base64");
	refuses("a:g00102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F", 1,
			"a key is 32 bytes, as 64 hexadecimal digits or in base64");
	refuses("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", 1, "a key is 32 bytes, as 64 hexadecimal digits or in base64");
	refuses("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh!=", 1, "a key is 32 bytes, as 64 hexadecimal digits or in base64");
	refuses("a:b:" HEX1, 1, "a key is 32 bytes, as 64 hexadecimal digits or in base64");
	refuses(":" HEX1, 1, "an id has 1 to 64 letters, digits, dots, hyphens and underscores");
	refuses("a b:" HEX1, 1, "an id has 1 to 64 letters, digits, dots, hyphens and underscores");
	refuses(ID65 ":" HEX1, 1, "an id has 1 to 64 letters, digits, dots, hyphens and underscores");
	refuses("a:" HEX1 "\na:" BASE64_2, 2, "the key's id is another's already");
	refuses("a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1, "the key is one byte repeated");
	ok(parse("a\0b:" HEX1, 4 + 64, &line) != NULL, "keys: an id does not hold a zero");
	ok(parse((const char *) first, 31, &line) != NULL && parse(HEX1, 33, &line) != NULL, "keys: 31 and 33 bytes");

	n = 0;
	for (int i = 0; i < KEYRING_MAX_KEYS; i++)
		n += (size_t) sprintf(many + n, "k%d:" HEX1 "\n", i);
	accepts(many, "as many as there may be");
	sprintf(many + n, "k:" HEX1 "\n");
	refuses(many, KEYRING_MAX_KEYS + 1, "there are too many keys");
	memset(many, '\n', sizeof(many));
	many[KEYRING_MAX_TEXT + 1] = '\0';
	refuses(many, 0, "it is too long");
}

int
main(void)
{
	test_vectors();
	test_envelope();
	test_rewrap();
	test_keyring();
	return done_testing();
}
