/*-------------------------------------------------------------------------
 *
 * manifest_plan.c
 *	  What a manifest makes of a read request: fields, filters, order.
 *
 * Asks nobody.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_plan.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/text.h"
#include "common/string.h"
#include "connector/manifest_engine.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

StaticAssertDecl((int) FILTER_IS_NOT_NULL == MANIFEST_OPERATORS - 1, "operators of manifests are those of filters");

/* from PostgreSQL's epoch to that of moments, in microseconds */
#define EPOCH_DIFFERENCE ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* ---------- fields ---------- */

static char *
joined(List *texts, const char *separator)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	foreach(lc, texts)
	{
		if (out.len > 0)
			appendStringInfoString(&out, separator);
		appendStringInfoString(&out, lfirst(lc));
	}
	return out.data;
}

/* where the application has a field: its path, without what selects an element of an array */
static char *
base_path(const Field *field)
{
	const char *path = field->path != NULL ? field->path : field->name;

	return pnstrdup(path, strcspn(path, "["));
}

/* a field that leads into a nested value of one that is described; NULL: there is none */
static Field *
add_nested(Schema *schema, const Schema *described, const char *name)
{
	for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
	{
		char	   *front = pnstrdup(name, dot - name);
		int			outer = schema_find(described, front);
		Field	   *field;

		if (outer < 0 || described->fields[outer].type != FIELD_JSON || described->fields[outer].write_only)
			continue;
		field = schema_add(schema, name, FIELD_STRING);
		field->path = psprintf("%s%s", described->fields[outer].path != NULL ? described->fields[outer].path : front, dot);
		return field;
	}
	return NULL;
}

static void
add_copy(Schema *schema, const Field *field)
{
	Field	   *added = schema_add(schema, field->name, field->type);
	char	   *name = added->name;

	*added = *field;
	added->name = name;
}

static bool
is_constant(const ManifestEntity *entity, const char *name)
{
	for (int i = 0; i < entity->fields.count; i++)
	{
		if (strcmp(entity->fields.items[i].name, name) == 0)
			return entity->fields.items[i].constant != NULL;
	}
	return false;
}

/* the fields that are asked for; raises for one that the entity does not have */
static void
select_fields(ConnectorSession *session, const ReadRequest *request, ReadPlan *plan)
{
	const Schema *described = plan->described;
	ListCell   *lc;

	plan->schema = schema_create();
	foreach(lc, request->fields)
	{
		const char *name = lfirst(lc);
		int			found = schema_find(described, name);

		if (schema_find(plan->schema, name) >= 0)
			continue;
		if (found >= 0 && !described->fields[found].write_only)
			add_copy(plan->schema, &described->fields[found]);
		else if (found >= 0)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("field \"%s\" of entity \"%s\" can be written, but not read", name, request->entity));
		else if (add_nested(plan->schema, described, name) == NULL)
		{
			if (plan->entity->sample == 0)
				ereport(ERROR,
						appflow_error(WF_VALIDATION),
						errmsg("entity \"%s\" of %s has no field \"%s\"", request->entity, session_application(session),
							   name),
						errhint("appflow.describe_connector_entity() tells which there are; what it knows may be an hour "
								"old, appflow.reset_connector_metadata_cache() forgets it."));
			(void) schema_add(plan->schema, name, FIELD_STRING);
		}
	}
	for (int i = 0; i < described->nfields && request->all_fields; i++)
	{
		const Field *field = &described->fields[i];

		if (!field->write_only && !list_has_text(request->exclude, field->name) && schema_find(plan->schema, field->name) < 0)
			add_copy(plan->schema, field);
	}
	plan->discover = request->all_fields && plan->entity->sample > 0 && !request->need_types;
}

/* add the path of a field to the list that the application gets */
static void
note_path(List **paths, const char *path)
{
	if (!list_has_text(*paths, path))
		*paths = lappend(*paths, unconstify(char *, path));
}

/*
 * Paths of the fields, for the application that lets one choose; with those that paging
 * looks at.
 */
