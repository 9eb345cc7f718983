/*-------------------------------------------------------------------------
 *
 * veeva_read.c
 *	  Reads records of an object, or documents, by pages of a query.
 *
 * IDENTIFICATION
 *	  src/apps/veeva_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/veeva.h"
#include "codec/json_tree.h"
#include "codec/text.h"
#include "connector/page_reader.h"
#include "net/url.h"
#include "record/errors.h"

typedef struct QueryReader
{
	ConnectorSession *session;
	const Schema *schema;
	const char *what;
	char	   *body;			/* of the first call */
	int64		offset;			/* of the page that is known last; -1: none */
	List	   *lists;			/* of VeevaListFilter * */
	int		   *list_columns;

	/* files: NULL if there are none, else which version each row is about */
	VeevaFiles *files;
	VeevaVersion *versions;
	uint32		nversions;
	int			version_columns[4];
} QueryReader;

/* what tells which version a record is about, and whether there is a source file */
static const char *const version_fields[] = {
	"id", "major_version_number__v", "minor_version_number__v", "filename__v"
};

/* ---------- what is read ---------- */

static Field *
add_field(Schema *schema, const Field *like)
{
	Field	   *field = schema_add(schema, like->name, like->type);
	char	   *own = field->name;

	*field = *like;
	field->name = own;
	return field;
}

/* does the name lead along a relationship that one of the entity's fields makes? */
static bool
is_related(const Schema *described, const char *name)
{
	const char *dot = strchr(name, '.');

	for (int i = 0; dot != NULL && veeva_is_name(name, true) && i < described->nfields; i++)
	{
		const char *relationship = described->fields[i].relationship;

		if (relationship != NULL && strlen(relationship) == (size_t) (dot - name) &&
			strncmp(relationship, name, dot - name) == 0)
			return true;
	}
	return false;
}

/*
 * The fields that will be read.  Those that tasks name are in their place among all
 * others; what is at the end of a relationship is text, as nobody has told otherwise.
 */
static Schema *
record_schema(ConnectorSession *session, const ReadRequest *request, const Schema *described)
{
	Schema	   *schema = schema_create();
	ListCell   *lc;

	for (int i = 0; request->all_fields && i < described->nfields; i++)
	{
		const Field *field = &described->fields[i];

		if (list_has_text(request->fields, field->name) || !list_has_text(request->exclude, field->name))
			(void) add_field(schema, field);
	}
	foreach(lc, request->fields)
	{
		const char *name = lfirst(lc);
		int			found = schema_find(described, name);

		if (schema_find(schema, name) >= 0)
			continue;
		if (found < 0 && !is_related(described, name))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("Veeva has no field \"%s\" of entity \"%s\"", name, request->entity),
					errhint("It may have been removed or renamed, or the user of connector profile \"%s\" may lack the right to see it.",
							session->profile_name));
		(found >= 0 ? add_field(schema, &described->fields[found]) : schema_add(schema, name, FIELD_STRING))->hidden =
			request->all_fields;
	}

	/* what conditions on lists look at */
	foreach(lc, request->filters)
	{
		const Filter *filter = lfirst(lc);
		int			found = filter->field == NULL ? -1 : schema_find(described, filter->field);

		if (found >= 0 && described->fields[found].type == FIELD_JSON && schema_find(schema, filter->field) < 0)
			add_field(schema, &described->fields[found])->hidden = true;
	}

	/* the name of the file is not needed, if it may not be seen */
	for (int i = 0; veeva_brings_files(request->properties) && i < (int) lengthof(version_fields); i++)
	{
		int			found = schema_find(described, version_fields[i]);

		if (found < 0 && i < 3)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("Veeva shows no field \"%s\" of entity \"%s\", without which files cannot be had", version_fields[i],
						   request->entity));
		if (found >= 0 && schema_find(schema, version_fields[i]) < 0)
			add_field(schema, &described->fields[found])->hidden = true;
	}
	return schema;
}

/* ---------- values ---------- */

/* numbers that come as text, amounts with the sign of their currency before them */
static void
adapt_number(const Field *field, Cell *cell)
{
	const char *data = cell->data;
	size_t		length = cell->length;

	if (cell->kind != CELL_STRING)
		return;
	if (field->native_type != NULL && pg_strcasecmp(field->native_type, "Currency") == 0)
	{
		while (length > 0 && ((unsigned char) *data >= 0x80 || *data == '$' || *data == ' '))
			data++, length--;
	}
	if (text_is_number(data, length))
		*cell = cell_text(CELL_NUMBER, data, (uint32) length);
}

static bool
value_matches(const VeevaListFilter *list, const char *text, size_t length)
{
	for (int i = 0; i < list->noperands; i++)
	{
		size_t		size = strlen(list->operands[i]);

		if (list->operator == FILTER_CONTAINS ? memmem(text, length, list->operands[i], size) != NULL :
			size == length && memcmp(text, list->operands[i], size) == 0)
			return true;
	}
	return false;
}

