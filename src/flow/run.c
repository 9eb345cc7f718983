/*-------------------------------------------------------------------------
 *
 * run.c
 *	  Carries out one run of a flow: source to destination.
 *
 * IDENTIFICATION
 *	  src/flow/run.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/capture.h"
#include "catalog/flow.h"
#include "catalog/object_store.h"
#include "catalog/subscription.h"
#include "flow/metadata_catalog.h"
#include "flow/pull_window.h"
#include "flow/rejects.h"
#include "flow/run.h"
#include "flow/session.h"
#include "flow/transform.h"
#include "flow/trigger.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* changed rows of a table that a run takes at most: their keys are in memory */
#define MAX_CHANGES 50000

/*
 * Events of a source: those that follow one another that closely are moved by one
 * run, up to so many and for so long.
 */
#define EVENT_PATIENCE_MS 500
#define MAX_EVENTS 20000
#define EVENT_SECONDS 30

struct FlowRun
{
	RunRequest	request;
	MemoryContext context;
	FlowPlan   *plan;
	ConnectorSession *source;
	ConnectorSession *destination;
	ObjectStore *error_store;

	ReadRequest *read;
	RecordReader *reader;
	bool		ahead;			/* there is a batch that has not been moved */
	RecordWriter *writer;
	Transform  *transform;
	Rejects    *rejects;
	TimestampTz flow_created_at;	/* runs that are registered */
	const Schema *described;	/* the same, the source's entity if it is known */
	const CatalogLabel *labels; /* of the fields of the destination */
	uint64		records;		/* read */
	bool		changes;		/* the run moves rows of a table that were changed */
	const char *since;			/* the source keeps track of changes: where the last pull has
								 * ended, "" the first time; else NULL */
};

static void
set_phase(FlowRun *run, RunPhase phase)
{
	pg_atomic_write_u32(&run->request.progress->phase, phase);
}

static ConnectorSession *
open_session(const FlowEnd *end, const RunRequest *request)
{
	ConnectorSession *session = session_open(end->connector_type, end->profile, end->api_version, request->owner);

	session->flow_name = request->flow_name;
	session->execution_id = request->execution_id;

	if (end->bucket != NULL)
		session->store = object_store_for_bucket_as(end->bucket, request->owner);
	return session;
}

FlowRun *
flow_run_prepare(const RunRequest *request)
{
	FlowRun    *run = palloc0(sizeof(FlowRun));
	FlowTrigger trigger;
	ObjectStore *responses = NULL;

	(void) trigger_load(&trigger, request->definition);
	run->request = *request;
	run->context = CurrentMemoryContext;
	set_phase(run, PHASE_STARTING);
	run->plan = flow_compile(request->pull_end == DT_NOEND ? request->definition :
							 pull_window_apply(request->definition, request->pull_start, request->pull_end));
	run->source = open_session(&run->plan->source, request);
	if (request->pull_end != DT_NOEND && run->plan->source.connector->tracks_changes &&
		pull_window_tracked(request->definition))
	{
		run->since = subscription_position(request->flow_id);
		if (run->since == NULL)
			run->since = "";
	}
	run->changes = trigger.events && run->plan->source.connector->transactional;
	run->destination = open_session(&run->plan->destination, request);
	if (run->plan->error_bucket != NULL)
		run->error_store = object_store_for_bucket_as(run->plan->error_bucket, request->owner);
	if (run->plan->response_bucket != NULL)
		responses = object_store_for_bucket_as(run->plan->response_bucket, request->owner);
	if (flow_run_registers(run))
	{
		run->flow_created_at = flow_created_at(request->flow_id);
		if (run->source->authenticator != NULL)
			run->described = session_describe(run->source, run->plan->source.entity, true);
	}
	run->rejects = rejects_create(run->plan, request->flow_name, request->execution_id, run->error_store, responses);
	return run;
}

bool
flow_run_transactional(const FlowRun *run)
{
	return run->plan->source.connector->transactional || run->plan->destination.connector->transactional;
}

bool
flow_run_publishes(const FlowRun *run)
{
	return !run->plan->destination.connector->transactional;
}

/*
 * Does the source have to look at records before it reads them?  The
 * destination may need to know what comes; and without new fields, what is new
 * has to be known.
 */
