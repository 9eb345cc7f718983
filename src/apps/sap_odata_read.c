/*-------------------------------------------------------------------------
 *
 * sap_odata_read.c
 *	  Reading entity sets, in pages.
 *
 * Who cuts the pages depends on what is asked for:
 *
 *	  nothing				the service: links to the next page are followed
 *	  maxPageSize			we do, by $skip and $top in the order of the keys; where the
 *							service's own pages are smaller, its links are followed in
 *							between, or without links $skip goes on from where we are.  An
 *							empty page is the end
 *	  maxParallelism > 1	the same, several pages on their way at once.  The number of
 *							records is asked for with the first page.  A page that comes
 *							shorter than it must ends that: what follows is read one by one,
 *							from where the records have got to.
 *
 * Records are given in the order of the pages, whichever of them comes first.
 *
 * With a position, what is read is what has changed: the position is a link that the
 * service gave at the end of an earlier reading ("!deltatoken=..."), "" stands for the
 * first one, which gives all there is.  In version 4 it is the whole of the records that is kept
 * track of, as the link would go on to choose the fields of a flow that has been changed since.
 *
 * IDENTIFICATION
 *	  src/apps/sap_odata_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/sap_odata.h"
#include "codec/text.h"
#include "connector/page_reader.h"
#include "miscadmin.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

#define MAX_IN_FLIGHT 10

/* places for pages: those in flight, the one that is read, and the one before it, which is closed late */
#define PLACES (MAX_IN_FLIGHT + 2)

#define DEFAULT_PARALLEL_SIZE 1000

/* pages without a record that may follow one another before it is a circle */
#define MAX_EMPTY_PAGES 1000

/* envelope of an answer, in this order */
enum
{
	ENVELOPE_NEXT,
	ENVELOPE_COUNT,
	ENVELOPE_ERROR,
	ENVELOPE_DELTA,
	ENVELOPE_NEXT_SHORT			/* as version 4.01 may call it */
};

static const char *const envelope_v2[] = {"d.__next", "d.__count", "error.message.value", "d.__delta", "d.__nextLink"};
static const char *const envelope_v4[] = {"@odata.nextLink", "@odata.count", "error.message", "@odata.deltaLink", "@nextLink"};

/* what a request asks of the service */
typedef struct ReadPlan
{
	ODataVersion version;
	ODataEntity *entity;
	char	   *service;
	char	   *set;
	char	   *select;
	char	   *expand;
	char	   *filter;
	char	   *order;
	int64		limit;			/* the service's: NO_LIMIT unless taken */
	int64		offset;
	int			page_size;		/* 0: as the service likes */
	int			parallel;
	bool		count;			/* only how many there are */
	const char *position;		/* what has changed behind there; NULL: what there is */
} ReadPlan;

typedef struct PageInFlight
{
	MemoryContext context;
	HttpCall   *call;
	int64		size;			/* records that it must have */
} PageInFlight;

typedef struct SapReader
{
	RecordReader *records;
	ConnectorSession *session;
	ReadPlan	plan;
	char	   *base;			/* target without paging options */
	char	   *what;
	Schema	   *schema;
	MemoryContext context;

	int64		given;			/* records given, of complete pages and of the current one */
	int64		read;			/* records of complete pages */
	int64		chain;			/* of them, since $skip was said last */
	int64		asked;			/* records that the current chain must have; 0: not said */
	char	   *last_link;
	int			empty;			/* pages without records, one after another */
	bool		skipped;		/* the current page was asked for by $skip */
	bool		complete;		/* what $skip was to leave out came again: there is no more */
	int64		first_asked;	/* of the first page: records that it was to have, and had */
	int64		first_read;
	char	   *first_key;		/* of the first record of all */
	ODataDelta	delta;			/* version 4, with a position */

	int64		total;			/* records there are; -1: not known */
	int64		next_skip;		/* parallel: of the next page to send for */
	PageInFlight pages[PLACES];
	int			first;			/* in pages, a ring */
	int			npages;
} SapReader;

/* ---------- the plan ---------- */

static ODataVersion
version_by_path(const ConnectorSession *session, const char *path)
{
	if (strstr(path, "/odata4/") != NULL || strstr(path, "/v4/") != NULL)
		return ODATA_V4;
	if (strstr(path, "/opu/odata/") != NULL || strstr(path, "/v2/") != NULL)
		return ODATA_V2;
	if (session->api_version != NULL && session->api_version[0] == '4')
		return ODATA_V4;
	return session->api_version != NULL && session->api_version[0] == '2' ? ODATA_V2 : ODATA_UNKNOWN;
}

