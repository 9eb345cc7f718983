/*-------------------------------------------------------------------------
 *
 * sap_odata_query.c
 *	  $filter, $orderby, $select, $expand and keys as OData writes them.
 *
 * A condition goes to the service only if its operands can be said there, and mean the
 * same.  Where the service may let through more records than we would (how it
 * compares letters is its own affair, and what "ne" makes of null depends on the
 * version), the condition is sent and evaluated here again.
 *
 * IDENTIFICATION
 *	  src/apps/sap_odata_query.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/sap_odata.h"
#include "codec/text.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/number.h"
#include "utils/builtins.h"

#define MICROS_PER_DAY INT64CONST(86400000000)

/* ---------- encoding ---------- */

void
odata_option(StringInfo target, const char *name, const char *value)
{
	appendStringInfo(target, "%c%s=", strchr(target->data, '?') == NULL ? '?' : '&', name);
	for (const unsigned char *p = (const unsigned char *) value; *p != '\0'; p++)
	{
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			strchr("-_.~,()/:$'*@=", *p) != NULL)
			appendStringInfoChar(target, *p);
		else
			appendStringInfo(target, "%%%02X", *p);
	}
}

/* ---------- literals ---------- */

/* how a value is named after a comparison whose literal had to be rounded */
typedef struct Literal
{
	char	   *text;			/* NULL: there is none that means the same */
	bool		rounded_down;	/* it stands for a value that is larger, but below the next */
	char	   *next;			/* the operand is between text and this one; NULL: it is text */
} Literal;

static char *
quoted_literal(const char *text, size_t length)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '\'');
	for (size_t i = 0; i < length; i++)
	{
		if (text[i] == '\'')
			appendStringInfoChar(&out, '\'');
		appendStringInfoChar(&out, text[i]);
	}
	appendStringInfoChar(&out, '\'');
	return out.data;
}

/* digits with an optional minus and point: what literals of decimals may be */
static bool
is_plain_number(const char *text, bool *integral)
{
	const char *p = text;

	*integral = true;
	if (*p == '-')
		p++;
	if (*p < '0' || *p > '9')
		return false;
	while (*p >= '0' && *p <= '9')
		p++;
	if (*p == '.' && p[1] != '\0')
	{
		*integral = false;
		for (p++; *p >= '0' && *p <= '9'; p++)
			;
	}
	return *p == '\0' && p - text <= NUMBER_MAX_LENGTH;
}

static char *
number_literal(ODataVersion version, const Field *field, const char *operand)
{
	static const struct
	{
		const char *native;
		int64		min;
		int64		max;
	}			ranges[] = {
		{"Edm.Byte", 0, 255},
		{"Edm.SByte", -128, 127},
		{"Edm.Int16", PG_INT16_MIN, PG_INT16_MAX},
		{"Edm.Int32", PG_INT32_MIN, PG_INT32_MAX},
		{"Edm.Int64", PG_INT64_MIN, PG_INT64_MAX},
	};
	bool		integral;
	int64		value;

	if (operand[0] == '+')
		operand++;
	if (!is_plain_number(operand, &integral))
		return NULL;
	if (field->type == FIELD_DECIMAL)
		return psprintf("%s%s", operand, version == ODATA_V2 ? "m" : "");
	if (field->type == FIELD_DOUBLE)
		return psprintf("%s%s", operand, version == ODATA_V2 ? "d" : "");
	for (int i = 0; i < (int) lengthof(ranges); i++)
	{
		if (strcmp(ranges[i].native, field->native_type) == 0 && integral &&
			text_parse_int64(operand, strlen(operand), &value) &&
			value >= ranges[i].min && value <= ranges[i].max)
			return psprintf(INT64_FORMAT "%s", value,
							version == ODATA_V2 && field->type == FIELD_LONG ? "L" : "");
	}

	/* of single precision, what is printed is not what is compared */
	return NULL;
}

