/*-------------------------------------------------------------------------
 *
 * idempotency.c
 *	  clientToken: a call that is repeated is answered, not carried out again.
 *
 * A token is remembered for eight hours per operation and role, with a keyed
 * hash of the request.  The row is inserted before the work is done, so that
 * two calls with one token at the same time come one after the other.
 *
 * IDENTIFICATION
 *	  src/operations/idempotency.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "miscadmin.h"
#include "operations/operations.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"

Jsonb *
operation_recall(const char *operation, Jsonb *request)
{
	char	   *token = jsonb_get_text(request, "clientToken");
	CatalogAccess access;
	CatalogValue values[4];
	bool		same;
	Jsonb	   *response;

	if (token == NULL)
		return NULL;

	/* the token itself is part of the request, and so of the hash; it is the same by then */
	values[0] = catalog_text(operation);
	values[1] = catalog_oid(GetUserId());
	values[2] = catalog_text(token);
	values[3] = catalog_text(operation_sign(JsonbToCString(NULL, &request->root, VARSIZE(request))));
	catalog_begin(&access);
	catalog_execute("DELETE FROM appflow.client_token WHERE created_at OPERATOR(pg_catalog.<) "
					"(pg_catalog.now() OPERATOR(pg_catalog.-) '8 hours'::interval)", 0, NULL);
	if (catalog_execute("INSERT INTO appflow.client_token (operation, role, token, request_hash) "
						"VALUES ($1, $2, $3, pg_catalog.decode($4, 'hex')) ON CONFLICT DO NOTHING", 4, values) > 0)
	{
		catalog_end(&access);
		return NULL;
	}
	if (catalog_execute("SELECT request_hash OPERATOR(pg_catalog.=) pg_catalog.decode($4, 'hex'), response "
						"FROM appflow.client_token WHERE operation OPERATOR(pg_catalog.=) $1 "
						"AND role OPERATOR(pg_catalog.=) $2 AND token OPERATOR(pg_catalog.=) $3", 4, values) == 0)
		ereport(ERROR,
				errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				errmsg("another session uses the same clientToken at this moment"),
				errhint("Repeat the call."));
	same = catalog_get_bool(0, 1);
	response = catalog_get_jsonb(&access, 0, 2);
	catalog_end(&access);
	if (!same)
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("Conflict executing request: clientToken was used for %s with other parameters", operation),
				errhint("A token stands for one call for eight hours; choose another one."));
	return response;
}

Jsonb *
operation_remember(const char *operation, Jsonb *request, Jsonb *response)
{
	char	   *token = jsonb_get_text(request, "clientToken");
	CatalogAccess access;
	CatalogValue values[4];

	if (token == NULL)
		return response;
	values[0] = catalog_text(operation);
	values[1] = catalog_oid(GetUserId());
	values[2] = catalog_text(token);
	values[3] = catalog_jsonb(response);
	catalog_begin(&access);
	catalog_execute("UPDATE appflow.client_token SET response = $4 WHERE operation OPERATOR(pg_catalog.=) $1 "
					"AND role OPERATOR(pg_catalog.=) $2 AND token OPERATOR(pg_catalog.=) $3", 4, values);
	catalog_end(&access);
	return response;
}
