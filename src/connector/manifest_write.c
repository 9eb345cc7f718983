/*-------------------------------------------------------------------------
 *
 * manifest_write.c
 *	  Writes records as a manifest says, a call for each batch of them.
 *
 * What a call has written cannot be taken back.  So nothing is sent twice unless the
 * manifest or the method says that it may be, and each record's outcome is told as
 * soon as the application has told it.
 *
 * In runs a call is filled from one put to the next, unless somebody wants to know what
 * becomes of each record at once.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_write.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "connector/manifest_engine.h"
#include "connector/manifest_record.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "record/record_text.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static const int default_rejects[] = {400, 404, 409, 422};

/* a record of an earlier put that waits for the call to be full */
typedef struct HeldRecord
{
	char	   *record;			/* JSON, as the run knows it */
	char	   *where;
	char	   *id;				/* of one field, or NULL */
} HeldRecord;

typedef struct ManifestWriter
{
	RecordWriter base;
	MemoryContext context;
	MemoryContext per_call;
	MemoryContext caller;		/* whom outcomes are told */
	ConnectorSession *session;
	const ManifestWrite *write;
	ManifestCall call;			/* with a body, where it needs one */
	WriteOperation operation;
	ManifestValues values;
	char	   *what;
	RecordShape *shape;
	int			nids;
	int		   *ids;			/* columns */
	const char **id_names;

	const RecordSet *set;
	const Outcomes *outcomes;
	bool		gathers;		/* over several puts */
	RecordText *text;

	/* the records of a call: those that are held, then some of the set, as indexes into it */
	bool		gathering;		/* what follows is there, in per_call */
	StringInfoData records;
	StringInfoData joined_ids;
	HeldRecord *held;
	uint32		nheld;
	uint32	   *sent;
	uint32		nsent;
	uint32		nrejected;		/* before they were sent; what that took is in per_call, too */
} ManifestWriter;

/* ---------- outcomes ---------- */

/* a record of the set */
static void
reject_row(ManifestWriter *writer, uint32 index, const char *code, const char *message)
{
	MemoryContext old = MemoryContextSwitchTo(writer->caller);

	writer->nrejected++;
	writer->outcomes->reject(writer->outcomes->arg, writer->set->batch, writer->set->rows[index], code, message);
	MemoryContextSwitchTo(old);
}

/* it is known what has become of one of the records that were sent */
static void
settle(ManifestWriter *writer)
{
	if (writer->base.uncertain > 0)
		writer->base.uncertain--;
}

/* one of those sent */
static void
reject(ManifestWriter *writer, uint32 position, const char *code, const char *message)
{
	MemoryContext old;

	settle(writer);
	if (position >= writer->nheld)
	{
		reject_row(writer, writer->sent[position], code, message);
		return;
	}
	old = MemoryContextSwitchTo(writer->caller);
	writer->outcomes->reject_late(writer->outcomes->arg, writer->held[position].record, writer->held[position].where,
								  code, message);
	MemoryContextSwitchTo(old);
}

static void
accept(ManifestWriter *writer, uint32 position, const char *id)
{
	Cell		result = id == NULL ? cell_null() : cell_text(CELL_STRING, id, (uint32) strlen(id));
	MemoryContext old = MemoryContextSwitchTo(writer->caller);

	settle(writer);
	writer->base.records++;
	if (writer->outcomes->accept != NULL && position >= writer->nheld)
		writer->outcomes->accept(writer->outcomes->arg, writer->set->batch, writer->set->rows[writer->sent[position]], &result);
	MemoryContextSwitchTo(old);
}

static void
reject_all(ManifestWriter *writer, const char *code, const char *message)
{
	for (uint32 i = 0; i < writer->nsent; i++)
		reject(writer, i, code, message);
}

/* ---------- what the application answers ---------- */

static bool
refuses_records(const ManifestWriter *writer, int status)
{
	const int  *statuses = writer->write->rejects.count < 0 ? default_rejects : writer->write->rejects.items;
	int			count = writer->write->rejects.count < 0 ? (int) lengthof(default_rejects) : writer->write->rejects.count;

	for (int i = 0; i < count; i++)
	{
		if (statuses[i] == status)
			return true;
	}
	return false;
}

static bool
is_one_of(const ManifestTexts *texts, const char *text)
{
	for (int i = 0; i < texts->count; i++)
	{
		if (strcmp(texts->items[i], text) == 0)
			return true;
	}
	return false;
}

