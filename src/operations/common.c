/*-------------------------------------------------------------------------
 *
 * common.c
 *	  What the operations have in common: requests, names, pages.
 *
 * IDENTIFICATION
 *	  src/operations/common.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/access.h"
#include "catalog/grant.h"
#include "common/base64.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "compat.h"
#include "miscadmin.h"
#include "operations/forward.h"
#include "operations/operations.h"
#include "operations/shapes.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "record/wiped.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"

static char *region;
static char *account_id;
int			quota_flows = 1000;
int			quota_connector_profiles = 100;
int			quota_concurrent_runs = 1000;

/* bytes of a page token's signature */
#define SIGNATURE_SIZE 16

static bool
check_account_id(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) == 12 && strspn(*newval, "0123456789") == 12)
		return true;
	GUC_check_errdetail("An account id has twelve digits.");
	return false;
}

static bool
check_region(char **newval, void **extra, GucSource source)
{
	size_t		length = strlen(*newval);

	if (length > 0 && strspn(*newval, "abcdefghijklmnopqrstuvwxyz0123456789-") == length)
		return true;
	GUC_check_errdetail("A region is named in lower case, for example \"eu-central-1\".");
	return false;
}

void
operations_define_settings(void)
{
	DefineCustomStringVariable("appflow.region",
							   "AWS region in the ARNs of flows, profiles and connectors.",
							   NULL,
							   &region,
							   "us-east-1",
							   PGC_SUSET, 0,
							   check_region, NULL, NULL);
	DefineCustomStringVariable("appflow.account_id",
							   "AWS account in the ARNs of flows, profiles and connectors.",
							   NULL,
							   &account_id,
							   "000000000000",
							   PGC_SUSET, 0,
							   check_account_id, NULL, NULL);
	DefineCustomIntVariable("appflow.quota_flows",
							"Flows that a database may have.",
							NULL,
							&quota_flows,
							1000, 0, INT_MAX,
							PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.quota_connector_profiles",
							"Connector profiles that a database may have.",
							NULL,
							&quota_connector_profiles,
							100, 0, INT_MAX,
							PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("appflow.quota_concurrent_runs",
							"Runs of a database that may wait or go on when another one is asked for.",
							NULL,
							&quota_concurrent_runs,
							1000, 0, INT_MAX,
							PGC_SUSET, 0,
							NULL, NULL, NULL);
	forward_define_settings();
}

/* The operations that have credentials in their requests. */
static bool
brings_credentials(const char *operation)
{
	return strcmp(operation, "CreateConnectorProfile") == 0 || strcmp(operation, "UpdateConnectorProfile") == 0;
}

Datum
operation_call(FunctionCallInfo fcinfo, const char *operation, Datum (*here) (Jsonb *request))
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	Jsonb	   *request;
	Jsonb	   *response;

	if (!brings_credentials(operation))
	{
		request = shape_read_request(operation, PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0));
		if (forward_wanted())
			PG_RETURN_JSONB_P(forward_operation(operation, request));
		return here(request);
	}
	context = wiped_context_create();
	MemoryContextSwitchTo(context);
	request = shape_read_request(operation, PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0));
	response = forward_wanted() ? forward_operation(operation, request) : DatumGetJsonbP(here(request));
	MemoryContextSwitchTo(caller);
	response = DatumGetJsonbPCopy(JsonbPGetDatum(response));
	MemoryContextDelete(context);
	PG_RETURN_JSONB_P(response);
}

const char *
operation_region(void)
{
	return region;
}

void
operation_flow_missing(const char *name)
{
	ereport(ERROR,
			appflow_error(WF_NOT_FOUND),
			errmsg("Flow with name %s does not exist.", name));
}

FlowRow *
operation_flow(const char *name, bool for_update)
{
	FlowRow    *flow = flow_get(name, for_update);

	/* what one may not see does not exist */
	if (flow == NULL ||
		(!has_privs_of_role(GetUserId(), flow->owner) && !grant_given(GRANT_OF_FLOW, name, GetUserId())))
		operation_flow_missing(name);
	return flow;
}

FlowRow *
operation_own_flow(const char *name, bool for_update)
{
	FlowRow    *flow = operation_flow(name, for_update);

	if (!has_privs_of_role(GetUserId(), flow->owner))
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("flow \"%s\" was granted to be used, not to be changed", name),
				errhint("It belongs to role \"%s\".", GetUserNameFromId(flow->owner, true)));
	return flow;
}

char *
operation_arn(const char *kind, const char *name)
{
	return psprintf("arn:aws:appflow:%s:%s:%s/%s", region, account_id, kind, name);
}

