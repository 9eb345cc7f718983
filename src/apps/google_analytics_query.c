/*-------------------------------------------------------------------------
 *
 * google_analytics_query.c
 *	  What a request comes to as a report of Google Analytics.
 *
 * The fields asked for are the dimensions and metrics of the report, no more: one
 * more dimension would be other records.  Conditions on dates become the window of
 * days, all others filters, as far as Google evaluates them exactly as they are
 * meant; the rest is evaluated by the caller if its fields are in the records, and
 * refused if they are not.
 *
 * Follows the types of runReport of the Data API v1beta and of reports:batchGet of
 * the Reporting API v4.
 *
 * IDENTIFICATION
 *	  src/apps/google_analytics_query.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/google_analytics.h"
#include "codec/text.h"
#include "connector/day_window.h"
#include "record/errors.h"
#include "utils/json.h"

/* records of a page */
#define PROPERTY_PAGE 250000
#define VIEW_PAGE 100000
#define LEAST_PAGE 1000			/* where the caller may need no more, but may need more */

/* days before which there is nothing: of the first property, and view */
#define FIRST_PROPERTY_DAY 16661	/* 2015-08-14 */
#define FIRST_VIEW_DAY 12784	/* 2005-01-01 */

typedef struct Builder
{
	GoogleReport *report;
	const Schema *described;
	bool		planning;
	DayWindow	window;
	bool		has_start;		/* startDate and endDate have their value */
	bool		has_end;

	/* filters: JSON texts (of char *) that are all to be satisfied */
	List	   *of_dimensions;
	List	   *of_metrics;
} Builder;

static const Field *
find_field(const Builder *builder, const char *name)
{
	int			index = builder->described == NULL ? -1 : schema_find(builder->described, name);

	return index < 0 ? NULL : &builder->described->fields[index];
}

/* ---------- the records ---------- */

static void
add_field(Builder *builder, const Field *field)
{
	GoogleReport *report = builder->report;
	GoogleKind	kind = google_kind(field);
	bool		metric = kind == GOOGLE_METRIC;
	int			limit = metric ? (int) lengthof(report->metrics) : (int) lengthof(report->dimensions);
	int		   *count = metric ? &report->nmetrics : &report->ndimensions;
	Field	   *copy;
	char	   *name;

	if (schema_find(report->schema, field->name) >= 0)
		return;
	if (kind != GOOGLE_WINDOW && *count >= limit)
	{
		if (builder->planning)
			return;
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("a report of Google Analytics has at most %d %s", limit, metric ? "metrics" : "dimensions"),
				errdetail("\"%s\" would be one more in the report on %s.", field->name, report->what),
				errhint("The columns of a foreign table that a statement names, or the fields that a flow maps, are the report: name fewer."));
	}
	if (kind != GOOGLE_WINDOW)
		(metric ? report->metrics : report->dimensions)[(*count)++] = field->name;
	copy = schema_add(report->schema, field->name, field->type);
	name = copy->name;
	*copy = *field;
	copy->name = name;
}

static void
add_fields(Builder *builder, const ReadRequest *request)
{
	ListCell   *lc;

	if (request->all_fields && !builder->planning)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("not all fields of %s can be read at once", builder->report->what),
				errhint("A report has at most %d dimensions and %d metrics: map them one by one.",
						(int) lengthof(builder->report->dimensions), (int) lengthof(builder->report->metrics)));
	foreach(lc, request->fields)
	{
		const Field *field = find_field(builder, lfirst(lc));

		if (field != NULL)
			add_field(builder, field);
		else if (!builder->planning)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("Google Analytics has no dimension or metric \"%s\" for %s", (char *) lfirst(lc), builder->report->what),
					errhint("It may have been removed, or the user of the connector profile may not see it."));
	}
}

/* ---------- conditions: texts and numbers ---------- */

static char *
quoted(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	escape_json(&out, text);
	return out.data;
}

/* a day as a dimension has it, YYYYMMDD */
static char *
compact_day(int64 day)
{
	char	   *text = day_text(day);

	return psprintf("%.4s%.2s%s", text, text + 5, text + 8);
}

/*
 * The operands as values of a dimension, between commas; NULL: some cannot be
 * compared with it there.
 */