static char *
field_list(const ReadPlan *plan)
{
	const ManifestRead *read = plan->read;
	List	   *paths = NIL;

	if (plan->discover)
		return NULL;
	for (int i = 0; i < plan->schema->nfields; i++)
	{
		const Field *field = &plan->schema->fields[i];

		if (!is_constant(plan->entity, field->name))
			note_path(&paths, base_path(field));
	}
	for (int i = 0; i < read->distinct.count; i++)
	{
		int			found = schema_find(plan->described, read->distinct.items[i]);

		note_path(&paths, found < 0 ? read->distinct.items[i] : base_path(&plan->described->fields[found]));
	}
	if (read->paging.kind == PAGING_KEY)
		note_path(&paths, read->paging.next);
	return paths == NIL ? NULL : joined(paths, read->field_separator != NULL ? read->field_separator : ",");
}

/* ---------- literals ---------- */

static bool
is_text(FieldType type)
{
	return type == FIELD_STRING || type == FIELD_UUID || type == FIELD_TIME;
}

static bool
is_number(FieldType type)
{
	return type == FIELD_INTEGER || type == FIELD_LONG || type == FIELD_FLOAT || type == FIELD_DOUBLE ||
		type == FIELD_DECIMAL;
}

static bool
is_moment(FieldType type)
{
	return type == FIELD_DATE || type == FIELD_DATETIME || type == FIELD_TIMESTAMP;
}

/* text with the pairs of escape applied, at each place the longest name that fits */
static char *
escaped(const ManifestPairs *escape, const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	while (*text != '\0')
	{
		const ManifestPair *best = NULL;

		for (int i = 0; i < escape->count; i++)
		{
			const ManifestPair *pair = &escape->items[i];

			if (strncmp(text, pair->name, strlen(pair->name)) == 0 &&
				(best == NULL || strlen(pair->name) > strlen(best->name)))
				best = pair;
		}
		if (best == NULL)
			appendStringInfoChar(&out, *text++);
		else
		{
			appendStringInfoString(&out, best->value);
			text += strlen(best->name);
		}
	}
	return out.data;
}

static bool
cannot_be_said(const ManifestFilter *rule, const char *text)
{
	for (int i = 0; i < rule->unless.contains.count; i++)
	{
		if (strstr(text, rule->unless.contains.items[i]) != NULL)
			return true;
	}
	for (int i = 0; i < rule->unless.begins_with.count; i++)
	{
		const char *begin = rule->unless.begins_with.items[i];

		if (strncmp(text, begin, strlen(begin)) == 0)
			return true;
	}
	return false;
}

/* the moment that an operand names, in the unit of the type */
static bool
moment_of(const char *operand, FieldType type, int64 *value)
{
	bool		has_zone;

	if (text_parse_int64(operand, strlen(operand), value))
	{
		if (*value > PG_INT64_MAX / 1000 || *value < PG_INT64_MIN / 1000)
			return false;
		*value *= 1000;
	}
	else if (!text_parse_datetime(operand, strlen(operand), value, &has_zone))
		return false;
	if (type == FIELD_DATE)
	{
		if (*value % INT64CONST(86400000000) != 0)
			return false;
		*value /= INT64CONST(86400000000);
	}
	return true;
}

/* the moment so many seconds ago, as moment_of() gives them */
static int64
seconds_ago(int seconds)
{
	return GetCurrentTimestamp() + EPOCH_DIFFERENCE - seconds * USECS_PER_SEC;
}

/* one condition on its way to the application */
typedef struct Sending
{
	ConnectorSession *session;
	const ReadPlan *plan;
	const Filter *filter;
	Field		field;
	FieldType	type;			/* in which values are compared */
	int			unknown;		/* number of the next operand that is not known yet */
} Sending;

