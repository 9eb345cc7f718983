/*-------------------------------------------------------------------------
 *
 * marketo_entity.c
 *	  What Marketo has, and its fields.
 *
 * Follows the pages "Leads", "Lead database", "Custom objects" and "Activities" of the
 * REST API guide for what Marketo describes itself; fields of lists, campaigns and
 * programs are those of Adobe's OpenAPI documents.
 *
 * IDENTIFICATION
 *	  src/apps/marketo_entity.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/marketo.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "utils/memutils.h"

/* folders of entities */
#define CUSTOM_FOLDER "customobjects"
#define ACTIVITY_FOLDER "activity"

static const struct
{
	const char *name;
	const char *label;
	MarketoKind kind;
	const char *path;
	const char *bulk;
}			entities[] = {
	{"leads", "Leads", MARKETO_LEADS, "/rest/v1/leads", "/bulk/v1/leads"},
	{"activities", "Activities of all types", MARKETO_ACTIVITIES, "/rest/v1/activities", NULL},
	{"companies", "Companies", MARKETO_RECORDS, "/rest/v1/companies", NULL},
	{"opportunities", "Opportunities", MARKETO_RECORDS, "/rest/v1/opportunities", NULL},
	{"opportunityroles", "Opportunity roles", MARKETO_RECORDS, "/rest/v1/opportunities/roles", NULL},
	{"namedaccounts", "Named accounts", MARKETO_RECORDS, "/rest/v1/namedaccounts", NULL},
	{"salespersons", "Sales persons", MARKETO_RECORDS, "/rest/v1/salespersons", NULL},
	{"lists", "Static lists", MARKETO_LISTING, "/rest/v1/lists", NULL},
	{"campaigns", "Smart campaigns", MARKETO_LISTING, "/rest/v1/campaigns", NULL},
	{"programs", "Programs", MARKETO_PROGRAMS, "/rest/asset/v1/programs", NULL},
};

/* ---------- names ---------- */

/* what API names are made of; nothing else goes into a path */
static bool
is_api_name(const char *name)
{
	return name[0] != '\0' &&
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name);
}

/* the end of a name in a folder; NULL: it is in another */
static const char *
in_folder(const char *name, const char *folder)
{
	size_t		length = strlen(folder);

	return strncmp(name, folder, length) == 0 && name[length] == '/' ? name + length + 1 : NULL;
}

const MarketoEntity *
marketo_entity(const char *name)
{
	MarketoEntity *entity = palloc0(sizeof(MarketoEntity));
	const char *end;

	entity->name = pstrdup(name);
	for (int i = 0; i < (int) lengthof(entities); i++)
	{
		if (strcmp(entities[i].name, name) != 0)
			continue;
		entity->kind = entities[i].kind;
		entity->path = entities[i].path;
		entity->bulk = entities[i].bulk;
		return entity;
	}
	if ((end = in_folder(name, ACTIVITY_FOLDER)) != NULL && is_api_name(end))
	{
		entity->kind = MARKETO_ACTIVITIES;
		entity->path = "/rest/v1/activities";
		entity->type = pstrdup(end);
		return entity;
	}
	if ((end = in_folder(name, CUSTOM_FOLDER)) != NULL && is_api_name(end))
	{
		entity->kind = MARKETO_CUSTOM;
		entity->path = psprintf("/rest/v1/customobjects/%s", end);
		entity->bulk = psprintf("/bulk/v1/customobjects/%s", end);
		return entity;
	}
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("Marketo has no entity \"%s\"", name),
			errhint("There are leads, activities, " ACTIVITY_FOLDER "/TYPE, " CUSTOM_FOLDER "/NAME and others: "
					"appflow.list_connector_entities() tells them."));
}

/* ---------- activity types ---------- */

