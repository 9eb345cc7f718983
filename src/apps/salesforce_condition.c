/*-------------------------------------------------------------------------
 *
 * salesforce_condition.c
 *	  Filters as conditions of SOQL.
 *
 * Follows the SOQL and SOSL Reference.  SOQL compares other than we do, in ways that
 * decide what can be asked of it:
 *
 *	- Text is compared without regard to letter case, and ordered by language.  So
 *	  "=", IN and LIKE find what is wanted and maybe more: they are asked for, but
 *	  the caller looks again (the filter is not taken).  Different from, less and
 *	  greater would lose records and are not asked for.
 *	- Ids and the values of restricted picklists have one spelling: all of "=" and
 *	  "!=" holds.
 *	- "!=" and NOT IN are true of null.
 *	- Date-times have milliseconds, dates and integers no fractions.  An operand
 *	  between two values becomes the one below, and the operator follows.
 *	- An operand beyond what a field can hold would be an error: the condition
 *	  is then true of every value, or of none.
 *	- Empty text is null.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_condition.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/salesforce_condition.h"
#include "codec/text.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "record/number.h"
#include "utils/builtins.h"

#define MAX_LITERAL 4000		/* characters of a string */
#define MAX_DIGITS 18			/* of a number, before the point and behind it */

#define MICROS_PER_DAY INT64CONST(86400000000)
#define FIRST_DAY (-98615)		/* 1700-01-01 */
#define LAST_DAY 741807			/* 4000-12-31 */

/* aggregate functions that work on the type: bits 1 << AggregateFunction */
#define COUNTED (1 << AGGREGATE_COUNT)
#define BOUNDED (COUNTED | 1 << AGGREGATE_MIN | 1 << AGGREGATE_MAX)
#define SUMMED (BOUNDED | 1 << AGGREGATE_SUM | 1 << AGGREGATE_AVG)

static const struct
{
	const char *native;
	SoqlClass	class;
	uint8		aggregates;
}			classes[] = {
	{"id", SOQL_ID, COUNTED},
	{"reference", SOQL_ID, COUNTED},
	{"string", SOQL_TEXT, COUNTED},
	{"textarea", SOQL_TEXT, COUNTED},
	{"email", SOQL_TEXT, COUNTED},
	{"phone", SOQL_TEXT, COUNTED},
	{"url", SOQL_TEXT, COUNTED},
	{"combobox", SOQL_TEXT, COUNTED},
	{"picklist", SOQL_CHOICE, COUNTED},
	{"multipicklist", SOQL_CHOICES, 0},
	{"boolean", SOQL_BOOLEAN, 0},
	{"int", SOQL_INTEGER, SUMMED},
	{"long", SOQL_INTEGER, SUMMED},
	{"double", SOQL_NUMBER, SUMMED},
	{"currency", SOQL_NUMBER, SUMMED},
	{"percent", SOQL_NUMBER, SUMMED},
	{"date", SOQL_DATE, BOUNDED},
	{"datetime", SOQL_DATETIME, BOUNDED},
};

static SoqlClass class_by_type(const Filter *filter);

/* ---------- fields ---------- */

static int
class_index(const Field *field)
{
	for (int i = 0; i < (int) lengthof(classes); i++)
	{
		if (field->native_type != NULL && strcmp(field->native_type, classes[i].native) == 0)
			return i;
	}
	return -1;
}

SoqlClass
soql_class(const Field *field)
{
	int			i = class_index(field);

	return i < 0 || field->filters == 0 ? SOQL_NOTHING : classes[i].class;
}

bool
soql_aggregates(const Field *field, AggregateFunction function)
{
	int			i = field->filters == 0 ? -1 : class_index(field);

	return i >= 0 && (classes[i].aggregates & (1 << function)) != 0;
}

/* Of a field at the other end of a relationship nobody may be able to tell. */
static SoqlClass
filter_class(Soql *soql, const Filter *filter, const Field **field)
{
	const char *dot;

	*field = NULL;
	if (!salesforce_is_name(filter->field, true))
		return SOQL_NOTHING;
	*field = salesforce_field(soql->session, soql->described, filter->field, soql->ask);
	if (*field != NULL)
		return soql_class(*field);
	dot = strrchr(filter->field, '.');
	if (dot == NULL)
		return SOQL_NOTHING;
	return strcmp(dot, ".Id") == 0 ? SOQL_ID : class_by_type(filter);
}

