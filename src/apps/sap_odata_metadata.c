/*-------------------------------------------------------------------------
 *
 * sap_odata_metadata.c
 *	  $metadata documents of OData services: entity sets and their fields.
 *
 * Elements go by their local names, since each version and each server has
 * namespaces of its own.
 *
 * What a service allows is said in attributes of SAP's (version 2: "sap:creatable") or
 * in annotations of the Capabilities vocabulary (version 4, sometimes 2); what is
 * not said is allowed.
 *
 * IDENTIFICATION
 *	  src/apps/sap_odata_metadata.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/sap_odata.h"
#include "codec/arena.h"
#include "connector/entity_form.h"
#include "miscadmin.h"
#include "net/xml_tree.h"
#include "utils/memutils.h"

#define SAP_NAMESPACE "http://www.sap.com/Protocols/SAPData"
#define MAX_BASE_TYPES 16

typedef XmlElement Element;

struct EdmDocument
{
	ODataVersion version;
	Element    *root;
	List	   *schemas;		/* of Element * */
};

/* ---------- the document ---------- */

static void
collect_schemas(EdmDocument *document, Element *element)
{
	check_stack_depth();
	for (Element *c = element->first; c != NULL; c = c->next)
	{
		if (strcmp(c->name, "Schema") == 0)
			document->schemas = lappend(document->schemas, c);
		else
			collect_schemas(document, c);
	}
}

static void
free_arena(void *object)
{
	arena_free(object);
}

EdmDocument *
edm_parse(const char *data, size_t length, const char **problem)
{
	EdmDocument *document = palloc0(sizeof(EdmDocument));
	Owned	   *owned = own_in_context(CurrentMemoryContext, free_arena);
	const char *version;

	owned->object = arena_create();
	*problem = "out of memory";
	if (owned->object == NULL)
		return NULL;
	document->root = xml_tree(owned->object, data, length, SAP_NAMESPACE, "sap:", problem);
	if (document->root == NULL)
		return NULL;
	if (strcmp(document->root->name, "Edmx") != 0)
	{
		*problem = psprintf("its root is \"%s\", not \"Edmx\"", document->root->name);
		return NULL;
	}
	version = xml_attribute(document->root, "Version");
	document->version = version != NULL && version[0] == '4' ? ODATA_V4 : ODATA_V2;
	collect_schemas(document, document->root);
	if (document->schemas == NIL)
	{
		*problem = "it has no schema";
		return NULL;
	}
	return document;
}

/* ---------- names ---------- */

/* is that the qualified name of something in a schema? */
static bool
is_qualified(const Element *schema, const char *local, const char *qualified, size_t length)
{
	static const char *const spaces[] = {"Namespace", "Alias"};
	size_t		tail = strlen(local);

	for (int i = 0; i < (int) lengthof(spaces); i++)
	{
		const char *space = xml_attribute(schema, spaces[i]);
		size_t		head = space == NULL ? 0 : strlen(space);

		if (space != NULL && length == head + 1 + tail && strncmp(qualified, space, head) == 0 &&
			qualified[head] == '.' && strncmp(qualified + head + 1, local, tail) == 0)
			return true;
	}
	return false;
}

/* what a qualified name stands for: a type, an association; *within is its schema */
static Element *
find_qualified(const EdmDocument *document, const char *qualified, size_t length, Element **within)
{
	ListCell   *lc;

	foreach(lc, document->schemas)
	{
		Element    *schema = lfirst(lc);

		for (Element *c = schema->first; c != NULL; c = c->next)
		{
			const char *name = xml_attribute(c, "Name");

			if (name != NULL && strcmp(c->name, "EntityContainer") != 0 && is_qualified(schema, name, qualified, length))
			{
				if (within != NULL)
					*within = schema;
				return c;
			}
		}
	}
	return NULL;
}

/* the type within "Collection(...)", or the whole */
static const char *
item_type(const char *type, size_t *length, bool *collection)
{
	static const char prefix[] = "Collection(";

	*length = strlen(type);
	*collection = strncmp(type, prefix, sizeof(prefix) - 1) == 0 && type[*length - 1] == ')';
	if (*collection)
	{
		*length -= sizeof(prefix);
		return type + sizeof(prefix) - 1;
	}
	return type;
}

