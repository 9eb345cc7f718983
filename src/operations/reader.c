/*-------------------------------------------------------------------------
 *
 * reader.c
 *	  The tolerant reader of requests.
 *
 * A request is walked once along the model's shapes, from the operation's input
 * structure down, and built anew in canonical form on the way.  What the walk
 * finds wrong is collected and raised at its end as one ValidationException in
 * the words of AWS's own validation:
 *
 *	  2 validation errors detected: Value 'a b' at 'flowName' failed to satisfy
 *	  constraint: Member must satisfy regular expression pattern: ...; Value at
 *	  'tasks.1.member.taskType' failed to satisfy constraint: Member must not be
 *	  null
 *
 * List members are counted from 1.  Keys and values of a map are reported at
 * the map.  Values of sensitive shapes, and anything at all within a connector
 * profile's credentials, are never shown.
 *
 * The depth of the walk is that of the model, which has no recursive shape, so
 * deep nesting in a request costs nothing: an unknown member is not entered.
 *
 * IDENTIFICATION
 *	  src/operations/reader.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"

#include "codec/text.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "operations/shapes.h"
#include "record/errors.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

/* violations told one by one, and unknown members warned of one by one */
#define VIOLATIONS_SHOWN 20
#define WARNINGS_SHOWN 20

/* bytes of a value or a name that a message shows */
#define VALUE_SHOWN 128
#define NAME_SHOWN 64

/* timestamps: the years 1 to 9999 */
#define EPOCH_MIN (-62135596800.0)
#define EPOCH_MAX 253402300800.0

typedef struct Reader
{
	const char *name;			/* of the operation, for messages */
	JsonbParseState *state;		/* what is built ... */
	JsonbValue *result;			/* ... and has been built when its last part was pushed */
	StringInfoData path;
	StringInfoData violations;
	int			nviolations;
	int			nwarnings;
	int			secret;			/* how many levels of secrets we are in */
} Reader;

/* how a member was found; a better way wins when one is given twice */
typedef enum Found
{
	FOUND_NOT,
	FOUND_BY_CASE,
	FOUND_BY_ALIAS,
	FOUND_EXACTLY
} Found;

#define MEMBER_UNKNOWN	(-1)
#define MEMBER_RETIRED	(-2)

static void read_value(Reader *reader, ShapeId id, JsonbValue *value, JsonbIteratorToken as);

extern PGDLLEXPORT Datum appflow_validate_request(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(appflow_validate_request);

/* ---------- messages ---------- */

/* text cut to so many bytes, at a character */
static char *
shown(const char *text, size_t length, int limit)
{
	int			kept;

	if (length <= (size_t) limit)
		return pnstrdup(text, length);
	kept = pg_mbcliplen(text, limit, limit);
	return psprintf("%.*s...", kept, text);
}

/* text of a scalar, or NULL of what has none to show */
static char *
scalar_text(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return shown(value->val.string.val, value->val.string.len, VALUE_SHOWN);
		case jbvNumeric:
			{
				char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out,
																		 NumericGetDatum(value->val.numeric)));

				return shown(digits, strlen(digits), VALUE_SHOWN);
			}
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

/* adds a violation at the current path; value NULL is one not to be shown */
static void violate(Reader *reader, const char *value, const char *fmt,...) pg_attribute_printf(3, 4);

