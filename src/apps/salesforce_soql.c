/*-------------------------------------------------------------------------
 *
 * salesforce_soql.c
 *	  Requests to read as queries in SOQL; conditions are salesforce_condition.c's.
 *
 * Follows the SOQL and SOSL Reference.
 *
 * IDENTIFICATION
 *	  src/apps/salesforce_soql.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/salesforce_condition.h"
#include "record/jsonb_access.h"

#define MAX_SOQL 100000			/* characters of a query */
#define MAX_URL 14000			/* bytes of it in a URL, encoded: URL and headers have 16,384 */
#define MAX_OFFSET 2000
#define MAX_GROUPS 2000			/* what an answer with GROUP BY may have; there is no second page */

/* a condition of the request */
typedef struct Condition
{
	Filter	   *filter;
	char	   *text;
	Pushed		pushed;
} Condition;

/* ---------- lengths ---------- */

static size_t
encoded_length(const char *text)
{
	size_t		length = 0;

	for (; *text != '\0'; text++)
	{
		bool		plain = (*text >= '0' && *text <= '9') || (*text >= 'A' && *text <= 'Z') ||
			(*text >= 'a' && *text <= 'z') || strchr("-_.~", *text) != NULL;

		length += plain ? 1 : 3;
	}
	return length;
}

bool
soql_fits_url(const char *text)
{
	return encoded_length(text) <= MAX_URL;
}

static bool
fits(const char *text, SalesforceApi api)
{
	return strlen(text) <= MAX_SOQL && (api == SALESFORCE_BULK || soql_fits_url(text));
}

/* ---------- what is selected ---------- */

/* a part of a compound field is had with the whole */
static List *
selection(Soql *soql, List *names)
{
	List	   *selected = NIL;
	ListCell   *lc;

	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		const Field *field = salesforce_field(soql->session, soql->described, name, soql->ask);

		if (field != NULL && salesforce_is_compound(field) && strchr(name, '.') != NULL)
			name = field->name;
		if (!list_has_text(selected, name))
			selected = lappend(selected, unconstify(char *, name));
	}
	return selected == NIL ? list_make1("Id") : selected;
}

char *
soql_aggregate_name(int number)
{
	return psprintf("a%d", number);
}

static const char *const aggregate_functions[] = {"COUNT", "SUM", "MIN", "MAX", "AVG"};

/* how many groups a field can make at most; 0: nobody can tell */
static int
groups_by(Soql *soql, const char *name)
{
	int			found = schema_find(soql->described, name);
	const Field *field = found < 0 ? NULL : &soql->described->fields[found];

	if (field == NULL)
		return 0;
	switch (soql_class(field))
	{
		case SOQL_BOOLEAN:
			return 2;
		case SOQL_CHOICE:
			return field->values == NIL || field->open_values ? 0 : list_length(field->values) + 1;
		default:
			return 0;
	}
}

static bool
can_aggregate(Soql *soql, const ReadRequest *request)
{
	int64		groups = 1;
	ListCell   *lc;

	foreach(lc, request->group_by)
	{
		groups *= groups_by(soql, lfirst(lc));
		if (groups == 0 || groups > MAX_GROUPS)
			return false;
	}
	foreach(lc, request->aggregates)
	{
		const Aggregate *aggregate = lfirst(lc);
		const Field *field;

		if (aggregate->field == NULL)
			continue;
		field = salesforce_is_name(aggregate->field, true) ?
			salesforce_field(soql->session, soql->described, aggregate->field, soql->ask) : NULL;
		if (field == NULL || !soql_aggregates(field, aggregate->function))
			return false;
	}
	return true;
}

static List *
aggregate_selection(const ReadRequest *request)
{
	List	   *selected = list_copy(request->group_by);
	ListCell   *lc;

	foreach(lc, request->aggregates)
	{
		const Aggregate *aggregate = lfirst(lc);

		selected = lappend(selected, psprintf("%s(%s) %s", aggregate_functions[aggregate->function],
											  aggregate->field != NULL ? aggregate->field : "Id",
											  soql_aggregate_name(foreach_current_index(lc) + 1)));
	}
	return selected;
}

/* ---------- order, and the whole ---------- */

