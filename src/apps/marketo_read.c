/*-------------------------------------------------------------------------
 *
 * marketo_read.c
 *	  Reads records by pages.
 *
 * Records are found by up to 300 values of a field, and then by more; activities are
 * told since a time, of ten types at once; lists, campaigns and programs page after
 * page.
 *
 * Follows the pages "Leads", "Lead database", "Activities", "Paging tokens" and "Programs"
 * of Adobe's REST API guide.
 *
 * IDENTIFICATION
 *	  src/apps/marketo_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/marketo.h"
#include "codec/json_tree.h"
#include "connector/page_reader.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

/* activity types of one call */
#define TYPES_OF_CALL 10

#define PROGRAMS_PAGE 200

/* one series of pages: a piece of the values, or some types of activities */
typedef struct Series
{
	const char *path;
	char	   *query;			/* without what says which page */
} Series;

typedef struct PagedReader
{
	ConnectorSession *session;
	MemoryContext context;
	const MarketoPlan *plan;
	char	   *what;
	List	   *series;			/* of Series *, of those that are made in advance */
	int			current;
	char	   *fields;			/* "fields=a,b" */
	int			size;			/* records of a page */
	char	   *token;			/* of the last page */
	char	   *since;			/* activities: the token of the time to begin with */
	int64		next_number;	/* ranged */
	int64		offset;

	/* activities: what is known of the page that is read */
	int			date_column;	/* -1: nobody wants it */
	int			attributes_column;
	uint64		page;
	uint64		rows;
	uint64		late;			/* of them, those behind the upper end */
} PagedReader;

enum
{
	ENVELOPE_SUCCESS,
	ENVELOPE_MORE,
	ENVELOPE_TOKEN
};

static const char *const envelope[] = {"success", "moreResult", "nextPageToken"};

/* ---------- values ---------- */

/* times of assets end in Z+0000 */
static void
mend_time(Cell *cell)
{
	if (cell->kind == CELL_STRING && cell->length > 6 && memcmp(cell->data + cell->length - 6, "Z+0000", 6) == 0)
		cell->length -= 5;
}

void
marketo_adapt(const Schema *schema, Batch *batch)
{
	for (int column = 0; column < schema->nfields; column++)
	{
		const Field *field = &schema->fields[column];

		if (field->type == FIELD_STRING)
			continue;
		for (uint32 row = 0; row < batch->nrows; row++)
		{
			Cell	   *cell = &batch->columns[column][row];
			char	   *problem;

			if (cell->kind == CELL_NULL)
				continue;
			if (field->type == FIELD_DATETIME)
				mend_time(cell);

			/* forms leave numbers and times that were never filled in as empty text */
			if (cell->kind == CELL_STRING && cell->length == 0 && field->type != FIELD_JSON)
			{
				*cell = cell_null();
				continue;
			}
			/* what does not fit stays as it is, and fails its record where it is used */
			problem = cell_convert(batch, cell, field);
			if (problem != NULL)
				pfree(problem);
		}
	}
}

/* ---------- attributes of activities ---------- */

static Cell
cell_of_tree(Batch *batch, const JsonTree *value)
{
	ByteBuffer	text = {0};
	Cell		cell;

	switch (value->kind)
	{
		case JSON_TREE_NULL:
			break;
		case JSON_TREE_BOOLEAN:
			return cell_integer(CELL_BOOLEAN, strcmp(value->text, "true") == 0);
		case JSON_TREE_NUMBER:
			return cell_text(CELL_NUMBER, value->text, (uint32) value->length);
		case JSON_TREE_STRING:
			return cell_text(CELL_STRING, value->text, (uint32) value->length);
		case JSON_TREE_ARRAY:
		case JSON_TREE_OBJECT:
			json_tree_append(&text, value);
			if (text.failed)
				ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
			cell = cell_text(CELL_JSON, arena_copy(batch->arena, text.data, text.length), (uint32) text.length);
			buffer_free(&text);
			if (cell.data == NULL)
				ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
			return cell;
	}
	return cell_null();
}

