/*-------------------------------------------------------------------------
 *
 * google_analytics_read.c
 *	  Reads the records of a report of Google Analytics, page by page.
 *
 * A row has its values in two arrays, those of dimensions and those of metrics, in
 * the order in which they were asked for.  The page reader puts the arrays, as JSON,
 * into the first column of either kind; here they are spread over all.
 *
 * What Google says of a report as a whole (that it is a sample, that rows are left
 * out or rolled together) becomes the reader's warning.
 *
 * IDENTIFICATION
 *	  src/apps/google_analytics_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/google_analytics.h"
#include "codec/json_tree.h"
#include "codec/text.h"
#include "compat.h"
#include "connector/page_reader.h"
#include "record/errors.h"
#include "utils/memutils.h"

/* what stands around the rows; names of columns follow */
enum
{
	ENVELOPE_COUNT,
	ENVELOPE_TOKEN,
	ENVELOPE_OTHER,
	ENVELOPE_THRESHOLDS,
	ENVELOPE_SAMPLED,
	ENVELOPE_SPACE,
	ENVELOPE_REASON,
	ENVELOPE_BLOCKED,
	ENVELOPE_NAMES
};

static const char *const property_envelope[ENVELOPE_NAMES] = {
	"rowCount", "nextPageToken", "metadata.dataLossFromOtherRow", "metadata.subjectToThresholding",
	"metadata.samplingMetadatas.0.samplesReadCount", "metadata.samplingMetadatas.0.samplingSpaceSize",
	"metadata.emptyReason", "metadata.schemaRestrictionResponse.activeMetricRestrictions.0.metricName"
};

/* a member that there is not: views do not say that */
#define NOT_TOLD "\001"

static const char *const view_envelope[ENVELOPE_NAMES] = {
	"reports.0.data.rowCount", "reports.0.nextPageToken", NOT_TOLD, NOT_TOLD,
	"reports.0.data.samplesReadCounts.0", "reports.0.data.samplingSpaceSizes.0", "reports.0.data.emptyReason", NOT_TOLD
};

typedef struct GoogleReader
{
	ConnectorSession *session;
	const GoogleReport *report;
	MemoryContext home;
	RecordReader *base;
	int64		total;			/* rows of the whole report; -1: not known yet */
	int64		offset;			/* of the page that was asked for last */
	int64		size;			/* its rows, at most */
	char	   *token;			/* of a view's page */

	/* columns that the arrays are in, or -1 */
	int			dimension_carrier;
	int			metric_carrier;
} GoogleReader;

/* ---------- pages ---------- */

static HttpCall *
page_call(GoogleReader *reader)
{
	const GoogleReport *report = reader->report;
	int64		given = reader->offset - report->offset;
	char	   *body;

	reader->size = report->limit == NO_LIMIT ? report->page : Min((int64) report->page, report->limit - given);
	body = google_report_body(report, reader->offset, reader->size, reader->token);
	return google_call(reader->session, report->view ? GOOGLE_REPORTING : GOOGLE_DATA, "POST", google_report_path(report),
					   body, strlen(body));
}

static int64
number_of(const Cell *cell, int64 otherwise)
{
	int64		value;

	return (cell->kind == CELL_NUMBER || cell->kind == CELL_STRING) &&
		text_parse_int64(cell->data, cell->length, &value) ? value : otherwise;
}

static NextPage
next_page(void *arg, const RecordPage *previous, HttpCall **call)
{
	GoogleReader *reader = arg;
	const GoogleReport *report = reader->report;

	if (previous == NULL)
	{
		if (report->empty)
			return PAGE_LAST;
		reader->offset = report->offset;
		*call = page_call(reader);
		return PAGE_FOLLOWS;
	}

	/* how many rows there are in all is told behind them */
	if (!previous->complete)
		return PAGE_UNKNOWN;
	reader->offset += (int64) previous->records;
	if (reader->offset >= reader->total || (report->limit != NO_LIMIT && reader->offset - report->offset >= report->limit))
		return PAGE_LAST;
	if (report->view)
	{
		const Cell *token = &previous->envelope[ENVELOPE_TOKEN];
		char	   *text = token->kind == CELL_STRING || token->kind == CELL_NUMBER ?
			MemoryContextStrdup(reader->home, pnstrdup(token->data, token->length)) : NULL;

		if (text == NULL || (reader->token != NULL && strcmp(text, reader->token) == 0))
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("page " UINT64_FORMAT " of %s from Google Analytics does not say what follows", previous->number,
						   report->what));
		reader->token = text;
	}
	*call = page_call(reader);
	return PAGE_FOLLOWS;
}

