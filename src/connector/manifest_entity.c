/*-------------------------------------------------------------------------
 *
 * manifest_entity.c
 *	  Entities of a manifest, and their fields.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_entity.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "connector/manifest_engine.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "record/errors.h"

/* ancestors of an entity at most */
#define MAX_LINEAGE 32

char *
manifest_what(const char *entity)
{
	return psprintf("entity \"%s\"", entity);
}

/* ---------- definitions ---------- */

/* length of what comes before the star of a name, or -1 if it has none */
static int
star_of(const ManifestEntity *entity)
{
	size_t		length = strlen(entity->name);

	return entity->name[length - 1] == '*' ? (int) length - 1 : -1;
}

pg_noreturn static void
no_such_entity(ConnectorSession *session, const char *name)
{
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("%s has no entity \"%s\"", session_application(session), name),
			errhint("appflow.list_connector_entities() tells which there are."));
}

bool
manifest_made_of(const char *piece, const char *characters)
{
	if (characters == NULL)
		return true;
	for (; *piece != '\0'; piece++)
	{
		const char *c = characters;

		while (*c != '\0')
		{
			bool		range = c[1] == '-' && c[2] != '\0';

			if (range ? *piece >= c[0] && *piece <= c[2] : *piece == c[0])
				break;
			c += range ? 3 : 1;
		}
		if (*c == '\0')
			return false;
	}
	return true;
}

const ManifestEntity *
manifest_entity(ConnectorSession *session, const char *name)
{
	const Manifest *manifest = manifest_of(session);

	for (int i = 0; i < manifest->entities.count; i++)
	{
		if (strcmp(manifest->entities.items[i].name, name) == 0 && star_of(&manifest->entities.items[i]) < 0)
			return &manifest->entities.items[i];
	}
	for (int i = 0; i < manifest->entities.count; i++)
	{
		const ManifestEntity *entity = &manifest->entities.items[i];
		int			length = star_of(entity);

		if (length >= 0 && strncmp(entity->name, name, length) == 0 && name[length] != '\0' &&
			strchr(name + length, '/') == NULL &&
			manifest_made_of(name + length, entity->characters))
			return entity;
	}
	no_such_entity(session, name);
}

/* ---------- lists ---------- */

/* whether names of other entities begin with this one and a slash */
static bool
has_nested(const Manifest *manifest, const char *name)
{
	size_t		length = strlen(name);

	for (int i = 0; i < manifest->entities.count; i++)
	{
		const char *other = manifest->entities.items[i].name;

		if (strncmp(other, name, length) == 0 && other[length] == '/')
			return true;
	}
	return false;
}

static Entity *
add_entity(List **entities, const Manifest *manifest, const char *name, const char *label)
{
	Entity	   *entity;
	ListCell   *lc;

	foreach(lc, *entities)
	{
		entity = lfirst(lc);
		if (strcmp(entity->name, name) == 0)
			return entity;
	}
	entity = palloc0(sizeof(Entity));
	entity->name = pstrdup(name);
	entity->label = label == NULL ? NULL : pstrdup(label);
	entity->nested = has_nested(manifest, name);
	*entities = lappend(*entities, entity);
	return entity;
}

static bool
all_hold(const ManifestConditions *conditions, const JsonTree *record)
{
	for (int i = 0; i < conditions->count; i++)
	{
		if (!manifest_holds(&conditions->items[i], manifest_lookup_tree, unconstify(JsonTree *, record)))
			return false;
	}
	return true;
}

typedef struct Listing
{
	List	   *entities;
	const Manifest *manifest;
	const ManifestList *list;
	ManifestValues values;
	const char *prefix;			/* "conversations/", or "" */
	const char *group;
} Listing;

static void
visit_entity(const JsonTree *record, void *arg)
{
	Listing    *listing = arg;
	char	   *name;
	char	   *whole;
	Entity	   *entity;

	CHECK_FOR_INTERRUPTS();
	if (!all_hold(&listing->list->where, record))
		return;
	listing->values.record_of = record;
	name = manifest_expand(&listing->values, listing->list->name, false);
	if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL)
		return;
	whole = psprintf("%s%s", listing->prefix, name);

	/* names that the application repeats do no harm; looking for them would take long */
	entity = palloc0(sizeof(Entity));
	entity->name = whole;
	if (listing->list->label != NULL)
		entity->label = manifest_expand(&listing->values, listing->list->label, false);
	entity->nested = has_nested(listing->manifest, whole);
	entity->group = listing->group;
	listing->entities = lappend(listing->entities, entity);
}