/* Salesforce's order is ours for numbers and times; of texts it is a language's, of picklists their list's. */
static bool
can_order(Soql *soql, const ReadRequest *request)
{
	ListCell   *lc;

	foreach(lc, request->order)
	{
		const OrderKey *key = lfirst(lc);
		const Field *field = salesforce_is_name(key->field, true) ?
			salesforce_field(soql->session, soql->described, key->field, soql->ask) : NULL;

		if (field == NULL || !field->sortable)
			return false;
		switch (soql_class(field))
		{
			case SOQL_NUMBER:
			case SOQL_INTEGER:
			case SOQL_DATE:
			case SOQL_DATETIME:
				break;
			default:
				return false;
		}
	}
	return true;
}

static void
append_list(StringInfo out, const char *before, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
		appendStringInfo(out, "%s%s", foreach_current_index(lc) > 0 ? ", " : before, (char *) lfirst(lc));
}

static void
append_where(StringInfo out, List *conditions)
{
	const char *before = " WHERE ";
	ListCell   *lc;

	foreach(lc, conditions)
	{
		const Condition *c = lfirst(lc);

		if (c->pushed == PUSHED_NOT)
			continue;
		appendStringInfo(out, "%s%s", before, c->text);
		before = " AND ";
	}
}

static char *
assemble(Soql *soql, ReadRequest *request, List *selected, List *conditions)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	append_list(&out, "SELECT ", request->aggregates_taken ? aggregate_selection(request) : selection(soql, selected));
	appendStringInfo(&out, " FROM %s", request->entity);
	append_where(&out, conditions);
	if (request->aggregates_taken)
		append_list(&out, " GROUP BY ", request->group_by);
	if (request->order_taken)
	{
		foreach(lc, request->order)
		{
			const OrderKey *key = lfirst(lc);

			appendStringInfo(&out, "%s%s %s NULLS %s", foreach_current_index(lc) > 0 ? ", " : " ORDER BY ", key->field,
							 key->descending ? "DESC" : "ASC", key->nulls_first ? "FIRST" : "LAST");
		}
	}
	if (request->limit_taken && request->limit != NO_LIMIT)
		appendStringInfo(&out, " LIMIT " INT64_FORMAT, request->limit);
	if (request->limit_taken && request->offset > 0)
		appendStringInfo(&out, " OFFSET " INT64_FORMAT, request->offset);
	return out.data;
}

/* what beside filters the query does */
static void
take(Soql *soql, ReadRequest *request, SalesforceApi api, bool all_filters)
{
	bool		aggregated = request->aggregates != NIL || request->group_by != NIL;
	bool		limited = request->limit != NO_LIMIT || request->offset > 0;

	request->aggregates_taken = aggregated && all_filters && can_aggregate(soql, request);

	/* groups are few: the caller orders them */
	request->order_taken = request->order != NIL && !aggregated && can_order(soql, request);
	request->limit_taken = limited && all_filters && !aggregated &&
		(request->order == NIL || request->order_taken) && request->limit <= PG_INT32_MAX &&
		request->offset <= (api == SALESFORCE_BULK ? 0 : MAX_OFFSET);
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

SoqlQuery
soql_make(ConnectorSession *session, ReadRequest *request, const Schema *described, List *selected,
		  SalesforceApi api, bool ask)
{
	Soql		soql = {.session = session,.described = described,.ask = ask};
	SoqlQuery	query = {.all = request->properties != NULL &&
	jsonb_get_bool(request->properties, "includeDeletedRecords", false)};
	List	   *conditions = NIL;
	StringInfoData count;
	ListCell   *lc;

	foreach(lc, request->filters)
	{
		Condition  *c = palloc(sizeof(Condition));
		StringInfoData text;

		initStringInfo(&text);
		c->filter = lfirst(lc);
		c->pushed = soql_condition(&soql, c->filter, &text);
		c->text = text.data;
		conditions = lappend(conditions, c);
	}
	for (;;)
	{
		bool		all_filters = true;
		Condition  *c;

		foreach(lc, conditions)
		{
			c = lfirst(lc);
			c->filter->taken = c->pushed == PUSHED_EXACTLY;
			all_filters = all_filters && c->filter->taken;
		}
		take(&soql, request, api, all_filters);
		query.text = assemble(&soql, request, selected, conditions);
		c = longest(conditions);
		if (fits(query.text, api) || c == NULL)
			break;
		c->pushed = PUSHED_NOT;
	}
	initStringInfo(&count);
	appendStringInfo(&count, "SELECT COUNT() FROM %s", request->entity);
	append_where(&count, conditions);
	query.count = count.data;
	return query;
}