/* an operand in the application's words; NULL: it cannot be said */
static char *
literal(const Sending *sending, const ManifestFilter *rule, int number, bool *exact)
{
	const Filter *filter = sending->filter;
	const char *operand = filter->operands[number];
	bool		up = filter->operator == FILTER_LESS_THAN || filter->operator == FILTER_LESS_THAN_OR_EQUAL_TO ||
		(filter->operator == FILTER_BETWEEN && number == 1);
	bool		whole = true;
	int64		value;
	bool		flag;
	char	   *text;

	if (operand == NULL)
	{
		int			unknown = sending->unknown;

		for (int i = 0; i < number; i++)
			unknown += filter->operands[i] == NULL;
		return psprintf("$%d", unknown);
	}
	if (is_moment(sending->type))
	{
		ManifestFormat format = rule->format != FORMAT_NONE ? (ManifestFormat) rule->format :
			manifest_format(manifest_of(sending->session), &sending->field);

		if (!moment_of(operand, sending->type, &value))
			return NULL;
		if (rule->settled > 0 && sending->type != FIELD_DATE && value > seconds_ago(rule->settled))
		{
			value = seconds_ago(rule->settled);
			*exact = false;
		}

		/* seconds of ten digits are what applications take */
		if ((format == FORMAT_EPOCH || format == FORMAT_EPOCH_FRACTION) && sending->type != FIELD_DATE &&
			(value < 0 || value >= INT64CONST(10000000000) * USECS_PER_SEC))
			return NULL;
		text = manifest_format_time(format, sending->type, value, up, &whole);
		if (!whole && (filter->operator == FILTER_EQUAL_TO || filter->operator == FILTER_NOT_EQUAL_TO))
			return NULL;
		*exact = *exact && whole;
		return text;
	}
	if (is_number(sending->type))
		return text_is_number(operand, strlen(operand)) ? pstrdup(operand) : NULL;
	if (sending->type == FIELD_BOOLEAN)
		return parse_bool(operand, &flag) ? pstrdup(flag ? "true" : "false") : NULL;
	/* applications take UTF-8 */
	if (!is_text(sending->type) || (GetDatabaseEncoding() != PG_UTF8 && !pg_is_ascii(operand)))
		return NULL;
	if (!manifest_made_of(operand, rule->characters) || (rule->length > 0 && strlen(operand) != (size_t) rule->length))
		return NULL;
	text = escaped(&rule->escape, operand);
	return rule->quote == NULL ? text : psprintf("%s%s%s", rule->quote, text, rule->quote);
}

/* ---------- filters ---------- */

static bool
rule_fits(const ManifestFilter *rule, FilterOperator operator, const char *field, FieldType type)
{
	bool		named = rule->fields.count == 0;

	if (operator >= MANIFEST_OPERATORS || (rule->operators & (1U << operator)) == 0)
		return false;
	for (int i = 0; i < rule->fields.count; i++)
		named = named || strcmp(rule->fields.items[i], field) == 0;
	for (int i = 0; i < rule->except.count; i++)
		named = named && strcmp(rule->except.items[i], field) != 0;
	return named && (rule->types == 0 || (rule->types & (1U << type)) != 0);
}

uint32
manifest_filters(const ManifestEntity *entity, const char *field, FieldType type)
{
	uint32		set = 0;

	for (int i = 0; i < entity->read.count; i++)
	{
		for (int k = 0; k < entity->read.items[i].filters.count; k++)
		{
			const ManifestFilter *rule = &entity->read.items[i].filters.items[k];

			for (int operator = 0; operator <= FILTER_NOT_EQUAL_TO; operator++)
			{
				if (rule_fits(rule, (FilterOperator) operator, field, type))
					set |= 1U << operator;
			}
		}
	}
	return set;
}

/* what is known of a filter's field, and by which type it compares; false: by another than the field's */
static bool
find_field(Sending *sending)
{
	const Filter *filter = sending->filter;
	int			found = schema_find(sending->plan->described, filter->field);

	if (found >= 0)
		sending->field = sending->plan->described->fields[found];
	else
		sending->field = (Field)
	{
		.name = filter->field, .type = filter->typed ? filter->type : FIELD_STRING
	};
	sending->type = filter->typed ? filter->type : sending->field.type;
	return sending->type == sending->field.type || (is_text(sending->type) && is_text(sending->field.type)) ||
		(is_number(sending->type) && is_number(sending->field.type)) ||
		(is_moment(sending->type) && is_moment(sending->field.type));
}

/* what a rule makes of a condition */
typedef struct Sent
{
	char	   *term;
	List	   *extra;
	bool		exact;
	bool		forbidden;		/* a literal that must not be sent, by any rule */
} Sent;