static char *
dimension_values(Builder *builder, const Filter *filter, const Field *field)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < filter->noperands; i++)
	{
		const char *text = filter->operands[i];
		int64		micros;

		if (text == NULL)
			text = day_window_unknown(&builder->window);
		else if (google_date_digits(field->name) == 8)
		{
			if (!day_window_compares(filter) || !day_window_moment(filter, i, &micros) || micros % DAY_MICROS != 0)
				return NULL;
			text = compact_day(micros / DAY_MICROS);
		}
		else if (google_date_digits(field->name) != 0 || (filter->typed && filter->type != FIELD_STRING))
			return NULL;

		/* Google takes an empty text for one that is missing */
		if (text[0] == '\0')
			return NULL;
		appendStringInfo(&out, "%s%s", i == 0 ? "" : ",", quoted(text));
	}
	return out.len == 0 ? NULL : out.data;
}

/* an operand as a number to compare a metric with: JSON text; NULL: it is none */
static char *
metric_value(Builder *builder, const Filter *filter, int i, bool *integer)
{
	const char *text = filter->operands[i];
	int64		value;
	double		real;

	*integer = true;
	if (text == NULL)
		return day_window_unknown(&builder->window);
	if (filter->typed && filter->type != FIELD_INTEGER && filter->type != FIELD_LONG && filter->type != FIELD_FLOAT &&
		filter->type != FIELD_DOUBLE && filter->type != FIELD_DECIMAL)
		return NULL;
	if (text_parse_int64(text, strlen(text), &value))
		return psprintf(INT64_FORMAT, value);
	*integer = false;
	return text_is_number(text, strlen(text)) && text_parse_double(text, strlen(text), &real) ? pstrdup(text) : NULL;
}

/* a double is told with all its digits, but that two are the same is nothing to rely on */
static bool
metric_takes(const Field *field, FilterOperator operator)
{
	return (field->filters & (1 << operator)) != 0;
}

static bool
is_negated(FilterOperator operator)
{
	return operator == FILTER_NOT_EQUAL_TO;
}

/* ---------- conditions of properties ---------- */

static char *
property_dimension(Builder *builder, const Filter *filter, const Field *field)
{
	char	   *values = dimension_values(builder, filter, field);
	const char *match = NULL;
	char	   *expression;

	if (values == NULL)
		return NULL;
	switch (filter->operator)
	{
		case FILTER_EQUAL_TO:
		case FILTER_NOT_EQUAL_TO:
			match = "EXACT";
			break;
		case FILTER_CONTAINS:
			match = filter->noperands == 1 ? "CONTAINS" : NULL;
			break;
		case FILTER_STARTS_WITH:
			match = filter->noperands == 1 ? "BEGINS_WITH" : NULL;
			break;
		default:
			break;
	}
	if (match == NULL || (google_date_digits(field->name) != 0 && strcmp(match, "EXACT") != 0))
		return NULL;
	if (filter->noperands > 1)
		expression = psprintf("{\"filter\":{\"fieldName\":%s,\"inListFilter\":{\"values\":[%s],\"caseSensitive\":true}}}",
							  quoted(field->name), values);
	else
		expression = psprintf("{\"filter\":{\"fieldName\":%s,\"stringFilter\":{\"matchType\":\"%s\",\"value\":%s,\"caseSensitive\":true}}}",
							  quoted(field->name), match, values);
	return is_negated(filter->operator) ? psprintf("{\"notExpression\":%s}", expression) : expression;
}

static char *
join_expressions(List *expressions, const char *group)
{
	StringInfoData out;
	ListCell   *lc;

	if (list_length(expressions) == 1)
		return linitial(expressions);
	initStringInfo(&out);
	appendStringInfo(&out, "{\"%s\":{\"expressions\":[", group);
	foreach(lc, expressions)
		appendStringInfo(&out, "%s%s", foreach_current_index(lc) == 0 ? "" : ",", (char *) lfirst(lc));
	appendStringInfoString(&out, "]}}");
	return out.data;
}

static char *
numeric_filter(const Field *field, const char *operation, const char *value, bool integer)
{
	return psprintf("{\"filter\":{\"fieldName\":%s,\"numericFilter\":{\"operation\":\"%s\",\"value\":{\"%s\":%s}}}}",
					quoted(field->name), operation, integer ? "int64Value" : "doubleValue",
					integer ? psprintf("\"%s\"", value) : value);
}

