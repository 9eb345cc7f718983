/*-------------------------------------------------------------------------
 *
 * store_s3.c
 *	  Object stores that speak the S3 protocol: listing and reading.
 *
 * Follows the Amazon S3 API Reference, version 2006-03-01.
 *
 * IDENTIFICATION
 *	  src/store/store_s3.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>

#include "miscadmin.h"
#include "net/net.h"
#include "net/sigv4.h"
#include "record/record.h"
#include "record/wiped.h"
#include "store/store_s3.h"
#include "utils/memutils.h"

#define RESUME_DELAY 200		/* ms before a second try without progress */

/* ---------- URLs ---------- */

static char *
encoded(const char *text, bool keep_slash)
{
	char	   *encoded = sigv4_encode(text, keep_slash);
	char	   *copy;

	if (encoded == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	copy = MemoryContextStrdup(CurrentMemoryContext, encoded);
	free(encoded);
	return copy;
}

void
s3_add_parameter(StringInfo query, const char *name, const char *value)
{
	if (query->len > 0)
		appendStringInfoChar(query, '&');
	appendStringInfo(query, "%s=%s", name, encoded(value, false));
}

/*
 * Can the bucket be the first part of the host?  A dot in it would not match the
 * certificate.
 */
static bool
fits_host(const char *bucket)
{
	return strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(bucket) &&
		bucket[0] != '-';
}

char *
s3_url(const S3Store *store, const char *bucket, const char *key, const char *query)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfo(&url, "%s://", store->scheme);
	if (!store->path_style && fits_host(bucket))
	{
		appendStringInfo(&url, "%s.", bucket);
		bucket = NULL;
	}
	if (store->host != NULL)
		appendStringInfoString(&url, store->host);
	else
		appendStringInfo(&url, "s3.%s.%s", store->region, aws_domain(store->region));

	/* no slash behind a bucket in the path: some servers sign it otherwise */
	if (bucket != NULL)
		appendStringInfo(&url, "/%s", encoded(bucket, false));
	if (key != NULL)
		appendStringInfo(&url, "/%s", encoded(key, true));
	else if (bucket == NULL)
		appendStringInfoChar(&url, '/');
	if (query != NULL)
		appendStringInfo(&url, "?%s", query);
	return url.data;
}

/* ---------- calls ---------- */

static void
sign_call(HttpCall *call, void *arg)
{
	aws_sign(call, &((S3Store *) arg)->signer);
}

static void
free_leaves(void *leaves)
{
	xml_free(leaves);
}

XmlLeaves *
s3_document(HttpCall *call)
{
	Owned	   *owned = own_in_context(CurrentMemoryContext, free_leaves);
	size_t		length;
	const char *body = http_body(call, &length);

	owned->object = xml_leaves(body, length);
	return owned->object;
}

S3Error
s3_error(HttpCall *call)
{
	S3Error		error = {"", "", NULL, NULL};
	MemoryContext old = MemoryContextSwitchTo(call->context);
	XmlLeaves  *document = s3_document(call);
	const char *value;

	if (document != NULL && strcmp(document->root, "Error") == 0)
	{
		if ((value = xml_text(document, "Error", "Code")) != NULL)
			error.code = value;
		if ((value = xml_text(document, "Error", "Message")) != NULL)
			error.message = value;
		error.request_id = xml_text(document, "Error", "RequestId");
		error.region = xml_text(document, "Error", "Region");
	}
	if ((value = http_response_header(call, "x-amz-request-id")) != NULL)
		error.request_id = value;
	if ((value = http_response_header(call, "x-amz-bucket-region")) != NULL)
		error.region = value;
	MemoryContextSwitchTo(old);
	return error;
}

static bool
is_one_of(const char *code, const char *const *codes)
{
	for (; *codes != NULL; codes++)
	{
		if (strcmp(code, *codes) == 0)
			return true;
	}
	return false;
}

static const char *const passing_codes[] = {
	"InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "OperationAborted",
	"BadDigest", "Throttling", "ThrottlingException", "RequestLimitExceeded",
	"BandwidthLimitExceeded", "PriorRequestNotComplete", NULL
};
static const char *const expired_codes[] = {
	"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", NULL
};
static const char *const credential_codes[] = {
	"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken",
	"ExpiredTokenException", "TokenRefreshRequired", "RequestTimeTooSkewed",
	"InvalidClientTokenId", "UnrecognizedClientException", "MissingAuthenticationToken",
	"IncompleteSignature", "InvalidSecurity", NULL
};
static const char *const permission_codes[] = {
	"AccessDenied", "AllAccessDisabled", "AccountProblem", "NotSignedUp", NULL
};
static const char *const region_codes[] = {
	"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed",
	"IllegalLocationConstraintException", "Redirect", NULL
};