/* numbers and times can always be compared; texts may be of a kind that cannot */
static SoqlClass
class_by_type(const Filter *filter)
{
	if (!filter->typed)
		return SOQL_NOTHING;
	switch (filter->type)
	{
		case FIELD_INTEGER:
		case FIELD_LONG:
		case FIELD_FLOAT:
		case FIELD_DOUBLE:
		case FIELD_DECIMAL:
			return SOQL_NUMBER;
		case FIELD_DATE:
			return SOQL_DATE;
		case FIELD_DATETIME:
			return SOQL_DATETIME;
		case FIELD_BOOLEAN:
			return SOQL_BOOLEAN;
		default:
			return SOQL_NOTHING;
	}
}

static bool
is_text_type(FieldType type)
{
	switch (type)
	{
		case FIELD_STRING:
		case FIELD_TIME:
		case FIELD_UUID:
		case FIELD_BINARY:
		case FIELD_JSON:
			return true;
		default:
			return false;
	}
}

/* ---------- literals ---------- */

/*
 * Quoted and escaped.  In a pattern % and _ stand for themselves; a backslash
 * becomes _, which is any character, since a pattern has no sure way to say it.
 */
static void
append_string(StringInfo out, const char *before, const char *text, const char *after)
{
	bool		pattern = before[0] != '\0' || after[0] != '\0';

	appendStringInfo(out, "'%s", before);
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
			case '\f':
				appendStringInfoString(out, "\\f");
				break;
			case '\\':
				appendStringInfoString(out, pattern ? "_" : "\\\\");
				break;
			case '\'':
			case '"':
				appendStringInfoChar(out, '\\');
				appendStringInfoChar(out, *text);
				break;
			case '%':
			case '_':
				if (pattern)
					appendStringInfoChar(out, '\\');
				appendStringInfoChar(out, *text);
				break;
			default:
				appendStringInfoChar(out, *text);
		}
	}
	appendStringInfo(out, "%s'", after);
}

/* where an operand of an ordered type is among the values that a field can have */
typedef enum Place
{
	PLACE_ON,					/* it is one of them */
	PLACE_ABOVE,				/* the literal is the next one below */
	PLACE_BELOW,				/* the next one above */
	PLACE_UNDER_ALL,
	PLACE_OVER_ALL
} Place;

typedef struct Literal
{
	Place		place;
	char	   *text;
} Literal;

static bool
number_literal(const Field *field, SoqlClass class, const char *operand, Literal *literal)
{
	Numeric		number = number_parse(operand, strlen(operand));
	char	   *digits;
	char	   *point;
	char	   *end;
	bool		negative;
	int64		value;

	if (number == NULL)
		return false;
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	negative = digits[0] == '-';
	point = strchr(digits, '.');
	literal->place = PLACE_ON;
	if (point != NULL)
	{
		for (end = point + strlen(point); end > point && (end[-1] == '0' || end[-1] == '.'); end--)
			end[-1] = '\0';
		if (strlen(point) > (class == SOQL_INTEGER ? 0 : 1 + MAX_DIGITS))
		{
			point[class == SOQL_INTEGER ? 0 : 1 + MAX_DIGITS] = '\0';
			literal->place = negative ? PLACE_BELOW : PLACE_ABOVE;
		}
	}
	if (strcmp(digits, "-0") == 0)
		digits++;
	literal->text = digits;
	if (strspn(digits + (negative && digits[0] == '-'), "0123456789") > MAX_DIGITS)
		literal->place = negative ? PLACE_UNDER_ALL : PLACE_OVER_ALL;
	else if (class == SOQL_INTEGER && (field == NULL || field->type == FIELD_INTEGER) &&
			 (!text_parse_int64(digits, strlen(digits), &value) || value > PG_INT32_MAX || value < PG_INT32_MIN))
		literal->place = negative ? PLACE_UNDER_ALL : PLACE_OVER_ALL;
	return true;
}