char *
operation_user_arn(void)
{
	return psprintf("arn:aws:iam::%s:user/%s", account_id, GetUserNameFromId(GetUserId(), false));
}

char *
operation_function_arn(const char *function)
{
	return psprintf("arn:aws:postgresql:%s:%s:function:%s", region, account_id, function);
}

Jsonb *
operation_respond(const char *statement, int nvalues, const CatalogValue *values)
{
	CatalogAccess access;
	Jsonb	   *response;

	catalog_begin(&access);
	response = catalog_execute(statement, nvalues, values) > 0 ? catalog_get_jsonb(&access, 0, 1) : NULL;
	catalog_end(&access);
	return response;
}

/* ---------- pages ---------- */

/* the key with which this database signs */
static char *
signing_key(void)
{
	CatalogAccess access;
	char	   *key;

	catalog_begin(&access);
	catalog_execute("SELECT pg_catalog.encode(token_key, 'hex') FROM appflow.installation", 0, NULL);
	key = catalog_get_text(&access, 0, 1);
	catalog_end(&access);
	return key;
}

static void
sign(const char *text, uint8 digest[PG_SHA256_DIGEST_LENGTH])
{
	const char *key = signing_key();
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);

	if (hmac == NULL ||
		pg_hmac_init(hmac, (const uint8 *) key, strlen(key)) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) text, strlen(text)) < 0 ||
		pg_hmac_final(hmac, digest, PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not sign");
	pg_hmac_free(hmac);
}

char *
operation_sign(const char *text)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *hex = palloc(2 * PG_SHA256_DIGEST_LENGTH + 1);

	sign(text, digest);
	hex_encode((const char *) digest, PG_SHA256_DIGEST_LENGTH, hex);
	hex[2 * PG_SHA256_DIGEST_LENGTH] = '\0';
	return hex;
}

Jsonb *
operation_empty(void)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
}

/* a token is base64 of the signature and what it signs: operation, role, key */
static char *
signed_part(const char *operation, const char *key)
{
	return psprintf("%s\n%u\n%s", operation, GetUserId(), key);
}

static char *
make_token(const char *operation, const char *key)
{
	char	   *text = signed_part(operation, key);
	int			length = strlen(key);
	char	   *raw = palloc(SIGNATURE_SIZE + length);
	int			size = pg_b64_enc_len(SIGNATURE_SIZE + length) + 1;
	char	   *token = palloc(size);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];

	sign(text, digest);
	memcpy(raw, digest, SIGNATURE_SIZE);
	memcpy(raw + SIGNATURE_SIZE, key, length);
	size = pg_b64_encode(base64_bytes(raw), SIGNATURE_SIZE + length, token, size - 1);
	if (size < 0)
		elog(ERROR, "could not encode a page token");
	token[size] = '\0';
	return token;
}

static char *
read_token(const char *operation, const char *token)
{
	int			size = pg_b64_dec_len(strlen(token));
	char	   *raw = palloc(size + 1);
	uint8		signature[PG_SHA256_DIGEST_LENGTH];
	int			length = pg_b64_decode(token, strlen(token), base64_bytes(raw), size);

	if (length >= SIGNATURE_SIZE)
	{
		raw[length] = '\0';
		sign(signed_part(operation, raw + SIGNATURE_SIZE), signature);
		if (strlen(raw + SIGNATURE_SIZE) == (size_t) (length - SIGNATURE_SIZE) &&
			memcmp(signature, raw, SIGNATURE_SIZE) == 0)
			return raw + SIGNATURE_SIZE;
	}
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("nextToken is not one that %s has returned", operation));
}

OperationPage
operation_page(Jsonb *request, const char *operation, int64 default_size)
{
	OperationPage page = {.size = default_size};
	char	   *token = jsonb_get_text(request, "nextToken");

	(void) jsonb_get_int64(request, "maxResults", &page.size);
	if (token != NULL)
		page.after = read_token(operation, token);
	return page;
}

Jsonb *
operation_page_response(const char *member, Jsonb *items, const char *operation, const char *last)
{
	CatalogAccess access;
	CatalogValue values[] = {
		catalog_text(member), catalog_jsonb(items), catalog_text(last ? make_token(operation, last) : NULL)
	};
	Jsonb	   *response;

	catalog_begin(&access);
	catalog_execute("SELECT pg_catalog.jsonb_build_object($1, $2) OPERATOR(pg_catalog.||) "
					"CASE WHEN $3 IS NULL THEN '{}' ELSE pg_catalog.jsonb_build_object('nextToken', $3) END",
					lengthof(values), values);
	response = catalog_get_jsonb(&access, 0, 1);
	catalog_end(&access);
	return response;
}
