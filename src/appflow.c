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

#include "apps/apps.h"
#include "apps/aws_target.h"
#include "apps/lambda.h"
#include "codec/text.h"
#include "common/shortest_dec.h"
#include "compat.h"
#include "flow/token_failure.h"
#include "fmgr.h"
#include "net/limit.h"
#include "net/net.h"
#include "operations/operations.h"
#include "utils/guc.h"
#include "vault/vault.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static size_t
format_double(double value, char *out)
{
	return (size_t) double_to_shortest_decimal_bufn(value, out);
}

void
_PG_init(void)
{
	text_format_double = format_double;
	net_define_settings();
	apps_define_settings();
	aws_target_define_settings();
	lambda_define_settings();
	rate_limit_request_memory();
	token_failure_request_memory();
	operations_define_settings();
	vault_define_settings();
	worker_define_settings();
	MarkGUCPrefixReserved("appflow");
}
