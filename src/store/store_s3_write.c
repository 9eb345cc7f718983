/*-------------------------------------------------------------------------
 *
 * store_s3_write.c
 *	  Writing objects into S3 stores.
 *
 * An object is collected into parts of a multipart upload.  While a part is on
 * its way the next one fills; at most two are on their way in a process.  An
 * object that ends before its first part is full is put with one request when
 * it is finished: so small objects need one request instead of three.
 *
 * The unsent data of all writers of a process share BUFFER_TOTAL bytes.  When
 * that is used up, the largest buffer goes to a temporary file, where it counts
 * towards temp_file_limit.
 *
 * IDENTIFICATION
 *	  src/store/store_s3_write.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "miscadmin.h"
#include "record/record.h"
#include "storage/fd.h"
#include "store/store_s3.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define PART_SIZE ((size_t) 8 * 1024 * 1024)
#define PARTS_PER_SIZE 2500		/* the size doubles after so many parts, as there may be only 10,000 */
#define MAX_PARTS 10000
#define MAX_SENDING 2			/* parts on their way, of all writers */
#define BUFFER_TOTAL ((size_t) 16 * 1024 * 1024)	/* unsent in memory, of all writers */
#define FIRST_BUFFER ((size_t) 16 * 1024)
#define POLL_EVERY (256 * 1024) /* bytes taken between two looks at what is on its way */
#define DISCARD_BUDGET 250		/* ms when an error or a cancel ends the writer */

typedef struct S3Writer S3Writer;

/* A part on its way. */
typedef struct Part
{
	dlist_node	node;			/* in sending */
	S3Writer   *writer;
	int			number;			/* 0: not in use */
	HttpCall   *call;
} Part;

/* All that aborting the upload takes, in the writer's memory context. */
typedef struct AbortTicket
{
	char	   *url;
	char	   *host;
	char	   *path;
	char	   *query;
	char	   *region;
	AwsCredentials fixed;		/* if the store has its own */
	bool		has_fixed;
} AbortTicket;

struct S3Writer
{
	ObjectWriter base;
	S3Store    *store;
	MemoryContext context;
	dlist_node	node;			/* in writers, unless done */
	char	   *bucket;
	char	   *key;
	char	   *content_type;

	/* what is not sent yet: first what is in the file, then what is in memory */
	char	   *buffer;
	size_t		buffered;
	size_t		room;
	File		spill;			/* 0: none */
	size_t		spilled;

	char	   *upload_id;		/* NULL: no upload begun */
	AbortTicket ticket;
	bool		uploading;		/* there is an upload to abort */
	int			nparts;			/* sent or being sent */
	char	  **etags;			/* of the parts, NULL while on the way */
	int			etags_room;
	Part		parts[MAX_SENDING];
	int64		bytes;
	size_t		since_poll;

	MemoryContextCallback callback;
};

static dlist_head writers = DLIST_STATIC_INIT(writers);
static dlist_head sending = DLIST_STATIC_INIT(sending); /* oldest first */
static int	sending_count = 0;
static size_t buffer_total = 0; /* sum of rooms */

/* until then, no more tries to abort uploads at a server that does not answer */
static TimestampTz silent_until = 0;

/* ---------- parts on their way ---------- */

static void
forget_part(Part *part)
{
	dlist_delete(&part->node);
	sending_count--;
	part->number = 0;
	part->call = NULL;
}

/* Wait for a part to arrive. */
static void
harvest(Part *part)
{
	S3Writer   *writer = part->writer;
	HttpCall   *call = part->call;
	const char *etag;

	http_wait(call);
	if (call->status != 200)
		s3_raise(writer->store, call, "write", writer->bucket, writer->key);
	etag = http_response_header(call, "ETag");
	if (etag == NULL)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("could not write object \"%s\" of bucket \"%s\": the answer to part %d has no ETag",
					   writer->key, writer->bucket, part->number));
	writer->etags[part->number - 1] = MemoryContextStrdup(writer->context, etag);
	forget_part(part);
	http_close(call);
}

/* Take in what has arrived, without waiting. */
static void
poll_parts(void)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &sending)
	{
		Part	   *part = dlist_container(Part, node, iter.cur);

		if (http_done(part->call))
			harvest(part);
	}
}