static bool
needs_types(const FlowPlan *plan)
{
	const Connector *destination = plan->destination.connector;
	ListCell   *lc;

	if (plan->map_all && (!plan->include_new || plan->partition_keys != NIL))
		return true;
	if (destination->needs_schema == NULL ||
		!destination->needs_schema(plan->destination.properties, plan->map_all))
		return false;
	foreach(lc, plan->outputs)
	{
		if (!((Output *) lfirst(lc))->typed)
			return true;
	}
	return plan->map_all;
}

static ReadRequest *
read_request(const FlowRun *run)
{
	const FlowPlan *plan = run->plan;
	ReadRequest *request = read_request_create(plan->source.entity);

	request->properties = plan->source.properties;
	request->all_fields = plan->map_all;
	request->exclude = plan->exclude;
	request->filters = plan->filters;
	request->windowed = run->request.pull_end != DT_NOEND;
	request->modified_from = run->request.pull_start;
	request->modified_before = run->request.pull_end;
	request->position = run->since != NULL ? run->since : run->request.position;
	request->need_types = needs_types(plan);
	request->sample_records = SAMPLE_DEFAULT;
	if (plan->map_all && plan->include_new && plan->destination.connector->fixed_schema != NULL &&
		plan->destination.connector->fixed_schema(plan->destination.properties))
	{
		request->need_types = true;
		request->sample_records = SAMPLE_ALL;
	}
	request->fields = plan_source_fields(plan);
	return request;
}

static WriteRequest *
write_request(const FlowRun *run)
{
	const FlowPlan *plan = run->plan;
	WriteRequest *request = palloc0(sizeof(WriteRequest));

	request->entity = plan->destination.entity;
	request->operation = plan->operation;
	request->id_fields = plan->id_fields;
	request->properties = plan->destination.properties;
	request->partition_keys = plan->partition_keys;
	request->open_schema = plan->map_all && plan->include_new;
	request->files = plan_brings_files(plan);
	request->flow_name = run->request.flow_name;
	request->source_entity = plan->source.entity;
	request->execution_id = run->request.execution_id;
	request->schema_version = run->request.schema_version;
	request->started_at = run->request.started_at;
	request->period = trigger_period(&plan->trigger);
	return request;
}

static void
publish(FlowRun *run)
{
	RunProgress *progress = run->request.progress;

	pg_atomic_write_u64(&progress->records, run->records);
	pg_atomic_write_u64(&progress->written, run->writer->records);
	pg_atomic_write_u64(&progress->filtered, run->transform->filtered);
	pg_atomic_write_u64(&progress->failed, run->rejects->count);
	pg_atomic_write_u64(&progress->bytes_read, run->reader->bytes);
	pg_atomic_write_u64(&progress->bytes_written, run->writer->bytes);
}

static void
refuse_if_all_failed(FlowRun *run)
{
	if (run->rejects->count > 0 && run->writer->records == 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("all " UINT64_FORMAT " records failed; the first: %s",
					   run->rejects->count, run->rejects->first));
}

static void
open_source(FlowRun *run)
{
	run->read = read_request(run);
	if (run->changes)
	{
		run->read->keyed = true;
		run->read->keys = capture_take(run->request.flow_id, MAX_CHANGES);
	}
	run->reader = run->source->connector->open_reader(run->source, run->read);
	run->transform = transform_create(run->plan, run->reader);
}

/* fill the batch, if there is none that has still to be moved */
static bool
next_batch(FlowRun *run)
{
	Batch	   *batch = run->transform->batch;

	if (run->ahead)
	{
		run->ahead = false;
		return true;
	}
	batch_reset(batch);
	batch->first_record = run->records + 1;
	return run->reader->next(run->reader, batch);
}

bool
flow_run_await(FlowRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);

	open_source(run);
	if (run->reader->position == NULL)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("\"%s\" of connector %s has no events", run->plan->source.entity, run->plan->source.connector_type));
	run->ahead = next_batch(run);
	run->read->patience = EVENT_PATIENCE_MS;
	MemoryContextSwitchTo(old);
	return run->ahead;
}

void
flow_run_set_start(FlowRun *run, TimestampTz started_at)
{
	run->request.started_at = started_at;
}

bool
flow_run_tracks(const FlowRun *run)
{
	return run->since != NULL;
}

const char *
flow_run_since(const FlowRun *run)
{
	return run->since != NULL ? run->since : run->request.position != NULL ? run->request.position : "";
}

