/*-------------------------------------------------------------------------
 *
 * sap_odata_delta.c
 *	  What has changed, as services of version 4 tell it.
 *
 * A page of changes holds three kinds of things ("OData JSON Format Version 4.0", 14, and
 * 4.01, 15): records as they are now; records that are gone, of which there is
 * nothing but the key and why; and links that came or went, which are no records.
 * Version 2 has none of this: services over delta queues say it in fields of
 * their own (ODQ_CHANGEMODE).
 *
 * IDENTIFICATION
 *	  src/apps/sap_odata_delta.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/sap_odata.h"
#include "miscadmin.h"
#include "record/errors.h"
#include "record/jsonb_access.h"

/* members of what is in a page beside the properties; in the order of ODataDelta.marks */
enum
{
	MARK_CONTEXT,
	MARK_REMOVED,				/* version 4.01 */
	MARK_REASON,				/* version 4.0 */
	MARK_ID,					/* of a record that is gone, in version 4.0 */
	MARK_ODATA_ID,
	MARK_SHORT_ID
};

static const char *const mark_names[ODATA_MARKS] = {
	"@odata.context", ODATA_REMOVED, "reason", "id", "@odata.id", "@id"
};

void
odata_delta_init(ODataDelta *delta, Schema *schema, List **paths)
{
	delta->schema = schema;
	for (int i = 0; i < ODATA_MARKS; i++)
	{
		ListCell   *lc;

		/* a property may have the name */
		delta->marks[i] = -1;
		foreach(lc, *paths)
		{
			if (strcmp(lfirst(lc), mark_names[i]) == 0)
				delta->marks[i] = foreach_current_index(lc);
		}
		if (delta->marks[i] < 0)
		{
			delta->marks[i] = schema->nfields;
			schema_add(schema, psprintf("@change.%s", mark_names[i]), i == MARK_REMOVED ? FIELD_JSON : FIELD_STRING)->hidden = true;
			*paths = lappend(*paths, pstrdup(mark_names[i]));
		}
	}
}

static bool
ends_with(const Cell *cell, const char *end)
{
	size_t		length = strlen(end);

	return cell->kind == CELL_STRING && cell->length >= length &&
		memcmp(cell->data + cell->length - length, end, length) == 0;
}