/* the instant that an operand names, as filters understand it */
static bool
parse_instant(const char *operand, int64 *micros)
{
	bool		has_zone;
	int64		millis;

	if (text_parse_int64(operand, strlen(operand), &millis))
	{
		if (millis > PG_INT64_MAX / 1000 || millis < PG_INT64_MIN / 1000)
			return false;
		*micros = millis * 1000;
		return true;
	}
	return text_parse_datetime(operand, strlen(operand), micros, &has_zone);
}

/* a date or time, in the type's canonical kind, as the field's type has it */
static char *
time_text(ODataVersion version, const Field *field, Cell cell)
{
	char		text[CELL_TEXT_MAX];
	char	   *value = pnstrdup(text, text_format_cell(&cell, field->type, text));

	if (strcmp(field->native_type, "Edm.DateTime") == 0)
		return psprintf("datetime'%s%s'", value, field->type == FIELD_DATE ? "T00:00:00" : "");
	return version == ODATA_V2 ? psprintf("datetimeoffset'%s'", value) : value;
}

/*
 * Fractions of seconds are not sent: what services make of them where they keep seconds
 * only differs, and some compare text.
 */
static Literal
time_literal(ODataVersion version, const Field *field, const char *operand)
{
	Literal		literal = {0};
	int64		micros;
	int64		days;
	int64		fraction;

	if (!parse_instant(operand, &micros))
		return literal;
	days = micros / MICROS_PER_DAY - (micros % MICROS_PER_DAY < 0 ? 1 : 0);

	/* years of four digits: no service has others */
	if (days < -719162 || days > 2932896)
		return literal;
	if (field->type == FIELD_DATE)
	{
		literal.text = time_text(version, field, cell_integer(CELL_DATE, days));
		literal.rounded_down = micros % MICROS_PER_DAY != 0;
		return literal;
	}
	fraction = micros % USECS_PER_SEC;
	if (fraction < 0)
		fraction += USECS_PER_SEC;
	literal.text = time_text(version, field, cell_integer(CELL_TIMESTAMP, micros - fraction));
	if (fraction != 0)
		literal.next = time_text(version, field, cell_integer(CELL_TIMESTAMP, micros - fraction + USECS_PER_SEC));
	return literal;
}

static bool
is_time_of_day(const char *text)
{
	return strlen(text) == 8 && strspn(text, "0123456789:") == 8 && text[2] == ':' && text[5] == ':';
}

static bool
is_uuid(const char *text)
{
	for (int i = 0; i < 36; i++)
	{
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' :
			text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
			return false;
	}
	return text[36] == '\0';
}

/*
 * An operand as a literal for the field.  An operand that is not known yet reads as
 * given.
 */
static Literal
make_literal(ODataVersion version, const Field *field, const char *operand)
{
	Literal		literal = {0};
	bool		flag;

	switch (field->type)
	{
		case FIELD_STRING:
			/* what is too long is refused, though it is only unequal to everything */
			if (field->max_length == 0 ||
				pg_mbstrlen(operand) <= field->max_length)
				literal.text = quoted_literal(operand, strlen(operand));
			break;
		case FIELD_BOOLEAN:
			if (parse_bool(operand, &flag))
				literal.text = flag ? "true" : "false";
			break;
		case FIELD_INTEGER:
		case FIELD_LONG:
		case FIELD_DOUBLE:
		case FIELD_DECIMAL:
			literal.text = number_literal(version, field, operand);
			break;
		case FIELD_DATE:
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			return time_literal(version, field, operand);
		case FIELD_TIME:
			if (is_time_of_day(operand))
				literal.text = version == ODATA_V2 ?
					psprintf("time'%s'", odata_duration(operand, strlen(operand))) : pstrdup(operand);
			break;
		case FIELD_UUID:
			if (is_uuid(operand))
				literal.text = version == ODATA_V2 ? psprintf("guid'%s'", operand) : pstrdup(operand);
			break;
		default:
			break;
	}
	return literal;
}

/* ---------- conditions ---------- */

typedef struct FilterText
{
	ODataVersion version;
	const Schema *schema;
	int			parameters;		/* operands that are not known, so far */
} FilterText;

