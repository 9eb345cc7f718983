/*-------------------------------------------------------------------------
 *
 * manifest_read.c
 *	  Reads records as a manifest says, page by page.
 *
 * The page reader has the bytes and the records; here is which page comes next, and what
 * a record's cells are before anybody else sees them.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/text.h"
#include "common/hashfn.h"
#include "compat.h"
#include "connector/manifest_engine.h"
#include "connector/page_reader.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/infer.h"
#include "record/jsonb_access.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* what is done to the cells of a column */
typedef struct Column
{
	int			from;			/* another column that has its value, or -1 */
	Selector   *selector;		/* of an element in that one, or NULL */
	Cell	   *constant;		/* or this for all */
	bool		unnested;		/* or what is at this place of the arrays within the record */
	UnnestPlace place;
	const JsonTree *shown;		/* what the row before had there, and its cell: rows share them */
	Cell		shown_cell;
	FieldType	type;
	ManifestFormat format;		/* of times; FORMAT_ISO: as they are */
	const char *null;			/* a text that means null, or NULL */
} Column;

/* the records of one page, for the next one to compare with */
typedef struct SeenPage
{
	MemoryContext context;
	HTAB	   *records;
} SeenPage;

typedef struct SeenRecord
{
	uint64		hash;
	List	   *texts;			/* of char *: those that have this hash */
} SeenRecord;

typedef struct ManifestReader
{
	RecordReader base;
	MemoryContext context;
	ConnectorSession *session;
	RecordReader *pages;
	ReadPlan   *plan;
	Pager		pager;
	char	   *what;

	const char **envelope;		/* paths beside the records */
	int			nenvelope;
	const RecordPage *page;		/* the one that is looked into */
	MemoryContext looked_up;	/* texts of its envelope, until the next look */

	Column	   *columns;
	int			ncolumns;
	const char **paths;
	int			key_column;		/* paging by key; or -1 */

	/* records within records */
	Unnest	   *unnest;			/* NULL: there are none */
	int		   *bases;			/* columns of what it takes apart */
	const Cell **base_cells;
	Batch	   *outer;			/* records as they came */
	uint32		outer_row;		/* the one that is taken apart */
	uint64		outer_records;	/* so far */
	bool		within;			/* it has been begun */

	int64		skip;
	int64		left;			/* NO_LIMIT: all */

	/* paging by time */
	int		   *distinct;
	int			ndistinct;
	SeenPage	seen[2];
	uint64		seen_page;		/* number of the page that seen[seen_page % 2] is of */
} ManifestReader;

/* ---------- the envelope ---------- */

static void
want_path(ManifestReader *reader, const char *path)
{
	const char *records = reader->plan->read->records;
	size_t		length = records == NULL ? 0 : strlen(records);

	/* what is in the records is not beside them */
	if (path == NULL || length == 0 || strcmp(path, records) == 0 ||
		(strncmp(path, records, length) == 0 && path[length] == '.'))
		return;
	for (int i = 0; i < reader->nenvelope; i++)
	{
		if (strcmp(reader->envelope[i], path) == 0)
			return;
	}
	reader->envelope = repalloc(reader->envelope, sizeof(char *) * (reader->nenvelope + 1));
	reader->envelope[reader->nenvelope++] = path;
}

static void
want_envelope(ManifestReader *reader)
{
	const ManifestPaging *paging = &reader->plan->read->paging;
	const ManifestErrors *errors = &manifest_of(reader->session)->errors;

	reader->envelope = palloc(sizeof(char *));
	if (paging->kind == PAGING_CURSOR || paging->kind == PAGING_LINK || paging->kind == PAGING_TIME)
		want_path(reader, paging->next);
	want_path(reader, paging->more.path);
	want_path(reader, paging->last.path);
	want_path(reader, paging->total);
	want_path(reader, paging->at);
	for (int i = 0; i < errors->failed.count; i++)
		want_path(reader, errors->failed.items[i].path);
	if (errors->failed.count == 0)
		return;
	for (int i = 0; i < errors->code.count; i++)
		want_path(reader, errors->code.items[i]);
	for (int i = 0; i < errors->message.count; i++)
		want_path(reader, errors->message.items[i]);
}