/* days or microseconds of the operand -> the literal */
static void
time_literal(SoqlClass class, int64 days, int64 micros, bool between, Literal *literal)
{
	int64		year;
	unsigned	month;
	unsigned	day;

	literal->place = between ? PLACE_ABOVE : PLACE_ON;
	if (days < FIRST_DAY || days > LAST_DAY)
	{
		literal->place = days < FIRST_DAY ? PLACE_UNDER_ALL : PLACE_OVER_ALL;
		return;
	}
	text_civil_from_days(days, &year, &month, &day);
	if (class == SOQL_DATE)
	{
		literal->text = psprintf("%04d-%02u-%02u", (int) year, month, day);
		return;
	}
	micros /= 1000;
	literal->text = psprintf("%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", (int) year, month, day,
							 (int) (micros / 3600000), (int) (micros / 60000 % 60), (int) (micros / 1000 % 60),
							 (int) (micros % 1000));
}

static bool
moment_literal(const Filter *filter, SoqlClass class, const char *operand, Literal *literal)
{
	bool		is_date = class == SOQL_DATE && !(filter->typed && filter->type != FIELD_DATE);
	int64		value;
	int64		days;
	int64		rest;

	if (filter->typed && (class == SOQL_DATETIME ? filter->type != FIELD_DATETIME && filter->type != FIELD_TIMESTAMP :
						  filter->type != FIELD_DATE && filter->type != FIELD_DATETIME && filter->type != FIELD_TIMESTAMP))
		return false;
	if (!filter_parse_time(operand, is_date ? FIELD_DATE : FIELD_DATETIME, &value))
		return false;
	if (is_date)
	{
		time_literal(class, value, 0, false, literal);
		return true;
	}
	days = value >= 0 ? value / MICROS_PER_DAY : -((MICROS_PER_DAY - 1 - value) / MICROS_PER_DAY);
	rest = value - days * MICROS_PER_DAY;
	time_literal(class, days, rest, class == SOQL_DATE ? rest != 0 : rest % 1000 != 0, literal);
	return true;
}

/* false: SOQL would compare it in another way than we do */
static bool
ordered_literal(Soql *soql, const Filter *filter, const Field *field, SoqlClass class, int i, Literal *literal)
{
	const char *operand = filter->operands[i];

	if (filter->typed && is_text_type(filter->type))
		return false;
	if (operand == NULL)
	{
		*literal = (Literal){PLACE_ON, psprintf("$%d", ++soql->unknown)};
		return true;
	}
	if (class == SOQL_DATE || class == SOQL_DATETIME)
		return moment_literal(filter, class, operand, literal);
	if (filter->typed && class_by_type(filter) != SOQL_NUMBER)
		return false;
	return number_literal(field, class, operand, literal);
}

/* ---------- conditions on one field ---------- */

static Pushed
never(StringInfo out)
{
	appendStringInfoString(out, "Id = null");
	return PUSHED_EXACTLY;
}

static Pushed
any_value(const Filter *filter, StringInfo out)
{
	appendStringInfo(out, "%s != null", filter->field);
	return PUSHED_EXACTLY;
}

/* field = or IN; or none of them, and not null */
static Pushed
one_of(const Filter *filter, List *literals, bool negated, StringInfo out)
{
	ListCell   *lc;

	if (literals == NIL)
		return negated ? any_value(filter, out) : never(out);
	if (negated)
		appendStringInfoChar(out, '(');
	if (list_length(literals) == 1)
		appendStringInfo(out, "%s %s %s", filter->field, negated ? "!=" : "=", (char *) linitial(literals));
	else
	{
		appendStringInfo(out, "%s %s (", filter->field, negated ? "NOT IN" : "IN");
		foreach(lc, literals)
			appendStringInfo(out, "%s%s", foreach_current_index(lc) > 0 ? ", " : "", (char *) lfirst(lc));
		appendStringInfoChar(out, ')');
	}
	if (negated)
		appendStringInfo(out, " AND %s != null)", filter->field);
	return PUSHED_EXACTLY;
}

static Pushed
compare(const Filter *filter, FilterOperator operator, const Literal *literal, StringInfo out)
{
	bool		less = operator == FILTER_LESS_THAN || operator == FILTER_LESS_THAN_OR_EQUAL_TO;
	bool		or_equal = operator == FILTER_LESS_THAN_OR_EQUAL_TO || operator == FILTER_GREATER_THAN_OR_EQUAL_TO;

	if (literal->place == PLACE_UNDER_ALL || literal->place == PLACE_OVER_ALL)
		return less == (literal->place == PLACE_OVER_ALL) ? any_value(filter, out) : never(out);

	/* with the next value below, less means up to that one; with the next above, below that one */
	if (literal->place == PLACE_ABOVE)
		or_equal = less;
	else if (literal->place == PLACE_BELOW)
		or_equal = !less;
	appendStringInfo(out, "%s %s%s %s", filter->field, less ? "<" : ">", or_equal ? "=" : "", literal->text);
	return PUSHED_EXACTLY;
}