/* [{"name": N, "value": V}, ...] into the columns of these names */
static void
spread_attributes(PagedReader *reader, Batch *batch)
{
	const Schema *schema = reader->plan->schema;

	for (uint32 row = 0; row < batch->nrows; row++)
	{
		const Cell *cell = &batch->columns[reader->attributes_column][row];
		CodecError	error;
		const JsonTree *tree;

		if (cell->kind != CELL_JSON)
			continue;
		tree = json_tree_parse(batch->arena, cell->data, cell->length, &error);
		if (tree == NULL || tree->kind != JSON_TREE_ARRAY)
			continue;
		for (const JsonTree *attribute = tree->first; attribute != NULL; attribute = attribute->next)
		{
			const JsonTree *name = attribute->kind == JSON_TREE_OBJECT ? json_tree_member(attribute, "name") : NULL;
			const JsonTree *value = name == NULL ? NULL : json_tree_member(attribute, "value");
			int			column = name == NULL || name->kind != JSON_TREE_STRING ? -1 : schema_find(schema, name->text);

			if (column >= 0 && value != NULL && !marketo_is_plain(reader->plan->entity, name->text))
				batch->columns[column][row] = cell_of_tree(batch, value);
		}
	}
}

static void
adapt(void *arg, const RecordPage *page, Batch *batch)
{
	PagedReader *reader = arg;

	if (reader->attributes_column >= 0 && reader->plan->entity->type != NULL)
		spread_attributes(reader, batch);
	marketo_adapt(reader->plan->schema, batch);
	if (reader->date_column < 0)
		return;
	if (reader->page != page->number)
	{
		reader->page = page->number;
		reader->rows = reader->late = 0;
	}
	reader->rows += batch->nrows;
	for (uint32 row = 0; row < batch->nrows; row++)
	{
		const Cell *cell = &batch->columns[reader->date_column][row];

		if (cell->kind == CELL_TIMESTAMP && cell->integer > reader->plan->until * USECS_PER_SEC)
			reader->late++;
	}
}

/* ---------- which pages there are ---------- */

static void
add_parameter(StringInfo query, const char *name, const char *value)
{
	appendStringInfo(query, "%s%s=%s", query->len > 0 ? "&" : "", name, url_encode(value));
}

static char *
numbers_joined(int64 first, int64 last)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int64 number = first; number <= last; number++)
		appendStringInfo(&list, "%s" INT64_FORMAT, list.len > 0 ? "," : "", number);
	return list.data;
}

/* the query of the next piece of a condition; NULL: there is none */
static char *
next_piece(PagedReader *reader)
{
	const MarketoPlan *plan = reader->plan;
	StringInfoData query;
	StringInfoData values;

	initStringInfo(&query);
	add_parameter(&query, "filterType", plan->field);
	if (plan->ranged)
	{
		int64		last = Min(plan->last, reader->next_number + MARKETO_PAGE - 1);

		if (reader->next_number > plan->last)
			return NULL;
		add_parameter(&query, "filterValues", numbers_joined(reader->next_number, last));
		reader->next_number = last + 1;
	}
	else
	{
		int			begin = reader->current * MARKETO_PAGE;

		if (begin >= list_length(plan->values))
			return NULL;
		initStringInfo(&values);
		for (int i = begin; i < begin + MARKETO_PAGE && i < list_length(plan->values); i++)
			appendStringInfo(&values, "%s%s", i > begin ? "," : "", (char *) list_nth(plan->values, i));
		add_parameter(&query, "filterValues", values.data);
	}
	appendStringInfo(&query, "&%s", reader->fields);
	return query.data;
}

static Series *
make_series(const char *path, const char *query)
{
	Series	   *series = palloc(sizeof(Series));

	series->path = path;
	series->query = pstrdup(query);
	return series;
}

/* of VALUES, the series that is read is the only one that is kept */
static void
keep_series(PagedReader *reader, const char *query)
{
	MemoryContext old;

	if (reader->series != NIL)
	{
		Series	   *done = linitial(reader->series);

		pfree(done->query);
		pfree(done);
		list_free(reader->series);
		reader->series = NIL;
	}
	if (query == NULL)
		return;
	old = MemoryContextSwitchTo(reader->context);
	reader->series = list_make1(make_series(reader->plan->entity->path, query));
	MemoryContextSwitchTo(old);
}