/* parameters of a rule; false: a value is missing, or the parameter is taken */
static bool
render_parameters(const ManifestPairs *pairs, bool first_only, const ManifestValues *values, List *taken, List **extra)
{
	for (int i = 0; i < pairs->count; i++)
	{
		ExtraParameter *parameter = palloc(sizeof(ExtraParameter));
		ListCell   *lc;

		parameter->name = pairs->items[i].name;
		parameter->value = manifest_expand(values, pairs->items[i].value, false);
		parameter->first_only = first_only;
		if (parameter->value == NULL)
			return false;
		foreach(lc, taken)
		{
			if (strcmp(((ExtraParameter *) lfirst(lc))->name, parameter->name) == 0)
				return false;
		}
		*extra = lappend(*extra, parameter);
	}
	return true;
}

/* the values of operands that a template may name; false: one cannot be said */
static bool
operand_values(const Sending *sending, const ManifestFilter *rule, ManifestValues *values, List **literals, bool *exact)
{
	const Filter *filter = sending->filter;

	for (int i = 0; i < filter->noperands; i++)
	{
		char	   *text = literal(sending, rule, i, exact);

		if (text == NULL || (rule->values != NULL && rule->values[0] != '\0' && filter->noperands > 1 &&
							 strstr(text, rule->values) != NULL))
			return false;
		*literals = lappend(*literals, text);
	}
	if (filter->operator == FILTER_BETWEEN)
	{
		if (filter->noperands != 2)
			return false;
		values->lower = linitial(*literals);
		values->upper = lsecond(*literals);
	}
	else if (filter->noperands == 1)
		values->value = linitial(*literals);
	if (rule->values != NULL)
		values->values = joined(*literals, rule->values);
	return true;
}

static bool
render(const Sending *sending, const ManifestFilter *rule, Sent *sent)
{
	ManifestValues values = sending->plan->values;
	List	   *literals = NIL;
	List	   *terms = NIL;
	ListCell   *lc;

	*sent = (Sent)
	{
		.exact = rule->exact
	};
	values.field = sending->field.path != NULL ? sending->field.path : sending->field.name;
	for (int i = 0; i < sending->filter->noperands && is_text(sending->type); i++)
		sent->forbidden = sent->forbidden ||
			(sending->filter->operands[i] != NULL && cannot_be_said(rule, sending->filter->operands[i]));
	if (sent->forbidden || !operand_values(sending, rule, &values, &literals, &sent->exact))
		return false;
	if (!render_parameters(&rule->parameters, false, &values, sending->plan->extra, &sent->extra) ||
		!render_parameters(&rule->first_parameters, true, &values, sending->plan->extra, &sent->extra))
		return false;
	if (rule->term == NULL)
		return true;
	if (rule->or == NULL || list_length(literals) < 2)
	{
		sent->term = manifest_expand(&values, rule->term, false);
		return sent->term != NULL;
	}
	foreach(lc, literals)
	{
		values.value = lfirst(lc);
		terms = lappend(terms, manifest_expand(&values, rule->term, false));
		if (llast(terms) == NULL)
			return false;
	}
	sent->term = joined(terms, rule->or);
	return true;
}

/* send a condition, if some rule says how; its term goes to terms */
static bool
send_filter(Sending *sending, ReadPlan *plan, Filter *filter, List **terms)
{
	Sent		sent;

	filter->taken = false;
	if (filter->field == NULL || filter->operator >= MANIFEST_OPERATORS || !find_field(sending))
		return false;
	for (int i = 0; i < plan->read->filters.count; i++)
	{
		const ManifestFilter *rule = &plan->read->filters.items[i];

		if (!rule_fits(rule, filter->operator, filter->field, sending->field.type))
			continue;
		if (!render(sending, rule, &sent))
		{
			if (sent.forbidden)
				return false;
			continue;
		}
		if (sent.term != NULL)
			*terms = lappend(*terms, sent.term);
		plan->extra = list_concat(plan->extra, sent.extra);

		/* without a type of its own it is compared as text where it is not a number */
		filter->taken = sent.exact &&
			(filter->typed || is_text(sending->field.type) || is_number(sending->field.type));
		return true;
	}
	return false;
}