static Pushed
ordered_condition(Soql *soql, const Filter *filter, const Field *field, SoqlClass class, StringInfo out)
{
	Literal    *literals = palloc0(sizeof(Literal) * Max(filter->noperands, 1));
	List	   *exact = NIL;

	for (int i = 0; i < filter->noperands; i++)
	{
		if (!ordered_literal(soql, filter, field, class, i, &literals[i]))
			return PUSHED_NOT;
		if (literals[i].place == PLACE_ON)
			exact = lappend(exact, literals[i].text);
	}
	switch (filter->operator)
	{
		case FILTER_EQUAL_TO:
		case FILTER_NOT_EQUAL_TO:
			return one_of(filter, exact, filter->operator == FILTER_NOT_EQUAL_TO, out);
		case FILTER_LESS_THAN:
		case FILTER_GREATER_THAN:
		case FILTER_LESS_THAN_OR_EQUAL_TO:
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			return compare(filter, filter->operator, &literals[0], out);
		case FILTER_BETWEEN:
			appendStringInfoChar(out, '(');
			(void) compare(filter, FILTER_GREATER_THAN, &literals[0], out);
			appendStringInfoString(out, " AND ");
			(void) compare(filter, FILTER_LESS_THAN, &literals[1], out);
			appendStringInfoChar(out, ')');
			return PUSHED_EXACTLY;
		default:
			return PUSHED_NOT;
	}
}

static Pushed
boolean_condition(Soql *soql, const Filter *filter, StringInfo out)
{
	bool		negated = filter->operator == FILTER_NOT_EQUAL_TO;
	bool		wanted[2] = {negated, negated};

	if ((!negated && filter->operator != FILTER_EQUAL_TO) || (filter->typed && filter->type != FIELD_BOOLEAN))
		return PUSHED_NOT;
	for (int i = 0; i < filter->noperands; i++)
	{
		const char *operand = filter->operands[i];
		bool		value;

		if (operand == NULL)
		{
			if (filter->noperands > 1)
				return PUSHED_NOT;
			appendStringInfo(out, "%s %s $%d", filter->field, negated ? "!=" : "=", ++soql->unknown);
			return PUSHED_EXACTLY;
		}
		if (filter->typed ? !parse_bool(operand, &value) :
			strcmp(operand, "true") != 0 && strcmp(operand, "false") != 0)
			return PUSHED_NOT;
		if (!filter->typed)
			value = operand[0] == 't';
		wanted[value] = !negated;
	}
	if (wanted[0] == wanted[1])
		return wanted[0] ? any_value(filter, out) : never(out);
	appendStringInfo(out, "%s = %s", filter->field, wanted[1] ? "true" : "false");
	return PUSHED_EXACTLY;
}

/* 18 characters of an id, or NULL if the text is none */
static char *
full_id(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
	size_t		length = strlen(text);
	char	   *id;

	if (length != 15 && length != 18)
		return NULL;
	for (size_t i = 0; i < length; i++)
	{
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z') ||
			  (text[i] >= 'a' && text[i] <= 'z')))
			return NULL;
	}
	id = palloc0(19);
	memcpy(id, text, 15);
	for (int block = 0; block < 3; block++)
	{
		int			bits = 0;

		for (int i = 0; i < 5; i++)
		{
			if (id[block * 5 + i] >= 'A' && id[block * 5 + i] <= 'Z')
				bits |= 1 << i;
		}
		id[15 + block] = digits[bits];
	}
	return length == 15 || strcmp(id, text) == 0 ? id : NULL;
}

/*
 * Ids of 15 characters are the same as those of 18 that begin so.  What is no id is
 * equal to none, but an error to Salesforce.
 */
