/*-------------------------------------------------------------------------
 *
 * manifest_cells.c
 *	  Values as an application writes them: times in its formats, elements of
 *	  arrays that are fields.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_cells.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "codec/text.h"
#include "connector/manifest_engine.h"
#include "record/errors.h"

#define MICROS_PER_SECOND INT64CONST(1000000)
#define MICROS_PER_DAY INT64CONST(86400000000)

/* seconds that a text of an epoch may have: years beyond any calendar are no times */
#define MAX_SECONDS INT64CONST(9000000000000)

/* ... and of a double: 2255 */
#define MAX_EXACT_MILLISECONDS 9.0e12

/* ---------- formats ---------- */

static const char *const format_names[] = {
	[FORMAT_ISO] = "iso", [FORMAT_EPOCH] = "epoch", [FORMAT_EPOCH_MILLISECONDS] = "epochMilliseconds",
	[FORMAT_DATETIME] = "datetime", [FORMAT_DATE] = "date", [FORMAT_EPOCH_FRACTION] = "epochFraction",
	[FORMAT_ISO_SECONDS] = "isoSeconds"
};

ManifestFormat
manifest_format_from_name(const char *name)
{
	for (int i = FORMAT_ISO; name != NULL && i < (int) lengthof(format_names); i++)
	{
		if (strcmp(format_names[i], name) == 0)
			return (ManifestFormat) i;
	}
	return FORMAT_NONE;
}

const char *
manifest_format_name(ManifestFormat format)
{
	return format_names[format];
}

ManifestFormat
manifest_format(const Manifest *manifest, const Field *field)
{
	ManifestFormat format = manifest_format_from_name(field->format);

	for (int i = 0; i < manifest->formats.count && format == FORMAT_NONE; i++)
	{
		const ManifestFormatRule *rule = &manifest->formats.items[i];

		if (rule->type >= 0 && manifest_types[rule->type].type == field->type)
			format = rule->format;
	}
	for (int i = 0; i < manifest->formats.count && format == FORMAT_NONE; i++)
	{
		if (manifest->formats.items[i].type < 0)
			format = manifest->formats.items[i].format;
	}
	return format == FORMAT_NONE ? FORMAT_ISO : format;
}

/* the largest multiple that is not above the value, or the smallest not below */
static int64
round_to(int64 value, int64 unit, bool up, bool *exact)
{
	int64		rest = ((value % unit) + unit) % unit;

	*exact = rest == 0;
	return value - rest + (up && rest > 0 ? unit : 0);
}

static char *
text_of(int64 micros, FieldType type, char between)
{
	Cell		cell = cell_integer(CELL_TIMESTAMP, micros);
	char		text[CELL_TEXT_MAX];
	size_t		length = text_format_cell(&cell, type, text);

	if (length > 10 && text[10] == 'T')
		text[10] = between;
	return pnstrdup(text, length);
}

char *
manifest_format_time(ManifestFormat format, FieldType type, int64 value, bool up, bool *exact)
{
	Cell		day = cell_integer(CELL_DATE, value);
	char		text[CELL_TEXT_MAX];
	int64		micros;

	*exact = true;
	if (type == FIELD_DATE && (format == FORMAT_ISO || format == FORMAT_ISO_SECONDS || format == FORMAT_DATE))
		return manifest_iso_time(type, value);
	micros = type == FIELD_DATE ? value * MICROS_PER_DAY : value;
	switch (format)
	{
		case FORMAT_EPOCH:
			return psprintf(INT64_FORMAT, round_to(micros, MICROS_PER_SECOND, up, exact) / MICROS_PER_SECOND);
		case FORMAT_EPOCH_FRACTION:
			if (micros < 0)
				return psprintf("-" INT64_FORMAT ".%06d", -(micros / MICROS_PER_SECOND), (int) -(micros % MICROS_PER_SECOND));
			return psprintf(INT64_FORMAT ".%06d", micros / MICROS_PER_SECOND, (int) (micros % MICROS_PER_SECOND));
		case FORMAT_EPOCH_MILLISECONDS:
			return psprintf(INT64_FORMAT, round_to(micros, 1000, up, exact) / 1000);
		case FORMAT_DATETIME:
			return text_of(round_to(micros, MICROS_PER_SECOND, up, exact), FIELD_TIMESTAMP, ' ');
		case FORMAT_DATE:
			day.integer = round_to(micros, MICROS_PER_DAY, up, exact) / MICROS_PER_DAY;
			return pnstrdup(text, text_format_cell(&day, FIELD_DATE, text));
		case FORMAT_ISO_SECONDS:
			return text_of(round_to(micros, MICROS_PER_SECOND, up, exact), type, 'T');
		case FORMAT_ISO:
		case FORMAT_NONE:
			break;
	}

	/* many applications read no more digits */
	return text_of(round_to(micros, 1000, up, exact), type, 'T');
}

char *
manifest_iso_time(FieldType type, int64 value)
{
	Cell		cell = cell_integer(type == FIELD_DATE ? CELL_DATE : CELL_TIMESTAMP, value);
	char		text[CELL_TEXT_MAX];

	return pnstrdup(text, text_format_cell(&cell, type, text));
}

