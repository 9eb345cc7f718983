/*-------------------------------------------------------------------------
 *
 * sap_odata_write.c
 *	  Writing records to entity sets.
 *
 * INSERT creates, UPDATE and DELETE go by the key, and UPSERT changes what there is
 * and creates what is not: version 4 has that in one, others answer that there is no such record,
 * which is then created.  Many records go in one $batch, each in a changeset of
 * its own, so that each has an outcome of its own; a service without $batch gets them
 * one by one.
 *
 * What was sent and not answered, because the connection broke say, may have been
 * written: it is not sent again, and the run fails.
 *
 * IDENTIFICATION
 *	  src/apps/sap_odata_write.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/sap_odata.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "utils/memutils.h"

#define DEFAULT_BATCH 100
#define MAX_BATCH_BYTES (4 * 1024 * 1024)

/* times that parts of a batch are sent again because the service was busy */
#define MAX_BUSY 6

typedef struct SapWriter
{
	RecordWriter base;
	ConnectorSession *session;
	ODataEntity *entity;
	WriteOperation operation;
	char	   *what;
	int			batch_size;
	bool		batches;		/* the service takes $batch, as far as is known */
	List	   *keys;			/* of char *: of the entity */
	int		   *key_columns;	/* -1: not among the fields */
	bool	   *is_key;			/* of each field */
	int			capacity;		/* of is_key */
	MemoryContext context;
	MemoryContext scratch;		/* of one request */
} SapWriter;

static const char *
operation_name(WriteOperation operation)
{
	return write_names[operation];
}

/* ---------- fields ---------- */

/* a field of the records gets the type that the entity has for it */
static void
bind_field(SapWriter *writer, int column)
{
	Field	   *field = &writer->base.schema->fields[column];
	ODataEntity *entity = writer->entity;
	int			found = schema_find(entity->schema, field->name);
	bool		deep = odata_navigation(entity, field->name, strlen(field->name)) != NULL;
	ListCell   *lc;

	if (column >= writer->capacity)
	{
		int			capacity = Max(writer->capacity * 2, 32);

		writer->is_key = writer->is_key == NULL ? palloc0(capacity * sizeof(bool)) :
			repalloc(writer->is_key, capacity * sizeof(bool));
		writer->capacity = capacity;
	}
	writer->is_key[column] = false;
	if (found < 0 && !deep)
	{
		if (writer->operation == WRITE_DELETE)
			return;				/* it is not sent */
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s has no field \"%s\"", writer->what, field->name));
	}
	if (deep && writer->operation != WRITE_INSERT && writer->operation != WRITE_DELETE)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("field \"%s\" of %s holds other records, which %s cannot write",
					   field->name, writer->what, operation_name(writer->operation)),
				errhint("INSERT creates them together with the record."));
	if (found < 0)
	{
		field->type = FIELD_JSON;
		field->native_type = "Navigation";
		return;
	}
	else
	{
		const Field *target = &entity->schema->fields[found];
		char	   *name = field->name;

		foreach(lc, writer->keys)
		{
			if (strcmp(lfirst(lc), name) == 0)
			{
				writer->is_key[column] = true;
				writer->key_columns[foreach_current_index(lc)] = column;
			}
		}
		if (writer->operation != WRITE_DELETE && !writer->is_key[column] &&
			(target->writes & (1 << writer->operation)) == 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("field \"%s\" of %s cannot be set by %s", name, writer->what,
						   operation_name(writer->operation)),
					errhint("Leave it out of the mapping."));
		*field = *target;
		field->name = name;
	}
}

static void
writer_add_field(RecordWriter *base)
{
	SapWriter  *writer = (SapWriter *) base;
	MemoryContext old = MemoryContextSwitchTo(writer->context);

	bind_field(writer, base->schema->nfields - 1);
	MemoryContextSwitchTo(old);
}

/* ---------- what is sent ---------- */

