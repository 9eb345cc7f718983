/*-------------------------------------------------------------------------
 *
 * entity_form.c
 *	  Entities and their fields in the wire form of the reference.
 *
 * IDENTIFICATION
 *	  src/connector/entity_form.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "connector/entity_form.h"
#include "fmgr.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/json.h"

/* AppFlow's operators among those of filters, by FilterOperator */
#define WIRE_FILTERS (FILTER_NOT_EQUAL_TO + 1)

#define FILTERS_COMPARE (1 << FILTER_LESS_THAN | 1 << FILTER_GREATER_THAN | 1 << FILTER_BETWEEN | \
						 1 << FILTER_LESS_THAN_OR_EQUAL_TO | 1 << FILTER_GREATER_THAN_OR_EQUAL_TO)
#define FILTERS_EQUAL (1 << FILTER_EQUAL_TO | 1 << FILTER_NOT_EQUAL_TO)

uint32
filters_of_type(FieldType type)
{
	switch (type)
	{
		case FIELD_BOOLEAN:
			return FILTERS_EQUAL;
		case FIELD_STRING:
			return FILTERS_EQUAL | FILTERS_COMPARE | 1 << FILTER_CONTAINS;
		case FIELD_BINARY:
		case FIELD_JSON:
			return 0;
		default:
			return FILTERS_EQUAL | FILTERS_COMPARE;
	}
}

static Jsonb *
text_to_jsonb(StringInfo text)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text->data)));
}

/* ---------- writing ---------- */

static void
append_text(StringInfo out, const char *key, const char *value)
{
	appendStringInfo(out, "%s\"%s\": ", out->data[out->len - 1] == '{' ? "" : ", ", key);
	escape_json(out, value);
}

static void
append_bool(StringInfo out, const char *key, bool value)
{
	appendStringInfo(out, "%s\"%s\": %s", out->data[out->len - 1] == '{' ? "" : ", ", key, value ? "true" : "false");
}

Jsonb *
entities_to_wire(List *entities)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	appendStringInfoChar(&out, '[');
	foreach(lc, entities)
	{
		const Entity *entity = lfirst(lc);

		appendStringInfoString(&out, out.len > 1 ? ", {" : "{");
		append_text(&out, "name", entity->name);
		append_text(&out, "label", entity->label ? entity->label : entity->name);
		append_bool(&out, "hasNestedEntities", entity->nested);
		if (entity->group != NULL)
			append_text(&out, "group", entity->group);
		appendStringInfoChar(&out, '}');
	}
	appendStringInfoChar(&out, ']');
	return text_to_jsonb(&out);
}

static void
append_type(StringInfo out, const Field *field)
{
	bool		first = true;
	ListCell   *lc;

	appendStringInfoString(out, ", \"supportedFieldTypeDetails\": {\"v1\": {");
	append_text(out, "fieldType", field_type_name(field->type));
	appendStringInfoString(out, ", \"filterOperators\": [");
	for (int i = 0; i < WIRE_FILTERS; i++)
	{
		if ((field->filters & (1 << i)) == 0)
			continue;
		appendStringInfo(out, "%s\"%s\"", first ? "" : ", ", filter_operator_name((FilterOperator) i));
		first = false;
	}
	appendStringInfoChar(out, ']');
	if (field->values != NIL)
	{
		appendStringInfoString(out, ", \"supportedValues\": [");
		foreach(lc, field->values)
		{
			if (foreach_current_index(lc) > 0)
				appendStringInfoString(out, ", ");
			escape_json(out, lfirst(lc));
		}
		appendStringInfoChar(out, ']');
	}
	if (field->max_length > 0)
		appendStringInfo(out, ", \"fieldLengthRange\": {\"maximum\": %d, \"minimum\": 0}", field->max_length);
	appendStringInfoString(out, "}}");
}

static void
append_destination(StringInfo out, const Field *field)
{
	bool		first = true;

	appendStringInfoString(out, ", \"destinationProperties\": {");
	append_bool(out, "isCreatable", field->writes & WRITES_INSERT);
	append_bool(out, "isUpdatable", field->writes & WRITES_UPDATE);
	append_bool(out, "isUpsertable", (field->writes & WRITES_UPSERT) || field->upsert_key);
	append_bool(out, "isNullable", !field->not_null);
	append_bool(out, "isDefaultedOnCreate", false);
	appendStringInfoString(out, ", \"supportedWriteOperations\": [");
	for (int i = 0; i < (int) lengthof(write_names); i++)
	{
		if ((field->writes & (1 << i)) == 0)
			continue;
		appendStringInfo(out, "%s\"%s\"", first ? "" : ", ", write_names[i]);
		first = false;
	}
	appendStringInfoString(out, "]}");
}

/* a name of the type when AppFlow's does not tell it from another; NULL: it does */
static const char *
exact_type(FieldType type)
{
	static const char *const names[] = {"time", "uuid", "timestamp", "binary"};
	FieldType	named;

	if (field_type_from_name(field_type_name(type), &named) && named == type)
		return NULL;
	for (int i = 0; i < (int) lengthof(names); i++)
	{
		if (field_type_from_name(names[i], &named) && named == type)
			return names[i];
	}
	return NULL;
}