/* do the filter's values compare as those of the field do? */
static bool
compares_alike(const Filter *filter, const Field *field)
{
	FieldType	type = field->type;
	bool		number = type == FIELD_INTEGER || type == FIELD_LONG || type == FIELD_DECIMAL || type == FIELD_DOUBLE;
	bool		time = type == FIELD_DATE || type == FIELD_DATETIME || type == FIELD_TIMESTAMP;

	if (!filter->typed)
		return type != FIELD_BOOLEAN;
	switch (filter->type)
	{
		case FIELD_INTEGER:
		case FIELD_LONG:
		case FIELD_DECIMAL:
		case FIELD_DOUBLE:
		case FIELD_FLOAT:
			return number;
		case FIELD_DATE:
		case FIELD_DATETIME:
		case FIELD_TIMESTAMP:
			return time;
		case FIELD_BOOLEAN:
			return type == FIELD_BOOLEAN;
		case FIELD_STRING:
			return type == FIELD_STRING || type == FIELD_TIME || type == FIELD_UUID;
		default:
			return filter->type == type;
	}
}

static const char *
operator_text(FilterOperator operator)
{
	switch (operator)
	{
		case FILTER_LESS_THAN:
			return "lt";
		case FILTER_GREATER_THAN:
			return "gt";
		case FILTER_LESS_THAN_OR_EQUAL_TO:
			return "le";
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			return "ge";
		case FILTER_EQUAL_TO:
			return "eq";
		case FILTER_NOT_EQUAL_TO:
			return "ne";
		default:
			return NULL;
	}
}

/* "field op literal"; false if that cannot be said */
static bool
append_comparison(FilterText *text, StringInfo out, const Field *field, FilterOperator operator,
				  const char *operand, bool *exact)
{
	Literal		literal;

	if (operand == NULL)
		literal = (Literal){.text = psprintf("$%d", ++text->parameters)};
	else
		literal = make_literal(text->version, field, operand);
	if (literal.text == NULL)
		return false;

	/* a second that the operand is in: what may satisfy the condition comes, and is looked at again */
	if (literal.next != NULL)
	{
		if (operator == FILTER_EQUAL_TO || operator == FILTER_NOT_EQUAL_TO)
			return false;
		if (operator == FILTER_LESS_THAN || operator == FILTER_LESS_THAN_OR_EQUAL_TO)
		{
			operator = FILTER_LESS_THAN;
			literal.text = literal.next;
		}
		else
			operator = FILTER_GREATER_THAN_OR_EQUAL_TO;
		*exact = false;
	}

	/* days against an instant within one: d < t is d <= day(t), d >= t is d > day(t) */
	if (literal.rounded_down)
	{
		if (operator == FILTER_EQUAL_TO || operator == FILTER_NOT_EQUAL_TO)
			return false;
		if (operator == FILTER_LESS_THAN)
			operator = FILTER_LESS_THAN_OR_EQUAL_TO;
		else if (operator == FILTER_GREATER_THAN_OR_EQUAL_TO)
			operator = FILTER_GREATER_THAN;
	}
	if (operator == FILTER_CONTAINS && text->version == ODATA_V2)
		appendStringInfo(out, "substringof(%s,%s)", literal.text, field->name);
	else if (operator == FILTER_CONTAINS)
		appendStringInfo(out, "contains(%s,%s)", field->name, literal.text);
	else if (operator == FILTER_STARTS_WITH)
		appendStringInfo(out, "startswith(%s,%s)", field->name, literal.text);
	else
		appendStringInfo(out, "%s %s %s", field->name, operator_text(operator), literal.text);

	/* letters may be compared without regard to case there; null is unequal to all in some versions */
	if (operator == FILTER_CONTAINS || operator == FILTER_STARTS_WITH ||
		(operator == FILTER_NOT_EQUAL_TO && !field->not_null))
		*exact = false;
	return true;
}

static bool append_filter(FilterText *text, StringInfo out, Filter *filter, bool *exact);

