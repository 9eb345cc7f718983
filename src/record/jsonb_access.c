/*-------------------------------------------------------------------------
 *
 * jsonb_access.c
 *	  Short words for reading members of jsonb documents.
 *
 * IDENTIFICATION
 *	  src/record/jsonb_access.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/buffer.h"
#include "codec/json_reader.h"
#include "fmgr.h"
#include "record/jsonb_access.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

static JsonbValue *
get_value(Jsonb *object, const char *key, JsonbValue *value)
{
	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return NULL;
	return getKeyJsonValueFromContainer(&object->root, key, strlen(key), value);
}

static char *
scalar_text(JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

static Jsonb *
container(JsonbValue *value)
{
	return value->type == jbvBinary ? JsonbValueToJsonb(value) : NULL;
}

char *
jsonb_get_text(Jsonb *object, const char *key)
{
	JsonbValue	value;

	return get_value(object, key, &value) ? scalar_text(&value) : NULL;
}

Jsonb *
jsonb_get_container(Jsonb *object, const char *key)
{
	JsonbValue	value;

	return get_value(object, key, &value) ? container(&value) : NULL;
}

bool
jsonb_get_bool(Jsonb *object, const char *key, bool otherwise)
{
	char	   *text = jsonb_get_text(object, key);
	bool		result;

	return text != NULL && parse_bool(text, &result) ? result : otherwise;
}

bool
jsonb_get_int64(Jsonb *object, const char *key, int64 *value)
{
	char	   *text = jsonb_get_text(object, key);
	char	   *end;
	long long	number;

	if (text == NULL || *text == '\0')
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	*value = number;
	return true;
}

bool
jsonb_get_only(Jsonb *object, char **key, Jsonb **value, char **text)
{
	JsonbIterator *iterator;
	JsonbValue	v;

	if (object == NULL || !JB_ROOT_IS_OBJECT(object) || JB_ROOT_COUNT(object) != 1)
		return false;
	iterator = JsonbIteratorInit(&object->root);
	(void) JsonbIteratorNext(&iterator, &v, true);
	(void) JsonbIteratorNext(&iterator, &v, true);
	*key = pnstrdup(v.val.string.val, v.val.string.len);
	(void) JsonbIteratorNext(&iterator, &v, true);
	*value = container(&v);
	*text = scalar_text(&v);
	return true;
}

/* the elements of an array through one conversion, leaving out NULLs */
static List *
array_items(Jsonb *array, bool texts)
{
	List	   *result = NIL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	v;

	if (array == NULL || !JB_ROOT_IS_ARRAY(array))
		return NIL;
	iterator = JsonbIteratorInit(&array->root);
	while ((token = JsonbIteratorNext(&iterator, &v, true)) != WJB_DONE)
	{
		void	   *item;

		if (token != WJB_ELEM)
			continue;
		item = texts ? (void *) scalar_text(&v) : (void *) container(&v);
		if (item != NULL)
			result = lappend(result, item);
	}
	return result;
}

List *
jsonb_array_texts(Jsonb *array)
{
	return array_items(array, true);
}

List *
jsonb_array_containers(Jsonb *array)
{
	return array_items(array, false);
}

List *
jsonb_keys(Jsonb *object)
{
	List	   *result = NIL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	v;

	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return NIL;
	iterator = JsonbIteratorInit(&object->root);
	while ((token = JsonbIteratorNext(&iterator, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			result = lappend(result, pnstrdup(v.val.string.val, v.val.string.len));
	}
	return result;
}

/*
 * jsonb_in() throws on bad input; our own strict reader looks first, so that
 * no subtransaction is needed to find out.
 */
Jsonb *
jsonb_parse(const char *text)
{
	StringInfoData wrapped;
	static const char *const fields[] = {"v"};
	JsonReaderOptions options = {.framing = JSON_FRAMING_LINES,.fields = fields,.nfields = 1,.discover = true};
	JsonReader *reader;
	JsonReadResult result;
	Cell		cells[2];
	Cell	   *columns[1] = {cells};
	Arena	   *arena;
	JsonStatus	status;

	/*
	 * Wrapped into an object, since the reader reads records; any other member
	 * or record means that the text was no single value.
	 */
	initStringInfo(&wrapped);
	appendStringInfo(&wrapped, "{\"v\":%s}", text);

	reader = json_reader_create(&options);
	arena = arena_create();
	if (reader == NULL || arena == NULL)
	{
		json_reader_free(reader);
		if (arena != NULL)
			arena_free(arena);
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	}
	status = json_reader_read(reader, wrapped.data, wrapped.len, true, arena,
							  (Cell *const *) columns, NULL, 2, &result);
	json_reader_free(reader);
	arena_free(arena);

	/* documents may be credentials */
	explicit_bzero(wrapped.data, wrapped.len);
	pfree(wrapped.data);
	if (status != JSON_MORE || result.rows != 1)
		return NULL;
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}