static void
violate(Reader *reader, const char *value, const char *fmt,...)
{
	StringInfo	list = &reader->violations;
	int			needed;

	if (++reader->nviolations > VIOLATIONS_SHOWN)
		return;
	if (list->len > 0)
		appendStringInfoString(list, "; ");
	appendStringInfoString(list, "Value ");
	if (value)
		appendStringInfo(list, "'%s' ", value);
	appendStringInfo(list, "at '%s' failed to satisfy constraint: ", reader->path.data);
	for (;;)
	{
		va_list		args;

		va_start(args, fmt);
		needed = appendStringInfoVA(list, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(list, needed);
	}
}

/* goes down to a member; back with leave() */
static int
enter(Reader *reader, const char *name, size_t length)
{
	int			back = reader->path.len;

	if (back > 0)
		appendStringInfoChar(&reader->path, '.');
	appendStringInfoString(&reader->path, shown(name, length, NAME_SHOWN));
	return back;
}

static void
leave(Reader *reader, int back)
{
	reader->path.len = back;
	reader->path.data[back] = '\0';
}

/* "[Public, Private]" */
static char *
enum_set(const Shape *shape)
{
	StringInfoData set;

	initStringInfo(&set);
	appendStringInfoChar(&set, '[');
	for (int i = 0; i < shape->count; i++)
		appendStringInfo(&set, "%s%s", i ? ", " : "", shape_enum_values[shape->first + i]);
	appendStringInfoChar(&set, ']');
	return set.data;
}

/* what all values of a shape must satisfy, as it stands in the brackets of a map's violations */
static char *
constraints_of(ShapeId id)
{
	const Shape *shape = &shape_table[id];
	StringInfoData text;

	initStringInfo(&text);
	if (shape->count > 0)
		appendStringInfo(&text, "Member must satisfy enum value set: %s", enum_set(shape));
	if (shape->max >= 0)
		appendStringInfo(&text, "%sMember must have length less than or equal to %d",
						 text.len ? ", " : "", shape->max);
	if (shape->min >= 0)
		appendStringInfo(&text, "%sMember must have length greater than or equal to %d",
						 text.len ? ", " : "", shape->min);
	if (shape->pattern)
		appendStringInfo(&text, "%sMember must satisfy regular expression pattern: %s",
						 text.len ? ", " : "", shape_patterns[shape->pattern - 1].text);
	return text.data;
}

/*
 * The member of a structure whose name is nearest to one that is unknown.  What
 * is left out costs least, so that "Sales" is nearer to Salesforce than to S3.
 */
static const char *
nearest_member(ShapeId id, const char *name, size_t length)
{
	const Shape *shape = &shape_table[id];
	int			limit = pg_mbcliplen(name, length, NAME_SHOWN);
	char	   *given = asc_tolower(name, limit);
	const char *nearest = NULL;
	int			least = PG_INT32_MAX;

	for (int i = 0; i < shape->count; i++)
	{
		const char *known = shape_members[shape->first + i].name;
		char	   *lower = asc_tolower(known, strlen(known));
		int			distance = varstr_levenshtein(given, strlen(given), lower, strlen(lower), 1, 2, 2, true);

		if (distance < least)
		{
			least = distance;
			nearest = known;
		}
		pfree(lower);
	}
	return nearest;
}

static void
warn_unknown(Reader *reader, ShapeId id, const JsonbValue *key)
{
	const char *nearest;
	int			back;

	if (++reader->nwarnings > WARNINGS_SHOWN)
		return;
	nearest = nearest_member(id, key->val.string.val, key->val.string.len);
	back = enter(reader, key->val.string.val, key->val.string.len);
	ereport(WARNING,
			errmsg("unknown member \"%s\" of %s is ignored",
				   reader->path.data, reader->name),
			nearest ? errhint("The nearest known member is \"%s\".", nearest)
			: errhint("No members are known there."));
	leave(reader, back);
}

static void
warn_twice(Reader *reader, const JsonbValue *key, const char *canonical)
{
	int			back;

	if (++reader->nwarnings > WARNINGS_SHOWN)
		return;
	back = enter(reader, key->val.string.val, key->val.string.len);
	ereport(WARNING,
			errmsg("member \"%s\" of %s is ignored", reader->path.data, reader->name),
			errdetail("It is another spelling of \"%s\", which is given too.", canonical));
	leave(reader, back);
}

/* ---------- scalars ---------- */

static void
push(Reader *reader, JsonbIteratorToken as, JsonbValue *value)
{
	reader->result = pushJsonbValue(&reader->state, as, value);
}

/* stands in for a value in violation; what is built is then thrown away */
static void
push_null(Reader *reader, JsonbIteratorToken as)
{
	JsonbValue	null = {.type = jbvNull};

	push(reader, as, &null);
}

static void
wrong_type(Reader *reader, const Shape *shape, const JsonbValue *value, JsonbIteratorToken as)
{
	static const char *const expected[] = {
		[KIND_STRUCTURE] = "an object",
		[KIND_LIST] = "an array",
		[KIND_MAP] = "an object",
		[KIND_STRING] = "a string",
		[KIND_INTEGER] = "an integer",
		[KIND_LONG] = "an integer",
		[KIND_DOUBLE] = "a number",
		[KIND_BOOLEAN] = "a boolean",
		[KIND_TIMESTAMP] = "a number of seconds since 1970 or an ISO 8601 date and time",
		[KIND_DOCUMENT] = "an object"
	};
	bool		hidden = reader->secret > 0 || (shape->flags & SHAPE_SENSITIVE);

	violate(reader, hidden ? NULL : scalar_text(value), "Member must be %s", expected[shape->kind]);
	push_null(reader, as);
}

static void
read_string(Reader *reader, ShapeId id, JsonbValue *value, JsonbIteratorToken as)
{
	const Shape *shape = &shape_table[id];
	const char *text = value->val.string.val;
	int			length = value->val.string.len;
	bool		hidden = reader->secret > 0 || (shape->flags & SHAPE_SENSITIVE);
	int			wrong;

	if (value->type != jbvString)
	{
		wrong_type(reader, shape, value, as);
		return;
	}

	wrong = shape_check_string(id, text, length);
	if (wrong)
	{
		char	   *show = hidden ? NULL : scalar_text(value);

		if (wrong & STRING_NO_VALUE)
		{
			violate(reader, show, "Member must satisfy enum value set: %s", enum_set(shape));
		}
		if (wrong & STRING_TOO_LONG)
			violate(reader, show, "Member must have length less than or equal to %d", shape->max);
		if (wrong & STRING_TOO_SHORT)
			violate(reader, show, "Member must have length greater than or equal to %d", shape->min);
		if (wrong & STRING_NO_MATCH)
			violate(reader, show, "Member must satisfy regular expression pattern: %s",
					shape_patterns[shape->pattern - 1].text);
		push_null(reader, as);
		return;
	}

	if (shape->count > 0)
	{
		const char *canonical = shape_enum_value(id, text, length);
		JsonbValue	spelled = {.type = jbvString};

		spelled.val.string.val = unconstify(char *, canonical);
		spelled.val.string.len = strlen(canonical);
		push(reader, as, &spelled);
	}
	else
		push(reader, as, value);
}

/*
 * Integers may be written 5.0 or 5e0, as JSON leaves open; a fraction is not
 * one.  The number itself is passed on as it is.
 */
static void
read_integer(Reader *reader, const Shape *shape, JsonbValue *value, JsonbIteratorToken as)
{
	char	   *digits;
	char	   *point;
	int64		number;
	int64		lowest = shape->kind == KIND_LONG ? PG_INT64_MIN : PG_INT32_MIN;
	int64		highest = shape->kind == KIND_LONG ? PG_INT64_MAX : PG_INT32_MAX;
	char	   *show;

	if (value->type != jbvNumeric)
	{
		wrong_type(reader, shape, value, as);
		return;
	}
	show = reader->secret > 0 ? NULL : scalar_text(value);
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	point = strchr(digits, '.');
	if (point)
	{
		if (strspn(point + 1, "0") != strlen(point + 1))
		{
			wrong_type(reader, shape, value, as);
			return;
		}
		*point = '\0';
	}

	/* beyond 64 bits strtoll() stops at the bound that was passed */
	number = strtoll(digits, NULL, 10);
	if (shape->min >= 0)
		lowest = shape->min;
	if (shape->max >= 0)
		highest = shape->max;
	if (number < lowest || (number == PG_INT64_MIN && strcmp(digits, "-9223372036854775808") != 0))
		violate(reader, show, "Member must have value greater than or equal to " INT64_FORMAT, lowest);
	else if (number > highest || (number == PG_INT64_MAX && strcmp(digits, "9223372036854775807") != 0))
		violate(reader, show, "Member must have value less than or equal to " INT64_FORMAT, highest);
	else
	{
		push(reader, as, value);
		return;
	}
	push_null(reader, as);
}

/* the reference's own DeleteConnectorProfile sample says "forceDelete": "true" */
static void
read_boolean(Reader *reader, const Shape *shape, JsonbValue *value, JsonbIteratorToken as)
{
	JsonbValue	truth = {.type = jbvBool};

	if (value->type == jbvBool)
	{
		push(reader, as, value);
		return;
	}
	if (value->type == jbvString && value->val.string.len == 4 &&
		pg_strncasecmp(value->val.string.val, "true", 4) == 0)
		truth.val.boolean = true;
	else if (value->type == jbvString && value->val.string.len == 5 &&
			 pg_strncasecmp(value->val.string.val, "false", 5) == 0)
		truth.val.boolean = false;
	else
	{
		wrong_type(reader, shape, value, as);
		return;
	}
	push(reader, as, &truth);
}

/*
 * A number of seconds stays as it is; ISO 8601 text becomes one.  Text without
 * a zone is in UTC.  Milliseconds, the common slip, lie beyond the year 9999
 * and are refused.
 */
static void
read_timestamp(Reader *reader, const Shape *shape, JsonbValue *value, JsonbIteratorToken as)
{
	if (value->type == jbvNumeric)
	{
		char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out,
																 NumericGetDatum(value->val.numeric)));
		double		seconds = strtod(digits, NULL);

		if (seconds >= EPOCH_MIN && seconds < EPOCH_MAX)
		{
			push(reader, as, value);
			return;
		}
	}
	else if (value->type == jbvString)
	{
		int64		micros;
		bool		has_zone;

		if (text_parse_datetime(value->val.string.val, value->val.string.len, &micros, &has_zone) &&
			micros >= EPOCH_MIN * 1e6 && micros < EPOCH_MAX * 1e6)
		{
			int64		seconds = micros / 1000000;
			int64		fraction = micros % 1000000;
			char		digits[40];
			JsonbValue	number = {.type = jbvNumeric};
			size_t		length;

			snprintf(digits, sizeof(digits), "%s" INT64_FORMAT ".%06d",
					 micros < 0 && seconds == 0 ? "-" : "", seconds, abs((int) fraction));
			for (length = strlen(digits); digits[length - 1] == '0'; length--)
				;
			if (digits[length - 1] == '.')
				length--;
			digits[length] = '\0';
			number.val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
																	 ObjectIdGetDatum(InvalidOid),
																	 Int32GetDatum(-1)));
			push(reader, as, &number);
			return;
		}
	}
	wrong_type(reader, shape, value, as);
}