/* all conditions of a request; returns how many are sent */
static int
send_filters(ConnectorSession *session, ReadRequest *request, ReadPlan *plan, List **terms)
{
	int			count = 0;
	int			unknown = 1;
	ListCell   *lc;

	plan->extra = NIL;
	plan->all_taken = true;
	foreach(lc, request->filters)
	{
		Filter	   *filter = lfirst(lc);
		Sending		sending = {.session = session, .plan = plan, .filter = filter, .unknown = unknown};

		count += send_filter(&sending, plan, filter, terms);
		plan->all_taken = plan->all_taken && filter->taken;
		for (int i = 0; i < filter->noperands; i++)
			unknown += filter->operands[i] == NULL;
	}
	return count;
}

/* ---------- order ---------- */

static bool
nulls_as_wanted(const ManifestOrder *order, const OrderKey *key, const Field *field)
{
	switch ((ManifestNulls) order->nulls)
	{
		case NULLS_ARE_FIRST:
			return key->nulls_first || field->not_null;
		case NULLS_ARE_LAST:
			return !key->nulls_first || field->not_null;
		case NULLS_ARE_SMALLEST:
			return key->nulls_first != key->descending || field->not_null;
		case NULLS_ARE_LARGEST:
			return key->nulls_first == key->descending || field->not_null;
		case NULLS_UNKNOWN:
			break;
	}
	return field->not_null;
}

static char *
order_term(const ReadPlan *plan, const ManifestOrder *order, const OrderKey *key)
{
	const char *template = key->descending ? order->descending : order->ascending;
	int			found = schema_find(plan->described, key->field);
	const Field *field = found < 0 ? NULL : &plan->described->fields[found];
	ManifestValues values = plan->values;
	bool		may = field != NULL && order->fields.count == 0 && field->sortable;

	for (int i = 0; field != NULL && i < order->fields.count; i++)
		may = may || strcmp(order->fields.items[i], key->field) == 0;
	if (template == NULL || !may || !nulls_as_wanted(order, key, field))
		return NULL;
	values.field = field->path != NULL ? field->path : field->name;
	return manifest_expand(&values, template, false);
}

/* terms for all keys of the order, or none */
static List *
order_terms(const ReadRequest *request, const ReadPlan *plan)
{
	const ManifestOrder *order = plan->read->order;
	List	   *terms = NIL;
	ListCell   *lc;

	if (order == NULL || (list_length(request->order) > 1 && !order->multiple))
		return NIL;
	foreach(lc, request->order)
	{
		char	   *term = order_term(plan, order, lfirst(lc));

		if (term == NULL)
			return NIL;
		terms = lappend(terms, term);
	}
	return terms;
}

/* ---------- ways to read ---------- */

/* whether the filters ask only for what the way tells for certain */
static bool
is_settled(const ReadRequest *request, const ManifestSettled *settled)
{
	int64		horizon = seconds_ago(settled->seconds);
	ListCell   *lc;

	foreach(lc, request->filters)
	{
		const Filter *filter = lfirst(lc);
		bool		upper = filter->operator == FILTER_LESS_THAN || filter->operator == FILTER_LESS_THAN_OR_EQUAL_TO ||
			filter->operator == FILTER_BETWEEN;
		const char *operand = upper && filter->noperands > 0 ? filter->operands[filter->noperands - 1] : NULL;
		int64		value;

		if (operand != NULL && strcmp(filter->field, settled->field) == 0 &&
			moment_of(operand, FIELD_DATETIME, &value) && value <= horizon)
			return true;
	}
	return false;
}

/* whether a field is wanted that the way does not tell */
static bool
is_lacking(const ReadRequest *request, const ManifestTexts *lacks)
{
	for (int i = 0; i < lacks->count; i++)
	{
		ListCell   *lc;

		if (list_has_text(request->fields, lacks->items[i]) ||
			(request->all_fields && !list_has_text(request->exclude, lacks->items[i])))
			return true;
		foreach(lc, request->filters)
		{
			const Filter *filter = lfirst(lc);

			/* what is in alternatives is not looked for */
			if (filter->field == NULL || strcmp(filter->field, lacks->items[i]) == 0)
				return true;
		}
	}
	return false;
}

