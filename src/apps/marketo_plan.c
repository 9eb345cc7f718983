/*-------------------------------------------------------------------------
 *
 * marketo_plan.c
 *	  How a request to read is carried out.
 *
 * Marketo has no query language: leads and custom objects are exported by spans of a
 * time, most records found by values of a field, activities told since a time.  A
 * condition chooses the way and narrows it; nearly always the caller evaluates
 * it again.
 *
 * IDENTIFICATION
 *	  src/apps/marketo_plan.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/marketo.h"
#include "codec/text.h"
#include "common/int.h"
#include "net/url.h"
#include "record/errors.h"

/*
 * Whole numbers that are asked for one by one: as many as a thousand calls bring, or, where
 * nothing else narrows the reading, as a tenth of the calls of a day.
 */
#define NUMBERS_RATHER 30000
#define NUMBERS_AT_MOST 1500000

/* ---------- conditions ---------- */

static int64
floor_seconds(int64 micros)
{
	int64		seconds = micros / USECS_PER_SEC;

	return micros % USECS_PER_SEC < 0 ? seconds - 1 : seconds;
}

static int64
ceil_seconds(int64 micros)
{
	int64		seconds = micros / USECS_PER_SEC;

	return micros % USECS_PER_SEC > 0 ? seconds + 1 : seconds;
}

/* what a filter says of where values are; NULL: nothing, or it is not known yet */
typedef struct Ends
{
	const char *lower;
	const char *upper;
} Ends;

static Ends
ends_of(const Filter *filter)
{
	Ends		ends = {NULL, NULL};

	switch (filter->operator)
	{
		case FILTER_GREATER_THAN:
		case FILTER_GREATER_THAN_OR_EQUAL_TO:
			ends.lower = filter->operands[0];
			break;
		case FILTER_LESS_THAN:
		case FILTER_LESS_THAN_OR_EQUAL_TO:
			ends.upper = filter->operands[0];
			break;
		case FILTER_BETWEEN:
			ends.lower = filter->operands[0];
			ends.upper = filter->operands[1];
			break;
		case FILTER_EQUAL_TO:
			if (filter->noperands == 1)
				ends.lower = ends.upper = filter->operands[0];
			break;
		default:
			break;
	}
	return ends;
}

/* Narrow the plan by what filters say of a time; false: they say nothing. */
static bool
narrow_time(MarketoPlan *plan, const ReadRequest *request, const char *field)
{
	bool		narrowed = false;
	ListCell   *lc;

	plan->from = plan->until = MARKETO_NO_TIME;
	foreach(lc, request->filters)
	{
		const Filter *filter = lfirst(lc);
		Ends		ends;
		int64		micros;

		if (filter->field == NULL || strcmp(filter->field, field) != 0)
			continue;
		ends = ends_of(filter);
		if (ends.lower != NULL && filter_parse_time(ends.lower, FIELD_DATETIME, &micros))
		{
			plan->from = plan->from == MARKETO_NO_TIME ? floor_seconds(micros) : Max(plan->from, floor_seconds(micros));
			narrowed = true;
		}
		if (ends.upper != NULL && filter_parse_time(ends.upper, FIELD_DATETIME, &micros))
		{
			plan->until = plan->until == MARKETO_NO_TIME ? ceil_seconds(micros) : Min(plan->until, ceil_seconds(micros));
			narrowed = true;
		}
	}
	return narrowed;
}

/* The same of whole numbers; what cannot be read as one is left to the caller. */
static bool
narrow_numbers(MarketoPlan *plan, const ReadRequest *request, const Field *field)
{
	bool		lower = field->key; /* ids begin at 1 */
	bool		upper = false;
	int64		value;
	ListCell   *lc;

	plan->first = 1;
	plan->last = PG_INT64_MAX;
	foreach(lc, request->filters)
	{
		const Filter *filter = lfirst(lc);
		Ends		ends;

		if (filter->field == NULL || strcmp(filter->field, field->name) != 0)
			continue;
		ends = ends_of(filter);
		if (ends.lower != NULL && text_parse_int64(ends.lower, strlen(ends.lower), &value))
		{
			plan->first = lower ? Max(plan->first, value) : value;
			lower = true;
		}
		if (ends.upper != NULL && text_parse_int64(ends.upper, strlen(ends.upper), &value))
		{
			plan->last = Min(plan->last, value);
			upper = true;
		}
	}
	return lower && upper;
}

