/*-------------------------------------------------------------------------
 *
 * veeva_vql.c
 *	  Requests to read as queries in VQL.
 *
 * Follows the VQL reference.  What decides what can be asked of it:
 *
 *	- Text is compared with regard to letter case, and ordered in a way that is not told.
 *	  So "=", "!=", CONTAINS (which means: one of) and LIKE are asked for; the caller looks
 *	  again, as equal text is cheap to compare and a surprise is not.  Less and greater are
 *	  not asked for, nor what a text contains: LIKE cannot begin with a wildcard.
 *	- Numbers, dates, times, booleans and ids compare as they do here.  Date-times have
 *	  milliseconds: an operand between two of them becomes the next one.
 *	- "!=" is true of null.
 *	- Lists (picklists, repeating fields) equal each of their values.  Conditions on them are
 *	  asked for where that narrows the result, and evaluated by the reader.
 *	- "${" begins a token that Vault fills in, so no literal may have it.
 *
 * IDENTIFICATION
 *	  src/apps/veeva_vql.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/veeva.h"
#include "codec/text.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "record/number.h"
#include "utils/builtins.h"

#define MAX_VQL 50000			/* characters */
#define MAX_PAGE 1000			/* records */
#define MIN_PAGE 200			/* where not all of them will do */
#define MAX_DIGITS 15			/* of a number */
#define MICROS_PER_DAY INT64CONST(86400000000)

/* what became of a condition */
typedef enum Pushed
{
	PUSHED_NOT,
	PUSHED_MORE,				/* all that is wanted, and maybe more */
	PUSHED_EXACTLY
} Pushed;

/* what a field is, as far as conditions go */
typedef enum VqlClass
{
	VQL_NOTHING,				/* no condition works on it */
	VQL_TEXT,
	VQL_ID,
	VQL_NUMBER,
	VQL_BOOLEAN,
	VQL_DATE,
	VQL_DATETIME,
	VQL_LIST
} VqlClass;

/* a query that is being made */
typedef struct Vql
{
	const Schema *described;
	bool		documents;
	int			unknown;		/* operands that are not known yet, so far */
} Vql;

/* a condition of the request */
typedef struct Condition
{
	Filter	   *filter;
	char	   *text;
	Pushed		pushed;
	bool		list;			/* the reader sees to it */
} Condition;

static Pushed condition(Vql *vql, const Filter *filter, StringInfo out);

/* Does Vault pass only the beginning of the field's value on, unless asked for all of it? */
static const char *
whole_function(const Field *field)
{
	if (field->native_type == NULL)
		return NULL;
	if (pg_strcasecmp(field->native_type, "LongText") == 0)
		return "LONGTEXT";
	return pg_strcasecmp(field->native_type, "RichText") == 0 ? "RICHTEXT" : NULL;
}

/* ---------- fields ---------- */

static const Field *
find_field(const Schema *described, const char *name)
{
	int			found = schema_find(described, name);

	return found < 0 ? NULL : &described->fields[found];
}

static VqlClass
class_of(const Field *field)
{
	if (field == NULL || field->filters == 0)
		return VQL_NOTHING;
	if (field->native_type != NULL && pg_strcasecmp(field->native_type, "id") == 0)
		return VQL_ID;
	switch (field->type)
	{
		case FIELD_STRING:
			return VQL_TEXT;
		case FIELD_LONG:
		case FIELD_DECIMAL:
			return VQL_NUMBER;
		case FIELD_BOOLEAN:
			return VQL_BOOLEAN;
		case FIELD_DATE:
			return VQL_DATE;
		case FIELD_DATETIME:
			return VQL_DATETIME;
		case FIELD_JSON:
			return VQL_LIST;
		default:
			return VQL_NOTHING;
	}
}