static void
ask_list(ConnectorSession *session, const ManifestEntity *entity, const char *path, const char *prefix, List **entities)
{
	Listing		listing = {
		.entities = *entities, .manifest = manifest_of(session), .list = entity->list, .prefix = prefix,
		.group = entity->group,
		.values = {.session = session, .entity = path[0] == '\0' ? NULL : path}
	};
	ManifestValues calling = listing.values;

	manifest_each(session, &entity->list->read, &calling,
				  path[0] == '\0' ? "the list of entities" : psprintf("the list of entities under \"%s\"", path),
				  visit_entity, &listing);
	*entities = listing.entities;
}

List *
manifest_list_entities(ConnectorSession *session, const char *path)
{
	const Manifest *manifest = manifest_of(session);
	char	   *prefix = path[0] == '\0' ? "" : psprintf("%s/", path);
	size_t		length = strlen(prefix);
	ManifestValues values = {.session = session};
	List	   *entities = NIL;
	bool		known = path[0] == '\0';

	for (int i = 0; i < manifest->entities.count; i++)
	{
		const ManifestEntity *entity = &manifest->entities.items[i];
		const char *rest = entity->name + length;

		if (strncmp(entity->name, prefix, length) != 0)
			continue;
		known = true;
		if (strcmp(rest, "*") == 0)
		{
			if (entity->list != NULL)
				ask_list(session, entity, path, prefix, &entities);
			continue;
		}
		if (strchr(rest, '/') == NULL)
		{
			values.entity = entity->name;
			(void) add_entity(&entities, manifest, entity->name,
							  entity->label == NULL ? NULL : manifest_expand(&values, entity->label, false));
		}
		else
			(void) add_entity(&entities, manifest, psprintf("%s%s", prefix, pnstrdup(rest, strcspn(rest, "/"))), NULL);
	}
	if (!known)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("%s has no entities under \"%s\"", session_application(session), path));
	return entities;
}

/* ---------- fields ---------- */

static void
set_type(Field *field, int type)
{
	field->type = manifest_types[type].type;
	field->precision = manifest_types[type].precision;
}