static int64
count_numbers(const MarketoPlan *plan)
{
	int64		count;

	if (plan->last < plan->first)
		return 0;
	if (pg_sub_s64_overflow(plan->last, plan->first, &count))
		return PG_INT64_MAX;
	return count;
}

static int
compare_values(const void *a, const void *b)
{
	return pg_strcasecmp(*(char *const *) a, *(char *const *) b);
}

/*
 * Values as Marketo is given them, each once: it takes no notice of letter case.  False: one
 * cannot be given, as a comma is between values.
 */
static bool
take_values(MarketoPlan *plan, const Filter *filter, const Field *field)
{
	char	  **values = palloc(sizeof(char *) * Max(filter->noperands, 1));
	int			count = 0;

	for (int i = 0; i < filter->noperands; i++)
	{
		const char *operand = filter->operands[i];
		int64		number;

		if (operand == NULL)
		{
			/* planning */
			plan->values = list_make1("$1");
			return true;
		}
		if (field->type == FIELD_INTEGER || field->type == FIELD_LONG)
		{
			if (!text_parse_int64(operand, strlen(operand), &number))
				return false;
			values[count++] = psprintf(INT64_FORMAT, number);
			continue;
		}
		if (operand[0] == '\0' || strpbrk(operand, ",\"\\") != NULL || operand[0] == ' ' ||
			operand[strlen(operand) - 1] == ' ')
			return false;
		values[count++] = pstrdup(operand);
	}
	qsort(values, count, sizeof(char *), compare_values);
	plan->values = NIL;
	for (int i = 0; i < count; i++)
	{
		if (i == 0 || compare_values(&values[i - 1], &values[i]) != 0)
			plan->values = lappend(plan->values, values[i]);
	}
	return true;
}

/* Is there a condition that lists values of a field that Marketo finds records by? */
static bool
find_values(MarketoPlan *plan, const ReadRequest *request)
{
	ListCell   *lc;

	foreach(lc, request->filters)
	{
		const Filter *filter = lfirst(lc);
		int			index = filter->field == NULL || filter->operator != FILTER_EQUAL_TO ? -1 :
			schema_find(plan->described, filter->field);

		if (index < 0 || (plan->described->fields[index].filters & (1 << FILTER_EQUAL_TO)) == 0)
			continue;
		if (take_values(plan, filter, &plan->described->fields[index]))
		{
			plan->field = plan->described->fields[index].name;
			return true;
		}
	}
	return false;
}

/* Are there conditions that leave a number of whole numbers, few enough to list them? */
static bool
find_numbers(MarketoPlan *plan, const ReadRequest *request, int64 at_most)
{
	for (int i = 0; i < plan->described->nfields; i++)
	{
		const Field *field = &plan->described->fields[i];

		if ((field->type != FIELD_INTEGER && field->type != FIELD_LONG) ||
			(field->filters & (1 << FILTER_EQUAL_TO)) == 0 || !narrow_numbers(plan, request, field) ||
			count_numbers(plan) > at_most)
			continue;
		plan->field = field->name;
		plan->ranged = true;
		return true;
	}
	return false;
}

/* ---------- fields ---------- */

static void
add_field(Schema *schema, const Field *like)
{
	Field	   *field = schema_add(schema, like->name, like->type);
	char	   *name = field->name;

	*field = *like;
	field->name = name;
	field->hidden = false;
}

