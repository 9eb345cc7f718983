/*-------------------------------------------------------------------------
 *
 * appflow.c
 *	  Entry of the extension: module magic, settings, worker registration.
 *
 * IDENTIFICATION
 *	  src/appflow.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
}