/* A status of 200 may come with an error for a body: see CompleteMultipartUpload. */
static bool
judge_call(HttpCall *call, bool retry, void *arg)
{
	S3Store    *store = arg;
	S3Error		error = s3_error(call);

	if (is_one_of(error.code, expired_codes) && !store->has_fixed && call->attempts == 1)
	{
		aws_chain_forget();
		return true;
	}
	return (retry && call->status >= 400) || is_one_of(error.code, passing_codes);
}

HttpCall *
s3_call(S3Store *store, const char *method, const char *bucket, const char *key, const char *query)
{
	HttpCall   *call = http_call(method, s3_url(store, bucket, key, query));

	call->prepare = sign_call;
	call->judge = judge_call;
	call->arg = store;

	/* an object's encoding is the object's affair */
	call->keep_encoding = true;
	return call;
}

void
s3_raise(const S3Store *store, HttpCall *call, const char *verb, const char *bucket, const char *key)
{
	S3Error		error = s3_error(call);
	AppflowException exception = WF_CONNECTOR;
	const char *hint = NULL;
	char	   *what = key == NULL
		? psprintf("bucket \"%s\"", bucket)
		: psprintf("object \"%s\" of bucket \"%s\"", key, bucket);
	char	   *reason;

	if (error.code[0] == '\0')
		reason = psprintf("the answer has status %d", call->status);
	else if (error.message[0] == '\0')
		reason = pstrdup(error.code);
	else
		reason = psprintf("%s: %s", error.code, error.message);

	if (strcmp(error.code, "NoSuchBucket") == 0 ||
		(call->status == 404 && key == NULL && error.code[0] == '\0'))
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("bucket \"%s\" does not exist in object store \"%s\"",
					   bucket, store->base.name));
	if (key != NULL && (strcmp(error.code, "NoSuchKey") == 0 ||
						(call->status == 404 && error.code[0] == '\0')))
		ereport(ERROR,
				appflow_error(WF_NOT_FOUND),
				errmsg("object \"%s\" does not exist in bucket \"%s\"", key, bucket));
	if (is_one_of(error.code, region_codes) ||
		((call->status == 301 || call->status == 307 || call->status == 400) &&
		 error.region != NULL && strcmp(error.region, store->region) != 0))
	{
		if (error.region != NULL)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("bucket \"%s\" is in region \"%s\", but object store \"%s\" uses region \"%s\"",
						   bucket, error.region, store->base.name, store->region),
					errhint("Register an object store of region \"%s\" for it, or use appflow.alter_object_store().",
							error.region));
		exception = WF_VALIDATION;
		hint = "The region or endpoint of the object store does not fit the bucket.";
	}
	else if (is_one_of(error.code, credential_codes))
	{
		exception = WF_AUTHENTICATION;
		hint = strcmp(error.code, "RequestTimeTooSkewed") == 0
			? "The clock of the database server is wrong."
			: "Check the credentials of the object store with appflow.alter_object_store().";
	}
	else if (is_one_of(error.code, permission_codes) || call->status == 403)
	{
		exception = WF_ACCESS_DENIED;
		hint = "The object store's credentials do not permit this.";
	}
	else if (call->status == 503 || call->status == 429)
		exception = WF_THROTTLING;

	ereport(ERROR,
			appflow_error_detail(exception, "Object store \"%s\" answered with status %d%s%s%s.",
								 store->base.name, call->status,
								 error.request_id != NULL ? ", request id \"" : "",
								 error.request_id != NULL ? error.request_id : "",
								 error.request_id != NULL ? "\"" : ""),
			errmsg("could not %s %s: %s", verb, what, reason),
			hint != NULL ? errhint("%s", hint) : 0);
	pg_unreachable();
}

/* ---------- list ---------- */

typedef struct S3List
{
	ObjectList	base;
	S3Store    *store;
	MemoryContext context;		/* holds this */
	MemoryContext page_context; /* holds the page */
	char	   *bucket;
	char	   *prefix;
	HttpCall   *next_page;		/* under way, or NULL */
	XmlLeaves  *page;
	bool		keys_encoded;
	size_t		next;			/* leaf of the page */
} S3List;