static Schema *
fields_of(ConnectorSession *session, const ReadRequest *request, const Schema *described)
{
	Schema	   *schema = schema_create();
	ListCell   *lc;

	for (int i = 0; request->all_fields && i < described->nfields; i++)
	{
		const Field *field = &described->fields[i];

		if (list_has_text(request->fields, field->name) || !list_has_text(request->exclude, field->name))
			add_field(schema, field);
	}
	foreach(lc, request->fields)
	{
		int			index = schema_find(described, lfirst(lc));

		if (index < 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("Marketo has no field \"%s\" of entity \"%s\"", (char *) lfirst(lc), request->entity),
					errhint("It may have been renamed, or the API user of connector profile \"%s\" may lack the right to see it.",
							session->profile_name));
		if (schema_find(schema, lfirst(lc)) < 0)
			add_field(schema, &described->fields[index]);
	}
	return schema;
}

/* ---------- plans ---------- */

static bool
has_field(const Schema *schema, const char *name)
{
	return schema_find(schema, name) >= 0;
}

/*
 * Conditions on a time of change that only Marketo knows: its exports go by the last change of any
 * field, updatedAt shows that of the standard ones.  A flow means the first.  As what shows is never
 * the later of the two, an upper end can be looked at again, and is: so windows that adjoin
 * do not share records.
 */
static void
take_time(const ReadRequest *request, const char *field)
{
	ListCell   *lc;

	foreach(lc, request->filters)
	{
		Filter	   *filter = lfirst(lc);
		Ends		ends;
		int64		micros;

		if (filter->field == NULL || strcmp(filter->field, field) != 0 || filter->operator == FILTER_EQUAL_TO)
			continue;
		ends = ends_of(filter);
		filter->taken = ends.lower != NULL && filter_parse_time(ends.lower, FIELD_DATETIME, &micros) &&
			(ends.upper == NULL || filter_parse_time(ends.upper, FIELD_DATETIME, &micros));
	}
}

/* leads: by values, else by exports of the time that is narrowed most */
static void
plan_leads(MarketoPlan *plan, const ReadRequest *request, bool take)
{
	bool		changed;
	bool		bounded;
	int64		until;

	plan->route = ROUTE_VALUES;
	if (find_values(plan, request) || find_numbers(plan, request, NUMBERS_RATHER))
		return;
	changed = has_field(plan->described, "updatedAt") && narrow_time(plan, request, "updatedAt") &&
		plan->from != MARKETO_NO_TIME;
	bounded = changed || (narrow_time(plan, request, "createdAt") && plan->from != MARKETO_NO_TIME);
	if (!bounded && find_numbers(plan, request, NUMBERS_AT_MOST))
		return;
	plan->route = ROUTE_JOBS;
	if (changed && (take || !narrow_time(plan, request, "createdAt") || plan->from == MARKETO_NO_TIME))
	{
		(void) narrow_time(plan, request, "updatedAt");
		plan->field = "updatedAt";
		if (take)
			take_time(request, "updatedAt");
		else
			plan->until = MARKETO_NO_TIME;	/* the change that shows may have been followed by another */
		return;
	}
	/* what was not changed after a time was not made after it */
	until = narrow_time(plan, request, "updatedAt") ? plan->until : MARKETO_NO_TIME;
	(void) narrow_time(plan, request, "createdAt");
	if (until != MARKETO_NO_TIME && (plan->until == MARKETO_NO_TIME || plan->until > until))
		plan->until = until;
	plan->field = "createdAt";
}