static void
fail(void *arg, HttpCall *call)
{
	GoogleReader *reader = arg;

	google_fail(reader->session, call, reader->report->what);
}

/* ---------- what is said of the report ---------- */

static bool
is_true(const Cell *cell)
{
	return cell->kind == CELL_BOOLEAN && cell->integer != 0;
}

static void
add_words(StringInfo out, const char *words)
{
	appendStringInfo(out, "%s%s", out->len == 0 ? "" : "; ", words);
}

static void
note_warning(GoogleReader *reader, const Cell *envelope)
{
	StringInfoData words;
	int64		sampled = number_of(&envelope[ENVELOPE_SAMPLED], -1);
	int64		space = number_of(&envelope[ENVELOPE_SPACE], -1);

	initStringInfo(&words);
	if (sampled >= 0 && space > sampled)
		add_words(&words, psprintf("it is made of a sample of " INT64_FORMAT " of " INT64_FORMAT " events or sessions", sampled, space));
	if (is_true(&envelope[ENVELOPE_OTHER]))
		add_words(&words, "rows are rolled together into \"(other)\"");
	if (is_true(&envelope[ENVELOPE_THRESHOLDS]))
		add_words(&words, "it is subject to thresholds, so rows of few users may be missing");
	if (envelope[ENVELOPE_REASON].kind == CELL_STRING)
		add_words(&words, psprintf("it is empty: %s",
								   session_words(reader->session, pnstrdup(envelope[ENVELOPE_REASON].data,
																			 envelope[ENVELOPE_REASON].length))));
	if (words.len > 0 && reader->base->warning == NULL)
		reader->base->warning = MemoryContextStrdup(reader->home,
													psprintf("Google Analytics says of the report on %s: %s", reader->report->what,
															 words.data));
}

/* the columns are those that were asked for, in that order */
static void
check_names(const GoogleReader *reader, const Cell *envelope)
{
	const GoogleReport *report = reader->report;

	for (int i = 0; i < report->ndimensions + report->nmetrics; i++)
	{
		const char *name = i < report->ndimensions ? report->dimensions[i] : report->metrics[i - report->ndimensions];
		const Cell *cell = &envelope[ENVELOPE_NAMES + i];

		if (cell->kind != CELL_STRING || cell->length != strlen(name) || memcmp(cell->data, name, cell->length) != 0)
			ereport(ERROR,
					appflow_error(WF_CONNECTOR),
					errmsg("the report on %s from Google Analytics has no column \"%s\" where it was asked for", report->what, name));
	}
}

static void
check(void *arg, const RecordPage *page)
{
	GoogleReader *reader = arg;
	const GoogleReport *report = reader->report;
	const Cell *envelope = page->envelope;
	int64		count = number_of(&envelope[ENVELOPE_COUNT], page->records == 0 ? 0 : -1);
	int64		due;

	if (count < 0)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("page " UINT64_FORMAT " of %s from Google Analytics does not say how many rows there are", page->number,
					   report->what));
	if (envelope[ENVELOPE_BLOCKED].kind == CELL_STRING)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("Google Analytics tells metric \"%.*s\" of %s as zeros only: the user may not see it",
					   (int) Min(envelope[ENVELOPE_BLOCKED].length, 100), envelope[ENVELOPE_BLOCKED].data, report->what),
				errhint("See the data restrictions of the user of connector profile \"%s\".", reader->session->profile_name));
	check_names(reader, envelope);

	/* what has been read of another report does not go with the rest of this one */
	if (reader->total >= 0 && count != reader->total)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the report on %s changed while it was read: it had " INT64_FORMAT " rows, then " INT64_FORMAT, report->what,
					   reader->total, count),
				errhint("Figures of the last two days change: read days before them."));
	reader->total = count;
	due = Max(Min(count - reader->offset, reader->size), 0);
	if ((int64) page->records > due || (page->records == 0 && due > 0))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("page " UINT64_FORMAT " of %s from Google Analytics has " UINT64_FORMAT " rows, where up to " INT64_FORMAT " were due",
					   page->number, report->what, page->records, due));
	note_warning(reader, envelope);
}