/* The number of records is all that is asked for. */
static bool
wants_count(const ReadRequest *request)
{
	Aggregate  *aggregate = list_length(request->aggregates) == 1 ? linitial(request->aggregates) : NULL;

	return aggregate != NULL && request->group_by == NIL && aggregate->function == AGGREGATE_COUNT &&
		aggregate->field == NULL;
}

static bool
all_taken(List *filters)
{
	ListCell   *lc;

	foreach(lc, filters)
	{
		if (!((Filter *) lfirst(lc))->taken)
			return false;
	}
	return true;
}

/* what the service is told of filters, order, limit; sets ..._taken of the request */
static void
plan_conditions(ReadPlan *plan, ReadRequest *request, const Schema *described)
{
	bool		aggregates = request->aggregates != NIL || request->group_by != NIL;
	bool		all;

	plan->filter = odata_filter(plan->version, described, request->filters);
	all = all_taken(request->filters);
	plan->count = wants_count(request) && all && (plan->entity == NULL || plan->entity->countable);
	request->aggregates_taken = plan->count;
	plan->order = request->order == NIL || aggregates ? "" : odata_order(described, request->order, request->filters, false);
	request->order_taken = request->order != NIL && plan->order != NULL;
	if (plan->order == NULL)
		plan->order = "";

	/* what is left out first depends on the order; of the first ones any will do */
	request->limit_taken = all && !aggregates && (request->limit != NO_LIMIT || request->offset > 0) &&
		(request->order == NIL || request->order_taken) &&
		(request->offset == 0 || odata_has_stable_order(described)) &&
		(plan->entity == NULL || plan->entity->pageable);
	plan->limit = request->limit_taken ? request->limit : NO_LIMIT;
	plan->offset = request->limit_taken ? request->offset : 0;
}

static void
plan_pages(ReadPlan *plan, ReadRequest *request, const Schema *described)
{
	Jsonb	   *pagination = jsonb_get_container(request->properties, "paginationConfig");
	Jsonb	   *parallelism = jsonb_get_container(request->properties, "parallelismConfig");
	bool		stable = odata_has_stable_order(described) && (plan->entity == NULL || plan->entity->pageable);
	int64		number;

	if (jsonb_get_int64(pagination, "maxPageSize", &number))
		plan->page_size = (int) Min(Max(number, 1), INT_MAX);
	else
		plan->page_size = request->page_size;
	plan->parallel = 1;
	if (jsonb_get_int64(parallelism, "maxParallelism", &number))
		plan->parallel = (int) Min(Max(number, 1), MAX_IN_FLIGHT);

	/* without an order, a record may be in two pages, and another in none */
	if (!stable)
	{
		plan->page_size = 0;
		plan->parallel = 1;
	}
	if (plan->parallel > 1 && plan->entity != NULL && !plan->entity->countable)
		plan->parallel = 1;
	if (plan->parallel > 1 && plan->page_size == 0)
		plan->page_size = DEFAULT_PARALLEL_SIZE;
	if (plan->page_size > 0 || plan->offset > 0)
		plan->order = odata_order(described, request->order_taken ? request->order : NIL, request->filters, true);
}

/* the service keeps what it gives a link to: it cuts the pages, and filters are ours as well */
static void
plan_changes(ReadPlan *plan, ReadRequest *request)
{
	ListCell   *lc;

	plan->position = request->position;
	if (plan->position == NULL)
		return;
	foreach(lc, request->filters)
		((Filter *) lfirst(lc))->taken = false;
	request->limit_taken = request->order_taken = request->aggregates_taken = plan->count = false;
	plan->limit = NO_LIMIT;
	plan->offset = 0;
	plan->parallel = 1;
	plan->order = "";
}