const char *
flow_run_position(const FlowRun *run)
{
	return run->reader != NULL && run->reader->position != NULL ? run->reader->position : "";
}

/* has a run of events gone on for long enough? */
static bool
enough_events(const FlowRun *run)
{
	return run->request.position != NULL &&
		(run->records >= MAX_EVENTS ||
		 TimestampDifferenceExceeds(run->request.started_at, GetCurrentTimestamp(), EVENT_SECONDS * 1000));
}

static void
note_moved(void *arg)
{
	publish(arg);
}

/* Put the files of the records that go on; those of which not all can be had are rejected. */
static void
put_files(FlowRun *run, RecordSet *set, const Outcomes *outcomes)
{
	uint32	   *rows = run->transform->rows;
	uint32		kept = 0;

	for (uint32 i = 0; i < set->nrows; i++)
	{
		RecordFiles *files;

		CHECK_FOR_INTERRUPTS();
		files = run->reader->files(run->reader, rows[i]);
		files->moved = note_moved;
		files->arg = run;
		if (run->writer->put_files(run->writer, files))
			rows[kept++] = rows[i];
		else
			outcomes->reject(outcomes->arg, set->batch, rows[i], files->code, files->message);
		publish(run);
	}
	set->rows = rows;
	set->nrows = kept;
}

void
flow_run_transfer(FlowRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);
	WriteRequest *request;
	Outcomes	outcomes = {.reject = rejects_add,.reject_late = rejects_add_late,.arg = run->rejects};
	RecordSet	set;

	if (run->reader == NULL)
		open_source(run);
	request = write_request(run);
	request->schema = transform_schema(run->transform);
	run->writer = run->destination->connector->open_writer(run->destination, request);
	transform_bind_writer(run->transform, run->writer);
	run->rejects->transform = run->transform;
	if (run->rejects->responses != NULL && run->writer->results != NULL)
		outcomes.accept = rejects_accept;

	set_phase(run, PHASE_TRANSFERRING);
	for (;;)
	{
		Batch	   *batch = run->transform->batch;

		CHECK_FOR_INTERRUPTS();
		if (enough_events(run) || !next_batch(run))
			break;
		run->records += batch->nrows;
		transform_batch(run->transform, &set, &outcomes);
		if (request->files && set.nrows > 0)
			put_files(run, &set, &outcomes);
		if (set.nrows > 0)
			run->writer->put(run->writer, &set, &outcomes);
		publish(run);
	}
	if (flow_run_registers(run))
		run->labels = metadata_catalog_labels(run->transform, run->described);
	run->reader->close(run->reader);
	set_phase(run, PHASE_FINISHING);
	if (!run->writer->irrevocable)
		refuse_if_all_failed(run);
	run->writer->seal(run->writer, &outcomes);
	refuse_if_all_failed(run);
	publish(run);
	MemoryContextSwitchTo(old);
}

void
flow_run_finish(FlowRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);

	rejects_finish(run->rejects);
	run->writer->finish(run->writer);
	publish(run);
	set_phase(run, flow_run_registers(run) ? PHASE_REGISTERING : PHASE_DONE);
	MemoryContextSwitchTo(old);
}

bool
flow_run_registers(const FlowRun *run)
{
	return run->plan->catalog_database != NULL;
}

Jsonb *
flow_run_register(FlowRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);
	CatalogRequest request = {
		.flow_name = run->request.flow_name,
		.execution_id = run->request.execution_id,
		.schema_version = run->request.schema_version,
		.flow_created_at = run->flow_created_at,
		.owner = run->request.owner,
		.plan = run->plan,
		.labels = run->labels,
		.writer = run->writer,
	};
	Jsonb	   *details = metadata_catalog_register(&request);

	set_phase(run, PHASE_DONE);
	MemoryContextSwitchTo(old);
	return details;
}

void
flow_run_abort(FlowRun *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);

	if (run->writer != NULL)
		run->writer->abort(run->writer);
	if (run->reader != NULL && run->reader->abort != NULL)
		run->reader->abort(run->reader);

	/* why records failed is worth more in a run that failed than in any other */
	PG_TRY();
	{
		rejects_finish(run->rejects);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->context);
		EmitErrorReport();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

