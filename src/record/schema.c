/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  Fields of records and the many names of their types.
 *
 * IDENTIFICATION
 *	  src/record/schema.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "common/string.h"
#include "record/record.h"
#include "utils/memutils.h"

/* numeric(38,0) is what AppFlow's custom connectors understand by BigInteger */
#define BIG_INTEGER_PRECISION 38

/* numeric takes a typmod up to this */
#define SQL_MAX_PRECISION 1000

/*
 * Names of types, in strcmp() order for the binary search.  Names that stand for different
 * things in different places go by AppFlow's own vocabulary (Float is
 * single, Integer 32 bits); without one, by PostgreSQL's.
 */
static const struct
{
	const char *name;
	FieldType	type;
}			type_names[] = {
	{"address", FIELD_JSON},
	{"anytype", FIELD_STRING},
	{"array", FIELD_JSON},
	{"autonumber", FIELD_STRING},
	{"base64", FIELD_BINARY},
	{"big_decimal", FIELD_DECIMAL},
	{"big_integer", FIELD_DECIMAL},
	{"bigdecimal", FIELD_DECIMAL},
	{"bigint", FIELD_LONG},
	{"biginteger", FIELD_DECIMAL},
	{"bigserial", FIELD_LONG},
	{"binary", FIELD_BINARY},
	{"bit", FIELD_STRING},
	{"bit varying", FIELD_STRING},
	{"blob", FIELD_BINARY},
	{"bool", FIELD_BOOLEAN},
	{"boolean", FIELD_BOOLEAN},
	{"box", FIELD_STRING},
	{"bpchar", FIELD_STRING},
	{"byte", FIELD_INTEGER},
	{"bytea", FIELD_BINARY},
	{"bytearray", FIELD_BINARY},
	{"char", FIELD_STRING},
	{"character", FIELD_STRING},
	{"character varying", FIELD_STRING},
	{"checkbox", FIELD_BOOLEAN},
	{"cidr", FIELD_STRING},
	{"circle", FIELD_STRING},
	{"citext", FIELD_STRING},
	{"clob", FIELD_STRING},
	{"combobox", FIELD_STRING},
	{"complexvalue", FIELD_JSON},
	{"currency", FIELD_DECIMAL},
	{"date", FIELD_DATE},
	{"date-time", FIELD_DATETIME},
	{"datetime", FIELD_DATETIME},
	{"datetimeoffset", FIELD_DATETIME},
	{"decimal", FIELD_DECIMAL},
	{"double", FIELD_DOUBLE},
	{"double precision", FIELD_DOUBLE},
	{"email", FIELD_STRING},
	{"encryptedstring", FIELD_STRING},
	{"enum", FIELD_STRING},
	{"float", FIELD_FLOAT},
	{"float4", FIELD_FLOAT},
	{"float8", FIELD_DOUBLE},
	{"guid", FIELD_UUID},
	{"html", FIELD_STRING},
	{"id", FIELD_STRING},
	{"inet", FIELD_STRING},
	{"int", FIELD_INTEGER},
	{"int16", FIELD_INTEGER},
	{"int2", FIELD_INTEGER},
	{"int32", FIELD_INTEGER},
	{"int4", FIELD_INTEGER},
	{"int64", FIELD_LONG},
	{"int8", FIELD_LONG},
	{"integer", FIELD_INTEGER},
	{"interval", FIELD_STRING},
	{"json", FIELD_JSON},
	{"jsonb", FIELD_JSON},
	{"line", FIELD_STRING},
	{"list", FIELD_JSON},
	{"location", FIELD_JSON},
	{"long", FIELD_LONG},
	{"longtext", FIELD_STRING},
	{"longtextarea", FIELD_STRING},
	{"lseg", FIELD_STRING},
	{"macaddr", FIELD_STRING},
	{"macaddr8", FIELD_STRING},
	{"map", FIELD_JSON},
	{"money", FIELD_STRING},
	{"multipicklist", FIELD_STRING},
	{"multiselect", FIELD_STRING},
	{"name", FIELD_STRING},
	{"nchar", FIELD_STRING},
	{"ntext", FIELD_STRING},
	{"number", FIELD_DECIMAL},
	{"numeric", FIELD_DECIMAL},
	{"nvarchar", FIELD_STRING},
	{"object", FIELD_JSON},
	{"oid", FIELD_LONG},
	{"path", FIELD_STRING},
	{"percent", FIELD_DECIMAL},
	{"phone", FIELD_STRING},
	{"picklist", FIELD_STRING},
	{"point", FIELD_STRING},
	{"polygon", FIELD_STRING},
	{"real", FIELD_FLOAT},
	{"record", FIELD_JSON},
	{"reference", FIELD_STRING},
	{"richtext", FIELD_STRING},
	{"select", FIELD_STRING},
	{"serial", FIELD_INTEGER},
	{"short", FIELD_INTEGER},
	{"single", FIELD_FLOAT},
	{"smallint", FIELD_INTEGER},
	{"smallserial", FIELD_INTEGER},
	{"string", FIELD_STRING},
	{"struct", FIELD_JSON},
	{"super", FIELD_JSON},
	{"text", FIELD_STRING},
	{"textarea", FIELD_STRING},
	{"time", FIELD_TIME},
	{"time with time zone", FIELD_STRING},
	{"time without time zone", FIELD_TIME},
	{"timestamp", FIELD_TIMESTAMP},
	{"timestamp with time zone", FIELD_DATETIME},
	{"timestamp without time zone", FIELD_TIMESTAMP},
	{"timestamp_ltz", FIELD_DATETIME},
	{"timestamp_ntz", FIELD_TIMESTAMP},
	{"timestamp_tz", FIELD_DATETIME},
	{"timestamptz", FIELD_DATETIME},
	{"timetz", FIELD_STRING},
	{"tinyint", FIELD_INTEGER},
	{"tsquery", FIELD_STRING},
	{"tsvector", FIELD_STRING},
	{"uniqueidentifier", FIELD_UUID},
	{"url", FIELD_STRING},
	{"uuid", FIELD_UUID},
	{"varbinary", FIELD_BINARY},
	{"varbit", FIELD_STRING},
	{"varbyte", FIELD_BINARY},
	{"varchar", FIELD_STRING},
	{"variant", FIELD_JSON},
	{"xml", FIELD_STRING},
};