static Element *
find_set(const EdmDocument *document, const char *name, Element **schema)
{
	ListCell   *lc;

	foreach(lc, document->schemas)
	{
		for (Element *container = ((Element *) lfirst(lc))->first; container != NULL; container = container->next)
		{
			Element    *set = strcmp(container->name, "EntityContainer") != 0 ? NULL :
				xml_child_with(container, "EntitySet", "Name", name);

			if (set != NULL)
			{
				*schema = lfirst(lc);
				return set;
			}
		}
	}
	return NULL;
}

List *
edm_sets(const EdmDocument *document)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, document->schemas)
	{
		for (Element *container = ((Element *) lfirst(lc))->first; container != NULL; container = container->next)
		{
			if (strcmp(container->name, "EntityContainer") != 0)
				continue;
			for (Element *set = container->first; set != NULL; set = set->next)
			{
				const char *name = strcmp(set->name, "EntitySet") == 0 ? xml_attribute(set, "Name") : NULL;

				/* some can only be reached by way of others */
				if (name != NULL && !xml_attribute_is(set, "sap:addressable", "false"))
					names = lappend(names, pstrdup(name));
			}
		}
	}
	return names;
}

/* ---------- what is said about things ---------- */

/* "Org.OData.Capabilities.V1.FilterRestrictions", and whatever alias is before the last word */
static bool
is_term(const char *term, const char *word)
{
	const char *last = term == NULL ? NULL : strrchr(term, '.');

	return last != NULL && strcmp(last + 1, word) == 0;
}

static Element *
annotation_in(const Element *element, const char *term)
{
	for (Element *c = element->first; c != NULL; c = c->next)
	{
		if (strcmp(c->name, "Annotation") == 0 && xml_attribute(c, "Qualifier") == NULL &&
			is_term(xml_attribute(c, "Term"), term))
			return c;
	}
	return NULL;
}

/*
 * An annotation of a member (a property, an entity set) of an owner (a type, a container),
 * or with member NULL of the owner: within it, or in a list with that target.
 */
static Element *
find_annotation(const EdmDocument *document, const Element *schema, const Element *owner, const Element *member,
				const char *term)
{
	const Element *subject = member == NULL ? owner : member;
	Element    *found = annotation_in(subject, term);
	const char *owner_name = xml_attribute(owner, "Name");
	const char *member_name = member == NULL ? "" : xml_attribute(member, "Name");
	ListCell   *lc;

	if (found != NULL)
		return found;
	foreach(lc, document->schemas)
	{
		for (Element *list = ((Element *) lfirst(lc))->first; list != NULL; list = list->next)
		{
			const char *target;
			size_t		length;

			if (strcmp(list->name, "Annotations") != 0 || (target = xml_attribute(list, "Target")) == NULL)
				continue;
			length = strcspn(target, "/");
			if (strcmp(target[length] == '/' ? target + length + 1 : "", member_name) != 0 ||
				!is_qualified(schema, owner_name, target, length))
				continue;
			found = annotation_in(list, term);
			if (found != NULL)
				return found;
		}
	}
	return NULL;
}

static bool
bool_of(const Element *element, bool otherwise)
{
	const char *text = xml_attribute(element, "Bool");
	Element    *inner = xml_child(element, "Bool");

	if (text == NULL && inner != NULL)
		text = inner->text;
	return text == NULL ? otherwise : strcmp(text, "true") == 0;
}

static const char *
string_of(const Element *element)
{
	const char *text = element == NULL ? NULL : xml_attribute(element, "String");
	Element    *inner = element == NULL ? NULL : xml_child(element, "String");

	return text == NULL && inner != NULL ? inner->text : text;
}

static Element *
record_value(const Element *annotation, const char *property)
{
	Element    *record = annotation == NULL ? NULL : xml_child(annotation, "Record");

	return record == NULL ? NULL : xml_child_with(record, "PropertyValue", "Property", property);
}