static char *
property_metric(Builder *builder, const Filter *filter, const Field *field)
{
	List	   *parts = NIL;

	if (!metric_takes(field, filter->operator))
		return NULL;
	for (int i = 0; i < filter->noperands; i++)
	{
		const char *operation = "EQUAL";
		bool		integer;
		char	   *value = metric_value(builder, filter, i, &integer);
		char	   *part;

		if (value == NULL)
			return NULL;
		if (filter->operator == FILTER_LESS_THAN || (filter->operator == FILTER_BETWEEN && i == 1))
			operation = "LESS_THAN";
		else if (filter->operator == FILTER_LESS_THAN_OR_EQUAL_TO)
			operation = "LESS_THAN_OR_EQUAL";
		else if (filter->operator == FILTER_GREATER_THAN || filter->operator == FILTER_BETWEEN)
			operation = "GREATER_THAN";
		else if (filter->operator == FILTER_GREATER_THAN_OR_EQUAL_TO)
			operation = "GREATER_THAN_OR_EQUAL";
		part = numeric_filter(field, operation, value, integer);
		parts = lappend(parts, is_negated(filter->operator) ? psprintf("{\"notExpression\":%s}", part) : part);
	}
	return parts == NIL ? NULL : join_expressions(parts, filter->operator == FILTER_EQUAL_TO ? "orGroup" : "andGroup");
}

/* an expression, all of it of one kind; NULL: it cannot be said, or not exactly */
static char *
property_expression(Builder *builder, const Filter *filter, GoogleKind *kind)
{
	const Field *field;
	List	   *parts = NIL;
	ListCell   *lc;

	if (filter->field != NULL)
	{
		field = find_field(builder, filter->field);
		if (field == NULL || google_kind(field) == GOOGLE_WINDOW)
			return NULL;
		*kind = google_kind(field);
		return *kind == GOOGLE_METRIC ? property_metric(builder, filter, field) : property_dimension(builder, filter, field);
	}
	foreach(lc, filter->children)
	{
		GoogleKind	of_child;
		char	   *part = property_expression(builder, lfirst(lc), &of_child);

		if (part == NULL || (parts != NIL && of_child != *kind))
			return NULL;
		*kind = of_child;
		parts = lappend(parts, part);
	}
	return parts == NIL ? NULL : join_expressions(parts, filter->operator == FILTER_ANY ? "orGroup" : "andGroup");
}

/* ---------- conditions of views ---------- */

/* filters (JSON texts) that are to be satisfied all, or with *any one of them; NIL: it cannot be said */
static List *
view_leaf(Builder *builder, const Filter *filter, GoogleKind *kind, bool *any)
{
	const Field *field = find_field(builder, filter->field);
	const char *negated = is_negated(filter->operator) ? ",\"not\":true" : "";
	List	   *parts = NIL;

	*any = filter->operator == FILTER_EQUAL_TO;
	if (field == NULL || google_kind(field) == GOOGLE_WINDOW)
		return NIL;
	*kind = google_kind(field);
	if (*kind == GOOGLE_DIMENSION)
	{
		char	   *values = dimension_values(builder, filter, field);
		const char *operator = filter->noperands > 1 ? "IN_LIST" : "EXACT";

		if (filter->operator == FILTER_CONTAINS || filter->operator == FILTER_STARTS_WITH)
			operator = filter->operator == FILTER_CONTAINS ? "PARTIAL" : "BEGINS_WITH";
		else if (filter->operator != FILTER_EQUAL_TO && filter->operator != FILTER_NOT_EQUAL_TO)
			return NIL;
		if (values == NULL || (operator[0] != 'E' && operator[0] != 'I' && (filter->noperands > 1 || google_date_digits(field->name) != 0)))
			return NIL;
		return list_make1(psprintf("{\"dimensionName\":%s%s,\"operator\":\"%s\",\"expressions\":[%s],\"caseSensitive\":true}",
								   quoted(field->name), negated, operator, values));
	}
	if (!metric_takes(field, filter->operator))
		return NIL;
	for (int i = 0; i < filter->noperands; i++)
	{
		const char *operator = "EQUAL";
		const char *not = negated;
		bool		integer;
		char	   *value = metric_value(builder, filter, i, &integer);

		if (value == NULL)
			return NIL;
		if (filter->operator == FILTER_LESS_THAN || filter->operator == FILTER_GREATER_THAN_OR_EQUAL_TO ||
			(filter->operator == FILTER_BETWEEN && i == 1))
			operator = "LESS_THAN";
		else if (filter->operator != FILTER_EQUAL_TO && filter->operator != FILTER_NOT_EQUAL_TO)
			operator = "GREATER_THAN";
		if (filter->operator == FILTER_GREATER_THAN_OR_EQUAL_TO || filter->operator == FILTER_LESS_THAN_OR_EQUAL_TO)
			not = ",\"not\":true";
		parts = lappend(parts, psprintf("{\"metricName\":%s%s,\"operator\":\"%s\",\"comparisonValue\":\"%s\"}", quoted(field->name),
										not, operator, value));
	}
	return parts;
}