/* the whole call has been refused: so have its records, unless it is no fault of theirs */
static void
refused(ManifestWriter *writer, HttpCall *call, const JsonTree *answer)
{
	const Manifest *manifest = manifest_of(writer->session);
	void	   *tree = unconstify(JsonTree *, answer);
	const char *code = answer == NULL ? NULL : manifest_first_text(&manifest->errors.code, manifest_lookup_tree, tree);
	const char *message = answer == NULL ? NULL : manifest_first_text(&manifest->errors.message, manifest_lookup_tree, tree);
	const ManifestException *exception;

	/* what a status means in general says less than that it refuses records */
	exception = manifest_exception_of(manifest, call->status, code);
	if ((exception != NULL && (exception->code.count > 0 || !refuses_records(writer, call->status))) ||
		(code != NULL && (is_one_of(&manifest->errors.expired, code) || is_one_of(&manifest->errors.throttled, code))))
		manifest_raise(writer->session, call, writer->what, code, message);
	if (message == NULL)
		message = code != NULL ? code : psprintf("%s answered with status %d", session_application(writer->session),
												 call->status);
	if (code == NULL)
		code = psprintf("%d", call->status);
	reject_all(writer, session_words(writer->session, code), session_words(writer->session, message));
}

pg_noreturn static void
wrong_outcomes(ManifestWriter *writer, HttpCall *call, const char *problem)
{
	ereport(ERROR,
			appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", call->method,
								 http_shown_url(call->url), call->status),
			errmsg("the answer of %s does not tell what became of the records: %s", session_application(writer->session),
				   problem),
			errhint("Whether they were written, nobody knows."));
}

/* the id of a record that is sent, if it has one field */
static char *
id_of(const ManifestWriter *writer, uint32 position)
{
	if (writer->nids != 1)
		return NULL;
	if (position < writer->nheld)
		return writer->held[position].id;
	return cell_text_cstring(&writer->set->columns[writer->ids[0]][writer->set->rows[writer->sent[position]]],
							 writer->base.schema->fields[writer->ids[0]].type);
}

/* the first record with that id of which nothing has been told; -1: there is none */
static int
record_of_id(const ManifestWriter *writer, const char *id, const bool *told)
{
	for (uint32 i = 0; i < writer->nsent && writer->nids == 1 && id != NULL; i++)
	{
		if (!told[i] && strcmp(id_of(writer, i), id) == 0)
			return (int) i;
	}
	return -1;
}

/* the record that an outcome is of: by the number that it tells, by its id, or by its place */
static uint32
outcome_index(ManifestWriter *writer, HttpCall *call, const JsonTree *outcome, uint32 position, bool *told)
{
	const char *path = writer->write->results->index;
	const char *text = path == NULL ? NULL : json_tree_text(outcome, path);
	const char *id_path = writer->write->results->id;
	char	   *end;
	unsigned long number = position;

	if (path != NULL && text == NULL)
	{
		int			found = id_path == NULL ? -1 : record_of_id(writer, json_tree_text(outcome, id_path), told);

		if (writer->operation == WRITE_INSERT || found < 0)
			wrong_outcomes(writer, call, psprintf("one has neither \"%s\" nor the id of a record", path));
		number = (unsigned long) found;
	}
	if (text != NULL)
	{
		number = strtoul(text, &end, 10);
		if (*end != '\0' || end == text || text[0] == '-')
			wrong_outcomes(writer, call, psprintf("\"%s\" is no number of a record", session_words(writer->session, text)));
	}
	if (number >= writer->nsent)
		wrong_outcomes(writer, call, psprintf("there is one of record %lu, but %u were sent", number, writer->nsent));
	if (told[number])
		wrong_outcomes(writer, call, psprintf("there are two of record %lu", number));
	told[number] = true;
	return (uint32) number;
}