/* would the filter compare here as the class does there? */
static bool
is_alike(const Filter *filter, VqlClass class)
{
	switch (class)
	{
		case VQL_TEXT:
		case VQL_ID:
			return !filter->typed || filter->type == FIELD_STRING;
		case VQL_NUMBER:
			return !filter->typed || filter->type == FIELD_INTEGER || filter->type == FIELD_LONG ||
				filter->type == FIELD_FLOAT || filter->type == FIELD_DOUBLE || filter->type == FIELD_DECIMAL;
		case VQL_BOOLEAN:
			return filter->typed && filter->type == FIELD_BOOLEAN;
		case VQL_DATE:
			return filter->typed && filter->type == FIELD_DATE;
		case VQL_DATETIME:
			return filter->typed && (filter->type == FIELD_DATETIME || filter->type == FIELD_TIMESTAMP);
		case VQL_LIST:
		case VQL_NOTHING:
			break;
	}
	return false;
}

/* ---------- literals ---------- */

/* A text in quotes, with more behind it in a pattern; false if a literal cannot hold it. */
static bool
append_string(StringInfo out, const char *text, const char *after)
{
	if (strstr(text, "${") != NULL)
		return false;
	appendStringInfoChar(out, '\'');
	for (; *text != '\0'; text++)
	{
		switch (*text)
		{
			case '\n':
				appendStringInfoString(out, "\\n");
				break;
			case '\r':
				appendStringInfoString(out, "\\r");
				break;
			case '\t':
				appendStringInfoString(out, "\\t");
				break;
			case '%':
				appendStringInfoString(out, after[0] != '\0' ? "\\%" : "%");
				break;
			case '\\':
			case '\'':
				appendStringInfoChar(out, '\\');
				appendStringInfoChar(out, *text);
				break;
			default:
				if ((unsigned char) *text < ' ')
					return false;
				appendStringInfoChar(out, *text);
		}
	}
	appendStringInfo(out, "%s'", after);
	return true;
}

static char *
number_literal(const char *operand)
{
	Numeric		number = number_parse(operand, strlen(operand));
	char	   *digits;
	char	   *point;
	size_t		length;

	if (number == NULL)
		return NULL;
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	point = strchr(digits, '.');
	length = strlen(digits);
	while (point != NULL && (digits[length - 1] == '0' || digits + length - 1 == point))
	{
		digits[--length] = '\0';
		if (digits + length == point)
			point = NULL;
	}
	if (strspn(digits, "-0123456789.") != length || length > MAX_DIGITS)
		return NULL;
	return strcmp(digits, "-0") == 0 ? digits + 1 : digits;
}