/* Is one of the values so (or, NOT_EQUAL_TO, none of them)?  A list without values satisfies nothing. */
static bool
list_matches(const VeevaListFilter *list, Batch *batch, const Cell *cell)
{
	bool		any = false;
	CodecError	error;
	JsonTree   *tree;

	if (cell->kind == CELL_NULL)
		return false;
	if (cell->kind != CELL_JSON)
		any = cell_is_text(cell) && value_matches(list, cell->data, cell->length);
	else
	{
		tree = json_tree_parse(batch->arena, cell->data, cell->length, &error);
		if (tree == NULL || tree->first == NULL)
			return false;
		for (const JsonTree *item = tree->first; item != NULL; item = item->next)
			any = any || (item->text != NULL && value_matches(list, item->text, item->length));
	}
	return any != (list->operator == FILTER_NOT_EQUAL_TO);
}

static bool
row_matches(const QueryReader *reader, Batch *batch, uint32 row)
{
	ListCell   *lc;

	foreach(lc, reader->lists)
	{
		int			column = reader->list_columns[foreach_current_index(lc)];

		if (!list_matches(lfirst(lc), batch, &batch->columns[column][row]))
			return false;
	}
	return true;
}

/* leave out the records that conditions on lists do */
static void
apply_lists(const QueryReader *reader, Batch *batch)
{
	uint32		kept = 0;

	for (uint32 row = 0; row < batch->nrows; row++)
	{
		if (!row_matches(reader, batch, row))
			continue;
		for (int column = 0; column < batch->ncolumns; column++)
			batch->columns[column][kept] = batch->columns[column][row];
		kept++;
	}
	batch->nrows = kept;
}

static void
take_digits(const QueryReader *reader, const Batch *batch, int part, uint32 row, char *digits, size_t size)
{
	const Cell *cell = &batch->columns[reader->version_columns[part]][row];
	bool		good = (cell->kind == CELL_NUMBER || cell->kind == CELL_STRING) && cell->length > 0 && cell->length < size;

	for (uint32 i = 0; good && i < cell->length; i++)
		good = cell->data[i] >= '0' && cell->data[i] <= '9';
	if (!good)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("field \"%s\" of a record of %s from Veeva is not a number, so its files cannot be had", version_fields[part],
					   reader->what));
	memcpy(digits, cell->data, cell->length);
	digits[cell->length] = '\0';
}

/* tasks may change the cells before files are asked for */
static void
note_versions(QueryReader *reader, const Batch *batch)
{
	reader->nversions = batch->nrows;
	for (uint32 row = 0; row < batch->nrows; row++)
	{
		VeevaVersion *version = &reader->versions[row];

		take_digits(reader, batch, 0, row, version->id, sizeof(version->id));
		take_digits(reader, batch, 1, row, version->major, sizeof(version->major));
		take_digits(reader, batch, 2, row, version->minor, sizeof(version->minor));
		version->has_source = reader->version_columns[3] < 0 ||
			batch->columns[reader->version_columns[3]][row].kind != CELL_NULL;
	}
}

static RecordFiles *
record_files(RecordReader *base, uint32 row)
{
	QueryReader *reader = page_reader_arg(base);

	if (row >= reader->nversions)
		elog(ERROR, "there is no record %u of %u", row, reader->nversions);
	return veeva_files_of(reader->files, base, &reader->versions[row]);
}

static void
adapt(void *arg, const RecordPage *page, Batch *batch)
{
	QueryReader *reader = arg;

	for (int column = 0; column < reader->schema->nfields; column++)
	{
		const Field *field = &reader->schema->fields[column];

		if (field->type != FIELD_DECIMAL && field->type != FIELD_LONG)
			continue;
		for (uint32 row = 0; row < batch->nrows; row++)
			adapt_number(field, &batch->columns[column][row]);
	}
	if (reader->lists != NIL)
		apply_lists(reader, batch);
	if (reader->files != NULL)
		note_versions(reader, batch);
}

/* ---------- pages ---------- */

enum
{
	STATUS, NEXT_PAGE, SIZE, OFFSET
};

static const char *const envelope[] = {
	[STATUS] = "responseStatus",[NEXT_PAGE] = "responseDetails.next_page",[SIZE] = "responseDetails.size",
	[OFFSET] = "responseDetails.pageoffset"
};

static void
fail(void *arg, HttpCall *call)
{
	QueryReader *reader = arg;

	veeva_check(reader->session, call, reader->what);
}

/* a number of the envelope; false if it is not told */
static bool
envelope_number(const RecordPage *page, int i, int64 *number)
{
	const Cell *cell = &page->envelope[i];

	return (cell->kind == CELL_NUMBER || cell->kind == CELL_STRING) &&
		text_parse_int64(cell->data, cell->length, number);
}