/* ---------- lists, maps, structures ---------- */

static void
check_count(Reader *reader, const Shape *shape, int count)
{
	if (shape->max >= 0 && count > shape->max)
		violate(reader, NULL, "Member must have length less than or equal to %d", shape->max);
	if (shape->min >= 0 && count < shape->min)
		violate(reader, NULL, "Member must have length greater than or equal to %d", shape->min);
}

static bool
is_container(const JsonbValue *value, bool object)
{
	if (value->type != jbvBinary)
		return false;
	return object ? JsonContainerIsObject(value->val.binary.data) : JsonContainerIsArray(value->val.binary.data);
}

static void
read_list(Reader *reader, const Shape *shape, JsonbContainer *list)
{
	JsonbIterator *iterator = JsonbIteratorInit(list);
	JsonbValue	value;
	JsonbIteratorToken token;
	int			n = 0;

	check_count(reader, shape, JsonContainerSize(list));
	push(reader, WJB_BEGIN_ARRAY, NULL);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		int			back = reader->path.len;

		if (token != WJB_ELEM)
			continue;
		CHECK_FOR_INTERRUPTS();
		appendStringInfo(&reader->path, ".%d.member", ++n);
		if (value.type == jbvNull)
		{
			violate(reader, NULL, "Member must not be null");
			push_null(reader, WJB_ELEM);
		}
		else
			read_value(reader, shape->element, &value, WJB_ELEM);
		leave(reader, back);
	}
	push(reader, WJB_END_ARRAY, NULL);
}