static void
take_outcomes(ManifestWriter *writer, HttpCall *call, const JsonTree *answer)
{
	const ManifestResults *results = writer->write->results;
	const JsonTree *found = json_tree_find(answer, results->records == NULL ? "" : results->records);
	bool		array = found != NULL && found->kind == JSON_TREE_ARRAY;
	uint32		count = found == NULL ? 0 : array ? (uint32) found->count : 1;
	bool	   *told = palloc0(sizeof(bool) * writer->nsent);
	uint32		position = 0;

	if (count != writer->nsent)
		wrong_outcomes(writer, call, psprintf("it has %u outcomes, but %u records were sent", count, writer->nsent));

	/* all must be in order before the first is told */
	for (const JsonTree *outcome = array ? found->first : found; outcome != NULL; outcome = array ? outcome->next : NULL)
		(void) outcome_index(writer, call, outcome, position++, told);
	memset(told, 0, sizeof(bool) * writer->nsent);
	position = 0;
	for (const JsonTree *outcome = array ? found->first : found; outcome != NULL; outcome = array ? outcome->next : NULL)
	{
		void	   *tree = unconstify(JsonTree *, outcome);
		uint32		index = outcome_index(writer, call, outcome, position++, told);
		const char *code;
		const char *message;

		if (!manifest_holds(&results->failed, manifest_lookup_tree, tree))
		{
			accept(writer, index, results->id == NULL ? NULL : json_tree_text(outcome, results->id));
			continue;
		}
		code = manifest_first_text(&results->code, manifest_lookup_tree, tree);
		message = manifest_first_text(&results->message, manifest_lookup_tree, tree);
		if (message == NULL)
			message = code != NULL ? code : "the application does not say why";
		reject(writer, index, session_words(writer->session, code != NULL ? code : "REJECTED"),
			   session_words(writer->session, message));
	}
}

/* ---------- jobs ---------- */

static void
job_failed(ManifestWriter *writer, const char *id, const char *status, const JsonTree *answer)
{
	const ManifestErrors *errors = &manifest_of(writer->session)->errors;
	const char *message = manifest_first_text(&errors->message, manifest_lookup_tree, unconstify(JsonTree *, answer));

	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("job \"%s\" of %s ended as \"%s\"%s%s", session_words(writer->session, id),
				   session_application(writer->session), session_words(writer->session, status),
				   message == NULL ? "" : ": ", message == NULL ? "" : session_words(writer->session, message)),
			errhint("Which of its %u records were written, only the application knows.", writer->nsent));
}

/* wait for the job that the answer of a call is; returns what the done job says */
static const JsonTree *
await_job(ManifestWriter *writer, HttpCall *call, const JsonTree *answer, HttpCall **asked)
{
	const ManifestJob *job = writer->write->job;
	const char *id = answer == NULL ? NULL : json_tree_text(answer, job->id);
	TimestampTz begun = GetCurrentTimestamp();

	if (id == NULL)
		wrong_outcomes(writer, call, psprintf("it names no job at \"%s\"", job->id));
	writer->values.job = id;
	for (;;)
	{
		const char *status;

		CHECK_FOR_INTERRUPTS();
		http_pause(job->interval);
		*asked = manifest_make_call(writer->session, &job->call, &writer->values, TURN_FIRST, NIL);
		answer = manifest_fetch(writer->session, *asked, psprintf("job \"%s\"", id), manifest_arena());
		status = json_tree_text(answer, job->status);
		if (status == NULL)
			wrong_outcomes(writer, *asked, psprintf("job \"%s\" has no status at \"%s\"", id, job->status));
		if (is_one_of(&job->done, status))
			break;
		if (!is_one_of(&job->running, status))
			job_failed(writer, id, status, answer);
		http_close(*asked);
		if (TimestampDifferenceExceeds(begun, GetCurrentTimestamp(), job->timeout * 1000))
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("job \"%s\" of %s is not done after %d seconds: its status is \"%s\"",
						   session_words(writer->session, id), session_application(writer->session), job->timeout,
						   session_words(writer->session, status)),
					errhint("Which of its %u records will be written, only the application knows.", writer->nsent));
	}
	writer->values.job = NULL;
	return answer;
}

/* ---------- one call ---------- */

static void
finish_call(ManifestWriter *writer, HttpCall *call)
{
	const ManifestWrite *write = writer->write;
	const JsonTree *answer = manifest_body(call, manifest_arena());
	size_t		length;

	if (call->status >= 300 && call->status < 400)
		session_raise(writer->session, call, writer->what, NULL, NULL);
	if (writer->operation == WRITE_DELETE && write->batch == 1 && call->attempts > 1 &&
		(call->status == 404 || call->status == 410))
	{
		/* gone by an attempt whose answer was lost */
		accept(writer, 0, NULL);
		return;
	}
	if (call->status >= 400)
	{
		if (!refuses_records(writer, call->status))
			manifest_fail(writer->session, call, writer->what);
		refused(writer, call, answer);
		return;
	}
	if (answer == NULL && (write->results != NULL || write->job != NULL))
		wrong_outcomes(writer, call, http_body(call, &length) == NULL || length == 0 ? "it is empty" : "it is not JSON");
	if (answer != NULL && manifest_failed(&manifest_of(writer->session)->errors, manifest_lookup_tree,
										  unconstify(JsonTree *, answer)))
	{
		refused(writer, call, answer);
		return;
	}
	if (write->job != NULL)
	{
		HttpCall   *asked;

		answer = await_job(writer, call, answer, &asked);
		call = asked;
	}
	if (write->results != NULL && (write->results->failed.path != NULL || write->results->records != NULL))
		take_outcomes(writer, call, answer);
	else
	{
		const char *id = write->results == NULL || write->results->id == NULL ? NULL :
			json_tree_text(answer, write->results->id);

		for (uint32 i = 0; i < writer->nsent; i++)
			accept(writer, i, id);
	}
}