MarketoPlan *
marketo_plan(ConnectorSession *session, ReadRequest *request, const Schema *described)
{
	MarketoPlan *plan = palloc0(sizeof(MarketoPlan));
	bool		take = request->properties != NULL; /* a flow's */

	plan->entity = marketo_entity(request->entity);
	plan->described = described;
	plan->schema = fields_of(session, request, described);
	plan->from = plan->until = MARKETO_NO_TIME;
	switch (plan->entity->kind)
	{
		case MARKETO_LEADS:
			plan_leads(plan, request, take);
			break;
		case MARKETO_RECORDS:
		case MARKETO_CUSTOM:
			if (find_values(plan, request) || find_numbers(plan, request, NUMBERS_AT_MOST))
				plan->route = ROUTE_VALUES;
			else if (plan->entity->bulk != NULL)
			{
				plan->route = ROUTE_JOBS;
				plan->field = "updatedAt";
				(void) narrow_time(plan, request, "updatedAt");
			}
			break;
		case MARKETO_ACTIVITIES:
			plan->route = ROUTE_ACTIVITIES;
			(void) narrow_time(plan, request, "activityDate");
			if (plan->entity->type == NULL)
				(void) find_values(plan, request);
			break;
		case MARKETO_LISTING:
			plan->route = ROUTE_LISTING;
			(void) find_values(plan, request);
			break;
		case MARKETO_PROGRAMS:
			plan->route = ROUTE_PROGRAMS;
			(void) narrow_time(plan, request, "updatedAt");
			break;
	}
	return plan;
}

int
marketo_need_column(const MarketoPlan *plan, const char *name)
{
	int			column = schema_find(plan->schema, name);
	int			described = schema_find(plan->described, name);

	if (column >= 0 || described < 0)
		return column;
	add_field(plan->schema, &plan->described->fields[described]);
	plan->schema->fields[plan->schema->nfields - 1].hidden = true;
	return plan->schema->nfields - 1;
}

/* ---------- in words ---------- */

char *
marketo_time(int64 seconds)
{
	Cell		cell = cell_integer(CELL_TIMESTAMP, seconds * USECS_PER_SEC);
	char		text[CELL_TEXT_MAX];
	size_t		length = text_format_cell(&cell, FIELD_DATETIME, text);

	return pnstrdup(text, length);
}

static char *
span_in_words(const MarketoPlan *plan, const char *field)
{
	StringInfoData words;

	initStringInfo(&words);
	if (plan->from == MARKETO_NO_TIME && plan->until == MARKETO_NO_TIME)
		return "";
	appendStringInfo(&words, ", %s", field);
	if (plan->from != MARKETO_NO_TIME)
		appendStringInfo(&words, " from %s", marketo_time(plan->from));
	if (plan->until != MARKETO_NO_TIME)
		appendStringInfo(&words, " to %s", marketo_time(plan->until));
	return words.data;
}

static char *
values_in_words(const MarketoPlan *plan)
{
	StringInfoData words;
	ListCell   *lc;

	initStringInfo(&words);
	foreach(lc, plan->values)
	{
		if (foreach_current_index(lc) == 10)
		{
			appendStringInfo(&words, ",... (%d)", list_length(plan->values));
			break;
		}
		appendStringInfo(&words, "%s%s", foreach_current_index(lc) > 0 ? "," : "", (char *) lfirst(lc));
	}
	return words.data;
}

char *
marketo_plan_read(ConnectorSession *session, ReadRequest *request)
{
	MarketoPlan *plan = marketo_plan(session, request, request->described);
	const MarketoEntity *entity = plan->entity;

	switch (plan->route)
	{
		case ROUTE_NONE:
			return psprintf("nothing: Marketo lists %s only by values of a field", entity->name);
		case ROUTE_VALUES:
			return psprintf("GET %s.json?filterType=%s&filterValues=%s", entity->path, plan->field,
							plan->ranged ? psprintf(INT64_FORMAT " to " INT64_FORMAT, plan->first, plan->last) :
							values_in_words(plan));
		case ROUTE_JOBS:
			return psprintf("POST %s/export/create.json by %s%s", entity->bulk, plan->field, span_in_words(plan, plan->field));
		case ROUTE_ACTIVITIES:
			return psprintf("GET %s.json%s%s%s", entity->path, plan->values == NIL ? "" : "?activityTypeIds=",
							values_in_words(plan), span_in_words(plan, "activityDate"));
		case ROUTE_LISTING:
			return psprintf("GET %s.json%s%s", entity->path, plan->values == NIL ? "" : "?id=", values_in_words(plan));
		case ROUTE_PROGRAMS:
			return psprintf("GET %s.json%s", entity->path, span_in_words(plan, "updatedAt"));
	}
	pg_unreachable();
}