/* Begin the next series of pages; NULL: there is none. */
static const Series *
next_series(PagedReader *reader)
{
	bool		by_values = reader->plan->route == ROUTE_VALUES;

	if (by_values)
		keep_series(reader, next_piece(reader));
	if (reader->token != NULL)
		pfree(reader->token);
	reader->token = reader->since == NULL ? NULL : MemoryContextStrdup(reader->context, reader->since);
	reader->current++;
	if (by_values)
		return reader->series == NIL ? NULL : linitial(reader->series);
	return reader->current > list_length(reader->series) ? NULL : list_nth(reader->series, reader->current - 1);
}

static const Series *
this_series(PagedReader *reader)
{
	return reader->plan->route == ROUTE_VALUES ? linitial(reader->series) : list_nth(reader->series, reader->current - 1);
}

static HttpCall *
make_call(PagedReader *reader, const Series *series)
{
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfoString(&query, series->query);
	if (reader->plan->route == ROUTE_PROGRAMS)
	{
		add_parameter(&query, "maxReturn", psprintf("%d", reader->size));
		add_parameter(&query, "offset", psprintf(INT64_FORMAT, reader->offset));
	}
	else
		add_parameter(&query, "batchSize", psprintf("%d", reader->size));
	if (reader->token != NULL)
		add_parameter(&query, "nextPageToken", reader->token);
	return marketo_get(reader->session, psprintf("%s.json", series->path), query.data);
}

/* all records of the page are behind the upper end, and so are those of pages to come */
static bool
is_behind(const PagedReader *reader, const RecordPage *page)
{
	return reader->date_column >= 0 && reader->page == page->number && reader->rows > 0 && reader->late == reader->rows;
}

/* Does a page of the series follow this one?  Sets the token. */
static NextPage
continues(PagedReader *reader, const RecordPage *page)
{
	const Cell *more = &page->envelope[ENVELOPE_MORE];
	const Cell *token = &page->envelope[ENVELOPE_TOKEN];
	bool		says_more = more->kind == CELL_BOOLEAN && more->integer;

	if (reader->plan->route == ROUTE_PROGRAMS)
	{
		if (!page->complete)
			return PAGE_UNKNOWN;
		reader->offset += page->records;
		return page->records < (uint64) reader->size ? PAGE_LAST : PAGE_FOLLOWS;
	}

	/* whether it is worth going on, all its records tell */
	if (!page->complete && (reader->date_column >= 0 || more->kind != CELL_BOOLEAN || token->kind != CELL_STRING))
		return PAGE_UNKNOWN;

	/* where there is no flag, a token says it; activities have one always, and the flag counts */
	if (more->kind != CELL_BOOLEAN)
		says_more = token->kind == CELL_STRING && reader->plan->route != ROUTE_ACTIVITIES;
	if (!says_more || is_behind(reader, page))
		return PAGE_LAST;
	if (token->kind != CELL_STRING || token->length == 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("page " UINT64_FORMAT " of %s from Marketo says that another follows, but not which",
					   page->number, reader->what));
	if (reader->token != NULL && strlen(reader->token) == token->length &&
		memcmp(reader->token, token->data, token->length) == 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("page " UINT64_FORMAT " of %s from Marketo is followed by itself", page->number, reader->what));
	if (reader->token != NULL)
		pfree(reader->token);
	reader->token = MemoryContextAlloc(reader->context, token->length + 1);
	memcpy(reader->token, token->data, token->length);
	reader->token[token->length] = '\0';
	return PAGE_FOLLOWS;
}

static NextPage
next_page(void *arg, const RecordPage *previous, HttpCall **call)
{
	PagedReader *reader = arg;
	const Series *series = NULL;

	if (previous != NULL)
	{
		NextPage	next = continues(reader, previous);

		if (next == PAGE_UNKNOWN)
			return next;
		if (next == PAGE_FOLLOWS)
			series = this_series(reader);
	}
	if (series == NULL)
		series = next_series(reader);
	if (series == NULL)
		return PAGE_LAST;
	*call = make_call(reader, series);
	return PAGE_FOLLOWS;
}