/* "Visit Webpage": visit_webpage */
static char *
slug(const char *name)
{
	char	   *text = pstrdup(name);
	char	   *to = text;

	for (const char *p = name; *p != '\0'; p++)
	{
		if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9'))
			*to++ = *p;
		else if (*p >= 'A' && *p <= 'Z')
			*to++ = (char) (*p - 'A' + 'a');
		else if (to > text && to[-1] != '_')
			*to++ = '_';
	}
	while (to > text && to[-1] == '_')
		to--;
	*to = '\0';
	return text;
}

typedef struct ActivityType
{
	char	   *id;
	char	   *name;			/* in the folder */
	Jsonb	   *told;
} ActivityType;

/* those that Marketo tells (of ActivityType *) */
static List *
fetch_types(ConnectorSession *session)
{
	Jsonb	   *answer = marketo_fetch(session, marketo_get(session, "/rest/v1/activities/types.json", ""),
									   "the list of activity types");
	List	   *types = NIL;
	ListCell   *lc;
	ListCell   *ls;

	foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "result")))
	{
		ActivityType *type = palloc0(sizeof(ActivityType));
		char	   *name = jsonb_get_text(lfirst(lc), "name");

		type->told = lfirst(lc);
		type->id = jsonb_get_text(type->told, "id");
		if (type->id == NULL || type->id[0] == '\0' || strspn(type->id, "0123456789") != strlen(type->id))
			continue;
		type->name = slug(name == NULL ? "" : name);
		if (type->name[0] == '\0')
			type->name = type->id;
		foreach(ls, types)
		{
			if (strcmp(((ActivityType *) lfirst(ls))->name, type->name) == 0)
			{
				type->name = psprintf("%s_%s", type->name, type->id);
				break;
			}
		}
		types = lappend(types, type);
	}
	return types;
}

/* the type that an entity is of: by name, or by id */
static const ActivityType *
find_type(ConnectorSession *session, const MarketoEntity *entity)
{
	ListCell   *lc;

	foreach(lc, fetch_types(session))
	{
		const ActivityType *type = lfirst(lc);

		if (strcmp(type->name, entity->type) == 0 || strcmp(type->id, entity->type) == 0)
			return type;
	}
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("Marketo has no activities of type \"%s\"", entity->type),
			errhint("appflow.list_connector_entities() with the entitiesPath \"" ACTIVITY_FOLDER "\" tells which there are."));
}

List *
marketo_activity_types(ConnectorSession *session, const MarketoEntity *entity)
{
	List	   *ids = NIL;
	ListCell   *lc;

	if (entity->type != NULL)
		return list_make1(find_type(session, entity)->id);
	foreach(lc, fetch_types(session))
		ids = lappend(ids, ((ActivityType *) lfirst(lc))->id);
	return ids;
}

/* ---------- entities ---------- */

static List *
add_entity(List *list, const char *name, const char *label, bool nested)
{
	Entity	   *entity = palloc0(sizeof(Entity));

	entity->name = pstrdup(name);
	entity->label = label == NULL ? NULL : pstrdup(label);
	entity->nested = nested;
	return lappend(list, entity);
}

List *
marketo_list_entities(ConnectorSession *session, const char *path)
{
	List	   *list = NIL;
	ListCell   *lc;
	Jsonb	   *answer;

	if (path[0] == '\0')
	{
		for (int i = 0; i < (int) lengthof(entities); i++)
			list = add_entity(list, entities[i].name, entities[i].label, false);
		list = add_entity(list, ACTIVITY_FOLDER, "Activities by their types", true);
		return add_entity(list, CUSTOM_FOLDER, "Custom objects", true);
	}
	if (strcmp(path, ACTIVITY_FOLDER) == 0)
	{
		foreach(lc, fetch_types(session))
		{
			const ActivityType *type = lfirst(lc);

			list = add_entity(list, psprintf(ACTIVITY_FOLDER "/%s", type->name), jsonb_get_text(type->told, "name"), false);
		}
		return list;
	}
	if (strcmp(path, CUSTOM_FOLDER) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("Marketo has no entities under \"%s\"", path),
				errhint("There are \"" ACTIVITY_FOLDER "\" and \"" CUSTOM_FOLDER "\"."));
	answer = marketo_fetch(session, marketo_get(session, "/rest/v1/customobjects.json", ""), "the list of custom objects");
	foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "result")))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");

		if (name != NULL && is_api_name(name))
			list = add_entity(list, psprintf(CUSTOM_FOLDER "/%s", name), jsonb_get_text(lfirst(lc), "displayName"), false);
	}
	return list;
}