static bool
append_children(FilterText *text, StringInfo out, Filter *filter, bool *exact)
{
	bool		any = filter->operator == FILTER_ANY;
	int			sent = 0;
	int			start = out->len;
	ListCell   *lc;

	check_stack_depth();
	appendStringInfoChar(out, '(');
	foreach(lc, filter->children)
	{
		int			before = out->len;

		if (sent > 0)
			appendStringInfoString(out, any ? " or " : " and ");
		if (append_filter(text, out, lfirst(lc), exact))
		{
			sent++;
			continue;
		}
		out->data[out->len = before] = '\0';
		*exact = false;
		if (any)
			break;
	}
	appendStringInfoChar(out, ')');
	if (sent == 0 || (any && sent < list_length(filter->children)))
	{
		out->data[out->len = start] = '\0';
		return false;
	}
	return true;
}

/* A condition in brackets where it needs them; false, and nothing appended, if it cannot be said. */
static bool
append_filter(FilterText *text, StringInfo out, Filter *filter, bool *exact)
{
	int			start = out->len;
	int			column;
	const Field *field;
	bool		good = true;
	bool		several;

	if (filter->operator == FILTER_ANY || filter->operator == FILTER_ALL)
		return append_children(text, out, filter, exact);
	column = schema_find(text->schema, filter->field);
	field = column < 0 ? NULL : &text->schema->fields[column];
	if (field == NULL || field->filters == 0 || field->native_type == NULL ||
		strncmp(field->native_type, "Edm.", 4) != 0)
		return false;
	if (filter->operator == FILTER_IS_NULL || filter->operator == FILTER_IS_NOT_NULL)
	{
		/* ABAP has no null: what version 2 answers for one is not ours */
		if (text->version != ODATA_V4)
			return false;
		appendStringInfo(out, "%s %s null", field->name, filter->operator == FILTER_IS_NULL ? "eq" : "ne");
		return true;
	}
	if (filter->noperands == 0 || !compares_alike(filter, field))
		return false;
	if ((filter->operator == FILTER_CONTAINS || filter->operator == FILTER_STARTS_WITH) && field->type != FIELD_STRING)
		return false;
	if ((field->type == FIELD_UUID || field->type == FIELD_BOOLEAN) &&
		filter->operator != FILTER_EQUAL_TO && filter->operator != FILTER_NOT_EQUAL_TO)
		return false;

	if (filter->operator == FILTER_BETWEEN)
	{
		good = append_comparison(text, out, field, FILTER_GREATER_THAN, filter->operands[0], exact);
		appendStringInfoString(out, " and ");
		good = good && append_comparison(text, out, field, FILTER_LESS_THAN, filter->operands[1], exact);
	}
	else
	{
		several = filter->noperands > 1;
		if (several)
			appendStringInfoChar(out, '(');
		for (int i = 0; i < filter->noperands && good; i++)
		{
			if (i > 0)
				appendStringInfoString(out, filter->operator == FILTER_NOT_EQUAL_TO ? " and " : " or ");
			good = append_comparison(text, out, field, filter->operator, filter->operands[i], exact);
		}
		if (several)
			appendStringInfoChar(out, ')');
	}
	if (!good)
		out->data[out->len = start] = '\0';
	return good;
}

char *
odata_filter(ODataVersion version, const Schema *schema, List *filters)
{
	FilterText	text = {.version = version, .schema = schema};
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, filters)
	{
		Filter	   *filter = lfirst(lc);
		int			start = out.len;
		bool		exact = true;

		if (out.len > 0)
			appendStringInfoString(&out, " and ");
		if (append_filter(&text, &out, filter, &exact))
			filter->taken = exact;
		else
		{
			filter->taken = false;
			out.data[out.len = start] = '\0';
		}
	}
	return out.len > 0 ? out.data : NULL;
}

/* ---------- order ---------- */

bool
odata_has_stable_order(const Schema *schema)
{
	bool		found = false;

	for (int i = 0; i < schema->nfields; i++)
	{
		if (schema->fields[i].key && !schema->fields[i].sortable)
			return false;
		found = found || schema->fields[i].key;
	}
	return found;
}