/* the target without what differs from page to page */
static char *
plan_target(const ReadPlan *plan)
{
	StringInfoData target;

	initStringInfo(&target);
	appendStringInfo(&target, "%s/%s", plan->service, plan->set);
	if (plan->count)
	{
		appendStringInfoString(&target, "/$count");
		if (plan->filter != NULL)
			odata_option(&target, "$filter", plan->filter);
		return target.data;
	}
	if (plan->version == ODATA_V2)
		odata_option(&target, "$format", "json");
	if (plan->select != NULL)
		odata_option(&target, "$select", plan->select);
	if (plan->expand != NULL)
		odata_option(&target, "$expand", plan->expand);
	if (plan->filter != NULL)
		odata_option(&target, "$filter", plan->filter);
	if (plan->order[0] != '\0')
		odata_option(&target, "$orderby", plan->order);
	return target.data;
}

static void
add_paging(const ReadPlan *plan, StringInfo target, int64 skip, int64 size, bool count)
{
	if (skip > 0)
		odata_option(target, "$skip", psprintf(INT64_FORMAT, skip));
	if (size > 0)
		odata_option(target, "$top", psprintf(INT64_FORMAT, size));
	if (count && plan->version == ODATA_V2)
		odata_option(target, "$inlinecount", "allpages");
	else if (count)
		odata_option(target, "$count", "true");
}

/* records to ask for from a place on; 0: as many as the service likes */
static int64
size_at(const ReadPlan *plan, int64 position)
{
	if (plan->limit == NO_LIMIT)
		return plan->page_size;
	return plan->page_size > 0 ? Min(plan->page_size, plan->limit - position) : plan->limit - position;
}

/* fields to read: all that the entity has if that is asked for, then those that are named */
static List *
fields_of(const ReadRequest *request, const Schema *described)
{
	List	   *names = NIL;
	ListCell   *lc;

	for (int i = 0; request->all_fields && i < described->nfields; i++)
	{
		if (!list_has_text(request->exclude, described->fields[i].name))
			names = lappend(names, described->fields[i].name);
	}
	foreach(lc, request->fields)
	{
		if (!list_has_text(names, lfirst(lc)))
			names = lappend(names, lfirst(lc));
	}
	return names;
}

/* do all names stand for fields of the entity itself, described already? */
static bool
described_enough(const ReadRequest *request)
{
	ListCell   *lc;

	if (request->described == NULL)
		return false;
	foreach(lc, request->fields)
	{
		if (schema_find(request->described, lfirst(lc)) < 0)
			return false;
	}
	return true;
}

static List *
plan_fields(ReadPlan *plan, const ReadRequest *request, const Schema *described, List **fields)
{
	ODataEntity entity = {
		.version = plan->version, .service = plan->service, .set = plan->set, .schema = (Schema *) described
	};
	List	   *names = fields_of(request, described);
	List	   *paths = NIL;

	/* keys tell whether a page is the one that was asked for */
	for (int i = 0; plan->page_size > 0 && i < described->nfields; i++)
	{
		if (described->fields[i].key && !list_has_text(names, described->fields[i].name))
			names = lappend(names, described->fields[i].name);
	}

	odata_select(plan->entity != NULL ? plan->entity : &entity, names, &plan->select, &plan->expand, &paths, fields);

	/* what is all there is need not be said */
	if (request->all_fields && request->exclude == NIL && plan->expand == NULL)
		plan->select = NULL;

	/* a record of no fields is still a record */
	if (names == NIL && described->nfields > 0)
		plan->select = described->fields[0].name;
	return paths;
}

char *
sap_plan_read(ConnectorSession *session, ReadRequest *request)
{
	ReadPlan	plan = {.limit = NO_LIMIT};
	Schema	   *described = edm_refine(request->described);
	StringInfoData target;
	List	   *fields = NIL;
	ListCell   *lc;

	sap_split_entity(request->entity, &plan.service, &plan.set);
	plan.version = version_by_path(session, request->entity);
	if (plan.version == ODATA_UNKNOWN)
		plan.version = ODATA_V2;
	plan_conditions(&plan, request, described);
	plan_pages(&plan, request, described);
	if (described_enough(request))
		(void) plan_fields(&plan, request, described, &fields);
	else if (request->fields != NIL)
	{
		StringInfoData names;

		/* along relationships: how is known when the service has been asked */
		initStringInfo(&names);
		foreach(lc, request->fields)
			appendStringInfo(&names, "%s%s", names.len > 0 ? "," : "", (char *) lfirst(lc));
		plan.select = names.data;
	}
	initStringInfo(&target);
	appendStringInfoString(&target, plan_target(&plan));
	if (!plan.count)
		add_paging(&plan, &target, plan.offset, size_at(&plan, 0), plan.parallel > 1);
	return psprintf("GET %s", sap_target(session, target.data));
}