static void
fail(void *arg, HttpCall *call)
{
	PagedReader *reader = arg;

	marketo_fail(reader->session, call, reader->what);
}

static void
check(void *arg, const RecordPage *page)
{
	PagedReader *reader = arg;
	const Cell *success = &page->envelope[ENVELOPE_SUCCESS];

	if (marketo_state(page->call)->refused)
		marketo_fail(reader->session, page->call, reader->what);
	if (success->kind != CELL_BOOLEAN || !success->integer)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("page " UINT64_FORMAT " of %s from Marketo does not say that it is one", page->number, reader->what));
}

/* ---------- opening ---------- */

static char *
joined(List *texts, int begin, int count)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = begin; i < begin + count && i < list_length(texts); i++)
		appendStringInfo(&list, "%s%s", i > begin ? "," : "", (char *) list_nth(texts, i));
	return list.data;
}

/* activities: ten types at a time; deleted leads by themselves */
static void
add_activity_series(PagedReader *reader)
{
	const MarketoPlan *plan = reader->plan;
	List	   *all = marketo_activity_types(reader->session, plan->entity);
	List	   *types = NIL;
	bool		deleted = false;
	ListCell   *lc;
	Jsonb	   *answer;

	foreach(lc, all)
	{
		if (plan->values != NIL && !list_has_text(plan->values, lfirst(lc)))
			continue;
		if (strcmp(lfirst(lc), MARKETO_DELETE_LEAD) == 0)
			deleted = true;
		else
			types = lappend(types, lfirst(lc));
	}
	for (int i = 0; i < list_length(types); i += TYPES_OF_CALL)
		reader->series = lappend(reader->series,
								 make_series(plan->entity->path,
											 psprintf("activityTypeIds=%s", url_encode(joined(types, i, TYPES_OF_CALL)))));
	if (deleted)
		reader->series = lappend(reader->series, make_series("/rest/v1/activities/deletedleads", ""));
	if (reader->series == NIL)
		return;
	answer = marketo_fetch(reader->session,
						   marketo_get(reader->session, "/rest/v1/activities/pagingtoken.json",
									   psprintf("sinceDatetime=%s",
												url_encode(marketo_time(plan->from == MARKETO_NO_TIME ? MARKETO_FOUNDED :
																		Max(plan->from, MARKETO_FOUNDED))))),
						   reader->what);
	reader->since = jsonb_get_text(answer, "nextPageToken");
	if (reader->since == NULL)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the answer of Marketo about %s has no token to begin with", reader->what));
}

static void
add_all_series(PagedReader *reader)
{
	const MarketoPlan *plan = reader->plan;
	StringInfoData query;

	switch (plan->route)
	{
		case ROUTE_ACTIVITIES:
			add_activity_series(reader);
			break;
		case ROUTE_LISTING:
			for (int i = 0; i < Max(list_length(plan->values), 1); i += MARKETO_PAGE)
				reader->series = lappend(reader->series,
										 make_series(plan->entity->path, plan->values == NIL ? "" :
													 psprintf("id=%s", url_encode(joined(plan->values, i, MARKETO_PAGE)))));
			break;
		case ROUTE_PROGRAMS:
			initStringInfo(&query);
			if (plan->from != MARKETO_NO_TIME || plan->until != MARKETO_NO_TIME)
			{
				/* one end alone is no range */
				add_parameter(&query, "earliestUpdatedAt",
							  marketo_time(plan->from == MARKETO_NO_TIME ? MARKETO_FOUNDED : plan->from));
				add_parameter(&query, "latestUpdatedAt",
							  marketo_time(plan->until == MARKETO_NO_TIME ? (int64) time(NULL) + SECS_PER_DAY : plan->until));
			}
			reader->series = list_make1(make_series(plan->entity->path, query.data));
			break;
		default:
			break;
	}
}