/* send what has been gathered, if anything has */
static void
send_records(ManifestWriter *writer)
{
	StringInfo	records = &writer->records;
	bool		single = writer->write->batch == 1;
	HttpCall   *call;

	writer->gathering = false;
	if (writer->nsent == 0)
	{
		MemoryContextReset(writer->per_call);
		return;
	}
	appendStringInfoChar(records, ']');
	writer->values.records = records->data;
	if (single)
		writer->values.record = pnstrdup(records->data + 1, records->len - 2);
	writer->values.ids = writer->joined_ids.len == 0 ? NULL : writer->joined_ids.data;
	call = manifest_make_call(writer->session, &writer->call, &writer->values, TURN_FIRST, NIL);
	call->whole = true;
	writer->base.uncertain = writer->nsent;
	http_wait(call);
	if (call->status >= 400 && call->status < 500)
		writer->base.uncertain = 0;
	writer->base.bytes += call->body_length;
	finish_call(writer, call);
	writer->base.uncertain = 0;
	http_close(call);
	MemoryContextReset(writer->per_call);
}

/* the values of a record's id fields; false: it has been rejected */
static bool
take_ids(ManifestWriter *writer, uint32 index, StringInfo joined)
{
	uint32		row = writer->set->rows[index];
	const char **texts = palloc(sizeof(char *) * Max(writer->nids, 1));

	for (int i = 0; i < writer->nids; i++)
	{
		const Cell *cell = &writer->set->columns[writer->ids[i]][row];

		if (cell->kind == CELL_NULL || (cell->kind == CELL_STRING && cell->length == 0))
		{
			reject_row(writer, index, "MISSING_ID", psprintf("the id field \"%s\" has no value", writer->id_names[i]));
			return false;
		}
		texts[i] = cell_text_cstring(cell, writer->base.schema->fields[writer->ids[i]].type);
		if (writer->write->ids_in_path && (strcmp(texts[i], ".") == 0 || strcmp(texts[i], "..") == 0))
		{
			reject_row(writer, index, "INVALID_ID", psprintf("\"%s\" cannot be in a path", texts[i]));
			return false;
		}
	}
	if (writer->nids == 1)
		appendStringInfo(joined, "%s%s", joined->len > 0 ? "," : "", texts[0]);
	writer->values.nids = writer->nids;
	writer->values.id_names = writer->id_names;
	writer->values.id_values = texts;
	return true;
}

static void
begin_gathering(ManifestWriter *writer)
{
	writer->gathering = true;
	writer->nsent = writer->nheld = writer->nrejected = 0;
	writer->held = NULL;
	writer->sent = palloc(sizeof(uint32) * writer->write->batch);
	initStringInfo(&writer->records);
	initStringInfo(&writer->joined_ids);
	appendStringInfoChar(&writer->records, '[');
}

/* a record of the set goes into the next call, or is rejected */
static void
gather(ManifestWriter *writer, uint32 index)
{
	int			before = writer->records.len;
	int			ids_before = writer->joined_ids.len;
	char	   *problem;

	if (writer->operation != WRITE_INSERT && !take_ids(writer, index, &writer->joined_ids))
		return;
	if (writer->nsent > 0)
		appendStringInfoChar(&writer->records, ',');
	problem = record_shape_append(writer->shape, &writer->records, writer->set->columns, writer->set->rows[index]);
	if (problem == NULL)
	{
		writer->sent[writer->nsent++] = index;
		return;
	}
	writer->records.len = before;
	writer->joined_ids.len = ids_before;
	reject_row(writer, index, "INVALID_VALUE", problem);
}