/* ---------- values ---------- */

/* digits of a date, an hour or a minute; what else is there ("(other)") stays text */
static void
adapt_date(Cell *cell, int digits)
{
	int			parts[5] = {0};
	int64		days;
	int64_t		year;
	unsigned	month;
	unsigned	day;
	int			length = 4;
	const char *p = cell->data;

	if ((int) cell->length != digits || strspn(p, "0123456789") < (size_t) digits)
		return;
	for (int i = 0; p < cell->data + digits; i++)
	{
		for (int j = 0; j < length; j++)
			parts[i] = parts[i] * 10 + (*p++ - '0');
		length = 2;
	}
	days = text_days_from_civil(parts[0], parts[1], parts[2]);
	text_civil_from_days(days, &year, &month, &day);
	if (parts[1] < 1 || parts[1] > 12 || year != parts[0] || (int) month != parts[1] || (int) day != parts[2] ||
		parts[3] > 23 || parts[4] > 59)
		return;
	*cell = digits == 8 ? cell_integer(CELL_DATE, days) :
		cell_integer(CELL_TIMESTAMP, (days * 1440 + parts[3] * 60 + parts[4]) * INT64CONST(60000000));
}

static void
adapt_value(Batch *batch, Cell *cell, const Field *field)
{
	char	   *problem;

	if (google_date_digits(field->name) != 0)
		adapt_date(cell, google_date_digits(field->name));
	else if (field->type != FIELD_STRING)
	{
		/* what does not fit stays as it is, and fails its record where it is used */
		problem = cell_convert(batch, cell, field);
		if (problem != NULL)
			pfree(problem);
	}
}

pg_noreturn static void
malformed_row(const GoogleReader *reader, const RecordPage *page)
{
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("page " UINT64_FORMAT " of %s from Google Analytics has a row without its values", page->number,
				   reader->report->what));
}

/* the array of a row: {"value": ...} of properties, texts and {"values": [...]} of views */
static const JsonTree *
parse_values(const GoogleReader *reader, const RecordPage *page, Batch *batch, const Cell *carrier, bool metrics, int count)
{
	CodecError	error;
	JsonTree   *tree = carrier->kind == CELL_JSON ? json_tree_parse(batch->arena, carrier->data, carrier->length, &error) : NULL;
	const JsonTree *values = tree;

	if (tree != NULL && reader->report->view && metrics)
		values = json_tree_find(tree, "0.values");
	if (values == NULL || values->kind != JSON_TREE_ARRAY || values->count != count)
		malformed_row(reader, page);
	return values->first;
}

static const JsonTree *
spread(const GoogleReader *reader, const RecordPage *page, Batch *batch, const JsonTree *value, Cell *cell)
{
	const JsonTree *text = value->kind == JSON_TREE_OBJECT ? json_tree_member(value, "value") : value;

	/* a value that is empty may be left out */
	if (text == NULL && value->kind == JSON_TREE_OBJECT)
		*cell = cell_text(CELL_STRING, "", 0);
	else if (text == NULL || text->kind != JSON_TREE_STRING || text->length > PG_UINT32_MAX)
		malformed_row(reader, page);
	else
		*cell = cell_text(CELL_STRING, text->text, (uint32) text->length);
	return value->next;
}

