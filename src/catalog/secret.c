/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  Secrets in the database: sealed by the vault, one table for all.
 *
 * Whoever seals takes the lock of writers on the table before asking for the
 * current master key, and whoever rewraps takes one that keeps writers out
 * before doing so.  So once all is rewrapped nothing is sealed under a key that
 * was replaced, and that key may go.
 *
 * IDENTIFICATION
 *	  src/catalog/secret.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "access/xact.h"
#include "catalog/access.h"
#include "catalog/pg_type.h"
#include "catalog/secret.h"
#include "compat.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "vault/kms.h"
#include "vault/vault.h"

#define MAX_SECRET (1024 * 1024)	/* bytes */

#define WHERE_SECRET \
	" WHERE purpose OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"

/*
 * Secrets and their labels are sealed as UTF-8: a dump may be restored in a
 * database of another encoding.
 */
static char *
to_utf8(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

static SealLabel
label_of(const char *purpose, const char *name)
{
	return (SealLabel)
	{
		to_utf8(purpose), to_utf8(name)
	};
}

static CatalogValue
bytes_value(bytea *value)
{
	return (CatalogValue)
	{
		BYTEAOID, PointerGetDatum(value), false
	};
}

/* a copy in the caller's memory context */
static bytea *
get_bytes(const CatalogAccess *access, uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	MemoryContext old = MemoryContextSwitchTo(access->caller);
	bytea	   *copy = DatumGetByteaPCopy(value);

	MemoryContextSwitchTo(old);
	return copy;
}

/* ---------- errors ---------- */

static void
key_missing(const char *purpose, const char *name, const char *key_id)
{
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("credentials of %s \"%s\" cannot be opened: master key \"%s\" is not known",
				   purpose, name, key_id),
			errhint("Bring the key along that they were sealed with, as one of those that appflow.master_key leads to, or set the credentials anew."));
}

static void
refused(const char *purpose, const char *name, const char *key_id, SealResult result)
{
	if (result == SEAL_FAILED)
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("credentials of %s \"%s\" could not be sealed: the cryptographic library failed", purpose, name));
	if (result == SEAL_KEY_REFUSED)
		ereport(ERROR,
				appflow_error(WF_INTERNAL),
				errmsg("credentials of %s \"%s\" cannot be opened: they were changed, or sealed with another master key that is called \"%s\" too",
					   purpose, name, key_id),
				errhint("Set the credentials anew."));
	ereport(ERROR,
			appflow_error(WF_INTERNAL),
			errmsg("credentials of %s \"%s\" cannot be opened: they were changed", purpose, name),
			errhint("Set the credentials anew."));
}

/* ---------- a secret ---------- */

static void
lock_table(const char *mode)
{
	catalog_execute(psprintf("LOCK TABLE appflow.secret IN %s MODE", mode), 0, NULL);
}

/*
 * What is in sealed_key of a secret that is sealed under a key of KMS: a byte that
 * says so, the length of KMS's blob in two, the blob, and the data key sealed under
 * the key in the blob.
 */
#define KMS_FORM 0x4b
#define KMS_HEADER 3

typedef struct SealedParts
{
	const uint8_t *blob;
	size_t		blob_length;
	const uint8_t *key;
	size_t		key_length;
} SealedParts;

/* false: it is not of that form */
static bool
split_sealed_key(const uint8_t *bytes, size_t length, SealedParts *parts)
{
	if (length < KMS_HEADER || bytes[0] != KMS_FORM)
		return false;
	parts->blob = bytes + KMS_HEADER;
	parts->blob_length = (size_t) bytes[1] << 8 | bytes[2];
	if (parts->blob_length > length - KMS_HEADER)
		return false;
	parts->key = parts->blob + parts->blob_length;
	parts->key_length = length - KMS_HEADER - parts->blob_length;
	return true;
}

void
secret_put(const char *purpose, const char *name, const char *text)
{
	secret_put_under(purpose, name, text, NULL);
}