static bool
record_bool(const Element *annotation, const char *property, bool otherwise)
{
	Element    *value = record_value(annotation, property);

	return value == NULL ? otherwise : bool_of(value, true);
}

static List *
record_paths(const Element *annotation, const char *property)
{
	Element    *value = record_value(annotation, property);
	Element    *collection = value == NULL ? NULL : xml_child(value, "Collection");
	List	   *paths = NIL;

	if (collection == NULL)
		return NIL;
	for (Element *path = collection->first; path != NULL; path = path->next)
	{
		if (strcmp(path->name, "PropertyPath") == 0 && path->text != NULL)
			paths = lappend(paths, pstrdup(path->text));
	}
	return paths;
}

/* ---------- fields ---------- */

static const struct
{
	const char *name;
	FieldType	type;
}			edm_types[] = {
	{"Edm.Binary", FIELD_BINARY},
	{"Edm.Boolean", FIELD_BOOLEAN},
	{"Edm.Byte", FIELD_INTEGER},
	{"Edm.Date", FIELD_DATE},
	{"Edm.DateTime", FIELD_TIMESTAMP},
	{"Edm.DateTimeOffset", FIELD_DATETIME},
	{"Edm.Decimal", FIELD_DECIMAL},
	{"Edm.Double", FIELD_DOUBLE},
	{"Edm.Duration", FIELD_STRING},
	{"Edm.Float", FIELD_DOUBLE},
	{"Edm.Guid", FIELD_UUID},
	{"Edm.Int16", FIELD_INTEGER},
	{"Edm.Int32", FIELD_INTEGER},
	{"Edm.Int64", FIELD_LONG},
	{"Edm.SByte", FIELD_INTEGER},
	{"Edm.Single", FIELD_FLOAT},
	{"Edm.String", FIELD_STRING},
	{"Edm.Time", FIELD_TIME},
	{"Edm.TimeOfDay", FIELD_TIME},
};

Schema *
edm_refine(const Schema *described)
{
	Schema	   *schema = schema_create();

	for (int i = 0; i < described->nfields; i++)
	{
		const Field *from = &described->fields[i];
		Field	   *field = schema_add(schema, from->name, from->type);
		char	   *name = field->name;

		*field = *from;
		field->name = name;
		for (int j = 0; from->type == FIELD_STRING && from->native_type != NULL && j < (int) lengthof(edm_types); j++)
		{
			if (strcmp(edm_types[j].name, from->native_type) == 0)
				field->type = edm_types[j].type;
		}
	}
	return schema;
}

/* an attribute that is a number; -1: absent, or "max" and "variable" */
static int
number_attribute(const Element *element, const char *name)
{
	const char *text = xml_attribute(element, name);
	char	   *end;
	long		value;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return -1;
	value = strtol(text, &end, 10);
	return *end != '\0' || value > INT_MAX ? -1 : (int) value;
}

static FieldType
type_of(const EdmDocument *document, const Element *property, const Element **facets, const char **native)
{
	const char *type = xml_attribute(property, "Type");
	bool		collection;
	size_t		length;
	Element    *defined;

	*facets = property;
	*native = type == NULL ? "Edm.String" : type;
	if (type == NULL)
		return FIELD_STRING;
	type = item_type(type, &length, &collection);
	defined = find_qualified(document, type, length, NULL);
	if (collection || (defined != NULL && strcmp(defined->name, "ComplexType") == 0))
		return FIELD_JSON;
	if (defined != NULL && strcmp(defined->name, "TypeDefinition") == 0 && xml_attribute(defined, "UnderlyingType") != NULL)
	{
		if (xml_attribute(property, "MaxLength") == NULL && xml_attribute(property, "Precision") == NULL)
			*facets = defined;
		*native = type = xml_attribute(defined, "UnderlyingType");
	}
	for (int i = 0; i < (int) lengthof(edm_types); i++)
	{
		if (strcmp(edm_types[i].name, type) == 0)
			return edm_types[i].type;
	}

	/* places and the like are objects; enumerations are text */
	return strncmp(type, "Edm.Geo", 7) == 0 ? FIELD_JSON : FIELD_STRING;
}