static const char *
lookup_page(void *arg, const char *path)
{
	ManifestReader *reader = arg;

	for (int i = 0; i < reader->nenvelope; i++)
	{
		const Cell *cell = &reader->page->envelope[i];

		if (strcmp(reader->envelope[i], path) == 0)
		{
			MemoryContext old = MemoryContextSwitchTo(reader->looked_up);
			char	   *text = cell->kind == CELL_NULL ? NULL : cell_text_cstring(cell, FIELD_STRING);

			MemoryContextSwitchTo(old);
			return text;
		}
	}
	return NULL;
}

static void
look_into(ManifestReader *reader, const RecordPage *page)
{
	MemoryContextReset(reader->looked_up);
	reader->page = page;
}

/* ---------- pages ---------- */

static NextPage
next_page(void *arg, const RecordPage *previous, HttpCall **call)
{
	ManifestReader *reader = arg;
	PageFacts	facts = {.lookup = lookup_page, .arg = reader};

	if (previous == NULL)
	{
		*call = pager_first(&reader->pager);
		return PAGE_FOLLOWS;
	}
	look_into(reader, previous);
	facts.call = previous->call;
	facts.records = previous->records;
	if (!previous->complete && !pager_may_hurry(&reader->pager, &facts))
		return PAGE_UNKNOWN;
	*call = pager_next(&reader->pager, &facts);
	return *call == NULL ? PAGE_LAST : PAGE_FOLLOWS;
}

static void
begun(void *arg, HttpCall *call)
{
	ManifestReader *reader = arg;

	if (manifest_not_ready(&reader->plan->read->call, call->status))
		manifest_raise_not_ready(reader->session, call, reader->what);
}

static void
fail(void *arg, HttpCall *call)
{
	ManifestReader *reader = arg;

	manifest_fail(reader->session, call, reader->what);
}

/* an answer that says that it failed, though its status is fine */
static void
check(void *arg, const RecordPage *page)
{
	ManifestReader *reader = arg;
	const ManifestErrors *errors = &manifest_of(reader->session)->errors;

	look_into(reader, page);
	if (manifest_failed(errors, lookup_page, reader))
		manifest_raise(reader->session, page->call, reader->what,
					   manifest_first_text(&errors->code, lookup_page, reader),
					   manifest_first_text(&errors->message, lookup_page, reader));
}

/* ---------- cells ---------- */

/* the values of a column that is not read as it is; of others, as they were read */
static void
fill_column(const Column *column, int number, Batch *batch)
{
	Cell	   *cells = batch->columns[number];

	for (uint32 row = 0; row < batch->nrows; row++)
	{
		if (column->constant != NULL)
			cells[row] = *column->constant;
		else if (column->selector != NULL)
			cells[row] = selector_apply(column->selector, &batch->columns[column->from][row], batch, row);
		else
			cells[row] = batch->columns[column->from][row];
	}
}

/* what does not have the form stays, and is refused where it has to be a time */
static void
parse_column(const Column *column, int number, Batch *batch)
{
	for (uint32 row = 0; row < batch->nrows; row++)
		(void) manifest_parse_time(column->format, column->type, &batch->columns[number][row]);
}

/* the application's own word for null */
static void
null_column(const Column *column, int number, Batch *batch)
{
	size_t		length = strlen(column->null);

	for (uint32 row = 0; row < batch->nrows; row++)
	{
		Cell	   *cell = &batch->columns[number][row];

		if ((cell->kind == CELL_STRING || cell->kind == CELL_NUMBER) && cell->length == length &&
			memcmp(cell->data, column->null, length) == 0)
			*cell = cell_null();
	}
}