static void
begin_upload(S3Writer *writer)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	HttpCall   *call = s3_call(writer->store, "POST", writer->bucket, writer->key, "uploads=");
	XmlLeaves  *document;
	const char *id = NULL;
	StringInfoData query;
	const char *path;

	/* a lost answer leaves an upload behind, which is no object */
	call->repeatable = true;
	call->whole = true;
	http_header(call, "Content-Type", writer->content_type);
	http_wait(call);
	if (call->status != 200)
		s3_raise(writer->store, call, "write", writer->bucket, writer->key);
	MemoryContextSwitchTo(call->context);
	document = s3_document(call);
	if (document != NULL)
		id = xml_text(document, "InitiateMultipartUploadResult", "UploadId");
	if (id == NULL || id[0] == '\0')
		s3_raise(writer->store, call, "write", writer->bucket, writer->key);
	MemoryContextSwitchTo(writer->context);

	writer->upload_id = pstrdup(id);
	http_close(call);

	initStringInfo(&query);
	s3_add_parameter(&query, "uploadId", writer->upload_id);
	writer->ticket.query = query.data;
	writer->ticket.url = s3_url(writer->store, writer->bucket, writer->key, query.data);
	writer->ticket.host = aws_host(writer->ticket.url);
	path = strstr(writer->ticket.url, "://") + 3;
	path += strcspn(path, "/?");
	writer->ticket.path = pnstrdup(path, strcspn(path, "?"));
	writer->ticket.region = pstrdup(writer->store->region);
	writer->ticket.has_fixed = writer->store->has_fixed;
	if (writer->store->has_fixed)
	{
		const AwsCredentials *fixed = &writer->store->fixed;

		writer->ticket.fixed.access_key_id = pstrdup(fixed->access_key_id);
		writer->ticket.fixed.secret_access_key = pstrdup(fixed->secret_access_key);
		if (fixed->session_token != NULL)
			writer->ticket.fixed.session_token = pstrdup(fixed->session_token);
	}
	writer->uploading = true;
	MemoryContextSwitchTo(old);
}

/* ---------- what is not sent yet ---------- */

static void
spill_failed(S3Writer *writer)
{
	ereport(ERROR,
			appflow_error(WF_INTERNAL),
			errmsg("could not use a temporary file for object \"%s\" of bucket \"%s\": %m",
				   writer->key, writer->bucket));
}

static void
free_buffer(S3Writer *writer)
{
	if (writer->buffer != NULL)
	{
		buffer_total -= writer->room;
		pfree(writer->buffer);
		writer->buffer = NULL;
		writer->room = writer->buffered = 0;
	}
}

static void
spill(S3Writer *writer)
{
	size_t		done = 0;

	if (writer->spill == 0)
		writer->spill = OpenTemporaryFile(true);
	while (done < writer->buffered)
	{
		int			n;

		CHECK_FOR_INTERRUPTS();
		n = FileWrite(writer->spill, writer->buffer + done, writer->buffered - done,
					  writer->spilled, WAIT_EVENT_BUFFILE_WRITE);
		if (n <= 0)
			spill_failed(writer);
		done += n;
		writer->spilled += n;
	}
	free_buffer(writer);
}

static void
read_spilled(S3Writer *writer, char *data)
{
	size_t		done = 0;

	while (done < writer->spilled)
	{
		int			n;

		CHECK_FOR_INTERRUPTS();
		n = FileRead(writer->spill, data + done, writer->spilled - done, done,
					 WAIT_EVENT_BUFFILE_READ);
		if (n <= 0)
			spill_failed(writer);
		done += n;
	}
}

/*
 * Room for more in memory.  If that takes all writers together over the limit,
 * the largest buffers make way, which may be this one.
 */
static void
make_room(S3Writer *writer, size_t more)
{
	size_t		room = Max(writer->room, FIRST_BUFFER);

	if (writer->buffered + more <= writer->room)
		return;
	while (room < writer->buffered + more)
		room *= 2;
	while (buffer_total + (room - writer->room) > BUFFER_TOTAL)
	{
		S3Writer   *largest = NULL;
		dlist_iter	iter;

		dlist_foreach(iter, &writers)
		{
			S3Writer   *other = dlist_container(S3Writer, node, iter.cur);

			if (other->buffer != NULL && (largest == NULL || other->room > largest->room))
				largest = other;
		}
		if (largest == NULL)
			break;
		spill(largest);
		if (largest == writer)
		{
			room = FIRST_BUFFER;
			while (room < more)
				room *= 2;
		}
	}

	/* other than with repalloc, the sum is right whatever fails */
	{
		char	   *buffer = MemoryContextAllocHuge(writer->context, room);
		size_t		buffered = writer->buffered;

		if (buffered > 0)
			memcpy(buffer, writer->buffer, buffered);
		free_buffer(writer);
		writer->buffer = buffer;
		writer->buffered = buffered;
		writer->room = room;
		buffer_total += room;
	}
}