/* ---------- pages ---------- */

/* what is wished of the pages, where their size is not said in the target */
static void
add_preferences(SapReader *reader, HttpCall *call)
{
	char	   *size = reader->plan.page_size > 0 ? psprintf("odata.maxpagesize=%d", reader->plan.page_size) : NULL;

	if (reader->plan.position != NULL && reader->plan.position[0] == '\0')
		http_header(call, "Prefer", size == NULL ? "odata.track-changes" : psprintf("odata.track-changes,%s", size));
	else if (reader->plan.position != NULL && size != NULL)
		http_header(call, "Prefer", size);
}

static HttpCall *
make_call(SapReader *reader, const char *target)
{
	HttpCall   *call = sap_call(reader->session, "GET", target);

	add_preferences(reader, call);
	if (reader->plan.version == ODATA_V4)
	{
		http_header(call, "Accept", "application/json;odata.metadata=minimal;IEEE754Compatible=true");
		http_header(call, "OData-MaxVersion", "4.0");
	}
	else
	{
		http_header(call, "Accept", "application/json");
		http_header(call, "MaxDataServiceVersion", "2.0");
	}
	return call;
}

static HttpCall *
call_at(SapReader *reader, int64 position, int64 size, bool count)
{
	StringInfoData target;

	initStringInfo(&target);
	appendStringInfoString(&target, reader->base);
	add_paging(&reader->plan, &target, reader->plan.offset + position, size, count);
	return make_call(reader, target.data);
}

/* send for as many pages as may be on their way besides the one being read */
static void
fill_pages(SapReader *reader)
{
	int64		end = reader->plan.limit == NO_LIMIT ? reader->total : Min(reader->total, reader->plan.limit);

	while (reader->npages < reader->plan.parallel - 1 && reader->next_skip < end)
	{
		PageInFlight *page = &reader->pages[(reader->first + reader->npages) % PLACES];
		MemoryContext old;

		if (page->context == NULL)
			page->context = AllocSetContextCreate(reader->context, "appflow page in flight", ALLOCSET_SMALL_SIZES);
		MemoryContextReset(page->context);
		old = MemoryContextSwitchTo(page->context);
		page->size = Min(size_at(&reader->plan, reader->next_skip), end - reader->next_skip);
		page->call = call_at(reader, reader->next_skip, page->size, false);
		MemoryContextSwitchTo(old);
		reader->npages++;
		reader->next_skip += page->size;
		http_start(page->call);
	}
}

/* what is on its way is not what is wanted any more: go on page by page */
static void
give_up_parallel(SapReader *reader)
{
	while (reader->npages > 0)
	{
		http_close(reader->pages[reader->first].call);
		reader->first = (reader->first + 1) % PLACES;
		reader->npages--;
	}
	reader->plan.parallel = 1;
}

static char *
link_of(const SapReader *reader, const RecordPage *page)
{
	static const int places[] = {ENVELOPE_NEXT, ENVELOPE_NEXT_SHORT};

	for (int i = 0; i < (int) lengthof(places); i++)
	{
		const Cell *cell = &page->envelope[places[i]];

		if (cell->kind == CELL_STRING && cell->length > 0)
			return pnstrdup(cell->data, cell->length);
	}
	return NULL;
}

/* the number of records that the first page tells, less those that are left out */
static void
read_total(SapReader *reader, const RecordPage *page)
{
	const Cell *cell = &page->envelope[ENVELOPE_COUNT];
	int64		total;

	if (reader->total < 0 && cell_is_text(cell) && text_parse_int64(cell->data, cell->length, &total) && total >= 0)
		reader->total = Max(total - reader->plan.offset, 0);
}

/* where a link leads that an answer gave: from the service's root unless it says otherwise */
static char *
resolve_link(SapReader *reader, const char *link)
{
	if (strstr(link, "://") != NULL || link[0] == '/')
		return pstrdup(link);
	return psprintf("%s/%s", reader->plan.service, link);
}