static char *
copy(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

/* fields that the manifest itself tells */
static Schema *
fixed_fields(const ManifestEntity *entity)
{
	Schema	   *schema = schema_create();

	for (int i = 0; i < entity->fields.count; i++)
	{
		const ManifestField *given = &entity->fields.items[i];
		Field	   *field = schema_add(schema, given->name, FIELD_STRING);

		set_type(field, given->type);
		field->path = copy(given->path);
		field->label = copy(given->label);
		field->description = copy(given->description);
		field->native_type = copy(given->native_type);
		field->references = copy(given->references);
		if (given->format != FORMAT_NONE)
			field->format = pstrdup(manifest_format_name((ManifestFormat) given->format));
		field->key = given->key;
		field->not_null = given->required;
		field->max_length = given->length;
		field->incremental = given->incremental;
		field->sortable = given->sortable;
		field->upsert_key = given->upsert_key;
		field->writes = (uint8) given->write;
		field->write_only = given->write_only;
		for (int k = 0; k < given->values.count; k++)
			field->values = lappend(field->values, pstrdup(given->values.items[k]));
	}
	return schema;
}

typedef struct Description
{
	Schema	   *schema;
	const ManifestDescribe *describe;
	ManifestValues values;
} Description;

/* the type that the application's type is */
static void
set_told_type(Field *field, const ManifestDescribe *describe, char *told)
{
	int			type = -1;
	const char *ours = NULL;

	if (told == NULL)
		return;
	field->native_type = told;
	for (int i = 0; i < describe->types.count; i++)
	{
		const ManifestPair *pair = &describe->types.items[i];

		if (strcmp(pair->name, told) == 0)
		{
			ours = pair->value;
			break;
		}
		if (strcmp(pair->name, "*") == 0)
			ours = pair->value;
	}
	type = manifest_type_find(ours != NULL ? ours : told);
	if (type >= 0)
		set_type(field, type);
}

/* values that the field may have: an array of texts, or of objects that have them */
static void
set_told_values(Field *field, const ManifestDescribe *describe, const JsonTree *record)
{
	const JsonTree *array = describe->values == NULL ? NULL : json_tree_find(record, describe->values);

	if (array == NULL || array->kind != JSON_TREE_ARRAY)
		return;
	for (const JsonTree *item = array->first; item != NULL; item = item->next)
	{
		const char *text = json_tree_text(item, describe->values_name == NULL ? "" : describe->values_name);

		if (text != NULL)
			field->values = lappend(field->values, pstrdup(text));
	}
}

static void
visit_field(const JsonTree *record, void *arg)
{
	Description *description = arg;
	const ManifestDescribe *describe = description->describe;
	ManifestValues *values = &description->values;
	void	   *tree = unconstify(JsonTree *, record);
	char	   *name;
	char	   *format;
	char	   *length;
	Field	   *field;

	CHECK_FOR_INTERRUPTS();
	if (!all_hold(&describe->where, record))
		return;
	values->record_of = record;
#define told(member) (describe->member == NULL ? NULL : manifest_expand(values, describe->member, false))
	name = told(name);
	if (name == NULL || name[0] == '\0' || schema_find(description->schema, name) >= 0)
		return;
	field = schema_add(description->schema, name, FIELD_STRING);
	set_told_type(field, describe, told(type));
	field->path = told(path);
	field->label = told(label);
	field->description = told(description);
	field->references = told(references);
	length = told(length);
	format = told(format);
	field->max_length = length == NULL ? 0 : Max(atoi(length), 0);
	if (manifest_format_from_name(format) != FORMAT_NONE)
		field->format = format;
#undef told
	field->not_null = manifest_holds(&describe->required, manifest_lookup_tree, tree);
	field->sortable = manifest_holds(&describe->sortable, manifest_lookup_tree, tree);
	field->key = manifest_holds(&describe->key, manifest_lookup_tree, tree);
	field->incremental = manifest_holds(&describe->incremental, manifest_lookup_tree, tree);
	if (!manifest_holds(&describe->read_only, manifest_lookup_tree, tree))
		field->writes = (uint8) describe->write;
	set_told_values(field, describe, record);
}

/* the first record of a lineage's answer */
static const JsonTree *
first_record(const JsonTree *page, const char *path)
{
	const JsonTree *records = json_tree_find(page, path == NULL ? "" : path);

	return records != NULL && records->kind == JSON_TREE_ARRAY ? records->first : records;
}

/* the entity and its ancestors, joined by commas */
static char *
lineage_of(ConnectorSession *session, const ManifestLineage *lineage, const char *name)
{
	StringInfoData names;
	ManifestValues values = {.session = session, .entity = name};
	Arena	   *arena = manifest_arena();

	initStringInfo(&names);
	appendStringInfoString(&names, name);
	for (int i = 0; i < MAX_LINEAGE; i++)
	{
		HttpCall   *call = manifest_make_call(session, &lineage->call, &values, TURN_FIRST, NIL);
		const JsonTree *page = manifest_fetch(session, call, manifest_what(name), arena);
		const JsonTree *record = first_record(page, lineage->records);
		const char *parent = record == NULL ? NULL : json_tree_text(record, lineage->parent);

		http_close(call);
		if (parent == NULL || parent[0] == '\0' || strcmp(parent, values.entity) == 0)
			return names.data;
		appendStringInfo(&names, ",%s", parent);
		values.entity = pstrdup(parent);
	}
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("%s names more than %d ancestors of entity \"%s\"", session_application(session), MAX_LINEAGE, name));
}

static void
describe_by_call(ConnectorSession *session, const ManifestEntity *entity, const char *name, Schema *schema)
{
	const ManifestDescribe *describe = entity->describe;
	Description description = {
		.schema = schema, .describe = describe, .values = {.session = session, .entity = name}
	};
	ManifestValues calling = {.session = session, .entity = name};

	if (describe->lineage != NULL)
		calling.lineage = lineage_of(session, describe->lineage, name);
	manifest_each(session, &describe->read, &calling, psprintf("the fields of entity \"%s\"", name), visit_field,
				  &description);
}

Schema *
manifest_known_fields(ConnectorSession *session, const ManifestEntity *entity, const char *name)
{
	Schema	   *schema = fixed_fields(entity);

	if (entity->describe != NULL)
		describe_by_call(session, entity, name, schema);
	if (schema->nfields == 0 && entity->sample == 0)
		no_such_entity(session, name);
	return schema;
}

Schema *
manifest_describe(ConnectorSession *session, const char *name)
{
	const ManifestEntity *entity = manifest_entity(session, name);
	Schema	   *schema = manifest_known_fields(session, entity, name);

	if (entity->sample > 0)
		manifest_sample(session, entity, name, NULL, schema);
	for (int i = 0; i < schema->nfields; i++)
		schema->fields[i].filters = manifest_filters(entity, schema->fields[i].name, schema->fields[i].type);
	return schema;
}