/* a record as JSON: keys only for what is created, or nothing else of it matters */
static char *
make_body(SapWriter *writer, const RecordSet *set, uint32 row, bool create)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoChar(&body, '{');
	for (int i = 0; i < writer->base.schema->nfields; i++)
	{
		const Field *field = &writer->base.schema->fields[i];
		const Cell *cell = &set->columns[i][row];

		if (writer->is_key[i] && !create)
			continue;

		/* what may not be null has a value of the service's own when it is created */
		if (cell->kind == CELL_NULL && create && (field->not_null || strcmp(field->native_type, "Navigation") == 0))
			continue;
		appendStringInfo(&body, "%s\"%s\":", body.len > 1 ? "," : "", field->name);
		odata_append_json(writer->entity->version, field, cell, &body);
	}
	appendStringInfoChar(&body, '}');
	return body.data;
}

/* the address of a record; NULL: a key is null, and *missing says which */
static char *
make_target(SapWriter *writer, const RecordSet *set, uint32 row, char **missing)
{
	Cell	   *cells = palloc(sizeof(Cell) * list_length(writer->keys));
	ListCell   *lc;

	foreach(lc, writer->keys)
	{
		int			column = writer->key_columns[foreach_current_index(lc)];

		if (column < 0 || set->columns[column][row].kind == CELL_NULL)
		{
			*missing = lfirst(lc);
			return NULL;
		}
		cells[foreach_current_index(lc)] = set->columns[column][row];
	}
	return psprintf("%s%s", writer->entity->set,
					odata_key(writer->entity->version, writer->entity->schema, writer->keys, cells));
}

static void
make_part(SapWriter *writer, const RecordSet *set, uint32 row, BatchPart *part, char **missing)
{
	bool		v4 = writer->entity->version == ODATA_V4;

	memset(part, 0, sizeof(BatchPart));
	if (writer->operation == WRITE_INSERT)
	{
		part->method = "POST";
		part->target = writer->entity->set;
		part->body = make_body(writer, set, row, true);
		return;
	}
	part->target = make_target(writer, set, row, missing);
	if (part->target == NULL)
		return;
	if (writer->operation == WRITE_DELETE)
		part->method = "DELETE";
	else
	{
		part->method = v4 ? "PATCH" : "MERGE";
		part->body = make_body(writer, set, row, false);
	}

	/* whatever version it has; for an update of version 4, that there is one */
	if (writer->operation != WRITE_UPSERT && (writer->entity->etag || (v4 && writer->operation == WRITE_UPDATE)))
		part->if_match = "*";
}

/* ---------- requests ---------- */

/* busy is repeated: the service says that it has not begun */
static bool
judge(HttpCall *call, bool retry, void *arg)
{
	return retry || call->status == 429 || call->status == 503;
}

static HttpCall *
make_change(SapWriter *writer, const char *method, const char *target, const char *body, size_t length)
{
	ODataEntity *entity = writer->entity;
	SapState   *state = sap_state(writer->session);
	HttpCall   *call = sap_call(writer->session, method, psprintf("%s/%s", entity->service, target));

	call->body = body;
	call->body_length = length;
	call->repeatable = false;
	call->whole = true;
	call->judge = judge;
	if (entity->version == ODATA_V4)
	{
		http_header(call, "OData-Version", "4.0");
		http_header(call, "OData-MaxVersion", "4.0");
	}
	else
	{
		http_header(call, "DataServiceVersion", "2.0");
		http_header(call, "MaxDataServiceVersion", "2.0");
	}
	if (state->csrf_token != NULL)
		http_header(call, "X-CSRF-Token", state->csrf_token);
	return call;
}

static bool
wants_token(HttpCall *call)
{
	const char *token = http_response_header(call, "X-CSRF-Token");

	return call->status == 403 && token != NULL && pg_strcasecmp(token, "Required") == 0;
}