static NextPage
follow_link(SapReader *reader, const char *link, HttpCall **call)
{
	if (reader->last_link != NULL && strcmp(reader->last_link, link) == 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("SAPOData goes in circles with the pages of %s: two pages have the same link to the next",
					   reader->what));
	if (reader->last_link != NULL)
		pfree(reader->last_link);
	reader->last_link = MemoryContextStrdup(reader->context, link);
	reader->skipped = false;
	*call = make_call(reader, resolve_link(reader, link));
	return PAGE_FOLLOWS;
}

/* the page behind one that is complete, when they are read one by one */
static NextPage
next_by_one(SapReader *reader, const char *link, HttpCall **call)
{
	int64		size;

	if (reader->complete || (reader->plan.limit != NO_LIMIT && reader->read >= reader->plan.limit))
		return PAGE_LAST;
	if (link != NULL)
		return follow_link(reader, link, call);
	if (reader->asked == 0)
		return PAGE_LAST;

	/* a page that is short need not be the last: its size may be the service's */
	if (reader->chain == 0 || (reader->total >= 0 && reader->read >= reader->total))
		return PAGE_LAST;
	size = size_at(&reader->plan, reader->read);
	reader->chain = 0;
	reader->asked = size;
	reader->skipped = true;
	*call = call_at(reader, reader->read, size, false);
	return PAGE_FOLLOWS;
}

static NextPage
next_parallel(SapReader *reader, const char *link, HttpCall **call)
{
	PageInFlight *page = &reader->pages[reader->first];

	/* it came with other records than it must have */
	if (link != NULL || reader->complete || reader->chain > reader->asked ||
		(reader->chain < reader->asked && reader->read < reader->total))
	{
		give_up_parallel(reader);
		return next_by_one(reader, link, call);
	}
	fill_pages(reader);
	if (reader->npages == 0)
		return PAGE_LAST;
	*call = page->call;
	reader->asked = page->size;
	reader->chain = 0;
	reader->skipped = true;
	reader->first = (reader->first + 1) % PLACES;
	reader->npages--;
	fill_pages(reader);
	return PAGE_FOLLOWS;
}

static NextPage
first_page(SapReader *reader, HttpCall **call)
{
	if (reader->plan.limit == 0)
		return PAGE_LAST;
	if (reader->plan.position != NULL)
	{
		*call = make_call(reader, reader->plan.position[0] == '\0' ? reader->base : reader->plan.position);
		return PAGE_FOLLOWS;
	}
	reader->asked = size_at(&reader->plan, 0);
	reader->next_skip = reader->asked;
	*call = call_at(reader, 0, reader->asked, reader->plan.parallel > 1);
	return PAGE_FOLLOWS;
}

static NextPage
next_page(void *arg, const RecordPage *previous, HttpCall **call)
{
	SapReader  *reader = arg;
	bool		parallel = reader->plan.parallel > 1;
	char	   *link;

	CHECK_FOR_INTERRUPTS();
	if (previous == NULL)
		return first_page(reader, call);
	link = link_of(reader, previous);
	if (parallel)
	{
		read_total(reader, previous);
		if (reader->total >= 0 && link == NULL)
			fill_pages(reader);
	}

	/* a link that is there already need not wait for the end of the page */
	if (!previous->complete && (link == NULL || parallel || reader->plan.limit != NO_LIMIT || previous->records == 0))
		return PAGE_UNKNOWN;
	if (!previous->complete)
		return follow_link(reader, link, call);
	if (parallel && reader->total < 0)
		give_up_parallel(reader);
	return reader->plan.parallel > 1 ? next_parallel(reader, link, call) : next_by_one(reader, link, call);
}

static void
fail(void *arg, HttpCall *call)
{
	SapReader  *reader = arg;

	sap_fail(reader->session, call, reader->what);
}

pg_noreturn static void
no_track(const char *what, const char *why)
{
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("SAPOData keeps no track of what changes in %s: %s", what, why),
			errhint("Name a field that says when a record has changed in incrementalPullConfig."));
}

/* where a reading of changes goes on behind a page: the next page, or what will have changed */
static void
note_position(SapReader *reader, const RecordPage *page)
{
	const Cell *delta = &page->envelope[ENVELOPE_DELTA];
	char	   *link = link_of(reader, page);

	if (link == NULL && delta->kind == CELL_STRING && delta->length > 0)
		link = pnstrdup(delta->data, delta->length);
	if (link == NULL)
		no_track(reader->what, "its last page has no link to what comes then");
	link = resolve_link(reader, link);
	if (reader->records->position != NULL)
		pfree(reader->records->position);
	reader->records->position = MemoryContextStrdup(reader->context,
													strstr(link, "://") != NULL ? url_target(link) : link);
}

