/*-------------------------------------------------------------------------
 *
 * sap_odata_value.c
 *	  Values of records to and from the forms that OData's JSON has of them.
 *
 * Version 2 puts into strings what JavaScript has no type for: "12.50" a decimal, "/Date(0)/" an
 * instant, "PT1H" a time.  Version 4 does so with large numbers only, and only if it is
 * asked (IEEE754Compatible), as it is here: a server that computes with doubles
 * would round them otherwise.
 *
 * IDENTIFICATION
 *	  src/apps/sap_odata_value.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apps/sap_odata.h"
#include "codec/text.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"

#define MICROS_PER_DAY INT64CONST(86400000000)

/* ---------- from JSON ---------- */

/* "/Date(1709806272000+0060)/": milliseconds of UTC; the offset says where they were counted */
static bool
parse_date_literal(const Cell *cell, int64 *micros)
{
	static const char prefix[] = "/Date(";
	const size_t before = sizeof(prefix) - 1;
	const char *end;
	const char *p;
	int64		millis;

	if (cell->length < before + 3 || memcmp(cell->data, prefix, before) != 0 ||
		memcmp(cell->data + cell->length - 2, ")/", 2) != 0)
		return false;
	end = cell->data + cell->length - 2;
	for (p = cell->data + before + 1; p < end && *p != '+' && *p != '-'; p++)
		;
	if (!text_parse_int64(cell->data + before, p - (cell->data + before), &millis) ||
		millis > PG_INT64_MAX / 1000 || millis < PG_INT64_MIN / 1000)
		return false;
	*micros = millis * 1000;
	return true;
}

static void
adapt_date_literal(const Field *field, Cell *cell)
{
	int64		micros;

	if (!parse_date_literal(cell, &micros))
		return;

	/* a date that has a time of day is none: conversions will say so */
	if (field->type == FIELD_DATE && micros % MICROS_PER_DAY == 0)
		*cell = cell_integer(CELL_DATE, micros / MICROS_PER_DAY);
	else
		*cell = cell_integer(CELL_TIMESTAMP, micros);
}

/* "PT10H11M12.5S" as 10:11:12.5 */
static void
adapt_duration(Batch *batch, Cell *cell)
{
	int			parts[3] = {0, 0, 0};
	const char *units = "HMS";
	const char *p = cell->data + 2;
	const char *end = cell->data + cell->length;
	const char *fraction = NULL;
	int			nfraction = 0;
	char	   *text;

	if (cell->length < 4 || memcmp(cell->data, "PT", 2) != 0)
		return;
	while (p < end)
	{
		int			value = 0;
		int			digits = 0;
		const char *unit;

		for (; p < end && *p >= '0' && *p <= '9' && digits < 6; p++, digits++)
			value = value * 10 + (*p - '0');
		if (p < end && *p == '.' && digits > 0)
		{
			fraction = ++p;
			while (p < end && *p >= '0' && *p <= '9')
				p++;
			nfraction = (int) (p - fraction);
		}
		unit = p < end && digits > 0 ? strchr(units, *p) : NULL;
		if (unit == NULL || *unit == '\0' || (fraction != NULL && *unit != 'S'))
			return;
		parts[2 - (strlen(unit) - 1)] = value;
		units = unit + 1;
		p++;
	}
	if (parts[0] > 24 || parts[1] > 59 || parts[2] > 59)
		return;
	while (nfraction > 0 && fraction[nfraction - 1] == '0')
		nfraction--;
	text = psprintf("%02d:%02d:%02d%s%.*s", parts[0], parts[1], parts[2], nfraction > 0 ? "." : "",
					nfraction, fraction == NULL ? "" : fraction);
	*cell = cell_text(CELL_STRING, batch_copy(batch, text, strlen(text)), strlen(text));
	pfree(text);
}

/* base64url without padding as base64; version 4 has it, and some servers of version 2 */
static void
adapt_base64url(Batch *batch, Cell *cell)
{
	size_t		padded = (cell->length + 3) / 4 * 4;
	char	   *copy;

	if (padded == cell->length && memchr(cell->data, '-', cell->length) == NULL &&
		memchr(cell->data, '_', cell->length) == NULL)
		return;
	copy = batch_alloc(batch, padded + 1);
	for (size_t i = 0; i < padded; i++)
	{
		char		c = i < cell->length ? cell->data[i] : '=';

		copy[i] = c == '-' ? '+' : c == '_' ? '/' : c;
	}
	*cell = cell_text(CELL_STRING, copy, padded);
}