/* what the reference has no member for; it wants values without white space there */
static void
append_custom(StringInfo out, const Field *field)
{
	int			start = out->len;

	appendStringInfoString(out, ", \"customProperties\": {");
	if (field->native_type != NULL && field->native_type[strcspn(field->native_type, " \t\r\n")] == '\0')
		append_text(out, "nativeType", field->native_type);
	if (exact_type(field->type) != NULL)
		append_text(out, "exactType", exact_type(field->type));
	if (field->sortable)
		append_text(out, "sortable", "true");
	if (field->upsert_key)
		append_text(out, "upsertKey", "true");
	if (field->open_values)
		append_text(out, "openValues", "true");
	if (field->not_null)
		append_text(out, "notNull", "true");
	if (field->path != NULL)
		append_text(out, "path", field->path);
	if (field->format != NULL)
		append_text(out, "format", field->format);
	if (field->references != NULL)
		append_text(out, "references", field->references);
	if (field->relationship != NULL)
		append_text(out, "relationship", field->relationship);
	if (field->precision > 0)
	{
		append_text(out, "precision", psprintf("%d", field->precision));
		append_text(out, "scale", psprintf("%d", field->scale));
	}
	if (out->data[out->len - 1] == '{')
	{
		out->len = start;
		out->data[start] = '\0';
	}
	else
		appendStringInfoChar(out, '}');
}

static void
append_field(StringInfo out, const Field *field)
{
	appendStringInfoChar(out, '{');
	append_text(out, "identifier", field->name);
	append_text(out, "label", field->label ? field->label : field->name);
	if (field->description != NULL)
		append_text(out, "description", field->description);
	append_bool(out, "isPrimaryKey", field->key);
	append_bool(out, "isDeprecated", false);
	append_type(out, field);
	appendStringInfoString(out, ", \"sourceProperties\": {");
	append_bool(out, "isRetrievable", !field->write_only);
	append_bool(out, "isQueryable", field->filters != 0);
	append_bool(out, "isTimestampFieldForIncrementalQueries", field->incremental);
	appendStringInfoChar(out, '}');
	if (field->writes != 0 || field->upsert_key)
		append_destination(out, field);
	append_custom(out, field);
	appendStringInfoChar(out, '}');
}

Jsonb *
schema_to_wire(const Schema *schema)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '[');
	for (int i = 0; i < schema->nfields; i++)
	{
		if (i > 0)
			appendStringInfoString(&out, ", ");
		append_field(&out, &schema->fields[i]);
	}
	appendStringInfoChar(&out, ']');
	return text_to_jsonb(&out);
}

/* ---------- reading ---------- */

static int
number_of(Jsonb *object, const char *key)
{
	int64		value;

	return jsonb_get_int64(object, key, &value) && value > 0 && value <= INT_MAX ? (int) value : 0;
}

static void
read_field(Field *field, Jsonb *wire)
{
	Jsonb	   *type = jsonb_get_container(jsonb_get_container(wire, "supportedFieldTypeDetails"), "v1");
	Jsonb	   *source = jsonb_get_container(wire, "sourceProperties");
	Jsonb	   *destination = jsonb_get_container(wire, "destinationProperties");
	Jsonb	   *custom = jsonb_get_container(wire, "customProperties");
	char	   *type_name = jsonb_get_text(type, "fieldType");
	char	   *exact = jsonb_get_text(custom, "exactType");
	ListCell   *lc;

	if (exact != NULL)
		type_name = exact;
	if (type_name != NULL)
		(void) field_set_type(field, type_name);
	field->label = jsonb_get_text(wire, "label");
	field->description = jsonb_get_text(wire, "description");
	field->key = jsonb_get_bool(wire, "isPrimaryKey", false);
	foreach(lc, jsonb_array_texts(jsonb_get_container(type, "filterOperators")))
	{
		FilterOperator operator;

		if (filter_operator_from_name(lfirst(lc), &operator))
			field->filters |= 1 << operator;
	}
	field->values = jsonb_array_texts(jsonb_get_container(type, "supportedValues"));
	field->max_length = number_of(jsonb_get_container(type, "fieldLengthRange"), "maximum");
	field->write_only = !jsonb_get_bool(source, "isRetrievable", true);
	field->incremental = jsonb_get_bool(source, "isTimestampFieldForIncrementalQueries", false);
	foreach(lc, jsonb_array_texts(jsonb_get_container(destination, "supportedWriteOperations")))
	{
		for (int i = 0; i < (int) lengthof(write_names); i++)
		{
			if (pg_strcasecmp(lfirst(lc), write_names[i]) == 0)
				field->writes |= 1 << i;
		}
	}
	field->not_null = jsonb_get_bool(custom, "notNull", false) ||
		(destination != NULL && !jsonb_get_bool(destination, "isNullable", true));
	field->native_type = jsonb_get_text(custom, "nativeType");
	field->sortable = jsonb_get_bool(custom, "sortable", false);
	field->upsert_key = jsonb_get_bool(custom, "upsertKey", false);
	field->open_values = jsonb_get_bool(custom, "openValues", false);
	field->references = jsonb_get_text(custom, "references");
	field->relationship = jsonb_get_text(custom, "relationship");
	field->path = jsonb_get_text(custom, "path");
	field->format = jsonb_get_text(custom, "format");
	field->precision = Max(field->precision, number_of(custom, "precision"));
	field->scale = Max(field->scale, number_of(custom, "scale"));
}

Schema *
schema_from_wire(Jsonb *fields)
{
	Schema	   *schema = schema_create();
	ListCell   *lc;

	foreach(lc, jsonb_array_containers(fields))
	{
		char	   *name = jsonb_get_text(lfirst(lc), "identifier");

		if (name != NULL && schema_find(schema, name) < 0)
			read_field(schema_add(schema, name, FIELD_STRING), lfirst(lc));
	}
	return schema;
}