/* ---------- fields ---------- */

static const struct
{
	const char *name;
	FieldType	type;
}			types[] = {
	{"integer", FIELD_INTEGER},
	{"long", FIELD_LONG},
	{"score", FIELD_INTEGER},
	{"percent", FIELD_DECIMAL},
	{"float", FIELD_DECIMAL},
	{"currency", FIELD_DECIMAL},
	{"boolean", FIELD_BOOLEAN},
	{"date", FIELD_DATE},
	{"datetime", FIELD_DATETIME},
	{"array", FIELD_JSON},
};

static FieldType
type_of(const char *native)
{
	for (int i = 0; native != NULL && i < (int) lengthof(types); i++)
	{
		if (pg_strcasecmp(native, types[i].name) == 0)
			return types[i].type;
	}
	return FIELD_STRING;
}

#define RANGES ((1 << FILTER_LESS_THAN) | (1 << FILTER_GREATER_THAN) | (1 << FILTER_BETWEEN) | \
				(1 << FILTER_LESS_THAN_OR_EQUAL_TO) | (1 << FILTER_GREATER_THAN_OR_EQUAL_TO))
#define EQUAL (1 << FILTER_EQUAL_TO)
#define KEY 0x01
#define CHANGED 0x02			/* says when a record has changed, and Marketo has ranges of it */
#define LISTED 0x04				/* Marketo finds records by values of it */
#define REQUIRED 0x08

typedef struct KnownField
{
	const char *name;
	FieldType	type;
	int			flags;
} KnownField;

static const KnownField activity_fields[] = {
	{"marketoGUID", FIELD_STRING, KEY},
	{"id", FIELD_LONG, 0},
	{"leadId", FIELD_LONG, REQUIRED},
	{"activityDate", FIELD_DATETIME, CHANGED | REQUIRED},
	{"activityTypeId", FIELD_INTEGER, LISTED | REQUIRED},
	{"campaignId", FIELD_LONG, 0},
	{"primaryAttributeValueId", FIELD_LONG, 0},
	{"primaryAttributeValue", FIELD_STRING, 0},
	{"attributes", FIELD_JSON, 0},
};

static const KnownField list_fields[] = {
	{"id", FIELD_INTEGER, KEY | LISTED | REQUIRED},
	{"name", FIELD_STRING, REQUIRED},
	{"description", FIELD_STRING, 0},
	{"programName", FIELD_STRING, 0},
	{"workspaceName", FIELD_STRING, 0},
	{"createdAt", FIELD_DATETIME, 0},
	{"updatedAt", FIELD_DATETIME, 0},
};

static const KnownField campaign_fields[] = {
	{"id", FIELD_INTEGER, KEY | LISTED | REQUIRED},
	{"name", FIELD_STRING, REQUIRED},
	{"description", FIELD_STRING, 0},
	{"type", FIELD_STRING, 0},
	{"active", FIELD_BOOLEAN, 0},
	{"programId", FIELD_INTEGER, 0},
	{"programName", FIELD_STRING, 0},
	{"workspaceName", FIELD_STRING, 0},
	{"createdAt", FIELD_DATETIME, 0},
	{"updatedAt", FIELD_DATETIME, 0},
};