static const struct
{
	const char *name;			/* AppFlow's */
	const char *sql;
}			types[] = {
	[FIELD_STRING] = {"String", "text"},
	[FIELD_BOOLEAN] = {"Boolean", "boolean"},
	[FIELD_INTEGER] = {"Integer", "integer"},
	[FIELD_LONG] = {"Long", "bigint"},
	[FIELD_FLOAT] = {"Float", "real"},
	[FIELD_DOUBLE] = {"Double", "double precision"},
	[FIELD_DECIMAL] = {"BigDecimal", "numeric"},
	[FIELD_DATE] = {"Date", "date"},
	[FIELD_DATETIME] = {"DateTime", "timestamp with time zone"},
	[FIELD_TIMESTAMP] = {"DateTime", "timestamp without time zone"},
	[FIELD_TIME] = {"String", "time without time zone"},
	[FIELD_UUID] = {"String", "uuid"},
	[FIELD_BINARY] = {"ByteArray", "bytea"},
	[FIELD_JSON] = {"Struct", "jsonb"},
};

/* Make an empty schema; all that it holds is in the current memory context. */
Schema *
schema_create(void)
{
	Schema	   *schema = palloc0(sizeof(Schema));

	schema->capacity = 16;
	schema->fields = palloc0(sizeof(Field) * schema->capacity);
	return schema;
}

/*
 * The new field, and its name, live where the schema does.  Pointers to fields
 * do not survive the next call.
 */
Field *
schema_add(Schema *schema, const char *name, FieldType type)
{
	Field	   *field;

	if (schema->nfields == schema->capacity)
	{
		schema->fields = repalloc(schema->fields,
								  sizeof(Field) * schema->capacity * 2);
		schema->capacity *= 2;
	}
	field = &schema->fields[schema->nfields++];
	memset(field, 0, sizeof(Field));
	field->name = MemoryContextStrdup(GetMemoryChunkContext(schema), name);
	field->type = type;
	return field;
}