static void
empty_to_null(Batch *batch)
{
	for (int i = 0; i < batch->ncolumns; i++)
	{
		for (uint32 row = 0; row < batch->nrows; row++)
		{
			Cell	   *cell = &batch->columns[i][row];

			if (cell->kind == CELL_STRING && cell->length == 0)
				*cell = cell_null();
		}
	}
}

static void
keep_row(Batch *batch, uint32 to, uint32 from)
{
	if (to == from)
		return;
	for (int i = 0; i < batch->ncolumns; i++)
		batch->columns[i][to] = batch->columns[i][from];
	batch->lines[to] = batch->lines[from];
}

/* ---------- records that come twice ---------- */

static void
begin_seen(SeenPage *seen)
{
	HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(SeenRecord)};

	if (seen->context != NULL)
		MemoryContextDelete(seen->context);
	seen->context = AllocSetContextCreate(CurrentMemoryContext, "appflow records of a page", ALLOCSET_DEFAULT_SIZES);
	control.hcxt = seen->context;
	seen->records = hash_create("appflow records of a page", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static bool
is_seen(const SeenPage *seen, uint64 hash, const char *text)
{
	SeenRecord *found = seen->records == NULL ? NULL : hash_search(seen->records, &hash, HASH_FIND, NULL);
	ListCell   *lc;

	if (found == NULL)
		return false;
	foreach(lc, found->texts)
	{
		if (strcmp(lfirst(lc), text) == 0)
			return true;
	}
	return false;
}

static void
note_seen(SeenPage *seen, uint64 hash, const char *text)
{
	MemoryContext old = MemoryContextSwitchTo(seen->context);
	bool		found;
	SeenRecord *record = hash_search(seen->records, &hash, HASH_ENTER, &found);

	if (!found)
		record->texts = NIL;
	record->texts = lappend(record->texts, pstrdup(text));
	MemoryContextSwitchTo(old);
}

/* leave out the records that the page before has had */
static void
drop_seen(ManifestReader *reader, const RecordPage *page, Batch *batch)
{
	SeenPage   *current = &reader->seen[page->number % 2];
	SeenPage   *before = &reader->seen[(page->number + 1) % 2];
	MemoryContext old = MemoryContextSwitchTo(reader->context);
	StringInfoData text;
	uint32		kept = 0;

	if (reader->seen_page != page->number)
	{
		begin_seen(current);
		reader->seen_page = page->number;
	}
	initStringInfo(&text);
	for (uint32 row = 0; row < batch->nrows; row++)
	{
		uint64		hash;

		resetStringInfo(&text);
		for (int i = 0; i < reader->ndistinct; i++)
		{
			const Cell *cell = &batch->columns[reader->distinct[i]][row];
			char	   *value = cell_text_cstring(cell, FIELD_STRING);

			appendStringInfo(&text, "%d:%zu:%s;", cell->kind, strlen(value), value);
			pfree(value);
		}
		hash = hash_bytes_extended((const unsigned char *) text.data, text.len, 0);
		note_seen(current, hash, text.data);
		if (!is_seen(before, hash, text.data))
			keep_row(batch, kept++, row);
	}
	batch->nrows = kept;
	pfree(text.data);
	MemoryContextSwitchTo(old);
}

static void
note_key(ManifestReader *reader, const Batch *batch)
{
	const Cell *cell = &batch->columns[reader->key_column][batch->nrows - 1];

	MemoryContext old = MemoryContextSwitchTo(reader->context);

	if (reader->pager.last_key != NULL)
		pfree(reader->pager.last_key);
	reader->pager.last_key = cell->kind == CELL_NULL ? NULL : cell_text_cstring(cell, FIELD_STRING);
	MemoryContextSwitchTo(old);
}

static void
change_cells(ManifestReader *reader, Batch *batch)
{
	for (int i = 0; i < reader->ncolumns; i++)
	{
		if (reader->columns[i].from >= 0 || reader->columns[i].constant != NULL)
			fill_column(&reader->columns[i], i, batch);
	}
	for (int i = 0; i < reader->ncolumns; i++)
	{
		if (reader->columns[i].null != NULL)
			null_column(&reader->columns[i], i, batch);
		if (reader->columns[i].format != FORMAT_ISO)
			parse_column(&reader->columns[i], i, batch);
	}
	if (manifest_of(reader->session)->empty_is_null)
		empty_to_null(batch);
}

static void
adapt(void *arg, const RecordPage *page, Batch *batch)
{
	ManifestReader *reader = arg;

	if (reader->key_column >= 0)
		note_key(reader, batch);
	if (reader->unnest == NULL)
		change_cells(reader, batch);
	if (reader->ndistinct > 0)
		drop_seen(reader, page, batch);
}

/* ---------- columns ---------- */

/* the column of a path, made (and hidden) if there is none */
static int
column_of_path(Schema *schema, const char **paths, int *npaths, const char *path)
{
	Field	   *field;

	for (int i = 0; i < *npaths; i++)
	{
		if (strcmp(paths[i], path) == 0)
			return i;
	}
	field = schema_add(schema, path, FIELD_STRING);
	field->hidden = true;
	paths[*npaths] = pstrdup(path);
	return (*npaths)++;
}

static const ManifestField *
given_field(const ManifestEntity *entity, const char *name)
{
	for (int i = 0; i < entity->fields.count; i++)
	{
		if (strcmp(entity->fields.items[i].name, name) == 0)
			return &entity->fields.items[i];
	}
	return NULL;
}

static Cell *
constant_of(ManifestReader *reader, const ManifestField *given)
{
	char	   *text = manifest_expand(&reader->plan->values, given->constant, false);
	Cell	   *cell = palloc(sizeof(Cell));

	*cell = text == NULL ? cell_null() : cell_text(CELL_STRING, text, (uint32) strlen(text));
	return cell;
}

/* where a column that the page reader must not fill looks for its value: nowhere */
static char *
no_path(int number)
{
	return psprintf("\001%d", number);
}

/* columns that are in arrays within the record, and hidden ones for the members that have these */
static void
unnest_columns(ManifestReader *reader, int *count)
{
	const char *base;
	int			n = 0;

	for (int i = 0; i < *count; i++)
	{
		Column	   *column = &reader->columns[i];

		column->unnested = column->from < 0 && column->constant == NULL &&
			unnest_find(reader->unnest, reader->paths[i], &column->place);
		if (column->unnested)
			reader->paths[i] = no_path(i);
	}
	for (; (base = unnest_base(reader->unnest, n)) != NULL; n++)
	{
		Field	   *field = schema_add(reader->plan->schema, no_path(*count), FIELD_STRING);

		field->hidden = true;
		reader->bases[n] = *count;
		reader->paths[(*count)++] = base;
	}
}

/* what each field of the schema is made of; appends the hidden ones that this takes */
static void
make_columns(ManifestReader *reader)
{
	Schema	   *schema = reader->plan->schema;
	const ManifestRead *read = reader->plan->read;
	int			asked = schema->nfields;
	int			room = 2 * asked + read->distinct.count + 1;
	int			count = asked;

	for (int i = 0; i < read->unnest.count; i++)
		room += read->unnest.items[i].count;

	reader->columns = palloc0(sizeof(Column) * room);
	reader->paths = palloc0(sizeof(char *) * room);
	for (int i = 0; i < room; i++)
		reader->columns[i] = (Column)
	{
		.from = -1, .format = FORMAT_ISO
	};
	for (int i = 0; i < asked; i++)
	{
		const Field *field = &schema->fields[i];
		const ManifestField *given = given_field(reader->plan->entity, field->name);
		Column	   *column = &reader->columns[i];
		const char *path = field->path != NULL ? field->path : field->name;

		column->type = field->type;
		if (field->type == FIELD_DATE || field->type == FIELD_DATETIME || field->type == FIELD_TIMESTAMP)
			column->format = manifest_format(manifest_of(reader->session), field);
		column->selector = selector_parse(path);
		if (given != NULL)
			column->null = given->null;
		if (given != NULL && given->constant != NULL)
			column->constant = constant_of(reader, given);
		for (int k = 0; k < i && column->selector == NULL; k++)
		{
			if (strcmp(reader->paths[k], path) == 0)
				column->from = k;
		}
		reader->paths[i] = column->selector != NULL || column->constant != NULL || column->from >= 0 ? no_path(i) :
			pstrdup(path);
	}
	for (int i = 0; i < asked; i++)
	{
		if (reader->columns[i].selector != NULL)
			reader->columns[i].from = column_of_path(schema, reader->paths, &count, reader->columns[i].selector->base);
	}
	reader->key_column = -1;
	if (read->paging.kind == PAGING_KEY)
		reader->key_column = column_of_path(schema, reader->paths, &count, read->paging.next);
	reader->distinct = palloc(sizeof(int) * Max(read->distinct.count, 1));
	for (int i = 0; i < read->distinct.count; i++)
	{
		int			found = schema_find(schema, read->distinct.items[i]);
		int			described = schema_find(reader->plan->described, read->distinct.items[i]);
		const Field *field = described < 0 ? NULL : &reader->plan->described->fields[described];

		if (found < 0)
			found = column_of_path(schema, reader->paths, &count,
								   field != NULL && field->path != NULL ? field->path : read->distinct.items[i]);
		reader->distinct[reader->ndistinct++] = found;
	}
	if (read->unnest.count > 0)
	{
		reader->unnest = unnest_create(read);
		reader->bases = palloc(sizeof(int) * room);
		reader->base_cells = palloc(sizeof(Cell *) * room);
		unnest_columns(reader, &count);
	}
	reader->ncolumns = count;
}

/* ---------- the reader ---------- */

/* leave out what comes before the offset, and behind the limit */
static void
cut(ManifestReader *reader, Batch *batch)
{
	uint32		begin = (uint32) Min((int64) batch->nrows, reader->skip);
	uint32		kept = batch->nrows - begin;

	reader->skip -= begin;
	if (reader->left != NO_LIMIT)
	{
		kept = (uint32) Min((int64) kept, reader->left);
		reader->left -= kept;
	}
	for (uint32 i = 0; i < kept && begin > 0; i++)
		keep_row(batch, i, begin + i);
	batch->nrows = kept;
}

/* ---------- records within records ---------- */

/* cells are of a batch, and trees of a record */
static void
forget_shown(ManifestReader *reader)
{
	for (int i = 0; i < reader->ncolumns; i++)
		reader->columns[i].shown = NULL;
}

static void
begin_within(ManifestReader *reader)
{
	for (int i = 0; unnest_base(reader->unnest, i) != NULL; i++)
		reader->base_cells[i] = &reader->outer->columns[reader->bases[i]][reader->outer_row];
	unnest_begin(reader->unnest, reader->base_cells, reader->outer, reader->outer_row);
	reader->within = true;
	forget_shown(reader);
}

/* a row of what the arrays have now, and of what is beside them */
static void
add_row(ManifestReader *reader, Batch *batch)
{
	for (int i = 0; i < batch->ncolumns; i++)
	{
		Column	   *column = i < reader->ncolumns ? &reader->columns[i] : NULL;
		const JsonTree *tree;

		if (column == NULL || !column->unnested)
		{
			batch->columns[i][batch->nrows] = reader->outer->columns[i][reader->outer_row];
			continue;
		}
		tree = unnest_value(reader->unnest, &column->place);
		if (tree == NULL || tree != column->shown)
			column->shown_cell = tree == NULL ? cell_null() : manifest_cell(tree, batch);
		column->shown = tree;
		batch->columns[i][batch->nrows] = column->shown_cell;
	}
	batch->nrows++;
}

/* The next rows; cells lead into the records that they are of, which stay until the next call. */
static bool
next_within(ManifestReader *reader, Batch *batch)
{
	forget_shown(reader);
	while (batch->nrows == 0)
	{
		if (reader->outer_row == reader->outer->nrows)
		{
			batch_reset(reader->outer);
			reader->outer_row = 0;
			if (!reader->pages->next(reader->pages, reader->outer))
				return false;
			reader->outer->first_record = reader->outer_records + 1;
			reader->outer_records += reader->outer->nrows;
			while (batch->ncolumns < reader->outer->ncolumns)
				(void) batch_add_column(batch);
		}
		for (; reader->outer_row < reader->outer->nrows; reader->outer_row++)
		{
			if (!reader->within)
				begin_within(reader);
			while (batch->nrows < BATCH_ROWS && unnest_next(reader->unnest))
				add_row(reader, batch);
			if (batch->nrows == BATCH_ROWS)
				break;
			reader->within = false;
		}
	}
	change_cells(reader, batch);
	return true;
}

static bool
reader_next(RecordReader *base, Batch *batch)
{
	ManifestReader *reader = (ManifestReader *) base;

	while (reader->left != 0)
	{
		bool		more = reader->unnest != NULL ? next_within(reader, batch) : reader->pages->next(reader->pages, batch);

		base->bytes = reader->pages->bytes;
		base->pages = reader->pages->pages;
		if (!more)
			return false;
		cut(reader, batch);
		if (batch->nrows > 0)
			return true;
		arena_reset(batch->arena);
	}
	return false;
}

static bool
reader_ready(RecordReader *base)
{
	ManifestReader *reader = (ManifestReader *) base;

	return reader->left == 0 || (reader->unnest != NULL && reader->outer_row < reader->outer->nrows) ||
		reader->pages->ready(reader->pages);
}

static void
reader_close(RecordReader *base)
{
	ManifestReader *reader = (ManifestReader *) base;

	reader->pages->close(reader->pages);
}

static RecordReader *
open_pages(ConnectorSession *session, ReadRequest *request, ReadPlan *plan)
{
	ManifestReader *reader = palloc0(sizeof(ManifestReader));
	PageSource	source = {0};

	reader->context = CurrentMemoryContext;
	reader->looked_up = AllocSetContextCreate(CurrentMemoryContext, "appflow envelope", ALLOCSET_SMALL_SIZES);
	reader->session = session;
	reader->plan = plan;
	reader->what = manifest_what(request->entity);
	reader->pager = (Pager)
	{
		.session = session, .read = plan->read, .values = &plan->values, .extra = plan->extra, .what = reader->what
	};
	pager_begin(&reader->pager, manifest_page_size(request, plan));
	reader->skip = request->limit_taken ? request->offset : 0;
	reader->left = request->limit_taken ? request->limit : NO_LIMIT;
	make_columns(reader);
	want_envelope(reader);

	source.session = session;
	source.what = reader->what;
	source.schema = plan->schema;
	source.record_path = plan->read->records;
	source.envelope = reader->envelope;
	source.nenvelope = reader->nenvelope;
	source.paths = reader->paths;
	source.discover = plan->discover;
	source.may_lack_records = plan->read->may_lack_records;
	source.lines = plan->read->lines;
	source.next_page = next_page;
	source.begun = begun;
	source.fail = fail;
	if (manifest_of(session)->errors.failed.count > 0 && plan->read->records != NULL && plan->read->records[0] != '\0')
		source.check = check;
	source.adapt = adapt;
	source.arg = reader;
	source.limit_hint = request->limit_taken ? request->limit + request->offset : request->limit_hint;
	reader->pages = page_reader_open(&source);
	if (reader->unnest != NULL)
		reader->outer = batch_create(plan->schema->nfields);
	reader->base.schema = reader->pages->schema;
	reader->base.next = reader_next;
	reader->base.close = reader_close;
	reader->base.ready = reader_ready;
	return &reader->base;
}

/* ---------- counting ---------- */

typedef struct CountReader
{
	RecordReader base;
	int64		count;
	bool		done;
} CountReader;

static bool
count_next(RecordReader *base, Batch *batch)
{
	CountReader *reader = (CountReader *) base;

	if (reader->done)
		return false;
	reader->done = true;
	batch->columns[0][0] = cell_integer(CELL_INTEGER, reader->count);
	batch->lines[0] = 0;
	batch->nrows = 1;
	return true;
}

static void
count_close(RecordReader *base)
{
}

static RecordReader *
open_count(ConnectorSession *session, ReadRequest *request, ReadPlan *plan)
{
	const ManifestCount *count = plan->entity->count;
	char	   *what = psprintf("the number of records of entity \"%s\"", request->entity);
	HttpCall   *call = manifest_make_call(session, &count->call, &plan->values, TURN_FIRST, plan->extra);
	const JsonTree *tree = manifest_fetch(session, call, what, manifest_arena());
	const char *text = count->value != NULL ? json_tree_text(tree, count->value) : http_response_header(call, count->header);
	CountReader *reader = palloc0(sizeof(CountReader));

	if (text == NULL || !text_parse_int64(text, strlen(text), &reader->count) || reader->count < 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the answer of %s about %s has no number at \"%s\"", session_application(session), what,
					   count->value != NULL ? count->value : count->header));
	http_close(call);
	reader->base.schema = schema_create();
	(void) schema_add(reader->base.schema, "count", FIELD_LONG);
	reader->base.next = count_next;
	reader->base.close = count_close;
	return &reader->base;
}