static char *
view_clause(List *filters, bool any)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"operator\":\"%s\",\"filters\":[", any ? "OR" : "AND");
	foreach(lc, filters)
		appendStringInfo(&out, "%s%s", foreach_current_index(lc) == 0 ? "" : ",", (char *) lfirst(lc));
	appendStringInfoString(&out, "]}");
	return out.data;
}

/* one clause: a comparison, or several of which one is enough; NULL: it cannot be said, or not exactly */
static char *
view_expression(Builder *builder, const Filter *filter, GoogleKind *kind)
{
	List	   *parts = NIL;
	bool		any;
	ListCell   *lc;

	if (filter->field != NULL)
	{
		parts = view_leaf(builder, filter, kind, &any);
		return parts == NIL ? NULL : view_clause(parts, any);
	}
	foreach(lc, filter->children)
	{
		const Filter *child = lfirst(lc);
		GoogleKind	of_child;
		List	   *leaf = child->field == NULL ? NIL : view_leaf(builder, child, &of_child, &any);

		/* all or any of its filters must be what this clause does with them */
		if (leaf == NIL || (parts != NIL && of_child != *kind) ||
			(list_length(leaf) > 1 && any != (filter->operator == FILTER_ANY)))
			return NULL;
		*kind = of_child;
		parts = list_concat(parts, leaf);
	}
	return parts == NIL ? NULL : view_clause(parts, filter->operator == FILTER_ANY);
}

/* ---------- conditions ---------- */

/* startDate and endDate are what a statement says they are, and the window is that */
static void
take_window(Builder *builder, Filter *filter)
{
	bool		last = strcmp(filter->field, GOOGLE_END_DATE) == 0;
	int64	   *day = last ? &builder->report->window_end : &builder->report->window_start;
	int64		given = *day;
	bool		known;

	filter->taken = day_window_take_end(&builder->window, filter, last, &given, &known);
	if (!filter->taken)
		return;
	if (known && *(last ? &builder->has_end : &builder->has_start) && given != *day)
		builder->report->empty = true;
	*day = given;
	*(last ? &builder->has_end : &builder->has_start) = true;
}

/* A metric that is filtered by has to be in the report; one more leaves its records as they are. */
static void
add_metrics(Builder *builder, const Filter *filter)
{
	const Field *field = filter->field == NULL ? NULL : find_field(builder, filter->field);
	ListCell   *lc;

	foreach(lc, filter->children)
		add_metrics(builder, lfirst(lc));
	if (field != NULL && google_kind(field) == GOOGLE_METRIC)
		add_field(builder, field);
}

static void
take_filter(Builder *builder, Filter *filter)
{
	const Field *field = filter->field == NULL ? NULL : find_field(builder, filter->field);
	GoogleKind	kind = GOOGLE_DIMENSION;
	char	   *expression;

	filter->taken = false;
	if (field != NULL && google_kind(field) == GOOGLE_WINDOW)
	{
		take_window(builder, filter);
		return;
	}
	if (field != NULL && google_date_digits(field->name) == 8 && day_window_narrow(&builder->window, filter))
	{
		filter->taken = true;
		return;
	}
	if (field != NULL && google_date_digits(field->name) != 0)
		day_window_narrow_roughly(&builder->window, filter);
	expression = builder->report->view ? view_expression(builder, filter, &kind) : property_expression(builder, filter, &kind);
	if (expression == NULL)
		return;
	filter->taken = true;
	if (kind == GOOGLE_METRIC)
	{
		add_metrics(builder, filter);
		builder->of_metrics = lappend(builder->of_metrics, expression);
	}
	else
		builder->of_dimensions = lappend(builder->of_dimensions, expression);
}