/* numbers of documents stand bare, ids of records are words */
static char *
id_literal(const Vql *vql, const char *operand)
{
	size_t		length = strlen(operand);

	if (length == 0 || length > 30)
		return NULL;
	if (vql->documents)
		return strspn(operand, "0123456789") == length && length <= MAX_DIGITS &&
			(operand[0] != '0' || length == 1) ? pstrdup(operand) : NULL;
	for (size_t i = 0; i < length; i++)
	{
		char		c = operand[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'))
			return NULL;
	}
	return psprintf("'%s'", operand);
}

static char *
date_literal(int64 days)
{
	int64		year;
	unsigned	month;
	unsigned	day;

	text_civil_from_days(days, &year, &month, &day);
	return year < 1 || year > 9999 ? NULL : psprintf("'%04d-%02u-%02u'", (int) year, month, day);
}

/* rounded up or down to milliseconds */
static char *
time_literal(int64 micros, bool up)
{
	int64		millis = micros / 1000 - (micros % 1000 < 0);
	int64		days;
	char	   *date;

	if (up && micros % 1000 != 0)
		millis++;
	days = millis / 86400000 - (millis % 86400000 < 0);
	millis -= days * 86400000;
	date = date_literal(days);
	if (date == NULL)
		return NULL;
	return psprintf("%.11sT%02d:%02d:%02d.%03dZ'", date, (int) (millis / 3600000), (int) (millis / 60000 % 60),
					(int) (millis / 1000 % 60), (int) (millis % 1000));
}

/*
 * The literal for an operand, NULL if there is none.  *between: the operand is none of
 * the values that there can be, the literal is the next one.
 */
static char *
literal(Vql *vql, const Filter *filter, VqlClass class, int i, bool up, bool *between)
{
	const char *operand = filter->operands[i];
	StringInfoData text;
	int64		value;
	bool		flag;

	*between = false;
	if (operand == NULL)
		return psprintf("$%d", ++vql->unknown);
	switch (class)
	{
		case VQL_TEXT:
			initStringInfo(&text);
			return operand[0] != '\0' && append_string(&text, operand, "") ? text.data : NULL;
		case VQL_ID:
			return id_literal(vql, operand);
		case VQL_NUMBER:
			return number_literal(operand);
		case VQL_BOOLEAN:
			return parse_bool(operand, &flag) ? (flag ? "true" : "false") : NULL;
		case VQL_DATE:
			return filter_parse_time(operand, FIELD_DATE, &value) ? date_literal(value) : NULL;
		case VQL_DATETIME:
			if (!filter_parse_time(operand, FIELD_DATETIME, &value))
				return NULL;
			*between = value % 1000 != 0;
			return time_literal(value, up);
		case VQL_LIST:
		case VQL_NOTHING:
			break;
	}
	return NULL;
}

/* ---------- conditions on one field ---------- */

/* field < literal, and the like */
static bool
compare(Vql *vql, const Filter *filter, VqlClass class, FilterOperator operator, int i, StringInfo out)
{
	bool		less = operator == FILTER_LESS_THAN || operator == FILTER_LESS_THAN_OR_EQUAL_TO;
	bool		or_equal = operator == FILTER_LESS_THAN_OR_EQUAL_TO || operator == FILTER_GREATER_THAN_OR_EQUAL_TO;
	bool		between;
	char	   *text = literal(vql, filter, class, i, less, &between);

	/* less than what is between two values is less than the next; greater is greater than the one before */
	if (between)
		or_equal = false;
	if (text != NULL)
		appendStringInfo(out, "%s %s%s %s", filter->field, less ? "<" : ">", or_equal ? "=" : "", text);
	return text != NULL;
}

/* one of the operands, or none of them and not null */
static Pushed
equality(Vql *vql, const Filter *filter, VqlClass class, StringInfo out)
{
	bool		negated = filter->operator == FILTER_NOT_EQUAL_TO;
	List	   *literals = NIL;
	Pushed		pushed = class == VQL_TEXT ? PUSHED_MORE : PUSHED_EXACTLY;
	ListCell   *lc;

	for (int i = 0; i < filter->noperands; i++)
	{
		bool		between;
		char	   *text = literal(vql, filter, class, i, false, &between);

		if (text != NULL && !between)
			literals = lappend(literals, text);
		else if (negated)
			pushed = PUSHED_MORE;
		else
			return PUSHED_NOT;
	}
	if (literals == NIL)
		return PUSHED_NOT;
	if (!negated && list_length(literals) > 1 && class == VQL_TEXT)
	{
		appendStringInfo(out, "%s CONTAINS (", filter->field);
		foreach(lc, literals)
			appendStringInfo(out, "%s%s", foreach_current_index(lc) > 0 ? ", " : "", (char *) lfirst(lc));
		appendStringInfoChar(out, ')');
		return pushed;
	}
	appendStringInfoChar(out, '(');
	foreach(lc, literals)
		appendStringInfo(out, "%s%s %s %s", foreach_current_index(lc) == 0 ? "" : negated ? " AND " : " OR ",
						 filter->field, negated ? "!=" : "=", (char *) lfirst(lc));
	if (negated)
		appendStringInfo(out, " AND %s != null", filter->field);
	appendStringInfoChar(out, ')');
	return pushed;
}

static Pushed
starts_with(Vql *vql, const Filter *filter, StringInfo out)
{
	appendStringInfoChar(out, '(');
	for (int i = 0; i < filter->noperands; i++)
	{
		appendStringInfo(out, "%s%s LIKE ", i > 0 ? " OR " : "", filter->field);
		if (filter->operands[i] == NULL)
			appendStringInfo(out, "$%d", ++vql->unknown);
		else if (filter->operands[i][0] == '\0' || !append_string(out, filter->operands[i], "%"))
			return PUSHED_NOT;
	}
	appendStringInfoChar(out, ')');
	return filter->noperands > 0 ? PUSHED_MORE : PUSHED_NOT;
}

static Pushed
leaf(Vql *vql, const Filter *filter, StringInfo out)
{
	VqlClass	class = class_of(find_field(vql->described, filter->field));

	if (class == VQL_NOTHING || class == VQL_LIST)
		return PUSHED_NOT;
	if (filter->operator == FILTER_IS_NULL || filter->operator == FILTER_IS_NOT_NULL)
	{
		appendStringInfo(out, "%s %s null", filter->field, filter->operator == FILTER_IS_NULL ? "=" : "!=");

		/* who keeps empty text is not told */
		return class == VQL_TEXT ? (filter->operator == FILTER_IS_NULL ? PUSHED_MORE : PUSHED_NOT) : PUSHED_EXACTLY;
	}
	if (!is_alike(filter, class))
		return PUSHED_NOT;
	switch (filter->operator)
	{
		case FILTER_EQUAL_TO:
		case FILTER_NOT_EQUAL_TO:
			return equality(vql, filter, class, out);
		case FILTER_STARTS_WITH:
			return class == VQL_TEXT ? starts_with(vql, filter, out) : PUSHED_NOT;
		case FILTER_LESS_THAN:
		case FILTER_GREATER_THAN:
		case FILTER_LESS_THAN_OR_EQUAL_TO:
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			return class != VQL_TEXT && class != VQL_ID && class != VQL_BOOLEAN &&
				compare(vql, filter, class, filter->operator, 0, out) ? PUSHED_EXACTLY : PUSHED_NOT;
		case FILTER_BETWEEN:
			if (class == VQL_TEXT || class == VQL_ID || class == VQL_BOOLEAN)
				return PUSHED_NOT;

			/* VQL's own includes both ends */
			appendStringInfoChar(out, '(');
			if (!compare(vql, filter, class, FILTER_GREATER_THAN, 0, out))
				return PUSHED_NOT;
			appendStringInfoString(out, " AND ");
			if (!compare(vql, filter, class, FILTER_LESS_THAN, 1, out))
				return PUSHED_NOT;
			appendStringInfoChar(out, ')');
			return PUSHED_EXACTLY;
		default:
			return PUSHED_NOT;
	}
}

/* what all, or any, of some conditions ask for together */
static Pushed
group(Vql *vql, const Filter *filter, StringInfo out)
{
	bool		any = filter->operator == FILTER_ANY;
	Pushed		result = PUSHED_EXACTLY;
	int			count = 0;
	ListCell   *lc;

	appendStringInfoChar(out, '(');
	foreach(lc, filter->children)
	{
		int			start = out->len;
		Pushed		pushed;

		if (count > 0)
			appendStringInfoString(out, any ? " OR " : " AND ");
		pushed = condition(vql, lfirst(lc), out);
		result = Min(result, Max(pushed, PUSHED_MORE));
		if (pushed != PUSHED_NOT)
			count++;
		else if (any)
			return PUSHED_NOT;
		else
		{
			out->len = start;
			out->data[start] = '\0';
		}
	}
	appendStringInfoChar(out, ')');
	return count > 0 ? result : PUSHED_NOT;
}

/* Append a filter's condition.  What cannot be said leaves nothing. */
static Pushed
condition(Vql *vql, const Filter *filter, StringInfo out)
{
	int			start = out->len;
	int			unknown = vql->unknown;
	Pushed		pushed = filter->operator == FILTER_ANY || filter->operator == FILTER_ALL ?
		group(vql, filter, out) : leaf(vql, filter, out);

	if (pushed == PUSHED_NOT)
	{
		out->len = start;
		out->data[start] = '\0';
		vql->unknown = unknown;
	}
	return pushed;
}

/* ---------- lists ---------- */

/* a condition of a flow on a list, not one of a foreign table on the JSON that it is */
static bool
is_list_filter(const Vql *vql, const Filter *filter)
{
	if ((filter->operator != FILTER_EQUAL_TO && filter->operator != FILTER_NOT_EQUAL_TO &&
		 filter->operator != FILTER_CONTAINS) ||
		class_of(find_field(vql->described, filter->field)) != VQL_LIST)
		return false;
	for (int i = 0; i < filter->noperands; i++)
	{
		if (filter->operands[i] == NULL || filter->operands[i][0] == '\0' ||
			strchr("[{\"", filter->operands[i][0]) != NULL)
			return false;
	}
	return true;
}

static Pushed
list_condition(const Filter *filter, StringInfo out)
{
	if (filter->operator != FILTER_EQUAL_TO)
		return PUSHED_NOT;
	appendStringInfo(out, "%s CONTAINS (", filter->field);
	for (int i = 0; i < filter->noperands; i++)
	{
		if (i > 0)
			appendStringInfoString(out, ", ");
		if (!append_string(out, filter->operands[i], ""))
			return PUSHED_NOT;
	}
	appendStringInfoChar(out, ')');
	return PUSHED_MORE;
}

static VeevaListFilter *
list_filter(const Filter *filter)
{
	VeevaListFilter *list = palloc(sizeof(VeevaListFilter));

	list->operator = filter->operator;
	list->field = filter->field;
	list->noperands = filter->noperands;
	list->operands = filter->operands;
	return list;
}

/* ---------- the whole ---------- */

static void
append_selection(StringInfo out, const Schema *described, List *selected)
{
	ListCell   *lc;

	if (selected == NIL)
		appendStringInfoString(out, "SELECT id");
	foreach(lc, selected)
	{
		const char *name = lfirst(lc);
		const Field *field = find_field(described, name);
		const char *whole = field == NULL ? NULL : whole_function(field);

		appendStringInfoString(out, foreach_current_index(lc) > 0 ? ", " : "SELECT ");
		if (whole != NULL)
			appendStringInfo(out, "%s(%s)", whole, name);
		else
			appendStringInfoString(out, name);
	}
}

/* documentType is a name as the API has it, or the label that people see */
static void
append_types(StringInfo out, const ReadRequest *request, const char *type)
{
	char	   *label = request->properties == NULL ? NULL : jsonb_get_text(request->properties, "documentType");
	size_t		length = label == NULL ? 0 : strlen(label);

	if (type != NULL)
		appendStringInfo(out, " WHERE TONAME(type__v) = '%s'", type);
	if (length == 0)
		return;
	appendStringInfoString(out, type != NULL ? " AND " : " WHERE ");
	appendStringInfoString(out, length > 3 && (strcmp(label + length - 3, "__v") == 0 || strcmp(label + length - 3, "__c") == 0) ?
						   "TONAME(type__v) = " : "type__v = ");
	if (!append_string(out, label, ""))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("documentType \"%s\" is not the name of a document type", label));
}

