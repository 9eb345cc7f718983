/*-------------------------------------------------------------------------
 *
 * http_get.c
 *	  A look at the service behind a connector profile, and how often it may be asked.
 *
 * IDENTIFICATION
 *	  src/operations/http_get.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/access.h"
#include "catalog/profile.h"
#include "flow/profile_auth.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "net/http.h"
#include "record/errors.h"
#include "utils/builtins.h"

#define MAX_BODY (1024 * 1024)
#define MAX_REDIRECTS 5

PG_FUNCTION_INFO_V1(appflow_http_get);
PG_FUNCTION_INFO_V1(appflow_set_rate_limit);

/*
 * http_get(connector_profile_name text, path text, OUT status int, OUT content_type
 * text, OUT body text): GET with the profile's credentials, of its service only.
 */
Datum
appflow_http_get(PG_FUNCTION_ARGS)
{
	ProfileRow *profile = profile_use(text_to_cstring(PG_GETARG_TEXT_PP(0)), HOLD_NOT);
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Authenticator *authenticator;
	HttpCall   *call;
	TupleDesc	tupdesc;
	Datum		values[3];
	bool		nulls[3] = {false};
	const char *type;
	const char *body;
	size_t		length;
	char	   *text;
	char	   *base;
	HeapTuple	tuple;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (path[0] != '/' || strpbrk(path, " \t\r\n#") != NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("path \"%s\" must begin with a slash and have neither white space nor a fragment",
					   pnstrdup(path, strcspn(path, "?"))));
	authenticator = profile_authenticator(profile, &base);
	call = http_call("GET", psprintf("%s%s", base != NULL ? base : authenticator_instance(authenticator), path));
	call->guard = &authenticator->guard;
	call->whole = true;
	call->max_body = MAX_BODY;
	call->max_redirects = MAX_REDIRECTS;
	http_wait(call);
	if (call->status == 401)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("\"%s\" does not accept the credentials of connector profile \"%s\"",
					   http_shown_url(call->url), profile->name));

	body = http_body(call, &length);
	text = pg_any_to_server(body, (int) length, PG_UTF8);
	type = http_response_header(call, "Content-Type");
	values[0] = Int32GetDatum(call->status);
	nulls[1] = type == NULL;
	values[1] = type == NULL ? (Datum) 0 : CStringGetTextDatum(type);
	values[2] = PointerGetDatum(cstring_to_text_with_len(text, text == body ? (int) length : (int) strlen(text)));
	tuple = heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls);
	http_close(call);
	MemoryContextDelete(authenticator->context);
	PG_RETURN_DATUM(HeapTupleGetDatum(tuple));
}

/*
 * set_rate_limit(connector_profile_name text, requests_per_second float8, burst int)
 * returns void; without requests_per_second the limit goes.
 */
Datum
appflow_set_rate_limit(PG_FUNCTION_ARGS)
{
	CatalogAccess access;
	CatalogValue values[3];
	ProfileRow *profile;
	int			nvalues = 1;
	bool		none = PG_ARGISNULL(1);

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("connector_profile_name must not be null"));
	profile = profile_own(text_to_cstring(PG_GETARG_TEXT_PP(0)), HOLD_KEEP);
	values[0] = catalog_text(profile->name);
	if (!none)
	{
		double		rate = PG_GETARG_FLOAT8(1);
		int			burst = PG_ARGISNULL(2) ? 1 : PG_GETARG_INT32(2);

		if (!(rate >= 0.001 && rate <= 1000000) || burst < 1 || burst > 1000000)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("requests_per_second must be from 0.001 to 1000000, and burst from 1 to 1000000"));
		values[1] = catalog_text(psprintf("%.6f", rate));
		values[2] = catalog_int64(burst);
		nvalues = 3;
	}
	catalog_begin(&access);
	catalog_execute(none ?
					"DELETE FROM appflow.rate_limit WHERE connector_profile_name OPERATOR(pg_catalog.=) $1" :
					"INSERT INTO appflow.rate_limit VALUES ($1, $2::float8, $3) ON CONFLICT (connector_profile_name) "
					"DO UPDATE SET requests_per_second = excluded.requests_per_second, burst = excluded.burst",
					nvalues, values);
	catalog_end(&access);
	PG_RETURN_VOID();
}