/* ---------- opening ---------- */

RecordReader *
manifest_open_reader(ConnectorSession *session, ReadRequest *request)
{
	const ManifestEntity *entity = manifest_entity(session, request->entity);
	const Schema *described = request->described;
	ReadPlan   *plan;

	manifest_check_settings(session, jsonb_get_container(request->properties, "customProperties"), true);
	if (described == NULL)
	{
		Schema	   *schema = manifest_known_fields(session, entity, request->entity);

		if (entity->sample > 0 && request->need_types)
			manifest_sample(session, entity, request->entity, request->properties, schema);
		described = schema;
	}
	plan = manifest_plan(session, request, described);
	return request->aggregates_taken ? open_count(session, request, plan) : open_pages(session, request, plan);
}

void
manifest_sample(ConnectorSession *session, const ManifestEntity *entity, const char *name, Jsonb *properties,
				Schema *schema)
{
	ReadRequest *request = read_request_create(name);
	TypeGuess  *guesses = NULL;
	int			nguesses = 0;
	int64		records = 0;
	RecordReader *reader;
	Batch	   *batch;

	request->all_fields = true;
	request->properties = properties;
	request->limit_hint = entity->sample;
	reader = open_pages(session, request, manifest_plan(session, request, schema));
	batch = batch_create(reader->schema->nfields);
	while (records < entity->sample)
	{
		CHECK_FOR_INTERRUPTS();
		batch_reset(batch);
		if (!reader->next(reader, batch))
			break;
		if (reader->schema->nfields > nguesses)
		{
			int			count = reader->schema->nfields;

			guesses = guesses == NULL ? palloc0(sizeof(TypeGuess) * count) : repalloc(guesses, sizeof(TypeGuess) * count);
			memset(guesses + nguesses, 0, sizeof(TypeGuess) * (count - nguesses));
			nguesses = count;
		}
		for (int i = 0; i < batch->ncolumns; i++)
		{
			for (uint32 row = 0; row < batch->nrows; row++)
				type_guess_add(&guesses[i], &batch->columns[i][row], false);
		}
		records += batch->nrows;
	}
	for (int i = 0; i < reader->schema->nfields; i++)
	{
		const Field *field = &reader->schema->fields[i];

		if (!field->hidden && schema_find(schema, field->name) < 0)
			(void) schema_add(schema, field->name, i < nguesses ? type_guess_result(&guesses[i]) : FIELD_STRING);
	}
	reader->close(reader);
}