/* make the call that make() makes, with a new token if the one at hand is refused */
static HttpCall *
send_part(SapWriter *writer, const BatchPart *part)
{
	bool		merge = strcmp(part->method, "MERGE") == 0;

	for (int attempt = 0;; attempt++)
	{
		HttpCall   *call = make_change(writer, merge ? "POST" : part->method, part->target, part->body,
									   part->body == NULL ? 0 : strlen(part->body));

		http_header(call, "Accept", "application/json");
		if (part->body != NULL)
			http_header(call, "Content-Type", writer->entity->version == ODATA_V4 ?
						"application/json;IEEE754Compatible=true" : "application/json");
		if (merge)
			http_header(call, "X-HTTP-Method", "MERGE");
		if (part->if_match != NULL)
			http_header(call, "If-Match", part->if_match);
		http_wait(call);
		if (attempt > 0 || !wants_token(call))
			return call;
		http_close(call);
		sap_csrf(writer->session, writer->entity->service, true);
	}
}

static HttpCall *
send_batch(SapWriter *writer, BatchPart *parts, int nparts)
{
	char	   *boundary = psprintf("appflow_%08x%08x", pg_prng_uint32(&pg_global_prng_state),
									pg_prng_uint32(&pg_global_prng_state));
	StringInfoData body;

	initStringInfo(&body);
	odata_batch_write(writer->entity->version, parts, nparts, boundary, &body);
	writer->base.bytes += body.len;
	for (int attempt = 0;; attempt++)
	{
		HttpCall   *call = make_change(writer, "POST", "$batch", body.data, body.len);

		http_header(call, "Accept", "multipart/mixed");
		http_header(call, "Content-Type", psprintf("multipart/mixed; boundary=%s", boundary));
		if (writer->entity->version == ODATA_V4)
			http_header(call, "Prefer", "odata.continue-on-error, return=representation");
		http_wait(call);
		if (attempt > 0 || !wants_token(call))
			return call;
		http_close(call);
		sap_csrf(writer->session, writer->entity->service, true);
	}
}

static void
keep_answer(BatchPart *part, HttpCall *call)
{
	const char *body = http_body(call, &part->answer_length);

	part->status = call->status;
	part->answer = body == NULL || part->answer_length == 0 ? NULL : pnstrdup(body, part->answer_length);
	http_close(call);
}

/* Send parts as one $batch; how many have been answered.  0: the service has no $batch. */
static int
exchange_batch(SapWriter *writer, BatchPart *parts, int nparts)
{
	HttpCall   *call = send_batch(writer, parts, nparts);
	const char *problem;
	const char *body;
	size_t		length;
	int			answered = 0;

	if (call->status == 404 || call->status == 405 || call->status == 501)
	{
		http_close(call);
		return 0;
	}
	if (call->status >= 300)
		sap_fail(writer->session, call, writer->what);
	body = http_body(call, &length);
	if (!odata_batch_read(http_response_header(call, "Content-Type"), body == NULL ? "" : body, length,
						  parts, nparts, &problem))
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method,
									 http_shown_url(call->url), call->status),
				errmsg("the answer of SAPOData to a batch of %d records of %s is malformed: %s", nparts, writer->what, problem),
				errhint("The records may have been written."));
	while (answered < nparts && parts[answered].status != 0)
		answered++;
	http_close(call);
	return answered;
}

/* Send all parts, and again those that the service was too busy for. */
static void
exchange(SapWriter *writer, BatchPart *parts, int nparts)
{
	int			first = 0;
	int			busy = 0;

	sap_csrf(writer->session, writer->entity->service, false);
	while (first < nparts)
	{
		CHECK_FOR_INTERRUPTS();
		if (writer->batches && nparts - first > 1)
		{
			int			answered = exchange_batch(writer, parts + first, nparts - first);

			if (answered == 0)
			{
				writer->batches = false;
				continue;
			}
			for (int i = 0; i < answered; i++)
			{
				BatchPart  *part = &parts[first + i];

				/* it and what is behind it is sent again: what is behind it and was not refused is not */
				if ((part->status == 429 || part->status == 503) && busy < MAX_BUSY)
					busy++;
				else
					continue;
				http_pause(Min(100 << busy, 5000));
				keep_answer(part, send_part(writer, part));
			}
			first += answered;
			continue;
		}
		writer->base.bytes += parts[first].body == NULL ? 0 : strlen(parts[first].body);
		keep_answer(&parts[first], send_part(writer, &parts[first]));
		first++;
	}
}