static char *
assemble(const Vql *vql, const ReadRequest *request, const char *type, List *selected, List *conditions, bool exactly)
{
	int64		page = request->page_size > 0 ? request->page_size : MAX_PAGE;
	const char *before;
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	append_selection(&out, vql->described, selected);
	appendStringInfo(&out, " FROM %s%s",
					 vql->documents && veeva_includes(request->properties, "includeAllVersions") ? "ALLVERSIONS " : "",
					 vql->documents ? VEEVA_DOCUMENTS : request->entity);
	if (vql->documents)
		append_types(&out, request, type);
	before = strstr(out.data, " WHERE ") != NULL ? " AND " : " WHERE ";
	foreach(lc, conditions)
	{
		const Condition *c = lfirst(lc);

		if (c->pushed == PUSHED_NOT)
			continue;
		appendStringInfo(&out, "%s%s", before, c->text);
		before = " AND ";
	}
	foreach(lc, request->order_taken ? request->order : NIL)
	{
		const OrderKey *key = lfirst(lc);

		appendStringInfo(&out, "%s%s %s", foreach_current_index(lc) > 0 ? ", " : " ORDER BY ", key->field,
						 key->descending ? "DESC" : "ASC");
	}
	if (request->limit_taken)
	{
		appendStringInfo(&out, " MAXROWS " INT64_FORMAT, request->limit);
		page = Min(page, request->limit);
	}
	if (request->limit_hint != NO_LIMIT)
		page = Min(page, exactly ? request->limit_hint : Max(request->limit_hint, MIN_PAGE));
	appendStringInfo(&out, " PAGESIZE " INT64_FORMAT, Max(Min(page, MAX_PAGE), 1));
	return out.data;
}