static char *
fields_parameter(const Schema *schema)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < schema->nfields; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? "," : "", schema->fields[i].name);

	return psprintf("fields=%s", url_encode(names.data));
}

static RecordReader *
open_pages(ConnectorSession *session, const ReadRequest *request, const MarketoPlan *plan)
{
	PagedReader *reader = palloc0(sizeof(PagedReader));
	const char **paths;
	PageSource	source = {
		.session = session, .record_path = "result", .envelope = envelope, .nenvelope = lengthof(envelope),
		.may_lack_records = true, .next_page = next_page, .fail = fail, .check = check, .adapt = adapt, .arg = reader,
		.limit_hint = request->limit_hint
	};

	reader->session = session;
	reader->context = CurrentMemoryContext;
	reader->plan = plan;
	reader->what = psprintf("entity \"%s\"", request->entity);
	reader->next_number = plan->first;
	reader->size = plan->route == ROUTE_PROGRAMS ? PROGRAMS_PAGE : MARKETO_PAGE;
	if (request->page_size > 0)
		reader->size = Min(reader->size, request->page_size);
	else if (request->limit_hint != NO_LIMIT && request->limit_hint > 0)
		reader->size = (int) Min((int64) reader->size, request->limit_hint);
	reader->date_column = reader->attributes_column = -1;
	if (plan->entity->kind == MARKETO_ACTIVITIES)
	{
		if (plan->until != MARKETO_NO_TIME)
			reader->date_column = marketo_need_column(plan, "activityDate");
		for (int i = 0; plan->entity->type != NULL && i < plan->schema->nfields; i++)
		{
			if (marketo_is_plain(plan->entity, plan->schema->fields[i].name))
				continue;
			reader->attributes_column = marketo_need_column(plan, "attributes");
			break;
		}
	}
	if (plan->route == ROUTE_VALUES)
		(void) marketo_need_column(plan, plan->field);
	reader->fields = fields_parameter(plan->schema);
	add_all_series(reader);

	/* an attribute is no member of its record, though one may have its name */
	paths = palloc(sizeof(char *) * Max(plan->schema->nfields, 1));
	for (int i = 0; i < plan->schema->nfields; i++)
		paths[i] = plan->entity->kind != MARKETO_ACTIVITIES || marketo_is_plain(plan->entity, plan->schema->fields[i].name) ?
			plan->schema->fields[i].name : psprintf("attribute %s", plan->schema->fields[i].name);
	source.schema = plan->schema;
	source.paths = paths;
	source.what = reader->what;
	return page_reader_open(&source);
}

pg_noreturn static void
raise_no_way(const MarketoPlan *plan)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < plan->described->nfields; i++)
	{
		if (plan->described->fields[i].filters & (1 << FILTER_EQUAL_TO))
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", plan->described->fields[i].name);
	}
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("entity \"%s\" of Marketo cannot be read without values to look for", plan->entity->name),
			errdetail("Marketo finds its records by values of %s, and has no way to list them all.", names.data),
			errhint("Compare one of these fields with values, or one that is a whole number with a lower and an upper end."));
}

RecordReader *
marketo_open_reader(ConnectorSession *session, ReadRequest *request)
{
	const Schema *described = request->described != NULL ? request->described : marketo_describe(session, request->entity);
	MarketoPlan *plan = marketo_plan(session, request, described);
	RecordReader *reader;
	ListCell   *lc;

	if (plan->route == ROUTE_NONE)
		raise_no_way(plan);
	if (plan->route != ROUTE_JOBS)
		return open_pages(session, request, plan);
	reader = marketo_extract_reader(session, request, plan);
	if (reader != NULL)
		return reader;

	/* not by the time of change: then by that of creation, and what was asked for is looked for here */
	foreach(lc, request->filters)
		((Filter *) lfirst(lc))->taken = false;
	plan->field = "createdAt";
	plan->from = MARKETO_NO_TIME;
	reader = marketo_extract_reader(session, request, plan);
	reader->warning = MemoryContextStrdup(session->context,
										  "Marketo does not export leads by updatedAt to this subscription (1035): all leads were read "
										  "to find those changed, by the updatedAt that they show");
	return reader;
}