static size_t
unsent(const S3Writer *writer)
{
	return writer->spilled + writer->buffered;
}

/*
 * Give all that is not sent to a call as its body.  It lives in the call's memory
 * context.
 */
static void
take_body(S3Writer *writer, HttpCall *call)
{
	size_t		length = unsent(writer);
	char	   *data = MemoryContextAllocHuge(call->context, Max(length, 1));

	read_spilled(writer, data);
	if (writer->buffered > 0)
		memcpy(data + writer->spilled, writer->buffer, writer->buffered);
	call->body = data;
	call->body_length = length;
}

static void
drop_unsent(S3Writer *writer)
{
	free_buffer(writer);
	if (writer->spill != 0)
	{
		FileClose(writer->spill);
		writer->spill = 0;
	}
	writer->spilled = 0;
}

static size_t
part_size(const S3Writer *writer)
{
	return PART_SIZE << (writer->nparts / PARTS_PER_SIZE);
}

/* Send what there is as the next part. */
static void
send_part(S3Writer *writer)
{
	Part	   *part = NULL;
	StringInfoData query;
	char		number[16];
	MemoryContext old;

	if (writer->nparts == MAX_PARTS)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("object \"%s\" of bucket \"%s\" is too large", writer->key, writer->bucket));
	if (writer->upload_id == NULL)
		begin_upload(writer);
	while (sending_count >= MAX_SENDING)
		harvest(dlist_head_element(Part, node, &sending));
	for (int i = 0; i < MAX_SENDING; i++)
	{
		if (writer->parts[i].number == 0)
			part = &writer->parts[i];
	}
	Assert(part != NULL);

	old = MemoryContextSwitchTo(writer->context);
	if (writer->nparts == writer->etags_room)
	{
		writer->etags_room = writer->etags_room == 0 ? 16 : writer->etags_room * 2;
		writer->etags = writer->etags == NULL
			? palloc0(writer->etags_room * sizeof(char *))
			: repalloc(writer->etags, writer->etags_room * sizeof(char *));
	}
	initStringInfo(&query);
	snprintf(number, sizeof(number), "%d", writer->nparts + 1);
	s3_add_parameter(&query, "partNumber", number);
	s3_add_parameter(&query, "uploadId", writer->upload_id);
	part->call = s3_call(writer->store, "PUT", writer->bucket, writer->key, query.data);
	pfree(query.data);
	take_body(writer, part->call);
	drop_unsent(writer);
	writer->etags[writer->nparts] = NULL;
	part->number = ++writer->nparts;
	dlist_push_tail(&sending, &part->node);
	sending_count++;
	http_start(part->call);
	MemoryContextSwitchTo(old);
}

/* ---------- the end of an upload ---------- */

/*
 * Abort the upload on the server; raises no errors.  What comes through neither
 * here nor in a sweep, a lifecycle rule of the bucket must remove.
 */
static void
abort_upload(S3Writer *writer)
{
	const AwsCredentials *credentials =
		writer->ticket.has_fixed ? &writer->ticket.fixed : aws_chain_cached();

	if (!writer->uploading)
		return;
	writer->uploading = false;
	if (credentials == NULL || GetCurrentTimestamp() < silent_until)
		return;
	if (aws_send_quietly("DELETE", writer->ticket.url, writer->ticket.host, writer->ticket.path,
						 writer->ticket.query, "s3", writer->ticket.region,
						 credentials, DISCARD_BUDGET) == 0)
		silent_until = GetCurrentTimestamp() + 10 * USECS_PER_SEC;
}

