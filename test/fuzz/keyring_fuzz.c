/*-------------------------------------------------------------------------
 *
 * keyring_fuzz.c
 *	  Any text as master keys.
 *
 * IDENTIFICATION
 *	  test/fuzz/keyring_fuzz.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "vault/keyring.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Keyring ring;
	int			line;
	const char *problem = keyring_parse(&ring, data, size, &line);

	if (problem == NULL)
	{
		if (ring.nkeys < 1 || ring.nkeys > KEYRING_MAX_KEYS)
			abort();
		for (int i = 0; i < ring.nkeys; i++)
		{
			SealKey		key;

			if (!keyring_find(&ring, ring.keys[i].id, &key) || key.bytes != ring.keys[i].bytes)
				abort();
		}
	}
	else if (ring.nkeys != 0)
		abort();
	return 0;
}