/* can a record that the filters let through have null in the field? */
static bool
may_be_null(const Field *field, List *filters)
{
	ListCell   *lc;

	foreach(lc, filters)
	{
		const Filter *filter = lfirst(lc);

		if (filter->field != NULL && filter->operator != FILTER_IS_NULL && strcmp(filter->field, field->name) == 0)
			return false;
	}
	return !field->not_null;
}

char *
odata_order(const Schema *schema, List *order, List *filters, bool stable)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, order)
	{
		OrderKey   *key = lfirst(lc);
		int			column = schema_find(schema, key->field);
		const Field *field = column < 0 ? NULL : &schema->fields[column];

		/* null comes before all other values there */
		if (field == NULL || !field->sortable || (may_be_null(field, filters) && key->nulls_first == key->descending))
			return NULL;
		appendStringInfo(&out, "%s%s %s", out.len > 0 ? "," : "", field->name, key->descending ? "desc" : "asc");
	}
	for (int i = 0; stable && i < schema->nfields; i++)
	{
		const Field *field = &schema->fields[i];
		bool		named = false;

		if (!field->key)
			continue;
		foreach(lc, order)
			named = named || strcmp(((OrderKey *) lfirst(lc))->field, field->name) == 0;
		if (!named)
			appendStringInfo(&out, "%s%s asc", out.len > 0 ? "," : "", field->name);
	}
	return out.data;
}

/* ---------- $select and $expand ---------- */

typedef struct Expansion
{
	ODataNavigation *navigation;
	List	   *selected;		/* of char *; NIL: all */
	bool		whole;
} Expansion;

static void
add_name(List **names, const char *name)
{
	ListCell   *lc;

	foreach(lc, *names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return;
	}
	*names = lappend(*names, pstrdup(name));
}

static Expansion *
expansion_of(List **expansions, ODataNavigation *navigation)
{
	Expansion  *expansion;
	ListCell   *lc;

	foreach(lc, *expansions)
	{
		if (((Expansion *) lfirst(lc))->navigation == navigation)
			return lfirst(lc);
	}
	expansion = palloc0(sizeof(Expansion));
	expansion->navigation = navigation;
	*expansions = lappend(*expansions, expansion);
	return expansion;
}

static Field *
json_field(const char *name, const char *native)
{
	Field	   *field = palloc0(sizeof(Field));

	field->name = pstrdup(name);
	field->type = FIELD_JSON;
	field->native_type = pstrdup(native);
	return field;
}

pg_noreturn static void
unknown_field(const ODataEntity *entity, const char *name)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < entity->schema->nfields && i < 40; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", entity->schema->fields[i].name);
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("entity \"%s/%s\" has no field \"%s\"", entity->service, entity->set, name),
			errhint("It has %s%s.", names.data, entity->schema->nfields > 40 ? ", ..." : ""));
}

/* a name along a navigation property, or of one as a whole */
static void
select_along(const ODataEntity *entity, const char *name, List **expansions, List **paths, List **fields)
{
	size_t		length = strcspn(name, ".");
	ODataNavigation *navigation = odata_navigation(entity, name, length);
	Expansion  *expansion;
	Field	   *field;
	int			column;

	if (navigation == NULL)
		unknown_field(entity, name);
	expansion = expansion_of(expansions, navigation);
	if (name[length] == '\0')
	{
		expansion->whole = true;
		*fields = lappend(*fields, json_field(name, "Navigation"));

		/* version 2 wraps lists */
		*paths = lappend(*paths, navigation->collection && entity->version == ODATA_V2 ?
						 psprintf("%s.results", name) : pstrdup(name));
		return;
	}
	if (navigation->collection)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("field \"%s\" of entity \"%s/%s\" has several values: \"%s\" leads to many records",
					   name, entity->service, entity->set, navigation->name),
				errhint("Read \"%s\", which is an array.", navigation->name));
	column = schema_find(navigation->schema, name + length + 1);
	if (column < 0)
		unknown_field(entity, name);
	add_name(&expansion->selected, name + length + 1);
	field = palloc(sizeof(Field));
	*field = navigation->schema->fields[column];
	field->name = pstrdup(name);
	field->key = false;
	field->not_null = false;
	*fields = lappend(*fields, field);
	*paths = lappend(*paths, pstrdup(name));
}