/* ---------- outcomes ---------- */

/*
 * Records that were refused for a reason that goes away when they are asked for
 * otherwise: they want If-Match, or are to be created.
 */
static void
exchange_again(SapWriter *writer, const RecordSet *set, const uint32 *rows, BatchPart *parts, int nparts)
{
	BatchPart  *again = palloc(sizeof(BatchPart) * nparts);
	int		   *which = palloc(sizeof(int) * nparts);
	int			nagain = 0;

	for (int i = 0; i < nparts; i++)
	{
		BatchPart	part = parts[i];
		bool		create = writer->operation == WRITE_UPSERT && part.status == 404;

		if (part.status == 428 && part.if_match == NULL)
		{
			writer->entity->etag = true;
			part.if_match = "*";
		}
		else if (!create)
			continue;

		/* the second of two records with one key changes what the first creates */
		for (int j = 0; j < nagain && create; j++)
			create = strcmp(parts[which[j]].target, part.target) != 0;
		if (create && part.status == 404)
		{
			part.method = "POST";
			part.target = writer->entity->set;
			part.body = make_body(writer, set, rows[i], true);
		}
		part.status = 0;
		part.answer = NULL;
		which[nagain] = i;
		again[nagain++] = part;
	}
	if (nagain == 0)
		return;
	exchange(writer, again, nagain);
	for (int i = 0; i < nagain; i++)
	{
		char	   *target = parts[which[i]].target;

		parts[which[i]] = again[i];
		parts[which[i]].target = target;
	}
}

static void
report(SapWriter *writer, const RecordSet *set, const uint32 *rows, BatchPart *parts, int nparts,
	   const Outcomes *outcomes)
{
	const BatchPart *forbidden = NULL;

	/* what has been written is counted before anything ends the run */
	for (int i = 0; i < nparts; i++)
	{
		if (parts[i].status < 300)
			writer->base.records++;
		else if (parts[i].status == 401 || parts[i].status == 403)
			forbidden = &parts[i];
	}
	for (int i = 0; i < nparts; i++)
	{
		Cell		result;
		char	   *code;
		char	   *message;

		if (parts[i].status < 300)
		{
			if (outcomes->accept == NULL)
				continue;
			result = parts[i].answer != NULL && parts[i].answer[0] == '{' ?
				cell_text(CELL_JSON, parts[i].answer, parts[i].answer_length) : cell_null();
			outcomes->accept(outcomes->arg, set->batch, rows[i], &result);
			continue;
		}
		sap_error(parts[i].answer, parts[i].answer_length, &code, &message);
		if (forbidden == &parts[i])
			ereport(ERROR,
					appflow_error_detail(WF_AUTHENTICATION, "%s was answered with status %d.",
										 batch_locate(set->batch, rows[i]), parts[i].status),
					errmsg("SAPOData refused %s of %s: %s%s%s", operation_name(writer->operation), writer->what,
						   code == NULL ? "" : code, code == NULL ? "" : ": ",
						   message == NULL ? "the answer has no words" : message));
		outcomes->reject(outcomes->arg, set->batch, rows[i],
						 code != NULL && code[0] != '\0' ? code : psprintf("HTTP %d", parts[i].status),
						 message != NULL ? message : psprintf("SAPOData answered with status %d", parts[i].status));
	}
}

