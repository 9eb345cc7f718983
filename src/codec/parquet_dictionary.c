/*-------------------------------------------------------------------------
 *
 * parquet_dictionary.c
 *	  The distinct values of one column of one row group.
 *
 * A hash table with open addressing and linear probing, at most half full.  A
 * slot holds the hash itself, so that most misses and all growing are settled
 * without looking at a value.  The hash is not keyed: someone who knows it can
 * make values that collide, and then a long probe marks the dictionary as
 * degenerate and the column goes on without one.
 *
 * IDENTIFICATION
 *	  src/codec/parquet_dictionary.c
 *
 *-------------------------------------------------------------------------
 */
#include "codec/parquet_dictionary.h"

#define FIRST_SLOTS 1024
#define MAX_PROBES 256

/* odd constants with well mixed bits: the golden ratio, and murmur3's */
#define MIX_1 UINT64_C(0x9E3779B97F4A7C15)
#define MIX_2 UINT64_C(0xFF51AFD7ED558CCD)

static inline uint64_t
load64(const char *p)
{
	uint64_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
load32(const char *p)
{
	uint32_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
hash_word(uint64_t v)
{
	v *= MIX_1;
	v ^= v >> 32;
	v *= MIX_2;
	return (uint32_t) (v >> 32);
}

static inline uint32_t
hash_span(const char *p, size_t n)
{
	uint64_t	h = n * MIX_1;
	uint64_t	last;

	if (n >= 8)
	{
		const char *tail = p + n - 8;

		for (; p < tail; p += 8)
		{
			h = (h ^ load64(p)) * MIX_2;
			h ^= h >> 32;
		}
		last = load64(tail);
	}
	else if (n >= 4)
		last = (uint64_t) load32(p) << 32 | load32(p + n - 4);
	else if (n > 0)
		last = (uint64_t) (unsigned char) p[0] << 16 |
			(uint64_t) (unsigned char) p[n / 2] << 8 | (unsigned char) p[n - 1];
	else
		last = 0;
	return hash_word(h ^ last);
}

static inline bool
equal_spans(const char *a, const char *b, size_t n)
{
	if (n > 32)
		return memcmp(a, b, n) == 0;
	if (n >= 8)
	{
		size_t		i;

		for (i = 0; i + 8 < n; i += 8)
			if (load64(a + i) != load64(b + i))
				return false;
		return load64(a + n - 8) == load64(b + n - 8);
	}
	if (n >= 4)
		return load32(a) == load32(b) && load32(a + n - 4) == load32(b + n - 4);
	while (n-- > 0)
		if (a[n] != b[n])
			return false;
	return true;
}

/* make room for n values more at half load */
static bool
reserve(Dictionary *dictionary, size_t n)
{
	size_t		need = ((size_t) dictionary->count + n) * 2;
	size_t		old = dictionary->slots ? (size_t) dictionary->mask + 1 : 0;
	size_t		size = old ? old : FIRST_SLOTS;
	DictionarySlot *slots;
	uint32_t	mask;
	size_t		i;

	if (dictionary->width == 0 && dictionary->count + n > dictionary->offsets_capacity)
	{
		size_t		capacity = (size_t) dictionary->offsets_capacity * 2;
		uint32_t   *offsets;

		if (capacity < dictionary->count + n)
			capacity = dictionary->count + n;
		offsets = realloc(dictionary->offsets, capacity * sizeof(uint32_t));
		if (offsets == NULL)
			return false;
		dictionary->offsets = offsets;
		dictionary->offsets_capacity = (uint32_t) capacity;
	}
	if (need <= old)
		return true;
	while (size < need)
		size *= 2;
	slots = calloc(size, sizeof(DictionarySlot));
	if (slots == NULL)
		return false;
	mask = (uint32_t) (size - 1);
	for (i = 0; i < old; i++)
	{
		DictionarySlot slot = dictionary->slots[i];
		uint32_t	at = slot.hash & mask;

		if (slot.number == 0)
			continue;
		while (slots[at].number != 0)
			at = (at + 1) & mask;
		slots[at] = slot;
	}
	free(dictionary->slots);
	dictionary->slots = slots;
	dictionary->mask = mask;
	return true;
}

/* take the free slot at for a new value; its number */
static inline uint32_t
claim(Dictionary *dictionary, uint32_t at, uint32_t hash)
{
	dictionary->slots[at].hash = hash;
	dictionary->slots[at].number = ++dictionary->count;
	return dictionary->count - 1;
}

bool
dictionary_add32(Dictionary *dictionary, const uint32_t *values, size_t n, uint32_t *numbers)
{
	size_t		i;

	if (!reserve(dictionary, n) || !buffer_reserve(&dictionary->values, n * 4))
		return false;
	for (i = 0; i < n; i++)
	{
		uint32_t	hash = hash_word(values[i]);
		uint32_t	at = hash & dictionary->mask;
		int			probes = 0;

		for (;;)
		{
			DictionarySlot slot = dictionary->slots[at];

			if (slot.number == 0)
			{
				memcpy(dictionary->values.data + dictionary->values.length, &values[i], 4);
				dictionary->values.length += 4;
				numbers[i] = claim(dictionary, at, hash);
				break;
			}
			if (slot.hash == hash &&
				load32(dictionary->values.data + (size_t) (slot.number - 1) * 4) == values[i])
			{
				numbers[i] = slot.number - 1;
				break;
			}
			at = (at + 1) & dictionary->mask;
			if (++probes == MAX_PROBES)
				dictionary->degenerate = true;
		}
	}
	return true;
}

bool
dictionary_add64(Dictionary *dictionary, const uint64_t *values, size_t n, uint32_t *numbers)
{
	size_t		i;

	if (!reserve(dictionary, n) || !buffer_reserve(&dictionary->values, n * 8))
		return false;
	for (i = 0; i < n; i++)
	{
		uint32_t	hash = hash_word(values[i]);
		uint32_t	at = hash & dictionary->mask;
		int			probes = 0;

		for (;;)
		{
			DictionarySlot slot = dictionary->slots[at];

			if (slot.number == 0)
			{
				memcpy(dictionary->values.data + dictionary->values.length, &values[i], 8);
				dictionary->values.length += 8;
				numbers[i] = claim(dictionary, at, hash);
				break;
			}
			if (slot.hash == hash &&
				load64(dictionary->values.data + (size_t) (slot.number - 1) * 8) == values[i])
			{
				numbers[i] = slot.number - 1;
				break;
			}
			at = (at + 1) & dictionary->mask;
			if (++probes == MAX_PROBES)
				dictionary->degenerate = true;
		}
	}
	return true;
}

bool
dictionary_add_spans(Dictionary *dictionary, const ByteSpan *values, size_t n, uint32_t *numbers)
{
	size_t		i;

	if (!reserve(dictionary, n))
		return false;
	for (i = 0; i < n; i++)
	{
		const char *data = values[i].data;
		uint32_t	length = (uint32_t) values[i].length;
		uint32_t	hash = hash_span(data, length);
		uint32_t	at = hash & dictionary->mask;
		int			probes = 0;

		for (;;)
		{
			DictionarySlot slot = dictionary->slots[at];

			if (slot.number == 0)
			{
				ByteBuffer *out = &dictionary->values;

				if (!buffer_reserve(out, (size_t) length + 4))
					return false;
				dictionary->offsets[dictionary->count] = (uint32_t) out->length;
				store32(out->data + out->length, length);
				if (length > 0)
					memcpy(out->data + out->length + 4, data, length);
				out->length += (size_t) length + 4;
				numbers[i] = claim(dictionary, at, hash);
				break;
			}
			if (slot.hash == hash)
			{
				const char *entry = dictionary->values.data +
					dictionary->offsets[slot.number - 1];

				if (little32(load32(entry)) == length && equal_spans(entry + 4, data, length))
				{
					numbers[i] = slot.number - 1;
					break;
				}
			}
			at = (at + 1) & dictionary->mask;
			if (++probes == MAX_PROBES)
				dictionary->degenerate = true;
		}
	}
	return true;
}

void
dictionary_lookup(const Dictionary *dictionary, const uint32_t *numbers, size_t n, ByteBuffer *out)
{
	const char *values = dictionary->values.data;
	size_t		i;

	if (dictionary->width != 0)
	{
		size_t		width = (size_t) dictionary->width;

		if (!buffer_reserve(out, n * width))
			return;
		for (i = 0; i < n; i++)
			memcpy(out->data + out->length + i * width, values + numbers[i] * width, width);
		out->length += n * width;
		return;
	}
	for (i = 0; i < n; i++)
	{
		const char *entry = values + dictionary->offsets[numbers[i]];

		buffer_append(out, entry, (size_t) little32(load32(entry)) + 4);
	}
}

ByteSpan
dictionary_span(const Dictionary *dictionary, uint32_t number)
{
	const char *entry = dictionary->values.data + dictionary->offsets[number];
	ByteSpan	span = {entry + 4, little32(load32(entry))};

	return span;
}

size_t
dictionary_memory(const Dictionary *dictionary)
{
	if (dictionary->count == 0)
		return 0;
	return dictionary->values.length +
		((size_t) dictionary->mask + 1) * sizeof(DictionarySlot) +
		(dictionary->width == 0 ? (size_t) dictionary->count * sizeof(uint32_t) : 0);
}

void
dictionary_reset(Dictionary *dictionary)
{
	if (dictionary->count > 0)
		memset(dictionary->slots, 0,
			   ((size_t) dictionary->mask + 1) * sizeof(DictionarySlot));
	dictionary->count = 0;
	dictionary->degenerate = false;
	buffer_reset(&dictionary->values);
}

void
dictionary_free(Dictionary *dictionary)
{
	int			width = dictionary->width;

	free(dictionary->slots);
	free(dictionary->offsets);
	buffer_free(&dictionary->values);
	memset(dictionary, 0, sizeof(*dictionary));
	dictionary->width = width;
}