static char *
join(List *names, const char *prefix)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, names)
		appendStringInfo(&out, "%s%s%s", out.len > 0 ? "," : "", prefix, (char *) lfirst(lc));
	return out.data;
}

void
odata_select(const ODataEntity *entity, List *names, char **select, char **expand, List **paths, List **fields)
{
	List	   *selected = NIL;
	List	   *expansions = NIL;
	StringInfoData expanded;
	ListCell   *lc;

	foreach(lc, names)
	{
		char	   *name = lfirst(lc);
		char	   *head = pnstrdup(name, strcspn(name, "."));
		int			column = schema_find(entity->schema, name);

		if (column >= 0)
		{
			/* it is not of the service */
			if (strcmp(name, ODATA_REMOVED) != 0)
				add_name(&selected, name);
			*fields = lappend(*fields, &entity->schema->fields[column]);
			*paths = lappend(*paths, pstrdup(name));
			continue;
		}

		/* into a value of a complex type: what is there, nobody told */
		column = schema_find(entity->schema, head);
		if (column >= 0 && entity->schema->fields[column].type == FIELD_JSON)
		{
			Field	   *field = json_field(name, "Complex");

			field->type = FIELD_STRING;
			add_name(&selected, head);
			*fields = lappend(*fields, field);
			*paths = lappend(*paths, pstrdup(name));
			continue;
		}
		select_along(entity, name, &expansions, paths, fields);
	}

	initStringInfo(&expanded);
	foreach(lc, expansions)
	{
		Expansion  *expansion = lfirst(lc);
		const char *name = expansion->navigation->name;

		appendStringInfo(&expanded, "%s%s", expanded.len > 0 ? "," : "", name);
		if (entity->version == ODATA_V2)
		{
			if (expansion->whole)
				add_name(&selected, name);
			else
			{
				ListCell   *inner;

				foreach(inner, expansion->selected)
					add_name(&selected, psprintf("%s/%s", name, (char *) lfirst(inner)));
			}
		}
		else if (!expansion->whole)
			appendStringInfo(&expanded, "($select=%s)", join(expansion->selected, ""));
	}
	*select = selected == NIL ? NULL : join(selected, "");
	*expand = expanded.len == 0 ? NULL : expanded.data;
}

/* ---------- keys ---------- */

/* a cell that is canonical for its field as a literal */
static char *
cell_literal(ODataVersion version, const Field *field, const Cell *cell)
{
	char		text[CELL_TEXT_MAX];
	char	   *value;
	Literal		literal;
	Field		any = *field;

	if (cell_is_text(cell))
		value = pnstrdup(cell->data, cell->length);
	else
		value = pnstrdup(text, text_format_cell(cell, field->type, text));
	/* a key is said exactly */
	any.max_length = 0;
	if (cell->kind == CELL_TIMESTAMP || cell->kind == CELL_DATE)
		return time_text(version, field, *cell);
	literal = make_literal(version, &any, value);
	return literal.text != NULL ? literal.text : value;
}

char *
odata_key(ODataVersion version, const Schema *schema, List *keys, const Cell *cells)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	appendStringInfoChar(&out, '(');
	foreach(lc, keys)
	{
		int			i = foreach_current_index(lc);
		const Field *field = &schema->fields[schema_find(schema, lfirst(lc))];
		char	   *literal = cell_literal(version, field, &cells[i]);

		if (i > 0)
			appendStringInfoChar(&out, ',');
		if (list_length(keys) > 1)
			appendStringInfo(&out, "%s=", field->name);
		for (const unsigned char *p = (const unsigned char *) literal; *p != '\0'; p++)
		{
			if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
				strchr("-_.~'", *p) != NULL)
				appendStringInfoChar(&out, *p);
			else
				appendStringInfo(&out, "%%%02X", *p);
		}
	}
	appendStringInfoChar(&out, ')');
	return out.data;
}