/*
 * An entry of a map whose values are strings.  AWS reports its entries at the
 * map, with all that keys or values must satisfy; we name the entry at fault.
 */
static void
read_map_entry(Reader *reader, const Shape *shape, JsonbValue *key, JsonbValue *value, bool *keys_seen)
{
	const Shape *key_shape = &shape_table[shape->key];
	const Shape *element = &shape_table[shape->element];
	char	   *name = shown(key->val.string.val, key->val.string.len, VALUE_SHOWN);
	char	   *text = scalar_text(value);
	char	   *show = NULL;
	bool		wrong = false;

	if (reader->secret == 0 && !((key_shape->flags | element->flags) & SHAPE_SENSITIVE))
		show = text ? psprintf("{%s=%s}", name, text) : psprintf("{%s}", name);

	if (shape_check_string(shape->key, key->val.string.val, key->val.string.len))
	{
		violate(reader, show, "Map keys must satisfy constraint: [%s]", constraints_of(shape->key));
		wrong = true;
	}
	else if (key_shape->count > 0)
	{
		const char *canonical = shape_enum_value(shape->key, key->val.string.val, key->val.string.len);

		for (int i = 0; i < key_shape->count; i++)
		{
			if (shape_enum_values[key_shape->first + i] != canonical)
				continue;
			if (keys_seen[i])
			{
				warn_twice(reader, key, canonical);
				return;
			}
			keys_seen[i] = true;
		}
		key->val.string.val = unconstify(char *, canonical);
		key->val.string.len = strlen(canonical);
	}
	if (value->type != jbvString)
	{
		violate(reader, show, "Map value must satisfy constraint: [Member must be a string]");
		wrong = true;
	}
	else if (shape_check_string(shape->element, value->val.string.val, value->val.string.len))
	{
		violate(reader, show, "Map value must satisfy constraint: [%s]", constraints_of(shape->element));
		wrong = true;
	}
	if (!wrong)
	{
		push(reader, WJB_KEY, key);
		push(reader, WJB_VALUE, value);
	}
}