/* what is evaluated by the caller must be in the records */
static void
require_fields(Builder *builder, const Filter *filter)
{
	const Field *field;
	ListCell   *lc;

	foreach(lc, filter->children)
		require_fields(builder, lfirst(lc));
	if (filter->field == NULL || schema_find(builder->report->schema, filter->field) >= 0)
		return;
	field = find_field(builder, filter->field);
	if (field != NULL && google_kind(field) == GOOGLE_METRIC)
	{
		add_metrics(builder, filter);
		return;
	}
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			field == NULL ? errmsg("Google Analytics has no dimension or metric \"%s\" for %s", filter->field, builder->report->what) :
			errmsg("Google Analytics cannot evaluate a condition on \"%s\" of %s, which is not among the fields that are read",
				   filter->field, builder->report->what),
			field == NULL ? 0 : errdetail("To read it besides would make other records: they are groups by what is read."),
			field == NULL ? 0 : errhint("Read \"%s\" too.", filter->field));
}

/* ---------- the window ---------- */

static void
check_window(const Builder *builder)
{
	static const char *const names[] = {GOOGLE_START_DATE, GOOGLE_END_DATE};

	for (int i = 0; i < 2; i++)
	{
		if (schema_find(builder->report->schema, names[i]) >= 0 && !(i == 0 ? builder->has_start : builder->has_end))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("\"%s\" of %s needs a condition that it is equal to one date", names[i], builder->report->what),
					errdetail("It is a day that the window of the report begins or ends with, not a dimension."));
	}
}

/*
 * Where nothing says when the window ends, it is the day that the property or
 * view has now, unless it begins on that or later: no zone is more than a day ahead.
 */
static void
append_window(Builder *builder, StringInfo out)
{
	GoogleReport *report = builder->report;
	const DayWindow *window = &builder->window;
	int64		today = day_today();
	int64		first = Max(window->first, report->view ? FIRST_VIEW_DAY : FIRST_PROPERTY_DAY);
	int64		last = window->last;

	if (first > last || first > today + 1)
		report->empty = true;
	if (last == PG_INT64_MAX && first >= today - 1)
		last = today + 1;
	appendStringInfo(out, "\"dateRanges\":[{\"startDate\":\"%s\",\"endDate\":\"%s\"}]",
					 window->first_unknown ? window->first_unknown : day_text(first),
					 window->last_unknown ? window->last_unknown : last == PG_INT64_MAX ? "today" : day_text(last));
}

/* ---------- order ---------- */

static void
append_order_key(const GoogleReport *report, StringInfo out, const Field *field, bool descending)
{
	appendStringInfoString(out, out->len == 0 ? "" : ",");
	if (report->view)
		appendStringInfo(out, "{\"fieldName\":%s,\"orderType\":\"VALUE\",\"sortOrder\":\"%s\"}", quoted(field->name),
						 descending ? "DESCENDING" : "ASCENDING");
	else if (google_kind(field) == GOOGLE_METRIC)
		appendStringInfo(out, "{\"metric\":{\"metricName\":%s},\"desc\":%s}", quoted(field->name), descending ? "true" : "false");
	else
		appendStringInfo(out, "{\"dimension\":{\"dimensionName\":%s,\"orderType\":\"ALPHANUMERIC\"},\"desc\":%s}",
						 quoted(field->name), descending ? "true" : "false");
}

/*
 * The order asked for, if it can be had; behind that, for pages to follow one
 * another without gaps, that of all dimensions (views have tokens for that).
 */
static char *
order_of(Builder *builder, ReadRequest *request)
{
	GoogleReport *report = builder->report;
	StringInfoData out;
	List	   *done = NIL;
	ListCell   *lc;

	initStringInfo(&out);
	request->order_taken = request->order != NIL;
	foreach(lc, request->order)
	{
		const OrderKey *key = lfirst(lc);
		const Field *field = find_field(builder, key->field);

		if (field == NULL || schema_find(report->schema, key->field) < 0 || !field->sortable)
		{
			request->order_taken = false;
			break;
		}
		append_order_key(report, &out, field, key->descending);
		done = lappend(done, key->field);
	}
	if (!request->order_taken)
	{
		resetStringInfo(&out);
		done = NIL;
	}
	for (int i = 0; !report->view && i < report->ndimensions; i++)
	{
		bool		is_done = false;

		foreach(lc, done)
			is_done |= strcmp(lfirst(lc), report->dimensions[i]) == 0;
		if (!is_done)
			append_order_key(report, &out, find_field(builder, report->dimensions[i]), false);
	}
	return out.data;
}

/* ---------- the request ---------- */

static void
append_names(StringInfo out, const char *member, const char *key, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		appendStringInfo(out, "%s{\"%s\":%s}%s", i == 0 ? psprintf(",\"%s\":[", member) : ",", key, quoted(names[i]),
						 i == count - 1 ? "]" : "");
}

