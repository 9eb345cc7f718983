/*-------------------------------------------------------------------------
 *
 * manifest_make.c
 *	  Every key of manifests, one a line, for the test of the page about them.
 *
 * IDENTIFICATION
 *	  test/unit/manifest_make.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "connector/manifest.h"

int
main(void)
{
	for (int i = 0; manifest_key(i) != NULL; i++)
		printf("%s\n", manifest_key(i));
	return 0;
}