RunOutcome
flow_run_outcome(const FlowRun *run)
{
	RunOutcome	outcome = {.files_written = -1};
	uint64		written = 0;

	if (run->writer != NULL)
	{
		written = run->writer->records;
		outcome.bytes_written = run->writer->bytes;
		outcome.irrevocable = run->writer->irrevocable;
		if (run->writer->put_files != NULL)
			outcome.files_written = run->writer->files;
		outcome.uncertain = run->writer->irrevocable ? run->writer->uncertain : 0;
	}
	if (run->reader != NULL)
		outcome.bytes_processed = run->reader->bytes;
	if (run->transform != NULL)
		outcome.records_filtered = run->transform->filtered;
	outcome.put_failures = run->rejects->count;
	outcome.records_processed = written + outcome.put_failures;
	if (run->reader != NULL)
		outcome.message = run->reader->warning;
	if (outcome.put_failures > 0)
		outcome.message = psprintf(UINT64_FORMAT " of " UINT64_FORMAT " records failed; the first: %s%s%s%s%s%s%s",
								   outcome.put_failures, outcome.records_processed, run->rejects->first,
								   run->error_store != NULL ? "; all are in s3://" : "",
								   run->error_store != NULL ? run->rejects->file->bucket : "",
								   run->error_store != NULL ? "/" : "",
								   run->error_store != NULL ? run->rejects->file->key : "",
								   outcome.message != NULL ? "; " : "", outcome.message != NULL ? outcome.message : "");
	return outcome;
}

/* ---------- after a crash ---------- */

struct FlowSweep
{
	const char *flow_name;
	const char *execution_id;
	FlowPlan   *plan;
	ObjectStore *destination;	/* NULL: not an object store */
	ObjectStore *errors;
	ObjectStore *responses;
};

FlowSweep *
flow_sweep_prepare(const RunRequest *request)
{
	FlowSweep  *sweep = palloc0(sizeof(FlowSweep));

	sweep->flow_name = request->flow_name;
	sweep->execution_id = request->execution_id;
	sweep->plan = flow_compile(request->definition);
	if (sweep->plan->destination.bucket != NULL)
		sweep->destination = object_store_for_bucket_as(sweep->plan->destination.bucket, InvalidOid);
	if (sweep->plan->error_bucket != NULL)
		sweep->errors = object_store_for_bucket_as(sweep->plan->error_bucket, InvalidOid);
	if (sweep->plan->response_bucket != NULL)
		sweep->responses = object_store_for_bucket_as(sweep->plan->response_bucket, InvalidOid);
	return sweep;
}

/* objects that were staged for a load, and already visible; or files that came with records */
static void
delete_staged(const FlowSweep *sweep, const char *prefix)
{
	const FlowPlan *plan = sweep->plan;
	ObjectList *list = store_list(sweep->destination, plan->destination.bucket, prefix);
	char	   *folder = psprintf("/%s/", sweep->execution_id);
	ObjectInfo	object;
	List	   *keys = NIL;
	ListCell   *lc;

	while (object_list_next(list, &object))
	{
		CHECK_FOR_INTERRUPTS();
		if (strstr(object.key, folder) != NULL)
			keys = lappend(keys, pstrdup(object.key));
	}
	object_list_close(list);
	foreach(lc, keys)
		store_delete(sweep->destination, plan->destination.bucket, lfirst(lc));
}

void
flow_sweep(FlowSweep *sweep)
{
	const FlowPlan *plan = sweep->plan;
	char	   *prefix = jsonb_get_text(plan->destination.properties, "bucketPrefix");

	if (sweep->destination != NULL)
		store_sweep(sweep->destination, plan->destination.bucket, prefix ? prefix : "", sweep->execution_id);
	if (sweep->destination != NULL && plan->destination.connector->staged)
		delete_staged(sweep, prefix ? prefix : "");
	else if (sweep->destination != NULL && plan_brings_files(plan))
		delete_staged(sweep, psprintf("%s%s%s/", prefix ? prefix : "",
									  prefix && prefix[0] && prefix[strlen(prefix) - 1] != '/' ? "/" : "", sweep->flow_name));
	if (sweep->responses != NULL)
		store_sweep(sweep->responses, plan->response_bucket,
					plan->response_prefix ? plan->response_prefix : "", sweep->execution_id);
	if (sweep->errors != NULL)
		store_sweep(sweep->errors, plan->error_bucket,
					plan->error_prefix ? plan->error_prefix : "", sweep->execution_id);
}