static void
set_facets(Field *field, const EdmDocument *document, const Element *facets, const Element *property)
{
	int			precision = number_attribute(facets, "Precision");
	int			scale = number_attribute(facets, "Scale");
	int			length = number_attribute(facets, "MaxLength");

	/* a scale that may be anything says nothing of the type */
	if (field->type == FIELD_DECIMAL && precision > 0 && (xml_attribute(facets, "Scale") == NULL || scale >= 0))
	{
		field->precision = precision;
		field->scale = Max(scale, 0);
	}
	if (field->type == FIELD_STRING && length > 0)
		field->max_length = length;
	if (field->type == FIELD_TIMESTAMP && xml_attribute_is(property, "sap:display-format", "Date"))
		field->type = FIELD_DATE;
}

/* what may be done with the properties of an entity set */
typedef struct Allowances
{
	uint8		writes;
	bool		filterable;
	bool		sortable;
	List	   *not_filterable;
	List	   *not_sortable;
	List	   *not_insertable;
	List	   *not_updatable;
} Allowances;

static void
set_allowances(Field *field, const EdmDocument *document, const Element *schema, const Element *owner,
			   const Element *property, const Allowances *allowed)
{
	Element    *computed = find_annotation(document, schema, owner, property, "Computed");
	Element    *immutable = find_annotation(document, schema, owner, property, "Immutable");
	bool		scalar = field->type != FIELD_JSON && field->type != FIELD_BINARY;

	if (scalar && allowed->filterable && !xml_attribute_is(property, "sap:filterable", "false") &&
		!list_has_text(allowed->not_filterable, field->name))
		field->filters = filters_of_type(field->type);
	field->sortable = scalar && allowed->sortable && !xml_attribute_is(property, "sap:sortable", "false") &&
		!list_has_text(allowed->not_sortable, field->name);
	field->incremental = field->filters != 0 &&
		(field->type == FIELD_DATE || field->type == FIELD_DATETIME || field->type == FIELD_TIMESTAMP);
	if (computed != NULL && bool_of(computed, true))
		return;
	if (!xml_attribute_is(property, "sap:creatable", "false") && !list_has_text(allowed->not_insertable, field->name))
		field->writes |= WRITES_INSERT | WRITES_UPSERT;
	if (!field->key && !xml_attribute_is(property, "sap:updatable", "false") && !list_has_text(allowed->not_updatable, field->name) &&
		(immutable == NULL || !bool_of(immutable, true)))
		field->writes |= WRITES_UPDATE | WRITES_UPSERT;
	field->writes &= allowed->writes;
	field->upsert_key = field->key && (allowed->writes & WRITES_UPSERT) != 0;
}

static const char *
label_of(const EdmDocument *document, const Element *schema, const Element *owner, const Element *member)
{
	const char *label = xml_attribute(member == NULL ? owner : member, "sap:label");

	if (label == NULL)
		label = string_of(find_annotation(document, schema, owner, member, "Label"));
	if (label == NULL)
		label = string_of(find_annotation(document, schema, owner, member, "Description"));
	return label;
}

static void
add_property(const EdmDocument *document, Schema *schema, const Element *within, const Element *owner,
			 const Element *property, List *keys, const Allowances *allowed)
{
	const char *name = xml_attribute(property, "Name");
	const Element *facets;
	const char *native;
	const char *label;
	FieldType	type;
	Field	   *field;

	type = type_of(document, property, &facets, &native);

	/* media have an address of their own */
	if (name == NULL || strcmp(native, "Edm.Stream") == 0 || schema_find(schema, name) >= 0)
		return;
	field = schema_add(schema, name, type);
	field->native_type = pstrdup(native);
	field->not_null = xml_attribute_is(property, "Nullable", "false");
	field->key = list_has_text(keys, name);
	set_facets(field, document, facets, property);
	set_allowances(field, document, within, owner, property, allowed);
	label = label_of(document, within, owner, property);
	if (label != NULL)
		field->label = pstrdup(label);
	label = xml_attribute(property, "sap:quickinfo");
	if (label != NULL)
		field->description = pstrdup(label);
}