static void
writer_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	SapWriter  *writer = (SapWriter *) base;
	MemoryContext old = MemoryContextSwitchTo(writer->scratch);
	uint32		next = 0;

	while (next < set->nrows)
	{
		BatchPart  *parts = palloc(sizeof(BatchPart) * writer->batch_size);
		uint32	   *rows = palloc(sizeof(uint32) * writer->batch_size);
		int			nparts = 0;
		size_t		bytes = 0;

		for (; next < set->nrows && nparts < writer->batch_size && bytes < MAX_BATCH_BYTES; next++)
		{
			char	   *missing = NULL;
			uint32		row = set->rows[next];

			CHECK_FOR_INTERRUPTS();
			make_part(writer, set, row, &parts[nparts], &missing);
			if (missing != NULL)
			{
				outcomes->reject(outcomes->arg, set->batch, row, "InvalidKey",
								 psprintf("field \"%s\" is null, and is part of the key", missing));
				continue;
			}
			bytes += parts[nparts].body == NULL ? 0 : strlen(parts[nparts].body);
			rows[nparts++] = row;
		}
		if (nparts > 0)
		{
			exchange(writer, parts, nparts);
			exchange_again(writer, set, rows, parts, nparts);
			report(writer, set, rows, parts, nparts, outcomes);
		}
		MemoryContextReset(writer->scratch);
	}
	MemoryContextSwitchTo(old);
}

static void
writer_seal(RecordWriter *base, const Outcomes *outcomes)
{
}

static void
writer_finish(RecordWriter *base)
{
}

static void
writer_abort(RecordWriter *base)
{
}

/* ---------- opening ---------- */

/* records are found by the key, so what identifies them must be it */
static void
check_keys(SapWriter *writer, List *id_fields)
{
	StringInfoData names;
	ListCell   *lc;
	bool		same = list_length(id_fields) == list_length(writer->keys);

	initStringInfo(&names);
	foreach(lc, writer->keys)
	{
		bool		found = false;
		ListCell   *id;

		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", (char *) lfirst(lc));
		foreach(id, id_fields)
			found = found || strcmp(lfirst(id), lfirst(lc)) == 0;
		same = same && found;
	}
	if (!same)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("idFieldNames must be the key of %s", writer->what),
				errhint("Its key is %s.", names.data));
}

int
sap_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation)
{
	return DEFAULT_BATCH;
}

RecordWriter *
sap_open_writer(ConnectorSession *session, WriteRequest *request)
{
	SapWriter  *writer = palloc0(sizeof(SapWriter));
	ODataEntity *entity = sap_entity(session, request->entity);

	writer->session = session;
	writer->entity = entity;
	writer->operation = request->operation;
	writer->what = psprintf("entity \"%s\"", request->entity);
	writer->batch_size = request->batch_size > 0 ? request->batch_size : DEFAULT_BATCH;
	writer->batches = true;
	writer->keys = entity->keys;
	writer->context = CurrentMemoryContext;
	writer->scratch = AllocSetContextCreate(CurrentMemoryContext, "appflow OData request", ALLOCSET_DEFAULT_SIZES);
	writer->key_columns = palloc(sizeof(int) * Max(list_length(writer->keys), 1));
	for (int i = 0; i < list_length(writer->keys); i++)
		writer->key_columns[i] = -1;

	if ((entity->writes & (1 << request->operation)) == 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s does not allow %s", writer->what, operation_name(request->operation)));
	if (request->operation != WRITE_INSERT)
		check_keys(writer, request->id_fields);

	writer->base.schema = request->schema;
	for (int i = 0; i < request->schema->nfields; i++)
		bind_field(writer, i);
	writer->base.results = schema_create();
	(void) schema_add(writer->base.results, "response", FIELD_JSON);
	writer->base.put = writer_put;
	writer->base.add_field = writer_add_field;
	writer->base.typed = true;
	writer->base.seal = writer_seal;
	writer->base.finish = writer_finish;
	writer->base.abort = writer_abort;
	writer->base.irrevocable = true;
	return &writer->base;
}