static void
adapt(void *arg, const RecordPage *page, Batch *batch)
{
	GoogleReader *reader = arg;
	const GoogleReport *report = reader->report;
	const Schema *schema = report->schema;

	for (uint32 row = 0; row < batch->nrows; row++)
	{
		const JsonTree *dimension = reader->dimension_carrier < 0 ? NULL :
			parse_values(reader, page, batch, &batch->columns[reader->dimension_carrier][row], false, report->ndimensions);
		const JsonTree *metric = reader->metric_carrier < 0 ? NULL :
			parse_values(reader, page, batch, &batch->columns[reader->metric_carrier][row], true, report->nmetrics);

		for (int i = 0; i < schema->nfields; i++)
		{
			const Field *field = &schema->fields[i];
			Cell	   *cell = &batch->columns[i][row];

			if (google_kind(field) == GOOGLE_WINDOW)
			{
				*cell = cell_integer(CELL_DATE, strcmp(field->name, GOOGLE_START_DATE) == 0 ? report->window_start : report->window_end);
				continue;
			}
			if (google_kind(field) == GOOGLE_METRIC)
				metric = spread(reader, page, batch, metric, cell);
			else
				dimension = spread(reader, page, batch, dimension, cell);
			adapt_value(batch, cell, field);
		}
	}
}

/* ---------- the reader ---------- */

/* paths in a row: that of an array for the first column of its kind; those of others are never met */
static const char *const *
paths_of(GoogleReader *reader)
{
	const GoogleReport *report = reader->report;
	const char **paths = palloc(sizeof(char *) * report->schema->nfields);

	reader->dimension_carrier = reader->metric_carrier = -1;
	for (int i = 0; i < report->schema->nfields; i++)
	{
		GoogleKind	kind = google_kind(&report->schema->fields[i]);
		int		   *carrier = kind == GOOGLE_METRIC ? &reader->metric_carrier : &reader->dimension_carrier;

		paths[i] = psprintf("\001%d", i);
		if (kind == GOOGLE_WINDOW || *carrier >= 0)
			continue;
		*carrier = i;
		if (kind == GOOGLE_METRIC)
			paths[i] = report->view ? "metrics" : "metricValues";
		else
			paths[i] = report->view ? "dimensions" : "dimensionValues";
	}
	return paths;
}

static const char *const *
envelope_of(const GoogleReport *report)
{
	const char **envelope = palloc(sizeof(char *) * (ENVELOPE_NAMES + report->ndimensions + report->nmetrics));

	memcpy(envelope, report->view ? view_envelope : property_envelope, sizeof(char *) * ENVELOPE_NAMES);
	for (int i = 0; i < report->ndimensions; i++)
		envelope[ENVELOPE_NAMES + i] = psprintf(report->view ? "reports.0.columnHeader.dimensions.%d" : "dimensionHeaders.%d.name", i);
	for (int i = 0; i < report->nmetrics; i++)
		envelope[ENVELOPE_NAMES + report->ndimensions + i] =
			psprintf(report->view ? "reports.0.columnHeader.metricHeader.metricHeaderEntries.%d.name" : "metricHeaders.%d.name", i);
	return envelope;
}

RecordReader *
google_open_report(ConnectorSession *session, const GoogleReport *report, int64 limit_hint)
{
	GoogleReader *reader = palloc0(sizeof(GoogleReader));
	PageSource	source = {
		.session = session, .what = report->what, .schema = report->schema,
		.record_path = report->view ? "reports.0.data.rows" : "rows", .may_lack_records = true,
		.next_page = next_page, .fail = fail, .check = check, .adapt = adapt, .arg = reader,
		.limit_hint = report->limit != NO_LIMIT ? report->limit : limit_hint
	};

	reader->session = session;
	reader->report = report;
	reader->home = CurrentMemoryContext;
	reader->total = -1;
	source.paths = paths_of(reader);
	source.envelope = envelope_of(report);
	source.nenvelope = ENVELOPE_NAMES + report->ndimensions + report->nmetrics;
	reader->base = page_reader_open(&source);
	return reader->base;
}