void
secret_put_under(const char *purpose, const char *name, const char *text, const char *kms_arn)
{
	SealLabel	label = label_of(purpose, name);
	CatalogAccess access;
	CatalogValue values[5];
	SealKey		master;
	SealResult	result;
	bytea	   *sealed_key;
	bytea	   *sealed_text;
	uint8_t    *blob = NULL;
	size_t		blob_length = 0;
	size_t		header;
	char	   *utf8;
	size_t		length;

	if (strlen(text) > MAX_SECRET)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("credentials of %s \"%s\" must not be longer than %d bytes", purpose, name, MAX_SECRET));

	/* keys of KMS are not replaced by rewrapping, so that nobody is kept waiting for AWS */
	if (kms_arn != NULL)
		blob = kms_make_key(kms_arn, label, &blob_length, &master);
	header = VARHDRSZ + (blob == NULL ? 0 : KMS_HEADER + blob_length);
	sealed_key = palloc0(header + SEALED_KEY_SIZE);
	if (blob != NULL)
	{
		uint8_t    *bytes = (uint8_t *) VARDATA(sealed_key);

		bytes[0] = KMS_FORM;
		bytes[1] = (uint8_t) (blob_length >> 8);
		bytes[2] = (uint8_t) blob_length;
		memcpy(bytes + KMS_HEADER, blob, blob_length);
	}

	catalog_begin(&access);
	lock_table("ROW EXCLUSIVE");
	if (blob == NULL)
		master = vault_current_key();

	/* nothing from here to the wiping raises an error, but for want of memory */
	utf8 = to_utf8(text);
	length = strlen(utf8);
	sealed_text = palloc0(VARHDRSZ + length + SEAL_OVERHEAD);
	result = seal_close(master, label, utf8, length,
						(uint8_t *) sealed_key + header, (uint8_t *) VARDATA(sealed_text));
	if (utf8 != text)
		OPENSSL_cleanse(utf8, length);
	if (result != SEAL_OK)
		refused(purpose, name, master.id, result);
	SET_VARSIZE(sealed_key, header + SEALED_KEY_SIZE);
	SET_VARSIZE(sealed_text, VARHDRSZ + length + SEAL_OVERHEAD);

	values[0] = catalog_text(purpose);
	values[1] = catalog_text(name);
	values[2] = catalog_text(master.id);
	values[3] = bytes_value(sealed_key);
	values[4] = bytes_value(sealed_text);
	catalog_execute("INSERT INTO appflow.secret (purpose, name, key_id, sealed_key, sealed_text) "
					"VALUES ($1, $2, $3, $4, $5) "
					"ON CONFLICT (purpose, name) DO UPDATE SET key_id = excluded.key_id, "
					"sealed_key = excluded.sealed_key, sealed_text = excluded.sealed_text, "
					"last_updated_at = pg_catalog.clock_timestamp()", 5, values);
	catalog_end(&access);
}

/*
 * An opened secret is wiped when its memory is given back, if nobody did before:
 * an error does not leave it in memory that is used again.
 */
typedef struct OpenedSecret
{
	MemoryContextCallback callback;
	size_t		size;
	char		text[FLEXIBLE_ARRAY_MEMBER];
} OpenedSecret;

static void
wipe_opened(void *opened)
{
	OPENSSL_cleanse(((OpenedSecret *) opened)->text, ((OpenedSecret *) opened)->size);
}

static OpenedSecret *
new_opened(MemoryContext context, size_t size)
{
	OpenedSecret *opened = MemoryContextAllocZero(context, offsetof(OpenedSecret, text) + size);

	opened->size = size;
	opened->callback.func = wipe_opened;
	opened->callback.arg = opened;
	MemoryContextRegisterResetCallback(context, &opened->callback);
	return opened;
}

/*
 * An opened secret in the database's encoding.  What the server says of a
 * character that this does not have would show a part of the secret.
 */