/* keep what is to be known of records when their set is gone */
static void
hold(ManifestWriter *writer)
{
	HeldRecord *held = palloc(sizeof(HeldRecord) * Max(writer->nsent, 1));

	if (writer->nheld > 0)
		memcpy(held, writer->held, sizeof(HeldRecord) * writer->nheld);
	for (uint32 i = writer->nheld; i < writer->nsent; i++)
	{
		uint32		row = writer->set->rows[writer->sent[i]];
		size_t		length;
		const char *text = record_text(writer->text, writer->set, row, &length);

		held[i].record = pnstrdup(text, length);
		held[i].where = batch_locate(writer->set->batch, row);
		held[i].id = id_of(writer, i);
	}
	writer->held = held;
	writer->nheld = writer->nsent;
}

static void
writer_put(RecordWriter *base, const RecordSet *set, const Outcomes *outcomes)
{
	ManifestWriter *writer = (ManifestWriter *) base;

	writer->caller = MemoryContextSwitchTo(writer->per_call);
	writer->set = set;
	writer->outcomes = outcomes;
	for (uint32 i = 0; i < set->nrows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!writer->gathering)
			begin_gathering(writer);
		gather(writer, i);
		if (writer->nsent == (uint32) writer->write->batch)
			send_records(writer);
	}
	if (writer->gathering && writer->gathers && outcomes->accept == NULL &&
		writer->nrejected <= (uint32) writer->write->batch)
		hold(writer);
	else if (writer->gathering)
		send_records(writer);
	MemoryContextSwitchTo(writer->caller);
}

static void
writer_seal(RecordWriter *base, const Outcomes *outcomes)
{
	ManifestWriter *writer = (ManifestWriter *) base;

	if (!writer->gathering)
		return;
	writer->caller = MemoryContextSwitchTo(writer->per_call);
	writer->outcomes = outcomes;
	send_records(writer);
	MemoryContextSwitchTo(writer->caller);
}

static void
writer_end(RecordWriter *base)
{
}

/* ---------- opening ---------- */

/* whether UPSERT may go by a field: by any, if the entity does not say by which */
static bool
may_upsert_by(const Schema *described, const char *name)
{
	bool		said = false;

	for (int i = 0; i < described->nfields; i++)
	{
		if (described->fields[i].upsert_key && strcmp(described->fields[i].name, name) == 0)
			return true;
		said = said || described->fields[i].upsert_key;
	}
	return !said;
}

static char *
upsert_keys(const Schema *described)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < described->nfields; i++)
	{
		if (described->fields[i].upsert_key)
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? " or " : "", described->fields[i].name);
	}
	return names.data;
}

/* the columns of the id fields */
static void
find_ids(ManifestWriter *writer, const WriteRequest *request, const Schema *described)
{
	List	   *names = request->id_fields;
	ListCell   *lc;

	for (int i = 0; i < described->nfields && request->id_fields == NIL; i++)
	{
		if (described->fields[i].key)
			names = lappend(names, described->fields[i].name);
	}
	if (names == NIL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s of entity \"%s\" needs idFieldNames: it does not say which of its fields is the key",
					   write_names[request->operation], request->entity));
	writer->ids = palloc(sizeof(int) * list_length(names));
	writer->id_names = palloc(sizeof(char *) * list_length(names));
	foreach(lc, names)
	{
		int			column = schema_find(request->schema, lfirst(lc));

		if (column < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("%s of entity \"%s\" needs its id field \"%s\", but the flow does not map it",
						   write_names[request->operation], request->entity, (char *) lfirst(lc)));
		if (request->operation == WRITE_UPSERT && !may_upsert_by(described, lfirst(lc)))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("UPSERT of entity \"%s\" cannot go by field \"%s\"", request->entity, (char *) lfirst(lc)),
					errhint("It can go by %s.", upsert_keys(described)));
		writer->ids[writer->nids] = column;
		writer->id_names[writer->nids++] = pstrdup(lfirst(lc));
	}
}

static bool
is_id(const ManifestWriter *writer, int column)
{
	for (int i = 0; i < writer->nids; i++)
	{
		if (writer->ids[i] == column)
			return true;
	}
	return false;
}