static char *
text_of(const Cell *cell)
{
	return cell->kind == CELL_STRING ? pnstrdup(cell->data, cell->length) : NULL;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char *
percent_decoded(const char *text)
{
	char	   *result = palloc(strlen(text) + 1);
	char	   *to = result;

	while (*text != '\0')
	{
		if (text[0] == '%' && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0)
		{
			*to++ = (char) (hex_digit(text[1]) * 16 + hex_digit(text[2]));
			text += 3;
		}
		else
			*to++ = *text++;
	}
	*to = '\0';
	return result;
}

/* the literal at *p, which is moved behind it; NULL: there is none */
static char *
take_literal(const char **p)
{
	StringInfoData text;

	initStringInfo(&text);
	if (**p != '\'')
	{
		size_t		length = strcspn(*p, ",)");

		appendBinaryStringInfo(&text, *p, (int) length);
		*p += length;
		return length == 0 ? NULL : text.data;
	}
	for (++*p; **p != '\0'; ++*p)
	{
		if (**p == '\'' && (*p)[1] != '\'')
		{
			++*p;
			return text.data;
		}
		if (**p == '\'')
			++*p;
		appendStringInfoChar(&text, **p);
	}
	return NULL;
}

/*
 * The values of a record's id, "Stocks(Plant='1000',Material='A')" or "Orders(17)", into its
 * keys; false: it does not have all of them.
 */
static bool
fill_keys(const ODataDelta *delta, const ODataEntity *entity, Batch *batch, uint32 row, const char *id)
{
	char	   *text = percent_decoded(id);
	const char *set = NULL;
	const char *p;
	int			found = 0;

	/* the last place where the set is named, as hosts and paths come before */
	for (p = text; (p = strstr(p, entity->set)) != NULL; p++)
	{
		if (p[strlen(entity->set)] == '(' && (set == NULL || memchr(set, '\'', p - set) == NULL))
			set = p;
	}
	if (set == NULL)
		return false;
	p = set + strlen(entity->set);
	do
	{
		const char *name = NULL;
		char	   *value;
		int			column;

		p++;
		if (*p != '\'' && strcspn(p, "=") < strcspn(p, ",)'"))
		{
			name = pnstrdup(p, strcspn(p, "="));
			p += strlen(name) + 1;
		}
		else if (list_length(entity->keys) == 1)
			name = linitial(entity->keys);
		value = name == NULL ? NULL : take_literal(&p);
		if (value == NULL)
			return false;
		found++;
		column = schema_find(delta->schema, name);
		if (column >= 0 && delta->schema->fields[column].key)
			batch->columns[column][row] = cell_text(CELL_STRING, batch_copy(batch, value, strlen(value)), strlen(value));
	} while (*p == ',');
	return *p == ')' && found == list_length(entity->keys);
}

/* 4.01: the keys may be there as they are in every record */
static bool
has_keys(const ODataDelta *delta, const Batch *batch, uint32 row)
{
	bool		any = false;

	for (int i = 0; i < delta->schema->nfields; i++)
	{
		if (!delta->schema->fields[i].key)
			continue;
		if (batch->columns[i][row].kind == CELL_NULL)
			return false;
		any = true;
	}
	return any;
}

/* a record that is gone: its keys, and why, are all that it has */
static void
show_removed(const ODataDelta *delta, const ODataEntity *entity, const char *what, Batch *batch, uint32 row)
{
	const Cell *removed = &batch->columns[delta->marks[MARK_REMOVED]][row];
	char	   *reason = text_of(&batch->columns[delta->marks[MARK_REASON]][row]);
	char	   *id = text_of(&batch->columns[delta->marks[MARK_ID]][row]);
	int			column = schema_find(delta->schema, ODATA_REMOVED);

	if (removed->kind == CELL_JSON)
	{
		reason = jsonb_get_text(jsonb_parse(pnstrdup(removed->data, removed->length)), "reason");
		id = text_of(&batch->columns[delta->marks[MARK_ODATA_ID]][row]);
		if (id == NULL)
			id = text_of(&batch->columns[delta->marks[MARK_SHORT_ID]][row]);
	}
	if ((removed->kind != CELL_JSON || !has_keys(delta, batch, row)) &&
		(id == NULL || !fill_keys(delta, entity, batch, row, id)))
		ereport(ERROR,
				appflow_error(WF_CONNECTOR),
				errmsg("SAPOData says that a record of %s is gone, but not which one: its id is %s", what,
					   id == NULL ? "missing" : psprintf("\"%s\"", id)));
	for (int i = 0; i < delta->schema->nfields; i++)
	{
		if (!delta->schema->fields[i].key)
			batch->columns[i][row] = cell_null();
	}
	if (reason == NULL)
		reason = "deleted";
	if (column >= 0)
		batch->columns[column][row] = cell_text(CELL_STRING, batch_copy(batch, reason, strlen(reason)), strlen(reason));
}

void
odata_delta_adapt(const ODataDelta *delta, const ODataEntity *entity, const char *what, Batch *batch)
{
	uint32		kept = 0;

	for (uint32 row = 0; row < batch->nrows; row++)
	{
		const Cell *context = &batch->columns[delta->marks[MARK_CONTEXT]][row];

		CHECK_FOR_INTERRUPTS();
		if (ends_with(context, "/$link") || ends_with(context, "/$deletedLink"))
			continue;
		if (ends_with(context, "/$deletedEntity") || batch->columns[delta->marks[MARK_REMOVED]][row].kind == CELL_JSON)
			show_removed(delta, entity, what, batch, row);
		if (kept != row)
		{
			for (int i = 0; i < delta->schema->nfields; i++)
				batch->columns[i][kept] = batch->columns[i][row];
			batch->lines[kept] = batch->lines[row];
		}
		kept++;
	}
	batch->nrows = kept;
}