static void
append_filters(StringInfo out, const GoogleReport *report, List *filters, const char *kind)
{
	if (filters == NIL)
		return;
	if (report->view)
	{
		ListCell   *lc;

		appendStringInfo(out, ",\"%sFilterClauses\":[", kind);
		foreach(lc, filters)
			appendStringInfo(out, "%s%s", foreach_current_index(lc) == 0 ? "" : ",", (char *) lfirst(lc));
		appendStringInfoChar(out, ']');
	}
	else
		appendStringInfo(out, ",\"%sFilter\":%s", kind, join_expressions(filters, "andGroup"));
}

static void
set_limit(GoogleReport *report, ReadRequest *request, bool all_taken)
{
	int			most = report->view ? VIEW_PAGE : PROPERTY_PAGE;

	request->aggregates_taken = false;
	request->limit_taken = all_taken && (request->order == NIL || request->order_taken) &&
		(request->limit != NO_LIMIT || request->offset > 0) && (!report->view || request->offset == 0);
	report->limit = request->limit_taken ? request->limit : NO_LIMIT;
	report->offset = request->limit_taken ? request->offset : 0;
	report->page = request->page_size > 0 ? Min(request->page_size, most) : most;
	if (report->limit == NO_LIMIT && all_taken && request->limit_hint > 0 && request->page_size == 0)
		report->page = (int) Min((int64) report->page, Max(request->limit_hint, LEAST_PAGE));
	if (report->limit == 0)
		report->empty = true;
}

GoogleReport *
google_report(ReadRequest *request, const Schema *described, bool planning)
{
	GoogleReport *report = palloc0(sizeof(GoogleReport));
	Builder		builder = {
		.report = report, .described = described, .planning = planning, .window = DAY_WINDOW_OPEN
	};
	bool		all_taken = true;
	StringInfoData body;
	char	   *order;
	ListCell   *lc;

	report->entity = request->entity;
	report->view = planning ? strncmp(request->entity, "ga:", 3) == 0 : google_is_view(request->entity);
	report->what = psprintf("entity \"%s\"", request->entity);
	report->schema = schema_create();
	add_fields(&builder, request);
	foreach(lc, request->filters)
	{
		Filter	   *filter = lfirst(lc);

		take_filter(&builder, filter);
		all_taken &= filter->taken;
		if (!filter->taken && !planning)
			require_fields(&builder, filter);
	}
	if (!planning)
	{
		check_window(&builder);
		if (report->nmetrics == 0 && (report->view || report->ndimensions == 0))
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("a report on %s needs a metric%s", report->what, report->view ? "" : " or a dimension"),
					errhint("The columns of a foreign table that a statement names, or the fields that a flow maps, are the report."));
	}

	initStringInfo(&body);
	append_window(&builder, &body);
	append_names(&body, "dimensions", "name", report->dimensions, report->ndimensions);
	append_names(&body, "metrics", report->view ? "expression" : "name", report->metrics, report->nmetrics);
	append_filters(&body, report, builder.of_dimensions, "dimension");
	append_filters(&body, report, builder.of_metrics, "metric");
	order = order_of(&builder, request);
	if (order[0] != '\0')
		appendStringInfo(&body, ",\"orderBys\":[%s]", order);
	report->body = body.data;
	set_limit(report, request, all_taken);
	return report;
}

const char *
google_report_path(const GoogleReport *report)
{
	return report->view ? "/v4/reports:batchGet" : psprintf("/v1beta/%s:runReport", report->entity);
}

/*
 * Groups without anything to count are asked for, too: otherwise which groups there are
 * would depend on what is counted, and nothing would ever be equal to 0.
 */
char *
google_report_body(const GoogleReport *report, int64 offset, int64 size, const char *token)
{
	if (report->view)
		return psprintf("{\"reportRequests\":[{\"viewId\":\"%s\",%s,\"includeEmptyRows\":true,\"samplingLevel\":\"LARGE\",\"hideTotals\":true,"
						"\"hideValueRanges\":true,\"pageSize\":" INT64_FORMAT "%s%s}]}", report->entity + 3, report->body, size,
						token == NULL ? "" : ",\"pageToken\":", token == NULL ? "" : quoted(token));
	return psprintf("{%s,\"keepEmptyRows\":true,\"limit\":\"" INT64_FORMAT "\",\"offset\":\"" INT64_FORMAT "\"}", report->body, size, offset);
}