static void
read_map(Reader *reader, const Shape *shape, JsonbContainer *map)
{
	JsonbIterator *iterator = JsonbIteratorInit(map);
	JsonbValue	key;
	JsonbIteratorToken token;
	bool	   *keys_seen = palloc0(sizeof(bool) * (shape_table[shape->key].count + 1));

	check_count(reader, shape, JsonContainerSize(map));
	push(reader, WJB_BEGIN_OBJECT, NULL);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		JsonbValue	value;

		if (token != WJB_KEY)
			continue;
		CHECK_FOR_INTERRUPTS();
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (value.type == jbvNull)
			continue;
		if (shape_table[shape->element].kind == KIND_STRING)
			read_map_entry(reader, shape, &key, &value, keys_seen);
		else
		{
			int			back;

			if (shape_check_string(shape->key, key.val.string.val, key.val.string.len))
			{
				violate(reader, NULL, "Map keys must satisfy constraint: [%s]", constraints_of(shape->key));
				continue;
			}
			back = enter(reader, key.val.string.val, key.val.string.len);
			appendStringInfoString(&reader->path, ".member");
			push(reader, WJB_KEY, &key);
			read_value(reader, shape->element, &value, WJB_VALUE);
			leave(reader, back);
		}
	}
	push(reader, WJB_END_OBJECT, NULL);
	pfree(keys_seen);
}

/* index of the member that a name stands for, or MEMBER_UNKNOWN, MEMBER_RETIRED */
static int
resolve_member(ShapeId id, const char *name, size_t length, Found *found)
{
	const Shape *shape = &shape_table[id];
	const ShapeMember *member = shape_find_member(id, name, length);

	if (member)
	{
		*found = FOUND_EXACTLY;
		return member - &shape_members[shape->first];
	}

	*found = FOUND_BY_ALIAS;
	for (int i = 0; i < shape_alias_count; i++)
	{
		const ShapeAlias *alias = &shape_aliases[i];

		if (alias->shape != id || strlen(alias->alias) != length || memcmp(alias->alias, name, length) != 0)
			continue;
		if (alias->canonical == NULL)
			return MEMBER_RETIRED;
		member = shape_find_member(id, alias->canonical, strlen(alias->canonical));
		return member - &shape_members[shape->first];
	}

	*found = FOUND_BY_CASE;
	if (shape_has_connector_keys(id))
	{
		for (int i = 0; i < shape->count; i++)
		{
			const char *known = shape_members[shape->first + i].name;

			if (strlen(known) == length && pg_strncasecmp(known, name, length) == 0)
				return i;
		}
	}
	return MEMBER_UNKNOWN;
}