static const KnownField program_fields[] = {
	{"id", FIELD_LONG, KEY | REQUIRED},
	{"name", FIELD_STRING, REQUIRED},
	{"description", FIELD_STRING, 0},
	{"createdAt", FIELD_DATETIME, 0},
	{"updatedAt", FIELD_DATETIME, CHANGED},
	{"url", FIELD_STRING, 0},
	{"type", FIELD_STRING, 0},
	{"channel", FIELD_STRING, 0},
	{"folder", FIELD_JSON, 0},
	{"status", FIELD_STRING, 0},
	{"workspace", FIELD_STRING, 0},
	{"headStart", FIELD_BOOLEAN, 0},
	{"startDate", FIELD_DATETIME, 0},
	{"endDate", FIELD_DATETIME, 0},
	{"sfdcId", FIELD_STRING, 0},
	{"sfdcName", FIELD_STRING, 0},
};

static void
add_known(Schema *schema, const KnownField *known, int count)
{
	for (int i = 0; i < count; i++)
	{
		Field	   *field = schema_add(schema, known[i].name, known[i].type);

		field->key = known[i].flags & KEY;
		field->not_null = known[i].flags & (KEY | REQUIRED);
		field->incremental = known[i].flags & CHANGED;
		if (field->incremental)
			field->filters = RANGES;
		if (known[i].flags & LISTED)
			field->filters |= EQUAL;
	}
}

bool
marketo_is_plain(const MarketoEntity *entity, const char *field)
{
	for (int i = 0; i < (int) lengthof(activity_fields); i++)
	{
		if (strcmp(activity_fields[i].name, field) == 0)
			return true;
	}
	return entity->type == NULL;
}

static Schema *
describe_activities(ConnectorSession *session, const MarketoEntity *entity)
{
	Schema	   *schema = schema_create();
	const ActivityType *type;
	ListCell   *lc;

	add_known(schema, activity_fields, lengthof(activity_fields));
	if (entity->type == NULL)
		return schema;
	type = find_type(session, entity);
	foreach(lc, jsonb_array_containers(jsonb_get_container(type->told, "attributes")))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");
		char	   *native = jsonb_get_text(lfirst(lc), "dataType");

		if (name != NULL && name[0] != '\0' && schema_find(schema, name) < 0)
			schema_add(schema, name, type_of(native))->native_type = native;
	}
	return schema;
}

static void
set_length(Field *field, Jsonb *told)
{
	int64		length;

	if (field->type == FIELD_STRING && jsonb_get_int64(told, "length", &length) && length > 0 && length < INT_MAX)
		field->max_length = (int) length;
}

#define ANY_BUT_DELETE (WRITES_INSERT | WRITES_UPSERT | WRITES_UPDATE)

static Schema *
describe_leads(ConnectorSession *session)
{
	Jsonb	   *answer = marketo_fetch(session, marketo_get(session, "/rest/v1/leads/describe.json", ""),
									   "the fields of entity \"leads\"");
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(jsonb_get_container(answer, "result")))
	{
		Jsonb	   *rest = jsonb_get_container(lfirst(lc), "rest");
		char	   *name = jsonb_get_text(rest, "name");
		char	   *native = jsonb_get_text(lfirst(lc), "dataType");
		Field	   *field;

		/* the others are for the SOAP API, which is gone */
		if (name == NULL || !is_api_name(name) || schema_find(schema, name) >= 0)
			continue;
		field = schema_add(schema, name, type_of(native));
		field->native_type = native;
		field->label = jsonb_get_text(lfirst(lc), "displayName");
		set_length(field, lfirst(lc));
		if (!jsonb_get_bool(rest, "readOnly", false))
			field->writes = ANY_BUT_DELETE;
		if (strcmp(name, "id") == 0)
		{
			field->key = true;
			field->not_null = true;
			field->writes = WRITES_DELETE;
			field->filters = EQUAL | RANGES;
		}
		else if (strcmp(name, "email") == 0)
		{
			field->upsert_key = true;
			field->filters = EQUAL;
		}
		else if (strcmp(name, "createdAt") == 0 || strcmp(name, "updatedAt") == 0)
		{
			field->type = FIELD_DATETIME;
			field->incremental = true;
			field->filters = RANGES;
		}
	}
	return schema;
}