/* Vault's order is ours for numbers and times, with nulls last whichever way */
static bool
can_order(const Vql *vql, const ReadRequest *request)
{
	ListCell   *lc;

	foreach(lc, request->order)
	{
		const OrderKey *key = lfirst(lc);
		const Field *field = find_field(vql->described, key->field);
		VqlClass	class = class_of(field);

		if ((class != VQL_NUMBER && class != VQL_DATE && class != VQL_DATETIME) || !field->sortable || key->nulls_first)
			return false;
	}
	return request->order != NIL;
}

static Condition *
longest(List *conditions)
{
	Condition  *found = NULL;
	ListCell   *lc;

	foreach(lc, conditions)
	{
		Condition  *c = lfirst(lc);

		if (c->pushed != PUSHED_NOT && (found == NULL || strlen(c->text) > strlen(found->text)))
			found = c;
	}
	return found;
}

/* What the query does; false if records will be left out here.  VQL has neither groups nor an offset. */
static bool
take(const Vql *vql, ReadRequest *request, List *conditions)
{
	bool		exactly = true;
	bool		aggregated = request->aggregates != NIL || request->group_by != NIL;
	ListCell   *lc;

	foreach(lc, conditions)
	{
		Condition  *c = lfirst(lc);

		c->filter->taken = c->list || c->pushed == PUSHED_EXACTLY;
		exactly = exactly && c->pushed == PUSHED_EXACTLY;
	}
	request->aggregates_taken = false;
	request->order_taken = !aggregated && can_order(vql, request);
	request->limit_taken = exactly && !aggregated && request->limit != NO_LIMIT && request->limit > 0 &&
		request->offset == 0 && (request->order == NIL || request->order_taken);
	return exactly;
}