/* ---------- types and their bases ---------- */

typedef struct TypeChain
{
	int			count;			/* the base first */
	Element    *types[MAX_BASE_TYPES];
	Element    *schemas[MAX_BASE_TYPES];
} TypeChain;

static void
find_chain(const EdmDocument *document, const char *qualified, size_t length, TypeChain *chain)
{
	int			count = 0;

	chain->count = 0;
	while (qualified != NULL && count < MAX_BASE_TYPES)
	{
		chain->types[count] = find_qualified(document, qualified, length, &chain->schemas[count]);
		if (chain->types[count] == NULL)
			break;
		qualified = xml_attribute(chain->types[count], "BaseType");
		length = qualified == NULL ? 0 : strlen(qualified);
		count++;
	}
	for (int i = 0; i < count / 2; i++)
	{
		Element    *type = chain->types[i];
		Element    *schema = chain->schemas[i];

		chain->types[i] = chain->types[count - 1 - i];
		chain->schemas[i] = chain->schemas[count - 1 - i];
		chain->types[count - 1 - i] = type;
		chain->schemas[count - 1 - i] = schema;
	}
	chain->count = count;
}

static List *
keys_of(const TypeChain *chain)
{
	List	   *keys = NIL;

	for (int i = 0; i < chain->count; i++)
	{
		Element    *key = xml_child(chain->types[i], "Key");

		for (Element *ref = key == NULL ? NULL : key->first; ref != NULL; ref = ref->next)
		{
			if (strcmp(ref->name, "PropertyRef") == 0 && xml_attribute(ref, "Name") != NULL)
				keys = lappend(keys, pstrdup(xml_attribute(ref, "Name")));
		}
	}
	return keys;
}

static Schema *
schema_of(const EdmDocument *document, const TypeChain *chain, List *keys, const Allowances *allowed)
{
	Schema	   *schema = schema_create();

	for (int i = 0; i < chain->count; i++)
	{
		for (Element *c = chain->types[i]->first; c != NULL; c = c->next)
		{
			if (strcmp(c->name, "Property") == 0)
				add_property(document, schema, chain->schemas[i], chain->types[i], c, keys, allowed);
		}
	}
	return schema;
}

/* ---------- navigation ---------- */

/* what a navigation property of version 2 leads to: the end of its association */
static const char *
association_end(const EdmDocument *document, const Element *navigation, bool *collection, Element **association)
{
	const char *relationship = xml_attribute(navigation, "Relationship");
	const char *role = xml_attribute(navigation, "ToRole");
	Element    *end;

	*association = relationship == NULL ? NULL :
		find_qualified(document, relationship, strlen(relationship), NULL);
	if (*association == NULL || role == NULL)
		return NULL;
	end = xml_child_with(*association, "End", "Role", role);
	if (end == NULL)
		return NULL;
	*collection = xml_attribute_is(end, "Multiplicity", "*");
	return xml_attribute(end, "Type");
}

/* the entity set at that end, as the container of a set says */
static const char *
association_target(const Element *set, const Element *navigation)
{
	const char *relationship = xml_attribute(navigation, "Relationship");

	for (Element *c = set->parent->first; c != NULL; c = c->next)
	{
		if (strcmp(c->name, "AssociationSet") == 0 && xml_attribute_is(c, "Association", relationship))
		{
			Element    *end = xml_child_with(c, "End", "Role", xml_attribute(navigation, "ToRole"));

			return end == NULL ? NULL : xml_attribute(end, "EntitySet");
		}
	}
	return NULL;
}