static Pushed
id_condition(Soql *soql, Filter *filter, StringInfo out)
{
	List	   *literals = NIL;

	if ((filter->operator != FILTER_EQUAL_TO && filter->operator != FILTER_NOT_EQUAL_TO) ||
		(filter->typed && !is_text_type(filter->type)))
		return PUSHED_NOT;
	for (int i = 0; i < filter->noperands; i++)
	{
		char	   *id;

		if (filter->operands[i] == NULL)
		{
			literals = lappend(literals, psprintf("$%d", ++soql->unknown));
			continue;
		}
		id = full_id(filter->operands[i]);
		if (id == NULL)
			continue;
		literals = lappend(literals, psprintf("'%s'", id));
		if (strcmp(id, filter->operands[i]) != 0)
		{
			filter->operands[i] = id;
			if (filter->prepared != NULL)
				(void) filter_prepare(filter);
		}
	}
	return one_of(filter, literals, filter->operator == FILTER_NOT_EQUAL_TO, out);
}

static bool
is_listed(const Field *field, const char *value)
{
	ListCell   *lc;

	foreach(lc, field->values)
	{
		if (strcmp(lfirst(lc), value) == 0)
			return true;
	}
	return false;
}

/* can a value of the field be that, or hold that? */
static bool
can_be(const Field *field, const char *operand)
{
	return operand[0] != '\0' && (field->max_length == 0 || pg_mbstrlen(operand) <= field->max_length);
}

/* is there an operand that a literal cannot hold: too long, or with other control characters than these? */
static bool
cannot_be_said(const Filter *filter)
{
	for (int i = 0; i < filter->noperands; i++)
	{
		const char *operand = filter->operands[i];

		if (operand != NULL && pg_mbstrlen(operand) > MAX_LITERAL)
			return true;
		for (; operand != NULL && *operand != '\0'; operand++)
		{
			if ((unsigned char) *operand < ' ' && strchr("\n\r\t\f", *operand) == NULL)
				return true;
		}
	}
	return false;
}

static Pushed
text_equal(Soql *soql, const Filter *filter, const Field *field, SoqlClass class, StringInfo out)
{
	bool		restricted = class == SOQL_CHOICE && field->values != NIL && !field->open_values;
	bool		negated = filter->operator == FILTER_NOT_EQUAL_TO;
	bool		exact = restricted;
	List	   *literals = NIL;

	for (int i = 0; i < filter->noperands; i++)
	{
		const char *operand = filter->operands[i];
		StringInfoData literal;

		if (operand == NULL)
		{
			exact = false;
			if (!negated)
				literals = lappend(literals, psprintf("$%d", ++soql->unknown));
			continue;
		}
		if (!can_be(field, operand))
			continue;
		if (!restricted || !is_listed(field, operand))
		{
			exact = false;
			if (negated)
				continue;
		}
		initStringInfo(&literal);
		append_string(&literal, "", operand, "");
		literals = lappend(literals, literal.data);
	}
	(void) one_of(filter, literals, negated, out);

	/* to be equal to nothing that a value can be needs no second look */
	return exact || (literals == NIL && !negated) ? PUSHED_EXACTLY : PUSHED_MORE;
}

/* the values of a multi-select picklist that hold the operand; NIL: none that are known to */
static List *
values_holding(const Field *field, const char *operand)
{
	List	   *found = NIL;
	ListCell   *lc;

	foreach(lc, field->values)
	{
		if (strstr(lfirst(lc), operand) != NULL)
			found = lappend(found, lfirst(lc));
	}
	return found;
}

static Pushed
choices_contain(const Filter *filter, const Field *field, StringInfo out)
{
	List	   *values = NIL;
	ListCell   *lc;

	if (field->open_values || field->values == NIL)
		return PUSHED_NOT;
	for (int i = 0; i < filter->noperands; i++)
	{
		const char *operand = filter->operands[i];

		if (operand == NULL || operand[0] == '\0' || strchr(operand, ';') != NULL)
			return PUSHED_NOT;
		values = list_concat(values, values_holding(field, operand));
	}
	if (values == NIL)
		return PUSHED_NOT;
	appendStringInfo(out, "%s INCLUDES (", filter->field);
	foreach(lc, values)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(out, ", ");
		append_string(out, "", lfirst(lc), "");
	}
	appendStringInfoChar(out, ')');
	return PUSHED_MORE;
}