static void
request_page(S3List *list, const char *token)
{
	MemoryContext old = MemoryContextSwitchTo(list->context);
	StringInfoData query;

	initStringInfo(&query);
	s3_add_parameter(&query, "encoding-type", "url");
	s3_add_parameter(&query, "list-type", "2");
	s3_add_parameter(&query, "max-keys", "1000");
	s3_add_parameter(&query, "prefix", list->prefix);
	if (token != NULL)
		s3_add_parameter(&query, "continuation-token", token);
	list->next_page = s3_call(list->store, "GET", list->bucket, NULL, query.data);
	list->next_page->whole = true;
	pfree(query.data);
	http_start(list->next_page);
	MemoryContextSwitchTo(old);
}

static void
take_page(S3List *list)
{
	HttpCall   *call = list->next_page;
	MemoryContext old;
	const char *value;

	http_wait(call);
	if (call->status != 200)
		s3_raise(list->store, call, "list", list->bucket, NULL);

	MemoryContextReset(list->page_context);
	old = MemoryContextSwitchTo(list->page_context);
	list->page = s3_document(call);
	MemoryContextSwitchTo(old);
	if (list->page == NULL || strcmp(list->page->root, "ListBucketResult") != 0)
		s3_raise(list->store, call, "list", list->bucket, NULL);
	list->next_page = NULL;
	http_close(call);

	list->next = 0;
	value = xml_text(list->page, "ListBucketResult", "EncodingType");
	list->keys_encoded = value != NULL && strcmp(value, "url") == 0;

	/* the next page comes while the caller works on this one */
	value = xml_text(list->page, "ListBucketResult", "IsTruncated");
	if (value != NULL && strcmp(value, "true") == 0)
	{
		value = xml_text(list->page, "ListBucketResult", "NextContinuationToken");
		if (value == NULL || value[0] == '\0')
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("could not list bucket \"%s\": the answer is cut off but names no continuation",
						   list->bucket));
		request_page(list, value);
	}
}

static ObjectList *
s3_list(ObjectStore *store, const char *bucket, const char *prefix)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow object list",
												  ALLOCSET_SMALL_SIZES);
	S3List	   *list = MemoryContextAllocZero(context, sizeof(S3List));

	list->base.methods = store->methods;
	list->store = (S3Store *) store;
	list->context = context;
	list->page_context = AllocSetContextCreate(context, "appflow object list page",
											   ALLOCSET_SMALL_SIZES);
	list->bucket = MemoryContextStrdup(context, bucket);
	list->prefix = MemoryContextStrdup(context, prefix);
	request_page(list, NULL);
	take_page(list);
	return &list->base;
}

/* Decode a key in place: a plus is a space. */
static void
decode_key(char *key)
{
	char	   *to = key;

	for (char *from = key; *from != '\0'; from++)
	{
		if (*from == '+')
			*to++ = ' ';
		else if (*from == '%' && strspn(from + 1, "0123456789abcdefABCDEF") >= 2)
		{
			char		digits[3] = {from[1], from[2], '\0'};

			*to++ = (char) strtol(digits, NULL, 16);
			from += 2;
		}
		else
			*to++ = *from;
	}
	*to = '\0';
}

static bool
s3_list_next(ObjectList *base, ObjectInfo *info)
{
	S3List	   *list = (S3List *) base;

	for (;;)
	{
		XmlLeaves  *page = list->page;
		size_t		element;
		char	   *key = NULL;

		CHECK_FOR_INTERRUPTS();
		while (list->next < page->count && strcmp(page->leaves[list->next].parent, "Contents") != 0)
			list->next++;
		if (list->next == page->count)
		{
			if (list->next_page == NULL)
				return false;
			take_page(list);
			continue;
		}

		element = page->leaves[list->next].parent_number;
		info->size = 0;
		info->last_modified = 0;
		for (; list->next < page->count; list->next++)
		{
			XmlLeaf    *leaf = &page->leaves[list->next];

			/* those of an element within, as Owner, are not ours */
			if (leaf->parent_number != element)
			{
				if (strcmp(leaf->parent, "Contents") == 0 || leaf->parent_number < element)
					break;
				continue;
			}
			if (strcmp(leaf->name, "Key") == 0)
				key = unconstify(char *, leaf->text);
			else if (strcmp(leaf->name, "Size") == 0)
				info->size = strtoll(leaf->text, NULL, 10);
			else if (strcmp(leaf->name, "LastModified") == 0)
				info->last_modified = aws_parse_time(leaf->text);
		}
		if (key == NULL)
			continue;
		if (list->keys_encoded)
			decode_key(key);
		if (key[0] == '\0' || key[strlen(key) - 1] == '/')
			continue;
		info->key = key;
		return true;
	}
}

