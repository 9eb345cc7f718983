/*-------------------------------------------------------------------------
 *
 * store_s3.h
 *	  Inside of the S3 store: what its reading and writing share.
 *
 * IDENTIFICATION
 *	  src/store/store_s3.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef APPFLOW_STORE_S3_H
#define APPFLOW_STORE_S3_H

#include "postgres.h"

#include "compat.h"
#include "net/aws.h"
#include "net/http.h"
#include "net/xml.h"
#include "record/errors.h"
#include "store/store_impl.h"

typedef struct S3Store
{
	ObjectStore base;
	MemoryContext context;
	char	   *scheme;			/* "https" */
	char	   *host;			/* with the port; of AWS: NULL */
	char	   *region;
	bool		path_style;
	AwsCredentials fixed;		/* if has_fixed */
	bool		has_fixed;
	AwsSigner	signer;
} S3Store;

/* What an error answer says. */
typedef struct S3Error
{
	const char *code;			/* "NoSuchKey"; "" if the answer has none */
	const char *message;
	const char *request_id;
	const char *region;			/* the bucket's, if the answer tells; or NULL */
} S3Error;

/* ---------- store_s3.c ---------- */

/* URL of a bucket, or of an object in it; query is encoded and may be NULL. */
extern char *s3_url(const S3Store *store, const char *bucket, const char *key, const char *query);

/* "name=value" with the value encoded, "&" before it unless it is the first */
extern void s3_add_parameter(StringInfo query, const char *name, const char *value);

/* A signed call, not started. */
extern HttpCall *s3_call(S3Store *store, const char *method, const char *bucket,
						 const char *key, const char *query);

/* What an answer that is an error says; with code "" if it says nothing. */
extern S3Error s3_error(HttpCall *call);

/*
 * Raise the error of an answer: "could not <verb> object ...", or bucket
 * if key is NULL.
 */
pg_noreturn extern void s3_raise(const S3Store *store, HttpCall *call, const char *verb,
					 const char *bucket, const char *key);

/* The document of an answer, owned by the current memory context; NULL: none. */
extern XmlLeaves *s3_document(HttpCall *call);

/* ---------- store_s3_write.c ---------- */

extern ObjectWriter *s3_write(ObjectStore *store, const char *bucket, const char *key,
							  const char *content_type, const char *owner);
extern void s3_write_some(ObjectWriter *writer, const char *data, size_t length);
extern void s3_write_seal(ObjectWriter *writer);
extern void s3_write_finish(ObjectWriter *writer);
extern void s3_sweep(ObjectStore *store, const char *bucket, const char *prefix,
					 const char *owner);

#endif							/* APPFLOW_STORE_S3_H */