/* ---------- records within a record, in version 2 ---------- */

/* the end of a string that begins here; the text is valid */
static const char *
skip_string(const char *p)
{
	for (p++; *p != '"'; p++)
	{
		if (*p == '\\')
			p++;
	}
	return p + 1;
}

static const char *
skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static bool
is_member(const char *key, size_t length, const char *name)
{
	return length == strlen(name) + 2 && memcmp(key + 1, name, length - 2) == 0;
}

/*
 * Copy a value that is valid JSON and terminated, without what version 2 puts in for
 * its own use: "__metadata", links to what was not asked for ("__deferred"), and the
 * object around a list ("results").  Returns what is behind the value.
 */
static const char *
copy_value(const char *p, StringInfo out)
{
	const char *begin = p;
	int			start = out->len;
	int			kept = 0;
	int			list = -1;		/* where the value of "results" begins */
	bool		deferred = false;

	check_stack_depth();
	if (*p == '"')
	{
		p = skip_string(p);
		appendBinaryStringInfo(out, begin, (int) (p - begin));
		return p;
	}
	if (*p != '{' && *p != '[')
	{
		p += strcspn(p, ",]} \t\r\n");
		appendBinaryStringInfo(out, begin, (int) (p - begin));
		return p;
	}
	appendStringInfoChar(out, *begin);
	for (p = skip_blanks(p + 1); *p != '}' && *p != ']'; p = skip_blanks(*p == ',' ? p + 1 : p))
	{
		int			member = out->len;
		const char *key = p;
		size_t		length = 0;
		int			value;

		if (kept > 0)
			appendStringInfoChar(out, ',');
		if (*begin == '{')
		{
			p = skip_string(p);
			length = p - key;
			appendBinaryStringInfo(out, key, (int) length);
			p = skip_blanks(skip_blanks(p) + 1);
			appendStringInfoChar(out, ':');
		}
		value = out->len;
		p = skip_blanks(copy_value(p, out));
		deferred = deferred || (length > 0 && is_member(key, length, "__deferred"));
		if ((length > 0 && is_member(key, length, "__metadata")) || out->len == value)
		{
			out->data[out->len = member] = '\0';
			continue;
		}
		if (length > 0 && is_member(key, length, "results") && out->data[value] == '[')
			list = value;
		kept++;
	}
	appendStringInfoChar(out, *p);
	if (deferred && kept == 1)
		out->len = start;		/* nothing: the member around it goes too */
	else if (list >= 0 && kept == 1)
	{
		memmove(out->data + start, out->data + list, out->len - 1 - list);
		out->len -= list - start + 1;
	}
	out->data[out->len] = '\0';
	return p + 1;
}

static void
adapt_records(Batch *batch, Cell *cell)
{
	char	   *text = pnstrdup(cell->data, cell->length);
	StringInfoData out;

	initStringInfo(&out);
	(void) copy_value(text, &out);
	*cell = out.len == 0 ? cell_null() :
		cell_text(CELL_JSON, batch_copy(batch, out.data, out.len), out.len);
	pfree(text);
	pfree(out.data);
}

void
odata_adapt_column(ODataVersion version, const Field *field, Batch *batch, Cell *cells)
{
	for (uint32 r = 0; r < batch->nrows; r++)
	{
		Cell	   *cell = &cells[r];
		char	   *problem;

		if (version == ODATA_V2 && cell->kind == CELL_JSON && field->type == FIELD_JSON)
			adapt_records(batch, cell);
		if (cell->kind != CELL_STRING)
			continue;
		switch (field->type)
		{
			case FIELD_INTEGER:
			case FIELD_LONG:
			case FIELD_DECIMAL:
			case FIELD_DOUBLE:
			case FIELD_FLOAT:
				if (text_is_number(cell->data, cell->length))
					cell->kind = CELL_NUMBER;
				break;
			case FIELD_DATE:
			case FIELD_DATETIME:
			case FIELD_TIMESTAMP:
				adapt_date_literal(field, cell);
				if (cell->kind != CELL_STRING)
					break;
				problem = cell_convert(batch, cell, field);
				if (problem != NULL)
					pfree(problem);
				break;
			case FIELD_TIME:
				adapt_duration(batch, cell);
				break;
			case FIELD_BINARY:
				adapt_base64url(batch, cell);
				break;
			default:
				return;
		}
	}
}

