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
#include "net/net.h"
#include "operations/operations.h"
#include "utils/guc.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	net_define_settings();
	operations_define_settings();
	worker_define_settings();
	MarkGUCPrefixReserved("appflow");
}
