/*-------------------------------------------------------------------------
 *
 * embed_manifests_make.c
 *	  The program that checks and embeds manifests at build, for its test.
 *
 * IDENTIFICATION
 *	  test/unit/embed_manifests_make.c
 *
 *-------------------------------------------------------------------------
 */
#include "apps/embed/embed_manifests.c"
