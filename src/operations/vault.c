/*-------------------------------------------------------------------------
 *
 * vault.c
 *	  Keys of the vault, and files that hold secrets, in SQL.
 *
 * For superusers: these functions touch files of the server.
 *
 * IDENTIFICATION
 *	  src/operations/vault.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "catalog/secret.h"
#include "compat.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/wiped.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "vault/vault.h"

#define MAX_SECRET_FILE (64 * 1024)

PG_FUNCTION_INFO_V1(appflow_create_master_key_file);
PG_FUNCTION_INFO_V1(appflow_rotate_master_key);
PG_FUNCTION_INFO_V1(appflow_rewrap_secrets);
PG_FUNCTION_INFO_V1(appflow_read_secret_file);
PG_FUNCTION_INFO_V1(appflow_read_secret_json);

/* whoever was granted EXECUTE: it is the superuser's own part */
static void
require_superuser(const char *action)
{
	if (!superuser())
		ereport(ERROR,
				appflow_error(WF_ACCESS_DENIED),
				errmsg("must be superuser to %s", action));
}

Datum
appflow_create_master_key_file(PG_FUNCTION_ARGS)
{
	require_superuser("create a master key");
	PG_RETURN_TEXT_P(cstring_to_text(vault_create_key_file(text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}

Datum
appflow_rotate_master_key(PG_FUNCTION_ARGS)
{
	require_superuser("rotate the master key");
	PreventCommandIfReadOnly("appflow.rotate_master_key()");
	PG_RETURN_INT64(secret_rewrap_all(true));
}

Datum
appflow_rewrap_secrets(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("appflow.rewrap_secrets()");
	PG_RETURN_INT64(secret_rewrap_all(false));
}

/* A file's text, without the end of its last line. */
static text *
read_secret(const char *path)
{
	text	   *contents;
	char	   *buffer;
	size_t		length;

	require_superuser("read a file of the server");
	if (!is_absolute_path(path))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the path of a secret file must be absolute"));
	contents = palloc(VARHDRSZ + MAX_SECRET_FILE + 1);
	buffer = VARDATA(contents);
	length = secret_file_read(path, "secret file", buffer, MAX_SECRET_FILE + 1);

	/* editors end the last line */
	if (length > 0 && buffer[length - 1] == '\n')
		length--;
	if (length > 0 && buffer[length - 1] == '\r')
		length--;
	if (!pg_verify_mbstr(GetDatabaseEncoding(), buffer, length, true))
	{
		/* not said by the server, which would show the bytes */
		OPENSSL_cleanse(buffer, length);
		ereport(ERROR,
				errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				errmsg("secret file \"%s\" is not text in the database's encoding", path));
	}
	SET_VARSIZE(contents, VARHDRSZ + length);
	wiped_at_reset(contents, VARHDRSZ + length);
	return contents;
}

Datum
appflow_read_secret_file(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(read_secret(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

/*
 * Not a cast of read_secret_file(): what the server says of malformed JSON shows
 * a part of it.
 */
Datum
appflow_read_secret_json(PG_FUNCTION_ARGS)
{
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = wiped_context_create();
	volatile bool malformed = false;
	Jsonb	   *volatile parsed = NULL;
	Jsonb	   *value;
	char	   *contents;

	MemoryContextSwitchTo(context);
	contents = text_to_cstring(read_secret(path));

	PG_TRY();
	{
		parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(contents)));
	}
	PG_CATCH();
	{
		int			sqlstate = geterrcode();

		OPENSSL_cleanse(contents, strlen(contents));
		if (ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		malformed = true;
	}
	PG_END_TRY();
	if (malformed)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				errmsg("secret file \"%s\" is not valid JSON", path));
	OPENSSL_cleanse(contents, strlen(contents));
	MemoryContextSwitchTo(caller);
	value = DatumGetJsonbPCopy(JsonbPGetDatum(parsed));
	wiped_at_reset(value, VARSIZE(value));
	MemoryContextDelete(context);
	PG_RETURN_JSONB_P(value);
}