/* ---------- to JSON ---------- */

char *
odata_duration(const char *time, size_t length)
{
	/* hh:mm:ss[.ffffff] */
	if (length < 8)
		return pnstrdup(time, length);
	return psprintf("PT%.2sH%.2sM%.*sS", time, time + 3, (int) (length - 6), time + 6);
}

static void
append_quoted(StringInfo out, const char *data, size_t length)
{
	char	   *text = pnstrdup(data, length);

	escape_json(out, text);
	pfree(text);
}

static void
append_date_literal(StringInfo out, const Field *field, int64 micros)
{
	int64		millis = micros / 1000 - (micros % 1000 < 0 ? 1 : 0);

	appendStringInfo(out, "\"/Date(" INT64_FORMAT "%s)/\"", millis,
					 strcmp(field->native_type, "Edm.DateTimeOffset") == 0 ? "+0000" : "");
}

static void
append_base64url(StringInfo out, const Cell *cell)
{
	appendStringInfoChar(out, '"');
	for (uint32 i = 0; i < cell->length && cell->data[i] != '='; i++)
	{
		char		c = cell->data[i];

		appendStringInfoChar(out, c == '+' ? '-' : c == '/' ? '_' : c);
	}
	appendStringInfoChar(out, '"');
}

void
odata_append_json(ODataVersion version, const Field *field, const Cell *cell, StringInfo out)
{
	char		text[CELL_TEXT_MAX];
	size_t		length;

	switch ((CellKind) cell->kind)
	{
		case CELL_NULL:
			appendStringInfoString(out, "null");
			return;
		case CELL_STRING:
			if (version == ODATA_V2 && field->type == FIELD_TIME)
			{
				char	   *duration = odata_duration(cell->data, cell->length);

				append_quoted(out, duration, strlen(duration));
				pfree(duration);
			}
			else if (version == ODATA_V4 && field->type == FIELD_BINARY)
				append_base64url(out, cell);
			else
				append_quoted(out, cell->data, cell->length);
			return;
		case CELL_JSON:
			appendBinaryStringInfo(out, cell->data, cell->length);
			return;
		case CELL_NUMBER:
			if (field->type == FIELD_DECIMAL)
				append_quoted(out, cell->data, cell->length);
			else
				appendBinaryStringInfo(out, cell->data, cell->length);
			return;
		case CELL_BOOLEAN:
			appendStringInfoString(out, cell->integer ? "true" : "false");
			return;
		case CELL_DATE:
			if (version == ODATA_V2)
			{
				append_date_literal(out, field, cell->integer * MICROS_PER_DAY);
				return;
			}
			break;
		case CELL_TIMESTAMP:
			if (version == ODATA_V2)
			{
				append_date_literal(out, field, cell->integer);
				return;
			}
			break;
		case CELL_INTEGER:
		case CELL_DOUBLE:
			break;
	}
	length = text_format_cell(cell, field->type, text);
	if (cell->kind == CELL_DOUBLE)
	{
		static const char *const specials[][2] = {{"NaN", "NaN"}, {"Infinity", "INF"}, {"-Infinity", "-INF"}};

		for (int i = 0; i < (int) lengthof(specials); i++)
		{
			if (strlen(specials[i][0]) == length && memcmp(text, specials[i][0], length) == 0)
			{
				append_quoted(out, specials[i][1], strlen(specials[i][1]));
				return;
			}
		}
	}

	/* numbers that doubles do not hold go in quotes, and everything that is no number */
	if (cell->kind == CELL_DOUBLE ? version == ODATA_V4 :
		cell->kind == CELL_INTEGER && field->type != FIELD_LONG)
		appendBinaryStringInfo(out, text, length);
	else
		append_quoted(out, text, length);
}
