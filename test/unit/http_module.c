/*-------------------------------------------------------------------------
 *
 * http_module.c
 *	  The HTTP layer in SQL, for tests of what nothing else shows: bodies that
 *	  stream, and pauses that a vendor's own headers ask for.
 *
 * Linked with all objects of the extension into a module of its own, which a
 * session loads in the place of appflow.
 *
 * IDENTIFICATION
 *	  test/unit/http_module.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "net/http.h"
#include "net/limit.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(test_http_upload);
PG_FUNCTION_INFO_V1(test_http_paced);

/*
 * upload(url text, pieces int, size int, announced boolean) returns text: POST
 * that many pieces of that many bytes, and what became of it: status, attempts,
 * pieces taken, body.
 */
Datum
test_http_upload(PG_FUNCTION_ARGS)
{
	HttpCall   *call = http_call("POST", text_to_cstring(PG_GETARG_TEXT_PP(0)));
	int			pieces = PG_GETARG_INT32(1);
	int			size = PG_GETARG_INT32(2);
	char	   *piece = palloc(size);
	char	   *result;
	int			taken = 0;

	call->streams = true;
	call->body_length = PG_GETARG_BOOL(3) ? (size_t) pieces * size : 0;
	http_header(call, "Content-Type", "text/plain");
	for (int i = 0; i < pieces; i++)
	{
		CHECK_FOR_INTERRUPTS();
		memset(piece, 'a' + i % 26, size);
		if (!http_send(call, piece, size))
			break;
		taken++;
	}
	http_send_end(call);
	if (!http_try_wait(call))
		http_raise(call);
	result = psprintf("%d %d %d ", call->status, call->attempts, taken);
	if (call->status < 400)
	{
		char		buffer[200];
		size_t		n = http_read(call, buffer, sizeof(buffer) - 1);

		buffer[n] = '\0';
		result = psprintf("%s%s", result, buffer);
	}
	http_close(call);
	PG_RETURN_TEXT_P(cstring_to_text(result));
}

/* milliseconds that a header of some vendor's asks for */
static int64
asked(HttpCall *call, void *arg)
{
	const char *value = http_response_header(call, "X-Vendor-Wait");

	(*(int *) arg)++;
	return value == NULL ? -1 : atol(value);
}

/*
 * paced(url text, limit text) returns text: GET with a guard whose vendor tells by
 * a header of its own how long to wait; all of the same limit wait then.
 */
Datum
test_http_paced(PG_FUNCTION_ARGS)
{
	HttpCall   *call = http_call("GET", text_to_cstring(PG_GETARG_TEXT_PP(0)));
	RateLimit	limit = {.database = MyDatabaseId, .name = text_to_cstring(PG_GETARG_TEXT_PP(1)), .burst = 1};
	int			hooked = 0;
	HttpGuard	guard = {.pause = asked, .limit = &limit, .arg = &hooked};
	char	   *result;

	call->guard = &guard;
	call->whole = true;
	if (!http_try_wait(call))
		http_raise(call);
	result = psprintf("%d %d %d", call->status, call->attempts, hooked);
	http_close(call);
	PG_RETURN_TEXT_P(cstring_to_text(result));
}