pg_noreturn static void
leads_nowhere(const QueryReader *reader, const RecordPage *page)
{
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("page " UINT64_FORMAT " of %s from Veeva does not lead on: its link could be followed without end",
				   page->number, reader->what));
	pg_unreachable();
}

static void
check(void *arg, const RecordPage *page)
{
	QueryReader *reader = arg;
	const Cell *status = &page->envelope[STATUS];
	int64		size;

	veeva_check(reader->session, page->call, reader->what);
	if (status->kind != CELL_STRING || status->length != 7 ||
		(memcmp(status->data, "SUCCESS", 7) != 0 && memcmp(status->data, "WARNING", 7) != 0))
		ereport(ERROR,
				appflow_error_detail(WF_CONNECTOR, "%s %s answered with status %d.", page->call->method,
									 http_shown_url(page->call->url), page->call->status),
				errmsg("the answer of Veeva about %s does not say that it is a success", reader->what));
	if (envelope_number(page, SIZE, &size) && size != (int64) page->records)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("page " UINT64_FORMAT " of %s from Veeva has " UINT64_FORMAT " records, and says that it has " INT64_FORMAT,
					   page->number, reader->what, page->records, size));
	if (page->records == 0 && page->envelope[NEXT_PAGE].kind == CELL_STRING)
		leads_nowhere(reader, page);
}

/*
 * Links lead on: each to a page that begins behind the one before.  They come ahead
 * of the records, so the next page is sent for while this one is read.
 */
static NextPage
next_page(void *arg, const RecordPage *previous, HttpCall **call)
{
	QueryReader *reader = arg;
	const Cell *link;
	int64		offset;

	if (previous == NULL)
	{
		*call = veeva_call(reader->session, "POST", "/query");
		http_header(*call, "Content-Type", "application/x-www-form-urlencoded");
		(*call)->body = reader->body;
		(*call)->body_length = strlen(reader->body);
		return PAGE_FOLLOWS;
	}
	link = &previous->envelope[NEXT_PAGE];
	if (link->kind != CELL_STRING || link->length == 0)
		return previous->complete ? PAGE_LAST : PAGE_UNKNOWN;

	/* the offset may stand behind the link */
	if (!previous->complete && previous->envelope[OFFSET].kind == CELL_NULL)
		return PAGE_UNKNOWN;
	if (!envelope_number(previous, OFFSET, &offset) || offset <= reader->offset)
		leads_nowhere(reader, previous);
	reader->offset = offset;
	*call = veeva_call(reader->session, "POST", pnstrdup(link->data, link->length));
	return PAGE_FOLLOWS;
}

/* ---------- the connector's ---------- */

char *
veeva_plan_read(ConnectorSession *session, ReadRequest *request)
{
	List	   *selected = list_copy(request->fields);

	for (int i = 0; request->all_fields && i < request->described->nfields; i++)
	{
		char	   *name = request->described->fields[i].name;

		if (!list_has_text(selected, name) && !list_has_text(request->exclude, name))
			selected = lappend(selected, name);
	}
	return psprintf("POST /query: %s", veeva_query(request, request->described, selected).text);
}

RecordReader *
veeva_open_reader(ConnectorSession *session, ReadRequest *request)
{
	const Schema *described = request->described;
	QueryReader *reader = palloc0(sizeof(QueryReader));
	PageSource	source = {
		.session = session,.record_path = "data",.envelope = envelope,.nenvelope = lengthof(envelope),
		.next_page = next_page,.fail = fail,.check = check,.adapt = adapt,.arg = reader,
		.limit_hint = request->limit_hint
	};
	RecordReader *result;
	Schema	   *schema;
	VeevaQuery	query;
	ListCell   *lc;

	if (described == NULL)
		described = session->connector->describe_entity(session, request->entity);
	schema = record_schema(session, request, described);
	query = veeva_query(request, described, schema_names(schema));
	reader->session = session;
	reader->schema = schema;
	reader->what = psprintf("entity \"%s\"", request->entity);
	reader->body = url_with_parameter("", "q", query.text);
	reader->offset = -1;
	reader->lists = query.lists;
	reader->list_columns = palloc(sizeof(int) * Max(list_length(query.lists), 1));
	foreach(lc, query.lists)
		reader->list_columns[foreach_current_index(lc)] = schema_find(schema, ((VeevaListFilter *) lfirst(lc))->field);
	source.schema = schema;
	source.what = reader->what;
	result = page_reader_open(&source);
	if (veeva_brings_files(request->properties))
	{
		for (int i = 0; i < (int) lengthof(version_fields); i++)
			reader->version_columns[i] = schema_find(schema, version_fields[i]);
		reader->versions = palloc(sizeof(VeevaVersion) * BATCH_ROWS);
		reader->files = veeva_files_create(session, request->properties);
		result->files = record_files;
	}
	return result;
}