/* the one field of ours that holds the key of what a navigation property leads to, or NULL */
static const char *
referring_field(const Element *navigation, const Element *association)
{
	Element    *constraint = xml_child(association != NULL ? association : navigation, "ReferentialConstraint");
	Element    *dependent;

	if (constraint == NULL)
		return NULL;
	if (association == NULL)
	{
		for (Element *other = constraint->next; other != NULL; other = other->next)
		{
			if (strcmp(other->name, "ReferentialConstraint") == 0)
				return NULL;
		}
		return xml_attribute(constraint, "Property");
	}
	dependent = xml_child(constraint, "Dependent");
	if (dependent == NULL || !xml_attribute_is(dependent, "Role", xml_attribute(navigation, "FromRole")) ||
		dependent->first == NULL || dependent->first != dependent->last)
		return NULL;
	return xml_attribute(dependent->first, "Name");
}

static void
add_navigation(const EdmDocument *document, ODataEntity *entity, const Element *set, const Element *element)
{
	ODataNavigation *navigation = palloc0(sizeof(ODataNavigation));
	Allowances	nothing = {0};
	const char *type = xml_attribute(element, "Type");
	const char *target = NULL;
	const char *field;
	Element    *association = NULL;
	size_t		length = 0;
	TypeChain	chain;

	if (xml_attribute(element, "Name") == NULL)
		return;
	if (type != NULL)
	{
		Element    *binding = xml_child_with(set, "NavigationPropertyBinding", "Path", xml_attribute(element, "Name"));

		type = item_type(type, &length, &navigation->collection);
		target = binding == NULL ? NULL : xml_attribute(binding, "Target");
	}
	else
	{
		type = association_end(document, element, &navigation->collection, &association);
		length = type == NULL ? 0 : strlen(type);
		target = association == NULL ? NULL : association_target(set, element);
	}
	if (type == NULL)
		return;
	find_chain(document, type, length, &chain);
	navigation->name = pstrdup(xml_attribute(element, "Name"));
	navigation->schema = schema_of(document, &chain, keys_of(&chain), &nothing);
	if (target != NULL)
		navigation->target = pstrdup(strrchr(target, '/') != NULL ? strrchr(target, '/') + 1 : target);
	entity->navigations = lappend(entity->navigations, navigation);

	field = navigation->collection || navigation->target == NULL ? NULL : referring_field(element, association);
	if (field != NULL && schema_find(entity->schema, field) >= 0)
	{
		Field	   *referring = &entity->schema->fields[schema_find(entity->schema, field)];

		if (referring->references == NULL)
		{
			referring->references = psprintf("%s/%s", entity->service, navigation->target);
			referring->relationship = navigation->name;
		}
	}
}

ODataNavigation *
odata_navigation(const ODataEntity *entity, const char *name, size_t length)
{
	ListCell   *lc;

	foreach(lc, entity->navigations)
	{
		ODataNavigation *navigation = lfirst(lc);

		if (strlen(navigation->name) == length && strncmp(navigation->name, name, length) == 0)
			return navigation;
	}
	return NULL;
}

/* ---------- entity sets ---------- */

static bool
set_allows(const EdmDocument *document, const Element *schema, const Element *set, const char *sap,
		   const char *term, const char *property)
{
	return !xml_attribute_is(set, sap, "false") &&
		record_bool(find_annotation(document, schema, set->parent, set, term), property, true);
}