/* a page that began well may end with an error in it */
static void
check_page(void *arg, const RecordPage *page)
{
	SapReader  *reader = arg;
	const Cell *error = &page->envelope[ENVELOPE_ERROR];

	if (error->kind == CELL_STRING)
		session_raise_as(reader->session, page->call, WF_CONNECTOR, reader->what, NULL,
						 pnstrdup(error->data, error->length));
	if (reader->plan.position != NULL)
		note_position(reader, page);
	if (page->number == 1)
	{
		reader->first_asked = reader->asked;
		reader->first_read = page->records;
	}
	reader->read += reader->complete ? 0 : page->records;
	reader->chain += reader->complete ? 0 : page->records;
	reader->empty = page->records > 0 ? 0 : reader->empty + 1;
	if (reader->empty > MAX_EMPTY_PAGES)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("SAPOData sends one page of %s without records after another", reader->what));
}

/* the keys of a record, as text that is the same for the same record */
static char *
key_of(const SapReader *reader, const Batch *batch)
{
	StringInfoData key;

	initStringInfo(&key);
	for (int i = 0; i < reader->schema->nfields; i++)
	{
		const Field *field = &reader->schema->fields[i];

		if (field->key)
			appendStringInfo(&key, "%s\n", cell_text_cstring(&batch->columns[i][0], field->type));
	}
	return key.data;
}

/*
 * Some services take $skip without a word and give the first records again.  Where the
 * first page had all of them, because $top means nothing either, they are there.
 */
static void
check_skipped(SapReader *reader, const RecordPage *page, Batch *batch)
{
	char	   *key;

	if (reader->plan.page_size == 0 || page->records != batch->nrows || batch->nrows == 0 ||
		(page->number > 1 && !reader->skipped))
		return;
	key = key_of(reader, batch);
	if (page->number == 1)
	{
		reader->first_key = MemoryContextStrdup(reader->context, key);
		return;
	}
	if (strcmp(key, reader->first_key) != 0)
		return;
	if (reader->first_read == reader->first_asked)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("SAPOData ignores $skip in requests about %s: a page begins with the first record again", reader->what),
				errhint("Leave the pages to the service: without paginationConfig and parallelismConfig."));
	reader->complete = true;
}

static void
adapt(void *arg, const RecordPage *page, Batch *batch)
{
	SapReader  *reader = arg;

	if (reader->plan.position != NULL && reader->plan.version == ODATA_V4)
		odata_delta_adapt(&reader->delta, reader->plan.entity, reader->what, batch);
	check_skipped(reader, page, batch);
	if (reader->complete)
	{
		batch->nrows = 0;
		return;
	}

	/* the service may give more than it was asked for */
	if (reader->plan.limit != NO_LIMIT && reader->given + batch->nrows > reader->plan.limit)
		batch->nrows = (uint32) (reader->plan.limit - reader->given);
	reader->given += batch->nrows;
	for (int i = 0; i < reader->schema->nfields; i++)
		odata_adapt_column(reader->plan.version, &reader->schema->fields[i], batch, batch->columns[i]);
}

/* ---------- the number of records ---------- */

typedef struct CountReader
{
	RecordReader base;
	char	   *count;			/* NULL: given */
} CountReader;

static bool
count_next(RecordReader *base, Batch *batch)
{
	CountReader *reader = (CountReader *) base;
	size_t		length;

	if (reader->count == NULL)
		return false;
	length = strlen(reader->count);
	batch->columns[0][0] = cell_text(CELL_NUMBER, batch_copy(batch, reader->count, length), length);
	batch->nrows = 1;
	reader->count = NULL;
	return true;
}

static void
count_close(RecordReader *base)
{
}