static void
read_structure(Reader *reader, ShapeId id, JsonbContainer *object)
{
	const Shape *shape = &shape_table[id];
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbValue	key;
	JsonbIteratorToken token;
	JsonbValue *keys = palloc0(sizeof(JsonbValue) * (shape->count + 1));
	JsonbValue *values = palloc0(sizeof(JsonbValue) * (shape->count + 1));
	Found	   *how = palloc0(sizeof(Found) * (shape->count + 1));

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		JsonbValue	value;
		Found		found;
		int			i;

		if (token != WJB_KEY)
			continue;
		CHECK_FOR_INTERRUPTS();
		(void) JsonbIteratorNext(&iterator, &value, true);
		i = resolve_member(id, key.val.string.val, key.val.string.len, &found);
		if (i == MEMBER_UNKNOWN)
			warn_unknown(reader, id, &key);
		else if (value.type == jbvNull)
			continue;			/* null is what is not there */
		else if (i == MEMBER_RETIRED)
		{
			int			back = enter(reader, key.val.string.val, key.val.string.len);

			ereport(NOTICE,
					errmsg("member \"%s\" of %s has no effect",
						   reader->path.data, reader->name));
			leave(reader, back);
		}
		else if (how[i] >= found)
			warn_twice(reader, &key, shape_members[shape->first + i].name);
		else
		{
			if (how[i] != FOUND_NOT)
				warn_twice(reader, &keys[i], shape_members[shape->first + i].name);
			keys[i] = key;
			values[i] = value;
			how[i] = found;
		}
	}

	push(reader, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < shape->count; i++)
	{
		const ShapeMember *member = &shape_members[shape->first + i];
		int			back = enter(reader, member->name, strlen(member->name));

		if (how[i] != FOUND_NOT)
		{
			JsonbValue	name = {.type = jbvString};

			name.val.string.val = unconstify(char *, member->name);
			name.val.string.len = strlen(member->name);
			push(reader, WJB_KEY, &name);
			read_value(reader, member->shape, &values[i], WJB_VALUE);
		}
		else if (member->flags & MEMBER_REQUIRED)
			violate(reader, NULL, "Member must not be null");
		leave(reader, back);
	}
	push(reader, WJB_END_OBJECT, NULL);
	pfree(keys);
	pfree(values);
	pfree(how);
}

/*
 * Whether a shape holds what may be secret without the model calling it
 * sensitive: refresh tokens and authorisation codes are not in it, nor is what
 * a custom connector has its users send.
 */
bool
shape_is_secret(ShapeId id)
{
	switch (id)
	{
		case SHAPE_ConnectorProfileCredentials:
		case SHAPE_ProfilePropertiesMap:
		case SHAPE_TokenUrlCustomProperties:
			return true;
		default:
			return false;
	}
}