static Jsonb *
fetch_object(ConnectorSession *session, const MarketoEntity *entity)
{
	char	   *what = psprintf("the fields of entity \"%s\"", entity->name);

	return marketo_first(session, marketo_fetch(session, marketo_get(session, psprintf("%s/describe.json", entity->path), ""),
												what), what);
}

static Schema *
describe_object(ConnectorSession *session, const MarketoEntity *entity)
{
	Jsonb	   *told = fetch_object(session, entity);
	char	   *id = jsonb_get_text(told, "idField");
	List	   *dedupe = jsonb_array_texts(jsonb_get_container(told, "dedupeFields"));
	List	   *searchable = NIL;
	Schema	   *schema = schema_create();
	ListCell   *lc;

	/* of keys of several fields, Marketo wants all values together */
	foreach(lc, jsonb_array_containers(jsonb_get_container(told, "searchableFields")))
	{
		List	   *names = jsonb_array_texts(lfirst(lc));

		if (list_length(names) == 1)
			searchable = lappend(searchable, linitial(names));
	}
	foreach(lc, jsonb_array_containers(jsonb_get_container(told, "fields")))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "name");
		char	   *native = jsonb_get_text(lfirst(lc), "dataType");
		Field	   *field;

		if (name == NULL || !is_api_name(name) || schema_find(schema, name) >= 0)
			continue;
		field = schema_add(schema, name, type_of(native));
		field->native_type = native;
		field->label = jsonb_get_text(lfirst(lc), "displayName");
		field->description = jsonb_get_text(lfirst(lc), "description");
		set_length(field, lfirst(lc));
		if (jsonb_get_bool(lfirst(lc), "updateable", false))
			field->writes = ANY_BUT_DELETE;
		if (list_has_text(searchable, name))
			field->filters = EQUAL;
		if (list_has_text(dedupe, name))
		{
			field->upsert_key = true;
			field->writes |= WRITES_INSERT | WRITES_UPSERT | WRITES_DELETE;
		}
		if (id != NULL && strcmp(name, id) == 0)
		{
			field->key = true;
			field->not_null = true;
			field->writes = WRITES_DELETE;
		}
		if (field->filters != 0 && field->type == FIELD_INTEGER)
			field->filters |= RANGES;
		if (entity->kind == MARKETO_CUSTOM && strcmp(name, "updatedAt") == 0)
		{
			field->incremental = true;
			field->filters |= RANGES;
		}
	}
	return schema;
}

Schema *
marketo_describe(ConnectorSession *session, const char *name)
{
	const MarketoEntity *entity = marketo_entity(name);
	Schema	   *schema;

	switch (entity->kind)
	{
		case MARKETO_LEADS:
			return describe_leads(session);
		case MARKETO_RECORDS:
		case MARKETO_CUSTOM:
			return describe_object(session, entity);
		case MARKETO_ACTIVITIES:
			return describe_activities(session, entity);
		case MARKETO_LISTING:
			schema = schema_create();
			if (strcmp(entity->name, "lists") == 0)
				add_known(schema, list_fields, lengthof(list_fields));
			else
				add_known(schema, campaign_fields, lengthof(campaign_fields));
			return schema;
		case MARKETO_PROGRAMS:
			schema = schema_create();
			add_known(schema, program_fields, lengthof(program_fields));
			return schema;
	}
	pg_unreachable();
}

int64
marketo_born(ConnectorSession *session, const MarketoEntity *entity)
{
	char	   *text = jsonb_get_text(fetch_object(session, entity), "createdAt");
	int64		micros;

	if (text == NULL || !filter_parse_time(text, FIELD_DATETIME, &micros))
		return MARKETO_NO_TIME;
	return micros / USECS_PER_SEC;
}