int
schema_find(const Schema *schema, const char *name)
{
	for (int i = 0; i < schema->nfields; i++)
	{
		if (strcmp(schema->fields[i].name, name) == 0)
			return i;
	}
	return -1;
}

List *
schema_names(const Schema *schema)
{
	List	   *names = NIL;

	for (int i = 0; i < schema->nfields; i++)
		names = lappend(names, schema->fields[i].name);
	return names;
}

bool
list_has_text(const List *texts, const char *text)
{
	ListCell   *lc;

	foreach(lc, texts)
	{
		if (strcmp(lfirst(lc), text) == 0)
			return true;
	}
	return false;
}

/*
 * Split a type's name into its lower-case base ("numeric", "timestamp with
 * time zone"), its modifiers, and whether it is an array.  False if it is not
 * of that form.
 */
static bool
split_type_name(const char *name, char *base, size_t size,
				int modifiers[2], int *nmodifiers, bool *array)
{
	size_t		n = 0;
	const char *p = name;

	*nmodifiers = 0;
	*array = false;
	while (isspace((unsigned char) *p))
		p++;
	while (*p != '\0')
	{
		if (p[0] == '[' || (*nmodifiers == 0 && *p == '('))
			while (n > 0 && base[n - 1] == ' ')
				n--;
		if (p[0] == '[')
		{
			*array = true;
			p++;
			while (isdigit((unsigned char) *p))
				p++;
			if (*p++ != ']')
				return false;
		}
		else if (*p == '(')
		{
			if (*nmodifiers > 0)
				return false;
			do
			{
				char	   *end;
				long		value = strtol(p + 1, &end, 10);

				while (*end == ' ')
					end++;
				if (end == p + 1 || *nmodifiers == 2 || value < -1000 || value > 100000000)
					return false;
				modifiers[(*nmodifiers)++] = (int) value;
				p = end;
			} while (*p == ',');
			if (*p++ != ')')
				return false;
		}
		else
		{
			if (n + 1 >= size || *array)
				return false;
			base[n++] = pg_ascii_tolower((unsigned char) *p++);
		}
	}
	while (n > 0 && base[n - 1] == ' ')
		n--;
	base[n] = '\0';
	return n > 0;
}

static bool
base_type_from_name(const char *base, FieldType *type)
{
	int			low = 0;
	int			high = (int) lengthof(type_names) - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = strcmp(base, type_names[middle].name);

		if (order == 0)
		{
			*type = type_names[middle].type;
			return true;
		}
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return false;
}

/*
 * Set type, precision and scale of a field from a type's name, e.g.
 * "numeric(10,2)", "BigInteger", "timestamp(3) with time zone", "text[]".
 * False, and FIELD_STRING, when the name is not known.
 */
bool
field_set_type(Field *field, const char *name)
{
	char		base[64];
	int			modifiers[2];
	int			nmodifiers;
	bool		array;

	field->type = FIELD_STRING;
	field->precision = 0;
	field->scale = 0;
	if (!split_type_name(name, base, sizeof(base), modifiers, &nmodifiers, &array))
		return false;
	if (array)
	{
		field->type = FIELD_JSON;
		return true;
	}
	if (!base_type_from_name(base, &field->type))
		return false;
	if (field->type == FIELD_DECIMAL)
	{
		if (nmodifiers > 0 && modifiers[0] > 0)
		{
			field->precision = modifiers[0];
			field->scale = nmodifiers > 1 ? modifiers[1] : 0;
		}
		else if (strcmp(base, "biginteger") == 0 || strcmp(base, "big_integer") == 0)
			field->precision = BIG_INTEGER_PRECISION;
	}
	return true;
}

bool
field_type_from_name(const char *name, FieldType *type)
{
	Field		field = {0};
	bool		known = field_set_type(&field, name);

	*type = field.type;
	return known;
}

const char *
field_type_name(FieldType type)
{
	return types[type].name;
}

char *
field_sql_type(const Field *field)
{
	if (field->type == FIELD_DECIMAL && field->precision > 0 &&
		field->precision <= SQL_MAX_PRECISION &&
		field->scale >= 0 && field->scale <= field->precision)
		return psprintf("numeric(%d,%d)", field->precision, field->scale);
	return pstrdup(types[field->type].sql);
}