static void
read_value(Reader *reader, ShapeId id, JsonbValue *value, JsonbIteratorToken as)
{
	const Shape *shape = &shape_table[id];
	bool		secret = shape_is_secret(id);

	if (secret)
		reader->secret++;
	switch ((ShapeKind) shape->kind)
	{
		case KIND_STRUCTURE:
			if (is_container(value, true))
				read_structure(reader, id, value->val.binary.data);
			else
				wrong_type(reader, shape, value, as);
			break;
		case KIND_LIST:
			if (is_container(value, false))
				read_list(reader, shape, value->val.binary.data);
			else
				wrong_type(reader, shape, value, as);
			break;
		case KIND_MAP:
			if (is_container(value, true))
				read_map(reader, shape, value->val.binary.data);
			else
				wrong_type(reader, shape, value, as);
			break;
		case KIND_STRING:
			read_string(reader, id, value, as);
			break;
		case KIND_INTEGER:
		case KIND_LONG:
			read_integer(reader, shape, value, as);
			break;
		case KIND_DOUBLE:
			if (value->type == jbvNumeric)
				push(reader, as, value);
			else
				wrong_type(reader, shape, value, as);
			break;
		case KIND_BOOLEAN:
			read_boolean(reader, shape, value, as);
			break;
		case KIND_TIMESTAMP:
			read_timestamp(reader, shape, value, as);
			break;
		case KIND_DOCUMENT:
			if (is_container(value, true))
				push(reader, as, value);
			else
				wrong_type(reader, shape, value, as);
			break;
	}
	if (secret)
		reader->secret--;
}

/* ---------- the request ---------- */

/* reads a value as a structure; name is what messages call it */
static Jsonb *
read_as(const char *name, ShapeId id, Jsonb *value)
{
	Reader		reader = {0};
	MemoryContext context;
	MemoryContext old;
	Jsonb	   *result;

	if (value == NULL || JB_ROOT_IS_SCALAR(value))
	{
		JsonbValue	scalar;

		if (value == NULL || !JsonbExtractScalar(&value->root, &scalar) || scalar.type == jbvNull)
			ereport(ERROR,
					appflow_error(WF_VALIDATION),
					errmsg("The request object must be non-null"));
	}
	if (!JB_ROOT_IS_OBJECT(value))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("The request must be a JSON object"));

	context = AllocSetContextCreate(CurrentMemoryContext, "appflow request", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);

	reader.name = name;
	initStringInfo(&reader.path);
	initStringInfo(&reader.violations);

	read_structure(&reader, id, &value->root);

	if (reader.nwarnings > WARNINGS_SHOWN)
		ereport(WARNING,
				errmsg("%d more unknown or repeated members of %s are ignored",
					   reader.nwarnings - WARNINGS_SHOWN, name));
	if (reader.nviolations > 0)
	{
		if (reader.nviolations > VIOLATIONS_SHOWN)
			appendStringInfo(&reader.violations, "; and %d more", reader.nviolations - VIOLATIONS_SHOWN);
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg_internal("%d validation error%s detected: %s", reader.nviolations,
								reader.nviolations == 1 ? "" : "s", reader.violations.data));
	}

	MemoryContextSwitchTo(old);
	result = JsonbValueToJsonb(reader.result);
	MemoryContextDelete(context);
	return result;
}

static void
unknown_operation(const char *operation)
{
	ereport(ERROR,
			appflow_error(WF_VALIDATION),
			errmsg("unknown operation \"%s\"", operation),
			errhint("Operations are named as in the API reference, like \"CreateFlow\" or \"create_flow\"."));
}

Jsonb *
shape_read_request(const char *operation, Jsonb *request)
{
	const ShapeOperation *known = shape_find_operation(operation);

	if (known == NULL)
		unknown_operation(operation);
	return read_as(known->name, known->input, request);
}

Jsonb *
shape_read_structure(const char *name, ShapeId structure, Jsonb *value)
{
	return read_as(name, structure, value);
}

/*
 * appflow.validate_request(operation text, request jsonb) returns jsonb
 *
 * Also takes the name of any structure, so that responses can be checked.
 */
Datum
appflow_validate_request(PG_FUNCTION_ARGS)
{
	char	   *operation;
	Jsonb	   *request;
	int			structure;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("operation must not be null"));
	operation = text_to_cstring(PG_GETARG_TEXT_PP(0));
	request = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);
	if (shape_find_operation(operation) != NULL)
		PG_RETURN_JSONB_P(shape_read_request(operation, request));

	structure = shape_find(operation);
	if (structure < 0 || shape_table[structure].kind != KIND_STRUCTURE)
		unknown_operation(operation);
	PG_RETURN_JSONB_P(read_as(shape_table[structure].name, structure, request));
}