static void
s3_list_close(ObjectList *base)
{
	MemoryContextDelete(((S3List *) base)->context);
}

/* ---------- read ---------- */

typedef struct S3Reader
{
	ObjectReader base;
	S3Store    *store;
	MemoryContext context;		/* holds this */
	char	   *bucket;
	char	   *key;
	char	   *etag;			/* NULL: the server gave none */
	int64		size;			/* -1: the server did not say */
	int64		offset;			/* bytes read so far */
	int64		resumed_at;		/* offset of the last resumption */
	int			resumptions;	/* since there was progress */
	HttpCall   *call;
} S3Reader;

static void
object_changed(const S3Reader *reader)
{
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("object \"%s\" of bucket \"%s\" was changed while it was read",
				   reader->key, reader->bucket));
}

static ObjectReader *
s3_read(ObjectStore *store, const char *bucket, const char *key)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow object reader",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	S3Reader   *reader = palloc0(sizeof(S3Reader));
	const char *value;

	reader->base.methods = store->methods;
	reader->store = (S3Store *) store;
	reader->context = context;
	reader->bucket = pstrdup(bucket);
	reader->key = pstrdup(key);
	reader->call = s3_call(reader->store, "GET", bucket, key, NULL);
	http_wait(reader->call);
	if (reader->call->status != 200)
		s3_raise(reader->store, reader->call, "read", bucket, key);
	value = http_response_header(reader->call, "ETag");
	reader->etag = value == NULL ? NULL : pstrdup(value);
	value = http_response_header(reader->call, "Content-Length");
	reader->size = value == NULL ? -1 : strtoll(value, NULL, 10);
	MemoryContextSwitchTo(old);
	return &reader->base;
}

/*
 * The connection broke in the middle: go on from there with a new one.  If-Match
 * makes sure that it is the same object.
 */
static void
resume(S3Reader *reader)
{
	MemoryContext old = MemoryContextSwitchTo(reader->context);
	HttpFailure failure = reader->call->failure;
	char	   *range = psprintf("bytes=" INT64_FORMAT "-", reader->offset);
	int64		start;

	if (reader->etag == NULL || (failure != HTTP_CUT && failure != HTTP_TIMEOUT))
		http_raise(reader->call);
	if (reader->offset > reader->resumed_at)
		reader->resumptions = 0;
	if (reader->resumptions >= net_max_retries)
		http_raise(reader->call);
	if (reader->resumptions++ > 0)
		http_pause(RESUME_DELAY);
	reader->resumed_at = reader->offset;

	http_close(reader->call);
	reader->call = s3_call(reader->store, "GET", reader->bucket, reader->key, NULL);
	http_header(reader->call, "Range", range);
	http_header(reader->call, "If-Match", reader->etag);
	pfree(range);
	http_wait(reader->call);
	if (reader->call->status == 412 || reader->call->status == 404 || reader->call->status == 416)
		object_changed(reader);
	if (reader->call->status >= 400)
		s3_raise(reader->store, reader->call, "read", reader->bucket, reader->key);

	/* a server may not know ranges, or not honour this one */
	if (reader->call->status != 206 ||
		http_response_header(reader->call, "Content-Range") == NULL ||
		sscanf(http_response_header(reader->call, "Content-Range"), "bytes " INT64_FORMAT "-", &start) != 1 ||
		start != reader->offset)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not go on reading object \"%s\" of bucket \"%s\" after the connection broke: the server does not send ranges",
					   reader->key, reader->bucket));
	MemoryContextSwitchTo(old);
}

static size_t
s3_read_some(ObjectReader *base, char *buffer, size_t size)
{
	S3Reader   *reader = (S3Reader *) base;
	size_t		n;

	for (;;)
	{
		if (!http_try_read(reader->call, buffer, size, &n))
		{
			/* what was missing may have been nothing */
			if (reader->size >= 0 && reader->offset == reader->size)
				return 0;
			resume(reader);
			continue;
		}
		reader->offset += n;
		if (n == 0 && reader->size >= 0 && reader->offset != reader->size)
			object_changed(reader);
		return n;
	}
}

static void
s3_read_close(ObjectReader *base)
{
	MemoryContextDelete(((S3Reader *) base)->context);
}

/* ---------- the rest ---------- */