static Pushed
text_like(Soql *soql, const Filter *filter, const Field *field, StringInfo out)
{
	const char *before = filter->operator == FILTER_CONTAINS ? "%" : "";
	bool		first = true;

	appendStringInfoChar(out, '(');
	for (int i = 0; i < filter->noperands; i++)
	{
		const char *operand = filter->operands[i];

		if (operand != NULL && operand[0] == '\0')
			return PUSHED_NOT;
		if (operand != NULL && !can_be(field, operand))
			continue;
		appendStringInfo(out, "%s%s LIKE ", first ? "" : " OR ", filter->field);
		if (operand == NULL)
			appendStringInfo(out, "$%d", ++soql->unknown);
		else
			append_string(out, before, operand, "%");
		first = false;
	}
	if (first)
		(void) never(out);
	appendStringInfoChar(out, ')');
	return PUSHED_MORE;
}

static Pushed
text_condition(Soql *soql, const Filter *filter, const Field *field, SoqlClass class, StringInfo out)
{
	if (cannot_be_said(filter))
		return PUSHED_NOT;
	switch (filter->operator)
	{
		case FILTER_EQUAL_TO:
		case FILTER_NOT_EQUAL_TO:
			if (filter->typed && !is_text_type(filter->type))
				return PUSHED_NOT;
			return text_equal(soql, filter, field, class, out);
		case FILTER_CONTAINS:
			if (class == SOQL_CHOICES)
				return choices_contain(filter, field, out);
			return text_like(soql, filter, field, out);
		case FILTER_STARTS_WITH:
			if (class == SOQL_CHOICES)
				return PUSHED_NOT;
			return text_like(soql, filter, field, out);
		default:
			return PUSHED_NOT;
	}
}

static Pushed
leaf(Soql *soql, Filter *filter, StringInfo out)
{
	const Field *field;
	SoqlClass	class = filter_class(soql, filter, &field);

	if (class == SOQL_NOTHING)
		return PUSHED_NOT;
	if (filter->operator == FILTER_IS_NULL || filter->operator == FILTER_IS_NOT_NULL)
	{
		bool		is_null = filter->operator == FILTER_IS_NULL;

		if (class == SOQL_BOOLEAN && strchr(filter->field, '.') == NULL)
			appendStringInfoString(out, is_null ? "Id = null" : "Id != null");
		else
			appendStringInfo(out, "%s %s null", filter->field, is_null ? "=" : "!=");
		return PUSHED_EXACTLY;
	}
	switch (class)
	{
		case SOQL_NOTHING:
			return PUSHED_NOT;
		case SOQL_TEXT:
		case SOQL_CHOICE:
		case SOQL_CHOICES:
			return text_condition(soql, filter, field, class, out);
		case SOQL_ID:
			return id_condition(soql, filter, out);
		case SOQL_BOOLEAN:
			return boolean_condition(soql, filter, out);
		case SOQL_NUMBER:
		case SOQL_INTEGER:
		case SOQL_DATE:
		case SOQL_DATETIME:
			return ordered_condition(soql, filter, field, class, out);
	}
	return PUSHED_NOT;
}

/* ---------- conditions ---------- */

/* what all, or any, of some conditions ask for together */
static Pushed
conditions(Soql *soql, Filter *group, StringInfo out)
{
	bool		any = group->operator == FILTER_ANY;
	Pushed		result = PUSHED_EXACTLY;
	int			start;
	int			count = 0;
	ListCell   *lc;

	appendStringInfoChar(out, '(');
	foreach(lc, group->children)
	{
		Pushed		pushed;

		start = out->len;
		if (count > 0)
			appendStringInfoString(out, any ? " OR " : " AND ");
		pushed = soql_condition(soql, lfirst(lc), out);
		if (pushed == PUSHED_NOT)
		{
			if (any)
				return PUSHED_NOT;
			out->len = start;
			out->data[start] = '\0';
			result = PUSHED_MORE;
			continue;
		}
		count++;
		result = Min(result, pushed);
	}
	if (count == 0)
	{
		if (!any || result == PUSHED_MORE)
			return PUSHED_NOT;
		(void) never(out);
	}
	appendStringInfoChar(out, ')');
	return result;
}

Pushed
soql_condition(Soql *soql, Filter *filter, StringInfo out)
{
	int			start = out->len;
	int			unknown = soql->unknown;
	Pushed		pushed = filter->operator == FILTER_ANY || filter->operator == FILTER_ALL ?
		conditions(soql, filter, out) : leaf(soql, filter, out);

	if (pushed == PUSHED_NOT)
	{
		out->len = start;
		out->data[start] = '\0';
		soql->unknown = unknown;
	}
	return pushed;
}
