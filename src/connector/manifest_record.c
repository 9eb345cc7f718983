/*-------------------------------------------------------------------------
 *
 * manifest_record.c
 *	  Records as the JSON objects that an application wants to be sent.
 *
 * Columns have paths: "owner.name" is a member of a nested object,
 * "extra[id=36].value" of the element with that id in an array.
 *
 * IDENTIFICATION
 *	  src/connector/manifest_record.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "codec/json_writer.h"
#include "codec/text.h"
#include "connector/manifest_record.h"
#include "record/errors.h"
#include "utils/json.h"

typedef struct RecordNode
{
	const char *name;			/* of a member */
	int			column;			/* its value; -1: it is a container */
	FieldType	type;
	ManifestFormat format;
	const char *key;			/* an element of an array: its member that tells it, and */
	const char *value;			/* that one's value */
	bool		array;			/* a container of such elements */
	List	   *children;		/* of RecordNode * */
} RecordNode;

struct RecordShape
{
	bool		nulls;
	RecordNode		root;
};

RecordShape *
record_shape_create(bool nulls)
{
	RecordShape *shape = palloc0(sizeof(RecordShape));

	shape->nulls = nulls;
	shape->root.column = -1;
	return shape;
}

/* the child of that name (or key and value), made if there is none */
static RecordNode *
child_of(RecordNode *parent, const char *name, const char *key, const char *value)
{
	RecordNode	   *child;
	ListCell   *lc;

	foreach(lc, parent->children)
	{
		child = lfirst(lc);
		if (key == NULL ? child->key == NULL && strcmp(child->name, name) == 0 :
			child->key != NULL && strcmp(child->key, key) == 0 && strcmp(child->value, value) == 0)
			return child;
	}
	child = palloc0(sizeof(RecordNode));
	child->name = name;
	child->key = key;
	child->value = value;
	child->column = -1;
	parent->children = lappend(parent->children, child);
	return child;
}

static RecordNode *
descend(RecordNode *node, const char *path)
{
	while (*path != '\0')
	{
		size_t		length = strcspn(path, ".");

		node = child_of(node, pnstrdup(path, length), NULL, NULL);
		path += length + (path[length] == '.');
	}
	return node;
}

void
record_shape_add(RecordShape *shape, int column, const Field *field, ManifestFormat format)
{
	const char *path = field->path != NULL ? field->path : field->name;
	Selector   *selector = selector_parse(path);
	RecordNode	   *node;

	if (selector == NULL)
		node = descend(&shape->root, path);
	else
	{
		node = descend(&shape->root, selector->base);
		node->array = true;
		node = descend(child_of(node, NULL, selector->key, selector->value), selector->rest);
	}
	if (node->column >= 0 || node->children != NIL || node->key != NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("field \"%s\" and another one have the same place in the record: \"%s\"", field->name, path));
	node->column = column;
	node->type = field->type;
	node->format = field->type == FIELD_DATE || field->type == FIELD_DATETIME || field->type == FIELD_TIMESTAMP
		? format : FORMAT_ISO;
}

/* ---------- values ---------- */

/* seconds with as much of a fraction as there is */
static void
append_seconds(StringInfo out, int64 micros)
{
	uint64		magnitude = micros < 0 ? (uint64) -micros : (uint64) micros;
	int			fraction = (int) (magnitude % 1000000);

	appendStringInfo(out, "%s" UINT64_FORMAT, micros < 0 ? "-" : "", magnitude / 1000000);
	if (fraction == 0)
		return;
	appendStringInfo(out, ".%06d", fraction);
	while (out->data[out->len - 1] == '0')
		out->data[--out->len] = '\0';
}

static char *
append_time(StringInfo out, const RecordNode *node, const Cell *cell)
{
	bool		exact;
	char	   *text;

	if (node->format == FORMAT_EPOCH && cell->kind == CELL_TIMESTAMP)
	{
		append_seconds(out, cell->integer);
		return NULL;
	}
	if (node->format == FORMAT_ISO)
	{
		appendStringInfo(out, "\"%s\"", manifest_iso_time(node->type, cell->integer));
		return NULL;
	}
	text = manifest_format_time(node->format, node->type, cell->integer, false, &exact);
	if (!exact)
		return psprintf("\"%s\" takes no moments as exact as %s: its format is %s", node->name,
						manifest_iso_time(node->type, cell->integer), manifest_format_name(node->format));
	if (node->format == FORMAT_EPOCH || node->format == FORMAT_EPOCH_MILLISECONDS || node->format == FORMAT_EPOCH_FRACTION)
		appendStringInfoString(out, text);
	else
		appendStringInfo(out, "\"%s\"", text);
	return NULL;
}

static char *
append_cell(StringInfo out, const RecordNode *node, const Cell *cell)
{
	ByteBuffer	text = {0};

	if (cell->kind == CELL_DATE || cell->kind == CELL_TIMESTAMP)
		return append_time(out, node, cell);
	json_append_cell(&text, cell, node->type);
	if (text.failed)
	{
		buffer_free(&text);
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	}
	appendBinaryStringInfo(out, text.data, (int) text.length);
	buffer_free(&text);
	return NULL;
}

/* ---------- records ---------- */

/* a value that tells an element: a number where it looks like one */
static void
append_key(StringInfo out, const RecordNode *node)
{
	escape_json(out, node->key);
	appendStringInfoChar(out, ':');
	if (text_is_number(node->value, strlen(node->value)))
		appendStringInfoString(out, node->value);
	else
		escape_json(out, node->value);
}

static char *append_children(const RecordShape *shape, const RecordNode *node, StringInfo out, const Cell *const *columns,
							 uint32 row, bool *any);

/* a value, or all that is below; *any: there was something */
static char *
append_node(const RecordShape *shape, const RecordNode *node, StringInfo out, const Cell *const *columns, uint32 row, bool *any)
{
	const Cell *cell;

	if (node->column < 0)
		return append_children(shape, node, out, columns, row, any);
	cell = &columns[node->column][row];
	*any = shape->nulls || cell->kind != CELL_NULL;
	return *any ? append_cell(out, node, cell) : NULL;
}

static char *
append_children(const RecordShape *shape, const RecordNode *node, StringInfo out, const Cell *const *columns, uint32 row,
				bool *any)
{
	ListCell   *lc;

	*any = false;
	appendStringInfoChar(out, node->array ? '[' : '{');
	if (node->key != NULL)
		append_key(out, node);
	foreach(lc, node->children)
	{
		const RecordNode *child = lfirst(lc);
		int			before = out->len;
		bool		some;
		char	   *problem;

		if (*any || node->key != NULL)
			appendStringInfoChar(out, ',');
		if (!node->array)
		{
			escape_json(out, child->name);
			appendStringInfoChar(out, ':');
		}
		problem = append_node(shape, child, out, columns, row, &some);
		if (problem != NULL)
			return problem;
		if (some)
			*any = true;
		else
		{
			out->len = before;
			out->data[before] = '\0';
		}
	}
	appendStringInfoChar(out, node->array ? ']' : '}');
	return NULL;
}

char *
record_shape_append(const RecordShape *shape, StringInfo out, const Cell *const *columns, uint32 row)
{
	bool		any;

	return append_children(shape, &shape->root, out, columns, row, &any);
}