/* seconds with or without a fraction, times a million, exactly */
static bool
parse_seconds(const char *text, size_t length, int64 *micros)
{
	size_t		dot = 0;
	int64		seconds;
	int64		fraction = 0;
	int64		unit = MICROS_PER_SECOND / 10;

	while (dot < length && text[dot] != '.')
		dot++;
	if (!text_parse_int64(text, dot, &seconds) || seconds > MAX_SECONDS || seconds < -MAX_SECONDS)
		return false;
	for (size_t i = dot + 1; i < length; i++, unit /= 10)
	{
		if (text[i] < '0' || text[i] > '9' || (unit == 0 && text[i] != '0'))
			return false;
		fraction += (text[i] - '0') * unit;
	}
	*micros = seconds * MICROS_PER_SECOND + (text[0] == '-' ? -fraction : fraction);
	return dot + 1 != length;
}

/* also as doubles are written: 1430311800000.0, 1.4303118E12 */
static bool
parse_milliseconds(const Cell *cell, int64 *micros)
{
	int64		milliseconds;
	double		value;
	char		text[40];

	if (text_parse_int64(cell->data, cell->length, &milliseconds))
	{
		*micros = milliseconds * 1000;
		return milliseconds <= MAX_SECONDS * 1000 && milliseconds >= -MAX_SECONDS * 1000;
	}
	if (cell->kind != CELL_NUMBER || cell->length >= sizeof(text))
		return false;
	memcpy(text, cell->data, cell->length);
	text[cell->length] = '\0';
	value = strtod(text, NULL);

	/* a double has all microseconds of these */
	if (!(fabs(value) < MAX_EXACT_MILLISECONDS))
		return false;
	*micros = (int64) rint(value * 1000);
	return true;
}

bool
manifest_parse_time(ManifestFormat format, FieldType type, Cell *cell)
{
	int64		micros;
	bool		has_zone;

	if (cell->kind != CELL_STRING && cell->kind != CELL_NUMBER)
		return false;
	switch (format)
	{
		case FORMAT_EPOCH:
		case FORMAT_EPOCH_FRACTION:
			if (!parse_seconds(cell->data, cell->length, &micros))
				return false;
			break;
		case FORMAT_EPOCH_MILLISECONDS:
			if (!parse_milliseconds(cell, &micros))
				return false;
			break;
		case FORMAT_DATETIME:
			if (!text_parse_datetime(cell->data, cell->length, &micros, &has_zone))
				return false;
			break;
		case FORMAT_DATE:
			if (!text_parse_date(cell->data, cell->length, &micros))
				return false;
			if (type != FIELD_DATE)
				micros *= MICROS_PER_DAY;
			*cell = cell_integer(type == FIELD_DATE ? CELL_DATE : CELL_TIMESTAMP, micros);
			return true;
		default:
			return false;
	}
	if (type == FIELD_DATE)
	{
		if (micros % MICROS_PER_DAY != 0)
			return false;
		*cell = cell_integer(CELL_DATE, micros / MICROS_PER_DAY);
	}
	else
		*cell = cell_integer(CELL_TIMESTAMP, micros);
	return true;
}

/* ---------- elements of arrays ---------- */

Selector *
selector_parse(const char *path)
{
	const char *open = strchr(path, '[');
	const char *equals = open == NULL ? NULL : strchr(open, '=');
	const char *close = equals == NULL ? NULL : strchr(equals, ']');
	Selector   *selector;

	if (close == NULL)
		return NULL;
	selector = palloc(sizeof(Selector));
	selector->base = pnstrdup(path, open - path);
	selector->key = pnstrdup(open + 1, equals - open - 1);
	selector->value = pnstrdup(equals + 1, close - equals - 1);
	selector->rest = pstrdup(close[1] == '.' ? close + 2 : "");
	return selector;
}

Cell
manifest_cell(const JsonTree *tree, Batch *batch)
{
	ByteBuffer	text = {0};
	Cell		cell;

	switch (tree->kind)
	{
		case JSON_TREE_NULL:
			return cell_null();
		case JSON_TREE_BOOLEAN:
			return cell_integer(CELL_BOOLEAN, tree->text[0] == 't');
		case JSON_TREE_NUMBER:
			return cell_text(CELL_NUMBER, batch_copy(batch, tree->text, tree->length), (uint32) tree->length);
		case JSON_TREE_STRING:
			return cell_text(CELL_STRING, batch_copy(batch, tree->text, tree->length), (uint32) tree->length);
		case JSON_TREE_ARRAY:
		case JSON_TREE_OBJECT:
			break;
	}
	json_tree_append(&text, tree);
	if (text.failed)
	{
		buffer_free(&text);
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	}
	cell = cell_text(CELL_JSON, arena_copy(batch->arena, text.data, text.length), (uint32) text.length);
	buffer_free(&text);
	if (cell.data == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	return cell;
}

Cell
selector_apply(const Selector *selector, const Cell *base, Batch *batch, uint32 row)
{
	CodecError	error;
	const JsonTree *array;

	if (base->kind != CELL_JSON)
		return cell_null();
	array = json_tree_parse(batch->arena, base->data, base->length, &error);
	if (array == NULL)
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("the value of \"%s\" in %s cannot be taken apart: column " UINT64_FORMAT ": %s", selector->base,
					   batch_locate(batch, row), (uint64) error.column, error.message));
	if (array->kind != JSON_TREE_ARRAY)
		return cell_null();
	for (const JsonTree *element = array->first; element != NULL; element = element->next)
	{
		const char *text = json_tree_text(element, selector->key);
		const JsonTree *found;

		if (text == NULL || strcmp(text, selector->value) != 0)
			continue;
		found = json_tree_find(element, selector->rest);
		return found == NULL ? cell_null() : manifest_cell(found, batch);
	}
	return cell_null();
}