VeevaQuery
veeva_query(ReadRequest *request, const Schema *described, List *selected)
{
	VeevaQuery	query = {0};
	const char *type;
	Vql			vql = {.described = described,.documents = veeva_is_documents(request->entity, &type)};
	List	   *conditions = NIL;
	ListCell   *lc;

	foreach(lc, request->filters)
	{
		Condition  *c = palloc0(sizeof(Condition));
		StringInfoData text;

		initStringInfo(&text);
		c->filter = lfirst(lc);
		c->list = is_list_filter(&vql, c->filter);
		c->pushed = c->list ? list_condition(c->filter, &text) : condition(&vql, c->filter, &text);
		c->text = text.data;
		if (c->list)
			query.lists = lappend(query.lists, list_filter(c->filter));
		conditions = lappend(conditions, c);
	}
	for (;;)
	{
		Condition  *c = longest(conditions);
		bool		exactly = take(&vql, request, conditions);

		query.text = assemble(&vql, request, type, selected, conditions, exactly);
		if (pg_mbstrlen(query.text) <= MAX_VQL)
			return query;
		if (c == NULL)
			ereport(ERROR,
					appflow_error_detail(WF_VALIDATION, "The query has %d characters, Vault takes %d.",
										 pg_mbstrlen(query.text), MAX_VQL),
					errmsg("the query for entity \"%s\" is too long for Vault", request->entity),
					errhint("Read fewer fields."));
		c->pushed = PUSHED_NOT;
	}
}