/* Leave the lists; what libcurl and files hold is given back. Raises no errors. */
static void
detach(S3Writer *writer)
{
	if (writer->base.done)
		return;
	writer->base.done = true;
	for (int i = 0; i < MAX_SENDING; i++)
	{
		if (writer->parts[i].number != 0)
			forget_part(&writer->parts[i]);
	}
	dlist_delete(&writer->node);
	buffer_total -= writer->room;
	writer->room = 0;
	if (writer->spill != 0)
		FileClose(writer->spill);
	writer->spill = 0;
}

static void
wipe_text(const char *text)
{
	if (text != NULL)
		explicit_bzero(unconstify(char *, text), strlen(text));
}

/* Reset callback. The calls of parts have gone with the contexts below. */
static void
discard(void *arg)
{
	S3Writer   *writer = arg;

	detach(writer);
	abort_upload(writer);
	wipe_text(writer->ticket.fixed.secret_access_key);
	wipe_text(writer->ticket.fixed.session_token);
}

ObjectWriter *
s3_write(ObjectStore *store, const char *bucket, const char *key,
		 const char *content_type, const char *owner)
{
	S3Writer   *writer = palloc0(sizeof(S3Writer));

	writer->base.methods = store->methods;
	writer->store = (S3Store *) store;
	writer->context = CurrentMemoryContext;
	writer->bucket = pstrdup(bucket);
	writer->key = pstrdup(key);
	writer->content_type = pstrdup(content_type == NULL ? "application/octet-stream" : content_type);
	for (int i = 0; i < MAX_SENDING; i++)
		writer->parts[i].writer = writer;
	dlist_push_tail(&writers, &writer->node);
	writer->callback.func = discard;
	writer->callback.arg = writer;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &writer->callback);
	return &writer->base;
}

void
s3_write_some(ObjectWriter *base, const char *data, size_t length)
{
	S3Writer   *writer = (S3Writer *) base;

	writer->bytes += length;
	writer->since_poll += length;
	while (length > 0)
	{
		size_t		left = part_size(writer) - unsent(writer);
		size_t		n = Min(length, left);

		CHECK_FOR_INTERRUPTS();
		make_room(writer, n);
		memcpy(writer->buffer + writer->buffered, data, n);
		writer->buffered += n;
		data += n;
		length -= n;
		if (n == left)
			send_part(writer);
	}
	if (writer->since_poll >= POLL_EVERY)
	{
		writer->since_poll = 0;
		poll_parts();
	}
}

void
s3_write_seal(ObjectWriter *base)
{
	S3Writer   *writer = (S3Writer *) base;

	/* a small object is sent when it is finished: that makes it visible */
	if (writer->upload_id == NULL)
		return;
	if (unsent(writer) > 0)
		send_part(writer);
	for (int i = 0; i < MAX_SENDING; i++)
	{
		if (writer->parts[i].number != 0)
			harvest(&writer->parts[i]);
	}
}

static void
put_small(S3Writer *writer)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	HttpCall   *call = s3_call(writer->store, "PUT", writer->bucket, writer->key, NULL);

	http_header(call, "Content-Type", writer->content_type);
	take_body(writer, call);
	drop_unsent(writer);
	http_wait(call);
	if (call->status != 200)
		s3_raise(writer->store, call, "write", writer->bucket, writer->key);
	http_close(call);
	MemoryContextSwitchTo(old);
}

/* Is the object there, with the size that was sent? */
static bool
object_is_there(S3Writer *writer)
{
	HttpCall   *call = s3_call(writer->store, "HEAD", writer->bucket, writer->key, NULL);
	const char *size;
	bool		there;

	http_wait(call);
	size = http_response_header(call, "Content-Length");
	there = call->status == 200 && size != NULL && strtoll(size, NULL, 10) == writer->bytes;
	http_close(call);
	return there;
}