static RecordReader *
open_count(ConnectorSession *session, const ReadPlan *plan, const char *what)
{
	CountReader *reader = palloc0(sizeof(CountReader));
	HttpCall   *call = sap_call(session, "GET", plan_target(plan));
	const char *body;
	size_t		length;
	int64		count;

	http_header(call, "Accept", "text/plain,application/json;q=0.5");
	call->whole = true;
	http_wait(call);
	if (call->status >= 300)
		sap_fail(session, call, what);
	body = http_body(call, &length);

	/* some put a mark of their encoding before it */
	if (body != NULL && length > 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0)
		body += 3, length -= 3;
	if (body == NULL || !text_parse_int64(body, length, &count) || count < 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the answer of SAPOData about the number of records of %s is no number", what));
	http_close(call);
	reader->base.schema = schema_create();
	(void) schema_add(reader->base.schema, "count", FIELD_LONG);
	reader->base.next = count_next;
	reader->base.close = count_close;
	reader->base.bytes = length;
	reader->count = psprintf(INT64_FORMAT, count);
	return &reader->base;
}

/* ---------- opening ---------- */

/* conditions that must be there because the service says so */
static void
check_required(const ODataEntity *entity, List *filters)
{
	ListCell   *lc;

	foreach(lc, entity->required)
	{
		bool		found = false;
		ListCell   *inner;

		foreach(inner, filters)
		{
			const Filter *filter = lfirst(inner);

			found = found || (filter->field != NULL && strcmp(filter->field, lfirst(lc)) == 0);
		}
		if (!found)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("entity \"%s/%s\" is only read with a filter on field \"%s\"",
						   entity->service, entity->set, (char *) lfirst(lc)));
	}
}

RecordReader *
sap_open_reader(ConnectorSession *session, ReadRequest *request)
{
	SapReader  *reader = palloc0(sizeof(SapReader));
	ReadPlan   *plan = &reader->plan;
	const Schema *described;
	PageSource	source = {0};
	List	   *fields = NIL;
	List	   *paths;
	const char **names;
	ListCell   *lc;

	reader->session = session;
	reader->what = psprintf("entity \"%s\"", request->entity);
	sap_split_entity(request->entity, &plan->service, &plan->set);
	plan->version = version_by_path(session, request->entity);
	if (plan->version == ODATA_UNKNOWN || !described_enough(request) || request->position != NULL)
	{
		plan->entity = sap_entity(session, request->entity);
		plan->version = plan->entity->version;
		described = plan->entity->schema;
		check_required(plan->entity, request->filters);
	}
	else
		described = edm_refine(request->described);
	plan_conditions(plan, request, described);
	plan_pages(plan, request, described);
	plan_changes(plan, request);
	if (plan->position != NULL && !plan->entity->delta)
		no_track(reader->what, plan->version == ODATA_V2 ? "it has no delta queue" :
				 "its service does not say so (ChangeTracking)");
	if (plan->count)
		return open_count(session, plan, reader->what);
	paths = plan_fields(plan, request, described, &fields);
	if (plan->position != NULL && plan->version == ODATA_V4)
	{
		if (plan->expand != NULL)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("fields of other entities cannot be read with what has changed in %s", reader->what));
		plan->select = NULL;
	}

	reader->context = CurrentMemoryContext;
	reader->base = plan_target(plan);
	reader->total = -1;
	reader->schema = schema_create();
	foreach(lc, fields)
	{
		const Field *from = lfirst(lc);
		Field	   *field = schema_add(reader->schema, from->name, from->type);
		char	   *name = field->name;

		*field = *from;
		field->name = name;
		field->hidden = (request->all_fields && schema_find(described, name) < 0) ||
			(!list_has_text(request->fields, name) && (!request->all_fields || list_has_text(request->exclude, name)));
	}
	if (plan->position != NULL && plan->version == ODATA_V4)
		odata_delta_init(&reader->delta, reader->schema, &paths);
	names = palloc(sizeof(char *) * Max(list_length(paths), 1));
	foreach(lc, paths)
		names[foreach_current_index(lc)] = lfirst(lc);

	source.session = session;
	source.what = reader->what;
	source.schema = reader->schema;
	source.record_path = plan->version == ODATA_V2 ? "d.results" : "value";
	source.envelope = plan->version == ODATA_V2 ? envelope_v2 : envelope_v4;
	source.nenvelope = lengthof(envelope_v4);
	source.paths = names;
	source.next_page = next_page;
	source.fail = fail;
	source.check = check_page;
	source.adapt = adapt;
	source.arg = reader;
	source.limit_hint = request->limit_hint;
	reader->records = page_reader_open(&source);
	if (plan->position != NULL)
		reader->records->position = pstrdup(plan->position);
	return reader->records;
}