/* ---------- the plan ---------- */

static List *
fixed_terms(const ManifestTexts *texts, const ManifestValues *values)
{
	List	   *terms = NIL;

	for (int i = 0; i < texts->count; i++)
	{
		char	   *term = manifest_expand(values, texts->items[i], false);

		if (term != NULL)
			terms = lappend(terms, term);
	}
	return terms;
}

static bool
counts_only(const ReadRequest *request)
{
	const Aggregate *aggregate = list_length(request->aggregates) == 1 ? linitial(request->aggregates) : NULL;

	return aggregate != NULL && aggregate->function == AGGREGATE_COUNT && aggregate->field == NULL &&
		request->group_by == NIL;
}

ReadPlan *
manifest_plan(ConnectorSession *session, ReadRequest *request, const Schema *described)
{
	ReadPlan   *plan = palloc0(sizeof(ReadPlan));
	const ManifestQuery *query;
	const char *join;
	List	   *terms = NIL;
	List	   *order;

	plan->entity = manifest_entity(session, request->entity);
	plan->described = described;
	plan->values.session = session;
	plan->values.entity = request->entity;
	plan->values.moment = (int64) time(NULL);
	plan->values.settings = jsonb_get_container(request->properties, "customProperties");
	if (plan->entity->read.count == 0)
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("entity \"%s\" of %s cannot be read", request->entity, session_application(session)));
	for (int i = 0; i < plan->entity->read.count; i++)
	{
		terms = NIL;
		plan->read = &plan->entity->read.items[i];
		if ((plan->read->settled != NULL && !is_settled(request, plan->read->settled)) ||
			is_lacking(request, &plan->read->lacks))
			continue;
		if (send_filters(session, request, plan, &terms) > 0 || !plan->read->when_filtered)
			break;
	}
	query = &plan->read->query;
	join = query->join != NULL ? query->join : " ";
	order = order_terms(request, plan);
	if (order != NIL && plan->read->order->paging != NULL)
	{
		ManifestRead *read = palloc(sizeof(ManifestRead));

		*read = *plan->read;
		read->paging = *plan->read->order->paging;
		plan->read = read;
	}
	request->order_taken = request->order != NIL && order != NIL;
	request->limit_taken = request->limit != NO_LIMIT && plan->all_taken &&
		(request->order == NIL || request->order_taken);
	request->aggregates_taken = counts_only(request) && plan->entity->count != NULL && plan->all_taken;
	if (terms != NIL)
		plan->values.filter = joined(terms, join);
	if (order != NIL)
		plan->values.order = joined(order, plan->read->order->join != NULL ? plan->read->order->join : join);
	terms = list_concat(list_concat(fixed_terms(&query->first, &plan->values), terms), order);
	terms = list_concat(terms, fixed_terms(&query->last, &plan->values));
	if (terms != NIL)
		plan->values.query = joined(terms, join);
	select_fields(session, request, plan);
	plan->values.fields = field_list(plan);
	return plan;
}

int
manifest_page_size(const ReadRequest *request, const ReadPlan *plan)
{
	const ManifestPaging *paging = &plan->read->paging;
	int64		size = request->page_size > 0 ? request->page_size : paging->size;

	/* records that will be wanted, if that is known */
	if (request->limit_taken)
		size = Min(size, request->limit + request->offset);
	else if (request->limit_hint != NO_LIMIT && plan->all_taken)
		size = Min(size, request->limit_hint);
	return (int) Max(size, 1);
}

char *
manifest_plan_read(ConnectorSession *session, ReadRequest *request)
{
	ReadPlan   *plan = manifest_plan(session, request, request->described);
	Pager		pager = {
		.session = session, .read = plan->read, .values = &plan->values, .extra = plan->extra,
		.what = manifest_what(request->entity)
	};

	if (request->aggregates_taken)
		return manifest_show_call(session, &plan->entity->count->call, &plan->values, plan->extra);
	return pager_show(&pager, manifest_page_size(request, plan));
}