static char *
from_utf8(OpenedSecret *opened, size_t length, const char *purpose, const char *name, MemoryContext context)
{
	MemoryContext old = CurrentMemoryContext;
	OpenedSecret *converted;
	char	   *volatile text = NULL;

	if (GetDatabaseEncoding() == PG_UTF8)
		return opened->text;
	PG_TRY();
	{
		text = pg_any_to_server(opened->text, (int) length, PG_UTF8);
	}
	PG_CATCH();
	{
		int			sqlstate = geterrcode();

		if (ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(old);
		FlushErrorState();
	}
	PG_END_TRY();
	if (text == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				errmsg("credentials of %s \"%s\" have characters that the encoding of this database does not have",
					   purpose, name));
	if (text == opened->text)
		return text;
	converted = new_opened(context, strlen(text) + 1);
	memcpy(converted->text, text, strlen(text));
	OPENSSL_cleanse(text, strlen(text));
	wipe_opened(opened);
	return converted->text;
}

/* The secret of a row, opened in the current memory context. */
static char *
open_sealed(const char *purpose, const char *name, const char *key_id, bytea *sealed_key, bytea *sealed_text)
{
	MemoryContext context = CurrentMemoryContext;
	SealLabel	label = label_of(purpose, name);
	size_t		length = VARSIZE_ANY_EXHDR(sealed_text);
	SealedParts parts = {.key = (uint8_t *) VARDATA_ANY(sealed_key),.key_length = VARSIZE_ANY_EXHDR(sealed_key)};
	OpenedSecret *opened;
	SealKey		master;
	SealResult	result;

	if (kms_is_arn(key_id))
	{
		if (!split_sealed_key(parts.key, parts.key_length, &parts))
			refused(purpose, name, key_id, SEAL_KEY_REFUSED);
		master = kms_open_key(key_id, label, parts.blob, parts.blob_length);
	}
	else if (!vault_find_key(key_id, &master, NULL))
		key_missing(purpose, name, key_id);

	/* as long as what is sealed, which is longer by more than the zero behind it */
	opened = new_opened(context, length + 1);
	result = seal_open(master, label,
					   parts.key, parts.key_length,
					   (uint8_t *) VARDATA_ANY(sealed_text), length, opened->text);
	if (result != SEAL_OK)
		refused(purpose, name, key_id, result);
	return from_utf8(opened, length - SEAL_OVERHEAD, purpose, name, context);
}

char *
secret_get(const char *purpose, const char *name)
{
	CatalogAccess access;
	CatalogValue values[2];
	char	   *key_id = NULL;
	bytea	   *sealed_key = NULL;
	bytea	   *sealed_text = NULL;

	catalog_begin(&access);
	values[0] = catalog_text(purpose);
	values[1] = catalog_text(name);
	if (catalog_execute("SELECT key_id, sealed_key, sealed_text FROM appflow.secret" WHERE_SECRET, 2, values) > 0)
	{
		key_id = catalog_get_text(&access, 0, 1);
		sealed_key = get_bytes(&access, 0, 2);
		sealed_text = get_bytes(&access, 0, 3);
	}
	catalog_end(&access);
	return key_id == NULL ? NULL : open_sealed(purpose, name, key_id, sealed_key, sealed_text);
}

void
secret_wipe(char *text)
{
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
}

void
secret_delete(const char *purpose, const char *name)
{
	CatalogAccess access;
	CatalogValue values[2];

	catalog_begin(&access);
	values[0] = catalog_text(purpose);
	values[1] = catalog_text(name);
	catalog_execute("DELETE FROM appflow.secret" WHERE_SECRET, 2, values);
	catalog_end(&access);
}

/* ---------- all secrets ---------- */

int64
secret_rewrap_all(bool new_key)
{
	CatalogAccess access;
	CatalogValue values[4];
	SPITupleTable *rows;
	uint64		nrows;
	SealKey		current;
	MemoryContext of_row;
	MemoryContext old;

	/* an old snapshot would not show what was sealed while waiting for the lock */
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("secrets can be put under another master key at the isolation level READ COMMITTED only"));
	catalog_begin(&access);
	lock_table("SHARE ROW EXCLUSIVE");
	if (new_key)
		vault_add_key();
	current = vault_current_key();
	values[0] = catalog_text(current.id);
	nrows = catalog_execute("SELECT purpose, name, key_id, sealed_key FROM appflow.secret "
							"WHERE key_id OPERATOR(pg_catalog.<>) $1 "
							"AND pg_catalog.strpos(key_id, ':') OPERATOR(pg_catalog.=) 0", 1, values);
	rows = SPI_tuptable;
	of_row = AllocSetContextCreate(CurrentMemoryContext, "secret", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(of_row);
	for (uint64 row = 0; row < nrows; row++)
	{
		char	   *purpose = SPI_getvalue(rows->vals[row], rows->tupdesc, 1);
		char	   *name = SPI_getvalue(rows->vals[row], rows->tupdesc, 2);
		char	   *key_id = SPI_getvalue(rows->vals[row], rows->tupdesc, 3);
		bool		isnull;
		bytea	   *sealed_key = DatumGetByteaPP(SPI_getbinval(rows->vals[row], rows->tupdesc, 4, &isnull));
		bytea	   *rewrapped = palloc0(VARHDRSZ + SEALED_KEY_SIZE);
		SealKey		master;
		SealResult	result;

		CHECK_FOR_INTERRUPTS();
		if (!vault_find_key(key_id, &master, &current))
			key_missing(purpose, name, key_id);
		result = seal_rewrap(master, current, label_of(purpose, name),
							 (uint8_t *) VARDATA_ANY(sealed_key), VARSIZE_ANY_EXHDR(sealed_key),
							 (uint8_t *) VARDATA(rewrapped));
		if (result != SEAL_OK)
			refused(purpose, name, key_id, result);
		SET_VARSIZE(rewrapped, VARHDRSZ + SEALED_KEY_SIZE);
		values[0] = catalog_text(purpose);
		values[1] = catalog_text(name);
		values[2] = catalog_text(current.id);
		values[3] = bytes_value(rewrapped);
		catalog_execute("UPDATE appflow.secret SET key_id = $3, sealed_key = $4, "
						"last_updated_at = pg_catalog.clock_timestamp()" WHERE_SECRET, 4, values);
		MemoryContextReset(of_row);
	}
	MemoryContextSwitchTo(old);
	catalog_end(&access);
	return (int64) nrows;
}