static void
read_set(const EdmDocument *document, const Element *schema, const Element *set, ODataEntity *entity, Allowances *allowed)
{
	Element    *filter = find_annotation(document, schema, set->parent, set, "FilterRestrictions");
	Element    *sort = find_annotation(document, schema, set->parent, set, "SortRestrictions");
	Element    *count = find_annotation(document, schema, set->parent, set, "CountRestrictions");
	Element    *insert = find_annotation(document, schema, set->parent, set, "InsertRestrictions");
	Element    *update = find_annotation(document, schema, set->parent, set, "UpdateRestrictions");
	Element    *top = find_annotation(document, schema, set->parent, set, "TopSupported");
	Element    *skip = find_annotation(document, schema, set->parent, set, "SkipSupported");
	Element    *tracking = find_annotation(document, schema, set->parent, set, "ChangeTracking");

	if (set_allows(document, schema, set, "sap:creatable", "InsertRestrictions", "Insertable"))
		entity->writes |= WRITES_INSERT;
	if (set_allows(document, schema, set, "sap:updatable", "UpdateRestrictions", "Updatable"))
		entity->writes |= WRITES_UPDATE;
	if (set_allows(document, schema, set, "sap:deletable", "DeleteRestrictions", "Deletable"))
		entity->writes |= WRITES_DELETE;
	if ((entity->writes & (WRITES_INSERT | WRITES_UPDATE)) == (WRITES_INSERT | WRITES_UPDATE))
		entity->writes |= WRITES_UPSERT;
	entity->etag = find_annotation(document, schema, set->parent, set, "OptimisticConcurrency") != NULL;
	entity->countable = !xml_attribute_is(set, "sap:countable", "false") && record_bool(count, "Countable", true);
	entity->pageable = !xml_attribute_is(set, "sap:pageable", "false") &&
		(top == NULL || bool_of(top, true)) && (skip == NULL || bool_of(skip, true));
	entity->required = record_paths(filter, "RequiredProperties");
	entity->delta = record_bool(tracking, "Supported", false);

	allowed->writes = entity->writes;
	allowed->filterable = record_bool(filter, "Filterable", true);
	allowed->sortable = record_bool(sort, "Sortable", true);
	allowed->not_filterable = record_paths(filter, "NonFilterableProperties");
	allowed->not_sortable = record_paths(sort, "NonSortableProperties");
	allowed->not_insertable = record_paths(insert, "NonInsertableProperties");
	allowed->not_updatable = record_paths(update, "NonUpdatableProperties");
}

char *
edm_set_label(const EdmDocument *document, const char *name)
{
	Element    *schema;
	Element    *set = find_set(document, name, &schema);
	const char *label = label_of(document, schema, set->parent, set);
	const char *type = xml_attribute(set, "EntityType");
	Element    *element;

	if (label == NULL && type != NULL)
	{
		element = find_qualified(document, type, strlen(type), &schema);
		label = element == NULL ? NULL : label_of(document, schema, element, NULL);
	}
	return label == NULL ? NULL : pstrdup(label);
}

ODataEntity *
edm_entity(const EdmDocument *document, const char *service, const char *name)
{
	ODataEntity *entity = palloc0(sizeof(ODataEntity));
	Allowances	allowed;
	Element    *schema;
	Element    *set = find_set(document, name, &schema);
	const char *type = set == NULL ? NULL : xml_attribute(set, "EntityType");
	TypeChain	chain;

	if (type == NULL)
		return NULL;
	find_chain(document, type, strlen(type), &chain);
	if (chain.count == 0)
		return NULL;
	entity->version = document->version;
	entity->service = pstrdup(service);
	entity->set = pstrdup(name);
	read_set(document, schema, set, entity, &allowed);
	entity->keys = keys_of(&chain);
	entity->schema = schema_of(document, &chain, entity->keys, &allowed);

	/* services over delta queues have a set of links beside each that is kept track of */
	if (find_set(document, psprintf("DeltaLinksOf%s", name), &schema) != NULL)
		entity->delta = true;
	if (entity->delta && entity->version == ODATA_V4)
	{
		Field	   *removed = schema_add(entity->schema, ODATA_REMOVED, FIELD_STRING);

		removed->label = "Why the record is gone";
		removed->native_type = "Edm.String";
	}
	for (int i = 0; i < chain.count; i++)
	{
		for (Element *c = chain.types[i]->first; c != NULL; c = c->next)
		{
			if (strcmp(c->name, "NavigationProperty") == 0)
				add_navigation(document, entity, set, c);
			else if (strcmp(c->name, "Property") != 0 || xml_attribute(c, "Name") == NULL)
				continue;
			else
			{
				if (xml_attribute_is(c, "sap:required-in-filter", "true"))
					entity->required = lappend(entity->required, pstrdup(xml_attribute(c, "Name")));
				entity->etag = entity->etag || xml_attribute_is(c, "ConcurrencyMode", "Fixed");
			}
		}
	}
	return entity;
}