/* give each column the type that the application has; raises for fields that cannot be written */
static void
bind_columns(ManifestWriter *writer, const WriteRequest *request, const ManifestEntity *entity, const Schema *described)
{
	Schema	   *schema = request->schema;

	for (int i = 0; i < schema->nfields; i++)
	{
		Field	   *field = &schema->fields[i];
		int			found = schema_find(described, field->name);
		const Field *theirs = found < 0 ? NULL : &described->fields[found];
		bool		id = is_id(writer, i);

		if (theirs == NULL && entity->sample == 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("entity \"%s\" of %s has no field \"%s\"", request->entity,
						   session_application(writer->session), field->name),
					errhint("appflow.describe_connector_entity() tells which there are."));
		if (theirs != NULL && !id && (theirs->writes & (1 << request->operation)) == 0 && !writer->write->only_ids)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("field \"%s\" of entity \"%s\" cannot be set by %s", field->name, request->entity,
						   write_names[request->operation]));
		if (theirs != NULL)
		{
			field->type = theirs->type;
			field->precision = theirs->precision;
			field->scale = theirs->scale;
			field->path = theirs->path;
			field->format = theirs->format;
		}
		if (id ? !writer->write->ids_in_path : !writer->write->only_ids)
			record_shape_add(writer->shape, i, field, manifest_format(manifest_of(writer->session), field));
	}
}

/* the call, with the body that it has when nothing else is said */
static ManifestCall
call_of(const ManifestWrite *write, WriteOperation operation)
{
	static const JsonTree one = {.kind = JSON_TREE_STRING,.text = "{record}",.length = 8};
	static const JsonTree all = {.kind = JSON_TREE_STRING,.text = "{records}",.length = 9};
	ManifestCall call = write->call;

	if (call.body == NULL && call.form.count == 0 && operation != WRITE_DELETE)
		call.body = write->batch == 1 ? &one : &all;
	return call;
}

static const ManifestWrite *
write_of(ConnectorSession *session, const ManifestEntity *entity, const char *name, WriteOperation operation)
{
	if (entity->write[operation] == NULL)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("entity \"%s\" of %s does not support %s", name, session_application(session),
					   write_names[operation]));
	return entity->write[operation];
}

/* the field that the id which the application made is of: the key, if it is one field */
static void
add_key(Schema *results, const Schema *described)
{
	const Field *key = NULL;

	for (int i = 0; i < described->nfields; i++)
	{
		if (!described->fields[i].key)
			continue;
		if (key != NULL)
		{
			key = NULL;
			break;
		}
		key = &described->fields[i];
	}
	(void) schema_add(results, key != NULL ? key->name : "id", key != NULL ? key->type : FIELD_STRING);
}

RecordWriter *
manifest_open_writer(ConnectorSession *session, WriteRequest *request)
{
	ManifestWriter *writer = palloc0(sizeof(ManifestWriter));
	const ManifestEntity *entity = manifest_entity(session, request->entity);
	const Schema *described;

	writer->context = CurrentMemoryContext;
	writer->session = session;
	writer->operation = request->operation;
	writer->write = write_of(session, entity, request->entity, request->operation);
	writer->call = call_of(writer->write, request->operation);
	writer->what = psprintf("%s of entity \"%s\"", write_names[request->operation], request->entity);
	writer->values.session = session;
	writer->values.entity = pstrdup(request->entity);
	writer->values.settings = jsonb_get_container(request->properties, "customProperties");
	manifest_check_settings(session, writer->values.settings, false);
	writer->shape = record_shape_create(writer->write->nulls < 0 ? request->operation != WRITE_INSERT :
										writer->write->nulls);
	described = manifest_known_fields(session, entity, request->entity);
	if (request->operation != WRITE_INSERT)
		find_ids(writer, request, described);
	bind_columns(writer, request, entity, described);
	writer->per_call = AllocSetContextCreate(CurrentMemoryContext, "appflow write call", ALLOCSET_DEFAULT_SIZES);
	writer->text = record_text_create(request->schema);
	writer->gathers = request->flow_name != NULL && writer->write->batch > 1;
	if (writer->write->results != NULL && writer->write->results->id != NULL)
	{
		writer->base.results = schema_create();
		add_key(writer->base.results, described);
	}
	writer->base.schema = request->schema;
	writer->base.typed = true;
	writer->base.irrevocable = true;
	writer->base.put = writer_put;
	writer->base.seal = writer_seal;
	writer->base.finish = writer_end;
	writer->base.abort = writer_end;
	return &writer->base;
}

int
manifest_batch_size(ConnectorSession *session, const char *entity, WriteOperation operation)
{
	return write_of(session, manifest_entity(session, entity), entity, operation)->batch;
}