static void
complete_upload(S3Writer *writer)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	HttpCall   *call = s3_call(writer->store, "POST", writer->bucket, writer->key,
							   writer->ticket.query);
	StringInfoData body;
	XmlLeaves  *document;

	MemoryContextSwitchTo(call->context);
	initStringInfo(&body);
	appendStringInfoString(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (int i = 0; i < writer->nparts; i++)
	{
		appendStringInfo(&body, "<Part><PartNumber>%d</PartNumber><ETag>", i + 1);
		for (const char *c = writer->etags[i]; *c != '\0'; c++)
		{
			if (*c == '"')
				appendStringInfoString(&body, "&quot;");
			else if (*c == '&' || *c == '<' || *c == '>')
				appendStringInfo(&body, "&#%d;", *c);
			else
				appendStringInfoChar(&body, *c);
		}
		appendStringInfoString(&body, "</ETag></Part>");
	}
	appendStringInfoString(&body, "</CompleteMultipartUpload>");
	call->body = body.data;
	call->body_length = body.len;
	call->repeatable = true;
	call->whole = true;
	http_header(call, "Content-Type", "application/xml");
	http_wait(call);

	/* completed by an attempt whose answer was lost? */
	if (call->status == 404 && call->attempts > 1 &&
		strcmp(s3_error(call).code, "NoSuchUpload") == 0 && object_is_there(writer))
		writer->uploading = false;
	else
	{
		document = s3_document(call);
		if (call->status != 200 || document == NULL || strcmp(document->root, "Error") == 0)
			s3_raise(writer->store, call, "write", writer->bucket, writer->key);
		writer->uploading = false;
	}
	MemoryContextSwitchTo(old);
	http_close(call);
}

void
s3_write_finish(ObjectWriter *base)
{
	S3Writer   *writer = (S3Writer *) base;

	if (writer->upload_id == NULL)
		put_small(writer);
	else
		complete_upload(writer);
	drop_unsent(writer);
	detach(writer);
	for (int i = 0; i < writer->nparts; i++)
		pfree(writer->etags[i]);
	if (writer->etags != NULL)
		pfree(writer->etags);
	writer->etags = NULL;
	writer->nparts = 0;
}

/* ---------- sweep ---------- */

static char *
sweep_page(S3Store *store, const char *bucket, const char *query, const char *owner, bool *more)
{
	HttpCall   *call = s3_call(store, "GET", bucket, NULL, query);
	XmlLeaves  *page;
	const char *key = NULL;
	const char *value;
	const char *upload_marker;
	StringInfoData next;

	call->whole = true;
	http_wait(call);
	if (call->status != 200)
		s3_raise(store, call, "list the uploads of", bucket, NULL);
	page = s3_document(call);
	if (page == NULL || strcmp(page->root, "ListMultipartUploadsResult") != 0)
		s3_raise(store, call, "list the uploads of", bucket, NULL);

	for (size_t i = 0; i < page->count; i++)
	{
		XmlLeaf    *leaf = &page->leaves[i];

		if (strcmp(leaf->parent, "Upload") != 0)
			continue;
		if (strcmp(leaf->name, "Key") == 0)
			key = leaf->text;
		else if (strcmp(leaf->name, "UploadId") == 0 && key != NULL && strstr(key, owner) != NULL)
		{
			StringInfoData upload;
			HttpCall   *abort_call;

			initStringInfo(&upload);
			s3_add_parameter(&upload, "uploadId", leaf->text);
			abort_call = s3_call(store, "DELETE", bucket, key, upload.data);
			http_wait(abort_call);
			if (abort_call->status >= 300 && abort_call->status != 404)
				s3_raise(store, abort_call, "abort the upload of", bucket, key);
			http_close(abort_call);
		}
	}

	value = xml_text(page, "ListMultipartUploadsResult", "IsTruncated");
	*more = value != NULL && strcmp(value, "true") == 0;
	value = xml_text(page, "ListMultipartUploadsResult", "NextKeyMarker");
	upload_marker = xml_text(page, "ListMultipartUploadsResult", "NextUploadIdMarker");
	*more = *more && value != NULL && upload_marker != NULL;
	initStringInfo(&next);
	if (*more)
	{
		s3_add_parameter(&next, "key-marker", value);
		s3_add_parameter(&next, "upload-id-marker", upload_marker);
	}
	http_close(call);
	return next.data;
}

/*
 * Abort the uploads below prefix whose key contains the owner's name, which is
 * all that a listing tells of who began them.
 */
void
s3_sweep(ObjectStore *base, const char *bucket, const char *prefix, const char *owner)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow sweep",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	char	   *marker = "";
	bool		more = true;

	while (more)
	{
		StringInfoData query;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&query);
		appendStringInfo(&query, "uploads=%s%s", marker[0] == '\0' ? "" : "&", marker);
		s3_add_parameter(&query, "prefix", prefix);
		marker = sweep_page((S3Store *) base, bucket, query.data, owner, &more);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