static void
s3_delete(ObjectStore *base, const char *bucket, const char *key)
{
	S3Store    *store = (S3Store *) base;
	HttpCall   *call = s3_call(store, "DELETE", bucket, key, NULL);

	http_wait(call);
	if (call->status >= 300 && strcmp(s3_error(call).code, "NoSuchKey") != 0)
		s3_raise(store, call, "delete", bucket, key);
	http_close(call);
}

static const StoreMethods s3_methods = {
	.list = s3_list,
	.list_next = s3_list_next,
	.list_close = s3_list_close,
	.read = s3_read,
	.read_some = s3_read_some,
	.read_close = s3_read_close,
	.write = s3_write,
	.write_some = s3_write_some,
	.write_seal = s3_write_seal,
	.write_finish = s3_write_finish,
	.sweep = s3_sweep,
	.delete = s3_delete,
};

/* Scheme, and host with port, of an endpoint. */
static void
parse_endpoint(const ObjectStoreConfig *config, char **scheme, char **host)
{
	CURLU	   *url = curl_url();
	const CURLUPart unwanted[] = {
		CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT
	};
	char	   *parts[4] = {NULL, NULL, NULL, NULL};
	bool		good;

	good = url != NULL &&
		curl_url_set(url, CURLUPART_URL, config->endpoint, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_SCHEME, &parts[0], 0) == CURLUE_OK &&
		(strcmp(parts[0], "http") == 0 || strcmp(parts[0], "https") == 0) &&
		curl_url_get(url, CURLUPART_HOST, &parts[1], 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_PATH, &parts[2], 0) == CURLUE_OK &&
		(strcmp(parts[2], "") == 0 || strcmp(parts[2], "/") == 0);
	for (int i = 0; i < (int) lengthof(unwanted) && good; i++)
	{
		char	   *part = NULL;

		good = curl_url_get(url, unwanted[i], &part, 0) != CURLUE_OK;
		curl_free(part);
	}
	if (good)
	{
		(void) curl_url_get(url, CURLUPART_PORT, &parts[3], 0);
		*scheme = MemoryContextStrdup(CurrentMemoryContext, parts[0]);
		*host = parts[3] == NULL
			? MemoryContextStrdup(CurrentMemoryContext, parts[1])
			: psprintf("%s:%s", parts[1], parts[3]);
	}
	for (int i = 0; i < (int) lengthof(parts); i++)
		curl_free(parts[i]);
	curl_url_cleanup(url);
	if (!good)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("endpoint of object store \"%s\" is not valid", config->name),
				errhint("An endpoint is \"https://host\", with a port if need be, \"file:///directory\", or null for AWS."));
}

void
s3_store_validate(const ObjectStoreConfig *config)
{
	char	   *scheme;
	char	   *host;

	if (config->endpoint != NULL)
		parse_endpoint(config, &scheme, &host);
	if (config->region != NULL &&
		(strspn(config->region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(config->region) ||
		 strlen(config->region) > 64))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"%s\" is not a valid region", config->region));

	/* what would come out as a bad header later */
	if ((config->access_key_id != NULL && strpbrk(config->access_key_id, " \t\r\n/,=") != NULL) ||
		(config->secret_access_key != NULL && strpbrk(config->secret_access_key, " \t\r\n") != NULL) ||
		(config->session_token != NULL && strpbrk(config->session_token, " \t\r\n") != NULL))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("credentials of object store \"%s\" contain blanks or other characters that none have",
					   config->name));
}

ObjectStore *
s3_store_open(const ObjectStoreConfig *config)
{
	S3Store    *store = palloc0(sizeof(S3Store));

	store->base.methods = &s3_methods;
	store->base.name = pstrdup(config->name);
	store->context = CurrentMemoryContext;
	store->scheme = "https";
	if (config->endpoint != NULL)
		parse_endpoint(config, &store->scheme, &store->host);
	store->path_style = config->path_style;
	if (config->region != NULL)
		store->region = pstrdup(config->region);
	else if (config->endpoint == NULL || config->access_key_id == NULL)
		store->region = aws_chain_region();
	if (store->region == NULL)
		store->region = "us-east-1";
	if (config->access_key_id != NULL)
	{
		store->has_fixed = true;
		store->fixed.access_key_id = pstrdup(config->access_key_id);
		store->fixed.secret_access_key = wiped_strdup(config->secret_access_key);
		store->fixed.session_token = wiped_strdup(config->session_token);
		store->signer.credentials = &store->fixed;
	}
	store->signer.service = "s3";
	store->signer.region = store->region;
	return &store->base;
}
